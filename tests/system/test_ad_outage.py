"""The domain controller goes away, hangs, and comes back."""
import pytest

from rig.proc import wait_until
from setups import arrives, on_ad, send_one, try_imap, unique


@pytest.fixture
def gp(dc):
    g = on_ad(dc, directory_timeout_ms=2000)
    try:
        yield g.start()
    finally:
        g.close()


def recovered(gp, dc, account="dave"):
    wait_until(lambda: try_imap(gp, account, dc.password).ok, "a login")
    subject = unique("again")
    wait_until(lambda: send_one(gp, "dave.davis@example.test",
                                subject).code == 250, "a delivery")
    assert arrives(gp, account, dc.password, subject)


ADDRESSES = ["dave.davis@example.test", "nobody.here@example.test",
             "sales@example.test", "shared@example.test"]


def ask_all(gp, dc):
    """What is said without a directory; never that somebody is unknown."""
    for address in ADDRESSES * 2:
        with gp.smtp() as c:
            c.must("MAIL FROM:<a@client.test>")
            reply = c.cmd("RCPT TO:<%s>" % address)
            assert reply.code in (250, 451), (address, reply)
    answer = try_imap(gp, "dave", dc.password)
    assert answer.status == "NO" and answer.code() == "UNAVAILABLE"
    with gp.submission() as c:
        assert c.auth_plain("dave", dc.password).code == 454


def test_stopped_and_started(gp, dc):
    recovered(gp, dc)
    dc.stop()
    try:
        ask_all(gp, dc)
    finally:
        dc.start()
    recovered(gp, dc)


def test_started_while_the_directory_is_away(dc):
    dc.stop()
    gp = on_ad(dc, directory_timeout_ms=2000)
    try:
        gp.start()
        ask_all(gp, dc)
        dc.start()
        recovered(gp, dc)
    finally:
        if not dc.daemon:
            dc.start()
        gp.close()


def test_frozen(gp, dc):
    recovered(gp, dc)
    dc.freeze()
    try:
        ask_all(gp, dc)
    finally:
        dc.thaw()
    recovered(gp, dc)


def test_fail_over_to_the_second_server(dc):
    gp = on_ad(dc, directory_timeout_ms=2000,
               ldap_servers=["ldap://127.0.11.99", dc.uri])
    try:
        gp.start()
        recovered(gp, dc)
    finally:
        gp.close()


def test_an_open_session_outlives_the_directory(gp, dc):
    recovered(gp, dc)
    with gp.imap("dave", dc.password) as c:
        c.select()
        dc.stop()
        try:
            assert c.must("NOOP").ok
            assert c.must("FETCH 1 FLAGS").lines("FETCH")
        finally:
            dc.start()
        c.must("LOGOUT")
    recovered(gp, dc)
