#!/usr/bin/env python3
"""run.py BUILD [--seconds N] [--seed N] [--only WORDS] [CASE...]: fails one call of the libc at a time in one
of our programs, by the preloaded faults.c, and looks at what becomes of it.

A case is scenario/program/function/fault/N: the Nth call of that function in that program, while the
scenario runs, fails with that errno, or takes one byte (SHORT). program+child is what runs between clone and
exec. N may be * for all. Without cases: those of the file `found`, and then all there are, in their order, or
with --seconds a sample that the seed picks. --only takes cases that hold each of these words.

After each: an end within 5 s, the command's own status with all of its output, or a status of ours with a
line that says why; the daemon serves the next command, and has the descriptors, the children and the
allocations of before; no file is left."""

import argparse
import collections
import contextlib
import errno
import fnmatch
import mmap
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
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
    "fcntl": "EMFILE EPERM ENOMEM",
    "fdopen": "ENOMEM",
    "fflush": "EIO ENOSPC EPIPE",
    "fgetgrent": "EIO ENOMEM",
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
    "open": "EACCES EINTR EMFILE ENFILE ENOENT ENOMEM",
    "__open_2": "EACCES EINTR EMFILE ENFILE ENOENT ENOMEM",
    "openat": "EACCES EINTR EMFILE ENFILE ENOENT ENOMEM",
    "opendir": "EACCES EMFILE ENFILE ENOMEM",
    "open_memstream": "ENOMEM",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR ENOMEM",
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
    "usleep": "EINTR",
    "waitid": "ECHILD EINTR",
    "waitpid": "ECHILD EINTR",
    "write": "EAGAIN EINTR EIO ENOSPC EPIPE SHORT",
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
    "syscall:waitid": "ECHILD EINTR",
}

# Whatever else they import, each with the reason why it is not made to fail.
EXCEPTIONS = {
    "computes": "__ctype_* __memcpy_chk __str* str* stp* mem* fnmatch qsort gmtime_r cfmakeraw sig*set "
                "sigismember __isoc99_sscanf snprintf __*printf_chk __xpg_basename __errno_location "
                "__libc_current_* __stack_chk_fail __libc_start_main",
    "fails of wrong arguments alone": "sigaction sigprocmask sigpending signal clock_gettime umask raise "
                                      "mallopt unsetenv posix_spawnattr_* posix_spawn_file_actions_destroy "
                                      "sysconf nanosleep sigwaitinfo dirfd gethostname isatty",
    "never fails": "getenv get*id getpgrp _exit free sync rewinddir setlocale",
    "its memory is malloc's": "__asprintf_chk strdup strndup __getdelim",
    "only fills what fflush writes": "fputc fputs putc puts fwrite ferror",
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
    WHERE, FUNCTIONS, ENTRY = struct.Struct("32sIiIIIiQqqII"), 128, struct.Struct("32sII")

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
        self._put(32, "IiIIIiQ", nth, num, int(child), 0, 0, 0, 0)
        self._put(0, "32s", function.encode())

    def disarm(self):
        self._put(0, "32s", b"")

    def state(self):
        names = "name nth num whose seen met fd where blocks bytes functions started"
        return dict(zip(names.split(), self.WHERE.unpack_from(self.map)))

    def forget_calls(self):
        for i in range(self.state()["functions"]):
            self._put(self.WHERE.size + i * self.ENTRY.size + 32, "II", 0, 0)

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


Outcome = collections.namedtuple("Outcome", "status out err")


class World:
    """A daemon, with a relay before it or without, of which one or none is the victim."""

    def __init__(self, build, library, victim, through_relay, options=()):
        self.build, self.library, self.victim = build, library, victim
        self.through_relay = through_relay
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="msb-faults.")
        self.page = Page(f"{self.folder}/page")
        self.logs = open(f"{self.folder}/log", "w+b")
        self.daemon = self.relay = self.wire = None
        self.endpoint = f"unix:{self.folder}/s"
        self.start()

    def environ(self, program):
        env = {"PATH": os.environ["PATH"], "HOME": self.folder, "TERM": "xterm", "TMPDIR": self.folder,
               "MSB_EXEC_ENDPOINT": self.endpoint, "XDG_RUNTIME_DIR": self.folder}
        if program == self.victim:
            env |= {"LD_PRELOAD": self.library, "FAULTS": self.page.path, "FAULTS_PROGRAM": program}
        return env

    def spawn(self, program, *words):
        return subprocess.Popen([f"{self.build}/{program}", *words], stdin=subprocess.DEVNULL,
                                stdout=self.logs, stderr=self.logs, env=self.environ(program))

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
            self.daemon = self.spawn("msb-execd", "--listen", self.endpoint, *self.options)
        self.run(["-q", "--wait-for", str(int(LIMIT)), "--ping"], program=None)
        self.settle()

    def settle(self):
        """What is there when nothing runs: after a few commands of each kind, so that what is kept
        for the next is there."""
        for _ in range(3):
            self.run(["--", "true"], program=None)
        time.sleep(0.05)
        self.idle = {p.pid: descriptors(p.pid) for p in self.servers()}
        self.blocks = None
        self.files = self.list_files()

    def servers(self):
        return [p for p in (self.daemon, self.relay) if p]

    def server(self):
        return {"msb-execd": self.daemon, "msb-relayd": self.relay}.get(self.victim)

    def list_files(self):
        return sorted(os.listdir(self.folder))

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

    def run(self, words, data=b"", program="msb-exec", limit=LIMIT):
        """msb-exec with these words, as the victim if it is and program says so."""
        env = self.environ(program)
        child = subprocess.Popen([f"{self.build}/msb-exec", *words], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                                 cwd=self.folder)
        try:
            out, err = child.communicate(data, timeout=limit)
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

    def run(self, world):
        """Outcomes, one of each msb-exec."""
        raise NotImplementedError

    def right(self):
        raise NotImplementedError


