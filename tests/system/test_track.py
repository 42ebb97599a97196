"""What happened to messages: trace, report, and that mail never waits for
them."""
import os
import re
import signal
import threading
import time

import pytest

from rig import dns as rig_dns
from rig import ldif
from rig.proc import wait_until
from rig.sink import Sink
from rig.smtp import message
from setups import arrives, on_ldif, unique
from test_policy import Keys

PW = ldif.PASSWORD
GROUPS = [("team", ["ann", "ben"])]


def at(name):
    return "%s@%s" % (name, ldif.MAIL)


def gatepost(folder):
    g = on_ldif(folder, ["ann", "ben", "cat"], GROUPS, group_open=True,
                directory_timeout_ms=5000)
    try:
        yield g.start()
    finally:
        g.close()


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    yield from gatepost(tmp_path_factory.mktemp("gp"))


@pytest.fixture
def fresh(tmp_path):
    yield from gatepost(tmp_path)


def pid_of(gp, role):
    return next(p for p, r in gp.children() if r == role)


def stop(pid):
    """Stopped, all its threads: a signal takes a moment on a busy machine."""
    def stopped():
        states = []
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
                states.append(f.read().rsplit(")", 1)[1].split()[0])
        return all(s == "T" for s in states)

    os.kill(pid, signal.SIGSTOP)
    wait_until(stopped, "process %d to stop" % pid)


def post(gp, sender, to, subject, mid=None, client="192.0.2.7"):
    body = message(sender, "list@x.test", subject)
    if mid:
        body = re.sub(rb"Message-ID: .*", b"Message-ID: " + mid.encode(), body)
    with gp.smtp(client=client) as c:
        _, rcpts, last = c.mail(sender, to, body)
        return [r.code for r in rcpts], last and last.code


def trace(gp, *args):
    """The messages, or none."""
    try:
        return gp.cli_json("trace", *args)["messages"]
    except Exception as e:
        if "nothing is known" in str(e):
            return []
        raise


def steps(m):
    return [e["event"] for e in m["events"]]


def when_known(gp, event, *args):
    """Events arrive a moment later than the mail."""
    def look():
        found = trace(gp, *args)
        return found if any(event in steps(m) for m in found) else None

    return wait_until(look, "%s in trace %s" % (event, " ".join(args)))


def test_a_message_by_each_key(gp):
    subject = unique("to a group")
    mid = "<%d.one@client.test>" % time.monotonic_ns()
    assert post(gp, "Sender@client.test", [at("team")], subject, mid) == \
        ([250], 250)
    found = when_known(gp, "deliver", "--message-id", mid)
    wait_until(lambda: "accept" in steps(trace(
        gp, "--message-id", mid)[0]), "the accept")
    (m,) = found = trace(gp, "--message-id", mid)
    by = {e["event"]: e for e in m["events"]}
    assert sorted(steps(m)) == ["accept", "connect", "deliver", "deliver",
                                "expand"]
    assert steps(m)[0] == "connect"
    assert by["connect"]["client"] == "192.0.2.7"
    assert by["connect"]["host"] == "client.test"
    assert by["accept"]["from"] == "Sender@client.test"
    assert by["accept"]["qid"] == m["qid"] == by["deliver"]["qid"]
    assert by["accept"]["rcpts"] == 1 and by["accept"]["size"] > 100
    assert by["expand"]["rcpt"] == at("team") and by["expand"]["rcpts"] == 2
    assert {e["rcpt"] for e in m["events"] if e["event"] == "deliver"} == \
        {at("ann"), at("ben")}
    sid = by["connect"]["sid"]
    for args in ([m["qid"]], [sid], ["--from", "sender@CLIENT.test"],
                 ["--to", at("ann").upper()], ["--to", at("team")],
                 ["--message-id", mid.strip("<>")],
                 ["--to", at("ben"), "--from", "sender@client.test"],
                 ["--since", "today", "--to", at("ben")],
                 [m["qid"], "--to", at("ben"), "--message-id", mid],
                 ["--since", "5m", "--from", "sender@client.test"]):
        assert trace(gp, *args) == found, args
    for args in (["--to", at("cat")], ["--from", "x@client.test"],
                 ["--to", at("ben"), "--from", "x@client.test"],
                 ["--message-id", mid, "--until", "2001-01-01"],
                 ["0123456789abcdef"]):
        assert trace(gp, *args) == [], args
    text = gp.cli("trace", m["qid"])
    assert "message " + m["qid"] in text
    for line in ("connect", "accept", "expand", "deliver"):
        assert " %s" % line in text


