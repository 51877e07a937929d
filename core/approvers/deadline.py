"""Silence is an answer too: decide for a person who does not reply in time."""

from __future__ import annotations

import asyncio
from dataclasses import KW_ONLY, dataclass

from ..model import NOBODY, ApprovalRequest, Approver, Decision, Reject
from ..waiting import answer


@dataclass(frozen=True, slots=True)
class Deadline:
    """Give an approver so many seconds, then take `otherwise`.

    The request's own expiry has the last word: when that comes first, this deadline is moot. An
    approver that fails has not been silent, so its error passes through.

    Attributes:
        approver: Async ones are cancelled when time is up. The thread of a sync one cannot be
            stopped: it is left to end by itself, and its answer no longer counts.
        otherwise: A decision, or another approver to turn to. Without one the call is rejected
            because nobody answered.

    Raises:
        ValueError: No time at all is given.
    """

    approver: Approver
    _: KW_ONLY
    seconds: float
    otherwise: Decision | Approver | None = None

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"{self.seconds} seconds are no time to answer in")

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        time = asyncio.timeout(self.seconds)
        try:
            async with time:
                return await answer(self.approver, request)
        except TimeoutError:
            if not time.expired():
                raise
        if self.otherwise is None:
            return Reject(by=NOBODY, reason=f"nobody answered within {self.seconds:g} seconds")
        return await answer(self.otherwise, request) if callable(self.otherwise) else self.otherwise
