#!/usr/bin/env bats
# Input that no honest client sends: each gets a clear answer or costs that one connection. The
# daemon and its other sessions do not notice, which peer.py --watched checks around every script.
# Run through a relay too (THROUGH=relay): the answers must be the same.

load helper

setup() {
	common_setup
	daemon_start
}

teardown() {
	common_teardown
}

# ---- framing ----

@test "badinput: a frame of length 0 to 4 closes that connection" {
	peer <<'EOF'
for length in range(5):
    peer = Peer()
    peer.send(struct.pack(">I", length) + bytes(length))
    peer.closed()
EOF
}

@test "badinput: a frame over 4 MiB closes that connection as soon as its length is seen" {
	peer <<'EOF'
for length in FRAME_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff:
    peer = Peer()
    peer.send(struct.pack(">I", length))
    peer.closed()
EOF
}

@test "badinput: a frame of exactly 4 MiB is none of these, whatever comes behind it" {
	peer <<'EOF'
peer = Peer()
payload = {"padding": b""}
room = FRAME_MAX - (len(frame("core.ping", 7, payload)) - 4) - 8  # two heads of four bytes more
payload["padding"] = bytes(room)
wire = frame("core.ping", 7, payload)
equal(len(wire), FRAME_MAX + 4)
peer.send(wire + frame("core.ping", 8))
peer.answer(7, "core.pong")
peer.answer(8, "core.pong")
EOF
}

@test "badinput: what came before the loss of framing is still answered" {
	peer <<'EOF'
peer = Peer()
peer.send(frame("core.ping", 7) + frame("core.nope", 8) + bytes(4) + frame("core.ping", 9))
peer.answer(7, "core.pong")
peer.refused(8, "unsupported_message_type")
peer.closed()
EOF
}

@test "badinput: a frame without a body is malformed, not fatal" {
	peer <<'EOF'
peer = Peer()
peer.send(wrap(7, 0, b""))
peer.refused(7, "malformed_message")
peer.send(wrap(0, 0, b""))
peer.ping()
EOF
}

@test "badinput: the end of file after any prefix of a request runs nothing" {
	peer <<'EOF'
whole = frame("core.exec.request", 1, {"cmd": "touch", "args": [DIR + "/made"]})
for length in range(len(whole)):
    peer = Peer()
    peer.send(whole[:length])
    peer.end_input()
    peer.closed()
assert not made("made")
# It was only the rest that was missing.
peer = Peer()
for byte in peer.mine(whole):
    peer.sock.sendall(bytes([byte]))
equal(peer.outcome(1).last.code, 0)
assert made("made")
EOF
}

@test "badinput: a client that goes away inside a frame takes its sessions along" {
	peer <<'EOF'
peer = Peer()
pid = peer.start(1, "sleep", "1000")
peer.send(frame("core.exec.stdin", 1, {"data": bytes(100000)})[:-1])
peer.close()
wait_gone(pid)
EOF
}

@test "badinput: random bytes" {
	peer <<'EOF'
for seed in range(150):
    rng = random.Random(seed)
    peer = Peer()
    peer.send(rng.randbytes(rng.randrange(1, 3000)))
    peer.end_input()
    while got := peer.next():
        equal(got.type, "core.error")
    peer.close()
EOF
}

@test "badinput: random bodies in good frames are each answered as malformed" {
	peer <<'EOF'
peer = Peer()
rng = random.Random(1)
for i in range(2000):
    peer.send(wrap(7, rng.randrange(8), rng.randbytes(rng.randrange(200))))
    peer.refused(7, "malformed_message")
peer.ping()
EOF
}

@test "badinput: good frames with some bytes changed get an answer or cost the connection" {
	peer <<'EOF'
honest = [
    frame("core.exec.request", 7, {"cmd": "/bin/true", "args": ["a"], "env": ["A=1"],
        "cwd": "/", "user": None, "tty": True, "rows": 24, "cols": 80, "rlimits": [
            {"resource": "core", "soft": 0, "hard": 0}], "linger_ms": 1}),
    frame("core.exec.request", 7, {"cmd": "/bin/true"}, dialect="indefinite"),
    frame("core.exec.stdin", 7, {"data": b"abc"}),
    frame("core.exec.resize", 7, {"rows": 1, "cols": 2}, dialect="ts"),
    frame("core.exec.signal", 7, {"signal": 15}),
    frame("core.exec.output.close", 7, {"stream": "stdout"}),
    frame("core.touch", 7),
]
rng = random.Random(2)
peer = Peer()
for i in range(1500):
    wire = bytearray(rng.choice(honest))
    for _ in range(rng.randrange(1, 4)):
        wire[rng.randrange(8, len(wire))] = rng.randrange(256)
    peer.send(wire)
    peer.tell("core.ping", 8)
    while got := peer.next():
        if got.type == "core.pong":
            break
    if not got:
        peer.close()
        peer = Peer()
EOF
}

