#!/usr/bin/env bats
# The tools that people have for other hosts, where a guest with a name is one: msb-exec is their rsh. None of
# them could find a host of these names by itself, so nothing that went past msb-exec would arrive.

load helper
load tree

setup() {
	common_setup
	need_local "rsync, git and the others are not in every guest"
	mkdir -m 755 "$DIR"/{here,guest}
	mkdir -m 700 -p "$DIR/home/.config/msb-exec"
	export PATH=$BUILD:$PATH RSH=$BUILD/msb-rsh
	# Nothing of the user's own, and nothing into it.
	export HOME=$DIR/home TMPDIR=$DIR GIT_CONFIG_NOSYSTEM=1
	unset XDG_CONFIG_HOME SSH_AUTH_SOCK RSYNC_RSH RSYNC_PROTECT_ARGS GIT_DIR GIT_SSH GIT_SSH_COMMAND GIT_SSH_VARIANT \
		PARALLEL PARALLEL_SSH PARALLEL_HOME "${!ANSIBLE@}"
	umask 022
	cd "$DIR/here" || return 1
}

teardown() {
	local status=0 left=1
	# Of all that has to do with this test the daemon alone is left, or it, a relay and what is between them.
	[[ -z $RELAY ]] || left=3
	[[ -z $DAEMON ]] || wait_for 20 matches "$left" "$DIR/" || status=1
	cd /
	common_teardown || status=1
	return $status
}

# named NAME...: a daemon; the guest that it is has these names, and is found by nothing else. Its user's home
# is our folder where that can be; else no test leaves anything in it.
named() {
	WRAP=(env WHERE=guest TMPDIR="$DIR/guest")
	AT_HOME=
	if [[ $(id -u) -eq 0 ]] && unshare --mount mount --bind "$DIR/guest" ~root 2>/dev/null; then
		WRAP+=(unshare --mount sh -c 'mount --bind "$0" ~root && exec "$@"' "$DIR/guest")
		AT_HOME=yes
	fi
	daemon_start
	printf "%s $MSB_EXEC_ENDPOINT\n" "$@" >"$HOME/.config/msb-exec/guests"
	chmod 600 "$HOME/.config/msb-exec/guests"
	unset MSB_EXEC_ENDPOINT
}

# need PROGRAM: Debian's package of that name has it.
need() {
	command -v "$1" >/dev/null || skip "no $1 here"
}

# need_home: names in the guest that do not begin with / are in a folder of ours.
need_home() {
	[[ -n $AT_HOME ]] || skip "cannot mount a folder of our own where root's home is"
}

# ---- rsync ----

# many: 2,000 small files, fewer where the programs are slow.
many() {
	local folder
	for folder in {11..30}; do
		mkdir -p "many/$folder"
		(cd "many/$folder" && seq $((folder * 100)) $((folder * 100 + 99 / FACTOR)) | split -a 3 -l 1 -d - 'file ')
	done
}

# no_news FROM TO: a second rsync has nothing to send.
no_news() {
	rsync -ai --stats "$@" >stats
	grep -q 'created files: 0$' stats
	grep -q 'files transferred: 0$' stats
	run ! grep -E '^[<>ch.*][fdLDS]' stats
}

many_files() {
	named web
	export RSYNC_RSH='msb-exec --rsh'
	many
	rsync -a many "web:$DIR/guest/dst/"
	same many ../guest/dst/many
	no_news many "web:$DIR/guest/dst/"
	rsync -a "web:$DIR/guest/dst/many" back/
	same many back/many
	no_news "web:$DIR/guest/dst/many" back/
}

large_file() {
	named web
	export RSYNC_RSH='msb-exec --rsh'
	head -c $((100000000 / FACTOR)) /dev/urandom >large
	rsync -a large "web:$DIR/guest/"
	cmp large ../guest/large
	no_news large "web:$DIR/guest/"
	rsync -a "web:$DIR/guest/large" back
	cmp large back
	no_news "web:$DIR/guest/large" back
	# Of one that has changed in its midst little goes over.
	printf 'changed' | dd of=large bs=1 seek=$((50000000 / FACTOR)) conv=notrunc status=none
	rsync -a --stats large "web:$DIR/guest/" >stats
	cmp large ../guest/large
	[[ $(awk -F'[: ]+' '/^Total bytes sent/ { gsub(",", ""); print $4 }' stats) -lt $((2000000 / FACTOR)) ]]
}

