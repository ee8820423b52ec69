#!/usr/bin/env bats
# What the daemon says on the wire, seen by a client that shares no code with it.

load helper

setup() {
	common_setup
	daemon_start
}

teardown() {
	common_teardown
}

# ---- the agent as a whole ----

@test "wire: the greeting is slot 0's range and a ready of generation 7" {
	VERSION=$("$EXECD" --version) peer <<'EOF'
peer = Peer()
equal(peer.range, RANGE)
ready = peer.ready
equal((ready.type, ready.id, ready.flags, ready.v), ("core.ready", 0, 0, 7))
times = {"boot_time_ns", "init_time_ns", "ready_time_ns"}
equal(set(ready.payload), times | {"agent_version", "exec_features"})
equal({type(ready.payload[name]) for name in times}, {int})
equal(ready.agent_version, os.environ["VERSION"].replace("msb-execd ", "msb-execd/"))
equal(Peer().ready.wire, ready.wire)
EOF
}

@test "wire: the features are those that the protocol names, each once" {
	peer <<'EOF'
features = Peer().ready.exec_features
equal(len(features), len(set(features)))
known = {"timeout", "linger", "on_disconnect", "login_shell", "usage", "output_close",
         "stdin_window", "output_window", "pixels", "sessions", "merge_output",
         "user_shell", "cgroup"}
equal(set(features), known)
EOF
}

@test "wire: ping is answered by pong, and counts as nothing" {
	peer <<'EOF'
peer = Peer()
for id in RANGE[0], 77, RANGE[1] - 1:
    peer.tell("core.ping", id)
    got = peer.answer(id, "core.pong")
    equal((got.flags, got.v, got.payload), (TERMINAL, 7, {}))
def touch():
    peer.tell("core.touch", 5)
    return peer.answer(5, "core.touched").activity_seq
first = touch()
peer.ping()
peer.tell("core.clock.sync", 0, {"unix_time_nanos": 1})
equal(touch(), first + 1)
EOF
}

@test "wire: touch adds 1, a command as many as it has messages" {
	peer <<'EOF'
peer = Peer()
def touch():
    peer.tell("core.touch", 5)
    got = peer.answer(5, "core.touched")
    equal((got.flags, list(got.payload)), (TERMINAL, ["activity_seq"]))
    return got.activity_seq
first = touch()
equal([touch(), touch()], [first + 1, first + 2])
got = peer.run(1, "true")
equal(len(got.frames), 2)
equal(touch(), first + 3 + 1 + 2)
peer.signal(1, 15)
equal(touch(), first + 7 + 1)
EOF
}

@test "wire: what is refused as a file or TCP message counts as a message too" {
	peer <<'EOF'
peer = Peer()
def touch():
    peer.tell("core.touch", 5)
    return peer.answer(5, "core.touched").activity_seq
first = touch()
peer.tell("core.fs.request", 6, {"op": {}})
peer.answer(6, "core.fs.response")
equal(touch(), first + 1 + 2)
EOF
}

# ---- a session ----

@test "wire: started comes first with the leader's number, exited last and once" {
	peer <<'EOF'
peer = Peer()
for i in range(60):
    got = peer.run_sh(1, f"echo $$; echo e >&2; exit {i}", tty=i % 2 == 1)
    equal((got.types[0], got.types[-1]), ("core.exec.started", "core.exec.exited"))
    equal(got.last.code, i)
    # A terminal has one stream.
    streams = {"core.exec.stdout"} if i % 2 else {"core.exec.stdout", "core.exec.stderr"}
    equal(set(got.types[1:-1]), streams)
    equal(int(got.stdout.split()[0]), got.frames[0].pid)
    equal([f.flags for f in got.frames], [0] * (len(got.frames) - 1) + [TERMINAL])
    equal({f.v for f in got.frames}, {7})
    equal(list(got.frames[0].payload), ["pid"])
peer.ping()
EOF
}

