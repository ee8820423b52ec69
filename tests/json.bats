#!/usr/bin/env bats
# --json and --result: each row of the README's table of exit statuses, and each kind of failure in it.

load helper
load agent
load json

setup() {
	common_setup
	json_setup
}

teardown() {
	agent_end
	nothing_unfinished
	common_teardown
}

# ---- the command's own ----

@test "json: the command's own status, with both of its streams" {
	daemon_start
	for status in 0 1 125 255; do
		way_out "$status" exited type=exited code="$status" signal=null message=null -- sh -c \
			"echo out; echo err >&2; exit $status"
	done
	[[ $(<"$DIR/r.out") == out && $(<"$DIR/r.err") == err ]]
	json -o "$DIR/r.out" -e "$DIR/r.err" "$DIR/j.out" stdout_bytes=4 stderr_bytes=4 session=null name=null
	[[ $(last usage.max_rss_kib) -gt 0 ]]
	[[ $(head -n 1 "$DIR/j.out" | jq -c '[.type, .tty, .merged, .session]') == '["started",false,false,null]' ]]
}

@test "json: every status that there is" {
	local status
	daemon_start
	for ((status = 0; status < 256; status += FACTOR)); do
		ends "$status" "$X" -n --json -- sh -c "exit $status" >"$DIR/$status"
		echo "+ $DIR/$status reason=exited status=$status code=$status"
	done >"$DIR/args"
	# shellcheck disable=SC2046 # words
	json $(<"$DIR/args")
}

@test "json: each signal that ends a command" {
	local signal
	daemon_start
	for signal in {1..16} {24..27} 30 31; do
		ends $((128 + signal)) "$X" -n --json -- sh -c "kill -$signal \$\$; sleep 20" >"$DIR/$signal"
		echo "+ $DIR/$signal reason=signal status=$((128 + signal)) code=null signal=$signal signal_name=$(kill -l "$signal")"
	done >"$DIR/args"
	# shellcheck disable=SC2046 # words
	json $(<"$DIR/args")
	for signal in 9 34 64; do
		way_out $((128 + signal)) signal type=exited code=null signal="$signal" -- bash -c "kill -$signal \$\$; sleep 20"
	done
}

@test "json: what runs into --timeout, by whatever signal it ends, or into the agent's own bound" {
	daemon_start --max-time "${SLOW}s"
	way_out 124 timeout type=exited signal=15 message=null -- --timeout 50ms -- sleep 100
	way_out 124 timeout type=exited signal=9 -- --timeout 50ms --signal KILL -- sleep 100
	way_out 124 timeout type=exited code=3 -- --timeout "$((SLOW * 400))ms" -- sh -c 'trap "exit 3" TERM; while :; do sleep 0.02; done'
	ends 124 "$X" -n --json -- sleep 100 >"$DIR/out" 2>"$DIR/err"
	json -c "$DIR/err" "$DIR/out" reason=timeout type=exited status=124
	[[ $(last message) == *"longer than the agent lets"* ]]
}

# ---- 125 ----

@test "json: no agent, none that listens, none at all, and none that greets" {
	way_out 125 unreachable type=failed -- -S "unix:$DIR/none" -- true
	[[ $(last hint) != null ]]
	: >"$DIR/file"
	way_out 125 unreachable type=failed -- -S "unix:$DIR/file" -- true
	way_out 125 unreachable type=failed -- -S "exec:exit 3" -- true
	way_out 125 unreachable type=failed -- -S "exec:echo this is no agent at all" -- true
	way_out 125 unreachable type=failed -- -S "exec:sleep 60" --connect-timeout 50ms -- true
	way_out 125 unreachable type=failed -- -S "unix:$DIR/none" --wait-for 50ms -- true
	SOCKET=$DIR/silent agent 3 <<<'client.hear_out()'
	way_out 125 unreachable type=failed -- -S "unix:$DIR/silent" --connect-timeout 50ms -- true
	agent_done
}

