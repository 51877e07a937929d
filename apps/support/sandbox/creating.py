"""New customers and new payments."""

from __future__ import annotations

import re

from ..money import IN_STEPS
from . import objects
from .cards import card, charged
from .disputing import opened
from .errors import CARD, Json, Refusal, malformed, missing
from .params import Params
from .refunds import returned
from .turn import Turn

CUSTOMER = ("email", "name", "description", "phone", "metadata", "source")
CHARGE = (
    *("amount", "currency", "customer", "source", "description", "metadata", "capture"),
    "receipt_email",
)
INTENT = (
    *("amount", "currency", "customer", "payment_method", "confirm", "description", "metadata"),
    *("capture_method", "payment_method_types", "off_session", "error_on_requires_action"),
)
SMALLEST = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "chf": 50, "cad": 50, "aud": 50}
"""Stripe takes no payments below; of other currencies it takes any here."""


def customer(turn: Turn, _id: str, params: Params) -> Json:
    """Add a customer; `source` is a token, the card that pays when none is named."""
    known = {name: params.text(name) or None for name in ("email", "name", "description", "phone")}
    source = params.text("source")
    if source:
        card(source)
    made = objects.customer(
        turn.new("cus"),
        turn.at,
        metadata=params.metadata({}),
        default_source=source or None,
        **known,
    )
    turn.rows.add(made)
    turn.emit("customer.created", made)
    return made


def charge(turn: Turn, _id: str, params: Params) -> Json:
    """Take a payment from a token, or from the card that a customer keeps."""
    amount, currency = _amount(params)
    payer, source = _payer(turn, params), params.text("source")
    if payer:
        source = _kept(payer, source)
    if not source:
        raise malformed("A charge needs a source or a customer.", code="parameter_missing")
    captured = params.flag("capture", "true")
    return paid(turn, params, amount, currency, source, captured=captured, customer=payer)


def intent(turn: Turn, _id: str, params: Params) -> Json:
    """Take a payment by an intent, which is confirmed at once."""
    amount, currency = _amount(params)
    if not params.flag("confirm"):
        raise malformed("The sandbox only makes intents with confirm=true.", "confirm")
    method = params.needed("payment_method")
    payer = _payer(turn, params)
    manual = params.one_of("capture_method", ("automatic", "automatic_async", "manual")) == "manual"
    intent_id = turn.new("pi")
    taken = paid(
        turn,
        params,
        amount,
        currency,
        method,
        captured=not manual,
        customer=payer,
        payment_intent=intent_id,
    )
    made = objects.payment_intent(intent_id, turn.at, taken)
    turn.rows.add(made)
    if not manual:
        turn.emit("payment_intent.succeeded", made)
    return made


def paid(
    turn: Turn,
    params: Params,
    amount: int,
    currency: str,
    method: str,
    *,
    captured: bool,
    customer: Json | None,
    payment_intent: str = "",
) -> Json:
    """Write a charge down, and dispute it at once if that is what the card does."""
    used = charged(method, "payment_method" if payment_intent else "source")
    made = objects.charge(
        turn.new("ch"),
        turn.at,
        amount=amount,
        currency=currency,
        method=method,
        captured=captured,
        customer=customer["id"] if customer else None,
        description=params.text("description") or None,
        metadata=params.metadata({}),
        payment_intent=payment_intent or None,
        receipt_email=params.text("receipt_email") or None,
    )
    turn.rows.add(made)
    turn.emit("charge.succeeded", made)
    if used.disputed:
        opened(turn, made, reason=used.disputed, inquiry=used.inquiry)
    return made


def captured(turn: Turn, ident: str, params: Params) -> Json:
    """Take what was only reserved; what is not taken goes back."""
    found = turn.rows.find("charge", ident)
    if found is None:
        raise missing("charge", ident, "charge")
    if found["captured"]:
        raise Refusal(
            400, f"Charge {ident} has already been captured.", code="charge_already_captured"
        )
    if found["refunded"]:
        raise Refusal(400, f"Charge {ident} was released.", code="charge_already_refunded")
    amount = params.amount() or found["amount"]
    if amount > found["amount"]:
        raise Refusal(400, "More cannot be captured than was reserved.", param="amount")
    if rest := found["amount"] - amount:
        returned(turn, found, rest)
    found |= {"captured": True, "amount_captured": amount}
    turn.rows.change(found)
    _intent_captured(turn, found)
    turn.emit("charge.captured", found)
    return found


def _intent_captured(turn: Turn, paid: Json) -> None:
    made = turn.rows.find("payment_intent", paid["payment_intent"] or "")
    if made is not None:
        amount = paid["amount_captured"]
        made |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
        turn.rows.change(made)
        turn.emit("payment_intent.succeeded", made)


def _amount(params: Params) -> tuple[int, str]:
    params.needed("amount")
    currency = params.needed("currency").lower()
    amount = params.amount() or 0
    if not re.fullmatch("[a-z]{3}", currency):
        raise malformed(f"Invalid currency: {currency[:20]}", "currency")
    if amount < SMALLEST.get(currency, 1):
        raise malformed(
            f"At least {SMALLEST[currency]} of the smallest unit have to be paid.",
            "amount",
            "amount_too_small",
        )
    if amount % IN_STEPS.get(currency, 1):
        raise malformed(
            f"Amounts of {currency.upper()} are multiples of {IN_STEPS[currency]}.", "amount"
        )
    return amount, currency


def _payer(turn: Turn, params: Params) -> Json | None:
    ident = params.text("customer")
    if not ident:
        return None
    found = turn.rows.find("customer", ident)
    if found is None:
        raise missing("customer", ident, "customer")
    return found


def _kept(payer: Json, source: str) -> str:
    """Return the token of a customer's card."""
    kept = payer["default_source"]
    if source and source != kept:
        raise Refusal(
            404, f"Customer {payer['id']} has no card {source}.", code="missing", param="source"
        )
    if not kept:
        raise Refusal(402, "The customer has no card.", code="missing", param="card", kind=CARD)
    return str(kept)
