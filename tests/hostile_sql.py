"""A small shop with traps in it, statements that must never run unasked, and honest questions."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
from tpch_sql import SCHEMA

HERE = "@HERE@"  # the folder of the database, filled in by `at`
DELETES = "WITH d AS (DELETE FROM shop_orders RETURNING *) SELECT * FROM d"


def tree_of(sql: str) -> str:
    """Return DuckDB's serialised form of `sql`, quoted as a literal."""
    row = duckdb.connect().execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchone()
    assert row is not None
    json.loads(row[0])
    return "'" + row[0].replace("'", "''") + "'"


SMUGGLED = f"json_execute_serialized_sql({tree_of(DELETES)})"

TRAPS = f"""
CREATE TABLE shop_orders (id INTEGER PRIMARY KEY, customer INTEGER, total DECIMAL(10, 2),
    placed TIMESTAMP, tags VARCHAR[], detail JSON, note VARCHAR DEFAULT 'none');
INSERT INTO shop_orders SELECT i, i % 7, i * 1.5, TIMESTAMP '2024-01-01' + i * INTERVAL 1 DAY,
    ['a', 'b'], '{{"k": 1}}', NULL FROM range(50) t(i);
CREATE TABLE customers (id INTEGER, name VARCHAR, profile STRUCT(city VARCHAR, age INTEGER));
INSERT INTO customers SELECT i, 'name ' || i, {{'city': 'Bonn', 'age': 40}} FROM range(7) t(i);
CREATE TABLE log (what VARCHAR);
INSERT INTO log VALUES ('x'), ('y');
CREATE TABLE watched (id INTEGER);
CREATE TRIGGER watch AFTER INSERT ON watched FOR EACH STATEMENT INSERT INTO log VALUES ('seen');
CREATE TABLE "odd.csv" (id INTEGER);
CREATE SCHEMA side;
CREATE TABLE side.shop_orders (id INTEGER);
CREATE TABLE side.only_there (id INTEGER);
CREATE TABLE side."hidden.csv" (id INTEGER);
CREATE VIEW side.near AS SELECT * FROM only_there;
CREATE SEQUENCE tickets;
CREATE SEQUENCE spare;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE counted (id INTEGER, ticket BIGINT GENERATED ALWAYS AS (nextval('tickets')));
INSERT INTO counted (id) VALUES (1);
CREATE TABLE priced (net INTEGER, gross INTEGER GENERATED ALWAYS AS (net * 2));
CREATE VIEW totals AS SELECT customer, sum(total) AS total FROM shop_orders GROUP BY customer;
CREATE VIEW over_totals (who, much) AS
    WITH t AS (SELECT * FROM totals) SELECT customer, total FROM t WHERE total > 10;
CREATE VIEW takes AS SELECT nextval('tickets') AS ticket;
CREATE VIEW "x AS SELECT 1 --" AS SELECT nextval('tickets') AS ticket;
CREATE VIEW takes_through AS SELECT * FROM (SELECT * FROM takes);
CREATE VIEW smuggles AS SELECT * FROM {SMUGGLED};
CREATE VIEW reads_all AS SELECT * FROM counted;
CREATE MACRO twice(x) AS x * 2;
CREATE MACRO best(n) AS TABLE SELECT * FROM totals ORDER BY total DESC LIMIT n;
CREATE MACRO draw() AS nextval('tickets');
CREATE MACRO draw_through(x) AS x + draw();
CREATE MACRO erase() AS TABLE SELECT * FROM {SMUGGLED};
CREATE MACRO loads(f) AS TABLE SELECT * FROM read_text(f);
CREATE MACRO side.quiet(x) AS x;
"""

