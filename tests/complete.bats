#!/usr/bin/env bats
# Completion in real shells: bash and zsh in a terminal, with a Tab, and fish, which can be asked.

load helper
load agent

setup() {
	common_setup
	mapfile -t PROGRAMS < <(programs)
	MUTE=
	mkdir -p "$DIR/guest/my dir" "$DIR/bin" "$DIR/home/sandboxes/box-one"
	touch "$DIR/guest/my file" "$DIR/guest/my dir/inside" "$DIR/guest/other.txt"
	printf '#!/bin/sh\n' >"$DIR/bin/guest-only-command"
	chmod +x "$DIR/bin/guest-only-command"
	WRAP=(env PATH="$DIR/bin:$PATH")
	daemon_start --cwd "$DIR/guest"
	PATH=$BUILD:$PATH
	# The guest answers at its leisure, however slow the machine is that tests.
	export MSB_EXEC_COMPLETE_TIMEOUT=20 MSB_HOME=$DIR/home
	cd "$DIR/home" || return 1
}

teardown() {
	tm kill-server 2>/dev/null || true
	[[ ! $MUTE ]] || kill "$MUTE" 2>/dev/null || true
	agent_end
	common_teardown
}

tm() {
	tmux -S "$DIR/tmux" -f /dev/null "$@"
}

# at_prompt LINE: the last line of the screen is the prompt and that; blanks at its end do not show.
at_prompt() {
	local line
	line=$(tm capture-pane -p | grep -v '^$' | tail -n 1)
	[[ $line == ">${1:+ $1}" ]]
}

shows() {
	tm capture-pane -p | grep -qF -- "$1"
}

# A Ctrl-C that comes while a shell still completes ends that alone, so there may have to be another. Not
# before the first had its time: one that is still on its way would be for what is typed next.
cleared() {
	tm send-keys C-c
	wait_for 5 at_prompt '' 2>/dev/null
}

# run_line LINE: runs it, on a screen that is clear. The prompt may be the one before it, but for what is above.
run_line() {
	tm send-keys -l -- "$1; clear; echo line-ov\"er\""
	tm send-keys Enter
	wait_for 10 shows line-over
	wait_for 10 at_prompt ''
}

# tab TYPED WANTED [BEHIND]: what the line becomes, with what is typed behind the Tab.
tab() {
	tm send-keys -l -- "$1"
	tm send-keys Tab
	[[ ! ${3-} ]] || tm send-keys -l -- "$3"
	wait_for 10 at_prompt "$2${3-}" || {
		tm capture-pane -p
		return 1
	}
	wait_for 10 cleared
	tm send-keys C-l
}

start_bash() {
	tm new-session -d -x 120 -y 30 -e 'PS1=> ' -e HISTFILE= -e PROMPT_COMMAND= bash --norc --noprofile 3>&-
	wait_for 10 at_prompt ''
	run_line "source $ROOT/completions/msb-exec.bash"
}

start_zsh() {
	tm new-session -d -x 120 -y 30 -e 'PS1=> ' -e "ZDOTDIR=$DIR" zsh -f 3>&-
	wait_for 10 shows '>'
	run_line "PS1='> '; fpath=($ROOT/completions \$fpath); autoload -Uz compinit; compinit -u -D"
}

start_fish() {
	tm new-session -d -x 120 -y 30 -e "XDG_CONFIG_HOME=$DIR/fish" -e "XDG_DATA_HOME=$DIR/fish" fish --no-config \
		-C 'set fish_autosuggestion_enabled 0; function fish_prompt; echo -n "> "; end' \
		-C "source $ROOT/completions/msb-exec.fish" 3>&-
	wait_for 10 at_prompt ''
}

# offers TYPED: what fish offers for it, the words alone.
offers() {
	fish --no-config -c "source $ROOT/completions/msb-exec.fish; ${2-}; complete -C \$argv" "$1" | cut -f1
}

