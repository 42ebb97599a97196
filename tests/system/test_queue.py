"""The queue: what waits, why, and that everybody gets one copy in the end."""
import json
import os
import signal
import threading
import time

import pytest

from rig import ldif
from rig.proc import RigError, wait_until
from rig.smtp import message
from setups import arrives, on_ldif, try_imap, unique

PW = ldif.PASSWORD
PEOPLE = ["ann", "ben", "cat"]
GROUPS = [("team", ["ann", "ben"]), ("crew", ["ben", "cat", "@team"]),
          ("away", ["ann", "dan"])]
AWAY = {"mailHost": "old.example.net"}


def dan(**more):
    return ldif.user("dan", **more)


def people(gp, folder, who=PEOPLE, groups=GROUPS, more=None):
    """Change the directory of a running Gatepost."""
    path = ldif.write(str(folder / "changed.ldif"), who, groups,
                      [dan(**AWAY)] if more is None else more)
    with open(path) as f:
        text = f.read()
    with open(gp.ldif, "w") as f:
        f.write(text)


@pytest.fixture
def gp(tmp_path):
    g = on_ldif(tmp_path, PEOPLE, GROUPS, group_open=True,
                queue_retry_min_s=1, queue_retry_max_s=2,
                directory_timeout_ms=1000, log_level="debug")
    people(g, tmp_path)
    try:
        yield g.start()
    finally:
        g.close()


def at(name):
    return "%s@%s" % (name, ldif.MAIL)


def body(subject, **headers):
    return message("a@client.test", "list@client.test", subject, **headers)


def pid_of(gp, role):
    return next(p for p, r in gp.children() if r == role)


def queue(gp):
    return json.loads(gp.cli("queue", "list", "--json"))


def entries(gp):
    return {e["rcpt"]: e for m in queue(gp) for e in m["entries"]}


def copies(gp, subject, who=PEOPLE):
    return {p: gp.subjects(p, PW).count(subject) for p in who}


def retry_until_empty(gp):
    """The directory may answer from its cache for a second."""
    def step():
        gp.cli("queue", "retry", "all")
        return queue(gp) == []
    wait_until(step, "an empty queue", step=0.3)


class Stopped:
    """A daemon that answers nobody, as one whose back-end hangs."""

    def __init__(self, gp, role):
        self.pid = pid_of(gp, role)

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def test_each_person_gets_one_copy(gp):
    subject = unique("once")
    with gp.smtp() as c:
        c.deliver("a@client.test",
                  [at("team"), at("ann"), at("crew"), at("ann")],
                  body(subject))
    arrives(gp, "cat", PW, subject)
    assert copies(gp, subject) == {"ann": 1, "ben": 1, "cat": 1}
    assert queue(gp) == []


def test_the_prefix_of_each_copy(gp):
    subject = unique("prefix")
    with gp.smtp() as c:
        c.deliver("a@client.test", [at("ann"), at("crew")], body(subject))
    for who in PEOPLE:
        arrives(gp, who, PW, subject)
        with gp.imap(who, PW) as c:
            c.select()
            text = list(c.bodies().values())[-1].decode()
        lines = text.split("\r\n")
        assert lines[0] == "Return-Path: <a@client.test>"
        assert lines[1] == "Delivered-To: " + at(who)
        assert lines[2].startswith("Received: ")


def test_members_elsewhere_are_held(gp, tmp_path):
    subject = unique("away")
    with gp.smtp() as c:
        c.deliver("a@client.test", [at("away")], body(subject))
    assert arrives(gp, "ann", PW, subject) == 1
    m, = queue(gp)
    e, = m["entries"]
    assert e["rcpt"] == at("dan") and e["state"] == "held"
    assert "old.example.net" in e["reason"]
    text = gp.cli("queue", "list")
    assert m["id"] in text and "old.example.net" in text
    assert "old.example.net" in gp.cli("queue", "show", m["id"])

    # he has not moved: it stays
    assert "1 recipient" in gp.cli("queue", "retry", m["id"])
    wait_until(lambda: entries(gp)[at("dan")]["attempts"] >= 2, "a retry")
    assert entries(gp)[at("dan")]["state"] == "held"

    # now he has
    people(gp, tmp_path, more=[dan()])
    retry_until_empty(gp)
    assert arrives(gp, "dan", PW, subject) == 1
    assert gp.subjects("ann", PW).count(subject) == 1


