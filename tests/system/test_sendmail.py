"""sendmail, mailq and aliases for programs of this machine."""
import email
import email.policy
import os
import pwd
import socket
import stat
import subprocess

import pytest

from rig import ldif
from rig.gatepost import real_root
from rig.proc import wait_until
from rig.sink import Sink
from setups import arrives, on_ldif, unique

PW = ldif.PASSWORD
HOST = "mail.example.test"
ANN, BEN = "ann@" + ldif.MAIL, "ben@" + ldif.MAIL
ALIASES = """# of a test
postmaster: root
root: %s
www: |/bin/false, %s
list: www, joe@far.test
loop: loop2
loop2: loop, %s
""" % (ANN, BEN, ANN)

only_root = pytest.mark.skipif(
    not real_root(), reason="only root can be somebody else")


@pytest.fixture(scope="module")
def sink():
    with Sink() as s:
        yield s


@pytest.fixture(scope="module")
def gp(tmp_path_factory, sink):
    g = on_ldif(tmp_path_factory.mktemp("sendmail"), people=("ann", "ben"),
                hostname=HOST, outbound_private=True,
                routes=["*=smtp:127.0.0.1:%d" % sink.port])
    path = os.path.join(g.folder, "aliases")
    with open(path, "w") as f:
        f.write(ALIASES)
    g.write_conf(aliases_file=path)
    try:
        yield g.start()
    finally:
        g.close()


def me():
    return pwd.getpwuid(os.getuid()).pw_name


def sendmail(gp, *args, text="", name="sendmail", as_nobody=False, conf=None):
    argv = [gp.program("gatepost-sendmail")]
    if name == "sendmail":
        argv += ["-C", conf or gp.conf]
    if as_nobody:
        # Not the uid that the daemons of this rig have.
        argv = ["setpriv", "--reuid=65533", "--regid=65533",
                "--clear-groups"] + argv
    return subprocess.run(
        argv + list(args), input=text.encode(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=gp.environment(), timeout=60)


def ok(done):
    assert done.returncode == 0, done.stderr.decode()


def inbox(gp, user, subject):
    arrives(gp, user, PW, subject)
    with gp.imap(user, PW) as c:
        c.select()
        found = [m for m in (email.message_from_bytes(
            b, policy=email.policy.default) for b in c.bodies().values())
            if m["Subject"] == subject]
    assert len(found) == 1
    return found[0]


def test_as_php_does(gp):
    subject = unique("php")
    ok(sendmail(gp, "-t", "-i", text=(
        "To: %s\r\nSubject: %s\r\nBcc: %s\r\n\r\nHello\n.\nthere\n"
        % (ANN, subject, BEN))))
    m = inbox(gp, "ann", subject)
    assert m["Bcc"] is None
    assert m["From"].addresses[0].addr_spec == "%s@%s" % (me(), HOST)
    assert m["Date"] and m["Message-ID"]
    assert m.get_content().split() == ["Hello", ".", "there"]
    assert arrives(gp, "ben", PW, subject) == 1


def test_as_cron_does(gp):
    subject = unique("cron")
    ok(sendmail(gp, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root", text=(
        "From: root (Cron Daemon)\nTo: root\nSubject: %s\n\n10%%\r20%%\n"
        "Gr\xfc\xdfe\n" % subject)))
    m = inbox(gp, "ann", subject)
    assert str(m["From"]) == "Cron Daemon <root@%s>" % HOST
    assert str(m["To"]) == "root@" + HOST
    assert "event=aliases.left_out" in gp.log()


def test_the_sender_option(gp, sink):
    subject = unique("far")
    ok(sendmail(gp, "-oi", "-f", "web@site.test", "joe@far.test",
                text="Subject: %s\n\nhi\n" % subject))
    got = wait_until(lambda: [m for m in sink.messages
                              if subject.encode() in m.data], "the message")
    assert got[0].sender == "web@site.test"
    assert b"From: web@site.test" in got[0].data


def test_a_dot_ends_it(gp):
    subject = unique("dot")
    ok(sendmail(gp, "ann@" + ldif.MAIL,
                text="Subject: %s\n\none\n.\ntwo\n" % subject))
    assert inbox(gp, "ann", subject).get_content().split() == ["one"]


def test_aliases(gp, sink):
    subject = unique("list")
    ok(sendmail(gp, "-i", "list", text="Subject: %s\n\n" % subject))
    assert arrives(gp, "ben", PW, subject) == 1
    wait_until(lambda: [m for m in sink.messages
                        if subject.encode() in m.data], "the message")
    subject = unique("loop")
    ok(sendmail(gp, "-i", "loop@localhost", text="Subject: %s\n\n" % subject))
    assert arrives(gp, "ann", PW, subject) == 1
    assert "event=alias.loop" in gp.log()
    # a user of the machine without an entry is root's; nobody else is known
    subject = unique("daemon")
    ok(sendmail(gp, "-i", "daemon", text="Subject: %s\n\n" % subject))
    assert arrives(gp, "ann", PW, subject) == 1
    done = sendmail(gp, "-i", "no-such-user", text="Subject: x\n\n")
    assert done.returncode == os.EX_NOUSER
    # from outside these names do not exist
    with gp.smtp() as c:
        _, rcpts, _ = c.mail("a@client.test", ["root@" + HOST], b"")
        assert rcpts[0].code == 550


