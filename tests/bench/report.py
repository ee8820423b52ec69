"""Numbers as text, tables as Markdown, and what is promised."""
import os
import platform
import statistics
import subprocess
import time

from rounds import spread


def p50(samples):
    return statistics.median(samples)


def quantile(samples, share):
    """The smallest sample that so large a share is not above."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def number(value, digits):
    return f"{value:.{digits}f}"


def ms(value):
    return f"{value:.2f}"


def ratio(value, base):
    return f"{value / base:.2f}x" if base else "-"


class Table:
    def __init__(self, title, columns, rows, note=""):
        self.title, self.columns, self.rows, self.note = title, columns, rows, note

    def with_rows(self, rows):
        return Table(self.title, self.columns, rows, self.note)

    def markdown(self):
        lines = [f"## {self.title}", ""]
        widths = [max(len(str(row[i])) for row in (self.columns, *self.rows))
                  for i in range(len(self.columns))]
        rule = ["-" * width for width in widths]
        for row in (self.columns, rule, *self.rows):
            lines.append("| " + " | ".join(str(cell).ljust(width)
                                           for cell, width in zip(row, widths)) + " |")
        if self.note:
            lines += ["", self.note]
        return "\n".join(lines) + "\n"


# ---- what is promised ----

class Promise:
    """A figure of ours that must be at most, or at least, so much; the goal is to be better still.
    figure() computes it from the facts, and raises KeyError for what was not measured."""

    def __init__(self, text, must, goal, figure, unit="x", most=True):
        self.text, self.must, self.goal, self.unit, self.most = text, must, goal, unit, most
        self.figure = figure

    def keeps(self, value, limit):
        return value <= limit if self.most else value >= limit

    def shown(self, value):
        return f"{value:.3g}{self.unit}"

    def verdict(self, value):
        value = float(f"{value:.3g}")  # as it is shown
        if not self.keeps(value, self.must):
            return "missed"
        if isinstance(self.goal, (int, float)) and self.keeps(value, self.goal):
            return "ok, and the goal"
        return "ok"

    def row(self, rounds):
        """rounds: the facts of each."""
        sign = "<=" if self.most else ">="
        limit = f"{sign} {self.must:g}{self.unit}"
        goal = f"{self.goal:g}{self.unit}" if isinstance(self.goal, (int, float)) else self.goal
        measured = spread(rounds, self.figure)
        if not measured:
            return [self.text, limit, goal, "not measured", "-"]
        return [self.text, limit, goal, measured.show(self.shown), self.verdict(measured.median)]


def over(upper, lower):
    return lambda facts: facts[upper] / facts[lower]


def fact(name):
    return lambda facts: facts[name]


def at_least(text, must, goal, figure, unit="x"):
    return Promise(text, must, goal, figure, unit, most=False)


PROMISES = [
    Promise("one-shot `true`, to its floor", 1.12, 1.06, over("latency.msb", "latency.floor")),
    Promise("one-shot `true`, static, to its floor", 1.12, 1.06,
            over("latency.static", "latency.floor.static")),
    Promise("one-shot `true`, to a local run", 2.4, 2.2, over("latency.msb", "latency.local")),
    at_least("one-shot `true`, faster than ssh", 4.5, 5.5, over("latency.ssh", "latency.msb")),
    at_least("one-shot `true`, faster than socat", 2.5, 3, over("latency.socat", "latency.msb")),
    at_least("one-shot `true`, faster than crun exec", 2.7, 3.2,
             over("latency.crun", "latency.msb")),
    at_least("stdout, faster than ssh", 3, 6, over("stdout.rate.msb", "stdout.rate.ssh")),
    at_least("stdout, faster than socat", 1.7, 3, over("stdout.rate.msb", "stdout.rate.socat")),
    at_least("stdout, to a local pipe", 0.5, 0.8, over("stdout.rate.msb", "stdout.rate.local")),
    at_least("stdin, faster than ssh", 3, 5, over("stdin.rate.msb", "stdin.rate.ssh")),
    Promise("CPU s/GiB of stdout, both sides, to ssh", 0.333, 0.167,
            over("stdout.cpu.msb", "stdout.cpu.ssh")),
    at_least("output of a terminal, to a local one", 0.7, 0.9, over("tty.rate.msb", "tty.rate.local")),
    at_least("output of a terminal, to the earlier build", 1.8, 3,
             over("tty.rate.msb", "tty.rate.base")),
    at_least("the same, by a driver in Python", 1.8, 3, over("tty.python.msb", "tty.python.base")),
    at_least("the same, `yes` through an emulated port", 10, 30, over("port.yes.msb", "port.yes.base")),
    at_least("the same, 40 bytes a write through an emulated port", 10, 30,
             over("port.lines.msb", "port.lines.base")),
    at_least("the same, 1 KiB a write through an emulated port", 10, 30,
             over("port.kib.msb", "port.kib.base")),
    Promise("echo p50, idle, to ssh", 1, "see below", over("echo.idle.p50.msb", "echo.idle.p50.ssh")),
    Promise("echo p99 beside a flood with a slow reader, to idle", 2, 1.3,
            over("echo.slow.p99.msb", "echo.idle.p99.msb")),
    Promise("echo p99 beside a flood with a fast reader, to idle", 4, 2,
            over("echo.fast.p99.msb", "echo.idle.p99.msb")),
    Promise("echo p99 beside a flood with a slow reader, to ssh", 0.8, 0.5,
            over("echo.slow.p99.msb", "echo.slow.p99.ssh")),
    Promise("echo p99 beside a flood with a fast reader, to ssh", 0.8, 0.5,
            over("echo.fast.p99.msb", "echo.fast.p99.ssh")),
    Promise("one-shot p50 beside a flood with a slow reader, to idle", 1.6, 1.2,
            fact("flood.slow.msb")),
    Promise("one-shot p50 beside a flood with a fast reader, to idle", 1.5, 1.2,
            fact("flood.fast.msb")),
    at_least("sessions a second from 16 clients, to crun exec", 2.5, 4,
             over("many.rate.msb", "many.rate.crun")),
    at_least("sessions a second from 16 clients, to ssh", 4, 8, over("many.rate.msb", "many.rate.ssh")),
    Promise("daemon, fresh and idle", 2, 1.3, fact("memory.fresh.msb"), " MiB"),
    Promise("daemon, fresh and idle, to the earlier build", 1, "-",
            over("memory.fresh.msb", "memory.fresh.base")),
    Promise("daemon, for each stalled reader", 1.5, 0.5, fact("memory.stalled.msb"), " MiB"),
    Promise("daemon, for each idle session", 12, 4, fact("memory.session.msb"), " KiB"),
    Promise("daemon, for each idle session, to the earlier build", 1, "-",
            over("memory.session.msb", "memory.session.base")),
    Promise("1000 sessions over one connection", 1.5, 0.8, fact("crowd.one"), " s"),
    Promise("1000 sessions over 1000 connections", 3, 1.5, fact("crowd.many"), " s"),
]


def promises(rounds):
    """The table, of the facts of each round."""
    rows = [promise.row(rounds) for promise in PROMISES]
    note = ("The median of the rounds, and between what it lay; each round's ratio is of its own "
            "figures. " if len(rounds) > 1 else "")
    # The goal of the echo is set by the bare relay.
    echo = spread(rounds, over("echo.idle.p50.msb", "echo.idle.p50.relay"))
    if echo:
        note += (f"The goal for the echo is 1.15x of the bare relay's; measured {echo.median:.2f}x, "
                 + ("reached." if echo.median <= 1.15 else "not reached."))
    return Table("What is promised", ["promise", "must", "goal", "measured", ""], rows, note.strip())


# ---- the machine ----

def first_line(*argv):
    try:
        done = subprocess.run(argv, stdout=-1, stderr=subprocess.STDOUT, check=False, text=True,
                              timeout=10)
    except OSError:
        return "not installed"
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "?"


def socat_version():
    text = subprocess.run(["socat", "-V"], stdout=-1, check=False, text=True).stdout
    return next((line for line in text.splitlines() if "version" in line), "?")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file
                        if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def versions(ways, build):
    """Of ours and of the rivals that run here."""
    lines = [first_line(f"{build}/msb-exec", "--version")]
    for key in ways:
        if key == "ssh":
            lines.append(first_line("ssh", "-V"))
        elif key == "socat":
            lines.append(socat_version())
        elif key == "crun":
            lines.append(first_line("crun", "--version"))
    return lines


def instructions(build):
    """What `make instructions` has counted last, if it has: a table of its own or a line."""
    try:
        with open(f"{build}/bench/instructions.txt", encoding="utf-8") as file:
            text = file.read().strip()
    except OSError:
        return ""
    return "\n" + (text if text.startswith("#") else f"The cost of a session in instructions: {text}") + "\n"


def heading(run, tables):
    count = len(run.facts)
    lines = ["# msb-exec beside what people use today", "",
             f"{time.strftime('%Y-%m-%d')}; Linux {platform.release()}; {os.cpu_count()} cores, "
             f"{processor()}; load before {run.load:.2f}.", "",
             "; ".join(versions(run.ways, run.build)) + ".", ""]
    if count > 1:
        lines += [f"{count} rounds of all of it. Figures are the medians of the rounds, unless a range "
                  "is shown too.", ""]
    if run.short:
        lines += ["The short form: few rounds and small sizes. Its figures prove little.", ""]
    for name, why in run.skipped.items():
        lines += [f"Left out: {name}: {why}.", ""]
    for what in run.failed:
        lines += [f"FAILED: {what}.", ""]
    return ("\n".join(lines) + "\n" + "\n".join(table.markdown() for table in tables)
            + instructions(run.build))
