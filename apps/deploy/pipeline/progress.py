"""Show the stages of a deploy while they happen: drawn on a terminal, in plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self, assert_never

from rich.console import Console
from rich.status import Status
from rich.text import Text

from ..describing import SHORT
from ..model import sha_of
from .plain import printable
from .stages import Stage

WIDE = 9  # letters of the longest name of a stage, and one more


class Progress:
    """Tells people about stages; within `with`, what it has drawn last is cleared at the end."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on standard error by default, which is no part of a result."""
        self._console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._heading = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def __call__(self, stage: Stage) -> None:
        """Show how far a stage is."""
        self._clear()
        heading = f"{stage.environment}: {sha_of(stage.release)[:SHORT]}"
        if heading != self._heading:
            self._heading = heading
            self._say(Text(heading, style="bold"))
        match stage.state:
            case "running":
                if self._console.is_terminal:
                    self._status = self._console.status(Text(f"{stage.name} ..."))
                    self._status.start()
            case "done":
                self._line("✓", "green", stage, f"{stage.seconds:.1f} s")
            case "failed":
                why = f"{stage.seconds:.1f} s  {printable(stage.text, most=120)}"
                self._line("✗", "red", stage, why)
            case "skipped":
                self._line("-", "dim", stage, printable(stage.text))
            case _:
                assert_never(stage.state)

    def _line(self, mark: str, style: str, stage: Stage, rest: str) -> None:
        name = stage.name.ljust(WIDE)
        self._say(Text.assemble("  ", (mark, style), f" {name} ", (rest, "dim")))

    def _say(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _clear(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
