"""Clients that mean no good, and limits."""
import socket
import ssl

import pytest

from rig import ldif
from rig.proc import RigError
from rig.smtp import Smtp, b64, message
from rig.wire import Closed, Wire
from setups import arrives, on_ldif, send, send_one, unique


def alive(gp):
    """Serves as before, and nobody crashed."""
    subject = unique("alive")
    assert send_one(gp, "ann@example.test", subject).code == 250
    assert arrives(gp, "ann", ldif.PASSWORD, subject) == 1
    gp.check_log()


def after_starttls(wire, gp, accepted, command, answer):
    """Either STARTTLS was refused, or TLS does not come about, or it does
    and what was said in clear is forgotten."""
    if not accepted:
        return
    assert wire.rest == b""
    try:
        wire.start_tls(gp.ca)
        wire.send(command)
        line = wire.line()
    except (ssl.SSLError, OSError, Closed):
        return
    assert line.startswith(answer), line


def test_what_is_said_before_starttls_is_not_heard(plain):
    """A line in the same packet as STARTTLS (CVE-2011-0411)."""
    with plain.smtp() as c:
        c.send(b"STARTTLS\r\nEHLO injected.test\r\n")
        after_starttls(c, plain, c.reply().code == 220,
                       b"MAIL FROM:<a@client.test>\r\n", b"503")
    alive(plain)


def test_what_is_said_before_imap_starttls_is_not_heard(plain):
    with Wire("127.0.0.1", plain.ports["imap"]) as w:
        w.line()
        w.send(b"a STARTTLS\r\nb NOOP\r\n")
        after_starttls(w, plain, w.line().startswith(b"a OK"),
                       b"c NOOP\r\n", b"c OK")
    alive(plain)


@pytest.mark.parametrize("listener", ["smtp", "submission", "imap"])
@pytest.mark.parametrize("junk", [
    b"\0" * 100000, b"\xff" * 100000, b"A" * 1000000,
    b"\r\n" * 5000, b"\n" * 5000, b"\r" * 5000,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    bytes.fromhex("160301020001000200") + b"\x01" * 500,
], ids=["nul", "ff", "long", "crlf", "lf", "cr", "http", "tls"])
def test_junk(plain, listener, junk):
    with Wire("127.0.0.1", plain.ports[listener]) as w:
        w.line()
        try:
            w.send(junk)
            w.sock.shutdown(socket.SHUT_WR)
            w.at_end()
        except (BrokenPipeError, ConnectionResetError):
            pass
    alive(plain)


@pytest.mark.parametrize("listener", ["submissions", "imaps"])
def test_junk_instead_of_tls(plain, listener):
    with Wire("127.0.0.1", plain.ports[listener]) as w:
        w.send(b"EHLO client.test\r\n" * 100)
        w.at_end()
    alive(plain)


def test_too_many_recipients(plain):
    with plain.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        codes = [c.cmd("RCPT TO:<ann@example.test>").code
                 for _ in range(1200)]
    assert codes[0] == 250 and codes[-1] in (452, 421)
    alive(plain)


def test_a_message_that_is_too_large(tmp_path):
    gp = on_ldif(tmp_path, message_size_max=200000)
    try:
        gp.start()
        rcpts, last = send(gp, "ann@example.test", "large",
                           text="x" * 70 + "\n" + ("y" * 70 + "\n") * 4000)
        assert rcpts[0].code == 250
        assert (last.code, last.status) == (552, "5.3.4")
        with gp.smtp() as c:
            assert "SIZE" in c.extensions
            assert c.extensions["SIZE"] == "200000"
        assert gp.subjects("ann", ldif.PASSWORD) == []
        alive(gp)
    finally:
        gp.close()


