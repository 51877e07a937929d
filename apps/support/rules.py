"""What nobody need be asked about: calls that cannot work, and those that cost less than asking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

from .desk import Desk
from .errors import NoSuchTicket, NotRefundable
from .model import Charge, Reason, Refund
from .money import Money
from .promises import promises

BLOCKING: Reason = "fraudulent"
"""The reason that puts a card and an address on Stripe's lists; never without a person."""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Conditions on the tools' own parameters, and what they weigh.

    Attributes:
        known: Currency and customer of charges that were looked at: neither ever changes.
    """

    desk: Desk
    known: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    lock: Lock = field(default_factory=Lock)

    def is_impossible(self, charge: str, amount: int, ticket: str) -> bool:
        """Whether nobody is even asked: Stripe would refuse it, or there is no such ticket."""
        return bool(self.why_impossible(charge, amount, ticket))

    def why_impossible(self, charge: str, amount: int, ticket: str) -> str:
        """Return the reason, for the agent; empty when it can be done."""
        try:
            paid = self.desk.payments.charge(charge)
            self.desk.helpdesk.ticket(ticket)
        except (NotRefundable, NoSuchTicket) as problem:
            return str(problem).rstrip(".")
        if paid.disputed:
            return f"{charge} is disputed: the bank has taken it up, and a refund would pay twice"
        if not paid.captured:
            return f"{charge} is not captured, so there is nothing to give back"
        if amount < 1:
            return "an amount is at least 1 of the smallest unit"
        if amount > paid.left.amount:
            asked = Money(amount=amount, currency=paid.paid.currency)
            return f"of {charge} {paid.left} are left, and {asked} is more; ask for at most that"
        return ""

    def is_small(self, charge: str, amount: int, reason: str, ticket: str) -> bool:
        """Refunding this much costs less than asking."""
        return not any(self.why_asked(charge, amount, reason, ticket))

    def why_asked(self, charge: str, amount: int, reason: str, ticket: str) -> Iterator[str]:
        """Yield why a person is asked, as far as the call itself tells; budgets may add more."""
        config, money = self.desk.config, self.money(charge, amount)
        worth = config.worth(money)
        if worth is None:
            yield f"there is no rate for {money.currency.upper()} in {config.path.name}"
        elif worth > config.free_up_to.amount:
            yield f"{money} is more than {config.free_up_to}"
        if reason == BLOCKING:
            yield "the reason puts the customer's card and address on Stripe's block lists"
        payer, writer = self.payer(charge), self.desk.helpdesk.ticket(ticket).customer
        if payer != writer:
            yield f"{writer} writes, and {payer or 'somebody unknown'} has paid"

    def worth(self, charge: str, amount: int) -> int | None:
        """Return what an amount is worth in the currency of the limits; `None`: nobody knows."""
        try:
            return self.desk.config.worth(self.money(charge, amount))
        except NotRefundable:  # there is no such charge, so it will be rejected
            return None

    def money(self, charge: str, amount: int) -> Money:
        """Return an amount in the currency of its charge."""
        return Money(amount=amount, currency=self._known(charge)[0])

    def payer(self, charge: str) -> str:
        """Return who has paid, or an empty text."""
        return self._known(charge)[1]

    def made_elsewhere(self, customer: str) -> list[Refund]:
        """Return what has gone back to a customer that no help desk's call has done."""
        refunds = self.desk.payments.refunds_of(customer)
        return [one for one in refunds if not one.key and _counts(one)]

    def is_plain(self, ticket: str, text: str) -> bool:
        """Whether a reply binds the company to nothing."""
        return not self.promised(ticket, text)

    def promised(self, ticket: str, text: str) -> tuple[str, ...]:
        """Return what a reply promises; what has gone back for this ticket is a fact."""
        return promises(text, [one.money for one in self.refunded(ticket)])

    def refunded(self, ticket: str) -> list[Refund]:
        """Return what has gone back for a ticket."""
        customer = self.desk.helpdesk.ticket(ticket).customer
        made = self.desk.payments.refunds_of(customer)
        return [one for one in made if one.ticket == ticket and _counts(one)]

    def is_unknown(self, ticket: str) -> bool:
        """Whether there is no such ticket."""
        try:
            self.desk.helpdesk.ticket(ticket)
        except NoSuchTicket:
            return True
        return False

    def _known(self, charge: str) -> tuple[str, str]:
        with self.lock:
            found = self.known.get(charge)
        if found is None:
            looked: Charge = self.desk.payments.charge(charge)
            found = looked.paid.currency, looked.customer
            with self.lock:
                self.known[charge] = found
        return found


def _counts(refund: Refund) -> bool:
    """Whether the money has gone back, or is on its way."""
    return refund.status not in {"failed", "canceled"}
