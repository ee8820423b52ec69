"""Clients of a rough round, in which any process may be killed or stopped, time may jump, and
descriptors and processes run out: each ends, with the status that it should have or an honest one,
with a line where there is none of the command's; and not a byte is wrong of what it did write."""

import json
import os
import re
import signal
import subprocess

from clients import fewer
from keyboard import keyboard_rough
from world import FOLDER, claim, start

KILLED = 128 + signal.SIGKILL  # somebody killed the command


def honest(child, status, said):
    """Whether it ended as it was to; and if not, it said why."""
    got = child.returncode
    if got == status:
        return True
    if (got == -signal.SIGKILL and child.struck) or got == KILLED:
        return False
    claim(got == 125, f"{child.args[1:]}: ended with {got}, not {status}: {said[-500:]!r}")
    claim(re.search(rb"(^|\n)msb-exec(-console)?: [^\n]+\n", said),
          f"{child.args[1:]}: ended with 125 and said {said[-500:]!r}")
    return False


def prefix(child, out, want, all_of_it, said):
    """What it wrote is what it should, or the beginning of that."""
    same = len(os.path.commonprefix((out, want)))
    claim(same == len(want if all_of_it else out) == len(out),
          f"{child.args[1:]}: ended with {child.returncode}, wrote {len(out)} bytes, of which {same} are the first of "
          f"{len(want)}, then {out[same:same + 20]!r}; said {said[-500:]!r}")


def attempt(*words, want=b"", status=0, data=None, **how):
    if data is not None:
        how["stdin"] = subprocess.PIPE
    child = start(*words, **how)
    out, said = child.rest(data)
    good = honest(child, status, said)
    if want is not None:
        prefix(child, out, want, good, said)
    return out if good else None


def plain(rng):
    status = rng.randrange(120)
    attempt("--", "sh", "-c", f"echo out; exit {status}", want=b"out\n", status=status)


def teletype(rng):
    status = rng.randrange(120)
    attempt("-tt", "--", "sh", "-c", f"echo out; exit {status}", want=b"out\r\n", status=status)


def at_the_keys(rng):
    keyboard_rough(rng, honest)


def through(rng):
    data = rng.randbytes(fewer(rng.choice((8, 80_000, 3_000_000))))
    attempt("--", "cat", data=data, want=data)


def numbers(rng):
    count = fewer(rng.randrange(8, 400_000))
    return str(count), b"".join(b"%d\n" % i for i in range(1, count + 1))


def flooded(rng):
    count, want = numbers(rng)
    attempt("--", "seq", count, want=want)


def timed(rng):
    attempt("--timeout", f"{rng.randrange(20, 2000)}ms", "--", "sleep", "1000", status=124)


def comes_back(rng):
    """Output that is kept is all there, whoever was killed on the way, or the session is gone."""
    count, want = numbers(rng)
    attempt("--on-disconnect", "keep", "--reconnect", "60s", "--", "seq", count, want=want)


def later(rng):
    """Left, and attached to later: what there is of it is the end of what it wrote."""
    count, want = numbers(rng)
    session = attempt("-d", "--", "seq", count, want=None)
    if session:
        child = start("-n", "--reconnect", "20s", "--attach", session.decode().strip())
        out, said = child.rest()
        honest(child, 0, said)
        claim(out in want, f"{len(out)} bytes are no part of those {len(want)} that were written")


def objects_rough(rng):
    """The last object is there on every way out, and says what the status says."""
    name = f"{FOLDER}/result.{rng.random()}"
    child = start("--json", "--result", name, "--", "sh", "-c", "echo out; exit 3")
    out, said = child.rest()
    honest(child, 3, said)
    if child.struck:
        # The name that SIGKILL may leave behind, as the manual says.
        for one in os.listdir(FOLDER):
            if os.path.basename(name) in one:
                os.unlink(f"{FOLDER}/{one}")
        return
    with open(name, encoding="utf-8") as file:
        last = json.load(file)
    os.unlink(name)
    claim(json.loads(out.splitlines()[-1]) == last and last["status"] == child.returncode,
          f"ended with {child.returncode}, and wrote {last}")


def asked(rng):
    if rng.random() < 0.5:
        attempt("-q", "--ping")
    else:
        for line in (attempt("--sessions", "--json", want=None) or b"").splitlines():
            json.loads(line)


def script_rough(rng):
    attempt("-q", program="msb-exec-console", data=b"a=5\necho $a\nexit 4\n", want=b"5\n", status=4)


CLIENTS = (plain, plain, teletype, at_the_keys, through, flooded, timed, comes_back, comes_back, later,
           objects_rough, asked, script_rough)