@test "tools: rsync, 2,000 files both ways, and a second run has nothing to send" {
	many_files
}

@test "tools: rsync, 100 MB both ways, and a second run has nothing to send" {
	large_file
}

@test "tools: rsync through a relay, 2,000 files" {
	THROUGH=relay
	many_files
}

@test "tools: rsync through a relay, 100 MB" {
	THROUGH=relay
	large_file
}

@test "tools: rsync -e, any names, modes and times, a user, and away with what is gone" {
	named web
	tree
	ln -s large 'tree/a link'
	echo newline >$'tree/two\nlines'
	echo quotes >"tree/it's"
	rsync -a -e 'msb-exec --rsh' tree/ "web:$DIR/guest/a dst, it's \$x"
	same tree "../guest/a dst, it's \$x"
	rsync -a -e 'msb-exec --rsh' "$(id -un)@web:$DIR/guest/a dst, it's \$x/" back
	same tree back
	rm 'tree/-n' $'tree/two\nlines'
	chmod 600 'tree/a folder/run'
	touch -d '2011-02-03 04:05:06' tree/large
	rsync -a --delete --stats -e 'msb-exec --rsh' tree/ "web:$DIR/guest/a dst, it's \$x" >stats
	same tree "../guest/a dst, it's \$x"
	grep -q 'deleted files: 2 ' stats
}

@test "tools: rsync, what is not there" {
	named web
	run -23 rsync -a -e 'msb-exec --rsh' "web:$DIR/guest/nosuch" .
	[[ $output == *nosuch* ]]
	run ! rsync -a -e 'msb-exec --rsh' nobody-knows:tree .
	[[ $output == *'msb-exec: '*nobody-knows* ]]
}

@test "tools: names in the guest begin at the user's home" {
	named web
	need_home
	echo hello >hello
	rsync -a -e 'msb-exec --rsh' hello web:
	rsync -a -e 'msb-exec --rsh' hello 'web:~/again'
	[[ $(<../guest/hello) == hello && $(<../guest/again) == hello ]]
	git init -q -b main ../guest/src
	(cd ../guest/src && commit first)
	GIT_SSH_COMMAND='msb-exec --rsh' git clone -q web:src dst
	[[ $(<dst/first) == first ]]
	scp -q -S msb-rsh web:hello by-scp
	cmp hello by-scp
}

# ---- git ----

# commit NAME: a file of that name, in a commit of the repository that we stand in.
commit() {
	[[ -e $1 ]] || echo "$1" >"$1"
	git add "$1"
	git -c user.name=Me -c user.email=me@here commit -q -m "$1"
}

clone_and_push() {
	named web
	export GIT_SSH_COMMAND='msb-exec --rsh'
	git init -q -b main ../guest/src
	(cd ../guest/src && head -c $((20000000 / FACTOR)) /dev/urandom >large && commit large)
	git clone -q "web:$DIR/guest/src" dst
	diff -r -x .git ../guest/src dst
	(cd ../guest/src && commit second)
	cd dst
	# What git says of itself by a variable arrives: version 2 of its protocol.
	GIT_TRACE_PACKET=$DIR/trace git pull -q
	grep -q '< version 2$' "$DIR/trace"
	[[ $(<second) == second && $(git rev-parse main) == "$(git -C ../../guest/src rev-parse main)" ]]
	git checkout -q -b topic
	head -c $((20000000 / FACTOR)) /dev/urandom >third
	commit third
	git push -q origin topic
	cmp third <(git -C ../../guest/src show topic:third)
}

@test "tools: git, clone, pull and push" {
	clone_and_push
	# What is checked out there is refused, with what the guest's git says about it.
	git checkout -q main
	commit fourth
	run -1 git push -q origin main
	[[ $output == *'refusing to update checked out branch'* ]]
}

@test "tools: git through a relay" {
	THROUGH=relay
	clone_and_push
}

