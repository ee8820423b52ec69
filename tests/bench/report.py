"""Numbers as text, tables as Markdown, and what is promised."""
import os
import platform
import statistics
import subprocess
import time


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

    def row(self, facts):
        sign = "<=" if self.most else ">="
        limit = f"{sign} {self.must:g}{self.unit}"
        goal = f"{self.goal:g}{self.unit}" if isinstance(self.goal, (int, float)) else self.goal
        try:
            value = self.figure(facts)
        except (KeyError, ZeroDivisionError):
            return [self.text, limit, goal, "not measured", "-"]
        verdict = "ok" if self.keeps(value, self.must) else "missed"
        if verdict == "ok" and isinstance(self.goal, (int, float)):
            verdict += ", and the goal" if self.keeps(value, self.goal) else ""
        return [self.text, limit, goal, f"{value:.3g}{self.unit}", verdict]


def over(upper, lower):
    return lambda facts: facts[upper] / facts[lower]


def fact(name):
    return lambda facts: facts[name]


def echo_goal(facts):
    """The goal of the echo is set by the bare relay."""
    return facts["echo.idle.p50.msb"] / facts["echo.idle.p50.relay"]


def at_least(text, must, goal, figure, unit="x"):
    return Promise(text, must, goal, figure, unit, most=False)


PROMISES = [
    Promise("one-shot `true`, to a local run", 2.5, 2.1, over("latency.msb", "latency.local")),
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
    Promise("echo p50, idle, to ssh", 1, "see below", over("echo.idle.p50.msb", "echo.idle.p50.ssh")),
    Promise("echo p99 beside a flood with a slow reader, to ssh", 0.5, "-",
            over("echo.slow.p99.msb", "echo.slow.p99.ssh")),
    Promise("echo p99 beside a flood with a fast reader, to ssh", 0.5, "-",
            over("echo.fast.p99.msb", "echo.fast.p99.ssh")),
    Promise("one-shot p50 beside a flood with a slow reader, to idle", 1.6, 1.2,
            fact("flood.slow.msb")),
    Promise("one-shot p50 beside a flood with a fast reader, to idle", 1.6, 1.2,
            fact("flood.fast.msb")),
    Promise("daemon, fresh and idle", 2, 1.3, fact("memory.fresh.msb"), " MiB"),
    Promise("daemon, for each stalled reader", 1.5, 0.5, fact("memory.stalled.msb"), " MiB"),
    Promise("daemon, for each idle session", 12, 4, fact("memory.session.msb"), " KiB"),
    Promise("1000 sessions over one connection", 1.5, 0.8, fact("crowd.one"), " s"),
    Promise("1000 sessions over 1000 connections", 3, 1.5, fact("crowd.many"), " s"),
]


def promises(facts):
    rows = [promise.row(facts) for promise in PROMISES]
    note = ""
    if "echo.idle.p50.relay" in facts and "echo.idle.p50.msb" in facts:
        value = echo_goal(facts)
        note = (f"The goal for the echo is 1.15x of the bare relay's; measured {value:.2f}x, "
                + ("reached." if value <= 1.15 else "not reached."))
    return Table("What is promised", ["promise", "must", "goal", "measured", ""], rows, note)


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


def heading(bench, tables):
    versions = [first_line(f"{bench.build}/msb-exec", "--version")]
    for way in bench.ways.values():
        if way.key == "ssh":
            versions.append(first_line("ssh", "-V"))
        elif way.key == "socat":
            versions.append(socat_version())
        elif way.key == "crun":
            versions.append(first_line("crun", "--version"))
    lines = ["# msb-exec beside what people use today", "",
             f"{time.strftime('%Y-%m-%d')}; Linux {platform.release()}; {os.cpu_count()} cores, "
             f"{processor()}; load before {bench.load:.2f}.", "", "; ".join(versions) + ".", ""]
    if bench.short:
        lines += ["The short form: few rounds and small sizes. Its figures prove little.", ""]
    for name, why in bench.ways.skipped.items():
        lines += [f"Left out: {name}: {why}.", ""]
    for name, why in bench.failed.items():
        lines += [f"FAILED: {name}: {why}.", ""]
    return "\n".join(lines) + "\n" + "\n".join(table.markdown() for table in tables)
