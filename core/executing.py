"""Claim, run, and write down how it ended: at most once, and never an end that nobody saw."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from typing import Any

from . import messages, model
from .canonical import decode, encode
from .deciding import decided
from .model import (
    ActionChanged,
    Outcome,
    OutcomeUnknown,
    Preview,
    State,
    StoredRequest,
    StoreError,
)
from .proposal import Call, Wiring, as_shown, looked, texts, thaw, weighed
from .runs import current
from .stores.rows import preview_text
from .waiting import is_over, until

SECONDS_BETWEEN_SWEEPS = 1.0


async def settled(wiring: Wiring, call: Call, stored: StoredRequest) -> tuple[StoredRequest, bool]:
    """Bring a request to its start or its end; the flag says whether this call has to run it."""
    try:
        while True:
            match stored.state:
                case State.PENDING:
                    stored = await decided(wiring, call, stored)
                case State.APPROVED:
                    stored, mine = await _claimed(wiring, call, stored)
                    if mine:
                        return stored, True
                case State.EXECUTING:
                    stored = await _over(wiring, stored)
                case _:
                    return stored, False
    except asyncio.CancelledError:
        if not stored.request.run:  # nobody would ever come back for it
            with suppress(StoreError):
                because = "the agent stopped waiting"
                wiring.store.cancel(stored.request.id, by=wiring.requester, because=because)
        raise


async def _claimed(wiring: Wiring, call: Call, stored: StoredRequest) -> tuple[StoredRequest, bool]:
    """Start it, unless another process was faster."""
    request = stored.request
    await unchanged(wiring, call, stored)
    call.ready = thaw(wiring, call, request.frozen)
    _, panel = weighed(wiring, as_shown(call, request), request.acting_for)
    try:
        return wiring.store.claim(request.id, digest=request.digest, panel=panel), True
    except StoreError:
        now = wiring.store.get(request.id)
        if now.state is State.APPROVED:
            raise
        return now, False


async def unchanged(wiring: Wiring, call: Call, stored: StoredRequest) -> None:
    """Look once more, right before the start.

    Raises:
        ActionChanged: The code or the world is not what was approved; the request is withdrawn.
    """
    because = await _difference(wiring, call, stored)
    if because:
        request = stored.request
        wiring.store.cancel(request.id, by="gate", because=because)
        text = f"{request.name} was not run: {because} since it was approved. Ask again."
        raise ActionChanged(text, request_id=request.id)


async def _difference(wiring: Wiring, call: Call, stored: StoredRequest) -> str:
    request = stored.request
    if request.version != wiring.tool.version:
        return "the code of the function has changed"
    if request.preview is None:
        return ""
    try:
        now = (await looked(wiring, call, request)).preview
    except Exception as error:
        return f"a look at it fails now ({type(error).__name__}: {error}), other than before, or"
    if preview_text(now) == preview_text(request.preview):
        return ""
    return f"what it would do has changed ({_first_difference(request.preview, now)})"


def _first_difference(before: Preview, now: Preview | None) -> str:
    for field in fields(before):
        was, is_ = getattr(before, field.name), getattr(now, field.name, ())
        if was != is_:
            return f"{field.name}: {_only(was, is_)} -> {_only(is_, was)}"
    return "unknown"


def _only(value: tuple[object, ...] | str, other: tuple[object, ...] | str) -> str:
    """Of two lists, show what only one of them has."""
    if isinstance(value, str) or isinstance(other, str):
        return repr(value)
    return ", ".join(str(item) for item in value if item not in other) or "nothing"


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
        _finish(wiring, stored, outcome, State.OUTCOME_UNKNOWN)
        raise
    _finish(wiring, stored, _kept(call, end.result), State.SUCCEEDED)


def _finish(wiring: Wiring, stored: StoredRequest, outcome: Outcome, state: State) -> None:
    try:
        wiring.store.finish(stored.request.id, outcome, state)
    except StoreError as error:
        text = f"{stored.request.name} has ended, but not on record ({error})"
        raise OutcomeUnknown(text, request_id=stored.request.id) from None


def _text(call: Call, error: Exception) -> str:
    """A message may be anything; what cannot be written is not worth losing the outcome."""
    try:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:
        return "its message cannot be read"
    for secret in call.hidden():
        text = text.replace(secret, "(hidden)").replace(repr(secret)[1:-1], "(hidden)")
    return text[:10_000]


def _kept(call: Call, result: Any) -> Outcome:
    try:
        kept = encode(result)
        found = [*texts(result), kept.decode()]
    except Exception as problem:  # the call has succeeded, whatever its result is
        return Outcome(message=f"the result is not kept: {problem}")
    if any(secret in text for secret in call.hidden() for text in found):
        return Outcome(message="the result is not kept: a hidden value is in it")
    return Outcome(result=kept)


def told(stored: StoredRequest, result: Any) -> Any:
    """Return the result with a word on what a person changed, where it can carry one."""
    note = messages.edited(stored)
    if not note:
        return result
    if type(result) is str:
        return f"{result}\n{note}"
    if work := current.get():
        work.notices.append(note)
    return result


def noted(stored: StoredRequest, error: Exception) -> None:
    """Leave a word on what a person changed with an error: the agent did not give those values."""
    note = messages.edited(stored)
    if note:
        error.add_note(note)
        if work := current.get():
            work.notices.append(note)


async def _over(wiring: Wiring, stored: StoredRequest) -> StoredRequest:
    """Wait for the process that claimed it, or find that the process is gone."""
    while True:
        wiring.store.sweep()
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS_BETWEEN_SWEEPS):
                return await until(wiring.store, stored.request.id, is_over)


def recorded(wiring: Wiring, call: Call, stored: StoredRequest) -> Any:
    """Return what a call that is over returned, or raise what it raised; nothing runs again."""
    outcome = stored.outcome or Outcome()
    match stored.state:
        case State.SUCCEEDED if outcome.result is not None:
            return told(stored, decode(outcome.result, call.types))
        case State.SUCCEEDED:
            raise messages.happened(stored)
        case State.FAILED:
            error = _again(outcome)
            noted(stored, error)
            raise error
        case State.OUTCOME_UNKNOWN:
            raise messages.unknown(_reconciled(wiring, call, stored))
        case State.RESOLVED_HAPPENED:
            raise messages.happened(stored)
        case State.RESOLVED_NOT_HAPPENED:
            raise messages.not_happened(stored)
        case _:
            raise messages.refusal(stored)


def _again(outcome: Outcome) -> Exception:
    """Return the recorded error: of its own class where that is a built-in one or one of ours."""
    kind = getattr(builtins, outcome.error, None) or getattr(model, outcome.error, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        with suppress(Exception):
            return kind(outcome.message)
    return RuntimeError(f"{outcome.error}: {outcome.message}")


def _reconciled(wiring: Wiring, call: Call, stored: StoredRequest) -> StoredRequest:
    """Let whoever can look at the world look; what is found is for a person, not a verdict."""
    if wiring.reconcile is None or (stored.outcome and stored.outcome.finding):
        return stored
    try:
        finding = str(wiring.reconcile(as_shown(call, stored.request)))
    except Exception as error:
        finding = f"the look failed ({type(error).__name__}: {error})"
    return wiring.store.report(stored.request.id, finding=finding or "no sign of it")
