#!/usr/bin/env bats
# --wait-for: an agent that is not there yet, refuses, or greets late.

load helper

setup() {
	common_setup
	WAITER=
}

teardown() {
	[[ -z $WAITER ]] || kill "$WAITER" 2>/dev/null || true
	common_teardown
}

# waiter ARG...: msb-exec in the background, which has tried once in vain.
waiter() {
	"$X" -v --wait-for 600s "$@" >"$DIR/out" 2>"$DIR/err" 3>&- &
	WAITER=$!
	wait_for 20 grep -q 'trying again' "$DIR/err"
}

# waited STATUS: how it ends.
waited() {
	local status=0
	wait "$WAITER" || status=$?
	WAITER=
	[[ $status -eq $1 ]] || {
		cat "$DIR/err" >&2
		return 1
	}
}

@test "waiting: for a socket that is not there yet" {
	need_local "a daemon that is not there yet"
	waiter -S "$SOCKET" -- sh -c 'echo there; exit 3'
	daemon_start
	waited 3
	[[ $(<"$DIR/out") == there ]]
	# It is said once that it is tried again, and not for each try.
	[[ $(grep -c 'trying again' "$DIR/err") -eq 1 ]]
}

@test "waiting: for a socket of a daemon that was killed, and a folder that is still to be made" {
	need_local "a daemon that is not there yet"
	daemon_start
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	waiter -S "$SOCKET" -- echo again
	grep -q 'Connection refused; trying again' "$DIR/err"
	daemon_start
	waited 0
	[[ $(<"$DIR/out") == again ]]
	waiter -S "$DIR/later/s" -- echo later
	mkdir "$DIR/later"
	daemon_stop
	daemon_start --listen "unix:$DIR/later/s"
	waited 0
	[[ $(<"$DIR/out") == later ]]
}

@test "waiting: for one that greets late, and one that closes at once" {
	need_local "a daemon that is not there yet"
	for how in 'time.sleep(600)' 'client.close(); os._exit(0)'; do
		rm -f "$SOCKET" "$DIR/err"
		PYTHONPATH=$BATS_TEST_DIRNAME python3 -Bc "import os, sys, time, wire
listener = wire.listen(sys.argv[1])
listener.settimeout(600)
client = listener.accept()[0]
$how" "$SOCKET" 3>&- &
		local other=$!
		wait_for 10 test -S "$SOCKET"
		waiter --connect-timeout 0.2 -S "$SOCKET" -- echo greeted
		kill "$other" 2>/dev/null || true
		wait "$other" || true
		daemon_start
		waited 0
		[[ $(<"$DIR/out") == greeted ]]
		daemon_stop
	done
}

@test "waiting: it gives up when it is over, and says that it tried" {
	timed run -125 "$X" --wait-for 300ms -S "$DIR/none" -- true
	[[ ${lines[0]} == *"cannot connect to unix:$DIR/none: No such file or directory" ]]
	[[ ${lines[1]} == 'msb-exec: tried '*' times, for as long as --wait-for says' ]]
	((MS >= 300 && MS < 3000 * SLOW))
	timed run -125 "$X" -S "$DIR/none" -- true
	[[ $output != *tried* ]]
	((MS < 3000 * SLOW))
}

@test "waiting: at the usual places, with --ping and in the console" {
	need_local "a daemon that is not there yet"
	[[ ! -e /run/msb-execd.sock ]] || skip "an agent listens on /run/msb-execd.sock"
	export XDG_RUNTIME_DIR=$DIR
	waiter -- echo usual
	daemon_start --listen "unix:$DIR/msb-execd.sock"
	waited 0
	[[ $(<"$DIR/out") == usual ]]
	daemon_stop
	waiter -S "$SOCKET" --ping
	daemon_start
	waited 0
	grep -q 'is alive' "$DIR/out"
	daemon_stop
	[[ -x $CONSOLE ]] || return 0
	"$CONSOLE" -v --wait-for 600s -S "$SOCKET" -c 'echo console' >"$DIR/out" 2>"$DIR/err" 3>&- &
	WAITER=$!
	wait_for 20 grep -q 'trying again' "$DIR/err"
	daemon_start
	waited 0
	[[ $(<"$DIR/out") == console ]]
}

@test "waiting: a program is started again, and what is left of the try before has ended" {
	need_local "a daemon of its own"
	mark=$(mark)
	printf '#!/bin/sh\n[ ! -e %q ] || exec %q --listen stdio:\nexec sleep %s\n' "$DIR/go" "$EXECD" "$mark" >"$DIR/transport"
	chmod 755 "$DIR/transport"
	waiter --connect-timeout 0.3 -S "exec:$DIR/transport" -- echo "by a program"
	touch "$DIR/go"
	waited 0
	[[ $(<"$DIR/out") == 'by a program' ]]
	wait_for 10 none_match "sleep $mark"
}

@test "waiting: a signal ends it at once" {
	waiter -S "$DIR/none" -- true
	kill -TERM "$WAITER"
	waited 143
}

@test "waiting: what will not change is not tried again" {
	run -125 "$X" -v --wait-for 600s -S "exec:printf 'SSH-2.0-x and more\r\n'; exec sleep 60" -- true
	[[ $output != *"trying again"* ]]
	PATH=$DIR run -125 "$X" --wait-for 600s -S vsock:nonsense -- true
	cp "$X" "$DIR/msb-exec"
	PATH=$DIR run -125 "$DIR/msb-exec" -v --wait-for 600s --local -- true
	[[ $output != *'trying again'* ]]
	need_root
	mkdir -m 700 "$DIR/closed"
	run -125 setpriv --reuid=nobody --regid=nogroup --clear-groups "$X" -v --wait-for 600s -S "$DIR/closed/s" -- true
	[[ $output == *'Permission denied'* && $output != *'trying again'* ]]
}
