#!/usr/bin/env bats
# The rules of the house that a compiler does not keep.

load helper

setup_file() {
	plain_make all
}

setup() {
	cd "$ROOT" || return 1
}

@test "house: the child's half is one file of at most 200 lines" {
	[[ $(wc -l <daemon/spawn/child.c) -le 200 ]]
}

@test "house: the child's half calls only what may be called between clone and exec" {
	allowed='__errno_location __read_chk _exit chdir close dup2 dup3 execve getppid ioctl open prctl read setrlimit
		setrlimit64 setsid sigemptyset signal sigprocmask stat stat64 strlen syscall sysconf umask write
		open64 __stack_chk_fail __open_2 __open64_2 _GLOBAL_OFFSET_TABLE_'
	nm -u "$ROOT/build/daemon/spawn/child.o" | awk '{ print $2 }' | sort >"$BATS_TEST_TMPDIR/needed"
	[[ -s $BATS_TEST_TMPDIR/needed ]]
	tr -s ' \t' '\n' <<<"$allowed" | sort >"$BATS_TEST_TMPDIR/allowed"
	run comm -23 "$BATS_TEST_TMPDIR/needed" "$BATS_TEST_TMPDIR/allowed"
	[[ -z $output ]]
}

# Commands may put a FIFO there. The console of process 1 is the kernel's, which never waits for it.
@test "house: no file of the guest is waited for when a daemon opens it by name" {
	run grep -rnE --include='*.c' '\<(open|openat)\(.*O_(RD|WR)|\<fopen(64)?\(' daemon
	grep -q O_NONBLOCK <<<"$output"
	run grep -v 'O_NONBLOCK\|"/dev/console"' <<<"$output"
	[[ -z $output ]]
}

# in_sources GREP-OPTION...: of every source, in whichever room.
in_sources() {
	grep -rE --include='*.[ch]' "$@"
}

@test "house: cli and daemon know shared and never each other, shared knows neither" {
	run in_sources -n '#include *"(.*/)?(cli|daemon)/' shared
	[[ -z $output ]]
	run in_sources -n '#include *"(.*/)?daemon/' cli
	[[ -z $output ]]
	run in_sources -n '#include *"(.*/)?cli/' daemon
	[[ -z $output ]]
}

@test "house: the console is a room: it knows cli, and nothing of cli knows it" {
	run in_sources -n --exclude-dir=console '#include *"(.*/)?console/' cli
	[[ -z $output ]]
}

# What each room knows, besides itself and the files of shared/.
ROOMS='
	shared:
	shared/wire:
	shared/io: shared/wire
	shared/address: shared/io
	daemon/door: shared/wire shared/io shared/address
	daemon/spawn: shared/wire
	daemon/session: daemon/spawn shared/wire shared/io
	daemon/serve: daemon/session daemon/spawn daemon/door shared/wire shared/io shared/address
	daemon/init: daemon/spawn
	daemon/relay: daemon/door shared/wire shared/io shared/address
	cli/terminal: shared/wire shared/io
	cli/options: cli/terminal shared/wire shared/address
	cli/client: cli/options cli/terminal shared/wire shared/io shared/address
	cli/report: cli/client cli/options cli/terminal shared/wire
	cli/exec: cli/report cli/client cli/options cli/terminal shared/wire shared/io
	cli/console: cli/client cli/options cli/terminal shared/wire shared/io
'

@test "house: a room knows those below it, and no other" {
	local room known
	while IFS=: read -r room known; do
		grep -ohE '#include "[a-z]+(/[a-z]+)?/[a-z_]+[.]h"' "$room"/*.[ch] | sed -E 's/.*"(.*)\/.*/\1/' | sort -u |
			grep -vxFf <(printf '%s\n' shared "$room"; tr ' ' '\n' <<<"$known") >"$BATS_TEST_TMPDIR/strange" || true
		echo "$room knows $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/strange")"
		[[ ! -s $BATS_TEST_TMPDIR/strange ]]
	done < <(tr -d '\t' <<<"$ROOMS" | grep .)
	# Each is on the list, but for the programs' own files.
	run comm -23 <(find cli daemon shared -name '*.h' -printf '%h\n' | grep / | sort -u) \
		<(sed -nE 's/^\t([a-z/]+):.*/\1/p' <<<"$ROOMS" | sort)
	echo "$output"
	[[ -z $output ]]
}

@test "house: no files are in a circle, by what they include or by what they call" {
	run -0 python3 -B tests/circles.py build cli daemon shared
	echo "$output"
	[[ -z $output ]]
}

@test "house: no object shows its inside to other files" {
	run find cli daemon shared -name '*_inside.h'
	[[ -z $output ]]
}