@test "wire: a request of nothing but cmd has the reference's defaults" {
	peer <<'EOF'
peer = Peer()
peer.tell("core.exec.request", 1, {"cmd": "pwd"})
equal(peer.outcome(1).stdout, os.getcwd().encode() + b"\n")
peer.tell("core.exec.request", 1, {"cmd": "stty", "args": ["size"], "tty": True})
equal(peer.outcome(1).stdout, b"24 80\r\n")
peer.tell("core.exec.request", 1, {
    "cmd": "sh", "args": ["-c", "echo $A $B"], "cwd": None, "user": None,
    "env": ["A=1", "nothing", "A=2", "", "B=b=b"]})
equal(peer.outcome(1).stdout, b"2 b=b\n")
EOF
}

@test "wire: any v is served, old or from the future" {
	peer <<'EOF'
peer = Peer()
for v in 1, 4, 5, 7, 9, 99, 255:
    equal(peer.run_sh(1, "exit 3", v=v).last.code, 3)
EOF
}

@test "wire: exited says which signal killed the leader, and only then" {
	peer <<'EOF'
peer = Peer()
for tty in False, True:
    for number in 1, 2, 9, 13, 15, 31:
        got = peer.run_sh(1, f"kill -{number} $$", tty=tty).last
        equal((got.code, got.signal), (-1, number))
        equal(set(got.payload), {"code", "signal", "usage"})
got = peer.run_sh(1, "sleep 0.001; exit 7").last
equal((got.code, set(got.payload)), (7, {"code", "usage"}))
got = peer.run_sh(1, "sh -c 'kill -9 $$'; exit $?").last
equal((got.code, set(got.payload)), (137, {"code", "usage"}))
EOF
}

@test "wire: signals reach the leader's whole group" {
	peer <<'EOF'
peer = Peer()
for tty in False, True:
    peer.start_sh(1, "sleep 1000 & echo $!; wait", tty=tty)
    child = int(peer.read_until(1, b"\n"))
    peer.signal(1, 15)
    equal(peer.outcome(1).last.signal, 15)
    wait_gone(child)
EOF
}

@test "wire: usage counts the leader and the children it waited for" {
	peer <<'EOF'
peer = Peer()
got = peer.run(1, "sleep", "0.1").last.usage
equal(set(got), {"user_us", "sys_us", "wall_us", "max_rss_kib"})
assert 100000 <= got["wall_us"] < 5e6 * SLOW, got
assert got["user_us"] + got["sys_us"] < got["wall_us"], got
assert 100 < got["max_rss_kib"] < 100000, got
burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
got = peer.run_sh(1, f"({burn}); true").last.usage
assert got["user_us"] + got["sys_us"] > 20000, got
EOF
}

