#!/usr/bin/env python3
"""Runs test files side by side and gives their output as one, file by file, as each ends.

run.py [-j JOBS] [--bats=FLAG]... [-n FACTOR] [-l LOAD] [--times] JOB...

A JOB is a bats file, several with + between them that one bats runs, a folder of files, or a program whose
status tells; NAME=VALUE: before it goes into its environment. FLAG is for bats. Tests wait more than they
compute, hence five times as many JOBS as there are processors (twice, where the programs are slower), and
hence limits of time that stretch: $SLOW, unless it is given, is FACTOR (what the programs are slower by,
$FACTOR) times how often the processors are shared out, among JOBS and the LOAD beside them;
$BATS_TEST_TIMEOUT follows it.

--times says at the end what each JOB took of a processor, most first: beside others that is what can be
compared. What its tests did not wait for, such as a daemon that was detached, is not in it.

Tests are numbered throughout, the plan comes at the end, and a file that ends badly without a failed
test counts as one. Needs nothing but bats and Python.
"""

import argparse
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

# What takes longest begins first, or it would be waited for alone. Only the time depends on this list.
LONGEST = """relay_reference keepalive bounds attach kept kept_wire console_lost console_same json tools tools_sync oldagent kill
    guests complete badinput budgets relay unanswered wire console_keys leave signals tty serial copy
    waiting connect stream units flow exec_transport install run readme daemon_limits replay console
    locally json_ways json_text json json_disk merge examples hostile_client house privileges log_file cgroup""".split()
TIMEOUT = 60  # seconds for a test, times SLOW
RESULT = re.compile(rb"(ok|not ok) \d+ (.*)")
TOOK = re.compile(r" in \d+ms( # .*)?$")
PLAN = re.compile(rb"1\.\.\d+\s*$")


class Job:
    def __init__(self, word, flags):
        self.env = dict(pair.split("=", 1) for pair in word.split(":")[:-1])
        paths = word.split(":")[-1].split("+")
        self.name = ", ".join([*map(os.path.relpath, paths), *word.split(":")[:-1]])
        self.argv = ["bats", "--timing", *flags, *paths] if paths[0].endswith(".bats") else paths
        stem = os.path.basename(paths[0]).removesuffix(".bats")
        self.rank = LONGEST.index(stem) if stem in LONGEST else len(LONGEST)
        self.process = None

    def start(self):
        """In a session of its own, so that all of it can be ended, and no test sees our terminal."""
        self.begin = time.monotonic()
        self.output = tempfile.TemporaryFile()
        # A file, not a pipe: what outlives its test is no reason to wait for it.
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT, env={**os.environ, **self.env},
                                        start_new_session=True)

    def ended(self):
        if self.process.returncode is None:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid != 0:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                self.took = usage.ru_utime, usage.ru_stime, time.monotonic() - self.begin
        return self.process.returncode is not None

    def signal(self, number):
        """All that still runs of it; False if nothing does."""
        self.ended()
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def is_ours(self, pid):
        try:
            return pid > 0 and os.getsid(pid) == self.process.pid
        except OSError:
            return False

    def end_watchdogs(self):
        """A test may be so short that the shell which is to end it after its time is told to go before it
        hears such a thing, or before it has seen to its sleep. What is left of the two then holds bats'
        pipe, and the file would last as long."""
        wanted = b"sleep\0%s\0" % os.environ["BATS_TEST_TIMEOUT"].encode()
        for folder in glob.glob("/proc/[0-9]*"):
            pid = int(folder[6:])
            try:
                with open(folder + "/cmdline", "rb") as file:
                    if file.read() != wanted or not self.is_ours(pid):
                        continue
                shell = parent_of(pid)
                # The shell first: at the end of its sleep it would go on.
                if self.is_ours(shell) and not self.is_ours(parent_of(shell)):
                    os.kill(shell, signal.SIGKILL)
                elif self.is_ours(shell):
                    continue
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass  # it has ended meanwhile


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


