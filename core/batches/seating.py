"""Which items of a batch people can be asked about now, and what each of them has to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..call import Slot
from ..model import Approve, Place, Reject, Rejected
from ..opening import submitted
from ..proposal import opinion, placed, proposed, weighed
from ..waiting import is_over
from .binding import Foreseen, NotYet
from .items import Item, call_text, refused
from .placeholders import stands_for

MOST_BESIDE = 200


class Seating:
    """Gives the items of a batch their places.

    Args:
        items: All items of the batch by number.
        batch: Id of the batch.
    """

    def __init__(self, items: Mapping[int, Item], batch: str) -> None:
        self._items = items
        self._batch = batch
        self._again: dict[int, str] = {}
        self._decisions: dict[int, Approve | Reject | None] = {}

    def hear(self, items: Iterable[Item]) -> list[Item]:
        """Hear the policies; return what they approve within budgets, for that goes first.

        Otherwise what people are asked about would have taken the budget of what needs nobody.
        """
        self._decisions = {item.number: self._said(item) for item in items if item.stored is None}
        approved = [n for n, said in self._decisions.items() if isinstance(said, Approve)]
        found = [self._items[number] for number in approved]
        return [item for item in found if item.wiring.budgets and not item.needed]

    def for_people(self, item: Item) -> None:
        """Let people decide what a policy approves, for a budget does not."""
        self._decisions[item.number] = None

    async def seat(self) -> None:
        """Bring before people, in order, what can be shown to them without further results.

        What needs a result first is left alone, and so is what a policy approves: it is claimed
        when its turn comes.
        """
        beside = tuple(self._beside(self._decisions))
        for number, decision in self._decisions.items():
            item = self._items[number]
            if decision is None and item.end is None and item.stored is None:
                if not (item.needed and item.call.slot is None):
                    beside = await self._shown(item, beside)
            elif isinstance(decision, Reject):
                item.take(item.wiring.store.record(item.call.request, decision))

    async def _shown(self, item: Item, beside: tuple[str, ...]) -> tuple[str, ...]:
        """Submit an item; return what still has to be told beside one."""
        call, request = item.call, item.call.request
        place = request.batch and replace(request.batch, beside=beside)
        remarks = (*request.remarks, *self._waiting_for(item))
        call.request = replace(request, batch=place, remarks=remarks)
        with item.in_its_run():
            try:
                item.take(await submitted(item.wiring, call))
            except Rejected as error:
                item.end = refused(error)
                return beside
        return ()

    def _said(self, item: Item) -> Approve | Reject | None:
        """Propose an item and hear the policies, if both can be done yet."""
        with item.in_its_run():
            try:
                return self._proposed(item)
            except Rejected as error:
                item.end = refused(error)
            except NotYet:
                item.call.slot = None
            return None

    def _proposed(self, item: Item) -> Approve | Reject | None:
        """Return what policies say; an item whose values have to be there first keeps no slot.

        Raises:
            NotYet: One of its rules asks for a result that is not there.
            Rejected: It cannot be asked about at all.
        """
        wiring, call = item.wiring, item.call
        call.slot, call.real = None, item.real(item.given)
        arguments = Foreseen(item.arguments(item.given))
        if item.needed:
            if self._are_over(item) or not _is_plain(item):
                return None
            placed(wiring, arguments)
            weighed(wiring, arguments, item.work.acting_for if item.work else "")
        call.slot = self.slot(item)
        call.request = proposed(wiring, call)
        if call.earlier is not None:
            item.take(wiring.store.get(call.earlier.request.id))
            return None
        return opinion(wiring, replace(call.request, arguments=arguments))

    def _are_over(self, item: Item) -> bool:
        """Whether every result it needs is there, or will never be."""
        sources = [self._items[number] for number in item.needed]
        return all(s.end or (s.stored is not None and is_over(s.stored)) for s in sources)

    def slot(self, item: Item, *, is_bound: bool = False) -> Slot:
        """Return the place of an item, with what is to be said about the results in it."""
        place = Place(
            id=self._batch,
            number=item.number,
            of=len(self._items),
            needs=tuple(sorted(item.needed)),
        )
        again = self._again.pop(item.number, "") if is_bound else ""
        remarks = (*([again] if again else []), *(_held(item, self._items) if is_bound else ()))
        if not is_bound:
            texts = {number: self._items[number].text() for number in sorted(item.needed)}
            remarks = tuple(stands_for(number, text) for number, text in texts.items())
        return Slot(key=item.key, origin=item.origin, place=place, remarks=remarks)

    def anew(self, item: Item, because: str) -> None:
        """Keep in mind why an item is asked about once more."""
        self._again[item.number] = f"asked again: {because}"

    def _waiting_for(self, item: Item) -> list[str]:
        """Say which items are decided only once they have the result of this one."""
        return [
            f"call {other.number}, {call_text(other.wiring, other.given)}, waits for this result"
            " and is decided then"
            for other in self._items.values()
            if item.number in other.needed and other.end is None and other.call.slot is None
        ]

    def _beside(self, said: Mapping[int, Approve | Reject | None]) -> list[str]:
        """Say what policies decide of the batch."""
        lines = [
            f"{number} {call_text(self._items[number].wiring, self._items[number].given)}:"
            f" {_word(decision)}"
            for number, decision in said.items()
            if decision is not None
        ]
        more = len(lines) - MOST_BESIDE
        return [*lines[:MOST_BESIDE], f"and {more:,} more"] if more > 0 else lines


def _is_plain(item: Item) -> bool:
    """Whether nothing has to look at its values before people are asked."""
    wiring = item.wiring
    looks = wiring.preview is not None or bool(wiring.budgets)
    return not looks and not (wiring.pin.keys() & item.waits.keys())


def _held(item: Item, items: Mapping[int, Item]) -> list[str]:
    return [
        f"{name} holds the result of call {number}, {items[number].text()}"
        for name, numbers in item.waits.items()
        for number in sorted(numbers)
    ]


def _word(decision: Approve | Reject) -> str:
    match decision:
        case Approve(by=by, note=note):
            return f"approved by {by}, {note}" if note else f"approved by {by}"
        case Reject(by=by, reason=reason):
            return f"rejected by {by}, {reason}"
