"""Add lines to a file, each on the disk before anybody relies on it, and read the whole ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .durable import sync_folder, write_all


def append_line(path: Path, line: str) -> None:
    """Add one line; it is on the disk when this returns.

    What a killed process has left of a line is taken away first: nobody was told that it is there.

    Raises:
        ValueError: It is more than one line.
        OSError: It could not be written; the lines before it are as they were.
    """
    if "\n" in line:
        raise ValueError("one line has no line break in it")
    is_new = not path.exists()
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o644)
    try:
        end = _end_of_lines(file)
        os.ftruncate(file, end)
        try:
            os.lseek(file, end, os.SEEK_SET)
            write_all(file, line.encode("utf-8", "surrogatepass") + b"\n")
            os.fsync(file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, end)
            raise
    finally:
        os.close(file)
    if is_new:
        sync_folder(path.parent)


def _end_of_lines(file: int) -> int:
    """Return the size of an open file up to its last line break."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - 4096)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def whole_lines(path: Path) -> Sequence[str]:
    """Return the lines of a file; what follows the last line break is none yet."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return [line.decode("utf-8", "replace") for line in content.split(b"\n")[:-1]]
