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

# has FILE BYTES: so many at least.
has() {
	[[ $(stat -c %s "$1") -ge $2 ]]
}

@test "host: a kept session is come back to behind a killed client and a killed relay, and each byte is there once" {
	local id client status=0
	# shellcheck disable=SC2016 # for the guest
	id=$("$X" -d -n -- sh -c 'i=0; while [ $i -lt 40 ]; do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); i=$((i + 1)); done
		echo end; until [ -e /tmp/go ]; do sleep 0.1; done; exit 9')
	"$X" --attach "$id" -n >"$VM/out" 3>&- &
	client=$!
	wait_for 10 has "$VM/out" 1
	kill -KILL "$client"
	wait "$client" || true
	end relay KILL
	vm_relay
	vm_answers_soon
	guest touch /tmp/go
	# shellcheck disable=SC2094 # it is looked at before
	"$X" --attach "$id" -n --since "$(stat -c %s "$VM/out")" >>"$VM/out" || status=$?
	guest rm /tmp/go
	[[ $status -eq 9 ]]
	cmp "$VM/out" <(
		seq 1 40000
		echo end
	)
}

@test "host: what is sent to a kept session arrives whole, and its end waits to be fetched" {
	local id
	head -c 300000 /dev/urandom >"$VM/in"
	id=$("$X" -d -- sha256sum)
	"$X" --send "$id" --eof <"$VM/in"
	wait_for 10 eval '[[ $("$X" --sessions) == *"exited 0"* ]]'
	[[ $("$X" --logs "$id") == "$(sha256sum <"$VM/in")" ]]
	run -0 "$X" --wait "$id"
	[[ -z $output ]]
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
