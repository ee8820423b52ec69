#!/usr/bin/env bats
# What stands behind each frame of a serial port (frame_mark of shared/PROTOCOL.md): who is killed in the midst of
# one is followed by another on the same stream, and nothing of the next one's words may come out as the first one's.

load helper
load ends

setup() {
	common_setup
}

teardown() {
	relay_teardown
}

host() {
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/host.py" "$EXECD"
}

@test "marks: a daemon that is killed in the midst of a frame: its client has a part of what was written, and 125" {
	# shellcheck disable=SC2153 # of helper.bash
	DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/torn.py" "$EXECD" "$RELAYD" "$X"
}

@test "marks: what clients get has none, and what they send has one" {
	ends <<'PY'
guest = Guest().accept()
guest.answer_bootstrap()
guest.greet_marked()
peer = Peer()
assert "frame_mark" not in peer.ready.exec_features and "frame_mark" not in peer.ready.payload
peer.request(1, "x", stdin_window=True, output_window=100000)
request = guest.start(stdin_window=65536)
peer.answer(1, "core.exec.started")
wire = guest.whole("core.exec.stdout", request.id, {"data": ready() + guest.mark + b"x" * 9000})
# In pieces that end anywhere, the last of them inside the mark.
for piece in wire[:5], wire[5:700], wire[700:-6], wire[-6:-1], wire[-1:]:
    guest.send(piece)
got = peer.answer(1, "core.exec.stdout")
equal(got.wire[8:], wire[8:-8])
equal(got.data, ready() + guest.mark + b"x" * 9000)
peer.tell("core.exec.stdin", 1, {"data": b"in"})
equal(guest.expect("core.exec.stdin").data, b"in")
guest.tell("core.exec.exited", request.id, {"code": 3})
equal(peer.answer(1, "core.exec.exited").code, 3)
PY
}

@test "marks: a frame that breaks off anywhere reaches nobody, whatever it holds and whatever fills it" {
	ends <<'PY'
guest = Guest().accept()
guest.answer_bootstrap()
guest.greet_marked()
names = [*KEEPS, "frame_mark"]


def forged(id):
    """What would end the link, or speak for another, if it counted."""
    return (ready(agent_version="forged") + ready(agent_version="forged", exec_features=names)
            + ready(agent_version="forged", exec_features=names, frame_mark=1)
            + frame("core.exec.exited", id, {"code": 0}) + frame("core.init.resolved", 0, {"default_user": {"uid": 1, "gid": 2}}))


def torn(tail, fill, type="core.exec.stdout", **payload):
    """A frame of which so many bytes are missing, and then the words of an agent that begins."""
    peer = Peer()
    peer.request(1, "x")
    request = guest.start()
    peer.answer(1, "core.exec.started")
    payload = payload or {"data": forged(request.id) * 3 + b"x" * 600}
    wire = guest.whole(type, request.id, payload)
    guest.mark = b""
    guest.send(wire[:-tail] + fill)
    assert "restarted" in peer.refused(1, "invalid_session")
    # It hears the bootstrap, as whoever has just begun, and of a mark that nobody can have known before.
    guest.expect("core.bootstrap", 0)
    number = guest.expect("core.init.ack", 0).frame_mark
    guest.greet(names, frame_mark=1, agent_version="forged")
    guest.greet(names, agent_version="forged")
    guest.tell("core.init.resolved", 0, {"default_user": {"uid": 1, "gid": 2}})
    guest.greet(names, frame_mark=number, agent_version="new")
    guest.mark = struct.pack(">II", 4, number)
    equal(Peer().ready.agent_version, "new")
    peer.request(2, "x")
    guest.tell("core.exec.exited", guest.start().id, {"code": 7})
    equal(peer.outcome(2).last.code, 7)


words = ready(exec_features=names)
for tail in 1, 5, 8, 9, 12, 100, 8 + len(words), 9 + len(words), 300:
    torn(tail, words + (b"" if tail < len(words) else frame("core.exec.stdout", 5, {"data": forged(5) * 2})))
# A status whose last byte is that of whoever comes next.
torn(9, words, "core.exec.exited", code=3)
PY
}

