#!/usr/bin/env bats
# exec:COMMAND, the stdin and stdout of a command as the way to an agent; and over a real sshd.

load helper
load sshd

setup() {
	common_setup
	need_local "exec: starts an agent of its own"
	MARK=$(mark)
	SSHD=
	THERE="exec:$EXECD --listen stdio:"
}

teardown() {
	local status=0
	[[ -z $SSHD ]] || sshd_stop
	wait_for 20 none_match "$MARK" || status=1
	common_teardown || status=1
	return $status
}

teardown_file() {
	sshd_folder_leave
}

# sshd_start: one of our own on loopback, with our keys and nothing of the machine's; $SSH is the
# command that gets there, $OVER_SSH the address, and OVER msb-exec with it.
sshd_start() {
	local port try
	ssh-keygen -q -t ed25519 -N '' -f "$DIR/host"
	ssh-keygen -q -t ed25519 -N '' -f "$DIR/user"
	mkdir "$DIR/home"
	for ((try = 0; try < 5; try++)); do
		port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])')
		sshd_listen "$port" && break
	done
	[[ -n $SSHD ]]
	echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$DIR/host.pub")" >"$DIR/known"
	SSH="ssh -F none -p $port -i $DIR/user -o IdentitiesOnly=yes -o BatchMode=yes"
	SSH+=" -o UserKnownHostsFile=$DIR/known -o GlobalKnownHostsFile=none"
	SSH+=" -o StrictHostKeyChecking=yes $(id -un)@127.0.0.1"
	OVER_SSH="exec:$SSH 'HOME=$DIR/home exec $EXECD --listen stdio:'"
	# A machine that is busy may take long over its handshake.
	OVER=("$X" --connect-timeout "$((20 * SLOW))s" -S "$OVER_SSH")
}

# sshd_listen PORT: fails if somebody else has it.
sshd_listen() {
	sshd_folder
	: >"$DIR/sshd.log"
	printf '%s\n' "ListenAddress 127.0.0.1:$1" "HostKey $DIR/host" "PidFile none" \
		"AuthorizedKeysFile $DIR/user.pub" 'StrictModes no' 'UsePAM no' \
		'PasswordAuthentication no' 'KbdInteractiveAuthentication no' "SetEnv HOME=$DIR/home" >"$DIR/sshd_config"
	"$(PATH=$PATH:/usr/sbin command -v sshd)" -D -e -f "$DIR/sshd_config" 2>"$DIR/sshd.log" 3>&- &
	SSHD=$!
	wait_for 20 sshd_settled && ! gone "$SSHD" && return 0
	wait "$SSHD" || true
	SSHD=
	return 1
}

sshd_settled() {
	grep -q 'Server listening' "$DIR/sshd.log" || gone "$SSHD"
}

sshd_stop() {
	kill "$SSHD" 2>/dev/null || true
	wait "$SSHD" || true
	SSHD=
}

# child_of PID NAME: the child of that name of that process, in $CHILD.
child_of() {
	CHILD=$(pgrep -P "$1" -x "$2")
}

@test "exec:, a command's status, output and input" {
	run -3 --separate-stderr "$X" -S "$THERE" -- sh -c 'cat; echo err >&2; exit 3' <<<in
	[[ $output == in && $stderr == err ]]
	run -0 "$X" -S "$THERE" --ping
	[[ $output == "exec:$EXECD"*alive* ]]
}

@test "exec:, it is the shell's to read, and its error output is ours" {
	export WHERE="$EXECD"
	run -0 --separate-stderr "$X" -S "exec:sh -c 'echo \"on the way\" >&2; exec \"\$WHERE\" --listen stdio:'" -- \
		echo through
	[[ $output == through && $stderr == 'on the way' ]]
}

