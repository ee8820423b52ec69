#!/usr/bin/env python3
"""deaths.py COUNT BUILD [SEED]: so many clients that die suddenly, within the first moments of a command:
plain, in a terminal, in a flood either way, kept, asking; half of them through a relay. Nothing may be left:
descriptors, processes, memory, nor sessions but those that were to be kept. Says ok or not ok."""

import collections
import os
import select
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import checks  # noqa: E402
from world import (DIRECT, RELAYED, SEED, SERVERS, here, report, rng_of, run, servers_end,  # noqa: E402
                   servers_start, start)

AT_ONCE = 8
BATCH = 500  # after each all is looked at; fewer than a daemon keeps sessions
MOMENT = 0.02  # or, on a busy machine, twice as long as a command takes there
KEPT = ("sleep", "1000.5")

WAYS = {
    "plain": ("--", "sh", "-c", "echo out; sleep 1000"),
    "tty": ("-tt", "--", "sh", "-c", "echo out; sleep 1000"),
    "flood": ("--", "yes"),
    "input": ("--", "cat"),
    "json": ("--json", "--", "sh", "-c", "echo out; exit 3"),
    "kept": ("--on-disconnect", "keep", "--", *KEPT),
    "left": ("-d", "--", *KEPT),
    "asking": ("--sessions",),
    "ping": ("--ping",),
    "attached": ("-n", "--attach", "deaths"),
    "looking on": ("--attach", "deaths", "--watch"),
    "sending": ("--send", "deaths"),
    "private": ("--local", "--", "sleep", "1000"),
}


class Deaths:
    def __init__(self, number):
        self.number = number
        self.done = collections.Counter()
        self.late = collections.Counter()  # of those, whose command had written
        self.lock = threading.Lock()

    @staticmethod
    def moment():
        """How long a command takes beside the others, at least."""
        here.way, begin = RELAYED, time.monotonic()
        run("--", "true")
        return max(MOMENT, 2 * (time.monotonic() - begin))

    def one(self, rng, moment):
        way, here.way = rng.choice(list(WAYS)), rng.choice((DIRECT, RELAYED))
        with open("/dev/zero" if way == "input" else os.devnull, "rb") as stdin:
            child = start(*WAYS[way], stdin=stdin, stderr=subprocess.DEVNULL,
                          stdout=rng.choice((subprocess.DEVNULL, subprocess.PIPE)))
        if child.stdout and rng.random() < 0.5:
            # Or what writes would hardly ever have begun to.
            select.select([child.stdout], [], [], moment)
            moment = MOMENT
        time.sleep(rng.uniform(0, moment))
        child.kill()
        child.wait()
        wrote = False
        if child.stdout:
            wrote = bool(child.stdout.read1(1))
            child.stdout.close()
        with self.lock:
            self.done[way] += 1
            self.late[way] += wrote

    def batch(self, count):
        def work(worker):
            rng = rng_of("deaths", self.number, worker)
            moment = self.moment()
            for _ in range(worker, count, AT_ONCE):
                self.one(rng, moment)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def unasked(self):
        """Sessions that nobody wanted to be kept, in lines."""
        found = [one for one in checks.sessions() if one["name"] != "deaths"]
        wrong = [f"a session that was not to be kept: {one}" for one in found if one["command"] != list(KEPT)]
        if len(found) > self.done["kept"] + self.done["left"]:
            wrong.append(f"{len(found)} sessions are kept, more than were begun")
        return wrong


def die(count):
    """So many; what is wrong then, in lines."""
    begun, done, late, wrong = time.monotonic(), collections.Counter(), collections.Counter(), []
    for number, first in enumerate(range(0, count, BATCH)):
        here.way = DIRECT
        run("-d", "--name", "deaths", "--", "sleep", "1000")
        deaths = Deaths(number)
        deaths.batch(min(BATCH, count - first))
        done, late = done + deaths.done, late + deaths.late
        lines = deaths.unasked() + checks.after_round(True)
        wrong += [f"batch {number}: {line}" for line in lines]
        for line in lines:
            print(f"# {time.strftime('%T')} seed {SEED} batch {number}: {line}", flush=True)
    print(f"# {sum(done.values())} deaths in {time.monotonic() - begun:.0f} s: {dict(sorted(done.items()))}; of "
          f"the half that had somebody to write to, {sum(late.values())} had begun to", flush=True)
    return wrong


def main():
    print(f"# seed {SEED}", flush=True)
    checks.no_disk()
    wrong = ["it did not come to its end"]
    try:
        servers_start()
        checks.begin()
        die(BATCH)
        checks.remember_memory()
        begin = [server.state() for server in SERVERS]
        wrong = die(int(sys.argv[1]))
        for server, (fds, _, rss) in zip(SERVERS, begin):
            print(f"# {server.name}: {fds} descriptors at first, {server.fds()} at last; {rss} KiB, "
                  f"{server.state()[2]} KiB")
    finally:
        statuses, said = servers_end()
    good = report(not wrong, f"{sys.argv[1]} sudden deaths leave nothing", wrong)
    good &= report(set(statuses.values()) == {0}, f"the servers end: {statuses}")
    good &= report("Sanitizer" not in said and "runtime error" not in said, "no sanitizer complained",
                   said.splitlines())
    sys.exit(not good)


if __name__ == "__main__":
    main()
