"""Stop what DuckDB is doing when the time is over or somebody presses Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import duckdb

from .errors import Interrupted, Stopped

T = TypeVar("T")


def stoppable(
    work: Callable[[], T],
    connections: Sequence[duckdb.DuckDBPyConnection],
    *,
    seconds: float | None = None,
) -> T:
    """Do some work on connections of DuckDB, and stop it when told to.

    DuckDB has no limit of time, and looks for Ctrl-C only between its own steps. So the work runs
    in a thread, and this one waits, where the clock and the keyboard reach it.

    Args:
        seconds: How long it may take; without it, any time.

    Raises:
        Interrupted: The time was over.
        Stopped: Somebody pressed Ctrl-C.
    """
    pool = ThreadPoolExecutor(1)
    working = pool.submit(work)
    try:
        if wait([working], timeout=seconds).not_done:
            raise Interrupted(
                f"The statement took longer than {seconds:g} seconds; nothing changed."
            )
        return working.result()
    except KeyboardInterrupt as error:
        raise Stopped from error
    finally:
        while not working.done():  # an interruption between two statements is lost
            for connection in connections:
                connection.interrupt()
            wait([working], timeout=0.05)
        pool.shutdown()
