"""What soak.py and deaths.py share: their folder and their mark, msb-exec as they start it, and the
servers: msb-execd, and in front of it, too, msb-relayd behind the serial port of no machine.
Both scripts are called SCRIPT HOW_MUCH BUILD [SEED]."""

import contextlib
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

SLOW = float(os.environ.get("SLOW", "1"))
LIMIT = 30 * SLOW  # seconds that anything may take beside all the others
KEEP_ENDED_MS = 10000  # what nobody fetches is forgotten before the end is looked at

BUILD = os.path.abspath(sys.argv[2])
SEED = sys.argv[3] if len(sys.argv) > 3 else str(time.time_ns())
CLIENT = BUILD + "/msb-exec"
FOLDER = tempfile.mkdtemp(prefix="msb-soak.")
DISK = FOLDER + "/disk"  # a small one, if we may mount
DIRECT, RELAYED = f"unix:{FOLDER}/s", f"unix:{FOLDER}/r"
CGROUP = f"/sys/fs/cgroup/pids/{os.path.basename(FOLDER)}"

# In the environment of all that is started here, and of what that starts.
MARK = f"{os.getpid()}.{time.time_ns()}"
os.environ["SOAK_RUN"] = MARK
os.environ.pop("MSB_EXEC_ENDPOINT", None)


class Failure(Exception):
    pass


def claim(condition, what):
    if not condition:
        raise Failure(what)


def wait_for(condition, what, limit=LIMIT):
    end = time.monotonic() + limit
    while not (value := condition()):
        claim(time.monotonic() < end, f"gave up waiting for: {what}")
        time.sleep(0.02)
    return value


