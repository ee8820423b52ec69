#!/usr/bin/env python3
"""hostile_agent.py PROGRAM FOLDER WORD...: msb-exec against an agent that means harm. Each case of which a
WORD is in the name is one msb-exec, and what is said to it. All are held to the same: it ends in time, its
memory stays below a bound, and what it writes, but for output of the command's, has no character in it that
could drive a terminal, turn text around or be there unseen."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import unicodedata

from agent import KEEPS, LIMIT, SLOW, Client, equal
from wire import Raw, encode, frame, head, listen, wrap

PROGRAM = FOLDER = ""
MEMORY_KIB = 48 * 1024
ID = "0123456789ab"
EVIL = "A\x1b]0;t\x07\r\nB\x7f\u009b2J\u202eC\u200bD"
SHOWN = r"A\x1b]0;t\x07\r\nB\x7f\u009b2J\u202eC\u200bD"
ALL = (*KEEPS, "usage", "timeout", "linger", "merge_output", "user_shell")

CASES = {}


def case(*args, **how):
    """The function below says what the agent does with the client that these words start."""
    def add(act):
        CASES[act.__name__] = Case(act, args, **how)
        return act
    return add


class Case:
    def __init__(self, act, args, status=125, says=(), count=1, memory=MEMORY_KIB, terminal=False,
                 out=b"", env=None, stdin=None, check=None, slow_reader=False, console=False):
        self.act, self.args, self.status, self.count = act, args, status, count
        self.says = [says] if isinstance(says, str) else says
        self.memory, self.terminal, self.out, self.env = memory, terminal, out, env or {}
        self.stdin, self.check, self.slow_reader = stdin, check, slow_reader
        self.name, self.console = act.__name__, console


def is_clean(text):
    return all(c == "\n" or (unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp")) for c in text)


class Run:
    """One msb-exec with its agent."""

    def __init__(self, case):
        self.case = case
        self.folder = f"{FOLDER}/{case.name}"
        os.mkdir(self.folder)
        self.socket = self.folder + "/s"
        self.listener = listen(self.socket)
        self.listener.settimeout(LIMIT)
        self.peak = 0
        self.shown = bytearray()
        self.master = None

    def path(self, name):
        return f"{self.folder}/{name}"

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def start(self):
        case = self.case
        words = [a.replace("@", self.folder) if isinstance(a, str) else a for a in case.args]
        env = {**os.environ, "MSB_EXEC_ENDPOINT": "unix:" + self.socket, **case.env}
        if case.terminal:
            self.master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 400, 0, 0))
            streams = {"stdin": slave, "stdout": slave, "stderr": slave}
        else:
            out = os.open(self.path("out"), os.O_WRONLY | os.O_CREAT, 0o600)
            if case.slow_reader:
                self.reader, out = os.pipe()
            streams = {"stdin": case.stdin() if case.stdin else subprocess.DEVNULL, "stdout": out,
                       "stderr": os.open(self.path("err"), os.O_WRONLY | os.O_CREAT, 0o600)}
        self.process = subprocess.Popen([PROGRAM + "-console" * case.console, *words], env=env, start_new_session=True, **streams)
        for fd in {fd for fd in streams.values() if fd >= 0}:
            os.close(fd)

    def show(self, until):
        """Takes what the terminal shows until that holds."""
        end = time.monotonic() + LIMIT
        while not until():
            assert time.monotonic() < end, f"shown: {bytes(self.shown)!r}"
            if select.select([self.master], [], [], 0.02)[0]:
                try:
                    self.shown += os.read(self.master, 65536)
                except OSError:
                    break

    def key(self, text):
        os.write(self.master, text)

    def measure(self):
        """Its memory's high-water mark; of a sanitizer's nothing can be said."""
        with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/maps", encoding="ascii") as file:
            if "libasan" in file.read():
                return
        with contextlib.suppress(OSError, StopIteration), \
                open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            self.peak = max(self.peak, next(int(line.split()[1]) for line in file if line.startswith("VmHWM")))

    def serve(self):
        for turn in range(self.case.count):
            while not select.select([self.listener], [], [], 0.05)[0]:
                if self.process.poll() is not None:
                    return
            client = Client(self.listener.accept()[0])
            client.turn, client.run = turn, self
            self.case.act(client)
            if not client.open:
                continue
            self.measure()
            # It may end in the midst of a frame.
            with contextlib.suppress(ConnectionResetError):
                while client.sock.recv(65536):
                    self.measure()
            client.close()

    def wait(self):
        end = time.monotonic() + LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            if self.master is not None:
                self.show(lambda: self.process.poll() is not None)
            time.sleep(0.002)
        while self.master is not None and select.select([self.master], [], [], 0)[0]:
            try:
                self.shown += os.read(self.master, 65536)
            except OSError:
                break
        return self.process.returncode

    def judge(self):
        case = self.case
        status = self.wait()
        if self.master is None:
            err = self.read("err").decode()
            out = self.read("out") if not case.slow_reader else b""
        else:
            out, err = b"", self.shown.replace(b"\r\n", b"\n").decode()
        for name in "log", "result":
            if os.path.exists(self.path(name)):
                err += self.read(name).decode()
        # Of a line editor's are backspaces and bells.
        assert is_clean(re.sub("[\r\b\a]", "", err) if case.console else err), f"said: {err!r}"
        assert max(map(len, err.split("\n"))) <= 2100, "a line as long as somebody liked"
        for words in case.says:
            assert words in err, f"{words!r} is not in {err!r}"
        equal(status, case.status)
        if case.out is not None:
            equal(out, case.out)
        if case.check:
            case.check(self, out, err)
        assert self.peak <= case.memory, f"it grew to {self.peak} KiB"

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master is not None:
            os.close(self.master)
        self.listener.close()


# ---- what it says is shown ----

LONG = EVIL + "x" * 1000000


@case("-v", "--", "true", says=[SHOWN, "the command could"], status=127)
def text_of_a_failure(client):
    client.serve()
    client.tell("core.exec.stdin.error", {"errno": 5, "errno_name": EVIL, "message": LONG})
    client.tell("core.exec.failed", {"kind": "not_found", "errno": 2, "errno_name": EVIL, "stage": EVIL,
                                     "message": "the command could not " + LONG})


@case("-v", "--", "true", says=[SHOWN])
def text_of_a_failure_of_no_kind(client):
    client.serve()
    client.tell("core.exec.failed", {"kind": EVIL, "message": LONG})


@case("--", "true", says=["the agent refused the session: " + SHOWN])
def text_of_a_refusal(client):
    client.serve()
    client.tell("core.error", {"kind": EVIL, "message": LONG, "offending_type": EVIL})


@case("-v", "--", "true", says=["refuses the connection: " + SHOWN])
def text_of_no_room(client):
    client.send((1).to_bytes(4, "big") + (1000).to_bytes(4, "big"))
    client.send(frame("core.error", 0, {"kind": "busy", "message": LONG}))


@case("-v", "--", "true", status=0, says=r"connected to unix:")
def text_of_a_version(client):
    client.serve(agent_version=LONG)
    client.exit()


@case("--ping", status=0, out=None, check=lambda run, out, err: equal(
    (is_clean(out.decode()), SHOWN.encode() in out), (True, True)))
def text_of_a_version_that_is_asked_for(client):
    client.greet(agent_version=EVIL)
    client.id = client.next().id
    client.tell("core.pong")


@case("--", "true", says=[r'it said "red \x9b31m\x1b]0;t\x07 \xc2'])
def text_that_is_no_greeting(client):
    client.send(b"red \x9b31m\x1b]0;t\x07 \xc2\nmore")


@case("--log-file", "@/log", "-v", "--", "true", says=["the agent refused the session: " + SHOWN])
def text_in_a_file(client):
    client.serve(agent_version=LONG)
    client.tell("core.error", {"kind": EVIL, "message": LONG})


def whole(run, out, err):
    for text in out.splitlines()[-1], run.read("result"):
        equal(is_clean(text.decode()), True)
        said = json.loads(text)
        assert EVIL in said["message"], said


@case("--json", "--result", "@/result", "--", "true", out=None, check=whole)
def text_in_json(client):
    client.serve(agent_version=LONG)
    client.tell("core.error", {"kind": EVIL, "message": EVIL})


@case("--rsh", "unix:@/s", "git-upload-pack 'x'", status=255, says=SHOWN)
def text_behind_rsh(client):
    client.serve(exec_features=["user_shell"])
    client.tell("core.exec.failed", {"kind": "other", "message": LONG})


@case("-t", "--", "cat", terminal=True, status=125, says=r"it cannot be left: " + SHOWN)
def text_of_why_it_cannot_be_left(client):
    client.keep(session=ID)
    client.tell("core.exec.stdout", {"data": b"ready"})
    client.run.show(lambda: b"ready" in client.run.shown)
    client.run.key(b"\x1d\x1d\x1d")
    while client.next().type != "core.session.detach":
        pass
    client.tell("core.session.refused", {"message": EVIL})
    client.run.show(lambda: b"C\\u200bD" in client.run.shown)
    client.tell("core.error", {"kind": "busy", "message": "done"})


@case("-d", "--", "true", says="does not say which session it is", status=125)
def text_of_an_id_that_is_none(client):
    client.keep(session="\x1b[31m;id&")
    client.let_go(session="\x1b[31m;id&", name="$(id)")


@case("-d", "--name", "mine", "--", "true", status=0, out=ID.encode() + b"\n")
def text_of_a_name_that_is_none(client):
    client.keep(session=ID)
    client.let_go(session=ID, name="x; rm -rf ~ \x1b[2J")


@case("--attach", "mine", status=125, says="session mine was attached elsewhere")
def text_of_a_name_to_come_back_by(client):
    client.attach(session="x;id\x1b[1m", name="x; rm -rf ~ \x1b[2J")
    client.let_go("taken", session="`id`", name="$(id)")


@case("--usage", "--", "true", status=255, says="200")
def text_of_numbers(client):
    client.start(exec_features=["usage"])
    most = 0xffffffffffffffff
    client.exit(-2147483648, signal=200, core_dumped=True, timed_out=False,
                usage={"user_us": most, "sys_us": most, "wall_us": most, "max_rss_kib": most})


def table(run, out, err):
    equal(is_clean(out.decode()), True)
    assert max(map(len, out.decode().splitlines())) < 1500, "a column as wide as somebody liked"


@case("--sessions", status=0, out=None, check=table)
def text_in_a_table(client):
    client.greet(exec_features=KEEPS)
    client.expect("core.session.list")
    long = EVIL + "x" * 100000
    client.tell("core.session.entry", {"session": long, "name": long, "user": long, "command": [EVIL, "$(id)"],
                                       "exited": {"code": -2147483648, "signal": 255}})
    client.tell("core.session.entry", {"session": EVIL, "name": EVIL, "user": EVIL, "command": [EVIL]})
    client.tell("core.session.done")


# ---- its frames do not make it grow ----

def flood(client, unit, megabytes):
    block = unit * (1 + (1 << 20) // len(unit))
    for _ in range(megabytes):
        client.send(block)


@case("--", "true", status=3)
def frames_of_all_kinds(client):
    client.start(exec_features=KEEPS)
    id = client.id
    unit = (frame("core.nonsense", id, {"x": 1}) + frame("core.pong", id) + frame("core.exec.stdout", 77, {"data": b"x"}) +
            frame("core.exec.stdin.credit", id, {"consumed": 1 << 63}) + frame("core.ready", 0, {"boot_time_ns": 1}) +
            frame("core.exec.started", id, {"pid": 1}) + frame("core.session.entry", id, {"session": ID}) +
            frame("core.session.done", 99) + frame("core.exec.exited", 99, {"code": 1}) + frame("core.fs.data", id, {}))
    flood(client, unit, 12)
    client.exit(3)


@case("--", "true", status=0)
def frames_with_a_million_features(client):
    names = encode("no-such-feature")
    client.serve(exec_features=Raw(head(4, 200000) + names * 200000))
    client.exit()


@case("--", "true", says="make no sense")
def frames_longer_than_any(client):
    client.start()
    client.send(b"\xff\xff\xff\xff" + bytes(64))


@case("--", "true", says="make no sense")
def frames_shorter_than_any(client):
    client.start()
    client.send(bytes(64))


@case("--", "true", status=0)
def frames_that_are_deep_and_wide(client):
    client.start()
    deep = b"\xa1\x61\x78" * 100000 + b"\xf6"
    for payload in (deep, head(5, 1 << 62), head(4, 1 << 40) + b"\x01", b"\x7b" + b"\xff" * 8, b"\xbf" * 5000,
                    b"\xc1" * 100000 + b"\x00"):
        for type in "core.exec.stdout", "core.session.attached", "core.exec.stdin.credit":
            client.send(wrap(client.id, 0, encode({"v": 7, "t": type, "p": payload}))
                        if type != "core.exec.stdout" else b"")
    client.exit()


def drained(run, out, err):
    equal(run.taken, 40 << 20)


@case("--", "true", status=0, slow_reader=True, check=drained)
def frames_of_output_over_what_was_let(client):
    """It was let send 2 MiB, and sends 40 before anybody reads."""
    client.start(exec_features=["output_window"])
    data = frame("core.exec.stdout", client.id, {"data": bytes(4096)}) * 256
    client.sock.setblocking(False)
    pending = memoryview(data * 40 + frame("core.exec.exited", client.id, {"code": 0}))
    quiet = time.monotonic()
    while time.monotonic() - quiet < 0.3 * SLOW:
        with contextlib.suppress(BlockingIOError):
            pending = pending[client.sock.send(pending):]
            quiet = time.monotonic()
    client.run.measure()
    client.run.taken = 0
    while True:
        ready = select.select([client.run.reader], [client.sock] if pending else [], [], LIMIT)
        assert ready[0] or ready[1], "it stands still"
        if ready[1]:
            pending = pending[client.sock.send(pending):]
        if ready[0]:
            n = len(os.read(client.run.reader, 1 << 18))
            client.run.taken += n
            client.run.measure()
            if not n:
                break
    os.close(client.run.reader)
    client.close()


def zeroes():
    return os.open("/dev/zero", os.O_RDONLY)


@case("--on-disconnect", "keep", "--reconnect", "60s", "--", "cat", stdin=zeroes, status=0)
def frames_of_a_window_without_end(client):
    """What is held, should the connection be lost, is what the window lets be in flight."""
    client.serve(exec_features=KEEPS)
    client.tell("core.exec.started", {"pid": 5, "session": ID, "stdin_window": (1 << 64) - 1})
    taken, end = 0, time.monotonic() + 0.5 * SLOW
    while time.monotonic() < end and taken < 100 << 20:
        with contextlib.suppress(TimeoutError):
            taken += len(client.next(0.2).wire)
            end = time.monotonic() + 0.2 * SLOW
    client.tell("core.exec.stdin.credit", {"consumed": (1 << 64) - 1})
    client.tell("core.exec.stdin.credit", {"consumed": 5})
    client.exit()


@case("--sessions", says="too long", memory=220 * 1024)
def frames_of_sessions_without_end(client):
    client.greet(exec_features=KEEPS)
    client.expect("core.session.list")
    flood(client, frame("core.session.entry", client.id, {"session": ID, "user": "root"}), 30)


# ---- it cannot lie about what happened ----

@case("--", "true", status=4, out=b"before")
def order_of_what_cannot_be(client):
    client.serve(exec_features=KEEPS)
    client.tell("core.exec.stdin.credit", {"consumed": 1 << 60})
    client.tell("core.session.skipped", {"stream": "stdout", "bytes": (1 << 64) - 1})
    client.tell("core.session.refused", {"message": "no"})
    client.tell("core.exec.started", {"pid": 5})
    client.tell("core.exec.stdout", {"data": b"before"})
    client.tell("core.exec.started", {"pid": 0xffffffff, "session": ID, "stdin_window": 1})
    client.exit(4)
    client.tell("core.exec.stdout", {"data": b"behind"})
    client.exit(5)
    client.tell("core.exec.failed", {"kind": "not_found", "message": "no"})


@case("--", "true", terminal=True, status=0, says="output")
def order_of_a_session_that_nobody_came_to(client):
    """A terminal is neither taken nor painted for one."""
    client.serve(exec_features=KEEPS)
    before = termios.tcgetattr(client.run.master)
    client.tell("core.session.attached", {"session": ID, "tty": True, "pid": 1, "stdout_at": 1 << 40,
                                          "restore": b"\x1b[?1049h\x1b]0;t\x07"})
    client.tell("core.exec.stdout", {"data": b"output"})
    client.run.show(lambda: b"output" in client.run.shown)
    equal(termios.tcgetattr(client.run.master), before)
    client.exit()


@case("--attach", ID, "--watch", status=0, says="18446744073709551615 bytes of the session's output are gone",
      out=b"a")
def order_of_output_that_is_gone(client):
    client.attach(stdout_at=(1 << 64) - 1, stderr_at=(1 << 64) - 1)
    for stream in "stdout", "stderr", EVIL:
        client.tell("core.session.skipped", {"stream": stream, "bytes": (1 << 64) - 1})
    client.tell("core.session.attached", {"session": ID, "stdout_at": 3})
    client.tell("core.exec.stdout", {"data": b"a"})
    client.exit()


@case("--on-disconnect", "keep", "--reconnect", "60s", "--", "cat", count=3, status=0, out=b"abb",
      says="bytes of the session's output are gone")
def order_of_offsets(client):
    if client.turn == 0:
        client.keep()
    else:
        asked = client.attach(stdout_at=[0, (1 << 64) - 1][client.turn - 1], stdin_at=(1 << 64) - 1)
        equal((asked.stdout_since, asked.stdin_window), ([1, 1][client.turn - 1], True))
    client.tell("core.exec.stdout", {"data": b"abb"[client.turn:client.turn + 1]})
    if client.turn < 2:
        client.until_quiet(1 << 20)
        client.close()
    else:
        client.exit()


def once(run, out, err):
    equal(err.count("lost the connection"), 2)


@case("--on-disconnect", "keep", "--reconnect", "2s", "--", "cat", count=1000, status=125, says="comes back", check=once)
def order_of_one_that_takes_us_back_and_goes(client):
    """Again and again: that is one loss, and has the end that one has."""
    if client.turn == 0:
        client.keep()
        client.until_quiet(1 << 20)
    else:
        client.attach()
    client.close()


WAY = [b"\0\0\0\1\0\0\3\xe8", frame("core.ready", 0, {"boot_time_ns": 1, "init_time_ns": 2, "ready_time_ns": 3}),
       frame("core.exec.started", 1, {"pid": 5}), frame("core.exec.stdout", 1, {"data": b"out"})]


@case("--wait-for", "20s", "--", "true", status=125, count=11, out=None, says="connection")
def order_of_an_agent_that_goes(client):
    """At the beginning of its greeting, in the midst, behind it and so on; tried again until it has greeted."""
    text = b"".join(WAY)
    client.send(text[:[0, 1, 4, 7, 8, 9, 12, 17, 40, len(WAY[0]) + len(WAY[1]) - 1, len(text) - 1][client.turn]])
    client.close()
    client.run.measure()


# ---- the console ----

DUMB = {"TERM": "dumb", "LC_ALL": "C.UTF-8", "MSB_EXEC_HISTFILE": "", "HOME": "/nonexistent"}


class Shell:
    """What the console takes for its shell in the guest, which it has marks from."""

    def __init__(self, client, kind="bash", **more):
        self.client = client
        script = client.serve(exec_features=ALL, **more).payload["args"][1]
        self.nonce = re.search("msb_n='\x1e([0-9a-f]{32})", script)[1]
        client.tell("core.exec.started", {"pid": 5, "stdin_window": 65536, "session": ID})
        self.mark("h", EVIL, EVIL, kind, "/home", "0")
        self.seen = 0

    def mark(self, kind, *fields):
        self.print(f"\x1e{self.nonce}{kind}" + "\x1f".join(fields) + f"\x1e{self.nonce}.")

    def print(self, text):
        self.client.tell("core.exec.stdout", {"data": text.encode()})

    def see(self, text):
        """Waits for it behind what was seen before."""
        run = self.client.run
        run.show(lambda: text.encode() in run.shown[self.seen:])
        self.seen = run.shown.index(text.encode(), self.seen) + len(text)

    def type(self, keys):
        os.write(self.client.run.master, keys.encode())

    def answer(self, *names):
        """To Tab."""
        while True:
            asked = self.client.next()
            if asked.type == "core.exec.request":
                break
        self.client.send(frame("core.exec.started", asked.id, {"pid": 6}) +
                         frame("core.exec.stdout", asked.id, {"data": "".join(n + "\0" for n in names).encode()}) +
                         frame("core.exec.exited", asked.id, {"code": 0}))

    def line(self):
        """What is typed, up to the end of a line."""
        data = b""
        while not data.endswith(b"\n"):
            got = self.client.next()
            if got.type == "core.exec.stdin":
                data += got.data
        return data.decode()


@case("-S", "unix:@/s", terminal=True, console=True, env=DUMB, status=7)
def console_prompt(client):
    """Its user, its host, its folder and what it says of a failure are shown as they are."""
    shell = Shell(client)
    shell.mark("p", "9" * 30, "/" + EVIL, "/bin" * 200000)
    shell.see(f"{SHOWN}@{SHOWN}:/{SHOWN}")
    shell.see("# ")
    client.exit(7)


@case("-S", "unix:@/s", terminal=True, console=True, env=DUMB, status=7)
def console_tab(client):
    """What a guest offers goes on with the word, and is a word; none is a command that runs on the host."""
    shell = Shell(client)
    shell.mark("p", "0", "/x", "/bin")
    shell.see("/x# ")
    shell.type("\t")
    shell.answer("!")
    shell.type("echo $HO\t")
    shell.answer("$HOME\n\\! id", "$HOME;id", "$x`id`", "id")
    shell.type("ME a\t")
    shell.answer("a" + EVIL, "rm -rf ~", "\n\\!id\n")
    shell.type("\n")
    equal(shell.line(), "echo $HOME $'aA\\033]0;t\\007\\015\\012B\\177\\302\\2332J\\342\\200\\256C\\342\\200\\213D' \n")
    shell.mark("p", "0", "/x", "/bin")
    shell.see("/x# ")
    shell.type("ls b\t\t")
    for _ in range(2):
        shell.answer("b1", "b2" + EVIL)
    shell.see("b2A\\033]0;t")
    shell.type("\x15\n")
    client.exit(7)


@case("-S", "unix:@/s", terminal=True, console=True, env=DUMB, status=125, says="the guest's shell ended before")
def console_start(client):
    client.serve(exec_features=ALL, agent_version=EVIL)
    client.tell("core.exec.started", {"pid": 5, "session": EVIL})
    client.tell("core.exec.stdout", {"data": b"more\n" + EVIL.replace("\r\n", "").encode() + b"\r\n"})
    client.exit()


# ---- the whole ----

def run_case(case):
    run = Run(case)
    run.start()
    try:
        run.serve()
        run.judge()
    except BaseException as error:
        run.measure()
        words = ""
        with contextlib.suppress(OSError):
            words = run.read("err").decode(errors="backslashreplace")[-600:]
        return f"{case.name}: {type(error).__name__}: {str(error)[:1500]} [{run.peak} KiB] {words!r}"
    finally:
        run.close()
    print(f"{case.name}: {run.peak} KiB")
    return None


def main():
    global PROGRAM, FOLDER
    PROGRAM, FOLDER, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    chosen = [case for name, case in CASES.items() if not words or any(word in name for word in words)]
    # Not everybody builds the console.
    if not os.path.exists(PROGRAM + "-console"):
        chosen = [case for case in chosen if not case.console]
        print("no console")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        failed = [failure for failure in pool.map(run_case, chosen) if failure]
    for failure in failed:
        print(failure, file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
