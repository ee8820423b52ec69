#!/usr/bin/env bats
# Nobody waits for ever for what has come: many sessions with tiny windows, slow readers and stdin
# that stops, and what a daemon that ends still has to say.

load helper

setup() {
	common_setup
	need_local "a daemon of our own"
}

teardown() {
	common_teardown
}

# clients: as peer, but the daemon may end meanwhile.
clients() {
	DIR=$DIR python3 -B "$ROOT/tests/peer.py" "$SOCKET" "$DAEMON"
}

@test "wake: 60 sessions over one connection, with tiny windows and readers that come late" {
	daemon_start
	peer 60 <<'EOF'
import hashlib
import select

COUNT = int(ARGS[0])
rand = random.Random(1)
peer = Peer(limit=30 * SLOW)


class One:
    """What it is sent comes back, on stdout or stderr or both; its window, and how much it was."""

    def __init__(self, id):
        self.id = id
        self.window = rand.choice([1, 7, 100, 4096, 65536, 300000])
        size = min(rand.choice([0, 1, 3000, 70000, 400000]), 400 * self.window)
        self.sent = rand.randbytes(size)
        self.left = memoryview(self.sent)
        self.ended = False
        self.got = b""
        self.told = 0
        self.consumed = 0
        self.stdin_window = 0
        self.code = None
        out = rand.choice(["cat", "cat >&2", "tr a a", "sleep 0.1; cat"])
        peer.request(id, "sh", "-c", out + f"; exit {id}", output_window=self.window,
                     stdin_window=True)

    def hear(self, frame):
        if frame.type == "core.exec.started":
            self.stdin_window = frame.stdin_window
        elif frame.type in ("core.exec.stdout", "core.exec.stderr"):
            self.got += frame.data
            assert len(self.got) - self.told <= self.window, "more than the window"
        elif frame.type == "core.exec.stdin.credit":
            self.consumed = frame.consumed
        elif frame.type == "core.exec.exited":
            self.code = frame.code

    def act(self):
        """Sends a piece if it may, and says what it took, but not each time."""
        if self.code is not None or not self.stdin_window:
            return
        if self.told < len(self.got) and rand.random() < 0.5:
            self.told = len(self.got)
            peer.tell("core.exec.output.credit", self.id, {"consumed": self.told})
        room = self.stdin_window - (len(self.sent) - len(self.left) - self.consumed)
        if self.left and room > 0 and rand.random() < 0.5:
            n = min(room, len(self.left), rand.choice([1, 500, 40000]) if len(self.left) < 5000
                    else 40000)
            peer.stdin(self.id, bytes(self.left[:n]))
            self.left = self.left[n:]
        if not self.left and not self.ended:
            self.ended = True
            peer.stdin(self.id, b"")


def is_readable():
    return bool(select.select([peer.sock], [], [], 0)[0])


ones = {id: One(id) for id in range(1, COUNT + 1)}
while any(one.code is None for one in ones.values()):
    for one in ones.values():
        one.act()
    # Nothing is left that we could do without a word from the daemon, or something has come.
    idle = all(one.code is not None or (one.ended and one.told == len(one.got)) for one in ones.values())
    if idle or is_readable() or peer.buffer:
        for _ in range(rand.choice([1, 10, 100])):
            frame = peer.next()
            assert frame, "the connection closed"
            if frame.id in ones:
                ones[frame.id].hear(frame)
            if not peer.buffer and not is_readable():
                break
for one in ones.values():
    equal((one.code, len(one.got)), (one.id, len(one.sent)))
    equal(hashlib.sha256(one.got).digest(), hashlib.sha256(one.sent).digest())
EOF
}

@test "wake: msb-exec eight times at once, input that stops and output that is taken late" {
	daemon_start
	head -c 3000000 /dev/urandom >"$DIR/in"
	sum=$(sha256sum <"$DIR/in")
	pids=()
	for i in 1 2 3 4 5 6 7 8; do
		{ head -c 1500000; sleep "0.$i"; cat; } <"$DIR/in" |
			"$X" -- sh -c "head -c 70000; sleep 0.$((9 - i)); cat" |
			{ head -c 1000; sleep "0.$i"; cat; } | sha256sum >"$DIR/sum$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4 5 6 7 8; do
		[[ $(<"$DIR/sum$i") == "$sum" ]]
	done
}

@test "wake: a daemon that is told to end sends what is queued, whoever else leaves meanwhile" {
	daemon_start
	clients <<'EOF'
peer, other = Peer(), Peer()
# From a terminal, all of it is read into the queue although nobody takes it.
peer.start(1, "head", "-c", "450000", "/dev/zero", tty=True)
wait_equal(children, [], "the daemon's children")
os.kill(PID, signal.SIGTERM)
other.close()
got = peer.outcome(1)
equal((len(got.stdout), got.last.type, got.last.code), (450000, "core.exec.exited", 0))
EOF
}

@test "wake: a daemon that ends takes no more commands that would hold it up" {
	daemon_start
	clients <<'EOF'
peer = Peer()
peer.start_sh(1, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
peer.read_until(1, b"ready")
os.kill(PID, signal.SIGTERM)
# It listens no more: it has heard.
wait_for(lambda: not os.path.exists(SOCKET), "the end of its listening")
peer.request(2, "sleep", "1000")
assert "ending" in peer.failed(2, "other")
equal(peer.outcome(1).last.signal, 9)
wait_gone(PID)
EOF
}
