#!/usr/bin/env python3
"""circles.py BUILD FOLDER...: which files below these folders are in a circle, a line each, with those
by which it closes. A file is a .c with its .h; it knows another one whose header it includes or whose
symbols its object, below BUILD, takes."""

import os
import re
import subprocess
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def known_by_include(sources):
    for source in sources:
        for name in INCLUDE.findall(source.read_text(encoding="utf-8")):
            beside = Path(os.path.normpath(source.parent / name))
            yield source.with_suffix(""), (beside if beside.exists() else Path(name)).with_suffix("")


def known_by_symbol(build, sources):
    defined, taken = {}, []
    for source in sources:
        of = build / source.with_suffix(".o")
        if source.suffix != ".c" or not of.exists():
            continue
        lines = subprocess.run(["nm", "-gP", of], capture_output=True, text=True, check=True).stdout
        for name, kind in (line.split()[:2] for line in lines.splitlines()):
            if kind == "U":
                taken.append((source.with_suffix(""), name))
            else:
                defined[name] = source.with_suffix("")
    assert defined, f"no objects in {build}"
    return ((user, defined[name]) for user, name in taken if name in defined)


def reached(knows, start):
    found, left = set(), [start]
    while left:
        for file in knows.get(left.pop(), set()) - found:
            found.add(file)
            left.append(file)
    return found


def main(build, *folders):
    sources = [path for folder in folders for path in Path(folder).rglob("*.[ch]")]
    knows = {}
    for user, file in [*known_by_include(sources), *known_by_symbol(Path(build), sources)]:
        if user != file:
            knows.setdefault(user, set()).add(file)
    below = {file: reached(knows, file) for file in knows}
    for file in sorted(knows):
        back = sorted(str(other) for other in knows[file] if file in below.get(other, ()))
        if back:
            print(f"{file}: {' '.join(back)}")


main(*sys.argv[1:])
