#!/usr/bin/env bats
# Sessions that outlive their clients, as the daemon's clients see them on the wire (see peer.py). With
# CUTS=N a stream is cut so often, with SEED=N in the same places again.

load helper

setup() {
	common_setup
}

teardown() {
	common_teardown
}

# ---- what it is ----

@test "kept: a session has an id from its start, and is listed as what it is" {
	daemon_start
	peer <<'PY'
peer = Peer()
assert "sessions" in peer.ready.exec_features, peer.ready
plain = peer.start(9, "cat")
started = peer.keep_sh(1, "printf 12345; printf abc >&2; exec cat", "x", name="one.of-them_1")
session = started.session
assert len(session) == 12 and not session.strip("0123456789abcdef"), session
# The two streams have no order between them.
equal(sorted(peer.answer(1).data for _ in "oe"), [b"12345", b"abc"])
entry, = peer.sessions()
equal((entry.session, entry.name, entry.pid, entry.payload.get("tty", False), entry.attached),
      (session, "one.of-them_1", started.pid, False, 1))
equal((entry.stdout_end, entry.stderr_end, "exited" in entry.payload), (5, 3, False))
equal(entry.command[:2], ["sh", "-c"])
assert entry.user and entry.age_ms >= 0 and entry.cpu_us >= 0, entry
peer.close()
other = Peer()
entry = other.wait_session("one.of-them_1", lambda entry: entry.attached == 0, "a client that is gone")
equal((entry.session, entry.stdout_end), (session, 5))
other.session_signal("one.of-them_1", 9)
entry = other.wait_ended(session)
equal(entry.exited["signal"], 9)
assert other.fetch(2, session, "wait").last.signal == 9
other.remove(session)
equal(other.sessions(), [])
wait_gone(plain)
PY
}

@test "kept: its stdin stays open when its client is gone, and goes on where it was" {
	daemon_start
	peer <<'PY'
first = Peer()
session = first.keep(1, "cat").session
first.stdin(1, b"one\n")
equal(first.read_until(1, b"one\n"), b"one\n")
first.close()
second = Peer()
got = second.attach(5, session, stdout_since=4)
equal((got.stdout_at, got.stderr_at, got.stdin_at, got.payload.get("tty", False)), (4, 0, 4, False))
second.stdin(5, b"two\n")
equal(second.read_until(5, b"two\n"), b"two\n")
second.detach(5)
third = Peer()
equal(third.attach(1, session).stdin_at, 8)
third.stdin(1, b"")
got = third.outcome(1)
equal((got.stdout, got.last.type, got.last.code), (b"one\ntwo\n", "core.exec.exited", 0))
PY
}

@test "kept: of what was printed, each gets it from the byte that it asks for, also behind the end" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep_sh(1, "seq 1 3000; seq 5001 6000 >&2; exit 7", detached=True).session
peer.close()
peer = Peer()
peer.wait_ended(session)
out = b"".join(b"%d\n" % i for i in range(1, 3001))
err = b"".join(b"%d\n" % i for i in range(5001, 6001))
for at, (since, beside) in enumerate(((0, 0), (1, 4999), (len(out), 1), (777, len(err)), (len(out) - 1, 0))):
    for mode in "logs", "watch":
        got = peer.fetch(10 + at, session, mode, stdout_since=since, stderr_since=beside)
        equal((got.stdout, got.stderr, got.last.type, got.last.code),
              (out[since:], err[beside:], "core.exec.exited", 7))
# More than there is, is nothing.
got = peer.fetch(20, session, "watch", stdout_since=1 << 60, stderr_since=(1 << 64) - 1)
equal((got.stdout, got.stderr, got.last.code), (b"", b"", 7))
# The first byte that is held, and its end, which is fetched with it.
got = peer.fetch(21, session, "take")
equal((got.stdout, got.stderr, got.last.code), (out, err, 7))
PY
}

@test "kept: logs of one that runs are what there is, and then it is left" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep_sh(1, "echo out; echo err >&2; exec cat").session
peer.wait_session(session, lambda entry: (entry.stdout_end, entry.stderr_end) == (4, 4), "its output")
other = Peer()
got = other.fetch(3, session, "logs")
equal((got.stdout, got.stderr, got.last.type, got.last.why), (b"out\n", b"err\n", "core.session.detached", "done"))
equal(got.last.session, session)
equal(peer.session(session).attached, 1)
peer.stdin(1, b"")
equal(peer.outcome(1).last.code, 0)
PY
}

