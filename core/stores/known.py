"""Rows that were read before: not parsed again, and not compared with the audit trail again."""

from __future__ import annotations

from dataclasses import dataclass

from .. import audit
from ..model import ApprovalRequest, AuditRecord, StoredRequest, StoreError
from .rows import Row, from_row

MOST = 4096


@dataclass(frozen=True, slots=True)
class Known:
    """A row and what it says.

    Attributes:
        explained_by: Hash of its latest audit record; empty while nobody has compared the two.
    """

    row: Row
    stored: StoredRequest
    explained_by: str = ""


class KnownRows:
    """The rows this process has met last. One that differs by a character is read anew."""

    def __init__(self) -> None:
        self._by_id: dict[str, Known] = {}

    def read(self, row: Row) -> StoredRequest:
        """Return what a row says, for looking at it.

        Raises:
            StoreError: The row is damaged.
        """
        known = self._by_id.get(row.id)
        return known.stored if known and known.row == row else self.keep(row, from_row(row))

    def sound(self, row: Row, latest: AuditRecord | None) -> StoredRequest:
        """Return what a row says, for doing something about it.

        Raises:
            StoreError: Its latest audit record does not explain it, or the row is damaged.
        """
        known = self._by_id.get(row.id)
        if known and latest and known.explained_by == latest.hash and known.row == row:
            return known.stored
        if why := unexplained(row, latest):
            raise StoreError(f"{why}; nothing was done with it")
        return self.keep(row, self.read(row), latest)

    def keep(
        self, row: Row, stored: StoredRequest, record: AuditRecord | None = None
    ) -> StoredRequest:
        """Remember a row that was just read, or written together with `record`."""
        if row.id not in self._by_id and len(self._by_id) >= MOST:
            self._by_id.pop(next(iter(self._by_id)))
        self._by_id[row.id] = Known(row, stored, record.hash if record else "")
        return stored

    def text_of(self, request: ApprovalRequest) -> str:
        """Return the text of a request whose row is known; empty when it has to be written."""
        known = self._by_id.get(request.id)
        return known.row.request if known and known.stored.request is request else ""


def unexplained(row: Row, latest: AuditRecord | None) -> str:
    """Say what is wrong when `latest`, the last record of a row, is not about the row as it is."""
    if latest is None or audit.seal(latest.previous, latest.body) != latest.hash:
        return f"the audit trail does not know request {row.id}"
    if audit.details(latest).get("row") != row.fingerprint():
        return f"request {row.id} is not as the audit trail last saw it"
    return ""
