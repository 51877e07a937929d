"""Write text so that Teams shows it letter by letter: runs of rich text, with no markup in them.

A text block of a card reads Markdown and the card's own functions; a run of text reads neither.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Part: TypeAlias = dict[str, Any]
"""An element of a card, as its JSON has it."""

EMPTY = "(empty)"
MARGIN = "│ "
"""Stands before each line of a value with several, so that none of them looks like ours."""


def words(
    text: str, *, bold: bool = False, mono: bool = False, colour: str = "", large: bool = False
) -> Part:
    """Return a run of text."""
    run: Part = {"type": "TextRun", "text": text or EMPTY}
    if bold:
        run["weight"] = "Bolder"
    if mono:
        run["fontType"] = "Monospace"
    if colour:
        run["color"] = colour
    if large:
        run["size"] = "Large"
    if not text:
        run["italic"] = True
    return run


def line(*runs: Part, apart: bool = False) -> Part:
    """Return a paragraph.

    Args:
        apart: Whether there is room above it.
    """
    spacing = "Medium" if apart else "None"
    return {"type": "RichTextBlock", "inlines": [*runs], "spacing": spacing}


def title(text: str) -> Part:
    """Return a heading of ours."""
    return line(words(text, bold=True), apart=True)


def named(name: str, value: str) -> list[Part]:
    """Return a name and its value, the lines of a long one below it."""
    if "\n" not in value:
        return [line(words(f"{name}: "), words(value, mono=True))]
    count = value.count("\n") + 1
    return [line(words(f"{name}: {count} lines")), *lines(value)]


def lines(text: str, colour: str = "") -> list[Part]:
    """Return each line of a text with a margin, so that empty ones are seen too."""
    return [line(words(f"{MARGIN}{one}", mono=True, colour=colour)) for one in text.split("\n")]
