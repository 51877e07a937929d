"""Who is asked about what: the only file here that wires gates.

| tool     | risk     | who decides                                                        |
| -------- | -------- | ------------------------------------------------------------------ |
| `schema` | -        | nobody: it only reads                                              |
| `query`  | LOW      | policy approves: the statement only reads                          |
|          | HIGH     | policy rejects: the statement is forbidden, or does not work       |
|          | HIGH     | a person: it changes rows, or makes something new                  |
|          | CRITICAL | a person: a definition, or all rows of a table, would go           |
| `chart`  | LOW      | policy approves: a new picture in the reports folder               |
|          | LOW      | policy rejects: the statement does not only read                   |
| `export` | LOW      | policy approves: a new file in the reports folder                  |
|          | LOW      | policy rejects: the statement does not only read                   |
| `undo`   | HIGH     | policy rejects: there is nothing to take back                      |
|          | HIGH     | a person: the whole database goes back to an earlier state         |

What a statement would do is asked of DuckDB, never read from its words. Where a person would be
asked, the policies that are handed in are asked first: one of them switches gates by environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from core import Approver, Policy, Preview, Risk, Store, Table, facade, gate
from core.policies.conditional import ApproveIf, RejectIf

from .comparison import TableEffect
from .errors import NothingToUndo, Refused
from .looking import Looks, Plan
from .rehearsal import Rehearsal
from .statements import Read, Refuse
from .warehouse import Warehouse

DESTRUCTIVE = frozenset({"DROP", "ALTER", "TRUNCATE"})
LONGEST_CELL = 200  # characters of one value in a sample


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
        policies: Asked before a person, and after the rules for statements.
    """
    careful = warehouse.careful()  # runs no change that was not rehearsed, and only as it was shown
    statement, past = Statements(Looks(careful)), Past(careful)
    not_refused = RejectIf(statement.is_refused, because=statement.why_refused)
    ask = partial(gate, approver=approver, store=store, environment=environment)
    files = [
        not_refused,
        RejectIf(statement.is_change, because="only a statement that reads makes a report"),
        ApproveIf(statement.is_read, because="a new file in the reports folder"),
    ]
    tools = Tools(
        schema=careful.schema,
        query=ask(
            careful.query,
            policies=[
                not_refused,
                ApproveIf(statement.is_read, because="it only reads"),
                *policies,
            ],
            risk=statement.risk,
            preview=statement.preview,
        ),
        chart=ask(careful.chart, policies=files, risk=Risk.LOW),
        export=ask(careful.export, policies=files, risk=Risk.LOW),
        undo=ask(
            careful.undo,
            policies=[RejectIf(past.is_empty, because=past.why_empty), *policies],
            preview=past.preview,
        ),
    )
    return facade(tools)


@dataclass(frozen=True, slots=True)
class Statements:
    """What is to be known of a statement before anybody is asked about it."""

    looks: Looks

    def is_refused(self, sql: str) -> bool:
        """Whether nobody is even asked: it is forbidden, not understood, or does not work."""
        return isinstance(self.looks.at(sql), Refuse)

    def why_refused(self, sql: str) -> str:
        """Return the reason, for the agent."""
        look = self.looks.at(sql)
        return look.because if isinstance(look, Refuse) else "it is not refused any more; ask again"

    def is_read(self, sql: str) -> bool:
        """Whether it only reads, as DuckDB understands it."""
        return isinstance(self.looks.at(sql), Read)

    def is_change(self, sql: str) -> bool:
        """Whether it would change something."""
        return isinstance(self.looks.at(sql), Plan)

    def risk(self, sql: str) -> Risk:
        """Say how bad it could be: what loses a definition or a whole table is the worst."""
        match self.looks.at(sql):
            case Read():
                return Risk.LOW
            case Refuse():
                return Risk.HIGH
            case Plan(change=change, rehearsal=rehearsal):
                gone = any(0 < table.of == table.deleted for table in rehearsal.tables)
                is_worst = gone or DESTRUCTIVE & {*change.kind.split("+")}
                return Risk.CRITICAL if is_worst else Risk.HIGH

    def preview(self, sql: str) -> Preview:
        """Show what its rehearsal did.

        Raises:
            Refused: By now it is no change, or does not work.
        """
        match self.looks.at(sql):
            case Plan(rehearsal=rehearsal):
                return shown(rehearsal)
            case Read():
                raise Refused("it only reads by now; ask again")
            case Refuse(because=because):
                raise Refused(because)


@dataclass(frozen=True, slots=True)
class Past:
    """What is to be known before a change is taken back."""

    warehouse: Warehouse

    def is_empty(self) -> bool:
        """Whether there is nothing to take back."""
        return bool(self.why_empty())

    def why_empty(self) -> str:
        """Return the reason, for the agent; empty when there is a change to take back."""
        try:
            self.warehouse.last_change()
        except NothingToUndo as nothing:
            return str(nothing)
        return ""

    def preview(self) -> Preview:
        """Show the change that would be taken back."""
        last = self.warehouse.last_change()
        cut_off = "It was cut off while it was saved: it may not have happened."
        return Preview(
            summary=f"takes back {len(last.effects) or 'no'} effects of a change",
            facts=(("made", last.at), ("statement", last.sql), ("did", "\n".join(last.effects))),
            warnings=(
                *(() if last.committed else (cut_off,)),
                "The whole file goes back: what other programs wrote since then is lost as well.",
            ),
        )


def shown(rehearsal: Rehearsal) -> Preview:
    """Return a rehearsal in the words that every window shows."""
    return Preview(
        summary=rehearsal.summary,
        facts=(
            *((f"rows of {table.table}", share(table)) for table in rehearsal.tables),
            ("way back", "the file is copied first, and undo brings it back"),
        ),
        tables=tuple(table for effect in rehearsal.tables for table in samples(effect)),
        warnings=rehearsal.warnings,
    )


def share(effect: TableEffect) -> str:
    """Say how much of a table a change touches.

    >>> share(TableEffect(table="orders", of=2_000, updated=0, deleted=30, inserted=0))
    '30 of 2,000 change, 1,970 stay as they are'
    """
    touched = effect.updated + effect.deleted
    old = f"{touched:,} of {effect.of:,} change, {effect.of - touched:,} stay as they are"
    new = f"{effect.inserted:,} new"
    return "; ".join([*([old] if effect.of else []), *([new] if effect.inserted else [])])


def samples(effect: TableEffect) -> Iterable[Table]:
    """Yield the sampled rows of one table as they are, and as they would be."""
    before = tuple(row.before for row in effect.sample if row.before is not None)
    after = tuple(row.after for row in effect.sample if row.after is not None)
    for name, rows in (("before", before), ("after", after)):
        if rows:
            title = f"{effect.table} {name} ({len(rows)} of {effect.changed:,} changed rows)"
            cells = tuple(tuple(map(brief, row)) for row in rows)
            yield Table(title=title, columns=effect.columns, rows=cells)


def brief(cell: str) -> str:
    """Return the beginning of a long value, and how long it is: a sample has to be readable."""
    if len(cell) <= LONGEST_CELL:
        return cell
    return f"{cell[:LONGEST_CELL]}… ({len(cell):,} characters)"