@test "badinput: a client that says nothing is left alone, and so are the others" {
	peer <<'EOF'
quiet = [Peer() for _ in range(100 if os.environ.get("RELAY") else 500)]
equal(Peer().run(1, "true").last.code, 0)
for peer in quiet:
    peer.ping()
EOF
}

@test "badinput: descriptors sent along are not kept" {
	peer <<'EOF'
peer = Peer()
fds = count_fds()
for _ in range(10):
    socket.send_fds(peer.sock, [peer.mine(frame("core.ping", 7))], [0, 1, 2])
    peer.answer(7, "core.pong")
wait_equal(count_fds, fds, "the daemon's descriptors")
EOF
}

@test "badinput: out of descriptors, the daemon refuses, waits and recovers" {
	need_direct "the connections are not the daemon's"
	daemon_stop
	WRAP=(prlimit --nofile=40:40)
	daemon_start
	need_count "$DAEMON"
	peer <<'EOF'
def cpu():
    with open(f"/proc/{PID}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def count_under_40():
    # Those over it were inherited.
    return sum(int(name) < 40 for name in os.listdir(f"/proc/{PID}/fd"))

peer = Peer()
crowd = [socket.socket(socket.AF_UNIX) for _ in range(60)]
for sock in crowd:
    sock.connect(SOCKET)
# The last of them are told that there is no room, with what is kept for that.
words = crowd[-1].recv(4096)
assert b"RLIMIT_NOFILE" in words, words
equal(count_under_40(), 40)
for tty in False, True:
    peer.request(1, "true", tty=tty)
    equal(peer.answer(1, "core.exec.failed").errno_name, "EMFILE")
# Those it cannot accept do not keep it busy.
before = cpu()
time.sleep(0.3)
assert cpu() - before < 0.1, cpu() - before
for sock in crowd:
    sock.close()
equal(served().run(1, "true").last.code, 0)
EOF
}

# ---- envelopes ----

@test "badinput: an envelope that is not a map of v, t and p is malformed" {
	peer <<'EOF'
good = {"v": 7, "t": "core.ping", "p": b"\xa0"}
bad = [
    b"\xff", b"\xa1", b"\x80", b"\xf6", b"\x01", encode("core.ping"), encode([7, "core.ping", b""]),
    encode({}), encode({"v": 7}), encode({"v": 7, "t": "core.ping"}),
    encode({"v": 7, "p": b"\xa0"}), encode({"t": "core.ping", "p": b"\xa0"}),
    encode({**good, "v": 256}), encode({**good, "v": -1}), encode({**good, "v": "7"}),
    encode({**good, "v": None}), encode({**good, "v": True}),
    encode({**good, "t": 1}), encode({**good, "t": b"core.ping"}), encode({**good, "t": None}),
    encode({**good, "t": Raw(b"\x64\xff\xfe\xfd\xfc")}),
    encode({**good, "p": "text"}), encode({**good, "p": {}}), encode({**good, "p": None}),
    encode({**good, "p": [256]}),
    Raw(b"\xa4") + encode(good)[1:] + encode("v") + encode(7),  # a key twice
    encode({1: 2, **good}),
    encode(good)[:-1], encode(good)[:-3],
    Raw(b"\xa3") + encode("v") + b"\x1c",        # a reserved head
    Raw(b"\xbb" + b"\xff" * 8),                  # a map of 2^64-1 pairs
    Raw(b"\xbf") + encode("v"),                  # without its end
    encode({**good, "p": Raw(b"\x5b" + b"\xff" * 8)}),
    encode({**good, "t": Raw(b"\x7b\x7f" + b"\xff" * 7)}),
    encode({"x": Raw(b"\x9b" + b"\xff" * 8), **good}),
]
peer = Peer()
for body in bad:
    peer.send(wrap(7, 0, body))
    assert peer.refused(7, "malformed_message"), body
peer.send(wrap(7, 0, encode(good)))
peer.answer(7, "core.pong")
EOF
}

@test "badinput: items nested a hundred thousand deep overflow nothing" {
	peer <<'EOF'
peer = Peer()
for opening in b"\x81", b"\x9f", b"\xa1\x61k", b"\xbf\x61k", b"\xc1":
    deep = Raw(opening * 100000 + b"\xf6")
    peer.send(wrap(7, 0, encode({"x": deep, "v": 7, "t": "core.ping", "p": b"\xa0"})))
    got = peer.answer(7, "core.error", "core.pong")
    # Tags are no nesting: there are just many of them.
    equal(got.type, "core.pong" if opening == b"\xc1" else "core.error")
EOF
}

@test "badinput: an envelope of v 4 or less that is malformed is not answered with core.error" {
	peer <<'EOF'
peer = Peer()
for v in range(1, 5):
    peer.send(wrap(7, 0, encode({"v": v, "t": "core.ping"})))
peer.ping()
EOF
}

@test "badinput: a v of 0 is a generation like any other, and knows no core.error" {
	peer <<'EOF'
peer = Peer()
equal(peer.run(1, "true", v=0).last.code, 0)
peer.tell("core.nope", 7, v=0)
peer.send(wrap(7, 0, encode({"v": 0, "t": "core.ping"})))
peer.ping()
peer.tell("core.exec.request", 7, Raw(b"\xff"), v=0)
peer.closed()
EOF
}

@test "badinput: flags other than the type's own are refused, and nothing is done" {
	peer <<'EOF'
payloads = {
    "core.exec.request": {"cmd": "touch", "args": [DIR + "/made"]},
    "core.exec.stdin": {"data": b"x"},
    "core.exec.resize": {"rows": 1, "cols": 1},
    "core.exec.signal": {"signal": 9},
    "core.exec.output.close": {"stream": "stdout"},
    "core.ping": {},
    "core.touch": {},
    "core.shutdown": None,
    "core.fs.request": {"op": {}},
    "core.tcp.connect": {"host": "127.0.0.1", "port": 1},
}
peer = Peer()
for type, payload in payloads.items():
    for flags in range(256):
        if flags == FLAGS.get(type, 0):
            continue
        peer.tell(type, 7, payload, flags=flags)
        got = peer.answer(7, "core.error")
        equal(got.kind, "invalid_flags")
        # Of a bulk record the body is not looked at.
        if not flags & BULK:
            equal(got.offending_type, type)
peer.ping()
assert not made("made")
EOF
}

@test "badinput: wrong flags from v 4: silence, but a request's connection closes" {
	peer <<'EOF'
peer = Peer()
peer.tell("core.exec.stdin", 7, {"data": b"x"}, flags=1, v=4)
peer.tell("core.ping", 7, flags=2, v=1)
peer.ping()
peer.tell("core.exec.request", 7, {"cmd": "true"}, flags=0, v=4)
peer.closed()
EOF
}

@test "badinput: wrong flags on id 0 are dropped, those of core.shutdown too" {
	peer <<'EOF'
peer = Peer()
peer.tell("core.shutdown", 0, None, flags=0)
peer.tell("core.shutdown", 0, None, flags=SHUTDOWN | TERMINAL)
peer.tell("core.exec.signal", 0, {"signal": 9}, flags=255)
peer.ping()
EOF
}

@test "badinput: wrong flags on a live id are an error, and its command is killed" {
	peer <<'EOF'
peer = Peer()
pid = peer.start(1, "sleep", "1000")
peer.stdin(1, b"x", flags=TERMINAL)
peer.refused(1, "invalid_flags", "core.exec.stdin")
wait_gone(pid)
peer.ping()
EOF
}

@test "badinput: a bulk record is refused without a look at its body" {
	peer <<'EOF'
peer = Peer()
record = struct.pack(">BBHQ", 1, 1, 0, 0) + bytes(1000)
peer.send(wrap(7, BULK, record))
peer.refused(7, "invalid_flags")
peer.send(wrap(0, BULK, record))
peer.send(wrap(7, BULK, b""))
peer.refused(7, "invalid_flags")
pid = peer.start(1, "sleep", "1000")
peer.send(wrap(1, BULK, record))
peer.refused(1, "invalid_flags")
wait_gone(pid)
peer.ping()
EOF
}

@test "badinput: an unknown type is named in the answer; id 0 gets none, nor does v 4" {
	peer <<'EOF'
peer = Peer()
for type in ("core.nope", "", "core.workload.freeze", "core.root_disk.grow", "core.bulk.credit",
        "x" * 200):
    peer.tell(type, 7)
    peer.refused(7, "unsupported_message_type", type)
peer.tell("y" * 100000, 7)
peer.refused(7, "unsupported_message_type")
peer.tell("core.nope", 0)
peer.tell("core.nope", 7, v=4)
peer.ping()
EOF
}

# ---- ids ----

@test "badinput: an id outside the client's range closes the connection" {
	peer <<'EOF'
for id in RANGE[1], RANGE[1] + 1, 0x80000000, 0xffffffff:
    for type, payload in (("core.ping", {}), ("core.exec.request", {"cmd": "true"}),
            ("core.exec.stdin", {"data": b""})):
        peer = Peer()
        peer.tell(type, id, payload)
        peer.closed()
peer = Peer()
peer.tell("core.ping", RANGE[1] - 1)
peer.answer(RANGE[1] - 1, "core.pong")
equal(peer.run(RANGE[0], "true").last.code, 0)
EOF
}

@test "badinput: id 0 may not ask for anything" {
	peer <<'EOF'
for type, payload in (
        ("core.exec.request", {"cmd": "touch", "args": [DIR + "/made"]}), ("core.ping", {}),
        ("core.touch", {}), ("core.fs.request", {"op": {}}),
        ("core.tcp.connect", {"host": "h", "port": 1})):
    peer = Peer()
    peer.tell(type, 0, payload)
    peer.closed()
assert not made("made")
peer = Peer()
for type, payload in (("core.exec.stdin", {"data": b"x"}), ("core.exec.signal", {"signal": 9}),
        ("core.exec.resize", {"rows": 1, "cols": 1})):
    peer.tell(type, 0, payload)
peer.ping()
EOF
}

@test "badinput: a second request on a live id closes the connection and ends its sessions" {
	peer <<'EOF'
peer = Peer()
first, other = peer.start(1, "sleep", "1000"), peer.start(2, "sleep", "1000")
peer.request(1, "touch", DIR + "/made")
peer.closed()
wait_gone(first)
wait_gone(other)
assert not made("made")
EOF
}

@test "badinput: an id whose session is over may be used again" {
	peer <<'EOF'
peer = Peer()
for i in range(20):
    equal(peer.run_sh(1, f"exit {i}").last.code, i)
peer.run(1, "/no/such")
equal(peer.run(1, "true").last.code, 0)
EOF
}

@test "badinput: stdin, resize, signal and output.close for nobody are ignored" {
	peer <<'EOF'
peer = Peer()
for id in 7, RANGE[1] - 1:
    peer.stdin(id, b"x")
    peer.stdin(id, b"")
    peer.signal(id, 9)
    peer.tell("core.exec.resize", id, {"rows": 1, "cols": 1})
    peer.tell("core.exec.output.close", id, {"stream": "stdout"})
peer.ping()
EOF
}

# ---- types that are for others ----

@test "badinput: what only a daemon may send is ignored, on a live id too" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat")
for id in 1, 7:
    for type, payload in {
        "core.ready": {}, "core.init.resolved": {"default_user": {"uid": 0, "gid": 0}},
        "core.exec.started": {"pid": 1}, "core.exec.stdout": {"data": b"x"},
        "core.exec.stderr": {"data": b"x"}, "core.exec.exited": {"code": 0},
        "core.exec.failed": {"kind": "other", "message": ""},
        "core.exec.stdin.error": {"message": ""},
        "core.error": {"kind": "invalid_flags", "message": ""}, "core.pong": {},
        "core.touched": {"activity_seq": 1}, "core.fs.response": {"ok": True},
        "core.tcp.failed": {"error": ""},
    }.items():
        peer.tell(type, id, payload)
peer.ping()
peer.stdin(1, b"still here\n")
peer.stdin(1, b"")
equal(peer.outcome(1).stdout, b"still here\n")
EOF
}