def test_many_headers_and_deep_mime(plain):
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
        for n in range(2000))
    bodies = [b"X: y\n" * 20000 + b"\nbody\n", b"X: " + b"y " * 100000
              + b"\n\nbody\n", b"Subject: deep\n" + deep + b"\nbody\n",
              b"no header at all\n", b"\n", b"",
              b"Subject: =?utf-8?Q?" + b"=C3" * 5000 + b"?=\n\nx\n"]
    for body in bodies:
        with plain.smtp() as c:
            _, _, last = c.mail("a@client.test", ["ben@example.test"], body)
            assert last.code // 100 in (2, 5), last
    with plain.imap("ben", ldif.PASSWORD) as c:
        n = c.select().number("EXISTS")
        got = c.must("FETCH 1:* (ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
        assert len(got.lines("FETCH")) == n > 0
    alive(plain)


def test_every_byte_of_a_body_comes_back(plain):
    """8-bit, NUL and long lines arrive as they were sent or are refused."""
    text = bytes(b for b in range(256) if b not in (10, 13))
    body = b"Subject: bytes\r\n\r\n" + text[1:] + b"\r\n"
    with plain.smtp() as c:
        c.must("MAIL FROM:<a@client.test> BODY=8BITMIME")
        c.must("RCPT TO:<ben@example.test>")
        c.send(b"BDAT %d LAST\r\n" % len(body) + body)
        assert c.reply().code == 250
    with plain.imap("ben", ldif.PASSWORD) as c:
        c.select()
        assert list(c.bodies().values())[0].endswith(body)


def test_dots(plain):
    with plain.smtp() as c:
        c.deliver("a@client.test", ["ben@example.test"],
                  b"Subject: dots\n\n.\n..\n.a\nb.\n")
    with plain.imap("ben", ldif.PASSWORD) as c:
        c.select()
        assert list(c.bodies().values())[0].endswith(
            b"\r\n\r\n.\r\n..\r\n.a\r\nb.\r\n")


def test_mx_is_no_relay(plain):
    for sender in ("ann@example.test", "", "a@client.test"):
        for to in ("x@elsewhere.test", "x%elsewhere.test@example.test",
                   "elsewhere.test!x@example.test", '"x@elsewhere.test"',
                   "@example.test:x@elsewhere.test", "x@[127.0.0.1]"):
            with plain.smtp() as c:
                c.must("MAIL FROM:<%s>" % sender)
                assert c.cmd("RCPT TO:<%s>" % to).code >= 500, to


def test_sasl_that_is_none(plain):
    for line in ("AUTH PLAIN", "AUTH LOGIN", "AUTH GSSAPI"):
        with plain.submission() as c:
            if c.cmd(line).code == 334:
                assert c.cmd("=" * 50).code == 501
    for parts in ([""] * 2, [""] * 3, ["a"] * 9, ["", "x" * 5000, "y"],
                  ["ben", "ann", ldif.PASSWORD]):
        with plain.submission() as c:
            assert c.cmd("AUTH PLAIN " + b64(*parts)).code // 100 == 5


def test_idle_clients_do_not_keep_others_out(plain):
    idle = [Smtp("127.0.0.1", plain.ports["smtp"]) for _ in range(200)]
    half = [Wire("127.0.0.1", plain.ports["imaps"]) for _ in range(200)]
    for w in half[::2]:
        w.send(bytes.fromhex("1603010200"))  # the start of a handshake
    try:
        alive(plain)
    finally:
        for w in idle + half:
            w.close()


def test_a_client_that_does_not_read(plain):
    for _ in range(5):
        assert send_one(plain, "ben@example.test", unique("bulk"),
                        text="z" * 70 + "\n" + ("w" * 70 + "\n") * 20000
                        ).code == 250
    c = plain.imap("ben", ldif.PASSWORD)
    c.select()
    c.sock.settimeout(1)
    try:
        for n in range(200):
            c.send(b"f%d FETCH 1:* BODY.PEEK[]\r\n" % n)
    except (OSError, RigError):
        pass
    alive(plain)
    c.close()
