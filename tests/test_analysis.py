"""The analysis app as its agent meets it: what changes, what does not, and who was asked."""

import re
import shutil
import threading
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from people import Silent

from apps.analysis import agent, approvals
from apps.analysis.agent import Says, Sees, tidy_up
from apps.analysis.ana import RETURNED, Ana, No, Rather, Yes
from apps.analysis.approvals import gated, shown
from apps.analysis.looking import Looks, Plan
from apps.analysis.shop import make_shop
from apps.analysis.statements import Read, Refuse
from apps.analysis.warehouse import Warehouse
from core import (
    ActionChanged,
    Approve,
    Edit,
    MemoryStore,
    NotAnswered,
    Reject,
    Rejected,
    Risk,
    State,
)
from core.approvers.deadline import Deadline
from core.approvers.scripted import Scripted
from core.policies.environment import Environment

pytestmark = pytest.mark.slow  # DuckDB takes a tenth of a second to judge a statement
pytest_plugins = ["tests.tpch"]

DELETE = "DELETE FROM orders WHERE note = 'TEST'"
NARROWER = "DELETE FROM orders WHERE note = 'TEST' AND channel = 'web'"
YES = Approve(by="ana")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small shop, made once."""
    path = tmp_path_factory.mktemp("made") / "shop.duckdb"
    make_shop(path, orders=300)
    return path


@pytest.fixture
def warehouse(made, tmp_path):
    """A copy of the shop for one test."""
    path = shutil.copyfile(made, tmp_path / "shop.duckdb")
    return Warehouse(path, reports=tmp_path / "reports", patience=0.3)


def everything(warehouse):
    """Every file there is, byte by byte."""
    folder = warehouse.path.parent
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(warehouse, sql):
    """What a plain connection reads from the file."""
    with duckdb.connect(str(warehouse.path), read_only=True) as con:
        return con.execute(sql).fetchall()


def count(warehouse, where="note = 'TEST'"):
    """How many orders there are of a kind."""
    return rows(warehouse, f"SELECT count(*) FROM orders WHERE {where}")[0][0]


def change(warehouse, sql):
    """Be another program that changes the file."""
    with duckdb.connect(str(warehouse.path)) as con:
        con.execute(sql)


# Who decides


def promised():
    """The table in the docstring: tool, risk, and the words before the colon."""
    found, tool = [], ""
    for line in approvals.__doc__.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] != "tool" and "---" not in cells[0]:
            tool = cells[0].strip("`") or tool
            found.append((tool, cells[1], cells[2].partition(":")[0]))
    return found


TRIALS = {
    ("query", "LOW", "policy approves"): [
        "SELECT count(*) FROM orders",
        "EXPLAIN SELECT count(*) FROM orders",
    ],
    ("query", "HIGH", "policy rejects"): [
        "SET threads = 1",
        "COPY orders TO 'orders.csv'",
        "ATTACH 'other.db'",
        "SELECT 1; SELECT 2",
        "DELETE FROM",
        "DELETE FROM nothing",
        "UPDATE orders SET id = 'x'",
        "CREATE TABLE orders (id INTEGER)",
    ],
    ("query", "HIGH", "a person"): [
        DELETE,
        "UPDATE orders SET note = 'x'",
        "CREATE TABLE t AS SELECT 1 AS x",
        "WITH d AS (DELETE FROM orders WHERE id = 1 RETURNING *) SELECT count(*) FROM d",
    ],
    ("query", "CRITICAL", "a person"): [
        "DELETE FROM orders",
        "TRUNCATE refunds",
        "DROP TABLE refunds",
        "ALTER TABLE orders DROP COLUMN note",
        "CREATE OR REPLACE TABLE refunds AS SELECT 1 AS id",
        "WITH d AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM d",
    ],
    ("chart", "LOW", "policy approves"): [("SELECT 1 AS a, 2 AS b", "bar", "a.png")],
    ("chart", "LOW", "policy rejects"): [(DELETE, "bar", "a.png"), ("SET x = 1", "bar", "a.png")],
    ("export", "LOW", "policy approves"): [("SELECT 1 AS a", "a.csv")],
    ("export", "LOW", "policy rejects"): [(DELETE, "a.csv"), ("COPY orders TO 'x'", "a.csv")],
    ("undo", "HIGH", "policy rejects"): [()],
    ("undo", "HIGH", "a person"): [()],
    ("schema", "-", "nobody"): [()],
}


def test_the_table_names_all_there_is():
    """Every row of the table is tried below, and nothing else."""
    assert sorted(promised()) == sorted(TRIALS)


@pytest.mark.parametrize(
    ("row", "words"), [(row, words) for row, trials in TRIALS.items() for words in trials], ids=str
)
def test_the_table_tells_the_truth(warehouse, row, words):
    """Tool by tool: the risk on record, and whether policy, a person or nobody decided."""
    tool, risk, who = row
    if row == ("undo", "HIGH", "a person"):
        warehouse.query("DELETE FROM orders WHERE id = 1")
    before = everything(warehouse)
    nobody, store = Scripted(), MemoryStore()
    tools = gated(warehouse, nobody, store=store)
    with suppress(Rejected):
        getattr(tools, tool)(*([words] if isinstance(words, str) else words))
    decided = [stored.decision for stored in store.search()]
    risks = [stored.request.risk.name for stored in store.search()]
    assert risks == ([] if risk == "-" else [risk])
    assert len(nobody.requests) == (who == "a person")
    if who.startswith("policy"):
        assert [(type(one).__name__.lower() + "s", one.by) for one in decided] == [
            (who.removeprefix("policy "), "policy")
        ]
    if "approves" not in who:
        assert everything(warehouse) == before


def test_the_readme_shows_the_same_table():
    """The table in the README is the one in the code."""
    text = Path(approvals.__file__).with_name("README.md").read_text("utf-8")
    table = [line for line in approvals.__doc__.splitlines() if line.startswith("|")]
    assert "\n".join(table) in text


def test_nobody_answers_so_nothing_changes(warehouse):
    """Silence leaves every byte, and is told as silence."""
    before = everything(warehouse)
    silent = Deadline(Silent(), seconds=0.05)
    with pytest.raises(NotAnswered, match="nobody answered"):
        gated(warehouse, silent).query(DELETE)
    assert everything(warehouse) == before


def test_a_rehearsal_that_was_rejected_leaves_no_trace(warehouse):
    """Sequences stand where they stood, no file came or went, and not a byte differs."""
    change(warehouse, "CREATE SEQUENCE numbers; CREATE TABLE n AS SELECT 1 AS x WHERE false")
    before = everything(warehouse)
    said = []

    def ana(request):
        said.extend(request.preview.warnings)
        return Reject(by="ana", reason="no")

    tools = gated(warehouse, Scripted(query=ana))
    for sql in (
        "INSERT INTO n SELECT nextval('numbers') FROM range(5)",
        "CREATE TABLE big AS SELECT range AS x FROM range(500000)",
        "DROP TABLE order_items",
    ):
        with pytest.raises(Rejected):
            tools.query(sql)
    assert everything(warehouse) == before
    assert any("sequence numbers" in warning for warning in said)
    change(warehouse, "CREATE TABLE first AS SELECT nextval('numbers') AS x")
    assert rows(warehouse, "FROM first") == [(1,)]


# What is shown


def preview(warehouse, sql):
    """What a person would be shown."""
    look = Looks(warehouse.careful()).at(sql)
    assert isinstance(look, Plan)
    return shown(look.rehearsal)


def test_the_preview_says_how_many_of_how_many(warehouse):
    """Tables touched, rows changed out of how many, and that there is a way back."""
    found = preview(warehouse, DELETE)
    tests = count(warehouse)
    assert 0 < tests < 300
    assert dict(found.facts) == {
        "rows of orders": f"{tests} of 300 change, {300 - tests} stay as they are",
        "way back": "the file is copied first, and undo brings it back",
    }
    assert found.summary == f"orders: {tests} deleted (of 300 rows)"


def test_the_preview_shows_rows_before_and_after(warehouse):
    """Five of the rows as they are and as they would be, of how many the title says."""
    found = preview(warehouse, "UPDATE orders SET note = 'x' WHERE id <= 10")
    before, after = found.tables
    assert before.title == "orders before (5 of 10 changed rows)"
    assert after.title == "orders after (5 of 10 changed rows)"
    assert before.columns == after.columns
    place = before.columns.index("note")
    assert [row[0] for row in before.rows] == [row[0] for row in after.rows] == list("12345")
    assert {row[place] for row in after.rows} == {"x"} != {row[place] for row in before.rows}


def test_the_preview_warns(warehouse):
    """No WHERE, a whole table, another table than the one named: each is pointed out."""
    change(
        warehouse,
        "CREATE TRIGGER tell AFTER DELETE ON orders FOR EACH ROW "
        "DELETE FROM refunds WHERE order_id = OLD.id",
    )
    warnings = preview(warehouse, "DELETE FROM orders").warnings
    for part in ("no WHERE", "all 300 rows of orders", "refunds, which", "trigger tell"):
        assert any(part in warning for warning in warnings), part


def test_a_long_value_is_cut_and_says_so(warehouse):
    """A sample stays readable whatever is in the rows, and nothing is cut silently."""
    (after,) = preview(warehouse, "CREATE TABLE t AS SELECT repeat('x', 5000) AS x").tables
    assert after.rows == (("x" * approvals.LONGEST_CELL + "… (5,000 characters)",),)


# What runs


def test_an_approved_statement_changes_what_was_shown(warehouse):
    """The person sees the rows that will go, and those are the rows that go."""
    ana = Scripted(query=YES)
    told = gated(warehouse, ana).query(DELETE)
    [request] = ana.requests
    assert request.preview.summary in told
    assert (count(warehouse), count(warehouse, "true")) == (0, 300 - int(told.split()[2]))


def test_an_edited_statement_runs_as_edited(warehouse):
    """The person's statement is rehearsed and shown anew, runs, and the agent is told."""
    others = count(warehouse, "note = 'TEST' AND channel <> 'web'")
    ana = Scripted(
        query=lambda request: (
            YES if request.revision else Edit(by="ana", arguments={"sql": NARROWER})
        )
    )
    told = gated(warehouse, ana).query(DELETE)
    assert "as edited by ana" in told and "channel = 'web'" in told
    assert count(warehouse) == others
    assert [request.revision for request in ana.requests] == [0, 1]
    assert ana.requests[0].preview != ana.requests[1].preview


