#!/usr/bin/env bats
# What make does for people before there is anything to run: what is missing, where things go, and help.

load helper

setup() {
	common_setup
	unset PREFIX DESTDIR BASHDIR FISHDIR ZSHDIR
	mkdir "$DIR/bin"
	DEPS=(env -i "PATH=$DIR/bin" "$ROOT/tests/deps.sh")
	# A machine that has make alone of what make demo needs, and a user of it.
	stub dpkg-query 'case "$*" in *" make") echo "ii ";; *) exit 1;; esac'
	stub id 'echo 1000'
	stub apt-get "echo \"\$*\" >>'$DIR/ran'"
	MISSING='gcc libc6-dev pkg-config libcbor-dev libreadline-dev'
}

teardown() {
	common_teardown
}

# stub NAME LINE: a program for deps.sh to find, and no other.
stub() {
	printf '#!/bin/sh\n%s\n' "$2" >"$DIR/bin/$1"
	chmod +x "$DIR/bin/$1"
}

@test "install: without root and sudo deps.sh says what to install, and that alone" {
	run -1 --separate-stderr "${DEPS[@]}" build
	[[ -z $output ]]
	# shellcheck disable=SC2154 # run's
	[[ $stderr == "deps: to install as root: apt-get install $MISSING" ]]
	[[ ! -e $DIR/ran ]]
}

@test "install: as root, or through sudo, what is missing is installed; if nothing is, nobody is asked" {
	stub id 'echo 0'
	run -0 "${DEPS[@]}" build
	[[ $output == "deps: installing $MISSING" ]]
	grep -q "install .* $MISSING\$" "$DIR/ran"
	rm "$DIR/ran"
	stub id 'echo 1000'
	stub sudo "echo sudo >>'$DIR/ran'; exec \"\$@\""
	run -0 "${DEPS[@]}" build
	[[ $output == "deps: installing $MISSING" ]]
	[[ $(grep -c '^sudo$' "$DIR/ran") -eq 2 ]]
	grep -q "install .* $MISSING\$" "$DIR/ran"
	rm "$DIR/ran"
	stub dpkg-query 'echo "ii "'
	run -0 "${DEPS[@]}" build
	[[ -z $output && ! -e $DIR/ran ]]
}

@test "install: if apt-get or sudo fails, one line of ours says what to install" {
	local line="to install as root: apt-get install $MISSING"
	stub id 'echo 0'
	# No network: the lists are old, and no package can be fetched.
	stub apt-get "echo \"\$*\" >>'$DIR/ran'; echo 'E: no network' >&2; exit 100"
	run -1 --separate-stderr "${DEPS[@]}" build
	[[ $stderr == $'E: no network\nE: no network\n'"deps: apt-get failed; $line" ]]
	grep -q install "$DIR/ran"
	# With old lists it may still work.
	stub apt-get "case \"\$*\" in *update*) exit 100;; esac"
	run -0 "${DEPS[@]}" build
	stub id 'echo 1000'
	stub sudo "echo sudo >>'$DIR/asked'; echo 'sudo: a password is required' >&2; exit 1"
	run -1 --separate-stderr "${DEPS[@]}" build
	[[ $stderr == $'sudo: a password is required\n'"deps: sudo failed; $line" ]]
	[[ $(wc -l <"$DIR/asked") -eq 1 ]]
	rm "$DIR/bin/apt-get"
	run -1 --separate-stderr "${DEPS[@]}" build
	[[ $stderr == "deps: please install what these Debian packages hold: $MISSING" ]]
}

@test "install: what this system does not have is left out where its tests are skipped, and is no failure" {
	local others='parallel sshfs' words='deps: this system has no package ansible-core: tests that need it are skipped'
	stub dpkg-query 'case "$*" in *" parallel" | *" sshfs" | *" ansible-core") exit 1;; *) echo "ii ";; esac'
	stub apt-cache 'case "$*" in *" ansible-core") ;; *) echo "a line";; esac'
	stub id 'echo 0'
	run -0 "${DEPS[@]}" check
	[[ ${lines[0]} == "$words" && ${lines[1]} == "deps: installing $others" ]]
	grep -q "install .* $others\$" "$DIR/ran"
	# Who has the others is not asked again, and who may not install it has the rest.
	stub id 'echo 1000'
	run -0 --separate-stderr "${DEPS[@]}" check
	[[ $stderr == "deps: to install as root: apt-get install $others" ]]
	rm "$DIR/ran"
	stub dpkg-query 'case "$*" in *" ansible-core") exit 1;; *) echo "ii ";; esac'
	run -0 "${DEPS[@]}" check
	[[ $output == "$words" && ! -e $DIR/ran ]]
	# Lists that are not there yet know nothing.
	stub id 'echo 0'
	stub apt-cache "[ ! -e '$DIR/ran' ] || case \"\$*\" in *\" ansible-core\") ;; *) echo 'a line';; esac"
	run -0 "${DEPS[@]}" check
	[[ ${lines[1]} == "$words" && $(<"$DIR/ran") == *update* && $(<"$DIR/ran") != *install* ]]
}

