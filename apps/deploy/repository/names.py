"""Which words may name a commit: branches, tags, ids, and a few steps back from one of them."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import UnknownRef
from ..model import SHA
from .wording import shown

SHORTEST = 7  # digits of an id; fewer are too often the name of a tag, such as 2026
_LONGEST = 1_000
_STEPS = re.compile(r"(?:[~^][0-9]{0,5})+\Z")
_HEX = re.compile(r"[0-9a-fA-F]+")
_FORBIDDEN = re.compile(r"\.\.|@\{|[~^:?*\[\\ ]|//|/\.|\.lock(?:/|\Z)")
# Letters that show nothing, though Unicode calls them printable.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
_ALLOWED = (
    "Name a branch, a tag, HEAD, a full name such as refs/tags/v1, or at least 7 digits of a"
    " commit's id; ~2 or ^ may follow."
)


class Name(NamedTuple):
    """What a ref says: where to begin, and how many steps to go back from there."""

    start: str
    steps: str


def parsed(ref: str) -> Name:
    """Take a ref apart.

    >>> parsed("release/1.2~3")
    Name(start='release/1.2', steps='~3')

    Raises:
        UnknownRef: It is no name, or one that reads as another than it is.
    """
    found = _STEPS.search(ref)
    steps = found[0] if found else ""
    start = ref.removesuffix(steps)
    if why := _fault(start):
        raise UnknownRef(f"{shown(ref)} is no ref: {why}. {_ALLOWED}")
    return Name(start, steps)


def is_fine(name: str) -> bool:
    """Whether `parsed` takes a name that has no steps."""
    return not _fault(name)


def _fault(name: str) -> str:
    """Return what is wrong with a name; empty when nothing is."""
    if not name or len(name) > _LONGEST:
        return "it is empty" if not name else f"it has more than {_LONGEST:,} characters"
    if not name.isprintable() or _BLANK.search(name):
        return "it holds a character that cannot be seen"
    if name.startswith("-"):
        return "it begins with a dash"
    if _FORBIDDEN.search(name) or name == "@":
        return "it asks for more than a name"
    if name.startswith((".", "/")) or name.endswith((".", "/")):
        return "no name begins or ends like that"
    return ""


def is_digits(name: str) -> bool:
    """Whether a name may be the beginning of a commit's id."""
    return SHORTEST <= len(name) <= SHA and bool(_HEX.fullmatch(name))


def whole(sha: str) -> str:
    """Return a commit's id after a look at it: from here on only whole ids travel.

    Raises:
        UnknownRef: It is none.
    """
    if len(sha) != SHA or not _HEX.fullmatch(sha) or sha != sha.lower():
        raise UnknownRef(f"{shown(sha)} is no commit's id of {SHA} digits; resolve a ref first.")
    return sha
