#!/usr/bin/env python3
"""soak.py SECONDS BUILD [SEED]: a daemon with many clients at once, each doing something else all the
time: short commands, floods, stalls, garbage, lost and killed clients. Every status and every byte must
be right, and at the end the daemon must be as it was: descriptors, children, memory; and no process of
any command may be left. Says ok or not ok for each kind of client and each of these."""

import collections
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from wire import frame  # noqa: E402

SLOW = float(os.environ.get("SLOW", "1"))
LIMIT = 30 * SLOW  # seconds that anything may take beside all the others
WORKERS = 10
KEEP_ENDED_MS = 10000  # what nobody fetches is forgotten before the end is looked at
GONE_MS = 30000  # a forced end takes 2 s at most, and a look or two; and what is kept

BUILD = os.path.abspath(sys.argv[2])
# What malloc keeps; a sanitizer also keeps what was freed, to catch who still uses it.
RSS_SLACK_KIB = 262144 if "sanitize" in BUILD else 4096
CLIENT = BUILD + "/msb-exec"
FOLDER = tempfile.mkdtemp(prefix="msb-soak.")
# In the environment of the daemon and so of all that it starts.
MARK = f"SOAK_RUN={os.getpid()}.{time.time_ns()}"


class Failure(Exception):
    pass


def claim(condition, what):
    if not condition:
        raise Failure(what)


def wait_for(condition, what, limit=LIMIT):
    end = time.monotonic() + limit
    while not (value := condition()):
        claim(time.monotonic() < end, f"gave up waiting for: {what}")
        time.sleep(0.02)
    return value


def run(*words, status=0, **how):
    """msb-exec with these words: what it wrote, if it ended as it should."""
    if "input" not in how:
        how.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([CLIENT, *words], capture_output=True, timeout=LIMIT, **how)
    claim(done.returncode == status,
          f"{words}: ended with {done.returncode}, not {status}: {done.stderr[:500]!r}")
    return done.stdout


