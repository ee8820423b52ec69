#!/bin/sh
# Installs the reference SDK under build/interop and runs the tests in this folder with it: against
# msb-execd, and against msb-relayd. Where it cannot be had, one line of TAP says so.
#   run.sh FOLDER-OF-OUR-PROGRAMS
set -u
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "$1" && pwd)
INTEROP=$here/../../build/interop
export BUILD INTEROP

skip() {
	echo "ok 1 - sdk: the reference SDK as a client # SKIP $*"
	exit 0
}

# Exact versions, and none of what they depend on is needed, so that there is nothing to lock.
install_sdk() {
	cp "$here/package.json" "$INTEROP"
	# Scripts would build what nothing needs. The SDK's engines field asks for node 22; 18 does.
	npm install --prefix "$INTEROP" --omit=optional --no-package-lock --ignore-scripts --no-audit \
		--no-fund --no-update-notifier --loglevel=error >"$INTEROP/npm.log" 2>&1
}

[ "$(uname -m)" = x86_64 ] || skip "the version that the tests name is for x86_64"
for program in node npm; do
	command -v $program >/dev/null || skip "needs $program"
done
mkdir -p "$INTEROP"
if ! cmp -s "$here/package.json" "$INTEROP/installed"; then
	rm -rf "$INTEROP/node_modules" "$INTEROP/installed"
	echo "# npm installs the reference SDK into build/interop"
	if ! install_sdk; then
		offline='E(AI_AGAIN|CONN[A-Z]*|TIMEDOUT|NOTFOUND|HOSTUNREACH|NETUNREACH)'
		code=$(grep -oE -m1 "code $offline" "$INTEROP/npm.log") &&
			skip "npm cannot reach its registry: $code"
		cat "$INTEROP/npm.log" >&2
		exit 1
	fi
	cp "$here/package.json" "$INTEROP/installed"
fi

failed=0
for AGENT in execd relayd; do
	export AGENT
	node --test --test-reporter=tap "$here"/*.test.mjs </dev/null || failed=1
done
exit $failed
