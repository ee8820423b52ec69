#!/usr/bin/env bats
# What a command starts with: its user, folder, limits, environment, descriptors, signals.

load helper

setup() {
	common_setup
}

teardown() {
	common_teardown
}

@test "user: a name gives uid, gid, groups, HOME, USER, LOGNAME and SHELL" {
	need_root
	daemon_start
	run -0 "$X" -u nobody -- sh -c 'id -u; id -g; id -G; echo $HOME $USER $LOGNAME $SHELL'
	IFS=: read -r name _ uid gid _ home shell < <(guest grep ^nobody: /etc/passwd)
	[[ ${lines[0]} == "$uid" && ${lines[1]} == "$gid" ]]
	[[ ${lines[2]} == "$(guest id -G nobody)" ]]
	[[ ${lines[3]} == "$home $name $name $shell" ]]
}

@test "user: numbers without an entry get no other group and the root folder as HOME" {
	need_root
	daemon_start
	run -0 "$X" -u 4242:4343 -- sh -c 'id -u; id -G; echo $HOME'
	[[ $output == $'4242\n4343\n/' ]]
}

@test "user: user and group give the user's supplementary groups and that group" {
	need_root
	daemon_start
	run -0 "$X" -u daemon:adm -- id -G
	expected=$( (guest grep ^adm: /etc/group | cut -d: -f3; guest cat /etc/group |
		awk -F: '{ n = split($4, m, ","); for (i = 1; i <= n; i++) if (m[i] == "daemon") print $3 }') |
		sort -nu | tr '\n' ' ')
	[[ $(tr ' ' '\n' <<<"$output" | sort -nu | tr '\n' ' ') == "$expected" ]]
}