@test "exec:, a command that ends before an agent has answered: how it ended" {
	run -125 "$X" -S "exec:sh -c 'exit 3'" -- true
	[[ ${lines[0]} == "msb-exec: exec:sh -c 'exit 3' ended with status 3 before an agent answered" ]]
	[[ ${lines[1]} == *'msb-execd --listen stdio:'* && ${#lines[@]} -eq 2 ]]
	run -125 "$X" -S "exec:sh -c 'kill -9 \$\$'" -- true
	[[ $output == *"ended with signal 9 (KILL) before an agent answered" ]]
	run -125 "$X" -S "exec:$DIR/nosuch" -- true
	[[ $output == *"$DIR/nosuch ended with status 127 before an agent answered"$'\n'*'no such command'* ]]
	run -125 "$X" -S "exec:sh -c 'exit 4'" --ping
	[[ $output == *'status 4'* ]]
	# As a parent that ignores SIGCHLD would have it.
	run -125 bash -c 'trap "" CHLD; exec "$@"' - "$X" -S "exec:sh -c 'exit 3'" -- true
	[[ $output == *'status 3'* ]]
}

@test "exec:, a command that says something else is no agent" {
	run -125 "$X" -S 'exec:echo Welcome to this host, whatever it is' -- true
	[[ ${#lines[@]} -eq 2 && ${lines[0]} == *'no agent answers at exec:echo Welcome'* ]]
	run -125 "$X" -S "exec:sh -c 'printf %0200d 0; sleep $MARK'" --connect-timeout 5s -- true
}

@test "exec:, a command that says nothing is ended, even if it does not want to" {
	for script in "sleep $MARK" "trap '' TERM; while :; do sleep $MARK; done"; do
		timed run -125 "$X" --connect-timeout 300ms -S "exec:sh -c \"$script\"" -- true
		[[ ${lines[0]} == *'no greeting from exec:sh -c'* ]]
		((MS < 20000 * SLOW))
		wait_for 20 none_match "$MARK"
	done
}

@test "exec:, what does not end with its stream gets 4 seconds and then TERM" {
	timed run -0 "$X" -S "exec:sh -c '$EXECD --listen stdio:; sleep $MARK'" -- echo ended
	[[ $output == ended ]]
	((MS >= 4000 && MS < 20000 * SLOW))
}

# A machine that is busy for a while may be slow once: at once is so at one of three times.
@test "exec:, INT while it connects ends msb-exec and the command at once" {
	for _ in 1 2 3; do
		timed drive 24x80 "$X" --connect-timeout inf -S "exec:sh -c 'echo begun >&2; exec sleep $MARK'" <<-END
			expect begun
			send \x03
			wait INT
		END
		wait_for 20 none_match "$MARK"
		((MS >= 3000 * SLOW)) || break
	done
	((MS < 3000 * SLOW))
}

@test "exec:, Ctrl-C reaches the command and not what carries it" {
	drive 24x80 "$X" -S "$THERE" -- sh -c "trap 'echo caught; exit 9' INT; echo ready; sleep $MARK & wait; wait" <<-END
		expect ready
		send \x03
		expect caught
		wait 9
	END
	# A pipeline's parts too, which are not what exec becomes.
	drive 24x80 "$X" -S "exec:cat | $EXECD --listen stdio: | cat" -- \
		sh -c "trap 'echo caught; exit 9' INT; echo ready; sleep $MARK & wait; wait" <<-END
		expect ready
		send \x03
		expect caught
		wait 9
	END
	guest_kill KILL "$MARK"
}

@test "exec:, a command that wants the terminal is stopped, and msb-exec says why" {
	# The time in which it asks has to be enough for it.
	for limit in 0.5s 5s 20s; do
		status=0
		drive 24x80 "$X" --connect-timeout $limit -S "exec:sh -c 'echo Password: >&2; read x </dev/tty'" -- true <<-END || status=$?
			expect Password:
			expect msb-exec: no greeting from exec:sh
			expect msb-exec: it was stopped, maybe because it asks for a password
			wait 125
		END
		[[ $status -ne 0 ]] || break
	done
	[[ $status -eq 0 ]]
}

@test "exec:, an msb-exec that is killed leaves neither the transport nor the command" {
	"$X" -S "$THERE" -- sleep "$MARK" 3>&- &
	local x=$!
	wait_for 20 matches 1 "^sleep $MARK"
	child_of "$x" msb-execd
	kill -9 "$x"
	wait "$x" || true
	wait_for 20 gone "$CHILD"
	wait_for 20 none_match "$MARK"
}

@test "exec:, the death of the transport is 125, one line, and the end of the command" {
	"$X" -S "$THERE" -- sh -c "echo here; sleep $MARK" >"$DIR/out" 2>"$DIR/err" 3>&- &
	local x=$! status=0
	wait_for 20 grep -q here "$DIR/out"
	child_of "$x" msb-execd
	kill -9 "$CHILD"
	wait "$x" || status=$?
	[[ $status -eq 125 && $(<"$DIR/err") == *"lost the connection to exec:$EXECD"*'it ended with signal 9 (KILL)' ]]
	# The daemon's leaders die with it; what they started is not theirs to end any more.
	guest_kill KILL "$MARK"
}

@test "exec:, over ssh: status, output, and input of some MiB" {
	sshd_start
	run -42 --separate-stderr "${OVER[@]}" -- sh -c 'echo out; echo err >&2; exit 42'
	[[ $output == out && $stderr == err ]]
	head -c 8M /dev/urandom >"$DIR/data"
	"${OVER[@]}" -- cat <"$DIR/data" >"$DIR/back"
	cmp "$DIR/data" "$DIR/back"
	"${OVER[@]}" -n -- cat "$DIR/data" >"$DIR/back"
	cmp "$DIR/data" "$DIR/back"
	run -0 "${OVER[@]}" -- sh -c 'wc -c' <"$DIR/data"
	[[ $output -eq $((8 << 20)) ]]
	run -127 "${OVER[@]}" -- "$DIR/nosuch"
}

@test "exec:, over ssh: a terminal that is resized, with Ctrl-C and Ctrl-Z of its own" {
	sshd_start
	drive 24x80 "${OVER[@]}" -tt -- bash --norc --noprofile -i <<-END
		send PS1=pr''ompt:\r
		expect prompt:
		send stty size\r
		expect 24 80
		expect prompt:
		resize 40 132
		send until [[ \$(stty size) == 40?132 ]]; do sleep 0.05; done; stty size\r
		expect 40 132
		expect prompt:
		send sleep $MARK\r
		run pgrep -fx 'sleep $MARK'
		send \x03
		expect ^C
		expect prompt:
		send sleep $MARK\r
		run pgrep -fx 'sleep $MARK'
		send \x1a
		expect Stopped
		expect prompt:
		send fg\r
		expect sleep
		run ps -o stat= -p \$(pgrep -fx 'sleep $MARK') | grep -q '^S.*+'
		send \x03
		expect prompt:
		send exit 7\r
		wait 7
		modes same
	END
}

@test "exec:, over ssh: signals are passed on, and msb-exec dies of what the command died of" {
	sshd_start
	for name in TERM USR1; do
		"${OVER[@]}" -- sleep "$MARK" 3>&- &
		local x=$! status=0
		wait_for 20 matches 1 "^sleep $MARK"
		kill "-$name" "$x"
		wait "$x" || status=$?
		[[ $status -eq $((128 + $(kill -l "$name"))) ]]
		wait_for 20 none_match "$MARK"
	done
}

@test "exec:, over ssh: the end of ssh is 125, one line, and the end of the command" {
	sshd_start
	"${OVER[@]}" -- sh -c "echo here; exec sleep $MARK" >"$DIR/out" 2>"$DIR/err" 3>&- &
	local x=$! status=0
	wait_for 20 grep -q here "$DIR/out"
	child_of "$x" ssh
	kill -9 "$CHILD"
	wait "$x" || status=$?
	[[ $status -eq 125 && $(wc -l <"$DIR/err") -eq 1 ]]
	[[ $(<"$DIR/err") == 'msb-exec: lost the connection to exec:ssh'*'it ended with signal 9 (KILL)' ]]
	wait_for 20 none_match "$MARK"
}

@test "exec:, over ssh: a killed msb-exec leaves neither ssh nor the command" {
	sshd_start
	"${OVER[@]}" -- sleep "$MARK" 3>&- &
	local x=$!
	wait_for 20 matches 1 "^sleep $MARK"
	child_of "$x" ssh
	kill -9 "$x"
	wait "$x" || true
	wait_for 20 gone "$CHILD"
	wait_for 20 none_match "$MARK"
}

@test "exec:, over ssh: a host that refuses is 125, with what ssh says and how it ended" {
	sshd_start
	ssh-keygen -q -t ed25519 -N '' -f "$DIR/other"
	run -125 --separate-stderr "$X" -S "${OVER_SSH/$DIR\/user/$DIR\/other}" -- true
	[[ $stderr == *'Permission denied'*'msb-exec: exec:ssh '*'ended with status 255 before an agent answered' ]]
	[[ $stderr != *$'\n'*$'\n'* ]]
}

@test "exec: a signal ends a question, and what was started for it" {
	local mark client status signal=15
	mark=$(mark)
	for question in --ping --sessions '--kill x' '--remove x'; do
		rm -f "$DIR/begun"
		# shellcheck disable=SC2086
		"$X" -S "exec:sh -c 'touch $DIR/begun; exec sleep $mark'" --connect-timeout inf $question \
			>"$DIR/out" 2>&1 3>&- &
		client=$!
		wait_for 10 test -e "$DIR/begun"
		kill "-$signal" "$client"
		status=0
		wait "$client" || status=$?
		[[ $status -eq $((128 + signal)) && ! -s $DIR/out ]]
		wait_for 10 none_match "sleep $mark"
	done
}