@test "wire: a login shell is the user's own, with a dash" {
	need_root
	peer <<'EOF'
peer = Peer()
peer.tell("core.exec.request", 1, {"cmd": "", "login_shell": True,
    "env": ["ENV=", "BASH_ENV=", "HOME=" + DIR]})
peer.stdin(1, b"echo \"<$0>\"; exit 5\n")
got = peer.outcome(1)
equal(got.last.code, 5)
import pwd
shell = os.path.basename(pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh")
assert f"<-{shell}>".encode() in got.stdout, got.stdout
EOF
}

@test "wire: the user's shell is the same without a dash, in the same folder, with its arguments" {
	need_root
	peer <<'EOF'
import pwd
me = pwd.getpwuid(os.getuid())
shell = os.path.basename(me.pw_shell or "/bin/sh")
peer = Peer()
def run(**how):
    peer.tell("core.exec.request", 1, {"cmd": "", "args": ["-c", "echo $0 $1; pwd -P; exit 5", *how.pop("more", [])],
        "env": ["ENV=", "BASH_ENV=", "HOME=" + DIR], **how})
    peer.stdin(1, b"")
    got = peer.outcome(1)
    equal(got.last.code, 5)
    return got.stdout.decode().splitlines()
equal(run(user_shell=True), [shell, os.path.realpath(me.pw_dir)])
equal(run(user_shell=True, more=["zero", "one"], cwd="/"), ["zero one", "/"])
# With both it is a login shell, which takes arguments, too.
equal(run(user_shell=True, login_shell=True)[0], "-" + shell)
equal(run(login_shell=True, more=["zero", "one"])[0], "zero one")
EOF
}

@test "wire: failed stands alone, with all of its five keys" {
	peer <<'EOF'
peer = Peer()
for tty in False, True:
    got = peer.run(1, "/no/such", tty=tty)
    equal(got.types, ["core.exec.failed"])
    equal(list(got.last.payload), ["kind", "errno", "errno_name", "message", "stage"])
    got = got.last
    equal((got.flags, got.kind, got.errno, got.errno_name), (TERMINAL, "not_found", 2, "ENOENT"))
    assert "/no/such" in got.message
got = peer.run(1, "true", user="nosuch-user").last
equal((got.errno, got.errno_name), (None, None))
EOF
}

# ---- time ----

@test "wire: a time-out signals the group, then kills it, and exited says so" {
	peer <<'EOF'
peer = Peer()
got = peer.run_sh(1, "sleep 1000; :", timeout_ms=50).last
equal((got.code, got.signal, got.timed_out), (-1, 15, True))
got = peer.run(1, "sleep", "1000", timeout_ms=50, timeout_signal=10).last
equal((got.code, got.signal, got.timed_out), (-1, 10, True))
# Time enough to set the trap.
soon = int(1000 * SLOW)
polite = "trap 'exit 3' TERM; while :; do sleep 0.01; done"
peer.request(1, "sh", "-c", polite, timeout_ms=soon)
deaf = "trap '' TERM; while :; do sleep 0.01; done"
peer.request(2, "sh", "-c", deaf, timeout_ms=soon, kill_after_ms=50)
got = peer.outcome(1).last
equal((got.code, got.timed_out), (3, True))
got = peer.outcome(2).last
equal((got.code, got.signal, got.timed_out), (-1, 9, True))
got = peer.run(1, "true", timeout_ms=60000).last
equal((got.code, "timed_out" in got.payload), (0, False))
EOF
}

@test "wire: a time-out strikes although the client is gone" {
	peer <<'EOF'
polite, deaf = Peer(), Peer()
first = polite.start(1, "sleep", "1000", timeout_ms=200, on_disconnect="keep")
polite.close()
second = deaf.start_sh(1, "trap '' TERM; echo on; while :; do sleep 0.01; done",
    timeout_ms=int(1000 * SLOW), kill_after_ms=50, on_disconnect="keep")
deaf.read_until(1, b"on")
deaf.close()
wait_gone(first)
wait_gone(second)
EOF
}

# ---- descendants that hold the output ----

@test "wire: started or failed is the first that is said, whatever comes of the input" {
	peer <<'EOF'
peer = Peer()
# Into commands that read none of it: that it fails may be known before their start is.
for id in range(1, 201):
    cmd = ("true", "nosuch-command", "false")[id % 3]
    peer.request(id, cmd)
    for _ in range(300):
        peer.stdin(id, b"x")
    got = peer.outcome(id)
    equal(got.types[0], "core.exec.failed" if id % 3 == 1 else "core.exec.started")
EOF
}

@test "wire: without linger_ms exited waits for whoever holds the output" {
	peer <<'EOF'
peer = Peer()
leader = peer.start_sh(1, f"({AWAIT_GO}; echo child) & echo parent", env=DIR_ENV)
peer.read_until(1, b"parent\n")
wait_gone(leader)
peer.ping()
go()
got = peer.outcome(1)
equal((got.stdout, got.types[-1], got.last.code), (b"child\n", "core.exec.exited", 0))
EOF
}

@test "wire: with linger_ms exited comes after that much silence, and the survivor lives on" {
	peer <<'EOF'
peer = Peer()
survivor = f"({AWAIT_GO}; echo child; echo child >&2; touch $DIR/done) &"
got = peer.run_sh(1, survivor + " echo parent", linger_ms=50, env=DIR_ENV)
equal((got.stdout, got.last.code), (b"parent\n", 0))
go()
wait_made("done")
peer.ping()
EOF
}

@test "wire: linger_ms is silence, not a limit: what goes on talking is heard to its end" {
	peer <<'EOF'
peer = Peer()
# In all a little longer than the silence that would end it, which no two of them are apart.
count = int(12 * SLOW)
talk = f"i=0; while [ $i -lt {count} ]; do sleep 0.06; echo $i; i=$((i + 1)); done"
got = peer.run_sh(1, f"({talk}) & exit 4", linger_ms=int(600 * SLOW))
equal((got.stdout.split(), got.last.code), ([b"%d" % i for i in range(count)], 4))
EOF
}

@test "wire: a slow reader loses no tail, not even with a linger of 1 ms" {
	peer <<'EOF'
peer = Peer()
for tty, size in (False, 50000), (False, 900000), (False, 3000000), (True, 300000):
    once = ("if=/dev/zero", f"bs={size}", "count=1", "status=none")
    leader = peer.start(1, "dd", *once, tty=tty, linger_ms=1)
    # Only once it is done, or all that is in the way is full.
    wait_for(lambda: is_gone(leader) or is_stuck(leader), "the leader's end, or a full pipe")
    got = peer.outcome(1)
    equal((len(got.stdout), got.last.code), (size, 0))
EOF
}

@test "wire: while the client does not read, no silence counts" {
	peer <<'EOF'
peer = Peer()
linger = 1.0 * SLOW
writer = "dd if=/dev/zero bs=3000000 count=1 status=none & echo $! >&2"
peer.start_sh(1, writer, linger_ms=int(linger * 1000))
early = 0
while (got := peer.answer(1)).type == "core.exec.stdout":
    early += len(got.data)
child = int(got.data)
wait_for(lambda: is_stuck(child), "a full pipe")
time.sleep(1.5 * linger)
equal(early + len(peer.outcome(1).stdout), 3000000)
EOF
}

# ---- clients that leave ----

@test "wire: without on_disconnect, or with kill, all of a lost client's session is killed" {
	peer <<'EOF'
forever = "while :; do sleep 0.01; done"
stubborn = f"trap '' TERM HUP; sh -c 'echo $$; {forever}' & {forever}"
lost = Peer()
pids = []
ways = {}, {"on_disconnect": "kill"}, {"on_disconnect": None}, {"tty": True}
for id, keys in enumerate(ways, 1):
    pids.append(lost.start_sh(id, stubborn, **keys))
    pids.append(int(lost.read_until(id, b"\n")))
lost.close()
for pid in pids:
    wait_gone(pid)
EOF
}

@test "wire: on_disconnect hangup is a SIGHUP and no more" {
	peer <<'EOF'
lost = Peer()
traps = "trap 'touch $DIR/heard; exit' HUP; trap 'touch $DIR/term' TERM; echo on;"
how = {"env": DIR_ENV, "on_disconnect": "hangup"}
heard = lost.start_sh(1, traps + "while :; do sleep 0.01; done", **how)
traps = traps.replace("'touch $DIR/heard; exit'", "''")
deaf = lost.start_sh(2, traps + AWAIT_GO + "; touch $DIR/done", **how)
plain = lost.start(3, "sleep", "1000", on_disconnect="hangup")
lost.read_until(1, b"on")
lost.read_until(2, b"on")
lost.close()
for pid in heard, plain:
    wait_gone(pid)
go()
wait_made("done")
wait_gone(deaf)
equal((made("heard"), made("term")), (True, False))
EOF
}

@test "wire: on_disconnect keep lets the command run to its end, its output read away" {
	peer <<'EOF'
lost = Peer()
for id, tty in (1, False), (2, True):
    talker = f"""trap 'touch $DIR/signalled' HUP TERM; echo on; {AWAIT_GO}
        head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; touch $DIR/done{id}"""
    lost.start_sh(id, talker, env=DIR_ENV, tty=tty, on_disconnect="keep")
    lost.read_until(id, b"on")
fds = count_fds()
lost.close()
wait_for(lambda: count_fds() < fds, "the connection's end")
go()
for id in 1, 2:
    wait_made(f"done{id}")
assert not made("signalled")
EOF
}

@test "wire: a session that has exited leaves its background processes alone when the client goes" {
	peer <<'EOF'
peer = Peer()
peer.run_sh(1, f"({AWAIT_GO}; touch $DIR/done) >/dev/null 2>&1 &", env=DIR_ENV)
peer.close()
Peer().ping()
go()
wait_made("done")
EOF
}

# ---- streams ----

@test "wire: output.close lets the writer die of SIGPIPE, on either stream" {
	peer <<'EOF'
peer = Peer()
for stream, command in ("stdout", "exec yes"), ("stderr", "exec yes >&2"):
    peer.start_sh(1, command)
    peer.answer(1, "core.exec." + stream)
    peer.tell("core.exec.output.close", 1, {"stream": stream})
    equal(peer.outcome(1).last.signal, 13)
# The other stream stays open.
peer.start_sh(1, "yes; echo $? >&2")
peer.answer(1, "core.exec.stdout")
peer.tell("core.exec.output.close", 1, {"stream": "stdout"})
got = peer.outcome(1)
equal((got.stderr.split()[-1], got.last.code), (b"141", 0))
EOF
}

@test "wire: output.close hangs up a terminal; it has no stderr to close" {
	peer <<'EOF'
peer = Peer()
peer.start_sh(1, "echo on; exec cat", tty=True)
peer.read_until(1, b"on")
peer.tell("core.exec.output.close", 1, {"stream": "stderr"})
peer.stdin(1, b"alive\n")
peer.read_until(1, b"alive")
peer.tell("core.exec.output.close", 1, {"stream": "stdout"})
equal(peer.outcome(1).last.signal, 1)
EOF
}

@test "wire: resize changes the window and tells the command" {
	peer <<'EOF'
peer = Peer()
watcher = "trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.01; done"
peer.start_sh(1, watcher, tty=True, rows=40, cols=300)
peer.read_until(1, b"40 300\r\n")
peer.tell("core.exec.resize", 1, {"rows": 50, "cols": 132})
equal(peer.outcome(1).stdout, b"50 132\r\n")
EOF
}

@test "wire: stdin arrives whole and in order, in pieces of any size, and ends when told to" {
	peer <<'EOF'
import threading

peer = Peer(4 * LIMIT)
rng = random.Random(3)
pieces = [rng.randbytes(rng.choice((1, 10, 4096, 65536, 1000000))) for _ in range(30)]
peer.start(1, "cat")
sender = threading.Thread(target=lambda: [peer.stdin(1, piece) for piece in [*pieces, b""]])
sender.start()
got = peer.outcome(1)
sender.join()
assert got.stdout == b"".join(pieces), "the input was changed on its way"
equal(got.last.code, 0)
EOF
}

@test "wire: without an end of stdin the command waits for more" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat")
for data in b"one\n", b"two\n":
    peer.stdin(1, data)
    equal(peer.answer(1, "core.exec.stdout").data, data)
peer.ping()
peer.stdin(1, b"")
equal(peer.outcome(1).types, ["core.exec.exited"])
EOF
}

