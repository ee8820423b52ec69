#!/usr/bin/env bats
# Under a real terminal, with the programs that people run in one.

load helper
load tmux

setup() {
	common_setup
	daemon_start
	MARK=$(mark)
	tmux_start
}

teardown() {
	tmux_end
	common_teardown
}

enter_guest() {
	keys "$X -t -e 'PS1=G> ' -e HISTFILE= -- bash --norc" Enter
	wait_for 20 prompt 'G>'
}

leave_guest() {
	keys 'exit 7' Enter
	wait_for 20 prompt 'O>'
	keys 'echo status $?' Enter
	wait_for 20 shows 'status 7'
	same_modes
}

@test "tmux: a shell that is typed into, and its status" {
	enter_guest
	keys 'echo $((6 * 7)) is it' Enter
	wait_for 20 shows '42 is it'
	keys 'echo grüße 漢字' Enter
	wait_for 20 eval '[[ $(screen | grep -cx "grüße 漢字") -eq 1 ]]'
	# The line is edited: a word erased, the history called back.
	keys 'echo false' C-w 'true' Enter
	wait_for 20 eval '[[ $(screen | grep -cx true) -eq 1 ]]'
	keys Up Enter
	wait_for 20 eval '[[ $(screen | grep -cx true) -eq 2 ]]'
	leave_guest
}

@test "tmux: Ctrl-C, Ctrl-Z and fg are for the guest's jobs" {
	enter_guest
	keys "sleep $MARK" Enter
	wait_for 20 pgrep -fx "sleep $MARK"
	keys C-c
	wait_for 20 none_match "sleep $MARK"
	wait_for 20 prompt 'G>'
	keys "sleep $MARK" Enter
	wait_for 20 pgrep -fx "sleep $MARK"
	keys C-z
	wait_for 20 shows Stopped
	wait_for 20 prompt 'G>'
	keys clear Enter
	wait_for 20 prompt 'G>'
	keys fg Enter
	wait_for 20 eval '[[ $(screen) == *fg*"sleep $MARK"* ]]'
	# The shell shows the command before it hands over the terminal.
	wait_for 20 eval 'ps -o stat= -p "$(pgrep -fx "sleep $MARK")" | grep -q "^S.*+"'
	keys C-c
	wait_for 20 none_match "sleep $MARK"
	wait_for 20 prompt 'G>'
	leave_guest
}

@test "tmux: vi edits a file, and follows the window's size" {
	enter_guest
	run_vi "$DIR/text"
	keys i 'first line' Enter 'second' Escape
	wait_for 20 shows second
	tm resize-window -x 100 -y 40
	wait_for 20 eval '(($(tildes) > 30))'
	keys ':!stty size' Enter
	wait_for 20 shows '40 100'
	wait_for 20 shows 'Press ENTER'
	keys Enter
	wait_for 20 eval '(($(tildes) > 30))'
	tm resize-window -x 60 -y 20
	wait_for 20 eval '(($(tildes) < 18))'
	tm resize-window -x 80 -y 24
	wait_for 20 eval '(($(tildes) > 18))'
	keys ':wq' Enter
	wait_for 20 prompt 'G>'
	[[ $(<"$DIR/text") == $'first line\nsecond' ]]
	leave_guest
}

@test "tmux: less scrolls and quits" {
	seq -f 'line %g.' 200 >"$DIR/lines"
	enter_guest
	keys "less $DIR/lines" Enter
	wait_for 20 shows 'line 23.'
	keys Space
	wait_for 20 shows 'line 46.'
	wait_for 20 eval '! shows "line 23."'
	keys G
	wait_for 20 shows 'line 200.'
	keys g
	wait_for 20 shows 'line 1.'
	keys q
	wait_for 20 prompt 'G>'
	leave_guest
}

@test "tmux: a daemon killed under vi leaves a usable shell, its terminal as before" {
	enter_guest
	run_vi "$DIR/text"
	kill -KILL "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=
	wait_for 20 shows 'msb-exec: lost the connection'
	wait_for 20 prompt 'O>'
	keys 'echo status $?' Enter
	wait_for 20 shows 'status 125'
	same_modes
	wait_for 20 none_match "$DIR/text"
}

@test "tmux: a window that is closed takes the guest's shell along" {
	tm set-option -g exit-empty off
	enter_guest
	keys "sleep $MARK" Enter
	wait_for 20 pgrep -fx "sleep $MARK"
	tm kill-window
	wait_for 20 none_match "sleep $MARK"
}
