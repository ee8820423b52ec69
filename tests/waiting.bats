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
	# What the one before has said is not what is waited for.
	rm -f "$DIR/err"
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
		rm -f "$SOCKET"
		PYTHONPATH=$BATS_TEST_DIRNAME python3 -Bc "import os, sys, time, wire
listener = wire.listen(sys.argv[1])
listener.settimeout(600)
client = listener.accept()[0]
$how" "$SOCKET" 3>&- &
		local other=$!
		wait_for 10 test -S "$SOCKET"
		waiter --connect-timeout "$SLOW" -S "$SOCKET" -- echo greeted
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
	[[ ${lines[0]} == *"cannot connect to unix:$DIR/none, tried "*" times: No such file or directory" ]]
	[[ ${lines[1]} == "msb-exec: msb-execd --listen unix:$DIR/none serves it" ]]
	((MS >= 300 && MS < 3000 * SLOW))
	timed run -125 "$X" -S "$DIR/none" -- true
	[[ $output != *'tried '* && $output == *--wait-for* ]]
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
	rm -f "$DIR/err"
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
	waiter --connect-timeout "$SLOW" -S "exec:$DIR/transport" -- echo "by a program"
	touch "$DIR/go"
	waited 0
	[[ $(<"$DIR/out") == 'by a program' ]]
	wait_for 10 none_match "sleep $mark"
}

@test "waiting: a signal ends it at once, also while the program of a try does not end" {
	printf '#!/bin/sh\ntrap "" TERM\nwhile :; do sleep 0.1; done\n' >"$DIR/stubborn"
	chmod 755 "$DIR/stubborn"
	# At different times of a try and of the end of its program.
	for pause in 0 0.7 1.9; do
		rm -f "$DIR/err"
		waiter --connect-timeout 0.5 -S "exec:$DIR/stubborn" -- true
		sleep "$pause"
		kill -TERM "$WAITER"
		waited 143
	done
	wait_for 20 none_match "$DIR/stubborn"
}

@test "waiting: one of the usual places is enough, whatever the other is" {
	need_local "a daemon that is not there yet"
	need_root
	[[ ! -e /run/msb-execd.sock ]] || skip "an agent listens on /run/msb-execd.sock"
	daemon_start --listen unix:/run/msb-execd.sock
	mkdir "$DIR/runtime"
	chown nobody "$DIR/runtime"
	export XDG_RUNTIME_DIR=$DIR/runtime
	unset MSB_EXEC_ENDPOINT
	"${AS_NOBODY[@]}" "$X" -v --wait-for 600s -- id -un >"$DIR/out" 2>"$DIR/err" 3>&- &
	WAITER=$!
	wait_for 20 grep -q 'trying again' "$DIR/err"
	"${AS_NOBODY[@]}" "$EXECD" </dev/null 2>>"$DIR/daemon.log" 3>&- &
	own=$!
	waited 0
	[[ $(<"$DIR/out") == nobody ]]
	kill "$own"
	wait "$own"
	# And why it is not to be had is said as of any other address.
	run -125 "${AS_NOBODY[@]}" "$X" -- true
	[[ ${lines[0]} == *"no agent at unix:$DIR/runtime/msb-execd.sock nor at unix:/run/msb-execd.sock: Permission denied" ]]
	[[ ${lines[1]} == *'belongs to uid 0'*--allow-uid* ]]
}

@test "waiting: a signal ends it at once" {
	waiter -S "$DIR/none" -- true
	kill -TERM "$WAITER"
	waited 143
}

@test "waiting: what will not change is not tried again" {
	run -125 "$X" -v --wait-for 600s -S "exec:printf 'SSH-2.0-x and more\r\n'; exec sleep 60" -- true
	[[ $output != *"trying again"* ]]
	cp "$X" "$DIR/msb-exec"
	PATH=$DIR run -125 "$DIR/msb-exec" -v --wait-for 600s --local -- true
	[[ $output != *'trying again'* ]]
	need_root
	mkdir -m 700 "$DIR/closed"
	run -125 "${AS_NOBODY[@]}" "$X" -v --wait-for 600s -S "$DIR/closed/s" -- true
	[[ $output == *'Permission denied'* && $output != *'trying again'* ]]
}
