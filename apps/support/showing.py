"""What people are shown before they decide: found out by looking, never taken from the agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from .describing import DAY, one_line
from .model import Charge, Refund, Ticket
from .rules import Rules

LONGEST = 3_000  # characters of a customer's words
COLUMNS = ("day", "amount", "status", "charge", "reason", "made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a call would do.

    Attributes:
        summary: One line.
        facts: Name and value, in the order to show them.
        history: What has gone back to the customer, a row each; see `COLUMNS`.
        warnings: What a careful colleague would point out.
        who: The customer.
        words: The customer's own, which are no facts.
    """

    summary: str
    facts: tuple[tuple[str, str], ...]
    history: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    who: str
    words: str


@dataclass(frozen=True, slots=True)
class Showing:
    """Looks at Stripe and at the mails as they are now."""

    rules: Rules

    def refund(self, charge: str, amount: int, reason: str, ticket: str) -> Shown:
        """Show a charge, what has gone back so far, and what the customer writes."""
        desk, money = self.rules.desk, self.rules.money(charge, amount)
        paid, thread = desk.payments.charge(charge), desk.helpdesk.ticket(ticket)
        before = desk.payments.refunds_of(paid.customer) if paid.customer else ()
        asked = list(self.rules.why_asked(charge, amount, reason, ticket))
        return Shown(
            summary=f"pays {money} back to {paid.customer or 'an unknown customer'}",
            facts=tuple(charge_facts(paid, asked)),
            history=tuple(history(before)),
            warnings=tuple(self._warnings(paid, thread, before, reason)),
            who=thread.customer,
            words=last_words(thread),
        )

    def reply(self, ticket: str, text: str) -> Shown:
        """Show to whom a reply goes, what it promises, and what it answers."""
        thread = self.rules.desk.helpdesk.ticket(ticket)
        promised = self.rules.promised(ticket, text)
        made = ", ".join(str(one.money) for one in self.rules.refunded(ticket))
        return Shown(
            summary=f"answers {thread.customer}",
            facts=(
                ("subject", one_line(thread.subject)),
                ("asked because", f"it promises {'; '.join(promised)}"),
                ("refunded for this ticket", made or "nothing"),
            ),
            who=thread.customer,
            words=last_words(thread),
        )

    def _warnings(
        self, paid: Charge, thread: Ticket, before: Iterable[Refund], reason: str
    ) -> Iterator[str]:
        if paid.customer != thread.customer:
            yield "Whoever writes is not whoever has paid."
        if reason == "fraudulent":
            yield "Stripe puts the card and the address on its block lists; that stays."
        if many := [one for one in before if one.status != "failed"]:
            yield f"This customer has been refunded {times(len(many))} before."


def charge_facts(paid: Charge, asked: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield a charge as Stripe has it now."""
    yield "charge", f"{paid.id} {one_line(paid.description)}".rstrip()
    yield "paid", f"{paid.paid} on {paid.created:{DAY}}, {age(paid.created)}"
    yield "refunded", str(paid.refunded)
    yield "left", str(paid.left)
    yield "disputed", "yes" if paid.disputed else "no"
    if because := "; ".join(asked):
        yield "asked because", because


def history(refunds: Iterable[Refund]) -> Iterator[tuple[str, ...]]:
    """Yield a row per refund, newest first."""
    for one in sorted(refunds, key=lambda one: one.created, reverse=True):
        made = f"ticket {one.ticket}" if one.ticket else "elsewhere"
        day = f"{one.created:{DAY}}"
        yield day, str(one.money), one.status, one.charge, one.reason, made


def last_words(thread: Ticket) -> str:
    """Return the customer's last mail; of a very long one, say how much is left out."""
    theirs = [message for message in thread.messages if not message.ours]
    text = theirs[-1].text if theirs else ""
    more = len(text) - LONGEST
    return f"{text[:LONGEST]}\n… ({more:,} more characters)" if more > 0 else text


def age(since: datetime, now: datetime | None = None) -> str:
    """Say how old something is, so coarsely that the answer stays the same for a while.

    >>> age(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC))
    '11 weeks ago'
    """
    weeks = ((now or datetime.now(UTC)) - since).days // 7
    match weeks:
        case 0:
            return "this week"
        case 1:
            return "a week ago"
        case _:
            return f"{weeks} weeks ago"


def times(number: int) -> str:
    """Write how often.

    >>> times(1), times(3)
    ('once', '3 times')
    """
    return "once" if number == 1 else f"{number} times"
