"""Decide what a statement would do, from DuckDB's own reading of it and never from its words."""

from __future__ import annotations

import unicodedata
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import duckdb

from .catalog import look
from .proof import Case, first_line, marks
from .sealed import QueryTooLong, at_most, open_sealed
from .tree import Unproven

LONGEST = 20_000  # characters; planning can take the square of the length
PATIENCE = 5.0  # seconds for parsing and binding


@dataclass(frozen=True, slots=True)
class Read:
    """It only reads, and may run at once.

    Attributes:
        tables: The tables it reads, views and macros resolved: `name`, or `schema.name` outside
            `main`. DuckDB's own catalog is not listed.
    """

    sql: str
    tables: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """It would change data or schema: a person decides.

    Attributes:
        kind: `DELETE`, `UPDATE`, `INSERT`, `MERGE`, `TRUNCATE`, `CREATE`, `DROP`, `ALTER`,
            `COMMENT`, or `SEQUENCE` for a query that advances one; several joined by `+`.
    """

    sql: str
    kind: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """It is never asked about and never run; `because` tells the agent what to do instead."""

    sql: str
    because: str


Verdict: TypeAlias = Read | Change | Refuse


def classify(sql: str, path: Path) -> Verdict:
    """Say what `sql` would do to the database at `path`, without running it.

    Raises:
        duckdb.Error: The database itself cannot be opened.
    """
    try:
        plain(sql)
        with closing(open_sealed(path)) as connection:
            return judge(sql, connection)
    except Unproven as error:
        return Refuse(sql, f"{str(error)[:1].upper()}{str(error)[1:]}.")


def plain(sql: str) -> None:
    """Refuse text that people and parsers may read differently.

    DuckDB ends a comment at a lone carriage return, takes no-break spaces for spaces, and runs
    what follows a NUL; invisible characters hide from the person who decides.
    """
    if len(sql) > LONGEST:
        raise Unproven(f"it is longer than {LONGEST:,} characters; send a shorter statement")
    for character in sql.replace("\r\n", "\n"):
        if character in " \t\n":
            continue
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp"}:
            raise Unproven(
                f"it holds the invisible character U+{ord(character):04X}; write plain spaces and"
                " newlines, and chr() inside text"
            )


def judge(sql: str, connection: duckdb.DuckDBPyConnection) -> Verdict:
    """Say what `sql` would do to the database behind a sealed connection.

    Raises:
        Unproven: It is to be refused; the message says why.
    """
    try:
        with at_most(PATIENCE, connection):
            return verdict(sql, connection)
    except (QueryTooLong, RecursionError) as error:
        raise Unproven("it is too much to be understood; send a simpler statement") from error
    except duckdb.Error as error:
        raise Unproven(f"DuckDB cannot follow this: {first_line(error)}") from error


def verdict(sql: str, connection: duckdb.DuckDBPyConnection) -> Verdict:
    """Judge by the type that DuckDB gives the statement; a type not named here is refused."""
    kind, text = the_one_statement(sql, connection)
    case = Case(connection, look(connection), text)
    match kind:
        case "SELECT":
            found = case.query()
            kinds = "+".join(dict.fromkeys(found.writes))
            return Change(sql, kinds) if kinds else Read(sql, frozenset(found.tables))
        case "EXPLAIN":
            return Read(sql, frozenset(case.explanation().tables))
        case "INSERT" | "UPDATE" | "DELETE":
            return Change(sql, case.data_change())
        case "MERGE_INTO":
            case.names_and_binding()
            return Change(sql, "MERGE")
        case "CREATE" | "CREATE_FUNC" | "DROP" | "ALTER":
            return Change(sql, case.schema_change())
        case other:
            raise Unproven(INSTEAD.get(other, f"{other} statements are not for agents"))


def the_one_statement(sql: str, connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Return DuckDB's name for the type of the one statement in `sql`, and its text.

    The text lacks the comments that came first, and nothing else.
    """
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise Unproven(f"DuckDB cannot read this: {first_line(error)}") from error
    if len(statements) != 1:
        raise Unproven(f"it is {len(statements)} statements; send exactly one")
    text = statements[0].query
    before = sql.removesuffix(text)
    if before + text != sql or not all(token.is_comment for token in marks(before)):
        raise Unproven("there is something before the statement; send the statement alone")
    try:
        return str(statements[0].type.name), text
    except ValueError as error:  # the client does not know every type that its engine has
        raise Unproven("DuckDB has no name for this kind of statement") from error


INSTEAD = {
    "ATTACH": "other databases are out of reach; ask about this one",
    "CALL": "procedures are not for agents; to read, use SELECT",
    "COPY": "COPY reads or writes files; use export(sql, path) to write a report",
    "COPY_DATABASE": "databases are not copied from here; use export(sql, path)",
    "DETACH": "the database stays attached; just query it",
    "EXECUTE": "prepared statements do not outlive a call; send the statement with its values",
    "EXPORT": "EXPORT writes files; use export(sql, path) to write a report",
    "LOAD": "extensions are out of reach; use the functions that are built in",
    "MULTI": "it is more than one statement to DuckDB; for PIVOT, list the values with IN (…)",
    "PRAGMA": "PRAGMA is not for agents; use SHOW TABLES, DESCRIBE or SUMMARIZE to look around",
    "PREPARE": "prepared statements do not outlive a call; send the statement with its values",
    "SET": "settings and schema search stay as they are; write full names such as schema.table",
    "TRANSACTION": "each statement is a transaction of its own; send only the statement",
    "VACUUM": "maintenance is for the owner of the data; nothing needs it to be read",
    "VARIABLE_SET": "settings stay as they are; write the value into the statement",
}
