"""The fields of a card in Teams: one for each kind of value, and what came back from them.

Text goes into text fields, numbers and days too: it comes back as it was typed, to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..forms.fields import Field
from .words import Part, line, words

YES, NO = "true", "false"
LONGEST_HINT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What somebody sent with a card.

    Attributes:
        typed: Text by parameter; for a choice its number.
        nothing: Parameters for which they ticked `None`.
    """

    typed: Mapping[str, str]
    nothing: frozenset[str]
    reason: str = ""
    note: str = ""
    confirm: str = ""


def filled(data: Mapping[str, Any], fields: Sequence[Field]) -> Filled:
    """Read what was sent; a field that is left out is empty, as Teams leaves out empty ones."""

    def text(name: str) -> str:
        value = data.get(name, "")
        return value if isinstance(value, str) else ""

    open_ones = [(n, one) for n, one in enumerate(fields) if one.kind != "fixed"]
    return Filled(
        typed={one.name: text(f"value.{n}") for n, one in open_ones},
        nothing=frozenset(
            one.name for n, one in open_ones if one.optional and text(f"none.{n}") == YES
        ),
        reason=text("reason"),
        note=text("note"),
        confirm=text("confirm"),
    )


def asked(n: int, one: Field, wrong: str) -> list[Part]:
    """Return the parts that ask for a value, with what is wrong with it below."""
    label = f"{one.label} ({one.type})"
    if one.kind == "fixed":
        return [line(words(f"{label}: ", bold=True), words(one.hint))]
    parts = [line(words(label, bold=True)), _input(f"value.{n}", one)]
    if one.optional:
        box = {"type": "Input.Toggle", "id": f"none.{n}", "title": "nothing (None)"}
        parts.append({**box, "value": YES if one.none else NO, "valueOn": YES, "valueOff": NO})
    return [*parts, *([line(words(wrong, colour="attention"))] if wrong else [])]


def typing(name: str, label: str, *, lines: bool = False, needed: bool = False) -> list[Part]:
    """Return the parts that ask for words of a person's own."""
    made: Part = {"type": "Input.Text", "id": name, "isMultiline": lines}
    if needed:
        made |= {"isRequired": True, "errorMessage": "Say it in a few words.", "label": label}
        return [made]
    return [line(words(label, bold=True)), made]


def _input(name: str, one: Field) -> Part:
    if one.kind == "choice":
        choices = [{"title": text, "value": str(n)} for n, (text, _) in enumerate(one.choices)]
        made: Part = {"type": "Input.ChoiceSet", "id": name, "choices": choices}
        return {**made, "value": one.text} if one.text else made
    made = {"type": "Input.Text", "id": name, "isMultiline": one.kind in {"lines", "json"}}
    made |= {"value": one.text} if one.text else {}
    return {**made, "placeholder": one.hint[:LONGEST_HINT]} if one.hint else made