@test "user: a name of digits is a name, as chown(1) has it" {
	need_root
	need_namespaces --mount
	need_mount
	need_local "a file of names of our own"
	{ cat /etc/passwd; echo "4711:x:4712:4713::/:/bin/sh"; } >"$DIR/passwd"
	WRAP=(unshare --mount sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' "$DIR/passwd")
	daemon_start
	run -0 "$X" -u 4711 -- id -u
	[[ $output == 4712 ]]
	run -0 "$X" -u 4712 -- id -g
	[[ $output == 4713 ]]
	run -0 "$X" -u 04711 -- id -u
	[[ $output == 4711 ]]
}

@test "user: what root in the guest made of the files of names holds up nobody" {
	need_root
	need_namespaces --mount
	need_mount
	need_local "a file of names of our own"
	mkfifo "$DIR/fifo"
	truncate -s 1T "$DIR/large"
	for file in "$DIR/fifo" /dev/zero "$DIR/large"; do
		WRAP=(unshare --mount sh -c 'mount --bind "$0" /etc/group && exec "$@"' "$file")
		daemon_start
		run -125 timeout $((20 * SLOW)) "$X" -u nobody -- true
		[[ $output == *"the guest's /etc/group is "* ]]
		run -0 "$X" -- true
		daemon_stop
	done
}

@test "user: the daemon's own default is looked up at its start, and blanks are none" {
	need_local "the options of a daemon of our own"
	daemon_start --user '  '
	run -0 "$X" -- id -u
	[[ $output == "$(id -u)" ]]
	daemon_stop
	run -2 "$EXECD" -l "unix:$SOCKET" --user nosuch
	[[ ${#lines[@]} -eq 1 && $output == "msb-execd: --user: user nosuch: "* ]]
}

@test "user: blanks are trimmed, an empty spec is none" {
	need_root
	daemon_start
	run -0 "$X" -u ' nobody : nogroup ' -- id -un
	[[ $output == nobody ]]
	run -0 "$X" -u '' -- id -u
	[[ $output == "$(guest id -u)" ]]
}

@test "user: what does not resolve is refused, saying which" {
	daemon_start
	run -125 "$X" -u nosuch -- true
	[[ $output == *'user nosuch'* ]]
	run -125 "$X" -u 4294967295 -- true
	[[ $output == *'user 4294967295'* ]]
	run -125 "$X" -u 0:4294967295 -- true
	[[ $output == *'group 4294967295'* ]]
	run -125 "$X" -u : -- true
	[[ $output == *'user is empty'* ]]
	run -125 "$X" -u nobody: -- true
	[[ $output == *'group is empty'* ]]
	run -125 "$X" -u nobody:nosuch -- true
	[[ $output == *'group nosuch'* ]]
	run -125 "$X" -tt -u nosuch -- true
}

@test "user: its own streams and terminal can be opened by name" {
	need_root
	daemon_start
	run -0 --separate-stderr "$X" -u nobody -- sh -c 'echo e >/dev/stderr; echo o >/dev/stdout'
	[[ $stderr == e && $output == o ]]
	run -0 "$X" -tt -u nobody -- sh -c 'echo x >$(tty)'
	[[ $output == x* ]]
}

@test "user: --user of the daemon is the default, a request overrides it" {
	need_root
	daemon_start --user nobody
	run -0 "$X" -- id -un
	[[ $output == nobody ]]
	run -0 "$X" -u daemon -- id -un
	[[ $output == daemon ]]
}

@test "user: a daemon without root serves itself and refuses the others" {
	need_root
	need_local "another user's daemon"
	chown nobody "$DIR"
	setpriv --reuid=nobody --clear-groups "$EXECD" --listen "unix:$SOCKET" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	export MSB_EXEC_ENDPOINT=unix:$SOCKET
	daemon_answers $((20 * SLOW))
	run -0 "$X" -- id -un
	[[ $output == nobody ]]
	run -0 "$X" -u nobody:"$(id -g)" -- id -un
	[[ $output == nobody ]]
	run -125 "$X" -u root -- true
	[[ $output == *'Operation not permitted'* ]]
	run -125 "$X" -tt -u root -- true
}

@test "home: without a user root's home is root's, whatever the daemon was started with" {
	need_root
	need_local "the daemon's environment"
	HOME=/nonexistent daemon_start
	run -0 "$X" -- sh -c 'echo $HOME'
	[[ $output == "$(getent passwd root | cut -d: -f6)" ]]
	run -0 "$X" -e HOME=/tmp/custom -- sh -c 'echo $HOME'
	[[ $output == /tmp/custom ]]
	run -0 "$X" -u nobody -e HOME=/tmp/custom -- sh -c 'echo $HOME'
	[[ $output == /tmp/custom ]]
}

@test "cwd: a missing folder is 125, named with the errno, in both modes" {
	daemon_start
	for mode in -T -tt; do
		run -125 "$X" $mode -w /nonexistent -- true
		[[ $output == */nonexistent*'No such file or directory'* ]]
		run -125 "$X" $mode -w /etc/passwd -- true
		[[ $output == */etc/passwd*'Not a directory'* ]]
	done
}

@test "cwd: a folder that the user may not enter is refused" {
	need_root
	daemon_start
	guest mkdir -m 700 "$DIR/closed"
	run -125 "$X" -u nobody -w "$DIR/closed" -- true
	[[ $output == *"$DIR/closed"*'Permission denied'* ]]
	run -125 "$X" -u nobody -tt -w "$DIR/closed" -- true
}

@test "cwd: -w, then the daemon's --cwd, then the daemon's own" {
	daemon_start --cwd /usr
	run -0 "$X" -- pwd
	[[ $output == /usr ]]
	run -0 "$X" -w /etc -- pwd
	[[ $output == /etc ]]
	daemon_stop
	daemon_start
	run -0 "$X" -- pwd
	[[ $output == "$PWD" ]]
}

@test "cwd: one that is relative is meant from --cwd" {
	need_local "the options of a daemon of our own"
	mkdir -p "$DIR/base/sub"
	daemon_start --cwd "$DIR/base"
	run -0 "$X" -w sub -- pwd
	[[ $output == "$DIR/base/sub" ]]
	run -125 "$X" -w nosuch -- true
	[[ $output == *"$DIR/base/nosuch"* ]]
	daemon_stop
	# As everything else, that from where the daemon was started.
	cd "$DIR"
	daemon_start --cwd base
	cd /
	run -0 "$X" -w sub -- pwd
	[[ $output == "$DIR/base/sub" ]]
}

@test "cwd: PWD is the command's folder, and nothing of the daemon's shell reaches it" {
	need_local "the environment of a daemon of our own"
	OLDPWD=/usr daemon_start
	mkdir "$DIR/sub"
	printf 'all:\n\t@echo $(PWD)\n' >"$DIR/sub/Makefile"
	run -0 "$X" -w "$DIR/sub" -- env -u MAKEFLAGS -u MAKELEVEL make
	[[ $output == "$DIR/sub" ]]
	run -0 "$X" -w "$DIR/sub" -- env
	[[ $(grep -E '^(PWD|OLDPWD|_)=' <<<"$output") == "PWD=$DIR/sub" ]]
	run -0 "$X" -- printenv PWD
	[[ $output == "$PWD" ]]
	run -0 "$X" -e PWD=/said -- printenv PWD
	[[ $output == /said ]]
}

@test "path: an entry that is too long, or goes round in a circle, hides nothing" {
	daemon_start
	long=/$(printf 'x%.0s' {1..5000})
	guest ln -s circle "$DIR/circle"
	run -0 "$X" -e "PATH=$long:$DIR/circle:/usr/bin:/bin" -- true
	run -127 "$X" -e "PATH=$long:$DIR/circle" -- true
}

@test "path: what is too much for the kernel is 126, as in a shell" {
	daemon_start
	run -126 "$X" --env-file <(echo "A=$(head -c 200000 /dev/zero | tr '\0' x)") -- true
	[[ $output == *'Argument list too long'* ]]
	run -126 "$X" -- "/$(printf 'x%.0s' {1..5000})"
	[[ $output == *'File name too long'* ]]
}

@test "path: a request for very many places to look at costs nobody else memory or time" {
	need_local "the memory of a daemon of our own"
	daemon_start
	peer <<'EOF'
peer = Peer()
before = rss_kib()
for id in range(1, 21):
    peer.request(id, "x" * 255, env=["PATH=" + ":" * 131000])
    peer.failed(id, "bad_args", "execve", "E2BIG")
check_rss(before, 4096)
equal(peer.run(30, "true").last.code, 0)
EOF
}

@test "path: a first entry that may not be searched hides nothing" {
	need_root
	daemon_start
	guest mkdir -m 700 "$DIR/closed"
	run -127 "$X" -u nobody -e "PATH=$DIR/closed:/usr/bin:/bin" -- nosuch
	run -0 "$X" -u nobody -e "PATH=$DIR/closed:/usr/bin:/bin" -- true
}

@test "path: a file that may not be executed is 126, unless a later one may" {
	daemon_start
	guest mkdir "$DIR/a" "$DIR/b"
	echo '#!/bin/sh' | guest tee "$DIR/a/tool"
	run -126 "$X" -e "PATH=$DIR/a" -- tool
	printf '#!/bin/sh\necho b\n' | guest tee "$DIR/b/tool"
	guest chmod 755 "$DIR/b/tool"
	run -0 "$X" -e "PATH=$DIR/a:$DIR/b" -- tool
	[[ $output == b ]]
}

@test "path: the request's PATH is searched, and has a default where there is none" {
	need_local "the daemon's environment"
	daemon_start
	run -127 "$X" -e PATH=/nonexistent -- true
	daemon_stop
	env -u PATH "$EXECD" --listen "unix:$SOCKET" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	daemon_answers $((20 * SLOW))
	run -0 "$X" -- sh -c 'echo $PATH'
	[[ $output == *:/usr/bin:* ]]
}

@test "env: the request's entries win, the last of a name counts, systemd's are kept out" {
	need_local "the daemon's environment"
	NOTIFY_SOCKET='' LISTEN_FDS=3 WATCHDOG_USEC=1 FROM_DAEMON=1 BOTH=daemon daemon_start
	run -0 "$X" -e BOTH=first -e BOTH=request -e 'ODD=a=b c' -- env
	[[ $output == *FROM_DAEMON=1* && $output == *BOTH=request* && $output == *'ODD=a=b c'* ]]
	[[ $output != *LISTEN_FDS* && $output != *WATCHDOG* && $output != *NOTIFY_SOCKET* ]]
	[[ $(grep -c ^BOTH= <<<"$output") -eq 1 ]]
}

@test "rlimit: soft and hard arrive, below and with another user" {
	daemon_start
	run -0 "$X" --rlimit nofile=64:128 -- sh -c 'ulimit -Sn; ulimit -Hn'
	[[ $output == $'64\n128' ]]
	run -0 "$X" --rlimit NOFILE=77 -tt -- sh -c 'ulimit -Sn; ulimit -Hn'
	[[ ${output//$'\r'/} == $'77\n77' ]]
}

@test "rlimit: a user gets a raised hard limit, where the daemon may raise it" {
	need_root
	WRAP=(prlimit --core=0:100)
	daemon_start
	run "$X" -u nobody --rlimit core=unlimited -- sh -c 'ulimit -Hc'
	# CAP_SYS_RESOURCE is bit 24. Without it the refusal must say what was refused.
	if (((16#$(awk '/CapEff/ { print $2 }' /proc/self/status) & (1 << 24)) != 0)); then
		[[ $status -eq 0 && $output == unlimited ]]
	else
		[[ $status -eq 125 && $output == *'setrlimit(RLIMIT_CORE)'*'Operation not permitted'* ]]
	fi
	run -0 "$X" -u nobody --rlimit core=50:100 -- sh -c 'ulimit -Hc'
}

@test "rlimit: what is wrong is refused before anything runs" {
	daemon_start
	run -125 "$X" --rlimit nofile=9:3 -- touch "$DIR/ran"
	run -125 "$X" --rlimit bogus=1 -- touch "$DIR/ran"
	[[ $output == *bogus* ]]
	run -125 "$X" --rlimit nofile=x -- touch "$DIR/ran"
	run -125 "$X" --rlimit nofile -- touch "$DIR/ran"
	run -1 guest test -e "$DIR/ran"
}

@test "rlimit: the daemon's own raised number of descriptors is not inherited" {
	WRAP=(prlimit --nofile=512:)
	daemon_start
	run -0 "$X" -- sh -c 'ulimit -Sn; cat /proc/self/oom_score_adj'
	[[ ${lines[0]} == 512 && ${lines[1]} == "$(</proc/self/oom_score_adj)" ]]
}

@test "signals: none is ignored or blocked, though the daemon was started so" {
	trap '' PIPE CHLD USR1
	daemon_start
	trap - PIPE CHLD USR1
	for mode in -T -tt; do
		run -0 "$X" $mode -- grep -E 'Sig(Ign|Blk)' /proc/self/status
		[[ ${output//$'\r'/} == $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000' ]]
	done
}

@test "descriptors: 0, 1, 2 and nothing else, with 20 other sessions open" {
	daemon_start
	mark=$(mark)
	pids=()
	for i in {1..10}; do
		"$X" -n -- sleep "$mark" 3>&- &
		pids+=($!)
		"$X" -n -tt -- sleep "$mark" 3>&- >/dev/null &
		pids+=($!)
	done
	wait_for 20 matches 20 "^sleep $mark"
	for mode in -T -tt; do
		# ls itself has the folder open as 3.
		run -0 "$X" $mode -- ls -1 /proc/self/fd
		[[ ${output//$'\r'/} == $'0\n1\n2\n3' ]]
	done
	kill "${pids[@]}"
	wait_for 20 none_match "sleep $mark"
}

@test "session: each command leads a session and a group of its own" {
	daemon_start
	for mode in -T -tt; do
		run -0 "$X" $mode -- sh -c 'cut -d" " -f1,5,6 /proc/$$/stat'
		read -r pid group session <<<"${output//$'\r'/}"
		[[ $pid == "$group" && $pid == "$session" ]]
	done
}

@test "profile: restricted sets no_new_privs and drops CAP_SYS_ADMIN, in both modes" {
	need_root
	daemon_start --security-profile restricted
	for mode in -T -tt; do
		run -0 "$X" $mode -- grep -E 'NoNewPrivs|Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status
		while read -r key value; do
			value=${value//$'\r'/}
			if [[ $key == NoNewPrivs: ]]; then
				[[ $value == 1 ]]
			else
				(((16#$value & (1 << 21)) == 0))
			fi
		done <<<"$output"
	done
	run -0 "$X" -u nobody -- grep NoNewPrivs /proc/self/status
	[[ $output == *1 ]]
}

@test "profile: default changes nothing" {
	need_local "the daemon's own capabilities"
	daemon_start
	run -0 "$X" -- grep -E 'NoNewPrivs|CapBnd' /proc/self/status
	[[ $output == "$(grep -E 'NoNewPrivs|CapBnd' /proc/self/status)" ]]
}

@test "login shell: no command runs the user's shell in its home" {
	need_root
	daemon_start
	# With start-up files of its own, which would be root's and take who knows how long.
	run -0 "$X" -u root -e "HOME=$DIR" <<<'echo $0 $PWD'
	IFS=: read -r _ _ _ _ _ home shell < <(guest grep ^root: /etc/passwd)
	[[ $output == "-${shell##*/} $home" ]]
	run "$X" -u nobody -e "HOME=$DIR" <<<'echo $0'
	# nobody's shell is nologin, which says so and fails, as it should.
	[[ $status -eq 1 && $output == *'not available'* ]]
}

@test "spawn_pipe_error_does_not_include_probe_details" {
	daemon_start
	run -127 "$X" -- /definitely/not/a/real/binary
	[[ $output == *spawn* && $output != *metadata=* && $output != *magic=* && $output != *_probe=* ]]
}

@test "default_user_absent_resolves_to_root" {
	need_root
	daemon_start
	run -0 "$X" -- sh -c 'id -u; id -g'
	[[ $output == $'0\n0' ]]
}

# ---- its end ----

@test "end: one that cannot be learnt is -1 and 255, and nothing is made up" {
	need_local "a library before the daemon's own"
	cc -x c -shared -fPIC -D_GNU_SOURCE -o "$DIR/nowait.so" - <<-'END'
		#include <dlfcn.h>
		#include <errno.h>
		#include <sys/syscall.h>
		long syscall(long number, long a, long b, long c, long d, long e, long f)
		{
			long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
			if (number == SYS_waitid) {
				errno = ECHILD;
				return -1;
			}
			return real(number, a, b, c, d, e, f);
		}
	END
	WRAP=(env LD_PRELOAD="$DIR/nowait.so" ASAN_OPTIONS=verify_asan_link_order=0)
	daemon_start
	run -255 --separate-stderr "$X" -- echo out
	[[ $output == out && ${#stderr_lines[@]} -eq 1 && $stderr == *"does not say which"* ]]
	grep -q "cannot learn how .* ended: No child processes" "$DIR/daemon.log"
	run -255 "$X" -- sh -c 'exit 3'
}
