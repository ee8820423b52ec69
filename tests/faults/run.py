#!/usr/bin/env python3
"""run.py BUILD [--seconds N] [--seed N] [--only WORDS] [CASE...]: fails one call of the libc at a time in one
of our programs, by the preloaded faults.c, and looks at what becomes of it.

A case is scenario/program/function/fault/N: the Nth call of that function in that program, while the
scenario runs, fails with that errno, or takes one byte (SHORT). program+child is what runs between clone and
exec. N may be * for all, each by itself, and N+ is the Nth with all behind it. Without cases: those of the file `found`, and then all there are, in their order, or
with --seconds a sample that the seed picks. --only takes cases that hold each of these words.

After each: an end within 5 s, the command's own status with all of its output, or a status of ours with a
line that says why; the daemon serves the next command, and has the descriptors, the children and the
allocations of before; no file is left."""

import argparse
import collections
import contextlib
import errno
import fcntl
import fnmatch
import json
import mmap
import os
import pty
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

SLOW = float(os.environ.get("SLOW", "1"))
LIMIT = 5 * SLOW  # of anything
HERE = os.path.dirname(os.path.abspath(__file__))

# ---- what can go wrong ----

# What their manuals list and can happen to us: no EBADF, EFAULT, EINVAL of a program that is right.
FAULTS = {
    "accept4": "ECONNABORTED EMFILE ENFILE ENOBUFS ENOMEM EPERM EINTR EAGAIN",
    "access": "EACCES EIO ENOMEM",
    "bind": "EADDRINUSE EACCES ENOMEM EROFS",
    "calloc": "ENOMEM",
    "chdir": "EACCES EIO ENOMEM",
    "chmod": "EPERM EIO EROFS",
    "close": "EINTR EIO ENOSPC",
    "closedir": "EIO",
    "connect": "ECONNREFUSED EACCES EAGAIN EINTR ENOENT",
    "dup2": "EINTR EMFILE",
    "dup3": "EINTR EMFILE",
    "epoll_create1": "EMFILE ENFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC",
    "epoll_wait": "EINTR",
    "execv": "EACCES ENOMEM ENOENT",
    "execve": "EACCES ENOMEM EAGAIN ENOENT",
    "execvp": "EACCES ENOMEM ENOENT",
    "fchmod": "EIO EPERM EROFS",
    "fchown": "EIO EPERM EROFS",
    "fclose": "EIO ENOSPC",
    "fcntl": "EMFILE ENOMEM",
    "fdopen": "ENOMEM",
    "fdopendir": "EMFILE ENOMEM",
    "fflush": "EIO ENOSPC EPIPE",
    "fgetgrent": "EIO ENOMEM",
    "fgets": "EIO",
    "fgetpwent": "EIO ENOMEM",
    "flock": "EINTR ENOLCK",
    "fmemopen": "ENOMEM",
    "fopen": "EACCES EMFILE ENFILE ENOMEM",
    "fork": "EAGAIN ENOMEM",
    "fstat": "ENOMEM EIO",
    "ftruncate": "EIO EPERM",
    "getcwd": "ENOENT EACCES ENOMEM",
    "getpeername": "ENOBUFS ENOTCONN",
    "getpwuid": "EIO EMFILE ENOMEM",
    "getrandom": "EINTR EAGAIN ENOSYS SHORT",
    "getrlimit": "EPERM",
    "getsockopt": "ENOMEM ENOPROTOOPT",
    "ioctl": "EIO ENOTTY EPERM",
    "kill": "EPERM ESRCH",
    "listen": "EADDRINUSE",
    "lseek": "ESPIPE",
    "lstat": "EACCES ENOMEM",
    "malloc": "ENOMEM",
    "memfd_create": "EMFILE ENFILE ENOMEM ENOSYS",
    "mkdir": "EACCES ENOSPC EROFS",
    "mkdirat": "EACCES EAGAIN ENOMEM ENOSPC EROFS",
    "open": "EACCES EINTR EMFILE ENFILE ENOENT ENOMEM",
    "__open_2": "EACCES EINTR EMFILE ENFILE ENOENT ENOMEM",
    "openat": "EACCES EINTR EMFILE ENFILE ENOENT ENOMEM",
    "opendir": "EACCES EMFILE ENFILE ENOMEM",
    "open_memstream": "ENOMEM",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR ENOMEM",
    "ppoll": "EINTR ENOMEM",
    "posix_spawnp": "EAGAIN ENOMEM EACCES",
    "posix_spawnattr_init": "ENOMEM",
    "posix_spawn_file_actions_adddup2": "ENOMEM",
    "posix_spawn_file_actions_init": "ENOMEM",
    "prctl": "EPERM EINVAL",
    "pwrite": "EIO ENOSPC EINTR SHORT",
    "read": "EAGAIN EINTR EIO SHORT",
    "readdir": "EIO ENOENT",
    "readlink": "EACCES EIO ENOENT ENOMEM",
    "realloc": "ENOMEM",
    "reallocarray": "ENOMEM",
    "recv": "EAGAIN ECONNRESET EINTR ENOMEM SHORT",
    "rename": "EACCES EIO ENOSPC",
    "send": "EAGAIN ECONNRESET EINTR ENOBUFS ENOMEM EPIPE SHORT",
    "sendmsg": "EAGAIN ECONNRESET EINTR ENOBUFS ENOMEM EPIPE",
    "sendto": "EAGAIN ECONNRESET EINTR ENOBUFS ENOMEM EPIPE",
    "setenv": "ENOMEM",
    "setpgid": "EPERM",
    "setrlimit": "EPERM",
    "setsid": "EPERM",
    "setsockopt": "ENOMEM ENOPROTOOPT",
    "signalfd": "EMFILE ENFILE ENODEV ENOMEM",
    "sigtimedwait": "EAGAIN EINTR",
    "socket": "EACCES EMFILE ENFILE ENOBUFS ENOMEM",
    "socketpair": "EMFILE ENFILE",
    "splice": "EAGAIN EINTR EINVAL ENOMEM SHORT",
    "stat": "EACCES ENOENT ENOMEM",
    "symlink": "EACCES ENOSPC EROFS",
    "tcgetattr": "ENOTTY EIO",
    "tcgetpgrp": "ENOTTY EIO",
    "tcsetattr": "EINTR EIO",
    "unlink": "EACCES EIO EROFS",
    "unlinkat": "EACCES EBUSY EIO ENOMEM",
    "usleep": "EINTR",
    "waitid": "EINTR",
    "waitpid": "EINTR",
    "write": "EAGAIN EINTR EIO ENOSPC EPIPE SHORT",
    "writev": "EAGAIN EINTR EIO ENOSPC SHORT",
    "syscall:capget": "EPERM",
    "syscall:capset": "EPERM",
    "syscall:clone3": "EAGAIN ENOMEM ENOSYS EPERM",
    "syscall:close_range": "EMFILE ENOMEM ENOSYS",
    "syscall:kcmp": "EPERM ENOSYS",
    "syscall:pidfd_open": "EMFILE ENFILE ENODEV ENOMEM ENOSYS EPERM",
    "syscall:pidfd_send_signal": "EPERM ESRCH ENOSYS",
    "syscall:rt_sigaction": "EINVAL",
    "syscall:setgroups": "ENOMEM EPERM",
    "syscall:setresgid": "EAGAIN EPERM",
    "syscall:setresuid": "EAGAIN EPERM",
    "syscall:waitid": "",  # with WNOHANG, for children of ours
}

