"""The warehouse answers, changes all or nothing, writes reports nowhere else, and goes back."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from people import eventually

from apps.analysis import warehouse as warehouse_module
from apps.analysis.errors import (
    AnalysisError,
    ChangedMeanwhile,
    Interrupted,
    Locked,
    NotADatabase,
    NothingToUndo,
    Refused,
)
from apps.analysis.sealed import QueryTooLong, Rows, at_most, open_sealed
from apps.analysis.shop import make_shop
from apps.analysis.statements import Change, Read
from apps.analysis.undo import Snapshots
from apps.analysis.warehouse import Warehouse
from apps.analysis.writing import writable

ROOT = Path(__file__).parent.parent
ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small shop, made once."""
    path = tmp_path_factory.mktemp("made") / "shop.duckdb"
    make_shop(path, orders=2_000)
    return path


@pytest.fixture
def path(made, tmp_path):
    """A copy of the shop for one test."""
    return shutil.copyfile(made, tmp_path / "shop.duckdb")


@pytest.fixture
def warehouse(path, tmp_path):
    """The shop's warehouse, at a fixed time."""
    return Warehouse(
        path,
        reports=tmp_path / "reports",
        patience=0.3,
        now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def rows(path, sql):
    """What a plain connection reads from the file."""
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()


def orders(path):
    """How many orders there are."""
    return rows(path, "SELECT count(*) FROM orders")[0][0]


def snapshots(path):
    """The copies that an undo could use."""
    return sorted(file.name for file in Path(f"{path}.undo").glob("*"))


@contextmanager
def other_process(code, *words):
    """Run Python beside this process, from its line `ready` until the block ends or it does."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout.readline() == "ready\n"
        try:
            yield started
        finally:
            started.kill()


HOLD = """
import duckdb, sys, time
con = duckdb.connect(sys.argv[1])
print("ready", flush=True)
time.sleep(float(sys.argv[2]))
"""


# Reading


def test_an_answer_is_a_table_with_its_number_of_rows(warehouse):
    """Names, a rule, the rows with numbers to the right, and how many there are."""
    answer = warehouse.query("SELECT * FROM (VALUES (1, 'a'), (22, NULL)) t(number, letter)")
    assert answer == "number  letter\n------  ------\n     1  a\n    22  NULL\n(2 rows)"


def test_a_long_answer_says_that_there_is_more(path, tmp_path):
    """What is cut off is never cut off silently."""
    short = Warehouse(path, reports=tmp_path, rows=3)
    answer = short.query("SELECT id FROM orders ORDER BY id")
    assert answer.splitlines()[2:] == [" 1", " 2", " 3", "(the first 3 rows; there are more)"]
    assert short.query("SELECT id FROM orders LIMIT 3").endswith("(3 rows)")


def test_a_value_cannot_forge_a_row(warehouse):
    """Line ends and invisible characters in data are shown as escapes."""
    answer = warehouse.query("SELECT 'a' || chr(10) || '(9 rows)' || chr(8238) AS text")
    assert answer.splitlines()[2:] == ["a\\n(9 rows)\\u202e", "(1 row)"]


def test_the_schema_names_every_table_column_and_size(warehouse):
    """An agent can write its first query from this alone; views are told apart."""
    warehouse.query("CREATE VIEW paid AS SELECT id FROM orders")
    warehouse.query('CREATE SCHEMA "old stuff"')
    warehouse.query('CREATE TABLE "old stuff"."a ""b" AS SELECT 1.5 AS "x y"')
    text = warehouse.schema()
    assert "orders (2,000 rows)\n    id BIGINT\n    customer_id BIGINT\n" in text
    assert "paid (view)\n    id BIGINT" in text
    assert 'old stuff.a "b (1 rows)\n    x y DECIMAL(2,1)' in text


def test_reading_leaves_every_byte(warehouse, path):
    """Queries, schema, charts and exports do not touch the database or keep snapshots."""
    before = path.read_bytes()
    warehouse.schema()
    warehouse.query("SELECT sum(quantity) FROM order_items")
    warehouse.export("SELECT 1 AS a", "a.csv")
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["reports", "shop.duckdb"]


# Changing


def test_a_change_says_what_it_did(warehouse, path):
    """Rows per table, out of how many; and it is in the file when the call returns."""
    assert warehouse.query("DELETE FROM orders WHERE id <= 10") == (
        "Done.\norders: 10 deleted (of 2,000 rows)"
    )
    assert orders(path) == 1_990
    assert "creates table archive" in warehouse.query("CREATE TABLE archive AS FROM orders")
    assert warehouse.query("DELETE FROM orders WHERE id < 0").endswith("no definition changed.")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders; DELETE FROM customers",
        "COPY orders TO 'out.csv'",
        "SET memory_limit = '9GB'",
        "ATTACH 'x.duckdb'",
        "BEGIN",
        "SELECT * FROM read_csv('/etc/passwd')",
        "INSTALL httpfs",
        "DELETE FROM",
        "SELECT * FROM no_such_table",
        "DELETE FROM no_such_table",
        "",
    ],
)
def test_what_is_refused_is_a_permission_error_in_one_line(warehouse, path, sql):
    """Nobody is asked, the sentence says why, and not a byte differs."""
    before = path.read_bytes()
    for tool in (warehouse.query, warehouse.rehearse):
        with pytest.raises(Refused) as told:
            tool(sql)
        assert isinstance(told.value, PermissionError)
        assert re.fullmatch(r"[^\n]{10,}", str(told.value))
    assert path.read_bytes() == before
    assert snapshots(path) == []


def test_a_failing_change_changes_nothing_and_keeps_nothing(warehouse, path):
    """Half a statement is no statement, and there is nothing to undo after it."""
    with pytest.raises(AnalysisError, match=r"Nothing changed\.") as told:
        warehouse.query("UPDATE orders SET id = CASE WHEN id = 1999 THEN 'x' ELSE id END::BIGINT")
    assert "\n" not in str(told.value)
    assert rows(path, "SELECT sum(id) FROM orders") == [(2_001_000,)]
    assert snapshots(path) == []
    with pytest.raises(NothingToUndo):
        warehouse.last_change()


def test_the_writing_connection_reaches_no_files(warehouse, path, monkeypatch, tmp_path):
    """Even a statement that was wrongly let through cannot read beside the database."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    monkeypatch.setattr(warehouse_module, "classify", lambda sql, _: Change(sql, "CREATE"))
    for sql in (
        f"CREATE TABLE stolen AS FROM read_csv('{secret}')",
        f"COPY orders TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'other.duckdb'}' AS other",
        "SET enable_external_access = true",
        "CREATE TABLE stolen AS FROM monkeypatch",
    ):
        with pytest.raises(AnalysisError):
            warehouse.query(sql)
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [
        "secret.csv",
        "shop.duckdb",
    ]
    assert orders(path) == 2_000


def test_a_change_taken_for_a_read_fails(warehouse, path, monkeypatch):
    """The reading connection could not write even if the statement was misjudged."""
    monkeypatch.setattr(warehouse_module, "classify", lambda sql, _: Read(sql, frozenset()))
    with pytest.raises(AnalysisError):
        warehouse.query("DELETE FROM orders")
    assert orders(path) == 2_000


def test_a_rehearsed_change_runs_as_it_was_shown(warehouse, path):
    """Nothing happened in between, so what was shown happens."""
    shown = warehouse.rehearse("DELETE FROM orders WHERE id <= 10")
    assert [str(table) for table in shown.tables] == ["orders: 10 deleted (of 2,000 rows)"]
    assert orders(path) == 2_000
    warehouse.query("DELETE FROM orders WHERE id <= 10")
    assert orders(path) == 1_990


@pytest.mark.parametrize(
    "meanwhile",
    [
        "DELETE FROM orders WHERE id = 5",
        "DELETE FROM orders WHERE id <= 10",
        "INSERT INTO orders BY NAME SELECT * REPLACE (3 AS id) FROM orders WHERE id = 90",
    ],
)
def test_a_change_that_does_something_else_by_now_is_rolled_back(warehouse, path, meanwhile):
    """Other data, other effect: nothing runs, the difference is told, no snapshot stays."""
    warehouse.rehearse("DELETE FROM orders WHERE id <= 10")
    with duckdb.connect(str(path)) as con:
        con.execute(meanwhile)
    before = rows(path, "FROM orders ORDER BY ALL")
    with pytest.raises(ChangedMeanwhile, match=r"orders: .*shown orders: 10 deleted"):
        warehouse.query("DELETE FROM orders WHERE id <= 10")
    assert rows(path, "FROM orders ORDER BY ALL") == before
    assert snapshots(path) == []


def test_a_table_that_is_touched_by_surprise_stops_the_change(warehouse, path):
    """A trigger that came after the rehearsal is noticed, though the named table is as shown."""
    warehouse.rehearse("DELETE FROM orders WHERE id = 1")
    with duckdb.connect(str(path)) as con:
        con.execute(
            "CREATE TRIGGER tell AFTER DELETE ON orders FOR EACH ROW "
            "DELETE FROM refunds WHERE order_id % 2 = OLD.id"
        )
    with pytest.raises(ChangedMeanwhile, match="refunds"):
        warehouse.query("DELETE FROM orders WHERE id = 1")
    assert orders(path) == 2_000


# Undo


def test_undo_brings_back_the_state_before_the_last_change(warehouse, path):
    """Changes are taken back one after the other, the last one first."""
    whole = path.read_bytes()
    warehouse.query("DELETE FROM orders WHERE id <= 10")
    warehouse.query("DROP TABLE refunds")
    assert "DROP TABLE refunds" in warehouse.undo()
    assert orders(path) == 1_990
    assert rows(path, "SELECT count(*) > 0 FROM refunds") == [(True,)]
    warehouse.undo()
    assert orders(path) == 2_000
    assert path.read_bytes() == whole
    with pytest.raises(NothingToUndo, match="no change"):
        warehouse.undo()


def test_the_last_change_is_described(warehouse):
    """When, what, and what it did: enough for a person to say yes to taking it back."""
    warehouse.query("DELETE FROM orders WHERE id <= 10")
    last = warehouse.last_change()
    assert (last.at, last.sql) == ("2026-01-02T03:04:05+00:00", "DELETE FROM orders WHERE id <= 10")
    assert last.effects == ("orders: 10 deleted (of 2,000 rows)",)
    assert last.committed


@pytest.mark.slow
def test_undo_brings_a_sequence_back_too(warehouse, path):
    """What a rollback would have left standing is restored."""
    warehouse.query("CREATE SEQUENCE numbers")
    warehouse.query("SELECT nextval('numbers')")
    warehouse.query("SELECT nextval('numbers')")
    warehouse.undo()
    with duckdb.connect(str(path)) as con:
        assert con.execute("SELECT nextval('numbers')").fetchone() == (2,)


@pytest.mark.slow
def test_only_the_last_states_are_kept(path, tmp_path):
    """Old copies go; as many as were asked for stay."""
    small = Warehouse(path, reports=tmp_path, keep=2)
    for number in range(1, 5):
        small.query(f"DELETE FROM orders WHERE id = {number}")
    assert len(list(Path(f"{path}.undo").glob("*.duckdb"))) == 2
    small.undo()
    small.undo()
    with pytest.raises(NothingToUndo):
        small.undo()
    assert orders(path) == 1_998


@pytest.mark.slow
def test_what_waits_in_the_log_is_part_of_the_snapshot(warehouse, path):
    """A program that was killed leaves its last commits in the log beside the file."""
    crash = (
        "import duckdb, os, sys\ncon = duckdb.connect(sys.argv[1])\n"
        "con.execute('DELETE FROM orders WHERE id = 1')\nprint('ready', flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    with other_process(crash, path) as crashed:
        crashed.wait()
    assert Path(f"{path}.wal").exists()
    warehouse.rehearse("DELETE FROM orders WHERE id = 2")
    warehouse.query("DELETE FROM orders WHERE id = 2")
    assert orders(path) == 1_998
    warehouse.undo()
    assert orders(path) == 1_999


def test_another_process_can_undo(warehouse, path, tmp_path):
    """The record is on disk, so a new start of the program finds it."""
    warehouse.query("DELETE FROM orders WHERE id <= 10")
    assert "orders: 10 deleted" in Warehouse(path, reports=tmp_path).undo()
    assert orders(path) == 2_000


def test_no_room_for_a_snapshot_means_no_change(warehouse, path):
    """Without a way back nothing is changed."""
    Path(f"{path}.undo").write_text("in the way")
    with pytest.raises(AnalysisError, match="No snapshot"):
        warehouse.query("DELETE FROM orders")
    assert orders(path) == 2_000


WORK = """
import sys
from pathlib import Path
from apps.analysis.undo import Snapshots
from apps.analysis.warehouse import Warehouse
from apps.analysis.writing import writable
warehouse = Warehouse(Path(sys.argv[1]), reports=Path(sys.argv[1]).parent / "reports")
print("ready", flush=True)
while True:
    warehouse.query("DELETE FROM orders WHERE id <= 1000")
    warehouse.undo()
"""


@pytest.mark.slow
def test_a_kill_leaves_the_old_or_the_new_database(path, tmp_path):
    """Killed anywhere in a change or an undo: one of two states, and a way back to the first."""
    dice = random.Random(7)
    seen = set()
    for _ in range(10):
        with other_process(WORK, path):
            time.sleep(dice.uniform(0.0, 0.5))
        with duckdb.connect(str(path)) as con:
            state = con.execute("SELECT count(*), sum(id) FROM orders").fetchone()
        assert state in {(2_000, 2_001_000), (1_000, 1_500_500)}
        seen.add(state)
        warehouse = Warehouse(path, reports=tmp_path)
        if state == (1_000, 1_500_500):
            warehouse.undo()
        assert orders(path) == 2_000
        assert "order_items" in warehouse.schema()
    assert len(list(Path(f"{path}.undo").glob("*"))) < 10


# Trouble


@pytest.mark.parametrize("content", [b"", b"id,name\n1,a\n", os.urandom(5000)])
def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path, content):
    """A wrong file is named, and left as it is."""
    path = tmp_path / "wrong.duckdb"
    path.write_bytes(content)
    with pytest.raises(AnalysisError, match=r"wrong\.duckdb") as told:
        Warehouse(path, reports=tmp_path)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == content


def test_a_missing_file_is_not_created(tmp_path):
    """A misspelt name makes no empty database."""
    with pytest.raises(NotADatabase, match="no database"):
        Warehouse(tmp_path / "missing.duckdb", reports=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_use_elsewhere_is_told_in_a_sentence(warehouse, path):
    """Reading and changing both wait a little, then say who must let go."""
    with other_process(HOLD, path, 60):
        for sql in ("SELECT 1", "DELETE FROM orders"):
            with pytest.raises(Locked, match=r"shop\.duckdb is in use by another program"):
                warehouse.query(sql)
    assert orders(path) == 2_000


@pytest.mark.slow
def test_a_file_that_comes_free_is_waited_for(path, tmp_path):
    """Another program's short write costs patience, not an error."""
    patient = Warehouse(path, reports=tmp_path, patience=20)
    with other_process(HOLD, path, 0.5):
        assert "1 deleted" in patient.query("DELETE FROM orders WHERE id = 1")


def test_a_snapshot_does_not_open_the_door(path):
    """While a change is under way and its snapshot taken, no other process gets the file."""
    attempt = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    with writable(path, seconds=30) as held:
        Snapshots(path).take(held.fd)
        other = subprocess.run([sys.executable, "-c", attempt, path], capture_output=True)
        assert other.returncode == 1
        assert b"Could not set lock" in other.stderr
    assert subprocess.run([sys.executable, "-c", attempt, path]).returncode == 0


@pytest.mark.parametrize("sql", [ENDLESS, f"DELETE FROM orders WHERE id < ({ENDLESS})"])
def test_a_statement_that_takes_too_long_is_stopped(warehouse, path, tmp_path, sql):
    """The time is up: one sentence, nothing changed, and the next statement runs."""
    hasty = Warehouse(path, reports=tmp_path, seconds=0.3)
    with pytest.raises(Interrupted, match=r"longer than 0\.3 seconds"):
        hasty.query(sql)
    assert orders(path) == 2_000
    assert snapshots(path) == []
    assert "2000" in warehouse.query("SELECT count(*) FROM orders")


def test_a_bell_that_rings_too_early_rings_again(path):
    """The time may be up before the statement has begun; it is stopped all the same."""

    def begin_late(connection):
        with at_most(0.01, connection):
            time.sleep(0.2)
            connection.execute(ENDLESS)

    with closing(open_sealed(path)) as connection, pytest.raises(QueryTooLong):
        begin_late(connection)


ASK = """
import sys
from pathlib import Path
from apps.analysis.errors import AnalysisError
from apps.analysis.warehouse import Warehouse
path = Path(sys.argv[1])
warehouse = Warehouse(path, reports=path.parent / "reports", seconds=100)
print("ready", flush=True)
try:
    warehouse.query(sys.argv[2])
except AnalysisError as error:
    print(type(error).__name__, error)
"""


def busy(process):
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.parametrize("sql", [ENDLESS, f"DELETE FROM orders WHERE id < ({ENDLESS})"])
def test_control_c_stops_the_statement_and_nothing_else(path, sql):
    """The program goes on and has one sentence to tell; the data is as it was."""
    with other_process(ASK, path, sql) as asking:
        before = busy(asking)
        eventually(lambda: busy(asking) > before + 1.5, seconds=60)
        asking.send_signal(signal.SIGINT)
        told, _ = asking.communicate(timeout=60)
    # DuckDB takes `python -c` for a session at a terminal, and draws a bar before our words.
    assert told.endswith("Stopped The statement was stopped by Ctrl-C; nothing changed.\n")
    assert asking.returncode == 0
    assert orders(path) == 2_000
    assert snapshots(path) == []


@pytest.mark.slow
def test_many_threads_share_one_file(path, tmp_path):
    """Reads and changes from several threads, on two warehouses, take turns."""
    both = [Warehouse(path, reports=tmp_path) for _ in range(2)]

    def work(number):
        if number % 3:
            return both[number % 2].query("SELECT count(*) FROM orders")
        return both[number % 2].query(f"DELETE FROM orders WHERE id = {number + 1}")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(work, range(9)))
    assert sum("1 deleted" in answer for answer in answers) == 3
    assert orders(path) == 1_997


# Reports


@pytest.mark.parametrize(
    "name",
    [
        "/tmp/out.csv",
        "../out.csv",
        "a/../../out.csv",
        "..\\out.csv",
        "C:\\out.csv",
        "link/out.csv",
        "",
        ".",
        "out.txt",
        "out.csv\n",
        "a\0.csv",
        "shop.duckdb",
    ],
)
def test_reports_stay_in_their_folder(warehouse, tmp_path, name):
    """No absolute path, no way up, no link, no odd ending: refused before anything is read."""
    warehouse.reports.mkdir()
    (warehouse.reports / "link").symlink_to(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refused):
        warehouse.export("SELECT 1 AS a", name)
    with pytest.raises(Refused):
        warehouse.chart("SELECT 1 AS a, 2 AS b", "bar", name.replace(".csv", ".png"))
    assert sorted(tmp_path.rglob("*")) == before


def test_reports_are_not_overwritten(warehouse):
    """A name that is taken is refused, and the file stays; so does a link to nowhere."""
    warehouse.export("SELECT 1 AS a", "a.csv")
    (warehouse.reports / "b.csv").symlink_to(warehouse.reports / "elsewhere.csv")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(Refused):
            warehouse.export("SELECT 2 AS a", name)
    assert (warehouse.reports / "a.csv").read_text() == "a\n1\n"
    assert not (warehouse.reports / "elsewhere.csv").exists()


def test_two_exports_of_one_name_make_one_file(warehouse):
    """Whoever is second is told, and never wins half of the file."""

    def export(number):
        try:
            return warehouse.export(f"SELECT {number} AS a FROM range(1000)", "same.csv")
        except Refused:
            return None

    with ThreadPoolExecutor(4) as pool:
        done = [answer for answer in pool.map(export, range(4)) if answer]
    assert len(done) == 1
    assert len(set((warehouse.reports / "same.csv").read_text().splitlines())) == 2
    assert [file.name for file in warehouse.reports.iterdir()] == ["same.csv"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_an_export_holds_what_was_asked(warehouse, path, ending):
    """Read back by DuckDB, the file has the rows of the query: dates, decimals, nulls, quotes."""
    sql = "SELECT id, ordered_at, note, status || ',\"' AS odd FROM orders ORDER BY id"
    answer = warehouse.export(sql, f"sub/out.{ending}")
    assert answer.startswith("Wrote 2,000 rows")
    target = warehouse.reports / "sub" / f"out.{ending}"
    assert duckdb.execute(f"FROM '{target}'").fetchall() == rows(path, sql)


def test_a_parquet_export_keeps_the_types(warehouse):
    """Decimals, lists, structs, blobs and repeated names arrive as they were."""
    sql = (
        "SELECT 1.50::DECIMAL(8, 2) AS a, [1, NULL] AS a, {'x': 'y'} AS c, '\\x00ab'::BLOB AS d, "
        "NULL::DATE AS e, 'sun'::ENUM('sun', 'rain') AS f, 9::UHUGEINT AS g, INTERVAL 3 DAY AS h"
    )
    warehouse.export(sql, "types.parquet")
    found = duckdb.execute(f"FROM '{warehouse.reports / 'types.parquet'}'")
    assert [column[0] for column in found.description] == ["a", "a_2", "c", "d", "e", "f", "g", "h"]
    assert found.fetchone()[:6] == duckdb.execute(sql).fetchone()[:6]


@pytest.mark.parametrize("tool", ["chart", "export"])
def test_only_reads_become_reports(warehouse, path, tool):
    """A change in a report's query is refused, not run."""
    words = ("bar", "x.png") if tool == "chart" else ("x.csv",)
    for sql in ("DELETE FROM orders RETURNING id, customer_id", "COPY orders TO 'x.csv'"):
        with pytest.raises(Refused):
            getattr(warehouse, tool)(sql, *words)
    assert orders(path) == 2_000
    assert not warehouse.reports.exists()


def test_too_many_rows_are_refused_rather_than_cut(warehouse, monkeypatch):
    """A report is whole or not at all."""
    monkeypatch.setattr(warehouse_module, "_EXPORTED", 100)
    with pytest.raises(AnalysisError, match="more than 100 rows"):
        warehouse.export("FROM orders", "orders.csv")
    assert not warehouse.reports.exists()


# Charts


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bar", "line", "scatter", "pie"])
@pytest.mark.parametrize(
    "sql",
    [
        (
            "SELECT date_trunc('month', ordered_at) AS month, count(*) AS orders "
            "FROM orders GROUP BY 1 ORDER BY 1"
        ),
        "SELECT category, avg(price) AS price_$ FROM products GROUP BY 1",
        "SELECT id, id * id AS square FROM products",
        "SELECT note, count(*) AS n FROM orders GROUP BY 1",
    ],
)
def test_every_kind_of_chart_is_a_picture(warehouse, kind, sql):
    """Dates, names, numbers and nulls along the bottom all make a PNG that is not blank."""
    if kind == "bar":
        sql = f"FROM ({sql}) LIMIT 100"
    warehouse.chart(sql, kind, "charts/picture.png")
    from matplotlib.image import imread

    picture = imread(warehouse.reports / "charts" / "picture.png")
    assert picture.shape[:2] == (750, 1350)
    assert picture.std() > 0.02


@pytest.mark.parametrize(
    ("kind", "sql", "said"),
    [
        ("bar", "SELECT 1 AS a, 2 AS b WHERE false", "no rows"),
        ("bar", "SELECT 1 AS a", "two columns"),
        ("line", "SELECT 1 AS a, 'x' AS b", "does not hold numbers"),
        ("pie", "SELECT 'a' AS a, -1 AS b", "not negative"),
        ("pie", "SELECT 'a' AS a, 1 AS b, 2 AS c", "one column"),
        ("bar", "SELECT range AS a, 1 AS b FROM range(300)", "draw a line"),
        ("line", "SELECT range AS a, 1 AS b FROM range(20000)", "more than 10,000 rows"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_sentence(warehouse, kind, sql, said):
    """No blank picture: the agent learns what to ask for instead."""
    with pytest.raises(AnalysisError, match=said):
        warehouse.chart(sql, kind, "x.png")
    assert not list(warehouse.reports.rglob("*.png"))


def test_a_chart_is_labelled_for_people():
    """A title and axis names in words, thousands apart, months as months."""
    from matplotlib.figure import Figure

    from apps.analysis import charts

    drawn = []
    keep = Figure.savefig
    try:
        Figure.savefig = lambda self, *_, **__: drawn.append(self)
        found = Rows(
            columns=("month", "net_revenue"),
            types=("DATE", "BIGINT"),
            rows=((datetime(2025, 1, 1), 1_000_000), (datetime(2025, 2, 1), 2_500_000)),  # noqa: DTZ001 - DuckDB's timestamps have no zone
            truncated=False,
        )
        charts.draw(found, "bar", Path("unused.png"), title="revenue_by_month")
    finally:
        Figure.savefig = keep
    (axes,) = drawn[0].axes
    assert axes.get_title(loc="left") == "Revenue by month"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Month", "Net revenue")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Jan 2025", "Feb 2025"]
    assert axes.yaxis.get_major_formatter()(1_500_000, 0) == "1,500,000"
