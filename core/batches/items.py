"""One queued call of a batch: what the agent asked for, what was asked of people, how it ended."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ..call import Call, Wiring
from ..canonical import decode
from ..display import safe, shown
from ..freezing import CALLED_ON, thaw
from ..messages import edited
from ..model import (
    ApprovalRequest,
    NotAnswered,
    OutcomeUnknown,
    Rejected,
    State,
    StoredRequest,
)
from ..runs import Run, current
from ..telling import recorded
from .placeholders import waits

LONGEST_CALL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an item ended.

    Attributes:
        is_good: Whether it has a result.
        value: That result, or the sentence for the agent.
        why: What to tell whatever needed it, after "which"; empty when it has a result.
    """

    is_good: bool
    value: Any
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Item:
    """A call in a batch.

    Attributes:
        given: The canonical bytes of the arguments as the agent gave them.
        basis: The same as people's edits have left them, once it has to be asked about again.
        changed: What those edits were.
        work: The run it was called in.
        key: Of its place in that run; empty outside runs.
        stored: The request as last seen, once there is one.
        needs: Numbers of the items whose results are arguments of it, as it stands now.
        asked_again: How often its preview had changed before it could start.
        checked: Digest under which a result was last found to be what had been shown for it.
    """

    number: int
    wiring: Wiring
    call: Call
    given: bytes
    origin: str
    work: Run | None
    key: str
    stored: StoredRequest | None = None
    needs: frozenset[int] = frozenset()
    basis: bytes = b""
    changed: str = ""
    asked_again: int = 0
    checked: str = ""
    end: End | None = None
    waits: dict[str, set[int]] = field(default_factory=dict[str, set[int]])

    def __post_init__(self) -> None:
        self.basis = self.given
        self.waits = waits(self.arguments(self.given))
        self.needs = self.needed

    @property
    def needed(self) -> frozenset[int]:
        """The numbers of the items whose results the agent passed on."""
        return frozenset[int]().union(*self.waits.values())

    def arguments(self, frozen: bytes) -> dict[str, Any]:
        """Return arguments as people see them."""
        found: dict[str, Any] = decode(frozen, self.call.types, strict=True)
        found.pop(CALLED_ON, None)
        return found

    def real(self, frozen: bytes) -> dict[str, Any]:
        """Return arguments as the function takes them."""
        found = thaw(self.wiring, self.call, frozen)
        found.pop(CALLED_ON, None)
        return found

    def take(self, stored: StoredRequest | None) -> None:
        """Keep in mind how the request stands."""
        before = self.stored.request.frozen if self.stored else self.basis
        now = stored.request.frozen if stored else self.basis
        self.stored = stored
        if now != before:
            found = waits(self.arguments(now)).values()
            self.needs = frozenset[int]().union(*found)

    def vacate(self, withdrawn: StoredRequest) -> None:
        """Begin anew with what people's edits have left of the arguments."""
        self.basis = withdrawn.request.frozen
        self.changed = "; ".join(filter(None, (self.changed, withdrawn.changed)))
        self.call.bound, self.call.bound_digest = {}, ""
        self.take(None)

    def as_told(self, stored: StoredRequest) -> StoredRequest:
        """Return a request with all that people have changed, also before it was asked again."""
        changed = "; ".join(filter(None, (self.changed, stored.changed)))
        return replace(stored, changed=changed)

    @contextmanager
    def in_its_run(self) -> Generator[None]:
        """Do what is inside the block in the run in which the agent made the call."""
        token = current.set(self.work)
        try:
            yield
        finally:
            current.reset(token)

    def text(self) -> str:
        """Return the call as people are told of it elsewhere: as given, or as an edit made it."""
        stored = self.stored
        if stored is not None and (stored.request.revision > 0 or self.changed):
            return call_text(self.wiring, stored.request.frozen)
        return call_text(self.wiring, self.given)


def call_text(wiring: Wiring, frozen: bytes) -> str:
    """Return a call in one line that is safe to show; what is cut says so."""
    request = ApprovalRequest(action=wiring.tool.action, frozen=frozen)
    named = (f"{one.name}={one.text}" for one in shown(request) if one.name != CALLED_ON)
    text = ", ".join(named).replace("\n", safe("\n"))
    more = len(text) - LONGEST_CALL
    if more > 0:
        text = f"{text[:LONGEST_CALL]}… ({more:,} more characters)"
    return f"{safe(wiring.tool.name)}({text})"


def found(item: Item, stored: StoredRequest) -> End:
    """Return the end of a call that is over, as its record tells it; nothing runs again."""
    stored = item.as_told(stored)
    if stored.state is State.FAILED:
        return failed(stored)
    try:
        return End(is_good=True, value=recorded(item.wiring, item.call, stored))
    except (OutcomeUnknown, Rejected) as error:
        return refused(error)


def failed(stored: StoredRequest) -> End:
    """Return the end of a call that raised."""
    outcome = stored.outcome
    text = f"{outcome.error}: {outcome.message}" if outcome else "its error was not kept"
    note = edited(stored)
    value = f"FAILED: {text}\n{note}" if note else f"FAILED: {text}"
    return End(is_good=False, value=value, why=f"failed: {text}")


def refused(error: OutcomeUnknown | Rejected) -> End:
    """Return the end of a call that did not run, or of which nobody knows whether it did."""
    match error:
        case OutcomeUnknown():
            word, why = "OUTCOME_UNKNOWN", "may or may not have happened"
        case NotAnswered():
            word, why = "NOT_ANSWERED", "was not answered"
        case Rejected():
            word, why = "REJECTED", "was rejected"
    return End(is_good=False, value=f"{word}: {error}", why=f"{why}: {error}")
