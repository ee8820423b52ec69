#!/usr/bin/env bats
# Our own keys in a terminal: escapes as ssh has them, and those that detach.

load helper

setup() {
	common_setup
	daemon_start
	export TERM=xterm
	MARK=$(mark)
}

teardown() {
	common_teardown
}

# Says when it reads, and what it got.
raw_reader='stty raw -echo; printf ready; while key=$(dd bs=1 count=1 2>/dev/null | od -An -tx1)
	[ -n "$key" ]; do printf "<%s>" "$key"; done'

# told OPTION...: that command, and our script on stdin.
told() {
	drive 24x80 "$X" -tt "$@" -- sh -c "$raw_reader"
}

# sleeper OPTION...: the same for a command whose end can be seen.
sleeper() {
	drive 24x80 "$X" -tt "$@" -- sh -c "echo ready; sleep $MARK"
}

# What was left running.
end_sleep() {
	kill "$(pgrep -fx "sleep $MARK")"
	wait_for 20 none_match "sleep $MARK"
}

# ---- escapes ----

@test "escape: ~. disconnects, which ends the command, with 125 and a line" {
	sleeper <<-END
		expect ready
		modes raw
		send ~.
		expect msb-exec: disconnected: the agent ends the command\r\n
		wait 125
		modes same
		run ! pgrep -fx 'sleep $MARK'
	END
	sleeper <<-END
		expect ready
		send abc\r~.
		expect msb-exec: disconnected
		wait 125
	END
}

@test "escape: ~. works while the agent is stuck" {
	sleeper <<-END
		expect ready
		run kill -STOP $DAEMON
		send ~.
		expect msb-exec: disconnected
		wait 125
		modes same
		run kill -CONT $DAEMON
		run ! pgrep -fx 'sleep $MARK'
	END
}

@test "escape: ~. with --on-disconnect keep leaves the command running, and says so" {
	sleeper --on-disconnect keep <<-END
		expect ready
		send ~.
		expect msb-exec: disconnected: the command runs on\r\n
		wait 125
		run pgrep -fx 'sleep $MARK'
	END
	end_sleep
}

@test "escape: ~? lists them and sends nothing, ~~ is a tilde, and other keys go with the tilde" {
	told <<-END
		expect ready
		send ~?
		expect ~?\r\n
		expect ~.   disconnect\r\n
		expect ~^Z  suspend msb-exec\r\n
		expect ~~   send
		send ~~
		expect < 7e>
		send x~.
		expect < 78>< 7e>< 2e>
		send \n~/
		expect < 0a>< 7e>< 2f>
		send \r~
		expect < 0d>
		absent < 7e>
		send a
		expect < 7e>< 61>
		send \r~.
		wait 125
	END
}

@test "escape: the character may be another, a control character, or none" {
	told --escape-char % <<-END
		expect ready
		send ~.\r
		expect < 7e>< 2e>< 0d>
		send %.
		wait 125
	END
	told --escape-char ^A <<-END
		expect ready
		send \x01?
		expect ^A.   disconnect
		send \x01.
		wait 125
	END
	told --escape-char none <<-END
		expect ready
		send ~.\r~.
		expect < 7e>< 2e>< 0d>< 7e>< 2e>
		send \x1d\x1d\x1d
		wait 0
	END
}

@test "escape: there are none without a terminal on both sides" {
	run -0 "$X" -tt -- cat <<<$'~.\n~.'
	[[ $output == *'~.'* ]]
	run -0 "$X" -- cat <<<$'~.\n\x1d\x1d\x1d~.'
	[[ $output == $'~.\n\x1d\x1d\x1d~.' ]]
	drive 24x80 "$X" -T -- cat <<-END
		send ~.\r\x1d\x1d\x1d\r
		expect ^]^]^]\r\n~.\r\n\x1d\x1d\x1d\r\n
		send \x04
		wait 0
	END
}

