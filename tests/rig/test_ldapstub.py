"""The stub behaves like the servers it stands for."""
import os

import pytest

from rig import ldapstub
from rig.proc import run

MEMBERS = 3200


@pytest.fixture
def stub(tmp_path):
    people = [ldapstub.user("user%04d" % n) for n in range(MEMBERS)]
    big = ldapstub.group("big", [dn for dn, _ in people])
    server = ldapstub.start(tmp_path, people + [big])
    yield server
    server.close()


def search(stub, *args, password=ldapstub.PASSWORD, check=True):
    return run(["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-o",
                "nettimeout=5", "-H", stub.ldaps, "-D",
                "CN=user0000,OU=Staff," + stub.base, "-w", password, "-b",
                stub.base] + list(args), check=check,
               env=dict(os.environ, LDAPTLS_CACERT=stub.ca))


def test_filters(stub):
    assert search(stub, "(mail=USER0007@stub.test)", "cn") == (
        "dn: CN=user0007,OU=Staff,DC=stub,DC=test\ncn: user0007\n\n")
    out = search(stub, "(&(cn=user00*7)(!(|(cn=user0017)(cn=user0027)))"
                 "(userAccountControl:1.2.840.113556.1.4.803:=512))", "cn")
    assert out.count("dn: ") == 8
    assert stub.searches()[-1][2] == (
        "(&(cn=user00*7)(!(|(cn=user0017)(cn=user0027)))"
        "(userAccountControl:1.2.840.113556.1.4.803:=512))")


def test_page_limit(stub):
    out = search(stub, "(sAMAccountName=user*)", "cn", check=False)
    assert out.count("\ncn: ") == 1000 and "Size limit exceeded" in out
    out = search(stub, "-E", "pr=2000/noprompt", "(sAMAccountName=user*)",
                 "cn")
    assert out.count("\ncn: ") == MEMBERS


def test_value_limit(stub):
    out = search(stub, "(cn=big)", "member")
    assert out.count("member;range=0-1499:") == 1500
    assert "\nmember: " not in out
    assert search(stub, "(cn=big)", "member;range=1500-*").count(
        "member;range=1500-2999:") == 1500
    assert search(stub, "(cn=big)", "member;range=3000-*").count(
        "member;range=3000-*:") == 200


def test_binds(stub):
    assert "data 52e" in search(stub, "(cn=big)", "cn", password="no",
                                check=False)
    assert search(stub, "(cn=big)", "cn", password="").startswith("dn: ")
    stub.behave.bind_code = ldapstub.UNAVAILABLE
    assert "unavailable" in search(stub, "(cn=big)", check=False)
    assert [b[2] for b in stub.binds()] == [True, True, True]


def test_hidden_attributes(stub):
    stub.behave.hidden = {"objectguid"}
    out = search(stub, "(cn=user0001)")
    assert "objectGUID" not in out and "objectSid" in out


def test_cut_and_mute(stub):
    stub.behave.cut_after = 40
    assert "Can't contact LDAP server" in search(stub, "(cn=big)",
                                                 check=False)
    stub.behave.cut_after = None
    stub.behave.mute = True
    out = search(stub, "-o", "nettimeout=1", "(cn=big)", check=False)
    assert "dn: " not in out


def test_start_tls(stub):
    out = run(["ldapsearch", "-x", "-ZZ", "-LLL", "-H", stub.uri, "-b",
               stub.base, "(cn=user0001)", "cn"],
              env=dict(os.environ, LDAPTLS_CACERT=stub.ca))
    assert "cn: user0001" in out
