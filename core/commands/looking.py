"""Look at what waits and at what has been: `pending`, `show`, `history`."""

from __future__ import annotations

import re
from argparse import Namespace
from datetime import datetime, timedelta

from .. import documents
from ..display import by_now
from ..model import State
from . import pages
from .desk import Desk, Misused, found
from .ink import Block, Heading, line

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def pending(desk: Desk, options: Namespace) -> int:
    """Show a page of what waits for people, oldest first."""
    with desk.store(sweep=True) as store:
        after = found(store, options.after).request.id if options.after else ""
        page = store.pending(after=after, limit=options.limit)
        following = page and store.pending(after=page[-1].request.id, limit=1)
        stopped = store.stopped()
    next_page = page[-1].request.id if following else ""
    blocks: list[Block] = []
    if stopped:
        blocks.append(Heading(line(f"No calls are taken: {stopped}"), "bold red"))
    if page:
        blocks.append(pages.listed(page, desk.now(), short=desk.out.isatty()))
    else:
        blocks.append(Heading(line("Nothing waits.")))
    if next_page:
        blocks.append(Heading(line(f"There are more: pending --after {next_page}"), ""))
    requests = [documents.request(stored) for stored in page]
    desk.answer({"requests": requests, "next": next_page, "stopped": stopped}, blocks)
    return 0


def show(desk: Desk, options: Namespace) -> int:
    """Show everything about one request, and what the audit trail says of it."""
    with desk.store() as store:
        stored = found(store, options.id)
        story = documents.story(store.trail(request_id=stored.request.id))
        budgets = by_now(store, stored)
    document = {**documents.request(stored), "story": story}
    desk.answer(document, [*pages.whole(stored, desk.now(), budgets), pages.told(story)])
    return 0


def history(desk: Desk, options: Namespace) -> int:
    """Show requests by what is known of them, newest first."""
    now = desk.now()
    since, until = instant(options.since, now), instant(options.until, now)
    with desk.store(sweep=True) as store:
        page = store.search(
            state=options.state,
            action=options.action,
            person=options.person,
            since=since,
            until=until,
            limit=options.limit + 1,
        )
    shown, more = page[: options.limit], len(page) > options.limit
    blocks: list[Block] = [Heading(line("Nothing was found."))]
    if shown:
        blocks = [pages.listed(shown, now, short=desk.out.isatty())]
    if more:
        blocks.append(Heading(line("There are more: add --limit, or --until an earlier time"), ""))
    desk.answer({"requests": [documents.request(s) for s in shown], "more": more}, blocks)
    return 0


def state(text: str) -> State:
    """Read a state in whatever case it is written.

    Raises:
        ValueError: There is no such state.
    """
    known = {each.value.lower(): each for each in State}
    name = text.lower().replace("-", "_")
    if name not in known:
        raise ValueError
    return known[name]


def instant(text: str, now: datetime) -> datetime | None:
    """Read `30m`, `2h`, `7d` as that long ago, or an ISO 8601 time; without a zone it is local.

    Raises:
        Misused: It is neither.
    """
    if not text:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone(now.tzinfo)
    except (ValueError, OverflowError):
        raise Misused(f"{text!r} is no time: write 2h, 7d, or 2025-06-04T10:00") from None
