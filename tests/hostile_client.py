#!/usr/bin/env python3
"""hostile_client.py SOCKET PID MSB-EXEC SCENE...: clients that take all that they are given. Each scene is
played by a process of its own, as somebody who is not trusted where that matters, against the daemon PID that
listens there. While it lasts, another client has to be served: msb-exec runs a command, and prints what that
printed."""

import os
import subprocess
import sys

import peer
from peer import *  # noqa: F403

X = ""
NOBODY, OTHER = 65534, 65533
SILENCE = 2.0  # BUDGET_SILENCE_US


def others_are_served():
    got = subprocess.run([X, "-q", "--", "echo", "served"], stdin=subprocess.DEVNULL, timeout=LIMIT,
                         env={**os.environ, "MSB_EXEC_ENDPOINT": "unix:" + peer.SOCKET},
                         capture_output=True, check=False)
    equal((got.returncode, got.stdout, got.stderr), (0, b"served\n", b""))


class As:
    """Clients of another user: with As(uid) connects, and then is root again."""

    def __init__(self, uid):
        self.uid = uid

    def __enter__(self):
        os.seteuid(self.uid)

    def __exit__(self, *_):
        os.seteuid(0)


def connect(uid=None):
    if uid is None:
        return Peer()
    with As(uid):
        return Peer()


def fill(uid=None, most=1000):
    """Connections until there are no more: those, and the words."""
    taken = []
    while len(taken) < most:
        try:
            taken.append(connect(uid))
        except Refused as words:
            return taken, str(words)
    raise AssertionError(f"{most} connections of one client, and no end")


def closed_with(client, words):
    got = client.next()
    equal((got.type, got.id), ("core.error", 0))
    assert words in got.message, got.message
    client.closed()


def makes_way(taken):
    """The one that has said nothing for the longest."""
    closed_with(taken[0], "others need its place")


# ---- connections ----

def silent():
    taken, words = fill()
    assert "--max-connections" in words, words
    # Who has said something stays, and so does who has only just come.
    time.sleep(SILENCE)
    taken[0].ping()
    others_are_served()
    makes_way(taken[1:])
    for client in taken[2:]:
        client.ping()
    taken[0].ping()


def user_connections():
    taken, words = fill(NOBODY)
    equal(len(taken), 24)
    assert "--max-connections-of-user" in words, words
    others_are_served()
    for client in taken:
        client.ping()
    _, words = fill(NOBODY)
    assert "--max-connections-of-user" in words, words
    others_are_served()


def user_silent():
    """One who has too many loses one of his own, and nobody else does."""
    silent_root = Peer()
    taken, _ = fill(NOBODY)
    time.sleep(SILENCE)
    new = connect(NOBODY)
    new.ping()
    makes_way(taken)
    silent_root.ping()
    others_are_served()


def user_sessions():
    client = connect(NOBODY)
    for id in range(1, 21):
        client.start(id, "sleep", "1000")
    client.request(21, "true")
    assert "--max-sessions-of-user" in client.failed(21, "resource_limit"), "other words"
    # On another connection he has no more.
    more = connect(NOBODY)
    more.request(1, "true")
    more.failed(1, "resource_limit")
    others_are_served()
    client.signal(1, 9)
    client.outcome(1)
    equal(more.run(2, "true").last.code, 0)


def reserve():
    """Several together do not have the last of it."""
    first, _ = fill(NOBODY)
    second, words = fill(OTHER)
    assert words.endswith("--max-connections allows"), words
    equal(len(first) + len(second), 30)
    others_are_served()
    for client, count in ((first[0], 20), (second[0], 10)):
        for id in range(1, count + 1):
            client.start(id, "sleep", "1000")
    second[0].request(11, "true")
    assert "--max-sessions allows" in second[0].failed(11, "resource_limit"), "other words"
    others_are_served()


def kept_sessions():
    client = connect(NOBODY)
    for id in range(1, 5):
        client.keep(id, "cat")
    client.request(5, "cat", on_disconnect="keep")
    assert "--max-kept-of-user" in client.failed(5, "resource_limit"), "other words"
    # Nor by leaving one that runs.
    client.start(6, "cat")
    client.tell("core.session.detach", 6)
    assert "--max-kept-of-user" in client.answer(6, "core.session.refused").message
    # Others have places, and keep their ends; his own go for new ones of his.
    other = connect(OTHER)
    ended = other.keep(1, "true", detached=True).session
    other.wait_ended(ended)
    for id in 1, 2:
        client.stdin(id, b"")
        client.outcome(id)
    for id in range(10, 14):
        client.keep(id, "true", detached=True)
        client.wait_session(client.sessions()[-1].session, lambda entry: "exited" in entry.payload,
                            "the session's end")
    equal((len(client.sessions()), [entry.session for entry in other.sessions()]), (4, [ended]))
    others_are_served()
    for entry in client.sessions():
        if "exited" not in entry.payload:
            client.session_signal(entry.session, 9)
    client.signal(6, 9)


# ---- memory, and descriptors ----

def half_frames():
    """Large frames that never end hold memory; others' large ones come in all the same."""
    whole = frame("core.exec.stdin", 1, {"data": b"x" * (4 * 1024 * 1024 - 200)})
    for _ in range(8):
        half = connect(NOBODY)
        half.sock.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            half.sock.sendall(whole[:-100])
    # As large as it can be, which is too much for the kernel alone.
    many = [f"E{i}=" + "v" * 1000 for i in range(3900)]
    for uid in None, OTHER:
        client = connect(uid)
        client.request(1, "true", env=many)
        client.failed(1, "bad_args", "execve", "E2BIG")
    others_are_served()


