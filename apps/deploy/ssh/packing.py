"""Pack the files of a commit into an archive that can be unpacked nowhere but where it should."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from tarfile import GNU_FORMAT, REGTYPE, SYMTYPE, TarInfo

from ..errors import Unshippable
from ..local.durable import shown
from ..local.links import look_at_links
from ..model import Entry

CHUNK = 1 << 18  # bytes that are sent at once
BLOCK = 512
END = bytes(2 * BLOCK)
LONGEST = 3000  # bytes; with the folder before it, a path must stay below 4096
MODES = {"100644": 0o644, "100755": 0o755, "120000": 0o777}
NO_NAMES = frozenset((b"", b".", b"..", b".git"))


def packed(
    files: Iterable[tuple[Entry, bytes]], *, shared: Collection[bytes] = ()
) -> Iterator[bytes]:
    """Yield a tar archive, piece by piece; the same files make the same bytes.

    Links come last, after all of them were looked at: while files are unpacked there is no link
    that anything could be written through.

    Raises:
        Unshippable: A path or a link leads out, or two entries are in each other's way.
    """
    links: dict[bytes, bytes] = {}
    taken = Taken()
    pieces: list[bytes] = []
    size = 0
    for entry, content in files:
        taken.take(entry.path)
        if entry.mode == "120000":
            links[entry.path] = content
            continue
        pieces += (_header(entry, len(content)), content, bytes(-len(content) % BLOCK))
        size += BLOCK + len(content)
        if size >= CHUNK:
            yield b"".join(pieces)
            pieces, size = [], 0
    look_at_links(links, shared)
    pieces += (_link(path, target) for path, target in links.items())
    yield b"".join(pieces) + END


def _header(entry: Entry, size: int) -> bytes:
    info = _info(entry.path)
    info.type, info.size, info.mode = REGTYPE, size, MODES[entry.mode]
    return info.tobuf(GNU_FORMAT, "utf-8", "surrogateescape")


def _link(path: bytes, target: bytes) -> bytes:
    info = _info(path)
    info.type, info.linkname, info.mode = SYMTYPE, _text(target), MODES["120000"]
    return info.tobuf(GNU_FORMAT, "utf-8", "surrogateescape")


def _info(path: bytes) -> TarInfo:
    return TarInfo(_text(path))


def _text(path: bytes) -> str:
    """Return a path such that the archive holds its very bytes."""
    return path.decode("utf-8", "surrogateescape")


class Taken:
    """Which paths are files by now, and which are folders; in an archive the last one would win."""

    def __init__(self) -> None:
        self._files: set[bytes] = set()
        self._folders: set[bytes] = {b""}

    def take(self, path: bytes) -> None:
        """Take a path for a file.

        Raises:
            Unshippable: It is no path that stays in the release, or something else lies there.
        """
        above, _, name = path.rpartition(b"/")
        if path[:1] == b"/" or name.lower() in NO_NAMES or b"\0" in path or len(path) > LONGEST:
            raise _no_path(path)
        if above not in self._folders:
            self._make(above, path)
        if path in self._files or path in self._folders:
            raise _in_the_way(path)
        self._files.add(path)

    def _make(self, folder: bytes, path: bytes) -> None:
        parts = folder.split(b"/")
        if not NO_NAMES.isdisjoint(part.lower() for part in parts):
            raise _no_path(path)
        for number in range(len(parts)):
            above = b"/".join(parts[: number + 1])
            if above in self._files:
                raise _in_the_way(path)
            self._folders.add(above)


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
