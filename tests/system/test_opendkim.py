"""Mail that Debian's opendkim signed, as a milter of a Postfix which relays it
to us: our verifier finds what it should, whatever the canonical form.

Postfix changes some of it on the way out, behind the milter, as relays do.
The author's domain wants everything else refused, and its SPF record names
nobody, so that the signature alone decides.
"""
import smtplib
import tempfile

import pytest

import setups
from rig import dns as rig_dns
from rig import ldif, postfix
from rig.opendkim import Opendkim
from rig.proc import wait_until
from test_policy import Keys, mail, results

ZONE = """
signed.test.               TXT  "v=spf1 -all"
_dmarc.signed.test.        TXT  "v=DMARC1; p=reject"
rsa._domainkey.signed.test. TXT %(rsa)s
ed._domainkey.signed.test. TXT  %(ed)s
"""
ON_THE_WAY = r"""
smtp_header_checks = regexp:{
    {/^Subject: spread (.*)/ REPLACE SUBJECT:   spread  $$1},
    {/^Subject: forge (.*)/ REPLACE Subject: forged $$1},
    {/^Subject: more (.*)/ PREPEND Subject: another} }
smtp_body_checks = regexp:{
    {/^Spread words/ REPLACE Spread   words},
    {/^Pay 10/ REPLACE Pay 99} }
"""
SIGNERS = {
    "relaxed/relaxed": "rsa", "relaxed/simple": "rsa",
    "simple/relaxed": "rsa", "simple/simple": "rsa",
    "ed25519": "ed",
}
BODY_FAILS = "dkim=fail (body hash did not verify)"
HEAD_FAILS = "dkim=fail (signature did not verify)"


@pytest.fixture(scope="module")
def keys():
    return Keys()


@pytest.fixture(scope="module")
def milters(tmp_path_factory, keys):
    if not postfix.usable():
        pytest.skip("needs root and Postfix (tests/setup test)")
    running = {}
    try:
        for name, key in SIGNERS.items():
            folder = tmp_path_factory.mktemp("opendkim")
            pem = folder / "key.pem"
            pem.write_bytes(keys.pem[key])
            running[name] = Opendkim(
                str(folder), "signed.test", key, pem,
                name if "/" in name else "relaxed/relaxed",
                "ed25519-sha256" if key == "ed" else "rsa-sha256")
        yield {name: od.milter for name, od in running.items()}
    finally:
        for od in running.values():
            od.close()


@pytest.fixture(scope="module")
def way(tmp_path_factory, keys, milters):
    """Gatepost, and the Postfix before it."""
    dns = rig_dns.start(str(tmp_path_factory.mktemp("dns")), ZONE % keys.txt,
                        ttl=300)
    gp = setups.on_ldif(tmp_path_factory.mktemp("gp"), policy=True,
                        dns_servers=[dns.server])
    with tempfile.TemporaryDirectory(prefix="pf-") as folder, \
            postfix.Postfix(folder, gp.ports["smtp"], milters=milters,
                            settings=ON_THE_WAY) as pf:
        try:
            yield gp.start(), pf
        finally:
            gp.close()
            dns.stop()


def look(gp, text):
    """The message with this text, and its mailbox."""
    with gp.imap("ann", ldif.PASSWORD) as c:
        for box in ("INBOX", "Junk"):
            if c.select(box).number("EXISTS"):
                for body in c.bodies().values():
                    if text in body:
                        return body, box
    return None


def through(way, signer, what, text="Hello.\n"):
    """The message as it lies in the mailbox, and in which."""
    gp, pf = way
    subject = setups.unique(what)
    port = pf.milter_ports[signer] if signer else pf.port
    with smtplib.SMTP("127.0.0.1", port) as c:
        c.sendmail("a@signed.test", ["ann@example.test"],
                   mail(subject, "signed.test", text=text)
                   .replace(b"\n", b"\r\n"))
    # Postfix may have changed the words before it.
    number = b" %s\r\n" % subject.split()[-1].encode()
    return wait_until(lambda: look(gp, number), "the message", step=0.1)


ANY = pytest.mark.parametrize("signer", sorted(SIGNERS))


@ANY
@pytest.mark.parametrize("text", [
    "Hello.\n", "", "a \t b  \n\n.\n..\nx\n\n\n", "0123456789 abcde\n" * 9000,
], ids=["line", "empty", "blanks", "large"])
def test_a_signature_passes(way, signer, text):
    body, box = through(way, signer, "signed", text)
    assert box == "INBOX"
    said = results(body)
    assert "dkim=pass header.d=signed.test header.s=" + SIGNERS[signer] in said
    assert "spf=fail" in said and "dmarc=pass" in said
    form = signer if "/" in signer else "relaxed/relaxed"
    signature = body[body.index(b"DKIM-Signature:"):]
    assert b"; c=%s;" % form.encode() in signature
    assert b"by postfix.test" in body


def test_unsigned_fails(way):
    body, box = through(way, None, "unsigned")
    said = results(body)
    assert box == "Junk" and "dkim=none" in said and "dmarc=fail" in said


@ANY
@pytest.mark.parametrize("what,text,why", [
    ("signed", "Pay 10 to Ann.\n", BODY_FAILS),
    ("forge", "Hello.\n", HEAD_FAILS),
    ("more", "Hello.\n", HEAD_FAILS),
])
def test_what_was_altered_fails(way, signer, what, text, why):
    body, box = through(way, signer, what, text)
    said = results(body)
    assert box == "Junk" and why in said and "dmarc=fail" in said


@ANY
@pytest.mark.parametrize("part", ["header", "body"])
def test_spaces_and_case(way, signer, part):
    """What relaxed forgives and simple does not."""
    if part == "header":
        body, box = through(way, signer, "spread")
        assert b"\r\nSUBJECT:   spread" in body
    else:
        body, box = through(way, signer, "signed", "Spread words\n")
        assert b"\r\nSpread   words" in body
    form = (signer if "/" in signer else "relaxed/relaxed").split("/")
    if form[part == "body"] == "relaxed":
        assert box == "INBOX" and "dkim=pass" in results(body)
    else:
        why = HEAD_FAILS if part == "header" else BODY_FAILS
        assert box == "Junk" and why in results(body)
