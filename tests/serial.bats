#!/usr/bin/env bats
# A serial port: one stream that takes one opener, and a host that speaks for many clients on it.
# A terminal stands in for the port (host.py); a real virtio port with its hang-ups is tested in a
# virtual machine.

load helper

setup() {
	common_setup
}

teardown() {
	common_teardown
}

host() {
	DIR=$DIR timeout $((60 * SLOW)) python3 -B "$BATS_TEST_DIRNAME/host.py" "$EXECD"
}

@test "serial: ready comes without a prologue, and any id but 0 is legal" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		ready = host.greeted()
		assert "stdin_window" in ready.exec_features
		for id in 1, 33554432, 4261412738, 4294967295:
		    outcome = host.run_sh(id, "echo $0; exit 3", str(id))
		    equal((outcome.stdout, outcome.last.code), (b"%d\n" % id, 3))
		host.request(0, "touch", DIR + "/zero")
		host.ping()
		assert not made("zero")
	PY
}

@test "serial: the port may come after the daemon, which waits without effort" {
	host <<-'PY'
		port = Port(plugged=False)
		agent = Agent()
		agent.logs("not there yet")
		before = agent.cpu_seconds()
		time.sleep(0.5)
		assert agent.cpu_seconds() - before < 0.2
		port.plug()
		host = port.host()
		host.greeted()
		host.ping()
	PY
}

@test "serial: what is no device is refused" {
	echo precious >"$DIR/port"
	run -1 "$EXECD" --listen "serial:$DIR/port"
	[[ $output == "msb-execd: serial:$DIR/port is no character device" ]]
	[[ $(<"$DIR/port") == precious ]]
}

@test "serial: the first host may send a bootstrap, and ready follows its answer" {
	host <<-'PY'
		port = Port()
		host = port.host()
		host.boot(default_cwd="/usr", hosts={"a": [1, None]},
		          default_env=[{"key": "A", "value": "1=2"}, {"key": "B", "value": ""}],
		          rlimits=[{"resource": "nofile", "soft": 50, "hard": 60},
		                   {"resource": "CORE", "soft": 0, "hard": 0}])
		agent = Agent()
		resolved = host.next()
		equal(resolved.type, "core.init.resolved")
		equal(resolved.default_user, {"uid": os.geteuid(), "gid": os.getegid()})
		host.ack()
		host.greeted()
		script = "pwd; echo $A; echo $B; ulimit -Sn; ulimit -Hn; ulimit -c"
		equal(host.run_sh(5, script).stdout, b"/usr\n1=2\n\n50\n60\n0\n")
		outcome = host.run_sh(6, script, cwd="/", env=["A=own"],
		                      rlimits=[{"resource": "nofile", "soft": 40, "hard": 70}])
		equal(outcome.stdout, b"/\nown\n\n40\n70\n0\n")
		# Which also sees that nothing else is said.
		host.ping()
	PY
}

@test "serial: a bootstrap's user and profile hold for commands that name none" {
	need_root
	host <<-'PY'
		port = Port()
		host = port.host()
		host.boot(user=" nobody ", security_profile="restricted",
		          default_env=[{"key": "HOME", "value": "/given"}])
		agent = Agent()
		equal(host.next().default_user, {"uid": 65534, "gid": 65534})
		host.ack()
		host.greeted()
		script = "id -u; echo $HOME; grep NoNewPrivs /proc/self/status"
		equal(host.run_sh(1, script).stdout, b"65534\n/given\nNoNewPrivs:\t1\n")
		equal(host.run_sh(2, script, user="root").stdout, b"0\n/given\nNoNewPrivs:\t1\n")
	PY
}

@test "serial: a bootstrap takes nothing back that the command line restricts" {
	host <<-'PY'
		port = Port()
		host = port.host()
		host.boot(security_profile="default")
		agent = Agent("--security-profile", "restricted", "--cwd", "/usr")
		equal(host.next().type, "core.init.resolved")
		host.ack()
		host.greeted()
		equal(host.run_sh(1, "pwd; grep NoNewPrivs /proc/self/status").stdout,
		      b"/usr\nNoNewPrivs:\t1\n")
	PY
}

@test "serial: a host that does not acknowledge the user gets ready all the same" {
	host <<-'PY'
		port = Port()
		host = port.host()
		host.boot()
		agent = Agent()
		host.greeted("core.init.resolved")
		equal(host.run(1, "true").last.code, 0)
	PY
}

