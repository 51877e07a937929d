"""What a sealed connection leaves possible: reading this one database, and nothing else."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import closing, suppress

import duckdb
import pytest
from hostile_sql import ASKED, CALLS, HONEST, HOSTILE, USURPERS, at, build, files, usurped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tpch_sql import QUERIES

from apps.analysis.sealed import NotSealed, QueryTooLong, at_most, open_sealed, read


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A shop with traps, to be copied."""
    return build(tmp_path_factory.mktemp("original") / "shop.db")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder that is home and working directory, so that every stray file shows."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shop(home, original):
    """A shop of the test's own, in the folder that is watched."""
    return shutil.copy(original, home / "shop.db")


def force(path, sql):
    """Run `sql`, however many statements, on a sealed connection, as if nobody had judged it."""
    with (
        closing(open_sealed(path)) as sealed,
        suppress(duckdb.Error, QueryTooLong, UnicodeError),
        at_most(0.5, sealed),
    ):
        sealed.execute(sql)
        sealed.fetchall()


@pytest.mark.slow
def test_the_sealed_connection_alone_keeps_the_data_whole(shop, home):
    """With the classifier switched off, no hostile statement changes a byte or makes a file."""
    before = files(home)
    for sql in HOSTILE:
        force(shop, at(home, sql))
        assert files(home) == before, sql


@pytest.mark.slow
def test_no_sequence_of_statements_gets_out(shop, home):
    """One connection that runs everything in a row, none judged, still changes nothing."""
    before = files(home)
    with closing(open_sealed(shop)) as sealed:
        for sql in HOSTILE + HOSTILE:
            with suppress(duckdb.Error, QueryTooLong, UnicodeError), at_most(0.5, sealed):
                sealed.execute(at(home, sql))
                sealed.fetchall()
            assert files(home) == before, sql


@pytest.mark.slow
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    target=st.sampled_from(["shop.db", "shop.db.wal", "new.csv", "./shop.db", "x/../shop.db"]),
    source=st.sampled_from(["log", "(SELECT 1)", "(FROM takes)", "(FROM erase())"]),
    options=st.sets(
        st.sampled_from(
            ["USE_TMP_FILE false", "FORMAT csv", "FORMAT parquet", "FORMAT json", "OVERWRITE true"]
        ),
        min_size=1,
    ),
    wrap=st.sampled_from(["{}", "WITH c AS ({}) SELECT 1", "EXPLAIN ANALYZE {}"]),
)
def test_no_copy_reaches_the_disk(shop, home, target, source, options, wrap):
    """COPY with any options to any place, the database's own files too, writes nothing."""
    before = files(home)
    force(shop, wrap.format(f"COPY {source} TO '{home}/{target}' ({', '.join(options)})"))
    assert files(home) == before


def test_the_corpus_is_hostile(original, tmp_path):
    """Without either defence the same statements do destroy data and write files."""
    shop = shutil.copy(original, tmp_path / "shop.db")
    with duckdb.connect(str(shop)) as unsealed:
        unsealed.execute(f"COPY (SELECT 1) TO '{tmp_path}/leak.csv'")
        unsealed.execute("FROM smuggles").fetchall()
        left = unsealed.execute("SELECT count(*) FROM shop_orders").fetchone()
    assert left == (0,)
    assert "leak.csv" in files(tmp_path)
    with closing(duckdb.connect(str(shop), read_only=True)) as merely_read_only:
        merely_read_only.execute(f"COPY (SELECT 1) TO '{shop}' (USE_TMP_FILE false)")
    assert not shop.read_bytes().startswith((original.read_bytes())[:16])


@pytest.mark.slow
def test_reading_still_works(shop):
    """Every honest question gets its answer over the sealed connection."""
    for sql in HONEST + QUERIES:
        assert read(shop, sql).columns, sql


