"""Two sessions of one person: what each is told, and when."""
import os
import random
import re
import signal
import threading

import pytest

from rig import ldif
from rig.proc import wait_until
from setups import on_ldif, send_one, unique

MESSAGE = b"Subject: %s\r\nFrom: a@x.test\r\n\r\nbody of %s\r\n"


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    people = ["p%02d" % n for n in range(20)]
    g = on_ldif(tmp_path_factory.mktemp("imap"), people)
    try:
        yield g.start()
    finally:
        g.close()


@pytest.fixture
def person(gp, request):
    """Somebody new for each test."""
    n = getattr(gp, "used", 0)
    gp.used = n + 1
    return "p%02d" % n


@pytest.fixture
def two(gp, person):
    with gp.imap(person, ldif.PASSWORD) as a:
        with gp.imap(person, ldif.PASSWORD) as b:
            yield a, b


def fill(c, n, box="INBOX"):
    for i in range(n):
        c.must("APPEND " + box, MESSAGE % (b"m%d" % i, b"m%d" % i))


def flags_of(answer):
    """Message number -> set of flags of the untagged FETCHes."""
    out = {}
    for u in answer.lines("FETCH"):
        m = re.match(rb"(\d+) FETCH \(.*FLAGS \(([^)]*)\)", u)
        out[int(m.group(1))] = set(m.group(2).decode().split())
    return out


def test_a_delivery_is_pushed_to_idle(gp, person):
    with gp.imap(person, ldif.PASSWORD) as c:
        assert c.select().number("EXISTS") == 0
        tag = c.idle()
        for n in range(1, 4):
            assert send_one(gp, person + "@example.test",
                            unique("push")).code == 250
            assert c.response() == b"* %d EXISTS" % n
            assert c.response() == b"* %d RECENT" % n
        assert c.done(tag).ok


def test_idle_hears_of_flags_and_expunges(two):
    a, b = two
    fill(a, 3)
    a.select(), b.select()
    tag = a.idle()
    b.must("STORE 2 +FLAGS.SILENT (\\Deleted)")
    assert flags_of_line(a.response()) == (2, {"\\Deleted", "\\Recent"})
    b.must("EXPUNGE")
    assert a.response() == b"* 2 EXPUNGE"
    assert a.done(tag).ok
    assert a.must("SEARCH ALL").untagged == [b"SEARCH 1 2"]


def flags_of_line(line):
    m = re.match(rb"\* (\d+) FETCH \(FLAGS \(([^)]*)\)\)", line)
    return int(m.group(1)), set(m.group(2).decode().split())


