"""Write files for people, in one folder and nowhere else."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

import duckdb

from .definitions import quoted
from .errors import AnalysisError, Refused
from .sealed import Rows

_FORMATS = {
    ".csv": "FORMAT csv, HEADER",
    ".parquet": "FORMAT parquet",
    ".json": "FORMAT json, ARRAY",
}
_AT_ONCE = 10_000  # rows


def inside(folder: Path, name: str, endings: tuple[str, ...]) -> Path:
    """Return the new file `name` inside `folder`, or refuse.

    Raises:
        Refused: The name leads elsewhere, ends otherwise, or is taken.
    """
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or "\\" in name:
        raise Refused(f"{name!r} is not a name inside the reports folder; use one like sales.csv.")
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or not name.isprintable():
        raise Refused(f"{name!r} is not a name inside the reports folder; use one like sales.csv.")
    if not name.lower().endswith(endings):
        raise Refused(f"{name!r} does not end in {' or '.join(endings)}.")
    place = folder
    for part in parts:
        place = place / part
        if place.is_symlink():
            raise Refused(f"{part!r} in {name!r} is a link; write beside it instead.")
    if place.exists():
        raise Refused(f"{name!r} exists already, and reports are not overwritten; choose another.")
    return place


def write_new(target: Path, fill: Callable[[Path], None]) -> None:
    """Make a file in one step: it is there whole or not at all, and replaces nothing.

    Raises:
        Refused: Somebody was faster with a file of that name.
        AnalysisError: The disk said no.
    """
    part = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fill(part)
        os.link(part, target)
    except FileExistsError as error:
        raise Refused(f"{target.name!r} exists already; choose another name.") from error
    except OSError as error:
        raise AnalysisError(f"{target.name!r} could not be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def save(found: Rows, target: Path) -> None:
    """Write rows as CSV, Parquet or JSON, by the ending of `target`; no statement runs here."""

    def fill(part: Path) -> None:
        con = duckdb.connect()  # in memory, and away from the data
        try:
            _load(con, found)
            place = str(part).replace("'", "''")
            con.execute(f"COPY report TO '{place}' ({_FORMATS[target.suffix.lower()]})")
        finally:
            con.close()

    write_new(target, fill)


def _load(con: duckdb.DuckDBPyConnection, found: Rows) -> None:
    names = distinct(found.columns)
    columns = [f"{quoted(name)} {kind}" for name, kind in zip(names, found.types, strict=True)]
    con.execute(f"CREATE TABLE report ({', '.join(columns)})")
    values = ", ".join(f"unnest(?::{kind}[])" for kind in found.types)
    for start in range(0, len(found.rows), _AT_ONCE):
        by_column = [
            list(column) for column in zip(*found.rows[start : start + _AT_ONCE], strict=True)
        ]
        con.execute(f"INSERT INTO report SELECT {values}", by_column)


def distinct(names: tuple[str, ...]) -> list[str]:
    """Return names that differ from each other, in upper and lower case too."""
    taken: set[str] = set()
    result: list[str] = []
    for name in names:
        candidate, number = name, 2
        while candidate.lower() in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate.lower())
        result.append(candidate)
    return result
