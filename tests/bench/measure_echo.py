"""How long a typed byte takes to come back through a terminal."""
from measure_latency import SLOW_MIB, Flood
from procs import Failed, end, shuffled, start
from report import Table, number, p50, quantile, ratio

COMMAND = ["sh", "-c", "stty raw -echo; echo ready; exec cat"]
BLOCK = 50
# A flood goes in waves of a window of ssh, 2 MiB: 0.2 s at that reader's pace. A block must be longer.
FLOOD_BLOCK = 500
LOADS = {"slow": SLOW_MIB, "fast": 0}


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
        for key, typist in shuffled(typists.items(), turn):
            if floods:
                floods[key].go_on()
            got = typist.type(block)
            if floods:
                floods[key].pause()
            if turn:
                samples[key] += got
    return samples


def echo(bench):
    ways = bench.ways.some("local", "relay", "msb", "base", "ssh", "crun")
    typists, floods = {}, {}
    try:
        for key, way in ways.items():
            typists[key] = Typist(bench, way)
        samples = {"idle": typed(typists, bench.keys)}
        for load, rate in LOADS.items():
            for key, way in ways.items():
                floods[key] = Flood(bench, way, rate)
                floods[key].pause()
            samples[load] = typed(typists, bench.keys, floods)
            for key in ways:
                floods.pop(key).stop()
            Flood.clear()
    finally:
        for one in (*floods.values(), *typists.values()):
            one.stop()
        Flood.clear()
    rows = []
    for key, way in ways.items():
        cells = []
        for load, of in samples.items():
            middle, tail = p50(of[key]), quantile(of[key], 0.99)
            bench.facts[f"echo.{load}.p50.{key}"] = middle
            bench.facts[f"echo.{load}.p99.{key}"] = tail
            cells += [number(middle, 0), number(tail, 0)]
        rows.append(["a local terminal" if key == "local" else way.name, *cells,
                     ratio(p50(samples["idle"][key]), p50(samples["idle"]["msb"]))])
    return [Table("Echo of a key on a terminal, microseconds",
                  ["way", "idle p50", "p99", "slow flood p50", "p99", "fast flood p50", "p99",
                   "idle p50 to msb-exec"], rows,
                  f"{len(samples['idle']['msb'])} keys each, 0.5 to 1.5 ms apart, into `cat` on a raw "
                  "terminal. The flood is another session of the same way that runs `yes`; its slow "
                  f"reader takes {SLOW_MIB} MiB/s, its fast one all it can get, and so a CPU or more.")]
