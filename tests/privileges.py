"""What a command is, read back from /proc by tests/probe.c, beside what the manuals say that it is:
for the scripts of privileges.bats, which peer.py or host.py runs. What the daemon itself was started
with, $DIR/base has: the probe's own words, started the same way."""

import itertools
import os
import stat

DIR = os.environ["DIR"]
PROBE = DIR + "/probe"
SYS_ADMIN = 1 << 21
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CAPS = "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"
UNMOUNTED = {"unshare": "EPERM", "mount": "EPERM", "bind": "EPERM"}

# The users and groups that the daemon sees.
PASSWD = """root:x:0:0:root:/root:/bin/bash
alice:x:5001:5002:Alice:/home/alice:/bin/zsh
bob:x:5003:5003::/:
77:x:5077:5078::/seven:/bin/sh
"""
GROUP = """root:x:0:
adm:x:4:root,alice
alice:x:5002:
audio:x:29:bob,alice
extra:x:2000:alice
bob:x:5003:
"""
IDENTITY = {"root": ("/root", "/bin/bash"), "alice": ("/home/alice", "/bin/zsh"),
            "bob": ("/", "/bin/sh"), "77": ("/seven", "/bin/sh")}

# What a client may name: the uid, the gid, the supplementary groups and the name. None for the gid is
# the daemon's own.
SPECS = {
    "root": (0, 0, {0, 4}, "root"),
    "0": (0, 0, {0, 4}, "root"),
    "0:4343": (0, 4343, {4343, 4}, "root"),
    "alice": (5001, 5002, {5002, 4, 29, 2000}, "alice"),
    "5001": (5001, 5002, {5002, 4, 29, 2000}, "alice"),
    "alice:audio": (5001, 29, {4, 29, 2000}, "alice"),
    " alice : 7777 ": (5001, 7777, {7777, 4, 29, 2000}, "alice"),
    "5001:0": (5001, 0, {0, 4, 29, 2000}, "alice"),
    "bob": (5003, 5003, {5003, 29}, "bob"),
    "77": (5077, 5078, {5078}, "77"),
    "077": (77, None, set(), None),
    "4242": (4242, None, set(), None),
    "4242:4343": (4242, 4343, set(), None),
    "4294967294:4294967294": (4294967294, 4294967294, set(), None),
}


def parse(text):
    """The sections of the probe's words, each a dictionary of what stands before the first blank."""
    sections, section = {}, {}
    for line in text.replace("\r\n", "\n").splitlines():
        if line.startswith("== "):
            section = sections.setdefault(line[3:], {})
        else:
            key, _, value = line.partition("=" if section is sections.get("env") else " ")
            if section is sections.get("/proc/self/status"):
                key, _, value = line.partition(":")
            elif section is sections.get("/proc/self/limits"):
                key, value = line[:26].strip(), line[26:]
            section[key] = value.strip()
    return sections


def base():
    with open(DIR + "/base", encoding="utf-8") as file:
        return parse(file.read())


def same(what, got, wanted):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


