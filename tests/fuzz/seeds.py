"""What each fuzz target begins with: frames of every kind in every dialect, those recorded from the
reference agent, words as people type them, and what broke something once (found/). seeds(TARGET)
yields inputs; their first byte means what the target's own first lines say."""

import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from wire import FLAGS, Raw, encode, frame, ready  # noqa: E402

VECTORS = os.path.join(os.path.dirname(HERE), "vectors", "agent-0.6.14.tsv")
DIALECTS = ("plain", "ts", "indefinite")
TYPES = 48  # MSG_TYPE_COUNT

REQUEST = {
    "cmd": "sh", "args": ["-c", "id"], "env": ["A=1", "PATH=/bin"], "cwd": "/tmp", "user": "1:1",
    "tty": False, "rows": 24, "cols": 80,
    "rlimits": [{"resource": "nofile", "soft": 64, "hard": 128}],
    "timeout_ms": 1000, "timeout_signal": 2, "kill_after_ms": 100, "linger_ms": 10,
    "on_disconnect": "keep", "stdin_window": True, "output_window": 65536, "xpixel": 1, "ypixel": 2,
}
LIMITED = {"cmd": "sh", "args": ["-c", "id >&2"], "cgroup": True, "memory_max": 1 << 26, "cpu_millis": 500, "pids_max": 9}
MERGED = {"cmd": "sh", "args": ["-c", "id >&2"], "merge_output": True, "output_window": 1000}
LOGIN = {"cmd": "", "login_shell": True, "tty": True, "output_window": 1000}
LINE = {"cmd": "", "user_shell": True, "args": ["-c", "a line"]}
HOST = [
    ("core.exec.stdin", {"data": b"hello"}),
    ("core.exec.resize", {"rows": 50, "cols": 132}),
    ("core.exec.signal", {"signal": 15}),
    ("core.exec.output.close", {"stream": "stdout"}),
    ("core.exec.output.credit", {"consumed": 5}),
    ("core.exec.stdin", {"data": b""}),
    ("core.ping", {}), ("core.touch", {}), ("core.shutdown", None),
    ("core.fs.request", {"op": "stat", "path": "/"}), ("core.tcp.connect", {"port": 1}),
    ("core.bulk.open", {}), ("core.init.ack", {}), ("core.clock.sync", {"t": 1}),
    ("core.bootstrap", {"security_profile": "restricted", "user": "1", "default_cwd": "/"}),
    ("core.relay.client.disconnected", {"id_start": 1, "id_end_exclusive": 9}),
    ("core.session.list", {"for_uid": 7}),
    ("core.session.attach", {"session": "n", "mode": "watch", "stdout_since": 3, "stderr_since": 0,
                             "rows": 24, "cols": 80, "xpixel": 1, "ypixel": 2, "hold_ms": 50,
                             "stdin_window": True, "output_window": 4096, "for_uid": 0}),
    ("core.session.input", {"session": "n", "stdin_window": True}),
    ("core.session.detach", {"restore": b"\x1b[?25l"}),
    ("core.session.signal", {"session": "000000000001", "signal": 15}),
    ("core.session.remove", {"session": "000000000001"}),
]
AGENT = [
    ("core.exec.started", {"pid": 5, "stdin_window": 65536}),
    ("core.exec.stdout", {"data": b"out"}), ("core.exec.stderr", {"data": b"err"}),
    ("core.exec.stdin.credit", {"consumed": 3}),
    ("core.exec.stdin.error", {"errno": 32, "errno_name": "EPIPE", "message": "gone"}),
    ("core.error", {"kind": "invalid_flags", "message": "no", "offending_type": "core.ping"}),
    ("core.pong", {}), ("core.touched", {"activity_seq": 1}),
    ("core.exec.failed", {"kind": "not_found", "errno": 2, "errno_name": "ENOENT",
                          "message": "none such", "stage": "execve"}),
    ("core.exec.exited", {"code": -1, "signal": 9, "core_dumped": True, "timed_out": True,
                          "usage": {"user_us": 1, "sys_us": 2, "wall_us": 3, "max_rss_kib": 4}}),
    ("core.session.entry", {"session": "0123456789ab", "name": "n", "user": "root", "pid": 5,
                            "tty": True, "age_ms": 7, "cpu_us": 8, "attached": 1,
                            "command": ["sh", "-c"], "stdout_begin": 1, "stdout_end": 2,
                            "stderr_begin": 3, "stderr_end": 1 << 40, "exited": {"code": 3}}),
    ("core.session.attached", {"session": "0123456789ab", "name": "n", "pid": 5, "tty": True,
                               "stdout_at": 100, "stderr_at": 0, "stdin_at": 3,
                               "stdin_window": 65536, "restore": b"\x1b[0m\x1b[?25l"}),
    ("core.session.skipped", {"stream": "stdout", "bytes": 9}),
    ("core.session.refused", {"message": "no"}),
    ("core.session.detached", {"why": "taken", "session": "0123456789ab", "name": "n"}),
    ("core.session.done", {}),
]
READY = {"agent_version": "1.2.3",
         "exec_features": ["timeout", "linger", "on_disconnect", "login_shell", "usage", "pixels",
                           "output_close", "stdin_window", "output_window", "sessions", "user_shell"]}


