#!/usr/bin/env bats
# What happens when something is killed or takes too long: nothing hangs, nothing is left.

load helper

setup() {
	common_setup
	daemon_start
}

teardown() {
	common_teardown
}

# In what follows a command that sets a trap has a second for it, times SLOW, before the time-out; and
# what would not end at all, or after minutes, is held to end within this many milliseconds.
SOON=$((20000 * SLOW))

@test "timeout: 124 after the time, and the command is gone" {
	mark=$(mark)
	timed run -124 "$X" --timeout 0.5s -- sleep "$mark"
	[[ $MS -ge 450 && $MS -lt $SOON ]]
	wait_for 20 none_match "sleep $mark"
}

@test "timeout: what ignores the signal is killed after -k, with all its session" {
	mark=$(mark)
	timed run -124 "$X" --timeout "${SLOW}s" -k 500ms -- sh -c "(trap '' TERM; sleep $mark) & sleep $mark"
	[[ $MS -ge 1400 && $MS -lt $SOON ]]
	wait_for 20 none_match "sleep $mark"
	timed run -124 "$X" -tt -n --timeout "${SLOW}s" -k 200ms -- bash -ic "trap '' TERM HUP; sleep $mark & sleep $mark"
	wait_for 20 none_match "sleep $mark"
}

@test "timeout: another signal, KILL among them, and never with 0" {
	run -124 "$X" --timeout "${SLOW}s" --signal INT -- sh -c 'trap "echo got; exit 3" INT
		while :; do sleep 0.05; done'
	[[ $output == got ]]
	run -124 "$X" --timeout 200ms --signal KILL -- sleep 9
	run -0 "$X" --timeout 0 -- true
	run -5 "$X" --timeout 60 -- sh -c 'exit 5'
}

@test "timeout: -k 0 asks and never kills" {
	run -124 "$X" --timeout "${SLOW}s" -k 0 -- sh -c 'trap "asked=1" TERM
		until [ "$asked" ]; do sleep 0.05; done
		n=0; while [ $n -lt 10 ]; do sleep 0.1; n=$((n+1)); done; echo end'
	[[ $output == *end ]]
}

@test "timeout: a long -k does not hold up the end of the daemon" {
	need_local "its end"
	mark=$(mark)
	"$X" -n --timeout "${SLOW}s" -k 1h -- sh -c "trap 'touch $DIR/asked' TERM; while :; do sleep 0.05; : $mark; done" 3>&- &
	client=$!
	wait_for 20 test -e "$DIR/asked"
	timed daemon_stop
	[[ $MS -lt $SOON ]]
	status=0
	wait "$client" || status=$?
	[[ $status -eq 124 ]]
	wait_for 20 none_match "$mark"
}

@test "timeout: a stopped command is continued, and ends" {
	mark=$(mark)
	timed run -124 "$X" --timeout 300ms -k 1h -- sh -c "kill -STOP \$\$; sleep $mark"
	[[ $MS -lt $SOON ]]
}

@test "kill: without its client a command and its children are gone" {
	mark=$(mark)
	"$X" -- sh -c "sleep $mark & sleep $mark" 3>&- &
	client=$!
	wait_for 20 matches 2 "^sleep $mark"
	kill -9 "$client"
	wait_for 20 none_match "sleep $mark"
}

@test "kill: without its client a shell that ignores everything is gone after the grace" {
	mark=$(mark)
	"$X" -n -- sh -c "trap '' TERM HUP INT; (trap '' TERM HUP; sleep $mark) & while :; do sleep $mark; done" 3>&- &
	client=$!
	wait_for 20 matches 2 "^sleep $mark"
	kill -9 "$client"
	wait_for 20 none_match "sleep $mark"
}

@test "kill: a killed daemon leaves no leader, and its client says so with 125" {
	need_local "its end"
	mark=$(mark)
	"$X" -n -- sleep "$mark" 2>"$DIR/err" 3>&- &
	client=$!
	wait_for 20 matches 1 "^sleep $mark"
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	status=0
	wait "$client" || status=$?
	[[ $status -eq 125 && $(wc -l <"$DIR/err") -eq 1 && $(<"$DIR/err") == *'lost the connection'* ]]
	wait_for 20 none_match "sleep $mark"
}

@test "kill: SIGTERM to the daemon ends every session, tells its clients, removes the socket" {
	need_local "its end"
	mark=$(mark)
	"$X" -n -- sleep "$mark" 3>&- &
	polite=$!
	"$X" -n -- sh -c "trap '' TERM; while :; do sleep $mark; done" 3>&- &
	stubborn=$!
	wait_for 20 matches 2 "^sleep $mark"
	daemon_stop
	status=0
	wait "$polite" || status=$?
	[[ $status -eq 143 ]]
	wait "$stubborn" || status=$?
	[[ $status -eq 137 ]]
	wait_for 20 none_match "sleep $mark"
	[[ ! -e $SOCKET ]]
}

@test "kill: a client that takes nothing does not hold up the end of the daemon" {
	need_local "its end"
	mkfifo "$DIR/fifo"
	# Open for reading, and never read.
	exec 7<>"$DIR/fifo"
	"$X" -n -- yes "$DIR" >"$DIR/fifo" 2>"$DIR/err" 3>&- 7>&- &
	client=$!
	wait_for 20 is_still "$DAEMON" "$client"
	timed daemon_stop
	[[ $MS -lt $SOON ]]
	none_match "^yes $DIR"
	exec 7>&-
	wait "$client" || true
}

