#!/usr/bin/env bats
# The order in which a command writes to its stdout and its stderr: where ours are the same open file it has
# one pipe for both, and where they are not, never.

load helper
load agent

setup() {
	common_setup
}

teardown() {
	agent_end
	relay_teardown
}

# What writes to both in turn, and what comes of it where both are one.
BOTH='for i in $(seq 1000); do echo o$i; echo e$i >&2; done'

in_order() {
	seq 1000 | sed 's/.*/o&\ne&/'
}

# Says in the guest whether both are one.
ONE='if [ /proc/self/fd/1 -ef /proc/self/fd/2 ]; then echo one; else echo two; fi'

# x ARG...: msb-exec without input, and not for ever.
x() {
	timeout --foreground -s KILL $((60 * SLOW)) "$X" "$@" </dev/null
}

# on_terminal COMMAND...: both outputs are one terminal, and what it showed goes to stdout, without its returns.
on_terminal() {
	need_pty
	python3 - "$@" <<-'PY'
		import os, subprocess, sys
		master, slave = os.openpty()
		program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
		os.close(slave)
		shown = b""
		try:
		    while chunk := os.read(master, 65536):
		        shown += chunk
		except OSError:
		    pass
		sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
		sys.exit(program.wait())
	PY
}

# on_socket COMMAND...: the same of a socket.
on_socket() {
	python3 - "$@" <<-'PY'
		import socket, subprocess, sys
		ours, theirs = socket.socketpair()
		program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
		theirs.close()
		while chunk := ours.recv(65536):
		    sys.stdout.buffer.write(chunk)
		sys.exit(program.wait())
	PY
}

# ---- where both are one ----

@test "merge: what is written to both is in a file as locally, a hundred times" {
	daemon_start
	sh -c "$BOTH" >"$DIR/local" 2>&1
	in_order | cmp - "$DIR/local"
	for ((i = 0; i < 100 / FACTOR; i++)); do
		x -- sh -c "$BOTH" >"$DIR/log" 2>&1
		cmp "$DIR/local" "$DIR/log"
	done
}

@test "merge: it is so in a pipe, a socket, a terminal, and a file that both append to" {
	daemon_start
	in_order >"$DIR/wanted"
	for ((i = 0; i < 10; i++)); do
		x -- sh -c "$BOTH" 2>&1 | cat >"$DIR/pipe"
		cmp "$DIR/wanted" "$DIR/pipe"
		on_socket "$X" -- sh -c "$BOTH" >"$DIR/socket"
		cmp "$DIR/wanted" "$DIR/socket"
		on_terminal "$X" -- sh -c "$BOTH" >"$DIR/terminal"
		cmp "$DIR/wanted" "$DIR/terminal"
		echo before >"$DIR/log"
		x -- sh -c "$BOTH" >>"$DIR/log" 2>&1
		x -- sh -c "$BOTH" >>"$DIR/log" 2>>"$DIR/log"
		cat <(echo before) "$DIR/wanted" "$DIR/wanted" | cmp - "$DIR/log"
	done
}

@test "merge: through the relay, too, and both are one pipe there" {
	need_local "a relay"
	THROUGH=relay
	daemon_start
	in_order >"$DIR/wanted"
	for ((i = 0; i < 10; i++)); do
		x -- sh -c "$BOTH" >"$DIR/log" 2>&1
		cmp "$DIR/wanted" "$DIR/log"
	done
	[[ $(x -- sh -c "$ONE" 2>&1) == one ]]
	[[ $(x -- sh -c "$ONE" 2>"$DIR/err") == two ]]
}

@test "merge: both are one pipe of the guest's only where ours are one, or by --merge" {
	daemon_start
	[[ $(x -- sh -c "$ONE" 2>&1) == one ]]
	[[ $(x --no-merge -- sh -c "$ONE" 2>&1) == two ]]
	[[ $(x --merge --no-merge -- sh -c "$ONE" 2>&1) == two ]]
	# A pipe and a file, two files, a file that was opened twice, two pipes, and what nobody reads.
	[[ $(x -- sh -c "$ONE" 2>"$DIR/err") == two ]]
	x -- sh -c "$ONE" >"$DIR/out" 2>"$DIR/err"
	[[ $(<"$DIR/out") == two ]]
	x -- sh -c "$ONE" >"$DIR/out" 2>"$DIR/out"
	[[ $(<"$DIR/out") == two ]]
	[[ $(x -- sh -c "$ONE" 2> >(cat)) == two ]]
	[[ $(x -- sh -c "$ONE" 2>/dev/null) == two ]]
	[[ $(x --merge -- sh -c "$ONE" 2>/dev/null) == one ]]
	[[ $(x --no-merge --merge -- sh -c "$ONE" 2>"$DIR/err") == one ]]
}

