"""Customers, charges, payment intents, refunds and disputes, with the fields that Stripe gives."""

from __future__ import annotations

from typing import Any

from .errors import Json

NOWHERE: Json = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def customer(ident: str, created: int, **known: Any) -> Json:
    """Return a customer; `known` may hold email, name, description, phone and metadata."""
    return {
        "id": ident,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "livemode": False,
        "metadata": {},
        "name": None,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        **known,
    }


def charge(
    ident: str,
    created: int,
    *,
    amount: int,
    currency: str,
    method: str,
    captured: bool,
    **known: Any,
) -> Json:
    """Return a charge; `known` may hold customer, description, metadata and payment_intent."""
    return {
        "id": ident,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if captured else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {"address": NOWHERE, "email": None, "name": None, "phone": None},
        "calculated_statement_descriptor": None,
        "captured": captured,
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "outcome": {"network_status": "approved_by_network", "type": "authorized"},
        "paid": True,
        "payment_intent": None,
        "payment_method": method,
        "payment_method_details": {"type": "card"},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
        **known,
    }


def payment_intent(ident: str, created: int, paid: Json) -> Json:
    """Return the intent that a charge has fulfilled."""
    captured = bool(paid["captured"])
    return {
        "id": ident,
        "object": "payment_intent",
        "amount": paid["amount"],
        "amount_capturable": 0 if captured else paid["amount"],
        "amount_received": paid["amount_captured"],
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic" if captured else "manual",
        "confirmation_method": "automatic",
        "created": created,
        "currency": paid["currency"],
        "customer": paid["customer"],
        "description": paid["description"],
        "last_payment_error": None,
        "latest_charge": paid["id"],
        "livemode": False,
        "metadata": paid["metadata"],
        "next_action": None,
        "payment_method": paid["payment_method"],
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "status": "succeeded" if captured else "requires_capture",
    }


def refund(
    ident: str,
    created: int,
    paid: Json,
    *,
    amount: int,
    status: str,
    reason: str,
    metadata: dict[str, str],
) -> Json:
    """Return a refund of a charge."""
    return {
        "id": ident,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": paid["id"],
        "created": created,
        "currency": paid["currency"],
        "destination_details": {"type": "card"},
        "metadata": metadata,
        "payment_intent": paid["payment_intent"],
        "reason": reason or None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
        **({"pending_reason": "processing"} if status == "pending" else {}),
    }


def dispute(ident: str, created: int, paid: Json, *, reason: str, inquiry: bool) -> Json:
    """Return a customer's complaint to the bank about a charge."""
    return {
        "id": ident,
        "object": "dispute",
        "amount": paid["amount"],
        "balance_transactions": [],
        "charge": paid["id"],
        "created": created,
        "currency": paid["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": created + 7 * 86_400,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": paid["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
