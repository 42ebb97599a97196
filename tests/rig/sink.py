"""A scriptable SMTP or LMTP server: what remote talks to in the tests.

    with Sink() as sink:                    # 127.0.0.1, a free port
        sink.on("rcpt", "550 5.1.1 no such user", match="ben@")
        sink.once("dot", "451 4.3.0 later")
        ... send to sink.port ...
        m = sink.wait(1)[0]                 # m.sender, m.rcpts, m.data

Options of the constructor:
    host, port   where to listen (port 0: free); path: a UNIX socket instead
    lmtp         LHLO, and one reply per recipient after the dot
    tls          rig.ca.Certificates: STARTTLS is offered
    implicit     TLS from the first byte (with tls)
    users        {name: password}: AUTH PLAIN LOGIN is offered (inside TLS if
                 tls is given), and mail refused without it
    extensions   what EHLO announces beside STARTTLS and AUTH; a size limit is
                 just "SIZE 1000"

Steps, in the order of a session: connect, ehlo, helo, lhlo, starttls, auth,
mail, rcpt, data, body, dot, rset, noop, vrfy, quit, other.  "body" is where the
first bytes of a message are awaited (the 354 is sent); with LMTP "dot" happens
once for each recipient.  `match` is a text that the command line (dot: the
recipient) must contain.

What a step may do instead of the usual:
    "450 4.2.1 text"            that reply; a list gives a multiline one
    STALL                       say nothing until close() or release()
    DROP                        close without a word
    RESET                       close with RST
    Raw(b"...")                 these bytes, unchanged
    Raw(b"...", drop=True)      and close
    Flood(n)                    one reply of n bytes without an end of line
    Lines(n)                    a reply of n lines
    Slow("250 ok", 0.05)        a byte at a time
    BAD_TLS                     "220", then no TLS but garbage
    Late("250 ok", n)           read n bytes of the body first, then that
                                (step body): e.g. Late(DROP, 1000)
    callable(session, line)     returns one of these, or None for the usual
Replies are given once by once(), always by on(); the newest rule wins.

What it saw: messages (wait(n) waits for n of them), commands (all lines),
sessions (each with peer, helo, tls, user, commands, messages), connections
(ever), open (now).
A message: sender, mail_params, rcpts, rcpt_params, data (dots removed), wire
(as it came, with the final dot), helo, tls, user, session.

stop_listening() closes the port so that connections are refused;
listen_again() opens the same one.
"""
import base64
import contextlib
import os
import select
import socket
import ssl
import struct
import threading

from .proc import PATIENCE, wait_until

STALL, DROP, RESET, BAD_TLS = "<stall>", "<drop>", "<reset>", "<bad-tls>"
EXTENSIONS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "DSN",
              "ENHANCEDSTATUSCODES")
USUAL = {
    "mail": "250 2.1.0 Ok", "rcpt": "250 2.1.5 Ok",
    "data": "354 End data with <CR><LF>.<CR><LF>", "rset": "250 2.0.0 Ok",
    "noop": "250 2.0.0 Ok", "quit": "221 2.0.0 Bye", "helo": "250 sink.test",
    "starttls": "220 2.0.0 Ready", "vrfy": "252 2.0.0 Perhaps",
    "other": "500 5.5.2 What?",
}


class Raw:
    def __init__(self, data, drop=False):
        self.data, self.drop = data, drop


class Flood:
    def __init__(self, n):
        self.n = n


class Lines:
    def __init__(self, n):
        self.n = n


class Slow:
    def __init__(self, reply, pause=0.02):
        self.reply, self.pause = reply, pause


class Late:
    def __init__(self, then, after):
        self.then, self.after = then, after


class End(Exception):
    """This connection is over."""


class Message:
    def __init__(self, session, sender, params):
        self.session, self.sender, self.mail_params = session, sender, params
        self.rcpts, self.rcpt_params = [], []
        self.data = self.wire = b""
        self.helo, self.tls, self.user = (
            session.helo, session.tls, session.user)


def path_and_params(arg):
    """<path> KEY=VALUE ... -> path, {KEY: VALUE}."""
    path, _, rest = arg.strip()[1:].partition(">")
    pairs = (word.partition("=") for word in rest.split())
    return path, {k.upper(): v for k, _, v in pairs}


