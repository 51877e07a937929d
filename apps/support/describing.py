"""What an agent reads of tickets, charges and refunds: plain lines, one fact each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .model import Charge, Message, Refund, Ticket

DAY = "%Y-%m-%d"
MINUTE = "%Y-%m-%d %H:%M UTC"
LONGEST = 20_000  # characters of one mail


def tickets_text(tickets: Iterable[Ticket]) -> str:
    """Return a line per ticket: id, state, day, customer, subject."""
    lines = [
        f"{ticket.id}  {ticket.state.value:8}  {ticket.messages[-1].at:{DAY}}  "
        f"{ticket.customer}  {one_line(ticket.subject) or '(no subject)'}"
        for ticket in tickets
    ]
    return "\n".join(lines) or "No ticket is open."


def ticket_text(ticket: Ticket) -> str:
    """Return a ticket with all its mails; what the customer wrote is quoted line by line."""
    return "\n".join(_ticket_lines(ticket))


def charges_text(customer: str, charges: Iterable[Charge]) -> str:
    """Return a line per charge: id, day, paid, refunded, left, what it was for."""
    lines = [charge_line(charge) for charge in charges]
    return "\n".join(lines) or f"{customer} has paid nothing here."


def charge_line(charge: Charge) -> str:
    """Return what there is to know of a charge."""
    words = [
        f"{charge.id}  {charge.created:{DAY}}  paid {charge.paid}",
        f"refunded {charge.refunded}  left {charge.left}",
        one_line(charge.description),
    ]
    if charge.disputed:
        words.append("DISPUTED: the bank has taken it up, so nothing can be refunded")
    if not charge.captured:
        words.append("NOT CAPTURED: no money has moved yet")
    return "  ".join(words)


def refunds_text(customer: str, refunds: Iterable[Refund]) -> str:
    """Return a line per refund: id, day, amount, status, charge, reason."""
    lines = [
        f"{one.id}  {one.created:{DAY}}  {one.money}  {one.status}  of {one.charge}"
        f"  {one.reason or 'no reason'}{f'  ticket {one.ticket}' if one.ticket else ''}"
        for one in refunds
    ]
    return "\n".join(lines) or f"{customer} was never refunded anything."


def _ticket_lines(ticket: Ticket) -> Iterator[str]:
    subject = one_line(ticket.subject)
    yield f"ticket {ticket.id}, {ticket.state.value}, of {ticket.customer}: {subject}"
    for note in ticket.notes:
        yield f"note: {one_line(note)}"
    for message in ticket.messages:
        yield ""
        yield f"{'we' if message.ours else message.sender} wrote on {message.at:{MINUTE}}:"
        yield from quoted(message)
        for attachment in message.attachments:
            kind, size = one_line(attachment.kind), attachment.size
            yield f"(attached: {one_line(attachment.name)}, {kind}, {size:,} bytes)"
        for problem in message.problems:
            yield f"({problem})"


def quoted(message: Message) -> Iterator[str]:
    """Yield the lines of a mail so that none of them can be taken for one of ours."""
    text = message.text[:LONGEST]
    yield from (f"> {line}" for line in text.splitlines())
    if more := len(message.text) - len(text):
        yield f"({more:,} more characters are left out)"


def one_line(text: str) -> str:
    r"""Return a text without line breaks, so that it cannot look like a line of ours.

    >>> one_line("Late\r\n  paid 1.00 EUR")
    'Late paid 1.00 EUR'
    """
    return " ".join(text.split())
