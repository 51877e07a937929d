"""Messages that Stripe sends about refunds, once it is proven that Stripe has sent them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from ..errors import ConfigError, NotFromStripe
from ..model import Refund
from .reading import Instant, Named, Said, SaidRefund

ABOUT_REFUNDS = frozenset(
    {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}
)
SECONDS = 300  # between sending and receiving


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundEvent:
    """What became of a refund.

    Attributes:
        id: Of the message; the same each time that it is sent.
        kind: Stripe's word, such as `refund.failed`.
        at: When it happened. Messages may arrive in another order.
        refund: As it was then.
        why: Stripe's word for what went wrong; empty when nothing did.
    """

    id: str
    kind: str
    at: datetime
    refund: Refund
    why: str = ""


class SaidData(Said):
    """What a message is about, whatever that is."""

    object: dict[str, Any]


class SaidEvent(Named):
    """A message, as Stripe writes it."""

    type: str
    created: Instant
    data: SaidData


def received(
    body: bytes, signature: str, secret: str, *, now: float, tolerance: float = SECONDS
) -> RefundEvent | None:
    """Return what a message says of a refund; `None` when it is about something else.

    Args:
        body: To the byte as it came.
        signature: The header `Stripe-Signature`.
        secret: Of this address, from Stripe's pages; it begins with `whsec_`.
        now: Seconds since 1970.
        tolerance: How many seconds a message may be old, or its clock ahead of ours.

    Raises:
        ConfigError: Without a secret nothing can be proven.
        NotFromStripe: It is not signed with the secret, or not now, or says nothing readable.
    """
    if not secret.strip():
        raise ConfigError("Without the secret of the webhook nobody can tell who sends messages.")
    sent = _time_of(signature)
    said = _event(_proven(body, signature, secret))
    # The library takes messages from the future: a stolen clock would make them good for ever.
    if abs(now - sent) > tolerance:
        raise NotFromStripe(
            "The message was not sent just now; or the clock of this machine is off."
        )
    if said.type not in ABOUT_REFUNDS:
        return None
    refund = _read_refund(said.data.object)
    return RefundEvent(
        id=said.id,
        kind=said.type,
        at=datetime.fromtimestamp(said.created, UTC),
        refund=refund.noun(),
        why=refund.failure_reason or "",
    )


def _time_of(signature: str) -> int:
    """Return when a message was sent; the library would take the first of several times."""
    parts = signature.split(",")
    times = [part[2:] for part in parts if part.startswith("t=")]
    shaped = all(re.fullmatch(r"[a-z0-9]{1,8}=[0-9a-f]{1,128}", part) for part in parts)
    if not shaped or len(times) != 1 or not re.fullmatch("[0-9]{1,12}", times[0]):
        raise NotFromStripe("The message is not signed as Stripe signs.")
    return int(times[0])


def _proven(body: bytes, signature: str, secret: str) -> dict[str, Any]:
    import stripe

    try:
        event = stripe.Webhook.construct_event(body, signature, secret, tolerance=0)
        said: dict[str, Any] = event.to_dict()
    except stripe.SignatureVerificationError:
        pass
    except (ValueError, AttributeError, RecursionError):
        raise NotFromStripe("The message is no event of Stripe.") from None
    else:
        return said
    raise NotFromStripe("The message is not signed with our secret.")


def _event(said: dict[str, Any]) -> SaidEvent:
    try:
        return SaidEvent.model_validate(said)
    except ValidationError:
        raise NotFromStripe("The message is no event of Stripe.") from None


def _read_refund(said: dict[str, Any]) -> SaidRefund:
    try:
        return SaidRefund.model_validate(said)
    except ValidationError:
        raise NotFromStripe("The message says it is about a refund, and holds none.") from None
