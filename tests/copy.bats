#!/usr/bin/env bats
# The tools that people copy files with, over msb-exec as a command among others; what has it for its rsh is in
# tools.bats and tools_sync.bats. We stand in the host's folder; what is relative in the guest is meant from the
# daemon's, so nothing that went past msb-exec would arrive.

load helper
load sshd
load tree

setup() {
	common_setup
	need_local "git, rsync and sshd are not in every guest"
	mkdir -m 755 "$DIR"/{here,guest}
	WRAP=(env WHERE=guest)
	daemon_start --cwd "$DIR/guest"
	export PATH=$BUILD:$PATH
	# Nothing of the user's own: no settings of git's, no agent of ssh's.
	export HOME=$DIR GIT_CONFIG_NOSYSTEM=1 XDG_CONFIG_HOME=$DIR
	unset SSH_AUTH_SOCK RSYNC_RSH GIT_DIR GIT_SSH_COMMAND MAKEFLAGS MFLAGS MAKELEVEL
	umask 022
	cd "$DIR/here" || return 1
}

teardown() {
	local status=0
	# Of all that has to do with this test the daemon alone is left.
	wait_for 20 matches 1 "$DIR/" || status=1
	cd /
	common_teardown || status=1
	return $status
}

teardown_file() {
	sshd_folder_leave
}

@test "copy: tar, both ways" {
	tree
	ln -s large 'tree/a link'
	mkdir ../guest/dst back
	tar c tree | msb-exec -- tar x -C dst
	same tree ../guest/dst/tree
	msb-exec -- tar c -C dst tree | tar x -C back
	same tree back/tree
}

@test "copy: tar, as another user of the guest" {
	need_root
	tree
	mkdir -m 777 ../guest/dst
	tar c tree | msb-exec -u nobody -- tar x -C dst
	same tree ../guest/dst/tree
	[[ -z $(find ../guest/dst/tree ! -user nobody) ]]
	msb-exec -u nobody -- tar c -C dst tree | tar x --no-same-owner --one-top-level=back
	same tree back/tree
	[[ -z $(find back/tree ! -user "$(id -un)") ]]
}

@test "copy: a single file with cat, both ways" {
	head -c 20000000 /dev/urandom >'a file'
	msb-exec -- sh -c 'cat >"its name"' <'a file'
	cmp 'a file' '../guest/its name'
	msb-exec -- cat 'its name' >back
	cmp 'a file' back
	# With its name as an argument, and with what went wrong there.
	msb-exec -- sh -c 'cat >"$1"' - "it's" <'a file'
	cmp 'a file' "../guest/it's"
	run ! msb-exec -- sh -c 'cat >"$1"' - no/such/folder <'a file'
	run -1 --separate-stderr msb-exec -- cat no/such/file
	[[ -z $output && $stderr == *no/such/file* ]]
}

@test "copy: sftp -D, both ways" {
	sftp_server
	need_account
	tree
	printf '%s\n' 'put -pR tree' 'rename tree "its tree"' 'get -pR "its tree" back' |
		sftp -F /dev/null -b - -D "msb-exec $SFTP_SERVER"
	same tree '../guest/its tree'
	same tree back
	run -1 sftp -F /dev/null -b - -D "msb-exec $SFTP_SERVER" <<<'get nosuch'
	[[ $output == *nosuch* ]]
}

@test "copy: rsync, both ways" {
	tree
	ln -s large 'tree/a link'
	rsync -a -e msb-exec tree/ env:dst
	same tree ../guest/dst
	# Once more only what has changed, away with what is gone.
	echo more >>tree/large
	rm tree/-n
	rsync -a -e msb-exec --delete --stats tree/ env:dst >stats
	grep -q 'files transferred: 1$' stats
	same tree ../guest/dst
	rsync -a -e msb-exec env:dst/ back
	same tree back
}

@test "copy: rsync, options of msb-exec, names with blanks in the guest, and errors" {
	tree
	mkdir '../guest/a folder'
	rsync -as -e "msb-exec -w '$DIR/guest/a folder'" tree/ 'env:its tree'
	same tree '../guest/a folder/its tree'
	rsync -as -e msb-exec 'env:a folder/its tree/a folder' 'env:a folder/its tree/-n' .
	same 'tree/a folder' 'a folder'
	run -23 rsync -a -e msb-exec env:nosuch .
	[[ $output == *nosuch* ]]
	# Which of two failures rsync tells depends on which it sees first.
	run ! rsync -a -e "msb-exec -w $DIR/nosuch" env:dst .
	[[ $output == *'msb-exec: '*nosuch* ]]
	if [[ $(id -u) -eq 0 ]] && "${AS_NOBODY[@]}" true; then
		mkdir -m 777 ../guest/theirs
		rsync -rpt -e 'msb-exec -u nobody' tree env:theirs
		same tree ../guest/theirs/tree
		[[ -z $(find ../guest/theirs -mindepth 1 ! -user nobody) ]]
	fi
}

# commit NAME: a file of that name, in a commit of the repository that we stand in.
commit() {
	echo "$1" >"$1"
	git add "$1"
	git -c user.name=Me -c user.email=me@here commit -q -m "$1"
}

