#!/usr/bin/env bats
# The console's connection, lost in the midst of all that it does: it comes back to its shell, or says how to. With
# CUTS=N it is cut so often at random bytes, with SEED=N at the same ones again.

load helper
load talk
load agent

setup() {
	common_setup
	need_local "connections that are cut"
	talk_setup
	LINK=$DIR/cut
	cat >"$DIR/link" <<-END
		#!/bin/sh
		case \$1 in
		down)
			read -r pid <$DIR/link.pid
			kill -KILL "\$pid"
			rm -f $LINK $DIR/link.pid
			;;
		up)
			python3 -B $BATS_TEST_DIRNAME/cutter.py $LINK $SOCKET $DIR/cuts \${2:-1} \${3:-0} \${4:-1} \\
				>/dev/null 2>&1 3>&- &
			echo \$! >$DIR/link.pid
			until [ -S $LINK ]; do sleep 0.02; done
			;;
		esac
	END
	chmod +x "$DIR/link"
	"$DIR/link" up
}

teardown() {
	[[ ! -e $DIR/link.pid ]] || "$DIR/link" down
	agent_end
	common_teardown
}

# over ARG...: the console over the connection that can be cut. In its script: down, and lost; up, and back; idle COMMAND [STATUS]:
# the same at the prompt, which is drawn anew.
over() {
	{
		cat <<-END
			proc down {} {
				exec $DIR/link down
				see "msb-exec-console: lost the connection to unix:$LINK; trying again"
				see "Ctrl-C stops that"
			}
			proc up {} {exec $DIR/link up}
			proc back {} {
				up
				see "msb-exec-console: connected to the shell again"
			}
			proc idle {command {status ""}} {
				\$command
				prompt \$status
			}
		END
		cat
	} | talk -S "unix:$LINK" "$@"
}

# none_kept: the console has left no session.
none_kept() {
	local kept
	kept=$("$X" --sessions --json) || return 1
	[[ -z $kept ]] || {
		echo "$kept" >&2
		return 1
	}
}

# the_kept: the id of the one session there is.
the_kept() {
	"$X" --sessions --json | grep -oE '"(id|session)": *"[0-9a-f]{12}"' | grep -oE '[0-9a-f]{12}'
}

# ---- at the prompt, and while a line runs ----

@test "console: at the prompt a lost connection is got back, and the shell is the one that it was" {
	over <<-'END'
		prompt
		run {x=one; cd /usr; echo $$}
		set pid $output
		foreach time {1 2 3} {
			idle down
			idle back
			run {echo "$x:$PWD:$$"}
			is "one:/usr:$pid"
		}
		line {exit 3}
		ends 3
	END
	none_kept
}

@test "console: a line that runs goes on showing its output, each byte once" {
	over <<-END
		prompt
		line {for i in 1 2 3; do echo "li"ne\$i; until [ -e $DIR/go\$i ]; do sleep 0.02; done; done; false}
		see "\nline1\r\n"
		down
		close [open $DIR/go1 w]
		back
		sees {^[^l]*line2\r\n$}
		down
		close [open $DIR/go2 w]
		close [open $DIR/go3 w]
		back
		prompt 1
		if {[regexp -all line \$shown] != 1 || ![string match "*\nline3\r\n*" \$shown]} {fail \$shown}
		line exit
		ends 1
	END
	none_kept
}

@test "console: a line may end, and the shell with it, while nobody looks" {
	over <<-END
		prompt
		line {echo be"gun"; until [ -e $DIR/go ]; do sleep 0.02; done; echo l"ast"; exit 4}
		see "begun\r\n"
		down
		close [open $DIR/go w]
		until {! pgrep -f 'until.*$DIR/[g]o'}
		back
		see "last\r\n"
		ends 4
	END
	none_kept
}

@test "console: what is typed while the connection is lost is for the shell, and for what runs" {
	over <<-'END'
		prompt
		down
		line {echo ty"ped"}
		see {echo ty"ped"}
		back
		see "typed\r\n"
		prompt
		line {echo wa"its"; read a; read b; echo "[$a:$b]"}
		see "waits\r\n"
		down
		key "first\rsec"
		taken
		back
		key "ond\r"
		see {[first:second]}
		prompt 0
		down
		line {for i in 1 2; do}
		back
		see "> "
		down
		line {echo "lo"op$i; done}
		back
		see "loop1\r\nloop2\r\n"
		prompt
		down
		line {\tty echo be"side"; exit 8}
		back
		see "beside\r\n"
		prompt 8
		down
		line {exit 5}
		up
		ends 5
	END
	none_kept
}

