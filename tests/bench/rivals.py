"""The ways to run a command: ours and those it is measured beside. Each is a Way, which starts its
servers in a private folder; what cannot run here raises Failed with the reason."""
import atexit
import json
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import time

from procs import Failed, descendants, end, start, wait_for

BUFFER = "-b65536"


class Way:
    """One way to run a command. argv() is None for what it cannot do."""

    name = ""
    key = ""

    def __init__(self, folder):
        self.folder = folder
        self.servers = []

    def serve(self, argv, **how):
        self.servers.append(start(argv, **how))
        return self.servers[-1]

    def argv(self, command, stdin=False, tty=False):
        """How a client is called: with its stdin in use, or with a terminal, or with neither."""
        raise NotImplementedError

    def relays(self):
        """The pids of the server side as it is now, without the commands that it runs."""
        return [server.pid for server in self.servers]

    def stop(self):
        for server in reversed(self.servers):
            end(server)


class Local(Way):
    name, key = "run it locally", "local"

    def argv(self, command, stdin=False, tty=False):
        return command


class Msb(Way):
    name, key = "msb-exec", "msb"

    def __init__(self, folder, build):
        super().__init__(folder)
        self.build = build
        self.socket = f"{folder}/{self.key}.sock"
        self.daemon = self.serve([f"{build}/msb-execd", "--listen", f"unix:{self.socket}"])
        wait_for(lambda: os.path.exists(self.socket), self.socket)

    def argv(self, command, stdin=False, tty=False):
        how = ["-tt"] if tty else [] if stdin else ["-n"]
        return [f"{self.build}/msb-exec", "-S", f"unix:{self.socket}", *how, "--", *command]


class MsbStatic(Msb):
    name, key = "msb-exec, static", "static"


class MsbBase(Msb):
    """An earlier one of ours, which must not have been better."""

    name, key = "msb-exec, earlier", "base"


class Socat(Way):
    """A listener for each command, since the server is what names it."""

    name, key = "socat, Unix socket to EXEC, 64 KiB", "socat"

    def __init__(self, folder):
        if not shutil.which("socat"):
            raise Failed("socat is not installed")
        super().__init__(folder)
        self.sockets = {}

    def argv(self, command, stdin=False, tty=False):
        if tty or any(set(word) & set(" \t\"'\\:,!()[]{}") for word in command):
            return None
        text = " ".join(command)
        if text not in self.sockets:
            path = f"{self.folder}/socat{len(self.sockets)}"
            self.serve(["socat", BUFFER, f"UNIX-LISTEN:{path},fork", f"EXEC:{text}"])
            wait_for(lambda: os.path.exists(path), path)
            self.sockets[text] = path
        to = f"UNIX-CONNECT:{self.sockets[text]}"
        if stdin:
            return ["socat", BUFFER, "-", to]
        return ["socat", "-u", BUFFER, to, "STDOUT"]

    def relays(self):
        return [pid for server in self.servers
                for pid in (server.pid, *descendants(server.pid, "socat"))]


class Ssh(Way):
    """A daemon on loopback with keys of its own, and one master connection to it."""

    name, key = "ssh, ControlMaster on loopback", "ssh"

    def __init__(self, folder):
        daemon = shutil.which("sshd") or "/usr/sbin/sshd"
        if not shutil.which("ssh") or not os.access(daemon, os.X_OK):
            raise Failed("the OpenSSH client and server are not both installed")
        super().__init__(folder)
        if os.geteuid() == 0 and not os.path.exists("/run/sshd"):
            os.mkdir("/run/sshd", 0o755)
            atexit.register(os.rmdir, "/run/sshd")
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                            f"{folder}/{name}"], check=True, stdin=subprocess.DEVNULL)
        os.mkdir(f"{folder}/home")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.listener = self.serve([
            daemon, "-D", "-f", "/dev/null", "-p", str(port), "-h", f"{folder}/host",
            *self.options(ListenAddress="127.0.0.1", StrictModes="no", UsePAM="no",
                          AuthorizedKeysFile=f"{folder}/user.pub", PidFile="none",
                          MaxSessions="2000", AcceptEnv="BENCH_*",
                          # Start-up files of whoever runs this are not what is compared.
                          SetEnv=f"HOME={folder}/home")])
        self.client = ["ssh", "-F", "/dev/null", "-p", str(port), "-i", f"{folder}/user",
                       *self.options(ControlPath=f"{folder}/master", StrictHostKeyChecking="no",
                                     UserKnownHostsFile="/dev/null", LogLevel="QUIET",
                                     IdentitiesOnly="yes")]
        self.user = pwd.getpwuid(os.geteuid()).pw_name + "@127.0.0.1"
        self.master = self.connect()

    @staticmethod
    def options(**options):
        return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def connect(self):
        """The master, once a command has run through it."""
        for _ in range(30):
            master = self.serve([*self.client, "-o", "BatchMode=yes", "-n", "-M", "-N", self.user])
            while master.poll() is None and not os.path.exists(f"{self.folder}/master"):
                time.sleep(0.02)
            if master.poll() is None and subprocess.run(
                    self.argv(["true"]), check=False, timeout=20).returncode == 0:
                return master
            self.servers.remove(master)
            end(master)
            if self.listener.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise Failed("no connection to an sshd of our own came about")

    def argv(self, command, stdin=False, tty=False, env=()):
        how = ["-tt"] if tty else [] if stdin else ["-n"]
        if env:
            how += ["-o", "SetEnv=" + " ".join(env)]
        return [*self.client, *how, self.user, shlex.join(command)]

    def relays(self):
        return [self.master.pid, self.listener.pid, *descendants(self.listener.pid, "sshd")]


