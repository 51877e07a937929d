"""Print what happens, in colour where there is a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from .agent import Says, Sees, Step

MOST_LINES = 12
WIDEST = 100


class Story:
    """Tells steps, questions and decisions in the order in which they happen."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def tell(self, steps: Iterable[Step]) -> None:
        """Print each step as it comes; of a long answer its beginning."""
        for step in steps:
            match step:
                case Says(text=text):
                    self._console.print(Text.assemble(("agent: ", "bold cyan"), text))
                case Sees(text=text, is_refusal=is_refusal):
                    self._answer(text.splitlines(), "red" if is_refusal else "")
                case _:
                    assert_never(step)

    def say(self, *lines: str) -> None:
        """Print lines as they are."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def frame(self, title: str, text: Text, style: str) -> None:
        """Print a text in a frame."""
        self._console.print(Panel(text, title=title, border_style=style, width=self.width + 4))

    @property
    def width(self) -> int:
        """Columns inside a frame."""
        return min(self._console.width, WIDEST) - 4

    def _answer(self, lines: list[str], style: str) -> None:
        more = [f"… {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
        for line in [*lines[:MOST_LINES], *more]:
            self._console.print(Text(f"  {line}", style), soft_wrap=True)
