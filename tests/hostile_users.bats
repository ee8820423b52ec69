#!/usr/bin/env bats
# Whoever is root in the guest may make anything of its files: of those that say who is who above all.
# What needs them runs or is refused with one line, and nobody else is held up.

load helper

setup() {
	common_setup
	need_root
	need_local "a daemon of our own"
	need_namespaces --mount
	need_mount
	mkdir "$DIR/etc"
	chmod 755 "$DIR/etc"
	# The guest's whole /etc: what is in it changes under a daemon that runs.
	WRAP=(unshare --mount --propagation private sh -c 'mount --bind "$0" /etc && exec "$@"' "$DIR/etc")
}

teardown() {
	common_teardown
}

GOOD='
import socket
PASSWD, GROUP = "root:x:0:0::/root:/bin/sh\nalice:x:5001:5002::/:/bin/sh\n", "alice:x:5002:\nextra:x:2000:alice\n"

def put(name, content):
    """Makes the file what is said: its content, or a call that makes it."""
    path = f"{DIR}/etc/{name}"
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)
    if content is None:
        return
    if callable(content):
        content(path)
        return
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())

def sparse(size):
    def make(path):
        with open(path, "wb") as file:
            file.truncate(size)
    return make

def bound(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)

def cpu():
    with open(f"/proc/{PID}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def says(peer, user, **keys):
    """The ids of a command that runs as that user, or why it does not; in no time, whatever it is."""
    before, id = cpu(), peer.new_id()
    got = peer.run(id, "sh", "-c", "id -u; id -G", **({"user": user} if user else {}), **keys)
    assert cpu() - before < 3 * SLOW, f"user {user}: {cpu() - before} s of the daemon"
    if got.last.type == "core.exec.failed":
        equal((got.last.kind, got.last.stage), ("user_setup_failed", "user"))
        assert "\n" not in got.last.message, got.last
        return got.last.message.partition(": ")[2]
    return " ".join(got.stdout.decode().split())

def check(what, got, wanted):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"
'

# hostile: the Python on stdin, after what it needs.
hostile() {
	{
		echo "$GOOD"
		cat
	} | peer
}

@test "hostile users: a file that is none, or is too much, is refused in one line" {
	printf 'root:x:0:0::/root:/bin/sh\n' >"$DIR/etc/passwd"
	daemon_start
	hostile <<-'END'
		no_file, over = "is no regular file", "is over 4 MiB"
		kinds = {
		    "a FIFO": (os.mkfifo, no_file),
		    "a folder": (os.mkdir, no_file),
		    "a device": (lambda path: os.symlink("/dev/zero", path), no_file),
		    "a terminal": (lambda path: os.symlink("/dev/ptmx", path), no_file),
		    "a socket": (bound, ": No such device or address"),
		    "a circle": (lambda path: os.symlink("passwd" if path.endswith("passwd") else "group", path),
		                 ": Too many levels of symbolic links"),
		    "a gigabyte": (sparse(1 << 30), over),
		    "a terabyte": (sparse(1 << 40), over),
		    "a line of 10 MB": ("x" * 10000000, over),
		}
		peer = Peer()
		for what, (make, why) in kinds.items():
		    why = why if why[0] == ":" else " " + why
		    put("passwd", make)
		    put("group", GROUP)
		    for user in "alice", "4242", "0:0":
		        check(f"{what}, user {user}", says(peer, user), "the guest's /etc/passwd" + why)
		    check(f"{what}, a shell", says(peer, None, login_shell=True), "the guest's /etc/passwd" + why)
		    check(f"{what}, nobody", says(peer, None).split()[0], "0")
		    put("passwd", PASSWD)
		    put("group", make)
		    for user in "alice", "4242:4343":
		        check(f"{what}, user {user}", says(peer, user), "the guest's /etc/group" + why)
		    check(f"{what}, a number", says(peer, "4242"), "4242 0")
		    check(f"{what}, nobody", says(peer, None).split()[0], "0")
	END
}

@test "hostile users: whatever stands in a file, an entry is what it is, and else there is none" {
	printf 'root:x:0:0::/root:/bin/sh\n' >"$DIR/etc/passwd"
	daemon_start
	hostile <<-'END'
		none, peer = "user alice: no such user in the guest's /etc/passwd", Peer()
		rest = ":x:5001:5002::/:/bin/sh\n"
		passwds = {
		    "missing": (None, none),
		    "dangling": (lambda path: os.symlink("nothing", path), none),
		    "empty": ("", none),
		    "NULs": (bytes(4000000), none),
		    "any bytes": (random.Random(5).randbytes(1000000) + b"\nalice" + rest.encode(), "5001 5002 2000"),
		    "a line of 3.9 MB": ("x" * 3900000 + "\nalice" + rest, "5001 5002 2000"),
		    "an entry of 3.9 MB": ("bob:x:1:1:" + "x" * 3900000 + ":/:/bin/sh\nalice" + rest, "5001 5002 2000"),
		    "nothing but lines": ("\n" * 3900000 + "alice" + rest, "5001 5002 2000"),
		    "nothing but names": ("a\n" * 1950000 + "alice" + rest, "5001 5002 2000"),
		    "no final newline": ("alice:x:5001:5002", "5001 5002 2000"),
		    "a NUL in the name": (b"alice\0:x:0:0::/:/bin/sh\n", none),
		    "a NUL behind it": (b"alice:x:0:0::/\0:/bin/sh\n", none),
		    "NIS": ("+::::::\n+alice::::::\n-alice::::::\n+@alice::::::\n", none),
		    "NIS and an entry": ("+alice::::::\n-alice\nalice" + rest, "5001 5002 2000"),
		    "duplicates": ("alice" + rest + "alice:x:0:0::/:/bin/sh\n" * 1000, "5001 5002 2000"),
		    "negative": ("alice:x:-1:0::/:/bin/sh\nalice:x:0:-1::/:/bin/sh\n", none),
		    "huge": (f"alice:x:{1 << 32}:0::/:/bin/sh\nalice:x:0:{1 << 80}::/:/bin/sh\n", none),
		    "minus one": (f"alice:x:{(1 << 32) - 1}:0::/:/bin/sh\n", "user 4294967295 is not a usable uid"),
		    "carriage returns": ("alice:x:5001:5002::/:/bin/sh\r\n", "5001 5002 2000"),
		}
		put("group", GROUP)
		for what, (content, wanted) in passwds.items():
		    put("passwd", content)
		    check(what, says(peer, "alice"), wanted)
		    check(f"{what}, NIS", says(peer, "+alice"), none.replace("alice", "+alice"))
		many = "".join(f"g{i}:x:{6000 + i}:alice\n" for i in range(100000))
		groups = {
		    "missing": (None, "5001 5002"),
		    "NIS": ("+:::\n+alice:::alice\n-alice:x:0:alice\n", "5001 5002"),
		    "a NUL": (b"wheel:x:10:alice\0\n", "5001 5002"),
		    "no final newline": ("wheel:x:10:bob,alice", "5001 5002 10"),
		    "duplicates": ("wheel:x:10:alice,alice\n" * 60000, "5001 5002 10"),
		    "odd ids": (f"a:x:-1:alice\nb:x:{1 << 32}:alice\nc:x::alice\nd:x:7x:alice\n", "5001 5002"),
		    "a line of 3.9 MB": ("wheel:x:10:" + "bob," * 975000 + "alice\n", "5001 5002 10"),
		    "100000 groups": (many, "user alice is in over 65536 groups of the guest's /etc/group"),
		}
		put("passwd", PASSWD)
		for what, (content, wanted) in groups.items():
		    put("group", content)
		    check(what, says(peer, "alice"), wanted)
		# As many as the kernel takes, and its own.
		put("group", "".join(many.splitlines(True)[:65535]))
		check("65536 groups", len(says(peer, "alice").split()), 1 + 65536)
	END
}

@test "hostile users: a daemon starts beside such files, and says what it cannot run commands as" {
	mkfifo "$DIR/etc/passwd"
	HOME=/given daemon_start
	run -0 "$X" -- printenv HOME
	[[ $output == /given ]]
	daemon_stop
	run -2 timeout $((20 * SLOW)) "${WRAP[@]}" "$EXECD" -l "unix:$SOCKET" --user alice
	[[ $output == "msb-execd: --user: the guest's /etc/passwd is no regular file" ]]
	# Nor is another file of the guest waited for.
	run -0 timeout $((20 * SLOW)) unshare --mount --propagation private \
		sh -c 'mount --bind "$1" /dev/null && exec "$2" --version <&-' sh "$DIR/etc/passwd" "$EXECD"
}

@test "hostile users: what a daemon that is not root may not read is an error, and no missing user" {
	printf 'root:x:0:0::/root:/bin/sh\nalice:x:5001:5002::/:/bin/sh\n' >"$DIR/etc/passwd"
	chmod 600 "$DIR/etc/passwd"
	chown 5001 "$DIR"
	WRAP+=(setpriv --reuid 5001 --regid 5002 --clear-groups)
	daemon_start
	run -125 "$X" -u alice -- true
	[[ $output == *": the guest's /etc/passwd: Permission denied" ]]
	run -0 "$X" -- id -u
	[[ $output == 5001 ]]
}
