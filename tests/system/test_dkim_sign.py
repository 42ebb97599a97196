"""Mail that people submit is signed, so that others' verifiers say so.

The oracles are python3-dkim and Debian's opendkim-testmsg (libopendkim); both
get the keys from the records that `gatepost dkim` prints.
"""
import json
import os
import re
import signal
import stat

import dkim
import pytest

from rig import ldif
from rig.gatepost import real_root
from rig.proc import wait_until
from setups import arrives, on_ldif, unique

ANN = "ann@" + ldif.MAIL
SIGNED = ("from", "reply-to", "to", "cc", "subject", "date", "message-id",
          "mime-version", "content-type", "content-transfer-encoding")


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    g = on_ldif(tmp_path_factory.mktemp("people"))
    g.cli("dkim", "new", ldif.MAIL)
    try:
        yield g.start()
    finally:
        g.close()


def keys(gp):
    return gp.cli_json("dkim", "show", ldif.MAIL)["keys"]


def records(gp):
    """Of the keys it started with; asked for once."""
    if not hasattr(gp, "dkim_records"):
        gp.dkim_records = {k["name"]: k["record"] for k in keys(gp)}
    return gp.dkim_records


def submit(gp, subject, fields="", body=b"Hello.\r\n"):
    head = ("From: Ann <%s>\r\nTo: %s\r\nSubject: %s\r\n%s" % (
        ANN, ANN, subject, fields)).encode()
    with gp.submission("ann", ldif.PASSWORD) as c:
        return c.mail(ANN, [ANN], head + b"\r\n" + body)[2]


def stored(gp, subject):
    """The message as it lies in the mailbox, from its signatures on."""
    arrives(gp, "ann", ldif.PASSWORD, subject)
    with gp.imap("ann", ldif.PASSWORD) as c:
        c.select()
        for text in c.bodies().values():
            if b"Subject: " + subject.encode() + b"\r\n" in text:
                return text[text.index(b"DKIM-Signature:"):]
    raise AssertionError(subject)


def signed(gp, what, **kw):
    subject = unique(what)
    reply = submit(gp, subject, **kw)
    assert reply.code == 250, reply
    return stored(gp, subject)


