"""What the agent wants, and how it adapts; it cannot tell gated tools from plain ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol

REVENUE = """SELECT date_trunc('month', o.ordered_at)::DATE AS month,
       sum(i.quantity * i.unit_price)::DOUBLE AS revenue
FROM orders o JOIN order_items i ON i.order_id = o.id
GROUP BY month ORDER BY month"""
TEST_ORDERS = "note = 'TEST'"
DUPLICATES = """EXISTS (
    SELECT 1 FROM orders earlier
    WHERE earlier.customer_id = orders.customer_id AND earlier.id < orders.id
    AND orders.ordered_at - earlier.ordered_at <= INTERVAL 2 MINUTE)"""


class Tools(Protocol):
    """The tools as the agent knows them."""

    def schema(self) -> str: ...
    def query(self, sql: str, /) -> str: ...
    def chart(self, sql: str, kind: Literal["line"], path: str, /) -> str: ...


def tidy_up(tools: Tools) -> Iterator[str]:
    """Report revenue by month, remove test orders and duplicates, and draw the result.

    Yields one text per step, refusals included.
    """
    yield tools.schema()
    yield tools.query(f"{REVENUE} LIMIT 3")
    yield tools.query(f"SELECT count(*) AS test_orders FROM orders WHERE {TEST_ORDERS}")
    yield tools.query(f"SELECT count(*) AS duplicates FROM orders WHERE {DUPLICATES}")
    yield from remove(tools, TEST_ORDERS, "archived_test_orders")
    yield from remove(tools, DUPLICATES, "archived_duplicates")
    yield tools.chart(REVENUE, "line", "revenue.png")


def remove(tools: Tools, which: str, archive: str) -> Iterator[str]:
    """Delete some orders; told to archive them first, do that and try again."""
    delete = f"DELETE FROM orders WHERE {which}"
    try:
        yield tools.query(delete)
    except PermissionError as refusal:
        yield str(refusal)
        if "archive" not in str(refusal).lower():
            return
        yield from attempt(tools, f"CREATE TABLE {archive} AS SELECT * FROM orders WHERE {which}")
        yield from attempt(tools, delete)


def attempt(tools: Tools, sql: str) -> Iterator[str]:
    """Try one statement; a refusal is news, not the end."""
    try:
        yield tools.query(sql)
    except PermissionError as refusal:
        yield str(refusal)
