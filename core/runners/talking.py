"""Talk with an agent at a keyboard: Ctrl-C drops a question, Ctrl-D leaves."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any

from .hearing import AgentFailed
from .live import Talk, conversation
from .program import show, tell

HELLO = "Ask away. Ctrl-C drops a question, Ctrl-D leaves."
DROPPED = "That question is dropped; what was under way may still come to its end."
WORDS = re.compile(r".*\s", re.DOTALL)


def converse(
    agent: str,
    functions: Iterable[Callable[..., Any]],
    question: str | None = None,
    *,
    instructions: str = "",
) -> None:
    """Show a live agent's answer to one question, or talk with it until the person leaves.

    At a terminal its words appear as it says them, and every call of a tool is told. Elsewhere,
    as in a pipe, there are only answers.

    Args:
        agent: Its name; see `conversation`.
        functions: Its tools, gated or plain.
        question: None to talk.
        instructions: What the agent is for.

    Raises:
        AgentFailed: The agent cannot be used, or has no answer to the one question.
    """
    tools = aloud(functions, tell) if sys.stderr.isatty() else functions
    with conversation(agent, tools, instructions=instructions) as live:
        if question is None:
            talk(partial(answer, live))
        else:
            answer(live, question)


def answer(live: Talk, question: str) -> None:
    """Show the answer to one question; at a terminal, as it comes.

    Raises:
        AgentFailed: There is none.
    """
    said = Saying(partial(show, end=""))
    try:
        text = live.ask(question, heard=said.hear if sys.stdout.isatty() else None)
    finally:
        said.end()
    if not said.ends_with(text):
        show(text)


class Saying:
    r"""An agent's words, shown as they come in pieces.

    Whole words only: what stands alone may look like something else.

    >>> said = Saying(lambda words: print(ascii(words)))
    >>> said.hear("It is do")
    'It is '
    >>> said.hear("ne.")
    >>> said.end()
    'done.\n'
    >>> said.ends_with("done.")
    True
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write, self._said, self._begun = write, "", ""

    def hear(self, piece: str) -> None:
        """Show what is whole by now."""
        self._begun += piece
        if whole := WORDS.match(self._begun):
            self._show(whole[0])

    def end(self) -> None:
        """Show the rest, and end the line."""
        if self._begun or self._said[-1:] not in ("", "\n"):
            self._show(f"{self._begun}\n")

    def _show(self, text: str) -> None:
        self._write(text)
        self._said, self._begun = self._said + text, self._begun[len(text) :]

    def ends_with(self, text: str) -> bool:
        """Whether this text was shown last, however its lines were broken."""
        return "".join(self._said.split()).endswith("".join(text.split()))


def talk(ask: Callable[[str], None], *, read: Callable[[str], str] = input) -> None:
    """Ask one question after another until the person leaves; what fails is told, and it goes on.

    Args:
        ask: Shows the answer to one question, or raises `AgentFailed`; blocks.
        read: Shows a prompt and returns a line; raises `EOFError` when the person leaves.
    """
    _edit_lines()
    show(HELLO)
    while True:
        try:
            question = read("\nquestion> ").strip()
            if question:
                ask(question)
        except AgentFailed as problem:
            show(str(problem))
        except KeyboardInterrupt:
            show(DROPPED)
        except EOFError:
            show("")
            return


def aloud(
    tools: Iterable[Callable[..., Any]], say: Callable[[str], None]
) -> list[Callable[..., Any]]:
    """Return tools that say when they are called, so that nobody wonders what takes so long."""

    def one(tool: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(tool)
        def call(*args: object, **named: object) -> Any:
            values = ", ".join(ascii(value) for value in (*args, *named.values()))
            say(f"  {tool.__name__}({values})")
            return tool(*args, **named)

        return call

    return [one(tool) for tool in tools]


def _edit_lines() -> None:
    """Give `input` a line that can be edited, and a history, where Python has them."""
    try:
        import readline
    except ImportError:
        return
    readline.set_auto_history(True)