# Whatever else they import, each with the reason why it is not made to fail.
EXCEPTIONS = {
    "computes": "__ctype_* __memcpy_chk __str* str* stp* mem* fnmatch qsort gmtime_r cfmakeraw sprintf sig*set "
                "sigismember __isoc99_sscanf snprintf __*printf_chk __xpg_basename __errno_location "
                "__libc_current_* __stack_chk_fail __libc_start_main",
    "fails of wrong arguments alone": "sigaction sigprocmask sigpending signal clock_gettime umask raise "
                                      "mallopt unsetenv posix_spawnattr_* posix_spawn_file_actions_destroy "
                                      "sysconf nanosleep sigwaitinfo dirfd gethostname isatty",
    "never fails": "getenv get*id getpgrp _exit free sync rewinddir setlocale",
    "its memory is malloc's": "__asprintf_chk strdup strndup __getdelim",
    "only fills what fflush writes, or says what failed": "fputc fputs putc puts fwrite ferror feof",
    "is for limits of control groups, of which no scenario has one (tests/vm/cgroup.bats)": "pread fgetxattr",
    "is for process 1, which the machines of tests/vm have": "mount reboot sethostname",
    "is libcbor's, which allocates nothing here": "cbor_*",
    "is readline's": "rl_* *_history history_* using_history stifle_history",
}


def numbers(function):
    return [(name, getattr(errno, name, 0)) for name in FAULTS[function].split()]


def check_imports(build, library):
    """What is imported, and neither in the library nor excepted: none, or the list is old."""
    def symbols(path, kind):
        text = subprocess.run(["nm", "-D", path], check=True, capture_output=True, text=True).stdout
        return {m[1] for m in re.finditer(rf" {kind} ([^\s@]+)", text)}

    wrapped = symbols(library, "T")
    known = {name for names in EXCEPTIONS.values() for name in names.split()}
    missing = []
    for program in PROGRAMS:
        for name in symbols(f"{build}/{program}", "U"):
            if name not in wrapped and not any(fnmatch.fnmatchcase(name, k) for k in known):
                missing.append(f"{program} imports {name}: neither in faults.c nor an exception")
    missing += [f"{name} has no faults in run.py" for name in sorted(wrapped - {"free", "syscall"})
                if name not in FAULTS]
    return missing


# ---- the page that is shared with faults.c ----

class Page:
    NAME = 40
    WHERE, FUNCTIONS, ENTRY = struct.Struct("40sIiIIIi64sqqIIII"), 128, struct.Struct("40sII")

    def __init__(self, path):
        self.path = path
        size = self.WHERE.size + self.FUNCTIONS * self.ENTRY.size
        with open(path, "w+b") as file:
            file.truncate(size)
            self.map = mmap.mmap(file.fileno(), size)

    def _put(self, at, fmt, *values):
        struct.pack_into(fmt, self.map, at, *values)

    def arm(self, function, nth, num, child):
        self.disarm()
        lasts = isinstance(nth, str)
        self._put(self.WHERE.size - 4, "I", lasts)
        nth = int(nth.rstrip("+")) if lasts else nth
        self._put(self.NAME, "IiIIIi64s", nth, num, int(child), 0, 0, 0, bytes(64))
        self._put(0, "40s", function.encode())

    def disarm(self):
        self._put(0, "40s", b"")

    def state(self):
        names = "name nth num whose seen met fd where blocks bytes functions started pid lasts"
        return dict(zip(names.split(), self.WHERE.unpack_from(self.map)))

    def fault(self):
        state = self.state()
        return state["num"] if state["met"] else None

    def forget_calls(self):
        for i in range(self.state()["functions"]):
            self._put(self.WHERE.size + i * self.ENTRY.size + self.NAME, "II", 0, 0)

    def calls(self):
        """How often each function was called: {(name, whether by the child): count}."""
        counts = collections.Counter()
        for i in range(self.state()["functions"]):
            name, own, child = self.ENTRY.unpack_from(self.map, self.WHERE.size + i * self.ENTRY.size)
            name = name.rstrip(b"\0").decode()
            counts[name, False] += own
            counts[name, True] += child
        return {key: count for key, count in counts.items() if count}


