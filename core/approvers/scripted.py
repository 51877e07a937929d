"""Answers written down in advance: the approver for tests and demos."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..model import ApprovalRequest, Decision, Reject

Answer: TypeAlias = Decision | Callable[[ApprovalRequest], Decision]


class Scripted:
    """Answer by the name of the function, and reject whatever is not in the script.

    Answers are keyed, not queued: in a queue, one call more or less would hand every later call
    an approval that was meant for another.

    >>> import asyncio
    >>> from core.model import Approve
    >>> approver = Scripted(refund=Approve(by="ana"))
    >>> asyncio.run(approver(ApprovalRequest(action="shop.delete_account"))).reason
    'the script has no answer for delete_account'

    Args:
        answers: Function name to a decision, or to a function that looks at the request.

    Attributes:
        requests: What was asked, in order.
    """

    def __init__(self, /, **answers: Answer) -> None:
        self._answers = answers
        self.requests: list[ApprovalRequest] = []

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        self.requests.append(request)
        answer = self._answers.get(request.name)
        if answer is None:
            return Reject(by="script", reason=f"the script has no answer for {request.name}")
        return answer(request) if callable(answer) else answer
