"""An SMTP client that sends what it is told to, and nothing by itself."""
import base64

from .proc import RigError
from .wire import Wire


class Reply:
    def __init__(self, code, lines):
        self.code, self.lines = code, lines

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def status(self):
        """The enhanced status code, "" without one."""
        word = self.lines[0].split(" ")[0]
        return word if word.count(".") == 2 and word[0] in "245" else ""

    def __repr__(self):
        return "%d %s" % (self.code, " / ".join(self.lines))


class Refused(RigError):
    def __init__(self, command, reply):
        super().__init__("%s: %r" % (command, reply))
        self.reply = reply


def b64(*parts):
    return base64.b64encode("\0".join(parts).encode()).decode()


def dot_stuff(body):
    """Lines become CRLF; a leading dot is doubled; the final dot is added."""
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return b"".join((b"." if ln.startswith(b".") else b"") + ln + b"\r\n"
                    for ln in lines) + b".\r\n"


class Smtp(Wire):
    def __init__(self, host, port, hello="client.test", **kw):
        super().__init__(host, port, **kw)
        self.extensions = {}
        self.greeting = self.reply()
        if hello and self.greeting.code == 220:
            self.ehlo(hello)

    def reply(self):
        lines, code = [], None
        while True:
            line = self.line().decode("utf-8", "surrogateescape")
            if len(line) < 3 or not line[:3].isdigit() or \
                    line[3:4] not in ("", " ", "-") or \
                    code not in (None, line[:3]):
                raise RigError("not an SMTP reply: %r" % line)
            code = line[:3]
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(code), lines)

    def cmd(self, line):
        self.send((line if isinstance(line, bytes) else line.encode())
                  + b"\r\n")
        return self.reply()

    def must(self, line, code=250):
        reply = self.cmd(line)
        if reply.code != code:
            raise Refused(line, reply)
        return reply

    def ehlo(self, name="client.test"):
        reply = self.must("EHLO " + name)
        self.extensions = {}
        for line in reply.lines[1:]:
            word, _, rest = line.partition(" ")
            self.extensions[word.upper()] = rest
        return reply

    def starttls(self, ca, name=None, hello="client.test"):
        self.must("STARTTLS", 220)
        self.start_tls(ca, name)
        if hello:
            self.ehlo(hello)

    def auth_plain(self, user, password, authzid=""):
        return self.cmd("AUTH PLAIN " + b64(authzid, user, password))

    def auth_login(self, user, password):
        for step in ("AUTH LOGIN", b64(user)):
            reply = self.cmd(step)
            if reply.code != 334:
                return reply
        return self.cmd(b64(password))

    def data(self, body):
        reply = self.cmd("DATA")
        if reply.code != 354:
            return reply
        self.send(dot_stuff(body))
        return self.reply()

    def mail(self, sender, recipients, body):
        """One transaction; the replies (of MAIL, [RCPT], of DATA)."""
        first = self.cmd("MAIL FROM:<%s>" % sender)
        if first.code != 250:
            return first, [], None
        rcpts = [self.cmd("RCPT TO:<%s>" % r) for r in recipients]
        if not any(r.code == 250 for r in rcpts):
            self.cmd("RSET")
            return first, rcpts, None
        return first, rcpts, self.data(body)

    def deliver(self, sender, recipients, body):
        """A transaction in which everything must be accepted."""
        first, rcpts, last = self.mail(sender, recipients, body)
        for reply in [first] + rcpts + [last]:
            if reply is None or reply.code != 250:
                raise Refused("mail", reply)
        return last


class Lmtp(Smtp):
    """RFC 2033: as many replies to the data as there were recipients."""
    def __init__(self, host, port=None, hello="client.test", **kw):
        super().__init__(host, port, hello=None, **kw)
        if hello and self.greeting.code == 220:
            self.must("LHLO " + hello)

    def lmtp(self, sender, recipients, body):
        """The replies of the RCPTs and those to the data."""
        self.must("MAIL FROM:<%s>" % sender)
        rcpts = [self.cmd("RCPT TO:<%s>" % r) for r in recipients]
        taken = sum(r.code == 250 for r in rcpts)
        first = self.data(body)
        if taken == 0:
            return rcpts, [first]
        return rcpts, [first] + [self.reply() for _ in range(taken - 1)]


def message(sender, to, subject, text="Hello.\n", **headers):
    lines = ["From: " + sender, "To: " + to, "Subject: " + subject,
             "Date: Mon, 02 Nov 2026 10:00:00 +0000",
             "Message-ID: <%s@client.test>" % subject.replace(" ", ".")]
    lines += ["%s: %s" % (k.replace("_", "-"), v) for k, v in headers.items()]
    return ("\n".join(lines) + "\n\n" + text).encode()
