#!/usr/bin/env bats
# Sessions with a control group of their own: where there are no controllers, or no groups at all. Limits
# that hold are tested in a machine: tests/vm/cgroup.bats.

load helper
load agent

setup() {
	common_setup
}

teardown() {
	agent_end
	common_teardown
}

# mounted: where cgroup v2 is.
mounted() {
	awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo
}

# need_groups: $AT is the folder of the group that we, and so the daemon, are in.
need_groups() {
	need_root
	AT=$(mounted)
	[[ -n $AT ]] || skip "no cgroup v2 is mounted here"
	AT=$AT$(sed -n 's/^0:://p' /proc/self/cgroup)
	AT=${AT%/}
	[[ -w $AT/cgroup.procs ]] || skip "the control groups here cannot be written"
}

# groups: those of the daemon's sessions.
groups() {
	find "$AT" -maxdepth 1 -name "msb-$DAEMON-*"
}

no_group_is_left() {
	[[ -z $(groups) ]]
}

# The group that a command is in, as it sees it.
OWN='s/^0:://p'

@test "cgroup: a session has one of its own with --cgroup alone, and it is gone with the session" {
	need_groups
	daemon_start
	run -0 "$X" -- sed -n "$OWN" /proc/self/cgroup
	[[ $output != */msb-$DAEMON-* ]]
	no_group_is_left
	run -0 "$X" --cgroup -- sed -n "$OWN" /proc/self/cgroup
	[[ $output == */msb-$DAEMON-1 ]]
	wait_for 5 no_group_is_left
	run -0 "$X" --cgroup -tt -- sed -n "$OWN" /proc/self/cgroup </dev/null
	[[ $output == */msb-$DAEMON-2* ]]
	run -127 "$X" --cgroup -- /nonexistent
	wait_for 5 no_group_is_left
}

@test "cgroup: what has begun sessions of its own does not get away from a forced end" {
	need_groups
	daemon_start
	# shellcheck disable=SC2016 # for the guest
	run -124 "$X" --cgroup --timeout 0.2 -k 0.1 -- \
		sh -c 'setsid setsid sleep 1000 & echo $! >$0; exec sleep 1000' "$DIR/pid"
	[[ -s $DIR/pid ]]
	wait_for 5 gone "$(cat "$DIR/pid")"
	wait_for 5 no_group_is_left
}

@test "cgroup: killed with its client and with the daemon, whatever it has become" {
	need_groups
	# shellcheck disable=SC2016 # for the guest
	local script='setsid setsid sleep 1000 & echo $! >$0.new; mv $0.new $0; exec sleep 1000' client
	daemon_start
	"$X" -n --cgroup -- sh -c "$script" "$DIR/a" 3>&- &
	client=$!
	wait_for 5 test -s "$DIR/a"
	kill -KILL $client
	wait_for 10 gone "$(cat "$DIR/a")"
	wait_for 10 no_group_is_left
	"$X" -n -q --cgroup -- sh -c "$script" "$DIR/b" 2>/dev/null 3>&- &
	client=$!
	wait_for 5 test -s "$DIR/b"
	local before=$DAEMON
	daemon_stop
	gone "$(cat "$DIR/b")"
	wait $client || true
	[[ -z $(find "$AT" -maxdepth 1 -name "msb-$before-*") ]]
}

@test "cgroup: a normal end kills nothing, and the group goes with the last one in it" {
	need_groups
	daemon_start
	mkfifo "$DIR/fifo"
	# shellcheck disable=SC2016 # for the guest
	run -0 "$X" -n --cgroup -- sh -c 'setsid sh -c "read -r line" <"$0" >/dev/null 2>&1 &' "$DIR/fifo"
	run -0 "$X" -- true
	[[ -n $(groups) ]]
	echo go >"$DIR/fifo"
	wait_for 10 no_group_is_left
}

@test "cgroup: several sessions that left somebody running are looked at in turn, and the others served" {
	need_groups
	daemon_start
	mkfifo "$DIR/fifo"
	# Keeps it from its end, whoever has opened it by then.
	exec 9<>"$DIR/fifo"
	local i
	for i in 1 2 3; do
		# shellcheck disable=SC2016 # for the guest
		run -0 "$X" -n --cgroup -- sh -c 'setsid sh -c "read -r line" <"$0" >/dev/null 2>&1 &' "$DIR/fifo"
	done
	# The first looks at them come after 20, 60 and 140 ms.
	run -0 timeout $((10 * SLOW)) "$X" -- sleep 0.2
	[[ $(groups | wc -l) -eq 3 ]]
	printf 'go\ngo\ngo\n' >&9
	wait_for 10 no_group_is_left
	exec 9>&-
}

@test "cgroup: groups that a command made in its own go with it" {
	need_groups
	daemon_start
	# shellcheck disable=SC2016 # for the guest
	run -0 "$X" --cgroup -- sh -c 'mkdir -p "$0$(sed -n "s/^0:://p" /proc/self/cgroup)/a/b"' "$(mounted)"
	wait_for 5 no_group_is_left
}

