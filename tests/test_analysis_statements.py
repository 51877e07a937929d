"""What a statement is taken for: a read, a change that a person decides about, or neither."""

from __future__ import annotations

import shutil
from contextlib import closing, suppress

import duckdb
import pytest
from hostile_sql import (
    ASKED,
    CALLS,
    HONEST,
    HOSTILE,
    REFUSED,
    USURPERS,
    at,
    build,
    contents,
    files,
    usurped,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tpch_sql import QUERIES

from apps.analysis.sealed import open_sealed
from apps.analysis.statements import Change, Read, Refuse, classify, judge
from apps.analysis.tree import Unproven


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The path of a shop with traps; no test of this module may change it."""
    return build(tmp_path_factory.mktemp("shop") / "shop.db")


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Every statement's verdict, and the watched folder's files before and after judging them.

    The folder is home and working directory meanwhile, so that every stray file shows.
    """
    folder = tmp_path_factory.mktemp("judged")
    path = build(folder / "shop.db")
    before = files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.chdir(folder)
        verdicts = {sql: classify(at(folder, sql), path) for sql in (*HOSTILE, *HONEST, *QUERIES)}
    return verdicts, before, files(folder)


def others(judged, statements, wanted):
    """Return the statements that were taken for something else than `wanted`."""
    verdicts, _, _ = judged
    return {sql: verdicts[sql] for sql in statements if not isinstance(verdicts[sql], wanted)}


@pytest.mark.slow
def test_honest_questions_are_free(judged):
    """A question of any shape that DuckDB has, in whatever spelling, needs no person."""
    assert len(HONEST) >= 60
    assert len(QUERIES) == 22
    assert others(judged, HONEST + QUERIES, Read) == {}


@pytest.mark.slow
def test_changes_go_to_a_person(judged):
    """Whatever changes data or schema is a change, also in WITH, a view, a macro or a column."""
    assert others(judged, ASKED, Change) == {}


@pytest.mark.slow
def test_the_rest_is_refused(judged):
    """What reads elsewhere, leaves the statement's own bounds or is not understood goes nowhere."""
    assert others(judged, REFUSED, Refuse) == {}
    assert len(HOSTILE) >= 200


@pytest.mark.slow
def test_classifying_leaves_no_trace(judged):
    """Deciding about a statement changes no byte and makes no file, whatever the statement."""
    _, before, after = judged
    assert after == before


@pytest.mark.slow
def test_the_classifier_alone_keeps_the_data_whole(judged, tmp_path, monkeypatch):
    """Run with every right there is, the statements taken for reads change nothing and nowhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shop = build(tmp_path / "shop.db")
    free = [sql for sql, verdict in judged[0].items() if isinstance(verdict, Read)]
    assert len(free) >= 82
    listing = files(tmp_path).keys()
    with duckdb.connect(str(shop)) as unsealed:
        before = contents(unsealed)
        for sql in free:
            unsealed.execute(sql).fetchall()
            assert contents(unsealed) == before, sql
    assert files(tmp_path).keys() == listing


@pytest.mark.slow
@pytest.mark.parametrize("sql", ASKED)
def test_what_a_person_is_asked_about_does_change_things(shop, tmp_path, sql):
    """Nobody is asked in vain: each of these leaves other contents behind when it runs."""
    copy = shutil.copy(shop, tmp_path / "shop.db")
    with duckdb.connect(str(copy)) as unsealed:
        before = contents(unsealed)
        unsealed.execute(sql).fetchall()
        assert contents(unsealed) != before


@pytest.mark.parametrize("macro", USURPERS.values(), ids=USURPERS.keys())
def test_a_macro_that_hides_a_function_frees_nothing(tmp_path, macro):
    """Where a macro changes things in the name of DuckDB's own function, no query is a read."""
    path = usurped(tmp_path / "t.db", macro)
    for sql in (*CALLS, "SELECT * FROM t"):
        assert isinstance(classify(sql, path), Refuse), sql
    assert isinstance(classify("DELETE FROM t", path), Refuse)


def test_a_harmless_macro_may_hide_a_function(tmp_path):
    """A macro in the place of DuckDB's own function is fine as long as it only reads."""
    path = usurped(tmp_path / "t.db", "CREATE MACRO abs(x) AS greatest(x, -x)")
    assert isinstance(classify("SELECT abs(a) FROM t", path), Read)


def test_a_parser_that_lies_is_not_asked(tmp_path):
    """A macro named like the parser, itself harmless, cannot pass a change off as a read."""
    row = duckdb.connect().execute("SELECT json_serialize_sql('SELECT 1')").fetchone()
    lie = "CREATE MACRO json_serialize_sql(x) AS '" + row[0].replace("'", "''") + "'"
    path = usurped(tmp_path / "t.db", lie)
    assert isinstance(classify("SELECT nextval('s')", path), Change)
    assert isinstance(classify("WITH d AS (DELETE FROM t) SELECT 1", path), Change)


def test_a_catalog_that_lies_is_not_asked(tmp_path):
    """A table macro named like the list of functions cannot hide another macro from view."""
    lie = (
        "CREATE MACRO abs(x) AS nextval('s');"
        "CREATE MACRO duckdb_functions() AS TABLE SELECT '' AS schema_name, '' AS function_name,"
        " '' AS macro_definition, '' AS function_type, true AS internal"
    )
    verdict = classify("SELECT abs(a) FROM t", usurped(tmp_path / "t.db", lie))
    assert isinstance(verdict, Refuse)
    assert '"abs" hides' in verdict.because


def test_tables_are_named(shop):
    """A read names the tables behind its views and macros, and not the CTEs."""
    sql = "WITH log AS (FROM over_totals) SELECT * FROM log, best(1), side.near, duckdb_tables()"
    assert classify(sql, shop) == Read(
        sql, frozenset({"shop_orders", "side.shop_orders", "side.only_there", "log"})
    )


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("DELETE FROM log", "DELETE"),
        ("-- why\nUPDATE log SET what = ''", "UPDATE"),
        ("INSERT INTO log VALUES ('')", "INSERT"),
        ("INSERT INTO log WITH d AS (SELECT 'x' AS x) SELECT x FROM d", "INSERT"),
        ("MERGE INTO log USING customers ON true WHEN MATCHED THEN DELETE", "MERGE"),
        ("TRUNCATE log", "TRUNCATE"),
        ("create or replace table log (a integer)", "CREATE"),
        ("DROP/**/TABLE log", "DROP"),
        ("ALTER TABLE log RENAME TO logs", "ALTER"),
        ("COMMENT ON TABLE log IS ''", "COMMENT"),
        ("SELECT nextval('tickets')", "SEQUENCE"),
        (
            "WITH d AS (DELETE FROM log), i AS (INSERT INTO log VALUES ('')) SELECT 1",
            "DELETE+INSERT",
        ),
    ],
)
def test_a_change_names_its_kind(shop, sql, kind):
    """The person reads what kind of change it is, by DuckDB's parser and not by the first word."""
    assert classify(sql, shop) == Change(sql, kind)


