"""Who is in the test domain: data only, written to the directory by ad_image.

The mail domain (example.test) is not the Kerberos domain (corp.example.test),
and an account's three names differ, so that a test which mixes them up fails.
"""
ADDR_SLOTS = ["127.0.10.%d" % n for n in range(1, 10)]
REALM = "CORP.EXAMPLE.TEST"
DNS = REALM.lower()
NETBIOS = "CORP"
HOST = "dc1"
FQDN = HOST + "." + DNS
BASE = "DC=" + DNS.replace(".", ",DC=")
MAIL = "example.test"
MAIL_HOST = "mail." + DNS  # the name that Kerberos knows Gatepost by
ADMIN_PASSWORD = "Adm1n-Test-Pass"
PASSWORD = "Us3r-Test-Pass"
BIG = 1600
UNITS = ("Staff", "Groups", "Contacts", "Service", "Big")

DISABLED, NORMAL, NEVER_EXPIRES = 514, 512, 66048

# account, first name, last name
STAFF = [
    ("alice", "Alice", "Adams"), ("bob", "Bob", "Baker"),
    ("carol", "Carol", "Clark"), ("dave", "Dave", "Davis"),
    ("erin", "Erin", "Evans"), ("frank", "Frank", "Foster"),
    ("grace", "Grace", "Green"), ("heidi", "Heidi", "Hill"),
    ("zoe", "Zo\u00eb", "\u0141uk\u00e1\u0161"),
]


def person(account, first, last, **kw):
    """Attributes as they go into the directory.  mail=None: no addresses."""
    name = "%s.%s" % (account, last.lower()) if last.isascii() else account
    mail = kw.pop("mail", "%s@%s" % (name, MAIL))
    out = {
        "unit": "Staff", "cn": kw.pop("cn", "%s %s" % (first, last)),
        "sAMAccountName": account, "givenName": first, "sn": last,
        "displayName": "%s %s" % (first, last),
        "userPrincipalName": "%s@%s" % (account, DNS),
        "userAccountControl": str(NORMAL),
    }
    if mail:
        out["mail"] = mail
        out["proxyAddresses"] = ["SMTP:" + mail]
        if mail != "%s@%s" % (account, MAIL):
            out["proxyAddresses"].append("smtp:%s@%s" % (account, MAIL))
    out.update(kw)
    return {k: v for k, v in out.items() if v is not None}


def people():
    out = [person(*p) for p in STAFF]
    by = {p["sAMAccountName"]: p for p in out}
    # prefixes and addresses in any case, and types that are no mail address
    by["alice"]["proxyAddresses"] += [
        "Smtp:A.ADAMS@Example.Test",
        "X500:/o=Corp/ou=Old/cn=Recipients/cn=alice",
        "sip:alice.sip@" + MAIL]
    by["carol"]["userPrincipalName"] = "c.clark@login." + DNS
    out += [
        # one account for each reason why a login must fail
        person("disabled", "Dis", "Abled",
               userAccountControl=str(DISABLED)),
        person("locked", "Loc", "Ked", lockoutTime="far", badPwdCount="5"),
        person("mustchange", "Must", "Change", pwdLastSet="0"),
        person("expired", "Ex", "Pired", accountExpires="past"),
        person("pwexpired", "Pw", "Expired", pwdLastSet="past"),
        person("lockme", "Lock", "Me"),
        # accounts that lack something, or have an odd name
        person("nomail", "No", "Mail", mail=None),
        person("noupn", "No", "Upn", userPrincipalName=None),
        person("weird", "We(ird)", "Na*me", mail="weird@" + MAIL,
               cn='Na*me, We(ird) \\ #1 + <x>;"q"'),
        # mailboxes that are somewhere else
        person("homed", "Ho", "Med", homeMDB="CN=Exchange DB," + BASE),
        person("exchange", "Ex", "Change",
               msExchHomeServerName="/o=Corp/cn=Servers/cn=EX1"),
        person("moved", "Mo", "Ved",
               targetAddress="SMTP:moved@elsewhere.example.org"),
        # two claims on one address: by the same attribute, and by two
        person("twin1", "Twin", "One"), person("twin2", "Twin", "Two"),
        person("byproxy", "By", "Proxy"),
        person("bymail", "By", "Mail", mail=None, extra_mail="rank@" + MAIL),
        # members of a group by primaryGroupID alone
        person("guest1", "Guest", "One", primaryGroup="visitors"),
        person("guest2", "Guest", "Two", primaryGroup="visitors"),
        # two service accounts: one reads the directory, one is Gatepost
        person("svc-mail", "Mail", "Reader", mail=None, unit="Service",
               userAccountControl=str(NEVER_EXPIRES)),
        person("svc-host", "Mail", "Host", mail=None, unit="Service",
               userAccountControl=str(NEVER_EXPIRES),
               userPrincipalName=None,
               servicePrincipalName=["imap/" + MAIL_HOST,
                                     "smtp/" + MAIL_HOST,
                                     "pop/" + MAIL_HOST],
               **{"msDS-SupportedEncryptionTypes": "24"}),
    ]
    by = {p["sAMAccountName"]: p for p in out}
    for twin in ("twin1", "twin2"):
        by[twin]["proxyAddresses"].append("smtp:shared@" + MAIL)
    by["byproxy"]["proxyAddresses"].append("smtp:rank@" + MAIL)
    by["bymail"]["mail"] = by["bymail"].pop("extra_mail")
    return out


CONTACTS = [
    ("Partner One", "one@partner.example.net"),
    ("Partner Two", "two@partner.example.net"),
]

# name, members: accounts, "=Contact" or "@group" (earlier in the list)
GROUPS = [
    ("engineering", ["alice", "bob", "carol"]),
    ("sales", ["erin", "frank", "bob"]),
    ("allhands", ["@engineering", "@sales", "grace", "alice"]),
    ("partners", ["erin", "=Partner One", "=Partner Two"]),
    ("elsewhere", ["alice", "homed", "moved"]),
    ("loop-a", ["alice"]),
    ("loop-b", ["bob", "@loop-a"]),
    ("loop-c", ["carol", "@loop-b", "alice"]),
    ("empty", []),
    ("visitors", ["heidi"]),
]
# added when all exist: closes the circle a -> c -> b -> a
LOOP = ("loop-a", "loop-c")


def big_account(n):
    return "big%04d" % n


# name, OID, kind, link: what a domain has that was prepared for Exchange
SCHEMA = [
    ("mailNickname", "1.2.840.113556.1.2.447", "text", None),
    ("targetAddress", "1.2.840.113556.1.2.352", "text", None),
    ("homeMDB", "1.2.840.113556.1.2.244", "dn", "32"),
    ("homeMDBBL", "1.2.840.113556.1.2.393", "dn", "33"),
    ("msExchHomeServerName", "1.2.840.113556.1.4.7000.102.47", "text", None),
    ("msExchRecipientTypeDetails", "1.2.840.113556.1.4.7000.102.50855",
     "int64", None),
]
