#!/usr/bin/env bats
# Sessions that outlive their client, end to end: left, lost in every way and come back to, with each
# byte once. With CUTS=N streams are cut so often, with SEED=N in the same places again.

load helper
load agent

setup() {
	common_setup
	MARK=$(mark)
	CUTS=${CUTS:-10}
	SEED=${SEED:-$RANDOM}
	CUTTER=
}

teardown() {
	local pid
	[[ -z $CUTTER ]] || { kill "$CUTTER" && wait "$CUTTER"; } || true
	# What a failed test has left here.
	for pid in $(jobs -p); do
		[[ $pid -eq ${DAEMON:-0} || $pid -eq ${RELAY:-0} || $pid -eq ${CHARDEV:-0} || $pid -eq ${FAKE:-0} ]] ||
			kill -KILL "$pid" 2>/dev/null || true
	done
	agent_end
	common_teardown
}

# entry ID KEY...: of --sessions; fails if there is no such session.
entry() {
	"$X" --sessions --json | python3 -c 'import json, sys
for line in sys.stdin:
    entry = json.loads(line)
    if sys.argv[1] in (entry["id"], entry.get("name")):
        for key in sys.argv[2:]:
            entry = entry[key]
        print(entry)
        sys.exit()
sys.exit(1)' "$@"
}

# is_attached ID COUNT
is_attached() {
	[[ $(entry "$1" attached) -eq $2 ]]
}

# holds FILE BYTES: it has at least so many.
holds() {
	[[ -e $1 && $(stat -c %s "$1") -ge $2 ]]
}

size() {
	stat -c %s "$1"
}

# steadily COUNT [MAP]: a counter of so many thousand lines, not all at once.
STEADILY='i=0; while [ $i -lt $0 ]; do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); i=$((i + 1)); sleep 0.01; done'
steadily() {
	sh -c "$STEADILY" "$1"
}

same_count() {
	cmp <(seq 1 "$1") "$2"
}

# ended STATUS PID: of a client in the background.
ended() {
	local status=0
	wait "$2" || status=$?
	[[ $status -eq $1 ]] || {
		echo "ended with $status, not $1" >&2
		return 1
	}
}

# ---- left ----

@test "kept: -d returns at once with the session's id alone, and the command runs" {
	daemon_start
	timed "$X" -d -- sleep "$MARK" >"$DIR/id" 2>"$DIR/err"
	[[ $(<"$DIR/id") =~ ^[0-9a-f]{12}$ && $(size "$DIR/id") -eq 13 && ! -s $DIR/err ]]
	matches 1 "^sleep $MARK"
	[[ $(entry "$(<"$DIR/id")" attached) -eq 0 ]]
	"$X" --kill "$(<"$DIR/id")"
	run -143 "$X" --wait "$(<"$DIR/id")"
	[[ -z $output ]]
	none_match "^sleep $MARK"
}

@test "kept: -d of what cannot run is told as ever, and prints no id" {
	daemon_start
	run -127 --separate-stderr "$X" -d -- /no/such
	[[ -z $output && $stderr == *no/such* ]]
	run -126 --separate-stderr "$X" -d -- /etc/passwd
	[[ -z $output && -n $stderr ]]
	run -0 "$X" --sessions --json
	[[ -z $output ]]
}

@test "kept: -d in a substitution does not wait for the command, which has none of our descriptors" {
	daemon_start
	x=$("$X" -d -- sh -c "sleep $MARK" 2>&1 </dev/null)
	[[ $x =~ ^[0-9a-f]{12}$ ]]
	y=$(printf 'not for it\n' | timeout $((20 * SLOW)) "$X" -d -- sh -c "cat; sleep $MARK")
	[[ $y =~ ^[0-9a-f]{12}$ ]]
	wait_for 5 matches 1 "^sleep $MARK"
	# Its stdin is open, and -n has ended it from the start.
	z=$("$X" -d -n -- cat)
	run -0 "$X" --wait "$z"
	"$X" --kill "$x" --signal KILL
	run -137 "$X" --wait "$x"
	"$X" --send "$y" --eof </dev/null
	wait_for 5 matches 1 "^sleep $MARK"
	[[ $("$X" --logs "$y") == '' ]]
	"$X" --kill "$y"
	run -143 "$X" --wait "$y"
}