def test_deleted_is_gone(gp, tmp_path):
    subject = unique("deleted")
    with gp.smtp() as c:
        c.deliver("a@client.test", [at("away")], body(subject))
    m, = queue(gp)
    gp.cli("queue", "delete", m["id"])
    assert queue(gp) == []
    with pytest.raises(RigError, match="exit 1"):
        gp.cli("queue", "show", m["id"])
    people(gp, tmp_path, more=[dan()])
    with pytest.raises(RigError, match="exit 1"):
        gp.cli("queue", "retry", m["id"])
    wait_until(lambda: try_imap(gp, "dan", PW).ok, "Dan to be let in",
               step=0.3)
    assert gp.subjects("dan", PW) == []


def test_directory_down_at_delivery(gp):
    """The RCPTs were accepted; the group waits, the person has it now."""
    subject = unique("down")
    with gp.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        for to in ("ann", "crew", "team"):
            c.must("RCPT TO:<%s>" % at(to))
        with Stopped(gp, "directory"):
            reply = c.data(body(subject))
            assert reply.code == 250, reply
            waiting = entries(gp)
            assert set(waiting) == {at("crew"), at("team")}
            assert {e["state"] for e in waiting.values()} == {"ready"}
    wait_until(lambda: queue(gp) == [], "the queue to empty by itself")
    assert copies(gp, subject) == {"ann": 1, "ben": 1, "cat": 1}


def test_group_that_vanishes_after_rcpt(gp, tmp_path):
    subject = unique("vanished")
    with gp.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        c.must("RCPT TO:<%s>" % at("team"))
        with Stopped(gp, "directory"):
            people(gp, tmp_path, groups=[g for g in GROUPS[2:]])
            reply = c.data(body(subject))
            assert reply.code == 250, reply
    wait_until(lambda: entries(gp)[at("team")]["state"] == "held",
               "the group to be held")
    assert "directory" in entries(gp)[at("team")]["reason"]
    people(gp, tmp_path)
    retry_until_empty(gp)
    assert copies(gp, subject) == {"ann": 1, "ben": 1, "cat": 0}


def test_person_that_vanishes_after_rcpt(gp, tmp_path):
    """What was said at RCPT is asked again once it is older than a second."""
    subject = unique("gone")
    with gp.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        c.must("RCPT TO:<%s>" % at("cat"))
        c.must("RCPT TO:<%s>" % at("ann"))
        people(gp, tmp_path, who=["ann", "ben"], groups=[])
        time.sleep(1.5)
        reply = c.data(body(subject))
        assert reply.code == 250, reply
    entry = entries(gp)[at("cat")]
    assert entry["state"] == "held"
    assert entry["reason"] == "no longer in the directory"
    assert copies(gp, subject, ["ann", "ben"]) == {"ann": 1, "ben": 0}
    people(gp, tmp_path)
    retry_until_empty(gp)
    assert copies(gp, subject) == {"ann": 1, "ben": 0, "cat": 1}


def test_a_group_larger_than_one_commit(tmp_path):
    """The rest follows from the queue at once, and nobody gets two."""
    who = ["u%d" % n for n in range(3200)]
    g = on_ldif(tmp_path, who, [("all", who)], group_open=True,
                directory_timeout_ms=30000)
    subject = unique("large")
    try:
        g.start()
        with g.smtp() as c:
            c.deliver("a@client.test", [at("all"), at("u7")], body(subject))
        wait_until(lambda: queue(g) == [], "the queue to empty", step=0.3)
        numbers = next(p for p in g.status()["processes"]
                       if p["role"] == "delivery")["numbers"]
        assert numbers["delivered"] < 3200
        assert numbers["delivered"] + numbers["retried_ok"] == 3200
        for n in (0, 7, 2999, 3199):
            assert g.subjects("u%d" % n, PW).count(subject) == 1
    finally:
        g.close()


