#!/usr/bin/env bash
# Under valgrind: the unit tests, and the programs while they serve each other. No error, no leak, and no
# descriptor is open at the end but those that were before.
#
# valgrind.sh BUILD [UNIT...]: of the unit tests only these.
set -u
build=$1
shift
units=("$@")
[[ $# -gt 0 ]] || mapfile -t units < <(printf '%s\n' "$build"/tests/test_* | grep -v '\.d$')
dir=$(mktemp -d)
tests=0
failed=0
# What was started here, and runs, is ended by its number, whatever comes.
trap 'mapfile -t running < <(jobs -rp); kill "${running[@]}" 2>/dev/null; wait; rm -rf "$dir"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
seconds=$((120 * ${SLOW:-1}))
checked=(valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds="definite,indirect,possible"
	--track-fds=yes --child-silent-after-fork=yes)

# of LOG...: what stands in it that should not, of descriptors those that were not there before.
of() {
	awk '
		# Of its own, such as a system call that it does not know: then the program does without it.
		/^--/ || /^==[0-9]+== *$/ || /FILE DESCRIPTORS:/ { next }
		/noted but unhandled ioctl|could cause spurious value errors|README_MISSING/ { next }
		/inherited from parent/ { held = ""; next }
		held != "" { print held; held = "" }
		/Open (file descriptor|AF_)/ { held = $0; next }
		{ print }
		END { if (held != "") print held }' "$@"
}

# result NAME STATUS WANTED LOG...: one line for it, and what valgrind said.
result() {
	local name=$1 status=$2 wanted=$3 said
	shift 3
	said=$(of "$@" /dev/null)
	tests=$((tests + 1))
	if [[ $status -eq $wanted && -z $said ]]; then
		echo "ok $tests valgrind: $name"
	else
		failed=$((failed + 1))
		echo "not ok $tests valgrind: $name"
		[[ $status -eq $wanted ]] || echo "# status $status, not $wanted"
		[[ -z $said ]] || head -n 60 <<<"$said" | sed 's/^/# /'
	fi
}

# A unit test speaks for itself, and is one here. Its own limits of time know nothing of valgrind.
one_unit() {
	local pid status=0
	SLOW=$((8 * ${SLOW:-1})) timeout "$seconds" "${checked[@]}" --log-file="$dir/unit.$1" \
		"$build/tests/$1" >"$dir/said.$1" 2>&1 </dev/null &
	pid=$!
	trap 'kill "$pid"' TERM
	wait "$pid" || status=$?
	echo "$status" >"$dir/status.$1"
}

# As many at a time as there are processors.
run_units() {
	local unit status
	for unit in "${units[@]##*/}"; do
		while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do
			wait -n
		done
		one_unit "$unit" &
	done
	wait
	for unit in "${units[@]##*/}"; do
		status=$(cat "$dir/status.$unit")
		result "$unit" "$status" 0 "$dir/unit.$unit"
		[[ $status -eq 0 ]] || grep -vE '^\[ +(OK|RUN) ' "$dir/said.$unit" | tail -n 20 | sed 's/^/# /'
	done
}

# wait_until COMMAND...
wait_until() {
	local left=$((seconds * 10))
	until "$@"; do
		((left-- > 0)) || return 1
		sleep 0.1
	done
}

# start NAME PROGRAM...: a daemon under valgrind, or what stands between.
start() {
	local name=$1
	shift
	"$@" 2>"$dir/$name.said" </dev/null &
	eval "$name=$!"
}

has_ended() {
	! kill -0 "$1" 2>/dev/null
}

# end NAME PID: by TERM, and well.
end() {
	local status=0
	kill "$2"
	wait_until has_ended "$2" || kill -KILL "$2"
	wait "$2" || status=$?
	result "$1, at its end" "$status" 0 "$dir/$1".[0-9]*
	[[ $status -eq 0 ]] || tail -n 20 "$dir/$1.said" | sed 's/^/# /'
}

# use NAME STATUS OUTPUT PROGRAM ARGUMENT...: one use of a program, stdin is $input.
use() {
	local name=$1 wanted=$2 output=$3 program=$4 status=0 said
	shift 4
	rm -f "$dir"/use.*
	said=$(timeout "$seconds" "${checked[@]}" --log-file="$dir/use.%p" "$build/$program" "$@" \
		<"$dir/input" 2>"$dir/stderr" | tr -d '\r'; exit "${PIPESTATUS[0]}") || status=$?
	result "$name" "$status" "$wanted" "$dir"/use.*
	# shellcheck disable=SC2053 # a pattern
	if [[ $said != $output ]]; then
		failed=$((failed + 1))
		echo "not ok $((++tests)) valgrind: $name: what it prints"
		printf '%s\n' "$said" | head -n 5 | sed 's/^/# /'
		head -n 5 "$dir/stderr" | sed 's/^/# /'
	fi
}

# uses WHERE: of the agent at $MSB_EXEC_ENDPOINT.
uses() {
	: >"$dir/input"
	use "$1: a command over pipes" 7 'out' msb-exec -- sh -c 'echo out; echo err >&2; exit 7'
	use "$1: one that is not there" 127 '' msb-exec -- /nowhere/at/all
	use "$1: a terminal" 0 '*tty*' msb-exec -tt -- sh -c 'test -t 0 && echo tty'
	use "$1: lines of JSON" 3 '*"exited"*' msb-exec --json -- sh -c 'echo out; exit 3'
	head -c 300000 /dev/zero | tr '\0' a >"$dir/input"
	use "$1: input, and as much output" 0 'aaa*aaa' msb-exec -- cat
	: >"$dir/input"
	use "$1: a session that is kept" 0 '*' msb-exec -d --name kept -- sh -c 'echo kept; sleep 0.1; exit 4'
	use "$1: it is waited for" 4 '*' msb-exec --wait kept
	use "$1: the list of them" 0 '*' msb-exec --sessions
	use "$1: a time-out" 124 '' msb-exec --timeout 300ms -- sleep 1000
	[[ -x $build/msb-exec-console ]] || return 0
	printf '%s\n' x=1 'echo script $x' >"$dir/input"
	use "$1: a script of the console" 0 'script 1' msb-exec-console
	: >"$dir/input"
	use "$1: a line of the console" 0 'line' msb-exec-console -c 'echo line'
}

run_programs() {
	start execd "${checked[@]}" --log-file="$dir/execd.%p" "$build/msb-execd" --listen "unix:$dir/s"
	start chardev python3 -B tests/chardev.py "$dir/chardev" "$dir/port"
	wait_until test -S "$dir/chardev"
	start serial "${checked[@]}" --log-file="$dir/serial.%p" "$build/msb-execd" --listen "serial:$dir/port"
	start relayd "${checked[@]}" --log-file="$dir/relayd.%p" "$build/msb-relayd" --agent "unix:$dir/chardev" \
		--listen "unix:$dir/r"
	local way
	for way in s r; do
		export MSB_EXEC_ENDPOINT=unix:$dir/$way
		wait_until "$build/msb-exec" -q --wait-for 1 --ping >/dev/null 2>&1
		uses "$([[ $way == s ]] && echo direct || echo relay)"
	done
	unset MSB_EXEC_ENDPOINT
	use "a private daemon" 0 'local' msb-exec --local -- echo local
	end relayd "$relayd"
	end serial "$serial"
	end execd "$execd"
}

run_units
run_programs
echo "1..$tests"
echo "# $tests under valgrind, $failed failed"
[[ $failed -eq 0 ]]