@test "json: a user, a folder, a limit and a session that are not there" {
	daemon_start
	way_out 125 bad_user type=failed stdout_bytes=0 -- -u no-such-user -- true
	way_out 125 bad_cwd type=failed -- -w /no/such/folder -- true
	way_out 125 bad_cwd type=failed -- -w /etc/passwd -- true
	way_out 125 refused type=failed -- --rlimit nofile=9999999999999 -- true
	for way in --attach --wait --logs; do
		way_out 125 no_session type=failed message='no such session: 0123456789ab' -- "$way" 0123456789ab
	done
}

@test "json: a budget of the agent's that is used up" {
	daemon_start --max-sessions 1
	"$X" -n -- sh -c 'echo here; exec sleep 1000' >"$DIR/holder" 3>&- &
	holder=$!
	wait_for 10 grep -q here "$DIR/holder"
	way_out 125 refused type=failed -- true
	kill "$holder"
	ends 143 wait "$holder"
}

@test "json: a command line that is wrong" {
	way_out 125 usage type=failed -- --bogus
	way_out 125 usage type=failed -- --bogus -- true
	way_out 125 usage type=failed -- -S bogus:1 -- true
	way_out 125 usage type=failed -- -S unix: -- true
	way_out 125 usage type=failed -- --timeout never -- true
	way_out 125 usage type=failed -- --rlimit no=1 -- true
	way_out 125 usage type=failed -- --max-output 2G -- true
	way_out 125 usage type=failed -- --attach 0123456789ab -- true
	way_out 125 usage type=failed -- --attach
	way_out 125 usage type=failed -- -e =x -- true
	way_out 125 usage type=failed -- --env-file "$DIR/none" -- true
	# What asks for it may come behind what is wrong.
	ends 125 "$X" --bogus --result "$DIR/r" --json -- true >"$DIR/out" 2>"$DIR/err"
	json -r "$DIR/r" -c "$DIR/err" "$DIR/out" reason=usage
	# What is the command's is not ours.
	run -125 --separate-stderr "$X" --bogus -- true --json
	[[ -z $output ]]
}

# refuses OPTION...: there is no end of a command to tell of.
refuses() {
	run -125 --separate-stderr "$X" "$@"
	[[ $stderr == *" is for "* && $stderr != *$'\n'* && -z $output ]] || {
		echo "$output$stderr" >&2
		return 1
	}
}

@test "json: where no command ends, there is nothing to tell of, and a line says so" {
	daemon_start
	for way in --ping '--kill 0123456789ab' '--remove 0123456789ab' '--send 0123456789ab'; do
		# shellcheck disable=SC2086 # words
		refuses --json $way
		# shellcheck disable=SC2086
		refuses --result "$DIR/r" $way
		json -1 "$DIR/r" reason=usage type=failed
	done
	refuses --result "$DIR/r" --sessions
	refuses --result "$DIR/r" --guests
	refuses --usage --ping
	refuses --max-output 1k --wait 0123456789ab
	run -0 "$X" --sessions --json
}

@test "json: --max-output finds out that nobody reads, though it keeps all that comes" {
	daemon_start
	for how in "" --json; do
		# shellcheck disable=SC2086 # words
		run -141 bash -c "set -o pipefail; timeout $((40 * SLOW)) $X -n $how --result $DIR/r --max-output 10 -- yes | head -n 1"
		json -1 "$DIR/r" type=exited status=141
	done
	# Of stderr, too, where there is a reader of stdout.
	run -141 bash -c "timeout $((40 * SLOW)) $X -n --max-output 10 -- sh -c 'exec yes >&2' 2> >(head -n 1)"
}

# ---- 126, 127 ----

@test "json: what cannot be run, and what is not there" {
	daemon_start
	printf 'no program' >"$DIR/file"
	chmod 644 "$DIR/file"
	way_out 126 not_executable type=failed -- "$DIR/file"
	way_out 126 not_executable type=failed -- /etc
	printf '\177ELF and no more' >"$DIR/file"
	chmod 755 "$DIR/file"
	way_out 126 not_executable type=failed -- "$DIR/file"
	way_out 127 not_found type=failed -- /no/such/command
	way_out 127 not_found type=failed -- no-such-command a b
	# One word that is a line: a hint says so.
	way_out 127 not_found type=failed -- 'echo a b'
	[[ $(last hint) != null ]]
	# More than the kernel takes in one word.
	printf 'LONG=%0140000d\n' 1 >"$DIR/long"
	way_out 126 bad_args type=failed -- --env-file "$DIR/long" -- true
}

