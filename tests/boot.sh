#!/bin/sh
# boot.sh FOLDER: runs the script on stdin under a systemd of its own, booted as process 1 of new
# namespaces with the units and programs that `make install DESTDIR=FOLDER` put there, and no others.
# Prints what the script says, and ends as it does; with 77 where systemd cannot be booted. Needs root.
set -eu

# ---- outside: a control group, the namespaces, and an end to both ----

outside() {
	tree=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$tree" ] && [ -x /lib/systemd/systemd ] || exit 77
	group=$tree/msb-boot.$$
	mkdir "$group" 2>/dev/null || exit 77
	cat >"$folder/script"
	rm -f "$folder/status" "$folder/out"
	: >"$folder/out"
	sh -c 'echo $$ >"$1/cgroup.procs" && exec unshare --mount --pid --cgroup --ipc --uts --net --fork \
		--kill-child sh "$0" inside "$2"' "$0" "$group" "$folder" >"$folder/boot" 2>&1 3>&- &
	pid=$!
	trap 'end' EXIT
	left=$((600 * ${SLOW:-1}))
	until [ -s "$folder/status" ]; do
		left=$((left - 1))
		if [ $left -eq 0 ] || ! kill -0 $pid 2>/dev/null; then
			cat "$folder/boot" "$folder/out" >&2
			exit 77
		fi
		sleep 0.1
	done
	cat "$folder/out"
	exit "$(cat "$folder/status")"
}

end() {
	# With the first process of a namespace go all others.
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
		[ -d "$group" ] || return 0
		sleep 0.1
	done
	echo "boot: $group stays" >&2
}

# ---- inside: what systemd must not touch or find is covered, then it is started ----

target() {
	printf '[Unit]\nDefaultDependencies=no\n%s\n' "$2" >"$units/$1.target"
}

inside() {
	mount --make-rprivate /
	umount -l /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mount -t proc proc /proc
	mount --bind /proc/sys /proc/sys
	mount -o remount,bind,ro /proc/sys
	mount -t tmpfs tmpfs /run
	rm -rf "${folder:?}/etc"
	mkdir -p /run/systemd/system "$folder/etc"
	cp -a /etc/. "$folder/etc"
	mount --bind "$folder/etc" /etc
	rm -rf /etc/systemd/system
	printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n' >/etc/systemd/journald.conf
	mount --bind "$folder/usr/local" /usr/local
	units=$(readlink -f /lib/systemd/system)
	# Above all no unit that cleans up or mounts.
	mount -t tmpfs tmpfs "$units"
	mount -t tmpfs tmpfs "$(readlink -f /lib/systemd)/system-generators"
	for name in sysinit basic sockets shutdown multi-user; do
		target $name ''
	done
	target check 'Requires=check.service'
	cat >"$units/check.service" <<-UNIT
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=oneshot
		Environment=HOME=/root
		ExecStart=/bin/bash -eux $folder/script
		StandardOutput=append:$folder/out
		StandardError=append:$folder/out
		ExecStopPost=/bin/sh -c 'echo \$\$EXIT_STATUS >$folder/status'
	UNIT
	export container=other
	exec /lib/systemd/systemd --system --unit=check.target --show-status=no
}

if [ "$1" = inside ]; then
	folder=$2
	inside
else
	folder=$1
	outside
fi
