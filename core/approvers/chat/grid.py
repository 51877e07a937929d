"""Draw a table in letters of one width; no cell can pretend to be two."""

from __future__ import annotations

import unicodedata
from itertools import zip_longest

from ...model import Table

BAR, BAR_WRITTEN_OUT = "│", "⟨U+2502⟩"


def drawn(table: Table) -> str:
    """Return the columns' names and the rows, a line each.

    >>> print(drawn(Table(title="", columns=("id", "name"), rows=(("1", "Ana"), ("12", "Bo")))))
    id │ name
    ───┼─────
    1  │ Ana
    12 │ Bo
    """
    rows = [table.columns, *table.rows] if table.columns else [*table.rows]
    cells = [[cell.replace(BAR, BAR_WRITTEN_OUT) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip_longest(*cells, fillvalue="")]
    lines = [_row(row, widths) for row in cells]
    if table.columns:
        lines.insert(1, "─┼─".join("─" * wide for wide in widths))
    return "\n".join(lines)


def width(text: str) -> int:
    """Return how many letters wide a text is; those of East Asia are two."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(1 for c in text if unicodedata.combining(c))


def _row(cells: list[str], widths: list[int]) -> str:
    padded = [cell + " " * (wide - width(cell)) for cell, wide in zip(cells, widths, strict=False)]
    return f" {BAR} ".join([*padded[:-1], *cells[-1:]])
