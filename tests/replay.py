"""The frames of vectors/agent-0.6.14.tsv, and what it means that ours are the same: for each id the
same types in the same order, the same bytes on each stream whatever their cutting, and the
recorded values, but for those that are the machine's own or free text."""

import os

from wire import Frame

VECTORS = os.path.join(os.path.dirname(__file__), "vectors", "agent-0.6.14.tsv")
DATA = {"core.exec.stdout", "core.exec.stderr"}
# A process number, texts that nothing should parse, a count since boot.
OWN_VALUES = {"pid", "message", "stage", "activity_seq", "error"}

TO_AGENT, FROM_AGENT, END = "h2g", "g2h", "EOF"


def load():
    """{case: [(direction, wire bytes)]}"""
    cases = {}
    with open(VECTORS, encoding="ascii") as file:
        for line in file:
            if not line.startswith("#"):
                case, direction, *rest = line.rstrip("\n").split("\t")
                wire = b"" if direction == END else bytes.fromhex(rest[0])
                cases.setdefault(case, []).append((direction, wire))
    return cases


class Seen:
    """What came, in a form that compares."""

    def __init__(self):
        self.streams = {type: b"" for type in DATA}
        self.control = []

    def add(self, frame):
        if frame.type in DATA:
            assert frame.flags == 0, frame
            self.streams[frame.type] += frame.data
        else:
            self.control.append(frame)

    def covers(self, other):
        return len(self.control) >= len(other.control) and all(
            len(self.streams[type]) >= len(other.streams[type]) for type in DATA)

    def check(self, recorded, case):
        got = [(f.type, f.id, f.flags) for f in self.control]
        wanted = [(f.type, f.id, f.flags) for f in recorded.control]
        assert got == wanted, f"{case}: got {got}, wanted {wanted}"
        assert self.streams == recorded.streams, \
            f"{case}: got {self.streams}, wanted {recorded.streams}"
        for ours, theirs in zip(self.control, recorded.control):
            for key, value in theirs.payload.items():
                assert key in ours.payload, f"{case}: {ours} has no {key}"
                if key not in OWN_VALUES:
                    assert ours.payload[key] == value, f"{case}: got {ours}, wanted {theirs}"


def replay(peer, case, steps, settle=None):
    """Sends what was sent, each time only once all has come that had come by then; settle(seen)
    runs before each but the first. Returns what came."""
    id = int.from_bytes(steps[0][1][4:8], "big")
    seen, recorded = Seen(), Seen()

    def catch_up():
        while not seen.covers(recorded):
            frame = peer.next()
            assert frame, f"{case}: the daemon closed the connection"
            seen.add(frame)

    for i, (direction, wire) in enumerate(steps):
        if direction == TO_AGENT:
            catch_up()
            if i and settle:
                settle(seen)
            peer.send(wire)
        elif Frame(wire).id == id:  # others belong to the case before
            recorded.add(Frame(wire))
    catch_up()
    seen.check(recorded, case)
    # Nothing more comes.
    peer.ping()
    return seen
