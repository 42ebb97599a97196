"""send-limit and receive-limit: sizes by groups, nested, of real directories.

The same for Active Directory (a group in a group, primary groups) and for
OpenLDAP (members by DN in groups in groups, members by uid).
"""
import os

import pytest

from rig import ad_people, slapd
from rig.proc import wait_until
from rig.smtp import dot_stuff, message
from setups import arrives, on_ad, on_openldap, unique

KB = 1024


class Site:
    """In `inside` everybody is in a group of the rules by another way."""

    def __init__(self, gp, server, inside, outside, big, other, groups):
        self.gp, self.server = gp, server
        self.inside, self.outside = inside, outside  # account: address
        self.big, self.other = big, other  # as the rules name them
        self.groups = groups  # address: is it in big?
        self.file = os.path.join(gp.folder, "rules")
        self.write()
        gp.write_conf(rules_file=self.file)
        gp.start()

    def write(self, *more):
        lines = ["send-limit \"%s\" 100K" % self.big,
                 "send-limit %s 60K" % self.other, "send-limit * 20K",
                 "receive-limit \"%s\" 100K" % self.big,
                 "receive-limit * 20K"] + list(more)
        with open(self.file, "w") as f:
            f.write("\n".join(lines) + "\n")

    def rules(self, *more):
        self.write(*more)
        self.gp.cli("reload")


@pytest.fixture(scope="module")
def on_samba(dc):
    dc.add_group("bigmail", ["allhands", "visitors"])
    return on_ad(dc, directory_timeout_ms=3000), dict(
        server=dc,
        inside={"alice": "alice.adams@", "guest1": "guest1.one@",
                "heidi": "heidi.hill@"},
        outside={"dave": "dave.davis@"},
        big="CN=bigmail,OU=Groups," + ad_people.BASE,
        other="partners@" + dc.mail,
        groups={"allhands@": True, "bigmail@": True, "empty@": False})


@pytest.fixture(scope="module")
def on_slapd(ldap):
    ldap.modify("dn: %s\nchangetype: add\nobjectClass: groupOfNames\n"
                "cn: Big Mail\nmember: %s\nmember: %s\n" % (
                    slapd.group_dn("Big Mail"), slapd.group_dn("allhands"),
                    slapd.group_dn("support")))
    return on_openldap(ldap, directory_timeout_ms=3000), dict(
        server=ldap,
        inside={"alice": "alice@", "bob": "bob@", "erin": "erin@"},
        outside={"many0001": "many0001@"},
        big=slapd.group_dn("Big Mail"),
        other="loop-a@" + ldap.mail,
        groups={"allhands@": True, "engineering@": True,
                "everyone@": False})


@pytest.fixture(scope="module", params=["on_samba", "on_slapd"])
def site(request):
    gp, what = request.getfixturevalue(request.param)
    for part in ("inside", "outside"):
        what[part] = {k: v + what["server"].mail
                      for k, v in what[part].items()}
    what["groups"] = {k + what["server"].mail: v
                      for k, v in what["groups"].items()}
    s = Site(gp, **what)
    try:
        yield s
    finally:
        s.gp.close()


def a_person(people):
    return sorted(people.items())[0]


def letter(size, sender="x@client.test", subject="x"):
    """Exactly that many bytes."""
    text = message(sender, "list@x.test", subject, text="\n")
    if isinstance(text, str):
        text = text.encode()
    text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    while size - len(text) > 200:
        text += b"x" * 70 + b"\r\n"
    return text + b"y" * (size - len(text) - 2) + b"\r\n"


def attempt(c, sender, to, size, says=None, subject="x"):
    """The reply that counts: the first that is not 250, or the last one."""
    reply = c.cmd("MAIL FROM:<%s>%s" % (
        sender, "" if says is None else " SIZE=%d" % says))
    if reply.code == 250:
        reply = c.cmd("RCPT TO:<%s>" % to)
    if reply.code == 250:
        reply = c.data(letter(size, sender, subject))
    c.cmd("RSET")
    return reply


def said(reply):
    return reply.code, reply.status


def test_ehlo_says_the_most(site):
    with site.gp.submission() as c:
        c.ehlo()
        assert c.extensions["SIZE"] == str(100 * KB)
    with site.gp.smtp() as c:
        c.ehlo()
        assert c.extensions["SIZE"] == str(50 * KB * KB)


