#!/usr/bin/env python3
"""Measures msb-exec beside what people use today, interleaved in one run.

Usage: bench.py BUILD_DIR [OUT_DIR]. Prints tables, and writes them to OUT_DIR/results.md and a chart
to OUT_DIR/results.svg (OUT_DIR is BUILD_DIR/bench unless given). Rivals that are not installed are
left out. Servers listen on Unix sockets or on loopback, in a private folder, and end with this
program. The C helpers are looked for in BUILD_DIR/bench.

BENCH_SHORT=1         few rounds and small sizes: does it all work?
BENCH_ROUNDS=N        whole rounds of all of it (1); what is reported is the median and the range of each
BENCH_TIMES=N         how often a one-shot command is run in a round (200)
BENCH_MIB=N           what goes through stdout at a time (2048); half of it through stdin
BENCH_ONLY=A,B        only these: latency, stdout, stdin, json, tty, port, echo, flood, memory,
                      crowd, many, programs, growth
BENCH_STATIC_BUILD=D  a folder with msb-exec and msb-execd linked statically, measured too
BENCH_BASE_BUILD=D    a folder with an earlier msb-exec and msb-execd, measured beside ours
"""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import chart
import measure_bytes
import measure_echo
import measure_json
import measure_latency
import measure_many
import measure_memory
import measure_port
import measure_tty
import report
from procs import Failed, LeftOut, adopt_orphans, kill_all, raise_file_limit
from rivals import Ways
from rounds import middle_tables

MEASUREMENTS = {
    "latency": [measure_latency.one_shot],
    "stdout": [measure_bytes.stdout],
    "stdin": [measure_bytes.stdin],
    "json": [measure_json.lines],
    "tty": [measure_tty.output],
    "port": [measure_port.port],
    "echo": [measure_echo.echo],
    "flood": [measure_latency.beside_flood],
    "memory": [measure_memory.memory],
    "crowd": [measure_memory.crowd],
    "many": [measure_many.many, measure_many.at_half],
    "programs": [measure_memory.programs],
    "growth": [measure_latency.growth, measure_bytes.by_write_size],
}
HELPERS = ("source", "sink", "keys", "relay", "crowd", "screen", "pace")
NEW_NAMESPACE = 0x00020000
REC_PRIVATE, LAZY = 0x44000, 2


def folder_of(variable):
    path = os.environ.get(variable)
    return os.path.abspath(path) if path else None


class Bench:
    """What a measurement finds in one round: the ways, with servers of their own, how much to do, and
    where facts and files go."""

    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.static_build = folder_of("BENCH_STATIC_BUILD")
        self.base_build = folder_of("BENCH_BASE_BUILD")
        self.short = os.environ.get("BENCH_SHORT", "0") not in ("", "0")
        self.times = int(os.environ.get("BENCH_TIMES", "20" if self.short else "200"))
        self.mib = int(os.environ.get("BENCH_MIB", "128" if self.short else "2048"))
        self.keys = self.times * 10
        self.transfers = 2 if self.short else 5
        self.facts = {}
        os.mkdir(f"{folder}/bin")
        for name in HELPERS:
            shutil.copy(f"{build}/bench/{name}", f"{folder}/bin/{name}")
        self.ways = Ways(f"{folder}/ways", self)

    def helper(self, name):
        return f"{self.folder}/bin/{name}"


def hide_second_cgroups():
    """crun refuses a machine with cgroups of both versions. In a view of our own we take the second
    away; whoever else runs here keeps it."""
    path = "/sys/fs/cgroup/unified"
    if os.geteuid() != 0 or not os.path.ismount(path):
        return
    libc = ctypes.CDLL(None)
    if libc.unshare(NEW_NAMESPACE) == 0 and libc.mount(b"none", b"/", None, REC_PRIVATE, None) == 0:
        libc.umount2(path.encode(), LAZY)


