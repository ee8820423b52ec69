#!/usr/bin/env bats
# tests/examples: what the README offers to those who build on it. run.mjs is in interop/example.test.mjs, since
# only that installs its packages.

load helper

setup() {
	common_setup
	EXAMPLES=$ROOT/tests/examples
	PATH=$BUILD:$PATH
}

teardown() {
	common_teardown
}

# ---- by hand, in Python ----

# py COMMAND...
py() {
	need_local "a socket of our own"
	timeout $((40 * SLOW)) python3 -B "$EXAMPLES/run.py" "$SOCKET" "$@"
}

@test "examples: run.py prints both streams apart and ends with the status" {
	daemon_start
	run -3 --separate-stderr py sh -c 'echo out; echo err >&2; exit 3' </dev/null
	[[ $output == out && $stderr == err ]]
	run -137 py sh -c 'kill -9 $$' </dev/null
}

@test "examples: run.py passes on its stdin, every byte of it" {
	daemon_start
	head -c 3M /dev/urandom >"$DIR/in"
	py cat <"$DIR/in" >"$DIR/out"
	cmp "$DIR/in" "$DIR/out"
	# What the command does not read it does not wait for, nor for what never comes.
	py true <"$DIR/in"
	mkfifo "$DIR/fifo"
	exec 7<>"$DIR/fifo"
	run -0 py echo ended <&7
	[[ $output == ended ]]
	exec 7<&-
}

