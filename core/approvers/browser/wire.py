"""What travels between a page and its server: two addresses and three files.

`GET questions` is a stream of server-sent events. Each says everything that is open for the
session, in full, as JSON, so one that is lost or comes twice does no harm:

    data: {"secret": "…", "questions": [{"id": …, "digest": …, "name": …, "risk": …, …}]}

`POST answers` takes one answer as JSON, with the secret of the session in the header `X-Confirm`:

    {"id": "…", "digest": "…", "say": "approve", "typed": "the digest's first characters"}
    {"id": "…", "digest": "…", "say": "reject", "reason": "why, and what instead"}
    {"id": "…", "digest": "…", "say": "edit", "arguments": {"amount": "500"}, "sure": true}

and returns `{"says": "…"}`, one sentence for the person. An edit that is not `sure` changes nothing
and returns `{"changes": [{"name": …, "was": …, "now": …}]}`. 401: nobody's session. 403: from
another site, or without the secret. 409: not open, or not any more. 4xx: not an answer at all.

`GET confirm.js`, `plain.js` and `confirm.css` are the files beside this one, in `static`.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias, assert_never
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ...display import safe
from ...model import NotCounted, StoreError, utc_now
from ...stores.rules import standing
from .answers import Answer, Misread, read
from .confirm import BrowserConfirm, Visitor
from .question import arguments, changes, question

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Accel-Buffering": "no",  # or nginx would keep questions until there are enough of them
}
FILES = ("confirm.js", "plain.js", "confirm.css")
LARGEST_BODY = 100_000
MOST_PAGES = 20

Who: TypeAlias = Callable[[Request], Visitor | Awaitable[Visitor | None] | None]
"""The application's word on whose session a request belongs to; `None` lets nobody in."""


def routes(
    confirm: BrowserConfirm,
    who: Who,
    *,
    origins: Collection[str] = (),
    now: Callable[[], datetime] = utc_now,
    seconds_between_looks: float = 15.0,
) -> list[Route]:
    """Return what to mount under an address of your own, for example `/confirm`.

    Args:
        who: Asked at every request, and again as long as a page listens.
        origins: Where the pages come from, such as `https://shop.example`; without any, from the
            host that the request names.
        seconds_between_looks: How soon a page that is logged out elsewhere stops being told.
    """
    wire = Wire(
        confirm=confirm, who=who, origins=frozenset(origins), now=now, nap=seconds_between_looks
    )
    return [
        Route("/questions", wire.questions),
        Route("/answers", wire.answers, methods=["POST"]),
        *(Route(f"/{name}", _file(name)) for name in FILES),
    ]


def _file(name: str) -> Callable[[Request], Response]:
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return lambda _: FileResponse(STATIC / name, headers=headers)


class Refused(Exception):
    """Whoever sent this is not heard, with the status that says why."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(says)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The two addresses, with what `routes` was given."""

    confirm: BrowserConfirm
    who: Who
    origins: frozenset[str]
    now: Callable[[], datetime]
    nap: float

    async def questions(self, request: Request) -> Response:
        """Tell a page what is open, each time that changes, until it closes or is logged out."""
        try:
            visitor = await self._visitor(request)
            if self.confirm.pages(visitor) >= MOST_PAGES:
                raise Refused(429, "too many pages of this session are open")
        except Refused as no:
            return _says(no.status, str(no))
        told = self._told(request, visitor)
        return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)

    async def answers(self, request: Request) -> Response:
        """Take one answer; every one that is not counted leaves everything as it was."""
        try:
            visitor = await self._visitor(request)
            if not (self._is_ours(request) and self._is_secret(request, visitor)):
                raise Refused(403, "this answer did not come from a page of this session")
            answer = read(await _body(request))
            return await run_in_threadpool(self._taken, visitor, answer)
        except Refused as no:
            return _says(no.status, str(no))
        except Misread as problem:
            return _says(422, str(problem))
        except NotCounted as problem:
            return _says(409, safe(str(problem)))
        except StoreError as problem:
            return _says(503, f"nothing was decided: {safe(str(problem))}")

    async def _visitor(self, request: Request) -> Visitor:
        found = self.who(request)
        visitor = await found if inspect.isawaitable(found) else found
        if visitor is None:
            raise Refused(401, "nobody is known here by this session")
        return visitor

    async def _told(self, request: Request, visitor: Visitor) -> AsyncGenerator[str]:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        heard = self.confirm.page(visitor, lambda: loop.call_soon_threadsafe(changed.set))
        with heard, suppress(Refused):
            while not self.confirm.is_closed and await self._visitor(request) == visitor:
                changed.clear()
                yield f"data: {json.dumps(self._open(visitor))}\n\n"
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.nap):
                        await changed.wait()

    def _open(self, visitor: Visitor) -> dict[str, Any]:
        elsewhere, now = self.confirm.elsewhere, self.now()
        questions = [
            question(asked, now=now, elsewhere=elsewhere(asked) if elsewhere else "")
            for asked in self.confirm.open_for(visitor)
        ]
        return {"secret": self.confirm.secret(visitor), "questions": questions}

    def _is_ours(self, request: Request) -> bool:
        """Whether a page of this very site sends it; who does not say so is not believed."""
        headers = request.headers
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") == "same-origin"
        if self.origins:
            return origin in self.origins
        return urlsplit(origin).netloc == headers.get("host", "")

    def _is_secret(self, request: Request, visitor: Visitor) -> bool:
        sent = request.headers.get("x-confirm", "").encode()
        return hmac.compare_digest(sent, self.confirm.secret(visitor).encode())

    def _taken(self, visitor: Visitor, answer: Answer) -> Response:
        confirm, about = self.confirm, (visitor, answer.id, answer.digest)
        match answer.say:
            case "approve":
                stored = confirm.approve(*about, answer.typed)
            case "reject":
                stored = confirm.reject(*about, answer.reason)
            case "edit" if not answer.sure:
                return JSONResponse({"changes": self._changes(visitor, answer)}, headers=HEADERS)
            case "edit":
                confirm.edit(*about, answer.arguments)
                return _says(200, "Your change is being checked.")
            case _:
                assert_never(answer.say)
        says = safe(standing(stored))
        return _says(200, f"{says[:1].upper()}{says[1:]}.")

    def _changes(self, visitor: Visitor, answer: Answer) -> list[dict[str, str]]:
        request = self.confirm.asked(visitor, answer.id, answer.digest)
        known = arguments(request)
        for name in answer.arguments:
            if name not in known or known[name]["edit"] is None:
                raise Misread(f"{safe(name)} cannot be changed here")
        if not (found := changes(request, answer.arguments)):
            raise Misread("nothing is changed")
        return found


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refused(413, "this is longer than an answer can be")
    return body


def _says(status: int, sentence: str) -> Response:
    return JSONResponse({"says": sentence}, status_code=status, headers=HEADERS)
