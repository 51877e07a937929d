"""Keep what a service prints, up to a size, and read the end of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .durable import write_all
from .printed import readable

MOST = 5_000_000  # bytes; as many are kept of what came before
READ = 1_000_000  # bytes of the end that are looked at


class ServiceLog:
    """A file that is moved aside when it is full.

    A disk that is full must not end the service, so what cannot be written is lost.
    """

    def __init__(self, path: Path, *, most: int = MOST) -> None:
        self._path, self._most = path, most
        self._size = most  # unknown: the first line looks
        self._file: int | None = None

    def take(self, chunk: bytes) -> None:
        """Add a piece."""
        with suppress(OSError):
            if self._file is None:
                self._open()
            if self._size + len(chunk) > self._most and self._size:
                self.close()
                self._path.replace(older(self._path))
                self._open()
            if self._file is not None:
                write_all(self._file, chunk)
                self._size += len(chunk)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._file).st_size

    def close(self) -> None:
        """Close the file; the next piece opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def older(path: Path) -> Path:
    """Return where the log went when it was full."""
    return path.with_name(f"{path.name}.1")


def last_lines(path: Path, lines: int) -> str:
    r"""Return the last lines of a log as text; odd bytes are written as `\xNN`."""
    content = _end(path)
    if content.count(b"\n") < lines:
        content = _end(older(path)) + content
    found = readable(content[-READ:]).rstrip("\n").split("\n")
    return "\n".join(found[-lines:]) if lines > 0 else ""


def _end(path: Path) -> bytes:
    """Return the end of a file; of one that is not there, nothing."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - READ))
            return file.read(READ)
    except FileNotFoundError:
        return b""
