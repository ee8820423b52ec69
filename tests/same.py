#!/usr/bin/env python3
"""Types the same lines into a shell on a terminal of its own and into `msb-exec --console` in front of the
same shell, and says where the two differ: in what a line printed, or in its status.

same.py [OPTION...] SHELL CASES...

SHELL is 'bash', 'dash', 'busybox sh' or 'zsh', CASES are files or a folder of them. A file holds cases; each
gets a shell (and a console) of its own, in an empty folder that is its HOME. A line begins with what it is:

  = NAME [SHELL...] [+FLAG...]  begins a case, of these shells, or of all. The flags:
                                +terminal: how the terminal is set is seen; +long: a line is longer than what
                                a terminal takes; +latin: bytes that are no UTF-8, on a host without UTF-8;
                                +unnoticed: whether a job's end is told is the shell's own chance
  $ TEXT                        is typed, and Enter, when the shell is at a prompt; as it stands
  % TEXT                        the same, but \\xNN in it is a byte, be it a key
  & PYTHON                      the same, a line or a list of them that Python makes
  / TEXT                        as $, but the shell shows no prompt after it; its @ say what to wait for, and
                                the rest of what it prints is not compared
  ^ KEYS                        are typed at the prompt without Enter; \\xNN, \\r and \\n are bytes
  @ TEXT => KEYS                belongs to the line before: when it has printed TEXT, which is after what
                                it printed for the @ before this one, KEYS are typed; bytes as above
  # ...                         a comment

With names of shells before its first character (bash,zsh$ TEXT) a line is for these alone. Whatever a line
prints must not end like a prompt. No time stands for a state: a line has run when the next prompt is there.
"""

import argparse
import asyncio
import fcntl
import glob
import os
import pty
import pwd
import re
import shutil
import signal
import struct
import sys
import tempfile
import termios

SLOW = float(os.environ.get("SLOW", "1"))
LIMIT = 20 * SLOW
ROWS, COLUMNS = 24, 200
# The shells' own prompts, with a word that no case prints.
NONCE = "7f3a91c"
FLAGS = {"terminal", "long", "latin", "unnoticed"}
SHELLS = ("bash", "dash", "busybox", "zsh")
ARGUMENTS = {
    "bash": ["--norc", "--noediting", "-i"],
    "dash": ["-i"],
    "busybox": ["-i"],
    # What zsh puts before a prompt if the output had no newline at its end is for people.
    "zsh": ["-f", "-o", "histignorespace", "-i", "+Z", "-o", "NO_PROMPT_SP", "-o", "NO_PROMPT_CR"],
}
CONTROL = bytes(range(32))
STUCK = "no prompt"
# Which the module has not.
IUTF8 = 0o40000
# Numbers of processes differ.
JOB = re.compile(rb"(?m)^(\[\d+\] (?: [-+] )?)\d+( \d+)*\b")
NOTICE = re.compile(rb"(?m)^(\[\d+\] *[-+ ] *)?(Done|Exit|Killed|Terminated).*\n")


# ---- cases ----

class Step:
    def __init__(self, where, keys, shown, silent=False):
        self.where = where
        self.silent = silent
        self.keys = keys
        self.shown = shown
        self.reactions = []


class Case:
    def __init__(self, name, flags):
        self.name = name
        self.flags = flags
        self.steps = []

    def weight(self):
        """About how long it takes: what runs and waits for keys does so for several prompts' time."""
        return sum(1 + 50 * len(step.reactions) for step in self.steps)

    def signals(self):
        """Whether keys are typed that send a signal."""
        keys = b"".join(step.keys + b"".join(keys for _, keys in step.reactions) for step in self.steps)
        return bool(re.search(rb"[\x03\x1a\x1c]", keys))


def unescape(text):
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode())


def unescape_keys(text):
    return unescape(text.replace("\\r", "\\x0d").replace("\\n", "\\x0a"))


def made(expression):
    lines = eval(expression, {})  # pylint: disable=eval-used # our own files
    return [lines] if isinstance(lines, (str, bytes)) else lines


