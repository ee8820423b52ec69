#!/usr/bin/env bats
# What a command is and has, read back from /proc (probe.c, privileges.py) beside what the manuals say:
# for every way to name a user, each profile, and a daemon that is root or is not. And what a command
# cannot reach: the daemon, other users' sessions, what the restricted profile took.

load helper

setup() {
	common_setup
	need_root
	need_local "a daemon of our own"
	need_namespaces --mount
	need_mount
	cp "$BUILD/tests/probe" "$DIR"
	python3 -B -c 'from privileges import *
for name, text in ("passwd", PASSWD), ("group", GROUP):
    with open(f"{DIR}/{name}", "w") as file:
        file.write(text)'
	# As nothing is by itself, so that it is seen what reaches a command.
	cat >"$DIR/stage" <<-'END'
		mount --bind "$DIR/passwd" /etc/passwd
		mount --bind "$DIR/group" /etc/group
		umask 027
		trap '' USR1 PIPE CHLD
		echo 100 >/proc/self/oom_score_adj
		cd /usr
		exec prlimit --nofile=512:1024 --core=0:7000 --stack=4000000: "$@"
	END
	STAGE=(unshare --mount --propagation private env DIR="$DIR" sh -e "$DIR/stage")
	ODD=(env -i SECRET=daemons HOME=/nonexistent PWD=/wrong OLDPWD=/wrong _=x LISTEN_FDNAMES=x
		WATCHDOG_USEC=5 NOTIFY_SOCKET= DIR="$DIR")
}

teardown() {
	common_teardown
}

export PYTHONPATH=$BATS_TEST_DIRNAME
export DIR

# start AS... -- OPTION...: a daemon, and $DIR/base says what it was started with.
start() {
	local as=()
	while [[ $1 != -- ]]; do
		as+=("$1")
		shift
	done
	WRAP=("${STAGE[@]}" "${as[@]}" "${ODD[@]}")
	"${WRAP[@]}" "$DIR/probe" >"$DIR/base" 3>&- </dev/null
	daemon_start "${@:2}"
}

ROOT_WITH=(setpriv --groups "0,4,2999" --bounding-set -sys_time)
AS_ALICE=(setpriv --reuid 5001 --regid 5002 --groups "29,2999")

# Beside other sessions, of which nothing leaks.
all_specs() {
	peer "$@" <<-'END'
		from privileges import *
		start = base()
		others = Peer()
		for id in range(1, 9):
		    others.start(id, PROBE, "wait", tty=id % 2 == 0)
		peer = Peer()
		look_at_all(peer, start, [None, *SPECS], restricted=bool(ARGS))
	END
}

@test "privileges: root's daemon gives each user what is that user's, and nothing more" {
	start "${ROOT_WITH[@]}" --
	all_specs
}

@test "privileges: the same under the restricted profile, without CAP_SYS_ADMIN" {
	start "${ROOT_WITH[@]}" -- --security-profile restricted
	all_specs restricted
}

@test "privileges: what the daemon's --user names is what a command gets that names nobody" {
	start "${ROOT_WITH[@]}" -- --user alice:audio
	peer <<-'END'
		from privileges import *
		look_at_all(Peer(), base(), [None, "0", "4242:4343"], row="alice:audio")
	END
	daemon_stop
	start "${ROOT_WITH[@]}" -- --user =alice --security-profile restricted
	peer <<-'END'
		from privileges import *
		peer = Peer()
		look_at_all(peer, base(), [None, "alice", "5001"], row="alice", restricted=True)
		for id, user in enumerate(("root", "0", "bob", "alice:audio", "4242"), 1):
		    peer.request(id, PROBE, user=user)
		    peer.failed(id, "user_setup_failed", "user")
	END
}

@test "privileges: a daemon that is not root runs what it is, and nobody else" {
	chown 5001 "$DIR"
	for profile in default restricted; do
		start "${AS_ALICE[@]}" -- --security-profile $profile
		peer $profile <<-'END'
			from privileges import *
			start, peer = base(), Peer()
			look_at_all(peer, start, [None, "alice", "5001"], restricted=ARGS == ["restricted"])
			for id, user in enumerate(("root", "0", "bob", "alice:audio", "4242", "4242:4343"), 1):
			    peer.request(id, PROBE, user=user)
			    peer.failed(id, "user_setup_failed", errno_name="EPERM")
		END
		daemon_stop
	done
}

