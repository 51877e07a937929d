"""The analysis app as its agent meets it: what changes, and what does not."""

import hashlib

import pytest

from apps.analysis.agent import tidy_up
from apps.analysis.approvals import gated
from apps.analysis.shop import make_shop
from apps.analysis.warehouse import Warehouse
from core import Approve, Edit, MemoryStore, Reject, Rejected
from core.approvers.scripted import Scripted

pytestmark = pytest.mark.slow  # each makes a database of its own

DELETE = "DELETE FROM orders WHERE note = 'TEST'"
NARROWER = "DELETE FROM orders WHERE note = 'TEST' AND channel = 'web'"


@pytest.fixture
def warehouse(tmp_path):
    make_shop(tmp_path / "shop.duckdb", orders=300)
    return Warehouse(tmp_path / "shop.duckdb", reports=tmp_path / "reports")


def contents(warehouse):
    return hashlib.sha256(warehouse.path.read_bytes()).hexdigest()


def count(warehouse, where="note = 'TEST'"):
    return warehouse.query(f"SELECT count(*) AS n FROM orders WHERE {where}")


CHANGES = [
    DELETE,
    "UPDATE orders SET note = 'x'",
    "DROP TABLE orders",
    "CREATE TABLE t AS SELECT 1 AS x",
    "WITH d AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM d",
    "COPY orders TO 'orders.csv'",
    "ATTACH 'other.db'",
    "SET threads = 1",
]


@pytest.mark.parametrize("sql", CHANGES)
def test_nobody_answers_so_nothing_changes(warehouse, sql):
    """Without an answer an agent can look, but not touch."""
    before = contents(warehouse)
    with pytest.raises(PermissionError):
        gated(warehouse, Scripted()).query(sql)
    assert contents(warehouse) == before


def test_reading_asks_nobody(warehouse):
    """A question is answered at once."""
    nobody = Scripted()
    tools = gated(warehouse, nobody)
    assert "orders" in tools.schema()
    assert "(1 row)" in tools.query("SELECT count(*) FROM orders")
    assert nobody.requests == []


def test_an_approved_statement_changes_what_was_shown(warehouse):
    """The person sees the rows that will go, and those are the rows that go."""
    ana = Scripted(query=Approve(by="ana"))
    gated(warehouse, ana).query(DELETE)
    [request] = ana.requests
    assert request.preview.summary.startswith("orders: ")
    assert count(warehouse) == count(warehouse, "false")


def test_an_edited_statement_runs_as_edited(warehouse):
    """The person's statement is rehearsed and shown anew, runs, and the agent is told."""
    ana = Scripted(query=Edit(by="ana", arguments={"sql": NARROWER}))
    told = gated(warehouse, ana).query(DELETE)
    assert "channel = 'web'" in told
    assert count(warehouse, "note = 'TEST' AND channel = 'web'") == count(warehouse, "false")
    assert ana.requests[-1].revision == 1


def test_a_rejection_reaches_the_agent(warehouse):
    """Why not, and what instead, is in the message."""
    ana = Scripted(query=Reject(by="ana", reason="archive them first"))
    before = contents(warehouse)
    with pytest.raises(Rejected, match="archive them first"):
        gated(warehouse, ana).query(DELETE)
    assert contents(warehouse) == before


def test_the_agent_adapts(warehouse):
    """Told to archive first, it archives, asks again, and ends with a picture."""

    def ana(request):
        archived = "archived" in warehouse.schema()
        if request.arguments["sql"].startswith("CREATE TABLE") or archived:
            return Approve(by="ana")
        return Reject(by="ana", reason="archive these orders first")

    list(tidy_up(gated(warehouse, Scripted(query=ana), store=MemoryStore())))
    assert "archived_test_orders" in warehouse.schema()
    assert count(warehouse) == count(warehouse, "false")
    assert (warehouse.reports / "revenue.png").stat().st_size > 10_000


def test_undo_is_gated_and_brings_the_rows_back(warehouse):
    """Taking a change back is a change."""
    before = count(warehouse)
    tools = gated(warehouse, Scripted(query=Approve(by="ana")))
    tools.query(DELETE)
    with pytest.raises(PermissionError):
        tools.undo()
    gated(warehouse, Scripted(undo=Approve(by="ana"))).undo()
    assert count(warehouse) == before
