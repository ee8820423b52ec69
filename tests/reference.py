#!/usr/bin/env python3
"""reference.py SOCKET [OPTION...]: a machine whose agent is one of the reference's, as far as msb-relayd
can tell: SOCKET is its serial port on the host's side, where one host at a time connects, and
commands run here. What was recorded of those agents it does as they do:

- any first frame but core.bootstrap ends it, and with it the machine;
- a second bootstrap is passed over without a word, and ready is said once;
- of generation 9 it counts what it is sent, gives credit, and ends when more comes than it gave;
- it knows none of our keys; before generation 9 it reads no more of the stream while a command's
  input is full.

SIGHUP resets the machine: what ran is gone, and the agent begins anew, on the connection that there
is (or, with --drop, without it). Until SIGTERM; it says on stderr why it ended, with status 1."""

import argparse
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys

from wire import FLAGS, FRAME_MAX, Frame, frame, ready

START = {"control": (8388608, 256), "bulk": (33554432, 256)}
CREDIT_ID = 0xffffffff
INPUT_FULL = 1 << 20  # bytes for one command, at which nothing more is read
PIECE = 4096  # of output, as the reference reads it
KINDS = {"core.exec.stdin": ("bulk",), "core.fs.data": ("control", "bulk"),
         "core.tcp.data": ("control", "bulk")}


class Death(Exception):
    """The agent ends, and the machine stops."""


class Session:
    def __init__(self, agent, id, request):
        self.agent, self.id = agent, id
        self.queue = []  # input: data, and the frame that each came in
        self.waiting = 0
        self.process = subprocess.Popen(
            [request.cmd, *request.payload.get("args", [])], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            cwd=request.payload.get("cwd") or "/")
        self.streams = {"core.exec.stdout": self.process.stdout.fileno(),
                        "core.exec.stderr": self.process.stderr.fileno()}
        os.set_blocking(self.process.stdin.fileno(), False)

    def feed(self, data, wire_len):
        self.queue.append([data, wire_len])
        self.waiting += len(data)
        self.write()

    def write(self):
        """What the command takes; the rest waits."""
        while self.queue:
            data, wire_len = self.queue[0]
            if not self.process.stdin.closed:
                try:
                    if data:
                        n = os.write(self.process.stdin.fileno(), data)
                        self.waiting -= n
                        self.queue[0][0] = data[n:]
                        if n < len(data):
                            break
                    else:
                        self.process.stdin.close()
                except BlockingIOError:
                    break
                except OSError:
                    self.waiting -= len(data)
            else:
                self.waiting -= len(data)
            self.queue.pop(0)
            self.agent.done_with("core.exec.stdin", wire_len)

    def read(self, type):
        data = os.read(self.streams[type], PIECE)
        if data:
            self.agent.tell(type, self.id, {"data": data})
        else:
            del self.streams[type]

    def is_over(self):
        return not self.streams and self.process.poll() is not None

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def release(self):
        for stream in self.process.stdin, self.process.stdout, self.process.stderr:
            with contextlib.suppress(OSError):
                stream.close()


class Agent:
    """From the machine's start to its end."""

    def __init__(self, args, machine):
        self.args, self.machine = args, machine
        self.booted = self.ready = args.warm
        self.sessions = {}
        self.sent = {"control": [0, 0], "bulk": [0, 0]}  # to us
        self.limits = {kind: list(start) for kind, start in START.items()}
        self.uncharged = {"core.bootstrap", "core.init.ack"} if not args.warm else set()
        self.said = None
        if args.warm and args.generation >= 9:
            # It has served another host before.
            self.limits["control"] = [START["control"][0] + 5000, START["control"][1] + 50]
            self.sent["control"] = [5000, 50]

    def tell(self, type, id=0, payload=None):
        self.machine.output += frame(type, id, payload, v=self.args.generation)

    def charge(self, got):
        """Counts a frame; more than there was credit for is the end."""
        if self.args.generation < 9 or self.args.no_credit:
            return
        if got.type in self.uncharged:
            self.uncharged.discard(got.type)
            got.is_free = True
            return
        for kind in KINDS.get(got.type, ("control",)):
            sent, limit = self.sent[kind], self.limits[kind]
            sent[0] += len(got.wire)
            sent[1] += 1
            if sent[0] > limit[0] or sent[1] > limit[1]:
                raise Death(f"host exceeded its transport admission credit: {kind} {sent} {limit}")

    def done_with(self, type, wire_len):
        for kind in KINDS.get(type, ("control",)):
            self.limits[kind][0] += wire_len
            self.limits[kind][1] += 1

    def give_credit(self):
        if self.args.generation < 9 or self.args.no_credit or not self.ready:
            return
        credit = {f"{kind}_{what}": self.limits[kind][i] for kind in self.limits
                  for i, what in enumerate(("bytes", "frames"))}
        if credit != self.said:
            self.tell("core.workload.transport.credit", CREDIT_ID, credit)
            self.said = credit

    def take(self, got):
        if not self.booted:
            if got.type != "core.bootstrap":
                raise Death(f"expected core.bootstrap as first console frame, got {got.type}")
            self.booted = True
            self.charge(got)
            self.tell("core.init.resolved", 0, {"default_user": {"uid": 0, "gid": 0}})
            return
        self.charge(got)
        if not hasattr(got, "is_free") and got.type != "core.exec.stdin":
            self.done_with(got.type, len(got.wire))
        if not self.ready:
            if got.type == "core.init.ack":
                self.ready = True
                self.machine.output += ready(self.args.generation)
            elif got.type != "core.bootstrap":
                raise Death(f"expected core.init.ack, got {got.type}")
            return
        self.serve(got)

    def serve(self, got):
        session = self.sessions.get(got.id)
        if got.type == "core.exec.request":
            # Whoever gives an id twice gets another's answers.
            assert not session, got
            for key in "stdin_window", "output_window":
                assert key not in got.payload, got
            self.start(got)
        elif got.type == "core.exec.stdin":
            if session:
                session.feed(got.data, len(got.wire))
            else:
                self.done_with(got.type, len(got.wire))
        elif got.type == "core.exec.signal" and session:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session.process.pid, got.signal)
        elif got.type == "core.ping":
            self.tell("core.pong", got.id)
        elif got.type not in ("core.bootstrap", "core.init.ack", "core.exec.resize",
                              "core.exec.signal", "core.relay.client.disconnected"):
            raise Death(f"unknown variant {got.type}")

    def start(self, got):
        try:
            session = self.sessions[got.id] = Session(self, got.id, got)
        except OSError as error:
            self.tell("core.exec.failed", got.id, {
                "kind": "not_found", "errno": error.errno, "errno_name": None,
                "message": str(error), "stage": None})
            return
        self.tell("core.exec.started", got.id, {"pid": session.process.pid})

    def settle(self):
        for id, session in list(self.sessions.items()):
            if session.is_over():
                code = session.process.returncode
                self.tell("core.exec.exited", id, {"code": code if code >= 0 else -1})
                # What it did not take is done with.
                for _, wire_len in session.queue:
                    self.done_with("core.exec.stdin", wire_len)
                session.release()
                del self.sessions[id]

    def is_full(self):
        # With credit there is never more than was given.
        return self.args.generation < 9 and any(session.waiting >= INPUT_FULL for session in self.sessions.values())

    def end(self):
        for session in self.sessions.values():
            session.kill()
            session.release()
        self.sessions.clear()


