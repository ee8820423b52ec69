#!/usr/bin/env bats
# msb-relayd: one stream to the guest, many clients. A script of peer.py plays the clients, and
# where the answers matter less than what reaches it, the guest too (see guest.py).

load helper
load ends

setup() {
	common_setup
}

teardown() {
	relay_teardown
}

# ---- the greeting ----

@test "relay: ready is passed on byte for byte, behind the words of the client's own range" {
	ends <<'PY'
wire = ready(7, agent_version="guest/1", exec_features=["usage"], odd=[1, {"a": None}])
guest = Guest().accept()
guest.answer_bootstrap()
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

@test "relay: the guest hears a bootstrap first; it is acknowledged, and one that says nothing is asked" {
	ends <<'PY'
guest = Guest().accept()
equal(guest.bootstrap.payload, {"security_profile": "default"})
guest.answer_bootstrap()
guest.greet()
equal(Peer().ready.type, "core.ready")
guest.hang_up()
guest.accept()
guest.expect("core.init.ack", 0)
ping = guest.expect("core.ping")
assert ping.id % STEP == 0, ping
guest.tell("core.pong", ping.id, v=9)
# Ready was said to somebody else.
peer = Peer()
equal((peer.ready.type, peer.ready.v, peer.ready.exec_features), ("core.ready", 7, []))
PY
}

@test "relay: --no-bootstrap: the guest is told nothing before it has greeted" {
	relay_start "$DIR/port" --no-bootstrap
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY" <<'PY'
guest = Guest().connect()
guest.greet(v=4)
peer = Peer()
peer.request(1, "x")
equal(guest.start().cmd, "x")
# It does not know pings either.
guest.hang_up()
guest.connect()
guest.expect("core.init.ack", 0)
guest.quiet()
PY
	# shellcheck disable=SC2153 # of helper.bash
	run -2 "$RELAYD" -a "$DIR/a" -l "$DIR/b" --no-bootstrap --cwd /
	[[ $output == *--no-bootstrap* ]]
}

@test "relay: what greets like a socket for clients is no stream, which is said" {
	python3 -B "$BATS_TEST_DIRNAME/agent.py" "$DIR/port" <<<'client.greet()' 2>>"$DIR/daemon.log" 3>&- &
	agent=$!
	wait_for 5 test -S "$DIR/port"
	run -1 "$RELAYD" -a "$DIR/port" -l "$SOCKET"
	[[ $output == *"$DIR/port: it greets as an agent does its clients"*msb-exec* ]]
	wait "$agent"
	run -1 "$RELAYD" -a "exec:$EXECD --listen stdio:" -l "$SOCKET"
	[[ $output == *"exec:"*"no relay is needed"* ]]
}

@test "relay: what an exec: starts is ended and reaped, whatever it does, and one at a time" {
	# Each hangs up at once, and then neither ends by itself nor when it is asked to.
	mark=$(mark)
	"$RELAYD" -a "exec:sh -c 'trap \"\" TERM; exec <&- >&-; exec sleep $mark'" -l "$SOCKET" --log-level info \
		2>>"$DIR/daemon.log" 3>&- &
	relay=$!
	for count in 1 2 3; do
		wait_for 20 eval '[[ $(grep -c "connected; waiting" "$DIR/daemon.log") -ge $count ]]'
		# One that is there, or one that is going.
		[[ $(pgrep -fc "sleep $mark") -le 2 ]]
	done
	[[ $(ps -o pid= --ppid "$relay" | wc -l) -le 1 ]]
	kill "$relay"
	wait_for 20 gone "$relay"
	wait "$relay"
	none_match "sleep $mark"
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

@test "relay: 128 clients are served, the next is told that there is no room, until one leaves" {
	ends <<'PY'
guest = Guest().up()
peers = [Peer() for _ in range(128)]
equal([peer.range[0] for peer in peers], [slot * STEP + 1 for slot in range(128)])
try:
    Peer()
    assert False, "a 129th client was served"
except Refused as refusal:
    assert "all 128 ranges" in str(refusal), refusal
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
        peer.tell("core.fs.request", 9, Raw(rng.choice([b"\xff", b"\xa1\0\0", b"\x80"])))
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

# ---- credit on behalf of clients that do not know it ----

@test "relay: windows are asked for where the agent knows them and the client does not" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
for dialect in "plain", "ts", "indefinite":
    peer.request(1, "x", dialect=dialect, env=["A=1"], odd=[1, {"a": [None]}], output_window=None)
    got = guest.start(stdin_window=100)
    # Encoded anew from what was understood, so without the key that nobody knows.
    equal((got.cmd, got.env, "odd" in got.payload), ("x", ["A=1"], False))
    assert got.stdin_window is True and got.output_window >= 65536, got
    guest.tell("core.exec.exited", got.id, {"code": 0})
    equal(peer.outcome(1).types, ["core.exec.started", "core.exec.exited"])
peer.request(2, "x", stdin_window=True, output_window=77, odd=[1, {"a": [None]}])
got = guest.start(stdin_window=100)
equal((got.stdin_window, got.output_window, got.odd), (True, 77, [1, {"a": [None]}]))
guest.tell("core.exec.stdin.credit", got.id, {"consumed": 5})
equal(peer.answer(2, "core.exec.started").stdin_window, 100)
equal(peer.answer(2, "core.exec.stdin.credit").consumed, 5)
peer.tell("core.exec.output.credit", 2, {"consumed": 6})
equal(guest.expect("core.exec.output.credit").consumed, 6)
PY
}

@test "relay: an agent that lists nothing is sent nothing new" {
	ends <<'PY'
guest = Guest().up()
peer = Peer()
peer.request(1, "x", stdin_window=True)
got = guest.start()
equal(set(got.payload), {"cmd", "args", "stdin_window"})
peer.tell("core.exec.output.close", 1, {"stream": "stdout"})
peer.tell("core.exec.output.credit", 1, {"consumed": 6})
peer.tell("core.ping", 2)
guest.expect("core.ping")
PY
}

@test "relay: what is passed on ends where the message ends" {
	ends <<'PY'
guest = Guest().up()
peer = Peer()
id = peer.base
for dialect in "plain", "ts", "indefinite":
    for type, payload in (("core.exec.request", {"cmd": "x", "odd": 1}), ("core.fs.request", {"op": {}}),
            ("core.tcp.connect", {"host": "h", "port": 1})):
        whole = encode(payload, dialect)
        id += 1
        peer.tell(type, id, Raw(whole + b"\xa1\x01"))
        equal(guest.expect(type, id).raw, whole)
        guest.tell("core.error", id, {"kind": "invalid_payload", "message": "no"})
        peer.answer(id, "core.error")
PY
}

@test "relay: a resize is said as the agent understands it" {
	ends <<'PY'
guest = Guest().up()
peer = Peer()
peer.request(1, "x", tty=True)
id = guest.start().id
whole = encode({"rows": 50, "cols": 132})
for payload in ({"rows": 50, "cols": 132.0}, {"cols": Raw(b"\xc2\x41\x84"), "odd": 1, "rows": 50}):
    peer.tell("core.exec.resize", 1, payload)
    equal(guest.expect("core.exec.resize", id).raw, whole)
peer.tell("core.exec.resize", 1, {"rows": 1, "cols": 2, "xpixel": 3, "ypixel": None})
equal(guest.expect("core.exec.resize", id).payload, {"rows": 1, "cols": 2, "xpixel": 3, "ypixel": 0})
PY
}

@test "relay: an agent that dies of what it does not understand gets requests in our words" {
	ends <<'PY'
guest = Guest().up(v=4)
peer = Peer()
peer.request(1, "x", rows=5.0, odd=1, dialect="indefinite")
equal(guest.start().raw, encode({"cmd": "x", "args": [], "env": [], "cwd": None, "user": None,
    "tty": False, "rows": 5, "cols": 80, "rlimits": []}))
PY
}

@test "relay: a limit that is none is answered, and the agent hears nothing of it" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
for n in range(3):
    peer.request(1, "x", rlimits=[{"resource": "cpu", "soft": 1}])
    equal(peer.answer(1, "core.exec.failed").kind, "resource_limit")
peer.tell("core.ping", 2)
guest.expect("core.ping")
PY
}

@test "relay: input waits for the agent's credit, and what is behind it gets through" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
peer.request(1, "x")
request = guest.expect("core.exec.request")
sent = random.Random(1).randbytes(200000)
for at in range(0, len(sent), 30000):
    peer.stdin(1, sent[at:at + 30000])
peer.stdin(1, b"")
peer.signal(1, 15)
got = b""
while len(got) < 65536:
    got += guest.expect("core.exec.stdin", request.id).data
equal(len(got), 65536)
equal(guest.expect("core.exec.signal", request.id).signal, 15)
guest.quiet()
guest.tell("core.exec.started", request.id, {"pid": 5, "stdin_window": 100000})
while len(got) < 100000:
    got += guest.expect("core.exec.stdin", request.id).data
guest.quiet()
guest.tell("core.exec.stdin.credit", request.id, {"consumed": 100000})
while len(got) < 200000:
    got += guest.expect("core.exec.stdin", request.id).data
equal(got, sent)
equal(guest.expect("core.exec.stdin", request.id).data, b"")
guest.tell("core.exec.exited", request.id, {"code": 0})
# The credit was not the client's affair.
equal(peer.outcome(1).types, ["core.exec.started", "core.exec.exited"])
PY
}

