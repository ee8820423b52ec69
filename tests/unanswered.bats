#!/usr/bin/env bats
# An agent that does not answer: every signal to msb-exec, and to the console, has its end in time.
# What takes ten seconds runs beside all that does too.

load helper

# A story is a function below; all are told together before the first test, each with a folder, a
# daemon and a mark of its own, and each test is how its story ended.
STORIES=(stopped_daemon before_it_runs terminal lets_it_decide slow_reader private old_agents signs_of_life relayed console)

setup_file() {
	local story pids=()
	TOLD=$(mktemp -d "${BATS_TMPDIR:-/tmp}/msb.XXXXXX")
	export TOLD
	[[ -z $AGENT && -z $THROUGH ]] || return 0
	for story in "${STORIES[@]}"; do
		tell "$story" >"$TOLD/$story.log" 2>&1 3>&- &
		pids+=($!)
	done
	# Each has limits of its own, and how it ended is told below.
	for story in "${pids[@]}"; do
		wait "$story" || true
	done
}

teardown_file() {
	rm -rf "$TOLD"
}

# tell STORY: to its end; what is left of it goes, and its status is in $TOLD/STORY.
tell() {
	trap - DEBUG ERR
	trap 'put_away "$?" '"$1" EXIT
	trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
	set -eE
	common_setup
	export TERM=xterm
	ulimit -c 0
	MARK=$((10000 + RANDOM)).$BASHPID
	OTHERS=()
	declare -gA PID BEGIN
	"$1"
}

# put_away STATUS STORY
put_away() {
	local status=$1 pid
	trap - ERR
	set +e
	if [[ -n $DAEMON ]]; then
		kill -CONT "$DAEMON" 2>/dev/null
	fi
	kill -KILL "${PID[@]}" 2>/dev/null
	for pid in "${OTHERS[@]}"; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	common_teardown || status=1
	echo "$status" >"$TOLD/$2"
}

# ended_well STORY
ended_well() {
	need_local "its life"
	need_direct "these stories have relays of their own"
	cat "$TOLD/$1.log" >&2
	[[ $(<"$TOLD/$1") -eq 0 ]]
}

now() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# scene NAME PROGRAM [ARG]...: in the background as ${PID[NAME]}, with signals as a shell at a
# terminal leaves them; its output is in $DIR/NAME.out and err, how and when it ended in end.
scene() {
	local name=$1
	shift
	{
		local status=0 pid
		env --default-signal "$@" <&0 >"$DIR/$name.out" 2>"$DIR/$name.err" &
		pid=$!
		echo "$pid" >"$DIR/$name.new"
		mv "$DIR/$name.new" "$DIR/$name.pid"
		wait "$pid" || status=$?
		echo "$status $(now)" >"$DIR/$name.ended"
		mv "$DIR/$name.ended" "$DIR/$name.end"
	} 3>&- <&0 &
	OTHERS+=($!)
	wait_for 30 test -s "$DIR/$name.pid"
	PID[$name]=$(<"$DIR/$name.pid")
}

# press SIGNAL NAME...: the first one, from which the time counts.
press() {
	local name
	for name in "${@:2}"; do
		BEGIN[$name]=$(now)
		# How it ends is looked at by itself.
		kill "-$1" "${PID[$name]}" 2>/dev/null || true
	done
}

runs() {
	wait_for 30 grep -q here "$DIR/$1.out"
}

# says NAME AGENT SIGNAL: the one line, not before three seconds are over.
says() {
	wait_for 30 test -s "$DIR/$1.err"
	(($(now) - BEGIN[$1] >= 2990))
	[[ $(<"$DIR/$1.err") == "msb-exec: $2 does not answer; $3 once more ends msb-exec at once, else it ends in 7 s" ]] || {
		echo "$1 says $(<"$DIR/$1.err")" >&2
		return 1
	}
}

# ends NAME STATUS FROM TO: with that status, so many milliseconds after the first signal.
ends() {
	local status at ms
	wait_for 90 test -e "$DIR/$1.end"
	read -r status at <"$DIR/$1.end"
	ms=$((at - BEGIN[$1]))
	((status == $2 && ms >= $3 && ms < $4 * SLOW)) || {
		echo "$1 ended with $status after $ms ms" >&2
		return 1
	}
}

