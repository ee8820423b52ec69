#!/usr/bin/env bats
# Whoever reads msb-exec's output has stopped to: a signal ends it nevertheless, whatever form the output has.

load helper

setup() {
	common_setup
}

teardown() {
	common_teardown
}

# ends ARG...: whether TERM ends msb-exec with these options, behind bytes of which JSON has six for each.
ends() {
	local pid status=0
	rm -f "$DIR/pipe" "$DIR/much"
	mkfifo "$DIR/pipe"
	exec 8<>"$DIR/pipe"
	timeout --foreground -s KILL $((30 * SLOW)) "$X" "$@" -- \
		sh -c "head -c 1900000 /dev/zero; : >'$DIR/much'; exec cat /dev/zero" \
		</dev/null >"$DIR/pipe" 8>&- &
	pid=$!
	wait_for 30 test -e "$DIR/much"
	kill -TERM "$pid"
	wait "$pid" || status=$?
	exec 8>&-
	[ "$status" -eq 143 ]
}

@test "stopped reader: TERM ends msb-exec, with lines of JSON as without" {
	daemon_start
	ends
	ends --json
	ends --json --max-output 8M
}
