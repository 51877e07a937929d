"""A piece of agent work with a name: done again after a crash, it finds what it asked before.

>>> with run("ticket-17") as work:
...     work.name
'ticket-17'
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count

from .model import ActionChanged, Rejected, State, Store, StoredRequest, StoreError


@dataclass(slots=True, kw_only=True)
class _History:
    """The calls of one tool in one run.

    Attributes:
        unclaimed: What an earlier attempt has asked and this one has not yet, by number.
        taken: The numbers in use. One may be missing: that call was never written down.
        objects: What the tool is called on in this attempt, where that has no value to know it by.
    """

    unclaimed: dict[int, StoredRequest] = field(default_factory=dict[int, StoredRequest])
    taken: set[int] = field(default_factory=set[int])
    objects: list[object] | None = None

    def next(self) -> int:
        """Return the first number that is free."""
        return next(number for number in count(1) if number not in self.taken)


@dataclass(slots=True, kw_only=True)
class Run:
    """The work in hand, and what it has asked so far.

    Attributes:
        acting_for: The person the agent works for in this run; never votes on it.
        notices: What people changed in calls whose result could not say so itself.
    """

    name: str
    acting_for: str = ""
    notices: list[str] = field(default_factory=list[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _histories: dict[tuple[int, str], dict[str, _History]] = field(
        default_factory=dict[tuple[int, str], dict[str, _History]]
    )
    _places: dict[tuple[int, str, str], StoredRequest] = field(
        default_factory=dict[tuple[int, str, str], StoredRequest]
    )
    _batches: list[object] = field(default_factory=list[object])

    def ordinal(self, batch: object) -> int:
        """Return which batch of this run it is, from 1, in the order in which they began."""
        with self._lock:
            if not any(one is batch for one in self._batches):
                self._batches.append(batch)
            return 1 + next(n for n, one in enumerate(self._batches) if one is batch)

    def placed(self, store: Store, requester: str, key: str) -> StoredRequest | None:
        """Return what an earlier attempt has asked at a place in a batch."""
        with self._lock:
            self._of(store, requester)
            return self._places.get((id(store), requester, key))

    def replaced(self, store: Store, stored: StoredRequest) -> None:
        """Keep in mind that what was asked at a place in a batch was withdrawn."""
        request = stored.request
        with self._lock:
            self._places[id(store), request.requester, request.key] = stored

    def key(
        self, store: Store, requester: str, action: str, origin: str, objects: list[object]
    ) -> tuple[str, StoredRequest | None]:
        """Return the key of the next call, and what became of it if it was made before.

        Args:
            objects: What it is called on, where no value tells one from another.

        Raises:
            ActionChanged: At this point the run had asked for something else of this tool.
            Rejected: It was called on another object before.
        """
        with self._lock:
            history = self._of(store, requester).setdefault(action, _History())
            if history.objects is None:
                history.objects = objects
            if [*map(id, objects)] != [*map(id, history.objects)]:
                raise Rejected(self._mixes(action, objects))
            for number, stored in history.unclaimed.items():
                if stored.request.origin == origin:
                    return stored.request.key, history.unclaimed.pop(number)
            free = history.next()
            if skipped := [n for n in history.unclaimed if n < free]:
                unclaimed = history.unclaimed[min(skipped)]
                raise ActionChanged(self.differs(unclaimed.request.name, unclaimed))
            history.taken.add(free)
            return f"{action}#{free}", None

    def _of(self, store: Store, requester: str) -> dict[str, _History]:
        place = (id(store), requester)
        if place not in self._histories:
            found = self._histories[place] = dict[str, _History]()
            for stored in store.of_run(requester, self.name):
                if stored.request.batch is not None:
                    self._places[*place, stored.request.key] = stored
                    continue
                history = found.setdefault(stored.request.action, _History())
                number = int(stored.request.key.rpartition("#")[2])
                history.unclaimed[number] = stored
                history.taken.add(number)
        return self._histories[place]

    def _mixes(self, action: str, objects: list[object]) -> str:
        name, kinds = action.rpartition(".")[2], ", ".join(type(one).__name__ for one in objects)
        return (
            f"{name} was not run: run {self.name!r} has called it on another {kinds or 'object'}"
            " before, and done again it could not tell one from the other. Gate a function for"
            " each of them, or make them values, such as frozen dataclasses"
        )

    def differs(self, name: str, earlier: StoredRequest) -> str:
        """Say that `earlier` is not what is asked now."""
        request = earlier.request
        return (
            f"{name} was not run: run {self.name!r} was recorded with another call here"
            f" (request {request.id[:8]}, {earlier.state.value.lower()}). Repeat that call, or"
            " start a run of another name"
        )


current: ContextVar[Run | None] = ContextVar("current run", default=None)


@contextmanager
def run(name: str, *, acting_for: str = "") -> Generator[Run]:
    """Give the calls inside the block a name under which they are found again.

    Running the same work once more, in this process or a later one, re-attaches: what waits waits
    on, what was approved starts, what has ended returns its recorded result.

    The name belongs to the context: tasks and `asyncio.to_thread` inherit it, but a thread that is
    started plainly, or by a pool, does not, and its calls are in no run.

    Args:
        name: Of the work, not of the attempt: `"ticket-17"`.
        acting_for: The person the agent works for; that person never votes on these calls.
    """
    if not name:
        raise ValueError("a run needs a name, such as the ticket it works on")
    work = Run(name=name, acting_for=acting_for)
    token = current.set(work)
    try:
        yield work
    finally:
        current.reset(token)


def withdraw(store: Store, name: str, *, requester: str = "agent") -> None:
    """Take back what a run has asked and not begun, when nobody comes back to that run.

    Otherwise somebody could still say yes, and nothing would come of it.
    """
    for stored in store.of_run(requester, name):
        if stored.state in {State.PENDING, State.APPROVED}:
            with suppress(StoreError):  # decided, or expired, this very moment
                because = "whoever asked has stopped waiting"
                store.cancel(stored.request.id, by=requester, because=because)
