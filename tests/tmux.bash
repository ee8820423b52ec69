# A terminal that is looked at: tmux, a server of our own, with a shell at the prompt O> in it.

# tmux_start: its modes are in $DIR/before.
tmux_start() {
	tm new-session -d -x 80 -y 24 -e 'PS1=O> ' -e HISTFILE= -e PROMPT_COMMAND= bash --norc 3>&-
	wait_for 20 prompt 'O>'
	stty_a "$DIR/before"
}

tmux_end() {
	tm kill-server || true
}

tm() {
	tmux -S "$DIR/tmux" -f /dev/null "$@"
}

# keys KEY...: as tmux names them; text too.
keys() {
	tm send-keys "$@"
}

screen() {
	tm capture-pane -p
}

shows() {
	screen | grep -qF -- "$1"
}

# prompt TEXT: the last line that is not empty is that prompt and nothing else.
prompt() {
	[[ $(screen | grep -v '^$' | tail -n 1) == "$1" ]]
}

# stty_a FILE: the outer shell writes its terminal's modes there.
stty_a() {
	keys "stty -a >$1; touch $1.done; clear" Enter
	wait_for 20 test -e "$1.done"
	wait_for 20 prompt 'O>'
}

same_modes() {
	rm -f "$DIR/after.done"
	stty_a "$DIR/after"
	diff "$DIR/before" "$DIR/after"
}

run_vi() {
	keys "$(command -v vim.tiny || command -v vi) -u NONE -N $1" Enter
	wait_for 20 shows "$(basename "$1")"
	wait_for 20 eval '(($(tildes) > 15))'
}

# The lines that vi shows behind the end of the text.
tildes() {
	screen | grep -c '^~' || true
}
