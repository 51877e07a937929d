"""Refunds: never more than was paid, never on top of a dispute, and not always at once."""

from __future__ import annotations

from ..money import IN_STEPS, Money
from . import objects
from .cards import PREFIXES, card
from .disputing import is_refundable
from .errors import Json, Refusal, malformed, missing
from .params import Params
from .turn import Turn

NEW = ("charge", "payment_intent", "amount", "reason", "metadata")
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
FAILURE = "expired_or_canceled_card"


def refund(turn: Turn, _id: str, params: Params) -> Json:
    """Pay a charge back, or a part of it; without an amount, all that is left."""
    amount = params.amount()
    reason, metadata = params.one_of("reason", REASONS), params.metadata({})
    paid = _charge(turn, params)
    amount = _allowed(turn, paid, amount)
    return returned(turn, paid, amount, reason=reason, metadata=metadata)


def _charge(turn: Turn, params: Params) -> Json:
    """Return the charge that is meant, by its own id or its intent's."""
    ident, intent = params.text("charge"), params.text("payment_intent")
    if bool(ident) == bool(intent):
        code = "" if ident else "parameter_missing"
        raise malformed("Name one: a charge, or a payment_intent.", "charge", code)
    if intent:
        found = turn.rows.find("payment_intent", intent)
        if found is None:
            raise missing("payment_intent", intent, "payment_intent")
        ident = str(found["latest_charge"])
    paid = turn.rows.find("charge", ident)
    if paid is None:
        raise missing("charge", ident, "charge")
    return paid


def _allowed(turn: Turn, paid: Json, amount: int | None) -> int:
    """Return how much goes back.

    Raises:
        Refusal: It was refunded, is disputed, or is less than that.
    """
    ident, left = paid["id"], paid["amount"] - paid["amount_refunded"]
    if left <= 0:
        raise Refusal(
            400, f"Charge {ident} has already been refunded.", code="charge_already_refunded"
        )
    if not is_refundable(turn, ident):
        raise Refusal(
            400, f"Charge {ident} was charged back: it cannot be refunded.", code="charge_disputed"
        )
    wanted = left if amount is None else amount
    if wanted > left:
        asked, rest = (Money(amount=one, currency=paid["currency"]) for one in (wanted, left))
        raise Refusal(400, f"{asked} is more than what is left of {ident}, {rest}.", param="amount")
    if not paid["captured"] and wanted != paid["amount"]:
        raise Refusal(
            400, f"Charge {ident} is not captured: it can only be released whole.", param="amount"
        )
    if wanted % IN_STEPS.get(paid["currency"], 1):
        raise Refusal(400, f"{wanted} {paid['currency']} cannot be paid out.", param="amount")
    return wanted


def returned(
    turn: Turn,
    paid: Json,
    amount: int,
    *,
    reason: str = "",
    metadata: dict[str, str] | None = None,
) -> Json:
    """Write a refund down, and what it leaves of its charge."""
    method = str(paid["payment_method"])
    waits = paid["captured"] and not turn.quiet  # what was only reserved is released at once
    fate = card(method).refunds if waits and method.startswith(PREFIXES) else ""
    status = "pending" if fate == "pending" else "succeeded"
    made = objects.refund(
        turn.new("re"),
        turn.at,
        paid,
        amount=amount,
        status=status,
        reason=reason,
        metadata=metadata or {},
    )
    turn.rows.add(made)
    before: Json = {name: paid[name] for name in ("amount_refunded", "refunded")}
    counted(paid, amount)
    if reason == "fraudulent":
        paid["fraud_details"] = {"user_report": "fraudulent"}
    turn.rows.change(paid)
    if fate:
        becomes = "succeeded" if fate == "pending" else "failed"
        becoming(turn, made["id"], becomes, after=turn.setup.settles)
    turn.emit("refund.created", made)
    turn.emit("charge.refunded", paid, before)
    return made


def counted(paid: Json, amount: int) -> None:
    """Count an amount as refunded; a negative one has come back."""
    paid["amount_refunded"] += amount
    paid["refunded"] = paid["amount_refunded"] >= paid["amount"]


def becoming(turn: Turn, refund: str, becomes: str, *, after: float) -> None:
    """Note what a refund will be, so many seconds from now."""
    turn.rows.run(
        "INSERT OR REPLACE INTO later (refund, becomes, at) VALUES (?, ?, ?)",
        refund,
        becomes,
        turn.setup.now() + after,
    )


def update(turn: Turn, ident: str, params: Params) -> Json:
    """Change the metadata of a refund; nothing else of it changes."""
    found = turn.rows.find("refund", ident)
    if found is None:
        raise missing("refund", ident)
    after = params.metadata(found["metadata"])
    before: Json = {"metadata": found["metadata"]}
    found["metadata"] = after
    turn.rows.change(found)
    changed(turn, found, before)
    return found


def changed(turn: Turn, refund: Json, before: Json) -> None:
    """Tell that a refund is not what it was."""
    turn.emit("refund.updated", refund, before)
    turn.emit("charge.refund.updated", refund, before)
