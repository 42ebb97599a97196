"""Mail that leaves: from a person through the queue to another server."""
import email
import email.policy
import os
import signal
import threading
import time

import dkim
import pytest

from rig import ldif
from rig.proc import PATIENCE, wait_until
from rig.remote import Remote
from rig.sink import DROP, STALL, Sink
from rig.smtp import message
from setups import arrives, on_ldif, unique

PW = ldif.PASSWORD
ANN = "ann@" + ldif.MAIL


@pytest.fixture
def sink():
    with Sink() as s:
        yield s


def hop(sink):
    return "smtp:127.0.0.1:%d" % sink.port


def outgoing(tmp_path, sink, **more):
    settings = dict(queue_retry_min_s=1, queue_retry_max_s=2,
                    routes=["*=" + hop(sink)], outbound_private=True)
    settings.update(more)
    return on_ldif(tmp_path, **settings)


@pytest.fixture
def gp(tmp_path, sink):
    g = outgoing(tmp_path, sink)
    try:
        yield g.start()
    finally:
        g.close()


def submit(gp, to, subject, text="hello", mail="", rcpt=""):
    """As Ann; fails unless everything is accepted."""
    to = [to] if isinstance(to, str) else to
    with gp.submission("ann", PW) as c:
        assert c.cmd("MAIL FROM:<%s>%s" % (ANN, mail)).code == 250
        for one in to:
            reply = c.cmd("RCPT TO:<%s>%s" % (one, rcpt))
            assert reply.code == 250, reply
        reply = c.data(message(ANN, ", ".join(to), subject, text))
        assert reply.code == 250, reply
        return reply.lines[-1].split()[-1]


def queue(gp):
    return gp.cli_json("queue", "list")


def emptied(gp):
    wait_until(lambda: queue(gp) == [], "an empty queue", step=0.2)


def notices(gp, user="ann"):
    """All notices in the INBOX, parsed."""
    with gp.imap(user, PW) as c:
        if not c.select().number("EXISTS"):
            return []
        found = [email.message_from_bytes(b, policy=email.policy.default)
                 for b in c.bodies().values()]
    return [m for m in found if m.get_content_type() == "multipart/report"]


def notice(gp, user="ann"):
    found = wait_until(lambda: notices(gp, user), "a notice", step=0.3)
    assert len(found) == 1
    return found[0]


def fields(m):
    """The recipient fields of the first recipient of a notice."""
    report = m.get_payload()[1]
    assert report.get_content_type() == "message/delivery-status"
    return report.get_payload()[1]


def pid_of(gp, role):
    return next(p for p, r in gp.children() if r == role)


# ---- the way out


def test_a_message_leaves_as_it_was_written(gp, sink):
    subject = unique("out")
    qid = submit(gp, ["joe@example.net", "jim@example.net"], subject,
                 "a line\r\n.dot\r\n\xfcmlaut\r\n",
                 mail=" RET=HDRS ENVID=QQ314",
                 rcpt=" NOTIFY=FAILURE ORCPT=rfc822;joe@example.net")
    m, = sink.wait(1)
    assert m.sender == ANN
    assert sorted(m.rcpts) == ["jim@example.net", "joe@example.net"]
    assert b".dot\r\n" in m.data and subject.encode() in m.data
    assert m.data.startswith(b"Received: ")
    assert b"Delivered-To" not in m.data and b"Return-Path" not in m.data
    emptied(gp)
    assert qid in gp.log()
    assert notices(gp) == []