@pytest.mark.parametrize("sql", ["SET threads = 1", "DELETE FROM nothing", "DELETE FROM"])
def test_an_edit_into_what_is_refused_comes_back_to_the_person(warehouse, sql):
    """What an agent may not send, an edit may not make of it; the agent's statement stands."""
    before = count(warehouse)
    answers = [Edit(by="ana", arguments={"sql": sql}), Reject(by="ana", reason="no, then")]
    ana = Scripted(query=lambda request: answers.pop(0))
    with pytest.raises(Rejected, match="no, then"):
        gated(warehouse, ana).query(DELETE)
    assert ana.requests[-1].problem and ana.requests[-1].arguments == {"sql": DELETE}
    assert count(warehouse) == before


def test_a_rejection_reaches_the_agent(warehouse):
    """Why not, and what instead, is in the message; not a byte differs."""
    ana = Scripted(query=Reject(by="ana", reason="archive them first"))
    before = everything(warehouse)
    with pytest.raises(Rejected, match="archive them first"):
        gated(warehouse, ana).query(DELETE)
    assert everything(warehouse) == before


def test_other_rows_than_shown_are_refused_with_the_difference(warehouse):
    """While the person thinks, another program changes the file: nothing of this runs."""
    tests = count(warehouse)

    def ana(request):
        change(warehouse, "UPDATE orders SET note = 'TEST' WHERE id % 7 = 0")
        return YES

    with pytest.raises(ActionChanged, match=f"{tests} deleted .* -> .* deleted"):
        gated(warehouse, Scripted(query=ana)).query(DELETE)
    assert count(warehouse) > tests
    assert count(warehouse, "true") == 300


