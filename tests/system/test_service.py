"""What a service manager sees: sd_notify(3), the unit file."""
import os
import re
import shutil
import socket
import subprocess

import pytest

from rig import ldif
from rig.gatepost import TOP, Gatepost
from rig.proc import RigError, run, wait_until


class Notified(Gatepost):
    """Started as systemd does, with a socket that collects what is said."""

    watchdog_us = 300000

    def open_socket(self):
        self.said = []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self._path("notify")
        if os.path.exists(path):
            os.unlink(path)
        self.sock.bind(path)
        os.chmod(path, 0o666)
        self.sock.setblocking(False)
        return path

    def environment(self):
        env = super().environment()
        env["NOTIFY_SOCKET"] = self.open_socket()
        env["WATCHDOG_USEC"] = str(self.watchdog_us)
        return env

    def heard(self, line):
        """Has this line been said since the last time it was asked for?"""
        while True:
            try:
                self.said += self.sock.recv(4096).decode().split("\n")
            except BlockingIOError:
                break
        if line not in self.said:
            return False
        self.said = self.said[self.said.index(line) + 1:]
        return True

    def close(self):
        super().close()
        self.sock.close()


@pytest.fixture
def gp(tmp_path):
    path = ldif.write(str(tmp_path / "people.ldif"), ("ann",), [])
    g = Notified(ldif=path, settings={"postmaster": "ann@" + ldif.MAIL})
    try:
        yield g
    finally:
        g.close()


def test_a_service_manager_is_told(gp):
    gp.start()
    wait_until(lambda: gp.heard("READY=1"), "READY=1")
    for _ in range(3):
        wait_until(lambda: gp.heard("WATCHDOG=1"), "a sign of life")
    gp.hang_up()
    wait_until(lambda: gp.heard("READY=1"), "the end of the reload")
    daemon = gp.daemon
    gp.stop()
    assert daemon.text().count("event=notify") == 0
    assert gp.heard("STOPPING=1")


def test_a_manager_that_reads_late_hears_ready(gp):
    gp.start()
    # Its socket has been full for long: nobody has read since the start.
    wait_until(lambda: socket_is_full(gp), "a full socket")
    wait_until(lambda: gp.heard("READY=1"), "READY=1")
    wait_until(lambda: socket_is_full(gp), "a full socket")
    gp.hang_up()
    gp.wait_log(r"event=reload ")
    gp.heard("")  # read all of it
    wait_until(lambda: gp.heard("READY=1"), "the end of the reload")


def socket_is_full(gp):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        s.connect(gp._path("notify"))
        try:
            s.send(b"X=1")
        except BlockingIOError:
            return True
    return False


def test_no_process_speaks_for_the_supervisor(gp):
    gp.start()
    for pid, role in gp.children():
        with open("/proc/%d/environ" % pid, "rb") as f:
            assert b"NOTIFY_SOCKET" not in f.read(), role


def test_ready_is_not_said_before_all_serve(gp):
    """A store that cannot start (its data is of another key) keeps it back."""
    gp.start()
    wait_until(lambda: gp.heard("READY=1"), "READY=1")
    gp.stop()
    with open(gp._path("master.key"), "r+b") as f:
        f.write(os.urandom(32))
    gp.start(wait=False)
    wait_until(lambda: gp.daemon.text().count("event=child.start child=store")
               >= 3, "the store to be started again")
    assert not gp.heard("READY=1")
    gp.daemon.stop()
    gp.daemon = None


def unit(tmp_path):
    """The unit file as installed, its program where one is."""
    path = str(tmp_path / "gatepost.service")
    with open(os.path.join(TOP, "conf", "gatepost.service.in")) as f:
        text = f.read()
    text = text.replace("@sbindir@/gatepostd", shutil.which("true"))
    with open(path, "w") as f:
        f.write(text.replace("@sysconfdir@", "/etc"))
    return path


def test_the_unit_file_is_understood(tmp_path):
    p = subprocess.run(["systemd-analyze", "verify", "--man=no",
                        unit(tmp_path)], capture_output=True, text=True)
    # It also reads the machine's other units: their faults are not ours.
    ours = [x for x in (p.stdout + p.stderr).split("\n")
            if "gatepost" in x]
    assert ours == []


def test_the_unit_file_is_fenced_in(tmp_path):
    out = run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
               unit(tmp_path)], check=False)
    m = re.search(r"Overall exposure level for \S+: ([\d.]+)", out)
    if not m:
        raise RigError("no verdict: " + out[-500:])
    assert float(m.group(1)) <= 3.0, out
