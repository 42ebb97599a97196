"""gatepost check, status, explain, queue."""
import json

import pytest

from rig import dns as rig_dns
from rig.proc import RigError, wait_until
from rig.smtp import message
from setups import arrives, on_ad, try_imap, unique


# ---- explain: the true reason, and the attribute that decided


@pytest.mark.parametrize("kind,name,words", [
    ("rcpt", "a.adams@example.test",
     ["proxyAddresses", "CN=Alice Adams", "user"]),
    ("rcpt", "nobody.here@example.test", ["no "]),
    ("rcpt", "someone@elsewhere.test", ["domain"]),
    ("rcpt", "shared@example.test",
     ["CN=Twin One", "CN=Twin Two", "proxyAddresses"]),
    ("rcpt", "moved.ved@example.test",
     ["targetAddress", "moved@elsewhere.example.org"]),
    ("rcpt", "homed.med@example.test", ["homeMDB"]),
    ("rcpt", "loop-a@example.test", ["group", "CN=loop-a"]),
    ("rcpt", "disabled.abled@example.test", ["CN=Dis Abled"]),
    ("rcpt", "nomail@corp.example.test", ["userPrincipalName"]),
    ("rcpt", "rank@example.test", ["CN=By Proxy", "proxyAddresses"]),
    ("login", "disabled", ["userAccountControl"]),
    ("login", "locked", ["lock"]),
    ("login", "expired", ["accountExpires"]),
    ("login", "CORP\\alice", ["sAMAccountName", "CN=Alice Adams"]),
    ("login", "nobody.here", ["no "]),
])
def test_explain(ad, kind, name, words):
    out = ad.cli("explain", kind, name, check=False)
    for word in words:
        assert word.lower() in out.lower(), out


# ---- check


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    server = rig_dns.start(str(tmp_path_factory.mktemp("dns")))
    yield server
    server.stop()


def test_check_is_content_with_a_good_site(dc, names):
    """Whether the daemons run or not."""
    gp = on_ad(dc, dns_servers=[names.server])
    try:
        out = gp.cli("check")
        assert "fail" not in out.lower(), out
        gp.start()
        out = gp.cli("check")
        assert "fail" not in out.lower(), out
    finally:
        gp.close()


@pytest.mark.parametrize("setting,value,word", [
    ("ldap_servers", ["ldap://127.0.11.99"], "127.0.11.99"),
    ("ldap_base", "DC=wrong,DC=test", "wrong"),
    ("ldap_keytab", "/nowhere/keytab", "keytab"),
    ("tls_certificate", ["/nowhere/cert.pem"], "cert.pem"),
    ("ldap_ca_file", "/nowhere/ca.pem", "ca.pem"),
])
def test_check_names_what_is_wrong(dc, setting, value, word):
    gp = on_ad(dc, directory_timeout_ms=1000, **{setting: value})
    try:
        with pytest.raises(RigError, match="exit [1-9]") as said:
            gp.cli("check")
        assert word in str(said.value)
    finally:
        gp.close()


@pytest.mark.parametrize("line,word", [
    ("frobnicate = 1\n", "frobnicate"),
    ("workers = 0\n", "workers"),
    ("workers = many\n", "workers"),
    ('hostname = "unfinished\n', ""),
])
def test_a_bad_configuration_is_refused_with_its_place(dc, line, word):
    gp = on_ad(dc)
    try:
        with open(gp.conf, "a") as f:
            f.write(line)
        out = gp.cli("check", check=False)
        assert word in out and gp.conf in out
        gp.start(wait=False)
        wait_until(lambda: not gp.daemon.running(), "gatepostd to end")
        assert gp.daemon.stop() > 0
        gp.daemon = None
        assert word in gp.log()
    finally:
        gp.close()


# ---- status


def test_status(ad, dc):
    try_imap(ad, "alice", dc.password)
    text = ad.cli("status")
    status = ad.status()
    for role in ("mx", "access", "directory", "store", "delivery", "remote",
                 "signer", "policy", "track", "imap"):
        assert role in text
        assert role in json.dumps(status)


# ---- queue


def held(gp, dc):
    """A message that waits, because a member's mailbox is elsewhere."""
    subject = unique("held")
    with gp.submission("alice", dc.password) as c:
        c.deliver("alice.adams@example.test", ["elsewhere@example.test"],
                  message("alice.adams@example.test", "x@example.test",
                          subject))
    assert arrives(gp, "alice", dc.password, subject) == 1


def test_queue(dc):
    gp = on_ad(dc)
    try:
        gp.start()
        assert gp.cli_json("queue", "list") == []
        held(gp, dc)
        entries = wait_until(
            lambda: gp.cli_json("queue", "list"),
            "an entry in the queue")
        text = gp.cli("queue", "list")
        for e in entries:
            assert str(e["id"]) in text
            shown = gp.cli("queue", "show", str(e["id"]))
            assert "elsewhere" in shown
            gp.cli("queue", "retry", str(e["id"]))
        assert gp.cli_json("queue", "list")
        for e in entries:
            gp.cli("queue", "delete", str(e["id"]))
        assert gp.cli_json("queue", "list") == []
        with pytest.raises(Exception, match="exit [1-9]"):
            gp.cli("queue", "delete", str(entries[0]["id"]))
    finally:
        gp.close()


def test_the_queue_survives_a_restart(dc):
    gp = on_ad(dc)
    try:
        gp.start()
        held(gp, dc)
        wait_until(lambda: gp.cli_json("queue", "list"),
                   "an entry in the queue")
        before = gp.cli_json("queue", "list")
        gp.stop()
        gp.start()
        after = gp.cli_json("queue", "list")
        assert [e["id"] for e in after] == [e["id"] for e in before]
    finally:
        gp.close()


# ---- store


def test_store_check_and_rebuild(dc):
    gp = on_ad(dc)
    try:
        gp.start()
        held(gp, dc)
        with gp.imap("alice", dc.password) as c:
            c.select()
            c.must("STORE 1 +FLAGS (\\Flagged $Kept)")
            before = c.must("UID FETCH 1:* (FLAGS RFC822.SIZE)").untagged
            bodies = c.bodies()
        gp.stop()
        gp.cli("store", "check")
        gp.cli("store", "rebuild")
        gp.cli("store", "check")
        gp.start()
        with gp.imap("alice", dc.password) as c:
            c.select()
            after = c.must("UID FETCH 1:* (FLAGS RFC822.SIZE)").untagged
            # \Recent is for one session, and none of what is compared
            assert [a.replace(b"\\Recent", b"") for a in after
                    if b"FETCH" in a] == \
                [b.replace(b"\\Recent", b"") for b in before
                 if b"FETCH" in b]
            assert c.bodies() == bodies
        assert gp.cli_json("queue", "list")
    finally:
        gp.close()
