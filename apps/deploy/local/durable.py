"""Bring to the disk what must not be lost, and say in a sentence when the disk refuses."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import Unreachable

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than it may be",
    errno.EROFS: "the file system can only be read",
    errno.EACCES: "it may not be written",
    errno.EPERM: "it may not be written",
    errno.ENAMETOOLONG: "a name is too long for its file system",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.EIO: "the disk does not work as it should",
    errno.ENOENT: "something that has to be there is missing",
    errno.ENOTDIR: "something that has to be a folder is none",
    errno.ELOOP: "a symbolic link lies where none may be",
}


@contextmanager
def reaching(folder: Path, doing: str, *, still: str = "nothing became current") -> Generator[None]:
    """Turn what the file system refuses into one sentence.

    Args:
        doing: What was being done, as it follows "while".
        still: What is as it was before.

    Raises:
        Unreachable: Whatever `OSError` came out of the block.
    """
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()
        raise Unreachable(f"{shown(folder)}: while {doing}, {reason}; {still}.") from error


def shown(path: Path | bytes | str) -> str:
    r"""Return a path as text that fits on one line; odd bytes and characters are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that whoever opens it finds the old bytes or the new ones, never half.

    Raises:
        OSError: It could not be written; the old bytes are still there.
    """
    beside = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    beside.replace(path)
    sync_folder(path.parent)


def write_all(file: int, content: bytes) -> None:
    """Write every byte: the system may take fewer at a time."""
    while content:
        content = content[os.write(file, content) :]


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_all(folder: Path) -> None:
    """Wait until all that was written to the file system of `folder` is on the disk.

    One call for ten thousand files costs a tenth of a second; one call per file costs minutes.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:  # only Linux can do this for one file system
        os.sync()
        return
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(file) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(file)
