# What every bats file loads: a private daemon, msb-exec pointed at it, and conditions to wait for.
# Nothing here sleeps for luck; every wait has a limit.

bats_require_minimum_version 1.5.0

# shellcheck source=tests/trace.bash
source "${BASH_SOURCE[0]%/*}/trace.bash"

# Of tests/helper.bash, or of tests/vm/../helper.bash, by which tests/vm load it.
ROOT=${BASH_SOURCE[0]%/tests/*}
[[ $ROOT != "${BASH_SOURCE[0]}" ]] || ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
BUILD=${BUILD:-$ROOT/build}
X=$BUILD/msb-exec
EXECD=$BUILD/msb-execd
RELAYD=$BUILD/msb-relayd
CONSOLE=$BUILD/msb-exec-console
# Limits of time stretch with this: slow programs, a slow machine, others at work on it.
SLOW=${SLOW:-1}
# What the programs alone are slower by, as sanitized ones are: they are given less to do.
FACTOR=${FACTOR:-$SLOW}
# With MSB_TEST_AGENT=ENDPOINT the tests run against that agent, which may be in another machine
# (tests/vm): what needs a daemon of its own, or looks at one, is skipped. For the drivers, GUEST is
# what to put before a command that is to run where the agent runs its commands.
AGENT=${MSB_TEST_AGENT:-}
GUEST=${AGENT:+$X -q -n --}

# With THROUGH=relay the daemon serves a serial port (chardev.py), and msb-relayd is at $SOCKET.
THROUGH=${THROUGH:-}

common_setup() {
	# One process and not three, a thousand times.
	DIR=${BATS_TMPDIR:-/tmp}/msb.$$.$RANDOM
	mkdir -m 755 "$DIR"
	SOCKET=$DIR/s
	unset MSB_EXEC_ENDPOINT
	DAEMON=
	RELAY=
	CHARDEV=
	WRAP=()
	if [[ -n $AGENT ]]; then
		export MSB_EXEC_ENDPOINT=$AGENT
		guest mkdir "$DIR"
	fi
}

common_teardown() {
	local status=0
	# What failed may not fail again.
	[[ -n $BATS_TEST_COMPLETED ]] || show_what_there_is
	if [[ -n $DAEMON ]]; then
		daemon_stop || status=1
	fi
	if [[ -s $DIR/daemon.log ]] && grep -E 'Sanitizer|runtime error' "$DIR/daemon.log"; then
		echo "the daemon's sanitizer complained" >&2
		status=1
	fi
	if [[ -n $AGENT ]]; then
		MSB_EXEC_ENDPOINT=$AGENT guest rm -rf "$DIR" || status=1
	fi
	rm -rf "$DIR"
	return $status
}

# relay_teardown: the daemon's, and a relay's that has none behind it.
relay_teardown() {
	local status=0
	if [[ -n $RELAY && -z $DAEMON ]]; then
		relay_stop || status=1
	fi
	common_teardown || status=1
	return $status
}

# show_what_there_is: of the daemon, or of the machine that it is in, when something went wrong.
show_what_there_is() {
	{
		[[ ! -s $DIR/daemon.log ]] || tail -n 20 "$DIR/daemon.log"
		[[ -z $AGENT ]] || MSB_EXEC_ENDPOINT=$AGENT timeout $((10 * SLOW)) "$X" -q -n -- \
			ps -ww -N --ppid 2 -p 2 -o pid,ppid,sid,stat,wchan:20,args || true
	} >&2
	[[ -z ${VM:-} ]] || vm_tell
}

# vm_tell: of a machine of tests/vm.
vm_tell() {
	local log
	for log in console qemu.log relay.log; do
		[[ ! -s $VM/$log ]] || {
			echo "---- $log"
			tail -n 30 "$VM/$log" | cat -v
		}
	done >&2
}

# daemon_start [OPTION...]: a daemon of our own; $DAEMON is its process. WRAP may hold a command to
# start it through, such as prlimit, that becomes it.
daemon_start() {
	if [[ -n $AGENT ]]; then
		[[ $# -eq 0 && ${#WRAP[@]} -eq 0 ]] || need_local "a daemon with options of its own"
		return 0
	fi
	local listen=unix:$SOCKET
	if [[ $THROUGH == relay ]]; then
		listen=serial:$DIR/port
		chardev_start
		relay_start "$DIR/chardev"
	fi
	"${WRAP[@]}" "$EXECD" --listen "$listen" --log-level info "$@" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	daemon_answers $((5 * SLOW)) || {
		cat "$DIR/daemon.log" >&2
		return 1
	}
}

# daemon_answers [SECONDS]: and for so long it is waited for, if it is not there yet.
daemon_answers() {
	"$X" -q --wait-for "${1:-0}" --ping 2>/dev/null
}

# daemon_stop: ends it, and fails if it does not end well.
daemon_stop() {
	local status=0
	if [[ -n $RELAY ]]; then
		relay_stop || status=$?
	fi
	kill "$DAEMON" 2>/dev/null || true
	wait "$DAEMON" || status=$?
	DAEMON=
	if [[ -n $CHARDEV ]]; then
		chardev_stop
	fi
	[[ $status -eq 0 ]] || echo "the daemon ended with $status" >&2
	return $status
}

# relay_start AGENT [OPTION...]: a relay in front of the socket of that name.
relay_start() {
	"$RELAYD" --agent "unix:$1" --listen "unix:$SOCKET" --log-level info "${@:2}" \
		2>>"$DIR/daemon.log" 3>&- &
	RELAY=$!
	wait_for 5 listens "$SOCKET"
}

# listens PATH: the socket is not only there, it can be connected to.
listens() {
	grep -q " 00010000 .* $1\$" /proc/net/unix
}

relay_stop() {
	local status=0
	kill "$RELAY" 2>/dev/null || true
	wait "$RELAY" || status=$?
	RELAY=
	[[ $status -eq 0 ]] || echo "the relay ended with $status" >&2
	return $status
}

# chardev_start: a virtual machine's serial port without the machine: for a relay $DIR/chardev, for
# a daemon serial:$DIR/port.
chardev_start() {
	python3 -B "$BATS_TEST_DIRNAME/chardev.py" "$DIR/chardev" "$DIR/port" 2>>"$DIR/daemon.log" 3>&- &
	CHARDEV=$!
	wait_for 5 test -S "$DIR/chardev"
}

chardev_stop() {
	kill "$CHARDEV" 2>/dev/null || true
	wait "$CHARDEV" || true
	CHARDEV=
	rm -f "$DIR/chardev" "$DIR/port"
}

# need_direct WHY: skips what is another matter through a relay.
need_direct() {
	[[ $THROUGH != relay ]] || skip "through a relay: $1"
}

# plain_make TARGET...: of the plain programs, whatever flavour is being tested; one make at a time,
# since other files of tests run beside this one.
plain_make() {
	talking_make -s "$@"
}

# talking_make: the same as people see it.
talking_make() {
	mkdir -p "$ROOT/build"
	env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u MAKELEVEL -u SANITIZE -u DEBUG -u STATIC -u FUZZ -u COVERAGE \
		flock "$ROOT/build/.lock" make --no-print-directory -C "$ROOT" "$@" 3>&-
}

# programs: those that were built, but not the guest's bundle, which lies beside them.
programs() {
	find "$BUILD" -maxdepth 1 -type f -executable -name 'msb-*'
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local limit=$(($1 * SLOW * 20))
	shift
	while ! "$@"; do
		((limit-- > 0)) || {
			echo "gave up waiting for: $*" >&2
			return 1
		}
		sleep 0.05
	done
}

# gone PID: no such process, or a zombie of somebody else's.
gone() {
	local state
	state=$(ps -o state= -p "$1" 2>/dev/null) || return 0
	[[ $state == Z* ]]
}

# is_still PID...: all of them sleep, and none has even been woken for a while: what flows between
# them stands. On a busy machine, too, for whoever waits for a turn does not sleep.
is_still() {
	local before
	before=$(asleep "$@") && sleep 0.1 && [[ $(asleep "$@") == "$before" ]]
}

# has_become PID NAME: what was started in the background is that program by now. A signal that comes
# before that is heard by this shell's copy, with all that bats does then.
has_become() {
	grep -qx "$2" "/proc/$1/comm"
}

# asleep PID...: how often each of them has gone to sleep; fails if one is not asleep.
asleep() {
	local pid
	for pid; do
		awk '/^State:/ && $2 != "S" { exit 1 } /^voluntary_/ { print $2 }' \
			"/proc/$pid/status" 2>/dev/null || return 1
	done
}

# is_sanitized PID: its memory and its time say little.
is_sanitized() {
	# A daemon hides from its own user.
	grep -q libasan "/proc/$1/maps" 2>/dev/null || [[ $BUILD == */sanitize ]]
}

