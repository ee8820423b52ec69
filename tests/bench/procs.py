"""Processes: starting them, ending all of them, and what each has cost."""
import ctypes
import os
import random
import resource
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36


class Failed(Exception):
    """A measurement did not come about; its text says why."""


class LeftOut(Failed):
    """What a measurement needs is not here."""


def shuffled(items, turn):
    """In an order of that turn's own, the same in each run: who always comes behind the same one has its aftermath."""
    items = list(items)
    random.Random(turn).shuffle(items)
    return items


def adopt_orphans():
    """Whatever comes of what we start stays below us, where kill_all() finds it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def raise_file_limit():
    """As many open files as we may have; what we start inherits it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def start(argv, **how):
    """A process in the background, out of reach of the terminal's Ctrl-C."""
    for stream in ("stdin", "stdout", "stderr"):
        how.setdefault(stream, subprocess.DEVNULL)
    return subprocess.Popen(argv, start_new_session=True, **how)


def end(process, number=signal.SIGTERM, limit=5):
    """Ends a process that we started, and closes our ends of its pipes."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(condition, what, limit=10, pause=0.02):
    """Until condition() holds; its value."""
    give_up = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > give_up:
            raise Failed(f"gave up waiting for {what}")
        time.sleep(pause)
    return value


def tree():
    """All processes, as {pid: (parent, name)}; zombies are none."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    before, _, after = file.read().rpartition(")")
            except OSError:
                continue
            state, parent = after.split()[:2]
            if state != "Z":
                found[int(name)] = int(parent), before.partition("(")[2]
    return found


def descendants(root, name=None):
    """The processes below root; with a name, only those of it that hang together."""
    processes = tree()
    found, level = [], {root}
    while level:
        level = {pid for pid, (parent, comm) in processes.items()
                 if parent in level and (name is None or comm.startswith(name))}
        found += level
    return sorted(found)


def end_strays(root, name, limit=5):
    """Ends the commands of that name below root, which servers have left behind."""
    def left():
        processes = tree()
        return [pid for pid in descendants(root) if processes.get(pid, (0, ""))[1] == name]

    for pid in left():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_for(lambda: not left(), f"the end of all {name}", limit)


def kill_all(limit=10):
    """Kills and reaps every process below this one."""
    give_up = time.monotonic() + limit
    while time.monotonic() < give_up:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.02)


def cpu_seconds(pids):
    """{pid: seconds of CPU}; to the nanosecond for a process that sleeps, where the kernel tells."""
    used = {}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
                used[pid] = int(file.read().split()[0]) / 1e9
        except FileNotFoundError:
            try:
                with open(f"/proc/{pid}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            except OSError:
                pass
        except OSError:
            pass
    return used


def cpu_since(before, pids):
    """Seconds of CPU of these processes, since cpu_seconds() said before."""
    return sum(now - before.get(pid, 0) for pid, now in cpu_seconds(pids).items())


def memory_kib(pids):
    """(resident, proportional share) of the processes together, in KiB."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8", errors="replace") as file:
                for line in file:
                    name, _, value = line.partition(":")
                    if name in sums:
                        sums[name] += int(value.split()[0])
        except OSError:
            pass
    return sums["Rss"], sums["Pss"]
