#!/usr/bin/env python3
"""Gatepost beside Postfix + Dovecot, on the same slapd, in interleaved runs.

    peers.py --rig DIR [--build DIR] [--rounds N] WORKLOAD ...

DIR is a rig that starts Postfix, Dovecot and slapd on loopback (`up`, `down`,
`env.sh`, `bench/loadgen.c`); nothing of it is needed for building or testing
Gatepost.  What is counted is the CPU time of all processes of each side,
slapd left out on both, per operation; the figure to quote is the ratio, pair
by pair.  Gatepost reads the directory over TLS because it sends no password
without it; the peers read the same data in clear.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import smtplib
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, TOP)
from tests.rig.gatepost import Gatepost  # noqa: E402
from tests.rig.proc import free_ports, wait_until  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
BASE = 24000
# What people send each other: sizes, and how many of each in a round.
MIXED = ((1 << 10, 120), (4 << 10, 140), (20 << 10, 80), (100 << 10, 40),
         (1 << 20, 16), (10 << 20, 3), (30 << 20, 1))
RCPTS = 100


def processes():
    table = {}
    for d in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % d) as f:
                s = f.read()
        except OSError:
            continue
        f = s[s.rindex(")") + 2:].split()
        table[int(d)] = (int(f[1]), sum(map(int, f[11:15])) / TICK,
                         s[s.index("(") + 1:s.rindex(")")])
    return table


def tree(root, table):
    children = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    out, todo = [], [root]
    while todo:
        pid = todo.pop()
        if pid in table:
            out.append(pid)
            todo += children.get(pid, [])
    return out


def cpu(roots):
    table = processes()
    return sum(table[p][1] for r in roots for p in tree(r, table))


def memory(roots):
    """Anonymous memory and what the kernel holds for it, KiB."""
    table, kib = processes(), 0
    for pid in (p for r in roots for p in tree(r, table)):
        with open("/proc/%d/smaps_rollup" % pid) as f:
            kib += int(re.search(r"^Anonymous:\s+(\d+)", f.read(), re.M)[1])
        with open("/proc/%d/status" % pid) as f:
            s = f.read()
        kib += int(re.search(r"^VmPTE:\s+(\d+)", s, re.M)[1])
        kib += 16 * int(re.search(r"^Threads:\s+(\d+)", s, re.M)[1])
    return kib


def kernel_memory():
    """Slab and socket memory of the machine, KiB (for differences)."""
    with open("/proc/meminfo") as f:
        slab = int(re.search(r"^Slab:\s+(\d+)", f.read(), re.M)[1])
    with open("/proc/net/sockstat") as f:
        pages = int(re.search(r"^TCP:.* mem (\d+)", f.read(), re.M)[1])
    return slab + pages * 4


class Peers:
    name = "peers"

    def __init__(self, rig, folder):
        self.rig = rig
        self.env = dict(os.environ, RIG_DIR=folder, RIG_LOGIN="perf",
                        RIG_KEY="-newkey ec -pkeyopt "
                                "ec_paramgen_curve:P-256")
        try:
            subprocess.run([rig + "/up"], env=self.env, check=True,
                           stdout=subprocess.DEVNULL)
        except BaseException:
            self.close()
            raise
        self.folder = folder
        self.loadgen = folder + "/bin/loadgen"
        self.ports = {"smtp": BASE + 25, "imaps": BASE + 993}

    def roots(self):
        out = []
        for f in ("dovecot/run/master.pid", "postfix/queue/pid/master.pid"):
            with open(os.path.join(self.folder, f)) as fp:
                out.append(int(fp.read()))
        return out

    def settle(self, done):
        """Postfix answers before it delivers: wait for the mailboxes."""
        log = self.folder + "/dovecot/log/info.log"
        self.seen = getattr(self, "seen", 0) + done

        def delivered():
            with open(log, errors="replace") as f:
                return f.read().count("saved mail to") >= self.seen
        wait_until(delivered, "delivery by the peers", 300)

    def close(self):
        subprocess.run([self.rig + "/down", "--all"], env=self.env)


class Ours:
    name = "gatepost"

    def __init__(self, peers, build, settings):
        folder = peers.folder
        port, = free_ports(1)
        conf = folder + "/slapd/tls.conf"
        with open(folder + "/slapd/slapd.conf") as f:
            text = f.read()
        tls = ("TLSCertificateFile %s/tls/cert.pem\n"
               "TLSCertificateKeyFile %s/tls/key.pem\n" % (folder, folder))
        with open(conf, "w") as f:
            f.write(text.replace("database mdb", tls + "database mdb", 1)
                    .replace("slapd.pid", "slapd-tls.pid")
                    .replace("slapd.args", "slapd-tls.args"))
        self.slapd = subprocess.Popen(
            ["slapd", "-d0", "-f", conf, "-h",
             "ldaps://127.0.0.1:%d/" % port])
        self.gp = None
        try:
            self.start(folder, port, build, settings)
        except BaseException:
            self.close()
            raise
        self.loadgen = peers.loadgen
        self.ports = self.gp.ports

    def start(self, folder, port, build, settings):
        ca = folder + "/tls/cert.pem"
        self.gp = Gatepost(build=build, settings=dict({
            "hostname": "mx.example.test", "domains": ["example.test"],
            "directory": "ldap", "directory_profile": "rfc",
            "ldap_servers": ["ldaps://127.0.0.1:%d" % port],
            "ldap_tls": "ldaps", "ldap_bind": "simple",
            "ldap_bind_dn": "cn=mail,ou=services,dc=example,dc=test",
            "ldap_base": "ou=people,dc=example,dc=test",
            "attr_alias": ["mailAlternateAddress"],
            "segment_mb": 64}, **settings))
        secret = os.path.join(self.gp.folder, "secret")
        with open(secret, "w") as f:
            f.write("svc")
        os.chmod(secret, 0o600)
        self.gp.write_conf(ldap_ca_file=self.gp.adopt(ca),
                           ldap_password_file=secret)
        self.gp.give_away()
        self.gp.start()

    def roots(self):
        return [self.gp.daemon.pid]

    def settle(self, done):
        """A 250 is a delivery."""

    def close(self):
        if self.gp:
            self.gp.close()
        self.slapd.terminate()
        self.slapd.wait()


def load(side, argv):
    done = subprocess.run([side.loadgen] + [str(x) for x in argv],
                          capture_output=True, text=True, check=True)
    out = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    if float(out.get("failed", 0)):
        raise SystemExit("%s: %s" % (side.name, done.stdout))
    return {k: float(v) for k, v in out.items()}


def mixed(side):
    """One size after the other, 8 senders at a time; how many messages."""
    start = time.time()
    for size, n in MIXED:
        load(side, ["smtp", "-p", side.ports["smtp"], "-s", min(n, 8), "-m",
                    n, "-l", size, "-u", n])
    total = sum(n for _, n in MIXED)
    side.settle(total)
    return {"n": total, "rate": total / (time.time() - start)}


def many_recipients(side, a):
    """Messages for RCPTS people each, 4 senders; counted is a mailbox."""
    n = max(4, a.messages // RCPTS)
    to = ["u%05d@example.test" % i for i in range(1, RCPTS + 1)]
    text = (b"From: a@client.test\r\nTo: everybody@example.test\r\n"
            b"Subject: to all of you\r\n\r\n").ljust(a.size - 2, b"x")
    text = re.sub(rb"x{70}", lambda m: m[0] + b"\r\n", text) + b"\r\n"

    def send(count):
        with smtplib.SMTP("127.0.0.1", side.ports["smtp"]) as c:
            for _ in range(count):
                refused = c.sendmail("a@client.test", to, text)
                if refused:
                    raise SystemExit("%s: %r" % (side.name, refused))

    start = time.time()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(send, [n // 4] * 4))
    n = n // 4 * 4 * RCPTS
    side.settle(n)
    return {"n": n, "rate": n / (time.time() - start)}


def one(side, workload, a):
    before = cpu(side.roots())
    if workload in ("mixed", "rcpts"):
        out = mixed(side) if workload == "mixed" else many_recipients(side, a)
        n = out.pop("n")
    elif workload == "smtp":
        n = a.messages
        out = load(side, ["smtp", "-p", side.ports["smtp"], "-s", 20, "-m",
                          n, "-l", a.size, "-u", a.users])
    elif workload == "select":
        # login, SELECT, logout over TLS, 40 people side by side at a time
        n = a.logins // 40 * 40
        start = time.time()
        for first in range(1, n + 1, 40):
            load(side, ["imap", "-p", side.ports["imaps"], "-T", "-s", 40,
                        "-o", first % a.users, "SELECT INBOX"])
        out = {"rate": n / (time.time() - start)}
    else:
        n = a.logins
        out = load(side, ["login", "-p", side.ports["imaps"], "-T", "-s", 20,
                          "-m", n, "-u", a.users])
    if workload == "smtp":
        side.settle(n)
    time.sleep(0.3)
    out["cpu_ms"] = (cpu(side.roots()) - before) / n * 1000
    return out


def compare(sides, workload, a):
    rows = []
    for i in range(a.rounds + 1):
        row = {s.name: one(s, workload, a) for s in sides}
        if i == 0:
            continue            # mailboxes are made, caches are warm
        rows.append(row)
        print(workload, json.dumps(row), flush=True)
    if len(sides) == 2:
        for key in ("cpu_ms", "rate"):
            ratio = [r["gatepost"][key] / r["peers"][key] for r in rows]
            print("%s %s gatepost/peers: min %.3f median %.3f max %.3f" % (
                workload, key, min(ratio), statistics.median(ratio),
                max(ratio)), flush=True)


def store_numbers(ours):
    out = subprocess.run([ours.gp.program("gatepost"), "-c", ours.gp.conf,
                          "status", "--json"], capture_output=True,
                         text=True)
    try:
        for process in json.loads(out.stdout)["processes"]:
            if process["name"] == "store":
                return process["numbers"]
    except (ValueError, KeyError):
        pass
    raise SystemExit("no numbers of the store: " + out.stdout + out.stderr)


def flushes(ours, a):
    """fdatasync calls of the store, as it counts them itself (one of each
    index commit); strace -c shows the same and slows everything down."""
    wait_until(lambda: store_numbers(ours), "the store's numbers")
    before = store_numbers(ours)
    load(ours, ["smtp", "-p", ours.ports["smtp"], "-s", 20, "-m", a.messages,
                "-l", a.size, "-u", a.users])
    after = store_numbers(ours)
    n = {k: after[k] - before[k] for k in ("log_syncs", "index_commits")}
    print("flushes per message %.3f (%s)" % (sum(n.values()) / a.messages,
                                             n))


def idle(side, a):
    roots = side.roots()
    m0, k0 = memory(roots), kernel_memory()
    p = subprocess.Popen([side.loadgen, "idle", "-p", str(side.ports["imaps"]),
                          "-m", str(a.idle), "-s", "4", "-u", str(a.idle),
                          "-T"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
    print(p.stdout.readline().strip())
    time.sleep(3)
    m1, k1 = memory(roots), kernel_memory()
    p.stdin.close()
    p.wait()
    print("%s idle: %.1f KiB anonymous, %.1f KiB kernel (both ends of the "
          "TCP connection) per client" % (
              side.name, (m1 - m0) / a.idle, (k1 - k0) / a.idle))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--rig", required=True)
    ap.add_argument("--build", default=os.path.join(TOP, "build"))
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--messages", type=int, default=2000)
    ap.add_argument("--logins", type=int, default=1000)
    ap.add_argument("--size", type=int, default=4096)
    ap.add_argument("--users", type=int, default=1000)
    ap.add_argument("--idle", type=int, default=1000)
    ap.add_argument("--alone", action="store_true",
                    help="Gatepost only; the rig's slapd is still used")
    ap.add_argument("--set", action="append", default=[],
                    help="name=value of Gatepost's configuration")
    ap.add_argument("what", nargs="+",
                    choices=["smtp", "mixed", "rcpts", "login", "select",
                             "idle", "flushes",
                             "hold"])
    a = ap.parse_args()
    folder = tempfile.mkdtemp(prefix="rig.", dir="/var/tmp")
    os.chmod(folder, 0o755)
    settings = {}
    for s in a.set:
        k, v = s.split("=", 1)
        settings[k] = int(v) if v.isdigit() else v
    peers = ours = None
    try:
        peers = Peers(a.rig, folder)
        ours = Ours(peers, a.build, settings)
        sides = [ours] if a.alone else [ours, peers]
        for what in a.what:
            if what == "idle":
                for side in sides:
                    idle(side, a)
            elif what == "flushes":
                flushes(ours, a)
            elif what == "hold":
                print(json.dumps(ours.ports), ours.roots(), peers.loadgen,
                      flush=True)
                sys.stdin.readline()
            else:
                compare(sides, what, a)
    finally:
        if ours:
            ours.close()
        if peers:
            peers.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