def test_one_session_with_several_messages(gp):
    """What belongs to the session is shown with each of its messages, what
    belongs to one message with that alone."""
    with gp.smtp() as c:
        for n, to in enumerate((["nobody1", "ann"], ["nobody2", "ben"])):
            _, rcpts, last = c.mail("s%d@client.test" % n,
                                    [at(x) for x in to],
                                    message("a@x.test", "b@x.test", "hi"))
            assert [r.code for r in rcpts] == [550, 250]
            assert last.code == 250
        assert c.mail("s3@client.test", [at("nobody3")], b"")[1][0].code == 550
    (two,) = when_known(gp, "accept", "--from", "s1@client.test",
                        "--to", at("ben"))
    when_known(gp, "deliver", two["qid"])
    (two,) = trace(gp, two["qid"])
    assert sorted(steps(two)) == ["accept", "connect", "deliver", "reject"]
    assert {e["rcpt"] for e in two["events"] if "rcpt" in e} == \
        {at("ben"), at("nobody2")}
    (none,) = when_known(gp, "reject", "--to", at("nobody3"))
    assert none["qid"] == ""
    last = none["events"][-1]
    assert last["code"] == "550 5.1.1" and last["from"] == "s3@client.test"
    assert "not accepted" in gp.cli("trace", "--to", at("nobody3"))


def test_mail_that_leaves(tmp_path):
    """Sent at once; deferred, then sent; refused there, and the notice."""
    with Sink() as sink:
        gp = on_ldif(tmp_path, ["ann"], queue_retry_min_s=1,
                     queue_retry_max_s=2, outbound_private=True,
                     routes=["*=smtp:127.0.0.1:%d" % sink.port])
        sink.on("rcpt", "550 5.1.1 no such user", match="jim@")
        sink.once("rcpt", "452 4.2.2 full")
        try:
            gp.start()
            with gp.submission("ann", PW) as c:
                assert c.mail(at("ann"), ["joe@example.net"],
                              message(at("ann"), "x@x.test",
                                      unique("late")))[2].code == 250
            (late,) = when_known(gp, "send", "--to", "joe@example.net")
            assert steps(late)[0] == "connect"
            by = {e["event"]: e for e in late["events"]}
            assert by["defer"]["code"] == "452 4.2.2"
            assert by["defer"]["text"] == "452 4.2.2 full"
            assert "127.0.0.1" in by["send"]["host"]
            assert by["connect"]["from"] == "ann"
            assert steps(late).index("defer") < steps(late).index("send")
            with gp.submission("ann", PW) as c:
                assert c.mail(at("ann"), ["jim@example.net"],
                              message(at("ann"), "x@x.test",
                                      unique("never")))[2].code == 250
            when_known(gp, "bounce", "--to", "jim@example.net")
            notice = wait_until(
                lambda: [m for m in trace(gp, "--to", "jim@example.net")
                         if "notice" in steps(m) and "deliver" in steps(m)],
                "the notice")[-1]
            failed = trace(gp, "--to", "jim@example.net")[0]
            by = {e["event"]: e for e in failed["events"]}
            assert by["bounce"]["code"] == "550 5.1.1"
            assert by["bounce"]["text"] == "550 5.1.1 no such user"
            # For people: the code once, the reply as it came.
            text = gp.cli("trace", "--to", "jim@example.net")
            assert " 550 5.1.1 no such user" in text
            assert text.count("550 5.1.1") == 1, text
            assert by["notice"]["qid"] == notice["qid"]
            assert by["notice"]["sid"] == failed["qid"]
            r = wait_until(lambda: (lambda r: r["notices"] and r)(
                gp.cli_json("report")), "the report")
            assert (r["received"], r["sent"], r["bounced"], r["notices"],
                    r["delivered"]) == (2, 1, 1, 1, 1)
            assert r["deferred"] == 1
        finally:
            gp.close()