def parse_line(kind, text, where, case):
    if kind == "@":
        match = re.match(r"(.+?) =>(?: (.*))?$", text)
        if not match or not case.steps:
            sys.exit(f"{where}: wants a line before it, and: @ TEXT => KEYS")
        case.steps[-1].reactions.append((unescape_keys(match[1]), unescape_keys(match[2] or "")))
        return
    if kind == "^":
        case.steps.append(Step(where, unescape_keys(text), text))
        return
    for line in made(text) if kind == "&" else [unescape(text) if kind == "%" else text]:
        line = line.encode() if isinstance(line, str) else line
        if kind in "$/" and re.search(rb"[\0-\x1f\x7f]", line):
            sys.exit(f"{where}: a key that a line editor would act on")
        case.steps.append(Step(where, line + b"\r", text if kind != "&" else repr(line[:60]), kind == "/"))


def parse_file(path, shell):
    """The cases of a file that are for this shell."""
    cases, case = [], None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            where, line = f"{os.path.basename(path)}:{number}", line.rstrip("\n")
            match = re.match(r"([a-z,]*)([$%&/^@])(?: (.*))?$", line)
            if line.startswith("= "):
                words = line[2:].split()
                name = " ".join(w for w in words if w not in SHELLS and w[0] != "+")
                shells = [w for w in words if w in SHELLS]
                case = Case(name, {w[1:] for w in words if w[0] == "+"})
                if case.flags - FLAGS:
                    sys.exit(f"{where}: unknown flags: {case.flags - FLAGS}")
                if not shells or shell in shells:
                    cases.append(case)
            elif match and case:
                if not match[1] or shell in match[1].split(","):
                    parse_line(match[2], match[3] or "", where, case)
            elif line and not line.startswith("#"):
                sys.exit(f"{where}: what is this? {line}")
    return [case for case in cases if case.steps]


# ---- a program on a terminal ----

class Terminal:
    """A program that has a terminal and a session of its own, and all that it has printed."""

    def __init__(self, argv, env, folder, off=0):
        """With these local modes of the terminal off."""
        self.said = bytearray()
        self.closed = False
        self.status = None
        self.news = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self.become(argv, env, folder, off)
        self.sid = self.pid
        self.pidfd = os.pidfd_open(self.pid)
        self.loop.add_reader(self.pidfd, self.exited)
        os.set_inheritable(self.fd, False)
        os.set_blocking(self.fd, False)
        self.loop.add_reader(self.fd, self.read)

    @staticmethod
    def become(argv, env, folder, off):
        try:
            os.closerange(3, 256)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            modes = termios.tcgetattr(0)
            modes[0] |= IUTF8
            modes[3] &= ~off
            termios.tcsetattr(0, termios.TCSANOW, modes)
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)
        except OSError as error:
            print(f"{argv[0]}: {error.strerror}")
        os._exit(127)

    def read(self):
        """Whether there was something."""
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return False
        except OSError:  # nobody has the terminal any more
            data = b""
            self.loop.remove_reader(self.fd)
        self.said += data
        self.news.set()
        return data != b""

    def exited(self):
        """What it has started may live on with the terminal. All that the program itself has printed is there
        to be read."""
        self.loop.remove_reader(self.pidfd)
        os.close(self.pidfd)
        while self.fd >= 0 and self.read():
            pass
        if self.fd >= 0:
            self.loop.remove_reader(self.fd)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.closed = True
        self.news.set()

    async def type(self, keys):
        """A terminal takes only so much before its program reads."""
        while keys and not self.closed:
            try:
                keys = keys[os.write(self.fd, keys[:2048]):]
            except BlockingIOError:
                room = self.loop.create_future()
                self.loop.add_writer(self.fd, lambda room=room: room.done() or room.set_result(None))
                try:
                    await asyncio.wait_for(room, LIMIT)
                finally:
                    self.loop.remove_writer(self.fd)
            except OSError:
                return

    async def until(self, condition):
        """Until it holds or the program has ended; raises a TimeoutError."""
        async def wait():
            while not (value := condition()) and not self.closed:
                self.news.clear()
                await self.news.wait()
            return value
        return await asyncio.wait_for(wait(), LIMIT)

    def session(self):
        """What still runs of its session: (pid, name and state)"""
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, "rb") as file:
                    name, _, rest = file.read().decode(errors="replace").rpartition(")")
            except OSError:
                continue
            fields = rest.split()
            if int(fields[3]) == self.sid and fields[0] != "Z":
                yield int(path.split("/")[2]), f"{name.partition('(')[2]} ({fields[0]})"

    def hang_up(self):
        self.loop.remove_reader(self.fd)
        os.close(self.fd)
        self.fd = -1

    async def kill(self):
        """All of the session, and the terminal."""
        for pid, _ in self.session():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        await self.until(lambda: False)
        if self.fd >= 0:
            self.hang_up()


