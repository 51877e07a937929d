"""One stage of a pipeline: its log, its time, and what is told about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO, Literal, TypeAlias

from ..errors import Unreachable
from .plain import last_lines

State: TypeAlias = Literal["running", "done", "failed", "skipped"]
MOST_LOGGED = 11_000_000  # bytes of one stage
LINES_QUOTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far a stage is.

    Attributes:
        name: `"checkout"`, `"build"`, `"test"`, `"release"`, `"switch"`, `"restart"`, `"health"`,
            `"return"`, or the name of a task.
        seconds: How long it has taken; 0 while it runs.
        text: Why it has failed or was skipped.
    """

    environment: str
    release: str
    name: str
    state: State
    seconds: float = 0.0
    text: str = ""


Tell: TypeAlias = Callable[[Stage], object]
Log: TypeAlias = Callable[[bytes], object]


def silent(_: Stage) -> None:
    """Tell nobody."""


class Stages:
    """The stages of one deploy, in the order in which they come."""

    def __init__(
        self,
        environment: str,
        release: str,
        folder: Path,
        *,
        tell: Tell = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin nothing yet.

        Args:
            folder: Where each stage gets a file for what it prints; made when first needed.
        """
        self.environment, self.release, self.folder = environment, release, folder
        self.done: list[Stage] = []
        self.remarks: list[str] = []
        self._tell, self._clock = tell, clock

    @contextmanager
    def stage(self, name: str) -> Generator[Log]:
        """Do one stage; what it hands to the log is on disk when it ends.

        Raises:
            Unreachable: The log cannot be written.
        """
        stage = self._named(name)
        began = self._clock()
        self._say(stage)
        try:
            with _log(self.folder / f"{name}.log") as log:
                yield log
        except BaseException as error:
            text = str(error).partition("\n")[0] or type(error).__name__
            self._ended(replace(stage, state="failed", seconds=self._clock() - began, text=text))
            if isinstance(error, OSError):
                raise Unreachable(f"The log of {name} cannot be written: {error}.") from error
            raise
        self._ended(replace(stage, state="done", seconds=self._clock() - began))

    def leave_out(self, name: str, because: str) -> None:
        """Say that a stage is left out."""
        self._ended(replace(self._named(name), state="skipped", text=because))

    def has(self, name: str) -> bool:
        """Tell whether a stage was begun and has ended, whichever way."""
        return any(stage.name == name for stage in self.done)

    def last_words(self) -> str:
        """Return what the last stage has printed at its end, as the end of a message."""
        name = self.done[-1].name if self.done else ""
        lines = last_lines(self.folder / f"{name}.log", LINES_QUOTED)
        return "\nIt printed last:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""

    def _named(self, name: str) -> Stage:
        return Stage(environment=self.environment, release=self.release, name=name, state="running")

    def _ended(self, stage: Stage) -> None:
        self.done.append(stage)
        self._say(stage)

    def _say(self, stage: Stage) -> None:
        with suppress(OSError):  # a screen that is gone must not undo a deploy
            self._tell(stage)


@contextmanager
def _log(path: Path) -> Generator[Log]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        yield _Bounded(file).write


class _Bounded:
    """Keeps the beginning of what a command prints, however much that is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, MOST_LOGGED

    def write(self, data: bytes) -> None:
        if self._left > 0:
            self._file.write(data[: self._left])
            self._left -= len(data)
            if self._left <= 0:
                self._file.write(b"\n... the rest was not kept\n")
            self._file.flush()


def durations(stages: Iterable[Stage]) -> str:
    """Return what each stage took.

    >>> durations([Stage(environment="", release="", name="test", state="done", seconds=1.23)])
    'test 1.2 s'
    """
    return ", ".join(
        f"{stage.name} {stage.seconds:.1f} s" if stage.state != "skipped" else f"no {stage.name}"
        for stage in stages
    )


def forget(folder: Path, *, keep: int) -> None:
    """Remove the logs of all but the newest releases of an environment."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    for name in names[: max(0, len(names) - keep)]:
        rmtree(folder / name, ignore_errors=True)
