"""Name a live agent in one line, as on a command line: `conversation("openai:gpt-5", [refund])`.

`agentica` writes Python code that calls the functions; any other name is a model for pydantic-ai,
which calls them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self, TypeAlias

AGENTICA = "agentica"
Heard: TypeAlias = Callable[[str], object]
"""Takes an agent's words piece by piece, as it says them; its answer comes too, as the last."""


class Talk(Protocol):
    """Questions to one agent, which remembers what was said; leave it, and it is over."""

    def ask(self, question: str, /, *, heard: Heard | None = None) -> str: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def is_coder(agent: str) -> bool:
    """Whether an agent of that name writes code, and takes results as Python's own values.

    >>> is_coder("agentica"), is_coder("agentica:openai:gpt-5"), is_coder("openai:gpt-5")
    (True, True, False)
    """
    return agent.partition(":")[0] == AGENTICA


def conversation(
    agent: str, functions: Iterable[Callable[..., Any]], *, instructions: str = ""
) -> Talk:
    """Return a conversation with the agent of that name.

    Args:
        agent: `agentica`, `agentica:` and a model that its server knows, or a model's name.

    Raises:
        AgentFailed: It cannot be used, and the sentence says what is missing.
    """
    if is_coder(agent):
        from . import agentica

        model = agent.partition(":")[2]
        return agentica.Conversation(functions, model=model, instructions=instructions)
    from . import pydantic_ai

    return pydantic_ai.Conversation(agent, functions, instructions=instructions)
