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
SECONDS_TO_HEAR = 0.05
NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """Call `by` when a request is so old; it may be sync or async, and decides nothing.

    Attributes:
        after: Seconds since the agent asked; 0 is at once.
        by: Withdrawn, when it is async, as soon as somebody answers.
    """

    after: float
    by: Callable[[ApprovalRequest], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask `approver` too when a request is so old; those who were asked before may still answer.

    Attributes:
        after: Seconds since the agent asked; 0 is at once.
    """

    after: float
    approver: Approver


Step = Remind | Ask


class Escalate:
    """Ask `approver`, and while nobody answers take one step after the other.

    Seconds count from the moment the agent asked, so a new start goes on where it was: it asks
    those again who were asked before, and reminds nobody twice. What is due by then is done in
    the order of time, unless somebody has answered already, or the request has expired.

    Args:
        marks: Where it is kept which reminders were sent; in memory by default. One `Escalate`
            around another needs marks of its own.
        say: Told when a reminder, or somebody who was asked, fails; the question goes on.

    Raises:
        ValueError: There is no step, or one comes before the question.
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
        if not steps or not all(step.after >= 0 for step in steps):
            raise ValueError("Escalate needs steps, each so many seconds after the question")
        self._approver, self._steps = approver, sorted(steps, key=lambda step: step.after)
        self._marks, self._say, self._now = marks or Marks(), say, now

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        asked = [asyncio.create_task(self._answered(self._approver, request))]
        reminders, left = list[asyncio.Task[None]](), [*self._steps]
        try:
            # After a new start the answer may be there already, and then nobody is to be disturbed.
            await asyncio.wait(asked, timeout=SECONDS_TO_HEAR)
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
        """Return the seconds until a step; of a request that has expired, none is ever due."""
        now = self._now()
        if now >= request.expires_at:
            return NEVER
        return step.after - (now - request.asked_at).total_seconds()

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
                reminders.append(asyncio.create_task(self._reminded(request, step)))
                return []
            case Ask(approver=approver):
                asked.append(asyncio.create_task(self._answered(approver, request)))
                return asked[-1:]
            case _:
                assert_never(step)

    async def _answered(self, approver: Approver, request: ApprovalRequest) -> Decision:
        try:
            return await answer(approver, request)
        except Exception as error:
            self._failed(f"somebody who was asked about {request.name}", error)
            raise

    async def _reminded(self, request: ApprovalRequest, step: Remind) -> None:
        key = f"{request.id} {self._name(step)}"
        try:
            if self._marks.has(key):
                return
            given: object = await in_thread(step.by, request)
            if inspect.isawaitable(given):
                await given
            self._marks.put(key)
        except Exception as error:  # a reminder that fails must not end the question
            self._failed(f"a reminder of {request.name}", error)

    def _name(self, step: Remind) -> str:
        """Return what the marks call a step; it stays, when steps at other times come and go."""
        together = [one for one in self._steps if one.after == step.after]
        return f"{float(step.after)} {together.index(step)}"

    def _failed(self, what: str, error: Exception) -> None:
        """Say so without the error's own words, in which there may be an address with a secret."""
        self._say(f"{what} failed ({type(error).__name__})")


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
