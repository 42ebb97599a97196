"""Each process under a user of its own.

The users exist in a mount namespace of the daemons only, where passwd and
group are files of ours.  Needs root that is root of the whole machine.
"""
import os
import shlex

import pytest

from rig import ldif
from rig.gatepost import Gatepost, real_root
from setups import arrives, unique

ROLES = ("mx", "access", "directory", "store", "delivery", "remote",
         "signer", "policy", "imap", "track")
FIRST = 47010

pytestmark = pytest.mark.skipif(
    not real_root(), reason="only root can make users")


class WithUsers(Gatepost):
    def command(self):
        files = []
        for name, lines in (("passwd", passwd()), ("group", group())):
            ours = self._path(name)
            with open("/etc/" + name) as f, open(ours, "w") as out:
                out.write(f.read() + lines)
            files.append("mount --bind %s /etc/%s"
                         % (shlex.quote(ours), name))
        script = " && ".join(
            files + ["exec " + shlex.join(super().command())])
        return ["unshare", "-m", "sh", "-c", script]


def passwd():
    return "".join(
        "gatepost-%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n"
        % (r, FIRST + i, FIRST + i) for i, r in enumerate(ROLES))


def group():
    own = "".join(
        "gatepost-%s:x:%d:%s\n"
        % (r, FIRST + i,
           "gatepost-delivery,gatepost-imap" if r == "store" else "")
        for i, r in enumerate(ROLES))
    everybody = ",".join("gatepost-" + r for r in ROLES)
    return own + "gatepost:x:%d:%s\n" % (FIRST - 1, everybody)


@pytest.fixture
def gp(tmp_path):
    path = ldif.write(str(tmp_path / "people.ldif"), ("ann", "ben"),
                      [("team", ["ann", "ben"])])
    g = WithUsers(ldif=path, settings={
        "user": None, "sandbox": "required",
        "postmaster": "ann@" + ldif.MAIL})
    os.chmod(g.folder, 0o755)
    try:
        yield g.start()
    finally:
        g.close()


def test_mail_goes_its_way_between_users(gp):
    """Small and large: inline, in memory, and through a spool file."""
    for size in (100, 100 << 10, 3 << 20):
        subject = unique("size %d" % size)
        with gp.smtp() as c:
            reply = c.deliver("a@client.test", ["ann@" + ldif.MAIL], (
                "Subject: %s\n\n" % subject).encode()
                + (b"x" * 70 + b"\n") * (size // 71))
        assert reply.code == 250
        assert arrives(gp, "ann", ldif.PASSWORD, subject) == 1


def test_each_process_is_somebody_else(gp):
    uids = {}
    for pid, role in gp.children():
        with open("/proc/%d/status" % pid) as f:
            fields = dict(line.split(":\t", 1) for line in f)
        uids.setdefault(role, set()).add(fields["Uid"].split()[0])
        assert len(set(fields["Uid"].split())) == 1
        assert int(fields["CapPrm"], 16) == 0
        assert int(fields["CapBnd"], 16) & ~0b10011100000 == 0
        assert fields["NoNewPrivs"].strip() == "1"
        assert fields["Seccomp"].strip() == "2"
    assert {r: u for r, u in uids.items()} == {
        r: {str(FIRST + i)} for i, r in enumerate(ROLES)}


def test_the_supervisor_keeps_four_capabilities(gp):
    with open("/proc/%d/status" % gp.daemon.pid) as f:
        fields = dict(line.split(":\t", 1) for line in f)
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        # KILL, SETGID, SETUID, NET_BIND_SERVICE
        assert int(fields[kind], 16) == 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10


def test_reload_and_restart_need_no_more_rights(gp):
    cert, key = gp.certificates.issue("new", "new-key", ["mail.example.test"])
    gp.write_conf(tls_certificate=[cert], tls_key=[key])
    # An ACME client's key: neither ours nor readable by others.
    os.chown(key, FIRST + 100, FIRST + 100)
    os.chmod(key, 0o600)
    gp.reload()
    pid = {r: p for p, r in gp.children()}["store"]
    os.kill(pid, 9)
    gp.wait_log(r"child.ready child=store(.|\n)*child.ready child=store")
    test_mail_goes_its_way_between_users(gp)
