"""A DNS for tests on a free loopback port: nsd serving all names there are.

    dns = rig.dns.start(folder, '''
    example.test.       MX   10 mx.example.test.
    mx.example.test.    A    127.0.0.1
    example.test.       TXT  "v=spf1 mx -all"
    ''')
    dns.server                    "127.0.0.1@PORT", for the setting dns_servers
    dns.set(text)                 other records instead; add(text) more of them
    dns.remove("mx.example.test") all records of a name
    dns.silent("slow.test")       no answer for it and what is below ...
    dns.speak("slow.test")        ... until now; without a name: for all
    dns.asked("example.test", "TXT")   how many such questions came
    dns.stop()

Records are lines of a zone file without TTL and class: a name with the last
dot, type, data.  The one zone is the root, so that a name without records is
NXDOMAIN, and "*.x.test." works.  TTL is 1, also of what is not there (another
one by `ttl`): whoever has asked before may have the old answer for some three
seconds (its own cache, and libunbound's in full seconds), so wait_until, or
use another name.  Names below servfail.test give SERVFAIL, those below
unsigned.test come from a zone that is never signed.

With signed=True the root is signed: dns.anchor is the file for the setting
dns_trust_anchor.  dns.forge("x.test") spoils the signatures that are there, so
that the name is bogus, until the next set, add or remove.

A relay in front of nsd counts questions and keeps silent; it adds nothing of
its own to an answer.
"""
import collections
import contextlib
import os
import re
import select
import signal
import socket
import struct
import threading

from .proc import Daemon, free_ports, run, wait_until

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16,
         "AAAA": 28, "SRV": 33, "DS": 43, "DNSKEY": 48, "TLSA": 52}

CONF = """\
server:
	ip-address: 127.0.0.1@{port}
	username: ""
	chroot: ""
	zonesdir: "{dir}"
	database: ""
	pidfile: "{dir}/nsd.pid"
	xfrdfile: "{dir}/xfrd.state"
	zonelistfile: "{dir}/zone.list"
	xfrdir: "{dir}"
	server-count: 1
	rrl-ratelimit: 0
	verbosity: 1
remote-control:
	control-enable: no
zone:
	name: "."
	zonefile: "{dir}/root.zone"
zone:
	name: "unsigned.test"
	zonefile: "{dir}/unsigned.zone"
zone:
	name: "servfail.test"
	zonefile: "{dir}/not-there.zone"
"""

HEAD = """\
$ORIGIN .
$TTL {ttl}
{name} SOA ns.rig.test. root.rig.test. {serial} 3600 600 86400 {ttl}
{name} NS ns.rig.test.
"""


def name_wire(name):
    labels = [x for x in name.rstrip(".").split(".") if x]
    return b"".join(bytes([len(x)]) + x.encode() for x in labels) + b"\0"


def question(packet):
    """(name, type) that a question is about."""
    labels, at = [], 12
    while packet[at]:
        n = packet[at]
        labels.append(packet[at + 1:at + 1 + n].decode("latin-1").lower())
        at += 1 + n
    return ".".join(labels), struct.unpack(">H", packet[at + 1:at + 3])[0]


def recv_exact(sock, n):
    got = b""
    while len(got) < n:
        more = sock.recv(n - len(got))
        if not more:
            raise OSError("end")
        got += more
    return got


class Relay:
    """UDP and TCP on one port, one question at a time, to nsd."""

    def __init__(self, backend):
        self.backend = ("127.0.0.1", backend)
        self.port, self.udp, self.tcp = self._bind()
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.dumb = set()
        self.wake = socket.socketpair()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @staticmethod
    def _bind():
        while True:
            tcp = socket.socket()
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            udp = socket.socket(type=socket.SOCK_DGRAM)
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                tcp.close()
                udp.close()
                continue
            tcp.listen(64)
            return port, udp, tcp

    def _take(self, packet):
        """Count it; true when it is to be answered."""
        try:
            name, kind = question(packet)
        except IndexError:
            return False
        with self.lock:
            self.counts[name, kind] += 1
            return not any(d == "" or name == d or name.endswith("." + d)
                           for d in self.dumb)

    def _on_udp(self):
        packet, client = self.udp.recvfrom(65535)
        if not self._take(packet):
            return
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect(self.backend)
            s.send(packet)
            self.udp.sendto(s.recv(65535), client)

    def _serve_tcp(self, client):
        with client, contextlib.suppress(OSError, struct.error):
            client.settimeout(5)
            while True:
                head = recv_exact(client, 2)
                packet = recv_exact(client, struct.unpack(">H", head)[0])
                if not self._take(packet):
                    continue
                with socket.create_connection(self.backend, timeout=5) as s:
                    s.sendall(head + packet)
                    n = recv_exact(s, 2)
                    client.sendall(n + recv_exact(
                        s, struct.unpack(">H", n)[0]))

    def _run(self):
        while True:
            ready, _, _ = select.select([self.udp, self.tcp, self.wake[1]],
                                        [], [])
            if self.wake[1] in ready:
                return
            if self.udp in ready:
                with contextlib.suppress(OSError):
                    self._on_udp()
            if self.tcp in ready:
                threading.Thread(target=self._serve_tcp, daemon=True,
                                 args=(self.tcp.accept()[0],)).start()

    def close(self):
        self.wake[0].send(b"x")
        self.thread.join()
        for s in (self.udp, self.tcp, *self.wake):
            s.close()


