#!/usr/bin/env bats
# Sessions left and come back to under a real terminal, with the programs that people run in one.

load helper
load tmux

setup() {
	common_setup
	daemon_start
	MARK=$(mark)
	tmux_start
	tm set-option -g exit-empty off
}

teardown() {
	tmux_end
	common_teardown
}

# enter [OPTION...]: a shell in the guest.
enter() {
	keys "clear; $X -t --detach-keys ctrl-g $* -e 'PS1=G> ' -e HISTFILE= -- bash --norc" Enter
	wait_for 20 prompt 'G>'
}

# leave: by the keys, and the outer shell has its terminal as before.
leave() {
	# One that nobody else gets a part of, as of the usual three.
	keys C-g
	wait_for 20 shows '--attach'
	wait_for 20 prompt 'O>'
	ID=$(screen | grep -oE -- '--attach [a-z0-9]+' | tail -n 1)
	ID=${ID#* }
	keys 'echo status $?' Enter
	wait_for 20 shows 'status 0'
	same_modes
	keys clear Enter
	wait_for 20 prompt 'O>'
}

come_back() {
	keys "$X --detach-keys ctrl-g --attach $ID" Enter
}

# is_screen FILE: but for the last line, where vi clears what it said when the size changes.
is_screen() {
	screen | head -n 23 | cmp -s - "$1"
}

# same_again: what is on the screen is there again behind leaving and coming back.
same_again() {
	# Until nothing changes any more.
	wait_for 20 eval 'screen | head -n 23 >$DIR/was && sleep 0.2 && is_screen "$DIR/was"'
	leave
	come_back
	wait_for 20 is_screen "$DIR/was" || {
		screen | diff "$DIR/was" - >&2
		return 1
	}
}

end() {
	keys 'exit 7' Enter
	wait_for 20 prompt 'O>'
	keys 'echo status $?' Enter
	wait_for 20 shows 'status 7'
	same_modes
	! "$X" --sessions --json | grep -v '"ended"'
}

@test "kept: a shell that was not kept is left by the keys, and goes on at its prompt" {
	enter
	keys 'x=still' Enter
	wait_for 20 prompt 'G>'
	leave
	come_back
	wait_for 20 shows 'G>'
	keys 'echo $x here' Enter
	wait_for 20 shows 'still here'
	# Another size came first, for programs to paint anew.
	keys 'until [ "$(stty size)" = "24 80" ]; do sleep 0.05; done; echo fi""ts' Enter
	wait_for 20 shows 'fits'
	end
}

@test "kept: a shell that was kept shows what it showed" {
	enter --on-disconnect keep --name bash
	keys 'seq 1 10; echo grüße 漢字' Enter
	wait_for 20 shows 'grüße 漢字'
	wait_for 20 prompt 'G>'
	leave
	come_back
	wait_for 20 shows 'grüße 漢字'
	wait_for 20 prompt 'G>'
	keys 'echo $((6 * 7)) is it' Enter
	wait_for 20 shows '42 is it'
	end
}

@test "kept: less shows the same again, kept or not" {
	seq -f 'line %g.' 200 >"$DIR/lines"
	for options in '' '--on-disconnect keep'; do
		# shellcheck disable=SC2086 # words
		enter $options
		keys "less $DIR/lines" Enter
		wait_for 20 shows 'line 23.'
		keys Space
		wait_for 20 shows 'line 46.'
		same_again
		keys g
		wait_for 20 shows 'line 1.'
		same_again
		keys q
		wait_for 20 prompt 'G>'
		end
		keys clear Enter
	done
}

@test "kept: vi shows the same again, kept or not, and edits on" {
	for options in '' '--on-disconnect keep'; do
		rm -f "$DIR/text"
		# shellcheck disable=SC2086 # words
		enter $options
		run_vi "$DIR/text"
		keys i 'first line' Enter 'grüße 漢字'
		wait_for 20 shows 'grüße'
		same_again
		keys ' more' Escape
		wait_for 20 shows 'more'
		same_again
		keys ':wq' Enter
		wait_for 20 prompt 'G>'
		[[ $(<"$DIR/text") == $'first line\ngrüße 漢字 more' ]]
		end
		keys clear Enter
	done
}

@test "kept: vi that is come back to in a window of another size fits it" {
	enter
	run_vi "$DIR/text"
	leave
	tm resize-window -x 100 -y 40
	come_back
	wait_for 20 eval '(($(tildes) > 30))'
	keys ':q!' Enter
	wait_for 20 shows 'G>'
	keys 'exit 7' Enter
	wait_for 20 prompt 'O>'
}

@test "kept: htop or top goes on" {
	command -v htop top >/dev/null || skip "neither htop nor top"
	enter
	keys "$(command -v htop || command -v top)" Enter
	wait_for 20 shows PID
	leave
	come_back
	wait_for 20 shows PID
	keys q
	wait_for 20 shows 'G>'
	end
}

@test "kept: a terminal that is closed leaves a kept session, which is come back to in another" {
	enter --on-disconnect keep --name it
	keys "x=still; sleep $MARK" Enter
	wait_for 20 pgrep -fx "sleep $MARK"
	tm kill-window
	wait_for 20 eval '"$X" --sessions --json | grep -q "\"attached\": *0"'
	pgrep -fx "sleep $MARK"
	tm new-session -d -x 80 -y 24 -e 'PS1=O> ' -e HISTFILE= -e PROMPT_COMMAND= bash --norc 3>&-
	wait_for 20 prompt 'O>'
	ID=it
	come_back
	wait_for 20 shows "sleep $MARK"
	keys C-c
	wait_for 20 none_match "sleep $MARK"
	wait_for 20 prompt 'G>'
	keys 'echo $x here' Enter
	wait_for 20 shows 'still here'
	end
}
