"""Write text so that Slack shows it letter by letter: nothing in it mentions, links or formats.

Slack reads markup in `mrkdwn` and turns `:names:` into emoji in other text; in a text element of
rich text every character stands for itself, because style, mentions and links are fields of their
own there.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

Block: TypeAlias = dict[str, Any]
"""A block, or an element of one, as Slack's JSON has it."""

LONGEST_PIECE = 1_500
"""Characters of one text element; Slack may count each of them as two, and takes 3,000."""
LONG = 80
EMPTY = "(empty)"
_LOOKALIKES = str.maketrans(
    {"*": "∗", "~": "∼", "`": "ˋ", "@": "＠", "#": "＃", "<": "‹", ">": "›", "&": "＆"}  # noqa: RUF001 - they only have to look alike
)
_ACTIVE = {"_": "＿", ":": "∶", ".": "․"}  # noqa: RUF001 - they only have to look alike


def said(text: str) -> str:
    """Return text for a notification, in which look-alikes stand for what Slack would read.

    >>> said("see _this_ at https://example.org <!channel>, snake_case: fine.")
    'see ＿this＿ at https∶//example․org ‹!channel›, snake_case: fine.'
    """  # noqa: RUF002 - the look-alikes are what it is about
    plain = text.translate(_LOOKALIKES)
    return re.sub(
        r"(?<![^\W_])_|_(?![^\W_])|:(?=\S)|\.(?=\w)", lambda found: _ACTIVE[found[0]], plain
    )


def plain(text: str) -> Block:
    """Return a text object for labels and buttons, in which no emoji is looked for."""
    return {"type": "plain_text", "text": text, "emoji": False}


def words(text: str, *styles: str) -> list[Block]:
    """Return the text as elements of rich text, with styles such as `"bold"` and `"code"`."""
    style = {"style": dict.fromkeys(styles, True)} if styles else {}
    starts = range(0, len(text), LONGEST_PIECE)
    cut = [text[start : start + LONGEST_PIECE] for start in starts]
    return [{"type": "text", "text": piece, **style} for piece in cut]


def emoji(name: str) -> Block:
    """Return an emoji of ours."""
    return {"type": "emoji", "name": name}


def link(url: str, text: str) -> Block:
    """Return a link of ours."""
    return {"type": "link", "url": url, "text": text}


def line(*elements: Block | list[Block]) -> Block:
    """Return a paragraph."""
    return {"type": "rich_text_section", "elements": _flat(elements) or words(EMPTY, "italic")}


def box(text: str) -> Block:
    """Return lines in a box of their own, which no character of them can leave."""
    return {"type": "rich_text_preformatted", "elements": words(text) or words(EMPTY, "italic")}


def quote(text: str) -> Block:
    """Return somebody's words, with a bar beside them."""
    return {"type": "rich_text_quote", "elements": words(text) or words(EMPTY, "italic")}


def rich(parts: list[Block]) -> Block:
    """Return a block of paragraphs, boxes and quotes."""
    return {"type": "rich_text", "elements": parts}


def named(name: str, value: str) -> list[Block]:
    """Return a name and its value, in a box when it is long; the number of lines is told then.

    Spaces and empty lines at an end are seen by their background, or by that number.
    """
    if not value:
        return [line(words(name, "bold"), words(f"  {EMPTY}", "italic"))]
    if len(value) <= LONG and "\n" not in value:
        return [line(words(name, "bold"), words("  "), words(value, "code"))]
    lines = value.count("\n") + 1
    told = f"  {lines} lines" if lines > 1 else ""
    return [line(words(name, "bold"), words(told)), box(value)]


def _flat(elements: tuple[Block | list[Block], ...]) -> list[Block]:
    flat = list[Block]()
    for one in elements:
        flat += one if isinstance(one, list) else [one]
    return flat
