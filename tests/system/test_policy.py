"""SPF, DKIM and DMARC of what comes in, with a DNS of the test's own.

Signatures are made by python3-dkim.  The client is always 127.0.0.1, so SPF
records name it or not.
"""
import base64
import os
import re
import signal
import subprocess
import threading

import dkim
import pytest

import setups
from rig import dns as rig_dns
from rig import ldif
from rig.smtp import message

PASS = '"v=spf1 ip4:127.0.0.1 -all"'
FAIL = '"v=spf1 ip4:192.0.2.1 -all"'
KEYS = ("rsa", "ed", "short", "test")

ZONE = """
good.test.               TXT  %(pass)s
_dmarc.good.test.        TXT  "v=DMARC1; p=reject; rua=mailto:d@good.test"
rsa._domainkey.good.test.  TXT  %(rsa)s
ed._domainkey.good.test.   TXT  %(ed)s
short._domainkey.good.test. TXT %(short)s
test._domainkey.good.test. TXT  %(test)s
strict.test.             TXT  %(fail)s
_dmarc.strict.test.      TXT  "v=DMARC1; p=reject; sp=none"
rsa._domainkey.strict.test.  TXT  %(rsa)s
ed._domainkey.strict.test.   TXT  %(ed)s
soft.test.               TXT  %(fail)s
_dmarc.soft.test.        TXT  "v=DMARC1; p=quarantine"
trial.test.              TXT  %(fail)s
_dmarc.trial.test.       TXT  "v=DMARC1; p=quarantine; t=y"
plain.test.              A    192.0.2.1
"""


def in_strings(text):
    """A TXT record's strings hold 255 bytes each."""
    return " ".join('"%s"' % text[i:i + 200]
                    for i in range(0, len(text), 200))


