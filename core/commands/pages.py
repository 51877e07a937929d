"""A request as a person reads it: all of it, from the bytes that would run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, assert_never

from ..display import Shown, place_text, safe, shown
from ..model import (
    END_OF_TIME,
    ApprovalRequest,
    Approve,
    Edit,
    Outcome,
    Preview,
    Reject,
    State,
    StoredRequest,
    Table,
)
from .ink import Block, Facts, Grid, Heading, Ink, Passage, line, lines, once, visible_ends

SHORT_ID = 8
LONGEST_BRIEF = 90
NOT_FOR_PEOPLE = {"row", "digest", "action"}


def listed(found: Sequence[StoredRequest], now: datetime, *, short: bool) -> Grid:
    """Return one line per request.

    Args:
        short: Show the first digits of the ids only, for a person who will type them.
    """
    columns = ("ID", "STATE", "TIME LEFT", "RISK", "WHERE", "WHO ASKS", "VOTES", "CALL")
    return Grid(columns, [_row(stored, now, short=short) for stored in found])


def _row(stored: StoredRequest, now: datetime, *, short: bool) -> tuple[Ink, ...]:
    request = stored.request
    return (
        line(request.id[:SHORT_ID] if short else request.id),
        line(stored.state.value),
        line(left(due(stored), now)),
        line(request.risk.name),
        line(request.environment),
        line(who(request)),
        line(f"{approvals(stored)}/{request.panel.votes}"),
        brief(request),
    )


def due(stored: StoredRequest) -> datetime | None:
    """Return when the request stops waiting for whoever comes next; `None` when nobody does."""
    match stored.state:
        case State.PENDING:
            return stored.request.expires_at
        case State.APPROVED:
            return stored.run_by
        case _:
            return None


def left(at: datetime | None, now: datetime) -> str:
    """Return how long it is until `at`, in its two largest units.

    >>> left(datetime(2025, 1, 1, 2, 5, 9, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    '2h 05m'
    """
    if at is None:
        return "-"
    if at == END_OF_TIME:
        return "no limit"
    seconds = max(int((at - now).total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days}d {hours % 24:02}h"
    if hours:
        return f"{hours}h {minutes % 60:02}m"
    return f"{minutes}m {seconds % 60:02}s"


def who(request: ApprovalRequest) -> str:
    """Return who asks, and for whom."""
    return " for ".join(request.requesters)


def approvals(stored: StoredRequest) -> int:
    """Return how many votes for the request as it stands there are."""
    return sum(vote.choice == "approve" for vote in stored.votes)


def brief(request: ApprovalRequest) -> Ink:
    """Return the call in one line; where it is not all of it, the line says so."""
    text = ", ".join(f"{each.name}={_quoted(each)}" for each in shown(request))
    text = text.replace("\n", safe("\n"))
    if len(text) > LONGEST_BRIEF:
        text = f"{text[:LONGEST_BRIEF]}… +{len(text) - LONGEST_BRIEF:,} characters, see show"
    place = request.batch
    batch = f" [{place_text(place)}, batch {line(place.id[:SHORT_ID])}]" if place else ""
    return Ink(f"{line(request.name)}({text}){batch}")


def _quoted(argument: Shown) -> str:
    return f'"{argument.text}"' if argument.type == "str" else argument.text


def whole(stored: StoredRequest, now: datetime, budgets: Sequence[str] = ()) -> Iterator[Block]:
    """Yield everything about a request, nothing shortened.

    Args:
        budgets: How much of each is gone by now, a sentence each.
    """
    request = stored.request
    yield Heading(line(f"{request.name} ({stored.state.value})"))
    facts = [(line(name), lines(value)) for name, value in _facts(stored, now) if value]
    gone = [(line("by now"), line(text)) for text in budgets]
    changed = [(line("edited"), once(stored.changed))] if stored.changed else []
    yield Facts([*facts, *gone, *changed, (line("digest"), line(request.digest))])
    yield Heading(line("arguments, from the bytes that would run"))
    yield from _arguments(request)
    if request.preview is not None:
        yield from _preview(request.preview)
    if stored.votes:
        rows = [
            (line(v.by), line(v.choice), line(instant(v.at)), line(v.window), line(v.note))
            for v in stored.votes
        ]
        columns = ("BY", "VOTE", "AT", "WINDOW", "NOTE")
        yield Grid(columns, rows, line("votes"))


def _facts(stored: StoredRequest, now: datetime) -> Iterator[tuple[str, str]]:
    request = stored.request
    yield "id", request.id
    yield "action", request.action
    yield "risk", request.risk.name
    yield "environment", request.environment
    yield "asked by", request.requester
    yield "on behalf of", request.acting_for
    yield "run", request.run
    if request.batch is not None:
        yield "batch", f"{place_text(request.batch)} (batch {request.batch.id})"
        yield from (("beside it", text) for text in request.batch.beside)
    yield "asked at", instant(request.asked_at)
    yield from _deadline(stored, now)
    yield "votes", f"{approvals(stored)} of {request.panel.votes}"
    yield "may vote", ", ".join(sorted(request.panel.members)) or "anybody who did not ask"
    yield "edit refused", request.problem
    yield from (("remark", remark) for remark in request.remarks)
    yield from _decided(stored)
    yield "claimed by", stored.executor
    yield from _ended(stored.outcome)


def _deadline(stored: StoredRequest, now: datetime) -> Iterator[tuple[str, str]]:
    at = due(stored)
    if at is not None:
        what = "decide by" if stored.state is State.PENDING else "start by"
        yield what, f"{instant(at)} ({left(at, now)})"


def _decided(stored: StoredRequest) -> Iterator[tuple[str, str]]:
    for what, said in (("decided by", stored.decision), ("being checked", stored.proposal)):
        match said:
            case None:
                pass
            case Approve(by=by, note=note):
                yield what, f"{by}: {note}" if note else by
            case Edit(by=by, arguments=arguments):
                values = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
                yield what, f"{by}: {values}"
            case Reject(by=by, reason=reason):
                yield what, f"{by}: {reason}"
            case _:
                assert_never(said)


def _ended(outcome: Outcome | None) -> Iterator[tuple[str, str]]:
    if outcome is not None:
        yield "result", "" if outcome.result is None else outcome.result.decode()
        yield "error", outcome.error
        yield "it says", outcome.message
        yield "what was found", outcome.finding


def _arguments(request: ApprovalRequest) -> Iterator[Block]:
    """Yield the arguments; a text of several lines gets a frame of its own."""
    found = shown(request)
    rows = [(_typed(each), visible_ends(_value(each))) for each in found]
    yield Facts(rows or [(line("none"), line(""))])
    for each in found:
        if "\n" in each.text:
            yield Passage(visible_ends(each.name), visible_ends(each.text))


def _typed(argument: Shown) -> Ink:
    return visible_ends(f"{argument.name} ({argument.type})")


def _value(argument: Shown) -> str:
    if "\n" in argument.text:
        return f"{argument.text.count(chr(10)) + 1} lines, below"
    return _quoted(argument)


def _preview(preview: Preview) -> Iterator[Block]:
    yield Heading(line("what it would do"))
    rows = [("summary", preview.summary), *preview.facts]
    yield Facts([(line(name), lines(value)) for name, value in rows if value])
    for text in preview.warnings:
        yield Passage(line("WARNING"), lines(text), "bold yellow")
    yield from map(_table, preview.tables)
    if preview.diff:
        yield Passage(line("diff"), lines(preview.diff))
    for quote in preview.quotes:
        yield Passage(line(f"in the words of {quote.who}, not a fact"), lines(quote.text), "italic")
    if preview.files:
        files = [(line(file.path), line(file.sha256)) for file in preview.files]
        yield Grid(("FILE", "SHA-256"), files, line("files that must stay as they are"))


def _table(table: Table) -> Grid:
    columns = tuple(map(line, table.columns))
    return Grid(columns, [tuple(map(line, row)) for row in table.rows], line(table.title))


def told(story: Sequence[Mapping[str, Any]]) -> Grid:
    """Return what the audit trail says of a request, one line per record."""
    rows = [
        (line(r["seq"]), line(r["at"]), line(r["event"]), line(r["by"]), _details(r)) for r in story
    ]
    return Grid(
        ("RECORD", "AT", "WHAT", "BY", "DETAILS"), rows, line("its story in the audit trail")
    )


def _details(record: Mapping[str, Any]) -> Ink:
    """Hashes are for `verify`; a person wants the words."""
    named = {n: v for n, v in record["details"].items() if v and n not in NOT_FOR_PEOPLE}
    parts = (f"{line(n)}: {once(v) if n == 'changed' else line(v)}" for n, v in named.items())
    return Ink("; ".join(parts))


def instant(at: datetime) -> str:
    """Return an instant to the second, in UTC; `never` for one that does not come."""
    return "never" if at == END_OF_TIME else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
