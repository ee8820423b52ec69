"""How long a typed byte takes to come back through a terminal."""
from measure_latency import SLOW_MIB, Flood
from procs import Failed, end, start
from report import Table, number, p50, quantile, ratio

COMMAND = ["sh", "-c", "stty raw -echo; echo ready; exec cat"]
BLOCK = 50
# A flood goes in waves of a window of ssh, 2 MiB: 0.2 s at that reader's pace. A block must be longer.
FLOOD_BLOCK = 500


class Typist:
    """A client on a terminal of its own, and who types there."""

    def __init__(self, bench, way):
        self.name = way.name
        self.process = start([bench.helper("keys"), *way.argv(COMMAND, stdin=True, tty=True)],
                             stdin=-1, stdout=-1)
        self.expect(b"ready")

    def expect(self, word=None):
        line = self.process.stdout.readline().rstrip()
        if not line or (word and line != word):
            raise Failed(f"{self.name}: no key came back on a terminal")
        return line

    def type(self, count):
        """Microseconds for each of so many keys."""
        self.process.stdin.write(f"{count}\n".encode())
        self.process.stdin.flush()
        return [float(word) for word in self.expect().split()]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        end(self.process)


def typed(typists, keys, floods=None):
    """{key: [microseconds]}: blocks in turn, each with the flood of its own way alone."""
    samples = {key: [] for key in typists}
    block = min(FLOOD_BLOCK, keys) if floods else BLOCK
    for turn in range(max(1, keys // block) + 1):
        for key, typist in typists.items():
            if floods:
                floods[key].go_on()
            got = typist.type(block)
            if floods:
                floods[key].pause()
            if turn:
                samples[key] += got
    return samples


def echo(bench):
    ways = bench.ways.some("local", "relay", "msb", "ssh", "crun")
    typists, floods = {}, {}
    try:
        for key, way in ways.items():
            typists[key] = Typist(bench, way)
        idle = typed(typists, bench.keys)
        for key, way in ways.items():
            floods[key] = Flood(bench, way, SLOW_MIB)
            floods[key].pause()
        flooded = typed(typists, bench.keys, floods)
    finally:
        for one in (*floods.values(), *typists.values()):
            one.stop()
        Flood.clear()
    rows = []
    for key, way in ways.items():
        for load, samples in (("idle", idle), ("flood", flooded)):
            bench.facts[f"echo.{load}.p50.{key}"] = p50(samples[key])
            bench.facts[f"echo.{load}.p99.{key}"] = quantile(samples[key], 0.99)
        rows.append(["a local terminal" if key == "local" else way.name,
                     *(number(value, 0) for samples in (idle, flooded)
                       for value in (p50(samples[key]), quantile(samples[key], 0.95),
                                     quantile(samples[key], 0.99))),
                     ratio(p50(idle[key]), p50(idle["msb"]))])
    return [Table("Echo of a key on a terminal, microseconds",
                  ["way", "idle p50", "p95", "p99", "beside a flood p50", "p95", "p99",
                   "idle p50 to msb-exec"], rows,
                  f"{len(idle['msb'])} keys each, {len(flooded['msb'])} beside the flood, 0.5 to 1.5 ms apart, into `cat` on a raw "
                  "terminal. The flood is another session of the same way that runs `yes` for a "
                  f"reader of {SLOW_MIB} MiB/s.")]
