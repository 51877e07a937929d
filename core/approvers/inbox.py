"""Wait for votes from anywhere: whoever reaches the store can answer."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from ..model import (
    NOBODY,
    ApprovalRequest,
    Decision,
    Reject,
    State,
    Store,
    StoredRequest,
)
from ..waiting import LONGEST_NAP, until


@dataclass(frozen=True, slots=True)
class Inbox:
    """Leave the request in the store and return what was decided there.

    The store wakes whoever waits, and itself looks every second for what other processes did, so a
    thousand waiting calls cost no thread and next to no time.

    Attributes:
        seconds: Until the inbox looks by itself, should a store ever wake nobody.
        place: Where the store is, as `python -m core --store` takes it.
        say: Told for each request who is waited for, and how they vote on a command line.
    """

    store: Store
    seconds: float = LONGEST_NAP
    _: KW_ONLY
    place: str = ""
    say: Callable[[str], object] | None = None

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        if self.say is not None:
            self.say(self._where(request))
        return _said(await until(self.store, request.id, _is_answered, self.seconds))

    def _where(self, request: ApprovalRequest) -> str:
        members, votes = request.panel.members, request.panel.votes
        who = f"{votes} of {', '.join(sorted(members))}" if members else f"{votes} vote"
        command = f"python -m core --store {shlex.quote(self.place)} approve {request.id[:8]}"
        return f"{request.name} waits for {who}: {command} --by NAME"


def _is_answered(stored: StoredRequest) -> bool:
    return stored.state is not State.PENDING or stored.proposal is not None


def _said(stored: StoredRequest) -> Decision:
    """Return what people have said."""
    match stored.state:
        case State.PENDING if stored.proposal is not None:
            return stored.proposal
        case State.EXPIRED:
            return Reject(by=NOBODY, reason="nobody answered in time")
        case _ if stored.decision is not None:
            return stored.decision
        case _:
            return Reject(by="store", reason=f"the request is {stored.state.value.lower()}")
