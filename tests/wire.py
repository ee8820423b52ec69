"""The wire in a few lines of Python, independent of the C code that it tests: CBOR both ways and
frames. Three dialects of writing: plain (as ciborium does), ts (as cbor-x does: wide map heads,
tagged bytes) and indefinite (every head of unknown length)."""

import math
import os
import socket
import struct

RANGE = (1, 33554431)
FRAME_MAX = 4194304  # what the length word counts, at most

TERMINAL, START, SHUTDOWN, BULK = 1, 2, 4, 8
FLAGS = {
    "core.exec.request": START, "core.fs.request": START, "core.tcp.connect": START,
    "core.shutdown": SHUTDOWN,
    "core.exec.exited": TERMINAL, "core.exec.failed": TERMINAL, "core.error": TERMINAL,
    "core.pong": TERMINAL, "core.touched": TERMINAL, "core.fs.response": TERMINAL,
    "core.tcp.closed": TERMINAL, "core.tcp.failed": TERMINAL,
    "core.session.list": START, "core.session.attach": START, "core.session.input": START,
    "core.session.signal": START, "core.session.remove": START,
    "core.session.detached": TERMINAL, "core.session.done": TERMINAL,
}


class Raw(bytes):
    """CBOR that is already encoded, or deliberately wrong."""


# ---- CBOR out ----

def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for info, code, limit in ((24, "B", 8), (25, ">H", 16), (26, ">I", 32), (27, ">Q", 64)):
        if n < 1 << limit:
            return bytes([major << 5 | info]) + struct.pack(code, n)
    raise ValueError(n)


def encode(value, dialect="plain"):
    if isinstance(value, Raw):
        return bytes(value)
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        if dialect == "ts" and value > 0xffffffff:
            return b"\xfb" + struct.pack(">d", value)
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, (bytes, str)):
        return encode_string(value, dialect)
    if isinstance(value, (list, tuple)):
        body = b"".join(encode(item, dialect) for item in value)
        return b"\x9f" + body + b"\xff" if dialect == "indefinite" else head(4, len(value)) + body
    if isinstance(value, dict):
        body = b"".join(encode(k, dialect) + encode(v, dialect) for k, v in value.items())
        if dialect == "indefinite":
            return b"\xbf" + body + b"\xff"
        if dialect == "ts":
            return b"\xb9" + struct.pack(">H", len(value)) + body
        return head(5, len(value)) + body
    raise TypeError(value)


def encode_string(value, dialect):
    major = 2 if isinstance(value, bytes) else 3
    if dialect == "indefinite":
        # Cut by characters, and with an empty piece, which is legal too.
        pieces = [value[i:i + 3] for i in range(0, len(value), 3)] + [value[:0]]
        body = b"".join(encode_string(piece, "plain") for piece in pieces)
        return bytes([major << 5 | 31]) + body + b"\xff"
    data = value if major == 2 else value.encode()
    tag = b"\xd8\x40" if dialect == "ts" and major == 2 else b""
    return tag + head(major, len(data)) + data


# ---- CBOR in: what an agent or a client of ours may send ----

BREAK = object()


def decode_item(data, at):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    n = None
    if info < 24:
        n = info
    elif info < 28:
        size = 1 << (info - 24)
        if len(data) < at + size:
            raise IndexError("a cut head")
        n = int.from_bytes(data[at:at + size], "big")
        at += size
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major in (2, 3):
        if n is None:
            pieces, at = decode_many(data, at, None)
            return (b"" if major == 2 else "").join(pieces), at
        if len(data) < at + n:
            raise IndexError("a cut string")
        text = data[at:at + n]
        return (bytes(text) if major == 2 else text.decode()), at + n
    if major == 4:
        return decode_many(data, at, n)
    if major == 5:
        flat, at = decode_many(data, at, None if n is None else 2 * n)
        return dict(zip(flat[::2], flat[1::2])), at
    if major == 6:
        return decode_item(data, at)
    if info == 31:
        return BREAK, at
    if info == 26:
        return struct.unpack(">f", n.to_bytes(4, "big"))[0], at
    if info == 27:
        return struct.unpack(">d", n.to_bytes(8, "big"))[0], at
    return {20: False, 21: True, 22: None, 23: None}.get(n, math.nan), at


def decode_many(data, at, count):
    items = []
    while count is None or len(items) < count:
        item, at = decode_item(data, at)
        if item is BREAK:
            break
        items.append(item)
    return items, at


def decode(data):
    item, at = decode_item(data, 0)
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes after the item {item!r}")
    return item


# ---- frames ----

def wrap(id, flags, body):
    return struct.pack(">IIB", 5 + len(body), id, flags) + body


def frame(type, id=0, payload=None, v=7, flags=None, dialect="plain"):
    """One whole frame. The payload is what encode() takes, or Raw; flags are the type's own."""
    payload = {} if payload is None else payload
    body = encode({"v": v, "t": type, "p": encode(payload, dialect)}, dialect)
    return wrap(id, FLAGS.get(type, 0) if flags is None else flags, body)


class Frame:
    """A frame that came: id, flags, v, type, payload; what has a field is also an attribute."""

    def __init__(self, wire):
        self.wire = wire
        self.id, self.flags = struct.unpack(">IB", wire[4:9])
        envelope = decode(wire[9:])
        self.v, self.type = envelope["v"], envelope["t"]
        self.raw = envelope["p"]
        self.payload = decode(self.raw) if self.raw else None

    def __getattr__(self, name):
        try:
            return self.payload[name]
        except (KeyError, TypeError):
            raise AttributeError(f"{self!r} has no {name}") from None

    def __repr__(self):
        text = repr(self.payload)
        return f"<{self.type} id {self.id} {text if len(text) < 300 else text[:300] + '...'}>"


def ready(v=7, **more):
    times = {"boot_time_ns": 1, "init_time_ns": 2, "ready_time_ns": 3}
    return frame("core.ready", 0, {**times, **more}, v)


def listen(path):
    """A socket that listens there; the path is there only once it does."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(path + ".new")
    made.listen()
    os.rename(path + ".new", path)
    return made


class Stream:
    """A socket that frames come from, with a deadline for each wait."""

    def __init__(self, sock, limit):
        self.sock = sock
        self.limit = limit
        self.buffer = bytearray()
        sock.settimeout(limit)

    def fill(self, count, limit=None):
        """Has count bytes in the buffer. False at the end of file."""
        self.sock.settimeout(self.limit if limit is None else limit)
        while len(self.buffer) < count:
            try:
                data = self.sock.recv(max(count - len(self.buffer), 65536))
            except ConnectionResetError:
                data = b""
            if not data:
                return False
            self.buffer += data
        return True

    def take(self, count):
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def next(self, limit=None):
        """The next frame; None at the end of file; TimeoutError."""
        if not self.fill(4, limit):
            assert not self.buffer, f"the end of file inside a frame: {bytes(self.buffer)!r}"
            return None
        length = int.from_bytes(self.buffer[:4], "big")
        assert 5 <= length <= FRAME_MAX, f"a frame of length {length}"
        assert self.fill(4 + length, limit), f"the end of file inside a frame: {self.buffer[:99]!r}"
        return Frame(self.take(4 + length))

    def send(self, data):
        """All of it; what the other side does not want to read any more is dropped."""
        self.sock.settimeout(self.limit)
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def close(self):
        self.sock.close()