def test_what_a_sample_happens_to_show_does_not_stop_the_change(warehouse):
    """Rows without an order may be sampled otherwise each time; what was shown stays shown."""
    ana = Scripted(query=YES)
    sql = "CREATE TABLE lucky AS SELECT id, random() AS luck FROM orders"
    assert "300 inserted" in gated(warehouse, ana).query(sql)


def test_every_approved_change_can_be_taken_back_and_that_is_gated(warehouse):
    """Taking a change back is a change: nobody answers, nothing happens; ana does, rows return."""
    before = rows(warehouse, "FROM orders ORDER BY id")
    gated(warehouse, Scripted(query=YES)).query(DELETE)
    without = everything(warehouse)
    with pytest.raises(Rejected):
        gated(warehouse, Scripted()).undo()
    assert everything(warehouse) == without
    ana = Scripted(undo=YES)
    gated(warehouse, ana).undo()
    assert rows(warehouse, "FROM orders ORDER BY id") == before
    [request] = ana.requests
    assert dict(request.preview.facts)["statement"] == DELETE


def test_another_change_meanwhile_is_not_taken_back(warehouse):
    """The person agreed to take back one change; the one that came after it stays."""
    warehouse.query("DELETE FROM orders WHERE id = 1")

    def ana(request):
        warehouse.query("DELETE FROM orders WHERE id = 2")
        return YES

    with pytest.raises(ActionChanged):
        gated(warehouse, Scripted(undo=ana)).undo()
    assert count(warehouse, "id <= 2") == 0


