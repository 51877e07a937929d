"""What the agent is told, each in one sentence or two: some frameworks carry nothing else."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from datetime import timedelta

from .model import (
    NOBODY,
    NotAnswered,
    OutcomeUnknown,
    Preview,
    Reject,
    Rejected,
    State,
    StoredRequest,
)

_listening: ContextVar[tuple[list[str], ...]] = ContextVar("who collects notices", default=())


def refusal(stored: StoredRequest) -> Rejected:
    """Return the exception for a request that will not run: who, why, and that nothing ran."""
    request, decision = stored.request, stored.decision
    match stored.state, decision:
        case State.EXPIRED, _:
            return NotAnswered(_expired(stored), request_id=request.id)
        case _, Reject(by=by, reason=reason) if by == NOBODY:
            text = f"{request.name} was not run: {_sentence(reason)} Silence is not a denial."
            return NotAnswered(text, request_id=request.id)
        case State.CANCELLED, Reject(by=by, reason=reason):
            text = f"{request.name} was withdrawn by {by}: {_sentence(reason)} It was not run."
        case _, Reject(by=by, reason=reason):
            text = f"{request.name} was rejected by {by}: {_sentence(reason)} It was not run."
        case _:
            text = f"{request.name} was not run: the request is {stored.state.value.lower()}."
    return Rejected(text, request_id=request.id)


def _expired(stored: StoredRequest) -> str:
    request = stored.request
    if stored.run_by is not None:
        late = lasting(request.run_within)
        return f"{request.name} was approved but not started within {late}, so it was not run."
    wait = lasting(request.expires_at - request.asked_at)
    return (
        f"{request.name} was not run: nobody answered within {wait}."
        " Silence is not a denial; ask again later or go on without it."
    )


def unknown(stored: StoredRequest) -> OutcomeUnknown:
    """Return the exception for a call of which nobody knows whether it happened."""
    request, outcome = stored.request, stored.outcome
    seen = f" What was found: {_sentence(outcome.finding)}" if outcome and outcome.finding else ""
    text = (
        f"{request.name} was started and may or may not have happened.{seen}"
        f" Do not repeat it; a person has to look and resolve request {request.id}."
    )
    return OutcomeUnknown(text, request_id=request.id)


def unwritten(stored: StoredRequest, why: object) -> OutcomeUnknown:
    """Return the exception for a call that has ended, while the store does not take how."""
    request = stored.request
    text = (
        f"{request.name} was started and has ended, but that could not be written down ({why})."
        f" Do not repeat it; look at request {request.id} once the store can be used again."
    )
    return OutcomeUnknown(text, request_id=request.id)


def happened(stored: StoredRequest) -> OutcomeUnknown:
    """Return the exception for a call that happened, as a person says, with its result lost."""
    request = stored.request
    text = f"{request.name} happened, but its result was lost. Do not repeat it."
    return OutcomeUnknown(text, request_id=request.id)


def not_happened(stored: StoredRequest) -> Rejected:
    """Return the exception for a call that a person says did not happen."""
    request = stored.request
    text = f"{request.name} did not happen, as a person found out. It can be asked for anew."
    return Rejected(text, request_id=request.id)


def edited(stored: StoredRequest) -> str:
    """Say what a person changed before the call ran; empty when nothing."""
    if not stored.changed:
        return ""
    return f"[{stored.request.name} ran as edited {stored.changed}]"


@contextmanager
def collected() -> Generator[list[str]]:
    """Collect what people changed in the calls inside the block, where no result could say so.

    A text says it itself; a number or a row cannot, so whoever runs the tools for a model tells it.
    Works around functions of either colour, from tasks, and from threads that are started with
    the context of this block, as those of `asyncio.to_thread` are.
    """
    notices: list[str] = []
    token = _listening.set((*_listening.get(), notices))
    try:
        yield notices
    finally:
        _listening.reset(token)


def leave(notice: str) -> None:
    """Leave a notice with everybody who collects them here."""
    for notices in _listening.get():
        notices.append(notice)


def difference(before: Preview, after: Preview | None) -> str:
    """Return the first thing that two looks at the same call tell apart."""
    for field in fields(before):
        was, now = getattr(before, field.name), getattr(after, field.name, ())
        if was != now:
            return f"{field.name}: {_only(was, now)} -> {_only(now, was)}"
    return "unknown"


def _only(value: tuple[object, ...] | str, other: tuple[object, ...] | str) -> str:
    """Of two lists, show what only one of them has."""
    if isinstance(value, str) or isinstance(other, str):
        return repr(value)
    return ", ".join(str(item) for item in value if item not in other) or "nothing"


def lasting(duration: timedelta) -> str:
    """Return a duration in the largest unit that fits.

    >>> lasting(timedelta(hours=1)), lasting(timedelta(seconds=90)), lasting(timedelta(days=3))
    ('1 hour', '90 seconds', '3 days')
    """
    seconds = duration.total_seconds()
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)} {unit}{'s' if seconds // size != 1 else ''}"
    return f"{seconds:g} second{'s' if seconds != 1 else ''}"


def _sentence(text: str) -> str:
    """Return `text` with an end, so that what follows does not run into it."""
    text = text.strip() or "no reason was given"
    return text if text[-1] in ".!?…" else f"{text}."
