#!/usr/bin/env python3
"""json_schema.py [-1] [-p] [-o FILE] [-e FILE] [-r FILE] [-c FILE] FILE [KEY=VALUE]... [+ ...]: whether FILE is
what `msb-exec --json` may print, as the manual's section JSON has it, and its last object says each VALUE (JSON, or
a word); and so for what follows a +. Prints the last objects; fails with what is wrong. --reasons: those that there
are.

-1       FILE holds the last object alone, as --result writes it
-p       not all of the output came so far: somebody left, or a disk was full
-o, -e   the command's stdout and stderr are what this file holds
-r       and this file, of --result, holds the last object
-c       this file, what msb-exec said on stderr, has the message and the hint as lines"""

import argparse
import base64
import itertools
import json
import re
import sys

REASONS_EXITED = {"exited", "signal", "timeout", "oom", "cancelled"}
REASONS_FAILED = {"cancelled", "detached", "unreachable", "lost", "not_found", "not_executable", "bad_cwd",
                  "bad_user", "bad_args", "refused", "no_session", "usage", "io", "error"}
REASONS = {"exited": REASONS_EXITED, "detached": {"detached"}, "failed": REASONS_FAILED}
STREAMS = ("stdout", "stderr")
SLICE = 64 * 1024 + 8  # of output in a line, with what was kept back of a character


class Wrong(Exception):
    pass


def need(what, *words):
    if not what:
        raise Wrong(" ".join(map(str, words)))


def count(value):
    return type(value) is int and 0 <= value < 1 << 64


def flag(value):
    return type(value) is bool


def text(value):
    return type(value) is str and value != ""


def session(value):
    return type(value) is str and re.fullmatch("[0-9a-f]{12}", value)


def stream(value):
    return value in STREAMS


def encoded(value):
    return text(value) and base64.b64encode(base64.b64decode(value, validate=True)).decode() == value


def or_null(kind):
    return lambda value: value is None or kind(value)


def usage(value):
    return set(value) == {"user_us", "sys_us", "wall_us", "max_rss_kib"} and all(map(count, value.values()))


OUTPUT = ({"text": text}, {"base64": encoded})
LAST = ({"reason": text, "status": lambda value: count(value) and value < 256,
         "code": or_null(lambda value: type(value) is int), "signal": or_null(lambda value: count(value) and value),
         "signal_name": or_null(text), "core_dumped": flag, "message": or_null(text), "hint": or_null(text),
         "usage": or_null(usage), "stdout_bytes": count, "stderr_bytes": count, "stdout_cut": count,
         "stderr_cut": count, "session": or_null(session), "name": or_null(text)},)
# For each type the sets of keys that it may have, and what their values are.
TYPES = {
    "started": ({"pid": count, "tty": flag, "merged": flag, "session": or_null(session), "name": or_null(text)},),
    "attached": ({"pid": count, "tty": flag, "session": or_null(session), "name": or_null(text),
                  "stdout_at": count, "stderr_at": count},),
    "stdout": OUTPUT, "stderr": OUTPUT,
    "skipped": ({"stream": stream, "bytes": count},),
    "cut": ({"stream": stream, "bytes": count},),
    "away": ({"message": text},), "back": ({},),
    "exited": LAST, "failed": LAST, "detached": LAST,
}


def no_twins(pairs):
    need(len(dict(pairs)) == len(pairs), "a key twice:", pairs)
    return dict(pairs)


def parse(line):
    need(line.endswith(b"\n"), "a line without its end:", line[-200:])
    need(b"\r" not in line, "a carriage return in", line[:200])
    try:
        one = json.loads(line.decode("utf-8"), object_pairs_hook=no_twins)
    except ValueError as error:
        raise Wrong(f"{error}: {line[:200]!r}") from None
    need(type(one) is dict, "no object:", line[:200])
    kinds = TYPES.get(one.get("type"))
    need(kinds, "not a type that there is:", line[:200])
    keys = set(one) - {"type"}
    kinds = [kind for kind in kinds if set(kind) == keys]
    need(kinds, "not the keys of its type:", line[:200])
    for key, good in kinds[0].items():
        need(good(one[key]), f"{key} is not what it may be in", line[:200])
    return one


def data_of(one):
    return one["text"].encode() if "text" in one else base64.b64decode(one["base64"])


