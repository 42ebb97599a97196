"""Rewriting, blind copies, catch-all, capture, subaddresses."""
import email
import os

import pytest

from rig import dns as rig_dns
from rig import ldif
from rig.proc import wait_until
from rig.sink import Sink
from rig.smtp import message
from setups import arrives, on_ldif, send, send_one, unique

PW = ldif.PASSWORD


def at(name):
    return "%s@%s" % (name, ldif.MAIL)


ANN, BEN, CAT = at("ann"), at("ben"), at("cat")


class Site:
    def __init__(self, folder, sink, **more):
        self.sink = sink
        self.file = None
        self.gp = on_ldif(
            folder, people=("ann", "ben", "cat"),
            routes=["*=smtp:127.0.0.1:%d" % sink.port],
            outbound_private=True, **more)
        self.file = os.path.join(self.gp.folder, "rules")
        self.write("")
        self.gp.write_conf(rules_file=self.file)
        self.gp.start()

    def write(self, text):
        with open(self.file, "w") as f:
            f.write(text)

    def rules(self, *lines):
        self.write("\n".join(lines) + "\n")
        self.gp.cli("reload")

    def one(self, user, subject):
        """The message with this subject in somebody's INBOX."""
        arrives(self.gp, user, PW, subject)
        with self.gp.imap(user, PW) as c:
            c.select()
            found = [m for m in map(email.message_from_bytes,
                                    c.bodies().values())
                     if m["Subject"] == subject]
        assert len(found) == 1
        return found[0]

    def has(self, user, subject):
        return self.gp.subjects(user, PW).count(subject)


@pytest.fixture(scope="module")
def sink():
    with Sink() as s:
        yield s


@pytest.fixture(scope="module")
def site(tmp_path_factory, sink):
    s = Site(tmp_path_factory.mktemp("rules"), sink)
    try:
        yield s
    finally:
        s.gp.close()


def submit(gp, sender, to, subject, user="ann"):
    with gp.submission(user, PW) as c:
        return c.mail(sender, to, message(sender, to[0], subject))


def test_recipients_are_mapped(site):
    site.rules("recipient sales@%s %s %s" % (ldif.MAIL, ANN, BEN),
               "recipient @old.test %s" % CAT)
    subject = unique("sales")
    assert send_one(site.gp, at("sales"), subject).code == 250
    assert site.one("ann", subject)["Delivered-To"] == ANN
    assert site.one("ben", subject)["Delivered-To"] == BEN
    # a map makes no relay of us
    assert send_one(site.gp, "joe@old.test", unique("old")).code == 550


def test_a_recipient_may_be_mapped_to_elsewhere(site, sink):
    site.rules("recipient partner@%s joe@partner.test" % ldif.MAIL)
    subject = unique("partner")
    assert send_one(site.gp, at("partner"), subject).code == 250
    got = wait_until(lambda: [m for m in sink.messages
                              if subject.encode() in m.data], "the message")
    assert got[0].rcpts == ["joe@partner.test"]


def test_one_wrong_target_does_not_stop_the_others(site):
    site.rules("recipient both@%s %s %s" % (ldif.MAIL, at("nobody"), ANN))
    subject = unique("both")
    assert send_one(site.gp, at("both"), subject).code == 250
    assert arrives(site.gp, "ann", PW, subject) == 1
    site.rules("recipient both@%s %s" % (ldif.MAIL, at("nobody")))
    assert send_one(site.gp, at("both"), unique("none")).code == 550


def test_the_sender_is_mapped_after_its_right(site, sink):
    site.rules("sender %s office@%s" % (ANN, ldif.MAIL))
    subject = unique("office")
    _, _, last = submit(site.gp, ANN, ["joe@far.test"], subject)
    assert last.code == 250
    got = wait_until(lambda: [m for m in sink.messages
                              if subject.encode() in m.data], "the message")
    assert got[0].sender == at("office")
    first, _, _ = submit(site.gp, at("office"), ["joe@far.test"], subject)
    assert first.code == 553
    # a stranger's sender stays
    subject = unique("stranger")
    assert send_one(site.gp, BEN, subject, sender=ANN).code == 250
    assert ANN in site.one("ben", subject)["Return-Path"]


