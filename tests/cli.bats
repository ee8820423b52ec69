#!/usr/bin/env bats
# msb-exec's command line: addresses, options, environment, and what it refuses.

load helper

setup() {
	common_setup
}

teardown() {
	common_teardown
}

@test "cli: --version and --help, which names every exit status" {
	run -0 "$X" --version
	[[ $output == 'msb-exec '* ]]
	run -0 "$X" --help
	for word in --socket --sandbox --connect-timeout --wait-for --keepalive --tty --user --workdir --env --env-file --rlimit --timeout --kill-after \
		--signal --linger --on-disconnect --ping --detach --name --reconnect --sessions --json --attach --watch --since --wait --logs --send --eof --kill --remove --quiet --verbose 124 125 126 127; do
		[[ $output == *"$word"* ]]
	done
}

@test "cli: options stop at the first operand" {
	daemon_start
	run -0 "$X" echo -n --user x
	[[ $output == '--user x' ]]
	run -0 "$X" -- echo -- -t
	[[ $output == '-- -t' ]]
}

@test "cli: a value that makes no sense is 125 and one line" {
	for bad in '--timeout=1x' '--timeout=' '--signal=NOPE' '--linger=-1' \
		'--on-disconnect=maybe' '-e='; do
		run -125 "$X" "$bad" -- true
		[[ ${#lines[@]} -eq 1 && $output == msb-exec:* ]]
	done
	run -125 "$X" -u
	[[ $output == *-u* ]]
}

@test "cli: an address that is given is the only one tried" {
	[[ -w /run ]] || skip "needs root"
	daemon_start --listen /run/msb-execd.sock
	unset MSB_EXEC_ENDPOINT
	run -0 "$X" -- echo usual
	[[ $output == usual ]]
	run -125 "$X" -S unix:/nonexistent -- touch "$DIR/ran"
	[[ $output == *unix:/nonexistent* && ! -e $DIR/ran ]]
	MSB_EXEC_ENDPOINT=unix:/nonexistent run -125 "$X" -- touch "$DIR/ran"
	[[ ! -e $DIR/ran ]]
}

@test "cli: without an address it says what it tried and the way out" {
	need_local "the usual addresses"
	[[ ! -e /run/msb-execd.sock ]] || skip "an agent listens on /run/msb-execd.sock"
	XDG_RUNTIME_DIR=$DIR run -125 "$X" -- true
	[[ $output == *"$DIR/msb-execd.sock"*/run/msb-execd.sock* && ${lines[1]} == *--local* ]]
	daemon_start --listen "unix:$DIR/msb-execd.sock"
	unset MSB_EXEC_ENDPOINT
	XDG_RUNTIME_DIR=$DIR run -0 "$X" -- true
}

@test "cli: an address that makes no sense is refused" {
	for bad in tcp:1.2.3.4:5 unix: '' stdio: vsock; do
		run -125 "$X" -S "$bad" -- true
		[[ $output == msb-exec:* && ${#lines[@]} -le 2 ]]
	done
	run -125 "$X" -S "unix:/$(printf 'x%.0s' {1..200})" -- true
	[[ $output == *'File name too long'* ]]
}

@test "cli: --ping" {
	run -125 "$X" -S "unix:$SOCKET" --ping
	daemon_start
	run -0 "$X" --ping
	[[ $output == *alive*msb-execd/* ]]
	run -0 "$X" -q --ping
	[[ -z $output ]]
}

@test "cli: -e copies from the host, sets, and leaves out what the host has not" {
	daemon_start
	export FROM_HOST='a b=c'
	run -0 "$X" -e FROM_HOST -e SET=1 -e EMPTY= -e NOT_THERE_AT_ALL -- env
	[[ $output == *'FROM_HOST=a b=c'* && $output == *$'\nSET=1'* && $output == *$'\nEMPTY='* ]]
	[[ $output != *NOT_THERE_AT_ALL* ]]
}

@test "cli: --env-file takes lines literally" {
	daemon_start
	export COPIED=yes
	printf '# comment\n\n  INDENTED=1\nQUOTED="q" # no comment\nSPACED= x \nCOPIED\nGONE_MISSING\nCR=1\r\n' >"$DIR/env"
	run -0 "$X" --env-file "$DIR/env" -- env
	[[ $output == *$'INDENTED=1\n'* && $output == *'QUOTED="q" # no comment'* ]]
	[[ $output == *$'SPACED= x \n'* && $output == *COPIED=yes* && $output == *CR=1* ]]
	[[ $output != *GONE_MISSING* && $output != *$'\r'* ]]
	for bad in '=x' 'a b=c'; do
		printf '%s\n' "$bad" >"$DIR/env"
		run -125 "$X" --env-file "$DIR/env" -- true
		[[ $output == *"$DIR/env:1"* ]]
	done
	run -125 "$X" --env-file "$DIR/nosuch" -- true
	[[ $output == *"$DIR/nosuch"* ]]
}

@test "cli: what is not UTF-8 is refused with a clear line" {
	daemon_start
	run -125 "$X" -- echo $'\xff'
	[[ $output == *'argument 1'*UTF-8* ]]
	run -125 "$X" -- $'\xc0\x80'
	[[ $output == *'the command'* ]]
	run -125 "$X" -e $'V=\xed\xa0\x80' -- true
	[[ $output == *'variable V'* ]]
	run -125 "$X" -w $'/\xfe' -- true
	run -125 "$X" -u $'\xfe' -- true
	run -0 "$X" -- echo 'grün 漢字 🙂'
	[[ $output == 'grün 漢字 🙂' ]]
}

@test "cli: more than a frame can hold is refused" {
	daemon_start
	# A single argument is limited by the kernel, so many.
	mapfile -t many < <(for ((i = 0; i < 15; i++)); do head -c 120000 /dev/zero | tr '\0' x; echo; done)
	run -0 "$X" -n -- true "${many[@]}"
	head -c 5M /dev/zero | tr '\0' x >"$DIR/long"
	printf 'V=%s\n' "$(<"$DIR/long")" >"$DIR/env"
	run -126 "$X" --env-file "$DIR/env" -- true
	[[ $output == *'4 MiB'* ]]
}

@test "cli: -q is silent, -v tells" {
	daemon_start
	run -0 --separate-stderr "$X" -v -- true
	[[ $stderr == *connected*process*user* ]]
	run -0 --separate-stderr "$X" -q -t -- true <<<''
	[[ -z $stderr ]]
	run -0 --separate-stderr "$X" -t -- true <<<''
	[[ $stderr == *'no terminal'* ]]
}

@test "cli: a shared stdin, stdout and stderr keep their flags" {
	daemon_start
	run -0 python3 - "$X" <<-'PY'
		import fcntl, os, signal, subprocess, sys, time
		def flags(*fds):
		    return [fcntl.fcntl(f, fcntl.F_GETFL) for f in fds]
		for end in (None, signal.SIGKILL, signal.SIGTERM):
		    (r0, w0), (r1, w1), (r2, w2) = os.pipe(), os.pipe(), os.pipe()
		    before = flags(r0, w1, w2)
		    p = subprocess.Popen([sys.argv[1], "--", "sh", "-c", "echo o; echo e >&2; cat"],
		                         stdin=r0, stdout=w1, stderr=w2)
		    os.write(w0, b"in\n")
		    assert os.read(r1, 2) == b"o\n" and os.read(r2, 2) == b"e\n"
		    assert os.read(r1, 3) == b"in\n"
		    assert flags(r0, w1, w2) == before
		    if end:
		        p.send_signal(end)
		    else:
		        os.close(w0)
		        w0 = -1
		    p.wait()
		    assert flags(r0, w1, w2) == before
		    for f in (r0, w0, r1, w1, r2, w2):
		        if f >= 0:
		            os.close(f)
	PY
}
