"""What goes over the wire to Stripe and back, written by hand, and a client that listens there."""

import json
from urllib.parse import parse_qsl

from apps.support.payments import Payments

API = "https://api.stripe.com"
KEY = "sk_test_51Secret"
CHARGE, REFUND, CUSTOMER, INTENT = "ch_1", "re_1", "cus_1", "pi_1"
AT = 1_763_870_000


def payments(slept=None, **options):
    """A client that does not wait; `slept` collects for how long it would have."""
    waits = slept if slept is not None else []
    return Payments(KEY, sleep=waits.append, jitter=lambda: 1.0, **options)


def charge(**said):
    """A charge of 50.00 EUR, as Stripe writes it."""
    return {
        "id": CHARGE,
        "object": "charge",
        "amount": 5000,
        "amount_captured": 5000,
        "amount_refunded": 0,
        "billing_details": {"email": None, "name": None},
        "captured": True,
        "created": AT,
        "currency": "eur",
        "customer": {"id": CUSTOMER, "object": "customer", "email": "Ana@Mail.example"},
        "description": "order #1042",
        "disputed": False,
        "payment_intent": INTENT,
        "receipt_email": None,
        "refunds": listing(),
        "status": "succeeded",
    } | said


def refund(**said):
    """A refund of 20.00 EUR, as Stripe writes it."""
    return {
        "id": REFUND,
        "object": "refund",
        "amount": 2000,
        "charge": CHARGE,
        "created": AT,
        "currency": "eur",
        "metadata": {"ticket": "t-1", "request": "key-1", "note": "late"},
        "payment_intent": INTENT,
        "reason": "requested_by_customer",
        "status": "succeeded",
    } | said


def listing(*items, more=False, url="/v1/refunds"):
    """A page of a list."""
    return {"object": "list", "data": list(items), "has_more": more, "url": url}


def error(message="No.", **said):
    """The body of an answer that says no."""
    return {"error": {"type": "invalid_request_error", "message": message} | said}


def form(call):
    """What a request said in its body or address, names and values in order."""
    body = call.request.body
    text = body.decode() if isinstance(body, bytes) else body
    return parse_qsl(text or call.request.url.partition("?")[2], strict_parsing=True)


def answers(mock, method, path, *bodies, headers=None):
    """Let a path answer with one body after the other; a pair is a status and a body."""
    for body in bodies:
        status, said = body if isinstance(body, tuple) else (200, body)
        if isinstance(said, Exception):
            mock.add(method, f"{API}{path}", body=said)
        else:
            text = said if isinstance(said, str) else json.dumps(said)
            mock.add(method, f"{API}{path}", body=text, status=status, headers=headers or {})