# The daemon, which lives on, ends what was left to it.
daemon_continues() {
	kill -CONT "$DAEMON"
	wait_for 30 none_match "$MARK"
}

# drives NAME PROGRAM [ARG]...: on a terminal, by the script on stdin, in the background. How that
# went is in $DIR/NAME.end.
drives() {
	local name=$1
	shift
	cat >"$DIR/$name.script"
	{
		local status=0
		SLOW=$((3 * SLOW)) drive 24x80 "$@" <"$DIR/$name.script" >"$DIR/$name.out" 2>&1 || status=$?
		echo "$status" >"$DIR/$name.end"
	} 3>&- &
	OTHERS+=($!)
}

# went_well NAME...
went_well() {
	local name
	for name; do
		wait_for 60 test -s "$DIR/$name.end"
		[[ $(<"$DIR/$name.end") -eq 0 ]] || {
			cat "$DIR/$name.out" >&2
			return 1
		}
	done
}

# between NAME FROM TO: the script wrote what the time was then.
between() {
	local ms=$(($(<"$DIR/$1.after") - $(<"$DIR/$1.before")))
	((ms >= $2 && ms < $3 * SLOW)) || {
		echo "$1 took $ms ms" >&2
		return 1
	}
}

ctrl_c() {
	printf 'send \\x03\n'
}

stamp="date +%s%3N"

# ---- a daemon that is stopped ----

stopped_daemon() {
	daemon_start
	command=(sh -c "echo here; exec sleep $MARK")
	head -c 50000000 /dev/zero >"$DIR/input"
	# The clock that gives up a silent link by itself, without a signal, is another matter.
	scene once "$X" --keepalive 0 -- "${command[@]}" </dev/null
	scene twice "$X" --keepalive 0 -- "${command[@]}" </dev/null
	scene quit "$X" --keepalive 0 -- "${command[@]}" </dev/null
	scene quiet "$X" -q --keepalive 0 -- "${command[@]}" </dev/null
	scene other "$X" --keepalive 0 -- "${command[@]}" </dev/null
	scene input "$X" --keepalive 0 -- "${command[@]}" <"$DIR/input"
	scene flow "$X" --keepalive 0 -- sh -c "echo here; : $MARK; exec cat >/dev/null" < <(yes)
	scene hangup "$X" --keepalive 0 -- sh -c "echo here; : $MARK; exec cat >/dev/null" < <(yes)
	for name in once twice quit quiet other input flow hangup; do
		runs $name
	done
	kill -STOP "$DAEMON"
	press INT once twice other
	press QUIT quit
	press TERM quiet input flow
	press HUP hangup
	ends hangup 129 0 30000
	says twice "unix:$SOCKET" 'SIGINT (Ctrl-C)'
	press INT twice
	ends twice 130 0 6500
	# Another signal goes to the agent too; it is not the one that was named.
	says other "unix:$SOCKET" 'SIGINT (Ctrl-C)'
	kill "${PID[other]}" 2>/dev/null || true
	says once "unix:$SOCKET" 'SIGINT (Ctrl-C)'
	says quit "unix:$SOCKET" 'SIGQUIT (Ctrl-\)'
	says input "unix:$SOCKET" SIGTERM
	says flow "unix:$SOCKET" SIGTERM
	ends once 130 9990 30000
	ends other 130 9990 30000
	ends quit 131 9990 30000
	ends input 143 9990 30000
	ends flow 143 9990 30000
	ends quiet 143 9990 30000
	[[ ! -s $DIR/quiet.err && $(wc -l <"$DIR/once.err") -eq 1 ]]
	daemon_continues
}

before_it_runs() {
	daemon_start
	kill -STOP "$DAEMON"
	scene early "$X" --keepalive 0 --connect-timeout inf -- sleep "$MARK" </dev/null
	wait_for 30 connected "${PID[early]}"
	press TERM early
	ends early 143 0 30000
	# One that has greeted, and says no more.
	agent silent <<-'END'
		client.serve()
	END
	scene silent "$X" -S "unix:$DIR/silent.sock" -- true </dev/null
	wait_for 30 grep -q request "$DIR/silent.heard"
	press TERM silent
	says silent "unix:$DIR/silent.sock" SIGTERM
	press TERM silent
	ends silent 143 0 6500
	daemon_continues
}

