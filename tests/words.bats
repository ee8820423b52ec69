#!/usr/bin/env bats
# What the programs say when something is wrong: the option or variable it is about, and on a second
# line the way out, where there is one.

load helper

setup() {
	common_setup
	cd "$DIR" || return 1
}

teardown() {
	common_teardown
}

# says STATUS FIRST SECOND ARG...: msb-exec ends so, and stderr is these two patterns; no SECOND: one line.
says() {
	local status=$1 first=$2 second=$3
	shift 3
	run "-$status" --separate-stderr "$X" "$@"
	# shellcheck disable=SC2154 # run sets it
	[[ ${stderr_lines[0]} == "msb-exec: "$first ]] || {
		echo "says: $stderr" >&2
		return 1
	}
	if [[ $second ]]; then
		[[ ${#stderr_lines[@]} -eq 2 && ${stderr_lines[1]} == "msb-exec: "$second ]] || {
			echo "says: $stderr" >&2
			return 1
		}
	else
		[[ ${#stderr_lines[@]} -eq 1 ]] || {
			echo "says: $stderr" >&2
			return 1
		}
	fi
}

@test "words: an option that there is not, one of several, and a value for one that takes none" {
	says 125 'unknown option --timout' 'did you mean --timeout? *' --timout 3 true
	says 125 'unknown option --bogus-and-long' '--help lists all options' --bogus-and-long
	says 125 '--no may be several options' 'it begins --no-tty, --no-stdin, --no-merge' --no true
	says 125 '--tty takes no value' '' --tty=yes true
	says 125 'unknown option -m' 'did you mean --timeout? *' -timeout 3 true
	says 125 'unknown option -x' '--help lists all options' -itx true
	says 125 '--user needs a value: *' '' --user
	run -2 "$EXECD" --lisen x
	[[ ${lines[0]} == 'msb-execd: unknown option --lisen' && ${lines[1]} == *'did you mean --listen?'* ]]
	run -2 "$RELAYD" --agnet x
	[[ ${lines[0]} == 'msb-relayd: unknown option --agnet' && ${lines[1]} == *'did you mean --agent?'* ]]
	run -125 "$X" --console --sandbux
	[[ ${lines[0]} == *'unknown option --sandbux' && ${lines[1]} == *'did you mean --sandbox?'* ]]
}

@test "words: what is short for an option swallows no word" {
	says 125 '--detac may be several options' '*--detach-keys, --detach' --detac a touch "$DIR/ran"
	says 125 '--detach-k is short for --detach-keys, *' 'write it out, *--detach-k=SEQ' --detach-k a touch "$DIR/ran"
	says 125 '--time is short for --timeout, *' '*--time=DURATION' --time 5 touch "$DIR/ran"
	[[ ! -e $DIR/ran ]]
	daemon_start
	run -124 "$X" --timeo=0.1 -n -- sleep 60
	run -0 "$X" --no-st -- true
}

@test "words: a value names its option, in every program" {
	for option in --timeout --kill-after --linger --connect-timeout --keepalive --wait-for; do
		says 125 "$option: 1x is not a duration such as *" '' "$option" 1x true
	done
	says 125 '--kill-after: 1x is not a duration *' '' -k 1x true
	says 125 '--signal: NOPE is not a signal *' '' --signal NOPE true
	says 125 '--on-disconnect: maybe is not kill, hangup or keep' '' --on-disconnect maybe true
	says 125 "--env-file: cannot read $DIR/none: No such file or directory" '' --env-file "$DIR/none" true
	says 125 '--escape-char: ab is not *' '' --escape-char ab true
	says 125 '--detach-keys: ctrl- is not *' '' --detach-keys ctrl- true
	says 125 '--env: a variable name with a blank in it: "A B"' '' -e 'A B=x' true
	says 125 '--ping runs nothing, *: true' '' --ping true
	for bad in --max-time=x --linger=x --frame-timeout=x --max-memory=x --max-sessions=x --allow-uid=x --log-level=x; do
		run -2 "$EXECD" "$bad"
		[[ ${#lines[@]} -eq 1 && $output == "msb-execd: ${bad%=x}: x is not "* ]]
	done
	for bad in --env=x --frame-timeout=x --max-connections-of-user=x --log-level=x --security-profile=x; do
		run -2 "$RELAYD" "$bad"
		[[ ${#lines[@]} -eq 1 && $output == "msb-relayd: ${bad%=x}: x is not "* ]]
	done
}

@test "words: limits take K, M, G and T, and those that there are are named" {
	daemon_start
	run -0 "$X" --rlimit as=1G --rlimit fsize=3k:1M -- sh -c 'ulimit -v; ulimit -f; ulimit -H -f'
	[[ ${lines[0]} == 1048576 && ${lines[1]} == 6 ]]
	says 125 '--rlimit: unknown resource limit mem' 'there are cpu, *nofile*, as,*' --rlimit mem=1G true
	says 125 '--rlimit: as: 1Q is not a size such as 4096, 64K or 2G' 'a limit is a size, or unlimited' --rlimit as=1Q true
	says 125 '--rlimit: as: 99999999T is too large' 'a limit is a size, or unlimited' --rlimit as=99999999T true
	says 125 '--rlimit: resource limit as= is not NAME=SOFT*' '' --rlimit as= true
}

@test "words: an address says where it came from, and all the kinds there are" {
	daemon_start
	MSB_EXEC_ENDPOINT=tcp:1 says 125 'MSB_EXEC_ENDPOINT: tcp:1 is not an address' \
		'*unix:PATH*unix:@NAME*vsock:*hvsock:*exec:*sandbox:*local:*' true
	says 125 '--socket: tcp:1 is not an address' '*hvsock:*' -S tcp:1 true
	says 125 '--socket: the address is empty' '*hvsock:*' -S '' true
	says 125 '--socket: stdio: is an address for msb-execd*' '' -S stdio: true
	says 125 '--sandbox: *a name without a slash' '' -s a/b true
	run -2 "$EXECD" --listen tcp:1
	[[ ${lines[0]} == *'--listen: tcp:1 is not an address' && ${lines[1]} == *unix:@NAME*vsock:*serial:*stdio:* ]]
	# An empty variable is none.
	XDG_RUNTIME_DIR=$DIR/none MSB_EXEC_ENDPOINT='' run -125 "$X" -- true
	[[ $output == *'no agent at unix:'* ]]
}

@test "words: a relative path is an address, for both sides" {
	need_local "a daemon in this folder"
	"$EXECD" --listen x.sock 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	for address in ./x.sock unix:x.sock "../${DIR##*/}/x.sock"; do
		run -0 "$X" --wait-for $((20 * SLOW)) -S "$address" -- echo "by $address"
		[[ $output == "by $address" ]]
	done
	# For a client a word without a slash is a guest's name.
	says 125 '--socket: no guest is called x.sock' '*a socket in this folder is ./x.sock' -S x.sock true
	daemon_stop
	[[ ! -e x.sock ]]
}

@test "words: what is in the way of a connection" {
	says 125 "cannot connect to unix:$DIR/s: No such file or directory" \
		"msb-execd --listen unix:$DIR/s serves it; --wait-for*" -S "$DIR/s" true
	echo plain >"$DIR/plain"
	says 125 "cannot connect to unix:$DIR/plain: Connection refused" 'it is no socket' -S "$DIR/plain" true
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$DIR/stale"
	says 125 "cannot connect to unix:$DIR/stale: Connection refused" 'nothing listens there any more; *' -S "$DIR/stale" true
	need_local "the socket's file"
	need_root
	daemon_start
	run -125 "${AS_NOBODY[@]}" "$X" -- true
	[[ ${lines[0]} == *'Permission denied' && ${lines[1]} == *'belongs to uid 0'*"--allow-uid $(id -u nobody)"* ]]
	mkdir -m 700 "$DIR/closed"
	run -125 "${AS_NOBODY[@]}" "$X" -S "$DIR/closed/s" -- true
	[[ ${lines[0]} == *'Permission denied' && ${lines[1]} == *'a folder on the way'* ]]
	chmod 666 "$SOCKET"
	run -125 "${AS_NOBODY[@]}" "$X" -- true
	[[ ${lines[0]} == *'closed the connection at once'* && ${lines[1]} == *"uid $(id -u nobody)"*--allow-uid* ]]
}

@test "words: --local without msb-execd" {
	cp "$X" "$DIR/msb-exec"
	PATH=$DIR run -125 "$DIR/msb-exec" --local -- true
	[[ ${lines[0]} == *'cannot start msb-execd: No such file or directory' && ${lines[1]} == *'beside msb-exec'*PATH* ]]
}

@test "words: an interpreter that is not there is named, and is 126" {
	daemon_start
	printf '#! /no/such/sh -e\n' >"$DIR/no-script"
	cp "$(type -P true)" "$DIR/elf"
	loader=$(readelf -lW "$DIR/elf" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
	[[ -z $loader ]] || sed -i "s|$loader|${loader%?}~|" "$DIR/elf"
	chmod 755 "$DIR"/{no-script,elf}
	if [[ $AGENT ]]; then
		for file in no-script elf; do "$X" -- sh -c "cat >$DIR/$file; chmod 755 $DIR/$file" <"$DIR/$file"; done
	fi
	says 126 "cannot spawn \"$DIR/no-script\": the interpreter /no/such/sh of $DIR/no-script: No such file or directory" '' -n -- "$DIR/no-script"
	guest sh -c "printf '#!/bin/sh\r\n' >$DIR/crlf && chmod 755 $DIR/crlf"
	says 126 "*: the interpreter /bin/sh of $DIR/crlf (its first line ends with a carriage return): No such file or directory" '' -n -- "$DIR/crlf"
	says 126 "cannot spawn \"no-script\": the interpreter /no/such/sh of $DIR/no-script: *" '' -n -e "PATH=$DIR:/bin" -- no-script
	[[ -z $loader ]] || says 126 "cannot spawn \"$DIR/elf\": the interpreter ${loader%?}~ of $DIR/elf: *" '' -n -- "$DIR/elf"
	# The same name further on in PATH is found.
	guest cp "$DIR/no-script" "$DIR/true"
	run -0 "$X" -n -e "PATH=$DIR:/bin:/usr/bin" -- true
}

@test "words: what is meant for a shell gets a hint" {
	daemon_start
	says 127 'cannot spawn "echo a | cat": *' '*: -c *' -n -- 'echo a | cat'
	says 127 'cannot spawn "ls -l": *' '*: -c *' -n -- 'ls -l'
	says 127 'cannot spawn "cd": *' 'only a shell knows that*-w DIR*' -n -- cd /tmp
	says 127 'cannot spawn "FOO=1": *' '*-e NAME=VALUE' -n -- FOO=1 env
	says 127 'cannot spawn "nosuchprogram": No such file or directory' '' -n -- nosuchprogram
	says 127 'cannot spawn "web": *' 'a guest is named with -S or -s, *' -n web bash
	says 127 'cannot spawn "root@web": *' 'a guest is named with -S or -s, *' -n root@web id
	# What there is is run, whatever it is called.
	guest cp "$(type -P true)" "$DIR/a b"
	run -0 "$X" -n -- "$DIR/a b"
}

@test "words: what speaks first and is no agent is quoted" {
	agent="$EXECD --listen stdio:"
	says 125 '*: it said "Welcome to the box"' 'the command is to start msb-execd --listen stdio: *' \
		-S "exec:echo 'Welcome to the box'; echo more; exec $agent" -- true
	# Less than a greeting is long, and what is behind it makes up for it.
	says 125 '*said "hi"' '*--listen stdio:*' -S "exec:echo hi; exec $agent" -- true
	says 125 '*said "SSH-2.0-OpenSSH_9.2p1"' '*' -S "exec:printf 'SSH-2.0-OpenSSH_9.2p1\r\n'; exec cat" -- true
	says 125 '*said "HTTP/1.1 400 Bad Request"' '*' -S "exec:printf 'HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n'; exec cat" -- true
	# At most sixty characters, whole ones, and nothing that drives a terminal.
	says 125 "*said \"x$(printf '\303\244%.0s' {1..59})\"" '*' -S "exec:echo x$(printf '\303\244%.0s' {1..100}); exec cat" -- true
	says 125 '*said "red \\x1b[31mtext"' '*' -S "exec:printf 'red \033[31mtext\nsecond line'; exec cat" -- true
	# One that says little and then nothing.
	says 125 '*said "abc"*' '*' --connect-timeout "$SLOW" -S 'exec:printf abc; exec sleep 60' -- true
	printf 'import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
listener.settimeout(60)
client = listener.accept()[0]
client.sendall(b"220 mail.example ESMTP\\r\\n")
client.recv(1)' >"$DIR/mail.py"
	python3 -B "$DIR/mail.py" "$DIR/mail" 3>&- &
	wait_for 5 listens "$DIR/mail"
	says 125 "no agent answers at unix:$DIR/mail: it said \"220 mail.example ESMTP\"" 'whatever listens there is no agent' -S "$DIR/mail" -- true
	wait $!
}

@test "words: one that is no other user's may be none, and says so" {
	need_local "a daemon that is not root's"
	as_user=()
	[[ $(id -u) -ne 0 ]] || need_root
	[[ $(id -u) -ne 0 ]] || as_user=("${AS_NOBODY[@]}")
	chmod 777 "$DIR"
	"${as_user[@]}" "$EXECD" --listen "unix:$SOCKET" 2>>"$DIR/daemon.log" 3>&- &
	DAEMON=$!
	run -125 "${as_user[@]}" "$X" -S "$SOCKET" --wait-for $((20 * SLOW)) -n -u 12345:12345 -- id
	[[ $output == *'the agent runs as uid '*' and cannot become uid 12345: Operation not permitted' ]]
}

@test "words: what is in the way of a daemon at its start" {
	run -2 "$EXECD" --listen 8080
	[[ ${lines[0]} == *'--listen: 8080 is not an address' && ${lines[1]} == *'a port is vsock:8080, a file ./8080' ]]
	says 125 '--socket: 8080 is not an address' 'a port is vsock:CID:8080, a file ./8080' -S 8080 true
	run -2 "$EXECD" "$SOCKET"
	[[ ${lines[0]} == *"unexpected operand $SOCKET" && ${lines[1]} == *'behind --listen' ]]
	run -1 "$EXECD" --listen "$DIR/none/s"
	[[ ${lines[0]} == *"$DIR/none/s"*'No such file or directory' && ${lines[1]} == *'the folder of a socket has to be there' ]]
	run -2 "$RELAYD" --agent "$DIR/a"
	[[ $output == 'msb-relayd: --listen is needed'* ]]
	run -2 "$RELAYD" --listen "$SOCKET"
	[[ $output == 'msb-relayd: --agent is needed'* ]]
}

@test "words: an address of the environment is said to be that" {
	MSB_EXEC_ENDPOINT=$DIR/none says 125 "cannot connect to unix:$DIR/none, the address in MSB_EXEC_ENDPOINT: No such file or directory" '*' true
	MSB_EXEC_ENDPOINT=$DIR/none says 125 "cannot connect to unix:$DIR/none: No such file or directory" '*' -S "$DIR/none" true
}

@test "words: exec:msb-execd is told that it should listen on stdio" {
	run -125 "$X" -S "exec:$EXECD" -- true
	[[ ${lines[0]} == 'msb-execd: standard input is a socket, '* && ${lines[1]} == 'msb-execd: --listen stdio: '* ]]
	[[ ${lines[2]} == *"exec:$EXECD ended with status 2 before an agent answered" ]]
}

@test "words: -v says that a time-out struck, and with which signal" {
	daemon_start
	run -124 --separate-stderr "$X" -v -n --timeout 0.1 -- sleep 60
	[[ $stderr == *'--timeout has passed: it was sent SIGTERM'* && $stderr != *SIGKILL* ]]
	run -124 --separate-stderr "$X" -v -n --timeout "$SLOW" --signal INT -k 0.1 -- sh -c 'trap "" INT; sleep 60'
	[[ $stderr == *'--timeout has passed: it was sent SIGINT, and SIGKILL when --kill-after had passed too'* ]]
	run -124 --separate-stderr "$X" -n --timeout 0.1 -- sleep 60
	[[ -z $stderr ]]
}

@test "words: a reader that has left needs no words" {
	daemon_start
	mkfifo "$DIR/pipe"
	for option in --help --version --sessions --ping; do
		run -125 bash -c 'exec 8<>"$1/pipe" 9>"$1/pipe" 8>&-; "$2" "$3" >&9' bash "$DIR" "$X" "$option"
		[[ ! $output ]]
	done
}

@test "words: a closed stdout cannot be written, and a closed stderr is wanted so" {
	daemon_start
	run -125 bash -c '"$1" -n -- echo hi >&-' bash "$X"
	[[ $output == 'msb-exec: cannot write standard output: Bad file descriptor' ]]
	run -0 bash -c '"$1" -n -- true >&-' bash "$X"
	run -3 bash -c '"$1" -n -- sh -c "echo e >&2; exit 3" 2>&-' bash "$X"
	run -0 bash -c '"$1" -- cat <&-' bash "$X"
	run -125 bash -c '"$1" --version >&-' bash "$X"
	[[ $output == *'cannot write output: Bad file descriptor' ]]
	run -125 bash -c '"$1" --ping >/dev/full' bash "$X"
	[[ $output == *'cannot write output: No space left on device' ]]
	for program in "$EXECD" "$RELAYD" "$CONSOLE"; do
		[[ -x $program ]] || continue
		for option in --help --version; do
			run ! bash -c '"$1" "$2" >/dev/full' bash "$program" "$option"
			[[ $output == *'cannot write output: No space left on device' ]]
		done
	done
}
