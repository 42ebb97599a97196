"""A small LDAP server of our own, for what Samba and OpenLDAP do not show.

    stub = ldapstub.start(folder, entries)
    stub.behave.mute = True          # from now on; see class Behaviour

A real domain controller stops at 1,000 entries and 1,500 values, takes an
empty password for an anonymous bind and calls it success, and can be late,
mute, busy or cut off; an account's entry can lack attributes that the reader
has no right to see.  Speaks LDAPv3 over plain TCP, StartTLS and LDAPS: bind,
search with the paged-results control, unbind.  It never changes anything.
"""
import contextlib
import os
import re
import socket
import ssl
import threading
import uuid

from . import ber, ldapfilter
from .ca import Certificates

PAGED = b"1.2.840.113556.1.4.319"
START_TLS = b"1.3.6.1.4.1.1466.20037"
SUCCESS, PROTOCOL_ERROR, SIZE_LIMIT, NO_SUCH_OBJECT = 0, 2, 4, 32
INVALID_CREDENTIALS, BUSY, UNAVAILABLE = 49, 51, 52
AD_WRONG_PASSWORD = ("80090308: LdapErr: DSID-0C0903A9, comment: "
                     "AcceptSecurityContext error, data %s, v1db1")
BASE = "DC=stub,DC=test"
PASSWORD = "Stub-Pass-1"


class Behaviour:
    """What a test may change at any time."""

    def __init__(self):
        self.max_values = 1500   # of one attribute in one answer
        self.max_entries = 1000  # in one answer or page
        self.mute = False        # accept and read, never answer
        self.cut_after = None    # close after so many bytes of an answer
        self.search_code = None  # answer each search with this result
        self.bind_code = None    # and each bind
        self.hidden = set()      # attributes nobody may see, lower case
        self.empty_bind_ok = True
        self.gate = threading.Event()  # clear(): answers wait for set()
        self.gate.set()


def user(account, unit="Staff", **attrs):
    """An entry as Active Directory has it."""
    dn = "CN=%s,OU=%s,%s" % (account, unit, BASE)
    out = {
        "objectClass": ["top", "person", "organizationalPerson", "user"],
        "objectCategory": ["CN=Person,CN=Schema,CN=Configuration," + BASE],
        "objectGUID": [uuid.uuid5(uuid.NAMESPACE_DNS, account).bytes_le],
        "objectSid": [sid(account)],
        "cn": [account], "sAMAccountName": [account],
        "userPrincipalName": [account + "@stub.test"],
        "mail": [account + "@stub.test"],
        "proxyAddresses": ["SMTP:%s@stub.test" % account],
        "userAccountControl": ["512"], "primaryGroupID": ["513"],
    }
    out.update(attrs)
    return dn, out


def group(name, members, **attrs):
    dn = "CN=%s,OU=Groups,%s" % (name, BASE)
    out = {
        "objectClass": ["top", "group"],
        "objectCategory": ["CN=Group,CN=Schema,CN=Configuration," + BASE],
        "objectGUID": [uuid.uuid5(uuid.NAMESPACE_DNS, "g:" + name).bytes_le],
        "objectSid": [sid("g:" + name)],
        "cn": [name], "sAMAccountName": [name],
        "groupType": ["-2147483640"], "mail": [name + "@stub.test"],
        "proxyAddresses": ["SMTP:%s@stub.test" % name], "member": members,
    }
    out.update(attrs)
    return dn, out


def sid(name):
    rid = uuid.uuid5(uuid.NAMESPACE_DNS, name).int % 10**6 + 1000
    parts = (21, 1, 2, 3, rid)
    return b"\1\5" + (5).to_bytes(6, "big") + b"".join(
        p.to_bytes(4, "little") for p in parts)


def norm(dn):
    return re.sub(r"\s*,\s*", ",", dn).lower()


def as_bytes(v):
    return v if isinstance(v, bytes) else v.encode()


