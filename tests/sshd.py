"""A real OpenSSH server for tests: on loopback, with a host key and a user key of its own.

    python -m tests.sshd      # find a server or install one, and say which

A test module takes what it needs by name:

    sshd = ssh_server.sshd

Whoever runs the tests is who logs in, so they run as root and as anybody else.
"""

import contextlib
import fcntl
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

SECONDS_TO_INSTALL = 600
SECONDS_TO_START = 10
PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin")
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxStartups 100
MaxSessions 100
SetEnv LEFT_BY_THE_SERVER=1 HOME={folder}/home
"""


class NoServer(Exception):
    """There is no SSH server and none could be installed; the message says what to do."""


def found():
    """Return the path of sshd, or `None`; it lies where ordinary people do not look."""
    return shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), *PLACES]))


def installed():
    """Return the path of sshd, installing it when there is none.

    Raises:
        NoServer: It could not be installed.
    """
    with Path(tempfile.gettempdir(), f"sshd-{os.getuid()}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several workers find at once that there is none
        tried = []
        for command in commands():
            if path := found():
                return path
            print(f"There is no sshd here: {' '.join(command)}", file=sys.stderr, flush=True)
            tried.append(problem(command))
        if path := found():
            return path
    raise NoServer(
        "No SSH server was found and none could be installed, and tests need one. On Debian: apt"
        f" install openssh-server ({'; '.join(tried) or 'only root can install it'})"
    )


def commands():
    """Yield ways to get a server, in the order in which to try them."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        yield ["apt-get", "update", "-qq"]
        yield ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "openssh-server"]


def problem(command):
    """Run a command and return how it ended, in a few words."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS_TO_INSTALL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
    return f"{' '.join(command[:3])}: status {done.returncode} {last}".strip()


class Server:
    """A running sshd, and what somebody who logs in needs to know."""

    def __init__(self, folder, config=""):
        self.folder, self.config = folder, config
        self.path = installed()
        self.user = getpass.getuser()
        self.key = keys(folder / "user")
        self.host_key = keys(folder / "host")
        self.known_hosts = folder / "known_hosts"
        (folder / "authorized_keys").write_text(self.public("user"))
        (folder / "home").mkdir()  # a developer's own startup files have no part in tests
        self.start()

    @property
    def host(self):
        """Who logs in where, as deploy.toml has it."""
        return f"{self.user}@127.0.0.1"

    def public(self, name):
        """Return a public key as one line."""
        return (self.folder / f"{name}.pub").read_text()

    def start(self):
        """Start on a free port, and let the host be known by it."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks up its unprivileged half
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        text = CONFIG.format(port=self.port, folder=self.folder) + self.config
        if version(self.path) >= (9, 8):
            text += "PerSourcePenalties no\n"  # tests are turned away on purpose, and come again
        (self.folder / "config").write_text(text)
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {self.public('host')}")
        self.log = (self.folder / "log").open("w")
        self.process = subprocess.Popen(
            [self.path, "-D", "-e", "-f", self.folder / "config"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        end = time.monotonic() + SECONDS_TO_START
        while not answers(self.port):
            said = (self.folder / "log").read_text()
            assert self.process.poll() is None and time.monotonic() < end, said
            time.sleep(0.02)

    def sessions(self):
        """Return the processes that serve those who are logged in now."""
        ours = [*below(self.process.pid)]
        return [pid for pid in ours if name_of(pid).startswith("sshd")]

    def accepted(self):
        """Return how often somebody was let in."""
        return (self.folder / "log").read_text().count("Accepted publickey")

    def cut(self):
        """End every connection at once, as a broken cable or a killed process would."""
        self.tell(signal.SIGKILL)

    def tell(self, number):
        """Send a signal to every session."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self):
        """End it and everything it serves."""
        self.cut()
        self.process.kill()
        self.process.wait()
        self.log.close()


def keys(path, passphrase=""):
    """Make a pair of keys and return the path of the private one."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", path]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return path


def version(path):
    """Return OpenSSH's version as two numbers."""
    said = subprocess.run([path, "-V"], capture_output=True, text=True)
    numbers = re.search(r"OpenSSH_(\d+)\.(\d+)", said.stdout + said.stderr)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def answers(port):
    """Whether an SSH server says hello on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as wire:
            return wire.recv(4) == b"SSH-"
    except OSError:
        return False


def below(pid):
    """Yield the processes that a process has started, and those that they have."""
    for child in children(pid):
        yield child
        yield from below(child)


def children(pid):
    """Return the processes whose parent this one is."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def name_of(pid):
    """Return the name of a running process, or nothing."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """A server for the tests of a module; without one they fail."""
    server = Server(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


def main():
    """Find or install a server and say where it is."""
    try:
        print(f"The tests' SSH server: {found() or installed()}")
    except NoServer as nothing:
        print(nothing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
