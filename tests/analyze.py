#!/usr/bin/env python3
"""Has gcc's analyzer read C files, as many at a time as there are processors, and says what it found.

analyze.py COMPILER... -- FILE.c...

It is wrong at times. Such a place has a comment that begins with -fanalyzer: and says why, on the line that
it speaks of or on the one before; of memory that is said to leak, also where it was allocated. One that
excuses nothing any more is told, but is no failure: another release of gcc may know better, or worse.
"""

import concurrent.futures
import json
import os
import subprocess
import sys

MARK = "-fanalyzer:"


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [""] + file.read().split("\n")


def place_of(location):
    caret = location.get("caret", location)
    return os.path.relpath(caret.get("file", "?")), caret.get("line", 0)


def places_of(finding):
    """Where a comment may stand, the place itself first."""
    places = [place_of(location) for location in finding["locations"][:1]]
    places += [place_of(event["location"]) for event in finding.get("path", [])
               if event["description"] == "allocated here" and "location" in event]
    return places


def mark_of(place):
    """The line of the comment that excuses it, which may take more than one line, or None."""
    path, line = place
    if not os.path.isfile(path):
        return None
    lines = lines_of(path)
    for at in (line, line - 1):
        while lines[at].strip().startswith("*") and at > 1:
            at -= 1
        if MARK in lines[at]:
            return path, at
    return None


def read(compiler, file):
    flags = ["-fanalyzer", "-fdiagnostics-format=json", "-O0", "-c", "-o", os.devnull]
    done = subprocess.run([*compiler, *flags, file], capture_output=True, text=True, check=False)
    found = []
    for line in done.stderr.splitlines():
        found += json.loads(line) if line.startswith("[") else [{"message": line, "locations": []}] if line else []
    return done.returncode, [finding for finding in found if finding.get("kind") != "note"]


def main():
    at = sys.argv.index("--")
    compiler, files = sys.argv[1:at], sys.argv[at + 1:]
    bad, used = 0, set()
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for status, findings in pool.map(lambda file: read(compiler, file), files):
            bad += bool(status) and not findings
            for finding in findings:
                places = places_of(finding)
                marks = [mark for mark in map(mark_of, places) if mark]
                used.update(marks)
                if not marks:
                    bad += 1
                    where = "%s:%d: " % places[0] if places else ""
                    print(f"{where}{finding['message']} {finding.get('option', '')}")
    marked = {(path, at) for path in files for at, line in enumerate(lines_of(path)) if MARK in line}
    for path, at in sorted(marked - used):
        print(f"{path}:{at}: nothing to excuse here for this compiler")
    print(f"-fanalyzer: {len(files)} files, {bad} to be seen to, {len(used)} excused")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
