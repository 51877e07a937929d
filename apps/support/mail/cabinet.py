"""Everything that a help desk has on disk, looked at and changed by one process at a time.

Beside the folders of the Maildir lies `desk`: the journal, an index that can be thrown away, and
two locks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ..model import Ticket, TicketState
from .durable import locked, reaching
from .folders import Maildir, Place, Spot, new_name, order
from .index import Index
from .journal import Deed, Journal
from .threads import Thread, Threads

DONE = {Place.ANSWERED: TicketState.ANSWERED, Place.CLOSED: TicketState.CLOSED}
SENDING_PATIENCE = 600.0  # seconds: as long as a slow server may take over what another sends


class Cabinet:
    """Mails, threads and deeds; use it inside `with cabinet.held():`."""

    def __init__(self, folder: Path, address: str, now: Callable[[], datetime]) -> None:
        self.now = now
        self.maildir = Maildir(folder)
        self.spots: dict[str, Spot] = {}
        self._own = folder / "desk"
        self._index = Index(self._own / "index.jsonl")
        self._journal = Journal(self._own / "journal.jsonl")
        self._threads = Threads(address)
        with reaching(folder, "making the folders"):
            self.maildir.make()
            self._own.mkdir(exist_ok=True, mode=0o700)
        with self.held("finishing what was begun"):
            self.maildir.forget_staged(Place.OUTBOX)

    @contextmanager
    def held(self, doing: str) -> Generator[None]:
        """Hold everything, up to date and with nothing half done.

        Raises:
            MailError: The disk refuses, the journal is damaged, or somebody holds it for too long.
        """
        with reaching(self.maildir.folder, doing), locked(self._own / "lock"):
            self._journal.follow()
            self.spots = self.maildir.scan()
            for deed in [*self._journal.unfinished.values()]:
                if deed.kind != "sending":  # whoever sends may be alive, and knows how it went
                    self._finish(deed)
            self.look()
            yield

    @contextmanager
    def sending(self) -> Generator[None]:
        """Be the only one that sends."""
        folder = self.maildir.folder
        with reaching(folder, "sending"), locked(self._own / "sending", patience=SENDING_PATIENCE):
            yield

    def look(self) -> None:
        """Learn of new mails, and move those that open a ticket again."""
        names = self._index.follow(self.spots)
        letters = self._index.letters
        self._threads.add({name: letters[name] for name in names})
        inbox = (name for name, spot in self.spots.items() if spot.place is Place.INBOX)
        threads = {id(one): one for name in inbox if (one := self._threads.thread_of.get(name))}
        for thread in threads.values():
            self._settle(thread)

    def thread(self, ticket: str) -> Thread | None:
        """Return the mails of a ticket."""
        return self._threads.find(ticket)

    def thread_of(self, name: str) -> Thread | None:
        """Return the ticket that a mail is in, by the name of its file."""
        return self._threads.thread_of.get(name)

    def tickets(self) -> Iterable[Ticket]:
        """Yield every ticket that has a mail on disk."""
        for thread in self._threads.tickets.values():
            if (found := self.ticket(thread)) is not None:
                yield found

    def ticket(self, thread: Thread) -> Ticket | None:
        """Return a ticket as it stands; `None` when its mails were taken away."""
        if not any(name in self.spots for name in thread.mails):
            return None
        there = [name for name in thread.messages if self._is_there(thread, name)]
        there.sort(key=lambda name: (thread.messages[name].at, order(name)))
        return Ticket(
            id=thread.id,
            customer=thread.customer,
            subject=thread.subject,
            state=self.state(thread),
            messages=tuple(thread.messages[name] for name in there),
            notes=self._notes(thread),
        )

    def state(self, thread: Thread) -> TicketState:
        """Return where a ticket stands: what is open counts more than what is done."""
        places = {self.spots[name].place for name in thread.mails if name in self.spots}
        if places == {Place.INBOX}:
            return TicketState.NEW
        if places & {Place.INBOX, Place.REOPENED}:
            return TicketState.REOPENED
        return DONE[Place.ANSWERED if Place.ANSWERED in places else Place.CLOSED]

    def find(self, key: str, digest: str) -> Deed | None:
        """Return what was done under a key; see `Journal.find`."""
        return self._journal.find(key, digest)

    def has_written(self, message_id: str) -> bool:
        """Tell whether a reply of this Message-ID lies in a folder."""
        return self._threads.has_written(message_id)

    def done_today(self, thread: Thread, kind: str) -> int:
        """Return how often something was done to a ticket since this time yesterday."""
        now = self.now()
        times = [
            datetime.fromisoformat(deed.at)
            for deed in self._journal.deeds.values()
            if deed.kind == kind and self.thread(deed.ticket) is thread
        ]
        return sum((now - at).total_seconds() < 24 * 3600 for at in times)

    def do(self, deed: Deed) -> None:
        """Do something once, all of it; a process killed meanwhile leaves the rest to the next."""
        self.begin(deed)
        self._finish(deed)
        self.look()

    def begin(self, deed: Deed) -> None:
        """Write down what is about to be done."""
        self._journal.begin(deed)

    def end(self, deed: Deed) -> None:
        """Mark it as done."""
        self._journal.finish(deed.key)

    def unfinished(self, kind: str) -> list[Deed]:
        """Return what was begun and, as far as is written, not ended."""
        return [deed for deed in self._journal.unfinished.values() if deed.kind == kind]

    def count(self) -> int:
        """Return how many deeds there were."""
        return len(self._journal.deeds)

    def name(self) -> str:
        """Return a name for one more mail."""
        number = len(self.spots)
        while True:
            number += 1
            name = new_name(self.now(), number)
            if name not in self.spots and name not in self._index.letters:
                return name

    def add(self, place: Place, name: str, content: bytes) -> None:
        """Put a mail into a folder, and learn of it."""
        self.maildir.stage(place, name, content)
        self.maildir.release(place, name)
        self.spots = self.maildir.scan()
        self.look()

    def move(self, names: Iterable[str], to: Place) -> None:
        """Move mails, wherever they lie; those that are gone or there already stay."""
        moved = set[Place]()
        for name in names:
            spot = self.spots.get(name)
            if spot is not None and spot.place is not to:
                moved |= {spot.place, to}
                self._move(name, spot, to)
        self.maildir.sync(*moved)

    def _move(self, name: str, spot: Spot, to: Place) -> None:
        try:
            self.spots[name] = self.maildir.move(name, spot, to)
        except FileNotFoundError:  # a mail program has just renamed it
            self.spots = self.maildir.scan()
            if name in self.spots:
                self.spots[name] = self.maildir.move(name, self.spots[name], to)

    def _finish(self, deed: Deed) -> None:
        if deed.file and self.maildir.release(Place.OUTBOX, deed.file):
            self.spots = self.maildir.scan()
        if deed.to is not None:
            self.move(deed.moves, deed.to)
        self.end(deed)

    def _settle(self, thread: Thread) -> None:
        """Move what has come in for a ticket that was done to where the ticket now stands."""
        inbox = [n for n in thread.mails if n in self.spots and self.spots[n].place is Place.INBOX]
        others = {self.spots[n].place for n in thread.mails if n in self.spots} - {Place.INBOX}
        if not inbox or not others:
            return
        if Place.REOPENED in others or not thread.quiet.issuperset(inbox):
            self.move(thread.mails, Place.REOPENED)
        else:
            self.move(inbox, Place.ANSWERED if Place.ANSWERED in others else Place.CLOSED)

    def _is_there(self, thread: Thread, name: str) -> bool:
        return name in self.spots or any(n in self.spots for n in thread.copies.get(name, ()))

    def _notes(self, thread: Thread) -> tuple[str, ...]:
        return tuple(self._journal.notes.get(thread.id, {}).values())
