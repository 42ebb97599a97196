"""Search filters (RFC 4511 section 4.5.1.7) against entries of the stub.

An entry is a dict: attribute name in lower case -> list of byte strings.
"""
from . import ber

BIT_AND = b"1.2.840.113556.1.4.803"


def equal(a, b):
    return a == b or a.lower() == b.lower()


def substring(parts, value):
    value, at = value.lower(), 0
    for tag, piece in parts:
        piece = piece.lower()
        if tag == 0x80:  # initial
            if not value.startswith(piece):
                return False
            at = len(piece)
        elif tag == 0x81:  # any
            found = value.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        elif not value[at:].endswith(piece):  # final
            return False
    return True


def extensible(fields, entry):
    got = dict(fields)
    values = entry.get(got.get(0x82, b"").decode().lower(), [])
    if got.get(0x81) != BIT_AND:
        return False
    want = int(got[0x83])
    return any(int(v) & want == want for v in values)


def matches(tag, body, entry):
    if tag == 0xA0:
        return all(matches(t, b, entry) for t, b in ber.items(body))
    if tag == 0xA1:
        return any(matches(t, b, entry) for t, b in ber.items(body))
    if tag == 0xA2:
        return not any(matches(t, b, entry) for t, b in ber.items(body))
    if tag == 0x87:
        return bool(entry.get(body.decode().lower()))
    fields = ber.items(body)
    if tag == 0xA9:
        return extensible(fields, entry)
    values = entry.get(fields[0][1].decode().lower(), [])
    if tag == 0xA3:
        return any(equal(v, fields[1][1]) for v in values)
    if tag == 0xA4:
        parts = ber.items(fields[1][1])
        return any(substring(parts, v) for v in values)
    if tag in (0xA5, 0xA6):  # >=, <= on numbers
        want = int(fields[1][1])
        return any(int(v) >= want if tag == 0xA5 else int(v) <= want
                   for v in values)
    return False


def text(tag, body):
    """The filter as RFC 4515 writes it, for a test to look at."""
    def show(b):
        return "".join(chr(c) if 0x20 < c < 0x7F and chr(c) not in "()*\\"
                       else " " if c == 0x20 else "\\%02x" % c for c in b)

    if tag in (0xA0, 0xA1, 0xA2):
        return "(%s%s)" % ("&|!"[tag - 0xA0],
                           "".join(text(t, b) for t, b in ber.items(body)))
    if tag == 0x87:
        return "(%s=*)" % body.decode()
    fields = ber.items(body)
    if tag == 0xA9:
        got = dict(fields)
        return "(%s:%s:=%s)" % (got.get(0x82, b"").decode(),
                                got.get(0x81, b"").decode(),
                                show(got.get(0x83, b"")))
    op = {0xA3: "=", 0xA5: ">=", 0xA6: "<=", 0xA8: "~="}.get(tag)
    if op:
        return "(%s%s%s)" % (fields[0][1].decode(), op, show(fields[1][1]))
    parts = ber.items(fields[1][1])
    star = "*".join(show(p) for _, p in parts)
    return "(%s=%s%s%s)" % (
        fields[0][1].decode(), "" if parts[0][0] == 0x80 else "*", star,
        "" if parts[-1][0] == 0x82 else "*")
