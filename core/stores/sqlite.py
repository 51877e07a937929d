"""A store in one file: SQLite, safe against `kill -9`, shared by the processes of a machine."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from ..model import StoreError, utc_now
from .base import BaseStore
from .bell import Bell
from .executor import is_gone, this_process
from .forking import Lock, survive_forks
from .sqlite_file import Database
from .sqlite_tables import Tables
from .watching import Watchers


class SqliteStore(BaseStore):
    """Requests, votes and audit trail in the SQLite file at `path`; made when it is not there.

    Args:
        path: The file. Beside it lie `-wal` and `-shm` while it is in use, and `.key` once a
            secret parameter has been used. A network drive is no place for it.
        synchronous: `"FULL"`: what is committed survives a power cut. `"NORMAL"`: it survives
            `kill -9`, and the last moments may be missing after a power cut.
        patience: Seconds to wait for another process that is writing.

    Raises:
        StoreError: The file cannot be used: not a store, of a newer version, read-only, full,
            locked or damaged.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        synchronous: str = "FULL",
        patience: float = 5.0,
        clock: Callable[[], datetime] = utc_now,
        open_limit: int = 20_000,
        executor: Callable[[], str] = this_process,
        gone: Callable[[str], bool] = is_gone,
    ) -> None:
        super().__init__(clock=clock, open_limit=open_limit, executor=executor, gone=gone)
        self.path = Path(path)
        self._watchers = Watchers()
        self._database = Database(self.path, synchronous=synchronous, patience=patience)
        self._bell = Bell(self.path, self._watchers, self._database.news)
        survive_forks(self)

    @contextmanager
    def _write(self) -> Generator[Tables]:
        with self._database.transaction("BEGIN IMMEDIATE") as connection:
            yield Tables(connection)

    @contextmanager
    def _read(self) -> Generator[Tables]:
        with self._database.transaction("BEGIN") as connection:
            yield Tables(connection)

    def _announce(self, request_id: str) -> None:
        self._watchers.wake(request_id)
        self._bell.ring(request_id)

    def watch(
        self, request_id: str, changed: Callable[[], object], /
    ) -> AbstractContextManager[None]:
        self._bell.listen()
        return self._watchers.watch(request_id, changed)

    def fingerprint_key(self) -> bytes:
        """Return the key in the file beside the store, apart so that a copied store has none."""
        path = self.path.with_name(self.path.name + ".key")
        try:
            if not path.exists():
                _make_key(path)
            key = path.read_bytes()
        except OSError as error:
            raise StoreError(f"no key for fingerprints can be kept at {path}: {error}") from None
        if len(key) != 32:
            raise StoreError(f"{path} holds no key of 32 bytes")
        return key

    def close(self) -> None:
        self._bell.close()
        self._database.close()

    def before_fork(self) -> None:
        for lock in self._locks():
            lock.acquire()
        self._database.detach()

    def after_fork(self) -> None:
        for lock in reversed(self._locks()):
            lock.release()

    def _locks(self) -> tuple[Lock, ...]:
        """All there are, in the order in which they are taken."""
        return self._bell.lock, *self._database.locks, self._watchers.lock

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _make_key(path: Path) -> None:
    """Write a new key, whole or not at all; of several at once the first stays."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name) as file:  # mode 0600
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)