@test "relay: output is credited as the client takes it, and no sooner" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
peer.request(1, "x")
request = guest.start()
window = request.output_window
peer.answer(1, "core.exec.started")
sent = credited = 0
while sent - credited < window:
    guest.tell("core.exec.stdout", request.id, {"data": bytes(16384)})
    sent += 16384
    try:
        while got := guest.next(0.02):
            equal((got.type, got.id), ("core.exec.output.credit", request.id))
            credited = got.consumed
    except TimeoutError:
        pass
    assert sent < 8 << 20, "credit for what nobody takes"
# For the last that it took, credit may still be on its way.
try:
    while got := guest.next(0.3 * SLOW):
        equal((got.type, got.id), ("core.exec.output.credit", request.id))
except TimeoutError:
    pass
guest.quiet()
# The client reads again.
taken = 0
while taken < sent:
    taken += len(peer.answer(1, "core.exec.stdout").data)
while credited < sent - window // 4:
    credited = guest.expect("core.exec.output.credit").consumed
assert credited <= sent
PY
}

# ---- kept sessions ----

@test "relay: whose a request is, the relay says, and no client" {
	ends <<'PY'
mine, huge = os.getuid(), "x" * 200000
guest = Guest().up(KEEPS)
peer = Peer()
forged = [{}, {"for_uid": 0}, {"for_uid": 4294967295}, {"for_uid": Raw(b"\xc2\x41\x07")}, {"for_uid": 7.0},
          {"for_uid": None}, {"stdin_window": True, "output_window": 99, "for_uid": 0, "odd": [None]},
          {"for_uid": 0, "cwd": huge}]
requests = [("core.exec.request", {"cmd": "x"}), ("core.session.list", {}),
            ("core.session.attach", {"session": "n"}), ("core.session.input", {"session": "n"}),
            ("core.session.signal", {"session": "n", "signal": 15}),
            ("core.session.remove", {"session": "n"})]
for type, payload in requests:
    for keys in forged:
        for dialect in "plain", "ts", "indefinite":
            peer.tell(type, 1, {**keys, **payload}, dialect=dialect)
            got = guest.expect(type)
            # Once, in the shortest way, and nothing that could be read as another.
            equal((got.for_uid, got.raw.count(encode("for_uid")), got.raw.count(b"for_uid")), (mine, 1, 1))
            assert encode("for_uid") + encode(mine) in got.raw and "odd" not in got.payload, got
            guest.tell("core.error", got.id, {"kind": "invalid_session", "message": "no"})
            peer.answer(1, "core.error")
    # A key that is bytes is the same key; behind the map nothing counts.
    for whole in (encode({**payload, b"for_uid": 0}), encode(payload) + encode({"for_uid": 0})):
        peer.tell(type, 1, Raw(whole))
        got = guest.expect(type)
        equal((got.for_uid, got.raw.count(b"for_uid")), (mine, 1))
        guest.tell("core.error", got.id, {"kind": "invalid_session", "message": "no"})
        peer.answer(1, "core.error")
    # Twice, or none that there can be, is no request, and the guest hears nothing of it.
    for value in encode(0) + encode("for_uid") + encode(mine), encode("0"), encode(-1), encode(1 << 32), encode(b"\0"):
        body = b"".join(encode(k) + encode(v) for k, v in payload.items()) + encode("for_uid") + value
        peer.tell(type, 1, Raw(b"\xbf" + body + b"\xff"))
        peer.refused(1, "invalid_payload", type)
peer.tell("core.ping", 2)
guest.expect("core.ping")
PY
}