# connected PID: it has a socket.
connected() {
	[[ $(readlink "/proc/$1/fd/"*) == *socket:* ]]
}

terminal() {
	daemon_start
	again() {
		cat <<-END
			expect does not answer; SIGINT (Ctrl-C) once more ends msb-exec
			run $stamp >$DIR/$1.before
			send \x03
			wait INT
			run $stamp >$DIR/$1.after
			modes same
		END
	}
	begins() {
		cat <<-END
			expect here
			run touch $DIR/$1.ready
			run test -e $DIR/stopped
			run $stamp >$DIR/$1.before
		END
	}
	ended() {
		cat <<-END
			expect does not answer
			wait $2
			run $stamp >$DIR/$1.after
			modes same
		END
	}
	command=(sh -c "echo here; exec sleep $MARK")
	{ begins raw && ctrl_c && ended raw INT; } | drives raw "$X" --keepalive 0 -t -- "${command[@]}"
	{ begins raw2 && ctrl_c && again raw2; } | drives raw2 "$X" --keepalive 0 -t -- "${command[@]}"
	{ begins term && echo "run kill \$PROGRAM" && ended term TERM; } | drives term "$X" --keepalive 0 -t -- "${command[@]}"
	{ begins cooked && ctrl_c && ended cooked INT; } | drives cooked "$X" --keepalive 0 -- "${command[@]}"
	{ begins cooked2 && ctrl_c && again cooked2; } | drives cooked2 "$X" --keepalive 0 -- "${command[@]}"
	for name in raw raw2 term cooked cooked2; do
		wait_for 30 test -e "$DIR/$name.ready"
	done
	kill -STOP "$DAEMON"
	touch "$DIR/stopped"
	went_well raw raw2 term cooked cooked2
	for name in raw term cooked; do
		between $name 9900 30000
	done
	between raw2 0 6500
	between cooked2 0 6500
	daemon_continues
}

lets_it_decide() {
	daemon_start
	script="trap 'sleep 11; exit 7' INT; echo here; while :; do sleep 0.1; done; : $MARK"
	scene slow "$X" -- sh -c "$script" </dev/null
	# Output that nobody takes is not silence, and what was not read is not lost.
	# shellcheck disable=SC2016 # of that shell; and no disk is to be filled, which may take seconds
	scene full bash -c 'exec "$@" > >(head -n 1; exec cat >/dev/null)' - \
		"$X" -- sh -c "trap 'exit 7' TERM; echo here; yes & wait" </dev/null
	drives keys "$X" -t -- sh -c "$script" <<-END
		expect here
		send \x03
		wait 7
		absent does not answer
	END
	runs slow
	runs full
	press INT slow
	press TERM full
	ends full 7 0 30000
	ends slow 7 10900 60000
	cat "$DIR/slow.err" "$DIR/full.err"
	[[ ! -s $DIR/slow.err && ! -s $DIR/full.err ]]
	went_well keys
}

slow_reader() {
	daemon_start
	mkfifo "$DIR/pipe"
	scene reader sh -c 'exec "$@" >"$0"' "$DIR/pipe" "$X" -- \
		sh -c "trap 'sleep 12; exit 7' TERM; echo here >&2; while :; do head -c 65536 /dev/zero; done; : $MARK" </dev/null
	exec 4<"$DIR/pipe"
	wait_for 30 grep -q here "$DIR/reader.err"
	# Nor does it hide that a command has ended, of an agent that knows no credit.
	agent ahead <<-END
		client.start()
		client.expect("core.exec.stdin")
		open("$DIR/sends", "w").close()
		client.send(frame("core.exec.stdout", client.id, {"data": bytes(65536)}) * 64)
		equal(client.expect("core.exec.signal").signal, 15)
		client.exit(-1, signal=15)
	END
	scene ahead sh -c 'exec "$@" >"$0"' "$DIR/pipe" "$X" -S "unix:$DIR/ahead.sock" -- true </dev/null
	wait_for 30 test -e "$DIR/sends"
	press TERM reader ahead
	ends ahead 143 0 30000
	# The agent has been asked for 11 s, and msb-exec could have read the answer.
	wait_for 30 after reader 11500
	[[ $(<"$DIR/reader.err") != *answer* ]]
	kill -0 "${PID[reader]}"
	cat <&4 >/dev/null
	exec 4<&-
	ends reader 7 11500 60000
	[[ $(<"$DIR/reader.err") != *answer* ]]
}

