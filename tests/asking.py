"""What the store tests ask with: requests, a clock that can be set, and every kind of store."""

from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.canonical import digest, encode
from core.model import (
    ApprovalRequest,
    Approve,
    Edit,
    Outcome,
    Panel,
    Reject,
    State,
    StoreError,
    new_id,
)
from core.stores.memory import MemoryStore
from core.stores.sqlite import SqliteStore
from core.stores.sqlite_file import library

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANYBODY = Panel()
YES, NO = Approve(by="ana"), Reject(by="ana", reason="not today")
EVERYTHING = 1_000_000


class Clock:
    """Tells whatever time it was told."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now

    def set(self, seconds):
        """Go to so many seconds after noon, forwards or back."""
        self.now = NOON + timedelta(seconds=seconds)


class Processes:
    """Plays the processes of a machine: who acts now, and who has ended."""

    def __init__(self):
        self.acting, self.ended = "here:1:1", set()

    def name(self):
        return self.acting

    def is_gone(self, name):
        return name in self.ended


def memory(folder, **options):
    """Return a store that is thrown away."""
    return MemoryStore(**options)


def sqlite(folder, **options):
    """Return a store in a file."""
    return SqliteStore(folder / "store.db", **options)


STORES = {"memory": memory, "sqlite": sqlite}


def opened(path, **options):
    """Open a store in which it is noon."""
    return SqliteStore(path, **{"clock": Clock(), **options})


def raw(path):
    """A plain connection to the same file, as another program would open it."""
    return closing(library().connect(str(path), isolation_level=None, timeout=0.05))


def without_triggers(path):
    """A plain connection of somebody who has taken the guards away first."""
    connection = library().connect(str(path), isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        connection.execute(f"DROP TRIGGER {name}")
    return closing(connection)


def asked(amount=1, **fields):
    """Return a request nobody has seen yet: `refund(amount)`, an hour to decide, one to start."""
    frozen = encode({"amount": amount})
    request = ApprovalRequest(
        action="shop.tools.refund",
        arguments={"amount": amount},
        frozen=frozen,
        origin=digest("origin", frozen),
        digest=digest("request", frozen),
        asked_at=NOON,
        expires_at=NOON + timedelta(hours=1),
        run_within=timedelta(hours=1),
        run=f"run-{new_id()}",
        key="refund#1",
    )
    return replace(request, **fields)


def edited(request, amount):
    """Return what an edit to `amount` makes of a request."""
    frozen = encode({"amount": amount})
    return replace(
        request,
        arguments={"amount": amount},
        frozen=frozen,
        digest=digest("request", frozen),
        revision=request.revision + 1,
    )


def edit(amount, by="ana"):
    """Return an edit of the amount."""
    return Edit(by=by, arguments={"amount": amount})


def agreed(store, **fields):
    """Return a request that one person has approved."""
    request = asked(**fields)
    store.submit(request)
    return store.vote(request.id, YES, digest=request.digest)


def started(store, **fields):
    """Return a request that has been claimed."""
    stored = agreed(store, **fields)
    return store.claim(stored.request.id, digest=stored.request.digest, panel=ANYBODY)


def ended(store, state, **fields):
    """Return a request whose call ended in `state`."""
    return store.finish(started(store, **fields).request.id, Outcome(), state)


def standing(store, clock, state):
    """Return a request that has come to `state` on a path that people take."""
    match state:
        case State.PENDING:
            return store.submit(asked())
        case State.APPROVED:
            return agreed(store)
        case State.EXECUTING:
            return started(store)
        case State.SUCCEEDED | State.FAILED | State.OUTCOME_UNKNOWN:
            return ended(store, state)
        case State.RESOLVED_HAPPENED | State.RESOLVED_NOT_HAPPENED:
            request = ended(store, State.OUTCOME_UNKNOWN).request
            happened = state is State.RESOLVED_HAPPENED
            return store.resolve(request.id, by="ana", happened=happened)
        case _:
            return refused(store, clock, state)


def refused(store, clock, state):
    """Return a request that never started: rejected, withdrawn, or out of time."""
    request = store.submit(asked(expires_at=clock() + timedelta(seconds=1))).request
    if state is State.REJECTED:
        store.vote(request.id, NO, digest=request.digest)
    elif state is State.CANCELLED:
        store.cancel(request.id, by="ana", because="a mistake")
    else:
        clock.now += timedelta(seconds=1)
    return store.get(request.id)


def world(store):
    """Return all that a store holds, as a reader sees it and as it counts."""
    with store._read() as tables:
        still_open = tables.open_requests("agent")
        moving = {state: [*tables.standing(state)] for state in State}
    rows = store.search(limit=EVERYTHING)
    return rows, [*store.trail()], store.stopped(), store.pending(), still_open, moving


class PowerCut(Exception):
    """What a test throws into a transaction."""


class Failing:
    """A transaction in which the k-th thing that is asked of the database fails."""

    def __init__(self, tables, left):
        self.tables, self.left = tables, left

    def __getattr__(self, name):
        def call(*values, **named):
            self.left[0] -= 1
            if self.left[0] == 0:
                raise PowerCut(name)
            found = getattr(self.tables, name)(*values, **named)
            self.left[0] -= 1
            if self.left[0] == 0:
                raise PowerCut(f"after {name}")
            return found

        return call


@contextmanager
def failing_at(store, k):
    """Inside the block the k-th step of a writing transaction fails, before or after it is done."""
    whole, left = store._write, [k]

    @contextmanager
    def broken():
        with whole() as tables:
            yield Failing(tables, left)

    store._write = broken
    try:
        yield
    finally:
        del store._write


def refusal(call):
    """Return the sentence of the StoreError that `call` has to raise."""
    with pytest.raises(StoreError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and len(text) > 20
    return text
