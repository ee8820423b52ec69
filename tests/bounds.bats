#!/usr/bin/env bats
# Nothing blocks the daemon, nothing makes it spin, and everything ends: whatever commands leave
# behind, whoever cannot be killed, whoever takes no output, whatever there is no room for.

load helper

setup() {
	common_setup
	need_local "what ends a daemon of our own"
	need_direct "what ends a daemon of our own"
	# What goes on for ever, until the test is over.
	TALK="while [ -d $DIR ]; do echo talk; sleep 0.05; done"
}

teardown() {
	common_teardown
}

# ends_within SECONDS PID: it has ended, and with 0.
ends_within() {
	wait_for "$1" gone "$2"
	wait "$2"
}

# ---- output that others hold ----

@test "bounds: who holds the output out of the session's reach and talks on does not defeat a time-out" {
	daemon_start
	timed run -124 "$X" -n --timeout "${SLOW}s" -k 200ms -- sh -c "setsid sh -c '$TALK' & exec sleep 1000"
	((MS < 15000 * SLOW))
	[[ $output == *talk* ]]
}

@test "bounds: nor the daemon's end, be it by a signal or by its client" {
	for way in signal client; do
		rm -f "$DIR/out"
		daemon_start
		"$X" -n --linger 1h -- sh -c "setsid sh -c '$TALK' & exec sleep 1000" \
			>"$DIR/out" 2>"$DIR/err" 3>&- &
		client=$!
		wait_for 10 grep -q talk "$DIR/out"
		if [[ $way == signal ]]; then
			kill "$DAEMON"
		else
			DIR=$DIR python3 -B "$ROOT/tests/peer.py" "$SOCKET" "$DAEMON" <<<'Peer().tell("core.shutdown")'
		fi
		ends_within 15 "$DAEMON"
		DAEMON=
		status=0
		wait "$client" || status=$?
		[[ $status -eq 143 ]]
	done
}

@test "bounds: nor the end of a command that ended by itself, for longer than 20 times the silence" {
	daemon_start
	"$X" -n --linger 100ms -- sh -c "sh -c '$TALK' & echo \$! >$DIR/pid; exit 3" >"$DIR/out" 3>&- &
	client=$!
	wait_for 15 gone "$client"
	status=0
	wait "$client" || status=$?
	[[ $status -eq 3 ]]
	kill "$(<"$DIR/pid")"
}

@test "bounds: what was written by the command's end is not cut off by who talks on behind it" {
	daemon_start
	# More than lies in the pipe, and a reader that is slow to begin.
	"$X" -n --linger 0 -- sh -c "seq 300000; sh -c '$TALK' & exit 3" 3>&- | {
		sleep 0.3
		cat >"$DIR/out"
	}
	[[ ${PIPESTATUS[0]} -eq 3 ]]
	[[ $(grep -v talk "$DIR/out" | md5sum) == "$(seq 300000 | md5sum)" ]]
}

@test "bounds: a terminal's shell ends at once, whatever its background jobs print" {
	daemon_start
	drive 24x80 "$X" -t -e 'PS1=ready> ' -- bash --norc <<-END
		expect ready>
		send trap '' HUP; ($TALK) &\r
		expect talk
		send exit 7\r
		wait 7
	END
	# For any client, and whether the job talks or floods.
	peer "$TALK" <<'EOF'
peer = Peer()
for id, job in (1, ARGS[0]), (2, "exec yes"):
    got = peer.run_sh(id, f"trap '' HUP; ({job}) & echo $!; exit 5", tty=True)
    equal(got.last.code, 5)
    pid = int(next(word for word in got.stdout.split() if word.isdigit()))
    assert not is_gone(pid), "a normal end killed a job"
    os.kill(pid, 9)
EOF
}

@test "bounds: and loses nothing that it had printed before" {
	daemon_start
	peer "$TALK" <<'EOF'
peer = Peer()
for i in range(1, 31):
    got = peer.run_sh(i, f"trap '' HUP; ({ARGS[0]}) & echo $!; seq 4000; exit 5", tty=True)
    text = got.stdout.replace(b"talk\r\n", b"").split()
    os.kill(int(text[0]), 9)
    equal((text[1:], got.last.code), ([b"%d" % n for n in range(1, 4001)], 5))
EOF
}

