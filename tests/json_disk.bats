#!/usr/bin/env bats
# --json into a file that has no room, and --result, which is never half a file.

load helper
load json

setup() {
	common_setup
	json_setup
}

teardown() {
	nothing_unfinished
	common_teardown
}

# bounded BYTES: a file of ours that may not grow beyond that, made anew, has some lines of ours in it, then another's,
# if $BEFORE is one. Whatever fits, it is whole, and says how msb-exec ended.
bounded() {
	local status=0 before=${#BEFORE}
	printf %s "$BEFORE" >"$DIR/out"
	prlimit --fsize="$1": bash -c '"$@" >>"$0"' "$DIR/out" "$X" -n --json -- sh -c "$COMMAND" 2>"$DIR/err" || status=$?
	tail -c +$((before + 1)) "$DIR/out" >"$DIR/new"
	[[ $(head -c "$before" "$DIR/out") == "${BEFORE%$'\n'}" ]]
	if [[ $status -ne 0 ]]; then
		# What does not even hold the last object has whole lines.
		[[ $status -eq 125 ]] || return 1
		[[ -s $DIR/new ]] || return 0
		json -p -c "$DIR/err" "$DIR/new" type=failed reason=io status=125
	else
		json "$DIR/new" type=exited status=0
	fi
}

@test "json_disk: a file that may not grow has whole lines, wherever it ends" {
	need_local "limits of files"
	local size step=$((17 * FACTOR))
	daemon_start
	COMMAND='echo 1; echo 2 >&2; echo 3; echo 4'
	for BEFORE in '' $'{"type":"other"}\n'; do
		for ((size = 20; size < 640; size += step)); do
			bounded "$size"
		done
		# With that much room it is all there.
		bounded 2000
		json "$DIR/new" status=0
		bounded 500
		[[ -s $DIR/new ]]
	done
}

@test "json_disk: as many short lines are taken back as the last object needs" {
	need_local "limits of files"
	local size
	daemon_start
	BEFORE=''
	# A line for each number, as they are far enough from each other.
	COMMAND='i=0; while [ $i -lt 100 ]; do echo $i; i=$((i + 1)); sleep 0.002; done'
	for ((size = 1500; size < 1560; size += 11)); do
		bounded "$size"
		[[ -s $DIR/new ]]
	done
}

# on_disk SIZE SCRIPT: in a file system of that size, at $DIR/disk.
on_disk() {
	mkdir -p "$DIR/disk"
	DIR=$DIR X=$X unshare --mount sh -ec 'mount -t tmpfs -o size='"$1"' none "$DIR/disk"; '"$2" 3>&- </dev/null
}

@test "json_disk: a full disk, of output that is long, short, on both streams, and not text" {
	need_local "its own disk"
	need_mount
	daemon_start
	for command in 'head -c 300000 /dev/zero' 'yes' 'seq 100000; seq 100000 >&2' 'cat /bin/sh /bin/sh /bin/sh'; do
		for more in '>' '>>'; do
			ends 0 on_disk 64k '{
					echo before
					"$X" -n --json --result "$DIR/r" -- sh -c "'"$command"'" 2>"$DIR/err" || echo $? >"$DIR/status"
				} '"$more"'"$DIR/disk/out"
				cp "$DIR/disk/out" "$DIR/out"'
			[[ $(<"$DIR/status") -eq 125 && $(head -n 1 "$DIR/out") == before ]]
			sed 1d "$DIR/out" >"$DIR/new"
			json -p -r "$DIR/r" -c "$DIR/err" "$DIR/new" type=failed reason=io status=125
			[[ $(last message) == "cannot write standard output: No space left on device" ]]
			jq -es '.[-1].reason == "io"' "$DIR/new" >"$DIR/jq"
		done
	done
}

@test "json_disk: a full disk says what else was wrong, if the command failed by itself" {
	need_local "its own disk"
	need_mount
	daemon_start
	ends 3 on_disk 16k '"$X" -n --json -- sh -c "trap \"\" PIPE; seq 10000; exit 3" >"$DIR/disk/out" 2>"$DIR/err" || status=$?
		cp "$DIR/disk/out" "$DIR/out"; exit $status'
	json -p -c "$DIR/err" "$DIR/out" status=3 code=3 message="cannot write standard output: No space left on device"
}

