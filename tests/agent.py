#!/usr/bin/env python3
"""agent.py SOCKET [COUNT]: an agent that is not ours, for testing msb-exec against. Listens, takes
a client, and does what the Python on stdin says; the script finds the client as `client`, how many
came before it as `turn`, and frame() and the rest of wire.py. Then it hears the client out, unless
the script closed it. So for COUNT clients, one after the other. Fails if the script does, or if a
client says something that is no frame."""

import array
import fcntl
import linecache
import os
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

from wire import *  # noqa: F403, for the scripts too
from wire import RANGE, Stream, frame, listen, ready

SLOW = float(os.environ.get("SLOW", "1"))
LIMIT = 20 * SLOW
SCRIPT_LIMIT = 50 * SLOW
KEEPS = ("sessions", "on_disconnect", "stdin_window", "output_window", "output_close")


def equal(got, wanted):
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


class Client(Stream):
    """The one that connected. Its id is that of its request, once expect() has seen one."""

    def __init__(self, sock):
        super().__init__(sock, LIMIT)
        self.id = None
        self.open = True

    def greet(self, v=7, range=RANGE, **more):
        """Two words and ready, as agents do since 0.5; ready has none of our features."""
        self.send(struct.pack(">II", *range) + ready(v, **more))

    def greet_legacy(self, first=0):
        """One word and ready."""
        self.send(struct.pack(">I", first) + ready(1))

    def expect(self, type):
        got = self.next()
        assert got and got.type == type, f"got {got!r}, wanted {type}"
        self.id = got.id if self.id is None else self.id
        equal(got.id, self.id)
        return got

    def serve(self, v=7, **more):
        """Greets and returns the request."""
        self.greet(v, **more)
        return self.expect("core.exec.request")

    def tell(self, type, payload=None, **how):
        self.send(frame(type, self.id, payload, **how))

    def look(self, code=None):
        """Takes the question whether the folder of -w is there, and runs it or answers with code."""
        asked = self.next()
        equal(asked.type, "core.exec.request")
        if code is None:
            code = subprocess.run([asked.cmd, *asked.args], cwd=asked.cwd).returncode
        self.send(frame("core.exec.started", asked.id, {"pid": 4}) +
                  frame("core.exec.exited", asked.id, {"code": code}))
        return asked

    def start(self, v=7, **more):
        """Greets, takes the request, and says that it runs."""
        request = self.serve(v, **more)
        self.tell("core.exec.started", {"pid": 5})
        return request

    def keep(self, session="0123456789ab", features=(), **more):
        """The same of one that it keeps, for clients that count credit."""
        request = self.serve(exec_features=[*KEEPS, *features], **more)
        self.tell("core.exec.started", {"pid": 5, "session": session, "stdin_window": 65536})
        return request

    def attach(self, type="core.session.attach", session="0123456789ab", **keys):
        """Greets, takes whoever comes to a session, and says that it did, with all that it wants."""
        self.greet(exec_features=KEEPS)
        asked = self.expect(type)
        at = {f"{name}_at": asked.payload.get(f"{name}_since", 0) for name in ("stdout", "stderr")}
        self.tell("core.session.attached",
                  {"session": session, "pid": 5, "stdin_window": 65536, **at, **keys})
        return asked

    def let_go(self, why="asked", session="0123456789ab", **keys):
        self.tell("core.session.detached", {"why": why, "session": session, **keys})

    def input(self, count):
        """So many bytes of stdin."""
        data = b""
        while len(data) < count:
            data += self.expect("core.exec.stdin").data
        equal(len(data), count)
        return data

    def exit(self, code=0, **keys):
        self.tell("core.exec.exited", {"code": code, **keys})

    def drip(self, data):
        """A byte at a time, each only once the client has taken the one before."""
        waiting = array.array("i", [0])
        for i in range(len(data)):
            self.send(data[i:i + 1])
            end = time.monotonic() + LIMIT
            while True:
                fcntl.ioctl(self.sock, termios.TIOCOUTQ, waiting)
                if not waiting[0]:
                    break
                assert time.monotonic() < end, "the client does not read"
                time.sleep(0.0005)

    def until_heard(self, type, payload):
        """Says the same again and again until the client says something, and returns that."""
        end = time.monotonic() + LIMIT
        while True:
            self.tell(type, payload)
            try:
                return self.next(0.01)
            except TimeoutError:
                assert time.monotonic() < end, "the client says nothing"

    def until_quiet(self, most):
        """Takes what the client says until it says no more for a while; at most so many bytes. What
        a slow client still says later is left for others."""
        taken = 0
        try:
            while got := self.next(0.2 * SLOW):
                taken += len(got.wire)
                assert taken <= most, "the client goes on and on"
        except TimeoutError:
            pass

    def hear_out(self):
        """What the client still says until it goes."""
        frames = []
        while got := self.next():
            frames.append(got)
        return frames

    def be_last(self):
        """However many more might come."""
        self.hear_out()
        os._exit(0)

    def close(self):
        self.open = False
        super().close()


def too_long(number, where):
    raise TimeoutError(f"the script took over {SCRIPT_LIMIT} s")


def main():
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(SCRIPT_LIMIT))
    script = sys.stdin.read()
    linecache.cache["test"] = (len(script), None, script.splitlines(True), "test")
    code = compile(script, "test", "exec")
    listener = listen(sys.argv[1])
    for turn in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1):
        client = Client(listener.accept()[0])
        exec(code, {**globals(), "client": client, "turn": turn})
        if client.open:
            client.hear_out()
            client.close()


if __name__ == "__main__":
    main()
