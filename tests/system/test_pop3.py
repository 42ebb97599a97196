"""POP3: what a session sees and changes, and the programs that speak it."""
import os
import poplib
import ssl

import pytest

from rig import ldif
from rig.gatepost import NOBODY, real_root
from rig.proc import run, wait_until
from rig.wire import Closed
from setups import on_ldif, send_one, unique

PASS = ldif.PASSWORD


@pytest.fixture(scope="module")
def gp(tmp_path_factory):
    g = on_ldif(tmp_path_factory.mktemp("pop3"),
                ["p%02d" % n for n in range(20)])
    try:
        yield g.start()
    finally:
        g.close()


@pytest.fixture
def person(gp):
    """Somebody new for each test."""
    n = getattr(gp, "used", 0)
    gp.used = n + 1
    return "p%02d" % n


def fill(gp, person, texts):
    subjects = [unique("pop %d" % n) for n in range(len(texts))]
    for subject, text in zip(subjects, texts):
        assert send_one(gp, "%s@example.test" % person, subject,
                        text=text).code == 250
    return subjects


def test_sizes_are_the_bytes_that_come(gp, person):
    fill(gp, person, ["plain\n", ".\n..\n.hidden\n\n.", "x" * 200000 + "\n",
                      "no end"])
    with gp.pop3(person, PASS) as c:
        count, octets = c.must("STAT").text.split(" ")[1:]
        sizes = [int(s) for _, s in c.listing("LIST")]
        messages = [c.retr(n) for n in range(1, 5)]
        assert [len(m) for m in messages] == sizes
        assert (int(count), int(octets)) == (4, sum(sizes))
        assert messages[1].endswith(b"\r\n\r\n.\r\n..\r\n.hidden\r\n\r\n.\r\n")
        c.must("TOP 2 2")
        top = b"".join(x + b"\r\n" for x in c.lines())
        assert messages[1].startswith(top)
        assert top.endswith(b"\r\n\r\n.\r\n..\r\n")
        c.must("QUIT")


def test_ids_stay_and_names_of_the_same_message_agree(gp, person):
    fill(gp, person, ["1\n", "2\n", "3\n"])
    with gp.pop3(person, PASS) as c:
        before = c.listing("UIDL")
        c.must("DELE 2")
        c.must("QUIT")
    fill(gp, person, ["4\n"])
    with gp.pop3(person, PASS, tls="pop3") as c:
        after = [uid for _, uid in c.listing("UIDL")]
        assert after[:2] == [before[0][1], before[2][1]]
        assert after[2] not in [uid for _, uid in before]
        c.must("QUIT")


def test_nothing_changes_without_quit(gp, person):
    fill(gp, person, ["1\n", "2\n"])
    with gp.pop3(person, PASS) as c:
        c.retr(1)
        c.must("DELE 1")
        c.must("DELE 2")
    with gp.imap(person, PASS) as c:
        assert c.must("SELECT INBOX").number("EXISTS") == 2
        assert c.must("SEARCH SEEN").untagged[-1] == b"SEARCH"


def test_what_was_retrieved_is_seen(gp, person):
    fill(gp, person, ["1\n", "2\n", "3\n"])
    with gp.pop3(person, PASS) as c:
        c.retr(1)
        c.must("TOP 2 1")
        c.lines()
        c.retr(3)
        c.must("DELE 3")
        c.must("QUIT")
    with gp.imap(person, PASS) as c:
        assert c.must("SELECT INBOX").number("EXISTS") == 2
        assert c.must("SEARCH SEEN").untagged[-1] == b"SEARCH 1"