# ---- two sides ----

class Local:
    """The shell itself."""
    # No prompt comes in the midst of some commands, nor when stderr is elsewhere.
    asks_always = False
    PROMPT = re.compile(rb"<%b:(\d+)>(?:\x1b\[6n)?\Z" % NONCE.encode())
    MORE = re.compile(rb"<%b\+>(?:\x1b\[6n)?\Z" % NONCE.encode())

    def __init__(self, words, flags, home):
        shell = words[0]
        self.quiet = "long" in flags or (shell == "busybox" and "terminal" not in flags)
        # A terminal takes 4095 bytes of a line and no more, unless it gives them away as they come.
        off = termios.ICANON | termios.ECHO if "long" in flags else 0
        # Without an echo busybox leaves the line to the terminal; its own editing knows no bytes.
        if self.quiet:
            off |= termios.ECHO
        status = "%?" if shell == "zsh" else "$?"
        env = {**environment(home), "PS1": f"<{NONCE}:{status}>", "PS2": f"<{NONCE}+>"}
        # The console types a line to zsh that gives it its prompts.
        self.before = b" :\r" if shell == "zsh" else b""
        self.terminal = Terminal(words + ARGUMENTS[shell], env, home, off)

    def prompt(self, tail):
        """(where it begins, what it says), if the output ends with one."""
        if match := self.PROMPT.search(tail):
            return match.start(), f"$? is {int(match[1])}"
        if match := self.MORE.search(tail):
            return match.start(), "goes on"
        return None

    async def end(self):
        """What is wrong with how it ends, or None."""
        await self.terminal.kill()


class Console:
    """The console in front of the shell, which is elsewhere."""
    asks_always = True
    USER = f"{pwd.getpwuid(os.getuid()).pw_name}@{os.uname().nodename}".encode()
    PROMPT = re.compile(rb"%b:[^\r\n]*?(?: \[(\d+)\])?[$#] \Z" % re.escape(USER))
    MORE = re.compile(rb"(?:\A|(?<=[\r\n]))> \Z")
    quiet = False
    before = b""

    def __init__(self, options, flags, home):
        inputrc = home + ".inputrc"
        with open(inputrc, "w", encoding="ascii") as file:
            file.write("set enable-bracketed-paste off\nset bell-style none\n"
                "set convert-meta off\nset input-meta on\nset output-meta on\n")
        # The daemon has a shell above it.
        argv = options + ["-w", home, "-e", "SHLVL=0"]
        for name, value in environment(home).items():
            argv += ["-e", f"{name}={value}"]
        env = {**environment(home), "INPUTRC": inputrc, "MSB_EXEC_HISTFILE": "", "HOME": home + ".host"}
        env.update({key: os.environ[key] for key in os.environ if key.endswith("SAN_OPTIONS")})
        if "latin" in flags:
            env["LANG"] = "C"
        self.terminal = Terminal(argv, env, home)

    def prompt(self, tail):
        if match := self.PROMPT.search(tail):
            return match.start(), f"$? is {int(match[1] or 0)}"
        if match := self.MORE.search(tail):
            return match.start(), "goes on"
        return None

    async def end(self):
        """It hears that its terminal is gone."""
        if not self.terminal.closed:
            self.terminal.hang_up()
        try:
            await self.terminal.until(lambda: False)
        except asyncio.TimeoutError:
            return "does not end when its terminal is gone"
        finally:
            await self.terminal.kill()
        return None


def environment(home):
    return {"HOME": home, "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8"}


# ---- a case on one side ----