@test "badinput: a client is no relay: bootstrap, ack, clock.sync and disconnected do nothing" {
	peer <<'EOF'
other = Peer()
other.start(1, "cat")
peer = Peer()
for id in 0, 7:
    peer.tell("core.bootstrap", id, {"user": "nobody", "default_cwd": "/tmp"})
    peer.tell("core.init.ack", id)
    peer.tell("core.clock.sync", id, {"unix_time_nanos": 1})
    peer.tell("core.relay.client.disconnected", id, {"id_start": 1, "id_end_exclusive": RANGE[1]})
peer.ping()
equal(peer.run(1, "id", "-u").stdout, str(os.getuid()).encode() + b"\n")
other.stdin(1, b"still here\n")
equal(other.answer(1, "core.exec.stdout").data, b"still here\n")
EOF
}

@test "badinput: file requests are refused as file responses, TCP as TCP failures" {
	peer <<'EOF'
peer = Peer()
for payload in {"op": {"Stat": {"path": "/", "follow_symlink": True}}}, {"op": {}}, Raw(b"\xff"):
    peer.tell("core.fs.request", 7, payload)
    got = peer.answer(7, "core.fs.response")
    equal((got.flags, got.ok, got.payload["data"]), (TERMINAL, False, None))
    assert "not supported" in got.error
    peer.tell("core.tcp.connect", 7, payload)
    got = peer.answer(7, "core.tcp.failed")
    equal((got.flags, list(got.payload)), (TERMINAL, ["error"]))
    assert "not supported" in got.error
for type in "core.fs.data", "core.tcp.data", "core.tcp.eof", "core.tcp.close":
    peer.tell(type, 7, {"data": b"x"})
peer.ping()
EOF
}

