"""How long a command takes that does nothing, from the client's start to its end: in itself, while
another session floods, with a large environment, and beside many idle sessions."""
import os
import signal
import time

from procs import Failed, cpu_seconds, descendants, end, end_strays, shuffled, start, wait_for
from report import Table, ms, number, p50, quantile, ratio

UNHEARD = os.open(os.devnull, os.O_WRONLY)
WARM_UP = 5
SLOW_MIB = 10  # a second, of a slow reader


def timed(argv, **streams):
    """Milliseconds from the start of argv to its end."""
    # What it says is nobody's business here.
    unheard = [(os.POSIX_SPAWN_DUP2, UNHEARD, 1)]
    begin = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, streams.pop("env", os.environ), file_actions=unheard,
                          **streams)
    _, status = os.waitpid(pid, 0)
    if status:
        raise Failed(f"{argv} ended with {status}")
    return (time.perf_counter() - begin) * 1000


def round_robin(calls, times):
    """{key: [milliseconds]} of {key: argv or (argv, env) or a function that measures by itself}, each
    in turn, warm-up left out."""
    samples = {key: [] for key in calls}
    for turn in range(times + WARM_UP):
        for key, call in shuffled(calls.items(), turn):
            if callable(call):
                took = call()
            else:
                argv, env = call if isinstance(call, tuple) else (call, os.environ)
                took = timed(argv, env=env)
            if turn >= WARM_UP:
                samples[key].append(took)
    return samples


