"""The dashboard for programs: list, show, vote, edit and look back, by the rules people go by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ... import documents
from ...canonical import encode
from ...model import (
    ApprovalRequest,
    Approve,
    Edit,
    Reject,
    Risk,
    State,
    Store,
    StoredRequest,
    same,
)
from .context import context
from .finding import Page, Wanted, done, one, page_of
from .openapi import Operation, Query, description, read_body, read_query
from .openapi import routes as served
from .pages import Problem, looked_up, needs
from .people import Role
from .schemas import INSTANT, REQUEST_ID, choice, text

WINDOW = "api"
MOST_LOOKED_AT = 5_000
AT_ONCE = 500
NAME = text(maxLength=500)
LIMIT = Query(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    says="How many at most.",
)
AFTER = Query(name="after", schema=REQUEST_ID, says="The `next` of the page before.")
PENDING = (
    AFTER,
    LIMIT,
    Query(name="action", schema=NAME, says="Dotted name, or the end of one."),
    Query(name="risk", schema=choice(*(risk.name for risk in Risk)), says="Exactly this risk."),
    Query(name="environment", schema=NAME, says="Exactly this environment."),
    Query(name="person", schema=NAME, says="Who asks, or for whom."),
)
HISTORY = (
    AFTER,
    LIMIT,
    Query(name="state", schema=choice(*(state.value for state in State)), says="Where it stands."),
    Query(name="action", schema=NAME, says="Dotted name, or the end of one."),
    Query(name="person", schema=NAME, says="Who asked, for whom, or who voted."),
    Query(name="since", schema=INSTANT, says="Asked at this time or later."),
    Query(name="until", schema=INSTANT, says="Asked before this time."),
)


async def pending(request: Request) -> Response:
    """Return a page of what waits, oldest first."""
    query, store = read_query(request, PENDING), context(request).store
    if query["after"]:
        await one(store, query["after"])
    found = await done(waiting, store, query)
    stopped = await done(store.stopped)
    return _json({**_page(found), "stopped": stopped})


def waiting(store: Store, query: dict[str, str | int]) -> Page:
    """Return what waits and fits; `next` may lead to more even when a page is not full."""
    limit, after, looked_at = int(query["limit"]), str(query["after"]), 0
    found: list[StoredRequest] = []
    while looked_at < MOST_LOOKED_AT:
        rows = store.pending(after=after, limit=AT_ONCE)
        for stored in rows:
            if fits(stored.request, query):
                found.append(stored)
            after, looked_at = stored.request.id, looked_at + 1
            if len(found) == limit:
                return Page(requests=found, next=after if _is_more(store, after) else "")
        if len(rows) < AT_ONCE:
            return Page(requests=found)
    return Page(requests=found, next=after)


def _is_more(store: Store, after: str) -> bool:
    return bool(store.pending(after=after, limit=1))


def fits(request: ApprovalRequest, query: dict[str, str | int]) -> bool:
    """Whether a request is among those that are asked for."""
    return all(_differences(request, query))


def _differences(request: ApprovalRequest, query: dict[str, str | int]) -> Iterator[bool]:
    if action := query["action"]:
        yield f".{request.action}".endswith(f".{action}")
    if risk := query["risk"]:
        yield request.risk.name == risk
    if environment := query["environment"]:
        yield request.environment == environment
    if name := query["person"]:
        yield same(str(name)) in {same(each) for each in request.requesters}


async def show(request: Request) -> Response:
    """Return one request."""
    return _json(documents.request(await _asked(request)))


async def story(request: Request) -> Response:
    """Return what the audit trail says of one request, in order."""
    found, store = await _asked(request), context(request).store
    records = store.trail(request_id=found.request.id)
    told = await looked_up(lambda: documents.story(records))
    return _json({"records": told})


async def vote(request: Request) -> Response:
    """Count a vote; the very same one sent again changes nothing."""
    voter, body = needs(request, Role.REVIEWER), await read_body(request, "Vote")
    found = await _asked(request)
    if body["choice"] == "approve":
        said: Approve | Reject = Approve(by=voter.name, note=body.get("note", ""))
    elif body["reason"].strip():
        said = Reject(by=voter.name, reason=body["reason"])
    else:
        raise Problem(400, "What was sent does not fit: reason is empty.")
    store = context(request).store
    after = await done(store.vote, found.request.id, said, digest=body["digest"], window=WINDOW)
    return _json(documents.request(after))


async def edit(request: Request) -> Response:
    """Leave an edit for the gate that asked, which alone can check it: look again later."""
    editor, body = needs(request, Role.REVIEWER), await read_body(request, "Edit")
    found = await _asked(request)
    _may_be_edited(found.request, set(body["arguments"]))
    said = Edit(by=editor.name, arguments=body["arguments"], note=body.get("note", ""))
    await done(encode, body["arguments"])
    store = context(request).store
    after = await done(store.propose, found.request.id, said, digest=body["digest"], window=WINDOW)
    return _json(documents.request(after), 202)


def _may_be_edited(request: ApprovalRequest, names: set[str]) -> None:
    known = {parameter.name: parameter for parameter in request.parameters}
    for name in sorted(names):
        if name not in known:
            raise Problem(400, f"{request.name} has no parameter {name[:40]!r}.")
        if known[name].secret:
            raise Problem(400, f"{name} is hidden, and a hidden value cannot be edited.")


async def history(request: Request) -> Response:
    """Return a page of all requests that fit, newest first."""
    query = read_query(request, HISTORY)
    wanted = Wanted(
        state=State(query["state"]) if query["state"] else None,
        action=query["action"],
        person=query["person"],
        since=query["since"] or None,
        until=query["until"] or None,
    )
    store, limit = context(request).store, query["limit"]
    found = await done(page_of, store, wanted, after=query["after"], limit=limit)
    return _json(_page(found))


async def described(request: Request) -> Response:
    """Return this description."""
    return _json(description(OPERATIONS, f"{context(request).title}: the API"))


async def _asked(request: Request) -> StoredRequest:
    read_query(request, ())
    return await one(context(request).store, request.path_params["id"])


def _json(document: dict[str, Any], status: int = 200) -> Response:
    """Return JSON in ASCII: half of a character, which a stored text may hold, has no UTF-8."""
    return Response(json.dumps(document), status, media_type="application/json")


def _page(found: Page) -> dict[str, object]:
    return {"requests": [documents.request(each) for each in found.requests], "next": found.next}


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/requests",
        name="pending",
        says="What waits for people, oldest first",
        role=Role.VIEWER,
        endpoint=pending,
        query=PENDING,
        answer="Pending",
        problems=(404,),
    ),
    Operation(
        method="GET",
        path="/api/requests/{id}",
        name="show",
        says="One request",
        role=Role.VIEWER,
        endpoint=show,
        answer="Request",
        problems=(404,),
    ),
    Operation(
        method="GET",
        path="/api/requests/{id}/story",
        name="story",
        says="What the audit trail says of a request",
        role=Role.VIEWER,
        endpoint=story,
        answer="Story",
        problems=(404,),
    ),
    Operation(
        method="POST",
        path="/api/requests/{id}/votes",
        name="vote",
        says="Approve or reject what has this digest",
        role=Role.REVIEWER,
        endpoint=vote,
        body="Vote",
        answer="Request",
        problems=(404, 409, 415),
    ),
    Operation(
        method="POST",
        path="/api/requests/{id}/edits",
        name="edit",
        says="Propose other arguments, for the gate that asked to check",
        role=Role.REVIEWER,
        endpoint=edit,
        body="Edit",
        answer="Request",
        status=202,
        problems=(404, 409, 415),
    ),
    Operation(
        method="GET",
        path="/api/history",
        name="history",
        says="All requests, newest first",
        role=Role.VIEWER,
        endpoint=history,
        query=HISTORY,
        answer="Requests",
    ),
    Operation(
        method="GET",
        path="/api/openapi.json",
        name="description",
        says="This description",
        role=Role.VIEWER,
        endpoint=described,
        answer="Description",
    ),
)

routes = served(OPERATIONS)
