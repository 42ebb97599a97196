"""remote and other people's servers."""
import re
import tempfile

import pytest

from rig import postfix
from rig.proc import wait_until
from rig.remote import Remote
from rig.sink import Sink
from setups import on_ldif

TEXT = "Subject: %s\r\n\r\nfirst\r\n.dot\r\n..\r\nlast\r\n"


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    g = on_ldif(tmp_path_factory.mktemp("peers"))
    try:
        yield g.start()
    finally:
        g.close()


@pytest.fixture(scope="module")
def remote(gp):
    with Remote(gp) as r:
        yield r


@pytest.fixture(scope="module")
def back():
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def pf(back):
    if not postfix.usable():
        pytest.skip("needs root and Postfix")
    with tempfile.TemporaryDirectory(prefix="pf-") as folder, \
            postfix.Postfix(folder, back.port) as p:
        yield p


def test_postfix_takes_mail_over_tls(remote, pf):
    out = remote.send(pf.hop, ["ann@p.test", "no@p.test", "full@p.test"],
                      text=TEXT % "tls")
    assert [t["rc"] for t in out.to] == ["ok", "deny", "temp"], out
    assert [t["status"] for t in out.to] == ["2.0.0", "5.1.1", "4.2.2"]
    assert out.tls == "TLS1.3 AES_256_GCM" and out.first["dsn"]
    assert re.match(r"250 2\.0\.0 Ok: queued as \w+", out.first["reply"])
    got = next(m for m in pf.wait(1) if b"Subject: tls" in m)
    assert got.endswith(b"\n\nfirst\n.dot\n..\nlast\n")
    assert b"TLSv1.3" in got and b"mail.example.test" in got


def test_postfix_sends_a_notice_of_success(remote, pf, back):
    out = remote.send(
        pf.hop, [{"address": "ben@p.test", "notify": 2,
                  "orcpt": "rfc822;ben+2Bx@p.test"}],
        text=TEXT % "dsn", envid="QQ+2B1", ret=2)
    assert out.first["rc"] == "ok" and out.first["dsn"], out
    m = back.wait(1)[0]
    assert m.rcpts == ["a@x.test"] and m.sender == ""
    for line in (b"Action: delivered", b"Original-Envelope-Id: QQ+1",
                 b"Original-Recipient: rfc822;ben+x@p.test"):
        assert line in m.data, m.data


def test_postfix_and_many_messages(remote, pf):
    before = len(pf.messages())
    ids = [remote.start(pf.hop, ["c%d@p.test" % i], text=TEXT % "many")
           for i in range(50)]
    assert all(remote.wait(i).first["rc"] == "ok" for i in ids)
    pf.wait(before + 50)
    # connections were used again
    wait_until(lambda: pf.log().count("disconnect from") > 0, "the end")
    assert pf.log().count("connect from localhost") < 2 * 50