def is_text(data):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def check_last(one):
    kind, reason, how = one["type"], one["reason"], (one["code"], one["signal"])
    need(reason in REASONS[kind], f"a {kind} is not {reason}")
    need(kind == "exited" or reason == "io" or (how == (None, None) and one["usage"] is None),
         "the end of a command whose end is not known:", one)
    need(None in how, "a code and a signal:", one)
    need(kind != "exited" or reason != "exited" or how[0] is not None, "an exit without a code:", one)
    need(kind != "failed" or one["status"], "a failure with status 0:", one)
    need(kind != "failed" or reason == "cancelled" or one["message"], "a failure without words:", one)
    need(kind != "detached" or not one["status"], "left with a status:", one)
    need(reason != "timeout" or one["status"] == 124, "a time-out with another status:", one)
    need((one["signal"] or 32) > 31 or one["signal_name"], "a signal without a name:", one)
    need(one["signal"] or not (one["core_dumped"] or one["signal_name"]), "no signal, and a core:", one)
    for name in STREAMS:
        need(one[f"{name}_cut"] <= one[f"{name}_bytes"], "more cut than there was:", one)


class Lines:
    """All of them, in their order."""

    def __init__(self):
        self.data = {name: bytearray() for name in STREAMS}
        self.cut = dict.fromkeys(STREAMS, 0)
        self.last = self.begun = None
        self.is_away = False

    def add(self, one):
        kind = one["type"]
        need(self.last is None, "something behind the last object:", one)
        if kind in REASONS:
            check_last(one)
            self.last = one
        elif kind in ("started", "attached"):
            need(not self.begun, "begun twice:", one)
            self.begun = kind
        else:
            need(self.begun, "nothing has begun:", one)
        if kind in STREAMS:
            self.add_output(kind, data_of(one), "text" in one)
        elif kind == "cut":
            need(one["bytes"] and not self.cut[one["stream"]], "cut twice, or nothing:", one)
            self.cut[one["stream"]] = one["bytes"]
        elif kind in ("away", "back"):
            need(self.is_away == (kind == "back"), "not in turn:", one)
            self.is_away = kind == "away"

    def add_output(self, name, data, as_text):
        need(len(data) <= SLICE, "too long a line of output:", len(data))
        need(as_text or not is_text(data), "base64 of what is text:", data[:80])
        self.data[name] += data

    def end(self, partial):
        need(self.last, "no last object")
        need(self.begun or self.last["type"] != "exited", "the end of what never began:", self.last)
        for name in STREAMS:
            got, total, cut = len(self.data[name]), self.last[f"{name}_bytes"], self.last[f"{name}_cut"]
            need(got <= total - cut if partial else got == total - cut,
                 f"{got} bytes of {name}, not {total} less {cut}")
            need(partial or self.cut[name] == cut, f"{self.cut[name]} bytes of {name} cut, not {cut}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def same(data, path, what):
    wanted = read(path)
    need(data == wanted, f"{what}: {bytes(data[:200])!r} ({len(data)}), not {wanted[:200]!r} ({len(wanted)})")


def word_or_json(value):
    try:
        return json.loads(value)
    except ValueError:
        return value


def shown(found):
    c = found.group()
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c, f"\\x{ord(c):02x}")


def check(args):
    lines, raw = Lines(), read(args.file).splitlines(keepends=True)
    need(raw, "nothing at all")
    for line in raw:
        lines.add(parse(line))
    if args.alone:
        need(len(raw) == 1 and lines.last, "not the last object alone:", raw[0][:200])
    else:
        lines.end(args.partial)
    for name, path in ("stdout", args.stdout), ("stderr", args.stderr):
        if path is not None:
            same(lines.data[name], path, name)
    if args.result:
        same(raw[-1], args.result, "the result")
    if args.said:
        said = read(args.said).decode().splitlines()
        for key in "message", "hint":
            # A line shows what a terminal would obey as its number.
            words = re.sub("[\0-\x1f\x7f]", shown, lines.last[key] or "")
            need(not words or f"msb-exec: {words}" in said, f"the {key} was not said:", words, said)
    for pair in args.wanted:
        key, _, value = pair.partition("=")
        # An id may look like a number.
        is_said = lines.last[key] == value or lines.last[key] == word_or_json(value)
        need(is_said, f"{key} is {lines.last[key]!r}, not {value}:", lines.last)
    return raw[-1].decode().rstrip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-1", dest="alone", action="store_true")
    parser.add_argument("-p", dest="partial", action="store_true")
    parser.add_argument("-o", dest="stdout")
    parser.add_argument("-e", dest="stderr")
    parser.add_argument("-r", dest="result")
    parser.add_argument("-c", dest="said")
    parser.add_argument("file")
    parser.add_argument("wanted", nargs="*")
    for is_more, words in itertools.groupby(sys.argv[1:], lambda word: word == "+"):
        if is_more:
            continue
        args = parser.parse_args([*words])
        try:
            print(check(args))
        except Wrong as wrong:
            sys.exit(f"{args.file}: {wrong}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--reasons"]:
        print(*sorted(REASONS_EXITED | REASONS_FAILED), sep="\n")
    else:
        main()
