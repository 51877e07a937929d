"""Pay money back, once: look first, ask under one key, and look again when no answer came."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast, get_args

from ..errors import NotRefundable, PaymentError, PaymentUnknown
from ..model import Charge, Reason, Refund
from ..money import IN_STEPS, LARGEST, Money
from . import looking
from .line import Line
from .reading import SaidRefund, read
from .refusals import Problem, Refused

if TYPE_CHECKING:
    from stripe import StripeClient
    from stripe.params import RefundCreateParams

LONGEST = 500  # characters of a value that Stripe keeps beside a refund
LONGEST_KEY = 255
OVER = frozenset({"failed", "canceled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A refund that is to be made.

    Attributes:
        amount: In the smallest unit of the charge's currency.
        note: Why, for colleagues; may be empty.
        key: Under which it is made at most once.
    """

    charge: str
    amount: int
    reason: Reason
    note: str
    ticket: str
    key: str


def refund(line: Line, wish: Wish) -> Refund:
    """Make a refund, or return the one that was made under the same key.

    Raises:
        NotRefundable: The charge does not allow it.
        PaymentError: Stripe refused, or nothing was asked at all. Nothing has gone back.
        PaymentUnknown: Whether anything has gone back is not known.
    """
    checked(wish)
    paid, before = looking.charge(line, wish.charge)
    wish = replace(wish, charge=paid.id)
    made = _under(wish.key, before)
    if made is None:
        allowed(wish, paid)
        made = _made(line, wish)
    elif not _fits(made, wish):
        raise PaymentError(
            f"{made.id} of {made.money} was made under the same key, and this is another refund;"
            " nothing more was paid back."
        )
    if made.status in OVER:
        raise PaymentError(
            f"{made.id} of {made.money} came back: Stripe calls it {made.status}."
            " Nothing has reached the customer; find another way to pay."
        )
    return made


def find(line: Line, key: str, charge: str) -> Refund | None:
    """Return the refund of a charge that was made under a key.

    Raises:
        NotRefundable: There is no such charge.
        PaymentError: Stripe does not say.
    """
    return _under(key, looking.charge(line, charge)[1])


def checked(wish: Wish) -> None:
    """Refuse what Stripe would misunderstand: it takes what it is given, and refunds all for None.

    Raises:
        PaymentError: Says what is wrong; nothing was asked.
    """
    for name, text in (("note", wish.note), ("ticket", wish.ticket), ("key", wish.key)):
        _checked_text(name, text)
    if type(wish.amount) is not int:
        kind = type(wish.amount).__name__
        raise PaymentError(f"An amount is a whole number of the smallest unit, not a {kind}.")
    if not 0 < wish.amount <= LARGEST:
        raise NotRefundable(f"A refund is of 1 to {LARGEST:,} of the smallest unit.")
    if wish.reason not in get_args(Reason):
        raise PaymentError(f"A reason is one of {', '.join(get_args(Reason))}.")
    if not re.fullmatch(rf"[!-~]{{1,{LONGEST_KEY}}}", wish.key):
        raise PaymentError(f"A key is 1 to {LONGEST_KEY} letters and digits, without spaces.")
    if not wish.ticket:
        raise PaymentError("A refund belongs to a ticket.")


def _checked_text(name: str, text: str) -> None:
    if len(text) > LONGEST:
        raise PaymentError(f"A {name} has at most {LONGEST} characters; this has {len(text):,}.")
    if "\0" in text or any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        raise PaymentError(f"The {name} holds what is no text.")


def allowed(wish: Wish, paid: Charge) -> None:
    """Refuse what Stripe would refuse, with the figures as they are.

    Raises:
        NotRefundable: The charge does not allow it; nothing was asked.
    """
    asked = Money(amount=wish.amount, currency=paid.paid.currency)
    if paid.disputed:
        raise NotRefundable(
            f"{paid.id} is disputed: the bank has taken it up, and a refund would pay twice."
        )
    if not paid.captured:
        raise NotRefundable(f"{paid.id} is not captured, so there is nothing to give back.")
    if paid.left.amount <= 0:
        raise NotRefundable(f"All of {paid.id}, {paid.paid}, has been refunded already.")
    if wish.amount > paid.left.amount:
        raise NotRefundable(
            f"Of {paid.id} {paid.left} are left, and {asked} is more; ask for at most that."
        )
    if wish.amount % (step := IN_STEPS.get(asked.currency, 1)):
        smallest = Money(amount=step, currency=asked.currency)
        raise NotRefundable(f"{asked} cannot be paid: only multiples of {smallest} can.")


def _made(line: Line, wish: Wish) -> Refund:
    try:
        made = line.ask(lambda stripe: _asked(stripe, wish))
    except Refused as refused:
        problem = refused.problem
    else:
        if not _fits(made, wish):
            raise PaymentUnknown(
                f"Stripe says it made {made.id}, of {made.money}, which was not what was asked;"
                " see its dashboard before anything else is done."
            )
        return made
    return _found_after(problem, line, wish)


def _asked(stripe: StripeClient, wish: Wish) -> Refund:
    known = {"ticket": wish.ticket, "request": wish.key, "note": wish.note}
    params: RefundCreateParams = {
        "charge": wish.charge,
        "amount": wish.amount,
        "reason": wish.reason,
        "metadata": {name: text for name, text in known.items() if text},
    }
    return read(SaidRefund, stripe.v1.refunds.create(params, {"idempotency_key": wish.key})).noun()


def _found_after(problem: Problem, line: Line, wish: Wish) -> Refund:
    """Return the refund if it was made all the same; else say what is known.

    Raises:
        NotRefundable, PaymentError, PaymentUnknown: See `refund`.
    """
    try:
        paid, refunds = looking.charge(line, wish.charge)
    except PaymentError:
        if problem.doubt:
            raise _unknown(problem, wish) from None
        raise PaymentError(f"{problem.sentence}; nothing was paid back.") from None
    if made := _under(wish.key, refunds):
        return made
    if problem.doubt and not problem.final:
        raise _unknown(problem, wish)
    if problem.is_about_the_charge:
        allowed(wish, paid)
        raise NotRefundable(f"{problem.sentence}; nothing was paid back.")
    raise PaymentError(f"{problem.sentence}; nothing was paid back.")


def _unknown(problem: Problem, wish: Wish) -> PaymentUnknown:
    return PaymentUnknown(
        f"{problem.sentence}, so the refund of {wish.charge} may or may not have been made."
        f" Look for it in Stripe's dashboard, under request {wish.key}, before asking again."
    )


def _under(key: str, refunds: tuple[Refund, ...]) -> Refund | None:
    return next((one for one in refunds if one.key == key), None)


def _fits(made: Refund, wish: Wish) -> bool:
    shown = (made.charge, made.money.amount, made.reason, made.ticket, made.key)
    return shown == (wish.charge, wish.amount, cast("str", wish.reason), wish.ticket, wish.key)
