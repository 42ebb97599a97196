"""Limits by client and by user, bans, and what fail2ban makes of the log."""
import os

import pytest

from rig import ldif
from rig.gatepost import TOP
from rig.proc import RigError, run
from rig.smtp import message
from rig.wire import Wire
import setups

ANN = "ann@example.test"
PASS = ldif.PASSWORD


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    g = setups.on_ldif(
        tmp_path_factory.mktemp("limits"), auth_failures_max=3, ban_s=3600,
        client_rate_max=40, client_messages_max=5, client_recipients_max=12,
        user_messages_max=4, user_recipients_max=10, user_sessions_max=2,
        tarpit_ms=1, smtp_errors_max=10)
    try:
        yield g.start()
    finally:
        g.close()


def fail(gp, client, times):
    for _ in range(times):
        try:
            with gp.pop3(client=client) as c:
                assert c.login("ann", "wrong").code() == "AUTH"
        except (RigError, OSError):
            return True
    return False


def shut_out(gp, client):
    """From every door of access."""
    try:
        with Wire("127.0.0.1", gp.proxy_ports["submission"],
                  client=client) as c:
            line = c.line()
    except (RigError, OSError):
        return True
    assert line[:4] in (b"220 ", b"421 "), line
    return line[:4] == b"421 "


def test_a_guesser_is_shut_out_and_let_in_again(gp):
    fail(gp, "192.0.2.7", 4)
    gp.wait_log(r"event=ban client=192\.0\.2\.7 reason=auth_failures "
                r"until=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    assert shut_out(gp, "192.0.2.7")
    assert not shut_out(gp, "192.0.2.8")
    bans = gp.cli_json("ban", "list")["bans"]
    assert [(b["client"], b["process"]) for b in bans] == \
        [("192.0.2.7", "access")]
    assert 3000 < bans[0]["left_s"] <= 3600
    assert "192.0.2.7" in gp.cli("ban", "list")
    assert "banned 192.0.2.7 for" in gp.cli("status")
    access = [p for p in gp.status()["processes"] if p["name"] == "access"][0]
    assert access["bans"][0]["client"] == "192.0.2.7"
    assert access["numbers"]["bans"] == 1
    # port 25 is another process, and mail from there is no guess
    with gp.smtp(client="192.0.2.7") as c:
        assert c.greeting.code == 220
    assert "Lifted" in gp.cli("ban", "lift", "192.0.2.7")
    assert not shut_out(gp, "192.0.2.7")
    assert "Nobody" in gp.cli("ban", "list")
    assert "not banned" in gp.cli("ban", "lift", "192.0.2.7", check=False)
    assert "no address" in gp.cli("ban", "lift", "everybody", check=False)


def test_of_ipv6_a_64_is_shut_out(gp):
    for n in range(4):
        fail(gp, "2001:db8:1:2::%d" % (n + 1), 1)
    assert shut_out(gp, "2001:db8:1:2:ffff::")
    assert not shut_out(gp, "2001:db8:1:3::1")
    assert "2001:db8:1:2::/64" in gp.cli("ban", "list")
    gp.cli("ban", "lift", "2001:db8:1:2::/64")
    assert not shut_out(gp, "2001:db8:1:2:ffff::")


def test_we_ourselves_are_never_shut_out(gp):
    for _ in range(6):
        with gp.imap() as c:
            assert not c.login("ann", "wrong").ok
    with gp.imap("ann", PASS):
        pass


def test_connections_in_a_minute(gp):
    said = []
    for _ in range(45):
        try:
            with Wire("127.0.0.1", gp.proxy_ports["smtp"],
                      client="192.0.2.20") as c:
                said.append(c.line()[:3])
        except (RigError, OSError):
            said.append(b"421")
    assert said.count(b"220") >= 40 and b"421" in said, said
    gp.wait_log(r"netd\.refused why=limit client=192\.0\.2\.20")


def test_messages_of_a_client(gp):
    with gp.smtp(client="192.0.2.30") as c:
        for n in range(5):
            c.deliver("s@client.test", [ANN],
                      message("s@client.test", ANN, "m%d" % n))
        reply = c.cmd("MAIL FROM:<s@client.test>")
        assert (reply.code, reply.status) == (451, "4.7.1")
    with gp.smtp(client="192.0.2.31") as c:
        assert c.cmd("MAIL FROM:<s@client.test>").code == 250
    assert "192.0.2.30 has used 100% of its messages" in gp.cli("status")


def test_recipients_of_a_client(gp):
    three = ["%s@example.test" % n for n in ("ann", "ben", "cat")]
    with gp.smtp(client="192.0.2.40") as c:
        for n in range(4):
            c.deliver("s@client.test", three,
                      message("s@client.test", ANN, "r%d" % n))
        _, _, last = c.mail("s@client.test", three,
                            message("s@client.test", ANN, "r5"))
        assert (last.code, last.status) == (451, "4.7.1")


def test_messages_and_recipients_of_a_user(gp):
    """Wherever they come from, also from here."""
    sent = 0
    for client in (None, "192.0.2.50", None):
        with gp.submission("ben", PASS, client=client) as c:
            for _ in range(2):
                reply = c.mail("ben@example.test", [ANN], message(
                    "ben@example.test", ANN, setups.unique("user")))
                sent += reply[0].code == 250 and reply[2].code == 250
    assert sent == 4
    with gp.submission("cat", PASS) as c:
        many = ["%s@example.test" % n for n in ("ann", "ben", "cat")] * 4
        _, _, last = c.mail("cat@example.test", many,
                            message("cat@example.test", ANN, "many"))
        assert (last.code, last.status) == (451, "4.7.1")


def test_sessions_of_a_user(gp):
    with gp.imap("cat", PASS) as a, gp.pop3("cat", PASS) as b:
        with gp.imap() as c:
            assert c.login("cat", PASS).code() == "LIMIT"
        with gp.pop3() as c:
            assert c.login("cat", PASS).code() == "SYS/TEMP"
        with gp.submission() as c:
            assert c.auth_plain("cat", PASS).code == 454
        with gp.imap("ann", PASS):
            pass
        assert a.must("NOOP").ok and b.must("NOOP").ok
        b.must("QUIT")
        b.at_end()

    def again():
        with gp.imap() as c:
            return c.login("cat", PASS).ok

    setups.wait_until(again, "a seat for cat")


def test_errors_get_slower_and_do_not_hold_up_others(gp):
    with gp.smtp(client="192.0.2.60") as c:
        codes = [c.cmd("FROB").code for _ in range(9)]
        assert codes == [500] * 9
        assert c.cmd("NOOP").code == 250


def test_fail2ban_reads_the_log(gp, tmp_path):
    fail(gp, "192.0.2.99", 4)
    gp.wait_log(r"event=ban client=192\.0\.2\.99 ")
    log = tmp_path / "log"
    log.write_text("\n".join(
        line for line in gp.log().split("\n")
        if "192.0.2.99" in line or "event=rcpt" in line) + "\n")
    rules = os.path.join(TOP, "conf/fail2ban/filter.d/gatepost.conf")
    out = run(["fail2ban-regex", "--print-all-matched", str(log), rules])
    assert "1 matched" in out and "event=ban client=192.0.2.99" in out, out
    out = run(["fail2ban-regex", "--print-all-matched", str(log),
               rules + "[mode=login]"])
    assert "4 matched" in out, out
