#!/usr/bin/env bats
# The README as somebody who has just come meets it: every block of it, pasted into a shell.

load helper

setup_file() {
	plain_make all
}

setup() {
	common_setup
	need_local "the README's daemon is here"
	README=$ROOT/README.md
}

teardown() {
	local status=0
	wait_for 20 none_match "$DIR/" || {
		status=1
		pgrep -fa -- "$DIR/" >&2
		guest_kill KILL "$DIR/"
	}
	common_teardown || status=1
	return $status
}

# reader: in $DIR the sources as after make, but without programs and without git; a home, and what is to
# be /tmp. PASTE pastes what README holds.
reader() {
	need_pty
	need_account
	command -v dpkg-query >/dev/null || skip "make demo installs with apt-get"
	mkdir "$DIR"/{src,home,tmp}
	tar c -C "$ROOT" --exclude=./.git --exclude='./build/*' . | tar x --no-same-owner -C "$DIR/src"
	cp -a "$ROOT"/build/{cli,daemon,shared} "$DIR/src/build/"
	(cd "$DIR/src" && find . -path ./build -prune -o -print | sort) >"$DIR/before"
	PASTE=(env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL python3 -B "$ROOT/tests/readme.py" paste "$README" "$DIR")
}

# root_at_home: root's home is that of its entry, and a shell that starts there takes who knows how long.
root_at_home() {
	[[ $(id -u) -ne 0 ]] || ! unshare --mount mount --bind "$DIR/home" ~root 2>/dev/null ||
		PASTE+=(unshare --mount sh -c 'mount --bind "$0" ~root && exec "$@"' "$DIR/home")
}

# nothing_left: of files; teardown looks for processes.
nothing_left() {
	[[ -z $(find "$DIR/tmp" -mindepth 1) ]]
	(cd "$DIR/src" && find . -path ./build -prune -o -print | sort) | diff "$DIR/before" -
}

@test "readme: each block is one that is pasted here, or says why it is not; links lead somewhere" {
	python3 -B "$ROOT/tests/readme.py" blocks "$README"
}

@test "readme: a block that nobody tried, one that is gone and a dead link are found" {
	sed -e 's,^    make guest-bundle,    make nonsense,' -e 's,(tests/session.svg),(tests/nosuch.svg),' \
		-e '/^    rsync/d' "$README" >"$DIR/other.md"
	printf '\n```sh\necho fenced\n```\n' >>"$DIR/other.md"
	ln -s "$ROOT/tests" "$ROOT/shared" "$DIR/"
	run -1 python3 -B "$ROOT/tests/readme.py" blocks "$DIR/other.md"
	[[ $output == *'nobody tried: make nonsense'* && $output == *'nobody tried: echo fenced'* ]]
	[[ $output == *'any more: rsync'* && $output == *'any more: make guest-bundle'* ]]
	[[ $output == *'leads nowhere: tests/nosuch.svg' && ${#lines[@]} -eq 5 ]]
}

@test "readme: pasted into bash, from the first block to the last" {
	reader
	root_at_home
	"${PASTE[@]}" bash --norc -i
	nothing_left
}

@test "readme: pasted into zsh, without root" {
	command -v zsh >/dev/null || skip "no zsh here"
	reader
	if [[ $(id -u) -eq 0 ]]; then
		need_mount
		chown -R nobody "$DIR"/{src,home,tmp}
		sed "s,^nobody:.*,nobody:x:$(id -u nobody):$(id -g nobody):nobody:$DIR/home:/bin/bash," /etc/passwd >"$DIR/passwd"
		PASTE=(unshare --mount sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' "$DIR/passwd"
			"${AS_NOBODY[@]}" "${PASTE[@]}")
	fi
	"${PASTE[@]}" zsh -f -i
	nothing_left
}

@test "readme: what ends otherwise is found, and a shell that does not survive" {
	README=$DIR/other.md
	printf '%s\n' '' '    msb-exec --local -- uname -sr' '' 'and then' '' '    make guest-bundle' '    exit' >"$README"
	reader
	root_at_home
	run -1 "${PASTE[@]}" bash --norc -i
	[[ $output == *'msb-exec --local'*'wanted status 0, ended with 127'*'make guest-bundle'*'the shell has ended'* ]]
}