@test "kept: logs of one that prints on end where they began, however slow their reader is" {
	daemon_start --replay 64K
	peer <<'PY'
peer, slow = Peer(), Peer()
session = peer.keep_sh(1, "exec yes").session
peer.close()
at = slow.attach(2, session, mode="logs", output_window=4096).stdout_at
peer = Peer()
peer.wait_session(session, lambda entry: entry.stdout_begin > at + 65536, "more than is held")
got, data = slow.answer(2), 0
while got.type != "core.session.detached":
    data += len(got.data) if got.type == "core.exec.stdout" else 0
    assert data <= 65536, "more than was held"
    slow.tell("core.exec.output.credit", 2, {"consumed": data})
    got = slow.answer(2)
equal(got.why, "done")
peer.session_signal(session, 9)
PY
}

# ---- no byte lost, none doubled ----

# cut KIND: cat of a counter, its client lost again and again in the midst of both streams.
cut() {
	daemon_start
	KIND=$1 CUTS=${CUTS:-10} SEED=${SEED:-$RANDOM} peer <<'PY'
import select

cuts, seed, tty = int(os.environ["CUTS"]), os.environ["SEED"], os.environ["KIND"] == "tty"
rng = random.Random(seed)
print(f"CUTS={cuts} SEED={seed}", file=sys.stderr)
stream = b"".join(b"%07d\n" % i for i in range(30000 + 10000 * cuts))
share = len(stream) // (cuts + 1)
windows = {"stdin_window": True, "output_window": 65536, "hold_ms": 3600000}
signal.alarm(int(SCRIPT_LIMIT * (1 + cuts / 20)))


def send_some(peer, queue):
    """What can be sent without waiting for who may wait for us; once there is something to read."""
    while not peer.buffer:
        readable, writable, _ = select.select([peer.sock], [peer.sock] if queue else [], [], LIMIT)
        assert readable or writable, "neither takes nor says anything"
        if writable:
            peer.sock.settimeout(0)
            del queue[:peer.sock.send(queue)]
        if readable:
            break


def carry(peer, id, at, window, enough, taken=0):
    """Feeds stdin from there on and takes stdout, until there is enough of it; what came last."""
    sent = done = 0
    ended, queue = tty, bytearray()
    enough += taken
    while taken < enough:
        while at + sent < len(stream) and sent - done < window:
            most = min(rng.randrange(1, 20000), window - (sent - done))
            data = stream[at + sent:at + sent + most]
            queue += peer.mine(frame("core.exec.stdin", id, {"data": data}))
            sent += len(data)
        if at + sent == len(stream) and not ended:
            queue += peer.mine(frame("core.exec.stdin", id, {"data": b""}))
            ended = True
        send_some(peer, queue)
        got = peer.answer(id)
        if got.type == "core.exec.stdin.credit":
            done = got.consumed
        elif got.type == "core.exec.stdout":
            out.extend(got.data)
            taken += len(got.data)
            queue += peer.mine(frame("core.exec.output.credit", id, {"consumed": taken}))
        else:
            return got
    return got


peer, id = Peer(), 1
# In a terminal nothing is typed before it takes all as it is.
mode = "stty raw -echo; echo go; " if tty else "echo go; "
started = peer.keep_sh(id, mode + f"exec head -c {len(stream)}", tty=tty, **windows)
session, window = started.session, started.stdin_window
out = bytearray(peer.read_until(id, b"go"))
at, taken = 0, len(out)
for turn in range(cuts):
    last = carry(peer, id, at, window, rng.choice((1, rng.randrange(1, share // 2))), taken)
    taken = 0
    equal(last.type == "core.exec.exited", False)
    peer.close()
    peer, id = Peer(), rng.randrange(1, 1000)
    attached = peer.attach(id, session, stdout_since=len(out), stderr_since=0, **windows)
    equal((attached.stdout_at, attached.stderr_at), (len(out), 0))
    assert attached.stdin_at <= len(stream), attached
    at, window = attached.stdin_at, attached.stdin_window
last = carry(peer, id, at, window, 1 << 40)
equal((last.type, last.code), ("core.exec.exited", 0))
want = b"go\n" + stream
assert out == want, f"{len(out)} bytes, not {len(want)}, differ from " + str(next(
    (i for i, (a, b) in enumerate(zip(out, want)) if a != b), min(len(out), len(want))))
PY
}

@test "kept: a stream both ways that is cut again and again has each byte once" {
	cut pipes
}

@test "kept: a terminal's stream both ways that is cut again and again has each byte once" {
	cut tty
}

@test "kept: through a relay, a stream both ways that is cut again and again has each byte once" {
	THROUGH=relay
	cut pipes
}

@test "kept: one that was not kept from the start has nothing lost and nothing doubled behind its detach" {
	daemon_start
	peer <<'PY'
for tty in False, True:
    peer = Peer()
    peer.start_sh(1, ("stty -opost; " if tty else "") + "seq 1 2000000; exit 5", tty=tty, output_window=65536)
    data, taken = b"", 0
    while taken < 300000:
        data += peer.answer(1, "core.exec.stdout").data
        if len(data) - taken > 20000:
            taken = len(data)
            peer.tell("core.exec.output.credit", 1, {"consumed": taken})
    got = peer.detach(1)
    data += got.stdout
    session = got.last.session
    # What was sent before counts as dropped, and nothing else is.
    at = peer.attach(2, session, stdout_since=len(data), mode="logs").stdout_at
    peer.outcome(2)
    entry = peer.session(session)
    # Nobody has it: by now more may have been dropped.
    assert at == len(data) or len(data) < at <= entry.stdout_begin, f"{len(data)}, {at}; {entry!r}"
    assert entry.stdout_begin >= len(data), f"{len(data)} bytes were sent; {entry!r}"
    rest = Peer().fetch(3, session, "take")
    want = b"".join(b"%d\n" % i for i in range(1, 2000001))
    equal((rest.last.type, rest.last.code), ("core.exec.exited", 5))
    assert want.endswith(rest.stdout) and want.startswith(data)
PY
}

@test "kept: for as long as its lost client said, its output waits, and then goes on without it" {
	daemon_start --replay 64K
	peer <<'PY'
peer = Peer()
started = peer.keep_sh(1, "exec yes", hold_ms=3600000, output_window=32768)
peer.answer(1, "core.exec.stdout")
peer.close()
peer = Peer()
wait_for(lambda: is_stuck(started.pid), "a command that waits")
held = peer.session(started.session)
assert held.stdout_begin == 0 or held.stdout_end - held.stdout_begin <= 65536, held
peer.attach(1, started.session, stdout_since=0, hold_ms=1, output_window=32768)
peer.answer(1, "core.exec.stdout")
peer.close()
peer = Peer()
peer.wait_session(started.session, lambda entry: entry.stdout_end > 5000000, "a command that goes on")
peer.session_signal(started.session, 9)
equal(peer.fetch(1, started.session, "wait").last.signal, 9)
PY
}

@test "kept: a client that takes nothing holds its command up, and nothing is lost of it" {
	daemon_start --replay 64K
	peer <<'PY'
peer = Peer()
started = peer.keep_sh(1, "seq 1 300000", output_window=32768)
wait_for(lambda: is_stuck(started.pid), "a command that waits")
assert peer.session(started.session).stdout_end <= 65536 + 32768 + 65536
data = b""
while (got := peer.answer(1)).type == "core.exec.stdout":
    data += got.data
    peer.tell("core.exec.output.credit", 1, {"consumed": len(data)})
equal((got.type, got.code), ("core.exec.exited", 0))
assert data == b"".join(b"%d\n" % i for i in range(1, 300001))
PY
}

# ---- who has it, who looks on, who waits ----

@test "kept: whoever takes it has it, and the one before is told" {
	daemon_start
	peer <<'PY'
first = Peer()
session = first.keep(1, "cat", name="tea").session
second = Peer()
second.attach(7, "tea")
got = first.outcome(1)
equal((got.last.type, got.last.why, got.last.session, got.last.name), ("core.session.detached", "taken", session, "tea"))
# The first one's words are nobody's by now.
first.stdin(1, b"stray\n")
first.signal(1, 9)
first.ping()
second.stdin(7, b"mine\n")
equal(second.read_until(7, b"\n"), b"mine\n")
# Also on the same connection.
second.attach(8, session)
equal(second.outcome(7).last.why, "taken")
second.stdin(8, b"")
equal(second.outcome(8).last.code, 0)
PY
}

@test "kept: who comes back has it although the answer to an earlier try was lost, but not if somebody else had it" {
	daemon_start
	peer <<'PY'
peer = Peer()
started = peer.keep(1, "cat")
for _ in range(3):
    peer.close()
    peer = Peer()
    peer.ask_attach(1, started.session, turn=started.turn)
    peer.taken()
peer.answer(1, "core.session.attached")
other = Peer()
turn = other.attach(2, started.session).turn
equal(peer.outcome(1).last.why, "taken")
peer.ask_attach(3, started.session, turn=started.turn)
equal(peer.outcome(3).last.why, "taken")
equal(other.attach(4, started.session, turn=turn).turn, turn)
other.stdin(4, b"")
equal(other.outcome(4).last.code, 0)
PY
}

@test "kept: who look on see the same bytes and the end, and what they say is passed over" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep_sh(1, "read a; seq 1 3000; seq 1 200 >&2; exit 4").session
watchers = [Peer() for _ in range(3)]
for watcher in watchers:
    watcher.attach(2, session, mode="watch")
    watcher.stdin(2, b"from aside\n")
    watcher.signal(2, 9)
    watcher.tell("core.exec.resize", 2, {"rows": 1, "cols": 2})
    watcher.tell("core.exec.output.close", 2, {"stream": "stdout"})
    watcher.ping()
equal(peer.session(session).attached, 4)
peer.stdin(1, b"go\n")
for got in [peer.outcome(1)] + [watcher.outcome(2) for watcher in watchers]:
    equal((got.last.type, got.last.code, len(got.stdout), len(got.stderr)), ("core.exec.exited", 4, 13893, 692))
    assert got.stdout == b"".join(b"%d\n" % i for i in range(1, 3001))
PY
}

@test "kept: one that looks on and takes nothing holds up nobody, and is told what it missed" {
	daemon_start --replay 64K
	peer <<'PY'
peer = Peer()
started = peer.keep_sh(1, "read a; seq 1 500000")
slow = Peer()
slow.attach(2, started.session, mode="watch", output_window=16384)
peer.stdin(1, b"\n")
whole = peer.outcome(1)
assert whole.stdout == b"".join(b"%d\n" % i for i in range(1, 500001))
equal(whole.last.code, 0)
data, missed, holes = b"", 0, 0
while (got := slow.answer(2)).type != "core.exec.exited":
    if got.type == "core.session.skipped":
        equal(got.stream, "stdout")
        missed += got.bytes
        holes += 1
        continue
    assert whole.stdout[missed + len(data):].startswith(got.data), "other bytes than were printed there"
    data += got.data
    slow.tell("core.exec.output.credit", 2, {"consumed": len(data)})
equal(len(data) + missed, len(whole.stdout))
# Told when there is room for what comes behind it, and not as often as something is gone.
assert missed and 0 < holes < 4, f"{missed} bytes in {holes} holes"
PY
}

@test "kept: ten who wait, before and behind the end, are all told the same" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep_sh(1, "read a; exit 42").session
others = [Peer() for _ in range(5)]
for id in 2, 3:
    for other in others:
        other.attach(id, session, mode="wait")
# They do not have it.
equal(peer.session(session).pid > 0, True)
peer.stdin(1, b"\n")
equal(peer.outcome(1).last.code, 42)
for id in 2, 3:
    for other in others:
        got = other.outcome(id)
        equal((got.types, got.last.code), (["core.exec.exited"], 42))
equal(others[0].fetch(4, session, "wait").last.code, 42)
PY
}

@test "kept: who comes before the command runs is told once, and of its failure as of a removal" {
	daemon_start
	peer <<'PY'
peer = Peer()
attach = frame("core.session.attach", 2, {"session": "name"})
peer.send(frame("core.exec.request", 1, {"cmd": "cat", "on_disconnect": "keep", "name": "name"}) + attach)
assert peer.answer(2, "core.session.attached").pid
peer.stdin(2, b"")
equal(peer.outcome(2).types, ["core.exec.exited"])
equal(peer.outcome(1).last.type, "core.session.detached")
# It may have failed before anybody could come.
peer.send(frame("core.exec.request", 3, {"cmd": "/no/such/command", "on_disconnect": "keep", "name": "none"}) +
          attach.replace(b"name", b"none"))
got = peer.outcome(2)
if got.last.type != "core.error":
    equal(got.types, ["core.session.attached", "core.session.detached"])
    equal(got.last.why, "removed")
PY
}

@test "kept: as many may be at one as there is room for, and whoever has it may always be another" {
	daemon_start
	peer <<'PY'
most = 256
peer = Peer()
session = peer.keep_sh(1, "exec cat").session
for id in range(most):
    if id % 2:
        peer.attach(10 + id, session, mode="wait")
    else:
        peer.attach_input(10 + id, session)
for type, keys in ("attach", {"mode": "watch"}), ("attach", {"mode": "logs"}), ("input", {}):
    peer.tell("core.session." + type, 5, {"session": session, **keys})
    assert "too many" in peer.refused(5, "invalid_session", "core.session." + type)
for id in 2, 3:
    peer.attach(id, session)
equal(peer.outcome(2).last.why, "taken")
peer.detach(10)
peer.attach(4, session, mode="watch")
peer.stdin(3, b"")
equal([peer.outcome(id).last.type for id in (3, 4, 11)], ["core.exec.exited"] * 3)
PY
}

# Who does not wait for an agent that does not answer leaves the last word to it. One that hears of it reads all at
# once, has more to do than goes into a turn, and cannot send a single answer.
@test "kept: what a client said last is heard although it has gone, and however long that takes" {
	daemon_start
	peer <<'PY'
import signal
for behind in "pings", "commands", "much":
    peer = Peer()
    session = peer.keep(1, "sleep", "1000").session
    words = {"pings": lambda: [frame("core.ping", 9)] * 600,
             "commands": lambda: [frame("core.exec.request", id, {"cmd": "true", "args": []}) for id in range(2, 22)],
             "much": lambda: [frame("core.touch", 9)] * 600 + [frame("core.exec.stdin", 1, {"data": bytes(60000)})]}
    os.kill(PID, signal.SIGSTOP)
    peer.send(b"".join(words[behind]()) + frame("core.exec.signal", 1, {"signal": 1}))
    peer.close()
    os.kill(PID, signal.SIGCONT)
    other = Peer()
    equal(other.wait_ended(session).exited["signal"], 1)
    other.close()
PY
}

@test "kept: an end that came while its client was leaving has been fetched by nobody" {
	daemon_start
	peer <<'PY'
import signal
peer = Peer()
session = peer.keep(1, "sleep", "1000", name="it").session
last = b"".join(frame("core.exec.request", id, {"cmd": "true", "args": []}) for id in range(2, 42))
os.kill(PID, signal.SIGSTOP)
peer.send(frame("core.exec.signal", 1, {"signal": 9}) + last)
peer.close()
os.kill(PID, signal.SIGCONT)
other = Peer()
equal(other.wait_ended(session).exited["signal"], 9)
equal(other.fetch(1, "it", "wait").last.signal, 9)
PY
}

@test "kept: one that is removed is no more, and those at it are told; one that runs is not" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep_sh(1, "exit 3").session
equal(peer.outcome(1).last.code, 3)
cat = peer.keep(2, "cat", name="cat")
id = peer.new_id()
peer.tell("core.session.remove", id, {"session": "cat"})
assert peer.answer(id, "core.error").message != "no such session"
assert not is_gone(cat.pid)
peer.remove(session)
peer.no_session("core.session.remove", {"session": session})
peer.no_session("core.session.attach", {"session": session})
peer.stdin(2, b"")
equal(peer.outcome(2).last.code, 0)
PY
}

@test "kept: a name is one session's, until its end was fetched; what is none is refused" {
	daemon_start
	peer <<'PY'
peer = Peer()
peer.keep_sh(1, "read a; exit 1", name="web")
peer.request(2, "true", on_disconnect="keep", name="web")
assert "web" in peer.failed(2, "other"), "it does not say which"
for bad in "", ".x", "-x", "a b", "a/b", "x" * 65, "0123456789ab", "ü":
    peer.request(3, "true", on_disconnect="keep", name=bad)
    assert peer.failed(3, "other"), bad
for id, good in enumerate(("x" * 64, "0123456789abc", "0123456789AB", "9.-_"), 10):
    peer.keep(id, "true", name=good)
    equal(peer.outcome(id).last.code, 0)
peer.stdin(1, b"\n")
equal(peer.outcome(1).last.code, 1)
peer.keep(4, "true", name="web")
equal(peer.outcome(4).last.code, 0)
PY
}

# ---- input from aside ----

@test "kept: input from aside comes in order, beside whoever has it, and is not counted as theirs" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep(1, "cat").session
peer.stdin(1, b"a")
equal(peer.read_until(1, b"a"), b"a")
aside = Peer()
equal(aside.attach_input(5, session).stdin_at, 1)
aside.stdin(5, b"bcd")
equal(peer.read_until(1, b"d"), b"bcd")
equal(peer.session(session).attached, 1)
peer.close()
# Nobody has it now. Leaving is no end of its stdin.
aside.stdin(5, b"ef")
aside.detach(5)
last = Peer()
got = last.attach(1, session, stdout_since=0)
equal(got.stdin_at, 1)
equal(last.read_until(1, b"f"), b"abcdef")
last.attach_input(2, session)
last.stdin(2, b"")
equal(last.outcome(1).last.code, 0)
got = last.outcome(2).last
assert got.type in ("core.exec.exited", "core.session.detached"), got
PY
}

