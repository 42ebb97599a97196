"""remote: mail to servers that behave, and to those that do not."""
import json
import os
import re
import signal
import threading
import time

import pytest

from rig import dns as rig_dns
from rig import sink as s
from rig.ca import Certificates
from rig.proc import free_ports, wait_until
from rig.remote import TEXT, Remote
from rig.sink import Sink
from setups import on_ldif

SHORT = 4000  # ms: the deadline of a call that is meant to run into it
CONNECTIONS = 40  # more than any test here needs
USERS = {"relay": "pass word"}
SMTPS = "127.0.0.25"  # a smart host with TLS from the first byte


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Certificates(str(tmp_path_factory.mktemp("ca")), ["localhost"],
                        ["127.0.0.1", SMTPS])


@pytest.fixture(scope="module")
def dns(tmp_path_factory):
    d = rig_dns.start(str(tmp_path_factory.mktemp("dns")))
    yield d
    d.stop()


@pytest.fixture(scope="module")
def smart_ports():
    return dict(zip(("plain", "tls", "bad"), free_ports(3)))


@pytest.fixture(scope="module")
def gp(tmp_path_factory, dns, ca, smart_ports):
    g = on_ldif(tmp_path_factory.mktemp("remote"), log_level="debug",
                dns_servers=[dns.server], outbound_connections=CONNECTIONS)
    secret = g.folder + "/smart.secret"
    with open(secret, "w") as f:
        f.write(USERS["relay"] + "\n")
    g.write_conf(
        smart_hosts=["127.0.0.1:%d" % p for p in smart_ports.values()]
        + [SMTPS + ":465"],
        smart_host_user="relay", smart_host_password_file=secret,
        smart_host_tls="verify", smart_host_ca_file=g.adopt(ca.ca))
    g.give_away()
    try:
        yield g.start()
    finally:
        g.close()


@pytest.fixture(scope="module")
def remote(gp):
    with Remote(gp) as r:
        yield r


@pytest.fixture
def sink():
    with Sink() as k:
        yield k


def numbers(gp):
    return next(p for p in gp.status()["processes"]
                if p["role"] == "remote")["numbers"]


def pid_of(gp):
    return next(p for p, r in gp.children() if r == "remote")


# ---- servers that behave

def test_a_message_arrives(remote, sink):
    out = remote.send(sink.hop, ["b@y.test", "c@y.test"],
                      prefix="Received: here\r\n")
    assert out.rc == "ok" and [t["rc"] for t in out.to] == ["ok", "ok"]
    assert out.first["reply"] == "250 2.0.0 Queued as SINK"
    assert out.first["code"] == 250 and out.first["from_server"]
    assert out.ip == "127.0.0.1" and out.tls == "" and not out.hop_down
    m, = sink.wait(1)
    assert m.sender == "a@x.test" and m.rcpts == ["b@y.test", "c@y.test"]
    assert m.data == b"Received: here\r\n" + TEXT.encode()
    assert m.helo == "mail.example.test"
    assert m.mail_params == {"SIZE": str(len(m.data)), "BODY": "8BITMIME"}


def test_the_blocking_form(remote, sink):
    assert remote.send(sink.hop, blocking=True).first["rc"] == "ok"


def test_dsn_parameters_are_passed_on(remote, sink):
    out = remote.send(
        sink.hop, [{"address": "b@y.test", "notify": 6,
                    "orcpt": "rfc822;b+40z.test"},
                   {"address": "c@y.test", "notify": 1}],
        ret=2, envid="QQ314159", **{"from": ""})
    assert out.first["rc"] == "ok" and out.first["dsn"]
    m, = sink.wait(1)
    assert m.sender == ""
    assert m.mail_params["RET"] == "HDRS"
    assert m.mail_params["ENVID"] == "QQ314159"
    assert m.rcpt_params == [
        {"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;b+40z.test"},
        {"NOTIFY": "NEVER"}]


