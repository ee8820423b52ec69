#!/usr/bin/env python3
"""readme.py blocks README: whether each of its blocks is one that PASTED or NOT_PASTED knows, and its links
lead somewhere. readme.py paste README FOLDER SHELL...: pastes them into an interactive shell, on a terminal
and in brackets as terminals do, one after another in one shell, which starts in FOLDER/src, a copy of the
sources; FOLDER stands for what the README calls /tmp.

A block is named by its first line. What is in neither list fails, so that the README has none that nobody
tried."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import textwrap
import time

LIMIT = 30 * float(os.environ.get("SLOW", "1"))


class Pasted:
    """What a block prints has to match all of these, and its last command ends with that status. To a program
    that then reads keys, each of them is typed once what it waits for is there."""

    def __init__(self, *wanted, status=0, keys=(), only=None):
        self.wanted, self.status, self.keys, self.only = wanted, status, keys, only


PASTED = {
    # The second line would run this test.
    "make demo": Pasted(r"^\$ msb-exec --local -- uname -sr\r?\nLinux ", only=1,
                        keys=((r"exit leaves it:\r?\n.*\n[\s\S]*[$#%>] ?", "exit\r"),)),
    "make guest-bundle": Pasted(),
    "PATH=$PWD/build:$PATH": Pasted(r"^uid=\d+"),
    "msb-exec -t -- bash": Pasted(r"^in there$", keys=((r"[$#] ?", "echo in there; exit\r"),)),
    "for step in 'uname -sr' pwd 'exit 3' date; do":
        Pasted(r"^Linux .*\n{tmp}\s+exit 3: status 3\s*\Z"),
    "msb-exec -n --rlimit nofile=64 --rlimit as=1G --timeout 2s -k 2s -- sh -c 'echo begun; sleep 60'":
        Pasted(r"\A\s*begun\s+status 124\s*\Z"),
    """msb-exec -d --name build -- sh -c 'for i in 1 2 3; do echo "step $i"; sleep 0.2; done; exit 3'""":
        Pasted(r"^[0-9a-f]{12}$", r"^[0-9a-f]{12} +build ", r"^step 1\nstep 2\nstep 3\nstatus 3$"),
    """msb-exec -d --name greet -- sh -c 'read -r name; echo "hello $name"'""":
        Pasted(r"\A\s*[0-9a-f]{12}\s+hello you\s*\Z"),
    "msb-exec --on-disconnect keep --name shell -t -- bash": Pasted(r"^n is 42$", keys=(
        (r"[$#] ?", "n=42; echo it is $n\r"), (r"it is 42", "\x1d\x1d\x1d"),
        (r"--attach [\s\S]*it is 42", "echo n is $n; exit\r"))),
    "msb-exec -n -- tar c -C /etc hosts | tar tv": Pasted(r" hosts$", r"^\d+ {tmp}/motd$", r"^y\s*\Z"),
    "msb-exec -S 'exec:msb-execd --listen stdio:' -- uname -n": Pasted(rf"\A\s*{re.escape(os.uname().nodename)}\s*\Z"),
    "msb-exec --local -- uname -sr": Pasted(r"\A\s*Linux \S+\s*\Z"),
    "msb-exec -n --json -- sh -c 'echo out; echo err >&2; exit 3'":
        Pasted(r'^\{"type":"exited","reason":"exited","status":3,', r"^1\n2\n[\s\S]*^\[\d+ bytes of stdout are left out here\]$"),
    "msb-exec -n -- sh -c 'echo one; echo two >&2; echo three' 2>&1 | cat -n":
        Pasted(r"\A\s*1\s+one\s+2\s+two\s+3\s+three\s*\Z"),
    """tests/examples/run.py /tmp/guest.sock sh -c 'cat; exit 3' <<<'by hand'; echo "status $?\"""":
        Pasted(r"\A\s*by hand\s+status 3\s+begun\s+run\.sh: it took longer than it may\s+status 124\s*\Z"),
    "export XDG_CONFIG_HOME=/tmp/config": Pasted(
        r"^web +unix:{tmp}/guest.sock +answers, msb-execd/", r"^other +exec:.* +answers, msb-execd/",
        rf"^{re.escape(os.uname().nodename)}\s*\Z"),
    "mkdir /tmp/there /tmp/here": Pasted(r"\A\s*\Z"),
    "rsync -a -e 'msb-exec --rsh' cli/ web:/tmp/there/rsync": Pasted(r"\A\s*\Z"),
    "git init -q -b main /tmp/there/repo": Pasted(r"\A(?![\s\S]*(warning|hint|fatal))"),
    "scp -q -r -S msb-rsh cli web:/tmp/there/scp":
        Pasted(r"^sftp> get", "".join(rf"^job {i} at {re.escape(os.uname().nodename)}\n" for i in range(1, 6)),
               r"^web \| SUCCESS", r"\A(?![\s\S]*(?i:warning|fatal))"),
    r"""printf 'SHELL := msb-exec\nall:\n\t@echo "made on $$(uname -n) in $$(pwd)"\n' >/tmp/here/Makefile""":
        Pasted(rf"^made on {re.escape(os.uname().nodename)} in {{tmp}}/there$"),
    "kill %msb-execd; unset MSB_EXEC_ENDPOINT XDG_CONFIG_HOME GIT_SSH_COMMAND": Pasted(),
}