# guest COMMAND...: runs it where the agent runs its commands: here, unless the agent is elsewhere.
guest() {
	if [[ -n $AGENT ]]; then
		"$X" -q -- "$@"
	else
		"$@"
	fi
}

# none_match PATTERN: no live process of the guest has a command line that holds it (patterns are
# unique marks).
none_match() {
	local status=0
	guest pgrep -f -- "$1" >/dev/null || status=$?
	[[ $status -eq 1 ]]
}

# matches NUMBER PATTERN: so many processes of the guest have such a command line.
matches() {
	[[ $(guest pgrep -fc -- "$2") -eq $1 ]]
}

# guest_has FILE LINES: so many at least are in that file of the guest's.
guest_has() {
	guest test -e "$1" && [[ $(guest cat "$1" | wc -l) -ge $2 ]]
}

# guest_kill SIGNAL PATTERN: every process of the guest with such a command line, unless it ends by
# itself meanwhile.
guest_kill() {
	local pid
	for pid in $(guest pgrep -f -- "$2"); do
		guest kill "-$1" "$pid" 2>/dev/null || true
	done
}

# mark: a number of seconds for sleep(1) that no other test uses, to find our processes by.
mark() {
	echo "$((10000 + RANDOM)).$BATS_TEST_NUMBER$$"
}

