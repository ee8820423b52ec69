#!/usr/bin/env bats
# --json and --result on the ways out that others decide: signals, keys, daemons and relays that die, sessions that
# are kept, left, lost and come back to, readers that go.

load helper
load agent
load json

setup() {
	common_setup
	json_setup
	MARK=$(mark)
	CUTTER=
	export TERM=xterm
}

teardown() {
	local pid
	[[ -z $CUTTER ]] || { kill "$CUTTER" && wait "$CUTTER"; } 2>/dev/null || true
	# What a failed test has left here.
	for pid in $(jobs -p); do
		[[ $pid -eq ${DAEMON:-0} || $pid -eq ${RELAY:-0} || $pid -eq ${CHARDEV:-0} || $pid -eq ${FAKE:-0} ]] ||
			kill -KILL "$pid" 2>/dev/null || true
	done
	agent_end
	nothing_unfinished
	common_teardown
}

# begin NAME ARG...: msb-exec in the background, $PID, with signals as a shell at a terminal leaves them. Its files are
# made once the background has its turn: until then what an earlier one of that name printed would stand for it.
begin() {
	rm -f "$DIR/$1.out" "$DIR/$1.err" "$DIR/$1.result"
	env --default-signal "$X" --json --result "$DIR/$1.result" "${@:2}" >"$DIR/$1.out" 2>"$DIR/$1.err" </dev/null 3>&- 4>&- &
	PID=$!
}

# prints NAME WORD: some object that it has printed has it.
prints() {
	wait_for 20 grep -q -- "$2" "$DIR/$1.out"
}

# told NAME STATUS REASON [ARG]...: so $PID has ended, and so it is told; more for json().
told() {
	ends "$2" wait "$PID"
	told_so "$@"
}

# told_so: the same of one that has ended.
told_so() {
	# shellcheck disable=SC2034 # for agrees
	local REASON=$3
	json -r "$DIR/$1.result" -c "$DIR/$1.err" "${@:4}" "$DIR/$1.out" "status=$2" "reason=$3"
	agrees "$DIR/$1.out" "$DIR/$1.result"
}

# object NAME JQ: what jq makes of the objects that were printed.
object() {
	jq -r "$2" "$DIR/$1.out"
}

# cutter CUTS BYTES: at $DIR/cut, in front of the daemon.
cutter() {
	python3 -B "$BATS_TEST_DIRNAME/cutter.py" "$DIR/cut" "$SOCKET" "$DIR/cuts" 1 "$@" 2>>"$DIR/daemon.log" 3>&- 4>&- &
	CUTTER=$!
	wait_for 5 test -S "$DIR/cut"
}

cutter_dies() {
	kill -KILL "$CUTTER"
	wait "$CUTTER" || true
	CUTTER=
	rm "$DIR/cut"
}

# ---- signals ----

@test "json_ways: a signal that is passed on and ends the command is a cancellation, of which msb-exec dies" {
	local name
	daemon_start
	for name in INT TERM QUIT USR1 USR2; do
		begin "$name" -- sh -c 'echo here; exec sleep 1000'
		prints "$name" here
		kill "-$name" "$PID"
		told "$name" $((128 + $(kill -l "$name"))) cancelled
		json "$DIR/$name.out" type=exited signal="$(kill -l "$name")" signal_name="$name" message=null
	done
}

@test "json_ways: a command that decides otherwise has its own end" {
	daemon_start
	begin x -- sh -c 'trap "echo bye; exit 7" INT; echo here; while :; do sleep 0.02; done'
	prints x here
	kill -INT "$PID"
	told x 7 exited
	[[ $(object x 'select(.type == "stdout").text' | tr -d '\n') == herebye ]]
}

@test "json_ways: HUP leaves, and three TERMs do" {
	daemon_start
	begin hup -- sh -c 'echo here; exec sleep 1000'
	prints hup here
	kill -HUP "$PID"
	told hup 129 cancelled
	json "$DIR/hup.out" type=failed code=null
	begin thrice -- sh -c "trap '' TERM; echo here; while :; do sleep 0.02; done; : $MARK"
	prints thrice here
	# As many as it takes until three are within two seconds.
	while kill -TERM "$PID" 2>/dev/null; do
		sleep 0.02
	done
	told thrice 125 cancelled
	json "$DIR/thrice.out" type=failed
	[[ $(last message) == "gave up after three signals"* ]]
	wait_for 20 none_match "$MARK"
}

@test "json_ways: a signal before there is an agent, or a command" {
	agent 2 <<-'END'
		if turn:
		    client.serve()
		open(f"{os.environ['DIR']}/came{turn}", "w").close()
	END
	begin x --connect-timeout inf -- sleep 1000
	wait_for 20 test -e "$DIR/came0"
	kill -TERM "$PID"
	told x 143 cancelled
	json "$DIR/x.out" type=failed stdout_bytes=0
	begin y -- sleep 1000
	wait_for 20 test -e "$DIR/came1"
	kill -HUP "$PID"
	told y 129 cancelled
	json "$DIR/y.out" type=failed stdout_bytes=0
	agent_done
}

