"""The nouns of a help desk: tickets made of mails, charges and refunds made of money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from .money import Money

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]
"""Why money goes back; Stripe knows these three. `fraudulent` blocks the card and the mail."""


class TicketState(StrEnum):
    """Where a ticket stands; each is a folder of the Maildir."""

    NEW = "new"
    ANSWERED = "answered"
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a mail. Its bytes are never given to an agent.

    Attributes:
        name: As the sender called it, made harmless; never a path.
        kind: MIME type as the mail claims it.
        size: Bytes.
    """

    name: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One mail of a ticket, as plain text.

    Attributes:
        id: Its Message-ID with the brackets; made from the bytes where the mail has none.
        sender: Address in lower case.
        name: As the sender gives it; may be empty.
        ours: Whether the help desk wrote it.
        at: When it was sent, UTC; when it arrived, where the mail does not say.
        text: Plain text; of an HTML mail, what a reader would see.
        problems: What could not be read, one sentence each.
    """

    id: str
    sender: str
    name: str
    subject: str
    ours: bool
    at: datetime
    text: str
    attachments: tuple[Attachment, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One matter of one customer: a thread of mails.

    Attributes:
        id: `"t-"` and ten hexadecimal digits, made from the Message-ID of the first mail, so that
            it stays the same.
        customer: Address of whoever wrote first, in lower case.
        messages: Oldest first; never empty.
        notes: What happened to it that no mail says, oldest first: why it was reopened.
    """

    id: str
    customer: str
    subject: str
    state: TicketState
    messages: tuple[Message, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One payment, as Stripe has it now.

    Attributes:
        customer: Address of whoever paid, in lower case; empty when Stripe does not know.
        paid: What was captured.
        refunded: What has gone back or is on its way back.
        disputed: Whether the customer's bank has taken it up; then nothing is to be refunded. A
            bank that only asks has not.
        description: What it was for, such as an order's number.
    """

    id: str
    customer: str
    paid: Money
    refunded: Money
    captured: bool
    disputed: bool
    created: datetime
    description: str = ""
    payment_intent: str = ""

    @property
    def left(self) -> Money:
        """What can still be refunded: nothing while it is disputed or not captured."""
        left = self.paid.amount - self.refunded.amount if self.captured and not self.disputed else 0
        return Money(amount=left, currency=self.paid.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that goes back, as Stripe has it now.

    Attributes:
        charge: Id of the payment it belongs to.
        status: Stripe's word: pending, requires_action, succeeded, failed or canceled.
        reason: Stripe's word, or empty.
        ticket: The ticket it was made for; empty when it was made elsewhere.
        key: Under which it was asked for, once; empty when it was made elsewhere.
    """

    id: str
    charge: str
    money: Money
    status: str
    created: datetime
    reason: str = ""
    ticket: str = ""
    key: str = ""