def test_reports_are_new_files_and_replace_nothing(warehouse):
    """An export of a taken name fails, says so, and the first file stays as it is."""
    nobody = Scripted()
    tools = gated(warehouse, nobody)
    tools.export("SELECT 1 AS a", "a.csv")
    for path in ("a.csv", "../a.csv", "shop.duckdb"):
        with pytest.raises(PermissionError):
            tools.export("SELECT 2 AS a", path)
    assert (warehouse.reports / "a.csv").read_text() == "a\n1\n"
    assert [file.name for file in warehouse.reports.iterdir()] == ["a.csv"]
    assert nobody.requests == []


def test_a_locked_file_is_told_in_one_sentence_and_asked_of_nobody(warehouse):
    """The agent learns who must let go; the wait is not repeated for every rule."""
    nobody = Scripted()
    tools = gated(warehouse, nobody)
    with (
        duckdb.connect(str(warehouse.path)),
        pytest.raises(Rejected, match="in use by another program"),
    ):
        tools.query(DELETE)
    assert nobody.requests == []


@pytest.mark.parametrize(
    ("mode", "environment", "left"),
    [("free", "development", 0), ("free", "production", None), ("closed", "development", None)],
)
def test_gates_are_switched_by_environment(warehouse, mode, environment, left):
    """Free in development runs unasked, rehearsed and on record; production is never free."""
    before = count(warehouse)
    switch = Environment.from_env({f"GATE_{environment.upper()}": mode})
    store = MemoryStore()
    tools = gated(warehouse, Scripted(), store=store, policies=[switch], environment=environment)
    try:
        tools.query(DELETE)
        tools.undo()
        tools.query(DELETE)
    except Rejected:
        assert left is None
    assert count(warehouse) == (before if left is None else left)
    assert len(store.search()) == (3 if left == 0 else 1)


