"""Gatepost configured for each of the test directories."""
import time

from rig import ldif
from rig.gatepost import Gatepost
from rig.proc import wait_until
from rig.smtp import message


def on_ad(dc, **more):
    gp = Gatepost()
    gp.write_conf(
        domains=[dc.mail, dc.dns], postmaster="alice.adams@" + dc.mail,
        directory="ldap", directory_profile="ad", ldap_servers=[dc.uri],
        ldap_tls="starttls", ldap_ca_file=gp.adopt(dc.ca),
        ldap_base=dc.base, ldap_bind="gssapi",
        ldap_keytab=gp.adopt(dc.reader_keytab),
        ldap_principal="svc-mail@" + dc.realm,
        keytab=gp.adopt(dc.host_keytab), krb5_config=gp.adopt(dc.krb5_conf),
        realm=dc.realm, netbios_domain=dc.netbios, hostname=dc.mail_host)
    gp.write_conf(**more)
    return gp


def on_openldap(server, **more):
    gp = Gatepost()
    secret = gp.folder + "/reader.secret"
    with open(secret, "w") as f:
        f.write(server.password + "\n")
    gp.write_conf(
        domains=[server.mail, "old." + server.mail],
        postmaster="alice@" + server.mail,
        directory="ldap", directory_profile="rfc",
        ldap_servers=[server.uri], ldap_tls="starttls",
        ldap_ca_file=gp.adopt(server.ca), ldap_base=server.base,
        ldap_bind="simple", ldap_bind_dn=server.reader_dn,
        ldap_password_file=secret)
    gp.give_away()
    gp.write_conf(**more)
    return gp


def on_ldif(folder, people=("ann", "ben", "cat"), groups=(), **settings):
    path = ldif.write(str(folder / "people.ldif"), people,
                      groups or [("team", list(people))])
    settings.setdefault("postmaster", "%s@%s" % (people[0], ldif.MAIL))
    return Gatepost(ldif=path, settings=settings)


def unique(what):
    """A subject that no other test used."""
    return "%s %d" % (what, time.monotonic_ns())


def send(gp, to, subject, sender="sender@client.test", **kw):
    """From outside; the replies to the RCPTs and to the data."""
    with gp.smtp() as c:
        _, rcpts, last = c.mail(sender, [to] if isinstance(to, str) else to,
                                message(sender, "list@x.test", subject, **kw))
        return rcpts, last


def send_one(gp, to, subject, **kw):
    """From outside to one address: the RCPT's reply if that refused, else
    the data's."""
    rcpts, last = send(gp, to, subject, **kw)
    return last or rcpts[0]


def arrives(gp, user, password, subject):
    """Wait until it is in the INBOX; how often it is there."""
    return wait_until(
        lambda: gp.subjects(user, password).count(subject),
        "%r in the INBOX of %s" % (subject, user))


def try_imap(gp, user, password):
    """The answer to LOGIN."""
    with gp.imap() as c:
        return c.login(user, password)
