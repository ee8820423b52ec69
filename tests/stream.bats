#!/usr/bin/env bats
# Bytes: every one of them, in order, both ways, and the ends of the streams.

load helper

setup() {
	common_setup
	daemon_start
}

teardown() {
	common_teardown
}

@test "stream: a gigabyte of random bytes through cat" {
	head -c 64M /dev/urandom >"$DIR/block"
	for ((i = 0; i < 16; i += FACTOR)); do
		echo "$i"
		cat "$DIR/block"
	done >"$DIR/in"
	# Fed from a file, then through a pipe: two ways of reading stdin.
	"$X" -- cat <"$DIR/in" | cksum >"$DIR/a"
	# shellcheck disable=SC2002 # the pipe is the point
	cat "$DIR/in" | "$X" -- cksum >"$DIR/b"
	cksum <"$DIR/in" >"$DIR/c"
	cmp "$DIR/a" "$DIR/c"
	cmp "$DIR/b" "$DIR/c"
}

@test "stream: an empty file, one byte, and sizes around every length's head" {
	: >"$DIR/empty"
	[[ $("$X" -- wc -c <"$DIR/empty") -eq 0 ]]
	for size in 1 22 23 24 25 255 256 257 4095 4096 65535 65536 65537 262144 262145; do
		head -c "$size" /dev/urandom >"$DIR/in"
		"$X" -- cat <"$DIR/in" >"$DIR/out"
		cmp "$DIR/in" "$DIR/out"
	done
}

# stalled ARG...: the sum of what msb-exec writes to a reader that takes nothing until all before it is
# full. Carriage returns do not count.
stalled() {
	local client
	mkfifo "$DIR/fifo"
	"$X" "$@" >"$DIR/fifo" 3>&- &
	client=$!
	exec 7<"$DIR/fifo"
	rm "$DIR/fifo"
	wait_for 20 is_still ${DAEMON:+"$DAEMON"} "$client"
	tr -d '\r' <&7 | cksum
	exec 7<&-
	wait "$client"
}

@test "stream: no byte of the tail is lost to a slow reader while a child holds the output" {
	count=$((3000000 / FACTOR))
	expected=$(seq $count | cksum)
	mark=$(mark)
	for i in {1..10}; do
		[[ $(stalled --linger 100ms -n -- sh -c "sleep $mark & seq $count") == "$expected" ]]
	done
	guest_kill TERM "sleep $mark"
}

@test "stream: no byte of a terminal's tail is lost to a slow reader" {
	# Through an emulated port it may be a hundred kilobytes a second.
	local count=300000
	[[ -z $AGENT ]] || count=60000
	expected=$(seq $count | cksum)
	for i in {1..5}; do
		[[ $(stalled -tt -n -- seq $count) == "$expected" ]]
	done
}

@test "stream: arguments arrive byte for byte" {
	"$X" -- printf '%s\n' '' 'a b' '$HOME' $'x\ny' $'tab\there' 'ünï' -- -t >"$DIR/out"
	printf '%s\n' '' 'a b' '$HOME' $'x\ny' $'tab\there' 'ünï' -- -t >"$DIR/expected"
	cmp "$DIR/out" "$DIR/expected"
}

@test "stream: an input that never ends does not hold up the end of the command" {
	mkfifo "$DIR/fifo"
	sleep 100 >"$DIR/fifo" 3>&- &
	holder=$!
	timed "$X" -- echo hi <"$DIR/fifo" >"$DIR/out"
	wait_for 5 has_become "$holder" sleep
	kill "$holder"
	[[ $(<"$DIR/out") == hi && $MS -lt $((20000 * SLOW)) ]]
}

@test "stream: a child that holds the output delays the end by the linger only, and lives on" {
	mark=$(mark)
	timed "$X" --linger 200ms -- sh -c "(sleep $mark; echo late >$DIR/late) & echo \$!" >"$DIR/out"
	[[ $MS -lt $((20000 * SLOW)) ]]
	pid=$(<"$DIR/out")
	guest kill -0 "$pid"
	wait_for 20 matches 1 "^sleep $mark"
	guest_kill TERM "^sleep $mark"
	wait_for 20 guest test -e "$DIR/late"
}

@test "stream: a survivor can still write after the session is over" {
	"$X" --linger 0 -- sh -c "(until [ -e $DIR/go ] || [ ! -d $DIR ]; do sleep 0.05; done
		echo a; sleep 0.1; echo b && touch $DIR/alive) & echo hi" >"$DIR/out"
	[[ $(<"$DIR/out") == hi ]]
	guest touch "$DIR/go"
	wait_for 20 guest test -e "$DIR/alive"
}

@test "stream: --linger inf waits for the last holder of the output" {
	run -0 "$X" --linger inf -- sh -c '(sleep 1; echo late) & echo early'
	[[ $output == $'early\nlate' ]]
}

@test "stream: stdin that the command does not read hurts nobody" {
	head -c 3M /dev/zero | "$X" -- true
	head -c 3M /dev/zero | "$X" -- sh -c 'exec <&-; sleep 0.2; echo done'
}