@test "cgroup: what a daemon left that was killed is removed by the next one that makes one" {
	need_groups
	daemon_start
	"$X" -n --cgroup -- sleep 1000 2>/dev/null 3>&- &
	wait_for 5 eval '[[ -n $(groups) ]]'
	local before
	before=$(groups)
	kill -KILL "$DAEMON"
	wait "$DAEMON" || true
	wait $! || true
	rm -f "$SOCKET"
	daemon_start
	"$X" --cgroup -- true
	# Its leader dies with the daemon, and the kernel may take its time.
	[[ ! -e $before ]] || { daemon_stop && daemon_start && "$X" --cgroup -- true && [[ ! -e $before ]]; }
}

# end_inside SIGNAL: the daemon behind unshare, which passes nothing on.
end_inside() {
	kill -"$1" "$(pgrep -P "$DAEMON")"
	wait "$DAEMON" || true
	DAEMON=
}

# A container's daemon is process 1 each time.
@test "cgroup: what a daemon of the same number left is removed, too" {
	need_groups
	# In a group of its own: others that test may have the same number.
	local at=$AT/test-${DIR##*/}
	mkdir "$at"
	# shellcheck disable=SC2016 # for that shell
	WRAP=(sh -c 'echo $$ >"$0/cgroup.procs" && exec unshare -pf --kill-child --mount-proc "$@"' "$at")
	daemon_start
	"$X" -n -q --cgroup -- sleep 1000 2>/dev/null 3>&- &
	wait_for 5 grep -qs "populated 1" "$at/msb-1-1/cgroup.events"
	end_inside KILL
	wait $! || true
	wait_for 5 grep -q "populated 0" "$at/msb-1-1/cgroup.events"
	rm -f "$SOCKET"
	daemon_start
	"$X" --cgroup -- true || true
	end_inside TERM
	local left
	left=$(find "$at" -mindepth 1 -name "msb-*")
	find "$at" -depth -type d -exec rmdir {} +
	[[ -z $left ]]
}

@test "cgroup: where there is no controller nothing is run, by request or by the daemon's bounds" {
	need_groups
	! grep -qE "memory|cpu|pids" "$AT/cgroup.controllers" || skip "there are controllers here"
	daemon_start
	local option
	for option in '--memory 64M' '--cpus 0.5' '--pids 10'; do
		# shellcheck disable=SC2086 # two words
		run -125 "$X" $option -- touch "$DIR/ran"
		[[ $output == *'cannot spawn "touch": this guest has no '*' controller in '* ]]
	done
	[[ ! -e $DIR/ran ]]
	no_group_is_left
	run -1 "$EXECD" --listen "unix:$DIR/other" --session-memory 64M
	[[ $output == 'msb-execd: --session-memory, -cpus and -pids: this guest has no memory controller in '* ]]
	[[ ! -e $DIR/other ]]
}

@test "cgroup: where groups cannot be written, or are not there, nothing is run" {
	need_groups
	local at what
	at=$(mounted)
	for what in "mount --bind $at $at && mount -o remount,bind,ro $at" "umount -l $at"; do
		# shellcheck disable=SC2016 # for that shell
		WRAP=(unshare -m sh -c "$what && exec \"\$@\"" sh)
		daemon_start
		run -125 "$X" --cgroup -- touch "$DIR/ran"
		[[ $output == *'cannot spawn "touch": '* ]]
		[[ $output == *': Read-only file system' || $output == *'there is no cgroup v2 for it here' ]]
		run -0 "$X" -- echo still
		[[ $output == still && ! -e $DIR/ran ]]
		daemon_stop
	done
}

@test "cgroup: an agent that has none is asked for nothing, since less would be no limit" {
	agent 4 <<'EOF'
client.greet(exec_features=["timeout"])
equal(client.next(), None)
EOF
	local option
	for option in --cgroup '--memory 64M' '--cpus 0.5' '--pids 10'; do
		# shellcheck disable=SC2086 # two words
		run -125 "$X" $option -- true
		[[ $output == "msb-exec: ${option% *}: this agent has no control groups for sessions" ]]
	done
}

@test "cgroup: limits that are none are told by both programs" {
	local words
	for words in '--memory 0' '--memory 1x' '--cpus 0' '--cpus 0.001' '--cpus 1e3' '--cpus x' '--pids 0' '--pids -1'; do
		# shellcheck disable=SC2086 # two words
		run -125 "$X" $words -- true
		[[ ${lines[0]} == "msb-exec: ${words% *}: "* ]]
		# shellcheck disable=SC2086
		run -2 "$EXECD" --session-${words#--}
		[[ ${lines[0]} == "msb-execd: --session-"*": "* ]]
	done
	run -125 "$X" --memory 1G --attach x
	[[ $output == 'msb-exec: --memory belongs to the start of a session, not to --attach'* ]]
}
