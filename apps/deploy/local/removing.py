"""Remove a folder with all it holds, even what may not be written, and follow no link."""

from __future__ import annotations

import os
import stat
from itertools import count
from pathlib import Path

REAL_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
GOING = ".removing-"


def remove(top: Path, name: str) -> None:
    """Remove the folder `name` of `top`; what an interruption leaves is called `.removing-…`.

    However deep it is: folders inside are moved up beside it, and removed from there.

    Raises:
        OSError: Something in it cannot be removed.
    """
    parent = os.open(top, REAL_FOLDER)
    try:
        if not _is_folder(parent, name):
            os.unlink(name, dir_fd=parent)
            return
        taken = set(os.listdir(parent))  # noqa: PTH208 - of an open folder
        fresh = (f"{GOING}{n}" for n in count() if f"{GOING}{n}" not in taken)
        going = [name]
        if not name.startswith(GOING):
            going = [next(fresh)]
            os.rename(name, going[0], src_dir_fd=parent, dst_dir_fd=parent)
        while going:
            one = going.pop()
            inside = _opened(parent, one)
            try:
                for child in _emptied(inside):
                    going.append(next(fresh))
                    os.rename(child, going[-1], src_dir_fd=inside, dst_dir_fd=parent)
            finally:
                os.close(inside)
            os.rmdir(one, dir_fd=parent)
    finally:
        os.close(parent)


def _opened(parent: int, name: str) -> int:
    """Open a real folder so that it can be emptied, whatever its mode says."""
    try:
        file = os.open(name, REAL_FOLDER, dir_fd=parent)
    except PermissionError:
        if not _is_folder(parent, name):
            raise
        os.chmod(name, 0o700, dir_fd=parent)
        file = os.open(name, REAL_FOLDER, dir_fd=parent)
    if os.fstat(file).st_mode & 0o700 != 0o700:
        os.fchmod(file, 0o700)
    return file


def _is_folder(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _emptied(folder: int) -> list[bytes]:
    """Remove everything in an open folder but folders; return the names of those."""
    folders: list[bytes] = []
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        name = os.fsencode(entry.name)
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(name, dir_fd=folder)
            continue
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError:
            # A folder can only be moved by who may write it.
            os.close(_opened(folder, entry.name))
            folders.append(name)
    return folders
