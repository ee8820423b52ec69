#!/usr/bin/env bats
# Every way out of every program: the terminal's modes before and after, the end in time, and what it
# says of itself.

load helper

setup() {
	common_setup
	export TERM=xterm HOME=$DIR/home XDG_STATE_HOME=$DIR/state
	mkdir "$HOME"
	ulimit -S -c 0
	MARK=$(mark)
	daemon_start
	PROMPT='$\s'
	[[ $(guest id -u) -ne 0 ]] || PROMPT='#\s'
}

teardown() {
	common_teardown
}

need_console() {
	[[ -x $CONSOLE ]] || skip "built without readline"
}

# The daemon is to die under its client; it is no failure then.
daemon_lost() {
	wait "$DAEMON" || true
	DAEMON=
}

# console: on a terminal, by a script on stdin.
console() {
	drive 24x100 "$X" --console -e HOME "$@"
}

# ---- the console ----

@test "leave: the console's own ways out, and the shell's" {
	need_console
	for keys in '\\q\r' 'exit\r' '\x04'; do
		console <<-END
			expect $PROMPT
			send $keys
			wait 0
			modes same
		END
	done
	console <<-END
		expect $PROMPT
		send exit\s7\r
		wait 7
		modes same
	END
	console <<-END
		expect $PROMPT
		send kill\s-KILL\s\$\$\r
		expect this is a new one
		expect $PROMPT
		send \\\\q\r
		wait 137
		modes same
	END
}

@test "leave: signals that end the console, at its prompt and while something runs" {
	need_console
	for name in TERM HUP; do
		console <<-END
			expect $PROMPT
			run kill -$name \$PROGRAM
			wait $name
			modes same
		END
		console <<-END
			expect $PROMPT
			send echo\sru"nn"ing;\sexec\ssleep\s$MARK\r
			expect running
			run kill -$name \$PROGRAM
			wait $name
			modes same
		END
	done
}

@test "leave: a console whose daemon is killed, at its prompt and while something runs" {
	need_console
	console --reconnect 0 <<-END
		expect $PROMPT
		run kill -KILL $DAEMON
		expect msb-exec-console: lost the connection
		wait 125
		modes same
	END
	daemon_lost
	daemon_start
	console --reconnect 0 <<-END
		expect $PROMPT
		send echo\sru"nn"ing;\sexec\ssleep\s$MARK\r
		expect running
		run kill -KILL $DAEMON
		expect msb-exec-console: lost the connection
		wait 125
		modes same
	END
	daemon_lost
}

@test "leave: a console that was stopped and continued" {
	need_console
	console <<-END
		expect $PROMPT
		run kill -TSTP \$PROGRAM
		stopped
		modes same
		continue
		send \\\\q\r
		wait 0
		modes same
	END
	console <<-END
		expect $PROMPT
		send echo\sru"nn"ing;\scat\r
		expect running
		run kill -TSTP \$PROGRAM
		stopped
		modes same
		continue
		modes raw
		send \x03
		expect 130
		send \\\\q\r
		wait 130
		modes same
	END
}

# ---- msb-exec ----

@test "leave: a command that takes no keys any more leaves us ours" {
	drive 24x80 sh -c "'$X' -v -t -- sh -c 'trap \"\" HUP; yes; sleep $MARK' | head -1" <<-END
		modes raw
		run pgrep -fx 'sleep $MARK'
		send x
		expect the command's input
		send yz\r~.
		expect msb-exec: disconnected
		wait
		modes same
	END
	wait_for 5 none_match "sleep $MARK"
}

@test "leave: Ctrl-C reaches a command that takes no keys any more" {
	drive 24x80 sh -c "'$X' -v -t -- sh -c 'trap \"\" HUP; yes; sleep $MARK' | head -1" <<-END
		modes raw
		run pgrep -fx 'sleep $MARK'
		send xy
		expect the command's input
		send \x03
		wait
		modes same
	END
	wait_for 5 none_match "sleep $MARK"
}

