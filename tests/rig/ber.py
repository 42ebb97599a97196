"""As much BER as LDAP needs (RFC 4511 section 5.1), written by hand."""

BOOLEAN, INTEGER, OCTETS, ENUM, SEQUENCE, SET = 1, 2, 4, 10, 0x30, 0x31


class BerError(Exception):
    pass


def tlv(tag, body):
    n = len(body)
    if n < 0x80:
        return bytes([tag, n]) + body
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def integer(value, tag=INTEGER):
    n = value.bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(n, "big", signed=True))


def octets(value, tag=OCTETS):
    return tlv(tag, value if isinstance(value, bytes) else value.encode())


def sequence(*parts, tag=SEQUENCE):
    return tlv(tag, b"".join(parts))


def header(data, at=0):
    """(tag, where the body starts, where it ends), or None: not all there."""
    if len(data) < at + 2:
        return None
    tag, n, start = data[at], data[at + 1], at + 2
    if n & 0x80:
        size = n & 0x7F
        if size == 0 or size > 4:
            raise BerError("length of length %d" % size)
        if len(data) < start + size:
            return None
        n = int.from_bytes(data[start:start + size], "big")
        start += size
    return tag, start, start + n


def items(data):
    """The (tag, body) pairs that data consists of."""
    out, at = [], 0
    while at < len(data):
        h = header(data, at)
        if h is None or h[2] > len(data):
            raise BerError("cut off")
        out.append((h[0], data[h[1]:h[2]]))
        at = h[2]
    return out


def number(body):
    return int.from_bytes(body, "big", signed=True)
