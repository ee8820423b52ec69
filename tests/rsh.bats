#!/usr/bin/env bats
# --rsh, and msb-rsh, which is the same by another name: what tools say to rsh and ssh, and what becomes of it.
# The tools themselves are elsewhere.

load helper
load agent

setup() {
	common_setup
	export PATH=$BUILD:$PATH HOME=$DIR XDG_CONFIG_HOME=$DIR/config
}

teardown() {
	agent_end
	common_teardown
}

# there: the agent's address is what rsh has a host for; nothing else says it. Lines are for its user's shell.
there() {
	[[ -n $AGENT ]] || need_account
	daemon_start
	GUEST_ADDRESS=$MSB_EXEC_ENDPOINT
	unset MSB_EXEC_ENDPOINT
}

# rsh ARG...: without input.
rsh() {
	"$X" --rsh "$@" </dev/null
}

# refuses LINE HINT ARG...: it says these, or the first alone, and nothing else; nothing is run.
refuses() {
	run -255 --separate-stderr rsh "${@:3}"
	# shellcheck disable=SC2053,SC2154 # patterns; and run's
	[[ -z $output && ${stderr_lines[0]} == "msb-exec: --rsh: "$1 && ${stderr_lines[1]-} == ${2:+msb-exec: $2} &&
		${#stderr_lines[@]} -le 2 ]] || {
		echo "stdout: $output, stderr: $stderr" >&2
		return 1
	}
}

@test "rsh: words are joined by blanks, and the user's shell takes them apart" {
	there
	run -0 rsh "$GUEST_ADDRESS" echo 'a  b' '"c  d"' "'\$HOME'" '|' cat
	[[ $output == 'a b c  d $HOME' ]]
	run -0 rsh "$GUEST_ADDRESS" 'x=1; echo $x; cat' - <<<''
	[[ $output == 1 ]]
	run -0 "$X" --rsh "$GUEST_ADDRESS" cat <<<'from stdin'
	[[ $output == 'from stdin' ]]
	run -0 "$X" --rsh -n "$GUEST_ADDRESS" cat <<<'not read'
	[[ -z $output ]]
}

@test "rsh: the status, the signal and the streams are the command's own" {
	there
	run -3 --separate-stderr rsh "$GUEST_ADDRESS" 'echo out; echo err >&2; exit 3'
	[[ $output == out && $stderr == err ]]
	run -143 rsh "$GUEST_ADDRESS" 'kill $$'
	run -127 rsh -q "$GUEST_ADDRESS" nosuchprogram
}

@test "rsh: the shell is the user's own and no login shell, in the user's home" {
	need_root
	there
	local shell home
	IFS=: read -r _ _ _ _ _ home shell < <("$X" -S "$GUEST_ADDRESS" -n -- grep '^root:' /etc/passwd)
	run -0 rsh "$GUEST_ADDRESS" 'echo $0; pwd'
	[[ $output == "${shell##*/}"$'\n'"$home" ]]
	run -0 "$X" -n -w / --rsh "$GUEST_ADDRESS" pwd
	[[ $output == / ]]
}

@test "rsh: options stand before the guest and behind it, up to the first word" {
	need_root
	there
	local user=nobody
	# A shell that runs nothing is no user's to run lines with.
	guest_shell_of nobody || user=root
	for line in "-l $user $GUEST_ADDRESS" "-l$user -- $GUEST_ADDRESS" "$GUEST_ADDRESS -l $user" "$user@$GUEST_ADDRESS" \
		"-x -T -q $user@$GUEST_ADDRESS -oForwardAgent=no --" "-o User=$user $GUEST_ADDRESS" \
		"-l $user other@$GUEST_ADDRESS"; do
		# shellcheck disable=SC2086 # words
		run -0 rsh $line id -un
		[[ $output == "$user" ]]
	done
	run -0 "$X" -n -u nosuch-user --rsh -l root "$GUEST_ADDRESS" id -un
	[[ $output == root ]]
	run -0 rsh "$GUEST_ADDRESS" echo -l nobody -- -x
	[[ $output == '-l nobody -- -x' ]]
}

# guest_shell_of USER: is one that runs lines.
guest_shell_of() {
	"$X" -S "$GUEST_ADDRESS" -n -- grep "^$1:" /etc/passwd | grep -qv 'nologin$\|false$'
}

@test "rsh: a guest is a name of the guests file, or else the one of -S, -s or --local" {
	there
	mkdir -p "$DIR/config/msb-exec"
	echo "web $GUEST_ADDRESS -e WHERE=file" >"$DIR/config/msb-exec/guests"
	run -0 rsh web 'echo $WHERE'
	[[ $output == file ]]
	run -0 rsh root@web 'echo $WHERE'
	[[ $output == file ]]
	run -255 --separate-stderr rsh nosuch true
	[[ ${stderr_lines[0]} == 'msb-exec: --rsh: no guest is called nosuch' ]]
	# Then the name says nothing, but for the user.
	run -0 "$X" -n -S "$GUEST_ADDRESS" --rsh nosuch 'echo ${WHERE-none}'
	[[ $output == none ]]
	run -0 "$X" -n -S web --rsh nosuch 'echo $WHERE'
	[[ $output == file ]]
	# A variable is not asked, which every command of a script has.
	MSB_EXEC_ENDPOINT=$GUEST_ADDRESS run -255 rsh nosuch true
}

@test "rsh: options of msb-exec come before it, and none behind" {
	there
	run -0 "$X" -n -e A=b -w / --rsh "$GUEST_ADDRESS" 'echo $A; pwd'
	[[ $output == $'b\n/' ]]
	run -124 "$X" -n -q --timeout 0.1 --rsh "$GUEST_ADDRESS" 'sleep 60'
	refuses 'there is no --timeout=1 behind it' 'what comes behind --rsh *come before it' --timeout=1 "$GUEST_ADDRESS" true
	refuses 'there is no --console behind it' '*' --console
	run -0 "$X" --help --rsh
	[[ $output == Usage:* ]]
	run -0 rsh -V
	[[ $output == "$("$X" --version)" ]]
}

@test "rsh: variables are sent and set" {
	there
	RSH_A=1 RSH_AB='2 3' run -0 rsh -o 'SendEnv RSH_A*' -oSetEnv='X="4 5" Y=6' "$GUEST_ADDRESS" 'echo $RSH_A,$RSH_AB,$X,$Y'
	[[ $output == '1,2 3,4 5,6' ]]
	RSH_A=1 run -0 rsh "$GUEST_ADDRESS" 'echo ${RSH_A-unset}'
	[[ $output == unset ]]
}

@test "rsh: no terminal with words unless there is to be one, and one without" {
	there
	drive 24x80 "$X" --rsh "$GUEST_ADDRESS" 'test -t 0 || test -t 1 || echo "none at"" all"' <<-'EOF'
		expect none at all
		wait 0
	EOF
	drive 24x80 "$X" --rsh "$GUEST_ADDRESS" -t 'test -t 0 && test -t 1 && echo "both of"" them"' <<-'EOF'
		expect both of them
		wait 0
	EOF
	drive 24x80 "$X" -e PS1='ready> ' -e ENV= -e HOME="$DIR" --rsh "$GUEST_ADDRESS" <<-'EOF'
		send test -t 0 && echo a term""inal $0 && exit 4\n
		expect a terminal -
		wait 4
	EOF
	run -0 rsh -tt "$GUEST_ADDRESS" 'test -t 0 && test -t 1 && echo both'
	[[ $output == both* ]]
	# No words and no terminal: the login shell reads lines.
	run -6 "$X" -e ENV= -e HOME="$DIR" --rsh "$GUEST_ADDRESS" <<<'exit 6'
}

@test "rsh: what is not done is refused, with a line that says it" {
	refuses 'no guest is named' 'behind it comes \[-l USER\] GUEST \[WORD\]...'
	refuses 'there is no -A behind it' "the agent's keys are not passed on" -A web ls
	refuses 'there is no -N behind it' 'there is nothing to do without a command' -N web
	refuses 'there is no -f behind it' '*--detach' -f web ls
	for option in X Y g M K; do
		refuses "there is no -$option behind it" '*' "-$option" web ls
	done
	for option in L R D W w J O Q; do
		refuses "there is no -$option behind it" '*' "-${option}value" web ls
	done
	refuses 'there is no port 2222' "a guest's name or address says all of the way to it" -p 2222 web ls
	refuses 'there is no port 2222' '*' -oPort=2222 web ls
	for setting in ForwardAgent=yes ForwardX11=yes ProxyJump=x ProxyCommand=x RemoteCommand=x Tunnel=yes; do
		refuses "there is no -o $setting: no connection of ssh is made" '' -o "$setting" web ls
	done
	for setting in LocalForward=x HostName=x Nonsense=x; do
		refuses "there is no -o $setting" 'msb-exec(1) lists those *' -o "$setting" web ls
	done
	refuses 'ConnectTimeout: *' '' -oConnectTimeout=soon web ls
	refuses 'there is no subsystem but sftp: netconf' '' -s web netconf
	refuses 'ssh://web is not an address of a guest' '' ssh://web ls
}

@test "rsh: a guest's name is never a command that is run here, as git would have it from others" {
	refuses "a guest is not named by a command: exec:touch $DIR/made" '*-S before --rsh' "exec:touch $DIR/made" ls
	[[ ! -e $DIR/made ]]
	GIT_SSH_COMMAND='msb-exec --rsh' run -128 git clone -q "ssh://exec:touch%20$DIR%2fmade/src" "$DIR/dst"
	[[ $output == *'a guest is not named by a command: '* && ! -e $DIR/made ]]
}

@test "rsh: git finds out that it is spoken to as ssh is, and so has its newer protocol" {
	need_local "git is not in every guest"
	there
	export GIT_CONFIG_NOSYSTEM=1 GIT_SSH_COMMAND='msb-exec --rsh'
	mkdir -p "$DIR/config/msb-exec"
	echo "web $GUEST_ADDRESS" >"$DIR/config/msb-exec/guests"
	git init -q -b main "$DIR/src"
	git -C "$DIR/src" -c user.name=Me -c user.email=me@here commit -q --allow-empty -m first
	run -0 env GIT_TRACE_PACKET=1 git clone -q "web:$DIR/src" "$DIR/dst"
	[[ $output == *'clone< version 2'* ]]
	[[ $(git -C "$DIR/dst" log --format=%s) == first ]]
	run -128 git clone -q "ssh://web:2222$DIR/src" "$DIR/dst2"
	[[ $output == *'there is no port 2222'* ]]
}

@test "rsh: the manual names every setting, and no other" {
	sed -nE 's/^\t\{"([A-Za-z0-9]+)", SETTING_.*/\1/p' "$ROOT/cli/options/rsh.c" | sort >"$DIR/table"
	sed -n '/^.Sh SPOKEN LIKE RSH/,/^.Sh ESCAPES/p' "$ROOT/cli/msb-exec.1" | grep -E '^\.(Cm|It)' |
		grep -oE '\b[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*\b' | grep -vxE 'It|Li|Cm|Ns|Ar' | sort -u >"$DIR/manual"
	[[ -s $DIR/table ]]
	run diff "$DIR/table" "$DIR/manual"
	echo "$output"
	[[ -z $output ]]
}

@test "rsh: -G describes, whatever the guest, and connects to nobody" {
	run -0 --separate-stderr rsh -G -o SendEnv=GIT_PROTOCOL -p 2222 bob@nosuch
	[[ $output == $'host nosuch\nhostname nosuch\nuser bob' && -z $stderr ]]
	run -255 rsh -G
}

@test "rsh: by the name msb-rsh, which knows no other options" {
	there
	run -0 msb-rsh "$GUEST_ADDRESS" 'echo $0; exit 0' </dev/null
	run -5 "$BUILD/msb-rsh" -x -q "$GUEST_ADDRESS" 'exit 5' </dev/null
	run -255 --separate-stderr msb-rsh --help
	[[ ${stderr_lines[0]} == 'msb-exec: --rsh: there is no --help behind it' ]]
	run -255 msb-rsh --console
	run -255 --separate-stderr msb-rsh --json --result "$DIR/result" "$GUEST_ADDRESS" true
	[ -z "$output" ]
	[ ! -e "$DIR/result" ]
}

@test "rsh: -s sftp is the guest's sftp-server, or says what is missing" {
	need_local "whether there is an sftp-server"
	there
	mkdir "$DIR/bin"
	printf '#!/bin/sh\necho "a server"; cat\n' >"$DIR/bin/sftp-server"
	chmod +x "$DIR/bin/sftp-server"
	local path found=
	for path in /usr/lib/openssh /usr/libexec/openssh /usr/libexec /usr/lib/ssh /usr/lib; do
		[[ ! -x $path/sftp-server ]] || found=1
	done
	if [[ -n $found ]]; then
		# A length, a type, a number, and the same back; at the end of its input it says no more.
		mkfifo "$DIR/rest"
		{
			printf '\0\0\0\5\1\0\0\0\3'
			cat "$DIR/rest"
		} 3>&- | "$X" --rsh -x "$GUEST_ADDRESS" -s sftp >"$DIR/answer" 3>&- &
		wait_for 10 test -s "$DIR/answer"
		: >"$DIR/rest"
		wait $!
		[[ $(head -c 5 "$DIR/answer" | od -An -tx1 | tr -d ' ') == 0000????02 ]]
	else
		run -0 "$X" -e "PATH=$DIR/bin:$PATH" --rsh -s -- "$GUEST_ADDRESS" sftp <<<more
		[[ $output == $'a server\nmore' ]]
		run -127 --separate-stderr rsh -s "$GUEST_ADDRESS" sftp
		[[ $stderr == 'msb-exec: the guest has no sftp-server '* ]]
	fi
}

@test "rsh: through a relay, too" {
	need_local "a relay of our own"
	THROUGH=relay
	there
	run -3 rsh "$GUEST_ADDRESS" 'echo "$0"; exit 3'
	[[ $output != */* && -n $output ]]
	run -0 "$X" --rsh "$GUEST_ADDRESS" cat <<<through
	[[ $output == through ]]
}

@test "rsh: an agent without user_shell has /bin/sh, which goes home first" {
	need_local "agents that are not ours"
	agent 3 <<'EOF'
request = client.serve(exec_features=[["user_shell", "linger"], ["linger"], ["linger"]][turn])
equal((request.cmd, request.args, request.payload.get("user_shell")), [
    ("/bin/sh", ["-c", "a line"], True), # which a relay without the key makes of it
    ("/bin/sh", ["-c", "cd 2>/dev/null || :\na line"], None),
    ("/bin/sh", ["-c", "a line"], None)][turn])
client.exit(turn)
EOF
	run -0 rsh "$MSB_EXEC_ENDPOINT" a line
	run -1 rsh "$MSB_EXEC_ENDPOINT" a line
	run -2 "$X" -n -w / --rsh "$MSB_EXEC_ENDPOINT" a line
	agent_done
}

@test "rsh: without words an older agent has what msb-exec has there" {
	need_local "agents that are not ours"
	agent <<'EOF'
request = client.serve()
equal((request.cmd, request.args), ("/bin/sh", ["-l"]))
client.exit(3)
EOF
	run -3 rsh "$MSB_EXEC_ENDPOINT"
	agent_done
}

@test "rsh: times and the user of settings reach the request" {
	need_local "agents that are not ours"
	agent <<'EOF'
request = client.serve(exec_features=["user_shell"])
equal((request.user, request.env), ("bob:staff", ["A=b"]))
client.exit()
EOF
	run -0 rsh -l bob:staff -oSetEnv=A=b -oServerAliveInterval=5 "$MSB_EXEC_ENDPOINT" true
	agent_done
	run -255 --separate-stderr timeout $((20 * SLOW)) "$X" -S 'exec:sleep 60' --rsh -oConnectTimeout=1 web true </dev/null
	[[ ${stderr_lines[0]} == *'Connection timed out' ]]
}