class Server:
    def __init__(self, folder, records="", ttl=1, signed=False):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.ttl, self.signed, self.serial = ttl, signed, 0
        self.records = records
        self.anchor = self.keys = None
        if signed:
            self._make_keys()
        self._write_zones()
        self.nsd_port = free_ports(1)[0]
        self._write("nsd.conf", CONF.format(
            dir=self.folder, port=self.nsd_port))
        self.daemon = Daemon(["/usr/sbin/nsd", "-d", "-c",
                              self._path("nsd.conf")], self._path("nsd.log"))
        self.daemon.wait_ready(self._is_current, "zone loaded")
        self.relay = Relay(self.nsd_port)
        self.port = self.relay.port
        self.server = "127.0.0.1@%d" % self.port

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w") as f:
            f.write(text)

    def _make_keys(self):
        """A key-signing and a zone-signing key for the root."""
        keys = []
        for more in (["-k"], []):
            keys.append(run(
                ["ldns-keygen", "-a", "ECDSAP256SHA256", "-r", "/dev/urandom",
                 *more, "."], cwd=self.folder).strip().splitlines()[-1])
        self.keys = [self._path(k) for k in keys]
        self.anchor = self._path("anchor.key")
        with open(self.keys[0] + ".key") as f:
            self._write("anchor.key", f.read())

    def _zone(self, name, inside):
        lines = [HEAD.format(ttl=self.ttl, serial=self.serial, name=name)]
        for line in self.records.splitlines():
            owner = line.split()[0].lower() if line.split() else ""
            if owner and inside(owner):
                lines.append(line.strip() + "\n")
        return "".join(lines)

    def _write_zones(self):
        self.serial += 1

        def unsigned(owner):
            return ("." + owner).endswith(".unsigned.test.")
        root = self._zone(".", lambda owner: not unsigned(owner))
        for cut in ("unsigned.test.", "servfail.test."):
            root += "%s NS ns.rig.test.\n" % cut
        root += "ns.rig.test. A 127.0.0.1\n"
        self._write("unsigned.zone", self._zone("unsigned.test.", unsigned))
        self._write("root.zone", root)
        if self.signed:
            self._write("root.plain", root)
            run(["ldns-signzone", "-o", ".", "-f", self._path("root.zone"),
                 self._path("root.plain"), *self.keys])

    def _is_current(self):
        ask = struct.pack(">HHHHHH", 77, 0, 1, 0, 0, 0) + name_wire(".") + \
            struct.pack(">HH", TYPES["SOA"], 1)
        with socket.socket(type=socket.SOCK_DGRAM) as s, \
                contextlib.suppress(OSError):
            s.settimeout(2)
            s.connect(("127.0.0.1", self.nsd_port))
            s.send(ask)
            return struct.pack(">IIIII", self.serial, 3600, 600, 86400,
                               self.ttl) in s.recv(4096)

    def _reload(self):
        self.daemon.p.send_signal(signal.SIGHUP)
        wait_until(self._is_current, "nsd to read its zones")

    def set(self, records):
        self.records = records
        self._write_zones()
        self._reload()

    def add(self, records):
        self.set(self.records.rstrip("\n") + "\n" + records)

    def remove(self, name):
        owner = name.rstrip(".").lower() + "."
        self.set("\n".join(
            line for line in self.records.splitlines()
            if line.split() and line.split()[0].lower() != owner))

    def forge(self, name):
        """Every signature of the name proves nothing any more."""
        self._write_zones()
        pattern = re.compile(r"^(%s\.\s.*\sRRSIG\s.*\s)(\S+)$"
                             % re.escape(name.rstrip(".")), re.I)
        with open(self._path("root.zone")) as f:
            lines = f.read().splitlines()
        out = []
        for line in lines:
            m = pattern.match(line)
            if m:
                sig = m.group(2)
                line = m.group(1) + ("B" if sig[0] == "A" else "A") + sig[1:]
            out.append(line)
        assert out != lines, name
        self._write("root.zone", "\n".join(out) + "\n")
        self._reload()

    def silent(self, name=""):
        with self.relay.lock:
            self.relay.dumb.add(name.rstrip(".").lower())

    def speak(self, name=""):
        with self.relay.lock:
            self.relay.dumb.discard(name.rstrip(".").lower())

    def asked(self, name, kind):
        with self.relay.lock:
            return self.relay.counts[name.rstrip(".").lower(), TYPES[kind]]

    def stop(self):
        if self.daemon:
            self.relay.close()
            self.daemon.stop()
            self.daemon = None

    close = stop


def start(folder, records="", ttl=1, signed=False):
    return Server(folder, records, ttl, signed)
