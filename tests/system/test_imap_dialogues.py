"""IMAP as clients speak it: Python's imaplib, pipelines, single bytes, large
messages, literals of all kinds."""
import email
import imaplib
import re
import ssl
import time

import pytest

from rig import ldif
from setups import on_ldif

BIG = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    people = ["d%02d" % n for n in range(12)]
    g = on_ldif(tmp_path_factory.mktemp("dialogues"), people)
    try:
        yield g.start()
    finally:
        g.close()


@pytest.fixture
def person(gp):
    n = getattr(gp, "used", 0)
    gp.used = n + 1
    return "d%02d" % n


@pytest.fixture
def client(gp, person):
    with gp.imap(person, ldif.PASSWORD) as c:
        yield c


def big_message():
    line = bytes(range(33, 127))[:76] + b"\r\n"
    body = line * (BIG // len(line))
    return b"Subject: big\r\nFrom: a@x.test\r\n\r\n" + body


def test_imaplib(gp, person):
    tls = ssl.create_default_context(cafile=gp.ca)
    tls.check_hostname = False
    m = imaplib.IMAP4_SSL("127.0.0.1", gp.ports["imaps"], ssl_context=tls)
    assert m.login(person, ldif.PASSWORD)[0] == "OK"
    caps = m.capability()[1][0].decode().upper().split()
    for cap in ("IMAP4REV1", "IDLE", "UIDPLUS", "MOVE", "NAMESPACE",
                "SPECIAL-USE", "LITERAL+", "UNSELECT", "ID"):
        assert cap in caps
    text = b"Subject: one\r\nFrom: a@x.test\r\n\r\nhello\r\n"
    when = imaplib.Time2Internaldate(time.time() - 86400)
    ok, data = m.append("Drafts", r"(\Draft \Seen)", when, text)
    assert ok == "OK" and b"APPENDUID" in data[0]
    assert m.create("Work/Now")[0] == "OK"
    assert m.subscribe("Work/Now")[0] == "OK"
    names = [x.decode() for x in m.list()[1]]
    assert any(r"\Drafts" in x for x in names)
    assert any(x.endswith("Work/Now") for x in names)
    assert m.select("Drafts")[1] == [b"1"]
    ok, data = m.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE BODY[])")
    assert data[0][1] == text
    assert email.message_from_bytes(data[0][1])["Subject"] == "one"
    assert rb"\Draft" in data[0][0] and b"RFC822.SIZE 39 " in data[0][0]
    assert m.search(None, "DRAFT", "SUBJECT", "one")[1] == [b"1"]
    assert m.search("UTF-8", "BODY", "hello")[1] == [b"1"]
    assert m.copy("1", "Work/Now")[0] == "OK"
    assert m.store("1", "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert m.expunge()[1] == [b"1"]
    assert m.status("Work/Now", "(MESSAGES UNSEEN)")[1] == [
        b"Work/Now (MESSAGES 1 UNSEEN 0)"]
    assert m.rename("Work/Now", "Work/Then")[0] == "OK"
    assert m.lsub()[0] == "OK"
    assert m.delete("Work/Then")[0] == "OK"
    assert m.namespace()[0] == "OK"
    assert m.close()[0] == "OK"
    assert m.logout()[0] == "BYE"


def test_a_large_message_goes_both_ways(client):
    c, big = client, big_message()
    c.must("APPEND INBOX (\\Seen)", big)
    c.select()
    got = c.bodies("1")[1]
    assert got == big
    m = re.search(rb"RFC822.SIZE (\d+)", c.must(
        "FETCH 1 RFC822.SIZE").untagged[0])
    assert int(m.group(1)) == len(big)
    part = c.must("FETCH 1 BODY.PEEK[]<1000000.50>").untagged[0]
    assert big[1000000:1000050] in part
    tail = c.must("FETCH 1 BODY.PEEK[TEXT]<%d.99>" % (BIG - 200))
    assert tail.ok
    assert c.must("SEARCH TEXT nosuchtext").untagged == [b"SEARCH"]


def test_what_is_too_large_is_refused_before_it_is_sent(client):
    c = client
    c.send(b"t1 APPEND INBOX {99999999999}\r\n")
    assert c.response().startswith(b"t1 NO [TOOBIG]")
    assert c.must("NOOP").ok


def test_a_slow_reader_of_a_large_mailbox(client):
    """The answer is far larger than what the server keeps for output."""
    c = client
    for _ in range(3):
        c.must("APPEND INBOX", big_message())
    c.select()
    tag = c.start("FETCH 1:3 BODY.PEEK[]")
    time.sleep(1)
    answer = c.finish(tag)
    assert answer.ok and [len(u) > BIG - 100 for u in answer.untagged] == [
        True] * 3


def test_pipelined_commands_run_in_order(client):
    c = client
    c.must("APPEND INBOX", b"Subject: p\r\n\r\nx\r\n")
    c.send(b"p1 SELECT INBOX\r\np2 FETCH 1 UID\r\np3 STORE 1 +FLAGS.SILENT "
           b"(\\Seen)\r\np4 SEARCH SEEN\r\np5 APPEND INBOX {4+}\r\nx: y\r\n"
           b"p6 NOOP\r\np7 UID SEARCH ALL\r\np8 CLOSE\r\n")
    seen = []
    while not seen or seen[-1] != b"p8":
        line = c.response()
        if line[:1] == b"p":
            assert line.split()[1] == b"OK", line
            seen.append(line.split()[0])
    assert seen == [b"p%d" % n for n in range(1, 9)]


def test_a_byte_at_a_time(gp, person):
    with gp.imap(person, ldif.PASSWORD) as c:
        for b in (b"b1 APPEND Drafts (\\Draft) {16+}\r\nSubject: b\r\n\r\nx\n"
                  b"\r\nb2 SELECT Drafts\r\nb3 FETCH 1 BODY.PEEK[]\r\n"):
            c.send(bytes([b]))
        lines = []
        while not lines or not lines[-1].startswith(b"b3 "):
            lines.append(c.response())
        assert lines[-1].startswith(b"b3 OK")
        assert b"* 1 FETCH (BODY[] {16}\r\nSubject: b\r\n\r\nx\n)" in lines


def test_literals_in_odd_places(client):
    c = client
    c.send(b"l1 CREATE {6+}\r\nA b\"c/\r\nl2 SELECT {5}\r\n")
    assert c.response().startswith(b"l1 OK")
    assert c.wait_continue() is not None
    c.send(b"A b\"c\r\n")
    while not c.response().startswith(b"l2 OK"):
        pass
    c.must("LIST", b"", b"A b\"c")
    assert c.must("STATUS", b"A b\"c", "(MESSAGES)").ok
    # one that is refused is skipped, with what follows it
    c.send(b"l3 XYZZY {4+}\r\nl9 X\r\nl4 NOOP\r\n")
    assert c.response().startswith(b"l3 BAD")
    assert c.response().startswith(b"l4 OK")


def test_every_capability_is_there(client):
    """Each name that CAPABILITY says answers its command."""
    c = client
    c.select()
    for cmd in ("ID NIL", "NAMESPACE", "LIST (SPECIAL-USE) \"\" *",
                "LIST \"\" * RETURN (CHILDREN SUBSCRIBED)",
                "UID EXPUNGE 1", "UID MOVE 1 Trash", "UNSELECT"):
        assert c.must(cmd).ok
    caps = c.must("CAPABILITY").untagged[0].split()
    assert caps[:2] == [b"CAPABILITY", b"IMAP4rev1"]
    c.select()
    tag = c.idle()
    assert c.done(tag).ok


def test_names_in_other_scripts(client):
    c = client
    name = "&U,BTFw-/&ZeVnLIqe-"
    c.must("CREATE \"%s\"" % name)
    assert any(u.endswith(name.encode())
               for u in c.must("LIST \"\" \"&U,BTFw-/%\"").untagged)
    assert c.cmd("CREATE \"&U,BTFw-&ZeVnLIqe-\"").status == "NO"
    assert c.cmd("SELECT \"\xe5\"").status in ("NO", "BAD")
    assert c.must("SELECT \"%s\"" % name).ok


def test_flags_and_seen(client):
    c = client
    c.must("APPEND INBOX", b"Subject: s\r\n\r\nx\r\n")
    c.must("EXAMINE INBOX")
    c.must("FETCH 1 BODY[]")
    assert c.must("SEARCH UNSEEN").untagged == [b"SEARCH 1"]
    c.select()
    c.must("FETCH 1 (BODY.PEEK[] RFC822.HEADER)")
    assert c.must("SEARCH UNSEEN").untagged == [b"SEARCH 1"]
    told = c.must("FETCH 1 RFC822").untagged
    assert len(told) == 1 and b"\\Seen" in told[0]
    assert c.must("SEARCH UNSEEN").untagged == [b"SEARCH"]


@pytest.mark.parametrize("command", [
    b"BAD", b"SELECT", b"FETCH 1", b"SELECT INBOX x", b"LOGIN a b",
    b"AUTHENTICATE PLAIN", b"STARTTLS", b"UID", b"UID LOGOUT", b"STORE 1 x",
    b"LIST x", b"APPEND INBOX", b"SEARCH", b"FETCH 1 BODY[", b"NOOP NOOP",
    b"STATUS INBOX (X)", b"CREATE", b"COPY 1", b"EXPUNGE 1"])
def test_malformed_commands_are_bad(gp, command):
    with gp.imap("d00", ldif.PASSWORD) as c:
        c.send(b"x " + command + b"\r\n")
        assert c.response().startswith(b"x BAD")
        assert c.must("NOOP").ok
