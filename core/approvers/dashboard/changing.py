"""Run it with other arguments: a form, the difference it makes, and what the gate says to it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...canonical import encode
from ...display import Shown, is_too_large
from ...model import ApprovalRequest, Edit, NotCounted, State, StoredRequest
from ..forms.fields import Field, fields
from ..forms.spelled import spelled_out
from ..forms.typed import (
    LONGEST_NOTE,
    NONE_PREFIX,
    NOTHING,
    PREFIX,
    Misfits,
    beside,
    changed,
    filled_in,
)
from ..proposing import checked, waits, why_not
from .asked import answer, obstacle
from .colours import Piece, diff, plain
from .context import context, person
from .deciding import WINDOW, sentence
from .finding import one
from .pages import field, form, looked_up, needs, page, to
from .people import Role
from .what import LONG

SECONDS_TO_CHECK = 5.0
MOST_COMPARED = 50_000
STALE = "What you were shown is not what waits now. Nothing was changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What an edit makes of one argument; every text in it is safe.

    Attributes:
        lines: Its lines, those that go and those that come marked; empty when it is short.
    """

    name: str
    type: str
    was: tuple[Piece, ...] = ()
    now: tuple[Piece, ...] = ()
    lines: tuple[Piece, ...] = ()


async def edit(request: Request) -> Response:
    """Show the form, as the request stands now."""
    stored = await one(context(request).store, request.path_params["id"])
    if obstacle(stored, person(request)) or is_too_large(stored.request):
        return await answer(request, stored)
    return _form(request, stored, fields(stored.request))


async def propose(request: Request) -> Response:
    """Take what was typed: show the difference first, then leave it for the gate."""
    needs(request, Role.REVIEWER)
    filled = await form(request)
    stored = await one(context(request).store, request.path_params["id"])
    if why := _why_not_now(request, stored, filled):
        return await answer(request, stored, status=409, notice=why)
    before = fields(stored.request)
    after, note = filled_in(before, filled), field(filled, "note").strip()[:LONGEST_NOTE]
    if field(filled, "do") == "back":
        return _form(request, stored, after, note=note)
    try:
        values = changed(before, after)
    except Misfits as problem:
        after = _with_problems(after, problem.by_name)
        return _form(request, stored, after, note=note, status=400)
    if not values:
        notice = "Nothing is different yet: change a value first."
        return _form(request, stored, after, note=note, notice=notice, status=400)
    if field(filled, "do") != "propose":
        return await _difference(request, stored, after, values, note)
    return await _proposed(request, stored, after, values, note)


def _why_not_now(request: Request, stored: StoredRequest, filled: FormData) -> str:
    if why := obstacle(stored, person(request)):
        return why
    if field(filled, "digest") != stored.request.digest:
        return STALE
    if is_too_large(stored.request):
        return "This is too large to be shown whole, so it cannot be edited here."
    return ""


def _form(
    request: Request,
    stored: StoredRequest,
    form: list[Field],
    *,
    note: str = "",
    notice: str = "",
    status: int = 200,
) -> Response:
    values: dict[str, Any] = {"fields": form, "note": note, "notice": notice, **_known(stored)}
    return page(request, "edit.html", status=status, **values)


def _known(stored: StoredRequest) -> dict[str, Any]:
    return {
        "stored": stored,
        "asked": stored.request,
        "prefix": PREFIX,
        "none_prefix": NONE_PREFIX,
        "nothing": NOTHING,
        "longest": LONGEST_NOTE,
    }


def _with_problems(form: list[Field], by_name: Mapping[str, str]) -> list[Field]:
    return [replace(each, wrong=by_name.get(each.name, "")) for each in form]


async def _difference(
    request: Request,
    stored: StoredRequest,
    form: list[Field],
    values: Mapping[str, object],
    note: str,
) -> Response:
    found = await looked_up(differences, stored.request, form, values)
    known: dict[str, Any] = {"fields": form, "differences": found, "note": note, **_known(stored)}
    return page(request, "difference.html", **known)


def differences(
    asked: ApprovalRequest, form: list[Field], values: Mapping[str, object]
) -> list[Difference]:
    """Return what changes, argument by argument, as it would be shown."""
    by_label = {each.label: each for each in form}
    given = {each.name: values[each.name] for each in form if each.name in values}
    new = {each.name: each for each in spelled_out(replace(asked, frozen=encode(given)))}
    return [
        _compared(was, _kept_type(by_label[was.name], was, new[was.name]))
        for was in spelled_out(asked)
        if was.name in new
    ]


def _kept_type(typed: Field, was: Shown, now: Shown) -> Shown:
    """A text that stands for another type, such as a path, is read by the gate."""
    is_text = typed.kind in {"text", "lines", "timedelta", "choice"} and now.type == "str"
    return replace(now, type=was.type) if is_text and was.type != "None" else now


def _compared(was: Shown, now: Shown) -> Difference:
    kinds = now.type if was.type == now.type else f"{was.type} → {now.type}"
    longest = max(len(was.text), len(now.text))
    is_long = longest > LONG or "\n" in was.text + now.text
    if not is_long or longest > MOST_COMPARED:
        return Difference(name=now.name, type=kinds, was=plain(was.text), now=plain(now.text))
    compared = difflib.unified_diff(was.text.split("\n"), now.text.split("\n"), lineterm="", n=3)
    lines = [*compared][2:]  # its head names files, and there are none
    return Difference(name=now.name, type=kinds, lines=diff("\n".join(lines)))


async def _proposed(
    request: Request,
    stored: StoredRequest,
    form: list[Field],
    values: Mapping[str, object],
    note: str,
) -> Response:
    """Leave the edit, wait a few seconds for the gate that asked, and tell what became of it."""
    store, asked = context(request).store, stored.request
    said = Edit(by=person(request).name, arguments=values, note=note)
    try:
        await looked_up(store.propose, asked.id, said, digest=asked.digest, window=WINDOW)
    except NotCounted as error:
        now = await one(store, asked.id)
        return await answer(request, now, status=409, notice=sentence(error))
    after = await to_thread.run_sync(
        # Those who wait for a gate take no threads from those who only look something up.
        lambda: checked(store, asked, said, seconds=SECONDS_TO_CHECK),
        limiter=CapacityLimiter(1),
    )
    problem = why_not(stored, after, said)
    if waits(after, said) or not problem:
        return to(f"/requests/{asked.id}?edited")
    if after.state is State.PENDING and after.request.digest == asked.digest:
        found = beside(problem.partition(": ")[2], [each.name for each in form])
        notice = "" if found else problem
        form = _with_problems(form, found)
        return _form(request, after, form, note=note, notice=notice, status=422)
    return await answer(request, after, status=409, notice=f"{problem[:1].upper()}{problem[1:]}.")


routes = [
    Route("/requests/{id}/edit", edit, methods=["GET"]),
    Route("/requests/{id}/edit", propose, methods=["POST"]),
]
