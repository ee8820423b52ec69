#!/usr/bin/env bats
# msb-exec --console at the keyboard, driven by expect (talk.exp), and its lines without a terminal.

load helper
load talk

setup() {
	common_setup
	talk_setup
}

teardown() {
	common_teardown
}

# ---- one shell ----

# busybox has no echo until its command runs, which is when its modes are given back, in time or not.
@test "console: an echo that came back although nobody waited for it any longer is no output" {
	local stty
	need_local "a guest with another stty"
	command -v busybox >/dev/null || skip "no busybox here"
	stty=$(command -v stty)
	mkdir "$DIR/bin"
	printf '#!/bin/sh\n"%s" "$@" || exit\ncase $1 in *:*) exec sleep %s ;; esac\n' "$stty" "$MARK" \
		>"$DIR/bin/stty"
	chmod +x "$DIR/bin/stty"
	daemon_stop
	export PATH=$DIR/bin:$PATH
	daemon_start
	talk --shell 'busybox sh' <<-'END'
		prompt
		run {echo one}
		is one
		send "\x04"
		ends 0
	END
}

@test "console: folders, variables, functions, options and \$? are kept between lines" {
	for path in "PATH=$PATH" "$(without_bash)"; do
		talk -e "$path" -w /tmp <<-'END'
			prompt
			run {cd /usr; x=1; export Y="a  b"}
			run {f() { echo "f$1 $x"; }; set -f}
			run {pwd; f 2; env | grep ^Y=; echo *}
			is "/usr\nf2 1\nY=a  b\n*"
			run {false} 1
			run {echo $?}
			is 1
			run {set +f; (exit 42)} 42
			run {} 42
			run {echo $?}
			is 42
			run {alias greet='echo hello'}
			run {greet you}
			is "hello you"
			line {exit 3}
			ends 3
		END
	done
}

@test "console: declare, local and return mean what they mean in a shell" {
	talk <<-'END'
		prompt
		run {declare -i n=2+3; declare -a list=(a b)}
		run {echo $n ${list[1]}}
		is "5 b"
		run {f() { local n=1; return 7; }; f} 7
		run {echo $n}
		is 5
		line {exit}
		ends 0
	END
}