class Report:
    def __init__(self):
        self.tests = self.skipped = 0
        self.failed = []

    def result(self, how, what, job):
        self.tests += 1
        self.skipped += b" # skip" in what
        if how == b"not ok":
            self.failed.append(job.name + ": " + TOOK.sub("", what.decode(errors="replace")))
        return b"%s %d %s\n" % (how, self.tests, what)

    def add(self, job):
        """All that a job that has ended has said, and how it ended."""
        out = sys.stdout.buffer
        failed = len(self.failed)
        out.write(b"# %s: %.1f s\n" % (job.name.encode(), time.monotonic() - job.begin))
        job.output.seek(0)
        broken = False
        for line in job.output:
            match = RESULT.match(line)
            if match:
                line = self.result(*match.groups(), job)
            # Without bats the program has words of its own for what failed.
            elif line.startswith(b"[  FAILED  ]"):
                self.failed.append(job.name + ": " + line[12:].decode(errors="replace").strip())
            broken = broken or line.startswith(b"# bats warning: Executed")
            if not PLAN.match(line):
                out.write(line)
        job.output.close()
        status = job.process.returncode
        if status != 0 and (len(self.failed) == failed or broken):
            out.write(self.result(b"not ok", b"%s ended with %d" % (job.name.encode(), status), job))
        out.flush()


def tell_times(jobs):
    print("# seconds of a processor, of it the system's, and from begin to end:")
    rows = [(user + system, system, wall, job.name) for job in jobs for user, system, wall in [job.took]]
    for row in [*sorted(rows, reverse=True), (*(sum(column) for column in [*zip(*rows)][:3]), "all")]:
        print("# %7.2f %7.2f %7.2f  %s" % row)


def jobs_of(words, flags):
    jobs = []
    for word in words:
        prefix, _, path = word.rpartition(":")
        paths = sorted(glob.glob(path + "/*.bats")) if os.path.isdir(path) else [path]
        jobs += [Job(":".join(filter(None, [prefix, path])), flags) for path in paths]
    return sorted(jobs, key=lambda job: job.rank)


def run(waiting, limit, report):
    running, looked = [], 0
    try:
        while waiting or running:
            if time.monotonic() - looked > 1:
                looked = time.monotonic()
                for job in running:
                    job.end_watchdogs()
            while waiting and len(running) < limit:
                running.append(waiting.pop(0))
                running[-1].start()
            for job in [job for job in running if job.ended()]:
                job.signal(signal.SIGKILL)  # what it left behind
                running.remove(job)
                report.add(job)
            time.sleep(0.02)
    finally:
        # Interrupted: bats lets its tests tidy up at an INT; what does not is ended all the same.
        for number, patience in (signal.SIGINT, 3), (signal.SIGTERM, 3), (signal.SIGKILL, 1):
            running = [job for job in running if job.signal(number)]
            until = time.monotonic() + patience
            while running and time.monotonic() < until:
                time.sleep(0.05)
                running = [job for job in running if job.signal(0)]


def main():
    processors = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser()
    parser.add_argument("-j", dest="jobs", type=int, default=0)
    parser.add_argument("--bats", dest="flags", action="append", default=[])
    parser.add_argument("-n", dest="factor", type=int, default=1)
    parser.add_argument("-l", dest="load", type=int, default=0)
    parser.add_argument("--times", action="store_true")
    parser.add_argument("words", nargs="+")
    args = parser.parse_args()
    jobs = jobs_of(args.words, args.flags)
    # Slower programs compute more than they wait.
    limit = min(args.jobs or (5 if args.factor == 1 else 2) * processors, len(jobs))
    # Rounded up: bash counts with whole numbers.
    shared = max(1, -(-(limit + args.load) // processors))
    slow = int(os.environ.get("SLOW") or args.factor * shared)
    os.environ["SLOW"] = str(slow)
    os.environ["FACTOR"] = str(args.factor)
    os.environ["BATS_TEST_TIMEOUT"] = os.environ.get("BATS_TEST_TIMEOUT") or str(TIMEOUT * slow)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    report = Report()
    try:
        run([*jobs], limit, report)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    if args.times:
        tell_times(jobs)
    print(f"1..{report.tests}")
    for failed in report.failed:
        print("# failed: " + failed)
    passed = report.tests - report.skipped - len(report.failed)
    print(f"# {report.tests} tests: {passed} passed, {len(report.failed)} failed, {report.skipped} skipped")
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
