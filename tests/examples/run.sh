#!/usr/bin/env bash
# run.sh [--raw] COMMAND [ARG]...: runs a command in the guest by msb-exec, for at most RUN_TIMEOUT, and acts on how
# it ended. Needs jq. There are two ways to a result that a script can read: one, and with --raw the other.
set -euo pipefail

# The first: msb-exec --json prints an object a line, and the last of them says how it ended. --max-output
# bounds what a command that prints without end can make us keep. What stands in objects as text or, if it was
# none, as base64, jq makes base64 of either way, so that a line of the shell's can hold it: zeros, newlines,
# and whatever else.
as_lines() {
	jq -r --unbuffered '
		if .type == "stdout" or .type == "stderr" then [.type, .base64 // (.text | @base64)]
		elif .type == "cut" then [.type, "\(.bytes) bytes of \(.stream)"]
		elif has("reason") then ["end", .reason, .status, .message // "-"]
		else empty end | @tsv'
}

# Reads those lines: the command's stdout is ours, and so is its stderr. Leaves $reason, $status and $message.
as_printed() {
	local type first second third
	reason=error status=125 message='msb-exec said nothing'
	while IFS=$'\t' read -r type first second third; do
		case $type in
		stdout) base64 -d <<<"$first" ;;
		stderr) base64 -d <<<"$first" >&2 ;;
		cut) echo "run.sh: $first were left out here" >&2 ;;
		end) reason=$first status=$second message=$third ;;
		esac
	done
}

run_json() {
	# The loop is in this shell, and not behind a pipe, since what it leaves is to be here afterwards.
	as_printed < <(msb-exec --json --max-output 1M "$@" | as_lines)
}

# The second: stdout and stderr are the command's, raw and at full speed, and --result has the last object alone.
run_raw() {
	file=$(mktemp)
	trap 'rm -f "$file"' EXIT
	msb-exec --result "$file" --max-output 1M "$@" || true
	IFS=$'\t' read -r reason status message < <(jq -r '[.reason, .status, .message // "-"] | @tsv' "$file") ||
		{ reason=error status=125 message='msb-exec said nothing'; }
}

# What msb-exec has to say is in .message, too: with --log-file elsewhere, stderr is the command's alone.
options=(--log-file /dev/null --timeout "${RUN_TIMEOUT:-60s}")
if [[ $# -eq 0 ]]; then
	echo "usage: run.sh [--raw] COMMAND [ARG]..." >&2
	exit 125
elif [[ $1 == --raw ]]; then
	run_raw "${options[@]}" -- "${@:2}"
else
	run_json "${options[@]}" -- "$@"
fi

# A status alone does not say who ended: the reason does. The manual of msb-exec lists all of them.
case $reason in
exited | signal) ;;
timeout) echo "run.sh: it took longer than it may" >&2 ;;
oom) echo "run.sh: it needs more memory than there is" >&2 ;;
unreachable | lost) echo "run.sh: the guest is not there, so trying again may help: $message" >&2 ;;
not_found | not_executable) echo "run.sh: the guest has no such command: $message" >&2 ;;
*) echo "run.sh: $reason: $message" >&2 ;;
esac
exit "$status"
