"""What an agent of Agentica may do to its host: call the functions it was given, and nothing else.

By itself Agentica also answers when the agent's side reads an attribute of such a function. From
`__closure__` it is three reads to what stands behind a gate, and from `__globals__` two to
`__import__`. So whatever is no call is refused here, before it is even decoded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any, cast

from ..messages import collected
from ..twin import tool, twin
from .hearing import called, why

PLAIN = (type(None), bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta)
SECONDS_TO_SETTLE = 2.0
ONLY_CALLS = "an agent may call the functions it was given, and nothing else"
ONLY_DATA = "only data goes in: text, numbers, dates, lists and dictionaries"


def tools(
    functions: Iterable[Callable[..., Any]], noted: list[str]
) -> dict[str, Callable[..., Any]]:
    """Return what the agent's code finds by name: the functions, and `edits` to read `noted`."""

    def edits() -> list[str]:
        """Return what people changed in your calls since you last looked, a line each."""
        read = [*noted]
        noted.clear()
        return read

    return stubs([*functions, edits], noted.append)


def stubs(
    functions: Iterable[Callable[..., Any]], notice: Callable[[str], object]
) -> dict[str, Callable[..., Any]]:
    """Return functions by name, as coroutine functions that take and give nothing but data.

    Each has the name, the parameters and the doc of its own. One that blocks gets a thread, as
    people may take hours, and meanwhile the other agents of this process go on.

    Args:
        notice: Takes a word on what a person changed, where the result could not say so itself.

    Raises:
        ValueError: Two have one name, or a name begins with an underscore.
        TypeError: One is no function, or does not tell its parameters.
    """
    made: dict[str, Callable[..., Any]] = {}
    for fn in functions:
        stub = _stub(fn, notice)
        name = stub.__name__
        if name in made or name.startswith("_") or not name.isidentifier():
            raise ValueError(f"an agent cannot tell {name} from its other tools; rename it")
        made[name] = stub
    return made


def _stub(fn: Callable[..., Any], notice: Callable[[str], object]) -> Callable[..., Any]:
    known = tool(fn)

    async def call(receiver: Any, arguments: Mapping[str, Any]) -> Any:
        for name, value in arguments.items():
            if not is_data(value):
                raise TypeError(f"{known.name} was not called, because of {name}: {ONLY_DATA}")
        with collected() as notices:
            try:
                if known.is_async:
                    result = await known.call(receiver, arguments)
                else:
                    result = await called(known.call, [receiver, arguments], {})
            except Exception as error:
                raise told(error, notices) from None
        for one in notices:
            notice(one)
        return data(result)

    return twin(fn, replace(known, is_async=True), call)


def is_data(value: object) -> bool:
    """Whether a value is nothing but what it shows: its code, if any, runs on neither side.

    >>> is_data({"amounts": [1, 2.5, None]}), is_data(print)
    (True, False)
    """
    if type(value) is dict:
        items = cast("dict[object, object]", value).items()
        return all(is_data(key) and is_data(item) for key, item in items)
    if type(value) in (list, tuple, set, frozenset):
        return all(map(is_data, cast("list[object]", value)))
    return type(value) in PLAIN


def data(value: Any) -> Any:
    """Return a value as data; what is none goes as its text, for an object would stay reachable.

    >>> data({1: 20, 2: ValueError("no")})
    {1: 20, 2: 'no'}
    """
    if is_data(value):
        return value
    if type(value) is dict:
        items = cast("Mapping[Any, Any]", value).items()
        return {data(key): data(item) for key, item in items}
    if type(value) in (list, tuple):
        return [data(item) for item in cast("list[Any]", value)]
    return str(value)


def told(error: Exception, notices: Iterable[str]) -> Exception:
    """Return an error that says all of it in its message: only class and message arrive.

    Its class has the name and the built-in base of the one that was raised, and nothing else: on
    Python 3.13 the SDK cannot send any other, and ends the agent's task instead.
    """
    text = why(error, [*notices]).removeprefix(f"{type(error).__name__}: ")
    kind = type(error)
    if kind.__module__ == "builtins" and text == str(error):
        return error
    base = next(one for one in kind.__mro__ if one.__module__ == "builtins")
    for parent in (base, Exception):  # some built-in ones show more, or less, than they are given
        with suppress(TypeError):
            made = _named(kind.__name__, kind.__module__, parent)(text)
            if str(made) == text:
                return cast("Exception", made)
    return RuntimeError(text)


@cache
def _named(name: str, module: str, base: type) -> Callable[[str], BaseException]:
    made: Any = type(name, (base,), {"__module__": module, "__firstlineno__": None})
    return cast("Callable[[str], BaseException]", made)


def guarded(functions: Iterable[Callable[..., Any]]) -> Any:
    """Return the host's side of one agent: it answers calls of these very functions.

    Calls that are under way when the agent's task ends, for whatever reason, are cancelled: nobody
    should say yes to what nobody waits for.
    """
    messages: Any = import_module("agentica_internal.warpc.messages")
    world: Any = import_module("agentica_internal.warpc.worlds.sdk_world").SDKWorld()
    results: Any = import_module("agentica_internal.core.result").Result
    given, handle, start = [*functions], world.handle_incoming_message, world.start_msg_loop

    def wrong(msg: Any) -> Exception | None:
        request = msg.request
        if type(request) is not messages.ResourceCallFunctionMsg:
            return PermissionError(ONLY_CALLS)
        if msg.defs:  # to decode a definition is to compile what the agent's side says
            return TypeError(ONLY_DATA)
        asked = world.root.dec_local_resource(request.fun)
        return None if any(asked is one for one in given) else PermissionError(ONLY_CALLS)

    async def receive(msg: Any) -> None:
        if type(msg) is messages.FutureResultMsg:  # the task has ended
            await handle(msg)
        elif type(msg) is messages.FramedRequestMsg:
            if problem := wrong(msg):
                refused = msg.encode_response(world.root, results.bad(problem))
                await world.send_msg(refused)
            else:
                await handle(msg)

    def started(*args: Any, **named: Any) -> Any:
        loop = start(*args, **named)
        loop.add_done_callback(ended)
        return loop

    def ended(_: object) -> None:
        dropped(world)

    world.handle_incoming_message, world.start_msg_loop = receive, started
    return world


def dropped(world: Any) -> list[asyncio.Task[object]]:
    """Cancel the calls that are under way, and return them."""
    calls = [call for call in world.executing.values() if not call.done()]
    for call in calls:
        if not call.cancelling():  # a second time would cut short what it does about the first
            call.cancel()
    return calls


async def settled(world: Any) -> None:
    """Wait until what was under way is withdrawn, though not for ever."""
    if calls := dropped(world):
        await asyncio.wait(calls, timeout=SECONDS_TO_SETTLE)
