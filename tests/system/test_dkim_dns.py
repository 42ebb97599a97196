"""gatepost dkim test and rotate, against a DNS with what is published."""
import json
import os
import re
import signal

import pytest

from rig import dns as rig_dns
from rig import ldif
from rig.proc import wait_until
from setups import on_ldif


@pytest.fixture(scope="module")
def dns(tmp_path_factory):
    server = rig_dns.start(str(tmp_path_factory.mktemp("dns")))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gp(tmp_path_factory, dns):
    g = on_ldif(tmp_path_factory.mktemp("people"), dns_servers=[dns.server])
    try:
        yield g.start()
    finally:
        g.close()


class Domain:
    """One of its own for each test, so that no answer is remembered."""

    def __init__(self, gp, dns, name):
        self.gp, self.dns, self.name = gp, dns, name
        gp.cli("dkim", "new", name)
        gp.cli("reload")

    def keys(self, state=None):
        got = self.gp.cli_json("dkim", "show", self.name)["keys"]
        return {k["selector"]: k for k in got if state in (None, k["state"])}

    def publish(self, keys):
        for k in keys.values():
            text = self.gp.cli("dkim", "show", self.name)
            zone = re.search(r"%s\. IN TXT \((.*?) \)$" % re.escape(
                k["name"]), text, re.S | re.M).group(1)
            self.dns.add("%s. TXT %s" % (k["name"], " ".join(zone.split(
                "\n\t"))))

    def test(self):
        """selector -> what is said about it"""
        out = self.gp.cli("--json", "dkim", "test", self.name, check=False)
        return {r["selector"]: r for r in json.loads(out)}


@pytest.fixture
def domain(gp, dns, request):
    return Domain(gp, dns, re.sub(r"\W|_", "-", request.node.name[5:])
                  + ".test")


def test_nothing_is_published(domain):
    rows = domain.test()
    assert len(rows) == 2
    for r in rows.values():
        assert (r["dns"], r["good"]) == ("not published", False)


def test_all_is_well(domain):
    domain.publish(domain.keys())
    rows = domain.test()
    assert [r["good"] for r in rows.values()] == [True, True], rows
    domain.gp.cli("dkim", "test", domain.name)  # exit 0


def test_gatepost_dns_names_them(gp, dns):
    gp.cli("dkim", "new", ldif.MAIL)
    names = {k["name"] for k in gp.cli_json("dkim", "show",
                                            ldif.MAIL)["keys"]}
    out = gp.cli("dns", ldif.MAIL, check=False)
    assert len(names) == 2 and all(n in out for n in names)


def test_another_key(domain):
    rsa, ed = domain.keys().values()
    domain.dns.add('%s. TXT "v=DKIM1; k=rsa; p=AAAA"' % rsa["name"])
    domain.publish({"ed": ed})
    rows = domain.test()
    assert rows[rsa["selector"]]["dns"] == "published with another key"
    assert rows[ed["selector"]]["good"]


def test_two_records(domain):
    rsa = list(domain.keys().values())[0]
    domain.publish({"rsa": rsa})
    domain.dns.add('%s. TXT "something else"' % rsa["name"])
    rows = domain.test()
    assert rows[rsa["selector"]]["dns"] == "published several times"


def test_a_record_that_forbids_mail(domain):
    """The right key, and yet no verifier would take it."""
    ed = list(domain.keys().values())[1]
    domain.dns.add('%s. TXT "%s; s=other"' % (ed["name"], ed["record"]))
    row = domain.test()[ed["selector"]]
    assert row["dns"] == "published"
    assert not row["good"] and row["signature"] not in ("", "good")


def test_no_answer_is_not_a_no(domain):
    domain.dns.silent(domain.name)
    try:
        rows = domain.test()
    finally:
        domain.dns.speak(domain.name)
    assert {r["dns"] for r in rows.values()} == {"no answer from the DNS"}


def test_the_signer_does_not_have_it_yet(domain):
    """Rotated, published, but not reloaded."""
    gp = domain.gp
    gp.cli("dkim", "rotate", domain.name)
    new = domain.keys("new")
    domain.publish(new)
    rows = domain.test()
    for s in new:
        assert "reload" in rows[s]["signature"]
    gp.cli("reload")
    rows = domain.test()
    assert all(rows[s]["good"] for s in new)


def test_rotation_waits_for_the_dns(domain):
    gp = domain.gp
    domain.publish(domain.keys())
    old = set(domain.keys("active"))
    gp.cli("dkim", "rotate", domain.name)
    new = domain.keys("new")
    out = gp.cli("dkim", "rotate", "--finish", domain.name, check=False)
    assert "not published" in out and "old keys stay" in out
    assert set(domain.keys("active")) == old
    domain.publish(new)

    def finished():
        gp.cli("dkim", "rotate", "--finish", domain.name, check=False)
        return set(domain.keys("active")) == set(new)

    # The DNS server's answer "no" lives for some seconds.
    wait_until(finished, "the new keys in use")
    assert set(domain.keys("retired")) == old


def test_the_signer_is_down(domain):
    domain.publish(domain.keys())
    gp = domain.gp
    pid = {r: p for p, r in gp.children()}["signer"]
    os.kill(pid, signal.SIGSTOP)
    try:
        rows = domain.test()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert {r["signature"] for r in rows.values()} == {
        "the signer does not answer"}