def verdicts(text, known):
    """What python3-dkim says of each signature, in order."""
    def txt(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        return known.get(name.rstrip("."), "").encode()

    out = []
    for i in range(len(re.findall(rb"(?m)^DKIM-Signature:",
                                  text.split(b"\r\n\r\n")[0]))):
        try:
            out.append(dkim.DKIM(text, minkey=1024).verify(i, dnsfunc=txt))
        except dkim.DKIMException:
            out.append(False)
    return out


BODIES = {
    "one line": b"Hello.\r\n",
    "empty": b"",
    "only empty lines": b"\r\n\r\n\r\n",
    "trailing spaces": b"a  \t \r\n  b\t\tc \r\n   \r\n \r\n\r\n",
    "998": b"x" * 998 + b"\r\n" + b" y" * 499 + b"\r\n",
    "eight bits": "Grüße, 日本語\r\n".encode() + bytes(range(128, 256)) + b"\r\n",
    "dots": b".\r\n..\r\n.x\r\n",
    "in memory": b"0123456789 abcdef \r\n" * 4000,
    "spool file": b"0123456789 abcdef \r\n" * 100000,
}


@pytest.mark.parametrize("what", BODIES)
def test_it_verifies(gp, what):
    text = signed(gp, what, body=BODIES[what])
    assert verdicts(text, records(gp)) == [True, True]
    assert re.findall(rb"a=([\w-]+);", text)[:2] == [
        b"rsa-sha256", b"ed25519-sha256"]


def test_odd_headers(gp):
    fields = ("sUBJECT-x: a\r\nReply-To:ann@%s \r\nCc:\t\r\n"
              "References: <a@b>\r\n\t\t<c@d>  \r\n <e@f>\r\n"
              "MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n"
              "   charset=utf-8\r\nX-Other: %s\r\n" % (
                  ldif.MAIL, "é" * 300))
    text = signed(gp, "odd", fields=fields)
    assert verdicts(text, records(gp)) == [True, True]


@pytest.mark.parametrize("body", ["one line", "in memory", "spool file"])
@pytest.mark.parametrize("verb", ["DATA", "BDAT"])
def test_blind_copies_stay_blind(gp, verb, body):
    """Bcc and Return-Path are gone before anybody reads or signs it."""
    subject = unique("blind")
    text = ("Bcc: ben@%s,\r\n\tcat@%s\r\nFrom: %s\r\nRETURN-PATH: <x@y.z>"
            "\r\nSubject: %s\r\nresent-bcc:\r\nBcc: cat@%s\r\n\r\n" % (
                ldif.MAIL, ldif.MAIL, ANN, subject, ldif.MAIL)).encode()
    text += BODIES[body] + b"Bcc: in the text\r\n"
    with gp.submission("ann", ldif.PASSWORD) as c:
        if verb == "DATA":
            assert c.mail(ANN, [ANN, "ben@" + ldif.MAIL], text)[2].code == 250
        else:
            c.must("MAIL FROM:<%s>" % ANN)
            c.must("RCPT TO:<%s>" % ANN)
            c.must("RCPT TO:<ben@%s>" % ldif.MAIL)
            for piece, last in ((text[:30], ""), (text[30:], " LAST")):
                c.send(b"BDAT %d%s\r\n" % (len(piece), last.encode()) + piece)
                assert c.reply().code == 250
    got = stored(gp, subject)
    head, _, rest = got.partition(b"\r\n\r\n")
    assert not re.findall(rb"(?mi)^(resent-)?bcc|^return-path|cat@", head), head
    assert rest == BODIES[body] + b"Bcc: in the text\r\n"
    assert verdicts(got, records(gp)) == [True, True]
    arrives(gp, "ben", ldif.PASSWORD, subject)


def test_what_is_covered(gp):
    text = signed(gp, "covered", fields="Date: Mon, 02 Nov 2026 10:00:00 "
                  "+0000\r\nList-Id: <x.%s>\r\n" % ldif.MAIL)
    value = re.search(rb"DKIM-Signature:(.*?)\r\n(?=\S)", text, re.S).group(1)
    tags = dict(t.split("=", 1) for t in re.sub(
        r"\s", "", value.decode()).split(";"))
    names = tags["h"].lower().split(":")
    assert tags["c"] == "relaxed/relaxed" and tags["d"] == ldif.MAIL
    assert not {"l", "i", "x", "z"} & set(tags) and "t" in tags
    head = text.split(b"\r\n\r\n")[0].decode()
    for name in SIGNED:
        there = len(re.findall("(?mi)^%s:" % name, head))
        assert names.count(name) == there + 1, name
    assert names.count("list-id") == 1


@pytest.mark.parametrize("field", [
    b"From: eve@evil.test\r\n", b"Subject: other\r\n", b"To: x@evil.test\r\n",
    b"Content-Type: text/html\r\n", b"Reply-To: eve@evil.test\r\n"])
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_field_added_later_breaks_it(gp, field, where):
    text = signed(gp, "added")
    head, body = text.split(b"\r\n\r\n", 1)
    assert verdicts(text, records(gp)) == [True, True]
    if where == "first":
        bad = field + text
    else:
        bad = head + b"\r\n" + field + b"\r\n" + body
    assert verdicts(bad, records(gp)) == [False, False]


def test_a_changed_body_breaks_it(gp):
    text = signed(gp, "body", body=b"pay 10 to Ann\r\n")
    assert verdicts(text.replace(b"pay 10", b"pay 99"), records(gp)) == [
        False, False]
    assert verdicts(text + b"more\r\n", records(gp)) == [False, False]
    # Relaxed: this is the same message.
    assert verdicts(text.replace(b"pay 10", b"pay  10") + b"\r\n",
                    records(gp)) == [True, True]


def test_only_whom_we_have_keys_for(gp):
    """Ann's alias domain has none: the mail goes out, unsigned."""
    subject = unique("from outside")
    with gp.smtp() as c:
        c.deliver("a@client.test", [ANN], (
            "From: %s\r\nSubject: %s\r\n\r\nx\r\n" % (ANN, subject)).encode())
    arrives(gp, "ann", ldif.PASSWORD, subject)
    with gp.imap("ann", ldif.PASSWORD) as c:
        c.select()
        text = [t for t in c.bodies().values() if subject.encode() in t][0]
    assert b"DKIM-Signature" not in text


# ---- the keys

def test_files_are_the_signers_alone(gp):
    top = gp.settings["dkim_dir"]
    for d, dirs, files in os.walk(top):
        assert stat.S_IMODE(os.stat(d).st_mode) == 0o700, d
        for f in files:
            st = os.stat(os.path.join(d, f))
            assert stat.S_IMODE(st.st_mode) == 0o400, f
    assert len(files) == 3


def test_dns_text_is_a_zone_file(gp):
    """Strings of at most 255 bytes that join to the record."""
    text = gp.cli("dkim", "show", ldif.MAIL)
    found = {}
    for name, strings in re.findall(r"^(\S+)\. IN TXT \(((?:\s+\"[^\"]*\")+) "
                                    r"\)$", text, re.M):
        parts = re.findall(r'"([^"]*)"', strings)
        assert all(len(p) <= 255 for p in parts)
        found[name] = "".join(parts)
    assert found == records(gp)
    rsa = found["gp%sa-rsa._domainkey.%s" % (
        re.search(r"gp(\d{4})a-rsa", text).group(1), ldif.MAIL)]
    assert rsa.startswith("v=DKIM1; k=rsa; p=MIIBIj")


def test_check_names_the_keys(gp):
    lines = [x for x in json.loads(gp.cli("--json", "check", check=False))
             if x["process"] == "signer"]
    assert [x["grade"] for x in lines] == ["good"]
    assert "rsa, 2048 bits" in lines[0]["found"]


def test_a_signer_that_is_killed_comes_back(gp):
    for _ in range(3):
        pid = {r: p for p, r in gp.children()}["signer"]
        os.kill(pid, signal.SIGKILL)
        text = signed(gp, "killed")
        assert verdicts(text, records(gp)) == [True, True]
        wait_until(lambda: {r: p for p, r in gp.children()}.get(
            "signer", pid) != pid, "another signer")


def test_a_signer_that_hangs_defers(gp):
    pid = {r: p for p, r in gp.children()}["signer"]
    os.kill(pid, signal.SIGSTOP)
    try:
        reply = submit(gp, unique("hangs"))
        assert (reply.code, reply.status) == (451, "4.7.5")
    finally:
        os.kill(pid, signal.SIGCONT)
    text = signed(gp, "again")
    assert verdicts(text, records(gp)) == [True, True]


def key_file(gp):
    d = os.path.join(gp.settings["dkim_dir"], ldif.MAIL)
    return [os.path.join(d, f) for f in sorted(os.listdir(d))
            if f.endswith("-rsa.pem")][0]


def spoil_mode(path):
    os.chmod(path, 0o444)


def spoil_text(path):
    os.chmod(path, 0o600)
    with open(path, "w") as f:
        f.write("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                "-----END PRIVATE KEY-----\n")
    os.chmod(path, 0o400)


def spoil_gone(path):
    os.unlink(path)


def spoil_link(path):
    os.rename(path, path + ".real")
    os.symlink(path + ".real", path)


def spoil_owner(path):
    os.chown(path, 0, 0)


SPOIL = [spoil_mode, spoil_text, spoil_gone, spoil_link] + (
    [spoil_owner] if real_root() else [])


@pytest.mark.parametrize("spoil", SPOIL, ids=lambda f: f.__name__[6:])
def test_a_key_that_cannot_be_used_defers(gp, spoil):
    """Not unsigned: others would refuse that for good."""
    path = key_file(gp)
    with open(path, "rb") as f:
        good = f.read()
    st = os.stat(path)
    spoil(path)
    try:
        gp.cli("reload")
        gp.wait_log(r"event=dkim.key .*%s" % re.escape(
            os.path.basename(path)))
        reply = submit(gp, unique("spoilt"))
        assert (reply.code, reply.status) == (451, "4.7.5")
        lines = [x for x in json.loads(gp.cli("--json", "check", check=False))
                 if x["process"] == "signer"]
        assert [x["grade"] for x in lines] == ["FAILED"]
        assert os.path.basename(path) in lines[0]["found"]
    finally:
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "wb") as f:
            f.write(good)
        os.chown(path, st.st_uid, st.st_gid)
        os.chmod(path, 0o400)
    gp.cli("reload")
    text = signed(gp, "mended")
    assert verdicts(text, records(gp)) == [True, True]


def test_rotation(gp):
    """The old keys sign until the new ones are said to be published."""
    old = {k["selector"] for k in keys(gp)}
    out = gp.cli("dkim", "rotate", ldif.MAIL)
    new = {k["selector"] for k in keys(gp)} - old
    assert len(new) == 2 and all(s in out for s in new)
    assert not any(s in out for s in old)
    gp.cli("reload")
    text = signed(gp, "before")
    assert {s.decode() for s in re.findall(rb" s=([\w-]+);", text)} == old
    gp.cli("dkim", "rotate", "--finish", "--force", ldif.MAIL)
    gp.cli("reload")
    text = signed(gp, "after")
    assert {s.decode() for s in re.findall(rb" s=([\w-]+);", text)} == new
    assert verdicts(text, {k["name"]: k["record"] for k in keys(gp)}) == [
        True, True]
    states = {k["selector"]: k["state"] for k in keys(gp)}
    assert states == {**{s: "retired" for s in old},
                      **{s: "active" for s in new}}
    # Nothing waits: a second finish says so and changes nothing.
    assert "no new keys" in gp.cli(
        "dkim", "rotate", "--finish", "--force", ldif.MAIL, check=False)
