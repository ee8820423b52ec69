#!/usr/bin/env python3
"""The tests again and again: again.py TIMES LOAD FOLDER COMMAND...

Runs COMMAND, which is to end like tests/run.py, TIMES times beside LOAD busy loops, and says how long each
run took, which tests ever failed, and how often. FOLDER keeps the output of the runs that had a failure.
Ends with 1 if there was one.
"""

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import time

FAILED = "# failed: "


def busy_loop(parent):
    """Ends with its parent, however that ends."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while os.getppid() == parent:
        sum(range(100000))
    os._exit(0)


def loops(number):
    parent, pids = os.getpid(), []
    for _ in range(number):
        pid = os.fork()
        if pid == 0:
            busy_loop(parent)
        pids.append(pid)
    return pids


def once(command, log):
    """Runs it; its seconds, its failures, and how many tests there were and were skipped."""
    begin = time.monotonic()
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    with open(log, encoding="utf-8", errors="replace") as lines:
        said = lines.read().splitlines()
    failed = [line[len(FAILED):] for line in said if line.startswith(FAILED)]
    if status != 0 and not failed:
        failed = [f"the run ended with {status}"]
    tests = [line for line in said if re.match(r"(not )?ok \d|\[       OK \]", line)]
    skipped = [line for line in tests if "# skip" in line]
    return time.monotonic() - begin, failed, len(tests), len(skipped)


def main():
    times, load, folder, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    count, seconds = collections.Counter(), []
    pids = loops(load)
    try:
        for number in range(1, times + 1):
            log = f"{folder}/run-{number}.log"
            took, failed, tests, skipped = once(command, log)
            seconds.append(took)
            count.update(set(failed))
            print(f"run {number}: {took:.1f} s, {tests} tests, {len(failed)} failed, {skipped} skipped"
                  + (f": {log}" if failed else ""), flush=True)
            if not failed:
                os.unlink(log)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        if seconds:
            print(f"{len(seconds)} of {times} runs beside {load} busy loops: "
                  + " ".join(f"{took:.1f}" for took in seconds) + " s")
            for name, often in sorted(count.items(), key=lambda item: (-item[1], item[0])):
                print(f"failed in {often} of {len(seconds)}: {name}")
            if not count:
                print("no test failed")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