class Server:
    base, password = BASE, PASSWORD

    def __init__(self, folder, entries):
        self.behave = Behaviour()
        self.seen = []  # ("bind", dn, tls) and ("search", base, filter, attrs)
        self.certificates = Certificates(os.path.join(folder, "tls"))
        self.ca = self.certificates.ca
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.certificates.cert, self.certificates.key)
        self.entries = {}
        for dn, attrs in entries:
            self.put(dn, attrs)
        self.passwords = {}  # normalised DN or UPN -> password, if not PASSWORD
        self.connections = set()
        self.closing = False
        self._plain = self._listen(False)
        self._tls = self._listen(True)
        self.uri = "ldap://127.0.0.1:%d" % self._plain.getsockname()[1]
        self.ldaps = "ldaps://127.0.0.1:%d" % self._tls.getsockname()[1]

    def put(self, dn, attrs):
        self.entries[norm(dn)] = (dn, {
            k: [as_bytes(v) for v in vs] for k, vs in attrs.items()})

    def _listen(self, tls):
        s = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, args=(s, tls),
                         daemon=True).start()
        return s

    def _accept(self, listener, tls):
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn, tls),
                             daemon=True).start()

    def _serve(self, conn, tls):
        try:
            if tls:
                conn = self.tls.wrap_socket(conn, server_side=True)
            self.connections.add(conn)
            Connection(self, conn, tls).run()
        except (OSError, ber.BerError):
            pass
        finally:
            self.connections.discard(conn)
            conn.close()

    def drop_connections(self):
        for conn in list(self.connections):
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.closing = True
        self.behave.gate.set()
        for s in (self._plain, self._tls):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
        self.drop_connections()

    def binds(self):
        return [x for x in list(self.seen) if x[0] == "bind"]

    def searches(self):
        return [x for x in list(self.seen) if x[0] == "search"]

    # ---- what a search finds

    def find(self, base, scope, filter_tag, filter_body):
        if base == "":
            return [("", self.root())] if scope == 0 else None
        guid = re.match(r"<GUID=([0-9a-fA-F-]+)>$", base)
        if guid:
            want = bytes.fromhex(guid.group(1).replace("-", ""))
            for dn, attrs in self.entries.values():
                if attrs.get("objectGUID") == [want]:
                    base = dn
        base = norm(base)
        if base not in self.entries and base != norm(BASE):
            return None
        found = []
        some = self.entries.items()
        if scope == 0:
            some = [(base, self.entries[base])] if base in self.entries else []
        for key, (dn, attrs) in some:
            parent = key.partition(",")[2]
            if not (key == base if scope == 0 else parent == base
                    if scope == 1 else key == base
                    or key.endswith("," + base)):
                continue
            lower = {k.lower(): v for k, v in attrs.items()
                     if k.lower() not in self.behave.hidden}
            lower["distinguishedname"] = [dn.encode()]
            if ldapfilter.matches(filter_tag, filter_body, lower):
                found.append((dn, attrs))
        return found

    def root(self):
        return {k: [as_bytes(x) for x in v] for k, v in {
            "defaultNamingContext": [BASE], "namingContexts": [BASE],
            "supportedControl": [PAGED], "supportedLDAPVersion": ["3"],
            "supportedExtension": [START_TLS],
            "highestCommittedUSN": ["1"], "dnsHostName": ["stub"],
            "supportedCapabilities": ["1.2.840.113556.1.4.800"],
        }.items()}

    def values(self, attrs, wanted):
        """The attributes asked for; long ones in ranges, as AD does it."""
        names = [w for w in wanted if w not in ("*", "1.1", "+")]
        everything = not wanted or "*" in wanted
        out = []
        for name, values in attrs.items():
            if name.lower() in self.behave.hidden:
                continue
            asked = [n for n in names
                     if n.split(";")[0].lower() == name.lower()]
            if not asked and not everything:
                continue
            out += self._ranges(name, values, asked or [name])
        return out

    def _ranges(self, name, values, asked):
        most = self.behave.max_values
        for want in asked:
            m = re.search(r";range=(\d+)-(\d+|\*)$", want, re.I)
            if not m and len(values) <= most:
                yield name, values
                continue
            first = int(m.group(1)) if m else 0
            last = len(values) - 1
            if m and m.group(2) != "*":
                last = min(last, int(m.group(2)))
            last = min(last, first + most - 1)
            if first >= len(values):
                continue
            end = "*" if last == len(values) - 1 else str(last)
            if not m:  # a plain question gets the empty attribute as well
                yield name, []
            yield "%s;range=%d-%s" % (name, first, end), values[first:last + 1]


