#!/bin/sh
# Installs with apt-get what the given targets need and this machine lacks: build, check,
# static, lint, analyze, valgrind, instructions, bench, fuzz, soak, faults.
set -eu

packages() {
	for target; do
		case $target in
		static) echo musl-tools ;;
		build) echo gcc libc6-dev make pkg-config libcbor-dev libreadline-dev ;;
		check) echo bats libcmocka-dev tmux vim-tiny less procps python3 libcap2-bin \
			util-linux bsdextrautils expect openssh-server openssh-client busybox-static mandoc systemd rsync git
			# Tools that call ssh; 4 MB for Ansible's part of it.
			echo parallel sshfs ansible-core
			# Shells that complete; and what a program asks of the kernel.
			echo zsh fish strace
			# What reads our JSON.
			echo jq ;;
		# Whoever has node has it from anywhere.
		interop) command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm ;;
		vm) echo qemu-system-x86 binutils ;;
		bench) echo python3 socat openssh-server openssh-client crun ;;
		fuzz) echo clang libclang-rt-dev python3 ;;
		soak) echo python3 ;;
		analyze) echo gcc cppcheck python3 ;;
		valgrind) echo valgrind ;;
		# readelf.
		instructions) echo valgrind python3 binutils ;;
		# nm and addr2line.
		faults) echo python3 binutils ;;
		lint) echo clang-format clang-tidy shellcheck mandoc ;;
		esac
	done
}

# What not every system has, or not by this name: its tests are skipped then.
is_optional() {
	case $1 in
	parallel | sshfs | ansible-core) ;;
	*) return 1 ;;
	esac
}

# Whether apt-get could install it, as far as its lists go; on a fresh machine they know nothing.
is_known() {
	[ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
}

# Leaves out of $optional what is not to be had.
look_for_optional() {
	had=
	for package in $optional; do
		if is_known "$package" || ! is_known make; then
			had="$had $package"
		else
			echo "deps: this system has no package $package: tests that need it are skipped"
		fi
	done
	optional=$had
}

missing=''
optional=''
# shellcheck disable=SC2046 # a list of words
for package in $(packages "$@"); do
	state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
	case $state in
	ii*) ;;
	*) if is_optional "$package"; then optional="$optional $package"; else missing="$missing $package"; fi ;;
	esac
done
[ -z "$optional" ] || look_for_optional
[ -n "$missing$optional" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "deps: please install what these Debian packages hold:$missing$optional" >&2
	exit 1
fi
# What apt-get says of it stands above.
failed() {
	echo "deps: ${as_root:-apt-get} failed; to install as root: apt-get install$missing$optional" >&2
	exit 1
}
as_root=
if [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
	if ! command -v sudo >/dev/null; then
		echo "deps: to install as root: apt-get install$missing$optional" >&2
		[ -n "$missing" ] || exit 0
		exit 1
	fi
fi
echo "deps: installing$missing$optional"
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may be at work, a fresh machine's own above all.
wait='-o DPkg::Lock::Timeout=300'
# Lists of packages that could not be fetched (100) may do as they are.
# shellcheck disable=SC2086 # a list of words
$as_root apt-get $wait update -qq || [ $? -eq 100 ] || failed
# Now that the lists are there.
[ -z "$optional" ] || look_for_optional
[ -n "$missing$optional" ] || exit 0
# shellcheck disable=SC2086 # a list of words
$as_root apt-get $wait install -y -qq --no-install-recommends $missing $optional >/dev/null || failed
