#!/usr/bin/env bats
# --init: process 1 of a container here, of a virtual machine in the tests that start one.

load helper

setup() {
	common_setup
	INIT=
}

teardown() {
	# Where a test failed, process 1 may still be there; nothing survives it.
	[[ -z $INIT ]] || kill -9 "$INIT" 2>/dev/null || true
	common_teardown
}

# What process 1 is started with.
NAMESPACES=(--pid --fork --mount-proc --kill-child)

# init_start: $DAEMON is unshare, which ends as process 1 does; $INIT that, $CHILD the
# daemon.
init_start() {
	need_namespaces "${NAMESPACES[@]}"
	WRAP=(unshare "${NAMESPACES[@]}")
	daemon_start --init
	INIT=$(pgrep -P "$DAEMON")
	CHILD=$(pgrep -P "$INIT" -x msb-execd)
}

# ends_with STATUS: process 1 has ended, and unshare tells how.
ends_with() {
	local status=0
	wait "$DAEMON" || status=$?
	DAEMON=
	INIT=
	[[ $status -eq $1 ]] || {
		echo "ended with $status"
		return 1
	}
}

@test "init: a process that is not number 1 is told so" {
	run -2 "$EXECD" --init --listen "unix:$SOCKET"
	[[ $output == 'msb-execd: --init is for process 1, and this is process '* && ! -e $SOCKET ]]
}

@test "init: orphans are reaped, and their statuses disturb no command" {
	init_start
	run -3 "$X" -- sh -c 'for i in 1 2 3 4 5 6 7 8; do (sleep 0.$i; exit 9) & done; exit 3'
	[[ $("$X" -- sh -c 'sleep 0.2 >/dev/null 2>&1 & exec ps -o ppid= -p $$') -ne 1 ]]
	# All that is left is process 1, the daemon, and the look itself; nothing waits to be reaped.
	none_left() {
		[[ $("$X" -- sh -c 'ps -e -o stat=,comm= | grep -vc " ps\|grep\| sh"') -le 2 ]] &&
			[[ $("$X" -- ps -e -o stat=) != *Z* ]]
	}
	wait_for 5 none_left
	kill "$INIT"
	ends_with 0
}

@test "init: TERM is passed on, and the status is the daemon's" {
	mark=$(mark)
	init_start
	"$X" -n -- sleep "$mark" 2>/dev/null 3>&- &
	client=$!
	wait_for 5 sh -c "pgrep -f '^sleep $mark' >/dev/null"
	kill "$INIT"
	ends_with 0
	run wait "$client"
	[[ $status -ne 0 && ! -e $SOCKET ]]
	none_match "^sleep $mark"
}

@test "init: a client's core.shutdown ends it too" {
	init_start
	python3 -B - "$SOCKET" "$BATS_TEST_DIRNAME" <<-'PY'
		import socket, sys
		sys.path.insert(0, sys.argv[2])
		from wire import frame
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall(frame("core.shutdown"))
		while s.recv(4096):
		    pass
	PY
	ends_with 0
}

@test "init: a daemon that cannot begin, or is killed, ends a container with its status" {
	need_namespaces "${NAMESPACES[@]}"
	echo precious >"$DIR/file"
	run -1 unshare --pid --fork --mount-proc "$EXECD" --init --listen "unix:$DIR/file"
	[[ $output == *'is no socket'* ]]
	init_start
	kill -9 "$CHILD"
	ends_with 137
}

@test "init: a key of the terminal reaches the daemon once" {
	init_start
	# The groups differ, and process 1 is what a terminal would signal.
	[[ $(ps -o pgid= -p "$CHILD") -eq $CHILD && $(ps -o pgid= -p "$INIT") -ne $CHILD ]]
	kill "$INIT"
	ends_with 0
}

@test "init: a root with nothing in it gets its file systems, console and loopback" {
	busybox=$(command -v busybox) || skip "needs busybox"
	need_namespaces --mount --pid --net --uts --fork --kill-child
	need_mount
	root=$DIR/root
	mkdir "$root"
	cat >"$DIR/start" <<-SH
		set -e
		mount -t tmpfs none "$root"
		cd "$root"
		mkdir bin etc root
		cp "$busybox" bin/busybox
		cp "$EXECD" bin/msb-execd
		for name in sh ls cat stat readlink tty; do ln -s busybox "bin/\$name"; done
		echo root:x:0:0::/root:/bin/sh >etc/passwd
		for file in \$(ldd "$EXECD" | grep -o '/[^ ]*'); do
		    mkdir -p ".\${file%/*}"
		    cp -L "\$file" ".\$file"
		done
		exec env -i $(command -v chroot) . /bin/msb-execd --init --log-level info \
		    --listen serial:/port --listen unix:/s 0<&- 1>&-
	SH
	unshare --mount --pid --net --uts --fork --kill-child sh "$DIR/start" 2>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	answers() {
		INIT=$(pgrep -P "$DAEMON") || return 1
		export MSB_EXEC_ENDPOINT=unix:/proc/$INIT/root/s
		daemon_answers
	}
	wait_for 10 answers
	run -0 "$X" -- sh -c 'echo $HOME:$PATH; ls -d /proc/self/fd /sys/kernel /dev/null /dev/pts/ptmx /dev/shm /run'
	[[ ${lines[0]} == /root:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ]]
	[[ ${#lines[@]} -eq 7 ]]
	run -0 "$X" -- sh -c 'echo x >/dev/shm/x && echo x >/tmp/x && echo x >/run/x && stat -c %a /tmp /dev/shm'
	[[ $output == $'1777\n1777' ]]
	run -0 "$X" -- sh -c 'echo out >/dev/stdout; echo err >/dev/stderr; readlink /dev/fd'
	[[ ${#lines[@]} -eq 3 && $output == *out* && $output == *err* && $output == */proc/self/fd* ]]
	run -0 "$X" -- cat /sys/class/net/lo/flags
	[[ $output == 0x*9 ]]
	# A terminal works: devpts is there, and its slave is the group's that it should be.
	run -0 "$X" -tt -- sh -c 'stat -c %g:%a "$(tty)"' </dev/null
	[[ $output == 5:620* ]]
	kill "$INIT"
	ends_with 0
}