class Waker:
    """Two wake-ups: of a process that sleeps, and then of who has asked it."""

    def __init__(self, bench):
        self.process = start([bench.helper("relay"), "wake"], stdin=-1, stdout=-1)

    def __call__(self):
        """Milliseconds of both."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the relay does not wake up")
        return float(line) / 1000

    def stop(self):
        end(self.process)


# What our one-shot cannot do without: the client's own start, the command's run, and two wake-ups.
FLOORS = (("msb", "start", "floor"), ("static", "start.static", "floor.static"))


def floors(bench, samples, names):
    """The table of the floors, dynamic and static."""
    local, wake = p50(samples["local"]), p50(samples["wake"])
    bench.facts["latency.wake"] = wake
    rows = []
    for key, started, fact in FLOORS:
        if key not in samples:
            continue
        begin, ours = p50(samples[started]), p50(samples[key])
        floor = begin + local + wake
        bench.facts[f"latency.{started}"], bench.facts[f"latency.{fact}"] = begin, floor
        rows.append([names[key], ms(begin), ms(local), number(wake, 3), number(floor, 3),
                     number(ours, 3), number(ours - floor, 3), ratio(ours, floor)])
    return Table("The floor of a one-shot, ms p50",
                 ["client", "its own start (--version)", "`true`, local", "two wake-ups", "floor",
                  "one-shot", "above it", "to the floor"], rows,
                 "Measured in turn with the table above. Two wake-ups: a byte to a process that sleeps, "
                 "over a Unix socket, and one back to the first, which sleeps meanwhile.")


def one_shot(bench):
    ways = bench.ways.some("local", "relay", "msb", "static", "base", "socat", "ssh", "crun")
    names = {key: way.name for key, way in ways.items()}
    calls = {key: way.argv(["true"]) for key, way in ways.items()}
    names["msb_stdin"] = "msb-exec, stdin streams too"
    calls["msb_stdin"] = ways["msb"].argv(["true"], stdin=True)
    waker = calls["wake"] = Waker(bench)
    for key, started, _ in FLOORS:
        if key in ways:
            calls[started] = [f"{ways[key].build}/msb-exec", "--version"]
    try:
        samples = round_robin(calls, bench.times)
    finally:
        waker.stop()
    ours, local = p50(samples["msb"]), p50(samples["local"])
    rows = []
    for key in sorted(names, key=lambda key: p50(samples[key])):
        middle = p50(samples[key])
        bench.facts[f"latency.{key}"] = middle
        rows.append([names[key], ms(middle), ms(quantile(samples[key], 0.95)),
                     ratio(middle, ours), ratio(middle, local)])
    return [Table("One-shot latency of `true`",
                  ["way", "ms p50", "p95", "to msb-exec", "to a local run"], rows,
                  f"{bench.times} times, each way in turn; from the client's start to its end. "
                  "The bare relay forks for each connection and gives the command a terminal."),
            floors(bench, samples, names)]


# ---- beside a flood ----

class Flood:
    """A client of that way whose command never stops writing, and its reader."""

    def __init__(self, bench, way, mib_per_s, command=("yes",)):
        self.client = start(way.argv(list(command)), stdout=-1)
        self.reader = start([bench.helper("sink"), "0", str(mib_per_s)], stdin=self.client.stdout)
        self.client.stdout.close()
        # Until data flows: the reader has used the CPU, and queues have had time to fill.
        wait_for(lambda: cpu_seconds([self.reader.pid]).get(self.reader.pid, 0) > 0, "a flood")
        time.sleep(0.5)

    def pause(self):
        for process in (self.reader, self.client):
            process.send_signal(signal.SIGSTOP)

    def go_on(self):
        for process in (self.client, self.reader):
            process.send_signal(signal.SIGCONT)

    def stop(self):
        self.go_on()
        end(self.client)
        end(self.reader)

    @staticmethod
    def clear():
        """sshd keeps sessions whose clients were killed, which would slow it from then on."""
        end_strays(os.getpid(), "yes")


def beside_flood(bench):
    """Ways take turns by blocks, so that each flood runs only while it is in question."""
    ways = bench.ways.some("local", "msb", "base", "socat", "ssh")
    block = max(5, bench.times // 10)
    samples = {(key, load): [] for key in ways for load in ("idle", "slow", "fast")}
    for turn in range(1 if bench.short else 5):
        for key, way in shuffled(ways.items(), turn):
            argv = way.argv(["true"])
            for load, rate in (("idle", None), ("slow", SLOW_MIB), ("fast", 0)):
                flood = None if rate is None else Flood(bench, way, rate)
                try:
                    samples[key, load] += round_robin({key: argv}, block)[key]
                finally:
                    if flood:
                        flood.stop()
                        flood.clear()
    rows = []
    for key, way in ways.items():
        middle = {load: p50(samples[key, load]) for load in ("idle", "slow", "fast")}
        for load in ("slow", "fast"):
            bench.facts[f"flood.{load}.{key}"] = middle[load] / middle["idle"]
        rows.append([way.name, ms(middle["idle"]),
                     ms(middle["slow"]), ms(quantile(samples[key, "slow"], 0.95)),
                     ratio(middle["slow"], middle["idle"]),
                     ms(middle["fast"]), ms(quantile(samples[key, "fast"], 0.95)),
                     ratio(middle["fast"], middle["idle"])])
    return [Table("One-shot latency of `true` while another session floods",
                  ["way", "idle, ms p50", "slow reader, ms p50", "p95", "to idle",
                   "fast reader, ms p50", "p95", "to idle"], rows,
                  f"The other session runs `yes`; its slow reader takes {SLOW_MIB} MiB/s, its fast "
                  "one all it can get, and so a CPU or more.")]


# ---- growth ----

def by_environment(bench):
    ways = bench.ways.some("local", "msb", "ssh", "crun")
    sizes = (1, 10, 100, 1000)
    calls = {}
    for size in sizes:
        entries = [f"BENCH_{i}=value{i}" for i in range(size)]
        options = [word for entry in entries for word in ("-e", entry)]
        for key, way in ways.items():
            if key == "local":
                extra = dict(entry.split("=") for entry in entries)
                calls[key, size] = (["true"], {**os.environ, **extra})
            elif key == "msb":
                argv = way.argv(["true"])
                at = argv.index("--")
                calls[key, size] = argv[:at] + options + argv[at:]
            elif key == "crun" or size <= 100:  # sshd takes 128 at most
                calls[key, size] = way.argv(["true"], env=entries)
    samples = round_robin(calls, max(10, bench.times // 4))
    rows = []
    for key, way in ways.items():
        row = [way.name]
        for size in sizes:
            row.append(ms(p50(samples[key, size])) if (key, size) in samples else "-")
        rows.append(row)
    return Table("One-shot latency by variables set for the command, ms p50",
                 ["way", *map(str, sizes)], rows, "sshd takes no more than 128.")


class Idle:
    """Sessions that do nothing, over one connection."""

    def __init__(self, bench, way, count):
        self.way, self.processes = way, []
        if count == 0:
            return
        if way.key == "msb":
            self.processes.append(hold(bench, way, 1, count))
            return
        before = len(descendants(way.listener.pid))
        for _ in range(count):
            self.processes.append(start(way.argv(["sleep", "1000"])))
        wait_for(lambda: len(descendants(way.listener.pid)) >= before + count,
                 "idle sessions of ssh", 30)

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            end(process)
        if self.way.key == "msb":
            wait_quiet(self.way)
        else:
            end_strays(self.way.listener.pid, "sleep")


def hold(bench, way, connections, sessions):
    """A process that keeps idle sessions open, once all of them have started."""
    process = start([bench.helper("crowd"), "hold", way.socket, str(connections), str(sessions),
                     "sleep", "1000"], stdin=-1, stdout=-1)
    if process.stdout.readline() != b"ready\n":
        raise Failed("idle sessions did not start")
    return process


def by_idle_sessions(bench):
    ways = bench.ways.some("msb", "ssh")
    counts = (0, 10, 100) if bench.short else (0, 10, 100, 1000)
    cells = {}
    for count in counts:
        calls, held = {}, []
        try:
            for key, way in ways.items():
                if key == "msb" or count <= 100:  # a thousand clients of ssh are too much here
                    held.append(Idle(bench, way, count))
                    calls[key] = way.argv(["true"])
            for key, samples in round_robin(calls, max(10, bench.times // 4)).items():
                cells[key, count] = ms(p50(samples))
        finally:
            for idle in held:
                idle.stop()
    rows = [[way.name, *(cells.get((key, count), "-") for count in counts)]
            for key, way in ways.items()]
    return Table("One-shot latency by idle sessions that are open, ms p50",
                 ["way", *map(str, counts)], rows, "All of them over one connection.")


def wait_quiet(way):
    """Until the daemon has no command left."""
    wait_for(lambda: not descendants(way.daemon.pid), "the end of all sessions", 20)


def growth(bench):
    return [by_environment(bench), by_idle_sessions(bench)]
