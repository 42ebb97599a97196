"""Compaction, backup and restore while mail flows, is read, and the store is
killed; and when the disk is nearly full."""
import base64
import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import threading

import pytest

from rig import ldif
from rig.gatepost import NOBODY, real_root
from rig.proc import PATIENCE, RigError, wait_until
from rig.smtp import message
from setups import on_ldif, unique

PW = ldif.PASSWORD
ANN, BEN = "ann@" + ldif.MAIL, "ben@" + ldif.MAIL
LONG = bool(os.environ.get("GP_LONG"))
KILLS = 40 if LONG else 4
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def text(size):
    """Lines that do not compress, and their sum as the subject."""
    data = base64.encodebytes(os.urandom(size * 3 // 4))
    return hashlib.sha256(data).hexdigest()[:32], data.decode()


def put(gp, size=60000, to=(ANN,)):
    subject, body = text(size)
    with gp.smtp() as c:
        c.deliver("a@client.test", list(to), message(
            "a@client.test", "list@client.test", subject, body))
    return subject


def intact(raw):
    """Is the body of this message what its subject says?"""
    head, body = raw.split(b"\r\n\r\n", 1)
    subject = re.search(rb"^Subject: (.*?)\r$", head, re.M | re.I).group(1)
    sum_ = hashlib.sha256(body.replace(b"\r\n", b"\n")).hexdigest()[:32]
    assert sum_.encode() == subject, (subject, len(body))
    return subject.decode()


def bodies(gp, user="ann"):
    """UID -> subject of each message, every body checked."""
    with gp.imap(user, PW) as c:
        if not c.select().number("EXISTS"):
            return {}
        return {uid: intact(raw) for uid, raw in c.bodies().items()}


def uidvalidity(gp, user="ann"):
    with gp.imap(user, PW) as c:
        answer = c.must('STATUS INBOX (UIDVALIDITY)')
        return int(re.search(rb"UIDVALIDITY (\d+)",
                             answer.lines("STATUS")[0]).group(1))


def expunge(gp, keep):
    """All but every keep-th message of Ann's."""
    with gp.imap("ann", PW) as c:
        n = c.select().number("EXISTS") or 0
        gone = [str(i) for i in range(1, n + 1) if i % keep]
        if gone:
            c.must("STORE %s +FLAGS.SILENT (\\Deleted)" % ",".join(gone))
            c.must("EXPUNGE")


class Flow:
    """One who sends, one who expunges Ann's, one who reads Ben's, which all
    stay; all at the same time."""

    def __init__(self, gp):
        self.gp, self.stopping, self.errors = gp, False, []
        self.sent = self.read = 0
        self.threads = [threading.Thread(target=self._run, args=(what,))
                        for what in (self._send, self._expunge, self._read)]
        for t in self.threads:
            t.start()

    def _run(self, what):
        while not self.stopping:
            try:
                what()
            except (OSError, RigError):
                pass  # the store is being killed: once more
            except AssertionError as e:
                self.errors.append(e)
                return

    def _send(self):
        put(self.gp, to=(ANN,) if self.sent % 4 else (ANN, BEN))
        self.sent += 1

    def _expunge(self):
        expunge(self.gp, 5)

    def _read(self):
        bodies(self.gp, "ben")
        self.read += 1

    def wait(self, sent=4, read=1):
        s, r = self.sent + sent, self.read + read
        wait_until(lambda: self.errors or
                   (self.sent >= s and self.read >= r), "mail to flow")
        assert not self.errors, self.errors[0]

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()
        assert not self.errors, self.errors[0]


def restore(gp, folder, keys):
    """Into a new data_dir, with Gatepost stopped."""
    data = gp.settings["data_dir"]
    shutil.rmtree(data)
    os.mkdir(data, 0o700)
    gp.give_away()
    return gp.cli_json("store", "restore", folder, "--keys", keys)


@pytest.fixture
def gp(tmp_path):
    g = on_ldif(tmp_path, segment_mb=4, queue_retry_min_s=1)
    try:
        yield g.start()
    finally:
        g.close()


def test_stats_and_compact(gp):
    for _ in range(16):
        put(gp, 1000000)
    expunge(gp, 4)
    before = gp.cli_json("store", "stats")
    assert before["messages"] == 4 and before["segments"] >= 2
    assert before["garbage_bytes"] > 3 << 20
    assert "garbage" in gp.cli("store", "stats")
    assert "given back" in gp.cli("store", "compact")
    after = gp.cli_json("store", "stats")
    assert after["garbage_bytes"] < before["garbage_bytes"] / 2
    assert after["log_bytes"] < before["log_bytes"]
    assert after["checkpoint_bytes"] > 0
    assert len(bodies(gp)) == 4
    gp.cli("store", "check", "deep")
    for args in (["stats", "x"], ["frob"], ["backup"], ["restore"],
                 ["backup", "a", "b"]):
        with pytest.raises(RigError, match="exit 2"):
            gp.cli("store", *args)


def test_mail_flows_meanwhile(gp):
    folder, keys = gp.folder + "/backup", gp.folder + "/backup.keys"
    flow = Flow(gp)
    try:
        for _ in range(3):
            flow.wait()
            gp.cli("store", "compact")
            flow.wait()
            last = gp.cli_json("store", "backup", folder, "--keys", keys)
    finally:
        flow.stop()
    assert last["number"] == 3 and not last["full"]
    put(gp)
    was, validity = bodies(gp), uidvalidity(gp)
    bens = bodies(gp, "ben")
    gp.cli("store", "backup", folder, "--keys", keys)
    put(gp)
    gp.stop()
    gp.cli("store", "check", "deep")
    answer = restore(gp, folder, keys)
    assert answer["messages"] == len(was) + len(bens)
    gp.start()
    assert bodies(gp) == was and bodies(gp, "ben") == bens
    assert uidvalidity(gp) > validity
    put(gp)
    gp.cli("store", "check", "deep")


def test_a_restored_queue_is_held(gp):
    folder = gp.folder + "/backup"
    subject = unique("waits")
    with gp.smtp() as c:  # a loop: it is held; and its reason is another one
        c.deliver("a@client.test", [ANN, BEN],
                  b"Delivered-To: " + ANN.encode() + b"\r\n"
                  + message("a@client.test", ANN, subject))
    was = wait_until(lambda: gp.cli_json("queue", "list"), "the queue")
    gp.cli("store", "backup", folder)
    gp.stop()
    assert restore(gp, folder, folder)["held"] == 1
    gp.start()
    now = gp.cli_json("queue", "list")
    assert [m["id"] for m in now] == [m["id"] for m in was]
    assert now[0]["entries"][0]["state"] == "held"
    assert "restored" in now[0]["entries"][0]["reason"]
    assert subject not in gp.subjects("ann", PW)


def test_killed_again_and_again(gp):
    folder = gp.folder + "/backup"
    flow = Flow(gp)
    try:
        for n in range(KILLS):
            flow.wait(sent=1 + n % 3, read=0)
            what = ["backup", folder] if n % 3 == 2 else ["compact"]
            at = threading.Thread(
                target=lambda: gp.cli("store", *what, check=False))
            at.start()
            flow.wait(sent=n % 2, read=0)
            for pid, role in gp.children():
                if role == "store":
                    os.kill(pid, signal.SIGKILL)
            at.join()
        wait_until(gp.ready, "all daemons serving")
        flow.wait()
    finally:
        flow.stop()
    was = bodies(gp, "ben")
    gp.cli("store", "compact")
    assert bodies(gp, "ben") == was
    gp.cli("store", "backup", folder)
    gp.stop()
    gp.cli("store", "check", "deep")
    gp.cli("store", "rebuild")
    gp.give_away()
    gp.start()
    assert bodies(gp, "ben") == was
    gp.stop()
    restore(gp, folder, folder)
    gp.start()
    assert bodies(gp, "ben") == was


def test_a_check_is_not_misled_by_a_compaction(gp):
    """What has moved since it began to look, or is gone, is no damage."""
    for _ in range(24):
        put(gp, 1 << 20)
    with gp.imap("ann", PW) as c:
        c.select()
        ours, theirs = os.openpty()
        check = subprocess.Popen(
            gp.as_plain_user([gp.program("gatepost"), "-c", gp.conf, "store",
                              "check", "deep"]),
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        while b"good  log" not in said:
            said += os.read(ours, 65536)
        check.send_signal(signal.SIGSTOP)  # it has its view of the index
        c.must("STORE 1,3,5,7,9,11,13,15,17,19,21,23 +FLAGS (\\Deleted)")
        c.must("EXPUNGE")
    gp.cli("store", "compact")
    check.send_signal(signal.SIGCONT)
    with contextlib.suppress(OSError):  # its end
        while True:
            said += os.read(ours, 65536)
    os.close(ours)
    assert check.wait(PATIENCE) == 0, said
    assert b"All is well" in said


def planted(gp, name, target, link=os.symlink):
    """In data_dir, by its owner, to lead root away."""
    path = os.path.join(gp.settings["data_dir"], name)
    if os.path.lexists(path):
        os.unlink(path)
    link(target, path)


@pytest.mark.skipif(not real_root(), reason="only root can be misled")
def test_root_restores_without_following_links(gp, tmp_path):
    folder, data = gp.folder + "/backup", gp.settings["data_dir"]
    subject = put(gp)
    gp.cli("store", "backup", folder)
    gp.stop()
    victims = tmp_path / "victims"
    victims.mkdir(0o700)
    secret = victims / "00000001.seg"
    secret.write_text("root's own")
    secret.chmod(0o600)

    def untouched():
        assert os.listdir(victims) == [secret.name]
        assert secret.read_text() == "root's own"
        for path, mode in ((victims, 0o700), (secret, 0o600)):
            st = os.lstat(path)
            assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (0, mode)

    shutil.rmtree(data)
    os.mkdir(data, 0o700)
    shutil.chown(data, NOBODY)
    for target in (secret, victims, tmp_path / "not-there"):
        planted(gp, "restoring", target)  # the mark of a try that broke off
        with pytest.raises(RigError, match="exit "):
            gp.cli("store", "restore", folder)
        untouched()
        assert not (tmp_path / "not-there").exists()
    os.unlink(os.path.join(data, "restoring"))
    open(os.path.join(data, "restoring"), "w").close()
    shutil.chown(os.path.join(data, "restoring"), NOBODY)
    for name, target in (("log", victims), ("index", secret),
                         ("lock", secret)):
        planted(gp, name, target)
    planted(gp, "keys", secret, os.link)
    gp.cli("store", "restore", folder)
    untouched()
    for d, dirs, files in os.walk(data):
        for name in dirs + files:
            assert not os.path.islink(os.path.join(d, name))
    gp.start()
    assert list(bodies(gp).values()) == [subject]


@pytest.mark.skipif(not real_root(), reason="only root can be misled")
def test_folders_that_are_swapped_lead_root_nowhere(gp, tmp_path):
    """By the owner of data_dir, while root restores into it."""
    folder, data = gp.folder + "/backup", gp.settings["data_dir"]
    for _ in range(3):
        put(gp, 20 << 20)
    gp.cli("store", "backup", folder)
    gp.stop()
    assert len(os.listdir(folder + "/log")) > 2
    shutil.rmtree(data)
    os.mkdir(data, 0o700)
    shutil.chown(data, NOBODY)
    victims = tmp_path / "victims"
    victims.mkdir(0o700)
    log, evil = os.path.join(data, "log"), os.path.join(gp.folder, "evil")
    os.symlink(victims, evil)
    libc, over, swaps = ctypes.CDLL(None, use_errno=True), threading.Event(), 0

    def swap():
        nonlocal swaps
        while not over.is_set():
            swaps += libc.renameat2(AT_FDCWD, log.encode(), AT_FDCWD,
                                    evil.encode(), RENAME_EXCHANGE) == 0

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(5):  # where it breaks off is chance
            gp.cli("store", "restore", folder, check=False)
            assert os.listdir(victims) == []
    finally:
        over.set()
        thread.join()
    assert swaps


@pytest.mark.skipif(not real_root(), reason="only root makes such folders")
def test_a_folder_that_root_has_made_becomes_the_store_s(gp):
    """As on a new machine."""
    folder, data = gp.folder + "/backup", gp.settings["data_dir"]
    subject = put(gp)
    gp.cli("store", "backup", folder)
    gp.stop()
    shutil.rmtree(data)
    os.mkdir(data, 0o700)
    gp.cli("store", "restore", folder)
    gp.start()
    assert list(bodies(gp).values()) == [subject]


def test_restored_files_have_the_same_mode_whatever_the_umask(gp):
    folder, data = gp.folder + "/backup", gp.settings["data_dir"]
    put(gp)
    gp.cli("store", "backup", folder)
    gp.stop()

    def restored(mask):
        old = os.umask(mask)
        try:
            restore(gp, folder, folder)
        finally:
            os.umask(old)
        return {os.path.relpath(os.path.join(d, name), data):
                stat.S_IMODE(os.lstat(os.path.join(d, name)).st_mode)
                for d, dirs, files in os.walk(data) for name in dirs + files}

    modes = restored(0o022)
    assert "keys" in modes and "log/00000001.seg" in modes
    assert not [n for n, mode in modes.items() if mode & 0o007]
    if real_root():  # for those who read it
        assert not [n for n, mode in modes.items()
                    if n[:3] in ("log", "ind") and not mode & 0o040]
    assert restored(0o077) == modes
    assert restored(0) == modes
    gp.start()


def test_a_damaged_backup_is_refused(gp):
    folder = gp.folder + "/backup"
    put(gp)
    gp.cli("store", "backup", folder)
    path = folder + "/log/00000001.seg"
    with open(path, "r+b") as f:
        f.seek(5000)
        byte = f.read(1)
        f.seek(5000)
        f.write(bytes([byte[0] ^ 1]))
    with pytest.raises(RigError, match="exit 1"):  # it is in use
        gp.cli("store", "restore", folder)
    gp.stop()
    with pytest.raises(RigError, match="00000001.seg is damaged at 0"):
        restore(gp, folder, folder)
    assert os.listdir(gp.settings["data_dir"]) == []
    gp.start()


@pytest.mark.skipif(not real_root(), reason="mounts a small file system")
def test_a_full_disk_is_emptied(tmp_path):
    g = on_ldif(tmp_path, segment_mb=4, free_space_mb=12, index_gb=1)
    data = g.settings["data_dir"]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700",
                    "tmpfs", data], check=True)
    g.give_away()
    try:
        g.start()
        subject = put(g)
        with pytest.raises(RigError):
            while True:
                put(g, 2000000)
        assert g.cli_json("store", "stats")["below_floor"]
        with g.imap("ann", PW) as c:
            n = c.select().number("EXISTS")
            c.must("STORE 2:%d +FLAGS.SILENT (\\Deleted)" % n)
            c.must("EXPUNGE")
        g.cli("store", "compact")
        wait_until(lambda: not g.cli_json("store", "stats")["below_floor"],
                   "mail to be taken again")
        again = put(g, 2000000)
        assert set(bodies(g).values()) == {subject, again}
    finally:
        try:
            g.stop()
        finally:
            subprocess.run(["umount", "-l", data], check=False)
            g.close()
