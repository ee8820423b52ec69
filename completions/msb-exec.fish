# Completion in fish for msb-exec and its companions: options, their values, and what is in the guest.
#
# The guest is asked through msb-exec itself, within 300 ms (or $MSB_EXEC_COMPLETE_TIMEOUT, in seconds),
# in silence if it fails, and only where that means connecting: an address that would start a program
# (exec:) is not asked at all, and --local is this machine, so the answer is found here.

# The guests that have names, a line each: the name, and what follows it, both without quotes.
function __msb_guests
    set -l file $HOME/.config/msb-exec/guests
    string match -q '/*' -- "$XDG_CONFIG_HOME"; and set file $XDG_CONFIG_HOME/msb-exec/guests
    test -f "$file" -a -r "$file"; or return 0
    string replace -ra '[\'"\\\\]' '' <$file |
        string replace -rf '^[ \t]*([a-zA-Z0-9][a-zA-Z0-9._-]*)[ \t]+(.*)$' '$1 $2'
end

# Where it is that an address or a name leads to: guest, here or nowhere.
function __msb_where
    set -l address $argv[1]
    if not string match -qr '[:/]' -- $address
        set address (__msb_guests | string replace -rf "^"(string escape --style=regex -- $address)" " '')[1]
    end
    # One that was not found, maybe as a Ctrl-C ended the search, may be a program's.
    switch "$address"
        case 'local:*'
            echo here
        case '' 'exec:*'
            echo nowhere
        case '*'
            echo guest
    end
end

# Walks over what stands before the word at the cursor. Prints how many operands came before it, or
# -1 while options may follow; or, asked for "agent", the words that say who is asked and where, the
# first being guest, here or nowhere, the second the folder.
function __msb_walk
    set -l operands -1
    set -l option
    set -l where guest
    set -l folder .
    set -l agent
    set -l as
    set -l in
    set -l words (commandline -opc)[2..-1]
    test -z "$MSB_EXEC_ENDPOINT"; or set where (__msb_where "$MSB_EXEC_ENDPOINT")
    for word in $words
        set -l value
        set -l taken
        if test $operands -ge 0
            set operands (math $operands + 1)
            continue
        else if test -n "$option"
            set value $word
            set taken $option
            set option
        else if test "$word" = --
            set operands 0
            continue
        else if string match -qr '^--[^=]+=' -- $word
            set taken (string replace -r '=.*' '' -- $word)
            set value (string replace -r '^[^=]*=' '' -- $word)
        else if string match -q -- '--*' $word
            if contains -- $word $__msb_exec_with_value
                set option $word
                continue
            end
            set taken $word
        else if string match -qr '^-.' -- $word
            # Of letters that stand together the first that takes a value takes the rest.
            for letter in (string split '' -- (string sub -s 2 -- $word))
                set option
                if contains -- -$letter $__msb_exec_with_value
                    set option -$letter
                    set value (string replace -r "^-[^$letter]*$letter" '' -- $word)
                    break
                end
            end
            test -n "$option" -a -n "$value"; or continue
            set taken $option
            set option
        else
            set operands 1
            continue
        end
        switch $taken
            case -S --socket
                set agent -S $value
                set where (__msb_where $value)
            case -s --sandbox
                set agent -s $value
                set where guest
            case --local
                set where here
            case -u --user
                set as -u $value
            case -w --workdir
                set folder $value
                set in -w $value
        end
    end
    if test "$argv[1]" = agent
        printf '%s\n' $where $folder $agent $as $in
    else
        echo $operands
    end
end

function __msb_operands_are
    test (__msb_walk) $argv
end

# What a command prints in the guest, if it does so at once.
function __msb_ask
    set -l agent (__msb_walk agent)
    set -l program (string replace -r '^~/' "$HOME/" -- (commandline -opc)[1])
    # Only msb-exec asks; what the daemons name is on this machine.
    string match -qr '(^|/)msb-exec(-console)?$' -- $program; or set agent here .
    set -l limit $MSB_EXEC_COMPLETE_TIMEOUT
    test -n "$limit"; or set limit 0.3
    switch $agent[1]
        case guest
            timeout -k 0.1 $limit (string replace -r -- '-console$' '' $program) $agent[3..-1] \
                -q -n -T --linger 0 -- $argv 2>/dev/null </dev/null
        case here
            timeout -k 0.1 $limit env -C $agent[2] $argv 2>/dev/null </dev/null
    end
end

