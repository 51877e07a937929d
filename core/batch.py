"""Queue calls and have them reviewed together: `Batch(approver=...)`.

>>> from core.model import Approve
>>> batch = Batch(approver=lambda request: Approve(by="ana"))
>>> double = batch.gate(lambda n: 2 * n)
>>> double(4), double("PENDING_APPROVAL_1")
('PENDING_APPROVAL_1', 'PENDING_APPROVAL_2')
>>> batch.review_and_execute()
{1: 8, 2: 16}
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack, cast

from .batches.items import Item
from .batches.patience import patient
from .batches.placeholders import misplaced, placeholder
from .batches.reviewing import Review, Turn
from .call import Call, Wiring
from .canonical import digest
from .ending import ending
from .freezing import freeze
from .model import ApprovalRequest, Approver, Charge, Panel, Policy, Risk, Store, new_id
from .runs import Run, current
from .stores.memory import MemoryStore
from .twin import twin
from .waiting import wait_for
from .wiring import A_QUARTER, AN_HOUR, wired

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

SECONDS_BETWEEN_TRIES = 0.02

_inside: ContextVar[tuple[object, ...]] = ContextVar("batches that run a tool here", default=())


class Options(TypedDict, total=False):
    """What a tool of a batch may be given; each means what it means for `gate`.

    `run_within` is as long as people may take for the whole batch, and a quarter of an hour more,
    because an approved call waits for those that it needs.
    """

    approver: Approver
    policies: Iterable[Policy]
    budgets: Iterable[Callable[[ApprovalRequest], Charge]]
    preview: Callable[..., Any] | None
    risk: Risk | Callable[..., Risk]
    environment: str | Callable[..., str]
    panel: Panel | Callable[..., Panel]
    decide_within: timedelta
    run_within: timedelta
    requester: str
    reconcile: Callable[..., str] | None
    secret: Iterable[str]
    pin: Mapping[str, Callable[[Any], Any]] | None
    ask_again: int


class Batch:
    """Calls that are queued, shown together, and run one by one once they are decided.

    Nothing is asked before a review begins. Then every call is brought before people in order,
    and each runs in its turn when it is decided and what it needs has ended. The result is
    `{1: result, 2: "REJECTED: why", 3: "FAILED: why"}`, with `NOT_ANSWERED` and `OUTCOME_UNKNOWN`
    as further words; it grows with every review, and a review with nothing new runs nothing.

    A placeholder may be passed on: `reply(ticket, text="PENDING_APPROVAL_1")` runs with the result
    of the first call, or does not run when there is none.

    Attributes:
        wait_for_approvals: To hand to an agent: a plain function that reviews and returns the
            results. `wait_for_approvals_async` is the same for agents that are async.
    """

    def __init__(self, *, approver: Approver, store: Store | None = None) -> None:
        """Begin an empty batch.

        Args:
            approver: Asked about each call that no policy decides, about all at the same time.
            store: Where requests live. Without one they live in memory.
        """
        self._approver = approver
        self._store = MemoryStore() if store is None else store
        self._items: dict[int, Item] = {}
        self._id = ""
        self._queueing = threading.Lock()
        self._one_review = threading.Lock()
        self.wait_for_approvals = _sync(self)
        self.wait_for_approvals_async = _async(self)

    def gate(self, fn: Callable[P, T], /, **options: Unpack[Options]) -> Callable[P, T]:
        """Return `fn`, queueing: a call of it returns a placeholder such as "PENDING_APPROVAL_1".

        Raises:
            TypeError: As for `core.gate`.
            ValueError: As for `core.gate`; and from the gated function, a placeholder stands where
                none can stand or for a call that was not made before.
            Unencodable: From the gated function: an argument cannot be shown and frozen.
        """
        within = options.get("decide_within", AN_HOUR)
        given: Options = {"approver": self._approver, "run_within": within + A_QUARTER, **options}
        given["approver"] = patient(given["approver"])
        wiring = wired(fn, store=self._store, **given)
        made = twin(fn, wiring.tool, _queueing(self, wiring))
        return cast("Callable[P, T]", made)

    def review_and_execute(self) -> dict[int, Any]:
        """Have everything that is queued decided, run what was approved, return all results.

        Raises:
            StoreError: The store cannot be used; what has not run can be reviewed again.
        """
        with self._alone():
            self._one_review.acquire()
            try:
                self._review()
            finally:
                self._one_review.release()
        return self.results()

    async def review_and_execute_async(self) -> dict[int, Any]:
        """Do the same without standing in the way of an event loop."""
        with self._alone():
            while not self._one_review.acquire(blocking=False):  # noqa: ASYNC110 - threads hold it too
                await asyncio.sleep(SECONDS_BETWEEN_TRIES)
            try:
                await self._review_async()
            finally:
                self._one_review.release()
        return self.results()

    def results(self) -> dict[int, Any]:
        """Return what has ended so far, by number."""
        items = [*self._items.items()]
        return {number: item.end.value for number, item in items if item.end is not None}

    def _queue(self, wiring: Wiring, receiver: Any, arguments: Mapping[str, Any]) -> str:
        call = Call(receiver=receiver, real=arguments)
        given, work = freeze(wiring, call), current.get()
        with self._queueing:
            number = len(self._items) + 1
            _check(wiring, arguments, number - 1)
            ordinal = work.ordinal(self) if work else 0
            self._id = self._id or _id(wiring, work, ordinal)
            self._items[number] = Item(
                number=number,
                wiring=wiring,
                call=call,
                given=given,
                origin=digest("queued", wiring.tool.action.encode(), given),
                work=work,
                key=f"batch-{ordinal}#{number}" if work else "",
            )
        return placeholder(number)

    def _review(self) -> None:
        review = Review(dict(self._items), self._id)
        try:
            wait_for(review.begin(), _nothing)
            while turn := wait_for(review.next(), review.unheard):
                self._take(review, turn)
        finally:
            wait_for(review.close(), _nothing)

    def _take(self, review: Review, turn: Turn) -> None:
        item = turn.item
        with item.in_its_run():
            if not turn.mine:
                return review.found(turn)
            try:
                with ending(item.wiring, item.call, turn.stored) as end:
                    end.result = item.wiring.tool.call(item.call.receiver, item.call.ready)
                    if item.wiring.tool.is_async:
                        end.result = wait_for(_awaited(end.result), _nothing)
            except Exception as error:
                return review.failed(turn, error)
            return review.succeeded(turn, end.result)

    async def _review_async(self) -> None:
        review = Review(dict(self._items), self._id)
        try:
            await review.begin()
            while turn := await review.next():
                await self._take_async(review, turn)
        finally:
            await review.close()

    async def _take_async(self, review: Review, turn: Turn) -> None:
        item = turn.item
        with item.in_its_run():
            if not turn.mine:
                return review.found(turn)
            try:
                with ending(item.wiring, item.call, turn.stored) as end:
                    end.result = item.wiring.tool.call(item.call.receiver, item.call.ready)
                    if item.wiring.tool.is_async:
                        end.result = await end.result
            except Exception as error:
                return review.failed(turn, error)
            return review.succeeded(turn, end.result)

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Refuse a review from inside a tool of this batch: it would wait for itself."""
        if any(one is self for one in _inside.get()):
            raise RuntimeError("a call of this batch cannot wait for the batch it is run by")
        token = _inside.set((*_inside.get(), self))
        try:
            yield
        finally:
            _inside.reset(token)


