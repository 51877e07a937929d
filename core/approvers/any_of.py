"""Ask several at once: the first answer wins and the other questions are withdrawn."""

from __future__ import annotations

import asyncio

from ..model import ApprovalRequest, Approver, Decision
from ..waiting import answer


class AnyOf:
    """Ask all of `approvers` at the same time.

    One that fails does not decide for the others. When two answer in the same instant, the one
    named first counts.

    Raises:
        ValueError: There is nobody to ask.
        RuntimeError: From a call: every one of them failed.
    """

    def __init__(self, *approvers: Approver) -> None:
        if not approvers:
            raise ValueError("AnyOf needs at least one approver to ask")
        self.approvers = approvers

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        asked = [asyncio.create_task(answer(one, request)) for one in self.approvers]
        try:
            return await _first(asked)
        finally:
            for question in asked:
                question.cancel()
            await asyncio.gather(*asked, return_exceptions=True)


async def _first(asked: list[asyncio.Task[Decision]]) -> Decision:
    waiting = asked
    while waiting:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for question in asked:
            if question.done() and _failure(question) is None:
                return question.result()
        waiting = [question for question in asked if not question.done()]
    why = [error for question in asked if (error := _failure(question)) is not None]
    text = "; ".join(f"{type(error).__name__}: {error}" for error in why)
    raise RuntimeError(f"none of the {len(asked)} approvers could be asked: {text}") from why[0]


def _failure(question: asyncio.Task[Decision]) -> BaseException | None:
    return asyncio.CancelledError() if question.cancelled() else question.exception()
