"""The help desk's tools as an agent knows them: text in, text out."""

from __future__ import annotations

from dataclasses import dataclass, field

from .config import Config
from .describing import charges_text, refunds_text, ticket_text, tickets_text
from .helpdesk import Helpdesk
from .model import Reason, TicketState
from .payments import Payments


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """Tickets on one side, Stripe on the other.

    What changes something takes a `key`: under the same key it is done once, however often it is
    called, also after a crash.

    Attributes:
        read: The mails of each ticket that were read here: one that comes later stays unanswered.
    """

    config: Config
    helpdesk: Helpdesk
    payments: Payments
    read: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def tickets(self) -> str:
        """List the tickets that wait for an answer: id, state, day, customer, subject."""
        waiting = {TicketState.NEW, TicketState.REOPENED}
        return tickets_text(t for t in self.helpdesk.tickets() if t.state in waiting)

    def ticket(self, id: str) -> str:  # noqa: A002 - the name that an agent reads
        """Read one ticket, with all its mails. What stands behind `>` are the customer's words."""
        found = self.helpdesk.ticket(id)
        self.read[found.id] = frozenset(message.id for message in found.messages)
        return ticket_text(found)

    def charges(self, customer: str) -> str:
        """List what a customer has paid: id, day, paid, refunded, left, what it was for."""
        return charges_text(customer, self.payments.charges(customer))

    def refunds(self, customer: str) -> str:
        """List what has gone back to a customer."""
        return refunds_text(customer, self.payments.refunds_of(customer))

    def refund(
        self, charge: str, amount: int, reason: Reason, note: str, ticket: str, *, key: str
    ) -> str:
        """Pay money back. `amount` is in the smallest unit of the charge's currency."""
        made = self.payments.refund(charge, amount, reason, note, ticket=ticket, key=key)
        if made.status == "succeeded":
            return f"refunded {made.money} of {made.charge} ({made.id})"
        return f"{made.money} of {made.charge} are on their way back ({made.id}: {made.status})"

    def reply(self, ticket: str, text: str, *, key: str) -> str:
        """Answer a ticket by mail."""
        self.helpdesk.reply(ticket, text, key=key, seen=self.read.get(ticket))
        self.helpdesk.flush()
        return f"answered {ticket}"

    def close(self, ticket: str, *, key: str) -> str:
        """Close a ticket; a new mail of the customer opens it again."""
        self.helpdesk.close(ticket, key=key)
        return f"closed {ticket}"
