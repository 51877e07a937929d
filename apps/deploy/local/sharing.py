"""Folders that all releases of an environment have in common, linked into each of them."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import ConfigError, Unshippable
from .durable import shown
from .removing import REAL_FOLDER


def shared_names(shared: Iterable[str]) -> Sequence[bytes]:
    """Return the shared folders as paths in a release, such as `data` or `public/uploads`.

    Raises:
        ConfigError: One does not lie in the release, or in another one.
    """
    names = [os.fsencode(name).rstrip(b"/") for name in shared]
    for name in names:
        parts = name.split(b"/")
        if not {b"", b".", b".."}.isdisjoint(parts) or b"\0" in name:
            raise ConfigError(f"shared: {shown(name) or 'an empty name'} is no folder in a release")
    for name in names:
        if any(other.startswith(name + b"/") for other in names) or names.count(name) > 1:
            raise ConfigError(f"shared: {shown(name)} is named twice, or holds another one")
    return names


def link_shared(folder: Path, release: Path, names: Iterable[bytes]) -> None:
    """Link every shared folder into a release, and make those that are missing.

    Raises:
        Unshippable: The release has something of that name, or a link on the way there.
        OSError: The disk refuses.
    """
    for name in names:
        (folder / "shared" / os.fsdecode(name)).mkdir(parents=True, exist_ok=True)
        above, _, last = name.rpartition(b"/")
        parts = above.split(b"/") if above else []
        up = b"../" * (len(parts) + 2)
        try:
            with _opened(release, parts) as parent:
                os.symlink(up + b"shared/" + name, last, dir_fd=parent)
        except (FileExistsError, NotADirectoryError) as error:
            raise Unshippable(
                f"{shown(name)} is shared by all releases, but this one has its own;"
                " nothing became current: take it out of the commit, or out of `shared`."
            ) from error


@contextmanager
def _opened(release: Path, parts: Iterable[bytes]) -> Generator[int]:
    """Open a folder of a release, made if it is missing; no part of the way may be a link."""
    with ExitStack() as stack:
        folder = os.open(release, REAL_FOLDER)
        stack.callback(os.close, folder)
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=folder)
            folder = os.open(part, REAL_FOLDER, dir_fd=folder)
            stack.callback(os.close, folder)
        yield folder
