"""A request as a page needs it: plain texts, in which nothing is invisible."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...display import CONTAINERS, Shown, safe, shown, unsafe
from ...model import END_OF_TIME, ApprovalRequest, Preview, Risk

LONGEST = 20_000
"""Characters that somebody reads in a dialog; what is longer needs a page of its own."""
DIGITS = 6
_AT_THE_END = re.compile(r" +(?=\n|\Z)")


def question(request: ApprovalRequest, *, now: datetime, elsewhere: str = "") -> dict[str, Any]:
    """Return all that a page shows of `request`; every text in it is safe to show as text.

    Args:
        elsewhere: Address of a window that can show what is too large for this one.
    """
    head = _head(request, now, elsewhere)
    if is_too_large(request):
        return head
    return {
        **head,
        "whole": True,
        "problem": lines(request.problem),
        "remarks": [lines(remark) for remark in request.remarks],
        "arguments": list(arguments(request).values()),
        "preview": _preview(request.preview or Preview()),
    }


def is_too_large(request: ApprovalRequest) -> bool:
    """Whether nobody would read all of it in a dialog, so that nobody may approve it there."""
    return len(request.frozen) + len(repr(request.preview)) > LONGEST


def value_of(request: ApprovalRequest, name: str, text: str) -> object:
    """Return what `text` stands for when it is typed as an argument.

    A parameter with an annotation is read by the gate, which knows the types. For one without,
    text is text, and anything else is read as JSON.
    """
    typed = unsafe(text)
    annotation = next((p.annotation for p in request.parameters if p.name == name), "")
    if "str" in annotation or isinstance(request.arguments.get(name), str):
        return typed
    if typed == "None":
        return None
    if annotation:
        return typed
    try:
        value: object = json.loads(typed)
    except (ValueError, RecursionError):
        return typed
    return value


def changes(request: ApprovalRequest, texts: Mapping[str, str]) -> list[dict[str, str]]:
    """Return what would be other than it is, as it would be shown: name, was, now."""
    known = arguments(request)
    typed = {name: lines(unsafe(text)) for name, text in texts.items()}
    return [
        {"name": known[name]["name"], "was": known[name]["edit"], "now": now}
        for name, now in typed.items()
        if known[name]["edit"] != now
    ]


def arguments(request: ApprovalRequest) -> dict[str, dict[str, Any]]:
    """Return the arguments by name, as a page needs them."""
    found = zip(request.arguments, shown(request), strict=True)
    return {name: _argument(request, name, one) for name, one in found}


def lines(text: str) -> str:
    """Return `text` with everything visible, spaces at the end of a line too.

    >>> lines("pay  ")
    'pay⟨U+0020⟩⟨U+0020⟩'
    """
    return _ended(safe(text, newlines=True))


def _head(request: ApprovalRequest, now: datetime, elsewhere: str) -> dict[str, Any]:
    left = (request.expires_at - now).total_seconds()
    return {
        "id": request.id,
        "digest": request.digest,
        "name": safe(request.name),
        "action": safe(request.action),
        "risk": request.risk.name,
        "environment": safe(request.environment),
        "asker": safe(request.requester),
        "seconds": None if request.expires_at == END_OF_TIME else max(left, 0.0),
        "digits": DIGITS if request.risk >= Risk.CRITICAL else 0,
        "revision": request.revision,
        "elsewhere": elsewhere,
        "whole": False,
    }


def _argument(request: ApprovalRequest, name: str, one: Shown) -> dict[str, Any]:
    """Return one argument; `edit` is what stands in the field to change it, or `None`."""
    text = _ended(one.text)
    fixed = one.type in {"secret", "bytes"} or any(
        p.name == name and p.secret for p in request.parameters
    )
    is_json = one.type in CONTAINERS or ":" in one.type
    edit = None if fixed else _json(request.arguments[name]) if is_json else text
    return {"name": one.name, "type": one.type, "text": text, "edit": edit}


def _json(value: object) -> str | None:
    """Return a list or an object as JSON, which the gate reads back; `None` when it is neither."""
    from pydantic_core import to_json

    try:
        return lines(to_json(value).decode())
    except ValueError:
        return None


def _ended(text: str) -> str:
    return _AT_THE_END.sub(lambda found: "⟨U+0020⟩" * len(found[0]), text)


def _preview(preview: Preview) -> dict[str, Any]:
    return {
        "summary": lines(preview.summary),
        "facts": [[lines(name), lines(value)] for name, value in preview.facts],
        "tables": [
            {
                "title": lines(table.title),
                "columns": [lines(name) for name in table.columns],
                "rows": [[lines(cell) for cell in row] for row in table.rows],
            }
            for table in preview.tables
        ],
        "diff": lines(preview.diff).split("\n") if preview.diff else [],
        "warnings": [lines(warning) for warning in preview.warnings],
        "quotes": [{"who": lines(q.who), "text": lines(q.text)} for q in preview.quotes],
        "files": [lines(file.path) for file in preview.files],
    }
