"""An account at Stripe, as a help desk uses it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import final

from ..model import Charge, Reason, Refund
from . import looking, refunding
from .keys import kind_of
from .line import Line
from .refunding import Wish


@final
class Payments:
    """Charges and refunds, under one API key.

    Threads may share it; a forked process opens its own. The key is in no text that it makes.
    """

    def __init__(
        self,
        key: str,
        *,
        base: str | None = None,
        seconds: float = 30,
        retries: int = 3,
        live: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Open an account; nothing is sent yet.

        Args:
            key: A secret key, or a restricted one that may read charges, customers and disputes,
                and write refunds.
            base: Another address than Stripe's, such as a sandbox's.
            seconds: How long one answer may take.
            retries: How often a request is made again that was not answered.
            live: Whether a key that moves real money is taken.
            jitter: A number from 0 to 1 that spreads those who were all turned away at once.

        Raises:
            ConfigError: The key, or the address, cannot be used.
        """
        self.kind = kind_of(key)
        self._where = base or "Stripe"
        self._line = Line(
            key, base=base, seconds=seconds, retries=retries, live=live, sleep=sleep, jitter=jitter
        )

    def __repr__(self) -> str:
        return f"Payments({self.kind} mode of {self._where})"

    def charge(self, id: str) -> Charge:  # noqa: A002 - the word that Stripe has for it
        """Return a charge as it is now.

        Args:
            id: Of the charge, or of a payment intent: then the charge that fulfilled it.

        Raises:
            NotRefundable: There is none.
            PaymentError: Stripe does not say.
        """
        return looking.charge(self._line, id)[0]

    def charges(self, customer: str, *, most: int = 100) -> tuple[Charge, ...]:
        """Return what somebody has paid, newest first.

        Args:
            customer: A mail address. Who paid without becoming a customer at Stripe is not found.
            most: How many of them; the oldest are left out.

        Raises:
            PaymentError: Stripe does not say.
        """
        return tuple(paid for paid, _ in looking.charges(self._line, customer)[:most])

    def refunds(self, charge: str) -> tuple[Refund, ...]:
        """Return what has gone back of a charge, newest first, also what then failed.

        Raises:
            NotRefundable: There is no such charge.
            PaymentError: Stripe does not say.
        """
        return looking.charge(self._line, charge)[1]

    def refunds_of(self, customer: str) -> tuple[Refund, ...]:
        """Return all that has gone back to somebody, newest first, also what then failed.

        Raises:
            PaymentError: Stripe does not say.
        """
        found = [one for _, refunds in looking.charges(self._line, customer) for one in refunds]
        return tuple(sorted(found, key=lambda one: one.created, reverse=True))

    def refund(
        self, charge: str, amount: int, reason: Reason, note: str, *, ticket: str, key: str
    ) -> Refund:
        """Pay money back, at most once under one key, however often and whenever it is called.

        Args:
            amount: In the smallest unit of the charge's currency.
            note: Why, for colleagues; kept at Stripe, where customers do not see it.
            key: Such as the id of the request that was approved.

        Returns:
            The refund; its status tells whether the money is still on its way.

        Raises:
            NotRefundable: The charge does not allow it.
            PaymentError: Stripe refused, or nothing was asked at all. Nothing has gone back.
            PaymentUnknown: Whether anything has gone back is not known.
        """
        wish = Wish(charge=charge, amount=amount, reason=reason, note=note, ticket=ticket, key=key)
        return refunding.refund(self._line, wish)

    def find(self, key: str, charge: str) -> Refund | None:
        """Return the refund of a charge that was made under a key, if there is one.

        Raises:
            NotRefundable: There is no such charge.
            PaymentError: Stripe does not say.
        """
        return refunding.find(self._line, key, charge)
