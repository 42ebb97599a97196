"""Who may log in, and by which names, with Active Directory."""
import re

import pytest

from rig.proc import run
from setups import try_imap

NAMES = ["alice@corp.example.test", "alice", "CORP\\alice", "corp\\ALICE",
         "alice.adams@example.test", "Alice.Adams@EXAMPLE.test",
         "a.adams@example.test"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_logs_in_to_imap(ad, dc, name):
    with ad.imap(name, dc.password) as c:
        c.select()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_every_name_logs_in_to_submission(ad, dc, name, mechanism):
    with ad.submission() as c:
        reply = getattr(c, "auth_" + mechanism)(name, dc.password)
        assert reply.code == 235, reply
        assert c.cmd("MAIL FROM:<alice.adams@example.test>").code == 250


def test_all_names_are_one_mailbox(ad, dc):
    with ad.imap(NAMES[0], dc.password) as c:
        c.must("CREATE", "OneMailbox")
    for name in NAMES[1:]:
        with ad.imap(name, dc.password) as c:
            assert c.must("LIST", '""', "OneMailbox").lines("LIST"), name


def test_a_upn_of_another_suffix(ad, dc):
    assert try_imap(ad, "c.clark@login.corp.example.test", dc.password).ok
    assert try_imap(ad, "carol", dc.password).ok


@pytest.mark.parametrize("name", [
    "weird", "weird@example.test", "noupn", "nomail",
    "nomail@corp.example.test", "zoe"])
def test_odd_entries_log_in(ad, dc, name):
    assert try_imap(ad, name, dc.password).ok


@pytest.mark.parametrize("account,code", [
    ("disabled", "533"), ("locked", "775"), ("mustchange", "773"),
    ("expired", "701"), ("pwexpired", "532")])
def test_bad_accounts_are_refused_alike_and_logged_apart(
        ad, dc, account, code):
    answer = try_imap(ad, account, dc.password)
    wrong = try_imap(ad, "grace", "not-her-password")
    assert answer.status == wrong.status == "NO"
    assert answer.code() == "AUTHENTICATIONFAILED"
    assert answer.text == wrong.text
    ad.wait_log(r".*%s.*%s|.*%s.*%s" % (account, code, code, account))
    with ad.submission() as c:
        assert c.auth_plain(account, dc.password).code == 535


@pytest.mark.parametrize("name", [
    "nobody.here", "*", "a*", "alice)(uid=*", "CORP\\", "\\alice",
    "alice@elsewhere.test", "OTHER\\alice", "alice\\CORP"])
def test_names_that_are_nobodys(ad, dc, name):
    assert try_imap(ad, name, dc.password).status == "NO"


def test_empty_password_is_refused(ad):
    assert try_imap(ad, "alice", "").status == "NO"
    with ad.submission() as c:
        assert c.auth_plain("alice", "").code == 535


def test_no_password_in_the_log(ad, dc):
    try_imap(ad, "alice", dc.password)
    try_imap(ad, "alice", "S3cret-Mistyped")
    ad.wait_log(r"login")
    assert dc.password not in ad.log()
    assert "S3cret-Mistyped" not in ad.log()


def test_kerberos_ticket_over_imap(ad, dc, tmp_path):
    env = dc.ticket("alice", str(tmp_path / "cc"))
    out = curl(ad, dc, "imaps", "imap", "-X", "SELECT INBOX", env=env)
    assert re.search(r"< A\d+ OK .*", out) and "READ-WRITE" in out, out


def test_kerberos_ticket_over_submission(ad, dc, tmp_path):
    env = dc.ticket("alice", str(tmp_path / "cc"))
    mail = tmp_path / "mail"
    mail.write_text("From: alice.adams@example.test\r\n"
                    "Subject: by ticket\r\n\r\nHello.\r\n")
    out = curl(ad, dc, "smtps", "smtp", "--mail-from",
               "alice.adams@example.test", "--mail-rcpt",
               "bob.baker@example.test", "-T", str(mail), env=env)
    assert "235 2.7.0" in out
    assert "by ticket" in ad.subjects("bob", dc.password)


def test_kerberos_ticket_over_pop3(ad, dc, tmp_path):
    env = dc.ticket("alice", str(tmp_path / "cc"))
    out = curl(ad, dc, "pop3s", "pop", env=env)
    assert "< +OK Logged in" in out
    ad.wait_log(r"login\.ok .*mech=GSSAPI service=pop ")


def test_a_ticket_of_a_disabled_account(ad, dc, tmp_path):
    """The ticket is still good at the KDC; the directory says no."""
    dc.add_user("leaver")
    env = dc.ticket("leaver", str(tmp_path / "cc"))
    curl(ad, dc, "imaps", "imap", "-X", "NOOP", env=env)
    run(["kvno", "imap/" + dc.mail_host], env=env)
    dc.disable("leaver")
    out = curl(ad, dc, "imaps", "imap", "-X", "NOOP", env=env, check=False)
    assert "AUTHENTICATIONFAILED" in out


def test_no_ticket(ad, dc, tmp_path):
    env = dict(dc.ticket("alice", str(tmp_path / "cc")),
               KRB5CCNAME="FILE:%s" % (tmp_path / "none"))
    out = curl(ad, dc, "imaps", "imap", "-X", "NOOP", env=env, check=False)
    # curl sends its command only once it is logged in
    assert re.search(r"< A\d+ OK", out) and "NOOP" not in out, out


def curl(gp, dc, scheme, service, *args, env, check=True):
    port = gp.ports[{"imaps": "imaps", "smtps": "submissions",
                     "pop3s": "pop3s"}[scheme]]
    return run(["curl", "-sv", "--insecure", "--max-time", "60",
                "--resolve", "%s:%d:127.0.0.1" % (dc.mail_host, port),
                "--login-options", "AUTH=GSSAPI", "-u", ":",
                "%s://%s:%d" % (scheme, dc.mail_host, port)] + list(args),
               env=env, check=check)
