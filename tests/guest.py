"""The guest's end of a stream that msb-relayd takes, played by a script of peer.py: no greeting of
a socket, the ids of all clients, and every frame that comes checked to be one that an agent may
be sent. Answers are the script's affair."""

import os
import socket
import struct

from wire import FLAGS, Stream, frame, ready

FEATURES = ["timeout", "linger", "on_disconnect", "login_shell", "usage", "output_close",
            "stdin_window", "output_window"]
KEEPS = [*FEATURES, "pixels", "sessions"]
STEP = 33554431
TO_AGENTS = ("core.init.ack", "core.bootstrap", "core.shutdown", "core.ping", "core.touch",
             "core.relay.client.disconnected", "core.exec.request", "core.exec.stdin",
             "core.exec.resize", "core.exec.signal", "core.exec.output.close",
             "core.exec.output.credit", "core.fs.request", "core.fs.data", "core.tcp.connect",
             "core.tcp.data", "core.tcp.eof", "core.tcp.close", "core.session.list",
             "core.session.attach", "core.session.input", "core.session.detach",
             "core.session.signal", "core.session.remove")


class Guest:
    """Listens where the relay looks for its agent; accept() once it has connected."""

    def __init__(self, path, limit):
        self.limit = limit
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path + ".new")
        self.listener.listen()
        self.listener.settimeout(limit)
        # There only once it can be connected to.
        os.rename(path + ".new", path)
        self.path = path
        self.stream = None
        self.mark = b""  # behind each frame with an id, once the relay has asked for that
        self.is_greeted = False  # and has none of our features, so that it may be asked that

    def connect(self):
        """The relay is there; what it says first is still to be heard."""
        self.is_greeted, self.mark = False, b""
        self.stream = Stream(self.listener.accept()[0], self.limit)
        return self

    def accept(self):
        """The relay is there, and has begun as every host must."""
        self.connect()
        self.bootstrap = self.expect("core.bootstrap", 0)
        return self

    def answer_bootstrap(self):
        self.tell("core.init.resolved", 0, {"default_user": {"uid": 1, "gid": 2}})
        self.expect("core.init.ack", 0)

    def up(self, features=(), v=7, **more):
        """Accepts and says hello. Without features as a reference agent."""
        self.accept()
        if features:
            self.answer_bootstrap()
        self.greet(features, v, **more)
        return self

    def greet(self, features=(), v=7, **more):
        self.is_greeted = not features
        if features:
            more = {"exec_features": list(features), **more}
        self.send(ready(v, **more))

    def greet_marked(self, features=KEEPS, ask=True, **more):
        """The same with marks, for which the relay has asked, or does so now."""
        if ask:
            self.greet([*features, "frame_mark"], **more)
        number = self.expect("core.init.ack", 0).frame_mark
        self.greet([*features, "frame_mark"], frame_mark=number, **more)
        self.mark = struct.pack(">II", 4, number)

    def send(self, data):
        self.stream.send(data)

    def whole(self, type, id=0, payload=None, **how):
        """A frame with what belongs behind it."""
        return frame(type, id, payload, **how) + (self.mark if id else b"")

    def tell(self, type, id=0, payload=None, **how):
        self.send(self.whole(type, id, payload, **how))

    def next(self, limit=None):
        """The next frame; the question after a silence whether we are still the same is answered."""
        got = self.stream.next(limit)
        if got and got.id and self.mark:
            assert self.stream.fill(8), "the end of file where a mark is to be"
            mark = self.stream.take(8)
            assert mark == self.mark, f"{got!r} has {mark!r} behind it, not {self.mark!r}"
        if got and got.type == "core.bootstrap" and self.is_greeted:
            self.stream.next(limit)
            self.tell("core.pong", self.stream.next(limit).id)
            return self.next(limit)
        if got:
            assert got.type in TO_AGENTS and got.flags == FLAGS.get(got.type, 0), f"got {got!r}"
            assert got.raw and isinstance(got.payload, dict), f"got {got!r}"
        return got

    def expect(self, type, id=None):
        """The next frame, which is of that type and id."""
        got = self.next()
        assert got and got.type == type, f"got {got!r}, wanted {type}"
        assert id is None or got.id == id, f"got {got!r}, wanted id {id}"
        return got

    def start(self, **keys):
        """Takes a request and says that it runs."""
        request = self.expect("core.exec.request")
        self.tell("core.exec.started", request.id, {"pid": 5, **keys})
        return request

    def quiet(self, limit=0.3):
        """Nothing comes."""
        try:
            got = self.next(limit)
        except TimeoutError:
            return
        raise AssertionError(f"got {got!r}, wanted nothing")

    def hang_up(self):
        self.stream.close()
        self.stream = None

    def close(self):
        if self.stream:
            self.hang_up()
        self.listener.close()
        os.unlink(self.path)