@test "house: libcbor is known to the msg files alone, epoll to the loop alone, readline to the console" {
	run in_sources -l '#include *<cbor' shared daemon cli
	[[ $(grep -v '^shared/wire/msg' <<<"$output") == '' ]]
	run in_sources -l '#include *<sys/epoll' shared daemon cli
	[[ $output == shared/io/loop.c ]]
	run in_sources -l '#include *<readline' shared daemon cli
	[[ $output == cli/console/prompt.c ]]
}

@test "house: what is pure makes no system call" {
	for file in shared/buf shared/wire/frame shared/utf8 shared/shown shared/duration shared/address/endpoint shared/address/sandbox \
		shared/address/sha256 cli/client/liveness shared/wire/msg_item shared/wire/msg_wire shared/wire/msg_write \
		shared/wire/msg_decode shared/wire/msg_encode shared/wire/msg_tables shared/wire/incoming \
		daemon/session/session daemon/session/ring daemon/session/account daemon/spawn/environ daemon/spawn/interpreter \
		daemon/relay/slots daemon/relay/route daemon/relay/seek daemon/relay/quota \
		daemon/relay/hello cli/terminal/escape shared/modes cli/client/patience cli/client/greeting \
		cli/console/words cli/console/marks cli/console/typed cli/console/starter cli/console/record \
		cli/report/json cli/report/jsonl cli/report/excerpt; do
		[[ -f $ROOT/build/$file.o ]]
		run bash -c "nm -u $ROOT/build/$file.o | awk '{ print \$2 }' |
			grep -E '^(read|write|open|close|socket|send|recv|kill|fork|epoll.*|poll|ioctl|fcntl)(64)?$'"
		[[ -z $output ]]
	done
}

@test "house: the inside of a link is touched in its own file alone" {
	inside='calls|in|out|bulk|nonblock|sent|taken|readahead|raw|body|held|put_off|ended|broken|stopped|told|error|starved'
	run in_sources -n --exclude='link.[ch]' \
		"\\blink(\\.|->)($inside|turn|manner|in_fd|out_fd|in_socket|out_socket|in_source|out_source)\\b" \
		shared daemon cli
	[[ -z $output ]]
}

@test "house: the inside of an outlet is touched in its own file alone" {
	run grep -rnE --include='*.[ch]' --exclude='outlet.[ch]' \
		'\boutlet(\.|->)(link|awaited|stalled|sent_ms|by_id|turns)\b' daemon
	[[ -z $output ]]
}

@test "house: a connection of the daemon's is written in its own file alone" {
	run grep -nE "\\bconn(\.|->)(calls|in_host|grave|body_id|open|clock|said)\\b" daemon/[!c]*.[ch]
	[[ -z $output ]]
	run grep -nE "\\bconn(\.|->)(host|name|trusted|outlet\.[a-z_]+) [-+|&]?= " daemon/[!c]*.[ch]
	[[ -z $output ]]
}

@test "house: the console alone links readline; the others need libc and libcbor alone" {
	for program in msb-exec msb-execd msb-relayd; do
		run bash -c "readelf -d $ROOT/build/$program | grep NEEDED"
		others=$(grep -v -e 'libcbor\.so' -e 'libc\.so' <<<"$output" || true)
		[[ $output == *libc.so* && -z $others ]]
	done
	run bash -c "readelf -d $ROOT/build/msb-exec-console | grep NEEDED"
	others=$(grep -v -e 'libcbor\.so' -e 'libc\.so' -e libreadline <<<"$output" || true)
	[[ $output == *libreadline* && -z $others ]]
}

@test "house: make install puts the programs where PREFIX and DESTDIR say" {
	plain_make install DESTDIR="$BATS_TEST_TMPDIR/dest" PREFIX=/opt/x >/dev/null
	"$BATS_TEST_TMPDIR/dest/opt/x/bin/msb-exec" --version
	"$BATS_TEST_TMPDIR/dest/opt/x/bin/msb-exec-console" --version
	"$BATS_TEST_TMPDIR/dest/opt/x/bin/msb-execd" --version
	"$BATS_TEST_TMPDIR/dest/opt/x/bin/msb-relayd" --version
	run -0 "$BATS_TEST_TMPDIR/dest/opt/x/bin/msb-exec" --local -- echo installed
	[[ $output == installed ]]
	run -0 "$BATS_TEST_TMPDIR/dest/opt/x/bin/msb-exec" --console --local -c 'echo console'
	[[ $output == console ]]
	cmp cli/msb-exec.1 "$BATS_TEST_TMPDIR/dest/opt/x/share/man/man1/msb-exec.1"
	cmp daemon/msb-execd.8 "$BATS_TEST_TMPDIR/dest/opt/x/share/man/man8/msb-execd.8"
}
