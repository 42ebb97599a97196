"""Clients that people use: mbsync, curl, mutt, swaks."""
import os
import re

import pytest

from rig import ldif
from rig.proc import run
from setups import on_ldif, send_one, unique


@pytest.fixture
def inbox(plain):
    """Ann's INBOX with three messages."""
    subjects = [unique("client %d" % n) for n in range(3)]
    for s in subjects:
        assert send_one(plain, "ann@example.test", s).code == 250
    return plain, subjects


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    """Programs of this machine may log in without TLS."""
    gp = on_ldif(tmp_path_factory.mktemp("clear"),
                 plaintext_login_on_loopback=True)
    try:
        yield gp.start()
    finally:
        gp.close()


def test_mbsync_both_ways(inbox, tmp_path):
    gp, subjects = inbox
    box = tmp_path / "box"
    conf = tmp_path / "mbsyncrc"
    conf.write_text("""\
IMAPAccount a
Host localhost
Port {port}
User ann
Pass {password}
SSLType IMAPS
CertificateFile {ca}
AuthMechs PLAIN

IMAPStore far
Account a

MaildirStore near
Path {box}/
Inbox {box}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""".format(port=gp.ports["imaps"], password=ldif.PASSWORD, ca=gp.ca,
           box=box))
    box.mkdir()
    run(["mbsync", "-c", conf, "-a"])
    files = sorted((box / "INBOX" / "new").iterdir())
    texts = [f.read_text() for f in files]
    assert all(any(s in t for t in texts) for s in subjects)
    assert len(texts) == 3
    for name in ("Drafts", "Sent", "Junk", "Trash", "Archive"):
        assert (box / name).is_dir(), name
    # back: one is read, one is deleted, one comes in from here
    files[0].rename(box / "INBOX" / "cur" / (files[0].name.split(":")[0]
                                             + ":2,S"))
    files[1].unlink()
    (box / "Archive" / "cur" / "1.test:2,F").write_text(
        "Subject: from here\n\nHello.\n")
    run(["mbsync", "-c", conf, "-a"])
    with gp.imap("ann", ldif.PASSWORD) as c:
        assert len(c.subjects()) == 2
        assert c.must("SEARCH SEEN").untagged[-1] == b"SEARCH 1"
        assert c.subjects("Archive") == ["from here"]
        assert c.must("SEARCH FLAGGED").untagged[-1] == b"SEARCH 1"


def curl(gp, path, *args):
    return run(["curl", "-s", "--max-time", "60", "--cacert", gp.ca, "-u",
                "ann:" + ldif.PASSWORD,
                "imaps://127.0.0.1:%d/%s" % (gp.ports["imaps"], path)]
               + list(args))


def test_curl_reads_and_uploads(inbox, tmp_path):
    gp, subjects = inbox
    assert subjects[1] in curl(gp, "INBOX;MAILINDEX=2")
    assert "Subject: " + subjects[2] in curl(
        gp, "INBOX;UID=3;SECTION=HEADER.FIELDS%20(SUBJECT)")
    assert re.search(r"\* SEARCH 1 2 3\b", curl(gp, "INBOX?ALL"))
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: by curl\r\n\r\nHello.\r\n")
    curl(gp, "Drafts", "-T", str(mail))
    assert "Subject: by curl" in curl(gp, "Drafts;MAILINDEX=1")


def mutt(gp, folder, keys, home):
    rc = home / "muttrc"
    rc.write_text("""\
set folder="imaps://127.0.0.1:{port}/"
set imap_user=ann
set imap_pass={password}
set imap_authenticators=login
set certificate_file={ca}
set ssl_ca_certificates_file={ca}
set ssl_verify_host=no
set header_cache=""
set spoolfile="imaps://127.0.0.1:{port}/{folder}"
set confirmappend=no confirmcreate=no delete=yes move=no
set wait_key=no resolve=no
push "{keys}"
""".format(port=gp.ports["imaps"], password=ldif.PASSWORD, ca=gp.ca,
           folder=folder, keys=keys))
    return run(["script", "-qec", "mutt -nF %s" % rc, "/dev/null"],
               env=dict(os.environ, TERM="vt100", HOME=str(home),
                        LINES="40", COLUMNS="120"), check=False)


def test_mutt_flags_copies_deletes(inbox, tmp_path):
    gp, subjects = inbox
    mutt(gp, "INBOX", "<first-entry><flag-message><next-entry>"
         "<copy-message>=Archive<enter><next-entry><delete-message>"
         "<sync-mailbox><exit>", tmp_path)
    with gp.imap("ann", ldif.PASSWORD) as c:
        assert c.subjects("Archive") == [subjects[1]]
        assert len(c.subjects()) == 2
        assert c.must("SEARCH FLAGGED").untagged[-1] != b"SEARCH"


@pytest.mark.parametrize("port,tls", [
    ("submission", ["--tls"]), ("submissions", ["--tlsc"])])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_submits(plain, port, tls, mechanism):
    subject = unique("swaks")
    out = run(["swaks", "--server", "127.0.0.1", "--port",
               plain.ports[port], "--auth", mechanism, "--auth-user", "ann",
               "--auth-password", ldif.PASSWORD, "--from",
               "ann@example.test", "--to", "ben@example.test",
               "--header", "Subject: " + subject, "--helo", "client.test"]
              + tls)
    assert "250 2." in out
    assert subject in plain.subjects("ben", ldif.PASSWORD)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_submits_in_clear_on_loopback(clear, mechanism):
    subject = unique("clear")
    out = run(["swaks", "--server", "127.0.0.1", "--port",
               clear.ports["submission"], "--auth", mechanism,
               "--auth-user", "ann", "--auth-password", ldif.PASSWORD,
               "--from", "ann@example.test", "--to", "ben@example.test",
               "--header", "Subject: " + subject, "--helo", "client.test"])
    assert "250 2." in out
    assert subject in clear.subjects("ben", ldif.PASSWORD)


def test_swaks_from_outside_with_attachment(plain, tmp_path):
    data = tmp_path / "data.bin"
    data.write_bytes(os.urandom(300000))
    subject = unique("attached")
    run(["swaks", "--server", "127.0.0.1", "--port", plain.ports["smtp"],
         "--tls", "--from", "out@client.test", "--to", "ben@example.test",
         "--header", "Subject: " + subject, "--attach", "@%s" % data,
         "--helo", "client.test"])
    with plain.imap("ben", ldif.PASSWORD) as c:
        assert c.subjects() == [subject]
        body = list(c.bodies().values())[0]
    assert len(body) > 400000
