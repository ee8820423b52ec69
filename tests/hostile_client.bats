#!/usr/bin/env bats
# What one client takes for itself, others do not lack: for each of what there is, how much of it one may
# have, the words for who wants more, and that another client is served meanwhile (hostile_client.py).

load helper

setup() {
	common_setup
	need_local "the options of a daemon of our own"
	need_direct "each daemon has tests of its own here"
}

teardown() {
	common_teardown
}

# hostile SCENE...: plays these, each beside a client who is served.
hostile() {
	DIR=$DIR RELAY=$RELAY python3 -B "$ROOT/tests/hostile_client.py" "$SOCKET" "$DAEMON" "$X" "$@"
}

# relayed_start OPTION...: a daemon behind a relay with these options, which is open to anybody.
relayed_start() {
	chardev_start
	"$EXECD" -l "serial:$DIR/port" --max-kept-of-user 4 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	relay_start "$DIR/chardev" "$@"
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	chmod 666 "$SOCKET"
	wait_for 5 daemon_answers
}

@test "hostile client: connections that say nothing make way, once there is no room" {
	daemon_start --max-connections 6
	hostile silent
}

@test "hostile client: of what root is to have there is some left, whatever others take" {
	need_root
	daemon_start --allow-uid 65534 --allow-uid 65533 --max-connections 32 --max-sessions 32 \
		--max-connections-of-user 24 --max-sessions-of-user 20 --max-kept-of-user 4
	chmod 666 "$SOCKET"
	hostile user_connections user_silent user_sessions reserve kept_sessions
	daemon_stop
	WRAP=(prlimit --nofile=256:256)
	daemon_start --allow-uid 65534 --allow-uid 65533 --max-memory 24M
	chmod 666 "$SOCKET"
	hostile half_frames deaf descriptors
}

@test "hostile client: of the relay's ranges and sessions, too" {
	need_root
	relayed_start --allow-uid 65534 --max-sessions-of-user 5
	hostile relay_silent relay_sessions relay_kept time_share
}

@test "hostile client: nobody waits for all that another one has said, and the log does not grow with it" {
	need_root
	daemon_start --allow-uid 65534
	chmod 666 "$SOCKET"
	hostile time_share one_frame log_volume
}
