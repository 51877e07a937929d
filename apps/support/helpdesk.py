"""The help desk: mails in a Maildir are tickets, and each of them is answered once.

Everything that changes something takes a `key`. Under the same key it is done once, however often
it is asked for, by whichever process, also when one was killed at any instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from .errors import MailError, NoSuchTicket
from .mail.cabinet import Cabinet
from .mail.charsets import one_line
from .mail.folders import Place
from .mail.journal import Deed, Kind, digest_of
from .mail.outbox import Send, flush
from .mail.threads import Thread
from .mail.writing import answerable, checked, reply_id, written
from .model import Message, Ticket

MOST_REPLIES = 20  # to one ticket within a day; more is two machines that answer each other
LONGEST_NOTE = 1_000  # characters
LARGEST_MAIL = 64 << 20  # bytes


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class Helpdesk:
    """The tickets of one Maildir; several processes and threads may use it at once.

    Args:
        folder: The Maildir; it is made when it is missing.
        address: Who we are.
        name: How we sign.
        send: Hands a mail to a server; without it replies stay in the outbox.
        now: The time, UTC.
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: str,
        name: str,
        send: Send | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._address = address.lower()
        self._name = name
        self._send = send
        self._now = now
        self._cabinet = Cabinet(folder, self._address, now)

    def tickets(self) -> tuple[Ticket, ...]:
        """Return all tickets, the oldest first."""
        with self._cabinet.held("reading the tickets"):
            return tuple(sorted(self._cabinet.tickets(), key=_begun_at))

    def of(self, customer: str) -> tuple[Ticket, ...]:
        """Return the tickets of one customer, the oldest first."""
        address = customer.strip().lower()
        return tuple(ticket for ticket in self.tickets() if ticket.customer == address)

    def ticket(self, id: str) -> Ticket:  # noqa: A002 - a ticket's id is called so everywhere
        """Return one ticket.

        Raises:
            NoSuchTicket: There is none of that id.
        """
        with self._found(id, "reading a ticket") as (_, ticket):
            return ticket

    def deliver(self, raw: bytes) -> str:
        """Take in a mail that has come; return the id of its ticket.

        Raises:
            MailError: It is larger than any mail should be, or the disk refuses; it is not here.
        """
        if len(raw) > LARGEST_MAIL:
            raise MailError(
                f"The mail has {len(raw):,} bytes, and at most {LARGEST_MAIL:,} are taken;"
                " it was not stored."
            )
        with self._cabinet.held("taking in a mail"):
            name = self._cabinet.name()
            self._cabinet.add(Place.INBOX, name, raw)
            thread = self._cabinet.thread_of(name)
            assert thread is not None
            return thread.id

    def reply(
        self,
        ticket: str,
        text: str,
        *,
        key: str,
        quote: bool = False,
        seen: Collection[str] | None = None,
    ) -> str:
        """Answer a ticket; return the Message-ID of the answer, which waits in the outbox.

        Args:
            key: Under the same key the same answer is given once.
            quote: Whether the customer's last mail stands below the text.
            seen: The Message-IDs of what was read; the ticket stays open when the customer has
                written something else meanwhile.

        Raises:
            MailError: It cannot be sent, or the key was used for something else.
            NoSuchTicket: There is none of that id.
        """
        text = checked(text)
        digest = digest_of("reply", ticket, text, str(quote))
        message_id = reply_id(_checked_key(key), self._address)
        with self._found(ticket, "writing a reply") as (thread, found):
            if self._cabinet.find(key, digest) or self._cabinet.has_written(message_id):
                return message_id
            answerable(found, self._address)
            self._stop_loops(thread)
            deed = self._deed("reply", thread, key=key, digest=digest, to=Place.ANSWERED, seen=seen)
            raw = written(
                found,
                text,
                message_id=message_id,
                address=self._address,
                name=self._name,
                at=self._now(),
                quote=quote,
            )
            self._cabinet.maildir.stage(Place.OUTBOX, deed.file, raw)
            self._cabinet.do(deed)
        return message_id

    def has_answered(self, ticket: str, *, key: str) -> bool:
        """Whether the reply of that key lies with its ticket."""
        message_id = reply_id(_checked_key(key), self._address)
        return any(message.id == message_id for message in self.ticket(ticket).messages)

    def close(self, ticket: str, *, key: str) -> None:
        """Close a ticket; whatever the customer writes next opens it again."""
        self._do("close", ticket, "", key=key, to=Place.CLOSED)

    def reopen(self, ticket: str, *, because: str, key: str) -> None:
        """Open a ticket again, and note why."""
        self._do("reopen", ticket, because, key=key, to=Place.REOPENED)

    def note(self, ticket: str, text: str, *, key: str) -> None:
        """Note something on a ticket that no mail says."""
        self._do("note", ticket, text, key=key, to=None)

    def flush(self) -> int:
        """Send what waits in the outbox; return how many replies a server has taken.

        What it refuses stands in the ticket's notes. Without a server nothing is sent.
        """
        return flush(self._cabinet, self._send) if self._send is not None else 0

    def waiting(self) -> int:
        """Return how many replies wait in the outbox."""
        with self._cabinet.held("looking into the outbox"):
            return sum(spot.place is Place.OUTBOX for spot in self._cabinet.spots.values())

    def _do(self, kind: Kind, ticket: str, note: str, *, key: str, to: Place | None) -> None:
        note = one_line(note, LONGEST_NOTE)
        if not note and kind in {"reopen", "note"}:
            raise MailError("A note says something; this one is empty, and nothing was done.")
        digest = digest_of(kind, ticket, note)
        with self._found(ticket, f"writing down a {kind}") as (thread, _):
            if self._cabinet.find(_checked_key(key), digest) is None:
                self._cabinet.do(self._deed(kind, thread, key=key, digest=digest, to=to, note=note))

    def _deed(
        self,
        kind: Kind,
        thread: Thread,
        *,
        key: str,
        digest: str,
        to: Place | None,
        note: str = "",
        seen: Collection[str] | None = None,
    ) -> Deed:
        mails = [name for name in thread.mails if seen is None or _is_seen(thread, name, seen)]
        return Deed(
            key=key,
            kind=kind,
            ticket=thread.id,
            at=self._now().isoformat(),
            digest=digest,
            note=note,
            file=self._cabinet.name() if kind == "reply" else "",
            moves=tuple(mails) if to is not None else (),
            to=to,
        )

    def _stop_loops(self, thread: Thread) -> None:
        """Refuse to go on for ever.

        Raises:
            MailError: The ticket was answered so often today that it must be machines who talk.
        """
        if self._cabinet.done_today(thread, "reply") >= MOST_REPLIES:
            raise MailError(
                f"{thread.id} was answered {MOST_REPLIES} times within a day, as if two machines"
                " were answering each other; nothing was sent: a person should look."
            )

    @contextmanager
    def _found(self, ticket: str, doing: str) -> Generator[tuple[Thread, Ticket]]:
        with self._cabinet.held(doing):
            thread = self._cabinet.thread(ticket)
            found = self._cabinet.ticket(thread) if thread else None
            if thread is None or found is None:
                shown = ascii(ticket[:40])
                raise NoSuchTicket(f"There is no ticket {shown}; tickets are called t-0123456789.")
            yield thread, found


def _is_seen(thread: Thread, name: str, seen: Collection[str]) -> bool:
    """Tell whether a mail, or what it is a copy of, was read."""
    message: Message | None = thread.messages.get(name)
    return message is None or message.id in seen


def _checked_key(key: str) -> str:
    if not key or len(key) > 500:
        raise MailError("A key has between 1 and 500 characters; nothing was done.")
    return key


def _begun_at(ticket: Ticket) -> datetime:
    return ticket.messages[0].at