@test "kept: input that nobody takes stops at its window, and the daemon's memory with it" {
	daemon_start
	peer <<'PY'
peer = Peer()
started = peer.keep(1, "sleep", "1000", stdin_window=True)
before = rss_kib()
aside = Peer()
window = aside.attach_input(2, started.session, stdin_window=True).stdin_window
assert 0 < window <= 1 << 20, window
for _ in range(0, window, 4096):
    aside.stdin(2, bytes(4096))
aside.taken()
peer.ping()
# One that counts no credit is not read any further.
rude = Peer()
rude.attach_input(2, started.session)
rude.stuff(frame("core.exec.stdin", 2, {"data": bytes(4096)}), 8 << 20)
check_rss(before, 3072)
peer.ping()
peer.signal(1, 15)
equal(peer.outcome(1).last.signal, 15)
equal(aside.outcome(2).last.type in ("core.exec.exited", "core.session.detached"), True)
PY
}

@test "kept: who has all of its window on its way is told once that is taken, in pieces of any size" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep_sh(1, "exec cat >/dev/null").session
for id, come in (2, peer.attach), (3, peer.attach_input):
    window = come(id, session, stdin_window=True).stdin_window
    sent = done = 0
    for _ in range(100):
        peer.stdin(id, b"x" * (window - (sent - done)))
        sent = done + window
        while sent - done == window:
            done = peer.answer(id, "core.exec.stdin.credit").consumed
