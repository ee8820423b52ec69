"""How fast bytes go through, and what that costs. All of them are counted at their end. The clock
stops when the last has arrived; the commands then wait for the end of their stdin, so that every
process of the way is still there to be asked for its CPU time."""
import os
import subprocess
import time

from procs import Failed, cpu_seconds, cpu_since, descendants, shuffled, start
from report import Table, number, p50, quantile, ratio

CHUNK = 65536
HEAD_CHUNK = 8192  # what head(1) reads and writes at a time
LIMIT = 120


class Run:
    """What one transfer took: its rate, and CPU seconds per GiB of the relays and of everything."""

    def __init__(self, size, seconds, relays, everything):
        self.rate = size / (1 << 20) / seconds
        self.relays = relays / (size / (1 << 30))
        self.everything = everything / (size / (1 << 30))


def await_dot(stream, what):
    if stream.read(1) != b".":
        raise Failed(f"{what} lost bytes")


def finish(processes, what):
    for process in processes:
        try:
            status = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Failed(f"{what} did not end") from None
        if status:
            raise Failed(f"{what}: {process.args} ended with {status}")


def transfer(bench, way, size, producer, consumer, far):
    """Bytes from producer to consumer; far is the one of the two that runs through the way."""
    first = way.argv(producer, stdin=True) if far == "producer" else producer
    second = way.argv(consumer, stdin=True) if far == "consumer" else consumer
    relays = way.relays()
    before = cpu_seconds(descendants(os.getpid()))
    begin = time.perf_counter()
    one = start(first, stdin=-1, stdout=-1, stderr=None)
    other = start(second, stdin=one.stdout, stdout=-1, stderr=None)
    one.stdout.close()
    client = one if far == "producer" else other
    await_dot(other.stdout, way.name)
    seconds = time.perf_counter() - begin
    everything = cpu_since(before, descendants(os.getpid()))
    relays = set(relays) | set(way.relays())
    if way.key != "local":
        relays.add(client.pid)
    cost = cpu_since(before, relays)
    one.stdin.close()
    if other.stdout.read():
        raise Failed(f"{way.name} made bytes up")
    finish((one, other), way.name)
    other.stdout.close()
    return Run(size, seconds, cost, everything)


def compare(bench, fact, title, note, mib, transfer_one, rounds):
    """One table of a transfer through each way."""
    ways = bench.ways.some("local", "msb", "socat", "ssh", "crun")
    runs = {key: [] for key in ways}
    for turn in range(rounds + 1):
        for key, way in shuffled(ways.items(), turn):
            size = mib << 20 if turn else min(mib, 64) << 20  # the first only warms up
            run = transfer_one(way, size)
            if turn:
                runs[key].append(run)
    rates = {key: [run.rate for run in runs[key]] for key in ways}
    floor = p50([run.everything for run in runs["local"]])
    rows = []
    for key, way in ways.items():
        relays = p50([run.relays for run in runs[key]])
        everything = p50([run.everything for run in runs[key]])
        bench.facts[f"{fact}.rate.{key}"] = p50(rates[key])
        bench.facts[f"{fact}.cpu.{key}"] = relays
        rows.append(["a local pipe" if key == "local" else way.name,
                     number(p50(rates[key]), 0), number(quantile(rates[key], 0.05), 0),
                     ratio(p50(rates[key]), p50(rates["msb"])),
                     "-" if key == "local" else number(relays, 3), number(everything, 3),
                     "-" if key == "local" else number(everything - floor, 3)])
    return Table(title, ["way", "MiB/s p50", "p5", "to msb-exec", "CPU s/GiB, relays",
                         "CPU s/GiB, all", "less the pipe's"], rows,
                 f"{rounds} rounds of {mib} MiB. {note} CPU: relays are the client and the "
                 "server's processes, without producer and reader; all is with them. crun exec hands "
                 "its own descriptors on and relays nothing. Times are "
                 "the scheduler's own of each process, read while all of them are still there.")


def stdout(bench):
    def one(way, size):
        return transfer(bench, way, size,
                        [bench.helper("source"), str(size), str(HEAD_CHUNK), "/dev/zero"],
                        [bench.helper("sink"), str(size)], "producer")

    return [compare(bench, "stdout", "Throughput of stdout",
                    "The command does what `head -c N /dev/zero` does, 8 KiB at a time; the reader "
                    "counts.", bench.mib, one, bench.transfers)]


def stdin(bench):
    def one(way, size):
        return transfer(bench, way, size, [bench.helper("source"), str(size), str(CHUNK)],
                        [bench.helper("sink"), str(size)], "consumer")

    return [compare(bench, "stdin", "Throughput of stdin",
                    "A local producer that writes 64 KiB at a time, into a command that counts.",
                    max(1, bench.mib // 2), one, bench.transfers)]


def by_write_size(bench):
    ways = bench.ways.some("local", "msb", "socat", "ssh")
    sizes = ((64, "64 B"), (1024, "1 KiB"), (4096, "4 KiB"), (65536, "64 KiB"), (1 << 20, "1 MiB"))
    rates = {(key, chunk): [] for key in ways for chunk, _ in sizes}
    for _ in range(1 if bench.short else 3):
        for chunk, _ in sizes:
            mib = max(1, bench.mib // (64 if chunk == 64 else 8))
            for key, way in ways.items():
                run = transfer(bench, way, mib << 20,
                               [bench.helper("source"), str(mib << 20), str(chunk)],
                               [bench.helper("sink"), str(mib << 20)], "producer")
                rates[key, chunk].append(run.rate)
    rows = [["a local pipe" if key == "local" else way.name,
             *(number(p50(rates[key, chunk]), 0) for chunk, _ in sizes)]
            for key, way in ways.items()]
    return [Table("Throughput of stdout by what the command writes at a time, MiB/s",
                  ["way", *(name for _, name in sizes)], rows)]
