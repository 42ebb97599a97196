"""./quickstart, as a new administrator runs it."""
import os
import signal
import subprocess

from rig.gatepost import TOP
from rig.proc import run, wait_until

QUICKSTART = os.path.join(TOP, "quickstart")


def test_check():
    out = run([QUICKSTART, "--check"], timeout=1800)
    assert "All is well." in out.split("\n"), out


def test_stays_until_interrupted(tmp_path):
    log = tmp_path / "log"
    with open(log, "wb") as f:
        p = subprocess.Popen([QUICKSTART], stdin=subprocess.DEVNULL,
                             stdout=f, stderr=f, start_new_session=True)
    try:
        wait_until(lambda: b"Ctrl-C" in log.read_bytes()
                   or p.poll() is not None, "quickstart", patience=1800)
        os.killpg(p.pid, signal.SIGINT)
        assert p.wait(60) == 0, log.read_text()
        assert "Thunderbird" in log.read_text()
    finally:
        if p.poll() is None:
            os.killpg(p.pid, signal.SIGKILL)


def test_unknown_argument():
    p = subprocess.run([QUICKSTART, "--frob"], stdin=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert p.returncode != 0 and b"usage" in p.stderr