@test "stream: when the command closes stdin, its writer gets SIGPIPE" {
	(yes || echo "$?" >"$DIR/status") 2>/dev/null |
		"$X" -- sh -c "exec <&-; until [ -e $DIR/go ] || [ ! -d $DIR ]; do sleep 0.05; done" 3>&- &
	wait_for 20 test -e "$DIR/status"
	guest touch "$DIR/go"
	wait $!
}

@test "stream: -n and a closed stdin are an empty input" {
	[[ $("$X" -n -- cat) == '' ]]
	[[ $("$X" -- cat <&-) == '' ]]
	[[ $(echo x | "$X" -n -- wc -c) -eq 0 ]]
}

@test "stream: half a conversation: the command goes on after the end of its input" {
	run -0 sh -c "echo in | $X -- sh -c 'cat; sleep 0.2; echo after'"
	[[ $output == $'in\nafter' ]]
}

@test "stream: a reader that goes away ends yes" {
	mark=mark$RANDOM$$
	run -0 bash -c "$X -- yes $mark | head -1"
	[[ $output == "$mark" ]]
	wait_for 20 none_match "yes $mark"
}

@test "stream: a reader that goes away ends a writer that ignores SIGPIPE" {
	need_local "Python"
	mark=mark$RANDOM$$
	cat >"$DIR/writer.py" <<-'PY'
		import signal, sys
		signal.signal(signal.SIGPIPE, signal.SIG_IGN)
		while True:
		    sys.stdout.write("line\n")
	PY
	run -0 bash -c "$X -- python3 $DIR/writer.py $mark 2>$DIR/err | head -1"
	[[ $output == line ]]
	wait_for 20 none_match "writer.py $mark"
	grep -q BrokenPipe "$DIR/err"
}

@test "stream: an output that cannot be written is said so" {
	[[ -e /dev/full ]]
	run bash -c "$X -- echo hi >/dev/full"
	[[ $status -eq 125 && $output == *'No space left on device'* ]]
	# Not 141, which is how the command learns it.
	run bash -c "$X -- yes >/dev/full"
	[[ $status -eq 125 && $output == *'No space left on device'* ]]
}

@test "stream: stdout and stderr on sockets, files and /dev/null" {
	run -0 bash -c "$X -- seq 10000 >$DIR/file && md5sum <$DIR/file"
	[[ $output == "$(seq 10000 | md5sum)" ]]
	printf 'first\n' >"$DIR/file"
	"$X" -- echo second >>"$DIR/file"
	[[ $(<"$DIR/file") == $'first\nsecond' ]]
	"$X" -- seq 100000 >/dev/null
	run -0 python3 - "$X" <<-'PY'
		import socket, subprocess, sys, threading
		ours, theirs = socket.socketpair()
		p = subprocess.Popen([sys.argv[1], "--", "sh", "-c", "cat; seq 100000"], stdin=theirs, stdout=theirs)
		theirs.close()
		ours.sendall(b"in\n")
		ours.shutdown(socket.SHUT_WR)
		data = b""
		while chunk := ours.recv(65536):
		    data += chunk
		assert p.wait() == 0
		assert data == b"in\n" + b"".join(b"%d\n" % i for i in range(1, 100001)), len(data)
	PY
}

@test "stream: stdin that cannot be read is an error, and 125 where the status was 0" {
	need_local "files of this machine"
	# A folder; and a file whose reading fails, as a failing disk's does.
	for input in / /proc/self/mem; do
		run -125 --separate-stderr "$X" -- cat <"$input"
		[[ ${#stderr_lines[@]} -eq 1 && $stderr == "msb-exec: "*": "* ]]
		run -125 "$X" -q -- cat <"$input"
		run -3 "$X" -q -- sh -c 'cat; exit 3' <"$input"
		run -0 "$X" -n -- cat <"$input"
	done
}

@test "stream: stdin that is not open for reading is none, as nohup(1) gives it" {
	need_local "files of this machine"
	run -0 --separate-stderr "$X" -- cat 0>/dev/null
	[[ -z $output && -z $stderr ]]
}

@test "stream: output that gets lost after the command's end is an error, too" {
	need_local "the daemon's sessions"
	DIR=$DIR python3 -B "$ROOT/tests/peer.py" "$SOCKET" "$DAEMON" "$X" <<'EOF'
import subprocess
# A reader that takes little, and then breaks the connection.
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
listener.bind(("127.0.0.1", 0))
listener.listen(1)
ours = socket.socket()
ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
ours.connect(listener.getsockname())
reader = listener.accept()[0]
client = subprocess.Popen([ARGS[0], "-n", "--", "head", "-c", "1500000", "/dev/zero"],
                          stdout=ours, stderr=subprocess.PIPE)
ours.close()
assert reader.recv(1000)
# It has ended, all of it is on our side, and that is stuck.
wait_for(lambda: not children() and is_stuck(client.pid), "the command's end")
reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
reader.close()
equal(client.wait(LIMIT), 125)
words = client.stderr.read()
assert words.startswith(b"msb-exec: cannot write standard output: "), words
EOF
}