class Machine:
    def __init__(self, args):
        self.args = args
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(args.socket + ".new")
        self.listener.listen()
        os.rename(args.socket + ".new", args.socket)
        self.host = None
        self.input, self.output = bytearray(), bytearray()
        self.agent = Agent(args, self)
        self.reset_due = False
        # A reset interrupts the wait.
        self.wake, self.waker = socket.socketpair()
        for end in self.wake, self.waker:
            end.setblocking(False)
        signal.set_wakeup_fd(self.waker.fileno())
        signal.signal(signal.SIGHUP, self.on_reset)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def on_reset(self, *_):
        self.reset_due = True

    def reset(self):
        self.reset_due = False
        self.agent.end()
        self.args.warm = False
        self.agent = Agent(self.args, self)
        # Nothing of the old agent's is still to come.
        self.output.clear()
        self.input.clear()
        if self.args.drop:
            self.hang_up()
        print("reset", file=sys.stderr, flush=True)

    def hang_up(self):
        if self.host:
            self.host.close()
        self.host = None
        self.input.clear()
        self.output.clear()

    def take_frames(self):
        while len(self.input) >= 4 and not self.agent.is_full():
            length = int.from_bytes(self.input[:4], "big")
            if not 5 <= length <= FRAME_MAX:
                raise Death(f"a frame of length {length}")
            if len(self.input) < 4 + length:
                return
            got = Frame(bytes(self.input[:4 + length]))
            del self.input[:4 + length]
            if got.flags != FLAGS.get(got.type, 0):
                raise Death(f"wrong flags: {got!r}")
            self.agent.take(got)

    def interest(self):
        """What to wait for, derived from what there is."""
        wanted = {self.wake: selectors.EVENT_READ}
        if not self.host:
            wanted[self.listener] = selectors.EVENT_READ
        else:
            mask = (not self.agent.is_full() and selectors.EVENT_READ) | \
                (bool(self.output) and selectors.EVENT_WRITE)
            if mask:
                wanted[self.host] = mask
        for session in self.agent.sessions.values():
            if session.queue and not session.process.stdin.closed:
                wanted[session.process.stdin] = selectors.EVENT_WRITE
            if len(self.output) < INPUT_FULL:
                for type, fd in session.streams.items():
                    wanted[fd] = selectors.EVENT_READ
        return wanted

    def look(self, key, mask):
        if key is self.wake:
            with contextlib.suppress(BlockingIOError):
                while self.wake.recv(4096):
                    pass
        elif key is self.listener:
            self.host = self.listener.accept()[0]
            self.host.setblocking(False)
        elif key is self.host:
            self.look_at_host(mask)
        else:
            for session in self.agent.sessions.values():
                if key is session.process.stdin:
                    session.write()
                for type, fd in list(session.streams.items()):
                    if key == fd:
                        session.read(type)

    def look_at_host(self, mask):
        try:
            if mask & selectors.EVENT_READ:
                data = self.host.recv(1 << 18)
                if not data:
                    self.hang_up()
                    return
                self.input += data
            if mask & selectors.EVENT_WRITE:
                del self.output[:self.host.send(self.output)]
        except BlockingIOError:
            pass
        except OSError:
            self.hang_up()

    def run(self):
        while True:
            selector = selectors.DefaultSelector()
            for key, mask in self.interest().items():
                selector.register(key, mask)
            for key, mask in selector.select():
                self.look(key.fileobj, mask)
            selector.close()
            if self.reset_due:
                self.reset()
            self.take_frames()
            self.agent.settle()
            self.agent.give_credit()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socket")
    parser.add_argument("--generation", type=int, default=7)
    parser.add_argument("--warm", action="store_true", help="it has greeted an earlier host")
    parser.add_argument("--no-credit", action="store_true", help="whatever its generation")
    parser.add_argument("--drop", action="store_true", help="a reset closes the connection")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    machine = Machine(args)
    try:
        machine.run()
    except Death as why:
        print(f"the agent ended: {why}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        machine.agent.end()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(args.socket)


if __name__ == "__main__":
    main()
