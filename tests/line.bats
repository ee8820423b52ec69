#!/usr/bin/env bats
# -c LINE: a line for a shell of the guest, by itself, for make, and as a login shell has it.

load helper
load agent

setup() {
	common_setup
	export PATH=$BUILD:$PATH
	unset MAKEFLAGS MFLAGS MAKELEVEL
}

teardown() {
	agent_end
	common_teardown
}

# x ARG...: msb-exec without input.
x() {
	"$X" "$@" </dev/null
}

# says STATUS LINE HINT ARG...: what msb-exec says when it refuses, whole.
says() {
	run "-$1" --separate-stderr x "${@:4}"
	# shellcheck disable=SC2053,SC2154 # patterns; and run's
	[[ -z $output && ${stderr_lines[0]} == "msb-exec: "$2 && (-z $3 || ${stderr_lines[1]} == "msb-exec: "$3) ]] || {
		echo "stdout: $output, stderr: $stderr" >&2
		return 1
	}
}

@test "line: a line is the shell's, and what follows it are its operands" {
	daemon_start
	run -0 x -c 'echo a  b | tr a-z A-Z; echo "$0"'
	[[ $output == $'A B\nsh' ]]
	run -0 x -c 'echo "<$0>" "<$1>" "<$2>" $#' zero 'o  ne' -v
	[[ $output == '<zero> <o  ne> <-v> 2' ]]
	run -0 x --command='echo "$0"' -- -q
	[[ $output == -q ]]
	run -0 x -c $'echo "it\'s"\necho \\\n two # three'
	[[ $output == $'it\'s\ntwo' ]]
}