def test_senders(site):
    password = site.server.password
    to = a_person(site.inside)[1]
    for account, address in site.inside.items():
        subject = unique("from " + account)
        with site.gp.submission(account, password) as c:
            for says in (90 * KB, None):
                assert attempt(c, address, to, 90 * KB, says,
                               subject).code == 250
            for says in (100 * KB + 1, None):
                assert said(attempt(c, address, to, 100 * KB + 1, says)) == (
                    552, "5.3.4")
        assert arrives(site.gp, a_person(site.inside)[0], password, subject)
    for account, address in site.outside.items():
        with site.gp.submission(account, password) as c:
            assert attempt(c, address, to, 20 * KB, 20 * KB).code == 250
            for says in (20 * KB + 1, 100, None):
                assert said(attempt(c, address, to, 20 * KB + 1, says)) == (
                    552, "5.3.4")


def test_recipients(site):
    with site.gp.smtp() as c:
        for account, address in site.inside.items():
            subject = unique("to " + account)
            for says in (90 * KB, None):
                assert attempt(c, "x@client.test", address, 90 * KB, says,
                               subject).code == 250
            assert arrives(site.gp, account, site.server.password, subject)
        for account, address in site.outside.items():
            for says in (20 * KB + 1, 100, None):
                assert said(attempt(c, "x@client.test", address,
                                    20 * KB + 1, says)) == (552, "5.2.3")
            assert attempt(c, "x@client.test", address, 20 * KB,
                           20 * KB).code == 250


def test_one_too_small_of_two(site):
    subject = unique("two")
    account, large = a_person(site.inside)
    small = a_person(site.outside)[1]
    with site.gp.smtp() as c:
        c.must("MAIL FROM:<x@client.test> SIZE=%d" % (90 * KB))
        assert said(c.cmd("RCPT TO:<%s>" % small)) == (552, "5.2.3")
        c.must("RCPT TO:<%s>" % large)
        assert c.data(letter(90 * KB, subject=subject)).code == 250
        assert arrives(site.gp, account, site.server.password, subject) == 1
        c.must("MAIL FROM:<x@client.test>")
        c.must("RCPT TO:<%s>" % small)
        c.must("RCPT TO:<%s>" % large)
        assert said(c.data(letter(90 * KB))) == (552, "5.2.3")


def test_lmtp_has_an_answer_for_each(site):
    subject = unique("each")
    account, large = a_person(site.inside)
    small = a_person(site.outside)[1]
    with site.gp.lmtp() as c:
        rcpts, replies = c.lmtp(
            "x@client.test",
            [small, large, "nobody@" + site.server.mail, small, large],
            letter(90 * KB, subject=subject))
        assert [r.code for r in rcpts] == [250, 250, 550, 250, 250]
        assert [said(r) for r in replies] == [
            (552, "5.2.3"), (250, "2.0.0"), (552, "5.2.3"), (250, "2.0.0")]
        # nobody may have it, and the next message is another one
        _, replies = c.lmtp("x@client.test", [small, small], letter(90 * KB))
        assert [said(r) for r in replies] == [(552, "5.2.3")] * 2
        _, replies = c.lmtp("x@client.test", [small, small], letter(10 * KB))
        assert [said(r) for r in replies] == [(250, "2.0.0")] * 2
    assert arrives(site.gp, account, site.server.password, subject) == 1


def test_groups_are_recipients(site):
    account, address = a_person(site.inside)
    with site.gp.submission(account, site.server.password) as c:
        for group, large in site.groups.items():
            reply = attempt(c, address, group, 90 * KB, 90 * KB)
            assert reply.code == (250 if large else 552), (group, reply)


def test_new_members_count_at_once(site):
    """A verdict may be a second old."""
    account, address = a_person(site.outside)
    server = site.server
    if hasattr(server, "db"):
        name = "late" + account
        server.add_user(name, userAccountControl="512")
        address = "%s.new@%s" % (name, server.mail)
        with site.gp.smtp() as c:
            assert attempt(c, "x@client.test", address, 90 * KB,
                           90 * KB).code == 552
        server.add_group("late", [name])
        group = "late@" + server.mail
    else:
        group = slapd.group_dn("late")
        server.modify("dn: %s\nchangetype: add\nobjectClass: groupOfNames\n"
                      "cn: late\nmember: uid=%s,ou=many,%s\n"
                      % (group, account, slapd.BASE))
    site.rules("receive-limit %s 2M" % group)
    try:
        with site.gp.smtp() as c:
            wait_until(lambda: attempt(c, "x@client.test", address, 90 * KB,
                                       90 * KB).code == 250, "the new limit")
    finally:
        site.rules()


