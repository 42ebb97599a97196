"""remote: mail to servers that behave, and to those that do not."""
import pytest

from rig.remote import TEXT, Remote
from rig.sink import Sink
from setups import on_ldif


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    g = on_ldif(tmp_path_factory.mktemp("remote"), log_level="debug")
    try:
        yield g.start()
    finally:
        g.close()


@pytest.fixture
def remote(gp):
    with Remote(gp) as r:
        yield r


@pytest.fixture
def sink():
    with Sink() as s:
        yield s


def test_a_message_arrives(remote, sink):
    out = remote.send(sink.hop, ["b@y.test", "c@y.test"],
                      prefix="Received: here\r\n")
    assert out.rc == "ok" and [t["rc"] for t in out.to] == ["ok", "ok"]
    assert out.first["reply"] == "250 2.0.0 Queued as SINK"
    assert out.first["code"] == 250 and out.first["from_server"]
    assert out.ip == "127.0.0.1" and out.tls == "" and not out.hop_down
    m, = sink.wait(1)
    assert m.sender == "a@x.test" and m.rcpts == ["b@y.test", "c@y.test"]
    assert m.data == b"Received: here\r\n" + TEXT.encode()
    assert m.helo == "mail.example.test"
    assert m.mail_params == {"SIZE": str(len(m.data)), "BODY": "8BITMIME"}
