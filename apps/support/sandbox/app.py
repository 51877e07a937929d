"""The sandbox as a web application: bytes in, bytes out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .answering import Answer, Answering, Asked
from .errors import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LARGEST = 1_000_000  # bytes of a body


def app(answering: Answering) -> ASGIApp:
    """Return the application; it is served by uvicorn, whose connections it can cut."""
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await _body(request)
        if body is None:
            answer = _too_large()
        else:
            asked = Asked(
                method=request.method,
                path=request.url.path,
                query=request.url.query,
                body=body,
                headers=dict(request.headers),
            )
            answer = await run_in_threadpool(answering.answer, asked)
        if answer.dropped:
            await _cut(receive, send)
            return
        response = Response(
            json.dumps(answer.body, indent=2),
            status_code=answer.status,
            headers=dict(answer.headers),
            media_type="application/json",
        )
        await response(scope, receive, send)

    return respond


async def _body(request: Any) -> bytes | None:
    """Return what was sent, or `None` when it is too much."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            return None
    return body


def _too_large() -> Answer:
    refusal = Refusal(413, f"A request has at most {LARGEST:,} bytes.", kept=False)
    return Answer(status=refusal.status, body=refusal.body)


async def _cut(receive: Receive, send: Send) -> None:
    """End the connection without a word, as a dead line does."""
    server: Any = send
    server.__self__.transport.abort()  # uvicorn's own; ASGI has no word for it
    while (await receive())["type"] != "http.disconnect":
        pass
