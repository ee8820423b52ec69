#!/usr/bin/env bats
# What --json makes of a command's output, whatever it is and however it comes; --max-output; --usage.

load helper
load agent
load json

setup() {
	common_setup
	json_setup
}

teardown() {
	agent_end
	common_teardown
}

# all_of FILE [STREAM]: what jq makes of the text in these lines.
all_of() {
	jq -rj --arg type "${2:-stdout}" 'select(.type == $type).text' "$1"
}

# same FILE: printed by a command, on stdout and on stderr, it comes out as it is.
same() {
	: >"$DIR/none"
	"$X" -n --json -- cat "$1" >"$DIR/lines"
	json -o "$1" -e "$DIR/none" "$DIR/lines" status=0
	"$X" -n --json -- sh -c 'cat "$0" >&2' "$1" >"$DIR/lines"
	json -o "$DIR/none" -e "$1" "$DIR/lines" status=0
}

@test "json_text: text, bytes, and what is neither" {
	daemon_start
	printf 'a\0b\r\n\t\x1b[31m "\\ / \x7f\xc2\x85\xe2\x80\xa8\xf0\x9f\x98\x80\xef\xbf\xbf' >"$DIR/text"
	same "$DIR/text"
	[[ $(grep -c base64 "$DIR/lines") -eq 0 ]]
	printf 'x\xed\xa0\x80y' >"$DIR/surrogate"
	same "$DIR/surrogate"
	grep -q base64 "$DIR/lines"
	printf '\xf0\x9f\x98' >"$DIR/begun"
	same "$DIR/begun"
	python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)))' >"$DIR/all"
	same "$DIR/all"
	head -c 1000000 /dev/urandom >"$DIR/random"
	same "$DIR/random"
	: >"$DIR/nothing"
	same "$DIR/nothing"
}

@test "json_text: no character is cut, wherever the pieces end in which they come" {
	need_local "a fifo"
	daemon_start
	local text=$'\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z'
	printf %s "$text" >"$DIR/wanted"
	mkfifo "$DIR/go"
	# Held open, so that no reader finds the end of the writer before.
	exec 8<>"$DIR/go"
	# The next byte is written once the one before is in a line, or held: the mark on stderr comes behind it.
	"$X" --json -- sh -c 'while byte=$(dd bs=1 count=1 2>/dev/null | od -An -to1) && [ "$byte" ]; do
		printf "\\${byte# }"; echo . >&2; read -r go <"$0"; done' "$DIR/go" <"$DIR/wanted" >"$DIR/lines" 3>&- 4>&- 8>&- &
	pid=$!
	for ((i = 1; i <= 10; i++)); do
		wait_for 20 marks "$i"
		echo go >&8
	done
	ends 0 wait "$pid"
	json -o "$DIR/wanted" "$DIR/lines"
	[[ $(grep -c base64 "$DIR/lines") -eq 0 && $(jq -r 'select(.type == "stdout").text' "$DIR/lines" | tr '\n' ' ') == "ä € 😀 z " ]]
}

# marks COUNT: so many dots are in lines of stderr.
marks() {
	[[ $(all_of "$DIR/lines" stderr | grep -c '\.') -eq $1 ]]
}

