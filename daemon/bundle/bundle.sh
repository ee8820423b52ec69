#!/bin/sh
# bundle.sh PROGRAM TAR: makes the tar of a guest bundle, whose folder msb runs PROGRAM in any Linux
# root of this architecture. Of a static program that is the program alone. Else it is
#     msb/msb-execd               the launcher (launcher.c)
#     msb/lib/                    the program and its libraries
#     msb/lib/loader/msb-execd    their loader
# CC makes the launcher.
set -eu

program=$1 tar=$2
here=$(dirname "$0")
: "${CC:=cc}"
work=$(mktemp -d "$tar.XXXXXX")
trap 'rm -rf "$work"' EXIT
msb=$work/msb
mkdir "$msb"

# program_to FILE: the program, without what only a debugger reads.
program_to() {
	cp "$program" "$1"
	strip "$1" 2>/dev/null || true
	chmod 755 "$1"
}

# licence FILE: of a library that is not ours, where Debian says it.
licence() {
	command -v dpkg-query >/dev/null || return 0
	# By the name the loader says, and by the real one: /lib may be a link to /usr/lib.
	package=$(dpkg-query -S "$1" "$(readlink -f "$1")" 2>/dev/null | sed -n '1s/:.*//p')
	text=/usr/share/doc/$package/copyright
	[ -z "$package" ] || [ ! -e "$text" ] || cp "$text" "$msb/doc/$package.copyright"
}

# The loader's options that a launcher may use: named by its help, as musl's are not.
options() {
	"$1" --help 2>&1 | grep -q -e '--inhibit-cache' && printf '%s' '"--inhibit-cache", '
	"$1" --help 2>&1 | grep -q -e '--argv0' && printf '%s' '"--argv0", "msb-execd", '
	return 0
}

mkdir "$msb/doc"
cp "$here/README" "$here/../../LICENSE" "$msb/doc/"
loader=$(readelf -l "$program" | sed -n 's/.*program interpreter: \(.*\)\]$/\1/p')
if [ -z "$loader" ]; then
	program_to "$msb/msb-execd"
else
	mkdir -p "$msb/lib/loader"
	program_to "$msb/lib/msb-execd"
	cp -L "$loader" "$msb/lib/loader/msb-execd"
	chmod 755 "$msb/lib/loader/msb-execd"
	licence "$loader"
	# What the loader itself would load: "NAME => PATH (ADDRESS)".
	"$loader" --list "$program" >"$work/list"
	if grep 'not found' "$work/list" >&2; then
		echo "bundle: $program needs a library that is not here" >&2
		exit 1
	fi
	sed -n 's/^[[:space:]]*\(.*\) => \(.*\) (0x.*/\1 \2/p' "$work/list" >"$work/libraries"
	while read -r name path; do
		cp -L "$path" "$msb/lib/$name"
		licence "$path"
	done <"$work/libraries"
	$CC -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -static -s \
		-DLOADER_OPTIONS="$(options "$loader")" -o "$msb/msb-execd" "$here/launcher.c"
fi
# The same files make the same tar.
find "$msb" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf "$work/tar" msb
mv "$work/tar" "$tar"
