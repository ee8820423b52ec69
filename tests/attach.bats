#!/usr/bin/env bats
# Kept sessions as msb-exec sees them: left and come to again, watched, sent to, and gone on with when the
# connection was lost. The agent is a script, which cuts where it likes.

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

# x ARG...: msb-exec, and not for ever.
x() {
	timeout --foreground -s KILL $((40 * SLOW)) "$X" "$@"
}

# says LINE...: exactly these on stderr, after the program's name.
says() {
	local wanted=("${@/#/msb-exec: }")
	[[ "$stderr" == "$(printf '%s\n' "${wanted[@]}")" ]] || {
		echo "stderr: $stderr" >&2
		return 1
	}
}

# ---- -d ----

@test "attach: -d leaves once the command runs, and prints the session's id" {
	agent <<'EOF'
request = client.keep()
equal(request.on_disconnect, "keep")
equal(request.payload["name"], "work")
# Its output is not for whoever leaves.
client.tell("core.exec.stdout", {"data": b"early\n"})
client.expect("core.session.detach")
client.let_go()
EOF
	run -0 --separate-stderr x -d --name work -- true <<<"not read"
	[[ $output == 0123456789ab && -z $stderr ]]
	agent_done
}

@test "attach: -d sends no input but its end with -n, and a quick command is told by its id" {
	agent 2 <<'EOF'
client.keep()
if turn:
    equal(client.expect("core.exec.stdin").data, b"")
client.expect("core.session.detach")
client.exit(3)
EOF
	run -0 --separate-stderr x -d -- true <<<"not read"
	[[ $output == 0123456789ab && -z $stderr ]]
	run -0 --separate-stderr x -d -n -- true
	[[ $output == 0123456789ab && -z $stderr ]]
	agent_done
}

@test "attach: -d tells a command that does not start, and an agent that keeps none" {
	agent 3 <<'EOF'
if turn == 0:
    client.serve(exec_features=KEEPS)
    client.tell("core.exec.failed", {"kind": "not_found", "message": "there is none"})
elif turn == 1:
    client.greet(exec_features=[f for f in KEEPS if f != "sessions"])
    equal(client.hear_out(), [])
else:
    client.keep()
    client.expect("core.session.detach")
    client.tell("core.session.refused", {"message": "too many"})
EOF
	run -127 --separate-stderr x -d -- nothing
	says 'there is none'
	run -125 --separate-stderr x -d -- true
	says 'this agent cannot keep sessions'
	run -125 --separate-stderr x -d -- true
	says 'it cannot be left: too many'
	[[ -z $output ]]
	agent_done
}

@test "attach: -d whose id cannot be printed says how to come to what runs" {
	agent <<'EOF'
client.keep()
client.expect("core.session.detach")
client.let_go()
EOF
	run -125 --separate-stderr bash -c '"$1" -d -- true >/dev/full' bash "$X"
	says 'cannot write standard output: No space left on device' 'msb-exec --attach 0123456789ab comes back'
	agent_done
}

# ---- coming to one ----

@test "attach: output from the first byte that is held, input, and the command's status" {
	agent <<'EOF'
asked = client.attach()
equal({k: v for k, v in asked.payload.items() if k != "output_window"},
      {"session": "work", "mode": "take", "stdin_window": True})
client.tell("core.exec.stdout", {"data": b"out\n"})
client.tell("core.exec.stderr", {"data": b"err\n"})
equal(client.input(3), b"in\n")
equal(client.expect("core.exec.stdin").data, b"")
client.exit(7)
EOF
	run -7 --separate-stderr x --attach work <<<in
	[[ $output == out && $stderr == err ]]
	agent_done
}

