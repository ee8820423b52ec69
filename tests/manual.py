#!/usr/bin/env python3
"""manual.py options HELP PAGE: whether the OPTIONS of a manual page are those of the program's
--help, which comes from its table. manual.py examples PAGE: runs the EXAMPLES of the page, each
of which follows a comment that says what to expect:

	.\\" run STATUS: OUTPUT             the exit status, and a pattern for all of stdout
	.\\" run STATUS as root: OUTPUT     the same, left out for others
	.\\" not run: REASON                visibly, and at most MOST_NOT_RUN of a page"""

import fnmatch
import os
import re
import subprocess
import sys

LIMIT = 15 * float(os.environ.get("SLOW", "1"))
MOST_NOT_RUN = 3


def help_options(path):
    """{long name: (short name or None, whether it takes a value)}"""
    options = {}
    for line in open(path):
        row = re.match(r"  (?:-(\S), |    )--([a-z-]+)( \S)?", line)
        if row:
            options[row[2]] = (row[1], bool(row[3]))
    return options


def section(path, title):
    inside = False
    for line in open(path):
        line = line.rstrip("\n")
        if line.startswith(".Sh "):
            inside = line == f".Sh {title}"
        elif inside:
            yield line


def page_options(path):
    options = {}
    for line in section(path, "OPTIONS"):
        if not line.startswith(".It Fl "):
            continue
        short = re.search(r"\bFl (\S)(?= |$)", line)
        long = re.search(r"\bFl Fl ([a-z-]+)", line)
        assert long, f"no long option: {line}"
        assert long[1] not in options, f"twice: --{long[1]}"
        options[long[1]] = (short and short[1], " Ar " in line)
    return options


def check_options(help_path, page):
    table, told = help_options(help_path), page_options(page)
    assert table, f"no options in {help_path}"
    complaints = [f"--{name} of the table is not in {page}" for name in table.keys() - told.keys()]
    complaints += [f"--{name} of {page} is not in the table" for name in told.keys() - table.keys()]
    complaints += [
        f"--{name}: the table has (short, takes a value) {table[name]}, {page} {told[name]}"
        for name in table.keys() & told.keys()
        if table[name] != told[name]
    ]
    return complaints


def plain(text):
    """What a reader sees of a literal line."""
    for roff, char in ((r"\(aq", "'"), (r"\(dq", '"'), (r"\-", "-"), (r"\&", ""), (r"\e", "\\")):
        text = text.replace(roff, char)
    return text


def examples(page):
    """The comment and the lines of each."""
    comment, lines = None, None
    for line in section(page, "EXAMPLES"):
        if line.startswith('.\\"'):
            comment = line[3:].strip()
        elif line.startswith(".Bd "):
            assert comment, f"{page}: an example without a comment that says what to expect"
            lines = []
        elif line == ".Ed":
            yield comment, "\n".join(map(plain, lines))
            comment, lines = None, None
        elif lines is not None:
            lines.append(line)


def run_example(comment, text):
    """None, or what was wrong."""
    wanted = re.fullmatch(r"run (\d+)( as root)?:\s*(.*)", comment)
    assert wanted, f"not understood: {comment}"
    if wanted[2] and os.geteuid() != 0:
        return None
    try:
        done = subprocess.run(["bash", "-c", text], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"took over {LIMIT} s:\n{text}"
    out = done.stdout.strip()
    if done.returncode == int(wanted[1]) and fnmatch.fnmatchcase(out, wanted[3]):
        return None
    return (f"{text}\n\twanted {comment}\n\tended with {done.returncode}, wrote {out!r}, "
            f"complained {done.stderr!r}")


def check_examples(page):
    complaints, ran, left = [], 0, []
    for comment, text in examples(page):
        if comment.startswith("not run: "):
            left.append(comment)
            continue
        ran += 1
        complaint = run_example(comment, text)
        if complaint:
            complaints.append(complaint)
    if not ran:
        complaints.append(f"{page} has no example that is run")
    if len(left) > MOST_NOT_RUN:
        complaints.append(f"{page} has too many examples that are not run: {left}")
    return complaints


def main():
    complaints = (check_options if sys.argv[1] == "options" else check_examples)(*sys.argv[2:])
    print("\n".join(complaints), end="\n" if complaints else "")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
