"""Login, addresses and groups with OpenLDAP."""
import pytest

from rig import slapd
from rig.proc import wait_until
from rig.smtp import message
from setups import arrives, send_one, try_imap, unique


@pytest.mark.parametrize("name", [
    "alice", "alice.adams@example.test", "alice@example.test",
    "ALICE@Old.example.test"])
def test_every_name_logs_in(rfc, ldap, name):
    assert try_imap(rfc, name, ldap.password).ok
    with rfc.submission() as c:
        assert c.auth_plain(name, ldap.password).code == 235


@pytest.mark.parametrize("name,password", [
    ("alice", "wrong"), ("alice", ""), ("nobody", "x"), ("*", "x"),
    ("uid=alice,ou=people," + slapd.BASE, slapd.PASSWORD),
    ("locked", slapd.PASSWORD), ("engineering", "x"),
])
def test_who_does_not_log_in(rfc, name, password):
    assert try_imap(rfc, name, password).status == "NO"


@pytest.mark.parametrize("address", [
    "alice.adams@example.test", "alice@example.test",
    "alice@old.example.test", "Alice@OLD.example.test"])
def test_every_alias_is_one_mailbox(rfc, ldap, address):
    subject = unique("alias")
    assert send_one(rfc, address, subject).code == 250
    assert arrives(rfc, "alice", ldap.password, subject) == 1


@pytest.mark.parametrize("address,code", [
    ("nobody.here@example.test", 550), ("shared@example.test", 451),
    ("a@elsewhere.test", 550)])
def test_who_does_not_receive(rfc, address, code):
    assert send_one(rfc, address, unique("no")).code == code


@pytest.mark.parametrize("group,members,others", [
    ("engineering", ["alice", "bob"], ["carol"]),
    ("allhands", ["alice", "bob", "carol"], ["dave"]),
    ("loop-b", ["alice", "bob"], ["carol"]),
    ("support", ["dave", "erin", "alice"], ["bob"]),
])
def test_each_member_once(rfc, ldap, group, members, others):
    subject = unique(group)
    from_alice(rfc, ldap, group + "@example.test", subject)
    for uid in members:
        assert arrives(rfc, uid, ldap.password, subject) == 1
    for uid in others:
        assert subject not in rfc.subjects(uid, ldap.password)


def from_alice(rfc, ldap, to, subject):
    with rfc.submission("alice", ldap.password) as c:
        c.deliver("alice@example.test", [to], message(
            "alice@example.test", to, subject))


def test_a_group_larger_than_one_page(rfc, ldap):
    subject = unique("everyone")
    from_alice(rfc, ldap, "everyone@example.test", subject)
    for n in (0, 499, 500, 501, 999, 1000, slapd.MANY - 1):
        assert arrives(rfc, "many%04d" % n, ldap.password, subject) == 1


def test_new_user_gets_mail_at_once(rfc, ldap):
    ldap.add_user("fresh")
    subject = unique("new")
    assert send_one(rfc, "fresh@example.test", subject).code == 250
    assert arrives(rfc, "fresh", ldap.password, subject) == 1


def test_outage_is_temporary(rfc, ldap):
    ldap.stop()
    try:
        for address in ("alice@example.test", "never.seen@example.test"):
            assert send_one(rfc, address, unique("out")).code in (250, 451)
        assert try_imap(rfc, "bob", ldap.password).code() == "UNAVAILABLE"
    finally:
        ldap.start()
    wait_until(lambda: try_imap(rfc, "bob", ldap.password).ok, "a login")
