"""Canonical maps in the header of what people and programs of ours send.

What arrives elsewhere is rewritten and has a signature that python3-dkim
says is good: of the domain that the author has then.
"""
import os
import pwd
import re
import subprocess

import dkim
import pytest

from rig import ldif
from rig.proc import wait_until
from rig.sink import Sink
from setups import arrives, on_ldif, unique

PW = ldif.PASSWORD
HOST = "mail.example.test"
NEW = "new.test"


def at(name):
    return "%s@%s" % (name, ldif.MAIL)


ANN, BEN = at("ann"), at("ben")
RULES = """
sender %s Ann.Huber@%s
sender %s@%s cron@%s
envelope-sender %s bounces@%s
recipient @old.test @%s
recipient @o.test @%s
recipient team@old.test joe@far.test ann@%s
envelope-recipient info@old.test joe@far.test
recipient ben@%s Ben.Mair@%s
""" % (ANN, NEW, pwd.getpwuid(os.getuid()).pw_name, HOST, NEW, BEN, NEW, NEW,
       NEW, ldif.MAIL, ldif.MAIL, NEW)


@pytest.fixture(scope="module")
def sink():
    with Sink() as s:
        yield s


@pytest.fixture(scope="module")
def gp(tmp_path_factory, sink):
    g = on_ldif(tmp_path_factory.mktemp("canonical"), people=("ann", "ben"),
                hostname=HOST, outbound_private=True,
                domains=[ldif.MAIL, "old.test"],
                routes=["*=smtp:127.0.0.1:%d" % sink.port])
    rules = os.path.join(g.folder, "rules")
    with open(rules, "w") as f:
        f.write(RULES)
    g.write_conf(rules_file=rules)
    for domain in (ldif.MAIL, NEW):
        g.cli("dkim", "new", domain)
    g.start()
    g.records = {k["name"]: k["record"] for domain in (ldif.MAIL, NEW)
                 for k in g.cli_json("dkim", "show", domain)["keys"]}
    try:
        yield g
    finally:
        g.close()


def sent(sink, subject):
    """The one message of this subject that left."""
    got = wait_until(lambda: [m for m in sink.messages
                              if subject.encode() in m.data], "the message")
    return got[0]


def header(data):
    return data.split(b"\r\n\r\n", 1)[0]


def field(data, name):
    found = re.search(rb"(?mis)^%s:(.*?)\r\n(?![ \t])" % name.encode(),
                      header(data) + b"\r\n")
    return found.group(1).strip().decode() if found else None


