"""What all tests share: where the built daemons are, and the rigs' path."""
import os
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, TESTS)
os.environ.setdefault(
    "GP_BUILD", os.path.join(os.path.dirname(TESTS), "build-asan"))
# no other user's or machine's LDAP and Kerberos settings
for name in [n for n in os.environ if n.startswith(("LDAP", "KRB5"))]:
    del os.environ[name]