@test "leave: the terminal is cooked as soon as the session is over, however slow the reader" {
	mkfifo "$DIR/go"
	drive 24x80 sh -c "'$X' -t -- sh -c 'touch $DIR/began; exec seq 20000' | { read -r go <'$DIR/go'; wc -l; }" <<-END
		run test -e $DIR/began
		modes again
		run echo >$DIR/go
		expect 20000
		wait 0
		modes same
	END
	# It is heard then, too.
	drive 24x80 sh -c "'$X' -t -- sh -c 'touch $DIR/again; exec seq 20000' | { trap '' INT; exec sleep $MARK; }" <<-END
		run test -e $DIR/again
		run pgrep -x sleep -P \$PROGRAM
		modes again
		send \x03
		run ! pgrep -x msb-exec -P \$PROGRAM
		run kill \$(pgrep -x sleep -P \$PROGRAM)
		wait
		modes same
	END
}

@test "leave: nobody takes the last line, and TERM ends us all the same" {
	for command in "'$X' -S unix:$DIR/nowhere -- true" "'$X' -- nosuch$MARK" "'$X' --console -S unix:$DIR/nowhere -c true"; do
		[[ $command != *--console* || -x $CONSOLE ]] || continue
		timeout $((20 * SLOW)) python3 -B - "$command" <<-'END'
			import fcntl, os, signal, subprocess, sys, time

			there, here = os.pipe()
			os.set_blocking(here, False)
			try:
			    while True:
			        os.write(here, bytes(4096))
			except BlockingIOError:
			    pass
			os.set_blocking(here, True)
			process = subprocess.Popen(["sh", "-c", "exec " + sys.argv[1]], stderr=here)
			def asleep():
			    with open(f"/proc/{process.pid}/stat") as file:
			        name = open(f"/proc/{process.pid}/comm").read()
			        return name.startswith("msb-exec") and file.read().rsplit(")", 1)[1].split()[0] == "S"
			# Long enough that it waits for its reader and for nobody else.
			seen = 0
			while seen < 20:
			    seen = seen + 1 if asleep() else 0
			    time.sleep(0.05)
			process.terminate()
			assert process.wait() == -signal.SIGTERM, process.returncode
		END
	done
}

@test "leave: ~. from a terminal that nobody reads" {
	timeout $((20 * SLOW)) python3 -B - "$X" <<-'END'
		import os, pty, sys, time

		pid, master = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], [sys.argv[1], "-t", "--", "yes"])
		def stands():
		    with open(f"/proc/{pid}/stat") as file:
		        return file.read().rsplit(")", 1)[1].split()[0] == "S"
		seen = 0
		while seen < 20:
		    seen = seen + 1 if stands() else 0
		    time.sleep(0.05)
		os.write(master, b"\r~.")
		_, status = os.waitpid(pid, 0)
		assert os.waitstatus_to_exitcode(status) == 125, status
	END
}

@test "leave: TERM ends what the terminal has stopped" {
	# By a shell with job control: one writes in the background, the other wants the modes.
	drive 24x100 env PS1='G> ' bash --norc -i <<-END
		expect G>
		send stty tostop; '$X' -- sh -c 'echo out; exec sleep $MARK' &\r
		expect G>
		run [ "\$(ps -o stat= -p \$(pgrep -f '[s]leep $MARK' | head -1) | cut -c1)" ]
		run ps -o stat= -C msb-exec --ppid \$PROGRAM | grep -q T
		send kill %1\r
		run ! ps -o stat= --ppid \$PROGRAM | grep -q T
		send stty -tostop; '$X' -t -- sleep $MARK &\r
		run ps -o stat= --ppid \$PROGRAM | grep -q T
		send kill %+\r
		run ! ps -o stat= --ppid \$PROGRAM | grep -q T
		send exit\r
		wait
		modes same
	END
	wait_for 5 none_match "sleep $MARK"
}

@test "leave: one Ctrl-C leaves a loop of console scripts" {
	need_console
	drive 24x80 bash -c "for i in 1 2 3; do echo begin \$i; '$X' --console -c 'echo ru\"nn\"ing; sleep $MARK'; done; echo over" <<-END
		expect begin 1
		expect running
		send \x03
		wait INT
		absent begin 2
		modes same
	END
}

