#!/usr/bin/env python3
"""generate.py [--check] ROOT PROGRAM...: writes into the completions beside it what comes from the
programs: the options that each names in its --help, and the names of limits, signals and kinds of
address from the tables in ROOT/shared. With --check it only says whether that is what they hold."""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "# >>> from --help by make completions\n", "# <<<\n"

# Of a kept session, by its id or its name.
SESSIONS = ("attach", "wait", "logs", "send", "kill", "remove")

# What a value is, by its option, else by what the help calls it; for zsh and for fish.
ZSH = {
    "user": "_msb_users", "workdir": "_msb_folders", "env": "_msb_variables",
    "rlimit": "_msb_limits", "signal": "($_msb_signals)", "on-disconnect": "(kill hangup keep)",
    "sandbox": "_msb_sandboxes", "security-profile": "(default restricted)",
    "log-level": "(none error warn info debug)", "escape-char": "(none)",
    **dict.fromkeys(SESSIONS, "_msb_sessions"),
    "ENDPOINT": "_msb_endpoints", "FILE": "_files", "PATH": "_files", "DIR": "_files -/",
}
FISH = {
    "user": "-a '(__msb_users)'", "workdir": "-a '(__msb_paths folders)'",
    "env": "-a '(set -nx)'", "rlimit": "-a '(__msb_limits {limits})'", "signal": "-a '{signals}'",
    "on-disconnect": "-a 'kill hangup keep'", "sandbox": "-a '(__msb_sandboxes)'",
    "security-profile": "-a 'default restricted'",
    "log-level": "-a 'none error warn info debug'", "escape-char": "-a none",
    **dict.fromkeys(SESSIONS, "-a '(__msb_sessions)'"),
    "ENDPOINT": "-a '(__msb_endpoints {schemes})'", "FILE": "-F", "PATH": "-F",
    "DIR": "-a '(__fish_complete_directories)'",
}


def read_help(program):
    """(short or None, long, value or None, help) for each option."""
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    rows = []
    for line in text.splitlines():
        row = re.match(r"  (?:-(\S), |    )--([a-z-]+)(?: (\S+))?(?:\s+(.*))?$", line)
        if row:
            rows.append([row[1], row[2], row[3], row[4] or ""])
        elif rows and not rows[-1][3] and line.startswith(" " * 30):
            rows[-1][3] = line.strip()
    assert rows, f"{program} --help names no options"
    return rows


def table(path, pattern):
    with open(path, encoding="utf-8") as file:
        names = re.findall(pattern, file.read())
    assert names, path
    return names


class Facts:
    def __init__(self, root, programs):
        self.options = {os.path.basename(p): read_help(p) for p in sorted(programs)}
        self.limits = table(root + "/shared/wire/rlimit.c", r'ROW\("([a-z]+)"')
        self.signals = table(root + "/shared/names.c", r"\bS\(([A-Z0-9]+)\)")
        self.kinds = table(root + "/shared/address/endpoint.c", r'= \{"([a-z]+):", (\w+)')

    def schemes(self, program):
        side = "CLIENT" if program in ("msb-exec", "msb-exec-console") else "DAEMON"
        return " ".join(kind + ":" for kind, sides in self.kinds
                        if sides == "BOTH" or sides.endswith(side))


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def bash(facts):
    yield "declare -gA _msb_options _msb_schemes"
    for program, rows in facts.options.items():
        lines = [f"{'-' + short if short else ''}|--{long}|{arg or ''}"
                 for short, long, arg, _ in rows]
        yield f"_msb_options[{program}]=" + quoted("\n".join(lines))
        yield f"_msb_schemes[{program}]=" + quoted(facts.schemes(program))
    yield f"_msb_limits=({' '.join(facts.limits)})"
    yield f"_msb_signals=({' '.join(facts.signals)})"


def zsh_row(short, long, arg, text):
    text = re.sub(r"([\[\]\\])", r"\\\1", text)
    action = ""
    if arg:
        # What the value is called may itself hold colons.
        action = ":" + arg.replace(":", r"\:") + ":" + (ZSH.get(long) or ZSH.get(arg) or " ")
    names = [f"-{short}{'+' if arg else ''}"] if short else []
    names.append(f"--{long}{'=' if arg else ''}")
    plain = " ".join(name.rstrip("+=") for name in names)
    before = "*" if "repeatable" in text or "twice" in text else f"({plain})"
    words = names[0] if len(names) == 1 else "{" + ",".join(names) + "}"
    return f"\t{quoted(before)}{words}{quoted('[' + text + ']' + action)}"


def zsh(facts):
    for program, rows in facts.options.items():
        yield f"_{program.replace('-', '_')}_options=("
        for row in rows:
            yield zsh_row(*row)
        yield ")"
    yield f"_msb_limits=({' '.join(facts.limits)})"
    yield f"_msb_signals=({' '.join(facts.signals)})"
    yield "typeset -gA _msb_schemes"
    for program in facts.options:
        yield f"_msb_schemes[{program}]={quoted(facts.schemes(program))}"


def fish_row(facts, program, short, long, arg, text):
    words = [f"complete -c {program}"]
    if program == "msb-exec":
        words.append("-n '__msb_operands_are -lt 0'")
    if short:
        words.append(f"-s {short}")
    words.append(f"-l {long}")
    if arg:
        value = FISH.get(long) or FISH.get(arg) or ""
        words.append(("-r " if value == "-F" else "-x ") + value.format(
            limits=" ".join(name + "=" for name in facts.limits),
            signals=" ".join(facts.signals), schemes=facts.schemes(program)))
    words.append("-d " + "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'")
    return " ".join(word.strip() for word in words)


def fish(facts):
    with_value = [name for short, long, arg, _ in facts.options["msb-exec"] if arg
                  for name in ([f"-{short}"] if short else []) + [f"--{long}"]]
    yield f"set -g __msb_exec_with_value {' '.join(with_value)}"
    for program, rows in facts.options.items():
        for row in rows:
            yield fish_row(facts, program, *row)


def main():
    check = sys.argv[1] == "--check"
    root, *programs = sys.argv[2 if check else 1:]
    facts = Facts(root, programs)
    stale = []
    for name, rows in (("msb-exec.bash", bash), ("_msb-exec", zsh), ("msb-exec.fish", fish)):
        path = f"{HERE}/{name}"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2]
        made = before + BEGIN + "\n".join(rows(facts)) + "\n" + END + after
        if made == text:
            continue
        stale.append(name)
        if not check:
            with open(path, "w", encoding="utf-8") as file:
                file.write(made)
    if check and stale:
        print(f"not what --help says: {' '.join(stale)}; run make completions")
        sys.exit(1)


if __name__ == "__main__":
    main()
