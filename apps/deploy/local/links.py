"""Find out where a symbolic link of a tree leads, before it is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..errors import Unshippable
from .durable import shown

MOST_STEPS = 255  # parts of one walk; Linux itself follows 40 links
ROOT = b"/"
LONGEST = 4095  # bytes that Linux takes as the target of a link


def look_at_links(links: Mapping[bytes, bytes], shared: Collection[bytes] = ()) -> None:
    """Make sure that every link of a tree stays in it, wherever its parts lead.

    What a link names need not be there: a build may still make it. So a part that is no link
    counts as a folder, whatever it is.

    Args:
        links: Path in the tree, to where it points.
        shared: Paths that will be links to a folder outside, in which nothing may be climbed.

    Raises:
        Unshippable: A link leads out, in circles, or can be no link at all.
    """
    for path, target in links.items():
        wrong = _wrong(path, target, links, shared)
        if wrong:
            raise Unshippable(
                f"The link {shown(path)} -> {shown(target)} {wrong};"
                " nothing became current: take it out of the commit."
            )


def _wrong(
    path: bytes, target: bytes, links: Mapping[bytes, bytes], shared: Collection[bytes]
) -> str:
    """Say what is wrong with one link; empty when nothing is."""
    if not target or b"\0" in target or len(target) > LONGEST:
        return "points to something that is no path"
    at, ahead = path.split(b"/")[:-1], _parts(target)
    for _ in range(MOST_STEPS):
        if not ahead:
            return ""
        part = ahead.pop()
        if part == ROOT or (part == b".." and not at):
            return "leads out of the release"
        if part == b"..":
            at.pop()
            continue
        here = b"/".join((*at, part))
        if here in shared:
            return "climbs out of a shared folder" if b".." in ahead else ""
        if here in links:
            ahead += _parts(links[here])
        else:
            at.append(part)
    return "leads in circles, or through too many others"


def _parts(target: bytes) -> list[bytes]:
    """Return the parts of a target, the first one last; `.` and empty ones lead nowhere."""
    parts = [part for part in reversed(target.split(b"/")) if part not in {b"", b"."}]
    return [*parts, ROOT] if target.startswith(b"/") else parts
