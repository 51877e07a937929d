"""A DuckDB database that an agent may question, and change one statement at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Literal, assert_never

from .changing import change, undo
from .charts import draw
from .errors import AnalysisError, ChangedMeanwhile, Interrupted, NotADatabase, Refused
from .loading import load
from .overview import overview
from .plain_table import plain_table
from .rehearsal import Rehearsal, rehearse
from .reports import inside, save, write_new
from .sealed import QueryTooLong, Rows, read
from .statements import Change, Read, Refuse, classify
from .undo import Snapshot, Snapshots, utc_now
from .writing import only_one, patiently

_EXPORTED = 1_000_000  # rows; an export is whole or refused
_DRAWN = 10_000  # points; beyond that a chart shows a smear


class Warehouse:
    """One database file and one folder for reports."""

    def __init__(
        self,
        path: Path,
        *,
        reports: Path,
        rows: int = 1000,
        seconds: float = 30.0,
        memory: str = "2GB",
        patience: float = 2.0,
        keep: int = 5,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Look at the file; nothing is changed.

        Args:
            path: The database.
            reports: The only folder that charts and exports go to; made when first needed.
            rows: How many rows of an answer are shown.
            seconds: How long one statement may take.
            memory: How much memory one statement may take.
            patience: Seconds to wait while another program holds the file.
            keep: How many changes can be undone.
            now: Tells the time of a change.

        Raises:
            NotADatabase: The file is missing or something else.
            Locked: Another program holds the file.
        """
        self.path = path
        self.reports = reports
        self._rows = rows
        self._seconds = seconds
        self._memory = memory
        self._patience = patience
        self._snapshots = Snapshots(path, keep=keep, now=now)
        self._rehearsed: dict[str, Rehearsal] = {}
        self._described: Snapshot | None = None
        self._is_careful = False
        if not path.is_file():
            raise NotADatabase(f"There is no database {path}.")
        self._read("SELECT 1", 1)

    @classmethod
    def from_files(
        cls, files: Sequence[Path], path: Path, *, reports: Path | None = None
    ) -> Warehouse:
        """Make a new database of CSV and Parquet files, one table each, named after the file.

        Raises:
            AnalysisError: A file is missing or unreadable, or the database exists.
        """
        load(files, path)
        return cls(path, reports=reports or path.parent / "reports")

    def careful(self) -> Warehouse:
        """Return the same database, of which nothing changes that was not looked at before.

        There `query` runs a change only after its rehearsal, and `undo` takes back only the
        change that `last_change` described last.
        """
        made = copy(self)
        made._rehearsed, made._described, made._is_careful = {}, None, True
        return made

    def schema(self) -> str:
        """Describe the database: every table with its number of rows, its columns and types."""
        return overview(lambda sql: self._read(sql, 10_000))

    def query(self, sql: str) -> str:
        """Run one SQL statement in DuckDB's dialect.

        A statement that only reads returns its rows as a table. One that changes data or tables
        returns what it changed; all of it happens, or nothing.

        Args:
            sql: Exactly one statement, without BEGIN or COMMIT.

        Raises:
            Refused: The statement is none that runs here; the message says what to do instead.
            AnalysisError: It failed, and nothing changed.
        """
        match verdict := self.classify(sql):
            case Read():
                return _as_text(self._read(sql, self._rows))
            case Change():
                return self._change(sql)
            case Refuse(because=because):
                raise Refused(because)
            case _:
                assert_never(verdict)

    def chart(self, sql: str, kind: Literal["bar", "line", "scatter", "pie"], path: str) -> str:
        """Draw the rows of a reading statement as a PNG picture in the reports folder.

        Args:
            sql: Its first column goes along the bottom (or names the slices), each further
                column is a series of numbers. Sort the rows as they should appear.
            kind: How to draw it.
            path: A new file name, such as `revenue.png`.

        Raises:
            Refused: The statement does not only read, or the path leads out of the folder.
            AnalysisError: The rows cannot be drawn.
        """
        target = inside(self.reports, path, (".png",))
        found = self._only_read(sql, _DRAWN)
        write_new(target, lambda part: draw(found, kind, part, title=target.stem))
        return f"Drew {len(found.rows):,} rows as a {kind} chart: {target}"

    def export(self, sql: str, path: str) -> str:
        """Write the rows of a reading statement to a file in the reports folder.

        Args:
            sql: A statement that only reads.
            path: A new file name that ends in .csv, .parquet or .json.

        Raises:
            Refused: The statement does not only read, or the path leads out of the folder.
            AnalysisError: There are too many rows, or the disk is full.
        """
        target = inside(self.reports, path, (".csv", ".parquet", ".json"))
        found = self._only_read(sql, _EXPORTED)
        save(found, target)
        return f"Wrote {len(found.rows):,} rows: {target}"

    def classify(self, sql: str) -> Read | Change | Refuse:
        """Say what a statement would do; it does not run."""
        with only_one(self.path):
            return patiently(lambda: classify(sql, self.path), self.path, patience=self._patience)

    def rehearse(self, sql: str, *, rows: int = 5) -> Rehearsal:
        """Run a change, look at what it did, and take it back.

        Afterwards `query` runs this statement only if it does what the rehearsal showed.

        Args:
            rows: How many changed rows of each table to show.

        Raises:
            Refused: The statement is not a change.
            AnalysisError: It does not work; the message says why.
        """
        match verdict := self.classify(sql):
            case Read():
                raise Refused("This statement only reads; there is nothing to rehearse.")
            case Refuse(because=because):
                raise Refused(because)
            case Change():
                shown = rehearse(
                    self.path, sql, rows=rows, seconds=self._seconds, patience=self._patience
                )
                self._rehearsed[sql] = shown
                return shown
            case _:
                assert_never(verdict)

    def forget(self, sql: str) -> None:
        """Drop what a rehearsal showed; a careful warehouse then does not run this change."""
        self._rehearsed.pop(sql, None)

    def undo(self) -> str:
        """Bring back the database as it was before the last change.

        Raises:
            NothingToUndo: There is no change to take back.
            AnalysisError: The file is in use.
        """
        with only_one(self.path):
            if self._is_careful and self._snapshots.last() != self._described:
                raise ChangedMeanwhile("There was another change meanwhile; nothing was undone.")
            taken_back = undo(
                self.path, self._snapshots, seconds=self._seconds, patience=self._patience
            )
            self._rehearsed.clear()
        return f"Took back {taken_back}"

    def last_change(self) -> Snapshot:
        """Describe what an undo would take back: when, which statement, and its effects.

        Raises:
            NothingToUndo: There is no change to take back.
        """
        self._described = last = self._snapshots.last()
        return last

    def _change(self, sql: str) -> str:
        shown = self._rehearsed.get(sql)
        if self._is_careful and shown is None:
            raise ChangedMeanwhile("Nobody has seen what this would do by now; nothing changed.")
        effects = change(
            self.path,
            sql,
            self._snapshots,
            shown=shown,
            seconds=self._seconds,
            patience=self._patience,
        )
        self._rehearsed.pop(sql, None)
        return "\n".join(["Done.", *(effects or ("No row and no definition changed.",))])

    def _only_read(self, sql: str, rows: int) -> Rows:
        match verdict := self.classify(sql):
            case Read():
                found = self._read(sql, rows)
            case Change():
                raise Refused("Only a statement that reads can become a file; use query(sql).")
            case Refuse(because=because):
                raise Refused(because)
            case _:
                assert_never(verdict)
        if found.truncated:
            raise AnalysisError(f"That is more than {rows:,} rows; ask for fewer, or sum them up.")
        return found

    def _read(self, sql: str, rows: int) -> Rows:
        def attempt() -> Rows:
            try:
                return read(self.path, sql, rows=rows, seconds=self._seconds, memory=self._memory)
            except QueryTooLong as error:
                raise Interrupted(
                    f"The statement took longer than {self._seconds:g} seconds; nothing changed."
                ) from error

        with only_one(self.path):
            return patiently(attempt, self.path, patience=self._patience)


def _as_text(found: Rows) -> str:
    if found.truncated:
        ending = f"(the first {len(found.rows):,} rows; there are more)"
    else:
        ending = f"({len(found.rows):,} row{'' if len(found.rows) == 1 else 's'})"
    return f"{plain_table(found.columns, found.rows)}\n{ending}"
