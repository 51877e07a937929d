"""Compare one table with what it was, row by row, where it differs at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from .definitions import Table, quoted
from .errors import StatementFailed
from .writing import Writable

_NEW_ROW = 2**54  # DuckDB counts rows from beyond this until they are committed
_BLOCK = 122_880  # rows in one of DuckDB's row groups


Vital = tuple[int, int, int]
Pair = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row before and after; `None` where it does not exist."""

    key: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEffect:
    """What a statement did to one table, in rows.

    Attributes:
        of: How many rows the table had before.
        sample: Some of the changed rows, in the order of `columns`.
    """

    table: str
    of: int
    updated: int
    deleted: int
    inserted: int
    columns: tuple[str, ...] = ()
    sample: tuple[RowChange, ...] = ()

    @property
    def changed(self) -> int:
        """Rows that are not as they were."""
        return self.updated + self.deleted + self.inserted

    @property
    def counts(self) -> tuple[int, int, int]:
        """Rows updated, deleted and inserted."""
        return self.updated, self.deleted, self.inserted

    def __str__(self) -> str:
        parts = [
            f"{number:,} {verb}"
            for number, verb in zip(self.counts, ("updated", "deleted", "inserted"), strict=True)
            if number
        ]
        return f"{self.table}: {', '.join(parts) or 'unchanged'} (of {self.of:,} rows)"


def vitals(con: duckdb.DuckDBPyConnection, table: Table) -> Vital:
    """Return what shows a change at little cost: rows, new rows, parts with updates.

    Raises:
        StatementFailed: The table hides the row numbers that every comparison rests on.
    """
    if any(name.lower() == "rowid" for name, _ in table.columns):
        raise StatementFailed(
            f"{table.label} has a column named rowid, which hides DuckDB's own row numbers, so a "
            "change cannot be checked; rename that column first. Nothing changed."
        )
    found = con.execute(
        f"SELECT count(*), count(*) FILTER (rowid >= {_NEW_ROW}) FROM {table.sql}"
    ).fetchone()
    updates = con.execute(
        "SELECT count(*) FROM pragma_storage_info(?) WHERE has_updates", [table.sql]
    ).fetchone()
    assert found is not None and updates is not None
    return int(found[0]), int(found[1]), int(updates[0])