# The same lines in all three.
every_line() {
	"$1" 'msb-exec --no-s' 'msb-exec --no-stdin'
	"$1" 'msb-exec --on-disconnect ha' 'msb-exec --on-disconnect hangup'
	"$1" 'msb-exec --user=daem' 'msb-exec --user=daemon'
	"$1" 'msb-exec -u daem' 'msb-exec -u daemon'
	"$1" 'msb-exec -u daemon:staf' 'msb-exec -u daemon:staff'
	"$1" 'msb-exec --signal VTA' 'msb-exec --signal VTALRM'
	"$1" 'msb-exec --rlimit nof' 'msb-exec --rlimit nofile='
	"$1" 'msb-exec -S loc' 'msb-exec -S local:'
	"$1" 'msb-exec -n -e A=1 guest-on' 'msb-exec -n -e A=1 guest-only-command'
	"$1" 'msb-exec -- guest-on' 'msb-exec -- guest-only-command'
	"$1" 'msb-exec cat oth' 'msb-exec cat other.txt'
	"$1" "msb-exec -w '$DIR/guest/my dir' cat ins" "msb-exec -w '$DIR/guest/my dir' cat inside"
	"$1" "msb-exec -S unix:$SOCKET cat oth" "msb-exec -S unix:$SOCKET cat other.txt"
	"$1" 'msb-execd --security-profile res' 'msb-execd --security-profile restricted'
}

@test "complete: the files hold what --help says, and it is found when they do not" {
	python3 -B "$ROOT/completions/generate.py" --check "$ROOT" "${PROGRAMS[@]}"
	cp -r "$ROOT/completions" "$DIR"
	sed -i '/no-stdin/d' "$DIR/completions/msb-exec.fish"
	run -1 python3 -B "$DIR/completions/generate.py" --check "$ROOT" "${PROGRAMS[@]}"
	[[ $output == *msb-exec.fish* && $output != *msb-exec.bash* ]]
}

@test "complete: bash, with a Tab" {
	start_bash
	every_line tab
	tab 'msb-exec cat my\ f' 'msb-exec cat my\ file'
	tab 'msb-exec cat "my f' 'msb-exec cat "my file"'
	tab "msb-exec cat 'my f" "msb-exec cat 'my file'"
	tab 'msb-exec ls my\ d' 'msb-exec ls my\ dir/'
}

@test "complete: zsh, with a Tab" {
	start_zsh
	every_line tab
	tab 'msb-exec cat my\ f' 'msb-exec cat my\ file'
	tab "msb-exec cat 'my f" "msb-exec cat 'my file'"
	tab 'msb-exec ls my\ d' 'msb-exec ls my\ dir/'
}

# fish says the word that the last one becomes.
fish_line() {
	local got
	got=$(offers "$1")
	[[ $got == "${2##* }" ]] || {
		echo "$1: $got" >&2
		return 1
	}
}

@test "complete: fish" {
	every_line fish_line
	run -0 offers 'msb-exec cat "my f'
	[[ $output == 'my file' ]]
	run -0 offers 'msb-exec ls my\ d'
	[[ $output == 'my dir/' ]]
}

# goes_on TYPED [WANTED]: what is typed behind the Tab stands right behind that, and behind TYPED itself if
# nothing is to be inserted.
goes_on() {
	tab "$1" "${2-$1}" X
}