def start(*words):
    return subprocess.Popen([CLIENT, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in b"ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ours():
    """The processes that carry our mark: the daemon and what it started."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if MARK.encode() in file.read().split(b"\0") and alive(pid):
                found.append(int(pid))
    return found


# ---- the clients ----

def short(rng):
    status = rng.choice((0, 1, 3, 100, 255))
    out = run("--", "sh", "-c", f"echo out; echo err >&2; exit {status}", status=status)
    claim(out == b"out\n", f"wrote {out!r}")


def missing(rng):
    if rng.random() < 0.5:
        run("--", "/nonexistent/program", status=127)
    else:
        run("--", "/etc/passwd", status=126)


def there_and_back(rng):
    data = rng.randbytes(rng.choice((0, 1, 4096, 65537, 3_000_000)))
    out = run("--", "cat", input=data)
    claim(hashlib.sha256(out).digest() == hashlib.sha256(data).digest(),
          f"{len(data)} bytes went, {len(out)} came back, or others")


def flood(rng):
    size = rng.randrange(1, 40_000_000)
    child = start("--", "head", "-c", str(size), "/dev/zero")
    got = 0
    while piece := child.stdout.read1(1 << 20):
        got += len(piece)
    claim(child.wait(LIMIT) == 0 and got == size, f"{got} of {size} bytes, {child.returncode}")


def terminal(rng):
    status = rng.randrange(256)
    out = run("-tt", "--", "sh", "-c", f"stty size; exit {status}", status=status)
    claim(out == b"24 80\r\n", f"wrote {out!r}")


def time_out(rng):
    run("--timeout", f"{rng.randrange(20, 200)}ms", "--", "sleep", "1000", status=124)


def told_to_end(rng):
    child = start("--", "sh", "-c", "echo up; exec sleep 1000")
    claim(child.stdout.readline() == b"up\n", "it did not start")
    which = rng.choice((signal.SIGTERM, signal.SIGINT, signal.SIGUSR1))
    child.send_signal(which)
    claim(child.wait(LIMIT) == -which, f"ended with {child.returncode}, not by {which}")


def stalled(rng):
    """Takes nothing of a flood for a while, then goes in one of three ways."""
    child = start("--", "sh", "-c", "echo $$; exec yes")
    pid = int(child.stdout.readline())
    time.sleep(rng.random() / 3)
    way = rng.choice(("kill", "term", "close"))
    if way == "close":
        child.stdout.close()
        claim(child.wait(LIMIT) == 128 + signal.SIGPIPE, f"{way}: ended with {child.returncode}")
    else:
        which = signal.SIGKILL if way == "kill" else signal.SIGTERM
        child.send_signal(which)
        claim(child.wait(LIMIT) == -which, f"{way}: ended with {child.returncode}")
    wait_for(lambda: not alive(pid), f"the end of the command whose client went by {way}")


def deaf(rng):
    """A command that takes no input, although there is much; the time-out gets through."""
    with open("/dev/zero", "rb") as zero:
        run("--timeout", "300ms", "--", "sleep", "1000", status=124, stdin=zero)


def left_behind(rng):
    """A normal end kills nothing."""
    pid = int(run("--", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"))
    claim(alive(pid), "what a command left behind did not live on")
    os.kill(pid, signal.SIGKILL)


def kept(rng):
    child = start("--on-disconnect", "keep", "--", "sh", "-c", "echo $$; exec sleep 1000")
    pid = int(child.stdout.readline())
    child.kill()
    child.wait(LIMIT)
    claim(alive(pid), "what was to be kept did not live on")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), "the end of what was kept")


def detached(*words):
    """The id of a session that was left at once."""
    session = run("-d", *words).decode().strip()
    claim(len(session) == 12, f"no id: {session!r}")
    return session


def left(rng):
    """Left, waited for by several, and forgotten by some."""
    status = rng.randrange(256)
    session = detached("--", "sh", "-c", f"sleep {rng.random() / 3}; echo out; exit {status}")
    waiting = [start("--wait", session) for _ in range(rng.randrange(4))]
    for child in waiting:
        claim(child.wait(LIMIT) == status, f"one that waits ended with {child.returncode}, not {status}")
    claim(run("--attach", session, status=status) == b"out\n", "other output")
    if rng.random() < 0.7:
        run("--remove", session)


def sent(rng):
    """Input from several, one after the other, with nobody attached."""
    pieces = [rng.randbytes(rng.choice((0, 1, 70_000, 600_000))) for _ in range(rng.randrange(1, 5))]
    session = detached("--", "sha256sum")
    for piece in pieces:
        run("--send", session, input=piece)
    run("--send", session, "--eof", input=b"")
    run("--wait", session)
    claim(run("--logs", session).split()[0].decode() == hashlib.sha256(b"".join(pieces)).hexdigest(),
          "other bytes than were sent")


def come_back(rng):
    """Its client is killed again and again, and the next one goes on behind the last byte."""
    count, status = rng.randrange(1_000, 1_000_000), rng.randrange(256)
    go = f"{FOLDER}/go.{rng.random()}"
    how = ("-tt",) if rng.random() < 0.3 else ()
    # In a terminal the newlines are to stay what they are.
    session = detached("-n", *how, "--", "sh", "-c", f"[ ! -t 1 ] || stty -opost; "
                       f"until [ -e {go} ]; do sleep 0.01; done; seq {count}; exit {status}")
    out = bytearray()
    for turn in range(rng.randrange(1, 6)):
        child = start("-n", "--reconnect", "1h", "--attach", session, "--since", str(len(out)))
        if not turn:
            wait_for(lambda: attached(session), "a client that is attached")
            open(go, "wb").close()
        for _ in range(rng.randrange(30)):
            out += child.stdout.read1(rng.randrange(1, 65536))
        child.kill()
        # What it had written is ours, and nothing else.
        out += child.stdout.read()
        child.wait(LIMIT)
    child = start("-n", "--attach", session, "--since", str(len(out)))
    rest, said = child.communicate(timeout=LIMIT)
    os.unlink(go)
    claim(child.returncode == status, f"ended with {child.returncode}, not {status}: {said!r}")
    out, want = out + rest, b"".join(b"%d\n" % i for i in range(1, count + 1))
    claim(out == want, f"{len(out)} bytes, not {len(want)}, or others")


def watched(rng):
    """Some look on, and may be stopped; it is taken from who has it."""
    session = detached("--", "sh", "-c", "read a; seq 50000; exit 7")
    children = [start("--attach", session, "--watch") for _ in range(2)]
    try:
        children.append(start("-n", "--attach", session))
        wait_for(lambda: attached(session) == 3, "three that are attached")
        children.append(start("-n", "--attach", session))
        look_on(rng, session, *children)
    finally:
        for child in children:
            child.kill()
            child.communicate()


def look_on(rng, session, one, two, first, second):
    claim(first.wait(LIMIT) == 125, f"who was taken over ended with {first.returncode}")
    if rng.random() < 0.5:
        one.send_signal(signal.SIGSTOP)
    run("--send", session, input=b"\n")
    want = b"".join(b"%d\n" % i for i in range(1, 50001))
    for child in second, two, one:
        child.send_signal(signal.SIGCONT)
        claim(child.communicate(timeout=LIMIT)[0] == want and child.returncode == 7,
              "one who has it or looks on saw something else")


def attached(session):
    return next(entry["attached"] for entry in map(json.loads, run("--sessions", "--json").splitlines())
                if entry["id"] == session)


def connect():
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT)
    sock.connect(os.environ["MSB_EXEC_ENDPOINT"].removeprefix("unix:"))
    return sock


def cut_short(rng):
    """A client that goes in the midst of a frame, its commands running."""
    wire = b"".join(frame("core.exec.request", id, {"cmd": "sleep", "args": ["1000"]})
                    + frame("core.exec.stdin", id, {"data": b"x" * 5000}) for id in (1, 2, 3))
    with connect() as sock, contextlib.suppress(ConnectionError):
        sock.sendall(wire[:rng.randrange(len(wire))])
        if rng.random() < 0.5:
            sock.recv(rng.randrange(1, 500))


def garbage(rng):
    with connect() as sock, contextlib.suppress(ConnectionError):
        sock.sendall(rng.randbytes(rng.randrange(1, 20000)))
        sock.recv(100)


CLIENTS = (short, short, short, missing, there_and_back, flood, terminal, time_out, told_to_end,
           stalled, deaf, left_behind, kept, left, sent, come_back, watched, cut_short, garbage)


# ---- the daemon ----

def state(daemon):
    """Descriptors, children, KiB of memory."""
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
        rss = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as file:
        children = file.read().split()
    return len(os.listdir(f"/proc/{daemon.pid}/fd")), len(children), rss


class Soak:
    def __init__(self, seconds, seed):
        self.end = time.monotonic() + seconds
        self.seed = seed
        self.done = collections.Counter()
        self.failures = collections.defaultdict(list)
        self.lock = threading.Lock()

    def once(self, client, rng):
        name = client.__name__
        try:
            client(rng)
        except Exception as error:  # whatever it is, the others go on
            with self.lock:
                self.failures[name].append(f"{type(error).__name__}: {error}")
        with self.lock:
            self.done[name] += 1

    def worker(self, number):
        rng = random.Random(f"{self.seed}.{number}")
        while time.monotonic() < self.end:
            self.once(rng.choice(CLIENTS), rng)

    def work(self):
        threads = [threading.Thread(target=self.worker, args=(i,)) for i in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def report(good, what, details=()):
    print(f"{'ok' if good else 'not ok'} - soak: {what}", flush=True)
    if not good:
        for line in list(details)[:5]:
            print(f"# {line}")
    return good


def settled(daemon, before):
    """The daemon's state once it is as before, or as it is after some time."""
    with contextlib.suppress(Failure):
        wait_for(lambda: state(daemon)[:2] == before[:2] and ours() == [daemon.pid] and
                 state(daemon)[2] <= before[2] + RSS_SLACK_KIB,
                 "the daemon's rest", GONE_MS / 1000 * SLOW)
    return state(daemon)


def check(soak, daemon, before):
    good = True
    for name in sorted(set(soak.done)):
        failed = soak.failures[name]
        good &= report(not failed, f"{name}: {soak.done[name]} times, {len(failed)} wrong", failed)
    fds, children, rss = settled(daemon, before)
    good &= report(fds == before[0], f"the daemon has {fds} descriptors, as before ({before[0]})")
    good &= report(children == 0, f"the daemon has {children} children")
    good &= report(rss <= before[2] + RSS_SLACK_KIB, f"the daemon's memory is {rss} KiB, after "
                   f"{before[2]} KiB, at most {RSS_SLACK_KIB} KiB more")
    strays = [pid for pid in ours() if pid != daemon.pid]
    good &= report(not strays, "no process of any command is left", map(str, strays))
    for pid in strays:
        os.kill(pid, signal.SIGKILL)
    return good


def main():
    seed = sys.argv[3] if len(sys.argv) > 3 else str(time.time_ns())
    os.environ["MSB_EXEC_ENDPOINT"] = f"unix:{FOLDER}/s"
    name, _, value = MARK.partition("=")
    log = open(FOLDER + "/log", "wb")
    daemon = subprocess.Popen([BUILD + "/msb-execd", "--listen", os.environ["MSB_EXEC_ENDPOINT"],
                               "--keep-ended", f"{KEEP_ENDED_MS}ms"],
                              env={**os.environ, name: value}, stdin=subprocess.DEVNULL,
                              stderr=log)
    soak = Soak(float(sys.argv[1]), seed)
    print(f"# seed {seed}", flush=True)
    try:
        wait_for(lambda: subprocess.run([CLIENT, "-q", "--ping"], capture_output=True).returncode == 0,
                 "a daemon that answers")
        # Whoever asked is gone for the daemon, too, once its descriptors are as many for a while.
        wait_for(lambda: len({state(daemon)[0], time.sleep(0.3 * SLOW), state(daemon)[0]}) == 2,
                 "the daemon's rest")
        fresh = state(daemon)
        # Once round, so that what is allocated once and kept is there.
        rng = random.Random(seed)
        for client in dict.fromkeys(CLIENTS):
            soak.once(client, rng)
        before = (*fresh[:2], settled(daemon, fresh)[2])
        soak.work()
        good = check(soak, daemon, before)
    finally:
        daemon.terminate()
        status = daemon.wait(LIMIT)
        with open(FOLDER + "/log", encoding="utf-8", errors="replace") as file:
            text = file.read()
        shutil.rmtree(FOLDER)
    good &= report(status == 0 and "Sanitizer" not in text, f"the daemon ends with {status}",
                   text.splitlines())
    sys.exit(not good)


if __name__ == "__main__":
    main()