def test_queue_survives_kill_9_of_everything(gp):
    subject = unique("kill")
    with gp.smtp() as c:
        c.deliver("a@client.test", [at("away")], body(subject))
    before = queue(gp)
    gp.kill()
    gp.start()
    assert queue(gp) == before
    assert gp.subjects("ann", PW).count(subject) == 1


def test_delivery_killed_while_the_commit_waits(gp):
    """The gateway asks again with the same id: one copy, one 250."""
    for n in range(5):
        subject = unique("again %d" % n)
        answer, before = [], gp.log().count("event=submit.commit")
        with gp.smtp() as c, Stopped(gp, "store"):
            c.must("MAIL FROM:<a@client.test>")
            c.must("RCPT TO:<%s>" % at("ann"))
            t = threading.Thread(
                target=lambda: answer.append(c.data(body(subject))))
            t.start()
            victim = pid_of(gp, "delivery")
            wait_until(lambda: gp.log().count("event=submit.commit") > before,
                       "the submit")
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: victim not in [p for p, _ in gp.children()],
                       "the supervisor to notice")
            os.kill(pid_of(gp, "store"), signal.SIGCONT)
            t.join(60)
        assert len(answer) == 1, "no reply"
        assert answer[0].code == 250, answer[0]
        assert arrives(gp, "ann", PW, subject) == 1


def expansions(gp):
    return gp.log().count("event=group.expand")


def kill_delivery_expanding(gp, before):
    """While it waits for the (stopped) directory."""
    wait_until(lambda: expansions(gp) > before, "an expansion")
    victim = pid_of(gp, "delivery")
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in [p for p, _ in gp.children()],
               "the supervisor to notice")


def test_what_delivery_died_with_twice_is_poison(gp):
    """An item of the queue: held, named, and delivered when asked for."""
    subject = unique("poison")
    with gp.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        c.must("RCPT TO:<%s>" % at("team"))
        with Stopped(gp, "directory"):
            reply = c.data(body(subject))
            assert reply.code == 250, reply
            # the submit itself has expanded once, and is over
            for n in range(2):
                kill_delivery_expanding(gp, n + 1)
            wait_until(lambda: [e["state"] for e in entries(gp).values()]
                       == ["poison"], "the item to be set aside")
            m, = queue(gp)
            assert expansions(gp) == 3
    gp.wait_log(r"level=error proc=delivery event=poison qid=" + m["id"])
    assert gp.subjects("ann", PW).count(subject) == 0
    gp.cli("queue", "retry", m["id"])
    wait_until(lambda: queue(gp) == [], "an empty queue")
    assert copies(gp, subject) == {"ann": 1, "ben": 1, "cat": 0}


def test_a_submit_that_kills_delivery_stays_with_its_sender(tmp_path):
    g = on_ldif(tmp_path, PEOPLE, GROUPS, group_open=True,
                directory_timeout_ms=20000, log_level="debug")
    subject = unique("killer")
    try:
        g.start()
        replies = []
        with g.smtp() as c:
            c.must("MAIL FROM:<a@client.test>")
            c.must("RCPT TO:<%s>" % at("team"))
            with Stopped(g, "directory"):
                t = threading.Thread(
                    target=lambda: replies.append(c.data(body(subject))))
                t.start()
                kill_delivery_expanding(g, 0)
                # the gateway asks once more by itself, or the sender does
                t.join(1)
                if not t.is_alive():
                    assert 400 <= replies[0].code < 500
                else:
                    kill_delivery_expanding(g, 1)
                    t.join(60)
        while expansions(g) < 2:
            again(g, subject, replies)
        assert 400 <= replies[-1].code < 500, replies
        with g.smtp() as c:
            _, _, reply = c.mail("a@client.test", [at("team")], body(subject))
            assert 400 <= reply.code < 500, reply
            # nobody else is held up by it
            c.deliver("a@client.test", [at("team")], body(subject + " not"))
        assert expansions(g) == 3
        g.wait_log(r"level=error proc=delivery event=poison .*"
                   r"from=a@client.test")
        assert g.subjects("ann", PW) == [subject + " not"]
    finally:
        g.close()