every_address() {
	local line quote
	touch "$DIR/home/stdio-file" "$DIR/home/exec-file"
	mkdir "$DIR/home/sub"
	for line in '-S exec:' '-S exec:ss' "-S 'exec:" '-S "exec:' "-S 'exec:ssh h" '-S exec:ssh\ h' \
		-Sexec:s --socket=exec: '-S vsock:' '-S vsock:5' '-S local:' '-S nothing' '-S exec:a/b' \
		'--rlimit nofile=' --rlimit=nofile=; do
		goes_on "msb-exec $line"
	done
	for line in '--listen stdio:' '--listen serial:' '--listen vsock:' stdio-f; do
		goes_on "msb-execd $line"
	done
	goes_on 'msb-exec -S ex' 'msb-exec -S exec:'
	goes_on 'msb-exec -Sex' 'msb-exec -Sexec:'
	goes_on 'msb-execd --listen std' 'msb-execd --listen stdio:'
	for line in "-S unix:$DIR/ho" "-Sunix:$DIR/ho" "-nSunix:$DIR/ho" "--socket=unix:$DIR/ho" \
		"-S $DIR/ho" "-S hvsock:$DIR/ho"; do
		goes_on "msb-exec $line" "msb-exec ${line}me/"
	done
	for quote in \' \"; do
		goes_on "msb-exec -S ${quote}ex" "msb-exec -S ${quote}exec:"
		goes_on "msb-exec -S ${quote}unix:$DIR/ho" "msb-exec -S ${quote}unix:$DIR/home/"
	done
	goes_on "msb-exec -S hvsock:$DIR/home/ex" "msb-exec -S hvsock:$DIR/home/exec-file:"
	goes_on "msb-exec -S unix:$DIR/home/ex" "msb-exec -S unix:$DIR/home/exec-file "
	goes_on 'msb-exec -S unix:su' 'msb-exec -S unix:sub/'
	goes_on 'msb-exec -S ./exec' 'msb-exec -S ./exec-file '
	goes_on 'msb-exec -S ./su' 'msb-exec -S ./sub/'
	goes_on 'msb-exec -S sub/../su' 'msb-exec -S sub/../sub/'
	goes_on "msb-execd --listen serial:$DIR/ho" "msb-execd --listen serial:$DIR/home/"
	goes_on 'msb-exec -udaem' 'msb-exec -udaemon '
	goes_on 'msb-exec -udaemon:staf' 'msb-exec -udaemon:staff '
	goes_on "msb-exec -w$DIR/ho" "msb-exec -w$DIR/home/"
	goes_on "msb-exec --workdir=$DIR/ho" "msb-exec --workdir=$DIR/home/"
}

@test "complete: addresses in bash: what is typed of them stays, and nothing odd is put behind" {
	start_bash
	every_address
	goes_on "msb-exec --socket='unix:$DIR/ho" "msb-exec --socket='unix:$DIR/home/"
	goes_on "msb-exec -S unix:'$DIR/ho" "msb-exec -S unix:'$DIR/home/"
	# Who has no colon in there.
	run_line 'COMP_WORDBREAKS=${COMP_WORDBREAKS//:}'
	goes_on 'msb-exec -S exec:'
	goes_on 'msb-exec -S ex' 'msb-exec -S exec:'
	goes_on "msb-exec -S unix:$DIR/ho" "msb-exec -S unix:$DIR/home/"
}

@test "complete: addresses in zsh" {
	start_zsh
	every_address
}

@test "complete: addresses in fish" {
	start_fish
	every_address
	goes_on "msb-exec --socket='unix:$DIR/ho" "msb-exec --socket='unix:$DIR/home/"
}

@test "complete: in bash a word that is broken by quotes or an @ is not doubled" {
	touch "$DIR/guest/who@where"
	start_bash
	tab 'msb-exec cat who@wh' 'msb-exec cat who@where'
	tab "msb-exec cat my' f" "msb-exec cat my' file'"
	goes_on "msb-exec ls 'my d" "msb-exec ls 'my dir/"
}

@test "complete: options end with the first operand" {
	start_bash
	tab 'msb-exec ls --no-s' 'msb-exec ls --no-s'
	run -0 offers 'msb-exec ls --no-s'
	[[ -z $output ]]
}

# bash_says TYPED: what bash would offer, without a terminal.
bash_says() {
	bash --norc -c 'source "$1"; eval "$3"; compopt() { :; }; COMP_LINE=$2 COMP_POINT=${#2}
		COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _msb_exec
		printf "%s\n" "${COMPREPLY[@]}"' bash "$ROOT/completions/msb-exec.bash" "$1" "${2-}"
}

