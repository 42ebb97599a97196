#!/usr/bin/python3
"""Make the databases of the test domain: ad_image.py DIR

A process of its own, because samba's provisioning leaves global state behind.
DIR holds smb.conf; private/, state/ and keytabs/ are filled.  The result does
not depend on DIR or on the address, so it can be kept and unpacked elsewhere.
"""
import logging
import os
import sys
import time
import uuid

import ldb
from samba import dsdb
from samba.auth import system_session
from samba.credentials import Credentials
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.net import Net
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB
import samba.dckeytab  # noqa: F401  adds Net.export_keytab

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
from rig import ad_people as ad  # noqa: E402

UNIVERSAL = str(-2147483640)
TEN_YEARS = 3650 * 86400
BYPASS_HASH = "local_oid:%s:0" % \
    dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID
SYNTAX = {
    "text": ("2.5.5.12", "64", None),
    "int64": ("2.5.5.16", "65", None),
    "dn": ("2.5.5.1", "127", bytes.fromhex("2b0c0287731c00854a")),
}


def nt_time(t):
    return str(int((t + 11644473600) * 10**7))


def quoted(password):
    return ('"%s"' % password).encode("utf-16-le")


class Image:
    def __init__(self, lp, options=()):
        self.lp = lp
        self.db = SamDB(session_info=system_session(lp), lp=lp,
                        options=list(options))

    def modify(self, dn, op=ldb.FLAG_MOD_REPLACE, controls=(), **kw):
        m = ldb.Message(ldb.Dn(self.db, str(dn)))
        for k, v in kw.items():
            k = k.replace("__", "-")
            m[k] = ldb.MessageElement(v, op, k)
        self.db.modify(m, list(controls))

    def dn(self, unit, cn):
        dn = ldb.Dn(self.db, "OU=%s,%s" % (unit, ad.BASE))
        child = ldb.Dn(self.db, "CN=x")
        child.set_component(0, "CN", cn)
        dn.add_child(child)
        return dn

    def transaction(self, fn):
        self.db.transaction_start()
        try:
            fn()
        except BaseException:
            self.db.transaction_cancel()
            raise
        self.db.transaction_commit()

    # ---- the parts

    def domain(self):
        """What a running DC would add later, and policies."""
        names = ["ldap/" + ad.FQDN, "ldap/" + ad.HOST.upper(),
                 "ldap/%s/%s" % (ad.FQDN, ad.DNS),
                 "GC/%s/%s" % (ad.FQDN, ad.DNS)]
        self.modify("CN=%s,OU=Domain Controllers,%s"
                    % (ad.HOST.upper(), ad.BASE), ldb.FLAG_MOD_ADD,
                    servicePrincipalName=names
                    + ["ldap/" + a for a in ad.ADDR_SLOTS])
        # A kept image must not go bad by its passwords' age.
        minutes30 = str(-30 * 60 * 10**7)
        self.modify(ad.BASE, maxPwdAge=str(-TEN_YEARS * 10**7),
                    minPwdAge="0", pwdHistoryLength="0",
                    lockoutThreshold="5", lockoutDuration=minutes30,
                    lockOutObservationWindow=minutes30)
        for unit in ad.UNITS:
            self.db.add({"dn": "OU=%s,%s" % (unit, ad.BASE),
                         "objectClass": "organizationalUnit"})

    def schema(self):
        where = str(self.db.get_schema_basedn())
        for name, oid, kind, link in ad.SCHEMA:
            syntax, om, om_class = SYNTAX[kind]
            entry = {
                "dn": "CN=%s,%s" % (name, where),
                "objectClass": "attributeSchema", "lDAPDisplayName": name,
                "attributeID": oid, "attributeSyntax": syntax,
                "oMSyntax": om, "adminDisplayName": name,
                "isSingleValued": "FALSE" if name.endswith("BL") else "TRUE",
                "searchFlags": "0" if link else "1",
                "schemaIDGUID": uuid.uuid5(uuid.NAMESPACE_OID, oid).bytes_le}
            if om_class:
                entry["oMObjectClass"] = om_class
            if link:
                entry["linkID"] = link
            self.db.add(entry)

    def schema_classes(self):
        where = str(self.db.get_schema_basedn())
        names = [s[0] for s in ad.SCHEMA]
        self.modify("CN=Mail-Recipient," + where, ldb.FLAG_MOD_ADD,
                    mayContain=[n for n in names if not n.endswith("BL")])
        self.modify("CN=Top," + where, ldb.FLAG_MOD_ADD,
                    mayContain=[n for n in names if n.endswith("BL")])

    def reload_schema(self):
        self.modify("", schemaUpdateNow="1")

    def person(self, p):
        p = dict(p)
        dn = self.dn(p.pop("unit"), p.pop("cn"))
        later = {k: p.pop(k) for k in
                 ("lockoutTime", "badPwdCount", "primaryGroup",
                  "accountExpires", "pwdLastSet") if k in p}
        p.update(dn=dn, objectClass="user", unicodePwd=quoted(ad.PASSWORD))
        if later.get("accountExpires") == "past":
            p["accountExpires"] = nt_time(time.time() - 86400)
        if later.get("pwdLastSet") == "0":
            p["pwdLastSet"] = "0"
        self.db.add(p)
        if later.get("lockoutTime") == "far":
            self.modify(dn, lockoutTime=nt_time(time.time() + TEN_YEARS),
                        badPwdCount=later["badPwdCount"])
        if later.get("pwdLastSet") == "past":
            self.modify(dn, controls=[BYPASS_HASH],
                        pwdLastSet=nt_time(time.time() - 2 * TEN_YEARS))
        return dn

    def named(self):
        self.db.add({"dn": "CN=Exchange DB," + ad.BASE,
                     "objectClass": "container"})
        dns = {p["sAMAccountName"]: str(self.person(p)) for p in ad.people()}
        for cn, addr in ad.CONTACTS:
            dn = str(self.dn("Contacts", cn))
            dns["=" + cn] = dn
            self.db.add({"dn": dn, "objectClass": "contact", "mail": addr,
                         "displayName": cn, "targetAddress": "SMTP:" + addr,
                         "proxyAddresses": ["SMTP:" + addr]})
        for name, members in ad.GROUPS:
            dns["@" + name] = self.group(name, [dns[m] for m in members])
        self.modify(dns["@" + ad.LOOP[0]], ldb.FLAG_MOD_ADD,
                    member=[dns["@" + ad.LOOP[1]]])
        for p in ad.people():
            if "primaryGroup" in p:
                self.primary(dns[p["sAMAccountName"]],
                             dns["@" + p["primaryGroup"]])

    def group(self, name, members):
        dn = str(self.dn("Groups", name))
        addr = "%s@%s" % (name, ad.MAIL)
        m = {"dn": dn, "objectClass": "group", "sAMAccountName": name,
             "groupType": UNIVERSAL, "mail": addr, "displayName": name,
             "proxyAddresses": ["SMTP:" + addr]}
        if members:
            m["member"] = members
        self.db.add(m)
        return dn

    def primary(self, user, group):
        """As AD does it: first a member, and no longer one afterwards."""
        sid = self.db.search(group, scope=ldb.SCOPE_BASE,
                             attrs=["objectSid"])[0]["objectSid"][0]
        rid = str(ndr_unpack(security.dom_sid, sid)).rsplit("-", 1)[1]
        self.modify(group, ldb.FLAG_MOD_ADD, member=[user])
        self.modify(user, primaryGroupID=rid)

    def big(self):
        c = Credentials()
        c.set_password(ad.PASSWORD)
        key, now = bytes(c.get_nt_hash()), nt_time(time.time())
        dns = []
        for n in range(ad.BIG):
            account = ad.big_account(n)
            dn = "CN=%s,OU=Big,%s" % (account, ad.BASE)
            addr = "%s@%s" % (account, ad.MAIL)
            self.db.add({
                "dn": dn, "objectClass": "user", "sAMAccountName": account,
                "userPrincipalName": "%s@%s" % (account, ad.DNS),
                "mail": addr, "proxyAddresses": ["SMTP:" + addr],
                "userAccountControl": str(ad.NORMAL), "unicodePwd": key,
                "pwdLastSet": now}, [BYPASS_HASH])
            dns.append(dn)
        self.group("big-list", dns)

    def keytabs(self, folder):
        """A principal's keys; an SPN's include AES since the account says
        so (msDS-SupportedEncryptionTypes)."""
        os.makedirs(folder, exist_ok=True)
        creds = Credentials()
        creds.guess(self.lp)
        net = Net(creds, self.lp)
        for name, principals in (
                ("reader", ["svc-mail"]),
                ("host", [s + ad.MAIL_HOST
                          for s in ("imap/", "smtp/", "pop/")])):
            for principal in principals:
                net.export_keytab(
                    keytab=os.path.join(folder, name + ".keytab"),
                    principal="%s@%s" % (principal, ad.REALM))


def main(folder):
    conf = os.path.join(folder, "smb.conf")
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    lp = LoadParm()
    lp.load(conf)
    # No file service here, so no ACLs on sysvol and no need of xattrs.
    provision(logging.getLogger("provision"), system_session(lp), lp=lp,
              smbconf=conf, realm=ad.REALM, domain=ad.NETBIOS,
              hostname=ad.HOST, hostip=ad.ADDR_SLOTS[0], hostip6=None,
              adminpass=ad.ADMIN_PASSWORD,
              serverrole="active directory domain controller",
              dns_backend="SAMBA_INTERNAL", dom_for_fun_level=4,
              skip_sysvolacl=True)
    image = Image(lp)
    image.transaction(image.domain)
    image.transaction(image.schema)
    image.reload_schema()
    image.transaction(image.schema_classes)
    image.reload_schema()
    image.transaction(image.named)
    # Without an index journal per operation thousands of adds in one
    # transaction are quick instead of quadratic.
    batch = Image(lp, ["batch_mode:1"])
    batch.transaction(batch.big)
    image.keytabs(os.path.join(folder, "keytabs"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]))
