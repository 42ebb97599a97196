"""Whole ways of a message between Gatepost, Postfix and Exim.

The three know each other: people at example.test are Gatepost's, p.test is
Postfix's, e.test Exim's, and each hands to Gatepost what is not its own.
Everything goes by STARTTLS, as all of them offer it.
"""
import email
import email.policy
import smtplib
import tempfile

import pytest

from rig import exim, ldif, postfix
from rig.proc import wait_until
from rig.smtp import message
from setups import arrives, on_ldif, unique

PW = ldif.PASSWORD
ANN = "ann@" + ldif.MAIL
KIM = "kim@" + ldif.MAIL
TEXT = "first\n.dot\n..\nFrom here\nlast\n"
DSN = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;original+40x.test"]


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    if not postfix.usable() or not exim.usable():
        pytest.skip("needs root, Postfix and Exim (tests/setup test)")
    gp = on_ldif(tmp_path_factory.mktemp("peers"), queue_retry_min_s=1,
                 queue_retry_max_s=2)
    # Kim's mailbox is at Exim, which does not know her
    ldif.write(gp.ldif, ["ann", "ben"], [("team", ["ann", "ben"])],
               [ldif.user("kim", mailRoutingAddress="no@e.test")])
    with tempfile.TemporaryDirectory(prefix="pf-") as pf_dir, \
            tempfile.TemporaryDirectory(prefix="ex-") as ex_dir, \
            postfix.Postfix(pf_dir, gp.ports["smtp"],
                            [("away@p.test", "nobody@" + ldif.MAIL)]) as pf, \
            exim.Exim(ex_dir, gp.ports["smtp"], gp.adopt(gp.ca)) as ex:
        gp.write_conf(routes=["p.test=" + pf.hop, "e.test=" + ex.hop],
                      group_open=True)
        try:
            yield gp.start(), {"postfix": pf, "exim": ex}
        finally:
            gp.close()


DOMAIN = {"postfix": "p.test", "exim": "e.test"}
BOTH = pytest.mark.parametrize("name", sorted(DOMAIN))


def submit(gp, to, subject, text=TEXT, mail="", rcpt=""):
    with gp.submission("ann", PW) as c:
        c.must("MAIL FROM:<%s>%s" % (ANN, mail))
        c.must("RCPT TO:<%s>%s" % (to, rcpt))
        reply = c.data(message(ANN, to, subject, text))
        assert reply.code == 250, reply


def hand_in(peer, sender, to, subject, mail=(), rcpt=()):
    """A message from outside at a peer, over TLS and with DSN wishes."""
    with smtplib.SMTP("127.0.0.1", peer.port) as c:
        c.starttls()
        c.ehlo("client.test")
        assert c.has_extn("dsn")
        bad = c.sendmail(sender, [to], message(sender, to, subject, TEXT)
                         .replace(b"\n", b"\r\n"), list(mail), list(rcpt))
        assert bad == {}


def in_mailbox(peer, text):
    """The one message in the peer's mailbox that contains it."""
    def found():
        return [m for m in peer.messages() if text.encode() in m]
    wait_until(found, "%r in a peer's mailbox" % text)
    assert len(found()) == 1
    return found()[0]


def in_inbox(gp, user, text):
    """The messages in the INBOX that contain it."""
    with gp.imap(user, PW) as c:
        if not c.select().number("EXISTS"):
            return []
        return [b for b in c.bodies().values() if text.encode() in b]


class Report:
    """A notice as its reader sees it, and as a program does."""

    def __init__(self, data):
        m = email.message_from_bytes(data, policy=email.policy.default)
        assert m.get_content_type() == "multipart/report", m
        assert m.get_param("report-type") == "delivery-status"
        assert m.defects == []
        text, status = m.get_payload()[:2]
        assert text.get_content_type() == "text/plain"
        assert status.get_content_type() == "message/delivery-status"
        self.message = m
        self.text = " ".join(text.get_content().split())  # lines joined
        self.first, self.rcpt = status.get_payload()[:2]
        self.rest = m.get_payload()[2].as_string()


def report_in_inbox(gp, user, text, n=1):
    found = wait_until(
        lambda: len(in_inbox(gp, user, text)) >= n and
        in_inbox(gp, user, text), "a notice", step=0.3)
    assert len(found) == n
    return [Report(b) for b in found]


def plain_body(data):
    return data.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


# ---- mail that arrives


@BOTH
def test_out(peers, name):
    gp, other = peers
    subject = unique("out")
    submit(gp, "bo@" + DOMAIN[name], subject)
    got = in_mailbox(other[name], subject)
    assert plain_body(got) == TEXT.encode()
    assert b"TLS1.3" in got.replace(b"TLSv1", b"TLS1")  # in its Received
    assert got.lower().count(b"return-path: <ann@example.test>") == 1


@BOTH
def test_in(peers, name):
    gp, other = peers
    subject = unique("in")
    hand_in(other[name], "bo@" + DOMAIN[name], ANN, subject)
    assert arrives(gp, "ann", PW, subject) == 1
    got, = in_inbox(gp, "ann", subject)
    assert plain_body(got) == TEXT.encode()
    ours = got.partition(b"\r\nReceived:")[2].partition(b"\r\nReceived:")[0]
    assert b"with ESMTPS" in ours and b"TLS1.3" in ours


