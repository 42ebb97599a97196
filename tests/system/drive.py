"""The directory service alone: dirdrive, asked line by line."""
import os
import re
import shutil
import subprocess
import tempfile

from rig.proc import _die_with_parent, wait_until


def program():
    return os.path.join(os.environ["GP_BUILD"],
                        "tests/unit/directory/dirdrive")


def quoted(v):
    if isinstance(v, (list, tuple)):
        return "{%s}" % ", ".join(quoted(x) for x in v)
    return "'%s'" % str(v).replace("\\", "\\\\").replace("'", "\\'")


class Rcpt:
    def __init__(self, line):
        (self.rc, self.kind, self.id, self.address, self.route, self.why,
         self.quota) = (line.split("\t") + [""] * 7)[:7]

    def __repr__(self):
        return "<%s %s %s %s>" % (self.rc, self.kind, self.address, self.why)


class Account:
    def __init__(self, line):
        self.rc, self.id, self.address, self.login, self.ticket = (
            line.split("\t") + [""] * 5)[:5]

    def __repr__(self):
        return "<%s %s>" % (self.rc, self.login)


class Drive:
    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="gpd-")
        self.conf = os.path.join(self.folder, "gatepost.conf")
        self.log_path = os.path.join(self.folder, "log")
        settings.setdefault("hostname", "mail.example.test")
        with open(self.conf, "w") as f:
            for k, v in settings.items():
                f.write("%s = %s\n" % (k, quoted(v)))
        with open(self.log_path, "wb") as log:
            self.p = subprocess.Popen(
                [program(), self.conf, os.path.join(self.folder, "s")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                preexec_fn=_die_with_parent)
        assert self.p.stdout.readline() == b"ready\n", self.log()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern):
        return wait_until(lambda: re.search(pattern, self.log()), pattern)

    def ask(self, *fields):
        self.p.stdin.write(("\t".join(fields) + "\n").encode())
        self.p.stdin.flush()
        out = []
        while True:
            line = self.p.stdout.readline()
            assert line, "it ended: " + self.log()[-3000:]
            line = line.decode(errors="replace").rstrip("\n")
            if line == ".":
                return out
            out.append(line)

    def rcpts(self, *addresses, authenticated=False):
        return [Rcpt(x) for x in self.ask(
            "rcpts", str(int(authenticated)), *addresses)]

    def rcpt(self, address, **kw):
        return self.rcpts(address, **kw)[0]

    def expand(self, group_id):
        return [Rcpt(x) for x in self.ask("expand", group_id)]

    def members(self, address):
        group = self.rcpt(address, authenticated=True)
        assert group.rc == "ok" and group.kind == "2", group
        return self.expand(group.id)

    def members_or_temp(self, address):
        group = self.rcpt(address, authenticated=True)
        if group.rc != "ok":
            return group.rc
        answers = self.expand(group.id)
        return answers[0].rc if len(answers) == 1 else len(answers)

    def login(self, name, password, service="imap", ip="192.0.2.1"):
        return Account(self.ask("login", name, password, service, ip)[0])

    def gssapi(self, cache, service, host, authzid=""):
        return Account(self.ask(
            "gssapi", "FILE:" + cache, service, host, authzid)[0])

    def close(self):
        self.p.stdin.close()
        code = self.p.wait(60)
        self.p.stdout.close()
        assert code == 0, self.log()[-4000:]
        shutil.rmtree(self.folder, ignore_errors=True)


def on_ad(dc, **more):
    settings = dict(
        domains=[dc.mail, dc.dns], postmaster="alice.adams@" + dc.mail,
        directory="ldap", directory_profile="ad", ldap_servers=[dc.uri],
        ldap_tls="starttls", ldap_ca_file=dc.ca, ldap_base=dc.base,
        ldap_bind="gssapi", ldap_keytab=dc.reader_keytab,
        ldap_principal="svc-mail@" + dc.realm, keytab=dc.host_keytab,
        krb5_config=dc.krb5_conf, realm=dc.realm, netbios_domain=dc.netbios,
        hostname=dc.mail_host)
    settings.update(more)
    return Drive(**settings)


def on_openldap(server, folder, **more):
    secret = os.path.join(str(folder), "secret")
    with open(secret, "w") as f:
        f.write(server.password + "\n")
    settings = dict(
        domains=[server.mail, "old." + server.mail],
        postmaster="alice@" + server.mail, directory="ldap",
        directory_profile="rfc", ldap_servers=[server.uri],
        ldap_tls="starttls", ldap_ca_file=server.ca, ldap_base=server.base,
        ldap_bind="simple", ldap_bind_dn=server.reader_dn,
        ldap_password_file=secret)
    settings.update(more)
    return Drive(**settings)