# ---- payloads ----

@test "badinput: a request's payload that does not decode is invalid_payload" {
	peer <<'EOF'
def pair(key, value):
    return Raw(b"\xa2" + encode("cmd") + encode("true") + encode(key) + encode(value))

most = Raw(b"\xff" * 8)
bad = {
    "args": [None, "a", [1], ["a", None], {}, [Raw(b"\x61\xff")], Raw(b"\x9b" + most),
        Raw(b"\x9f\x61a")],
    "env": [None, [b"A=1"], {"A": "1"}],
    "cwd": [1], "user": [0], "on_disconnect": [1], "login_shell": [1], "unknown": [Raw(b"\xff")],
    "tty": [None, 1, "true"],
    "rows": [-1, 65536, None], "cols": [(1 << 64) - 1, 1.5],
    "rlimits": [None, {}, [1]],
    "timeout_ms": [-1, "1s"], "linger_ms": [False], "timeout_signal": [1 << 31],
    "kill_after_ms": [Raw(b"\xc2\x49" + most + b"\xff")],
    1: [2],
}
payloads = [pair(key, value) for key, values in bad.items() for value in values]
payloads += [Raw(b""), Raw(b"\xff"), Raw(b"\x80"), Raw(b"\xf6"), {}, {"args": []}]
payloads += [{"cmd": bad} for bad in (None, 1, b"true", ["true"], Raw(b"\x62\xc3\x28"),
    Raw(b"\x63\xed\xa0\x80"), Raw(b"\x7b" + most))]
payloads += [Raw(b"\xa2" + 2 * (encode("cmd") + encode("true")))]
peer = Peer()
for payload in payloads:
    peer.tell("core.exec.request", 7, payload)
    peer.refused(7, "invalid_payload", "core.exec.request")
equal(peer.run(7, "true", unknown={"deeply": [{"nested": None}, 1.5, b""]}).last.code, 0)
EOF
}

