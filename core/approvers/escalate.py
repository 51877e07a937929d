"""Nobody answers: remind people after a while, then ask somebody else too; the first answer wins.

>>> import asyncio
>>> from core.model import Approve
>>> async def away(request: ApprovalRequest) -> Decision:
...     return await asyncio.Future()
>>> async def boss(request: ApprovalRequest) -> Decision:
...     return Approve(by="mia")
>>> asked = Escalate(
...     away, Remind(after=0.01, by=lambda request: print("!")), Ask(after=0.02, approver=boss)
... )
>>> asyncio.run(asked(ApprovalRequest(action="shop.refund"))).by
!
'mia'
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from ..model import ApprovalRequest, Approver, Decision, utc_now
from ..waiting import answer, in_thread
from .marks import Marks

LONGEST_NAP = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """Call `by` when a request is so old; it may be sync or async, and decides nothing.

    Attributes:
        after: Seconds since the agent asked.
    """

    after: float
    by: Callable[[ApprovalRequest], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask `approver` too when a request is so old; those who were asked before may still answer.

    Attributes:
        after: Seconds since the agent asked.
    """

    after: float
    approver: Approver


Step = Remind | Ask


class Escalate:
    """Ask `approver`, and while nobody answers take one step after the other.

    Seconds count from the moment the agent asked, so a new start goes on where it was: it asks
    those again who were asked before, and reminds nobody twice.

    Args:
        marks: Where it is kept which reminders were sent; in memory by default.
        say: Told when a reminder fails; the question goes on.

    Raises:
        ValueError: There is no step, or one comes at no time.
        RuntimeError: From a call: all who were asked have failed.
    """

    def __init__(
        self,
        approver: Approver,
        *steps: Step,
        marks: Marks | None = None,
        say: Callable[[str], object] = print,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        if not steps or not all(step.after > 0 for step in steps):
            raise ValueError("Escalate needs steps, each some seconds after the question")
        self._approver, self._steps = approver, sorted(steps, key=lambda step: step.after)
        self._marks, self._say, self._now = marks or Marks(), say, now

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        asked = [asyncio.create_task(answer(self._approver, request))]
        reminders, left = list[asyncio.Task[None]](), [*self._steps]
        try:
            while True:
                if (said := _said(asked)) is not None:
                    return said
                waiting = [question for question in asked if not question.done()]
                if not waiting and not any(isinstance(step, Ask) for step in left):
                    raise _nobody(asked)
                while left and (not waiting or self._due(request, left[0]) <= 0):
                    waiting += self._taken(request, left.pop(0), asked, reminders)
                nap = self._due(request, left[0]) if left else LONGEST_NAP
                await asyncio.wait(
                    waiting,
                    timeout=min(max(nap, 0), LONGEST_NAP),
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            for task in (*asked, *reminders):
                task.cancel()
            await asyncio.gather(*asked, *reminders, return_exceptions=True)

    def _due(self, request: ApprovalRequest, step: Step) -> float:
        return step.after - (self._now() - request.asked_at).total_seconds()

    def _taken(
        self,
        request: ApprovalRequest,
        step: Step,
        asked: list[asyncio.Task[Decision]],
        reminders: list[asyncio.Task[None]],
    ) -> list[asyncio.Task[Decision]]:
        """Take a step; return the questions that it has added."""
        match step:
            case Remind():
                number = self._steps.index(step)
                reminders.append(asyncio.create_task(self._reminded(request, step, number)))
                return []
            case Ask(approver=approver):
                asked.append(asyncio.create_task(answer(approver, request)))
                return asked[-1:]
            case _:
                assert_never(step)

    async def _reminded(self, request: ApprovalRequest, step: Remind, number: int) -> None:
        key = f"{request.id} {number}"
        try:
            if self._marks.has(key):
                return
            if inspect.iscoroutinefunction(step.by):
                await step.by(request)
            else:
                await in_thread(step.by, request)
            self._marks.put(key)
        except Exception as error:  # a reminder that fails must not end the question
            self._say(f"a reminder of {request.name} failed ({type(error).__name__})")


def _said(asked: Sequence[asyncio.Task[Decision]]) -> Decision | None:
    """Return the first answer, in the order of asking."""
    for question in asked:
        if question.done() and not question.cancelled() and question.exception() is None:
            return question.result()
    return None


def _nobody(asked: Sequence[asyncio.Task[Decision]]) -> RuntimeError:
    why = [question.exception() for question in asked if not question.cancelled()]
    text = "; ".join(f"{type(error).__name__}: {error}" for error in why if error is not None)
    return RuntimeError(f"none of the {len(asked)} who were asked could answer: {text}")
