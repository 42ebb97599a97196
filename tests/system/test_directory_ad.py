"""The directory process alone, with Active Directory."""
import pytest

import drive
from rig import ad_people
from rig.proc import wait_until


@pytest.fixture(scope="module")
def d(dc):
    driver = drive.on_ad(dc)
    yield driver
    driver.close()


def ids(answers):
    return sorted(a.id for a in answers)


def test_one_call_for_many_recipients(d):
    answers = d.rcpts("alice@example.test", "nobody.here@example.test",
                      "shared@example.test", "a@elsewhere.test",
                      "moved.ved@example.test", "sales@example.test",
                      authenticated=True)
    assert [a.rc for a in answers] == [
        "ok", "noent", "temp", "bad", "ok", "ok"]
    assert [a.kind for a in answers] == ["1", "0", "0", "0", "3", "2"]
    assert answers[4].route == "moved@elsewhere.example.org"


def test_a_thousand_in_one_call(d):
    answers = d.rcpts(*["%s@example.test" % ad_people.big_account(n)
                        for n in range(1000)])
    assert {a.rc for a in answers} == {"ok"}
    assert len({a.id for a in answers}) == 1000


@pytest.mark.parametrize("name", [
    "alice@corp.example.test", "alice", "CORP\\alice", "corp\\ALICE",
    "alice.adams@example.test", "A.Adams@example.test"])
def test_every_form_of_the_name(d, dc, name):
    account = d.login(name, dc.password)
    assert (account.rc, account.login) == ("ok", "alice")
    assert account.id == d.rcpt("alice@example.test").id


@pytest.mark.parametrize("account,code", [
    ("disabled", "533"), ("locked", "775"), ("mustchange", "773"),
    ("expired", "701"), ("pwexpired", "532")])
def test_the_log_has_the_reason(d, dc, account, code):
    assert d.login(account, dc.password).rc == "deny"
    d.wait_log(r"login\.\w+ .*%s.*code=%s" % (account, code))


@pytest.mark.parametrize("account,says", [
    ("disabled", "userAccountControl"), ("expired", "accountExpires"),
    ("locked", "locked out"), ("mustchange", "pwdLastSet"),
    ("pwexpired", "password has expired"), ("homed", "homeMDB"),
    ("alice", "may log in with its password")])
def test_explain_knows_what_the_directory_would_say(d, account, says):
    assert says in "\n".join(d.ask("explain", "login", account))


@pytest.mark.parametrize("group,members", [
    ("sales", ["erin", "frank", "bob"]),
    ("allhands", ["alice", "bob", "carol", "erin", "frank", "grace"]),
    ("loop-a", ["alice", "bob", "carol"]),
    ("visitors", ["heidi", "guest1", "guest2"]),
    ("empty", [])])
def test_each_member_once(d, group, members):
    assert ids(d.members(group + "@example.test")) == ids(
        d.rcpts(*[m + "@example.test" for m in members]) if members else [])


def test_contacts_and_moved_people_are_elsewhere(d):
    partners = d.members("partners@example.test")
    assert sorted(m.address for m in partners if m.kind == "3") == [
        "one@partner.example.net", "two@partner.example.net"]
    assert [m.kind for m in d.members("elsewhere@example.test")].count(
        "3") == 2


def test_1600_members(d):
    members = d.members("big-list@example.test")
    assert len({m.id for m in members}) == ad_people.BIG == len(members)


def test_a_ticket_is_good_once_for_its_service(d, dc):
    ticket = d.login("bob", dc.password).ticket
    redeem = drive.Account(d.ask("redeem", ticket, "imap")[0])
    assert (redeem.rc, redeem.login) == ("ok", "bob")
    assert d.ask("redeem", ticket, "imap") == ["deny"]
    ticket = d.login("bob", dc.password).ticket
    assert d.ask("redeem", ticket, "smtp") == ["deny"]


def test_who_may_send_as_what(d):
    alice = d.rcpt("alice@example.test").id
    assert d.ask("send", alice, "alice@example.test",
                 "A.ADAMS@example.test", "bob@example.test",
                 "alice@elsewhere.test", "sales@example.test") == [
                     "ok", "ok", "deny", "deny", "deny"]


