"""Changes to the databases of a running test domain."""
import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

from . import ad_people as ad
from .ad_image import UNIVERSAL, quoted


class Editor:
    def __init__(self, smb_conf):
        lp = LoadParm()
        lp.load(smb_conf)
        self.db = SamDB(session_info=system_session(lp), lp=lp)

    def dn(self, account):
        found = self.db.search(
            ad.BASE, scope=ldb.SCOPE_SUBTREE, attrs=["cn"],
            expression="(sAMAccountName=%s)" % ldb.binary_encode(account))
        if len(found) != 1:
            raise KeyError(account)
        return found[0].dn

    def get(self, account, attr):
        found = self.db.search(self.dn(account), scope=ldb.SCOPE_BASE,
                               attrs=[attr])
        return [bytes(v) for v in found[0].get(attr, [])]

    def add_user(self, account, attrs):
        p = ad.person(account, account.capitalize(), "New")
        p.update(attrs)
        dn = "CN=%s,OU=%s,%s" % (p.pop("cn"), p.pop("unit"), ad.BASE)
        p.update(dn=dn, objectClass="user", unicodePwd=quoted(ad.PASSWORD))
        self.db.add({k: v for k, v in p.items() if v is not None})
        return dn

    def add_group(self, name, members):
        addr = "%s@%s" % (name, ad.MAIL)
        m = {"dn": "CN=%s,OU=Groups,%s" % (name, ad.BASE),
             "objectClass": "group", "sAMAccountName": name, "mail": addr,
             "groupType": UNIVERSAL, "proxyAddresses": ["SMTP:" + addr]}
        if members:
            m["member"] = [str(self.dn(a)) for a in members]
        self.db.add(m)

    def set_attr(self, account, attrs):
        m = ldb.Message(self.dn(account))
        for k, v in attrs.items():
            k = k.replace("__", "-")
            m[k] = ldb.MessageElement([] if v is None else v,
                                      ldb.FLAG_MOD_REPLACE, k)
        self.db.modify(m)

    def password(self, account, new):
        self.set_attr(account, {"unicodePwd": quoted(new)})

    def delete(self, account):
        self.db.delete(self.dn(account))
