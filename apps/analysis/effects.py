"""See what a statement really did, by comparing the tables before and after it.

The count that DuckDB returns is that of the named table; triggers write elsewhere. So every table
is looked at, cheaply first: its number of rows, its new rows, and whether its storage carries
updates. Only the parts of a table that differ are then compared row by row.
"""

from __future__ import annotations

from .comparison import Comparison, TableEffect, vitals
from .definitions import Table, altered, objects, redefined, tables
from .writing import Writable


class Effects:
    """The difference between what is committed and what the open transaction has made of it."""

    def __init__(self, held: Writable, *, rows: int) -> None:
        """Remember the state before the statement; call this inside the transaction.

        Args:
            rows: How many changed rows of each table to keep as a sample.
        """
        self._held = held
        self._rows = rows
        self._before = tables(held.con)
        self._vitals = {label: vitals(held.con, table) for label, table in self._before.items()}
        self._objects = objects(held.con)

    def schema(self) -> tuple[str, ...]:
        """Say what came, went, or is defined otherwise."""
        now = tables(self._held.con)
        return (*altered(self._before, now), *redefined(self._objects, objects(self._held.con)))

    def tables(self) -> tuple[TableEffect, ...]:
        """Return the tables whose rows are not as they were."""
        now = tables(self._held.con)
        both = {**self._before, **now}
        comparisons = [
            Comparison(self._held, self._before.get(label), now.get(label), number)
            for number, label in enumerate(both)
            if label not in self._before or label not in now or self._stirred(now[label])
        ]
        # All notes of the old state come first: the open transaction reads them, and sees none
        # that is written after its first look.
        for comparison in comparisons:
            comparison.note_old_state()
        found = [comparison.effect(self._rows) for comparison in comparisons]
        return tuple(effect for effect in found if effect.changed)

    def _stirred(self, table: Table) -> bool:
        now = vitals(self._held.con, table)
        return bool(now[2]) or now != self._vitals[table.label]