def said_of(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def alive(pid):
    return said_of(pid, "stat").rpartition(b")")[2][1:2] not in b"ZX"


def doing(pid):
    """For whoever reads of a failure: what a process waits for."""
    return " ".join(f"{name}={said_of(pid, name).split(None, 2)[:2]}" for name in ("wchan", "syscall"))


def marked():
    """The processes that carry our mark."""
    mark = f"SOAK_RUN={MARK}".encode()
    return {int(pid) for pid in filter(str.isdigit, os.listdir("/proc"))
            if mark in said_of(pid, "environ").split(b"\0") and alive(pid)} - {os.getpid()}


# ---- clocks: see clock.c ----

class Clock:
    def __init__(self, name):
        self.path = f"{FOLDER}/clock.{name}"
        self.realtime = self.monotonic = 0
        self.file = open(self.path, "wb", buffering=0)
        self.step()

    def step(self, realtime=0, monotonic=0):
        """The time of day is so much off, from now on, and so much more has gone by."""
        self.realtime, self.monotonic = realtime, self.monotonic + monotonic
        os.pwrite(self.file.fileno(), struct.pack("=qq", self.realtime, self.monotonic), 0)

    def environ(self):
        preload = BUILD + "/soak/clock.so"
        # A sanitizer wants to be the first of all that is loaded, for the sake of what this is not.
        asan = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        return {**os.environ, "LD_PRELOAD": preload, "SOAK_CLOCK": self.path, "ASAN_OPTIONS": asan}


CLOCKS = {"clients": Clock("clients"), "servers": Clock("servers")}


# ---- msb-exec ----

here = threading.local()  # .way: where the clients of this thread connect
children = set()  # msb-exec that was started and, as far as is known, runs
children_lock = threading.Lock()


class Child(subprocess.Popen):
    """One msb-exec. struck: somebody killed it for no reason."""
    struck = False

    def __init__(self, *words, **how):
        self.begun = time.monotonic()
        super().__init__(*words, **how)

    def rest(self, data=None):
        """What it writes until it ends, which it does in time."""
        try:
            return self.communicate(data, timeout=LIMIT)
        except subprocess.TimeoutExpired as late:
            what = f"{self.args[1:]}: hangs: {doing(self.pid)}, wrote {str(late.stdout)[-200:]}"
            self.kill()
            raise Failure(f"{what}, said {self.communicate()[1][-500:]!r}") from None

    def end(self):
        """Its status, once it has ended of itself."""
        try:
            return self.wait(LIMIT)
        except subprocess.TimeoutExpired:
            what = f"{self.args[1:]}: hangs: {doing(self.pid)}"
            self.kill()
            raise Failure(what) from None


def start(*words, program="msb-exec", wrap=(), **how):
    for stream, usual in (("stdin", subprocess.DEVNULL), ("stdout", subprocess.PIPE),
                          ("stderr", subprocess.PIPE)):
        how.setdefault(stream, usual)
    env = {**CLOCKS["clients"].environ(), "MSB_EXEC_ENDPOINT": here.way}
    child = Child([*wrap, f"{BUILD}/{program}", *words], env=env, **how)
    with children_lock:
        children.difference_update([one for one in children if one.returncode is not None])
        children.add(child)
    return child


def run(*words, status=0, **how):
    """msb-exec with these words: what it wrote, if it ended as it should."""
    data = how.pop("input", None)
    child = start(*words, **(how if data is None else {**how, "stdin": subprocess.PIPE}))
    out, said = child.rest(data)
    claim(child.returncode == status,
          f"{words}: ended with {child.returncode}, not {status}: {said[-500:]!r}")
    return out


# ---- the servers ----

class Server:
    def __init__(self, name, *words, cgroup=False):
        self.name, self.words, self.cgroup = name, words, cgroup
        self.process, self.fresh = None, None

    def start(self):
        with open(FOLDER + "/log", "ab") as log:
            self.process = subprocess.Popen(self.words, env=CLOCKS["servers"].environ(),
                                            stdin=subprocess.DEVNULL, stderr=log)
        if self.cgroup and os.path.isdir(CGROUP):
            with open(CGROUP + "/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write(str(self.process.pid))

    @property
    def pid(self):
        return self.process.pid

    def limit_fds(self, count):
        """To so many, or, with None, to as many as there may be. Where from it was."""
        soft, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (hard if count is None else count, hard))
        return soft

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def children(self):
        return [int(pid) for pid in said_of(self.pid, f"task/{self.pid}/children").split()]

    def state(self):
        """Descriptors, children, KiB of memory."""
        status = said_of(self.pid, "status").partition(b"VmRSS:")[2]
        return self.fds(), len(self.children()), int(status.split()[0])


CHARDEV = Server("the serial port", sys.executable, "-B", TESTS + "/chardev.py", FOLDER + "/chardev",
                 FOLDER + "/port")
DAEMON = Server("the daemon", BUILD + "/msb-execd", "--listen", DIRECT, "--listen",
                f"serial:{FOLDER}/port", "--keep-ended", f"{KEEP_ENDED_MS}ms", cgroup=True)
RELAY = Server("the relay", BUILD + "/msb-relayd", "--agent", f"unix:{FOLDER}/chardev", "--listen",
               RELAYED)
SERVERS = (CHARDEV, DAEMON, RELAY)


def answers():
    """Both ways lead to the daemon."""
    for here.way in DIRECT, RELAYED:
        child = start("-q", "--connect-timeout", f"{2 * SLOW}s", "--ping")
        child.rest()
        if child.returncode:
            return False
    return True


def rested(server):
    """Its descriptors are as many for a while: whoever asked is gone for it, too."""
    return len({server.fds(), time.sleep(0.3 * SLOW), server.fds()}) == 2


def cgroup_make():
    """Where a limit of processes can be set, if we may."""
    with contextlib.suppress(OSError):
        if os.path.isdir(os.path.dirname(CGROUP)):
            os.mkdir(CGROUP)


def cgroup_remove():
    with contextlib.suppress(OSError):
        os.rmdir(CGROUP)
    return not os.path.isdir(CGROUP)


def servers_start():
    cgroup_make()
    for server in SERVERS:
        server.start()
    wait_for(answers, "a daemon and a relay that answer")
    for server in SERVERS:
        wait_for(lambda server=server: rested(server), f"the rest of {server.name}")
        server.fresh = server.state()


def servers_end():
    """How each ended that was told to, and what all of them had said."""
    statuses = {}
    for server in RELAY, DAEMON, CHARDEV:
        if server.process:
            server.process.send_signal(signal.SIGCONT)
            server.process.terminate()
            try:
                statuses[server.name] = server.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                server.process.kill()
                statuses[server.name] = f"nothing in {LIMIT} s, {doing(server.pid)}"
    for pid in marked():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with open(FOLDER + "/log", encoding="utf-8", errors="replace") as file:
        said = file.read()
    with contextlib.suppress(Failure):
        wait_for(cgroup_remove, "an empty cgroup")
    if os.path.ismount(DISK):
        subprocess.run(["umount", DISK], check=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    return statuses, said


# ---- what is said ----

def report(good, what, details=()):
    print(f"{'ok' if good else 'not ok'} - soak: {what}", flush=True)
    if not good:
        for line in list(details)[:5]:
            print(f"# {line}")
    return good


def rng_of(*words):
    """The same choices for the same words."""
    return random.Random(".".join(map(str, (SEED, *words))))


def only(variable, functions):
    """Those that a variable names, if it does and there are any."""
    named = os.environ.get(variable, "").split()
    return [one for one in functions if one.__name__ in named] or functions
