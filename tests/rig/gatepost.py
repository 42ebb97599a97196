"""Gatepost itself, built in $GP_BUILD, in a temporary directory.

    gp = Gatepost(ldif=..., settings={...})    # or directory settings
    gp.start(); gp.smtp(); gp.submission("ann"); gp.imap("ann"); gp.close()

All listeners are on free ports of the loopback.  close() stops it in order
and fails the test if a sanitizer, an assertion or a panic spoke up, or if it
did not end with 0.  Its log is kept in $GP_LOGS.
"""
import json
import os
import pwd
import re
import shutil
import signal
import tempfile

from .ca import Certificates
from .imap import Imap
from .pop3 import Pop3
from .proc import Daemon, RigError, free_ports, run, wait_until
from .smtp import Lmtp, Smtp
from .wire import Wire

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
LISTENERS = ("smtp", "submission", "submissions", "imap", "imaps", "pop3",
             "pop3s", "lmtp")
TLS_LISTENERS = ("submissions", "imaps", "pop3s")
COMPLAINTS = re.compile(
    r"^.*(?:ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
    r"Assertion .* failed|panic: ).*$", re.M)
NOBODY = "nobody"
GREETING = 5.0  # seconds that one question "are you up?" may take


def build_dir():
    return os.environ.get("GP_BUILD") or os.path.join(TOP, "build-asan")


def real_root():
    """Root with all the machine's users, not of a one-user namespace."""
    with open("/proc/self/uid_map") as f:
        return os.geteuid() == 0 and int(f.read().split()[2]) > 1


def setting(name, value):
    def one(v):
        if isinstance(v, bool):
            return "true" if v else "false"
        if isinstance(v, int):
            return str(v)
        return '"%s"' % v.replace("\\", "\\\\").replace('"', '\\"')

    if isinstance(value, (list, tuple)):
        return "%s = {%s}\n" % (name, ", ".join(one(v) for v in value))
    return "%s = %s\n" % (name, one(value))