class Connection:
    def __init__(self, server, sock, tls):
        self.server, self.sock, self.tls = server, sock, tls
        self.pages = {}  # cookie -> entries left

    def run(self):
        data = b""
        while True:
            h = ber.header(data)
            if h is None or len(data) < h[2]:
                more = self.sock.recv(65536)
                if not more:
                    return
                data += more
                continue
            message, data = data[h[1]:h[2]], data[h[2]:]
            if self.handle(message) is False:
                return

    def handle(self, message):
        fields = ber.items(message)
        msgid, (op, body) = ber.number(fields[0][1]), fields[1]
        controls = ber.items(fields[2][1]) if len(fields) > 2 else []
        if op == 0x42:  # unbind
            return False
        if op == 0x60:
            answers = self.bind(body)
        elif op == 0x63:
            answers = self.search(body, controls)
        elif op == 0x77:
            return self.extended(msgid, body)
        else:  # abandon and what we do not know
            return None
        behave = self.server.behave
        behave.gate.wait()
        if behave.mute or self.server.closing:
            return None
        wire = b"".join(ber.sequence(ber.integer(msgid), *a) for a in answers)
        if behave.cut_after is not None:
            self.sock.sendall(wire[:behave.cut_after])
            return False
        self.sock.sendall(wire)
        return None

    @staticmethod
    def result(tag, code, text="", controls=b""):
        out = [ber.sequence(ber.integer(code, ber.ENUM), ber.octets(""),
                            ber.octets(text), tag=tag)]
        return out + ([controls] if controls else [])

    def bind(self, body):
        fields = ber.items(body)
        dn = fields[1][1].decode()
        kind, secret = fields[2]
        server = self.server
        server.seen.append(("bind", dn, self.tls))
        if server.behave.bind_code is not None:
            return [self.result(0x61, server.behave.bind_code)]
        if kind != 0x80:
            return [self.result(0x61, 7, "no SASL here")]
        if not secret and server.behave.empty_bind_ok:
            return [self.result(0x61, SUCCESS)]
        want = server.passwords.get(norm(dn), PASSWORD).encode()
        known = norm(dn) in server.entries
        if known and secret == want:
            return [self.result(0x61, SUCCESS)]
        return [self.result(0x61, INVALID_CREDENTIALS,
                            AD_WRONG_PASSWORD % ("52e" if known else "525"))]

    def extended(self, msgid, body):
        name = ber.items(body)[0][1]
        ok = name == START_TLS and not self.tls
        self.sock.sendall(ber.sequence(ber.integer(msgid), *self.result(
            0x78, SUCCESS if ok else PROTOCOL_ERROR)))
        if ok:
            self.server.connections.discard(self.sock)
            self.sock = self.server.tls.wrap_socket(
                self.sock, server_side=True)
            self.server.connections.add(self.sock)
            self.tls = True

    def search(self, body, controls):
        f = ber.items(body)
        base, scope = f[0][1].decode(), ber.number(f[1][1])
        limit = ber.number(f[3][1])
        wanted = [b.decode() for _, b in ber.items(f[7][1])]
        server = self.server
        server.seen.append(("search", base, ldapfilter.text(*f[6]), wanted))
        if server.behave.search_code is not None:
            return [self.result(0x65, server.behave.search_code)]
        page = self.page_of(controls)
        if page and page[1]:
            found = self.pages.pop(page[1], [])
        else:
            found = server.find(base, scope, *f[6])
        if found is None:
            return [self.result(0x65, NO_SUCH_OBJECT)]
        most = server.behave.max_entries
        if limit:
            most = min(most, limit)
        answer, code, extra = found, SUCCESS, b""
        if page:
            take = max(1, min(most, page[0] or most))
            answer, rest = found[:take], found[take:]
            cookie = b""
            if rest:
                cookie = uuid.uuid4().bytes
                self.pages[cookie] = rest
            extra = ber.sequence(ber.sequence(
                ber.octets(PAGED), ber.octets(ber.sequence(
                    ber.integer(0), ber.octets(cookie)))), tag=0xA0)
        elif len(found) > most:
            answer, code = found[:most], SIZE_LIMIT
        out = [self.entry(dn, attrs, wanted) for dn, attrs in answer]
        return out + [self.result(0x65, code, "", extra)]

    @staticmethod
    def page_of(controls):
        for _, body in controls:
            fields = ber.items(body)
            if fields[0][1] == PAGED:
                size, cookie = ber.items(ber.items(fields[-1][1])[0][1])
                return ber.number(size[1]), cookie[1]
        return None

    def entry(self, dn, attrs, wanted):
        rows = [ber.sequence(ber.octets(name), ber.sequence(
            *[ber.octets(v) for v in values], tag=ber.SET))
            for name, values in self.server.values(attrs, wanted)]
        return [ber.sequence(ber.octets(dn), ber.sequence(*rows), tag=0x64)]


def start(folder, entries):
    return Server(str(folder), list(entries))
