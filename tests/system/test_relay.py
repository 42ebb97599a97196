"""No open relay: every known way to ask for it, as data, on port 25.

Each row is what a stranger says; no recipient may be accepted, whatever the
sender, the HELO and the parameters are.  The same strangers do reach people
here, so the table cannot pass because the server is down.
"""
import pytest

from rig import ldif
from rig.sink import Sink
from rig.smtp import message
from rig.wire import Wire
from setups import arrives, on_ldif, unique

PW = ldif.PASSWORD
OURS = ldif.MAIL
HOST = "mail.example.test"

# Recipient forms.
RECIPIENTS = [
    "<victim@foreign.example>",
    "<victim%%foreign.example@%s>" % OURS,           # percent hack
    "<victim%%foreign.example@%s>" % HOST,
    "<victim%foreign.example@[127.0.0.1]>",
    "<victim%foreign.example>",
    "<foreign.example!victim>",                      # bang path
    "<foreign.example!victim@%s>" % OURS,
    "<%s!victim@foreign.example>" % OURS,
    "<foreign.example!victim@[127.0.0.1]>",
    "<@%s:victim@foreign.example>" % OURS,           # source route
    "<@%s,@foreign.example:victim@foreign.example>" % OURS,
    "<@foreign.example:victim@foreign.example>",
    '<"victim@foreign.example">',                    # quoted local part
    '<"victim@foreign.example"@%s>' % OURS,
    '<"victim%%foreign.example"@%s>' % OURS,
    '<"foreign.example!victim"@%s>' % OURS,
    '<"@%s:victim@foreign.example"@%s>' % (OURS, OURS),
    '<"victim@foreign.example"@[127.0.0.1]>',
    "<victim@foreign.example@%s>" % OURS,            # two at signs
    "<victim@%s@foreign.example>" % OURS,
    "<ann@%s,victim@foreign.example>" % OURS,        # a list
    "<ann@%s> <victim@foreign.example>" % OURS,
    "<victim@foreign.example> ORCPT=rfc822;ann@%s" % OURS,
    "<victim@[192.0.2.1]>",                          # domain literals
    "<victim@[127.0.0.1]>",
    "<victim@[IPv6:2001:db8::1]>",
    "<victim@192.0.2.1>",
    "<victim@%s.>" % "foreign.example",              # trailing dot
    "<victim@sub.%s>" % OURS,                        # below and beside ours
    "<victim@x%s>" % OURS,
    "<victim@%s.foreign.example>" % OURS,
    "<victim@.%s>" % OURS,
    "<victim@foreign.example >",                     # spaces
    "< victim@foreign.example>",
    "<victim @foreign.example>",
    "<victim@foreign.example%20>",
    "victim@foreign.example",                        # no brackets
    "<victim@foreign.example",
    "<<victim@foreign.example>>",
    "<victim@foreign.example\t>",
    "<victim@foreign.example\x00@%s>" % OURS,        # NUL
    "<victim@foreign.example\\@%s>" % OURS,          # backslash
    "<victim\\@foreign.example@%s>" % OURS,
    "<victim(@%s)@foreign.example>" % OURS,          # comment
    "<victim@foreign.example#@%s>" % OURS,
    "<victim@foreign.example/@%s>" % OURS,
    "<victim@foreign.example;@%s>" % OURS,
    "<victim=foreign.example@%s>" % OURS,            # VERP and SRS
    "<SRS0=aaaa=bb=foreign.example=victim@%s>" % OURS,
    "<victim+foreign.example@%s>" % OURS,
    "<IMCEASMTP-victim+40foreign+2Eexample@%s>" % OURS,
    "<victim@fore\u0456gn.example>",                 # UTF-8
    "<victim\uff20foreign.example@%s>" % OURS,       # fullwidth @
    "<victim@%s\u3002foreign.example>" % OURS,       # ideographic stop
    "<victim@xn--80ak6aa92e.com>",
    "<>",
    "<@>",
    "<@%s>" % OURS,
    "<@%s:>" % OURS,
]

# What else is said: HELO, MAIL.
OTHERS = [
    ("client.test", "MAIL FROM:<spam@spam.example>"),
    ("client.test", "MAIL FROM:<>"),
    (HOST, "MAIL FROM:<spam@spam.example>"),         # HELO as ourselves
    ("localhost", "MAIL FROM:<spam@localhost>"),
    ("[127.0.0.1]", "MAIL FROM:<spam@[127.0.0.1]>"),
    ("client.test", "MAIL FROM:<ann@%s>" % OURS),    # as one of us
    (HOST, "MAIL FROM:<postmaster@%s>" % OURS),
    ("client.test", "MAIL FROM:<spam@spam.example> RET=HDRS ENVID=x"),
]


