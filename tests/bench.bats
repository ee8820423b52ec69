#!/usr/bin/env bats
# What the bench makes of its figures; measuring is no test's business.

load helper

@test "bench: medians, ranges, verdicts and the chart are computed as they should" {
	run python3 -B "$ROOT/tests/bench/check.py"
	[[ $status -eq 0 && $output == *OK ]]
}