SCENARIOS = {}


def scenario(cls):
    SCENARIOS[cls.name] = cls()
    return cls


@scenario
class Pipe(Scenario):
    name = "pipe"

    def run(self, world):
        return [world.run(["--", "sh", "-c", "cat; echo err >&2; exit 3"], b"in\n")]

    def right(self):
        return [Outcome(3, b"in\n", b"err\n")]


# ---- one case ----

OURS = re.compile(rb"^(msb-exec|msb-execd|msb-relayd|msb-exec-console): .*\n", re.M)


class Case(collections.namedtuple("Case", "scenario program child function fault nth")):
    def __str__(self):
        program = self.program + ("+child" if self.child else "")
        return f"{self.scenario}/{program}/{self.function}/{self.fault}/{self.nth}"


def parse_case(text):
    scene, program, function, fault, nth = text.split("/")
    program, _, child = program.partition("+")
    return Case(scene, program, bool(child), function, fault, nth if nth == "*" else int(nth))


def judge(case, right, got, log):
    """The kind of one outcome, or Wrong."""
    said = b"".join(m[0] for m in OURS.finditer(got.err))
    rest = OURS.sub(b"", got.err)
    if got.status < 0:
        raise Wrong(f"died of {signal.Signals(-got.status).name}: {got.err[-300:]!r}")
    if got.status == right.status:
        if got.out == right.out and rest == right.err:
            return "unharmed" if not said else "unharmed, with a line"
        if not may_lack(case, right, got, said):
            raise Wrong(f"not all of the output, and its status: {shown(got)}")
        return "failed, and the command's own status"
    if got.status not in (125, 126, 127):
        raise Wrong(f"a status that is nobody's: {shown(got)}")
    if not said and not writes_lines(case):
        raise Wrong(f"no line says why: {shown(got)}")
    if not right.out.startswith(got.out):
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
    if case.program != "msb-exec" or not right.out.startswith(got.out):
        return False
    if case.fault == "EPIPE" and case.function in ("write", "splice"):
        return True
    return right.status != 0 and (bool(said) or case.function == "write" and got.out == right.out)


