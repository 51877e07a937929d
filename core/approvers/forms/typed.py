"""Read what somebody typed in a form: which values are others now, and which are none at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from ...canonical import encode
from ...display import is_plain, safe, unsafe
from ...model import Unencodable
from .fields import Field

LONGEST_NOTE = 2_000
DIGITS = 6
"""So many characters of its digest a person types who approves what is CRITICAL."""
NOTHING = "nothing"
PREFIX, NONE_PREFIX = "value.", "none."
_INTEGER = re.compile(r"[+-]?[0-9]{1,3000}")


class Wrong(ValueError):
    """What was typed cannot be taken; the message is for the person, beside the field."""


def filled_in(form: list[Field], given: Mapping[str, Any]) -> list[Field]:
    """Return the form with what somebody typed in it."""
    return [_filled_in(one, given) for one in form]


def _filled_in(one: Field, given: Mapping[str, Any]) -> Field:
    text = given.get(PREFIX + one.name)
    if one.kind == "fixed" or not isinstance(text, str):
        return one
    none = one.optional and given.get(NONE_PREFIX + one.name) == NOTHING
    return replace(one, text=_visible(one.kind, lines_of(text)), none=none)


def _visible(kind: str, text: str) -> str:
    """Write out what was pasted along unseen, so that it is seen before it is proposed."""
    if kind == "json":
        return "".join(c if c in "\n\t" or is_plain(c) else json.dumps(c)[1:-1] for c in text)
    try:
        return safe(unsafe(text), newlines=True)
    except ValueError:  # what looks like a mark and names no character is text like any other
        return safe(text, newlines=True)


def wrong_reason(reason: str) -> str:
    """Say what is wrong with the reason of a rejection; empty when nothing is."""
    if not reason:
        return "Say why, so that the agent can do something else; nothing was rejected."
    if len(reason) > LONGEST_NOTE:
        return f"A reason has at most {LONGEST_NOTE:,} characters; nothing was rejected."
    return ""


def lines_of(text: str) -> str:
    """Return text as it was typed: a browser sends every line end as two characters."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def changed(before: list[Field], after: list[Field]) -> dict[str, object]:
    """Return the values of the fields in which something else stands than before.

    Raises:
        Misfits: With what is wrong, for each field.
    """
    found, wrong = dict[str, object](), dict[str, str]()
    for was, now in zip(before, after, strict=True):
        if (was.text, was.none) == (now.text, now.none):
            continue
        try:
            value = value_of(now)
            if was.none and now.none:
                raise Wrong(f"Untick {NOTHING} to use this value.")
            if not _stands_for(was, value):
                found[now.name] = value
        except Wrong as problem:
            wrong[now.name] = str(problem)
    if wrong:
        raise Misfits(wrong)
    return found


def _stands_for(was: Field, value: object) -> bool:
    """Whether a field said the same before, in other characters: browsers write times anew."""
    try:
        return not was.none and encode(value_of(was)) == encode(value)
    except Wrong:
        return False


class Misfits(ValueError):
    """What is wrong with a form.

    Attributes:
        by_name: A sentence for each parameter.
    """

    def __init__(self, by_name: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in by_name.items()))
        self.by_name = by_name


def beside(problem: str, names: Sequence[str]) -> dict[str, str]:
    """Cut what the gate says into a sentence for each parameter that it names.

    >>> beside("amount: must be less; note: too long", ["amount", "note"])
    {'amount': 'must be less', 'note': 'too long'}
    """
    known = "|".join(map(re.escape, names))
    parts = re.split(rf"(?:^|; )({known}): ", problem) if names else [problem]
    if parts[0]:
        return {}
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def value_of(one: Field) -> object:
    """Read what stands in a field. Whether it fits the function, its gate says.

    Raises:
        Wrong: It is no value of that kind.
    """
    if one.none:
        return None
    try:
        value = _READ[one.kind](one)
        encode(value)
    except Wrong:
        raise
    except Unencodable as problem:
        raise Wrong(f"{problem}.") from None
    except (ValueError, OverflowError, ArithmeticError, RecursionError):
        hint = one.hint or {"date": "a day", "time": "a time"}.get(one.kind, "such a value")
        raise Wrong(f"This is not {hint}.") from None
    return value


def _choice(one: Field) -> object:
    if not (one.text.isascii() and one.text.isdecimal() and int(one.text[:9]) < len(one.choices)):
        raise Wrong("Choose one of these.")
    return one.choices[int(one.text[:9])][1]


def _integer(one: Field) -> int:
    text = one.text.strip()
    if not _INTEGER.fullmatch(text):
        raise Wrong("This is not a whole number.")
    return int(text)


def _decimal(one: Field) -> Decimal:
    try:
        return Decimal(one.text.strip())
    except InvalidOperation:
        raise Wrong("This is not a number.") from None


def _local(one: Field) -> datetime:
    found = datetime.fromisoformat(one.text.strip())
    if found.tzinfo is not None:
        raise Wrong("This takes a time without an offset.")
    return found


def _moment(one: Field) -> datetime:
    found = datetime.fromisoformat(one.text.strip())
    if found.tzinfo is not None:
        found.astimezone(UTC)  # one that has no instant is none
    return found


def _read_json(one: Field) -> object:
    return json.loads(one.text, parse_constant=_no_number)


def _no_number(text: str) -> NoReturn:
    raise Wrong(f"{text} is no number.")


_READ: dict[str, Callable[[Field], object]] = {
    "text": lambda one: unsafe(one.text),
    "lines": lambda one: unsafe(one.text),
    "int": _integer,
    "float": lambda one: float(one.text.strip()),
    "Decimal": _decimal,
    "choice": _choice,
    "date": lambda one: date.fromisoformat(one.text.strip()),
    "time": lambda one: time.fromisoformat(one.text.strip()),
    "datetime": _local,
    "aware": _moment,
    "timedelta": lambda one: unsafe(one.text).strip(),
    "json": _read_json,
}