@test "console: a command of several lines, with quotes and here-documents, is one command" {
	for path in "PATH=$PATH" "$(without_bash)"; do
		talk -e "$path" <<-'END'
			proc more {text} {
				line $text
				sees {\n> $}
			}
			prompt
			more {for i in 1 2}
			more {do echo "i$i"}
			run {done}
			is "i1\ni2"
			more {if false; then}
			more {echo no}
			run {else echo yes; fi}
			is yes
			more {echo 'one}
			run {two'}
			is "one\ntwo"
			more {cat <<END}
			more {it's "$((40 + 2))" (}
			run {END}
			is {it's "42" (}
			more "echo a\\"
			run {b}
			is ab
			more "true &&"
			run {echo and}
			is and
			more "f() {"
			more "echo \$("
			more "echo deep"
			more ")"
			run "}; f"
			is deep
			run {echo 'END' done}
			is "END done"
			key "\004"
			ends 0
		END
	done
}

@test "console: a syntax error is said, has a status and harms nothing" {
	for path in "PATH=$PATH" "$(without_bash)"; do
		talk -e "$path" <<-'END'
			prompt
			run {fi} 2
			if {![string match "*yntax error*" $output]} {fail $output}
			run {echo $?}
			is 2
			run {x=5; )} 2
			run {echo fine}
			is fine
			line {exit}
			ends 0
		END
	done
}

@test "console: Ctrl-D leaves with the last status, and in the midst of a command gives it up" {
	talk <<-'END'
		prompt
		run {(exit 9)} 9
		line {for i in 1}
		sees {\n> $}
		key "\004"
		# As Ctrl-C would: to the shell an end of file here would be the end of all.
		prompt 130
		run {(exit 9)} 9
		key "\004"
		ends 9
	END
}

@test "console: a line far over what a terminal takes arrives whole" {
	{
		echo 'prompt'
		printf 'run {x=%s}\n' "$(head -c 60000 /dev/zero | tr '\0' 'x')"
		# shellcheck disable=SC2016 # for the guest
		echo 'run {echo ${#x}}; is 60000; line exit; ends 0'
	} | talk
}

@test "console: control characters in a line are data" {
	run -0 lines -c $'printf %s "a\tb\x03c\x04\x1a\x7f\x15d" | od -An -c | tr -d " "'
	[[ $output == $'a\\tb003c004032177025d' ]]
	talk <<-'END'
		prompt
		run "printf %s 'a\026\tb' | wc -c"
		is 3
		line exit
		ends 0
	END
}

# ---- its output ----

@test "console: output without a newline at its end is whole, and the prompt has its own line" {
	talk <<-'END'
		prompt
		line {printf ab"c"}
		see "\r\nabc\r\n"
		prompt
		line exit
		ends 0
	END
	run -0 lines -c 'printf abc'
	[[ $output == abc ]]
}

@test "console: what looks like a mark is output" {
	talk <<-'END'
		prompt
		run {set >/dev/null; set; echo "$PS1$PS2$PS0"; declare -f; declare -p}
		run {set | grep -ac '^PS[012]='}
		is 3
		run {declare -F | wc -l}
		is 0
		run {echo "${PS1%?}" "${PS2#?}" "${PS0:0:20}"; echo ok}
		if {![string match "*ok" $output]} {fail $output}
		run {printf '\0360123456789abcdef0123456789abcdefp0\0360123456789abcdef0123456789abcdef.'; echo ok}
		if {![string match "*ok" $output]} {fail $output}
		run {for f in environ cmdline; do grep -c "${PS1:1:32}" /proc/$$/$f; env | grep -c "${PS1:1:32}"; done; true}
		is "0\n0\n0\n0"
		run {set -x; true; set +x}
		is "+ true\n+ set +x"
		run {exec 2>/dev/null}
		run {echo here; echo not >&2}
		is here
		line {exit 4}
		ends 4
	END
}

@test "console: large and binary output is the same, fast" {
	head -c 20000000 /dev/urandom >"$DIR/random"
	lines -c "cat $DIR/random" | cmp - "$DIR/random"
	timed lines -c 'head -c 300000000 /dev/zero' | wc -c >"$DIR/count"
	[[ $(<"$DIR/count") -eq 300000000 ]]
	talk <<-'END'
		prompt
		run {seq 200000 | tail -n 150000 | wc -l}
		is 150000
		run {seq 30000}
		if {[llength [split $output "\n"]] != 30000} {fail "[llength [split $output "\n"]] lines"}
		line exit
		ends 0
	END
}

@test "console: a command gets the terminal: its size, its keys, its colours" {
	talk <<-'END'
		prompt
		run {tty | cut -c 1-8; stty size; test -t 0 && test -t 1 && test -t 2; echo $?}
		is "/dev/pts\n24 100\n0"
		line {echo "rea"dy; read -r word; echo "got $word"}
		see "\nready"
		line {some thing}
		see "got some thing"
		prompt
		line {echo "rea"dy; cat}
		see "\nready"
		line {echoed}
		see "echoed\r\nechoed"
		key "\004"
		prompt
		line {stty -echo; echo ready; read -r w; stty echo; echo "w${#w}"}
		see "\nready"
		line secret
		sees {\nw6}
		if {[string match *secret* $shown]} {fail "echoed what is not to be"}
		prompt
		line exit
		ends 0
	END
}

# ---- without a terminal ----

@test "console: lines from stdin, -c and -f stop at the first failure, whose status it is" {
	printf '%s\n' 'cd /usr' 'pwd' '(exit 7)' 'echo not' >"$DIR/lines"
	for way in stdin - "$DIR/lines" -c; do
		case $way in
		stdin) run -7 --separate-stderr lines <"$DIR/lines" ;;
		-) run -7 --separate-stderr lines -f - <"$DIR/lines" ;;
		/*) run -7 --separate-stderr lines -f "$DIR/lines" </dev/null ;;
		-c) run -7 --separate-stderr lines -c "$(<"$DIR/lines")" </dev/null ;;
		esac
		[[ $output == /usr && $stderr == "${way/#-/stdin}:3: ( exit 7 )" || $way == -c ]]
		[[ $way != -c || $stderr == '-c:3: ( exit 7 )' ]]
	done
}

@test "console: a script on stdin that ends inside a command runs it as a shell would, once" {
	printf 'cat >"$DIR"/motd <<E\nhello\n' | lines -e "DIR=$DIR"
	[[ $(<"$DIR/motd") == hello ]]
	run -2 lines <<<'if true; then'
	[[ $output == *'unexpected end of file'* ]]
	# And with a descriptor that goes on saying that it is at its end, nothing is asked again and again.
	mkdir "$DIR/bin"
	printf '#!/bin/sh\necho >>%s\nexec %s "$@"\n' "$DIR/checks" "$(command -v bash)" >"$DIR/bin/bash"
	chmod +x "$DIR/bin/bash"
	run -2 lines -e "PATH=$DIR/bin:$PATH" <<<'while true; do'
	[[ $(wc -l <"$DIR/checks") -le 3 ]]
}

@test "console: a script whose reader goes away ends, and one that cannot be written is 125" {
	run -0 timeout $((20 * SLOW)) bash -c "'$X' --console -e HOME -c yes | head -n 1; exit \${PIPESTATUS[1]}"
	[[ $output == y ]]
	run -125 --separate-stderr bash -c "'$X' --console -e HOME -c 'echo a' >/dev/full"
	[[ $stderr == "msb-exec: cannot write standard output: No space left on device" ]]
	run -3 bash -c "'$X' --console -e HOME -c 'echo a; exit 3' >/dev/full"
}

@test "console: a line that begins with - may fail" {
	run -0 --separate-stderr lines <<-'END'
		-false
		echo $?
		-ls /no/such/folder
		echo after
	END
	[[ $output == $'1\nafter' && $stderr == *'/no/such/folder'* ]]
	run -5 --separate-stderr lines <<<$'-false\n(exit 5)\necho not'
	[[ -z $output && $stderr == 'stdin:2: ( exit 5 )' ]]
}

@test "console: a line with - is one only where a command begins, and it may have several" {
	printf '%s\n' 'cat <<E' '- item' '-- two' E '-for i in 1 2' 'do (exit 6)' 'done' 'echo "was $?"' '-(exit 4)' '-echo "then $?"' \
		'-cat <<E | wc -l' -x E "x='a" "-b'" 'echo "$x"' '-cd /no/such' 'f() {' '  return 3' '}' f 'echo not' >"$DIR/steps"
	for shell in bash dash 'busybox sh' zsh; do
		command -v "${shell%% *}" >/dev/null || continue
		run -3 --separate-stderr lines --shell "$shell" -f "$DIR/steps"
		[[ $output == $'- item\n-- two\nwas 6\nthen 4\n1\na\n-b' ]]
		[[ $shell != bash || $stderr == *'/no/such'*$'\n'"$DIR/steps:21: return 3" ]]
		[[ $shell != busybox* || $stderr == *"$DIR/steps:"*": ended with 3" ]]
	done
	for end in '' $'\n' $'\n\n# over\n'; do
		run -0 --separate-stderr lines -c $'-false\n-false'"$end"
		[[ -z $stderr ]]
	done
	# What ! stands for at a prompt it does not in a script.
	run -0 --separate-stderr lines <<<$'echo "a!b\n-c\nd"\n-false\necho end'
	[[ $output == $'a!b\n-c\nd\nend' ]]
}

# What is shown to the parser before it has said where it is, and what becomes of that when it was wrong.
@test "console: lines that begin with - are read ahead where they are data, and are commands behind that" {
	{
		for i in $(seq 50); do
			printf 'cat <<-E | wc -l\n- %s\n- b\nE\n-(exit 7)\n' "$i"
		done
		printf 'x="a\n- b"\n-false\n-echo "$x" $?\n-for i in 1\ndo echo $i\n-done\ndone\n'
		printf 'wc -l <<-E\n'
		yes -- '- an item' | head -n 3000
		printf 'E\n-(exit 3)\necho $?'
	} >"$DIR/script"
	for i in $(seq 50); do echo 2; done >"$DIR/due"
	printf 'a\n- b 1\n' >>"$DIR/due"
	for shell in bash dash; do
		run -0 --separate-stderr lines --shell "$shell" -f "$DIR/script"
		[[ $output == "$(<"$DIR/due")"$'\n1\n3000\n3' ]]
		[[ $stderr == *done* ]]
	done
}

@test "console: -v shows a script's lines, --timeout ends it, and what ends in a command is 2" {
	run -1 --separate-stderr lines -v -c $'echo one\nx=2\nfalse\necho not'
	[[ $output == one && $stderr == *"echo one"*x=2*false* && $stderr != *'echo not'* ]]
	run -124 lines --timeout 0.2 -c "sleep $MARK"
	run -124 lines --timeout 0.2 <<<"sleep $MARK"
	for text in 'if true' 'echo "a' '{' 'cat $('; do
		for shell in bash dash 'busybox sh'; do
			run -2 lines --shell "$shell" -c "$text"
			[[ -n $output ]]
		done
	done
}

@test "console: a here-document of 40,000 lines, and a script of as many" {
	{
		echo 'cat <<E | wc -l'
		seq 40000
		echo E
		seq 40000 | sed 's/.*/:/'
		echo 'echo $LINENO'
	} >"$DIR/long"
	run -0 lines -f "$DIR/long"
	[[ $output == $'40000\n80003' ]]
	run -0 lines <"$DIR/long"
	[[ $output == $'40000\n80003' ]]
	printf 'x=%s\necho ${#x}\n' "$(head -c 300000 /dev/zero | tr '\0' x)" >"$DIR/wide"
	run -0 lines -f "$DIR/wide"
	[[ $output == 300000 ]]
}