def check_signed(gp, data, domain):
    def txt(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        return gp.records.get(name.rstrip("."), "").encode()

    fields = re.findall(rb"(?ms)^DKIM-Signature:.*?\r\n(?![ \t])",
                        header(data) + b"\r\n")
    assert len(fields) == 2
    for i, f in enumerate(fields):
        assert re.search(rb"\bd=([\w.]+);", f).group(1).decode() == domain
        assert dkim.DKIM(data, minkey=1024).verify(i, dnsfunc=txt)


def submit(gp, subject, fields, to="joe@far.test", sender=ANN, user="ann",
           body=b"Hello.\r\n"):
    text = ("%sSubject: %s\r\n" % (fields, subject)).encode() + b"\r\n" + body
    with gp.submission(user, PW) as c:
        _, rcpts, last = c.mail(sender, [to], text)
    return last or rcpts[0]


BODIES = {"small": b"Hello.\r\n", "in memory": b"x" * 70 + b"\r\n",
          "spool file": b"y" * 70 + b"\r\n"}


@pytest.mark.parametrize("what,times", [
    ("small", 1), ("in memory", 4000), ("spool file", 20000)])
def test_a_submission(gp, sink, what, times):
    subject = unique(what)
    body = BODIES[what] * times
    reply = submit(gp, subject, (
        "From: =?utf-8?q?Ann_M=C3=BCller?= <%s> (she)\r\n"
        "Sender: %s\r\nReply-To: \"%s\"\r\n <%s>\r\n"
        "To: Joe <joe@far.test>,\r\n\tx@old.test, team@old.test,"
        " info@old.test\r\n"
        "Cc: people: A <a@old.test>, %s;, b@other.test\r\n"
        "X-From: %s\r\n" % (ANN, ANN, ANN, ANN, BEN, ANN)), body=body)
    assert reply.code == 250, reply
    m = sent(sink, subject)
    new = "Ann.Huber@" + NEW
    assert m.sender == new
    assert field(m.data, "From") == \
        "=?utf-8?q?Ann_M=C3=BCller?= <%s> (she)" % new
    assert field(m.data, "Sender") == new
    assert field(m.data, "Reply-To") == "\"%s\"\r\n <%s>" % (ANN, new)
    assert field(m.data, "To") == (
        "Joe <joe@far.test>,\r\n\tx@%s, team@old.test, info@old.test" % NEW)
    assert field(m.data, "Cc") == (
        "people: A <a@%s>, Ben.Mair@%s;, b@other.test" % (NEW, NEW))
    assert field(m.data, "X-From") == ANN
    assert m.data.split(b"\r\n\r\n", 1)[1] == body
    check_signed(gp, m.data, NEW)


def test_maps_for_the_envelope_leave_the_header(gp, sink):
    subject = unique("envelope")
    reply = submit(gp, subject, "From: %s\r\nTo: info@old.test\r\n" % BEN,
                   to="info@old.test", sender=BEN, user="ben")
    assert reply.code == 250
    m = sent(sink, subject)
    assert m.sender == "bounces@" + NEW and m.rcpts == ["joe@far.test"]
    assert field(m.data, "From") == BEN
    assert field(m.data, "To") == "info@old.test"
    check_signed(gp, m.data, ldif.MAIL)


def test_the_right_is_that_of_the_old_address(gp):
    reply = submit(gp, unique("right"),
                   "From: Ann.Huber@%s\r\nTo: joe@far.test\r\n" % NEW)
    assert reply.code == 550 and reply.status == "5.7.1"


def test_long_lines_are_folded(gp, sink):
    subject = unique("long")
    many = ", ".join("u%02d@o.test" % i for i in range(80))
    assert 900 < len("Cc: " + many) < 998
    reply = submit(gp, subject, "From: %s\r\nTo: joe@far.test\r\n"
                   "Cc: %s\r\n" % (ANN, many))
    assert reply.code == 250
    m = sent(sink, subject)
    assert max(map(len, header(m.data).split(b"\r\n"))) <= 998
    assert re.sub(r"\s+", " ", field(m.data, "Cc")) == many.replace(
        "o.test", NEW)
    check_signed(gp, m.data, NEW)


def test_odd_fields_pass(gp, sink):
    subject = unique("odd")
    reply = submit(gp, subject, (
        "From: %s\r\nTo: <<x@old.test>, \"y@old.test\r\n"
        "Cc: a b c@old.test @, ((((\r\nReply-To: <@r.test:ann@%s>\r\n"
        % (ANN, ldif.MAIL)))
    assert reply.code == 250
    m = sent(sink, subject)
    assert field(m.data, "Reply-To") == "<@r.test:Ann.Huber@%s>" % NEW
    check_signed(gp, m.data, NEW)


def test_sendmail(gp, sink):
    subject = unique("cron")
    me = pwd.getpwuid(os.getuid()).pw_name
    done = subprocess.run(
        [gp.program("gatepost-sendmail"), "-C", gp.conf, "-t", "-i"],
        input=("From: Cron Daemon <%s@%s>\nTo: joe@far.test\n"
               "Subject: %s\n\nHello\n" % (me, HOST, subject)).encode(),
        stderr=subprocess.PIPE, env=gp.environment(), timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    m = sent(sink, subject)
    assert m.sender == "cron@" + NEW
    assert field(m.data, "From") == "Cron Daemon <cron@%s>" % NEW
    check_signed(gp, m.data, NEW)


def test_mail_of_strangers_stays(gp):
    """The recipient is mapped; what the sender wrote and signed is not."""
    subject = unique("stranger")
    with gp.smtp() as c:
        _, rcpts, last = c.mail("x@client.test", [at("ann")], (
            "From: %s\r\nTo: x@old.test, %s\r\nSubject: %s\r\n\r\nHi\r\n"
            % (ANN, BEN, subject)).encode())
    assert last.code == 250
    arrives(gp, "ann", PW, subject)
    with gp.imap("ann", PW) as c:
        c.select()
        text = [t for t in c.bodies().values() if subject.encode() in t][0]
    assert field(text, "From") == ANN
    assert field(text, "To") == "x@old.test, %s" % BEN


def test_machines_of_ours(gp, sink):
    gp.write_conf(relay_networks=["127.0.0.0/8"])
    gp.cli("reload")
    subject = unique("printer")

    def goes():
        with gp.smtp() as c:
            _, rcpts, last = c.mail(ANN, ["joe@far.test"], (
                "From: Scanner <%s>\r\nTo: a@old.test\r\nSubject: %s\r\n"
                "\r\nScan\r\n" % (ANN, subject)).encode())
        return last and last.code == 250

    wait_until(goes, "the network to be one of ours")
    m = sent(sink, subject)
    assert field(m.data, "From") == "Scanner <Ann.Huber@%s>" % NEW
    assert field(m.data, "To") == "a@" + NEW
    check_signed(gp, m.data, NEW)
