"""The Debian package: built, looked at, installed, used, and removed again.

Installed on a copy-on-write image of this machine; in the long run also on a
bare Debian made from the archive.
"""
import glob
import os
import re
import shutil
import subprocess

import pytest

from rig import ldif
from rig.chroot import Bare, Scratch
from rig.gatepost import TOP, real_root, setting
from rig.proc import Daemon, can_connect, free_ports, run, wait_until
from rig.smtp import Smtp

pytestmark = pytest.mark.skipif(
    not real_root(), reason="only root can install a package")

LISTENERS = ("smtp", "submission", "submissions", "imap", "imaps", "pop3",
             "pop3s")
ROOTS = [Scratch] + ([Bare] if os.environ.get("GP_LONG") else [])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """dpkg-buildpackage on a copy of what git knows."""
    top = tmp_path_factory.mktemp("package")
    source = top / "gatepost-0.1"
    source.mkdir()
    names = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-co",
         "--exclude-standard", "-z"], cwd=TOP, check=True,
        stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, names):
        if name.startswith("tests/fuzz/corpus/"):
            continue
        os.makedirs(source / os.path.dirname(name), exist_ok=True)
        if os.path.exists(os.path.join(TOP, name)):
            shutil.copy(os.path.join(TOP, name), source / name)
    env = dict(os.environ, DEB_BUILD_OPTIONS="nocheck parallel=2")
    for name in ("CFLAGS", "LDFLAGS", "CC"):
        env.pop(name, None)
    if shutil.which("ccache"):
        env["CC"] = "ccache gcc"
    run(["dpkg-buildpackage", "-b", "-us", "-uc", "-rfakeroot"],
        cwd=str(source), env=env, timeout=1800)
    return top


@pytest.fixture(scope="module")
def deb(built):
    found = [p for p in glob.glob(str(built / "gatepost_*.deb"))]
    assert len(found) == 1
    return found[0]


def test_lintian_has_no_errors(built):
    changes, = glob.glob(str(built / "*.changes"))
    out = run(["lintian", "--allow-root", "--fail-on", "error", changes],
              check=False)
    assert not re.search(r"^E: ", out, re.M), out


def test_what_is_in_it(deb):
    listed = run(["dpkg-deb", "-c", deb])
    files = set(re.findall(r"\./(\S+)$", listed, re.M))
    for path in ("usr/sbin/gatepostd", "usr/bin/gatepost",
                 "lib/systemd/system/gatepost.service",
                 "usr/lib/sysusers.d/gatepost.conf",
                 "usr/share/doc/gatepost/examples/gatepost.conf",
                 "etc/fail2ban/filter.d/gatepost.conf",
                 "usr/bin/gatepost-sendmail",
                 "usr/share/man/man5/gatepost.conf.5.gz"):
        assert path in files, path
    assert not re.search(r"^-..s|^-.....s", listed, re.M), "set-uid"
    assert not re.search(r"^-.\S+ root/root .*\./etc/gatepost/gatepost.conf$",
                         listed, re.M), "a sample must not pass for a site"


class Installed:
    """A site on an installed package, inside the root."""

    def __init__(self, root, tmp):
        self.root, self.tmp = root, tmp
        self.ports = dict(zip(LISTENERS, free_ports(len(LISTENERS))))
        people = ldif.write(str(tmp / "people.ldif"), ("ann", "ben"), [])
        root.run("sh", "-c", "mkdir -p /etc/gatepost /run/gatepost")
        root.put(people, "/etc/gatepost/people.ldif")
        root.run("chmod", "644", "/etc/gatepost/people.ldif")
        conf = {"hostname": "mail.example.test", "domains": [ldif.MAIL],
                "postmaster": "ann@" + ldif.MAIL, "directory": "ldif",
                "directory_profile": "rfc", "segment_mb": 16,
                "ldif_file": "/etc/gatepost/people.ldif",
                "free_space_mb": 16, "index_gb": 1, "sandbox": "required",
                "plaintext_login_on_loopback": True}
        for name, port in self.ports.items():
            conf["listen_" + name] = ["127.0.0.1:%d" % port]
        path = tmp / "gatepost.conf"
        path.write_text("".join(setting(k, v) for k, v in conf.items()))
        root.put(str(path), "/etc/gatepost/gatepost.conf")
        self.daemon = Daemon(root.enter(
            "/usr/sbin/gatepostd", "-f", "-c", "/etc/gatepost/gatepost.conf"),
            str(tmp / "gatepostd.log"))
        self.daemon.wait_ready(lambda: all(
            can_connect("127.0.0.1", p) for p in self.ports.values()), "ports")

    def gatepost(self, *argv, **kw):
        return self.root.run("gatepost", "-c", "/etc/gatepost/gatepost.conf",
                             *argv, **kw)


@pytest.mark.parametrize("kind", ROOTS, ids=lambda k: k.__name__.lower())
def test_install_use_purge(kind, deb, tmp_path):
    with kind(tmp_path) as root:
        root.install(deb)
        users = root.run("getent", "group", "gatepost")
        assert "gatepost-store" in users
        # Not configured: nothing of ours runs and nothing is listening.
        assert root.run("sh", "-c", "ls /etc/gatepost 2>/dev/null || true"
                        ).strip() == ""
        site = Installed(root, tmp_path)
        try:
            wait_until(lambda: site.gatepost("check", check=False).count(
                "FAIL") == 0, "gatepost check to be green")
            out = site.gatepost("check")
            assert "good" in out.lower() or "ok" in out.lower(), out
            with Smtp("127.0.0.1", site.ports["smtp"]) as c:
                reply = c.deliver("x@client.test", ["ben@" + ldif.MAIL],
                                  b"Subject: packed\r\n\r\nHello\r\n")
                assert reply.code == 250
            root.run("sh", "-c", "printf 'Subject: local\\n\\nby sendmail\\n' "
                     "| /usr/sbin/sendmail -f root ben@" + ldif.MAIL)
            owners = set(root.run(
                "ps", "-o", "user:30=", "--ppid", str(
                    inside(site)), check=False).split())
            assert len(owners) >= 6 and "root" not in owners, owners
        finally:
            status = site.daemon.stop()
        assert status == 0, site.daemon.text()[-3000:]
        root.run("dpkg", "--purge", "gatepost")
        # Mail is the administrator's to delete.
        assert root.run("ls", "/var/lib/gatepost").strip() != ""
        root.run("test", "!", "-e", "/usr/sbin/gatepostd")


def inside(site):
    """The supervisor's pid (chroot and env have exec'ed into it)."""
    return site.daemon.pid