def test_a_server_that_knows_nothing(remote):
    with Sink(extensions=()) as sink:
        sink.on("ehlo", "502 5.5.1 What?")
        out = remote.send(sink.hop, ["b@y.test", "c@y.test"], ret=1,
                          envid="x")
        assert [t["rc"] for t in out.to] == ["ok", "ok"]
        assert not out.first["dsn"]
        m, = sink.wait(1)
        assert m.mail_params == {} and m.data == TEXT.encode()
        assert [c.split()[0] for c in sink.commands[:6]] == \
            ["EHLO", "HELO", "MAIL", "RCPT", "RCPT", "DATA"]


def test_opportunistic_tls(remote, ca):
    with Sink(tls=ca) as sink:
        out = remote.send(sink.hop)
        assert out.first["rc"] == "ok" and out.tls == "TLS1.3 AES_256_GCM", out
        m, = sink.wait(1)
        assert m.tls and m.data == TEXT.encode()


def test_tls_that_does_not_work_is_done_without(remote, ca, gp):
    with Sink(tls=ca) as sink:
        sink.on("starttls", s.BAD_TLS)
        out = remote.send(sink.hop)
        assert out.first["rc"] == "ok" and out.tls == ""
        assert sink.connections == 2
        gp.wait_log("event=remote.no_tls")
        sink.clear()
        sink.on("starttls", "454 4.7.0 not now")
        assert remote.send(sink.hop).first["rc"] == "ok"


def test_clear_text_behind_starttls_is_an_error(remote, ca):
    with Sink(tls=ca) as sink:
        sink.on("starttls", s.Raw(b"220 go\r\n250 injected\r\n"))
        out = remote.send(sink.hop)
        assert out.first["rc"] == "temp"
        assert "STARTTLS" in out.first["reply"]
        assert sink.messages == []


def test_lmtp_answers_for_each(remote, gp):
    with Sink(lmtp=True) as sink:
        sink.on("dot", "452 4.2.2 full", match="c@")
        sink.on("dot", "550 5.7.1 no", match="d@")
        sink.on("rcpt", "550 5.1.1 who?", match="e@")
        out = remote.send(sink.hop, [n + "@y.test" for n in "bcde"])
        assert [t["rc"] for t in out.to] == ["ok", "temp", "deny", "deny"]
        assert [t["status"] for t in out.to] == \
            ["2.0.0", "4.2.2", "5.7.1", "5.1.1"]
        assert sink.wait(1)[0].rcpts == [n + "@y.test" for n in "bcd"]
        assert sink.commands[0].startswith("LHLO ")


def test_big_and_odd_bodies(remote, sink, tmp_path):
    big = b"Subject: big\r\n\r\n" + b"".join(
        b".%d %s\r\n" % (i, bytes([200, 0, 46]) * 20) for i in range(120000))
    path = tmp_path / "big"
    path.write_bytes(big)
    assert len(big) > 7 << 20
    out = remote.send(sink.hop, file=str(path))
    assert out.first["rc"] == "ok", out
    assert sink.wait(1)[0].data == big
    # what is not there cannot seem complete
    out = remote.send(sink.hop, file=str(path), size=len(big) + 1)
    assert out.rc == "bad" and len(sink.messages) == 1


