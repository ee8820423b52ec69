"""How fast what a command writes on a terminal arrives, and what that costs. All bytes are counted at
their end by the same reader, from the first to the last."""
import os
import socket
import sys
import time

from procs import Failed, cpu_seconds, cpu_since, descendants, end, shuffled, start
from report import Table, number, p50, ratio

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from wire import Stream, frame  # noqa: E402

LINE, CHUNK = 40, 8192
LIMIT = 60
PYTHON = "msb", "base"


def command(bench, size, chunk):
    return [bench.helper("source"), str(size), str(chunk)]


class Screen:
    """What the reader says of one run: bytes, seconds and reads."""

    def __init__(self, program, how, size, seconds, argv):
        self.process = start([program, how, str(size), str(seconds), *argv], stdin=-1, stdout=-1)

    def result(self):
        line = self.process.stdout.readline().split()
        if len(line) != 3:
            raise Failed(f"{self.process.args}: too few bytes came")
        return int(line[0]), float(line[1]), int(line[2])

    def stop(self):
        self.process.stdin.close()
        self.process.wait(LIMIT)
        end(self.process)


class Run:
    """MiB/s, bytes for each read of the reader, and CPU s/GiB of the client and the server's processes."""

    def __init__(self, bench, way, how, size, chunk):
        before = cpu_seconds(descendants(os.getpid()))
        screen = Screen(bench.helper("screen"), how, size, LIMIT,
                        way.argv(command(bench, size, chunk), stdin=True, tty=True))
        try:
            got, seconds, reads = screen.result()
            relays = {*way.relays(), *descendants(screen.process.pid)}
            cpu = cpu_since(before, relays)
        finally:
            screen.stop()
        self.rate = got / (1 << 20) / seconds
        self.each = got / reads
        # Of a local one there is the command alone.
        self.cpu = cpu / (got / (1 << 30)) if way.key != "local" else None


# ---- a driver in Python, which pays for each frame ----

def connect(way):
    """A connection that has been greeted, and the first id that is its own."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(way.socket)
    stream = Stream(sock, LIMIT)
    if not stream.fill(8):
        raise Failed(f"{way.name}: no greeting came")
    first_id = int.from_bytes(stream.take(8)[:4], "big")
    stream.next()
    return stream, first_id


class Driven:
    """A session on a terminal, asked for and read by Python: MiB/s, and frames for each MiB."""

    def __init__(self, bench, way, size, chunk):
        argv = command(bench, size, chunk)
        got = frames = 0
        begin = at = None
        stream, first_id = connect(way)
        try:
            stream.send(frame("core.exec.request", first_id,
                              {"cmd": argv[0], "args": argv[1:], "tty": True, "rows": 24, "cols": 80}))
            while got < size:
                came = stream.next()
                if not came or came.type not in ("core.exec.started", "core.exec.stdout"):
                    raise Failed(f"{way.name}: {came!r} came")
                if came.type == "core.exec.stdout":
                    at = time.perf_counter()
                    begin = begin or at
                    got += len(came.data)
                    frames += 1
        finally:
            stream.close()
        self.rate = got / (1 << 20) / (at - begin)
        self.each = got / frames
        self.cpu = None


# ---- the tables ----

# Of a case: how its fact is called, and what the table says of it.
CASES = (("rate", "pipe", CHUNK, "stdout a pipe"), ("screen", "tty", CHUNK, "on a terminal"),
         ("lines", "pipe", LINE, "stdout a pipe"))
NOTHING = "-"


def turns(bench, ways):
    """{(fact, key): [Run or Driven]}, each in turn; the first only warms up."""
    runs = {}
    mib = max(1, bench.mib // 64)
    for turn in range(bench.transfers + 1):
        for fact, how, chunk, _ in CASES:
            size = (mib if chunk == CHUNK else max(1, mib // 4)) << 20
            size = size if turn else min(size, 1 << 20)
            for key, way in shuffled(ways.items(), turn):
                if key == "local" and fact == "screen":
                    continue  # there is only one of it
                run = Run(bench, way, "tty" if key == "local" else how, size, chunk)
                runs.setdefault((fact, key), []).append(run)
        size = (mib if turn else 1) << 20
        for key in (key for key in PYTHON if key in ways):
            runs.setdefault(("python", key), []).append(Driven(bench, ways[key], size, CHUNK))
    return {of: some[1:] for of, some in runs.items()}


def row(bench, runs, fact, key, name):
    some = runs[fact, key]
    rate, each = p50([run.rate for run in some]), p50([run.each for run in some])
    local = p50([run.rate for run in runs["lines" if fact == "lines" else "rate", "local"]])
    cells = [number(rate, 1), ratio(rate, local), number(each, 0), NOTHING]
    bench.facts[f"tty.{fact}.{key}"] = rate
    if some[0].cpu is not None:
        cpu = bench.facts[f"tty.cpu.{fact}.{key}"] = p50([run.cpu for run in some])
        cells[-1] = number(cpu, 2)
    if fact == "python":
        bench.facts[f"tty.frames.{key}"] = (1 << 20) / each
    return [name, *cells]


def table(bench, ways, runs, title, facts):
    rows = []
    for fact, _, _, where in CASES:
        for key, way in ways.items():
            if fact in facts and (fact, key) in runs:
                name = "a local terminal" if key == "local" else f"{way.name}, {where}"
                rows.append(row(bench, runs, fact, key, name))
    if "rate" in facts:
        for key in PYTHON:
            if ("python", key) in runs:
                name = f"{ways[key].name}, by a driver in Python"
                rows.append(row(bench, runs, "python", key, name))
                rows[-1][3] += f" ({bench.facts[f'tty.frames.{key}']:.0f} frames/MiB)"
    return Table(title, ["way", "MiB/s p50", "to local", "bytes at a time", "CPU s/GiB, relays"], rows,
                 "All are read by the same reader, through a pipe or on a terminal of its own; the driver "
                 "in Python counts frames. CPU: of the client and the server's processes, without reader "
                 "and command.")


def output(bench):
    ways = bench.ways.some("local", "relay", "msb", "static", "base", "ssh")
    runs = turns(bench, ways)
    return [table(bench, ways, runs, f"Output of a terminal, {CHUNK} bytes a write", ("rate", "screen")),
            table(bench, ways, runs, f"Output of a terminal, {LINE} bytes a write", ("lines",))]
