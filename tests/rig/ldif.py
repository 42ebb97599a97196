"""A directory in a file, for tests that need people and no server."""
import uuid

BASE = "dc=example,dc=test"
MAIL = "example.test"
PASSWORD = "Us3r-Test-Pass"


def entry(dn, **attrs):
    lines = ["dn: " + dn,
             "entryUUID: %s" % uuid.uuid5(uuid.NAMESPACE_DNS, dn)]
    for name, values in attrs.items():
        for v in [values] if isinstance(values, str) else values:
            lines.append("%s: %s" % (name, v))
    return "\n".join(lines) + "\n"


def user_dn(uid):
    return "uid=%s,ou=people,%s" % (uid, BASE)


def group_dn(name):
    return "cn=%s,ou=groups,%s" % (name, BASE)


def user(uid, **more):
    attrs = {"objectClass": "inetOrgPerson", "uid": uid, "cn": uid,
             "sn": uid, "mail": "%s@%s" % (uid, MAIL),
             "userPassword": PASSWORD}
    attrs.update(more)
    return entry(user_dn(uid), **attrs)


def group(name, members):
    """Members: names of people, "@name" of groups."""
    return entry(group_dn(name), objectClass="groupOfNames", cn=name,
                 mail="%s@%s" % (name, MAIL),
                 member=[group_dn(m[1:]) if m[0] == "@" else user_dn(m)
                         for m in members])


def write(path, people, groups=(), more=()):
    """people: names; groups: (name, members); more: finished entries."""
    parts = [entry(BASE, objectClass="domain", dc="example"),
             entry("ou=people," + BASE, objectClass="organizationalUnit",
                   ou="people"),
             entry("ou=groups," + BASE, objectClass="organizationalUnit",
                   ou="groups")]
    parts += [user(uid) for uid in people]
    parts += [group(*g) for g in groups]
    parts += more
    with open(path, "w") as f:
        f.write("\n".join(parts))
    return path