@test "console: Ctrl-D while the connection is lost leaves once it is back" {
	over <<-'END'
		prompt
		down
		key "\004"
		up
		ends 0
	END
	none_kept
}

# in_shell NAME COMMAND: the same in another shell, where there is one.
in_shell() {
	command -v "${2%% *}" >/dev/null || return 0
	echo "in $1" >&2
	over --shell "$2" <<-END
		prompt
		run {x=one}
		down
		line {echo "\$x"}
		back
		see "one\r\n"
		prompt
		line {echo "li"ne1; until [ -e $DIR/go.$1 ]; do sleep 0.02; done; echo "li"ne2}
		see "\nline1\r\n"
		down
		close [open $DIR/go.$1 w]
		back
		see "line2\r\n"
		prompt
		run {stty -a | grep -o '[-]*echo '}
		is "echo "
		idle down
		idle back
		run {echo "\$x"}
		is one
		line exit
		ends 0
	END
	none_kept
}

@test "console: the same in dash, busybox and zsh" {
	in_shell dash dash
	in_shell busybox 'busybox sh'
	in_shell zsh zsh
}

@test "console: cut at any byte, again and again, each line prints what it prints" {
	CUTS=${CUTS:-10}
	SEED=${SEED:-$RANDOM}
	echo "CUTS=$CUTS SEED=$SEED" >&2
	seq 1 $((400 * (CUTS + 1))) >"$DIR/data"
	# Nothing is said in the midst of the output; and it has to be a shell first.
	talk -q -S "unix:$LINK" <<-END
		prompt
		exec $DIR/link down
		exec $DIR/link up $SEED $CUTS $(stat -c %s "$DIR/data")
		set file [open $DIR/data]
		set want [string trimright [read \$file] "\n"]
		close \$file
		for {set i 1} {\$i <= 4} {incr i} {
			run {cat $DIR/data}
			is \$want
			run "x=\$i; (exit \$i)" \$i
			run {echo "\$x"}
			is \$i
		}
		line exit
		ends 0
	END
	wc -l <"$DIR/cuts" >&2
	[[ $(wc -l <"$DIR/cuts") -gt 0 ]]
	none_kept
}

# ---- Ctrl-C, and \connect ----

