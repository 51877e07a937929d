"""A batch that an agent has queued: all of its calls, what needs what, and how each stands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from ...model import State, Store, StoredRequest
from .context import context
from .finding import ID, done, gist
from .pages import Problem
from .tray import tray

LATEST = 5_000
"""Only so many requests are looked through for calls of the batch that are decided already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One call of a batch.

    Attributes:
        gist: What it would do, in one line that is safe to show.
        needs: The numbers of the calls whose results it takes, as text.
    """

    number: int
    stored: StoredRequest
    gist: str
    needs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A batch.

    Attributes:
        calls: In order of their numbers; one that was asked about again is there twice.
        beside: What policies decide of it, a line each.
        waiting: Ids of those that wait, in the same order.
    """

    id: str
    of: int
    calls: tuple[Queued, ...]
    beside: tuple[str, ...]
    waiting: tuple[str, ...]


async def graph(request: Request, batch: str) -> Graph:
    """Return the batch with that id.

    Raises:
        Problem: 404 when nothing of it is there.
    """
    if re.fullmatch(ID, batch) is None:
        raise Problem(404, "There is no such batch.")
    found = await done(_calls, request, batch)
    if not found:
        raise Problem(404, "There is no such batch.")
    calls = tuple(sorted(map(_queued, found), key=lambda call: (call.number, call.stored.state)))
    places = [stored.request.batch for stored in found if stored.request.batch is not None]
    return Graph(
        id=batch,
        of=max(place.of for place in places),
        calls=calls,
        beside=tuple(line for place in places for line in place.beside),
        waiting=tuple(c.stored.request.id for c in calls if c.stored.state is State.PENDING),
    )


def _calls(request: Request, batch: str) -> list[StoredRequest]:
    store, held = context(request).store, tray(request)
    held.refresh()
    entries = [e for e in held.waiting(context(request).now()) if e.batch and e.batch.id == batch]
    found = {entry.id: store.get(entry.id) for entry in entries}
    return [*({stored.request.id: stored for stored in _decided(store, batch)} | found).values()]


def _decided(store: Store, batch: str) -> list[StoredRequest]:
    latest = store.search(limit=LATEST)
    return [one for one in latest if one.request.batch and one.request.batch.id == batch]


def _queued(stored: StoredRequest) -> Queued:
    place = stored.request.batch
    needs = ", ".join(map(str, place.needs)) if place else ""
    return Queued(
        number=place.number if place else 0,
        stored=stored,
        gist=gist(stored.request),
        needs=needs,
    )
