"""Which file a line of a diff belongs to, and which number it has there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_LETTERS = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))


class Place(NamedTuple):
    """Where one line of a diff is at home.

    Attributes:
        path: Of the file that comes, or of the one that goes when none comes; empty before any.
        number: In the file that comes, from 1; 0 when the line is not one that is added.
        is_content: Whether the line is one of a file's, behind a sign for what becomes of it.
    """

    path: str
    number: int = 0
    is_content: bool = False


def places(lines: Sequence[str]) -> Iterator[Place]:
    """Yield the place of each line of a unified diff.

    A hunk is as long as its head says: what a file holds may itself look like a diff.
    """
    path, old, new, number = "", 0, 0, 0
    for line in lines:
        if old <= 0 and new <= 0:
            if found := _HUNK.match(line):
                old, new = int(found[1] or 1), int(found[3] or 1)
                number = int(found[2])
            else:
                path = _named(line, path)
            yield Place(path)
            continue
        match line[:1]:
            case "+":
                yield Place(path, number, is_content=True)
                number, new = number + 1, new - 1
            case "-":
                yield Place(path, is_content=True)
                old -= 1
            case "\\":
                yield Place(path)
            case _:
                yield Place(path, is_content=True)
                number, old, new = number + 1, old - 1, new - 1


def _named(line: str, path: str) -> str:
    """Return the path that a line before the first hunk names, or the one so far."""
    match line[:4]:
        case "diff":
            return ""
        case "--- " | "+++ " if line[4:] != "/dev/null":
            return _unquoted(line[4:].removesuffix("\t"))
        case _:
            return path


def _unquoted(name: str) -> str:
    r"""Read a name as git writes it; bytes that are no UTF-8 become `\xNN`.

    >>> print(_unquoted(r'"b/caf\303\251 \377"'))
    café \xff
    """
    if name.startswith('"') and name.endswith('"'):
        octets = _ESCAPE.sub(_octet, name[1:-1].encode())
        name = octets.decode(errors="backslashreplace")
    return name[2:] if name[:2] in {"a/", "b/"} else name


def _octet(escape: re.Match[bytes]) -> bytes:
    digits = escape[1]
    return bytes([int(digits, 8) & 255 if len(digits) == 3 else _LETTERS[digits[0]]])
