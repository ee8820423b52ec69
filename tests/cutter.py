#!/usr/bin/env python3
"""cutter.py LISTEN TARGET LOG SEED CUTS BYTES: stands before an agent's socket, and cuts the first CUTS
connections in the midst of a frame, of a greeting, of whatever it is, so that what is on its way is lost;
those that come later it leaves alone. LOG has a line for each cut. At least BYTES in all are to go back and
forth, and are not used up by the cuts."""

import contextlib
import random
import socket
import sys
import threading

from wire import listen

FIRST = 2000  # bytes that say for certain that the session runs


def plan(rng, turn, most):
    """After how many bytes of both directions the connection is cut."""
    if not turn:
        return FIRST + rng.randrange(max(most - FIRST, 1))
    return rng.randrange(rng.choice((600, max(most, 600))))


class Connection:
    def __init__(self, client, target, left):
        self.agent = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            self.agent.connect(target)
        self.left = left
        self.lock = threading.Lock()
        for ends in (client, self.agent), (self.agent, client):
            threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def take(self, data):
        """As much of it as goes before the cut."""
        if self.left is None:
            return data
        with self.lock:
            data = data[:self.left]
            self.left -= len(data)
            return data

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(self.take(data))
                if self.left == 0:
                    break
            else:
                sink.shutdown(socket.SHUT_WR)
                return
        for sock in source, sink:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def main():
    path, target, log, seed, cuts, size = sys.argv[1:]
    rng, cuts = random.Random(seed), int(cuts)
    most = int(size) // (cuts + 1)
    listener = listen(path)
    turn = 0
    while True:
        client = listener.accept()[0]
        left = plan(rng, turn, most) if turn < cuts else None
        Connection(client, target, left)
        turn += 1
        if left is not None:
            with open(log, "a", encoding="ascii") as file:
                print(left, file=file)


if __name__ == "__main__":
    main()
