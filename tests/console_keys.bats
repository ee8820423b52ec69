#!/usr/bin/env bats
# The console at the keyboard: prompt, Ctrl-C, jobs, backslash commands, Tab, history, ways out.

load helper
load talk

setup() {
	common_setup
	talk_setup
}

teardown() {
	common_teardown
}

# slow_guest PATTERN SCRIPT: a daemon whose bash, started with arguments like that, does this before.
slow_guest() {
	mkdir "$DIR/slow"
	cat >"$DIR/slow/bash" <<-END
		#!/bin/sh
		case \$* in
		$1) $2 ;;
		esac
		exec $(command -v bash) "\$@"
	END
	chmod +x "$DIR/slow/bash"
	daemon_stop
	PATH=$DIR/slow:$PATH daemon_start
}

# ---- the prompt ----

@test "console: the prompt has the user, the guest, the folder and a status that is not 0" {
	mkdir -p "$HOME/in side" "$DIR/$(printf 'a\033[31mb')"
	talk -q -w / <<-END
		sees {^[a-z]+@$(uname -n):/[#$] \$}
		run {cd}
		sees {}
		run {cd; false} 1
		if {![string match "*@$(uname -n):~ \\\\\[1\\\\\]*" \$shown]} {fail \$shown}
		run {cd "in side"}
		if {![string match "*:~/in side*" \$shown]} {fail \$shown}
		run {cd "$DIR"/a*b}
		if {[string match "*\033\\\\\[31m*" \$shown]} {fail "a folder's name acts on the terminal"}
		line exit
		ends 0
	END
}

# late_reader: $X reads its terminal late, once: when $DIR/armed is there it says so by $DIR/reading, and
# waits for $DIR/go; with $DIR/second not the next read does, but the one that follows.
late_reader() {
	cc -x c -shared -fPIC -D_GNU_SOURCE -o "$DIR/late.so" - <<-'END'
		#include <dlfcn.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <unistd.h>
		#define PATH(name) (snprintf(path, sizeof(path), "%s/" name, getenv("LATE")), path)
		ssize_t read(int fd, void *space, size_t len)
		{
			ssize_t (*now)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
			char path[200];
			if (isatty(fd) && unlink(PATH("second")) < 0 && unlink(PATH("armed")) == 0) {
				fclose(fopen(PATH("reading"), "w"));
				while (access(PATH("go"), F_OK) < 0)
					usleep(1000);
			}
			return now(fd, space, len);
		}
	END
	printf '#!/bin/sh\nLATE=%s LD_PRELOAD=%s/late.so ASAN_OPTIONS=verify_asan_link_order=0 exec %s "$@"\n' \
		"$DIR" "$DIR" "$X" >"$DIR/late"
	chmod +x "$DIR/late"
	X=$DIR/late
}

@test "console: a key that Ctrl-C sweeps away is not waited for" {
	late_reader
	# The first of several, and one of those that readline reads at once.
	talk <<-END
		prompt
		foreach files {{armed} {armed second}} {
			exec rm -f $DIR/reading $DIR/go
			foreach file \$files {exec touch $DIR/\$file}
			key "echo swept away"
			until {test -e $DIR/reading}
			key "\003"
			taken
			exec touch $DIR/go
			see {^C}
			prompt 130
			run {echo "on"ward}
			is onward
		}
		line exit
		ends 0
	END
}

@test "console: a new size redraws the line and reaches the guest" {
	talk <<-'END'
		prompt
		key {stty si}
		see {stty si}
		size 30 60
		key {ze}
		see {ze}
		key "\r"
		see "30 60"
		prompt
		line {sh -c 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done'}
		see "\nready"
		size 31 61
		see "\n31 61"
		prompt
		line exit
		ends 0
	END
}

# ---- Ctrl-C, jobs ----

@test "console: Ctrl-C clears the line, and stops what runs and the rest of its line" {
	for path in "PATH=$PATH" "$(without_bash)"; do
		talk -e "$path" <<-'END'
			prompt
			key {echo never}
			see never
			interrupt
			line {for i in 1}
			sees {\n> $}
			interrupt
			line {echo "rea"dy; sleep 60; echo "ne"ver}
			see "\nready"
			interrupt
			if {[string match "*\nnever*" $shown]} {fail "the line went on"}
			line {while echo "rea"dy; do while :; do :; done; done}
			see "\nready"
			interrupt
			run {echo on}
			is on
			line exit
			ends 0
		END
	done
}

@test "console: what a second Ctrl-C is to kill is sent the key first" {
	# talk.exp takes what it starts apart at blanks.
	printf '#!/bin/sh\ntee %s | %s --listen stdio:\n' "$DIR/sent" "$EXECD" >"$DIR/there"
	chmod +x "$DIR/there"
	talk -S "exec:$DIR/there" <<-END
		prompt
		line {sh -c 'trap "" INT; echo ready; while :; do sleep 0.1; done'}
		see "\nready"
		key "\003"
		key "\003"
		prompt {137 130}
		line {exit 0}
		ends 0
	END
	PYTHONPATH=$BATS_TEST_DIRNAME python3 -B - "$DIR/sent" <<-'END'
		import sys
		import wire

		sent, kinds = open(sys.argv[1], "rb").read(), []
		while sent:
		    size = 4 + int.from_bytes(sent[:4], "big")
		    frame, sent = wire.Frame(sent[:size]), sent[size:]
		    if frame.type == "core.exec.stdin" and b"\3" in frame.data:
		        kinds += ["key"] * frame.data.count(3)
		    elif frame.type == "core.exec.request" and any("kill -KILL" in arg for arg in frame.args):
		        kinds.append("kill")
		assert kinds == ["key", "key", "kill"], kinds
	END
}

# With 137, or with 130 if the guest's terminal, which acts on keys when it comes to it, has not acted
# on the second before the kill.
@test "console: a second Ctrl-C kills what ignores the first, but not what reads keys itself" {
	# Says when it is asked how keys are read.
	mkdir "$DIR/slow"
	printf '#!/bin/sh\n[ "$1" != -a ] || : >%s\nexec %s "$@"\n' "$DIR/asked" "$(command -v stty)" \
		>"$DIR/slow/stty"
	chmod +x "$DIR/slow/stty"
	daemon_stop
	PATH=$DIR/slow:$PATH daemon_start
	talk <<-END
		prompt
		line {sh -c 'trap "" INT; echo ready; while :; do sleep 0.1; done'}
		see "\nready"
		key "\003"
		key "\003"
		prompt {137 130}
		exec rm $DIR/asked
		line {stty raw; echo ready; dd bs=1 count=3 2>/dev/null | od -An -c; stty sane}
		see "\nready"
		key "\003"
		key "\003"
		until {test -e $DIR/asked && ! pgrep -f -- '[k]ill -KILL -.7'}
		key "x"
		see "003 003"
		see "x"
		prompt
		line exit
		ends 0
	END
}

@test "console: a line of a job in the background is not cut where it was read" {
	talk <<-END
		prompt
		line {(until [ -e $DIR/stop ]; do seq -s , 10000; sleep 0.5; done) &}
		prompt
		key {echo edi}
		# One that a slow machine prints piece by piece may be.
		see [exec seq -s , 10000]
		exec touch $DIR/stop
		interrupt
		run {wait}
		line exit
		ends 0
	END
}

@test "console: what a job prints without an end of line is shown while more comes" {
	talk <<-END
		prompt
		line {(until [ -e $DIR/stop ]; do printf .; sleep 0.05; done) &}
		prompt
		see ".\r"
		see ".\r"
		exec touch $DIR/stop
		interrupt
		run {wait}
		line exit
		ends 0
	END
}

@test "console: jobs in the background print above the line and are stopped, continued and killed" {
	talk <<-END
		prompt
		line {(until [ -e $DIR/go ]; do sleep 0.05; done; echo from-a-"jo"b) &}
		prompt
		key {echo edi}
		see {echo edi}
		exec touch $DIR/go
		see {from-a-job}
		see {echo edi}
		run {"ted"}
		if {![string match "edited*" \$output]} {fail "printed: \$output"}
		run {wait}
		run {sleep $MARK & true}
		line {sleep $MARK}
		until {[ \$(pgrep -fcx 'sleep $MARK') = 2 ]}
		key "\032"
		sees {Stopped}
		prompt 148
		run {jobs | wc -l}
		is 2
		run {\\kill}
		# The shell has to hear of it, too, and says so before its next prompt.
		run {while [ -n "\$(jobs -rp)\$(jobs -sp)" ]; do sleep 0.05; done}
		run {true}
		run {jobs | wc -l}
		is 0
		run {\\kill} 1
		run {\\kill NONE} 125
		line {exit 0}
		ends 0
	END
	wait_for 20 none_match "sleep $MARK"
}

@test "console: exit with stopped jobs is refused once" {
	talk <<-END
		prompt
		line {sleep $MARK}
		until "pgrep -fx 'sleep $MARK'"
		key "\032"
		see {Stopped}
		prompt 148
		line {exit 6}
		see "stopped jobs"
		prompt 1
		line {exit 6}
		ends 6
	END
	wait_for 20 none_match "sleep $MARK"
}

@test "console: what is typed ahead runs, and its unfinished rest spoils nothing" {
	for path in "PATH=$PATH" "$(without_bash)"; do
		rm -f "$DIR"/go*
		talk -e "$path" <<-END
			# Something runs until it is told to go on.
			proc busy {i {first {}} {keys {}}} {
				line "\${first}echo rea\"\"dy; until \\[ -e $DIR/go\$i ]; do sleep 0.05; done"
				if {\$keys ne {}} {
					see "\nbegin"
					key \$keys
				}
				see "ready"
			}
			prompt
			busy 1
			line {echo ahea\$((1))d}
			see {echo ahea\$((1))d}
			exec touch $DIR/go1
			see ahea1d
			prompt
			busy 2
			key {rest}
			see {rest}
			exec touch $DIR/go2
			prompt
			run {echo y\$((1+1))}
			is y2
			# One byte is read, and there are more.
			busy 3 {stty raw -echo; echo "beg"in; dd bs=1 count=1 of=/dev/null 2>/dev/null; } {Rest}
			exec touch $DIR/go3
			prompt
			run {stty sane; echo z\$((1+1))}
			if {![string match "*z2*" \$output]} {fail "printed: \$output"}
			run {echo fine}
			is fine
			line exit
			ends 0
		END
	done
}

@test "console: Ctrl-C gives up a line that the guest has not read yet" {
	for path in "PATH=$PATH" "$(without_bash)"; do
		talk -e "$path" <<-END
			prompt
			exec kill -STOP $DAEMON
			line {if true}
			key {never}
			taken
			key "\003"
			taken
			exec kill -CONT $DAEMON
			# A shell that had begun to read it may lose its beginning alone, or the signal.
			prompt {130 0 127}
			line {echo "o"n}
			see "on\r\n"
			prompt {130 0}
			line exit
			ends 0
		END
	done
}

@test "console: what is typed before the guest has begun is for the line, or for the next" {
	talk <<-END
		prompt
		exec kill -STOP $DAEMON
		line {read -r word; echo "got \$word"}
		key {wo}
		taken
		key "never\\003rd"
		taken
		exec kill -CONT $DAEMON
		sees {\\[130\\][#\$] rd}
		if {[string match "*__msb*" \$shown] || [string match "*out;*" \$shown]} {fail \$shown}
		interrupt
		exec kill -STOP $DAEMON
		line {read -r word; echo "got \$word"}
		key {wo}
		taken
		exec kill -CONT $DAEMON
		line {rd}
		see "got word"
		prompt
		exec kill -STOP $DAEMON
		line {if true}
		key "then echo /us\t"
		taken
		exec kill -CONT $DAEMON
		see {> then echo /usr/}
		line {}
		see {> }
		run {fi}
		is /usr/
		line exit
		ends 0
	END
}

@test "console: the first prompt says what this is, unless it is to be quiet" {
	talk <<-'END'
		see "\033\[2mmsb-exec-console: bash of the guest. \\? lists what else there is, \\q leaves.\033\[0m\r\n"
		prompt
		line exit
		ends 0
	END
	talk --shell dash <<-'END'
		see "msb-exec-console: sh of the guest."
		prompt
		line exit
		ends 0
	END
	talk -q <<-'END'
		prompt
		if {[string match "*msb-exec*" $shown]} {fail $shown}
		line exit
		ends 0
	END
}

@test "console: Enter alone tells of jobs, and clear leaves no row behind" {
	talk <<-END
		prompt
		run {sleep $MARK &}
		exec sh -c {kill \$(pgrep -fx 'sleep $MARK')}
		until {! pgrep -fx 'sleep $MARK'}
		key "\r"
		see {[1]+  Terminated}
		prompt
		run {}
		is ""
		line exit
		ends 0
	END
	talk <<-'END'
		prompt
		line {printf '\033[H\033[2J\033[3J'}
		sees {[[]3J[a-z0-9_]+@}
		line {printf '\033[31mred\033[0m'}
		sees {red.[[]0m\r\n[a-z0-9_]+@}
		line exit
		ends 0
	END
}

@test "console: a shell that stopped itself goes on at a second Ctrl-C" {
	talk <<-'END'
		prompt
		line {echo "sto"ps; suspend -f}
		see "\nstops"
		key "\003"
		key "\003"
		prompt {130 148 0 137}
		run {echo on}
		is on
		line exit
		ends 0
	END
}

@test "console: a shell with a prompt of its own can be used, and Ctrl-C gives it ours again" {
	echo "PS1='mine> '" >"$DIR/rc"
	for shell in bash dash; do
		talk --shell "$shell" <<-END
			prompt
			line {. $DIR/rc}
			see "\nmine> "
			line {echo "us"ed}
			see "\nused"
			see "mine> "
			key "\003"
			prompt
			run {echo on}
			is on
			run {PS1='mine> '}
			run {exec 2>/dev/null}
			run {echo out; echo not >&2; (exit 4)} 4
			is out
			line {exit 5}
			ends 5
		END
	done
}

@test "console: the line that gives ours again is for no program that reads" {
	talk <<-'END'
		prompt
		line {echo "PS1="; cat -v}
		see "\nPS1=\r\n"
		# Longer than until it would be typed.
		after 1500
		line mine
		see "mine\r\nmine\r\n"
		key "\004"
		prompt
		if {[string match "*PROMPT_COMMAND*" $said$shown]} {fail $shown}
		run {trap '' INT}
		line {echo "rea"dy; read x; echo "got $x"}
		see "\nready"
		key "\003"
		after 1500
		line mine
		see "got mine"
		prompt
		line {exit 0}
		ends 0
	END
}

@test "console: Ctrl-C at a prompt whose terminal was left raw does not end all" {
	talk <<-'END'
		prompt
		run {stty raw -echo}
		key "\003"
		see {^C}
		prompt {130 127}
		run {stty sane}
		run {echo on}
		is on
		line exit
		ends 0
	END
}

# ---- backslash commands ----

@test "console: a name that is nearly ours is explained, and one that the guest has is the guest's" {
	mkdir "$DIR/tools"
	printf '#!/bin/sh\necho mine\n' >"$DIR/tools/wattch"
	chmod +x "$DIR/tools/wattch"
	talk -e "PATH=$DIR/tools:$PATH" <<-'END'
		prompt
		run {\conect unix:/x} 125
		is {there is no \conect; did you mean \connect? \? lists them all}
		run {\wattch}
		is mine
		run {\timin} 125
		run {\nothing-like-it} 127
		line exit
		ends 127
	END
}

@test "console: \\put and \\get copy files whole, with names as they are" {
	mkdir "$DIR/here" "$DIR/there"
	head -c 3000000 /dev/urandom >"$DIR/here/a b"
	chmod 751 "$DIR/here/a b"
	talk -w "$DIR/there" <<-END
		prompt
		run {\\lcd $DIR/here}
		run {\\put a\\ b}
		run {mkdir in}
		run {\\put "a b" in}
		run {\\put 'a b' new}
		run {\\put none} 125
		run {\\put} 125
		run {\\put .} 125
		run {\\get new}
		run {\\get in/a\\ b back}
		run {\\get none lost} 2
		run {\\get new /no/such/folder} 125
		line exit
		ends 0
	END
	for file in "$DIR"/there/{'a b',new,'in/a b'} "$DIR"/here/{new,back}; do
		cmp "$DIR/here/a b" "$file"
	done
	[[ $(stat -c %a "$DIR/there/new") == 751 ]]
	[[ $(ls "$DIR/here") == $'a b\nback\nnew' ]]
}

@test "console: \\put and \\get end by Ctrl-C and with what they copy from or to, and leave nothing half" {
	mkdir "$DIR/here" "$DIR/there"
	mkfifo "$DIR/there/$MARK.fifo"
	head -c 300000 /dev/zero >"$DIR/there/file"
	echo kept >"$DIR/here/$MARK.fifo"
	talk --reconnect 0 -w "$DIR/there" <<-END
		prompt
		run {\\lcd $DIR/here}
		foreach copy {{\\get $MARK.fifo} {\\put $MARK.fifo}} {
			line \$copy
			until {pgrep -f 'sh $MARK.[f]ifo'}
			key "\003"
			prompt 130
			until {! pgrep -f 'sh $MARK.[f]ifo'}
		}
		run {\\get file /dev/full} 125
		if {![string match "*No space left*" \$output]} {fail \$output}
		run {\\get file /dev/null}
		run {\\put $MARK.fifo /dev/full} 1
		if {![string match "*No space left*" \$output]} {fail \$output}
		run {\\get /none} 2
		run {echo "on"ward}
		is onward
		line {\\get $MARK.fifo new}
		until {test -e $DIR/here/new.part}
		exec kill -KILL $DAEMON
		ends 125
	END
	daemon_lost
	[[ $(ls "$DIR/here") == "$MARK.fifo" && $(<"$DIR/here/$MARK.fifo") == kept ]]
}

@test "console: a connection that is lost ends it also while \\get writes to what takes nothing" {
	head -c 5000000 /dev/zero >"$DIR/file"
	mkfifo "$DIR/fifo"
	exec 8<>"$DIR/fifo"
	talk --reconnect 0 <<-END
		prompt
		line {\\get $DIR/file $DIR/fifo}
		until {python3 -B -c 'import fcntl, os, sys, termios
		pipe = os.open("$DIR/fifo", os.O_RDWR)
		sys.exit(int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder) < 65536)'}
		exec kill -KILL $DAEMON
		see "msb-exec-console: lost the connection"
		ends 125
	END
	exec 8<&-
	daemon_lost
}

@test "console: \\put and \\get are of the guest that the shell is in, by the same connection" {
	need_local "a daemon of its own"
	printf '#!/bin/sh\necho >>%q/starts\nexec %q --listen stdio:\n' "$DIR" "$EXECD" >"$DIR/transport"
	chmod +x "$DIR/transport"
	head -c 300000 /dev/urandom >"$DIR/file"
	talk -w "$DIR" -S "exec:$DIR/transport" <<-END
		prompt
		run {\\put $DIR/file two}
		run {\\get two $DIR/three}
		line exit
		ends 0
	END
	cmp "$DIR/file" "$DIR/three"
	[[ $(wc -l <"$DIR/starts") -eq 1 ]]
}

@test "console: \\watch runs a line again and again, until Ctrl-C" {
	talk <<-'END'
		prompt
		line {\watch 0.05s echo "ag"ain}
		see "\nagain"
		see "\nagain"
		see "\nagain"
		key "\003"
		# Between two runs, or behind one that has just ended. The prompt may be drawn once more
		# for the Ctrl-C, before the output that is waited for or behind it.
		prompt {130 0}
		line {echo "o"n}
		see "on\r\n"
		prompt {130 0}
		line {\watch 10m echo "on"ce}
		see "once\r\n"
		key "\003"
		prompt 130
		run {\watch soon date} 125
		run {\watch 1s} 125
		line {exit 0}
		ends 0
	END
}

@test "console: \\save writes what was run as a script for -f" {
	talk -w /usr <<-END
		prompt
		run {x=1}
		line {for i in 1 2}
		sees {\n> \$}
		run {do echo "i\$i \$x"; done}
		run {}
		run {(exit 3)} 3
		run {\\cd /tmp}
		run {\\timing off}
		run {pwd}
		run {\\save /no/such/folder/x} 125
		run {\\save $DIR/steps}
		line {exit 0}
		ends 0
	END
	[[ $(<"$DIR/steps") == $'x=1\nfor i in 1 2\ndo echo "i$i $x"; done\n-(exit 3)\ncd /tmp\npwd' ]]
	run -0 lines -f "$DIR/steps"
	[[ $output == $'i1 1\ni2 1\n/tmp' ]]
}


@test "console: \\cd, \\env, \\timing and \\? do what they say; \\ls is the shell's" {
	talk <<-'END'
		prompt
		run {\cd /usr}
		run {pwd}
		is /usr
		run {\cd /no/such} 1
		run {\env A_B='x  y'}
		run {echo "$A_B"; env | grep -c ^A_B=}
		is "x  y\n1"
		run {\env}
		if {![string match "*A_B=*" $output]} {fail $output}
		run {\timing on}
		run {true}
		if {![regexp {time: [0-9.]+ ms} $output]} {fail $output}
		run {\timing off}
		run {true}
		is ""
		run {\timing maybe} 125
		run {\?}
		if {![string match "*\\connect ENDPOINT*" $output]} {fail $output}
		run {\echo shells}
		is shells
		run {\?x} 127
		run {(exit 3)} 3
		line {\q}
		ends 3
	END
}

# becomes_nobody: \user, with what it keeps, what it does not, and a user that there is not.
becomes_nobody() {
	need_root
	talk <<-'END'
		prompt
		run {cd /usr; export KEPT='a  b'; lost=1; HOME=/x}
		line {\user nobody}
		sees {nobody@[^ ]*:/usr\$ $}
		run {id -un; echo "$KEPT:$lost:$HOME"; pwd}
		if {![string match "nobody\na  b::/*\n/usr" $output] || [string match "*:/x*" $output]} {fail $output}
		run {\user no-such-user} 125
		if {![string match "*no-such-user*" $output]} {fail $output}
		run {\user}
		is nobody
		line exit
		ends 0
	END
}

@test "console: \\user goes on as another user with the folder and what was exported" {
	becomes_nobody
}

@test "console: \\user does so too when the guest is asked about the terminal before" {
	export TERM=tmux-256color
	becomes_nobody
}

@test "console: \\tty runs a program beside the shell, on a terminal of its own" {
	talk <<-'END'
		prompt
		run {cd /usr; export KEPT=k; echo $$ $(tty)}
		set shell $output
		run {\tty echo $PPID $(tty) $KEPT; pwd; read -t 0.1 x; exit 3} 3
		if {$output eq $shell || ![string match "*/dev/pts/* k\n/usr" $output]} {fail $output}
		line {\tty echo "rea"dy; cat}
		see "\nready"
		line {words}
		see "words\r\nwords"
		key "\004"
		prompt
		run {\tty} 125
		line exit
		ends 0
	END
}

@test "console: a program of \\tty goes on when the shell is killed meanwhile" {
	talk <<-'END'
		prompt
		run {echo $$}
		set shell $output
		line {\tty echo "rea"dy; read x; echo "g"ot $x; read x; exit 5}
		see "\nready"
		exec kill -KILL $shell
		see "this is a new one"
		key "one\r"
		see "got one"
		key "two\r"
		prompt 5
		run {echo "on"ward}
		is onward
		line exit
		ends 0
	END
}

@test "console: \\connect goes to another guest, and stays where it was if that does not answer" {
	"$EXECD" --listen "unix:$DIR/other" --cwd /usr 2>>"$DIR/daemon.log" 3>&- &
	other=$!
	"$X" -q --wait-for $((20 * SLOW)) -S "unix:$DIR/other" --ping
	talk -w /tmp <<-END
		prompt
		run {x=1}
		run {\\connect unix:$DIR/none} 125
		run {\\connect nonsense} 125
		run {echo \$x; pwd}
		is "1\n/tmp"
		run {\\connect unix:$DIR/other}
		run {echo "[\$x]"; pwd}
		is {[]
		/usr}
		run {\\connect}
		if {![string match "*$DIR/other*" \$output]} {fail \$output}
		line {exit 2}
		ends 2
	END
	kill "$other"
	wait "$other"
}

@test "console: a shell that is on its way elsewhere when the window changes gets the new size" {
	"$EXECD" --listen "unix:$DIR/other" 2>>"$DIR/daemon.log" 3>&- &
	other=$!
	status=0
	"$X" -q --wait-for $((5 * SLOW)) -S "unix:$DIR/other" --ping
	echo "if [ -e $DIR/hold ]; then touch $DIR/held; until [ -e $DIR/go ]; do sleep 0.02; done; fi" >"$HOME/.bashrc"
	talk <<-END || status=$?
		prompt
		close [open $DIR/hold w]
		line {\\connect unix:$DIR/other}
		until {test -e $DIR/held}
		size 31 61
		close [open $DIR/go w]
		prompt
		run {stty size}
		is "31 61"
		line {exit}
		ends 0
	END
	kill "$other"
	wait "$other"
	[[ $status -eq 0 ]]
}

@test "console: a variable of the user is what it was, whatever starts the shell" {
	talk -e s=S -e n=N -e e=E -e f=F <<-'END'
		prompt
		run {env | grep -E '^[a-z_]=' | grep -v ^_ | sort}
		is "e=E\nf=F\nn=N\ns=S"
		run {printf 'abc\033]0;t'}
		run {true}
		is ""
		run {true}
		is ""
		line exit
		ends 0
	END
}

@test "console: \\lcd and \\! are of the host" {
	mkdir "$DIR/a b"
	talk <<-END
		prompt
		run {\\lcd $DIR/a\\ b}
		run {\\! pwd}
		is "$DIR/a b"
		run {pwd}
		if {[string match "*a b*" \$output]} {fail \$output}
		run {\\lcd /no/such} 125
		run {\\! exit 4} 4
		run {\\! test -t 0 && stty -a | grep -c ' icanon'}
		is 1
		line {exit}
		ends 0
	END
}

@test "console: what is typed to a program that does not read yet is kept for it" {
	talk <<-END
		prompt
		line {\\tty stty raw -echo; touch $DIR/ready; until [ -e $DIR/go ]; do sleep 0.02; done; head -c 900000 | wc -c >$DIR/count}
		until {test -e $DIR/ready}
		key [string repeat 0123456789 90000]
		close [open $DIR/go w]
		prompt
		line {exit}
		ends 0
	END
	[[ $(<"$DIR/count") -eq 900000 ]]
}

# ---- Tab ----

@test "console: Tab completes commands, paths with their quotes, and backslash commands" {
	mkdir -p "$DIR/t/fold er" "$DIR/t/bin"
	touch "$DIR/t/fold er/one" "$DIR/t/it's" "$DIR/t/xa1" "$DIR/t/xa2"
	printf '#!/bin/sh\necho ran "$@"\n' >"$DIR/t/bin/only-this-one"
	chmod +x "$DIR/t/bin/only-this-one"
	talk -w "$DIR/t" <<-'END'
		prompt
		run {PATH=$PATH:$PWD/bin}
		key "only-th\t"
		see {only-this-one }
		run {x}
		is "ran x"
		key "echo fold\t"
		see {echo fold\ er/}
		key "\t"
		see {one }
		run {}
		is "fold er/one"
		key "echo \"fold\t"
		see {echo "fold er/}
		key "o\t"
		see {one" }
		run {}
		is "fold er/one"
		key "echo it\t"
		see {it\'s }
		run {}
		is "it's"
		key "ls x\t"
		sees {x\x07*a}
		key "\t\t"
		sees {xa1 +xa2}
		interrupt
		key "true; only-th\t"
		see {only-this-one}
		interrupt
		key "no-such-thing-at-all\t"
		interrupt
		key "\\tim\t"
		see {\timing }
		key "of\t"
		see {off }
		interrupt
		key "\\kill US\t1\t"
		sees {US\x07*R\x07*1 }
		interrupt
		key "\\user nobo\t"
		see {nobody }
		interrupt
		line {exit 0}
		ends 0
	END
}

@test "console: a name with control characters does not act on the terminal and is quoted" {
	mkdir "$DIR/t"
	touch "$DIR/t/$(printf 'q\033]0;evil\a1')" "$DIR/t/$(printf 'q\n2')" "$DIR/t/$(printf 'z\nz')"
	talk -w "$DIR/t" <<-'END'
		prompt
		key "ls q\t\tx"
		sees {q.*x}
		interrupt
		if {[string match "*\033\]0;evil*" $said$shown]} {fail "acted on the terminal"}
		key "cat z\t"
		see "\$'z\\012z'"
		run {}
		line exit
		ends 0
	END
}

@test "console: --timeout is for scripts, and a prompt has no end" {
	talk --timeout 0.05 --kill-after 0.05 <<-'END'
		prompt
		run {sleep 0.5; echo "on"ward}
		is onward
		line exit
		ends 0
	END
}

@test "console: Tab never inserts a part of a character" {
	mkdir "$DIR/names"
	touch "$DIR/names/"{é1,è2}
	for locale in C C.UTF-8; do
		LC_ALL=$locale talk -w "$DIR/names" <<-'END'
			prompt
			key "echo \t"
			run {ok}
			is ok
			line exit
			ends 0
		END
	done
}

@test "console: Tab waits no longer than its budget, and leaves nothing behind" {
	unset MSB_EXEC_COMPLETE_TIMEOUT
	slow_guest "*printf*" "exec sleep $MARK"
	talk <<-'END'
		prompt
		set began [clock milliseconds]
		key "ls /us\tx"
		sees {ls /us\x07*x}
		set took [expr {[clock milliseconds] - $began}]
		if {$took < 250} {fail "took $took ms"}
		interrupt
		line {exit 0}
		ends 0
	END
	wait_for 20 none_match "sleep $MARK"
}

@test "console: --complete-timeout and MSB_EXEC_COMPLETE_TIMEOUT lift Tab's budget, until Ctrl-C" {
	slow_guest "*printf*" "echo >>$DIR/asked; until [ -e $DIR/go ]; do sleep 0.05; done; sleep 0.4"
	for way in option variable; do
		rm -f "$DIR/go"
		case $way in
		option) MSB_EXEC_COMPLETE_TIMEOUT=0.1 talk --complete-timeout 1h ;;
		variable) MSB_EXEC_COMPLETE_TIMEOUT=0 talk ;;
		esac <<-END
			prompt
			key "echo /us\t"
			until "test -e $DIR/asked"
			interrupt
			exec rm $DIR/asked
			key "echo /us\t"
			until "test -e $DIR/asked"
			exec touch $DIR/go
			see {/usr/}
			run {}
			is /usr/
			line exit
			ends 0
		END
	done
	MSB_EXEC_COMPLETE_TIMEOUT=soon run -125 lines -c true
	[[ $output == *"MSB_EXEC_COMPLETE_TIMEOUT: soon is not a duration"* ]]
	run -125 lines --complete-timeout soon -c true
}

# ---- history ----

@test "console: the history is private, appended, without repeats and lines that begin with a space" {
	file=$XDG_STATE_HOME/msb-exec/history
	talk <<-'END'
		prompt
		run {echo one}
		run {echo one}
		run { echo secret}
		run {\timing off}
		line exit
		ends 0
	END
	# Before each is its time, by which readline knows where one of several lines ends.
	[[ $(grep -v '^#' "$file") == $'echo one\n\\timing off\nexit' ]]
	[[ $(stat -c %a "$file") == 600 && $(stat -c %a "${file%/*}") == 700 ]]
	chmod 644 "$file"
	talk <<-'END'
		prompt
		key "\033\[A\033\[A\033\[A"
		see {echo one}
		run {}
		is one
		line {exit}
		ends 0
	END
	[[ $(grep -vc '^#' "$file") -eq 5 && $(stat -c %a "$file") == 600 ]]
}

@test "console: a command of several lines is one in the history, in the next console too" {
	talk <<-'END'
		prompt
		line {for i in 1 2}
		sees {\n> $}
		line {do}
		sees {\n> $}
		run {echo "i$i"; done}
		is "i1\ni2"
		run {echo between}
		key "\033\[A\033\[A"
		sees {for i in 1 2\r?\n.*echo "i\$i"; done}
		run {}
		if {![string match "*i1\ni2" $output]} {fail $output}
		line exit
		ends 0
	END
	talk <<-'END'
		prompt
		key "\022for i"
		sees {for i in 1 2}
		run {}
		if {![string match "*i1\ni2" $output]} {fail $output}
		run {echo one two}
		run {!!}
		if {![string match "*one two" $output]} {fail $output}
		line exit
		ends 0
	END
}

# What begins with # and a digit, in the file, is when the next command was.
@test "console: a command that readline would read back as another is not kept for the next console" {
	talk <<-'END'
		prompt
		run {echo first}
		line {echo "a}
		sees {> $}
		line {#12 b}
		sees {> $}
		run {c"}
		is "a\n#12 b\nc"
		key "\033\[A"
		run {}
		if {![string match "*a\n#12 b\nc" $output]} {fail $output}
		line exit
		ends 0
	END
	[[ $(grep -v '^#' "$XDG_STATE_HOME/msb-exec/history") == $'echo first\nexit' ]]
}

@test "console: Tab completes variables" {
	talk -e LONG_NAME=value <<-'END'
		prompt
		key "echo \$LONG_N\t"
		see {$LONG_NAME}
		run {}
		is value
		key "echo \"\$HOM\t"
		see {$HOME"}
		run {}
		is $env(HOME)
		line exit
		ends 0
	END
}

@test "console: two consoles at once lose no line, and the file is cut" {
	file=$XDG_STATE_HOME/msb-exec/history
	mkdir -p "${file%/*}"
	seq 6000 | sed 's/^/echo /' >"$file"
	echo 'prompt; run {echo inner}; line exit; ends 0' >"$DIR/inner"
	talk <<-END
		prompt
		run {echo outer}
		run {\\! TERM=xterm expect $BATS_TEST_DIRNAME/talk.exp $DIR/inner $X --console -e HOME >/dev/null}
		run {echo after}
		line exit
		ends 0
	END
	[[ $(grep -v '^#' "$file" | tail -n 3) == *$'echo after\nexit' && $(grep -vc '^#' "$file") -lt 5100 ]]
	[[ $(grep -cxE 'echo (outer|inner)' "$file") -eq 2 ]]
}

@test "console: MSB_EXEC_HISTFILE names the file, and empty there is none" {
	for MSB_EXEC_HISTFILE in "$DIR/mine" ''; do
		export MSB_EXEC_HISTFILE
		talk <<-'END'
			prompt
			run {echo one}
			line exit
			ends 0
		END
	done
	[[ $(grep -v '^#' "$DIR/mine") == $'echo one\nexit' ]]
	[[ ! -e $XDG_STATE_HOME && ! -e $HOME/.local ]]
}

@test "console: ~/.inputrc can ask for msb-exec" {
	printf '%s\n' '$if msb-exec' '"\C-o": "echo from-inputrc"' '$endif' >>"$INPUTRC"
	talk <<-'END'
		prompt
		key "\017"
		see {echo from-inputrc}
		run {}
		is from-inputrc
		line exit
		ends 0
	END
}

# ---- the ways out ----

@test "console: a killed shell is said and replaced; one that dies at once ends the console" {
	for dies in 'kill -KILL $$' '{ kill -KILL $$; } &'; do
		export DIES="$dies"
		rm -f "$HOME/.bashrc"
		talk -w /tmp <<-'END'
			prompt
			run {cd /usr}
			line {kill -KILL $$}
			see "killed by SIGKILL"
			prompt 137
			run {pwd}
			is /usr
			exec sh -c {echo "$DIES" >$HOME/.bashrc}
			line {kill -KILL $$}
			see "killed by SIGKILL"
			see "killed by SIGKILL"
			ends 137
		END
	done
	run -137 lines -c 'kill -KILL $$'
}

@test "console: Ctrl-C while a killed shell's successor hangs ends the console, which has no other" {
	for where in 'line {kill -KILL $$}' 'line {(sleep 0.2; kill -KILL $$) &}; prompt'; do
		rm -f "$HOME/.bashrc" "$DIR/begun"
		talk <<-END
			prompt
			run {echo 'touch "$DIR/begun"; exec sleep 100' >\$HOME/.bashrc}
			$where
			see "killed by SIGKILL"
			until {[ -e "$DIR/begun" ]}
			key "\003"
			ends SIGINT
		END
	done
}

@test "console: with --reconnect 0 a lost connection is said in one line, ends with 125, and the terminal is restored" {
	for when in prompt "until {pgrep -fx 'sleep $MARK'}"; do
		[[ -n $DAEMON ]] || daemon_start
		talk --reconnect 0 <<-END
			set before [modes]
			prompt
			line {$([[ $when == prompt ]] || echo "printf half; sleep $MARK")}
			$when
			exec kill -KILL $DAEMON
			sees {\nmsb-exec-console: lost the connection[^\n]*\n}
			ends 125
		END
		daemon_lost
	done
}

@test "console: the terminal is as it was after each way out" {
	for way in exit TERM HUP ALRM TERM-runs; do
		drive 24x80 "$X" --console -e HOME <<-END
			expect @
			$(case $way in
			exit) printf 'send exit\\r\nwait 0\n' ;;
			TERM-runs) printf 'send sleep\\s60\\r\nmodes raw\nrun kill -TERM $PROGRAM\nwait TERM\n' ;;
			*) printf 'run kill -%s $PROGRAM\nwait %s\n' "$way" "$way" ;;
			esac)
			modes same
		END
	done
}

@test "console: what a program left on in the terminal stays so at the prompt, and is off after each way out" {
	off='\x1b[?1000l\x1b[?1006l\x1b[?25h\x1b[?1049l'
	printf '\033[?1049h\033[?25l\033[?1000;1006h' >"$DIR/on"
	for way in exit TERM lost; do
		# shellcheck disable=SC2046 # two words, or none
		drive 24x80 "$X" --console -e HOME $([[ $way != lost ]] || echo --reconnect 0) <<-END
			expect @
			send cat\s'$DIR/on';\secho\s"le"ft\r
			expect left
			expect @
			absent \x1b[?1049l
			$(case $way in
			exit) printf 'send exit\\r\nexpect %s\nwait 0\n' "$off" ;;
			TERM) printf 'run kill -TERM $PROGRAM\nexpect %s\nwait TERM\n' "$off" ;;
			lost) printf 'run kill -KILL %s\nexpect %s\nwait 125\n' "$DAEMON" "$off" ;;
			esac)
			modes same
		END
	done
	daemon_lost
}

@test "console: suspended and continued it is what it was" {
	drive 24x80 "$X" --console -e HOME <<-'END'
		expect @
		send echo\shal
		expect hal
		run kill -TSTP $PROGRAM
		stopped
		modes same
		continue
		send f\r
		expect half
		send exit\r
		wait 0
		modes same
	END
}
