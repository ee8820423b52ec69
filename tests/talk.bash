# What the console's tests load: a daemon, and a person at a terminal by talk.exp.

# shellcheck disable=SC2154 # of helper.bash
talk_setup() {
	[[ -x $CONSOLE ]] || skip "built without readline"
	# The guest's shell, too, is not to find a ~/.bashrc of this machine.
	export TERM=xterm HOME=$DIR/home XDG_STATE_HOME=$DIR/state INPUTRC=$DIR/inputrc
	# The guest answers Tab at its leisure, however slow the machine is that tests.
	export MSB_EXEC_COMPLETE_TIMEOUT=inf
	unset MSB_EXEC_HISTFILE PROMPT_COMMAND
	mkdir "$HOME"
	echo 'set enable-bracketed-paste off' >"$INPUTRC"
	ulimit -c 0
	# shellcheck disable=SC2034 # for the test
	MARK=$(mark)
	daemon_start
}

# talk [OPTION...]: the console, with a script for talk.exp on stdin.
talk() {
	cat >"$DIR/script"
	SLOW=$SLOW timeout $((50 * SLOW)) \
		expect "$BATS_TEST_DIRNAME/talk.exp" "$DIR/script" "$X" --console -e HOME "$@" 3>&-
}

# lines [OPTION...]: the console without a terminal.
lines() {
	timeout $((20 * SLOW)) "$X" --console -e HOME "$@"
}

# A guest whose PATH has no bash, so that its /bin/sh is what the console gets.
without_bash() {
	mkdir -p "$DIR/bin"
	for tool in grep ls cat sleep id uname stty env echo printf true false wc od dd sh; do
		ln -sf "$(command -v "$tool")" "$DIR/bin/$tool"
	done
	echo "PATH=$DIR/bin"
}

# The daemon is to die under its client; it is no failure then.
daemon_lost() {
	wait "$DAEMON" || true
	DAEMON=
}
