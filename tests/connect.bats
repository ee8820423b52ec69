#!/usr/bin/env bats
# Getting to an agent: every kind of address but exec:, and how long msb-exec tries.

load helper

setup() {
	common_setup
	STANDIN=
}

teardown() {
	[[ -z $STANDIN ]] || standin_stop
	common_teardown
}

# standin COMMAND...: something that is no agent, in the background; it ends by itself or here.
standin() {
	"$@" 3>&- &
	STANDIN=$!
}

standin_stop() {
	kill "$STANDIN" 2>/dev/null || true
	wait "$STANDIN" || true
	STANDIN=
}

# full [SECONDS]: a socket whose queue of connections is full. After so long a client gets through to
# the daemon, or, without one, to nobody.
full() {
	standin python3 -c '
import os, select, socket, sys, time
path, agent_path, after = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path + ".new")
listener.listen(0)
first = socket.socket(socket.AF_UNIX)
first.connect(path + ".new")
os.rename(path + ".new", path)
time.sleep(float(after or 60))
listener.accept()
client, agent = listener.accept()[0], socket.socket(socket.AF_UNIX)
if os.path.exists(agent_path):
    agent.connect(agent_path)
else:
    time.sleep(60)
other = {client: agent, agent: client}
while True:
    for source in select.select(list(other), [], [], 20)[0]:
        data = source.recv(65536)
        if not data:
            sys.exit()
        other[source].sendall(data)
' "$DIR/full" "$SOCKET" "${1-}"
	wait_for 5 test -S "$DIR/full"
}

# hypervisor HOW: see hypervisor.py; the daemon must run.
hypervisor() {
	standin python3 -B "$BATS_TEST_DIRNAME/hypervisor.py" "$DIR/v" "$SOCKET" "$1"
	wait_for 5 test -S "$DIR/v"
}

# silent: a socket that takes a client and says nothing.
silent() {
	standin env PYTHONPATH="$BATS_TEST_DIRNAME" python3 -Bc '
import sys, wire
listener = wire.listen(sys.argv[1])
listener.settimeout(60)
client = listener.accept()[0]
client.settimeout(60)
client.recv(1)' "$DIR/silent"
	wait_for 5 test -S "$DIR/silent"
}

