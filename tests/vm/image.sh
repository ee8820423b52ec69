#!/usr/bin/env bash
# image.sh KERNEL BUNDLE OUT PROGRAM...: the guest's initramfs OUT, from busybox-static, the modules that
# kernel.sh left in the folder KERNEL, the tar of our guest bundle, and the programs that tests want
# as they are here, with their libraries. Needs no root.
set -eu

kernel=$(realpath "$1") bundle=$(realpath "$2") out=$(realpath "$3")
shift 3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

# program FILE: to /bin, and what the loader would load to where it looks.
program() {
	local library
	cp -L "$1" "$root/bin/"
	while read -r library; do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done < <(ldd "$1" | sed -n 's/^\(.*=>\)\?[[:space:]]*\(\/[^ ]*\) (0x.*/\2/p')
}

cd "$root"
mkdir -p bin dev etc home/user modules opt proc root run sys tmp usr var
ln -s ../bin usr/bin
ln -s bin sbin
cp "$(command -v busybox)" bin/
! readelf -l bin/busybox | grep -q INTERP || {
	echo "image: busybox is not a static one; the package busybox-static has it" >&2
	exit 1
}
# Links to where it is here, /bin or /usr/bin: there too, as /usr/bin is /bin.
busybox --install -s bin
for file; do
	# Of a word of the shell's own that would be no path.
	file=$(type -P "$file")
	rm -f "bin/${file##*/}"
	program "$file"
done
mkdir -p lib/terminfo/x
cp /lib/terminfo/x/xterm* lib/terminfo/x/
tar -C opt -xf "$bundle"
cp "$kernel/order" "$kernel/modules/"* modules/

cat >etc/passwd <<'END'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/bin/false
user:x:1000:1000:a user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/nologin
END
cat >etc/group <<'END'
root:x:0:
daemon:x:1:
adm:x:4:daemon
user:x:1000:
extra:x:1001:user
nogroup:x:65534:
END

# Words behind -- on the kernel's command line come here.
cat >init <<'END'
#!/bin/busybox sh
export PATH=/bin HOME=/
while read -r module; do
	insmod "/modules/$module"
done </modules/order
chown 1000:1000 /home/user
chmod 1777 /tmp
exec /opt/msb/msb-execd --init --log-level info "$@"
END
# What tells whether a machine works at all.
cat >probe <<'END'
#!/bin/busybox sh
echo it works
poweroff -f
END
chmod 755 init probe
find . | bin/busybox cpio -o -H newc -R 0:0 >"$out.new" 2>/dev/null
mv "$out.new" "$out"
