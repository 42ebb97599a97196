"""The log as JSON, and to a syslog daemon."""
import json
import os
import re
import socket
import threading

import pytest

from rig import ldif
from rig.proc import wait_until
from setups import on_ldif, send, unique

RFC5424 = re.compile(
    rb"^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) - "
    rb"(gatepost[\w.-]*) (\d+) ([!-~]{1,32}) - (.*)$", re.S)


class Syslogd:
    """A socket as /dev/log, and what came in."""

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.open()

    def open(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(self.path)
        os.chmod(self.path, 0o666)
        self.reading = threading.Thread(target=self._read, args=(self.s,),
                                        daemon=True)
        self.reading.start()

    def _read(self, s):
        while True:
            data = s.recv(65536)
            if data == b"stop":
                return
            self.lines.append(data)

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as c:
            c.sendto(b"stop", self.path)
        self.reading.join()
        self.s.close()

    def events(self):
        return {RFC5424.match(x).group(5).decode() for x in list(self.lines)}


@pytest.fixture
def syslogd(tmp_path):
    os.chmod(tmp_path, 0o755)
    d = Syslogd("/tmp/gpl-%d.log" % os.getpid())
    yield d
    d.close()
    os.unlink(d.path)


def odd_client(gp):
    with gp.smtp(hello=None) as c:
        for line in (b"EHLO \xff\xfe\"\\\x01x\r\n", b"EHLO client.test\r\n",
                     b"MAIL FROM:<\"a\\\"b\xc3\xa9\xff\"@x.test>\r\n",
                     b"\x80\x9b[31m\r\n",
                     b"MAIL FROM:<a@x.test>\r\n",
                     b"RCPT TO:<\"nobody\\\\ \x7f\"@example.test>\r\n",
                     b"RCPT TO:<nobody\xc2\x85@example.test>\r\n"):
            c.send(line)
            c.reply()


def test_every_line_is_json(tmp_path):
    gp = on_ldif(tmp_path, log_format="json", log_level="debug")
    try:
        gp.start()
        odd_client(gp)
        subject = unique("json")
        assert send(gp, "ann@" + ldif.MAIL, subject)[1].code == 250
        with gp.imap() as c:
            c.login('a"b\\', "x")
        gp.stop()
        rows = [json.loads(x) for x in gp.log().splitlines()]
        assert len(rows) > 30
        for r in rows:
            assert list(r)[:4] == ["ts", "level", "proc", "event"]
            assert all(isinstance(v, (str, int)) for v in r.values())
        accept = [r for r in rows if r["event"] == "message.accept"]
        assert [(r["proc"], r["rcpts"], r["rc"]) for r in accept] == [
            ("mx", 1, "ok")]
        assert accept[0]["sid"]
    finally:
        gp.close()


def test_a_reload_changes_the_format(plain):
    plain.write_conf(log_format="json")
    plain.reload()
    plain.wait_log(r'^\{"ts":.*"proc":"gatepostd","event":"reload"')
    send(plain, "ann@" + ldif.MAIL, unique("json"))
    plain.wait_log(r'^\{"ts":.*"proc":"mx","event":"message.accept"')
    plain.write_conf(log_format="text")
    plain.reload()
    plain.wait_log(r"^ts=.* proc=gatepostd event=reload ")


def test_syslog(tmp_path, syslogd):
    gp = on_ldif(tmp_path, log_syslog=syslogd.path)
    try:
        gp.start()
        odd_client(gp)
        send(gp, "ann@" + ldif.MAIL, unique("syslog"))
        gp.imap("ann", ldif.PASSWORD).close()
        wait_until(lambda: {"message.accept", "imap.login"} <=
                   syslogd.events(), "the lines")
        gp.stop()
        wait_until(lambda: "stopped" in syslogd.events(), "the last line")
        names = set()
        text = gp.log()
        for line in syslogd.lines:
            m = RFC5424.match(line)
            assert m, line
            priority, _, name, _, _, msg = m.groups()
            assert int(priority) >> 3 == 2  # mail
            assert int(priority) & 7 in (3, 4, 6)
            assert msg.decode() + "\n" in text
            names.add(name.decode())
        names = {n.split(".")[0] for n in names}
        assert names >= {"gatepostd"} | {"gatepost-" + n for n in (
            "mx", "access", "directory", "delivery", "signer", "imap")}
    finally:
        gp.close()


def test_a_syslog_daemon_may_be_absent_and_come_back(plain, syslogd):
    syslogd.close()
    os.unlink(syslogd.path)
    plain.write_conf(log_syslog=syslogd.path)
    plain.reload()
    plain.wait_log(r"event=log.syslog ")
    assert send(plain, "ann@" + ldif.MAIL, unique("without"))[1].code == 250
    syslogd.open()

    def told():
        send(plain, "ann@" + ldif.MAIL, unique("with"))
        return {"message.accept", "log.dropped"} <= syslogd.events()

    wait_until(told, "lines, and the number of those that were lost")


def test_a_syslog_daemon_that_does_not_read_holds_nobody_up(plain, syslogd):
    """Its queue is full after some ten datagrams."""
    syslogd.close()
    os.unlink(syslogd.path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mute:
        mute.bind(syslogd.path)
        os.chmod(syslogd.path, 0o666)
        plain.write_conf(log_syslog=syslogd.path)
        plain.reload()
        for n in range(20):
            assert send(plain, "ann@" + ldif.MAIL,
                        unique("mute"))[1].code == 250
        assert plain.log().count("event=message.accept") == 20
    syslogd.open()


def test_a_check_does_not_write_to_syslog(tmp_path, syslogd):
    gp = on_ldif(tmp_path, log_syslog=syslogd.path)
    try:
        gp.cli("check", check=False)
        assert not syslogd.lines
    finally:
        gp.close()
