"""Start, stop, reload, and what lasts."""
import os
import signal
import stat
import threading

from rig import ldif
from rig.proc import wait_until
from rig.wire import Wire
from setups import arrives, on_ldif, send_one, unique


def certificate_of(gp):
    with Wire("127.0.0.1", gp.ports["imaps"], tls_ca=gp.ca) as w:
        return w.sock.getpeercert()["serialNumber"]


def test_reload_takes_the_new_certificate_and_drops_nobody(plain):
    before = certificate_of(plain)
    with plain.imap("ann", ldif.PASSWORD) as c, plain.smtp() as s:
        c.select()
        tag = c.idle()
        s.must("MAIL FROM:<a@client.test>")
        cert, key = plain.certificates.issue("new", "new-key", [
            "mail.example.test"])
        plain.write_conf(tls_certificate=[cert], tls_key=[key])
        plain.give_away()
        plain.hang_up()
        wait_until(lambda: certificate_of(plain) != before, "the new one")
        s.must("RCPT TO:<ann@example.test>")
        assert s.data(b"Subject: still here\n\n").code == 250
        assert c.response().endswith(b" EXISTS")
        assert c.done(tag).ok


def test_reload_of_settings(plain):
    assert send_one(plain, "ann@second.test", unique("x")).code == 550
    plain.write_conf(domains=["example.test", "second.test"])
    plain.reload()
    assert send_one(plain, "ann@second.test", unique("x")).status == "5.1.1"


def test_a_bad_configuration_is_not_taken(plain):
    with open(plain.conf, "a") as f:
        f.write("frobnicate = 1\n")
    plain.hang_up()
    plain.wait_log(r"frobnicate")
    assert send_one(plain, "ann@example.test", unique("x")).code == 250


def test_mail_lasts(plain):
    subjects = [unique("lasts %d" % n) for n in range(5)]
    for s in subjects:
        assert send_one(plain, "ann@example.test", s).code == 250
    with plain.imap("ann", ldif.PASSWORD) as c:
        c.select()
        c.must("STORE 2 +FLAGS (\\Seen $Mine)")
        c.must("CREATE Kept")
        c.must("COPY 1:3 Kept")
        c.must("STORE 5 +FLAGS.SILENT (\\Deleted)")
        c.must("EXPUNGE")
    with plain.imap("ann", ldif.PASSWORD) as c:
        c.select()
        shape = c.must("UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)")
        validity = [u for u in c.select().untagged if b"UIDVALIDITY" in u]
    for end in (plain.stop, plain.kill):
        end()
        plain.start()
        with plain.imap("ann", ldif.PASSWORD) as c:
            assert [u for u in c.select().untagged
                    if b"UIDVALIDITY" in u] == validity
            again = c.must("UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)")
            assert again.lines("FETCH") == shape.lines("FETCH")
            assert c.subjects("Kept") == subjects[:3]


class Watch:
    """The modes that the sockets of a Gatepost were seen with."""

    def __init__(self, gp):
        self.gp, self.seen, self.stopping = gp, {}, threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def look(self):
        folder, now = self.gp.settings["run_dir"], {}
        for name in os.listdir(folder):
            try:
                st = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            if stat.S_ISSOCK(st.st_mode):
                now[name] = stat.S_IMODE(st.st_mode)
                self.seen.setdefault(name, set()).add(now[name])
        return now

    def _run(self):
        while not self.stopping.wait(0.001):
            self.look()

    def stop(self):
        self.stopping.set()
        self.thread.join()


def test_sockets_have_the_same_mode_whatever_the_umask(plain):
    """And no other one before, as long as one can see."""
    found = []
    for mask in (0, 0o077, 0o777):
        plain.stop()
        watch, old = Watch(plain), os.umask(mask)
        try:
            plain.start(wait=False)
        finally:
            os.umask(old)
        try:
            plain.wait_ready()
        finally:
            watch.stop()
        found.append(watch.look())
        assert watch.seen == {n: {m} for n, m in found[-1].items()}
    modes = dict(found[0])
    for name, mode in (("control.sock", 0o600), ("sendmail.sock", 0o666),
                       ("lmtp", 0o666)):
        assert modes.pop(name) == mode
    assert "store.sock" in modes and set(modes.values()) == {0o660}
    assert found[1] == found[2] == found[0]