def test_the_22_questions_of_tpch_are_asked_of_nobody(tpch, tmp_path):
    """Through the gated tools, each is answered at once and recorded as a read."""
    nobody, store = Scripted(), MemoryStore()
    tools = gated(Warehouse(tpch.path, reports=tmp_path), nobody, store=store)
    for sql in tpch.queries:
        assert tools.query(sql).endswith(("rows)", "row)", "there are more)"))
    assert nobody.requests == []
    recorded = store.search()
    assert len(recorded) == 22
    assert {stored.state for stored in recorded} == {State.SUCCEEDED}
    assert {stored.decision.by for stored in recorded} == {"policy"}


# Looking once


class Counted(Warehouse):
    """Counts what it is asked to find out."""

    def __init__(self, *words, **options):
        self.rehearsals = []
        super().__init__(*words, **options)

    def rehearse(self, sql, **options):
        self.rehearsals.append(sql)
        return super().rehearse(sql, **options)


def test_a_statement_is_rehearsed_once_however_many_look(warehouse):
    """Rules, risk, preview and the look before the start share one rehearsal."""
    counted = Counted(warehouse.path, reports=warehouse.reports)
    gated(counted, Scripted(query=YES)).query(DELETE)
    assert counted.rehearsals == [DELETE]


def test_a_changed_file_is_looked_at_anew(warehouse):
    """What was seen holds until somebody writes to the database, and no longer."""
    looks = Looks(warehouse.careful())
    first = looks.at(DELETE)
    assert looks.at(DELETE) is first
    change(warehouse, "DELETE FROM orders WHERE id = 300")
    second = looks.at(DELETE)
    assert second is not first and second.rehearsal.tables[0].of == 299


def test_trouble_is_forgotten_soon(warehouse):
    """A file that was locked is tried again a moment later, though nothing in it has changed."""
    now = [0.0]
    looks = Looks(warehouse.careful(), clock=lambda: now[0])
    with duckdb.connect(str(warehouse.path)):
        assert isinstance(looks.at(DELETE), Refuse)
    assert isinstance(looks.at(DELETE), Refuse)
    now[0] = 2.0
    assert isinstance(looks.at(DELETE), Plan)


class Stale(Looks):
    """Never notices that the database has changed."""

    def _state(self):
        return "always the same"


@pytest.fixture
def stale(monkeypatch):
    """Wire gates that remember for ever."""
    monkeypatch.setattr(approvals, "Looks", Stale)


def test_a_stale_plan_runs_nothing_else_than_was_shown(warehouse, stale):
    """The memory says nine rows and the file says more: rolled back, with the difference."""

    def ana(request):
        change(warehouse, "UPDATE orders SET note = 'TEST' WHERE id % 7 = 0")
        return YES

    with pytest.raises(Exception, match=r"now orders: .* shown orders: "):
        gated(warehouse, Scripted(query=ana)).query(DELETE)
    assert count(warehouse, "true") == 300


def test_a_stale_read_does_not_let_a_change_through(warehouse, stale, monkeypatch):
    """Taken for a read, even one that somebody has seen and rejected before, it changes nothing."""
    taken_for = {}
    looked = Stale._looked

    def wrongly(self, sql):
        memory = looked(self, sql)
        found = taken_for.get(sql, memory.look)
        return type(memory)(state=memory.state, until=memory.until, look=found)

    monkeypatch.setattr(Stale, "_looked", wrongly)
    tools = gated(warehouse, Scripted())
    with pytest.raises(Rejected):
        tools.query(DELETE)
    taken_for[DELETE] = Read(DELETE, frozenset({"orders"}))
    before = everything(warehouse)
    again = gated(warehouse, Scripted())
    with pytest.raises(Exception, match="Nobody has seen"):
        again.query(DELETE)
    with pytest.raises(PermissionError):
        again.export(DELETE, "a.csv")
    assert everything(warehouse) == before