@test "json_text: five megabytes of text are the same behind jq, and both streams at once" {
	daemon_start
	python3 -c 'import sys
line = "ein Satz, \"quoted\" \\ with tabs\t\u00e4\u00f6 \u20ac \U0001f600\n"
sys.stdout.buffer.write((line * 200000).encode()[:5000000 // '"$FACTOR"'].decode(errors="ignore").encode())' >"$DIR/text"
	"$X" -n --json -- cat "$DIR/text" >"$DIR/lines"
	all_of "$DIR/lines" | cmp - "$DIR/text"
	"$X" -n --json -- sh -c 'cat "$0" & cat "$0" >&2; wait' "$DIR/text" >"$DIR/lines"
	json -o "$DIR/text" -e "$DIR/text" "$DIR/lines" status=0
}

@test "json_text: on a terminal, merged, and from a script that reads its input" {
	daemon_start
	"$X" -tt --json -- sh -c 'stty -onlcr; printf "ä\n"; echo b >&2' >"$DIR/lines" </dev/null
	printf 'ä\nb\n' >"$DIR/wanted"
	json -o "$DIR/wanted" "$DIR/lines" status=0
	"$X" -n --merge --json -- sh -c 'for i in 1 2 3 4; do echo o; echo e >&2; done' >"$DIR/lines"
	printf 'o\ne\no\ne\no\ne\no\ne\n' >"$DIR/wanted"
	json -o "$DIR/wanted" "$DIR/lines" status=0
	[[ $(head -n 1 "$DIR/lines" | jq .merged) == true ]]
	printf 'in\xff' >"$DIR/wanted"
	"$X" --json -- cat <"$DIR/wanted" >"$DIR/lines"
	json -o "$DIR/wanted" "$DIR/lines" status=0
}

# ---- --max-output ----

# excerpts FILE MAX...: what comes out of it raw, in $DIR/wanted.MAX, at most MAX bytes from both ends with a line
# between.
excerpts() {
	DIR=$DIR python3 -c 'import os, sys
data = open(sys.argv[1], "rb").read()
def is_inside(at):
    """Whether a whole character of UTF-8 goes over this place."""
    for begin in range(max(at - 3, 0), at):
        for end in range(at + 1, begin + 5):
            try:
                if len(data[begin:end].decode()) == 1:
                    return True
            except ValueError:
                pass
def excerpt(most):
    if len(data) <= most:
        return data
    head, tail = most - most // 2, len(data) - most // 2
    while head and is_inside(head):
        head -= 1
    while tail < len(data) and is_inside(tail):
        tail += 1
    return (data[:head] + (b"" if not head or data[head - 1] == 10 else b"\n") +
        b"[%d bytes of stdout are left out here]\n" % (tail - head) + data[tail:])
for most in map(int, sys.argv[2:]):
    with open(os.environ["DIR"] + "/wanted.%d" % most, "wb") as file:
        file.write(excerpt(most))' "$@"
}

# cuts FILE MAX...: so it comes out raw, and with the right numbers in JSON.
cuts() {
	local max left size args=()
	excerpts "$@"
	size=$(stat -c %s "$1")
	for max in "${@:2}"; do
		"$X" -n --max-output "$max" --result "$DIR/r.$max" -- cat "$1" >"$DIR/raw"
		cmp "$DIR/wanted.$max" "$DIR/raw"
		"$X" -n --json --max-output "$max" -- cat "$1" >"$DIR/lines.$max"
		left=$(sed -n 's/^\[\(.*\) bytes of stdout are left out here\]$/\1/p' "$DIR/raw")
		args+=(-1 "$DIR/r.$max" stdout_bytes="$size" stdout_cut="${left:-0}" +
			"$DIR/lines.$max" stdout_bytes="$size" stdout_cut="${left:-0}" +)
		cmp <(grep -v '^\[.* are left out here\]$' "$DIR/raw" | tr -d '\n') <(all_of "$DIR/lines.$max" | tr -d '\n')
	done
	unset 'args[-1]'
	json "${args[@]}"
}

@test "json_text: --max-output keeps the head and the tail, and says what lies between" {
	daemon_start
	printf '0123456789\nabcdefghi\n' >"$DIR/ascii"
	printf 'ä€😀ö€😀ß\n' >"$DIR/utf8"
	seq 20000 >"$DIR/large"
	cuts "$DIR/ascii" 0 1 2 7 20 21 22 1000
	cuts "$DIR/utf8" 0 1 2 3 4 5 6 7 8 9 12 22 23 24
	cuts "$DIR/large" 0 1000 65536 108893 108894 200000
}

@test "json_text: --max-output of both streams, of bytes, and on a terminal" {
	daemon_start
	"$X" -n --json --max-output 8 -- sh -c 'seq 100; seq 200 >&2; exit 3' >"$DIR/lines" || status=$?
	[[ $status -eq 3 ]]
	json "$DIR/lines" status=3 stdout_bytes=292 stdout_cut=284 stderr_bytes=692 stderr_cut=684
	[[ $(all_of "$DIR/lines" | tr '\n' ,) == 1,2,100, && $(all_of "$DIR/lines" stderr | tr '\n' ,) == 1,2,200, ]]
	"$X" -n --max-output 8 -- sh -c 'seq 100; seq 200 >&2' >"$DIR/out" 2>"$DIR/err"
	[[ $(<"$DIR/out") == $'1\n2\n[284 bytes of stdout are left out here]\n100' ]]
	[[ $(<"$DIR/err") == $'1\n2\n[684 bytes of stderr are left out here]\n200' ]]
	head -c 100000 /dev/urandom >"$DIR/random"
	"$X" -n --json --max-output 1000 -- cat "$DIR/random" >"$DIR/lines"
	json "$DIR/lines" stdout_bytes=100000
	[[ $(last stdout_cut) -ge 99000 && $(last stdout_cut) -le 99010 ]]
	"$X" -tt --max-output 10 -- seq 100 >"$DIR/out" </dev/null
	[[ $(<"$DIR/out") == *"left out here]"* ]]
}

@test "json_text: what --max-output held back is printed by whoever leaves by a signal, too" {
	daemon_start
	env --default-signal "$X" -n --max-output 8 -- sh -c "seq 100; echo up >$DIR/up; exec sleep 1000" >"$DIR/out" 3>&- 4>&- &
	pid=$!
	wait_for 20 test -e "$DIR/up"
	# All that came before this has come.
	wait_for 10 is_still "$pid"
	kill -HUP "$pid"
	ends 129 wait "$pid"
	[[ $(<"$DIR/out") == $'1\n2\n[284 bytes of stdout are left out here]\n100' ]]
}

# peak PID: the most memory that it had, in KiB.
peak() {
	awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}

@test "json_text: a gigabyte with --max-output takes no more memory than that" {
	daemon_start
	local mib=$((1024 / FACTOR / FACTOR))
	"$X" --max-output 1M -- sh -c "head -c ${mib}M /dev/zero; echo >$DIR/done; read x" < <(wait_for 100 test -e "$DIR/peak" && echo) >"$DIR/out" 3>&- 4>&- &
	pid=$!
	wait_for 50 test -e "$DIR/done"
	wait_for 20 is_still "$pid"
	peak "$pid" >"$DIR/peak.new"
	is_sanitized "$pid" || [[ $(<"$DIR/peak.new") -lt 16384 ]]
	mv "$DIR/peak.new" "$DIR/peak"
	ends 0 wait "$pid"
	[[ $(stat -c %s "$DIR/out") -le $((1048576 + 100)) ]]
}

# ---- slow readers ----

@test "json_text: a reader that takes nothing for a while holds the command up, and then has all of it" {
	need_local "a fifo"
	daemon_start
	local count=$((2000000 / FACTOR))
	mkfifo "$DIR/fifo"
	"$X" -n --json -- sh -c "seq $count; exit 6" >"$DIR/fifo" 3>&- 4>&- &
	pid=$!
	exec 5<"$DIR/fifo"
	# The first of it, and then nothing.
	wait_for 50 is_still "$pid" "$DAEMON"
	is_sanitized "$pid" || [[ $(peak "$pid") -lt 40000 ]]
	cat <&5 >"$DIR/lines"
	exec 5<&-
	ends 6 wait "$pid"
	seq "$count" >"$DIR/wanted"
	json -o "$DIR/wanted" "$DIR/lines" status=6
}

@test "json_text: Ctrl-C gets through to a command whose lines nobody takes" {
	daemon_start
	mkfifo "$DIR/fifo"
	env --default-signal "$X" -n --json --result "$DIR/r" -- yes >"$DIR/fifo" 3>&- 4>&- &
	pid=$!
	exec 5<"$DIR/fifo"
	wait_for 50 is_still "$pid"
	kill -INT "$pid"
	ends 130 wait "$pid"
	exec 5<&-
	json -1 "$DIR/r" type=exited reason=cancelled signal_name=INT
}

# ---- --usage ----

USAGE='^msb-exec: real [0-9]+\.[0-9]{3} s, user [0-9]+\.[0-9]{3} s, system [0-9]+\.[0-9]{3} s, [0-9]+% of a processor, at most [0-9]+ KiB$'

@test "json_text: --usage is a line behind the command's stderr, also with -q, and with --json" {
	daemon_start
	for more in -v -q --json; do
		"$X" -n "$more" --usage -- sh -c 'echo err >&2' >"$DIR/out" 2>"$DIR/err"
		[[ $(tail -n 1 "$DIR/err") =~ $USAGE ]]
		[[ $(grep -vc '^msb-exec: ' "$DIR/err") -eq $([[ $more == --json ]] && echo 0 || echo 1) ]]
	done
	ends 127 "$X" -n --usage -- /no/such 2>"$DIR/err"
	[[ $(tail -n 1 "$DIR/err") == "msb-exec: what the command took is not known" ]]
	agent <<<'client.start(); client.exit(3)'
	ends 3 "$X" -n --usage -- true 2>"$DIR/err"
	[[ $(<"$DIR/err") == "msb-exec: what the command took is not known: this agent does not say" ]]
	agent_done
}