@test "relay: each client's uid is its own" {
	need_root
	chmod 755 "$DIR"
	relay_start "$DIR/port" --allow-uid 65534 --allow-uid 65533
	chmod 666 "$SOCKET"
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY" <<'PY'
guest = Guest().up(KEEPS)
peers = []
for uid in 0, 65534, 65533:
    os.seteuid(uid)
    peers.append((uid, Peer()))
    os.seteuid(0)
for uid, peer in peers + peers[::-1]:
    peer.request(1, "x", for_uid=0)
    got = guest.expect("core.exec.request")
    equal((got.for_uid, got.id), (uid, peer.range[0]))
    guest.tell("core.exec.exited", got.id, {"code": 0})
    peer.outcome(1)
PY
}

@test "relay: an agent that keeps no sessions hears nothing of any, and of nobody's uid" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
for type, payload in (("core.session.list", {}), ("core.session.attach", {"session": "n"}),
                      ("core.session.input", {"session": "n"}), ("core.session.detach", {}),
                      ("core.session.signal", {"session": "n", "signal": 9}),
                      ("core.session.remove", {"session": "n"})):
    peer.tell(type, 1, payload)
    assert "cannot keep sessions" in peer.refused(1, "unsupported_message_type", type)
peer.tell("core.ping", 2)
guest.expect("core.ping")
peer.request(3, "x", stdin_window=True, output_window=5, for_uid=0, name="n")
got = guest.start()
equal((got.payload.get("for_uid"), got.name), (None, "n"))
# One of the reference's, which may be another one when it comes to read this.
guest.hang_up()
guest.up()
peer = Peer()
peer.request(1, "x", for_uid=0, stdin_window=True)
equal(guest.start().payload.get("for_uid"), None)
PY
}

@test "relay: a request that is too large to say whose it is is refused, and its client goes on" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
# Just what a frame can hold.
def request(room):
    return frame("core.exec.request", 1, {"cmd": "x", "args": ["y" * room]})

room = FRAME_MAX - len(request(FRAME_MAX)) + FRAME_MAX + 4
equal(len(request(room)), FRAME_MAX + 4)
peer.send(request(room))
assert "too large" in peer.failed(1, "resource_limit")
peer.tell("core.session.attach", 1, {"session": "y" * (room - 10)})
assert "too large" in peer.refused(1, "invalid_session", "core.session.attach")
peer.send(request(room - 300))
equal(len(guest.expect("core.exec.request").args[0]), room - 300)
PY
}

@test "relay: an attached session: credit both ways on behalf of a client, and all that it says" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
peer.ask_attach(1, "n", stdout_since=5, rows=4, cols=9, hold_ms=7, mode="take")
sent = random.Random(2).randbytes(200000)
for at in range(0, len(sent), 30000):
    peer.stdin(1, sent[at:at + 30000])
peer.stdin(1, b"")
peer.tell("core.exec.resize", 1, {"rows": 5, "cols": 6})
request = guest.expect("core.session.attach")
equal((request.session, request.mode, request.stdout_since, request.rows, request.cols, request.hold_ms),
      ("n", "take", 5, 4, 9, 7))
assert request.stdin_window is True and request.output_window >= 65536, request
got = b""
while len(got) < 65536:
    got += guest.expect("core.exec.stdin", request.id).data