@test "line: its status, its signal and its streams are its own" {
	daemon_start
	run -3 --separate-stderr x -c 'echo out; echo err >&2; exit 3'
	[[ $output == out && $stderr == err ]]
	run -143 x -c 'kill $$'
	run -127 --separate-stderr x -c nosuchprogram
	[[ ${#stderr_lines[@]} -eq 1 && $stderr == *nosuchprogram* ]]
	run -0 --separate-stderr x -c ''
	[[ -z $output$stderr ]]
	run -0 "$X" -c 'cat; cat >&2' <<<'from stdin'
	[[ $output == 'from stdin' ]]
	run -0 "$X" -n -c cat <<<'not read'
	[[ -z $output ]]
}

@test "line: the shell is looked for in PATH, and one that is not there is told as a command is" {
	daemon_start
	guest mkdir "$DIR/bin"
	guest sh -c 'printf "#!/bin/sh\necho mine: \"\$@\"\n" >"$0/bin/sh" && chmod +x "$0/bin/sh"' "$DIR"
	run -0 x -e "PATH=$DIR/bin" -c 'a  line' one
	[[ $output == 'mine: -c a  line one' ]]
	says 127 'cannot spawn "sh": *' '' -e PATH=/nonexistent -c 'bash ls'
	[[ ${#stderr_lines[@]} -eq 1 ]]
}

@test "line: in the folder and as the user of the options" {
	need_root
	daemon_start
	run -0 x -u nobody -w / -e A=b -c 'id -un; pwd; echo $A'
	[[ $output == $'nobody\n/\nb' ]]
}

@test "line: no terminal, unless there is to be one" {
	daemon_start
	drive 24x80 "$X" -c 'test -t 0 || test -t 1 || echo "none at all"' <<-'EOF'
		expect none at all
		wait 0
	EOF
	drive 24x80 "$X" -t -c 'test -t 0 && test -t 1 && echo "both of"" them"' <<-'EOF'
		expect both of them
		wait 0
	EOF
}

@test "line: --login has the user's own shell, as a login shell, in the user's home" {
	need_root
	daemon_start
	local shell
	shell=$(guest sh -c 'getent passwd 0 || grep :0: /etc/passwd' | head -n 1 | cut -d: -f7)
	run -0 --separate-stderr x --login -e HOME="$DIR" -e ENV= -c 'echo "<$0>"'
	[[ $output == "<-${shell##*/}>" ]]
	run -5 --separate-stderr x --login -e HOME="$DIR" -e ENV= -c 'echo "<$0> <$1>"; exit 5' zero one
	[[ $output == '<zero> <one>' ]]
	# Without a line and a command it is what happens anyway.
	run -7 --separate-stderr "$X" --login -e HOME="$DIR" -e ENV= <<<'exit 7'
	says 125 '--login is for a line of -c, and not for a command: ls' '--login -c LINE *' --login -- ls
}

@test "line: what does not go with a line is refused" {
	says 255 '-c and --rsh exclude each other' '' -c x --rsh ./y
	says 255 '--login: not together with --rsh' '' --login --rsh unix:y x
	says 125 '--command belongs to the start of a session, not to --attach' '' --attach a -c x
	says 125 '--login belongs to the start of a session, not to --wait' '' --wait a --login
	says 125 '--ping runs nothing, and so takes no command: x y' '' --ping -c 'x y'
	says 125 '--command is not UTF-8, *' '' -c $'a \xff'
	says 125 'option -c needs a value' '' -c
}

@test "line: kept, like any other command" {
	daemon_start
	local id
	id=$(x -d -c 'echo kept; exit 9' zero)
	run -9 x --attach "$id"
	[[ $output == kept ]]
}

@test "line: an agent without login_shell has /bin/sh -l, others their own" {
	need_local "agents that are not ours"
	agent 3 <<'EOF'
request = client.serve(exec_features=[["login_shell"], [], []][turn])
equal((request.cmd, request.args, request.payload.get("login_shell")), [
    ("", ["-c", "a line", "zero"], True),
    ("/bin/sh", ["-l", "-c", "a line", "zero"], None),
    ("sh", ["-c", "a line", "zero", "one"], None)][turn])
client.exit(turn)
EOF
	run -0 x --login -c 'a line' zero
	run -1 x --login -c 'a line' zero
	run -2 x -c 'a line' zero one
	agent_done
}

@test "line: with a folder that an older agent must be asked for, and a TERM" {
	need_local "agents that are not ours"
	agent <<'EOF'
client.greet()
asked = client.look(0)
equal((asked.cmd, asked.args[0], asked.args[-1]), ("/bin/sh", "-c", "/tmp"))
request = client.next()
equal((request.cmd, request.args, request.cwd), ("sh", ["-c", "a line"], "/tmp"))
client.id = request.id
client.exit(6)
EOF
	run -6 x -w /tmp -c 'a line'
	agent_done
}

@test "line: make with SHELL := msb-exec, as it stands" {
	need_local "make is not in every guest"
	mkdir "$DIR"/{here,guest}
	WRAP=(env WHERE=guest)
	daemon_start --cwd "$DIR/guest"
	cd "$DIR/here"
	cat >Makefile <<-'END'
		.RECIPEPREFIX = >
		SHELL := msb-exec
		WHERE := $(shell echo "$$WHERE, $$0")
		all: one two
		one: ; @echo "1  $(WHERE)" $$WHERE >$@
		two: one
		>@cat one && echo "it's" \
		>  "$$(pwd)" '# $$x'
		>@-exit 4
		>@exit 3
	END
	run -2 --separate-stderr make -j2
	[[ $output == "1  guest, sh guest"$'\n'"it's $DIR/guest # \$x" ]]
	[[ $stderr == *'two] Error 4 (ignored)'*'two] Error 3' ]]
	[[ $(<../guest/one) == '1  guest, sh guest' && ! -e one ]]
	# Variables of the environment over those of the Makefile; and one that make exports is for msb-exec to pass on.
	printf '%s\n' 'SHELL := msb-exec' '.SHELLFLAGS = -e GIVEN -c' 'SAID := makefile' 'export GIVEN := given' \
		'all: ; @echo $(SAID) $$GIVEN' >Makefile
	SAID=environment run -0 make -s -e
	[[ $output == 'environment given' ]]
}

@test "line: make with .ONESHELL, and options of msb-exec" {
	need_local "make is not in every guest"
	daemon_start --cwd /
	cd "$DIR"
	printf '%s\n' 'SHELL := msb-exec' '.ONESHELL:' 'all:' '	@x=1' '	cd /usr' '	echo "$$x $$(pwd)"' '	exit 5' >Makefile
	run -2 --separate-stderr make
	[[ $output == '1 /usr' && $stderr == *'all] Error 5' ]]
	printf '%s\n' 'SHELL := msb-exec' ".SHELLFLAGS = -w $DIR -c" 'all: ; @pwd' >Makefile
	run -0 make
	[[ $output == "$DIR" ]]
	# The shell's own flags, behind its name.
	printf '%s\n' 'SHELL := msb-exec' ".SHELLFLAGS = -w $DIR bash -euo pipefail -c" 'all: ; @pwd; false | true; pwd' >Makefile
	run -2 --separate-stderr make
	[[ $output == "$DIR" ]]
}