# ---- who cannot be ended, or not be looked for ----

# unkillable: a program that runs others as root, whoever starts it; in $DIR.
unkillable() {
	need_root
	install -m 4755 "$(command -v setpriv)" "$DIR/root"
	# Where /tmp is mounted so, it does not.
	[[ $("${AS_NOBODY[@]}" "$DIR/root" --reuid=0 id -ur) -eq 0 ]] ||
		skip "no program here can become root"
	WRAP=("${AS_NOBODY[@]}")
	chmod 777 "$DIR"
}

# wakes PID: how often it has gone to sleep so far.
wakes() {
	awk '/^voluntary_/ { print $2 }' "/proc/$1/status"
}

@test "bounds: a command that may not be killed is said to be one, once, and looked at now and then" {
	unkillable
	daemon_start
	"$X" -n --timeout "${SLOW}s" -k 100ms -- "$DIR/root" --reuid=0 sleep "$(mark)" >"$DIR/out" 2>&1 3>&- &
	client=$!
	wait_for 20 grep -q "cannot be killed: Operation not permitted" "$DIR/daemon.log"
	leader=$(sed -n 's/.*process \([0-9]*\) of session.*cannot be killed.*/\1/p' "$DIR/daemon.log")
	before=$(wakes "$DAEMON")
	# Nothing else is there to wait for: some looks of it. Every 20 ms they would be 150.
	sleep 3
	(($(wakes "$DAEMON") - before < 50))
	run -0 "$X" -- true
	kill "$leader"
	status=0
	wait "$client" || status=$?
	[[ $status -eq 124 && $(grep -c "cannot be killed" "$DIR/daemon.log") -eq 1 ]]
}

@test "bounds: the daemon's end does not wait for it for ever" {
	unkillable
	daemon_start
	"$X" -n -- "$DIR/root" --reuid=0 sh -c "echo \$\$; exec sleep $(mark)" >"$DIR/out" 2>"$DIR/err" 3>&- &
	client=$!
	wait_for 10 test -s "$DIR/out"
	kill "$DAEMON"
	ends_within 30 "$DAEMON"
	DAEMON=
	grep -q "1 commands could not be ended" "$DIR/daemon.log"
	status=0
	wait "$client" || status=$?
	[[ $status -eq 125 ]] && grep -q "lost the connection" "$DIR/err"
	kill "$(<"$DIR/out")"
}

@test "bounds: who uses up the daemon's descriptors keeps nobody alive" {
	mark=$(mark)
	WRAP=(prlimit --nofile=40:40)
	daemon_start
	peer "$mark" <<'EOF'
# The one ends when it is asked to, its child does not; and that is in a group of its own.
script = "set -m; (trap '' TERM; while :; do sleep 0.05; : %s; done) & echo $!; exec sleep 1000"
peer = Peer()
leader = peer.start(1, "bash", "-c", script % ARGS[0], timeout_ms=int(2000 * SLOW), kill_after_ms=500)
child = int(peer.read_until(1, b"\n"))
idle = []
with contextlib.suppress(Refused):
    while len(idle) < 60:
        idle.append(Peer())
# And all that is left, by what it lets start.
for id in range(2, 20):
    peer.request(id, "sleep", "1000")
got = peer.outcome(1).last
equal((got.code, got.timed_out), (-1, True))
wait_gone(leader)
wait_gone(child)
EOF
	none_match "$mark"
}

