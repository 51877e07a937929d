"""Several requests side by side: grouped by action, and what their numbers add up to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from ...display import MAX_SHOWN, is_too_large, safe
from ...model import ApprovalRequest, Risk, StoredRequest
from .asked import obstacle
from .people import Person
from .what import What, what

CURRENCY = "currency"
_NOT_ADDED = re.compile(r"(.*_)?(ids?|number|no|year|month|day|port|version|index|page)", re.I)
_COUNT = re.compile(
    r"(?P<count>[0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,18})"
    r"(?: of [0-9,]{1,25})?(?: (?P<unit>[a-z]{1,20}))?"
)
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One request of a batch.

    Attributes:
        alone: Why it is decided on its own page; empty when it may be decided with others.
    """

    stored: StoredRequest
    what: What
    alone: str

    @property
    def request(self) -> ApprovalRequest:
        """What was asked."""
        return self.stored.request


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The requests of one action.

    Attributes:
        totals: What the numbers among their arguments and facts add up to.
    """

    action: str
    items: tuple[Item, ...]
    totals: tuple[tuple[str, str], ...]


def items(found: Sequence[StoredRequest], who: Person) -> tuple[Item, ...]:
    """Return what can be shown and decided together; nobody would read more than so much."""
    room, made = MAX_SHOWN, list[Item]()
    for stored in found:
        why = alone(stored, who)
        size = len(stored.request.frozen) + len(repr(stored.request.preview))
        if not why and size > room:
            why = "There is too much to read in one batch; decide it on its own page."
        room -= 0 if why else size
        made.append(Item(stored=stored, what=what(stored.request), alone=why))
    return tuple(made)


def alone(stored: StoredRequest, who: Person) -> str:
    """Say why a request cannot be decided together with others; empty when it can."""
    if why := obstacle(stored, who):
        return why
    if is_too_large(stored.request):
        return "It is too large to be shown whole."
    if stored.request.risk is Risk.CRITICAL:
        return "It is critical, so it is decided alone, on its own page."
    if stored.proposal is not None:
        return "An edit of it is being checked."
    return ""


def groups(found: Sequence[Item]) -> tuple[Group, ...]:
    """Return the requests by action, in the order in which actions first appear."""
    by_action: dict[str, list[Item]] = {}
    for item in found:
        by_action.setdefault(item.request.action, []).append(item)
    return tuple(
        Group(action=action, items=tuple(those), totals=totals([item.request for item in those]))
        for action, those in by_action.items()
    )


def totals(requests: Sequence[ApprovalRequest]) -> tuple[tuple[str, str], ...]:
    """Return what numbers under the same name add up to, amounts apart by currency.

    A number that names something, such as an id or a year, is not added up.
    """
    found: dict[str, list[Decimal]] = {}
    for request in requests:
        for name, value in request.arguments.items():
            if isinstance(value, int | Decimal) and _is_added(name, value):
                named = f"{safe(name)}{_currency(request.arguments)}"
                found.setdefault(named, []).append(Decimal(value))
        for name, text in request.preview.facts if request.preview else ():
            if counted := _COUNT.fullmatch(text):
                named = f"{safe(name)}{', ' if counted['unit'] else ''}{counted['unit'] or ''}"
                found.setdefault(named, []).append(Decimal(counted["count"].replace(",", "")))
    sums = ((name, _sum(values)) for name, values in found.items() if len(values) > 1)
    return tuple((name, text) for name, text in sums if text)


def _is_added(name: str, value: int | Decimal) -> bool:
    return not isinstance(value, bool) and _NOT_ADDED.fullmatch(name) is None


def _sum(values: Sequence[Decimal]) -> str:
    """Return the exact sum; empty when there is none that fits on a line."""
    total = Decimal(0)
    try:
        for value in values:
            total = _EXACT.add(total, value)
    except ArithmeticError:
        return ""
    return f"{total:,}"


def _currency(arguments: Mapping[str, object]) -> str:
    found = arguments.get(CURRENCY)
    return f", {safe(found)}" if isinstance(found, str) and len(found) <= 10 else ""


def columns(found: Sequence[Item]) -> tuple[str, ...]:
    """Return the names of the arguments when every request has the same ones, all of them short."""
    named = {tuple(argument.name for argument in item.what.arguments) for item in found}
    long = any(argument.long for item in found for argument in item.what.arguments)
    return next(iter(named)) if len(named) == 1 and not long else ()