@test "tools: git, an address with ssh://, a user and a port, and no repository" {
	named web
	export GIT_SSH_COMMAND='msb-exec --rsh'
	git init -q -b main "../guest/it's src"
	(cd "../guest/it's src" && commit first)
	git clone -q "ssh://web$DIR/guest/it's src" one
	git clone -q "ssh://$(id -un)@web:22$DIR/guest/it's src" two
	GIT_SSH=$RSH git -c core.sshCommand= clone -q "web:$DIR/guest/it's src" three
	[[ $(<one/first) == first && $(<two/first) == first && $(<three/first) == first ]]
	git archive --remote="web:$DIR/guest/it's src" main | tar x -O first | grep -qx first
	run -128 git clone "web:$DIR/guest/nosuch" four
	[[ $output == *"'$DIR/guest/nosuch' does not appear to be a git repository"* ]]
	run -128 git clone nobody-knows:src four
	[[ $output == *'msb-exec: '*nobody-knows* && ! -e four ]]
}

# ---- tar ----

# tar asks for the address of its host before it calls anybody, so the guest has a name that has one.
@test "tools: tar with rmt in the guest" {
	local rmt
	need_root # tar 1.34's need, which sets its groups anew
	rmt=$(tar --show-defaults | grep -o -- '--rmt-command=[^ ]*')
	[[ -x ${rmt#*=} ]] || skip "no ${rmt#*=} here"
	getent hosts localhost >/dev/null || skip "localhost has no address"
	named localhost
	tree
	tar -c --rsh-command="$RSH" -f "localhost:$DIR/guest/a.tar" tree
	tar t -f ../guest/a.tar | grep -q '^tree/large$'
	mkdir back
	tar -x --rsh-command="$RSH" -f "$(id -un)@localhost:$DIR/guest/a.tar" -C back
	same tree back/tree
	tar -r --rsh-command="$RSH" -f "localhost:$DIR/guest/a.tar" -C tree -- ./-n
	[[ $(tar t -f ../guest/a.tar | tail -n 1) == ./-n ]]
	run -2 tar -t --rsh-command="$RSH" -f "localhost:$DIR/guest/nosuch.tar"
	[[ $output == *'No such file'* ]]
}

@test "tools: tar over a pipe, and a file with cat" {
	named web
	tree
	mkdir back
	tar c tree | msb-exec --rsh web tar x -C "$DIR/guest"
	same tree ../guest/tree
	msb-exec --rsh web tar c -C "$DIR/guest" tree | tar x -C back
	same tree back/tree
	msb-exec --rsh web "cat >$DIR/guest/copy" <tree/large
	cmp tree/large ../guest/copy
}

# ---- GNU parallel ----

# jobs_of_64: on 8 slots, each with its output and its status.
jobs_of_64() {
	need parallel
	named web
	export PARALLEL_SSH='msb-exec --rsh'
	printf '%s\n' 'seq "$1" $(($1 + 9999)); echo "$WHERE $1" >&2; exit $(($1 % 3))' >../guest/job
	run -43 --separate-stderr parallel --will-cite -k --joblog log -S 8/web "sh $DIR/guest/job {}" ::: {101..164}
	diff <(for i in {101..164}; do seq "$i" $((i + 9999)); done) <(echo "$output")
	diff <(printf 'guest %s\n' {101..164}) <(grep ^guest <<<"$stderr")
	awk 'NR > 1 { split($0, f, "\t"); n++; if (f[7] != (100 + f[1]) % 3) bad++ } END { exit n != 64 || bad }' log
}

@test "tools: parallel, 64 jobs on 8 slots, their output and their statuses" {
	jobs_of_64
}

@test "tools: parallel through a relay" {
	THROUGH=relay
	jobs_of_64
}

@test "tools: parallel, files that go and come, and input" {
	need parallel
	named web
	for i in {1..8}; do
		seq "$i" 1000 >"file$i"
	done
	parallel --will-cite --ssh 'msb-exec --rsh' -S "4/$(id -un)@web" --workdir "$DIR/guest/work" \
		--transferfile {} --return {}.out 'rev {} >{}.out' ::: file*
	for i in {1..8}; do
		cmp "file$i" "../guest/work/file$i"
		cmp <(rev "file$i") "file$i.out"
	done
	seq 100000 >data
	parallel --will-cite --ssh 'msb-exec --rsh' -S 8/web -k --pipe --block 50k cat <data >out
	cmp data out
}

# ---- scp, sftp, sshfs ----

@test "tools: scp -O, both ways" {
	need_account
	named web
	tree
	scp -O -q -p -r -S msb-rsh tree "web:$DIR/guest/"
	same tree ../guest/tree
	scp -O -q -p -r -S "$RSH" "$(id -un)@web:$DIR/guest/tree" back
	same tree back
	scp -O -q -P 22 -C -4 -o BatchMode=yes -S msb-rsh tree/large "web:$DIR/guest/'a name'"
	cmp tree/large '../guest/a name'
	run -1 scp -O -S msb-rsh "web:$DIR/guest/nosuch" .
	[[ $output == *nosuch* ]]
}

# by_sftp PROGRAM: of ours, as scp and sftp call it.
by_sftp() {
	sftp_server
	need_account
	named web
	tree
	scp -q -p -r -S "$1" tree "web:$DIR/guest/its tree"
	same tree '../guest/its tree'
	scp -q -p -r -S "$1" "$(id -un)@web:$DIR/guest/its tree" back
	same tree back
	printf '%s\n' "cd $DIR/guest" 'get -pR "its tree" again' 'put -p tree/large more' 'rename more "a name"' |
		sftp -q -b - -S "$1" web
	same tree again
	cmp tree/large '../guest/a name'
	run -1 sftp -b - -S "$1" web <<<'get nosuch'
	[[ $output == *nosuch* ]]
}

@test "tools: scp and sftp" {
	by_sftp msb-rsh
}

@test "tools: scp and sftp through a relay" {
	THROUGH=relay
	by_sftp "$RSH"
}

# need_fuse: may mount such a thing, in a namespace of our own.
need_fuse() {
	need sshfs
	{ : <>/dev/fuse; } 2>/dev/null || skip "cannot open /dev/fuse"
	NAMESPACE=(unshare --mount)
	[[ $(id -u) -eq 0 ]] || NAMESPACE+=(--user --map-root-user)
	"${NAMESPACE[@]}" sh -c 'mount -t tmpfs none /mnt' 2>/dev/null || skip "cannot mount in a namespace"
}

@test "tools: sshfs" {
	sftp_server
	need_account
	need_fuse
	named web
	tree
	mkdir -m 755 ../guest/there mnt
	cat >mounted <<-'END'
		set -e
		sshfs -f -o ssh_command='msb-exec --rsh' "web:$1" mnt &
		trap 'umount mnt; wait' EXIT
		until mountpoint -q mnt; do
			kill -0 $!
			sleep 0.05
		done
		cp -rp tree mnt/tree
		mv mnt/tree 'mnt/its tree'
		cp -rp 'mnt/its tree' back
		echo more >>mnt/log
	END
	"${NAMESPACE[@]}" bash mounted "$DIR/guest/there"
	same tree '../guest/there/its tree'
	same tree back
	[[ $(<../guest/there/log) == more ]]
}

# ---- Ansible ----

# play ARG...: an ad-hoc command of its for the guest, in one line each.
play() {
	ANSIBLE_HOME=$DIR/home/.ansible ANSIBLE_REMOTE_TEMP=$DIR/guest/tmp ANSIBLE_NOCOLOR=1 \
		ansible -o -i inventory web "$@" </dev/null
}

@test "tools: Ansible, ping, a command and copy, without a user" {
	need ansible
	need_pty
	named web
	printf '%s\n' "web ansible_ssh_executable=$RSH ansible_ssh_transfer_method=piped" \
		"nobody-knows ansible_ssh_executable=$RSH ansible_ssh_transfer_method=piped" >inventory
	play -m ping | grep -q '^web | SUCCESS.*"ping": "pong"'
	play -m shell -a 'echo "in $WHERE"; exit 0' | grep -q 'in guest'
	head -c 1000000 /dev/urandom >data
	play -m copy -a "src=data dest='$DIR/guest/a copy' mode=0640" | grep -q '^web | CHANGED'
	cmp data '../guest/a copy'
	[[ $(stat -c %a '../guest/a copy') == 640 ]]
	play -m copy -a "src=data dest='$DIR/guest/a copy' mode=0640" | grep -q '^web | SUCCESS.*"changed": false'
	run -2 play -m command -a 'sh -c "exit 3"'
	[[ $output == *'| FAILED | rc=3'* ]]
}
