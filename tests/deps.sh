#!/bin/sh
# Installs with apt-get what the given targets need and this machine lacks: build, check,
# static, lint, bench, fuzz, soak.
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
			# Shells that complete.
			echo zsh fish
			# What reads our JSON.
			echo jq ;;
		# Whoever has node has it from anywhere.
		interop) command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm ;;
		vm) echo qemu-system-x86 binutils ;;
		bench) echo python3 socat openssh-server openssh-client crun ;;
		fuzz) echo clang libclang-rt-dev python3 ;;
		soak) echo python3 ;;
		lint) echo clang-format clang-tidy shellcheck mandoc ;;
		esac
	done
}

missing=
# shellcheck disable=SC2046 # a list of words
for package in $(packages "$@"); do
	state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
	case $state in
	ii*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "deps: please install what these Debian packages hold:$missing" >&2
	exit 1
fi
# What apt-get says of it stands above.
failed() {
	echo "deps: ${as_root:-apt-get} failed; to install as root: apt-get install$missing" >&2
	exit 1
}
as_root=
if [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
	if ! command -v sudo >/dev/null; then
		echo "deps: to install as root: apt-get install$missing" >&2
		exit 1
	fi
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may be at work, a fresh machine's own above all.
wait='-o DPkg::Lock::Timeout=300'
# Lists of packages that could not be fetched (100) may do as they are.
# shellcheck disable=SC2086 # a list of words
$as_root apt-get $wait update -qq || [ $? -eq 100 ] || failed
# shellcheck disable=SC2086 # a list of words
$as_root apt-get $wait install -y -qq --no-install-recommends $missing >/dev/null || failed