@pytest.mark.parametrize(
    ("sql", "advice"),
    [
        ("COPY log TO 'x.csv'", "export(sql, path)"),
        ("WITH c AS (COPY log TO 'x.csv') SELECT 1", "export(sql, path)"),
        ("PIVOT log ON what", "IN (…)"),
        ("SELECT 1; SELECT 2", "exactly one"),
        ("SELECT * FROM nowhere", "schema()"),
        ("SELECT ?", "write the values"),
        ("PRAGMA show_tables", "SHOW TABLES"),
    ],
)
def test_a_refusal_says_what_to_do_instead(shop, sql, advice):
    """A refusal is one sentence on one line, and holds the way out."""
    verdict = classify(sql, shop)
    assert isinstance(verdict, Refuse)
    assert advice in verdict.because
    assert verdict.because.endswith(".")
    assert "\n" not in verdict.because


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT " + "-" * 2 + "1\n" + " + 1" * 9_000,
        "SELECT 1 UNION ALL " * 2_000 + "SELECT 1",
        "SELECT '" + "x" * 60_000 + "'",
        "SELECT '\ud800'",
    ],
    ids=["parentheses", "sum", "unions", "length", "surrogate"],
)
def test_too_much_is_refused(shop, sql):
    """Depth and length that could break a parser are refused, and nothing breaks."""
    assert isinstance(classify(sql, shop), Refuse)