@test "kept: --sessions is a table, and an object of JSON a line" {
	daemon_start
	run -0 "$X" --sessions
	empty=$output
	one=$("$X" -d --name web.1 -- sleep "$MARK")
	two=$("$X" -d -- sh -c 'exit 3')
	run -3 "$X" --attach "$two"
	run -0 "$X" --sessions
	[[ $output == *ID*NAME*USER*PID*STATE*AGE*CPU*ATTACHED*COMMAND* && $output == *"$one"*web.1*"sleep $MARK"* ]]
	[[ $empty != *"$one"* ]]
	[[ $(entry web.1 pid) == "$(pgrep -f "^sleep $MARK")" ]]
	"$X" --kill web.1
	run -143 "$X" --wait web.1
}

@test "kept: what is wrong with a session's name is said, and its status is 125" {
	daemon_start
	for way in --attach --wait --logs --send --kill --remove; do
		run -125 "$X" "$way" nothing </dev/null
		[[ $output == "msb-exec: no such session: nothing" ]]
	done
	run -125 "$X" --attach nothing --watch
	[[ $output == "msb-exec: no such session: nothing" ]]
}

@test "kept: an agent that cannot keep sessions is told nothing, and that is said" {
	for options in '-d -- true' --sessions '--attach x' '--attach x --watch' '--wait x' '--logs x' '--send x' '--kill x' '--remove x'; do
		agent <<<'client.greet()
equal(client.hear_out(), [])'
		# shellcheck disable=SC2086 # words
		run -125 "$X" $options </dev/null
		[[ $output == *'this agent cannot keep sessions'* ]]
		agent_done
	done
}

# ---- lost ----

# killed OPTION...: a client is killed in the midst of its output, and another one goes on behind it.
killed() {
	local i
	for ((i = 0; i < CUTS; i++)); do
		: >"$DIR/out"
		rm -f "$DIR/dead"
		# However late it is killed, it has not ended before.
		"$X" "$@" -n --on-disconnect keep --name "k$i" --reconnect 1h -- sh -c \
			"$STEADILY; until [ -e $DIR/dead ]; do sleep 0.02; done; exit 9" 40 >>"$DIR/out" &
		client=$!
		wait_for 20 holds "$DIR/out" $((RANDOM % 6 * 30000 + 1))
		kill -KILL "$client"
		ended 137 "$client"
		touch "$DIR/dead"
		at=$(size "$DIR/out")
		status=0
		"$X" --attach "k$i" -n --since "$at" >>"$DIR/out" || status=$?
		[[ $status -eq 9 ]]
		tr -d '\r' <"$DIR/out" >"$DIR/plain"
		same_count 40000 "$DIR/plain"
	done
}

@test "kept: SIGKILL of its client, and each byte of its output is there once" {
	daemon_start
	killed
}

@test "kept: the same of a terminal" {
	daemon_start --replay 64K
	killed -tt
}

@test "kept: the same through a relay" {
	THROUGH=relay
	daemon_start
	killed
}

