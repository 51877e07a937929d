"""Hold the one connection that can change the database, for one statement and no longer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from .errors import NotADatabase, Stopped, explained, is_lock
from .stopping import stoppable

T = TypeVar("T")

_locks: dict[Path, threading.RLock] = {}
_locks_guard = threading.Lock()


def only_one(path: Path) -> threading.RLock:
    """Return the lock of this file: a process cannot hold one file for reading and writing."""
    with _locks_guard:
        return _locks.setdefault(path.resolve(), threading.RLock())


def patiently(
    attempt: Callable[[], T],
    path: Path,
    *,
    patience: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Try again for `patience` seconds while somebody else holds the file.

    Raises:
        Locked: The file was held all that time.
        AnalysisError: DuckDB refused for another reason; its words are in the message.
    """
    give_up = clock() + patience
    while True:
        try:
            return attempt()
        except duckdb.Error as error:
            if not is_lock(error) or clock() >= give_up:
                raise explained(error, path.name) from error
        except KeyboardInterrupt as error:
            raise Stopped from error
        except RuntimeError as error:  # how DuckDB passes Ctrl-C on
            if str(error) != "Query interrupted":
                raise
            raise Stopped from error
        sleep(0.05)


@dataclass(slots=True, kw_only=True)
class Writable:
    """A database file held for writing.

    Attributes:
        con: Runs the statement.
        old: A second view of the same database, which sees what is committed.
        fd: The open file. It must outlive `con`: closing any descriptor of a file drops the
            locks that the process holds on it, the one of `con` too.
        seconds: How long the statement may take.
    """

    con: duckdb.DuckDBPyConnection
    old: duckdb.DuckDBPyConnection
    fd: int
    seconds: float

    def within_time(self, work: Callable[[], T]) -> T:
        """Do some work on the two connections, and stop it when it takes too long.

        Raises:
            Interrupted: The time was over, or somebody pressed Ctrl-C.
        """
        return stoppable(work, (self.con, self.old), seconds=self.seconds)


def _connect(path: Path, memory: str) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(
        str(path),
        config={
            "enable_external_access": "false",
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "python_enable_replacements": "false",
            "memory_limit": memory,
        },
    )
    # A rehearsal leaves the file alone; a change asks for its checkpoint itself.
    con.execute("PRAGMA disable_checkpoint_on_shutdown")
    con.execute("SET lock_configuration = true")
    return con


@contextmanager
def writable(
    path: Path, *, seconds: float, patience: float = 2.0, memory: str = "2GB"
) -> Generator[Writable]:
    """Open the file for writing, cut off from other files, the network and extensions.

    Raises:
        NotADatabase: The file is missing or not a database.
        Locked: Somebody else holds it for longer than `patience` seconds.
    """
    with only_one(path):
        try:
            fd = os.open(path, os.O_RDWR)
        except OSError as error:
            raise NotADatabase(f"{path.name} cannot be opened: {error.strerror}.") from error
        try:
            con = patiently(lambda: _connect(path, memory), path, patience=patience)
            old = con.cursor()
            try:
                yield Writable(con=con, old=old, fd=fd, seconds=seconds)
            finally:
                old.close()
                con.close()
        finally:
            os.close(fd)
