"""What strikes the processes of a round while its clients are at work. A calm round stops somebody for
a moment and sets clocks, which nobody may notice; a rough one kills anybody, stops for longer than
patience lasts, lets hours pass, and takes descriptors and processes away."""

import collections
import contextlib
import os
import select
import signal
import threading
import time

from world import (CGROUP, CHARDEV, CLOCKS, DAEMON, FOLDER, LIMIT, RELAY, SERVERS, children, children_lock,
                   claim, only, rng_of, said_of)

MOMENT = 1.0
YEARS = 86400 * 3653


def handles(pids):
    """Descriptors for processes, so that nobody else is meant who gets their numbers."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            found[pid] = os.pidfd_open(pid)
    return found


def tell(handle, number):
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)


class Chaos:
    """Strikes again and again, in threads of its own: one that stops, and in a rough round one that takes."""

    def __init__(self, rough, *seed):
        self.done = collections.Counter()
        self.failures = []
        self.begun, self.story = time.monotonic(), []
        self.over = threading.Event()
        lists = {"takes": TAKES, "stops": STOPS_LONG} if rough else {"stops": STOPS}
        lists = {name: only("STRIKES", strikes) for name, strikes in lists.items()}
        self.threads = [threading.Thread(target=self.work, args=(strikes, rng_of("chaos", name, *seed)))
                        for name, strikes in lists.items()]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        # What waits in the midst of a strike is woken, too.
        self.over.set()
        for thread in self.threads:
            thread.join()
        for clock in CLOCKS.values():
            clock.step()

    def work(self, strikes, rng):
        while not self.over.wait(rng.uniform(0.05, 1)):
            strike = rng.choice(strikes)
            try:
                what = strike(rng, self.over.wait)
            except Exception as error:  # whatever it is, the round goes on
                self.failures.append(f"{strike.__name__}: {type(error).__name__}: {error}")
            else:
                self.struck(f"{strike.__name__} {what or ''}".strip())

    def struck(self, what):
        self.done[what] += 1
        self.story.append(f"{time.monotonic() - self.begun:.1f} {what}")


# ---- who is meant ----

def client(rng):
    with children_lock:
        # In an order that is the same once more, as far as the clients are.
        running = sorted((one for one in children if one.returncode is None), key=lambda one: one.pid)
    return rng.choice(running) if running else None


def command(rng):
    found = handles(DAEMON.children())
    chosen = rng.choice(list(found.values())) if found else None
    for handle in found.values():
        if handle != chosen:
            os.close(handle)
    return chosen


# ---- of calm rounds ----

def stop_server(rng, pause, seconds=MOMENT):
    server = rng.choice(SERVERS)
    # It may be killed at the same time.
    for handle in handles([server.pid]).values():
        tell(handle, signal.SIGSTOP)
        pause(rng.uniform(0, seconds))
        tell(handle, signal.SIGCONT)
        os.close(handle)
    return server.name


def stop_client(rng, pause, seconds=MOMENT):
    child = client(rng)
    if child:
        child.send_signal(signal.SIGSTOP)
        pause(rng.uniform(0, seconds))
        child.send_signal(signal.SIGCONT)


def stop_command(rng, pause):
    handle = command(rng)
    if handle is not None:
        tell(handle, signal.SIGSTOP)
        pause(rng.uniform(0, MOMENT))
        tell(handle, signal.SIGCONT)
        os.close(handle)


def set_clock(rng, _):
    """The time of day, by ten years or less; nobody waits by that."""
    name = rng.choice(list(CLOCKS))
    CLOCKS[name].step(realtime=rng.choice((-YEARS, YEARS, rng.randrange(-7200, 7200), 0)))
    return name


# ---- of rough rounds ----

def kill_daemon(rng, pause):
    """The commands that it started itself die with it. It is started again."""
    DAEMON.process.send_signal(signal.SIGSTOP)
    wait_stopped(DAEMON.pid)
    commands = handles(DAEMON.children())
    DAEMON.process.kill()
    DAEMON.process.wait()
    late = still_there(commands)
    pause(rng.choice((0, rng.random() * 2)))
    DAEMON.start()
    claim(not late, f"commands of a killed daemon live on: {late}")


def kill_relay(rng, pause):
    kill_and_start(rng, pause, RELAY)


def kill_port(rng, pause):
    # Its link goes first: the number of a terminal that is gone may be anybody's next, and a daemon that begins
    # meanwhile would hold that one.
    CHARDEV.process.send_signal(signal.SIGSTOP)
    wait_stopped(CHARDEV.pid)
    for name in "port", "port.new", "chardev.new":
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{FOLDER}/{name}")
    kill_and_start(rng, pause, CHARDEV)


def kill_and_start(rng, pause, server):
    server.process.kill()
    server.process.wait()
    pause(rng.choice((0, rng.random() * 2)))
    server.start()


def kill_client(rng, _):
    child = client(rng)
    if child:
        child.struck = True
        child.kill()


def kill_command(rng, _):
    handle = command(rng)
    if handle is not None:
        tell(handle, signal.SIGKILL)
        os.close(handle)


def stop_long(rng, pause):
    return stop_server(rng, pause, rng.choice((2, 5, 14, 30)))


def stop_client_long(rng, pause):
    stop_client(rng, pause, 5)


def pass_time(rng, _):
    """For all clients or all servers, which may lose patience by it."""
    name = rng.choice(list(CLOCKS))
    CLOCKS[name].step(monotonic=rng.choice((1, 5, 30, 3600)))
    return name


def few_descriptors(rng, pause):
    server = rng.choice((DAEMON, RELAY))
    before = server.limit_fds(server.fds() + rng.randrange(-2, 8))
    pause(rng.uniform(0.2, 2))
    server.limit_fds(before)
    return server.name


def few_processes(rng, pause):
    if not os.path.isdir(CGROUP):
        return "not: no cgroup"
    set_pids(max(0, int(said_of("self", f"root{CGROUP}/pids.current")) + rng.randrange(-2, 5)))
    pause(rng.uniform(0.2, 2))
    set_pids("max")


def set_pids(most):
    with open(CGROUP + "/pids.max", "w", encoding="ascii") as file:
        file.write(str(most))


def wait_stopped(pid):
    end = time.monotonic() + LIMIT
    while said_of(pid, "stat").rpartition(b")")[2][1:2] != b"T" and time.monotonic() < end:
        time.sleep(0.001)


def still_there(commands):
    """Those that do not end in time, and what they are."""
    end, late = time.monotonic() + LIMIT, []
    for pid, handle in commands.items():
        if not select.select([handle], [], [], max(0, end - time.monotonic()))[0]:
            late.append((pid, said_of(pid, "cmdline")))
        os.close(handle)
    return late


STOPS = (stop_server, stop_client, stop_command, set_clock)
STOPS_LONG = (*STOPS, *STOPS, stop_long, stop_client_long, pass_time)
TAKES = (kill_daemon, kill_relay, kill_port, kill_client, kill_client, kill_client, kill_command, kill_command,
         kill_command, few_descriptors, few_descriptors, few_processes, few_processes)
