"""The directory process alone, with a server that misbehaves."""
import os
import time

import pytest

import drive
from rig import ldapstub
from rig.proc import wait_until

MEMBERS = 3200
TIMEOUT_MS = 1500
HANGS = 30      # seconds; a call that takes longer has no deadline


@pytest.fixture(scope="module")
def stub(scratch):
    people = [ldapstub.user("m%04d" % n) for n in range(MEMBERS)]
    named = [ldapstub.user(n) for n in ("ann", "ben", "cat", "reader")]
    groups = [ldapstub.group("big", [dn for dn, _ in people]),
              ldapstub.group("prim", [], objectSid=[ldapstub.sid("x")[:-4]
                                                    + (513).to_bytes(
                                                        4, "little")])]
    server = ldapstub.start(os.path.join(scratch, "stub-alone"),
                            named + people + groups)
    yield server
    server.close()


def start(stub, folder, servers=None, timeout=TIMEOUT_MS):
    secret = os.path.join(str(folder), "secret")
    with open(secret, "w") as f:
        f.write(stub.password)
    return drive.Drive(
        domains=["stub.test"], postmaster="ann@stub.test", directory="ldap",
        directory_profile="ad", ldap_servers=servers or [stub.ldaps],
        ldap_tls="ldaps", ldap_ca_file=stub.ca, ldap_base=stub.base,
        ldap_bind="simple", ldap_bind_dn="CN=reader,OU=Staff," + stub.base,
        ldap_password_file=secret, directory_timeout_ms=timeout)


@pytest.fixture(scope="module")
def driver(stub, tmp_path_factory):
    d = start(stub, tmp_path_factory.mktemp("stub"))
    yield d
    d.close()


@pytest.fixture(scope="module")
def patient(stub, tmp_path_factory):
    """For answers that are many: the stub is slow on a busy machine."""
    d = start(stub, tmp_path_factory.mktemp("patient"), timeout=60000)
    yield d
    d.close()


@pytest.fixture
def d(driver, stub):
    yield driver
    stub.behave = ldapstub.Behaviour()
    stub.drop_connections()
    wait_until(lambda: driver.login("cat", stub.password).rc == "ok",
               "a login after the fault")


count = iter(range(10**6))


def fresh():
    """Nobody has asked for it before."""
    return "nobody%d@stub.test" % next(count)


def test_groups_beyond_what_one_answer_holds(patient, stub):
    assert len(patient.members("big@stub.test")) == MEMBERS
    ranges = [s[3] for s in stub.searches() if "range" in str(s[3])]
    assert ["member;range=0-*"] in ranges
    assert ["member;range=1500-*"] in ranges
    assert ["member;range=3000-*"] in ranges


def test_primary_group_comes_in_pages(patient):
    assert len(patient.members("prim@stub.test")) == MEMBERS + 4


def in_time(fn):
    began = time.monotonic()
    out = fn()
    assert time.monotonic() - began < HANGS
    return out


@pytest.mark.parametrize("fault", [
    {"mute": True}, {"search_code": 51}, {"search_code": 52},
    {"search_code": 1}, {"search_code": 50}, {"search_code": 11},
    {"search_code": 3}, {"cut_after": 0}, {"cut_after": 1},
    {"cut_after": 10}])
def test_a_fault_is_never_a_no(d, stub, fault):
    for key, value in fault.items():
        setattr(stub.behave, key, value)
    assert in_time(lambda: d.rcpt(fresh()).rc) == "temp"
    assert in_time(lambda: d.login("ben", stub.password).rc) == "temp"
    # a cached answer may serve for a second; then nobody knows
    wait_until(lambda: in_time(
        lambda: d.members_or_temp("big@stub.test")) == "temp", "temp")


def test_late_answers_are_nobodys(d, stub):
    stub.behave.gate.clear()
    assert in_time(lambda: d.rcpt("ben@stub.test").rc) == "temp"
    stub.behave.gate.set()
    wait_until(lambda: d.rcpt("ann@stub.test").rc == "ok", "an answer")
    assert d.rcpt("ann@stub.test").address == "ann@stub.test"
    assert d.rcpt(fresh()).rc == "noent"


def test_an_empty_password_reaches_nobody(d, stub):
    before = len(stub.binds())
    assert d.login("ann", "").rc == "deny"
    assert not [b for b in stub.binds()[before:] if "ann" in b[1]]


def test_one_login_is_one_bind_by_dn(d, stub):
    before = len(stub.binds())
    assert d.login("STUB.test\\ann", stub.password).rc == "deny"
    assert d.login("ann@stub.test", stub.password).rc == "ok"
    mine = [b for b in stub.binds()[before:] if "reader" not in b[1]]
    assert mine == [("bind", "CN=ann,OU=Staff," + stub.base, True)]


def test_one_search_for_an_address(d, stub):
    assert d.rcpt("ben@stub.test").rc == "ok"
    time.sleep(1.1)  # the cache's life
    before = len(stub.searches())
    assert d.rcpt("ben@stub.test").rc == "ok"
    assert d.rcpt("ben@stub.test").rc == "ok"
    assert len(stub.searches()) - before == 1


@pytest.mark.parametrize("code", [51, 52, 1, 80, 53])
def test_a_bind_that_fails_otherwise_is_temporary(d, stub, code):
    stub.behave.bind_code = code
    assert in_time(lambda: d.login("ben", stub.password).rc) == "temp"


@pytest.mark.parametrize("hidden", ["objectguid", "useraccountcontrol",
                                    "objectclass"])
def test_a_hidden_attribute_makes_an_account_unknown(d, stub, hidden):
    stub.behave.hidden = {hidden}
    assert d.login("cat", stub.password).rc == "temp"
    wait_until(lambda: d.rcpt("cat@stub.test").rc == "temp", "temp")


def test_dropped_connections_cost_nothing(d, stub):
    for _ in range(5):
        stub.drop_connections()
        assert d.rcpt(fresh()).rc == "noent"


def test_a_mute_first_server(stub, tmp_path, scratch):
    """Calls under way when it falls silent are answered by the second."""
    first = ldapstub.start(os.path.join(scratch, "stub-first"),
                           [ldapstub.user("reader")])
    first.tls.load_cert_chain(stub.certificates.cert, stub.certificates.key)
    d = start(stub, tmp_path, [first.ldaps, stub.ldaps])
    try:
        assert d.rcpt("ann@stub.test").rc == "noent"  # only the second's
        first.behave.mute = True
        time.sleep(1.1)  # the cache's life
        assert in_time(lambda: d.rcpt("ann@stub.test").rc) == "ok"
        assert d.login("ann", stub.password).rc in ("ok", "temp")
        wait_until(lambda: d.login("ann", stub.password).rc == "ok",
                   "a login")
    finally:
        d.close()
        first.close()
