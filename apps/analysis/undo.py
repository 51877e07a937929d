"""Keep the last states of a database file, and bring one back whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import NotADatabase, NothingToUndo

_CHUNK = 8 * 1024 * 1024  # bytes


def utc_now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of a database before one change.

    Attributes:
        number: Counts up; the highest is the last.
        at: When the change was made, ISO 8601 in UTC.
        sql: The change.
        effects: What it did, one sentence per table or definition.
        committed: `False` if the process was cut off in the middle of the commit, so that the
            change may or may not have happened. Undoing it is right in both cases.
    """

    number: int
    at: str
    sql: str
    effects: tuple[str, ...]
    committed: bool

    def __str__(self) -> str:
        doubt = "" if self.committed else " (cut off while it was saved: it may not have happened)"
        return f"{self.at}{doubt}: {self.sql.strip()} [{'; '.join(self.effects) or 'no rows'}]"


class Snapshots:
    """The earlier states of one database, in the folder `<file>.undo` beside it."""

    def __init__(self, path: Path, *, keep: int = 5, now: Callable[[], datetime] = utc_now) -> None:
        """Keep the last `keep` states of `path`; nothing is written yet."""
        self._path = path
        self._folder = path.with_name(path.name + ".undo")
        self._keep = keep
        self._now = now

    def take(self, fd: int) -> int:
        """Copy the open database file and return the number of the copy.

        It does not count as a snapshot until it is described.

        Raises:
            NotADatabase: There is no room for it, or the folder cannot be written.
        """
        number = max((found.number for found in self.all()), default=0) + 1
        try:
            self._folder.mkdir(exist_ok=True)
            self._forget_all_but({found.number for found in self.all()})
            part = self._folder / "copy.part"
            _copy(fd, part)
            part.replace(self._copy(number))
            _sync_folder(self._folder)
        except OSError as error:
            raise NotADatabase(
                f"No snapshot of {self._path.name} could be kept ({error.strerror}); "
                "nothing changed."
            ) from error
        return number

    def describe(self, number: int, sql: str, effects: tuple[str, ...], *, committed: bool) -> None:
        """Say what the change does: once before the commit, and again after it."""
        snapshot = Snapshot(
            number=number,
            at=self._now().isoformat(timespec="seconds"),
            sql=sql,
            effects=effects,
            committed=committed,
        )
        part = self._folder / "note.part"
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(snapshot), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._note(number))
        _sync_folder(self._folder)

    def discard(self, number: int) -> None:
        """Forget a snapshot whose change did not happen."""
        self._note(number).unlink(missing_ok=True)
        self._copy(number).unlink(missing_ok=True)

    def prune(self) -> None:
        """Forget all but the last few."""
        self._forget_all_but({found.number for found in self.all()[-self._keep :]})

    def all(self) -> list[Snapshot]:
        """Return what can be brought back, oldest first."""
        return sorted(
            (_read(note) for note in self._folder.glob("*.json") if self._has_copy(note)),
            key=lambda found: found.number,
        )

    def last(self) -> Snapshot:
        """Return what an undo would take back.

        Raises:
            NothingToUndo: No change is on record.
        """
        found = self.all()
        if not found:
            raise NothingToUndo(f"There is no change of {self._path.name} to undo.")
        return found[-1]

    def restore(self, snapshot: Snapshot) -> None:
        """Put the copy in the place of the database, in one step: a kill leaves one or the other.

        Whoever calls holds the database file and has emptied its write-ahead log.
        """
        self._copy(snapshot.number).replace(self._path)
        _sync_folder(self._path.parent)
        self._note(snapshot.number).unlink(missing_ok=True)

    def _copy(self, number: int) -> Path:
        return self._folder / f"{number:06}.duckdb"

    def _note(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

    def _has_copy(self, note: Path) -> bool:
        return note.with_suffix(".duckdb").exists()

    def _forget_all_but(self, kept: set[int]) -> None:
        for file in self._folder.glob("[0-9]*.*"):
            if file.stem.isdigit() and int(file.stem) not in kept:
                file.unlink(missing_ok=True)


def _read(note: Path) -> Snapshot:
    found: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    found["effects"] = tuple(found["effects"])
    return Snapshot(**found)


def _copy(fd: int, target: Path) -> None:
    """Copy an open file durably, without a second descriptor of it: closing one drops its locks."""
    state = os.fstat(fd)
    with target.open("wb") as file:
        offset = 0
        while chunk := os.pread(fd, _CHUNK, offset):
            file.write(chunk)
            offset += len(chunk)
        file.flush()
        os.fchmod(file.fileno(), state.st_mode & 0o777)
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
