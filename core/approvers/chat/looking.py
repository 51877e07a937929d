"""Tell what was looked at, a line each: what is well, what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...display import safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        problem: What is wrong and what to do; empty when it is well.
    """

    what: str
    problem: str = ""


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