@test "console: a script's lines are all read, whatever waits for room, or what is too long is said" {
	(printf 'echo $((' && head -c 330000 /dev/zero | tr '\0' 0 && echo '7))') >"$DIR/long"
	run -0 lines -f "$DIR/long"
	[[ $output == 7 ]]
	{
		echo "until [ -e $DIR/go ]; do sleep 0.05; done"
		yes ": $(printf '%01000d' 0)" | head -n 600
		touch "$DIR/go"
		echo 'echo end'
	} | lines >"$DIR/out"
	[[ $(<"$DIR/out") == end ]]
	run -125 lines < <(head -c 140000000 /dev/zero | tr '\0' a)
	[[ $output == 'msb-exec: a line of over 128 MiB' ]]
}

@test "console: what the guest's shell is started with is nobody's variable, and a pipe is read once" {
	for way in '-c' '-f'; do
		echo 'echo [$s$k$n$1]' >"$DIR/script"
		arg=$DIR/script
		[[ $way == -f ]] || arg=$(<"$DIR/script")
		run -0 lines -e s=S -e k=K -e n=N "$way" "$arg"
		[[ $output == '[SKN]' ]]
	done
	run -0 lines --env-file <(echo A=by pipe) -c 'echo "[$A]"'
	[[ $output == '[by pipe]' ]]
	run -0 "$CONSOLE" --env-file <(echo A=by pipe) -c 'echo "[$A]"'
	[[ $output == '[by pipe]' ]]
}