def vectors(direction):
    with open(VECTORS, encoding="utf-8") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if len(fields) > 2 and fields[1] == direction:
                yield bytes.fromhex(fields[2])


def messages():
    for type, payload in [("core.ready", READY), ("core.exec.request", REQUEST), *HOST, *AGENT]:
        for dialect in DIALECTS:
            yield b"\0" + frame(type, 1, payload, dialect=dialect)
            for number in range(1, TYPES):
                if dialect == "plain" or type in FLAGS:
                    yield bytes([number]) + encode(payload or {}, dialect)
    for wire in (*vectors("h2g"), *vectors("g2h")):
        yield b"\0" + wire


def daemon():
    for how in (0, 130, 255):
        for dialect in DIALECTS:
            start = frame("core.exec.request", 1, REQUEST, dialect=dialect)
            yield bytes([how]) + start + b"".join(
                frame(type, 1, payload, dialect=dialect) for type, payload in HOST)
            yield bytes([how]) + frame("core.exec.request", 2, LOGIN, dialect=dialect) + start
            yield bytes([how]) + frame("core.exec.request", 2, MERGED, dialect=dialect) + start
            yield bytes([how]) + frame("core.exec.request", 2, LIMITED, dialect=dialect) + start
            yield bytes([how]) + frame("core.exec.request", 2, LINE, dialect=dialect) + start
        yield bytes([how]) + frame("core.exec.request", 3, {"cmd": "!no"})
        yield bytes([how]) + b"".join(
            frame("core.exec.request", i, {"cmd": "cat", "on_disconnect": word})
            + frame("core.exec.stdin", i, {"data": b"x" * 500})
            for i, word in enumerate(("kill", "hangup", "keep"), 1))
        for type, payload in HOST:
            yield bytes([how]) + frame(type, 7, payload)
            yield bytes([how]) + frame(type, 0, payload, v=3, flags=9)
    yield from kept()
    for wire in vectors("h2g"):
        yield b"\1" + wire


def kept():
    """Sessions that are kept, and who comes to them: on their connection, beside it and after."""
    def keep(id, name="n", **keys):
        return frame("core.exec.request", id, {"cmd": "cat", "on_disconnect": "keep", "name": name,
                                               **keys})

    def feed(id, *pieces):
        return b"".join(frame("core.exec.stdin", id, {"data": piece}) for piece in pieces)

    def come(id, type="attach", session="n", **keys):
        return frame("core.session." + type, id, {"session": session, **keys})

    leave = frame("core.session.detach", 1, {"restore": b"\x1b[?1h"})
    look = frame("core.session.list", 90)
    full = feed(1, b"x" * 4000, b"e" * 4000, b"x" * 4000, b"y" * 4000)
    first, later = "000000000001", "000000000002"
    scripts = [
        keep(1) + full + leave + look + come(2) + feed(2, b"z", b""),
        keep(1) + full + come(2, mode="watch") + come(3, mode="logs") + feed(1, b"more", b""),
        keep(1) + come(2, mode="wait") + come(3, mode="take", stdout_since=3) + feed(3, b"a", b""),
        keep(1, tty=True) + full + leave + come(2, rows=5, cols=9) + feed(2, b"k") + come(3),
        keep(1) + come(4, "input", stdin_window=True) + feed(4, b"beside", b"") + feed(1, b"own"),
        keep(1) + keep(2) + keep(3, "o") + look + come(5, "remove") + come(6, "signal", signal=9)
        + look + come(7, "remove") + come(8, "remove", session=first),
        keep(1, hold_ms=1000, output_window=100) + full
        + frame("core.exec.output.credit", 1, {"consumed": 50})
        + come(2, hold_ms=5, output_window=7),
        frame("core.exec.request", 1, {"cmd": "cat"}) + full + leave + look
        + come(2, session=first, stdout_since=5000) + feed(2, b"z") + come(3, session=later),
        keep(1, timeout_ms=1) + leave + keep(2, "!") + keep(3, "", cmd="!no") + keep(4, later),
        keep(1) + feed(1, b"") + come(2, mode="take") + come(3, mode="wait") + look + come(4),
        b"".join(keep(id, f"n{id}") for id in range(1, 12)) + look,
        come(1) + come(1, "input") + come(1, "signal", signal=99) + come(1, "remove") + leave,
        keep(1) + come(1) + come(2) + come(2) + frame("core.session.detach", 1, {}) * 2,
        keep(1) + frame("core.exec.output.close", 1, {"stream": "stdout"}) + full
        + come(2, mode="no"),
    ]
    for script in scripts:
        for how in (0, 2, 4, 10, 12, 134, 255):
            yield bytes([how]) + script


