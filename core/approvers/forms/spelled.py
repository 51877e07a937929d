"""Lists, records and instants in a notation that people read: one for one with what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...display import CONTAINERS, Shown, display, safe, shown
from ...model import ApprovalRequest

WIDTH = 76
STEP = "  "
_BRACKETS = {
    "list": ("[", "]"),
    "tuple": ("(", ")"),
    "set": ("{", "}"),
    "frozenset": ("frozenset({", "})"),
    "dict": ("{", "}"),
}


def spelled_out(request: ApprovalRequest) -> tuple[Shown, ...]:
    """Return the arguments as `core.display.shown` does, with nested values spelled for people."""
    nodes = [node for _, node in json.loads(request.frozen or b'["dict"]')[1:]]
    return tuple(
        replace(each, text=spelled(node)) if _is_nested(node) else each
        for each, node in zip(shown(request), nodes, strict=True)
    )


def _is_nested(node: Any) -> bool:
    match node:
        case ["secret", _, _]:
            return False
        case [kind, str(_)] if kind not in CONTAINERS:
            return False
        case _:
            return isinstance(node, list)


def spelled(node: Any, *, before: str = "", indent: str = "") -> str:
    """Return the text of a canonical value that was read as JSON; different values differ in it.

    Args:
        before: What stands before it on its line.
        indent: How far in its lines are.

    >>> spelled(["dict", ["eu", ["tuple", 1, ["Decimal", "1.50"]]]])
    '{"eu": (1, Decimal("1.50"))}'
    """
    line = _line(node)
    if len(indent) + len(before) + len(line) <= WIDTH or not _has_parts(node):
        return before + line
    opening, parts, closing = _parts(node)
    inner = indent + STEP
    lines = [inner + spelled(part, before=name, indent=inner) for name, part in parts]
    return f"{before}{opening}\n" + ",\n".join(lines) + f"\n{indent}{closing}"


def _has_parts(node: Any) -> bool:
    match node:
        case ["object", _, _, *_]:
            return True
        case [str(kind), _, *_]:
            return kind in _BRACKETS
        case _:
            return False


def _line(node: Any) -> str:
    match node:
        case None | bool() | int():
            return str(node)
        case str():
            return _quoted(node)
        case ["float", str(text)]:
            return text
        case ["object", *_] | ["list" | "dict" | "tuple", *_] | ["set" | "frozenset", _, *_]:
            opening, parts, closing = _parts([*node])
            alone = "," if node[0] == "tuple" and len(node) == 2 else ""
            return opening + ", ".join(name + _line(part) for name, part in parts) + alone + closing
        case _:
            return _called([*node])


def _called(node: list[Any]) -> str:
    """Return a value as one would make it: its type, and what it is made from."""
    match node:
        case ["enum", str(kind), value]:
            values = [value]
        case ["datetime", text, "", 0] | ["time", text, 0]:
            kind, values = node[0], [text]
        case _:
            kind, values = node[0], node[1:]
    return f"{safe(kind)}({', '.join(map(_line, values))})"


def _parts(node: list[Any]) -> tuple[str, list[tuple[str, Any]], str]:
    """Return what opens a value, the name and value of each of its parts, and what closes it."""
    if node[0] == "object":
        return f"{safe(node[1])}(", [*_fields(node[2:])], ")"
    opening, closing = _BRACKETS[node[0]]
    if node[0] == "dict":
        return opening, [(f"{_line(key)}: ", value) for key, value in node[1:]], closing
    return opening, [("", value) for value in node[1:]], closing


def _fields(pairs: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a record; one that was not given has its default."""
    for key, value in pairs:
        match key:
            case str():
                yield f"{_name(key)}=", value
            case ["tuple", "unset", str(name)]:
                yield f"{_name(name)} by default=", value
            case _:
                yield f"{_line(key)}=", value


def _name(text: str) -> str:
    return text if text.isascii() and text.isidentifier() else _quoted(text)


def _quoted(text: str) -> str:
    return display(json.dumps(text).encode("ascii"))
