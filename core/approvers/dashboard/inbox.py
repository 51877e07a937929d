"""The inbox: what waits for people, sorted and sifted, a page at a time."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...model import Risk
from .context import context
from .finding import done
from .pages import Problem, page
from .tray import Sieve, tray

ON_A_PAGE = 50
LONGEST_NAME = 500
MOST_PAGES = 100_000
FILTERS = ("app", "action", "risk", "environment", "person")
SORTS = {"newest": "Newest first", "urgent": "Most urgent first"}


async def inbox(request: Request) -> Response:
    """Show a page of what waits."""
    now, given = context(request).now(), request.query_params
    sieve, sort, number = wanted(given), given.get("sort", "newest"), _page_number(given)
    if sort not in SORTS:
        raise Problem(400, "What waits is sorted by newest or urgent.")
    start = (number - 1) * ON_A_PAGE
    found = await done(
        tray(request).sift, sieve, now, urgent=sort == "urgent", start=start, count=ON_A_PAGE
    )
    kept = {name: getattr(sieve, name) for name in FILTERS if getattr(sieve, name)}
    sorted_so = kept | ({"sort": sort} if sort != "newest" else {})
    last = max(1, -(-found.fits // ON_A_PAGE))
    values: dict[str, Any] = {
        "found": found,
        "asked": {name: getattr(sieve, name) for name in FILTERS},
        "sifted": bool(kept),
        "sort": sort,
        "sorts": {name: (label, _link(kept | {"sort": name})) for name, label in SORTS.items()},
        "risks": [risk.name for risk in reversed(Risk)],
        "number": number,
        "last": last,
        "first_row": start + 1,
        "all_of_it": f"/batch?{urlencode(kept)}" if kept else "/batch",
        "newer": _link(sorted_so | {"page": number - 1}) if number > 1 else "",
        "older": _link(sorted_so | {"page": number + 1}) if number < last else "",
        "most": ON_A_PAGE,
    }
    return page(request, "inbox.html", **values)


def wanted(given: QueryParams) -> Sieve:
    """Read the filters of an address.

    Raises:
        Problem: 400 with what is wrong with them.
    """
    texts = {name: given.get(name, "").strip() for name in FILTERS}
    if any(len(text) > LONGEST_NAME for text in texts.values()):
        raise Problem(400, f"A name has at most {LONGEST_NAME} characters.")
    if texts["risk"] and texts["risk"] not in Risk.__members__:
        raise Problem(400, f"There is no such risk; there are {', '.join(Risk.__members__)}.")
    return Sieve(**texts)


def _page_number(given: QueryParams) -> int:
    text = given.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST_PAGES):
        raise Problem(400, "There is no such page.")
    return int(text[:9])


def _link(query: dict[str, Any]) -> str:
    shown = {n: v for n, v in query.items() if (n, v) not in {("sort", "newest"), ("page", 1)}}
    return f"/?{urlencode(shown)}" if shown else "/"


routes = [Route("/", inbox, methods=["GET"])]