# cut [OPTION...]: a client whose connection is cut comes back by itself, with each byte once both ways.
cut() {
	count=$((100000 + 3000 * CUTS))
	seq 1 $count >"$DIR/data"
	echo "CUTS=$CUTS SEED=$SEED" >&2
	python3 -B "$BATS_TEST_DIRNAME/cutter.py" "$DIR/cut" "$SOCKET" "$DIR/cuts" "$SEED" "$CUTS" "$(size "$DIR/data")" \
		2>>"$DIR/daemon.log" 3>&- &
	CUTTER=$!
	wait_for 5 test -S "$DIR/cut"
	: >"$DIR/out"
	# Nothing is typed before the terminal takes all as it is.
	{
		wait_for 20 holds "$DIR/out" 3
		cat "$DIR/data"
		# Its end is seen only once all is there.
		wait_for $((50 + CUTS)) test -e "$DIR/done"
	} | {
		ended_with=0
		"$X" -S "unix:$DIR/cut" "$@" --on-disconnect keep --reconnect 1m -- sh -c \
			"[ ! -t 0 ] || stty raw -echo; echo go; head -c $(size "$DIR/data") | tee $DIR/in; touch $DIR/done; exit 9" \
			>>"$DIR/out" 2>"$DIR/err" || ended_with=$?
		touch "$DIR/done"
		[[ $ended_with -eq 9 ]]
	} || {
		cat "$DIR/err" "$DIR/cuts" >&2
		return 1
	}
	cmp "$DIR/data" "$DIR/in"
	cmp <(
		echo go
		cat "$DIR/data"
	) "$DIR/out"
	[[ $(wc -l <"$DIR/cuts") -eq $CUTS ]]
	# Each that a session was lost by is said.
	[[ -s $DIR/err ]]
}

@test "kept: a connection that is cut again and again is mended, and each byte comes once both ways" {
	daemon_start
	cut
}

@test "kept: a terminal's connection that is cut again and again is mended, and each byte comes once both ways" {
	daemon_start
	cut -tt
}

@test "kept: through a relay, a connection that is cut again and again is mended" {
	THROUGH=relay
	daemon_start
	cut
}

@test "kept: SIGKILL of the relay, another one, and each byte comes once both ways" {
	THROUGH=relay
	daemon_start
	{
		ended_with=0
		steadily 150 | "$X" --on-disconnect keep --reconnect 1m -- sh -c "tee $DIR/in; exit 9" \
			>"$DIR/out" 2>"$DIR/err" || ended_with=$?
		echo $ended_with >"$DIR/status"
	} &
	client=$!
	for i in 1 2 3; do
		wait_for 20 holds "$DIR/out" $((i * 100000 + RANDOM % 50000))
		kill -KILL "$RELAY"
		wait "$RELAY" || true
		relay_start "$DIR/chardev"
	done
	wait "$client"
	cat "$DIR/err" >&2
	[[ $(<"$DIR/status") -eq 9 ]]
	same_count 150000 "$DIR/in"
	same_count 150000 "$DIR/out"
}

@test "kept: a client that is stopped holds its command up, and has all when it goes on" {
	daemon_start
	"$X" -n --on-disconnect keep --name it -- sh -c \
		"echo 1; until [ -e $DIR/go ]; do sleep 0.02; done; seq 2 1000000; exit 9" >"$DIR/out" &
	client=$!
	wait_for 20 holds "$DIR/out" 2
	kill -STOP "$client"
	touch "$DIR/go"
	# It is ahead as far as it may be.
	wait_for 20 eval '[[ $(entry it stdout end) -gt 1000000 ]]'
	wait_for 20 is_still "$DAEMON"
	kill -CONT "$client"
	ended 9 "$client"
	same_count 1000000 "$DIR/out"
}

@test "kept: a client that is stopped and then killed has cost nothing" {
	daemon_start
	"$X" -n --on-disconnect keep --name it --reconnect 1h -- sh -c \
		"seq 1 1000; until [ -e $DIR/go ]; do sleep 0.02; done; seq 1001 1000000; exit 9" >"$DIR/out" &
	client=$!
	wait_for 20 holds "$DIR/out" "$(seq 1 1000 | wc -c)"
	kill -STOP "$client"
	touch "$DIR/go"
	wait_for 20 eval '[[ $(entry it stdout end) -gt 1000000 ]]'
	wait_for 20 is_still "$DAEMON"
	kill -KILL "$client"
	ended 137 "$client"
	run -9 sh -c '"$0" --attach it -n --since "$(stat -c %s "$1")" >>"$1"' "$X" "$DIR/out"
	same_count 1000000 "$DIR/out"
}

