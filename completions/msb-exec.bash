# shellcheck shell=bash disable=SC2016,SC2034 # functions set variables of their callers; the guest's
# shell is handed what it runs
# Completion in bash (4.4 or newer) for msb-exec and its companions: options, their values, and what
# is in the guest. Needs no other package.
#
# The guest is asked through msb-exec itself, within 300 ms (or $MSB_EXEC_COMPLETE_TIMEOUT, in seconds),
# in silence if it fails, and only where that means connecting: an address that would start a program
# (exec:) is not asked at all, and --local is this machine, so the answer is found here.

# A row for each option: short, long, value.
# >>> from --help by make completions
declare -gA _msb_options _msb_schemes
_msb_options[msb-exec]='-c|--command|LINE
|--login|
|--rsh|
-S|--socket|ENDPOINT
-s|--sandbox|NAME
|--local|
|--connect-timeout|DURATION
|--wait-for|DURATION
|--keepalive|DURATION
-t|--tty|
-T|--no-tty|
-i|--interactive|
-n|--no-stdin|
-u|--user|USER[:GROUP]
-w|--workdir|DIR
-e|--env|NAME[=VALUE]
|--env-file|FILE
|--rlimit|NAME=SOFT[:HARD]
|--cgroup|
|--memory|SIZE
|--cpus|N
|--pids|N
|--timeout|DURATION
-k|--kill-after|DURATION
|--signal|SIGNAL
|--linger|DURATION
|--on-disconnect|WHAT
|--escape-char|C
|--detach-keys|SEQ
-d|--detach|
|--name|NAME
|--reconnect|DURATION
|--sessions|
|--guests|
|--json|
|--result|FILE
|--usage|
|--max-output|SIZE
|--merge|
|--no-merge|
|--log-file|FILE
|--attach|ID
|--watch|
|--since|BYTE
|--wait|ID
|--logs|ID
|--send|ID
|--eof|
|--kill|ID
|--remove|ID
|--console|
|--ping|
-q|--quiet|
-v|--verbose|
-V|--version|
-h|--help|'
_msb_schemes[msb-exec]='unix: vsock: hvsock: exec: sandbox: local:'
_msb_options[msb-exec-console]='-c|--command|LINE
-f|--file|FILE
|--shell|COMMAND
|--complete-timeout|DURATION
|--console|
-S|--socket|ENDPOINT
-s|--sandbox|NAME
|--local|
|--connect-timeout|DURATION
|--wait-for|DURATION
|--keepalive|DURATION
-u|--user|USER[:GROUP]
-w|--workdir|DIR
-e|--env|NAME[=VALUE]
|--env-file|FILE
|--rlimit|NAME=SOFT[:HARD]
|--cgroup|
|--memory|SIZE
|--cpus|N
|--pids|N
|--timeout|DURATION
-k|--kill-after|DURATION
|--signal|SIGNAL
|--linger|DURATION
|--on-disconnect|WHAT
|--reconnect|DURATION
-q|--quiet|
-v|--verbose|
-V|--version|
-h|--help|'
_msb_schemes[msb-exec-console]='unix: vsock: hvsock: exec: sandbox: local:'
_msb_options[msb-execd]='-l|--listen|ENDPOINT
-u|--user|[=]SPEC
|--security-profile|NAME
|--cwd|DIR
|--allow-uid|UID
|--allow-cid|CID
|--max-sessions|N
|--max-connections|N
|--max-connections-of-user|N
|--max-sessions-of-user|N
|--max-memory|SIZE
|--max-request|SIZE
|--frame-timeout|DURATION
|--greeting-timeout|DURATION
|--max-time|DURATION
|--linger|DURATION
|--session-memory|SIZE
|--session-cpus|N
|--session-pids|N
|--replay|SIZE
|--replay-total|SIZE
|--max-kept|N
|--max-kept-of-user|N
|--keep-ended|DURATION
|--init|
|--log-level|LEVEL
-V|--version|
-h|--help|'
_msb_schemes[msb-execd]='unix: vsock: serial: stdio:'
_msb_options[msb-relayd]='-a|--agent|ENDPOINT
-l|--listen|ENDPOINT
-u|--user|SPEC
|--security-profile|NAME
|--cwd|DIR
-e|--env|KEY=VALUE
|--rlimit|NAME=SOFT[:HARD]
|--no-bootstrap|
|--allow-uid|UID
|--max-connections-of-user|N
|--max-sessions-of-user|N
|--max-memory|SIZE
|--frame-timeout|DURATION
|--greeting-timeout|DURATION
|--log-level|LEVEL
-V|--version|
-h|--help|'
_msb_schemes[msb-relayd]='unix: vsock: serial: stdio:'
_msb_limits=(cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime)
_msb_signals=(HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH POLL PWR SYS)
# <<<

