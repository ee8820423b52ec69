#!/bin/sh
# static.sh MAKE...: does every file compile for a static build, do the programs link, and do they work?
# Where there is no static libcbor, the line says so.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# result NUMBER NAME COMMAND...: one line of TAP, and below it what a failure has said.
result() {
	name="$1 static: $2"
	shift 2
	if "$@" >"$log" 2>&1; then
		echo "ok $name"
	else
		echo "not ok $name"
		sed 's/^/# /' "$log"
		return 1
	fi
}

no_loader() {
	for program in build/musl/msb-*; do
		! readelf -lW "$program" | grep INTERP || return
	done
}

result 1 "every file compiles with $CC" "$@" compiled || exit
if ! missing=$("$@" static-cbor 2>&1); then
	echo "ok 2 static: the programs link # skip $(echo "$missing" | head -n 1)"
	exit 0
fi
result 2 "the programs link" "$@" all || exit
result 3 "and need no loader" no_loader || exit
result 4 "and run a command" build/musl/msb-exec --local -- true
