#!/usr/bin/env bats
# What the daemons say of who came, ran what, and how it ended: lines that programs read, as the manual has them.

load helper

setup() {
	need_local "its log is there"
	common_setup
}

teardown() {
	common_teardown
}

# recorded LINES WORDS: so many lines of the daemon's log have them.
recorded() {
	[[ $(grep -c -- "$2" "$DIR/daemon.log") -ge $1 ]]
}

# The line of the record that ends session $1.
end_of() {
	wait_for 20 recorded 1 "session $1 ends: "
	grep "session $1 ends: " "$DIR/daemon.log"
}

@test "record: a session has a line for its beginning and one for its end: who, as whom, what, how, how much" {
	daemon_start
	run -3 --separate-stderr "$X" -q -- sh -c 'cat; echo "it'\''s" >&2; exit 3' <<<abc
	run -127 "$X" -q -- /nonexistent/program
	run -124 "$X" -q --timeout 0.1 -- sleep 30
	run -137 "$X" -q -- sh -c 'kill -KILL $$'
	run -125 "$X" -q -u nosuch -- id
	end_of 5
	# One may end when its client, and so the next one, has gone on.
	wait_for 20 recorded 5 'session [0-9]* ends: '
	grep 'session [0-9]* ' "$DIR/daemon.log" | sort -s -k 3,3n >"$DIR/lines"
	[[ $(wc -l <"$DIR/lines") -eq 10 ]]
	as="$(id -u):$(id -g)"
	who="from=unix uid=$(id -u) pid=[0-9]+ id=1"
	numbers='ms=[0-9]+ in=0 out=0 err=0'
	while IFS= read -r pattern && IFS= read -r line <&8; do
		echo "$line"
		[[ $line =~ ^msb-execd:\ $pattern$ ]]
	done <<-END 8<"$DIR/lines"
		session 1 begins: $who as=$as leader=[0-9]+ command=sh -c 'cat; echo "it'\\\\''s" >&2; exit 3'
		session 1 ends: how=exited code=3 ms=[0-9]+ in=4 out=4 err=5
		session 2 begins: $who as=$as leader=[0-9]+ command=/nonexistent/program
		session 2 ends: how=failed $numbers why=.*/nonexistent/program.*No such file.*
		session 3 begins: $who as=$as leader=[0-9]+ command=sleep 30
		session 3 ends: how=killed signal=TERM because=timeout $numbers
		session 4 begins: $who as=$as leader=[0-9]+ command=sh -c 'kill -KILL \\$\\$'
		session 4 ends: how=killed signal=KILL $numbers
		session 5 begins: $who command=id
		session 5 ends: how=failed $numbers why=.*nosuch.*
	END
}

@test "record: what was run is read by a shell as it was given, and no line of it is another's" {
	daemon_start
	argv=(printf '%s|' "two words" "it's" $'new\nline' $'\e[31mred' '$HOME `id`' '' '*' '~' $'back\\slash' '#x' ...)
	run -0 "$X" -q -- "${argv[@]}"
	end_of 1
	run ! grep -v '^msb-execd: ' "$DIR/daemon.log"
	run ! grep -P '[^\n -~]' "$DIR/daemon.log"
	eval "again=($(sed -n 's/.* command=//p' "$DIR/daemon.log"))"
	[[ ${again[*]@Q} == "${argv[*]@Q}" ]]
}

@test "record: neither environment nor input is in it, and below info there is nothing" {
	daemon_start
	run -0 "$X" -q -e SECRET=hushhush -- cat <<<whisper
	run -0 "$X" -q -e SECRET=hushhush -tt -- true </dev/null
	end_of 2
	run ! grep -E 'hushhush|SECRET|whisper' "$DIR/daemon.log"
	grep -q 'session 2 begins: .* tty=yes command=true$' "$DIR/daemon.log"
	daemon_stop
	: >"$DIR/daemon.log"
	daemon_start --log-level warn
	run -0 "$X" -q -- true
	daemon_stop
	[[ ! -s $DIR/daemon.log ]]
}

@test "record: a client that is lost, a session that is kept, and the daemon's end" {
	daemon_start
	mark=$(mark)
	"$X" -q -- sleep "$mark" 3>&- &
	wait_for 20 recorded 1 "session 1 begins: .*command=sleep $mark"
	kill -KILL $!
	wait $! || true
	[[ $(end_of 1) == *" how=killed signal=TERM because=client_lost ms="* ]]
	id=$("$X" -q -d -- sleep "$mark")
	grep -q "session 2 begins: .* kept=$id command=sleep $mark" "$DIR/daemon.log"
	daemon_stop
	[[ $(end_of 2) == *" how=killed signal=TERM because=shutdown kept=$id ms="* ]]
}

@test "record: as whom it runs, and through a relay for whom, which has its own lines of who comes and goes" {
	need_root
	THROUGH=relay daemon_start
	chmod 666 "$SOCKET"
	run -0 "$X" -q -u nobody -- id -u
	wait_for 20 recorded 1 'session [0-9]* ends: how=exited code=0'
	grep -qE "session 1 begins: from=serial for_uid=0 id=[0-9]+ as=65534:$(id -g nobody) leader=[0-9]+ command=id -u\$" \
		"$DIR/daemon.log"
	pid=$(sed -n 's/.*client [0-9]*: connected: uid=0 pid=//p' "$DIR/daemon.log" | tail -n 1)
	wait_for 20 recorded 1 "msb-relayd: client $pid: closed: "
}

@test "record: where stderr is the journal each line is there once, with its fields; else it stays a line" {
	need_root
	need_mount
	run -0 unshare --mount python3 -B "$BATS_TEST_DIRNAME/journal.py" "$DIR" "$EXECD" "$X"
	echo "$output"
	[[ $output == "all of it" ]]
}
