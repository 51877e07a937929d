"""The fields of a Slack modal: one for each kind of value, and what came back from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..forms.fields import Field
from .marks import EMPTY, Block, line, plain, rich, words

LONGEST_INPUT = 3_000
LONGEST_OPTION = 75
MOST_OPTIONS = 100
_DAY = re.compile(r"(?:19|20)\d\d-\d\d-\d\d")
_MINUTE = re.compile(r"(\d\d:\d\d)(?::00)?")


def asked(one: Field) -> Block | None:
    """Return the element that asks for a value, with the present one in it.

    Returns:
        `None` when Slack cannot hold the value, or one of the choices, whole.
    """
    match one.kind:
        case "choice":
            return _choice(one)
        case "date" if not one.text or _DAY.fullmatch(one.text):
            return _starting({"type": "datepicker", "action_id": "typed"}, "date", one.text)
        case "time" if not one.text or _MINUTE.fullmatch(one.text):
            return _starting({"type": "timepicker", "action_id": "typed"}, "time", one.text[:5])
        case kind:
            return _line(one, lines=kind in {"lines", "json"})


def typing(*, lines: bool = False, most: int = LONGEST_INPUT) -> Block:
    """Return an element to type into."""
    return {
        "type": "plain_text_input",
        "action_id": "typed",
        "multiline": lines,
        "max_length": most,
    }


def tickbox(*, is_ticked: bool) -> Block:
    """Return the box that stands for `None`."""
    option = {"text": plain("nothing (None)"), "value": "none"}
    box: Block = {"type": "checkboxes", "action_id": "typed", "options": [option]}
    return {**box, "initial_options": [option]} if is_ticked else box


def fixed(one: Field) -> Block:
    """Return a parameter that nobody can change here, and why."""
    return rich([line(words(f"{one.label} ({one.type}): ", "bold"), words(one.hint))])


def read(given: Mapping[str, Any] | None) -> str:
    """Return what stands in a field; empty for nothing."""
    match given:
        case {"type": "static_select", "selected_option": {"value": str(text)}}:
            return text
        case {"type": "datepicker", "selected_date": str(text)}:
            return text
        case {"type": "timepicker", "selected_time": str(text)}:
            return text
        case {"type": "plain_text_input", "value": str(text)}:
            return text
        case _:
            return ""


def ticked(given: Mapping[str, Any] | None) -> bool:
    """Whether somebody ticked the box for `None`."""
    match given:
        case {"type": "checkboxes", "selected_options": [{"value": "none"}]}:
            return True
        case _:
            return False


def _choice(one: Field) -> Block | None:
    texts = [text or EMPTY for text, _ in one.choices]
    if len(texts) > MOST_OPTIONS or any(_units(text) > LONGEST_OPTION for text in texts):
        return None
    options = [{"text": plain(text), "value": str(n)} for n, text in enumerate(texts)]
    element: Block = {"type": "static_select", "action_id": "typed", "options": options}
    return {**element, "initial_option": options[int(one.text)]} if one.text else element


def _line(one: Field, *, lines: bool) -> Block | None:
    if _units(one.text) > LONGEST_INPUT:
        return None
    element = typing(lines=lines or "\n" in one.text)
    return {**element, "initial_value": one.text} if one.text else element


def _starting(element: Block, what: str, text: str) -> Block:
    return {**element, f"initial_{what}": text} if text else element


def _units(text: str) -> int:
    """Return how long a text is where characters beyond the first 65,536 count as two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
