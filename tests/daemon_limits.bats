#!/usr/bin/env bats
# What msb-execd decides for every command: how long it may run, and how long a silence is waited
# for where the client does not say.

load helper

setup() {
	common_setup
	need_local "the options of a daemon of our own"
}

teardown() {
	common_teardown
}

# clients ARG...: as peer, but without a bystander, whose command would be limited too.
clients() {
	DIR=$DIR RELAY=$RELAY python3 -B "$ROOT/tests/peer.py" "$SOCKET" "$DAEMON" "$@"
}

@test "linger: a request that does not say ends while a helper still holds the output" {
	daemon_start --linger 100ms
	peer <<'EOF'
peer = Peer()
for tty in (False, True):
    peer.request(1 + tty, "sh", "-c", "trap '' HUP; sleep 1000 & echo $! >$DIR/pid; echo out; exit 3",
                 tty=tty, env=DIR_ENV)
    got = peer.outcome(1 + tty)
    equal((got.stdout.strip(), got.last.code), (b"out", 3))
    with open(DIR + "/pid", encoding="ascii") as file:
        pid = int(file.read())
    assert not is_gone(pid), "a normal end killed the helper"
    os.kill(pid, 9)
    wait_gone(pid)
EOF
}

@test "linger: output that nobody has taken yet is not cut off, with and without credit" {
	daemon_start --linger 0
	peer <<'EOF'
SCRIPT = "head -c 8000000 /dev/zero; sleep 1000 & echo $! >$DIR/pid; exit 3"
for window in (None, 70000):
    peer = Peer()
    keys = {"output_window": window} if window else {}
    leader = peer.start(1, "sh", "-c", SCRIPT, env=DIR_ENV, **keys)
    # It writes more than is taken, and is held up by it.
    wait_for(lambda: is_stuck(int(open(f"/proc/{leader}/task/{leader}/children").read() or 0)),
             "a command that is stuck")
    taken = 0
    while (got := peer.answer(1)).type == "core.exec.stdout":
        taken += len(got.data)
        if window:
            peer.tell("core.exec.output.credit", 1, {"consumed": taken})
    equal((taken, got.type, got.code), (8000000, "core.exec.exited", 3))
    with open(DIR + "/pid", encoding="ascii") as file:
        os.kill(int(file.read()), 9)
    peer.close()
EOF
}

@test "linger: a client that says how long has its own, for ever too" {
	daemon_start --linger 0
	"$X" -n --linger inf -- sh -c "(until [ -e $DIR/go ]; do sleep 0.02; done; echo late) &
		touch $DIR/left; echo early" >"$DIR/out" 3>&- &
	client=$!
	wait_for 5 grep -q early "$DIR/out"
	# One round of the daemon's later: it would have ended by now.
	run -0 "$X" --linger 0 -- true
	touch "$DIR/go"
	wait "$client"
	[[ $(<"$DIR/out") == early$'\n'late ]]
}

@test "linger: a long one does not put off the end of the daemon" {
	need_direct "the end of the daemon"
	mark=$(mark)
	daemon_start
	# It has left the session, so no signal of ours reaches it, and holds the output.
	"$X" -n --linger 1h -- sh -c "setsid sleep $mark & until [ -n \"\$(pgrep -f '^sleep $mark')\" ]; do
		sleep 0.02; done; echo left" >"$DIR/out" 3>&- &
	client=$!
	wait_for 5 grep -q left "$DIR/out"
	# It has ended by itself, too.
	wait_for 5 none_match "^sh -c setsid sleep $mark"
	daemon_stop
	status=0
	wait "$client" || status=$?
	[[ $status -eq 0 ]]
	guest_kill KILL "^sleep $mark"
}

@test "max-time: 124 and a line for what runs on, with or without a terminal" {
	mark=$(mark)
	daemon_start --max-time 300ms
	run -124 "$X" -n -- sh -c "sleep $mark & sleep $mark"
	[[ $output == *"the agent"* ]]
	wait_for 5 none_match "sleep $mark"
	run -124 "$X" -n -tt -- bash -ic "trap '' TERM; sleep $mark & sleep $mark"
	wait_for 5 none_match "sleep $mark"
}

@test "max-time: any client hears how it ended; what is asked first is the usual signal" {
	daemon_start --max-time 300ms
	clients <<'EOF'
peer = Peer()
peer.start(1, "sleep", "1000")
peer.start(2, "sleep", "1000", tty=True)
peer.start(3, "sleep", "1000", timeout_ms=3600000, timeout_signal=10)
for id, signal in ((1, 15), (2, 1), (3, 15)):
    got = peer.outcome(id).last
    equal((got.code, got.signal, got.timed_out), (-1, signal, True))
EOF
}

@test "max-time: the lower of the client's time and it; the client's has its own signal" {
	daemon_start --max-time 1h
	clients <<'EOF'
peer = Peer()
peer.start(1, "sleep", "1000", timeout_ms=200, timeout_signal=10)
got = peer.outcome(1).last
equal((got.code, got.signal, got.timed_out), (-1, 10, True))
EOF
	run -124 "$X" -n --timeout 200ms -- sleep 1000
	[[ -z $output ]]
	run -5 "$X" -n --timeout 1h -- sh -c 'exit 5'
}

@test "max-time: neither -k 0 nor a long -k puts it off" {
	mark=$(mark)
	daemon_start --max-time 500ms
	local clients=() client status
	# Each takes its time, all at once take no more.
	for after in 0 1h; do
		for time in 100ms 1h; do
			"$X" -n --timeout "$time" -k "$after" -- sh -c "trap '' TERM; while :; do sleep 0.05; : $mark; done" 3>&- &
			clients+=($!)
		done
	done
	for client in "${clients[@]}"; do
		status=0
		wait "$client" || status=$?
		[[ $status -eq 124 ]]
	done
	wait_for 5 none_match "$mark"
}

@test "max-time: what holds the output from elsewhere does not keep the session" {
	mark=$(mark)
	daemon_start --max-time 500ms
	run -124 "$X" -n --linger 1h -- sh -c "setsid sleep $mark & sleep 1000"
	guest_kill KILL "^sleep $mark"
}

@test "max-time: what a lost client keeps is ended too, what a normal end left is not" {
	mark=$(mark)
	daemon_start --max-time 1s
	clients "$mark" <<'EOF'
peer = Peer()
leader = peer.start(1, "sh", "-c", "exec sleep " + ARGS[0], on_disconnect="keep")
id = 1
while True:
    id += 1
    got = peer.run(id, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
    if got.last.code == 0:
        break
    # This machine is so slow that it was overdue.
left = int(got.stdout)
peer.close()
wait_gone(leader)
assert not is_gone(left), "it was killed after a normal end"
os.kill(left, 9)
EOF
}

@test "limits: 0 and inf are no bound, inf is no silence, and anything else is refused" {
	daemon_start --max-time 0 --linger inf
	run -3 "$X" -- sh -c 'sleep 0.3; exit 3'
	daemon_stop
	daemon_start --max-time inf
	run -3 "$X" -- sh -c 'sleep 0.3; exit 3'
	for bad in --max-time=soon --max-time=-1 --max-time= --linger=1x --linger=-1; do
		run -2 "$EXECD" "$bad"
		[[ ${#lines[@]} -eq 1 && $output == msb-execd:*duration* ]]
	done
}
