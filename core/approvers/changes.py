"""A person changes the arguments of a call: which one, to what, and what exactly that changes."""

from __future__ import annotations

import ast
import difflib
import json
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from uuid import UUID

from rich.text import Text

from ..canonical import encode
from ..display import SQL_NAMES, Shown, safe, shown
from ..model import ApprovalRequest, Unencodable
from .asking import ask, choose, say
from .drawing import DIFF_COLOURS, margin, title
from .editor import NoEditor, in_editor
from .teletype import Teletype

LONG = 200
TEXTUAL = (str, Decimal, date, time, timedelta, UUID, PurePath)


@dataclass(frozen=True, slots=True, kw_only=True)
class Editable:
    """An argument that may be changed, as it is now.

    Attributes:
        text: What stands in the line to edit.
        is_text: Whether what is typed is the value, rather than a literal to read.
    """

    shown: Shown
    name: str
    text: str
    is_text: bool


def changes(tty: Teletype, request: ApprovalRequest) -> dict[str, object]:
    """Return the arguments that the person wants instead; none when they think better of it.

    Values are as typed. The gate checks them against the function's annotations.
    """
    made: dict[str, object] = {}
    while (one := _picked(tty, editable(request))) is not None:
        text = _typed(tty, one)
        if text is None:
            return {}
        value = text if one.is_text else literal(text)
        try:
            new = _as_shown(request, one, value)
        except Unencodable as problem:
            say(tty, Text(safe(str(problem)), "red"))
            continue
        if not say(tty, *difference(one.shown, new, tty.size()[0])):
            continue
        match choose(tty, {"y": "take this", "m": "take this and change more", "n": "drop it"}):
            case "y":
                return {**made, one.name: value}
            case "m":
                made[one.name] = value
            case _:
                pass
    if made:
        say(tty, "The changes so far are dropped.")
    return {}


def editable(request: ApprovalRequest) -> list[Editable]:
    """Return what may be changed: every argument but the hidden ones."""
    annotations = {one.name: one for one in request.parameters}
    found: list[Editable] = []
    for (name, value), now in zip(request.arguments.items(), shown(request), strict=True):
        parameter = annotations.get(name)
        if now.type == "secret" or (parameter is not None and parameter.secret):
            continue
        is_text = _is_text(value, parameter.annotation if parameter is not None else "")
        found.append(Editable(shown=now, name=name, text=_text(value), is_text=is_text))
    return found


def _is_text(value: object, annotation: str) -> bool:
    """Whether typing 12 means the text "12", which the gate reads by the annotation."""
    if value is not None:
        return isinstance(value, TEXTUAL)
    return any(name in annotation for name in ("str", *(kind.__name__ for kind in TEXTUAL)))


def _text(value: object) -> str:
    """Return `value` as one would type it: a literal, or JSON of it that the gate reads back.

    >>> _text("as it is"), _text(Decimal("1.50")), _text([1, ("a", None)])
    ('as it is', '1.50', "[1, ('a', None)]")
    """
    if type(value) is str:
        return value
    if literal(repr(value)) == value:
        return repr(value)
    from pydantic_core import to_jsonable_python

    plain: object = to_jsonable_python(value, fallback=str)
    return plain if isinstance(plain, str) else repr(plain)


def literal(text: str) -> object:
    """Read a Python literal or JSON, or take the text as it stands.

    >>> literal("3"), literal('{"eu": true}'), literal("eu-west-1")
    (3, {'eu': True}, 'eu-west-1')
    """
    for read in (ast.literal_eval, json.loads):
        try:
            value: object = read(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value
    return text


def _as_shown(request: ApprovalRequest, one: Editable, value: object) -> Shown:
    """Return the new value the way it would be shown."""
    (new,) = shown(replace(request, frozen=encode({one.name: value})))
    return replace(new, type=one.shown.type) if one.is_text and one.text != "None" else new


def difference(was: Shown, now: Shown, width: int) -> list[Text]:
    """Return what changes, line by line, old and new."""
    kinds = now.type if was.type == now.type else f"{was.type} -> {now.type}"
    compared = difflib.unified_diff(was.text.split("\n"), now.text.split("\n"), lineterm="")
    lines = [line for number, line in enumerate(compared) if number > 2 or line[:1] not in "-+@"]
    if not lines:
        lines = [" " + now.text]
    coloured = Text("\n").join(Text(line, DIFF_COLOURS.get(line[:1], "")) for line in lines)
    return [*title("the change"), Text(f"  {now.name} ({kinds})"), *margin(coloured, width)]


def _picked(tty: Teletype, offered: list[Editable]) -> Editable | None:
    if len(offered) < 2:
        say(tty, *([] if offered else ["There is no argument that could be edited."]))
        return offered[0] if offered else None
    say(tty, *(f"  {number}  {one.shown.name}" for number, one in enumerate(offered, 1)))
    while (said := ask(tty, "which one (number or name; Escape goes back): ")) is not None:
        for number, one in enumerate(offered, 1):
            if said.strip() in {str(number), one.name, one.shown.name}:
                return one
        say(tty, "There is no such argument.")
    return None


def _typed(tty: Teletype, one: Editable) -> str | None:
    if "\n" in one.text or len(one.text) > LONG or one.shown.name.lower() in SQL_NAMES:
        where = {"o": "open an editor", "i": "edit in one line", "b": "back"}
        pressed = choose(tty, where)
        if pressed == "b":
            return None
        if pressed == "o":
            return _in_editor(tty, one)
    return ask(tty, f"{one.shown.name} = ", one.text)


def _in_editor(tty: Teletype, one: Editable) -> str | None:
    try:
        suffix = ".sql" if one.name.lower() in SQL_NAMES else ".txt"
        return in_editor(tty, one.text, suffix)
    except NoEditor as problem:
        say(tty, Text(safe(str(problem)), "red"))
        return None