def test_others_may_delete_meanwhile(gp, person):
    subjects = fill(gp, person, ["1\n", "2\n", "3\n"])
    with gp.pop3(person, PASS) as c, gp.pop3(person, PASS) as d:
        with gp.imap(person, PASS) as i:
            i.must("SELECT INBOX")
            i.must("STORE 1 +FLAGS (\\Deleted)")
            i.must("STORE 3 +FLAGS (\\Deleted)")
            i.must("UID EXPUNGE 1")
        assert c.must("STAT").text.startswith("+OK 3 ")
        assert not c.cmd("RETR 1").ok
        assert subjects[1].encode() in c.retr(2)
        c.must("DELE 2")
        d.must("DELE 2")
        c.must("QUIT")
        d.must("QUIT")
    # what IMAP had only marked is still there
    assert gp.subjects(person, PASS) == [subjects[2]]


def test_pipelined_all_at_once(gp, person):
    fill(gp, person, ["1\n", "2\n"])
    with gp.pop3() as c:
        c.send(b"USER %s\r\nPASS %s\r\nSTAT\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n"
               % (person.encode(), PASS.encode()))
        said = [c.reply() for _ in range(4)]
        assert all(s.ok for s in said)
        c.lines()
        assert c.reply().ok and c.reply().ok
        with pytest.raises(Closed):
            c.line()


def test_a_client_that_reads_slowly(gp, person):
    """Many large answers wait for it, in little memory of ours."""
    fill(gp, person, ["y" * 70 + "\n"] * 1 + [("z" * 76 + "\n") * 12000])
    with gp.pop3(person, PASS) as c:
        c.send(b"RETR 2\r\n" * 20 + b"NOOP\r\n")
        for _ in range(20):
            assert c.reply().ok
            assert sum(len(x) + 2 for x in c.lines()) > 900000
        assert c.reply().ok


def test_limits_and_answers_when_the_directory_says_no(gp, person):
    with gp.pop3() as c:
        assert c.login(person, "wrong").code() == "AUTH"
        assert c.login("nobody.here", PASS).code() == "AUTH"
        assert c.auth_plain(person, PASS).ok


def test_python_s_client(gp, person):
    fill(gp, person, ["1\n"])
    context = ssl.create_default_context(cafile=gp.ca)
    c = poplib.POP3("localhost", gp.ports["pop3"], timeout=60)
    assert "STLS" in c.capa()
    c.stls(context)
    c.user(person)
    c.pass_(PASS)
    assert c.stat()[0] == 1
    assert c.capa()["IMPLEMENTATION"] == ["Gatepost"]
    c.quit()


def test_curl(gp, person):
    subjects = fill(gp, person, ["1\n", "2\n"])
    url = "pop3s://localhost:%d/" % gp.ports["pop3s"]
    argv = ["curl", "-s", "--max-time", "60", "--cacert", gp.ca, "-u",
            "%s:%s" % (person, PASS)]
    assert len(run(argv + [url]).strip().split("\n")) == 2
    assert subjects[1] in run(argv + [url + "2"])
    run(argv + [url + "1", "-X", "DELE", "--list-only"])
    assert gp.subjects(person, PASS) == subjects[1:]
    plain = "pop3://localhost:%d/" % gp.ports["pop3"]
    assert len(run(argv + ["--ssl-reqd", plain]).strip().split("\n")) == 1


def test_fetchmail(gp, person, tmp_path):
    subjects = fill(gp, person, ["1\n", ".\n", "3\n"])
    got = tmp_path / "got"
    rc = tmp_path / "rc"
    rc.write_text("poll localhost protocol pop3 port %d user %s password "
                  "\"%s\" ssl sslcertck sslcertfile \"%s\" "
                  "mda \"cat >> %s\"\n"
                  % (gp.ports["pop3s"], person, PASS, gp.ca, got))
    rc.chmod(0o600)
    argv = ["fetchmail", "-f", str(rc), "--nosyslog", "--nodetach", "-v",
            "--pidfile", str(tmp_path / "pid")]
    env = dict(os.environ, FETCHMAILHOME=str(tmp_path), HOME=str(tmp_path))
    run(argv, env=env)
    text = got.read_text()
    assert all(s in text for s in subjects)
    assert "\n.\n" in text.replace("\r", "")
    assert gp.subjects(person, PASS) == []


