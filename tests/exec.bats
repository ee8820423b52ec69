#!/usr/bin/env bats
# The first thing anybody tries: run a command, get its output and its exit status.

load helper

setup() {
	common_setup
	daemon_start
}

teardown() {
	common_teardown
}

@test "exec: output and a status of 0" {
	run -0 --separate-stderr "$X" -- echo hi
	[[ $output == hi && -z $stderr ]]
}

@test "exec: stdout, stderr and the status are the command's own" {
	run -3 --separate-stderr "$X" -- sh -c 'echo o; echo e >&2; exit 3'
	[[ $output == o && $stderr == e ]]
}

@test "exec: every exit status from 0 to 255 arrives" {
	for status in 0 1 2 63 64 124 125 126 127 128 200 254 255; do
		run "-$status" "$X" -- sh -c "exit $status"
	done
}

@test "exec: a signal is 128 and its number, with pipes and with a terminal" {
	run -137 "$X" -- sh -c 'kill -9 $$'
	run -143 "$X" -- sh -c 'kill -TERM $$'
	run -137 "$X" -tt -- sh -c 'kill -9 $$'
	run -143 "$X" -tt -- sh -c 'kill -TERM $$'
}

@test "exec: a missing command exits 127 and says which" {
	run -127 "$X" -- nosuch-command
	[[ $output == *'"nosuch-command"'*'No such file or directory'* ]]
	run -127 "$X" -tt -- /no/such/path
	[[ $output == */no/such/path* ]]
}

@test "exec: what cannot be executed exits 126 and says which" {
	run -126 "$X" -- /etc/passwd
	[[ $output == */etc/passwd*'Permission denied'* ]]
	run -126 "$X" -- /etc
	[[ $output == */etc* ]]
	printf 'no header' | guest tee "$DIR/garbage"
	guest chmod 755 "$DIR/garbage"
	run -126 "$X" -- "$DIR/garbage"
	[[ $output == *'Exec format error'* ]]
	run -126 "$X" -tt -- "$DIR/garbage"
}

@test "exec: a path under a plain file is not found" {
	run -127 "$X" -- /etc/passwd/x
	[[ $output == *'Not a directory'* ]]
}

@test "exec: what cannot be sent is told at once, by what went wrong" {
	need_local "a library before our own"
	cc -x c -shared -fPIC -D_GNU_SOURCE -o "$DIR/nosend.so" - <<-'END'
		#include <errno.h>
		#include <sys/socket.h>
		ssize_t send(int fd, const void *data, size_t len, int flags)
		{
			errno = ENOMEM;
			return -1;
		}
	END
	timed run -125 --separate-stderr env LD_PRELOAD="$DIR/nosend.so" \
		ASAN_OPTIONS=verify_asan_link_order=0 "$X" -- true
	[[ ${#stderr_lines[@]} -eq 1 && $stderr == *"lost the connection"*"Cannot allocate memory" ]]
	# The agent's silence is noticed after 20 s.
	((MS < 19000))
}