class Talk:
    """Types steps on one side and hears what they come to."""

    def __init__(self, side, flags):
        self.side = side
        self.flags = flags
        self.terminal = side.terminal
        self.at = 0

    def prompt(self):
        said = self.terminal.said
        start = max(self.at, len(said) - 4096)
        found = self.side.prompt(bytes(said[start:]))
        return found and (start + found[0], found[1])

    async def begin(self):
        await self.terminal.until(self.prompt)
        self.at = len(self.terminal.said)
        if self.side.before:
            await self.terminal.type(self.side.before)
            await self.terminal.until(self.prompt)
            self.at = len(self.terminal.said)

    def echo_end(self, step):
        """Where the echo of the line ends; -1 if there is none yet."""
        if self.side.quiet or not step.keys.endswith(b"\r"):
            return self.at
        return self.terminal.said.find(b"\n", self.at) + 1 or -1

    async def react(self, step):
        """Types what is to be typed while the line runs; False if it did not print what was expected."""
        begin = self.echo_end(step)
        for text, keys in step.reactions:
            def seen():
                return self.terminal.said.find(text, begin) + len(text) + 1 \
                    if text in self.terminal.said[begin:] else 0
            if not await self.terminal.until(lambda: seen() or self.prompt()) or not seen():
                return False
            begin = seen() - 1
            await self.terminal.type(keys)
        return True

    def printed(self, step, end):
        """What the line printed, as it is compared."""
        said, begin = self.terminal.said, max(self.echo_end(step), self.at)
        output = bytes(said[begin:end])
        # What came between the prompt and the echo is no echo. Where keys show as they are, it is seen.
        echo, line = bytes(said[self.at:begin]).rstrip(b"\r\n").removeprefix(b"\x1b[6n"), step.keys[:-1]
        if begin > self.at and re.fullmatch(rb"[ -~]{0,80}", line) and echo != line:
            output = b"[" + echo + b"]" + output
        output = JOB.sub(rb"\1PID", output.replace(b"\r\n", b"\n"))
        # Whoever puts a prompt in a line of its own adds a newline where there was none.
        output += b"\n" * (not output.endswith(b"\n") and output != b"")
        return NOTICE.sub(b"", output) if "unnoticed" in self.flags else output

    async def run(self, step):
        """Types a step and waits for what follows: (where its output ends, what follows)"""
        text = step.keys.rstrip(CONTROL)
        if not step.keys.endswith(b"\r") and not self.side.quiet:
            # A key that interrupts would sweep away the echo of those before.
            await self.terminal.type(text)
            await self.terminal.until(lambda: text in self.terminal.said[self.at:])
            await self.terminal.type(step.keys[len(text):])
        else:
            await self.terminal.type(step.keys)
        await self.terminal.until(lambda: self.echo_end(step) >= 0)
        reacted = await self.react(step)
        begin = max(self.echo_end(step), self.at)
        if not step.silent or self.side.asks_always:
            # The prompt that is there is not the one that follows.
            found = await self.terminal.until(lambda: len(self.terminal.said) > begin and self.prompt())
            if not found:
                return len(self.terminal.said), f"ends with {self.terminal.status}"
            if not step.silent:
                return found
        return begin, "prints what is expected" if reacted else "does not print what is expected"

    async def take(self, step):
        """(what it printed, what followed)"""
        try:
            end, what = await self.run(step)
        except asyncio.TimeoutError:
            there = ", ".join(what for _, what in self.terminal.session())
            end, what = len(self.terminal.said), f"{STUCK}; there are: {there}"
        output = self.printed(step, end)
        self.at = len(self.terminal.said)
        return output, what


async def record(side, case):
    """What each step came to, up to the one that ended the shell."""
    records, talk = [], Talk(side, case.flags)
    try:
        await talk.begin()
        for step in case.steps:
            records.append(await talk.take(step))
            if side.terminal.closed or records[-1][1].startswith(STUCK):
                break
    except asyncio.TimeoutError:
        records.append((bytes(side.terminal.said), STUCK + " at the beginning"))
    finally:
        wrong = await side.end()
    return records + ([(b"", wrong)] if wrong else [])


# ---- the comparison ----

