#!/usr/bin/env bats
# What a line typed at the console comes to is what it comes to in the same shell at a prompt of its own:
# the lines of same/*.case, typed into both (see same.py).

load helper
load talk

setup() {
	common_setup
	need_local "the shell runs here as well"
	need_pty
	talk_setup
	# Readline compares what is shown in blocks that may end behind its own memory.
	export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}strict_memcmp=0"
}

teardown() {
	common_teardown
}

# same SHELL [OPTION...]
same() {
	command -v "${1%% *}" >/dev/null || skip "no ${1%% *} here"
	"$X" --console --help | grep -q -e --shell || skip "the console takes no --shell"
	python3 -B "$BATS_TEST_DIRNAME/same.py" --program "$X" "$@" "$BATS_TEST_DIRNAME/same" 3>&-
}

@test "console: a line comes to what it comes to in bash" {
	same bash
}

@test "console: a line comes to what it comes to in dash" {
	same dash
}

@test "console: a line comes to what it comes to in busybox" {
	same 'busybox sh'
}

@test "console: a line comes to what it comes to in zsh" {
	same zsh
}
