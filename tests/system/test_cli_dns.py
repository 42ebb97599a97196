"""gatepost dns: what to publish, and what is wrong with what is."""
import json
import subprocess

import pytest

from rig import dns
from setups import on_ldif

HOST = "gw.example.test"
GOOD = """
example.test.                  MX   10 gw.example.test.
gw.example.test.               A    192.0.2.25
gw.example.test.               AAAA 2001:db8::25
25.2.0.192.in-addr.arpa.       PTR  gw.example.test.
%s PTR gw.example.test.
example.test.                  TXT  "v=spf1 mx -all"
_dmarc.example.test.           TXT  "v=DMARC1; p=quarantine"
_smtp._tls.example.test.       TXT  "v=TLSRPTv1; rua=mailto:tls@example.test"
_submissions._tcp.example.test. SRV 0 1 465 gw.example.test.
_submission._tcp.example.test. SRV  0 1 587 gw.example.test.
_imaps._tcp.example.test.      SRV  0 1 993 gw.example.test.
_imap._tcp.example.test.       SRV  0 0 0 .
_pop3s._tcp.example.test.      SRV  0 1 995 gw.example.test.
_pop3._tcp.example.test.       SRV  0 0 0 .
""" % ("5.2.0.0." + "0.0.0.0." * 5 + "8.b.d.0.1.0.0.2.ip6.arpa.")
SETTINGS = {
    "hostname": HOST, "domains": ["example.test"],
    "listen_submission": ["127.0.0.1:587"],
    "listen_submissions": ["127.0.0.1:465"], "listen_imaps": ["127.0.0.1:993"],
    "listen_imap": [], "listen_pop3s": ["127.0.0.1:995"], "listen_pop3": [],
    "proxy_listeners": []}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Nothing of Gatepost runs: the command asks by itself."""
    folder = tmp_path_factory.mktemp("site")
    server = dns.start(folder / "dns", GOOD)
    g = on_ldif(folder, dns_servers=[server.server], **SETTINGS)
    g.dns = server
    yield g
    server.stop()
    g.close()


@pytest.fixture
def gp(site):
    if site.dns.records != GOOD:
        site.dns.set(GOOD)
    return site


def report(gp, name="example.test"):
    """{(name, type): record}"""
    return {(r["name"], r["type"]): r
            for r in json.loads(gp.cli("--json", "dns", name, check=False))
            ["records"]}


def states(records):
    return {r["state"] for r in records.values()}


def test_what_is_right_is_said_to_be(gp):
    out = gp.cli("dns", "example.test")
    wanted, found = out.split("; what the DNS says")
    for line in GOOD.split("\n"):
        if not line or " PTR " in line or " A " in line or " AAAA " in line \
                or "_dmarc" in line or "_tls" in line:
            continue
        name, kind, data = line.split(None, 2)
        assert any(x.split(None, 3) == [name, "IN", kind, data]
                   for x in wanted.split("\n")), line
    assert "right" in found and "missing" not in found, found
    assert "WRONG" not in found, found


def test_what_it_prints_is_a_zone_that_is_right(gp):
    """Publish exactly what it says, and it is content."""
    text = gp.cli("dns", "example.test").split("; what the DNS says")[0]
    lines = [x.replace(" IN ", " ") for x in text.split("\n")
             if x and not x.startswith(";")]
    assert len(lines) >= 8
    gp.dns.set("\n".join(
        lines + [x for x in GOOD.split("\n")
                 if " A " in x or " AAAA " in x or " PTR " in x]))
    assert states(report(gp)) == {"right"}


@pytest.mark.parametrize("gone,more,name,kind,state,word", [
    ("example.test", "", "example.test", "MX", "missing", "nowhere"),
    ("example.test", "", "example.test", "TXT", "missing", "forged"),
    ("", "example.test. TXT \"v=spf1 a -all\"",
     "example.test", "TXT", "wrong", "2 SPF records"),
    ("example.test", "example.test. MX 5 old.test.\nold.test. A 192.0.2.9",
     "example.test", "MX", "wrong", "not to this server"),
    ("example.test", "example.test. MX 5 old.test.",
     "old.test", "A", "missing", "nobody finds"),
    ("gw.example.test", "", HOST, "A", "missing", "nobody finds"),
    ("gw.example.test", "gw.example.test. CNAME x.test.\nx.test. A 192.0.2.25",
     HOST, "CNAME", "wrong", "alias"),
    ("25.2.0.192.in-addr.arpa", "", "25.2.0.192.in-addr.arpa", "PTR",
     "missing", "no name"),
    ("25.2.0.192.in-addr.arpa", "25.2.0.192.in-addr.arpa. PTR dsl-25.test.",
     "25.2.0.192.in-addr.arpa", "PTR", "wrong", "another name"),
    ("_dmarc.example.test", '_dmarc.example.test. TXT "v=DMARC1; p=rejct"',
     "_dmarc.example.test", "TXT", "wrong", "quarantine or reject"),
    ("_imaps._tcp.example.test", "", "_imaps._tcp.example.test", "SRV",
     "missing", "by hand"),
    ("_pop3s._tcp.example.test",
     "_pop3s._tcp.example.test. SRV 0 1 995 old.test.",
     "_pop3s._tcp.example.test", "SRV", "wrong", "elsewhere"),
    ("_imap._tcp.example.test",
     "_imap._tcp.example.test. SRV 0 1 143 gw.example.test.",
     "_imap._tcp.example.test", "SRV", "wrong", "not offered"),
])
def test_what_is_wrong_is_found(gp, gone, more, name, kind, state, word):
    if gone:
        gp.dns.remove(gone)
    gp.dns.add(more)
    got = report(gp)[name, kind]
    assert got["state"] == state, got
    assert word in got["why"], got
    assert gp.cli("dns", "example.test", check=False).count(word) >= 1


def test_an_spf_record_with_too_many_lookups(gp):
    gp.dns.remove("example.test")
    gp.dns.add('example.test. MX 10 gw.example.test.\n'
               'example.test. TXT "v=spf1 mx include:a.test -all"\n'
               'a.test. TXT "v=spf1 a mx include:b.test -all"\n'
               'b.test. TXT "v=spf1 a a:x.test a:y.test mx -all"')
    assert report(gp)["example.test", "TXT"]["state"] == "right"  # 9 of 10
    gp.dns.add('loop.test. TXT "v=spf1 include:loop.test -all"')
    gp.dns.remove("a.test")
    gp.dns.add('a.test. TXT "v=spf1 include:loop.test -all"')
    got = report(gp)["example.test", "TXT"]
    assert got["state"] == "wrong" and "10 lookups" in got["why"]


def test_no_answer_is_no_fault(gp):
    gp.dns.remove("_dmarc.example.test")
    gp.dns.add("_dmarc.example.test. CNAME x.servfail.test.")
    got = report(gp)
    assert got["_dmarc.example.test", "TXT"]["state"] == "unasked"
    assert states(got) == {"right", "unasked"}


def test_only_our_domains(gp):
    out = gp.cli("dns", "elsewhere.test", check=False)
    assert "none of the domains" in out
    assert "usage" in gp.cli("dns", check=False)


@pytest.mark.parametrize("change,code", [
    ("", 0), ("missing", 1), ("unasked", 75)])
def test_exit_codes(gp, change, code):
    if change == "missing":
        gp.dns.remove("_dmarc.example.test")
    if change == "unasked":
        gp.dns.remove("_dmarc.example.test")
        gp.dns.add("_dmarc.example.test. CNAME x.servfail.test.")
    p = subprocess.run([gp.program("gatepost"), "-c", gp.conf, "dns",
                        "example.test"], stdout=subprocess.PIPE, check=False)
    assert p.returncode == code, p.stdout.decode()
