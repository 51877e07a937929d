"""Many at once: seen together, then approved or rejected together or one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...model import Approve, NotCounted, Reject, Risk, State, Store, StoredRequest, StoreError
from ..forms.typed import LONGEST_NOTE, lines_of, wrong_reason
from ..standing import told
from .context import context, person
from .deciding import sentence, vote
from .finding import ID, done
from .inbox import FILTERS, wanted
from .pages import Problem, field, form, looked_up, needs, page, to
from .people import Person, Role
from .queued import Graph, graph
from .totals import alone, columns, groups, items, totals
from .tray import tray

MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one vote of a batch.

    Attributes:
        counted: Whether it counts.
        text: What is true now, not yet safe to show.
    """

    stored: StoredRequest
    counted: bool
    text: str


async def look(request: Request) -> Response:
    """Show what was picked side by side, or what there is to pick."""
    given = request.query_params
    if given.get("batch"):
        queued = await graph(request, given["batch"])
        more = max(0, len(queued.waiting) - MOST)
        return await _together(request, queued.waiting[:MOST], more=more, queued=queued)
    picked = _ids(given.getlist("id"))
    if picked:
        return await _together(request, picked)
    sieve = wanted(given)
    held, now = tray(request), context(request).now()
    chosen = any(given.get(name) for name in FILTERS)
    found = await done(held.sift, sieve, now, urgent=True, start=0, count=MOST)
    if chosen and found.entries:
        more = max(0, found.fits - len(found.entries))
        return await _together(request, [entry.id for entry in found.entries], more=more)
    values: dict[str, Any] = {"kinds": found.choices["action"], "most": MOST, "waits": found.waits}
    return page(request, "kinds.html", **values)


def _ids(texts: Sequence[str]) -> list[str]:
    """Return ids, each once.

    Raises:
        Problem: 400: one of them is none, or there are too many.
    """
    found = [*dict.fromkeys(texts)]
    if any(re.fullmatch(ID, text) is None for text in found):
        raise Problem(400, "One of these is no request.")
    if len(found) > MOST:
        raise Problem(400, f"At most {MOST} requests are shown together.")
    return found


async def _together(
    request: Request,
    picked: Sequence[str],
    *,
    more: int = 0,
    results: Sequence[Result] = (),
    wrong: str = "",
    reason: str = "",
    status: int = 200,
    queued: Graph | None = None,
) -> Response:
    who = person(request)
    found = await looked_up(_found, context(request).store, picked)
    waiting = [stored for stored in found if stored.state is State.PENDING]
    decided = {result.stored.request.id for result in results}
    over = [s for s in found if s.state is not State.PENDING and s.request.id not in decided]
    shown = items(waiting, who)
    together = [item for item in shown if not item.alone]
    values: dict[str, Any] = {
        "groups": groups(shown),
        "columns": columns,
        "shown": shown,
        "together": len(together),
        "totals": totals([item.request for item in together]),
        "worst": max((item.request.risk for item in together), default=Risk.LOW),
        "more": more,
        "most": MOST,
        "results": results,
        "over": [(stored, told(stored)) for stored in over],
        "wrong": wrong,
        "reason": reason,
        "longest": LONGEST_NOTE,
        "queued": queued,
    }
    return page(request, "batch.html", status=status, **values)


def _found(store: Store, picked: Sequence[str]) -> list[StoredRequest]:
    """Return those that are there; one that cannot be read is left out of a batch."""
    found: list[StoredRequest] = []
    for request_id in picked:
        try:
            found.append(store.get(request_id))
        except StoreError:
            continue
    return found


async def decide(request: Request) -> Response:
    """Vote on all that is ticked, or on one of them; each vote is a vote of its own."""
    voter, filled = needs(request, Role.REVIEWER), await form(request)
    shown, ticked = _ids(_texts(filled, "shown")), _ids(_texts(filled, "id"))
    choice, _, only = field(filled, "do").partition(":")
    picked = _ids([only]) if only else ticked
    reason = lines_of(field(filled, "reason")).strip()
    wrong = wrong_reason(reason) if choice == "reject" else ""
    if choice == "look":
        return to(f"/batch?{urlencode([('id', each) for each in shown])}")
    if choice not in {"approve", "reject"}:
        raise Problem(400, "A batch is approved or rejected; nothing was done.")
    if wrong or not picked:
        wrong = wrong or "Tick at least one request; nothing was done."
        return await _together(request, shown, wrong=wrong, reason=reason, status=400)
    digests = {each: field(filled, f"digest.{each}") for each in picked}
    said: Approve | Reject = Approve(by=voter.name)
    if choice == "reject":
        said = Reject(by=voter.name, reason=reason)
    store = context(request).store
    results = await looked_up(voted, store, voter, said, digests)
    return await _together(request, shown, results=results)


def _texts(filled: FormData, name: str) -> list[str]:
    return [text for text in filled.getlist(name) if isinstance(text, str)]


def voted(
    store: Store, voter: Person, said: Approve | Reject, digests: dict[str, str]
) -> list[Result]:
    """Vote on each, and tell of each what came of it; one that fails holds up no other."""
    return [
        _voted(store, voter, stored, said, digests[stored.request.id])
        for stored in _found(store, [*digests])
    ]


def _voted(
    store: Store, voter: Person, stored: StoredRequest, said: Approve | Reject, digest: str
) -> Result:
    is_open = stored.state is State.PENDING and isinstance(said, Approve)
    why = alone(stored, voter) if is_open and digest == stored.request.digest else ""
    if why:
        return Result(stored=stored, counted=False, text=f"{why} Nothing was changed.")
    try:
        after = vote(store, stored.request.id, said, digest)
    except NotCounted as error:
        return Result(stored=store.get(stored.request.id), counted=False, text=sentence(error))
    except StoreError as error:
        return Result(stored=stored, counted=False, text=sentence(error))
    return Result(stored=after, counted=True, text=_count(after))


def _count(stored: StoredRequest) -> str:
    if stored.state is not State.PENDING:
        return told(stored)
    count = sum(each.choice == "approve" for each in stored.votes)
    return f"Your approval counts: {count} of {stored.request.panel.votes} votes."


routes = [
    Route("/batch", look, methods=["GET"]),
    Route("/batch", decide, methods=["POST"]),
]