class Keys:
    """Private keys in PEM and as dkimpy wants them, public as TXT."""

    def __init__(self):
        self.private, self.pem, self.txt = {}, {}, {}
        for name in KEYS:
            if name == "ed":
                self._ed25519(name)
            else:
                self._rsa(name, 512 if name == "short" else 2048)
        self.txt["test"] = self.txt["test"].replace("p=", "t=y; p=", 1)

    def _rsa(self, name, bits):
        pem = subprocess.run(
            ["openssl", "genrsa", "-traditional", str(bits)],
            capture_output=True, check=True).stdout
        der = subprocess.run(
            ["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem,
            capture_output=True, check=True).stdout
        self.private[name] = self.pem[name] = pem
        self.txt[name] = in_strings(
            "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode())

    def _ed25519(self, name):
        pem = subprocess.run(
            ["openssl", "genpkey", "-algorithm", "ed25519"],
            capture_output=True, check=True).stdout
        seed, public = (subprocess.run(
            ["openssl", "pkey", "-outform", "DER"] + more, input=pem,
            capture_output=True, check=True).stdout[-32:]
            for more in ([], ["-pubout"]))
        self.pem[name] = pem
        self.private[name] = base64.b64encode(seed)
        self.txt[name] = in_strings(
            "v=DKIM1; k=ed25519; p=" + base64.b64encode(public).decode())

    def sign(self, body, domain="good.test", key="rsa", **kw):
        body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        algorithm = b"ed25519-sha256" if key == "ed" else b"rsa-sha256"
        kw.setdefault("signature_algorithm", algorithm)
        kw.setdefault("include_headers", [b"from", b"to", b"subject"])
        return dkim.sign(body, key.encode(), domain.encode(),
                         self.private[key], **kw) + body


@pytest.fixture(scope="module")
def keys():
    return Keys()


@pytest.fixture(scope="module")
def names(scratch, keys):
    records = dict(keys.txt)
    records.update({"pass": PASS, "fail": FAIL})
    server = rig_dns.start(os.path.join(scratch, "dns"), ZONE % records,
                           ttl=300)
    yield server
    server.stop()


def start(folder, names, **settings):
    settings.setdefault("policy", True)
    settings.setdefault("dns_servers", [names.server])
    return setups.on_ldif(folder, **settings).start()


@pytest.fixture(scope="module")
def gp(tmp_path_factory, names):
    g = start(tmp_path_factory.mktemp("policy"), names)
    try:
        yield g
    finally:
        g.close()


def mail(subject, domain="good.test", **headers):
    return message("a@" + domain, "ann@example.test", subject, **headers)


def send(gp, body, sender):
    with gp.smtp() as c:
        return c.mail(sender, ["ann@example.test"], body)[2]


def fetch(gp, subject, box="INBOX"):
    """The message with this subject; None: not there."""
    with gp.imap("ann", ldif.PASSWORD) as c:
        if not c.select(box).number("EXISTS"):
            return None
        for body in c.bodies().values():
            if ("Subject: %s\r\n" % subject).encode() in body:
                return body
    return None


def where(gp, subject):
    return [box for box in ("INBOX", "Junk") if fetch(gp, subject, box)]


def results(body):
    """{method: result} and the unfolded field of ours."""
    text = body.decode("latin-1")
    fields = re.findall(r"^Authentication-Results:((?:.|\r\n[ \t])*)\r\n",
                        text, re.M | re.I)
    ours = [re.sub(r"\r\n[ \t]+", " ", f) for f in fields
            if f.strip().lower().startswith("mail.example.test")]
    assert len(ours) == 1, fields
    return ours[0]


def check(gp, body, sender, box="INBOX"):
    subject = re.search(rb"^Subject: (.*?)\r?$", body, re.M).group(1).decode()
    assert send(gp, body, sender).code == 250
    assert where(gp, subject) == [box]
    return results(fetch(gp, subject, box))


@pytest.mark.parametrize("key", ["rsa", "ed"])
def test_a_signature_passes(gp, keys, key):
    said = check(gp, keys.sign(mail("signed " + key), key=key), "x@plain.test")
    assert "dkim=pass header.d=good.test header.s=" + key in said
    assert "dmarc=pass" in said and "header.from=good.test" in said
    assert "spf=none" in said and "smtp.mailfrom=x@plain.test" in said


def test_rsa_sha1_by_opendkim(gp, keys, tmp_path):
    """opendkim-testmsg signs with nothing else."""
    pem = tmp_path / "key.pem"
    pem.write_bytes(keys.private["rsa"])
    os.chmod(pem, 0o600)
    body = mail("opendkim").replace(b"\n", b"\r\n")
    signed = subprocess.run(
        ["opendkim-testmsg", "-d", "good.test", "-s", "rsa", "-k", str(pem)],
        input=body, capture_output=True, check=True).stdout
    assert b"a=rsa-sha1" in signed
    said = check(gp, signed, "x@plain.test", "Junk")
    assert "dkim=permerror (rsa-sha1 is not accepted) header.d=good" in said


def test_the_log_says_what_was_found(gp):
    sender = "a@good.test"
    assert send(gp, mail(setups.unique("logged")), sender).code == 250
    gp.wait_log("event=message.accept .*spf=pass dkim=none dmarc=pass$")


def test_spf_alone_passes_dmarc(gp):
    said = check(gp, mail("by client"), "x@good.test")
    assert "spf=pass" in said and "dkim=none" in said
    assert "dmarc=pass" in said
    body = fetch(gp, "by client")
    assert body.startswith(b"Return-Path:")
    assert body.index(b"Received: from") < body.index(b"Authentication-Res")
    assert b"Received-SPF: pass" in body


@pytest.mark.parametrize("domain,box,said", [
    ("strict.test", "Junk", "p=reject dis=junk"),
    ("deep.down.strict.test", "INBOX", "sp=none dis=none"),
    ("soft.test", "Junk", "p=quarantine dis=junk"),
    ("trial.test", "INBOX", "p=quarantine t=y dis=none"),
    ("plain.test", "INBOX", None),
])
def test_what_the_owner_wants(gp, domain, box, said):
    subject = "failing " + domain
    got = check(gp, mail(subject, domain), "x@plain.test", box)
    if said is None:
        assert "dmarc=none" in got
    else:
        assert "dmarc=fail (%s)" % said in got


def test_what_was_altered_fails(gp, keys):
    signed = keys.sign(mail("altered body", "strict.test"), "strict.test")
    said = check(gp, signed.replace(b"Hello.", b"Hallo."), "x@plain.test",
                 "Junk")
    assert "dkim=fail (body hash did not verify)" in said
    signed = keys.sign(mail("altered head", "strict.test"), "strict.test")
    said = check(gp, signed.replace(b"altered head", b"altered hat"),
                 "x@plain.test", "Junk")
    assert "dkim=fail (signature did not verify)" in said


def test_what_never_counts(gp, keys):
    def sign(subject, **kw):
        kw.setdefault("domain", "strict.test")
        return keys.sign(mail(subject, "strict.test"), **kw)

    said = check(gp, sign("sha1", signature_algorithm=b"rsa-sha1"),
                 "x@plain.test", "Junk")
    assert "dkim=permerror (rsa-sha1 is not accepted)" in said
    said = check(gp, sign("length", length=True) + b"More.\r\n",
                 "x@plain.test", "Junk")
    assert "dkim=policy (l= is not accepted)" in said
    said = check(gp, keys.sign(mail("short"), key="short"), "x@plain.test",
                 "Junk")
    assert "dkim=permerror (key under 1024 bits)" in said
    said = check(gp, sign("no key").replace(b"s=rsa;", b"s=gone;"),
                 "x@plain.test", "Junk")
    assert "dkim=permerror (no key)" in said


def test_a_test_key_is_noted(gp, keys):
    said = check(gp, keys.sign(mail("test key"), key="test"), "x@plain.test")
    assert "dkim=pass (test key)" in said


def test_ten_signatures_are_looked_at(gp, keys):
    body = keys.sign(mail("many", "strict.test"), "strict.test")
    bad = keys.sign(mail("many", "plain.test"), "plain.test")
    bad = bad[:bad.index(b"From:")]
    said = check(gp, bad * 10 + body, "x@plain.test", "Junk")
    assert said.count("dkim=permerror (no key)") == 10
    assert "dkim=pass" not in said


def test_forged_results_are_removed(gp):
    forged = mail("forged", "strict.test")
    for field in (
            b"Authentication-Results: mail.example.test; dmarc=pass",
            b"AUTHENTICATION-RESULTS :\n (c(o)m) \"Mail.Example.TEST\" 1; x",
            b"Authentication-Results: other.test; dmarc=pass"):
        forged = field + b"\n" + forged
    check(gp, forged, "x@plain.test", "Junk")
    body = fetch(gp, "forged", "Junk")
    assert body.lower().count(b"authentication-results") == 2
    assert b"other.test; dmarc=pass" in body
    assert b"From: a@strict.test" in body and body.endswith(b"Hello.\r\n")


@pytest.mark.parametrize("size", [20 << 10, 2 << 20])
def test_forged_results_in_large_messages(gp, size):
    subject = "forged %d" % size
    line = b"0123456789" * 6 + b"\n"
    body = b"Authentication-Results: mail.example.test; spf=pass\n" + mail(
        subject) + line * (size // len(line))
    check(gp, body, "x@good.test")
    got = fetch(gp, subject)
    assert got.count(b"0123456789" * 6 + b"\r\n") == size // len(line)
    assert b"; spf=pass\r\n" not in got


def pid_of(gp, role):
    return [pid for pid, r in gp.children() if r == role][0]


def test_policy_gone_or_stuck_takes_nothing_with_it(tmp_path, names):
    gp = start(tmp_path, names, policy_timeout_ms=3000)
    try:
        os.kill(pid_of(gp, "policy"), signal.SIGKILL)
        check(gp, mail("killed before"), "x@good.test")
        # It hangs with the question, and dies; then it only hangs.
        for n in range(2):
            os.kill(pid_of(gp, "policy"), signal.SIGSTOP)
            with gp.smtp() as c:
                assert c.cmd("MAIL FROM:<x@good.test>").code == 250
                assert c.cmd("RCPT TO:<ann@example.test>").code == 250
                assert c.cmd("DATA").code == 354
                c.send(b"Authentication-Results: mail.example.test; x=y\r\n"
                       + mail("stuck %d" % n).replace(b"\n", b"\r\n")
                       + b".\r\n")
                if n == 0:
                    os.kill(pid_of(gp, "policy"), signal.SIGKILL)
                reply = c.reply()
            assert reply.code == 250
            if n == 1:
                gp.wait_log("event=policy.none .*rc=temp")
                body = fetch(gp, "stuck 1")
                assert b"Authentication-Results" not in body
                os.kill(pid_of(gp, "policy"), signal.SIGCONT)
        results(fetch(gp, "stuck 0"))
        check(gp, mail("after all"), "x@good.test")
    finally:
        gp.close()


def test_settings_that_refuse(tmp_path, names, keys):
    gp = start(tmp_path, names, dmarc_reject="reject", spf_fail="reject",
               policy_down="defer", policy_timeout_ms=3000)
    try:
        reply = send(gp, mail("r1", "strict.test"), "x@plain.test")
        assert (reply.code, reply.status) == (550, "5.7.1")
        assert "strict.test" in reply.text
        reply = send(gp, mail("r2", "plain.test"), "x@soft.test")
        assert (reply.code, reply.status) == (550, "5.7.23")
        # Forwarded: SPF fails, DKIM says it is theirs.
        check(gp, keys.sign(mail("r3", "strict.test"), "strict.test"),
              "x@strict.test")
        # Several authors are exempt from DMARC's reject.
        both = mail("r4").replace(b"From: ", b"From: b@strict.test, ")
        check(gp, both, "x@good.test", "Junk")
        os.kill(pid_of(gp, "policy"), signal.SIGSTOP)
        reply = send(gp, mail("r5"), "x@good.test")
        assert (reply.code, reply.status) == (451, "4.7.0")
        os.kill(pid_of(gp, "policy"), signal.SIGCONT)
    finally:
        gp.close()


def junk_signature(domain, selector):
    return (b"DKIM-Signature: v=1; a=rsa-sha256; d=%s; s=%s; h=from; "
            b"bh=AAAA; b=AAAA\r\n" % (domain.encode(), selector.encode()))


def test_a_flood_of_slow_keys_opens_no_door(tmp_path, names):
    """One client's slow messages: they wait for each other or come again,
    nobody's mail is taken unchecked, and others do not wait for them."""
    gp = start(tmp_path, names, dmarc_reject="reject", workers=2,
               policy_timeout_ms=8000)
    names.silent("slow.test")
    replies = []

    def flood(n):
        body = junk_signature("slow.test", "f%d" % n) + mail(
            "flood %d" % n, "strict.test")
        replies.append(send(gp, body, "x@strict.test"))

    try:
        threads = [threading.Thread(target=flood, args=(n,))
                   for n in range(20)]
        for thread in threads:
            thread.start()
        gp.wait_log("event=policy.verdict .*client=127.0.0.1")
        with gp.smtp(client="192.0.2.77") as c:
            reply = c.mail("x@plain.test", ["ann@example.test"],
                           mail("another", "plain.test"))[2]
        assert reply.code == 250
        assert b"dmarc=none" in fetch(gp, "another")
        for thread in threads:
            thread.join()
        unchecked = [s["messages_unchecked"] for s in walk(gp.status())
                     if "messages_unchecked" in s]
    finally:
        names.speak("slow.test")
        gp.close()
    said = {(r.code, r.status) for r in replies}
    assert len(replies) == 20
    assert said == {(550, "5.7.1"), (451, "4.7.1")}
    assert unchecked and not any(unchecked)


def walk(value):
    """All the objects in a JSON value."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from walk(inner)


def test_without_dns_mail_comes_in(tmp_path, names, keys):
    gp = start(tmp_path, names, dmarc_reject="reject", spf_fail="reject",
               policy_timeout_ms=3000)
    names.silent()
    try:
        said = check(gp, keys.sign(mail("no dns", "strict.test"),
                                   "strict.test"), "x@strict.test")
    finally:
        names.speak()
        gp.close()
    for method in ("spf", "dkim", "dmarc"):
        assert method + "=temperror" in said
