"""Driving gatepost-remote through its client (tests/tool/rem_send)."""
import json
import os
import subprocess
import threading

from .gatepost import real_root
from .proc import RigError

TEXT = "Subject: hello\r\n\r\nfirst\r\n.dot\r\n..\r\nlast\r\n"


class Outcome:
    """What one call said; r.to[i] are dictionaries."""

    def __init__(self, d):
        self.__dict__.update(d)

    @property
    def first(self):
        return self.to[0]

    def __repr__(self):
        return repr(self.__dict__)


class Remote:
    """A rem_send on the running Gatepost gp; calls may overlap."""

    serial = 0

    def __init__(self, gp):
        self.gp = gp
        argv = [gp.program("tests/tool/rem_send"),
                os.path.join(gp.settings["run_dir"], "remote.sock")]
        if not real_root():
            argv = gp.as_plain_user(argv)
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE,
                                  env=gp.environment())
        self.answers, self.news = {}, threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.p.stdout:
            d = json.loads(line)
            with self.news:
                self.answers.setdefault(d["id"], []).append(Outcome(d))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def start(self, hop, to=("b@y.test",), **fields):
        """Returns its id; `to`: addresses, or dictionaries."""
        Remote.serial += 1
        fields.setdefault("id", "id-%d-%d" % (os.getpid(), Remote.serial))
        fields.setdefault("qid", "q%d" % Remote.serial)
        fields.setdefault("from", "a@x.test")
        if "file" not in fields:
            fields.setdefault("text", TEXT)
        fields.update(hop=hop, to=[
            {"address": r} if isinstance(r, str) else r for r in to])
        self.p.stdin.write((json.dumps(fields) + "\n").encode())
        self.p.stdin.flush()
        return fields["id"]

    def wait(self, ident, n=1):
        """The n-th answer to that id."""
        with self.news:
            ok = self.news.wait_for(
                lambda: len(self.answers.get(ident, [])) >= n or self.ended,
                90)
            if not ok or len(self.answers.get(ident, [])) < n:
                raise RigError("no answer for " + ident)
            return self.answers[ident][n - 1]

    def send(self, hop, to=("b@y.test",), **fields):
        return self.wait(self.start(hop, to, **fields))

    def close(self):
        self.p.stdin.close()
        status = self.p.wait(60)
        self.reader.join()
        self.p.stdout.close()
        if status != 0:
            raise RigError("rem_send ended with %d" % status)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
