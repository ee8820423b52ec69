"""Many one-shots: how many a second 16 clients at a time get through, and how long each takes when half
as many are asked for."""
import subprocess
import time

from procs import Failed
from report import Table, ms, number, p50, quantile, ratio

CLIENTS = 16
LIMIT = 120
SLOW = "ssh", "crun"  # of which fewer tell as much
NAMES = {"local": "no daemon: run it locally", "one": "msb-exec, over one connection"}


def count_of(bench, key):
    return (2000 if key not in SLOW else 500) // (10 if bench.short else 1)


def checked(argv, **how):
    try:
        done = subprocess.run(argv, check=False, timeout=LIMIT, stdout=-1, stderr=-1, **how)
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv} did not end") from None
    if done.returncode:
        raise Failed(f"{argv} ended with {done.returncode}: {done.stderr.decode()[-200:].strip()}")
    return done.stdout


def by_clients(bench, way, count):
    """Sessions a second of `true`, each with a client of its own; a number is its argument."""
    numbers = "\n".join(map(str, range(count))).encode()
    begin = time.perf_counter()
    checked(["xargs", f"-P{CLIENTS}", "-n1", *way.argv(["true"])], input=numbers)
    return count / (time.perf_counter() - begin)


def by_connection(bench, way, count):
    """The same over one connection, as many at a time."""
    said = checked([bench.helper("crowd"), "run", way.socket, "1", f"{count}/{CLIENTS}", "true"],
                   stdin=subprocess.DEVNULL)
    return count / float(said.split()[0])


def many(bench):
    ways = bench.ways.some("local", "msb", "static", "base", "ssh", "crun")
    calls = {key: (by_clients, way) for key, way in ways.items()}
    calls["one"] = by_connection, ways["msb"]
    if "base" in ways:
        calls["one.base"] = by_connection, ways["base"]
    names = {key: way.name for key, way in ways.items()} | NAMES
    names["one.base"] = "msb-exec, earlier, over one connection"
    rates = {key: [] for key in calls}
    for turn in range(1 + (1 if bench.short else 3)):
        for key, (call, way) in calls.items():
            # The first only warms up.
            rate = call(bench, way, count_of(bench, key) if turn else 2 * CLIENTS)
            if turn:
                rates[key].append(rate)
    rows = []
    for key in sorted(rates, key=lambda key: -p50(rates[key])):
        rate = bench.facts[f"many.rate.{key}"] = p50(rates[key])
        rows.append([names[key], count_of(bench, key), number(rate, 0),
                     ratio(rate, p50(rates["msb"])), ratio(rate, p50(rates["local"]))])
    return [Table(f"Sessions of `true` a second, {CLIENTS} at a time",
                  ["way", "sessions", "a second", "to msb-exec", "to a local run"], rows,
                  f"`xargs -P{CLIENTS}` starts a client for each, what starts them costs in all rows; over "
                  "one connection there is one client that asks for the next when one has ended.")]


def at_half(bench):
    """Each way at half of what it could do itself."""
    rows = []
    for key, way in bench.ways.some("local", "msb", "static", "base", "ssh", "crun").items():
        if f"many.rate.{key}" not in bench.facts:
            continue
        rate = bench.facts[f"many.rate.{key}"] / 2
        said = checked([bench.helper("pace"), f"{rate:.3f}", str(count_of(bench, key)),
                        *way.argv(["true"])], stdin=subprocess.DEVNULL)
        took = [float(word) for word in said.split()]
        cells = []
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            bench.facts[f"many.half.{name}.{key}"] = quantile(took, share)
            cells.append(ms(quantile(took, share)))
        rows.append([NAMES.get(key, way.name), number(rate, 0), *cells])
    return [Table("One-shot latency of `true` at half of that load, ms",
                  ["way", "sessions a second", "p50", "p95", "p99"], rows,
                  "A client starts each time one is due, whatever becomes of those before, and its time "
                  "counts from then. Each way has half the load that it could bear by the table above.")]
