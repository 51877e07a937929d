"""The address where Stripe tells what becomes of refunds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, NotFromStripe
from .seen import Seen
from .webhooks import RefundEvent, received

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

_log = logging.getLogger(__name__)

PATH = "/stripe/webhook"
LARGEST = 1 << 20  # bytes of a message
SECONDS = 10.0  # to send one


class TooLarge(Exception):
    """A message has no end."""


def hooks(
    on_refund: Callable[[RefundEvent], None],
    *,
    secret: str,
    seen: Path,
    path: str = PATH,
    now: Callable[[], float] = time.time,
    tell: Callable[[str], None] = _log.error,
) -> ASGIApp:
    """Return a web application that hears of refunds.

    Whatever is not proven to come from Stripe is answered with a 4xx and changes nothing. Each
    message is dealt with once; what goes wrong meanwhile is answered with 500, so that Stripe sends
    the message again.

    Args:
        on_refund: Called in a thread, one message at a time, with none that was dealt with before;
            after a crash once more with the one that was being dealt with.
        secret: Of this address, from Stripe's pages.
        seen: A file that remembers messages; it is made when it is missing.
        tell: Is told what went wrong.

    Raises:
        ConfigError: There is no secret, the file cannot be used, or a library is missing.
    """
    if not secret.strip():
        raise ConfigError("The webhook needs its secret; it stands on Stripe's pages.")
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
    except ImportError:
        raise ConfigError(
            "The webhook needs starlette and uvicorn: pip install gated-agents[support]."
        ) from None
    remembered = Seen(seen)

    async def heard(request: Request) -> Response:
        try:
            body = await _body(request)
            event = received(body, _signature(request), secret, now=now())
        except TooLarge:
            return PlainTextResponse(f"At most {LARGEST:,} bytes.", 413)
        except TimeoutError:
            return PlainTextResponse("Too slow.", 408)
        except NotFromStripe as problem:
            return PlainTextResponse(str(problem), 400)
        if event is None:
            return PlainTextResponse("Not about a refund.")
        try:
            done = await run_in_threadpool(
                remembered.once, event.id, partial(on_refund, event), now=now()
            )
        except Exception as problem:  # whatever it is, Stripe has to send the message again
            tell(f"{event.id}, {event.kind} of {event.refund.id}, came to nothing: {problem}")
            return PlainTextResponse("Send it again later.", 500)
        return PlainTextResponse("Done." if done else "Done before.")

    return Starlette(routes=[Route(path, heard, methods=["POST"])])


async def _body(request: Request) -> bytes:
    """Return the body to the byte; one that is too large is not even kept."""
    from starlette.requests import ClientDisconnect

    said = request.headers.get("content-length", "0")
    if len(said) > 12 or (said.isdecimal() and int(said) > LARGEST):
        raise TooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    raise TooLarge
    except ClientDisconnect:
        raise NotFromStripe("The message ended in the middle.") from None
    return bytes(body)


def _signature(request: Request) -> str:
    given = request.headers.getlist("stripe-signature")
    if len(given) != 1:
        raise NotFromStripe("A message has one signature.")
    return given[0]
