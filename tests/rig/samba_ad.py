"""An Active Directory domain controller (Samba) on one loopback address.

    dc = samba_ad.start(folder)      # a second with a kept image, else ten
    dc.uri, dc.ldaps, dc.base, dc.realm, dc.krb5_conf, dc.reader_keytab ...
    dc.add_user("nina"); dc.set_attr("alice", mail="..."); dc.stop()

The people are in ad_people.  The image of the domain is kept in the build
directory and made anew when one of the rig's files changes.
"""
import hashlib
import os
import signal
import socket

from . import ad_people as ad
from .ca import Certificates
from .proc import Daemon, RigError, can_connect, run

HERE = os.path.dirname(os.path.abspath(__file__))
PORTS = (53, 88, 389, 464, 636)
CLAIM_PORT = 9

SMB_CONF = """\
[global]
	netbios name = {host}
	realm = {realm}
	workgroup = {netbios}
	server role = active directory domain controller
	# /32 would be "no network interfaces found"
	interfaces = {addr}/8
	bind interfaces only = yes
	server services = ldap, cldap, kdc, rpc, dns
	# empty, or questions would go to the machine's resolver
	dns forwarder =
	dns update command = /bin/true
	samba kcc command = /bin/true
	nsupdate command = /bin/true
	disable netbios = yes
	smb ports = 445
	load printers = no
	disable spoolss = yes
	winbind rpc only = yes
	ldap server require strong auth = yes
	dsdb:schema update allowed = yes
	tls enabled = yes
	tls cafile = {dir}/tls/ca.pem
	tls certfile = {dir}/tls/cert.pem
	tls keyfile = {dir}/tls/key.pem
	private dir = {dir}/private
	lock directory = {dir}/lock
	state directory = {dir}/state
	cache directory = {dir}/cache
	pid directory = {dir}/pid
	ncalrpc dir = {dir}/ncalrpc
	ntp signd socket directory = {dir}/ntp
	winbindd socket directory = {dir}/wb
	binddns dir = {dir}/bind
	logging = file
	log file = {dir}/log/log.%m
	max log size = 0
[sysvol]
	path = {dir}/state/sysvol
	read only = no
[netlogon]
	path = {dir}/state/sysvol/{dns}/scripts
	read only = no
"""

KRB5_CONF = """\
[libdefaults]
	default_realm = {realm}
	dns_lookup_kdc = false
	dns_lookup_realm = false
	rdns = false
	dns_canonicalize_hostname = false
	default_ccache_name = FILE:{dir}/krb5cc
[realms]
	{realm} = {{
		kdc = {addr}
		kpasswd_server = {addr}
	}}
[domain_realm]
	.{dns} = {realm}
	{dns} = {realm}
	{addr} = {realm}
"""


def cache_folder():
    build = os.environ.get("GP_BUILD")
    if not build:
        build = os.path.join(os.path.dirname(os.path.dirname(HERE)),
                             "build-asan")
    folder = os.path.join(build, "rig-cache")
    os.makedirs(folder, exist_ok=True)
    return folder


def image_key():
    h = hashlib.sha256(run(["samba", "--version"]).encode())
    for name in ("ad_people.py", "ad_image.py", "samba_ad.py"):
        with open(os.path.join(HERE, name), "rb") as f:
            h.update(f.read())
    return h.hexdigest()[:16]


