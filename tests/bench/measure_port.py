"""Output of a terminal through a virtio port, which a machine of QEMU's has: every notification of it
costs, and so do the guest's instructions, which are emulated. The machine is that of tests/vm;
`make check-vm-built` makes what it boots."""
import os
import shutil
import subprocess
import time

from measure_tty import Screen
from procs import Failed, LeftOut, wait_for
from report import Table, number, p50, ratio
from rivals import Way

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOOT, LIMIT = 90, 30
LIFE = 300  # no machine outlives that
# busybox's yes writes each line by itself, its head 1 KiB at a time.
LOADS = (("yes", "2 bytes a write", ["yes"]),
         ("lines", "40 bytes a write", ["source", "1000000000", "40"]),
         ("kib", "1 KiB a write", ["head", "-c", "1000000000", "/dev/zero"]))
# Readers in the machine itself: what there is to be had.
# Where every write wakes the reader, one that sleeps in between has the most.
LOCAL = {"local": ("tty", ("yes", "lines", "kib"), "a reader in the machine"),
         "lazy": ("lazy", ("yes", "lines"), "a reader in the machine that sleeps 2 ms after each read")}
QUIET = ["sh", "-c", "while pgrep -x 'yes|head|source.static' >/dev/null; do sleep 0.1; done"]
SECONDS, WARM_UP = 1, 0.5
SETTLE = 2  # after its boot a machine has something to do for a while


def boots(build):
    """The kernel and the image that are made for that build."""
    image = f"{build}/vm/guest.cpio"
    kernels = [f"{folder}/vm/vmlinuz" for folder in (build, f"{ROOT}/build")]
    kernel = next((path for path in kernels if os.path.exists(path)), None)
    if not os.path.exists(image) or not kernel:
        raise LeftOut(f"{build}/vm has no image to boot; make check-vm-built makes it")
    return kernel, image


class Machine(Way):
    """A machine whose agent has a virtio port, and its relay on our side."""

    def __init__(self, folder, build, key, name):
        super().__init__(folder)
        self.key, self.name, self.build = key, name, build
        kernel, image = boots(build)
        port, self.socket = f"{folder}/port", f"{folder}/s"
        self.qemu = self.serve([
            "timeout", str(LIFE), "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-m", "256",
            "-nodefaults", "-nographic", "-kernel", kernel, "-initrd", image,
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent",
            "-chardev", f"socket,id=agent,path={port},server=on,wait=off",
            "-append", "quiet panic=-1 -- --listen serial:agent"])
        wait_for(lambda: os.path.exists(port), "a machine's port")
        self.serve([f"{build}/msb-relayd", "--agent", f"unix:{port}", "--listen", f"unix:{self.socket}"])

    def argv(self, command, stdin=False, tty=False):
        how = ["-tt"] if tty else [] if stdin else ["-n"]
        return [f"{self.build}/msb-exec", "-S", f"unix:{self.socket}", *how, "--", *command]

    def run(self, *command, **how):
        try:
            done = subprocess.run(self.argv(command, stdin="stdin" in how), check=False, timeout=LIMIT,
                                  stdout=-1, stderr=-1, **how)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name}: {command} did not end in the machine") from None
        if done.returncode:
            raise Failed(f"{self.name}: {command}: {done.stderr.decode()[-200:].strip()}")
        return done.stdout

    def answers(self):
        if self.qemu.poll() is not None:
            raise Failed(f"{self.name}: qemu has ended with {self.qemu.returncode}")
        ping = [f"{self.build}/msb-exec", "-q", "-S", f"unix:{self.socket}", "--ping"]
        try:
            return subprocess.run(ping, check=False, timeout=5, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def put(self, program):
        """A program into the machine; its path there."""
        path = "/tmp/" + os.path.basename(program)
        with open(program, "rb") as file:
            self.run("sh", "-c", f"cat >{path}; chmod +x {path}", stdin=file)
        return path


def put_static(bench, machines, name):
    """A helper into all machines, which have no libraries for it; its path there, or None where it cannot
    be linked so."""
    path = f"{bench.folder}/{name}.static"
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.c")
    done = subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static",
                           "-o", path, source], check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        return None
    return [machine.put(path) for machine in machines][0]


def rate(bench, machine, command, seconds):
    """KiB/s that come out of the machine."""
    screen = Screen(bench.helper("screen"), "pipe", 0, seconds,
                    machine.argv(command, stdin=True, tty=True))
    try:
        got, took, _ = screen.result()
    finally:
        screen.stop()
    machine.run(*QUIET)
    return got / 1024 / took


def local_rate(machine, screen, how, command, seconds):
    """KiB/s of a terminal's reader inside the machine."""
    got, took, _ = machine.run(screen, how, "0", str(seconds), *command).split()
    return int(got) / 1024 / float(took)


def measured(bench, machines):
    """{(load, key): [KiB/s]}"""
    times = 1 if bench.short else 3
    rates = {}
    screen, source = (put_static(bench, machines, name) for name in ("screen", "source"))
    for turn in range(times + 1):
        seconds = SECONDS if turn else WARM_UP
        for load, _, command in LOADS:
            if command[0] == "source":
                if not source:
                    continue
                command = [source, *command[1:]]
            for machine in machines:
                got = rate(bench, machine, command, seconds)
                rates.setdefault((load, machine.key), []).append(got)
            for key, (how, loads, _) in LOCAL.items():
                if screen and load in loads:
                    got = local_rate(machines[0], screen, how, command, seconds)
                    rates.setdefault((load, key), []).append(got)
    # The first has QEMU translate the code.
    return {of: some[1:] for of, some in rates.items()}


def start_machines(bench, machines):
    """Appends to machines, so that whoever called can end those that run."""
    for key, build, name in (("msb", bench.build, "msb-exec"),
                             ("base", bench.base_build, "msb-exec, earlier")):
        folder = f"{bench.folder}/port.{key}"
        if not build or (key == "base" and not os.path.exists(f"{build}/vm/guest.cpio")):
            continue
        os.mkdir(folder)
        machines.append(Machine(folder, build, key, name))


def port(bench):
    if not shutil.which("qemu-system-x86_64"):
        raise LeftOut("qemu-system-x86_64 is not installed")
    boots(bench.build)
    machines = []
    try:
        start_machines(bench, machines)
        for machine in machines:
            wait_for(machine.answers, f"a machine that answers, {machine.name}", BOOT)
        time.sleep(SETTLE)
        rates = measured(bench, machines)
    finally:
        for machine in machines:
            machine.stop()
    rows = []
    names = {**{key: name for key, (*_, name) in LOCAL.items()}, **{one.key: one.name for one in machines}}
    for load, text, _ in LOADS:
        for key, name in names.items():
            if (load, key) in rates:
                middle = bench.facts[f"port.{load}.{key}"] = p50(rates[load, key])
                rows.append([f"{name}, {text}", number(middle, 0),
                             ratio(middle, p50(rates[load, "base"])) if "base" in names else "-"])
    return [Table("Output of a terminal through an emulated virtio port, KiB/s",
                  ["way", "KiB/s p50", "to the earlier"], rows,
                  "busybox's `yes` and `head` in a machine of QEMU's without KVM, `msb-exec -tt` outside "
                  "of it whose stdout is a pipe.")]
