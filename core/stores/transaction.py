"""What a store must be able to do between begin and commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..model import AuditRecord, State, StoredRequest
from .rows import Row


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the audit trail: where the next record goes."""

    seq: int
    hash: str
    at: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What one request takes out of one budget.

    Attributes:
        used_at: Since when it is used, microseconds since 1970; `None` while it is reserved.
    """

    budget: str
    key: str
    amount: int
    used_at: int | None


class Transaction(Protocol):
    """One consistent state, read and written. Instants are microseconds since 1970."""

    def head(self) -> Head: ...
    def row(self, request_id: str, /) -> Row | None: ...
    def of_key(self, requester: str, run: str, key: str, /) -> Row | None: ...
    def insert(self, row: Row, stored: StoredRequest, /) -> None: ...
    def update(self, row: Row, stored: StoredRequest, /) -> None: ...
    def append(self, record: AuditRecord, /) -> None: ...
    def latest(self, request_id: str, /) -> AuditRecord | None: ...
    def flag(self, name: str, /) -> str: ...
    def set_flag(self, name: str, value: str, /) -> None: ...
    def open_requests(self, requester: str, /) -> int: ...
    def standing(self, state: State, /, *, due: int | None = None) -> Sequence[Row]: ...
    def page(self, after: str, limit: int, now: int, /) -> Sequence[Row]: ...
    def of_run(self, requester: str, run: str, /) -> Sequence[Row]: ...
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
    ) -> Sequence[Row]: ...
    def enter(self, request_id: str, entries: Sequence[Entry], /) -> None: ...
    def entered(self) -> dict[str, list[Entry]]: ...
    def usage(self, budget: str, key: str, since: int, but: str, /) -> tuple[int, int]: ...
    def trail(self, after: int, limit: int, request_id: str, /) -> Sequence[AuditRecord]: ...
