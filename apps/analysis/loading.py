"""Make a database of CSV and Parquet files, one table each."""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree

import duckdb

from .definitions import quoted
from .errors import AnalysisError, one_sentence
from .stopping import stoppable

_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".csv.gz": "read_csv",
    ".tsv.gz": "read_csv",
    ".parquet": "read_parquet",
}


def load(files: Sequence[Path], path: Path) -> None:
    """Write a new database with one table per file, named after the file.

    Raises:
        AnalysisError: A file is missing or unreadable, two make the same table, or the
            database exists. No database is left behind.
    """
    if not files:
        raise AnalysisError("No files were given; name at least one CSV or Parquet file.")
    tables = _named(files)
    with new_database(path) as con:
        for table, file in tables.items():
            stoppable(partial(_load, con, table, file), [con])


@contextmanager
def new_database(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """Fill a database out of sight; it gets its name when the block ends well, else it is gone.

    Raises:
        AnalysisError: There is a file of that name, or no folder for it.
    """
    if path.exists():
        raise AnalysisError(f"{path.name} exists already; nothing was overwritten.")
    if not path.parent.is_dir():
        raise AnalysisError(f"There is no folder {path.parent} for {path.name}.")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with closing(duckdb.connect(str(part))) as con:
            yield con
        path.hardlink_to(part)  # fails where somebody was faster with a file of that name
    except OSError as error:
        raise AnalysisError(f"{path.name} could not be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
        part.with_name(f"{part.name}.wal").unlink(missing_ok=True)
        rmtree(part.with_name(f"{part.name}.tmp"), ignore_errors=True)


def _named(files: Sequence[Path]) -> dict[str, Path]:
    tables: dict[str, Path] = {}
    for file in files:
        if not file.is_file():
            raise AnalysisError(f"There is no file {file}.")
        if _ending(file) is None:
            raise AnalysisError(
                f"{file.name} is neither CSV nor Parquet; it ends in {file.suffix!r}."
            )
        table = table_name(file)
        if table in tables:
            raise AnalysisError(f"{tables[table]} and {file} would both become the table {table}.")
        tables[table] = file
    return tables


def is_data(file: Path) -> bool:
    """Whether the file holds one table, by its name."""
    return _ending(file) is not None


def _ending(file: Path) -> str | None:
    name = file.name.lower()
    return next((ending for ending in _READERS if name.endswith(ending)), None)


def table_name(file: Path) -> str:
    """Turn a file name into a table name: lower case, letters, digits and underscores."""
    stem = file.name[: -len(_ending(file) or "")] or file.stem
    name = re.sub(r"\W+", "_", stem.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"t_{name}"


def _load(con: duckdb.DuckDBPyConnection, table: str, file: Path) -> None:
    ending = _ending(file) or ".csv"
    # Brackets and stars in a path would be taken for a pattern that matches other files.
    place = {"file": re.sub(r"([*?\[])", r"[\1]", str(file.resolve()))}
    try:
        if _READERS[ending] == "read_csv":
            columns, source = _without_na(con, place), "read_csv($file, sample_size = -1)"
        else:
            columns, source = "*", "read_parquet($file)"
        con.execute(f"CREATE TABLE {quoted(table)} AS SELECT {columns} FROM {source}", place)
    except duckdb.Error as error:
        # What follows are DuckDB's own options, which are not within a person's reach here.
        said = re.split(r"\n(?:The search space|Possible fixes)", str(error))[0]
        raise AnalysisError(
            f"{file.name} cannot be read: {one_sentence(duckdb.Error(said))}"
        ) from error


def _without_na(con: duckdb.DuckDBPyConnection, place: dict[str, str]) -> str:
    """List the columns of a CSV file, with NA as null where that makes a text column a better one.

    Statistics programs write NA for a missing value; elsewhere it is Namibia or North America.
    """
    as_text, as_null = (
        con.execute(
            f"DESCRIBE FROM read_csv($file, sample_size = -1, nullstr = {nulls})", place
        ).fetchall()
        for nulls in ("['']", "['', 'NA']")
    )
    return ", ".join(
        quoted(name)
        if kind == better
        else f"nullif({quoted(name)}, 'NA')::{better} AS {quoted(name)}"
        for (name, kind, *_), (_, better, *_) in zip(as_text, as_null, strict=True)
    )
