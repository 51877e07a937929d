"""The test cards: what a payment is made with decides what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .errors import CARD, Refusal, malformed

Fate = Literal["", "pending", "fails"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One of Stripe's test cards.

    Attributes:
        refunds: What becomes of its refunds: done at once, pending first, or failing later.
        disputed: Stripe's reason when its owner disputes every payment, or empty.
        inquiry: Whether the dispute is only a question; then a refund is still possible.
        declined: Stripe's code and, behind a slash, the bank's, when it cannot pay; or empty.
    """

    refunds: Fate = ""
    disputed: str = ""
    inquiry: bool = False
    declined: str = ""


CARDS = {
    "visa": Card(),
    "visa_debit": Card(),
    "mastercard": Card(),
    "amex": Card(),
    "jcb": Card(),
    "pendingRefund": Card(refunds="pending"),
    "refundFail": Card(refunds="fails"),
    "createDispute": Card(disputed="fraudulent"),
    "createDisputeProductNotReceived": Card(disputed="product_not_received"),
    "createDisputeInquiry": Card(disputed="fraudulent", inquiry=True),
    "chargeDeclined": Card(declined="card_declined/generic_decline"),
    "chargeDeclinedInsufficientFunds": Card(declined="card_declined/insufficient_funds"),
    "chargeDeclinedFraudulent": Card(declined="card_declined/fraudulent"),
    "chargeDeclinedExpiredCard": Card(declined="expired_card"),
    "chargeDeclinedIncorrectCvc": Card(declined="incorrect_cvc"),
    "chargeDeclinedProcessingError": Card(declined="processing_error"),
}
PREFIXES = ("tok_", "pm_card_")


def card(token: str, param: str = "source") -> Card:
    """Return the card that a token such as `tok_visa` or `pm_card_visa` stands for.

    Raises:
        Refusal: It stands for none.
    """
    for prefix in PREFIXES:
        if token.startswith(prefix) and (found := CARDS.get(token.removeprefix(prefix))):
            return found
    raise malformed(f"No such token: {token[:80]!r}", param, "resource_missing")


def charged(token: str, param: str = "source") -> Card:
    """Return the card of a payment.

    Raises:
        Refusal: There is none, or the bank declines it.
    """
    found = card(token, param)
    code, _, reason = found.declined.partition("/")
    if code:
        raise Refusal(402, "The card was declined.", code=code, kind=CARD, decline_code=reason)
    return found