# Macros that take the place of what DuckDB has, and with it of syntax that names no function,
# and of what a careless classifier would itself call.
USURPERS = {
    "abs": "CREATE MACRO abs(x) AS nextval('s')",
    "plus": "CREATE MACRO \"+\"(a, b) AS nextval('s')",
    "today": "CREATE MACRO current_date() AS nextval('s')",
    "element": "CREATE MACRO array_extract(a, b) AS nextval('s')",
    "parser": "CREATE MACRO json_serialize_sql(x) AS nextval('s')",
    "catalog": "CREATE MACRO duckdb_functions() AS TABLE SELECT nextval('s')",
    "fold": "CREATE MACRO lower(x) AS CASE WHEN nextval('s') > 0 THEN 'read' END",
}
CALLS = (
    "SELECT abs(a) FROM t",
    "SELECT a + 1 FROM t",
    "SELECT current_date",
    "SELECT [1, 2][1]",
    "SELECT json_serialize_sql('x')",
    "FROM duckdb_functions()",
    "SELECT lower('X')",
)


def usurped(path: Path, macro: str) -> Path:
    """Make a database in which `macro` hides a function of DuckDB."""
    return build(
        path, f"CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); CREATE SEQUENCE s; {macro};"
    )


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """Return everything that the database holds, without running any of it."""
    stored: dict[str, list[str]] = {}
    for schema, table, column, generated in connection.execute(
        "SELECT schema_name, table_name, column_name, is_generated FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database() AND table_oid IN"
        " (SELECT table_oid FROM duckdb_tables()) ORDER BY ALL"
    ).fetchall():
        columns = stored.setdefault(f'"{schema}"."{table}"', [])
        columns.extend([] if generated else [f'"{column}"'])
    facts: dict[str, object] = {
        table: connection.execute(
            f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL"
        ).fetchall()
        for table, columns in stored.items()
    }
    for name, sql in {
        "tables": "SELECT sql, comment FROM duckdb_tables()",
        "views": "SELECT sql FROM duckdb_views() WHERE NOT internal",
        "macros": "SELECT function_name, macro_definition FROM duckdb_functions()"
        " WHERE NOT internal",
        "sequences": "SELECT sequence_name, last_value FROM duckdb_sequences()",
        "indexes": "SELECT sql FROM duckdb_indexes()",
        "types": "SELECT type_name FROM duckdb_types() WHERE NOT internal",
        "triggers": "SELECT * FROM duckdb_triggers()",
        "schemas": "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal",
    }.items():
        facts[name] = sorted(map(repr, connection.execute(sql).fetchall()))
    return facts


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder` with its bytes; folders count, without any."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def build(path: Path, script: str = TRAPS + SCHEMA) -> Path:
    """Make the database at `path` and return the path; nothing of it stays in a log file."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(script)
        connection.execute("CHECKPOINT")
    return path


def at(folder: Path, sql: str) -> str:
    """Point a statement at the folder of the database."""
    return sql.replace(HERE, str(folder))


# A person decides about these.
ASKED = (
    "DELETE FROM log WHERE what <> 'müßig'; -- größer",
    "MERGE INTO log USING (SELECT 1) s ON what <> 'äöü' WHEN MATCHED THEN DELETE",
    "DELETE FROM shop_orders",
    "DELETE FROM shop_orders WHERE id = 1;",
    "-- only old ones\nDELETE FROM shop_orders WHERE id < 3 -- done",
    "/* tidy */ DELETE FROM main.shop_orders USING customers WHERE customer = customers.id;",
    "DELETE FROM shop_orders WHERE total > (SELECT avg(total) FROM shop_orders) RETURNING id",
    "WITH old AS (SELECT id FROM shop_orders) DELETE FROM shop_orders WHERE id IN (FROM old)",
    "TRUNCATE shop_orders",
    "TRUNCATE TABLE customers",
    "UPDATE shop_orders SET total = 0",
    "UPDATE shop_orders SET note = upper(name) FROM customers WHERE customers.id = customer",
    "INSERT INTO log VALUES ('x')",
    "INSERT INTO log SELECT name FROM customers RETURNING *",
    "INSERT INTO watched VALUES (1)",
    "INSERT INTO counted (id) SELECT nextval('tickets')",
    "INSERT OR REPLACE INTO shop_orders (id, customer) VALUES (1, 2)",
    "INSERT INTO shop_orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = 'again'",
    "INSERT INTO shop_orders BY NAME SELECT 99 AS id",
    "MERGE INTO shop_orders o USING customers c ON o.id = c.id WHEN MATCHED THEN DELETE",
    "MERGE INTO log USING (SELECT 1) s ON what = 'z' WHEN NOT MATCHED THEN INSERT VALUES ('z')",
    "CREATE TABLE fresh (a INTEGER, b VARCHAR DEFAULT lower('X'), CHECK (a > 0))",
    "CREATE OR REPLACE TABLE priced AS SELECT * FROM customers",
    "CREATE VIEW fresh AS SELECT * FROM shop_orders",
    "CREATE SCHEMA fresh",
    "CREATE SEQUENCE fresh",
    "CREATE TYPE fresh AS ENUM ('a')",
    "CREATE UNIQUE INDEX fresh ON customers (id)",
    "CREATE MACRO fresh(x) AS x + 1",
    "CREATE TRIGGER fresh AFTER DELETE ON customers FOR EACH STATEMENT DELETE FROM log",
    "DROP TABLE customers",
    "DROP VIEW IF EXISTS totals",
    "DROP SCHEMA side CASCADE",
    "DROP SEQUENCE spare",
    "DROP MACRO twice",
    "ALTER TABLE customers ADD COLUMN age INTEGER DEFAULT 3",
    "ALTER TABLE customers RENAME TO people",
    "ALTER TABLE customers DROP COLUMN name",
    "COMMENT ON TABLE customers IS 'people'",
    DELETES,
    "WITH i AS (INSERT INTO log VALUES ('x')) SELECT 1",
    "WITH u AS (UPDATE customers SET name = 'x') SELECT count(*) FROM shop_orders",
    "WITH d AS (TRUNCATE log) SELECT 1",
    "SELECT nextval('tickets')",
    "SELECT NEXTVAL('tickets') FROM customers",
    "SELECT \"nextval\"('tickets')",
    "SELECT main.nextval('tickets')",
    "SELECT 'tickets'.nextval()",
    "SELECT setval('tickets', 100)",
    "SELECT list_transform([1], lambda x: x + nextval('tickets'))",
    "SELECT sum(nextval('tickets')) OVER () FROM customers",
    "SELECT * FROM customers WHERE id = nextval('tickets')",
    "SELECT * FROM range(nextval('tickets'))",
    "SELECT * FROM customers LIMIT (SELECT nextval('tickets'))",
    "VALUES (nextval('tickets'))",
    "SELECT * FROM takes",
    "SELECT * FROM takes_through",
    "SELECT * FROM main.takes",
    'SELECT * FROM "TAKES"',
    'SELECT * FROM "x AS SELECT 1 --"',
    "SELECT ticket FROM counted",
    "SELECT * FROM reads_all",
    "SELECT draw()",
    "SELECT draw_through(1)",
    "WITH takes AS (SELECT * FROM takes) SELECT * FROM takes",
)

# Nobody is asked about these.
REFUSED = (
    "SELECT * FROM (WITH d AS (DELETE FROM log RETURNING *) SELECT * FROM d)",
    "SELECT (WITH d AS (DELETE FROM log RETURNING what) SELECT count(*) FROM d)",
    "SELECT 1 UNION ALL (WITH d AS (DELETE FROM log) SELECT 2)",
    "FROM customers ORDER BY (WITH d AS (DELETE FROM log) SELECT 1)",
    "",
    "   ",
    "-- nothing",
    "SELEC 1",
    "DELETE FROM",
    "SELECT 1; DELETE FROM shop_orders",
    "DELETE FROM shop_orders; SELECT 1",
    "; SELECT 1",
    "SELECT 1\x00; DELETE FROM shop_orders",
    "SELECT 1 --\rFROM takes",
    "SELECT 1 -- harmless\r; DELETE FROM shop_orders",
    "DELETE\u00a0FROM\u00a0shop_orders",
    "DELETE\u2003FROM shop_orders",
    "SELECT '\u202e'",
    "SELECT 1 \u200b",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "BEGIN TRANSACTION READ ONLY",
    "PREPARE p AS DELETE FROM shop_orders",
    "EXECUTE p",
    "DEALLOCATE p",
    "SELECT $1",
    "SELECT * FROM customers WHERE id = ?",
    "SET memory_limit = '1TB'",
    "SET VARIABLE x = 1",
    "RESET memory_limit",
    "SET GLOBAL enable_external_access = true",
    "USE side",
    "PRAGMA enable_profiling",
    "PRAGMA memory_limit = '1TB'",
    "PRAGMA table_info('customers')",
    f"PRAGMA json_execute_serialized_sql({tree_of(DELETES)})",
    "CALL enable_logging()",
    f"CALL enable_logging(storage = 'file', storage_path = '{HERE}/logs')",
    "CALL force_checkpoint()",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs",
    "LOAD httpfs",
    f"LOAD '{HERE}/evil.duckdb_extension'",
    "UPDATE EXTENSIONS",
    f"ATTACH '{HERE}/other.db'",
    "ATTACH ':memory:' AS scratch",
    "DETACH shop",
    f"EXPORT DATABASE '{HERE}/dump'",
    f"IMPORT DATABASE '{HERE}/dump'",
    "COPY FROM DATABASE shop TO shop",
    f"CONNECT '{HERE}/other.db'",
    f"COPY shop_orders TO '{HERE}/leak.csv'",
    f"COPY (SELECT 1) TO '{HERE}/leak.parquet' (FORMAT parquet)",
    f"COPY (SELECT 1) TO '{HERE}/shop.db' (USE_TMP_FILE false)",
    f"COPY (SELECT 1) TO '{HERE}/shop.db' (FORMAT csv, USE_TMP_FILE false)",
    f"COPY (SELECT 1) TO '{HERE}/shop.db.wal' (USE_TMP_FILE false)",
    f"COPY (SELECT 1) TO '{HERE}/../up.csv'",
    f"COPY (SELECT 1) TO '{HERE}/parts' (FORMAT csv, PER_THREAD_OUTPUT)",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY log FROM '/etc/passwd'",
    f"WITH c AS (COPY shop_orders TO '{HERE}/leak.csv') SELECT 1",
    f"WITH c AS (COPY (SELECT 1) TO '{HERE}/shop.db' (USE_TMP_FILE false)) SELECT 1",
    f"SELECT (WITH c AS (COPY log TO '{HERE}/leak.csv') SELECT 1)",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM READ_JSON('/etc/passwd')",
    "SELECT * FROM parquet_scan('x.parquet')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_duckdb('other.db')",
    f"SELECT * FROM '{HERE}/shop.csv'",
    "SELECT * FROM 'https://example.com/x.csv'",
    'SELECT * FROM "/etc/passwd.csv"',
    "SELECT * FROM 'hidden.csv'",
    'WITH "x.csv" AS (SELECT * FROM "x.csv") SELECT * FROM "x.csv"',
    "WITH a AS (SELECT * FROM 'x.csv'), \"x.csv\" AS (SELECT 1) SELECT * FROM a",
    'SELECT * FROM \'x.csv\', (WITH "x.csv" AS (SELECT 1) SELECT * FROM "x.csv") s',
    "SUMMARIZE 'x.csv'",
    "DESCRIBE 'x.csv'",
    "SELECT * FROM a_python_frame",
    "SELECT * FROM nothing_like_it",
    "SELECT * FROM other.main.customers",
    "SELECT * FROM customers AT (VERSION => 1)",
    "SELECT * FROM query('DELETE FROM shop_orders')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('customers')",
    f"SELECT * FROM {SMUGGLED}",
    f"SELECT * FROM JSON_Execute_Serialized_SQL({tree_of(DELETES)})",
    f"SELECT * FROM system.main.{SMUGGLED}",
    "SELECT * FROM smuggles",
    "SELECT count(*) FROM customers WHERE id IN (SELECT 1 FROM smuggles)",
    "SELECT * FROM erase()",
    "SELECT * FROM loads('/etc/passwd')",
    "SELECT json_serialize_plan('SELECT 1')",
    "SELECT * FROM enable_logging()",
    f"SELECT * FROM enable_logging(storage = 'file', storage_path = '{HERE}/logs')",
    f"SELECT * FROM enable_profiling(save_location = '{HERE}/profile.json')",
    "SELECT * FROM disable_logging()",
    "SELECT * FROM truncate_duckdb_logs()",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM force_checkpoint()",
    "SELECT write_log('x')",
    "SELECT setseed(0.5)",
    "SELECT pg_sleep(60)",
    "SELECT sleep_ms(60000)",
    "SELECT getvariable('x')",
    "SELECT current_setting('s3_secret_access_key')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_logs",
    "SHOW memory_limit",
    "SHOW VARIABLES",
    "SELECT st_point(1, 2)",
    "SELECT '1.1.1.1'::INET",
    "SELECT no_such_function(1)",
    "PIVOT shop_orders ON customer USING sum(total)",
    "EXPLAIN DELETE FROM shop_orders",
    "EXPLAIN ANALYZE DELETE FROM shop_orders",
    "EXPLAIN (ANALYZE) DELETE FROM shop_orders",
    f"EXPLAIN ANALYZE {DELETES}",
    "EXPLAIN ANALYZE SELECT nextval('tickets')",
    "EXPLAIN ANALYZE SELECT * FROM takes",
    f"EXPLAIN ANALYZE SELECT * FROM {SMUGGLED}",
    "EXPLAIN SET memory_limit = '1TB'",
    f"EXPLAIN ANALYZE COPY log TO '{HERE}/leak.csv'",
    "INSERT INTO log SELECT content FROM read_text('/etc/passwd')",
    "INSERT INTO log SELECT * FROM '/etc/passwd.csv'",
    f"INSERT INTO log SELECT 'x' FROM {SMUGGLED}",
    "INSERT INTO log SELECT 'x' FROM smuggles",
    "INSERT INTO log SELECT write_log('x')",
    "UPDATE log SET what = (SELECT content FROM read_text('/etc/passwd'))",
    "DELETE FROM log WHERE what IN (SELECT content FROM read_text('/etc/passwd'))",
    "MERGE INTO log USING read_text('/etc/passwd') ON true WHEN MATCHED THEN DELETE",
    "MERGE INTO log USING '/etc/passwd.csv' ON true WHEN MATCHED THEN DELETE",
    "MERGE INTO log USING (SELECT 'äöüß€' AS é FROM smuggles) ON true WHEN MATCHED THEN DELETE",
    "CREATE TABLE \"ä€\" AS SELECT 'äöüßäöüßäöüß' AS é, * FROM read_text('/etc/passwd')",
    "MERGE INTO log USING smuggles ON true WHEN MATCHED THEN DELETE",
    "CREATE TABLE stolen AS SELECT * FROM read_text('/etc/passwd')",
    "CREATE TABLE stolen AS SELECT * FROM '/etc/passwd.csv'",
    f"CREATE TABLE stolen AS SELECT * FROM {SMUGGLED}",
    "CREATE TABLE stolen AS SELECT * FROM smuggles",
    "CREATE VIEW stolen AS SELECT * FROM read_text('/etc/passwd')",
    f"CREATE VIEW stolen AS SELECT * FROM {SMUGGLED}",
    "CREATE MACRO stolen() AS TABLE SELECT * FROM read_text('/etc/passwd')",
    "CREATE TEMP TABLE customers AS SELECT 1",
    "CREATE OR REPLACE TEMPORARY VIEW customers AS SELECT 1",
    "CREATE SECRET hidden (TYPE s3, KEY_ID 'x', SECRET 'y')",
    "CREATE PERSISTENT SECRET hidden (TYPE http, BEARER_TOKEN 'x')",
    "DROP SECRET hidden",
    "ALTER DATABASE shop RENAME TO other",
    "DELETE FROM nothing_like_it",
    "UPDATE shop_orders SET no_such_column = 1",
    "DROP TABLE nothing_like_it",
)

HOSTILE = ASKED + REFUSED

HONEST = (
    "SELECT 1",
    "select * from shop_orders",
    "FROM shop_orders",
    "TABLE customers",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT count(*) FROM main.shop_orders;",
    "SELECT * FROM shop.main.shop_orders -- all of them",
    '/* why not */ SELECT * FROM Shop_Orders WHERE "ID" < 3',
    "SELECT id FROM side.shop_orders",
    "SELECT * FROM side.near",
    "SELECT * FROM 'odd.csv'",
    "SELECT 'DELETE FROM shop_orders; DROP TABLE customers' AS words",
    "SELECT date_trunc('month', placed) AS month, sum(total) FROM shop_orders GROUP BY ALL",
    "SELECT strftime(placed, '%Y-%m') AS m, avg(total) FROM shop_orders GROUP BY m ORDER BY m",
    "SELECT extract(year FROM placed), date_diff('day', placed, current_date) FROM shop_orders",
    "SELECT placed AT TIME ZONE 'UTC', placed + INTERVAL 3 DAY, now() FROM shop_orders",
    "SELECT regexp_extract(name, '[0-9]+'), regexp_replace(name, 'n', 'm') FROM customers",
    "SELECT upper(name), name || '!', length(name), name.upper().lower() FROM customers",
    "SELECT name FROM customers WHERE name ILIKE 'N%' AND name NOT LIKE '%z' AND name ~ '.*'",
    "SELECT row_number() OVER (PARTITION BY customer ORDER BY placed DESC) FROM shop_orders",
    """SELECT lag(total, 1, 0) OVER w, rank() OVER w, first_value(total) OVER w FROM shop_orders
    WINDOW w AS (ORDER BY id ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)""",
    "SELECT * FROM shop_orders QUALIFY row_number() OVER (ORDER BY total) <= 3",
    "SELECT customer, count(*) FILTER (WHERE total > 5) FROM shop_orders GROUP BY CUBE (customer)",
    """SELECT grouping(customer), median(total), quantile_cont(total, 0.9) FROM shop_orders
    GROUP BY GROUPING SETS ((customer), ())""",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM shop_orders",
    "SELECT string_agg(name, '+' ORDER BY id), list(DISTINCT id), max_by(name, id) FROM customers",
    "SELECT histogram(customer), approx_count_distinct(id), stddev(total) FROM shop_orders",
    "SELECT profile.city, profile['age'], struct_extract(profile, 'age') FROM customers",
    "SELECT tags[1], tags[1:2], len(tags), unnest(tags), list_contains(tags, 'a') FROM shop_orders",
    "SELECT [x * 2 FOR x IN [1, 2, 3] IF x > 1], list_transform([1], lambda x: x + 1)",
    "SELECT detail->'k', detail->>'$.k', json_extract(detail, '$.k') FROM shop_orders",
    "SELECT map {'a': 1}['a'], {'x': 1}, (1, 2), [1, 2], row(1)",
    "SELECT CASE WHEN total > 3 THEN 'big' ELSE 'no' END, coalesce(note, '-') FROM shop_orders",
    "SELECT try_cast(note AS INT), id::TEXT, total::DECIMAL(9, 3), 'bad'::mood FROM shop_orders",
    "SELECT TRY(total / 0), nullif(id, 1), if(id > 3, 1, 2), greatest(1, 2) FROM shop_orders",
    "SELECT * EXCLUDE (tags) REPLACE (total + 1 AS total) RENAME (id AS n) FROM shop_orders",
    "SELECT COLUMNS('i.*'), COLUMNS(lambda c: c LIKE 'n%') FROM customers",
    "SELECT DISTINCT ON (customer) customer, total FROM shop_orders ORDER BY customer, total DESC",
    "SELECT * FROM shop_orders o JOIN customers c ON o.customer = c.id LEFT JOIN log ON true",
    "SELECT * FROM shop_orders SEMI JOIN customers USING (id)",
    "SELECT * FROM shop_orders ASOF JOIN customers ON shop_orders.id >= customers.id",
    "SELECT * FROM shop_orders POSITIONAL JOIN customers",
    "SELECT * FROM customers c, LATERAL (SELECT count(*) FROM shop_orders WHERE customer = c.id)",
    "SELECT * FROM customers WHERE id IN (SELECT customer FROM shop_orders) AND EXISTS (FROM log)",
    "SELECT * FROM customers WHERE id > ALL (SELECT customer FROM shop_orders)",
    "WITH big AS (SELECT * FROM shop_orders WHERE total > 20), few AS (FROM big LIMIT 3) FROM few",
    "WITH a AS MATERIALIZED (SELECT 1 AS n), b AS NOT MATERIALIZED (FROM a) SELECT * FROM a, b",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r",
    "WITH customers AS (SELECT 1 AS one) SELECT one FROM customers",
    "SELECT 1 UNION SELECT 2 INTERSECT SELECT 2 EXCEPT SELECT 3 ORDER BY 1 LIMIT 5 OFFSET 0",
    "SELECT id FROM customers UNION ALL BY NAME SELECT id FROM shop_orders",
    "SELECT * FROM range(5), generate_series(1, 3) g(i), unnest(['a']) u(x)",
    "SELECT generate_series(1, 3), range(2), random() < 2, hash(1), md5('x'), uuid() IS NULL",
    "SELECT * FROM shop_orders USING SAMPLE 10 ROWS",
    "SELECT * FROM shop_orders TABLESAMPLE RESERVOIR (20%) LIMIT 50%",
    "PIVOT shop_orders ON customer IN (1, 2) USING sum(total) GROUP BY note",
    "SELECT * FROM shop_orders PIVOT (sum(total) FOR customer IN (1, 2) GROUP BY note)",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME n VALUE v",
    "SELECT name COLLATE nocase FROM customers ORDER BY name COLLATE noaccent NULLS LAST",
    "SELECT * FROM totals JOIN over_totals ON customer = who",
    "SELECT twice(id), main.twice(2), side.quiet(1) FROM customers",
    "SELECT * FROM best(3)",
    "SELECT net, gross FROM priced",
    "DESCRIBE customers",
    "DESCRIBE SELECT * FROM totals",
    "SUMMARIZE shop_orders",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW customers",
    "SELECT * FROM (DESCRIBE customers)",
    "SELECT table_name FROM information_schema.tables",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_columns WHERE table_name = 'customers'",
    "SELECT name FROM sqlite_master",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM pragma_table_info('customers')",
    "EXPLAIN SELECT * FROM shop_orders",
    "EXPLAIN ANALYZE SELECT count(*) FROM shop_orders",
    "EXPLAIN (FORMAT json) SELECT 1",
    "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
    "SELECT\r\n\t1",
    "SELECT 'Grüße, 東京' AS città",
    "SELECT current_date, current_timestamp, current_user, version(), typeof(1)",
)
