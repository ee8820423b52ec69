#!/usr/bin/env python3
"""Says how many lines of each file the tests have run, by the counts that gcov finds in BUILD, and whether
that is enough.

report.py BUILD REASONS

What no test runs is listed by functions, each with the reason that REASONS gives. There a line is
FILE [FUNCTION]: WHY, for one function of a file or for all those that have no line of their own. Of other lines
what they say themselves is told: that memory is out, or that a call fails. It fails if
shared and daemon, or cli, have less than they must. It says, and no more, if a file that has less than FILE_LEAST
is not in REASONS, nor a function that does not run at all, and if a line there speaks of what is not there, or
runs wholly by now: a process that is killed while it writes its counts spoils those of one file until the end
of the run, so that any figure may be too low.
"""

import collections
import glob
import json
import os
import re
import subprocess
import sys

MEMORY = re.compile(r"ENOMEM|no_?memory|out_of_memory|alloc\(|strn?dup\(|asprintf\(|buf_(reserve|append)\(.*< 0")
FAILS = re.compile(r"errno|strerror|< 0|-E[A-Z]+|err_set|err_about|goto out|cannot|fail")
LEAST = {"shared and daemon": 92, "cli": 88}
FILE_LEAST = 85


def group_of(path):
    return "cli" if path.startswith("cli/") else "shared and daemon"


def counts_of(build):
    """{file: {line: (count, function)}}; what several programs or files include is counted once."""
    files = collections.defaultdict(dict)
    names = sorted(name for name in glob.glob(build + "/**/*.gcno", recursive=True) if "/tests/" not in name)
    # Of a file of which nothing ran there are no counts, which is no failure.
    done = subprocess.run([os.environ.get("GCOV", "gcov"), "--json-format", "--stdout", *names],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    for text in done.stdout.splitlines():
        for file in json.loads(text)["files"]:
            if os.path.isabs(file["file"]):
                continue
            lines = files[os.path.normpath(file["file"])]
            for line in file["lines"]:
                number, count = line["line_number"], line["count"]
                before = lines.get(number, (0, ""))
                lines[number] = (before[0] + count, line.get("function_name", before[1]))
    return files


def reasons_of(path):
    reasons = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                what, _, why = line.rstrip("\n").partition(": ")
                name, _, function = what.partition(" ")
                reasons[name, function] = why
    return reasons


def ranges_of(numbers, lines):
    """Lines that follow each other, as far as there is code."""
    order = {number: at for at, number in enumerate(sorted(lines))}
    ranges = []
    for number in sorted(numbers):
        if ranges and order[number] == order[ranges[-1][1]] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in ranges)


def why_of(path, missed):
    """What the lines say of it, with those two before them, which decide."""
    whys = set()
    with open(path, encoding="utf-8") as file:
        text = file.read().split("\n")
    for number in missed:
        near = "\n".join(text[max(0, number - 3):number])
        whys.add("no memory" if MEMORY.search(near) else "a call fails" if FAILS.search(near) else "?")
    # A line in the midst of such a piece says nothing by itself.
    return ", ".join(sorted(whys - {"?"})) or "?"


def percent(lines):
    return 100 * sum(count > 0 for count, _ in lines.values()) / len(lines) if lines else 100


def tell_file(path, lines, reasons, used):
    """What is not run of it; returns what is wrong about that."""
    wrong = []
    functions = collections.defaultdict(dict)
    for number, (count, function) in lines.items():
        functions[function][number] = (count, function)
    print(f"{percent(lines):6.1f}%  {path}")
    for function, its in functions.items():
        missed = [number for number, (count, _) in its.items() if not count]
        if not missed:
            continue
        key = next((key for key in ((path, function), (path, "")) if key in reasons), None)
        used.add(key)
        print(f"            {function} {ranges_of(missed, lines)}: {reasons.get(key) or why_of(path, missed)}")
        if len(missed) == len(its) and not key:
            wrong.append(f"{path}: {function} does not run, and no reason is given")
    if percent(lines) < FILE_LEAST and not any(path == name for name, _ in reasons):
        wrong.append(f"{path}: {percent(lines):.1f}% of it runs, less than {FILE_LEAST}%, and no reason is given")
    return wrong


def main():
    build, where = sys.argv[1:]
    files, reasons, used, wrong = counts_of(build), reasons_of(where), set(), []
    totals = {group: {} for group in LEAST}
    for path in sorted(files):
        wrong += tell_file(path, files[path], reasons, used)
        totals[group_of(path)].update({(path, number): value for number, value in files[path].items()})
    for name, function in sorted(reasons.keys() - used):
        wrong.append(f"{where}: {name} {function}: there is nothing there that does not run".replace(" :", ":"))
    for group, lines in totals.items():
        ran = sum(count > 0 for count, _ in lines.values())
        print(f"coverage: {group}: {percent(lines):.2f}%, {ran} of {len(lines)} lines, at least {LEAST[group]}%")
    for line in wrong:
        print("coverage: " + line)
    sys.exit(any(percent(lines) < LEAST[group] for group, lines in totals.items()))


if __name__ == "__main__":
    main()
