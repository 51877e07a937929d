"""One request on a page: all of it, from the stored bytes, and what the person may do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...canonical import encode
from ...display import MAX_SHOWN, by_now, display, is_too_large, unsafe
from ...model import ApprovalRequest, Risk, State, StoredRequest, Unencodable, same
from ..forms.spelled import spelled
from ..forms.typed import DIGITS, LONGEST_NOTE
from ..standing import told
from .colours import ended
from .context import context
from .context import person as visitor
from .finding import done, one
from .pages import page
from .people import Person, Role
from .tray import Entry, tray
from .what import MOST_WHEN_TOO_LARGE, Argument, arguments, cut, what

EDITED = "Your edit was taken. What it would do has changed with it: look again, then approve."


async def show(request: Request) -> Response:
    """Show one request."""
    stored = await one(context(request).store, request.path_params["id"])
    is_mine = "edited" in request.query_params and stored.changed
    again = is_mine and not obstacle(stored, visitor(request))
    return await answer(request, stored, good=EDITED if again else "")


async def answer(
    request: Request,
    stored: StoredRequest,
    *,
    status: int = 200,
    notice: str = "",
    good: str = "",
    wrong: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """Return the page of a request as it stands.

    Args:
        notice: Why what the person wanted was not done.
        good: What was done, and what there is to do now.
        wrong: What is wrong with a field of the forms.
        typed: What the person had typed there.
    """
    asked, who = stored.request, visitor(request)
    waiting = await done(_others, request, asked.id)
    budgets = await done(by_now, context(request).store, stored) if asked.charges else []
    values: dict[str, Any] = {
        "stored": stored,
        "asked": asked,
        "what": what(asked),
        "budgets": budgets,
        "notice": notice,
        "good": good,
        "wrong": {"confirm": "", "reason": "", **(wrong or {})},
        "typed": {"note": "", "reason": "", **(typed or {})},
        "told": told(stored),
        "changed": unsafe(stored.changed),  # it was made safe when it was written
        "obstacle": obstacle(stored, who),
        "too_large": MAX_SHOWN if is_too_large(asked) else 0,
        "critical": asked.risk is Risk.CRITICAL,
        "digits": DIGITS,
        "longest": LONGEST_NOTE,
        "approvals": [vote for vote in stored.votes if vote.choice == "approve"],
        "proposed": _proposed(stored),
        "returned": ended(_returned(stored)),
        "waiting": len(waiting),
        "next": _next(waiting, asked),
    }
    return page(request, "request.html", status=status, **values)


def obstacle(stored: StoredRequest, who: Person) -> str:
    """Say why somebody cannot decide this; empty when they can."""
    asked = stored.request
    if stored.state is not State.PENDING:
        return told(stored)
    if who.role < Role.REVIEWER:
        return "Your role is viewer: you may look, and reviewers decide."
    if any(same(vote.by) == same(who.name) for vote in stored.votes):
        return "You have approved this. It waits for others."
    if same(who.name) in {same(name) for name in asked.requesters}:
        return "It is asked for you, and nobody approves their own request."
    if not asked.panel.admits(who.name, asked.requesters):
        return "You are not on its panel."
    return ""


def _proposed(stored: StoredRequest) -> tuple[Argument, ...]:
    """Return what an edit that is not checked yet would put in place of the arguments."""
    if stored.proposal is None:
        return ()
    try:
        frozen = encode(dict(stored.proposal.arguments))
    except Unencodable:
        return ()
    return arguments(replace(stored.request, frozen=frozen), MOST_WHEN_TOO_LARGE)


def _returned(stored: StoredRequest) -> str:
    if stored.outcome is None or stored.outcome.result is None:
        return ""
    if len(stored.outcome.result) > MOST_WHEN_TOO_LARGE:
        return cut(display(stored.outcome.result), MOST_WHEN_TOO_LARGE)
    return spelled(json.loads(stored.outcome.result))


def _others(request: Request, request_id: str) -> list[Entry]:
    """Return what else waits, oldest first."""
    held = tray(request)
    held.refresh()
    return [entry for entry in held.waiting(context(request).now()) if entry.id != request_id]


def _next(waiting: list[Entry], asked: ApprovalRequest) -> Entry | None:
    """Return the next one in the order of the inbox: the newest that is older, else the newest."""
    older = [entry for entry in waiting if entry.asked_at <= asked.asked_at]
    return next(reversed(older or waiting), None)


routes = [Route("/requests/{id}", show, methods=["GET"])]