@test "kept: an agent that says nothing any more is lost, and come back to" {
	daemon_start
	python3 -B "$BATS_TEST_DIRNAME/cutter.py" "$DIR/cut" "$SOCKET" "$DIR/cuts" 1 0 1 2>>"$DIR/daemon.log" 3>&- &
	CUTTER=$!
	wait_for 5 test -S "$DIR/cut"
	{
		ended_with=0
		steadily 200 | "$X" -S "unix:$DIR/cut" --keepalive 300ms --connect-timeout 300ms --on-disconnect keep --reconnect 1m -- sh -c \
			"tee $DIR/in; exit 9" >"$DIR/out" 2>"$DIR/err" || ended_with=$?
		echo $ended_with >"$DIR/status"
	} &
	client=$!
	wait_for 20 holds "$DIR/out" 100000
	kill -STOP "$CUTTER"
	wait_for 20 test -s "$DIR/err"
	kill -CONT "$CUTTER"
	wait "$client"
	cat "$DIR/err" >&2
	[[ $(<"$DIR/status") -eq 9 ]]
	same_count 200000 "$DIR/in"
	same_count 200000 "$DIR/out"
}

@test "kept: who waits for a lost agent can be told to leave, and says how to come back" {
	daemon_start
	python3 -B "$BATS_TEST_DIRNAME/cutter.py" "$DIR/cut" "$SOCKET" "$DIR/cuts" 1 0 1 2>>"$DIR/daemon.log" 3>&- &
	CUTTER=$!
	wait_for 5 test -S "$DIR/cut"
	"$X" -S "unix:$DIR/cut" -n --on-disconnect keep --reconnect 1h -- sh -c "echo up; exec sleep $MARK" >"$DIR/out" 2>"$DIR/err" &
	client=$!
	wait_for 20 holds "$DIR/out" 3
	kill -KILL "$CUTTER"
	wait "$CUTTER" || true
	CUTTER=
	rm "$DIR/cut"
	wait_for 20 test -s "$DIR/err"
	kill -TERM "$client"
	ended 143 "$client"
	id=$("$X" --sessions --json | grep -oE '[0-9a-f]{12}' | head -n 1)
	grep -q -- "--attach $id" "$DIR/err"
	"$X" --kill "$id"
	run -143 "$X" --attach "$id" -n
	[[ $output == up ]]
}

@test "kept: without --reconnect a lost client of a pipe says so at once, and the command goes on" {
	THROUGH=relay
	daemon_start
	"$X" -n --on-disconnect keep --name it -- sh -c "echo up; exec sleep $MARK" >"$DIR/out" 2>"$DIR/err" &
	client=$!
	wait_for 20 holds "$DIR/out" 3
	kill -KILL "$RELAY"
	wait "$RELAY" || true
	ended 125 "$client"
	relay_start "$DIR/chardev"
	wait_for 5 matches 1 "^sleep $MARK"
	"$X" --kill it
	run -143 "$X" --wait it
}

# ---- the end ----

@test "kept: ten who wait at once have the same status, and those who come behind the end" {
	daemon_start
	id=$("$X" -d -- sh -c "until [ -e $DIR/go ]; do sleep 0.02; done; exit 42")
	clients=()
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		"$X" --wait "$id" >>"$DIR/out" 2>&1 3>&- &
		clients+=("$!")
	done
	wait_for 20 eval '[[ $(ss -xH 2>/dev/null | grep -c "$SOCKET") -ge 10 ]] || is_still "${clients[@]}"'
	touch "$DIR/go"
	for client in "${clients[@]}"; do
		ended 42 "$client"
	done
	[[ ! -s $DIR/out ]]
	run -42 "$X" --wait "$id"
	for end in 'kill -TERM $$ 143' 'kill -KILL $$ 137' 'exit 0 0'; do
		id=$("$X" -d -- sh -c "${end% *}")
		run -"${end##* }" "$X" --wait "$id"
	done
	id=$("$X" -d --timeout 50ms -- sleep "$MARK")
	run -124 "$X" --wait "$id"
}