# The word that is being typed, without an option before it; of the value of one, even of a letter: -Sunix:/
function __msb_typed
    set -l option '^--[a-z-]+='
    test -z "$argv[1]"; or set option '^(--[a-z-]+=|-[tTindqvVh]*[^-tTindqvVh])'
    set -l word (commandline -ct)
    string match -q -- '-*' $word; and set word (string replace -r $option '' -- $word)
    string unescape -- $word
end

function __msb_paths
    set -l typed (__msb_typed $argv[1])
    __msb_ask sh -c 'n="
"; for f in "$1"*; do case $f in .|..|*/.|*/..|*"$n"*) continue;; esac
        [ -e "$f" ] || [ -h "$f" ] || continue
        [ -d "$f" ] && f=$f/ || [ -z "$2" ] || continue; printf "%s\n" "$f"; done' sh "$typed" "$argv[1]"
end

function __msb_commands
    set -l typed (__msb_typed)
    if string match -q -- '*/*' $typed
        __msb_paths
        return
    end
    __msb_ask sh -c 'IFS=:; for d in $PATH; do for f in "$d/$1"*; do
        [ -f "$f" ] && [ -x "$f" ] && printf "%s\n" "${f##*/}"; done; done' sh "$typed" | sort -u
end

function __msb_users
    set -l typed (__msb_typed value)
    if string match -q -- '*:*' $typed
        __msb_ask cat /etc/group | string replace -r ':.*' '' |
            string replace -r '^' (string replace -r ':.*' ':' -- $typed)
    else
        __msb_ask cat /etc/passwd | string replace -r ':.*' ''
    end
end

# Ids and names of the sessions that an agent keeps: what else it says is no word for a line.
function __msb_sessions
    set -l agent (__msb_walk agent)
    set -l program (string replace -r '^~/' "$HOME/" -- (commandline -opc)[1])
    set -l limit $MSB_EXEC_COMPLETE_TIMEOUT
    test -n "$limit"; or set limit 0.3
    test $agent[1] = guest; or return
    timeout -k 0.1 $limit $program $agent[3..-1] -q --sessions 2>/dev/null </dev/null |
        string replace -rf '^([0-9a-f]{12}) +([^ ]+) .*' '$1\n$2' | string match -r '^[A-Za-z0-9][A-Za-z0-9._-]*$'
end

function __msb_sandboxes
    set -l home $MSB_HOME
    test -n "$home"; or set home ~/.microsandbox
    for folder in $home/sandboxes/*/
        string replace -r '.*/' "$argv[1]" -- (string trim -r -c / -- $folder)
    end
end

# What ends with / = or : goes on without a blank, but not once it is typed.
function __msb_endpoints
    set -l typed (__msb_typed value)
    switch $typed
        case 'unix:*' 'hvsock:*' 'serial:/*'
            set -l scheme (string replace -r ':.*' ':' -- $typed)
            for file in (string replace -- $scheme '' $typed)*
                if test -d $file
                    set file $file/
                else if test $scheme = hvsock:
                    set file $file:
                end
                echo $scheme$file
            end
        case 'sandbox:*'
            __msb_sandboxes sandbox:
        case '/*' '.*'
            __fish_complete_path $typed
        case '*:*'
        case '*/*'
            __fish_complete_path $typed
        case '*'
            printf '%s\n' $argv
            # Of the daemons' addresses none is a command.
            not contains exec: $argv; or __msb_guests | string replace -r ' .*' ''
    end
end

function __msb_limits
    string match -q -- '*=*' (__msb_typed value); or printf '%s\n' $argv
end

