"""The three apps under Agentica: their real gated tools, and agents that write code on them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from agentica_server import serving
from people import Says, Silent
from shipping import copied, live, made, project_of
from support_desk import address, set_up

from apps.analysis.approvals import gated as gated_analysis
from apps.analysis.shop import make_shop
from apps.analysis.warehouse import Warehouse
from apps.deploy.approvals import gated as gated_deploy
from apps.support.approvals import gated as gated_support
from apps.support.opening import opened
from core import Approve, Batch, Edit, MemoryStore, Reject
from core.approvers.deadline import Deadline
from core.runners.agentica import Conversation

YES, BO = Approve(by="ana"), Approve(by="bo")
NOBODY_SOON = 0.2


@pytest.fixture
def server(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("S_M_BASE_URL", server.url)
        yield server


def nobody():
    """Nobody is there."""
    return Deadline(Silent(), seconds=NOBODY_SOON)


def ask(*functions):
    """Put one question to an agent with these functions."""
    with Conversation(functions) as talk:
        return talk.ask("Do what you are there for.")


# Deploy


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A shop with v1.2 over v1.0 in production; v1.0, v1.3 and v1.2 were healthy in staging."""
    config = made(tmp_path_factory.mktemp("begun"))
    with project_of(config) as project:
        for ref, name in (
            *(("v1.0", "development"), ("v1.0", "staging"), ("v1.0", "production")),
            *(("v1.2", "staging"), ("v1.2", "production"), ("v1.3", "staging")),
        ):
            project.deploy(ref, name)
    return config


class Pipeline:
    """The release pipeline and its gated tools, with people who say one word after another."""

    def __init__(self, config, project):
        self.config, self.project, self.store = config, project, MemoryStore()

    def tools(self, people):
        """Yes is the word of ana, and means that bo has voted too."""

        def both(request):
            word = people(request)
            if word == YES:
                self.store.vote(request.id, BO, digest=request.digest, window="test")
            return word

        asked = both if isinstance(people, Says) else people
        return gated_deploy(self.project, asked, store=self.store)

    def ask(self, people):
        tools = self.tools(people)
        return ask(tools.status, tools.changes, tools.deploy, tools.rollback)

    def commit(self, ref):
        return self.project.repository.resolve(ref)

    @property
    def live(self):
        return live(self.config, "production")


@pytest.fixture
def pipeline(begun, tmp_path):
    config = copied(begun, tmp_path)
    with project_of(config) as project:
        yield Pipeline(config, project)


def test_deploy_approved(server, pipeline):
    """Two agree, and the commit that they saw is live."""
    server.says("return await deploy('v1.0', 'production')")
    told = pipeline.ask(Says(YES))
    assert pipeline.live == pipeline.commit("v1.0")
    assert "production" in told


def test_deploy_edited(server, pipeline):
    """Another commit is chosen; the agent's code reads which one, and that it was changed."""

    def model(task):
        seen = yield "shipped = await deploy('v1.3', 'production'); print(shipped)"
        assert "as edited by ana" in seen
        yield "return shipped"

    server.model = model
    told = pipeline.ask(Says(Edit(by="ana", arguments={"ref": "v1.0"}), YES))
    assert pipeline.live == pipeline.commit("v1.0")
    assert pipeline.commit("v1.0")[:7] in told


def test_deploy_rejected(server, pipeline):
    """The agent's code reads which smaller step is wanted, and takes it."""
    server.says(
        "import re",
        """
        try:
            shipped = await deploy('v1.3', 'production')
        except PermissionError as refusal:
            print(refusal)
            smaller = re.search(r'ship (v[\\d.]+\\d)', str(refusal))[1]
            shipped = await deploy(smaller, 'production')
        """,
        "return shipped",
    )
    no = Reject(by="ana", reason="a migration is in it: ship v1.0 first, on its own")
    told = pipeline.ask(Says(no, YES))
    assert server.seen[1].startswith("deploy was rejected by ana: a migration is in it")
    assert pipeline.live == pipeline.commit("v1.0")
    assert "production" in told


def test_deploy_unanswered(server, pipeline):
    """Nobody is there: production stays as it is, and the agent says so."""
    server.says(
        """
        try:
            said = await deploy('v1.0', 'production')
        except PermissionError as silence:
            said = 'left alone: ' + str(silence)
        """,
        "return said",
    )
    before = pipeline.live
    told = pipeline.ask(nobody())
    assert told.startswith("left alone: deploy was not run") and "nobody answered" in told
    assert pipeline.live == before


