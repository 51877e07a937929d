"""What Stripe says when it will not: a status, a type, a code, and a sentence."""

from __future__ import annotations

from typing import Any

from ..errors import SupportError

Json = dict[str, Any]
"""An object as it goes over the wire."""

DOCS = "https://docs.stripe.com/error-codes/"
INVALID, CARD, API, KEY_MISUSED = (
    "invalid_request_error",
    "card_error",
    "api_error",
    "idempotency_error",
)


class Refusal(SupportError):
    """A request that was refused, as the client is told.

    Attributes:
        kept: Whether the refusal is stored under the request's idempotency key: Stripe does so
            once a request has begun to run, and not when its parameters made no sense.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        param: str = "",
        kind: str = INVALID,
        decline_code: str = "",
        kept: bool = True,
    ) -> None:
        super().__init__(message)
        self.status, self.kept = status, kept
        link = f"{DOCS}{code.replace('_', '-')}" if code else ""
        said = {"code": code, "decline_code": decline_code, "doc_url": link, "param": param}
        known = {name: value for name, value in said.items() if value}
        self.body: Json = {"error": {"type": kind, "message": message, **known}}


def missing(kind: str, ident: str, param: str = "id") -> Refusal:
    """Return the refusal for an id that nothing has."""
    return Refusal(404, f"No such {kind}: {ident!r}", code="resource_missing", param=param)


def malformed(message: str, param: str = "", code: str = "") -> Refusal:
    """Return the refusal for parameters that make no sense; it is stored under no key."""
    return Refusal(400, message, code=code, param=param, kept=False)