def test_an_unknown_group_is_said(site):
    site.rules("send-limit none@%s 1M" % site.server.mail,
               "receive-limit \"cn=No Such,%s\" 1M" % (
                   ad_people.BASE if site.big.startswith("CN")
                   else slapd.BASE),
               "receive-limit %s 200M" % a_person(site.inside)[1])
    try:
        out = site.gp.cli("check", check=False)
        lines = out.splitlines()

        def line(*words):
            return [x for x in lines if all(w in x for w in words)]

        assert line("send-limit", "none@", "there is no such address")
        assert line("receive-limit", "No Such", "there is no such entry")
        assert line("receive-limit", "the address is no group's")
        assert line("receive-limit", "more than message_size_max")
        assert line("send-limit", site.big, "it is there")
        account, address = a_person(site.outside)
        with site.gp.submission(account, site.server.password) as c:
            assert said(attempt(c, address, address, 90 * KB, 90 * KB)) == (
                552, "5.3.4")
        site.gp.wait_log(r"event=group\.unknown.*none@")
        account, address = a_person(site.inside)
        with site.gp.submission(account, site.server.password) as c:
            assert attempt(c, address, address, 90 * KB, 90 * KB).code == 250
    finally:
        site.rules()
    out = site.gp.cli("check", check=False)
    assert "there is no such" not in out


def test_without_a_directory_it_is_451(site):
    """Never a 552: at RCPT, and when the directory goes away in DATA."""
    password = site.server.password
    account, address = a_person(site.outside)
    gp = site.gp
    with gp.smtp() as waiting, gp.submission(account, password) as sender, \
            gp.smtp() as c:
        waiting.must("MAIL FROM:<x@client.test>")
        waiting.must("RCPT TO:<%s>" % a_person(site.inside)[1])
        waiting.must("DATA", 354)
        sender.must("MAIL FROM:<%s>" % address)
        sender.must("RCPT TO:<partner@example.test>", 550)
        sender.must("RCPT TO:<%s>" % address)
        sender.must("DATA", 354)
        site.server.stop()
        try:
            waiting.send(dot_stuff(letter(90 * KB)))
            assert said(waiting.reply()) == (451, "4.3.0")
            sender.send(dot_stuff(letter(90 * KB, address)))
            assert said(sender.reply()) == (451, "4.3.0")
            for who in (site.inside, site.outside):
                reply = attempt(c, "x@client.test", a_person(who)[1],
                                90 * KB, 90 * KB)
                assert reply.code == 451, reply
        finally:
            site.server.start()
        wait_until(lambda: attempt(
            c, "x@client.test", a_person(site.inside)[1], 90 * KB,
            90 * KB).code == 250, "the directory")
    assert "panic" not in gp.log()


def test_a_primary_group_outside_of_ldap_base(dc):
    """Domain Users is in CN=Users, whatever ldap_base is."""
    dn = "CN=staffers,OU=Staff," + dc.base
    dc.db.db.add({"dn": dn, "objectClass": "group",
                  "sAMAccountName": "staffers",
                  "groupType": str(-2147483640),  # universal, security
                  "member": "CN=Domain Users,CN=Users," + dc.base})
    gp = on_ad(dc, ldap_base="OU=Staff," + dc.base)
    try:
        rules = os.path.join(gp.folder, "rules")
        with open(rules, "w") as f:
            f.write("receive-limit \"%s\" 100K\nreceive-limit * 20K\n" % dn)
        gp.write_conf(rules_file=rules)
        gp.start()
        with gp.smtp() as c:
            for size, code in ((90 * KB, 250), (100 * KB + 1, 552)):
                assert attempt(c, "x@client.test", "dave.davis@" + dc.mail,
                               size, size).code == code
    finally:
        gp.close()
        dc.db.db.delete(dn)