def dialogue(gp, helo, mail, rcpts):
    """The replies to the RCPTs, in a connection that lives through errors."""
    replies = []
    while rcpts:
        with Wire("127.0.0.1", gp.ports["smtp"]) as w:
            w.line()
            for line in ("EHLO " + helo, mail):
                w.send(line.encode() + b"\r\n")
                while True:
                    got = w.line()
                    if got[3:4] != b"-":
                        break
                assert got.startswith(b"250"), (line, got)
            for rcpt in rcpts[:10]:
                w.send(b"RCPT TO:" + rcpt.encode() + b"\r\n")
                replies.append((rcpt, w.line().decode()))
        rcpts = rcpts[10:]
    return replies


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    """The most that can be configured without being an open relay."""
    folder = tmp_path_factory.mktemp("relay")
    with Sink() as sink:
        hop = "smtp:127.0.0.1:%d" % sink.port
        gp = on_ldif(
            folder, smtp_errors_max=100, outbound_private=True,
            relay_networks=["192.0.2.0/24", "2001:db8::/32"],
            routes=["*=" + hop, "foreign.example=" + hop,
                    "relay:inner.example=" + hop,
                    "relay:.inner.example=" + hop,
                    "server:old.example=" + hop])
        try:
            yield gp.start(), sink
        finally:
            gp.close()


@pytest.mark.parametrize("helo,mail", OTHERS)
def test_strangers_reach_nobody_elsewhere(relay, helo, mail):
    gp, sink = relay
    accepted = [(r, a) for r, a in dialogue(gp, helo, mail, RECIPIENTS)
                if not a.startswith("5")]
    assert accepted == []
    (_, ours), = dialogue(gp, helo, mail, ["<ann@%s>" % OURS])
    assert ours.startswith("250")
    assert sink.connections == 0


def test_plain_foreign_recipients_get_the_usual_words(relay):
    gp, _ = relay
    (_, reply), = dialogue(gp, "client.test", "MAIL FROM:<a@b.example>",
                           ["<victim@foreign.example>"])
    assert reply.startswith("550 5.7.1 Relaying denied")


def test_auth_parameter_is_not_believed(relay):
    gp, _ = relay
    with gp.smtp() as c:
        assert c.cmd("MAIL FROM:<a@b.example> AUTH=<ann@%s>"
                     % OURS).code == 555
        assert c.cmd("RCPT TO:<victim@foreign.example>").code == 503
        assert "AUTH" not in c.extensions
        assert c.cmd("AUTH PLAIN AGFubgBzZWNyZXQ=").code >= 500


def test_submission_without_a_password_relays_nothing(relay):
    gp, _ = relay
    with gp.submission() as c:
        assert c.cmd("MAIL FROM:<ann@%s>" % OURS).code == 530
        assert c.cmd("RCPT TO:<victim@foreign.example>").code in (503, 530)


RELAYED = [
    ("<kim@inner.example>", True),
    ("<kim@INNER.example>", True),
    ("<kim@deep.inner.example>", True),
    ("<kim@outer.example>", False),
    ("<kim@xinner.example>", False),
    ("<victim%foreign.example@inner.example>", False),
    ("<foreign.example!victim@inner.example>", False),
    ('<"victim@foreign.example"@inner.example>', False),
]


@pytest.mark.parametrize("rcpt,taken", RELAYED)
def test_relay_domains_and_no_further(relay, rcpt, taken):
    gp, _ = relay
    (_, reply), = dialogue(gp, "client.test", "MAIL FROM:<a@b.example>",
                           [rcpt])
    assert reply.startswith("250" if taken else "550"), reply


def test_relay_domain_mail_goes_to_its_hop(relay):
    gp, sink = relay
    subject = unique("inner")
    with gp.smtp() as c:
        c.deliver("a@b.example", ["kim@inner.example"],
                  message("a@b.example", "kim@inner.example", subject))
    m = sink.wait(1)[-1]
    assert m.rcpts == ["kim@inner.example"] and subject.encode() in m.data


def test_ours_still_arrive(relay):
    gp, _ = relay
    subject = unique("ours")
    with gp.smtp() as c:
        c.deliver("a@b.example", ["ann@" + OURS],
                  message("a@b.example", "ann@" + OURS, subject))
    assert arrives(gp, "ann", PW, subject) == 1


def test_networks_that_may(tmp_path):
    with Sink() as sink:
        gp = on_ldif(tmp_path, relay_networks=["127.0.0.0/8"],
                     outbound_private=True,
                     routes=["*=smtp:127.0.0.1:%d" % sink.port])
        try:
            gp.start()
            with gp.smtp() as c:
                c.deliver("a@b.example", ["joe@foreign.example"],
                          message("a@b.example", "x@y.test", "relayed"))
            assert sink.wait(1)[0].rcpts == ["joe@foreign.example"]
        finally:
            gp.close()


@pytest.mark.parametrize("setting", [
    'relay_networks = {"0.0.0.0/0"}', 'relay_networks = {"::/0"}',
    'routes = {"relay:*=mx:example.net"}', 'routes = {"x=ftp:y"}'])
def test_no_configuration_makes_one(tmp_path, setting):
    gp = on_ldif(tmp_path)
    try:
        with open(gp.conf, "a") as f:
            f.write(setting + "\n")
        out = gp.cli("config", check=False)
        assert "relay_networks" in out or "routes" in out
    finally:
        gp.close()
