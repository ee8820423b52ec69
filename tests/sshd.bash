# For files that run sshd: the folder that it wants as root, wherever it keeps the rest. Files run side by
# side, so whoever takes it away asks for the lock that all of them hold meanwhile.

# sshd_folder: it is there, and stays until this test ends.
sshd_folder() {
	[[ $(id -u) -eq 0 ]] || return 0
	[[ -d /run/sshd ]] || touch "$ROOT/build/.sshd"
	until mkdir -p /run/sshd && exec 8</run/sshd && flock -s 8 && [[ /proc/self/fd/8 -ef /run/sshd ]]; do
		exec 8<&-
	done
}

# sshd_folder_leave: for teardown_file; gone, if it was a test that made it and none uses it any more.
sshd_folder_leave() {
	[[ ! -e $ROOT/build/.sshd ]] || flock -n -x /run/sshd sh -c 'rmdir /run/sshd && rm -f "$1"' sh "$ROOT/build/.sshd" || true
}
