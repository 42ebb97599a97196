"""Directories and Gatepost for the system tests."""
import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from rig import samba_ad, slapd  # noqa: E402
import setups  # noqa: E402


@pytest.fixture(scope="session")
def scratch():
    """Short paths: UNIX sockets live below it."""
    folder = tempfile.mkdtemp(prefix="gpt-")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def dc(scratch):
    domain = samba_ad.start(os.path.join(scratch, "dc"))
    yield domain
    domain.close()


@pytest.fixture(scope="module")
def ad(dc):
    """Gatepost that follows the domain controller."""
    gp = setups.on_ad(dc)
    try:
        yield gp.start()
    finally:
        gp.close()


@pytest.fixture(scope="session")
def ldap(scratch):
    server = slapd.start(os.path.join(scratch, "slapd"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def rfc(ldap):
    """Gatepost that follows OpenLDAP."""
    gp = setups.on_openldap(ldap)
    try:
        yield gp.start()
    finally:
        gp.close()


@pytest.fixture
def plain(tmp_path):
    """Gatepost on a file of three people and a group, one a test."""
    gp = setups.on_ldif(tmp_path)
    try:
        yield gp.start()
    finally:
        gp.close()


