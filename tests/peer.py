#!/usr/bin/env python3
"""peer.py SOCKET PID [ARG...]: runs the Python on stdin as clients of the daemon PID that listens
there; the script finds the rest in ARGS.

The script finds here what a test needs: Peer is a connection, and frame(), Raw and the rest of
wire.py make what no honest client would send. With --watched, somebody else's session runs on
another connection all the while; at the end it must still answer, and the daemon must have
neither more descriptors nor other children than before.
"""

import argparse
import array
import contextlib
import fcntl
import linecache
import os
import random  # noqa: F401, for the scripts
import signal
import socket
import struct
import sys
import termios
import time

from wire import *  # noqa: F403, for the scripts too
from wire import FRAME_MAX, RANGE, START, TERMINAL, Frame, Raw, Stream, encode, frame  # noqa: F401
import guest as guest_module
from guest import FEATURES, KEEPS, STEP  # noqa: F401, for the scripts

SLOW = float(os.environ.get("SLOW", "1"))
LIMIT = 20 * SLOW
SCRIPT_LIMIT = 50 * SLOW

SOCKET = ""
PID = 0
ARGS = []

# The test's folder, and for commands: how to know it, and to wait in it for a word from the test.
DIR = os.environ.get("DIR", "")
DIR_ENV = ["DIR=" + DIR]
AWAIT_GO = "until [ -e $DIR/go ] || [ ! -d $DIR ]; do sleep 0.02; done"


# ---- what scripts say ----

def equal(got, wanted):
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def wait_for(condition, what, limit=LIMIT):
    """Until the condition holds; its value."""
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end, f"gave up waiting for: {what}"
        time.sleep(0.01)
    return value


def wait_equal(look, wanted, what):
    """Until look() returns what is wanted."""
    end = time.monotonic() + LIMIT
    while (got := look()) != wanted:
        assert time.monotonic() < end, f"{what}: got {got!r}, wanted {wanted!r}"
        time.sleep(0.01)


def quickest(count, act):
    """The least time that act() takes of so many, in seconds. On a busy machine some take longer,
    but if one waits for what it should not, all do."""
    times = []
    for i in range(count):
        begin = time.monotonic()
        act(i)
        times.append(time.monotonic() - begin)
    return min(times)


def is_gone(pid):
    """Whether there is no such process any more, or only its zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in b"ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def sleeps(pid):
    """How often the process has gone to sleep, if it sleeps now; else None."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file.read().splitlines())
        if "S" in fields["State"].split()[0]:
            return int(fields["voluntary_ctxt_switches"])
    return None


def is_stuck(pid):
    """Whether a process has not even been woken for a while: it waits, and not for a turn."""
    before = sleeps(pid)
    time.sleep(0.03 * SLOW)
    return before is not None and sleeps(pid) == before


def wait_gone(pid):
    wait_for(lambda: is_gone(pid), f"the end of process {pid}")


def made(name):
    """Whether the command has made that file in the test's folder."""
    return os.path.exists(f"{DIR}/{name}")


def wait_made(name):
    wait_for(lambda: made(name), name)


def go():
    with open(DIR + "/go", "w", encoding="ascii"):
        pass


# ---- a client ----

class Outcome:
    """All that came for one id, up to its terminal frame."""

    def __init__(self, frames):
        self.frames = frames
        self.types = [f.type for f in frames]
        self.last = frames[-1]
        self.stdout = self.join("core.exec.stdout")
        self.stderr = self.join("core.exec.stderr")

    def join(self, type):
        return b"".join(f.data for f in self.frames if f.type == type)


class Refused(Exception):
    """The agent has no room for a connection, and says so."""