def relay():
    for how in (0, 2, 4, 6, 8, 16, 22):
        for dialect in DIALECTS:
            for keys in ({}, {"stdin_window": False, "output_window": 7},
                         {"name": "n", "hold_ms": 5, "for_uid": 7}):
                yield bytes([how]) + encode({**REQUEST, **keys}, dialect)
    greeting = ready(7, **READY)
    for before in (b"", b"\0" * 9, greeting[:30], greeting[1:], frame("core.pong", 5)):
        yield b"\1" + before + greeting + before
    yield b"\1" + frame("core.init.resolved", 0, {"default_user": {"uid": 0, "gid": 0}}) + greeting


def come():
    """What a client asks of kept sessions, and what its agent says to that."""
    told = {type: frame(type, 1, payload) for type, payload in AGENT}
    asked = {"for_uid": 0, "session": "n"}
    full = frame("core.exec.stdin", 1, {"data": b"x" * 300}) * 3
    rest = (full + frame("core.exec.stdin", 1, {"data": b""}) + frame("core.session.detach", 1, {})
            + frame("core.exec.signal", 1, {"signal": 1}))
    wrong = full + frame("core.exec.stdin", 1, {"data": "no"}) + full
    credit = frame("core.exec.stdin.credit", 1, {"consumed": 600})
    attached = frame("core.session.attached", 1, {"session": "0123456789ab", "stdin_window": 400})
    ends = told["core.exec.stdout"] + told["core.session.detached"]
    for type, keys in (("core.session.attach", {"mode": "take"}), ("core.session.input", {}),
                       ("core.exec.request", {"cmd": "cat", "on_disconnect": "keep"})):
        start = frame(type, 1, {**asked, **keys})
        for said in (rest, wrong, wrong + start, full + start):
            yield start + said, attached + credit + ends
            yield start + said, told["core.session.attached"] + told["core.session.refused"]
    for type in "list", "signal", "remove":
        start = frame("core.session." + type, 1, {**asked, "signal": 3})
        for said in (b"", wrong, wrong + start, start):
            yield start + said, told["core.session.entry"] + told["core.session.done"] * 2


def relayd():
    def script(how, client, agent=b""):
        return bytes([how]) + len(client).to_bytes(2, "big") + client + agent

    ends = b"".join(frame(type, 1, payload) for type, payload in AGENT)
    for how in (0, 1, 2, 3, 4, 12, 48, 116):
        for dialect in DIALECTS:
            start = frame("core.exec.request", 1, REQUEST, dialect=dialect)
            plain = frame("core.exec.request", 1, {"cmd": "cat", "tty": how == 4}, dialect=dialect)
            said = b"".join(frame(type, 1, payload, dialect=dialect) for type, payload in HOST)
            yield script(how, start + said, ends)
            yield script(how, plain + said[:200], ends)
            for type, payload in HOST:
                yield script(how, plain + frame(type, 1, payload, dialect=dialect), ends)
        yield script(how, plain + frame("core.exec.stdin", 1, {"data": b"x" * 500}),
                     frame("core.exec.started", 1, {"pid": 5, "stdin_window": 100})
                     + frame("core.exec.stdin.credit", 1, {"consumed": 100}))
        for n, (type, payload) in enumerate((("core.fs.request", {"op": {}}),
                                             ("core.tcp.connect", {"port": 1}))):
            rest = ("core.fs.data",) if n == 0 else ("core.tcp.data", "core.tcp.eof",
                                                      "core.tcp.close")
            yield script(how, frame(type, 2, payload) + b"".join(
                frame(word, 2, {"data": b"x"}) for word in rest))
        yield script(how, plain + frame("core.ping", 2), ready(7, **READY) + ends)
        yield from (script(how, *both) for both in come())
    for wire in vectors("h2g"):
        yield script(0, wire, ends)
    for wire in vectors("g2h"):
        yield script(0, plain, wire)