@test "connect: a full queue of connections is tried until the time is over" {
	full
	timed run -125 "$X" --connect-timeout 300ms -S "$DIR/full" -- true
	[[ ${#lines[@]} -eq 2 && ${lines[0]} == *"$DIR/full"*queue*full* && ${lines[1]} == *--connect-timeout* ]]
	((MS >= 300 && MS < 3000 * SLOW))
	run -125 "$X" --connect-timeout 300ms -S "$DIR/full" --ping
}

@test "connect: a queue of connections that gets room is no failure" {
	daemon_start
	full 0.5
	run -0 "$X" -S "$DIR/full" -- echo through
	[[ $output == through ]]
}

@test "connect: INT, TERM and HUP end an msb-exec that connects, at once" {
	full
	for signal in INT TERM HUP; do
		# Not by the shell's &, which would have INT ignored for good.
		run -0 python3 - "$signal" "$X" --connect-timeout inf -S "$DIR/full" -- true <<-'PY'
			import os, signal, subprocess, sys, time
			number = getattr(signal, "SIG" + sys.argv[1])
			signal.signal(number, signal.SIG_DFL)  # the tests themselves may run with INT ignored
			p = subprocess.Popen(sys.argv[2:])
			def waits():
			    with open(f"/proc/{p.pid}/wchan") as f:
			        return "poll" in f.read()
			end = time.monotonic() + 10
			while not waits() and time.monotonic() < end:
			    time.sleep(0.01)
			p.send_signal(number)
			assert p.wait(5 * int(os.environ.get("SLOW", "1"))) == -number, p.returncode
		PY
	done
}

@test "connect: an agent that says nothing is given up, and named" {
	silent
	timed run -125 "$X" --connect-timeout 300ms -S "$DIR/silent" -- true
	[[ ${lines[0]} == "msb-exec: no greeting from unix:$DIR/silent: Connection timed out" ]]
	[[ ${lines[1]} == *--connect-timeout* && ${#lines[@]} -eq 2 ]]
	((MS >= 300 && MS < 3000 * SLOW))
}

@test "connect: --connect-timeout 0 and inf wait on" {
	for never in 0 inf; do
		silent
		run -124 timeout 1 "$X" --connect-timeout "$never" -S "$DIR/silent" -- true
		standin_stop
		rm "$DIR/silent"
	done
	daemon_start
	run -0 "$X" --connect-timeout 0 -- true
	run -125 "$X" --connect-timeout soon -- true
	[[ ${#lines[@]} -eq 1 ]]
}

@test "connect: the time-out's clock covers connecting and the greeting together" {
	full 0.6
	# The stand-in takes the connection in time, but there is no agent behind it.
	timed run -125 "$X" --connect-timeout 3s -S "$DIR/full" -- true
	[[ $output == *'no greeting from'* ]]
	((MS >= 3000 && MS < 6000 * SLOW))
}

@test "connect: hvsock, with OK and the greeting in one write, and a byte at a time" {
	daemon_start
	for how in together drip; do
		hypervisor "$how"
		run -0 "$X" -S "hvsock:$DIR/v:52" -- sh -c 'cat; echo done' <<<through
		[[ $output == $'through\ndone' ]]
		wait "$STANDIN"
		STANDIN=
		rm "$DIR/v"
	done
}

@test "connect: hvsock, when the guest's port is closed" {
	daemon_start
	hypervisor refuse
	run -125 "$X" -S "hvsock:$DIR/v:52" -- true
	[[ ${#lines[@]} -eq 1 && $output == "msb-exec: cannot connect to hvsock:$DIR/v:52: it hung up;"* ]]
}

@test "connect: hvsock, another answer is quoted and cannot touch the terminal" {
	daemon_start
	hypervisor deny
	run -125 "$X" -S "hvsock:$DIR/v:52" -- true
	[[ $output == *'instead of OK it answered "NO \x1b[31mWAY"' ]]
	rm "$DIR/v"
	standin_stop
	hypervisor chatter
	run -125 "$X" -S "hvsock:$DIR/v:52" -- true
	[[ ${#lines[@]} -eq 1 && $output == *'"OKOKOK'* && ${#output} -lt 400 ]]
}

@test "connect: hvsock, no answer is given up, without spinning meanwhile" {
	daemon_start
	hypervisor silent
	timed run -125 bash -c '"$0" --connect-timeout 1s -S "$1" -- true; s=$?; times; exit $s' \
		"$X" "hvsock:$DIR/v:52"
	[[ ${lines[0]} == *"hvsock:$DIR/v:52, which does not answer CONNECT: Connection timed out" ]]
	((MS >= 1000 && MS < 4000 * SLOW))
	# The children's user and system time.
	[[ ${lines[2]} == '0m0.0'*' 0m0.0'* ]]
}

@test "connect: an abstract socket, which is no file, is checked by uid alone" {
	need_local "a daemon of its own"
	local name=@msb-test.$$.$BATS_TEST_NUMBER
	daemon_start --listen "unix:$name"
	for address in "unix:$name" "$name"; do
		run -0 "$X" -S "$address" -- echo abstract
		[[ $output == abstract ]]
	done
	[[ ! -e $name && ! -e $name.lock ]]
	run -1 "$EXECD" --listen "unix:$name"
	[[ $output == *"cannot listen on unix:$name: Address already in use" ]]
	if [[ $(id -u) -eq 0 ]]; then
		run -125 "${AS_NOBODY[@]}" "$X" -S "unix:$name" -- true
		[[ $output == *--allow-uid* ]]
	fi
	# Nothing stays when it ends, however it ends.
	kill -9 "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	run -125 "$X" -S "unix:$name" -- true
	[[ ${lines[0]} == *"cannot connect to unix:$name: Connection refused" ]]
	daemon_start --listen "unix:$name"
}

@test "connect: hvsock and unix without a socket say which" {
	for address in "hvsock:$DIR/none:52" "unix:$DIR/none"; do
		run -125 "$X" -S "$address" -- true
		[[ ${lines[0]} == "msb-exec: cannot connect to $address: No such file or directory" ]]
	done
}

@test "connect: vsock, an address without a guest is one line and in time" {
	[[ -c /dev/vsock ]] || skip "this kernel has no vsock"
	# No guest has this number.
	timed run -125 "$X" --connect-timeout 4s -S vsock:4242424:52 -- true
	[[ ${lines[0]} == "msb-exec: cannot connect to vsock:4242424:52: "* && ${#lines[@]} -le 2 ]]
	((MS < 8000 * SLOW))
}

# hashed NAME DIGITS: of its SHA-256.
hashed() {
	printf %s "$1" | sha256sum | head -c "$2"
}

@test "connect: sandbox, in each of the places, the first one first" {
	daemon_start
	export HOME=$DIR/home
	local base=$HOME/.microsandbox
	mkdir -p "$base/run/sandboxes/$(hashed web 24)" "$base/run/agent" "$base/sandboxes/web/runtime"
	for place in "$base/sandboxes/web/runtime/agent.sock" "$base/run/agent/$(hashed web 32).sock" \
		"$base/run/sandboxes/$(hashed web 24)/agent.sock"; do
		ln -s "$SOCKET" "$place"
		run -0 "$X" -s web -- echo found
		[[ $output == found ]]
		# What comes later in the order does not count.
		run -0 "$X" -S sandbox:web -- true
	done
	rm "$base/run/sandboxes/$(hashed web 24)/agent.sock"
	mkdir "$DIR/own"
	MSB_HOME=$DIR/own run -125 "$X" -s web -- true
	mv "$base/run" "$DIR/own/"
	MSB_HOME=$DIR/own run -0 "$X" -s web -- true
}

@test "connect: sandbox, one that is not there: every path, and nothing runs elsewhere" {
	daemon_start
	export MSB_HOME=$DIR/own
	run -125 "$X" -s web -- touch "$DIR/ran"
	[[ ${#lines[@]} -eq 2 && ${lines[0]} == *sandbox:web* && ${lines[0]} == *'No such file'* ]]
	[[ $output == *"$DIR/own/run/sandboxes/$(hashed web 24)/agent.sock"* ]]
	[[ $output == *"$DIR/own/run/agent/$(hashed web 32).sock"* ]]
	[[ $output == *"$DIR/own/sandboxes/web/runtime/agent.sock"* ]]
	[[ ! -e $DIR/ran ]]
	for bad in '' . .. ../web a/b; do
		run -125 "$X" -s "$bad" -- true
		[[ ${#lines[@]} -eq 1 ]]
	done
	# A dead socket that exists is the sandbox's; there is no looking further.
	mkdir -p "$DIR/own/run/agent" "$DIR/own/sandboxes/web/runtime"
	ln -s "$SOCKET" "$DIR/own/sandboxes/web/runtime/agent.sock"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \
		"$DIR/own/run/agent/$(hashed web 32).sock"
	run -125 "$X" -s web -- true
	[[ $output == *'Connection refused' ]]
}

@test "connect: of -S, -s and --local the last one counts" {
	daemon_start
	export MSB_HOME=$DIR/own
	run -0 "$X" -s web -S "$SOCKET" -- true
	run -0 "$X" -s web --local -- true
	run -125 "$X" --local -S "$SOCKET" -s web -- true
	[[ $output == *sandbox:web* ]]
	run -125 "$X" -s web -s other -- true
	[[ $output == *sandbox:other* ]]
}
