"""LMTP: another mail server hands over mail for people who are here."""
import os
import smtplib

import pytest

from rig import ldif
from rig.gatepost import real_root
from rig.proc import run
from rig.smtp import message
from rig.wire import Closed, Wire
import setups

ANN, BEN, CAT = ("%s@example.test" % n for n in ("ann", "ben", "cat"))
OUTSIDE = "outside@elsewhere.test"


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    g = setups.on_ldif(tmp_path_factory.mktemp("lmtp"),
                       message_size_max="200k",
                       relay_networks=["127.0.0.0/8", "192.0.2.0/24"])
    try:
        yield g.start()
    finally:
        g.close()


def codes(replies):
    return [r.code for r in replies]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_reply_for_each_recipient(gp, unix):
    subject = setups.unique("lmtp")
    with gp.lmtp(unix) as c:
        rcpts, data = c.lmtp("s@client.test",
                             [ANN, "nobody@example.test", BEN, OUTSIDE, CAT],
                             message("s@client.test", ANN, subject))
        assert codes(rcpts) == [250, 550, 250, 550, 250]
        assert codes(data) == [250, 250, 250]
        assert c.cmd("NOOP").code == 250
    for name in ("ann", "ben", "cat"):
        assert gp.subjects(name, ldif.PASSWORD).count(subject) == 1


def test_the_trace_says_lmtp(gp):
    subject = setups.unique("trace")
    with gp.lmtp(True) as c:
        c.lmtp("s@client.test", [ANN], message("s@client.test", ANN, subject))
    with gp.imap("ann", ldif.PASSWORD) as c:
        c.must("SELECT INBOX")
        got = c.must("FETCH * BODY[HEADER]").untagged[-1]
    assert b"Received: from client.test (local)" in got, got
    assert b"with LMTP" in got
    assert b"Return-Path: <s@client.test>" in got


def test_a_refusal_is_said_as_often(gp):
    with gp.lmtp() as c:
        _, data = c.lmtp("s@client.test", [ANN, BEN],
                         message("s@client.test", ANN, "big", "x" * 70 + "\n")
                         + b"y" * 300000 + b"\n")
        assert codes(data) == [552, 552]
        c.must("MAIL FROM:<>")
        c.must("RCPT TO:<%s>" % ANN)
        c.must("RCPT TO:<%s>" % BEN)
        assert c.cmd("DATA").code == 354
        c.send(b"Subject: x\r\n\r\nbare\nline\r\n.\r\n")
        assert codes([c.reply(), c.reply()]) == [550, 550]
        c.must("MAIL FROM:<>")
        c.must("RCPT TO:<%s>" % ANN)
        c.must("RCPT TO:<%s>" % BEN)
        c.send(b"BDAT 4\r\nA: b" + b"BDAT 6 LAST\r\n\r\n\r\nx\n")
        replies = [c.reply(), c.reply(), c.reply()]
        assert codes(replies) == [250, 550, 550]
        assert c.cmd("NOOP").code == 250


def test_pipelined(gp):
    subject = setups.unique("pipelined")
    with gp.lmtp() as c:
        c.send(b"MAIL FROM:<s@client.test>\r\nRCPT TO:<%s>\r\n"
               b"RCPT TO:<nobody@example.test>\r\nRCPT TO:<%s>\r\nDATA\r\n"
               % (ANN.encode(), BEN.encode()))
        assert codes([c.reply() for _ in range(5)]) == \
            [250, 250, 550, 250, 354]
        c.send(message("s@client.test", ANN, subject).replace(b"\n", b"\r\n")
               + b".\r\nNOOP\r\n")
        assert codes([c.reply() for _ in range(3)]) == [250, 250, 250]


def test_nobody_was_accepted(gp):
    with gp.lmtp() as c:
        c.must("MAIL FROM:<s@client.test>")
        assert c.cmd("RCPT TO:<%s>" % OUTSIDE).code == 550
        assert c.cmd("DATA").code == 503
        assert c.cmd("NOOP").code == 250


@pytest.mark.parametrize("line, code", [
    ("EHLO client.test", 500), ("HELO client.test", 500),
    ("STARTTLS", 500), ("AUTH PLAIN AGEAYg==", 502),
    ("MAIL FROM:<a@client.test>", 503), ("LHLO", 501), ("LHLO x.test", 250)])
