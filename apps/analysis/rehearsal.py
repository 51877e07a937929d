"""Run a change, look at what it did, and take it back, so that a person can judge it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb

from .comparison import TableEffect
from .definitions import sequences, triggers
from .effects import Effects
from .errors import StatementFailed, explained
from .writing import Writable, writable

CHANCE = frozenset({"gen_random_uuid", "random", "tablesample", "uuidv4", "uuidv7"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a statement would do to the database; none of it has happened.

    Attributes:
        tables: The tables whose rows would change, with counts and a sample of rows.
        schema: What would be created, dropped or defined otherwise, as sentences.
        warnings: What a person should know before saying yes, as sentences.
    """

    sql: str
    tables: tuple[TableEffect, ...]
    schema: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def summary(self) -> str:
        """All of it in one line."""
        return "; ".join([*map(str, self.tables), *self.schema]) or "changes nothing"


def rehearse(
    path: Path, sql: str, *, rows: int = 5, seconds: float = 30.0, patience: float = 2.0
) -> Rehearsal:
    """Run one changing statement and roll it back; the database is as it was.

    Args:
        rows: How many changed rows of each table to show.
        seconds: How long the statement and the comparison may take together.

    Raises:
        StatementFailed: The statement does not work; DuckDB's reason is in the message.
        Interrupted: It took too long.
        Locked, NotADatabase: The file cannot be opened.
    """
    with writable(path, seconds=seconds, patience=patience) as held, traceless(held):
        try:
            return held.within_time(lambda: _observe(held, sql, rows))
        except duckdb.Error as error:
            raise explained(error, path.name) from error


def _observe(held: Writable, sql: str, rows: int) -> Rehearsal:
    held.con.begin()
    before = sequences(held.con)
    effects = Effects(held, rows=rows)
    run(held, sql)
    tables, schema = effects.tables(), effects.schema()
    warnings = (
        *_about_the_words(sql, tables),
        *_about_sequences(before, sequences(held.con)),
        *_about_triggers(triggers(held.old), tables),
    )
    return Rehearsal(sql=sql, tables=tables, schema=schema, warnings=warnings)


def run(held: Writable, sql: str) -> int:
    """Run exactly one statement in the open transaction and return DuckDB's count of its rows.

    Raises:
        StatementFailed: There is none, or more than one.
        duckdb.Error: DuckDB said no.
    """
    statements = held.con.extract_statements(sql)
    if len(statements) != 1:
        raise StatementFailed(f"Expected one statement, got {len(statements)}. Nothing changed.")
    cursor = held.con.execute(statements[0])
    counted = [str(column[0]) for column in cursor.description or ()] == ["Count"]
    found = cursor.fetchall() if cursor.description else []
    return int(found[0][0]) if counted and found else len(found)


class traceless:  # noqa: N801  # reads as an adjective where it is used
    """Roll back at the end, and leave the file as long as it was.

    DuckDB writes large new tables to the file ahead of the commit; after a rollback nothing refers
    to those bytes, and they are cut off while the file is still locked.
    """

    def __init__(self, held: Writable) -> None:
        self._held = held

    def __enter__(self) -> None:
        self._length = os.fstat(self._held.fd).st_size

    def __exit__(self, *_: object) -> None:
        abandon(self._held)
        if os.fstat(self._held.fd).st_size > self._length:
            os.ftruncate(self._held.fd, self._length)


def abandon(held: Writable) -> None:
    """Roll back, whether or not DuckDB has already done so because of an error."""
    try:
        held.con.rollback()
    except duckdb.TransactionException:
        return  # there is no transaction left to roll back


def _about_the_words(sql: str, tables: tuple[TableEffect, ...]) -> list[str]:
    words = _words(sql)
    lines: list[str] = []
    if words and words[0] in ("delete", "update", "truncate") and "where" not in words:
        lines.append("It has no WHERE: every row is meant.")
    if chance := sorted(CHANCE & {*words}):
        lines.append(f"It draws by chance ({', '.join(chance)}): what runs gives other values.")
    for table in tables:
        if 0 < table.of == table.deleted:
            lines.append(f"It removes all {table.of:,} rows of {table.table}.")
        elif 0 < table.of == table.updated + table.deleted:
            lines.append(f"It changes all {table.of:,} rows of {table.table}.")
        if table.table.rpartition(".")[2].lower() not in words:
            lines.append(f"It changes {table.table}, which the statement does not name.")
    return lines


def _words(sql: str) -> list[str]:
    """Return the keywords and names of a statement outside strings and comments, in lower case.

    They serve a warning; nothing is decided by them.
    """
    text = sql.encode()
    tokens = [*duckdb.tokenize(sql), (len(text), duckdb.token_type.comment)]
    return [
        text[start:end].decode(errors="replace").strip().strip('"').lower()
        for (start, kind), (end, _) in pairwise(tokens)
        if kind in (duckdb.token_type.keyword, duckdb.token_type.identifier)
    ]


def _about_sequences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    return [
        f"It moves the sequence {name} on; a rollback does not bring that back, an undo does."
        for name, value in after.items()
        if name in before and before[name] != value
    ]


def _about_triggers(watching: list[tuple[str, str]], tables: tuple[TableEffect, ...]) -> list[str]:
    touched = {table.table for table in tables}
    return [
        f"The trigger {name} watches {table} and runs along."
        for name, table in watching
        if table in touched
    ]
