#!/usr/bin/env bats
# Nobody waits for somebody else: commands that do not read, clients that do not read, credit.

load helper

setup() {
	common_setup
	daemon_start
}

teardown() {
	common_teardown
}

# ran_us: the time that the daemon has had on a processor, to $RAN; 0 where the kernel does not say.
ran_us() {
	local ns=0
	read -r ns _ 2>/dev/null <"/proc/$DAEMON/schedstat" || true
	RAN=$((ns / 1000))
}

# usual_us: the least that `true` takes, of 15, in microseconds, to $US, and of the daemon's own time
# to $CPU. The least, since a busy machine adds to all of them, but hardly to each.
usual_us() {
	local begin began
	US=1000000000
	CPU=$US
	for _ in {1..15}; do
		ran_us
		began=$RAN
		begin=${EPOCHREALTIME/./}
		"$X" -n -- true
		begin=$((${EPOCHREALTIME/./} - begin))
		ran_us
		began=$((RAN - began))
		US=$((begin < US ? begin : US))
		CPU=$((began < CPU ? began : CPU))
	done
}

# rss_kib: of the daemon; 0 if it is sanitized, whose memory says nothing.
rss_kib() {
	if is_sanitized "$DAEMON"; then
		echo 0
	else
		awk '/VmRSS/ { print $2 }' "/proc/$DAEMON/status"
	fi
}

# is_as_usual USUAL: the CPU time, as far as it is known, and no wait in the time that it took.
is_as_usual() {
	! is_sanitized "$DAEMON" || CPU=0
	((CPU < 2 * $1 || CPU == 0)) && ((US < 1000000 * SLOW))
}

# neighbours_do_not_notice USUAL: a `true` costs the daemon less than twice that, and does not wait
# for anybody; and the daemon is small. The machine may be busier than when that was measured.
neighbours_do_not_notice() {
	for _ in 1 2 3; do
		usual_us
		! is_as_usual "$1" || break
	done
	echo "true takes $US us, $CPU of the daemon's, usually $1; the daemon has $(rss_kib) KiB"
	is_as_usual "$1"
	(($(rss_kib) < 16 * 1024))
}

# It heard the signal, and did not end by itself since nobody answered, which takes 10 s.
ends_soon() {
	local status=0
	timed wait "$@" || status=$?
	echo "status $status after $MS ms"
	((status == 143 && MS < 9000))
}

# ---- msb-exec ----

@test "flow: a gigabyte for a command that does not read: a signal gets through, nobody notices" {
	usual_us
	usual=$CPU
	truncate -s 1G "$DIR/zeros"
	"$X" -- sleep "$(mark)" <"$DIR/zeros" 3>&- &
	file=$!
	"$X" -- sleep "$(mark)" < <(exec cat "$DIR/zeros" 3>&-) 3>&- &
	pipe=$!
	wait_for 20 is_still "$DAEMON" "$file" "$pipe"
	neighbours_do_not_notice "$usual"
	for pid in $file $pipe; do
		kill "$pid"
		ends_soon "$pid"
	done
}

@test "flow: twenty floods that nobody reads: the same" {
	usual_us
	usual=$CPU
	mkfifo "$DIR/fifo"
	# Open for reading, and never read.
	exec 7<>"$DIR/fifo"
	clients=()
	for _ in {1..20}; do
		"$X" -n -- yes "$DIR" >"$DIR/fifo" 3>&- 7>&- &
		clients+=($!)
	done
	wait_for 20 is_still "$DAEMON" "${clients[@]}"
	neighbours_do_not_notice "$usual"
	kill "${clients[@]}"
	ends_soon "${clients[@]}"
	exec 7>&-
	wait_for 20 none_match "^yes $DIR"
}

@test "flow: what a stalled reader takes in the end is all of it" {
	mkfifo "$DIR/fifo"
	"$X" -n -- seq 1000000 >"$DIR/fifo" 3>&- &
	client=$!
	exec 7<"$DIR/fifo"
	wait_for 20 is_still "$DAEMON" "$client"
	cksum <&7 >"$DIR/got"
	exec 7<&-
	wait "$client"
	seq 1000000 | cksum >"$DIR/wanted"
	diff "$DIR/got" "$DIR/wanted"
}

