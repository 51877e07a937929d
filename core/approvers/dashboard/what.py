"""What a request would do, ready to be shown: all of it, from the stored bytes, and safe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

from ...display import SQL_NAMES, is_too_large, safe, shown
from ...model import ApprovalRequest, Preview, Table
from ..forms.spelled import spelled_out
from .colours import Piece, diff, ended, plain, sql

LONG = 80
MOST_WHEN_TOO_LARGE = 4_000
CUT = "… it goes on; this page does not show the rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument as a page shows it; every text in it is safe.

    Attributes:
        long: Whether it needs lines of its own.
        kind: What colours it: `"sql"`, or nothing.
    """

    name: str
    type: str
    pieces: tuple[Piece, ...]
    long: bool
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table, safe to show, and whether it differs between before and after."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of a preview in which every row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """What a request would do, ready for a template."""

    arguments: tuple[Argument, ...]
    preview: Preview | None
    tables: tuple[Grid, ...]
    diff: tuple[Piece, ...]


def what(request: ApprovalRequest) -> What:
    """Return everything a person has to see before deciding."""
    most = MOST_WHEN_TOO_LARGE if is_too_large(request) else None
    preview = request.preview
    return What(
        arguments=arguments(request, most),
        preview=preview,
        tables=_grids(preview.tables) if preview else (),
        diff=diff(cut(safe(preview.diff, newlines=True), most)) if preview and preview.diff else (),
    )


def arguments(request: ApprovalRequest, most: int | None = None) -> tuple[Argument, ...]:
    """Return the arguments in order, cut only where nobody can approve them here anyway."""
    found: list[Argument] = []
    for one_of in shown(request) if most else spelled_out(request):
        text = cut(one_of.text, most)
        is_sql = one_of.type == "str" and one_of.name.lower() in SQL_NAMES
        found.append(
            Argument(
                name=one_of.name,
                type=one_of.type,
                pieces=sql(text) if is_sql else plain(text),
                long=is_sql or "\n" in text or len(text) > LONG,
                kind="sql" if is_sql else "",
            )
        )
    return tuple(found)


def cut(text: str, most: int | None) -> str:
    """Return at most that much of a text, and say so when it goes on."""
    return text if most is None or len(text) <= most else f"{text[:most]}\n{CUT}"


def _grids(tables: tuple[Table, ...]) -> tuple[Grid, ...]:
    grids = [_grid(table) for table in tables]
    for at, (was, now) in enumerate(pairwise(grids)):
        if _is_pair(tables[at], tables[at + 1]):
            grids[at], grids[at + 1] = _marked(was, now), _marked(now, was)
    return tuple(grids)


def _grid(table: Table) -> Grid:
    count = max([len(table.columns), *(len(row) for row in table.rows)])
    columns = [safe(name) for name in table.columns] + ["?"] * (count - len(table.columns))
    rows = [[safe(cell) for cell in row] + [""] * (count - len(row)) for row in table.rows]
    return Grid(
        title=safe(table.title),
        columns=tuple(columns),
        rows=tuple(tuple(Cell(ended(text)) for text in row) for row in rows),
    )


def _is_pair(was: Table, now: Table) -> bool:
    """Whether two tables show the same rows before and after."""
    same_shape = was.columns == now.columns and len(was.rows) == len(now.rows)
    return same_shape and "before" in was.title.lower() and "after" in now.title.lower()


def _marked(grid: Grid, other: Grid) -> Grid:
    rows = [
        tuple(
            Cell(mine.text, changed=mine != theirs)
            for mine, theirs in zip_longest(row, row_there, fillvalue=Cell(""))
        )
        for row, row_there in zip(grid.rows, other.rows, strict=True)
    ]
    return replace(grid, rows=tuple(rows))
