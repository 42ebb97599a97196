"""A Debian system to install things on, thrown away afterwards.

    with Scratch(tmp) as root:      # what this machine is, copied on write
    with Bare(tmp) as root:         # Debian's minimum, made from its archive
        root.run("dpkg", "-i", ...)

Needs real root.  Mounts are made in a mount namespace of their own, held by
one process, so that nothing is left behind whatever happens.
"""
import os
import shutil
import subprocess

from .proc import RigError, run

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Root:
    def __init__(self, folder):
        self.folder = str(folder)
        self.top = os.path.join(self.folder, "root")
        os.makedirs(self.top, exist_ok=True)

    def mounts(self):
        return ["mount --bind /proc {0}/proc", "mount --rbind /dev {0}/dev",
                "mount -t tmpfs tmpfs {0}/run", "mount -t tmpfs tmpfs {0}/tmp",
                # no service is started by installing it
                "printf '#!/bin/sh\\nexit 101\\n' >{0}/usr/sbin/policy-rc.d",
                "chmod 755 {0}/usr/sbin/policy-rc.d"]

    def __enter__(self):
        script = " && ".join(m.format(self.top) for m in self.mounts())
        self.holder = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             script + " && echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        said = self.holder.stdout.readline()
        if said.strip() != "ready":
            self.holder.kill()
            raise RigError("no root to install on: " + said +
                           self.holder.stdout.read())
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()

    def enter(self, *argv):
        """The command line that runs argv inside."""
        return ["nsenter", "--mount=/proc/%d/ns/mnt" % self.holder.pid,
                "chroot", self.top, "/usr/bin/env", "-i", "PATH=" + PATH,
                "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *argv]

    def run(self, *argv, **kw):
        return run(self.enter(*argv), **kw)

    def put(self, path, to):
        """A file of ours, inside."""
        with open(path, "rb") as f:
            subprocess.run(self.enter("sh", "-c", "cat >" + to), check=True,
                           input=f.read())


class Scratch(Root):
    def mounts(self):
        tmp = os.path.join(self.folder, "layer")
        os.makedirs(tmp, exist_ok=True)
        return ["mount -t tmpfs tmpfs " + tmp,
                "mkdir %s/up %s/work" % (tmp, tmp),
                "mount -t overlay overlay -o lowerdir=/,upperdir=%s/up,"
                "workdir=%s/work {0}" % (tmp, tmp)] + super().mounts()

    def install(self, deb):
        """Another mail server's package would be in the way."""
        self.put(deb, "/tmp/gatepost.deb")
        for name in run(["dpkg-query", "-W", "-f",
                         "${Package}\\t${Provides}\\n"]).split("\n"):
            package, _, provides = name.partition("\t")
            if "mail-transport-agent" in provides:
                self.run("dpkg", "--purge", "--force-depends", package,
                         check=False)
        return self.run("dpkg", "-i", "/tmp/gatepost.deb")


class Bare(Root):
    def __enter__(self):
        shutil.rmtree(self.top)
        run(["mmdebstrap", "--variant=minbase", "--mode=root", "bookworm",
             self.top], timeout=1800)
        shutil.copy("/etc/resolv.conf", self.top + "/etc/resolv.conf")
        return super().__enter__()

    def install(self, deb):
        self.put(deb, "/tmp/gatepost.deb")
        self.run("apt-get", "-q", "update")
        return self.run("apt-get", "-q", "-y", "--no-install-recommends",
                        "install", "/tmp/gatepost.deb", timeout=1800)
