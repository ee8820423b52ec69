"""After each round, when its clients are gone, and before the next one: everything is as it was."""

import contextlib
import json
import os
import signal
import subprocess
import time

from world import (BUILD, DIRECT, DISK, FOLDER, SERVERS, SLOW, Failure, answers, doing, here, marked, run,
                   said_of, wait_for)

GONE_MS = 30000  # a forced end takes 2 s at most, and a look or two
# What malloc keeps; a sanitizer also keeps what was freed, to catch who still uses it.
RSS_SLACK_KIB = 262144 if "sanitize" in BUILD else 8192
FILES = {"s", "r", "chardev", "port", "log", "disk", "clock.clients", "clock.servers"}
OWN_FDS = []


def sessions():
    here.way = DIRECT
    return [json.loads(line) for line in run("--sessions", "--json").splitlines()]


def forget_sessions():
    """Ends what is kept, and has it forgotten. What still ran."""
    ran = [one for one in sessions() if one["state"] == "running"]
    for one in ran:
        # It may end of itself meanwhile.
        with contextlib.suppress(Failure):
            run("--kill", one["id"], "--signal", "KILL")
    wait_for(lambda: all(one["state"] == "ended" for one in sessions()), "the end of killed sessions")
    for one in sessions():
        with contextlib.suppress(Failure):
            run("--remove", one["id"])
    wait_for(lambda: not sessions(), "no sessions")
    return ran


def listening():
    """The files of sockets that somebody has open there."""
    return sorted({line.split()[-1].removeprefix(FOLDER + "/").removesuffix(".new")
                   for line in said_of("self", "net/unix").decode().splitlines()
                   if FOLDER + "/" in line and " 00010000 " in line})


def state():
    """Of all that must be as it was; what is wrong of it, in words."""
    wrong = []
    for server in SERVERS:
        fds, children, rss = server.state()
        if fds != server.fresh[0]:
            wrong.append(f"{server.name} has {fds} descriptors, not {server.fresh[0]}: {open_files(server)}")
        if children:
            wrong.append(f"{server.name} has {children} children")
        if rss > server.fresh[2] + RSS_SLACK_KIB:
            wrong.append(f"{server.name} has {rss} KiB, after {server.fresh[2]} KiB and at most "
                         f"{RSS_SLACK_KIB} KiB more")
    strays = marked() - {server.pid for server in SERVERS}
    if strays:
        wrong.append(f"processes are left: {[(pid, said_of(pid, 'cmdline'), doing(pid)) for pid in strays]}")
    files = set(os.listdir(FOLDER)) - FILES
    if os.path.ismount(DISK):
        files |= set(os.listdir(DISK)) - {"filler"}
    if files:
        wrong.append(f"files are left: {sorted(files)}")
    if listening() != ["chardev", "r", "s"]:
        wrong.append(f"there are other sockets: {listening()}")
    if len(os.listdir("/proc/self/fd")) > OWN_FDS[0]:
        wrong.append("the soak itself has more descriptors than before")
    return wrong


def open_files(server):
    found = []
    for fd in os.listdir(f"/proc/{server.pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/{server.pid}/fd/{fd}"))
    return sorted(found)


def begin():
    """What is there now is what must be there later."""
    OWN_FDS[:] = [len(os.listdir("/proc/self/fd"))]


def remember_memory():
    """What is allocated once and kept is there now."""
    for server in SERVERS:
        server.fresh = (*server.fresh[:2], max(server.fresh[2], server.state()[2]))


def after_round(rough):
    """What is wrong, in lines; processes that are left are ended, so that the next round is its own."""
    wrong = []
    for server in SERVERS:
        if server.process.poll() is not None:
            wrong.append(f"{server.name} has ended with {server.process.returncode}")
            server.start()
    try:
        wait_for(answers, "a daemon and a relay that answer")
        ran = forget_sessions()
        if ran and not rough:
            wrong.append(f"sessions are left that run: {ran}")
    except Failure as failure:
        wrong.append(str(failure))
    end = time.monotonic() + GONE_MS / 1000 * SLOW
    while (left := state()) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in marked() - {server.pid for server in SERVERS}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return wrong + left


def no_disk():
    os.mkdir(DISK)


def small_disk():
    """A disk that is full, if we may mount one; it is ours alone, since so are our mounts."""
    no_disk()
    if "SOAK_MOUNTS" not in os.environ or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "soak", DISK], check=False).returncode:
        return False
    with open(DISK + "/filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return True