peer.stdin(2, b"")
equal(peer.outcome(2).last.code, 0)
PY
}

@test "kept: who was held up by a terminal that takes nothing is heard again once that is gone" {
	daemon_start
	peer <<'PY'
peer, other = Peer(), Peer()
session = peer.keep_sh(1, "stty raw -echo; head -c 30000 /dev/zero; exec sleep 1000", tty=True, rows=24, cols=80,
                       output_window=4096).session
other.wait_session(session, lambda entry: entry.stdout_end == 30000, "its output")
peer.stuff(frame("core.exec.stdin", 1, {"data": b"x" * 32768}), 16 << 20)
other.session_signal(session, 9)
other.wait_ended(session)
peer.sock.settimeout(LIMIT)
data = 0
while (got := peer.answer(1)).type != "core.exec.exited":
    data += len(got.data)
    peer.tell("core.exec.output.credit", 1, {"consumed": data})
equal((data, got.signal), (30000, 9))
PY
}

# ---- whose it is ----

# strangers: what another user is told of a session that is there, and of one that is not.
strangers() {
	peer <<'PY'
def as_user(uid):
    os.seteuid(uid)
    try:
        return Peer()
    finally:
        os.seteuid(0)


owner = Peer()
session = owner.keep(1, "cat", name="mine").session
stranger = as_user(65534)
types = {"attach": [{"mode": mode} for mode in ("take", "watch", "logs", "wait")] + [{}, {"stdout_since": 0}],
         "input": [{}, {"stdin_window": True}], "signal": [{"signal": 9}, {"signal": 0}], "remove": [{}]}
for type, ways in types.items():
    type = "core.session." + type
    for keys in ways:
        for more in {}, {"for_uid": 0}, {"for_uid": 65534}:
            told = []
            for name in session, "mine", "000000000000", "nobody.s":
                # The same id, so that the whole answer can be the same.
                stranger.tell(type, 3, {"session": name, **keys, **more})
                told.append(stranger.answer(3, "core.error"))
            equal((told[0].kind, told[0].message), ("invalid_session", "no such session"))
            equal({got.wire for got in told}, {told[0].wire})
equal([stranger.sessions(), stranger.sessions(for_uid=0)], [[], []])
# Its own it may have, by the same name too.
theirs = stranger.keep_sh(4, "id -u; exec cat", name="mine").session
equal([entry.session for entry in stranger.sessions()], [theirs])
equal(stranger.attach(5, "mine").session, theirs)
# Root may all.
equal({entry.session for entry in owner.sessions()}, {session, theirs})
equal(owner.attach(6, "mine", mode="watch").session, session)
owner.attach(7, theirs)
equal(stranger.outcome(5).last.why, "taken")
owner.stdin(7, b"")
equal(owner.outcome(7).last.code, 0)
stranger.close()
assert owner.session(session).attached == 2
owner.stdin(1, b"")
equal(owner.outcome(1).last.code, 0)
PY
}

