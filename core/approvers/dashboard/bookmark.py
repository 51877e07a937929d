"""How far along the audit trail somebody has read: a number in a file that outlives `kill -9`."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO

from ...model import Store


class Bookmark:
    """A place in the trail. One process at a time may move it on; the file is replaced as a whole.

    Args:
        path: The file. Beside it lie one with `.lock` and, for a moment, one with `.new`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[str] | None = None

    def begin(self, store: Store) -> None:
        """Put a new bookmark at the end of the trail: the past is not news.

        Raises:
            OSError: It cannot be written, or one that is there belongs to another trail.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            place = self.read()
            if place and next(store.trail(after=place - 1), None) is None:
                raise OSError(f"{self._path} is the bookmark of a longer trail, of another store")
            return
        last = deque(store.trail(), maxlen=1)
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, encoding="ascii") as file:
            _write(file, last[0].seq if last else 0)
            with suppress(FileExistsError):  # of several at once the first stays
                os.link(file.name, self._path)

    def take(self) -> None:
        """Become the one who moves it on.

        Raises:
            BlockingIOError: Another process is.
        """
        if self._lock is None:
            file = self._path.with_name(f"{self._path.name}.lock").open("a", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise BlockingIOError("another process does this at the moment") from None
            self._lock = file

    def release(self) -> None:
        """Let another process take it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read(self) -> int:
        """Return the number of the last record that is done with.

        Raises:
            OSError: The file is not there, or holds something else.
        """
        text = self._path.read_text("ascii", "replace").strip()
        if not text.isdecimal():
            raise OSError(f"{self._path.name} holds no place in the trail")
        return int(text)

    def write(self, seq: int) -> None:
        """Move it on. Whatever is killed leaves this place or the one before, never half of one."""
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("w", encoding="ascii") as file:
            _write(file, seq)
        beside.replace(self._path)


def _write(file: IO[str], seq: int) -> None:
    file.write(f"{seq}\n")
    file.flush()
    os.fsync(file.fileno())
