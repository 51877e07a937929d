"""Three ways to ask at a terminal: show lines, choose by a key, and edit a line in place."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ..display import safe
from .teletype import Interrupted, Key, Teletype

INTERRUPTED = "interrupted at the terminal"


def say(tty: Teletype, *lines: Text | str) -> bool:
    """Show all of `lines`, a screen at a time.

    Returns:
        Whether the person went through to the end, rather than pressing `q`.
    """
    columns, rows = tty.size()
    written, page = io.StringIO(), max(rows - 2, 3)
    console = Console(file=written, force_terminal=True, width=columns, height=rows)
    for start in range(0, len(lines), page):
        for line in lines[start : start + page]:
            console.print(line, soft_wrap=True, highlight=False, markup=False, emoji=False)
        tty.write(written.getvalue())
        written.seek(written.truncate(0))
        if start + page < len(lines):
            left = f"-- {len(lines) - start - page} more lines:"
            if choose(tty, {" ": "goes on (space)", "q": "stops reading"}, left) == "q":
                return False
    return True


def choose(tty: Teletype, keys: Mapping[str, str], before: str = "") -> str:
    """Return one of `keys`, pressed after the question was asked. Pasting decides nothing.

    Raises:
        Interrupted: Ctrl-C or Ctrl-D.
    """
    offered = ", ".join(f"{key} {what}".strip() for key, what in keys.items())
    prompt = f"{before} {offered} > ".lstrip()
    tty.flush()
    tty.write(prompt)
    while True:
        key = tty.key()
        if key.name in {"interrupt", "end"}:
            raise Interrupted(INTERRUPTED)
        if (pressed := key.name.lower()) in keys:
            tty.write(f"{pressed.strip()}\n")
            return pressed
        tty.write(f"\nThat key decides nothing here.\n{prompt}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Text and a cursor. Every key makes a new one.

    >>> line = Line(text="abd", at=2).after(Key("c", "c"))
    >>> line.text, line.at
    ('abcd', 3)
    """

    text: str
    at: int

    def after(self, key: Key) -> Line:
        """Return the line after `key`; keys that mean nothing here change nothing."""
        text, at = self.text, self.at
        match key.name:
            case _ if key.text:
                return Line(text=text[:at] + key.text + text[at:], at=at + len(key.text))
            case "backspace" if at:
                return Line(text=text[: at - 1] + text[at:], at=at - 1)
            case "delete":
                return Line(text=text[:at] + text[at + 1 :], at=at)
            case "clear":
                return Line(text=text[at:], at=0)
            case "left" | "right" | "home" | "last":
                step = {"left": at - 1, "right": at + 1, "home": 0, "last": len(text)}[key.name]
                return replace(self, at=min(max(step, 0), len(text)))
            case _:
                return self

    def seen(self, width: int) -> tuple[str, str]:
        """Return what to show before and after the cursor in `width` cells, marked where it ends.

        Whoever edits looks at a part of a long line; before it counts, the whole is shown.
        """
        before, after = safe(self.text[: self.at]), safe(self.text[self.at :])
        shown = _fitting(after, max(width // 2, width - _cells(before)), ">")
        return _fitting(before[::-1], width - _cells(shown), "<")[::-1], shown


def _fitting(text: str, width: int, more: str) -> str:
    """Return what fits of `text`, with a mark where there is more."""
    if _cells(text) <= width:
        return text
    kept, room = 0, width - len(more)
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        kept += 1
    return text[:kept] + more


def _cells(text: str) -> int:
    return sum(1 if character.isascii() else 2 for character in text)


def ask(tty: Teletype, prompt: str, text: str = "") -> str | None:
    """Return the line that was typed, or `None` when Escape was pressed.

    Args:
        prompt: Our own words, short.
        text: What stands there at first.

    Raises:
        Interrupted: Ctrl-C, or Ctrl-D on an empty line.
    """
    line = Line(text=text, at=len(text))
    tty.flush()
    while True:
        _show(tty, prompt, line)
        key = tty.key()
        if key.name in {"enter", "escape"}:
            tty.write("\n")
            return line.text if key.name == "enter" else None
        if key.name == "interrupt" or (key.name == "end" and not line.text):
            raise Interrupted(INTERRUPTED)
        line = line.after(key)


def _show(tty: Teletype, prompt: str, line: Line) -> None:
    """Write the line again; without any escape codes, so that every terminal understands."""
    width = max(tty.size()[0] - len(prompt) - 1, 8)
    before, after = line.seen(width)
    padding = " " * (width - cell_len(before + after))
    tty.write(f"\r{prompt}{before}{after}{padding}\r{prompt}{before}")
