"""Print what happens, in colour where there is a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from core import ApprovalRequest, Decision, Reject
from core.approvers.drawing import draw
from core.approvers.scripted import Answer, Scripted

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

    def watching(self, answer: Answer) -> Scripted:
        """Return a script that answers questions about statements, and shows them."""

        def seen(request: ApprovalRequest) -> Decision:
            decision = answer(request) if callable(answer) else answer
            self._show(request, decision)
            return decision

        return Scripted(query=seen)

    def _show(self, request: ApprovalRequest, decision: Decision) -> None:
        width = min(self._console.width, 100) - 4
        lines = Text("\n").join(draw(request, width=width))
        self._console.print(Panel(lines, title="a person is asked", border_style="yellow"))
        if isinstance(decision, Reject):
            text, style = f"{decision.by} rejects: {decision.reason}", "red"
        else:
            text, style = f"{decision.by} approves", "green"
        self._console.print(Panel(Text(text), title="decision", border_style=style))