equal((len(got), guest.expect("core.exec.resize", request.id).rows), (65536, 5))
guest.quiet()
attached = frame("core.session.attached", request.id, {"session": "0123456789ab", "pid": 5, "stdout_at": 5,
    "stderr_at": 0, "stdin_at": 3, "stdin_window": 100000, "odd": 1})
guest.send(attached)
equal(peer.answer(1, "core.session.attached").payload, decode(decode(attached[9:])["p"]))
while len(got) < 100000:
    got += guest.expect("core.exec.stdin", request.id).data
guest.quiet()
guest.tell("core.exec.stdin.credit", request.id, {"consumed": 100000})
while len(got) < 200000:
    got += guest.expect("core.exec.stdin", request.id).data
equal((got, guest.expect("core.exec.stdin", request.id).data), (sent, b""))
peer.signal(1, 10)
peer.tell("core.exec.output.close", 1, {"stream": "stderr"})
equal(guest.expect("core.exec.signal", request.id).signal, 10)
equal(guest.expect("core.exec.output.close", request.id).stream, "stderr")
# Its client reads, so there is credit for all.
window, credited = request.output_window, 0
for n in range(0, 3 * window, 16384):
    guest.tell("core.exec.stdout", request.id, {"data": bytes(16384)})
    peer.answer(1, "core.exec.stdout")
    while n + 16384 - credited > window // 2:
        credited = guest.expect("core.exec.output.credit", request.id).consumed
guest.tell("core.session.detached", request.id, {"why": "taken", "session": "0123456789ab"})
equal(peer.answer(1, "core.session.detached").why, "taken")
# The id is free, and what is still said on it for nobody.
peer.stdin(1, b"late")
peer.tell("core.session.detach", 1)
peer.request(1, "next")
# The last credit comes when it comes.
while (got := guest.next()).type == "core.exec.output.credit":
    equal(got.id, request.id)
equal((got.type, got.cmd), ("core.exec.request", "next"))
PY
}

@test "relay: of an agent whose requests are encoded anew, what we do not know is not announced" {
	ends <<'PY'
guest = Guest().up([*KEEPS, "unheard_of", "merge_output"])
peer = Peer()
equal(peer.ready.exec_features, [*KEEPS, "merge_output"])
peer.request(1, "true", merge_output=True)
equal(guest.expect("core.exec.request").merge_output, True)
PY
}

@test "relay: of another agent all that it announces is passed on" {
	ends <<'PY'
guest = Guest().up([*FEATURES, "unheard_of"])
equal(Peer().ready.exec_features, [*FEATURES, "unheard_of"])
PY
}

@test "relay: a client that counts credit itself has the agent's own, also of an attached session" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
peer.ask_attach(1, "n", stdin_window=True, output_window=77, mode="watch")
request = guest.expect("core.session.attach")
equal((request.stdin_window, request.output_window, request.mode), (True, 77, "watch"))
guest.tell("core.session.attached", request.id, {"session": "0123456789ab", "stdin_window": 100})
guest.tell("core.exec.stdin.credit", request.id, {"consumed": 5})
guest.tell("core.session.skipped", request.id, {"stream": "stdout", "bytes": 9})
guest.tell("core.session.refused", request.id, {"message": "no"})
equal(peer.answer(1, "core.session.attached").stdin_window, 100)
equal(peer.answer(1, "core.exec.stdin.credit").consumed, 5)
equal(peer.answer(1, "core.session.skipped").bytes, 9)
equal(peer.answer(1, "core.session.refused").message, "no")
peer.tell("core.exec.output.credit", 1, {"consumed": 6})
equal(guest.expect("core.exec.output.credit", request.id).consumed, 6)
guest.tell("core.exec.exited", request.id, {"code": 4})
equal(peer.answer(1, "core.exec.exited").code, 4)
PY
}

@test "relay: who sends to a session sends input alone, and leaves behind the last of it" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
peer.tell("core.session.input", 1, {"session": "n"})
sent = bytes(range(250)) * 400
peer.stdin(1, sent)
peer.tell("core.session.detach", 1, {"restore": b"r"})
peer.signal(1, 9)
peer.tell("core.exec.resize", 1, {"rows": 5, "cols": 6})
peer.tell("core.exec.output.close", 1, {"stream": "stderr"})
request = guest.expect("core.session.input")
equal((request.stdin_window, request.payload.get("output_window")), (True, None))
got = b""
while len(got) < 65536:
    got += guest.expect("core.exec.stdin", request.id).data
guest.tell("core.session.attached", request.id, {"session": "0123456789ab", "stdin_window": 65536})
peer.answer(1, "core.session.attached")
guest.quiet()
guest.tell("core.exec.stdin.credit", request.id, {"consumed": 65536})
while len(got) < len(sent):
    got += guest.expect("core.exec.stdin", request.id).data
equal(got, sent)
equal(guest.expect("core.session.detach", request.id).restore, b"r")
guest.tell("core.session.detached", request.id, {"why": "asked", "session": "0123456789ab"})
peer.answer(1, "core.session.detached")
PY
}

@test "relay: to a terminal that one comes to, the end of input means nothing" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
for id, tty in ((1, True), (2, False)):
    peer.ask_attach(id, "n")
    request = guest.expect("core.session.attach")
    peer.stdin(id, b"")
    equal(guest.expect("core.exec.stdin", request.id).data, b"")
    guest.tell("core.session.attached", request.id, {"session": "0123456789ab", "tty": tty})
    peer.answer(id, "core.session.attached")
    peer.stdin(id, b"more")
    if tty:
        equal(guest.expect("core.exec.stdin", request.id).data, b"more")