def again(g, subject, replies):
    with g.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        c.must("RCPT TO:<%s>" % at("team"))
        with Stopped(g, "directory"):
            before = expansions(g)
            t = threading.Thread(
                target=lambda: replies.append(c.data(body(subject))))
            t.start()
            kill_delivery_expanding(g, before)
            t.join(60)


def test_hops_and_loops_are_refused(gp):
    for headers, code in ((60, 250), (101, 554)):
        text = b"Received: from x by y\r\n" * headers + body(unique("hops"))
        with gp.smtp() as c:
            _, _, reply = c.mail("a@client.test", [at("ann")], text)
            assert reply.code == code, reply
    with gp.smtp() as c:
        _, _, reply = c.mail(
            "a@client.test", [at("ann")],
            b"Delivered-To: " + at("ann").encode() + b"\r\n"
            + body(unique("loop")))
        assert (reply.code, reply.status) == (554, "5.4.6"), reply


def test_partial_loop_is_held(gp):
    subject = unique("half a loop")
    with gp.smtp() as c:
        c.deliver("a@client.test", [at("ann"), at("ben")],
                  b"Delivered-To: " + at("ann").encode() + b"\r\n"
                  + body(subject))
    assert arrives(gp, "ben", PW, subject) == 1
    assert entries(gp)[at("ann")]["state"] == "held"
    assert "loop" in entries(gp)[at("ann")]["reason"]
    assert gp.subjects("ann", PW).count(subject) == 0


def test_a_full_queue_defers(tmp_path):
    g = on_ldif(tmp_path, PEOPLE, GROUPS, group_open=True, queue_max=1)
    people(g, tmp_path)
    try:
        g.start()
        with g.smtp() as c:
            c.deliver("a@client.test", [at("away")], body(unique("one")))
            wait_until(lambda: len(queue(g)) == 1, "the first to be listed")
            _, _, reply = c.mail(
                "a@client.test", [at("away")], body(unique("two")))
            assert 400 <= reply.code < 500, reply
            c.deliver("a@client.test", [at("ann")], body(unique("three")))
    finally:
        g.close()


def test_expiry_is_shown(tmp_path):
    g = on_ldif(tmp_path, PEOPLE, GROUPS, group_open=True,
                queue_lifetime_s=60)
    people(g, tmp_path)
    try:
        g.start()
        with g.smtp() as c:
            c.deliver("a@client.test", [at("away")], body(unique("old")))
        e = entries(g)[at("dan")]
        assert not e["expired"]
        assert e["expires_at"] - queue(g)[0]["received_at"] in range(58, 63)
    finally:
        g.close()


# ---- the command itself


def test_usage_and_no_answer(gp, tmp_path):
    for args in (["queue", "frob"], ["queue", "show"], ["queue", "delete"],
                 ["queue", "list", "x"], ["explain", "rcpt"], ["frob"],
                 ["explain", "what", "x"], ["--frob"], []):
        with pytest.raises(RigError, match="exit 2"):
            gp.cli(*args)
    gp.stop()
    for args in (["queue", "list"], ["status"], ["reload"], ["stop"],
                 ["explain", "rcpt", at("ann")]):
        with pytest.raises(RigError, match="exit 75"):
            gp.cli(*args)
    gp.start()


def test_explain_is_escaped(gp):
    out = gp.cli("explain", "rcpt", "a\x1b[2Jb@" + ldif.MAIL, check=False)
    assert "\x1b" not in out
