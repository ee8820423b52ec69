#!/usr/bin/env bats
# In a machine: what takes a kernel of one's own, capabilities that containers lack, a port and vsock.

load ../helper
load vm

setup() {
	[[ -n $AGENT ]] || skip "make check-vm gives it a machine"
	common_setup
	MARK=$(mark)
}

teardown() {
	common_teardown
}

# The daemon; its parent is process 1, which has the same name.
daemon_pid() {
	guest pgrep -x -P 1 msb-execd
}

@test "machine: a command runs on the guest's kernel, and its status arrives" {
	run -0 "$X" -- uname -r
	[[ $output == *cloud* && $output != "$(uname -r)" ]]
	run -3 "$X" -- sh -c 'exit 3'
}

@test "machine: another user's command gets a hard limit above the daemon's" {
	local hard
	hard=$(guest sh -c 'ulimit -Hn')
	run -0 "$X" -u user --rlimit nofile=$((hard + 1000)) -- sh -c 'id -u; ulimit -Sn; ulimit -Hn'
	[[ $output == $'1000\n'$((hard + 1000))$'\n'$((hard + 1000)) ]]
	run -0 "$X" -tt -u user --rlimit nofile=64:$((hard + 2000)) -- sh -c 'ulimit -Hn' </dev/null
	[[ $output == $((hard + 2000))$'\r' ]]
}

@test "machine: the kernel spares the daemon, not its commands" {
	[[ $(guest cat "/proc/$(daemon_pid)/oom_score_adj") -eq -900 ]]
	for mode in -T -tt; do
		run -0 "$X" "$mode" -u user -- cat /proc/self/oom_score_adj </dev/null
		[[ ${output//$'\r'/} == 0 ]]
	done
}

@test "machine: what eats all memory is killed, and the daemon is the same" {
	local before
	before=$(daemon_pid)
	# One line without an end, which tail keeps.
	run -137 timeout $((20 * SLOW)) "$X" -- tail /dev/zero
	run -0 "$X" -- echo alive
	[[ $output == alive && $(daemon_pid) == "$before" ]]
}

no_zombie() {
	[[ $(guest ps -eo stat= | grep -c '^Z') -eq 0 ]]
}

@test "machine: orphans are adopted and leave no zombie" {
	"$X" -n -- sh -c 'for i in 1 2 3 4 5; do (sleep 0.1 & sleep 0.2 &); done'
	"$X" -n -- setsid sh -c 'sleep 0.1 &'
	wait_for 5 no_zombie
}

@test "machine: one client is stopped while its session floods, another's command is unhindered" {
	"$X" -- yes "$MARK" >/dev/null 3>&- &
	local flood=$! longest=0
	wait_for 5 matches 1 "^yes $MARK"
	kill -STOP "$flood"
	for i in {1..10}; do
		timed "$X" -n -- true
		((longest >= MS)) || longest=$MS
	done
	kill -CONT "$flood"
	kill "$flood"
	wait "$flood" || true
	echo "# at longest $longest ms" >&3
	[[ $longest -lt $((1000 * SLOW)) ]]
	wait_for 5 none_match "yes $MARK"
}

@test "machine: a time-out kills what ignores it, in a terminal too" {
	for mode in -T -tt; do
		run -124 "$X" "$mode" -n --timeout 1s -k 1s -- \
			sh -c "trap '' TERM HUP; (trap '' TERM HUP; sleep $MARK) & sleep $MARK; sleep $MARK"
		wait_for 3 none_match "sleep $MARK"
	done
}

@test "machine: vsock serves the machines that are named, over loopback here" {
	run -7 "$X" -n -- msb-exec -S vsock:1:1024 -- sh -c 'echo inner; exit 7'
	[[ $output == inner ]]
	head -c 2M /dev/urandom >"$DIR/in"
	"$X" -- msb-exec -S vsock:1:1024 -- cat <"$DIR/in" >"$DIR/out"
	cmp "$DIR/in" "$DIR/out"
}

# Once it listens it says that it does not want us, and our client fails both before and then.
refuses_us() {
	run -125 "$X" -n -- timeout 20 msb-exec -S vsock:1:1025 -- touch "$DIR/ran"
	grep -qi 'cid 1' "$DIR/daemon.log"
}

@test "machine: vsock refuses a machine that is not named" {
	# A daemon like the machine's own, but for --allow-cid.
	"$X" -n -- /opt/msb/msb-execd --listen vsock:1025 --log-level info 2>"$DIR/daemon.log" 3>&- &
	local client=$!
	wait_for 5 refuses_us
	run -1 guest test -e "$DIR/ran"
	kill "$client"
	wait "$client" || true
}
