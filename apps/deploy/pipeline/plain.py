r"""What commands and services print, as plain lines: nothing moves a cursor, hides or goes on.

>>> printable("ok\x1b[2K\u202e")
'ok\\x1b[2K\\u202e'
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..local.printed import readable

MOST_READ = 64_000  # bytes at the end of a log
MOST_IN_A_LINE = 300  # characters


def printable(text: str, *, most: int = MOST_IN_A_LINE) -> str:
    """Return one line in which nothing is invisible."""
    cut = f"{text[:most]}..." if len(text) > most else text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def lines_of(content: bytes, most: int) -> list[str]:
    """Return the last lines of what was printed that are not empty."""
    return [printable(line) for line in readable(content).split("\n") if line.strip()][-most:]


def last_lines(path: Path, most: int) -> list[str]:
    """Return the last lines of a file; none when there is no such file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST_READ))
            return lines_of(file.read(), most)
    except OSError:
        return []


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned lines: a heading, a rule, one line per row."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max(len(head), *(len(row[n]) for row in cells)) if cells else len(head)
        for n, head in enumerate(columns)
    ]
    lines = [list(columns), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