def test_large_bodies_arrive_whole(gp, sink):
    line = "x" * 70 + "\r\n"
    for size in (1000, 100 << 10, 3 << 20):
        text = line * (size // len(line))
        submit(gp, "joe@example.net", unique("large"), text)
    for m in sink.wait(3):
        head, _, body = m.data.partition(b"\r\n\r\n")
        assert set(body.split(b"\r\n")) <= {b"x" * 70, b""}
    sizes = sorted(len(m.data) for m in sink.messages)
    assert sizes[1] > 99 << 10 and sizes[2] > 2900 << 10
    emptied(gp)


def test_both_worlds_in_one_message(gp, sink):
    subject = unique("both")
    submit(gp, ["joe@example.net", "ben@" + ldif.MAIL], subject)
    sink.wait(1)
    assert arrives(gp, "ben", PW, subject) == 1


def test_a_unix_socket_as_the_next_hop(tmp_path):
    """LMTP: a reply for each; only sockets of routes, also after a reload."""
    g = on_ldif(tmp_path, queue_retry_min_s=1, queue_retry_max_s=2)
    with Sink(path=g.folder + "/one", lmtp=True) as one, \
            Sink(path=g.folder + "/two", lmtp=True) as two:
        try:
            g.write_conf(routes=["one.example=" + one.hop])
            g.start()
            one.on("rcpt", "550 5.1.1 no", match="jim@")
            submit(g, ["joe@one.example", "jim@one.example"], unique("unix"))
            m, = one.wait(1)
            assert m.rcpts == ["joe@one.example"]
            assert "jim@one.example" in notice(g).as_string()
            with Remote(g) as r:
                assert r.send(two.hop, ["x@two.example"]).rc != "ok"
            assert two.commands == []
            g.write_conf(routes=["one.example=" + one.hop,
                                 "two.example=" + two.hop])
            g.reload()
            submit(g, "joe@two.example", unique("unix"))
            assert two.wait(1)[0].rcpts == ["joe@two.example"]
            emptied(g)
        finally:
            g.close()


# ---- what goes wrong there


def test_a_refusal_becomes_a_notice(gp, sink):
    sink.on("rcpt", "550 5.1.1 no \xe9 such user", match="joe@")
    subject = unique("refused")
    submit(gp, "joe@example.net", subject, mail=" ENVID=QQ+3D1",
           rcpt=" ORCPT=rfc822;Joe+40example.net")
    m = notice(gp)
    assert m["Auto-Submitted"] == "auto-replied"
    assert "MAILER-DAEMON@" in m["From"] and m["To"] == ANN
    assert m["Return-Path"] == "<>"
    text = m.get_payload()[0].get_content()
    assert "joe@example.net" in text and "typing errors" in text
    f = fields(m)
    assert f["Action"] == "failed" and f["Status"] == "5.1.1"
    assert f["Final-Recipient"].replace(" ", "") == "rfc822;joe@example.net"
    assert "Joe@example.net" in f["Original-Recipient"]
    # As the server gave it, but for what is no ASCII.
    assert f["Diagnostic-Code"] == "smtp;550 5.1.1 no ?? such user"
    assert "answered: 550 5.1.1 no ?? such user" in " ".join(text.split())
    assert m.get_payload()[1].get_payload()[0]["Original-Envelope-Id"] \
        == "QQ=1"
    assert subject in m.get_payload()[2].as_string()
    emptied(gp)


def test_never_is_never(gp, sink):
    sink.on("rcpt", "550 5.1.1 no", match="joe@")
    submit(gp, "joe@example.net", unique("never"), rcpt=" NOTIFY=NEVER")
    gp.wait_log("event=send.refused")
    emptied(gp)
    assert notices(gp) == []


def test_success_is_told(tmp_path):
    with Sink(extensions=["PIPELINING", "8BITMIME"]) as s:
        g = outgoing(tmp_path, s)
        try:
            g.start()
            submit(g, ["joe@example.net", "ben@" + ldif.MAIL], unique("ok"),
                   rcpt=" NOTIFY=SUCCESS,FAILURE")
            found = wait_until(lambda: len(notices(g)) == 2 and notices(g),
                               "two notices", step=0.3)
            assert sorted(fields(m)["Action"] for m in found) \
                == ["delivered", "relayed"]
        finally:
            g.close()


@pytest.mark.parametrize("step,how", [
    ("connect", DROP), ("mail", "451 4.3.0 later"), ("rcpt", "452 4.2.2 full"),
    ("dot", "451 4.3.0 later"), ("dot", DROP), ("body", DROP)])
def test_trouble_is_tried_again(gp, sink, step, how):
    sink.once(step, how)
    subject = unique("again")
    submit(gp, "joe@example.net", subject)
    m, = sink.wait(1)
    assert subject.encode() in m.data
    emptied(gp)
    assert len(sink.messages) == 1
    assert notices(gp) == []


def test_what_is_too_old_comes_back(tmp_path, sink):
    sink.on("rcpt", "451 4.2.1 not today")
    g = outgoing(tmp_path, sink, queue_lifetime_s=4, queue_warn_s=1)
    try:
        g.start()
        submit(g, "joe@example.net", unique("old"))
        found = wait_until(lambda: len(notices(g)) == 2 and notices(g),
                           "a warning and a bounce", step=0.3)
        actions = {fields(m)["Action"]: m for m in found}
        assert sorted(actions) == ["delayed", "failed"]
        late, failed = actions["delayed"], actions["failed"]
        assert fields(late)["Status"].startswith("4.")
        assert fields(late)["Will-Retry-Until"]
        assert "need not do anything" in late.get_payload()[0].get_content()
        assert fields(failed)["Status"] == "5.4.7"
        assert "not today" in failed.as_string()
        emptied(g)
    finally:
        g.close()


def test_what_waits_behind_a_dead_place_is_late_too(tmp_path, sink):
    """The second is not tried while the place is known to be down."""
    sink.on("connect", "421 4.3.2 closed today")
    g = outgoing(tmp_path, sink, queue_retry_min_s=600, queue_retry_max_s=600,
                 queue_warn_s=3)
    try:
        g.start()
        submit(g, "joe@example.net", unique("first"))
        wait_until(lambda: [e["attempts"] for m in queue(g)
                            for e in m["entries"]] == [1], "its try")
        submit(g, "jim@example.net", unique("second"))
        found = wait_until(lambda: len(notices(g)) == 2 and notices(g),
                           "two warnings", step=0.3)
        assert [fields(m)["Action"] for m in found] == ["delayed"] * 2
        late, = [m for m in found if "jim@" in fields(m)["Final-Recipient"]]
        text = " ".join(late.get_payload()[0].get_content().split())
        assert "not tried yet, the last error of" in text
        assert ": 421 4.3.2 closed today" in text
        assert {e["reason"].partition(": ")[2] for m in queue(g)
                for e in m["entries"] if e["attempts"]} \
            == {"421 4.3.2 closed today"}
        assert sorted(e["attempts"] for m in queue(g)
                      for e in m["entries"]) == [0, 1]
    finally:
        g.close()


def test_a_dead_destination_does_not_hold_up_others(tmp_path, sink):
    with Sink() as dead:
        dead.on("connect", STALL)
        g = outgoing(tmp_path, sink, remote_concurrency=2, routes=[
            "*=" + hop(sink), "dead.example=" + hop(dead)])
        try:
            g.start()
            for i in range(5):
                submit(g, "joe@dead.example", unique("dead"))
            for i in range(5):
                submit(g, "joe@example.net", unique("alive"))
            sink.wait(5)
            assert len(queue(g)) == 5
            dead.release()
        finally:
            g.close()


def test_a_mended_destination_is_tried_when_asked_for(tmp_path, sink):
    """By itself it would be tried an hour later, and so would the second."""
    g = outgoing(tmp_path, sink, queue_retry_min_s=3600,
                 queue_retry_max_s=3600)
    try:
        g.start()
        sink.stop_listening()
        first, second = unique("first"), unique("second")
        submit(g, "joe@example.net", first)
        wait_until(lambda: [e["attempts"] for m in queue(g)
                            for e in m["entries"]] == [1], "a try")
        qid = submit(g, "joe@example.net", second)
        sink.listen_again()
        time.sleep(0.5)
        assert sink.messages == []
        g.cli("queue", "retry", qid)
        m, = sink.wait(1)
        assert second.encode() in m.data
        g.cli("queue", "retry", "all")
        emptied(g)
        assert len(sink.messages) == 2
    finally:
        g.close()


def test_senders_exist_as_recipients_do(tmp_path, sink):
    """By subaddress (VERP), map or catch-all: a notice goes where other mail
    to them goes, and the postmaster has none of it."""
    ben, cat = "ben@" + ldif.MAIL, "cat@" + ldif.MAIL
    sink.on("rcpt", "550 5.1.1 no", match="no@")
    sink.extensions = ["PIPELINING"]
    g = outgoing(tmp_path, sink, relay_networks=["127.0.0.1"])
    rules = os.path.join(g.folder, "rules")
    with open(rules, "w") as f:
        f.write("recipient info@%s %s %s\n" % (ldif.MAIL, ben, cat))
    g.write_conf(rules_file=rules)

    def relay(sender, to, notify=""):
        with g.smtp() as c:
            assert c.cmd("EHLO client.test").code == 250
            assert c.cmd("MAIL FROM:<%s@%s>" % (sender, ldif.MAIL)).code == 250
            assert c.cmd("RCPT TO:<%s>%s" % (to, notify)).code == 250
            assert c.data(message(sender, to, unique("from"))).code == 250

    def told(user):
        return sorted((m["To"].split("@")[0], fields(m)["Action"])
                      for m in notices(g, user))

    try:
        g.start()
        relay("ben+list-7", "no@example.net")
        relay("info", "no@example.net")
        relay("info", "yes@example.net", " NOTIFY=SUCCESS")
        bens = [("ben+list-7", "failed"), ("info", "failed"),
                ("info", "relayed")]
        wait_until(lambda: told("ben") == bens, "Ben's notices", step=0.3)
        wait_until(lambda: told("cat") == bens[1:], "Cat's", step=0.3)
        # Rules are as they are when the notice is made.
        with open(rules, "w") as f:
            f.write("catch-all @%s %s\n" % (ldif.MAIL, cat))
        g.cli("reload")

        def caught():
            relay("whoever", "no@example.net")
            return ("whoever", "failed") in told("cat")
        wait_until(caught, "the new rules", step=1)
        emptied(g)
        assert told("ben") == bens
        assert {who for who, _ in told("ann")} <= {ANN.split("@")[0]}
    finally:
        g.close()


def test_bounces_of_bounces_are_the_postmasters(tmp_path, sink):
    """From nobody to somebody elsewhere who is refused."""
    sink.on("rcpt", "550 5.1.1 no")
    g = outgoing(tmp_path, sink, relay_networks=["127.0.0.1"])
    try:
        g.start()
        with g.smtp() as c:
            c.deliver("", ["joe@example.net"],
                      message("x@y.test", "joe@example.net", "a bounce"))
        m = notice(g)  # Ann is the postmaster
        assert m["To"] == ANN
        text = " ".join(m.get_payload()[0].get_content().split())
        assert "you, the postmaster" in text
        assert "It was to go to: joe@example.net" in text
        emptied(g)
        # A sender whom nobody knows: it was to go there, and not to Joe.
        with g.smtp() as c:
            c.deliver("nobody@" + ldif.MAIL, ["joe@example.net"],
                      message("x@y.test", "joe@example.net", "from nobody"))
        m = wait_until(lambda: len(notices(g)) == 2 and notices(g)[1],
                       "the other", step=0.3)
        text = " ".join(m.get_payload()[0].get_content().split())
        assert "It was to go to: nobody@" + ldif.MAIL in text
        assert "be delivered to: joe@example.net" in text
    finally:
        g.close()


def test_a_group_as_postmaster_is_told_once(tmp_path, sink):
    """One of its members is refused in turn: that is told to nobody, or each
    notice would make the next one."""
    sink.on("rcpt", "550 5.1.1 no")
    g = outgoing(tmp_path, sink, relay_networks=["127.0.0.1"],
                 postmaster="admins@" + ldif.MAIL)
    ldif.write(g.ldif, ["ann"], [("admins", ["ann", "kim"])],
               [ldif.user("kim", mailRoutingAddress="kim@far.test")])
    try:
        g.start()
        with g.smtp() as c:
            c.deliver("", ["joe@example.net"],
                      message("x@y.test", "joe@example.net", "a bounce"))
        assert notice(g)["To"] == "admins@" + ldif.MAIL
        wait_until(lambda: [c for c in sink.commands if "kim@far" in c],
                   "the try for the member elsewhere")
        # At no moment between a refusal and its notice it would be empty.
        emptied(g)
        notice(g)
        assert len([c for c in sink.commands if c.startswith("RCPT")]) == 2
        assert queue(g) == []
    finally:
        g.close()


@pytest.mark.parametrize("reply", ["250 2.0.0 Ok", "451 4.3.0 later"])
def test_a_route_that_changes_during_a_try(tmp_path, sink, reply):
    """Whatever is asked of the queue meanwhile, the new way waits for what
    becomes of the old one."""
    go = threading.Event()

    def at_the_dot(session, line):
        sink.stalled += 1
        go.wait(60)
        return reply

    sink.on("dot", at_the_dot)
    with Sink() as new:
        g = outgoing(tmp_path, sink)
        try:
            g.start()
            subject = unique("moved")
            qid = submit(g, "joe@example.net", subject)
            sink.wait_stalled()
            g.write_conf(routes=["*=" + hop(new)])
            g.cli("reload")
            g.cli("queue", "retry", qid)
            for n in range(4):  # by then the queue has looked at it
                submit(g, "jim@example.net", unique("other"))
                new.wait(n + 1)
            assert not [m for m in new.messages if m.rcpts[0][:3] == "joe"]
            go.set()
            emptied(g)
            came = [m for m in sink.messages + new.messages
                    if subject.encode() in m.data]
            assert len(came) == 1
            assert (came[0] in new.messages) == reply.startswith("4")
        finally:
            go.set()
            g.close()


def test_machines_of_ours_send_like_people(tmp_path, sink):
    """No policy (whose DNS is dead), Date and Message-ID, a signature."""
    g = outgoing(tmp_path, sink, relay_networks=["127.0.0.1"], policy=True,
                 policy_down="defer", dns_servers=["127.0.0.1@9"])
    try:
        g.cli("dkim", "new", ldif.MAIL)
        g.start()
        with g.smtp() as c:
            last = c.mail("printer@" + ldif.MAIL, ["joe@example.net"],
                          ("From: printer@%s\r\nSubject: page 1\r\n\r\n"
                           "paper jam\r\n" % ldif.MAIL).encode())[2]
            assert last.code == 250, last
        m, = sink.wait(1)
        head = email.message_from_bytes(m.data)
        assert head["DKIM-Signature"] and head["Date"] and head["Message-ID"]
        assert head["Authentication-Results"] is None
        assert "d=%s;" % ldif.MAIL in "".join(head["DKIM-Signature"].split())
    finally:
        g.close()


def test_notices_that_leave_are_signed(tmp_path, sink):
    sink.on("rcpt", "550 5.1.1 no", match="no@")
    g = outgoing(tmp_path, sink, relay_networks=["127.0.0.1"],
                 hostname="gw." + ldif.MAIL)
    try:
        g.cli("dkim", "new", ldif.MAIL)
        records = {k["name"]: k["record"].encode() for k in
                   g.cli_json("dkim", "show", ldif.MAIL)["keys"]}
        g.start()
        with g.smtp() as c:
            c.deliver("joe@example.net", ["no@example.net"],
                      message("joe@example.net", "no@example.net", "x"))
        m, = sink.wait(1)
        assert m.sender == "" and m.rcpts == ["joe@example.net"]
        assert b"From: Mail system at gw." in m.data
        assert dkim.verify(m.data, dnsfunc=lambda name, timeout=5:
                           records.get(name.decode().rstrip(".")))
        emptied(g)
    finally:
        g.close()


# ---- the administrator


def test_hold_and_release(gp, sink):
    sink.on("rcpt", "451 4.2.1 later")
    qid = submit(gp, "joe@example.net", unique("held"))
    gp.wait_log("event=send.later")
    assert "held" in gp.cli("queue", "hold", qid)
    # A try that was on its way then is not called back.
    wait_until(lambda: [p["numbers"]["queue_sending"]
                        for p in gp.status()["processes"]
                        if p["role"] == "delivery"] == [0], "no try")
    sink.clear()
    time.sleep(2.5)  # the next try would have been due
    assert sink.messages == []
    (m,) = queue(gp)
    assert m["entries"][0]["state"] == "held"
    gp.cli("queue", "release", "all")
    sink.wait(1)
    emptied(gp)


# ---- processes that die


def test_remote_dies(gp, sink):
    sink.once("dot", STALL)
    subject = unique("killed")
    submit(gp, "joe@example.net", subject)
    wait_until(lambda: "DATA" in "".join(map(str, sink.commands)), "the data")
    os.kill(pid_of(gp, "remote"), signal.SIGKILL)
    m = sink.wait(1)[-1]
    assert subject.encode() in m.data
    emptied(gp)
    assert notices(gp) == []


def test_delivery_dies_and_nothing_is_sent_twice(gp, sink):
    """Remote remembers what it was doing for the one that died."""
    may_go = threading.Event()
    sink.once("dot", lambda session, line: may_go.wait(30) and None)
    subject = unique("survivor")
    submit(gp, "joe@example.net", subject)
    wait_until(lambda: "DATA" in "".join(map(str, sink.commands)), "the data")
    os.kill(pid_of(gp, "delivery"), signal.SIGKILL)
    wait_until(lambda: len(queue(gp)) == 1, "the queue to be read", step=0.2)
    may_go.set()
    emptied(gp)
    assert len(sink.wait(1)) == 1
    assert "".join(map(str, sink.commands)).count("DATA") == 1


def test_queue_survives_a_power_cut(gp, sink):
    sink.stop_listening()
    subjects = [unique("cut") for _ in range(3)]
    for s in subjects:
        submit(gp, "joe@example.net", s)
    gp.kill()
    sink.listen_again()
    gp.start()
    seen = b"".join(m.data for m in sink.wait(3))
    assert all(s.encode() in seen for s in subjects)
    emptied(gp)


def test_a_stop_waits_for_the_word_after_the_dot(gp, sink):
    """Another server has it all, so it must not get it again."""
    thinking = threading.Event()

    def think(session, line):
        thinking.set()
        time.sleep(3)

    sink.once("dot", think)
    submit(gp, "joe@example.net", unique("thinking"))
    assert thinking.wait(PATIENCE)
    gp.stop()
    gp.start()
    emptied(gp)
    assert len(sink.messages) == 1


def test_a_stop_is_no_try_that_failed(tmp_path, sink):
    sink.on("rcpt", STALL)
    gp = outgoing(tmp_path, sink, queue_retry_min_s=600,
                  queue_retry_max_s=600)
    try:
        gp.start()
        submit(gp, "joe@example.net", unique("cut"))
        wait_until(lambda: [c for c in sink.commands if "RCPT" in c], "RCPT")
        gp.stop()
        sink.clear()
        gp.start()
        emptied(gp)
        assert len(sink.messages) == 1
    finally:
        gp.close()