class Case:
    """One command: how it was asked for, and so what it is to be."""

    def __init__(self, start, spec=None, tty=False, merge=False, restricted=False, env=(), limits=()):
        self.start, self.tty, self.merge, self.restricted = start, tty, merge, restricted
        self.env, self.limits = dict(entry.split("=", 1) for entry in env), dict(limits)
        status = start["/proc/self/status"]
        self.daemon_uid = int(status["Uid"].split()[0])
        self.daemon_gid = int(status["Gid"].split()[0])
        self.uid, self.gid, self.name = self.daemon_uid, self.daemon_gid, None
        self.groups = set(map(int, status["Groups"].split()))
        self.switched = False
        if spec:
            uid, gid, groups, self.name = SPECS[spec]
            gid = self.daemon_gid if gid is None else gid
            # To become oneself, without privilege, is nothing.
            self.switched = not self.daemon_uid or (uid, gid) != (self.daemon_uid, self.daemon_gid)
            if self.switched:
                self.uid, self.gid, self.groups = uid, gid, groups

    def caps(self):
        had = {key: int(self.start["/proc/self/status"][key], 16) for key in CAPS}
        if self.restricted:
            # Whoever never had it, and no CAP_SETPCAP, leaves it in the set that no_new_privs makes vain.
            if had["CapPrm"] & SYS_ADMIN or not self.daemon_uid:
                had["CapBnd"] &= ~SYS_ADMIN
            had = {key: caps if key == "CapBnd" else caps & ~SYS_ADMIN for key, caps in had.items()}
            had["CapAmb"] = 0
        if self.uid and (self.uid != self.daemon_uid or self.restricted):
            had.update(CapPrm=had["CapAmb"], CapEff=had["CapAmb"])
        if self.uid and self.uid != self.daemon_uid:
            had.update(CapInh=0, CapPrm=0, CapEff=0, CapAmb=0)
        return had

    def environment(self, cwd):
        wanted = {key: value for key, value in self.start["env"].items() if not key.startswith(
            ("LISTEN_", "WATCHDOG_")) and key not in ("NOTIFY_SOCKET", "PWD", "OLDPWD", "_")}
        wanted["PWD"] = cwd
        if self.switched:
            wanted["HOME"] = "/"
        if self.switched and self.name:
            wanted["HOME"], wanted["SHELL"] = IDENTITY[self.name]
            wanted["USER"] = wanted["LOGNAME"] = self.name
        elif not self.switched and not self.daemon_uid:
            wanted["HOME"] = "/root"
        return {"PATH": DEFAULT_PATH, **wanted, **self.env}

    def check_status(self, status):
        before = self.start["/proc/self/status"]
        same("uids", status["Uid"].split(), [str(self.uid)] * 4)
        same("gids", status["Gid"].split(), [str(self.gid)] * 4)
        same("groups", set(map(int, status["Groups"].split())), self.groups)
        same("capabilities", {key: int(status[key], 16) for key in CAPS}, self.caps())
        same("no_new_privs", status["NoNewPrivs"], "1" if self.restricted else before["NoNewPrivs"])
        for key in "Seccomp", "Umask":
            same(key, status[key], before[key])
        for key in "SigBlk", "SigIgn", "SigPnd", "ShdPnd":
            same(key, int(status[key], 16), 0)
        # A sanitizer in the probe catches some itself.
        same("SigCgt", status["SigCgt"], before["SigCgt"])

    def check_limits(self, limits):
        wanted = dict(self.start["/proc/self/limits"])
        for key, (soft, hard) in self.limits.items():
            wanted[key] = f"{soft} {hard} {wanted[key].split()[-1]}"
        same("limits", {key: value.split() for key, value in limits.items()},
             {key: value.split() for key, value in wanted.items()})

    def check_streams(self, fds, rest):
        same("descriptors", sorted(fds), ["0", "1", "2"])
        targets, modes, uids, gids, flags, _ = zip(*(fds[fd].split() for fd in "012"))
        kinds = {stat.S_IFMT(int(mode, 8)) for mode in modes}
        owner = str(self.uid if self.switched else self.daemon_uid)
        same("owners", set(uids), {owner})
        if self.tty:
            same("kinds", kinds, {stat.S_IFCHR})
            assert len(set(targets)) == 1 and targets[0].startswith("/dev/pts/"), targets
            assert not int(modes[0], 8) & 0o47, f"others may open it: {modes}"
            same("access", set(flags), {str(os.O_RDWR)})
            same("terminal", rest["tty"], "open")
            same("foreground", rest["foreground"], rest["pid"])
            return
        same("kinds", kinds, {stat.S_IFIFO})
        same("groups of pipes", set(gids), {str(self.gid if self.switched else self.daemon_gid)})
        same("modes", {int(mode, 8) & 0o777 for mode in modes}, {0o600})
        same("access", flags, (str(os.O_RDONLY), str(os.O_WRONLY), str(os.O_WRONLY)))
        same("pipes", len(set(targets)), 2 if self.merge else 3)
        same("terminal", rest["tty"], "ENXIO")

    def check(self, got, pid):
        rest = got["rest"]
        self.check_status(got["/proc/self/status"])
        self.check_limits(got["/proc/self/limits"])
        self.check_streams(got["fd"], rest)
        same("environment", got["env"], self.environment(rest["cwd"]))
        same("folder", rest["cwd"], self.start["rest"]["cwd"])
        same("leader", {rest["pid"], rest["group"], rest["session"]}, {str(pid)})
        same("dies with the daemon", rest["death"], "9")
        # It is the daemon that hides, and no command of its.
        for key in "dumpable", "securebits", "nice", "scheduler":
            same(key, rest[key], self.start["rest"][key])
        same("oom_score_adj", list(got["/proc/self/oom_score_adj"]),
             list(self.start["/proc/self/oom_score_adj"]))
        same("end", got["end"], {})


ids = itertools.count(100)


def probe(peer, *args, spec=None, **keys):
    """The probe's words, and its process."""
    id = next(ids)
    if spec:
        keys["user"] = spec
    got = peer.run(id, PROBE, *args, **keys)
    started, last = got.frames[0], got.last
    assert started.type == "core.exec.started" and last.payload.get("code") == 0, f"{got.frames!r}"
    return parse(got.stdout.decode()), started.pid


def look(peer, start, spec=None, row=None, **how):
    """Runs the probe as said, and checks all that it says. row: what the daemon makes of no user."""
    keys = {"tty": how.get("tty", False), "rows": 24, "cols": 80}
    if how.get("merge"):
        keys["merge_output"] = True
    if how.get("env"):
        keys["env"] = how["env"]
    if how.get("limits"):
        keys["rlimits"] = [{"resource": "nofile", "soft": soft, "hard": hard}
                           for soft, hard in how["limits"].values()]
    got, pid = probe(peer, spec=spec, **keys)
    try:
        Case(start, spec or row, **how).check(got, pid)
    except AssertionError as error:
        raise AssertionError(f"user {spec or row!r} {how}: {error}") from None


def look_at_all(peer, start, specs, row=None, restricted=False):
    """Every spec, on pipes and on a terminal; and what else a request may say, once each."""
    for spec, tty in itertools.product(specs, (False, True)):
        look(peer, start, spec, row, tty=tty, restricted=restricted)
    for spec in (specs[0], specs[-1]):
        look(peer, start, spec, row, restricted=restricted, merge=True)
        look(peer, start, spec, row, restricted=restricted, env=["A=b", "HOME=/given", "PATH=/bin"])
        look(peer, start, spec, row, restricted=restricted,
             limits={"Max open files": (64, 128)})


def reach(peer, pid, **keys):
    """What came of each way into that process."""
    id = next(ids)
    got = peer.run(id, PROBE, "reach", str(pid), **keys)
    same("its end", got.last.payload.get("code"), 0)
    return dict(line.split() for line in got.stdout.decode().splitlines())
