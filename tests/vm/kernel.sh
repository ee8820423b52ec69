#!/usr/bin/env bash
# kernel.sh FOLDER: Debian's kernel for clouds, into FOLDER and not onto this machine: vmlinuz, and in
# modules/ what a guest of ours needs, with a list of them in the order in which they load.
set -eu

folder=$1
modules=(virtio_pci virtio_console vsock_loopback)

# depends MODULE: what it names in its .modinfo; depmod has not run there.
depends() {
	tr '\0' '\n' <"$1" | sed -n 's/^depends=//p' | tr ',' '\n'
}

# add MODULE: after all that it depends on, and once.
add() {
	local path name
	# Modules are named with _ and their files with either.
	path=$(find "$unpacked/lib/modules" -name "${1//_/[-_]}.ko" | head -n 1)
	[[ -n $path ]] || return 0 # built in
	while read -r name; do
		[[ -z $name ]] || add "$name"
	done < <(depends "$path")
	grep -qx "$1.ko" "$folder/new/order" && return
	cp "$path" "$folder/new/modules/$1.ko"
	echo "$1.ko" >>"$folder/new/order"
}

[[ $(uname -m) == x86_64 ]] || {
	echo "kernel: a machine of $(uname -m) is not in these tests yet" >&2
	exit 1
}
# The package of today, whatever version the cloud package stands for.
package=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
[[ -n $package ]] || {
	echo "kernel: no linux-image-cloud-amd64 among the packages; apt-get update?" >&2
	exit 1
}
rm -rf "$folder/new"
mkdir -p "$folder/new/modules" "$folder/new/deb"
: >"$folder/new/order"
# apt's own user may not be able to write here; then it says so, and goes on as us.
(cd "$folder/new/deb" && apt-get download -qq "$package" 2>/dev/null) || {
	echo "kernel: cannot download $package" >&2
	exit 1
}
unpacked=$folder/new/unpacked
dpkg-deb -x "$folder/new/deb/"*.deb "$unpacked"
cp "$unpacked"/boot/vmlinuz-* "$folder/new/vmlinuz"
for module in "${modules[@]}"; do
	add "$module"
done
rm -rf "$folder/new/deb" "$unpacked" "$folder/modules"
mv "$folder/new/modules" "$folder/new/order" "$folder/"
# Last: who has it has all.
mv "$folder/new/vmlinuz" "$folder/vmlinuz"
rmdir "$folder/new"