# drive ROWSxCOLS PROGRAM...: on a terminal, by a script on stdin (see ptydrive.c). One that fails shows
# what the guest's programs are doing meanwhile, or the daemon's here.
drive() {
	need_pty
	local whose=${AGENT:+-N --ppid 2 -p 2} look=
	[[ -n $AGENT ]] || whose=${DAEMON:+--ppid $DAEMON -p $DAEMON}
	[[ -z $whose ]] || look="echo '---- where the agent runs:'
		$GUEST ps -ww $whose -o pid,ppid,sid,stat,blocked,ignored,caught,wchan:20,args"
	LOOK=$look "$BUILD/tests/ptydrive" "$@"
}

# peer ARG...: runs the Python on stdin as clients of our daemon, which is to look the same afterwards
# (see peer.py).
peer() {
	DIR=$DIR RELAY=$RELAY python3 -B "$ROOT/tests/peer.py" --watched "$SOCKET" "$DAEMON" "$@"
}

# What a test needs of its surroundings is tried, by what is needed and not by who we are: containers
# have a root that may do little, and chroots lack devices.

# In front of a command, and not a function, which would be a process of its own in the background.
AS_NOBODY=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

# need_root: with what any root has, even in a container. The agent in another machine is root there.
need_root() {
	[[ -z $AGENT ]] || return 0
	[[ $(id -u) -eq 0 ]] || skip "needs root"
	"${AS_NOBODY[@]}" true || skip "this root cannot become another user"
}

# need_chroot: may make any folder the root.
need_chroot() {
	chroot / true 2>/dev/null || skip "cannot change the root folder"
}

# need_namespaces OPTION...: of unshare.
need_namespaces() {
	unshare "$@" true 2>/dev/null || skip "cannot make namespaces: unshare $*"
}

# need_mount: may mount in a namespace of its own, which is not to be had with that alone.
need_mount() {
	unshare --mount sh -c 'mount -t tmpfs none /mnt' 2>/dev/null || skip "cannot mount in a namespace"
}

# need_account: a shell could be logged into, as ssh and a login shell want it.
need_account() {
	local shell
	shell=$(getent passwd "$(id -u)" | cut -d: -f7)
	[[ $shell && $shell != */nologin && $shell != */false ]] || skip "needs a user with a login shell"
}

# need_sight PID: a daemon hides what it has open, from its own user and from a root that may not trace.
need_sight() {
	readlink "/proc/$1/exe" >/dev/null || skip "may not look into the daemon"
}

# need_count PID: how many it has open such a root may know.
need_count() {
	ls "/proc/$1/fd" >/dev/null 2>&1 || skip "may not count what the daemon has open"
}

# need_pty: pseudo-terminals can be made.
need_pty() {
	{ : <>/dev/ptmx; } 2>/dev/null || skip "cannot make a pseudo-terminal: /dev/ptmx"
}

# need_local WHAT: the test has to do with something that only a daemon of our own has.
need_local() {
	[[ -z $AGENT ]] || skip "the agent is elsewhere: $1"
}

# seconds COMMAND...: runs it and prints how many whole milliseconds it took to $MS.
timed() {
	local begin=${EPOCHREALTIME/./}
	"$@"
	local status=$?
	# shellcheck disable=SC2034 # for the test
	MS=$(((${EPOCHREALTIME/./} - begin) / 1000))
	return $status
}