def test_a_missing_database_is_not_made(tmp_path):
    """A database that is not there is an error, and is still not there afterwards."""
    with pytest.raises(duckdb.Error):
        classify("SELECT 1", tmp_path / "no.db")
    assert files(tmp_path) == {}


QUERY = st.deferred(
    lambda: st.one_of(
        st.sampled_from(
            [
                "SELECT 1",
                "FROM log",
                "FROM takes",
                "FROM smuggles",
                "FROM totals",
                "FROM erase()",
                "SELECT draw()",
                "SELECT nextval('tickets')",
                "SELECT ticket FROM counted",
                "FROM 'odd.csv'",
                "FROM 'x.csv'",
                "VALUES (1)",
            ]
        ),
        st.builds("SELECT * FROM ({})".format, QUERY),
        st.builds("SELECT ({} LIMIT 1) AS a".format, QUERY),
        st.builds("SELECT 1 AS a WHERE EXISTS ({})".format, QUERY),
        st.builds("({}) UNION ALL BY NAME ({})".format, QUERY, QUERY),
        st.builds("WITH {} AS ({}) {}".format, NAME, BODY, QUERY),
        st.builds("WITH RECURSIVE {} AS ({}) {}".format, NAME, BODY, QUERY),
        st.builds("FROM range(3) ORDER BY ({} LIMIT 1)".format, QUERY),
    )
)
NAME = st.sampled_from(["log", "takes", "totals", '"odd.csv"', '"x.csv"', "a", "smuggles"])
BODY = st.one_of(
    QUERY,
    st.sampled_from(
        [
            "DELETE FROM log RETURNING *",
            "INSERT INTO log VALUES ('fuzz') RETURNING *",
            "UPDATE customers SET name = 'fuzz'",
            "COPY log TO 'fuzz.csv'",
            "TRUNCATE shop_orders",
        ]
    ),
)
STATEMENT = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "", "EXPLAIN ", "EXPLAIN ANALYZE ", "SUMMARIZE ", "-- x\n", "/**/"]),
    st.one_of(QUERY, QUERY, BODY, st.sampled_from(HOSTILE), st.sampled_from(HONEST)),
    st.sampled_from(["", "", "", ";", " -- x", "\n/* x */", "; DELETE FROM log", "\rFROM takes"]),
)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=STATEMENT)
def test_no_composed_statement_slips_through(shop, fuzzed, sql):
    """However a statement is put together: taken for a read, it changes nothing when it runs."""
    sealed, unsealed, folder = fuzzed
    try:
        verdict = judge(at(folder, sql), sealed)
    except Unproven:
        return
    if isinstance(verdict, Read):
        before, listing = contents(unsealed), files(folder).keys()
        with suppress(duckdb.Error):  # a read may fail, but not change anything on the way
            unsealed.execute(sql).fetchall()
        assert contents(unsealed) == before
        assert files(folder).keys() == listing


@pytest.fixture(scope="module")
def fuzzed(shop, tmp_path_factory):
    """A sealed connection to the shop, a free one to a copy of it, and the copy's folder."""
    folder = tmp_path_factory.mktemp("fuzz")
    copy = shutil.copy(shop, folder / "shop.db")
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(open_sealed(shop)) as sealed,
        duckdb.connect(str(copy)) as unsealed,
    ):
        patch.chdir(folder)
        patch.setenv("HOME", str(folder))
        yield sealed, unsealed, folder
