# For files with the tools that people have for other hosts: a daemon that is a guest with a name, and nothing of the
# user's own.

setup() {
	common_setup
	need_local "rsync, git and the others are not in every guest"
	mkdir -m 755 "$DIR"/{here,guest}
	mkdir -p "$DIR/home/.config/msb-exec"
	export PATH=$BUILD:$PATH RSH=$BUILD/msb-rsh
	# Nothing of the user's own, and nothing into it.
	export HOME=$DIR/home TMPDIR=$DIR GIT_CONFIG_NOSYSTEM=1
	unset XDG_CONFIG_HOME SSH_AUTH_SOCK RSYNC_RSH RSYNC_PROTECT_ARGS GIT_DIR GIT_SSH GIT_SSH_COMMAND GIT_SSH_VARIANT \
		PARALLEL PARALLEL_SSH PARALLEL_HOME "${!ANSIBLE@}"
	umask 022
	cd "$DIR/here" || return 1
}

teardown() {
	local status=0 left=1
	# Of all that has to do with this test the daemon alone is left, or it, a relay and what is between them.
	[[ -z $RELAY ]] || left=3
	[[ -z $DAEMON ]] || wait_for 20 matches "$left" "$DIR/" || status=1
	cd /
	common_teardown || status=1
	return $status
}

# named NAME...: a daemon; the guest that it is has these names, and is found by nothing else. Its user's home
# is our folder where that can be; else no test leaves anything in it. Words go to that user's shell.
named() {
	need_account # whose shell runs the lines
	WRAP=(env WHERE=guest TMPDIR="$DIR/guest")
	AT_HOME=
	if [[ $(id -u) -eq 0 ]] && unshare --mount mount --bind "$DIR/guest" ~root 2>/dev/null; then
		WRAP+=(unshare --mount sh -c 'mount --bind "$0" ~root && exec "$@"' "$DIR/guest")
		AT_HOME=yes
	fi
	daemon_start
	printf "%s $MSB_EXEC_ENDPOINT\n" "$@" >"$HOME/.config/msb-exec/guests"
	chmod 600 "$HOME/.config/msb-exec/guests"
	unset MSB_EXEC_ENDPOINT
}

# need PROGRAM: Debian's package of that name has it.
need() {
	command -v "$1" >/dev/null || skip "no $1 here"
}

# need_home: names in the guest that do not begin with / are in a folder of ours.
need_home() {
	[[ -n $AT_HOME ]] || skip "cannot mount a folder of our own where root's home is"
}