@test "privileges: capabilities of a daemon that is not root are for no other user" {
	chown 5001 "$DIR"
	start "${AS_ALICE[@]}" --inh-caps +setuid,+setgid,+chown --ambient-caps +setuid,+setgid,+chown --
	peer <<-'END'
		from privileges import *
		start, peer = base(), Peer()
		assert int(start["/proc/self/status"]["CapAmb"], 16) == 0o301
		look_at_all(peer, start, [None, "alice", "bob", "4242", "4242:4343"])
	END
	daemon_stop
	# What may be inherited goes with the user, too: a file could make something of it.
	start "${ROOT_WITH[@]}" --inh-caps +net_admin,+sys_admin --
	peer <<-'END'
		from privileges import *
		look_at_all(Peer(), base(), [None, "root", "alice", "4242"])
	END
}

@test "privileges: what a serial host's bootstrap says holds for what it leaves open" {
	WRAP=("${STAGE[@]}" "${ROOT_WITH[@]}" "${ODD[@]}")
	"${WRAP[@]}" "$DIR/probe" >"$DIR/base" 3>&- </dev/null
	"${WRAP[@]}" PYTHONPATH="$PYTHONPATH" timeout $((60 * SLOW)) \
		"$(command -v python3)" -B "$BATS_TEST_DIRNAME/host.py" "$EXECD" <<-'END'
		from privileges import *
		port = Port()
		host = port.host()
		host.boot(user="alice", security_profile="restricted")
		agent = Agent()
		equal(host.next().default_user, {"uid": 5001, "gid": 5002})
		host.ack()
		host.greeted()
		start = base()
		# Python's own, which plays the host and starts the daemon.
		start["env"].update({key: os.environ[key] for key in ("PYTHONPATH", "LC_CTYPE") if key in os.environ})
		look_at_all(host, start, [None, "root", "bob", "4242"], row="alice", restricted=True)
	END
}

# ---- what a command cannot reach ----

@test "reach: a daemon's memory and descriptors are nobody's, whoever has its uid" {
	chown 5001 "$DIR"
	start "${AS_ALICE[@]}" --
	"${AS_ALICE[@]}" "$RELAYD" --agent "unix:$DIR/nobody" --listen "unix:$DIR/relayed" 2>>"$DIR/daemon.log" 3>&- &
	local relay=$!
	wait_for 5 listens "$DIR/relayed"
	peer "$relay" <<-'END'
		from privileges import *
		peer = Peer()
		ways = {"memory", "write", "descriptors", "environ", "maps", "auxv", "io", "pagemap", "fd/0",
		        "fd/1", "fd/2", "exe", "cwd", "root", "ns/mnt", "vm_read", "vm_write", "getfd", "ptrace"}
		for pid in PID, int(ARGS[0]):
		    got = reach(peer, pid)
		    equal(set(got), ways)
		    equal({way: said for way, said in got.items() if said not in ("EACCES", "EPERM")}, {})
		# Of its own user's commands it can, as everywhere.
		other = peer.start(1, PROBE, "wait")
		got = reach(peer, other)
		equal({way for way, said in got.items() if said == "done"}, ways - {"vm_read", "vm_write"})
	END
	kill "$relay"
	wait "$relay"
}

@test "reach: nor is the child's, which is the daemon's copy until its exec" {
	chown 5001 "$DIR"
	cc -x c -shared -fPIC -D_GNU_SOURCE -o "$DIR/stops.so" - <<-'END'
		#include <dlfcn.h>
		#include <signal.h>
		#include <string.h>
		#include <unistd.h>
		int execve(const char *path, char *const argv[], char *const envp[])
		{
			int (*real)(const char *, char *const[], char *const[]) =
				(int (*)(const char *, char *const[], char *const[]))dlsym(RTLD_NEXT, "execve");
			if (argv[1] && strcmp(argv[1], "stop") == 0)
				kill(getpid(), SIGSTOP);
			return real(path, argv, envp);
		}
	END
	ODD+=(LD_PRELOAD="$DIR/stops.so" ASAN_OPTIONS=verify_asan_link_order=0)
	start "${AS_ALICE[@]}" --
	peer <<-'END'
		from privileges import *
		peer, before = Peer(), children()
		peer.request(1, PROBE, "stop")
		def stopped():
		    for pid in set(children()) - set(before):
		        with open(f"/proc/{pid}/stat", "rb") as file:
		            if file.read().rpartition(b")")[2].split()[0] == b"T":
		                return pid
		    return None
		child = wait_for(stopped, "a child that stopped")
		other = Peer()
		got = reach(other, child, env=["LD_PRELOAD="])
		equal({way: said for way, said in got.items() if said not in ("EACCES", "EPERM")}, {})
		os.kill(child, signal.SIGCONT)
		equal(peer.outcome(1).last.code, 2)
	END
}