# after NAME MS: so long ago it got its signal.
after() {
	(($(now) - BEGIN[$1] >= $2))
}

# ---- private daemons and other transports ----

private() {
	# A sanitizer that looks for leaks stops its process for that, at its end, and waits for ever if somebody
	# lets it go on just then; who ends a daemon that was stopped does.
	export ASAN_OPTIONS=detect_leaks=0
	head -c 50000000 /dev/zero >"$DIR/input"
	# The command's parent is the daemon.
	script="echo here; until [ -e $DIR/stop ]; do sleep 0.05; done; kill -STOP \$PPID; exec sleep $MARK"
	scene once "$X" --keepalive 0 --local -- sh -c "$script" </dev/null
	scene twice "$X" --keepalive 0 --local -- sh -c "$script" <"$DIR/input"
	scene hangup "$X" --keepalive 0 --local -- sh -c "$script" </dev/null
	scene beneath "$X" --keepalive 0 -S "exec:sh -c '$EXECD --listen stdio:; : $MARK'" -- sh -c "$script" </dev/null
	BEGIN[limit]=$(now)
	scene limit timeout $((6 * SLOW)) "$X" --keepalive 0 --local -- sh -c "kill -STOP \$PPID; exec sleep $MARK" <"$DIR/input"
	for name in once twice hangup beneath; do
		runs $name
	done
	touch "$DIR/stop"
	for name in once twice hangup beneath; do
		wait_for 30 stopped_below "${PID[$name]}"
	done
	press TERM once twice beneath
	press HUP hangup
	ends hangup 129 0 30000
	says twice local: SIGTERM
	press TERM twice
	ends twice 143 0 6500
	ends once 143 9990 30000
	ends beneath 143 9990 30000
	ends limit 124 15990 60000
	[[ $(<"$DIR/limit.err") == 'msb-exec: local: does not answer; SIGTERM once more ends msb-exec at once, else it ends in 7 s' ]]
	wait_for 30 none_match "$MARK"
}

# stopped_below PID: something that it started is.
stopped_below() {
	ps -eo stat=,ppid=,pid= | awk -v top="$1" '
		{ state[$3] = $1; parent[$3] = $2 }
		END {
			for (pid in state)
				for (at = parent[pid]; at > 1; at = parent[at])
					if (at == top && state[pid] ~ /^T/) exit 0
			exit 1
		}'
}

# ---- agents that are not ours ----

# agent NAME: one that does what the Python on stdin says with its client, and then hears it out, at
# $DIR/NAME.sock; see agent.py. What it hears is in $DIR/NAME.heard.
agent() {
	cat >"$DIR/$1.agent"
	{
		cat <<-END
			heard = open("$DIR/$1.heard", "a", buffering=1)
			def next(limit=None, take=client.next):
			    got = take(limit)
			    print(got, file=heard)
			    return got
			client.next = next
			def over():
			    return os.path.exists("$DIR/$1.end")
			def until(condition):
			    while not condition():
			        time.sleep(0.02)
		END
		cat "$DIR/$1.agent"
	} >"$DIR/$1.script"
	SLOW=$((2 * SLOW)) python3 -B "$BATS_TEST_DIRNAME/agent.py" "$DIR/$1.sock" <"$DIR/$1.script" \
		2>"$DIR/$1.log" 3>&- &
	OTHERS+=($!)
	wait_for 30 test -S "$DIR/$1.sock"
}

# against NAME [ARG]...: msb-exec with the agent of that name.
against() {
	scene "$1" "$X" -S "unix:$DIR/$1.sock" "${@:2}" -- true
	runs "$1"
}

