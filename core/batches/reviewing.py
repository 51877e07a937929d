"""One review of a batch: everything is asked first, then run one by one, each in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ..deciding import decided
from ..ending import never_began
from ..executing import PreviewChanged, asked_again, claimed, over
from ..model import OutcomeUnknown, Reject, Rejected, State, StoredRequest, StoreError
from ..opening import opened, submitted
from ..proposal import is_to_be_asked_again
from ..telling import told
from ..waiting import is_over
from .binding import bound
from .items import End, Item, failed, found, refused
from .placeholders import placeholder
from .seating import Seating
from .withdrawing import MOVING, is_as_shown, lost_source, put_in, withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """An item whose time has come.

    Attributes:
        stored: Its request.
        mine: Whether it is claimed here and has to be run now; otherwise it is over.
    """

    item: Item
    stored: StoredRequest
    mine: bool


class Review:
    """Brings the open items of a batch to their ends; whoever drives it runs the functions.

    Args:
        items: All items of the batch by number, those that have ended too.
        batch: Id of the batch.
    """

    def __init__(self, items: Mapping[int, Item], batch: str) -> None:
        self._items = items
        self._open = {number: item for number, item in items.items() if item.end is None}
        self._seating = Seating(items, batch)
        self._questions: dict[int, asyncio.Task[StoredRequest]] = {}
        self._news = asyncio.Event()
        self._first: list[Item] = []
        self._is_seated = False

    async def begin(self) -> None:
        """Look at what an earlier review has left, and hear the policies."""
        for item in self._open.values():
            if item.stored is not None:
                item.take(item.wiring.store.get(item.stored.request.id))
        self._first = self._seating.hear(self._open.values())

    async def next(self) -> Turn | None:
        """Return the earliest item that can go on; `None` once all have ended."""
        while self._first:
            if turn := self._within_budget(self._first.pop(0)):
                return turn
        if not self._is_seated:
            await self._seat()
        while self._open:
            self._news.clear()
            for item in [*self._open.values()]:
                with item.in_its_run():
                    turn = await self._moved(item)
                if turn is not None:
                    return turn
            if self._open and not self._forget_ended():
                await self._news.wait()
        return None

    def _within_budget(self, item: Item) -> Turn | None:
        """Claim what a policy approves, unless a budget is full: then people are asked."""
        with item.in_its_run():
            try:
                answer = opened(item.wiring, item.call)
            except Rejected as error:
                item.end = refused(error)
                return None
        if answer is None:
            self._seating.for_people(item)
            return None
        stored, mine = answer
        item.take(stored)
        return Turn(item=item, stored=stored, mine=True) if mine else None

    async def _seat(self) -> None:
        """Bring before people, in order, what they can be asked about now."""
        self._is_seated = True
        await self._seating.seat()
        for item in self._open.values():
            self._ask(item)
        self._forget_ended()

    async def close(self) -> None:
        """Withdraw the questions that are still open here; what waits in the store waits on."""
        for question in self._questions.values():
            question.cancel()
        await asyncio.gather(*self._questions.values(), return_exceptions=True)
        self._questions.clear()

    def succeeded(self, turn: Turn, result: object) -> None:
        """Take the result of a function that was run."""
        item = turn.item
        self._finish(item, End(is_good=True, value=told(item.as_told(turn.stored), result)))
        self._reread(item)

    def failed(self, turn: Turn, error: Exception) -> None:
        """Take what it raised instead."""
        stored = self._reread(turn.item)
        if isinstance(error, OutcomeUnknown):
            self._finish(turn.item, refused(error))
        elif stored is not None and stored.state is State.FAILED:
            self._finish(turn.item, failed(turn.item.as_told(stored)))
        else:
            text = f"{type(error).__name__}: {error}"
            self._finish(turn.item, End(is_good=False, value=f"FAILED: {text}", why=text))

    def found(self, turn: Turn) -> None:
        """Take what the record says of an item that is over."""
        self._finish(turn.item, found(turn.item, turn.stored))

    def unheard(self, turn: Turn | None) -> None:
        """Say of a turn that nobody has taken it: whoever waited for it was interrupted."""
        if turn is not None and turn.mine:
            never_began(turn.item.wiring, (turn.stored, True))

    def _reread(self, item: Item) -> StoredRequest | None:
        if item.stored is None:
            return None
        with suppress(StoreError):  # it has ended either way, and what it returned is known
            item.take(item.wiring.store.get(item.stored.request.id))
        return item.stored

    def _finish(self, item: Item, end: End) -> None:
        item.end = end
        self._open.pop(item.number, None)

    def _forget_ended(self) -> bool:
        ended = [number for number, item in self._open.items() if item.end is not None]
        for number in ended:
            del self._open[number]
        return bool(ended)

    async def _moved(self, item: Item) -> Turn | None:
        """Bring an item as far as it can go without waiting."""
        try:
            while item.end is None:
                self._hear(item)
                if lost := lost_source(item, self._items):
                    await self._drop(item, *lost)
                elif await self._is_waiting(item):
                    return None
                elif turn := await self._advanced(item):
                    return turn
        except Rejected as error:
            item.end = refused(error)
        return None

    async def _drop(self, item: Item, number: int, why: str) -> None:
        """End an item whose result cannot come, for it needs one that will not come."""
        because = f"it needs {placeholder(number)}, which {why}"
        await self._hush(item)
        is_moving = item.stored is not None and item.stored.state in MOVING
        if is_moving and not withdrawn(item, by=f"call {number}", because=because):
            return
        if item.stored is None or item.stored.state is State.CANCELLED:
            text = f"not run, for {because}"
            item.end = End(is_good=False, value=f"REJECTED: {text}", why=f"was rejected: {text}")
            return
        stored = item.stored if is_over(item.stored) else await over(item.wiring, item.stored)
        item.take(stored)
        item.end = found(item, stored)

    def _hear(self, item: Item) -> None:
        """Take what people have said, when they are done with it."""
        question = self._questions.get(item.number)
        if question is not None and question.done():
            del self._questions[item.number]
            try:
                item.take(question.result())
            except OutcomeUnknown as error:
                item.end = refused(error)

    async def _is_waiting(self, item: Item) -> bool:
        """Whether it waits for a result, or for people."""
        if any(self._items[number].end is None for number in item.needs):
            return True
        return item.number in self._questions and not await self._is_stale(item)

    async def _is_stale(self, item: Item) -> bool:
        """Take back a question about what would not run like that, now that results are there."""
        if not item.needs or item.stored is None:
            return False
        stored = item.wiring.store.get(item.stored.request.id)
        if stored.state is not State.PENDING or item.checked == stored.request.digest:
            return False  # either the question is about to end by itself, or nothing is new
        item.take(stored)
        item.checked = stored.request.digest
        try:
            is_stale = bool(put_in(item, stored, self._items))
        except Rejected:
            is_stale = True
        if is_stale:
            await self._hush(item)
        return is_stale

    async def _hush(self, item: Item) -> None:
        """Take a question back from whoever is asked here."""
        question = self._questions.pop(item.number, None)
        if question is None:
            return
        question.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await question
        if item.stored is not None:
            item.take(item.wiring.store.get(item.stored.request.id))

    async def _advanced(self, item: Item) -> Turn | None:
        """Take the next step; `None` when another one follows, or somebody has to be waited for."""
        stored = item.stored
        if stored is None:
            return await self._opened(item)
        if item.needs and stored.state in MOVING and not is_as_shown(item, stored, self._items):
            return None
        match stored.state:
            case State.PENDING | State.EXECUTING:
                self._ask(item)
                return None
            case State.APPROVED:
                return await self._started(item, stored)
            case _ if is_to_be_asked_again(item.wiring, stored):
                self._vacated(item, stored)
                return await self._opened(item)
            case _:
                return Turn(item=item, stored=stored, mine=False)

    def _vacated(self, item: Item, stored: StoredRequest) -> None:
        """Free the place of a withdrawn request for the one that is asked now."""
        if item.work is not None:
            item.work.replaced(item.wiring.store, stored)
        reason = stored.decision.reason if isinstance(stored.decision, Reject) else ""
        self._seating.anew(item, reason)
        item.vacate(stored)

    async def _started(self, item: Item, stored: StoredRequest) -> Turn | None:
        """Claim an approved item, unless it has to be asked again."""
        try:
            now, mine = await claimed(item.wiring, item.call, stored)
        except PreviewChanged as changed:
            item.take(item.wiring.store.get(changed.request_id))
            if item.asked_again >= item.wiring.ask_again or item.stored is None:
                raise
            item.asked_again += 1
            if item.work is not None:
                item.work.replaced(item.wiring.store, item.stored)
            item.take(await asked_again(item.wiring, item.call, item.stored))
            return None
        item.take(now)
        return Turn(item=item, stored=now, mine=True) if mine else None

    async def _opened(self, item: Item) -> Turn | None:
        """Ask about an item, or let a policy decide it, with every value in its place."""
        wiring, call = item.wiring, item.call
        made = bound(item, item.basis, self._items) if item.needs else {}
        call.real = {**item.real(item.basis), **made}
        call.slot, call.bound, call.bound_digest = self._seating.slot(item, is_bound=True), {}, ""
        if (answer := opened(wiring, call)) is None:
            item.take(await submitted(wiring, call))
            return None
        stored, mine = answer
        item.take(stored)
        return Turn(item=item, stored=stored, mine=True) if mine else None

    def _ask(self, item: Item) -> None:
        """Wait for people, or for another process that runs it, without holding up the others."""
        if item.stored is None or item.stored.state not in {State.PENDING, State.EXECUTING}:
            return
        question = asyncio.create_task(_answered(item, item.stored))
        question.add_done_callback(lambda _: self._news.set())
        self._questions[item.number] = question


async def _answered(item: Item, stored: StoredRequest) -> StoredRequest:
    with item.in_its_run():
        if stored.state is State.PENDING:
            stored = await decided(item.wiring, item.call, stored)
        if stored.state is State.EXECUTING:
            stored = await over(item.wiring, stored)
        return stored
