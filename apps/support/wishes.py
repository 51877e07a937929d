"""What a customer wants, and what is right: read from the words of a ticket by plain rules.

A live agent reads better than this. What these rules do not understand is left to people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .errors import SupportError
from .model import Reason
from .money import Money, parse

ORDER = re.compile(r"[#＃](\d{3,6})")  # noqa: RUF001 - the sign that Japanese mails are written with
CHARGE = re.compile(
    r"^(?P<id>\w+)  [\d-]+  paid [\d,.]+ [A-Z]{3}  refunded [\d,.]+ [A-Z]{3}"
    r"  left (?P<left>[\d,.]+ [A-Z]{3})  (?P<what>.*)$",
    re.MULTILINE,
)
NAMED = re.compile(r"\b(\d+\.\d{2}) (?:EUR|euros?)\b", re.IGNORECASE)
ORDERS_TO_ME = re.compile(
    r"ignore (?:all|any|your|previous|the)\b|you are now|system:|do not mention", re.IGNORECASE
)

WORDS = {
    "double": r"twice|two times|doppelt|二重",
    "size": r"wrong size|too small|too big",
    "late": r"\blate\b|still waiting|遅れ",
    "part": r"missing|too much|fehlt",
    "damaged": r"broken|damaged|cracked|shattered|beschädigt|割れ",
    "question": r"\?",
}
KINDS = {kind: re.compile(words, re.IGNORECASE) for kind, words in WORDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done about a ticket.

    Attributes:
        why: In a few words, for colleagues.
        money: What is to go back of `charge`; `None` when an answer is all that is wanted.
        words: The answer; `{money}` stands for what was really refunded.
        is_done: Whether the ticket can be closed after the answer.
    """

    ticket: str
    why: str
    words: str
    charge: str = ""
    money: Money | None = None
    reason: Reason = "requested_by_customer"
    is_done: bool = True

    def answer(self) -> str:
        """Return what the customer is to read."""
        return self.words.format(money=self.money)


def wish_of(ticket: str, text: str, charges: str) -> Wish | None:
    """Return what is right, or `None` where the rules do not know.

    Args:
        text: The ticket as its tool shows it; only the customer's words count, those behind `>`.
        charges: What the customer has paid, as its tool shows it.
    """
    words = "\n".join(line[2:] for line in text.splitlines() if line.startswith("> "))
    order = ORDER.search(words)
    if ORDERS_TO_ME.search(words) or order is None:
        return None
    paid = [charge for charge in CHARGE.finditer(charges) if f"#{order[1]}:" in charge["what"]]
    kind = next((kind for kind, said in KINDS.items() if said.search(words)), "")
    plan = PLANS.get(kind)
    if plan is None or not paid or "DISPUTED" in paid[0]["what"]:
        return None
    return plan(ticket, words, paid)


def _double(ticket: str, _: str, paid: list[re.Match[str]]) -> Wish | None:
    """One of two equal charges goes back."""
    if len(paid) < 2:
        return None
    why = "charged twice for one order"
    return _back(ticket, why, paid[0], reason="duplicate")


def _late(ticket: str, _: str, paid: list[re.Match[str]]) -> Wish | None:
    return _back(ticket, "it came late, or not at all", paid[0])


def _damaged(ticket: str, _: str, paid: list[re.Match[str]]) -> Wish | None:
    return _back(ticket, "it arrived damaged", paid[0])


def _part(ticket: str, words: str, paid: list[re.Match[str]]) -> Wish | None:
    """A part goes back where the customer names its price."""
    named = NAMED.search(words)
    if named is None:
        return None
    return _back(ticket, "a part of it is missing, or was too much", paid[0], amount=named[1])


def _size(ticket: str, _: str, __: list[re.Match[str]]) -> Wish:
    return Wish(
        ticket=ticket,
        why="the wrong size",
        words="We send you a replacement in the right size as soon as the first one is back here.",
        is_done=False,
    )


def _question(ticket: str, _: str, __: list[re.Match[str]]) -> Wish:
    return Wish(
        ticket=ticket,
        why="a question",
        words="Thank you for your mail. A colleague who knows reads it today and answers you.",
        is_done=False,
    )


PLANS: dict[str, Callable[[str, str, list[re.Match[str]]], Wish | None]] = {
    "double": _double,
    "size": _size,
    "late": _late,
    "part": _part,
    "damaged": _damaged,
    "question": _question,
}


def _back(
    ticket: str,
    why: str,
    charge: re.Match[str],
    *,
    amount: str = "",
    reason: Reason = "requested_by_customer",
) -> Wish | None:
    """Return a wish for all that is left of a charge, or for a named amount of it."""
    left = money_of(charge["left"])
    money = parse(amount, left.currency) if amount else left
    if not 0 < money.amount <= left.amount:
        return None
    words = (
        "{money} を返金しました。お支払いのカードに数日で届きます。"
        if left.currency == "jpy"
        else "We refunded {money} to the card that you paid with; it takes a few days to arrive."
    )
    return Wish(
        ticket=ticket, why=why, words=words, charge=charge["id"], money=money, reason=reason
    )


def money_of(text: str) -> Money:
    """Read an amount as the tools write it.

    >>> money_of("1,999.00 EUR").amount
    199900
    """
    number, _, currency = text.partition(" ")
    return parse(number.replace(",", ""), currency.lower())


def smaller(money: Money, feedback: str) -> Money | None:
    """Return the amount that a rejection names, if it is less than `money`.

    >>> str(smaller(Money(amount=8900, currency="eur"), "only the shipping of order #1001: 4.90"))
    '4.90 EUR'
    """
    return next(
        (less for less in _amounts(money, feedback) if 0 < less.amount < money.amount), None
    )


def _amounts(money: Money, text: str) -> Iterator[Money]:
    decimals = str(money).partition(" ")[0].partition(".")[2]
    fraction = rf"\.\d{{{len(decimals)}}}" if decimals else ""
    for said in re.findall(rf"(?<![\w.,#-])\d[\d,]*{fraction}(?![\w]|[.,]\d)", text):
        try:
            yield parse(said.replace(",", ""), money.currency)
        except SupportError:
            continue
