#!/usr/bin/env bats
# The programs as services of systemd: sockets it passes, what it is told, and what the journal gets.

load helper

setup() {
	common_setup
	BESIDE=()
	ACTIVATE=(python3 -B "$BATS_TEST_DIRNAME/activate.py")
}

teardown() {
	# What a test that failed half-way did not end.
	[[ ${#BESIDE[@]} -eq 0 ]] || kill "${BESIDE[@]}" 2>/dev/null || true
	common_teardown
}

# activated SOCKET... -- [OPTION]...: a daemon that was passed these, and is to answer on $SOCKET.
activated() {
	local passed=()
	while [[ $1 != -- ]]; do
		passed+=("$1")
		shift
	done
	shift
	"${ACTIVATE[@]}" "${passed[@]}" -- "$EXECD" --log-level info "$@" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	daemon_answers $((5 * SLOW)) || {
		cat "$DIR/daemon.log" >&2
		return 1
	}
}

# listens_on: the paths of the Unix sockets that the daemon listens on.
listens_on() {
	local fd inode
	for fd in /proc/"$DAEMON"/fd/*; do
		inode=$(readlink "$fd")
		[[ $inode == socket:* ]] || continue
		# Flags 00010000: it listens.
		awk -v inode="${inode//[^0-9]/}" '$7 == inode && $4 == "00010000" { print $8 }' /proc/net/unix
	done
}

@test "service: a passed socket is served, alone, and left where it is" {
	activated "unix:$SOCKET" --
	need_sight "$DAEMON"
	run -0 "$X" -- echo served
	[[ $output == served ]]
	# Not at the default address besides.
	[[ $(listens_on) == "$SOCKET" ]]
	daemon_stop
	[[ -S $SOCKET ]]
}

@test "service: several passed sockets, and addresses of the command line beside them" {
	activated "unix:$SOCKET" "unix:$DIR/second" -- --listen "unix:$DIR/own"
	for path in "$SOCKET" "$DIR/second" "$DIR/own"; do
		"$X" -S "$path" -- true
	done
	daemon_stop
	[[ -S $SOCKET && -S $DIR/second && ! -e $DIR/own ]]
}

@test "service: commands get neither the sockets nor a word of them" {
	activated "unix:$SOCKET" "unix:$DIR/second" --
	run -0 "$X" -- sh -c 'env; ls -l /proc/self/fd'
	[[ $output != *LISTEN_* && $output != *socket:* ]]
	run -0 "$X" -t -t -- sh -c 'ls -l /proc/self/fd'
	[[ $output != *socket:* ]]
}

@test "service: what was passed to another process is left alone" {
	ACTIVATE_PID=1 activated "unix:$DIR/theirs" -- --listen "unix:$SOCKET"
	"$X" -- true
	# Inherited, as any descriptor may be, and never accepted from.
	run -124 timeout 0.5 "$X" -S "$DIR/theirs" -- true
	run -0 "$X" -- sh -c 'env; ls -l /proc/self/fd'
	[[ $output != *LISTEN_* && $output != *socket:* ]]
}

@test "service: what is no listening Unix or vsock stream socket is refused in one line" {
	daemon_start
	refused() {
		run -1 "${ACTIVATE[@]}" "$1" -- "$EXECD"
		[[ ${#lines[@]} -eq 1 && $output == "msb-execd: socket 3"*"$2"* ]] || {
			echo "$1: $output"
			return 1
		}
	}
	refused tcp: 'neither a Unix nor a vsock socket'
	refused "dgram:$DIR/dgram" 'no stream socket'
	refused "seqpacket:$DIR/packets" 'no stream socket'
	refused "file:$DIR/file" 'is no socket'
	refused "connected:$SOCKET" 'does not listen; its unit needs Accept=no'
	refused none: 'LISTEN_FDS promises: Bad file descriptor'
	# Also behind a good one, whose file stays.
	run -1 "${ACTIVATE[@]}" "unix:$DIR/good" tcp: -- "$EXECD"
	[[ $output == *'socket 4'* && -S $DIR/good ]]
}

@test "service: a number of sockets that is none, or too many, is not believed" {
	for count in '' x -1 0 3x 99999999999999999999; do
		run -2 env LISTEN_FDS="$count" LISTEN_PID=$$ sh -c "LISTEN_PID=\$\$ exec '$EXECD' --security-profile none"
		[[ $output == *none* ]]
	done
	run -1 sh -c "LISTEN_FDS=65 LISTEN_PID=\$\$ exec '$EXECD'"
	[[ $output == *'65 sockets, over 64'* ]]
}

@test "service: a passed vsock socket is taken as it is" {
	"${ACTIVATE[@]}" vsock:50213 -- true 2>/dev/null || skip "needs vsock"
	activated vsock:50213 "unix:$SOCKET" --
	"$X" -- true
}

@test "service: a relay serves passed sockets, and then needs no address" {
	"${ACTIVATE[@]}" "unix:$DIR/r" -- "$BUILD/msb-relayd" --agent "unix:$DIR/port" 2>"$DIR/relay.log" 3>&- &
	BESIDE+=($!)
	python3 -B "$BATS_TEST_DIRNAME/chardev.py" "$DIR/port" "$DIR/tty" 3>&- &
	BESIDE+=($!)
	daemon_start --listen "serial:$DIR/tty"
	"$X" -q --wait-for $((20 * SLOW)) -S "$DIR/r" --ping
	run -0 timeout $((20 * SLOW)) "$X" -S "$DIR/r" -- echo relayed
	kill "${BESIDE[@]}"
	wait "${BESIDE[@]}"
	[[ $output == relayed && -S $DIR/r ]]
	run -2 "$BUILD/msb-relayd" --agent "unix:$DIR/port"
	[[ $output == *--listen* ]]
	run -1 "${ACTIVATE[@]}" tcp: -- "$BUILD/msb-relayd" --agent "unix:$DIR/port"
	[[ $output == 'msb-relayd: socket 3 passed by systemd is neither'* ]]
}

@test "service: systemd-socket-activate starts it at the first client" {
	command -v systemd-socket-activate >/dev/null || skip "needs systemd-socket-activate"
	systemd-socket-activate --listen="$SOCKET" "$EXECD" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	wait_for 5 test -S "$SOCKET"
	[[ $(</proc/$DAEMON/comm) == systemd-socket-* ]]
	run -0 "$X" -S "$SOCKET" -- sh -c 'echo first; env'
	[[ ${lines[0]} == first && $output != *LISTEN_* ]]
	[[ $(</proc/$DAEMON/comm) == msb-execd ]]
	daemon_stop
	[[ -S $SOCKET ]]
}

@test "service: lines in the journal carry priorities, and no program's name" {
	: >"$DIR/journal"
	JOURNAL_STREAM=$(stat -c %d:%i "$DIR/journal")
	export JOURNAL_STREAM
	"$EXECD" --listen "unix:$SOCKET" --log-level info 2>>"$DIR/journal" 3>&- &
	DAEMON=$!
	"$X" -q --wait-for $((5 * SLOW)) -S "$SOCKET" --ping
	daemon_stop
	grep -q '^<6>ending: ' "$DIR/journal"
	"$EXECD" --listen tcp:1 2>>"$DIR/journal" || true
	grep -q '^<3>.*tcp:1' "$DIR/journal"
	run -1 grep -vE '^<[3-7]>' "$DIR/journal"
	"$BUILD/msb-relayd" --bogus 2>"$DIR/journal" || true
	grep -q '^<3>.*--bogus' "$DIR/journal"
	# Not where stderr is something else.
	run -2 "$EXECD" --listen tcp:1
	[[ $output == msb-execd:* ]]
}
