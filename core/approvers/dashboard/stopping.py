"""The stop button: withdraw all that has not started, and take no calls until somebody resumes."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...model import State, Store, StoredRequest
from .context import context
from .finding import brief
from .pages import Problem, field, form, looked_up, needs, page, to
from .people import Role

MOST_LISTED = 20
MOST_COUNTED = 20_000
LONGEST_REASON = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What the button would withdraw at this moment.

    Attributes:
        first: Some of the pending requests, the oldest first.
        approved: Those that people have approved and that have not started.
        more: Whether there are more than were counted.
    """

    pending: int
    first: tuple[StoredRequest, ...]
    approved: tuple[StoredRequest, ...]
    more: bool


def would_stop(store: Store) -> Withdrawn:
    """Look at what has not started."""
    pending = store.pending(limit=MOST_COUNTED + 1)
    approved = store.search(state=State.APPROVED, limit=MOST_COUNTED + 1)
    return Withdrawn(
        pending=min(len(pending), MOST_COUNTED),
        first=tuple(pending[:MOST_LISTED]),
        approved=tuple(approved[:MOST_COUNTED]),
        more=max(len(pending), len(approved)) > MOST_COUNTED,
    )


async def show(request: Request) -> Response:
    """Show what stopping would do, or who has stopped and why."""
    store = context(request).store
    why = await looked_up(store.stopped)
    found = None if why else await looked_up(would_stop, store)
    return page(
        request,
        "stop.html",
        why=why,
        found=found,
        listed=MOST_LISTED,
        longest=LONGEST_REASON,
        brief=brief,
    )


async def stop(request: Request) -> Response:
    """Stop, when an admin has said why and that it is meant."""
    admin, filled = needs(request, Role.ADMIN), await form(request)
    because = field(filled, "because").strip()
    if not because or len(because) > LONGEST_REASON:
        raise Problem(400, f"Say why, in 1 to {LONGEST_REASON:,} characters; nothing was stopped.")
    if field(filled, "sure") != "yes":
        raise Problem(400, "Tick that you mean it; nothing was stopped.")
    store = context(request).store
    if why := await looked_up(store.stopped):
        raise Problem(409, f"Calls are refused already: {why}.")
    await looked_up(store.stop, by=admin.name, because=because)
    return to("/stop")


async def resume(request: Request) -> Response:
    """Take calls again; what was withdrawn stays withdrawn."""
    admin, filled = needs(request, Role.ADMIN), await form(request)
    if field(filled, "sure") != "yes":
        raise Problem(400, "Tick that you mean it; calls are still refused.")
    store = context(request).store
    if not await looked_up(store.stopped):
        raise Problem(409, "Nothing is stopped, so there is nothing to resume.")
    await looked_up(store.resume, by=admin.name)
    return to("/stop")


routes = [
    Route("/stop", show, methods=["GET"]),
    Route("/stop", stop, methods=["POST"]),
    Route("/resume", resume, methods=["POST"]),
]
