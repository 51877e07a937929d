"""Write rows as a table that people and agents read in plain text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return aligned lines: a heading, a rule, one line per row; numbers stand to the right."""
    if not columns:
        return ""
    cells = [[_cell(value) for value in row] for row in rows]
    heads = [_cell(name) for name in columns]
    widths = [
        max(len(head), *(len(row[place]) for row in cells)) if cells else len(head)
        for place, head in enumerate(heads)
    ]
    numeric = [
        bool(rows) and all(row[place] is None or _is_number(row[place]) for row in rows)
        for place in range(len(heads))
    ]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(texts, widths, numeric, strict=True)
        ).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(heads), rule, *map(line, cells)])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: object) -> str:
    """Return one line of text; what would break the line or hide in it is written as an escape."""
    text = "NULL" if value is None else str(value)
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