@test "attach: bytes that are gone are counted in a line" {
	agent 4 <<'EOF'
asked = client.attach(stdout_at=[30, 30, 5, 30][turn], stderr_at=[12, 12, 12, 12][turn], tty=turn == 3)
equal(asked.payload.get("stdout_since"), [None, 25, 5, None][turn])
client.tell("core.exec.stdout", {"data": b"rest"})
client.exit()
EOF
	run -0 --separate-stderr x -n --attach work
	says "42 bytes of the session's output are gone"
	run -0 --separate-stderr x -n --attach work --since 25
	says "5 bytes of the session's output are gone"
	run -0 --separate-stderr x -n --attach work --since 5
	[[ $output == rest && -z $stderr ]]
	# A terminal that asks for nothing gets what paints it.
	run -0 --separate-stderr x -n --attach work
	[[ $output == rest && -z $stderr ]]
	agent_done
}

@test "attach: -n and --watch read nothing and end nothing" {
	agent 2 <<'EOF'
equal(client.attach().mode, ["take", "watch"][turn])
client.tell("core.exec.stdout", {"data": b"out\n"})
if turn:
    client.tell("core.session.skipped", {"stream": "stdout", "bytes": 9})
client.exit(2)
equal([f.type for f in client.hear_out() if f.type != "core.exec.output.credit"], [])
EOF
	run -2 --separate-stderr x -n --attach work <<<"not read"
	[[ $output == out && -z $stderr ]]
	run -2 --separate-stderr x --watch --attach work <<<"not read"
	[[ $output == out ]]
	says "9 bytes of the session's output are gone"
	agent_done
}

@test "attach: whoever loses it to another, or to --remove, says so with 125" {
	agent 3 <<'EOF'
client.attach(name=["work", None, "work"][turn])
client.let_go(["taken", "taken", "removed"][turn], name=["work", None, "work"][turn])
EOF
	run -125 --separate-stderr x -n --attach work
	says 'session work was attached elsewhere'
	run -125 --separate-stderr x -n --attach 0123456789ab
	says 'session 0123456789ab was attached elsewhere'
	run -125 --separate-stderr x --wait work
	says 'session work was removed'
	agent_done
}

@test "attach: none of that name is told by it, and an agent that keeps none is sent nothing" {
	agent 10 <<'EOF'
if turn % 2:
    client.greet(exec_features=["stdin_window"])
    equal(client.hear_out(), [])
else:
    client.greet(exec_features=KEEPS)
    client.id = client.next().id
    client.tell("core.error", {"kind": "invalid_session", "message": "no such session"})
EOF
	for how in --attach --wait --logs --send "--watch --attach"; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr x $how nothing </dev/null
		says 'no such session: nothing'
		# shellcheck disable=SC2086
		run -125 --separate-stderr x $how nothing </dev/null
		says 'this agent cannot keep sessions'
	done
	agent_done
}

@test "attach: signals go to the command of whoever has it, and end whoever looks on" {
	agent 3 <<'EOF'
client.attach()
if turn == 0:
    client.tell("core.exec.stdout", {"data": b"ready\n"})
    equal(client.expect("core.exec.signal").signal, 15)
    client.exit(-1, signal=15)
else:
    client.tell("core.exec.stdout", {"data": b"ready\n"})
    equal([f.type for f in client.hear_out()], [])
EOF
	for how in -n --watch --wait; do
		rm -f "$DIR/out"
		case $how in
		--wait) "$X" -v --wait work >"$DIR/out" 2>"$DIR/out" 3>&- & ;;
		*) "$X" -v $how --attach work >"$DIR/out" 2>"$DIR/out" 3>&- & ;;
		esac
		local client=$!
		wait_for 20 grep -q 'attached to session' "$DIR/out"
		[[ $how == --wait ]] || wait_for 20 grep -q ready "$DIR/out"
		kill -TERM "$client"
		wait "$client" || status=$?
		[[ $status -eq 143 ]]
	done
	agent_done
}

# ---- waiting, logs ----

