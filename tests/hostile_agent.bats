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
