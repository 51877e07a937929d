"""Bring to the disk what must not be lost, one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MailError

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system can only be read",
    errno.EACCES: "it may not be read or written",
    errno.EPERM: "it may not be read or written",
    errno.ENOENT: "something that has to be there is missing",
    errno.ENOTDIR: "something that has to be a folder is none",
    errno.EMFILE: "too many files are open",
    errno.EIO: "the disk does not work as it should",
}
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LOCK_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def reaching(folder: Path, doing: str) -> Generator[None]:
    """Turn what the file system refuses into one sentence.

    Args:
        doing: What was being done, as it follows "while".

    Raises:
        MailError: Whatever `OSError` came out of the block.
    """
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()
        raise MailError(
            f"{folder}: while {doing}, {reason}; what was begun is finished when it works again."
        ) from error


@contextmanager
def locked(path: Path, *, patience: float = 60.0) -> Generator[None]:
    """Hold a lock that ends with the process, however that ends; threads exclude each other too.

    Args:
        patience: Seconds to wait for whoever holds it.

    Raises:
        MailError: Somebody has held it for so long.
    """
    until = time.monotonic() + patience
    file = os.open(path, LOCK_FILE, 0o600)
    try:
        while not _taken(file):
            if time.monotonic() >= until:
                raise MailError(
                    f"{path.parent}: another process has been busy there for {patience:.0f}"
                    " seconds; nothing was done: try again later."
                )
            time.sleep(0.002)
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)  # a forked child may still have it open
        os.close(file)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet; its bytes are on the disk when this returns."""
    file = os.open(path, NEW_FILE, 0o600)
    try:
        write_all(file, content)
        os.fsync(file)
    finally:
        os.close(file)


def append_lines(path: Path, lines: bytes, *, sync: bool = True) -> None:
    """Add whole lines to a file, all of them or none.

    What a killed process has left of a line is taken away first: nobody was told that it is there.
    """
    is_new = not path.exists()
    file = os.open(path, LOCK_FILE | os.O_RDWR, 0o600)
    try:
        end = _end_of_lines(file)
        os.ftruncate(file, end)
        os.lseek(file, end, os.SEEK_SET)
        try:
            write_all(file, lines)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, end)
            raise
        if sync:
            os.fsync(file)
    finally:
        os.close(file)
    if is_new and sync:
        sync_folder(path.parent)


def read_lines(path: Path, start: int) -> tuple[list[bytes], int]:
    """Return the whole lines from byte `start` on, and the byte after them."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
    except FileNotFoundError:
        return [], 0
    whole = content[: content.rfind(b"\n") + 1]
    return whole.split(b"\n")[:-1], start + len(whole)


def write_all(file: int, content: bytes) -> None:
    """Write every byte: the system may take fewer at a time."""
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


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