def test_all_or_nobody(gp):
    subject = unique("all")
    done = sendmail(gp, ANN, "no-such@" + ldif.MAIL,
                    text="Subject: %s\n\n" % subject)
    assert done.returncode == os.EX_NOUSER
    assert b"no-such@" in done.stderr
    assert gp.subjects("ann", PW).count(subject) == 0


def test_wrong_usage(gp):
    assert sendmail(gp, "-Z").returncode == os.EX_USAGE
    assert sendmail(gp).returncode == os.EX_USAGE
    assert sendmail(gp, "-t", text="Subject: x\n\n").returncode == os.EX_USAGE


def test_smtp_on_standard_input(gp):
    subject = unique("bs")
    done = sendmail(gp, "-bs", text=(
        "EHLO localhost\nMAIL FROM:<x@y.test>\nRCPT TO:<%s>\nDATA\n"
        "From: x@y.test\nSubject: %s\n\nhi\n.\nQUIT\n" % (ANN, subject)))
    ok(done)
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("220 ") and lines[-1].startswith("221 ")
    assert not [line for line in lines if line[4:].startswith("AUTH")]
    assert arrives(gp, "ann", PW, subject) == 1


def test_the_queue(gp):
    done = sendmail(gp, "-bp")
    ok(done)
    assert done.stdout.decode() == gp.cli("queue", "list")
    ok(sendmail(gp, "-q"))
    ok(sendmail(gp, "-q30m"))
    ok(sendmail(gp, "-bi"))


def test_the_other_sockets_stay_closed(gp):
    run = gp.settings["run_dir"]
    assert stat.S_IMODE(os.stat(run).st_mode) in (0o711, 0o751)
    closed = [name for name in os.listdir(run) if name.endswith(".sock")
              and name != "sendmail.sock"]
    assert "control.sock" in closed and "store.sock" in closed
    for name in closed:
        mode = os.lstat(os.path.join(run, name)).st_mode
        assert not mode & 0o007, name


@only_root
def test_somebody_else(gp):
    """A user without a name, then with one that the gateway does not trust."""
    os.chmod(gp.conf, 0o644)
    done = sendmail(gp, "-f", "x@y.test", ANN, text="\n", as_nobody=True)
    assert done.returncode == os.EX_TEMPFAIL
    user = next(p for p in pwd.getpwall()
                if p.pw_uid not in (0, pwd.getpwnam("nobody").pw_uid))

    def send(*args, text):
        return subprocess.run(
            ["setpriv", "--reuid=%d" % user.pw_uid, "--clear-groups",
             gp.program("gatepost-sendmail"), "-C", gp.conf] + list(args),
            input=text.encode(), stderr=subprocess.PIPE,
            stdout=subprocess.PIPE, env=gp.environment(), timeout=60)

    subject = unique("other")
    ok(send(ANN, text="Subject: %s\n\nhi\n" % subject))
    m = inbox(gp, "ann", subject)
    assert m["From"].addresses[0].addr_spec == "%s@%s" % (user.pw_name, HOST)
    assert m["Return-Path"].strip("<>") == ANN  # root's alias
    for args, text in ((("-f", BEN), ""), ((), "From: %s\n" % BEN)):
        done = send(*args, ANN, text=text + "Subject: x\n\n")
        assert done.returncode in (os.EX_NOPERM, os.EX_UNAVAILABLE)
    done = send("-bp", text="")
    assert done.returncode == os.EX_NOPERM
    assert b"root" in done.stderr
    gp.write_conf(local_trusted_users=[user.pw_name])
    gp.cli("reload")
    ok(send("-f", BEN, ANN, text="Subject: %s\n\n" % unique("trusted")))


def test_a_client_that_says_nothing_right(gp):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(gp.settings["run_dir"] + "/sendmail.sock")
        assert s.recv(1000).startswith(b"220 ")
        s.sendall(b"EHLO x\r\n")
        assert b"STARTTLS" not in s.recv(2000)
        s.sendall(b"STARTTLS\r\n")
        assert s.recv(1000).startswith(b"454 ")
        s.sendall(b"\x00\xff\n")
        assert s.recv(1000).startswith(b"500 ")


def test_nobody_is_there(tmp_path, gp):
    conf = str(tmp_path / "other.conf")
    with open(gp.conf) as f, open(conf, "w") as out:
        out.write(f.read().replace(
            gp.settings["run_dir"] + '"', str(tmp_path) + '"'))
    done = sendmail(gp, ANN, text="\n", conf=conf)
    assert done.returncode == os.EX_TEMPFAIL
    assert sendmail(gp, "-bi", conf=conf).returncode == 0
