#!/usr/bin/env bats
# The guest bundle: one folder that runs msb-execd in a root that has none of what it needs.

load helper

setup_file() {
	plain_make guest-bundle
}

setup() {
	common_setup
	GUEST=$DIR/guest
	mkdir -p "$GUEST/opt" "$GUEST/run"
	tar -C "$GUEST/opt" -xf "$ROOT/build/msb-execd-guest-$(uname -m).tar"
}

teardown() {
	common_teardown
}

# guest_start PATH [OPTION...]: the bundle's daemon as that path of the guest's root.
guest_start() {
	local path=$1
	shift
	chroot "$GUEST" "$path" --listen unix:/run/s "$@" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	export MSB_EXEC_ENDPOINT=unix:$GUEST/run/s
	daemon_answers $((5 * SLOW))
}

add_busybox() {
	mkdir -p "$GUEST/bin"
	cp "$(command -v busybox)" "$GUEST/bin/"
	chroot "$GUEST" /bin/busybox --install -s /bin
}

@test "bundle: in a root with nothing else it answers, and runs what there is: itself" {
	need_root
	need_chroot
	guest_start /opt/msb/msb-execd
	run -0 "$X" -- /opt/msb/msb-execd --version
	[[ $output == 'msb-execd '* ]]
	run -127 "$X" -- sh
	run -0 chroot "$GUEST" /opt/msb/msb-execd --help
	[[ $output == *--listen* ]]
}

@test "bundle: in a root of busybox, commands, users and bytes are as ever, and a missing /dev is said" {
	need_root
	need_chroot
	add_busybox
	mkdir "$GUEST/etc" "$GUEST/dev" "$GUEST/home"
	echo 'root:x:0:0::/:/bin/sh' >"$GUEST/etc/passwd"
	echo 'worker:x:1234:1235::/home:/bin/sh' >>"$GUEST/etc/passwd"
	printf 'workers:x:1235:\nextra:x:1236:worker\n' >"$GUEST/etc/group"
	guest_start /opt/msb/msb-execd
	run -3 --separate-stderr "$X" -- sh -c 'echo o; echo e >&2; exit 3'
	[[ $output == o && $stderr == e ]]
	run -0 "$X" -u worker -- sh -c 'id -u; id -g; id -G; echo $HOME $USER'
	[[ $output == $'1234\n1235\n1235 1236\n/home worker' ]]
	head -c 3M /dev/urandom >"$DIR/in"
	"$X" -- cat <"$DIR/in" >"$DIR/out"
	cmp "$DIR/in" "$DIR/out"
	# Neither /dev nor /proc has anything, so a terminal is refused, and said so.
	run -125 "$X" -tt -- sh -c 'exit 4'
	[[ $output == *pty* || $output == */dev/ptmx* ]]
}

@test "bundle: stdio: works where there is no /dev/null" {
	need_root
	need_chroot
	add_busybox
	[[ ! -e $GUEST/dev ]]
	run -0 "$X" -S "exec:chroot $GUEST /opt/msb/msb-execd --listen stdio:" -- busybox echo 'no device'
	[[ $output == 'no device' ]]
	# With nothing where its standard streams would be.
	run -0 bash -c 'exec "$@" <&- 2>&-' bash "$X" -S "exec:sh -c 'chroot $GUEST /opt/msb/msb-execd --listen stdio: 2>&-'" -- busybox echo closed
	[[ $output == closed ]]
}

@test "bundle: users come from /etc/passwd whatever nsswitch.conf names, or without one" {
	need_root
	need_chroot
	add_busybox
	mkdir "$GUEST/etc"
	echo 'worker:x:1234:1235::/home:/bin/sh' >"$GUEST/etc/passwd"
	echo 'passwd: nosuch sss systemd' >"$GUEST/etc/nsswitch.conf"
	guest_start /opt/msb/msb-execd
	run -0 "$X" -u worker -- id -u
	[[ $output == 1234 ]]
	rm "$GUEST/etc/nsswitch.conf"
	run -0 "$X" -u worker -- id -u
	[[ $output == 1234 ]]
	run -125 "$X" -u nosuch -- id -u
	[[ $output == *'no such user'* ]]
}

@test "bundle: it is found through links, relative names and PATH" {
	need_root
	need_chroot
	mkdir -p "$GUEST/usr/bin"
	ln -s /opt/msb/msb-execd "$GUEST/usr/bin/first"
	ln -s first "$GUEST/usr/bin/second"
	for path in /usr/bin/first /usr/bin/second opt/msb/msb-execd; do
		run -0 chroot "$GUEST" "$path" --version
		[[ $output == 'msb-execd '* ]]
	done
	PATH=/usr/bin run -0 "$(command -v chroot)" "$GUEST" second --version
	run -0 bash -c "cd '$GUEST/opt/msb' && exec -a other ./msb-execd --version"
}

@test "bundle: messages and ps know it by its name" {
	run -2 "$GUEST/opt/msb/msb-execd" --bogus
	[[ $output == 'msb-execd: '*--bogus* ]]
	"$GUEST/opt/msb/msb-execd" --listen "unix:$SOCKET" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	MSB_EXEC_ENDPOINT=unix:$SOCKET daemon_answers $((5 * SLOW))
	[[ $(ps -o comm= -p "$DAEMON") == msb-execd ]]
}

@test "bundle: torn apart, it says what is missing" {
	rm -r "$GUEST/opt/msb/lib/loader"
	run -1 "$GUEST/opt/msb/msb-execd" --version
	[[ ${lines[0]} == *'cannot find lib/loader/msb-execd'* && ${lines[1]} == *together* ]]
}

@test "bundle: nothing is loaded from elsewhere, though this system has the same libraries" {
	"$GUEST/opt/msb/msb-execd" --listen "unix:$SOCKET" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	daemon_answers $((5 * SLOW))
	need_sight "$DAEMON"
	awk '$6 ~ "^/" { print $6 }' "/proc/$DAEMON/maps" | sort -u >"$DIR/maps"
	grep -qx "$GUEST/opt/msb/lib/libcbor.so.*" "$DIR/maps"
	run ! grep -v "^$GUEST/opt/msb/lib/" "$DIR/maps"
	# And commands do not get our libraries.
	run -0 "$X" -- env
	[[ $output != *LD_LIBRARY_PATH* && $output != *LD_PRELOAD* ]]
}
