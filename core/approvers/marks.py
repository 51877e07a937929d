"""Remember what was done, so that a new start does not do it again: an empty file for each."""

from __future__ import annotations

import hashlib
from pathlib import Path


class Marks:
    """Marks in a folder, which outlive `kill -9`. Without a folder they end with the process.

    Do the thing, then mark it: whatever is killed in between is done once more, and never lost.

    Args:
        folder: Made with the first mark; beside the store, because its requests are meant.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder, self._known = folder, set[str]()

    def has(self, key: str) -> bool:
        """Whether it was done."""
        if key in self._known:
            return True
        return self._folder is not None and (self._folder / _name(key)).exists()

    def put(self, key: str) -> None:
        """Remember that it was done.

        Raises:
            OSError: The folder cannot be written to.
        """
        self._known.add(key)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / _name(key)).touch()


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()
