"""Tell what was looked at, a line each: what is well, what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ...display import safe
from ..secret import SettingsError
from .listening import Address, Door

MOST_SECONDS_OFF = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        problem: What is wrong and what to do; empty when it is well.
    """

    what: str
    problem: str = ""


def how_wrong(date: str, now: datetime) -> str:
    """Say how wrong the clock is, by the `Date` of an answer; empty when it is near enough.

    >>> how_wrong("Thu, 04 Jun 2026 12:30:00 GMT", datetime(2026, 6, 4, 12, 32, tzinfo=UTC))
    '120 seconds fast'
    """
    there = now
    with suppress(ValueError, TypeError):
        there = parsedate_to_datetime(date).astimezone(UTC)
    off = (now - there).total_seconds()
    if abs(off) <= MOST_SECONDS_OFF:
        return ""
    return f"{abs(off):.0f} seconds {'fast' if off > 0 else 'slow'}"


def free(where: Address) -> Finding:
    """Look whether a window could listen there."""
    what = f"the address {where.host}:{where.port}"
    try:
        Door(None, where).close()
    except SettingsError as error:
        return Finding(what=what, problem=f"{error}, or a window listens there already")
    return Finding(what=what)


def told(findings: Iterable[Finding], say: Callable[[str], object]) -> int:
    """Tell them one by one, as they come; return 0 when all is well, and 1 otherwise."""
    wrong = 0
    for finding in findings:
        wrong += bool(finding.problem)
        mark = "wrong" if finding.problem else "ok   "
        why = f": {finding.problem}" if finding.problem else ""
        say(safe(f"{mark}  {finding.what}{why}"))
    said = {0: "All is well.", 1: "One thing is wrong."}
    say(said.get(wrong, f"{wrong} things are wrong."))
    return 1 if wrong else 0
