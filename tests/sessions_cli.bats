#!/usr/bin/env bats
# msb-exec --sessions, --kill and --remove: what is asked, and what is printed of an agent that may be any.

load helper
load agent

setup() {
	common_setup
	need_local "agents that are not ours"
}

teardown() {
	agent_end
	common_teardown
}

# x ARG...: msb-exec without input, and not for ever.
x() {
	timeout --foreground -s KILL $((40 * SLOW)) "$X" "$@" </dev/null
}

# agent_with [COUNT]: its script knows some more: keep(), which greets as an agent that keeps sessions, entry() and
# done().
agent_with() {
	cat - >"$DIR/rest"
	agent "$@" <<EOF
def keep(type):
    client.greet(exec_features=["sessions"])
    return client.expect(type)

def entry(session, **keys):
    client.tell("core.session.entry", {"session": session, **keys})

def done():
    client.tell("core.session.done", {}, flags=1)

$(<"$DIR/rest")
EOF
}

# says WORDS [ARG...]: msb-exec with these fails with that line alone.
says() {
	run -125 --separate-stderr x "${@:2}"
	[[ -z $output && $stderr == "msb-exec: $1" ]] || {
		echo "$output / $stderr" >&2
		return 1
	}
}

# Entries of all kinds, of which the oldest comes neither first nor last.
kinds() {
	agent_with "$1" <<'EOF'
keep("core.session.list")
entry("00000000000a", name="build", user="root", pid=101, age_ms=59999, cpu_us=423999, attached=1,
      command=["make", "-j2", "it's done", ""], stdout_begin=5, stdout_end=1048581, stderr_end=7)
entry("00000000000b", user="1000", pid=102, tty=True, age_ms=345600000, cpu_us=3661000000, attached=12,
      command=["bash"], exited={"code": 3, "usage": {"user_us": 1, "sys_us": 2, "wall_us": 3, "max_rss_kib": 4}})
entry("00000000000c", name="x", user="www-data", pid=103, age_ms=7200000, command=["sleep", "60"],
      exited={"code": -1, "signal": 15})
entry("00000000000d", age_ms=180000, exited={"code": 143, "signal": 9, "timed_out": True})
entry("00000000000e", age_ms=180000, exited={"code": -1, "signal": 40})
entry("00000000000f", age_ms=0, command=[])
done()
EOF
}

@test "sessions_cli: the table has a column for each, as wide as it must be, and the oldest first" {
	kinds 1
	run -0 --separate-stderr x --sessions
	[[ -z $stderr ]]
	diff - <(printf '%s\n' "$output" | sed 's/ *$//') <<-'EOF'
		ID            NAME   USER      PID  STATE        AGE  CPU       ATTACHED  COMMAND
		00000000000b  -      1000      102  exited 3     4d   3661.00s  12        bash
		00000000000c  x      www-data  103  killed TERM  2h   0.00s     0         sleep 60
		00000000000d  -      -         0    timed out    3m   0.00s     0
		00000000000e  -      -         0    killed 40    3m   0.00s     0
		00000000000a  build  root      101  running      59s  0.42s     1         make -j2 'it'\''s done' ''
		00000000000f  -      -         0    running      0s   0.00s     0
	EOF
	agent_done
}

