"""A POP3 client for tests: what is said goes out as it is, and a message
comes back as the bytes that were sent, with the dots unstuffed."""
import base64

from .proc import RigError
from .wire import Wire


class Said:
    def __init__(self, line):
        self.ok, self.text = line.startswith(b"+OK"), line.decode()
        if not self.ok and not line.startswith(b"-ERR"):
            raise RigError("not a POP3 reply: %r" % line)

    def code(self):
        """What is in the brackets: "AUTH", "SYS/TEMP"; "" without one."""
        word = self.text.split(" ")[1] if " " in self.text else ""
        return word[1:-1] if word.startswith("[") else ""

    def __repr__(self):
        return self.text


class Pop3(Wire):
    def __init__(self, host, port, **kw):
        super().__init__(host, port, **kw)
        self.greeting = self.reply()

    def reply(self):
        return Said(self.line())

    def cmd(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def must(self, line):
        said = self.cmd(line)
        if not said.ok:
            raise RigError("%s: %r" % (line, said))
        return said

    def lines(self):
        """Up to the lone dot."""
        out = []
        while True:
            line = self.line()
            if line == b".":
                return out
            out.append(line[1:] if line.startswith(b".") else line)

    def listing(self, command):
        self.must(command)
        return [tuple(x.decode().split(" ")) for x in self.lines()]

    def retr(self, number):
        self.must("RETR %d" % number)
        return b"".join(x + b"\r\n" for x in self.lines())

    def capa(self):
        self.must("CAPA")
        return [x.decode() for x in self.lines()]

    def starttls(self, ca, name=None):
        self.must("STLS")
        self.start_tls(ca, name)

    def login(self, user, password):
        said = self.cmd("USER " + user)
        return self.cmd("PASS " + password) if said.ok else said

    def auth_plain(self, user, password):
        text = base64.b64encode(
            ("\0%s\0%s" % (user, password)).encode()).decode()
        return self.cmd("AUTH PLAIN " + text)
