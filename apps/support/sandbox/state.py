"""What this Stripe knows, in one SQLite file that several processes may share."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import SupportError
from .errors import Json

PATIENCE = 30.0
MARK = 0x57121BE  # says that a file is one of ours
SCHEMA = (
    """CREATE TABLE objects (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL,
        id TEXT NOT NULL GENERATED ALWAYS AS (body ->> 'id') STORED UNIQUE,
        object TEXT NOT NULL GENERATED ALWAYS AS (body ->> 'object') STORED,
        created INTEGER NOT NULL GENERATED ALWAYS AS (body ->> 'created') STORED,
        charge TEXT GENERATED ALWAYS AS (body ->> 'charge') VIRTUAL,
        customer TEXT GENERATED ALWAYS AS (body ->> 'customer') VIRTUAL,
        payment_intent TEXT GENERATED ALWAYS AS (body ->> 'payment_intent') VIRTUAL,
        email TEXT GENERATED ALWAYS AS (body ->> 'email') VIRTUAL,
        type TEXT GENERATED ALWAYS AS (body ->> 'type') VIRTUAL) STRICT""",
    "CREATE INDEX by_age ON objects (object, created, seq)",
    *(
        f"CREATE INDEX by_{name} ON objects (object, {name}, created, seq)"
        for name in ("charge", "customer", "payment_intent", "email")
    ),
    """CREATE TABLE keys (key TEXT PRIMARY KEY, request TEXT NOT NULL, endpoint TEXT NOT NULL,
        digest TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
        at INTEGER NOT NULL) STRICT""",
    """CREATE TABLE later (refund TEXT PRIMARY KEY, becomes TEXT NOT NULL,
        at REAL NOT NULL) STRICT""",
    """CREATE TABLE deliveries (id INTEGER PRIMARY KEY, event TEXT NOT NULL, url TEXT NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL, state TEXT NOT NULL) STRICT""",
    "CREATE INDEX deliveries_due ON deliveries (state, at)",
    """CREATE TABLE faults (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL,
        left INTEGER NOT NULL) STRICT""",
)


def library() -> ModuleType:
    """Return the newest SQLite there is: the pysqlite3 wheel, else Python's own."""
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:
        return sqlite3


class Busy(SupportError):
    """Another process has been writing for too long; nothing was changed here."""


class State:
    """The open file. Threads take turns; processes wait for each other.

    Args:
        patience: Seconds to wait for another process.

    Raises:
        SupportError: The file is something else, or cannot be opened.
    """

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self.path, self._patience = path, patience
        self._sqlite, self._lock = library(), threading.RLock()
        try:
            self._connection: Any = self._sqlite.connect(
                str(path.absolute()),
                timeout=patience,
                isolation_level=None,
                check_same_thread=False,
            )
        except self._sqlite.Error as error:
            raise SupportError(f"{path} cannot be opened ({error})") from None
        try:
            self._set_up()
        except self._sqlite.DatabaseError as error:
            self.close()
            raise SupportError(f"{path} cannot be used ({error})") from None
        except SupportError:
            self.close()
            raise

    def _set_up(self) -> None:
        run = self._connection.execute
        with self.writing():
            mark = run("PRAGMA application_id").fetchone()[0]
            if mark != MARK:
                if mark or run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    raise SupportError(f"{self.path} is a SQLite file, but not a sandbox's.")
                for statement in SCHEMA:
                    run(statement)
                run(f"PRAGMA application_id = {MARK}")
        # Write-ahead logs of older versions could lose a commit when two processes write.
        modern = self._sqlite.sqlite_version_info >= (3, 51, 3)
        self._patiently(f"PRAGMA journal_mode = {'WAL' if modern else 'DELETE'}")
        run("PRAGMA synchronous = NORMAL")  # outlives kill -9; a power cut may take the last ones

    def _patiently(self, statement: str) -> None:
        """Run a statement for whose lock SQLite itself does not wait."""
        give_up = time.monotonic() + self._patience
        while True:
            try:
                self._connection.execute(statement)
            except self._sqlite.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.005)
            else:
                return

    @contextmanager
    def writing(self) -> Generator[Rows]:
        """Yield the rows for one change: all of it, or nothing."""
        with self._transaction("BEGIN IMMEDIATE") as rows:
            yield rows

    @contextmanager
    def reading(self) -> Generator[Rows]:
        """Yield the rows as they are at one moment."""
        with self._transaction("BEGIN") as rows:
            yield rows

    @contextmanager
    def _transaction(self, begin: str) -> Generator[Rows]:
        with self._lock:
            self._run(begin)
            try:
                yield Rows(self._connection)
                self._run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _run(self, statement: str) -> None:
        try:
            self._connection.execute(statement)
        except self._sqlite.OperationalError as error:
            raise Busy(f"{self.path} is in use by another process ({error})") from None

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._connection.close()


class Rows:
    """What may be done to the file within one transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        return list(self._connection.execute(statement, values).fetchall())

    def add(self, one: Json) -> None:
        """Write an object that is new."""
        self.run("INSERT INTO objects (body) VALUES (?)", json.dumps(one))

    def change(self, one: Json) -> None:
        """Write an object that was there before."""
        self.run("UPDATE objects SET body = ? WHERE id = ?", json.dumps(one), one["id"])

    def find(self, kind: str, ident: str) -> Json | None:
        """Return an object by its id."""
        found = self.run("SELECT body FROM objects WHERE id = ? AND object = ?", ident, kind)
        return json.loads(found[0][0]) if found else None

    def all(self, kind: str, **where: str) -> list[Json]:
        """Return objects whose columns have these values, oldest first."""
        conditions = "".join(f" AND {name} = ?" for name in where)
        query = f"SELECT body FROM objects WHERE object = ?{conditions} ORDER BY created, seq"
        return [json.loads(body) for (body,) in self.run(query, kind, *where.values())]

    def page(
        self, kind: str, conditions: Iterable[tuple[str, Any]], order: str, most: int
    ) -> list[Json]:
        """Return at most so many objects that fulfil conditions such as `("created > ?", 5)`."""
        given = list(conditions)
        where = "".join(f" AND {text}" for text, _ in given)
        query = (
            f"SELECT body FROM objects WHERE object = ?{where}"
            f" ORDER BY created {order}, seq {order} LIMIT ?"
        )
        values = [value for _, value in given]
        return [json.loads(body) for (body,) in self.run(query, kind, *values, most)]

    def place(self, kind: str, ident: str) -> tuple[int, int] | None:
        """Return where an object stands among those of its kind."""
        query = "SELECT created, seq FROM objects WHERE id = ? AND object = ?"
        found = self.run(query, ident, kind)
        return (found[0][0], found[0][1]) if found else None
