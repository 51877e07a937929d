"""A result becomes an argument: it has to fit, and to be what was shown for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from ..canonical import decode, digest
from ..edits import InvalidEdit, fitting
from ..freezing import freeze
from ..model import ApprovalRequest, Rejected, StoredRequest, Unencodable
from ..proposal import weighed
from .items import Item
from .placeholders import filled, placeholder, stands_for, waits

Sources: TypeAlias = Mapping[int, Item]
"""The items of a batch by their number."""


class NotYet(BaseException):
    """A rule asked for a result that is not there. No policy may take that for its own failure."""


class Foreseen(Mapping[str, Any]):
    """Arguments of which some are not known yet; whoever reads one of those learns that."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._known = dict(arguments)
        self._unknown = waits(arguments).keys()

    def __getitem__(self, name: str) -> Any:
        if name in self._unknown:
            raise NotYet(name)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def bound(item: Item, frozen: bytes, sources: Sources) -> dict[str, Any]:
    """Return the arguments of those parameters that wait for results, with the results in place.

    Raises:
        Rejected: A result was not kept, or does not fit the parameter.
    """
    named = item.arguments(frozen)
    waiting = waits(named)
    results = {n: _result(item, n, sources) for those in waiting.values() for n in those}
    made: dict[str, Any] = {}
    for name, those in waiting.items():
        value = filled(named[name], results)
        try:
            made[name] = fitting(item.wiring.tool, name, value)
        except InvalidEdit as problem:
            which = " and ".join(placeholder(n) for n in sorted(those))
            raise Rejected(f"what {which} stands for does not fit {name}: {problem}") from None
    return made


def _result(item: Item, number: int, sources: Sources) -> Any:
    source = sources[number]
    stored = source.stored
    kept = stored.outcome.result if stored and stored.outcome else None
    if kept is None:
        raise Rejected(f"the result of {placeholder(number)} was not kept")
    try:
        return decode(kept, item.call.types | source.call.types, strict=True)
    except Unencodable as problem:
        raise Rejected(f"{placeholder(number)} cannot be passed on: {problem}") from None


def seal(item: Item, frozen: bytes, made: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of the arguments with results in place.

    Raises:
        Rejected: They cannot be shown and frozen.
    """
    item.call.real = {**item.real(frozen), **made}
    try:
        return freeze(item.wiring, item.call)
    except Unencodable as problem:
        raise Rejected(str(problem)) from None


def bound_digest(whole: bytes) -> str:
    """Return the digest under which the audit trail knows arguments with results in place."""
    return digest("bound", whole)


def differs(item: Item, stored: StoredRequest, whole: bytes, sources: Sources) -> str:
    """Say in a clause why what would run is not what people were shown; empty when it is.

    Raises:
        Rejected: Who decides cannot be told.
    """
    request = stored.request
    return next(filter(None, _differences(item, request, whole, sources)), "")


def _differences(
    item: Item, request: ApprovalRequest, whole: bytes, sources: Sources
) -> Iterator[str]:
    for number in sorted(item.needs):
        source = sources[number]
        if stands_for(number, source.text()) not in request.remarks:
            yield f"call {number} is not any more what was shown here"
        yield _of_another_kind(item, number, source, sources)
    arguments: dict[str, Any] = decode(whole, item.call.types, strict=True)
    risk, panel = weighed(item.wiring, arguments, request.acting_for)
    if risk > request.risk:
        yield f"with its real values the risk is {risk.name}, not {request.risk.name}"
    if panel != request.panel:
        yield "with its real values another panel decides"


def _of_another_kind(item: Item, number: int, source: Item, sources: Sources) -> str:
    value = _result(item, number, sources)
    try:
        fitting(source.wiring.tool, "return", value, exact=True)
    except InvalidEdit:
        kind = type(value).__name__
        return f"{placeholder(number)} is a {kind}, which is not what its function promises"
    return ""
