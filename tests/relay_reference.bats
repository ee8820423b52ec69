#!/usr/bin/env bats
# msb-relayd before the reference's agents, which die of what a host must not say and greet but once:
# reference.py plays the machine, with an agent of either generation in it that runs commands.

load helper

setup() {
	common_setup
	MACHINE=
}

teardown() {
	local status=0
	[[ -z $RELAY ]] || relay_stop || status=1
	if [[ -n $MACHINE ]]; then
		# It lives unless it was told what it may not be told.
		kill "$MACHINE" 2>/dev/null || status=1
		wait "$MACHINE" || status=1
	fi
	[[ $status -eq 0 ]] || cat "$DIR/machine.log" "$DIR/daemon.log" >&2
	common_teardown || status=1
	return $status
}

# machine OPTION...: its port at $DIR/port.
machine() {
	python3 -B "$BATS_TEST_DIRNAME/reference.py" "$DIR/port" "$@" 2>>"$DIR/machine.log" 3>&- &
	MACHINE=$!
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	wait_for 10 test -S "$DIR/port"
}

# reset: the machine, which says so.
reset() {
	local before
	before=$(grep -c reset "$DIR/machine.log" || true)
	kill -HUP "$MACHINE"
	wait_for 10 reset_again "$before"
}

reset_again() {
	[[ $(grep -c reset "$DIR/machine.log") -gt $1 ]]
}

# answers [SIZE]: hi, 0; and so much input, many times what there is credit for.
answers() {
	run -0 "$X" --connect-timeout $((30 * SLOW)) -- echo hi
	[[ $output == hi ]]
	head -c "${1:-8M}" /dev/zero >"$DIR/data"
	run -0 "$X" -- sha256sum <"$DIR/data"
	[[ $output == "$(sha256sum <"$DIR/data")" ]]
}

# silent: for so long that the agent may be another, which nothing but time makes.
silent() {
	sleep 1.2
}

for_each_generation() {
	local generation
	for generation in 7 9; do
		"$1" "$generation"
		relay_stop
		kill "$MACHINE"
		wait "$MACHINE"
		MACHINE=
		rm -f "$DIR/machine.log"
	done
}

cold() {
	machine --generation "$1"
	relay_start "$DIR/port"
	answers 50M
}

@test "relay: a reference agent that begins, with no options, and 50 MB of input" {
	for_each_generation cold
}

warm() {
	machine --generation "$1" --warm
	relay_start "$DIR/port"
	answers
}

@test "relay: a reference agent that has greeted an earlier relay" {
	for_each_generation warm
}

restarted() {
	machine --generation "$1"
	relay_start "$DIR/port"
	answers
	relay_stop
	relay_start "$DIR/port"
	answers
}

@test "relay: restarted before a reference agent that runs" {
	for_each_generation restarted
}

@test "relay: killed before a reference agent that runs; what it left is not what another starts" {
	machine --generation 9
	relay_start "$DIR/port"
	number=$(mark)
	"$X" -- sleep "$number" &
	client=$!
	wait_for 10 pgrep -f "^sleep $number"
	kill -9 "$RELAY"
	wait "$RELAY" || true
	wait "$client" || true
	rm -f "$SOCKET"
	relay_start "$DIR/port"
	# The machine ends if an id that is in use is given again.
	answers
	kill "$(pgrep -f "^sleep $number")"
}

was_reset() {
	machine --generation "$1"
	relay_start "$DIR/port"
	answers
	silent
	reset
	# The first command after it is not lost either.
	answers
}

@test "relay: a reference agent whose machine was reset on a connection that stays" {
	for_each_generation was_reset
}

@test "relay: nobody has anything to say to a machine that was reset, but the relay asks after it" {
	machine --generation 9
	relay_start "$DIR/port"
	run -0 "$X" -- echo hi
	reset
	wait_for 20 grep -q 'the guest restarted' "$DIR/daemon.log"
	answers
}

# closings: how often the relay has heard that the other end closed.
closings() {
	grep -c 'closed the connection; trying' "$DIR/daemon.log" || true
}

closed_again() {
	[[ $(closings) -gt $1 ]]
}

closed_by_reset() {
	local before
	machine --generation "$1" --drop
	relay_start "$DIR/port"
	answers
	before=$(closings)
	reset
	# What is asked before that may be lost.
	wait_for 20 closed_again "$before"
	answers
}

@test "relay: a reference agent whose machine was reset, and the connection closed" {
	for_each_generation closed_by_reset
}

@test "relay: an agent of a generation that should give credit and gives none" {
	machine --generation 10 --no-credit
	relay_start "$DIR/port"
	answers
}

# four: clients at once with 50 MB of input each, ROUNDS times (SLOW=20 gives fifty their time).
four() {
	local i round pids
	head -c 50M /dev/urandom >"$DIR/data"
	sha256sum <"$DIR/data" >"$DIR/sum"
	for ((round = 0; round < ${ROUNDS:-1}; round++)); do
		pids=()
		for i in 1 2 3 4; do
			"$X" -- sha256sum <"$DIR/data" >"$DIR/sum$i" &
			pids+=($!)
		done
		for i in 1 2 3 4; do
			wait "${pids[i - 1]}"
			cmp "$DIR/sum" "$DIR/sum$i"
		done
	done
}

@test "relay: 50 MB of input four times at once, to an agent without credit for it" {
	machine --generation 7
	relay_start "$DIR/port"
	four
}

@test "relay: 50 MB of input four times at once, to an agent that ends when more comes than it gave credit for" {
	machine --generation 9
	relay_start "$DIR/port"
	four
}

@test "relay: many small pieces of input are joined, and signals pass a command that takes none" {
	machine --generation 9
	relay_start "$DIR/port"
	number=$(mark)
	# More frames than there is credit for, which comes back only when they are taken.
	python3 -B -c '
import sys
for _ in range(3000):
    sys.stdout.buffer.raw.write(b"x" * 5000)' | "$X" -- sleep "$number" &
	client=$!
	wait_for 10 pgrep -f "^sleep $number"
	run -0 "$X" -- echo beside
	[[ $output == beside ]]
	pid=$(pgrep -f "^sleep $number")
	kill -TERM "$client"
	status=0
	wait "$client" || status=$?
	[[ $status -ne 0 ]]
	wait_for 10 gone "$pid"
}

@test "relay: a range whose ids never end is not given again, until the agent goes" {
	machine --generation 7
	relay_start "$DIR/port"
	run -0 "$X" -- echo hi
	# It leaves the process group, holds the output, and outlives all.
	number=$(mark)
	"$X" -- sh -c "setsid sleep $number & exit 0" &
	client=$!
	wait_for 10 pgrep -f "^sleep $number"
	kill -9 "$client"
	wait "$client" || true
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY" <<'PY'
slots = [Peer().range[0] // STEP for _ in range(127)]
try:
    Peer()
    assert False, "a 128th range was given"
except Refused as refusal:
    assert "ranges of ids" in str(refusal), refusal
equal(len(set(slots)), 127)
PY
	kill "$(pgrep -f "^sleep $number")"
	# Now it may.
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY" <<'PY'
peers = []

def one_more():
    try:
        peers.append(Peer())
    except Refused:
        pass
    return len(peers) == 128

wait_for(one_more, "the 128th range")
PY
}
