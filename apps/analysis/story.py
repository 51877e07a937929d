"""Print what happens, in colour where there is a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

MOST_LINES = 12


class Story:
    """Tells steps, questions and decisions in the order in which they happen."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def say(self, *lines: str) -> None:
        """Print lines as they are."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def steps(self, steps: Iterable[str]) -> None:
        """Print what each step of the agent gave; of a long table its beginning."""
        for step in steps:
            lines = step.splitlines()
            more = [f"… {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
            self._console.print(Text("agent", "bold cyan"))
            self.say(*(f"  {line}" for line in [*lines[:MOST_LINES], *more]))

    def frame(self, title: str, text: Text, style: str) -> None:
        """Print a text in a frame."""
        self._console.print(Panel(text, title=title, border_style=style))

    @property
    def width(self) -> int:
        """Columns inside a frame."""
        return min(self._console.width, 100) - 4
