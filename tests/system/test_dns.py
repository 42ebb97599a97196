"""The resolver with a real server: every type, DNSSEC, outages, the sandbox."""
import os
import subprocess

import pytest

from rig import dns
from rig.gatepost import build_dir
from rig.proc import wait_until

BIG = " ".join('"%s"' % ("x" * 250) for _ in range(20))
RECORDS = """
example.test.           MX    20 mx2.example.test.
example.test.           MX    10 mx1.example.test.
example.test.           TXT   "v=spf1" " mx -all"
mx1.example.test.       A     192.0.2.1
mx1.example.test.       AAAA  2001:db8::1
null.test.              MX    0 .
alias.test.             CNAME alias2.test.
alias2.test.            CNAME mx1.example.test.
dangling.test.          CNAME nowhere.test.
loop1.test.             CNAME loop2.test.
loop2.test.             CNAME loop1.test.
1.2.0.192.in-addr.arpa. PTR   mx1.example.test.
1.0.0.127.in-addr.arpa. PTR   me.example.test.
_imaps._tcp.test.       SRV   0 5 993 mx1.example.test.
_25._tcp.mx1.example.test. TLSA 3 1 1 %s
big.test.               TXT   %s
*.wild.test.            A     192.0.2.7
a.unsigned.test.        A     192.0.2.8
""" % ("ab" * 32, BIG)

# question, answer when nothing is validated ("s" is put in where it is)
TABLE = [
    ("example.test MX", "ok - 10:mx1.example.test 20:mx2.example.test"),
    ("EXAMPLE.test TXT", 'ok - "v=spf1 mx -all"'),
    ("mx1.example.test A", "ok - 192.0.2.1"),
    ("mx1.example.test AAAA", "ok - 2001:db8::1"),
    ("mx1.example.test MX", "noent -"),
    ("test A", "noent -"),  # a name between others
    ("null.test MX", "ok - 0:"),
    ("alias.test A", "ok - 192.0.2.1"),
    ("alias.test CNAME", "ok - alias2.test"),
    ("dangling.test A", "noent n-"),
    ("loop1.test A", "temp -"),
    ("1.2.0.192.in-addr.arpa PTR", "ok - mx1.example.test"),
    ("1.0.0.127.in-addr.arpa PTR", "ok - me.example.test"),
    ("_imaps._tcp.test SRV", "ok - 0:5:993:mx1.example.test"),
    ("_25._tcp.mx1.example.test TLSA", "ok - 030101" + "ab" * 32),
    ("big.test TXT", 'ok - "%s"' % ("x" * 5000)),
    ("any.wild.test A", "ok - 192.0.2.7"),
    ("nothing.example.test A", "noent n-"),
    ("x.servfail.test A", "temp -"),
    ("a.unsigned.test A", "ok - 192.0.2.8"),
    ("bad..test A", "bad -"),
]
# Private networks belong to the site, which has no signed reverse zones.
UNSIGNED = {"a.unsigned.test A", "1.2.0.192.in-addr.arpa PTR"}


class Asker:
    def __init__(self, server, anchor=None, mode="sandbox"):
        self.p = subprocess.Popen(
            [os.path.join(build_dir(), "tests/unit/lib/dns_ask"), server,
             anchor or "-", mode], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def ask(self, *questions, ms=20000):
        print(ms, *questions, file=self.p.stdin, flush=True)
        return [self.p.stdout.readline().rstrip("\n") for _ in questions]

    def one(self, question, ms=20000):
        return self.ask(question, ms=ms)[0]

    def close(self):
        self.p.stdin.close()
        assert self.p.wait(60) == 0


@pytest.fixture(params=["plain", "signed"])
def server(request, tmp_path):
    s = dns.start(tmp_path / "dns", RECORDS, signed=request.param == "signed")
    yield s
    s.stop()


@pytest.fixture
def asker(server):
    a = Asker(server.server, server.anchor)
    yield a
    a.close()


def expected(server, question, answer):
    rc, rest = answer.split(" ", 1)
    if server.signed and rc in ("ok", "noent") and question not in UNSIGNED:
        flags, _, records = rest.partition("-")
        rest = flags + "s-" + records
    return rc + " " + rest


def test_every_answer_in_the_sandbox(server, asker):
    got = asker.ask(*(q for q, _ in TABLE))
    assert got == [expected(server, q, a) for q, a in TABLE]


def test_a_second_asker_of_the_same_is_answered_here(tmp_path):
    s = dns.start(tmp_path / "dns", RECORDS, ttl=3600)
    a = Asker(s.server)
    first = a.one("example.test MX")
    count = s.asked("example.test", "MX")
    s.silent()
    assert a.one("example.test MX", ms=1) == first
    assert s.asked("example.test", "MX") == count
    a.close()
    s.stop()


def test_silence_costs_the_deadline_and_ends_with_it(server, asker):
    server.silent("example.test")
    assert asker.one("mx1.example.test A", ms=300) == "temp -"
    assert asker.one("null.test MX") == expected(server, "", "ok - 0:")
    server.speak("example.test")
    wait_until(lambda: asker.one("mx1.example.test A") == expected(
        server, "", "ok - 192.0.2.1"), "an answer again")


def test_a_server_that_is_away_comes_back(tmp_path):
    s = dns.start(tmp_path / "dns", RECORDS)
    a = Asker(s.server)
    s.silent()
    assert a.ask("mx1.example.test A", "example.test MX", ms=500) == [
        "temp -", "temp -"]
    s.speak()
    wait_until(lambda: a.one("mx1.example.test A") == "ok - 192.0.2.1",
               "an answer again")
    a.close()
    s.stop()


def test_records_change(server, asker):
    assert asker.one("new.test A") == expected(server, "", "noent n-")
    server.add("new.test. A 192.0.2.9")
    wait_until(lambda: asker.one("new.test A") == expected(
        server, "", "ok - 192.0.2.9"), "the new record")
    server.remove("new.test")
    wait_until(lambda: asker.one("new.test A") == expected(
        server, "", "noent n-"), "the record to be gone")


def test_a_forged_answer_is_bogus(tmp_path):
    s = dns.start(tmp_path / "dns", RECORDS, signed=True)
    s.forge("mx1.example.test")
    a = Asker(s.server, s.anchor)
    assert a.ask("mx1.example.test A", "example.test MX") == [
        "temp b-", "ok s- 10:mx1.example.test 20:mx2.example.test"]
    # Without an anchor nobody looks.
    b = Asker(s.server)
    assert b.one("mx1.example.test A") == "ok - 192.0.2.1"
    a.close()
    b.close()
    s.stop()


def test_a_bad_anchor_is_refused(tmp_path):
    bad = tmp_path / "anchor"
    bad.write_text("no key at all\n")
    p = subprocess.run(
        [os.path.join(build_dir(), "tests/unit/lib/dns_ask"), "127.0.0.1",
         str(bad), "open"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=False)
    assert p.returncode == 1
    assert "dns_trust_anchor" in p.stderr and str(bad) in p.stderr