@test "wire: stdin.error says EPIPE once for each frame" {
	peer <<'EOF'
peer = Peer()
pid = peer.start_sh(1, "exec <&-; echo on; exec sleep 1000")
peer.read_until(1, b"on")
for _ in range(3):
    peer.stdin(1, b"x")
    got = peer.answer(1, "core.exec.stdin.error")
    equal((got.flags, list(got.payload)), (0, ["errno", "errno_name", "message"]))
    equal((got.errno, got.errno_name), (32, "EPIPE"))
assert not is_gone(pid)
peer.stdin(1, b"")
peer.signal(1, 15)
equal(peer.outcome(1).types, ["core.exec.exited"])
EOF
}

@test "wire: two hundred thousand small frames in one go are all taken" {
	peer <<'EOF'
peer = Peer(4 * LIMIT)
peer.start(1, "wc", "-c")
peer.send(frame("core.exec.stdin", 1, {"data": b"x"}) * 200000)
peer.stdin(1, b"")
equal(peer.outcome(1).stdout, b"200000\n")
EOF
}

@test "wire: output of many megabytes arrives whole, on both streams at once" {
	peer <<'EOF'
peer = Peer(4 * LIMIT)
got = peer.run_sh(1, "head -c 20000000 /dev/zero & head -c 20000000 /dev/zero >&2; wait")
equal((len(got.stdout), len(got.stderr), got.last.code), (20000000, 20000000, 0))
EOF
}

