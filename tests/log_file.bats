#!/usr/bin/env bats
# --log-file: all lines of msb-exec's own stand in the file, and stderr is the command's alone.

load helper
load agent

setup() {
	common_setup
	need_local "a file on this side"
	ulimit -c 0
	LOG=$DIR/log
	SAYS="printf 'its own\n\0 words' >&2;"
}

teardown() {
	agent_end
	common_teardown
}

# The form of a line: when, who, what.
DATED='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z msb-exec\[[0-9]+\]: '

# x ARG...: with such a file, without input, and not for ever.
x() {
	timeout --foreground -s KILL $((40 * SLOW)) "$X" --log-file "$LOG" "$@" </dev/null
}

# logged STATUS ARG...: ends with it; in $DIR/out and $DIR/err is what was printed.
logged() {
	local status=0
	rm -f "$LOG"
	x "${@:2}" >"$DIR/out" 2>"$DIR/err" || status=$?
	[[ $status -eq $1 ]] || {
		echo "status $status: ${*:2}"
		cat "$DIR/err" "$LOG"
		return 1
	}
}

# says_its_own: on stderr is what the command wrote there, to the byte; says_nothing: it was not run.
says_its_own() {
	cmp "$DIR/err" <(printf 'its own\n\0 words')
}

says_nothing() {
	cmp "$DIR/err" /dev/null
}

