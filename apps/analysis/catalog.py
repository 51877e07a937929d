"""What the names in a statement could stand for in this database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import duckdb

from .allowed import SYSTEM_VIEWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table or a view that somebody made.

    Attributes:
        generated: Expressions of generated columns: reading such a column runs them.
        view: The statement that made it, `CREATE VIEW … AS …`; empty for a table.
    """

    schema: str
    name: str
    generated: tuple[str, ...] = ()
    view: str = ""

    @property
    def label(self) -> str:
        return self.name if self.schema == "main" else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """One overload of a macro that somebody made; `body` is an expression, or a query."""

    schema: str
    name: str
    body: str
    is_table: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The names of one database, folded to lower case as DuckDB compares them.

    Attributes:
        shadows: Macros named like a function of DuckDB's own. They are called by that name and
            also by syntax that has no name at all, such as `a + b` or `list[1]`.
        builtin: Names of all functions that DuckDB brought along.
    """

    database: str
    relations: Mapping[str, tuple[Relation, ...]]
    macros: Mapping[str, tuple[Macro, ...]]
    shadows: tuple[Macro, ...]
    builtin: frozenset[str]
    types: frozenset[str]

    def named(self, name: str) -> tuple[Relation, ...]:
        """Every table and view of that name, in whatever schema."""
        return self.relations.get(name.lower(), ())

    def has_relation(self, path: tuple[str, ...], near: str) -> bool:
        """Whether `path` finds something here, and so never a file or a Python variable.

        Args:
            path: `(name,)`, `(schema or database, name)` or `(database, schema, name)`.
            near: The schema that unqualified names are looked up in besides `main`.
        """
        *qualifiers, name = (part.lower() for part in path)
        schemas = {relation.schema.lower() for relation in self.named(name)}
        match qualifiers:
            case []:
                return bool(schemas & {"main", near.lower()}) or self.is_system("", name)
            case [qualifier] if qualifier in (self.database.lower(), "system"):
                own = qualifier != "system" and "main" in schemas
                return own or self.is_system("", name) or self.is_system(qualifier, name)
            case [schema]:
                return schema in schemas or self.is_system(schema, name)
            case [database, schema]:
                if database not in (self.database.lower(), "system"):
                    return False
                own = database != "system" and schema in schemas
                return own or self.is_system(schema, name)
            case _:
                return False

    def is_system(self, schema: str, name: str) -> bool:
        if schema:
            return name in SYSTEM_VIEWS.get(schema, frozenset())
        return name in SYSTEM_VIEWS["main"] | SYSTEM_VIEWS["pg_catalog"]


def look(connection: duckdb.DuckDBPyConnection) -> Catalog:
    """Read the catalog over a connection; nothing of it is run.

    Every function is called by its full name and no operator is used: a macro of this database
    could take the place of any other spelling, and answer in its own favour.
    """
    macros: list[Macro] = []
    builtin: set[str] = set()
    for schema, name, body, kind, internal in connection.execute(
        "SELECT schema_name, function_name, macro_definition, function_type, internal"
        " FROM system.main.duckdb_functions()"
    ).fetchall():
        if internal:
            builtin.add(name.lower())
        else:
            table = kind == "table_macro"
            macros.append(Macro(schema=schema, name=name, body=body or "", is_table=table))
    return Catalog(
        database=first(connection, "SELECT system.main.current_database()")[0],
        relations=by_name((*tables(connection), *views(connection))),
        macros=by_name(macros),
        shadows=tuple(macro for macro in macros if macro.name.lower() in builtin),
        builtin=frozenset(builtin),
        types=frozenset(
            name.lower()
            for name in first(connection, "SELECT type_name FROM system.main.duckdb_types()")
        ),
    )


def tables(connection: duckdb.DuckDBPyConnection) -> Iterator[Relation]:
    """Every table, with what its generated columns would run."""
    expressions: dict[tuple[str, str], list[str]] = defaultdict(list)
    for schema, name, generated, expression in connection.execute(
        "SELECT schema_name, table_name, is_generated, generation_expression"
        " FROM system.main.duckdb_columns()"
    ).fetchall():
        if generated or expression is not None:
            expressions[schema, name].append(expression or "")
    for schema, name in connection.execute(
        "SELECT schema_name, table_name FROM system.main.duckdb_tables()"
    ).fetchall():
        yield Relation(schema=schema, name=name, generated=tuple(expressions[schema, name]))


def views(connection: duckdb.DuckDBPyConnection) -> Iterator[Relation]:
    """Every view that DuckDB did not bring along."""
    for schema, name, text, internal in connection.execute(
        "SELECT schema_name, view_name, sql, internal FROM system.main.duckdb_views()"
    ).fetchall():
        if not internal:
            # Without a text it would pass for a table; this one no parser takes.
            yield Relation(schema=schema, name=name, view=text or "CREATE VIEW")


def first(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, ...]:
    """The first column of a query of ours."""
    return tuple(str(row[0]) for row in connection.execute(sql).fetchall())


Named = TypeVar("Named", bound=Relation | Macro)


def by_name(things: Iterable[Named]) -> dict[str, tuple[Named, ...]]:
    """Group by folded name; names repeat across schemas and overloads."""
    groups: defaultdict[str, list[Named]] = defaultdict(list)
    for thing in things:
        groups[thing.name.lower()].append(thing)
    return {name: tuple(group) for name, group in groups.items()}
