"""A gated agent at work on one job, made to be killed at any moment.

Every effect is a line in a file, so what has happened can be told without asking the store. Every
answer of the store is a line in another file, so what it has said can be held against it.
"""

import asyncio
import os
import signal
import time
from contextlib import suppress

from core import Approve, Edit, OutcomeUnknown, Panel, Reject, Rejected, gate, run
from core.model import State
from core.stores.sqlite import SqliteStore
from core.stores.sqlite_file import Database
from tests.sqlite_calls import Tap

DONE, LOOK, BROKEN = 0, 3, 4
ALLOWED = ("deposit", "ship", "pay", "notify")


class Points:
    """Counts the moments just before and just after every write, and dies at the k-th."""

    def __init__(self, k):
        self.left = k

    def pass_(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def tap(self):
        """Put a point around each statement and each call of SQLite that changes a file."""
        self.tapped = Tap(lambda _: self.pass_(), lambda _: self.pass_())
        connect = Database._connect
        Database._connect = lambda database: Statements(connect(database), self)


class Statements:
    """A connection with a point before and after each statement."""

    def __init__(self, connection, points):
        self.connection, self.points = connection, points

    def execute(self, *values):
        self.points.pass_()
        found = self.connection.execute(*values)
        self.points.pass_()
        return found

    def __getattr__(self, name):
        return getattr(self.connection, name)


class Log:
    """Lines that are on the disk when `write` returns."""

    def __init__(self, path, points):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.points = points

    def write(self, *words):
        self.points.pass_()
        os.write(self.file, (" ".join(map(str, words)) + "\n").encode())
        self.points.pass_()
        os.fsync(self.file)
        self.points.pass_()


class Telling(SqliteStore):
    """A store that leaves a line about each answer it has given."""

    said: Log

    def tell(self, stored):
        os.write(self.said.file, f"{stored.request.id} {stored.state.value}\n".encode())
        return stored

    def submit(self, request, /):
        return self.tell(super().submit(request))

    def record(self, request, decision, /):
        return self.tell(super().record(request, decision))

    def vote(self, request_id, decision, /, **named):
        return self.tell(super().vote(request_id, decision, **named))

    def revise(self, request, edit, /, **named):
        return self.tell(super().revise(request, edit, **named))

    def claim(self, request_id, /, **named):
        return self.tell(super().claim(request_id, **named))

    def finish(self, request_id, outcome, state, /):
        return self.tell(super().finish(request_id, outcome, state))

    def get(self, request_id, /):
        return self.tell(super().get(request_id))


class Careless(Telling):
    """Claims after the run: what the harness has to catch."""

    def claim(self, request_id, /, **named):
        self.later = named
        return self.get(request_id)

    def finish(self, request_id, outcome, state, /):
        with suppress(Exception):
            super().claim(request_id, **self.later)
        return super().finish(request_id, outcome, state)


def tools(effects):
    """Return what the agent can do: every one leaves two lines in the log of effects."""

    def happen(name, job, n):
        effects.write("began", name, job, n)
        time.sleep(0.001)  # so that some random kills find it in between
        effects.write("did", name, job, n)

    def deposit(job: str, n: int, amount: int = 1) -> str:
        happen("deposit", job, n)
        return f"deposited {amount}"

    def ship(job: str, n: int) -> None:
        happen("ship", job, n)

    def pay(job: str, n: int, amount: int = 1) -> str:
        happen("pay", job, n)
        return f"paid {amount}"

    async def notify(job: str, n: int) -> None:
        happen("notify", job, n)

    def delete(job: str, n: int) -> None:
        happen("delete", job, n)

    def forge(job: str, n: int) -> None:
        happen("forge", job, n)

    return {tool.__name__: tool for tool in (deposit, ship, pay, notify, delete, forge)}


def yes(request):
    return Approve(by="ana")


def no(request):
    return Reject(by="ana", reason="archive it instead")


def more(request):
    return Edit(by="ana", arguments={"amount": 2})


def gated(store, effects):
    """Gate each tool another way: by rule, by a person, with an edit, by two people, refused."""

    def two(request):
        store.vote(request.id, Approve(by="bo"), digest=request.digest, window="dashboard")
        return Approve(by="ana")

    wiring = {
        "deposit": {"approver": no, "policies": [yes]},
        "ship": {"approver": yes},
        "pay": {"approver": more},
        "notify": {"approver": two, "panel": Panel(votes=2)},
        "delete": {"approver": no},
        "forge": {"approver": yes, "policies": [no]},
    }
    return {name: gate(fn, store=store, **wiring[name]) for name, fn in tools(effects).items()}


def work(folder, job, *, k=0, careless=False):
    """Do one job, or go on with it; return how far it came."""
    points = Points(k)
    if k:
        points.tap()
    store = (Careless if careless else Telling)(folder / "store.db", patience=20)
    store.said = Log(folder / "said.log", points)
    effects = Log(folder / "effects.log", points)
    catch_up(store)
    with run(job):
        for n in (1, 2):
            for call in gated(store, effects).values():
                if not insist(store, call, job, n):
                    return LOOK
    return DONE


def catch_up(store):
    """A colleague completes the panels that lack a vote."""
    for stored in (one for one in store.pending() if one.votes):
        with suppress(Rejected, RuntimeError):
            store.vote(stored.request.id, Approve(by="ana"), digest=stored.request.digest)


def insist(store, call, job, n):
    """Call until it has happened or was refused; `False` when a person has to look first."""
    while True:
        try:
            result = call(job, n)
            if asyncio.iscoroutine(result):
                asyncio.run(result)
        except OutcomeUnknown as error:
            return store.get(error.request_id).state is State.RESOLVED_HAPPENED
        except Rejected as error:
            if store.get(error.request_id).state is State.RESOLVED_NOT_HAPPENED:
                continue
        return True
