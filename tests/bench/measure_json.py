"""What it takes to have a command's output as lines of JSON, beside the same output raw."""
import os
import resource
import time

from procs import Failed, cpu_seconds, cpu_since, start
from report import Table, number, p50, quantile, ratio

LINE = "2026-01-01T00:00:00Z a line of some log, plain text as programs print it, number {:09}\n"
FORMS = (("raw", "raw", []), ("json", "--json", ["--json"]))
LIMIT = 120


def make_text(path, mib):
    left, count = mib << 20, 0
    with open(path, "w", encoding="ascii") as file:
        while left > 0:
            block = "".join(LINE.format(count + i) for i in range(10000))[:left]
            file.write(block)
            left -= len(block)
            count += 10000


def client_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def transfer(way, options, path, sink):
    """MiB/s, and seconds of CPU per GiB of client and daemon, of that file through cat there and here."""
    size = os.path.getsize(path)
    argv = way.argv(["cat", path])
    daemon = way.relays()
    here, there = client_cpu(), cpu_seconds(daemon)
    begin = time.perf_counter()
    client = start([argv[0], *options, *argv[1:]], stdout=-1)
    reader = start([sink, "0"], stdin=client.stdout)
    client.stdout.close()
    status = client.wait(LIMIT)
    seconds = time.perf_counter() - begin
    cpu = client_cpu() - here + cpu_since(there, daemon)
    if status or reader.wait(LIMIT):
        raise Failed(f"{way.name} {' '.join(options)} ended with {status}")
    return size / (1 << 20) / seconds, cpu / (size / (1 << 30))


def lines(bench):
    way = bench.ways.some("msb")["msb"]
    mib = min(bench.mib, 100)
    path = f"{bench.folder}/text"
    make_text(path, mib)
    runs = {key: [] for key, _, _ in FORMS}
    for turn in range(2 * bench.transfers + 1):
        for key, _, options in FORMS:
            run = transfer(way, options, path, bench.helper("sink"))
            if turn:  # the first only warms up
                runs[key].append(run)
    os.unlink(path)
    rows = []
    for key, name, _ in FORMS:
        rates = [rate for rate, _ in runs[key]]
        cpu = p50([cost for _, cost in runs[key]])
        bench.facts[f"json.rate.{key}"], bench.facts[f"json.cpu.{key}"] = p50(rates), cpu
        rows.append([name, number(p50(rates), 0), number(quantile(rates, 0.05), 0),
                     ratio(p50(rates), bench.facts["json.rate.raw"]), number(cpu, 3)])
    return [Table("Text as lines of JSON",
                  ["msb-exec", "MiB/s p50", "p5", "to raw", "CPU s/GiB, client and daemon"], rows,
                  f"{2 * bench.transfers} rounds of `cat` of {mib} MiB of plain text, start and end of "
                  "msb-exec included; a reader that throws it away. The client's CPU is with its start.")]
