#!/usr/bin/env bats
# What clients may take of a daemon: whoever takes too much is told so, and nobody else notices.

load helper

setup() {
	common_setup
	need_local "the options of a daemon of our own"
	need_direct "the options of a daemon of our own"
}

teardown() {
	common_teardown
}

@test "budget: sessions that ended while others hold their output are counted" {
	mark=$(mark)
	daemon_start --max-sessions 4
	for _ in {1..4}; do
		"$X" --linger 0 -- sh -c "sleep $mark &"
	done
	run -125 "$X" -- true
	[[ ${#lines[@]} -eq 1 && $output == *--max-sessions* ]]
	wait_for 10 matches 4 "^sleep $mark"
	guest_kill TERM "^sleep $mark"
	wait_for 10 "$X" -q -- true
}

@test "budget: too few descriptors are said to be too few, in time, and there is one to say it with" {
	WRAP=(prlimit --nofile=60:60)
	daemon_start
	peer <<'EOF'
# Sessions until there are no descriptors for one more.
peer, running = Peer(), 0
peers = [peer]
while True:
    peer.request(running + 1, "sleep", "1000")
    got = peer.answer(running + 1)
    if got.type == "core.exec.failed":
        break
    running += 1
equal((got.kind, got.errno_name), ("resource_limit", "EMFILE"))
assert running >= 4, running
# Connections until there is none for one more, which is told.
def refused():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(SOCKET)
    stream = Stream(sock, LIMIT)
    stream.fill(8) and stream.take(8)
    got = stream.next()
    if got.type == "core.ready":
        peers.append(stream)
        return None
    equal((got.type, got.id, stream.next()), ("core.error", 0, None))
    stream.close()
    return got.message
for _ in range(60):
    if words := refused():
        break
assert "RLIMIT_NOFILE" in words, words
# All that run can be ended, and then there is room.
for id in range(1, running + 1):
    peer.signal(id, 9)
    equal(peer.outcome(id).last.signal, 9)
for peer in peers:
    peer.close()
equal(served().run(1, "true").last.code, 0)
EOF
}

@test "budget: large frames of many clients all arrive, one after the other if need be" {
	daemon_start --max-memory 8M --frame-timeout $((20 * SLOW))s
	peer <<'EOF'
import threading
# All at once, and not to commands, which would take them without our memory.
whole = [f"E{i}=" + "v" * 1000 for i in range(1900)]
failed = []
def send():
    try:
        peer = Peer()
        equal(peer.run(1, "sh", "-c", "echo $E1899", env=whole).stdout.strip(), b"v" * 1000)
    except Exception as problem:
        failed.append(problem)
threads = [threading.Thread(target=send) for _ in range(30)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
equal(failed, [])
EOF
}

@test "budget: the largest frame there may be is let in, alone" {
	daemon_start --max-memory 1M --frame-timeout $((5 * SLOW))s
	peer <<'EOF'
peer = Peer()
# A request that fills its frame to the last byte, and is too much for the kernel.
length = 4 * 1024 * 1024
while len(request := frame("core.exec.request", 1, {"cmd": "true", "args": ["a" * length]})) > 4 * 1024 * 1024 + 4:
    length -= len(request) - (4 * 1024 * 1024 + 4)
equal(len(request), 4 * 1024 * 1024 + 4)
peer.send(request)
peer.failed(1, "bad_args", "execve", "E2BIG")
EOF
}

@test "budget: connections in all, refused with words that msb-exec prints" {
	daemon_start --max-connections 3
	# The connection of who asked whether it answers is closed by then.
	wait_for 10 is_still "$DAEMON"
	clients=()
	for _ in 1 2 3; do
		"$X" -n -- sh -c "echo up; exec sleep 1000" >>"$DIR/up" 3>&- &
		clients+=($!)
	done
	wait_for 10 guest_has "$DIR/up" 3
	for more in "-- true" --ping; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr "$X" $more
		[[ ${#stderr_lines[@]} -eq 1 ]]
		[[ $stderr == "msb-exec: unix:$SOCKET refuses the connection: "*--max-connections* ]]
	done
	kill "${clients[@]}"
	wait_for 10 "$X" -q -- true
}

@test "budget: connections of each user, which trusted ones do not notice" {
	need_root
	daemon_start --allow-uid 65534 --max-connections-of-user 3
	chmod 666 "$SOCKET"
	nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	clients=()
	for _ in 1 2 3; do
		"${nobody[@]}" "$X" -n -- sh -c "echo up; exec sleep 1000" >>"$DIR/up" 3>&- &
		clients+=($!)
	done
	wait_for 10 guest_has "$DIR/up" 3
	run -125 "${nobody[@]}" "$X" -- true
	[[ $output == *--max-connections-of-user* ]]
	for _ in {1..10}; do
		"$X" -n -- sh -c "echo up; exec sleep 1000" >>"$DIR/up" 3>&- &
		clients+=($!)
	done
	wait_for 10 guest_has "$DIR/up" 13
	run -0 "$X" -- true
	kill "${clients[@]}"
	wait_for 10 "${nobody[@]}" "$X" -q -- true
}

@test "budget: the relay's, of each user" {
	need_root
	chardev_start
	"$EXECD" -l "serial:$DIR/port" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	relay_start "$DIR/chardev" --allow-uid 65534 --max-connections-of-user 2
	chmod 666 "$SOCKET"
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	clients=()
	for _ in 1 2; do
		"${nobody[@]}" "$X" -n -- sh -c "echo up; exec sleep 1000" >>"$DIR/up" 3>&- &
		clients+=($!)
	done
	wait_for 10 guest_has "$DIR/up" 2
	run -125 "${nobody[@]}" "$X" -- true
	[[ $output == *--max-connections-of-user* ]]
	run -0 "$X" -- true
	kill "${clients[@]}"
	wait_for 10 "${nobody[@]}" "$X" -q -- true
}

@test "budget: half frames take no more memory than is given, are dropped in time, and hold up nobody" {
	daemon_start --max-memory 24M --frame-timeout $((2 * SLOW))s
	peer <<'EOF'
before = rss_kib()
whole = frame("core.exec.stdin", 1, {"data": b"x" * (4 * 1024 * 1024 - 200)})
halves = []
for _ in range(20):
    half = Peer()
    # As much as is taken.
    half.sock.settimeout(0.1)
    with contextlib.suppress(TimeoutError):
        half.sock.sendall(whole[:-100])
    halves.append(half)
check_rss(before, 40 * 1024)
# Small ones are served, and large ones as soon as there is memory.
peer = Peer()
equal(peer.run(1, "true").last.code, 0)
many = [f"E{i}=" + "v" * 1000 for i in range(900)]
equal(peer.run(2, "true", env=many).last.code, 0)
for half in halves:
    half.sock.settimeout(LIMIT)
    got = half.next()
    equal((got.type, got.id), ("core.error", 0))
    assert "--frame-timeout" in got.message, got.message
    half.closed()
big = Peer()
leader = big.start(1, "sh", "-c", "head -c 4000000 | wc -c")
big.stdin(1, b"y" * 4000000)
equal(big.outcome(1).stdout.strip(), b"4000000")
EOF
}

@test "budget: what a burst of frames took goes back, also of those that are not large" {
	daemon_start
	peer <<'EOF'
begun = frame("core.exec.stdin", 1, {"data": b"x" * 200 * 1024})[:-100]
before = rss_kib()
for _ in range(3):
    burst = [Peer() for _ in range(50)]
    for one in burst:
        one.send(begun)
    # Whatever lies behind them in memory may not keep them.
    behind = Peer()
    equal(behind.run(1, "true").last.code, 0)
    for one in burst:
        one.close()
    wait_for(lambda: count_fds() < 40, "the burst is gone")
    equal(behind.run(2, "true").last.code, 0)
    check_rss(before, 3000)
    behind.close()
EOF
}

@test "budget: input that a terminal does not take stays with its client" {
	daemon_start --max-memory 24M
	peer <<'EOF'
import hashlib
before = rss_kib()
lines = frame("core.exec.stdin", 1, {"data": b"0123456789\n" * (4 * 1024 * 1024 // 11 - 20)})
deaf = []
for _ in range(12):
    one = Peer()
    one.start(1, "sleep", "1000", tty=True)
    # As much as is taken.
    one.sock.settimeout(0.1)
    with contextlib.suppress(TimeoutError):
        one.sock.sendall(lines)
    deaf.append(one)
check_rss(before, 12 * 1024)
# Large frames of others have the memory.
many = [f"E{i}=" + "v" * 1000 for i in range(900)]
equal(Peer().run(2, "true", env=many).last.code, 0)
for one in deaf:
    one.close()
# What a terminal does take arrives whole, however large its frame.
data = bytes(range(256)) * 8000
raw = Peer()
raw.start_sh(1, f"stty raw -echo; echo ready; head -c {len(data)} | md5sum", tty=True)
raw.read_until(1, b"ready")
raw.stdin(1, data)
assert hashlib.md5(data).hexdigest().encode() in raw.outcome(1).stdout
EOF
}

@test "budget: a client that says nothing is dropped if that is wanted" {
	daemon_start --greeting-timeout "${SLOW}s"
	peer <<'EOF'
silent, busy = Peer(), Peer()
busy.ping()
got = silent.next()
equal((got.type, got.id), ("core.error", 0))
assert "--greeting-timeout" in got.message, got.message
silent.closed()
# Whoever has said something may be silent as long as he likes.
busy.ping()
EOF
}

@test "budget: a request with more text than is let in is refused" {
	daemon_start --max-request 10K
	run -125 "$X" -e "A=$(printf 'x%.0s' {1..11000})" -- true
	[[ ${#lines[@]} -eq 1 && $output == *--max-request* ]]
	run -0 "$X" -e "A=$(printf 'x%.0s' {1..9000})" -- true
}

@test "budget: output waits in the commands while clients together hold too much" {
	daemon_start --max-memory 4M
	peer <<'EOF'
before = rss_kib()
# Each would have half a MiB queued, and is none the worse for less.
peers = [Peer() for _ in range(30)]
for peer in peers:
    peer.request(1, "head", "-c", "3000000", "/dev/zero")
time.sleep(0.5)
check_rss(before, 14 * 1024)
for peer in peers:
    got = peer.outcome(1)
    equal((len(got.stdout), got.last.code), (3000000, 0))
EOF
}

@test "budget: what is no number, size or time is refused" {
	for bad in --max-connections=x --max-memory=1X --max-memory= --max-request=-1 --frame-timeout=soon \
		--greeting-timeout=1y --max-connections-of-user=many --max-memory=99999999999T; do
		run -2 "$EXECD" "$bad"
		[[ ${#lines[@]} -eq 1 && $output == msb-execd:* ]]
	done
	run -2 "$RELAYD" -a "$DIR/a" -l "$SOCKET" --max-memory=lots
	[[ ${#lines[@]} -eq 1 && $output == msb-relayd:*lots* ]]
}

# ---- the kernel's limits ----

@test "limit: without room for a process it refuses, and serves when there is some" {
	need_root
	# Another user's, whose processes are counted; and not one that others run tests as.
	WRAP=(prlimit --nproc=12:12 setpriv --reuid=61234 --regid=61234 --clear-groups)
	chmod 777 "$DIR"
	daemon_start
	peer <<'EOF'
peer = Peer()
running = []
while True:
    id = len(running) + 1
    peer.request(id, "cat")
    got = peer.answer(id)
    if got.type == "core.exec.failed":
        break
    running.append(id)
    assert id < 20, "no limit"
equal((got.kind, got.errno_name), ("resource_limit", "EAGAIN"))
assert "process" in got.message, got.message
for id in running:
    peer.stdin(id, b"x")
    equal(peer.answer(id).data, b"x")
    peer.stdin(id, b"")
    equal(peer.outcome(id).last.code, 0)
equal(peer.run(90, "true").last.code, 0)
EOF
}

@test "limit: without memory it refuses or waits, and serves when there is some" {
	WRAP=(prlimit --as=24000000:24000000)
	# A sanitizer wants terabytes.
	! grep -q __asan_init "$EXECD" || skip "sanitized programs do not run with so little"
	daemon_start --max-memory 0
	peer <<'EOF'
whole = frame("core.exec.stdin", 1, {"data": b"x" * (4 * 1024 * 1024 - 200)})
halves, lost = [], 0
for _ in range(12):
    try:
        half = Peer()
        half.sock.settimeout(1)
        half.sock.sendall(whole[:-100])
        halves.append(half)
    except (TimeoutError, AssertionError, ConnectionError):
        lost += 1
assert lost, "there was memory enough"
for half in halves:
    half.close()
# What was held is free again, at the latest when the daemon knows that they are gone.
peer = served(AssertionError, ConnectionError)
equal(peer.run(1, "true").last.code, 0)
big = Peer()
big.start(1, "sh", "-c", "head -c 3000000 | wc -c")
big.stdin(1, b"y" * 3000000)
equal(big.outcome(1).stdout.strip(), b"3000000")
EOF
}

# ---- many ----

@test "many: 500 sessions at once, and nothing is left of them" {
	daemon_start
	peer <<'EOF'
peer, others = Peer(), [Peer() for _ in range(4)]
peer.ping()
before, fds = rss_kib(), count_fds()
for id in range(1, 501):
    who = [peer, *others][id % 5]
    who.request(id, "cat")
for id in range(1, 501):
    who = [peer, *others][id % 5]
    who.answer(id, "core.exec.started")
    who.stdin(id, b"%d" % id)
equal(len(children()) >= 500, True)
for id in range(1, 501):
    who = [peer, *others][id % 5]
    equal(who.answer(id, "core.exec.stdout").data, b"%d" % id)
    who.stdin(id, b"")
for id in range(1, 501):
    equal([peer, *others][id % 5].outcome(id).last.code, 0)
wait_equal(count_fds, fds, "descriptors")
check_rss(before, 2048)
EOF
}

@test "many: 5000 sessions on one connection, and nothing is left of them" {
	daemon_start
	peer "$FACTOR" <<'EOF'
peer = Peer()
count = 5000 // int(ARGS[0])
for id in range(1, 101):
    peer.request(id, "true")
for id in range(1, 101):
    peer.outcome(id)
before, fds = rss_kib(), count_fds()
# Fifty at a time.
for first in range(101, 101 + count, 50):
    for id in range(first, first + 50):
        peer.request(id, "true")
    for id in range(first, first + 50):
        equal(peer.outcome(id).last.code, 0)
wait_equal(count_fds, fds, "descriptors")
check_rss(before, 1024)
EOF
}

# All of a small window may be there before the command is said to run.
@test "budget: input that came before started is credited once that has gone out" {
	daemon_start --max-memory 256K
	peer <<'EOF'
other = Peer()
other.start(1, "head", "-c", "3000000", "/dev/zero")
peer = Peer()
ids = iter(range(100, 10000))
def window():
    id = next(ids)
    peer.request(id, "true", stdin_window=True)
    started = peer.answer(id, "core.exec.started")
    peer.outcome(id)
    return started.stdin_window
wait_equal(window, 65536, "memory to be short")
for id in range(1, 20):
    peer.sock.sendall(
        peer.mine(frame("core.exec.request", id, {"cmd": "cat", "args": [], "stdin_window": True})) +
        peer.mine(frame("core.exec.stdin", id, {"data": bytes(65536)})))
    started = peer.answer(id, "core.exec.started")
    equal(started.stdin_window, 65536)
    got = []
    while "core.exec.stdin.credit" not in got:
        got.append(peer.answer(id, "core.exec.stdout", "core.exec.stdin.credit").type)
    peer.stdin(id, b"")
    while peer.answer(id).type != "core.exec.exited":
        pass
EOF
}

@test "budget: who is there over standard input makes room for nobody, since he cannot come again" {
	mkfifo "$DIR/in"
	exec 9<>"$DIR/in"
	"$EXECD" -l stdio: -l "unix:$SOCKET" --max-connections 1 <"$DIR/in" >"$DIR/out" 2>"$DIR/log" 9>&- 3>&- &
	DAEMON=$!
	wait_for 5 test -S "$SOCKET"
	wait_for 5 test -s "$DIR/out"
	# As long as somebody else would have been let be.
	sleep 2.1
	run -125 "$X" -S "unix:$SOCKET" -- true
	[[ $output == *--max-connections* ]]
	run -1 grep 'its place' "$DIR/out" "$DIR/log"
	# Both ends of the fifo, which here are one.
	exec 9>&-
	wait "$DAEMON"
	DAEMON=
}
