"""Text that stands for a result that is not there yet: `"PENDING_APPROVAL_1"`, and only all of it.

>>> filled(["PENDING_APPROVAL_1", 2], {1: "re_9"}), sorted(numbers({"of": "PENDING_APPROVAL_3"}))
(['re_9', 2], [3])
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..call import texts
from ..canonical import kind_of
from ..model import ApprovalRequest, Place

WHOLE = re.compile(r"PENDING_APPROVAL_([1-9][0-9]{0,8})")
_ANYWHERE = re.compile(r"PENDING_APPROVAL_[0-9]+")


def placeholder(number: int) -> str:
    """Return what stands for the result of the call of that number."""
    return f"PENDING_APPROVAL_{number}"


def numbers(value: Any) -> set[int]:
    """Return the numbers of the calls whose results `value` waits for."""
    return set(_numbers(value))


def _numbers(value: Any) -> Iterator[int]:
    if whole := _whole(value):
        yield int(whole[1])
    for item in _members(value):
        yield from _numbers(item)


def _whole(value: Any) -> re.Match[str] | None:
    return WHOLE.fullmatch(value) if type(value) is str else None


def _members(value: Any) -> list[Any]:
    """Return the values in which results can be put; keys and objects are none of them."""
    kind = kind_of(value)
    return list(value.values()) if kind is dict else list(value) if kind in (list, tuple) else []


def waits(arguments: Mapping[str, object]) -> dict[str, set[int]]:
    """Return the parameters that wait for results, and for which."""
    found = {name: numbers(value) for name, value in arguments.items()}
    return {name: those for name, those in found.items() if those}


def filled(value: Any, results: Mapping[int, Any]) -> Any:
    """Return `value` with results in place of what stands for them, at any depth.

    Raises:
        KeyError: One of them is not there.
    """
    kind = kind_of(value)
    if whole := _whole(value):
        return results[int(whole[1])]
    if kind is dict:
        return {key: filled(item, results) for key, item in value.items()}
    if kind in (list, tuple):
        made = [filled(item, results) for item in value]
        return made if kind is list else tuple(made)
    return value


def misplaced(value: Any, known: int) -> str:
    """Say in a clause what is wrong with a placeholder in `value`; empty when nothing is.

    Args:
        known: The calls up to that number may be waited for.
    """
    kind = kind_of(value)
    if kind is str:
        return _misread(value, known)
    if kind not in (list, tuple, dict):
        return _hidden(value)
    found = (misplaced(item, known) for item in _members(value))
    return next(filter(None, found), "") or _hidden(list(value) if kind is dict else [])


def _misread(text: str, known: int) -> str:
    found = _ANYWHERE.search(text)
    if found is None:
        return ""
    whole = WHOLE.fullmatch(text)
    if whole is None:
        return f"{found[0]} stands for a whole value, so it cannot be a part of a text"
    if int(whole[1]) > known:
        return f"{text} is no earlier call of this batch"
    return ""


def _hidden(value: Any) -> str:
    """Keys, sets and objects take none: what would be put there is not a value that is passed."""
    for text in texts(value):
        if found := _ANYWHERE.search(text):
            return f"{found[0]} has to be a value: alone, in a list, or behind a key of a dict"
    return ""


def stands_for(number: int, call: str) -> str:
    """Return the remark that tells a person what a placeholder means."""
    return f"{placeholder(number)} stands for the result of call {number}, {call}"


def still_said(
    request: ApprovalRequest, arguments: Mapping[str, object]
) -> tuple[Place | None, tuple[str, ...]]:
    """Return the place and the remarks that an edit to `arguments` leaves true."""
    place = request.batch
    if place is None:
        return None, ()
    needs = tuple(sorted(set[int]().union(*waits(arguments).values())))
    marks = tuple(f"{placeholder(number)} " for number in needs)
    said = tuple(remark for remark in request.remarks if marks and remark.startswith(marks))
    return replace(place, needs=needs), said
