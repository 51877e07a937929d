"""Disputes: a customer's bank takes a payment back, and a refund on top would pay twice."""

from __future__ import annotations

from . import objects
from .errors import Json, Refusal, missing
from .params import Params
from .turn import Turn


def opened(turn: Turn, paid: Json, *, reason: str = "fraudulent", inquiry: bool = False) -> Json:
    """Dispute a charge.

    Args:
        paid: The charge; what is written about it is written into it too.
        inquiry: Whether the bank only asks; then a refund is still possible.
    """
    made = objects.dispute(turn.new("du"), turn.at, paid, reason=reason, inquiry=inquiry)
    turn.rows.add(made)
    paid["disputed"] = True
    turn.rows.change(paid)
    turn.emit("charge.dispute.created", made)
    return made


def closed(turn: Turn, ident: str, _params: Params) -> Json:
    """Give a dispute up: the money stays with the customer."""
    found = turn.rows.find("dispute", ident)
    if found is None:
        raise missing("dispute", ident, "dispute")
    if found["status"] not in {"needs_response", "warning_needs_response"}:
        raise Refusal(400, f"Dispute {ident} is closed already.", code="dispute_already_closed")
    before: Json = {"status": found["status"]}
    warned = found["status"].startswith("warning")
    found["status"] = "warning_closed" if warned else "lost"
    turn.rows.change(found)
    turn.emit("charge.dispute.closed", found, before)
    return found


def is_refundable(turn: Turn, charge: str) -> bool:
    """Whether none of a charge's disputes forbids to pay it back."""
    return all(one["is_charge_refundable"] for one in turn.rows.all("dispute", charge=charge))