@test "serial: a bootstrap that is not understood gets no command until a good one comes" {
	host <<-'PY'
		bad = [
		    frame("core.bootstrap", 0, {"security_profile": "strict"}),
		    frame("core.bootstrap", 0, {"security_profile": 1}),
		    frame("core.bootstrap", 0, {"user": "no-such-user"}),
		    frame("core.bootstrap", 0, {"user": "a\0b"}),
		    frame("core.bootstrap", 0, {"default_cwd": "/\0"}),
		    frame("core.bootstrap", 0, {"rlimits": [{"resource": "x", "soft": 1, "hard": 1}]}),
		    frame("core.bootstrap", 0, {"rlimits": [{"resource": "cpu"}]}),
		    frame("core.bootstrap", 0, {"rlimits": [{"resource": "cpu", "soft": 9, "hard": 9}] * 65}),
		    frame("core.bootstrap", 0, {"default_env": [{"key": "A=", "value": ""}]}),
		    frame("core.bootstrap", 0, {"default_env": [{"key": "", "value": ""}]}),
		    frame("core.bootstrap", 0, {"default_env": [{"key": "A", "value": "\0"}]}),
		    frame("core.bootstrap", 0, {"default_env": [{"key": "A"}]}),
		    frame("core.bootstrap", 0, Raw(b"\xf6")),
		    frame("core.bootstrap", 0, {}, flags=1),
		    wrap(0, 0, b"\xa1"),
		]
		port = Port()
		host = port.host()
		host.send(bad[0])
		agent = Agent()
		agent.logs("unknown security profile strict")
		for i, wire in enumerate(bad[1:]):
		    host.send(wire)
		    wait_for(lambda: agent.log().count("no command runs") == i + 2, repr(wire))
		    host.request(1, "touch", DIR + "/ran")
		    host.ack()
		host.boot(default_cwd="/usr")
		# And that is the first that is said.
		equal(host.next().type, "core.init.resolved")
		host.ack()
		host.greeted()
		equal(host.run(2, "pwd").stdout, b"/usr\n")
		assert not made("ran")
		# Later, too: and what ran ends.
		pid = host.start(3, "sleep", "1000")
		host.send(bad[0])
		wait_gone(pid)
		host.request(4, "touch", DIR + "/ran")
		host.boot()
		host.greeted("core.init.resolved")
		equal(host.run(5, "true").last.code, 0)
		assert not made("ran")
	PY
}

@test "serial: only the host itself, with id 0, can boot, acknowledge, or take a client away" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		pid = host.start(7, "cat")
		host.tell("core.bootstrap", 95, {"security_profile": "x"})
		host.tell("core.init.ack", 95)
		host.tell("core.relay.client.disconnected", 95, {"id_start": 1, "id_end_exclusive": 99})
		# With the flag that relays let pass.
		host.tell("core.bootstrap", 0, {"security_profile": "x"}, flags=4)
		host.tell("core.init.ack", 0, flags=4)
		host.tell("core.relay.client.disconnected", 0, {"id_start": 1, "id_end_exclusive": 99}, flags=4)
		host.ping()
		host.stdin(7, b"alive\n")
		equal(host.answer(7, "core.exec.stdout").data, b"alive\n")
		host.stdin(7, b"")
		equal(host.outcome(7).last.code, 0)
	PY
}

@test "serial: a host that says it is new hears ready again, and what ran before ends" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		host.ack()
		host.greeted()
		killed = host.start(1, "sleep", "1000")
		kept = host.start_sh(2, "trap 'touch $DIR/hup' HUP; until [ -e $DIR/hup ]; do sleep 0.05; done",
		                     env=DIR_ENV, on_disconnect="hangup")
		host.ack()
		host.greeted()
		wait_gone(killed)
		wait_gone(kept)
		# Its ids are free.
		equal(host.run(1, "true").last.code, 0)
		host.ping()
	PY
}

@test "serial: after lost framing what ran ends, and the host is greeted anew" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		# Of who has asked for none, a mark is junk, too.
		host.ack()
		host.greeted()
		# So little of it that the agent takes it at once, and does not lose the framing twice.
		for junk in b"\0\0\0\4abcd", b"\xff" * 200, struct.pack(">I", 4194305) + b"x":
		    pid = host.start(9, "sleep", "1000")
		    host.send(frame("core.exec.signal", 8, {"signal": 2}) + junk)
		    host.greeted()
		    wait_gone(pid)
		    equal(host.run(9, "true").last.code, 0)
	PY
}

@test "serial: a frame that breaks off is given up after a while" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		pid = host.start(1, "sleep", "1000")
		host.send(frame("core.exec.stdin", 1, {"data": b"x" * 1000})[:500])
		equal(host.next().type, "core.ready")
		wait_gone(pid)
		equal(host.run(1, "true").last.code, 0)
	PY
}

@test "serial: a client that is gone takes its sessions along, and no frame comes after that" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		flood = host.start_sh(100, "exec yes")
		sleeper = host.start(199, "sleep", "1000")
		other = host.start(200, "cat")
		before = host.start(99, "cat")
		host.answer(100, "core.exec.stdout")
		host.lose_client(100, 200)
		host.tell("core.ping", 5)
		while (got := host.next()).type != "core.pong":
		    equal((got.id, got.type), (100, "core.exec.stdout"))
		wait_gone(flood)
		wait_gone(sleeper)
		host.ping()
		for id in 99, 200:
		    host.stdin(id, b"alive\n")
		    equal(host.answer(id, "core.exec.stdout").data, b"alive\n")
		# Its ids are free.
		equal(host.run(100, "true").last.code, 0)
	PY
}

@test "serial: a second request for a live id is dropped" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		host.start(3, "cat")
		host.request(3, "touch", DIR + "/second")
		host.stdin(3, b"first\n")
		equal(host.answer(3).data, b"first\n")
		host.stdin(3, b"")
		equal(host.outcome(3).types, ["core.exec.exited"])
		assert not made("second")
	PY
}