@test "kept: another user is told of a session what everybody is told of none, and root may all" {
	need_root
	need_direct "the next test's affair"
	daemon_start --allow-uid 65534
	chmod 666 "$SOCKET"
	strangers
}

@test "kept: the same through a relay, which says whose client it is and lets no client say it" {
	need_root
	need_local "a relay's options"
	THROUGH=relay
	chardev_start
	relay_start "$DIR/chardev" --allow-uid 65534
	"$EXECD" --listen "serial:$DIR/port" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	daemon_answers $((10 * SLOW))
	chmod 666 "$SOCKET"
	strangers
}

# ---- limits ----

@test "kept: nothing is held beyond --replay, attached or not, and the daemon does not grow" {
	daemon_start --replay 64K
	peer <<'PY'
peer = Peer()
before = rss_kib()
pids = [peer.keep_sh(id, "yes & exec yes >&2", output_window=8192) for id in (1, 2)]
sessions = [started.session for started in pids]


def bounded():
    for entry in peer.sessions():
        for name in "stdout", "stderr":
            held = entry.payload[name + "_end"] - entry.payload[name + "_begin"]
            assert 0 <= held <= 65536, entry
    check_rss(before, 1024)


bounded()
peer.close()
peer = Peer()
for session in sessions:
    peer.wait_session(session, lambda entry: min(entry.stdout_end, entry.stderr_end) > 20000000, "a flood")
    bounded()
for session in sessions:
    peer.session_signal(session, 9)
    peer.fetch(peer.new_id(), session, "wait")
PY
}

