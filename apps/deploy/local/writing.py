"""Write the tree of a commit into a new folder, byte for byte, and nowhere else."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from ..errors import Unshippable
from ..model import Entry
from .durable import shown, write_all
from .links import look_at_links

DEEPEST = 200  # folders in folders: each is held open while its files are written
LONGEST = 3000  # bytes; with the folder before it, a path must stay below 4096
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
REAL_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MODES = {"100644": 0o644, "100755": 0o755}
NO_NAMES = frozenset((b"", b".", b"..", b".git"))


def write_tree(
    folder: Path, files: Iterable[tuple[Entry, bytes]], *, shared: Collection[bytes] = ()
) -> None:
    """Make `folder` and write every entry into it, with exactly its mode, whatever the umask.

    Links come last, after all of them were looked at: while files are written there is no link
    that anything could be written through. Every folder is opened by its parent and must be a
    real one, every file must be new, so nobody who meddles meanwhile can lead a byte elsewhere.

    Raises:
        Unshippable: A path or a link leads out of the folder, or two entries are in each other's
            way; some files may be there already.
        OSError: The disk refuses.
    """
    folder.mkdir()
    links: dict[bytes, bytes] = {}
    with OpenFolders(folder) as folders:
        for entry, content in files:
            if entry.mode == "120000":
                _look_at_path(entry.path)
                if entry.path in links:
                    raise _in_the_way(entry.path)
                links[entry.path] = content
            else:
                _write_file(folders, entry.path, MODES[entry.mode], content)
        look_at_links(links, shared)
        for path, target in links.items():
            parent, name = folders.of(path)
            try:
                os.symlink(target, name, dir_fd=parent)
            except FileExistsError as error:
                raise _in_the_way(path) from error


def _write_file(folders: OpenFolders, path: bytes, mode: int, content: bytes) -> None:
    parent, name = folders.of(path)
    try:
        file = os.open(name, NEW_FILE, mode, dir_fd=parent)
    except FileExistsError as error:
        raise _in_the_way(path) from error
    try:
        os.fchmod(file, mode)
        write_all(file, content)
    finally:
        os.close(file)


class OpenFolders:
    """The folders on the way to the file that is written, all of them real, all of them open."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._names: list[bytes] = []
        self._files: list[int] = []
        self._last = b"/"  # of no path, so that the first one is looked up

    def __enter__(self) -> OpenFolders:
        self._files.append(os.open(self._top, REAL_FOLDER))
        os.fchmod(self._files[0], 0o755)
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            os.close(file)

    def of(self, path: bytes) -> tuple[int, bytes]:
        """Return the open folder of `path`, made if it is missing, and the name in it.

        Raises:
            Unshippable: The path leads out, is too deep, or something else lies where a folder
                has to be.
        """
        above, _, name = path.rpartition(b"/")
        if above != self._last:
            _look_at_path(path)
            self._go(above.split(b"/") if above else [], path)
            self._last = above
        elif name.lower() in NO_NAMES or b"\0" in name or len(path) > LONGEST:
            raise _no_path(path)
        return self._files[-1], name

    def _go(self, wanted: list[bytes], path: bytes) -> None:
        """Close what is not on the way, open what is."""
        common = 0
        for mine, theirs in zip(self._names, wanted, strict=False):
            if mine != theirs:
                break
            common += 1
        while len(self._names) > common:
            self._names.pop()
            os.close(self._files.pop())
        for name in wanted[common:]:
            self._files.append(_folder(self._files[-1], name, path))
            self._names.append(name)


def _folder(parent: int, name: bytes, path: bytes) -> int:
    """Open the folder `name`, made if it is missing; it is never a link."""
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        try:
            return os.open(name, REAL_FOLDER, dir_fd=parent)
        except OSError as error:
            if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
                raise
            raise _in_the_way(path) from error
    file = os.open(name, REAL_FOLDER, dir_fd=parent)
    os.fchmod(file, 0o755)
    return file


def _look_at_path(path: bytes) -> None:
    """Make sure that a path stays in the release.

    Raises:
        Unshippable: It does not.
    """
    parts = path.split(b"/")
    wrong = not NO_NAMES.isdisjoint(part.lower() for part in parts)
    if wrong or b"\0" in path or len(path) > LONGEST or len(parts) > DEEPEST:
        raise _no_path(path)


def _no_path(path: bytes) -> Unshippable:
    return Unshippable(
        f"The commit has a file {shown(path[:200]) or '(without a name)'}, which leads out of the"
        " release or is too long to be written; nothing became current."
    )


def _in_the_way(path: bytes) -> Unshippable:
    return Unshippable(
        f"The commit has two entries that cannot both be written at {shown(path)};"
        " nothing became current."
    )
