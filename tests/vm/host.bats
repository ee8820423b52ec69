#!/usr/bin/env bats
# A machine whose host goes away and comes back, that reboots, and that is told to end.

load ../helper
load vm

setup_file() {
	[[ -n ${ACCEL:-} ]] || skip "make check-vm says how machines run"
	vm_new
	vm_up
}

teardown_file() {
	vm_down
}

setup() {
	MARK=$(mark)
	export MSB_EXEC_ENDPOINT=unix:$VM/s
	AGENT=$MSB_EXEC_ENDPOINT
}

teardown() {
	[[ -n $BATS_TEST_COMPLETED ]] || vm_tell
}

# daemon_ticks: processor time of all that is the daemon, in hundredths of a second.
daemon_ticks() {
	guest sh -c 'for pid in $(pgrep -x msb-execd); do cut -d " " -f 14,15 /proc/$pid/stat; done' |
		awk '{ sum += $1 + $2 } END { print sum }'
}

@test "host: a port without a host costs the daemon nothing, and the host is served again" {
	local before after
	guest true
	before=$(daemon_ticks)
	end relay
	# The pause is the test: nobody is at the other end for so long.
	sleep 5
	vm_relay
	vm_answers_soon
	after=$(daemon_ticks)
	echo "# $((after - before)) hundredths of a second in 5 s without a host" >&3
	[[ $((after - before)) -lt 150 ]]
	run -0 "$X" -- echo again
	[[ $output == again ]]
}

@test "host: when the relay is killed its clients say so, and their commands are gone" {
	"$X" -n -- sleep "$MARK" 2>"$VM/err" 3>&- &
	local client=$! status=0
	wait_for 5 matches 1 "^sleep $MARK"
	end relay KILL
	wait_for 5 gone "$client"
	wait "$client" || status=$?
	[[ $status -eq 125 && $(<"$VM/err") == *'lost the connection'* ]]
	vm_relay
	vm_answers_soon
	wait_for 5 none_match "sleep $MARK"
}

@test "host: a reboot under the relay ends its sessions with an error, and then it serves again" {
	local boot client status=0
	boot=$(guest cat /proc/sys/kernel/random/boot_id)
	"$X" -n -- sleep "$MARK" 2>"$VM/err" 3>&- &
	client=$!
	wait_for 5 matches 1 "^sleep $MARK"
	monitor system_reset
	wait_for 25 gone "$client"
	wait "$client" || status=$?
	[[ $status -eq 125 && -s $VM/err ]]
	vm_answers_soon
	[[ $(guest cat /proc/sys/kernel/random/boot_id) != "$boot" ]]
	none_match "sleep $MARK"
}

@test "host: a killed daemon is started again, its clients are told, no leader is left" {
	local client status=0
	"$X" -n -- sleep "$MARK" 2>"$VM/err" 3>&- &
	client=$!
	wait_for 5 matches 1 "^sleep $MARK"
	kill_daemon
	wait_for 25 gone "$client"
	wait "$client" || status=$?
	[[ $status -eq 125 && -s $VM/err ]]
	vm_answers_soon
	wait_for 5 none_match "sleep $MARK"
}

@test "host: core.shutdown ends the commands and powers the machine off" {
	local pid
	pid=$(pid_of qemu)
	"$X" -n -- sleep "$MARK" 3>&- &
	local client=$! status=0
	wait_for 5 matches 1 "^sleep $MARK"
	python3 -B "$ROOT/tests/peer.py" "$VM/s" "$(pid_of relay)" <<<'Peer().tell("core.shutdown")'
	wait_for 10 gone "$pid"
	rm -f "$VM/qemu"
	wait_for 25 gone "$client"
	wait "$client" || status=$?
	[[ $status -eq 143 || $status -eq 125 ]]
}
