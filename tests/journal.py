#!/usr/bin/env python3
"""journal.py DIR EXECD MSB-EXEC: in a mount namespace of its own, stands where systemd's journal is, and reads
what a daemon tells it whose stderr is the journal: as fields while there is room, as lines where there is none."""

import os
import socket
import subprocess
import sys
import time

LIMIT = 20 * float(os.environ.get("SLOW", "1"))
PLACE = "/run/systemd/journal/socket"


def fields_of(datagram):
    """A record's fields; one that has its length in front is none of ours."""
    return dict(line.split("=", 1) for line in datagram.decode().splitlines())


def until(condition, what):
    end = time.monotonic() + LIMIT
    while not (value := condition()):
        assert time.monotonic() < end, f"gave up waiting for: {what}"
        time.sleep(0.01)
    return value


class Daemon:
    """One whose stderr is a stream that JOURNAL_STREAM names."""

    def __init__(self, folder, program):
        self.lines, theirs = socket.socketpair()
        self.lines.setblocking(False)
        self.said = b""
        st = os.fstat(theirs.fileno())
        self.address = f"unix:{folder}/s"
        self.process = subprocess.Popen(
            [program, "--listen", self.address, "--log-level", "info"], stderr=theirs,
            env={**os.environ, "JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"})
        theirs.close()

    def on_stderr(self):
        try:
            while more := self.lines.recv(65536):
                self.said += more
        except BlockingIOError:
            pass
        return self.said.decode()

    def end(self):
        self.process.terminate()
        assert self.process.wait(LIMIT) == 0


def main():
    folder, execd, client = sys.argv[1:]
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    os.makedirs(os.path.dirname(PLACE))
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(PLACE)
    journal.settimeout(LIMIT)
    daemon = Daemon(folder, execd)

    def run(*args):
        subprocess.run([client, "-q", "--wait-for", str(LIMIT), "-S", daemon.address, "--", *args],
                       check=True, timeout=LIMIT)

    try:
        run("sh", "-c", "exit 0")
        begins, ends = (fields_of(journal.recv(65536)) for _ in range(2))
        assert begins["MSB_EVENT"] == "begins" and ends["MSB_EVENT"] == "ends", (begins, ends)
        for record in (begins, ends):
            assert record["PRIORITY"] == "6" and record["SYSLOG_IDENTIFIER"] == "msb-execd", record
            assert record["MSB_SESSION"] == "1", record
            pairs = [f"{key[4:].lower()}={record[key]}" for key in record if key.startswith("MSB_")]
            assert record["MESSAGE"] == f"session 1 {record['MSB_EVENT']}: " + " ".join(pairs[2:]), record
        assert begins["MSB_UID"] == str(os.getuid()) and begins["MSB_FROM"] == "unix", begins
        assert begins["MSB_COMMAND"] == "sh -c 'exit 0'", begins
        assert ends["MSB_HOW"] == "exited" and ends["MSB_CODE"] == "0", ends
        assert "session" not in daemon.on_stderr()
        # A reader that has stopped: nobody waits for it, and nothing is lost.
        count = 1
        while "session" not in daemon.on_stderr():
            run("true")
            count += 1
            assert count < 1000, "it takes all"
        run("true")
        last = count + 1
        until(lambda: f"<6>session {last} ends: how=exited code=0 " in daemon.on_stderr(), "the last line")
        # And one that is gone.
        journal.close()
        os.unlink(PLACE)
        run("true")
        until(lambda: f"<6>session {last + 1} ends: " in daemon.on_stderr(), "a line without a journal")
        daemon.end()
    finally:
        daemon.process.kill()
    print("all of it")


main()