@test "copy: git, clone, fetch and push" {
	git init -q -b main ../guest/src
	(cd ../guest/src && head -c 20000000 /dev/urandom >large && git add large && commit 'a file')
	git clone -q -c protocol.ext.allow=always 'ext::msb-exec %S src' dst
	diff -r -x .git ../guest/src dst
	(cd ../guest/src && commit second)
	cd dst
	git pull -q
	[[ $(<second) == second && $(git rev-parse main) == "$(git -C ../../guest/src rev-parse main)" ]]
	git checkout -q -b topic
	commit third
	git push -q origin topic
	[[ $(git -C ../../guest/src show topic:third) == third ]]
	# What is checked out there is refused, with what the guest's git says about it.
	git checkout -q main
	commit fourth
	run -1 git push -q origin main
	[[ $output == *'refusing to update checked out branch'* ]]
}

@test "copy: git, a name with blanks, options of msb-exec, and no repository" {
	git init -q -b main "../guest/a b"
	(cd '../guest/a b' && commit file)
	git clone -q -c protocol.ext.allow=always "ext::msb-exec -w $DIR/guest %S a% b" dst
	[[ $(<dst/file) == file ]]
	run -128 git clone -c protocol.ext.allow=always 'ext::msb-exec %S nosuch' dst2
	[[ $output == *nosuch* && ! -e dst2 ]]
	# Whoever did not allow it does not run what an address says.
	run -128 git clone 'ext::msb-exec %S src' dst3
	[[ $output == *"transport 'ext' not allowed"* ]]
}

@test "copy: make with its shell in the guest" {
	cat >Makefile <<-'END'
		.RECIPEPREFIX = >
		WHERE := $(shell echo $$WHERE)
		all: one two
		one: ; @echo "1  $(WHERE)" $$WHERE >$@
		two: one
		>@cat one && echo "it's" \
		>  "$$(pwd)"
		>@exit 3
	END
	run -2 --separate-stderr make -j2 SHELL=msb-exec .SHELLFLAGS='sh -c'
	[[ $output == "1  guest guest"$'\n'"it's $DIR/guest" && $stderr == *'two] Error 3' ]]
	[[ $(<../guest/one) == '1  guest guest' && ! -e one ]]
	# Beside the Makefile, in a folder that both have; make's own variables go along if they are named.
	mkdir 'a folder'
	printf '%s\n' 'all:' '	cd ..; pwd' '	echo $$GIVEN $${WHERE-none}; pwd' >'a folder/Makefile'
	cd 'a folder'
	GIVEN=given run -0 make -s SHELL=msb-exec .SHELLFLAGS="-e GIVEN -w '$PWD' sh -c"
	[[ $output == "$DIR/here"$'\n''given guest'$'\n'"$DIR/here/a folder" ]]
}

# keys: the user's and the guest's; $SSHD is the guest's sshd as a proxy has it, $ALONE what keeps ssh
# to what is here.
keys() {
	need_account
	ssh-keygen -q -t ed25519 -N '' -f "$DIR/user"
	mkdir -p ../guest/home
	ssh-keygen -q -t ed25519 -N '' -f ../guest/host
	echo "guest $(cut -d' ' -f1,2 ../guest/host.pub)" >"$DIR/known"
	sshd_folder
	# Files alone: no PAM, and the home is another, since a shell may read anything in the user's own.
	printf '%s\n' "HostKey $DIR/guest/host" "AuthorizedKeysFile $DIR/user.pub" 'PidFile none' \
		'StrictModes no' 'UsePAM no' "SetEnv HOME=$DIR/guest/home WHERE=guest" 'Subsystem sftp internal-sftp' \
		>../guest/sshd_config
	SSHD="$(PATH=$PATH:/usr/sbin command -v sshd) -i -f $DIR/guest/sshd_config"
	ALONE=(-F /dev/null -i "$DIR/user" -o IdentitiesOnly=yes -o BatchMode=yes
		-o UserKnownHostsFile="$DIR/known" -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes
		-o User="$(id -un)")
}

@test "copy: ssh through sshd -i in the guest, status, output and input" {
	keys
	ssh() {
		command ssh "${ALONE[@]}" -o ProxyCommand="msb-exec $SSHD" guest "$@"
	}
	run -7 --separate-stderr ssh 'echo $WHERE; echo err >&2; exit 7' </dev/null
	[[ $output == guest && $stderr == err ]]
	head -c 20000000 /dev/urandom >data
	ssh cat <data >back
	cmp data back
}

@test "copy: ssh through sshd -i in the guest, a terminal" {
	need_root # sshd's need, before it gives anybody a terminal
	need_pty
	keys
	run -0 ssh "${ALONE[@]}" -tt -o ProxyCommand="msb-exec $SSHD" guest 'tty' </dev/null
	[[ $output == *'/dev/pts/'* ]]
}

@test "copy: scp and sftp through sshd -i in the guest, from a file of ssh's settings" {
	keys
	tree
	# Three lines of settings, and all of ssh's family knows the guest.
	printf '%s\n' 'Host guest' "	ProxyCommand msb-exec $SSHD" >config
	ALONE[1]=config
	scp -q -p -r "${ALONE[@]}" tree "guest:$DIR/guest/its tree"
	same tree '../guest/its tree'
	scp -q -p -r "${ALONE[@]}" "guest:$DIR/guest/its tree" back
	same tree back
	printf '%s\n' "cd $DIR/guest" 'get -pR "its tree" again' 'put -p tree/large more' |
		sftp -q "${ALONE[@]}" -b - guest
	same tree again
	cmp tree/large ../guest/more
	rsync -a -e "ssh ${ALONE[*]}" tree/ "guest:$DIR/guest/dst"
	same tree ../guest/dst
}