old_agents() {
	head -c 50000000 /dev/zero >"$DIR/input"
	local here='client.tell("core.exec.stdout", {"data": b"here\n"})'
	# None of these reads what is sent once the command runs.
	for name in old twice; do
		agent $name <<<"client.start(v=5); $here; until(over); client.close()"
		against $name </dev/null
	done
	agent full <<<"client.start(v=5); $here; until(over); client.close()"
	agent nocredit <<<"client.start(); $here; until(over); client.close()"
	# It prints all the while, which does not say that it reads.
	agent talks <<-END
		client.start()
		while not over():
		    $here
		    time.sleep(0.2)
		client.close()
	END
	for name in full nocredit talks; do
		against $name <"$DIR/input"
	done
	wait_for 30 queued "${PID[talks]}"
	press TERM old twice full nocredit talks
	says twice "unix:$DIR/twice.sock" SIGTERM
	press TERM twice
	ends twice 143 0 6500
	for name in old full nocredit talks; do
		says $name "unix:$DIR/$name.sock" SIGTERM
		ends $name 143 9990 30000
	done
}

# queued PID: its input has been read as far as it is read ahead.
queued() {
	[[ $(awk '/^pos/ { print $2 }' "/proc/$1/fdinfo/0") -gt 262144 ]]
}

signs_of_life() {
	local later='until(lambda: time.monotonic() - began > 11.5); client.exit(7)'
	local begin='client.start(); client.tell("core.exec.stdout", {"data": b"here\n"}); client.expect("core.exec.stdin")
equal(client.expect("core.exec.signal").signal, 15); began = time.monotonic()'
	# The answer to the ping, and then silence.
	agent pong <<-END
		$begin
		ping = client.next()
		equal(ping.type, "core.ping")
		client.send(frame("core.pong", ping.id))
		$later
	END
	# The same, when the line has been said.
	agent late <<-END
		$begin
		ping = client.next()
		until(lambda: os.path.getsize("$DIR/late.err"))
		client.send(frame("core.pong", ping.id))
		$later
	END
	# Of one too old for a ping, what its command says then.
	agent old <<-END
		${begin/start()/start(v=5)}
		client.tell("core.exec.stdout", {"data": b"caught\n"})
		$later
	END
	for name in pong late old; do
		against $name </dev/null
	done
	press TERM pong late old
	says late "unix:$DIR/late.sock" SIGTERM
	for name in pong late old; do
		ends $name 7 11400 60000
	done
	[[ ! -s $DIR/pong.err && ! -s $DIR/old.err && $(wc -l <"$DIR/late.err") -eq 1 ]]
}

# ---- through the relay ----

relayed() {
	THROUGH=relay daemon_start
	command=(sh -c "echo here; exec sleep $MARK")
	head -c 50000000 /dev/zero >"$DIR/input"
	scene once "$X" --keepalive 0 -- "${command[@]}" </dev/null
	scene twice "$X" --keepalive 0 -- "${command[@]}" </dev/null
	scene input "$X" --keepalive 0 -- "${command[@]}" <"$DIR/input"
	dead_behind_relay
	scene dead "$X" --keepalive 0 -S "unix:$DIR/dead.relay" -- true <"$DIR/input"
	for name in once twice input dead; do
		runs $name
	done
	wait_for 30 queued "${PID[dead]}"
	kill -STOP "$DAEMON"
	press INT once twice
	press TERM input dead
	says twice "unix:$SOCKET" 'SIGINT (Ctrl-C)'
	press INT twice
	ends twice 130 0 6500
	says once "unix:$SOCKET" 'SIGINT (Ctrl-C)'
	says input "unix:$SOCKET" SIGTERM
	says dead "unix:$DIR/dead.relay" SIGTERM
	ends once 130 9990 30000
	ends input 143 9990 30000
	ends dead 143 9990 30000
	daemon_continues
}