# ---- dialects ----

@test "wire: the TypeScript client's way to write: wide heads, tagged bytes, v 5, floats" {
	peer <<'EOF'
peer = Peer()
how = {"v": 5, "dialect": "ts"}
undefined = Raw(b"\xf7")
peer.start_sh(1, "cat; ulimit -n; ulimit -Hn", cwd=None, user=undefined, tty=False, rows=24,
    cols=80, rlimits=[{"resource": "nofile", "soft": 100.0, "hard": 200},
        {"resource": "cpu", "soft": 1 << 40, "hard": 1 << 40}], **how)
peer.stdin(1, b"tagged ", **how)
# As a node Buffer in a tagged envelope, and the two recorded bodies.
tagged = encode({"data": Raw(b"\x46buffer")}, "ts")
peer.send(wrap(1, 0, encode({"v": 5, "t": "core.exec.stdin", "p": tagged}, "ts")))
for body in ("b9000361760561746f636f72652e657865632e737464696e61704db900016464617461d840426869",
        "b9000361760561746f636f72652e657865632e737464696e6170d8404db900016464617461d840426869"):
    peer.send(wrap(1, 0, bytes.fromhex(body)))
peer.stdin(1, b"", **how)
equal(peer.outcome(1).stdout, b"tagged bufferhihi100\n200\n")
peer.tell("core.ping", 2, {}, **how)
peer.answer(2, "core.pong")
EOF
}

