"""The shop to practise on: the same every time, believable, and with something to clean up."""

import duckdb
import pytest

from apps.analysis import shop
from apps.analysis.errors import AnalysisError, Stopped
from apps.analysis.shop import make_shop

TABLES = ["customers", "products", "orders", "order_items", "refunds"]


def rows(path, sql):
    """What a plain connection reads from the file."""
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()


def everything(path):
    """Every row of every table, in the order of the file."""
    return {table: rows(path, f"FROM {table}") for table in TABLES}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A shop of 20,000 orders that tests only read."""
    path = tmp_path_factory.mktemp("shop") / "shop.duckdb"
    make_shop(path, orders=20_000)
    return path


def test_the_same_seed_makes_the_same_shop(tmp_path):
    """Orders and seed decide every row; another seed makes another shop."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_shop(tmp_path / name, orders=500, seed=seed)
    assert everything(tmp_path / "a") == everything(tmp_path / "b")
    assert everything(tmp_path / "a") != everything(tmp_path / "c")


def test_chunks_leave_no_seam(tmp_path, monkeypatch):
    """A large shop is made in pieces, and no row depends on where they are cut."""
    make_shop(tmp_path / "whole", orders=1_000)
    monkeypatch.setattr(shop, "_CHUNK", 137)
    make_shop(tmp_path / "pieces", orders=1_000)
    assert everything(tmp_path / "whole") == everything(tmp_path / "pieces")


def test_the_number_of_orders_is_the_one_asked_for(made):
    """Ids count from 1 without a gap, and each order has at least one item."""
    assert rows(made, "SELECT count(*), min(id), max(id), count(DISTINCT id) FROM orders") == [
        (20_000, 1, 20_000, 20_000)
    ]
    assert rows(made, "SELECT count(DISTINCT order_id) FROM order_items") == [(20_000,)]


@pytest.mark.parametrize(
    ("table", "column", "other"),
    [
        ("orders", "customer_id", "customers"),
        ("order_items", "order_id", "orders"),
        ("order_items", "product_id", "products"),
        ("refunds", "order_id", "orders"),
    ],
)
def test_every_key_leads_somewhere(made, table, column, other):
    """No order without its customer, no item without its order and product."""
    assert rows(made, f"FROM {table} WHERE {column} NOT IN (SELECT id FROM {other})") == []
    assert rows(made, f"SELECT count(*) = count(DISTINCT id) FROM {other}") == [(True,)]


def test_nobody_orders_before_joining_or_is_refunded_before_ordering(made):
    """Time runs forward, and no refund is larger than its order."""
    assert (
        rows(made, "FROM orders JOIN customers c ON c.id = customer_id WHERE ordered_at < joined")
        == []
    )
    assert (
        rows(
            made, "FROM refunds r JOIN orders o ON o.id = order_id WHERE refunded_at <= ordered_at"
        )
        == []
    )
    assert (
        rows(
            made,
            "SELECT 1 FROM refunds JOIN order_items USING (order_id) GROUP BY refunds.id, amount "
            "HAVING amount > sum(quantity * unit_price) OR amount <= 0",
        )
        == []
    )


def test_test_orders_are_recognisable(made):
    """An order says TEST exactly when its customer has a mail at example.test."""
    counts = dict(
        rows(
            made,
            "SELECT (o.note IS NOT DISTINCT FROM 'TEST', c.email LIKE '%@example.test'), count(*) "
            "FROM orders o JOIN customers c ON c.id = customer_id GROUP BY 1",
        )
    )
    assert set(counts) == {(True, True), (False, False)}
    assert 20 <= counts[(True, True)] <= 400


def test_duplicates_are_recognisable(made):
    """Some orders repeat the one before: same customer, same items, within two minutes."""
    found = rows(
        made,
        "WITH baskets AS (SELECT o.id, customer_id, ordered_at, "
        "list((product_id, quantity, unit_price) ORDER BY line) AS items "
        "FROM orders o JOIN order_items i ON i.order_id = o.id GROUP BY ALL) "
        "SELECT b.id FROM baskets a JOIN baskets b ON b.id = a.id + 1 "
        "AND a.customer_id = b.customer_id AND a.items = b.items "
        "AND b.ordered_at - a.ordered_at BETWEEN INTERVAL 1 SECOND AND INTERVAL 2 MINUTE",
    )
    assert 100 <= len(found) <= 250
    # Order 13 is one in every shop, so that the smallest has a duplicate too.
    assert (13,) in found


def test_the_year_has_seasons(made):
    """December beats July by far, and the second year the first."""
    by_month = dict(
        rows(
            made,
            "SELECT (year(ordered_at), month(ordered_at)), sum(quantity * unit_price) FROM orders "
            "JOIN order_items ON order_id = orders.id GROUP BY 1",
        )
    )
    assert len(by_month) == 24
    for year in (2024, 2025):
        assert by_month[(year, 12)] > by_month[(year, 7)] * 3 / 2
    assert sum(by_month[(2025, month)] for month in range(1, 13)) > sum(
        by_month[(2024, month)] for month in range(1, 13)
    )


def test_chances_do_not_hang_together(made):
    """Who buys says nothing about how much is bought: each column has dice of its own."""
    ((correlation,),) = rows(
        made,
        "SELECT corr(customer_id, lines) FROM orders JOIN "
        "(SELECT order_id, count(*) AS lines FROM order_items GROUP BY 1) ON order_id = id",
    )
    assert abs(correlation) < 0.05


def test_an_existing_file_is_never_overwritten(tmp_path):
    """Whatever has the name already stays as it was."""
    path = tmp_path / "shop.duckdb"
    path.write_text("mine")
    with pytest.raises(AnalysisError, match="exists already"):
        make_shop(path, orders=10)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_shop_that_fails_leaves_nothing(tmp_path):
    """Stopped halfway, bad numbers, no folder: no half-made file under any name."""

    def stop(done, _all):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(Stopped):
        make_shop(tmp_path / "shop.duckdb", orders=100, progress=stop)
    with pytest.raises(AnalysisError, match="from 1 to"):
        make_shop(tmp_path / "shop.duckdb", orders=0)
    with pytest.raises(AnalysisError, match="no folder"):
        make_shop(tmp_path / "nowhere" / "shop.duckdb", orders=10)
    assert list(tmp_path.iterdir()) == []


def test_progress_reaches_the_end(tmp_path, monkeypatch):
    """Whoever draws a bar hears of each chunk and of the last order."""
    monkeypatch.setattr(shop, "_CHUNK", 40)
    seen = []
    make_shop(
        tmp_path / "shop", orders=100, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(0, 100), (40, 100), (80, 100), (100, 100)]


@pytest.mark.parametrize("orders", [1, 2, 20])
def test_a_tiny_shop_is_a_shop(tmp_path, orders):
    """The smallest shops have every table and every order."""
    make_shop(tmp_path / "shop", orders=orders)
    assert {
        name for (name,) in rows(tmp_path / "shop", "SELECT table_name FROM duckdb_tables()")
    } == set(TABLES)
    assert rows(tmp_path / "shop", "SELECT count(*) FROM orders") == [(orders,)]
