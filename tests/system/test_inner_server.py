"""A Gatepost before another one: the gateway and the server behind it.

The outer one knows everybody and has some mailboxes; the others are at the
inner one, which is reached by SMTP or LMTP.  What the inner one sends goes out
through the outer one.  SPF, DKIM and DMARC are checked outside, with a DNS of
the test's own; the world is a sink.
"""
import email
import email.policy
import os
import re

import pytest

from rig import dns as rig_dns
from rig import ldif
from rig.gatepost import Gatepost
from rig.proc import wait_until
from rig.sink import Sink
from rig.smtp import message
from setups import arrives, unique
from test_policy import Keys

PW = ldif.PASSWORD
CLIENT = "192.0.2.7"
PEOPLE = {
    # at the outer one, at the inner one; None: not known there
    "ann": ({}, {"mailHost": "outer"}),
    "dan": ({"mailHost": "inner"}, {}),
    "eve": ({"mailHost": "inner-lmtp"}, {}),
    "fay": ({"mailRoutingAddress": "fay@inside.test"},
            {"mailAlternateAddress": "fay@inside.test"}),
    "gus": ({"mailHost": "inner"}, None),
    "hal": ({"mailHost": "inner-lmtp"}, None),
    "lou": ({"mailHost": "inner"}, {"mailHost": "outer"}),
    "sue": ({}, {}),
}
ZONE = """
good.test.                TXT  "v=spf1 ip4:192.0.2.7 -all"
_dmarc.good.test.         TXT  "v=DMARC1; p=reject"
rsa._domainkey.good.test. TXT  %s
_dmarc.junk.test.         TXT  "v=DMARC1; p=quarantine"
example.test.             TXT  "v=spf1 ip4:203.0.113.25 -all"
_dmarc.example.test.      TXT  "v=DMARC1; p=reject"
"""


def people(folder, side):
    return ldif.write(
        os.path.join(folder, "people%d.ldif" % side), [], more=[
            ldif.user(uid, **who[side]) for uid, who in PEOPLE.items()
            if who[side] is not None])


class World:
    pass


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World()
    folder = str(tmp_path_factory.mktemp("inner"))
    w.keys = Keys()
    w.dns = rig_dns.start(folder + "/dns", ZONE % w.keys.txt["rsa"], ttl=300)
    common = dict(queue_retry_min_s=1, queue_retry_max_s=2, hops_max=10,
                  postmaster="sue@" + ldif.MAIL, outbound_private=True)
    w.outer = Gatepost(ldif=people(folder, 0), settings=dict(
        common, policy=True, dmarc_reject="reject", spf_fail="reject",
        dns_servers=[w.dns.server], relay_networks=["127.0.0.0/8"]))
    w.inner = Gatepost(ldif=people(folder, 1), settings=dict(
        common, hostname="inner.example.test", front_networks=["127.0.0.1"],
        domains=["example.test", "inside.test"]))
    secret = w.inner.folder + "/smart.secret"
    with open(secret, "w") as f:
        f.write(PW + "\n")
    with Sink() as w.sink:
        out, inn = w.outer.ports, w.inner.ports
        w.outer.write_conf(routes=[
            "*=" + w.sink.hop,
            "inside.test=smtp:127.0.0.1:%d" % inn["smtp"],
            "server:inner=smtp:127.0.0.1:%d" % inn["smtp"],
            "server:inner-lmtp=lmtp:127.0.0.1:%d" % inn["lmtp"]])
        w.inner.write_conf(
            routes=["*=smtp:127.0.0.1:%d" % out["smtp"],
                    "server:outer=smtp:127.0.0.1:%d" % out["smtp"],
                    "auth.test=smtp:127.0.0.1:%d" % out["submission"]],
            smart_hosts=["127.0.0.1:%d" % out["submission"]],
            smart_host_user="sue", smart_host_password_file=secret,
            smart_host_tls="verify",
            smart_host_ca_file=w.inner.adopt(w.outer.ca))
        try:
            w.outer.start()
            w.inner.start()
            yield w
        finally:
            try:
                w.outer.close()
            finally:
                w.inner.close()
                w.dns.stop()


def at(name):
    return "%s@%s" % (name, ldif.MAIL)