def test_what_an_administrator_does(tmp_path):
    with Sink() as sink:
        gp = on_ldif(tmp_path, ["ann"], outbound_private=True,
                     queue_retry_min_s=60,
                     routes=["*=smtp:127.0.0.1:%d" % sink.port])
        sink.on("rcpt", "451 not today")
        try:
            gp.start()
            with gp.submission("ann", PW) as c:
                reply = c.mail(at("ann"), ["joe@example.net"],
                               message(at("ann"), "x@x.test", "held"))[2]
            qid = reply.lines[-1].split()[-1]
            when_known(gp, "defer", qid)
            # A reply without a status, for people: as it came.
            text = gp.cli("trace", qid)
            assert " 451 not today" in text and "4.0.0" not in text, text
            gp.cli("queue", "hold", qid)
            gp.cli("queue", "delete", qid)
            (m,) = when_known(gp, "delete", qid)
            assert steps(m)[-2:] == ["hold", "delete"]
            assert "administrator" in m["events"][-2]["text"]
        finally:
            gp.close()


def test_mail_over_a_socket_of_this_machine_is_received(fresh):
    """And no notice of ours, which has no client either."""
    gp = fresh
    mid = "<%d.socket@client.test>" % time.monotonic_ns()
    with gp.lmtp(True) as c:
        _, replies = c.lmtp("s@client.test", [at("ann")], message(
            "s@client.test", at("ann"), unique("socket")).replace(
                b"Message-ID: ", b"Message-ID: " + mid.encode() + b"\nX: "))
    assert [r.code for r in replies] == [250]
    (m,) = when_known(gp, "deliver", "--message-id", mid)
    accept = [e for e in m["events"] if e["event"] == "accept"]
    assert [e["client"] for e in accept] == ["local"]
    r = wait_until(lambda: [r for r in [gp.cli_json("report")]
                            if r["received"]], "it in the report")[0]
    assert (r["received"], r["notices"]) == (1, 0)


def test_what_is_hostile_is_escaped(gp):
    with gp.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        assert c.cmd(b"RCPT TO:<\x1b[31mred\xff@example.test>").code >= 500
    wait_until(lambda: "reject" in gp.cli("report"), "a reject")
    wait_until(lambda: trace(gp, "--from", "a@client.test"),
               "it in the trace")
    text = gp.cli("trace", "--from", "a@client.test")
    assert "\x1b" not in text and "\\x1b[31mred\\xff@example.test" in text


