"""Amounts that are exact: whole numbers of a currency's smallest unit, never floats."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import SupportError

NO_PLACES = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_PLACES = frozenset("bhd jod kwd omr tnd".split())
IN_STEPS = {**dict.fromkeys(THREE_PLACES, 10), "isk": 100, "ugx": 100}
"""Of these currencies an amount has to be a multiple, or the card networks cannot pay it.

ISK and UGX have no decimals any more, and Stripe goes on writing them with two, which are 00. HUF
and TWD are cut to whole units in payouts only: charges and refunds have two decimals as usual.
"""

LARGEST = 999_999_999_999
"""Stripe takes at most twelve digits; many ways to pay take fewer, which Stripe itself refuses."""

MOST = 10**15  # beyond any sum of a shop; a number without end would not even print


@dataclass(frozen=True, slots=True, kw_only=True, order=False)
class Money:
    """An amount in the smallest unit of its currency: 1999 of `eur` are 19.99 EUR.

    >>> str(Money(amount=1999, currency="eur")), str(Money(amount=1999, currency="jpy"))
    ('19.99 EUR', '1,999 JPY')
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            kind = type(self.amount).__name__
            raise SupportError(f"an amount is a whole number of the smallest unit, not a {kind}")
        if not -MOST < self.amount < MOST:
            raise SupportError("an amount has at most fifteen digits")
        if not re.fullmatch("[a-z]{3}", self.currency):
            raise SupportError(f"{self.currency[:20]!r} is no currency: it is three small letters")

    def __str__(self) -> str:
        digits = places(self.currency)
        whole, part = divmod(abs(self.amount), 10**digits)
        number = f"{whole:,}.{part:0{digits}}" if digits else f"{whole:,}"
        return f"{'-' if self.amount < 0 else ''}{number} {self.currency.upper()}"


def places(currency: str) -> int:
    """Return how many decimals a currency is written with.

    >>> places("eur"), places("jpy"), places("kwd")
    (2, 0, 3)
    """
    if currency in NO_PLACES:
        return 0
    return 3 if currency in THREE_PLACES else 2


def parse(text: str, currency: str) -> Money:
    """Read a decimal number such as `"19.99"`, exactly.

    >>> parse("19.99", "usd").amount, parse("19", "jpy").amount
    (1999, 19)

    Raises:
        SupportError: It is no such number, or has more decimals than the currency.
    """
    found = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,12}))?", text)
    if not found:
        raise SupportError(f"{text[:40]!r} is no amount; write it as 19.99")
    digits = places(currency)
    part = (found[2] or "").rstrip("0")
    if len(part) > digits:
        raise SupportError(
            f"{text!r} is no amount of {currency.upper()}: at most {digits} decimals"
        )
    return Money(amount=int(found[1] + part.ljust(digits, "0")), currency=currency)