def test_a_stale_read_forgets_what_was_shown(warehouse):
    """One memory, first a plan and then a read: the rejected rehearsal does not serve it."""
    careful = warehouse.careful()
    looks = Stale(careful)
    assert isinstance(looks.at(DELETE), Plan)
    looks._memories[DELETE] = type(looks._memories[DELETE])(
        state="always the same", until=float("inf"), look=Read(DELETE, frozenset())
    )
    assert isinstance(looks.at(DELETE), Read)
    with pytest.raises(Exception, match="Nobody has seen"):
        careful.query(DELETE)
    assert count(warehouse, "true") == 300


def test_a_stale_refusal_only_refuses(warehouse, stale):
    """A table that came meanwhile is not seen; nothing runs."""
    tools = gated(warehouse, Scripted(query=YES))
    for meanwhile in ("SELECT 1", "CREATE TABLE later AS SELECT 1 AS x"):
        change(warehouse, meanwhile)
        with pytest.raises(Rejected, match="later"):
            tools.query("DELETE FROM later")
    assert rows(warehouse, "FROM later") == [(1,)]


# The agent


class Plain:
    """Tools without a gate, that answer deletions as they were told to."""

    def __init__(self, warehouse, *words):
        self.schema, self.chart = warehouse.schema, warehouse.chart
        self._query, self._words, self.sent = warehouse.query, list(words), []

    def query(self, sql):
        if sql.startswith("SELECT"):
            return self._query(sql)
        self.sent.append(sql)
        word = self._words.pop(0) if self._words else None
        if isinstance(word, Exception):
            raise word
        return f"{self._query(sql)}\n{word or ''}"


def told(steps):
    """What the agent said itself."""
    return " ".join(step.text for step in steps if isinstance(step, Says))


def test_without_a_no_the_agent_just_deletes(warehouse):
    """It cannot tell that there is no gate: two statements, and a picture."""
    tools = Plain(warehouse)
    list(tidy_up(tools))
    assert [sql.split()[0] for sql in tools.sent] == ["DELETE", "DELETE"]
    assert (warehouse.reports / "revenue.png").stat().st_size > 10_000


def test_told_to_archive_it_archives_and_remembers(warehouse):
    """The second kind of orders is archived without being told again."""
    tools = Plain(warehouse, PermissionError("no: archive them first"))
    list(tidy_up(tools))
    assert [sql.split()[0] for sql in tools.sent] == "DELETE CREATE DELETE CREATE DELETE".split()


def test_told_no_it_leaves_the_orders_alone(warehouse):
    """A no without an alternative is not argued with; the other orders are asked about."""
    before = count(warehouse)
    tools = Plain(warehouse, PermissionError("no: they are somebody's"))
    words = told(tidy_up(tools))
    assert "That is a no, so I leave the test orders alone." in words
    assert count(warehouse) == before
    assert len(tools.sent) == 2


def test_told_no_after_the_archive_it_stops_there(warehouse):
    """The archive stays, the orders stay, and the same statement is not sent again."""
    no = PermissionError("no: archive them first")
    tools = Plain(warehouse, no, None, PermissionError("not today"))
    words = told(tidy_up(tools))
    assert "leave the test orders alone" in words
    assert tools.sent.count(DELETE) == 2


def test_silence_is_not_taken_for_a_no(warehouse):
    """Nobody answered: it says so, leaves all alone, asks no more, and still draws."""
    before = everything(warehouse)
    steps = list(tidy_up(gated(warehouse, Deadline(Silent(), seconds=0.05))))
    words = told(steps)
    assert "Nobody is there" in words and "That is a no" not in words
    (picture,) = everything(warehouse).keys() - before.keys()
    assert picture.name == "revenue.png"
    assert sum(isinstance(step, Sees) and step.is_refusal for step in steps) == 1