peer.tell("core.ping", 3)
guest.expect("core.ping")
PY
}

@test "relay: a command is left to go on, or it is told why not and goes on as it was" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
peer.request(1, "x")
request = guest.start()
peer.tell("core.session.detach", 1, {"restore": bytes(100000)})
# More than a terminal's modes take is none.
equal(guest.expect("core.session.detach", request.id).payload, {})
guest.tell("core.session.refused", request.id, {"message": "no room"})
equal([peer.answer(1).type for _ in range(2)], ["core.exec.started", "core.session.refused"])
peer.stdin(1, b"on")
equal(guest.expect("core.exec.stdin", request.id).data, b"on")
peer.tell("core.session.detach", 1, {"restore": b"\x1b[?25l"})
equal(guest.expect("core.session.detach", request.id).restore, b"\x1b[?25l")
guest.tell("core.session.detached", request.id, {"why": "asked", "session": "0123456789ab"})
equal(peer.outcome(1).last.type, "core.session.detached")
PY
}

@test "relay: questions about sessions, their answers, and one that comes while the guest is away" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer, other = Peer(), Peer()
peer.tell("core.session.list", 1)
other.tell("core.session.list", 1)
ids = [guest.expect("core.session.list").id for _ in range(2)]
equal(set(ids), {peer.range[0], other.range[0]})
for id in ids:
    for name in "a", "b":
        guest.tell("core.session.entry", id, {"session": "0123456789ab", "name": f"{name}{id}"})
    guest.tell("core.session.done", id)
for one in peer, other:
    got = one.outcome(1)
    equal((got.types, got.frames[1].name),
          (["core.session.entry"] * 2 + ["core.session.done"], f"b{one.range[0]}"))
peer.tell("core.session.signal", 2, {"session": "n", "signal": -5})
got = guest.expect("core.session.signal")
equal((got.session, got.signal), ("n", -5))
guest.tell("core.session.done", got.id)
peer.answer(2, "core.session.done")
peer.tell("core.session.remove", 2, {"session": "n"})
guest.tell("core.error", guest.expect("core.session.remove").id, {"kind": "invalid_session", "message": "no"})
equal(peer.refused(2, "invalid_session"), "no")
# Who says no more is answered all the same.
other.tell("core.session.list", 5)
other.end_input()
guest.tell("core.session.done", guest.expect("core.session.list").id)
other.answer(5, "core.session.done")
other.closed()
guest.expect("core.relay.client.disconnected")
peer.tell("core.session.list", 6)
guest.expect("core.session.list")
guest.hang_up()
assert "lost" in peer.refused(6, "invalid_session")
peer.tell("core.session.list", 6)
assert "not connected" in peer.refused(6, "invalid_session")
PY
}

@test "relay: a bad frame on a kept session's id ends the id, and not the session" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
def begin(kind):
    if kind == "exec":
        peer.request(1, "x", on_disconnect="keep", name="n")
        return guest.start()
    peer.tell("core.session." + kind, 1, {"session": "n"})
    request = guest.expect("core.session." + kind)
    guest.tell("core.session.attached", request.id, {"session": "0123456789ab"})
    return request

for kind in "exec", "attach", "input":
    request = begin(kind)
    peer.answer(1)
    peer.stdin(1, bytes(99999))
    peer.tell("core.exec.stdin", 1, {"data": "text"})
    peer.refused(1, "invalid_payload")
    # What is left of the input that had gone.
    while (got := guest.next()).type == "core.exec.stdin":
        pass
    equal((got.type, got.id), ("core.session.detach", request.id))
    peer.request(1, "next")
    guest.tell("core.exec.stdout", request.id, {"data": b"late"})
    guest.quiet()
    guest.tell("core.session.detached", request.id, {"why": "asked", "session": "0123456789ab"})
    next = guest.start()
    equal((next.cmd, peer.answer(1).type), ("next", "core.exec.started"))
    guest.tell("core.exec.exited", next.id, {"code": 0})
    equal(peer.outcome(1).types, ["core.exec.exited"])
# Of a question, nothing is there to end; its answer is nobody's.
peer.tell("core.session.list", 1)
request = guest.expect("core.session.list")
peer.tell("core.exec.stdin", 1, {"data": "text"})
peer.refused(1, "invalid_payload")
guest.tell("core.session.entry", request.id, {"session": "0123456789ab"})
guest.tell("core.session.done", request.id)
peer.request(1, "next")
equal(guest.start().cmd, "next")
equal(peer.answer(1).type, "core.exec.started")
PY
}