def come_in(world, to, subject, sender="a@good.test", sign=True, **headers):
    """From a stranger behind the balancer; the last reply."""
    body = message("a@good.test", to, subject, **headers)
    if sign:
        body = world.keys.sign(body)
    with world.outer.smtp(client=CLIENT) as c:
        _, rcpts, last = c.mail(sender, [to], body)
    return last or rcpts[0]


def mails(gp, user, text):
    with gp.imap(user, PW) as c:
        if not c.select().number("EXISTS"):
            return []
        return [b for b in c.bodies().values() if text.encode() in b]


def results(body):
    found = re.findall(rb"^Authentication-Results: mail\.example\.test;"
                       rb"(?:[^\r]|\r\n[ \t])*", body, re.M)
    assert len(found) == 1, body
    return found[0].decode()


def in_sink(world, text):
    """The one message in the world that contains it."""
    found = wait_until(lambda: [m for m in world.sink.messages
                                if text.encode() in m.data],
                       "%r in the world" % text)
    assert len(found) == 1
    return found[0]


def report(m):
    r = email.message_from_bytes(m.data, policy=email.policy.default)
    assert r.get_content_type() == "multipart/report"
    text, status = r.get_payload()[:2]
    return " ".join(text.get_content().split()), status.get_payload()[1]


def all_done(world):
    for gp in (world.outer, world.inner):
        wait_until(lambda: gp.cli_json("queue", "list") == [],
                   "an empty queue", step=0.2)


@pytest.mark.parametrize("who", ["dan", "eve", "fay"])
def test_mail_comes_in(world, who):
    """By SMTP, by LMTP, and by another address."""
    subject = unique("in")
    reply = come_in(world, at(who), subject,
                    Authentication_Results="mail.example.test; dmarc=pass "
                    "header.from=forged.test")
    assert reply.code == 250, reply
    assert arrives(world.inner, who, PW, subject) == 1
    body, = mails(world.inner, who, subject)
    said = results(body)
    for word in ("spf=pass", "dkim=pass", "dmarc=pass", "good.test"):
        assert word in said
    assert b"forged.test" not in body
    assert b"[%s]" % CLIENT.encode() in body
    assert body.count(b"\r\nReceived:") == 2
    assert body.startswith(b"Return-Path: <a@good.test>\r\nDelivered-To: ")
    all_done(world)


BOXES = ("INBOX", "Junk")


def found(gp, user, text):
    """The one message with this text, and its mailbox."""
    def look():
        with gp.imap(user, PW) as c:
            return [(box, body) for box in BOXES
                    if c.select(box).number("EXISTS")
                    for body in c.bodies().values() if text.encode() in body]

    (box, body), = wait_until(look, "%r of %s" % (text, user), step=0.2)
    return box, body.partition(b"\r\n\r\n")[0] + b"\r\n"


@pytest.mark.parametrize("who", ["ann", "dan", "eve", "fay"])
def test_junk_is_junk_inside_too(world, who):
    """What DMARC says outside is true for the mailbox, wherever it is."""
    subject = unique("junk")
    with world.outer.smtp(client=CLIENT) as c:
        c.deliver("a@plain.test", [at(who)], message(
            "a@junk.test", at(who), subject, X_Spam_Flag="NO"))
    gp = world.outer if who == "ann" else world.inner
    box, head = found(gp, who, subject)
    assert box == "Junk" and "dmarc=fail" in results(head)
    assert re.findall(rb"(?mi)^X-Spam-Flag:.*$", head) == [
        b"X-Spam-Flag: YES\r"]
    all_done(world)


@pytest.mark.parametrize("who", ["ann", "dan", "eve"])
def test_nobody_outside_says_what_is_junk(world, who):
    subject = unique("no junk")
    assert come_in(world, at(who), subject, X_Spam_Flag="YES").code == 250
    gp = world.outer if who == "ann" else world.inner
    box, head = found(gp, who, subject)
    assert box == "INBOX" and b"spam-flag" not in head.lower()
    all_done(world)