def test_expunge_waits_for_a_command_that_allows_it(two):
    a, b = two
    fill(a, 4)
    a.select(), b.select()
    a.must("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    assert len(a.must("EXPUNGE").lines("EXPUNGE")) == 2
    for cmd in ("FETCH 3 UID", "STORE 4 +FLAGS (\\Seen)", "SEARCH ALL"):
        answer = b.must(cmd)
        assert not answer.lines("EXPUNGE"), answer
    gone = b.cmd("FETCH 1 (UID)")
    assert gone.status == "NO" and gone.code() == "EXPUNGEISSUED"
    told = b.must("NOOP")
    assert [u for u in told.untagged if b"EXPUNGE" in u] == [
        b"1 EXPUNGE", b"1 EXPUNGE"]
    assert b.must("UID SEARCH ALL").untagged == [b"SEARCH 3 4"]


def test_recent_belongs_to_one_session(gp, person):
    with gp.imap(person, ldif.PASSWORD) as a:
        fill(a, 2)
        with gp.imap(person, ldif.PASSWORD) as b:
            assert b.must("EXAMINE INBOX").number("RECENT") == 2
            assert a.select().number("RECENT") == 2
            assert b.select().number("RECENT") == 0
        assert a.must("SEARCH RECENT").untagged == [b"SEARCH 1 2"]
        assert flags_of(a.must("FETCH 1 FLAGS"))[1] == {"\\Recent"}
    with gp.imap(person, ldif.PASSWORD) as c:
        assert c.select().number("RECENT") == 0


def test_silent_hides_only_ones_own_change(two):
    a, b = two
    fill(a, 2)
    a.select(), b.select()
    assert not a.must("STORE 1:2 +FLAGS.SILENT (\\Flagged)").untagged
    b.must("STORE 1 +FLAGS.SILENT (\\Draft)")
    told = flags_of(a.must("STORE 2 +FLAGS.SILENT (\\Answered)"))
    assert list(told) == [1] and {"\\Draft", "\\Flagged"} <= told[1]
    assert flags_of(b.must("NOOP"))[2] >= {"\\Answered", "\\Flagged"}


def test_a_deleted_mailbox_ends_its_sessions(two):
    a, b = two
    a.must("CREATE Gone")
    b.select("Gone")
    a.must("DELETE Gone")
    b.start("NOOP")
    assert b.response().startswith(b"* BYE ")


def test_moved_messages_leave_here_and_arrive_there(two):
    a, b = two
    fill(a, 5)
    a.select(), b.select("Trash")
    moved = a.must("MOVE 2:3 Trash")
    assert re.match(rb"OK \[COPYUID \d+ 2:3 1:2\]", moved.untagged[0])
    assert [u for u in moved.untagged if u.endswith(b"EXPUNGE")] == [
        b"2 EXPUNGE", b"2 EXPUNGE"]
    assert b.must("NOOP").number("EXISTS") == 2
    assert b.subjects("Trash") == ["m1", "m2"]
    assert a.subjects() == ["m0", "m3", "m4"]


def test_keywords_are_shared(two):
    a, b = two
    fill(a, 1)
    a.select(), b.select()
    a.must("STORE 1 +FLAGS ($Label1 custom)")
    told = b.must("NOOP")
    assert any(u.startswith(b"FLAGS (") and b"custom" in u
               for u in told.untagged)
    assert flags_of(told)[1] >= {"$Label1", "custom"}
    assert b.must("SEARCH KEYWORD CUSTOM").untagged == [b"SEARCH 1"]


class Mirror:
    """What a client believes that follows every response."""

    def __init__(self, c):
        self.c = c
        self.n = c.select().number("EXISTS")
        self.uids = self.ask_uids()

    def ask_uids(self):
        u = self.c.must("UID SEARCH ALL")
        self.follow(u)
        return [int(x) for x in u.lines("SEARCH")[0].split()[1:]]

    def follow(self, answer):
        for u in answer.untagged:
            m = re.match(rb"(\d+) (EXISTS|EXPUNGE|FETCH)", u)
            if not m:
                continue
            k = int(m.group(1))
            if m.group(2) == b"EXISTS":
                assert k >= self.n, answer
                self.n = k
            elif m.group(2) == b"EXPUNGE":
                assert 1 <= k <= self.n, answer
                self.n -= 1
            else:
                assert 1 <= k <= self.n, answer


def test_many_sessions_agree_in_the_end(gp, person):
    """Four sessions change one mailbox at random; each follows what it is
    told, and what it believes is what a fresh session sees."""
    with gp.imap(person, ldif.PASSWORD) as c:
        fill(c, 20)
    faults = []

    def work(seed):
        rnd = random.Random(seed)
        try:
            with gp.imap(person, ldif.PASSWORD) as c:
                m = Mirror(c)
                for _ in range(60):
                    k = rnd.randint(1, max(m.n, 1))
                    cmd = rnd.choice([
                        "STORE %d +FLAGS (\\Flagged)", "NOOP",
                        "STORE %d -FLAGS.SILENT (\\Flagged)",
                        "STORE %d +FLAGS.SILENT (\\Deleted)",
                        "FETCH %d (UID FLAGS BODY[TEXT])", "EXPUNGE",
                        "UID SEARCH FLAGGED", "COPY %d INBOX",
                        "FETCH 1:%d FLAGS"])
                    if "%d" in cmd:
                        if m.n == 0:
                            continue
                        cmd %= k
                    answer = c.cmd(cmd)
                    assert answer.status in ("OK", "NO"), (cmd, answer)
                    m.follow(answer)
                m.follow(c.must("NOOP"))
                last = m.n
                assert len(m.ask_uids()) == m.n, (last, m.n)
        except Exception as e:  # shown by the test's own thread
            faults.append(repr(e))

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults
    with gp.imap(person, ldif.PASSWORD) as a:
        with gp.imap(person, ldif.PASSWORD) as b:
            x, y = Mirror(a), Mirror(b)
            assert x.uids == y.uids and len(x.uids) == x.n
            status = a.must("STATUS INBOX (MESSAGES)").lines("STATUS")[0]
            assert status.endswith(b"(MESSAGES %d)" % x.n)


def test_an_idle_session_survives_a_death_of_the_store(gp, person):
    """The hint comes again after the store is back."""
    with gp.imap(person, ldif.PASSWORD) as c:
        c.select()
        tag = c.idle()
        pid = [p for p, role in gp.children() if role == "store"][0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: [p for p, role in gp.children()
                            if role == "store" and p != pid],
                   "a new store")
        subject = unique("after")
        wait_until(lambda: send_one(gp, person + "@example.test",
                                    subject).code == 250, "a delivery")
        assert c.response() == b"* 1 EXISTS"
        assert c.response() == b"* 1 RECENT"
        assert c.done(tag).ok