# ---- agents that are not ours ----

@test "json: an agent that does not say which signal it was, or names one that there is not" {
	agent 3 <<<'client.start(); client.exit(-1)'
	way_out 255 signal type=exited code=null signal=null usage=null -- sleep 100
	agent_done
	agent 3 <<<'client.start(); client.exit(-1, signal=200)'
	way_out 255 signal type=exited code=null signal=200 signal_name=null -- sleep 100
	agent_done
}

@test "json: a command that the kernel killed for want of memory, as an agent says" {
	agent 3 <<<'client.start(); client.exit(-1, signal=9, oom_killed=True)'
	way_out 137 oom type=exited signal=9 signal_name=KILL -- sleep 100
	agent_done
}

@test "json: an agent that goes, refuses, ends the session, or talks nonsense" {
	agent 3 <<<'client.start(); client.tell("core.exec.stdout", {"data": b"before"}); client.close()'
	way_out 125 lost type=failed stdout_bytes=6 -- sleep 100
	agent_done
	agent 3 <<<'client.serve(); client.close()'
	way_out 125 lost type=failed -- sleep 100
	agent_done
	agent 3 <<<'client.serve(); client.tell("core.error", {"kind": "busy", "message": "not today\n\x1b[31m"})'
	way_out 125 refused type=failed -- sleep 100
	[[ $(last message) == *"not today"* ]]
	agent_done
	agent 3 <<<'client.start(); client.tell("core.error", {"kind": "busy", "message": "enough"})'
	way_out 125 lost type=failed -- sleep 100
	agent_done
	agent 3 <<<'client.start(); client.send(b"\xff" * 8)'
	way_out 125 lost type=failed -- sleep 100
	[[ $(last message) == *"the frames make no sense"* ]]
	agent_done
}

@test "json: each kind of failure that an agent may name, also one that we do not know" {
	local kind reason status
	while read -r kind reason status; do
		agent 3 <<<"client.serve(); client.tell('core.exec.failed', {'kind': '$kind', 'message': 'said \"so\"'})"
		way_out "$status" "$reason" type=failed message='said "so"' -- sleep 100
		agent_done
	done <<-END
		not_found not_found 127
		permission_denied not_executable 126
		not_executable not_executable 126
		bad_cwd bad_cwd 125
		bad_args bad_args 125
		resource_limit refused 125
		user_setup_failed bad_user 125
		out_of_memory refused 125
		pty_setup_failed refused 125
		other refused 125
		of_the_future error 125
	END
}

# ---- what else is promised ----

@test "json: the reasons are those of the manual and of the program, and no others" {
	python3 -B "$BATS_TEST_DIRNAME/json_schema.py" --reasons >"$DIR/schema"
	sed -n 's/.*\[REASON_[A-Z_]*\] = "\(.*\)",/\1/p' "$ROOT/cli/report/reason.c" | sort >"$DIR/program"
	sed -n '/^\.Sh JSON/,/^\.Sh ESC/p' "$ROOT/cli/msb-exec.1" |
		sed -n '/width not_executable/,/^\.El/s/^\.It Ql //p' | sort >"$DIR/manual"
	diff "$DIR/schema" "$DIR/program"
	diff "$DIR/schema" "$DIR/manual"
}

@test "json: through a relay the same is told" {
	need_local "a relay"
	THROUGH=relay
	daemon_start
	way_out 7 exited type=exited code=7 -- sh -c 'echo out; echo err >&2; exit 7'
	json -o "$DIR/r.out" -e "$DIR/r.err" "$DIR/j.out"
	way_out 137 signal type=exited signal=9 -- sh -c 'kill -9 $$'
	way_out 124 timeout type=exited -- --timeout 50ms -- sleep 100
	way_out 127 not_found type=failed -- /no/such
	way_out 125 bad_cwd type=failed -- -w /no/such -- true
	way_out 125 bad_user type=failed -- -u no-such-user -- true
	way_out 125 no_session type=failed -- --attach 0123456789ab
}
