#!/usr/bin/env bats
# msb-execd itself: its options, its sockets, who may connect, how it starts and ends.

load helper

setup() {
	common_setup
}

teardown() {
	common_teardown
}

@test "daemon: --version, --help, and a clear line for what it does not know" {
	run -0 "$EXECD" --version
	[[ $output == 'msb-execd '* ]]
	run -0 "$EXECD" --help
	for option in listen user security-profile cwd allow-uid allow-cid max-sessions max-time linger init log-level max-connections \
		max-connections-of-user max-memory max-request frame-timeout greeting-timeout; do
		[[ $output == *"--$option"* ]]
	done
	run -2 "$EXECD" --bogus
	[[ $output == msb-execd:*--bogus* && ${#lines[@]} -le 2 ]]
}

@test "daemon: what would fail later is refused at the start, and all bad usage exits 2" {
	: >"$DIR/file"
	for bad in '--max-sessions x' '--max-sessions 0' '--max-connections 0' '--max-connections-of-user 0' '--max-request 0' \
		'--listen tcp:1' '--security-profile none' '--user nosuch' '--user =nosuch' '--user =' '--cwd /nope' \
		"--cwd $DIR/file" '--log-level loud' '--linger x'; do
		# shellcheck disable=SC2086 # two words
		run -2 "$EXECD" --listen "unix:$SOCKET" $bad
		[[ $output == "msb-execd: ${bad%% *}: "* && ! -e $SOCKET ]]
	done
	if [[ $(id -u) -eq 0 ]]; then
		need_root
		run -2 "${AS_NOBODY[@]}" "$EXECD" --listen "unix:$SOCKET" --user daemon
		[[ $output == *"--user: only root's daemon can run commands as daemon" ]]
	fi
	run -2 "$EXECD" --listen "unix:$SOCKET" operand
	run -2 "$EXECD" --init </dev/null
	for bad in '--security-profile none' '--max-connections-of-user 0' '--listen vsock:5' '--agent x:y'; do
		# shellcheck disable=SC2086
		run -2 "$RELAYD" --agent "unix:$DIR/a" --listen "unix:$SOCKET" $bad
		[[ $output == "msb-relayd: ${bad%% *}: "* && ! -e $SOCKET ]]
	done
	# The units do not try again after that.
	for unit in "$ROOT"/daemon/*.service; do
		grep -qx RestartPreventExitStatus=2 "$unit"
	done
}

@test "daemon: without root the usual place is the user's own, where clients look first" {
	need_local "a daemon of its own"
	as_user=()
	if [[ $(id -u) -eq 0 ]]; then
		need_root
		as_user=("${AS_NOBODY[@]}")
	fi
	mkdir "$DIR/runtime"
	[[ -z ${as_user[*]} ]] || chown nobody "$DIR/runtime"
	export XDG_RUNTIME_DIR=$DIR/runtime
	"${as_user[@]}" "$EXECD" </dev/null 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	run -0 "${as_user[@]}" "$X" --wait-for $((20 * SLOW)) -- echo own
	[[ $output == own && -S $DIR/runtime/msb-execd.sock ]]
	run -1 "${as_user[@]}" "$EXECD" </dev/null
	[[ $output == *"another daemon listens on $DIR/runtime/msb-execd.sock"* ]]
	daemon_stop
	[[ ! -e $DIR/runtime/msb-execd.sock ]]
	# Without that variable there is but the system's, which others may not have.
	unset XDG_RUNTIME_DIR
	[[ ${as_user[*]} ]] || return 0
	run -1 "${as_user[@]}" "$EXECD" </dev/null
	[[ $output == *'/run/msb-execd.sock'*'Permission denied'*'--listen unix:/path'* ]]
}

@test "daemon: a socket as standard input, and no --listen, is not a wish for the usual place" {
	run -2 python3 -c 'import socket, subprocess, sys
ours, theirs = socket.socketpair()
sys.exit(subprocess.run([sys.argv[1]], stdin=theirs).returncode)' "$EXECD"
	[[ ${lines[0]} == *'standard input is a socket'* && ${lines[1]} == *'--listen stdio:'* ]]
}

@test "daemon: --user =SPEC lets nobody be anybody else" {
	need_root
	need_local "the options of a daemon of our own"
	daemon_start --user =nobody:nogroup
	for user in '' '-u nobody' "-u $(id -u nobody)" '-u nobody:nogroup'; do
		# shellcheck disable=SC2086 # no word, or two
		run -0 "$X" $user -- id -un
		[[ $output == nobody ]]
	done
	for user in root 0 4242 nobody:root daemon; do
		run -125 "$X" -u "$user" -- id -un
		[[ $output == *'commands run as nobody:nogroup and nobody else (msb-execd --user =nobody:nogroup)'* ]]
	done
	daemon_stop
	# Another name of the same number is nobody else, with other groups and another home.
	if unshare --mount true 2>/dev/null; then
		printf '%s\n' root:x:0:0::/root:/bin/sh alice:x:5001:5001::/:/bin/sh bob:x:5001:5001::/root:/bin/sh >"$DIR/passwd"
		printf '%s\n' root:x:0: alice:x:5001: wheel:x:5999:bob >"$DIR/group"
		WRAP=(unshare --mount sh -c 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"'
			sh "$DIR/passwd" "$DIR/group")
		daemon_start --user =alice
		for user in alice bob 5001 bob:alice; do
			run -0 "$X" -u "$user" -- sh -c 'id -G; echo $HOME'
			[[ $output == $'5001\n/' ]]
		done
		daemon_stop
		WRAP=()
	fi
	# Nor does a relay's own wish.
	THROUGH=relay
	chardev_start
	"$EXECD" --listen "serial:$DIR/port" --user =nobody 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	relay_start "$DIR/chardev" --user root
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	run -0 timeout $((20 * SLOW)) "$X" -- id -un
	[[ $output == nobody ]]
}

@test "daemon: the socket is its owner's alone, and is gone after SIGTERM" {
	daemon_start
	[[ $(stat -c %a "$SOCKET") == 600 ]]
	daemon_stop
	[[ ! -e $SOCKET ]]
}

@test "daemon: refuses a live socket, takes over a dead one, spares what is no socket" {
	daemon_start
	run -1 "$EXECD" --listen "unix:$SOCKET"
	[[ $output == *"$SOCKET"* ]]
	"$X" -- true
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	[[ -e $SOCKET ]]
	daemon_start
	"$X" -- true
	echo precious >"$DIR/file"
	run -1 "$EXECD" --listen "unix:$DIR/file"
	[[ $(<"$DIR/file") == precious ]]
}

# one_is_left PID...: the others have ended; $DAEMON is the one that has not.
one_is_left() {
	local pid left=()
	for pid; do
		gone "$pid" || left+=("$pid")
	done
	DAEMON=${left[0]}
	[[ ${#left[@]} -eq 1 ]]
}

@test "daemon: of ten that find a dead socket one serves" {
	local pids=()
	daemon_start
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	for _ in {1..10}; do
		"$EXECD" --listen "unix:$SOCKET" 2>/dev/null 3>&- &
		pids+=($!)
	done
	daemon_answers $((20 * SLOW))
	wait_for 20 one_is_left "${pids[@]}"
	"$X" -- true
}

@test "daemon: several addresses, and stdio" {
	daemon_start --listen "unix:$DIR/second"
	"$X" -S "unix:$DIR/second" -- true
	"$X" -S "$SOCKET" -- true
	run -0 "$X" --local -- echo private
	[[ $output == private ]]
}

@test "daemon: vsock is listened on, and who may connect is checked as for uids" {
	run -2 "$EXECD" --allow-cid x
	[[ $output == *'x is not a number'* ]]
	local port=$((20000 + RANDOM))
	if ! python3 -c 'import socket; socket.socket(socket.AF_VSOCK)' 2>/dev/null; then
		run -1 "$EXECD" --listen "vsock:$port"
		[[ $output == *"vsock:$port: this kernel has no vsock"* ]]
		return
	fi
	daemon_start --listen "vsock:$port" --allow-cid 1
	run -1 "$EXECD" --listen "vsock:$port"
	[[ $output == "msb-execd: cannot listen on vsock:$port: Address already in use" ]]
	daemon_stop
	daemon_start --listen "vsock:$port"
}

@test "daemon: a private one ends with its client, and so does what it runs" {
	mark=$(mark)
	"$X" --local -n -- sleep "$mark" 3>&- &
	client=$!
	wait_for 5 sh -c "pgrep -f '^sleep $mark' >/dev/null"
	daemon=$(pgrep -P "$client")
	kill -9 "$client"
	wait_for 5 gone "$daemon"
	wait_for 5 none_match "sleep $mark"
}

@test "daemon: systemd is told READY=1" {
	python3 - "$DIR/notify" >"$DIR/said" <<-'PY' 3>&- &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		s.settimeout(60)
		print(s.recv(100).decode(), flush=True)
	PY
	listener=$!
	wait_for 5 test -S "$DIR/notify"
	export NOTIFY_SOCKET=$DIR/notify
	daemon_start
	unset NOTIFY_SOCKET
	wait "$listener"
	[[ $(<"$DIR/said") == READY=1 ]]
	run -1 "$X" -- printenv NOTIFY_SOCKET
}

@test "daemon: another user is refused by mode, and by uid when the mode lets it in" {
	need_root
	daemon_start
	run -125 "${AS_NOBODY[@]}" "$X" -- true
	[[ $output == *'Permission denied'* ]]
	chmod 666 "$SOCKET"
	run -125 "${AS_NOBODY[@]}" "$X" -- true
	[[ $output == *'--allow-uid'* ]]
	daemon_stop
	daemon_start --allow-uid "$(id -u nobody)"
	chmod 666 "$SOCKET"
	run -0 "${AS_NOBODY[@]}" "$X" -- true
}

@test "daemon: --max-sessions is a limit that says so, and frees up" {
	daemon_start --max-sessions 2
	mark=$(mark)
	"$X" -n -- sleep "$mark" 3>&- &
	"$X" -n -- sleep "$mark" 3>&- &
	wait_for 5 sh -c "[ \$(pgrep -fc '^sleep $mark') -eq 2 ]"
	run -125 "$X" -- true
	[[ $output == *--max-sessions* ]]
	for pid in $(pgrep -f "^sleep $mark"); do kill "$pid"; done
	wait_for 5 "$X" -q -- true
	# What a command leaves running is no session any more, unless it holds the output.
	for _ in 1 2 3; do
		"$X" --linger inf -- sh -c "sleep $mark >/dev/null 2>&1 &"
	done
	"$X" -- true
	# Their shells have ended; they themselves may not have become what they are yet.
	wait_for 5 matches 3 "^sleep $mark"
	guest_kill TERM "^sleep $mark"
	wait_for 5 none_match "^sleep $mark"
}

@test "daemon: a child that hangs before its exec holds up nobody" {
	need_root
	daemon_start
	# Opening a fifo as the program's interpreter would wait; so does a #! script on one.
	mkfifo "$DIR/interp"
	printf '#!%s\n' "$DIR/interp" >"$DIR/script"
	chmod 755 "$DIR/script" "$DIR/interp"
	timeout 5 "$X" -n -- "$DIR/script" 3>&- &
	timed "$X" -- true
	[[ $MS -lt $((2000 * SLOW)) ]]
	wait_for 5 eval 'has_become $! timeout || gone $!'
	kill $! || true
}

@test "daemon: one that has no descriptors to start with says so, and closes none that it was given" {
	need_local "a daemon of our own"
	command -v strace || skip "no strace"
	[[ $BUILD != */sanitize ]] || skip "who looks for leaks cannot be traced"
	local most
	# As few as its libraries can be opened with.
	for most in {4..12}; do
		run strace -qq -o "$DIR/trace" -e trace=close \
			prlimit --nofile="$most:$most" "$EXECD" --listen "unix:$SOCKET" 3>&-
		[[ $output == *'shared libraries'* ]] || break
	done
	[[ $status -eq 1 && $output == 'msb-execd: cannot '*': Too many open files' ]]
	run -1 grep 'close([012])' "$DIR/trace"
}

@test "daemon: out of descriptors it refuses politely and recovers" {
	WRAP=(prlimit --nofile=40:40)
	daemon_start
	mark=$(mark)
	pids=()
	for _ in {1..15}; do
		"$X" -n -- sleep "$mark" 2>/dev/null 3>&- &
		pids+=($!)
	done
	wait_for 5 sh -c "pgrep -f '^sleep $mark' >/dev/null"
	kill -9 "${pids[@]}"
	wait_for 10 none_match "sleep $mark"
	wait_for 10 "$X" -q -- true
}