@test "kept: all that is held together has a limit, too" {
	need_direct "it has queues of its own"
	daemon_start --replay 1M --replay-total 4M
	peer <<'PY'
peer = Peer()
before = rss_kib()
sessions = [peer.keep(id, "yes").session for id in range(1, 21)]
peer.close()
peer = Peer()
for session in sessions:
    peer.wait_session(session, lambda entry: entry.stdout_end > 3000000, "a flood")
held = [entry.stdout_end - entry.stdout_begin for entry in peer.sessions()]
equal(len(held), 20)
assert sum(held) <= (4 << 20) + 20 * 8192 and min(held) > 0, held
check_rss(before, 4096 + 1024)
for session in sessions:
    peer.session_signal(session, 9)
    peer.fetch(peer.new_id(), session, "wait")
PY
}

@test "kept: 500 sessions that say nothing cost 6 KiB each" {
	need_direct "the daemon's memory is looked at"
	daemon_start --max-kept 600 --max-sessions 600
	peer <<'PY'
def some(count):
    peer = Peer()
    sessions = [peer.keep(id, "sleep", "1000", name=f"n{id}").session for id in range(1, count + 1)]
    peer.close()
    return sessions


def end(sessions):
    peer = Peer()
    for session in sessions:
        peer.session_signal(session, 9)
    for session in sessions:
        peer.fetch(peer.new_id(), session, "wait")
        peer.remove(session)
    peer.close()


# What is allocated once is there.
end(some(5))
before = rss_kib()
sessions = some(500)
peer = Peer()
wait_for(lambda: not any(entry.attached for entry in peer.sessions()), "a client that is gone")
equal(len(peer.sessions()), 500)
after = rss_kib()
print(f"{(after - before) / 500} KiB each", file=sys.stderr)
check_rss(before, 500 * 6)
peer.close()
end(sessions)
PY
}