@test "kept: a daemon that is told to end leaves nothing of any session" {
	daemon_start
	"$X" -d -- sh -c "trap 'echo asked >$DIR/asked; exit' TERM; sleep $MARK & wait"
	"$X" -d -- sh -c "trap '' TERM HUP INT; while :; do sleep $MARK; done"
	"$X" -d -- sleep "$MARK"
	wait_for 5 matches 3 "^sleep $MARK"
	daemon_stop
	none_match "sleep $MARK"
	[[ $(<"$DIR/asked") == asked ]]
}

@test "kept: --remove of what has ended, not of what runs; --kill with a signal" {
	daemon_start
	id=$("$X" -d -- sh -c "trap 'exit 5' USR1; echo up; while :; do sleep 0.05; done")
	wait_for 5 eval '[[ $("$X" --logs "$id") == up ]]'
	run -125 "$X" --remove "$id"
	[[ $output == msb-exec:* && $output != *'no such session'* ]]
	run -0 "$X" --kill "$id" --signal USR1
	[[ -z $output ]]
	run -5 "$X" --wait "$id"
	run -0 "$X" --remove "$id"
	[[ -z $output ]]
	run -125 "$X" --wait "$id"
	[[ $output == *"no such session: $id"* ]]
}

@test "kept: a name that is taken is refused, and free when its end was fetched" {
	daemon_start --max-kept 2 --keep-ended 1h
	"$X" -d --name web -- sh -c "until [ -e $DIR/go ]; do sleep 0.02; done; exit 3"
	run -125 --separate-stderr "$X" -d --name web -- true
	[[ -z $output && $stderr == *web* ]]
	"$X" -d -- sleep "$MARK"
	run -125 --separate-stderr "$X" -d -- true
	[[ -z $output && $stderr == *--max-kept* ]]
	touch "$DIR/go"
	run -3 "$X" --wait web
	"$X" -d --name web -- sh -c 'exit 4'
	run -4 "$X" --wait web
	id=$("$X" --sessions --json | grep -oE '[0-9a-f]{12}' | head -n 1)
	"$X" --kill "$id"
	run -143 "$X" --wait "$id"
}

@test "kept: an end is forgotten after --keep-ended" {
	daemon_start --keep-ended 300ms
	id=$("$X" -d -- true)
	wait_for 20 eval '! entry "$id" pid'
	run -125 "$X" --wait "$id"
	[[ $output == "msb-exec: no such session: $id" ]]
}

# ---- input ----

@test "kept: what is sent while nobody is there is delivered in order, and --eof ends it" {
	daemon_start
	id=$("$X" -d -- sh -c "cat >$DIR/in; exit 3")
	for i in 0 1 2 3 4 5 6 7; do
		seq $((i * 10000 + 1)) $((i * 10000 + 10000)) | "$X" --send "$id"
	done
	wait_for 20 holds "$DIR/in" "$(seq 1 80000 | wc -c)"
	printf 'last' | "$X" --send "$id" --eof
	run -3 "$X" --wait "$id"
	cmp <(
		seq 1 80000
		printf 'last'
	) "$DIR/in"
}

@test "kept: who sends the last that a command reads is done, also if that ends before they do" {
	daemon_start
	for more in '' more; do
		id=$("$X" -d -- head -n 1)
		status=0
		{
			echo one
			"$X" --wait "$id" >&2
			# More than may be on its way when it hears of the end.
			[[ -z $more ]] || head -c 3000000 /dev/zero
		} | "$X" --send "$id" 2>"$DIR/err" || status=$?
		[[ $status -eq $([[ -z $more ]] && echo 0 || echo 125) ]]
	done
	grep -q "session $id has ended" "$DIR/err"
}

