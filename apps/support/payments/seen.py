"""A small file that remembers which messages were dealt with, so that none is twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import final

from ..errors import ConfigError

KEPT = 90 * 86_400  # seconds; Stripe sends a message again for days, people for weeks
SECONDS = 30.0  # to wait for another process


@final
class Seen:
    """Messages by their id. Threads and processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Make the file if it is missing.

        Raises:
            ConfigError: It cannot be used.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=SECONDS)) as database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at REAL NOT NULL)"
                )
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"{path} cannot remember messages: {error}.") from None

    def once(self, ident: str, do: Callable[[], None], *, now: float) -> bool:
        """Deal with a message, unless that was done; return whether it was done now.

        It is remembered after it was done: killed in between, it is done once more, so what is
        done has to bear that. Meanwhile nobody else deals with anything.

        Raises:
            Whatever `do` raises; then the message is not remembered.
        """
        with self._alone() as database:
            if database.execute("SELECT 1 FROM seen WHERE id = ?", (ident,)).fetchone():
                return False
            do()
            database.execute("INSERT INTO seen VALUES (?, ?)", (ident, now))
            database.execute("DELETE FROM seen WHERE at < ?", (now - KEPT,))
        return True

    @contextmanager
    def _alone(self) -> Generator[sqlite3.Connection]:
        """Hold the file's lock; what is written stays only if nothing is raised."""
        opened = sqlite3.connect(self.path, timeout=SECONDS, isolation_level=None)
        with closing(opened) as database:
            database.execute("BEGIN IMMEDIATE")
            yield database  # closing without a commit takes everything back
            database.execute("COMMIT")