@test "json_disk: /dev/full" {
	daemon_start
	ends 125 bash -c '"$@" >/dev/full' bash "$X" -n --json --result "$DIR/r" -- echo out 2>"$DIR/err"
	json -1 -c "$DIR/err" "$DIR/r" type=failed reason=io
	ends 125 bash -c '"$@" >/dev/full' bash "$X" -n --result "$DIR/r" -- echo out 2>"$DIR/err"
	json -1 -c "$DIR/err" "$DIR/r" type=failed reason=io status=125
	ends 125 "$X" -n --json --result /dev/full -- echo out >"$DIR/out" 2>"$DIR/err"
	[[ $(tail -n 1 "$DIR/out" | jq -r '.reason, .status, .message') == *io*125*'cannot write /dev/full: '* ]]
	ends 125 "$X" -n --result /dev/full -- echo out >"$DIR/out" 2>"$DIR/err"
	[[ $(<"$DIR/err") == *"cannot write /dev/full: No space left on device" && $(<"$DIR/out") == out ]]
}

# ---- the result ----

@test "json_disk: a result that has no room leaves the old one, and 125" {
	need_local "its own disk"
	need_mount
	daemon_start
	ends 125 on_disk 16k 'echo old >"$DIR/disk/result"; : >"$DIR/disk/small"
		head -c 1M /dev/zero >"$DIR/disk/rest" 2>"$DIR/err" || true
		status=0; "$X" -n --result "$DIR/disk/result" -- true >"$DIR/out" 2>"$DIR/err" || status=$?
		cp "$DIR/disk/result" "$DIR/result"; ls -A "$DIR/disk" >"$DIR/list"; exit $status'
	[[ $(<"$DIR/result") == old && $(sort "$DIR/list" | tr '\n' ' ') == "rest result small " ]]
	[[ $(<"$DIR/err") == *"No space left on device"* ]]
}

@test "json_disk: a result that cannot be made is told before anything runs" {
	daemon_start
	ends 125 "$X" -n --json --result "$DIR/no/such" -- touch "$DIR/ran" >"$DIR/out" 2>"$DIR/err"
	json -c "$DIR/err" "$DIR/out" type=failed reason=io
	[[ ! -e $DIR/ran ]]
	ends 125 "$X" -n --json --result fd:77 -- touch "$DIR/ran" >"$DIR/out" 2>"$DIR/err"
	json -c "$DIR/err" "$DIR/out" type=failed
	[[ ! -e $DIR/ran ]]
	"$X" -n --result fd:5 -- echo raw 5>"$DIR/r" >"$DIR/out"
	json -1 "$DIR/r" status=0 stdout_bytes=4
	[[ $(<"$DIR/out") == raw ]]
}

@test "json_disk: a result is absent, the old one or whole, whenever msb-exec is killed" {
	local i rounds=$((60 / FACTOR)) old='{"type":"old"}' pid whole=0
	daemon_start
	mkdir "$DIR/results"
	for ((i = 0; i < rounds; i++)); do
		rm -f "$DIR/results/r"
		((i % 2)) || echo "$old" >"$DIR/results/r"
		"$X" -n --result "$DIR/results/r" -- true 2>"$DIR/err" 3>&- 4>&- &
		pid=$!
		# Somewhere in what it takes.
		sleep "0.00$((RANDOM % 10))"
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		if [[ ! -e $DIR/results/r ]]; then
			((i % 2))
		elif [[ $(<"$DIR/results/r") != "$old" ]]; then
			json -1 "$DIR/results/r" status=0
			whole=$((whole + 1))
		fi
	done
	echo "$whole of $rounds were whole" >&2
	# Those that were killed may have left theirs; of one that is not killed nothing is left.
	find "$DIR/results" -name '.*' -type f -delete
	"$X" -n --result "$DIR/results/r" -- true
	json -1 "$DIR/results/r" status=0
	[[ $(ls -A "$DIR/results") == r ]]
}