class Gatepost:
    def __init__(self, settings=None, ldif=None, build=None, keep=None):
        self.build = build or build_dir()
        self.folder = keep or tempfile.mkdtemp(prefix="gp-")
        os.makedirs(self.folder, exist_ok=True)
        for d in ("data", "run"):
            os.makedirs(self._path(d), 0o700, exist_ok=True)
        self.certificates = Certificates(
            self._path("tls"), ["mail.example.test", "localhost"])
        self.ca = self.certificates.ca
        ports = free_ports(2 * len(LISTENERS))
        self.ports = dict(zip(LISTENERS, ports))
        self.proxy_ports = dict(zip(LISTENERS, ports[len(LISTENERS):]))
        self.log_file = self._path("gatepostd.log")
        self.conf = self._path("gatepost.conf")
        self.settings = {
            "hostname": "mail.example.test",
            "domains": ["example.test"],
            "postmaster": "postmaster@example.test",
            "data_dir": self._path("data"), "run_dir": self._path("run"),
            "master_key_file": self._path("master.key"),
            "tls_certificate": [self.certificates.cert],
            "tls_key": [self.certificates.key],
            "dkim_dir": self._path("dkim"),
            "segment_mb": 16, "free_space_mb": 16, "index_gb": 1,
            "policy": False,  # a test without a DNS would wait for one
            "dns_servers": ["127.0.0.1@1"],  # nobody: no test asks outside
        }
        for name, port in self.ports.items():
            self.settings["listen_" + name] = [
                "127.0.0.1:%d" % p for p in (port, self.proxy_ports[name])]
        self.lmtp_path = self._path("run/lmtp")
        self.settings["listen_lmtp"].append(self.lmtp_path)
        self.settings["proxy_listeners"] = [
            "127.0.0.1:%d" % p for p in self.proxy_ports.values()]
        if ldif:
            self.ldif = self.adopt(ldif)
            self.settings.update(directory="ldif", ldif_file=self.ldif,
                                 directory_profile="rfc")
        if real_root():
            self.settings["user"] = NOBODY
        self.settings.update(settings or {})
        self.daemon = None
        self.write_conf()
        self.give_away()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def adopt(self, path):
        """A copy that the daemons' user may read (keytab, CA, LDIF)."""
        copy = self._path(os.path.basename(path))
        shutil.copy(path, copy)
        self.give_away()
        return copy

    def give_away(self):
        """Everything here belongs to the user that the daemons run as."""
        if not real_root():
            return
        who = pwd.getpwnam(NOBODY)
        os.chmod(self.folder, 0o755)
        for top, dirs, files in os.walk(self.folder):
            for name in dirs + files:
                os.chown(os.path.join(top, name), who.pw_uid, who.pw_gid)

    def write_conf(self, **changes):
        self.settings.update(changes)
        with open(self.conf, "w") as f:
            for name, value in self.settings.items():
                if value is not None:
                    f.write(setting(name, value))

    # ---- life

    def program(self, name):
        path = os.path.join(self.build, name)
        if not os.path.exists(path):
            raise RigError("not built: " + path)
        return path

    @staticmethod
    def as_plain_user(argv):
        """Where we are root of a namespace only: as a plain user inside it."""
        if os.geteuid() == 0 and not real_root():
            return ["unshare", "--user", "--map-user=1000",
                    "--map-group=1000"] + argv
        return argv

    def command(self):
        return self.as_plain_user([self.program("gatepostd"), "-c", self.conf,
                                   "-L", self.build])

    def environment(self):
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        return env

    def start(self, wait=True):
        self.daemon = Daemon(self.command(), self.log_file,
                             env=self.environment(), cwd=self.folder)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        self.daemon.wait_ready(self.ready, "all daemons serving")

    def ready(self):
        return all(self._greets(name) for name in LISTENERS)

    def _greets(self, name):
        ca = self.ca if name in TLS_LISTENERS else None
        try:
            with Wire("127.0.0.1", self.ports[name], tls_ca=ca,
                      patience=GREETING) as wire:
                return wire.line()[:4] in (b"220 ", b"* OK", b"+OK ")
        except (OSError, RigError):
            return False

    def stop(self):
        """In order; a test that ends it by force uses kill()."""
        if not self.daemon:
            return
        daemon, self.daemon = self.daemon, None
        status = daemon.stop()
        self.check_log()
        if status != 0:
            raise RigError("gatepostd ended with %d\n%s"
                           % (status, daemon.text()[-3000:]))

    def kill(self):
        """All of it at once, as a power cut does to processes."""
        daemon, self.daemon = self.daemon, None
        for pid in [daemon.pid] + [p for p, _ in self.children(daemon)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        daemon.stop(signal.SIGKILL)

    def reload(self):
        """New settings; when it returns, all processes have them."""
        return self.cli("reload")

    def hang_up(self):
        """The same by signal; nobody says when it is done."""
        os.kill(self.daemon.pid, signal.SIGHUP)

    def close(self):
        try:
            self.stop()
        finally:
            logs = os.environ.get("GP_LOGS")
            if logs and os.path.exists(self.log_file):
                os.makedirs(logs, exist_ok=True)
                name = re.sub(r"\W+", "-", os.environ.get(
                    "PYTEST_CURRENT_TEST", "gatepost").split(" ")[0])
                shutil.copy(self.log_file, os.path.join(
                    logs, "%s.%d.log" % (name[:100], self.ports["smtp"])))
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # ---- what it did

    def log(self):
        try:
            with open(self.log_file, encoding="utf-8",
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern):
        return wait_until(lambda: re.search(pattern, self.log(), re.M),
                          "log line " + pattern)

    def check_log(self):
        bad = COMPLAINTS.search(self.log())
        if bad:
            raise RigError("a daemon complained:\n"
                           + self.log()[bad.start():][:4000])

    def children(self, daemon=None):
        """(pid, role) of each daemon under the supervisor."""
        out, parent = [], (daemon or self.daemon).pid
        try:
            with open("/proc/%d/task/%d/children" % (parent, parent)) as f:
                pids = f.read().split()
        except FileNotFoundError:
            return []
        for pid in pids:
            try:
                with open("/proc/%s/cmdline" % pid) as f:
                    argv = f.read().split("\0")
            except OSError:
                continue
            if len(argv) > 1:
                out.append((int(pid), argv[1]))
        return out

    def cli(self, *args, check=True):
        argv = [self.program("gatepost"), "-c", self.conf] + list(args)
        return run(self.as_plain_user(argv), check=check,
                   env=self.environment())

    def cli_json(self, *args):
        return json.loads(self.cli("--json", *args))

    def status(self):
        """Also when one is not ready yet, for which it exits with 1."""
        return json.loads(self.cli("--json", "status", check=False))

    # ---- clients; client="192.0.2.7": as if they came from there

    def port(self, name, client=None):
        return (self.proxy_ports if client else self.ports)[name]

    def smtp(self, client=None, **kw):
        return Smtp("127.0.0.1", self.port("smtp", client), client=client,
                    **kw)

    def lmtp(self, unix=False, client=None, **kw):
        if unix:
            return Lmtp(self.lmtp_path, **kw)
        return Lmtp("127.0.0.1", self.port("lmtp", client), client=client,
                    **kw)

    def submission(self, user=None, password=None, tls="submissions",
                   client=None):
        """A connection that is inside TLS, and authenticated if asked."""
        if tls == "submissions":
            c = Smtp("127.0.0.1", self.port(tls, client), tls_ca=self.ca,
                     client=client)
        else:
            c = Smtp("127.0.0.1", self.port("submission", client),
                     client=client)
            c.starttls(self.ca)
        if user is not None:
            reply = c.auth_plain(user, password)
            if reply.code != 235:
                c.close()
                raise RigError("AUTH %s: %r" % (user, reply))
        return c

    def imap(self, user=None, password=None, tls="imaps", client=None):
        if tls == "imaps":
            c = Imap("127.0.0.1", self.port(tls, client), tls_ca=self.ca,
                     client=client)
        else:
            c = Imap("127.0.0.1", self.port("imap", client), client=client)
            c.starttls(self.ca)
        if user is not None:
            answer = c.login(user, password)
            if not answer.ok:
                c.close()
                raise RigError("LOGIN %s: %r" % (user, answer))
        return c

    def pop3(self, user=None, password=None, tls="pop3s", client=None):
        if tls == "pop3s":
            c = Pop3("127.0.0.1", self.port(tls, client), tls_ca=self.ca,
                     client=client)
        else:
            c = Pop3("127.0.0.1", self.port("pop3", client), client=client)
            c.starttls(self.ca)
        if user is not None:
            said = c.login(user, password)
            if not said.ok:
                c.close()
                raise RigError("PASS %s: %r" % (user, said))
        return c

    def subjects(self, user, password, box="INBOX"):
        with self.imap(user, password) as c:
            return c.subjects(box)
