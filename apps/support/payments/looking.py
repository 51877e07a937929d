"""Look at what was paid and what has gone back; nothing here changes anything."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import NotRefundable, PaymentError
from ..model import Charge, Refund
from .line import Line
from .pages import every
from .reading import SaidCharge, SaidDispute, SaidIntent, SaidPayer, SaidRefund, read
from .refusals import Refused

if TYPE_CHECKING:
    from stripe import StripeClient

Paid = tuple[Charge, tuple[Refund, ...]]
"""A charge, and all that has gone back of it, newest first."""


def charge(line: Line, ident: str) -> Paid:
    """Return a charge with its refunds.

    Args:
        ident: Of the charge, or of a payment intent: then the charge that fulfilled it.

    Raises:
        NotRefundable: There is none.
        PaymentError: Stripe does not say.
    """
    if not re.fullmatch(r"(ch|py|pi)_[A-Za-z0-9_]{1,250}", ident):
        raise NotRefundable(f"{ident[:80]!r} is no charge: those are called ch_ and a few letters.")
    asked = _intended if ident.startswith("pi_") else _charged
    with plainly(ident):
        said = line.ask(lambda stripe: asked(stripe, ident))
        if said is not None:
            return _paid(line, said, "")
    raise NotRefundable(f"{ident} has not been paid, so there is nothing to give back.")


def charges(line: Line, customer: str) -> list[Paid]:
    """Return what somebody has paid, newest first.

    Args:
        customer: A mail address; several customers at Stripe may have it.

    Raises:
        PaymentError: Stripe does not say.
    """
    with plainly():
        found = [
            _paid(line, said, customer)
            for payer in _payers(line, customer)
            for said in _charges_of(line, payer)
        ]
    return sorted(found, key=lambda paid: paid[0].created, reverse=True)


@contextmanager
def plainly(ident: str = "") -> Generator[None]:
    """Say what Stripe did not do in a sentence of our own.

    Args:
        ident: What was asked for, if it was one thing.
    """
    try:
        yield
    except Refused as refused:
        if ident and refused.problem.is_missing:
            raise NotRefundable(f"Stripe knows no charge {ident} under this API key.") from None
        sentence = f"{refused.problem.sentence}; nothing was changed."
        raise PaymentError(sentence) from None


def _charged(stripe: StripeClient, ident: str) -> SaidCharge:
    answer = stripe.v1.charges.retrieve(ident, {"expand": ["customer", "refunds"]})
    return read(SaidCharge, answer)


def _intended(stripe: StripeClient, ident: str) -> SaidCharge | None:
    wanted = ["latest_charge.customer", "latest_charge.refunds"]
    answer = stripe.v1.payment_intents.retrieve(ident, {"expand": wanted})
    return read(SaidIntent, answer).latest_charge


def _payers(line: Line, customer: str) -> list[str]:
    """Return who has an address; Stripe takes capitals for other letters."""
    spelled = filter(None, dict.fromkeys((customer, customer.lower())))
    found = [
        payer.id
        for address in spelled
        for payer in every(line, SaidPayer, lambda s: s.v1.customers.list, {"email": address})
    ]
    return list(dict.fromkeys(found))


def _charges_of(line: Line, payer: str) -> Iterator[SaidCharge]:
    params = {"customer": payer, "expand": ["data.refunds"]}
    return every(line, SaidCharge, lambda stripe: stripe.v1.charges.list, params)


def _paid(line: Line, said: SaidCharge, customer: str) -> Paid:
    refunds = tuple(one.noun() for one in _refunds_of(line, said))
    # A charge stays marked for good; what counts is whether each of its disputes lets it go.
    disputed = said.disputed and _is_held(line, said.id)
    return said.noun(customer, disputed=disputed), refunds


def _refunds_of(line: Line, said: SaidCharge) -> list[SaidRefund]:
    if said.refunds is not None and not said.refunds.has_more:
        return said.refunds.data
    refunds = every(line, SaidRefund, lambda stripe: stripe.v1.refunds.list, {"charge": said.id})
    return list(refunds)


def _is_held(line: Line, charge: str) -> bool:
    held = every(line, SaidDispute, lambda stripe: stripe.v1.disputes.list, {"charge": charge})
    allowed = [one.is_charge_refundable for one in held]
    return not allowed or not all(allowed)
