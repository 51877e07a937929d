"""Find requests, one by its id or a page of those that fit, and say truthfully what failed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

from ...display import safe, shown
from ...model import (
    ApprovalRequest,
    NoSuchRequest,
    NotCounted,
    State,
    Store,
    StoredRequest,
    StoreError,
    Unencodable,
)
from .pages import Problem, looked_up

P = ParamSpec("P")
T = TypeVar("T")
ID = "^[0-9A-Za-z_-]{1,64}$"
LONGEST_BRIEF = 80

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; what is empty fits everything.

    Attributes:
        person: Who asked, for whom it was asked, or who voted.
        since: The first instant of asking that fits.
        until: The first one after it that does not.
    """

    state: State | None = None
    action: str = ""
    person: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Requests, and the id after which the next page begins; empty when there is none."""

    requests: Sequence[StoredRequest]
    next: str = ""


async def done(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a method of the store in a thread.

    Raises:
        Problem: 404 for what is not there, 409 for what no longer counts, 400 for what cannot be
            kept, 503 for a store that cannot be used.
    """
    try:
        return await looked_up(fn, *args, **kwargs)
    except NotCounted as error:
        raise Problem(409, _sentence(error)) from None
    except Unencodable as error:
        raise Problem(400, _sentence(error)) from None
    except NoSuchRequest:
        raise Problem(404, "There is no such request.") from None
    except StoreError as error:
        log.error("%s", error)
        raise Problem(503, "The store cannot be used at the moment; nothing was done.") from None


async def one(store: Store, request_id: str) -> StoredRequest:
    """Return the request with that id.

    Raises:
        Problem: 404 when there is none.
    """
    if re.fullmatch(ID, request_id) is None:
        raise Problem(404, "There is no such request.")
    return await done(store.get, request_id)


def page_of(store: Store, wanted: Wanted, *, after: str = "", limit: int = 50) -> Page:
    """Return a page of what fits, newest first.

    Raises:
        Problem: 400 when there is no request that it could come after.
    """
    try:
        found = store.search(
            state=wanted.state,
            action=wanted.action,
            person=wanted.person,
            since=wanted.since,
            until=wanted.until,
            after=after,
            limit=limit + 1,
        )
    except NoSuchRequest:
        raise Problem(400, "What the page should come after is not there: begin anew.") from None
    more = found[limit - 1].request.id if len(found) > limit else ""
    return Page(requests=found[:limit], next=more)


def brief(request: ApprovalRequest) -> str:
    """Return the arguments in one line that is safe to show; what is cut says so."""
    text = ", ".join(f"{one.name}={one.text}" for one in shown(request))
    return clipped(text.replace("\n", safe("\n")))


def gist(request: ApprovalRequest) -> str:
    """Return what the call would do, in one such line; its arguments where nobody has looked."""
    summary = request.preview.summary if request.preview else ""
    return clipped(safe(summary)) if summary else brief(request)


def clipped(text: str) -> str:
    """Return the beginning of a long line, and how long it is."""
    if len(text) <= LONGEST_BRIEF:
        return text
    return f"{text[:LONGEST_BRIEF]}… ({len(text):,} characters)"


def instant(text: str, *, end_of_day: bool = False) -> datetime:
    """Read an ISO 8601 time; one without a zone is UTC.

    Args:
        end_of_day: Read a date alone as the first instant after that day.

    Raises:
        ValueError: It is none.
    """
    try:
        read = datetime.fromisoformat(text)
        read = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
        return read + timedelta(days=1) if end_of_day and is_date else read
    except OverflowError:
        raise ValueError(f"{text} lies outside of time") from None


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
