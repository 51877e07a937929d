"""All files of a commit, from its trees as they are stored, or none when one cannot be written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from ..errors import RepositoryError, Unshippable
from ..model import Entry
from .objects import Objects
from .wording import some, text_of

Mode = Literal["100644", "100755", "120000", "160000"]
MOST_FILES = 1_000_000
MOST_PATH = 4_000  # bytes, a little less than the longest path that an operating system takes
_KIND, _RUNS = 0o170000, 0o100  # the bits of a mode that say so
_FOLDER = 0o040000
_NEVER = frozenset({b"", b".", b"..", b".git", b"git~1"})


class Leaf(NamedTuple):
    """One line of a tree that is no folder."""

    path: bytes
    mode: Mode
    oid: str


def entries(leaves: Sequence[Leaf]) -> list[Entry]:
    """Return leaves as what can be shipped.

    Raises:
        Unshippable: There is a submodule among them.
    """
    found: list[Entry] = []
    submodules: list[bytes] = []
    for path, mode, oid in leaves:
        if mode == "160000":
            submodules.append(path)
        else:
            found.append(Entry(path=path, mode=mode, oid=oid))
    if submodules:
        raise Unshippable(
            f"{some(submodules)} cannot be shipped: a submodule's files are in another repository;"
            " nothing was written. Have them in this one, or ship a commit without it."
        )
    return found


def leaves(source: Objects, sha: str) -> list[Leaf]:
    """Return every file, link and submodule of a commit, sorted by path.

    Raises:
        Unshippable: A name would lead out of the release or hide another, or there are more than
            a million files.
        RepositoryError: A tree is missing or damaged.
    """
    [(kind, raw)] = source.read([sha])
    root = raw[5:45].decode("ascii", "replace")
    if kind.what != "commit" or not raw.startswith(b"tree "):
        raise RepositoryError(f"{sha} is no commit.")
    found: list[Leaf] = []
    folders = [(b"", root)]
    while folders:
        known = {oid: _lines(oid, data) for oid, data in _trees(source, folders)}
        below: list[tuple[bytes, str]] = []
        for prefix, tree in folders:
            for mode, name, oid in known[tree]:
                path = prefix + name
                if mode & _KIND == _FOLDER:
                    below.append((path + b"/", oid))
                else:
                    found.append(Leaf(path, plain_mode(mode, path), oid))
            _within_bounds(prefix, len(found) + len(below))
        folders = below
    return sorted(found)


def _trees(source: Objects, folders: Sequence[tuple[bytes, str]]) -> Iterator[tuple[str, bytes]]:
    """Yield each tree of one level once."""
    for kind, data in source.read(dict.fromkeys(oid for _, oid in folders)):
        if kind.what != "tree":
            raise RepositoryError(f"{kind.oid} is a {kind.what} where a folder should be.")
        yield kind.oid, data


def _lines(tree: str, raw: bytes) -> list[tuple[int, bytes, str]]:
    """Read a tree's lines: mode, name and id."""
    lines: list[tuple[int, bytes, str]] = []
    at = 0
    try:
        while at < len(raw):
            space = raw.index(b" ", at)
            end = raw.index(b"\0", space)
            lines.append(
                (int(raw[at:space], 8), raw[space + 1 : end], raw[end + 1 : end + 21].hex())
            )
            at = end + 21
    except ValueError as error:
        raise RepositoryError(f"Tree {tree} cannot be read.") from error
    names = {name for _, name, _ in lines}
    if len(names) < len(lines):
        raise Unshippable(f"Tree {tree} has one name twice; nothing was written.")
    for name in names:
        if name.rstrip(b". ").lower() in _NEVER or name in _NEVER or b"/" in name:
            raise Unshippable(
                f"A file or folder is named {text_of(name)!r}, which no release can hold;"
                " nothing was written."
            )
    return lines


def plain_mode(mode: int, path: bytes) -> Mode:
    """Return one of the four modes that git knows for what is no folder."""
    match mode & _KIND:
        case 0o120000:
            return "120000"
        case 0o160000:
            return "160000"
        case 0o100000:
            return "100755" if mode & _RUNS else "100644"
        case _:
            raise Unshippable(f"{text_of(path)} has the mode {mode:o}, which no file can have.")


def _within_bounds(prefix: bytes, files: int) -> None:
    """A few small trees can stand for more files than any disk holds."""
    if files > MOST_FILES:
        raise Unshippable(f"The commit has more than {MOST_FILES:,} files; nothing was written.")
    if len(prefix) > MOST_PATH:
        raise Unshippable(f"A path of the commit is longer than {MOST_PATH:,} bytes.")