@test "badinput: a malformed resource limit fails the request" {
	peer <<'EOF'
peer = Peer()
for limit in ({}, {"resource": "core"}, {"resource": "core", "soft": 1},
        {"resource": 1, "soft": 1, "hard": 1}, {"resource": "core", "soft": -1, "hard": 1},
        {"resource": "core", "soft": 1, "hard": None}):
    peer.request(7, "true", rlimits=[limit])
    got = peer.answer(7, "core.exec.failed", "core.error")
    assert got.kind in ("resource_limit", "invalid_payload"), got
EOF
}

@test "badinput: a request of v 4 that does not decode closes the connection without core.error" {
	peer <<'EOF'
for v in range(1, 5):
    peer = Peer()
    peer.tell("core.exec.request", 7, Raw(b"\xff"), v=v)
    peer.closed()
peer = Peer()
peer.tell("core.exec.stdin", 7, {"data": "text"}, v=4)
peer.ping()
EOF
}

@test "badinput: a stdin payload that does not decode is an error on a live id, and it is killed" {
	peer <<'EOF'
peer = Peer()
bad = "text", None, [256], ["x"], Raw(b"\x5b" + b"\xff" * 8), Raw(b"\x5f\x61x\xff")
for payload in [{"data": data} for data in bad] + [{}, Raw(b""), Raw(b"\xa1")]:
    pid = peer.start(1, "sleep", "1000")
    peer.tell("core.exec.stdin", 1, payload)
    peer.refused(1, "invalid_payload", "core.exec.stdin")
    wait_gone(pid)
    peer.tell("core.exec.stdin", 7, payload)
    peer.refused(7, "invalid_payload", "core.exec.stdin")
peer.ping()
EOF
}

