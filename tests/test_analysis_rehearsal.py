"""A rehearsal tells exactly what a change would do, and does none of it."""

import hashlib
import shutil

import duckdb
import pytest

from apps.analysis.errors import Interrupted, StatementFailed
from apps.analysis.rehearsal import rehearse

MAKE = """
CREATE SEQUENCE numbers;
CREATE TABLE plain AS SELECT i AS id, i % 10 AS part, 'row ' || i AS name, NULL::DATE AS day
    FROM range(130_000) t(i);
CREATE TABLE keyed (id INTEGER PRIMARY KEY, amount DECIMAL(8, 2), name VARCHAR);
INSERT INTO keyed SELECT i, i * 1.5, 'n' || i FROM range(500) t(i);
CREATE TABLE indexed AS SELECT i AS id, i % 7 AS part FROM range(500) t(i);
CREATE INDEX by_part ON indexed (part);
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (id INTEGER REFERENCES parent (id));
INSERT INTO parent SELECT range FROM range(10);
INSERT INTO child SELECT range FROM range(5);
CREATE TABLE noted (id BIGINT DEFAULT nextval('numbers'), text VARCHAR);
CREATE TABLE watched AS SELECT i AS id FROM range(20) t(i);
CREATE TRIGGER tell AFTER DELETE ON watched FOR EACH ROW
    INSERT INTO noted (text) VALUES ('gone ' || OLD.id);
CREATE SCHEMA other;
CREATE TABLE other.plain AS SELECT i AS id FROM range(30) t(i);
CREATE TABLE nested AS SELECT i AS id, {'a': i, 'b': [i, NULL]} AS thing FROM range(50) t(i);
CREATE VIEW small AS SELECT * FROM keyed WHERE id < 3;
"""

STATEMENTS = [
    "DELETE FROM plain WHERE id = 77",
    "DELETE FROM plain WHERE part = 3",
    "DELETE FROM plain",
    "TRUNCATE keyed",
    "UPDATE plain SET name = 'x' WHERE id BETWEEN 122870 AND 122890",
    "UPDATE plain SET day = DATE '2025-01-01'",
    "UPDATE plain SET name = name",
    "UPDATE plain SET part = 5 WHERE id < 100",
    "UPDATE keyed SET amount = 0 WHERE id < 10",
    "UPDATE keyed SET name = NULL WHERE id % 2 = 0",
    "UPDATE nested SET thing = {'a': 0, 'b': []} WHERE id > 40",
    "INSERT INTO plain SELECT * FROM plain WHERE id < 125000",
    "INSERT INTO keyed VALUES (1000, 1, 'new')",
    "INSERT OR REPLACE INTO keyed VALUES (1, 99, 'again'), (1001, 1, 'new')",
    "INSERT INTO keyed VALUES (2, 5, 'x') ON CONFLICT DO UPDATE SET amount = 5",
    (
        "MERGE INTO keyed USING (SELECT range::INTEGER AS id FROM range(495, 505)) s USING (id)\n"
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 0, 'merged')"
    ),
    "WITH gone AS (DELETE FROM keyed WHERE id < 5 RETURNING *) SELECT count(*) FROM gone",
    "DELETE FROM watched WHERE id < 4",
    "DELETE FROM other.plain WHERE id < 4",
    "DELETE FROM child",
    "INSERT INTO noted (text) VALUES ('a'), ('b')",
    "DELETE FROM plain WHERE id < 0",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One database with every kind of table, closed and at rest."""
    path = tmp_path_factory.mktemp("made") / "made.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(MAKE)
    return path


@pytest.fixture
def path(made, tmp_path):
    """A copy of it for one test."""
    return shutil.copyfile(made, tmp_path / "data.duckdb")


def difference(before, after):
    """For each table of the old file: its rows, those that are gone, and those that are new."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{before}' AS old (READ_ONLY)")
        con.execute(f"ATTACH '{after}' AS new (READ_ONLY)")
        tables = con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'old'"
        ).fetchall()
        return {
            name if schema == "main" else f"{schema}.{name}": tuple(
                con.execute(f"SELECT count(*) FROM ({rows})").fetchone()[0]
                for rows in (
                    f"FROM old.{schema}.{name}",
                    f"FROM old.{schema}.{name} EXCEPT ALL FROM new.{schema}.{name}",
                    f"FROM new.{schema}.{name} EXCEPT ALL FROM old.{schema}.{name}",
                )
            )
            for schema, name in tables
        }