@pytest.mark.parametrize("macro", USURPERS.values(), ids=USURPERS.keys())
def test_a_usurped_function_changes_nothing(home, macro):
    """A macro in the place of DuckDB's own function writes no more than anything else."""
    path = usurped(home / "t.db", macro)
    before = files(home)
    for sql in CALLS:
        force(path, sql)
    assert files(home) == before


def test_rows_come_with_names_and_types(shop):
    """An answer names its columns and DuckDB's types, and holds Python values."""
    answer = read(shop, "SELECT id AS n, total, note FROM shop_orders WHERE id = 2")
    assert answer.columns == ("n", "total", "note")
    assert answer.types == ("INTEGER", "DECIMAL(10,2)", "VARCHAR")
    assert [[str(value) for value in row] for row in answer.rows] == [["2", "3.00", "None"]]
    assert not answer.truncated


@pytest.mark.parametrize(("limit", "truncated"), [(49, True), (50, False), (51, False)])
def test_rows_are_limited_and_say_so(shop, limit, truncated):
    """No more rows come than were asked for; a fuller answer is marked as cut."""
    answer = read(shop, "FROM shop_orders", rows=limit)
    assert len(answer.rows) == min(limit, 50)
    assert answer.truncated is truncated


def test_a_long_query_is_stopped(shop):
    """A query is interrupted when its time is over, and the next one works."""
    started = time.monotonic()
    with pytest.raises(QueryTooLong, match=r"0\.2 seconds"):
        read(shop, "SELECT count(*) FROM range(1_000_000_000_000)", seconds=0.2)
    assert time.monotonic() - started < 10
    assert read(shop, "SELECT 1").rows == ((1,),)


def test_a_hungry_query_is_stopped(shop, home):
    """A query that wants more memory than it may have fails, and nothing spills to disk."""
    before = files(home)
    with pytest.raises(duckdb.OutOfMemoryException):
        read(shop, "SELECT list(range) FROM range(50_000_000)", memory="100MB")
    assert files(home) == before


def test_two_statements_are_not_read(shop):
    """More than one statement is an error, and none of them runs."""
    with pytest.raises(duckdb.Error, match="one statement, got 2"):
        read(shop, "SELECT 1; SELECT 2")


def test_python_variables_stay_private(shop):
    """A query cannot reach the variables of the program that runs it."""
    secrets = [{"a": 1}]
    with pytest.raises(duckdb.CatalogException, match="secrets"):
        read(shop, "SELECT * FROM secrets")
    assert secrets == [{"a": 1}]


@pytest.mark.parametrize(
    "setting",
    ["memory_limit = '9GB'", "disabled_filesystems = ''", "enable_external_access = true"],
)
def test_the_seal_cannot_be_lifted(shop, setting):
    """No setting that closes the connection off can be changed on it."""
    with closing(open_sealed(shop)) as sealed, pytest.raises(duckdb.Error):
        sealed.execute(f"SET {setting}")


def test_many_at_once(shop):
    """Threads that read side by side all get their answer, each over a sealed connection."""
    answers = []

    def ask():
        for _ in range(5):
            answers.extend(read(shop, "SELECT count(*) FROM shop_orders").rows)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(50,)] * 20


def test_no_temporary_thing_outlives_its_statement(shop):
    """A temporary table that hides a real one is gone for the next statement."""
    force(shop, "CREATE TEMP TABLE shop_orders AS SELECT 1 AS id")
    assert read(shop, "SELECT count(*) FROM shop_orders").rows == ((50,),)


def test_an_open_door_is_noticed(shop):
    """A file that this process already holds in another way gives no connection at all."""
    with duckdb.connect(str(shop)), pytest.raises((duckdb.Error, NotSealed)):
        open_sealed(shop)
    assert read(shop, "SELECT 1").rows == ((1,),)


@pytest.mark.parametrize("sql", ASKED[:3])
def test_a_change_is_an_error(shop, sql):
    """A change sent to a sealed connection fails aloud."""
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        read(shop, sql)
