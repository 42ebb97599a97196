"""Processes, ports and waiting: what every rig needs.

Nothing here sleeps for a result: wait_until() polls and has a deadline, and
the deadline is only there so that a broken thing ends as a failed test.
"""
import contextlib
import ctypes
import os
import random
import select
import signal
import socket
import subprocess
import time

PATIENCE = 60.0  # seconds until something that should happen counts as hung
PR_SET_PDEATHSIG = 1


class RigError(Exception):
    pass


def wait_until(fn, what, patience=PATIENCE, step=0.02):
    """Call fn until it returns something true, and return that."""
    end = time.monotonic() + patience
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise RigError("gave up waiting for " + what)
        time.sleep(step)


def can_connect(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
        return True
    except OSError:
        return False


def _below_clients():
    """Ports that the kernel gives to no client, as a rule: one that comes
    between the choice and the server's start would take it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        first = int(f.read().split()[0])
    return range(10000, first if first >= 20000 else 60000)


_given = set()


def free_ports(n, host="127.0.0.1"):
    """n different ports that nobody uses right now."""
    ports = []
    while len(ports) < n:
        port = random.choice(_below_clients())
        if port in _given:
            continue
        with socket.socket() as s:
            with contextlib.suppress(OSError):
                s.bind((host, port))
                _given.add(port)
                ports.append(port)
        if len(_given) > 5000:
            _given.clear()
    return ports


def run(argv, check=True, **kw):
    """Run to its end; its output as text.  Fails with that output."""
    kw.setdefault("timeout", 300)
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    out = p.stdout.decode(errors="replace")
    if check and p.returncode != 0:
        raise RigError("%s: exit %d\n%s" % (argv[0], p.returncode, out[-3000:]))
    return out


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon:
    """A process in its own session, its output in a file; ends with us."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.name = os.path.basename(str(argv[0]))
        self.log = log
        with open(log, "ab") as out:
            self.p = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True, cwd=cwd,
                env=env, preexec_fn=_die_with_parent)
        self.pid = self.p.pid

    def running(self):
        return self.p.poll() is None

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_ready(self, ready, what):
        def step():
            if not self.running():
                raise RigError("%s ended with %s\n%s" % (
                    self.name, self.p.returncode, self.text()[-3000:]))
            return ready()
        return wait_until(step, "%s: %s" % (self.name, what))

    def stop(self, sig=signal.SIGTERM, patience=PATIENCE):
        """End it and all of its session; the exit status (negative: signal).

        One that does not end by itself is killed, and that is an error.
        """
        hung = False
        if self.running():
            self.p.send_signal(sig)
            try:
                self.p.wait(patience)
            except subprocess.TimeoutExpired:
                hung = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.p.wait()
        if hung:
            raise RigError("%s did not end on signal %d" % (self.name, sig))
        return self.p.returncode


def recv_some(sock, patience=PATIENCE):
    """Bytes as they come; b"" at the end; an error when none come."""
    if not getattr(sock, "pending", int)() and \
            not select.select([sock], [], [], patience)[0]:
        raise RigError("no answer from %s" % (sock.getpeername(),))
    return sock.recv(65536)
