#!/usr/bin/env bats
# Guests that have names: the file with their lines, -S NAME, --guests, and the console's \connect.

load helper
load talk

setup() {
	common_setup
	need_local "the guests of this machine"
	export XDG_CONFIG_HOME=$DIR/config
	FILE=$DIR/config/msb-exec/guests
	mkdir -p "$DIR/config/msb-exec"
	umask 022
	MUTE=
	cd "$DIR" || return 1
}

teardown() {
	[[ ! $MUTE ]] || kill "$MUTE" 2>/dev/null || true
	common_teardown
}

# guests: what stands in the file from now on; without one that names this daemon the variable does.
guests() {
	cat >"$FILE"
}

# at NAME COMMAND...: runs it there.
at() {
	"$X" -q -n -S "$@"
}

# says FIRST SECOND ARG...: msb-exec fails, and stderr is these two patterns; no SECOND: one line.
says() {
	run -125 --separate-stderr "$X" -n "${@:3}"
	# shellcheck disable=SC2154 # run sets it
	echo "$stderr"
	[[ ${stderr_lines[0]} == "msb-exec: "$1 && ${stderr_lines[1]-} == ${2:+"msb-exec: "}$2 ]]
}

@test "guests: -S takes a name, whose line says where it is" {
	daemon_start
	unset MSB_EXEC_ENDPOINT
	guests <<-END
		# mine

		web unix:$SOCKET
		  b.1_c-d	"unix:$SOCKET"
		9 $SOCKET
	END
	for name in web b.1_c-d 9; do
		run -0 at "$name" echo "in $name"
		[[ $output == "in $name" ]]
	done
	run -0 at web --ping
	[[ $output == '' ]]
	run -0 "$X" -S web --ping
	[[ $output == "web (unix:$SOCKET) is alive: "* ]]
}

@test "guests: exec: goes on to the end of its line, and in quotes it does not" {
	daemon_start
	guests <<-END
		literal exec:sh -c 'exec "\$0" --listen stdio:' '$EXECD'
		quoted 'exec:$EXECD --listen stdio:' -e 'A=a "b" \c' -e B="d \\"e\\" \\f" -e C=g\\ h
	END
	run -0 at literal echo in there
	[[ $output == 'in there' ]]
	# shellcheck disable=SC2016 # the guest's shell
	run -0 at quoted sh -c 'printf "%s|" "$A" "$B" "$C"'
	[[ $output == 'a "b" \c|d "e" \f|g h|' ]]
}

@test "guests: the options of a line come before those of the command line, which win" {
	daemon_start
	mkdir "$DIR/folder"
	echo 'F=file' >"$DIR/envs"
	guests <<-END
		a unix:$SOCKET -w "$DIR/folder" -e A=1 -e B=2 --env-file $DIR/envs --rlimit nofile=30:40 --rlimit core=0
		late unix:$SOCKET --timeout 0.2s --signal KILL
		console unix:$SOCKET --shell sh --complete-timeout 1s -e A=1 --escape-char none --reconnect 5s
		quick unix:$SOCKET --connect-timeout ${SLOW}0s --wait-for 0 --keepalive ${SLOW}5s -k1 --linger 0 --on-disconnect kill
	END
	# shellcheck disable=SC2016 # the guest's shell
	run -0 at a -e B=3 -e C=4 --rlimit nofile=50:60 -- \
		sh -c 'pwd; echo $A $B $C $F; ulimit -n; ulimit -H -n; ulimit -c'
	[[ $output == "$DIR/folder"$'\n1 3 4 file\n50\n60\n0' ]]
	run -0 at a -w / pwd
	[[ $output == / ]]
	run -124 at late sleep 1000
	run -0 at late --timeout inf sleep 0.4
	# What is the console's alone, or is for what is kept, is no error elsewhere.
	# shellcheck disable=SC2016
	run -0 at console sh -c 'echo $A'
	[[ $output == 1 ]]
	run -0 at quick true
	run -0 "$X" --console -S console -c 'echo lines $A'
	[[ $output == 'lines 1' ]]
}

@test "guests: the signal of a line is the time-out's, and not that of --kill" {
	daemon_start
	echo "web unix:$SOCKET --signal INT" | guests
	run -0 at web -d sleep 1000
	"$X" -S web --kill "$output"
	run -143 "$X" -S web --wait "$output"
}

