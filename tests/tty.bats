#!/usr/bin/env bats
# A terminal on our side, a pty on the other: sizes, modes, keys, and the end of both.

load helper

setup() {
	common_setup
	daemon_start
	export TERM=xterm
	ulimit -c 0
	MARK=$(mark)
}

teardown() {
	common_teardown
}

# x ARG...: msb-exec without a terminal of ours, for a limited time.
x() {
	timeout $((40 * SLOW)) "$X" "$@"
}

# An interactive bash in the guest, whose prompt is nobody else's and which keeps no history.
guest_bash() {
	drive "$1" "$X" -tt -e 'PS1=G> ' -e HISTFILE= -- bash --norc
}

# The daemon is to die under its client; it is no failure then.
daemon_lost() {
	wait "$DAEMON" || true
	DAEMON=
}

# ---- getting one, or not ----

@test "tty: the command's terminal has the size of ours" {
	for option in -t -tt; do
		drive 40x132 "$X" "$option" -- stty size <<-END
			expect 40 132
			wait 0
		END
	done
}

@test "tty: without any terminal to ask, the size is 24 by 80" {
	run -0 x -tt -- stty size </dev/null
	[[ $output == $'24 80\r' ]]
}

@test "tty: what --max-output says in the midst begins and ends a line, though the terminal is raw" {
	drive 40x132 "$X" -t --max-output 20 -- seq 1000 <<-'END'
		expect 4\r\n[4873 bytes of stdout are left out here]\r\n
		wait 0
	END
}

@test "tty: a new size arrives, and SIGWINCH with it" {
	drive 40x132 "$X" -tt -- \
		sh -c 'trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.05; done' <<-END
		expect ready
		resize 50 100
		expect 50 100
		wait 3
	END
	guest_bash 40x132 <<-END
		expect G>
		send stty size\r
		expect 40 132
		expect G>
		resize 50 100
		send until [[ \$(stty size) == 50?100 ]]; do sleep 0.05; done; stty size; echo \$LINES \$COLUMNS\r
		expect 50 100
		expect 50 100
		send exit\r
		wait 0
	END
}

# What the size of a window is all about, printed anew whenever it changes. Not in a handler, which
# another could interrupt.
winsize='import fcntl, signal, struct, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
last = b""
while True:
    size = fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))
    if size != last:
        print("rows %d cols %d xpixel %d ypixel %d." % struct.unpack("4H", size), flush=True)
    last = size
    signal.sigwait([signal.SIGWINCH])'

@test "tty: the size in pixels goes along, and so do its changes" {
	need_local "Python"
	drive 40x132,1056x640 "$X" -tt -- python3 -c "$winsize" <<-END
		expect rows 40 cols 132 xpixel 1056 ypixel 640.
		resize 40 132 2112 1280
		expect rows 40 cols 132 xpixel 2112 ypixel 1280.
		resize 20 66
		expect rows 20 cols 66 xpixel 0 ypixel 0.
		send \x03
		wait
	END
}

@test "tty: a thousand sizes in two seconds end at the last one" {
	need_local "Python"
	drive 40x132 "$X" -tt -- python3 -c "$winsize" <<-END
		expect rows 40 cols 132
		storm 1000 2000 31 97
		expect rows 31 cols 97 xpixel 0 ypixel 0.
		absent rows
		send \x03
		wait
	END
	guest_bash 40x132 <<-END
		expect G>
		storm 1000 2000 31 97
		send until [[ \$(stty size) == 31?97 ]]; do sleep 0.05; done; stty size; echo \$LINES \$COLUMNS\r
		expect 31 97\r\n
		expect 31 97\r\n
		send exit\r
		wait 0
	END
}

