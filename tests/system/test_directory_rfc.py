"""The directory process alone, with OpenLDAP."""
import threading
import time

import pytest

import drive
from rig import slapd
from rig.proc import wait_until


@pytest.fixture(scope="module")
def d(ldap, tmp_path_factory):
    driver = drive.on_openldap(ldap, tmp_path_factory.mktemp("rfc"))
    yield driver
    driver.close()


def test_addresses(d):
    answers = d.rcpts("alice.adams@example.test", "alice@OLD.example.test",
                      "nobody.here@example.test", "shared@example.test",
                      "locked@example.test")
    assert [a.rc for a in answers] == ["ok", "ok", "noent", "temp", "ok"]
    assert answers[0].id == answers[1].id


@pytest.mark.parametrize("name,password,rc", [
    ("alice", slapd.PASSWORD, "ok"), ("ALICE", slapd.PASSWORD, "ok"),
    ("alice.adams@example.test", slapd.PASSWORD, "ok"),
    ("alice@old.example.test", slapd.PASSWORD, "ok"),
    ("alice", "wrong", "deny"), ("alice", "", "deny"),
    ("*", slapd.PASSWORD, "deny"), ("nobody", "x", "deny"),
    ("locked", slapd.PASSWORD, "deny"),
    (slapd.user_dn("alice"), slapd.PASSWORD, "deny")])
def test_logins(d, name, password, rc):
    assert d.login(name, password).rc == rc


@pytest.mark.parametrize("group,members", [
    ("engineering", ["alice", "bob"]),
    ("allhands", ["alice", "bob", "carol"]), ("loop-b", ["alice", "bob"]),
    ("support", ["dave", "erin", "alice"])])
def test_each_member_once(d, group, members):
    got = sorted(m.id for m in d.members(group + "@example.test"))
    assert got == sorted(
        x.id for x in d.rcpts(*[m + "@example.test" for m in members]))


def test_a_large_group(d):
    assert len(d.members("everyone@example.test")) == slapd.MANY


def test_a_second_server_takes_over(ldap, tmp_path, scratch):
    first = slapd.start(scratch + "/first")
    d = drive.on_openldap(ldap, tmp_path, ldap_servers=[first.uri, ldap.uri])
    try:
        with open(d.conf, encoding="utf-8") as f:
            assert first.ca != ldap.ca and ldap.ca in f.read()
        # the first has a certificate that nobody vouches for
        assert d.rcpt("alice@example.test").rc == "ok"
        assert d.login("alice", ldap.password).rc == "ok"
        d.wait_log("connect_failed.*TLS handshake")
    finally:
        d.close()
        first.close()


def test_an_unreachable_server_costs_no_call(ldap, tmp_path):
    d = drive.on_openldap(ldap, tmp_path, directory_timeout_ms=3000,
                          ldap_servers=["ldap://127.0.0.1:9", ldap.uri])
    try:
        for n in range(50):
            assert d.rcpt("many%04d@example.test" % n).rc == "ok"
    finally:
        d.close()


def test_restart_between_questions(ldap, tmp_path):
    d = drive.on_openldap(ldap, tmp_path)
    try:
        for _ in range(3):
            assert d.login("bob", ldap.password).rc == "ok"
            ldap.stop()
            began = time.monotonic()
            assert d.rcpt("carol@example.test").rc == "temp"
            assert d.login("bob", ldap.password).rc == "temp"
            assert time.monotonic() - began < 30    # it has a deadline
            ldap.start()
            wait_until(lambda: d.rcpt("bob@example.test").rc == "ok",
                       "an answer")
            wait_until(lambda: d.login("bob", ldap.password).rc == "ok",
                       "a login")
    finally:
        if not ldap.daemon:
            ldap.start()
        d.close()


def test_scope_filter(ldap, tmp_path):
    d = drive.on_openldap(ldap, tmp_path, scope_filter="(cn=Alice*)")
    try:
        assert d.rcpt("alice@example.test").rc == "ok"
        assert d.rcpt("bob@example.test").rc == "noent"
        assert d.login("bob", ldap.password).rc == "deny"
        assert [m.address for m in d.members("engineering@example.test")] == [
            "alice.adams@example.test"]
        assert "scope_filter" in "\n".join(
            d.ask("explain", "rcpt", "bob@example.test"))
    finally:
        d.close()


def test_many_at_once_while_the_server_restarts(ldap, tmp_path):
    """Right answers or "not now", never a wrong one."""
    d = drive.on_openldap(ldap, tmp_path, directory_timeout_ms=1000)
    question = ["alice", ldap.password] + [
        "many%04d@example.test" % n for n in range(200)]
    answers = []

    def ask():
        for _ in range(4):
            answers.extend(d.ask("storm", "8", "150", *question))

    thread = threading.Thread(target=ask)
    try:
        assert d.login("alice", ldap.password).rc == "ok"
        thread.start()
        # here, because a server ends with the thread that started it
        while thread.is_alive():
            ldap.stop()
            ldap.start()
            time.sleep(0.2)
        for line in answers:
            ok, temp, other = map(int, line.split("\t"))
            assert other == 0 and ok + temp == 8 * 150 * 2
        wait_until(lambda: d.ask("storm", "8", "50", *question) ==
                   ["800\t0\t0"], "all answers")
    finally:
        thread.join()
        d.close()
