#!/usr/bin/env bats
# Signs of life: when msb-exec calls an agent lost, and when it must not.

load helper
load agent

setup() {
	common_setup
	need_local "its life"
	MARK=$(mark)
}

teardown() {
	# Also after a test that failed before it did so.
	[[ -z $DAEMON ]] || kill -CONT "$DAEMON" 2>/dev/null || true
	agent_end
	common_teardown
}

x() {
	timeout --foreground -s KILL $((40 * SLOW)) "$X" "$@" </dev/null
}

@test "keepalive: a daemon that hangs is found lost in time, and its command ends when it is back" {
	daemon_start
	"$X" --keepalive $((500 * SLOW))ms -- sh -c "echo here; exec sleep $MARK" >"$DIR/out" 2>"$DIR/err" 3>&- &
	local x=$! status=0
	wait_for 20 grep -q here "$DIR/out"
	kill -STOP "$DAEMON"
	timed wait "$x" || status=$?
	# By default it would be 20 s, and so said.
	[[ $status -eq 125 && $MS -lt $((15000 * SLOW)) ]]
	[[ $(<"$DIR/err") == "msb-exec: lost the connection to unix:$SOCKET: the agent has not answered for $SLOW s" ]]
	kill -CONT "$DAEMON"
	wait_for 20 none_match "$MARK"
}

@test "keepalive: by default a lost agent is called so after 20 seconds, one that never asks waits on" {
	daemon_start
	for option in --keepalive=10s --keepalive=0 --keepalive=inf; do
		"$X" "$option" -- sh -c "echo here; exec sleep $MARK" >"$DIR/out$option" 2>"$DIR/err$option" 3>&- &
		echo $! >"$DIR/pid$option"
		wait_for 20 grep -q here "$DIR/out$option"
	done
	"$X" -- sh -c "echo here; exec sleep $MARK" >"$DIR/out" 2>"$DIR/err" 3>&- &
	local x=$! status=0 begin took
	wait_for 20 grep -q here "$DIR/out"
	kill -STOP "$DAEMON"
	begin=${EPOCHREALTIME/./}
	wait "$x" || status=$?
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	[[ $status -eq 125 && $(<"$DIR/err") == *'has not answered for 20 s' ]]
	((took >= 15000 && took < 20000 + 20000 * SLOW))
	wait_for 20 gone "$(<"$DIR/pid--keepalive=10s")"
	for option in --keepalive=0 --keepalive=inf; do
		run -1 gone "$(<"$DIR/pid$option")"
		kill -KILL "$(<"$DIR/pid$option")"
	done
	kill -CONT "$DAEMON"
	wait_for 20 none_match "$MARK"
}

@test "keepalive: an agent that hangs under input is lost too" {
	daemon_start
	# Our daemon gives credit, so that not to read is not to live.
	bash -c 'yes | "$@"' - "$X" --keepalive $((500 * SLOW))ms -- sh -c "echo here; exec cat >/dev/null" \
		>"$DIR/out" 2>"$DIR/err" 3>&- &
	local x=$! status=0
	wait_for 20 grep -q here "$DIR/out"
	kill -STOP "$DAEMON"
	wait "$x" || status=$?
	kill -CONT "$DAEMON"
	[[ $status -eq 125 && $(<"$DIR/err") == *"has not answered for $SLOW s"* ]]
}

@test "keepalive: a silent command is not lost, nor is one whose daemon is busy" {
	daemon_start
	for ((i = 0; i < 4; i++)); do
		"$X" -n -- yes >/dev/null 3>&- &
		echo $! >>"$DIR/busy"
	done
	run -0 x --keepalive $((300 * SLOW))ms -- sh -c "sleep $((2 * SLOW)); echo still"
	while read -r pid; do
		kill "$pid"
	done <"$DIR/busy"
	[[ $output == still ]]
}