@test "complete: names of sandboxes" {
	[[ $(bash_says 'msb-exec -s box') == box-one && $(offers 'msb-exec -s box') == box-one ]]
	start_zsh
	tab 'msb-exec -s bo' 'msb-exec -s box-one'
}

@test "complete: no program is started to ask, and --local is this machine" {
	[[ -z $(bash_says "msb-exec -S exec:touch\$IFS$DIR/ran guest-on") ]]
	[[ -z $(offers "msb-exec -S 'exec:touch $DIR/ran' guest-on") ]]
	touch "$DIR/home/here"
	[[ $(bash_says 'msb-exec --local cat he') == here ]]
	[[ $(offers 'msb-exec --local cat he') == here ]]
	start_zsh
	tab "msb-exec -S 'exec:touch $DIR/ran' guest-on" "msb-exec -S 'exec:touch $DIR/ran' guest-on"
	tab 'msb-exec --local cat he' 'msb-exec --local cat here'
	[[ ! -e $DIR/ran ]]
}

@test "complete: an agent that does not answer costs little time and no words" {
	daemon_stop
	PYTHONPATH=$BATS_TEST_DIRNAME python3 -Bc 'import sys, time, wire
mute = wire.listen(sys.argv[1])
time.sleep(60)' "$SOCKET" 3>&- &
	MUTE=$!
	wait_for 5 test -S "$SOCKET"
	unset MSB_EXEC_COMPLETE_TIMEOUT
	timed bash_says 'msb-exec -- guest-on' >"$DIR/out" 2>&1
	[[ $MS -ge 250 && $MS -lt $((2000 * SLOW)) && -z $(<"$DIR/out") ]]
	timed offers 'msb-exec -- guest-on' >"$DIR/out" 2>&1
	[[ $MS -ge 250 && $MS -lt $((4000 * SLOW)) && ! -s $DIR/out ]]
	start_zsh
	tm send-keys -l -- 'msb-exec -- guest-on'
	tm send-keys Tab
	# Typed behind the Tab: it shows once the shell has given up.
	tm send-keys -l x
	wait_for 4 at_prompt 'msb-exec -- guest-onx'
}

some_guests() {
	export XDG_CONFIG_HOME=$DIR/config
	mkdir -p "$DIR/config/msb-exec"
	cat >"$DIR/config/msb-exec/guests" <<-END
		# a comment
		web unix:$SOCKET -w "$DIR/guest"
		 'web-two'	"unix:$SOCKET"
		started ex'ec:touch $DIR/ran'
		here local:
	END
}

every_guest() {
	"$1" 'msb-exec -S sta' 'msb-exec -S started'
	"$1" 'msb-exec --socket=sta' 'msb-exec --socket=started'
	"$1" 'msb-exec-console -S web-' 'msb-exec-console -S web-two'
	"$1" 'msb-exec -S no/n' 'msb-exec -S no/n'
	"$1" 'msb-execd -l sta' 'msb-execd -l sta'
	"$1" 'msb-exec -S web cat oth' 'msb-exec -S web cat other.txt'
	"$1" 'msb-exec -S started -- guest-on' 'msb-exec -S started -- guest-on'
	"$1" 'msb-exec -S here -- cat loc' 'msb-exec -S here -- cat local-file'
	[[ ! -e $DIR/ran ]]
}

