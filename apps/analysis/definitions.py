"""List what a database is made of: tables with their columns, views, indexes and the rest."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table, as it is defined.

    Attributes:
        columns: Name and type of each column, in order.
        key: The columns of the primary key; empty without one.
    """

    database: str
    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name a person would use: `orders`, or `archive.orders` outside the main schema."""
        return self.name if self.schema == "main" else f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """The name as SQL, quoted."""
        return f"{quoted(self.database)}.{quoted(self.schema)}.{quoted(self.name)}"


def quoted(name: str) -> str:
    """Write a name so that SQL takes it as a name, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def tables(con: duckdb.DuckDBPyConnection) -> dict[str, Table]:
    """Return every table of the database, by label."""
    keys = {
        (str(schema), str(table)): tuple(str(column) for column in columns)
        for schema, table, columns in con.execute(
            "SELECT schema_name, table_name, constraint_column_names FROM duckdb_constraints() "
            "WHERE constraint_type = 'PRIMARY KEY' AND database_name = current_database()"
        ).fetchall()
    }
    found = con.execute(
        "SELECT database_name, schema_name, table_name, "
        "list((column_name, data_type) ORDER BY column_index) "
        "FROM duckdb_columns() JOIN duckdb_tables() USING (database_name, schema_name, table_name) "
        "WHERE database_name = current_database() AND NOT duckdb_tables.internal "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    listed = (
        Table(
            database=str(database),
            schema=str(schema),
            name=str(name),
            columns=tuple((str(column), str(kind)) for column, kind in columns),
            key=keys.get((str(schema), str(name)), ()),
        )
        for database, schema, name, columns in found
    )
    return {table.label: table for table in listed}


_OBJECTS = """
    SELECT 'view', schema_name, view_name, sql FROM duckdb_views()
    WHERE NOT internal AND database_name = current_database()
    UNION ALL SELECT 'index', schema_name, index_name, coalesce(sql, '') FROM duckdb_indexes()
    WHERE database_name = current_database()
    UNION ALL SELECT 'sequence', schema_name, sequence_name,
        concat_ws(' ', start_value, min_value, max_value, increment_by, cycle)
    FROM duckdb_sequences() WHERE database_name = current_database()
    UNION ALL SELECT 'trigger', schema_name, trigger_name, sql FROM duckdb_triggers()
    WHERE database_name = current_database()
    UNION ALL SELECT 'macro', schema_name, function_name, string_agg(macro_definition, '; ')
    FROM duckdb_functions() WHERE NOT internal AND database_name = current_database()
    GROUP BY ALL
    UNION ALL SELECT 'type', schema_name, type_name, logical_type || coalesce(labels::VARCHAR, '')
    FROM duckdb_types() WHERE NOT internal AND database_name = current_database()
    UNION ALL SELECT 'schema', '', schema_name, '' FROM duckdb_schemas()
    WHERE NOT internal AND schema_name <> 'main' AND database_name = current_database()
    ORDER BY ALL
"""


def objects(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return what is not a table (`view totals`, `index by_day`) and how each is defined."""
    return {
        f"{kind} {name}" if schema in ("", "main") else f"{kind} {schema}.{name}": str(definition)
        for kind, schema, name, definition in con.execute(_OBJECTS).fetchall()
    }


def sequences(con: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """Return the last value that each sequence gave; `None` for one that has not started."""
    return dict(
        con.execute(
            "SELECT sequence_name, last_value FROM duckdb_sequences() "
            "WHERE database_name = current_database() ORDER BY ALL"
        ).fetchall()
    )


def triggers(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return every trigger with the table it watches."""
    return [
        (str(name), str(table) if schema == "main" else f"{schema}.{table}")
        for name, schema, table in con.execute(
            "SELECT trigger_name, schema_name, table_name FROM duckdb_triggers() "
            "WHERE database_name = current_database() ORDER BY ALL"
        ).fetchall()
    ]


def altered(before: dict[str, Table], after: dict[str, Table]) -> list[str]:
    """Say in words which tables and columns came, went, or changed their type."""
    lines = [f"drops table {label}" for label in before if label not in after]
    for label, table in after.items():
        if label not in before:
            columns = ", ".join(f"{name} {kind}" for name, kind in table.columns)
            lines.append(f"creates table {label} ({columns})")
            continue
        was, now = dict(before[label].columns), dict(table.columns)
        lines += [f"drops column {label}.{name}" for name in was if name not in now]
        lines += [f"adds column {label}.{name} ({now[name]})" for name in now if name not in was]
        lines += [
            f"changes column {label}.{name} from {was[name]} to {now[name]}"
            for name in now
            if name in was and was[name] != now[name]
        ]
        if before[label].key != table.key:
            lines.append(f"changes the primary key of {label}")
    return lines


def redefined(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Say in words which views, indexes, sequences, triggers, macros and types changed."""
    lines = [f"drops {name}" for name in before if name not in after]
    lines += [f"creates {name}" for name in after if name not in before]
    return lines + [
        f"changes {name}" for name in after if name in before and before[name] != after[name]
    ]