def terminal():
    typed = [b"ls\r~.", b"\r~?", b"\n~~x", b"\r~\x1a", b"~\x1d\x1d\x1d", b"a\x10b\x10\x11c"]
    shown = [b"\x1b[?1049h\x1b[?25l", b"\x1b[?1000;1006h", b"\x1b[?2004h\x1b=\x1b[>4;1m", b"\x1bc"]
    for how in (b"~\0\xff", b"\0\0\0", b"~\2\0\x10\x11", b"\x1d\3\1\x1d\x1d\x1d"):
        for text in typed + shown:
            yield how + text


def client():
    greetings = [bytes(4) + b"\1\xff\xff\xff" + ready(7, **READY), bytes(4) + ready(1),
                 b"\0\0\0\1\0\0\0\xff" + ready(9, **READY)]
    for how in (1, 2, 3, 5, 24, 33, 97):
        for greeting in greetings:
            for id in (0, 1):
                yield bytes([how]) + greeting + b"".join(
                    frame(type, id, payload) for type, payload in AGENT[:5])
                for type, payload in AGENT[5:]:
                    yield (bytes([how]) + greeting + frame(*("core.exec.started", id, {"pid": 5}))
                           + frame(type, id, payload))
    told = {type.removeprefix("core.").removeprefix("exec.").removeprefix("session."):
            frame(type, 1, payload) for type, payload in AGENT}
    for how in (8, 9, 10, 11, 12, 15, 17, 19, 28, 29, 30, 31, 42):
        for types in (("attached", "stdout", "skipped", "stderr", "detached"), ("entry", "done"),
                      ("attached", "stdin.credit", "stdout", "exited"), ("error",), ("refused",),
                      ("started", "refused", "stdout", "exited"), ("started", "detached"),
                      ("attached", "error"), ("attached", "attached", "stdout", "skipped")):
            yield bytes([how]) + greetings[0] + b"".join(told[type] for type in types)
    for wire in vectors("g2h"):
        yield b"\1" + greetings[0] + wire


def words():
    lines = ["-u root:wheel -w /tmp -e A=1 -e TERM --rlimit nofile=64:unlimited -- sh -c id",
             "--env-file f --timeout 1.5s -k 0 --signal SIGKILL --linger inf --on-disconnect keep",
             "-S unix:/x -tt -T -i -n -q -v --ping", "--local true", "-V", "-h", "--time 5"]
    settings = ["-l unix:/x --listen stdio: -u 1:1 --security-profile restricted --cwd /",
                "--allow-uid 5 --max-sessions 9 --log-level debug --max-time 1h --linger 0", "-V", "-h"]
    for line in lines:
        yield b"\0" + line.replace(" ", "\0").encode()
    for line in settings:
        yield b"\x40" + line.replace(" ", "\0").encode()
    values = ["1.5s", "500ms", "inf", "SIGTERM", "9", "nofile=1:2", "cpu=unlimited", "unix:/x",
              "vsock:2:1024", "vsock:5", "hvsock:/x:5", "exec:ssh h", "sandbox:a", "serial:org.x",
              "A=1\n# no\n\n B=2\r\nC", "\ufeffA=1", "root:x:0:0:r:/root:/bin/sh\n", "x:0", "0:0"]
    for value in values:
        for kind in range(7):
            yield bytes([133 + kind]) + value.encode()
    for guests in ("# a\n\nweb exec:ssh h msb-execd --listen stdio:\nb.c-1 'unix:/x' -e A=\"b c\" -u n\\ m\r\n",
                   "\ufeffa vsock:3:4 --rlimit nofile=1:2 --shell sh --timeout 1s\na local:\nb 'x"):
        yield b"\xc0" + guests.encode()


def output():
    pieces = [b"plain text\n", "\u00e9\u00e8\u4e2d\u6587\U0001f600".encode(),
              b'"\\\b\f\r\t\x1b[m\x7f',
              b"\xff\xc0\x80\xed\xa0\x80\xf4\x90", b"\xf0\x9f\x98", b"\xe4\xb8"]
    for how in (b"\0\0\0", b"\0\5\1", b"\0\x20\2", b"\1\1\3"):
        for piece in pieces:
            yield how + piece
            yield how + b"".join(pieces) + piece * 9


def found(target):
    """The files in found/ that are this target's."""
    return sorted(glob.glob(os.path.join(HERE, "found", f"{target}-*.bin")))


def seeds(target):
    yield from globals()[target.removeprefix("fuzz_")]()
    for path in found(target):
        with open(path, "rb") as file:
            yield file.read()
