"""An OpenLDAP server on free loopback ports, StartTLS and LDAPS.

    ldap = slapd.start(folder)
    ldap.uri, ldap.ldaps, ldap.base, ldap.ca, ldap.reader_dn ...
    ldap.modify("dn: uid=...\\nchangetype: modify\\n..."); ldap.stop()

People are inetOrgPerson with a small schema of ours for more addresses; groups
are groupOfNames (members by DN, nested, one loop) and posixGroup (members by
uid), each with an address.  There is no memberOf.
"""
import os

from .ca import Certificates
from .proc import Daemon, can_connect, free_ports, run

BASE = "dc=example,dc=test"
MAIL = "example.test"
PASSWORD = "Us3r-Test-Pass"
ROOT_DN, ROOT_PASSWORD = "cn=root," + BASE, "R00t-Test-Pass"
READER_DN = "cn=reader,ou=services," + BASE
MANY = 1200  # more than the server gives in one answer without paging

# OpenLDAP's experimental arc
SCHEMA = """\
attributetype ( 1.3.6.1.4.1.4203.666.7.77.1 NAME 'mailAlternateAddress'
	EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 1.3.6.1.4.1.4203.666.7.77.2 NAME 'testMailEntry' AUXILIARY
	MAY ( mail $ mailAlternateAddress ) )
"""

CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
include {dir}/mail.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {dir}/slapd.pid
TLSCACertificateFile {tls}/ca.pem
TLSCertificateFile {tls}/cert.pem
TLSCertificateKeyFile {tls}/key.pem
sizelimit size=500 size.prtotal=unlimited
# a password only over TLS
security simple_bind=128
database mdb
suffix "{base}"
directory {dir}/db
rootdn "{root}"
rootpw {rootpw}
index objectClass,entryUUID,uid,mail,mailAlternateAddress,member,memberUid eq
maxsize 268435456
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
overlay ppolicy
ppolicy_default "cn=default,ou=services,{base}"
"""

STAFF = [("alice", "Alice", "Adams"), ("bob", "Bob", "Baker"),
         ("carol", "Carol", "Clark"), ("dave", "Dave", "Davis"),
         ("erin", "Erin", "Evans")]
# groupOfNames: members by DN, "@" a group
GROUPS = [("engineering", ["alice", "bob"]),
          ("allhands", ["@engineering", "carol", "alice"]),
          ("loop-a", ["alice", "@loop-b"]), ("loop-b", ["bob", "@loop-a"])]
POSIX_GROUPS = [("support", ["dave", "erin", "alice"])]


def user_dn(uid):
    return "uid=%s,ou=people,%s" % (uid, BASE)


def group_dn(name):
    return "cn=%s,ou=groups,%s" % (name, BASE)


def user_entry(uid, first, last, mail=None, aliases=(), **more):
    lines = ["dn: " + user_dn(uid), "objectClass: inetOrgPerson",
             "objectClass: testMailEntry", "uid: " + uid,
             "cn: %s %s" % (first, last), "sn: " + last,
             "userPassword: " + PASSWORD]
    if mail:
        lines.append("mail: " + mail)
    lines += ["mailAlternateAddress: " + a for a in aliases]
    lines += ["%s: %s" % kv for kv in more.items()]
    return "\n".join(lines) + "\n"


def tree():
    """All entries, as LDIF."""
    dc = BASE.split(",")[0][3:]
    out = ["dn: %s\nobjectClass: organization\nobjectClass: dcObject\n"
           "o: Test\ndc: %s\n" % (BASE, dc)]
    for ou in ("people", "groups", "services", "many"):
        out.append("dn: ou=%s,%s\nobjectClass: organizationalUnit\n"
                   "ou: %s\n" % (ou, BASE, ou))
    out.append("dn: cn=default,ou=services,%s\nobjectClass: device\n"
               "objectClass: pwdPolicy\ncn: default\n"
               "pwdAttribute: userPassword\npwdLockout: FALSE\n" % BASE)
    out.append("dn: %s\nobjectClass: organizationalRole\n"
               "objectClass: simpleSecurityObject\ncn: reader\n"
               "userPassword: %s\n" % (READER_DN, PASSWORD))
    for uid, first, last in STAFF:
        out.append(user_entry(
            uid, first, last, "%s.%s@%s" % (uid, last.lower(), MAIL),
            ["%s@%s" % (uid, MAIL), "%s@Old.%s" % (uid, MAIL)]))
    out.append(user_entry("nomail", "No", "Mail"))
    for n in (1, 2):
        out.append(user_entry("twin%d" % n, "Twin", "No%d" % n,
                              "twin%d@%s" % (n, MAIL), ["shared@" + MAIL]))
    out.append(user_entry("locked", "Loc", "Ked", "locked@" + MAIL,
                          pwdAccountLockedTime="000001010000Z"))
    for name, members in GROUPS:
        out.append("\n".join(
            ["dn: " + group_dn(name), "objectClass: groupOfNames",
             "objectClass: testMailEntry", "cn: " + name,
             "mail: %s@%s" % (name, MAIL)]
            + ["member: " + (group_dn(m[1:]) if m[0] == "@" else user_dn(m))
               for m in members]) + "\n")
    for i, (name, members) in enumerate(POSIX_GROUPS):
        out.append("\n".join(
            ["dn: " + group_dn(name), "objectClass: posixGroup",
             "objectClass: testMailEntry", "cn: " + name,
             "gidNumber: %d" % (5000 + i), "mail: %s@%s" % (name, MAIL)]
            + ["memberUid: " + m for m in members]) + "\n")
    for n in range(MANY):
        uid = "many%04d" % n
        out.append(user_entry(uid, "Many", "No%d" % n, "%s@%s" % (uid, MAIL))
                   .replace("ou=people", "ou=many"))
    out.append("\n".join(
        ["dn: " + group_dn("everyone"), "objectClass: groupOfNames",
         "objectClass: testMailEntry", "cn: everyone",
         "mail: everyone@" + MAIL]
        + ["member: uid=many%04d,ou=many,%s" % (n, BASE)
           for n in range(MANY)]) + "\n")
    return "\n".join(out)


class Server:
    base, mail, password = BASE, MAIL, PASSWORD
    reader_dn = READER_DN

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        os.makedirs(self._path("db"))
        self.certificates = Certificates(self._path("tls"))
        self.ca = self.certificates.ca
        self.port, self.tls_port = free_ports(2)
        self.uri = "ldap://127.0.0.1:%d" % self.port
        self.ldaps = "ldaps://127.0.0.1:%d" % self.tls_port
        self._write("mail.schema", SCHEMA)
        self._write("slapd.conf", CONF.format(
            dir=self.folder, tls=self._path("tls"), base=BASE, root=ROOT_DN,
            rootpw=ROOT_PASSWORD, reader=READER_DN))
        self._write("tree.ldif", tree())
        self.daemon = None

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w") as f:
            f.write(text)

    def load(self):
        run(["/usr/sbin/slapadd", "-q", "-f", self._path("slapd.conf"), "-l",
             self._path("tree.ldif")])

    def start(self):
        self.daemon = Daemon(
            ["/usr/sbin/slapd", "-d", "stats", "-h",
             "%s %s" % (self.uri, self.ldaps), "-f",
             self._path("slapd.conf")], self._path("slapd.log"))
        self.daemon.wait_ready(
            lambda: can_connect("127.0.0.1", self.port)
            and can_connect("127.0.0.1", self.tls_port), "listening")

    def stop(self):
        if self.daemon:
            self.daemon.stop()
            self.daemon = None

    close = stop

    def modify(self, ldif):
        self._write("change.ldif", ldif)
        return run(["ldapmodify", "-x", "-H", self.ldaps, "-D", ROOT_DN, "-w",
                    ROOT_PASSWORD, "-f", self._path("change.ldif")],
                   env=dict(os.environ, LDAPTLS_CACERT=self.ca))

    def add_user(self, uid, first="New", last="Person"):
        self.modify(user_entry(uid, first, last, "%s@%s" % (uid, MAIL))
                    .replace("objectClass", "changetype: add\nobjectClass",
                             1))


def start(folder):
    server = Server(folder)
    server.load()
    server.start()
    return server
