#!/usr/bin/env bats
# What a command turned on in our terminal is off again, whichever way the session ends.

load helper

# Alternate screen, cursor, mouse, paste, focus, keypad; and what undoes it, in our order.
ON='\033[?1049h\033[?1h\033=\033[?25l\033[?2004h\033[?1004h\033[?1000;1006h'
OFF='\x1b>\x1b[?1l\x1b[?2004l\x1b[?1004l\x1b[?1000l\x1b[?1006l\x1b[?25h\x1b[?1049l'

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

# A command that turns it all on and stays, with our script on stdin.
painter() {
	drive 24x80 "$X" -tt -- sh -c "printf '${ON}ready'; exec sleep $MARK"
}

@test "modes: every signal that ends msb-exec leaves nothing on" {
	# Not before the shell has become sleep: many shells ignore QUIT.
	for name in HUP INT QUIT TERM USR1 USR2 ABRT SEGV BUS ILL FPE SYS ALRM TRAP XCPU VTALRM \
		PROF PWR STKFLT IO RTMIN RTMAX; do
		painter <<-END
			expect ready
			modes raw
			run pgrep -fx 'sleep $MARK'
			run kill -$name \$PROGRAM
			expect $OFF
			wait
			modes same
			run ! pgrep -fx 'sleep $MARK'
		END
	done
}

@test "modes: a killed daemon leaves nothing on, and the line comes behind it" {
	painter <<-END
		expect ready
		run kill -KILL $DAEMON
		expect $OFF
		expect msb-exec: lost the connection
		wait 125
		modes same
	END
	wait "$DAEMON" || true
	DAEMON=
}

@test "modes: nor do ~., detaching, and a command that does not clean up" {
	for keys in '~.' '\x1d\x1d\x1d' '\x03'; do
		painter <<-END
			expect ready
			send $keys
			expect $OFF
			wait
			modes same
		END
	done
	drive 24x80 "$X" -tt -- printf "$ON" <<-END
		expect $OFF
		wait 0
	END
}

@test "modes: a command that cleans up is not helped" {
	drive 24x80 "$X" -tt -- printf "$ON\033[?1049l\033[?1l\033>\033[?25h\033[?2004;1004;1000;1006lover" <<-END
		expect over
		wait 0
		absent \x1b
	END
}

@test "modes: while suspended they are off, and afterwards on again, in the alternate screen painted anew" {
	drive 24x80 "$X" -tt -- sh -c "trap 'printf painted' WINCH; printf '${ON}ready'
		while :; do sleep 0.05; done" <<-END
		expect ready
		send ~\x1a
		stopped
		expect $OFF
		modes same
		continue
		expect \x1b[?1049h\x1b[?25l\x1b[?1006h\x1b[?1000h\x1b[?1004h\x1b[?2004h\x1b[?1h\x1b=
		expect painted
		send \x03
		wait
	END
}

@test "modes: nothing is printed where stdout is no terminal" {
	drive 24x80 sh -c "$X -tt -- printf '$ON' >$DIR/out" <<-END
		wait 0
		absent \x1b
	END
	# shellcheck disable=SC2059 # escapes are the point
	cmp "$DIR/out" <(printf "$ON")
}

@test "modes: what was started ignoring a signal goes on doing so" {
	drive 24x80 sh -c "trap '' XCPU PWR; exec $X -tt -- cat" <<-END
		modes raw
		run kill -XCPU \$PROGRAM
		run kill -PWR \$PROGRAM
		send word\r
		expect word\r\nword\r\n
		modes raw
		send \x04
		wait 0
		modes same
	END
}
