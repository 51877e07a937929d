"""Read from a database over a connection that could do nothing else."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread

import duckdb

from .stopping import stoppable

BOLTED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "temp_directory": "",
}


class QueryTooLong(TimeoutError):
    """The statement was interrupted; it changed nothing."""


class NotSealed(RuntimeError):
    """The connection could not be closed off, so it is not handed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a statement returned.

    Attributes:
        columns: Column names, in order; names may repeat.
        types: DuckDB's type name of each column, such as `DECIMAL(10,2)`.
        rows: One tuple per row, as long as `columns`.
        truncated: There were more rows than were asked for.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    truncated: bool


def read(
    path: Path, sql: str, *, rows: int = 1000, seconds: float = 30.0, memory: str = "1GB"
) -> Rows:
    """Run one statement on a sealed connection of its own and return at most `rows` rows.

    Raises:
        QueryTooLong: It took more than `seconds`.
        Stopped: Somebody pressed Ctrl-C.
        duckdb.Error: DuckDB refused it, or needed more than `memory` (there is no spilling).
    """
    with closing(open_sealed(path, memory=memory)) as connection:
        return stoppable(partial(_fetched, connection, sql, rows, seconds), [connection])


def _fetched(connection: duckdb.DuckDBPyConnection, sql: str, rows: int, seconds: float) -> Rows:
    with at_most(seconds, connection):
        # `statements` came out of one parse and is what runs: nothing is parsed a second time.
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise duckdb.InvalidInputException(f"expected one statement, got {len(statements)}")
        cursor = connection.execute(statements[0])
        found = cursor.fetchmany(rows + 1)
        described = cursor.description or []
        return Rows(
            columns=tuple(str(column[0]) for column in described),
            types=tuple(str(column[1]) for column in described),
            rows=tuple(tuple(row) for row in found[:rows]),
            truncated=len(found) > rows,
        )


def open_sealed(path: Path, *, memory: str = "1GB") -> duckdb.DuckDBPyConnection:
    """Open `path` so that nothing can be written, and no file, network or extension reached.

    Only what lives and dies with the connection (a temporary table, a prepared statement) can
    still be made, and a temporary table can hide a real one: use a new connection per statement.
    Sealed connections of one process to one file share its memory limit; the first one sets it.

    Raises:
        duckdb.Error: The file is missing, locked, open for writing in this process, or no database.
        NotSealed: The file was already open here, read-only but with its doors open.
    """
    connection = duckdb.connect(str(path), read_only=True, config=BOLTED)
    try:
        lock(connection, memory)
        if not is_sealed(connection):
            raise NotSealed(f"{path} is open elsewhere in this process without being sealed")
    except BaseException:
        connection.close()
        raise
    return connection


def lock(connection: duckdb.DuckDBPyConnection, memory: str) -> None:
    """Take the file system away, then the means to get it back. The order matters.

    External access can no longer be set once the file system is gone, so it went first, when
    the connection was opened; the configuration is locked last.
    """
    if is_sealed(connection):
        return
    try:
        connection.execute("SET memory_limit = $limit", {"limit": memory})
        connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        connection.execute("SET lock_configuration = true")
    except duckdb.InvalidInputException:
        # Another thread sealed the shared instance first; locking is its last step.
        if not is_sealed(connection):
            raise


def is_sealed(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether nothing is left to write to, reach, or unlock."""
    return state(connection) == ("read_only", False, True) and not has_files(connection)


def state(connection: duckdb.DuckDBPyConnection) -> tuple[object, ...]:
    """Return three settings, asked by full names: a macro of the database could hide the rest."""
    row = connection.execute(
        "SELECT system.main.current_setting('access_mode'),"
        " system.main.current_setting('enable_external_access'),"
        " system.main.current_setting('lock_configuration')"
    ).fetchone()
    return tuple(row or ())


def has_files(connection: duckdb.DuckDBPyConnection) -> bool:
    """Try the door: `disabled_filesystems` reads back as empty whatever it holds."""
    try:
        connection.execute("FROM system.main.glob('/')")
    except duckdb.PermissionException as error:
        return "LocalFileSystem has been disabled" not in str(error)
    return True


@contextmanager
def at_most(seconds: float, connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Interrupt `connection` after `seconds`; DuckDB has no statement timeout of its own."""
    rang, over = Event(), Event()

    def ring() -> None:
        if not over.wait(seconds):
            rang.set()
        while not over.wait(0.05):  # an interruption between two statements is lost
            connection.interrupt()

    clock = Thread(target=ring, daemon=True)
    clock.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not rang.is_set():
            raise
        raise QueryTooLong(
            f"the statement took more than {seconds:g} seconds and was stopped; nothing changed;"
            " ask for less, for example with a narrower WHERE"
        ) from error
    finally:
        over.set()
        clock.join()  # a late ring must not reach a closed connection