# has_lines PATTERN...: so many lines are in the file, each as it is to be.
has_lines() {
	local line
	[[ $(wc -l <"$LOG") -eq $# ]] || {
		cat "$LOG"
		return 1
	}
	while IFS= read -r line; do
		[[ $line =~ $DATED$1 ]] || {
			echo "$line: not $1"
			return 1
		}
		shift
	done <"$LOG"
}

# ends STATUS PID: our child does.
ends() {
	local status=0
	wait "$2" || status=$?
	[[ $status -eq $1 ]]
}

# daemon_lost: it has died under its client, which is no failure here.
daemon_lost() {
	wait "$DAEMON" || true
	DAEMON=
}

# ---- each way to end ----

@test "log_file: a command that ends by itself leaves it empty" {
	daemon_start
	for status in 0 3 255; do
		logged $status -- sh -c "$SAYS exit $status"
		says_its_own
		has_lines
	done
	logged 137 -- sh -c "$SAYS kill -9 \$\$"
	says_its_own
	has_lines
}

@test "log_file: 124, by our time-out and by the agent's own bound" {
	daemon_start --max-time 1h
	logged 124 --timeout $((SLOW * 500))ms -- sh -c "$SAYS exec sleep 60"
	says_its_own
	has_lines
	daemon_stop
	daemon_start --max-time $((SLOW * 500))ms
	logged 124 -- sh -c "$SAYS exec sleep 60"
	says_its_own
	has_lines 'the command ran for longer than the agent lets any'
}

@test "log_file: 125, of what was not run" {
	logged 125 -S "unix:$SOCKET" -- true
	says_nothing
	has_lines "cannot connect to unix:$SOCKET: No such file" 'msb-execd --listen'
	daemon_start
	logged 125 -w /nonexistent -- true
	says_nothing
	has_lines '.*/nonexistent.*: No such file'
	logged 125 -u nosuchuserhere -- true
	says_nothing
	has_lines '.*nosuchuserhere'
	logged 125 --rlimit nofile=64:32 -- true
	says_nothing
	has_lines '.*RLIMIT_NOFILE|.*nofile'
	for action in attach wait logs kill remove; do
		logged 125 "--$action" nosuch
		says_nothing
		has_lines 'no such session: nosuch'
	done
	logged 125 -S "unix:$SOCKET.none" --ping
	says_nothing
	[[ $(wc -l <"$LOG") -ge 1 ]]
	logged 125 -S "unix:$SOCKET.none" --sessions
	says_nothing
	[[ $(wc -l <"$LOG") -ge 1 ]]
}

@test "log_file: 125, of a daemon that dies under its command" {
	local client
	daemon_start
	"$X" --log-file "$LOG" -n -- sh -c "$SAYS echo; exec sleep 60" >"$DIR/out" 2>"$DIR/err" 3>&- &
	client=$!
	wait_for 20 test -s "$DIR/out"
	kill -KILL "$DAEMON"
	daemon_lost
	ends 125 "$client"
	says_its_own
	has_lines "lost the connection to unix:$SOCKET"
}

@test "log_file: 126 and 127" {
	daemon_start
	: >"$DIR/plain"
	logged 126 -- "$DIR/plain"
	says_nothing
	has_lines ".*$DIR/plain.*: Permission denied"
	logged 127 -- nosuchcommandhere
	says_nothing
	[[ $(head -n 1 "$LOG") =~ $DATED.*nosuchcommandhere ]]
	logged 127 -- 'ls -l'
	says_nothing
	has_lines '.*ls -l' '.*'
}

@test "log_file: 255, of an agent that does not say which signal" {
	agent <<'END'
client.start()
client.tell("core.exec.stderr", {"data": b"its own\n\0 words"})
client.exit(-1)
END
	logged 255 -- true
	says_its_own
	has_lines '.*does not say which'
	agent_done
}

@test "log_file: a signal that kills both, and one that is not answered" {
	local client
	daemon_start
	"$X" --log-file "$LOG" -n -- sh -c "$SAYS echo; exec sleep 60" >"$DIR/out" 2>"$DIR/err" 3>&- &
	client=$!
	wait_for 20 test -s "$DIR/out"
	kill -TERM "$client"
	ends 143 "$client"
	says_its_own
	has_lines
	rm "$DIR/out" "$LOG"
	"$X" --log-file "$LOG" -n -- sh -c "$SAYS echo; exec sleep 60" >"$DIR/out" 2>"$DIR/err" 3>&- &
	client=$!
	wait_for 20 test -s "$DIR/out"
	kill -STOP "$DAEMON"
	kill -TERM "$client"
	wait_for 20 test -s "$LOG"
	kill -TERM "$client"
	ends 143 "$client"
	kill -CONT "$DAEMON"
	says_its_own
	has_lines "unix:$SOCKET does not answer; SIGTERM once more ends"
}

@test "log_file: our own full disk" {
	local status=0
	[[ -w /dev/full ]] || skip "no /dev/full here"
	daemon_start
	x -- sh -c 'echo out; echo err >&2' >/dev/full 2>"$DIR/err" || status=$?
	[[ $status -eq 125 ]]
	[[ $(<"$DIR/err") == err ]]
	[[ $(tail -n 1 "$LOG") =~ ${DATED}cannot\ write\ standard\ output:\ No\ space ]]
}

# ---- the command line ----

@test "log_file: what is wrong on the command line is said there, in front of it or behind" {
	for wrong in --timeout=soon '-e=' '--since=1'; do
		logged 125 "$wrong" -- true
		says_nothing
		[[ $(wc -l <"$LOG") -eq 1 ]]
	done
	run -125 --separate-stderr "$X" --timeout soon --log-file "$DIR/other" -- true
	[[ -z $stderr && $(<"$DIR/other") == *--timeout* ]]
	logged 125 --nosuch -- true
	says_nothing
	grep -q -- --nosuch "$LOG"
	# What may be anything may also be somebody's value.
	run -125 --separate-stderr "$X" --nosuch --log-file "$DIR/third" -- true
	[[ $stderr == *--nosuch* && ! -e $DIR/third ]]
}

@test "log_file: the last of several counts, and an operand is none" {
	daemon_start
	run -0 --separate-stderr "$X" --log-file "$DIR/a" -v "--log-file=$DIR/b" -- echo --log-file "$DIR/c"
	[[ -z $stderr && $output == "--log-file $DIR/c" && ! -e $DIR/a && -s $DIR/b && ! -e $DIR/c ]]
}

@test "log_file: behind --rsh it is -E, and counts more" {
	need_account
	daemon_start
	run -3 --separate-stderr "$X" --log-file "$DIR/a" --rsh -E "$LOG" "unix:$SOCKET" 'echo err >&2; exit 3'
	[[ $stderr == err && ! -e $DIR/a && ! -s $LOG ]]
	run -255 --separate-stderr "$X" --rsh -E "$LOG" "unix:$SOCKET.none" true
	[[ -z $stderr && $(head -n 1 "$LOG") =~ ${DATED}cannot\ connect ]]
	run -255 --separate-stderr "$X" --rsh -E "$DIR/b" -X "unix:$SOCKET" true
	[[ -z $stderr && $(<"$DIR/b") == *-X* ]]
}

@test "log_file: -v, -q and a warning" {
	daemon_start
	logged 0 -v -- sh -c "$SAYS"
	says_its_own
	has_lines 'connected to unix:' 'the command runs as process ' 'user .*, system '
	logged 0 -t -- sh -c "$SAYS"
	says_its_own
	has_lines 'stdin is no terminal'
	logged 0 -q -t -- sh -c "$SAYS"
	says_its_own
	has_lines
}

# ---- the file ----

@test "log_file: what is there stays, a new one has the rights of any" {
	echo before >"$DIR/old"
	LOG=$DIR/old
	run -125 x -S "unix:$SOCKET" -q -- true
	[[ $(head -n 1 "$LOG") == before && $(wc -l <"$LOG") -eq 3 ]]
	LOG=$DIR/new
	umask 027
	run -125 x -S "unix:$SOCKET" -- true
	[[ $(stat -c %a "$LOG") == 640 ]]
}

@test "log_file: several may share it, and each line is whole" {
	local pids=()
	daemon_start
	for i in {1..20}; do
		"$X" --log-file "$LOG" -n -v -- sh -c "exit $i" 2>>"$DIR/err" 3>&- &
		pids+=($!)
	done
	for i in {1..20}; do
		ends "$i" "${pids[i - 1]}"
	done
	says_nothing
	[[ $(wc -l <"$LOG") -eq 60 ]]
	[[ $(grep -cE "$DATED(connected to|the command runs as|user )" "$LOG") -eq 60 ]]
	[[ $(grep -oE 'msb-exec\[[0-9]+\]' "$LOG" | sort -u | wc -l) -eq 20 ]]
}

@test "log_file: one that cannot be opened is one line on stderr, and nothing is run" {
	daemon_start
	mkfifo "$DIR/fifo"
	for LOG in "$DIR" "$DIR/no/such" "$DIR/fifo" ''; do
		run -125 --separate-stderr x -- touch "$DIR/ran"
		[[ ${#stderr_lines[@]} -eq 1 && $stderr == "msb-exec: --log-file: cannot open $LOG: "* ]]
		[[ -z $output && ! -e $DIR/ran ]]
	done
	need_root
	: >"$DIR/roots"
	run -125 --separate-stderr "${AS_NOBODY[@]}" "$X" --log-file "$DIR/roots" -- true
	[[ ${#stderr_lines[@]} -eq 1 && $stderr == *"$DIR/roots: Permission denied" ]]
}

@test "log_file: one that is full is said at the end, and changes nothing" {
	[[ -w /dev/full ]] || skip "no /dev/full here"
	daemon_start
	LOG=/dev/full
	run -3 --separate-stderr x -v -- sh -c 'echo err >&2; exit 3'
	[[ ${#stderr_lines[@]} -eq 2 && ${stderr_lines[0]} == err ]]
	[[ ${stderr_lines[1]} == 'msb-exec: 3 lines are missing in /dev/full: No space left on device' ]]
	# With nothing to say, nothing is missing.
	run -0 --separate-stderr x -- true
	[[ -z $stderr ]]
	# Whoever dies of a signal has said it before.
	"$X" --log-file "$LOG" -v -n -- sh -c 'echo; exec sleep 60' >"$DIR/out" 2>"$DIR/err" 3>&- &
	wait_for 20 test -s "$DIR/out"
	kill -TERM $!
	ends 143 $!
	[[ $(<"$DIR/err") == "msb-exec: 3 lines are missing in /dev/full: No space left on device" ]]
}

@test "log_file: one that may not grow is said in the same way" {
	daemon_start
	# What run() reads is in files, too, and they may.
	head -c 8192 /dev/zero >"$LOG"
	run -3 --separate-stderr bash -c 'ulimit -f 8; exec "$@"' - "$X" --log-file "$LOG" -n -v -- sh -c 'echo out; exit 3'
	[[ $output == out && $stderr == "msb-exec: 3 lines are missing in $LOG: File too large" ]]
}

@test "log_file: a FIFO that nobody reads any more, or that is full, is not waited for" {
	local words
	daemon_start
	LOG=$DIR/fifo
	mkfifo "$LOG"
	exec 7<>"$LOG"
	run -0 --separate-stderr x -v -- true
	[[ -z $stderr ]]
	read -r -t 10 words <&7
	[[ $words == *'connected to'* ]]
	head -c 1M /dev/zero | dd of="$LOG" oflag=nonblock bs=4096 status=none 2>/dev/null || true
	run -0 --separate-stderr x -v -- true
	[[ $stderr == "msb-exec: 3 lines are missing in $LOG: nobody took them" ]]
	exec 7>&-
}

@test "log_file: /dev/stderr is a file as any" {
	daemon_start
	LOG=/dev/stderr
	run -0 --separate-stderr x -v -- sh -c 'echo err >&2'
	[[ ${#stderr_lines[@]} -eq 4 && $stderr == *err* ]]
	[[ ${stderr_lines[-1]} =~ ${DATED}user ]]
}

# ---- who else has it ----

@test "log_file: the program of exec: keeps our stderr, and has no descriptor of the file" {
	cat >"$DIR/way" <<-'END'
		#!/bin/sh
		echo "the way there" >&2
		ls -l /proc/self/fd >"$1"
		exec "$2" --listen stdio:
	END
	chmod +x "$DIR/way"
	logged 0 -S "exec:$DIR/way $DIR/fds $EXECD" -- sh -c 'ls -l /proc/self/fd; echo err >&2'
	[[ $(<"$DIR/err") == $'the way there\nerr' ]]
	has_lines
	grep -q -- '-> ' "$DIR/fds"
	run -1 grep -F "$LOG" "$DIR/fds" "$DIR/out"
}

@test "log_file: the private daemon of --local writes there, too" {
	mkdir "$DIR/bin"
	cp "$X" "$DIR/bin"
	cat >"$DIR/bin/msb-execd" <<-END
		#!/bin/sh
		echo "msb-execd: a word" >&2
		exec $EXECD "\$@"
	END
	chmod +x "$DIR/bin/msb-execd"
	X=$DIR/bin/msb-exec
	logged 0 --local -- sh -c "$SAYS ls -l /proc/self/fd"
	says_its_own
	[[ $(<"$LOG") == 'msb-execd: a word' ]]
	run -1 grep -F "$LOG" "$DIR/out"
	run -0 --separate-stderr "$X" -n --local -- true
	[[ $stderr == 'msb-execd: a word' ]]
}

# ---- at a terminal ----

@test "log_file: on a terminal, the help of the keys is shown, and no line" {
	daemon_start
	drive 24x80 "$X" --log-file "$LOG" -v -tt -- sh -c 'printf "ready: "; read -r a; echo "got $a"; exit 3' <<-END
		expect ready:
		send ~?
		expect After a newline:
		send yes\r
		expect got yes
		absent msb-exec:
		wait 3
	END
	has_lines 'connected to unix:' 'the command runs as process ' 'user .*, system '
}

@test "log_file: on a terminal, what answers a key is shown and is a line, too" {
	daemon_start
	drive 24x80 "$X" --log-file "$LOG" -tt -- sh -c 'printf "ready: "; exec sleep 60' <<-END
		expect ready:
		send ~.
		expect \r\nmsb-exec: disconnected: the agent ends the command\r\n
		wait 125
	END
	has_lines 'disconnected: the agent ends the command'
	rm "$LOG"
	drive 24x80 "$X" --log-file "$LOG" --on-disconnect keep --name work -tt -- \
		sh -c 'echo ready; exec sleep 60' <<-END
		expect ready
		send \x1d\x1d\x1d
		expect msb-exec: detached: msb-exec --attach work comes back\r\n
		wait 0
	END
	has_lines 'detached: msb-exec --attach work comes back'
	rm "$LOG"
	# That of somebody else is no answer.
	drive 24x80 "$X" --log-file "$LOG" --attach work <<-END
		run $X --kill work --signal KILL
		wait 137
		absent msb-exec:
	END
}

@test "log_file: on a terminal, a daemon that dies is told in the file alone" {
	daemon_start
	drive 24x80 "$X" --log-file "$LOG" -tt -- sh -c 'echo ready; exec sleep 60' <<-END
		expect ready
		run kill -KILL $DAEMON
		wait 125
		absent msb-exec:
	END
	daemon_lost
	has_lines "lost the connection to unix:$SOCKET"
}
