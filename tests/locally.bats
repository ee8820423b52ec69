#!/usr/bin/env bats
# Programs of the terminal look in a guest as they look locally: two equal panes, the same program
# in both, the same keys to both, and after each the same screen, attributes and cursor included.

load helper

setup() {
	common_setup
	daemon_start
	MARK=$(mark)
	# Both in the same surroundings, so that what differs is the way there.
	printf '%s\n' 'PS1="$ " HISTFILE=' 'export EDITOR=vi' >"$DIR/rc"
	local clean=(env -i "PATH=$PATH" "HOME=$DIR" TERM=screen-256color LC_ALL=C.UTF-8 LESS=
		bash --rcfile "$DIR/rc")
	mkdir "$DIR"/{local,guest}
	tm new-session -d -s local -x 80 -y 24 -c "$DIR/local" "${clean[@]}" 3>&-
	tm new-session -d -s guest -x 80 -y 24 -c "$DIR" "$X" -t -w "$DIR/guest" -- "${clean[@]}" 3>&-
	wait_for 8 shows '$'
}

teardown() {
	for side in local guest; do
		inner "$side" kill-server 2>/dev/null || true
	done
	tm kill-server || true
	wait_for 8 none_match "$DIR/rc"
	common_teardown
}

# tmux, our own server.
tm() {
	tmux -S "$DIR/tmux" -f /dev/null "$@"
}

# inner SIDE ARG...: the tmux that runs in that pane.
inner() {
	tmux -S "$DIR/inner.$1" -f /dev/null "${@:2}"
}

# keys KEY...: to both panes.
keys() {
	for side in local guest; do
		tm send-keys -t "$side" "$@"
	done
}

# look SIDE: the screen, with attributes and the cursor. Whoever runs in there twice has a name for it.
look() {
	tm capture-pane -e -p -t "$1" | sed "s/\.$1/.SIDE/g"
	tm display-message -p -t "$1" \
		'#{cursor_x},#{cursor_y} #{cursor_flag} #{alternate_on} #{keypad_flag} #{mouse_any_flag}'
}

# same: both look the same now.
same() {
	look local >"$DIR/local.screen" && look guest >"$DIR/guest.screen" &&
		cmp -s "$DIR/local.screen" "$DIR/guest.screen"
}

# shows TEXT: both show it, and look the same, now and after another look.
shows() {
	same && sed 's/\x1b\[[0-9;]*m//g' "$DIR/local.screen" | grep -qF -- "$1" || return 1
	cp "$DIR/local.screen" "$DIR/before"
	same && cmp -s "$DIR/before" "$DIR/local.screen"
}

# text LINES: a file of that name for each.
text() {
	seq -f 'line %g of a long text' "$1" | tee "$DIR/local/text" >"$DIR/guest/text"
}

# typed TEXT KEY...: to both; before long both show the text.
typed() {
	local limit=$((SECONDS + 8 * SLOW))
	keys "${@:2}"
	until shows "$1"; do
		((SECONDS < limit)) || {
			echo "gave up waiting for: $1" >&2
			diff "$DIR/local.screen" "$DIR/guest.screen" || cat "$DIR/local.screen"
			return 1
		} >&2
	done
}

resized() {
	for side in local guest; do
		tm resize-window -t "$side" -x "$1" -y "$2"
	done
}

@test "locally: vim" {
	local vim
	vim=$(command -v vim.tiny || command -v vi)
	text 60
	typed 'line 20 of' "$vim -u NONE -N -n text" Enter
	typed '-- INSERT --' 'Oinserted grüße 漢字'
	typed 'inserted' Escape
	typed 'line 60 of' 'G'
	typed 'search me' '?line 33' Enter 'osearch me' Escape
	typed '3 substitutions' ':1,4s/line/LINE/' Enter
	typed '/line' ':set number hlsearch' Enter '/line' Enter
	typed 'text' ':split' Enter
	resized 100 30
	typed 'line' C-w '_'
	resized 60 20
	typed 'line' gg
	typed 'written' ':w copy' Enter
	typed '$' ':qa!' Enter
	[[ $(head -n 1 "$DIR/guest/copy") == 'inserted grüße 漢字' ]]
	cmp "$DIR/local/copy" "$DIR/guest/copy"
}

@test "locally: less" {
	text 500
	typed 'line 23 of' 'less text' Enter
	typed 'line 46 of' Space
	typed 'line 500 of' G
	typed 'line 300 of' '?300' Enter
	resized 100 40
	typed 'line 301 of' j
	typed 'line 39 of' g
	resized 40 12
	typed 'SUMMARY' h
	typed 'line' q
	typed '$' q
}

@test "locally: a tmux within" {
	# Without the line of status, which has a clock.
	printf '%s\n' 'set -g status off' "set -g default-command 'bash --rcfile $DIR/rc'" >"$DIR/conf"
	for side in local guest; do
		tm send-keys -t "$side" "clear; tmux -S $DIR/inner.$side -f $DIR/conf" Enter
	done
	wait_for 8 inner local has-session
	wait_for 8 inner guest has-session
	typed '$' Enter
	typed '$ echo one' 'echo one'
	typed 'one' Enter
	typed '│' C-b %
	typed '─' C-b '"'
	typed 'two' 'echo two' Enter
	resized 120 40
	typed 'three' 'echo three' Enter
	resized 80 24
	typed '[0/' C-b '[' Up Up Up
	typed 'three' q
	typed 'Send the prefix' C-b '?'
	typed 'three' q
	typed '[detached' C-b d
}

@test "locally: bash with its jobs" {
	typed '$ sleep' "sleep $MARK"
	keys Enter
	wait_for 5 eval '(($(pgrep -cfx "sleep $MARK") == 2))'
	typed 'Stopped' C-z
	typed '[1]+' jobs Enter
	typed '&' bg Enter
	typed 'Running' jobs Enter
	keys fg Enter
	wait_for 5 eval '(($(ps -o stat= -p "$(pgrep -d, -fx "sleep $MARK")" | grep -c +) == 2))'
	typed '^C' C-c
	wait_for 5 none_match "sleep $MARK"
	typed 'status 130' 'echo status $?' Enter
	typed '(reverse-i-search)' C-r 'jo'
	typed 'status 130' C-c
	typed '>' 'for i in 1 2; do' Enter
	typed 'round 2' 'echo round $i; done' Enter
	typed 'text' 'touch text-one text-two; ls text' Tab Tab
	typed 'words' C-u 'cat' Enter 'words' Enter
	typed '$' C-d
	typed 'vi' 'set -o vi' Enter
	typed 'twice' 'echo once' Escape b cw twice
	typed '$ ' Enter
}