# Each would start the other for ever.
@test "console: beside a msb-exec that is too old to run lines it says so" {
	mkdir "$DIR/old"
	cp "$CONSOLE" "$DIR/old/"
	printf '#!/bin/sh\nexec %q "$@"\n' "$DIR/old/msb-exec-console" >"$DIR/old/msb-exec"
	chmod +x "$DIR/old/msb-exec"
	run -125 timeout $((20 * SLOW)) "$DIR/old/msb-exec-console" -c true
	[[ $output == *"older than its console"* ]]
}

@test "console: exit in a script is its end; commands of several lines are whole there too" {
	run -3 lines <<-'END'
		for i in 1 2
		do
			echo "$i"
		done
		cat <<E
		here
		E
		exit 3
		echo not
	END
	[[ $output == $'1\n2\nhere' ]]
	run -0 lines -c $'if true; then\necho yes\nfi'
	[[ $output == yes ]]
	run -2 --separate-stderr lines -c 'echo "open'
	[[ -z $output && -n $stderr ]]
	run -0 lines </dev/null
	[[ -z $output ]]
}

@test "console: a script's stdout and stderr are apart, and its commands do not read its lines" {
	lines >"$DIR/out" 2>"$DIR/err" <<-'END'
		echo out; echo err >&2
		cat
		echo end
	END
	[[ $(<"$DIR/out") == $'out\nend' && $(<"$DIR/err") == err ]]
}

