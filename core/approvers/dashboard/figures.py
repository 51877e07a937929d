"""Numbers about what was asked: how it ended, how long people thought, what they changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import assert_never

from ...model import Risk, State, StoredRequest, Vote, same


class Ending(StrEnum):
    """What became of a request, as far as a picture tells it, the best one first."""

    APPROVED = "approved"
    WAITING = "waiting"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REJECTED = "rejected"
    TROUBLE = "failed or unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The requests that were asked on one day, UTC."""

    date: date
    counts: Counter[Ending]

    @property
    def total(self) -> int:
        """How many there were."""
        return self.counts.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How long people took to decide what had one risk; half of them took longer."""

    risk: Risk
    count: int
    median: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What was said about the calls of one name: an action, or the person who said it.

    Attributes:
        as_asked: Approved without change.
        changed: Approved after an edit.
    """

    name: str
    as_asked: int = 0
    changed: int = 0
    rejected: int = 0

    @property
    def total(self) -> int:
        """How often something was said."""
        return self.as_asked + self.changed + self.rejected

    @property
    def percent(self) -> int:
        """The share approved without change; 100 only when that is all of them, 0 when none."""
        if self.as_asked in (0, self.total):
            return 100 if self.as_asked else 0
        return min(max(round(100 * self.as_asked / self.total), 1), 99)


def per_day(found: Iterable[StoredRequest], since: datetime, until: datetime) -> list[Day]:
    """Count endings by the day of asking; each day from `since` up to and with `until` is there."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    counts = {day: Counter[Ending]() for day in days}
    for stored in found:
        day = stored.request.asked_at.astimezone(UTC).date()
        if day in counts:
            counts[day][ending(stored.state)] += 1
    return [Day(date=day, counts=counts[day]) for day in days]


def ending(state: State) -> Ending:
    """Return what became of a request in that state."""
    match state:
        case State.PENDING:
            return Ending.WAITING
        case State.APPROVED | State.EXECUTING | State.SUCCEEDED:
            return Ending.APPROVED
        case State.REJECTED:
            return Ending.REJECTED
        case State.EXPIRED:
            return Ending.EXPIRED
        case State.CANCELLED:
            return Ending.WITHDRAWN
        case (
            State.FAILED
            | State.OUTCOME_UNKNOWN
            | State.RESOLVED_HAPPENED
            | State.RESOLVED_NOT_HAPPENED
        ):
            return Ending.TROUBLE
        case _:
            assert_never(state)


def deciding_vote(stored: StoredRequest) -> Vote | None:
    """Return the vote with which people had decided; `None` when they have not, or a policy did."""
    if not stored.votes:
        return None
    enough = len(stored.votes) >= stored.request.panel.votes
    last = stored.votes[-1]
    return last if enough or last.choice == "reject" else None


def waits(found: Iterable[StoredRequest]) -> list[Wait]:
    """Return the median time from asking to deciding for each risk, the worst first."""
    taken: dict[Risk, list[float]] = {}
    for stored in found:
        if vote := deciding_vote(stored):
            seconds = (vote.at - stored.request.asked_at).total_seconds()
            # The clocks of two machines may differ; nobody decides before it is asked.
            taken.setdefault(stored.request.risk, []).append(max(seconds, 0.0))
    return [
        Wait(risk=risk, count=len(all_), median=timedelta(seconds=median(all_)))
        for risk, all_ in sorted(taken.items(), reverse=True)
    ]


def by_action(found: Iterable[StoredRequest]) -> list[Share]:
    """Return what people decided, for each action."""
    decided = [(stored, vote) for stored in found if (vote := deciding_vote(stored))]
    return _shares((stored.request.action, _word(stored, vote)) for stored, vote in decided)


def by_person(found: Iterable[StoredRequest]) -> list[Share]:
    """Return what each person said about what has been decided; one person, however spelled."""
    decided = [stored for stored in found if deciding_vote(stored)]
    spelled: dict[str, str] = {}
    said: list[tuple[str, str]] = []
    for stored in decided:
        for vote in stored.votes:
            name = spelled.setdefault(same(vote.by), vote.by)
            said.append((name, _word(stored, vote)))
    return _shares(said)


def _word(stored: StoredRequest, vote: Vote) -> str:
    if vote.choice == "reject":
        return "rejected"
    return "changed" if stored.changed else "as_asked"


def _shares(said: Iterable[tuple[str, str]]) -> list[Share]:
    """Return the shares by name, those with most to say first."""
    counts = Counter(said)
    names = {name for name, _ in counts}
    shares = [
        Share(
            name=name,
            as_asked=counts[name, "as_asked"],
            changed=counts[name, "changed"],
            rejected=counts[name, "rejected"],
        )
        for name in names
    ]
    return sorted(shares, key=lambda share: (-share.total, share.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One coloured rectangle of a stacked bar, in percent of the picture's height."""

    ending: Ending
    count: int
    y: float
    height: float


def stacked(days: Sequence[Day]) -> list[tuple[Day, list[Block]]]:
    """Return the bars from the bottom up; the fullest day fills the picture."""
    highest = max((day.total for day in days), default=0) or 1
    return [(day, [*_stack(day, highest)]) for day in days]


def _stack(day: Day, highest: int) -> Iterator[Block]:
    below = 0
    for kind in Ending:
        if count := day.counts[kind]:
            below += count
            top, height = 100 - 100 * below / highest, 100 * count / highest
            yield Block(ending=kind, count=count, y=round(top, 3), height=round(height, 3))