# Makes words of what stands together on the line up to the cursor; = and : are ends to bash.
__msb_words() {
	local line=${COMP_LINE:0:COMP_POINT} word i
	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $i -eq 0 || $line == [[:space:]]* ]]; then
			line=${line#"${line%%[![:space:]]*}"}
			words+=('')
		fi
		((${#word} <= ${#line})) || word=$line
		words[${#words[@]} - 1]+=$word
		line=${line:${#word}}
	done
}

# The text that a word stands for, to $plain, the quote that is open at its end, to $quote, and what of
# the text readline lets stand, to $kept: all before an open quote, or up to the last break (= : @)
# outside of quotes.
__msb_plain() {
	local rest=$1 c opened
	plain='' quote='' kept=''
	while [[ $rest ]]; do
		c=${rest:0:1} rest=${rest:1}
		case $quote$c in
		\' | \") quote=$c opened=$plain ;;
		\'\' | \"\") quote='' ;;
		\\)
			plain+=${rest:0:1}
			rest=${rest:1}
			;;
		\"\\)
			[[ $rest == [\"\$\`\\]* ]] || plain+=$c
			plain+=${rest:0:1}
			rest=${rest:1}
			;;
		[=:@])
			# An @ belongs to what comes behind it.
			[[ $c == @ ]] || plain+=$c
			[[ $COMP_WORDBREAKS != *"$c"* ]] || kept=$plain
			[[ $c != @ ]] || plain+=$c
			;;
		*) plain+=$c ;;
		esac
	done
	[[ ! $quote ]] || kept=$opened
}

# The row of an option as it is typed, abbreviations too, to $long and $arg.
__msb_option() {
	local short name value found=0
	long='' arg=''
	while IFS='|' read -r short name value; do
		if [[ $1 == "$short" || $1 == "$name" ]]; then
			long=$name arg=$value
			return 0
		fi
		if [[ $1 == --?* && $name == "$1"* ]]; then
			long=$name arg=$value
			found=$((found + 1))
		fi
	done <<<"${_msb_options[$program]}"
	[[ $found -eq 1 ]]
}

# What an option says about where to look.
__msb_take() {
	case $1 in
	--socket) __msb_where "$2" ;;
	--sandbox)
		where=guest
		agent=(-s "$2")
		;;
	--local) __msb_where local: ;;
	--user) as=(-u "$2") ;;
	--workdir) folder=$2 ;;
	esac
}

__msb_where() {
	local name of address=$1
	agent=(-S "$1")
	if [[ $1 != *[:/]* ]]; then
		address=
		while read -r name of; do
			[[ $name != "$1" ]] || address=$of
		done < <(__msb_guests)
	fi
	# One that was not found, maybe as a Ctrl-C ended the search, may be a program's.
	case $address in
	local:*) where=here ;;
	'' | exec:*) where=nowhere ;;
	*) where=guest ;;
	esac
}