@test "kept: of two who send at once each one's bytes come in order" {
	daemon_start
	id=$("$X" -d -- sh -c "cat >$DIR/in; exit 3")
	seq 1 200000 | "$X" --send "$id" &
	one=$!
	seq 1 200000 | tr '0-9\n' 'a-j.' | "$X" --send "$id" &
	two=$!
	ended 0 "$one"
	ended 0 "$two"
	"$X" --send "$id" --eof </dev/null
	run -3 "$X" --wait "$id"
	cmp <(seq 1 200000) <(tr -d 'a-j.' <"$DIR/in")
	cmp <(seq 1 200000) <(tr -d '0-9\n' <"$DIR/in" | tr 'a-j.' '0-9\n')
}

@test "kept: what is sent to a command that reads nothing waits, and its end ends that" {
	daemon_start
	id=$("$X" -d -- sleep "$MARK")
	head -c 20M /dev/zero >"$DIR/zeros"
	"$X" --send "$id" <"$DIR/zeros" 2>"$DIR/err" &
	sender=$!
	wait_for 20 has_become "$sender" msb-exec
	wait_for 20 is_still "$sender" "$DAEMON"
	kill -0 "$sender"
	is_sanitized "$DAEMON" || [[ $(ps -o rss= -p "$DAEMON") -lt 16000 ]]
	# Others are served meanwhile, and it can be told to go.
	"$X" -- true
	"$X" --kill "$id"
	status=0
	wait "$sender" || status=$?
	[[ $status -ne 0 && -s $DIR/err ]]
	run -143 "$X" --wait "$id"
}

@test "kept: what is attached from a pipe gives its stdin and its end, with -n neither" {
	daemon_start
	id=$("$X" -d -- sh -c 'cat; exit 6')
	"$X" --attach "$id" -n < <(echo one) >"$DIR/out" &
	client=$!
	wait_for 20 is_attached "$id" 1
	kill -KILL "$client"
	ended 137 "$client"
	[[ ! -s $DIR/out ]]
	run -6 sh -c 'echo two | "$0" --attach "$1"' "$X" "$id"
	[[ $output == two ]]
}

@test "kept: a reader of what is attached that goes away ends the attaching, and nothing else" {
	daemon_start
	for watch in '' --watch; do
		id=$("$X" -d -- sh -c "until [ -e $DIR/go ]; do seq 1 1000; done; exec sleep $MARK")
		# shellcheck disable=SC2086 # a word, or none
		run -0 sh -c '{ "$0" --attach "$1" -n $2; echo $? >"$3"; } | head -n 1' "$X" "$id" "$watch" "$DIR/status"
		[[ $(<"$DIR/status") -eq 141 ]]
		touch "$DIR/go"
		wait_for 20 matches 1 "^sleep $MARK"
		[[ $(entry "$id" state) == running ]]
		"$X" --kill "$id"
		run -143 "$X" --wait "$id"
		rm "$DIR/go"
	done
}

# ---- several at one ----

@test "kept: who is taken over says so with 125, and those who look on see the same bytes and the end" {
	daemon_start
	id=$("$X" -d --name tea -- sh -c "echo begin; until [ -e $DIR/go ]; do sleep 0.02; done; seq 1 50000; exit 7")
	"$X" --attach tea -n >"$DIR/first" 2>"$DIR/err" &
	first=$!
	wait_for 20 holds "$DIR/first" 6
	for i in 1 2; do
		"$X" --attach tea --watch >"$DIR/watch$i" 2>>"$DIR/watch.err" &
		watchers[i]=$!
	done
	wait_for 20 is_attached "$id" 3
	"$X" --attach tea -n --since 6 >"$DIR/second" &
	second=$!
	ended 125 "$first"
	[[ $(<"$DIR/first") == begin && -s $DIR/err ]]
	wait_for 20 is_attached "$id" 3
	touch "$DIR/go"
	ended 7 "$second"
	same_count 50000 "$DIR/second"
	for i in 1 2; do
		ended 7 "${watchers[i]}"
		cmp <(
			echo begin
			seq 1 50000
		) "$DIR/watch$i"
	done
	[[ ! -s $DIR/watch.err ]]
}

