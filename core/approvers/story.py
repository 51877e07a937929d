"""See what an agent does, what people are asked and what they say, as a story: for demos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from rich.console import Console
from rich.panel import Panel as Frame
from rich.text import Text

from ..display import safe
from ..model import ApprovalRequest, Approve, Approver, Decision, Edit, Reject
from ..waiting import answer
from .drawing import draw

MOST_LINES = 12
MOST_ASKED = 48
WIDEST = 100


@dataclass(frozen=True, slots=True)
class Story:
    """Tells what is done, asked and decided, in the order in which it happens.

    Attributes:
        lines: Of a longer answer only so many are told.
    """

    console: Console = field(default_factory=lambda: Console(highlight=False))
    lines: int = MOST_LINES

    def says(self, text: str) -> None:
        """Tell the agent's own words."""
        self.console.print(Text.assemble(("agent: ", "bold cyan"), safe(text, newlines=True)))

    def sees(self, text: str, *, is_refusal: bool = False) -> None:
        """Tell what a tool answered, or why it did not; of a long answer the beginning."""
        lines = safe(text, newlines=True).splitlines()
        for line in beginning(lines, self.lines):
            style = "red" if is_refusal else ""
            self.console.print(Text.assemble("  ", line, style=style), soft_wrap=True)

    def say(self, *lines: str) -> None:
        """Tell lines as they are."""
        for line in lines:
            self.console.print(Text(line), soft_wrap=True)

    def asks(self, request: ApprovalRequest) -> None:
        """Tell the question; of a long one the beginning, for nobody decides here."""
        drawn = beginning(draw(request, width=self._width), MOST_ASKED)
        self._frame("a person is asked", Text("\n").join(drawn), "yellow")

    def hears(self, decision: Decision) -> None:
        """Tell what somebody said."""
        match decision:
            case Approve(by=by, note=note):
                self._word(f"{by} approves", note, "green")
            case Edit(by=by, note=note):
                self._word(f"{by} edits", note, "magenta")
            case Reject(by=by, reason=reason):
                self._word(f"{by} rejects", reason, "red")
            case _:
                assert_never(decision)

    def over(self, approver: Approver) -> Approver:
        """Return `approver`, telling what it is asked and what it says."""

        async def told(request: ApprovalRequest) -> Decision:
            self.asks(request)
            decision = await answer(approver, request)
            self.hears(decision)
            return decision

        return told

    @property
    def _width(self) -> int:
        return min(self.console.width, WIDEST) - 4

    def _word(self, who: str, words: str, style: str) -> None:
        self._frame("decision", Text(safe(f"{who}: {words}" if words else who)), style)

    def _frame(self, title: str, text: Text, style: str) -> None:
        frame = Frame(text, title=title, border_style=style, width=self._width + 4)
        self.console.print(frame)


def beginning(lines: Sequence[str | Text], most: int) -> list[Text]:
    """Return the first lines, and how many more there are.

    >>> [line.plain for line in beginning(["a", "b", "c"], 2)]
    ['a', 'b', '… 1 more line']
    """
    shown, more = [Text.assemble(line) for line in lines[:most]], len(lines) - most
    if more > 0:
        shown.append(Text(f"… {more} more line{'s' if more > 1 else ''}", "dim"))
    return shown