@test "reach: other users' pipes and terminals cannot be opened" {
	start "${ROOT_WITH[@]}" --
	peer <<-'END'
		from privileges import *
		peer = Peer()
		for id, keys in enumerate(({}, {"tty": True}, {"user": "bob"}, {"user": "bob", "tty": True}), 1):
		    pid = peer.start(id, PROBE, "wait", **keys)
		    got = reach(peer, pid, user="alice")
		    equal({way: said for way, said in got.items() if said not in ("EACCES", "EPERM")}, {})
		    if "tty" in keys:
		        # By its name, of which anybody can know.
		        said = parse(peer.read_until(id, b"== end").decode())
		        name = said["fd"]["0"].split()[0]
		        for redirection in "<", ">":
		            got = peer.run_sh(100 + id, f": {redirection}{name}", user="alice")
		            assert b"ermission denied" in got.stderr, got.frames
		            equal(got.last.code, 2)
		# And the daemon's own, as whoever is not root.
		got = reach(peer, PID, user="alice")
		equal({way: said for way, said in got.items() if said not in ("EACCES", "EPERM")}, {})
	END
}

@test "reach: the socket is for those alone who may come" {
	start "${ROOT_WITH[@]}" --
	run -125 "$X" -u alice -- "$X" -S "unix:$SOCKET" -- true
	[[ $output == *'Permission denied'* ]]
	chmod 777 "$SOCKET"
	run -125 "$X" -u alice -- "$X" -S "unix:$SOCKET" -- true
	[[ $output == *--allow-uid* ]]
}

# ---- what the restricted profile takes ----

# gained [restricted]: what the probe can do, and the programs that it becomes.
gained() {
	peer "$@" <<-'END'
		from privileges import *
		def steps(user, *args):
		    text = peer.run(next(ids), PROBE, *args, user=user).stdout.decode()
		    return [parse("== /proc/self/status\n" + step) for step in text.split("== /proc/self/status\n")[1:]]
		def has_nothing(step, uid):
		    status = step["/proc/self/status"]
		    equal(status["Uid"].split(), [str(uid)] * 4)
		    equal([key for key in CAPS if int(status[key], 16) & SYS_ADMIN], [])
		    # A program that insists on what it cannot have is not even run.
		    assert step["tries"].pop("exec", "EPERM") == "EPERM"
		    equal(step["tries"], UNMOUNTED)
		peer, restricted = Peer(), "restricted" in ARGS
		helpers = [name for name in ("setuid", "filecaps") if os.path.exists(f"{DIR}/{name}")]
		assert "setuid" in helpers
		for helper in helpers:
		    first, *then = steps("alice", "gain", f"{DIR}/{helper}")
		    if restricted:
		        for step in first, *then:
		            has_nothing(step, 5001)
		        equal(len(then), helper == "setuid")
		    else:
		        # That it is the profile which takes it, and not this test's folder.
		        equal((first["tries"], set(then[0]["tries"].values())), (UNMOUNTED, {"done"}))
		# Root alone keeps what it needs no CAP_SYS_ADMIN for.
		for step in steps("root", "gain"):
		    if restricted:
		        has_nothing(step, 0)
		    else:
		        equal(set(step["tries"].values()), {"done"})
	END
}

# helpers: programs of this folder that give more than their user has.
helpers() {
	cp "$DIR/probe" "$DIR/setuid"
	chmod 4755 "$DIR/setuid"
	cp "$DIR/probe" "$DIR/filecaps"
	setcap cap_sys_admin+ep "$DIR/filecaps" || rm "$DIR/filecaps"
}

@test "profile: under restricted neither a setuid program nor file capabilities give CAP_SYS_ADMIN" {
	helpers
	start "${ROOT_WITH[@]}" -- --security-profile restricted
	gained restricted
	daemon_stop
	"${STAGE[@]}" "${ROOT_WITH[@]}" -- setpriv --reuid 5001 --regid 5002 --clear-groups "$DIR/setuid" gain |
		grep -qx 'mount done' || skip "this folder's programs give no privilege"
	start "${ROOT_WITH[@]}" --
	gained
}

# As the manual says: it is the kernel's to forbid.
@test "profile: in a user namespace of its own a command has all capabilities, over that alone" {
	start "${ROOT_WITH[@]}" -- --security-profile restricted
	peer <<-'END'
		from privileges import *
		text = Peer().run(1, PROBE, "namespace", user="alice").stdout.decode()
		if "user done" in text:
		    got = parse(text)
		    assert int(got["/proc/self/status"]["CapEff"], 16) & SYS_ADMIN
		    equal(got["/proc/self/status"]["NoNewPrivs"], "1")
		    equal(got["tries"]["mount"], "done")
		    # Nobody else sees that.
		    got = Peer().run_sh(1, "grep -c ' /mnt ' /proc/self/mounts", user="alice")
		    equal(got.stdout, b"%d\n" % sum(" /mnt " in line for line in open(f"/proc/{PID}/mounts")))
	END
}