@test "json_ways: Ctrl-C with an agent that does not answer" {
	need_local "its life"
	daemon_start
	begin x -- sh -c 'echo here; exec sleep 1000'
	prints x here
	kill -STOP "$DAEMON"
	kill -INT "$PID"
	wait_for 20 test -s "$DIR/x.err"
	kill -INT "$PID"
	told x 130 cancelled
	kill -CONT "$DAEMON"
	json "$DIR/x.out" type=failed
}

# ---- who dies ----

@test "json_ways: a daemon that is killed in the midst, and a relay" {
	need_local "its life"
	daemon_start
	begin x -- sh -c "echo here; exec sleep $MARK"
	prints x here
	kill -KILL "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	told x 125 lost
	json "$DIR/x.out" type=failed stdout_bytes=5
	guest_kill KILL "sleep $MARK"
	rm -f "$SOCKET"
	THROUGH=relay
	daemon_start
	begin y -- sh -c "echo here; exec sleep $MARK"
	prints y here
	kill -KILL "$RELAY"
	wait "$RELAY" || true
	RELAY=
	told y 125 lost
	json "$DIR/y.out" type=failed stdout_bytes=5
	wait_for 20 none_match "^sleep $MARK"
}

@test "json_ways: a connection that is lost, and found again" {
	daemon_start
	cutter 5 200000
	ends 9 "$X" -S "unix:$DIR/cut" -n --json --result "$DIR/x.result" --on-disconnect keep --reconnect 1m -- sh -c \
		'seq 100000; exit 9' >"$DIR/x.out" 2>"$DIR/x.err"
	seq 100000 >"$DIR/wanted"
	told_so x 9 exited -o "$DIR/wanted"
	# Some are cut while they come back, and that is no news.
	away=$(object x .type | grep -cx away)
	[[ $away -ge 1 && $away -le $(wc -l <"$DIR/cuts") && $(object x .type | grep -cx back) -eq $away ]]
	[[ $(last session) =~ ^[0-9a-f]{12}$ ]]
}

@test "json_ways: a connection that is not found again, and one that somebody gives up" {
	daemon_start
	cutter 0 1
	begin x -S "unix:$DIR/cut" --on-disconnect keep --reconnect 300ms --name kept.one -- sh -c "echo here; exec sleep $MARK"
	prints x here
	cutter_dies
	told x 125 lost
	json "$DIR/x.out" type=failed name=kept.one
	[[ $(last hint) == *"--attach kept.one"* ]]
	[[ $(object x .type | tail -n 2 | tr '\n' ' ') == "away failed " ]]
	cutter 0 1
	begin y -S "unix:$DIR/cut" --attach kept.one --reconnect 1h
	prints y attached
	cutter_dies
	prints y away
	kill -TERM "$PID"
	told y 143 cancelled
	json "$DIR/y.out" type=failed
	"$X" --kill kept.one
	ends 143 "$X" --wait kept.one
}

# ---- kept sessions ----

@test "json_ways: -d, and what is left is waited for, looked at, and come back to" {
	daemon_start
	begin d -d --name one -- sh -c "echo here; echo err >&2; read x; exit 5"
	told d 0 detached
	json "$DIR/d.out" type=detached code=null name=one
	[[ $(object d .type | tr '\n' ' ') == "started detached " ]]
	id=$(last session)
	way_out 0 detached type=detached session="$id" name=one -- --logs one
	wait_for 20 eval '"$X" --logs one 2>&1 | grep -q err'
	way_out 0 detached stdout_bytes=5 stderr_bytes=4 -- --logs "$id"
	begin a -n --attach one
	first=$PID
	prints a here
	begin b -n --attach one --watch
	prints b attached
	echo go | "$X" --send one
	told b 5 exited
	json "$DIR/b.out" type=exited session="$id" name=one
	PID=$first
	told a 5 exited
	[[ $(object a .type | head -n 1) == attached ]]
	run -127 "$X" -d --json -- /no/such
	[[ $(jq -r .reason <<<"${lines[0]}") == not_found ]]
}

@test "json_ways: --wait has the session's end, and --logs of one that has ended" {
	daemon_start
	id=$("$X" -d -n -- sh -c 'echo here; exit 5')
	wait_for 20 eval '"$X" --sessions | grep -q "exited\|ended"' || "$X" --sessions
	ends 0 "$X" --json --result "$DIR/l.result" --logs "$id" >"$DIR/l.out" 2>"$DIR/l.err"
	json -r "$DIR/l.result" "$DIR/l.out" status=0 type=exited reason=exited code=5 stdout_bytes=5
	begin w --wait "$id"
	told w 5 exited
	json "$DIR/w.out" type=exited code=5 stdout_bytes=0 session="$id"
	id=$("$X" -d -- sleep 1000)
	begin w --wait "$id"
	prints w attached
	"$X" --kill "$id" --signal KILL
	told w 137 signal
}

