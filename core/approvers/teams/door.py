"""Where Teams' activities come in: only what its own tokens vouch for gets past."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..chat.listening import app
from .wire import Adapter

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PATH = "/api/messages"


def door(adapter: Adapter) -> Starlette:
    """Return the app that Teams posts to.

    The library checks the token: issuer, audience, key, time, and that it is for the service whose
    address stands in the body. It stumbles over bodies that are no activity, so those stay outside.
    """
    from starlette.responses import JSONResponse

    async def messages(request: Request, body: bytes) -> Response:
        bearers = request.headers.getlist("authorization")
        if len(bearers) != 1 or not bearers[0].isascii():
            return JSONResponse({"error": "Unauthorized"}, 401)
        activity = activity_of(body)
        if activity is None or adapter.handle is None:
            return JSONResponse({"error": "Bad Request"}, 400)
        answer = await adapter.handle({"body": activity, "headers": {"authorization": bearers[0]}})
        return JSONResponse(answer["body"] or {}, answer["status"])

    return app(PATH, messages)


def activity_of(body: bytes) -> dict[str, Any] | None:
    """Return the activity, or `None` for what is none.

    >>> activity_of(b'{"type": "invoke", "serviceUrl": "https://example.org/"}')
    {'type': 'invoke', 'serviceUrl': 'https://example.org/'}
    >>> activity_of(b'{"type": 1}'), activity_of(b"[]"), activity_of(b"{")
    (None, None, None)
    """
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match found:
        case {"type": str(), "serviceUrl": str(service)} if service:
            return found if isinstance(found.get("id", ""), str) else None
        case _:
            return None
