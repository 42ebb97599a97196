"""The test domain is what the tests of Gatepost take it for."""
import os

import pytest

from rig import samba_ad
from rig.proc import run


@pytest.fixture(scope="module")
def dc(tmp_path_factory):
    domain = samba_ad.start(str(tmp_path_factory.mktemp("rig") / "dc"))
    yield domain
    domain.close()


def search(dc, *args):
    return run(["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H",
                dc.ldaps, "-D", dc.reader, "-w", dc.password, "-b", dc.base]
               + list(args), env=dict(os.environ, LDAPTLS_CACERT=dc.ca))


@pytest.mark.parametrize("account,code", [
    ("disabled", "533"), ("locked", "775"), ("mustchange", "773"),
    ("expired", "701"), ("pwexpired", "532")])
def test_each_bad_account_says_why(dc, account, code):
    out = run(["ldapwhoami", "-x", "-H", dc.ldaps, "-D",
               "%s@%s" % (account, dc.dns), "-w", dc.password], check=False,
              env=dict(os.environ, LDAPTLS_CACERT=dc.ca))
    assert "data %s," % code in out


def test_no_simple_bind_in_clear(dc):
    out = run(["ldapwhoami", "-x", "-H", dc.uri, "-D", dc.reader, "-w",
               dc.password], check=False)
    assert "Transport encryption required" in out


def test_members_come_in_ranges(dc):
    out = search(dc, "(sAMAccountName=big-list)", "member;range=0-1499")
    assert out.count("\nmember;range=0-1499: ") == 1500
    out = search(dc, "(sAMAccountName=big-list)", "member;range=1500-*")
    assert out.count("\nmember;range=1500-*: ") == 100


def test_primary_group_is_not_in_member(dc):
    out = search(dc, "(sAMAccountName=visitors)", "member")
    assert "Heidi" in out and "Guest" not in out


def test_groups_loop(dc):
    out = search(dc, "(sAMAccountName=loop-a)", "member")
    assert "CN=loop-c," in out


def test_ticket_for_the_mail_service(dc, tmp_path):
    env = dc.ticket("alice", str(tmp_path / "cc"))
    assert "kvno = 1" in run(["kvno", "imap/" + dc.mail_host], env=env)
    keys = run(["klist", "-ke", dc.host_keytab])
    assert "aes256" in keys and "smtp/" + dc.mail_host in keys


def test_reader_binds_by_keytab(dc):
    env = dict(os.environ, KRB5_CONFIG=dc.krb5_conf,
               KRB5_CLIENT_KTNAME=dc.reader_keytab, KRB5CCNAME="MEMORY:x")
    out = run(["ldapsearch", "-LLL", "-Q", "-N", "-Y", "GSSAPI", "-H", dc.uri, "-b",
               dc.base, "(sAMAccountName=alice)", "mail"], env=env)
    assert "mail: alice.adams@" in out


def test_changes_are_seen_and_survive_a_restart(dc):
    dc.add_user("nina")
    assert "mail: nina.new@" in search(dc, "(sAMAccountName=nina)", "mail")
    dc.set_attr("nina", proxyAddresses=["SMTP:other@" + dc.mail])
    dc.restart()
    assert "SMTP:other@" in search(dc, "(sAMAccountName=nina)",
                                   "proxyAddresses")
    dc.delete("nina")
    assert "dn:" not in search(dc, "(sAMAccountName=nina)", "mail")
