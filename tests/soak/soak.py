#!/usr/bin/env python3
"""soak.py SECONDS BUILD [SEED]: a daemon and a relay with many clients at once, in rounds, each client
doing something else all the time. In a calm round every status and every byte must be right, whatever
stops for a moment and however clocks are set; in a rough one anybody may be killed, and all ends must be
honest. After each round all must be as it was at the beginning: descriptors, children, memory, processes,
sessions, files. Before the rounds DEATHS=200 clients die suddenly (deaths.py).
Says ok or not ok for each kind of client, each kind of check, and how the servers end; what failed is said
at once, with its round: SEED and ROUND=N run that one once more, as far as time lets it be the same. KINDS and
STRIKES name the clients and the strikes that there are to be alone, ROUGH=1 is for rough rounds alone."""

import collections
import itertools
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def own_mounts():
    """Mounts of our own, for a small disk, if we may have them."""
    if "SOAK_MOUNTS" in os.environ or os.geteuid() != 0 or subprocess.run(
            ["unshare", "-m", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        return
    os.environ["SOAK_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "-m", sys.executable, "-B", *sys.argv])


own_mounts()

import checks  # noqa: E402
import clients  # noqa: E402
import deaths  # noqa: E402
import rough  # noqa: E402
from chaos import Chaos  # noqa: E402
from world import (DIRECT, LIMIT, RELAYED, SEED, SERVERS, children, children_lock, doing, here, only,  # noqa: E402
                   report, rng_of, servers_end, servers_start)

SECONDS = float(sys.argv[1])
WORKERS = 10
ROUND_SECONDS = min(25, SECONDS / 4)
ONLY = int(os.environ.get("ROUND", "0"))


class Soak:
    def __init__(self):
        self.done = collections.Counter()
        self.struck = collections.Counter()
        self.failures = collections.defaultdict(list)
        self.lock = threading.Lock()
        self.rounds = 0

    def failed(self, name, what):
        line = f"round {self.rounds}: {name}: {what}"
        with self.lock:
            self.failures[name].append(line)
        print(f"# {time.strftime('%T')} seed {SEED} {line}", flush=True)

    def once(self, client, rng):
        name, here.way = client.__name__, rng.choice((DIRECT, RELAYED))
        way = "direct" if here.way == DIRECT else "through the relay"
        try:
            client(rng)
        except Exception as error:  # whatever it is, the others go on
            self.failed(name, f"{way}: {type(error).__name__}: {error}")
        with self.lock:
            self.done[name] += 1

    def worker(self, kinds, end, rng):
        while time.monotonic() < end:
            self.once(rng.choice(kinds), rng)

    def round(self, number):
        self.rounds = number
        is_rough = number % 2 == 0 or "ROUGH" in os.environ
        kinds = only("KINDS", rough.CLIENTS if is_rough else clients.CLIENTS)
        failed = sum(map(len, self.failures.values()))
        end = time.monotonic() + ROUND_SECONDS
        threads = [threading.Thread(target=self.worker, args=(kinds, end, rng_of(number, i)))
                   for i in range(WORKERS)]
        with Chaos(is_rough, number) as chaos:
            for thread in threads:
                thread.start()
            time.sleep(ROUND_SECONDS)
        for thread in threads:
            self.join(thread)
        self.struck += chaos.done
        self.done["strikes"] += sum(chaos.done.values())
        for line in chaos.failures:
            self.failed("strikes", line)
        self.check(is_rough)
        if sum(map(len, self.failures.values())) > failed:
            print(f"# the strikes of round {number}, after so many seconds: {', '.join(chaos.story)}", flush=True)

    def join(self, thread):
        """Who hangs where no limit of its own finds it is found here."""
        while thread.is_alive():
            thread.join(1)
            with children_lock:
                late = [one for one in children if one.returncode is None and
                        time.monotonic() > one.begun + 3 * LIMIT]
            for child in late:
                self.failed("hangs", f"{child.args}: {doing(child.pid)}")
                child.struck = True
                child.kill()

    def check(self, is_rough):
        self.done["checks"] += 1
        for line in checks.after_round(is_rough):
            self.failed("checks", line)
        memory = ", ".join(f"{server.name} {server.state()[2]} KiB" for server in SERVERS)
        print(f"# {time.strftime('%T')} round {self.rounds}{' (rough)' if is_rough else ''}: {memory}", flush=True)

    def warm_up(self):
        """Once round, so that what is allocated once and kept is there."""
        rng = rng_of("warm")
        for client in dict.fromkeys(clients.CLIENTS):
            for here.way in DIRECT, RELAYED:
                self.once(client, rng)
        self.check(False)
        checks.remember_memory()


def work(soak):
    soak.warm_up()
    begin = [(server.name, *server.state()) for server in SERVERS]
    soak.done["deaths"] = int(os.environ.get("DEATHS", "200"))
    for line in deaths.die(soak.done["deaths"]):
        soak.failed("deaths", line)
    end = time.monotonic() + SECONDS
    for number in [ONLY] if ONLY else itertools.count(1):
        if time.monotonic() >= end:
            break
        soak.round(number)
    return begin, [(server.name, *server.state()) for server in SERVERS]


def tell(soak, begun, begin, end):
    good = True
    for name in sorted({*soak.done, *soak.failures}):
        failed = soak.failures[name]
        good &= report(not failed, f"{name}: {soak.done[name]} times, {len(failed)} wrong", failed)
    print(f"# {soak.rounds} rounds, {sum(soak.done.values())} clients, {time.monotonic() - begun:.0f} s")
    print(f"# strikes: {dict(sorted(soak.struck.items()))}")
    for (name, fds, _, rss), (_, last_fds, _, last_rss) in zip(begin, end):
        print(f"# {name}: {fds} descriptors at first, {last_fds} at last; {rss} KiB, {last_rss} KiB")
    return good


def main():
    begun, soak = time.monotonic(), Soak()
    print(f"# seed {SEED}", flush=True)
    if not checks.small_disk():
        print("# no mounts of our own: no disk that is full")
    good, statuses = False, {}
    try:
        servers_start()
        checks.begin()
        begin, end = work(soak)
        good = tell(soak, begun, begin, end)
    finally:
        statuses, said = servers_end()
    for name, status in statuses.items():
        # What plays the port is nobody's whose end matters.
        good &= report(status == 0, f"{name} ends with {status}")
    good &= report("Sanitizer" not in said and "runtime error" not in said, "no sanitizer complained",
                   said.splitlines())
    sys.exit(not good)


if __name__ == "__main__":
    main()