@test "keepalive: output that nobody takes for several intervals is not silence" {
	daemon_start
	run -0 python3 - "$X" "$SLOW" <<-'PY'
		import subprocess, sys, time
		slow = int(sys.argv[2])
		p = subprocess.Popen([sys.argv[1], "--keepalive", f"{200 * slow}ms", "-n", "--", "yes"],
		                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
		assert p.stdout.read(2) == b"y\n"
		for _ in range(3):
		    time.sleep(0.8 * slow)
		    assert p.poll() is None, p.stderr.read()
		    data = p.stdout.read(16 << 20)
		    assert len(data) == 16 << 20, p.stderr.read()
		p.terminate()
		p.stdout.close()
		err = p.stderr.read()
		assert p.wait(20 * slow) in (-15, 141) and not err, (p.returncode, err)
	PY
}

@test "keepalive: an msb-exec that was stopped for long does not call it silence" {
	# The agent says nothing while we are stopped, not even what it was asked before.
	agent <<-'END'
		import subprocess
		client.start()
		client.expect("core.exec.stdin")
		pid = struct.unpack("3i", client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
		for _ in range(3):
		    equal(client.next().type, "core.ping")
		    os.kill(pid, signal.SIGSTOP)
		    time.sleep(1 * SLOW)
		    os.kill(pid, signal.SIGCONT)
		ping = client.next()
		equal(ping.type, "core.ping")
		client.send(frame("core.pong", ping.id))
		client.exit(7)
	END
	run -7 x --keepalive $((400 * SLOW))ms -- true
	[[ -z $output ]]
	agent_done
}

@test "keepalive: every ping has an id of its own in our range, and pongs and refusals only count as life" {
	agent <<-'END'
		client.greet(range=(100, 200))
		request = client.expect("core.exec.request")
		equal(request.id, 100)
		client.tell("core.exec.started", {"pid": 5})
		client.expect("core.exec.stdin")
		for turn in range(1, 9):
		    ping = client.next()
		    equal((ping.type, ping.id, ping.flags), ("core.ping", 100 + turn, 0))
		    if turn % 2:
		        client.send(frame("core.pong", ping.id))
		    else:
		        client.send(frame("core.error", ping.id, {"kind": "invalid_payload", "message": "no"}))
		client.tell("core.exec.stdout", {"data": b"on it\n"})
		client.exit(7)
	END
	run -7 x --keepalive $((200 * SLOW))ms -- true
	[[ $output == 'on it' ]]
	agent_done
}

@test "keepalive: when the range has no ids left the agent is not asked and not lost" {
	agent <<-'END'
		client.greet(range=(100, 102))
		equal(client.expect("core.exec.request").id, 100)
		client.tell("core.exec.started", {"pid": 5})
		client.expect("core.exec.stdin")
		equal(client.next().id, 101)
		client.send(frame("core.pong", 101))
		try:
		    got = client.next(1 * SLOW)
		    raise AssertionError(f"got {got!r}")
		except TimeoutError:
		    pass
		client.exit(7)
	END
	run -7 x --keepalive $((200 * SLOW))ms -- true
	[[ -z $output ]]
	agent_done
}

@test "keepalive: agents too old to answer are never asked" {
	for v in 1 4 5; do
		agent <<-END
			client.start(v=$v)
			client.expect("core.exec.stdin")
			try:
			    got = client.next(0.5)
			    raise AssertionError(f"got {got!r}")
			except TimeoutError:
			    pass
			client.exit(7)
		END
		run -7 x --keepalive 100ms -- true
		[[ -z $output ]]
		agent_done
		rm "$SOCKET"
	done
}

@test "keepalive: an agent without credit may be stuck on input that its command does not read" {
	agent <<-'END'
		client.start()
		time.sleep(1 * SLOW)
		while (got := client.next()).type != "core.exec.stdin" or got.data:
		    pass
		client.exit(7)
	END
	head -c 300000 /dev/zero >"$DIR/input"
	run -7 "$X" --keepalive $((200 * SLOW))ms -- true <"$DIR/input"
	[[ -z $output ]]
	agent_done
	rm "$SOCKET"
	# With so little it cannot be.
	agent <<-'END'
		client.start()
		time.sleep(2)
	END
	run -125 "$X" --keepalive 200ms -- true <<<'a little'
	[[ $output == *'has not answered for 0.4 s' ]]
}
