#!/usr/bin/env bats
# msb-relayd: one stream to the guest, many clients. A script of peer.py plays the clients, and
# where the answers matter less than what reaches it, the guest too (see guest.py).

load helper

RELAYD=$BUILD/msb-relayd

setup() {
	common_setup
	RELAY=
}

teardown() {
	local status=0
	if [[ -n $RELAY ]]; then
		relay_stop || status=1
	fi
	common_teardown || status=1
	return $status
}

# relay_start: in front of whatever is at $DIR/port.
relay_start() {
	"$RELAYD" --agent "unix:$DIR/port" --listen "unix:$SOCKET" --log-level info \
		2>>"$DIR/daemon.log" 3>&- &
	RELAY=$!
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	wait_for 5 test -S "$SOCKET"
}

relay_stop() {
	local status=0
	kill "$RELAY" 2>/dev/null || true
	wait "$RELAY" || status=$?
	RELAY=
	[[ $status -eq 0 ]] || echo "the relay ended with $status" >&2
	return $status
}

# ends: runs the Python on stdin as clients and guest of a relay.
ends() {
	relay_start
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY"
}

# ---- the greeting ----

@test "relay: ready is passed on byte for byte, behind the words of the client's own range" {
	ends <<'PY'
wire = ready(7, agent_version="guest/1", exec_features=["usage"], odd=[1, {"a": None}])
guest = Guest().accept()
guest.send(wire)
for slot in range(3):
    peer = Peer()
    equal(peer.range, (slot * STEP + 1, slot * STEP + STEP))
    equal(peer.ready.wire, wire)
PY
}

@test "relay: what came before ready is passed over, also the rest of a frame" {
	ends <<'PY'
rest = frame("core.exec.stdout", 7, {"data": bytes(range(256)) * 300})
for cut in 1, 4, 9, 30, len(rest) - 1, len(rest):
    guest = Guest().accept()
    guest.send(bytes(99) + rest[cut:] + ready()[:-1])
    guest.send(ready()[-1:])
    peer = Peer()
    equal(peer.ready.type, "core.ready")
    peer.close()
    guest.expect("core.relay.client.disconnected")
    guest.close()
PY
}

@test "relay: init.resolved is answered, and a guest that says nothing is asked" {
	ends <<'PY'
guest = Guest().accept()
guest.tell("core.init.resolved", 0, {"default_user": {"uid": 1, "gid": 2}})
guest.expect("core.init.ack", 0)
guest.expect("core.init.ack", 0)
guest.greet()
equal(Peer().ready.type, "core.ready")
PY
}

@test "relay: a client that comes before the guest is greeted when it is there" {
	ends <<'PY'
sock = socket.socket(socket.AF_UNIX)
sock.connect(SOCKET)
early = Stream(sock, LIMIT)
try:
    assert not early.fill(1, 0.3), "closed"
    assert False, "greeted without a guest"
except TimeoutError:
    pass
guest = Guest().up()
assert early.fill(8)
equal(early.take(8), struct.pack(">II", 1, STEP))
equal(early.next().type, "core.ready")
PY
}

@test "relay: 128 clients are served, the next is closed without a byte, until one leaves" {
	ends <<'PY'
guest = Guest().up()
peers = [Peer() for _ in range(128)]
equal([peer.range[0] for peer in peers], [slot * STEP + 1 for slot in range(128)])
sock = socket.socket(socket.AF_UNIX)
sock.connect(SOCKET)
sock.settimeout(LIMIT)
equal(sock.recv(1), b"")
peers[77].close()
equal(guest.expect("core.relay.client.disconnected").id_start, 77 * STEP + 1)
equal(Peer().range[0], 77 * STEP + 1)
PY
}

# ---- routing ----

@test "relay: frames go to whose id they have, and to nobody else" {
	ends <<'PY'
guest = Guest().up()
a, b = Peer(), Peer()
ids = []
for peer, name in ((a, "a"), (b, "b")):
    peer.request(1, name)
    got = guest.start()
    equal((got.id, got.cmd), (peer.range[0], name))
    ids.append(got.id)
for id, text in zip(ids, (b"for a", b"for b")):
    guest.tell("core.exec.stdout", id, {"data": text})
for id in 0, STEP, 2 * STEP + 5, 128 * STEP, 0xffffffff, ids[0] + 1:
    guest.tell("core.exec.stdout", id, {"data": b"for nobody"})
for id, code in zip(ids, (3, 4)):
    guest.tell("core.exec.exited", id, {"code": code})
for peer, text, code in ((a, b"for a", 3), (b, b"for b", 4)):
    got = peer.outcome(1)
    equal((got.stdout, got.last.code), (text, code))
    equal(peer.kept, [])
PY
}

@test "relay: an id outside the client's range closes it, and the agent hears nothing of it" {
	ends <<'PY'
guest = Guest().up()
other = Peer()
for id in 0x7fffffff, 0xffffffff - STEP, STEP + 1:
    peer = Peer()
    peer.tell("core.exec.request", id, {"cmd": "true"})
    peer.closed()
    guest.expect("core.relay.client.disconnected")
other.tell("core.ping", 7)
guest.expect("core.ping", other.base + 7)
PY
}

@test "relay: garbage never reaches the agent" {
	ends <<'PY'
guest = Guest().up()
rng = random.Random(3)
for i in range(60):
    peer = Peer()
    for _ in range(20):
        peer.send(wrap(7, rng.randrange(256), rng.randbytes(rng.randrange(200))))
        peer.tell("core.exec.request", 8, Raw(rng.randbytes(20)))
        peer.tell("core.fs.request", 9, Raw(b"\xff"))
        peer.tell(rng.choice(["core.bootstrap", "core.clock.sync", "core.exec.stdout", "x",
            "core.relay.client.disconnected", "core.exec.started", "core.exec.stdin"]), 7)
    peer.send(rng.randbytes(500))
    peer.end_input()
    while peer.next():
        pass
    peer.close()
    guest.expect("core.relay.client.disconnected")
guest.quiet()
PY
}
