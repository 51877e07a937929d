"""A form made from the parameters of a function: each value as a person would type it."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from datetime import datetime, time
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from ...canonical import Opaque
from ...display import SQL_NAMES, display, safe
from ...model import ApprovalRequest

LONG = 60
MOST_CHOICES = 200
_HINTS = {
    "int": "a whole number",
    "float": "a number",
    "Decimal": "a number, exact to the last digit",
    "json": "JSON",
    "timedelta": "a duration such as PT1H30M",
    "aware": "date, time and offset, such as 2026-06-04T12:30:00+02:00",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the form.

    Attributes:
        name: Of the parameter.
        label: The same, safe to show.
        type: The annotation, or the type of the value when there is none, safe to show.
        kind: How it is asked for: `"text"`, `"lines"`, `"int"`, `"float"`, `"Decimal"`, `"choice"`,
            `"date"`, `"time"`, `"datetime"`, `"aware"`, `"timedelta"`, `"json"`, or `"fixed"` for
            what nobody can change here.
        text: What stands in it; what cannot be seen or typed is written out, as `safe` does.
        none: Whether the value is `None`.
        optional: Whether it may be `None`.
        choices: Text and value of each, where there is a choice.
        hint: What may be typed.
        wrong: What is wrong with what was typed.
    """

    name: str
    label: str
    type: str
    kind: str
    text: str = ""
    none: bool = False
    optional: bool = False
    choices: tuple[tuple[str, Any], ...] = ()
    hint: str = ""
    wrong: str = ""


def fields(request: ApprovalRequest) -> list[Field]:
    """Return the form as the request stands now."""
    return [
        _field(parameter.name, parameter.annotation, request.arguments[parameter.name])
        if not parameter.secret
        else _fixed(parameter.name, "secret", "It is hidden, and a hidden value cannot be edited.")
        for parameter in request.parameters
        if parameter.name in request.arguments
    ]


def _fixed(name: str, kind: str, why: str) -> Field:
    return Field(name=name, label=safe(name), type=safe(kind), kind="fixed", hint=why)


def _field(name: str, annotation: str, value: object) -> Field:
    names = alternatives(annotation)
    wanted = [one for one in names if one != "None"]
    choices = _choices(wanted, value)
    kind = "choice" if choices else _kind(wanted, value)
    try:
        text = "" if value is None else _text(kind, value, choices)
    except (ValueError, TypeError, RecursionError):
        return _fixed(name, annotation or type(value).__name__, "It cannot be typed.")
    if kind == "text" and (len(text) > LONG or "\n" in text or name.lower() in SQL_NAMES):
        kind = "lines"
    return Field(
        name=name,
        label=safe(name),
        type=safe(annotation or type(value).__name__),
        kind=kind,
        text=text,
        none=value is None,
        optional=value is None or "None" in names,
        choices=choices,
        hint=_HINTS.get(kind, ""),
    )


def alternatives(annotation: str) -> list[str]:
    """Return the parts of a union, without the modules they come from.

    >>> alternatives("decimal.Decimal | None"), alternatives("Optional[int]")
    (['Decimal', 'None'], ['int', 'None'])
    """
    text = annotation.strip()
    if found := re.fullmatch(r"(?:typing\.)?Annotated\[(.+?), .+\]", text, re.DOTALL):
        text = found[1]
    if found := re.fullmatch(r"(?:typing\.)?Optional\[(.+)\]", text, re.DOTALL):
        return [*alternatives(found[1]), "None"]
    return [_short(part) for part in _split(text, "|")] if text else []


def _short(name: str) -> str:
    return name if "[" in name else name.rpartition(".")[2]


def _split(text: str, mark: str) -> list[str]:
    """Cut at `mark`, but not inside brackets or quotes."""
    parts, depth, quoted, start = list[str](), 0, "", 0
    for at, c in enumerate(text):
        if quoted:
            quoted = "" if c == quoted else quoted
        elif c in "'\"":
            quoted = c
        elif c == mark and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
        else:
            depth += (c in "[(") - (c in "])")
    return [*parts, text[start:].strip()]


def _choices(wanted: list[str], value: object) -> tuple[tuple[str, Any], ...]:
    """Return what there is to choose from: yes and no, the members of an enum, a `Literal`."""
    if isinstance(value, Enum):
        members: list[Any] = [*type(value)]
        return tuple((safe(one.name), one.value) for one in members[:MOST_CHOICES])
    if wanted == ["bool"] or (not wanted and type(value) is bool):
        return (("True", True), ("False", False))
    literals = list[Any]()
    for part in wanted:
        found = re.fullmatch(r"(?:\w+\.)*Literal\[(.*)\]", part, re.DOTALL)
        if found is None:
            return ()
        try:
            literals += ast.literal_eval(f"[{found[1]}]")
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return ()
    return tuple((safe(str(one)), one) for one in literals[:MOST_CHOICES])


_TEXTS = {"str", "UUID", "Path", "PosixPath", "PurePath", "PurePosixPath", "ZoneInfo"}
_SIMPLE = {name: name for name in ("int", "float", "Decimal", "date", "time", "timedelta")}
_SIMPLE["datetime"] = "aware"


def _kind(wanted: list[str], value: object) -> str:
    """Return how to ask: by the annotation where it says one thing, else by the value."""
    name = wanted[0] if len(wanted) == 1 else type(value).__name__
    if isinstance(value, datetime | time):
        return _clock_kind(value)
    if isinstance(value, Opaque) and _is_enum(value):
        return _kind([], value.fields["value"])
    if set(wanted) == {"int", "float"}:
        return "float"
    if name in _SIMPLE:
        return _SIMPLE[name]
    is_text = name in _TEXTS or isinstance(value, (str, UUID, PurePath))
    return "text" if is_text or (value is None and "str" in wanted) else "json"


def _clock_kind(value: datetime | time) -> str:
    """A browser's own field knows neither offsets nor less than a millisecond."""
    plain = value.tzinfo is None and not value.microsecond
    if isinstance(value, datetime):
        return "datetime" if plain else "aware"
    return "time" if plain else "text"


def _text(kind: str, value: Any, choices: tuple[tuple[str, Any], ...]) -> str:
    """Return a value as it stands in the form."""
    if choices:
        plain = value.value if isinstance(value, Enum) else value
        return next((str(n) for n, (_, one) in enumerate(choices) if _is(one, plain)), "")
    held: Any = value.fields["value"] if _is_enum(value) else value
    match kind:
        case "date" | "time" | "datetime" | "aware":
            return str(held.isoformat())
        case "json" | "timedelta":
            return _json(held) if kind == "json" else str(_plain(held))
        case _:
            return safe(str(held), newlines=True)


def _is_enum(value: object) -> bool:
    """Whether it is the member of an enum whose class is not here."""
    return isinstance(value, Opaque) and set(value.fields) == {"value"}


def _is(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _json(value: Any) -> str:
    return display(json.dumps(_plain(value), indent=2).encode("ascii"))


def _plain(value: Any) -> Any:
    from pydantic_core import to_jsonable_python

    if isinstance(value, Opaque):
        value = dict(value.fields)
    return to_jsonable_python(value)