@test "examples: run.py says what could not be run, and that nobody is there" {
	daemon_start
	run -127 --separate-stderr py nosuchcommandhere </dev/null
	[[ $stderr == 'run.py: '*nosuchcommandhere* && ${#stderr_lines[@]} -eq 1 ]]
	run -126 --separate-stderr py /etc </dev/null
	[[ ${#stderr_lines[@]} -eq 1 ]]
	# As $MSB_EXEC_ENDPOINT has it.
	run -0 python3 -B "$EXAMPLES/run.py" "unix:$SOCKET" true </dev/null
	daemon_stop
	run -125 --separate-stderr py true </dev/null
	[[ $stderr == "run.py: $SOCKET: "*'No such file or directory' ]]
	run -1 python3 -B "$EXAMPLES/run.py"
	[[ $output == 'run.py SOCKET COMMAND'* ]]
}

@test "examples: run.py ends with its reader, and a command that runs ends with it" {
	daemon_start
	mark=$(mark)
	py yes </dev/null 2>"$DIR/err" | head -n 1 >"$DIR/out"
	[[ ${PIPESTATUS[0]} -eq 141 && $(<"$DIR/out") == y && ! -s $DIR/err ]]
	python3 -B "$EXAMPLES/run.py" "$SOCKET" sleep "$mark" </dev/null 3>&- &
	wait_for 20 matches 1 "^sleep $mark"
	kill -KILL $!
	wait $! || true
	wait_for 20 none_match "sleep $mark"
}

@test "examples: run.py through a relay, where ids begin elsewhere" {
	need_local "a relay of its own"
	THROUGH=relay daemon_start
	run -0 py sh -c 'cat; echo $0' there <<<here
	[[ $output == $'here\nthere' ]]
}

# ---- in bash, with jq ----

sh_() {
	timeout $((40 * SLOW)) bash "$EXAMPLES/run.sh" "$@"
}

# stub LINE...: an msb-exec that prints these lines, or puts the last of them into the file of --result, and
# ends as it says there; its arguments are in $DIR/args.
stub() {
	mkdir "$DIR/bin"
	printf '%s\n' "$@" >"$DIR/lines"
	cat >"$DIR/bin/msb-exec" <<-'END'
		#!/usr/bin/env bash
		dir=${0%/*}/..
		printf '%s\n' "$@" >"$dir/args"
		while [[ $1 == -* && $1 != -- ]]; do
			[[ $1 != --result ]] || result=$2
			shift
		done
		if [[ ${result-} ]]; then
			tail -n 1 "$dir/lines" >"$result"
		else
			cat "$dir/lines"
		fi
		exit "$(tail -n 1 "$dir/lines" | jq .status)"
	END
	chmod +x "$DIR/bin/msb-exec"
	PATH=$DIR/bin:$PATH
}

STARTED='{"type":"started","pid":7,"tty":false,"merged":false,"session":null,"name":null}'

# ended TYPE REASON STATUS MESSAGE: the last object.
ended() {
	jq -nc --arg type "$1" --arg reason "$2" --argjson status "$3" --arg message "${4-}" '{type: $type,
		reason: $reason, status: $status, code: null, signal: null, signal_name: null, core_dumped: false,
		message: (if $message == "" then null else $message end), hint: null, usage: null,
		stdout_bytes: 0, stderr_bytes: 0, stdout_cut: 0, stderr_cut: 0, session: null, name: null}'
}

@test "examples: run.sh makes of objects what the command printed, bytes too" {
	stub "$STARTED" '{"type":"stdout","text":"one\ntwo \"ü\" \u0000"}' '{"type":"stderr","text":"err\n"}' \
		'{"type":"stdout","base64":"/wD+Cg=="}' '{"type":"cut","stream":"stdout","bytes":12}' \
		'{"type":"stdout","text":"last"}' "$(ended exited exited 3)"
	run -3 --separate-stderr sh_ printf 'a b'
	sh_ true >"$DIR/out" 2>"$DIR/err" || [[ $? -eq 3 ]]
	printf 'one\ntwo "ü" \0\377\0\376\nlast' | cmp - "$DIR/out"
	[[ $(<"$DIR/err") == $'err\nrun.sh: 12 bytes of stdout were left out here' ]]
}

@test "examples: run.sh acts on the reason, either way" {
	local way
	for way in '' --raw; do
		for case in 'exited exited 0||' 'exited signal 137||' 'exited timeout 124||longer than it may' \
			'exited oom 137||more memory' 'failed unreachable 125|nobody there|trying again may help: nobody there' \
			'failed lost 125|all gone|trying again may help: all gone' \
			'failed not_found 127|no x|no such command: no x' 'failed bad_cwd 125|no dir|run.sh: bad_cwd: no dir'; do
			IFS='|' read -r end message words <<<"$case"
			rm -rf "${DIR:?}/bin"
			# shellcheck disable=SC2086 # three words
			stub "$STARTED" "$(ended $end "$message")"
			# shellcheck disable=SC2086 # one or none
			run "-${end##* }" --separate-stderr sh_ $way true
			[[ $stderr == *"$words"* && ${#stderr_lines[@]} -eq $((${#words} > 0)) ]]
		done
	done
}

@test "examples: run.sh hands on its words, and an msb-exec that says nothing is a failure" {
	stub "$STARTED" "$(ended exited exited 0)"
	run -0 sh_ --raw printf '%s' 'a  b' -x
	[[ $(tail -n 5 "$DIR/args") == $'--\nprintf\n%s\na  b\n-x' ]]
	printf '#!/bin/sh\n' >"$DIR/bin/msb-exec"
	for way in '' --raw; do
		# shellcheck disable=SC2086 # one or none
		run -125 sh_ $way true
		[[ $output == 'run.sh: error: msb-exec said nothing' ]]
	done
	run -125 sh_
	[[ $output == 'usage: run.sh [--raw] COMMAND'* ]]
}

@test "examples: run.sh with the real one" {
	daemon_start
	head -c 300000 /dev/urandom >"$DIR/in"
	for way in '' --raw; do
		# shellcheck disable=SC2086 # one or none
		{
			run -3 --separate-stderr sh_ $way sh -c 'echo out; echo err >&2; exit 3'
			[[ $output == out && $stderr == err ]]
			sh_ $way cat <"$DIR/in" >"$DIR/out"
			cmp "$DIR/in" "$DIR/out"
			sh_ $way seq 300000 >"$DIR/out" 2>"$DIR/err"
			[[ $(stat -c %s "$DIR/out") -lt 1100000 && $(tail -n 1 "$DIR/out") -eq 300000 ]]
			grep -aqE '[0-9]+ bytes of stdout (are|were) left out here' "$DIR/out" "$DIR/err"
			run -127 --separate-stderr sh_ $way nosuchcommandhere
			[[ $stderr == *'no such command: '*nosuchcommandhere* && ${#stderr_lines[@]} -eq 1 ]]
			RUN_TIMEOUT=0.5s run -124 --separate-stderr sh_ $way sleep 60
			[[ $stderr == *'longer than it may' && ${#stderr_lines[@]} -eq 1 ]]
			run -137 --separate-stderr sh_ $way sh -c 'kill -9 $$'
			[[ -z $stderr ]]
			run -143 --separate-stderr sh_ $way sh -c 'kill -TERM $$'
			MSB_EXEC_ENDPOINT=unix:$SOCKET.none run -125 --separate-stderr sh_ $way true
			[[ $stderr == *'trying again may help'* && ${#stderr_lines[@]} -eq 1 ]]
		}
	done
}
