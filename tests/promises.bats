#!/usr/bin/env bats
# The page of promises names a test for each of them.

load helper

check() {
	python3 -B "$ROOT/tests/promises.py" "$1" "$ROOT/tests"
}

@test "promises: every claim names a test, and every test that is named is there" {
	run -0 check "$ROOT/shared/PROMISES.md"
	echo "$output"
	[[ $output == *' claims, each with its test' ]]
}

@test "promises: a claim without a test, one that is not there, and words of several are found" {
	page=$BATS_TEST_TMPDIR/page.md
	claim() {
		printf '# A page\n\n## A hostile client\n\n- One: %s\n' "$1" >"$page"
		run check "$page"
		echo "$output"
	}
	claim '`promises.bats: "promises: every claim names"` and `test_log.c: no_child_has_the_file`.'
	[[ $status -eq 0 ]]
	claim 'nothing.'
	[[ $status -eq 1 && $output == *':5: no test holds it: One: nothing.' ]]
	claim '`promises.bats: "promises: "`.'
	[[ $status -eq 1 && $output == *': 2 tests of promises.bats have these words: promises: ' ]]
	claim '`nothing.bats: "x"`, `promises.bats: "no such words"`, `test_log.c: nothing`, `test_log.c: set_up`.'
	[[ $status -eq 1 && ${#lines[@]} -eq 4 ]]
	claim 'promises.bats: "promises: every claim names".'
	[[ $status -eq 1 && $output == *'a test is not named as'* ]]
	printf '# A page\n' >"$page"
	run -1 check "$page"
}