@test "merge: where ours differ, each gets its own, and by --merge stdout gets all of it" {
	daemon_start
	x -- sh -c "$BOTH" >"$DIR/out" 2>"$DIR/err"
	in_order | grep o | cmp - "$DIR/out"
	in_order | grep e | cmp - "$DIR/err"
	x --merge -- sh -c "$BOTH" >"$DIR/out" 2>"$DIR/err"
	in_order | cmp - "$DIR/out"
	[[ ! -s $DIR/err ]]
}

@test "merge: the command's status is its own, and our last line comes behind its output" {
	daemon_start
	run -7 x -- sh -c 'echo o; echo e >&2; exit 7'
	[[ $output == $'o\ne' ]]
	run -124 x --timeout $((SLOW * 500))ms -- sh -c 'echo o; echo e >&2; exec sleep 1000'
	[[ ${lines[0]} == o && ${lines[1]} == e ]]
	run -127 x -- /no/such
	[[ $output == 'msb-exec: '*'/no/such'* ]]
	run -0 x --merge -tt -- sh -c 'echo o; echo e >&2'
	[[ $output == $'o\r\ne\r' ]]
}

@test "merge: another user's command opens both by name" {
	need_root
	daemon_start
	run -0 x -u nobody -- sh -c 'echo o >/dev/stdout; echo e >/dev/stderr; echo p'
	[[ $output == $'o\ne\np' ]]
}

# ---- much of it, and readers that go ----

@test "merge: 10 MB with marks in it, to a pipe and to a file, and as much of input" {
	daemon_start
	local count=$((20 / FACTOR)) much
	much="for i in \$(seq $count); do seq 90000; for k in 1 2 3 4 5; do echo mark \$i.\$k >&2; seq 3000; done
		seq 100001 110000 >&2; done"
	sh -c "$much" >"$DIR/local" 2>&1
	x -- sh -c "$much" >"$DIR/log" 2>&1
	cmp "$DIR/local" "$DIR/log"
	x -- sh -c "$much" 2>&1 | cat | cmp - "$DIR/local"
	# Moved and not copied, both ways.
	# shellcheck disable=SC2002 # a pipe
	cat "$DIR/local" | "$X" -- sh -c 'cat; echo end >&2; exec cat >&2' 2>&1 | cat >"$DIR/log"
	cat "$DIR/local" <(echo end) | cmp - "$DIR/log"
}

@test "merge: a reader that goes away ends who writes to stderr" {
	daemon_start
	mark=mark$RANDOM$$
	for option in "" --merge; do
		# shellcheck disable=SC2086 # nothing, or a word
		run -0 bash -c "$X $option -- sh -c 'exec yes $mark >&2' 2>&1 | head -1; exit \${PIPESTATUS[1]}"
		[[ $output == "$mark" ]]
		wait_for 20 none_match "yes $mark"
	done
	# By --merge it is the reader of our stdout.
	run -0 bash -c "$X --merge -- sh -c 'exec yes $mark >&2' 2>$DIR/err | head -1"
	[[ $output == "$mark" && ! -s $DIR/err ]]
	wait_for 20 none_match "yes $mark"
}

@test "merge: a slow reader gets all of it, also what others write after the command" {
	daemon_start
	# What the other one reads ends when the command does.
	guest mkfifo "$DIR/held"
	x -- sh -c '(cat <"$0"; echo late >&2) & exec 5>"$0"; seq 100000; echo e >&2' "$DIR/held" 2>&1 | (sleep 0.5; cat) >"$DIR/log"
	cmp <(seq 100000; echo e; echo late) "$DIR/log"
}

# ---- scripts and sessions ----

@test "merge: the lines of a script, from -f, -c and stdin" {
	daemon_start
	printf '%s\n' 'echo begin >&2' "$BOTH" '- false' 'echo end' "$ONE" >"$DIR/script"
	cat <(echo begin) <(in_order) <(echo end; echo one) >"$DIR/wanted"
	x --console -f "$DIR/script" >"$DIR/log" 2>&1
	cmp "$DIR/wanted" "$DIR/log"
	x --console -c "$(<"$DIR/script")" >"$DIR/log" 2>&1
	cmp "$DIR/wanted" "$DIR/log"
	"$X" --console <"$DIR/script" 2>&1 | cat | cmp - "$DIR/wanted"
	[[ $(x --console -c "$ONE" 2>"$DIR/err") == two ]]
}

