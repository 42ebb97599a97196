"""The sink keeps to its docstring."""
import smtplib
import socket

import pytest

from . import sink as s
from .ca import Certificates
from .proc import wait_until
from .sink import Sink

TEXT = b"Subject: x\r\n\r\n..dots\r\n.\r\nend\r\n"


def client(sink):
    return smtplib.SMTP(sink.host, sink.port, local_hostname="me", timeout=20)


def test_message_and_dots():
    with Sink() as sink, client(sink) as c:
        c.sendmail("a@x.test", ["b@y.test", "c@y.test"], TEXT)
        m, = sink.wait(1)
        assert m.sender == "a@x.test"
        assert m.rcpts == ["b@y.test", "c@y.test"]
        assert m.data == TEXT
        assert m.wire.endswith(b"\r\n.\r\n") and b"\r\n...dots" in m.wire
        assert "SIZE" in m.mail_params and m.helo == "me"


def test_rules():
    with Sink() as sink:
        sink.on("rcpt", "550 5.1.1 no", match="b@")
        sink.once("dot", ["451 4.3.0 later", "much"])
        with client(sink) as c:
            with pytest.raises(smtplib.SMTPDataError) as e:
                c.sendmail("a@x.test", ["b@y.test", "c@y.test"], TEXT)
            assert e.value.smtp_code == 451
            assert b"much" in e.value.smtp_error
            assert list(c.sendmail("a@x.test", ["b@y.test", "c@y.test"],
                                   TEXT)) == ["b@y.test"]
        assert sink.wait(1)[0].rcpts == ["c@y.test"]


def test_tls_and_auth(tmp_path):
    ca = Certificates(str(tmp_path / "tls"), ["sink.test"])
    with Sink(tls=ca, users={"ann": "pw"}) as sink, client(sink) as c:
        c.starttls()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            c.login("ann", "wrong")
        c.login("ann", "pw")
        c.sendmail("a@x.test", ["b@y.test"], TEXT)
        m, = sink.wait(1)
        assert m.tls and m.user == "ann"


def test_lmtp_replies_per_recipient(tmp_path):
    with Sink(lmtp=True, path=str(tmp_path / "l")) as sink:
        sink.on("dot", "452 4.2.2 full", match="c@")
        with smtplib.LMTP(sink.path) as c:
            c.ehlo_or_helo_if_needed()
            c.mail("a@x.test")
            c.rcpt("b@y.test")
            c.rcpt("c@y.test")
            assert c.data(TEXT)[0] == 250
            assert c.getreply()[0] == 452
        assert sink.hop == "lmtp:%s" % sink.path


def test_drop_stall_and_refuse():
    with Sink() as sink:
        sink.once("connect", s.DROP).once("connect", s.STALL)
        with socket.create_connection((sink.host, sink.port)) as c:
            sink.wait_stalled()
            c.settimeout(0.05)
            with pytest.raises(socket.timeout):
                c.recv(1)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client(sink)
        sink.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            client(sink)
        sink.listen_again()
        client(sink).quit()
        wait_until(lambda: sink.open == 1, "only the stalling one left")
