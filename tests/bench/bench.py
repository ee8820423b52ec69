#!/usr/bin/env python3
"""Times msb-exec beside what people use today, interleaved in one run, and prints a table.

Usage: bench.py BUILD_DIR. Rivals that are not installed are left out. Servers listen on a Unix
socket or on loopback, in a private folder, and end with this program.
"""
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "200"))
MEBIBYTES = int(os.environ.get("BENCH_MIB", "1024"))
SSH_PORT = "22022"


def timed(argv, **streams):
    """Milliseconds from the start of argv to its end."""
    begin = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, **streams)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"bench: {argv} ended with {status}")
    return (time.perf_counter() - begin) * 1000


def wait_for(path):
    for _ in range(200):
        if os.path.exists(path):
            return
        time.sleep(0.02)
    sys.exit(f"bench: {path} did not appear")


class Servers:
    """The daemons of all sides, ended by process id."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, argv):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def stop(self):
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def msb_exec(servers, build):
    path = f"{servers.folder}/msb"
    servers.start([f"{build}/msb-execd", "--listen", f"unix:{path}"])
    wait_for(path)
    return lambda command: [f"{build}/msb-exec", "-S", f"unix:{path}", "-n", "--", *command]


def socat(servers):
    if not shutil.which("socat"):
        return None

    def run(command):
        path = f"{servers.folder}/socat-{abs(hash(tuple(command)))}"
        if not os.path.exists(path):
            servers.start(["socat", "-b65536", f"UNIX-LISTEN:{path},fork",
                           "EXEC:" + " ".join(command)])
            wait_for(path)
        return ["socat", "-u", "-b65536", f"UNIX-CONNECT:{path}", "STDOUT"]
    return run


def ssh(servers):
    """A daemon on loopback with keys of its own, and one master connection to it."""
    daemon = shutil.which("sshd") or "/usr/sbin/sshd"
    if not shutil.which("ssh") or not os.path.exists(daemon) or os.geteuid() != 0:
        return None
    folder = servers.folder
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"],
                       check=True)
    shutil.copy(f"{folder}/user.pub", f"{folder}/authorized")
    os.makedirs("/run/sshd", exist_ok=True)
    servers.start([daemon, "-D", "-f", "/dev/null", "-p", SSH_PORT, "-h", f"{folder}/host",
                   "-o", "ListenAddress=127.0.0.1", "-o", "StrictModes=no", "-o", "UsePAM=no",
                   "-o", f"AuthorizedKeysFile={folder}/authorized", "-o", "PidFile=none",
                   # Start-up files of whoever runs this are not what is compared.
                   "-o", f"SetEnv=HOME={folder}/home"])
    os.makedirs(f"{folder}/home")
    client = ["ssh", "-F", "/dev/null", "-p", SSH_PORT, "-i", f"{folder}/user",
              "-o", f"ControlPath={folder}/master", "-o", "StrictHostKeyChecking=no",
              "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=QUIET", "-n"]
    for _ in range(50):
        if os.path.exists(f"{folder}/master"):
            break
        servers.start([*client, "-M", "-N", "root@127.0.0.1"])
        time.sleep(0.3)
    else:
        return None
    return lambda command: [*client, "root@127.0.0.1", *command]


def latency(ways):
    samples = {name: [] for name in ways}
    for round_number in range(ROUNDS + 10):
        for name, argv in ways.items():
            ms = timed(argv(["true"]))
            if round_number >= 10:
                samples[name].append(ms)
    return samples


def throughput(ways):
    """MiB/s of stdout into a pipe whose reader throws it away."""
    command = ["head", "-c", f"{MEBIBYTES}M", "/dev/zero"]
    samples = {name: [] for name in ways}
    for _ in range(5):
        for name, argv in ways.items():
            begin = time.perf_counter()
            process = subprocess.Popen(argv(command), stdout=subprocess.PIPE)
            left = MEBIBYTES << 20
            while chunk := os.read(process.stdout.fileno(), 1 << 20):
                left -= len(chunk)
            process.wait()
            if left:
                sys.exit(f"bench: {name} lost {left} bytes")
            samples[name].append(MEBIBYTES / (time.perf_counter() - begin))
    return samples


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(folder)
        try:
            ways = {"run it locally": lambda command: command, "msb-exec": msb_exec(servers, build)}
            for name, way in (("socat, EXEC", socat(servers)), ("ssh, ControlMaster", ssh(servers))):
                if way:
                    ways[name] = way
            ms, rate = latency(ways), throughput(ways)
        finally:
            servers.stop()
    ours, our_rate = statistics.median(ms["msb-exec"]), statistics.median(rate["msb-exec"])
    print(f"| {ROUNDS} rounds, interleaved; {MEBIBYTES} MiB | `true`, ms p50 | p95 | against msb-exec"
          " | stdout MiB/s p50 | against msb-exec |")
    print("|---|---|---|---|---|---|")
    for name in ways:
        p50 = statistics.median(ms[name])
        p95 = statistics.quantiles(ms[name], n=20)[18]
        mib = statistics.median(rate[name])
        print(f"| {name} | {p50:.2f} | {p95:.2f} | {p50 / ours:.2f}x | {mib:.0f} | "
              f"{mib / our_rate:.2f}x |")


if __name__ == "__main__":
    main()