@test "leave: three INTs leave a console script that ignores them" {
	need_console
	timeout $((20 * SLOW)) python3 -B - "$X" "$MARK" <<-'END'
		import signal, subprocess, sys, time

		script = f"trap '' INT; echo ready; sleep {sys.argv[2]}"
		process = subprocess.Popen([sys.argv[1], "--console", "-c", script], text=True,
		                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
		                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
		assert process.stdout.readline() == "ready\n"
		# Two that come at once may be one.
		while process.poll() is None:
		    process.send_signal(signal.SIGINT)
		    time.sleep(0.1)
		said = process.stderr.read()
		assert process.returncode == 125, process.returncode
		assert said == "msb-exec: gave up after three signals; the agent ends the command\n", said
	END
	wait_for 5 none_match "sleep $MARK"
}

@test "leave: a QUIT that was passed on makes no core of ours" {
	mkdir "$DIR/core"
	cd "$DIR/core"
	run timeout $((20 * SLOW)) python3 -B - "$X" <<-'END'
		import os, resource, signal, subprocess, sys

		hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
		process = subprocess.Popen([sys.argv[1], "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
		                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
		os.write(process.stdin.fileno(), b"it runs\n")
		process.stdout.readline()
		process.send_signal(signal.SIGQUIT)
		_, status = os.waitpid(process.pid, 0)
		assert os.WTERMSIG(status) == signal.SIGQUIT and not os.WCOREDUMP(status), status
	END
	[[ $status -eq 0 ]] || { echo "$output"; return 1; }
}

@test "leave: lines that are logged in raw mode begin at the margin" {
	drive 24x80 "$X" -v -tt -- sh -c 'read line; echo over' <<-END
		expect the command runs as process
		modes raw
		expect \r\n
		send x\r
		expect over
		wait 0
	END
	# What was logged once it was raw: each newline has its return.
	script -qec "'$X' -v -tt -- true" "$DIR/typescript" >/dev/null
	grep -q 'runs as process' "$DIR/typescript"
	run -1 grep -v $'\r$' < <(grep 'runs as process' "$DIR/typescript")
}

@test "leave: who ends in the background leaves the modes of whoever is in front" {
	need_console
	# It was stopped by Ctrl-Z at its prompt, and by what leaves it no time to give the modes back.
	for stop in TSTP STOP; do
		console <<-END
			expect $PROMPT
			run kill -$stop \$PROGRAM
			stopped
			run stty -F /proc/\$PROGRAM/fd/0 -echo -icanon -icrnl
			modes save
			run kill -TERM \$PROGRAM; kill -CONT \$PROGRAM
			wait TERM
			modes same
		END
	done
}

@test "leave: a console whose reader is slow gives the terminal back when all is over" {
	need_console
	mkfifo "$DIR/slow"
	drive 24x100 sh -c "exec $X --console --reconnect 0 -e HOME >$DIR/slow" <<-END &
		run until [ -e $DIR/open ]; do sleep 0.05; done
		send seq\s1000000\r
		modes raw
		run until [ -e $DIR/full ]; do sleep 0.05; done
		run kill -KILL $DAEMON
		modes again
		run touch $DIR/go
		wait 125
		modes same
	END
	drive=$!
	exec 8<"$DIR/slow"
	touch "$DIR/open"
	wait_for 20 eval 'head -c 100000 <&8 | grep -q 1000'
	touch "$DIR/full"
	wait_for 20 test -e "$DIR/go"
	cat <&8 >/dev/null
	wait "$drive"
	daemon_lost
}

@test "leave: Ctrl-C that comes as a signal while a line runs is for what runs, and watched" {
	need_console
	console <<-END
		expect $PROMPT
		send echo\sru"nn"ing;\ssleep\s$MARK\r
		expect running
		modes raw
		run until pgrep -f "^sleep $MARK"; do sleep 0.05; done
		run kill -INT \$PROGRAM
		expect 130
		send echo\sru"nn"ing;\ssleep\s$MARK\r
		expect running
		run until pgrep -f "^sleep $MARK"; do sleep 0.05; done
		run kill -STOP $DAEMON
		run kill -INT \$PROGRAM
		expect answer
		wait INT
		modes same
	END
	kill -CONT "$DAEMON"
}
