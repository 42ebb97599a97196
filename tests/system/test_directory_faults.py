"""What a directory can do wrong, shown by the stub: never a permanent no."""
import os

import pytest

from rig import ldapstub
from rig.gatepost import Gatepost
from rig.proc import wait_until
from rig.smtp import message
from setups import arrives, send_one, try_imap, unique

MEMBERS, AT_A_TIME = 320, 100


@pytest.fixture(scope="module")
def stub(scratch):
    people = [ldapstub.user("m%04d" % n) for n in range(MEMBERS)]
    named = [ldapstub.user(n) for n in ("ann", "ben", "cat", "reader")]
    groups = [ldapstub.group("big", [dn for dn, _ in people]),
              ldapstub.group("team", [dn for dn, _ in named[:3]])]
    server = ldapstub.start(os.path.join(scratch, "stub"),
                            named + people + groups)
    yield server
    server.close()


@pytest.fixture(scope="module")
def module_gp(stub):
    gp = Gatepost()
    secret = os.path.join(gp.folder, "reader.secret")
    with open(secret, "w") as f:
        f.write(stub.password + "\n")
    gp.write_conf(
        domains=["stub.test"], postmaster="ann@stub.test",
        directory="ldap", directory_profile="ad",
        ldap_servers=[stub.ldaps], ldap_tls="ldaps",
        ldap_ca_file=gp.adopt(stub.ca), ldap_base=stub.base,
        ldap_bind="simple",
        ldap_bind_dn="CN=reader,OU=Staff," + stub.base,
        ldap_password_file=secret, directory_timeout_ms=1500)
    gp.give_away()
    try:
        yield gp.start()
    finally:
        gp.close()


@pytest.fixture
def gp(module_gp, stub):
    """Healthy before and after each test."""
    yield module_gp
    stub.behave = ldapstub.Behaviour()
    stub.drop_connections()
    wait_until(lambda: try_imap(module_gp, "cat", stub.password).ok,
               "a login after the fault")


def nobody():
    return unique("nobody").replace(" ", ".") + "@stub.test"


def test_healthy(gp, stub):
    subject = unique("healthy")
    assert send_one(gp, "ann@stub.test", subject).code == 250
    assert arrives(gp, "ann", stub.password, subject) == 1
    assert send_one(gp, nobody(), subject).code == 550


def test_members_beyond_what_one_answer_holds(gp, stub):
    stub.behave.max_values = AT_A_TIME
    subject = unique("big")
    with gp.submission("ann", stub.password) as c:
        c.deliver("ann@stub.test", ["big@stub.test"], message(
            "ann@stub.test", "big@stub.test", subject))
    for n in (0, 99, 100, 199, 200, 299, 300, MEMBERS - 1):
        assert arrives(gp, "m%04d" % n, stub.password, subject) == 1


def test_an_empty_password_never_reaches_the_directory(gp, stub):
    before = len(stub.binds())
    assert try_imap(gp, "ann", "").status == "NO"
    assert "CN=ann,OU=Staff," + stub.base not in [
        b[1] for b in stub.binds()[before:]]


def test_passwords_are_sent_inside_tls_only(gp, stub):
    assert try_imap(gp, "ben", stub.password).ok
    assert all(tls for _, _, tls in stub.binds())


def temporary(gp, stub, user="ben"):
    assert send_one(gp, nobody(), unique("x")).code == 451
    answer = try_imap(gp, user, stub.password)
    assert (answer.status, answer.code()) == ("NO", "UNAVAILABLE"), answer
    with gp.submission() as c:
        assert c.auth_plain(user, stub.password).code == 454


def test_mute(gp, stub):
    stub.behave.mute = True
    temporary(gp, stub)


def test_late(gp, stub):
    stub.behave.gate.clear()
    temporary(gp, stub)
    stub.behave.gate.set()


@pytest.mark.parametrize("code", [
    ldapstub.BUSY, ldapstub.UNAVAILABLE, 1, 3, 11, 50, 80])
def test_search_fails(gp, stub, code):
    stub.behave.search_code = code
    temporary(gp, stub)


@pytest.mark.parametrize("code", [ldapstub.BUSY, ldapstub.UNAVAILABLE, 1])
def test_bind_fails(gp, stub, code):
    stub.behave.bind_code = code
    answer = try_imap(gp, "ben", stub.password)
    assert (answer.status, answer.code()) == ("NO", "UNAVAILABLE"), answer


# the shortest whole answer has 14 bytes
@pytest.mark.parametrize("after", [0, 1, 2, 10, 13])
def test_cut_off(gp, stub, after):
    stub.behave.cut_after = after
    temporary(gp, stub)


@pytest.mark.parametrize("attribute", ["objectguid", "useraccountcontrol"])
def test_an_entry_that_is_not_readable_is_unknown(gp, stub, attribute):
    """A right that was taken away must not look like an enabled account."""
    wait_until(lambda: hidden_cat(gp, stub, attribute), "the cache to age")
    answer = try_imap(gp, "cat", stub.password)
    assert (answer.status, answer.code()) == ("NO", "UNAVAILABLE"), answer


def hidden_cat(gp, stub, attribute):
    stub.behave.hidden = {attribute}
    return send_one(gp, "cat@stub.test", unique("h")).code == 451


def test_wrong_password_is_said_by_the_directory(gp, stub):
    answer = try_imap(gp, "ben", "wrong")
    assert answer.code() == "AUTHENTICATIONFAILED"


def test_connections_dropped_between_questions(gp, stub):
    for _ in range(3):
        stub.drop_connections()
        wait_until(lambda: send_one(gp, "ann@stub.test",
                                    unique("drop")).code == 250, "a delivery")
