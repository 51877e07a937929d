"""The person of the story: wants an archive first, and keeps what refunds refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

RETURNED = "status <> 'returned'"


@dataclass(frozen=True, slots=True)
class Yes:
    """Let it run."""

    words: str


@dataclass(frozen=True, slots=True)
class No:
    """Do not; do this first."""

    words: str


@dataclass(frozen=True, slots=True)
class Rather:
    """Run this statement in its place."""

    sql: str
    words: str


Word: TypeAlias = Yes | No | Rather


class Ana:
    """Looks after the data of the shop, and reads every statement to the end."""

    def __init__(self) -> None:
        self._archives = 0

    def word_on(self, sql: str) -> Word:
        """Say what becomes of a statement."""
        if sql.startswith("CREATE TABLE archived_"):
            self._archives += 1
            return Yes("a copy does no harm")
        if not self._archives:
            return No("archive these orders in a table of their own first")
        if "earlier" in sql and RETURNED not in sql:
            return Rather(f"{sql}\nAND {RETURNED}", "returned orders stay: refunds refer to them")
        return Yes("archived, so it may go")
