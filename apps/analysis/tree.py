"""Walk DuckDB's own syntax tree and stop at the first thing that is not known to be harmless."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import duckdb

from .allowed import FIELDS, FUNCTIONS, NODES, SEQUENCES, SPECIAL_SHOWS, TABLE_FUNCTIONS, WRITES
from .catalog import Catalog, Macro, Relation

Node: TypeAlias = dict[str, Any]
Scope: TypeAlias = frozenset[str]


# In full, since a macro of the database may be called json_serialize_sql too, and lie.
SERIALIZE = "SELECT system.main.json_serialize_sql($sql)"


class Unproven(Exception):
    """The statement holds something that is not on the allow-list; the message says what."""


def parse(connection: duckdb.DuckDBPyConnection, sql: str) -> Node:
    """Return the tree of the one SELECT in `sql`; nothing is bound, opened or run.

    Raises:
        Unproven: It is no single SELECT, or it takes parameters.
    """
    row = connection.execute(SERIALIZE, {"sql": sql}).fetchone()
    tree: Node = json.loads(row[0]) if row else {"error": True}
    if tree.get("error") is not False:
        raise Unproven(f"DuckDB cannot show it as a plain query: {tree.get('error_message')}")
    if len(tree["statements"]) != 1:
        raise Unproven("it is more than one statement; send them one by one")
    statement: Node = tree["statements"][0]
    if statement["named_param_map"]:
        raise Unproven("it has placeholders; write the values into the statement")
    return statement


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk over one statement, into every view, macro and generated column it can reach.

    Attributes:
        tables: Labels of the tables it reads or writes, `name` or `schema.name`.
        writes: Kinds of change it makes, in the order found; empty for a read.
        visited: What is being or has been looked into, so that cycles end.
    """

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    tables: set[str] = field(default_factory=set[str])
    writes: list[str] = field(default_factory=list[str])
    visited: set[Relation | Macro] = field(default_factory=set[Relation | Macro])

    def statement(self, sql: str) -> None:
        """Walk the one query in `sql`.

        Raises:
            Unproven: Something in it is not on the allow-list.
        """
        self.shadows()
        self.value(parse(self.connection, sql), frozenset(), "main")

    def shadows(self) -> None:
        for macro in self.catalog.shadows:
            inside = Walk(connection=self.connection, catalog=self.catalog, visited=self.visited)
            inside.macro(macro)
            if inside.writes:
                raise Unproven(
                    f'the macro "{macro.name}" hides a function of DuckDB and changes things,'
                    " so no query here can be trusted until it is dropped"
                )

    def value(self, value: Any, scope: Scope, near: str) -> None:
        """Walk any part of a tree. `scope` holds the CTE names in sight, `near` the schema."""
        match value:
            case dict():
                self.node(cast("dict[str, Any]", value), scope, near)
            case list():
                for item in cast("list[object]", value):
                    self.value(item, scope, near)
            case _:
                pass

    def node(self, node: Node, scope: Scope, near: str) -> None:
        self.known(node)
        if node.get("type") == "RECURSIVE_CTE_NODE":
            self.value(node["left"], scope, near)
            scope |= {node["cte_name"].lower()}
        scope = self.ctes(node, scope, near)
        match node.get("type"):
            case "BASE_TABLE":
                self.table(node, scope, near)
            case "SHOW_REF":
                self.show(node, near)
            case "TABLE_FUNCTION":
                self.call(node["function"], TABLE_FUNCTIONS)
                self.parts(node["function"], scope, near)
                node = {key: value for key, value in node.items() if key != "function"}
            case "TYPE":
                self.type(node)
            case "PIVOT" if any(pivot["pivot_enum"] for pivot in node["pivots"]):
                raise Unproven("it pivots on a type; list the values with IN (…)")
            case _ if "function_name" in node:
                self.call(node, FUNCTIONS)
            case "INSERT_QUERY_NODE":
                self.relation(tuple(node["qualified_name"]["path"]), near)
            case _:
                pass
        self.parts(node, scope, near)

    def parts(self, node: Node, scope: Scope, near: str) -> None:
        for key, value in node.items():
            if key != "cte_map":
                self.value(value, scope, near)

    def known(self, node: Node) -> None:
        """Check kind and fields, and note a write."""
        kind = node.get("type")
        if isinstance(kind, str) and kind not in NODES:
            if kind not in WRITES:
                raise Unproven(UNFIT.get(kind, f"{kind} is not known to be harmless"))
            self.writes.append(WRITES[kind])
        for name in node.keys() - FIELDS:
            raise Unproven(f"its part {name!r} is not known to be harmless")

    def ctes(self, node: Node, scope: Scope, near: str) -> Scope:
        """Walk the WITH clause; each name is in sight only after its own query."""
        for entry in node.get("cte_map", {"map": []})["map"]:
            self.value(entry["value"], scope, near)
            scope |= {entry["key"].lower()}
        return scope

    def table(self, node: Node, scope: Scope, near: str) -> None:
        path = tuple(node["qualified_name"]["path"])
        written = tuple(
            part for part in (node["catalog_name"], node["schema_name"], node["table_name"]) if part
        )
        if path != written:
            raise Unproven(f"its table name is unclear: {path}")
        if node["at_clause"] is not None:
            raise Unproven("it asks for an earlier version of a table (AT); leave that out")
        self.relation(path, near, known=len(path) == 1 and path[0].lower() in scope)

    def show(self, node: Node, near: str) -> None:
        name = node["table_name"].strip('"')
        match node["show_type"]:
            case "DESCRIBE" | "SUMMARY" if node.get("query"):
                pass
            case "SHOW_SPECIAL" if name in SPECIAL_SHOWS:
                pass
            case "SHOW_FROM":
                pass
            case "SHOW":
                self.relation(tuple(node["qualified_name"]["path"]), near)
            case _:
                raise Unproven(f"SHOW {name} is not for reading data; use SHOW TABLES or DESCRIBE")

    def relation(self, path: tuple[str, ...], near: str, *, known: bool = False) -> None:
        """Look into everything a table name may stand for.

        Every table or view of that name is looked into, in whatever schema: that asks more than
        DuckDB's own search path, and so cannot be wrong about it.
        """
        if not known and not self.catalog.has_relation(path, near):
            raise Unproven(
                f'"{".".join(path)}" is no table or view of this database, and files and variables'
                " are out of reach; schema() lists the names there are"
            )
        for relation in self.catalog.named(path[-1]):
            self.inside(relation)

    def inside(self, relation: Relation) -> None:
        if not relation.view:
            self.tables.add(relation.label)
        if relation in self.visited:
            return
        self.visited.add(relation)
        for expression in relation.generated:
            tree = parse(self.connection, f"SELECT {expression}")
            self.value(tree, frozenset(), relation.schema)
        if relation.view:
            for tree in self.queries(relation):
                self.value(tree, frozenset(), relation.schema)

    def queries(self, view: Relation) -> list[Node]:
        """Return the view's query, and whatever else in its text could pass for it.

        The query follows an AS, but names may hold one too. The right one is among those that
        parse, so all of them must be harmless.
        """
        found: list[Node] = []
        for match in re.finditer(r"\bAS\b", view.view):
            try:
                found.append(parse(self.connection, view.view[match.end() :]))
            except Unproven:
                continue
        if not found:
            raise Unproven(f'the view "{view.label}" cannot be looked into; read its tables')
        return found

    def call(self, node: Node, allowed: frozenset[str]) -> None:
        """Check a function by name, and look into every macro of that name."""
        name, schema = node["function_name"].lower(), node["schema"].lower()
        if node["qualified_name"]["path"][-1].lower() != name:
            raise Unproven(f"its function name is unclear: {name}")
        macros = self.catalog.macros.get(name, ())
        for macro in macros:
            self.macro(macro)
        if any(schema or macro.schema == "main" for macro in macros) or name in allowed:
            return
        if name in SEQUENCES and allowed is FUNCTIONS:
            self.writes.append("SEQUENCE")
            return
        raise Unproven(f"the function {name}() is not known to be harmless; do without it")

    def macro(self, macro: Macro) -> None:
        if macro in self.visited:
            return
        self.visited.add(macro)
        text = macro.body if macro.is_table else f"SELECT {macro.body}"
        self.value(parse(self.connection, text), frozenset(), "main")

    def type(self, node: Node) -> None:
        if node["type_name"].lower() not in self.catalog.types:
            raise Unproven(f'there is no type "{node["type_name"]}" in this database')


UNFIT = {
    "COPY_QUERY_NODE": "it writes a file; use export(sql, path)",
    "VALUE_PARAMETER": "it has placeholders; write the values into the statement",
}
