# An agent that is not ours, for a test: agent.py with a script.

FAKE=

# agent [COUNT]: one that does what the Python on stdin says with each client that comes, COUNT of them.
agent() {
	cat >"$DIR/script"
	rm -f "$SOCKET"
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/agent.py" "$SOCKET" "${1:-1}" <"$DIR/script" \
		2>"$DIR/agent.log" 3>&- &
	FAKE=$!
	wait_for 20 test -S "$SOCKET"
}

# agent_done: it saw what its script wanted to see.
agent_done() {
	local status=0
	wait "$FAKE" || status=$?
	FAKE=
	cat "$DIR/agent.log" >&2
	return $status
}

# agent_end: for teardown, whatever became of it.
agent_end() {
	[[ -n $FAKE ]] || return 0
	kill "$FAKE" 2>/dev/null || true
	wait "$FAKE" || cat "$DIR/agent.log" >&2
}