@test "badinput: so are a signal, a resize and an output.close that do not decode" {
	peer <<'EOF'
peer = Peer()
bad = {
    "core.exec.signal": [{}] + [{"signal": n}
        for n in (1 << 31, -(1 << 31) - 1, "TERM", None, 1.5)],
    "core.exec.resize": [{"rows": 24}, {"rows": 65536, "cols": 1}, {"rows": -1, "cols": 1}],
    "core.exec.output.close": [{}, {"stream": "stdin"}, {"stream": 1}],
}
for type, payloads in bad.items():
    for payload in payloads:
        pid = peer.start(1, "sleep", "1000")
        peer.tell(type, 1, payload)
        peer.refused(1, "invalid_payload", type)
        wait_gone(pid)
peer.ping()
EOF
}

@test "badinput: a bad frame of v 4 on a live id does not leave its client waiting" {
	peer <<'EOF'
peer = Peer()
pid = peer.start(1, "sleep", "1000", v=4)
peer.tell("core.exec.stdin", 1, {"data": "text"}, v=4)
# It cannot be told by core.error: either the session goes on or the connection ends.
peer.tell("core.ping", 7, v=4)
if peer.next():
    assert not is_gone(pid), "the command was killed and nobody was told"
    peer.signal(1, 15, v=4)
    equal(peer.outcome(1).last.code, -1)
else:
    wait_gone(pid)
EOF
}

@test "badinput: nothing more is said on an id after its core.error" {
	peer <<'EOF'
peer = Peer()
polite = "trap 'echo bye; exit 3' TERM; echo on; while :; do sleep 0.01; done"
pid = peer.start_sh(1, polite)
peer.read_until(1, b"on\n")
peer.tell("core.exec.stdin", 1, Raw(b"\xff"))
peer.refused(1, "invalid_payload")
wait_gone(pid)
wait_equal(lambda: pid in children(), False, "the leader, reaped")
peer.ping()
equal(peer.kept, [])
EOF
}

# ---- values ----

@test "badinput: a hundred thousand environment entries arrive" {
	peer <<'EOF'
peer = Peer()
# The kernel allows two MiB for all, pointers included.
many = [f"E{i}=" for i in range(100000)]
got = peer.run(1, "env", env=many)
equal(got.last.code, 0)
import re
assert re.findall("^E[0-9]+=$", got.stdout.decode(), re.M) == many
equal(peer.run_sh(2, "echo $E", env=[f"E={i}" for i in range(100000)]).stdout, b"99999\n")
peer.request(3, "true", env=[f"E{i}={i:020}" for i in range(100000)])
peer.failed(3, "bad_args", "execve", "E2BIG")
EOF
}

@test "badinput: an argument of 3 MiB is E2BIG, and so are a million small ones" {
	peer <<'EOF'
peer = Peer()
peer.request(1, "true", "a" * (3 << 20))
peer.failed(1, "bad_args", "execve", "E2BIG")
peer.request(2, "true", *[""] * 1000000, tty=True)
peer.failed(2, "bad_args", "execve", "E2BIG")
peer.request(3, "/bin/" + "a" * (3 << 20))
peer.failed(3, "bad_args", "execve", "ENAMETOOLONG")
peer.request(4, "a" * 256)
peer.failed(4, "bad_args", "execve", "ENAMETOOLONG")
peer.request(5, "true", cwd="/" + "a" * 5000)
peer.failed(5, "bad_cwd", "chdir", "ENAMETOOLONG")
peer.request(6, "nosuch", env=["PATH=" + ":" * 200000])
peer.failed(6, "bad_args", "execve", "E2BIG")
equal(peer.run(7, "true").last.code, 0)
EOF
}

@test "badinput: a NUL is refused wherever it hides" {
	peer <<'EOF'
peer = Peer()
path = DIR + "/made"
for tty in False, True:
    for request, kind in (
        ({"cmd": "touch\0", "args": [path]}, "bad_args"), ({"cmd": "\0"}, "bad_args"),
        ({"cmd": "touch", "args": [path, "a\0b"]}, "bad_args"),
        ({"cmd": "touch", "args": [path], "env": ["A=1\0"]}, "bad_args"),
        ({"cmd": "touch", "args": [path], "env": ["A\0=1"]}, "bad_args"),
        ({"cmd": "touch", "args": [path], "cwd": "/\0"}, "bad_cwd"),
        ({"cmd": "touch", "args": [path], "user": "root\0"}, "user_setup_failed"),
        ({"cmd": "touch", "args": [path], "rlimits": [
            {"resource": "core\0", "soft": 0, "hard": 0}]}, "resource_limit"),
    ):
        peer.tell("core.exec.request", 7, {**request, "tty": tty})
        equal(peer.answer(7, "core.exec.failed").kind, kind)
assert not made("made")
EOF
}

