"""Prove that the audit trail is what was written, and that it explains every request there is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import audit
from .model import AuditRecord, Store

UNREADABLE = (ValueError, TypeError, OverflowError)
"""What a value that no store has written leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a walk along the whole trail found.

    Attributes:
        result: How far the records hold together, and up to where that is proven.
        unexplained: A sentence for each request that the trail does not explain.
        checkpoint: Of the end of the trail, to keep where the store is not; `None` when the
            trail does not hold.
    """

    result: audit.Verified
    unexplained: tuple[str, ...]
    checkpoint: audit.Checkpoint | None

    def __bool__(self) -> bool:
        return bool(self.result) and not self.unexplained


def prove(store: Store, marks: Iterable[audit.Checkpoint] = ()) -> Proof:
    """Walk the chain, compare it with checkpoints, and find rows that it does not explain."""
    result, made = verified(store.trail(), marks)
    return Proof(result=result, unexplained=tuple(unexplained(store)), checkpoint=made)


def verified(
    records: Iterable[AuditRecord], marks: Iterable[audit.Checkpoint]
) -> tuple[audit.Verified, audit.Checkpoint | None]:
    """Verify; a record that cannot even be read is as bad as one that does not fit."""
    last = deque[AuditRecord](maxlen=1)
    try:
        result = audit.verify(_kept(records, last), *marks)
    except UNREADABLE as error:
        count = last[0].seq if last else 0
        problem = f"it cannot be read ({error})"
        return audit.Verified(count=count, problem=problem, first_bad=count + 1), None
    return result, audit.checkpoint(last) if result else None


def unexplained(store: Store) -> list[str]:
    """Return a sentence for each request that the trail does not explain."""
    try:
        return list(store.unexplained())
    except UNREADABLE as error:
        return [f"the requests cannot be compared with the trail ({error})"]


def _kept(records: Iterable[AuditRecord], last: deque[AuditRecord]) -> Iterator[AuditRecord]:
    """Pass records on, and keep the last one that came by."""
    for record in records:
        last.append(record)
        yield record