@test "merge: a session that is left has two, and by --merge one, all of which comes back as stdout" {
	daemon_start
	x -d --name two -- sh -c "$ONE; exec sleep 1000" >"$DIR/id" 2>&1
	x -d --name one --merge -- sh -c "$ONE; $BOTH; exec sleep 1000" >"$DIR/id" 2>&1
	wait_for 20 logs_end two two
	wait_for 20 logs_end one e1000
	x --logs one >"$DIR/log" 2>"$DIR/err"
	cat <(echo one) <(in_order) | cmp - "$DIR/log"
	[[ ! -s $DIR/err ]]
	x --kill two
	x --kill one
	run -143 --separate-stderr x --attach one
	[[ $output == "$(echo one; in_order)" && -z $stderr ]]
	run -143 x --attach two
}

# logs_end NAME LINE
logs_end() {
	[[ $(x --logs "$1" 2>/dev/null | tail -n 1) == "$2" ]]
}

@test "merge: of a session that is kept and of one that is lost, all is stdout" {
	need_local "another kind of connection"
	daemon_start
	x --on-disconnect keep -- sh -c "$BOTH" >"$DIR/log" 2>&1
	in_order | cmp - "$DIR/log"
	peer <<'PY'
peer = Peer()
started = peer.keep_sh(1, "echo o; echo e >&2; read a; echo $a >&2", merge_output=True)
equal(peer.read_until(1, b"e\n"), b"o\ne\n")
peer.close()
peer = Peer()
entry = peer.session(started.session)
equal((entry.stdout_end, entry.stderr_end), (4, 0))
got = peer.attach(1, started.session, stdout_since=2)
equal((got.stdout_at, got.stderr_at), (2, 0))
peer.tell("core.exec.output.close", 1, {"stream": "stderr"})
peer.stdin(1, b"again\n")
got = peer.outcome(1)
equal((got.stdout, got.stderr, got.last.code), (b"e\nagain\n", b"", 0))
PY
}

# ---- on the wire ----

