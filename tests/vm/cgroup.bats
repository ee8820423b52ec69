#!/usr/bin/env bats
# Limits of a session's control group, in a machine that has all controllers.

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

# One line without an end, which tail keeps.
EAT=(tail /dev/zero)

@test "cgroup: no memory beyond --memory, told on stderr and in JSON, and nobody else notices" {
	local start=$SECONDS
	run -137 "$X" --memory 32M -- "${EAT[@]}"
	[[ $output == *'msb-exec: out of memory: the kernel killed the command'* ]]
	[[ $output == *'--memory lets it have 33554432 bytes'* ]]
	run -0 "$X" -- echo alive
	[[ $output == alive ]]
	run --separate-stderr -137 "$X" --json --memory 32M -- "${EAT[@]}"
	[[ $(jq -r .reason <<<"${lines[-1]}") == oom ]]
	# What the machine has would have been enough.
	((SECONDS - start < 60 * SLOW))
}

@test "cgroup: a command that outlives what was killed of it is told, and its status is its own" {
	# shellcheck disable=SC2016 # for the guest
	run --separate-stderr -0 "$X" --memory 32M -- sh -c 'tail /dev/zero; echo $?'
	[[ ${lines[-1]} == 137 ]]
	[[ $stderr == *'out of memory: the kernel killed a process of the command'* ]]
	run --separate-stderr -0 "$X" --json --memory 32M -- sh -c 'tail /dev/zero; exit 0'
	[[ $(jq -r .reason <<<"${lines[-1]}") == exited ]]
	run --separate-stderr -3 "$X" --json --memory 32M -- sh -c 'tail /dev/zero; exit 3'
	[[ $(jq -r .reason <<<"${lines[-1]}") == oom ]]
}

# A machine without swap, and files in memory count.
@test "cgroup: files in memory count as memory" {
	run -0 "$X" --memory 32M -- sh -c 'head -c 64000000 /dev/zero >/dev/shm/big; rm -f /dev/shm/big; true'
	[[ $output == *'out of memory'* ]]
}

@test "cgroup: no more processes than --pids" {
	# shellcheck disable=SC2016 # for the guest
	run -124 "$X" --pids 5 --timeout 2 -k 0.1 -- \
		sh -c '(for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done) 2>&1; exec sleep 1000'
	[[ $output == *[Ff]ork* ]]
}

@test "cgroup: the kernel was told what --cpus, --pids and --memory say" {
	# shellcheck disable=SC2016 # for the guest
	run -0 "$X" --cpus 0.25 --pids 77 --memory 33M -- \
		sh -c 'cd "/sys/fs/cgroup$(sed -n "s/^0:://p" /proc/self/cgroup)" && cat cpu.max pids.max memory.max'
	[[ $output == $'25000 100000\n77\n34603008' ]]
}

# In a tenth of a processor's time, a second of it takes ten.
@test "cgroup: no more of the processors than --cpus" {
	# shellcheck disable=SC2016 # for the guest
	run -0 "$X" --cpus 0.1 -- sh -c \
		'i=0; while [ $i -lt 4000 ]; do i=$((i + 1)); done; cat "/sys/fs/cgroup$(sed -n "s/^0:://p" /proc/self/cgroup)/cpu.stat"'
	local throttled
	throttled=$(awk '$1 == "nr_throttled" { print $2 }' <<<"$output")
	((throttled > 0))
}

@test "cgroup: the daemon's bounds hold for who asks for more and for who asks for nothing" {
	# shellcheck disable=SC2016 # for the guest
	local of='cd "/sys/fs/cgroup$(sed -n "s/^0:://p" /proc/self/cgroup)" && cat cpu.max pids.max memory.max'
	local socket=/tmp/$MARK.s inner="msb-exec -S unix:/tmp/$MARK.s"
	"$X" -n -- sh -c "exec /opt/msb/msb-execd --listen unix:$socket --session-memory 32M --session-cpus 0.5 --session-pids 20" \
		3>&- &
	local client=$!
	guest sh -c "msb-exec -S unix:$socket --wait-for 20s --ping"
	run -0 "$X" -- sh -c "$inner -- sh -c '$of'"
	[[ $output == $'50000 100000\n20\n33554432' ]]
	run -0 "$X" -- sh -c "$inner --memory 1G --cpus 4 --pids 1000 -- sh -c '$of'"
	[[ $output == $'50000 100000\n20\n33554432' ]]
	run -0 "$X" -- sh -c "$inner --memory 16M --cpus 0.1 --pids 10 -- sh -c '$of'"
	[[ $output == $'10000 100000\n10\n16777216' ]]
	run -137 "$X" -- sh -c "$inner -- tail /dev/zero; exit \$?"
	[[ $output == *'out of memory'* ]]
	kill -TERM $client
	wait $client || true
}

# inner_daemon WHO: a daemon in a group of its own making, with the shell that starts it in there too if WHO is beside.
inner_daemon() {
	# shellcheck disable=SC2016 # for the guest
	"$X" -q -- sh -c '
		g=/sys/fs/cgroup/of.$0
		mkdir "$g"
		[ "$1" != beside ] || echo 0 >"$g/cgroup.procs"
		sh -c "echo 0 >$g/cgroup.procs; exec /opt/msb/msb-execd --listen unix:/tmp/$0.i" &
		daemon=$!
		msb-exec -S "unix:/tmp/$0.i" --wait-for 20s --ping
		msb-exec -S "unix:/tmp/$0.i" --memory 32M -- sed -n "s/^0:://p" /proc/self/cgroup
		kill "$daemon"
		wait "$daemon"
		echo 0 >/sys/fs/cgroup/cgroup.procs
		rmdir "$g"/msb-execd "$g"' "$MARK" "$1"
}

@test "cgroup: a daemon with a group of its own makes way for controllers; beside others it says so" {
	# Where that group is, they are handed down from now on.
	"$X" --memory 64M -- true
	run -0 inner_daemon alone
	[[ $output == */of.$MARK/msb-*-1 ]]
	run inner_daemon beside
	[[ $output == *'the agent is not alone in its control group, '*'Delegate=yes'* ]]
}

@test "cgroup: a forced end kills what has begun sessions of its own; a fork bomb too" {
	# shellcheck disable=SC2016 # for the guest
	run -124 "$X" --pids 30 --timeout 1 -k 0.2 -- \
		sh -c '(while :; do setsid sh -c "sleep 1000; : $0" & done) 2>/dev/null & exec sleep 1000' "$MARK"
	guest ps -eo args= >"$DIR/processes"
	run ! grep -F ": $MARK" "$DIR/processes"
	run -0 "$X" -- echo alive
	[[ $output == alive ]]
}

@test "cgroup: no group is left of all that" {
	no_group_is_left() {
		[[ -z $("$X" -q -n -- find /sys/fs/cgroup -name 'msb-[0-9]*') ]]
	}
	wait_for 10 no_group_is_left
}
