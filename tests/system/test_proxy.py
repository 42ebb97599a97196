"""Behind a balancer: the PROXY protocol on listeners that are told so."""
import pytest

from rig import ldif
from rig.proc import RigError
from rig.wire import Wire
import setups

ANN = "ann@example.test"


def test_mail_is_from_the_true_client(plain):
    subject = setups.unique("proxied")
    for client in ("192.0.2.7", "2001:db8::7"):
        with plain.smtp(client=client) as c:
            c.deliver("s@client.test", [ANN],
                      setups.message("s@client.test", ANN, subject))
    with plain.imap("ann", ldif.PASSWORD) as c:
        c.cmd("SELECT INBOX")
        text = c.cmd("FETCH 1:* BODY[HEADER.FIELDS (RECEIVED)]")
    assert b"192.0.2.7" in b"".join(text.untagged)
    assert b"2001:db8::7" in b"".join(text.untagged)


def test_logins_are_from_the_true_client(plain):
    for tls in ("imaps", "imap"):
        with plain.imap("ann", ldif.PASSWORD, tls=tls, client="192.0.2.8"):
            pass
    with plain.submission("ann", ldif.PASSWORD, client="2001:db8::8"):
        pass
    plain.wait_log(r"login.ok .*client=192\.0\.2\.8")
    plain.wait_log(r"login.ok .*service=smtp client=2001:db8::8")


@pytest.mark.parametrize("name", ["smtp", "submissions", "imap"])
def test_nobody_speaks_there_without_the_header(plain, name):
    with Wire("127.0.0.1", plain.proxy_ports[name]) as c:
        c.send(b"EHLO client.test\r\n")
        assert c.at_end() == b""
    plain.wait_log(r"netd\.refused why=proxy_header client=127\.0\.0\.1")


def test_the_header_means_nothing_elsewhere(plain):
    with pytest.raises((RigError, OSError)):
        with Wire("127.0.0.1", plain.ports["smtp"],
                  client="192.0.2.9") as c:
            while True:
                line = c.line()
                if line[:3] != b"220":
                    assert line[:1] == b"5", line
                    raise RigError("refused as a command")
    assert "192.0.2.9" not in plain.log()


def test_only_balancers_may_connect(tmp_path):
    gp = setups.on_ldif(tmp_path, proxy_networks=["192.0.2.0/24"])
    try:
        gp.start()
        with Wire("127.0.0.1", gp.proxy_ports["smtp"]) as c:
            assert c.at_end().startswith(b"421 ")
        gp.wait_log(r"netd\.refused why=not_a_proxy client=127\.0\.0\.1")
    finally:
        gp.close()
