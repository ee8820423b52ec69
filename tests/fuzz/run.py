#!/usr/bin/env python3
"""run.py SECONDS DIR TARGET...: runs each fuzz target for so long, from its seeds and what earlier
runs have learnt (DIR/corpus), and says ok or not ok for each. What broke one is in DIR/found, with
the line that runs it again."""

import os
import re
import subprocess
import sys

from seeds import seeds

ONE_INPUT_S = 10  # of which none may take longer
MEMORY_MB = 1024
INPUT_MAX = 32768  # bytes


def plant(target, folder):
    os.makedirs(folder, exist_ok=True)
    for i, data in enumerate(seeds(target)):
        with open(f"{folder}/seed-{i}", "wb") as file:
            file.write(data[:INPUT_MAX])


def run(program, seconds, top):
    target = os.path.basename(program)
    corpus, found = f"{top}/corpus/{target}", f"{top}/found"
    os.makedirs(found, exist_ok=True)
    plant(target, corpus)
    log = f"{top}/{target}.log"
    # close_fd_mask: what the target itself prints is not wanted, and some of it is the input.
    with open(log, "wb") as out:
        status = subprocess.run(
            [os.path.abspath(program), f"-max_total_time={seconds}", f"-timeout={ONE_INPUT_S}",
             f"-rss_limit_mb={MEMORY_MB}", f"-max_len={INPUT_MAX}", "-print_final_stats=1",
             "-close_fd_mask=3", f"-artifact_prefix={found}/{target}-", corpus],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=seconds * 2 + 120,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"}).returncode
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read()
    runs = re.search(r"number_of_executed_units: (\d+)", text)
    count = int(runs[1]) if runs else 0
    good = status == 0 and count > 0
    print(f"{'ok' if good else 'not ok'} - fuzz: {target} takes {count} inputs in {seconds} s",
          flush=True)
    if not good:
        print("\n".join("# " + line for line in text.splitlines()[-60:]))
        print(f"# again: {program} {found}/{target}-...")
    return good


def main():
    seconds, top = int(sys.argv[1]), sys.argv[2]
    results = [run(program, seconds, top) for program in sys.argv[3:]]
    sys.exit(not (results and all(results)))


if __name__ == "__main__":
    main()
