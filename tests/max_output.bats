#!/usr/bin/env bats
# --max-output with a reader that is slow: what was kept back all comes out, be it more than any queue of ours holds.
# And what it and --json print in a terminal that is raw.

load helper

setup() {
	common_setup
}

teardown() {
	common_teardown
}

# behind BYTES COMMAND...: its stdout goes to a reader that takes so much, and the rest not before $DIR/over is there.
# What comes of both is in $DIR/status and $DIR/read.
behind() {
	local bytes=$1
	shift
	mkfifo "$DIR/pipe"
	# Held open for both, so that nobody waits for the other to open it.
	exec 8<>"$DIR/pipe"
	{
		timeout --foreground -s KILL $((60 * SLOW)) "$@" </dev/null >"$DIR/pipe" 8>&- 9>&-
		echo $? >"$DIR/status"
	} &
	local writer=$!
	exec 9<"$DIR/pipe"
	exec 8>&-
	head -c "$bytes" <&9 >"$DIR/read"
	wait_for 60 test -e "$DIR/over"
	cat <&9 >>"$DIR/read"
	exec 9<&-
	wait "$writer"
}

# So much more than our queues hold is half of --max-output.
MUCH=$((40 * 1024 * 1024))

@test "max-output: all that was kept back comes out to a slow reader" {
	daemon_start
	behind "$MUCH" "$X" --max-output "$((2 * MUCH))" -- \
		sh -c "yes 0123456 | head -c $((3 * MUCH)); : >'$DIR/over'"
	[ "$(cat "$DIR/status")" -eq 0 ]
	grep -a 'left out here' "$DIR/read" >"$DIR/said"
	[ "$(cat "$DIR/said")" = "[$MUCH bytes of stdout are left out here]" ]
	[ "$(stat -c %s "$DIR/read")" -eq $((2 * MUCH + $(stat -c %s "$DIR/said"))) ]
}

# shown ARG...: what msb-exec prints in a terminal, a line for each \r\n, as Python spells it.
shown() {
	need_pty
	python3 - "$X" "$@" <<-'PY'
		import os, pty, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		shown = b""
		try:
		    while chunk := os.read(fd, 65536):
		        shown += chunk
		except OSError:
		    pass
		os.waitpid(pid, 0)
		for line in shown.split(b"\r\n"):
		    print(line)
	PY
}

@test "max-output: in a terminal, raw or not, our lines begin at its margin" {
	daemon_start
	for tty in -t -T; do
		shown "$tty" --max-output 10 -- sh -c 'seq 1000 1002; printf 999999; seq 1003 1004' >"$DIR/shown"
		run ! grep -F '\n' "$DIR/shown"
		grep -E "b'\[[0-9]+ bytes of stdout are left out here\]'" "$DIR/shown"
		shown "$tty" --json -- echo 1 >"$DIR/shown"
		run ! grep "}\\\\n" "$DIR/shown"
		grep -E "^b'[{].type.:.started.*[}]'\$" "$DIR/shown"
	done
}
