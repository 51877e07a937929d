"""One contract for every store: load, apply a rule, write the row and its audit record, commit.

A store only has to say what a transaction is. Everything that must never differ between memory,
SQLite and PostgreSQL happens here, in one place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from .. import audit
from ..model import (
    ActionChanged,
    ApprovalRequest,
    Approve,
    AuditRecord,
    Charge,
    Edit,
    NoSuchRequest,
    Outcome,
    Panel,
    Reject,
    Rejected,
    State,
    StoredRequest,
    StoreError,
    Usage,
    utc_now,
)
from . import budgets, rules
from .executor import is_gone, this_process
from .known import KnownRows, unexplained
from .rows import Row, instant, micros, to_row
from .rules import Step
from .transaction import Entry, Head, Transaction

MOVING = frozenset({State.PENDING, State.APPROVED})


class BaseStore(ABC):
    """The whole `Store` contract over a `Transaction`.

    Args:
        clock: Tells the time. It may jump; the store never goes back behind its last record.
        open_limit: How many requests of one requester may be pending at a time.
        executor: Name of this process in claims.
        gone: Whether the process of that name has ended; what cannot be known is `False`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        open_limit: int = 20_000,
        executor: Callable[[], str] = this_process,
        gone: Callable[[str], bool] = is_gone,
    ) -> None:
        self._clock = clock
        self._open_limit = open_limit
        self._executor = executor
        self._gone = gone
        self._known = KnownRows()

    @abstractmethod
    def _write(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that commits at the end of the block, and not otherwise."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Transaction]:
        """Begin a look at one consistent state."""

    @abstractmethod
    def _announce(self, request_id: str) -> None:
        """Wake whoever watches that request, here and in other processes. A hint, no promise."""

    def submit(self, request: ApprovalRequest, /) -> StoredRequest:
        with self._write() as tx:
            if found := self._existing(tx, request):
                return found
            self._take(tx, request)
            request = budgets.told(tx, request, self._now(tx.head()))
            limit = self._open_limit
            if tx.open_requests(request.requester) >= limit:
                text = (
                    f"{request.name} was not asked: {request.requester} has {limit:,} open requests"
                )
                raise Rejected(text, request_id=request.id)
            stored = self._insert(tx, rules.submitted(request))
        self._announce(request.id)
        return stored

    def record(self, request: ApprovalRequest, decision: Approve | Reject, /) -> StoredRequest:
        with self._write() as tx:
            if found := self._existing(tx, request):
                return found
            self._take(tx, request)
            now = self._now(tx.head())
            if request.charges and isinstance(decision, Approve):
                budgets.afford(tx, request, now)
            step = rules.recorded(request, decision, self._executor(), instant(now))
            return self._insert(tx, step)

    def usage(self, charge: Charge, /) -> Usage:
        with self._read() as tx:
            return budgets.usage(tx, charge, self._now(tx.head()))

    def get(self, request_id: str, /) -> StoredRequest:
        with self._read() as tx:
            stored = self._known.read(_there(tx.row(request_id), request_id))
            late = rules.expired(stored, instant(self._now(tx.head())))
        if late is None:
            return stored
        return self._change(request_id, lambda _stored, _now: None)

    def vote(
        self, request_id: str, decision: Approve | Reject, /, *, digest: str, window: str = ""
    ) -> StoredRequest:
        def rule(stored: StoredRequest, now: datetime) -> Step | None:
            return rules.voted(stored, decision, digest=digest, window=window, now=now)

        return self._change(request_id, rule)

    def propose(
        self, request_id: str, edit: Edit, /, *, digest: str, window: str = ""
    ) -> StoredRequest:
        return self._change(
            request_id, lambda stored, _: rules.proposed(stored, edit, digest=digest, window=window)
        )

    def refuse(self, request_id: str, /, *, problem: str) -> StoredRequest:
        return self._change(request_id, lambda stored, _: rules.refused(stored, problem))

    def revise(self, request: ApprovalRequest, edit: Edit, /, *, changed: str) -> StoredRequest:
        if request.charges:
            with self._read() as tx:
                request = budgets.told(tx, request, self._now(tx.head()))
        return self._change(
            request.id, lambda stored, _: rules.revised(stored, request, edit, changed)
        )

    def cancel(self, request_id: str, /, *, by: str, because: str) -> StoredRequest:
        return self._change(
            request_id, lambda stored, _: rules.cancelled(stored, by=by, because=because)
        )

    def claim(
        self, request_id: str, /, *, digest: str, panel: Panel, bound: str = ""
    ) -> StoredRequest:
        def rule(stored: StoredRequest, _: datetime) -> Step:
            return rules.claimed(
                stored, digest=digest, panel=panel, executor=self._executor(), bound=bound
            )

        return self._change(request_id, rule)

    def finish(self, request_id: str, outcome: Outcome, state: State, /) -> StoredRequest:
        def rule(stored: StoredRequest, _: datetime) -> Step:
            return rules.finished(stored, outcome, state, self._executor())

        return self._change(request_id, rule)

    def report(self, request_id: str, /, *, finding: str) -> StoredRequest:
        return self._change(request_id, lambda stored, _: rules.reported(stored, finding))

    def resolve(
        self, request_id: str, /, *, by: str, happened: bool, note: str = ""
    ) -> StoredRequest:
        return self._change(
            request_id,
            lambda stored, _: rules.resolved(stored, by=by, happened=happened, note=note),
        )

    def pending(self, *, after: str = "", limit: int = 50) -> Sequence[StoredRequest]:
        with self._read() as tx:
            rows = tx.page(after, limit, self._now(tx.head()))
            return [self._known.read(row) for row in rows]

    def search(
        self,
        *,
        state: State | None = None,
        action: str = "",
        person: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[StoredRequest]:
        first = micros(since) if since else -(2**62)
        last = micros(until) if until else 2**62
        with self._read() as tx:
            if after:
                _there(tx.row(after), after)
            name = state.value if state else ""
            rows = tx.search(name, action, person, first, last, after, limit)
            return [self._known.read(row) for row in rows]

    def of_run(self, requester: str, run: str, /) -> Sequence[StoredRequest]:
        with self._read() as tx:
            return [self._known.read(row) for row in tx.of_run(requester, run)]

    def sweep(self) -> int:
        with self._write() as tx:
            now = self._now(tx.head())
            rows = [row for state in MOVING for row in tx.standing(state, due=now)]
            late = self._all_sound(tx, rows)
            steps = [rules.expired(stored, instant(now)) for stored in late]
            claimed = self._all_sound(tx, tx.standing(State.EXECUTING))
            steps += [rules.abandoned(s) for s in claimed if self._gone(s.executor)]
            taken = [self._update(tx, step) for step in steps if step is not None]
        self._announce_all(taken)
        return len(taken)

    def stop(self, *, by: str, because: str) -> int:
        with self._write() as tx:
            tx.set_flag("stopped", f"stopped by {by}: {because}")
            self._append(tx, "stopped", by=by, details={"because": because})
            rows = [row for state in MOVING for row in tx.standing(state)]
            waiting = self._all_sound(tx, rows)
            steps = [rules.cancelled(stored, by=by, because=because) for stored in waiting]
            taken = [self._update(tx, step) for step in steps]
        self._announce_all(taken)
        return len(taken)

    def resume(self, *, by: str) -> None:
        with self._write() as tx:
            tx.set_flag("stopped", "")
            self._append(tx, "resumed", by=by, details={})

    def stopped(self) -> str:
        with self._read() as tx:
            return tx.flag("stopped")

    def trail(self, *, after: int = 0, request_id: str = "") -> Iterator[AuditRecord]:
        while True:
            with self._read() as tx:
                records = tx.trail(after, 1000, request_id)
            yield from records
            if not records:
                return
            after = records[-1].seq

    def unexplained(self) -> Iterator[str]:
        """Yield a sentence for each request that the audit trail does not explain, or has lost."""
        with self._read() as tx:
            rows = tx.search("", "", "", -(2**62), 2**62, "", 2**62)
            last = {record.request_id: record for record in tx.trail(0, 2**62, "")}
            entered = tx.entered()
        last.pop("", None)
        for row in rows:
            record = last.pop(row.id, None)
            if problem := unexplained(row, record):
                yield problem
            elif record and self._due_entries(row, record) != entered.pop(row.id, []):
                yield f"what request {row.id} takes out of budgets is not as it should be"
        yield from (f"budgets hold an unknown request {one}" for one in entered)
        yield from (f"request {one} is gone, and the audit trail knows it" for one in last)

    def _due_entries(self, row: Row, last: AuditRecord) -> list[Entry]:
        """Return what a request has to stand for in budgets, by its own row and record."""
        stored = self._known.read(row)
        due = budgets.entries(stored, micros(last.at)) if stored.request.charges else []
        return sorted(due, key=lambda entry: (entry.budget, entry.key))

    def _existing(self, tx: Transaction, request: ApprovalRequest) -> StoredRequest | None:
        """Return the request under the same key.

        Raises:
            ActionChanged: The key belongs to another call.
        """
        row = tx.of_key(request.requester, request.run, request.key) if request.run else None
        if row is None:
            return None
        found = self._known.sound(row, tx.latest(row.id))
        if found.request.origin != request.origin:
            raise ActionChanged(
                f"{request.name} was not run: run {request.run!r} has asked for something else"
                f" here before ({found.request.name}, {found.state.value.lower()})",
                request_id=found.request.id,
            )
        return found

    def _take(self, tx: Transaction, request: ApprovalRequest) -> None:
        if why := tx.flag("stopped"):
            raise Rejected(f"{request.name} was not run: {why}", request_id=request.id)

    def _change(
        self,
        request_id: str,
        rule: Callable[[StoredRequest, datetime], Step | None],
    ) -> StoredRequest:
        """Load, apply expiry, apply `rule`, write. What has expired is written down either way."""
        problem: Exception | None = None
        with self._write() as tx:
            row = _there(tx.row(request_id), request_id)
            stored = self._known.sound(row, tx.latest(request_id))
            now = instant(self._now(tx.head()))
            step = rules.expired(stored, now)
            after = stored if step is None else self._update(tx, step)
            try:
                step = rule(after, now)
            except (StoreError, Rejected) as error:
                problem, step = error, None
            after = after if step is None else self._update(tx, step)
        self._announce(request_id)
        if problem is not None:
            raise problem
        return after

    def _insert(self, tx: Transaction, step: Step) -> StoredRequest:
        row = to_row(step.after)
        tx.insert(row, step.after)
        return self._kept(tx, step, row)

    def _update(self, tx: Transaction, step: Step) -> StoredRequest:
        row = to_row(step.after, self._known.text_of(step.after.request))
        tx.update(row, step.after)
        return self._kept(tx, step, row)

    def _kept(self, tx: Transaction, step: Step, row: Row) -> StoredRequest:
        """Write the audit record of a step, and what the request takes out of budgets now."""
        record = self._append_step(tx, step, row)
        # An edit may come from a gate that knows fewer budgets than the one that asked.
        if step.after.request.charges or step.event == "edited":
            tx.enter(row.id, budgets.entries(step.after, micros(record.at)))
        return self._known.keep(row, step.after, record)

    def _all_sound(self, tx: Transaction, rows: Sequence[Row]) -> list[StoredRequest]:
        """Return those that the trail explains; a step must not make good a forged one."""
        return [self._known.read(row) for row in rows if not unexplained(row, tx.latest(row.id))]

    def _append_step(self, tx: Transaction, step: Step, row: Row) -> AuditRecord:
        details = {**step.details, "row": row.fingerprint()}
        return self._append(tx, step.event, by=step.by, details=details, request_id=row.id)

    def _append(
        self, tx: Transaction, event: str, *, by: str, details: dict[str, str], request_id: str = ""
    ) -> AuditRecord:
        head = tx.head()
        record = audit.record(
            seq=head.seq + 1,
            at=instant(self._now(head)),
            event=event,
            request_id=request_id,
            by=by,
            details=details,
            previous=head.hash,
        )
        tx.append(record)
        return record

    def _now(self, head: Head) -> int:
        """Never earlier than the last record: a clock that is set back revives nothing."""
        return max(micros(self._clock()), head.at)

    def _announce_all(self, taken: Sequence[StoredRequest]) -> None:
        for stored in taken:
            self._announce(stored.request.id)


def _there(row: Row | None, request_id: str) -> Row:
    if row is None:
        raise NoSuchRequest(f"there is no request {request_id!r} in this store")
    return row
