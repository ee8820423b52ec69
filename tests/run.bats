#!/usr/bin/env bats
# What runs the tests: no failure is lost, limits stretch, and nothing outlives an interrupted run.

load helper

setup() {
	common_setup
	# As from a shell: nothing of the bats that runs us.
	mapfile -t CLEAN < <(compgen -e BATS_ | sed 's/^/-u/')
	CLEAN=(env -u SLOW -u FACTOR "${CLEAN[@]}" "PATH=$(tr : '\n' <<<"$PATH" | grep -v bats-core | paste -sd :)")
	BESIDE=
	tests good <<-'END'
		TEST "good: passes" { true; }
		TEST "good: is skipped" { skip "of a reason"; }
	END
	tests bad <<-'END'
		TEST "bad: fails" { echo "SLOW=$SLOW FACTOR=$FACTOR limit=$BATS_TEST_TIMEOUT $ENDS"; false; }
	END
	# Of bats itself nothing is left to say that there was a second test.
	tests broken <<-'END'
		TEST "broken: ends its own file" { kill -9 $PPID; }
		TEST "broken: never runs" { true; }
	END
}

teardown() {
	[[ -z $BESIDE ]] || kill "$BESIDE" 2>/dev/null || true
	common_teardown
}

# tests NAME: a file of them from stdin, where TEST is the word that bats would read here too.
tests() {
	sed 's/^TEST/@test/' >"$DIR/$1.bats"
}

again_py() {
	exec "${CLEAN[@]}" python3 -B "$ROOT/tests/again.py" "$@" 3>&-
}

run_py() {
	exec "${CLEAN[@]}" python3 -B "$ROOT/tests/run.py" "$@" 3>&-
}

@test "run: files side by side are one stream of numbered tests, and failures are named at the end" {
	run -1 run_py -j 3 "ENDS=early:$DIR/bad.bats" "$DIR/good.bats" "$DIR/broken.bats" /bin/false
	[[ $(grep -cE '^ok [0-9]+ good: ' <<<"$output") -eq 2 ]]
	grep -qE '^ok [0-9]+ good: is skipped in [0-9]+ms # skip of a reason' <<<"$output"
	grep -qE '^# SLOW=.* early$' <<<"$output"
	# Numbers are each given once, and the plan is right.
	local count
	count=$(grep -cE '^(not )?ok ' <<<"$output")
	[[ $(sed -nE 's/^(not )?ok ([0-9]+) .*/\2/p' <<<"$output" | sort -n | tr '\n' ' ') == "$(seq -s ' ' "$count") " ]]
	grep -qx "1..$count" <<<"$output"
	[[ $(grep -c '^# failed: ' <<<"$output") -eq 3 ]]
	grep -q '^# failed: .*bad.bats, ENDS=early: bad: fails$' <<<"$output"
	grep -q '^# failed: .*broken.bats' <<<"$output"
	grep -q '^# failed: .*/false ended with 1$' <<<"$output"
	run -0 run_py "$DIR/good.bats"
}

@test "run: limits stretch with what the programs are slower by and what shares the processors" {
	local processors
	processors=$(nproc)
	says() {
		run -1 run_py "${@:2}" "ENDS=.:$DIR/bad.bats"
		echo "$output"
		grep -qx "# SLOW=$1 ." <<<"$output"
	}
	says '1 FACTOR=1 limit=60'
	says '4 FACTOR=4 limit=240' -n 4
	says '3 FACTOR=1 limit=180' -l $((3 * processors - 1))
	CLEAN+=(SLOW=7)
	says '7 FACTOR=4 limit=420' -n 4 -l 100
}

# children_of PID: how many processes it has started.
children_of() {
	pgrep -P "$1" | wc -l
}

@test "run: again counts what failed, keeps its output, and its loops end with it" {
	run -1 again_py 2 1 "$DIR/again" python3 -B "$ROOT/tests/run.py" "$DIR/bad.bats"
	[[ ${lines[0]} == 'run 1: '*' s, 1 tests, 1 failed, 0 skipped: '*/run-1.log ]]
	[[ $output == *'2 of 2 runs beside 1 busy loops: '* ]]
	[[ ${lines[-1]} == 'failed in 2 of 2: '*'bad.bats: bad: fails' ]]
	grep -q '^not ok 1 bad: fails' "$DIR/again/run-2.log"
	run -0 again_py 2 0 "$DIR/again" python3 -B "$ROOT/tests/run.py" "$DIR/good.bats"
	[[ ${lines[-1]} == 'no test failed' && -z $(ls "$DIR/again") ]]
	again_py 1 2 "$DIR/again" sleep 60 >/dev/null 3>&- &
	BESIDE=$!
	local pids pid
	wait_for 5 eval '[[ $(children_of "$BESIDE") -eq 3 ]]'
	wait_for 5 pgrep -P "$BESIDE" -x sleep
	pids=$(pgrep -P "$BESIDE")
	# Not even time to end them.
	kill -KILL "$BESIDE"
	for pid in $pids; do
		if [[ $(ps -o comm= -p "$pid") == sleep ]]; then
			kill "$pid"
		fi
		wait_for 5 gone "$pid"
	done
}

@test "run: an interrupted run leaves no test behind" {
	local mark
	mark=$(mark)
	printf 'TEST "sleeps%s { %s sleep %s; }\n' '"' '' "$mark" ' on"' 'trap "" INT;' "$mark" | tests sleeps
	for _ in 1 2; do
		run_py "$DIR/sleeps.bats" >"$DIR/out" 3>&- &
		BESIDE=$!
		local status=0
		wait_for 10 matches 1 "^sleep $mark"
		kill "$BESIDE"
		wait "$BESIDE" || status=$?
		[[ $status -eq 143 ]]
		none_match "^sleep $mark"
		sed -i 1d "$DIR/sleeps.bats"
	done
}

@test "run: a drive that fails shows what its programs are doing, and ends them" {
	local mark
	mark=$(mark)
	run -1 drive 24x80 sh -c "trap '' USR1; echo begun; exec sleep $mark" <<-END
		expect begun
		run pgrep -fx 'sleep $mark'
		no such command
	END
	[[ $output == *'no such command: no such command'* && $output == *begun* ]]
	# USR1 is the tenth bit of what is ignored.
	grep -qE "0200 .* sleep $mark$" <<<"$output"
	grep -qE '^/proc/[0-9]+/status:ShdPnd:' <<<"$output"
	none_match "sleep $mark"
}