# Support


class Desk:
    """The help desk and its gated tools."""

    def __init__(self, shop, desk):
        self.shop, self.desk, self.store = shop, desk, MemoryStore()

    def tools(self, people, batch=None):
        return gated_support(self.desk, people, store=self.store, batch=batch)

    def ask(self, people, batch=None, *, waits=True):
        tools = self.tools(people, batch)
        free = [tools.tickets, tools.ticket, tools.charges, tools.refunds]
        wait = [tools.wait_for_approvals] if batch and waits else []
        return ask(*free, tools.refund, tools.reply, tools.close, *wait)

    def refund(self, name, amount):
        """The code that asks for a refund."""
        charge, ticket = self.shop.charges[name], self.shop.tickets[name]
        return f"refund('{charge}', {amount}, 'requested_by_customer', 'late', '{ticket}')"

    def gone_back(self, name):
        made = self.desk.payments.refunds_of(address(name))
        return [one.money.amount for one in made if one.status != "failed"]

    def words_to(self, name):
        """What a customer was told last; nothing if they were not answered."""
        last = self.desk.helpdesk.ticket(self.shop.tickets[name]).messages[-1]
        return last.text.strip() if last.ours else ""


@pytest.fixture
def desk(tmp_path):
    shop = set_up(tmp_path)
    environ = {name: text for name, text in os.environ.items() if name != "STRIPE_API_KEY"}
    with opened(shop.config.path, environ) as desk:
        yield Desk(shop, desk)


def test_support_approved(server, desk):
    """A lead agrees, and the money goes back once."""
    server.says(f"return await {desk.refund('dora', 60_00)}")
    assert "refunded 60.00 EUR" in desk.ask(Says(YES))
    assert desk.gone_back("dora") == [60_00]


def test_support_edited(server, desk):
    """The agent tells the customer the amount that was really paid, not the one it asked for."""
    server.says(
        "import re",
        f"paid = await {desk.refund('dora', 120_00)}; print(paid)",
        f"""
        amount = re.search(r'refunded ([\\d.]+ EUR)', paid)[1]
        await reply('{desk.shop.tickets["dora"]}', f'You get {{amount}} back.')
        return amount
        """,
    )
    people = Says(Edit(by="ana", arguments={"amount": 60_00}), YES, YES)
    assert desk.ask(people) == "60.00 EUR"
    assert "[refund ran as edited by ana: amount: 12000 -> 6000]" in server.seen[1]
    assert desk.gone_back("dora") == [60_00]
    assert "60.00 EUR" in desk.words_to("dora")


def test_support_rejected(server, desk):
    """The agent's code reads the amount in the refusal, and asks for that."""
    less = "asks for less"

    def model(task):
        seen = yield f"await {desk.refund('dora', 120_00)}"
        assert "Rejected: refund was rejected by ana: only the shipping, 4.90." in seen
        seen = yield f"print(await {desk.refund('dora', 4_90)})"
        yield f"return '{less}'" if "refunded 4.90 EUR" in seen else "return ''"

    server.model = model
    no = Reject(by="ana", reason="only the shipping, 4.90")
    assert desk.ask(Says(no)) == less
    assert desk.gone_back("dora") == [4_90]


def test_support_unanswered(server, desk):
    """Nobody is there: no money moves, and the ticket stays open."""
    server.says(
        f"""
        try:
            said = await {desk.refund("dora", 120_00)}
        except PermissionError as silence:
            said = f'{{type(silence).__name__}}: {{silence}}'
        """,
        "return said",
    )
    told = desk.ask(nobody())
    assert told.startswith("NotAnswered: refund was not run") and "Silence is not a denial" in told
    assert desk.gone_back("dora") == []


# Analysis

DELETE = "DELETE FROM orders WHERE note = 'TEST'"
NARROWER = f"{DELETE} AND channel = 'web'"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "shop.duckdb"
    make_shop(path, orders=300)
    return path


class House:
    """A database, and what is in it."""

    def __init__(self, path, reports):
        self.path, self.warehouse = path, Warehouse(path, reports=reports, patience=0.3)

    def tools(self, people):
        return gated_analysis(self.warehouse, people)

    def ask(self, people):
        tools = self.tools(people)
        return ask(tools.schema, tools.query, tools.chart, tools.export, tools.undo)

    def count(self, where="note = 'TEST'", table="orders"):
        with duckdb.connect(str(self.path), read_only=True) as con:
            return con.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchall()[0][0]