@test "kept: one who looks on and is stopped holds up nobody" {
	daemon_start --replay 64K
	"$X" --on-disconnect keep --name it -- sh -c 'echo begin; read a; seq 1 1000000; exit 7' \
		< <(until [[ -e $DIR/go ]]; do sleep 0.02; done; echo) >"$DIR/out" &
	client=$!
	wait_for 20 holds "$DIR/out" 6
	"$X" --attach it --watch >"$DIR/watch" 2>"$DIR/err" &
	watcher=$!
	wait_for 20 holds "$DIR/watch" 6
	kill -STOP "$watcher"
	touch "$DIR/go"
	ended 7 "$client"
	cmp <(
		echo begin
		seq 1 1000000
	) "$DIR/out"
	kill -CONT "$watcher"
	ended 7 "$watcher"
	# It says that something is missing, and what it has is what came last.
	[[ -s $DIR/err ]]
	[[ $(tail -n 1 "$DIR/watch") -eq 1000000 ]]
}

@test "kept: --since begins at that byte, and bytes that are gone are said to be" {
	daemon_start --replay 64K
	id=$("$X" -d -n -- sh -c 'seq 1 5000; echo err >&2')
	wait_for 20 eval '[[ $(entry "$id" state) == ended ]]'
	seq 1 5000 >"$DIR/all"
	run -0 --separate-stderr "$X" --logs "$id" --since 20000
	[[ $output == "$(tail -c +20001 "$DIR/all")" && $stderr == err ]]
	run -0 --separate-stderr "$X" --attach "$id"
	[[ $output == "$(<"$DIR/all")" && $stderr == err ]]
	id=$("$X" -d -n -- sh -c 'seq 1 50000; exit 2')
	wait_for 20 eval '[[ $(entry "$id" stdout end) -eq $(seq 1 50000 | wc -c) ]]'
	begin=$(entry "$id" stdout begin)
	((begin > 0 && $(seq 1 50000 | wc -c) - begin <= 65536))
	run -2 --separate-stderr "$X" --attach "$id" -n --since 5
	[[ $output == "$(seq 1 50000 | tail -c "+$((begin + 1))")" ]]
	[[ ${#stderr_lines[@]} -eq 1 && $stderr == *"$((begin - 5))"* ]]
}

@test "kept: --logs prints what there is, and leaves the session to whoever has it" {
	daemon_start
	"$X" --on-disconnect keep --name it -- sh -c 'echo out; echo err >&2; read a; exit 3' \
		< <(until [[ -e $DIR/go ]]; do sleep 0.02; done; echo) >"$DIR/out" 2>"$DIR/err" &
	client=$!
	wait_for 20 holds "$DIR/out" 4 && wait_for 20 holds "$DIR/err" 4
	run -0 --separate-stderr "$X" --logs it
	[[ $output == out && $stderr == err ]]
	id=$(entry it id)
	touch "$DIR/go"
	ended 3 "$client"
	run -0 --separate-stderr "$X" --logs "$id"
	[[ $output == out && $stderr == err ]]
}

@test "kept: left by its keys in a pipeline, a session that was not kept has nothing doubled" {
	need_pty
	daemon_start
	drive 24x80 sh -c "$X -t -- sh -c 'echo begin; until [ -e $DIR/go ]; do sleep 0.02; done; seq 1 20000; exit 4' | tee $DIR/out" <<-SCRIPT
		expect begin
		send \x1d\x1d\x1d
		expect --attach
		wait 0
	SCRIPT
	id=$("$X" --sessions --json | grep -oE '[0-9a-f]{12}' | head -n 1)
	touch "$DIR/go"
	run -4 --separate-stderr "$X" --attach "$id" -n
	# Its terminal is set as it was before what comes.
	[[ "$(tr -d '\r' <"$DIR/out" | head -n 1)" == begin && $output == *"$(seq 1 20000 | sed 's/$/\r/')"* && $output != *begin* ]]
}