def test_only_the_outer_one_is_believed(world):
    """A stranger who finds the inner one."""
    subject = unique("stranger")
    with world.inner.smtp(client="192.0.2.9") as c:
        c.deliver("a@plain.test", [at("dan")], message(
            "a@plain.test", at("dan"), subject, X_Spam_Flag="YES"))
    assert found(world.inner, "dan", subject)[0] == "INBOX"


def test_what_may_not_come_in(world):
    subject = unique("not")
    with world.outer.smtp(client="192.0.2.8") as c:
        _, _, reply = c.mail("a@good.test", [at("dan")], message(
            "a@good.test", at("dan"), subject))
    assert reply.code == 550 and "good.test" in reply.text
    with world.outer.smtp(client="192.0.2.8") as c:  # no relay for strangers
        c.must("MAIL FROM:<a@plain.test>")
        assert c.cmd("RCPT TO:<joe@example.net>").code == 550
    assert mails(world.inner, "dan", subject) == []


def test_mail_goes_out(world):
    """Of people inside, whom neither SPF nor DMARC could know."""
    subject = unique("out")
    with world.inner.submission("dan", PW) as c:
        c.deliver(at("dan"), ["joe@example.net", at("ann"), at("eve")],
                  message(at("dan"), "joe@example.net", subject))
    m = in_sink(world, subject)
    assert m.sender == at("dan") and m.rcpts == ["joe@example.net"]
    assert m.data.count(b"\r\nReceived:") + 1 == 2
    assert arrives(world.outer, "ann", PW, subject) == 1
    assert arrives(world.inner, "eve", PW, subject) == 1
    all_done(world)


def test_mail_goes_out_with_a_password(world):
    subject = unique("auth")
    with world.inner.submission("sue", PW) as c:
        c.deliver(at("sue"), ["joe@auth.test"],
                  message(at("sue"), "joe@auth.test", subject))
    m = in_sink(world, subject)
    assert m.rcpts == ["joe@auth.test"] and b"with ESMTPSA" in m.data
    all_done(world)


@pytest.mark.parametrize("who", ["gus", "hal"])
def test_what_the_inner_one_refuses_comes_back(world, who):
    subject = unique("refused")
    assert come_in(world, at(who), subject).code == 250
    m = in_sink(world, subject)
    assert m.sender == "" and m.rcpts == ["a@good.test"]
    text, rcpt = report(m)
    assert rcpt["Action"] == "failed" and rcpt["Status"] == "5.1.1"
    assert at(who) in text and "typing errors" in text
    assert "550" in rcpt["Diagnostic-Code"]
    all_done(world)


def test_success_comes_back(world):
    subject = unique("success")
    with world.outer.smtp(client=CLIENT) as c:
        c.must("MAIL FROM:<a@good.test> ENVID=through RET=HDRS")
        c.must("RCPT TO:<%s> NOTIFY=SUCCESS" % at("dan"))
        reply = c.data(world.keys.sign(
            message("a@good.test", at("dan"), subject)))
        assert reply.code == 250, reply
    m = in_sink(world, subject)
    text, rcpt = report(m)
    assert rcpt["Action"] == "delivered" and at("dan") in text
    assert b"Original-Envelope-Id: through" in m.data
    all_done(world)


def test_a_loop_is_cut(world):
    """Each says that the mailbox is at the other one."""
    subject = unique("loop")
    assert come_in(world, at("lou"), subject).code == 250
    m = in_sink(world, subject)
    assert m.sender == "" and m.rcpts == ["a@good.test"]
    text, rcpt = report(m)
    assert rcpt["Action"] == "failed" and rcpt["Status"] == "5.4.6"
    assert "circles" in text
    all_done(world)


def test_the_inner_one_is_away(world):
    """Mail waits outside, once each."""
    subjects = [unique("away") for _ in range(3)]
    world.inner.stop()
    for s, who in zip(subjects, ("dan", "eve", "fay")):
        assert come_in(world, at(who), s).code == 250
    wait_until(lambda: all(
        e["attempts"] for m in world.outer.cli_json("queue", "list")
        for e in m["entries"]), "a try of each", step=0.2)
    assert len(world.outer.cli_json("queue", "list")) == 3
    world.inner.start()
    for s, who in zip(subjects, ("dan", "eve", "fay")):
        assert arrives(world.inner, who, PW, s) == 1
    all_done(world)