# with_recipe: the targets of the Makefile that do something themselves.
with_recipe() {
	talking_make -pq help 2>/dev/null | awk '
		/^[^#\t ][^=]*:/ { target = $0; sub(/:.*/, "", target) }
		/^#  recipe to execute/ { print target }' | sort -u
}

@test "install: a second make demo says nothing of make's own" {
	# All is there, whatever this machine lacks: nothing is to be installed.
	stub dpkg-query 'echo "ii "'
	plain_make all
	PATH=$DIR/bin:$PATH run -0 talking_make demo </dev/null
	echo "$output"
	[[ ${lines[0]} == '$ msb-exec --local -- uname -sr' && $output != *make:* && $output != *make[* ]]
}

@test "install: whatever make starts make for does something, so that it never says there is nothing to do" {
	local started
	started=$(sed -n 's/^\t@.*\$(MAKE) .* \([a-z-]*\)$/\1/p' "$ROOT/Makefile" "$ROOT/tests/tests.mk" | sort -u)
	[[ $(wc -l <<<"$started") -gt 5 ]]
	with_recipe >"$DIR/with_recipe"
	run comm -23 - "$DIR/with_recipe" <<<"$started"
	echo "$output"
	[[ -z $output ]]
}

@test "install: make without a compiler, or without libcbor, says so in one line and how to go on" {
	run -2 --separate-stderr plain_make -j2 BUILD="$DIR/build" CC=no-compiler
	echo "$stderr"
	[[ ! $output && $(grep -v '^make: \*\*\*' <<<"$stderr") == 'make: no compiler no-compiler (Debian: gcc '*'; make demo '* ]]
	# Headers of a libcbor that cannot be linked with.
	run -2 --separate-stderr plain_make -j2 BUILD="$DIR/build" CBOR_CFLAGS=-Dcbor_load=unknown
	echo "$stderr"
	[[ ! $output && $(grep -v '^make: \*\*\*' <<<"$stderr") == 'make: no libcbor '*'libcbor-dev'*'; make demo '* ]]
	stub pkg-config 'echo "there is none" >&2; exit 127'
	for static in '' STATIC=1; do
		PATH=$DIR/bin:$PATH run -2 --separate-stderr plain_make -j2 BUILD="$DIR/build" $static
		echo "$stderr"
		[[ ! $output && $(grep -vc '^make: \*\*\*' <<<"$stderr") -eq 1 && $stderr == "make${static:+ $static}:"*libcbor* ]]
	done
	[[ ! -e $DIR/build/cli ]]
}

@test "install: CBOR_LIBS may be the file of a library" {
	local file
	file=$(cc -print-file-name=libcbor.so)
	plain_make BUILD="$DIR/build" CBOR_LIBS="$file" "$DIR/build/tried"
	[[ -e $DIR/build/tried ]]
	# As above it says what is missing where the file has not what is called.
	cc -shared -nostdlib -o "$DIR/empty.so" -xc /dev/null
	run -2 --separate-stderr plain_make BUILD="$DIR/other" CBOR_LIBS="$DIR/empty.so" "$DIR/other/tried"
	[[ $stderr == 'make: no libcbor '* ]]
}

# files_of FOLDER: what is no folder in it.
files_of() {
	(cd "$1" && find . ! -type d | sort)
}

@test "install: a PREFIX or DESTDIR that would be taken apart is refused before anything is copied" {
	local where
	for where in 'PREFIX=/opt/a b' 'PREFIX=/opt/a&b' 'PREFIX=/opt/a|b' "PREFIX=/o'q" PREFIX=relative "DESTDIR=$DIR/d  e" DESTDIR=relative; do
		run -2 --separate-stderr plain_make install DESTDIR="$DIR/dest" "$where"
		[[ ${stderr_lines[0]} == 'make: PREFIX and DESTDIR have to be absolute, '* && ! -e $DIR/dest ]]
		run -2 plain_make uninstall DESTDIR="$DIR/dest" "$where"
	done
	# What an older one left where PATH finds it first goes away, unless it is the same folder.
	mkdir -p "$DIR"/dest/opt/x+y-1.0_z/{bin,sbin} "$DIR/dest/opt/y/bin"
	touch "$DIR/dest/opt/x+y-1.0_z/sbin/msb-execd"
	ln -s bin "$DIR/dest/opt/y/sbin"
	plain_make install DESTDIR="$DIR/dest" PREFIX=/opt/x+y-1.0_z >/dev/null
	[[ -x $DIR/dest/opt/x+y-1.0_z/bin/msb-exec && ! -e $DIR/dest/opt/x+y-1.0_z/sbin/msb-execd ]]
	plain_make install DESTDIR="$DIR/dest" PREFIX=/opt/y >/dev/null
	[[ -x $DIR/dest/opt/y/bin/msb-execd && -x $DIR/dest/opt/y/sbin/msb-execd ]]
	# What the compiler says of options that it does not know is its own.
	run -2 --separate-stderr plain_make BUILD="$DIR/build" CFLAGS=-fbogus
	[[ $stderr == *-fbogus* && $stderr != *libcbor* ]]
}

@test "install: make uninstall takes away what make install put there, and nothing else" {
	local dest=$DIR/dest where
	for where in PREFIX=/usr/local PREFIX=/opt/x PREFIX=/usr 'PREFIX=/usr/local FISHDIR=/etc/f ZSHDIR=/z BASHDIR=/b'; do
		# shellcheck disable=SC2086 # several words
		plain_make install DESTDIR="$dest" $where >/dev/null
		[[ $(files_of "$dest" | wc -l) -gt 20 ]]
		# Everything is somebody else's too, but for our own folder of documents.
		find "$dest" -type d ! -name msb-exec -exec touch {}/msb-other ';'
		# shellcheck disable=SC2086
		plain_make uninstall DESTDIR="$dest" $where >/dev/null
		run -1 grep -v /msb-other <(files_of "$dest")
		[[ $(files_of "$dest" | wc -l) -gt 10 ]]
		[[ -z $(find "$dest" -name msb-exec) ]]
		# Where nothing is left, nothing is said.
		# shellcheck disable=SC2086
		run -0 plain_make uninstall DESTDIR="$dest" $where
		[[ -z $output ]]
		rm -r "$dest"
	done
	# A file of others' in our own folder.
	plain_make install DESTDIR="$dest" >/dev/null
	touch "$dest/usr/local/share/doc/msb-exec/notes"
	plain_make uninstall DESTDIR="$dest" >/dev/null
	[[ $(files_of "$dest") == ./usr/local/share/doc/msb-exec/notes ]]
	# A console that was built before readline went away.
	plain_make install DESTDIR="$dest" >/dev/null
	plain_make uninstall DESTDIR="$dest" READLINE= >/dev/null
	[[ $(files_of "$dest") == ./usr/local/share/doc/msb-exec/notes ]]
}

@test "install: msb-rsh is msb-exec by another name, and so is its manual" {
	plain_make install DESTDIR="$DIR/dest" >/dev/null
	[[ $(readlink "$DIR/dest/usr/local/bin/msb-rsh") == msb-exec ]]
	cmp "$DIR/dest/usr/local/share/man/man1/msb-rsh.1" "$ROOT/cli/msb-exec.1"
	run -0 "$DIR/dest/usr/local/bin/msb-rsh" -V
	[[ $output == msb-exec* ]]
	# Once more, over what is there.
	plain_make install DESTDIR="$DIR/dest" >/dev/null
	plain_make uninstall DESTDIR="$DIR/dest" >/dev/null
	[[ -z $(files_of "$DIR/dest") ]]
}

@test "install: what cannot be put in its place, or taken away, is a failure" {
	mkdir -p "$DIR/dest/usr/local/share/man/man1/msb-exec.1/in-the-way"
	run -2 --separate-stderr plain_make install DESTDIR="$DIR/dest"
	[[ $stderr == *msb-exec.1* ]]
	run -2 --separate-stderr plain_make uninstall DESTDIR="$DIR/dest"
	[[ $stderr == *msb-exec.1* ]]
}

@test "install: a ~ in PREFIX is the user's folder, whatever the shell made of it" {
	HOME=$DIR/home plain_make install DESTDIR= PREFIX='~/.local/' >/dev/null
	[[ -x $DIR/home/.local/bin/msb-exec ]]
	grep -q "^ExecStart=$DIR/home/.local/bin/msb-execd" "$DIR/home/.local/lib/systemd/system/msb-execd.service"
	HOME=$DIR/home plain_make uninstall DESTDIR= PREFIX='~/.local/' >/dev/null
	[[ -z $(files_of "$DIR/home") ]]
}

# asked SHELL...: as its user without settings of his own asks it.
asked() {
	env -i "HOME=$DIR/home" "PATH=$PATH" TERM=dumb "$@"
}

# where_is NAME: the folders of all files of that name that were installed.
where_is() {
	(cd "$DIR/dest" && find . -name "$1" -printf '%P\n') | sed 's|^|/|; s|/[^/]*$||' | sort
}

@test "install: fish, zsh and bash look where make install puts their files" {
	mkdir "$DIR/home"
	# shellcheck disable=SC2016 # the shells'
	asked fish -c 'printf "%s\n" $fish_complete_path' | sort >"$DIR/fish"
	# shellcheck disable=SC2016
	asked zsh -c 'print -l $fpath' | sort >"$DIR/zsh"
	for prefix in /usr/local /usr "$DIR/home/.local"; do
		plain_make install DESTDIR="$DIR/dest" PREFIX="$prefix" >/dev/null
		for name in msb-exec msb-execd msb-relayd msb-exec-console; do
			cmp "$ROOT/completions/msb-exec.bash" "$DIR/dest$prefix/share/bash-completion/completions/$name"
			where_is "$name.fish" >"$DIR/places"
			comm -12 "$DIR/places" "$DIR/fish" | grep .
		done
		# zsh knows no folder of a user's.
		where_is _msb-exec >"$DIR/places"
		[[ $prefix == */.local ]] || comm -12 "$DIR/places" "$DIR/zsh" | grep .
		rm -r "$DIR/dest"
	done
}

@test "install: after make install, they complete" {
	need_mount
	[[ -d /etc/fish/completions && -d /usr/local/share ]] || skip "fish is not where Debian has it"
	mkdir "$DIR/home"
	plain_make install DESTDIR="$DIR/dest" >/dev/null
	# Over what this machine has there, in a namespace: nothing is installed.
	cat >"$DIR/inside" <<-'END'
		DIR=$1
		shift
		mount --bind "$DIR/dest/usr/local/share" /usr/local/share || exit
		mount --bind "$DIR/dest/etc/fish/completions" /etc/fish/completions || exit
		env -i HOME="$DIR/home" PATH="$DIR/dest/usr/local/bin:$DIR/dest/usr/local/sbin:$PATH" TERM=dumb "$@"
	END
	inside() {
		unshare --mount sh "$DIR/inside" "$DIR" "$@" 3>&- </dev/null
	}
	run -0 inside fish -c 'complete -C "msb-exec --no-std"'
	[[ $output == --no-stdin* ]]
	run -0 inside fish -c 'complete -C "msb-execd --max-mem"'
	[[ $output == --max-memory* ]]
	# shellcheck disable=SC2016
	run -0 inside zsh -c 'autoload -Uz compinit; compinit -u -D; print $_comps[msb-exec] $_comps[msb-relayd]'
	[[ $output == '_msb-exec _msb-exec' ]]
	[[ -e /usr/share/bash-completion/bash_completion ]] || return 0
	run -0 inside bash -c '. /usr/share/bash-completion/bash_completion
		_completion_loader msb-execd; complete -p msb-execd'
	[[ $output == *_msb_exec* ]]
}

# Parts of others, and what the second step of a target is called.
inner() {
	grep -qE -e '-(run|built)$' <<<"$1" || [[ " compiled no-readline placed plain static-cbor " == *" $1 "* ]]
}

@test "install: make help names every target for people, and what it names is there" {
	local target targets variable
	plain_make help >"$DIR/help"
	[[ -z $(awk 'length > 80' "$DIR/help") ]]
	targets=$(sed -n 's/^\.PHONY: //p' "$ROOT/Makefile" "$ROOT/tests/tests.mk" | tr ' ' '\n')
	[[ $(wc -l <<<"$targets") -gt 20 ]]
	for target in $targets; do
		inner "$target" || grep -qE "^  $target +[a-z]" "$DIR/help" || {
			echo "make help does not name $target"
			return 1
		}
	done
	# Targets stand above a blank line, variables below.
	while read -r target; do
		! inner "$target"
		grep -qx "$target" <<<"$targets"
	done < <(awk '/^$/ { part++; next } part == 1 { print $1 }' "$DIR/help")
	for variable in PREFIX DESTDIR SANITIZE STATIC FILES JOBS SLOW; do
		grep -qE "^  $variable=[^ ]+ +[a-z]" "$DIR/help"
	done
	# Each is used, and is by itself what its line says.
	while read -r variable; do
		grep -qE "[$][(]${variable}[,:)]|ifdef $variable\$" "$ROOT/Makefile" "$ROOT/tests/tests.mk"
	done < <(grep -oE '\b[A-Z_]+=' "$DIR/help" | grep -vx VARIABLE= | tr -d =)
	while read -r variable; do
		grep -qE "^${variable%=*} *[?]= *${variable#*=}\$" "$ROOT/Makefile" "$ROOT/tests/tests.mk"
	done < <(grep -oE '\b(PREFIX|TIMES|LOAD|[A-Z]+_[A-Z]+)=[^ ,]+' "$DIR/help")
}
