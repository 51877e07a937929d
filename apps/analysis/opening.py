"""Open what a person names: one DuckDB file, or CSV and Parquet files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import AnalysisError
from .loading import is_data
from .warehouse import Warehouse


@contextmanager
def opened(files: Sequence[Path], tell: Callable[[str], None]) -> Generator[Warehouse]:
    """Yield a warehouse over the files.

    Reports go to a folder `reports`: beside the database, or where the program was started when
    there is none. CSV and Parquet files are read into a database that is gone at the end.

    Args:
        tell: Says what a person might not expect.

    Raises:
        AnalysisError: The files do not go together, or cannot be opened.
    """
    data = [file for file in files if is_data(file)]
    if not files:
        raise AnalysisError("Say which database: --database FILE; `init FILE` makes one.")
    if not data and len(files) == 1:
        yield Warehouse(files[0], reports=files[0].parent / "reports")
        return
    if len(data) < len(files):
        odd = ", ".join(file.name for file in files if file not in data)
        raise AnalysisError(
            f"{odd}: name one DuckDB file, or any number of CSV and Parquet files, not both."
        )
    with tempfile.TemporaryDirectory(prefix="analysis-") as folder:
        path = Path(folder) / "files.duckdb"
        warehouse = Warehouse.from_files(files, path, reports=Path("reports"))
        tell("Your files are read into a copy for now: they stay as they are, whatever changes.")
        yield warehouse
