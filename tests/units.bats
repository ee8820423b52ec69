#!/usr/bin/env bats
# The unit files as make install leaves them: read by systemd's own checker, and run by a systemd.

load helper

setup_file() {
	DEST=$(mktemp -d "${BATS_TMPDIR:-/tmp}/msb.XXXXXX")
	export DEST
	plain_make install DESTDIR="$DEST" PREFIX=/usr/local >/dev/null
	# Newer ones know /usr/lib alone, older ones /lib too, as the system's own.
	mkdir -p "$DEST/usr/lib/systemd/system"
	ln -s usr/lib "$DEST/lib"
	cp /lib/systemd/system/*.target "$DEST/usr/lib/systemd/system"
	UNITS=$DEST/usr/local/lib/systemd/system
	export UNITS
}

teardown_file() {
	rm -rf "$DEST"
}

verify() {
	systemd-analyze verify --root="$DEST" --man=no "$@"
}

# booted: runs the script on stdin under a systemd of its own, with our units.
booted() {
	need_root
	{
		echo '/lib/systemd/systemd-journald &'
		echo 'until [ -S /run/systemd/journal/stdout ]; do sleep 0.05; done'
		cat
	} >"$BATS_TEST_TMPDIR/script"
	run "$BATS_TEST_DIRNAME/boot.sh" "$DEST" <"$BATS_TEST_TMPDIR/script"
	echo "$output"
	[[ $status -ne 77 ]] || skip "systemd cannot be booted in namespaces here"
	[[ $status -eq 0 ]]
}

@test "units: PREFIX is where they look for the programs" {
	plain_make install DESTDIR="$BATS_TEST_TMPDIR/d" PREFIX=/opt/x >/dev/null
	units=("$BATS_TEST_TMPDIR"/d/opt/x/lib/systemd/system/*)
	[[ ${#units[@]} -ge 2 ]]
	for unit in "${units[@]}"; do
		[[ $(stat -c %a "$unit") == 644 ]]
		run -1 grep -E '@BIN@|/usr/local' "$unit"
	done
	grep -q '^ExecStart=/opt/x/bin/msb-execd ' "${units[@]}" "$BATS_TEST_TMPDIR"/d/opt/x/share/systemd/user/msb-execd.service
}

@test "units: systemd's checker has nothing to say, and would" {
	for unit in "$UNITS"/*; do
		name=${unit##*/}
		run -0 verify "${name/@./@name.}"
		[[ -z $output ]]
	done
	# A user's have no other root, so that the programs are where they are to be.
	plain_make install PREFIX="$BATS_TEST_TMPDIR/own" >/dev/null
	for unit in "$BATS_TEST_TMPDIR"/own/share/systemd/user/*; do
		XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR run -0 systemd-analyze verify --user --man=no "$unit"
		[[ -z $output ]]
	done
	cp -r "$DEST" "$BATS_TEST_TMPDIR/spoiled"
	DEST=$BATS_TEST_TMPDIR/spoiled
	sed -i 's/^KillMode=/KillMood=/' "$DEST/usr/local/lib/systemd/system/msb-execd.service"
	run verify msb-execd.service
	[[ $output == *KillMood* ]]
	rm "$DEST/usr/local/bin/msb-execd"
	run -1 verify msb-execd.service
	[[ $output == *'not executable'* ]]
}

@test "units: without root a user has one of their own, where msb-exec looks first" {
	booted <<-'SH'
		user=nobody uid=$(id -u nobody)
		install -d -m 700 -o nobody /run/user/$uid /run/home
		cat >/run/systemd/system/manager.service <<-UNIT
			[Service]
			Type=notify
			User=$user
			Delegate=yes
			Environment=XDG_RUNTIME_DIR=/run/user/$uid HOME=/run/home XDG_CONFIG_HOME=/run/home/.config
			ExecStart=/lib/systemd/systemd --user
		UNIT
		systemctl daemon-reload
		systemctl start manager.service
		as_user() {
			setpriv --reuid=$user --regid=nogroup --clear-groups env HOME=/run/home XDG_RUNTIME_DIR=/run/user/$uid "$@"
		}
		as_user systemctl --user start msb-execd.socket
		[[ $(stat -c '%a %U' /run/user/$uid/msb-execd.sock) == '600 nobody' ]]
		[[ $(as_user msb-exec -- id -un) == nobody ]]
		[[ $(as_user systemctl --user is-active msb-execd.service) == active ]]
		[[ ! -e /run/msb-execd.sock ]]
		as_user systemctl --user stop msb-execd.service msb-execd.socket
		# And without the socket's unit.
		as_user systemctl --user start msb-execd.service
		[[ $(as_user msb-exec -- id -un) == nobody ]]
		as_user systemctl --user stop msb-execd.service
		systemctl stop manager.service
	SH
}

@test "units: the daemon starts at its first client, and its commands lack nothing" {
	booted <<-'SH'
		systemctl start msb-execd.socket
		[[ $(stat -c %a /run/msb-execd.sock) == 600 ]]
		if systemctl is-active msb-execd.service; then exit 1; fi
		[[ $(msb-exec -- echo served) == served ]]
		systemctl is-active msb-execd.service
		# As it would be without the unit: no filter, no privilege taken, no score but the usual.
		status() { grep -E '^(NoNewPrivs|Seccomp|Cap|Groups|SigBlk)' "$@"; }
		status <(msb-exec -- cat /proc/self/status) >/run/theirs
		status /proc/self/status >/run/ours
		diff /run/theirs /run/ours
		msb-exec -- grep -q '^SigIgn:.0*$' /proc/self/status
		[[ $(msb-exec -- cat /proc/self/oom_score_adj) == 0 ]]
		[[ $(msb-exec -- bash -c 'ulimit -u') == "$(ulimit -u)" ]]
		[[ $(systemctl show -P TasksMax msb-execd.service) == infinity ]]
		msb-exec -- touch /usr/local/written
		# Below the service's control group they may make their own.
		group=/sys/fs/cgroup/$(systemctl show -P ControlGroup msb-execd.service)
		[[ $(msb-exec -- tail -1 /proc/self/cgroup) == "0::${group#/sys/fs/cgroup/}" ]]
		msb-exec -- mkdir "$group/mine"
		msb-exec -- rmdir "$group/mine"
	SH
}

@test "units: stopped, it leaves nothing behind, and the socket starts it anew" {
	booted <<-'SH'
		systemctl start msb-execd.socket
		msb-exec -- sh -c 'trap "" TERM HUP; sleep 4321 >/dev/null 2>&1 & echo $!' >/run/left
		msb-exec -- sleep 4321 & client=$!
		until [[ $(pgrep -fc '^sleep 4321') -eq 2 ]]; do sleep 0.05; done
		kill -0 "$(</run/left)"
		systemctl stop msb-execd.service
		if pgrep -f '^sleep 4321'; then exit 1; fi
		if wait "$client"; then exit 1; fi
		[[ $(systemctl show -P Result msb-execd.service) == success ]]
		msb-exec -- true
		# Killed, it comes back by itself, or by the next client.
		kill -9 "$(systemctl show -P MainPID msb-execd.service)"
		for _ in {1..50}; do msb-exec -q -- true && break; sleep 0.1; done
		msb-exec -- true
		systemctl stop msb-execd.socket msb-execd.service
		[[ ! -e /run/msb-execd.sock ]]
		# Without the socket's unit it makes its own.
		systemctl start msb-execd.service
		[[ $(msb-exec -- echo alone) == alone ]]
	SH
}

@test "units: options come from a file, lines in the journal have priorities, bad usage is not retried" {
	booted <<-'SH'
		mkdir /etc/msb-exec
		echo 'MSB_EXECD_OPTIONS=--log-level info --listen unix:/run/other.sock' >/etc/msb-exec/execd.conf
		systemctl start msb-execd.service
		msb-exec -S unix:/run/other.sock -- true
		[[ ! -e /run/msb-execd.sock ]]
		# The client has ended before the daemon has heard so.
		until journalctl --sync && journalctl -t msb-execd -o cat | grep -q 'the client is gone'; do sleep 0.05; done
		systemctl stop msb-execd.service
		journalctl --sync
		errors() { journalctl -u msb-execd.service -t msb-execd -p err -o cat; }
		[[ $(journalctl -u msb-execd.service -t msb-execd -o cat) == *$'\nending: Terminated' ]]
		[[ $(errors) == '' ]]
		echo 'MSB_EXECD_OPTIONS=--bogus' >/etc/msb-exec/execd.conf
		if systemctl start msb-execd.service; then exit 1; fi
		[[ $(systemctl show -P NRestarts msb-execd.service) == 0 ]]
		until journalctl --sync && [[ $(errors) ]]; do sleep 0.05; done
		[[ $(errors) == 'unknown '*--bogus* ]]
	SH
}

@test "units: a relay serves its machine with hardly a right, and hears when the machine comes" {
	booted <<-SH
		peer=$BATS_TEST_DIRNAME/chardev.py
		mkdir /etc/msb-exec /run/vm
		echo 'MSB_RELAY_AGENT=unix:/run/vm/socket' >/etc/msb-exec/relay-vm.conf
		echo 'MSB_RELAYD_OPTIONS=--log-level info' >>/etc/msb-exec/relay-vm.conf
		systemctl start msb-relayd@vm.service
		export MSB_EXEC_ENDPOINT=/run/msb-relayd/vm/agent.sock
		python3 -B \$peer /run/vm/socket /run/vm/port &
		msb-execd --listen serial:/run/vm/port &
		[[ \$(msb-exec -- echo relayed) == relayed ]]
		# Both ways with what large transfers use, under the filter of system calls.
		[[ \$(msb-exec -- head -c 10000000 /dev/zero | wc -c) == 10000000 ]]
		[[ \$(head -c 10000000 /dev/zero | msb-exec -- wc -c) == 10000000 ]]
		status=/proc/\$(systemctl show -P MainPID msb-relayd@vm.service)/status
		grep -qx 'CapEff:.0000000000000000' \$status
		grep -qx 'NoNewPrivs:.1' \$status
		grep -qx 'Seccomp:.2' \$status
		# The next instance is another.
		echo 'MSB_RELAY_AGENT=unix:/run/vm/other' >/etc/msb-exec/relay-two.conf
		systemctl start msb-relayd@two.service
		systemctl stop msb-relayd@two.service
		[[ ! -e /run/msb-relayd/two ]]
		[[ \$(msb-exec -- echo still) == still ]]
		systemctl stop msb-relayd@vm.service
		[[ ! -e /run/msb-relayd/vm ]]
		journalctl --sync
		journalctl -u msb-relayd@vm.service -t msb-relayd -p warning -o cat | grep 'No such file'
		[[ \$(journalctl -u msb-relayd@vm.service -t msb-relayd -o cat) == *'ending: Terminated' ]]
	SH
}

@test "units: the relay's exposure, as systemd reckons it, stays low" {
	systemd-analyze security --offline=yes --root="$DEST" --threshold=15 msb-relayd@name.service >"$BATS_TEST_TMPDIR/said" || {
		tail -1 "$BATS_TEST_TMPDIR/said"
		return 1
	}
	# And it is reckoned: the daemon's, which takes nothing away, is far above.
	run -1 systemd-analyze security --offline=yes --root="$DEST" --threshold=15 msb-execd.service
}
