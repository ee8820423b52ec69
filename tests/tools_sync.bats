#!/usr/bin/env bats
# rsync and git through msb-exec --rsh, as through ssh. Neither could find a host of these names by itself, so nothing
# that went past msb-exec would arrive. What goes through a relay is a tenth of it, unless FULL=1.

load helper
load tree
load tools

# What is left of it, as a divisor.
PART=$FACTOR

through_relay() {
	THROUGH=relay
	[[ ${FULL:-} ]] || PART=$((10 * FACTOR))
}

# ---- rsync ----

# many: 2,000 small files, fewer where the programs are slow.
many() {
	local folder
	for folder in {11..30}; do
		mkdir -p "many/$folder"
		(cd "many/$folder" && seq $((folder * 100)) $((folder * 100 + 99 / PART)) | split -a 3 -l 1 -d - 'file ')
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
	head -c $((100000000 / PART)) /dev/urandom >large
	rsync -a large "web:$DIR/guest/"
	cmp large ../guest/large
	no_news large "web:$DIR/guest/"
	rsync -a "web:$DIR/guest/large" back
	cmp large back
	no_news "web:$DIR/guest/large" back
	# Of one that has changed in its midst little goes over.
	printf 'changed' | dd of=large bs=1 seek=$((50000000 / PART)) conv=notrunc status=none
	rsync -aI --stats large "web:$DIR/guest/" >stats
	cmp large ../guest/large
	[[ $(awk -F'[: ]+' '/^Total bytes sent/ { gsub(",", ""); print $4 }' stats) -lt $((2000000 / PART)) ]]
}

@test "tools: rsync, 2,000 files both ways, and a second run has nothing to send" {
	many_files
}

@test "tools: rsync, 100 MB both ways, and a second run has nothing to send" {
	large_file
}

@test "tools: rsync through a relay, many files" {
	through_relay
	many_files
}

@test "tools: rsync through a relay, a large file" {
	through_relay
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
	# It is what goes over that counts.
	git config --global core.compression 0
	git init -q -b main ../guest/src
	(cd ../guest/src && head -c $((20000000 / FACTOR)) /dev/urandom >large && commit large)
	git clone -q "web:$DIR/guest/src" dst
	diff -r -x .git ../guest/src dst
	(cd ../guest/src && commit second)
	cd dst || return 1
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