def deaf():
    """Whoever takes nothing of what he asked for waits alone, in the midst of it."""
    clients = [connect(NOBODY) for _ in range(4)]
    leaders = [client.start(id, "head", "-c", "100000000", "/dev/zero")
               for client in clients for id in range(1, 6)]
    for client in clients:
        client.stuff(frame("core.session.list", 1000), 64 << 20)
    wait_for(lambda: all(is_stuck(leader) for leader in leaders), "commands that wait")
    others_are_served()


def descriptors():
    taken, sessions = [connect(NOBODY)], 0
    while True:
        sessions += 1
        taken[0].request(sessions, "sleep", "1000")
        got = taken[0].answer(sessions)
        if got.type == "core.exec.failed":
            break
    assert "but for root" in got.message, got.message
    for _ in range(100):
        try:
            taken.append(connect(NOBODY))
        except Refused as words:
            assert "no descriptors" in str(words), words
            break
    else:
        raise AssertionError("no end of descriptors")
    others_are_served()


# ---- time ----

def daemon_ms():
    """What our daemons have used of a processor. On a busy machine it says more than a clock."""
    used = 0
    for pid in pids():
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            used += int(file.read().split()[0])
    return used / 1e6


def storm(clients):
    """Of requests that cost a process each and fail, from a process of its own, until it is ended."""
    child = os.fork()
    if child:
        return child
    try:
        for first in range(1, 10000000, 100):
            for client in clients:
                requests = b"".join(frame("core.exec.request", id, {"cmd": "/nonexistent", "args": []})
                                    for id in range(first, first + 100))
                client.sock.sendall(client.mine(requests))
            for client in clients:
                for _ in range(100):
                    client.next()
    finally:
        os._exit(0)


def time_share():
    """What the daemon does for one it does for another meanwhile: nobody waits for a hundred starts."""
    child = storm([connect(NOBODY) for _ in range(8)])
    victim = Peer()
    try:
        def one(id):
            before = daemon_ms()
            equal(victim.run(id, "true").last.code, 0)
            waits.append(daemon_ms() - before)

        waits, factor = [], float(os.environ.get("FACTOR", peer.SLOW))
        for id in range(1, 12):
            one(id)
            time.sleep(0.02)
        assert sorted(waits)[5] < 60 * factor, waits
        others_are_served()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def one_frame():
    """The most that one frame can ask for takes no longer than a frame of that size has to."""
    factor = float(os.environ.get("FACTOR", peer.SLOW))
    keys = Raw(b"\xba" + struct.pack(">I", 1300000) + b"\x61a\x00" * 1300000)
    for payload, answer in ((keys, "core.error"),
                            ({"cmd": "true", "args": [], "env": ["A="] * 1300000},
                             "core.exec.failed")):
        client = connect(NOBODY)
        wire = frame("core.exec.request", 1, payload)
        client.send(wire[:-1])
        time.sleep(0.1)
        before = daemon_ms()
        client.send(wire[-1:])
        client.answer(1, answer)
        used = daemon_ms() - before
        assert used < 100 * factor, used
    others_are_served()


# ---- lines of the log ----

def log_volume():
    """Whoever comes again and again has a new name each time; his lines are limited all the same."""
    def lines():
        with open(DIR + "/daemon.log", "rb") as file:
            return file.read().count(b"\n")

    before, begun = lines(), time.monotonic()
    for _ in range(300):
        client = connect(NOBODY)
        # May not; and the second makes no sense, which ends it.
        client.send(frame("core.shutdown") + frame("core.nonsense", 1) + b"\0" * 8)
        wait_for(lambda: client.next() is None, "the end of the connection")
        client.close()
    # At most a hundred warnings in ten seconds, a hundred others, and what says how many are missing; at first
    # there were some already. Of each client there would be three.
    times = (time.monotonic() - begun) // 10 + 2
    assert 50 <= lines() - before <= times * 202, (lines() - before, times)
    others_are_served()


# ---- the relay ----

def relay_silent():
    taken, words = fill()
    equal((len(taken), words), (128, "all 128 ranges of ids are taken"))
    time.sleep(SILENCE)
    others_are_served()
    makes_way(taken)


def relay_sessions():
    first, second = connect(NOBODY), connect(NOBODY)
    for id in range(1, 4):
        first.start(id, "sleep", "1000")
        if id < 3:
            second.start(id, "sleep", "1000")
    second.request(3, "true")
    assert "--max-sessions-of-user" in second.failed(3, "resource_limit"), "other words"
    others_are_served()
    # Of who is gone nothing is left that counts, once the guest has ended it.
    first.close()
    wait_for(lambda: second.run(second.new_id(), "true").last.type == "core.exec.exited",
             "room for a session")


def relay_kept():
    """The guest counts for each in whose name the relay asks; root of the host has no limit."""
    client, root = connect(NOBODY), Peer()
    for id in range(1, 5):
        client.keep(id, "cat")
    client.request(5, "cat", on_disconnect="keep")
    assert "--max-kept-of-user" in client.failed(5, "resource_limit"), "other words"
    for id in range(1, 6):
        root.keep(id, "cat")
    others_are_served()
    for one, count in ((client, 4), (root, 5)):
        for id in range(1, count + 1):
            one.signal(id, 9)
            one.outcome(id)


def main():
    global X
    peer.SOCKET, peer.PID, X = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    for scene in sys.argv[4:]:
        signal.alarm(int(peer.SCRIPT_LIMIT))
        others_are_served()
        wait_equal(children, [], "the daemon's children before " + scene)
        globals()[scene]()
        for client in list(Peer.alive):
            client.close()
        wait_equal(children, [], "the daemon's children after " + scene)
        others_are_served()


if __name__ == "__main__":
    main()
