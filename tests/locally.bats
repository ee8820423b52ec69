#!/usr/bin/env bats
# Programs of the terminal look in a guest as they look locally: two equal panes, the same program
# in both, the same keys to both, and after each the same screen, attributes and cursor included.
# The next keys come only once those before are done with: what they do shows in both.

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
	typed '$'
}

teardown() {
	for side in local guest; do
		inner "$side" kill-server 2>/dev/null || true
	done
	tm kill-server || true
	wait_for 20 none_match "$DIR/rc"
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

# look: the screens of both, with attributes and the cursor, in files. Whoever runs in there twice has a
# name for it, and newer tmuxes have a clock. One call: the machine may be slow at starting programs.
look() {
	local cursor='#{cursor_x},#{cursor_y} #{cursor_flag} #{alternate_on} #{keypad_flag} #{mouse_any_flag}'
	tm capture-pane -e -p -t local \; display-message -p -t local "$cursor" \; \
		display-message -p -t local '==== guest ====' \; \
		capture-pane -e -p -t guest \; display-message -p -t guest "$cursor" |
		awk -v dir="$DIR" 'BEGIN { side = "local" }
			$0 == "==== guest ====" { side = "guest"; next }
			{
				gsub("\\." side, ".SIDE")
				if (match($0, /[0-9][0-9]:[0-9][0-9] \[[0-9]+\//))
					$0 = substr($0, 1, RSTART - 1) "HH:MM" substr($0, RSTART + 5)
				print >(dir "/" side ".screen")
			}'
}

# same: both look the same now.
same() {
	look && cmp -s "$DIR/local.screen" "$DIR/guest.screen"
}

# holds CONDITION: the screen of both does, a line of these: a text that is shown; !TEXT, it is not; -N:TEXT,
# it is shown in the Nth row from below; $, the last row that is not empty is a prompt alone, as is >.
holds() {
	local last=${#ROWS[@]}
	case $1 in
	'$' | '>')
		while [[ $last -gt 0 && -z ${ROWS[last - 1]} ]]; do
			last=$((last - 1))
		done
		[[ $last -gt 0 && ${ROWS[last - 1]} == "$1" ]]
		;;
	'!'*) [[ $PLAIN != *"${1#!}"* ]] ;;
	-[0-9]:*) [[ ${ROWS[last - ${1:1:1}]} == *"${1#*:}"* ]] ;;
	*) [[ $PLAIN == *"$1"* ]] ;;
	esac
}

# shows CONDITIONS: all hold, and both look the same, now and after another look.
shows() {
	local condition
	same || return 1
	mapfile -t ROWS < <(sed '$d; s/\x1b\[[0-9;]*m//g; s/ *$//' "$DIR/local.screen")
	printf -v PLAIN '%s\n' "${ROWS[@]}"
	while IFS= read -r condition; do
		holds "$condition" || return 1
	done <<<"$1"
	cp "$DIR/local.screen" "$DIR/before"
	same && cmp -s "$DIR/before" "$DIR/local.screen"
}

# text LINES: a file of that name for each.
text() {
	seq -f 'line %g of a long text' "$1" | tee "$DIR/local/text" >"$DIR/guest/text"
}

# typed CONDITIONS KEY...: to both; before long they hold.
typed() {
	local limit=$((SECONDS + 20 * SLOW))
	[[ $# -eq 1 ]] || keys "${@:2}"
	until shows "$1"; do
		((SECONDS < limit)) || {
			echo "gave up waiting for: $1" >&2
			diff "$DIR/local.screen" "$DIR/guest.screen" || cat "$DIR/local.screen"
			return 1
		} >&2
	done
}

# resized COLUMNS ROWS: the terminals of both have that size, and who reads keys there knows.
resized() {
	for side in local guest; do
		tm resize-window -t "$side" -x "$1" -y "$2"
	done
	wait_for 20 have_size "$2 $1"
}

have_size() {
	local pid count=0
	for pid in $(pgrep -fx "bash --rcfile $DIR/rc"); do
		[[ $(stty size <"/proc/$pid/fd/0") != "$1" ]] || count=$((count + 1))
	done
	[[ $count -ge 2 ]]
}

# in_front COMMAND: it runs in both, in the foreground.
in_front() {
	local pid count=0
	for pid in $(pgrep -fx -- "$1"); do
		[[ $(readlink "/proc/$pid/cwd") == "$DIR"/* && $(ps -o stat= -p "$pid") == S*+* ]] &&
			count=$((count + 1))
	done
	[[ $count -eq 2 ]]
}

@test "locally: vim" {
	local vim
	vim=$(command -v vim.tiny || command -v vi)
	text 60
	typed $'line 20 of\n-1:"text"' "$vim -u NONE -N -n text" Enter
	typed $'-- INSERT --\ninserted grüße 漢字' 'Oinserted grüße 漢字'
	typed $'inserted\n!-- INSERT --' Escape
	typed 'line 60 of' 'G'
	typed $'search me\n!-- INSERT --' '?line 33' Enter 'osearch me' Escape
	typed '3 substitutions' ':1,4s/line/LINE/' Enter
	typed $'/line\n  1 inserted' ':set number hlsearch' Enter '/line' Enter
	typed $'text\n-2:text [+]' ':split' Enter
	resized 100 30
	typed $'line\n-4:text [+]' C-w '_'
	resized 60 20
	typed $'line\n  1 inserted\n-4:text [+]' gg
	typed 'written' ':w copy' Enter
	typed '$' ':qa!' Enter
	[[ $(head -n 1 "$DIR/guest/copy") == 'inserted grüße 漢字' ]]
	cmp "$DIR/local/copy" "$DIR/guest/copy"
}

# Less loses a key that comes with the signal of a new size: it is painted anew before the next one.
@test "locally: less" {
	text 500
	typed 'line 23 of' 'less text' Enter
	typed 'line 46 of' Space
	typed 'line 500 of' G
	typed 'line 300 of' '?300' Enter
	resized 100 40
	typed $'line 300 of\nline 338 of'
	typed $'line 301 of\nline 339 of' j
	typed $'line 39 of\nline 1 of' g
	resized 40 12
	typed $'line 1 of\nline 11 of\n!line 12 of'
	typed 'SUMMARY' h
	typed $'line\nline 11 of\n!SUMMARY' q
	typed '$' q
}

# panes COUNT: so many are in each inner tmux, each with a prompt.
panes() {
	local pane
	for side in local guest; do
		[[ $(inner "$side" list-panes | wc -l) -eq $1 ]] || return 1
		for pane in $(inner "$side" list-panes -F '#{pane_id}'); do
			[[ $(inner "$side" capture-pane -p -t "$pane" | grep -v '^$' | tail -n 1) == '$' ]] || return 1
		done
	done
}

# inner_size COLUMNS ROWS: of both inner tmuxes, and of the shells that read keys in them.
inner_size() {
	local pane
	for side in local guest; do
		[[ $(inner "$side" display-message -p '#{window_width} #{window_height}') == "$1 $2" ]] || return 1
		while read -r pane size; do
			[[ $(stty size <"$pane") == "$size" ]] || return 1
		done < <(inner "$side" list-panes -F '#{pane_tty} #{pane_height} #{pane_width}')
	done
}

@test "locally: a tmux within" {
	# Without the line of status, which has a clock; and with few keys, of which the list is one page
	# in whatever order.
	printf '%s\n' 'set -g status off' "set -g default-command 'bash --rcfile $DIR/rc'" 'unbind -a' \
		'bind % split-window -h' "bind '\"' split-window" 'bind [ copy-mode' \
		'bind -N "List keys" ? list-keys -N' 'bind d detach-client' \
		'bind -N "Send the prefix key" C-b send-prefix' >"$DIR/conf"
	for side in local guest; do
		tm send-keys -t "$side" "clear; tmux -S $DIR/inner.$side -f $DIR/conf" Enter
	done
	wait_for 20 inner local has-session
	wait_for 20 inner guest has-session
	wait_for 20 panes 1
	typed $'$\n!clear'
	typed '$ echo one' 'echo one'
	typed $'one\n$' Enter
	keys C-b %
	wait_for 20 panes 2
	typed '│'
	keys C-b '"'
	wait_for 20 panes 3
	typed '─'
	typed '│two' 'echo two' Enter
	wait_for 20 panes 3
	resized 120 40
	wait_for 20 inner_size 120 40
	typed '│three' 'echo three' Enter
	wait_for 20 panes 3
	resized 80 24
	wait_for 20 inner_size 80 24
	typed '[0/' C-b '[' Up Up Up
	typed $'three\n![0/' q
	typed 'Send the prefix' C-b '?'
	typed $'three\n!Send the prefix' q
	typed $'[detached\n$' C-b d
}

@test "locally: bash with its jobs" {
	typed '$ sleep' "sleep $MARK"
	keys Enter
	wait_for 20 in_front "sleep $MARK"
	typed $'Stopped\n$' C-z
	typed $'[1]+\n$ jobs\n$' jobs Enter
	typed $'&\n$ bg\n$' bg Enter
	typed $'Running\n$' jobs Enter
	keys fg Enter
	wait_for 20 in_front "sleep $MARK"
	typed $'^C\n$' C-c
	wait_for 20 none_match "sleep $MARK"
	typed $'status 130\n$' 'echo status $?' Enter
	typed "(reverse-i-search)\`jo': jobs" C-r 'jo'
	typed $'status 130\n$' C-c
	typed '>' 'for i in 1 2; do' Enter
	typed $'round 2\n$' 'echo round $i; done' Enter
	typed 'text-two; ls text' 'touch text-one text-two; ls text' Tab Tab
	typed '$' C-u
	keys 'cat' Enter
	wait_for 20 in_front cat
	typed 'words' 'words' Enter
	typed '$' C-d
	typed $'vi\n$' 'set -o vi' Enter
	typed 'twice' 'echo once' Escape b cw twice
	typed $'$ \n$' Enter
}