@pytest.mark.parametrize("text,wire", [
    ("a\nb\rc\r\n", b"a\r\nb\r\nc\r\n.\r\n"),
    ("a\n.\nMAIL FROM:<x@y>\n", b"a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"),
    ("a\r.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
    ("", b".\r\n"),
    (".", b"..\r\n.\r\n"),
    ("\r\n.\n\r.\r\r\n", b"\r\n..\r\n\r\n..\r\n\r\n.\r\n"),
])
def test_nothing_is_smuggled_out(remote, sink, text, wire):
    assert remote.send(sink.hop, text=text).first["rc"] == "ok"
    assert sink.wait(1)[0].wire == wire


def test_an_address_cannot_carry_commands(remote, sink):
    for bad in ("b@y.test> SIZE=1", "b@y.test\r\nDATA", "b", ""):
        assert remote.send(sink.hop, [bad]).rc == "bad"
    assert sink.connections == 0


def test_a_size_limit_is_honoured(remote):
    with Sink(extensions=("SIZE 1000", "PIPELINING")) as sink:
        out = remote.send(sink.hop, text="x" * 1001 + "\r\n")
        assert out.first["rc"] == "deny" and out.first["status"] == "5.3.4"
        assert not out.first["from_server"]
        assert not any(c.startswith("MAIL") for c in sink.commands)


# ---- refusals at every step

REFUSALS = [
    # step, reply, rc, status
    ("connect", "554 5.7.1 go away", "temp", "4.7.1"),
    ("connect", "421 4.3.2 busy", "temp", "4.3.2"),
    ("connect", "521 5.3.2 no mail here", "deny", "5.3.2"),
    ("ehlo", "421 4.3.2 busy", "temp", "4.3.2"),
    ("mail", "550 5.1.8 no such sender", "deny", "5.1.8"),
    ("mail", "451 4.3.0 later", "temp", "4.3.0"),
    ("mail", "421 4.3.2 busy", "temp", "4.3.2"),
    ("rcpt", "550 5.1.1 unknown", "deny", "5.1.1"),
    ("rcpt", "550 plain old words", "deny", "5.0.0"),
    ("rcpt", "552 5.5.3 too many", "temp", "4.5.3"),
    ("rcpt", "450 4.2.0 greylisted", "temp", "4.2.0"),
    ("rcpt", "421 4.3.2 busy", "temp", "4.3.2"),
    ("rcpt", ["550 5.1.1 one", "5.1.1 two"], "deny", "5.1.1"),
    ("data", "554 5.7.1 no", "deny", "5.7.1"),
    ("data", "451 4.3.0 no", "temp", "4.3.0"),
    ("dot", "554 5.6.0 spam", "deny", "5.6.0"),
    ("dot", "451 4.3.0 disk full", "temp", "4.3.0"),
    ("dot", "421 4.3.2 busy", "temp", "4.3.2"),
    ("dot", s.Lines(3), "ok", "2.0.0"),
    ("dot", s.Slow("250 2.6.0 at last", 0.01), "ok", "2.6.0"),
]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("step,reply,rc,status", REFUSALS)
def test_refusal(remote, step, reply, rc, status, pipelining):
    with Sink(extensions=("PIPELINING",) if pipelining else ()) as sink:
        sink.on(step, reply)
        out = remote.send(sink.hop)
        assert (out.first["rc"], out.first["status"]) == (rc, status), out
        assert out.first["from_server"]
        if isinstance(reply, list):
            assert out.first["reply"] == "550 5.1.1 one two"


def test_some_recipients_are_refused(remote, sink):
    sink.on("rcpt", "550 5.1.1 unknown", match="c@")
    sink.on("rcpt", "450 4.2.0 later", match="d@")
    out = remote.send(sink.hop, [n + "@y.test" for n in "bcd"])
    assert [t["rc"] for t in out.to] == ["ok", "deny", "temp"]
    assert sink.wait(1)[0].rcpts == ["b@y.test"]


def test_354_without_recipients(remote):
    with Sink(extensions=("PIPELINING",)) as sink:
        sink.on("rcpt", "550 5.1.1 unknown")
        sink.on("data", "354 go ahead anyway")
        sink.on("dot", "554 5.5.1 nobody")
        out = remote.send(sink.hop)
        assert out.first["status"] == "5.1.1"
        assert sink.messages == []


# ---- servers that do not behave

LIES = [
    ("connect", s.Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    ("connect", s.Flood(10 << 20)),
    ("connect", s.DROP),
    ("connect", s.Raw(b"220 x\r\n250 y\r\n250 z\r\n250 z\r\n354 q\r\n")),
    ("ehlo", s.Lines(2000)),
    ("ehlo", s.Raw(b"250-x\r\n250 y\x00\xff\r\nfoo\r\n")),
    ("ehlo", s.RESET),
    ("mail", s.Raw(b"999 what\r\n")),
    ("mail", "354 go"),
    ("rcpt", s.Flood(10 << 20)),
    ("rcpt", s.DROP),
    ("data", "250 2.0.0 taken already"),
    ("data", s.Raw(b"354 go\r\n250 taken already\r\n")),
    ("body", s.DROP),
    ("body", s.Raw(b"250 2.0.0 taken already\r\n")),
    ("dot", s.Raw(b"\r\n")),
]


@pytest.mark.parametrize("step,lie", LIES)
def test_a_server_that_lies(remote, sink, tmp_path, step, lie):
    sink.on(step, lie)
    # What comes in the body must come before all of it has left.
    path = tmp_path / "body"
    path.write_bytes((b"x" * 70 + b"\r\n") * (100000 if step == "body" else 1))
    out = remote.send(sink.hop, file=str(path))
    assert out.first["rc"] == "temp", out
    assert out.first["status"].startswith("4.")
    assert all(32 <= ord(c) < 127 for c in out.first["reply"])
    assert len(out.first["reply"]) <= 1024


@pytest.mark.parametrize(
    "step", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
def test_a_server_that_stalls(remote, sink, step):
    sink.on(step, s.STALL)
    out = remote.send(sink.hop, deadline_ms=1500)
    assert out.rc == "ok" and out.first["rc"] == "temp"
    assert out.first["status"] == "4.4.2"
    assert "in time" in out.first["reply"]
    assert out.hop_down == (step in ("connect", "ehlo"))


def test_stalling_servers_hold_nothing_up(remote, gp):
    with Sink() as bad, Sink() as good:
        bad.on("dot", s.STALL)
        ids = [remote.start(bad.hop, deadline_ms=20000) for _ in range(30)]
        bad.wait_stalled(30)
        assert remote.send(good.hop).first["rc"] == "ok"
        threads = os.listdir("/proc/%d/task" % pid_of(gp))
        assert len(threads) < 12
        bad.drop_all()
        assert all(remote.wait(i).first["rc"] == "temp" for i in ids)


def test_servers_that_read_a_byte_at_a_time(remote, gp, tmp_path):
    """Their messages have their time, and it ends; others do not notice."""
    def sip(session, line):
        session.sink.stalled += 1
        while not session.sink.released.wait(0.5):
            if not session.sock.recv(1):
                break
        return s.DROP

    path = tmp_path / "m"
    path.write_bytes((b"x" * 78 + b"\r\n") * 400000)
    with Sink() as bad, Sink() as good:
        bad.on("body", sip)
        ids = [remote.start(bad.hop, file=str(path), deadline_ms=10000)
               for _ in range(5)]
        bad.wait_stalled(5)
        for _ in range(3):
            assert remote.send(good.hop).first["rc"] == "ok"
        assert remote.send(good.hop, file=str(path)).first["rc"] == "ok"
        for out in map(remote.wait, ids):
            assert (out.first["rc"], out.first["status"]) == \
                ("temp", "4.4.2"), out
            assert "no answer in time" in out.first["reply"]
        wait_until(lambda: numbers(gp)["connections"] == 0,
                   "the end of the connections")
        assert bad.messages == [] and len(good.messages) == 4


def test_the_dot_that_nobody_answers(remote, sink, gp):
    sink.on("dot", s.DROP)
    out = remote.send(sink.hop)
    assert out.first["rc"] == "temp" and out.first["status"] == "4.4.2"
    assert sink.connections == 1  # never again by itself
    gp.wait_log("event=remote.unknown")


def test_refused_early_in_the_message(remote, sink, tmp_path):
    path = tmp_path / "m"
    path.write_bytes(b"x" * 78 + b"\r\n" + b"y" * 78 + b"\r\n" * 400000)
    sink.on("body", s.Late(s.Raw(b"552 5.3.4 too big\r\n", drop=True), 1000))
    out = remote.send(sink.hop, file=str(path))
    assert (out.first["rc"], out.first["status"]) in (
        ("deny", "5.3.4"), ("temp", "4.4.2")), out


def test_nobody_listens(remote, sink):
    sink.stop_listening()
    out = remote.send(sink.hop)
    assert out.hop_down and out.first["status"] == "4.4.1"
    assert "Connection refused" in out.first["reply"]
    sink.listen_again()


# ---- connections are used again

def test_reuse_and_rset(remote, sink, gp):
    for i in range(3):
        assert remote.send(sink.hop).first["rc"] == "ok"
    assert sink.connections == 1
    assert [c for c in sink.commands if c == "RSET"] == ["RSET"] * 2
    assert numbers(gp)["reused"] >= 2
    wait_until(lambda: sink.open == 0, "the idle connection to end")
    assert sink.commands[-1] == "QUIT"


def test_reuse_inside_tls(remote, ca):
    with Sink(tls=ca) as sink:
        for i in range(6):
            assert remote.send(sink.hop).first["rc"] == "ok"
        assert sink.connections == 1 and sink.open == 1
        sink.drop_all()
        wait_until(lambda: sink.open == 0, "the end")
        assert remote.send(sink.hop).first["rc"] == "ok"
        assert sink.connections == 2


def test_a_dead_connection_is_replaced(remote, sink):
    assert remote.send(sink.hop).first["rc"] == "ok"
    sink.on("rset", s.DROP)
    assert remote.send(sink.hop).first["rc"] == "ok"
    assert sink.connections == 2
    sink.clear()
    sink.on("rset", "421 4.4.2 bored")
    assert remote.send(sink.hop).first["rc"] == "ok"
    assert sink.connections == 3


@pytest.mark.parametrize("line", [
    "421 4.7.0 too many messages", "250 2.0.0 nobody asked", "nonsense"])
def test_words_to_an_idle_connection(remote, sink, line):
    """Its message is long over; what is said is about nobody."""
    assert remote.send(sink.hop).first["rc"] == "ok"
    sink.say_all(line)
    wait_until(lambda: sink.open == 0, "the end of the connection")
    assert remote.send(sink.hop).first["rc"] == "ok"
    assert sink.connections == 2


def test_not_again_when_the_dot_was_sent(remote, sink):
    assert remote.send(sink.hop).first["rc"] == "ok"
    sink.on("dot", s.DROP)
    assert remote.send(sink.hop).first["rc"] == "temp"
    assert sink.connections == 1 and len(sink.messages) == 1


# ---- asked twice

def test_the_same_id_gives_the_first_result(remote, sink, gp):
    out = remote.send(sink.hop, id="twice")
    again = remote.start(sink.hop, id="twice")
    assert remote.wait(again, 2).first == out.first
    assert len(sink.messages) == 1
    assert numbers(gp)["repeated"] >= 1


def test_the_same_id_attaches_to_what_runs(remote, sink):
    go = s.threading.Event()
    sink.on("dot", lambda session, line: go.wait(60) and None)
    remote.start(sink.hop, id="both")
    wait_until(lambda: sink.commands and sink.commands[-1] == "DATA", "DATA")
    remote.start(sink.hop, id="both")
    time.sleep(0.05)
    go.set()
    assert remote.wait("both", 1).first == remote.wait("both", 2).first
    assert len(sink.messages) == 1


# ---- smart hosts

def test_a_smart_host(remote, ca, smart_ports):
    with Sink(tls=ca, users=USERS, port=smart_ports["plain"]) as sink:
        out = remote.send(sink.hop)
        assert out.first["rc"] == "ok" and out.tls.startswith("TLS1.3")
        m, = sink.wait(1)
        assert m.user == "relay" and m.tls


def test_a_smart_host_with_auth_login(remote, ca, smart_ports):
    with Sink(tls=ca, users=USERS, port=smart_ports["plain"]) as sink:
        sink.on("ehlo", lambda c, line:
                ["250 x", "AUTH LOGIN"] if c.tls else None)
        assert remote.send(sink.hop).first["rc"] == "ok"
        assert sink.wait(1)[0].user == "relay"


def test_the_password_stays_here_without_tls(remote, smart_ports, gp):
    with Sink(users=USERS, port=smart_ports["plain"]) as sink:
        out = remote.send(sink.hop)
        assert out.first["rc"] == "temp" and out.first["status"] == "4.7.4"
        assert not any(c.startswith("AUTH") for c in sink.commands)
    assert USERS["relay"] not in gp.log()


def test_a_wrong_password_is_nobodys_fault(remote, ca, smart_ports):
    with Sink(tls=ca, users={"relay": "other"},
              port=smart_ports["plain"]) as sink:
        out = remote.send(sink.hop)
        assert out.first["rc"] == "temp" and out.first["code"] == 535


def test_a_certificate_of_somebody_else(remote, smart_ports, tmp_path):
    other = Certificates(str(tmp_path / "other"), ["localhost"])
    with Sink(tls=other, users=USERS, port=smart_ports["bad"]) as sink:
        out = remote.send(sink.hop)
        assert out.first["rc"] == "temp" and out.first["status"] == "4.7.5"
        assert "certificate" in out.first["reply"]
        assert not any(c.startswith("AUTH") for c in sink.commands)


def test_a_check_logs_in_to_smart_hosts(tmp_path, ca):
    """Nothing is sent; what is wrong is said in the server's words."""
    with Sink(tls=ca, users=USERS) as good, \
            Sink(tls=ca, users={"relay": "other"}) as bad, \
            Sink(tls=Certificates(str(tmp_path / "other"), ["localhost"]),
                 users=USERS) as alien:
        g = on_ldif(tmp_path, smart_host_tls="verify", smart_host_user="relay")
        secret = g.folder + "/smart.secret"
        with open(secret, "w") as f:
            f.write(USERS["relay"] + "\n")
        hosts = ["127.0.0.1:%d" % k.port for k in (good, bad, alien)]
        dead = "127.0.0.1:%d" % free_ports(1)[0]
        g.write_conf(smart_host_ca_file=g.adopt(ca.ca), smart_hosts=hosts[:1],
                     smart_host_password_file=secret)
        g.give_away()
        try:
            g.start()
            line = smart_lines(g)[hosts[0]]
            assert line["grade"] == "good"
            assert re.fullmatch("ready, by TLS1.3 .*, logged in as relay",
                                line["found"])
            assert good.messages == [] and not any(
                c.startswith("MAIL") for c in good.commands)
            g.write_conf(smart_hosts=hosts + [dead])
            g.reload()
            lines = smart_lines(g)
            assert lines[hosts[0]]["grade"] == "good"
            for host, words in ((hosts[1], "^535 (?!535)"), (dead, "refused"),
                                (hosts[2], "certificate")):
                assert lines[host]["grade"] == "FAILED"
                assert re.search(words, lines[host]["found"]), lines[host]
            assert "remote.deferred" not in g.log()
        finally:
            g.close()


def test_a_check_asks_smart_hosts_side_by_side(tmp_path):
    """Each greets when all have been called: who waits his turn never is."""
    together = threading.Barrier(3)

    def greet(session, line):
        try:
            together.wait(5)
        except threading.BrokenBarrierError:
            return s.DROP

    with Sink() as a, Sink() as b, Sink() as c:
        hosts = []
        for sink in (c, a, b):
            sink.on("connect", greet)
            hosts.append("127.0.0.1:%d" % sink.port)
        g = on_ldif(tmp_path, smart_host_tls="may", smart_hosts=hosts)
        try:
            g.start()
            lines = smart_lines(g)
            assert list(lines) == hosts
            assert [x["grade"] for x in lines.values()] == ["good"] * 3, lines
        finally:
            g.close()


def smart_lines(g):
    out = g.cli("--json", "check", check=False)
    lines = json.loads(out[out.index("["):])
    return {x["tried"].split()[-1]: x for x in lines
            if x["tried"].startswith("smart host ")}


def test_certificates_are_checked_from_a_reload_on(tmp_path, ca):
    """Of a process that began without: it has whom to trust all the same."""
    other = Certificates(str(tmp_path / "other"), ["localhost"])
    with Sink(tls=ca) as good, Sink(tls=other) as bad:
        g = on_ldif(tmp_path, smart_host_tls="encrypt", smart_hosts=[
            "127.0.0.1:%d" % k.port for k in (good, bad)])
        g.write_conf(smart_host_ca_file=g.adopt(ca.ca))
        try:
            g.start()
            with Remote(g) as r:
                for sink in (good, bad):
                    out = r.send(sink.hop)
                    assert out.first["rc"] == "ok" and out.tls, out
                g.write_conf(smart_host_tls="verify")
                g.cli("reload")
                out = r.send(bad.hop)
                assert (out.first["rc"], out.first["status"]) == \
                    ("temp", "4.7.5"), out
                assert "certificate" in out.first["reply"]
                assert r.send(good.hop).first["rc"] == "ok"
                assert len(bad.messages) == 1 and len(good.messages) == 2
        finally:
            g.close()


def test_a_smart_host_inside_tls(remote, ca, tmp_path):
    """Port 465; and 30 MB through it."""
    if not can_bind(SMTPS, 465):
        pytest.skip("needs port 465")
    line = b".%07d " + b"x" * 68 + b"\r\n"
    path = tmp_path / "big"
    path.write_bytes(b"Subject: big\r\n\r\n" + b"".join(
        line % i for i in range((30 << 20) // 78)))
    with Sink(host=SMTPS, port=465, tls=ca, implicit=True,
              users=USERS) as sink:
        out = remote.send(sink.hop)
        assert out.first["rc"] == "ok" and out.tls.startswith("TLS1.3"), out
        m, = sink.wait(1)
        assert m.user == "relay" and m.data == TEXT.encode()
        assert "STARTTLS" not in sink.commands
        out = remote.send(sink.hop, file=str(path))
        assert out.first["rc"] == "ok", out
        assert sink.wait(2)[1].data == path.read_bytes()
        assert sink.connections == 1


def test_tls_is_not_spoken_to_a_plain_465(remote, gp):
    if not can_bind(SMTPS, 465):
        pytest.skip("needs port 465")
    with Sink(host=SMTPS, port=465, users=USERS) as sink:
        out = remote.send(sink.hop, deadline_ms=SHORT)
        assert out.first["rc"] == "temp", out
        assert not any("AUTH" in c for c in sink.commands)
    assert USERS["relay"] not in gp.log()


# ---- names and addresses

def can_bind(host, port):
    try:
        Sink(host=host, port=port).close()
        return True
    except OSError:
        return False


VERDICTS = [
    # domain, rc, status, words
    ("nx.test", "deny", "5.1.2", "does not exist"),
    ("null.test", "deny", "5.1.10", "null MX"),
    ("dangling.test", "deny", "5.4.4", "no host"),
    ("private.test", "deny", "5.4.4", "no public address"),
    ("mapped.test", "deny", "5.4.4", "no public address"),
    ("implicit.test", "deny", "5.4.4", "no public address"),
    ("[10.1.2.3]", "deny", "5.4.4", "no public address"),
    ("loop.test", "deny", "5.4.6", "comes back to us"),
    ("x.servfail.test", "temp", "4.4.3", "no answer from the DNS"),
    ("lame.test", "temp", "4.4.3", "no answer from the DNS"),
    ("text.test", "deny", "5.4.4", "no host"),
]


@pytest.mark.parametrize("domain,rc,status,words", VERDICTS)
def test_what_dns_says(remote, dns, domain, rc, status, words):
    dns.set('''
        null.test.      MX 0 .
        dangling.test.  MX 10 gone.dangling.test.
        private.test.   MX 10 a.private.test.
        private.test.   MX 20 b.private.test.
        a.private.test. A 10.0.0.1
        a.private.test. A 127.0.0.1
        b.private.test. AAAA fe80::1
        b.private.test. AAAA fd00::1
        mapped.test.    MX 10 a.mapped.test.
        a.mapped.test.  AAAA ::ffff:192.168.0.1
        implicit.test.  A 192.168.1.1
        loop.test.      MX 10 mail.example.test.
        loop.test.      MX 20 a.private.test.
        lame.test.      MX 10 x.servfail.test.
        text.test.      MX 10 192.0.2.1.
    ''')
    out = remote.send("mx:" + domain, deadline_ms=20000)
    assert (out.first["rc"], out.first["status"]) == (rc, status), out
    assert words in out.first["reply"]
    assert not out.first["from_server"]
    if domain == "null.test":
        assert out.first["code"] == 556


def test_a_configured_hop_without_address_waits(remote):
    out = remote.send("smtp:gone.nx.test:25")
    assert (out.first["rc"], out.first["status"]) == ("temp", "4.4.4")
    assert out.hop_down


@pytest.mark.skipif(not can_bind("127.0.0.2", 25), reason="needs port 25")
def test_mx_by_preference(remote, dns, gp):
    dns.set('''
        pref.test.       MX 30 c.pref.test.
        pref.test.       MX 10 a.pref.test.
        pref.test.       MX 20 b.pref.test.
        a.pref.test.     A 127.0.0.2
        b.pref.test.     A 127.0.0.3
        c.pref.test.     A 127.0.0.4
        self.test.       MX 10 a.pref.test.
        self.test.       MX 20 mail.example.test.
        self.test.       MX 30 b.pref.test.
        plain.test.      A 127.0.0.2
    ''')
    gp.write_conf(outbound_private=True)
    gp.reload()
    with Sink(host="127.0.0.2", port=25) as a, \
            Sink(host="127.0.0.3", port=25) as b:
        out = remote.send("mx:pref.test")
        assert out.ip == "127.0.0.2" and out.host == "a.pref.test"
        assert remote.send("mx:plain.test").ip == "127.0.0.2"
        for step, action in (
                ("connect", s.DROP), ("connect", "554 5.7.1 no"),
                ("mail", "451 4.3.0 later"), ("rcpt", "421 4.3.2 busy"),
                ("data", s.DROP)):
            a.drop_all()
            a.clear()
            b.messages.clear()
            a.on(step, action)
            out = remote.send("mx:pref.test")
            assert out.first["rc"] == "ok", (step, out)
            assert out.ip == "127.0.0.3" and len(b.messages) == 1
            b.drop_all()
        # a verdict is one: the backup is not asked
        a.clear()
        a.on("rcpt", "450 4.2.0 greylisted")
        assert remote.send("mx:pref.test").first["status"] == "4.2.0"
        a.clear()
        a.on("dot", s.DROP)
        assert remote.send("mx:pref.test").first["rc"] == "temp"
        assert len(b.messages) == 1
        # better ones than ours only
        a.clear()
        a.on("connect", s.DROP)
        a.drop_all()
        assert remote.send("mx:self.test").first["rc"] == "temp"
        a.clear()
        assert remote.send("mx:self.test").first["rc"] == "ok"


# ---- no more connections than allowed

def test_jobs_wait_for_a_connection(remote, sink, gp):
    go, held, most = s.threading.Event(), [], []

    def gate(session, line):
        most.append(sink.open)
        held.append(session)
        go.wait(60)

    sink.on("dot", gate)
    ids = [remote.start(sink.hop, ["b%d@y.test" % i])
           for i in range(CONNECTIONS)]
    wait_until(lambda: len(held) == CONNECTIONS, "all to be at the dot")
    late = remote.send(sink.hop, deadline_ms=1500)  # no turn in its time
    assert (late.first["rc"], late.first["status"]) == ("temp", "4.4.5")
    ids += [remote.start(sink.hop, ["c%d@y.test" % i]) for i in range(12)]
    assert remote.send("smtp:127.0.0.1:1", deadline_ms=1500).first[
        "status"] == "4.4.5"  # whatever the hop
    assert numbers(gp)["connections"] == CONNECTIONS
    go.set()
    assert {remote.wait(i).first["rc"] for i in ids} == {"ok"}
    assert len(sink.wait(len(ids))) == len(ids)
    assert max(most) <= CONNECTIONS


# ---- the process

def test_killed_in_the_middle(remote, sink, gp):
    sink.on("dot", s.STALL)
    ident = remote.start(sink.hop)
    sink.wait_stalled()
    os.kill(pid_of(gp), signal.SIGKILL)
    assert remote.wait(ident).rc == "temp"
    sink.clear()
    wait_until(lambda: remote.send(sink.hop).rc == "ok", "remote to be back")


def test_check(gp):
    text = gp.cli("check", check=False)
    assert "remote asks the DNS" in text
