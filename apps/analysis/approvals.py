"""Who is asked about what: the only file here that knows about gates.

| tool       | risk             | who decides                                                |
| ---------- | ---------------- | ---------------------------------------------------------- |
| `schema`   | -                | nobody, it only reads                                      |
| `query`    | HIGH             | policy: a statement that reads runs, a forbidden one is    |
|            |                  | rejected; a person decides whatever would change anything  |
|            | CRITICAL         | a person, where a definition or a whole table would go     |
| `chart`    | LOW              | policy, recorded: a new picture in the reports folder      |
| `export`   | LOW              | policy, recorded: a new file in the reports folder         |
| `undo`     | HIGH             | a person                                                   |

What a statement would do is asked of DuckDB, never read from its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from core import Approver, Policy, Preview, Risk, Store, Table, gate
from core.policies.conditional import ApproveIf, RejectIf

from .comparison import TableEffect
from .rehearsal import Rehearsal
from .statements import Change, Read, Refuse
from .warehouse import Warehouse

DESTRUCTIVE = frozenset({"DROP", "ALTER", "TRUNCATE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the agent gets: the same names and parameters as on `Warehouse`."""

    schema: Callable[[], str]
    query: Callable[[str], str]
    chart: Callable[[str, Literal["bar", "line", "scatter", "pie"], str], str]
    export: Callable[[str, str], str]
    undo: Callable[[], str]


def gated(
    warehouse: Warehouse,
    approver: Approver,
    *,
    store: Store | None = None,
    policies: Iterable[Policy] = (),
    environment: str = "production",
) -> Tools:
    """Return the warehouse's tools with a person in front of whatever changes something.

    Args:
        policies: Asked before a person, after the rules for statements: the environment's switch.
    """
    ask = partial(gate, approver=approver, store=store, environment=environment)
    reads = Statements(warehouse)
    rules = [
        RejectIf(reads.is_refused, because=reads.why_refused),
        ApproveIf(reads.is_read, because="it only reads"),
    ]
    files = [
        RejectIf(reads.does_not_read, because="only a statement that reads can become a file"),
        ApproveIf(reads.is_read, because="a new file in the reports folder"),
    ]
    return Tools(
        schema=warehouse.schema,
        query=ask(
            warehouse.query,
            policies=[*rules, *policies],
            risk=reads.risk,
            preview=reads.preview,
        ),
        chart=ask(warehouse.chart, policies=files, risk=Risk.LOW),
        export=ask(warehouse.export, policies=files, risk=Risk.LOW),
        undo=ask(warehouse.undo, policies=policies, preview=reads.preview_of_undo),
    )


@dataclass(frozen=True, slots=True)
class Statements:
    """What is to be known of a statement before anybody is asked about it."""

    warehouse: Warehouse

    def is_read(self, sql: str) -> bool:
        """Whether it only reads, as DuckDB understands it."""
        return isinstance(self.warehouse.classify(sql), Read)

    def is_refused(self, sql: str) -> bool:
        """Whether it is one that nobody is even asked about."""
        return isinstance(self.warehouse.classify(sql), Refuse)

    def does_not_read(self, sql: str) -> bool:
        """Whether it changes something, or is refused."""
        return not self.is_read(sql)

    def why_refused(self, sql: str) -> str:
        """Return the reason, for the agent."""
        verdict = self.warehouse.classify(sql)
        return verdict.because if isinstance(verdict, Refuse) else ""

    def risk(self, sql: str) -> Risk:
        """Definitions and whole tables cannot be had back row by row."""
        match self.warehouse.classify(sql):
            case Read():
                return Risk.LOW
            case Change(kind=kind) if not DESTRUCTIVE & {*kind.split("+")}:
                return Risk.HIGH
            case _:
                return Risk.CRITICAL

    def preview(self, sql: str) -> Preview:
        """Rehearse the statement and say what it would do."""
        return shown(self.warehouse.rehearse(sql))

    def preview_of_undo(self) -> Preview:
        """Say which change would be taken back."""
        return Preview(summary=f"takes back {self.warehouse.last_change()}")


def shown(rehearsal: Rehearsal) -> Preview:
    """Return a rehearsal in the words that every window shows."""
    return Preview(
        summary=rehearsal.summary,
        facts=tuple(
            (effect.table, f"{effect.changed:,} of {effect.of:,} rows")
            for effect in rehearsal.tables
        ),
        tables=tuple(table for effect in rehearsal.tables for table in samples(effect)),
        warnings=rehearsal.warnings,
    )


def samples(effect: TableEffect) -> Iterable[Table]:
    """Yield the sampled rows of one table as they are, and as they would be."""
    before = tuple(row.before for row in effect.sample if row.before is not None)
    after = tuple(row.after for row in effect.sample if row.after is not None)
    for name, rows in (("before", before), ("after", after)):
        if rows:
            title = f"{effect.table} {name} ({len(rows)} of {effect.changed:,} changed rows)"
            yield Table(title=title, columns=effect.columns, rows=rows)
