#!/usr/bin/env python3
"""host.py EXECD: runs the Python on stdin as the host of a serial port, which a pseudo-terminal
stands in for. The script makes a Port, starts an Agent on it, and talks through port.host(), which
is a Peer of peer.py without a socket's prologue. What differs from a virtio port: a terminal that
was hung up has to be opened again, so that a new host is a new terminal behind the same path.

At the end the agent must end well on SIGTERM, unless the script did that, and nothing it ran may be
left."""

import linecache
import os
import pty
import select
import signal
import subprocess
import sys
import termios  # noqa: F401, for the scripts
import time
import tty

import peer
from peer import *  # noqa: F403, for the scripts
from peer import DIR, LIMIT, SCRIPT_LIMIT, SLOW, Peer, equal, too_long, wait_for, wait_gone  # noqa: F401
from wire import Stream, frame  # noqa: F401

EXECD = ""


class Line:
    """A terminal's master, as a socket for Stream."""

    def __init__(self, fd):
        self.fd = fd
        self.limit = LIMIT
        os.set_blocking(fd, False)

    def settimeout(self, limit):
        self.limit = limit

    def wait(self, write):
        fds = [self.fd]
        ready = select.select([] if write else fds, fds if write else [], [], self.limit)
        if not ready[write]:
            raise TimeoutError("the agent says nothing" if not write else "the agent takes nothing")

    def recv(self, size):
        while True:
            self.wait(False)
            try:
                return os.read(self.fd, size)
            except BlockingIOError:
                pass

    def sendall(self, data):
        data = memoryview(data)
        while data:
            self.wait(True)
            try:
                data = data[os.write(self.fd, data[:65536]):]
            except BlockingIOError:
                pass

    def send(self, data):
        self.wait(True)
        try:
            return os.write(self.fd, data[:65536])
        except BlockingIOError:
            raise TimeoutError("the agent takes nothing") from None

    def close(self):
        os.close(self.fd)


class Host(Peer):
    def __init__(self, fd):
        Stream.__init__(self, Line(fd), LIMIT)
        self.kept = []
        self.last_id = 1000000

    def greeted(self, *types):
        """What the agent says first, and that it ends with ready."""
        for type in (*types, "core.ready"):
            got = self.next()
            assert got and got.type == type and got.id == 0, f"got {got!r}, wanted {type}"
        return got

    def boot(self, **keys):
        self.tell("core.bootstrap", 0, keys)

    def ack(self):
        self.tell("core.init.ack")

    def lose_client(self, start, end):
        self.tell("core.relay.client.disconnected", 0,
                  {"id_start": start, "id_end_exclusive": end})

    def close(self):
        Stream.close(self)


class Port:
    """What the agent opens: a path, and the terminal that is behind it now."""

    def __init__(self, plugged=True):
        self.path = DIR + "/port"
        self.master = self.slave = -1
        if plugged:
            self.plug()

    def plug(self):
        self.master, self.slave = pty.openpty()
        # As a virtio port is from the start.
        tty.setraw(self.slave)
        os.symlink(os.ttyname(self.slave), self.path + ".new")
        os.rename(self.path + ".new", self.path)

    def host(self):
        return Host(os.dup(self.master))

    def unplug(self, *hosts):
        for host in hosts:
            host.close()
        os.unlink(self.path)
        os.close(self.master)
        os.close(self.slave)


class Agent:
    def __init__(self, *options):
        with open(DIR + "/daemon.log", "ab") as log:
            self.process = subprocess.Popen(
                [EXECD, "--log-level", "debug", "--listen", f"serial:{DIR}/port", *options],
                stderr=log, stdin=subprocess.DEVNULL)
        self.pid = peer.PID = self.process.pid
        Agent.running = self

    def log(self):
        with open(DIR + "/daemon.log", encoding="utf-8") as log:
            return log.read()

    def logs(self, text):
        wait_for(lambda: text in self.log(), f"{text!r} in the log")

    def ends(self, status=0):
        equal(self.process.wait(LIMIT), status)
        Agent.running = None

    def end(self):
        self.process.terminate()
        self.ends()

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    global EXECD
    EXECD = sys.argv[1]
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(SCRIPT_LIMIT))
    script = sys.stdin.read()
    linecache.cache["test"] = (len(script), None, script.splitlines(True), "test")
    Agent.running = None
    try:
        exec(compile(script, "test", "exec"), globals())
        if Agent.running:
            Agent.running.end()
    finally:
        if Agent.running:
            Agent.running.process.kill()
            Agent.running.process.wait()


if __name__ == "__main__":
    main()
