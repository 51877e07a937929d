"""A refund that failed opens its ticket again; one that arrived late leaves a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..errors import NoSuchTicket
from .webhooks import RefundEvent

WHY = {
    "charge_for_pending_refund_disputed": "the customer has disputed the payment meanwhile",
    "declined": "the customer's bank declined it",
    "expired_or_canceled_card": "the card has expired or was cancelled",
    "insufficient_funds": "the balance at Stripe was too low",
    "lost_or_stolen_card": "the card is lost or stolen",
    "merchant_request": "somebody of us asked for that",
}


class Notes(Protocol):
    """The part of a help desk that is needed here; under one key each happens once."""

    def reopen(self, ticket: str, /, *, because: str, key: str) -> object: ...
    def note(self, ticket: str, text: str, /, *, key: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Reopening:
    """Hears of refunds and writes it to their tickets.

    Attributes:
        tell: Is told of what failed and has no ticket, so that somebody sees it.
    """

    helpdesk: Notes
    tell: Callable[[str], None]

    def __call__(self, event: RefundEvent) -> None:
        """Deal with one message.

        Stripe sends several messages about one failure, so what is done is known by what became of
        the refund, not by the message.
        """
        refund = event.refund
        key = f"{refund.id}-{refund.status}{event.why and '-'}{event.why}"
        what = f"{refund.money} of {refund.charge} ({refund.id})"
        try:
            match refund.status:
                case "failed" | "canceled":
                    self._came_back(event, what, key)
                case "succeeded" if refund.ticket and event.kind != "refund.created":
                    self.helpdesk.note(
                        refund.ticket, f"Stripe says that the refund of {what} arrived.", key=key
                    )
                case "requires_action" if refund.ticket:
                    text = f"The refund of {what} waits until the customer does something."
                    self.helpdesk.note(refund.ticket, text, key=key)
                case _:
                    pass
        except NoSuchTicket:
            self.tell(f"The refund of {what} is {refund.status}, and {refund.ticket} is no ticket.")

    def _came_back(self, event: RefundEvent, what: str, key: str) -> None:
        because = WHY.get(event.why) or (event.why or "Stripe does not say why").replace("_", " ")
        sentence = f"The refund of {what} did not reach the customer: {because}."
        if event.refund.ticket:
            self.helpdesk.reopen(event.refund.ticket, because=sentence, key=key)
        else:
            self.tell(f"{sentence} It was made elsewhere, and belongs to no ticket.")