@test "kept: one user's ends do not take the places of all others" {
	need_root
	need_direct "a relay's clients are not the daemon's"
	daemon_start --max-kept 4 --allow-uid 65534 --allow-uid 65533
	chmod 666 "$SOCKET"
	peer <<'PY'
def as_user(uid):
    os.seteuid(uid)
    try:
        return Peer()
    finally:
        os.seteuid(0)


one, other = as_user(65534), as_user(65533)
for id in range(1, 5):
    session = one.keep(id, "true", detached=True).session
    one.detach(id)
    one.wait_ended(session)
equal(len(one.sessions()), 4)
for id in 1, 2:
    other.keep(id, "cat")
equal((len(one.sessions()), len(other.sessions())), (2, 2))
other.request(3, "cat", on_disconnect="keep")
assert "--max-kept" in other.failed(3, "resource_limit")
for id in 1, 2:
    other.stdin(id, b"")
    equal(other.outcome(id).last.code, 0)
PY
}

@test "kept: one more than --max-kept is refused, at its start and by detach, and goes on; ends make room" {
	daemon_start --max-kept 2
	peer <<'PY'
peer = Peer()
peer.keep(1, "cat")
peer.keep(2, "cat")
peer.request(3, "true", on_disconnect="keep")
assert "--max-kept" in peer.failed(3, "resource_limit")
peer.start(4, "cat")
peer.tell("core.session.detach", 4)
assert "--max-kept" in peer.answer(4, "core.session.refused").message
peer.stdin(4, b"on\n")
equal(peer.read_until(4, b"on\n"), b"on\n")
peer.stdin(2, b"")
equal(peer.outcome(2).last.code, 0)
session = peer.detach(4).last.session
equal(peer.session(session).attached, 0)
peer.attach(5, session)
for id in 1, 5:
    peer.stdin(id, b"")
    equal(peer.outcome(id).last.code, 0)
PY
}

@test "kept: an end that nobody fetches is forgotten after --keep-ended" {
	daemon_start --keep-ended 200ms
	peer <<'PY'
peer = Peer()
session = peer.keep_sh(1, "echo x; exec sleep 1000", name="short").session
peer.close()
peer = Peer()
peer.session_signal("short", 15)
wait_for(lambda: not peer.session(session), "a session that is forgotten")
for name in session, "short":
    peer.no_session("core.session.attach", {"session": name, "mode": "wait"})
PY
}

# ---- terminals ----