class Session:
    def __init__(self, sink, sock, peer):
        self.sink, self.sock, self.peer = sink, sock, peer
        self.helo, self.tls, self.user = None, False, None
        self.commands, self.messages = [], []
        self.rest = b""
        self.mail = None

    # ---- bytes

    def receive(self):
        try:
            got = self.sock.recv(65536)
        except OSError:
            raise End()
        if not got:
            raise End()
        return got

    def more(self):
        self.rest += self.receive()

    def line(self):
        at = 0
        while True:
            end = self.rest.find(b"\n", at)
            if end >= 0:
                break
            at = len(self.rest)
            self.more()
        line, self.rest = self.rest[:end + 1], self.rest[end + 1:]
        return line

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise End()

    def say(self, reply):
        lines = [reply] if isinstance(reply, str) else list(reply)
        code = lines[0][:3]
        texts = [lines[0][4:]] + lines[1:]
        out = "".join("%s%s%s\r\n" % (
            code, "-" if i < len(texts) - 1 else " ", text)
            for i, text in enumerate(texts))
        self.send(out.encode("utf-8", "surrogateescape"))
        return int(code)

    # ---- the script

    def act(self, action):
        """Do it; the reply code, or 0."""
        if action == STALL:
            self.sink.stalled += 1
            self.sink.released.wait()
            raise End()
        if action == DROP:
            raise End()
        if action == RESET:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            raise End()
        if action == BAD_TLS:
            self.send(b"220 2.0.0 Ready\r\n")
            self.more()
            self.send(b"this is no TLS\r\n")
            raise End()
        if isinstance(action, Raw):
            self.send(action.data)
            if action.drop:
                raise End()
            return int(action.data[:3]) if action.data[:3].isdigit() else 0
        if isinstance(action, Flood):
            self.send(b"250 ")
            for _ in range(action.n // 65536 + 1):
                self.send(b"x" * 65536)
            return 250
        if isinstance(action, Lines):
            for i in range(action.n):
                self.send(b"250-line %d\r\n" % i)
            self.send(b"250 end\r\n")
            return 250
        if isinstance(action, Slow):
            for byte in action.reply.encode() + b"\r\n":
                self.send(bytes([byte]))
                if self.sink.released.wait(action.pause):
                    raise End()
            return int(action.reply[:3])
        return self.say(action)

    def step(self, name, line="", usual=None):
        action = self.sink.choose(self, name, line)
        if action is None:
            action = usual if usual is not None else USUAL[name]
        return self.act(action)

    # ---- the dialogue

    def run(self):
        if self.sink.implicit:
            self.start_tls()
        name = "LMTP" if self.sink.lmtp else "ESMTP"
        self.step("connect", "", "220 sink.test %s" % name)
        while True:
            line = self.line().rstrip(b"\r\n").decode(
                "utf-8", "surrogateescape")
            self.commands.append(line)
            self.sink.commands.append(line)
            verb, _, arg = line.partition(" ")
            handler = getattr(self, "on_" + verb.lower(), None)
            if handler is None:
                self.step("other", line)
            else:
                handler(line, arg)

    def greet(self, step, line, arg):
        self.helo, self.mail = arg, None
        out = ["250 sink.test"] + list(self.sink.extensions)
        if self.sink.tls and not self.tls:
            out.append("STARTTLS")
        if self.sink.users and (self.tls or not self.sink.tls):
            out.append("AUTH PLAIN LOGIN")
        self.step(step, line, out)

    def on_ehlo(self, line, arg):
        if self.sink.lmtp:
            self.step("other", line)
        else:
            self.greet("ehlo", line, arg)

    def on_lhlo(self, line, arg):
        if self.sink.lmtp:
            self.greet("lhlo", line, arg)
        else:
            self.step("other", line)

    def on_helo(self, line, arg):
        self.helo = arg
        self.step("helo", line)

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.sink.tls.cert, self.sink.tls.key)
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        except OSError:
            self.sink.failed_handshakes += 1
            raise End()
        self.tls, self.rest = True, b""

    def on_starttls(self, line, arg):
        if not self.sink.tls or self.tls:
            self.step("other", line)
        elif self.step("starttls", line) == 220:
            self.start_tls()
            self.helo = None

    def on_auth(self, line, arg):
        action = self.sink.choose(self, "auth", line)
        if action is not None:
            self.act(action)
            return
        mechanism, _, first = arg.partition(" ")
        if mechanism.upper() == "PLAIN":
            if not first:
                self.say("334 ")
                first = self.line().strip().decode()
            name, password = base64.b64decode(first).decode().split("\0")[1:]
        else:
            if not first:
                self.say("334 VXNlcm5hbWU6")
                first = self.line().strip().decode()
            name = base64.b64decode(first).decode()
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.line().strip()).decode()
        if self.sink.users and self.sink.users.get(name) == password:
            self.user = name
            self.say("235 2.7.0 Welcome")
        else:
            self.say("535 5.7.8 Wrong")

    def on_mail(self, line, arg):
        path, params = path_and_params(arg.partition(":")[2])
        usual = USUAL["mail"]
        if self.mail is not None:
            usual = "503 5.5.1 Nested MAIL"
        elif self.sink.users and not self.user:
            usual = "530 5.7.0 Authentication required"
        if self.step("mail", line, usual) == 250:
            self.mail = Message(self, path, params)

    def on_rcpt(self, line, arg):
        path, params = path_and_params(arg.partition(":")[2])
        usual = None if self.mail is not None else "503 5.5.1 MAIL first"
        if self.step("rcpt", line, usual) // 10 == 25 and self.mail:
            self.mail.rcpts.append(path)
            self.mail.rcpt_params.append(params)

    def on_data(self, line, arg):
        usual = None
        if self.mail is None or not self.mail.rcpts:
            usual = "554 5.5.1 No valid recipients"
        if self.step("data", line, usual) == 354:
            self.body()

    def body(self):
        mail, self.mail = self.mail, None
        mail = mail or Message(self, "?", {})
        action = self.sink.choose(self, "body", "")
        if isinstance(action, Late):
            while len(self.rest) < action.after:
                self.more()
            action = action.then
        if action is not None:
            self.act(action)
        at, got = 0, bytearray(self.rest)  # messages may be large
        while True:
            # only CRLF "." CRLF ends it, or ".CRLF" as the very first line
            end = got.find(b"\r\n.\r\n", max(at - 4, 0))
            if got.startswith(b".\r\n"):
                n = 3
                break
            if end >= 0:
                n = end + 5
                break
            at = len(got)
            got += self.receive()
        mail.wire, self.rest = bytes(got[:n]), bytes(got[n:])
        text = mail.wire[:-3]
        mail.data = b"".join(
            part[1:] if part.startswith(b".") else part
            for part in text.splitlines(True)) if b"\r\n." in text or \
            text.startswith(b".") else text
        if self.sink.lmtp:
            codes = [self.step("dot", rcpt, "250 2.0.0 %s Saved" % rcpt)
                     for rcpt in mail.rcpts]
        else:
            codes = [self.step("dot", " ".join(mail.rcpts),
                               "250 2.0.0 Queued as SINK")]
        if any(code // 100 == 2 for code in codes):
            self.messages.append(mail)
            self.sink.messages.append(mail)

    def on_rset(self, line, arg):
        self.mail = None
        self.step("rset", line)

    def on_noop(self, line, arg):
        self.step("noop", line)

    def on_vrfy(self, line, arg):
        self.step("vrfy", line)

    def on_quit(self, line, arg):
        self.step("quit", line)
        raise End()


class Sink:
    def __init__(self, host="127.0.0.1", port=0, path=None, lmtp=False,
                 tls=None, implicit=False, users=None, extensions=EXTENSIONS):
        self.host, self.port, self.path = host, port, path
        self.lmtp, self.tls, self.implicit = lmtp, tls, implicit
        self.users, self.extensions = users, extensions
        self.messages, self.commands, self.sessions = [], [], []
        self.stalled = self.failed_handshakes = 0
        self.rules = []  # [step, match, action, once]
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.open, self.threads = 0, []
        self.listener = self.acceptor = None
        self.listen_again()

    # ---- script

    def on(self, step, action, match=""):
        with self.lock:
            self.rules.append([step, match, action, False])
        return self

    def once(self, step, action, match=""):
        with self.lock:
            self.rules.append([step, match, action, True])
        return self

    def clear(self):
        with self.lock:
            self.rules = []

    def choose(self, session, step, line):
        with self.lock:
            for rule in reversed(self.rules):
                if rule[0] == step and rule[1] in line:
                    if rule[3]:
                        self.rules.remove(rule)
                    action = rule[2]
                    break
            else:
                return None
        return action(session, line) if callable(action) else action

    def release(self):
        """Those that stall go away."""
        self.released.set()

    # ---- life

    @property
    def hop(self):
        """As delivery/rem_client.h writes it."""
        proto = "lmtp" if self.lmtp else "smtp"
        if self.path:
            return "%s:%s" % (proto, self.path)
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s:%s:%d" % (proto, host, self.port)

    def listen_again(self):
        if self.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            os.chmod(self.path, 0o666)
        else:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            self.listener = socket.socket(family)
            self.listener.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((self.host, self.port))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(200)
        self.wake_r, self.wake_w = os.pipe()
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def stop_listening(self):
        if self.listener is None:
            return
        os.write(self.wake_w, b"x")
        self.acceptor.join()
        self.listener.close()
        os.close(self.wake_r)
        os.close(self.wake_w)
        self.listener = None

    def _accept(self):
        while True:
            ready, _, _ = select.select([self.listener, self.wake_r], [], [])
            if self.wake_r in ready:
                return
            sock, peer = self.listener.accept()
            if not self.path:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, sock, peer)
            with self.lock:
                self.open += 1
                self.sessions.append(session)
            t = threading.Thread(
                target=self._serve, args=(session,), daemon=True)
            self.threads.append(t)
            t.start()

    def _serve(self, session):
        try:
            session.run()
        except (End, OSError):
            pass
        finally:
            session.sock.close()
            with self.lock:
                self.open -= 1

    @property
    def connections(self):
        return len(self.sessions)

    def say_all(self, line):
        """A line on every open connection that nobody has asked for."""
        with self.lock:
            live = [s.sock for s in self.sessions]
        for sock in live:
            with contextlib.suppress(OSError):
                sock.sendall(line.encode() + b"\r\n")

    def drop_all(self):
        """Every open connection is cut."""
        with self.lock:
            live = [s.sock for s in self.sessions]
        for sock in live:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.released.set()
        self.stop_listening()
        self.drop_all()
        for t in self.threads:
            t.join(PATIENCE)
        if self.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- what it saw

    def wait(self, n=1):
        wait_until(lambda: len(self.messages) >= n,
                   "%d messages at the sink" % n)
        return self.messages

    def wait_stalled(self, n=1):
        wait_until(lambda: self.stalled >= n, "a session that stalls")