@test "relay: of clients that are gone, nothing that is kept is killed, and the range is free again" {
	ends <<'PY'
guest = Guest().up(KEEPS)
for turn in range(2):
    peers = [Peer() for _ in range(128)]
    peer = peers[9]
    peer.request(1, "x", on_disconnect="keep")
    kept = guest.start()
    peer.ask_attach(2, "n")
    peer.ask_attach(3, "n", mode="wait")
    peer.tell("core.session.input", 4, {"session": "n"})
    ids = [guest.next().id for _ in range(3)]
    if turn:
        guest.tell("core.session.attached", ids[0], {"session": "0123456789ab"})
    # One that is left while input is held, and its client does not stay for the answer.
    peer.request(6, "x")
    left = guest.start(stdin_window=10)
    peer.stdin(6, bytes(200000))
    peer.tell("core.session.detach", 6)
    # Held, and for nobody by then.
    peer.stdin(2, bytes(200000))
    peer.stdin(1, bytes(200000))
    peer.close()
    while (got := guest.next()).type == "core.exec.stdin":
        pass
    equal((got.type, got.id), ("core.session.detach", left.id))
    guest.tell("core.session.detached", left.id, {"why": "asked", "session": "0123456789ac"})
    equal(guest.expect("core.relay.client.disconnected").id_start, peer.range[0])
    ping = guest.expect("core.ping")
    guest.tell("core.exec.stdout", kept.id, {"data": b"late"})
    guest.tell("core.session.detached", ids[1], {"why": "taken", "session": "0123456789ab"})
    try:
        Peer()
        assert False, "its range was given before the guest is done with it"
    except Refused:
        pass
    guest.tell("core.pong", ping.id)
    peers[9] = served()
    equal(peers[9].range, peer.range)
    guest.quiet()
    for peer in peers:
        peer.close()
    for _ in range(128):
        guest.expect("core.relay.client.disconnected")
PY
}

@test "relay: a session that is kept is not over with the guest's connection, nor with the relay" {
	ends <<'PY'
guest = Guest().up(KEEPS)
for keys in {"on_disconnect": "keep"}, None:
    peer, other = Peer(), Peer()
    if keys:
        peer.request(1, "x", **keys)
        guest.start()
        peer.answer(1, "core.exec.started")
    else:
        peer.ask_attach(1, "n")
        guest.tell("core.session.attached", guest.expect("core.session.attach").id, {"session": "0123456789ab"})
        peer.answer(1, "core.session.attached")
    other.request(1, "x")
    guest.start()
    other.answer(1, "core.exec.started")
    guest.hang_up()
    # Its client may find another way; to the other, its command is over.
    peer.closed()
    assert "lost" in other.refused(1, "invalid_session")
    other.close()
    guest.up(KEEPS)
peer = Peer()
peer.ask_attach(1, "n")
guest.expect("core.session.attach")
os.kill(PID, signal.SIGTERM)
peer.closed()
guest.expect("core.relay.client.disconnected")
guest.expect("core.ping")
equal(guest.next(), None)
PY
	wait "$RELAY"
	RELAY=
}

@test "relay: more sessions of one client than it may have are refused, of each kind" {
	ends <<'PY'
guest = Guest().up(KEEPS)
peer = Peer()
kinds = [("core.session.attach", {"session": "n"}), ("core.session.input", {"session": "n"}),
         ("core.session.list", {}), ("core.exec.request", {"cmd": "x"})]
for n in range(1024):
    type, payload = kinds[n % 4]
    peer.tell(type, 1 + n, payload)
    guest.expect(type)
for type, payload in kinds[:3]:
    peer.tell(type, 2000, payload)
    assert "too many" in peer.refused(2000, "invalid_session", type)
peer.request(2000, "x")
assert "too many" in peer.failed(2000, "resource_limit")
guest.tell("core.session.done", peer.range[0] + 2)
peer.answer(3, "core.session.done")
peer.tell("core.session.list", 2000)
guest.expect("core.session.list")
PY
}

# ---- ends ----

@test "relay: of a reference agent, a vanished client's commands are killed one by one" {
	ends <<'PY'
guest = Guest().up()
peer = Peer()
ids = []
for id in range(1, 6):
    peer.request(id, "x")
    ids.append(guest.start().id)
guest.tell("core.exec.exited", ids[0], {"code": 0})
peer.outcome(1)
peer.close()
killed = [guest.expect("core.exec.signal") for _ in ids[1:]]
equal(({got.id for got in killed}, {got.signal for got in killed}), (set(ids[1:]), {9}))
gone = guest.expect("core.relay.client.disconnected", 0)
equal((gone.id_start, gone.id_end_exclusive), (peer.range[0], peer.range[1]))
PY
}

@test "relay: of ours it is told, and its range is given again only behind its last frame" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peers = [Peer() for _ in range(128)]
peers[5].request(1, "x", on_disconnect="keep")
request = guest.start()
peers[5].close()
equal(guest.expect("core.relay.client.disconnected").id_start, peers[5].range[0])
ping = guest.expect("core.ping")
assert peers[5].range[0] < ping.id < peers[5].range[1]

def is_refused():
    try:
        Peer()
    except Refused:
        return True
    return False

assert is_refused()
guest.tell("core.exec.stdout", request.id, {"data": b"late"})
assert is_refused()
guest.tell("core.pong", ping.id)
time.sleep(0.05)
late = wait_for(lambda: not is_refused(), "the range")
PY
}

@test "relay: the guest goes and comes: sessions end with an error, clients stay" {
	ends <<'PY'
guest = Guest().up()
peer, old = Peer(), Peer()
peer.request(1, "x")
guest.start()
peer.answer(1, "core.exec.started")
old.request(1, "x", v=4)
guest.start()
guest.hang_up()
assert "lost" in peer.refused(1, "invalid_session")
while got := old.next():
    equal(got.type, "core.exec.started")
peer.request(2, "x")
assert "not connected" in peer.refused(2, "invalid_session")
peer.tell("core.fs.request", 3, {"op": {}})
assert "not connected" in peer.answer(3, "core.fs.response").error
guest.up()
Peer()  # is greeted once the relay has heard that
peer.request(4, "x")
guest.tell("core.exec.exited", guest.start().id, {"code": 7})
equal(peer.outcome(4).last.code, 7)
PY
}

