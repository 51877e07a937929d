"""A batch as one table: a row for each call, and what its numbers add up to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.text import Text

from ..display import is_too_large, safe, shown
from ..model import ApprovalRequest, Risk
from .drawing import COLOURS, fold, heading, labelled, margin, quoted, title

LONGEST_ROW = 1_200
_NO_AMOUNT = re.compile(r"(.*_)?(ids?|number|no|year|month|day|port|version|index|page)", re.I)
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def number_of(request: ApprovalRequest) -> int:
    """Return the number of a request in its batch."""
    return request.batch.number if request.batch is not None else 0


def why_alone(request: ApprovalRequest) -> str:
    """Say why a row does not show all that a person has to see; empty when it does."""
    preview = request.preview
    quotes = preview.quotes if preview is not None else ()
    texts = [*(one.text for one in shown(request)), *(quote.text for quote in quotes)]
    if is_too_large(request) or sum(map(len, texts)) > LONGEST_ROW:
        return "too long for a row"
    if request.risk is Risk.CRITICAL:
        return "critical"
    if request.problem:
        return "an edit of it was not taken"
    if preview is not None and (preview.tables or preview.diff or preview.files):
        return "there is more to read"
    return ""


def table(requests: Sequence[ApprovalRequest], width: int) -> list[Text]:
    """Return all rows and the totals as lines of at most `width` cells."""
    lines = heading(f"approval needed: {len(requests)} calls together", width)
    beside = [line for one in requests if one.batch for line in one.batch.beside]
    if beside:
        lines += title("decided by policies, not by you")
        for line in beside:
            lines += margin(Text(safe(line)), width)
    lines += title("waiting for you")
    for request in requests:
        lines += row(request, width)
    sums = totals(requests)
    if sums:
        lines += [*title("together"), *labelled([(n, Text(total)) for n, total in sums], width)]
    return lines


def row(request: ApprovalRequest, width: int) -> list[Text]:
    """Return one call: number, name, risk, what it needs, and everything it would do."""
    place = request.batch
    needs = ", ".join(map(str, place.needs)) if place is not None and place.needs else ""
    alone = why_alone(request)
    first = Text.assemble(
        (f"{number_of(request):>4}  ", "bold"),
        (safe(request.name), "bold"),
        "  ",
        (request.risk.name, COLOURS[request.risk]),
        f"  {safe(request.environment)}",
        f"  needs {needs}" if needs else "",
        (f"  * {alone}: looked at alone" if alone else "", "yellow"),
    )
    lines = fold(first, width)
    if alone:
        return lines
    facts = [(f"{one.name}", Text(one.text)) for one in shown(request)]
    preview = request.preview
    if preview is not None:
        summary = [("would do", preview.summary)] if preview.summary else []
        told = (
            (safe(name), safe(text, newlines=True)) for name, text in (*summary, *preview.facts)
        )
        facts += [(name, Text(text)) for name, text in told]
    lines += labelled([(f"      {name}", value) for name, value in facts], width)
    warnings = [*request.remarks, *(preview.warnings if preview is not None else ())]
    for warning in warnings:
        lines += margin(Text(safe(warning, newlines=True), "yellow"), width, "    ! ")
    for quote in preview.quotes if preview is not None else ():
        lines += quoted(quote, width, "      ")
    return lines


def totals(requests: Sequence[ApprovalRequest]) -> list[tuple[str, str]]:
    """Return what the amounts of each tool add up to, apart for each currency.

    Money and counts are exact here: whole numbers and decimals are added, floats are not.
    """
    sums: dict[tuple[str, str, str], Decimal] = {}
    for request in requests:
        currency = request.arguments.get("currency", "")
        unit = safe(currency) if type(currency) is str else ""
        for name, value in request.arguments.items():
            if type(value) in {int, Decimal} and not _NO_AMOUNT.fullmatch(name):
                key = (safe(request.name), safe(name), unit)
                sums[key] = sums.get(key, Decimal(0)) + Decimal(str(value))
    return [
        (f"{tool} {name}", f"{total:,}{f' {unit}' if unit else ''}")
        for (tool, name, unit), total in sums.items()
    ]


def picked(text: str, offered: Sequence[int]) -> list[int]:
    """Return the numbers that a person means.

    >>> picked("1-3, 7", [1, 2, 3, 5, 7])
    [1, 2, 3, 7]

    Raises:
        ValueError: One of them is none, or is not offered.
    """
    found = dict.fromkeys(number for part in text.split(",") for number in _range(part.strip()))
    known = set(offered)
    if not found:
        raise ValueError("no number was named")
    if strange := [number for number in found if number not in known]:
        raise ValueError(f"there is no call {strange[0]} here")
    return [*found]


def _range(text: str) -> Iterator[int]:
    read = _RANGE.fullmatch(text)
    if read is None:
        raise ValueError(f"{text!r} is no number and no range such as 1-3")
    first, last = int(read[1]), int(read[2] or read[1])
    if last < first or last - first > 100_000:
        raise ValueError(f"{text!r} is no range: it goes from the smaller number to the larger")
    yield from range(first, last + 1)