def test_the_numbers_add_up(fresh):
    gp = fresh
    for n in range(3):
        assert post(gp, "often@client.test", [at("ann"), at("ben")],
                    "n%d" % n) == ([250, 250], 250)
    assert post(gp, "once@client.test", [at("team")], "one")[1] == 250
    assert post(gp, "once@client.test", [at("no"), at("cat")], "two") == \
        ([550, 250], 250)
    assert post(gp, "x@client.test", ["a@elsewhere.test"], "three") == \
        ([550], None)
    directory = pid_of(gp, "directory")
    stop(directory)
    try:
        assert post(gp, "x@client.test", [at("ben")], "four") == ([451], None)
    finally:
        os.kill(directory, signal.SIGCONT)

    def complete():
        r = gp.cli_json("report", "--top", "5")
        return r if (r["received"], r["delivered"], r["deferred_in"],
                     r["rejected"]) == (5, 9, 1, 2) else None

    r = wait_until(complete, "the numbers")
    assert r["received_recipients"] == 8
    assert r["sent"] == r["bounced"] == r["held"] == r["junked"] == 0
    assert [(s["address"], s["count"]) for s in r["senders"]] == \
        [("often@client.test", 3), ("once@client.test", 2)]
    assert {(s["address"], s["count"]) for s in r["recipients"]} == \
        {(at("ann"), 4), (at("ben"), 4), (at("cat"), 1)}
    assert {(s["what"], s["code"], s["class"], s["count"])
            for s in r["reasons"]} == {
        ("rejected", "550 5.1.1", "unknown recipient", 1),
        ("rejected", "550 5.7.1", "policy", 1),
        ("deferred_in", "451 4.3.0", "our system", 1)}
    sums = {}
    for row in r["times"]:
        sums[row["what"]] = sums.get(row["what"], 0) + row["count"]
    assert sums == {"received": 5, "delivered": 9, "rejected": 2,
                    "deferred_in": 1}
    assert gp.cli_json("report", "--day", "yesterday")["received"] == 0
    assert "unknown recipient" in gp.cli("report")
    wait_until(lambda: [p for p in gp.status()["processes"]
                        if p["name"] == "track"][0]["numbers"]["events"] > 20,
               "events in status")


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_mail_does_not_wait_for_track(gp, how):
    before = gp.cli_json("report")
    first = "<first.%s@client.test>" % how
    assert post(gp, "a@client.test", [at("ann")], "first", first)[1] == 250
    when_known(gp, "deliver", "--message-id", first)
    pid = pid_of(gp, "track")
    if how == "stopped":
        stop(pid)
    else:
        os.kill(pid, signal.SIGKILL)
    subjects = [unique("%s %d" % (how, n)) for n in range(20)]
    for n, subject in enumerate(subjects):
        assert post(gp, "a@client.test", [at("ben")], subject,
                    "<%s.%d@client.test>" % (how, n))[1] == 250
    for subject in subjects:
        assert arrives(gp, "ben", PW, subject) == 1
    if how == "stopped":
        os.kill(pid, signal.SIGCONT)
    for n in (0, 19):
        mid = "<%s.%d@client.test>" % (how, n)
        when_known(gp, "accept", "--message-id", mid)
        (m,) = when_known(gp, "deliver", "--message-id", mid)
        # Sent again or not, everything is there once.
        assert sorted(steps(m)) == ["accept", "connect", "deliver"]
    r = gp.cli_json("report")
    for what in ("received", "delivered"):
        assert r[what] == before[what] + 21


def test_retention_and_a_damaged_file(fresh):
    gp = fresh
    old = "<old@client.test>"
    assert post(gp, "a@client.test", [at("ann")], "old", old)[1] == 250
    when_known(gp, "deliver", "--message-id", old)
    path = os.path.join(gp.settings["data_dir"], "track", "events.db")
    gp.stop()
    age(path, 40)
    gp.start()
    wait_until(lambda: not trace(gp, "--message-id", old), "the end of old")
    gp.stop()
    with open(path, "r+b") as f:
        f.write(b"this is no database" * 500)
    gp.start()
    new = "<new@client.test>"
    assert post(gp, "a@client.test", [at("ann")], "new", new)[1] == 250
    when_known(gp, "deliver", "--message-id", new)
    assert "track.damaged" in gp.log()
    assert os.path.exists(path.replace(".db", ".damaged"))


def age(path, days):
    import sqlite3
    db = sqlite3.connect(path)
    db.execute("UPDATE event SET at=at-?", (days * 86400000,))
    db.commit()
    db.close()
    gp_owner = os.stat(os.path.dirname(path))
    for tail in ("", "-wal", "-shm"):
        if os.path.exists(path + tail) and os.geteuid() == 0:
            os.chown(path + tail, gp_owner.st_uid, gp_owner.st_gid)


def test_not_at_all(tmp_path):
    with on_ldif(tmp_path, ["ann"], track=False) as gp:
        subject = unique("untracked")
        assert post(gp, "a@client.test", [at("ann")], subject)[1] == 250
        assert arrives(gp, "ann", PW, subject) == 1
        gp.cli("check", check=False)
        assert gp.cli_json("report")["received"] == 0


VERDICT = """
good.test.                 TXT  "v=spf1 ip4:192.0.2.7 -all"
_dmarc.good.test.          TXT  "v=DMARC1; p=reject"
rsa._domainkey.good.test.  TXT  %(rsa)s
"""