@test "tty: -t without a terminal on stdin says so and goes on without" {
	run -3 --separate-stderr x -t -- sh -c 'cat; tty; exit 3' <<<word
	[[ $output == $'word\nnot a tty' ]]
	[[ $stderr == *'msb-exec: '*'stdin is no terminal'* && ${#stderr_lines[@]} -eq 1 ]]
	run -3 --separate-stderr x -q -t -- sh -c 'exit 3' </dev/null
	[[ -z $stderr ]]
}

@test "tty: -t with a terminal on stdin gives one, whatever stdout is" {
	drive 24x80 "$X" -t -- tty <<-END
		expect /dev/pts/
		wait 0
	END
	drive 24x80 sh -c "$X -t -- tty | cat >$DIR/out" <<-END
		wait 0
	END
	[[ $(<"$DIR/out") == /dev/pts/* ]]
}

@test "tty: a command gets no terminal unless asked, nor with -T" {
	for option in -T -tT ''; do
		# shellcheck disable=SC2086 # none is meant to be none
		drive 24x80 "$X" $option -- tty <<-END
			expect not a tty
			wait 1
			modes same
		END
	done
}

@test "tty: -tt forces one" {
	run -0 x -tt -- sh -c 'tty; tty <&1; tty <&2; tty </dev/tty' </dev/null
	[[ ${lines[0]} == /dev/pts/*$'\r' ]]
	[[ ${lines[1]} == "${lines[0]}" && ${lines[2]} == "${lines[0]}" ]]
	[[ ${lines[3]} == $'/dev/tty\r' ]]
}

@test "tty: LANG, LC_* and COLORTERM go along with a terminal, and without one do not" {
	export LANG=xx_YY.UTF-8 LC_TIME=zz COLORTERM=truecolor LANGUAGE=q OTHER=1
	run -0 x -tt -e LC_ALL= -- sh -c 'echo $LANG $LC_TIME $COLORTERM; env' </dev/null
	[[ ${lines[0]} == $'xx_YY.UTF-8 zz truecolor\r' && $output != *OTHER=* ]]
	run -0 x -tt -e LANG=own -e COLORTERM -- sh -c 'echo $LANG $COLORTERM' </dev/null
	[[ $output == $'own truecolor\r' ]]
	# The driver in another machine sets its own.
	need_local "the daemon's environment"
	run -0 x -- sh -c 'echo $COLORTERM$LC_TIME' </dev/null
	[[ $output == "" ]]
}

@test "tty: where the guest does not know our TERM it is one that it knows, with a line" {
	printf -v entry '%s' "$(guest sh -c 'ls -d /lib/terminfo/x/xterm-256color /usr/share/terminfo/x/xterm-256color 2>/dev/null || true')"
	[[ $entry ]] || skip "this guest has no terminfo"
	TERM=no-such-terminal run -0 --separate-stderr x -tt -- sh -c 'echo $TERM' </dev/null
	[[ $output == $'xterm-256color\r' ]]
	[[ $stderr == 'msb-exec: the guest has no terminfo entry for no-such-terminal: TERM is xterm-256color there' ]]
	TERM=screen.no-such run -0 --separate-stderr x -q -tt -- sh -c 'echo $TERM' </dev/null
	[[ $output == @(tmux|screen|xterm)* && $output != screen.no-such* && -z $stderr ]]
	# What was asked for stays, and what has an entry of the user's own.
	TERM=no-such-terminal run -0 --separate-stderr x -tt -e TERM=also-none -- sh -c 'echo $TERM' </dev/null
	[[ $output == $'also-none\r' && -z $stderr ]]
	guest sh -c "mkdir -p $DIR/home/.terminfo/n && cp ${entry%%$'\n'*} $DIR/home/.terminfo/n/no-such-terminal"
	TERM=no-such-terminal run -0 --separate-stderr x -tt -e "HOME=$DIR/home" -- sh -c 'echo $TERM' </dev/null
	[[ $output == $'no-such-terminal\r' && -z $stderr ]]
}

@test "tty: TERM goes along with a terminal, and -e wins over it" {
	TERM=vt220 run -0 x -tt -- sh -c 'echo $TERM' </dev/null
	[[ $output == $'vt220\r' ]]
	run -0 env -u TERM timeout $((40 * SLOW)) "$X" -tt -- sh -c 'echo $TERM' </dev/null
	[[ $output == $'xterm\r' ]]
	TERM=vt220 run -0 x -tt -e TERM=ansi -- sh -c 'echo $TERM' </dev/null
	[[ $output == $'ansi\r' ]]
}

# ---- the login shell ----

@test "tty: without a command, terminals give a login shell on a terminal" {
	need_root # whose shell is one
	drive 30x90 "$X" -e HISTFILE= -e "HOME=$DIR" <<-END
		modes raw
		send echo [\$0] \$(stty size) \$(tty)\r
		expect [-
		expect 30 90 /dev/pts/
		send exit 7\r
		wait 7
		modes same
	END
}

@test "tty: without a command, pipes give a login shell that reads them" {
	need_root # whose shell is one
	run -5 --separate-stderr x -e HISTFILE= -e "HOME=$DIR" <<<$'echo "[$0]"\ntty\nexit 5'
	[[ ${lines[0]} == '[-'*']' && ${lines[1]} == 'not a tty' && ${#lines[@]} -eq 2 ]]
	drive 24x80 sh -c "$X -e HISTFILE= -e HOME=$DIR >$DIR/out" <<-END
		send echo "[\$0]"; tty; exit 5\r
		wait 5
	END
	[[ $(<"$DIR/out") == '[-'*$']\nnot a tty' ]]
}

# ---- bytes ----

@test "tty: the end of a piped input ends it in the guest too, after half a line as well" {
	for input in 'a\nb' 'a\n' 'ab' ''; do
		# shellcheck disable=SC2059 # escapes are the point
		printf "$input" >"$DIR/in"
		x -tt -- sh -c "cat >$DIR/got" <"$DIR/in" >"$DIR/out"
		guest cat "$DIR/got" | cmp - "$DIR/in"
	done
	printf 'a\nb' | x -tt -- cat >"$DIR/out"
	x -tt -- cat </dev/null
	x -tt -n -- cat
}

@test "tty: at the end of a piped input the Ctrl-D comes twice after half a line, else once" {
	mkfifo "$DIR/in"
	# The guest reads raw: so many bytes, and then whatever follows until there is silence.
	for input in 'xa\nb:\004\004' 'xa\n:\004'; do
		printf '%b' "${input/:/}" >"$DIR/expected"
		guest rm -f "$DIR/ready"
		x -tt -- sh -c "stty raw -echo; touch $DIR/ready
			head -c $(stat -c %s "$DIR/expected") >$DIR/got
			stty min 0 time 3; cat >>$DIR/got" <"$DIR/in" >"$DIR/out" &
		exec 7>"$DIR/in"
		wait_for 20 guest test -e "$DIR/ready"
		printf '%b' "${input%:*}" >&7
		exec 7>&-
		wait $!
		guest cat "$DIR/got" | cmp - "$DIR/expected"
	done
}

@test "tty: a named pipe whose writer is gone before we look is at its end" {
	mkfifo "$DIR/in"
	for option in -T -tt; do
		echo word >"$DIR/in" &
		run -0 x "$option" -- head -n 2 <"$DIR/in"
		[[ ${output//$'\r'/} == word* ]]
	done
}

@test "tty: all output arrives, however slow the reader" {
	# Through an emulated port it may be a hundred kilobytes a second.
	local expected count=300000
	[[ -z $AGENT ]] || count=60000
	expected=$(seq $count | sed 's/$/\r/' | md5sum)
	x -tt -- seq $count </dev/null | {
		# A reader that takes a bufferful now and then.
		while head -c 65536 >"$DIR/part" && [[ -s $DIR/part ]]; do
			cat "$DIR/part"
			read -rt 0.02 <> <(:) || true
		done
	} | md5sum >"$DIR/sum"
	[[ ${PIPESTATUS[0]} -eq 0 && $(<"$DIR/sum") == "$expected" ]]
	# And one that begins only when the command has long ended.
	x -tt -- sh -c "seq 20000; touch $DIR/ended" </dev/null | {
		wait_for 20 guest test -e "$DIR/ended" </dev/null
		md5sum >"$DIR/sum"
	}
	[[ $(<"$DIR/sum") == "$(seq 20000 | sed 's/$/\r/' | md5sum)" ]]
	drive 24x80 "$X" -tt -- seq 100000 <<-END
		expect 99998\r\n99999\r\n100000\r\n
		wait 0
	END
}

@test "tty: every byte goes through a raw terminal as it is, both ways" {
	printf '%b' "$(printf '\\x%02x' {0..255})" >"$DIR/all"
	[[ $(stat -c %s "$DIR/all") -eq 256 ]]
	drive 24x80 "$X" -tt -- sh -c "stty raw -echo; echo ready; head -c 256 >$DIR/in" <<-END
		expect ready
		paste $DIR/all
		wait 0
	END
	guest cat "$DIR/in" | cmp - "$DIR/all"
	guest tee "$DIR/copy" <"$DIR/all" >"$DIR/out"
	"$X" -tt -- sh -c "stty raw -echo; cat $DIR/copy" </dev/null >"$DIR/out"
	cmp "$DIR/all" "$DIR/out"
}

@test "tty: what is typed in UTF-8 is echoed, and erased by the character" {
	drive 24x80 "$X" -tt -- sh -c 'echo ready; cat' <<-END
		expect ready\r\n
		send grüße 漢字 🙂\r
		expect grüße 漢字 🙂\r\n
		expect grüße 漢字 🙂\r\n
		send a漢\x7fb\r
		expect \r\nab\r\n
		send \x04
		wait 0
	END
}

@test "tty: 1 MiB pasted in short lines arrives whole" {
	seq 200000 | head -c 1048575 >"$DIR/paste"
	echo >>"$DIR/paste"
	drive 24x80 "$X" -tt -- sh -c "echo ready; cat >$DIR/in" <<-END
		expect ready
		paste $DIR/paste
		send \x04
		wait 0
	END
	guest cat "$DIR/in" | cmp - "$DIR/paste"
}

# ---- the way back: our terminal is as it was ----

@test "tty: the modes are raw meanwhile and as before after every normal end" {
	guest_bash 24x80 <<-END
		expect G>
		modes raw
		send exit 7\r
		wait 7
		modes same
	END
	drive 24x80 "$X" -tt -- /no/such/command <<-END
		expect No such file or directory\r\n
		wait 127
		modes same
	END
	drive 24x80 "$X" -tt -- sh -c 'kill -9 $$' <<-END
		wait 137
		modes same
	END
}

@test "tty: modes that are not the usual ones come back too" {
	drive 24x80 bash -c "stty -echo -icanon min 3 erase ^H; echo ready; head -c 1
		$X -tt -- true" <<-END
		expect ready
		modes save
		send g
		send o!
		wait 0
		modes same
	END
}

@test "tty: every signal that ends msb-exec leaves the modes as before" {
	# Not before the shell has become sleep, however long after ready: many shells ignore QUIT.
	for name in HUP INT QUIT TERM USR1 USR2 ABRT SEGV BUS ILL FPE SYS ALRM TRAP XCPU VTALRM \
		PROF PWR STKFLT; do
		drive 24x80 "$X" -tt -- sh -c "echo ready; exec sleep $MARK" <<-END
			expect ready
			modes raw
			run $GUEST pgrep -fx 'sleep $MARK'
			run kill -$name \$PROGRAM
			wait $name
			modes same
			run ! $GUEST pgrep -fx 'sleep $MARK'
		END
	done
}

@test "tty: a real-time signal leaves the modes as before too" {
	drive 24x80 "$X" -tt -- sh -c "echo ready; exec sleep $MARK" <<-END
		expect ready
		modes raw
		run kill -RTMIN \$PROGRAM
		wait
		modes same
		run ! $GUEST pgrep -fx 'sleep $MARK'
	END
}

@test "tty: a killed daemon is 125 and one line; the modes are back, the shell is gone" {
	need_local "its end"
	drive 24x80 "$X" -tt -- sh -c "echo ready; sleep $MARK" <<-END
		expect ready
		modes raw
		run kill -KILL $DAEMON
		expect msb-exec: lost the connection to unix:$SOCKET
		expect \r\n
		wait 125
		absent msb-exec:
		modes same
		run ! $GUEST pgrep -fx 'sleep $MARK'
	END
	daemon_lost
}

@test "tty: a lost connection is 125 and one line, and the modes are back" {
	drive 24x80 "$X" --local -tt -- sh -c "echo ready; sleep $MARK" <<-END
		expect ready
		modes raw
		run kill -KILL \$(pgrep -P \$PROGRAM)
		expect msb-exec: lost the connection to local:
		expect \r\n
		wait 125
		absent msb-exec:
		modes same
		run ! pgrep -fx 'sleep $MARK'
	END
}

@test "tty: a daemon that shuts down ends the shell, and the modes are back" {
	need_local "its end"
	# Not bash: told to hang up while it reads its line it has once been seen to stay, until it was killed.
	drive 24x80 "$X" -tt -- sh -c "sleep $MARK & echo ready; wait" <<-END
		expect ready
		run kill -TERM $DAEMON
		wait 129
		modes same
		run ! $GUEST pgrep -fx 'sleep $MARK'
	END
	wait "$DAEMON"
	DAEMON=
}

@test "tty: a terminal that goes away takes the command along" {
	drive 24x80 "$X" -tt -- sh -c "echo ready; sleep $MARK" <<-END
		expect ready
		hangup
		wait HUP
		run ! $GUEST pgrep -fx 'sleep $MARK'
	END
}

# job ARG...: msb-exec with a command that prints on and on, as a job whose shell keeps the HUP of their
# terminal's end to itself; how it ended, as Python has it, is in $DIR/status then.
job() {
	cat >"$DIR/shell" <<-'END'
		import os, signal, subprocess, sys

		def become_job():
		    os.setpgid(0, 0)
		    os.tcsetpgrp(0, os.getpid())
		    for number in ignored:
		        signal.signal(number, signal.SIG_DFL)

		ignored = signal.SIGHUP, signal.SIGTTOU
		for number in ignored:
		    signal.signal(number, signal.SIG_IGN)
		status = subprocess.Popen(sys.argv[2:], preexec_fn=become_job).wait()
		with open(sys.argv[1], "w") as file:
		    print(status, file=file)
	END
	drive 24x80 python3 -B "$DIR/shell" "$DIR/status" "$X" "$@" -- \
		sh -c "echo ready; while :; do echo on; sleep 0.1; : $MARK; done" <<-END
			expect ready
			hangup
			wait 0
		END
}

@test "tty: a terminal that goes away under output is a HUP, whether that has come yet or not" {
	job -tt
	[[ $(<"$DIR/status") -eq -1 ]]
	wait_for 20 none_match "$MARK"
}

@test "tty: a terminal that goes away under output ends nothing that is kept" {
	for mode in -tt -T; do
		job "$mode" --on-disconnect keep --name "of.$MARK"
		[[ $(<"$DIR/status") -eq -1 ]]
		guest pgrep -f ": $MARK"
		"$X" --kill "of.$MARK" --signal KILL
		wait_for 20 none_match ": $MARK"
		"$X" --remove "of.$MARK"
	done
}

# ---- keys ----

@test "tty: Ctrl-C, Ctrl-Z and Ctrl-\\ are for the command in the guest" {
	# After fg: the shell shows the command before it hands over the terminal.
	guest_bash 24x80 <<-END
		expect G>
		send sleep $MARK\r
		run $GUEST pgrep -fx 'sleep $MARK'
		send \x03
		expect G>
		send echo status \$?\r
		expect status 130
		expect G>
		send sleep $MARK\r
		run $GUEST pgrep -fx 'sleep $MARK'
		send \x1c
		expect Quit
		expect G>
		send sleep $MARK\r
		run $GUEST pgrep -fx 'sleep $MARK'
		send \x1a
		expect Stopped
		expect G>
		send jobs\r
		expect Stopped
		expect sleep $MARK
		expect G>
		send fg\r
		expect sleep $MARK\r\n
		run $GUEST ps -o stat= -p \$($GUEST pgrep -fx 'sleep $MARK') | grep -q '^S.*+'
		send \x03
		expect G>
		send jobs; echo none le''ft\r
		absent Stopped
		expect none left
		send exit 7\r
		wait 7
		run ! $GUEST pgrep -fx 'sleep $MARK'
	END
}

@test "tty: Ctrl-D typed is the end of input" {
	drive 24x80 "$X" -tt -- sh -c 'echo ready; cat; echo over' <<-END
		expect ready\r\n
		send word\r
		expect word\r\nword\r\n
		send \x04
		expect over
		wait 0
	END
}

@test "tty: SIGTSTP stops msb-exec with the modes of before; SIGCONT makes them raw again" {
	guest_bash 24x80 <<-END
		expect G>
		run kill -TSTP \$PROGRAM
		stopped
		modes same
		resize 33 99
		continue
		modes raw
		send stty size\r
		expect 33 99
		run kill -TSTP \$PROGRAM
		stopped
		modes same
		continue
		modes raw
		send exit 7\r
		wait 7
		modes same
	END
}

@test "tty: continued in the background, msb-exec leaves the terminal alone" {
	guest_bash 24x80 <<-END
		expect G>
		run kill -TSTP \$PROGRAM
		stopped
		run kill -CONT \$PROGRAM
		run [[ \$(ps -o state= -p \$PROGRAM) == T ]]
		modes same
		continue
		modes raw
		send exit 7\r
		wait 7
		modes same
	END
}

@test "tty: stopped and continued under a shell that edits its line, the modes are the shell's" {
	drive 24x80 env 'PS1=O> ' HISTFILE= bash --norc <<-END
		expect O>
		send stty -a >$DIR/before\r
		expect O>
		send $X -tt -e 'PS1=G''> ' -e HISTFILE= -- bash --norc\r
		expect G>
		run kill -TSTP \$(pgrep -P \$PROGRAM)
		expect O>
		run kill -CONT \$(pgrep -P \$PROGRAM)
		run [[ \$(ps -o state= -p \$(pgrep -P \$PROGRAM)) == T ]]
		send fg\r
		expect bash --norc
		modes raw
		send exit 7\r
		expect O>
		send echo status \$?; stty -a >$DIR/after\r
		expect status 7
		expect O>
		send exit 0\r
		wait 0
	END
	diff "$DIR/before" "$DIR/after"
}

# ---- the guest's side ----

@test "tty: a terminal that nobody has open for a while is not at its end" {
	run -4 x -tt -- sh -c 'tty=$(tty); exec </dev/null >/dev/null 2>&1; sleep 0.2
		echo again >$tty; exit 4' </dev/null
	[[ $output == *$'again\r' ]]
}

@test "tty: who holds the terminal after the command's end delays ours no longer than --linger" {
	timed drive 24x80 "$X" -tt --linger 300ms -- \
		sh -c "trap '' HUP; sleep $MARK & echo \$! >$DIR/pid; echo ready" <<-END
		expect ready
		wait 0
	END
	((MS >= 300 && MS < 20000 * SLOW))
	guest kill "$(guest cat "$DIR/pid")"
	wait_for 20 none_match "sleep $MARK"
}
