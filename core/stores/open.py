"""Name a store in one line, as on a command line: `open_store("sqlite:///approvals.db")`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

from ..model import StoreError
from .memory import MemoryStore
from .sqlite import SqliteStore

KnownStore: TypeAlias = MemoryStore | SqliteStore

KNOWN = "a store is named sqlite:///FILE, sqlite:FILE, FILE or memory:"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)


def open_store(url: str, *, create: bool = True) -> KnownStore:
    """Open the store that `url` names.

    After `sqlite:///` comes a path, so an absolute one has four slashes. The sentence of an error
    never repeats what follows a foreign scheme, because a password may stand there.

    Args:
        create: Make a file that is not there yet; otherwise that is an error.

    Raises:
        StoreError: Nothing is there, it cannot be used, or no such kind of store is known.
    """
    scheme, rest = _split(url)
    match scheme:
        case "memory" if not rest.strip("/"):
            return _in_memory(create=create)
        case "sqlite":
            return _in_file(_path(rest), create=create)
        case "postgres" | "postgresql":
            raise StoreError("a PostgreSQL store comes with the extra postgres, not built yet")
        case _:
            raise StoreError(f"no store goes by {scheme}:…; {KNOWN}")


def file_of(url: str) -> Path | None:
    """Return the file in which the store of that name is kept, and `None` for one that has none.

    >>> file_of("sqlite:///approvals.db"), file_of("memory:")
    (PosixPath('approvals.db'), None)
    """
    scheme, rest = _split(url)
    name = _path(rest) if scheme == "sqlite" else ""
    return Path(name) if name and name != ":memory:" else None


def _split(url: str) -> tuple[str, str]:
    found = _SCHEME.fullmatch(url)
    if found is None:
        return "sqlite", url
    return found[1].lower().partition("+")[0], found[2]


def _path(rest: str) -> str:
    """Return the path after `sqlite:`; two slashes would begin with the name of a host."""
    if rest.startswith("///"):
        return rest[3:]
    if rest.startswith("//"):
        raise StoreError("a SQLite store is a file of this machine: sqlite:///FILE")
    return rest


def _in_memory(*, create: bool) -> MemoryStore:
    if not create:
        raise StoreError("a store in memory is seen by its own process only; name a file")
    return MemoryStore()


def _in_file(name: str, *, create: bool) -> KnownStore:
    if name == ":memory:":
        return _in_memory(create=create)
    path = Path(name)
    if not name or "\0" in name or path.is_dir():
        raise StoreError(f"{name!r} is no file to keep a store in; {KNOWN}")
    if not create and not (path.is_file() and path.stat().st_size):
        raise StoreError(f"there is no store at {name}")
    return SqliteStore(path)
