"""Approve or reject: one vote on exactly what the person was shown."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...display import is_too_large
from ...model import Approve, NotCounted, Reject, Risk, State, Store, StoredRequest
from ..forms.typed import DIGITS, LONGEST_NOTE, lines_of, wrong_reason
from .asked import answer
from .context import context
from .finding import one
from .pages import field, form, looked_up, needs, to
from .people import Role

WINDOW = "dashboard"
TOO_LARGE = "This is too large to be shown whole, so it cannot be approved here"


async def approve(request: Request) -> Response:
    """Count somebody's yes."""
    voter, filled = needs(request, Role.REVIEWER), await form(request)
    stored = await one(context(request).store, request.path_params["id"])
    note = field(filled, "note").strip()
    if wrong := wrong_approval(stored, filled, note):
        status = 400 if "confirm" in wrong or "note" in wrong else 409
        notice = next(iter(wrong.values()))
        typed = {"note": note[:LONGEST_NOTE]}
        return await answer(request, stored, status=status, notice=notice, wrong=wrong, typed=typed)
    return await _said(request, stored, Approve(by=voter.name, note=note), filled)


def wrong_approval(stored: StoredRequest, filled: FormData, note: str) -> dict[str, str]:
    """Return what keeps an approval from being sent to the store, by field."""
    asked = stored.request
    if stored.state is not State.PENDING:
        return {}  # the store says best what is true by now
    if is_too_large(asked):
        return {"size": f"{TOO_LARGE}."}
    if len(note) > LONGEST_NOTE:
        return {"note": f"A note has at most {LONGEST_NOTE:,} characters; nothing was approved."}
    start, typed = asked.digest[:DIGITS], field(filled, "confirm").strip().lower()
    # A page that is out of date asks for other characters; that it is, the store says better.
    is_current = field(filled, "digest") == asked.digest
    if asked.risk is Risk.CRITICAL and is_current and typed != start:
        text = f"Type the first {DIGITS} characters of the digest; nothing was approved."
        return {"confirm": text}
    return {}


async def reject(request: Request) -> Response:
    """Count somebody's no; the reason is for the agent."""
    voter, filled = needs(request, Role.REVIEWER), await form(request)
    stored = await one(context(request).store, request.path_params["id"])
    reason = lines_of(field(filled, "reason")).strip()
    if wrong := wrong_reason(reason):
        typed = {"reason": reason[:LONGEST_NOTE]}
        return await answer(
            request, stored, status=400, notice=wrong, wrong={"reason": wrong}, typed=typed
        )
    return await _said(request, stored, Reject(by=voter.name, reason=reason), filled)


async def _said(
    request: Request, stored: StoredRequest, said: Approve | Reject, filled: FormData
) -> Response:
    """Give the vote to the store; one that does not count shows what is true."""
    store, path = context(request).store, f"/requests/{stored.request.id}"
    try:
        await looked_up(vote, store, stored.request.id, said, field(filled, "digest"))
    except NotCounted as error:
        now = await one(store, stored.request.id)
        return await answer(request, now, status=409, notice=sentence(error))
    return to(path)


def vote(store: Store, request_id: str, said: Approve | Reject, digest: str) -> StoredRequest:
    """Count a vote on what has that digest.

    Raises:
        NotCounted: With the true state.
    """
    return store.vote(request_id, said, digest=digest, window=WINDOW)


def sentence(error: Exception) -> str:
    """Return why a vote does not count, as a sentence of its own."""
    text = str(error)
    more = "" if "nothing" in text else " Nothing was changed."
    return f"{text[:1].upper()}{text[1:]}.{more}"


routes = [
    Route("/requests/{id}/approve", approve, methods=["POST"]),
    Route("/requests/{id}/reject", reject, methods=["POST"]),
]
