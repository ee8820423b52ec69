#!/usr/bin/env python3
"""protocol.py: what shared/PROTOCOL.md and the code do not say alike, a line each: types with their
flags, keys with their kinds, and the words of closed sets. The code is shared/wire/msg_tables.c, with
the kinds of the structs in its headers. On the page are the rows of two kinds of tables: where | key | meaning,
and type | dir | flags | payload."""

import re
from pathlib import Path

# What the reference has of its own, and the page does not repeat.
REFERENCE = {
    "core.ready": "boot_time_ns init_time_ns ready_time_ns agent_version",
    "core.init.resolved": "default_user",
    "core.relay.client.disconnected": "id_start id_end_exclusive",
    "core.error": "kind message offending_type",
    "core.bootstrap": "user security_profile default_cwd default_env rlimits",
    "core.exec.request": "cmd args env cwd user tty rows cols rlimits",
    "core.exec.started": "pid",
    "core.exec.stdin": "data",
    "core.exec.stdin.error": "errno errno_name message",
    "core.exec.stdout": "data",
    "core.exec.stderr": "data",
    "core.exec.exited": "code",
    "core.exec.failed": "kind errno errno_name message stage",
    "core.exec.resize": "rows cols",
    "core.exec.signal": "signal",
    "core.workload.transport.credit": "control_bytes control_frames bulk_bytes bulk_frames",
    **dict.fromkeys(["core.init.ack", "core.shutdown", "core.clock.sync", "core.ping", "core.pong",
                     "core.touch", "core.touched", "core.fs.request", "core.fs.data",
                     "core.fs.response", "core.tcp.connect", "core.tcp.data", "core.tcp.eof",
                     "core.tcp.close", "core.tcp.failed"], ""),
}
KINDS = {"struct msg_text": "text", "struct msg_bytes": "bytes", "struct msg_list": "[text]",
         "struct msg_usage": "{", "struct msg_exec_exited": "{", "bool": "bool", "uint8_t": "u8",
         "uint16_t": "u16", "uint32_t": "u32", "uint64_t": "u64", "int32_t": "i32"}
FLAGS = {"0": 0, "FRAME_TERMINAL": 1, "FRAME_SESSION_START": 2, "FRAME_SHUTDOWN": 4}
KIND = r"(text|bytes|bool|[ui]\d+|\[text\]|\{)"


# ---- the code ----

def members_of(header):
    """{struct: {member: kind}}, of every struct whose members are of such kinds."""
    found = {}
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    for struct, body in re.findall(r"struct msg_(\w+) \{(.*?)\n\};", header, re.DOTALL):
        found[struct] = {}
        for type, names in re.findall(r"((?:struct )?\w+) ([\w, ]+);", body):
            for name in names.split(","):
                found[struct][name.strip()] = KINDS.get(type)
    return found


def tables_of(code, members):
    """{table: {key: kind}}"""
    found = {}
    for table, body in re.findall(r"struct field (\w+)\[\] = \{(.*?)\n\};", code, re.DOTALL):
        rows = re.findall(r'\((\w+), "(\w+)", (\w+)', body)
        found[table] = {key: members[struct][member] for struct, key, member in rows}
        found[table].update(dict.fromkeys(re.findall(r'ROW_FEATURES\(\w+, "(\w+)"', body), "[text]"))
        assert len(found[table]) == body.count('"') // 2, f"a row of {table} is not understood"
    return found


def code_says(folder):
    """{type: (flags, {key: kind})}, and the words of closed sets."""
    code = (folder / "msg_tables.c").read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
    headers = [(folder / name).read_text(encoding="utf-8") for name in ("msg.h", "msg_tables.h")]
    tables = tables_of(code, members_of("".join(headers)))
    types = {}
    row = r'\[MSG_\w+\] =\s*\{\s*"([\w.]+)",\s*(\w+),\s*(?:\{0\}|SCHEMA\w*\(\s*(\w+))'
    for type, flags, table in re.findall(row, code):
        types[type] = FLAGS[flags], tables[table] if table else {}
    assert len(types) == len(re.findall(r'\{"core\.', code)), "a type is not understood"
    words = {}
    for name, body in re.findall(r"msg_(\w+)_names\[\w*\] = \{(.*?)\n\};", code, re.DOTALL):
        words[name] = re.findall(r'"(\w+)"', body)
    return types, words


# ---- the page ----

def names_of(cell):
    """core.a.b, .c: the latter is core.a.c."""
    names = []
    for name in re.findall(r"core\.[\w.]+\w|(?<![\w`])\.\w+", cell):
        names.append(name if name[0] != "." else names[-1].rpartition(".")[0] + name)
    return names


def keys_of(cell):
    """{key: kind}, None where it is not said. `a`, `b` text are both texts."""
    keys = {}
    cell = re.sub(r"\{[^}]*\}", "{", cell)
    for names, kind in re.findall(rf"(`\w+`(?:, `\w+`)*)(?: {KIND}(?!\w))?", cell):
        for key in re.findall(r"\w+", names):
            keys[key] = keys.get(key) or kind or None
    return keys


def page_says(page):
    """{type: (flags or None, {key: kind})}"""
    types, last = {}, {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| core."):
            continue
        if len(cells) == 3:
            for type in names_of(cells[0]):
                types.setdefault(type, [None, {}])[1].update(keys_of(cells[1]))
        else:
            assert len(cells) == 4, f"no row of either kind: {line}"
            last = {**(last if "the same keys" in cells[3] else {}), **keys_of(cells[3])}
            entry = types.setdefault(cells[0], [None, {}])
            entry[0] = int(cells[2])
            entry[1] = {**last, **{key: kind for key, kind in entry[1].items() if kind}}
            last = entry[1]
    return types


# ---- both ----

def compare(types, page):
    for type in sorted(types.keys() | page.keys()):
        if type not in types:
            yield f"{type}: on the page alone"
            continue
        flags, known = types[type]
        theirs = REFERENCE.get(type, "").split()
        said_flags, said = page.get(type, (None, {}))
        if type not in REFERENCE and said_flags != flags:
            yield f"{type}: flags {flags}, on the page {said_flags}"
        for key in sorted(known.keys() - theirs - said.keys()):
            yield f"{type}: {key} is not on the page"
        for key in sorted(said.keys() - known.keys()):
            yield f"{type}: {key} is on the page alone"
        for key in sorted(said.keys() & known.keys()):
            if said[key] and said[key] != known[key]:
                yield f"{type}: {key} is {known[key]}, on the page {said[key]}"
        for key in sorted(set(theirs) - known.keys()):
            yield f"{type}: {key} of the reference's is not in the code"


def kinds_left_out(types, page):
    """A key's kind is said at least once."""
    said = {key for _, keys in page.values() for key, kind in keys.items() if kind}
    for type, (_, keys) in sorted(page.items()):
        for key in sorted(keys.keys() - said):
            yield f"{type}: of which kind {key} is, the page does not say"


def main():
    shared = Path(__file__).parent.parent / "shared"
    text = (shared / "PROTOCOL.md").read_text(encoding="utf-8")
    types, words = code_says(shared / "wire")
    page = page_says(text)
    lines = [*compare(types, page), *kinds_left_out(types, page)]
    for name in ("on_disconnect", "attach", "detached", "stream"):
        lines += [f'"{word}" of {name} is not on the page' for word in words[name]
                  if f'`"{word}"`' not in text]
    lines += [f"`{word}` of exec_features is not on the page" for word in words["feature"]
              if f"`{word}`" not in text]
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
