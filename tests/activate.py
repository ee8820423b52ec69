#!/usr/bin/env python3
"""activate.py SOCKET... -- PROGRAM [ARG]...: becomes the program, and passes it sockets as systemd
does: from descriptor 3 on, with LISTEN_FDS, and LISTEN_PID of the very process. A SOCKET is

    unix:/path      listens                     dgram:/path     does not, and never will
    vsock:PORT      listens, for every CID      seqpacket:/path listens, but not on a stream
    tcp:            listens on loopback         file:/path      is none
    connected:/path is a connection to there    none:           is not open

ACTIVATE_PID instead of the pid: what was meant for another process."""

import os
import socket
import sys


def listening(domain, address, kind=socket.SOCK_STREAM):
    made = socket.socket(domain, kind)
    made.bind(address)
    made.listen()
    return made


def connected(path):
    made = socket.socket(socket.AF_UNIX)
    made.connect(path)
    return made


def datagrams(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(path)
    return made


MAKERS = {
    "unix": lambda path: listening(socket.AF_UNIX, path),
    "seqpacket": lambda path: listening(socket.AF_UNIX, path, socket.SOCK_SEQPACKET),
    "vsock": lambda port: listening(socket.AF_VSOCK, (socket.VMADDR_CID_ANY, int(port))),
    "tcp": lambda _: listening(socket.AF_INET, ("127.0.0.1", 0)),
    "connected": connected,
    "dgram": datagrams,
    "file": lambda path: open(path, "w"),
    "none": lambda _: None,
}


def main():
    end = sys.argv.index("--")
    made = [MAKERS[kind](rest) for kind, _, rest in (s.partition(":") for s in sys.argv[1:end])]
    # Out of the way first: a number may be another's.
    high = [os.dup2(m.fileno(), 100 + i) if m else -1 for i, m in enumerate(made)]
    os.closerange(3, 100)
    for i, fd in enumerate(high):
        if fd >= 0:
            os.dup2(fd, 3 + i)
    os.closerange(100, 200)
    os.environ["LISTEN_FDS"] = str(len(made))
    os.environ["LISTEN_PID"] = os.environ.pop("ACTIVATE_PID", str(os.getpid()))
    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])


if __name__ == "__main__":
    main()
