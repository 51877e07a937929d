"""A store for tests and for trying things out: it forgets when the process ends."""

from __future__ import annotations

import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from itertools import dropwhile, islice
from operator import attrgetter

from ..audit import START
from ..model import AuditRecord, State, StoredRequest, same, utc_now
from .base import BaseStore
from .executor import this_process
from .rows import Row, micros
from .transaction import Entry, Head
from .watching import Watchers


class MemoryStore(BaseStore):
    """Everything in a few dictionaries and a lock. The rules are those of every other store."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        open_limit: int = 20_000,
        executor: Callable[[], str] = this_process,
        gone: Callable[[str], bool] = lambda _: False,
    ) -> None:
        super().__init__(clock=clock, open_limit=open_limit, executor=executor, gone=gone)
        self._lock = threading.RLock()
        self._tables = _Tables()
        self._watchers = Watchers()
        self._key = secrets.token_bytes(32)

    @contextmanager
    def _write(self) -> Generator[_Tables]:
        with self._lock:
            try:
                yield self._tables
            except BaseException:
                self._tables.roll_back()
                raise
            self._tables.commit()

    @contextmanager
    def _read(self) -> Generator[_Tables]:
        with self._lock:
            yield self._tables

    def _announce(self, request_id: str) -> None:
        self._watchers.wake(request_id)

    def watch(
        self, request_id: str, changed: Callable[[], object], /
    ) -> AbstractContextManager[None]:
        return self._watchers.watch(request_id, changed)

    def fingerprint_key(self) -> bytes:
        return self._key

    def close(self) -> None:
        """Nothing to let go of."""


class _Tables:
    """What a database would hold, and how to take back what has not been committed."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.asked: dict[str, StoredRequest] = {}
        self.keys: dict[tuple[str, str, str], str] = {}
        self.by_state: dict[State, dict[str, None]] = {state: {} for state in State}
        self.open: Counter[str] = Counter()
        self.records: list[AuditRecord] = []
        self.last_record: dict[str, AuditRecord] = {}
        self.flags: dict[str, str] = {}
        self.charges: dict[str, tuple[Entry, ...]] = {}
        self.undo: deque[Callable[[], object]] = deque()

    def commit(self) -> None:
        self.undo.clear()

    def roll_back(self) -> None:
        while self.undo:
            self.undo.pop()()

    def head(self) -> Head:
        if not self.records:
            return Head(0, START, 0)
        last = self.records[-1]
        return Head(last.seq, last.hash, micros(last.at))

    def row(self, request_id: str, /) -> Row | None:
        return self.rows.get(request_id)

    def of_key(self, requester: str, run: str, key: str, /) -> Row | None:
        return self.rows.get(self.keys.get((requester, run, key), ""))

    def insert(self, row: Row, stored: StoredRequest, /) -> None:
        request = stored.request
        key = (request.requester, request.run, request.key)
        if request.run:
            self.keys[key] = row.id
            self.undo.append(lambda: self.keys.pop(key))
        self._put(row, stored)

    def update(self, row: Row, stored: StoredRequest, /) -> None:
        self._put(row, stored)

    def _put(self, row: Row, stored: StoredRequest) -> None:
        before = (self.rows.get(row.id), self.asked.get(row.id))
        self._swap(row.id, row, stored)
        self.undo.append(lambda: self._swap(row.id, *before))

    def _swap(self, request_id: str, row: Row | None, stored: StoredRequest | None) -> None:
        if before := self.asked.pop(request_id, None):
            del self.by_state[before.state][request_id]
            self.open[before.request.requester] -= before.state is State.PENDING
        if row is None or stored is None:
            del self.rows[request_id]
            return
        self.rows[request_id] = row
        self.asked[request_id] = stored
        self.by_state[stored.state][request_id] = None
        self.open[stored.request.requester] += stored.state is State.PENDING

    def append(self, record: AuditRecord, /) -> None:
        before = self.last_record.get(record.request_id)
        self.records.append(record)
        self.last_record[record.request_id] = record
        self.undo.append(lambda: self._cut(record.request_id, before))

    def _cut(self, request_id: str, before: AuditRecord | None) -> None:
        self.records.pop()
        self.last_record.pop(request_id)
        if before is not None:
            self.last_record[request_id] = before

    def latest(self, request_id: str, /) -> AuditRecord | None:
        return self.last_record.get(request_id)

    def flag(self, name: str, /) -> str:
        return self.flags.get(name, "")

    def set_flag(self, name: str, value: str, /) -> None:
        before = self.flag(name)
        self.flags[name] = value
        self.undo.append(lambda: self.flags.__setitem__(name, before))

    def open_requests(self, requester: str, /) -> int:
        return self.open[requester]

    def standing(self, state: State, /, *, due: int | None = None) -> Sequence[Row]:
        return [self.rows[i] for i in self.by_state[state] if due is None or self._due(i) <= due]

    def _due(self, request_id: str) -> int:
        stored = self.asked[request_id]
        return micros(stored.run_by or stored.request.expires_at)

    def page(self, after: str, limit: int, now: int, /) -> Sequence[Row]:
        rows = iter(self.rows.values())
        if after in self.rows:
            rows = islice(dropwhile(lambda row: row.id != after, rows), 1, None)
        waiting = (row for row in rows if row.state == State.PENDING and self._due(row.id) > now)
        return [*islice(waiting, limit)]

    def of_run(self, requester: str, run: str, /) -> Sequence[Row]:
        keys = [key for key in self.keys if key[:2] == (requester, run)]
        return [self.rows[self.keys[key]] for key in keys]

    def search(
        self,
        state: str,
        action: str,
        person: str,
        since: int,
        until: int,
        after: str,
        limit: int,
        /,
    ) -> Sequence[Row]:
        def fits(row: Row) -> bool:
            stored = self.asked[row.id]
            people = {same(vote.by) for vote in stored.votes} | {
                same(name) for name in stored.request.requesters
            }
            return (
                (not state or row.state == state)
                and (not action or f".{stored.request.action}".endswith(f".{action}"))
                and (not person or same(person) in people)
                and since <= micros(stored.request.asked_at) < until
            )

        rows = reversed(self.rows.values())
        if after:
            rows = islice(dropwhile(lambda row: row.id != after, rows), 1, None)
        return [*islice(filter(fits, rows), limit)]

    def enter(self, request_id: str, entries: Sequence[Entry], /) -> None:
        before = self.charges.get(request_id, ())
        self.charges[request_id] = tuple(entries)
        self.undo.append(lambda: self.charges.__setitem__(request_id, before))

    def entered(self) -> dict[str, list[Entry]]:
        order = attrgetter("budget", "key")
        return {one: sorted(found, key=order) for one, found in self.charges.items() if found}

    def usage(self, budget: str, key: str, since: int, but: str, /) -> tuple[int, int]:
        used = reserved = 0
        for request_id, entries in self.charges.items():
            for one in entries:
                if (one.budget, one.key) != (budget, key) or request_id == but:
                    continue
                if one.used_at is None:
                    reserved += one.amount
                elif one.used_at > since:
                    used += one.amount
        return used, reserved

    def trail(self, after: int, limit: int, request_id: str, /) -> Sequence[AuditRecord]:
        if not request_id:
            return self.records[after : after + limit]
        about = (one for one in self.records[after:] if one.request_id == request_id)
        return [*islice(about, limit)]