@pytest.mark.parametrize("size", [100 << 10, 3 << 20])
@BOTH
def test_large_ones(peers, name, size):
    """By BDAT and memfd, and through a file."""
    gp, other = peers
    subject = unique("large")
    line = b"." + b"y" * 70 + b"\r\n"
    text = message("bo@p.test", ANN, subject, "").replace(b"\n", b"\r\n") \
        + line * (size // len(line))
    with smtplib.SMTP("127.0.0.1", other[name].port) as c:
        c.sendmail("bo@" + DOMAIN[name], [ANN], text)
    assert arrives(gp, "ann", PW, subject) == 1
    got, = in_inbox(gp, "ann", subject)
    assert plain_body(got) == (line * (size // len(line))).replace(
        b"\r\n", b"\n")


# ---- success is told


@BOTH
def test_success_out(peers, name):
    """The other side passes the wish on and tells us, through us."""
    gp, other = peers
    who = "dsn%s" % name
    submit(gp, "%s@%s" % (who, DOMAIN[name]), unique("dsn"),
           mail=" RET=HDRS ENVID=QQ+2B1",
           rcpt=" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bx@a.test")
    r, = report_in_inbox(gp, "ann", who)
    assert r.rcpt["Action"] in ("delivered", "relayed")
    # Exim does not decode it
    assert r.first["Original-Envelope-Id"] in ("QQ+1", "QQ+2B1")
    assert "o+x@a.test" in r.rcpt["Original-Recipient"].replace("+2B", "+")


@BOTH
def test_success_in(peers, name):
    gp, other = peers
    subject = unique("dsn")
    hand_in(other[name], "bo@" + DOMAIN[name], ANN, subject,
            ["RET=HDRS", "ENVID=QQ+2B2"],
            ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;o+2Bx@a.test"])
    assert arrives(gp, "ann", PW, subject) == 1
    r = Report(in_mailbox(other[name], subject))
    assert r.rcpt["Action"] == "delivered" and r.rcpt["Status"] == "2.0.0"
    assert r.rcpt["Final-Recipient"].replace(" ", "") == "rfc822;" + ANN
    assert r.first["Original-Envelope-Id"] == "QQ+2"
    assert "o+x@a.test" in r.rcpt["Original-Recipient"]
    assert ANN in r.text and "mailbox" in r.text
    assert r.message["Auto-Submitted"].startswith("auto-")


# ---- and failure


@BOTH
def test_refused_out(peers, name):
    """Our notice to our own sender."""
    gp, _ = peers
    subject = unique("refused")
    submit(gp, "no@" + DOMAIN[name], subject)
    r, = report_in_inbox(gp, "ann", subject)
    assert r.rcpt["Action"] == "failed" and r.rcpt["Status"] == "5.1.1"
    assert "nobody of that name" in r.rcpt["Diagnostic-Code"]
    for word in ("no@" + DOMAIN[name], "nobody of that name",
                 "typing errors"):  # who, why, what to do
        assert word in r.text
    assert subject in r.rest


def test_refused_later_by_exim(peers):
    """Exim takes it, and then writes a notice that comes in at Gatepost."""
    gp, _ = peers
    subject = unique("late")
    submit(gp, "late@e.test", subject)
    wait_until(lambda: in_inbox(gp, "ann", subject), "Exim's notice",
               step=0.3)
    r = Report(in_inbox(gp, "ann", subject)[0])
    assert r.message["Return-Path"] == "<>"
    assert r.rcpt["Action"] == "failed" and "moved away" in r.text


def test_refused_later_by_postfix(peers):
    """Postfix forwards to Gatepost, is refused, and tells our sender."""
    gp, _ = peers
    subject = unique("forwarded")
    submit(gp, "away@p.test", subject)
    r, = report_in_inbox(gp, "ann", subject)
    assert r.message["Return-Path"] == "<>"
    assert r.rcpt["Action"] == "failed" and r.rcpt["Status"] == "5.1.1"
    assert "nobody@" + ldif.MAIL in r.text


@BOTH
def test_refused_behind_us(peers, name):
    """From a peer to somebody whose system does not know her: Gatepost's
    notice goes out to the peer."""
    gp, other = peers
    subject = unique("behind")
    hand_in(other[name], "bo@" + DOMAIN[name], KIM, subject)
    r = Report(in_mailbox(other[name], subject))
    assert r.rcpt["Action"] == "failed" and r.rcpt["Status"] == "5.1.1"
    assert r.message["To"] == "bo@" + DOMAIN[name]
    assert r.message["From"].addresses[0].addr_spec \
        == "MAILER-DAEMON@mail.example.test"
    for word in (KIM, "nobody of that name", "typing errors"):
        assert word in r.text
    assert gp.cli_json("queue", "list") == []


@BOTH
def test_unknown_here(peers, name):
    """Refused at RCPT; the peer tells its own sender."""
    gp, other = peers
    subject = unique("unknown")
    hand_in(other[name], "bo@" + DOMAIN[name], "ghost@" + ldif.MAIL, subject)
    r = Report(in_mailbox(other[name], subject))
    assert r.rcpt["Action"] == "failed" and r.rcpt["Status"][0] == "5"
    assert "ghost@" + ldif.MAIL in r.text


@BOTH
def test_full_there(peers, name):
    """Tried again, then the sender is told that it was given up: here the
    administrator deletes it first."""
    gp, _ = peers
    subject = unique("full")
    submit(gp, "full@" + DOMAIN[name], subject)
    wait_until(lambda: [e for m in gp.cli_json("queue", "list")
                        for e in m["entries"] if e["attempts"] > 1],
               "a second try", step=0.2)
    m, = gp.cli_json("queue", "list")
    assert "mailbox full" in m["entries"][0]["reason"]
    gp.cli("queue", "delete", m["id"])
    assert in_inbox(gp, "ann", subject) == []
