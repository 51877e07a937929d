"""Run a call with other arguments: `edit` leaves a proposal, and the gate that asked checks it."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Sequence
from typing import NoReturn

from .. import documents
from ..approvers.proposing import checked, waits, why_not
from ..display import shown
from ..model import ApprovalRequest, Edit, State, StoredRequest
from ..stores.rules import standing
from . import pages
from .desk import Desk, Misused, Otherwise, found
from .ink import Block, Facts, Heading, line, lines, once
from .paper import write
from .voting import looked_at

NOT_CHECKED_YET = 4
READ_AS_JSON = {"int", "bool", "float", "None", "list", "tuple", "dict", "set", "frozenset"}


def edit(desk: Desk, options: Namespace) -> int:
    """Propose other arguments, and wait for what the gate makes of them."""
    with desk.store(sweep=True) as store:
        before = found(store, options.id)
        request = before.request
        proposal = Edit(by=desk.by, arguments=values(request, options.set), note=options.note)
        if before.state is State.PENDING:
            if desk.ask is not None and not options.yes:
                rows = [
                    (line(name), lines(repr(value))) for name, value in proposal.arguments.items()
                ]
                write([Heading(line("your edit")), Facts(rows)], desk.out)
            looked_at(desk, options, before, "Type yes to run this call with your edit: ")
        store.propose(request.id, proposal, digest=request.digest, window=desk.window)
        after = checked(store, request, proposal, seconds=options.wait)
    return _told(desk, before, after, proposal)


def values(request: ApprovalRequest, settings: Sequence[str]) -> dict[str, object]:
    """Read `name=value` and `name:=JSON`.

    Raises:
        Misused: A setting is neither, names no parameter or a hidden one, or comes twice.
    """
    known = {p.name: p for p in request.parameters}
    kinds = {argument.name: argument.type for argument in shown(request)}
    taken: dict[str, object] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        exact, name = name.endswith(":"), name.removesuffix(":")
        if not equals:
            raise Misused(f"--set takes name=value, or name:=JSON, not {setting!r}")
        if name not in known:
            raise Misused(f"{request.name} has no parameter {name!r}; it has {', '.join(known)}")
        if known[name].secret:
            raise Misused(f"{name} is hidden, and a hidden value cannot be edited")
        if name in taken:
            raise Misused(f"--set {name} was given twice")
        kind = "str" if "str" in known[name].annotation and kinds[name] == "None" else kinds[name]
        taken[name] = _json(name, text) if exact else value(text, kind)
    return taken


def _json(name: str, text: str) -> object:
    try:
        read: object = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise Misused(f"{name}:= takes JSON, and {text!r} is none ({problem})") from None
    return read


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def value(text: str, kind: str) -> object:
    """Read what stands for a value: text stays text where a text is, or a type with its own words.

    Args:
        kind: The kind of value the argument has now; numbers and lists are read as JSON.

    >>> value("007", "str"), value("7", "int"), value("7.50", "Decimal"), value("x", "int")
    ('007', 7, '7.50', 'x')
    """
    if kind not in READ_AS_JSON and not re.fullmatch(r"[\w.]+:[\w.<>]+", kind):
        return text
    try:
        read: object = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    return read if kind in READ_AS_JSON or text.lstrip().startswith("{") else text


def _told(desk: Desk, before: StoredRequest, after: StoredRequest, edit: Edit) -> int:
    problem = why_not(before, after, edit)
    if problem:
        raise Otherwise(problem)
    text, code = line(f"{standing(after)}."), 0
    if waits(after, edit):
        text, code = line(_unchecked(after)), NOT_CHECKED_YET
    elif after.state is State.PENDING:
        count = f"{pages.approvals(after)} of {after.request.panel.votes} votes"
        short = after.request.id[:8]
        text = once(f"Edited: {after.changed}. It waits with {count}; see `show {short}`.")
    elif after.changed:
        text = once(f"Edited: {after.changed}. {standing(after)}.")
    blocks: list[Block] = [Heading(text)]
    desk.answer(documents.request(after), blocks)
    return code


def _unchecked(after: StoredRequest) -> str:
    return (
        "The edit is left, but nobody has checked it: the process that asked does not seem to"
        f" listen. It will be checked when that comes back; see `show {after.request.id[:8]}`."
    )
