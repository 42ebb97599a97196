r"""Protocol transcripts: tests/proto/*.txt, played against real daemons.

A transcript opens with "name: value" lines, then a blank line, then the talk:

    listen: smtp          which listener (smtp, submission, imap, ...)
    client: 192.0.2.7     from there (default: from this machine)
    deliver: NAME         tests/proto/NAME goes to {user} first (may repeat)

    # a comment
    C: EHLO client.test   a line to send; CRLF is added
    C- half a line        to send as it stands, no CRLF
    S: 250 2.1.5 *        a line to receive; * is any text, also none
    S> RE                 the same as a regular expression
    S...                  any number of lines, until the next S matches
    TLS                   the client's handshake
    WAIT                  pipelined: nothing further before the answers so far
    CLOSE                 the server closes now, and says nothing more

\r \n \t \0 \\ and \xHH stand for bytes in C lines; {x*1000} for a thousand x.
{user} is a person of this play's own with an empty mailbox, {mail} the
address, {password}, {plain} the SASL PLAIN response in base64.

Each is played three times: "whole" line by line, waiting for the answers;
"bytes" each byte a segment of its own; "pipelined" all lines at once, up to
WAIT, TLS or the end.
"""
import base64
import fnmatch
import re
import ssl

from .proc import RigError
from .wire import Closed

MODES = ("whole", "bytes", "pipelined")
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


class Mismatch(RigError):
    pass


class Step:
    def __init__(self, number, kind, text):
        self.number, self.kind, self.text = number, kind, text


class Transcript:
    def __init__(self, path):
        self.path = path
        self.options, self.deliver, self.steps = {}, [], []
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        at = self._head(lines)
        for number, line in enumerate(lines[at:], at + 1):
            step = self._step(number, line)
            if step:
                self.steps.append(step)
        if not any(s.kind in ("S:", "S>", "CLOSE") for s in self.steps):
            raise RigError("%s expects nothing" % path)

    def _head(self, lines):
        for at, line in enumerate(lines):
            if not line.strip():
                return at + 1
            if line.startswith("#"):
                continue
            name, _, value = line.partition(":")
            if name == "deliver":
                self.deliver.append(value.strip())
            elif name in ("listen", "client"):
                self.options[name] = value.strip()
            else:
                raise RigError("%s:%d: unknown option" % (self.path, at + 1))
        raise RigError("%s: no talk" % self.path)

    def _step(self, number, line):
        if not line.strip() or line.startswith("#"):
            return None
        for kind in ("C:", "C-", "S:", "S>"):
            if line.startswith(kind + " ") or line == kind:
                return Step(number, kind, line[3:])
        for kind in ("S...", "TLS", "WAIT", "CLOSE"):
            if line.strip() == kind:
                return Step(number, kind, "")
        raise RigError("%s:%d: what is this?" % (self.path, number))


def values_of(user, mail, password):
    plain = base64.b64encode(
        ("\0%s\0%s" % (user, password)).encode()).decode()
    return {"user": user, "mail": mail, "password": password,
            "plain": plain,
            "b64user": base64.b64encode(user.encode()).decode(),
            "b64password": base64.b64encode(password.encode()).decode()}


def fill(text, values):
    for name, value in values.items():
        text = text.replace("{%s}" % name, value)
    return re.sub(r"\{(.)\*(\d+)\}",
                  lambda m: m.group(1) * int(m.group(2)), text)


def to_bytes(text, values):
    out, at = b"", 0
    text = fill(text, values)
    for m in re.finditer(r"\\(x[0-9a-fA-F]{2}|.)", text):
        out += text[at:m.start()].encode()
        name = m.group(1)
        out += bytes([int(name[1:], 16)]) if len(name) == 3 else ESCAPES[name]
        at = m.end()
    return out + text[at:].encode()


class Player:
    def __init__(self, transcript, wire, mode, values, tls_ca):
        self.t, self.wire, self.mode = transcript, wire, mode
        self.values, self.tls_ca = values, tls_ca
        self.skipping = False  # after S...
        self.expected = []     # pipelined: answers not read yet

    def fail(self, step, why):
        raise Mismatch("%s:%d (%s): %s" % (
            self.t.path, step.number, self.mode, why))

    def play(self):
        pipelined, batch = self.mode == "pipelined", b""
        spoken = False
        for step in self.t.steps:
            if step.kind in ("C:", "C-"):
                data = to_bytes(step.text, self.values)
                data += b"\r\n" if step.kind == "C:" else b""
                spoken = True
                if pipelined:
                    batch += data
                else:
                    self.send(data)
            elif step.kind in ("S:", "S>", "S..."):
                # the greeting is waited for in every mode
                if pipelined and spoken:
                    self.expected.append(step)
                else:
                    self.expect(step)
            else:
                self.flush(batch)
                batch = b""
                if step.kind == "TLS":
                    self.wire.start_tls(self.tls_ca)
                elif step.kind == "CLOSE":
                    self.closed(step)
        self.flush(batch)

    def send(self, data):
        """A server may have closed: what is expected next tells."""
        try:
            self.wire.send(data, self.mode == "bytes")
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            pass  # the last: how Python's ssl says the same

    def flush(self, batch):
        self.send(batch)
        for step in self.expected:
            self.expect(step)
        self.expected = []

    def expect(self, step):
        if step.kind == "S...":
            self.skipping = True
            return
        want = fill(step.text, self.values)
        while True:
            try:
                line = self.wire.line().decode("utf-8", "backslashreplace")
            except Closed:
                self.fail(step, "closed, wanted %r" % want)
            if self.matches(step, want, line):
                self.skipping = False
                return
            if not self.skipping:
                self.fail(step, "got %r, wanted %r" % (line, want))

    @staticmethod
    def matches(step, want, line):
        if step.kind == "S>":
            return re.fullmatch(want, line) is not None
        pattern = re.sub(r"([\[?])", r"[\1]", want)
        return fnmatch.fnmatchcase(line, pattern)

    def closed(self, step):
        try:
            rest = self.wire.at_end()
        except RigError:
            self.fail(step, "the server does not close")
        if rest and not self.skipping:
            self.fail(step, "still says %r" % rest)
