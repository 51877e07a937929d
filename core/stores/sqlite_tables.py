"""The statements of a SQLite transaction, one method each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..audit import START
from ..model import END_OF_TIME, AuditRecord, State, StoredRequest, StoreError, same
from .rows import Row, instant, micros
from .transaction import Entry, Head

LAST = micros(END_OF_TIME)
_ROW = "SELECT id, state, request, progress FROM requests"
_STANDING = """
SELECT r.id, r.state, r.request, r.progress, latest.*, head.seq, head.hash, head.at
FROM (SELECT ? AS id) AS wanted
LEFT JOIN requests AS r ON r.id = wanted.id
LEFT JOIN audit AS latest ON latest.seq = (SELECT max(seq) FROM audit WHERE request = r.id)
LEFT JOIN (SELECT seq, hash, at FROM audit ORDER BY seq DESC LIMIT 1) AS head ON true
"""
# In halves, for a sum that leaves 64 bits is an error to SQLite, and would be at every later call.
_TOTAL = """
SELECT coalesce(sum(amount >> 32), 0), coalesce(sum(amount & 0xffffffff), 0) FROM charges
WHERE budget = ?1 AND key = ?2 AND request <> ?3 AND """
_USAGE = f"SELECT * FROM ({_TOTAL} used_at > ?4), ({_TOTAL} used_at IS NULL)"


class Tables:
    """One open transaction. Values are bound, never written into a statement."""

    def __init__(self, connection: Any) -> None:
        self._run = connection.execute
        self._head: Head | None = None
        self._latest: dict[str, AuditRecord | None] = {}

    def head(self) -> Head:
        if self._head is None:
            query = "SELECT seq, hash, at FROM audit ORDER BY seq DESC LIMIT 1"
            found = self._run(query).fetchone()
            self._head = Head(*_sound(found, _HEAD)) if found else Head(0, START, 0)
        return self._head

    def row(self, request_id: str, /) -> Row | None:
        """Fetch the row, its latest record and the end of the trail: every step needs all three."""
        found = self._run(_STANDING, (request_id,)).fetchone()
        row, latest, head = found[:4], found[4:12], found[12:]
        self._head = Head(*_sound(head, _HEAD)) if head[0] else Head(0, START, 0)
        self._latest[request_id] = _record(latest) if latest[0] else None
        return Row(*row) if row[0] else None

    def of_key(self, requester: str, run: str, key: str, /) -> Row | None:
        query = f"{_ROW} WHERE requester = ? AND run = ? AND key = ? AND run <> ''"
        return _row(self._run(query, (requester, run, key)).fetchone())

    def insert(self, row: Row, stored: StoredRequest, /) -> None:
        request = stored.request
        self._run(
            "INSERT INTO requests (id, state, action, requester, run, key, asked_at, due,"
            " request, progress) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.id,
                row.state,
                request.action,
                request.requester,
                request.run,
                request.key,
                micros(request.asked_at),
                _due(stored),
                row.request,
                row.progress,
            ),
        )
        for name in request.requesters:
            if same(name) != request.requester:  # who is spelled that way is found in `requester`
                self._involve(name, row)

    def update(self, row: Row, stored: StoredRequest, /) -> None:
        self._run(
            "UPDATE requests SET state = ?, due = ?, request = ?, progress = ? WHERE id = ?",
            (row.state, _due(stored), row.request, row.progress, row.id),
        )
        if stored.state in _VOTED_INTO:
            for vote in stored.votes[-1:]:
                self._involve(vote.by, row)

    def _involve(self, person: str, row: Row) -> None:
        self._run("INSERT OR IGNORE INTO people VALUES (?, ?)", (same(person), row.id))

    def append(self, record: AuditRecord, /) -> None:
        at = micros(record.at)
        self._run(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.seq,
                at,
                record.event,
                record.request_id,
                record.by,
                record.body,
                record.previous,
                record.hash,
            ),
        )
        self._head = Head(record.seq, record.hash, at)
        self._latest[record.request_id] = record

    def latest(self, request_id: str, /) -> AuditRecord | None:
        if request_id in self._latest:
            return self._latest[request_id]
        query = "SELECT * FROM audit WHERE request = ? ORDER BY seq DESC LIMIT 1"
        found = self._run(query, (request_id,)).fetchone()
        return _record(found) if found else None

    def flag(self, name: str, /) -> str:
        found = self._run("SELECT value FROM flags WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def set_flag(self, name: str, value: str, /) -> None:
        self._run("INSERT OR REPLACE INTO flags VALUES (?, ?)", (name, value))

    def open_requests(self, requester: str, /) -> int:
        found = self._run("SELECT n FROM open WHERE requester = ?", (requester,)).fetchone()
        return int(found[0]) if found else 0

    def standing(self, state: State, /, *, due: int | None = None) -> Sequence[Row]:
        late = "" if due is None else "AND due <= ?"
        query = f"{_ROW} WHERE state = '{state.value}' {late} ORDER BY n"
        return _rows(self._run(query, () if due is None else (due,)))

    def page(self, after: str, limit: int, now: int, /) -> Sequence[Row]:
        start = "coalesce((SELECT n FROM requests WHERE id = ?), 0)"
        query = f"{_ROW} WHERE state = 'pending' AND n > {start} AND due > ? ORDER BY n LIMIT ?"
        return _rows(self._run(query, (after, now, limit)))

    def of_run(self, requester: str, run: str, /) -> Sequence[Row]:
        query = f"{_ROW} WHERE requester = ? AND run = ? AND run <> '' ORDER BY n"
        return _rows(self._run(query, (requester, run)))

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
        conditions = ["asked_at >= ?", "asked_at < ?"]
        values: list[str | int] = [since, until]
        if state:
            conditions.append("state = ?")
            values.append(state)
        if action:
            conditions.append("('.' || action) GLOB '*' || ?")
            values.append(f".{_literal(action)}")
        if person:
            conditions.append(
                "(requester = ? OR id IN (SELECT request FROM people WHERE person = ?))"
            )
            values += [same(person), same(person)]
        if after:
            conditions.append("n < (SELECT n FROM requests WHERE id = ?)")
            values.append(after)
        query = f"{_ROW} WHERE {' AND '.join(conditions)} ORDER BY n DESC LIMIT ?"
        return _rows(self._run(query, (*values, limit)))

    def enter(self, request_id: str, entries: Sequence[Entry], /) -> None:
        self._run("DELETE FROM charges WHERE request = ?", (request_id,))
        for one in entries:
            values = (one.budget, one.key, one.amount, one.used_at, request_id)
            self._run("INSERT INTO charges VALUES (?, ?, ?, ?, ?)", values)

    def entered(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        query = "SELECT request, budget, key, amount, used_at FROM charges ORDER BY budget, key"
        for request, *values in self._run(query):
            found.setdefault(request, []).append(Entry(*values))
        return found

    def usage(self, budget: str, key: str, since: int, but: str, /) -> tuple[int, int]:
        found: tuple[int, int, int, int] = self._run(_USAGE, (budget, key, but, since)).fetchone()
        used, more_used, reserved, more_reserved = found
        return (used << 32) + more_used, (reserved << 32) + more_reserved

    def trail(self, after: int, limit: int, request_id: str, /) -> Sequence[AuditRecord]:
        about = "request = ? AND" if request_id else ""
        query = f"SELECT * FROM audit WHERE {about} seq > ? ORDER BY seq LIMIT ?"
        values = (request_id, after, limit) if request_id else (after, limit)
        return [_record(found) for found in self._run(query, values)]


_VOTED_INTO = frozenset({State.PENDING, State.APPROVED, State.REJECTED})
_HEAD = (int, str, int)
_RECORD = (int, int, str, str, str, str, str, str)


def _sound(found: tuple[Any, ...], kinds: tuple[type, ...]) -> tuple[Any, ...]:
    """Return values that are what the table says they are; those of an overwritten page are not."""
    if (*map(type, found),) != kinds:
        raise StoreError("the audit trail is damaged; restore the store from a copy")
    return found


def _row(found: tuple[str, str, str, str] | None) -> Row | None:
    return Row(*found) if found else None


def _rows(found: Any) -> list[Row]:
    return [Row(*values) for values in found]


def _record(found: tuple[Any, ...]) -> AuditRecord:
    seq, at, event, request_id, by, body, previous, hash_ = _sound(found, _RECORD)
    return AuditRecord(
        seq=seq,
        at=instant(max(0, min(at, LAST))),  # whatever a forger wrote can be read and named
        event=event,
        request_id=request_id,
        by=by,
        body=body,
        previous=previous,
        hash=hash_,
    )


def _literal(text: str) -> str:
    """Keep GLOB from reading a name as a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def _due(stored: StoredRequest) -> int | None:
    """When a request that can still expire does so."""
    match stored.state:
        case State.PENDING:
            return micros(stored.request.expires_at)
        case State.APPROVED:
            return micros(stored.run_by) if stored.run_by else None
        case _:
            return None
