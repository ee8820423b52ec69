#!/usr/bin/env bats
# An agent that means harm cannot harm the person at msb-exec: hostile_agent.py has the cases.

load helper

setup() {
	common_setup
	need_local "agents that are not ours"
}

teardown() {
	common_teardown
}

hostile() {
	run -0 --separate-stderr timeout -s KILL $((100 * SLOW)) python3 -B "$BATS_TEST_DIRNAME/hostile_agent.py" "$X" "$DIR" "$@"
	echo "$output"
}

@test "hostile_agent: what it says is shown, cut, and drives no terminal, wherever it is said" {
	hostile text_
}

@test "hostile_agent: its frames, its credit and its lists do not make us grow" {
	hostile frames_
}

@test "hostile_agent: it is believed nothing that cannot be, and has neither terminal nor status by it" {
	hostile order_
}

@test "hostile_agent: the console shows what it says, and Tab makes no other command of a line" {
	hostile console_
}

@test "hostile_agent: whatever it says, no file is opened and no program is run" {
	command -v strace || skip "no strace"
	[[ $BUILD != */coverage ]] || skip "what counts its lines opens files"
	[[ $BUILD != */sanitize ]] || skip "who looks for leaks cannot be traced"
	printf '#!/bin/sh\nexec strace -f -qq -o "%s/trace.$$" -e trace=%%file,execve,clone,clone3,fork,vfork,socket "%s" "$@"\n' \
		"$DIR" "$X" >"$DIR/traced"
	chmod +x "$DIR/traced"
	X=$DIR/traced hostile text_of_a_failure text_of_why order_ deep features
	# Once it is connected: but for its own streams, which it opens anew, and a look whether "true" is a guest's name.
	awk 'FNR == 1 { connected = 0 } connected && !/AT_EMPTY_PATH|"\/proc\/self\/fd\/[012]"|exited with|--- SIG/
		/socket\(AF_UNIX/ { connected = 1 }' "$DIR"/trace.* | grep -vE 'socket\(AF_UNIX|/msb-exec/guests"' >"$DIR/strange" || true
	cat "$DIR/strange"
	[[ $(cat "$DIR"/trace.* | grep -c 'socket(AF_UNIX') -gt 8 && ! -s $DIR/strange ]]
}
