"""Change a database by one statement: all of it, as it was shown, with a way back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb

from .comparison import TableEffect
from .effects import Effects
from .errors import (
    AnalysisError,
    ChangedMeanwhile,
    StatementFailed,
    Stopped,
    explained,
    one_sentence,
)
from .rehearsal import Rehearsal, abandon, run
from .undo import Snapshot, Snapshots
from .writing import Writable, writable


def change(
    path: Path,
    sql: str,
    snapshots: Snapshots,
    *,
    shown: Rehearsal | None,
    seconds: float,
    patience: float,
) -> tuple[str, ...]:
    """Run one changing statement and return what it did, a sentence per table or definition.

    Args:
        snapshots: Where the state before the change is kept.
        shown: What a person has seen of it; the statement must do the same.
        seconds: How long it may take.
        patience: Seconds to wait for the file.

    Raises:
        ChangedMeanwhile: It would touch other rows than were shown.
        AnalysisError: It failed. In both cases nothing changed and no snapshot is kept.
    """
    with writable(path, seconds=seconds, patience=patience) as held:
        number = None
        try:
            held.con.execute("CHECKPOINT")
            number = snapshots.take(held.fd)
            effects = held.within_time(lambda: _run(held, sql, shown))
            snapshots.describe(number, sql, effects, committed=False)
        except BaseException as error:
            abandon(held)
            if number is not None:
                snapshots.discard(number)
            if isinstance(error, duckdb.Error):
                raise explained(error, path.name) from error
            if isinstance(error, KeyboardInterrupt):
                raise Stopped from error
            raise
        _commit(held)
        with suppress(OSError):  # the change stands; its note then says that it is not sure
            snapshots.describe(number, sql, effects, committed=True)
            snapshots.prune()
        with suppress(duckdb.Error):  # it is safe in the log, and gets to the file next time
            held.con.execute("CHECKPOINT")
    return effects


def undo(path: Path, snapshots: Snapshots, *, seconds: float, patience: float) -> Snapshot:
    """Put the state before the last change in the place of the database.

    Raises:
        NothingToUndo: There is no change to take back.
        AnalysisError: The file is in use, or the disk said no; nothing changed.
    """
    with writable(path, seconds=seconds, patience=patience) as held:
        snapshot = snapshots.last()
        try:
            # What is left in the log would be replayed over the restored file.
            held.con.execute("CHECKPOINT")
            snapshots.restore(snapshot)
        except duckdb.Error as error:
            raise explained(error, path.name) from error
        except OSError as error:
            raise AnalysisError(f"{path.name} could not be restored: {error.strerror}.") from error
    return snapshot


def _run(held: Writable, sql: str, shown: Rehearsal | None) -> tuple[str, ...]:
    held.con.begin()
    effects = Effects(held, rows=0)
    run(held, sql)
    tables, schema = effects.tables(), effects.schema()
    if shown is not None:
        compare(shown, tables, schema)
    return (*map(str, tables), *schema)


def _commit(held: Writable) -> None:
    try:
        held.con.commit()
    except duckdb.Error as error:
        abandon(held)
        raise StatementFailed(
            f"The change may not have been saved: {one_sentence(error)} "
            "Look at the data before trying again."
        ) from error


def compare(shown: Rehearsal, tables: tuple[TableEffect, ...], schema: tuple[str, ...]) -> None:
    """Refuse what differs from what a person has seen.

    Raises:
        ChangedMeanwhile: With the difference.
    """
    was = {table.table: table for table in shown.tables}
    now = {table.table: table for table in tables}
    differences = [
        f"now {now.get(label) or f'{label}: unchanged'}, shown {was.get(label) or 'unchanged'}"
        for label in {**was, **now}
        if label not in was or label not in now or was[label].counts != now[label].counts
    ]
    if schema != shown.schema:
        differences.append(
            f"now {'; '.join(schema) or 'no definition changes'}, "
            f"shown {'; '.join(shown.schema) or 'none'}"
        )
    if differences:
        raise ChangedMeanwhile(
            "The data changed since this statement was shown, so it was rolled back: "
            f"{'; '.join(differences)}."
        )
