"""Lay an answer out: in colour on a terminal, as aligned text in a pipe; nothing is ever cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TextIO, assert_never

from .ink import Block, Facts, Grid, Heading, Ink, Passage
from .paint import paint


def write(blocks: Sequence[Block], out: TextIO) -> None:
    """Write `blocks` to `out`, in colour when it is a terminal."""
    if out.isatty():
        paint(blocks, out)
        return
    for block in blocks:
        for text in _plain(block):
            out.write(f"{text}\n")


def _plain(block: Block) -> list[str]:
    match block:
        case Heading(text=text):
            return [text]
        case Facts(rows=rows):
            return _plain_facts(rows)
        case Grid(columns=columns, rows=rows, title=title):
            head = [f"{title}:"] if title else []
            return head + _aligned([columns, *rows])
        case Passage(title=title, text=text):
            return [f"{title}:", *(f"  | {part}" for part in text.split("\n"))]
        case _:
            assert_never(block)


def _plain_facts(rows: Sequence[tuple[Ink, Ink]]) -> list[str]:
    widest, found = max((width(name) for name, _ in rows), default=0), list[str]()
    for name, value in rows:
        first, *more = value.split("\n")
        bar = "| " if more else ""
        found.append(f"  {padded(name, widest)}  {bar}{first}")
        found += [f"  {' ' * widest}  {bar}{part}" for part in more]
    return found


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(padded, row, widths)).rstrip() for row in rows]


def width(text: str) -> int:
    """Return how many columns `text` takes: two for wide letters, none for combining marks."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in {"W", "F"} for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in {"Mn", "Me"} for c in text)


def padded(text: str, columns: int) -> str:
    """Return `text` with blanks up to that many columns."""
    return text + " " * (columns - width(text))
