#!/usr/bin/env python3
"""torn.py EXECD RELAYD CLIENT: daemons that are killed in the midst of a frame, on a serial port whose other end
holds back what comes from some place on, so that each frame breaks off where it is to. The next daemon follows on
the same stream. What msb-exec writes must be the beginning of what its command wrote, and its status 125."""

import os
import pty
import select
import socket
import subprocess
import sys
import tty

from wire import listen

EXECD, RELAYD, CLIENT = sys.argv[1:]
DIR, LIMIT = os.environ["DIR"], 20 * float(os.environ.get("SLOW", "1"))
WANT = b"".join(b"%d\n" % i for i in range(200000))


class Line:
    """The port, its host the relay, and the daemon that has it."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        os.symlink(os.ttyname(self.slave), DIR + "/port")
        self.listener = listen(DIR + "/wire")
        self.log = open(DIR + "/daemon.log", "ab")
        self.relay = self.spawn(RELAYD, "--agent", f"unix:{DIR}/wire", "--listen", f"unix:{DIR}/r")
        self.host = self.listener.accept()[0]
        self.daemon = None

    def spawn(self, *words, **how):
        return subprocess.Popen(words, stderr=self.log, stdin=subprocess.DEVNULL, **how)

    def begin(self):
        self.daemon = self.spawn(EXECD, "--listen", f"serial:{DIR}/port")

    def pass_on(self, until, cut=None):
        """Both ways, until that holds; of what comes from the daemon no more than `cut` lets through."""
        while not until():
            ready = select.select([self.master, self.host], [], [], 0.02)[0]
            if self.host in ready:
                data = self.host.recv(65536)
                assert data, "the relay has gone"
                while data:
                    try:
                        data = data[os.write(self.master, data):]
                    except BlockingIOError:
                        select.select([], [self.master], [], LIMIT)
            if self.master in ready:
                self.host.sendall(os.read(self.master, 65536) if cut is None else cut())

    def take(self, count):
        """So many bytes of the daemon's."""
        data = b""
        while len(data) < count:
            assert select.select([self.master], [], [], LIMIT)[0], "the daemon says nothing"
            data += os.read(self.master, count - len(data))
        return data

    def drop(self):
        """What the daemon had still written, and nobody reads."""
        while select.select([self.master], [], [], 0)[0]:
            os.read(self.master, 65536)

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()
        self.drop()

    def end(self):
        self.relay.terminate()
        assert self.relay.wait(LIMIT) == 0
        self.daemon.terminate()
        assert self.daemon.wait(LIMIT) == 0


def exec_(*words):
    return [CLIENT, "-S", f"unix:{DIR}/r", "--connect-timeout", f"{LIMIT}s", "-n", *words]


class Cut:
    """Lets frames through, up to one of output that is large enough, of which the last bytes are missing."""

    def __init__(self, line, missing):
        self.line, self.missing, self.done = line, missing, False

    def __call__(self):
        head = self.line.take(9)
        length = int.from_bytes(head[:4], "big")
        if length < 5:
            return head[:8] + self.rest_of_mark(head)
        self.done = length > 3000
        return head + self.line.take(length - 5 - (self.missing if self.done else 0))

    def rest_of_mark(self, head):
        """The byte that was one too many is the first of the next frame."""
        more = self.line.take(8)
        length = int.from_bytes((head[8:] + more)[:4], "big")
        self.done = length > 3000
        return head[8:] + more + self.line.take(length - 5 - (self.missing if self.done else 0))


def torn(line, missing):
    out = DIR + "/out"
    with open(out, "wb") as file:
        client = line.spawn(*exec_("--", "seq", "0", "199999"), stdout=file)
    cut = Cut(line, missing)
    line.pass_on(lambda: cut.done, cut)
    line.kill()
    line.begin()
    line.pass_on(lambda: client.poll() is not None)
    with open(out, "rb") as file:
        got = file.read()
    assert client.returncode == 125, f"{missing} bytes missing: ended with {client.returncode}"
    same = len(os.path.commonprefix((got, WANT)))
    assert same == len(got) < len(WANT), f"{missing} bytes missing: {len(got)} bytes, then {got[same:same + 40]!r}"


def main():
    line = Line()
    line.begin()
    try:
        for missing in 1, 30, 200, 2000:
            client = line.spawn(*exec_("--", "true"))
            line.pass_on(lambda client=client: client.poll() is not None)
            assert client.returncode == 0, client.returncode
            torn(line, missing)
        line.end()
    finally:
        for process in line.relay, line.daemon:
            if process.poll() is None:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