@test "escape: values that are none are refused" {
	for value in '' ab ^ab ^1; do
		run -125 --separate-stderr "$X" --escape-char "$value" -- true
		[[ $stderr == "msb-exec: --escape-char: $value is not a character"* ]]
	done
	for value in ctrl-pp 'ctrl-p,' ab ctrl-1 a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a; do
		run -125 --separate-stderr "$X" --detach-keys "$value" -- true
		[[ $stderr == "msb-exec: --detach-keys: $value is not up to "* ]]
	done
}

# ---- suspending ----

@test "escape: ~^Z suspends msb-exec with the modes of before, and fg brings all back" {
	drive 24x80 "$X" -tt -e 'PS1=G> ' -e HISTFILE= -- bash --norc <<-END
		expect G>
		send ~\x1a
		stopped
		modes same
		resize 33 99
		continue
		modes raw
		send stty size\r
		expect 33 99
		expect G>
		send ~\x1a
		stopped
		modes same
		continue
		modes raw
		send exit 7\r
		wait 7
		modes same
	END
}

@test "escape: ~^Z stops a script around msb-exec too" {
	drive 24x80 sh -c "$X -tt -- cat; echo status \$?" <<-END
		modes raw
		send ~\x1a
		stopped
		modes same
		continue
		modes raw
		send word\r
		expect word\r\nword\r\n
		send \x04
		expect status 0
		wait 0
		modes same
	END
}

@test "escape: a suspended msb-exec that is told to end does, without the terminal" {
	sleeper <<-END
		expect ready
		send ~\x1a
		stopped
		run kill -TERM \$PROGRAM
		run kill -CONT \$PROGRAM
		wait TERM
		modes same
		run ! pgrep -fx 'sleep $MARK'
	END
}

@test "escape: stopped by SIGSTOP and continued, the terminal is raw again" {
	drive 24x80 "$X" -tt -e 'PS1=G> ' -e HISTFILE= -- bash --norc <<-END
		expect G>
		run kill -STOP \$PROGRAM
		stopped
		run stty sane <\$(readlink /proc/\$PROGRAM/fd/0)
		continue
		modes raw
		send exit 7\r
		wait 7
	END
}

# ---- detaching ----

@test "escape: ctrl-] three times within a second leaves the command running, with 0, and says how to come back" {
	told <<-END
		expect ready
		send \x1d
		expect < 1d>
		send x\x1d\x1d
		expect < 78>< 1d>< 1d>
		send x\x1d\x1d\x1d
		expect \r\nmsb-exec: detached: msb-exec --attach\s
		expect \scomes back\r\n
		wait 0
		modes same
	END
	for what in kill hangup keep; do
		sleeper --on-disconnect $what <<-END
			expect ready
			modes raw
			send \x1d\x1d\x1d
			expect msb-exec: detached: msb-exec --attach\s
			expect \scomes back\r\n
			wait 0
			modes same
			run pgrep -fx 'sleep $MARK'
		END
		end_sleep
	done
}

@test "escape: a private agent ends the command, whatever was asked for, and that is what is said" {
	sleeper --local --on-disconnect keep <<-END
		expect ready
		send \x1d\x1d\x1d
		expect msb-exec: detached: the agent ends the command; this one cannot keep it\r\n
		wait 125
		run ! pgrep -fx 'sleep $MARK'
	END
}

@test "escape: other detach keys, and none; the usual ones then are keys" {
	told --detach-keys ctrl-p,ctrl-q <<-END
		expect ready
		send \x1d\x1d\x1d
		expect < 1d>< 1d>< 1d>
		send \x10
		expect < 10>
		send x\x11
		expect < 78>< 11>
		send \x10\x11
		expect msb-exec: detached
		wait 0
	END
	told --detach-keys '' <<-END
		expect ready
		send \x1d\x1d\x1d\r
		expect < 1d>< 1d>< 1d>< 0d>
		send ~.
		expect msb-exec: disconnected
		wait 125
	END
}