def stop_here(number, _):
    sys.exit(128 + number)


def chosen():
    names = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]
    for name in names:
        if name not in MEASUREMENTS:
            sys.exit(f"bench: there is no measurement {name}, only {', '.join(MEASUREMENTS)}")
    return names or list(MEASUREMENTS)


class Run:
    """All rounds: the facts and the tables of each, and what did not come about."""

    def __init__(self, build):
        self.build, self.load = build, os.getloadavg()[0]
        self.count = int(os.environ.get("BENCH_ROUNDS") or "1")
        self.facts, self.tables, self.failed = [], [], []
        self.ways, self.skipped, self.short = {}, {}, False

    def fail(self, number, name, error):
        what = (f"round {number}: " if self.count > 1 else "") + f"{name}: {error}"
        self.failed.append(what)
        print(f"FAILED: {what}.\n", flush=True)

    def measure(self, bench, number, names):
        """The tables of a round, each printed as soon as it is there."""
        tables = []
        for name in names:
            begin = time.monotonic()
            try:
                for function in MEASUREMENTS[name]:
                    for table in function(bench):
                        print(table.markdown(), flush=True)
                        tables.append(table)
            except LeftOut as error:
                self.skipped[name] = str(error)
                print(f"Left out: {name}: {error}.\n", flush=True)
            except (Failed, OSError, ValueError, subprocess.SubprocessError) as error:
                self.fail(number, name, error)
            print(f"bench: {name} took {time.monotonic() - begin:.0f} s", file=sys.stderr)
        return tables

    def round(self, number, names):
        """Everything is new: the servers, and the folder they work in."""
        bench = None
        folder = tempfile.mkdtemp(prefix="bench.")
        try:
            bench = Bench(self.build, folder)
            self.ways, self.short = bench.ways, bench.short
            self.skipped.update(bench.ways.skipped)
            if number == 1:
                for name, why in self.skipped.items():
                    print(f"Left out: {name}: {why}.\n", flush=True)
            self.tables.append(self.measure(bench, number, names))
            self.facts.append(bench.facts)
        except Failed as error:
            self.fail(number, "servers", error)
        finally:
            with Undisturbed():
                try:
                    if bench:
                        bench.ways.stop()
                finally:
                    kill_all()
                    shutil.rmtree(folder, ignore_errors=True)

    def write(self, out):
        """What there is so far."""
        promised = report.promises(self.facts)
        os.makedirs(out, exist_ok=True)
        write(f"{out}/results.md", report.heading(self, [promised, *middle_tables(self.tables)]))
        write(f"{out}/results.svg", chart.svg(self.facts))
        return promised


class Undisturbed:
    """No signal cuts what is done in it short."""

    SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP

    def __enter__(self):
        self.before = [signal.signal(number, signal.SIG_IGN) for number in self.SIGNALS]

    def __exit__(self, *_):
        for number, before in zip(self.SIGNALS, self.before):
            signal.signal(number, before)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def run_all(build, out, names):
    run = Run(build)
    for number in range(1, run.count + 1):
        if run.count > 1:
            print(f"bench: round {number} of {run.count}", file=sys.stderr)
        run.round(number, names)
        promised = run.write(out)
    print(promised.markdown())
    return 1 if run.failed else 0


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    out = os.path.abspath(sys.argv[2]) if len(sys.argv) == 3 else f"{build}/bench"
    missing = [path for path in ("msb-exec", "msb-execd", *(f"bench/{name}" for name in HELPERS))
               if not os.access(f"{build}/{path}", os.X_OK)]
    if missing:
        sys.exit(f"bench: {build} has no {', '.join(missing)}; make bench builds them")
    names = chosen()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_here)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.pop("MSB_EXEC_ENDPOINT", None)
    hide_second_cgroups()
    adopt_orphans()
    raise_file_limit()
    sys.exit(run_all(build, out, names))


if __name__ == "__main__":
    main()
