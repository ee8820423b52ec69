"""A client at a terminal: typed to, resized, left in one of many ways; the terminal's modes must be
what they were."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import termios
import time

from world import LIMIT, Failure, alive, claim, run, start, wait_for

# Without a fork, for rounds in which that may fail.
LISTEN = 'echo "up $$"; while read -r line; do exit "$line"; done; exit 99'
MEASURE = ('stty -echo; echo "up $$"; while read -r line; do case $line in size) stty size ;; '
           '*) exit "$line" ;; esac; done; exit 99')


class Terminal:
    def __init__(self):
        self.master, self.slave = os.openpty()
        self.modes = termios.tcgetattr(self.slave)
        self.shown = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for fd in {self.master, self.slave} - {None}:
            os.close(fd)

    def start(self, *words):
        """No shell and no controlling terminal, whose loss would reset the modes that we look at."""
        return start(*words, stdin=self.slave, stdout=self.slave, start_new_session=True)

    def hang_up(self):
        os.close(self.master)
        self.master = None

    def read(self, seconds):
        """Whether more came in that time."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.shown += os.read(self.master, 65536)
        return bool(ready)

    def see(self, child, what, limit=LIMIT):
        """What the regular expression finds, or nothing if the client ends before."""
        end = time.monotonic() + limit
        while not (found := re.search(what, self.shown)):
            if not self.read(0.05) and child.poll() is not None:
                return None
            claim(time.monotonic() < end, f"{what!r} is not shown, but {self.shown[-300:]!r}")
        self.shown = self.shown[found.end():]
        return found

    def type(self, text):
        os.write(self.master, text.encode())

    def resize(self, child, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        child.send_signal(signal.SIGWINCH)

    def end(self, child):
        """Its status and its lines; what it shows meanwhile is read, since it waits for that."""
        end = time.monotonic() + LIMIT
        while child.poll() is None:
            claim(time.monotonic() < end, f"it does not end, shown is {self.shown[-300:]!r}")
            if self.master is None:
                time.sleep(0.02)
            else:
                self.read(0.05)
        return child.returncode, child.stderr.read()

    def same(self, how):
        claim(termios.tcgetattr(self.slave) == self.modes, f"{how}: the terminal has other modes")


def measured(rng, terminal, child):
    for _ in range(rng.randrange(5)):
        rows, cols = rng.randrange(2, 200), rng.randrange(2, 200)
        terminal.resize(child, rows, cols)
        time.sleep(rng.choice((0, 0.01)))
    if not terminal.shown:
        terminal.resize(child, rows := 31, cols := 97)
    end = time.monotonic() + LIMIT
    while True:
        terminal.type("size\r")
        if terminal.see(child, rb"(\d+ \d+)\r\n").group(1).decode() == f"{rows} {cols}":
            return
        claim(time.monotonic() < end, "it never had the last size")


def way_out(rng, terminal, child):
    """Leaves somehow; how, and the status that it has then."""
    status = rng.randrange(256)
    how, keys, want = rng.choice((("exit", f"{status}\r", status), ("~.", "\r~.", 125), ("^C", "\x03", 130),
                                  ("left", "\x1d\x1d\x1d", 0), ("told", "", -15), ("killed", "", -9),
                                  ("hung up", "", None)))
    terminal.type(keys)
    if how == "told":
        child.send_signal(signal.SIGTERM)
    elif how == "killed":
        child.kill()
    elif how == "hung up":
        terminal.hang_up()
    return how, want


def gone(how, pid, said):
    """And so is its command; what was left is still there, until it is killed."""
    if how == "left":
        session = re.search(rb"[0-9a-f]{12}", said).group().decode()
        claim(alive(pid), "what was left does not live on")
        run("--kill", session, "--signal", "KILL")
        run("--wait", session, status=137)
    wait_for(lambda: not alive(pid), f"the end of the command whose client went: {how}")


def keyboard(rng):
    with Terminal() as terminal:
        child = terminal.start("-t", "--", "sh", "-c", MEASURE)
        found = terminal.see(child, rb"up (\d+)\r\n")
        claim(found, f"it ended with {child.returncode}: {found or child.stderr.read()!r}")
        if rng.random() < 0.7:
            measured(rng, terminal, child)
        how, want = way_out(rng, terminal, child)
        got, said = terminal.end(child)
        claim(want is None or got == want, f"{how}: ended with {got}, not {want}: {said!r}")
        if how not in ("killed", "hung up"):
            terminal.same(how)
        gone(how, int(found.group(1)), said)


def keyboard_rough(rng, honest):
    """The same where anything may be killed; honest() looks at how it ended."""
    with Terminal() as terminal:
        child = terminal.start("-t", "--", "sh", "-c", LISTEN)
        if terminal.see(child, rb"up \d+\r\n"):
            for _ in range(rng.randrange(5)):
                with contextlib.suppress(Failure):
                    terminal.resize(child, rng.randrange(2, 200), rng.randrange(2, 200))
                time.sleep(rng.random() / 5)
            terminal.type("7\r")
        status, said = terminal.end(child)
        if not child.struck:
            terminal.same(f"ended with {status}")
        honest(child, 7, said)