@test "bounds: a process whose main thread has ended is killed with its session" {
	mark=$(mark)
	daemon_start
	# A thread that goes on while its main thread is a zombie.
	cat >"$DIR/threads.py" <<-'EOF'
		import ctypes, os, threading, time
		threading.Thread(target=lambda: [time.sleep(0.05) for _ in iter(int, 1)]).start()
		open(os.environ["DIR"] + "/ready", "w").write(str(os.getpid()))
		# exit(2), which ends no other thread.
		ctypes.CDLL(None).syscall(ctypes.c_long(60 if os.uname().machine == "x86_64" else 93), 0)
	EOF
	"$X" -n -e "DIR=$DIR" --timeout $((3 * SLOW))s -k 100ms -- bash -c "set -m; trap '' TERM
		(trap '' TERM; exec python3 $DIR/threads.py $mark) & wait" >"$DIR/out" 2>&1 3>&- &
	client=$!
	wait_for 10 test -s "$DIR/ready"
	pid=$(<"$DIR/ready")
	wait_for 10 grep -q '^State:.Z' "/proc/$pid/status"
	[[ $(ls "/proc/$pid/task" | wc -l) -eq 2 ]]
	status=0
	wait "$client" || status=$?
	[[ $status -eq 124 ]]
	wait_for 5 test ! -e "/proc/$pid"
}

# ---- who is in the way of the beginning ----

@test "bounds: no other user can keep the daemon from starting" {
	need_root
	# Anybody may lock a folder that he may read.
	"${AS_NOBODY[@]}" flock "$DIR" \
		sh -c "touch /tmp/${DIR##*/}.held; exec sleep 60" 3>&- &
	holder=$!
	wait_for 10 test -e "/tmp/${DIR##*/}.held"
	rm -f "/tmp/${DIR##*/}.held"
	daemon_start
	kill "$holder"
	run -0 "$X" -- echo served
	[[ $output == served && ! -e $SOCKET.lock ]]
}

