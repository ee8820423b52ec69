#!/usr/bin/env python3
"""Measures msb-exec beside what people use today, interleaved in one run.

Usage: bench.py BUILD_DIR [OUT_DIR]. Prints tables, and writes them to OUT_DIR/results.md and a chart
to OUT_DIR/results.svg (OUT_DIR is BUILD_DIR/bench unless given). Rivals that are not installed are
left out. Servers listen on Unix sockets or on loopback, in a private folder, and end with this
program. The C helpers are looked for in BUILD_DIR/bench.

BENCH_SHORT=1         few rounds and small sizes: does it all work?
BENCH_ROUNDS=N        how often a one-shot command is run (200)
BENCH_MIB=N           what goes through stdout at a time (2048); half of it through stdin
BENCH_ONLY=A,B        only these: latency, stdout, stdin, json, echo, flood, memory, crowd, programs,
                      growth
BENCH_STATIC_BUILD=D  a folder with msb-exec and msb-execd linked statically, measured too
"""
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time

import chart
import measure_bytes
import measure_echo
import measure_json
import measure_latency
import measure_memory
import report
from procs import Failed, adopt_orphans, kill_all, raise_file_limit
from rivals import Ways

MEASUREMENTS = {
    "latency": [measure_latency.one_shot],
    "stdout": [measure_bytes.stdout],
    "stdin": [measure_bytes.stdin],
    "json": [measure_json.lines],
    "echo": [measure_echo.echo],
    "flood": [measure_latency.beside_flood],
    "memory": [measure_memory.memory],
    "crowd": [measure_memory.crowd],
    "programs": [measure_memory.programs],
    "growth": [measure_latency.growth, measure_bytes.by_write_size],
}
HELPERS = ("source", "sink", "keys", "relay", "crowd")
NEW_NAMESPACE = 0x00020000
REC_PRIVATE, LAZY = 0x44000, 2


class Bench:
    """What a measurement finds: the ways, how much to do, and where facts and files go."""

    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.static_build = os.environ.get("BENCH_STATIC_BUILD")
        if self.static_build:
            self.static_build = os.path.abspath(self.static_build)
        self.short = os.environ.get("BENCH_SHORT", "0") not in ("", "0")
        self.rounds = int(os.environ.get("BENCH_ROUNDS", "20" if self.short else "200"))
        self.mib = int(os.environ.get("BENCH_MIB", "128" if self.short else "2048"))
        self.keys = self.rounds * 10
        self.transfers = 2 if self.short else 5
        self.load = os.getloadavg()[0]
        self.facts, self.failed = {}, {}
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


def measure(bench, names):
    """The tables, each printed as soon as it is there."""
    tables = []
    for name, why in bench.ways.skipped.items():
        print(f"Left out: {name}: {why}.\n", flush=True)
    for name in names:
        begin = time.monotonic()
        try:
            for function in MEASUREMENTS[name]:
                for table in function(bench):
                    print(table.markdown(), flush=True)
                    tables.append(table)
        except (Failed, OSError, ValueError) as error:
            bench.failed[name] = str(error)
            print(f"FAILED: {name}: {error}.\n", flush=True)
        print(f"bench: {name} took {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return tables


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def run(build, out, names):
    bench = None
    folder = tempfile.mkdtemp(prefix="bench.")
    try:
        bench = Bench(build, folder)
        tables = measure(bench, names)
        promised = report.promises(bench.facts)
        print(promised.markdown())
        os.makedirs(out, exist_ok=True)
        write(f"{out}/results.md", report.heading(bench, [promised, *tables]))
        write(f"{out}/results.svg", chart.svg(bench.facts))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            if bench:
                bench.ways.stop()
        finally:
            kill_all()
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if bench.failed else 0


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
    sys.exit(run(build, out, names))


if __name__ == "__main__":
    main()