# The guests that have names, a line each: the name, and what follows it, both without quotes.
__msb_guests() {
	local name rest file=$HOME/.config
	[[ $XDG_CONFIG_HOME != /* ]] || file=$XDG_CONFIG_HOME
	file+=/msb-exec/guests
	[[ -f $file && -r $file ]] || return 0
	while read -r name rest || [[ $name ]]; do
		name=${name//[\'\"\\]/}
		[[ ! $name =~ ^[a-zA-Z0-9][a-zA-Z0-9._-]*$ ]] || printf '%s %s\n' "$name" "${rest//[\'\"\\]/}"
	done <"$file"
}

# What a command prints in the guest, if it does so at once.
__msb_ask() {
	local in=()
	case $where in
	guest)
		[[ ! $folder ]] || in=(-w "$folder")
		timeout -k 0.1 "${MSB_EXEC_COMPLETE_TIMEOUT:-0.3}" "$msb" "${agent[@]}" "${as[@]}" "${in[@]}" -q -n -T --linger 0 -- "$@"
		;;
	here) (cd "${folder:-.}" && exec timeout -k 0.1 "${MSB_EXEC_COMPLETE_TIMEOUT:-0.3}" "$@") ;;
	esac </dev/null 2>/dev/null
}

# Ids and names of the sessions that an agent keeps: what else it says is no word for a line.
__msb_sessions() {
	[[ $where != guest ]] ||
		timeout -k 0.1 "${MSB_EXEC_COMPLETE_TIMEOUT:-0.3}" "$msb" "${agent[@]}" -q --sessions </dev/null 2>/dev/null |
		sed -nE 's/^([0-9a-f]{12}) +([^ ]+) .*/\1\n\2/p' | grep -xE '[[:alnum:]][[:alnum:]._-]*'
}

__msb_paths() {
	__msb_ask sh -c 'n="
"; for f in "$1"*; do case $f in .|..|*/.|*/..|*"$n"*) continue;; esac
		[ -e "$f" ] || [ -h "$f" ] || continue
		[ -d "$f" ] && f=$f/ || [ -z "$2" ] || continue; printf "%s\n" "$f"; done' sh "$@"
}

__msb_commands() {
	if [[ $1 == */* ]]; then
		__msb_paths "$1"
	else
		__msb_ask sh -c 'IFS=:; for d in $PATH; do for f in "$d/$1"*; do
			[ -f "$f" ] && [ -x "$f" ] && printf "%s\n" "${f##*/}"; done; done' sh "$1"
	fi
}

__msb_users() {
	if [[ $1 == *:* ]]; then
		__msb_ask cat /etc/group | sed "s/^\([^:]*\):.*/${1%%:*}:\1/"
	else
		__msb_ask cat /etc/passwd | cut -d: -f1
	fi
}

__msb_files() {
	local file path=$1
	[[ $path != \~/* ]] || path=$HOME${path#\~}
	compgen -f -- "$path" | while IFS= read -r file; do
		[[ ! -d $file ]] || file+=/
		printf '%s\n' "$file"
	done
}

__msb_endpoints() {
	case $1 in
	unix:* | serial:/*) __msb_files "${1#*:}" | sed "s/^/${1%%:*}:/" ;;
	hvsock:*) __msb_files "${1#*:}" | sed 's/^/hvsock:/; s/[^/]$/&:/' ;;
	sandbox:*) __msb_sandboxes | sed 's/^/sandbox:/' ;;
	/* | .*) __msb_files "$1" ;;
	*:*) ;;
	*/*) __msb_files "$1" ;;
	*)
		printf '%s\n' "${_msb_schemes[$program]// /$'\n'}"
		[[ $program != msb-exec?(-console) ]] || __msb_guests | cut -d ' ' -f 1
		;;
	esac
}

__msb_sandboxes() {
	local folder
	for folder in "${MSB_HOME:-$HOME/.microsandbox}"/sandboxes/*/; do
		[[ ! -d $folder ]] || printf '%s\n' "$(basename "$folder")"
	done
}

# What the value of an option may be, a line each, given what is typed of it.
__msb_values() {
	case $1:$2 in
	--user:* | --default-user:*) __msb_users "$3" ;;
	--workdir:*) __msb_paths "$3" folders ;;
	--env:*) compgen -e ;;
	--rlimit:*) printf '%s=\n' "${_msb_limits[@]}" ;;
	--signal:*) printf '%s\n' "${_msb_signals[@]}" ;;
	--on-disconnect:*) printf '%s\n' kill hangup keep ;;
	--sandbox:*) __msb_sandboxes ;;
	--security-profile:*) printf '%s\n' default restricted ;;
	--log-level:*) printf '%s\n' none error warn info debug ;;
	--escape-char:*) printf 'none\n' ;;
	--attach:* | --wait:* | --logs:* | --send:* | --kill:* | --remove:*) __msb_sessions ;;
	*:ENDPOINT) __msb_endpoints "$3" ;;
	*:FILE | *:DIR | *:PATH) __msb_files "$3" ;;
	esac
}

# Offers the lines that begin with what is typed: $1 is what of the word is not part of them.
__msb_reply() {
	local before=$1 typed=$2 line
	while IFS= read -r line; do
		[[ $line && $line == "$typed"* ]] || continue
		if [[ $line == *[/=:] ]]; then
			# Nothing of it is left to insert.
			[[ $line != "$typed" ]] || continue
			compopt -o nospace 2>/dev/null
		fi
		line=$before$line
		line=${line#"$kept"}
		case $quote in
		'') printf -v line %q "$line" ;;
		\')
			[[ $line != *\'* ]] || continue
			;;
		\")
			line=${line//\\/\\\\} line=${line//\"/\\\"}
			line=${line//\$/\\\$} line=${line//\`/\\\`}
			;;
		esac
		COMPREPLY+=("$line")
	done
	# readline ends the quotes behind a single answer. Of two that begin alike it inserts the beginning,
	# unless it is to insert all (42) or one after the other (37).
	if [[ $quote && ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=:] && $COMP_TYPE != @(37|42) ]]; then
		COMPREPLY+=("${COMPREPLY[0]}...")
	fi
}

# The row of the first of the letters in a word that takes a value, and what stands behind it, to $given.
__msb_letters() {
	local i
	for ((i = 1; i < ${#1}; i++)); do
		__msb_option "-${1:i:1}" || continue
		[[ $arg ]] || continue
		given=${1:i+1}
		return 0
	done
	return 1
}

# Walks over what stands before the word at the cursor. Sets $option if that is its value, and
# $operands to how many operands came before, or to -1 while options may follow.
__msb_walk() {
	local i word given
	option='' operands=-1
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		__msb_plain "${words[i]}"
		word=$plain
		if [[ $operands -ge 0 ]]; then
			operands=$((operands + 1))
		elif [[ $option ]]; then
			__msb_take "$option" "$word"
			option=''
		elif [[ $word == -- ]]; then
			operands=0
		elif [[ $word == --*=* ]]; then
			! __msb_option "${word%%=*}" || __msb_take "$long" "${word#*=}"
		elif [[ $word == --* ]]; then
			__msb_option "$word" || continue
			option=${arg:+$long}
			[[ $option ]] || __msb_take "$long" ''
		elif [[ $word == -?* ]]; then
			__msb_letters "$word" || continue
			option=$long
			if [[ $given ]]; then
				__msb_take "$long" "$given"
				option=''
			fi
		else
			operands=1
		fi
	done
}

_msb_exec() {
	local words program msb plain quote kept long arg option operands
	local where agent=() as=() folder='' short name value given
	COMPREPLY=()
	__msb_words
	__msb_plain "${words[0]}"
	msb=$plain
	program=${msb##*/}
	[[ ${_msb_options[$program]+known} ]] || return 0
	where=guest
	[[ ! $MSB_EXEC_ENDPOINT ]] || __msb_where "$MSB_EXEC_ENDPOINT"
	# It finds that one by itself.
	agent=()
	__msb_walk
	# Only msb-exec asks; what the daemons name is on this machine.
	case $program in
	msb-exec) ;;
	msb-exec-console) msb=${msb%-console} ;;
	*) where=here ;;
	esac
	__msb_plain "${words[${#words[@]} - 1]}"
	if [[ $option ]]; then
		__msb_option "$option"
		# Who is asked for is not who asks.
		[[ $long != --user ]] || as=()
		__msb_reply '' "$plain" < <(__msb_values "$long" "$arg" "$plain")
	elif [[ $operands -lt 0 && $plain == --*=* ]]; then
		__msb_option "${plain%%=*}" && [[ $arg ]] || return 0
		value=${plain#*=}
		__msb_reply "${plain%%=*}=" "$value" < <(__msb_values "$long" "$arg" "$value")
	elif [[ $operands -lt 0 && $plain == -[!-]?* ]] && __msb_letters "$plain" && [[ $given ]]; then
		[[ $long != --user ]] || as=()
		__msb_reply "${plain%"$given"}" "$given" < <(__msb_values "$long" "$arg" "$given")
	elif [[ $operands -lt 0 && $plain == -* ]]; then
		__msb_reply '' "$plain" < <(
			while IFS='|' read -r short name value; do
				printf '%s\n' "$name"
				[[ $plain == --* || ! $short ]] || printf '%s\n' "$short"
			done <<<"${_msb_options[$program]}"
		)
	elif [[ $program == msb-exec && $operands -le 0 ]]; then
		__msb_reply '' "$plain" < <(__msb_commands "$plain" | sort -u)
	elif [[ $program == msb-exec ]]; then
		__msb_reply '' "$plain" < <(__msb_paths "$plain" '')
	fi
}

complete -F _msb_exec "${!_msb_options[@]}"