@pytest.fixture
def house(shop, tmp_path):
    return House(shutil.copyfile(shop, tmp_path / "shop.duckdb"), tmp_path / "reports")


def test_analysis_approved(server, house):
    """The statement that was shown changes what was shown."""
    server.says(f'return await query("{DELETE}")')
    assert "deleted" in house.ask(Says(YES))
    assert house.count() == 0


def test_analysis_edited(server, house):
    """A narrower statement runs, and the agent's code reads which one."""
    left = house.count("note = 'TEST' AND channel <> 'web'")

    def model(task):
        seen = yield f'print(await query("{DELETE}"))'
        assert "as edited by ana" in seen and "channel = 'web'" in seen
        yield "n = await query(\"SELECT count(*) FROM orders WHERE note = 'TEST'\"); return n"

    server.model = model
    told = house.ask(Says(Edit(by="ana", arguments={"sql": NARROWER}), YES))
    assert house.count() == left > 0
    assert str(left) in told


def test_analysis_rejected(server, house):
    """The agent's code reads what is wanted first, does it, and asks again."""
    rows = house.count()
    server.says(
        f"""
        delete, keep = "{DELETE}", "{DELETE.replace("DELETE", "CREATE TABLE archived AS")}"
        try:
            await query(delete)
        except PermissionError as refusal:
            print(refusal)
            if 'archive' in str(refusal):
                await query(keep)
                await query(delete)
        """,
        "return 'archived first'",
    )
    no = Reject(by="ana", reason="archive these orders first")
    assert house.ask(Says(no, YES, YES)) == "archived first"
    assert (
        server.seen[0].strip()
        == "query was rejected by ana: archive these orders first. It was not run."
    )
    assert (house.count(), house.count("true", "archived")) == (0, rows)


def test_analysis_unanswered(server, house):
    """Nobody is there: not a row differs."""
    rows = house.count()
    server.says(
        f"""
        try:
            said = await query("{DELETE}")
        except PermissionError as silence:
            said = str(silence)
        """,
        "return said",
    )
    assert "nobody answered" in house.ask(nobody())
    assert house.count() == rows > 0


def test_analysis_errors_keep_their_words(server, house):
    """A statement that does not work comes back with its reason, and the next one does."""

    def model(task):
        seen = yield "await query('SELECT * FROM orderz')"
        assert "orderz" in seen
        yield "return await query('SELECT count(*) AS n FROM orders')"

    server.model = model
    assert "300" in house.ask(Says())


# Batches


def word(request):
    """Say what a lead says of a batch."""
    if request.arguments.get("amount") == 300_00:
        return Reject(by="ana", reason="only the shipping, 4.90")
    return YES


def test_support_batch_that_the_agent_waits_for(server, desk):
    """The code reads `{1: result, 2: "REJECTED: why"}`, and asks for what people want instead."""
    server.says(
        "import re",
        f"""
        queued = [await {desk.refund("dora", 60_00)}, await {desk.refund("luis", 300_00)}]
        print(queued, await reply('{desk.shop.tickets["dora"]}', queued[0]))
        """,
        "results = await wait_for_approvals(); print(results)",
        f"""
        assert results[2].startswith('REJECTED: ')
        less = int(float(re.search(r'only the shipping, ([\\d.]+\\d)', results[2])[1]) * 100)
        await {desk.refund("luis", "less")}
        print(await wait_for_approvals())
        """,
        "return 'done'",
    )
    people = Says(*[word] * 4)
    assert desk.ask(people, Batch(approver=people, store=desk.store)) == "done"
    placeholders = "['PENDING_APPROVAL_1', 'PENDING_APPROVAL_2'] PENDING_APPROVAL_3"
    assert server.seen[1].strip() == placeholders
    assert "1: 'refunded 60.00 EUR" in server.seen[2]
    why = "refund was rejected by ana: only the shipping, 4.90. It was not run."
    assert f"2: 'REJECTED: {why}'" in server.seen[2]
    assert (desk.gone_back("dora"), desk.gone_back("luis")) == ([60_00], [4_90])
    assert "refunded 60.00 EUR" in desk.words_to("dora")


