"""Small places to deploy to, for tests: one in memory that fails when told to, and a real service.

- `FakeTarget(port)` is a target in memory; its service answers as the file `health` of the current
  release says: a status, and then a body.
- `files(health)` is a commit's files for it.
- `place(target)` is the environment around it.
- `http(answer)` answers each connection with bytes.
"""

import socket
import threading
from contextlib import contextmanager

from apps.deploy.config.settings import Commands, Here
from apps.deploy.errors import Busy, CommandFailed, Unreachable
from apps.deploy.model import Entry
from apps.deploy.pipeline.place import Place


class Dead(BaseException):
    """What a process that was killed would have done next."""


@contextmanager
def http(answer):
    """Answer each connection with what `answer(request)` returns, in bytes; yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connected, _ = listening.accept()
            except OSError:
                return
            with connected:
                try:
                    said = answer(connected.recv(10_000))
                    for piece in [said] if isinstance(said, bytes) else said:
                        connected.sendall(piece)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def response(status, body=b""):
    """Return an answer in HTTP."""
    return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def files(health="200 fine", **more):
    """Return what a commit holds, as a repository yields it."""
    named = {"health": health, **more}
    return [
        (Entry(path=name.encode(), mode="100644", oid="0" * 40), text.encode())
        for name, text in named.items()
    ]


class FakeTarget:
    """Releases in memory.

    Attributes:
        calls: What was called, in order.
        fails: By name of a call, what it raises.
        fails_once: The same, for the next time only.
        dies_at: The number of the call before which the process is killed, if any; counted are
            those that change something.
    """

    def __init__(self):
        self.where = "memory"
        self.complete_ones, self.unfinished, self.lines = {}, {}, []
        self.now_current, self.serving = "", None
        self.calls, self.fails, self.fails_once = [], {}, {}
        self.dies_at = None
        self.is_held, self.is_dead = False, False

    def _did(self, name):
        if self.is_dead or (self.dies_at is not None and len(self.calls) >= self.dies_at):
            self.is_dead = True
            raise Dead
        self.calls.append(name)
        if name in self.fails_once:
            raise self.fails_once.pop(name)
        if name in self.fails:
            raise self.fails[name]

    @contextmanager
    def locked(self, who):
        if self.is_held:
            raise Busy("Somebody deploys to memory.")
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False

    def begin(self, release, some):
        self._did("begin")
        self.unfinished[release] = {entry.path.decode(): data for entry, data in some}

    def run(self, release, command, log):
        self._did(f"run {command.words[0]}")
        self.ran = command
        said = self.unfinished.get(release, {}) | self.complete_ones.get(release, {})
        log(said.get("prints", b""))
        if command.words[0].encode() == said.get("breaks"):
            raise CommandFailed(f"{command.words[0]} ended with 1; it printed last: x")

    def complete(self, release):
        self._did("complete")
        self.complete_ones[release] = self.unfinished.pop(release)

    def switch(self, release):
        self._did("switch")
        assert release in self.complete_ones
        self.now_current = release

    def restart(self):
        self._did("restart")
        self.serving = self.now_current

    def stop(self):
        self._did("stop")
        self.serving = None

    def sweep(self, *, keep, protect=()):
        self._did("sweep")
        self.unfinished.clear()
        stay = {self.now_current, *protect, *sorted(self.complete_ones)[-keep:]}
        gone = [name for name in self.complete_ones if name not in stay]
        for name in gone:
            del self.complete_ones[name]
        return gone

    def append(self, line):
        self._did("append")
        self.lines.append(line)

    def history(self):
        if "history" in self.fails:
            raise self.fails["history"]
        return list(self.lines)

    def current(self):
        if "current" in self.fails:
            raise self.fails["current"]
        return self.now_current

    def releases(self):
        return sorted(self.complete_ones)

    def service(self):
        return "runs" if self.serving else "stopped"

    def service_log(self, lines):
        return ""

    def answer(self, _):
        """Answer over HTTP as the release that serves would."""
        if self.serving is None:
            return b""
        status, _, body = self.complete_ones[self.serving]["health"].decode().partition(" ")
        return response(int(status), body.encode())

    def unreachable(self, *names):
        """Let some calls fail as they do when the line is cut."""
        self.fails |= {name: Unreachable("memory cannot be reached.") for name in names}


def place(target, port, logs, *, keep=5, build=("build",), test=("test",), seconds=0.4):
    """Return the environment around a target."""
    return Place(
        name="staging",
        target=target,
        settings=Here(
            folder="memory",
            health=f"http://127.0.0.1:{port}/health",
            health_seconds=seconds,
            env={"PORT": str(port)},
        ),
        commands=Commands(build=build, test=test, start=("start",), seconds=5.0),
        keep=keep,
        logs=logs,
    )
