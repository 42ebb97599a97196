"""Every transcript below tests/proto, in every mode, against one Gatepost."""
import glob
import os

import pytest

from rig import ldif
from rig.gatepost import TLS_LISTENERS, Gatepost
from rig.proc import PATIENCE
from rig.transcript import MODES, Player, Transcript, values_of
from rig.wire import Wire

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = sorted(glob.glob(os.path.join(HERE, "*", "*.txt")))
PLAYS = [(path, mode) for path in FILES for mode in MODES]
NAMES = ["%s-%s" % (os.path.relpath(p, HERE)[:-4], m) for p, m in PLAYS]


def person(number):
    return "play%03d" % number


@pytest.fixture(scope="module")
def gatepost(tmp_path_factory):
    path = ldif.write(
        str(tmp_path_factory.mktemp("proto") / "people.ldif"),
        [person(n) for n in range(len(PLAYS))] + ["boss"])
    os.chmod(path, 0o644)
    gp = Gatepost(ldif=path, settings={
        "postmaster": "boss@example.test", "hops_max": 30,
        "smtp_errors_max": 20, "tarpit_ms": 1})
    try:
        yield gp.start()
    finally:
        gp.close()


def test_there_are_transcripts():
    assert len(FILES) >= 30


@pytest.mark.parametrize("number", range(len(PLAYS)), ids=NAMES)
def test_transcript(gatepost, number):
    path, mode = PLAYS[number]
    t = Transcript(path)
    user = person(number)
    mail = "%s@%s" % (user, ldif.MAIL)
    for name in t.deliver:
        with open(os.path.join(HERE, "mail", name), "rb") as f:
            body = f.read()
        with gatepost.smtp() as c:
            c.deliver("sender@client.test", [mail], body)
    listen = t.options["listen"]
    # Of ourselves (limit_exempt) more is borne than of others.
    client = t.options.get("client")
    with Wire("127.0.0.1", gatepost.port(listen, client), client=client,
              tls_ca=gatepost.ca if listen in TLS_LISTENERS else None) as w:
        w.sock.settimeout(PATIENCE)
        Player(t, w, mode, values_of(user, mail, ldif.PASSWORD),
               gatepost.ca).play()
    gatepost.check_log()