@test "guests: as the user that its line names" {
	need_root
	daemon_start
	echo "web unix:$SOCKET -u nobody" | guests
	run -0 at web id -un
	[[ $output == nobody ]]
	run -0 at web -u root id -un
	[[ $output == root ]]
}

@test "guests: MSB_EXEC_ENDPOINT may hold a name, and -S wins" {
	daemon_start
	guests <<-END
		web unix:$SOCKET -e A=web
		other unix:$SOCKET -e B=other
		gone unix:$DIR/none
	END
	# shellcheck disable=SC2016
	MSB_EXEC_ENDPOINT=web run -0 "$X" -n sh -c 'echo "$A|$B"'
	[[ $output == 'web|' ]]
	# shellcheck disable=SC2016
	MSB_EXEC_ENDPOINT=web run -0 at other sh -c 'echo "$A|$B"'
	[[ $output == '|other' ]]
	# shellcheck disable=SC2016
	MSB_EXEC_ENDPOINT=web run -0 at "unix:$SOCKET" sh -c 'echo "$A|$B"'
	[[ $output == '|' ]]
	MSB_EXEC_ENDPOINT=web run -0 "$X" -n --local -q echo 'not there'
	export MSB_EXEC_ENDPOINT=gone
	says "cannot connect to unix:$DIR/none, the address of gone, the guest in MSB_EXEC_ENDPOINT: No such*" '*' true
	export MSB_EXEC_ENDPOINT=nobody
	says 'MSB_EXEC_ENDPOINT: no guest is called nobody' '*' true
}

@test "guests: the file is in XDG_CONFIG_HOME, else in HOME" {
	daemon_start
	unset MSB_EXEC_ENDPOINT
	mkdir -p "$DIR/home/.config/msb-exec"
	echo "home unix:$SOCKET" >"$DIR/home/.config/msb-exec/guests"
	echo "config unix:$SOCKET" | guests
	export HOME=$DIR/home
	at config true
	says '--socket: no guest is called home' "names are in $FILE; a socket in this folder is ./home" -S home true
	unset XDG_CONFIG_HOME
	at home true
	XDG_CONFIG_HOME=config at home true
	says '--socket: no guest is called config' "names are in $DIR/home/.config/*" -S config true
	# The user's own, where nothing says so.
	run -125 env -u HOME "$X" -S home-of-none true
	[[ $output == *"$(getent passwd "$(id -u)" | cut -d: -f6)/.config/msb-exec/guests"* ]]
}

@test "guests: a name that there is not, one that is near, and no file" {
	guests <<-END
		web-one unix:$DIR/none
		db unix:$DIR/none
	END
	says '--socket: no guest is called web-onee' "did you mean web-one? names are in $FILE" -S web-onee true
	says '--socket: no guest is called nothing' "names are in $FILE; a socket in this folder is ./nothing" -S nothing true
	rm "$FILE"
	says '--socket: no guest is called web' "names would be in $FILE, which is not there; *" -S web true
	# What never was a name is what it was.
	says '--socket: 5000 is not an address' 'a port is vsock:CID:5000, a file ./5000' -S 5000 true
	says '--socket: unix is not an address' '*' -S unix true
	says 'cannot connect to unix:./web: *' '*' -S ./web true
	says 'cannot connect to unix:@web: *' '*' -S @web true
	"$X" -S web --help >/dev/null
}

