#!/usr/bin/env python3
"""cutter.py LISTEN TARGET LOG SEED CUTS BYTES: stands before an agent's socket, and cuts so many
connections in the midst of a frame, a greeting, whatever it is, and what is on its way is lost; those that
come later it leaves alone. BYTES are the least that go each way, and are never used up by the cuts. LOG has a line for each."""

import contextlib
import random
import socket
import sys
import threading

from wire import listen

FIRST = 2000  # bytes that say for certain that the session runs


def plan(rng, turn, most):
    """After how many bytes of which direction the connection is cut."""
    if not turn:
        return "down", FIRST + rng.randrange(max(most - FIRST, 1))
    if rng.random() < 0.3:
        return rng.choice(("up", "down")), rng.randrange(300)
    return rng.choice(("up", "down")), rng.randrange(300, max(most, 301))


class Connection:
    def __init__(self, client, target, cut, log):
        self.agent = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            self.agent.connect(target)
        self.client, self.cut, self.log = client, cut, log
        self.lock = threading.Lock()
        for way, source, sink in (("up", client, self.agent), ("down", self.agent, client)):
            threading.Thread(target=self.carry, args=(way, source, sink), daemon=True).start()

    def carry(self, way, source, sink):
        left = self.cut[1] if self.cut and self.cut[0] == way else None
        with contextlib.suppress(OSError):
            while left is None or left > 0:
                data = source.recv(65536)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data[:left])
                left = None if left is None else left - len(data)
        if left is not None and left <= 0:
            with self.lock, open(self.log, "a", encoding="ascii") as log:
                print(*self.cut, file=log)
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
        Connection(client, target, plan(rng, turn, most) if turn < cuts else None, log)
        turn += 1


if __name__ == "__main__":
    main()
