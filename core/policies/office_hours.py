"""People decide while they are at work; outside their hours calls run alone, or stand still.

A window is half-open, `opens <= now < closes`, on the clocks of a time zone. It opens at the first
instant at which those clocks show `opens` or later, and closes at the first at which they show
`closes` or later. So it opens and closes once on a day whose clocks skip an hour or repeat one.

>>> from zoneinfo import ZoneInfo
>>> hours = OfficeHours(opens=time(9), closes=time(17), timezone=ZoneInfo("Europe/Berlin"))
>>> saturday = datetime(2026, 11, 21, 12, tzinfo=UTC)
>>> freeze = FreezeOutside(hours, now=lambda: saturday)
>>> freeze(ApprovalRequest(action="shop.deploy")).reason
'outside 09:00-17:00 Europe/Berlin; it opens Monday 2026-11-23 09:00 Europe/Berlin'
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ..model import ApprovalRequest, Approve, Reject, utc_now

WEEKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
A_DAY = timedelta(days=1)
A_SECOND = timedelta(seconds=1)
DAYS_AHEAD = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeHours:
    """A window that opens on some days of the week, and not on holidays.

    Attributes:
        opens: Local time.
        closes: Local time; at or before `opens` it is on the next day, so that equal times make
            a window of a whole day.
        timezone: For example `ZoneInfo("Europe/Berlin")`.
        days: Weekdays on which it opens; Monday is 0, as for `date.weekday()`.
        holidays: Dates on which it does not open. A window across midnight belongs to the day
            on which it opens.

    Raises:
        TypeError: A holiday that is no plain `date`, which would never match.
        ValueError: No day or one that is not 0 to 6, or a time with a zone of its own.
    """

    opens: time
    closes: time
    timezone: tzinfo
    days: Collection[int] = WEEKDAYS
    holidays: Collection[date] = frozenset()

    def __post_init__(self) -> None:
        if not self.days or not EVERY_DAY.issuperset(self.days):
            raise ValueError(f"days are 0 (Monday) to 6 (Sunday), at least one: {self.days}")
        if self.opens.tzinfo or self.closes.tzinfo:
            raise ValueError("opens and closes are local times; the zone is named once, apart")
        if strange := [day for day in self.holidays if type(day) is not date]:
            raise TypeError(f"a holiday is a date, not {strange[0]!r}")
        object.__setattr__(self, "days", frozenset(self.days))
        object.__setattr__(self, "holidays", frozenset(self.holidays))

    def is_open(self, instant: datetime) -> bool:
        """Return whether `instant` lies in a window.

        Raises:
            ValueError: `instant` has no time zone, so nobody knows when it is.
        """
        now = _utc(instant)
        return any(opening <= now < closing for opening, closing in self._windows(now, 1))

    def next_open(self, instant: datetime) -> datetime | None:
        """Return the first open instant from `instant` on, in the window's zone.

        `None` when there is none within a year, for a long list of holidays.
        """
        now = _utc(instant)
        for opening, closing in self._windows(now, DAYS_AHEAD):
            if now < closing:
                return max(now, opening).astimezone(self.timezone)
        return None

    def next_close(self, instant: datetime) -> datetime | None:
        """Return the first closed instant from `instant` on, in the window's zone.

        `None` when there is none within a year, for windows of a whole day on every day.
        """
        closed = now = _utc(instant)
        for opening, closing in self._windows(now, DAYS_AHEAD):
            if closed < opening:
                return closed.astimezone(self.timezone)
            closed = max(closed, closing)
        seen = timedelta(days=DAYS_AHEAD - 1)
        return closed.astimezone(self.timezone) if closed - now < seen else None

    def _windows(self, now: datetime, days_ahead: int) -> Iterator[tuple[datetime, datetime]]:
        """Yield openings and closings in UTC and in order, from yesterday on. None is empty."""
        today = now.astimezone(self.timezone).date()
        for ahead in range(-1, days_ahead + 1):
            day = today + ahead * A_DAY
            if day.weekday() in self.days and day not in self.holidays:
                last = day if self.opens < self.closes else day + A_DAY
                opening = first_instant(datetime.combine(day, self.opens), self.timezone)
                closing = first_instant(datetime.combine(last, self.closes), self.timezone)
                if opening < closing:
                    yield opening, closing

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} {self.timezone}"


def first_instant(local: datetime, timezone: tzinfo) -> datetime:
    """Return the first instant, in UTC, at which clocks in `timezone` show `local` or later.

    >>> from zoneinfo import ZoneInfo
    >>> skipped = datetime(2026, 3, 29, 2, 30)  # clocks went from 02:00 to 03:00
    >>> str(first_instant(skipped, ZoneInfo("Europe/Berlin")))
    '2026-03-29 01:00:00+00:00'
    """
    # Of a local time that comes twice, fold 0 is the first.
    late = local.replace(tzinfo=timezone, fold=0).astimezone(UTC)
    if late.astimezone(timezone).replace(tzinfo=None) == local:
        return late
    # A time that was skipped: with fold 1 it lies before the jump, with fold 0 after it.
    # The jump itself comes at a whole second.
    late = late.replace(microsecond=0)
    early = local.replace(tzinfo=timezone, fold=1, microsecond=0).astimezone(UTC)
    while late - early > A_SECOND:
        middle = early + (late - early) // A_SECOND // 2 * A_SECOND
        if middle.astimezone(timezone).replace(tzinfo=None) < local:
            early = middle
        else:
            late = middle
    return late


def _utc(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError(f"{instant} has no time zone, so nobody knows when it is")
    return instant.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class ApproveDuring:
    """Approve while the window is open: for agents that work when somebody is near."""

    hours: OfficeHours
    now: Callable[[], datetime] = utc_now

    def __call__(self, _: ApprovalRequest, /) -> Approve | None:
        if self.hours.is_open(self.now()):
            return Approve(by="policy", note=f"during {self.hours}")
        return None


@dataclass(frozen=True, slots=True)
class ApproveOutside:
    """Approve while the window is closed: people decide in business hours, automation after."""

    hours: OfficeHours
    now: Callable[[], datetime] = utc_now

    def __call__(self, _: ApprovalRequest, /) -> Approve | None:
        if self.hours.is_open(self.now()):
            return None
        return Approve(by="policy", note=f"outside {self.hours}")


@dataclass(frozen=True, slots=True)
class FreezeDuring:
    """Reject while the window is open, and say when it ends: a change freeze."""

    hours: OfficeHours
    now: Callable[[], datetime] = utc_now

    def __call__(self, _: ApprovalRequest, /) -> Reject | None:
        now = self.now()
        if not self.hours.is_open(now):
            return None
        ends = _when("ends", self.hours.next_close(now), self.hours)
        return Reject(by="policy", reason=f"frozen during {self.hours}; it {ends}")


@dataclass(frozen=True, slots=True)
class FreezeOutside:
    """Reject while the window is closed, and say when it opens: nobody deploys at night."""

    hours: OfficeHours
    now: Callable[[], datetime] = utc_now

    def __call__(self, _: ApprovalRequest, /) -> Reject | None:
        now = self.now()
        if self.hours.is_open(now):
            return None
        opens = _when("opens", self.hours.next_open(now), self.hours)
        return Reject(by="policy", reason=f"outside {self.hours}; it {opens}")


def _when(verb: str, instant: datetime | None, hours: OfficeHours) -> str:
    if instant is None:
        return f"never {verb} within the next {DAYS_AHEAD} days"
    return f"{verb} {DAYS[instant.weekday()]} {instant:%Y-%m-%d %H:%M} {hours.timezone}"
