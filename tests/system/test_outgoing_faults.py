"""What goes out while disks fill, processes are killed and bytes lie."""
import collections
import os
import random
import re
import signal
import threading

import pytest

from rig import ldif
from rig.proc import RigError, wait_until
from rig.sink import Sink
from rig.smtp import message
from setups import on_ldif, unique
from test_outgoing import (ANN, PW, emptied, notice, notices, outgoing,
                           pid_of, queue, submit)

LONG = bool(os.environ.get("GP_LONG"))
KILLS = 100 if LONG else 8
SENDERS = 4


@pytest.fixture
def sink():
    with Sink() as s:
        yield s


@pytest.fixture
def gp(tmp_path, sink):
    g = outgoing(tmp_path, sink)
    try:
        yield g.start()
    finally:
        g.close()


def subjects(sink):
    """How often each came."""
    return collections.Counter(
        re.search(rb"^Subject: (.*?)\r$", m.data, re.M).group(1).decode()
        for m in sink.messages)


def try_submit(gp, to, subject):
    """As Ann; the reply to the data, or to the first RCPT that was no."""
    with gp.submission("ann", PW) as c:
        _, rcpts, last = c.mail(ANN, to, message(ANN, to[0], subject))
        return last or rcpts[-1]


# ---- no room


def test_a_full_queue(tmp_path, sink):
    """451 for what has no room, all of a message or none; nothing is lost."""
    sink.stop_listening()
    g = outgoing(tmp_path, sink, queue_max=4)
    try:
        g.start()
        taken = []
        for n in range(4):  # two recipients each
            subject = unique("full")
            reply = try_submit(g, ["joe@example.net", "jim@example.net"],
                               subject)
            assert reply.code in (250, 451), reply
            if reply.code == 250:
                taken.append(subject)
                wait_until(lambda: len(queue(g)) == len(taken),
                           "it to be listed", step=0.1)
        assert len(taken) == 2
        g.wait_log("event=queue.full")
        # who is here is not held up
        assert try_submit(g, ["ben@" + ldif.MAIL], unique("here")).code == 250
        sink.listen_again()
        emptied(g)
        assert subjects(sink) == {s: 1 for s in taken}
        assert try_submit(g, ["joe@example.net"], unique("room")).code == 250
        sink.wait(3)
    finally:
        g.close()


def test_a_full_disk(gp, sink):
    """Below the floor nothing is taken and no notice written, but what is in
    the queue goes out, once, and is removed from it."""
    sink.stop_listening()
    taken = [unique("disk") for _ in range(3)]
    for s in taken:
        submit(gp, "joe@example.net", s)
    refused = unique("refused")
    submit(gp, "no@example.net", refused)
    gp.write_conf(free_space_mb=1 << 20)
    gp.reload()
    wait_until(lambda: try_submit(
        gp, ["joe@example.net"], unique("late")).code // 100 == 4,
        "the floor to hold", step=0.2)
    known = len(queue(gp))
    sink.on("rcpt", "550 5.1.1 nobody", match="no@")
    sink.listen_again()
    wait_until(lambda: [e["state"] for m in queue(gp) for e in m["entries"]]
               == ["done"], "only the notice to wait", step=0.2)
    assert notices(gp) == []
    gp.write_conf(free_space_mb=16)
    gp.reload()
    assert refused in notice(gp).as_string()
    emptied(gp)
    came = subjects(sink)
    assert {s: came[s] for s in taken} == {s: 1 for s in taken}
    assert max(came.values()) == 1 and sum(came.values()) == known - 1


# ---- kill -9


class Stream:
    """Senders that put mail in for the sink and note what was accepted."""

    def __init__(self, gp):
        self.gp, self.lock = gp, threading.Lock()
        self.accepted, self.odd = [], []
        self.stopping = False
        self.threads = [threading.Thread(target=self._run, args=(n,))
                        for n in range(SENDERS)]
        for t in self.threads:
            t.start()

    def _run(self, number):
        serial = 0
        while not self.stopping:
            serial += 1  # another name for each attempt
            subject = "s%d-%d" % (number, serial)
            text = "x" * 70 + "\n"
            try:
                with self.gp.smtp() as c:
                    if c.greeting.code != 220:
                        continue
                    _, rcpts, last = c.mail(
                        "a@client.test", ["joe@example.net"],
                        message("a@client.test", "joe@example.net", subject,
                                text * (1 if serial % 8 else 1000)))
            except (OSError, RigError):
                continue
            reply = last or (rcpts or [None])[0]
            with self.lock:
                if reply is not None and reply.code == 250:
                    self.accepted.append(subject)
                elif reply is not None and reply.code >= 500:
                    self.odd.append((subject, reply))

    def wait_for(self, more):
        goal = len(self.accepted) + more
        wait_until(lambda: len(self.accepted) >= goal, "mail to go on")

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()


@pytest.mark.parametrize("roles,repeats", [
    (["delivery", "store"], 0),
    (["remote"], 1),
    (["delivery", "store", "remote"], 1)])
