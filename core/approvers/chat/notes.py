"""What was posted where: a small SQLite file of a chat window, which outlives `kill -9`."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    request TEXT, place TEXT, message TEXT, shown TEXT, tried REAL, told TEXT, over REAL,
    PRIMARY KEY (request, place, message)
) STRICT;
CREATE INDEX IF NOT EXISTS open_notes ON notes (over) WHERE over = 0;
CREATE TABLE IF NOT EXISTS reminders (
    request TEXT, place TEXT, text TEXT, sent INTEGER, PRIMARY KEY (request, place)
) STRICT;
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, until REAL) STRICT;
"""
KEPT = 30 * 86_400.0
"""Seconds for which a message is remembered after its request is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One message about one request.

    Attributes:
        message: Its id in the chat; empty until it is known to be there.
        shown: Fingerprint of what it says.
        tried: When a try to post it began whose end nobody knows, in Unix time; 0 without one.
        told: What was written under it last, of how the call ended.
    """

    request: str
    place: str
    message: str = ""
    shown: str = ""
    tried: float = 0.0
    told: str = ""


class Notes:
    """The file. Several processes may use it at once; one of them writes messages.

    Args:
        path: Made when it is not there. Beside it lies one with `.lock`.

    Raises:
        OSError: It cannot be opened, or holds something else.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock, self._guard = path, clock, threading.Lock()
        self._lock: IO[str] | None = None
        try:
            self._file = sqlite3.connect(
                path, timeout=10, isolation_level=None, check_same_thread=False
            )
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise OSError(f"{path} cannot keep what was posted: {error}") from None

    def want(self, request: str, place: str) -> None:
        """Wish for a message; a second wish for the same one is none."""
        self._do(
            "INSERT INTO notes SELECT ?, ?, '', '', 0, '', 0"
            " WHERE NOT EXISTS (SELECT 1 FROM notes WHERE request = ? AND place = ?)",
            *(request, place, request, place),
        )

    def adopt(self, request: str, place: str, message: str) -> None:
        """Take over a message of ours that may be unknown, and distrust what it shows."""
        known, unsent = (request, message), (self._clock(), request, place)
        with self._transaction():
            found = self._file.execute(
                "UPDATE notes SET shown = '', over = 0 WHERE request = ? AND message = ?", known
            )
            if not found.rowcount:
                self._file.execute(
                    "INSERT INTO notes VALUES (?, ?, ?, '', 0, '', 0)", (request, place, message)
                )
            self._file.execute(
                "UPDATE notes SET over = ? WHERE request = ? AND place = ? AND message = ''", unsent
            )

    def open(self) -> Sequence[Note]:
        """Return all that is not over, oldest first."""
        rows = self._do(
            "SELECT request, place, message, shown, tried, told FROM notes WHERE over = 0"
            " ORDER BY rowid"
        )
        return [
            Note(request=r, place=p, message=m, shown=s, tried=t, told=o)
            for r, p, m, s, t, o in rows
        ]

    def trying(self, note: Note, *, begun: bool) -> None:
        """Write down, before it is sent, that a message may be there soon; or that it is not."""
        self._set(note, "tried", self._clock() if begun else 0.0)

    def posted(self, note: Note, message: str, shown: str) -> None:
        """Write down that it is there. One that was adopted meanwhile is the same."""
        where = (note.request, note.place)
        with self._transaction():
            self._file.execute(
                "DELETE FROM notes WHERE request = ? AND place = ? AND message = ''", where
            )
            self._file.execute(
                "INSERT INTO notes VALUES (?, ?, ?, ?, 0, '', 0)"
                " ON CONFLICT DO UPDATE SET shown = excluded.shown, over = 0",
                (*where, message, shown),
            )

    def shows(self, note: Note, shown: str) -> None:
        """Write down what the message says now."""
        self._set(note, "shown", shown)

    def tell(self, note: Note, told: str) -> None:
        """Write down what was written under it."""
        self._set(note, "told", told)

    def close_note(self, note: Note) -> None:
        """Be done with it; what was done with long ago is forgotten."""
        self._set(note, "over", self._clock())
        self._do("DELETE FROM notes WHERE over > 0 AND over < ?", self._clock() - KEPT)

    def remind(self, request: str, place: str, text: str) -> None:
        """Wish for a reminder, once."""
        self._do("INSERT OR IGNORE INTO reminders VALUES (?, ?, ?, 0)", request, place, text)

    def reminder(self, note: Note) -> str:
        """Return the text of a reminder that has not been sent yet; empty without one."""
        where = "request = ? AND place = ? AND sent = 0"
        rows = self._do(f"SELECT text FROM reminders WHERE {where}", note.request, note.place)
        return str(rows[0][0]) if rows else ""

    def reminded(self, note: Note) -> None:
        """Write down that it was sent."""
        where = "request = ? AND place = ?"
        self._do(f"UPDATE reminders SET sent = 1 WHERE {where}", note.request, note.place)

    def fresh(self, key: str, seconds: float) -> bool:
        """Return whether `key` comes for the first time within so many seconds."""
        now = self._clock()
        with self._transaction():
            self._file.execute("DELETE FROM seen WHERE until <= ?", (now,))
            added = self._file.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, now + seconds)
            )
            return added.rowcount == 1

    def take(self) -> bool:
        """Become the process that writes messages; `False` while another one is."""
        if self._lock is None:
            file = self._path.with_name(f"{self._path.name}.lock").open("a", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            self._lock = file
        return True

    def close(self) -> None:
        """Let another process write messages. Closing twice is fine."""
        with self._guard:
            if self._lock is not None:
                self._lock.close()
                self._lock = None
            self._file.close()

    def _set(self, note: Note, column: str, value: object) -> None:
        where = "request = ? AND place = ? AND message = ?"
        key = (note.request, note.place, note.message)
        self._do(f"UPDATE notes SET {column} = ? WHERE {where}", value, *key)

    def _do(self, statement: str, *values: object) -> list[Any]:
        with self._transaction():
            return self._file.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """Do all of the block, or nothing of it."""
        try:
            with self._guard:
                self._file.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._file.execute("ROLLBACK")
                    raise
                self._file.execute("COMMIT")
        except sqlite3.Error as error:
            raise OSError(f"{self._path} cannot keep what was posted: {error}") from None