@test "badinput: a window of 0 rows and 65535 columns is as asked for" {
	peer <<'EOF'
peer = Peer()
equal(peer.run(1, "stty", "size", tty=True, rows=0, cols=65535).stdout, b"0 65535\r\n")
peer.start_sh(2, "read a; stty size; read a", tty=True, rows=65535, cols=0)
peer.tell("core.exec.resize", 2, {"rows": 0, "cols": 0})
peer.tell("core.exec.resize", 2, {"rows": 65535, "cols": 65535})
peer.stdin(2, b"\n")
peer.read_until(2, b"65535 65535")
# With pipes there is nothing to resize.
peer.start(3, "cat")
peer.tell("core.exec.resize", 3, {"rows": 1, "cols": 1})
peer.stdin(3, b"")
equal(peer.outcome(3).last.code, 0)
EOF
}

@test "badinput: signals other than 1 to 31 are ignored" {
	peer <<'EOF'
peer = Peer()
for tty in False, True:
    peer.start_sh(1, "echo on; exec cat", tty=tty)
    peer.read_until(1, b"on")
    for number in 0, 32, 33, 64, 65, 99, -1, -9, -15, 0x7fffffff, -0x80000000:
        peer.signal(1, number)
    peer.stdin(1, b"alive\n")
    peer.read_until(1, b"alive")
    peer.signal(1, 31)
    equal(peer.outcome(1).last.signal, 31)
EOF
}

@test "badinput: time-out signals that are none become TERM" {
	peer <<'EOF'
peer = Peer()
for number in 0, -1, 65, 1000:
    got = peer.run(1, "sleep", "1000", timeout_ms=1, timeout_signal=number, kill_after_ms=60000)
    equal((got.last.code, got.last.signal, got.last.timed_out), (-1, 15, True))
EOF
}

@test "badinput: the longest times are long, not over at once" {
	peer <<'EOF'
peer = Peer()
for most in (1 << 64) - 1, 1 << 63, (1 << 63) - 1:
    times = {"timeout_ms": most, "kill_after_ms": most, "linger_ms": most}
    pid = peer.start_sh(1, f"({AWAIT_GO}) & exit 3", env=DIR_ENV, **times)
    wait_gone(pid)
    peer.ping()
    go()
    got = peer.outcome(1).last
    equal((got.code, "timed_out" in got.payload), (3, False))
    os.unlink(DIR + "/go")
EOF
}

@test "badinput: stdin after its end is dropped, and a second end is none" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat")
for data in b"first\n", b"", b"", b"late\n", b"":
    peer.stdin(1, data)
got = peer.outcome(1)
equal((got.stdout, got.types[-1], got.last.code), (b"first\n", "core.exec.exited", 0))
equal(set(got.types), {"core.exec.stdout", "core.exec.exited"})
peer.start_sh(2, "cat; echo ended; exec sleep 1000")
peer.stdin(2, b"")
peer.read_until(2, b"ended\n")
peer.stdin(2, b"late")
peer.stdin(2, b"")
peer.signal(2, 15)
equal(peer.outcome(2).types, ["core.exec.exited"])
EOF
}

@test "badinput: an end of stdin does nothing to a terminal" {
	peer <<'EOF'
peer = Peer()
peer.start_sh(1, "stty -echo; echo on; exec cat", tty=True)
peer.read_until(1, b"on")
peer.stdin(1, b"")
peer.stdin(1, b"alive\n")
peer.read_until(1, b"alive\r\n")
peer.stdin(1, b"\x04")
equal(peer.outcome(1).last.code, 0)
EOF
}

@test "badinput: resource limits that cannot be set fail the request, with pipes and a terminal" {
	peer <<'EOF'
peer = Peer()
for tty in False, True:
    peer.request(1, "true", tty=tty, rlimits=[{"resource": "bogus", "soft": 1, "hard": 1}])
    assert "bogus" in peer.failed(1, "resource_limit")
    peer.request(1, "true", tty=tty, rlimits=[{"resource": "nofile", "soft": 100, "hard": 50}])
    peer.failed(1, "resource_limit", "setrlimit(RLIMIT_NOFILE)", "EINVAL")
    peer.request(1, "true", tty=tty, rlimits=[{"resource": "core", "soft": 0, "hard": 0}] * 1000)
    peer.failed(1, "resource_limit")
    equal(peer.run_sh(1, "ulimit -n", tty=tty,
        rlimits=[{"resource": "NoFile", "soft": 77, "hard": 88}]).stdout.strip(), b"77")
EOF
}

