"""Write down how a call ended, and never an end that nobody saw."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import messages
from .call import Call, Wiring, texts
from .canonical import encode
from .model import Outcome, OutcomeUnknown, State, Store, StoredRequest
from .running import running
from .telling import noted

LONGEST_MESSAGE = 10_000


@dataclass(slots=True)
class Ending:
    """What the call gave back, put here before its end is written down."""

    result: Any = None


@contextmanager
def ending(wiring: Wiring, call: Call, stored: StoredRequest) -> Generator[Ending]:
    """Write down how the block ended: a result, an error, or that nobody can know.

    Raises:
        OutcomeUnknown: It ended, and that could not be written down.
    """
    end = Ending()
    try:
        with running(stored.request):
            yield end
    except OutcomeUnknown as error:
        _finish(wiring, stored, Outcome(message=_text(call, error)), State.OUTCOME_UNKNOWN)
        raise
    except Exception as error:
        outcome = Outcome(error=type(error).__name__, message=_text(call, error))
        _finish(wiring, stored, outcome, State.FAILED)
        noted(stored, error)
        raise
    except BaseException as error:
        outcome = Outcome(message=f"interrupted by {type(error).__name__}")
        with suppress(OutcomeUnknown):  # whoever interrupts must see it stop
            _finish(wiring, stored, outcome, State.OUTCOME_UNKNOWN)
        raise
    _finish(wiring, stored, _kept(call, end.result), State.SUCCEEDED)


def never_began(wiring: Wiring, answer: tuple[StoredRequest, bool]) -> None:
    """Say of a claimed request that whoever had claimed it was interrupted before the start."""
    stored, mine = answer
    if mine:
        outcome = Outcome(error="KeyboardInterrupt", message="interrupted before it began")
        with suppress(OutcomeUnknown):  # nobody is there to hear it
            _finish(wiring, stored, outcome, State.FAILED)


def _finish(wiring: Wiring, stored: StoredRequest, outcome: Outcome, state: State) -> None:
    try:
        wiring.store.finish(stored.request.id, outcome, state)
    except Exception as error:  # whatever it is, the call has run
        _unwritten(os.getpid())[stored.request.id] = (wiring.store, outcome, state)
        raise messages.unwritten(stored, error) from None


@cache
def _unwritten(_pid: int) -> dict[str, tuple[Store, Outcome, State]]:
    """Ends that this process has seen and no store would take yet, by the id of the request."""
    return {}


def catch_up(store: Store) -> None:
    """Write down what the store did not take before; called before it is used again."""
    for request_id, (where, _, _) in [*_unwritten(os.getpid()).items()]:
        if where is store:
            written_late(store, request_id)


def written_late(store: Store, request_id: str) -> str:
    """Try once more to write down an end; return why it cannot be, empty when there is none."""
    late = _unwritten(os.getpid())
    if request_id in late:
        _, outcome, state = late[request_id]
        try:
            store.finish(request_id, outcome, state)
        except Exception as error:
            return str(error) or type(error).__name__
        late.pop(request_id, None)
    return ""


def _text(call: Call, error: Exception) -> str:
    """A message may be anything; what cannot be written is not worth losing the outcome."""
    try:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:
        return "its message cannot be read"
    for secret in call.hidden():
        text = text.replace(secret, "(hidden)").replace(repr(secret)[1:-1], "(hidden)")
    more = len(text) - LONGEST_MESSAGE
    return f"{text[:LONGEST_MESSAGE]}… ({more:,} more characters)" if more > 0 else text


def _kept(call: Call, result: Any) -> Outcome:
    try:
        kept = encode(result)
        found = [*texts(result), kept.decode()]
    except Exception as problem:  # the call has succeeded, whatever its result is
        return Outcome(message=f"the result is not kept: {problem}")
    if any(secret in text for secret in call.hidden() for text in found):
        return Outcome(message="the result is not kept: a hidden value is in it")
    return Outcome(result=kept)
