"""kill -9 at any moment: a message that was answered 250 is not lost.

Senders put messages in as fast as they are taken while processes are killed
at random (fixed seed).  A sender counts its attempts per message and repeats
until 250.  In the end each accepted message is in every recipient's mailbox,
at most as often as it was tried, or it is in the queue.
"""
import collections
import os
import random
import signal
import threading

import pytest

from rig import ldif
from rig.proc import RigError, wait_until
from rig.smtp import message
from setups import on_ldif

LONG = bool(os.environ.get("GP_LONG"))
SENDERS = 20
PEOPLE = ["p%d" % n for n in range(6)]
KILLS = 200 if LONG else 20
SUPERVISOR_KILLS = 20 if LONG else 3


class Traffic:
    """The senders, and what they were promised."""

    def __init__(self, gp, seed):
        self.gp, self.seed = gp, seed
        self.lock = threading.Lock()
        self.tries = collections.Counter()
        self.accepted = {}  # subject -> recipients
        self.stopping = False
        self.errors = []
        self.threads = [threading.Thread(target=self._send, args=(n,))
                        for n in range(SENDERS)]
        for t in self.threads:
            t.start()

    def _send(self, number):
        rnd = random.Random("%d %d" % (self.seed, number))
        serial = 0
        while not self.stopping:
            serial += 1
            subject = "kill-%d-%d-%d" % (self.seed, number, serial)
            to = rnd.sample(PEOPLE, rnd.randint(1, 3))
            text = "x" * 60 + "\n"
            body = message("a@client.test", "b@client.test", subject,
                           text * rnd.choice([1, 60, 600]))
            while not self.stopping:
                try:
                    if self._attempt(subject, to, body):
                        break
                except (OSError, RigError):
                    continue

    def _attempt(self, subject, to, body):
        with self.gp.smtp() as c:
            if c.greeting.code != 220:
                return False
            with self.lock:
                self.tries[subject] += 1
            _, rcpts, last = c.mail("a@client.test", [
                "%s@%s" % (p, ldif.MAIL) for p in to], body)
            replies = rcpts + [last] if last else rcpts
            if any(r.code >= 500 for r in replies):
                self.errors.append((subject, replies))
                return True
            if last is None or last.code != 250:
                return False
            got = [p for p, r in zip(to, rcpts) if r.code == 250]
            with self.lock:
                self.accepted[subject] = got
            return True

    def count(self):
        with self.lock:
            return len(self.accepted)

    def wait_for(self, more):
        goal = self.count() + more
        wait_until(lambda: self.count() >= goal, "messages to go on")

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()


def waiting(gp):
    """(address, state) of each recipient in the queue."""
    return [(e["rcpt"], e["state"]) for m in gp.cli_json("queue", "list")
            for e in m["entries"]]


def judge(gp, traffic):
    """Nothing that was accepted is missing, and nothing is there too often."""
    assert not traffic.errors, traffic.errors[:5]
    wait_until(gp.ready, "all daemons serving")
    wait_until(lambda: "ready" not in [s for _, s in waiting(gp)],
               "what can be delivered to be delivered")
    held = collections.Counter(address for address, _ in waiting(gp))
    for p in PEOPLE:
        box = collections.Counter(gp.subjects(p, ldif.PASSWORD))
        lost = [s for s, to in traffic.accepted.items()
                if p in to and not box[s]]
        assert len(lost) <= held["%s@%s" % (p, ldif.MAIL)], (p, lost[:20])
        for subject, n in box.items():
            assert n <= traffic.tries[subject], (p, subject, n)
    gp.check_log()


@pytest.fixture
def gp(tmp_path):
    g = on_ldif(tmp_path, PEOPLE, queue_retry_min_s=1)
    try:
        yield g.start()
    finally:
        g.close()


def pick(gp, rnd, role):
    """A process of that role, or any."""
    def those():
        return [c for c in sorted(gp.children(), key=lambda c: (c[1], c[0]))
                if role in (None, c[1])]
    return rnd.choice(wait_until(those, "a process to kill"))


def test_random_processes(gp):
    rnd = random.Random(2)
    first = ["mx", "directory", "store", "delivery"]
    rnd.shuffle(first)
    traffic = Traffic(gp, 2)
    killed = collections.Counter()
    try:
        for n in range(KILLS):
            traffic.wait_for(rnd.randint(1, 20))
            pid, role = pick(gp, rnd, first[n] if n < len(first) else None)
            os.kill(pid, signal.SIGKILL)
            killed[role] += 1
            wait_until(lambda: pid not in [p for p, _ in gp.children()],
                       "the supervisor to notice")
        traffic.wait_for(SENDERS)
    finally:
        traffic.stop()
    assert set(first) <= set(killed)
    judge(gp, traffic)


def test_the_store_again_and_again(gp):
    traffic = Traffic(gp, 3)
    try:
        for n in range(KILLS // 2):
            traffic.wait_for(1 + n % 7)
            pids = [p for p, role in gp.children() if role == "store"]
            if pids:
                os.kill(pids[0], signal.SIGKILL)
        traffic.wait_for(SENDERS)
    finally:
        traffic.stop()
    judge(gp, traffic)


def test_the_supervisor(gp):
    """Its children end when it is gone; a new one takes over."""
    traffic = Traffic(gp, 4)
    try:
        for _ in range(SUPERVISOR_KILLS):
            traffic.wait_for(10)
            children = [p for p, _ in gp.children()]
            os.kill(gp.daemon.pid, signal.SIGKILL)
            wait_until(lambda: not any(map(running, children)),
                       "the children to end")
            gp.daemon.stop(signal.SIGKILL)
            gp.start()
        traffic.wait_for(SENDERS)
    finally:
        traffic.stop()
    judge(gp, traffic)


def running(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