@test "merge: with merge_output all of it is stdout, in order, and nothing else is different" {
	need_local "a daemon's descriptors"
	daemon_start
	peer <<'PY'
peer = Peer()
script = "for i in $(seq 200); do echo o$i; echo e$i >&2; done; exit 3"
wanted = b"".join(b"o%d\ne%d\n" % (i, i) for i in range(1, 201))
for dialect in "plain", "ts", "indefinite":
    for window in {}, {"output_window": 100000}, {"stdin_window": True}:
        got = peer.run_sh(1, script, dialect=dialect, merge_output=True, **window)
        equal((got.stdout, got.stderr, got.last.code), (wanted, b"", 3))
for value in False, None:
    got = peer.run_sh(2, script, merge_output=value)
    equal((len(got.stdout), len(got.stderr)), (len(wanted) // 2, len(wanted) // 2))
# A terminal has one stream as it is.
got = peer.run_sh(3, "echo o; echo e >&2; tty <&2", tty=True, merge_output=True)
assert got.stdout.startswith(b"o\r\ne\r\n/dev/pts/") and not got.stderr, got.stdout
# Both count against the one window.
peer.request(4, "sh", "-c", "head -c 3000 /dev/zero; head -c 3000 /dev/zero >&2", merge_output=True,
             output_window=4000)
got = b""
while len(got) < 4000:
    frame_ = peer.answer(4, "core.exec.started", "core.exec.stdout")
    got += frame_.payload.get("data", b"")
peer.ping()
peer.tell("core.exec.output.credit", 4, {"consumed": 4000})
equal(len(got) + len(peer.outcome(4).stdout), 6000)
PY
}

@test "merge: one pipe is one descriptor less of the daemon's, and is closed as stdout" {
	need_local "a daemon's descriptors"
	daemon_start
	peer <<'PY'
peer = Peer()
peer.ping()
before = count_fds()
peer.start(1, "cat")
two = count_fds() - before
before = count_fds()
peer.start(2, "cat", merge_output=True)
equal(count_fds() - before, two - 1)
for id in 1, 2:
    peer.stdin(id, b"")
    peer.outcome(id)
# Nobody reads stderr: that is nothing, since it is none. Of stdout it is the end of both.
write = "trap '' PIPE; read a; echo e >&2 || exit 5"
for streams, code in ((["stderr"], 0), (["stdout"], 5), (["stderr", "stdout", "stderr"], 5)):
    peer.start_sh(3, write, merge_output=True)
    for stream in streams:
        peer.tell("core.exec.output.close", 3, {"stream": stream})
    peer.ping()
    peer.stdin(3, b"go\n")
    got = peer.outcome(3)
    equal((got.last.code, got.stdout, got.stderr), (code, b"" if code else b"e\n", b""))
# Who holds it as stderr alone holds all of the output.
os.mkfifo(DIR + "/word")
peer.start_sh(4, "sh -c 'read a <$DIR/word; echo late >&2' >/dev/null <&- & echo o",
              env=DIR_ENV, merge_output=True, linger_ms=20000)
equal(peer.answer(4).data, b"o\n")
peer.ping()
with open(DIR + "/word", "w") as file:
    pass
equal(peer.outcome(4).last.code, 0)
PY
}

# ---- with other agents ----

@test "merge: an agent that cannot is not asked, and all is as without it" {
	need_local "agents that are not ours"
	agent 5 <<'PY'
features = [{}, {"exec_features": KEEPS}][turn % 2]
asked = client.start(**features)
assert "merge_output" not in asked.payload, asked
client.tell("core.exec.stdout", {"data": b"out\n"})
client.tell("core.exec.stderr", {"data": b"err\n"})
client.exit(3)
PY
	for _ in 1 2; do
		run -3 x -- true
		[[ $output == $'out\nerr' ]]
	done
	run -3 --separate-stderr x --merge -- true
	[[ $output == out ]]
	[[ $stderr == $'msb-exec: this agent cannot merge stdout and stderr, so they come apart\nerr' ]]
	run -3 --separate-stderr x -q --merge -- true
	[[ $output == out && $stderr == err ]]
	run -3 --separate-stderr x --merge -tt -- true
	[[ $stderr == err ]]
	agent_done
}

@test "merge: an agent that can is asked for commands without a terminal that are not left" {
	need_local "agents that are not ours"
	agent 9 <<'PY'
wanted = [True, True, True, None, None, None, None, None, True][turn]
asked = client.keep(features=["merge_output"])
equal(asked.payload.get("merge_output"), wanted)
if asked.payload.get("detached"):
    client.expect("core.session.detach")
    client.let_go()
else:
    client.exit(0)
PY
	x -- true >"$DIR/log" 2>&1
	x --on-disconnect keep -- true >"$DIR/log" 2>&1
	x --merge -- true >"$DIR/log" 2>"$DIR/err"
	x -- true >"$DIR/log" 2>"$DIR/err"
	x --no-merge -- true >"$DIR/log" 2>&1
	x -tt -- true >"$DIR/log" 2>&1
	x --merge -tt -- true >"$DIR/log" 2>&1
	x -d -- true >"$DIR/log" 2>&1
	x -d --merge -- true >"$DIR/log" 2>&1
	agent_done
}

@test "merge: what the relay's agent can do the client hears, and what is asked for gets there" {
	need_local "agents that are not ours"
	relay_start "$DIR/port"
	X=$X DIR=$DIR python3 -B "$BATS_TEST_DIRNAME/peer.py" "$SOCKET" "$RELAY" <<'PY'
import subprocess
def take(guest):
    """Serves the next request, behind what is still said of those before."""
    while (request := guest.next()).type != "core.exec.request":
        pass
    guest.tell("core.exec.started", request.id, {"pid": 5, "stdin_window": 65536})
    guest.tell("core.exec.exited", request.id, {"code": 0})
    return request
def ask(guest, *args):
    """What msb-exec asks of it, with both outputs one pipe."""
    with subprocess.Popen([os.environ["X"], "-S", "unix:" + SOCKET, *args, "--", "true"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as client:
        request = take(guest)
        said = client.stdout.read()
        equal(client.wait(), 0)
    return request.payload.get("merge_output"), said
guest = Guest().up([*KEEPS, "merge_output"])
equal(ask(guest), (True, b""))
equal(ask(guest, "--no-merge"), (None, b""))
# Byte for byte, and encoded anew for clients without credit.
peer = Peer()
for keys in {"stdin_window": True, "output_window": 1000}, {}:
    peer.request(1, "x", merge_output=True, **keys)
    equal(take(guest).merge_output, True)
    peer.outcome(1)
peer.close()
guest.close()
for features in FEATURES, KEEPS, ():
    guest = Guest().up(features)
    equal(ask(guest), (None, b""))
    merged, said = ask(guest, "--merge")
    assert merged is None and b"cannot merge" in said, said
    guest.close()
PY
}

# ---- the command line ----

@test "merge: with a session that is there it is no option" {
	for option in --merge --no-merge; do
		run -125 x --attach a "$option"
		[[ $output == "msb-exec: $option belongs to the start of a session, not to --attach"* ]]
		run -125 x --logs a "$option"
		[[ $output == "msb-exec: $option belongs to the start of a session, not to --logs"* ]]
	done
}