class Comparison:
    """One table, before and after; either may be missing."""

    def __init__(
        self, held: Writable, before: Table | None, after: Table | None, number: int
    ) -> None:
        self._held = held
        self._before = before
        self._after = after
        self._number = number
        self._notes = self._blocks = ""
        same = before is not None and after is not None and before.columns == after.columns
        self._comparable = same or before is None or after is None
        # In a table of another shape every row differs; the catalogue already tells that story.
        columns = [quoted(name) for name, _ in before.columns] if before and same else ["0"]
        self._digest = f"hash({', '.join(columns)}, rowid)"
        self._key = before.key if before and same else ()

    def note_old_state(self) -> None:
        """Write down the old rows of the parts that differ, where the open transaction can look."""
        if self._before is None or self._after is None:
            return
        self._blocks = self._different_blocks()
        key = "".join(f", {quoted(name)}" for name in self._key)
        # In memory, under a name that differs from the database's own.
        memory = quoted(f"before {self._before.database}")
        self._notes = f"{memory}.t{self._number}"
        self._held.old.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {memory}")
        self._held.old.execute(
            f"CREATE TABLE {self._notes} AS SELECT rowid AS r, {self._digest} AS h{key} "
            f"FROM {self._before.sql} WHERE {self._blocks}"
        )

    def _different_blocks(self) -> str:
        """Return the condition that selects the parts of the table which are not as they were."""
        assert self._before is not None and self._after is not None
        digests = (
            f"SELECT rowid // {_BLOCK}, count(*), bit_xor({self._digest}) FROM {{}} "
            f"WHERE rowid < {_NEW_ROW} GROUP BY 1"
        )
        old = set(self._held.old.execute(digests.format(self._before.sql)).fetchall())
        new = set(self._held.con.execute(digests.format(self._after.sql)).fetchall())
        numbers = sorted({int(block[0]) for block in old ^ new})
        return f"list_contains({numbers}::BIGINT[], rowid // {_BLOCK})"

    def effect(self, rows: int) -> TableEffect:
        """Count the rows that differ and pick up to `rows` of them."""
        table = self._after or self._before
        assert table is not None
        of = _count(self._held.old, self._before)
        if self._before is None or self._after is None:
            updated, deleted, inserted = 0, of, _count(self._held.con, self._after)
        else:
            updated, deleted, inserted = self._counts()
        return TableEffect(
            table=table.label,
            of=of,
            updated=updated,
            deleted=deleted,
            inserted=inserted,
            columns=tuple(name for name, _ in table.columns),
            sample=self._sample(rows) if rows and self._comparable else (),
        )

    def _counts(self) -> tuple[int, int, int]:
        assert self._after is not None
        gone, other = _one(
            self._held.con,
            f"SELECT count(*) FILTER (n.r IS NULL), count(*) FILTER (n.h <> o.h) {self._matched()}",
        )
        (fresh,) = _one(
            self._held.con, f"SELECT count(*) FROM {self._after.sql} WHERE rowid >= {_NEW_ROW}"
        )
        # DuckDB updates an indexed column by deleting the row and inserting it again.
        (moved,) = _one(self._held.con, f"SELECT count(*) {self._moved()}") if self._key else (0,)
        return other + moved, gone - moved, fresh - moved

    def _matched(self) -> str:
        assert self._after is not None
        return (
            f"FROM {self._notes} o LEFT JOIN (SELECT rowid AS r, {self._digest} AS h "
            f"FROM {self._after.sql} WHERE {self._blocks}) n ON o.r = n.r"
        )

    def _moved(self) -> str:
        assert self._after is not None
        return f"FROM {self._notes} o JOIN {self._after.sql} m ON {self._same_key('m')}"

    def _same_key(self, new: str) -> str:
        equal = [f"{new}.{quoted(name)} = o.{quoted(name)}" for name in self._key]
        return " AND ".join([*equal, f"{new}.rowid >= {_NEW_ROW}"])

    def _sample(self, rows: int) -> tuple[RowChange, ...]:
        pairs = self._pairs(rows)
        old = _rows(self._held.old, self._before, [was for was, _ in pairs])
        new = _rows(self._held.con, self._after, [now for _, now in pairs])
        return tuple(
            RowChange(
                key=self._name(was if was is not None else now, old.get(was) or new[now]),
                before=old.get(was),
                after=new.get(now),
            )
            for was, now in pairs
        )

    def _name(self, number: int | None, row: tuple[str, ...]) -> str:
        """Name a row by its primary key where there is one, else by DuckDB's number for it."""
        table = self._before or self._after
        if table is None or not table.key:
            return f"rowid {number}" if number is None or number < _NEW_ROW else "new"
        values = dict(zip((name for name, _ in table.columns), row, strict=True))
        return ", ".join(f"{name} {values[name]}" for name in table.key)

    def _pairs(self, rows: int) -> list[Pair]:
        """Return old and new number of each changed row; `None` where there is no such row."""
        before, after = self._before, self._after
        if before is None or after is None:
            con, table = (self._held.con, after) if before is None else (self._held.old, before)
            assert table is not None
            found = con.execute(f"SELECT rowid FROM {table.sql} ORDER BY 1 LIMIT {rows}").fetchall()
            return [(None, number) if before is None else (number, None) for (number,) in found]
        moved = f"LEFT JOIN {after.sql} m ON {self._same_key('m')}" if self._key else ""
        partner = "coalesce(n.r, m.rowid)" if self._key else "n.r"
        old = self._held.con.execute(
            f"SELECT o.r, {partner} {self._matched()} {moved} "
            f"WHERE n.r IS NULL OR n.h <> o.h ORDER BY 1 LIMIT {rows}"
        ).fetchall()
        known = f"SELECT 1 FROM {self._notes} o WHERE {self._same_key('m')}" if self._key else ""
        fresh = self._held.con.execute(
            f"SELECT NULL, m.rowid FROM {after.sql} m WHERE m.rowid >= {_NEW_ROW} "
            f"{f'AND NOT EXISTS ({known})' if known else ''} ORDER BY 2 LIMIT {rows}"
        ).fetchall()
        return [(was, now) for was, now in (*old, *fresh)]


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    found = con.execute(sql).fetchone()
    assert found is not None
    return tuple(int(number) for number in found)


def _count(con: duckdb.DuckDBPyConnection, table: Table | None) -> int:
    return 0 if table is None else _one(con, f"SELECT count(*) FROM {table.sql}")[0]


def _rows(
    con: duckdb.DuckDBPyConnection, table: Table | None, numbers: Iterable[int | None]
) -> dict[int | None, tuple[str, ...]]:
    wanted = [str(number) for number in numbers if number is not None]
    if table is None or not wanted:
        return {}
    columns = ", ".join(quoted(name) for name, _ in table.columns)
    found = con.execute(
        f"SELECT rowid, {columns} FROM {table.sql} WHERE rowid IN ({', '.join(wanted)})"
    ).fetchall()
    return {
        row[0]: tuple("NULL" if value is None else str(value) for value in row[1:]) for row in found
    }
