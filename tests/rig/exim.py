"""Exim as a peer: an instance of its own in a temporary folder.

    with Exim(folder, relay_port=gp.ports["smtp"]) as ex:
        ... send to 127.0.0.1 ex.port, recipients anybody@e.test ...
        ex.wait(1)              # messages in its mailboxes, as bytes
        ex.log()

It takes mail for e.test (anybody; full@e.test is refused with 452 4.2.2,
no@e.test with 550 5.1.1, and late@e.test is taken and then comes back),
offers STARTTLS and DSN, and sends what goes elsewhere to
127.0.0.1:relay_port, if given.  The program is the one that tests/setup
unpacked, as the package conflicts with Postfix.  Needs root.
"""
import glob
import os
import pwd
import signal

from .ca import Certificates
from .gatepost import TOP, real_root
from .proc import Daemon, can_connect, free_ports, wait_until

PROGRAM = os.path.join(TOP, "build-peers", "exim", "usr", "sbin", "exim4")
USER = "Debian-exim"
CONF = """\
primary_hostname = exim.test
qualify_domain = e.test
exim_path = {program}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
deliver_drop_privilege = true
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
dns_ipv4_lookup = *
message_size_limit = 100M
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
dsn_advertise_hosts = *
chunking_advertise_hosts = {chunking}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
log_selector = +tls_cipher +smtp_confirmation
begin acl
rcpt:
  deny recipients = no@e.test
       message = 550 5.1.1 nobody of that name
  defer recipients = full@e.test
       message = 452 4.2.2 mailbox full
  accept
data:
  accept
begin routers
late:
  driver = redirect
  domains = e.test
  local_parts = late
  allow_fail
  data = :fail: moved away, ask in the house
here:
  driver = accept
  domains = e.test
  transport = box
{relay}
begin transports
box:
  driver = appendfile
  directory = {dir}/mail
  maildir_format
  create_directory
  delivery_date_add
  envelope_to_add
  return_path_add
out:
  driver = smtp
  hosts_try_fastopen =
  hosts_require_tls = {tls_to}
  tls_verify_certificates = {verify}
  tls_verify_hosts = {tls_to}
  tls_verify_cert_hostnames = :
begin retry
* * F,1h,2s
"""
RELAY = """\
there:
  driver = manualroute
  domains = ! e.test
  route_list = * 127.0.0.1::{port}
  self = send
  transport = out
"""


def usable():
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return real_root() and os.access(PROGRAM, os.X_OK)


class Exim:
    """relay_ca: verify the relay's certificate against that file, and send
    nothing there without TLS."""

    def __init__(self, folder, relay_port=None, relay_ca=None, chunking=True):
        self.folder = folder
        self.port, = free_ports(1)
        tls = Certificates(self._path("tls"), ["exim.test"])
        self.ca = tls.ca
        for name in ("spool", "mail", "log"):
            os.makedirs(self._path(name), exist_ok=True)
        with open(self._path("conf"), "w") as f:
            f.write(CONF.format(
                dir=folder, port=self.port, program=PROGRAM, cert=tls.cert, key=tls.key,
                chunking="*" if chunking else "",
                relay=RELAY.format(port=relay_port) if relay_port else "",
                tls_to="*" if relay_ca else "",
                verify=relay_ca or "/dev/null"))
        self._give_away()
        self.daemon = Daemon(
            [PROGRAM, "-C", self._path("conf"), "-bdf", "-q2s"],
            self._path("start.log"))
        self.daemon.wait_ready(
            lambda: can_connect("127.0.0.1", self.port), "Exim")

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _give_away(self):
        who = pwd.getpwnam(USER)
        for top, dirs, files in os.walk(self.folder):
            for name in dirs + files:
                os.chown(os.path.join(top, name), who.pw_uid, who.pw_gid)
        d = self.folder
        while d != "/":  # its user must get there
            os.chmod(d, os.stat(d).st_mode | 0o011)
            d = os.path.dirname(d)
        os.chown(self._path("conf"), 0, 0)  # or it would not trust it

    @property
    def hop(self):
        return "smtp:127.0.0.1:%d" % self.port

    def log(self):
        out = ""
        for name in ("main", "reject", "panic"):
            try:
                with open(self._path("log/%slog" % name),
                          errors="replace") as f:
                    out += f.read()
            except FileNotFoundError:
                pass
        return out

    def messages(self):
        out = []
        for path in sorted(glob.glob(self._path("mail/new/*"))):
            with open(path, "rb") as f:
                out.append(f.read())
        return out

    def wait(self, n=1):
        wait_until(lambda: len(self.messages()) >= n,
                   "%d messages in Exim" % n)
        return self.messages()

    def close(self):
        self.daemon.stop(signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
