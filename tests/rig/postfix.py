"""Postfix as a peer: an instance of its own in a temporary folder.

    with Postfix(folder, relay_port=sink.port) as pf:
        ... send to 127.0.0.1 pf.port, recipients anybody@p.test ...
        pf.wait(1)              # messages in its mailboxes, as bytes
        pf.log()

It takes mail for p.test (anybody; full@p.test is refused with 452 5.2.2 and
no@p.test with 550 5.1.1), offers STARTTLS and DSN, and sends what goes
elsewhere (its notices, and what `aliases`, pairs of addresses, lead to) to
127.0.0.1:relay_port, if given.  For each name in `milters` (to a value of
smtpd_milters) it listens on another port, pf.milter_ports[name], where that one
is asked; `settings` are more lines of main.cf.  The system's Postfix and its settings are not
touched.  Needs root: it changes users.
"""
import glob
import os
import pwd
import shutil
import signal

from .ca import Certificates
from .gatepost import real_root
from .proc import Daemon, can_connect, free_ports, wait_until

MAIN = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
mail_owner = postfix
maillog_file = {dir}/log/mail
maillog_file_prefixes = {dir}
myhostname = postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = {relay}
virtual_mailbox_domains = p.test
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = static:box/
virtual_alias_maps ={aliases}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_recipient_restrictions =
    check_recipient_access inline:{{
        {{no@p.test = 550 5.1.1 nobody of that name}},
        {{full@p.test = 452 4.2.2 mailbox full}} }},
    permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_tls_security_level = may
message_size_limit = 102400000
virtual_mailbox_limit = 0
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
{filtered}pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
FILTERED = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_milters={milter} -o milter_default_action=tempfail
"""


def usable():
    return real_root() and shutil.which("postfix") is not None


class Postfix:
    def __init__(self, folder, relay_port=None, aliases=(), milters=None,
                 settings=""):
        self.folder = folder
        milters = milters or {}
        self.port, *ports = free_ports(1 + len(milters))
        self.milter_ports = dict(zip(milters, ports))
        who = pwd.getpwnam("postfix")
        tls = Certificates(self._path("tls"), ["postfix.test"])
        self.ca = tls.ca
        for name in ("conf", "queue", "data", "mail", "log"):
            os.makedirs(self._path(name), exist_ok=True)
        for name in ("data", "mail", "log"):
            os.chown(self._path(name), who.pw_uid, who.pw_gid)
        d = folder
        while d != "/":  # its users must get there
            os.chmod(d, os.stat(d).st_mode | 0o011)
            d = os.path.dirname(d)
        relay = "[127.0.0.1]:%d" % relay_port if relay_port else ""
        maps = " inline:{ %s }" % ", ".join(
            "{ %s = %s }" % pair for pair in aliases) if aliases else ""
        self._write("conf/main.cf", MAIN.format(
            dir=folder, relay=relay, aliases=maps, uid=who.pw_uid, gid=who.pw_gid,
            cert=tls.cert, key=tls.key) + settings)
        self._write("conf/master.cf", MASTER.format(
            port=self.port, filtered="".join(
                FILTERED.format(port=port, milter=milters[name])
                for name, port in self.milter_ports.items())))
        self.daemon = Daemon(
            ["postfix", "-c", self._path("conf"), "start-fg"],
            self._path("start.log"))
        self.daemon.wait_ready(
            lambda: can_connect("127.0.0.1", self.port), "Postfix")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w") as f:
            f.write(text)

    @property
    def hop(self):
        return "smtp:127.0.0.1:%d" % self.port

    def log(self):
        try:
            with open(self._path("log/mail"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def messages(self):
        out = []
        for path in sorted(glob.glob(self._path("mail/box/new/*"))):
            with open(path, "rb") as f:
                out.append(f.read())
        return out

    def wait(self, n=1):
        wait_until(lambda: len(self.messages()) >= n,
                   "%d messages in Postfix" % n)
        return self.messages()

    def close(self):
        """start-fg leaves its master in a session of its own."""
        try:
            with open(self._path("queue/pid/master.pid")) as f:
                pid = int(f.read())
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not os.path.exists("/proc/%d" % pid),
                       "the end of Postfix")
        except (FileNotFoundError, ProcessLookupError):
            pass
        self.daemon.stop(signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
