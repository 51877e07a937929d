"""Look back: find requests, read the whole story of each, prove the trail, take it along."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ... import audit, documents
from ...display import unsafe
from ...model import AuditRecord, State, Store
from ...proof import prove, verified
from .context import context
from .finding import Wanted, brief, done, instant, one, page_of
from .pages import Problem, field, form, looked_up, needs, page, to
from .people import Role

ON_A_PAGE = 25
LONGEST_NAME, LONGEST_NOTE, LONGEST_CHECKPOINT = 500, 2_000, 1_000
FILTERS = ("state", "action", "person", "since", "until")
RECORDS_AT_ONCE = 500
KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
NOT_FOR_PEOPLE = frozenset({"row", "action"})
WORDS = {
    "submitted": "{by} asked",
    "submitted>approved>executing": "{by} approved at once, and the call started",
    "submitted>rejected": "{by} rejected at once",
    "voted": "{by} approved; more votes are needed",
    "approved": "{by} approved, which was enough",
    "rejected": "{by} rejected",
    "edit proposed": "{by} proposed other arguments",
    "edit refused": "{by} was told that the edit does not fit",
    "edited": "{by} changed the call; earlier votes no longer count",
    "executing": "The call started",
    "succeeded": "The call succeeded",
    "failed": "The call failed",
    "outcome_unknown": "Nobody knows how the call ended",
    "looked": "Somebody looked for signs of it",
    "resolved_happened": "{by} found that it happened",
    "resolved_not_happened": "{by} found that it did not happen",
    "expired": "Time ran out",
    "cancelled": "{by} withdrew it",
}
"""The events of a request, for a person."""


async def history(request: Request) -> Response:
    """Show what was asked, newest first, a page at a time."""
    store, given = context(request).store, request.query_params
    asked = {name: given.get(name, "").strip() for name in FILTERS}
    after = given.get("after", "")
    found = await done(page_of, store, _wanted(given), after=after, limit=ON_A_PAGE)
    kept = {name: value for name, value in asked.items() if value}
    values: dict[str, Any] = {
        "found": found.requests,
        "brief": brief,
        "asked": asked,
        "states": list(State),
        "is_first": not after,
        "first": f"/history?{urlencode(kept)}",
        "next": f"/history?{urlencode({**kept, 'after': found.next})}" if found.next else "",
    }
    return page(request, "history.html", **values)


def _wanted(given: QueryParams) -> Wanted:
    """Read the form above the list.

    Raises:
        Problem: 400 with what to write instead.
    """
    texts = {name: given.get(name, "").strip() for name in FILTERS}
    if any(len(text) > LONGEST_NAME for text in texts.values()):
        raise Problem(400, f"A name has at most {LONGEST_NAME} characters.")
    try:
        state = State(texts["state"]) if texts["state"] else None
    except ValueError:
        raise Problem(400, "There is no such state.") from None
    try:
        since = instant(texts["since"]) if texts["since"] else None
        until = instant(texts["until"], end_of_day=True) if texts["until"] else None
    except ValueError:
        raise Problem(400, "A day is written as 2026-06-04.") from None
    return Wanted(
        state=state, action=texts["action"], person=texts["person"], since=since, until=until
    )


async def story(request: Request) -> Response:
    """Show all that ever happened to a request, record by record."""
    here = context(request)
    stored = await one(here.store, request.path_params["id"])
    told = await done(_told, here.store, stored.request.id)
    document = documents.request(stored)
    result = document["outcome"] and document["outcome"]["result"]
    return page(
        request,
        "story.html",
        stored=stored,
        asked=stored.request,
        document=document,
        result="" if result is None else json.dumps(result),
        changed=unsafe(stored.changed),
        records=told,
        unclear=stored.state is State.OUTCOME_UNKNOWN,
        longest=LONGEST_NOTE,
    )


def _told(store: Store, request_id: str) -> list[dict[str, Any]]:
    """Return the records of a request in words, what only `verify` wants left out."""
    found, digest = list[dict[str, Any]](), ""
    for record in documents.story(store.trail(request_id=request_id)):
        said = {n: v for n, v in record["details"].items() if v and n not in NOT_FOR_PEOPLE}
        if said.get("digest") == digest:
            del said["digest"]
        digest = said.get("digest", digest)
        if "changed" in said:
            said["changed"] = unsafe(said["changed"])  # it was made safe for eyes when written
        words, at = in_words(record["event"], record["by"]), instant(record["at"])
        found.append({"seq": record["seq"], "at": at, "words": words, "details": said})
    return found


def in_words(event: str, by: str) -> str:
    """Say what happened; an event that is not known here is told as it stands in the record."""
    return WORDS[event].format(by=by) if event in WORDS else f"{event}, by {by}"


async def resolve(request: Request) -> Response:
    """Take down what became of a call of which no machine knows the end."""
    person, filled = needs(request, Role.REVIEWER), await form(request)
    store = context(request).store
    stored = await one(store, request.path_params["id"])
    happened, note = field(filled, "happened"), field(filled, "note").strip()
    if happened not in {"yes", "no"}:
        raise Problem(400, "Say whether it happened or not; nothing was written down.")
    if field(filled, "sure") != "yes":
        raise Problem(400, "Tick that you have looked; nothing was written down.")
    if len(note) > LONGEST_NOTE:
        raise Problem(400, f"A note has at most {LONGEST_NOTE:,} characters.")
    if stored.state is not State.OUTCOME_UNKNOWN:
        raise Problem(409, f"This is {stored.state.value.lower()}; there is nothing to resolve.")
    wanted = stored.request.id
    await done(store.resolve, wanted, by=person.name, happened=happened == "yes", note=note)
    return to(f"/requests/{stored.request.id}/story")


async def verify(request: Request) -> Response:
    """Walk along the whole trail and show what it proves."""
    given = field(await form(request), "checkpoint").strip()
    marks = (_checkpoint(given),) if given else ()
    found = await looked_up(prove, context(request).store, marks)
    return page(request, "proof.html", found=found, given=given)


def _checkpoint(text: str) -> audit.Checkpoint:
    try:
        if len(text) > LONGEST_CHECKPOINT:
            raise ValueError("this is longer than one")
        return audit.read_checkpoint(text)
    except ValueError as error:
        raise Problem(400, f"That is no checkpoint: {error}.") from None


async def checkpoint(request: Request) -> Response:
    """Hand out three lines that show later whether the trail still is what it was."""
    result, made = await looked_up(lambda: verified(context(request).store.trail(), ()))
    if made is None:
        raise Problem(409, f"There is no checkpoint of a trail that does not hold: {result}.")
    return PlainTextResponse(str(made), headers=_download(f"checkpoint-{made.count}.txt"))


async def export(request: Request) -> Response:
    """Hand out the whole trail, piece by piece."""
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise Problem(404, "The trail comes as .csv and as .jsonl.")
    pieces = exported(context(request).store.trail(), kind)
    return StreamingResponse(pieces, media_type=KINDS[kind], headers=_download(f"trail.{kind}"))


def exported(records: Iterator[AuditRecord], kind: str) -> Iterator[str]:
    """Yield the trail as `core.audit.export` writes it, some hundred records at a time."""
    is_first = True
    while some := list(islice(records, RECORDS_AT_ONCE)):
        written = _written(some, kind)
        yield written if is_first or kind != "csv" else written.partition("\r\n")[2]
        is_first = False
    if is_first:
        yield _written([], kind)


def _written(records: list[AuditRecord], kind: str) -> str:
    text = io.StringIO(newline="")
    audit.export(records, text, kind)
    return text.getvalue()


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


routes = [
    Route("/history", history, methods=["GET"]),
    Route("/requests/{id}/story", story, methods=["GET"]),
    Route("/requests/{id}/resolve", resolve, methods=["POST"]),
    Route("/verify", verify, methods=["POST"]),
    Route("/checkpoint.txt", checkpoint, methods=["GET"]),
    Route("/export.{kind}", export, methods=["GET"]),
]
