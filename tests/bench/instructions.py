#!/usr/bin/env python3
"""What a session costs in instructions, counted by valgrind's callgrind, which repeats where time does not.

instructions.py BUILD [--record] [--top N]

Prints a table, also into BUILD/bench/instructions.txt, and a line of TAP for each value in
tests/instructions.txt: it fails where our own code takes over 5 % more than was recorded. --record writes
that file anew; --top N: the functions that take most.

It repeats because each step waits until the program sleeps, so that what happens between two turns of its
loop is always the same: a command ends, and a terminal or a pipe is filled, while the daemon is stopped. What
then may still come in one turn or in two is done several times, and the least counts. A ping has callgrind
write down what was counted so far, so that the daemon's start and end are in none of it.

Not counted: the kernel's instructions. Valgrind knows neither clone3 nor pidfd_open, so the daemon forks and
listens to SIGCHLD; and what its child does up to exec is another process's, hence a value of its own.

Compared is the code of our own programs. What libraries and the loader take differs between systems, so it
is compared, loosely, where the libc is the same.
"""

import argparse
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

from procs import Failed, end, start, wait_for  # noqa: E402
from report import Table  # noqa: E402
from wire import TERMINAL, Stream, frame, listen  # noqa: E402

RECORDED = os.path.join(os.path.dirname(HERE), "instructions.txt")
SLOW = float(os.environ.get("SLOW", "1"))
LIMIT = 60 * SLOW
OWN, ALL = 1.05, 1.25  # times what was recorded; all: with libraries
WARM, TIMES = 2, 12  # the first bind symbols and fill caches
CLIENTS = 5
ON_PING = "on_ping"  # the function in daemon/serve/dispatch.c
# Nothing here depends on whose environment it is, nor on where the tree lies.
ENV = {"PATH": "{dir}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
CHUNK = 4000  # a terminal gives no more than 4,095 bytes at once
PIPED = 60000  # and a pipe holds 64 KiB at least


# ---- what callgrind wrote ----

NAMED = re.compile(r"(c?)(ob|fl|fi|fe|fn)=\((\d+)\)(?: (.*))?$")


def read_profile(path):
    """{(object, file, function): instructions}, each function's own, whatever is inlined in it."""
    names, at, counts = {}, {"ob": "", "fl": "", "fn": ""}, {}
    called = False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if named := NAMED.match(line.rstrip("\n")):
                callee, kind, number, name = named.groups()
                key = "fl" if kind in ("fi", "fe") else kind, number
                if name is not None:
                    names[key] = name
                if not callee and kind in at:
                    at[kind] = os.path.basename(names[key]) if kind == "ob" else names[key]
            elif line.startswith("calls="):
                called = True
            elif line[:1] in "0123456789+-*" and line.strip():
                if not called:
                    key = at["ob"], at["fl"], at["fn"]
                    counts[key] = counts.get(key, 0) + int(line.split()[1])
                called = False
    if not counts:
        raise Failed(f"{path}: callgrind counted nothing")
    return counts


def is_own(key):
    return key[0].startswith("msb-")


class Cost:
    """What something takes of each function."""

    def __init__(self, counts, less=None):
        counts = {key: counts.get(key, 0) - (less or {}).get(key, 0) for key in {*counts, *(less or {})}}
        self.counts = {key: count for key, count in counts.items() if count}
        self.all = sum(self.counts.values())
        self.own = sum(count for key, count in self.counts.items() if is_own(key))

    def top(self, count):
        for key in sorted(self.counts, key=self.counts.get, reverse=True)[:count]:
            yield self.counts[key], key[2], key[0]


# ---- programs ----

class Place:
    """A folder whose path is always as long, with the programs."""

    def __init__(self, build):
        self.dir = tempfile.mkdtemp(prefix="msb-instructions-", dir="/tmp")
        os.mkdir(f"{self.dir}/bin")
        for name in ("msb-exec", "msb-execd"):
            shutil.copy(f"{build}/{name}", self.dir)
        with open(f"{self.dir}/bin/true", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nread word <{self.dir}/go\n")
        os.chmod(f"{self.dir}/bin/true", 0o755)
        os.mkfifo(f"{self.dir}/go")
        self.env = {key: value.format(dir=self.dir) for key, value in ENV.items()}
        self.count = 0

    def counted(self, name, *args, options=(), **how):
        """A program under callgrind, and where its counts will be: there, behind a dot and its number."""
        self.count += 1
        out = f"{self.dir}/out.{self.count:03}"
        argv = ["valgrind", "--tool=callgrind", "--quiet", "--trace-children=no",
                "--dump-line=no", f"--callgrind-out-file={out}.%p", f"--log-file={out}.log",
                *options, f"{self.dir}/{name}", *args]
        return start(argv, env={**self.env, **how.pop("env", {})}, **how), out

    def remove(self):
        shutil.rmtree(self.dir)


def state(pid):
    """One letter, as in proc(5); X is none there."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def until(condition, what):
    """Soon: without a pidfd the daemon looks at its command every so often, which is not to be counted."""
    return wait_for(condition, what, LIMIT, pause=0.0001)


def connect(path):
    return Stream(until(lambda: try_connect(path), "a daemon"), LIMIT)


def try_connect(path):
    """A socket, once somebody listens there: of those that are refused a daemon sees nothing."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        sock.close()
        return None
    return sock


class Daemon:
    """msb-execd under callgrind, which writes down what was counted whenever a ping is answered."""

    def __init__(self, place):
        self.place, self.socket = place, f"{place.dir}/s"
        self.process, self.out = place.counted("msb-execd", "--listen", f"unix:{self.socket}",
                                               options=[f"--dump-before={ON_PING}"])
        self.pid = self.process.pid
        self.parts = 0
        self.control = self.connect()

    def settle(self):
        until_asleep(self.pid)

    def stop(self):
        self.settle()
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: state(self.pid) == "T", "a daemon that is stopped")

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def connect(self):
        stream = connect(self.socket)
        ids(stream)
        expect(stream, "core.ready")
        self.settle()
        return stream

    def count(self):
        """The file of what it took since the last time, with half a ping on either side."""
        self.settle()
        self.control.send(frame("core.ping", 1))
        expect(self.control, "core.pong")
        self.settle()
        self.parts += 1
        path = f"{self.out}.{self.pid}.{self.parts}"
        if not os.path.exists(path):
            raise Failed(f"{ON_PING} of the daemon was not called: what answers a ping now?")
        return path

    def end(self):
        self.settle()
        end(self.process, limit=LIMIT)
        if self.process.returncode:
            raise Failed(f"the daemon ended with {self.process.returncode}: {read(self.out + '.log')}")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def ids(stream):
    """The range of a connection's ids, which comes first."""
    stream.fill(8)
    return stream.take(8)


def expect(stream, type):
    got = stream.next()
    if got is None or got.type != type:
        raise Failed(f"{got!r} came, not {type}")
    return got


def started(daemon, stream, request):
    stream.send(request)
    pid = expect(stream, "core.exec.started").pid
    daemon.settle()
    return pid


# ---- the client ----

SETTLED = {"boot_time_ns": 1 << 40, "init_time_ns": 1 << 20, "ready_time_ns": 1 << 40, "pid": 30000,
           "user_us": 1000, "sys_us": 1000, "wall_us": 1000, "max_rss_kib": 1000}


def settled(came):
    """The same frame, with the same numbers each time."""
    def settle(value):
        if isinstance(value, dict):
            return {key: SETTLED.get(key, settle(inner)) for key, inner in value.items()}
        return value
    return frame(came.type, came.id, settle(came.payload), came.v, came.flags)


def until_asleep(pid):
    """Whatever wakes it up does so before a call of ours returns."""
    until(lambda: state(pid) == "S", f"process {pid} to sleep")


def between(listener, agent, pid):
    """Between one client and the daemon: all that answers its request comes at once. Returns what it asked."""
    listener.settimeout(LIMIT)
    client, _ = listener.accept()
    client.settimeout(LIMIT)
    until_asleep(pid)
    client.sendall(ids(agent) + settled(agent.next()))
    request = client.recv(65536)
    agent.send(request)
    answer = b""
    while True:
        came = agent.next()
        answer += settled(came)
        if came.flags & TERMINAL:
            break
    until_asleep(pid)
    client.sendall(answer)
    while client.recv(65536):
        pass
    client.close()
    agent.close()
    return request


def counted_client(process, out):
    """What it took, once it has ended."""
    if process.wait(LIMIT):
        raise Failed(f"msb-exec ended with {process.returncode}: {read(out + '.log')}")
    return Cost(read_profile(f"{out}.{process.pid}"))


def one_client(place, agent, listener):
    """What a client of true takes, and the request that it made."""
    process, out = place.counted("msb-exec", "-n", "--", "true",
                                 env={"MSB_EXEC_ENDPOINT": f"unix:{place.dir}/c"})
    try:
        request = between(listener, agent(), process.pid)
        return counted_client(process, out), request
    finally:
        end(process)


def client_true(place):
    """
    The least of several, and the request. A turn of its loop ends when its time is over, and what a program does
    for the first time takes long under valgrind.
    """
    daemon = start([f"{place.dir}/msb-execd", "--listen", f"unix:{place.dir}/a"],
                   env={**place.env, "PATH": "/usr/bin:/bin"})
    try:
        listener = listen(f"{place.dir}/c")
        found = [one_client(place, lambda: connect(f"{place.dir}/a"), listener) for _ in range(CLIENTS)]
        listener.close()
    finally:
        end(daemon)
    return min(found, key=lambda one: one[0].own)


# ---- the daemon ----

def cheapest(daemon, act):
    """
    What act(number) takes: the least of several times. Of what comes about together two events may still
    take one turn or two, and as often as not it is one.
    """
    for number in range(WARM):
        act(number)
    daemon.count()
    without = [daemon.count() for _ in range(TIMES)]
    each = []
    for number in range(WARM, WARM + TIMES):
        act(number)
        each.append(daemon.count())
    nothing = least(map(read_profile, without))
    return Cost(least(map(read_profile, each)), nothing)


def least(profiles):
    return min(profiles, key=lambda counts: Cost(counts).own)


def try_open(fifo):
    """Its descriptor, once somebody reads there."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def finish(daemon, stream, pid):
    """Its command ends while the daemon is stopped, and then its client goes."""
    daemon.stop()
    go = until(lambda: try_open(f"{daemon.place.dir}/go"), "a command that reads")
    os.write(go, b"go\n")
    os.close(go)
    until(lambda: state(pid) == "Z", "the end of a command")
    daemon.go_on()
    expect(stream, "core.exec.exited")
    daemon.settle()
    stream.close()
    daemon.settle()


def session(daemon, request):
    """Of a client that comes, runs true, and goes."""
    def act(_):
        stream = daemon.connect()
        finish(daemon, stream, started(daemon, stream, request))
    return cheapest(daemon, act)


def streaming(tty):
    """A command that waits, with the windows of a client that counts them."""
    more = {"stdin_window": True, "output_window": 1 << 20}
    return frame("core.exec.request", 1, {"cmd": "true", "tty": tty, "rows": 24, "cols": 80, **more})


def output_of(stream, size):
    came = 0
    while came < size:
        came += len(expect(stream, "core.exec.stdout").data)


def echo(daemon):
    """A key, and its echo by the terminal itself."""
    stream = daemon.connect()
    pid = started(daemon, stream, streaming(True))

    def act(_):
        stream.send(frame("core.exec.stdin", 1, {"data": b"a"}))
        output_of(stream, 1)
        daemon.settle()
    cost = cheapest(daemon, act)
    finish(daemon, stream, pid)
    return cost


def flow(daemon, tty, size):
    """So many bytes stand there when the daemon looks; acknowledged once it has settled."""
    stream = daemon.connect()
    pid = started(daemon, stream, streaming(tty))
    output = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY | os.O_NOCTTY)

    def act(number):
        daemon.stop()
        os.write(output, b"a" * size)
        daemon.go_on()
        output_of(stream, size)
        daemon.settle()
        stream.send(frame("core.exec.output.credit", 1, {"consumed": (number + 1) * size}))
        daemon.settle()
    cost = cheapest(daemon, act)
    os.close(output)
    finish(daemon, stream, pid)
    return cost


def child(daemon, request):
    """Of a child that looks for its command in PATH, and finds none; its counts begin with its parent's."""
    stream = daemon.connect()
    stream.send(request.replace(b"dtrue", b"dnone"))  # d: a text of four bytes
    expect(stream, "core.exec.failed")
    stream.close()

    def counted():
        """Its file, once there is all of it."""
        return [path for path in glob.glob(f"{daemon.out}.*[0-9]")
                if not path.startswith(f"{daemon.out}.{daemon.pid}") and "\ntotals:" in read(path)]
    path, = until(counted, "what was counted of a child")
    return Cost({key: count for key, count in read_profile(path).items()
                 if key[1].endswith("daemon/spawn/child.c")})


def measure(build):
    """{name: Cost}"""
    place = Place(build)
    try:
        costs = {}
        costs["client"], request = client_true(place)
        costs["version"] = counted_client(*place.counted("msb-exec", "--version"))
        daemon = Daemon(place)
        try:
            costs["session"] = session(daemon, request)
            costs["child"] = child(daemon, request)
            costs["echo"] = echo(daemon)
            costs["pty"] = flow(daemon, True, CHUNK)
            costs["pipe"] = flow(daemon, False, PIPED)
            daemon.end()
        finally:
            end(daemon.process)
    finally:
        place.remove()
    return costs


# ---- what was recorded ----

NAMES = {
    "session": "daemon: a session of `true`",
    "child": "daemon: its child, up to an exec that fails",
    "client": "client: `msb-exec -n -- true`",
    "version": "client: `msb-exec --version`",
    "echo": "daemon: a key and its echo",
    "pty": f"daemon: {CHUNK:,} bytes of a terminal",
    "pipe": f"daemon: {PIPED:,} bytes of a pipe",
}
HEAD = """\
# Instructions of our own code, and of libraries too, as tests/bench/instructions.py counts them.
# `make instructions RECORD=1` writes this; a commit in which a value grows says why.
"""


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def compiler(program):
    """What the program says that it was compiled by, and how far that changes what it takes."""
    said = re.search(r"DW_AT_producer *: (?:\(.*?\): )?(.*)",
                     output("readelf", "--debug-dump=info", "--dwarf-depth=1", program))
    words = said.group(1).split() if said else ["unknown"]
    return " ".join(word for word in words if word[:1] != "-" or word[:2] in ("-m", "-O"))


def circumstances(build):
    """What our own code's values depend on, and then what those of libraries do."""
    return {"compiler": compiler(f"{build}/msb-execd"), "valgrind": output("valgrind", "--version").strip(),
            "libc": os.confstr("CS_GNU_LIBC_VERSION") or "unknown"}


def recorded():
    """({key: text}, {name: (own, all)})"""
    texts, values = {}, {}
    with open(RECORDED, encoding="utf-8") as lines:
        for line in lines:
            key, _, rest = line.strip().partition(" ")
            if key in NAMES:
                own, all = rest.split()
                values[key] = int(own), int(all)
            elif key != "#":
                texts[key] = rest
    return texts, values


def record(now, costs):
    with open(RECORDED, "w", encoding="utf-8") as file:
        file.write(HEAD)
        for key, text in now.items():
            file.write(f"{key} {text}\n")
        for name in NAMES:
            file.write(f"{name} {costs[name].own} {costs[name].all}\n")


def judge(cost, before, same_libc):
    """(whether it may be so, what there is to say)"""
    if before is None:
        return False, "nothing is recorded of it: make instructions RECORD=1"
    grown = [f"{now:,} {whose}, recorded {was:,}: {change(now, was)}"
             for now, was, limit, whose, counts in (
                 (cost.own, before[0], OWN, "instructions", True),
                 (cost.all, before[1], ALL, "with libraries", same_libc))
             if counts and now > was * limit]
    if grown:
        return False, ("; ".join(grown) + "; mend it, or record it anew and let the commit say why: "
                       "make instructions RECORD=1")
    if cost.own * OWN < before[0]:
        return True, (f"{cost.own:,} instructions, recorded {before[0]:,}: less, so record it, lest it "
                      "grow back unseen: make instructions RECORD=1")
    return True, ""


def change(now, was):
    return f"{now / was - 1:+.1%}"


def report(build, costs, values, top):
    """The table, also into a file."""
    rows = []
    for name, text in NAMES.items():
        own, all = values.get(name, (0, 0))
        rows.append([text, f"{costs[name].own:,}", change(costs[name].own, own) if own else "-",
                     f"{costs[name].all:,}", change(costs[name].all, all) if all else "-"])
    table = Table("Instructions", ["what", "our own code", "to the recorded", "with libraries",
                                   "to the recorded"], rows,
                  "Counted by callgrind, without the kernel's; of what a daemon does, without its start "
                  "and end.").markdown()
    os.makedirs(f"{build}/bench", exist_ok=True)
    with open(f"{build}/bench/instructions.txt", "w", encoding="utf-8") as file:
        file.write(table)
    print(table)
    for name, text in NAMES.items() if top else ():
        print(f"{text}:")
        for count, function, program in costs[name].top(top):
            print(f"{count:10,}  {function} [{program}]")
        print()


def check(now, then, costs, values):
    """A line of TAP for each value; whether all is well."""
    differs = [f"{then.get(key)}, and this is {now[key]}" for key in ("compiler", "valgrind")
               if now[key] != then.get(key)]
    well = True
    for number, name in enumerate(NAMES, 1):
        good, said = judge(costs[name], values.get(name), now["libc"] == then.get("libc"))
        line = f"{number} instructions: {NAMES[name].replace('`', '')}"
        if differs:
            print(f"ok {line} # skip recorded with {differs[0]}")
            continue
        well = well and good
        print(f"{'ok' if good else 'not ok'} {line}")
        if said:
            print(f"# {said}")
    print(f"1..{len(NAMES)}")
    return well


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--top", type=int, default=0)
    args = parser.parse_args()
    now, costs = circumstances(args.build), measure(args.build)
    if args.record:
        record(now, costs)
    then, values = recorded() if os.path.exists(RECORDED) else ({}, {})
    report(args.build, costs, values, args.top)
    return 0 if check(now, then, costs, values) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(f"instructions.py: {failed}")