def test_blind_copies(site):
    site.rules("bcc-to %s %s" % (BEN, CAT), "bcc-from %s %s" % (ANN, CAT),
               "bcc %s" % at("nobody"))
    subject = unique("to ben")
    assert send_one(site.gp, BEN, subject).code == 250
    copy = site.one("cat", subject)
    assert "nobody" not in str(copy)
    assert "cat" not in str(site.one("ben", subject))
    subject = unique("from ann")
    assert submit(site.gp, ANN, [ANN], subject)[2].code == 250
    assert arrives(site.gp, "cat", PW, subject) == 1
    assert "event=bcc.refused" in site.gp.log()
    assert site.gp.cli_json("queue", "list") == []


def test_catch_all_is_for_what_nobody_has(site):
    site.rules("catch-all @%s %s" % (ldif.MAIL, BEN))
    subject = unique("caught")
    assert send_one(site.gp, at("whoever"), subject).code == 250
    assert site.one("ben", subject)["Delivered-To"] == at("whoever")
    subject = unique("not caught")
    assert send_one(site.gp, ANN, subject).code == 250
    assert arrives(site.gp, "ann", PW, subject) == 1
    assert site.has("ben", subject) == 0
    site.rules("")
    assert send_one(site.gp, at("whoever"), unique("gone")).code == 550


def test_subaddresses(site):
    site.rules("")
    subject = unique("detail")
    assert send_one(site.gp, at("ann+news"), subject).code == 250
    assert site.one("ann", subject)["Delivered-To"] == at("ann+news")
    assert send_one(site.gp, at("nobody+news"), unique("n")).code == 550
    site.gp.write_conf(subaddress="")
    site.gp.cli("reload")
    try:
        assert send_one(site.gp, at("ann+news"), unique("off")).code == 550
    finally:
        site.gp.write_conf(subaddress="+")
        site.gp.cli("reload")


def test_everything_is_captured_and_nothing_leaves(site, sink):
    site.rules("capture %s" % CAT, "bcc %s" % BEN)
    before = len(sink.messages)
    subject = unique("captured")
    rcpts, last = send(site.gp, [ANN, at("nobody"), "joe@far.test"], subject)
    assert [r.code for r in rcpts] == [250, 250, 250]
    assert last.code == 250
    m = site.one("cat", subject)
    assert m.get_all("X-Original-To") == [ANN, at("nobody"), "joe@far.test"]
    assert site.has("ann", subject) == site.has("ben", subject) == 0
    subject = unique("captured from ann")
    assert submit(site.gp, ANN, ["joe@far.test"], subject)[2].code == 250
    assert site.one("cat", subject)["X-Original-To"] == "joe@far.test"
    assert site.gp.cli_json("queue", "list") == []
    assert len(sink.messages) == before


def test_capture_wants_a_mailbox(site):
    site.rules("capture %s" % at("team"))
    assert send_one(site.gp, ANN, unique("team")).code == 451
    site.rules("")


def test_a_sender_has_a_size_of_its_own(site):
    site.rules("size-limit @small.test 2K")
    big = "x" * 70 + "\n"
    rcpts, last = send(site.gp, ANN, unique("small"), text=big * 60,
                       sender="a@small.test")
    assert last.code == 552
    assert send_one(site.gp, ANN, unique("large"), text=big * 60).code == 250


def test_a_bad_file_changes_nothing(site):
    site.rules("recipient sales@%s %s" % (ldif.MAIL, ANN))
    for bad, why in (("nonsense\n", "rules:1: unknown rule"),
                     ("\nheader Subject /(/ junk\n", "line 2")):
        site.write(bad)
        out = site.gp.cli("reload", check=False)
        assert why in out
        assert send_one(site.gp, at("sales"), unique("still")).code == 250
    os.rename(site.file, site.file + ".gone")
    site.gp.cli("reload", check=False)
    os.rename(site.file + ".gone", site.file)
    site.rules("")
    assert send_one(site.gp, at("sales"), unique("no more")).code == 550


