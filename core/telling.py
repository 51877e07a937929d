"""What the agent hears of a call that has run, now or at an earlier attempt."""

from __future__ import annotations

import builtins
from contextlib import suppress
from dataclasses import replace
from typing import Any

from . import messages, model
from .call import Call, Wiring
from .canonical import decode
from .freezing import as_shown
from .model import Outcome, State, StoredRequest, StoreError, Unencodable
from .running import running
from .runs import current


def told(stored: StoredRequest, result: Any) -> Any:
    """Return the result with a word on what a person changed, where it can carry one."""
    note = messages.edited(stored)
    if not note:
        return result
    if type(result) is str:
        return f"{result}\n{note}"
    _leave(note)
    return result


def noted(stored: StoredRequest, error: Exception) -> None:
    """Leave a word on what a person changed with an error: the agent did not give those values."""
    note = messages.edited(stored)
    if note:
        error.add_note(note)
        _leave(note)


def _leave(note: str) -> None:
    messages.leave(note)
    if work := current.get():
        work.notices.append(note)


def recorded(wiring: Wiring, call: Call, stored: StoredRequest) -> Any:
    """Return what a call that is over returned, or raise what it raised; nothing runs again."""
    outcome = stored.outcome or Outcome()
    match stored.state:
        case State.SUCCEEDED if outcome.result is not None:
            with suppress(Unencodable):  # its class is not here any more
                return told(stored, decode(outcome.result, call.types, strict=True))
            raise messages.happened(stored)
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
        with running(stored.request):
            finding = str(wiring.reconcile(as_shown(call, stored.request)))
    except Exception as error:
        finding = f"the look failed ({type(error).__name__}: {error})"
    finding = finding or "no sign of it"
    try:
        return wiring.store.report(stored.request.id, finding=finding)
    except StoreError:
        return replace(stored, outcome=replace(stored.outcome or Outcome(), finding=finding))
