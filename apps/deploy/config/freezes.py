"""When nothing goes to an environment, and when it may again.

A window is half-open, on the clocks of its time zone: it begins at the first instant at which they
show its beginning or later, and ends at the first at which they show its end or later. So it begins
and ends once on a day whose clocks skip an hour or repeat one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias, assert_never
from zoneinfo import ZoneInfo

A_DAY = timedelta(days=1)
A_MINUTE = timedelta(minutes=1)
FAR = timedelta(days=10 * 366)  # beyond that it counts as for ever

Span: TypeAlias = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class EachWeek:
    """The same hours each week.

    Attributes:
        days: On which it begins; Monday is 0.
        until: At or before `begins` it is on the next day.
    """

    environments: frozenset[str]
    days: frozenset[int]
    begins: time
    until: time
    timezone: ZoneInfo
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """Whole days, `first` and `last` included."""

    environments: frozenset[str]
    first: date
    last: date
    timezone: ZoneInfo
    because: str


Window: TypeAlias = EachWeek | Dates


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Nothing goes to an environment now.

    Attributes:
        opens_at: The first instant that no window covers, in the zone of the window that ends
            then; `None` when there is none for ten years.
    """

    because: str
    opens_at: datetime | None

    @property
    def sentence(self) -> str:
        """Say until when, and why."""
        return f"frozen until {spoken(self.opens_at)}: {self.because}"


def spoken(instant: datetime | None) -> str:
    """Write an instant with its day and its zone.

    >>> spoken(datetime(2026, 11, 28, tzinfo=ZoneInfo("Europe/Berlin")))
    'Saturday 2026-11-28 00:00 Europe/Berlin'
    """
    if instant is None:
        return "further notice"
    return f"{instant:%A %Y-%m-%d %H:%M} {instant.tzinfo}"


def frozen(windows: Iterable[Window], environment: str, now: datetime) -> Frozen | None:
    """Say why nothing goes to an environment, and when it may again; `None` when it may."""
    mine = [window for window in windows if environment in window.environments]
    first = _covering(mine, now)
    if first is None:
        return None
    opens_at, last = now, first
    while (window := _covering(mine, opens_at)) is not None:
        span = covering(window, opens_at)
        assert span is not None
        opens_at, last = span[1], window
        if opens_at - now > FAR:
            return Frozen(because=first.because, opens_at=None)
    return Frozen(because=first.because, opens_at=opens_at.astimezone(last.timezone))


def _covering(windows: Sequence[Window], now: datetime) -> Window | None:
    return next((window for window in windows if covering(window, now)), None)


def covering(window: Window, now: datetime) -> Span | None:
    """Return from when until when, in UTC, a window covers an instant; `None` when it does not."""
    return next((span for span in _near(window, now) if span[0] <= now < span[1]), None)


def _near(window: Window, now: datetime) -> Iterable[Span]:
    """Yield the spans of a window that an instant can lie in."""
    match window:
        case Dates(first=first, last=last, timezone=zone):
            yield _midnight(first, zone), _midnight(last + A_DAY, zone)
        case EachWeek(begins=begins, until=until, timezone=zone):
            today = now.astimezone(zone).date()
            for day in (today - A_DAY, today):
                if day.weekday() in window.days:
                    end = day if begins < until else day + A_DAY
                    yield (
                        first_instant(datetime.combine(day, begins), zone),
                        first_instant(datetime.combine(end, until), zone),
                    )
        case _:
            assert_never(window)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return first_instant(datetime.combine(day, time()), zone)


def first_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the first whole minute, in UTC, at which clocks in `zone` show `local` or later.

    >>> skipped = datetime(2026, 3, 29, 2, 30)  # clocks went from 02:00 to 03:00
    >>> str(first_instant(skipped, ZoneInfo("Europe/Berlin")))
    '2026-03-29 01:00:00+00:00'
    """
    # Of a time that comes twice this is the first; one that was skipped lands behind the gap.
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while (instant - A_MINUTE).astimezone(zone).replace(tzinfo=None) >= local:
        instant -= A_MINUTE
    return instant