@test "badinput: an empty command is not found, an empty user is none" {
	peer <<'EOF'
peer = Peer()
for tty in False, True:
    peer.request(1, "", tty=tty)
    peer.failed(1, "not_found", errno_name="ENOENT")
    for none in "", " ":
        equal(peer.run(1, "id", "-u", user=none, tty=tty).stdout.strip(), str(os.getuid()).encode())
for user in (":", "root:", ":root", "nosuch-user", "root:nosuch-group", "4294967295",
        "0:4294967295", "root:root:root"):
    peer.request(1, "true", user=user)
    peer.failed(1, "user_setup_failed", "user")
EOF
}

@test "badinput: what on_disconnect does not know is kill" {
	peer <<'EOF'
peer = Peer()
pid = peer.start(1, "sleep", "1000", on_disconnect="explode")
peer.close()
wait_gone(pid)
EOF
}

@test "badinput: input that a command does not read stops its connection only" {
	peer <<'EOF'
peer = Peer()
pid = peer.start(1, "sleep", "1000")
before = rss_kib()
peer.stuff(frame("core.exec.stdin", 1, {"data": bytes(60000)}), 60000000)
check_rss(before, 8 * 1024)
other = Peer()
for i in range(5):
    equal(other.run(1, "true").last.code, 0)
peer.close()
wait_gone(pid)
EOF
}

@test "badinput: answers that nobody reads do not pile up" {
	peer <<'EOF'
peer = Peer()
before = rss_kib()
# Until the daemon reads no more, or has enough of this client.
peer.stuff(frame("core.nope", 7) * 1000, 45000000)
check_rss(before, 8 * 1024)
equal(Peer().run(1, "true").last.code, 0)
EOF
}

# ---- daemons of their own ----

@test "badinput: core.shutdown from our own user ends the daemon well, whatever its payload" {
	need_direct "its clients stay"
	daemon_stop
	for payload in '' f6 a0 ff; do
		daemon_start
		PAYLOAD=$payload python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$DAEMON" <<'EOF'
peer = Peer()
peer.start(1, "sleep", "1000")
peer.start_sh(2, "echo on; exec cat", tty=True)
peer.read_until(2, b"on")
peer.tell("core.shutdown", 0, Raw(bytes.fromhex(os.environ["PAYLOAD"])))
equal(peer.outcome(1).last.signal, 15)
equal(peer.outcome(2).last.signal, 1)
peer.closed()
EOF
		status=0
		wait "$DAEMON" || status=$?
		DAEMON=
		[[ $status -eq 0 && ! -e $SOCKET ]]
	done
}

@test "badinput: core.shutdown from another user is not obeyed, and its sessions are its own" {
	need_root
	need_direct "who may do what is the relay's affair"
	daemon_stop
	daemon_start --allow-uid 65534
	chmod 666 "$SOCKET"
	python3 -B - "$BATS_TEST_DIRNAME" "$SOCKET" <<'EOF'
import os
import socket
import sys

sys.path.insert(0, sys.argv[1])
import wire

os.setgroups([])
os.setresuid(65534, 65534, 65534)
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[2])
stream = wire.Stream(sock, 20)
stream.fill(8)
stream.take(8)
assert stream.next().type == "core.ready"
stream.send(wire.frame("core.shutdown", 0, None) + wire.frame("core.ping", 1))
assert stream.next().type == "core.pong"
EOF
	peer <<<'Peer().ping()'
	grep -q 'may not shut down' "$DIR/daemon.log"
}

@test "badinput: one session more than --max-sessions is resource_limit" {
	daemon_stop
	daemon_start --max-sessions 3
	# The bystander is the first of the three.
	peer <<'EOF'
peer = Peer()
pid = peer.start(1, "sleep", "1000")
Peer().start(1, "sleep", "1000")
peer.request(2, "true")
assert "--max-sessions" in peer.failed(2, "resource_limit")
peer.signal(1, 9)
equal(peer.outcome(1).last.signal, 9)
equal(peer.run(2, "true").last.code, 0)
EOF
}