def test_support_batch_that_the_host_reviews(server, desk):
    """Without anything to wait for, the agent ends on placeholders, and nothing has happened."""
    server.says(
        f"""
        queued = [await {desk.refund("dora", 60_00)}, await {desk.refund("luis", 300_00)}]
        """,
        "return ' '.join(queued)",
    )
    people = Says(word, word)
    batch = Batch(approver=people, store=desk.store)
    assert desk.ask(people, batch, waits=False) == "PENDING_APPROVAL_1 PENDING_APPROVAL_2"
    assert (people.seen, desk.gone_back("dora")) == ([], [])
    results = batch.review_and_execute()
    assert results[1].startswith("refunded 60.00 EUR")
    assert results[2].startswith("REJECTED: ") and "only the shipping" in results[2]
    assert (desk.gone_back("dora"), desk.gone_back("luis")) == ([60_00], [])


def test_deploy_batch(server, pipeline):
    """Gated tools can be collected: each call still faces its own rules, in its turn."""
    tools = pipeline.tools(Says(YES))

    def lead(request):
        is_late = request.arguments["ref"] == "v1.3"
        return Reject(by="ana", reason="v1.3 on Monday") if is_late else YES

    batch = Batch(approver=lead)
    deploy = batch.gate(tools.deploy)
    server.says(
        "queued = await deploy('v1.3', 'production'), await deploy('v1.0', 'production')",
        "results = await wait_for_approvals(); print(results)",
        "return results[1] if results[1].startswith('REJECTED') else 'lost'",
    )
    told = ask(deploy, batch.wait_for_approvals)
    assert told.startswith("REJECTED: ") and "v1.3 on Monday" in told
    assert pipeline.live == pipeline.commit("v1.0")


def test_analysis_batch(server, house):
    """Of two collected statements one is rejected; the code reads which, and leaves it alone."""
    tools = house.tools(Says(YES))

    def lead(request):
        is_all = "WHERE" not in request.arguments["sql"]
        return Reject(by="ana", reason="never all of them") if is_all else YES

    batch = Batch(approver=lead)
    query = batch.gate(tools.query)
    server.says(
        f"""await query("{DELETE}"); await query("DELETE FROM refunds")""",
        "results = await wait_for_approvals()",
        "return str([number for number in results if results[number].startswith('REJECTED')])",
    )
    assert ask(query, batch.wait_for_approvals) == "[2]"
    assert (house.count(), house.count("true", "refunds") > 0) == (0, True)


# The command line


def run(app, *words, folder, **environ):
    """Run an app as a person would."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(Path.cwd())}
    return subprocess.run(
        [sys.executable, "-m", f"apps.{app}", *words],
        cwd=folder,
        env=kept | environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


SAMPLES = {
    "analysis": (["init", "shop.duckdb", "--rows", "300"], ["--database", "shop.duckdb"]),
    "deploy": (["init", "sample"], ["--config", "sample/deploy.toml"]),
    "support": (["init", "sample"], ["--config", "sample/support.toml"]),
}
LOOKS = {"analysis": "schema()", "deploy": "status()", "support": "tickets()"}


@pytest.mark.parametrize("app", SAMPLES)
def test_agentica_is_one_word_on_the_command_line(server, tmp_path, app):
    """`--agent agentica` puts the question to a real server, which calls the app's tools."""
    init, named = SAMPLES[app]
    assert run(app, *init, folder=tmp_path).returncode == 0
    asked = []

    def model(task):
        asked.append(task)
        yield f"return await {LOOKS[app]}"

    server.model = model
    words = [*named, "--agent", "agentica:some:model", "ask", "What is there?"]
    done = run(app, *words, folder=tmp_path, S_M_BASE_URL=server.url)
    assert (done.returncode, asked) == (0, ["What is there?"]), done.stderr
    assert len(done.stdout.splitlines()) > 3
    assert done.stderr == ""
    assert server.created[0]["model"] == "some:model"
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("app", SAMPLES)
def test_agentica_without_a_server_says_what_is_missing(tmp_path, app):
    """Neither a key nor an address: one sentence, and an exit code."""
    init, named = SAMPLES[app]
    assert run(app, *init, folder=tmp_path).returncode == 0
    done = run(app, *named, "--agent", "agentica", "ask", "What is there?", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "AGENTICA_API_KEY" in line and "S_M_BASE_URL" in line