@test "bounds: a lock that is not given up is named, and what is no lock of ours" {
	(umask 077 && : >"$SOCKET.lock")
	flock "$SOCKET.lock" sleep 60 3>&- &
	holder=$!
	wait_for 10 eval '! flock -n "$SOCKET.lock" true'
	timed run -1 "$EXECD" -l "unix:$SOCKET"
	kill "$holder"
	[[ ${#lines[@]} -eq 1 && $output == *"holds $SOCKET.lock"* ]]
	((MS < 30000 * SLOW))
	rm "$SOCKET.lock"
	ln -s /dev/null "$SOCKET.lock"
	run -1 "$EXECD" -l "unix:$SOCKET"
	[[ ${#lines[@]} -eq 1 && $output == *"$SOCKET.lock"* && -c /dev/null ]]
	# A lock that a killed daemon has left is nobody's.
	rm "$SOCKET.lock"
	(umask 077 && : >"$SOCKET.lock")
	daemon_start
	[[ ! -e $SOCKET.lock ]]
}

# ---- who reads no lines ----

# full_pipe: $DIR/full is a pipe that takes nothing any more.
full_pipe() {
	mkfifo "$DIR/full"
	exec 7<>"$DIR/full"
	timeout 0.3 cat /dev/zero >&7 3>&- || true
}

# flood COUNT UID: as that user, asks the daemon for its end, as often as that.
flood() {
	python3 -B - "$ROOT/tests" "$SOCKET" "$@" <<'EOF'
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from wire import frame
count, uid = int(sys.argv[3]), int(sys.argv[4])
os.setgid(uid)
os.setuid(uid)
for _ in range(count // 10):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    try:
        sock.connect(sys.argv[2])
        for _ in range(10):
            sock.sendall(frame("core.shutdown", 0))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    sock.close()
EOF
}

@test "bounds: lines that nobody reads hold up nobody" {
	need_root
	full_pipe
	chmod 755 "$DIR"
	for allow in "" --allow-uid=65534; do
		for program in daemon relay; do
			if [[ $program == daemon ]]; then
				"$EXECD" -l "unix:$SOCKET" --log-level debug $allow 2>&7 3>&- &
			else
				"$EXECD" -l "serial:$DIR/port" 2>"$DIR/daemon.log" 3>&- 7>&- &
				DAEMON=$!
				"$RELAYD" -a "unix:$DIR/chardev" -l "unix:$SOCKET" --log-level debug $allow 2>&7 3>&- &
			fi
			pid=$!
			wait_for 10 listens "$SOCKET"
			chmod 666 "$SOCKET"
			flood 2000 65534
			if [[ $program == daemon ]]; then
				run -0 timeout $((20 * SLOW)) "$X" -S "$SOCKET" -- echo served 7>&-
				[[ $output == served ]]
			fi
			kill "$pid"
			ends_within 20 "$pid"
			if [[ -n $DAEMON ]]; then
				kill "$DAEMON"
				wait "$DAEMON"
				DAEMON=
			fi
		done
	done
}

@test "bounds: a file as its stdin does not keep a daemon busy while it is not read" {
	PYTHONPATH=$BATS_TEST_DIRNAME python3 -B - "$DIR/said" <<'EOF'
import sys
from wire import frame
with open(sys.argv[1], "wb") as said:
    said.write(frame("core.exec.request", 1, {"cmd": "sh", "args": ["-c", "sleep 1000"]}, flags=2))
    for _ in range(4):
        said.write(frame("core.exec.stdin", 1, {"data": b"x" * 300000}))
EOF
	"$EXECD" --listen stdio: <"$DIR/said" >"$DIR/heard" 2>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	wait_for 20 grep -aq core.exec.started "$DIR/heard"
	sleep 1.5
	read -r -a stat <"/proc/$DAEMON/stat"
	ticks=$((stat[13] + stat[14]))
	echo "$ticks ticks"
	((ticks < 50))
}

@test "bounds: of what one peer causes, ten lines in ten seconds are said, and how many were not" {
	need_root
	daemon_start --allow-uid=65534
	chmod 666 "$SOCKET"
	chmod 755 "$DIR"
	flood 30 65534
	[[ $(grep -c "may not shut down" "$DIR/daemon.log") -le 30 ]]
	python3 -B - "$ROOT/tests" "$SOCKET" <<'EOF'
import os, socket, sys, time
sys.path.insert(0, sys.argv[1])
from wire import frame
os.setgid(65534)
os.setuid(65534)
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[2])
sock.sendall(frame("core.shutdown", 0) * 500)
sock.sendall(frame("core.ping", 1))
while b"core.pong" not in sock.recv(65536):
    pass
EOF
	[[ $(grep -c "may not shut down" "$DIR/daemon.log") -le 40 ]]
}

# ---- what is lent to us ----

@test "bounds: standard input and output that others share are left as they were" {
	need_pty
	python3 -B - "$ROOT/tests" "$EXECD" <<'EOF'
import fcntl, os, pty, subprocess, sys
sys.path.insert(0, sys.argv[1])

def blocks(fd):
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK

def run(mine, ours):
    """The daemon on what is ours; mine is the other side, to read from and to close."""
    daemon = subprocess.Popen([sys.argv[2], "--listen", "stdio:"], stdin=ours[0], stdout=ours[1])
    assert os.read(mine[1], 8), "no greeting"
    return daemon

# A terminal, even while it is served, and after a kill.
master, slave = pty.openpty()
daemon = run((master, master), (slave, slave))
assert blocks(slave)
daemon.kill()
daemon.wait()
assert blocks(slave)
# Pipes, afterwards.
a, b = os.pipe(), os.pipe()
daemon = run((a[1], b[0]), (a[0], b[1]))
os.close(a[1])
assert daemon.wait(20) == 0
assert blocks(a[0]) and blocks(b[1])
EOF
}

# ---- what the kernel or the library has none of, once ----

# failing SOURCE: builds a library from C on stdin that stands before a program's own functions. Its
# trip() says whether this call is the one to fail: $DIR/nth holds how many calls from now that is.
failing() {
	printf '\0\0\0\0' >"$DIR/nth"
	{
		cat <<-'END'
			#include <dlfcn.h>
			#include <errno.h>
			#include <fcntl.h>
			#include <stdlib.h>
			#include <sys/mman.h>
			static volatile int *nth;
			__attribute__((constructor)) static void begin(void)
			{
				int fd = open(getenv("NTH"), O_RDWR | O_CLOEXEC);
				void *at = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
				if (at != MAP_FAILED)
					nth = at;
			}
			static int trip(void)
			{
				return nth && *nth > 0 && --*nth == 0;
			}
		END
		cat
	} | cc -x c -shared -fPIC -D_GNU_SOURCE -o "$DIR/failing.so" -
	FAILING=(env "LD_PRELOAD=$DIR/failing.so" "NTH=$DIR/nth")
}

# fail_at NTH: the call that many from now fails.
fail_at() {
	# shellcheck disable=SC2059 # an octal escape
	printf "\\$(printf '%03o' "$1")\\0\\0\\0" | dd of="$DIR/nth" conv=notrunc status=none
}

@test "bounds: an allocation of the daemon's that fails is told in words, whichever it is" {
	! grep -q __asan_init "$EXECD" || skip "the sanitizer's own allocator stands in their place"
	failing <<-'END'
		extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
		void *malloc(size_t len) { return trip() ? (errno = ENOMEM, NULL) : __libc_malloc(len); }
		void *calloc(size_t n, size_t len) { return trip() ? (errno = ENOMEM, NULL) : __libc_calloc(n, len); }
		void *realloc(void *old, size_t len) { return trip() ? (errno = ENOMEM, NULL) : __libc_realloc(old, len); }
	END
	WRAP=("${FAILING[@]}")
	daemon_start
	failures=0
	for nth in {1..40}; do
		for options in "" "-u nobody" "-tt"; do
			fail_at "$nth"
			status=0
			# shellcheck disable=SC2086 # words
			timeout $((20 * SLOW)) "$X" $options -- echo fine >"$DIR/out" 2>"$DIR/err" </dev/null || status=$?
			fail_at 0
			if ((status == 0)); then
				grep -q fine "$DIR/out"
			else
				failures=$((failures + 1))
				((status == 125)) && grep -q '[a-z]' "$DIR/err"
			fi
		done
		run -0 "$X" -- echo served
		[[ $output == served ]]
	done
	((failures > 3))
}

@test "bounds: a watch that the kernel has no memory for costs some milliseconds, and nothing else" {
	failing <<-'END'
		#include <sys/epoll.h>
		int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
		{
			static int (*real)(int, int, int, struct epoll_event *);
			if (!real)
				real = (int (*)(int, int, int, struct epoll_event *))dlsym(RTLD_NEXT, "epoll_ctl");
			if (op == EPOLL_CTL_ADD && trip()) {
				errno = ENOMEM;
				return -1;
			}
			return real(epoll_fd, op, fd, event);
		}
	END
	WRAP=("${FAILING[@]}" ASAN_OPTIONS=verify_asan_link_order=0)
	daemon_start
	for nth in {1..12}; do
		# Of the daemon's, for a client that sees no such failure; then of the client's.
		fail_at "$nth"
		run -3 timeout $((20 * SLOW)) "$X" --timeout $((15 * SLOW))s -- sh -c 'cat; echo end; exit 3' <<<input
		[[ $output == input$'\n'end ]]
		fail_at "$nth"
		run -3 timeout $((20 * SLOW)) "${WRAP[@]}" "$X" --timeout $((15 * SLOW))s -tt -- sh -c 'echo end; exit 3' </dev/null
		[[ $output == end* ]]
		fail_at 0
	done
	run -124 "$X" --timeout 100ms -- sleep 100
}

@test "bounds: an accept that fails is tried again, and not at once, whatever its error" {
	failing <<-'END'
		#include <sys/socket.h>
		int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
		{
			static int (*real)(int, struct sockaddr *, socklen_t *, int);
			if (!real)
				real = (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
			if (nth && *nth > 0) {
				--*nth;
				errno = EPERM;
				return -1;
			}
			return real(fd, address, len, flags);
		}
	END
	WRAP=("${FAILING[@]}" ASAN_OPTIONS=verify_asan_link_order=0)
	daemon_start
	fail_at 200
	"$X" -n -- echo served >"$DIR/out" 3>&- &
	client=$!
	wait_for 10 grep -q "cannot accept: Operation not permitted" "$DIR/daemon.log"
	# Ten times a second, and not as fast as it can.
	sleep 1
	left=$(od -An -tu1 -N1 "$DIR/nth")
	echo "$left are left of 200"
	((left > 100))
	fail_at 0
	wait "$client"
	[[ $(<"$DIR/out") == served ]]
}
