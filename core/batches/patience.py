"""Of a thousand questions at once, a sync approver is asked a few at a time."""

from __future__ import annotations

import asyncio
import inspect
from weakref import WeakKeyDictionary

from ..model import ApprovalRequest, Approver, Decision
from ..waiting import answer

MOST_AT_ONCE = 32


def patient(approver: Approver) -> Approver:
    """Return `approver`; one that blocks a thread for each question gets its questions in turn.

    What is decided in the store meanwhile is not asked here any more.
    """
    call = getattr(approver, "__call__", None)  # noqa: B004 - its colour is wanted, not whether it is there
    if inspect.iscoroutinefunction(approver) or inspect.iscoroutinefunction(call):
        return approver
    turns = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()

    async def in_turn(request: ApprovalRequest, /) -> Decision:
        loop = asyncio.get_running_loop()
        async with turns.setdefault(loop, asyncio.Semaphore(MOST_AT_ONCE)):
            return await answer(approver, request)

    return in_turn
