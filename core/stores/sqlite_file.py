"""Opening a SQLite file so that a commit is a commit, and saying in a sentence why it cannot be."""

from __future__ import annotations

import os
import sqlite3 as standard
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ..model import StoreError
from .sqlite_schema import APPLICATION_ID, MIGRATIONS

PAGES_BETWEEN_CHECKPOINTS = 4000


def library() -> ModuleType:
    """Return the newest SQLite there is: the pysqlite3 wheel, else Python's own."""
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:
        return standard


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Return whether write-ahead logging works with two connections in that version.

    From 3.7.0 on a reset of the log at the wrong moment could lose a commit; it was mended in
    3.51.3, and in 3.50.7 and 3.44.6 for those who stayed behind.
    """
    series = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}
    return version >= series.get((version[0], version[1]), (3, 51, 3))


class Database:
    """One connection to the file, opened again after a fork, and one way to run a transaction."""

    def __init__(self, path: Path, *, synchronous: str, patience: float) -> None:
        if synchronous not in {"FULL", "NORMAL"}:
            raise ValueError(f"synchronous is FULL or NORMAL, not {synchronous!r}")
        self.path, self._synchronous, self._patience = path, synchronous, patience
        self._file = str(path.absolute())  # no name is special, and no later chdir matters
        self._sqlite = library()
        self._connection: Any = None
        self._opened = self._commits = 0
        self._closed = False
        self._lock, self._tidying = threading.RLock(), threading.Lock()
        self.locks = (self._lock, self._tidying)
        with explained(path):
            self._open()

    def _open(self) -> None:
        self._make_private()
        self._connection = self._connect()
        self._opened += 1
        try:
            self._set_up()
        except BaseException:
            self.detach()
            raise

    def _make_private(self) -> None:
        """Arguments of calls are nobody else's business."""
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def _connect(self) -> Any:
        return self._sqlite.connect(
            self._file,
            timeout=self._patience,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    def _set_up(self) -> None:
        run = self._connection.execute
        run("BEGIN")  # both numbers of one moment: another process may be making the tables
        application, version = run("PRAGMA application_id"), run("PRAGMA user_version")
        self._recognise(application.fetchone()[0], version.fetchone()[0])
        run("COMMIT")
        if wal_is_safe(self._sqlite.sqlite_version_info):
            self._patiently("PRAGMA journal_mode = WAL")
            run(f"PRAGMA synchronous = {self._synchronous}")
            run(f"PRAGMA wal_autocheckpoint = {PAGES_BETWEEN_CHECKPOINTS * 10}")
        else:
            self._patiently("PRAGMA journal_mode = DELETE")
            run("PRAGMA synchronous = EXTRA")
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA trusted_schema = OFF")
        self._migrate()

    def _patiently(self, statement: str) -> None:
        """Run a statement for whose lock SQLite itself does not wait."""
        give_up = time.monotonic() + self._patience
        while True:
            try:
                self._connection.execute(statement)
            except self._sqlite.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= give_up:
                    raise
                time.sleep(0.005)
            else:
                return

    def _recognise(self, application: int, version: int) -> None:
        if application != APPLICATION_ID:
            query = "SELECT count(*) FROM sqlite_master"
            if application or self._connection.execute(query).fetchone()[0]:
                raise StoreError(f"{self.path} is a SQLite file, but not a store of approvals")
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer version of this program (schema {version},"
                f" and this one knows {len(MIGRATIONS)})"
            )

    def _migrate(self) -> None:
        run = self._connection.execute
        if run("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS):
            return
        run("BEGIN IMMEDIATE")
        try:
            version = run("PRAGMA user_version").fetchone()[0]
            for migration in MIGRATIONS[version:]:
                for statement in migration:
                    run(statement)
            run(f"PRAGMA application_id = {APPLICATION_ID}")
            run(f"PRAGMA user_version = {len(MIGRATIONS)}")
            run("COMMIT")
        except BaseException:
            run("ROLLBACK")
            raise

    @contextmanager
    def transaction(self, begin: str) -> Generator[Any]:
        """Run a block between `begin` and COMMIT; anything raised inside rolls it back."""
        with self._lock, explained(self.path):
            connection = self._current()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        if begin == "BEGIN IMMEDIATE":
            self._count_commit()

    def _current(self) -> Any:
        if self._closed:
            raise StoreError(f"the store {self.path} is closed")
        if self._connection is None:
            self._open()
        return self._connection

    def _count_commit(self) -> None:
        """Tidy the log away from the calls: a checkpoint on the call path costs milliseconds."""
        self._commits += 1
        if self._commits % (PAGES_BETWEEN_CHECKPOINTS // 4) == 0:
            threading.Thread(target=self._checkpoint, daemon=True, name="checkpoint").start()

    def _checkpoint(self) -> None:
        with suppress(Exception), self._tidying:  # the next one, or closing, does it again
            connection = self._connect()
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            connection.close()

    def news(self) -> Callable[[], list[str]]:
        """Return a function that returns which requests have changed since it was last called.

        It asks for the records only when others have committed.
        """
        seen, last = (0, 0), 0

        def look() -> list[str]:
            nonlocal seen, last
            with self.transaction("BEGIN") as connection:
                run = connection.execute
                version = (self._opened, int(run("PRAGMA data_version").fetchone()[0]))
                if version == seen:
                    return []
                query = "SELECT request, seq FROM audit WHERE seq > ?"
                found = run(query, (last,)).fetchall()
            seen, last = version, max([last, *(seq for _, seq in found)])
            return [*{request_id for request_id, _ in found}]

        with self.transaction("BEGIN") as connection:
            query = "SELECT coalesce(max(seq), 0) FROM audit"
            last = int(connection.execute(query).fetchone()[0])

        return look

    def detach(self) -> None:
        """Let go of the file; the next transaction opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def close(self) -> None:
        """Let go of the file for good."""
        with self._lock:
            self._closed = True
            self.detach()


REASONS = (
    ("locked", "is locked by another process; try again"),
    ("busy", "is locked by another process; try again"),
    ("readonly", "cannot be written: it is read-only"),
    ("read-only", "cannot be written: it is read-only"),
    ("full", "cannot be written: the disk is full"),
    ("disk I/O error", "cannot be read or written: the disk reports an error"),
    ("unable to open", "cannot be opened: is the folder there, and may it be written?"),
    ("not a database", "is not a SQLite file"),
    ("malformed", "is damaged; restore it from a copy"),
)


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turn what SQLite and the file system say into one sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, PermissionError) and type(error) is not PermissionError:
            raise
        raise StoreError(f"the store {path} cannot be opened: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise StoreError(f"the store {path} is damaged; restore it from a copy") from None
    except UnicodeEncodeError:
        raise StoreError(f"the store {path} cannot keep a text that is not Unicode") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"sqlite3", "pysqlite3"}:
            raise
        text = str(error)
        reason = next((said for word, said in REASONS if word in text), f"failed: {text}")
        raise StoreError(f"the store {path} {reason}") from None