class Comparison:
    def __init__(self, args):
        self.args = args
        self.words = args.shell.split()
        self.lines = self.cases = self.differences = self.stuck = 0
        self.folder = tempfile.mkdtemp(prefix="same.", dir=os.environ.get("BATS_TEST_TMPDIR"))

    def sides(self, case, home):
        yield lambda: Local(self.words, case.flags, home)
        if self.args.self:
            yield lambda: Local(self.words, case.flags, home)
            return
        options = [self.args.program, "--console", "-q"]
        if not self.args.no_shell:
            options += ["--shell", "zsh -f" if self.args.shell == "zsh" else self.args.shell]
        if self.args.endpoint:
            options += ["-S", self.args.endpoint]
        yield lambda: Console(options, case.flags, home)

    async def compare(self, number, case):
        home = os.path.join(self.folder, f"{number:03}")
        # Shells now and then lose a signal, or what they have read before it, beside load: with keys that
        # send one, what differs is tried again, twice.
        for _ in range(3 if case.signals() else 1):
            records = []
            for side in self.sides(case, home):
                # The same name for both, and nothing of the other in it.
                shutil.rmtree(home, ignore_errors=True)
                os.mkdir(home)
                records.append(await record(side(), case))
            shutil.rmtree(home, ignore_errors=True)
            if records[0] == records[1]:
                break
        self.report(case, *records)

    def report(self, case, local, other):
        self.cases += 1
        self.lines += len(local)
        where = ""
        for step, (output, what) in zip(case.steps if self.args.show else [], local):
            if step.where != where:
                where = step.where
                print(f"{where}: {step.shown}  -->  {shown(output)}, {what}")
        self.stuck += any(what.startswith(STUCK) for _, what in local + other)
        for i in range(max(len(local), len(other))):
            here, there = (side[i] if i < len(side) else (b"", "is not reached") for side in (local, other))
            if here != there or here[1].startswith(STUCK):
                self.differences += 1
                step = case.steps[min(i, len(case.steps) - 1)]
                print(f"{step.where}: {case.name}: {step.shown}")
                print(f"    the shell:   {shown(here[0])}, {here[1]}")
                print(f"    the console: {shown(there[0])}, {there[1]}")
        if local[-1][1] == "goes on":
            self.differences += 1
            print(f"{case.steps[-1].where}: {case.name}: ends in the midst of a command")
        if len(local) < len(case.steps):
            self.differences += 1
            print(f"{case.steps[len(local)].where}: {case.name}: is not reached by the shell itself")
        sys.stdout.flush()

    async def run(self, cases):
        # What takes longest begins first, or it would be waited for alone: only the time depends on this.
        waiting = sorted(enumerate(cases), key=lambda item: item[1].weight(), reverse=True)
        for number in signal.SIGINT, signal.SIGTERM:
            asyncio.get_running_loop().add_signal_handler(number, asyncio.current_task().cancel)

        async def work():
            while waiting and self.stuck < self.args.patience:
                await self.compare(*waiting.pop(0))

        await asyncio.gather(*(work() for _ in range(self.args.jobs)))
        if waiting:
            print(f"given up: {len(waiting)} cases are left (see --patience)")


def shown(output):
    if len(output) <= 1000:
        return repr(output)
    return f"{output[:400]!r} ... {len(output)} bytes ... {output[-400:]!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--program", default="build/msb-exec", help="the msb-exec that is tried")
    parser.add_argument("-S", dest="endpoint", help="the agent's address (or $MSB_EXEC_ENDPOINT)")
    parser.add_argument("--self", action="store_true", help="the shell against itself, without a console")
    parser.add_argument("--no-shell", action="store_true", help="the console is not told which shell")
    parser.add_argument("--only", default="", help="cases with this in their names")
    parser.add_argument("--count", action="store_true", help="only say how many lines there are")
    parser.add_argument("--show", action="store_true", help="what each line came to in the shell itself")
    parser.add_argument("--patience", type=int, default=4, help="so many cases may come to no prompt")
    parser.add_argument("-j", dest="jobs", type=int, default=2 * len(os.sched_getaffinity(0)))
    parser.add_argument("shell")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    args.endpoint = args.endpoint or os.environ.get("MSB_EXEC_ENDPOINT")
    shell = args.shell.split()[0]
    files = [f for path in args.files
        for f in (sorted(glob.glob(path + "/*.case")) if os.path.isdir(path) else [path])]
    cases = [case for path in files for case in parse_file(path, shell) if args.only in case.name]
    count = sum(len(case.steps) for case in cases)
    if args.count:
        print(f"{args.shell}: {count} lines of {len(cases)} cases")
        return
    comparison = Comparison(args)
    try:
        asyncio.run(comparison.run(cases))
    except asyncio.CancelledError:
        sys.exit("same: interrupted")
    finally:
        shutil.rmtree(comparison.folder, ignore_errors=True)
    print(f"{args.shell}: {comparison.lines} lines of {comparison.cases} cases, "
        f"{comparison.differences} differences")
    sys.exit(1 if comparison.differences or not comparison.lines else 0)


if __name__ == "__main__":
    main()