def _queueing(batch: Batch, wiring: Wiring) -> Callable[[Any, Mapping[str, Any]], Any]:
    queue = batch._queue  # pyright: ignore[reportPrivateUsage] - agents see the batch's other parts

    async def later(receiver: Any, arguments: Mapping[str, Any]) -> str:
        return queue(wiring, receiver, arguments)

    def now(receiver: Any, arguments: Mapping[str, Any]) -> str:
        return queue(wiring, receiver, arguments)

    return later if wiring.tool.is_async else now


def _sync(batch: Batch) -> Callable[[], dict[int, Any]]:
    def wait_for_approvals() -> dict[int, Any]:
        """Wait until people have decided all queued calls; return what became of each.

        The keys are the numbers of the placeholders. A call that was not run has a text instead
        of a result: "REJECTED: why", "FAILED: why", "NOT_ANSWERED: ...", "OUTCOME_UNKNOWN: ...".
        """
        return batch.review_and_execute()

    return wait_for_approvals


def _async(batch: Batch) -> Callable[[], Coroutine[Any, Any, dict[int, Any]]]:
    async def wait_for_approvals_async() -> dict[int, Any]:
        """Wait until people have decided all queued calls; return what became of each.

        The keys are the numbers of the placeholders. A call that was not run has a text instead
        of a result: "REJECTED: why", "FAILED: why", "NOT_ANSWERED: ...", "OUTCOME_UNKNOWN: ...".
        """
        return await batch.review_and_execute_async()

    return wait_for_approvals_async


def _check(wiring: Wiring, arguments: Mapping[str, Any], known: int) -> None:
    """Check that placeholders stand where a result can be put.

    Raises:
        ValueError: One does not.
    """
    for name, value in arguments.items():
        if problem := misplaced(value, known):
            raise ValueError(f"{wiring.tool.name} was not queued, because of {name}: {problem}")
        if name in wiring.secret and misplaced(value, 0):
            raise ValueError(f"{wiring.tool.name} was not queued: {name} is hidden and cannot wait")


def _id(wiring: Wiring, work: Run | None, ordinal: int) -> str:
    """Return the same for the same batch at every attempt of its run."""
    if work is None:
        return new_id()
    named = (wiring.requester.encode(), work.name.encode(), str(ordinal).encode())
    return digest("batch", *named)[:32]


async def _awaited(result: Awaitable[R]) -> R:
    return await result


def _nothing(_: object) -> None:
    """An answer that came too late changes nothing here."""