@test "json_ways: a session that somebody else attached to, or that was removed" {
	daemon_start
	id=$("$X" -d -- sh -c 'echo here; exec sleep 1000')
	begin a --attach "$id"
	prints a here
	first=$PID
	begin b --attach "$id"
	prints b here
	second=$PID
	PID=$first
	told a 125 detached
	json "$DIR/a.out" type=failed
	[[ $(last message) == *"attached elsewhere" ]]
	"$X" --kill "$id"
	PID=$second
	told b 143 signal
	agent 3 <<<'client.attach(); client.let_go("removed")'
	way_out 125 detached type=failed message='session 0123456789ab was removed' -- --wait work
	agent_done
}

# ---- at a terminal ----


# at NAME OPTION...: a command with the terminal.
at() {
	drive 24x80 sh -c 'x=$1 name=$2; shift 2; exec "$x" -tt --json --result "$name.result" "$@" >"$name.out"' sh \
		"$X" "$DIR/$1" "${@:2}" -- sh -c "echo here; exec sleep $MARK"
}

@test "json_ways: ~. and the detach keys" {
	daemon_start
	at dot <<-END
		run grep -q here $DIR/dot.out
		send \r~.
		expect msb-exec: disconnected
		wait 125
		modes same
	END
	json -p -r "$DIR/dot.result" "$DIR/dot.out" type=failed reason=cancelled status=125
	wait_for 20 none_match "^sleep $MARK"
	at keys <<-END
		run grep -q here $DIR/keys.out
		send \x1d\x1d\x1d
		expect msb-exec: detached
		wait 0
		modes same
	END
	json -p -r "$DIR/keys.result" "$DIR/keys.out" type=detached reason=detached status=0
	[[ $(last session) =~ ^[0-9a-f]{12}$ && $(last message) == "detached: msb-exec --attach "* ]]
	"$X" --kill "$(last session)" --signal KILL
	wait_for 20 none_match "^sleep $MARK"
}

@test "json_ways: Ctrl-C is the command's key on its terminal, and ours on another" {
	daemon_start
	at key <<-END
		run grep -q here $DIR/key.out
		send \x03
		wait 130
		modes same
	END
	json -p -r "$DIR/key.result" "$DIR/key.out" type=exited reason=signal status=130 signal_name=INT
	drive 24x80 sh -c "exec $X --json --result $DIR/ours.result -- sh -c 'echo here; exec sleep $MARK' >$DIR/ours.out" <<-END
		run grep -q here $DIR/ours.out
		send \x03
		wait INT
	END
	json -r "$DIR/ours.result" "$DIR/ours.out" type=exited reason=cancelled status=130 signal_name=INT
}

@test "json_ways: a terminal of the command's is told, and its output is one stream" {
	daemon_start
	"$X" -tt --json --result "$DIR/t.result" -- sh -c 'echo out; echo err >&2; exit 4' >"$DIR/t.out" 2>"$DIR/t.err" </dev/null || true
	printf 'out\r\nerr\r\n' >"$DIR/wanted"
	told_so t 4 exited -o "$DIR/wanted"
	[[ $(object t 'select(.type == "started").tty') == true ]]
}

# ---- readers that go ----

@test "json_ways: a reader that goes away, of lines and of the raw output" {
	daemon_start
	"$X" -n --json --result "$DIR/r" -- yes 2>"$DIR/err" | head -c 100 >"$DIR/out"
	json -1 "$DIR/r" type=exited reason=signal status=141 signal_name=PIPE
	[[ ! -s $DIR/err ]]
	"$X" -n --result "$DIR/r" -- yes 2>"$DIR/err" | head -n 1 >"$DIR/out"
	json -1 "$DIR/r" type=exited reason=signal status=141
	# Nobody reads a command that says nothing more: the result is there all the same.
	"$X" -n --json --result "$DIR/r" -- sh -c 'echo a; exit 3' 2>"$DIR/err" | true
	json -1 "$DIR/r" code=3 || json -1 "$DIR/r" signal_name=PIPE
}

@test "json_ways: no stdout, no stdin, no stderr" {
	daemon_start
	ends 125 bash -c '"$@" >&-' bash "$X" -n --json --result "$DIR/r" -- echo out 2>"$DIR/err"
	json -1 -c "$DIR/err" "$DIR/r" type=failed reason=io
	bash -c '"$@" <&-' bash "$X" --json --result "$DIR/r" -- cat >"$DIR/out"
	json -r "$DIR/r" "$DIR/out" status=0
	ends 125 bash -c '"$@" 2>&-' bash "$X" -n --json --result "$DIR/r" -S "unix:$DIR/none" -- cat >"$DIR/out"
	json -r "$DIR/r" "$DIR/out" reason=unreachable
	ends 125 bash -c '"$@" >&-' bash "$X" --json --result "$DIR/r" --bogus 2>"$DIR/err"
	json -1 "$DIR/r" reason=usage
}
