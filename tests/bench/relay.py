#!/usr/bin/env python3
"""Accept mail and relay it through the queue to another server: Gatepost
beside Postfix, in interleaved runs.

    relay.py [--build DIR] [--rounds N] [--messages N] [--size BYTES]

Both take mail from the loopback without a password and send all of it to
Postfix's smtp-sink; smtp-source is the client, with 20 sessions.  What is
counted is the CPU time of all processes of each side, from the first
connection until the last message has left; the figure to quote is the ratio,
pair by pair.  Postfix runs with its default in_flow_delay and with 0.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [TOP, os.path.join(TOP, "tests"),
                os.path.join(TOP, "tests", "bench")]
from peers import cpu  # noqa: E402
from rig import ldif  # noqa: E402
from rig.gatepost import Gatepost  # noqa: E402
from rig.postfix import Postfix  # noqa: E402
from rig.proc import can_connect, free_ports, wait_until  # noqa: E402


class Sink:
    def __init__(self):
        self.port, = free_ports(1)
        self.p = subprocess.Popen(
            ["smtp-sink", "-u", "nobody", "127.0.0.1:%d" % self.port, "512"],
            stdout=subprocess.DEVNULL)
        wait_until(lambda: can_connect("127.0.0.1", self.port), "smtp-sink")

    def close(self):
        self.p.terminate()
        self.p.wait()


class Peer:
    def __init__(self, name, folder, sink, *settings):
        self.name = name
        os.makedirs(folder)
        self.pf = Postfix(folder, relay_port=sink.port)
        for s in settings:
            subprocess.run(["postconf", "-c", folder + "/conf", "-e", s],
                           check=True)
        subprocess.run(["postfix", "-c", folder + "/conf", "reload"],
                       check=True, stderr=subprocess.DEVNULL)
        time.sleep(1)
        self.port = self.pf.port
        self.close = self.pf.close

    def roots(self):
        with open(self.pf.folder + "/queue/pid/master.pid") as f:
            return [int(f.read())]

    def left(self):
        return len(re.findall(r"status=sent", self.pf.log()))


class Ours:
    name = "gatepost"

    def __init__(self, folder, sink, build):
        os.makedirs(folder)
        people = ldif.write(folder + "/people.ldif", ("ann",), [])
        self.gp = Gatepost(build=build, ldif=people, settings={
            "postmaster": "ann@" + ldif.MAIL, "segment_mb": 64,
            "relay_networks": ["127.0.0.0/8"],
            "routes": ["*=smtp:127.0.0.1:%d" % sink.port],
            "dkim_dir": "", "smtp_sessions_max": 1000}).start()
        self.port = self.gp.ports["smtp"]
        self.close = self.gp.close

    def roots(self):
        return [self.gp.daemon.pid]

    def left(self):
        with open(self.gp.log_file) as f:
            return f.read().count("event=send.done")


def one(side, a):
    before, had = cpu(side.roots()), side.left()
    start = time.time()
    subprocess.run(
        ["smtp-source", "-s", "20", "-m", str(a.messages), "-l", str(a.size),
         "-f", "a@client.test", "-t", "b@far.test",
         "127.0.0.1:%d" % side.port], check=True)
    accepted = time.time()
    wait_until(lambda: side.left() - had >= a.messages, "all to leave", 300,
               step=0.1)
    end = time.time()
    time.sleep(0.3)
    return {"cpu_ms": (cpu(side.roots()) - before) / a.messages * 1000,
            "accept": a.messages / (accepted - start),
            "relay": a.messages / (end - start)}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=os.path.join(TOP, "build"))
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--messages", type=int, default=1000)
    ap.add_argument("--size", type=int, default=4096)
    a = ap.parse_args()
    folder = tempfile.mkdtemp(prefix="relay.", dir="/var/tmp")
    sink, sides = Sink(), []
    try:
        sides.append(Ours(folder + "/gp", sink, a.build))
        sides.append(Peer("postfix", folder + "/pf", sink))
        sides.append(Peer("postfix in_flow_delay=0", folder + "/pf0", sink,
                          "in_flow_delay=0"))
        rows = []
        for i in range(a.rounds + 1):
            row = {s.name: one(s, a) for s in sides}
            if i == 0:
                continue
            rows.append(row)
            print({k: {n: round(x, 3) for n, x in v.items()}
                   for k, v in row.items()}, flush=True)
        for s in sides[1:]:
            for key in ("cpu_ms", "relay"):
                r = [row["gatepost"][key] / row[s.name][key] for row in rows]
                print("%s gatepost/%s: min %.3f median %.3f max %.3f" % (
                    key, s.name, min(r), statistics.median(r), max(r)))
    finally:
        for s in sides:
            s.close()
        sink.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
