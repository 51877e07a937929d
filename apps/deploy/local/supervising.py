"""Keep a service running; `python -m apps.deploy.local.supervising FOLDER` does it from a shell.

It starts what `service.json` says in the release that is current now, and stays with that release:
starting it anew when it dies, each time a little later, until it is told to stop. It is told
through the named pipe `service.orders`: any byte is an order to stop, and so is a signal.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from ..errors import CommandFailed, DeployError, Unreachable
from ..model import Command, sha_of
from .durable import shown, write_all, write_whole
from .layout import current
from .locking import taken
from .minded import in_words, minded, predicate
from .minding import become_reaper, end_children, heard
from .service_log import ServiceLog

GRACE = 10.0  # seconds that a service gets to end
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before it is started anew
GOOD_RUN = 20.0  # seconds after which a death is the first one again


class Supervisor:
    """Whoever keeps one service running.

    Args:
        command: What to run.
        folder: The environment's.
        orders: Can be read when it is to stop.
        lock: Is held until the service has ended, whatever becomes of this process.
        started: Is called once, when the service has been started.
    """

    def __init__(
        self,
        command: Command,
        folder: Path,
        *,
        orders: int,
        lock: int,
        started: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._command, self._folder = command, folder
        self._orders, self._lock = orders, lock
        self._started, self._now = started, now
        self._release = current(folder)
        self._log = ServiceLog(folder / "service.log")
        self._restarts = 0

    def run(self) -> None:
        """Keep the service running until told to stop.

        Raises:
            CommandFailed: It could not be started the first time.
        """
        wait = FIRST_WAIT
        while True:
            began = monotonic()
            how = self._serve()
            end_children()  # those of a service whose minder was killed
            if not how:
                return
            if monotonic() - began > GOOD_RUN:
                wait = FIRST_WAIT
            self._note("fails", how=predicate(how), next=self._now() + timedelta(seconds=wait))
            if self._told(wait):
                return
            wait = min(2 * wait, LONGEST_WAIT)
            self._restarts += 1

    def _serve(self) -> str:
        """Run the service once; return how it ended, or nothing when it was told to."""
        place = self._folder / "releases" / self._release
        told = False
        with minded(self._command, place, kept=(self._lock,), grace=GRACE) as one:
            was = ""
            while not one.is_over:
                orders = [] if told else [self._orders]
                told = bool(one.listen(self._log.take, seconds=60, also=orders)) or told
                if told:
                    one.end()
                elif one.how != was:
                    was = self._hear(one.how)
        return "" if told else one.how

    def _hear(self, how: str) -> str:
        """Take note of a start, or of a command that cannot be started."""
        match how.split():
            case ["failed", *_] if not self._restarts:
                raise CommandFailed(f"{in_words(self._command, how)}; nothing runs.")
            case ["started", pid]:
                self._note("runs", pid=int(pid))
            case _:
                pass  # so soon over that its start was not heard
        self._started()
        return how

    def _told(self, seconds: float) -> bool:
        """Whether an order to stop comes within so many seconds."""
        return bool(select.select([self._orders], [], [], seconds)[0])

    def _note(self, state: str, **more: object) -> None:
        """Write down how it goes; on a full disk nobody can read it, and the service goes on."""
        about = {"state": state, "release": self._release, "restarts": self._restarts}
        about |= {"since": self._now()} | more
        with suppress(OSError):
            write_whole(self._folder / "service.state", json.dumps(about, default=str).encode())


def supervise(folder: Path, started: Callable[[], None], now: Callable[[], datetime]) -> None:
    """Keep the service of an environment running until told to stop.

    Raises:
        DeployError: It could not be started, or runs already.
        OSError: The folder cannot be written.
    """
    lock = taken(folder / "service.lock", patience=2)
    if lock is None:
        raise Unreachable(f"{shown(folder)}: its service runs already; it was left alone.")
    become_reaper()
    command = wanted(folder)
    release = current(folder)
    if not release:
        raise Unreachable(f"{shown(folder)}: there is no release to start; nothing runs.")
    about = {"RELEASE": release, "COMMIT": sha_of(release)}
    Supervisor(
        Command(words=command.words, env=dict(command.env) | about, seconds=float("inf")),
        folder,
        orders=orders(folder),
        lock=lock,
        started=started,
        now=now,
    ).run()


def wanted(folder: Path) -> Command:
    """Return what `service.json` says is to run.

    Raises:
        Unreachable: It is missing or says nothing of the kind.
    """
    try:
        found = json.loads((folder / "service.json").read_bytes())
        return Command(
            words=tuple(map(str, found["words"])),
            env={str(name): str(value) for name, value in found["env"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(
            f"{shown(folder)}: service.json does not say what to run; deploy once, then it will."
        ) from error


def orders(folder: Path) -> int:
    """Open the pipe through which orders come; signals come through it, too."""
    path = folder / "service.orders"
    with suppress(FileNotFoundError):
        path.unlink()  # an order that was left in it was for somebody else
    os.mkfifo(path, 0o600)
    file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    assert stat.S_ISFIFO(os.fstat(file).st_mode)
    signal.set_wakeup_fd(file, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, heard)
    return file


def main() -> int:
    """Go on in the background; return 0 as soon as the service has been started."""
    folder = Path(sys.argv[1]).absolute()
    reading, writing = os.pipe()
    if os.fork() == 0:
        _in_background(folder, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    if said != "started":
        sys.stderr.write((said or f"{shown(folder)}: its service could not be started.") + "\n")
    return 0 if said == "started" else 1


def _in_background(folder: Path, writing: int) -> None:
    """Supervise in a session of its own that has no terminal and no open file of anybody."""
    telling: list[int] = [writing]

    def tell(what: str = "started") -> None:
        while telling:
            with suppress(OSError):
                write_all(telling[0], what.encode())
            os.close(telling.pop())

    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for file in (0, 1, 2):
            os.dup2(nothing, file)
        os.closerange(3, writing)
        os.closerange(writing + 1, 1 << 16)
        os.chdir("/")
        supervise(folder, tell, lambda: datetime.now(UTC))
    except (DeployError, OSError) as error:
        tell(str(error))
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