# fish_guest LINE BECOMES: as a Tab has it, which leaves what there is nothing for.
fish_guest() {
	[[ $1 != "$2" ]] || set -- "$1" ''
	local got
	got=$(offers "$1")
	[[ $got == "${2##* }" || --socket=${got#--socket=} == "${2##* }" ]] || {
		echo "$1: $got" >&2
		return 1
	}
}

@test "complete: names of guests, and none is started to be asked" {
	some_guests
	touch "$DIR/home/local-file"
	[[ $(bash_says 'msb-exec -S web' | xargs) == 'web web-two' ]]
	[[ $(offers 'msb-exec -S web' | xargs) == 'web web-two' ]]
	every_guest fish_guest
	start_bash
	every_guest tab
	export MSB_EXEC_ENDPOINT=started
	[[ -z $(bash_says 'msb-exec -- guest-on') && -z $(offers 'msb-exec -- guest-on') && ! -e $DIR/ran ]]
	MSB_EXEC_ENDPOINT=here
	[[ $(bash_says 'msb-exec -- cat loc') == local-file && $(offers 'msb-exec -- cat loc') == local-file ]]
	# What cannot be read, or would hang who reads it, has no names.
	rm "$DIR/config/msb-exec/guests"
	[[ -z $(bash_says 'msb-exec -S we' 2>&1) && -z $(offers 'msb-exec -S we' 2>&1) ]]
	mkfifo "$DIR/config/msb-exec/guests"
	[[ -z $(bash_says 'msb-exec -S we' 2>&1) && -z $(offers 'msb-exec -S we' 2>&1) ]]
}

# As when a Ctrl-C ends the search alone.
@test "complete: a guest whose name was not found is not asked" {
	some_guests
	[[ -z $(bash_says 'msb-exec -S started -- guest-on' '__msb_guests() { :; }') ]]
	[[ -z $(offers 'msb-exec -S started -- guest-on' 'function __msb_guests; end') ]]
	[[ ! -e $DIR/ran ]]
}

@test "complete: names of guests in zsh" {
	some_guests
	touch "$DIR/home/local-file"
	start_zsh
	every_guest tab
}

# Two sessions, and one that no agent of ours would name so.
keeper() {
	daemon_stop
	agent 100 <<'EOF'
client.greet(exec_features=["sessions"])
client.expect("core.session.list")
for session, name in (("00000000000a", "build"), ("a1234567890b", None), ("b00000000000", "x; touch ran")):
    client.tell("core.session.entry", {"session": session, "name": name, "command": ["make", "built"]})
client.tell("core.session.done", {}, flags=1)
EOF
}

every_session() {
	local option
	for option in --attach --wait --logs --send --kill --remove; do
		"$1" "msb-exec $option bui" "msb-exec $option build"
	done
	"$1" 'msb-exec --attach=bui' 'msb-exec --attach=build'
	"$1" 'msb-exec --signal INT --kill a1' 'msb-exec --signal INT --kill a1234567890b'
	"$1" "msb-exec -S unix:$SOCKET --wait 00" "msb-exec -S unix:$SOCKET --wait 00000000000a"
	"$1" 'msb-exec -d --name bui' 'msb-exec -d --name bui'
}

@test "complete: ids and names of sessions in bash" {
	keeper
	start_bash
	every_session tab
	[[ $(bash_says 'msb-exec --attach b' | sort | xargs) == 'b00000000000 build' ]]
}

@test "complete: ids and names of sessions in zsh" {
	keeper
	start_zsh
	every_session tab
}

@test "complete: ids and names of sessions in fish" {
	keeper
	start_fish
	every_session tab
	[[ $(offers 'msb-exec --attach ' | sort | xargs) == '00000000000a a1234567890b b00000000000 build' ]]
}

@test "complete: no session is asked for where a program would be started, or of an agent that keeps none" {
	[[ -z $(bash_says "msb-exec -S exec:touch\$IFS$DIR/ran --attach a") ]]
	[[ -z $(offers "msb-exec -S 'exec:touch $DIR/ran' --attach a") && ! -e $DIR/ran ]]
	daemon_stop
	agent 2 <<-'EOF'
		client.greet()
		equal(client.hear_out(), [])
	EOF
	[[ -z $(bash_says 'msb-exec --attach a' 2>&1) && -z $(offers 'msb-exec --attach a' 2>&1) ]]
	agent_done
}