def test_a_stop_says_goodbye(plain):
    """To everybody, in every state, by itself (RFC 9051 section 7.1.5)."""
    pw = ldif.PASSWORD
    with plain.imap("ann", pw) as idle, plain.imap("ann", pw) as selected, \
            plain.imap("ann", pw, tls="imap") as upgraded, \
            plain.imap() as stranger, plain.pop3("ben", pw) as pop3, \
            plain.smtp() as smtp, plain.submission("ann", pw) as sender:
        selected.select()
        idle.select()
        idle.idle()
        smtp.must("MAIL FROM:<a@client.test>")
        plain.stop()  # fails unless all of it ends with 0
        for c in idle, selected, upgraded, stranger:
            assert c.at_end().startswith(b"* BYE ")
        assert pop3.at_end().startswith(b"-ERR [SYS/TEMP] ")
        for c in smtp, sender:
            assert c.at_end().startswith(b"421 4.3.2 ")
    plain.start()
    assert send_one(plain, "ann@example.test", unique("x")).code == 250


def test_everything_restarts_by_itself(plain):
    for role in sorted({r for _, r in plain.children()}):
        pid = [p for p, r in plain.children() if r == role][0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in [p for p, _ in plain.children()]
                   and role in [r for _, r in plain.children()],
                   "another " + role)
        subject = unique("after " + role)
        wait_until(lambda: delivers(plain, subject), "mail after " + role)
        assert arrives(plain, "ann", ldif.PASSWORD, subject) >= 1


def delivers(gp, subject):
    try:
        return send_one(gp, "ann@example.test", subject).code == 250
    except Exception:
        return False


def test_a_delivery_is_pushed_to_an_idle_client(plain):
    with plain.imap("ann", ldif.PASSWORD) as c, \
            plain.imap("ann", ldif.PASSWORD) as other:
        c.select()
        other.select()
        tag = c.idle()
        assert send_one(plain, "ann@example.test", unique("x")).code == 250
        assert c.response() == b"* 1 EXISTS"
        other.must("NOOP")
        other.must("STORE 1 +FLAGS (\\Seen)")
        line = c.response()
        while b"FETCH" not in line:
            line = c.response()
        assert b"\\Seen" in line
        assert c.done(tag).ok


def test_default_folders_are_made_once(plain):
    wanted = {"Drafts", "Sent", "Junk", "Trash", "Archive"}

    def folders():
        with plain.imap("cat", ldif.PASSWORD) as c:
            return {u.decode().rsplit(" ", 1)[1].strip('"')
                    for u in c.must('LIST "" *').lines("LIST")}

    assert folders() == wanted | {"INBOX"}
    with plain.imap("cat", ldif.PASSWORD) as c:
        c.must("DELETE Archive")
    assert send_one(plain, "cat@example.test", unique("x")).code == 250
    assert folders() == wanted - {"Archive"} | {"INBOX"}


def test_people_do_not_see_each_other(plain):
    subject = unique("private")
    assert send_one(plain, "ann@example.test", subject).code == 250
    assert arrives(plain, "ann", ldif.PASSWORD, subject) == 1
    assert plain.subjects("ben", ldif.PASSWORD) == []


def test_disk_floor(tmp_path):
    """Below the floor of free space mail waits at the sender."""
    gp = on_ldif(tmp_path, free_space_mb=1 << 20)
    try:
        gp.start()
        reply = send_one(gp, "ann@example.test", unique("x"))
        assert reply.code in (451, 452), reply
    finally:
        gp.close()