# ---- processes ----

PROGRAMS = ["msb-exec", "msb-execd", "msb-relayd", "msb-exec-console"]


class Wrong(Exception):
    """What must not be."""


def wait_for(condition, what, limit=LIMIT):
    end = time.monotonic() + limit
    pause = 0.0005
    while not (value := condition()):
        if time.monotonic() > end:
            raise Wrong(f"gave up waiting for {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
    return value


def children(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]
    return []


def descriptors(pid):
    """What is open, without the numbers of pipes and sockets."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(re.sub(r"[0-9]+", "", os.readlink(f"/proc/{pid}/fd/{fd}")))
    return sorted(found)


def listens(path):
    with open("/proc/net/unix", encoding="ascii") as file:
        return any(line.endswith(f" {path}\n") and " 00010000 " in line for line in file)


Outcome = collections.namedtuple("Outcome", "status out err")


class Talk:
    """A program at a terminal of its own."""

    def __init__(self, world, words, program):
        self.ours, self.theirs = pty.openpty()
        self.resize(24, 80)
        self.modes = termios.tcgetattr(self.theirs)
        self.shown = b""
        self.at = 0
        self.child = subprocess.Popen(
            words, stdin=self.theirs, stdout=self.theirs, stderr=subprocess.PIPE,
            env=world.environ(program), cwd=world.folder, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stderr.close()
        os.close(self.ours)
        os.close(self.theirs)

    def take(self, wait):
        if select.select([self.ours], [], [], wait)[0]:
            self.shown += os.read(self.ours, 65536)
            return True
        return False

    def expect(self, pattern):
        """Whether it is shown before the program ends, or LIMIT."""
        end = time.monotonic() + LIMIT
        while not (match := re.compile(pattern).search(self.shown, self.at)):
            if not self.take(0.02) and (self.child.poll() is not None or time.monotonic() > end):
                return False
        self.at = match.end()
        return True

    def type(self, keys):
        os.write(self.ours, keys)

    def resize(self, rows, columns):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self):
        end = time.monotonic() + LIMIT
        while self.child.poll() is None:
            if not self.take(0.01) and time.monotonic() > end:
                raise Wrong(f"does not end at a terminal, which shows {self.shown[-300:]!r}")
        while self.take(0):
            pass
        said = self.child.stderr.read()
        if termios.tcgetattr(self.theirs) != self.modes and b"cannot restore the terminal's modes" not in said:
            raise Wrong("the terminal's modes are not those of before, and no line says so")
        return Outcome(self.child.returncode, self.shown, said)


class World:
    """A daemon, with a relay before it or without, of which one or none is the victim."""

    def __init__(self, build, library, victim, scene):
        self.build, self.library, self.victim = build, library, victim
        self.through_relay = scene.through_relay
        self.options = scene.options
        self.lives = scene.lives
        self.usual = scene.usual
        self.folder = tempfile.mkdtemp(prefix="msb-faults.")
        self.page = Page(f"{self.folder}/page")
        self.logs = open(f"{self.folder}/log", "w+b")
        self.daemon = self.relay = self.wire = None
        self.endpoint = f"unix:{self.folder}/s"
        self.start()

    def environ(self, program):
        """Of that program, or None: of one that is not to fail."""
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "TERM": "xterm", "TMPDIR": self.folder,
               "MSB_EXEC_ENDPOINT": self.endpoint, "XDG_RUNTIME_DIR": self.folder}
        if program and program == self.victim:
            env |= {"LD_PRELOAD": self.library, "FAULTS": self.page.path, "FAULTS_PROGRAM": program}
        return env

    def spawn(self, program, *words, victim=True):
        return subprocess.Popen([f"{self.build}/{program}", *words], stdin=subprocess.DEVNULL,
                                stdout=self.logs, stderr=self.logs,
                                env=self.environ(program if victim else None))

    def start(self):
        self.page.disarm()
        if self.through_relay:
            self.wire = subprocess.Popen(
                [sys.executable, "-B", f"{HERE}/../chardev.py", f"{self.folder}/chardev",
                 f"{self.folder}/port"], stdout=self.logs, stderr=self.logs)
            wait_for(lambda: os.path.exists(f"{self.folder}/chardev"), "the serial port")
            self.relay = self.spawn("msb-relayd", "--agent", f"unix:{self.folder}/chardev",
                                    "--listen", self.endpoint)
            self.daemon = self.spawn("msb-execd", "--listen", f"serial:{self.folder}/port",
                                     *self.options)
        else:
            self.daemon = self.spawn("msb-execd", "--listen", self.endpoint, *self.options,
                                     victim=not self.lives)
        self.run(["-q", "--wait-for", str(int(LIMIT)), "--ping"], program=None)
        self.settle()

    def settle(self):
        """What is there when nothing runs: after a few commands of each kind, so that what is kept
        for the next is there."""
        for _ in range(3):
            self.run([*self.usual, "--", "true"], program=None)
        time.sleep(0.05)
        self.idle = {p.pid: descriptors(p.pid) for p in self.servers()}
        self.blocks = None
        self.files = self.list_files()

    def servers(self):
        return [p for p in (self.daemon, self.relay) if p]

    def server(self):
        server = {"msb-execd": self.daemon, "msb-relayd": self.relay}.get(self.victim)
        return None if self.lives else server

    def others(self):
        """Processes of ours that are none of the servers."""
        known = {p.pid for p in (self.daemon, self.relay, self.wire) if p}
        mark = f"TMPDIR={self.folder}".encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
                if mark in file.read().split(b"\0") and int(pid) not in known:
                    found.append(int(pid))
        return found

    def list_files(self):
        return sorted(os.listdir(self.folder))

    def without_folder(self, text):
        return text.decode(errors="replace").strip().replace(self.folder, "...")

    def stop(self):
        self.page.disarm()
        for process in (self.relay, self.daemon, self.wire):
            if process:
                process.terminate()
                try:
                    process.wait(LIMIT)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.relay = self.daemon = self.wire = None

    def close(self):
        try:
            wait_for(lambda: not self.others(), lambda: f"processes to go: {self.others()}")
        finally:
            for pid in self.others():
                os.kill(pid, signal.SIGKILL)
            self.stop()
            self.logs.close()
            shutil.rmtree(self.folder)

    def log_from(self, at):
        self.logs.flush()
        with open(f"{self.folder}/log", "rb") as file:
            file.seek(at)
            return file.read()

    def log_at(self):
        return os.path.getsize(f"{self.folder}/log")

    def run(self, words, data=b"", program="msb-exec", stdin=None, stdout=subprocess.PIPE):
        """msb-exec with these words; program says who of it and what it starts may be the victim."""
        env = self.environ(program)
        child = subprocess.Popen([f"{self.build}/msb-exec", *words], stdin=stdin or subprocess.PIPE,
                                 stdout=stdout, stderr=subprocess.PIPE, env=env, cwd=self.folder)
        try:
            out, err = child.communicate(None if stdin else data, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            raise Wrong(f"msb-exec {' '.join(words)} does not end; it said {err[-300:]!r}") from None
        return Outcome(child.returncode, out, err)

    # ---- what must be so after each ----

    def check(self):
        for process in self.servers():
            if process.poll() is not None:
                raise Wrong(f"{process.args[0]} is gone: {process.returncode}")
        done = self.run(["--", "echo", "next"], program=None)
        if done != (0, b"next\n", b""):
            raise Wrong(f"the next command: {done}")
        for process in self.servers():
            wait_for(lambda p=process: not children(p.pid), "children to go")
            wait_for(lambda p=process: descriptors(p.pid) == self.idle[p.pid],
                     lambda p=process: f"descriptors to go: {list_minus(descriptors(p.pid), self.idle[p.pid])}")
        if self.lives:
            wait_for(lambda: not self.others(), "what it started to go")
        if self.list_files() != self.files:
            raise Wrong(f"files are left: {list_minus(self.list_files(), self.files)}")
        self.check_memory()

    def check_memory(self):
        """Of the server that is the victim, exactly: what it has allocated when idle."""
        if not self.server():
            return
        if self.blocks is None:
            time.sleep(0.05)
            self.blocks = self.page.state()["blocks"]
        wait_for(lambda: self.page.state()["blocks"] <= self.blocks,
                 lambda: f"memory: {self.page.state()['blocks']} blocks and not {self.blocks}")


def list_minus(those, without):
    return sorted((collections.Counter(those) - collections.Counter(without)).elements())


# ---- scenarios: what runs, and what is right ----

class Scenario:
    name = ""
    victims = ("msb-exec", "msb-execd")
    through_relay = False
    options = ()
    usual = ()  # options of each command
    needs_root = False
    sampled = True
    unreal = ()  # faults that cannot be: function and errno
    def lacks(self):
        """Why it cannot be here, or None."""
        return "only root has that" if self.needs_root and os.geteuid() else None

    lives = False  # whether the victim is started anew each time, and then not the server of the world

    def run(self, world):
        """Outcomes, one of each msb-exec."""
        raise NotImplementedError

    right = ()

    def clean_up(self, world):
        """What a run that failed may have left, as it may."""


SCENARIOS = {}


def scenario(cls):
    SCENARIOS[cls.name] = cls()
    return cls


SCRIPT = "cat; echo err >&2; exit 3"


@scenario
class Pipe(Scenario):
    name = "pipe"
    right = (Outcome(3, b"in\n", b"err\n"),)

    def run(self, world):
        return [world.run(["--", "sh", "-c", SCRIPT], b"in\n")]


@scenario
class Relay(Pipe):
    name = "relay"
    victims = ("msb-exec", "msb-execd", "msb-relayd")
    through_relay = True


@scenario
class Large(Scenario):
    """5 MB in and out, as pages."""
    name = "large"
    data = random.Random(1).randbytes(5_000_000)
    right = (Outcome(0, data, b""),)

    def run(self, world):
        return [world.run(["--", "cat"], self.data)]


@scenario
class LargeRelay(Large):
    name = "large-relay"
    # A frame that is cut on a serial port costs all that is behind it, until both have begun anew: longer than
    # the limit here.
    sampled = False
    victims = ("msb-exec", "msb-execd", "msb-relayd")
    through_relay = True


@scenario
class File(Scenario):
    """From a file and into one."""
    name = "file"
    victims = ("msb-exec",)
    data = Large.data[:300_000]
    right = (Outcome(0, data, b""),)

    def run(self, world):
        with open(f"{world.folder}/from", "w+b") as source, open(f"{world.folder}/to", "w+b") as sink:
            source.write(self.data)
            source.seek(0)
            done = world.run(["--", "cat"], stdin=source, stdout=sink)
            sink.seek(0)
            return [done._replace(out=sink.read())]

    def clean_up(self, world):
        for name in "from", "to":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{world.folder}/{name}")


@scenario
class Pty(Scenario):
    name = "pty"
    right = (Outcome(3, b"in\r\ngot in\r\n", b""),)

    def run(self, world):
        return [world.run(["-tt", "--", "sh", "-c", 'read x; echo "got $x"; exit 3'], b"in\n")]


@scenario
class Terminal(Scenario):
    """At a terminal, which gets another size meanwhile, and has its modes of before at the end."""
    name = "terminal"
    right = (Outcome(3, b"ready\r\nin\r\ngot in\r\n", b""),)
    script = 'echo ready; read x; echo "got $x"; exit 3'

    def words(self, world):
        return [f"{world.build}/msb-exec", "-t", "--", "sh", "-c", self.script]

    def talk(self, talk):
        talk.expect(b"ready")
        talk.resize(30, 100)
        talk.type(b"in\r")

    def run(self, world):
        with Talk(world, self.words(world), "msb-exec") as talk:
            self.talk(talk)
            return [talk.end()]


@scenario
class Json(Scenario):
    """As lines of JSON, whose last object is there and has the status."""
    name = "json"
    right = (Outcome(3, b"in\n", b"err\n"),)

    def run(self, world):
        done = world.run(["--json", "--", "sh", "-c", SCRIPT], b"in\n")
        lines = [json.loads(line) for line in done.out.splitlines() if line.endswith(b"}")]
        texts = {kind: "".join(line["text"] for line in lines if line["type"] == kind).encode()
                 for kind in ("stdout", "stderr")}
        if not lines or lines[-1].get("status") != done.status:
            # Only what cannot be written is not there, and a line says so.
            if not re.search(rb"cannot write|standard output", done.err) and world.page.fault() != errno.EPIPE:
                raise Wrong(f"the last object does not say {done.status}: {done.out[-300:]!r} {done.err!r}")
        return [Outcome(done.status, texts["stdout"], texts["stderr"] + done.err)]


@scenario
class Result(Scenario):
    name = "result"
    victims = ("msb-exec",)
    right = (Outcome(3, b"in\n", b"err\n"),)

    def run(self, world):
        done = world.run(["--result", "result", "--", "sh", "-c", SCRIPT], b"in\n")
        try:
            with open(f"{world.folder}/result", "rb") as file:
                said = json.load(file)["status"]
        except FileNotFoundError:
            said = None
        if said != done.status and not OURS.search(done.err):
            raise Wrong(f"the file says {said}, and no line says why: {done}")
        return [done]

    def clean_up(self, world):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{world.folder}/result")


@scenario
class Line(Scenario):
    name = "line"
    right = (Outcome(3, b"hi\n", b"err\n"),)

    def run(self, world):
        return [world.run(["--console", "-c", "echo hi; echo err >&2\nexit 3"])]


@scenario
class Script(Scenario):
    """Of a file, which fails in its second line."""
    name = "script"
    victims = ("msb-exec",)

    unreal = (("write", "EPIPE"),)  # to a pipe of its own
    right = (Outcome(1, b"hi\n", b"script:2: false\n"),)

    def run(self, world):
        with open(f"{world.folder}/script", "w", encoding="ascii") as file:
            file.write("echo hi\nfalse\necho no\n")
        return [world.run(["--console", "-f", "script"])]

    def clean_up(self, world):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{world.folder}/script")


@scenario
class LongScript(Script):
    """More than a pipe holds; each line counts."""
    name = "long-script"
    lines = 4000
    right = (Outcome(0, b"%d\n" % lines, b""),)

    def run(self, world):
        with open(f"{world.folder}/script", "w", encoding="ascii") as file:
            file.write("n=0\n" + f"n=$((n + 1)) # {'.' * 80}\n" * self.lines + "echo $n\n")
        return [world.run(["--console", "-f", "script"])]


@scenario
class Kept(Scenario):
    """Left, looked at, and come back to. Those behind one that failed are not asked for."""
    name = "kept"
    options = ("--keep-ended", "200ms")  # so that memory is as before
    right = (Outcome(0, b"", b""), Outcome(0, b"kept\n", b""), Outcome(3, b"kept\ngot in\n", b""))

    def run(self, world):
        done = [world.run(["-d", "--name", "k", "--", "sh", "-c",
                           'echo kept; read x; echo "got $x"; exit 3'])]
        if done[0].status == 0:
            if not re.fullmatch(rb"[0-9a-f]{12}\n", done[0].out) and world.page.fault() != errno.EPIPE:
                raise Wrong(f"no id: {done[0]}")
            done[0] = done[0]._replace(out=b"")
            wait_for(lambda: world.run(["--logs", "k"], program=None).out == b"kept\n", "its output")
            done.append(world.run(["--logs", "k"]))
        if done[-1].status == 0:
            done.append(world.run(["--attach", "k"], b"in\n"))
        return done

    def clean_up(self, world):
        world.run(["--kill", "k", "--signal", "KILL"], program=None)
        wait_for(lambda: b"no such" in world.run(["--remove", "k"], program=None).err, "it to go")


@scenario
class Sessions(Scenario):
    name = "sessions"
    head = b"ID  NAME  USER  PID  STATE  AGE  CPU  ATTACHED  COMMAND\n"
    right = (Outcome(0, head, b""), Outcome(0, b"", b""))

    def run(self, world):
        done = [world.run(["--sessions"]), world.run(["--ping"])]
        return [done[0], done[1]._replace(out=b"")]


@scenario
class User(Scenario):
    """All that a child may have to do before its exec."""
    name = "user"
    victims = ("msb-execd",)
    options = ("--security-profile", "restricted")
    needs_root = True
    right = (Outcome(3, b"65534 64 /\n", b""),)

    def run(self, world):
        return [world.run(["-u", "65534:65534", "--rlimit", "nofile=64", "-w", "/", "--", "sh", "-c",
                           'echo $(id -u) $(ulimit -n) $PWD; exit 3'])]


def own_group():
    """The folder of the control group that we are in, where groups can be made, or None."""
    with open("/proc/self/mountinfo", encoding="ascii") as mounts, \
            open("/proc/self/cgroup", encoding="ascii") as own:
        points = [line.split()[4] for line in mounts if " - cgroup2 " in line]
        rest = [line[3:].strip("\n/") for line in own if line.startswith("0::")]
    folder = f"{points[0]}/{rest[0]}".rstrip("/") if points and rest else None
    return folder if folder and os.access(f"{folder}/cgroup.procs", os.W_OK) else None


@scenario
class Group(Scenario):
    """In a control group of its own or not at all; and none is left."""
    name = "group"
    victims = ("msb-execd",)
    needs_root = True
    usual = ("--cgroup",)
    words = ("--",)
    script = "sed -n 's/^0:://p' /proc/self/cgroup; exit 3"
    right = (Outcome(3, b"its own\n", b""),)

    def lacks(self):
        return super().lacks() or (None if own_group() else "no control group can be made here")

    def run_in(self, world, daemon, *options, program="msb-exec"):
        self.daemon = daemon
        done = world.run([*options, *self.usual, *self.words, "sh", "-c", self.script], program=program)
        own = rf".*/msb-{daemon}-[0-9]+$".encode()
        return done._replace(out=re.sub(own, b"its own", done.out, flags=re.M))

    def run(self, world):
        return [self.run_in(world, world.daemon.pid)]

    def groups(self):
        return [name for name in os.listdir(own_group()) if name.startswith(f"msb-{self.daemon}-")]

    def clean_up(self, world):
        wait_for(lambda: not self.groups(), lambda: f"groups to go: {self.groups()}")


@scenario
class GroupKilled(Group):
    """What has left its session ends with the group, when its time is over."""
    name = "group-killed"
    words = ("--timeout", "0.1", "-k", "0.1", "--")
    unreal = (("openat", "ENOENT"),)  # of a group that is there
    script = "setsid setsid sleep 1000 & sleep 1000"
    right = (Outcome(124, b"", b""),)


@scenario
class Local(Scenario):
    """A daemon of its own, which ends with it."""
    name = "local"
    lives = True
    right = Pipe.right

    def run(self, world):
        return [world.run(["--local", "--", "sh", "-c", SCRIPT], b"in\n", program=world.victim)]


@scenario
class Start(Scenario):
    """The daemon begins, or says why not; it serves, and ends."""
    name = "start"
    victims = ("msb-execd",)
    lives = True
    right = (Outcome(0, b"there\n", b""),)

    def start(self, world, address):
        return world.spawn("msb-execd", "--listen", address)

    def use(self, world, path):
        return world.run(["-S", f"unix:{path}", "--", "echo", "there"], program=None)

    def run(self, world):
        path = f"{world.folder}/started"
        at = world.log_at()
        server = self.start(world, f"unix:{path}")
        done = None
        try:
            wait_for(lambda: listens(path) or server.poll() is not None, "the daemon")
            if server.poll() is None:
                done = self.use(world, path)
                server.terminate()
            status = server.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Wrong("it does not end") from None
        finally:
            server.kill()
            server.wait()
        said = world.log_from(at)
        if status:
            return [Outcome(status if status < 0 else 125, b"", said)]
        if os.path.exists(path) and b"cannot remove" not in said:
            raise Wrong("its socket is left, and no line says so")
        return [done]

    def clean_up(self, world):
        for name in ("started", "started.lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{world.folder}/{name}")


@scenario
class StartGroup(Group, Start):
    """The first one of a daemon that finds out where it can be."""
    name = "start-group"
    usual = ("--cgroup",)
    lives = True

    def start(self, world, address):
        server = super().start(world, address)
        self.daemon = server.pid
        return server

    def use(self, world, path):
        return self.run_in(world, self.daemon, "-S", f"unix:{path}", program=None)

    def run(self, world):
        return Start.run(self, world)

    def clean_up(self, world):
        Start.clean_up(self, world)
        Group.clean_up(self, world)


@scenario
class StartRelay(Start):
    name = "start-relay"
    victims = ("msb-relayd",)
    right = (Outcome(0, b"", b""),)

    def start(self, world, address):
        self.agent = socket.socket(socket.AF_UNIX)
        self.agent.bind(f"{world.folder}/agent")
        self.agent.listen()
        return world.spawn("msb-relayd", "--agent", f"unix:{world.folder}/agent", "--listen", address)

    def use(self, world, path):
        return self.right[0]

    def clean_up(self, world):
        self.agent.close()
        os.unlink(f"{world.folder}/agent")
        super().clean_up(world)


@scenario
class Prompt(Scenario):
    """A line at the prompt. The console may go on after one that failed; a line says so then."""
    name = "prompt"
    victims = ("msb-exec-console", "msb-execd")
    options = ("--keep-ended", "200ms")
    right = (Outcome(3, b"42", b""),)
    keys = (b"echo $((6 * 7))\r",)
    asks = re.compile(rb"[^\n]*[#$] ")
    lost = False

    def run(self, world):
        words = [f"{world.build}/msb-exec-console", "-e", "HOME"]
        with Talk(world, words, "msb-exec-console") as talk:
            for keys in *self.keys, b"exit 3\r", b"exit 3\r":
                if talk.expect(self.asks):
                    talk.type(keys)
            done = talk.end()
        shown, err = (re.sub(rb"\x1b\[\?2004l|[\r\x07]", b"", text) for text in (talk.shown, done.err))
        # Its commands begin their lines with their own names.
        err = re.sub(rb"^(?=(\\\S+|/bin/sh)[ :])", b"msb-exec-console: ", err, flags=re.M)
        said = b"".join(m[0] for m in OURS.finditer(shown)) + err
        answers = re.findall(rb"^42$", shown, re.M)
        failed = said and b"".join(answers) != self.right[0].out
        self.lost = b"lost the connection" in said
        return [Outcome(125 if failed and done.status >= 0 else done.status, b"".join(answers), said)]

    def clean_up(self, world):
        # The shell is kept, and nobody can tell the guest that it is not wanted.
        if self.lost:
            for line in world.run(["--sessions"], program=None).out.splitlines()[1:]:
                world.run(["--kill", line.split()[0].decode(), "--signal", "KILL"], program=None)
        for name in ".local", ".bash_history":
            shutil.rmtree(f"{world.folder}/{name}", ignore_errors=True)
            with contextlib.suppress(OSError):
                os.unlink(f"{world.folder}/{name}")


@scenario
class PromptCommands(Prompt):
    """What the console does itself, with processes here and there: Tab, another program, a file there and back."""
    name = "prompt-commands"
    victims = ("msb-exec-console",)
    right = (Outcome(3, b"424242", b""),)

    def run(self, world):
        with open(f"{world.folder}/from", "w", encoding="ascii") as file:
            file.write("data\n")
        there = f"{world.folder}/to".encode()
        self.keys = (b"\\! echo $((6 * 7))\r", b"ech\t\x15echo $((6 * 7))\r",
                     b"\\put from %b\r" % there, b"\\get %b back\r" % there, b"echo $((6 * 7))\r")
        return super().run(world)

    def clean_up(self, world):
        super().clean_up(world)
        for name in "from", "to", "back":
            with contextlib.suppress(OSError):
                os.unlink(f"{world.folder}/{name}")


# ---- one case ----

OURS = re.compile(rb"^(msb-exec|msb-execd|msb-relayd|msb-exec-console): .*\n", re.M)


class Case(collections.namedtuple("Case", "scenario program child function fault nth")):
    def __str__(self):
        program = self.program + ("+child" if self.child else "")
        return f"{self.scenario}/{program}/{self.function}/{self.fault}/{self.nth}"


def parse_case(text):
    scene, program, function, fault, nth = text.split("/")
    program, _, child = program.partition("+")
    return Case(scene, program, bool(child), function, fault, nth if nth[-1] in "*+" else int(nth))


def judge(case, right, got, log):
    """The kind of one outcome, or Wrong."""
    said = b"".join(m[0] for m in OURS.finditer(got.err))
    rest = OURS.sub(b"", got.err)
    if got.status < 0:
        raise Wrong(f"died of {signal.Signals(-got.status).name}: {got.err[-300:]!r}")
    if got.status == right.status and re.search(rb"cannot (set|restore) the terminal's modes", said):
        return "unharmed, but for the terminal"
    if got.status == right.status:
        if got.out == right.out and rest == right.err:
            return "unharmed" if not said else "unharmed, with a line"
        if not may_lack(case, right, got, said):
            raise Wrong(f"not all of the output, and its status: {shown(got)}")
        return "failed, and the command's own status"
    if case.function in ("write", "splice") and got.status in (128 + signal.SIGPIPE, 128 + signal.SIGHUP) \
            and (case.fault == "EPIPE" or said):
        return "failed, and the command of it"
    if got.status not in (125, 126, 127):
        raise Wrong(f"a status that is nobody's: {shown(got)}")
    if not said and not writes_lines(case) and case.fault != "EPIPE":
        raise Wrong(f"no line says why: {shown(got)}")
    # What is typed to a terminal it shows, whoever has it.
    if not right.out.startswith(got.out) and got.out != b"in\r\n":
        raise Wrong(f"other output: {shown(got)}")
    if got.status != 125 and not case.function.startswith("exec"):
        raise Wrong(f"blames the command: {shown(got)}")
    text = os.strerror(getattr(errno, case.fault, 0)).encode()
    if text in said or b"o memory" in said and case.fault == "ENOMEM":
        return "failed, and why"
    return "failed, and why, in the log" if text in log else "failed, why in other words"


def may_lack(case, right, got, said):
    """Output and input that failed do not hide how the command failed; a line tells of them, unless it is
    stderr that fails; and of a reader who has left there is nothing to say."""
    if case.fault == "EPIPE" and case.function == "write" and case.program == "msb-execd":
        return True  # a command that reads no more
    if case.fault == "EPIPE" and case.function in ("write", "splice"):
        return right.out.startswith(got.out)
    if case.program != "msb-exec" or not right.out.startswith(got.out) and b"standard input" not in said:
        return False
    return right.status != 0 and (bool(said) or case.function == "write" and got.out == right.out)


def writes_lines(case):
    """The line itself may be what failed."""
    return case.function in ("write", "poll") and case.program == "msb-exec"


def shown(got):
    return f"{got.status} {got.out[-60:]!r} {len(got.out)} {got.err[-400:]!r}"


class Runner:
    def __init__(self, build, library):
        self.build, self.library = build, library
        self.world = None
        self.key = None
        self.kinds = collections.defaultdict(collections.Counter)
        self.wrong = []
        self.words = collections.Counter()

    def world_for(self, scene, program):
        key = (program, scene.through_relay, scene.options, scene.lives, scene.usual)
        if self.key != key:
            self.leave()
            self.world = World(self.build, self.library, program, scene)
            self.key = key
        return self.world

    def leave(self):
        world, self.world, self.key = self.world, None, None
        if world:
            world.close()

    def renew(self):
        for pid in self.world.others():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.world.stop()
        self.world.start()

    def calls(self, scene, program):
        """What is called in a run without faults."""
        world = self.world_for(scene, program)
        for _ in range(3):
            world.page.forget_calls()
            got = scene.run(world)
            scene.clean_up(world)
            if tuple(got) != tuple(scene.right):
                raise SystemExit(f"{scene.name} goes wrong without a fault: {str(got)[:2000]}")
            counts = world.page.calls()
            world.blocks = None
            world.check()
        return counts

    def judge_all(self, case, right, got, log):
        """The kind of the last of them."""
        kind = None
        for one, should in zip(got, right):
            kind = judge(case, should, one, log)
            if kind == "failed, why in other words":
                self.words[f"{case.program} {case.function} {case.fault}: " +
                           self.world.without_folder(one.err)[:200]] += 1
        if len(got) < len(right) and not kind.startswith("failed"):
            raise Wrong(f"only {len(got)} of {len(right)}: {shown(got[-1])}")
        return kind

    def inject(self, case):
        """Whether it was met."""
        scene = SCENARIOS[case.scenario]
        world = self.world_for(scene, case.program)
        log_at = world.log_at()
        world.page.arm(case.function, case.nth, getattr(errno, case.fault, 0), case.child)
        problem, kind = None, None
        try:
            got = scene.run(world)
            met = world.page.state()
            world.page.disarm()
            kind = self.judge_all(case, scene.right, got, world.log_from(log_at))
            scene.clean_up(world)
            world.check()
        except Wrong as wrong:
            met = world.page.state()
            problem = str(wrong)
        if problem:
            self.tell(case, met, problem, world.log_from(log_at))
            with contextlib.suppress(Wrong):
                scene.clean_up(world)
            self.renew()
            # What is kept for a next one of these is there then, and no fault's.
            scene.run(world)
            scene.clean_up(world)
            kind = "wrong"
        if met["met"]:
            self.kinds[case.program + ("+child" if case.child else "")][kind] += 1
        return bool(met["met"])

    def tell(self, case, met, problem, log):
        self.wrong.append(case)
        print(f"not ok {case}\n# by {self.callers(case.program, met['where'])}, first argument {met['fd']}\n"
              f"# {problem}")
        for line in log.decode(errors="replace").splitlines()[-5:]:
            print(f"# log: {line}")
        sys.stdout.flush()

    def callers(self, program, where):
        """Their functions and lines, the innermost first."""
        places = [hex(at - 1) for at in struct.unpack("8Q", where) if at]
        done = subprocess.run(["addr2line", "-fse", f"{self.build}/{program}", *places],
                              capture_output=True, text=True)
        words = re.sub(r" \(discriminator [0-9]+\)", "", done.stdout).splitlines()
        return " < ".join(f"{name} {line}" for name, line in zip(words[::2], words[1::2]))


def combinations(only):
    """Scenarios and victims. Those that only names, if it names any."""
    for scene in SCENARIOS.values():
        for program in scene.victims:
            wanted = [w for w in only if w in SCENARIOS or w in PROGRAMS]
            if not all(w in (scene.name, program) for w in wanted):
                continue
            if scene.lacks():
                print(f"# skipped {scene.name}: {scene.lacks()}")
            else:
                yield scene, program


def cases_of(runner, scene, program):
    """All of these, with how many there are of each."""
    for (function, child), count in sorted(runner.calls(scene, program).items()):
        if function not in FAULTS:
            raise SystemExit(f"{program} calls {function}, and run.py does not know how it fails")
        for fault, _ in numbers(function):
            if (function, fault) in scene.unreal:
                continue
            yield Case(scene.name, program, child, function, fault, "*"), count


def run_all(runner, case, most):
    """N = 1, 2, ... until one is not met."""
    nth = 1
    while nth <= most and runner.inject(case._replace(nth=nth)):
        nth += 1


def run_case(runner, text, most):
    case = parse_case(text)
    if case.nth == "*":
        run_all(runner, case, most)
    else:
        runner.inject(case)


def run_sample(runner, only, seconds, seed):
    """Some of each combination, in the seed's order, as long as there is time."""
    rng = random.Random(seed)
    order = [both for both in combinations(only) if both[0].sampled]
    rng.shuffle(order)
    end = time.monotonic() + seconds
    for scene, program in order:
        slice_end = min(end, time.monotonic() + max(0.5, seconds / len(order)))
        if time.monotonic() >= end:
            return
        cases = list(cases_of(runner, scene, program))
        while time.monotonic() < slice_end:
            case, count = rng.choice(cases)
            runner.inject(case._replace(nth=rng.randint(1, count)))


def report(runner, seconds):
    total = 0
    for program, kinds in sorted(runner.kinds.items()):
        total += sum(kinds.values())
        print(f"# {program}: {sum(kinds.values())} injected: " +
              ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    for words, count in runner.words.most_common():
        print(f"# {count} x {words}")
    if not runner.wrong:
        print(f"ok faults: {total} calls failed in {seconds:.0f} s, and each time it was clear what became of it")


def found_cases():
    with open(f"{HERE}/found", encoding="ascii") as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--most", type=int, default=1 << 30)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    library = f"{build}/faults.so"
    missing = check_imports(build, library)
    for line in missing:
        print(f"not ok faults: {line}")
    seed = random.randrange(1 << 30) if args.seed is None else args.seed
    runner = Runner(build, library)
    begin = time.monotonic()
    try:
        for text in args.cases or ([] if args.only else found_cases()):
            run_case(runner, text, args.most)
        if args.seconds:
            print(f"# SEED={seed} FAULTS_SECONDS={args.seconds:.0f}")
            run_sample(runner, args.only, args.seconds, seed)
        elif not args.cases:
            for scene, program in combinations(args.only):
                for case, _ in list(cases_of(runner, scene, program)):
                    if all(word in f"{case}".replace("+child", "/child").split("/") for word in args.only):
                        run_all(runner, case, args.most)
        runner.leave()
    finally:
        report(runner, time.monotonic() - begin)
        with contextlib.suppress(Wrong):
            runner.leave()
    sys.exit(1 if missing or runner.wrong else 0)


main()
