"""Look at a statement once, and remember what was seen until the database changes."""

from __future__ import annotations

from typing import TypeVar

from .rehearsal import Rehearsal
from .statements import Verdict
from .warehouse import Warehouse

T = TypeVar("T")

_MOST = 100  # statements

Remembered = dict[str, tuple[object, T]]


class Looks:
    """What DuckDB would make of statements.

    Several rules look at one call. Whatever then runs is looked at anew by the warehouse, so a
    memory that is too old refuses and never allows.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self._verdicts: Remembered[Verdict] = {}
        self._rehearsals: Remembered[Rehearsal] = {}

    def verdict(self, sql: str) -> Verdict:
        """Classify, or remember; nothing runs.

        Raises:
            AnalysisError: The database cannot be opened.
        """
        state = self._state()
        known = self._verdicts.get(sql)
        if known is None or known[0] != state:
            known = state, self.warehouse.classify(sql)
            _keep(self._verdicts, sql, known)
        return known[1]

    def remembered(self, sql: str) -> Rehearsal:
        """Return what the last rehearsal showed, or rehearse if the database is another by now.

        Raises:
            AnalysisError: It does not work.
        """
        known = self._rehearsals.get(sql)
        return known[1] if known and known[0] == self._state() else self.rehearsed(sql)

    def rehearsed(self, sql: str) -> Rehearsal:
        """Rehearse, whatever is remembered.

        Raises:
            AnalysisError: It does not work.
        """
        state = self._state()
        shown = self.warehouse.rehearse(sql)
        _keep(self._rehearsals, sql, (state, shown))
        return shown

    def _state(self) -> object:
        """Return what differs once somebody has written to the database."""
        path = self.warehouse.path
        files = [path, path.with_name(path.name + ".wal")]
        found = [file.stat() for file in files if file.exists()]
        return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]


def _keep(memory: Remembered[T], sql: str, seen: tuple[object, T]) -> None:
    if len(memory) >= _MOST:
        memory.clear()
    memory[sql] = seen
