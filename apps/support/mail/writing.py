"""Write a reply as a real mail, into which nobody can smuggle a header."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from ..errors import MailError
from ..model import Message, Ticket
from .charsets import one_line

LONGEST_TEXT = 50_000  # characters
LONGEST_SUBJECT = 200  # characters
MOST_REFERENCES = 20
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
PREFIX = re.compile(r"^\s*((re|aw|sv|antw)\s*(\[\d+\])?\s*:\s*)+", re.IGNORECASE)


def reply_id(key: str, address: str) -> str:
    """Return the Message-ID of the one reply that is made under a key."""
    digest = hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()[:40]
    return f"<reply.{digest}@{address.rpartition('@')[2]}>"


def checked(text: str) -> str:
    """Return the text of a reply as it will be sent.

    Raises:
        MailError: It is empty, too long, or holds what nobody would see.
    """
    text = text.replace("\r\n", "\n").rstrip() + "\n"
    if not text.strip():
        raise MailError("An empty reply is none; nothing was sent.")
    if len(text) > LONGEST_TEXT:
        raise MailError(
            f"A reply has at most {LONGEST_TEXT:,} characters, not {len(text):,}; nothing was sent."
        )
    if found := CONTROL.search(text):
        name = f"U+{ord(found[0]):04X}"
        raise MailError(f"The reply holds the control character {name}; nothing was sent.")
    return text


def answerable(ticket: Ticket, address: str) -> None:
    """Check that an answer would reach a person.

    Raises:
        MailError: There is no address, or it is ours, so that the mail would come back for ever.
    """
    customer = ticket.customer
    if not customer:
        raise MailError(f"{ticket.id} does not say who sent it, so it cannot be answered.")
    if customer == address:
        raise MailError(f"{ticket.id} comes from our own address; an answer would come back to us.")
    if not ADDRESS.fullmatch(customer):
        raise MailError(f"No mail can be sent to {ascii(customer)[1:-1]}; nothing was sent.")


def written(
    ticket: Ticket,
    text: str,
    *,
    message_id: str,
    address: str,
    name: str,
    at: datetime,
    quote: bool,
) -> bytes:
    """Return the reply to the newest mail of a ticket's customer, as it goes over the wire."""
    last = [message for message in ticket.messages if not message.ours][-1]
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = Address(display_name=one_line(name, 100), addr_spec=address)
    mail["To"] = Address(addr_spec=ticket.customer)
    subject = PREFIX.sub("", one_line(ticket.subject, LONGEST_SUBJECT))
    mail["Subject"] = f"Re: {subject}".strip()
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id
    mail["In-Reply-To"] = last.id
    mail["References"] = " ".join(_references(ticket))
    mail["X-Ticket"] = ticket.id
    mail["Auto-Submitted"] = "auto-replied"  # so that no other machine answers it
    mail.set_content(text + (quoted(last) if quote else ""), charset="utf-8", cte="base64")
    return mail.as_bytes()


def quoted(message: Message) -> str:
    """Return a mail as it is quoted below an answer."""
    lines = "\n".join(f"> {line}".rstrip() for line in message.text[:LONGEST_TEXT].splitlines())
    who = one_line(message.name, 100) or message.sender
    return f"\n{who} wrote on {message.at:%Y-%m-%d}:\n{lines}\n"


def _references(ticket: Ticket) -> list[str]:
    ids = [message.id for message in ticket.messages]
    return ids[:1] + ids[1:][-MOST_REFERENCES:]