@test "wire: items of indefinite length work at every level" {
	peer <<'EOF'
peer = Peer()
how = {"dialect": "indefinite"}
peer.start_sh(1, 'echo "$A$1"; cat', "sh", "Grüße", env=["A=née ", "B="], cwd="/",
    rlimits=[{"resource": "core", "soft": 0, "hard": 0}], **how)
peer.stdin(1, b"0123456789", **how)
peer.stdin(1, b"", **how)
equal(peer.outcome(1).stdout, "née Grüße\n0123456789".encode())
EOF
}

@test "wire: bytes as an array of numbers, a wide head for a short number, keys in any order" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat")
peer.tell("core.exec.stdin", 1, {"data": [104, 105, 10]})
payload = encode({"other": [], "data": b"ho"})
body = encode({"p": list(payload), "x": {"y": [None]}, "t": "core.exec.stdin",
    "v": Raw(b"\x1b" + bytes(7) + b"\x07")})
peer.send(wrap(1, 0, body + b"what follows the item is passed over"))
peer.stdin(1, b"")
equal(peer.outcome(1).stdout, b"hi\nho")
peer.tell("core.exec.request", 1, {"rows": Raw(b"\x1a\0\0\0\x05"),
    "cols": Raw(b"\xc2\x42\x01\x00"), "tty": True, "args": ["size"], "cmd": "stty"})
