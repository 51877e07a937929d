"""Hand an object to an agent as functions only: nothing that hangs on them leads back to it.

Reading needs no gate, but a bound method brings its object along, and with it every method before
which no gate stands:

>>> class Desk:
...     def tickets(self) -> int:
...         return 3
...     def refund(self) -> str:
...         return "paid"
>>> Desk().tickets.__self__.refund()
'paid'
>>> tickets = bare(Desk().tickets)
>>> tickets(), hasattr(tickets, "__self__")
(3, False)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ParamSpec, TypeVar, cast

from .twin import Tool, tool, twin

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def bare(fn: Callable[P, R]) -> Callable[P, R]:
    """Return a function with the name, parameters and doc of `fn`, and nothing else on it.

    It asks nobody. Give it to an agent for what may be done freely.

    Raises:
        TypeError: It is no function, or does not tell its parameters.
    """
    known = tool(fn)
    made = twin(fn, known, _async(known) if known.is_async else _sync(known))
    return cast("Callable[P, R]", made)


def _sync(known: Tool) -> Callable[[Any, Mapping[str, Any]], Any]:
    def call(receiver: Any, arguments: Mapping[str, Any]) -> Any:
        return known.call(receiver, arguments)

    return call


def _async(known: Tool) -> Callable[[Any, Mapping[str, Any]], Any]:
    async def call(receiver: Any, arguments: Mapping[str, Any]) -> Any:
        return await known.call(receiver, arguments)

    return call


def facade(tools: T) -> T:
    """Return an object with the same functions, and nothing else on it.

    What comes back is used like `tools` and is none of its kind: its class has no parents, no
    methods of its own and no state, so that neither a base, nor `__init__`, nor `__dict__` leads
    anywhere.

    Args:
        tools: A dataclass whose fields are functions, gated or free; `None` where there is none.

    Raises:
        TypeError: It is no dataclass, or one of its fields is neither.
    """
    given: dict[str, Callable[..., Any] | None] = {
        field.name: getattr(tools, field.name) for field in fields(cast("Any", tools))
    }
    shown = {name: None if fn is None else staticmethod(bare(fn)) for name, fn in given.items()}
    kind = type(tools)
    about = {"__slots__": (), "__doc__": kind.__doc__, "__module__": kind.__module__}
    return cast("T", type(kind.__name__, (), {**about, **shown})())