@test "relay: a ready in the stream is a guest that has restarted; inside a frame it is not" {
	ends <<'PY'
guest = Guest().up()
peer = Peer()
for cut in False, True:
    peer.request(1, "x")
    request = guest.start()
    peer.answer(1, "core.exec.started")
    # Whole, it is a command's output.
    guest.tell("core.exec.stdout", request.id, {"data": ready() * 3})
    equal(peer.answer(1, "core.exec.stdout").data, ready() * 3)
    if cut:
        guest.send(frame("core.exec.stdout", request.id, {"data": bytes(100000)})[:50000])
    guest.greet(agent_version="new")
    assert "restarted" in peer.refused(1, "invalid_session")
    assert peer.ready.payload.get("agent_version") is None
    equal(Peer().ready.agent_version, "new")
    peer.ping_id = 50
    peer.tell("core.ping", 50)
    guest.tell("core.pong", guest.expect("core.ping").id)
    peer.answer(50, "core.pong")
PY
}

@test "relay: a bad frame on a live id kills its command, whose last words nobody hears" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
peer.request(1, "x")
request = guest.start()
peer.answer(1, "core.exec.started")
peer.tell("core.exec.stdin", 1, {"data": "text"})
peer.refused(1, "invalid_payload")
equal(guest.expect("core.exec.signal", request.id).signal, 9)
peer.stdin(1, b"late")
guest.tell("core.exec.stdout", request.id, {"data": b"late"})
peer.request(1, "next")
guest.tell("core.exec.exited", request.id, {"code": -1})
for _ in range(2):
    guest.expect("core.exec.output.close", request.id)
equal(guest.start().cmd, "next")
equal(peer.answer(1).type, "core.exec.started")
PY
}

@test "relay: TERM tells the clients and the guest, and ends with 0" {
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
peer.request(1, "x")
guest.start()
peer.answer(1, "core.exec.started")
os.kill(PID, signal.SIGTERM)
assert "relay ends" in peer.refused(1, "invalid_session")
peer.closed()
equal(guest.expect("core.relay.client.disconnected").id_start, peer.range[0])
guest.expect("core.ping")
equal(guest.next(), None)
PY
	wait "$RELAY"
	RELAY=
	[[ ! -e $SOCKET ]]
}

@test "relay: core.shutdown is passed on for root and our own user alone" {
	need_root
	ends <<'PY'
guest = Guest().up(FEATURES)
peer = Peer()
peer.tell("core.shutdown", 0, None, flags=0)
peer.tell("core.shutdown", 0, None)
guest.expect("core.shutdown", 0)
PY
}

@test "relay: an agent without flow control waits for a client that takes nothing, but not for ever" {
	relay_start "$DIR/port" --frame-timeout "${SLOW}s"
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY" <<'PY'
guest = Guest().up()
deaf = Peer()
deaf.request(1, "x")
request = guest.expect("core.exec.request")
def flood():
    """More than is queued, until no more is read."""
    guest.stream.sock.settimeout(0.1)
    data = frame("core.exec.stdout", request.id, {"data": b"x" * 60000})
    sent = len(data)
    with contextlib.suppress(TimeoutError):
        for _ in range(1000):
            sent = 0
            while sent < len(data):
                sent += guest.stream.sock.send(data[sent:])
        raise AssertionError("all of it was taken")
    return data[sent:]
rest = flood()
# Alone it has all the time that it wants.
time.sleep(1.5 * SLOW)
peer = Peer()
peer.request(1, "y")
asked = guest.expect("core.exec.request")
guest.send(rest)
guest.tell("core.exec.started", asked.id, {"pid": 5})
equal(peer.answer(1, "core.exec.started").pid, 5)
equal(guest.expect("core.exec.signal").signal, 9)
PY
	wait_for 5 grep -q "others wait for it" "$DIR/daemon.log"
	relay_stop
}

# ---- with a real daemon behind it ----

# real: a daemon on a serial port, and a relay before it.
real() {
	THROUGH=relay
	daemon_start
}

@test "relay: commands, their statuses, 8 MiB each way, and a terminal" {
	real
	run -3 "$X" -- sh -c 'echo out; echo err >&2; exit 3'
	[[ $output == $'out\nerr' || $output == $'err\nout' ]]
	run -127 "$X" -- /no/such
	head -c 8M /dev/urandom >"$DIR/data"
	"$X" -- cat <"$DIR/data" >"$DIR/back"
	cmp "$DIR/data" "$DIR/back"
	drive 24x80 "$X" -t -- sh -c 'stty size; read a; echo "got $a"' <<-'SCRIPT'
		expect 24 80
		send word\r
		expect got word
		wait 0
	SCRIPT
}

@test "relay: eight clients at once, each with its own" {
	real
	for i in 1 2 3 4 5 6 7 8; do
		"$X" -- sh -c "head -c 100000 /dev/zero | tr '\0' $i; exit $i" >"$DIR/out$i" &
		pids[i]=$!
	done
	for i in 1 2 3 4 5 6 7 8; do
		status=0
		wait "${pids[i]}" || status=$?
		[[ $status -eq $i && $(tr -d "$i" <"$DIR/out$i" | wc -c) -eq 0 && $(wc -c <"$DIR/out$i") -eq 100000 ]]
	done
}