class Peer(Stream):
    """A connection that has been greeted. Frames for other ids than asked for are kept. Scripts
    count ids from the beginning of the client's range, wherever that is; 0 stays 0."""

    alive = []
    base = 0  # what the agent adds to the ids that scripts see

    def __init__(self, limit=LIMIT):
        sock = socket.socket(socket.AF_UNIX)
        # Without a limit, with which a full queue of connections would be an error at once.
        sock.connect(SOCKET)
        super().__init__(sock, limit)
        Peer.alive.append(self)
        assert self.fill(8), "no prologue"
        self.range = int.from_bytes(self.take(4), "big"), int.from_bytes(self.take(4), "big")
        self.base = self.range[0] - 1
        self.ready = Stream.next(self)
        if self.ready.type == "core.error":
            self.close()
            raise Refused(self.ready.message)
        self.kept = []
        self.last_id = 1000000

    def stuff(self, data, most):
        """Says the same again and again until nobody takes any more of it, or the connection is
        lost; so many bytes would be too many."""
        data, sent = self.mine(data), 0
        self.sock.settimeout(0.02)
        while True:
            try:
                sent += self.sock.send(memoryview(data)[sent % len(data):])
            except TimeoutError:
                if all(is_stuck(pid) for pid in pids()):
                    return
            except (BrokenPipeError, ConnectionResetError):
                return
            assert sent < most, f"{sent} bytes were taken"

    def taken(self):
        """Until the daemon has read all that was sent, or reads no more."""
        waiting = array.array("i", [0])

        def look():
            fcntl.ioctl(self.sock, termios.TIOCOUTQ, waiting)
            return not waiting[0] or is_stuck(PID)

        wait_for(look, "a daemon that reads, or waits")

    def new_id(self):
        self.last_id += 1
        return self.last_id

    def next(self, limit=None):
        got = super().next(limit)
        if got and got.id:
            got.id -= self.base
        return got

    def mine(self, data):
        """The same bytes, with the ids of all whole frame heads in it moved into the range."""
        if not self.base:
            return data
        data, at = bytearray(data), 0
        while at + 8 <= len(data):
            length, id = struct.unpack_from(">II", data, at)
            if not 5 <= length <= FRAME_MAX:
                break
            if id:
                struct.pack_into(">I", data, at + 4, (id + self.base) & 0xffffffff)
            at += 4 + length
        return bytes(data)

    def send(self, data):
        super().send(self.mine(data))

    def tell(self, type, id=0, payload=None, **how):
        self.send(frame(type, id, payload, **how))

    def request(self, id, cmd, *args, v=7, dialect="plain", **keys):
        payload = {"cmd": cmd, "args": list(args), **keys}
        self.tell("core.exec.request", id, payload, v=v, dialect=dialect)

    def stdin(self, id, data, **how):
        self.tell("core.exec.stdin", id, {"data": data}, **how)

    def signal(self, id, number, **how):
        self.tell("core.exec.signal", id, {"signal": number}, **how)

    def answer(self, id, *types):
        """The next frame of that id; its type must be one of these, if any are given."""
        for i, kept in enumerate(self.kept):
            if kept.id == id:
                got = self.kept.pop(i)
                break
        else:
            while True:
                got = self.next()
                assert got, f"the connection closed, wanted {types} for id {id}"
                if got.id == id:
                    break
                self.kept.append(got)
        assert not types or got.type in types, f"got {got!r}, wanted {types}"
        return got

    def start(self, id, cmd, *args, **keys):
        """Requests, and returns the leader's process once it runs."""
        self.request(id, cmd, *args, **keys)
        return self.answer(id, "core.exec.started").pid

    def outcome(self, id):
        frames = [self.answer(id)]
        while not frames[-1].flags & TERMINAL:
            frames.append(self.answer(id))
        return Outcome(frames)

    def run(self, id, cmd, *args, **keys):
        self.request(id, cmd, *args, **keys)
        return self.outcome(id)

    def start_sh(self, id, script, *args, **keys):
        return self.start(id, "sh", "-c", script, *args, **keys)

    def run_sh(self, id, script, *args, **keys):
        return self.run(id, "sh", "-c", script, *args, **keys)

    def read_until(self, id, wanted):
        """Output of that id up to where it holds the bytes wanted."""
        data = b""
        while wanted not in data:
            data += self.answer(id, "core.exec.stdout", "core.exec.stderr").data
        return data

    def failed(self, id, kind, stage=None, errno_name=None):
        """The request came to nothing; returns its message."""
        got = self.answer(id, "core.exec.failed")
        equal((got.kind, got.errno_name), (kind, errno_name))
        if stage:
            equal(got.stage, stage)
        return got.message

    def refused(self, id, kind, type=None):
        """The frame was answered with core.error; returns its message."""
        got = self.answer(id, "core.error")
        equal((got.kind, got.flags), (kind, TERMINAL))
        if type:
            equal(got.offending_type, type)
        return got.message

    # ---- kept sessions ----

    def keep(self, id, cmd, *args, **keys):
        """Starts a session that outlives its client, and returns what says that it runs."""
        self.request(id, cmd, *args, **{"on_disconnect": "keep", **keys})
        return self.answer(id, "core.exec.started")

    def keep_sh(self, id, script, *args, **keys):
        return self.keep(id, "sh", "-c", script, *args, **keys)

    def sessions(self, **keys):
        """What there is: an entry for each session."""
        id, entries = self.new_id(), []
        self.tell("core.session.list", id, keys)
        types = "core.session.entry", "core.session.done"
        while (got := self.answer(id, *types)).type != "core.session.done":
            entries.append(got)
        return entries

    def session(self, session):
        """The entry of the session of that id or name; None if there is none."""
        found = [entry for entry in self.sessions()
                 if session in (entry.session, entry.payload.get("name"))]
        assert len(found) < 2, f"{found!r}"
        return found[0] if found else None

    def wait_session(self, session, holds, what):
        """Until its entry is as wanted: the entry."""
        def look():
            entry = self.session(session)
            return entry if entry and holds(entry) else None

        return wait_for(look, what)

    def wait_ended(self, session):
        return self.wait_session(session, lambda entry: "exited" in entry.payload,
                                 "the session's end")

    def ask_attach(self, id, session, **keys):
        self.tell("core.session.attach", id, {"session": session, **keys})

    def attach(self, id, session, **keys):
        """Has the session on that id from now on, or as mode says; what says so."""
        self.ask_attach(id, session, **keys)
        return self.answer(id, "core.session.attached")

    def fetch(self, id, session, mode, **keys):
        """All that comes when the session is attached to in that mode, to the last frame."""
        self.attach(id, session, mode=mode, **keys)
        return self.outcome(id)

    def detach(self, id):
        """Leaves the session of that id: all that still came, why and whose it is as .last."""
        self.tell("core.session.detach", id)
        got = self.outcome(id)
        equal((got.last.type, got.last.why), ("core.session.detached", "asked"))
        return got

    def attach_input(self, id, session, **keys):
        """Feeds the session's stdin by that id, beside whoever has it."""
        self.tell("core.session.input", id, {"session": session, **keys})
        return self.answer(id, "core.session.attached")

    def session_signal(self, session, number, **keys):
        id = self.new_id()
        self.tell("core.session.signal", id, {"session": session, "signal": number, **keys})
        return self.answer(id, "core.session.done")

    def remove(self, session, **keys):
        id = self.new_id()
        self.tell("core.session.remove", id, {"session": session, **keys})
        return self.answer(id, "core.session.done")

    def no_session(self, type, payload):
        """Whom the session does not belong to is told what everybody is told of none."""
        id = self.new_id()
        self.tell(type, id, payload)
        equal(self.refused(id, "invalid_session"), "no such session")

    def ping(self):
        """The connection works, and nothing else is being said on it."""
        id = self.new_id()
        self.tell("core.ping", id)
        got = self.next()
        assert got and got.type == "core.pong" and got.id == id, f"got {got!r}, wanted a pong"

    def closed(self):
        """The daemon closes the connection, and says no more on it."""
        equal([self.next(), self.kept], [None, []])
        self.close()

    def end_input(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        super().close()
        if self in Peer.alive:
            Peer.alive.remove(self)


def Guest():
    """The agent of the relay under test."""
    return guest_module.Guest(DIR + "/port", LIMIT)


def served(*ends):
    """A connection, as soon as there is room for one; before that it may also end as said."""
    def one_more():
        with contextlib.suppress(Refused, *ends):
            return Peer()

    return wait_for(one_more, "room for a connection")


# ---- the daemon from outside ----

def pids():
    """The daemon's process, and that of the relay before it."""
    return [PID, *map(int, os.environ.get("RELAY", "").split())]


def count_fds():
    """A daemon hides from its own user, and from a root that may not trace; how many there are the
    folder's size says, since Linux 6.2."""
    try:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids())
    except PermissionError:
        return sum(os.stat(f"/proc/{pid}/fd").st_size for pid in pids())


