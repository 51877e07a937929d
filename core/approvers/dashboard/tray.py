"""What waits, in memory: ten thousand requests are sorted and sifted faster than one is read.

The audit trail tells what has changed since the last look, so only that is read again. What is
kept is enough for a line of a list; whoever decides looks at the stored request itself.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from ...model import (
    ApprovalRequest,
    AuditRecord,
    Place,
    Risk,
    State,
    Store,
    StoredRequest,
    same,
)
from .context import context
from .finding import brief

AT_ONCE = 500
STAYS = frozenset({"submitted", "voted", "edited", "edit proposed", "edit refused"})
"""Records after which a request may still wait; after every other one it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request that waits, as a list shows it.

    Attributes:
        brief: Its arguments in one line, safe to show.
        summary: What it would do, in the words of its preview, not yet safe to show.
        votes: How many people have approved so far.
        needs: How many have to.
        edited: Whether a proposed edit waits for the gate.
        batch: Its place in a batch.
    """

    id: str
    action: str
    risk: Risk
    environment: str
    requester: str
    acting_for: str
    brief: str
    summary: str
    votes: int
    needs: int
    edited: bool
    asked_at: datetime
    expires_at: datetime
    batch: Place | None = None

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.action.rpartition(".")[2]

    @property
    def app(self) -> str:
        """Where the function comes from: the first part of its action."""
        return self.action.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """Which requests somebody wants to see; what is empty lets everything through.

    Attributes:
        app: Beginning of the action, up to a dot: `"shop"` or `"shop.tools"`.
        action: The whole action, or its last parts.
        person: Who asks, or for whom.
    """

    app: str = ""
    action: str = ""
    risk: str = ""
    environment: str = ""
    person: str = ""

    def lets(self, entry: Entry) -> bool:
        """Whether an entry is wanted."""
        return (
            (not self.app or f"{entry.action}.".startswith(f"{self.app}."))
            and (not self.action or f".{entry.action}".endswith(f".{self.action}"))
            and (not self.risk or entry.risk.name == self.risk)
            and (not self.environment or entry.environment == self.environment)
            and (not self.person or self._names(entry))
        )

    def _names(self, entry: Entry) -> bool:
        who = same(self.person)
        return who in same(entry.requester) or who in same(entry.acting_for)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """A page of what waits.

    Attributes:
        fits: How many fit, on all pages.
        waits: How many wait altogether.
        choices: For each filter that is a list: what there is among all that waits, and how often.
    """

    entries: Sequence[Entry]
    fits: int
    waits: int
    choices: dict[str, list[tuple[str, int]]]


class Tray:
    """All pending requests of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: dict[str, Entry] = {}
        self._seq = -1
        self._lock = threading.Lock()

    def refresh(self) -> list[AuditRecord]:
        """Catch up with the store and return what has been written there since the last look."""
        with self._lock:
            if self._seq < 0:
                self._fill()
                return []
            return self._catch_up()

    def sift(self, sieve: Sieve, now: datetime, *, urgent: bool, start: int, count: int) -> Sifted:
        """Return what fits, newest or most urgent first, from the `start`-th on."""
        self.refresh()
        waiting = self.waiting(now)
        fitting = [entry for entry in waiting if sieve.lets(entry)]
        fitting.sort(key=_urgency) if urgent else fitting.reverse()
        return Sifted(
            entries=fitting[start : start + count],
            fits=len(fitting),
            waits=len(waiting),
            choices=_choices(waiting),
        )

    def waiting(self, now: datetime) -> list[Entry]:
        """Return all that waited at the last look and has not expired since, oldest first."""
        with self._lock:
            return [entry for entry in self._entries.values() if entry.expires_at > now]

    def _fill(self) -> None:
        # The trail first: what is written meanwhile is then read twice, and nothing is missed.
        seq, after = last_seq(self._store), ""
        while rows := self._store.pending(after=after, limit=AT_ONCE):
            for stored in rows:
                self._entries[stored.request.id] = entry(stored)
            after = rows[-1].request.id
        self._seq = seq

    def _catch_up(self) -> list[AuditRecord]:
        news = [*self._store.trail(after=self._seq)]
        last = {record.request_id: record for record in news if record.request_id}
        for request_id, record in last.items():
            self._look_again(request_id, may_wait=record.event in STAYS)
        if news:
            self._seq = news[-1].seq
        return news

    def _look_again(self, request_id: str, *, may_wait: bool) -> None:
        stored = self._store.get(request_id) if may_wait else None
        if stored is None or stored.state is not State.PENDING:
            self._entries.pop(request_id, None)
        else:
            self._entries[request_id] = entry(stored)


def tray(request: Request) -> Tray:
    """Return the tray of the dashboard that a request came to."""
    state = request.app.state
    if not hasattr(state, "tray"):
        state.tray = Tray(context(request).store)
    found: Tray = state.tray
    return found


def last_seq(store: Store) -> int:
    """Return the number of the last record, without reading the trail from its beginning."""

    def goes_beyond(seq: int) -> bool:
        return next(iter(store.trail(after=seq)), None) is not None

    if not goes_beyond(0):
        return 0
    below, above = 0, 1
    while goes_beyond(above):
        below, above = above, above * 2
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if goes_beyond(middle) else (below, middle)
    return above


def entry(stored: StoredRequest) -> Entry:
    """Return the line of a list for a request that waits."""
    request = stored.request
    return Entry(
        id=request.id,
        action=request.action,
        risk=request.risk,
        environment=request.environment,
        requester=request.requester,
        acting_for=request.acting_for,
        brief=brief(request),
        summary=_summary(request),
        votes=sum(vote.choice == "approve" for vote in stored.votes),
        needs=request.panel.votes,
        edited=stored.proposal is not None,
        asked_at=request.asked_at,
        expires_at=request.expires_at,
        batch=request.batch,
    )


def _summary(request: ApprovalRequest) -> str:
    if request.preview is None:
        return ""
    line = request.preview.summary.partition("\n")[0]
    return line if len(line) <= 160 else f"{line[:160]}…"


def _urgency(entry: Entry) -> tuple[datetime, int, datetime]:
    return entry.expires_at, -entry.risk, entry.asked_at


def _choices(entries: Iterable[Entry]) -> dict[str, list[tuple[str, int]]]:
    found = Counter((each.action, each.environment) for each in entries)
    apps, actions, environments = Counter[str](), Counter[str](), Counter[str]()
    for (action, environment), count in found.items():
        apps[action.partition(".")[0]] += count
        actions[action] += count
        environments[environment] += count
    named = {"app": apps, "action": actions, "environment": environments}
    return {
        name: sorted((text, count) for text, count in counted.items() if text.isprintable())
        for name, counted in named.items()
    }