def test_fetchmail_leaves_mail_and_knows_it_again(gp, person, tmp_path):
    subjects = fill(gp, person, ["1\n", "2\n"])
    got = tmp_path / "got"
    rc = tmp_path / "rc"
    rc.write_text("poll localhost protocol pop3 uidl port %d user %s "
                  "password \"%s\" keep sslproto \"TLS1.2+\" sslcertck "
                  "sslcertfile \"%s\" mda \"cat >> %s\"\n"
                  % (gp.ports["pop3"], person, PASS, gp.ca, got))
    rc.chmod(0o600)
    argv = ["fetchmail", "-f", str(rc), "--nosyslog", "--nodetach", "-v",
            "--pidfile", str(tmp_path / "pid"),
            "--idfile", str(tmp_path / "ids")]
    env = dict(os.environ, FETCHMAILHOME=str(tmp_path), HOME=str(tmp_path))
    run(argv, env=env)
    subjects += fill(gp, person, ["3\n"])
    run(argv, env=env)
    text = got.read_text()
    assert [text.count("Subject: " + s) for s in subjects] == [1, 1, 1]
    assert gp.subjects(person, PASS) == subjects


def test_getmail(gp, person):
    """It wants to be nobody in particular, like the daemons here."""
    subjects = fill(gp, person, ["1\n", "2\n"])
    home = os.path.join(gp.folder, "getmail")
    for d in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(home, "box", d))
    with open(os.path.join(home, "rc"), "w") as f:
        f.write("""\
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = %d
username = %s
password = %s
ca_certs = %s

[destination]
type = Maildir
path = %s/box/

[options]
delete = true
""" % (gp.ports["pop3s"], person, PASS, gp.ca, home))
    gp.give_away()
    run(["getmail", "--getmaildir", home, "--rcfile", "rc"],
        env=dict(os.environ, HOME=home), cwd=home,
        **({"user": NOBODY, "group": "nogroup", "extra_groups": []}
           if real_root() else {}))
    new = os.path.join(home, "box", "new")
    texts = [open(os.path.join(new, n)).read() for n in os.listdir(new)]
    assert len(texts) == 2
    assert all(any(s in t for t in texts) for s in subjects)
    assert gp.subjects(person, PASS) == []


def test_openssl(gp, person, tmp_path):
    talk = tmp_path / "talk"
    talk.write_text("USER %s\r\nPASS %s\r\nSTAT\r\nQUIT\r\n"
                    % (person, PASS))
    out = run(["sh", "-c", "openssl s_client -connect 127.0.0.1:%d -starttls "
               "pop3 -CAfile %s -verify_return_error -quiet <%s"
               % (gp.ports["pop3"], gp.ca, talk)])
    assert "+OK 0 0" in out and "+OK Bye" in out, out


def test_a_client_that_goes_away_mid_message(gp, person):
    fill(gp, person, [("w" * 76 + "\n") * 12000])
    for _ in range(3):
        with gp.pop3(person, PASS) as c:
            c.send(b"RETR 1\r\n" * 50)
            c.exactly(1000)
    with gp.pop3(person, PASS) as c:
        assert len(c.retr(1)) > 900000
    wait_until(lambda: gp.status() is not None, "a status")


def test_a_restart_of_imap_ends_the_session_only(gp, person):
    fill(gp, person, ["1\n"])
    with gp.pop3(person, PASS) as c:
        c.must("DELE 1")
        for pid, role in gp.children():
            if role == "imap":
                os.kill(pid, 9)
        c.sock.settimeout(60)
        with pytest.raises((Closed, OSError)):
            c.send(b"QUIT\r\n")
            while True:
                c.line()

    def again():
        with gp.pop3() as c:
            return c.login(person, PASS).ok and \
                c.must("STAT").text.startswith("+OK 1 ")

    wait_until(again, "POP3 after imap was killed")
