"""Where Slack's requests come in over HTTP: only what Slack has signed just now gets past."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ..chat.listening import app
from ..chat.notes import Notes
from .hearing import Hearing

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PATH = "/slack/interactions"
SECONDS_VALID = 300
LONGEST_NUMBER = 12


def door(hearing: Hearing, notes: Notes, signing_secret: str) -> Starlette:
    """Return the app that Slack posts to.

    Args:
        notes: Remembers signatures, so that the same request does not come in twice.
    """
    from slack_sdk.signature import SignatureVerifier
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, PlainTextResponse

    verifier = SignatureVerifier(signing_secret)

    def answered(timestamp: str, signature: str, body: bytes) -> Response:
        if not verifier.is_valid(body, timestamp, signature):
            return PlainTextResponse("not signed", 401)
        if not notes.fresh(f"slack {timestamp} {signature}", 2 * SECONDS_VALID):
            return PlainTextResponse("seen before", 401)
        try:
            payload = payload_of(body)
        except ValueError:
            return PlainTextResponse("no payload", 400)
        return JSONResponse(hearing.hear(payload))

    async def interactions(request: Request, body: bytes) -> Response:
        timestamp, signature = (
            _one(request, name) for name in ("x-slack-request-timestamp", "x-slack-signature")
        )
        if not is_checkable(timestamp, signature, body):
            return PlainTextResponse("not signed", 401)
        return await run_in_threadpool(answered, timestamp, signature, body)

    return app(PATH, interactions)


def is_checkable(timestamp: str, signature: str, body: bytes) -> bool:
    """Whether the verifier can read it at all; it raises on what it cannot.

    >>> is_checkable("1531420618", "v0=a2", b"payload=1"), is_checkable("1e9", "v0=a2", b"")
    (True, False)
    """
    is_number = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= LONGEST_NUMBER
    return is_number and signature.isascii() and _is_text(body)


def _is_text(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def payload_of(body: bytes) -> Any:
    """Return the JSON in the form field `payload`.

    Raises:
        ValueError: There is none, or several.
    """
    [text] = parse_qs(body.decode("utf-8"), strict_parsing=True).get("payload", [])
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("too deep") from None


def _one(request: Request, name: str) -> str:
    """Return a header that is there exactly once, and otherwise an empty text."""
    found = request.headers.getlist(name)
    return found[0] if len(found) == 1 else ""