@test "attach: --wait prints nothing, and ends as the command does" {
	agent 4 <<'EOF'
equal(client.attach().mode, "wait")
if turn == 0:
    client.exit(5)
elif turn == 1:
    client.exit(-1, signal=9)
elif turn == 2:
    client.exit(-1, signal=15, timed_out=True)
else:
    client.exit(0)
EOF
	for status in 5 137 124 0; do
		run "-$status" x --wait work
		[[ -z $output ]]
	done
	agent_done
}

@test "attach: --logs prints what is held, each to its stream, with 0" {
	agent 2 <<'EOF'
asked = client.attach(stdout_at=10, stderr_at=2)
equal(asked.mode, "logs")
equal(asked.payload.get("stdout_since"), [None, 4][turn])
client.tell("core.exec.stdout", {"data": b"out\n"})
client.tell("core.exec.stderr", {"data": b"err\n"})
if turn:
    client.exit(9)
else:
    client.let_go("done")
EOF
	run -0 --separate-stderr x --logs work
	[[ $output == out && $stderr == err ]]
	run -0 --separate-stderr x --logs work --since 4
	[[ $output == out && $stderr == "msb-exec: 6 bytes of the session's output are gone"$'\n'err ]]
	agent_done
}

@test "attach: --logs and --watch whose reader goes end as a pipe's writer does" {
	agent 2 <<'EOF'
client.attach()
for i in range(1000):
    client.tell("core.exec.stdout", {"data": b"x" * 1000 + b"\n"})
client.hear_out()
EOF
	for how in --logs "--watch --attach"; do
		run -141 bash -c "set -o pipefail; timeout $((40 * SLOW)) $X $how work 3>&- | head -n 1"
		[[ ${#output} -eq 1000 ]]
	done
	agent_done
}

# ---- sending ----

@test "attach: --send sends all of stdin and leaves, with --eof behind an end" {
	agent 2 <<'EOF'
asked = client.attach("core.session.input")
equal(asked.payload, {"session": "work", "stdin_window": True})
got = b""
total = 300000
while len(got) < total:
    got += client.expect("core.exec.stdin").data
    client.tell("core.exec.stdin.credit", {"consumed": len(got)})
equal(got, b"y" * total)
if turn:
    equal(client.expect("core.exec.stdin").data, b"")
client.expect("core.session.detach")
client.let_go()
EOF
	run -0 x --send work < <(head -c 300000 /dev/zero | tr '\0' y)
	[[ -z $output ]]
	run -0 x --send work --eof < <(head -c 300000 /dev/zero | tr '\0' y)
	[[ -z $output ]]
	agent_done
}

@test "attach: --send waits for credit, and says that a command takes no more" {
	agent 2 <<'EOF'
client.attach("core.session.input")
equal(client.input(65536), b"y" * 65536)
if turn:
    client.tell("core.exec.stdin.error", {"errno": 32, "errno_name": "EPIPE", "message": "Broken pipe"})
else:
    client.let_go("done")
EOF
	run -125 --separate-stderr x --send work < <(head -c 300000 /dev/zero | tr '\0' y)
	says 'session 0123456789ab has ended'
	run -125 --separate-stderr x --send work < <(head -c 300000 /dev/zero | tr '\0' y)
	says 'the command takes no more input'
	agent_done
}

@test "attach: --send to a terminal sends no end of a file" {
	agent 2 <<'EOF'
client.attach("core.session.input", tty=True)
equal(client.input(3), b"ls\n")
if turn:
    equal(client.expect("core.exec.stdin").data, b"\x04")
client.expect("core.session.detach")
client.let_go()
EOF
	run -0 x --send work <<<ls
	run -0 x --send work --eof <<<ls
	agent_done
}

# ---- at the keyboard ----

@test "attach: in a terminal the modes come first, then another size and the right one" {
	agent <<'EOF'
client.attach(tty=True, restore=b"\x1b[?1049hRESTORED", stdout_at=100)
equal(client.expect("core.exec.resize").rows, 23)
got = client.expect("core.exec.resize")
equal((got.rows, got.cols), (24, 80))
client.tell("core.exec.stdout", {"data": b"painted"})
equal(client.input(2), b"ab")
client.exit(4)
EOF
	drive 24x80 "$X" --attach work <<-END
		expect RESTORED
		expect painted
		modes raw
		send ab
		expect \x1b[?1049l
		wait 4
		modes same
	END
	agent_done
}

@test "attach: a session without a terminal leaves ours as it is" {
	agent <<'EOF'
client.attach()
client.tell("core.exec.stdout", {"data": b"plain\n"})
equal(client.input(6), b"line~\n")
equal(client.expect("core.exec.stdin").data, b"")
client.exit()
EOF
	drive 24x80 "$X" --attach work <<-END
		expect plain
		modes same
		send line~\r
		send \x04
		wait 0
	END
	agent_done
}

@test "attach: the detach keys leave a session, and the line says how to come back" {
	agent 3 <<'EOF'
if turn < 2:
    client.keep() if turn else client.start(exec_features=KEEPS)
else:
    client.attach(tty=True, name="work")
client.tell("core.exec.stdout", {"data": b"\x1b[?2004hready"})
while (got := client.next()).type != "core.session.detach":
    assert got.type in ("core.exec.stdin", "core.exec.resize"), got
# What its terminal's modes are, an agent that kept nothing so far does not know.
equal(got.payload.get("restore"), [b"\x1b[?2004h", None, None][turn])
client.let_go(name=[None, None, "work"][turn])
EOF
	for how in "-tt cat" "-tt --on-disconnect keep cat" "--attach 0123456789ab"; do
		name=0123456789ab
		[[ $how != --attach* ]] || name=work
		# shellcheck disable=SC2086 # words
		drive 24x80 "$X" $how <<-END
			expect ready
			modes raw
			send \x1d\x1d\x1d
			expect \r\nmsb-exec: detached: msb-exec --attach $name comes back\r\n
			wait 0
			modes same
		END
	done
	agent_done
}

@test "attach: a session that cannot be left goes on, and its keys do" {
	agent <<'EOF'
client.start(exec_features=KEEPS)
client.tell("core.exec.stdout", {"data": b"ready"})
equal(client.input(2), b"\x1d\x1d")
client.expect("core.session.detach")
client.tell("core.session.refused", {"message": "too many are kept"})
equal(client.input(1), b"x")
client.exit(3)
EOF
	drive 24x80 "$X" -tt cat <<-END
		expect ready
		send \x1d\x1d\x1d
		expect \r\nmsb-exec: it cannot be left: too many are kept\r\n
		modes raw
		send x
		wait 3
		modes same
	END
	agent_done
}

@test "attach: an agent that does not answer the detach keys is left soon" {
	agent 2 <<'EOF'
client.keep() if turn else client.start(exec_features=KEEPS)
client.tell("core.exec.stdout", {"data": b"ready"})
client.hear_out()
EOF
	drive 24x80 "$X" -tt cat <<-END
		expect ready
		send \x1d\x1d\x1d
		expect msb-exec: detached: the agent ends the command
		wait 125
		modes same
	END
	drive 24x80 "$X" -tt --on-disconnect keep cat <<-END
		expect ready
		send \x1d\x1d\x1d
		expect msb-exec: detached: msb-exec --attach 0123456789ab comes back
		wait 0
		modes same
	END
	agent_done
}

@test "attach: ~. leaves a session that is come to, which runs on" {
	agent <<'EOF'
client.attach(tty=True)
client.tell("core.exec.stdout", {"data": b"ready"})
EOF
	drive 24x80 "$X" --attach work <<-END
		expect ready
		modes raw
		send ~.
		expect msb-exec: disconnected: the command runs on\r\n
		wait 125
		modes same
	END
	agent_done
}

@test "attach: a terminal that goes away is not the command's" {
	agent <<'EOF'
client.attach(tty=True)
client.tell("core.exec.stdout", {"data": b"ready"})
equal({f.type for f in client.hear_out()} - {"core.exec.resize", "core.exec.stdin"}, set())
EOF
	drive 24x80 "$X" --attach work <<-END
		expect ready
		hangup
		wait HUP
	END
	agent_done
}

@test "attach: an agent that keeps none ends what the detach keys leave, or not, as it was asked" {
	agent 2 <<'EOF'
client.start(exec_features=["on_disconnect"])
client.tell("core.exec.stdout", {"data": b"ready"})
equal([f.type for f in client.hear_out() if f.type != "core.exec.stdin"], [])
EOF
	drive 24x80 "$X" -tt cat <<-END
		expect ready
		send \x1d\x1d\x1d
		expect msb-exec: detached: the agent ends the command; with --on-disconnect keep it would run on\r\n
		wait 125
	END
	drive 24x80 "$X" -tt --on-disconnect keep cat <<-END
		expect ready
		send \x1d\x1d\x1d
		expect msb-exec: detached: the command runs on\r\n
		wait 0
	END
	agent_done
}

# ---- a connection that is lost ----

# trying [FOR]: the line of whoever lost it.
trying() {
	echo "lost the connection to unix:$SOCKET; trying again${1- for 60 s}; Ctrl-C leaves"
}

@test "attach: output goes on at the byte, wherever the connection was cut" {
	local text=$'line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\n'
	agent 99 <<'EOF'
text = b"".join(b"line %d\n" % i for i in range(8))
names = "core.exec.stdout", "core.exec.stderr"
if turn == 0:
    equal(client.keep().hold_ms, 60000)
    sys.at = [0, 0]
else:
    asked = client.attach()
    equal([asked.stdout_since, asked.stderr_since], sys.at)
    equal((asked.session, asked.mode, asked.hold_ms), ("0123456789ab", "take", 60000))
if sys.at == [len(text)] * 2:
    client.exit(3)
    client.be_last()
# Frames of 3 bytes of each stream in turn; only those count that come whole.
wire, at = b"", list(sys.at)
cut = 41 * turn % 313
for i in range(4):
    data = text[at[i % 2]:][:3]
    wire += frame(names[i % 2], client.id, {"data": data})
    at[i % 2] += len(data)
    if len(wire) <= cut:
        sys.at = list(at)
client.send(wire[:cut])
client.close()
EOF
	x -q -n --on-disconnect keep --reconnect 60s -- true >"$DIR/out" 2>"$DIR/err" || status=$?
	[[ $status -eq 3 && $(<"$DIR/out")$'\n' == "$text" && $(<"$DIR/err")$'\n' == "$text" ]]
	agent_done
}

@test "attach: large output goes on at the byte, too, whose rest was moved from pipe to pipe" {
	agent 3 <<'EOF'
import random
text = random.Random(1).randbytes(900000)
at = 0
if turn == 0:
    client.keep()
else:
    at = client.attach().stdout_since
    assert at > 0, "nothing was taken of a frame that was cut"
wire = frame("core.exec.stdout", client.id, {"data": text[at:]})
if turn < 2:
    # Some first, so that the next frame's beginning is all that the client reads.
    client.send(wire[:200000])
    client.until_quiet(1000000)
    client.send(wire[200000:400000])
    client.until_quiet(1000000)
    client.close()
else:
    client.send(wire)
    client.exit(3)
EOF
	x -q -n --on-disconnect keep --reconnect 60s -- true 3>&- | cat >"$DIR/out"
	python3 -c "import random, sys
sys.exit(open(sys.argv[1], 'rb').read() != random.Random(1).randbytes(900000))" "$DIR/out"
	agent_done
}

@test "attach: input goes on at the byte that the agent has not, acknowledged or not" {
	agent 99 <<'EOF'
text = bytes(range(256)) * 800
total = len(text)
if turn == 0:
    client.keep()
    sys.at = sys.ends = 0
else:
    client.attach(stdin_at=sys.at)
got = b""
# So many bytes of it are taken, of which some are acknowledged, and others are on their way when it is cut.
taken = [0, 1, 3000, 32768, 70000, 1, 90000, 65536][turn % 8]
while len(got) < taken and sys.at + len(got) < total:
    got += client.expect("core.exec.stdin").data
    if turn % 3:
        client.tell("core.exec.stdin.credit", {"consumed": max(len(got) - 40000, 0)})
equal(got, text[sys.at:][:len(got)])
sys.at += len(got)
if turn % 2 and sys.at < total:
    client.until_quiet(500000)
if sys.at == total:
    # The end is read once there is credit for more; and comes once more, with nothing before it.
    client.tell("core.exec.stdin.credit", {"consumed": len(got)})
    equal(client.expect("core.exec.stdin").data, b"")
    sys.ends += 1
    if sys.ends == 2:
        client.exit(3)
        client.be_last()
client.close()
EOF
	run -3 x -q --on-disconnect keep --reconnect 60s -- true < <(
		python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 800)')
	[[ -z $output ]]
	agent_done
}

@test "attach: input that somebody else sent meanwhile is not ours, and what was taken back is lost" {
	agent 3 <<'EOF'
if turn == 0:
    client.keep()
    equal(client.input(4), b"ours")
elif turn == 1:
    client.attach(stdin_at=11)
    open(os.environ["DIR"] + "/go", "w").close()
    equal(client.input(4), b"more")
    client.tell("core.exec.stdin.credit", {"consumed": 4})
else:
    client.attach(stdin_at=14)
    client.hear_out()
if turn < 2:
    client.close()
EOF
	run -125 --separate-stderr x -q --on-disconnect keep --reconnect 60s -- true < <(
		printf ours
		wait_for 20 test -e "$DIR/go"
		printf more)
	says 'it has less of the input than it took: 0123456789ab'
	agent_done
}

# ---- what is said meanwhile, and ways out ----

# waits_for SCRIPT [OPTION...]: msb-exec in the background, whose agent did that and then went.
waits_for() {
	# What the one before said must not be taken for this one's, which may not have been run yet.
	rm -f "$DIR/err"
	agent <<<"$1"
	env --default-signal=INT,QUIT,HUP,TERM "$X" "${@:2}" >"$DIR/out" 2>"$DIR/err" 3>&- </dev/null &
	CLIENT=$!
	wait_for 20 grep -q 'trying again' "$DIR/err"
	agent_done
}

# ends STATUS: how it ends.
ends() {
	local status=0
	wait "$CLIENT" || status=$?
	[[ $status -eq $1 ]] || {
		echo "it ended with $status" >&2
		return 1
	}
}

@test "attach: when the time is over, it says what was lost and how to come back" {
	waits_for 'client.keep(); client.close()' -n --on-disconnect keep --reconnect 300ms -- true
	ends 125
	stderr=$(<"$DIR/err")
	says "$(trying ' for 0.3 s')" "lost the connection to unix:$SOCKET: the agent closed it" \
		'msb-exec --attach 0123456789ab comes back'
}

@test "attach: an agent that was started anew has none of it" {
	agent 2 <<'EOF'
if turn == 0:
    client.keep()
    client.close()
else:
    client.greet(exec_features=KEEPS)
    client.id = client.next().id
    client.tell("core.error", {"kind": "invalid_session", "message": "no such session"})
EOF
	run -125 --separate-stderr x -n --on-disconnect keep --reconnect inf -- true
	says "$(trying '')" 'no such session: 0123456789ab'
	agent_done
}

@test "attach: one that is not kept, and one that nobody asked to get back, is lost at once" {
	agent 3 <<'EOF'
if turn == 0:
    client.start(exec_features=KEEPS)
else:
    client.keep() if turn == 1 else client.attach()
client.close()
EOF
	run -125 --separate-stderr x -n true
	says "lost the connection to unix:$SOCKET: the agent closed it"
	# Of what runs on it is said how to come back.
	run -125 --separate-stderr x --on-disconnect keep -n true
	says "lost the connection to unix:$SOCKET: the agent closed it" 'msb-exec --attach 0123456789ab comes back'
	run -125 --separate-stderr x -n --attach work
	says "lost the connection to unix:$SOCKET: the agent closed it" 'msb-exec --attach 0123456789ab comes back'
	agent_done
}

@test "attach: signals that end a program end who waits for a connection" {
	ulimit -S -c 0
	for signal in INT TERM HUP QUIT; do
		waits_for 'client.keep(); client.close()' -n --on-disconnect keep --reconnect inf -- true
		kill "-$signal" "$CLIENT"
		ends $((128 + $(kill -l "$signal")))
		stderr=$(<"$DIR/err")
		says "$(trying '')" 'msb-exec --attach 0123456789ab comes back'
	done
}

@test "attach: Ctrl-C and ~. are heeded without a connection" {
	for key in '\x03' '~.'; do
		agent <<<'client.keep(); client.tell("core.exec.stdout", {"data": b"ready"}); client.until_quiet(999); client.close()'
		drive 24x80 "$X" -tt --on-disconnect keep cat <<-END
			expect ready
			expect \r\nmsb-exec: $(trying)\r\n
			modes raw
			send $key
			expect $([[ $key == '~.' ]] && echo 'msb-exec: disconnected: the command runs on' ||
				echo 'msb-exec: msb-exec --attach 0123456789ab comes back')\r\n
			wait $([[ $key == '~.' ]] && echo 125 || echo INT)
			modes same
		END
		agent_done
	done
}

@test "attach: three INTs leave a command that they do not end, which runs on" {
	agent <<'EOF'
client.attach()
client.tell("core.exec.stdout", {"data": b"ready\n"})
client.hear_out()
EOF
	timeout $((20 * SLOW)) python3 -B - "$X" >"$DIR/err" <<-'END'
		import signal, subprocess, sys, time

		process = subprocess.Popen([sys.argv[1], "-n", "--attach", "work"], text=True,
		                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
		                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
		assert process.stdout.readline() == "ready\n"
		# Two that come at once may be one.
		while process.poll() is None:
		    process.send_signal(signal.SIGINT)
		    time.sleep(0.1)
		print(process.stderr.read(), end="")
		assert process.returncode == 125, process.returncode
	END
	stderr=$(<"$DIR/err")
	says 'gave up after three signals; the command runs on' 'msb-exec --attach 0123456789ab comes back'
	agent_done
}

@test "attach: keys that are typed without a connection wait for it" {
	agent 2 <<'EOF'
if turn == 0:
    equal(client.keep().hold_ms, 60000)
    client.tell("core.exec.stdout", {"data": b"ready"})
    equal(client.input(1), b"a")
    client.close()
    while not os.path.exists(os.environ["DIR"] + "/typed"):
        time.sleep(0.01)
else:
    asked = client.attach(tty=True)
    equal((asked.rows, asked.cols), (24, 80))
    # The first was on its way when it was cut.
    equal(client.input(6), b"abcdef")
    client.tell("core.exec.stdout", {"data": b"back"})
    equal(client.input(1), b"g")
    client.exit(3)
EOF
	drive 24x80 "$X" -tt --on-disconnect keep cat <<-END
		expect ready
		send a
		expect trying again for 60 s
		send bc
		send def
		run touch $DIR/typed
		expect back
		modes raw
		send g
		wait 3
		modes same
	END
	agent_done
}

@test "attach: what fills the screen is painted anew behind the line that was said" {
	agent 2 <<'EOF'
if turn == 0:
    client.keep()
    client.tell("core.exec.stdout", {"data": b"\x1b[?1049hfull"})
    client.until_quiet(999)
    client.close()
else:
    client.attach(tty=True)
    equal(client.expect("core.exec.resize").rows, 23)
    equal(client.expect("core.exec.resize").rows, 24)
    client.tell("core.exec.stdout", {"data": b"anew"})
    client.exit(3)
EOF
	drive 24x80 "$X" -tt --on-disconnect keep cat <<-END
		expect full
		expect trying again
		expect anew
		wait 3
	END
	agent_done
}

@test "attach: a silent agent is lost, and got back" {
	agent 2 <<'EOF'
if turn == 0:
    client.keep()
    client.tell("core.exec.stdout", {"data": b"one\n"})
    # It stays connected, and nobody is there any more.
    sys.silent, client.open = client, False
else:
    equal(client.attach().stdout_since, 4)
    client.tell("core.exec.stdout", {"data": b"two\n"})
    client.exit(3)
EOF
	run -3 --separate-stderr x -n --on-disconnect keep --reconnect 60s --keepalive "$((SLOW))s" -- true
	[[ $output == $'one\ntwo' ]]
	says "$(trying)"
	agent_done
}

@test "attach: who waits and who looks on goes on, too" {
	agent 4 <<'EOF'
asked = client.attach()
equal(asked.mode, "wait" if turn < 2 else "watch")
equal("hold_ms" in asked.payload, False)
if turn == 2:
    client.tell("core.exec.stdout", {"data": b"one\n"})
if turn == 3:
    equal(asked.stdout_since, 4)
    client.tell("core.exec.stdout", {"data": b"two\n"})
if turn % 2:
    client.exit(3)
else:
    client.close()
EOF
	run -3 --separate-stderr x --reconnect 60s --wait work
	[[ -z $output ]]
	run -3 --separate-stderr x --reconnect 60s --watch --attach work
	[[ $output == $'one\ntwo' ]]
	agent_done
}

@test "attach: what is run has its output held, and says again what it does not read" {
	agent 2 <<'EOF'
asked = client.attach() if turn else client.keep()
equal(asked.hold_ms, 60000)
# Its reader is only about to go when it starts, which is found when something is written.
stream = "stdout" if turn == 0 else "stderr"
while (heard := client.until_heard(f"core.exec.{stream}", {"data": b"nobody reads this"})).type == "core.exec.stdin":
    pass
equal(heard.type, "core.exec.output.close")
if turn == 0:
    client.close()
else:
    client.exit(3)
EOF
	run -3 bash -c "$X -q -n --on-disconnect keep --reconnect 60s -- work 2>/dev/null > >(exec true)"
	agent_done
}

@test "attach: signals for the command wait for a connection" {
	agent 2 <<'EOF'
if turn == 0:
    client.keep()
    client.close()
    while not os.path.exists(os.environ["DIR"] + "/sent"):
        time.sleep(0.01)
else:
    client.attach()
    equal(client.expect("core.exec.signal").signal, signal.SIGUSR1)
    client.exit(3)
EOF
	"$X" -n --on-disconnect keep --reconnect inf -- true >"$DIR/out" 2>"$DIR/err" 3>&- </dev/null &
	CLIENT=$!
	wait_for 20 grep -q 'trying again' "$DIR/err"
	kill -USR1 "$CLIENT"
	touch "$DIR/sent"
	ends 3
	agent_done
}

@test "attach: one that was taken or has ended meanwhile says so" {
	agent 4 <<'EOF'
if turn % 2 == 0:
    client.keep()
    client.close()
else:
    client.attach()
    if turn == 1:
        client.let_go("taken")
    else:
        client.exit(9)
EOF
	run -125 --separate-stderr x -q -n --on-disconnect keep --reconnect 60s -- true
	says 'session 0123456789ab was attached elsewhere'
	run -9 --separate-stderr x -q -n --on-disconnect keep --reconnect 60s -- true
	[[ -z $stderr ]]
	agent_done
}
