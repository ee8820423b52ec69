#!/usr/bin/env python3
"""promises.py PAGE TESTS: whether every claim of the page names a test that there is in that folder. A claim is an
item of a list, but below the headings in UNCLAIMED; it names `x.bats: "words of a test's name"`, of one test, or a
function of a unit test, `test_x.c: function`. Prints what is wrong, and fails if anything is."""

import pathlib
import re
import sys

UNCLAIMED = ("Who trusts whom", "What is not promised")
NAMED = re.compile(r'`((?:[a-z]+/)?[a-z_]+\.(?:bats|c)): ("?)([^`]+?)\2`')


def items(page):
    """(heading, line number, text) of each item of a list."""
    heading, found = "", []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
            continue
        if line.startswith("- "):
            found.append([heading, number, line[2:]])
        elif line.startswith("  ") and found:
            found[-1][2] += " " + line.strip()
    return found


def complaint(tests, name, words):
    """Why that is no test, or None."""
    if name.endswith(".bats"):
        path = tests / name
        those = re.findall(r'^@test "(.*)" \{$', path.read_text(), re.M) if path.exists() else []
        count = sum(words in test.replace("\\", "") for test in those)
        return None if count == 1 else f"{count} tests of {name} have these words: {words}"
    path = tests / "unit" / name
    text = path.read_text() if path.exists() else ""
    # There, and named once more, among those that main() runs.
    if re.search(rf"^static void {words}\(void \*\*state\)", text, re.M) and len(re.findall(rf"\b{words}\b", text)) > 1:
        return None
    return f"no test of {name} is called {words}"


def main():
    page, tests = map(pathlib.Path, sys.argv[1:])
    wrong, claims = [], 0
    for heading, number, text in items(page):
        named = NAMED.findall(text)
        # What looks like one and is none would not be looked for.
        if len(named) != len(re.findall(r"\.(?:bats|c): ", text)):
            wrong.append(f"{page}:{number}: a test is not named as `x.bats: \"words\"` or `test_x.c: function`")
        if heading not in UNCLAIMED:
            claims += 1
            if not named:
                wrong.append(f"{page}:{number}: no test holds it: {text}")
        for name, _, words in named:
            if why := complaint(tests, name, words):
                wrong.append(f"{page}:{number}: {why}")
    if not claims:
        wrong.append(f"{page}: it claims nothing")
    print("\n".join(wrong) if wrong else f"{claims} claims, each with its test")
    return 1 if wrong else 0


sys.exit(main())
