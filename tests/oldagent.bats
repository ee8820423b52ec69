#!/usr/bin/env bats
# msb-exec against agents that are not ours: older ones, broken ones, hostile ones.

load helper
load agent

setup() {
	common_setup
	need_local "agents that are not ours"
}

teardown() {
	agent_end
	common_teardown
}

# x ARG...: msb-exec without input, and not for ever.
x() {
	timeout --foreground -s KILL $((40 * SLOW)) "$X" "$@" </dev/null
}

# complains TEXT [HINT]: exactly one line on stderr, and it holds the text; with a second one if there is a hint.
complains() {
	[[ ${#stderr_lines[@]} -eq $# && ${stderr_lines[0]} == "msb-exec: "*"$1"* &&
		${stderr_lines[1]-} == *"${2-}"* ]] || {
		echo "stderr: $stderr" >&2
		return 1
	}
}

# ---- how it ended ----

@test "oldagent: the command's output and status are passed on" {
	agent 4 <<'EOF'
client.start()
client.tell("core.exec.stdout", {"data": b"out\n"})
client.tell("core.exec.stderr", {"data": b"err\n"})
client.exit([0, 1, 42, 255][turn])
EOF
	for status in 0 1 42 255; do
		run "-$status" --separate-stderr x -- true
		[[ $output == out && $stderr == err ]]
	done
	agent_done
}

@test "oldagent: exited -1 without a signal is 255, and a line says why" {
	agent <<'EOF'
client.start()
client.exit(-1)
EOF
	run -255 --separate-stderr x -- true
	complains 'does not say which'
	agent_done
}

@test "oldagent: a signal that there is not is 255, and a line says so" {
	agent <<'EOF'
client.start()
client.exit(-1, signal=200)
EOF
	run -255 --separate-stderr x -- true
	complains 'signal 200'
	agent_done
}

@test "oldagent: what an agent says without words is printed with some" {
	agent 2 <<'EOF'
client.serve()
if turn == 0:
    client.tell("core.exec.failed", {"kind": "other", "message": ""})
else:
    client.tell("core.error", {"kind": "invalid_payload", "message": ""})
EOF
	for _ in 1 2; do
		run -125 --separate-stderr x -- true
		complains 'the agent '
		[[ $stderr == *[a-z] ]]
	done
	agent_done
}

@test "oldagent: input that got lost on its way is told, and 125 where the status was 0" {
	agent 3 <<'EOF'
client.start()
client.tell("core.exec.stdin.error", {"errno": 105, "errno_name": "ENOBUFS", "message": "No buffer space"})
client.exit([0, 3, 0][turn])
EOF
	run -125 --separate-stderr x -- true
	complains 'not whole'
	run -3 --separate-stderr x -- true
	complains 'not whole'
	run -125 x -q -- true
	agent_done
}

@test "oldagent: exited -1 with a signal is 128 and the signal, without a line" {
	agent <<'EOF'
client.start()
client.exit(-1, signal=11, unknown={"key": [1]})
EOF
	run -139 --separate-stderr x -- true
	[[ -z $stderr ]]
	agent_done
}

@test "oldagent: each kind of failure has its status, and its message is shown" {
	agent 11 <<'EOF'
kinds = ["not_found", "permission_denied", "not_executable", "bad_cwd", "bad_args",
    "resource_limit", "user_setup_failed", "out_of_memory", "pty_setup_failed", "other",
    "from_the_future"]
client.serve()
client.tell("core.exec.failed", {"kind": kinds[turn], "errno": None, "errno_name": None,
    "message": "spawn \"x\": the reason", "stage": None})
EOF
	for status in 127 126 126 125 125 125 125 125 125 125 125; do
		run "-$status" --separate-stderr x -- true
		complains 'spawn "x": the reason'
	done
	agent_done
}

@test "oldagent: core.error is 125, with the agent's message, before and after started" {
	agent 2 <<'EOF'
(client.serve, client.start)[turn]()
client.tell("core.error", {"kind": "invalid_payload", "message": "the reason",
    "offending_type": "core.exec.request"})
EOF
	for what in refused ended; do
		run -125 --separate-stderr x -- true
		complains "the agent $what the session: the reason"
	done
	agent_done
}

@test "oldagent: endings that do not decode are 125" {
	agent 4 <<'EOF'
client.start()
types = ["core.exec.exited", "core.exec.failed", "core.error", "core.exec.stdout"]
client.tell(types[turn], Raw(b"\xff"))
EOF
	for _ in 1 2 3 4; do
		run -125 --separate-stderr x -- true
		complains ''
	done
	agent_done
}

@test "oldagent: what comes after exited, or without started, changes nothing" {
	agent <<'EOF'
client.serve()
client.tell("core.exec.stdout", {"data": b"early"})
client.send(frame("core.exec.exited", client.id, {"code": 3})
    + frame("core.exec.stdout", client.id, {"data": b"late"})
    + frame("core.exec.exited", client.id, {"code": 4}))
EOF
	run -3 x -- true
	[[ $output == early ]]
	agent_done
}

# ---- connections that end or never begin ----

@test "oldagent: no agent at the address: 125, and the address is named" {
	run -125 --separate-stderr x -S unix:/nonexistent/s -- true
	complains 'unix:/nonexistent/s: No such file or directory' '--wait-for'
	run -125 --separate-stderr x -S "$DIR" -- true
	complains "$DIR: Connection refused" 'it is no socket'
	run -125 --separate-stderr x -S nonsense: -- true
	complains nonsense: unix:PATH
}

@test "oldagent: a connection closed before the greeting is whole is 125" {
	agent 4 <<'EOF'
words = struct.pack(">II", *RANGE)
client.send([b"", b"\0\0\0", words, words + ready()[:-1]][turn])
client.close()
EOF
	for _ in 1 2 3 4; do
		run -125 --separate-stderr x -- true
		complains "unix:$SOCKET" --allow-uid
	done
	agent_done
}

@test "oldagent: a connection lost in the session is 125 and one clear line" {
	agent 4 <<'EOF'
client.serve()
started = frame("core.exec.started", client.id, {"pid": 1})
client.send([b"", started, started + frame("core.exec.stdout", client.id, {"data": b"out"}),
    started + frame("core.exec.exited", client.id, {"code": 0})[:-1]][turn])
client.expect("core.exec.stdin")
client.close()
EOF
	for out in '' '' out ''; do
		run -125 --separate-stderr x -- true
		complains "lost the connection to unix:$SOCKET"
		[[ $output == "$out" ]]
	done
	agent_done
}

@test "oldagent: a reset is as good as an end" {
	agent <<'EOF'
client.start()
client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
# Closed with stdin's end unread, which resets.
client.close()
EOF
	run -125 --separate-stderr x -- true
	complains 'lost the connection'
	agent_done
}

@test "oldagent: garbage instead of a greeting is 125" {
	agent 10 <<'EOF'
words = struct.pack(">II", *RANGE)
client.send([
    b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(64), b"\xff" * 64,
    struct.pack(">II", 5, 5) + bytes(5), struct.pack(">II", 9, 8) + bytes(8),
    words + frame("core.pong", 0), words + wrap(0, 0, b"\xff"),
    words + frame("core.ready", 0, {"boot_time_ns": 1}),
    words + struct.pack(">I", FRAME_MAX + 1), words + bytes(9),
][turn])
EOF
	for _ in {1..10}; do
		run -125 --separate-stderr x -- true
		complains "unix:$SOCKET" 'no agent'
	done
	agent_done
}

@test "oldagent: garbage in the session is 125" {
	agent 3 <<'EOF'
client.start()
client.send([bytes(4), struct.pack(">I", FRAME_MAX + 1), b"\xff" * 100][turn])
EOF
	for _ in 1 2 3; do
		run -125 --separate-stderr x -- true
		complains "unix:$SOCKET"
	done
	agent_done
}

@test "oldagent: frames of ours whose body is garbage are passed over" {
	agent <<'EOF'
client.start()
client.send(wrap(client.id, 0, b"\xff") + wrap(client.id, 0, b"") + wrap(client.id, 8, b"bulk"))
client.exit(3)
EOF
	run -3 --separate-stderr x -- true
	[[ -z $stderr ]]
	agent_done
}

# bats test_tags=slow
@test "oldagent: an agent that never greets is given 10 s" {
	agent <<'EOF'
client.send(struct.pack(">II", *RANGE) + ready()[:-1])
equal(client.hear_out(), [])
EOF
	# The limit is not stretched for slow programs: it is a clock's.
	timed run -125 --separate-stderr x -- true
	((MS >= 10000))
	complains "no greeting from unix:$SOCKET" --connect-timeout
	agent_done
}

# bats test_tags=slow
@test "oldagent: nor is one waited for longer that greets and never answers a ping" {
	agent <<'EOF'
client.greet()
client.expect("core.ping")
equal(client.hear_out(), [])
EOF
	run -125 --separate-stderr x --ping
	complains "no answer from unix:$SOCKET"
	agent_done
}

@test "oldagent: one that greets slowly, in pieces, is waited for" {
	agent <<'EOF'
for piece in (struct.pack(">I", 1), struct.pack(">I", RANGE[1]), ready()[:2], ready()[2:20],
        ready()[20:]):
    time.sleep(0.1)
    client.send(piece)
client.expect("core.exec.request")
client.exit(3)
EOF
	run -3 x -- true
	agent_done
}

# ---- cutting ----

@test "oldagent: a session delivered byte by byte is the same" {
	agent <<'EOF'
client.drip(struct.pack(">II", *RANGE) + ready())
client.expect("core.exec.request")
for type, payload in (("started", {"pid": 1}), ("stdout", {"data": b"one "}),
        ("stdout", {"data": b"two"}), ("exited", {"code": 3})):
    client.drip(frame("core.exec." + type, client.id, payload))
EOF
	run -3 x -- true
	[[ $output == 'one two' ]]
	agent_done
}

@test "oldagent: a greeting that begins like a frame and comes in pieces is waited for" {
	agent <<'EOF'
client.drip(struct.pack(">II", 24, 132) + ready())
equal(client.expect("core.exec.request").id, 24)
client.tell("core.exec.started", {"pid": 1})
client.exit(3)
EOF
	run -3 x -- true
	agent_done
}

@test "oldagent: all of a session in one write, and the connection closed behind it" {
	agent <<'EOF'
client.serve()
client.expect("core.exec.stdin")
client.send(frame("core.exec.started", client.id, {"pid": 1})
    + b"".join(frame("core.exec.stdout", client.id, {"data": b"%d\n" % i}) for i in range(2000))
    + frame("core.exec.exited", client.id, {"code": 3}))
client.close()
EOF
	run -3 x -- true
	[[ $output == "$(seq 0 1999)" ]]
	agent_done
}

@test "oldagent: two hundred thousand small frames in one go are all taken" {
	agent <<'EOF'
client.limit = 20 * SLOW
client.start()
client.send(frame("core.exec.stdout", client.id, {"data": b"x"}) * 200000)
client.exit(3)
EOF
	status=0
	x -- true >"$DIR/out" || status=$?
	[[ $status -eq 3 && $(stat -c %s "$DIR/out") -eq 200000 ]]
	agent_done
}

@test "oldagent: output frames of the largest size arrive whole" {
	agent <<'EOF'
client.limit = 20 * SLOW
client.start()
empty = len(frame("core.exec.stdout", client.id, {"data": bytes(70000)})) - 70000
for _ in range(3):
    client.tell("core.exec.stdout", {"data": bytes(FRAME_MAX + 4 - empty)})
client.tell("core.exec.stderr", {"data": b"%d" % (3 * (FRAME_MAX + 4 - empty))})
client.exit(3)
EOF
	status=0
	x -- true >"$DIR/out" 2>"$DIR/size" || status=$?
	[[ $status -eq 3 && $(stat -c %s "$DIR/out") -eq $(<"$DIR/size") ]]
	agent_done
}

@test "oldagent: unknown types and ids of others in between are passed over" {
	agent <<'EOF'
client.start()
for id in client.id, client.id + 1, 0, 0xffffffff:
    client.send(frame("core.nope", id) + frame("core.exec.stdin.ack", id, {"consumed": 5})
        + frame("core.bulk.credit", id, Raw(b"\xff"))
        + frame("core.exec.request", id, {"cmd": "evil"}))
for id in client.id + 1, 0, 0xffffffff:
    client.send(frame("core.exec.stdout", id, {"data": b"not yours"})
        + frame("core.exec.exited", id, {"code": 9})
        + frame("core.exec.failed", id, {"kind": "other", "message": "not yours"})
        + frame("core.error", id, {"kind": "invalid_flags", "message": "not yours"}))
client.tell("core.exec.stdout", {"data": b"ours"})
client.exit(3)
EOF
	run -3 --separate-stderr x -- true
	[[ $output == ours && -z $stderr ]]
	agent_done
}

@test "oldagent: agents that write CBOR otherwise are understood" {
	agent 2 <<'EOF'
how = {"dialect": ["ts", "indefinite"][turn], "v": 5}
client.send(struct.pack(">II", *RANGE) + frame("core.ready", 0, {
    "boot_time_ns": 1, "init_time_ns": 1 << 40, "ready_time_ns": 1, "agent_version": "0.9",
    "exec_features": ["from_the_future"]}, **how))
client.expect("core.exec.request")
client.tell("core.exec.started", {"pid": 1}, **how)
client.tell("core.exec.stdout", {"data": b"output"}, **how)
client.tell("core.exec.exited", {"code": -1, "signal": 9, "usage": None}, **how)
EOF
	for _ in 1 2; do
		run -137 x -- true
		[[ $output == output ]]
	done
	agent_done
}

# ---- what is sent ----

@test "oldagent: the request is the reference's to the byte, without a key of ours" {
	agent <<'EOF'
request = client.serve()
equal(request.wire.hex(), "000000620000000102a3617607617471636f72652e657865632e72657175657374617"
    "05841a963636d64692f62696e2f7472756564617267738063656e768063637764f66475736572f663747479f4"
    "64726f7773181864636f6c73185067726c696d69747380")
client.exit()
EOF
	run -0 x -- /bin/true
	agent_done
}

@test "oldagent: no option makes a key that the agent did not list" {
	agent <<'EOF'
client.greet()
client.look(0)
request = client.expect("core.exec.request")
equal(list(request.payload.items()), [("cmd", "cmd"), ("args", ["a", "b c"]),
    ("env", ["A=1", "B="]), ("cwd", "/w"), ("user", "u:g"), ("tty", False), ("rows", 24),
    ("cols", 80), ("rlimits", [{"resource": "nofile", "soft": 1, "hard": 2}])])
client.exit()
EOF
	run -0 x --timeout 1h -k 3s --signal INT --linger 1s --on-disconnect kill -u u:g -w /w \
		-e A=1 -e B= --rlimit nofile=1:2 -- cmd a 'b c'
	agent_done
}

@test "oldagent: each listed feature brings its own key and no other" {
	agent 2 <<'EOF'
feature, keys = [
    ("timeout", ["timeout_ms", "timeout_signal", "kill_after_ms"]), ("linger", ["linger_ms"])][turn]
request = client.serve(exec_features=[feature, "more"])
equal(list(request.payload)[9:], keys)
client.exit()
EOF
	for _ in 1 2; do
		run -0 x --timeout 1h -- true
	done
	agent_done
}

@test "oldagent: ids are from the range that the agent gives" {
	agent <<'EOF'
client.greet(range=(33554432, 67108862))
assert 33554432 <= client.expect("core.exec.request").id < 67108862
equal(client.expect("core.exec.stdin").data, b"")
client.exit()
EOF
	run -0 x -- true
	agent_done
}

@test "oldagent: generation 4, without core.error and ping" {
	agent <<'EOF'
client.start(v=4)
client.tell("core.exec.stdout", {"data": b"hi"}, v=4)
client.tell("core.exec.exited", {"code": 3}, v=4)
EOF
	run -3 x -- true
	[[ $output == hi ]]
	agent_done
}

@test "oldagent: the one-word greeting from before 0.5, in any slot" {
	agent 16 <<'EOF'
first = turn * 268435455
client.greet_legacy(first)
request = client.expect("core.exec.request")
assert first <= request.id < first + 268435455 and request.id > 0, request.id
client.exit(3)
EOF
	for _ in {1..16}; do
		run -3 x -- true
	done
	agent_done
}

@test "oldagent: one that does nothing about the question for a terminal is not waited for" {
	agent <<'EOF'
client.greet()
asked = client.next()
equal((asked.type, asked.cmd, asked.payload.get("tty")), ("core.exec.request", "/bin/sh", False))
assert "no-such-terminal" in asked.args
got = client.next(LIMIT)
equal((got.type, got.id, got.payload), ("core.exec.signal", asked.id, {"signal": 9}))
request = client.expect("core.exec.request")
assert "TERM=no-such-terminal" in request.env, request.env
client.exit(4)
EOF
	TERM=no-such-terminal run -4 --separate-stderr x -tt -- true </dev/null
	agent_done
}

@test "oldagent: --ping asks agents that know it, and does not ask older ones" {
	agent 4 <<'EOF'
if turn == 0:
    client.greet(agent_version="0.6.14")
    equal(client.expect("core.ping").payload, {})
    client.tell("core.pong")
else:
    client.greet_legacy() if turn == 1 else client.greet(v=turn + 2)
equal(client.hear_out(), [])
EOF
	run -0 x --ping
	[[ $output == *"unix:$SOCKET is alive: 0.6.14, generation 7"* ]]
	for _ in 1 2 3; do
		run -0 x --ping
		[[ $output == *'too old'* ]]
	done
	agent_done
}

@test "oldagent: a newer agent is spoken to as a client of generation 7" {
	agent <<'EOF'
request = client.start(v=9, exec_limits={"max_executions": 8}, bulk_transport={"profile": 1},
    relay_lease={"max_format": 1})
equal(request.v, 7)
client.exit(3)
EOF
	run -3 x -- true
	agent_done
}

@test "oldagent: without login_shell the shell is /bin/sh -l" {
	agent 2 <<'EOF'
request = client.serve(exec_features=[["login_shell"], []][turn])
equal((request.cmd, request.args, request.payload.get("login_shell")),
    [("", [], True), ("/bin/sh", ["-l"], None)][turn])
client.exit()
EOF
	run -0 x
	run -0 x
	agent_done
}

@test "oldagent: --on-disconnect other than kill is refused before anything runs" {
	agent 2 <<'EOF'
client.greet()
equal(client.hear_out(), [])
EOF
	for what in keep hangup; do
		run -125 --separate-stderr x --on-disconnect "$what" -- true
		complains "--on-disconnect $what"
	done
	agent_done
}

@test "oldagent: stdin is forwarded whole, then its end once" {
	head -c 1000000 /dev/urandom >"$DIR/in"
	DATA=$DIR/in agent <<'EOF'
client.start()
data, frames = b"", []
while not frames or frames[-1].data:
    frames.append(client.expect("core.exec.stdin"))
    assert len(frames[-1].data) <= 65536
    data += frames[-1].data
with open(os.environ["DATA"], "rb") as file:
    assert data == file.read()
client.exit(3)
equal(client.hear_out(), [])
EOF
	run -3 timeout --foreground -s KILL $((40 * SLOW)) "$X" -- cat <"$DIR/in"
	agent_done
}

@test "oldagent: without stdin its end is sent all the same; on a terminal it is ^D" {
	agent 2 <<'EOF'
request = client.start()
end = client.expect("core.exec.stdin").data
equal((request.tty, end.strip(b"\x04"), bool(end)), [(False, b"", False), (True, b"", True)][turn])
client.exit()
equal(client.hear_out(), [])
EOF
	run -0 x -n -- true
	run -0 x -n -tt -- true
	agent_done
}

@test "oldagent: after stdin.error no more is sent, and the command goes on" {
	agent <<'EOF'
client.start()
client.expect("core.exec.stdin")
client.tell("core.exec.stdin.error", {"errno": 32, "errno_name": "EPIPE",
    "message": "io error: Broken pipe (os error 32)"})
# What is under way still comes; the rest of an endless input does not.
client.until_quiet(4 << 20)
client.tell("core.exec.stdout", {"data": b"still here"})
client.exit(3)
EOF
	run -3 timeout --foreground -s KILL $((40 * SLOW)) "$X" -- cat </dev/zero
	[[ $output == 'still here' ]]
	agent_done
}

# ---- what older agents cannot do, done here ----

@test "oldagent: --timeout is kept by msb-exec: the signal, then KILL, and 124" {
	agent <<'EOF'
begin = time.monotonic()
client.start()
client.expect("core.exec.stdin")
equal(client.expect("core.exec.signal").signal, 15)
equal(client.expect("core.exec.signal").signal, 9)
assert time.monotonic() - begin >= 0.29
client.exit(-1)
EOF
	run -124 x --timeout 0.1 -k 0.2 -- sleep 1000
	agent_done
}

@test "oldagent: --timeout with another signal and no KILL; a status of 0 is 124 too" {
	agent <<'EOF'
client.start()
client.expect("core.exec.stdin")
equal(client.expect("core.exec.signal").signal, 2)
time.sleep(0.1)
client.exit(0)
equal(client.hear_out(), [])
EOF
	run -124 --separate-stderr x --timeout 0.1 -k 0 --signal INT -- sleep 1000
	[[ -z $stderr ]]
	agent_done
}

@test "oldagent: a command that ends in time keeps its status, and no signal is sent" {
	agent <<'EOF'
client.start()
client.expect("core.exec.stdin")
client.exit(3)
equal(client.hear_out(), [])
EOF
	run -3 x --timeout 1h -- true
	agent_done
}

@test "oldagent: when our reader goes, the command gets SIGPIPE and the connection ends" {
	agent <<'EOF'
client.start()
client.expect("core.exec.stdin")
client.tell("core.exec.stdout", {"data": b"y\n"})
equal(client.until_heard("core.exec.stdout", {"data": b"y\n"}).signal, 13)
equal(client.hear_out(), [])
EOF
	status=0
	x -- yes 2>"$DIR/err" | head -n 1 >"$DIR/out" || status=$?
	[[ $(<"$DIR/out") == y && ! -s $DIR/err ]]
	agent_done
}

@test "oldagent: with output_close the agent is told which stream has no reader" {
	agent <<'EOF'
client.start(exec_features=["output_close"])
client.expect("core.exec.stdin")
client.tell("core.exec.stdout", {"data": b"y\n"})
got = client.until_heard("core.exec.stdout", {"data": b"y\n"})
equal((got.type, got.flags, got.payload), ("core.exec.output.close", 0, {"stream": "stdout"}))
client.exit(-1, signal=13)
equal(client.hear_out(), [])
EOF
	{
		status=0
		x -- yes || status=$?
		echo "$status" >"$DIR/status"
	} | head -n 1 >/dev/null
	[[ $(<"$DIR/status") -eq 141 ]]
	agent_done
}

# ---- what reaches the terminal ----

@test "oldagent: an agent's message cannot speak to the terminal" {
	agent 3 <<'EOF'
EVIL = "red \x1b[31m\x07\x08\r\n\x7f\x1b]0;title\x07 end of message"
client.serve()
if turn == 0:
    client.tell("core.exec.failed", {"kind": "other", "message": EVIL})
elif turn == 1:
    client.tell("core.error", {"kind": "invalid_payload", "message": EVIL})
else:
    client.tell("core.exec.stdin.error", {"message": EVIL})
    client.tell("core.exec.failed", {"kind": EVIL, "message": EVIL})
EOF
	for _ in 1 2 3; do
		run -125 x -v -- true
		[[ $output == *'red \x1b[31m\x07\x08\r\n\x7f\x1b]0;'* && $output != *[$'\e\a\b\r\x7f']* ]]
	done
	agent_done
}

@test "oldagent: nor can it by the control characters above 127" {
	agent <<'EOF'
client.serve()
# U+009B is what ESC [ is, in one character.
client.tell("core.exec.failed", {"kind": "other", "message": "red \u009b31m and grün"})
EOF
	run -125 x -- true
	[[ $output != *$'\xc2\x9b'* && $output == *'red \u009b31m and grün'* ]]
	agent_done
}

@test "oldagent: nor by its version, which --ping and -v show" {
	agent 2 <<'EOF'
client.greet(agent_version="1.0\x1b[31m\x07\u009b")
client.id = client.next().id
client.tell("core.pong") if turn == 0 else client.exit()
EOF
	for args in --ping '-v true'; do
		# shellcheck disable=SC2086 # two words
		run -0 x $args
		[[ $output == *'1.0'* && $output != *[$'\e\a']* && $output != *$'\xc2\x9b'* ]]
	done
	agent_done
}

@test "oldagent: sizes in pixels are for agents that know them" {
	agent 2 <<'EOF'
request = client.start(exec_features=[["pixels"], ["linger"]][turn])
equal((request.rows, request.cols), (40, 132))
pixels = [(request.payload.get("xpixel"), request.payload.get("ypixel"))]
client.tell("core.exec.stdout", {"data": b"ready"})
size = client.expect("core.exec.resize").payload
pixels.append((size.pop("xpixel", None), size.pop("ypixel", None)))
equal(size, {"rows": 50, "cols": 100})
equal(pixels, [[(1056, 640), (800, 0)], [(None, None)] * 2][turn])
client.exit()
EOF
	for _ in 1 2; do
		drive 40x132,1056x640 "$X" -tt -- x <<-END
			expect ready
			resize 50 100 800 0
			wait 0
		END
	done
	agent_done
}

@test "oldagent: however many sizes come while the agent reads nothing, few wait to be told" {
	seq 60000 | head -c 350000 >"$DIR/paste"
	agent <<'EOF'
client.start()
client.tell("core.exec.stdout", {"data": b"ready"})
while not os.path.exists(os.path.dirname(sys.argv[1]) + "/go"):
    time.sleep(0.01)
sizes = []
while sizes[-1:] != [{"rows": 31, "cols": 97}]:
    got = client.next()
    if got.type == "core.exec.resize":
        sizes.append(got.payload)
assert len(sizes) <= 2, len(sizes)
client.exit()
EOF
	drive 40x132 "$X" -tt -- x <<-END
		expect ready
		paste $DIR/paste
		storm 1000 1000 31 97
		run touch $DIR/go
		wait 0
	END
	agent_done
}
