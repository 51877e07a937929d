"""Read what a client writes as `a[b]=c`: names with brackets become dicts and lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

from .errors import malformed

MOST = 1_000  # fields of one request
DEEPEST = 6
NAME = re.compile(r"[^\[\]]+(?:\[[^\[\]]*\])*")


def parsed(text: str) -> dict[str, Any]:
    """Return the parameters of a query or a body.

    >>> parsed("amount=500&metadata[ticket]=t-1&expand[]=charge")
    {'amount': '500', 'metadata': {'ticket': 't-1'}, 'expand': ['charge']}

    Raises:
        Refusal: It is no form, or names one thing in two ways.
    """
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MOST, separator="&"
        )
    except ValueError:
        raise malformed("The parameters cannot be read as a form in UTF-8.") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        _put(found, _path(name), value)
    return {name: _with_lists(value) for name, value in found.items()}


def _path(name: str) -> list[str]:
    steps = re.split(r"\]?\[", name.removesuffix("]"))
    if not NAME.fullmatch(name) or len(steps) > DEEPEST:
        raise malformed(f"{name[:80]!r} cannot be the name of a parameter.")
    return steps


def _put(into: dict[str, Any], path: list[str], value: str) -> None:
    """Set a value deep inside; an empty step, as in `a[]`, counts on."""
    for step in path[:-1]:
        inner = into.setdefault(_counted(into, step), {})
        if not isinstance(inner, dict):
            raise malformed(f"{path[0]!r} is given once as a value and once with brackets.")
        into = cast("dict[str, Any]", inner)
    last = _counted(into, path[-1])
    if isinstance(into.get(last), dict):
        raise malformed(f"{path[0]!r} is given once as a value and once with brackets.")
    into[last] = value


def _counted(into: Mapping[str, Any], step: str) -> str:
    return step or str(len(into))


def _with_lists(value: Any) -> Any:
    """Return a dict whose names count 0, 1, 2 … as a list; of others, the same inside."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(one) for name, one in cast("dict[str, Any]", value).items()}
    if inner and list(inner) == [str(number) for number in range(len(inner))]:
        return list(inner.values())
    return inner
