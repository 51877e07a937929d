"""Colour for what is shown: text cut into pieces with a class each, never a character changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

DIFF_KINDS = {"+": "added", "-": "removed", "@": "place"}
BLANK_ENDS = re.compile(r" +$", re.MULTILINE)
_SQL = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<text>'(?:[^']|'')*(?:'|\Z))"
    r'|(?P<name>"(?:[^"]|"")*(?:"|\Z))'
    r"|(?P<number>\b\d+(?:\.\d+)?\b)"
    r"|(?P<word>\b[A-Za-z_]+\b)",
    re.DOTALL,
)
_DANGER = frozenset(
    "alter attach call copy create delete drop execute export grant import insert install load"
    " merge replace revoke truncate update vacuum".split()
)
_WORDS = _DANGER | frozenset(
    "all and any as asc between by case cast cross current desc distinct else end except exists"
    " false fetch filter first for from full group having if ilike in inner intersect interval"
    " into is join lateral left like limit not null offset on or order outer over partition"
    " qualify recursive returning right rows select set table then true union unique using values"
    " view when where window with".split()
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, safe to show, and the class it is shown with; empty for none."""

    text: str
    kind: str = ""


def plain(text: str) -> tuple[Piece, ...]:
    """Return text that is safe already, with the blanks at the ends of its lines written out."""
    return (Piece(ended(text)),)


def sql(text: str) -> tuple[Piece, ...]:
    """Return SQL in colour; words that change something stand out."""
    return tuple(_merged(_sql(ended(text))))


def diff(text: str) -> tuple[Piece, ...]:
    """Return a unified diff, a piece for each of its lines."""
    found, is_head = list[Piece](), True
    for line in ended(text).split("\n"):
        # Beyond the head, a line that begins like one is a line that goes or comes.
        is_head = is_head and not line.startswith("@@")
        head = is_head and line.startswith(("---", "+++"))
        found.append(Piece(line, "place" if head else DIFF_KINDS.get(line[:1], "same")))
    return tuple(found)


def ended(text: str) -> str:
    """Write out the blanks at the end of each line, which nobody would see.

    >>> ended("a b ")
    'a b⟨U+0020⟩'
    """
    return BLANK_ENDS.sub(lambda found: "⟨U+0020⟩" * len(found[0]), text)


def _sql(text: str) -> Iterator[Piece]:
    end = 0
    for found in _SQL.finditer(text):
        yield Piece(text[end : found.start()])
        yield Piece(found[0], _kind(found))
        end = found.end()
    yield Piece(text[end:])


def _kind(found: re.Match[str]) -> str:
    if found.lastgroup != "word":
        return found.lastgroup or ""
    word = found[0].lower()
    return "danger" if word in _DANGER else "word" if word in _WORDS else ""


def _merged(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Join neighbours of one kind: a megabyte of words is not a million elements."""
    kind, texts = "", list[str]()
    for piece in pieces:
        if piece.kind != kind and texts:
            yield Piece("".join(texts), kind)
            texts = []
        kind = piece.kind
        if piece.text:
            texts.append(piece.text)
    if texts:
        yield Piece("".join(texts), kind)