@test "relay: a client that takes nothing of its flood holds up nobody, and costs little" {
	real
	peer <<'PY'
before = rss_kib()
# As the reference's clients do: without keys for credit, and more sessions than one.
idle = Peer()
for id in 1, 2, 3, 4:
    idle.request(id, "cat", "/dev/zero")
pid = idle.start(5, "sh", "-c", "exec cat >/dev/null")
other = Peer()
for i in range(20):
    equal(other.run(1, "true").last.code, 0)
check_rss(before, 24 * 1024)
# And one that feeds a command which does not read.
greedy = Peer()
greedy.start(1, "sleep", "1000")
greedy.sock.settimeout(0.3 * SLOW)
try:
    for _ in range(1000):
        greedy.sock.sendall(greedy.mine(frame("core.exec.stdin", 1, {"data": bytes(60000)})))
    assert False, "60 MB that nobody reads were taken"
except TimeoutError:
    pass
equal(other.run(1, "echo", "ok").stdout, b"ok\n")
check_rss(before, 40 * 1024)
PY
}

@test "relay: msb-exec stopped while its command floods; the next one is not held up" {
	real
	"$X" -- cat /dev/zero >/dev/null &
	stopped=$!
	wait_for 5 pgrep -f -P "$DAEMON" 'cat /dev/zero'
	kill -STOP "$stopped"
	for _ in 1 2 3 4 5; do
		timeout $((5 * SLOW)) "$X" -- true
	done
	kill -9 "$stopped"
	wait "$stopped" || true
	wait_for 5 none_of_ours
}

none_of_ours() {
	! pgrep -P "$DAEMON" >/dev/null
}

@test "relay: a vanished client's commands end, and with --on-disconnect keep they do not" {
	real
	short=$(mark) long=$(mark)1
	"$X" -- sleep "$short" &
	one=$!
	"$X" --on-disconnect keep -- sleep "$long" &
	two=$!
	wait_for 5 pgrep -f "^sleep $short" && wait_for 5 pgrep -f "^sleep $long"
	kill -9 "$one" "$two"
	wait_for 5 none_match "^sleep $short"
	"$X" -- true
	pgrep -f "^sleep $long"
	kill "$(pgrep -f "^sleep $long")"
}

@test "relay: SIGKILL of the relay ends what it ran, and another one serves again" {
	real
	number=$(mark)
	"$X" -- sleep "$number" &
	client=$!
	wait_for 5 pgrep -f "^sleep $number"
	kill -9 "$RELAY"
	wait "$RELAY" || true
	status=0
	wait "$client" || status=$?
	[[ $status -eq 125 ]]
	relay_start "$DIR/chardev"
	daemon_answers $((10 * SLOW))
	wait_for 5 none_match "^sleep $number"
}

@test "relay: a relay that is told to end and another one: a kept session's client goes on where it was" {
	real
	"$X" -n --on-disconnect keep --reconnect 1m -- sh -c \
		"echo one; until [ -e $DIR/go ]; do sleep 0.02; done; echo two; exit 9" >"$DIR/out" 2>"$DIR/err" &
	client=$!
	wait_for 20 grep -q one "$DIR/out"
	relay_stop
	wait_for 20 test -s "$DIR/err"
	relay_start "$DIR/chardev"
	touch "$DIR/go"
	status=0
	wait "$client" || status=$?
	[[ $status -eq 9 && $(<"$DIR/out") == $'one\ntwo' ]]
}

@test "relay: who is killed while it has a session ends nothing, and the next one has it" {
	real
	id=$("$X" -d -- sh -c 'echo up; exec cat')
	for _ in 1 2 3; do
		"$X" --attach "$id" -n >"$DIR/out" &
		client=$!
		wait_for 20 grep -q up "$DIR/out"
		kill -9 "$client"
		wait "$client" || true
	done
	run -0 "$X" --attach "$id" --since 3 <<<more
	[[ $output == more ]]
}

@test "relay: the guest's defaults are sent first, also to one that restarts, and hold" {
	need_root
	THROUGH=relay
	chardev_start
	relay_start "$DIR/chardev" -u 65534:65534 --cwd /usr -e A=one -e B= --rlimit nofile=77:88 \
		--security-profile restricted
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	for _ in 1 2; do
		"$EXECD" --listen "serial:$DIR/port" 2>>"$DIR/daemon.log" 3>&- &
		DAEMON=$!
		daemon_answers $((40 * SLOW))
		run -0 "$X" -- sh -c 'id -u; pwd; echo "$A-$B-"; ulimit -n; grep NoNewPrivs /proc/self/status'
		[[ $output == $'65534\n/usr\none--\n77\nNoNewPrivs:\t1' ]]
		kill "$DAEMON"
		wait "$DAEMON"
		DAEMON=
		chardev_stop
		chardev_start
	done
	chardev_stop
}

@test "relay: without an answer to the bootstrap nothing runs, until it comes" {
	relay_start "$DIR/port" -u nobody
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY" <<'PY'
guest = Guest().accept()
equal(guest.bootstrap.payload, {"user": "nobody", "security_profile": "default"})
sock = socket.socket(socket.AF_UNIX)
sock.connect(SOCKET)
client = Stream(sock, LIMIT)
guest.greet(FEATURES)
try:
    client.fill(1, 0.3)
    assert False, "served before the guest has the bootstrap"
except TimeoutError:
    pass
guest.tell("core.init.resolved", 0, {"default_user": {"uid": 1, "gid": 2}})
guest.expect("core.init.ack", 0)
guest.greet(FEATURES)
client.fill(8)
client.take(8)
equal(client.next().type, "core.ready")
# It restarts.
guest.greet(FEATURES)
equal(guest.expect("core.bootstrap", 0).user, "nobody")
PY
}