@test "console: Ctrl-C stops the tries, and \\connect comes back to the shell" {
	over <<-END
		prompt
		run {x=one; echo \$\$}
		set pid \$output
		down
		key "\003"
		see "not connected; \\\\connect comes back to the shell, \\\\q leaves it there"
		sees {\[not connected\] \[130\][#\$] \$}
		run {echo never} 125
		if {![string match "*there is no connection; \\\\\\\\connect*" \$output]} {fail \$output}
		foreach command {{\\cd /} {\\put /etc/passwd} {\\kill} {\\tty true}} {
			run \$command 125
			if {![string match "*there is no connection*" \$output]} {fail \$output}
		}
		run {\\! echo he"re"} 0
		is here
		key "ec\t"
		key "\003"
		prompt 130
		run {\\connect} 125
		if {![string match "*cannot connect*; \\\\\\\\connect tries again*" \$output]} {fail \$output}
		up
		line {\\connect}
		see "connected to the shell again"
		prompt 0
		run {echo "\$x:\$\$"}
		is "one:\$pid"
		line exit
		ends 0
	END
	none_kept
}

@test "console: Ctrl-C while a line runs stops the tries, and \\connect shows the rest of it" {
	over <<-END
		prompt
		line {echo be"gun"; until [ -e $DIR/go ]; do sleep 0.02; done; echo l"ast"; (exit 6)}
		see "begun\r\n"
		down
		key "\003"
		see "not connected"
		prompt 130
		up
		line {\\connect}
		see "connected to the shell again"
		close [open $DIR/go w]
		see "last\r\n"
		prompt 6
		line {read a; echo "[\$a]"}
		until {pgrep -f 'sess'; true}
		down
		key "\003"
		prompt 130
		up
		line {\\connect}
		see "connected to the shell again"
		key "word\r"
		see {[word]}
		prompt 0
		line {echo wa"its"; sleep $MARK}
		see "waits\r\n"
		down
		back
		interrupt
		line exit
		ends 130
	END
	none_kept
}

@test "console: Ctrl-C in the midst of a command, or behind what was typed, gives that up" {
	over <<-'END'
		prompt
		line {for i in 1 2; do}
		see "> "
		down
		key "\003"
		see "not connected"
		prompt 130
		up
		line {\connect}
		see "connected to the shell again"
		prompt 130
		run {echo "on"ward}
		is onward
		down
		line {echo "never"}
		key "\003"
		see "not connected"
		prompt 130
		up
		line {\connect}
		see "connected to the shell again"
		prompt 0
		run {echo "on"ward}
		is onward
		line exit
		ends 0
	END
	none_kept
}

@test "console: \\connect while it is tried waits with it, and where nothing is lost says where it is" {
	over <<-END
		prompt
		run {\\connect}
		if {![string match "*unix:$LINK*" \$output]} {fail \$output}
		down
		line {\\connect}
		back
		prompt 0
		down
		line {\\connect}
		key "\003"
		see "not connected"
		prompt 130
		line {\\q}
		see "comes back to the shell"
		ends 130
	END
	id=$(the_kept)
	"$X" --kill "$id" --signal HUP
	"$X" --wait "$id" || true
}

@test "console: who leaves without a connection is told how to come back to the shell" {
	for way in '\q' eof TERM; do
		[[ -e $DIR/link.pid ]] || "$DIR/link" up
		over <<-END >"$DIR/told"
			prompt
			run {x=one}
			down
			$(if [[ $way == TERM ]]; then
				printf 'exec kill -TERM $program\nset status SIGTERM\n'
			else
				printf 'key "\\003"\nsee "not connected"\nprompt 130\nset status 130\n'
				[[ $way == eof ]] && printf 'key "\\004"\n' || printf 'line {%s}\n' "$way"
			fi)
			sees {msb-exec --attach ([0-9a-f]+) comes back to the shell}
			puts \$expect_out(1,string)
			ends \$status
		END
		id=$(<"$DIR/told")
		[[ $(the_kept) == "$id" ]]
		run -7 timeout 20 "$X" --attach "$id" <<<$'echo "[$x]"; exit 7'
		[[ $output == *'[one]'* ]]
		none_kept
	done
}

@test "console: \\connect elsewhere leaves the shell that it has no connection to, and ends the one that it has" {
	over <<-END
		prompt
		run {x=one}
		down
		key "\003"
		see "not connected"
		prompt 130
		line {\\connect unix:$SOCKET}
		sees {the shell at unix:[^ ]* goes on: msb-exec --attach ([0-9a-f]+) comes back}
		prompt 130
		run {echo "[\$x]"}
		is {[]}
		exec $DIR/link up
		run {x=two}
		run {\\connect unix:$LINK}
		run {echo "[\$x]"}
		is {[]}
		line exit
		ends 0
	END
	wait_for 10 one_kept
	id=$(the_kept)
	run -7 timeout 20 "$X" --attach "$id" <<<$'echo "[$x]"; exit 7'
	[[ $output == *'[one]'* ]]
	none_kept
}

one_kept() {
	[[ $(the_kept | wc -l) -eq 1 ]]
}

# ---- what does not come back ----

@test "console: an agent that has lost the shell, too, gives a new one in the same folder, and that is said" {
	mkdir "$DIR/in"
	over -w "$DIR/in" <<-END
		prompt
		run {x=one; pwd}
		is $DIR/in
		line {echo be"gun"; sleep $MARK}
		until {pgrep -fx 'sleep $MARK'}
		exec kill -KILL $DAEMON
		see "lost the connection"
		exec sh -c {$EXECD --listen unix:$SOCKET >/dev/null 2>&1 & echo \$! >$DIR/second}
		see "the guest's shell is gone: no such session; this is a new one"
		prompt 125
		run {echo "[\$x]:\$PWD"}
		is "\[]:$DIR/in"
		exec sh -c {kill -KILL \$(cat $DIR/second); rmdir $DIR/in}
		see "lost the connection"
		key "\003"
		see "not connected"
		prompt 130
		exec sh -c {$EXECD --listen unix:$SOCKET >/dev/null 2>&1 & echo \$! >$DIR/second}
		until {"$X" -q -S unix:$SOCKET --ping}
		line {\\connect}
		see "the guest's shell is gone: no such session; this is a new one"
		prompt 0
		run {pwd}
		if {\$output eq "$DIR/in"} {fail "in a folder that is gone"}
		line exit
		ends 0
	END
	daemon_lost
	kill "$(<"$DIR/second")"
	wait_for 10 gone "$(<"$DIR/second")"
	wait_for 10 matches 0 "^sleep $MARK"
}

@test "console: once the time to try is over it ends, with how to come back" {
	over --reconnect 300ms <<-END
		prompt
		exec $DIR/link down
		see "trying again for 0.3 s; Ctrl-C stops that"
		sees {\nmsb-exec-console: [^\n]*; msb-exec --attach [0-9a-f]+ comes back to the shell\r\n}
		ends 125
	END
	id=$(the_kept)
	"$X" --kill "$id" --signal HUP
	"$X" --wait "$id" || true
}

@test "console: a shell that another one has taken is said, and ends it" {
	over <<-END
		prompt
		run {x=one}
		set id [exec $X --sessions --json | grep -oE {"[0-9a-f]{12}"} | tr -d {"}]
		exec sh -c "echo 'echo \\"\[\\\$x\]\\"; exit 7' | timeout 20 $X --attach \$id >$DIR/taken; true"
		see "the guest's shell was attached elsewhere"
		ends 125
	END
	grep -qF '[one]' "$DIR/taken"
	none_kept
}

@test "console: what goes by the connection beside the shell fails with it, and the console goes on" {
	mkfifo "$DIR/fifo"
	over -w "$DIR" <<-END
		prompt
		line {\\get fifo copy}
		until {pgrep -f 'sh $DIR/[f]ifo|sh fifo'}
		down
		see {\\get: the connection is lost}
		prompt 125
		run {\\put /etc/passwd} 125
		if {![string match "*there is no connection*" \$output]} {fail \$output}
		idle back 125
		line {\\tty echo be"gun"; sleep $MARK}
		see "begun\r\n"
		down
		see {\\tty: the connection is lost}
		prompt 125
		idle back 125
		run {echo "on"ward} 0
		is onward
		line exit
		ends 0
	END
	none_kept
	wait_for 10 matches 0 "^sleep $MARK"
}

@test "console: Tab without a connection has no answer, and with it again has" {
	mkdir "$DIR/in"
	touch "$DIR/in/something"
	over -w "$DIR/in" <<-'END'
		prompt
		down
		key "ls some\t"
		back
		key "\t"
		see "something "
		key "\r"
		see "\nsomething"
		prompt
		line exit
		ends 0
	END
	none_kept
}

@test "console: a shell that was taken while the connection was lost ends it, too" {
	over <<-END
		prompt
		run {x=one}
		down
		set id [exec $X --sessions --json | grep -oE {"[0-9a-f]{12}"} | tr -d {"}]
		exec sh -c "echo 'echo \\"\[\\\$x\]\\"; touch $DIR/there; until \[ -e $DIR/go \]; do sleep 0.02; done; exit 7' |
			timeout 20 $X --attach \$id >$DIR/taken &"
		until {test -e $DIR/there}
		up
		see "the guest's shell was attached elsewhere"
		ends 125
		close [open $DIR/go w]
	END
	wait_for 20 none_kept
	grep -qF '[one]' "$DIR/taken"
}

# ---- ways out ----

# Of a shell that a HUP is sure to end: bash looks for one now and then, and may begin to read behind that look.
@test "console: an agent that does not answer hears later that its shell is to end" {
	talk --shell dash <<-END
		prompt
		line {echo be"gun"; sleep $MARK}
		until {pgrep -fx 'sleep $MARK'}
		exec kill -STOP $DAEMON
		key "\003"
		see "does not answer"
		key "\003"
		ends SIGINT
		exec kill -CONT $DAEMON
	END
	wait_for 10 matches 0 "^sleep $MARK"
	wait_for 10 has_ended
}

# has_ended: the one session there is.
has_ended() {
	"$X" --sessions --json | grep -q '"exited"\|"ended"'
}

@test "console: each way out ends the shell, whatever it heeds, and no session is left" {
	for way in exit '\q' eof TERM HUP TERM-runs HUP-deaf TERM-deaf; do
		echo "way: $way" >&2
		talk <<-END
			prompt
			$([[ $way != *-deaf ]] || echo 'run {trap "" HUP TERM; exec 2>&1}')
			$(case $way in
			exit | '\q') printf 'line {%s}\nends 0\n' "$way" ;;
			eof) printf 'key "\\004"\nends 0\n' ;;
			*-runs) printf 'line {echo be"gun"; sleep %s}\nuntil {pgrep -fx "sleep %s"}\n' "$MARK" "$MARK" ;;
			esac)
			$([[ $way != [A-Z]* ]] || printf 'exec kill -%s $program\nends SIG%s\n' "${way%-*}" "${way%-*}")
		END
		none_kept
		wait_for 10 matches 0 "^sleep $MARK"
	done
}

@test "console: a killed console leaves its shell, which is come back to without it" {
	talk <<-'END'
		prompt
		run {x=one}
		exec kill -KILL $program
		ends SIGKILL
	END
	id=$(the_kept)
	run -7 timeout 20 "$X" --attach "$id" <<<$'echo "[$x]"; exit 7'
	[[ $output == *'[one]'* ]]
	none_kept
}

@test "console: with --on-disconnect keep a signal leaves the shell, with kill and hangup nothing is kept" {
	talk --on-disconnect keep <<-'END'
		prompt
		run {x=one}
		exec kill -TERM $program
		ends SIGTERM
	END
	id=$(the_kept)
	run -7 timeout 20 "$X" --attach "$id" <<<$'echo "[$x]"; exit 7'
	[[ $output == *'[one]'* ]]
	for what in kill hangup; do
		[[ -e $DIR/link.pid ]] || "$DIR/link" up
		talk --on-disconnect $what -S "unix:$LINK" <<-END
			prompt
			run {set | grep -c BASH_VERSION}
			exec $X --sessions --json >$DIR/sessions
			exec $DIR/link down
			sees {\nmsb-exec-console: lost the connection[^\n;]*\n}
			ends 125
		END
		[[ ! -s $DIR/sessions ]]
	done
	for options in '--reconnect 0' '--local'; do
		# shellcheck disable=SC2086 # words
		talk $options <<-END
			prompt
			exec $X --sessions --json >$DIR/sessions
			line exit
			ends 0
		END
		[[ ! -s $DIR/sessions ]]
	done
}

@test "console: shells that others follow end, and \\user keeps none" {
	need_root
	talk <<-END
		prompt
		run {\\user nobody}
		run {id -un}
		is nobody
		run {trap "" HUP}
		run {\\user daemon}
		run {id -un}
		is daemon
		until {[ "\$($X --sessions --json | wc -l)" -eq 1 ]}
		line {kill -KILL \$\$}
		see "this is a new one"
		prompt 137
		line exit
		ends 0
	END
	none_kept
}

@test "console: a shell that was to follow, and is lost on its way, ends once the connection is back" {
	need_root
	mkdir "$DIR/slow"
	cat >"$DIR/slow/bash" <<-END
		#!/bin/sh
		[ "\$(id -un)" != nobody ] || until [ -e $DIR/go ]; do sleep 0.02; done
		exec $(command -v bash) "\$@"
	END
	chmod +x "$DIR/slow/bash"
	daemon_stop
	PATH=$DIR/slow:$PATH daemon_start
	over <<-END
		prompt
		line {\\user nobody}
		until {pgrep -u nobody -f $DIR/slow/[b]ash}
		down
		prompt 125
		idle back 125
		until {! pgrep -u nobody -f $DIR/slow/[b]ash}
		run {id -un}
		is root
		line exit
		ends 0
	END
}

@test "console: an agent that keeps as many sessions as it may starts a shell that ends with the connection" {
	daemon_stop
	daemon_start --max-kept 1
	"$X" -d -n --name it -- sleep "$MARK"
	over <<-END
		prompt
		run {echo "on"ward}
		is onward
		exec $DIR/link down
		sees {\nmsb-exec-console: lost the connection[^\n;]*\n}
		ends 125
	END
	"$X" --kill it
	"$X" --wait it || true
}

# ---- as the agent sees it ----

@test "console: only an agent that keeps sessions is asked to, and only if one is wanted" {
	daemon_stop
	agent 5 <<-'END'
		features = [f for f in KEEPS if f != "sessions"] if turn == 1 else KEEPS
		asked = client.serve(exec_features=features)
		equal(asked.payload.get("on_disconnect"), ["keep", None, None, None, "keep"][turn])
		equal(asked.payload.get("hold_ms"), [60000, None, None, None, 5000][turn])
		client.tell("core.exec.failed", {"kind": "other", "message": "no more"})
	END
	for options in '' '' '--reconnect 0' '--on-disconnect kill' '--reconnect 5s'; do
		# shellcheck disable=SC2086 # words
		talk $options <<-'END'
			see "no more"
			ends 125
		END
	done
	agent_done
}
