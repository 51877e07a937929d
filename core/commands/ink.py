"""What an answer is made of: headings, facts, grids and passages; in all of it everything shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, TypeAlias

from ..display import safe, unsafe

Ink = NewType("Ink", str)
"""Text in which everything shows; only the functions here make it, so none is forgotten."""


def line(value: object) -> Ink:
    """Return any text as one line; a line feed in it is written out."""
    return visible_ends(safe(str(value)))


def lines(text: str) -> Ink:
    """Return any text with its line feeds, for a place that has a margin."""
    return visible_ends(safe(text, newlines=True))


def once(text: str) -> Ink:
    """Return text that was made safe when it was written; what was not, is made so now."""
    return line(unsafe(text))


def visible_ends(text: str) -> Ink:
    """Write out blanks at the end of a line: safe text has no other character without ink."""
    return Ink(re.sub(r" +$", lambda found: "⟨U+0020⟩" * len(found[0]), text, flags=re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Heading:
    """One line that stands out."""

    text: Ink
    style: str = "bold"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values; a value may have several lines."""

    rows: Sequence[tuple[Ink, Ink]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of single lines."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Ink, ...]]
    title: Ink = Ink("")


@dataclass(frozen=True, slots=True)
class Passage:
    """Somebody's text, kept in a frame or behind a margin so that it cannot pass for ours."""

    title: Ink
    text: Ink
    style: str = ""


Block: TypeAlias = Heading | Facts | Grid | Passage
