"""What a model hears of a call: what it returned, or one text on why there is nothing.

An agent framework that runs Python hands exceptions and results on in its own way, and some of it
never arrives. What is said here is the same for all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..model import OutcomeUnknown, Rejected, StoreError, Unencodable
from ..waiting import in_thread

FROM_THE_GATE = (Rejected, OutcomeUnknown, StoreError, Unencodable)
"""Errors whose message is meant for the model and says everything."""


class AgentFailed(RuntimeError):
    """The agent could not be asked, or gave no answer; the message is one sentence."""


async def called(fn: Callable[..., Any], args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """Call a function of either colour without holding up the event loop.

    One that blocks, as a person may take hours, gets a thread of its own, and the end of the
    process does not wait for it. When the call is cancelled its thread is left to itself.

    Raises:
        BaseException: Whatever the function raises, as it is.
    """
    if inspect.iscoroutinefunction(fn):
        return await fn(*args, **named)
    result, error = await in_thread(lambda _: _ended(fn, args, named), None)
    if error is not None:
        raise error
    return await result if inspect.isawaitable(result) else result


def _ended(
    fn: Callable[..., Any], args: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Any, BaseException | None]:
    """Return how it ended; what is no `Exception` would not leave the thread unchanged."""
    try:
        return fn(*args, **named), None
    except BaseException as error:
        return None, error


def why(error: Exception, notices: Sequence[str] = ()) -> str:
    """Return what a failed call says to the model.

    The gate's own errors are sentences already. An error of the tool keeps the name of its class,
    so that the model can tell a typing error from a missing table and try again.

    >>> why(Rejected("refund was rejected by ana: too much. It was not run."))
    'refund was rejected by ana: too much. It was not run.'
    >>> why(LookupError("there is no table orderz"))
    'LookupError: there is no table orderz'
    """
    text = str(error)
    if not isinstance(error, FROM_THE_GATE):
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    notes: Sequence[str] = getattr(error, "__notes__", ())
    return "\n".join([text, *notes, *(notice for notice in notices if notice not in notes)])


def first_line(said: object) -> str:
    """Return the first line of a text, and not too much of it.

    >>> first_line("refused"), first_line("")
    ('refused', 'it does not say why')
    """
    line = (str(said or "").strip() or "it does not say why").splitlines()[0]
    return line if len(line) <= 300 else f"{line[:300]}…"
