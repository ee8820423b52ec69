"""Clients of a calm round: each does something else, and everything about it must be right, whatever
goes on beside it; servers that are stopped for a moment and clocks that step are no excuse."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import time

from keyboard import keyboard
from world import (DISK, FOLDER, LIMIT, RELAYED, alive, claim, here, run, start, wait_for)
from wire import frame


def fewer(count):
    """What goes through a serial port in Python."""
    return count // 8 if here.way == RELAYED else count


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
    data = rng.randbytes(rng.choice((0, 1, 4096, 65537, fewer(3_000_000))))
    out = run("--", "cat", input=data)
    claim(hashlib.sha256(out).digest() == hashlib.sha256(data).digest(),
          f"{len(data)} bytes went, {len(out)} came back, or others")


def flood(rng):
    size = fewer(rng.randrange(8, 40_000_000))
    child = start("--", "head", "-c", str(size), "/dev/zero")
    got = 0
    while piece := child.stdout.read1(1 << 20):
        got += len(piece)
    claim(child.end() == 0 and got == size, f"{got} of {size} bytes, {child.returncode}")


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
    claim(child.end() == -which, f"ended with {child.returncode}, not by {which}")


def stalled(rng):
    """Takes nothing of a flood for a while, then goes in one of three ways."""
    child = start("--", "sh", "-c", "echo $$; exec yes")
    pid = int(child.stdout.readline())
    time.sleep(rng.random() / 3)
    way = rng.choice(("kill", "term", "close"))
    if way == "close":
        child.stdout.close()
        claim(child.end() == 128 + signal.SIGPIPE, f"{way}: ended with {child.returncode}")
    else:
        which = signal.SIGKILL if way == "kill" else signal.SIGTERM
        child.send_signal(which)
        claim(child.end() == -which, f"{way}: ended with {child.returncode}")
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
    child.end()
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
        claim(child.end() == status, f"one that waits ended with {child.returncode}, not {status}")
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
    count, status = fewer(rng.randrange(8_000, 1_000_000)), rng.randrange(256)
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
        child.end()
    child = start("-n", "--attach", session, "--since", str(len(out)))
    rest, said = child.rest()
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
    claim(first.end() == 125, f"who was taken over ended with {first.returncode}")
    if rng.random() < 0.5:
        one.send_signal(signal.SIGSTOP)
    run("--send", session, input=b"\n")
    want = b"".join(b"%d\n" % i for i in range(1, 50001))
    for child in second, two, one:
        child.send_signal(signal.SIGCONT)
        claim(child.rest()[0] == want and child.returncode == 7,
              "one who has it or looks on saw something else")


def attached(session):
    return next(entry["attached"] for entry in map(json.loads, run("--sessions", "--json").splitlines())
                if entry["id"] == session)


def connect():
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT)
    sock.connect(here.way.removeprefix("unix:"))
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


# ---- slow and greedy ones, and those with no room ----

def slow(rng):
    """Takes a little at a time, and gives a little at a time."""
    data = rng.randbytes(rng.randrange(1, 300_000))
    child = start("--", "cat", stdin=subprocess.PIPE)
    out, sent = bytearray(), 0
    while len(out) < len(data):
        # No more under way than the pipes hold, so that neither waits for the other.
        piece = data[sent:len(out) + rng.randrange(1, 20_000)]
        child.stdin.write(piece)
        child.stdin.flush()
        sent += len(piece)
        time.sleep(rng.random() / 50)
        more = child.stdout.read1(1 << 20)
        claim(more, f"{sent} bytes went, {len(out)} came back")
        out += more
    rest, _ = child.rest()
    claim(child.returncode == 0 and out + rest == data, f"{len(data)} bytes went, {len(out)} came back")


def greedy(rng):
    """Many connections that say nothing, or half of something large, for as long as it likes."""
    request = frame("core.exec.request", 1, {"cmd": "true", "args": ["x" * 3_000_000]})
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect()) for _ in range(4 if here.way == RELAYED else 40)]
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.setblocking(False)
                sock.send(request[:rng.randrange(len(request))])
        time.sleep(rng.random())


def full_disk(rng):
    """No room for the result, the output, the lines of the log: a line, and an honest status."""
    if not os.path.ismount(DISK):
        return
    name, status = str(rng.random()), rng.choice((0, 0, 3))
    what = rng.choice(("result", "out", "json", "log"))
    words = {"result": ("--result", f"{DISK}/{name}"), "json": ("--json",),
             "log": ("-v", "--log-file", f"{DISK}/{name}")}.get(what, ())
    how = {}
    with contextlib.ExitStack() as stack:
        if what in ("out", "json"):
            how["stdout"] = stack.enter_context(open(f"{DISK}/{name}", "wb"))
        child = start(*words, "--", "sh", "-c", f"echo out; exit {status}", **how)
        _, said = child.rest()
    left = [one for one in os.listdir(DISK) if name in one]
    for one in left:
        os.unlink(f"{DISK}/{one}")
    # Output may have failed before the command had ended.
    want = {status} if what == "log" else {status or 125, 125}
    claim(child.returncode in want, f"{what}: ended with {child.returncode}, not {want}: {said!r}")
    claim(b"No space left on device" in said, f"{what}: said {said!r}")
    claim(left == ([] if what == "result" else [name]), f"{what}: {left} are there")


def objects(rng):
    """--json and --result: one last object in both, which says what became of it."""
    status, name = rng.randrange(256), f"{FOLDER}/result.{rng.random()}"
    lines = [json.loads(line) for line in run("--json", "--result", name, "--", "sh", "-c", "echo out; "
                                              f"exit {status}", status=status).splitlines()]
    with open(name, encoding="utf-8") as file:
        last = json.load(file)
    os.unlink(name)
    claim([line["type"] for line in lines] == ["started", "stdout", "exited"], f"wrote {lines}")
    claim(lines[-1] == last and last["status"] == last["code"] == status, f"wrote {last}")


def script(rng):
    status = rng.randrange(1, 256)
    out = run("-v" if rng.random() < 0.1 else "-q", program="msb-exec-console", status=status,
              input=f"a=5\nfor i in 1 2 3; do\n  echo $i$a\ndone\nexit {status}\n".encode())
    claim(out == b"15\n25\n35\n", f"wrote {out!r}")


def private(rng):
    """A daemon for one command alone."""
    status = rng.randrange(256)
    out = run("--local", "--", "sh", "-c", f"echo out; exit {status}", status=status)
    claim(out == b"out\n", f"wrote {out!r}")


CLIENTS = (short, short, short, missing, there_and_back, flood, terminal, keyboard, time_out, told_to_end,
           stalled, deaf, left_behind, kept, left, sent, come_back, watched, cut_short, garbage, slow,
           greedy, full_disk, objects, script, private)