def children():
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit():
                with open(f"/proc/{name}/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == PID:
                        found.append(int(name))
    return sorted(found)


def rss_kib():
    total = 0
    for pid in pids():
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return total


def check_rss(before, kib):
    """The daemon grew by no more than that. A sanitizer's memory says nothing."""
    if not os.environ.get("BUILD", "").endswith("/sanitize"):
        now = rss_kib()
        assert now <= before + kib, f"the daemon grew from {before} to {now} KiB"


@contextlib.contextmanager
def watched():
    """A session of somebody else's lives through whatever happens meanwhile."""
    bystander = Peer()
    cat = bystander.start(1, "cat")
    bystander.stdin(1, b"before\n")
    equal(bystander.answer(1, "core.exec.stdout").data, b"before\n")
    # Who came before, to see whether the daemon answers, is gone for it by now: it came first.
    bystander.ping()
    fds, family = count_fds(), children()
    yield
    for peer in list(Peer.alive):
        if peer is not bystander:
            peer.close()
    bystander.stdin(1, b"after\n")
    equal(bystander.answer(1, "core.exec.stdout").data, b"after\n")
    bystander.ping()
    assert not is_gone(cat), "the bystander's command is gone"
    wait_equal(children, family, "the daemon's children")
    wait_equal(count_fds, fds, "the daemon's descriptors")
    bystander.stdin(1, b"")
    equal(bystander.outcome(1).last.code, 0)
    bystander.close()


def too_long(number, where):
    raise TimeoutError(f"the script took over {SCRIPT_LIMIT} s")


def main():
    global SOCKET, PID, ARGS
    parser = argparse.ArgumentParser()
    parser.add_argument("--watched", action="store_true")
    parser.add_argument("socket")
    parser.add_argument("pid", type=int)
    parser.add_argument("args", nargs="*")
    args = parser.parse_args()
    SOCKET, PID, ARGS = args.socket, args.pid, args.args
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(SCRIPT_LIMIT))
    script = sys.stdin.read()
    # So that a failed assertion shows its line.
    linecache.cache["test"] = (len(script), None, script.splitlines(True), "test")
    with watched() if args.watched else contextlib.nullcontext():
        # A copy, so that no name of a script's takes the place of one of ours.
        exec(compile(script, "test", "exec"), dict(globals()))


if __name__ == "__main__":
    main()