@test "guests: a name in the place of the command gets a hint" {
	daemon_start
	guests <<<"web unix:$SOCKET"
	for words in web 'web uname -n'; do
		# shellcheck disable=SC2086 # words
		run -127 --separate-stderr "$X" -n $words
		[[ $stderr == *$'\nmsb-exec: a guest is named with -S or -s, and the command comes behind it' ]]
	done
	run -127 --separate-stderr "$X" -n wbe uname
	[[ ${#stderr_lines[@]} -eq 1 ]]
}

@test "guests: what is wrong with a line is said with its number, whichever guest is meant" {
	local bad
	daemon_start
	# Line, what is said.
	for bad in "a|a has no address" "a:b x:|a:b is no name for a guest" "web ./s|there is a guest web above" \
		"a ./s 'b|a ' without its second" "a tcp:h:1|tcp:h:1 is not an address" \
		"a sock|sock is not an address, which has a : or a /" \
		"a ./s -S ./t|--socket is not for a guest's line" "a ./s --local|--local is not for a guest's line" \
		"a ./s -t|--tty is not for a guest's line" "a ./s --json|--json is not for a guest's line" \
		"a ./s --sessions|--sessions is not for a guest's line" "a ./s --help|--help is not for a guest's line" \
		"a ./s -c x|--command is not for a guest's line" "a ./s --usr x|unknown option --usr" \
		"a ./s --timeout soon|--timeout: soon is not *" "a ./s --user|--user needs a value*" \
		"a ./s --detach-keys long,|--detach-keys: *" "a ./s ls|only options follow the address, not ls" \
		"a ./s -u b # why|only options follow the address, not #"; do
		printf 'web unix:%s\n\n%s\n' "$SOCKET" "${bad%%|*}" | guests
		run -125 "$X" -n -S web true
		echo "$bad: $output"
		# shellcheck disable=SC2053 # a pattern
		[[ ${lines[0]} == "msb-exec: --socket: $FILE:3: "${bad#*|} ]]
	done
	# A file that a line names is read for that guest alone.
	printf 'web unix:%s\nother ./s --env-file %s/none\n' "$SOCKET" "$DIR" | guests
	at web true
	says 'the guest other: --env-file: cannot read */none: No such file or directory' '' -S other true
}

@test "guests: a file that others may write is refused, and what is no file, too" {
	daemon_start
	echo "web unix:$SOCKET" | guests
	for mode in 664 646 666; do
		chmod "$mode" "$FILE"
		says "--socket: $FILE may be written by others, and says what is run" "chmod go-w $FILE" -S web true
		says "$FILE may be written by others, *" "chmod go-w $FILE" --guests
	done
	chmod 400 "$FILE"
	at web true
	# Nobody's business where no name is used.
	chmod 666 "$FILE"
	at "unix:$SOCKET" true
	rm "$FILE"
	mkfifo -m 600 "$FILE"
	says "--socket: $FILE is no regular file" '' -S web true
	rm "$FILE"
	mkdir "$FILE"
	says "--socket: $FILE is no regular file" '' -S web true
	rmdir "$FILE"
	truncate -s 1048577 "$FILE"
	says "--socket: $FILE is larger than 1 MiB" '' -S web true
}

@test "guests: whose file it has to be" {
	need_root
	daemon_start
	echo "web unix:$SOCKET" | guests
	chown nobody "$FILE"
	says "--socket: $FILE belongs to uid $(id -u nobody), and may say what is run" "chown 0 $FILE" -S web true
	# Root's is good enough for others, and what they may not read says so.
	chown root "$FILE"
	run -125 "${AS_NOBODY[@]}" env XDG_CONFIG_HOME="$XDG_CONFIG_HOME" "$X" -S web true
	[[ $output == *"cannot connect to unix:$SOCKET, the address of web: Permission denied"* ]]
	chmod 600 "$FILE"
	run -125 "${AS_NOBODY[@]}" env XDG_CONFIG_HOME="$XDG_CONFIG_HOME" "$X" -S web true
	[[ $output == "msb-exec: --socket: cannot read $FILE: Permission denied" ]]
}

# A socket that takes connections and never says a word.
mute() {
	python3 -Bc 'import socket, sys, time
mute = socket.socket(socket.AF_UNIX)
mute.bind(sys.argv[1])
mute.listen()
time.sleep(600)' "$DIR/mute" 3>&- &
	MUTE=$!
	wait_for 5 listens "$DIR/mute"
}

some_of_each() {
	mute
	daemon_start
	unset MSB_EXEC_ENDPOINT
	guests <<-END
		web unix:$SOCKET -u nobody
		dead unix:$DIR/none
		silent unix:$DIR/mute
		started exec:$EXECD --listen stdio:
		failed exec:false
		deaf exec:sh -c 'trap "" TERM; sleep $1; sleep $1'
	END
}

@test "guests: --guests lists them all, in the file's order, and which of them answer" {
	local mark
	mark=$(mark)
	some_of_each "$mark"
	run -0 "$X" --guests --connect-timeout $((SLOW * 2))
	echo "$output"
	[[ ${#lines[@]} -eq 7 && ${lines[0]} == 'NAME     ENDPOINT  '*' ANSWER' ]]
	[[ ${lines[1]} =~ ^"web      unix:$SOCKET  "\ *answers,\ msb-execd/[0-9.]+$ ]]
	[[ ${lines[2]} == "dead     unix:$DIR/none  "*' No such file or directory' ]]
	[[ ${lines[3]} == "silent   unix:$DIR/mute  "*' no answer in time' ]]
	[[ ${lines[4]} == "started  exec:$EXECD --listen stdio:  "*'answers, msb-execd/'* ]]
	[[ ${lines[5]} == "failed   exec:false  "*' ended with status 1 before an agent answered' ]]
	[[ ${lines[6]} == "deaf     exec:"*' no answer in time' ]]
	# All of it was killed; only the first process is waited for.
	wait_for 10 none_match "$mark"
}

@test "guests: a user is not part of a name" {
	run -125 "$X" -S alice@web -- true
	[[ $output == *"--socket: alice@web is no guest's name"*"-u alice -S web says both"* ]]
	run -125 "$X" -S ./a@web -- true
	[[ $output == *'cannot connect to unix:./a@web: No such file or directory'* ]]
}

@test "guests: a signal ends --guests, and what it has started" {
	local mark client status=0
	mark=$(mark)
	echo "slow exec:sh -c 'touch $DIR/begun; exec sleep $mark'" | guests
	"$X" --guests --connect-timeout inf >"$DIR/out" 2>&1 3>&- &
	client=$!
	wait_for 10 test -e "$DIR/begun"
	kill -TERM "$client"
	wait "$client" || status=$?
	[[ $status -eq 143 && ! -s $DIR/out ]]
	wait_for 10 none_match "$mark"
}

@test "guests: --guests asks them side by side, more than it may have at once" {
	mute
	for i in $(seq 80); do echo "silent$i unix:$DIR/mute"; done | guests
	timed run -0 "$X" --guests --connect-timeout 1
	[[ ${#lines[@]} -eq 81 && ${lines[80]} == 'silent80 '*' no answer in time' ]]
	# One after the other would be 80 s.
	[[ $MS -ge 2000 && $MS -lt 80000 ]]
}

@test "guests: --guests --json is an object for each, with all that is known" {
	local mark
	mark=$(mark)
	some_of_each "$mark"
	"$X" --guests --json --connect-timeout $((SLOW * 2)) >"$DIR/out"
	cat "$DIR/out"
	[[ $(jq -r .name "$DIR/out" | xargs) == 'web dead silent started failed deaf' ]]
	[[ $(jq -r .answers "$DIR/out" | xargs) == 'true false false true false false' ]]
	[[ $(jq -r '.agent // "-"' "$DIR/out" | cut -d/ -f1 | xargs) == 'msb-execd - - msb-execd - -' ]]
	[[ $(jq -r 'select(.name == "dead").error' "$DIR/out") == "cannot connect to unix:$DIR/none: No such"* ]]
	[[ $(jq -r 'select(.name == "silent").error' "$DIR/out") == "no greeting from unix:$DIR/mute: "* ]]
	[[ $(jq -r 'select(.answers).error' "$DIR/out" | xargs) == 'null null' ]]
	[[ $(jq -r 'select(.name == "deaf").endpoint' "$DIR/out") == "exec:sh -c 'trap \"\" TERM; "* ]]
	[[ $(jq -sc 'map(keys_unsorted) | unique' "$DIR/out") == '[["name","endpoint","answers","agent","error"]]' ]]
}

@test "guests: --guests without a file lists nothing; a wrong line is said, and the others are listed" {
	run -0 --separate-stderr "$X" --guests
	[[ $output == '' && $stderr == "msb-exec: no guest has a name: there is no $FILE" ]]
	run -0 --separate-stderr "$X" --guests -q --json
	[[ $output == '' && $stderr == '' ]]
	echo '# none yet' | guests
	run -0 --separate-stderr "$X" --guests
	[[ $output == '' && $stderr == '' ]]
	printf 'a unix:%s/none\nb\nc unix:%s/none --usr x\nd unix:%s/none\n' "$DIR" "$DIR" "$DIR" | guests
	run -125 --separate-stderr "$X" --guests
	[[ $stderr == *"$FILE:2: b has no address"*"$FILE:3: unknown option --usr"* ]]
	[[ ${#lines[@]} -eq 3 && ${lines[1]} == a\ * && ${lines[2]} == d\ * ]]
	says '--guests runs nothing, and so takes no command: ls' '' --guests ls
	says '--guests: not together with --sessions' '' --guests --sessions
	says '--guests: not together with --ping' '' --guests --ping
}

@test "guests: what an agent or a file says does not act on a terminal" {
	# shellcheck disable=SC1003
	printf 'a "exec:printf \\"\\\\033]0;x\\\\007\\\\n\\"; sleep 0"\nb unix:%s/\033[31mx\n' "$DIR" | guests
	run -0 "$X" --guests --connect-timeout $((SLOW * 2))
	echo "$output" | cat -v
	[[ ${#lines[@]} -eq 3 && ${lines[2]} == "b     unix:$DIR/\\x1b[31mx  "* && $output != *$'\033'* && $output != *$'\a'* ]]
	"$X" --guests --json --connect-timeout $((SLOW * 2)) | jq -e 'select(.name == "b").endpoint | endswith("\u001b[31mx")'
}

@test "guests: in a terminal a row is one line" {
	echo "web exec:false $(printf 'x%.0s' $(seq 200))" | guests
	drive 10x60 "$X" --guests <<-'END'
		expect web   exec:false xxxxxx...  ended with status 1 before an...
		wait 0
	END
}

@test "guests: a lost connection is called by its guest's name" {
	daemon_start
	echo "web unix:$SOCKET" | guests
	"$X" -n -S web sh -c 'echo begun; sleep 1000' >"$DIR/out" 2>"$DIR/err" 3>&- &
	local client=$! status=0
	wait_for 10 test -s "$DIR/out"
	kill -KILL "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	wait "$client" || status=$?
	[[ $status -eq 125 && $(<"$DIR/err") == "msb-exec: lost the connection to web (unix:$SOCKET): the agent closed it" ]]
}

# ---- the console ----

@test "guests: the console's \\connect takes a name and its options, and Tab knows the names" {
	talk_setup
	mkdir "$DIR/there"
	guests <<-END
		first unix:$SOCKET -e A=first -e ONCE=first
		second unix:$SOCKET -e A=second -w "$DIR/there"
		broken unix:$DIR/none
	END
	talk -S first -e MINE=mine --env-file <(echo FROM=pipe) -w /tmp <<-END
		prompt
		run {echo \$A \$ONCE \$MINE \$FROM; pwd}
		is "first first mine pipe\n/tmp"
		run {\\connect nothing} 125
		if {![string match "*no guest is called nothing*names are in $FILE*" \$output]} {fail \$output}
		run {\\connect broken} 125
		if {![string match "*cannot connect to*the address of broken*" \$output]} {fail \$output}
		run {echo \$A}
		is first
		key "\\\\connect sec\t"
		see {\\connect second }
		run {}
		run {echo "\$A [\$ONCE] \$MINE \$FROM"; pwd}
		is {second [] mine pipe
		$DIR/there}
		run {\\connect}
		if {![string match "*second (unix:$SOCKET), msb-execd*" \$output]} {fail \$output}
		run {\\connect unix:$SOCKET}
		run {echo "[\$A] \$MINE \$FROM"}
		is {[] mine pipe}
		line {exit 3}
		ends 3
	END
}

@test "guests: the console is as the user that a line names, and \\user stays where none does" {
	need_root
	talk_setup
	guests <<-END
		plain unix:$SOCKET
		nobody unix:$SOCKET -u nobody
	END
	talk -S nobody <<-END
		prompt
		run {id -un}
		is nobody
		run {\\connect plain}
		run {id -un}
		is root
		run {\\user daemon}
		run {\\connect unix:$SOCKET}
		run {id -un}
		is daemon
		run {\\connect nobody}
		run {id -un}
		is nobody
		line {exit}
		ends 0
	END
}
