"""Lists in pages, newest first, and fields that show a whole object instead of its id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from .errors import Json, malformed, missing
from .params import Params, integer
from .state import Rows

PAGE = ("limit", "starting_after", "ending_before", "created")
FILTERS = {
    "customer": ("email",),
    "charge": ("customer", "payment_intent"),
    "payment_intent": ("customer",),
    "refund": ("charge", "payment_intent"),
    "dispute": ("charge", "payment_intent"),
    "event": ("type",),
}
MOST, USUAL = 100, 10
BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
EXPANDABLE = {
    "customer": "customer",
    "charge": "charge",
    "latest_charge": "charge",
    "payment_intent": "payment_intent",
}


def names(kind: str) -> tuple[str, ...]:
    """Return the parameters that a list of one kind knows."""
    return (*FILTERS[kind], *PAGE, *(("types",) if kind == "event" else ()))


def listed(rows: Rows, kind: str, params: Params) -> Json:
    """Return one page of the objects of a kind."""
    most = params.whole("limit", least=1, most=MOST) or USUAL
    after, before = params.text("starting_after"), params.text("ending_before")
    if after and before:
        raise malformed("Give starting_after or ending_before, not both.", "ending_before")
    conditions = [*_filters(kind, params), *_created(params)]
    if cursor := after or before:
        param = "starting_after" if after else "ending_before"
        conditions += _beyond(rows, kind, cursor, param)
    found = rows.page(kind, conditions, "ASC" if before else "DESC", most + 1)
    page = found[:most]
    return {
        "object": "list",
        "data": page[::-1] if before else page,
        "has_more": len(found) > most,
        "url": f"/v1/{kind}s",
    }


def _filters(kind: str, params: Params) -> Iterator[tuple[str, Any]]:
    for name in FILTERS[kind]:
        if value := params.text(name):
            pattern = kind == "event" and value.endswith("*")
            yield (f"{name} GLOB ?" if pattern else f"{name} = ?"), value
    if kind == "event" and (types := params.texts("types")):
        yield "instr(?, ' ' || type || ' ') > 0", f" {' '.join(types)} "


def _created(params: Params) -> Iterator[tuple[str, Any]]:
    value: Any = params.given.get("created")
    if isinstance(value, str):
        yield "created = ?", integer(value, "created")
    elif value is not None:
        bounds = cast("dict[str, Any]", value) if isinstance(value, dict) else {"": value}
        for name, bound in bounds.items():
            if name not in BOUNDS or not isinstance(bound, str):
                raise malformed("created takes gt, gte, lt and lte.", "created")
            yield f"created {BOUNDS[name]} ?", integer(bound, f"created[{name}]")


def _beyond(rows: Rows, kind: str, cursor: str, param: str) -> list[tuple[str, Any]]:
    """Return the conditions that hold for what lies behind a cursor."""
    place = rows.place(kind, cursor)
    if place is None:
        raise missing(kind, cursor, param)
    created, seq = place  # whole numbers, so they may stand in the text
    sign = "<" if param == "starting_after" else ">"
    return [(f"(created, seq) {sign} ({created:d}, ?)", seq)]


def expanded(rows: Rows, one: Json, paths: list[str]) -> Json:
    """Return an object with ids replaced by what they stand for, such as `data.customer`."""
    for path in paths:
        _expand(rows, one, path.split("."), path)
    return one


def _expand(rows: Rows, one: Json, steps: list[str], path: str) -> None:
    name, *rest = steps
    if name == "data" and one.get("object") == "list":
        for inner in one["data"]:
            _expand(rows, inner, rest or [""], path)
        return
    if name == "refunds" and one.get("object") == "charge":
        one[name] = _refunds(rows, one["id"])
    elif name not in EXPANDABLE or name not in one:
        raise malformed(f"This property cannot be expanded ({path[:80]}).", "expand")
    elif isinstance(one[name], str):
        one[name] = rows.find(EXPANDABLE[name], one[name])
    if rest and one[name] is not None:
        _expand(rows, one[name], rest, path)


def _refunds(rows: Rows, charge: str) -> Json:
    """Return the newest refunds of a charge, as they lie inside it."""
    params = Params({"charge": charge}, ("charge",))
    return {**listed(rows, "refund", params), "url": f"/v1/charges/{charge}/refunds"}
