"""Colour and frames for a terminal; a long value goes on in the next line instead of ending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO, assert_never

from .ink import Block, Facts, Grid, Heading, Passage

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

STYLES = {
    "CRITICAL": "bold white on red",
    "HIGH": "bold red",
    "MEDIUM": "yellow",
    "LOW": "green",
}


def paint(blocks: Sequence[Block], out: TextIO) -> None:
    """Write `blocks` to the terminal `out`; NO_COLOR leaves the colour away."""
    from rich.console import Console

    console = Console(file=out, markup=False, highlight=False, emoji=False)
    for block in blocks:
        console.print(_painted(block))


def _painted(block: Block) -> RenderableType:
    match block:
        case Heading(text=text, style=style):
            return _text(text, style)
        case Facts():
            return _facts(block)
        case Grid():
            return _grid(block)
        case Passage():
            return _passage(block)
        case _:
            assert_never(block)


def _text(text: str, style: str = "") -> Text:
    """Words of others are never read as markup."""
    from rich.text import Text

    return Text(text, style=style, overflow="fold")


def _facts(block: Facts) -> RenderableType:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", overflow="fold")
    table.add_column(overflow="fold")
    for name, value in block.rows:
        table.add_row(_text(f"  {name}"), _text(value, STYLES.get(value, "")))
    return table


def _grid(block: Grid) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = _text(block.title, "bold") if block.title else None
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in block.columns:
        table.add_column(_text(column), overflow="fold")
    for row in block.rows:
        table.add_row(*(_text(cell, STYLES.get(cell, "")) for cell in row))
    return table


def _passage(block: Passage) -> RenderableType:
    from rich.panel import Panel

    text = _text(block.text, block.style)
    return Panel(text, title=_text(block.title), title_align="left", border_style="dim")