@test "kept: a terminal's output begins at a clean place, and restore says what holds there" {
	daemon_start --replay 16K
	peer <<'PY'
peer = Peer()
# So that the modes were turned on before what is held.
script = r"""printf '\033[?1049h\033[?25l\033[?2004h'; i=0
while [ $i -lt 3000 ]; do printf '\033[1;31mgr\303\274\303\237e \346\274\242\033]0;a title\007\033[0m\n'; i=$((i + 1)); done
echo ready; exec cat"""
session = peer.keep_sh(1, script, tty=True, rows=24, cols=80).session
peer.read_until(1, b"ready")
peer.close()
tokens = ["\033[1;31m", *"grüße 漢", "\033]0;a title\007", "\033[0m", "\r", "\n"]
line = "".join(tokens).encode()
starts = {"".join(tokens[i:]).encode() for i in range(len(tokens))}
peer = Peer()
got = peer.attach(1, session)
assert got.stdout_at > 0, got
for mode in b"\033[?1049h", b"\033[?25l", b"\033[?2004h":
    assert mode in got.restore, got
data = peer.read_until(1, b"ready")
assert any(data.startswith(start + line) for start in starts), data[:100]
equal(got.stdout_at + data.index(b"ready"), len("\033[?1049h\033[?25l\033[?2004h") + 3000 * len(line))
peer.detach(1)
# Exactly from a byte on, if it is there.
at = peer.session(session).stdout_end - 9
got = peer.attach(2, session, stdout_since=at)
equal(got.stdout_at, at)
peer.signal(2, 9)
equal(peer.outcome(2).last.signal, 9)
PY
}

@test "kept: a terminal that is taken has the size of whoever has it, and the modes that its client said" {
	daemon_start
	peer <<'PY'
peer = Peer()
peer.start_sh(1, "trap 'stty size' WINCH; stty -echo; echo ready; while :; do read a; [ $a = end ] && exit 6; done",
              tty=True, rows=24, cols=80)
peer.read_until(1, b"ready")
peer.tell("core.session.detach", 1, {"restore": b"\x1b[?1049h\x1b[?2004h"})
session = peer.outcome(1).last.session
got = peer.attach(2, session, rows=30, cols=90)
assert b"\x1b[?1049h" in got.restore and b"\x1b[?2004h" in got.restore, got
equal(got.tty, True)
peer.stdin(2, b"\n")
peer.read_until(2, b"30 90")
peer.detach(2)
# Left as it is.
peer.attach(3, session, stdout_since=1 << 40)
peer.tell("core.exec.resize", 3, {"rows": 31, "cols": 91})
peer.stdin(3, b"\n")
peer.read_until(3, b"31 91")
peer.stdin(3, b"end\n")
equal(peer.outcome(3).last.code, 6)
PY
}

# ---- the daemon's end ----

@test "kept: a daemon that is told to end asks kept sessions, and kills what does not go" {
	daemon_start
	mark=$(mark)
	DIR=$DIR MARK=$mark python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$DAEMON" <<'PY'
peer = Peer()
mark = os.environ["MARK"]
peer.keep_sh(1, f"trap 'echo asked >{DIR}/asked; exit 0' TERM; sleep {mark} & echo up; wait; exit 1")
peer.read_until(1, b"up")
peer.keep_sh(2, f"trap '' TERM HUP INT; echo up; while :; do sleep {mark}; done")
peer.read_until(2, b"up")
peer.keep_sh(3, f"trap '' HUP TERM; echo up; sleep {mark}; sleep {mark}", tty=True)
peer.read_until(3, b"up")
peer.close()
PY
	# Each shell says that it is up before it has begun to sleep.
	wait_for 20 matches 3 "^sleep $mark"
	daemon_stop
	none_match "sleep $mark"
	[[ $(<"$DIR/asked") == asked ]]
}

@test "kept: who keeps to its credit is heard, whatever others have sent to a command that reads nothing" {
	daemon_start
	peer <<'PY'
peer = Peer()
session = peer.keep(1, "sleep", "1000", stdin_window=True).session
for _ in range(50):
    peer.stdin(1, bytes(4096))
peer.ping()
aside = Peer()
aside.attach_input(2, session, stdin_window=True)
aside.stdin(2, b"x")
peer.ping()
aside.ping()
# Each who takes over has a window of its own, and can still end it.
for i in range(5):
    window = peer.attach(1, session, stdin_window=True).stdin_window if i else 200 * 1024
    for _ in range(window // 4096):
        peer.stdin(1, bytes(4096))
    peer.close()
    peer = Peer()
peer.attach(1, session, stdin_window=True)
peer.stdin(1, bytes(4096))
peer.signal(1, 9)
equal(peer.outcome(1).last.signal, 9)
PY
}

@test "kept: a daemon that is told to end holds nothing for clients that may come back" {
	need_local "its end"
	daemon_start
	DIR=$DIR RELAY='' python3 -B "$ROOT/tests/peer.py" "$SOCKET" "$DAEMON" <<'PY'
peer = Peer()
session = peer.keep_sh(1, "exec seq 1 3000000", hold_ms=3600000, output_window=32768).session
Peer().wait_session(session, lambda entry: entry.stdout_end > 900 * 1024, "all that is held")
peer.close()
PY
	daemon_stop
	run ! grep -E 'not waiting any longer|could not be ended' "$DIR/daemon.log"
}