NOT_PASTED = {
    "sudo make install": "changes this machine; install.bats installs into a folder",
    "msb-exec -S 'exec:ssh host msb-execd --listen stdio:' -tt -- bash":
        "hosts and containers that are not there; exec_transport.bats has its own sshd",
    "msb-exec -n -u nobody --memory 256M --cpus 0.5 --pids 50 --timeout 2s -k 2s -- sh -c 'sleep 60'":
        "root and the kernel's controllers, which not every machine hands out; vm/cgroup.bats has them",
    "sshfs -o ssh_command='msb-exec --rsh' web:/srv /mnt":
        "folders of this machine; not everybody may mount, nor does tar call anybody without root; tools.bats",
    "Host guest": "a file of ssh's settings; copy.bats has one",
    "msb-relayd --agent unix:/run/vm/port --listen unix:/run/vm/agent.sock &":
        "a virtual machine; relay.bats and check-vm have one",
    "systemctl enable --now msb-execd.service":
        "changes this machine; service.bats boots a systemd",
}


def blocks(path):
    """Fenced or indented by four and more, after an empty line."""
    lines, block, fenced, after_empty = open(path).read().split("\n"), [], False, True
    for line in [*lines, "end"]:
        fence = line.lstrip().startswith("```")
        inside = fenced or (line.startswith("    ") and (block or after_empty)) or (block and not line.strip())
        if fence:
            fenced = not fenced
        elif inside:
            block.append(line)
        after_empty = not line.strip()
        if block and (not fenced if fence else not inside):
            yield textwrap.dedent("\n".join(block)).strip("\n")
            block = []


def name_of(block):
    return block.split("\n", 1)[0]


def check_blocks(path):
    names = [name_of(block) for block in blocks(path)]
    for name in names:
        if (name in PASTED) + (name in NOT_PASTED) != 1:
            yield f"a block that nobody tried: {name}"
        if names.count(name) != 1:
            yield f"two blocks begin with: {name}"
    for name in {*PASTED, *NOT_PASTED} - {*names}:
        yield f"no such block any more: {name}"
    for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", open(path).read()):
        if not os.path.exists(os.path.join(os.path.dirname(path), link)):
            yield f"leads nowhere: {link}"


class Failed(Exception):
    pass


class Shell:
    """An interactive one on a terminal of its own, that somebody types into."""

    def __init__(self, argv, folder):
        env = {"PATH": os.environ["PATH"], "HOME": f"{folder}/home", "TERM": "xterm", "LC_ALL": "C.UTF-8",
               "PS1": "$ ", "SHELL": "/bin/sh", "USER": "somebody"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(f"{folder}/src")
            os.execvpe(argv[0], argv, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.said = ""
        self.wait_for("\x1b\\[\\?2004h")

    def read(self, seconds):
        """More of what it says; False at its end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.fd, 65536)
        except OSError:
            more = b""
        self.said += more.decode(errors="replace")
        return more != b""

    def wait_for(self, pattern, begin=0):
        """What matches in what it has said from there on."""
        until = time.monotonic() + LIMIT
        while not (match := re.compile(pattern, re.M).search(self.said, begin)):
            if time.monotonic() > until:
                raise Failed(f"gave up waiting for {pattern!r}")
            if not self.read(0.2):
                raise Failed("the shell has ended")
        return match

    def write(self, text):
        data = text.encode()
        while data:
            self.read(0)
            data = data[os.write(self.fd, data):]

    def paste(self, text):
        """As terminals do, and Enter behind it."""
        self.write("\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~")
        self.write("\r")

    def run(self, text, keys, number):
        """What it prints, and the status of the last command; what is typed stands apart from both."""
        begin = len(self.said)
        self.paste(f"printf '\\n<%s {number}>\\n' begin\n{text}\nprintf '\\n<%s {number} %s>\\n' end $?")
        at = self.wait_for(rf"^<begin {number}>\s", begin).end()
        for pattern, answer in keys:
            self.wait_for(pattern, at)
            self.write(answer)
        end = self.wait_for(rf"^<end {number} (\d+)>\s", at)
        # The next line is edited once the last is done with.
        self.wait_for("\x1b\\[\\?2004h", end.end())
        said = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]|\r", "", self.said[at:end.start()])
        return said, int(end[1])

    def close(self):
        os.kill(self.pid, signal.SIGHUP)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def as_written(block, wanted, folder):
    """What of it is pasted: paths of a folder of our own, so that many may do so at once."""
    lines = block.split("\n")[:wanted.only]
    return "\n".join(lines).replace("/tmp", folder + "/tmp")


def paste(path, folder, *argv):
    shell = Shell(argv, folder)
    try:
        for number, block in enumerate(blocks(path)):
            wanted = PASTED.get(name_of(block))
            if not wanted:
                continue
            try:
                said, status = shell.run(as_written(block, wanted, folder), wanted.keys, number)
            except Failed as failure:
                yield f"{block}\n\t{failure}; until then: {shell.said[-2000:]!r}"
                return
            for pattern in wanted.wanted:
                pattern = pattern.replace("{tmp}", folder + "/tmp")
                if not re.search(pattern, said, re.M):
                    yield f"{block}\n\twanted {pattern!r}, has printed {said!r}"
            if status != wanted.status:
                yield f"{block}\n\twanted status {wanted.status}, ended with {status}, has printed {said!r}"
            if os.environ.get("VERBOSE"):
                print(f"--- {block}\n{said}--- {status}")
    finally:
        shell.close()


def main():
    complaints = list((check_blocks if sys.argv[1] == "blocks" else paste)(*sys.argv[2:]))
    print("\n".join(complaints), end="\n" if complaints else "")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