@test "serial: a client too old for core.error is told that its request failed" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		host.tell("core.exec.request", 3, {"args": []}, v=4)
		host.failed(3, "other", errno_name=None)
		equal(host.run(4, "true").last.code, 0)
	PY
}

@test "serial: a host hangs up, its sessions end as they wish, and the next one is greeted" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		killed = host.start(1, "sleep", "1000")
		kept = host.start_sh(2, AWAIT_GO, env=DIR_ENV, on_disconnect="keep")
		host.send(frame("core.exec.stdin", 1, {"data": b"half"})[:20])
		port.unplug(host)
		wait_gone(killed)
		assert not is_gone(kept)
		agent.logs("closed: ")
		for turn in range(3):
		    port.plug()
		    host = port.host()
		    host.greeted()
		    outcome = host.run_sh(1, "echo $0", str(turn))
		    equal(outcome.stdout, b"%d\n" % turn)
		    port.unplug(host)
		assert agent.cpu_seconds() < 2 * SLOW
		go()
		wait_gone(kept)
	PY
}

@test "serial: a terminal of the same number that is another's by now is left alone" {
	host <<-'PY'
		def taken(name):
		    """A terminal of that number, once the agent has let go of it; or None."""
		    others = []
		    while len(others) < 100:
		        others.append(pty.openpty())
		        if os.ttyname(others[-1][1]) == name:
		            break
		        time.sleep(0.01)
		    got = others.pop() if os.ttyname(others[-1][1]) == name else None
		    for fd in sum(others, ()):
		        os.close(fd)
		    return got
		port = Port()
		agent = Agent()
		other = None
		# Whoever is given it next may be another test.
		for _ in range(10):
		    host = port.host()
		    host.greeted()
		    name = os.ttyname(port.slave)
		    # Closed, and the path leads there still.
		    host.close()
		    os.close(port.master)
		    os.close(port.slave)
		    other = taken(name)
		    if other:
		        break
		    port.plug()
		master, slave = other
		before = termios.tcgetattr(slave)
		# A few looks later.
		time.sleep(0.5)
		assert not select.select([master], [], [], 0)[0], "it was greeted"
		equal(termios.tcgetattr(slave), before)
		os.unlink(port.path)
		port.plug()
		host = port.host()
		host.greeted()
		host.ping()
	PY
}

@test "serial: the host may shut the agent down, and hears how its commands ended" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		host.start(1, "sleep", "1000")
		host.tell("core.shutdown")
		equal(host.outcome(1).last.signal, 15)
		agent.ends()
	PY
}

@test "serial: a flood that no host reads is bounded, and resumes without a gap" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		before = rss_kib()
		for id in 1, 2, 3, 4:
		    host.request(id, "sh", "-c", "seq 1 300000")
		wait_for(lambda: is_stuck(agent.pid), "an agent that finds no room")
		check_rss(before, 8 * 1024)
		want = b"".join(b"%d\n" % i for i in range(1, 300001))
		for id in 1, 2, 3, 4:
		    outcome = host.outcome(id)
		    equal(outcome.stdout == want, True)
		    equal(outcome.last.code, 0)
	PY
}

@test "serial: megabytes go in and come out as they were" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		data = random.Random(4).randbytes(4 << 20)
		host.request(1, "cat", stdin_window=True)
		window = host.answer(1, "core.exec.started").stdin_window
		sent = taken = 0
		back = b""
		while len(back) < len(data):
		    while sent < len(data) and sent - taken < window:
		        piece = data[sent:sent + min(32768, window - sent + taken)]
		        host.stdin(1, piece)
		        sent += len(piece)
		    got = host.answer(1, "core.exec.stdout", "core.exec.stdin.credit")
		    if got.type == "core.exec.stdout":
		        back += got.data
		    else:
		        taken = got.consumed
		equal(back == data, True)
		host.stdin(1, b"")
		equal(host.outcome(1).last.code, 0)
	PY
}

@test "serial: on a socket these messages are ignored, as ever" {
	daemon_start
	peer <<-'PY'
		p = Peer()
		pid = p.start(1, "cat")
		p.tell("core.bootstrap", 0, {"security_profile": "x"})
		p.tell("core.init.ack")
		p.tell("core.relay.client.disconnected", 0, {"id_start": 0, "id_end_exclusive": 4294967295})
		p.ping()
		assert not is_gone(pid)
	PY
}

@test "serial: a host that hangs up while nobody reads it leaves nothing behind for the next" {
	host <<-'PY'
		port = Port()
		agent = Agent()
		host = port.host()
		host.greeted()
		# It does not read its input, and the client counts no credit: the stream stands still.
		pid = host.start(1, "sleep", "1000")
		host.stuff(frame("core.exec.stdin", 1, {"data": b"x" * 65536}), 60000000)
		check_rss(0, 16 * 1024)
		port.unplug(host)
		wait_gone(pid)
		port.plug()
		host = port.host()
		host.greeted()
		equal(host.run(1, "true").last.code, 0)
	PY
}
