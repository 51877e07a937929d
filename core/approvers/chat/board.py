"""Keep messages true: a thread that writes what waits into a chat, and what became of it.

A wish for a message is written into a file before it is sent, and so is the message's id after it.
Whatever is killed in between, each request is announced at least once; and after a try of which
nobody knows the end, the chat is asked before it is told again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable

from ...model import ApprovalRequest, Decision, State, Store, StoreError
from ..inbox import Inbox
from ..patience import Patience
from .card import Card, card
from .channel import Channel, Later, Refused
from .notes import Note, Notes

SECONDS_AT_LEAST = 0.2
SECONDS_TO_END = 5.0
MINUTES_BACK = 5.0
"""How much earlier than our own clock says a message may have been written."""
REMINDER = "This still waits for somebody to decide."
OPEN = frozenset({State.PENDING, State.APPROVED, State.EXECUTING, State.OUTCOME_UNKNOWN})


class Board:
    """The messages of one chat.

    Args:
        dashboard: Where the dashboard is; messages link to it.
        say: Told when the chat cannot be reached or refuses a message.
        looks: Seconds until it looks by itself, should the store wake nobody.
    """

    def __init__(
        self,
        store: Store,
        channel: Channel,
        notes: Notes,
        *,
        dashboard: str = "",
        say: Callable[[str], object] = print,
        looks: float = 1.0,
        patience: Patience = Patience(),
    ) -> None:
        self._store, self._channel, self._notes = store, channel, notes
        self._dashboard, self._say, self._looks, self._patience = dashboard, say, looks, patience
        self._refused: dict[tuple[str, str], str] = {}
        self._waiting: defaultdict[tuple[str, str], list[Callable[[], object]]] = defaultdict(list)
        self._news, self._over, self._failures = threading.Event(), threading.Event(), 0
        self._thread = threading.Thread(target=self._run, daemon=True, name="chat")

    async def ask(self, request: ApprovalRequest, place: str) -> Decision:
        """Show a request in the chat and return what people decide, here or in another window.

        Raises:
            RuntimeError: The chat will never show it, so nobody can answer there.
        """
        answered = asyncio.create_task(Inbox(self._store)(request))
        refused = asyncio.create_task(self._refusal(request.id, place))
        try:
            self.show(request.id, place)
            await asyncio.wait({answered, refused}, return_when=asyncio.FIRST_COMPLETED)
            if answered.done():
                return answered.result()
            raise RuntimeError(refused.result())
        finally:
            for task in (answered, refused):
                task.cancel()
            await asyncio.gather(answered, refused, return_exceptions=True)

    async def _refusal(self, request_id: str, place: str) -> str:
        """Wait until the chat refuses the message, which may be never, and return why."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(heard.set)

        self._waiting[request_id, place].append(wake)
        try:
            while (request_id, place) not in self._refused:
                await heard.wait()
            return self._refused[request_id, place]
        finally:
            self._waiting[request_id, place].remove(wake)

    def show(self, request_id: str, place: str) -> None:
        """See to it that there is a message in that place, and that it stays true.

        Raises:
            OSError: That cannot be written down.
        """
        self._notes.want(request_id, place)
        self._news.set()

    def adopt(self, request_id: str, place: str, message: str) -> None:
        """Bring a message up to date that somebody has just used, known or not.

        Raises:
            OSError: That cannot be written down.
        """
        self._notes.adopt(request_id, place, message)
        self._news.set()

    def remind(self, request_id: str, place: str, text: str = REMINDER) -> None:
        """See to it that `text` is written under the message, once, while the request waits.

        Those whose votes are missing by then are called, where the panel names people.

        Raises:
            OSError: That cannot be written down.
        """
        self._notes.remind(request_id, place, text)
        self._news.set()

    def start(self) -> None:
        """Begin to write messages, those that an earlier process has left among them."""
        self._thread.start()

    def close(self) -> None:
        """End soon, after a last look; what is left is for the next start."""
        self._over.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(SECONDS_TO_END)
        self._notes.close()

    def look(self) -> float:
        """Bring all messages up to date; return the seconds until the next look."""
        try:
            if self._notes.take():
                self._all_brought_up_to_date()
        except Later as later:
            self._failures += 1
            self._told(str(later))
            return later.seconds or self._patience.wait(self._failures)
        except (StoreError, OSError) as problem:
            self._failures += 1
            self._told(str(problem))
            return self._patience.wait(self._failures)
        self._failures = 0
        return self._looks

    def _run(self) -> None:
        with self._store.watch("", self._news.set):
            while not self._over.is_set():
                self._news.clear()
                nap = self.look()
                if self._failures:
                    self._over.wait(nap)
                else:
                    self._over.wait(SECONDS_AT_LEAST)
                    self._news.wait(nap)
            self.look()
        self._channel.close()

    def _told(self, problem: str) -> None:
        """Say it at the first failure, and whenever their number has doubled."""
        if self._failures & (self._failures - 1) == 0:
            self._say(f"{problem}; it is tried again")

    def _all_brought_up_to_date(self) -> None:
        """One request that the store cannot tell anything about does not stand in others' way."""
        problem: StoreError | None = None
        for note in self._notes.open():
            try:
                self._brought_up_to_date(note)
            except StoreError as error:
                problem = error
        if problem is not None:
            raise problem

    def _brought_up_to_date(self, note: Note) -> None:
        if (note.request, note.place) in self._refused:
            return
        stored = self._store.get(note.request)
        shown = card(stored, dashboard=self._dashboard)
        try:
            if not note.message:
                self._first(note, shown)
                return  # the next look goes on with the message that is there now
            self._kept(note, shown)
        except Refused as refused:
            self._gives_up(note, str(refused))
            return
        if stored.state not in OPEN:
            self._notes.close_note(note)

    def _first(self, note: Note, shown: Card) -> None:
        """Write the message, unless the chat has it already, or nobody is asked any more."""
        since = note.tried - MINUTES_BACK * 60
        found = self._channel.find(note.place, note.request, since) if note.tried else ""
        if found:
            self._notes.posted(note, found, "")
        elif not shown.waits:
            self._notes.close_note(note)
        else:
            self._notes.posted(note, self._posted(note, shown), shown.fingerprint)
        self._news.set()

    def _posted(self, note: Note, shown: Card) -> str:
        self._notes.trying(note, begun=True)
        try:
            return self._channel.post(note.place, shown)
        except Later as later:
            if not later.unknown:
                self._notes.trying(note, begun=False)
            raise
        except Refused:
            self._notes.trying(note, begun=False)
            raise

    def _kept(self, note: Note, shown: Card) -> None:
        if note.shown != shown.fingerprint:
            self._channel.update(note.place, note.message, shown)
            self._notes.shows(note, shown.fingerprint)
        if shown.outcome and note.told != shown.outcome:
            self._channel.reply(note.place, note.message, f"{shown.standing}\n{shown.outcome}")
            self._notes.tell(note, shown.outcome)
        if shown.waits and (text := self._notes.reminder(note)):
            self._channel.reply(note.place, note.message, text, people=shown.absent)
            self._notes.reminded(note)

    def _gives_up(self, note: Note, why: str) -> None:
        """Leave a message that the chat refuses, until the next start."""
        key = (note.request, note.place)
        self._refused[key] = f"request {note.request[:8]} cannot be shown in {note.place}: {why}"
        self._say(self._refused[key])
        for wake in [*self._waiting[key]]:
            wake()
