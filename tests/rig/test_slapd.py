"""The OpenLDAP of the tests is what they take it for."""
import os

import pytest

from rig import slapd
from rig.proc import run


@pytest.fixture(scope="module")
def ldap(tmp_path_factory):
    server = slapd.start(str(tmp_path_factory.mktemp("rig") / "slapd"))
    yield server
    server.close()


def search(ldap, *args, tls=True, check=True):
    return run(["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H",
                ldap.ldaps if tls else ldap.uri, "-D", ldap.reader_dn, "-w",
                ldap.password, "-b", ldap.base] + list(args), check=check,
               env=dict(os.environ, LDAPTLS_CACERT=ldap.ca))


def test_reader_sees_people_and_no_passwords(ldap):
    out = search(ldap, "(uid=alice)", "*", "+")
    assert "mailAlternateAddress: alice@example.test" in out
    assert "entryUUID: " in out and "userPassword" not in out


def test_password_needs_tls(ldap):
    out = search(ldap, "(uid=alice)", tls=False, check=False)
    assert "onfidentiality required" in out
    out = search(ldap, "-ZZ", "(uid=alice)", "mail", tls=False)
    assert "mail: alice.adams@example.test" in out


def test_page_limit(ldap):
    out = search(ldap, "(uid=many*)", "uid", check=False)
    assert "Size limit exceeded" in out
    out = search(ldap, "-E", "pr=400/noprompt", "(uid=many*)", "uid")
    assert out.count("\nuid: ") == slapd.MANY


def test_groups(ldap):
    out = search(ldap, "(cn=loop-a)", "member")
    assert "member: cn=loop-b," in out
    out = search(ldap, "(cn=support)", "memberUid")
    assert out.count("memberUid: ") == 3


def test_new_user(ldap):
    ldap.add_user("nina")
    assert "mail: nina@" in search(ldap, "(uid=nina)", "mail")


def test_comes_back_with_its_data(ldap):
    ldap.stop()
    ldap.start()
    assert "uid: bob" in search(ldap, "(uid=bob)", "uid")