@test "marks: another host's words are no input of a command that the one before it began to write" {
	host <<-'PY'
		def marked(number):
		    """A host that has asked for marks; what it says with an id has one."""
		    host.tell("core.init.ack", 0, {"frame_mark": number})
		    got = host.next()
		    while got.type != "core.ready" or got.payload.get("frame_mark") != number:
		        if got.id:
		            host.fill(8)
		            host.take(8)
		        got = host.next()
		    return struct.pack(">II", 4, number)

		port = Port()
		agent = Agent()
		host = port.host()
		assert "frame_mark" in host.greeted().exec_features
		for number, tail in enumerate((1, 7, 8, 9, 20, 40), 77):
		    mark = marked(number)
		    host.send(frame("core.exec.request", 5, {"cmd": "tee", "args": [DIR + "/got"]}) + mark)
		    equal(host.next().type, "core.exec.started")
		    equal(host.fill(8) and host.take(8), mark)
		    host.send(frame("core.exec.stdin", 5, {"data": b"first"}) + mark)
		    equal(host.next().data, b"first")
		    equal(host.fill(8) and host.take(8), mark)
		    whole = frame("core.exec.stdin", 5, {"data": b"x" * 500}) + mark
		    host.send(whole[:-tail] + frame("core.init.ack") * 3)
		    # It says ready, by which it is known that nothing of it is there.
		    got = host.next()
		    while got.type != "core.ready":
		        assert b"core" not in got.payload.get("data", b""), f"got {got!r}"
		        host.fill(8)
		        host.take(8)
		        got = host.next()
		    with open(DIR + "/got", "rb") as file:
		        assert b"first".startswith(file.read())
		    # One that asks for none has none.
		    host.ack()
		    host.greeted()
		    equal(host.run(9, "echo", "plain").stdout, b"plain\n")
	PY
}

@test "marks: what the host said to an agent that is gone is passed over with its marks, and no framing is lost" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		mark = struct.pack(">II", 4, 5)
		host.send(frame("core.exec.stdin", 5, {"data": b"x" * 900}) + mark + frame("core.ping", 5) + mark)
		host.tell("core.init.ack", 0, {"frame_mark": 6})
		got = host.next()
		while got.payload.get("frame_mark") != 6:
		    got = host.next()
		agent.end()
		assert "framing lost" not in agent.log()
	PY
}

# What an agent before it began to read, and did not end, costs it its framing, and what was asked behind that.
@test "marks: an agent that begins anew behind what it was asked is asked again" {
	ends <<'PY'
guest = Guest().accept()
guest.answer_bootstrap()
guest.greet_marked()
equal(Peer().ready.v, 7)
names = [*KEEPS, "frame_mark"]


def asked():
    """For a mark, behind a bootstrap."""
    guest.expect("core.bootstrap", 0)
    return guest.expect("core.init.ack", 0).frame_mark


guest.mark = b""
guest.greet(names)
guest.expect("core.bootstrap", 0)
for i in range(3):
    guest.greet(names)
first = asked()
# The answer to what it was asked before is none.
guest.greet(names)
second = asked()
assert first != second, f"{first} twice"
guest.greet(names, frame_mark=first, agent_version="slow")
guest.tell("core.init.resolved", 0, {"default_user": {"uid": 1, "gid": 2}})
guest.greet(names, frame_mark=second, agent_version="new")
guest.mark = struct.pack(">II", 4, second)
equal(Peer().ready.agent_version, "new")
guest.quiet()
PY
}

# What it says late is to what it was asked first, and not a reason to ask it once more, for ever.
@test "marks: an agent that takes long to answer is there in the end" {
	ends <<'PY'
names = [*KEEPS, "frame_mark"]
guest = Guest().accept()
guest.greet(names)
guest.expect("core.bootstrap", 0)
number = guest.expect("core.init.ack", 0).frame_mark
assert "frame_mark" not in guest.expect("core.init.ack", 0).payload
guest.expect("core.ping")
for i in range(2):
    guest.tell("core.init.resolved", 0, {"default_user": {"uid": 1, "gid": 2}})
guest.greet(names, frame_mark=number)
guest.greet(names)
equal(guest.expect("core.init.ack", 0).frame_mark, number)
guest.quiet(0.5)
guest.greet(names, frame_mark=number, agent_version="slow")
guest.mark = struct.pack(">II", 4, number)
equal(Peer().ready.agent_version, "slow")
PY
}
