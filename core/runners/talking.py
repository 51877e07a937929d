"""Talk with an agent at a keyboard: Ctrl-C drops a question, Ctrl-D leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

HELLO = "Ask away. Ctrl-C drops a question, Ctrl-D leaves."
DROPPED = "That question is dropped; what was under way may still come to its end."


def talk(
    answer: Callable[[str], str],
    say: Callable[[str], None],
    trouble: type[Exception],
    *,
    read: Callable[[str], str] = input,
) -> None:
    """Answer one question after another until the person leaves.

    Args:
        answer: Answers one question; blocks.
        say: Shows a text to the person.
        trouble: What `answer` raises when there is none; its message is shown, and it goes on.
        read: Shows a prompt and returns a line; raises `EOFError` when the person leaves.
    """
    _edit_lines()
    say(HELLO)
    while True:
        try:
            question = read("\nquestion> ").strip()
            if question:
                say(answer(question))
        except trouble as problem:
            say(str(problem))
        except KeyboardInterrupt:
            say(DROPPED)
        except EOFError:
            say("")
            return


def aloud(
    tools: Sequence[Callable[..., str]], say: Callable[[str], None]
) -> list[Callable[..., str]]:
    """Return tools that say when they are called, so that nobody wonders what takes so long."""

    def one(tool: Callable[..., str]) -> Callable[..., str]:
        @wraps(tool)
        def call(*args: object, **named: object) -> str:
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
