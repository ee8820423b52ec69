#!/usr/bin/env python3
"""hypervisor.py SOCKET AGENT HOW: a hypervisor's Unix socket in front of a guest's ports: takes one
client, which must say CONNECT 52, and joins it to the Unix socket AGENT. HOW it answers:

together  OK and the agent's greeting in one write
drip      OK a byte at a time, then the rest
refuse    hangs up, as for a port that nobody listens on
deny      another line, with an escape sequence in it
chatter   no end of line for ever
silent    nothing, until the client goes
"""

import os
import select
import socket
import sys
import time

from wire import listen

LIMIT = 20 * float(os.environ.get("SLOW", "1"))


def line_of(client):
    line = b""
    while not line.endswith(b"\n"):
        byte = client.recv(1)
        assert byte, f"hung up after {line!r}"
        line += byte
    return line


def join(client, agent):
    end = time.monotonic() + LIMIT
    other = {client: agent, agent: client}
    while time.monotonic() < end:
        for source in select.select(list(other), [], [], 1)[0]:
            data = source.recv(65536)
            if not data:
                return
            other[source].sendall(data)


def serve(client, address, how):
    got = line_of(client)
    assert got == b"CONNECT 52\n", got
    if how in ("together", "drip"):
        agent = socket.socket(socket.AF_UNIX)
        agent.connect(address)
        if how == "together":
            client.sendall(b"OK 1073741824\n" + agent.recv(65536))
        else:
            for byte in b"OK 1073741824\n":
                client.sendall(bytes([byte]))
                time.sleep(0.01)
        join(client, agent)
    elif how == "deny":
        client.sendall(b"NO \x1b[31mWAY\n")
    elif how == "chatter":
        client.sendall(b"OK" * 400)
        client.recv(1)
    elif how == "silent":
        assert client.recv(1) == b""


def main():
    listener = listen(sys.argv[1])
    listener.settimeout(LIMIT)
    client = listener.accept()[0]
    client.settimeout(LIMIT)
    try:
        serve(client, *sys.argv[2:])
    except ConnectionError:
        pass


if __name__ == "__main__":
    main()