def writes_lines(case):
    """The line itself may be what failed."""
    return case.function in ("write", "poll") and case.program == "msb-exec"


def shown(got):
    return f"{got.status} {got.out[-200:]!r} {len(got.out)} {got.err[-400:]!r}"


class Runner:
    def __init__(self, build, library):
        self.build, self.library = build, library
        self.world = None
        self.key = None
        self.kinds = collections.defaultdict(collections.Counter)
        self.wrong = []
        self.words = collections.Counter()

    def world_for(self, scene, program):
        key = (program, scene.through_relay, scene.options)
        if self.key != key:
            self.leave()
            self.world = World(self.build, self.library, program, scene.through_relay, scene.options)
            self.key = key
        return self.world

    def leave(self):
        if self.world:
            self.world.close()
        self.world = self.key = None

    def renew(self):
        if self.world:
            self.world.stop()
            self.world.start()

    def calls(self, scene, program):
        """What is called in a run without faults."""
        world = self.world_for(scene, program)
        for _ in range(2):
            world.page.forget_calls()
            self.clean(scene, world)
        return world.page.calls()

    def clean(self, scene, world):
        got = scene.run(world)
        if got != scene.right():
            raise SystemExit(f"{scene.name} goes wrong without a fault: {got}")
        world.check()

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
            log = world.log_from(log_at)
            for right, one in zip(scene.right(), got):
                kind = judge(case, right, one, log)
                if kind == "failed, why in other words":
                    self.words[f"{case.program} {case.function} {case.fault}: " +
                               one.err.decode(errors="replace").strip()[:200]] += 1
            world.check()
        except Wrong as wrong:
            met = world.page.state()
            problem = str(wrong)
        if problem:
            self.tell(case, met, problem, world.log_from(log_at))
            self.renew()
            kind = "wrong"
        if met["met"]:
            self.kinds[case.program + ("+child" if case.child else "")][kind] += 1
        return bool(met["met"])

    def tell(self, case, met, problem, log):
        where = self.line_of(case.program, met["where"])
        self.wrong.append(case)
        print(f"not ok {case}\n# at {where}, first argument {met['fd']}\n# {problem}")
        for line in log.decode(errors="replace").splitlines()[-5:]:
            print(f"# log: {line}")
        sys.stdout.flush()

    def line_of(self, program, where):
        """Of the caller in the program; of one elsewhere only that."""
        done = subprocess.run(["addr2line", "-fse", f"{self.build}/{program}", hex(max(where - 1, 0))],
                              capture_output=True, text=True)
        return " ".join(done.stdout.split()) or hex(where)


def all_cases(runner, names, only):
    for name in names:
        scene = SCENARIOS[name]
        for program in scene.victims:
            if only and not any(w in PROGRAMS for w in only) or not only or program in only:
                for (function, child), count in sorted(runner.calls(scene, program).items()):
                    if function == "syscall:other":
                        raise SystemExit(f"{program} makes a system call that faults.c does not name")
                    for fault, _ in numbers(function):
                        yield Case(name, program, child, function, fault, "*"), count


def run_all(runner, case, limit):
    """N = 1, 2, ... until one is not met."""
    nth = 1
    while nth <= limit and runner.inject(case._replace(nth=nth)):
        nth += 1


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
    runner = Runner(build, library)
    begin = time.monotonic()
    try:
        for text in args.cases:
            case = parse_case(text)
            if case.nth == "*":
                run_all(runner, case, args.most)
            else:
                runner.inject(case)
        if not args.cases:
            for case, count in all_cases(runner, SCENARIOS, args.only):
                if all(word in f"{case}".split("/") for word in args.only):
                    run_all(runner, case, args.most)
    finally:
        runner.leave()
    total = 0
    for program, kinds in runner.kinds.items():
        total += sum(kinds.values())
        print(f"# {program}: {sum(kinds.values())} injected: " +
              ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    for words, count in runner.words.most_common(60):
        print(f"# {count} x {words}")
    print(f"# {total} in {time.monotonic() - begin:.0f} s")
    sys.exit(1 if missing or runner.wrong else 0)


main()
