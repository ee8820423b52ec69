#!/usr/bin/env bats
# -w with agents that do not say when a folder is not there: msb-exec looks first.

load helper
load agent

setup() {
	common_setup
	need_local "agents that are not ours"
	export TERM=xterm
	mkdir "$DIR/there"
	touch "$DIR/file"
}

teardown() {
	agent_end
	common_teardown
}

x() {
	timeout --foreground -s KILL $((15 * SLOW)) "$X" "$@" </dev/null
}

@test "folder: a folder that is there is looked for as the command's user, then the command starts" {
	agent 3 <<-END
		client.greet(range=(100, 200), v=(7, 4, 7)[turn])
		asked = client.look()
		assert asked.id in range(101, 200), asked
		equal((asked.cmd, asked.args[-1], asked.user), ("/bin/sh", "$DIR/there", "u:g"))
		equal((asked.cwd, asked.tty, asked.env, asked.rlimits), (None, False, [], []))
		request = client.expect("core.exec.request")
		equal((request.id, request.cmd, request.cwd, request.user), (100, "cmd", "$DIR/there", "u:g"))
		equal(request.tty, turn == 2)
		client.tell("core.exec.started", {"pid": 5})
		client.exit(7)
	END
	run -7 x -w "$DIR/there" -u u:g -e A=1 --rlimit nofile=1:2 -- cmd
	run -7 x -w "$DIR/there" -u u:g -- cmd
	run -7 x -w "$DIR/there" -u u:g -tt -- cmd
	agent_done
}

@test "folder: what is no folder is refused in msb-execd's words, and nothing runs" {
	agent 5 <<-'END'
		client.greet()
		client.look(67 if turn == 4 else None)
		equal(client.hear_out(), [])
	END
	for tty in -T -tt; do
		run -125 x $tty -w "$DIR/none" -- true
		[[ $output == "msb-exec: cannot spawn \"true\": chdir $DIR/none: No such file or directory" ]]
		run -125 x $tty -w "$DIR/file" -- true
		[[ $output == "msb-exec: cannot spawn \"true\": chdir $DIR/file: Not a directory" ]]
	done
	run -125 x -w "$DIR/there"
	[[ $output == "msb-exec: cannot spawn \"/bin/sh\": chdir $DIR/there: Permission denied" ]]
	agent_done
	# The same from ours, which is not asked.
	rm "$SOCKET"
	daemon_start
	run -125 x -w "$DIR/none" -- true
	[[ $output == "msb-exec: cannot spawn \"true\": chdir $DIR/none: No such file or directory" ]]
}

@test "folder: a name that a shell would read otherwise is a name" {
	agent 6 <<-'END'
		client.greet()
		client.look()
		client.expect("core.exec.request")
		client.exit(7)
	END
	for name in 'a b' "it's" '-d' '!' '$(exit 9)' '*'; do
		mkdir "$DIR/$name"
		run -7 x -w "$DIR/$name" -- true
	done
	agent_done
}

@test "folder: without -w, and by an agent of ours, nothing is asked" {
	agent 2 <<-'END'
		client.greet(exec_features=[[], ["usage"]][turn])
		equal(client.expect("core.exec.request").cmd, "true")
		client.exit(7)
	END
	run -7 x -- true
	run -7 x -w /no/dir -- true
	agent_done
}

@test "folder: in a guest without a shell -tt is refused, and otherwise the agent refuses by itself" {
	agent 2 <<-'END'
		client.greet()
		asked = client.next()
		equal(asked.cmd, "/bin/sh")
		client.send(frame("core.exec.failed", asked.id, {"kind": "not_found", "errno": 2,
		    "errno_name": "ENOENT", "message": "no such program", "stage": None}))
		if turn == 0:
		    equal(client.hear_out(), [])
		else:
		    client.expect("core.exec.request")
		    client.exit(7)
	END
	run -125 x -tt -w "$DIR/there" -- true
	[[ $output == "msb-exec: cannot see whether $DIR/there is there, and this agent would run the command elsewhere: the guest has no /bin/sh" ]]
	run -7 x -w "$DIR/there" -- true
	agent_done
}

@test "folder: whatever else goes wrong with the look is 125 and its own line" {
	agent 4 <<-'END'
		client.greet(range=(100, 102))
		asked = client.next()
		equal(asked.id, 101)
		client.send([
		    frame("core.exec.failed", asked.id, {"kind": "user_setup_failed", "errno": None,
		          "errno_name": None, "message": "unknown user u", "stage": "user"}),
		    frame("core.error", asked.id, {"kind": "invalid_payload", "message": "no"}),
		    frame("core.exec.exited", asked.id, {"code": 126}),
		    b""][turn])
		if turn == 3:
		    client.close()
		else:
		    equal(client.hear_out(), [])
	END
	for words in 'unknown user u' 'the agent refused the session: no' '/bin/sh ended with 126' \
		'the agent closed it'; do
		run -125 x -w "$DIR/there" -- true
		[[ ${#lines[@]} -eq 1 && $output == "msb-exec: "*"$words"* ]]
	done
	agent_done
}

@test "folder: a signal during the look is the end at once" {
	agent <<-END
		client.greet()
		asked = client.next()
		open("$DIR/asked", "w").close()
		equal(client.hear_out(), [])
	END
	env --default-signal "$X" -w "$DIR/there" -- true </dev/null >"$DIR/out" 2>&1 3>&- &
	local x=$! status=0
	wait_for 5 test -e "$DIR/asked"
	kill -INT "$x"
	wait_for 5 gone "$x"
	wait "$x" || status=$?
	[[ $status -eq 130 ]]
	agent_done
}

@test "folder: the console looks for its own too" {
	[[ -x $CONSOLE ]] || skip "built without readline"
	agent 2 <<-END
		client.greet()
		asked = client.look()
		equal(asked.args[-1], ["$DIR/none", "$DIR/there"][turn])
		if turn == 1:
		    equal(client.expect("core.exec.request").cwd, "$DIR/there")
		    client.exit(7)
		else:
		    equal(client.hear_out(), [])
	END
	run -125 x --console -w "$DIR/none" -c true
	[[ $output == "msb-exec: cannot spawn \"/bin/sh\": chdir $DIR/none: No such file or directory" ]]
	run -7 x --console -w "$DIR/there" -c true
	agent_done
}