# An agent without keys of ours that starts one command and reads no more, behind a relay of its own
# at $DIR/dead.relay.
dead_behind_relay() {
	PYTHONPATH=$BATS_TEST_DIRNAME python3 -B - "$DIR/dead.sock" 2>"$DIR/dead.log" 3>&- <<-'PY' &
		import sys, time
		from wire import Stream, frame, listen, ready
		stream = Stream(listen(sys.argv[1]).accept()[0], 60)
		stream.send(ready(7))
		while (got := stream.next()).type != "core.exec.request":
		    if got.type == "core.ping":
		        stream.send(frame("core.pong", got.id))
		stream.send(frame("core.exec.started", got.id, {"pid": 5}))
		stream.send(frame("core.exec.stdout", got.id, {"data": b"here\n"}))
		time.sleep(120)
	PY
	OTHERS+=($!)
	wait_for 30 test -S "$DIR/dead.sock"
	"$RELAYD" --agent "unix:$DIR/dead.sock" --listen "unix:$DIR/dead.relay" 2>>"$DIR/dead.log" 3>&- &
	OTHERS+=($!)
	wait_for 30 test -S "$DIR/dead.relay"
}

# ---- the console ----

# stopped NUMBER: so many of $DIR/daemons are.
stopped() {
	local pid
	[[ -e $DIR/daemons && $(wc -l <"$DIR/daemons") -eq $1 ]] || return
	while read -r pid; do
		[[ $(ps -o stat= -p "$pid") == T* ]] || return
	done <"$DIR/daemons"
}

console() {
	[[ -x $CONSOLE ]] || return 0
	export HOME=$DIR/home XDG_STATE_HOME=$DIR/state
	unset PROMPT_COMMAND
	mkdir "$HOME"
	# The parent of the guest's shell is the private daemon.
	local line="echo he\"\"re; until [ -e $DIR/stop ]; do sleep 0.05; done; echo \$PPID >>$DIR/daemons; kill -STOP \$PPID; sleep $MARK"
	begins() {
		cat <<-END
			expect @
			send ${line// /\\s}\r
			expect here
			run touch $DIR/$1.ready
			run test -e $DIR/stopped
			send \x03
			expect msb-exec-console: local: does not answer; SIGINT (Ctrl-C) once more ends the console
			run $stamp >$DIR/$1.before
		END
	}
	ended() {
		cat <<-END
			wait INT
			run $stamp >$DIR/$1.after
			modes same
		END
	}
	{ begins once && ended once; } | drives once "$X" --console --keepalive 0 -e HOME --local
	{ begins twice && ctrl_c && ended twice; } | drives twice "$X" --console --keepalive 0 -e HOME --local
	scene script "$X" --console --keepalive 0 --local -c "$line" </dev/null
	runs script
	for name in once twice; do
		wait_for 30 test -e "$DIR/$name.ready"
	done
	touch "$DIR/stop"
	wait_for 30 stopped 3
	touch "$DIR/stopped"
	press INT script
	went_well once twice
	between once 3500 30000
	between twice 0 6500
	ends script 130 9990 30000
	[[ $(<"$DIR/script.err") == 'msb-exec: local: does not answer; SIGINT (Ctrl-C) once more ends msb-exec at once, else it ends in 7 s' ]]
	wait_for 30 none_match "$MARK"
}

# ---- how they ended ----

@test "unanswered: a stopped daemon is said after 3 s; the signal once more, or 7 s more, is the end" {
	ended_well stopped_daemon
}

@test "unanswered: before the command is known to run it is the same, and an agent that never greets is left at once" {
	ended_well before_it_runs
}

@test "unanswered: on a terminal Ctrl-C is heard too, and the modes are restored" {
	ended_well terminal
}

@test "unanswered: an agent that is there lets the command decide, however long it takes" {
	ended_well lets_it_decide
}

@test "unanswered: a reader that takes nothing makes no lost agent" {
	ended_well slow_reader
}

@test "unanswered: a private daemon or a transport that is stopped is ended with msb-exec" {
	ended_well private
}

@test "unanswered: an agent too old for a ping, and one without credit that takes no input" {
	ended_well old_agents
}

@test "unanswered: whatever shows that an agent lives leaves the end to the command" {
	ended_well signs_of_life
}

@test "unanswered: through msb-relayd, and an agent without credit that has died behind it" {
	ended_well relayed
}

@test "unanswered: the console's line is the same, at a terminal and without one" {
	[[ -x $CONSOLE ]] || skip "built without readline"
	ended_well console
}