@test "console: a script in a guest without bash" {
	path=$(without_bash)
	run -4 --separate-stderr lines -e "$path" <<-'END'
		x=1
		f() {
			echo "f$x"
		}
		f
		-ls /no/such
		echo on
		(exit 4)
	END
	[[ $output == $'f1\non' && $stderr == *'/no/such'*$'\n'"stdin: ended with 4" ]]
	# It reads them as its own file, in which a syntax error is the end.
	run -2 --separate-stderr lines -e "$path" <<<$'echo f1\n-fi\necho on'
	[[ $output == f1 && $stderr == *yntax* ]]
}

@test "console: a command that waits for a line of the script gets it when it comes" {
	mkfifo "$DIR/fifo"
	lines <"$DIR/fifo" >"$DIR/out" 3>&- &
	pid=$!
	exec 7>"$DIR/fifo"
	echo 'echo first' >&7
	wait_for 20 grep -q first "$DIR/out"
	echo 'echo second' >&7
	wait_for 20 grep -q second "$DIR/out"
	exec 7>&-
	wait "$pid"
}

@test "console: what it does not know it says" {
	run -125 lines -c a -f b
	[[ $output == *'-c and -f'* ]]
	run -125 lines ls
	[[ $output == *'takes no command'* ]]
	run -125 lines -f "$DIR/none"
	[[ $output == *"$DIR/none: No such file"* ]]
	run -125 lines -S "$DIR/none" -c true
	[[ $output == *"$DIR/none: No such file"* ]]
	run -125 lines -u nobody-of-this-name -c true
	[[ $output == *nobody-of-this-name* ]]
	run -125 lines -w /no/such/folder -c true
	[[ $output == *'/no/such/folder'* ]]
}

@test "console: --version names the licence that readline brings" {
	run -0 lines --version
	[[ $output == "msb-exec-console "*GPL*"version 3"* ]]
}

@test "console: a script that cannot be read is an error, and what cannot be written, too" {
	run -125 --separate-stderr "$X" --console </
	[[ ${#stderr_lines[@]} -eq 1 && $stderr == *"cannot read standard input: Is a directory" ]]
	drive 24x80 sh -c "exec $X --console -e HOME >/dev/full" <<-END
		send echo\sout\r
		expect cannot write standard output: No space left on device
		wait 125
		modes same
	END
}
