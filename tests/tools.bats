#!/usr/bin/env bats
# tar, GNU parallel, scp, sftp, sshfs and Ansible through msb-exec --rsh, as through ssh; rsync and git are in
# tools_sync.bats. None of them could find a host of these names by itself, so nothing that went past msb-exec
# would arrive.

load helper
load tree
load tools

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

# play ARG...: an ad-hoc command of its for the guests of the inventory, what it has to say of each in one line.
play() {
	ANSIBLE_HOME=$DIR/home/.ansible ANSIBLE_REMOTE_TEMP=$DIR/guest/tmp ANSIBLE_NOCOLOR=1 \
		ansible -o -i inventory all "$@" </dev/null
}

@test "tools: Ansible, ping, a command and copy, without a user" {
	need ansible
	need_pty
	named web
	echo "web ansible_ssh_executable=$RSH ansible_ssh_transfer_method=piped" >inventory
	play -m ping | grep -q '^web | SUCCESS.*"ping": "pong"'
	play -m shell -a 'echo "in $WHERE"; exit 0' | grep -q 'in guest'
	head -c 1000000 /dev/urandom >data
	play -m copy -a "src=data dest='$DIR/guest/a copy' mode=0640" | grep -q '^web | CHANGED'
	cmp data '../guest/a copy'
	[[ $(stat -c %a '../guest/a copy') == 640 ]]
	play -m copy -a "src=data dest='$DIR/guest/a copy' mode=0640" | grep -q '^web | SUCCESS.*"changed": false'
	run -2 play -m command -a 'sh -c "exit 3"'
	[[ $output == *'"rc": 3'* ]]
}

@test "tools: Ansible, without a file in the guest, and with files by sftp" {
	need ansible
	named web
	# The README's, with a name that is looked for: no file in the guest for what needs none; and a way by sftp.
	echo 'web ansible_ssh_executable=msb-rsh ansible_pipelining=true' >inventory
	play -m ping | grep -q '^web | SUCCESS.*"ping": "pong"'
	[[ -z $(find ../guest -name 'ansible-tmp-*') ]]
	sftp_server
	head -c 1000000 /dev/urandom >data
	play -m copy -a "src=data dest='$DIR/guest/by sftp'" -e ansible_ssh_transfer_method=sftp \
		-e '{"ansible_sftp_extra_args": "-S msb-rsh"}' | grep -q '^web | CHANGED'
	cmp data '../guest/by sftp'
}

@test "tools: Ansible, a guest that is not there is unreachable, and the other is not held up" {
	need ansible
	named web
	echo "gone unix:$DIR/nosuch" >>"$HOME/.config/msb-exec/guests"
	printf '%s ansible_ssh_executable=msb-rsh ansible_pipelining=true\n' web gone nobody-knows >inventory
	run -4 play -m ping
	echo "$output"
	# Why, Ansible says only if it was not still writing to us.
	[[ $output == *'web | SUCCESS'* && $output == *'gone | UNREACHABLE'* && $output == *'nobody-knows | UNREACHABLE'* ]]
}
