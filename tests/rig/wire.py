"""A line-based connection, byte-exact: the base of the test clients."""
import ipaddress
import socket
import ssl
import struct

from .proc import PATIENCE, RigError


class Closed(RigError):
    """The server closed the connection."""


PROXY_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_header(client, port=40000, to="203.0.113.25", to_port=25,
                 tlvs=b""):
    """What a balancer says first: the PROXY protocol, version 2."""
    ip = ipaddress.ip_address(client)
    if ip.version == 6:
        to = ipaddress.ip_address("2001:db8:ffff::25")
    body = (ip.packed + ipaddress.ip_address(to).packed
            + struct.pack(">HH", port, to_port) + tlvs)
    family = 0x11 if ip.version == 4 else 0x21
    return (PROXY_SIGNATURE + struct.pack(">BBH", 0x21, family, len(body))
            + body)


class Wire:
    """With client="192.0.2.7" as that address, to a proxied listener."""
    def __init__(self, host, port, tls_ca=None, tls_name=None, source=None,
                 patience=PATIENCE, client=None):
        self.host = host
        if host.startswith("/"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(patience)
            self.sock.connect(host)
        else:
            self.sock = socket.create_connection(
                (host, port), patience,
                source_address=(source, 0) if source else None)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.sent = self.received = b""  # the transcript, for failures
        if client:
            self.sock.sendall(proxy_header(client))
        if tls_ca:
            self.start_tls(tls_ca, tls_name)

    def start_tls(self, ca, name=None):
        context = ssl.create_default_context(cafile=ca)
        self.sock = context.wrap_socket(
            self.sock, server_hostname=name or self.host)

    def send(self, data, one_byte=False):
        self.sent += data
        if one_byte:
            for i in range(len(data)):
                self.sock.sendall(data[i:i + 1])
        else:
            self.sock.sendall(data)

    def _more(self):
        try:
            got = self.sock.recv(65536)
        except socket.timeout:
            raise RigError("no answer; had %r" % self.rest[-500:])
        except ConnectionResetError:
            got = b""
        if not got:
            raise Closed("closed; had %r" % self.received[-500:])
        self.rest += got
        self.received += got
        if len(self.received) > 1 << 20:
            self.received = self.received[-4096:]

    def line(self):
        """One line without its CRLF; a line that ends otherwise fails."""
        at = 0
        while True:
            end = self.rest.find(b"\n", at)
            if end >= 0:
                break
            at = len(self.rest)
            self._more()
        line, self.rest = self.rest[:end + 1], self.rest[end + 1:]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise RigError("bad line end: %r" % line)
        return line[:-2]

    def exactly(self, n):
        while len(self.rest) < n:
            self._more()
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def at_end(self):
        """Wait for the server to close; what it still said."""
        try:
            while True:
                self._more()
        except Closed:
            rest, self.rest = self.rest, b""
            return rest

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