@pytest.mark.parametrize("authzid,rc", [
    ("", "ok"), ("alice", "ok"), ("alice.adams@example.test", "ok"),
    ("bob", "deny")])
def test_kerberos(d, dc, tmp_path, authzid, rc):
    cache = str(tmp_path / "cc")
    dc.ticket("alice", cache)
    account = d.gssapi(cache, "imap", dc.mail_host, authzid)
    assert account.rc == rc
    if rc == "ok":
        assert (account.login, len(account.ticket)) == ("alice", 64)


def test_kerberos_is_not_touched_by_the_guard(d, dc, tmp_path):
    for n in range(5):
        assert d.login("grace", "wrong %d" % n, ip="198.51.100.7").rc == \
            "deny"
    assert d.login("grace", dc.password, ip="198.51.100.9").rc == "temp"
    dc.unlock("grace")  # five is this domain's own limit
    assert d.login("grace", dc.password, ip="203.0.113.1").rc == "ok"
    cache = str(tmp_path / "cc")
    dc.ticket("grace", cache)
    assert d.gssapi(cache, "smtp", dc.mail_host).rc == "ok"


def test_the_same_wrong_password_does_not_lock(d, dc):
    """The domain locks after five; only one of these reaches it."""
    for _ in range(8):
        assert d.login("lockme", "old password", ip="192.0.2.50").rc == "deny"
    assert d.login("lockme", dc.password, ip="192.0.2.50").rc == "ok"


def test_a_new_password_counts_at_once(d, dc):
    dc.add_user("renewed")
    assert d.login("renewed", "N3xt-Pass-word").rc == "deny"
    dc.db.password("renewed", "N3xt-Pass-word")
    assert d.login("renewed", "N3xt-Pass-word").rc == "ok"


def test_check_is_content(d):
    lines = d.ask("check")
    assert not [x for x in lines if x.startswith("F")], lines


def test_without_tls_no_password_is_sent(dc):
    d = drive.on_ad(dc, ldap_tls="none")
    try:
        assert d.rcpt("alice@example.test").rc == "ok"
        assert d.login("alice", dc.password).rc == "temp"
        d.wait_log("reason=no_tls")
    finally:
        d.close()


def test_simple_bind_over_ldaps(dc, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(dc.password + "\n")
    d = drive.on_ad(dc, ldap_bind="simple", ldap_bind_dn=dc.reader_dn,
                    ldap_password_file=str(secret), ldap_tls="ldaps")
    try:
        assert d.rcpt("alice@example.test").rc == "ok"
        assert d.login("alice", dc.password).rc == "ok"
    finally:
        d.close()


def test_a_certificate_of_another_authority(dc, tmp_path):
    other = tmp_path / "other.pem"
    from rig.ca import Certificates
    other.write_bytes(open(Certificates(str(tmp_path / "x")).ca,
                           "rb").read())
    d = drive.on_ad(dc, ldap_ca_file=str(other))
    try:
        assert d.login("alice", dc.password).rc == "temp"
        d.wait_log("TLS handshake")
    finally:
        d.close()


def test_scope_of_a_nested_group(dc):
    d = drive.on_ad(dc, scope_group="CN=allhands,OU=Groups," + dc.base)
    try:
        assert d.rcpt("alice@example.test").rc == "ok"
        assert d.rcpt("bob@example.test").rc == "ok"
        assert d.rcpt("dave@example.test").rc == "noent"
        assert d.login("dave", dc.password).rc == "deny"
        assert d.login("bob", dc.password).rc == "ok"
    finally:
        d.close()


def test_the_controller_goes_and_comes_back(dc):
    d = drive.on_ad(dc)
    try:
        assert d.rcpt("alice@example.test").rc == "ok"
        dc.stop()
        try:
            assert d.rcpt("erin@example.test").rc == "temp"
            assert d.login("erin", dc.password).rc == "temp"
            assert d.ask("expand", "0" * 36) == ["temp"]
        finally:
            dc.start()
        wait_until(lambda: d.rcpt("erin@example.test").rc == "ok", "a look-up")
        wait_until(lambda: d.login("erin", dc.password).rc == "ok", "a login")
    finally:
        d.close()
