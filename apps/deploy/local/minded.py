"""Start a command together with somebody who minds it, and hear from both."""

from __future__ import annotations

import errno
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import CommandFailed
from ..model import Command
from .durable import shown

MINDING = Path(__file__).with_name("minding.py")
GRACE = 3.0  # seconds between being asked to end and being killed
CHUNK = 1 << 16


class Minded:
    """A command that runs, and the process that minds it.

    Attributes:
        how: How it ended: `exit N`, `signal N`, `late`, `told`, `failed ERRNO`; before that, empty
            or `started PID`.
        is_over: Whether nothing of it runs any more.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], output: int, status: int, leash: int
    ) -> None:
        self.how, self.is_over = "", False
        self._process, self._output, self._status = process, output, status
        self._leash: int | None = leash
        self._said = b""

    def listen(
        self, take: Callable[[bytes], object], *, seconds: float, also: Sequence[int] = ()
    ) -> list[int]:
        """Wait until there is something to hear; return which of the files `also` can be read.

        Args:
            take: Gets what the command has printed.
            seconds: How long to wait for anything.
        """
        poll = select.poll()
        for file in (self._output, self._status, *also):
            poll.register(file, select.POLLIN)
        heard = [file for file, _ in poll.poll(max(0.0, min(seconds, 3600.0)) * 1000)]
        if self._output in heard:
            take(_read(self._output))
        if self._status in heard:
            self._hear(_read(self._status))
        if self.is_over:
            # Bounded, since on some systems one that got away may still be printing.
            for _ in range(100):
                if not (rest := _read(self._output)):
                    break
                take(rest)
        return [file for file in also if file in heard]

    def _hear(self, said: bytes) -> None:
        self._said += said
        lines = self._said.decode().splitlines()
        self.how = lines[-1] if lines else ""
        if not said:
            self.is_over = True
            if not self.how or self.how.startswith("started"):
                self.how = "lost"
                # Whoever minded it was killed. Not waited for yet, its number is nobody else's.
                end_session(self._process.pid)
            self._process.wait()

    def end(self) -> None:
        """Let it end: first it is asked to, after its grace it is killed."""
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None

    def close(self, seconds: float) -> bool:
        """End it, and return whether nothing of it is left after so many seconds."""
        self.end()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            os.close(self._output)
            os.close(self._status)
        return True


def _read(file: int) -> bytes:
    """Read what is there now; empty at the end, or when there is nothing."""
    try:
        return os.read(file, CHUNK)
    except BlockingIOError:
        return b""


@contextmanager
def minded(
    command: Command, folder: Path, *, kept: Sequence[int] = (), grace: float = GRACE
) -> Generator[Minded]:
    """Start a command with somebody who minds it; it has ended when the block has.

    Raises:
        CommandFailed: Nobody could be started to mind it, or something of it cannot be ended.
    """
    if not command.words or any("\0" in word for word in command.words):
        raise CommandFailed("A command needs at least one word, and none with a zero in it.")
    pipes = leash, holding, output, printing, status, saying = (*os.pipe(), *os.pipe(), *os.pipe())
    try:
        words = [str(saying), str(command.seconds), str(grace), ",".join(map(str, kept))]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(MINDING), *words, *command.words],
            cwd=folder,
            env=surroundings() | dict(command.env),
            stdin=leash,
            stdout=printing,
            stderr=printing,
            pass_fds=(saying, *kept),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else errno.EINVAL
        for file in pipes:
            os.close(file)
        raise CommandFailed(f"{in_words(command, f'failed {number}')}.") from error
    for file in (leash, printing, saying):
        os.close(file)
    for file in (output, status):
        os.set_blocking(file, False)
    one = Minded(process, output, status, holding)
    try:
        yield one
    finally:
        if not one.close(grace + 5):
            raise CommandFailed(f"{in_words(command, 'stuck')}.")


def end_session(leader: int) -> None:
    """Kill every process of a session whose leader has died; only Linux lists them."""
    killed, found = {leader}, {leader}
    while found:
        found = {pid for pid in _processes() - killed if _session(pid) == leader}
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= found


def _processes() -> set[int]:
    try:
        return {int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()}
    except OSError:
        return set()


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def surroundings() -> dict[str, str]:
    """Return what a command may know of where it runs: never a key of the deploying process."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def in_words(command: Command, how: str) -> str:
    """Say how a command ended, as the beginning of a sentence."""
    name = shown(shlex.join(command.words))[:300] or "The command"
    if how == "late":
        return f"{name} took more than {command.seconds:g} seconds and was ended"
    return f"{name} {predicate(how)}"


def predicate(how: str) -> str:
    """Say how something ended, without its name."""
    match how.split():
        case ["exit", code]:
            return f"ended with {code}"
        case ["signal", number]:
            return f"was ended by {_signal(int(number))}"
        case ["failed", number]:
            return f"could not be started: {os.strerror(int(number)).lower()}"
        case ["stuck"]:
            return "does not end, although it was killed"
        case _:
            return "was ended, together with the process that minded it"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
