"""What the servers hold in memory, how big the programs are, and many sessions at once."""
import os
import shutil
import subprocess
import time

from measure_bytes import CHUNK, transfer
from measure_latency import hold, wait_quiet
from procs import Failed, end, memory_kib, start
from report import Table, number, p50
from rivals import Ways

STALLED = 20
IDLE = 1000
SETTLE = 0.3
TRANSFER = 100 << 20


class Sizes:
    """A row about the memory of one way's server side."""

    def __init__(self, bench, way):
        self.bench, self.way = bench, way
        self.row = [way.name]

    def look(self):
        time.sleep(SETTLE)
        return memory_kib(self.way.relays())

    def add(self, fact, rss, pss, unit=1):
        self.bench.facts[f"memory.{fact}.{self.way.key}"] = rss / unit
        self.row.append(f"{number(rss / unit, 2)} ({number(pss / unit, 2)})")

    def grown(self, fact, before, count, unit=1):
        now = self.look()
        self.add(fact, *((b - a) / count for a, b in zip(before, now)), unit)

    def used(self):
        """Idle, before and after a transfer."""
        self.add("fresh", *self.look(), 1024)
        transfer(self.bench, self.way, TRANSFER,
                 [self.bench.helper("source"), str(TRANSFER), str(CHUNK)],
                 [self.bench.helper("sink"), str(TRANSFER)], "producer")
        self.add("used", *self.look(), 1024)

    def stalled(self):
        """Clients whose stdout nobody reads."""
        argv = self.way.argv(["yes"])
        before = self.look()
        clients = [start(argv, stdout=-1) for _ in range(STALLED)]
        try:
            time.sleep(2)
            self.grown("stalled", before, STALLED, 1024)
        finally:
            for client in clients:
                client.kill()
            for client in clients:
                end(client)


def servers(bench):
    sizes = {}
    for step in (Sizes.used, Sizes.stalled):  # each with servers that have done nothing yet
        ways = Ways(f"{bench.folder}/{step.__name__}", bench, ("msb", "static", "base", "socat", "ssh"))
        try:
            if "socat" in ways:
                ways["socat"].argv(["yes"])  # a listener to look at
            for key, way in ways.items():
                sizes.setdefault(key, Sizes(bench, way)).way = way
                step(sizes[key])
        finally:
            ways.stop()
    rows = [one.row for one in sizes.values()]
    return Table("Memory of the server side, MiB resident (proportional share)",
                 ["way", "fresh and idle", "idle after 100 MiB",
                  f"for each of {STALLED} stalled readers"], rows,
                 "All processes of a server together: for ssh its listener, the process of the "
                 "connection and the master; for socat a listener of each command and a process "
                 "of each connection. A stalled reader is a client that runs `yes` and whose "
                 "stdout nobody reads, after two seconds.")


def idle_sessions(bench):
    rows = []
    ways = Ways(f"{bench.folder}/crowd", bench, ("msb", "static", "base"))
    count = IDLE
    try:
        for key, way in ways.items():
            before = memory_kib(way.relays())
            one = hold(bench, way, 1, count)
            time.sleep(SETTLE)
            after = memory_kib(way.relays())
            end(one)
            wait_quiet(way)
            time.sleep(SETTLE)
            ended = memory_kib(way.relays())
            each = (after[0] - before[0]) / count
            bench.facts[f"memory.session.{key}"] = each
            rows.append([way.name, *(number(now[0] / 1024, 2) for now in (before, after, ended)),
                         number(each, 2)])
    finally:
        ways.stop()
    return Table(f"Memory of the daemon with {count} idle sessions, over one connection",
                 ["way", "before, MiB resident", "with them", "when they have ended",
                  "KiB for each"], rows, "Each runs `sleep`.")


def memory(bench):
    return [servers(bench), idle_sessions(bench)]


# ---- many at once ----

def crowd(bench):
    way = bench.ways["msb"]
    total = 1000
    cases = (("one connection", "one", way.socket, 1, total),
             (f"{total} connections", "many", way.socket, total, 1),
             ("without a daemon: the driver starts them", "none", "-", 1, total))
    wall = {case[1]: [] for case in cases}
    cpu = {case[1]: [] for case in cases}
    for turn in range(2 if bench.short else 6):
        for _, key, socket, connections, sessions in cases:
            done = subprocess.run([bench.helper("crowd"), "run", socket, str(connections),
                                   str(sessions), "true"], stdout=-1, stderr=-1, check=False,
                                  timeout=90)
            if done.returncode:
                raise Failed(done.stderr.decode().strip())
            if turn:
                seconds, own = map(float, done.stdout.split())
                wall[key].append(seconds)
                cpu[key].append(own)
    rows = []
    for name, key, *_ in cases:
        bench.facts[f"crowd.{key}"] = p50(wall[key])
        rows.append([name, number(p50(wall[key]), 3), number(max(wall[key]), 3),
                     number(p50(wall[key]) / total * 1e6, 0), number(p50(cpu[key]), 4)])
    return [Table(f"{total} sessions of `true`, all asked for at once",
                  ["over", "s until all have ended, p50", "worst", "us for each",
                   "CPU s of the driver"], rows, "The last row is what the machine can do.")]


# ---- the programs ----

def stripped_size(bench, path):
    copy = shutil.copy(path, f"{bench.folder}/stripped")
    if shutil.which("strip"):
        subprocess.run(["strip", copy], check=False, stderr=subprocess.DEVNULL)
    return os.path.getsize(copy)


def libraries(path):
    done = subprocess.run(["ldd", path], stdout=-1, stderr=-1, check=False, text=True)
    names = [line.split()[0] for line in done.stdout.splitlines() if "=>" in line]
    return len(names), ", ".join(name.partition(".so")[0] for name in names[:4])


def programs(bench):
    paths = [(name, f"{bench.build}/{name}") for name in ("msb-exec", "msb-execd")]
    if bench.static_build:
        paths += [(f"{name}, static", f"{bench.static_build}/{name}")
                  for name in ("msb-exec", "msb-execd")]
    for name in ("ssh", "sshd", "socat", "crun"):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
        if path:
            paths.append((name, path))
    rows = []
    for name, path in paths:
        count, names = libraries(path)
        more = ", ..." if count > 4 else ""
        rows.append([name, number(stripped_size(bench, path) / 1024, 0), str(count), names + more])
    return [Table("Programs", ["program", "KiB, stripped", "libraries it links", "which"], rows,
                  "Without the C library's own loader and vdso.")]