class Domain:
    realm, dns, netbios = ad.REALM, ad.DNS, ad.NETBIOS
    base, mail, password = ad.BASE, ad.MAIL, ad.PASSWORD
    fqdn, mail_host = ad.FQDN, ad.MAIL_HOST
    reader = "svc-mail@" + ad.DNS
    reader_dn = "CN=Mail Reader,OU=Service," + ad.BASE

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder)
        for d in ("private", "lock", "state", "cache", "pid", "ncalrpc",
                  "ntp", "wb", "bind", "log"):
            os.mkdir(self._path(d), 0o700 if d == "private" else 0o755)
        self.addr = self._take_address()
        self.uri, self.ldaps = "ldap://" + self.addr, "ldaps://" + self.addr
        self.certificates = Certificates(
            self._path("tls"), [ad.FQDN, ad.DNS], [self.addr])
        self.ca = self.certificates.ca
        self.krb5_conf = self._path("krb5.conf")
        self.smb_conf = self._path("smb.conf")
        self.reader_keytab = self._path("keytabs/reader.keytab")
        self.host_keytab = self._path("keytabs/host.keytab")
        for path, text in ((self.krb5_conf, KRB5_CONF),
                           (self.smb_conf, SMB_CONF)):
            with open(path, "w") as f:
                f.write(text.format(
                    realm=ad.REALM, dns=ad.DNS, host=ad.HOST.upper(),
                    netbios=ad.NETBIOS, addr=self.addr, dir=self.folder))
        self.daemon = None
        self._samdb = None

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _take_address(self):
        """The ports are fixed, so each domain has an address of its own; a
        socket bound there tells other test runs."""
        for addr in ad.ADDR_SLOTS:
            claim = socket.socket()
            try:
                claim.bind((addr, CLAIM_PORT))
            except OSError:
                claim.close()
                continue
            self._claim = claim
            return addr
        raise RigError("no address left for a domain controller")

    # ---- life

    def make(self):
        image = os.path.join(cache_folder(), "ad-%s.tar" % image_key())
        if not os.path.exists(image):
            run(["/usr/bin/python3", "-B", os.path.join(HERE, "ad_image.py"),
                 self.folder])
            part = "%s.%d" % (image, os.getpid())
            run(["tar", "-C", self.folder, "--sparse", "-cf", part,
                 "--exclude=private/krb5.conf", "private", "state",
                 "keytabs"])
            os.rename(part, image)
        else:
            run(["tar", "-C", self.folder, "-xf", image])

    def start(self):
        self.daemon = Daemon(
            ["samba", "-i", "-M", "single", "-s", self.smb_conf,
             "--debug-stdout"], self._path("log/samba"),
            env=dict(os.environ, KRB5_CONFIG=self.krb5_conf))
        self.daemon.wait_ready(
            lambda: all(can_connect(self.addr, p) for p in PORTS),
            "listening on " + self.addr)

    def stop(self):
        """The controller is gone; start() brings it back as it was."""
        if self.daemon:
            self.daemon.stop()
            self.daemon = None

    def restart(self):
        self.stop()
        self.start()

    def freeze(self):
        """It accepts connections and never answers."""
        os.killpg(self.daemon.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.daemon.pid, signal.SIGCONT)

    def close(self):
        self._samdb = None
        if self.daemon:
            self.thaw()
        self.stop()
        self._claim.close()

    # ---- changes: written where the running controller sees them at once

    @property
    def db(self):
        if self._samdb is None:
            from .ad_edit import Editor
            self._samdb = Editor(self.smb_conf)
        return self._samdb

    def add_user(self, account, **attrs):
        return self.db.add_user(account, attrs)

    def add_group(self, name, members):
        return self.db.add_group(name, members)

    def set_attr(self, account, **attrs):
        """attr=value(s); None removes; dashes are written as __."""
        self.db.set_attr(account, attrs)

    def disable(self, account):
        self.set_attr(account, userAccountControl="514")

    def enable(self, account):
        self.set_attr(account, userAccountControl="512")

    def unlock(self, account):
        self.set_attr(account, lockoutTime="0")

    def delete(self, account):
        self.db.delete(account)

    def ticket(self, account, cache):
        """A Kerberos ticket of that person in the file `cache`; the
        environment for its clients."""
        env = dict(os.environ, KRB5_CONFIG=self.krb5_conf,
                   KRB5CCNAME="FILE:" + cache)
        run(["sh", "-c", 'printf "%s\\n" "$1" | kinit "$2"', "kinit",
             self.password, "%s@%s" % (account, self.realm)], env=env)
        return env


def start(folder):
    dc = Domain(folder)
    try:
        dc.make()
        dc.start()
    except BaseException:
        dc.close()
        raise
    return dc