def digest(path):
    """The bytes of the file, in short."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_rehearsal_counts_what_the_statement_really_does(path, tmp_path, sql):
    """Rows gone and rows new, table by table, are those of a plain run on a copy."""
    shown = {table.table: table for table in rehearse(path, sql).tables}
    copy = shutil.copyfile(path, tmp_path / "copy.duckdb")
    with duckdb.connect(str(copy)) as con:
        con.execute(sql).fetchall()
    for table, (of, gone, new) in difference(path, copy).items():
        if not gone and not new:
            assert table not in shown
            continue
        assert shown[table].of == of
        assert shown[table].updated + shown[table].deleted == gone
        assert shown[table].updated + shown[table].inserted == new


@pytest.mark.parametrize(
    "sql",
    [
        *STATEMENTS,
        "CREATE TABLE copied AS SELECT a.* FROM plain a, range(12)",
        "DROP TABLE plain",
        "ALTER TABLE keyed ADD COLUMN extra VARCHAR DEFAULT 'e'",
        "CREATE OR REPLACE VIEW small AS SELECT 1 AS one",
        "SELECT nextval('numbers')",
    ],
)
def test_a_rehearsal_leaves_no_trace(path, sql):
    """Not a byte of the file differs afterwards, and nothing lies beside it."""
    before = digest(path)
    rehearse(path, sql)
    assert digest(path) == before
    assert list(path.parent.iterdir()) == [path]


def test_rows_are_shown_before_and_after(path):
    """A sample pairs each row with what becomes of it, named by its key."""
    (table,) = rehearse(path, "UPDATE keyed SET amount = 7 WHERE id IN (4, 8)", rows=5).tables
    assert table.columns == ("id", "amount", "name")
    assert [(row.key, row.before, row.after) for row in table.sample] == [
        ("id 4", ("4", "6.00", "n4"), ("4", "7.00", "n4")),
        ("id 8", ("8", "12.00", "n8"), ("8", "7.00", "n8")),
    ]


def test_gone_and_new_rows_are_shown_with_one_side(path):
    """A deleted row has no after, an inserted one no before, and nulls are told from text."""
    (gone,) = rehearse(path, "DELETE FROM plain WHERE id = 3").tables
    assert [(row.before, row.after) for row in gone.sample] == [(("3", "3", "row 3", "NULL"), None)]
    (new,) = rehearse(path, "INSERT INTO keyed VALUES (900, 1, 'x')").tables
    assert [(row.key, row.before, row.after) for row in new.sample] == [
        ("id 900", None, ("900", "1.00", "x"))
    ]


def test_the_sample_has_the_size_asked_for(path):
    """As many rows as wanted, though all of them change."""
    (table,) = rehearse(path, "UPDATE plain SET name = ''", rows=3).tables
    assert (table.updated, table.of, len(table.sample)) == (130_000, 130_000, 3)


def test_a_replaced_row_is_one_change(path):
    """A row that is deleted and inserted under the same key counts as updated, once."""
    (table,) = rehearse(path, "INSERT OR REPLACE INTO keyed VALUES (1, 9, 'z')").tables
    assert table.counts == (1, 0, 0)
    assert [(row.before, row.after) for row in table.sample] == [
        (("1", "1.50", "n1"), ("1", "9.00", "z"))
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE fresh (a INTEGER, b VARCHAR)", "creates table fresh (a INTEGER, b VARCHAR)"),
        ("DROP TABLE indexed", "drops table indexed"),
        ("DROP TABLE indexed", "drops index by_part"),
        ("ALTER TABLE keyed DROP COLUMN name", "drops column keyed.name"),
        ("ALTER TABLE plain ALTER part TYPE VARCHAR", "changes column plain.part from BIGINT to"),
        ("ALTER TABLE plain ADD COLUMN more DATE", "adds column plain.more (DATE)"),
        ("CREATE OR REPLACE VIEW small AS SELECT 1 AS a", "changes view small"),
        ("DROP VIEW small", "drops view small"),
        ("CREATE MACRO twice(x) AS x * 2", "creates macro twice"),
        ("CREATE SCHEMA more", "creates schema more"),
        ("CREATE TYPE mood AS ENUM ('good')", "creates type mood"),
        ("CREATE OR REPLACE TABLE plain AS SELECT 1 AS id", "drops column plain.name"),
    ],
)
def test_changes_of_the_schema_are_told(path, sql, said):
    """What comes, goes or is defined otherwise is a sentence each."""
    assert [line for line in rehearse(path, sql).schema if line.startswith(said)]


def test_replacing_a_table_counts_all_its_rows(path):
    """Every old row is gone and every new one new, whatever the columns."""
    (table,) = rehearse(path, "CREATE OR REPLACE TABLE keyed AS SELECT 1 AS one").tables
    assert (table.of, table.counts) == (500, (0, 500, 1))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM plain", "has no WHERE"),
        ("UPDATE keyed SET name = 'where' -- WHERE id = 1", "has no WHERE"),
        ("UPDATE keyed SET name = 'ö' || name", "changes all 500 rows of keyed"),
        ("DELETE FROM keyed WHERE id >= 0", "removes all 500 rows of keyed"),
        ("UPDATE keyed SET name = random()::VARCHAR WHERE id = 1", "by chance (random)"),
        ("DELETE FROM plain WHERE 1 IN (SELECT id FROM keyed TABLESAMPLE 3 ROWS)", "tablesample"),
        ("INSERT INTO noted (text) VALUES ('a')", "moves the sequence numbers on"),
        ("SELECT nextval('numbers')", "moves the sequence numbers on"),
        ("DELETE FROM watched WHERE id = 1", "trigger tell watches watched"),
        ("DELETE FROM watched WHERE id = 1", "changes noted, which the statement does not name"),
        ("DELETE FROM watched WHERE 'noted' <> ''", "changes noted, which the statement does not"),
    ],
)
def test_a_person_is_warned(path, sql, said):
    """What is easily overlooked is said in a sentence."""
    assert [line for line in rehearse(path, sql).warnings if said in line]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM plain WHERE id = 1",
        "UPDATE keyed SET name = 'é' /* ü */ WHERE id = 1",
        "INSERT INTO keyed VALUES (1000, 1, 'x')",
        'DELETE FROM "plain" WHERE id = 2',
    ],
)
def test_harmless_changes_come_without_warnings(path, sql):
    """A warning that always shows is one that nobody reads."""
    assert rehearse(path, sql).warnings == ()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM missing",
        "DELETE FROM parent WHERE id = 1",
        "INSERT INTO keyed VALUES (1, 1, 'twice')",
        "UPDATE keyed SET amount = 'text'",
        "DELETE FROM",
        "DELETE FROM keyed; DELETE FROM plain",
        "",
    ],
)
def test_what_does_not_work_is_one_sentence(path, sql):
    """A failing statement is told in one line and leaves every byte."""
    before = digest(path)
    with pytest.raises(StatementFailed) as told:
        rehearse(path, sql)
    assert "\n" not in str(told.value)
    assert digest(path) == before


def test_a_change_that_cannot_be_checked_is_not_rehearsed(path):
    """A column that hides the row numbers would falsify the count, so nothing is shown."""
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE hiding AS SELECT 1 AS RowId")
    with pytest.raises(StatementFailed, match="named rowid"):
        rehearse(path, "DELETE FROM hiding")


def test_a_rehearsal_takes_no_longer_than_allowed(path):
    """A change that would run for minutes is stopped, and not a byte differs."""
    before = digest(path)
    with pytest.raises(Interrupted, match=r"longer than 0\.3 seconds"):
        rehearse(path, "CREATE TABLE huge AS SELECT a.id FROM plain a, plain b", seconds=0.3)
    assert digest(path) == before


@pytest.mark.parametrize("name", ["main.duckdb", "scratch.duckdb", "my data (1).db", "__before.db"])
def test_any_file_name_will_do(path, name):
    """The database may be called like a schema or like what the rehearsal uses itself."""
    path = path.rename(path.with_name(name))
    (table,) = rehearse(path, "UPDATE keyed SET amount = 0 WHERE id = 1").tables
    assert table.counts == (1, 0, 0)
