"""The transcript player accepts what fits and nothing else."""
import socket
import threading

import pytest

from rig.transcript import MODES, Mismatch, Player, Transcript, values_of
from rig.wire import Wire

TALK = r"""listen: smtp

S: 220 *
C: NOOP {user}
S: 250 NOOP ann
C- QU
C: IT\x20
S...
S> 2\d\d-?.*IT\W
CLOSE
"""


def server(listener, first):
    """Says what it gets back to the client, closes after QUIT."""
    conn, _ = listener.accept()
    conn.sendall(first)
    data = b""
    while True:
        while b"\r\n" not in data:
            data += conn.recv(100)
        line, data = data.split(b"\r\n", 1)
        conn.sendall(b"250 " + line + b"\r\n")
        if b"QUIT" in line:
            break
    conn.close()


def play(tmp_path, talk, mode, first=b"220 hello\r\n"):
    path = tmp_path / "t.txt"
    path.write_text(talk)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server, args=(listener, first),
                              daemon=True)
    thread.start()
    with Wire("127.0.0.1", listener.getsockname()[1]) as wire:
        Player(Transcript(str(path)), wire, mode,
               values_of("ann", "ann@x.test", "pw"), None).play()
    thread.join(10)
    listener.close()


@pytest.mark.parametrize("mode", MODES)
def test_good(tmp_path, mode):
    play(tmp_path, TALK, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("old,new", [
    ("250 NOOP ann", "250 NOOP bob"),
    ("S: 220 *", "S: 221 *"),
    ("IT\\W", "IT\\d"),
    ("S> 2", "S: 500\nS> 2"),
])
def test_bad(tmp_path, mode, old, new):
    assert old in TALK
    with pytest.raises(Mismatch):
        play(tmp_path, TALK.replace(old, new), mode)


def test_bare_lf_from_the_server(tmp_path):
    with pytest.raises(Exception, match="bad line end"):
        play(tmp_path, TALK, "whole", b"220 hello\n")
