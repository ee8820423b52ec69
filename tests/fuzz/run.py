#!/usr/bin/env python3
"""run.py SECONDS JOBS DIR TARGET...: runs each fuzz target for so many seconds of processor time, JOBS
of them side by side, and says ok or not ok for each; a table at the end says what that came to. They
begin with their seeds and what earlier runs have learnt (DIR/corpus). What broke one is in DIR/found,
with the line that runs it again; once mended it belongs beside this file, in found/TARGET-NAME.bin,
which each run takes first."""

import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from seeds import found, seeds

ONE_INPUT_S = 60  # of which none may take longer, also on a machine that has other things to do
SLOW_INPUT_S = 5  # what takes so long is kept, too
MEMORY_MB = 1024
INPUT_MAX = 32768  # bytes
# A target that waits, or has a small share of the machine, uses less than a second each second: it
# goes on until it has had enough of its time, or so many times as long has passed on the clock.
ENOUGH = 0.95
CLOCK_MAX = 4

says = threading.Lock()


class Result:
    """Of one target: what its runs came to, and the log of the last."""

    def __init__(self, target):
        self.target = target
        self.good, self.wall, self.cpu, self.inputs, self.crashes = True, 0.0, 0.0, 0, 0
        self.cov, self.features, self.corpus, self.slowest, self.log = 0, 0, 0, 0, ""

    def take(self, log, status):
        """Adds what a run says of itself, which a run that was broken says in part."""
        self.log = log
        progress = re.findall(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/", log, re.M)
        counted = re.search(r"number_of_executed_units: (\d+)", log)
        slowest = re.search(r"slowest_unit_time_sec: (\d+)", log)
        inputs = int(counted[1]) if counted else int(progress[-1][0]) if progress else 0
        if progress:
            self.cov, self.features, self.corpus = (int(n) for n in progress[-1][1:])
        if slowest:
            self.slowest = max(self.slowest, int(slowest[1]))
        self.inputs += inputs
        self.crashes += status != 0
        self.good = self.good and status == 0 and inputs > 0


def plant(target, folder):
    os.makedirs(folder, exist_ok=True)
    for i, data in enumerate(seeds(target)):
        with open(f"{folder}/seed-{i}", "wb") as file:
            file.write(data[:INPUT_MAX])


def wait(process, limit_s):
    """Its status and the processor time that it took; killed if it does not end."""
    guard = threading.Timer(limit_s, process.kill)
    guard.start()
    _, status, usage = os.wait4(process.pid, 0)
    guard.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def start(program, args, out):
    return subprocess.Popen(
        [os.path.abspath(program), f"-timeout={ONE_INPUT_S}", f"-rss_limit_mb={MEMORY_MB}", *args],
        stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"})


def fuzz_once(program, seconds, top, result):
    target = result.target
    log = f"{top}/{target}.log"
    begin = time.monotonic()
    # close_fd_mask: what the target itself prints is not wanted, and some of it is the input.
    with open(log, "wb") as out:
        process = start(program, [
            f"-max_total_time={seconds}", f"-report_slow_units={SLOW_INPUT_S}",
            f"-max_len={INPUT_MAX}", "-print_final_stats=1", "-close_fd_mask=3",
            f"-artifact_prefix={top}/found/{target}-", f"{top}/corpus/{target}"], out)
        status, cpu = wait(process, seconds * 2 + 600)
    result.wall += time.monotonic() - begin
    result.cpu += cpu
    with open(log, encoding="utf-8", errors="replace") as file:
        result.take(file.read(), status)


def replay(program, top, result):
    """What once broke it is taken first, in a run of its own: no clock can pass it over."""
    inputs = found(result.target)
    if not inputs:
        return
    log = f"{top}/{result.target}.log"
    with open(log, "wb") as out:
        status, _ = wait(start(program, inputs, out), ONE_INPUT_S * (len(inputs) + 10))
    result.good = status == 0
    result.crashes += status != 0
    with open(log, encoding="utf-8", errors="replace") as file:
        result.log = file.read()
    print_lines([f"{'ok' if result.good else 'not ok'} - fuzz: {result.target} takes "
                 f"{len(inputs)} that broke something once"])


def print_lines(lines):
    with says:
        print("\n".join(lines), flush=True)


def run(program, seconds, top):
    result = Result(os.path.basename(program))
    plant(result.target, f"{top}/corpus/{result.target}")
    replay(program, top, result)
    while (result.good and result.cpu < ENOUGH * seconds
           and result.wall < CLOCK_MAX * seconds):
        fuzz_once(program, max(1, round(seconds - result.cpu)), top, result)
    lines = [f"{'ok' if result.good else 'not ok'} - fuzz: {result.target} takes {result.inputs} "
             f"inputs in {result.cpu:.0f} s"]
    if not result.good:
        lines += ["# " + line for line in result.log.splitlines()[-60:]]
        lines.append(f"# again: {program} {top}/found/{result.target}-...")
    print_lines(lines)
    return result


def table(results):
    heads = ("target", "clock s", "cpu s", "inputs", "a cpu s", "cov", "ft", "corpus", "slowest s",
             "crashes")
    rows = [(r.target, f"{r.wall:.0f}", f"{r.cpu:.0f}", str(r.inputs),
             f"{r.inputs / r.cpu:.0f}" if r.cpu else "-", str(r.cov), str(r.features),
             str(r.corpus), str(r.slowest), str(r.crashes)) for r in results]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    for row in (heads, *rows):
        yield "# " + "  ".join([row[0].ljust(widths[0]),
                                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])


def main():
    seconds, jobs, top = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.makedirs(f"{top}/found", exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda program: run(program, seconds, top), sys.argv[4:]))
    print_lines(table(results))
    sys.exit(not (results and all(result.good for result in results)))


if __name__ == "__main__":
    main()