def test_it_is_not_smtp(gp, line, code):
    with gp.lmtp(hello=None) as c:
        assert " LMTP " in c.greeting.lines[0] + " "
        assert c.cmd(line).code == code


def test_smtp_is_not_lmtp(gp):
    with gp.smtp(hello=None) as c:
        assert c.cmd("LHLO client.test").code == 500


def test_no_relay_from_anywhere(gp):
    """Forms that an open relay would take, on the port that trusts most."""
    with gp.lmtp() as c:
        c.must("MAIL FROM:<%s>" % ANN)
        for form in (OUTSIDE, "elsewhere.test!outside", '"%s"' % OUTSIDE,
                     "outside%elsewhere.test@example.test",
                     "@example.test:" + OUTSIDE, "outside@[192.0.2.9]"):
            assert c.cmd("RCPT TO:<%s>" % form).code // 100 == 5, form


def test_only_from_networks_of_ours(gp):
    with gp.lmtp(client="198.51.100.7") as c:
        assert c.greeting.code == 421
        assert c.at_end() == b""
    gp.wait_log(r"lmtp\.stranger .*client=198\.51\.100\.7")
    with gp.lmtp(client="192.0.2.7") as c:
        c.must("MAIL FROM:<s@client.test>")
        assert c.cmd("RCPT TO:<%s>" % OUTSIDE).code == 550
        assert c.cmd("RCPT TO:<%s>" % ANN).code == 250


@pytest.mark.skipif(not real_root(), reason="needs a second user")
def test_only_users_who_may(gp):
    """daemon is not in lmtp_users."""
    out = run(["python3", "-c", "import socket,sys\n"
               "s = socket.socket(socket.AF_UNIX); s.settimeout(60)\n"
               "s.connect(sys.argv[1]); print(s.recv(100))", gp.lmtp_path],
              user="daemon", group="daemon", extra_groups=[], check=False)
    assert "421 " in out or "b''" in out or "Permission" in out, out
    with Wire(gp.lmtp_path, None) as c:
        assert c.line().startswith(b"220 ")


def test_errors_never_end_it(gp):
    """They are of those whose mail it is; smtp_errors_max is 20."""
    with gp.lmtp(client="192.0.2.7") as c:
        for n in range(30):
            c.must("MAIL FROM:<s@client.test>")
            assert c.cmd("RCPT TO:<nobody%d@example.test>" % n).code == 550
            c.must("RSET")


def test_python_s_client(gp):
    subject = setups.unique("smtplib")
    for where in ((gp.lmtp_path, 0), ("127.0.0.1", gp.ports["lmtp"])):
        c = smtplib.LMTP(*where, local_hostname="client.test")
        bad = c.sendmail("s@client.test", [ANN, "nobody@example.test"],
                         message("s@client.test", ANN, subject).decode())
        assert list(bad) == ["nobody@example.test"]
        c.quit()
    assert gp.subjects("ann", ldif.PASSWORD).count(subject) == 2


def test_swaks(gp):
    subject = setups.unique("swaks")
    run(["swaks", "--protocol", "LMTP", "--socket", gp.lmtp_path,
         "--from", "s@client.test", "--to", ANN + "," + BEN,
         "--header", "Subject: " + subject, "--helo", "client.test"])
    for name in ("ann", "ben"):
        assert subject in gp.subjects(name, ldif.PASSWORD)


def test_a_lost_store_is_451_for_all(gp):
    """And the client keeps it; nothing arrives twice."""
    subject = setups.unique("later")
    with gp.lmtp() as c:
        for pid, role in gp.children():
            if role == "delivery":
                os.kill(pid, 9)
        _, data = c.lmtp("s@client.test", [ANN, BEN],
                         message("s@client.test", ANN, subject))
        assert len(data) == 2 and codes(data)[0] in (250, 451)
        assert data[0].code == data[1].code
        taken = data[0].code == 250
    assert gp.subjects("ann", ldif.PASSWORD).count(subject) == int(taken)


def test_it_closes_in_order(gp):
    with gp.lmtp(True) as c:
        assert c.cmd("QUIT").code == 221
        with pytest.raises(Closed):
            c.line()
