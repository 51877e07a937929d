"""Which mails belong to one ticket: those that answer each other, of one customer and of us.

A mail joins a ticket only when its sender is the ticket's customer, or says it is us; whoever else
quotes a Message-ID of ours gets a ticket of their own. Tickets are never merged, so an id once
given stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..model import Message
from .reading import Letter

FORGED = "It says that it comes from us, but it was not written here."
TWICE = "Another mail carries the same Message-ID."


@dataclass(slots=True)
class Thread:
    """The mails of one ticket.

    Attributes:
        mails: Names of the files that customers sent, in the order in which they arrived.
        quiet: Those among them that need no answer: a second copy, or sent by a machine.
        messages: What is read of each mail, by the name of its file; ours too, but no copies.
        copies: Names of further copies, by that of the first.
    """

    id: str
    customer: str
    subject: str
    mails: list[str] = field(default_factory=list[str])
    quiet: set[str] = field(default_factory=set[str])
    messages: dict[str, Message] = field(default_factory=dict[str, Message])
    copies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


class Threads:
    """All tickets of a Maildir, in the order in which their first mails arrived."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.tickets: dict[str, Thread] = {}
        self.thread_of: dict[str, Thread] = {}  # by the name of a mail's file
        self._alias: dict[str, str] = {}  # what any mail's id would make, to the ticket it is in
        self._owner: dict[str, str] = {}  # Message-ID to ticket
        self._sent: dict[str, str] = {}  # Message-ID of ours to what its X-Ticket says
        self._written: set[tuple[str, str]] = set()  # Message-ID and digest of ours
        self._missing: dict[tuple[str, str], str] = {}  # customer and Message-ID to ticket
        self._first: dict[tuple[str, str], str] = {}  # Message-ID and digest to the file's name
        self._waiting: dict[str, Letter] = {}  # ours, whose ticket is not there yet

    def add(self, letters: dict[str, Letter]) -> None:
        """Put mails into their tickets; they come in the order in which they arrived."""
        for name, letter in letters.items():
            if letter.message.ours:
                self._waiting[name] = letter
                self._sent.setdefault(letter.message.id, letter.ticket)
                self._written.add((letter.message.id, letter.digest))
        for name, letter in letters.items():
            if not letter.message.ours:
                self._add(name, letter)
        for name in [*self._waiting]:
            self._add_ours(name, self._waiting[name])

    def find(self, ticket: str) -> Thread | None:
        """Return a ticket by its id, or by what the id of any mail in it would make."""
        return self.tickets.get(ticket) or self.tickets.get(self._alias.get(ticket, ""))

    def has_written(self, message_id: str) -> bool:
        """Tell whether one of our own mails has this Message-ID."""
        return message_id in self._sent

    def _add(self, name: str, letter: Letter) -> None:
        message = letter.message
        if (message.id, letter.digest) in self._written:
            thread = self.find(self._sent[message.id])
            if thread is not None:
                return self._put_aside(name, thread)  # our own reply has come back
        first = self._first.setdefault((message.id, letter.digest), name)
        if first != name:
            self.thread_of[first].copies.setdefault(first, []).append(name)
            return self._put_aside(name, self.thread_of[first])
        if message.id in self._owner or message.id in self._sent:
            message = replace(message, id=f"<{letter.digest}@same-message-id>")
            message = replace(message, problems=(*message.problems, TWICE))
        if message.sender == self._address:
            message = replace(message, problems=(*message.problems, FORGED))
        thread = self._home(letter) or self._opened(message)
        self._owner[message.id] = thread.id
        self._alias.setdefault(ticket_id(message.id), thread.id)
        self.thread_of[name] = thread
        thread.mails.append(name)
        thread.messages[name] = message
        if letter.is_automatic:
            thread.quiet.add(name)
        for one in letter.references:
            self._missing.setdefault((thread.customer, one), thread.id)
        return None

    def _put_aside(self, name: str, thread: Thread) -> None:
        """Keep a mail that says nothing new with its ticket."""
        self.thread_of[name] = thread
        thread.mails.append(name)
        thread.quiet.add(name)

    def _home(self, letter: Letter) -> Thread | None:
        """Return the ticket that a mail may join."""
        sender = letter.message.sender
        if not sender or not letter.is_certain:
            return None
        for thread in self._answered(letter):
            if sender in (thread.customer, self._address):
                return thread
        for one in (*letter.references, letter.message.id):
            if found := self._missing.get((sender, one)):
                return self.tickets[found]
        return None

    def _answered(self, letter: Letter) -> Iterator[Thread]:
        for one in letter.references:
            owner = self._owner.get(one) or self._sent.get(one)
            if owner and (thread := self.find(owner)):
                yield thread

    def _opened(self, message: Message) -> Thread:
        """Open a ticket; in the rare case that its id is taken, by its mail's next name."""
        name, number = message.id, 0
        while (id_ := ticket_id(name)) in self.tickets:
            number += 1
            name = f"{message.id} {number}"
        thread = Thread(id=id_, customer=message.sender, subject=message.subject)
        self.tickets[id_] = thread
        return thread

    def _add_ours(self, name: str, letter: Letter) -> None:
        thread = self.find(letter.ticket) or next(self._answered(letter), None)
        if thread is None:
            return
        del self._waiting[name]
        self._owner.setdefault(letter.message.id, thread.id)
        self.thread_of[name] = thread
        thread.messages[name] = letter.message


def ticket_id(message_id: str) -> str:
    """Return the id of a ticket that begins with this mail.

    >>> ticket_id("<1@shop.example>")
    't-d6b15562e3'
    """
    return f"t-{hashlib.sha256(message_id.encode('utf-8', 'replace')).hexdigest()[:10]}"