def test_received_filtered_forwarded_deferred_sent(tmp_path):
    """One message, from the connection to the mailbox here and to the server
    of the one whose mail is forwarded, is one story."""
    keys = Keys()
    dns = rig_dns.start(str(tmp_path / "dns"), VERDICT % keys.txt, ttl=300)
    later = threading.Event()
    with Sink() as sink:
        sink.on("rcpt", lambda session, line: None if later.is_set()
                else "452 4.2.2 mailbox full")
        gp = on_ldif(tmp_path, ["ann"], policy=True, dns_servers=[dns.server],
                     queue_retry_min_s=1, queue_retry_max_s=2,
                     outbound_private=True, group_open=True,
                     routes=["far.test=" + sink.hop])
        ldif.write(gp.ldif, ["ann"], [("desk", ["ann", "kim"])],
                   [ldif.user("kim", mailRoutingAddress="kim@far.test")])
        mid = "<%d.story@good.test>" % time.monotonic_ns()
        body = re.sub(rb"Message-ID: .*", b"Message-ID: " + mid.encode(),
                      message("a@good.test", at("desk"), unique("story")))
        try:
            gp.start()
            with gp.smtp(client="192.0.2.7", hello="mx.good.test") as c:
                reply = c.deliver("a@good.test", [at("desk")],
                                  keys.sign(body))
            qid = reply.lines[-1].split()[-1]
            when_known(gp, "defer", qid)
            later.set()
            sink.wait(1)
            m = wait_until(lambda: [
                m for m in trace(gp, qid) if {
                    "connect", "policy", "accept", "deliver", "send"
                } <= set(steps(m))], "all of it in the trace")[0]
            the_story(gp, m, qid, mid, sink)
        finally:
            gp.close()
            dns.stop()


def the_story(gp, m, qid, mid, sink):
    """The text, and what --json says; whoever asks, and by what."""
    by = {e["event"]: e for e in m["events"]}
    said = [e["event"] for e in m["events"]]
    assert said[:7] == ["connect", "policy", "accept", "expand", "forward",
                        "deliver", "queue"]
    tries = said[7:]  # it may have been tried more than twice
    assert len(tries) > 1 and set(tries[:-1]) == {"defer"}
    assert tries[-1] == "send"
    times = [e["time"] for e in m["events"]]
    assert times == sorted(times)
    assert by["connect"]["client"] == "192.0.2.7"
    assert by["policy"]["text"] == "spf=pass dkim=pass dmarc=pass"
    assert by["policy"]["sid"] == by["connect"]["sid"] == by["accept"]["sid"]
    assert (by["expand"]["rcpt"], by["expand"]["rcpts"]) == (at("desk"), 2)
    assert (by["deliver"]["rcpt"], by["deliver"]["text"]) == \
        (at("ann"), "INBOX")
    assert (by["forward"]["rcpt"], by["forward"]["text"]) == \
        ("kim@far.test", "for " + at("kim"))
    assert by["queue"]["text"] == "goes to kim@far.test by " + sink.hop
    for step, code in (("defer", "452 4.2.2"), ("send", "250 2.0.0")):
        assert by[step]["rcpt"] == at("kim") and by[step]["code"] == code
        assert "[127.0.0.1]" in by[step]["host"]
    assert sink.messages[0].rcpts == ["kim@far.test"]
    assert arrives(gp, "ann", PW, sink_subject(sink)) == 1
    text = gp.cli("trace", qid)
    lines = text.splitlines()
    assert lines[0] == "message " + qid
    assert [line.split()[2] for line in lines[1:]] == said
    for step, words in (
            ("policy", "spf=pass dkim=pass dmarc=pass"),
            ("queue", "goes to kim@far.test"),
            ("defer", at("kim") + " host 127.0.0.1 [127.0.0.1] "
             "452 4.2.2 mailbox full"),
            ("send", "[127.0.0.1] 250 2.0.0 Queued as SINK")):
        line = [x for x in lines if x.split()[2:3] == [step]][0]
        assert words in line, line
    for args in (["--message-id", mid], ["--from", "a@good.test"],
                 ["--to", at("desk")], ["--to", at("ann")],
                 ["--to", at("kim")], ["--since", "1h", "--to", at("kim")],
                 ["--to", "kim@far.test"]):
        assert trace(gp, *args) == [m], args
        assert gp.cli("trace", *args) == text, args


def sink_subject(sink):
    return re.search(rb"\r\nSubject: (.*?)\r\n",
                     sink.messages[0].data).group(1).decode()