class Crun(Way):
    """A running container whose files are this machine's."""

    name, key = "crun exec", "crun"

    def __init__(self, folder):
        if not shutil.which("crun"):
            raise Failed("crun is not installed")
        if os.geteuid() != 0:
            raise Failed("crun needs to be run as root")
        super().__init__(folder)
        self.crun = ["crun", "--root", f"{folder}/crun", "--cgroup-manager=disabled"]
        self.id = f"bench{os.getpid()}"
        bundle = f"{folder}/bundle"
        os.makedirs(f"{bundle}/rootfs")
        subprocess.run(["crun", "spec"], cwd=bundle, check=True)
        self.configure(bundle)
        with open(f"{folder}/crun.log", "w+b") as log:
            # The container keeps the log, so it is a file and no pipe.
            done = subprocess.run([*self.crun, "run", "-d", "-b", bundle, self.id], check=False,
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=20)
            log.seek(0)
            if done.returncode:
                self.stop()
                raise Failed("crun cannot run here: " + log.read().decode().strip())

    def configure(self, bundle):
        with open(f"{bundle}/config.json", encoding="utf-8") as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=["sleep", "1000000"])
        config["root"] = {"path": "rootfs"}
        mounts = [mount for mount in config["mounts"]
                  if mount["destination"] in ("/proc", "/dev", "/dev/pts", "/dev/shm")]
        # Programs, and the folder that is common to all ways: helpers and scripts are there.
        common = os.path.dirname(os.path.dirname(self.folder))
        for path in ("/bin", "/sbin", "/lib", "/lib64", "/usr", "/etc", common):
            if os.path.islink(path):
                os.symlink(os.readlink(path), f"{bundle}/rootfs{path}")
            elif os.path.exists(path):
                mounts.append({"destination": path, "source": path, "type": "bind",
                               "options": ["bind", "ro"]})
        config["mounts"] = mounts
        linux = config["linux"]
        linux.pop("resources", None)
        linux["namespaces"] = [one for one in linux["namespaces"] if one["type"] != "cgroup"]
        with open(f"{bundle}/config.json", "w", encoding="utf-8") as file:
            json.dump(config, file)

    def argv(self, command, stdin=False, tty=False, env=()):
        how = ["--tty"] if tty else []
        if env:  # which takes the place of what the container has
            env = ("PATH=/usr/bin:/bin", *env)
        how += [word for entry in env for word in ("--env", entry)]
        return [*self.crun, "exec", *how, self.id, *command]

    def stop(self):
        subprocess.run([*self.crun, "delete", "-f", self.id], check=False, timeout=20,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Relay(Way):
    """What two hops cost at least; it only knows terminals."""

    name, key = "bare relay of two hops", "relay"

    def __init__(self, folder, program):
        super().__init__(folder)
        self.program = program
        self.socket = f"{folder}/relay.sock"
        self.serve([program, "serve", self.socket])
        wait_for(lambda: os.path.exists(self.socket), self.socket)

    def argv(self, command, stdin=False, tty=False):
        return [self.program, self.socket, *command]

    def relays(self):
        return [pid for server in self.servers
                for pid in (server.pid, *descendants(server.pid, "relay"))]


class Ways(dict):
    """{key: way}: all that can run here, and in skipped why others cannot."""

    def __init__(self, folder, bench, keys=None):
        super().__init__()
        self.skipped = {}
        os.makedirs(folder)
        kinds = ((Local,), (Msb, bench.build), (MsbStatic, bench.static_build),
                 (MsbBase, bench.base_build), (Socat,), (Ssh,), (Crun,),
                 (Relay, bench.helper("relay")))
        for kind, *more in kinds:
            if (keys and kind.key not in keys) or more == [None]:
                continue
            own = f"{folder}/{kind.key}"
            os.mkdir(own)
            try:
                self[kind.key] = kind(own, *more)
            except (Failed, OSError, subprocess.SubprocessError) as error:
                if kind in (Local, Msb, MsbStatic, MsbBase):
                    raise
                self.skipped[kind.name] = str(error)

    def some(self, *keys):
        """Those of these that run here, in this order."""
        return {key: self[key] for key in keys if key in self}

    def stop(self):
        for way in self.values():
            way.stop()
