"""Gather what is certain about one statement: its tree, its names, and what DuckDB would say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from .allowed import FUNCTIONS, OBJECTS, SEQUENCES, TABLE_FUNCTIONS
from .catalog import Catalog
from .tree import Unproven, Walk

EXPLAIN = re.compile(
    r"""EXPLAIN (\s+ANALYZE\b)?
    (\s* \( \s* (ANALYZE | FORMAT\s+\w+) (\s*,\s* (ANALYZE | FORMAT\s+\w+))* \s* \))?""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One statement before one database. Every method raises Unproven to have it refused.

    Attributes:
        connection: A sealed one. Nothing is run on it but EXPLAIN without ANALYZE.
    """

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    sql: str

    def query(self) -> Walk:
        """Walk a SELECT. DuckDB's binder is heard too, but may only object, never acquit."""
        walk = self.walk(self.sql)
        if walk.writes:
            self.bind()
        elif self.objection() is READ_ONLY:
            raise Unproven("DuckDB says that it writes; send the change as a statement of its own")
        return walk

    def explanation(self) -> Walk:
        """Walk what an EXPLAIN explains, since EXPLAIN ANALYZE runs it."""
        start = EXPLAIN.match(self.sql)
        explained = self.sql[start.end() :] if start else ""
        types = [statement.type for statement in self.connection.extract_statements(explained)]
        if types != [duckdb.StatementType.SELECT]:
            raise Unproven("only a query can be explained; send the change itself")
        walk = Case(self.connection, self.catalog, explained).query()
        if walk.writes:
            raise Unproven("what it explains changes things; send that statement itself")
        return walk

    def data_change(self) -> str:
        """Return the kind of an INSERT, UPDATE, DELETE or TRUNCATE.

        Only queries have a tree to look at, so it is looked at as a part of one.
        """
        walk = self.walk(f"WITH change AS (\n{self.body()}\n) SELECT 1")
        if self.words()[0] == "TRUNCATE":  # EXPLAIN has no grammar for it, so it is not bound
            return "TRUNCATE"
        self.bind()
        return walk.writes[-1] if walk.writes else "CHANGE"

    def schema_change(self) -> str:
        """Return the verb of a CREATE, DROP, ALTER or COMMENT that a person may decide about."""
        words = [word for word in self.words() if word not in {"OR", "REPLACE", "UNIQUE"}]
        match words:
            case ["COMMENT", "ON", *_]:
                return "COMMENT"  # a name and a text: nothing to look into
            case ["CREATE", "TEMP" | "TEMPORARY" | "LOCAL" | "GLOBAL", *_]:
                raise Unproven("temporary things are gone when the statement ends; use WITH")
            case ["CREATE" | "DROP" | "ALTER" as verb, what, *_] if what in OBJECTS:
                self.names_and_binding()
                return verb
            case _:
                head = " ".join(words[:2])
                raise Unproven(f"{head} is not for agents; ask the owner of the data")

    def names_and_binding(self) -> None:
        """Judge what has no tree: look into every name it holds, then bind it without files.

        It stays a change whatever is found; this keeps out what reads or acts elsewhere.
        """
        walk = Walk(connection=self.connection, catalog=self.catalog)
        walk.shadows()
        texts = [token.text for token in marks(self.sql) if not token.is_comment]
        for text, following in zip(texts, [*texts[1:], ""], strict=True):
            name = text.strip('"').lower()
            for relation in self.catalog.named(name):
                walk.inside(relation)
            for macro in self.catalog.macros.get(name, ()):
                walk.macro(macro)
            if following == "(" and self.is_beyond(name):
                raise Unproven(f"the function {name}() is not known to be harmless; do without it")
        self.bind()

    def is_beyond(self, name: str) -> bool:
        """Whether DuckDB has a function of that name that nobody vouched for."""
        return name in self.catalog.builtin - FUNCTIONS - TABLE_FUNCTIONS - SEQUENCES

    def walk(self, sql: str) -> Walk:
        """Walk the tree of a query to its end."""
        walk = Walk(connection=self.connection, catalog=self.catalog)
        walk.statement(sql)
        return walk

    def bind(self) -> None:
        """Let DuckDB resolve every name, with files, network and extensions out of reach."""
        objection = self.objection()
        if objection is not None and objection is not READ_ONLY:
            raise Unproven(f"DuckDB cannot run this: {first_line(objection)}")

    def objection(self) -> duckdb.Error | None:
        """Plan the statement without running it, and return what DuckDB has against it."""
        try:
            self.connection.execute(f"EXPLAIN {self.sql}")
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            return READ_ONLY if "attached in read-only mode" in str(error) else error
        return None

    def words(self) -> list[str]:
        """Return the first few words, in capitals and without comments."""
        return [token.text.upper() for token in marks(self.sql) if not token.is_comment][:6]

    def body(self) -> str:
        """Return the statement up to its semicolon; comments may follow that."""
        tokens = [token for token in marks(self.sql) if not token.is_comment]
        last = tokens[-1]
        return self.sql.encode()[: last.start].decode() if last.text == ";" else self.sql


class Token(NamedTuple):
    """A piece of a statement. `start` counts bytes, not characters, as DuckDB does."""

    text: str
    start: int
    is_comment: bool


def marks(sql: str) -> list[Token]:
    """Cut `sql` into tokens, comments included."""
    source, tokens = sql.encode(), duckdb.tokenize(sql)
    ends = [*[start for start, _ in tokens][1:], len(source)]
    return [
        Token(source[start:end].decode().strip(), start, kind == duckdb.token_type.comment)
        for (start, kind), end in zip(tokens, ends, strict=False)
    ]


def first_line(error: Exception) -> str:
    """Return DuckDB's message without the excerpt below it."""
    return str(error).partition("\n")[0].rstrip(".!") or type(error).__name__


READ_ONLY = duckdb.Error("the statement writes")
