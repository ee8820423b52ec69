# What programs are told, for a test: --json and --result, with json_schema.py and with jq.

# json_setup: behind common_setup. What goes wrong is said where the test says it, wherever its commands do.
json_setup() {
	exec 4>&2
	ulimit -c 0
}

# json [ARG]...: of json_schema.py; prints nothing unless that fails.
json() {
	python3 -B "$BATS_TEST_DIRNAME/json_schema.py" "$@" >"$DIR/last" 2>&4
}

# last KEY: of the object that json() saw last.
last() {
	tail -n 1 "$DIR/last" | jq -r ".$1"
}

# ends STATUS COMMAND...: it does.
ends() {
	local status=0
	"${@:2}" || status=$?
	[[ $status -eq $1 ]] || {
		echo "ended with $status, not $1: ${*:2}" >&4
		return 1
	}
}

# agrees FILE...: jq finds in all of these together so many last objects as there are files, of that $REASON.
agrees() {
	jq -es --arg reason "$REASON" --argjson files $# \
		'map(select(.type | IN("exited", "failed", "detached"))) | length == $files and all(.reason == $reason)' \
		"$@" >"$DIR/jq" || {
		echo "jq does not find $REASON in" "$@" >&4
		return 1
	}
}

# way_out STATUS REASON [KEY=VALUE]... -- ARG...: so msb-exec ends with these arguments: with --json, with --result
# and with both, and all say the same.
way_out() {
	local status=$1 REASON=$2 wanted=("status=$1" "reason=$2")
	shift 2
	while [[ $1 != -- ]]; do
		wanted+=("$1")
		shift
	done
	shift
	rm -f "$DIR"/[rjb].*
	ends "$status" "$X" --result "$DIR/r.result" "$@" >"$DIR/r.out" 2>"$DIR/r.err" </dev/null
	ends "$status" "$X" --json "$@" >"$DIR/j.out" 2>"$DIR/j.err" </dev/null
	ends "$status" "$X" --json --result "$DIR/b.result" "$@" >"$DIR/b.out" 2>"$DIR/b.err" </dev/null
	json -1 -c "$DIR/r.err" "$DIR/r.result" "${wanted[@]}" + \
		-o "$DIR/r.out" -c "$DIR/j.err" "$DIR/j.out" "${wanted[@]}" + \
		-o "$DIR/r.out" -r "$DIR/b.result" "$DIR/b.out" "${wanted[@]}"
	agrees "$DIR/j.out" "$DIR/b.out" "$DIR/r.result"
}

# nothing_unfinished: of a --result is left.
nothing_unfinished() {
	[[ -z $(find "$DIR" -name '.*.*' -type f) ]] || {
		find "$DIR" -name '.*' >&4
		return 1
	}
}
