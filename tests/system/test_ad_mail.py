"""Who receives, and where it ends up, with Active Directory."""
import json
import os

import pytest

from rig import ad_people
from rig.proc import wait_until
from rig.smtp import message
from setups import arrives, send, send_one, try_imap, unique


@pytest.mark.parametrize("address", [
    "alice.adams@example.test", "ALICE.ADAMS@EXAMPLE.TEST",
    "alice@example.test", "a.adams@example.test",
    "alice@corp.example.test"])
def test_every_alias_is_one_mailbox(ad, dc, address):
    subject = unique("alias")
    assert send_one(ad, address, subject).code == 250
    assert arrives(ad, "alice", dc.password, subject) == 1


def test_aliases_in_one_transaction_are_one_copy(ad, dc):
    subject = unique("both aliases")
    rcpts, last = send(ad, ["alice@example.test", "a.adams@example.test"],
                       subject)
    assert [r.code for r in rcpts] == [250, 250] and last.code == 250
    assert arrives(ad, "alice", dc.password, subject) == 1


@pytest.mark.parametrize("address,code,status", [
    ("nobody.here@example.test", 550, "5.1.1"),
    ("alice.sip@example.test", 550, "5.1.1"),
    ("alice@elsewhere.test", 550, "5.7.1"),
    ("*@example.test", 550, "5.1.1"),
    ("shared@example.test", 451, ""),
])
def test_who_does_not_receive(ad, address, code, status):
    reply = send_one(ad, address, unique("no"))
    assert reply.code == code and reply.status.startswith(status), reply


def test_two_claims_raise_an_alarm(ad):
    assert send_one(ad, "shared@example.test", unique("tie")).code == 451
    ad.wait_log(r"level=(warn|error).*shared@example\.test")


def test_the_higher_attribute_wins(ad, dc):
    subject = unique("rank")
    assert send_one(ad, "rank@example.test", subject).code == 250
    assert arrives(ad, "byproxy", dc.password, subject) == 1


def test_upn_receives_when_there_is_no_mail_attribute(ad, dc):
    subject = unique("upn")
    assert send_one(ad, "nomail@corp.example.test", subject).code == 250
    assert arrives(ad, "nomail", dc.password, subject) == 1


def test_disabled_account_receives_and_cannot_log_in(ad, dc):
    dc.add_user("leave")
    subject = unique("disabled")
    dc.disable("leave")
    assert send_one(ad, "leave@example.test", subject).code == 250
    assert try_imap(ad, "leave", dc.password).status == "NO"
    dc.enable("leave")
    assert arrives(ad, "leave", dc.password, subject) == 1


@pytest.mark.parametrize("address", ["homed.med", "exchange.change"])
def test_a_mailbox_elsewhere_is_never_local(ad, dc, address):
    """On a server that no route names."""
    with ad.smtp() as c:
        c.must("MAIL FROM:<a@client.test>")
        assert c.cmd("RCPT TO:<%s@example.test>" % address).code == 451


def test_a_target_address_is_where_mail_goes(ad, dc):
    subject = unique("moved")
    assert send_one(ad, "moved.ved@example.test", subject).code == 250
    wait_until(lambda: [
        e for m in ad.cli_json("queue", "list") for e in m["entries"]
        if e["rcpt"] == "moved.ved@example.test"
        and "elsewhere.example.org" in json.dumps(e)], "it to be queued")


def test_user_created_in_the_directory_gets_mail_at_once(ad, dc):
    subject = unique("new")
    dc.add_user("fresh")
    assert send_one(ad, "fresh.new@example.test", subject).code == 250
    assert arrives(ad, "fresh", dc.password, subject) == 1


def test_an_alias_added_and_removed(ad, dc):
    dc.add_user("shifter")
    dc.set_attr("shifter", proxyAddresses=["SMTP:first@example.test"])
    assert send_one(ad, "first@example.test", unique("a")).code == 250
    dc.set_attr("shifter", proxyAddresses=["SMTP:second@example.test"])
    assert send_one(ad, "second@example.test", unique("b")).code == 250
    # a positive answer may be a second old
    wait_until(lambda: send_one(ad, "first@example.test",
                                unique("c")).code == 550, "the old alias")


# ---- groups


def from_alice(ad, dc, to, subject):
    with ad.submission("alice", dc.password) as c:
        return c.deliver("alice.adams@example.test", [to], message(
            "alice.adams@example.test", to, subject))


def test_groups_take_mail_from_authenticated_senders_only(ad):
    reply = send_one(ad, "sales@example.test", unique("outside"))
    assert reply.code == 550 and reply.status.startswith("5.7."), reply


@pytest.mark.parametrize("group,members", [
    ("sales", ["erin", "frank", "bob"]),
    ("allhands", ["alice", "bob", "carol", "erin", "frank", "grace"]),
    ("loop-a", ["alice", "bob", "carol"]),
    ("loop-c", ["alice", "bob", "carol"]),
    ("visitors", ["heidi", "guest1", "guest2"]),
])
def test_each_member_once(ad, dc, group, members):
    subject = unique(group)
    from_alice(ad, dc, group + "@example.test", subject)
    for account in members:
        assert arrives(ad, account, dc.password, subject) == 1
    for account in {"dave", "zoe"} | {"alice", "heidi"} - set(members):
        assert subject not in ad.subjects(account, dc.password)


def test_members_elsewhere_are_held(ad, dc):
    subject = unique("elsewhere")
    from_alice(ad, dc, "elsewhere@example.test", subject)
    assert arrives(ad, "alice", dc.password, subject) == 1
    listed = wait_until(lambda: ad.cli("queue", "list"), "the queue")
    assert "moved@elsewhere.example.org" in listed or "moved" in listed


def test_a_group_of_1600_each_person_once(ad, dc):
    subject = unique("big")
    from_alice(ad, dc, "big-list@example.test", subject)
    everybody = range(ad_people.BIG)
    edges = {0, 1, 999, 1000, 1001, 1499, 1500, 1501, ad_people.BIG - 1}
    for n in everybody if os.environ.get("GP_LONG") else sorted(
            edges | set(everybody[::25])):
        assert arrives(ad, ad_people.big_account(n), dc.password,
                       subject) == 1
    wait_until(lambda: not [
        e for m in ad.cli_json("queue", "list") for e in m["entries"]
        if e["rcpt"].startswith("big")], "the last of them")