def test_a_failing_statement_is_news_and_not_the_end(warehouse):
    """The archive is there already: the agent says so and goes on to the picture."""
    warehouse.query("CREATE TABLE archived_test_orders AS SELECT 1 AS x")
    steps = list(tidy_up(gated(warehouse, Scripted(query=ana_decides(Ana())))))
    assert any("already exists" in step.text for step in steps)
    assert (warehouse.reports / "revenue.png").exists()


def ana_decides(ana):
    """Turn the word of the person of the story into a decision."""

    def decide(request):
        match ana.word_on(request.arguments["sql"]):
            case Yes():
                return YES
            case No(words=words):
                return Reject(by="ana", reason=words)
            case Rather(sql=sql):
                return Edit(by="ana", arguments={"sql": sql})

    return decide


def test_the_whole_story(warehouse):
    """Archived, deleted as approved, narrowed by a person, noticed by the agent, and drawn."""
    tests = count(warehouse)
    doubles = rows(warehouse, f"SELECT id, status FROM orders WHERE {agent.DUPLICATES}")
    steps = list(tidy_up(gated(warehouse, Scripted(query=ana_decides(Ana())))))
    assert rows(warehouse, "SELECT count(*) FROM archived_test_orders") == [(tests,)]
    assert rows(warehouse, "SELECT count(*) FROM archived_duplicates") == [(len(doubles),)]
    assert count(warehouse) == 0
    assert count(warehouse, f"{agent.DUPLICATES} AND {RETURNED}") == 0
    words = told(steps)
    assert "An archive first" in words and "Somebody changed my statement" in words
    assert steps[-1].text.startswith("Drew 24 rows")


def test_done_twice_it_finds_nothing_and_takes_another_name(warehouse):
    """Orders that are gone are not asked about again; the first picture is not replaced."""
    list(tidy_up(Plain(warehouse)))
    first = (warehouse.reports / "revenue.png").read_bytes()
    again = Plain(warehouse)
    words = told(tidy_up(again))
    assert again.sent == [] and "No test orders." in words
    assert (warehouse.reports / "revenue.png").read_bytes() == first
    assert (warehouse.reports / "revenue-2.png").exists()


def test_another_database_is_left_to_others(tmp_path):
    """The script knows one shop, and says so elsewhere instead of failing."""
    with duckdb.connect(str(tmp_path / "other.duckdb")) as con:
        con.execute("CREATE TABLE t AS SELECT 1 AS x")
    other = Warehouse(tmp_path / "other.duckdb", reports=tmp_path / "reports")
    assert "not the shop" in told(tidy_up(gated(other, Scripted())))


def test_a_live_agent_is_told_how_to_take_a_no():
    """The instructions name every tool it gets, rejection, silence and edits."""
    for word in ("schema()", "query(sql)", "rejected", "nobody answered", "edited"):
        assert word in agent.INSTRUCTIONS.lower()


def test_two_calls_at_once_are_both_right(warehouse):
    """Two threads with two approved statements: each changes what it was shown, or says why not."""
    tools = gated(warehouse, Scripted(query=YES))
    told, statements = [], [f"DELETE FROM orders WHERE id = {number}" for number in (1, 2)]

    def work(sql):
        try:
            told.append(tools.query(sql))
        except Exception as error:
            told.append(str(error))

    threads = [threading.Thread(target=work, args=(sql,)) for sql in statements]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = sum("1 deleted" in text and text.startswith("Done.") for text in told)
    assert count(warehouse, "id <= 2") == 2 - done
    assert all(re.search(r"Done|changed", text) for text in told)


def test_risk_is_never_lowered_by_a_refusal(warehouse):
    """What nobody understands counts as HIGH."""
    statements = approvals.Statements(Looks(warehouse.careful()))
    assert statements.risk("DELETE FROM") is Risk.HIGH