# >>> from --help by make completions
set -g __msb_exec_with_value -c --command -S --socket -s --sandbox --connect-timeout --wait-for --keepalive -u --user -w --workdir -e --env --env-file --rlimit --memory --cpus --pids --timeout -k --kill-after --signal --linger --on-disconnect --escape-char --detach-keys --name --reconnect --result --max-output --log-file --attach --since --wait --logs --send --kill --remove
complete -c msb-exec -n '__msb_operands_are -lt 0' -s c -l command -x -d 'run this line with the user\'s sh -c; what follows is its $0, $1 and so on'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l login -d 'with -c: by the user\'s own shell, as a login shell'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l rsh -d 'the rest is [-l USER] GUEST [WORD]..., as rsync, git and others call rsh or ssh'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s S -l socket -x -a '(__msb_endpoints unix: vsock: hvsock: exec: sandbox: local:)' -d 'the agent\'s address: unix:/path, vsock:CID:PORT, hvsock:/path:PORT, exec:COMMAND, or a guest\'s name'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s s -l sandbox -x -a '(__msb_sandboxes)' -d 'the same of a microsandbox sandbox'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l local -d 'start a private msb-execd for this alone'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l connect-timeout -x -d 'give up if no agent has answered by then (default 10s; 0 or inf: never)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l wait-for -x -d 'try to connect again and again for so long, while there is no agent yet'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l keepalive -x -d 'ask a silent agent for a sign of life after this time, and give up after as much again (default 10s; 0 or inf: never)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s t -l tty -d 'give the command a terminal, if stdin is one; twice: always'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s T -l no-tty -d 'give it none'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s i -l interactive -d 'accepted and needless: stdin streams anyway'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s n -l no-stdin -d 'do not read stdin: the command finds it at its end'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s u -l user -x -a '(__msb_users)' -d 'run as this user of the guest, by name or number'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s w -l workdir -x -a '(__msb_paths folders)' -d 'run in this folder of the guest'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s e -l env -x -a '(set -nx)' -d 'set a variable, or copy the host\'s; repeatable'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l env-file -r -F -d 'set variables from lines NAME=VALUE; repeatable'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l rlimit -x -a '(__msb_limits cpu= fsize= data= stack= core= rss= nproc= nofile= memlock= as= locks= sigpending= msgqueue= nice= rtprio= rttime=)' -d 'set a resource limit, such as nofile=64:128 or as=1G; repeatable'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l cgroup -d 'put it into a control group of its own, so that a forced end leaves nothing of it'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l memory -x -d 'so much memory for all of its processes together, such as 512M'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l cpus -x -d 'so many processors\' time for all of them, such as 0.5'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l pids -x -d 'so many processes and threads at once'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l timeout -x -d 'end the command after this time (exit status 124)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s k -l kill-after -x -d 'kill it this long after the time-out\'s signal (default 5s, 0 never)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l signal -x -a 'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH POLL PWR SYS' -d 'the signal of the time-out, or of --kill (default TERM)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l linger -x -d 'wait for descendants that hold the output until they are silent for so long (default 500ms; inf: until they end)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l on-disconnect -x -a 'kill hangup keep' -d 'kill, hangup or keep the command if msb-exec is lost (default kill)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l escape-char -x -a none -d 'in a terminal, after a newline, C? tells what msb-exec itself does (default ~; ^X: a control character; none)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l detach-keys -x -d 'keys that disconnect, such as ctrl-p,ctrl-q (default ctrl-] three times within a second; empty: none)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s d -l detach -d 'leave the command once it runs, and print its session\'s id'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l name -x -d 'keep the session under this name, too'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l reconnect -x -d 'if the connection to a kept session is lost, try for so long to come back (default 1m in a terminal, else 0)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l sessions -d 'list the sessions that are kept'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l guests -d 'list the guests that have names, and which of them answer'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l json -d 'print objects of JSON, a line each: the command\'s start, its output and how it ended; also with --sessions and --guests'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l result -r -F -d 'write how it ended there, as an object of JSON; fd:N: to that descriptor'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l usage -d 'say on stderr what time and memory it took'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l max-output -x -d 'of each stream print only the beginning and the end, together so much, and what lies between as a number'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l merge -d 'stdout and stderr are one pipe for the command, so that their order stays (default: where ours are the same open file)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l no-merge -d 'they are two, wherever ours go'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l log-file -r -F -d 'our own lines go there, and not to stderr'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l attach -x -a '(__msb_sessions)' -d 'come back to a kept session, by its id or its name'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l watch -d 'with --attach: look on, and leave it to whoever has it'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l since -x -d 'with --attach or --logs: begin with this byte of its stdout (default: the first that is held)'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l wait -x -a '(__msb_sessions)' -d 'wait for its end, and end as it did'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l logs -x -a '(__msb_sessions)' -d 'print what is held of its output'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l send -x -a '(__msb_sessions)' -d 'send our stdin to its stdin'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l eof -d 'with --send: and end its stdin then'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l kill -x -a '(__msb_sessions)' -d 'send it a signal, that of --signal'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l remove -x -a '(__msb_sessions)' -d 'forget it, if it has ended'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l console -d 'a prompt in the guest (msb-exec-console), or lines for its shell, with these options'
complete -c msb-exec -n '__msb_operands_are -lt 0' -l ping -d 'ask the agent for a sign of life, and run nothing'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s q -l quiet -d 'no warnings'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s v -l verbose -d 'say what happens'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s V -l version -d 'print the version'
complete -c msb-exec -n '__msb_operands_are -lt 0' -s h -l help -d 'print this help'
complete -c msb-exec-console -s c -l command -x -d 'run this line, or these lines, and leave'
complete -c msb-exec-console -s f -l file -r -F -d 'run the lines of a file of the host, or of stdin (-), and leave'
complete -c msb-exec-console -l shell -x -d 'the guest\'s shell, such as dash or \'busybox sh\' (default bash if there, else /bin/sh)'
complete -c msb-exec-console -l complete-timeout -x -d 'how long Tab waits for the guest\'s answer (default 300ms; 0 or inf: until Ctrl-C)'
complete -c msb-exec-console -l console -d 'accepted and needless: this is it'
complete -c msb-exec-console -s S -l socket -x -a '(__msb_endpoints unix: vsock: hvsock: exec: sandbox: local:)' -d 'the agent\'s address: unix:/path, vsock:CID:PORT, hvsock:/path:PORT, exec:COMMAND, or a guest\'s name'
complete -c msb-exec-console -s s -l sandbox -x -a '(__msb_sandboxes)' -d 'the same of a microsandbox sandbox'
complete -c msb-exec-console -l local -d 'start a private msb-execd for this alone'
complete -c msb-exec-console -l connect-timeout -x -d 'give up if no agent has answered by then (default 10s; 0 or inf: never)'
complete -c msb-exec-console -l wait-for -x -d 'try to connect again and again for so long, while there is no agent yet'
complete -c msb-exec-console -l keepalive -x -d 'ask a silent agent for a sign of life after this time, and give up after as much again (default 10s; 0 or inf: never)'
complete -c msb-exec-console -s u -l user -x -a '(__msb_users)' -d 'run as this user of the guest, by name or number'
complete -c msb-exec-console -s w -l workdir -x -a '(__msb_paths folders)' -d 'run in this folder of the guest'
complete -c msb-exec-console -s e -l env -x -a '(set -nx)' -d 'set a variable, or copy the host\'s; repeatable'
complete -c msb-exec-console -l env-file -r -F -d 'set variables from lines NAME=VALUE; repeatable'
complete -c msb-exec-console -l rlimit -x -a '(__msb_limits cpu= fsize= data= stack= core= rss= nproc= nofile= memlock= as= locks= sigpending= msgqueue= nice= rtprio= rttime=)' -d 'set a resource limit, such as nofile=64:128 or as=1G; repeatable'
complete -c msb-exec-console -l cgroup -d 'put it into a control group of its own, so that a forced end leaves nothing of it'
complete -c msb-exec-console -l memory -x -d 'so much memory for all of its processes together, such as 512M'
complete -c msb-exec-console -l cpus -x -d 'so many processors\' time for all of them, such as 0.5'
complete -c msb-exec-console -l pids -x -d 'so many processes and threads at once'
complete -c msb-exec-console -l timeout -x -d 'end the command after this time (exit status 124)'
complete -c msb-exec-console -s k -l kill-after -x -d 'kill it this long after the time-out\'s signal (default 5s, 0 never)'
complete -c msb-exec-console -l signal -x -a 'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH POLL PWR SYS' -d 'the time-out\'s signal (default TERM)'
complete -c msb-exec-console -l linger -x -d 'wait for descendants that hold the output until they are silent for so long (default 500ms; inf: until they end)'
complete -c msb-exec-console -l on-disconnect -x -a 'kill hangup keep' -d 'kill, hangup or keep the shell if the console is lost (default keep, for --reconnect, and else kill)'
complete -c msb-exec-console -l reconnect -x -d 'if the connection is lost, try for so long to come back to the shell (default 1m; 0: it ends with the connection)'
complete -c msb-exec-console -s q -l quiet -d 'no warnings'
complete -c msb-exec-console -s v -l verbose -d 'say what happens'
complete -c msb-exec-console -s V -l version -d 'print the version'
complete -c msb-exec-console -s h -l help -d 'print this help'
complete -c msb-execd -s l -l listen -x -a '(__msb_endpoints unix: vsock: serial: stdio:)' -d 'unix:/path, vsock:PORT, serial:NAME|/path or stdio:; repeatable'
complete -c msb-execd -s u -l user -x -a '(__msb_users)' -d 'run commands as this user unless the client names one; =SPEC: always'
complete -c msb-execd -l security-profile -x -a 'default restricted' -d 'default, or restricted: no new privileges, no CAP_SYS_ADMIN'
complete -c msb-execd -l cwd -x -a '(__fish_complete_directories)' -d 'start commands here unless the client names a folder'
complete -c msb-execd -l allow-uid -x -d 'let this user connect, beside root and our own; repeatable'
complete -c msb-execd -l allow-cid -x -d 'let this machine connect over vsock, beside the host; repeatable'
complete -c msb-execd -l max-sessions -x -d 'refuse more commands at once (default 1024)'
complete -c msb-execd -l max-connections -x -d 'refuse more connections at once (default 4096)'
complete -c msb-execd -l max-connections-of-user -x -d 'the same for each user let in by --allow-uid (default 256)'
complete -c msb-execd -l max-sessions-of-user -x -d 'refuse more commands at once of each user let in by --allow-uid (default 256)'
complete -c msb-execd -l max-memory -x -d 'hold no more than this of large frames (default 128M, 0: no bound)'
complete -c msb-execd -l max-request -x -d 'refuse requests with more text (default 4M, which is the most)'
complete -c msb-execd -l frame-timeout -x -d 'drop clients that stop within a frame for so long (default 60s)'
complete -c msb-execd -l greeting-timeout -x -d 'drop clients that say nothing for so long (default inf)'
complete -c msb-execd -l max-time -x -d 'end each command after this time, whatever its client asked for'
complete -c msb-execd -l linger -x -d 'unless the client says: wait for silent holders of output so long (default inf)'
complete -c msb-execd -l session-memory -x -d 'let no session have more memory, whatever its client asks for'
complete -c msb-execd -l session-cpus -x -d 'nor more processors\' time, such as 1.5'
complete -c msb-execd -l session-pids -x -d 'nor more processes and threads at once'
complete -c msb-execd -l replay -x -d 'of a kept session\'s output, hold so much of each stream (default 1M)'
complete -c msb-execd -l replay-total -x -d 'of that of all sessions (default 256M)'
complete -c msb-execd -l max-kept -x -d 'keep no more sessions at once (default 1000, which is the most)'
complete -c msb-execd -l max-kept-of-user -x -d 'the same for each user let in by --allow-uid (default 250)'
complete -c msb-execd -l keep-ended -x -d 'how long to know how a kept session ended (default 1h)'
complete -c msb-execd -l init -d 'be process 1 of a machine or a container'
complete -c msb-execd -l log-level -x -a 'none error warn info debug' -d 'none, error, warn, info or debug (default warn)'
complete -c msb-execd -s V -l version -d 'print the version'
complete -c msb-execd -s h -l help -d 'print this help'
complete -c msb-relayd -s a -l agent -x -a '(__msb_endpoints unix: vsock: serial: stdio:)' -d 'where the guest\'s one stream is, such as unix:/path of QEMU\'s chardev'
complete -c msb-relayd -s l -l listen -x -a '(__msb_endpoints unix: vsock: serial: stdio:)' -d 'unix:/path for clients; repeatable'
complete -c msb-relayd -s u -l user -x -a '(__msb_users)' -d 'the guest\'s default: run commands as this user'
complete -c msb-relayd -l security-profile -x -a 'default restricted' -d 'the guest\'s default: default, or restricted (see msb-execd)'
complete -c msb-relayd -l cwd -x -a '(__fish_complete_directories)' -d 'the guest\'s default: start commands here'
complete -c msb-relayd -s e -l env -x -a '(set -nx)' -d 'the guest\'s default: for the environment of commands; repeatable'
complete -c msb-relayd -l rlimit -x -a '(__msb_limits cpu= fsize= data= stack= core= rss= nproc= nofile= memlock= as= locks= sigpending= msgqueue= nice= rtprio= rttime=)' -d 'the guest\'s default: limit each command\'s resources; repeatable'
complete -c msb-relayd -l no-bootstrap -d 'send the guest no bootstrap: for agents that do not know it'
complete -c msb-relayd -l allow-uid -x -d 'let this user connect, beside root and our own; repeatable'
complete -c msb-relayd -l max-connections-of-user -x -d 'refuse more of each user let in by --allow-uid (default 32)'
complete -c msb-relayd -l max-sessions-of-user -x -d 'refuse more commands at once of each user let in by --allow-uid (default 256)'
complete -c msb-relayd -l max-memory -x -d 'hold no more than this of large frames (default 256M, 0: no bound)'
complete -c msb-relayd -l frame-timeout -x -d 'drop clients that stop within a frame for so long (default 60s)'
complete -c msb-relayd -l greeting-timeout -x -d 'drop clients that say nothing for so long (default inf)'
complete -c msb-relayd -l log-level -x -a 'none error warn info debug' -d 'none, error, warn, info or debug (default warn)'
complete -c msb-relayd -s V -l version -d 'print the version'
complete -c msb-relayd -s h -l help -d 'print this help'
# <<<

complete -c msb-exec -c msb-exec-console -c msb-execd -c msb-relayd -f
complete -c msb-exec -n '__msb_operands_are -le 0' -f -a '(__msb_commands)'
complete -c msb-exec -n '__msb_operands_are -gt 0' -f -a '(__msb_paths)'