@test "kill: on_disconnect keep lives on, hangup gets SIGHUP and no more" {
	mark=$(mark)
	"$X" -n --on-disconnect keep -- sleep "$mark" 3>&- &
	keep=$!
	"$X" -n --on-disconnect hangup -- sh -c "trap 'touch $DIR/hup' HUP; touch $DIR/ready; while :; do sleep 0.1; : $mark; done" 3>&- &
	hangup=$!
	wait_for 20 guest test -e "$DIR/ready"
	wait_for 20 matches 1 "^sleep $mark"
	kill -9 "$keep" "$hangup"
	wait_for 20 guest test -e "$DIR/hup"
	matches 1 "^sleep $mark"
	# Two of that name are one that has just forked.
	wait_for 20 matches 1 "sh -c trap .*$mark"
	guest_kill KILL "$mark"
}

@test "kill: what a HUP that was passed on makes a command do is not cut short by TERM" {
	cat >"$DIR/saves.py" <<-'EOF'
		import os, signal, sys, time
		folder = sys.argv[1]
		def save(*_):
		    open(folder + "/saved", "w").close()
		    sys.exit()
		signal.signal(signal.SIGHUP, save)
		open(folder + "/ready", "w").close()
		while True:
		    time.sleep(0.05)
	EOF
	if [[ -n $AGENT ]]; then
		skip "the guest has no Python"
	fi
	for _ in {1..10}; do
		rm -f "$DIR/ready" "$DIR/saved"
		env --default-signal=HUP "$X" -n -- python3 "$DIR/saves.py" "$DIR" 3>&- &
		client=$!
		wait_for 20 test -e "$DIR/ready"
		kill -HUP "$client"
		wait "$client" || true
		wait_for 20 test -e "$DIR/saved"
	done
}

@test "kill: a HUP that does not help is followed by TERM and KILL" {
	mark=$(mark)
	env --default-signal=HUP "$X" -n -- sh -c "trap 'echo hup >>$DIR/log' HUP; trap 'echo term >>$DIR/log' TERM
		echo ready >>$DIR/log; while :; do sleep 0.05; : $mark; done" 3>&- &
	client=$!
	wait_for 20 guest_has "$DIR/log" 1
	kill -HUP "$client"
	status=0
	wait "$client" || status=$?
	[[ $status -eq 129 ]]
	wait_for 30 none_match "$mark"
	[[ $(guest cat "$DIR/log") == $'ready\nhup\nterm' ]]
}

@test "kill: a command that outlives its client finds the end of its stdin, if it is kept once somebody sends that" {
	mkfifo "$DIR/in"
	exec 8<>"$DIR/in"
	# Others may have sessions there, so ours has a name.
	session=its-$(mark)
	for keep in "keep --name $session" hangup; do
		rm -f "$DIR/out"
		guest rm -f "$DIR/ended"
		# shellcheck disable=SC2086
		"$X" --on-disconnect $keep -- sh -c "trap '' HUP; echo \$\$; wc -c >$DIR/all; touch $DIR/ended" \
			<"$DIR/in" >"$DIR/out" 3>&- 8>&- &
		client=$!
		echo five >&8
		wait_for 10 grep -q . "$DIR/out"
		wait_for 10 eval '! kill -KILL $client 2>/dev/null || gone $client'
		wait "$client" || true
		if [[ $keep = keep* ]]; then
			"$X" --send "$session" --eof </dev/null
		fi
		wait_for 10 guest test -e "$DIR/ended"
		# As much as had come.
		[[ $(guest cat "$DIR/all") =~ ^[0-9]+$ ]]
	done
}

@test "kill: 2000 runs leave the daemon as it was" {
	need_local "its descriptors and its memory"
	need_count "$DAEMON"
	fds() { ls "/proc/$DAEMON/fd" | wc -l; }
	fds_are() { [[ $(fds) -eq $1 ]]; }
	rss() { awk '/VmRSS/ { print $2 }' "/proc/$DAEMON/status"; }
	childless() { ! pgrep -P "$DAEMON" >/dev/null; }
	# In a bash of its own: in this one bats looks at every command, which takes as long again.
	runs() { bash -ec 'for ((i = 0; i < $1; i++)); do "$2" -n -- true; done' - "$1" "$X"; }
	# Whoever asked whether it is there has gone, and it knows.
	wait_for 20 is_still "$DAEMON"
	before=$(fds)
	runs $((1000 / FACTOR))
	half=$(rss)
	runs $((1000 / FACTOR))
	wait_for 20 fds_are "$before"
	wait_for 20 childless
	# A sanitizer keeps freed memory to catch late uses of it.
	is_sanitized "$DAEMON" || [[ $(($(rss) - half)) -le 64 ]]
}

@test "kill: concurrent_spawns_keep_their_own_exit_codes" {
	pids=()
	for i in {20..31}; do
		mode=-T
		((i % 2 == 0)) || mode=-tt
		("$X" -n $mode -- sh -c "exit $i" || echo "$i $?" >"$DIR/$i") 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in {20..31}; do
		[[ $(<"$DIR/$i") == "$i $i" ]]
	done
}

@test "kill: adopted_descendant is signalled through a leader that has ended" {
	mark=$(mark)
	"$X" -n --linger inf -- sh -c "sleep $mark & exit 0" 3>&- &
	client=$!
	wait_for 20 matches 1 "^sleep $mark"
	wait_for 20 none_match "^sh -c .*$mark"
	kill -TERM "$client"
	status=0
	wait "$client" || status=$?
	[[ $status -eq 0 ]]
	wait_for 20 none_match "sleep $mark"
}

@test "pty_reader_drains_ready_fd" {
	script='i=0; while [ $i -lt 256 ]; do printf AAAA; i=$((i+1)); done; printf SECOND; sleep 0.1; printf "<END>\n"; sleep 0.1; exit 0'
	run -0 "$X" -tt -n -- /bin/sh -c "$script"
	[[ $output == AAAA*SECOND'<END>'* && ${#output} -ge 1035 ]]
}
