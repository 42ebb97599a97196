"""An IMAP client for tests: commands go out as written, answers come back
as bytes with their literals in place."""
import re

from .proc import RigError
from .wire import Wire

LITERAL = re.compile(rb"\{(\d+)\}$")


class Answer:
    def __init__(self, status, text, untagged):
        self.status, self.text, self.untagged = status, text, untagged

    @property
    def ok(self):
        return self.status == "OK"

    def lines(self, word):
        """The untagged answers that have this word first or second."""
        word = word.upper().encode()
        return [u for u in self.untagged
                if word in [w.upper() for w in u.split(b" ", 2)[:2]]]

    def number(self, word):
        """N of "* N EXISTS" and the like; the last one said."""
        return int(self.lines(word)[-1].split(b" ")[0])

    def code(self):
        """What is in the brackets: "UNAVAILABLE", "UIDNEXT 4"."""
        m = re.match(r"\[([^\]]*)\]", self.text)
        return m.group(1) if m else ""

    def __repr__(self):
        return "%s %s %r" % (self.status, self.text, self.untagged[-5:])


class Imap(Wire):
    def __init__(self, host, port, **kw):
        super().__init__(host, port, **kw)
        self.tags = 0
        self.greeting = self.response()

    def response(self):
        """One response: a line, and the literals that it goes on with."""
        out = b""
        while True:
            line = self.line()
            out += line
            m = LITERAL.search(line)
            if not m:
                return out
            out += b"\r\n" + self.exactly(int(m.group(1)))

    def start(self, *parts):
        """Send a command; the tag.  A bytes part goes as a literal."""
        self.tags += 1
        tag = "a%d" % self.tags
        line = tag.encode()
        for part in parts:
            if isinstance(part, bytes):
                self.send(line + b" {%d}\r\n" % len(part))
                self.wait_continue()
                line = part
            else:
                line += b" " + part.encode()
        self.send(line + b"\r\n")
        return tag

    def wait_continue(self):
        line = self.response()
        if not line.startswith(b"+"):
            raise RigError("no continuation but %r" % line)
        return line[2:]

    def finish(self, tag):
        untagged = []
        while True:
            r = self.response()
            if r.startswith(b"* "):
                untagged.append(r[2:])
                continue
            words = r.decode("utf-8", "surrogateescape").split(" ", 2)
            if words[0] != tag:
                raise RigError("expected %s, got %r" % (tag, r))
            return Answer(words[1], words[2] if len(words) > 2 else "",
                          untagged)

    def cmd(self, *parts):
        return self.finish(self.start(*parts))

    def must(self, *parts):
        answer = self.cmd(*parts)
        if not answer.ok:
            raise RigError("%s: %r" % (parts[0], answer))
        return answer

    def starttls(self, ca, name=None):
        self.must("STARTTLS")
        self.start_tls(ca, name)

    def login(self, user, password):
        return self.cmd("LOGIN", user.encode(), password.encode())

    def select(self, box="INBOX"):
        return self.must("SELECT", quote(box))

    def idle(self):
        tag = self.start("IDLE")
        self.wait_continue()
        return tag

    def done(self, tag):
        self.send(b"DONE\r\n")
        return self.finish(tag)

    def bodies(self, what="1:*"):
        """UID -> the whole message, of the selected mailbox."""
        out = {}
        for u in self.must("UID FETCH %s (UID BODY.PEEK[])" % what).lines(
                "FETCH"):
            uid = int(re.search(rb"UID (\d+)", u).group(1))
            m = re.search(rb"BODY\[\] \{(\d+)\}\r\n", u)
            out[uid] = u[m.end():m.end() + int(m.group(1))]
        return out

    def subjects(self, box="INBOX"):
        """The Subject of each message of a mailbox, in order."""
        n = self.select(box).number("EXISTS")
        if not n:
            return []
        got = self.must("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        out = []
        for u in got.lines("FETCH"):
            m = re.search(rb"^Subject: (.*?)\r$", u, re.M | re.I)
            out.append(m.group(1).decode() if m else "")
        return out


def quote(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')
