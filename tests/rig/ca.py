"""A certificate authority for one test run, and server certificates."""
import os

from .proc import run


class Certificates:
    """DIR/ca.pem, DIR/cert.pem, DIR/key.pem; the certificate carries names
    and addresses as subjectAltName."""

    def __init__(self, folder, names=(), addresses=("127.0.0.1",)):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.ca, self._ca_key = self._path("ca.pem"), self._path("ca.key")
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
             "-subj", "/O=Test/CN=Test CA",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign",
             "-keyout", self._ca_key, "-out", self.ca])
        self.cert, self.key = self.issue("cert", "key", names, addresses)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, cert, key, names=(), addresses=("127.0.0.1",)):
        """Another server certificate of the same authority."""
        cert, key = self._path(cert + ".pem"), self._path(key + ".pem")
        san = ["DNS:" + n for n in names] + ["IP:" + a for a in addresses]
        request, ext = self._path("request"), self._path("extensions")
        with open(ext, "w") as f:
            f.write("subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\n"
                    "extendedKeyUsage=serverAuth\n" % ",".join(san))
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj",
             "/O=Test/CN=" + (list(names) + list(addresses))[0],
             "-keyout", key, "-out", request])
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.ca,
             "-CAkey", self._ca_key, "-set_serial",
             str(int.from_bytes(os.urandom(8), "big")), "-days", "3600",
             "-extfile", ext, "-out", cert])
        os.chmod(key, 0o600)
        return cert, key
