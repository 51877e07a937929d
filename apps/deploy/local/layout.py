"""Where things lie in the folder of an environment, and which of its releases are complete."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import Unreachable
from .durable import reaching, shown

NAME = re.compile(r"\d{8}T\d{12}-[0-9a-f]{40}")
UNFINISHED = ".unfinished-"


def is_release(name: str) -> bool:
    """Whether this is the name of a release; everything else in `releases/` is somebody else's."""
    return NAME.fullmatch(name) is not None


def is_complete(folder: Path, name: str) -> bool:
    """Whether a release of that name lies where only complete ones do."""
    place = folder / "releases" / name
    return is_release(name) and place.is_dir() and not place.is_symlink()


def releases(folder: Path) -> Sequence[str]:
    """Return the names of the complete releases, oldest first.

    Raises:
        Unreachable: The folder cannot be read.
    """
    with reaching(folder, "its releases were looked at"):
        try:
            with os.scandir(folder / "releases") as found:
                return sorted(
                    entry.name
                    for entry in found
                    if is_release(entry.name) and entry.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:
            return []


def current(folder: Path) -> str:
    """Return the name of the current release; empty when there is none.

    Raises:
        Unreachable: `current` is something that no deploy has made.
    """
    with reaching(folder, "`current` was looked at"):
        try:
            target = str((folder / "current").readlink())
        except FileNotFoundError:
            return ""
        except OSError as error:
            if not (folder / "current").exists():
                raise
            raise _foreign(folder, "is no link") from error
        above, _, name = target.rpartition("/")
        if above != "releases" or not is_release(name):
            raise _foreign(folder, f"leads to {shown(target)}, which is none of its releases")
        if not is_complete(folder, name):
            raise _foreign(folder, f"leads to {name}, which is not there")
        return name


def _foreign(folder: Path, what: str) -> Unreachable:
    return Unreachable(
        f"{shown(folder)}: `current` {what}, so no deploy has made it; nothing was touched:"
        " move it away, then deploy again."
    )