@test "sessions_cli: JSON has all of it, an object a line" {
	kinds 1
	run -0 --separate-stderr x --sessions --json
	[[ -z $stderr && ${#lines[@]} -eq 6 ]]
	python3 -c '
import json, sys
made = [json.loads(line) for line in sys.stdin]
assert [one["id"][-1] for one in made] == list("bcdeaf"), made
assert made[4] == {
    "id": "00000000000a", "name": "build", "user": "root", "pid": 101, "tty": False, "state": "running",
    "age_ms": 59999, "cpu_us": 423999, "attached": 1, "command": ["make", "-j2", "it\u0027s done", ""],
    "stdout": {"begin": 5, "end": 1048581}, "stderr": {"begin": 0, "end": 7}}, made[4]
assert made[0] == {
    "id": "00000000000b", "name": None, "user": "1000", "pid": 102, "tty": True, "state": "ended",
    "age_ms": 345600000, "cpu_us": 3661000000, "attached": 12, "command": ["bash"],
    "stdout": {"begin": 0, "end": 0}, "stderr": {"begin": 0, "end": 0}, "code": 3, "signal": None,
    "timed_out": False, "usage": {"user_us": 1, "sys_us": 2, "wall_us": 3, "max_rss_kib": 4}}, made[0]
assert [one.get("signal") for one in made] == [None, "TERM", "KILL", "40", None, None], made
assert made[2]["timed_out"] and made[1]["code"] == -1 and "usage" not in made[1], made
assert made[5]["command"] == [] and made[5]["user"] is None, made
' <<<"$output"
	agent_done
}

@test "sessions_cli: without a session there is the head alone, or nothing" {
	agent_with 2 <<-'EOF'
		equal(keep("core.session.list").payload, {})
		done()
	EOF
	run -0 --separate-stderr x --sessions
	[[ $output == 'ID  NAME  USER  PID  STATE  AGE  CPU  ATTACHED  COMMAND' && -z $stderr ]]
	run -0 --separate-stderr x --sessions --json
	[[ -z $output && -z $stderr ]]
	agent_done
}

# Everything that drives a terminal, or reads as what it is not.
hostile() {
	agent_with "$1" <<'EOF'
keep("core.session.list")
text = "".join(map(chr, [*range(0x20), *range(0x7f, 0xa0), 0x61c, *range(0x200e, 0x2010), *range(0x2028, 0x202f),
                         *range(0x2066, 0x206a)])) + "\"\\'grün 漢字 🙂"
entry("\x1b]0;id\x07", name="\x1b[2Jname", user="a\x9b1m\u202eb", command=["sh", "-c", text, "\n\\'", "back\\slash"])
done()
EOF
}

@test "sessions_cli: nothing that an agent says drives the terminal" {
	hostile 2
	run -0 --separate-stderr x --sessions
	[[ ${#lines[@]} -eq 2 && $output == *"\$'\\x1b]0;id\\x07'"* && $output == *"\$'\\x1b[2Jname'"* ]]
	[[ $output == *"\$'a\\u009b1m\\u202eb'"* && $output == *'grün 漢字 🙂'* && $output == *"\$'\\n\\\\\\''"* ]]
	[[ $output == *" 'back\\slash'" ]]
	python3 -c '
import sys, unicodedata
for c in sys.stdin.read():
    assert c == "\n" or unicodedata.category(c) not in ("Cc", "Zl", "Zp") and not "\u200e" <= c <= "\u200f" \
        and not "\u202a" <= c <= "\u202e" and not "\u2066" <= c <= "\u2069" and c != "\u061c", repr(c)
' <<<"$output"
	# What it says is the command's argument, to a shell that knows the notation.
	LC_ALL=C.UTF-8 bash -c "printf %s ${lines[1]##* sh -c }" >"$DIR/words"
	[[ $(tail -c 14 "$DIR/words") == *'back\slash' ]]
	run -0 --separate-stderr x --sessions --json
	python3 -c '
import json, sys
line = sys.stdin.read()
assert line.isprintable() or line.rstrip("\n").isprintable(), repr(line)
made = json.loads(line)
assert made["id"] == "\x1b]0;id\x07" and made["user"] == "a\x9b1m\u202eb", made
assert made["command"][2].startswith("\0\1") and made["command"][2].endswith("\"\\\u0027grün 漢字 🙂"), made
' <<<"$output"
	agent_done
}

@test "sessions_cli: a terminal gets no line that is wider" {
	need_pty
	agent_with 2 <<'EOF'
keep("core.session.list")
entry("00000000000a", age_ms=3, command=["cat"])
entry("00000000000b", age_ms=2, command=["echo", "0123456789" * 20])
entry("00000000000c", age_ms=1, command=["漢字" * 40])
done()
EOF
	for width in 90 20; do
		python3 - "$X" "$width" >"$DIR/out" <<'EOF'
import fcntl, os, pty, struct, sys, termios
us, program = os.openpty()
fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[2]), 0, 0))
pid = os.fork()
if not pid:
    os.dup2(program, 1)
    os.execv(sys.argv[1], [sys.argv[1], "--sessions"])
os.close(program)
text = b""
try:
    while got := os.read(us, 4096):
        text += got
except OSError:
    pass
assert os.waitpid(pid, 0)[1] == 0
sys.stdout.write(text.decode().replace("\r", ""))
EOF
		[[ $(wc -l <"$DIR/out") -eq 4 ]]
		[[ $width -ne 90 ]] || {
			cat "$DIR/out"
			python3 -c '
import sys, unicodedata
lines = sys.stdin.read().splitlines()
widths = [sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in line) for line in lines]
assert max(widths) == 90 and widths[3] >= 88, widths
assert lines[0].endswith("COMMAND") and lines[1].endswith(" cat"), lines
assert lines[2].endswith("...") and lines[3].endswith("字..."), lines
' <"$DIR/out"
		}
	done
	agent_done
}

@test "sessions_cli: an agent that cannot keep sessions is asked nothing" {
	agent 3 <<-'EOF'
		client.greet(exec_features=["timeout", "on_disconnect"])
		equal(client.hear_out(), [])
	EOF
	says 'this agent cannot keep sessions' --sessions
	says 'this agent cannot keep sessions' --kill x
	says 'this agent cannot keep sessions' --remove x
	agent_done
}

@test "sessions_cli: garbage is no list, and a list that breaks off is none" {
	agent_with 5 <<-'EOF'
		keep("core.session.list")
		entry("00000000000a")
		if turn == 0:
		    client.tell("core.session.entry", {"session": 5})
		    done()
		elif turn == 1:
		    client.tell("core.session.entry", Raw(b"\xa1\x67session\x62\xff\xfe"))
		    done()
		elif turn == 2:
		    client.send(b"\0\0\0\1x")
		elif turn == 3:
		    client.close()
		else:
		    client.tell("core.error", {"kind": "invalid_payload", "message": ""}, flags=1)
	EOF
	says "the agent's list of sessions makes no sense" --sessions
	says "the agent's list of sessions makes no sense" --sessions --json
	says "the frames make no sense from unix:$SOCKET: Protocol error" --sessions
	says "lost the connection to unix:$SOCKET: the agent closed it" --sessions
	says 'the agent refused it and did not say why' --sessions
	agent_done
}

@test "sessions_cli: a list without an end is cut off" {
	agent_with 1 <<-'EOF'
		keep("core.session.list")
		for _ in range(100):
		    entry("00000000000a", command=["x" * 1000000])
	EOF
	says "the agent's list of sessions is too long" --sessions
	agent_done
}

@test "sessions_cli: what comes behind the end, and what nobody asked for, changes nothing" {
	agent_with 2 <<-'EOF'
		keep("core.session.list" if turn == 0 else "core.session.signal")
		client.tell("core.session.nothing", {"a": 1})
		entry("00000000000a", command=["true"])
		client.send(frame("core.session.done", client.id, {}, flags=1) +
		            frame("core.error", client.id, {"kind": "invalid_payload", "message": "late"}, flags=1) +
		            frame("core.session.done", client.id, {}, flags=1))
		client.close()
	EOF
	run -0 --separate-stderr x --sessions
	[[ ${#lines[@]} -eq 2 && $output == *true && -z $stderr ]]
	run -0 --separate-stderr x --kill a
	[[ -z $output && -z $stderr ]]
	agent_done
}

@test "sessions_cli: --kill sends a signal, TERM unless --signal says another" {
	agent_with 3 <<-'EOF'
		equal(keep("core.session.signal").payload, {"session": "build", "signal": [15, 9, 10][turn]})
		done()
	EOF
	run -0 --separate-stderr x --kill build
	[[ -z $output && -z $stderr ]]
	run -0 --separate-stderr x --kill build --signal kill
	[[ -z $output && -z $stderr ]]
	run -0 --separate-stderr x --signal=10 --kill=build
	[[ -z $output && -z $stderr ]]
	agent_done
	says '--signal: 34 is not a signal that can be sent: it is a real-time one, above SYS (31)' --kill build --signal 34
	says '--signal: SIGRTMIN is not a signal that can be sent: it is a real-time one, above SYS (31)' --kill build --signal SIGRTMIN
	says '--signal: 0 is not a signal such as TERM, SIGKILL or 2' --kill build --signal 0
}

@test "sessions_cli: --remove, and the agent's words when it does not" {
	agent_with 2 <<-'EOF'
		equal(keep("core.session.remove").payload, {"session": "0123456789ab"})
		if turn == 0:
		    done()
		else:
		    client.tell("core.error", {"kind": "invalid_session", "message": "it\x1b[1m still runs"}, flags=1)
	EOF
	run -0 --separate-stderr x --remove 0123456789ab
	[[ -z $output && -z $stderr ]]
	says '0123456789ab: it\x1b[1m still runs' --remove 0123456789ab
	agent_done
}

@test "sessions_cli: no such session" {
	agent_with 2 <<-'EOF'
		keep("core.session." + ["signal", "remove"][turn])
		client.tell("core.error", {"kind": "invalid_session", "message": "no such session"}, flags=1)
	EOF
	says 'no such session: nosuch' --kill nosuch
	says 'no such session: nosuch' --remove nosuch
	agent_done
}

@test "sessions_cli: a disk that is full is told" {
	kinds 2
	run -125 --separate-stderr bash -c '"$1" --sessions >/dev/full' bash "$X"
	[[ $stderr == 'msb-exec: cannot write output: No space left on device' ]]
	run -125 --separate-stderr bash -c '"$1" --sessions --json >&-' bash "$X"
	[[ $stderr == 'msb-exec: cannot write output: Bad file descriptor' ]]
	agent_done
}

@test "sessions_cli: nobody is there" {
	run -125 --separate-stderr x -S "unix:$DIR/none" --sessions
	[[ $stderr == "msb-exec: cannot connect to unix:$DIR/none: No such file or directory"* ]]
}

# shows PATTERN: so does the table's second line.
shows() {
	x --sessions | sed -n 2p | grep -qE -- "$1"
}

@test "sessions_cli: a session of our daemon's is listed, signalled and removed" {
	daemon_start
	"$X" --on-disconnect keep -n -- sleep 60 3>&- &
	local client=$! id
	wait_for 20 shows ' running .* 1  +sleep 60$'
	kill -KILL "$client"
	wait "$client" || true
	wait_for 20 shows ' running .* 0  +sleep 60$'
	id=$(x --sessions --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
	run -125 --separate-stderr x --remove "$id"
	[[ $stderr == "msb-exec: $id: "*run* ]]
	run -0 x --kill "$id" --signal INT
	wait_for 20 shows ' killed INT '
	run -0 x --remove "$id"
	[[ -z $output ]]
	says "no such session: $id" --remove "$id"
	[[ $(x --sessions | wc -l) -eq 1 ]]
}