@test "flow: large output to a pipe, a file, a socket and a terminal is whole" {
	wanted=$(head -c 30000000 /dev/zero | tr '\0' 'x' | cksum)
	big="head -c 30000000 /dev/zero | tr '\\0' x"
	[[ $("$X" -n -- sh -c "$big" | cksum) == "$wanted" ]]
	"$X" -n -- sh -c "$big" >"$DIR/file"
	[[ $(cksum <"$DIR/file") == "$wanted" ]]
	[[ $(python3 -c '
import socket, subprocess, sys
ours, theirs = socket.socketpair()
process = subprocess.Popen(sys.argv[1:], stdout=theirs)
theirs.close()
while data := ours.recv(1 << 16):
    sys.stdout.buffer.write(data)
sys.exit(process.wait())' "$X" -n -- sh -c "$big" | cksum) == "$wanted" ]]
	# A terminal: stdout alone, so that nothing is translated but newlines, of which there are none.
	[[ $(script -qec "stty -opost; '$X' -n -- sh -c \"$big\"" /dev/null </dev/null | cksum) == "$wanted" ]]
}

@test "flow: large output on both streams is whole, and neither waits for the other" {
	"$X" -n -- sh -c 'seq 3000000 >&2 & seq 2000000; wait' 2>"$DIR/err" | cksum >"$DIR/out"
	[[ $(cat "$DIR/out") == "$(seq 2000000 | cksum)" ]]
	[[ $(cksum <"$DIR/err") == "$(seq 3000000 | cksum)" ]]
}

@test "flow: large input from a pipe and from a file is whole, there and back" {
	seq 5000000 >"$DIR/input"
	wanted=$(cksum <"$DIR/input")
	[[ $("$X" -- cksum <"$DIR/input") == "$wanted" ]]
	# shellcheck disable=SC2002 # a pipe is what is meant
	[[ $(cat "$DIR/input" | "$X" -- cksum) == "$wanted" ]]
	# shellcheck disable=SC2002
	[[ $(cat "$DIR/input" | "$X" -- cat | cksum) == "$wanted" ]]
}

@test "flow: a reader that goes away in the middle of large output ends the command" {
	"$X" -n -- cat /dev/zero "$DIR" | head -c 5000000 | cksum >"$DIR/got"
	[[ $(cat "$DIR/got") == "$(head -c 5000000 /dev/zero | cksum)" ]]
	wait_for 20 none_match "^cat /dev/zero $DIR"
}

@test "flow: a daemon killed in the middle of large output: msb-exec says so, and what came is out" {
	daemon=$DAEMON
	(
		status=0
		"$X" -n -- cat /dev/zero 2>"$DIR/err" || status=$?
		echo "$status" >"$DIR/status"
	) 3>&- | {
		head -c 3000000
		kill -9 "$daemon"
		cat
	} | wc -c >"$DIR/count"
	wait "$DAEMON" || true
	DAEMON=
	[[ $(cat "$DIR/status") -eq 125 ]]
	grep -q 'lost the connection' "$DIR/err"
	(($(cat "$DIR/count") >= 3000000))
}

@test "flow: a command that takes back its own output harms nobody" {
	# It reads from the other end of its stdout, which the daemon is about to move.
	run timeout $((30 * SLOW)) "$X" -n -- sh -c '
		cat /dev/zero | head -c 20000000 &
		cat /proc/self/fd/1 >/dev/null & thief=$!
		wait %1
		kill $thief 2>/dev/null
		wait
		echo the end' >"$DIR/out"
	[[ $status -eq 0 ]]
	[[ $(tail -c 7 "$DIR/out") == "the end" || -s $DIR/out || -n $output ]]
	"$X" -n -- true
}

# ---- the wire ----

@test "flow: started says the window of stdin, credit comes as it is taken, and never more" {
	peer <<'EOF'
peer = Peer()
peer.request(1, "sh", "-c", "cat >$DIR/got; wc -c <$DIR/got", env=DIR_ENV, stdin_window=True)
window = peer.answer(1, "core.exec.started").stdin_window
assert window >= 65536, window
sent = consumed = 0
total = 5 * window
while sent < total:
    while sent - consumed < window and sent < total:
        n = min(30000, window - (sent - consumed), total - sent)
        peer.stdin(1, b"x" * n)
        sent += n
    if sent < total:
        credit = peer.answer(1, "core.exec.stdin.credit")
        equal(credit.flags, 0)
        assert consumed < credit.consumed <= sent, (consumed, credit.consumed, sent)
        consumed = credit.consumed
peer.stdin(1, b"")
equal(int(peer.outcome(1).stdout), total)
EOF
}

@test "flow: no credit for what is not taken, none that was not asked for" {
	peer <<'EOF'
peer = Peer()
peer.request(1, "sleep", "100", stdin_window=True)
window = peer.answer(1, "core.exec.started").stdin_window
for i in range(window // 32768):
    peer.stdin(1, b"x" * 32768)
# The whole window is there, and the connection is still read.
peer.ping()
peer.signal(1, 9)
got = peer.outcome(1)
assert "core.exec.stdin.credit" not in got.types, got.types
equal(got.last.signal, 9)
peer.request(2, "cat")
equal(set(peer.answer(2, "core.exec.started").payload), {"pid"})
for i in range(40):
    peer.stdin(2, b"x" * 32768)
    peer.read_until(2, b"x")
peer.stdin(2, b"")
assert "core.exec.stdin.credit" not in peer.outcome(2).types
EOF
}

@test "flow: who sends more than its window stops its own connection alone" {
	peer <<'EOF'
before = rss_kib()
peer = Peer()
peer.start(1, "sleep", "100", stdin_window=True)
peer.stuff(frame("core.exec.stdin", 1, {"data": b"x" * 65536}), 60000000)
check_rss(before, 6 * 1024)
other = Peer()
equal(other.run(1, "true").last.code, 0)
EOF
}

@test "flow: no more output is in flight than the client asked for" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat", "/dev/zero", output_window=100000)
got = best = 0
for consumed in (0, 1, 50000, 100000, 100000, 77, 180000):
    if consumed:
        peer.tell("core.exec.output.credit", 1, {"consumed": consumed})
    best = max(best, consumed)
    allowed = 100000 + best
    while got < allowed:
        got += len(peer.answer(1, "core.exec.stdout").data)
    equal(got, allowed)
    peer.ping()
# How it ended comes behind the last of its output.
peer.signal(1, 9)
while True:
    peer.tell("core.exec.output.credit", 1, {"consumed": got})
    if (came := peer.answer(1)).flags & TERMINAL:
        break
    got += len(came.data)
equal(came.signal, 9)
EOF
}

@test "flow: credit for more than was sent, or for nobody, is harmless" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat", "/dev/zero", output_window=1000)
peer.tell("core.exec.output.credit", 1, {"consumed": 2**64 - 1})
peer.tell("core.exec.output.credit", 99, {"consumed": 5})
peer.tell("core.exec.output.credit", 1, {"consumed": "many"})
equal(peer.outcome(1).last.kind, "invalid_payload")
peer.start(2, "cat")
peer.tell("core.exec.output.credit", 2, {"consumed": 7})
peer.stdin(2, b"key")
equal(peer.answer(2, "core.exec.stdout").data, b"key")
EOF
}

@test "flow: nothing is lost while credit is withheld, and the clock of silence waits" {
	peer <<'EOF'
peer = Peer()
# The leader ends at once; who holds the output goes on, and the window is closed all the while.
leader = peer.start_sh(1, "head -c 5000 /dev/zero; sleep 100 & echo $! >$DIR/pid; exit 3",
                       linger_ms=100, output_window=1000, env=DIR_ENV)
got = len(peer.answer(1, "core.exec.stdout").data)
wait_gone(leader)
# Several times the silence that would end it.
time.sleep(0.3)
peer.ping()
while got < 5000:
    peer.tell("core.exec.output.credit", 1, {"consumed": got})
    got += len(peer.answer(1, "core.exec.stdout").data)
peer.tell("core.exec.output.credit", 1, {"consumed": got})
equal(peer.answer(1, "core.exec.exited").code, 3)
with open(DIR + "/pid", encoding="ascii") as file:
    os.kill(int(file.read()), 9)
EOF
}

@test "flow: 200 sessions over one connection, one of them with a consumer that takes nothing" {
	peer <<'EOF'
before = rss_kib()
peer = Peer(30 * SLOW)
window = 65536
slow = 1
peer.request(slow, "cat", "/dev/zero", output_window=window)
size = 200000
for id in range(2, 201):
    peer.request(id, "head", "-c", str(size), "/dev/zero", output_window=window)
got = dict.fromkeys(range(1, 201), 0)
ended = set()
while len(ended) < 199:
    came = peer.next()
    if came.type == "core.exec.stdout":
        got[came.id] += len(came.data)
        if came.id != slow:
            peer.tell("core.exec.output.credit", came.id, {"consumed": got[came.id]})
    elif came.flags & TERMINAL:
        equal((came.type, came.code), ("core.exec.exited", 0))
        ended.add(came.id)
equal({got[id] for id in ended}, {size})
equal(got[slow], window)
peer.ping()
peer.signal(slow, 9)
while True:
    peer.tell("core.exec.output.credit", slow, {"consumed": got[slow]})
    if (came := peer.answer(slow)).flags & TERMINAL:
        break
    got[slow] += len(came.data)
equal(came.signal, 9)
check_rss(before, 4 * 1024)
EOF
}

@test "flow: 200 floods over one connection all get their turn" {
	peer <<'EOF'
peer = Peer(30 * SLOW)
for id in range(1, 201):
    peer.request(id, "cat", "/dev/zero")
# Each of them, and each of them again.
for turn in range(2):
    waiting = set(range(1, 201))
    while waiting:
        came = peer.next()
        if came.type == "core.exec.stdout":
            waiting.discard(came.id)
peer.close()
EOF
}

@test "flow: without credit a client that does not read does this to itself alone" {
	peer <<'EOF'
before = rss_kib()
stuck = Peer()
pids = [stuck.start(id, "cat", "/dev/zero") for id in range(1, 21)]
stuffed = Peer()
stuffed.start(1, "sleep", "100")
stuffed.stuff(frame("core.exec.stdin", 1, {"data": b"x" * 65536}), 60000000)
wait_for(lambda: all(is_stuck(pid) for pid in pids), "commands that find no room")
check_rss(before, 8 * 1024)
other = Peer()
for id in range(1, 11):
    equal(other.run(id, "true").last.code, 0)
# It can still signal.
stuck.signal(1, 9)
wait_gone(pids[0])
EOF
}

@test "flow: a large frame of input that comes in pieces is whole, and what follows it is heard" {
	peer <<'EOF'
peer = Peer()
data = random.randbytes(400000)
for id, cut in enumerate((1, 48, 49, 50, 51, 5000, 70000, 399999, 400048), 1):
    peer.start(id, "sh", "-c", "cksum >$DIR/sum; cat $DIR/sum", env=DIR_ENV, stdin_window=True)
    wire = frame("core.exec.stdin", id, {"data": data})
    # Once before, so that the daemon expects another.
    for again in range(2):
        peer.send(wire[:cut])
        peer.taken()
        peer.send(wire[cut:])
        if not again:
            peer.answer(id, "core.exec.stdin.credit")
    ping = peer.new_id()
    peer.tell("core.ping", ping)
    peer.answer(ping, "core.pong")
    peer.stdin(id, b"")
    sum = peer.outcome(id).stdout.split()
    equal(int(sum[1]), 800000)
import subprocess
wanted = subprocess.run(["cksum"], input=data * 2, capture_output=True).stdout.split()[0]
equal(sum[0], wanted)
EOF
}

@test "flow: a session that ends in the midst of a large frame of input harms nobody" {
	peer <<'EOF'
peer = Peer()
for how in ("kill", "close", "exit"):
    for cut in (49, 50, 30000, 200000):
        id = peer.new_id()
        pid = peer.start(id, "sh", "-c", {"kill": "exec sleep 100", "close": "exec sleep 100 <&-",
                                          "exit": "exit 5"}[how])
        if how == "close":
            # Up to its exec the shell keeps a copy of what it closes, and the pipe would take all of it.
            wait_for(lambda: set(os.listdir(f"/proc/{pid}/fd")) == {"1", "2"}, "a command without stdin")
        wire = frame("core.exec.stdin", id, {"data": b"x" * 300000})
        peer.send(wire[:cut])
        peer.taken()
        if how == "kill":
            os.kill(pid, 9)
            wait_gone(pid)
            wait_for(lambda: is_stuck(PID), "a daemon that has seen to it")
        peer.send(wire[cut:])
        if how == "close":
            peer.answer(id, "core.exec.stdin.error")
            peer.signal(id, 9)
        equal(peer.outcome(id).last.type, "core.exec.exited")
        peer.kept.clear()
        peer.ping()
# And a client that does, with all it had begun.
for cut in (49, 50, 30000, 200000):
    dying = Peer()
    pid = dying.start(1, "cat")
    dying.send(frame("core.exec.stdin", 1, {"data": b"x" * 300000})[:cut])
    dying.close()
    wait_gone(pid)
EOF
}

@test "flow: a large frame that is not what its beginning says costs its sender alone" {
	peer <<'EOF'
peer = Peer()
peer.start(1, "cat")
# Of a size that is moved, but the data is said to be longer than the frame.
wire = bytearray(frame("core.exec.stdin", 1, {"data": b"x" * 300000}))
wire[wire.index(b"data") + 8] += 1
peer.send(bytes(wire))
equal(peer.answer(1, "core.error", "core.exec.stdout").type, "core.error")
peer.ping()
EOF
}
