"""Pictures of what was asked and decided, drawn as SVG from the store's own rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...model import Store
from . import figures
from .context import context
from .pages import Problem, looked_up, page

SPANS = (7, 30, 90)
MOST_COUNTED = 10_000
MOST_NAMED = 12


async def pictures(request: Request) -> Response:
    """Show the last 7, 30 or 90 days."""
    days = _span(request.query_params.get("days", "30"))
    here = context(request)
    values = await looked_up(counted, here.store, here.now(), days)
    return page(request, "pictures.html", spans=SPANS, days=days, **values)


def _span(text: str) -> int:
    if text not in {str(span) for span in SPANS}:
        raise Problem(400, f"Pictures are of {', '.join(map(str, SPANS))} days.")
    return int(text)


def counted(store: Store, now: datetime, days: int, most: int = MOST_COUNTED) -> dict[str, Any]:
    """Return everything that the page shows.

    Args:
        days: How many days, today with them, in UTC.
        most: How many requests are counted at most, the newest first.
    """
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=days - 1)
    found = store.search(since=since, limit=most + 1)
    is_cut, found = len(found) > most, found[:most]
    bars = figures.stacked(figures.per_day(found, since, now))
    waits = figures.waits(found)
    return {
        "bars": bars,
        "highest": max(day.total for day, _ in bars),
        "endings": list(figures.Ending),
        "totals": {kind: sum(day.counts[kind] for day, _ in bars) for kind in figures.Ending},
        "waits": waits,
        "slowest": max((wait.median for wait in waits), default=timedelta()),
        "shares": {
            "action": figures.by_action(found)[:MOST_NAMED],
            "person": figures.by_person(found)[:MOST_NAMED],
        },
        "most_named": MOST_NAMED,
        "counted": len(found),
        "is_cut": is_cut,
        "lasting": lasting,
    }


def lasting(duration: timedelta) -> str:
    """Return a duration in its two largest units.

    >>> lasting(timedelta(seconds=0.4)), lasting(timedelta(seconds=90)), lasting(timedelta(days=2))
    ('under 1 s', '1 min 30 s', '2 d')
    """
    seconds = int(duration.total_seconds())
    if seconds < 1:
        return "under 1 s"
    counts = (
        (seconds // 86400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    )
    first = next(number for number, (count, _) in enumerate(counts) if count)
    return " ".join(f"{count} {unit}" for count, unit in counts[first : first + 2] if count)


routes = [Route("/pictures", pictures)]
