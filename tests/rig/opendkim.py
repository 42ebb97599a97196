"""Debian's opendkim as a milter that signs: for Postfix's smtpd_milters.

    with Opendkim(folder, "x.test", "sel", key, "relaxed/simple") as od:
        ... smtpd_milters = od.milter ...

It signs what comes from the loopback with an author in that domain, by the
private key in the file `key` (PEM), and asks no DNS.
"""
import os

from .proc import Daemon, can_connect, free_ports

CONF = """\
Mode s
Domain {domain}
Selector {selector}
KeyFile {key}
Canonicalization {canonical}
SignatureAlgorithm {algorithm}
Socket inet:{port}@127.0.0.1
InternalHosts 127.0.0.1
OversignHeaders From,Subject
RequireSafeKeys false
Syslog no
"""


class Opendkim:
    def __init__(self, folder, domain, selector, key, canonical,
                 algorithm="rsa-sha256"):
        os.makedirs(folder, exist_ok=True)
        self.port, = free_ports(1)
        self.milter = "inet:127.0.0.1:%d" % self.port
        conf = os.path.join(folder, "opendkim.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(
                domain=domain, selector=selector, key=key, port=self.port,
                canonical=canonical, algorithm=algorithm))
        self.daemon = Daemon(["opendkim", "-f", "-x", conf],
                             os.path.join(folder, "opendkim.log"))
        self.daemon.wait_ready(
            lambda: can_connect("127.0.0.1", self.port), "its socket")

    def close(self):
        self.daemon.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
