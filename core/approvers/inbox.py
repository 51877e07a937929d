"""Wait for votes from anywhere: whoever reaches the store can answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from ..model import (
    NOBODY,
    ApprovalRequest,
    Decision,
    Reject,
    State,
    Store,
    StoredRequest,
    utc_now,
)

SECONDS_BETWEEN_LOOKS = 60.0


@dataclass(frozen=True, slots=True)
class Inbox:
    """Leave the request in the store and return what was decided there.

    The store wakes whoever waits, and itself looks every second for what other processes did, so a
    thousand waiting calls cost no thread and next to no time.

    Attributes:
        seconds: Until the inbox looks by itself, should a store ever wake nobody.
    """

    store: Store
    seconds: float = SECONDS_BETWEEN_LOOKS

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop may have ended while the store was calling
                loop.call_soon_threadsafe(changed.set)

        with self.store.watch(request.id, wake):
            while (decision := _said(self.store.get(request.id))) is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._nap(request)):
                        await changed.wait()
                changed.clear()
        return decision

    def _nap(self, request: ApprovalRequest) -> float:
        """Nobody rings when time runs out, so do not sleep beyond that instant."""
        left = (request.expires_at - utc_now()).total_seconds()
        return left if 0 < left < self.seconds else self.seconds


def _said(stored: StoredRequest) -> Decision | None:
    """Return what people have said so far; `None` while they think."""
    match stored.state:
        case State.PENDING:
            return stored.proposal
        case State.EXPIRED:
            return Reject(by=NOBODY, reason="nobody answered in time")
        case _ if stored.decision is not None:
            return stored.decision
        case _:
            return Reject(by="store", reason=f"the request is {stored.state.value.lower()}")