def test_header_checks(tmp_path, sink):
    """They run in the policy process, which wants a DNS."""
    names = rig_dns.start(str(tmp_path / "dns"), "", ttl=300)
    s = None
    try:
        s = Site(tmp_path, sink, policy=True, dns_servers=[names.server])
        s.rules("bcc %s" % CAT,
                "header Subject /forbidden/i reject Not that",
                "header Subject /later/ defer Not now",
                "header Subject /rubbish/ junk",
                "header Subject /away/ discard",
                "header X-Internal /./ ignore",
                "header Subject /tagged/ prepend X-Tag: yes")
        for subject, code in (("Forbidden", 550), ("later", 451)):
            reply = send_one(s.gp, ANN, unique(subject))
            assert reply.code == code
            assert "Not " in str(reply)
        subject = unique("rubbish")
        assert send_one(s.gp, ANN, subject).code == 250
        wait_until(lambda: s.gp.subjects("ann", PW, "Junk").count(subject),
                   "it in Junk")
        subject = unique("away")
        assert send_one(s.gp, ANN, subject).code == 250
        subject = unique("tagged")
        assert send_one(s.gp, ANN, subject, X_Internal="a secret").code == 250
        m = s.one("ann", subject)
        assert m["X-Tag"] == "yes" and m["X-Internal"] is None
        assert not [x for x in s.gp.subjects("ann", PW) if "away" in x]
        s.rules("")
        assert send_one(s.gp, ANN, unique("Forbidden")).code == 250
    finally:
        if s:
            s.gp.close()
        names.stop()


# ---- blind copies of a message that is full


RCPTS = 60
KEPT = 50  # DLV_COPIES_MAX


def keepers(n):
    return ["keep%d@%s" % (i, ldif.MAIL) for i in range(n)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, sink):
    """As many people as a message may have recipients, and those who keep
    copies."""
    s = Site(tmp_path_factory.mktemp("crowd"), sink, recipients_max=RCPTS)
    s.gp.write_conf(directory_timeout_ms=20000)
    ldif.write(s.gp.ldif, ["u%d" % i for i in range(RCPTS)] + [
        k.partition("@")[0] for k in keepers(RCPTS)] + ["ann"])
    s.gp.cli("reload")
    try:
        yield s
    finally:
        s.gp.close()


def to_all(gp, subject, n=RCPTS):
    """The replies to the RCPTs, and to the data."""
    with gp.smtp() as c:
        _, rcpts, last = c.mail(
            "a@client.test", ["u%d@%s" % (i, ldif.MAIL) for i in range(n)],
            message("a@client.test", "all@x.test", subject))
    return rcpts, last


def test_a_full_message_has_room_for_its_copies(crowd):
    crowd.rules(*["bcc " + k for k in keepers(KEPT)])
    subject = unique("full")
    rcpts, last = to_all(crowd.gp, subject)
    assert {r.code for r in rcpts} == {250} and last.code == 250, last
    for who in ("u0", "u%d" % (RCPTS - 1), "keep0", "keep%d" % (KEPT - 1)):
        assert arrives(crowd.gp, who, PW, subject) == 1


def test_copies_without_room_go_with_the_next_message(crowd):
    """Each recipient has another keeper, of whom a message holds KEPT."""
    crowd.rules(*["bcc-to u%d@%s %s" % (i, ldif.MAIL, k)
                  for i, k in enumerate(keepers(RCPTS))])
    subject = unique("many")
    rcpts, last = to_all(crowd.gp, subject)
    assert [r.code for r in rcpts] == [250] * KEPT + [452] * (RCPTS - KEPT)
    assert rcpts[-1].status == "4.5.3" and last.code == 250
    with crowd.gp.smtp() as c:  # as RFC 5321 section 4.5.3.1.10 wants it
        c.deliver("a@client.test",
                  ["u%d@%s" % (i, ldif.MAIL) for i in range(KEPT, RCPTS)],
                  message("a@client.test", "all@x.test", subject))
    for i in (0, KEPT - 1, KEPT, RCPTS - 1):
        for who in ("u%d" % i, "keep%d" % i):
            assert arrives(crowd.gp, who, PW, subject) == 1


def test_copies_that_never_find_room_are_not_left_out(crowd):
    """A mistake in the rules: nobody gets it, and the log says why."""
    crowd.rules(*["bcc-to u0@%s %s" % (ldif.MAIL, k)
                  for k in keepers(KEPT + 1)])
    subject = unique("never")
    rcpts, last = to_all(crowd.gp, subject, 1)
    assert rcpts[0].code == 250 and last.code == 451, last
    crowd.gp.wait_log("level=error .*event=bcc.too_many .*to=u0@")
    crowd.rules(*["bcc-to u0@%s %s" % (ldif.MAIL, k) for k in keepers(KEPT)])
    assert to_all(crowd.gp, subject, 1)[1].code == 250
    assert arrives(crowd.gp, "u0", PW, subject) == 1
    assert arrives(crowd.gp, "keep%d" % (KEPT - 1), PW, subject) == 1