def test_killed_while_mail_goes_out(tmp_path, sink, roles, repeats):
    """Every message that was accepted goes out, and twice only what was on
    its way when remote died: at most one, with a concurrency of one."""
    g = outgoing(tmp_path, sink, relay_networks=["127.0.0.1"],
                 remote_concurrency=1)
    rnd = random.Random(len(roles))
    killed = collections.Counter()
    try:
        g.start()
        stream = Stream(g)
        try:
            for n in range(KILLS):
                stream.wait_for(rnd.randint(1, 10))
                role = roles[n % len(roles)]
                for pid in [p for p, r in g.children() if r == role]:
                    os.kill(pid, signal.SIGKILL)
                    killed[role] += 1
            stream.wait_for(SENDERS)
        finally:
            stream.stop()
        assert set(killed) == set(roles) and stream.odd == []
        wait_until(g.ready, "all daemons serving")
        emptied(g)
        came = subjects(sink)
        lost = [s for s in stream.accepted if not came[s]]
        assert lost == []
        twice = sum(n - 1 for n in came.values())
        assert twice <= repeats * killed["remote"], (twice, killed)
        assert notices(g) == []  # sent to nobody, and none is due
    finally:
        g.close()


def test_what_kills_delivery_is_held(tmp_path, sink):
    """An item that the process dies with twice; all others go out."""
    people = ["ann", "ben"]
    g = on_ldif(tmp_path, people, [("team", people)], group_open=True,
                queue_retry_min_s=1, queue_retry_max_s=2, log_level="debug",
                routes=["*=" + sink.hop], directory_timeout_ms=1000)
    try:
        g.start()
        directory = pid_of(g, "directory")
        with g.smtp() as c:
            c.must("MAIL FROM:<a@client.test>")
            c.must("RCPT TO:<team@%s>" % ldif.MAIL)
            os.kill(directory, signal.SIGSTOP)
            try:
                body = message("a@client.test", "x@y.test", "bad")
                assert c.data(body).code == 250
                for n in range(2):
                    wait_until(lambda: g.log().count("group.expand") > n + 1,
                               "the item to be worked on")
                    os.kill(pid_of(g, "delivery"), signal.SIGKILL)
                wait_until(lambda: [e["state"] for m in queue(g)
                                    for e in m["entries"]] == ["poison"],
                           "the item to be held", step=0.2)
            finally:
                os.kill(directory, signal.SIGCONT)
        good = [unique("good") for _ in range(5)]
        for s in good:
            submit(g, "joe@example.net", s)
        sink.wait(5)
        assert subjects(sink) == {s: 1 for s in good}
        wait_until(lambda: [e["state"] for m in queue(g)
                            for e in m["entries"]] == ["poison"],
                   "only that item to be there", step=0.2)
    finally:
        g.close()


# ---- smuggling

INNER = (b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
         b"Subject: smuggled\r\n\r\nboo\r\n")
ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n",
        b"\n.\r", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n"]


def smtp_data(c, body):
    c.must("MAIL FROM:<%s>" % ANN)
    c.must("RCPT TO:<joe@example.net>")
    c.must("DATA", 354)
    c.send(body + b"\r\n.\r\n")
    return c.reply()


def one_dialogue(sink):
    """Nothing that came out is more than the messages it should be."""
    assert not any("evil" in m.sender for m in sink.messages)
    assert not [x for s in sink.sessions for x in s.commands
                if "evil" in x]
    for m in sink.messages:
        body = m.wire[:-5]
        assert m.wire.endswith(b"\r\n.\r\n")
        assert b"\n.\r" not in body and b"\n.\n" not in body
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", body)


def test_smuggling_through_data(gp, sink):
    """Refused, or one message that stays one."""
    taken = 0
    for end in ENDS:
        with gp.submission("ann", PW) as c:
            reply = smtp_data(c, b"Subject: x\r\n\r\nbefore" + end + INNER)
            assert reply.code in (250, 550, 554), (end, reply)
            taken += reply.code == 250
            # in step: it was one reply for all of it
            assert c.cmd("VRFY joe").code == 252, end
    sink.wait(taken)
    emptied(gp)
    assert len(sink.messages) == taken < len(ENDS)
    one_dialogue(sink)


def test_smuggling_through_bdat(gp, sink):
    """BDAT carries any bytes: those that would end a DATA are stuffed."""
    inner = b"before\r\n.\r\n" + INNER + b".\r\n..\r\n.x\r\nlast\r\n"
    body = b"From: <%s>\r\nSubject: stuffed\r\n\r\n" % ANN.encode() + inner
    with gp.submission("ann", PW) as c:
        c.must("MAIL FROM:<%s>" % ANN)
        c.must("RCPT TO:<joe@example.net>")
        for at in range(0, len(body), 7):  # the dots fall between pieces
            piece = body[at:at + 7]
            last = b" LAST" if at + 7 >= len(body) else b""
            c.send(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
            assert c.reply().code == 250
    m, = sink.wait(1)
    emptied(gp)
    assert m.data.partition(b"\r\n\r\n")[2] == inner
    assert len(sink.messages) == 1
    one_dialogue(sink)
