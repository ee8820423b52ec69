#!/usr/bin/env python3
"""run.py SOCKET COMMAND [ARG]...: runs a command by the msb-execd that listens on that Unix socket, and ends
with its status. All of the protocol that this takes is here; shared/PROTOCOL.md is what else there is.

Each side sends frames: a length, an id and flags as big-endian numbers of 4, 4 and 1 bytes, then a map in CBOR
(RFC 8949) of v, the protocol's generation; t, the message's type; and p, a byte string that is again CBOR."""
import os
import socket
import struct
import sys
import threading

START = 2  # the flag of the frame that begins something
STATUS = {"not_found": 127, "permission_denied": 126, "not_executable": 126}


def encode(value):
    """An item begins with its kind, and with its value or its length, for which 4 bytes are always enough here."""
    def head(kind, n):
        return struct.pack(">BI", kind << 5 | 26, n)
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(encode(key) + encode(of) for key, of in value.items())
    return head(4, len(value)) + b"".join(map(encode, value))


def decode(data, at=0):
    """One item, and where the next one begins. msb-execd sends no open lengths, tags and floats."""
    kind, n, at = data[at] >> 5, data[at] & 31, at + 1
    if n >= 24:
        size = 1 << n - 24
        n, at = int.from_bytes(data[at:at + size], "big"), at + size
    if kind in (0, 1):
        return (n if kind == 0 else -1 - n), at
    if kind in (2, 3):
        return (data[at:at + n] if kind == 2 else data[at:at + n].decode()), at + n
    if kind == 7:
        return {20: False, 21: True}.get(n), at
    items = []
    for _ in range(n if kind == 4 else 2 * n):
        item, at = decode(data, at)
        items.append(item)
    return (items if kind == 4 else dict(zip(items[::2], items[1::2]))), at


def send(agent, id, type, payload, flags=0):
    body = encode({"v": 7, "t": type, "p": encode(payload)})
    agent.sendall(struct.pack(">IIB", len(body) + 5, id, flags) + body)


def take(stream, size):
    if len(data := stream.read(size)) < size:
        raise ConnectionError("the agent closed the connection")
    return data


def receive(stream):
    """The next message: its type, and what it says."""
    size, _, _ = struct.unpack(">IIB", take(stream, 9))
    message, _ = decode(take(stream, size - 5))
    return message["t"], decode(message["p"])[0]


def feed(agent, id):
    """Our stdin becomes the command's. A message without a byte is its end, as is a read without one."""
    try:
        data = None
        while data != b"":
            data = os.read(0, 32768)
            send(agent, id, "core.exec.stdin", {"data": data})
    except OSError:
        pass  # Who waits for the command's end hears of it, too.


def write(fd, data):
    try:
        while data:
            data = data[os.write(fd, data):]
    except BrokenPipeError:
        sys.exit(141)  # as of a program that SIGPIPE ends


def run(path, command):
    agent = socket.socket(socket.AF_UNIX)
    agent.connect(path[5:] if path.startswith("unix:") else path)
    stream = agent.makefile("rb")
    # The agent begins: with the first id that is ours and the one behind the last, then with core.ready.
    id, _ = struct.unpack(">II", take(stream, 8))
    receive(stream)
    request = {"cmd": command[0], "args": command[1:], "env": [], "cwd": None, "user": None, "tty": False,
               "rows": 24, "cols": 80, "rlimits": []}
    send(agent, id, "core.exec.request", request, START)
    threading.Thread(target=feed, args=(agent, id), daemon=True).start()
    while True:
        type, says = receive(stream)
        if type in ("core.exec.stdout", "core.exec.stderr"):
            write(1 if type == "core.exec.stdout" else 2, says["data"])
        elif type == "core.exec.exited":
            return 128 + says["signal"] if "signal" in says else says["code"] & 255
        elif type in ("core.exec.failed", "core.error"):
            print("run.py:", says["message"], file=sys.stderr)
            return STATUS.get(says["kind"], 125)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    # However we end, the connection closes, and then the agent ends a command that still runs.
    try:
        sys.exit(run(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        print(f"run.py: {sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(125)
