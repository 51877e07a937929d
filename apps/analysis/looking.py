"""Look at a statement once, and remember what was seen until the database changes.

A rule, a risk and a preview all want to know what a statement would do, and each look costs DuckDB
a tenth of a second. What then runs is judged anew by the warehouse, so a memory that is too old
refuses and never allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from .errors import AnalysisError, Stopped
from .rehearsal import Rehearsal
from .statements import Change, Read, Refuse
from .warehouse import Warehouse

_MOST = 100  # statements remembered
_SECONDS = 1.0  # that trouble is remembered: the next call may find the file free


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change that would work, and what it would do; nothing has happened yet."""

    change: Change
    rehearsal: Rehearsal


Look: TypeAlias = Read | Plan | Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    state: object
    until: float
    look: Look


class Looks:
    """What statements would do to one database."""

    def __init__(
        self, warehouse: Warehouse, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Remember nothing yet.

        Args:
            warehouse: A careful one, in which nothing runs that was not rehearsed.
        """
        self._warehouse = warehouse
        self._clock = clock
        self._memories: dict[str, _Memory] = {}

    def at(self, sql: str) -> Look:
        """Say what a statement would do. What does not work is a refusal that says why.

        Raises:
            KeyboardInterrupt: Somebody pressed Ctrl-C; nothing changed.
        """
        known = self._memories.get(sql)
        if known is None or known.state != self._state() or known.until < self._clock():
            known = self._looked(sql)
            if len(self._memories) >= _MOST:
                self._memories.clear()
            self._memories[sql] = known
        if isinstance(known.look, Read):
            self._warehouse.forget(sql)  # what passes as a read must not run as a change
        return known.look

    def _looked(self, sql: str) -> _Memory:
        state = self._state()
        try:
            match verdict := self._warehouse.classify(sql):
                case Read() | Refuse():
                    return _Memory(state=state, until=float("inf"), look=verdict)
                case Change():
                    plan = Plan(change=verdict, rehearsal=self._warehouse.rehearse(sql))
                    # The time of the file may have moved: it is cut back after a long rehearsal.
                    return _Memory(state=self._state(), until=float("inf"), look=plan)
                case _:
                    assert_never(verdict)
        except Stopped as stopped:
            raise KeyboardInterrupt(str(stopped)) from stopped  # not a refusal to go on after
        except AnalysisError as trouble:
            refusal = Refuse(sql, str(trouble))
            return _Memory(state=state, until=self._clock() + _SECONDS, look=refusal)

    def _state(self) -> object:
        """Return what differs once somebody has written to the database."""
        path = self._warehouse.path
        found: list[tuple[int, int, int]] = []
        for file in (path, path.with_name(path.name + ".wal")):
            if file.exists():
                state = file.stat()
                found.append((state.st_ino, state.st_size, state.st_mtime_ns))
        return found
