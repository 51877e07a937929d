"""Say what is in a database, in words an agent can plan with."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from .definitions import quoted
from .sealed import Rows

_RELATIONS = """
    SELECT schema_name, table_name, table_name IN (SELECT view_name FROM duckdb_views()
            WHERE database_name = current_database() AND NOT internal) AS is_view,
        list(column_name || ' ' || data_type ORDER BY column_index)
    FROM duckdb_columns()
    WHERE database_name = current_database() AND NOT internal
    GROUP BY ALL ORDER BY ALL
"""


def overview(read: Callable[[str], Rows]) -> str:
    """Describe every table and view: rows, columns, types.

    Args:
        read: Runs a reading statement.
    """
    lines: list[str] = []
    for schema, name, is_view, columns in read(_RELATIONS).rows:
        label = str(name) if schema == "main" else f"{schema}.{name}"
        size = "view" if is_view else f"{_count(read, str(schema), str(name)):,} rows"
        names = cast("list[object]", columns)
        lines += [f"{label} ({size})", *(f"    {column}" for column in names)]
    return "\n".join(lines) or "The database has no tables."


def _count(read: Callable[[str], Rows], schema: str, name: str) -> int:
    found = read(f"SELECT count(*) FROM {quoted(schema)}.{quoted(name)}")
    return int(str(found.rows[0][0]))