equal(peer.outcome(1).stdout, b"5 256\r\n")
EOF
}

# ---- many at once ----

@test "wire: eight sessions at once, half with a terminal, keep their own output and status" {
	peer <<'EOF'
peer = Peer()
for i in range(8):
    talk = f"for n in 1 2 3 4 5; do echo out{i}; echo err{i} >&2; sleep 0.01; done; exit {20 + i}"
    peer.request(20 + i, "sh", "-c", talk, tty=i % 2 == 1)
for i in reversed(range(8)):
    got = peer.outcome(20 + i)
    equal(got.last.code, 20 + i)
    if i % 2:
        lines = sorted(got.stdout.split())
        equal((lines, got.stderr), ([b"err%d" % i] * 5 + [b"out%d" % i] * 5, b""))
    else:
        equal((got.stdout, got.stderr), (b"out%d\n" % i * 5, b"err%d\n" % i * 5))
EOF
}

@test "wire: two hundred sessions live at once on one connection" {
	peer <<'EOF'
peer = Peer(4 * LIMIT)
ids = range(1, 201)
for id in ids:
    peer.request(id, "sh", "-c", f"read line; echo {id} $line; exit {id % 256}", tty=id % 20 == 0)
for id in ids:
    peer.answer(id, "core.exec.started")
for id in ids:
    peer.stdin(id, b"line%d\n" % id)
for id in ids:
    got = peer.outcome(id)
    equal((got.stdout.split()[-2:], got.last.code), ([b"%d" % id, b"line%d" % id], id % 256))
EOF
}

@test "wire: ids are a connection's own" {
	peer <<'EOF'
first, second = Peer(), Peer()
first.start(1, "cat")
second.start(1, "cat")
first.stdin(1, b"first")
second.stdin(1, b"second")
second.signal(1, 15)
equal(second.outcome(1).last.signal, 15)
first.stdin(1, b"")
equal(first.outcome(1).stdout, b"first")
EOF
}

# ---- slow readers ----

@test "wire: a client that does not read holds up nobody, and costs a bounded amount of memory" {
	peer <<'EOF'
before = rss_kib()
slow = Peer()
pids = [slow.start_sh(id, "exec cat /dev/zero >&$1", "sh", str(id)) for id in (1, 2)]
for pid in pids:
    wait_for(lambda: is_stuck(pid), "a full pipe")
other = Peer()
took = quickest(20, lambda _: equal(other.run(1, "true").last.code, 0))
assert took < 0.1 * SLOW, took
check_rss(before, 6 * 1024)
# Its signals are still heard.
slow.signal(1, 9)
wait_gone(pids[0])
EOF
}

@test "wire: nor does one that reads a byte at a time" {
	peer <<'EOF'
import threading
before = rss_kib()
slow = Peer()
slow.start(1, "cat", "/dev/zero")
slow.start(2, "cat", "/dev/zero", tty=True)
done = threading.Event()
def read():
    while not done.is_set():
        slow.sock.recv(1)
reader = threading.Thread(target=read)
reader.start()
other = Peer()
try:
    took = quickest(20, lambda _: equal(other.run(1, "true").last.code, 0))
finally:
    done.set()
reader.join()
assert took < 0.1 * SLOW, took
check_rss(before, 6 * 1024)
EOF
}

@test "wire: a flood on one session does not starve a keystroke on the same connection" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat", "/dev/zero")
peer.start(2, "cat")
def press(i):
    peer.stdin(2, b"key%d" % i)
    while (got := peer.next()).id != 2:
        pass
    equal(got.data, b"key%d" % i)
took = quickest(20, press)
assert took < 0.1 * SLOW, took
EOF
}
