"""The deploy app as its agent meets it: what ships, what does not, and who was asked."""

import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from people import Silent
from shipping import FRIDAY_EVENING, NIGHT, NOON, Clock, copied, everything_live, live, made
from shipping import project_of as project_in

from apps.deploy import agent, approvals
from apps.deploy.agent import Says, Sees, bring
from apps.deploy.approvals import found, gated, lifting, switch
from apps.deploy.errors import DeployError, Moved
from apps.deploy.sample import advance
from core import (
    Approve,
    Edit,
    MemoryStore,
    NotAnswered,
    NotCounted,
    Reject,
    Rejected,
    Risk,
    State,
    run,
)
from core.approvers.deadline import Deadline
from core.approvers.scripted import Scripted

pytestmark = pytest.mark.slow  # services start, answer and stop

YES, BO = Approve(by="ana"), Approve(by="bo")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A shop with v1.2 over v1.0 in production; v1.0, v1.3 and v1.2 were healthy in staging."""
    config = made(tmp_path_factory.mktemp("begun"))
    with project_in(config) as project:
        for ref, name in (
            *(("v1.0", "development"), ("v1.0", "staging"), ("v1.0", "production")),
            *(("v1.2", "staging"), ("v1.2", "production"), ("v1.3", "staging")),
        ):
            project.deploy(ref, name)
    return config


@pytest.fixture
def clock():
    """A clock at noon on a Tuesday."""
    return Clock()


@pytest.fixture
def config(begun, tmp_path):
    """A copy of the shop for one test."""
    return copied(begun, tmp_path)


@pytest.fixture
def project(config, clock):
    """The shop, with its services up where a test starts them."""
    with project_in(config, clock) as project:
        yield project


def commit(project, ref):
    """The commit of a tag."""
    return project.repository.resolve(ref)


def both(store):
    """Two release managers who agree: bo from another window, ana here."""

    def approve(request):
        store.vote(request.id, BO, digest=request.digest, window="test")
        return YES

    return Scripted(deploy=approve, run_task=approve, rollback=YES, lift_freeze=approve)


# Who decides


def promised():
    """The table in the docstring: tool, where, risk, and the words before the colon."""
    found, tool = [], ""
    for line in approvals.__doc__.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] != "tool" and "---" not in cells[0]:
            tool = cells[0].strip("`") or tool
            found.append((tool, cells[1], cells[2], cells[3].partition(":")[0]))
    return found


TRIALS = {
    ("status", "everywhere", "-", "nobody"): [()],
    ("changes", "everywhere", "-", "nobody"): [("main", "production"), ("v1.0", "production")],
    ("logs", "everywhere", "-", "nobody"): [("production",)],
    ("deploy", "free", "LOW", "policy approves"): [("v1.2", "development")],
    ("deploy", "free", "LOW", "policy rejects"): [("v1.3", "staging")],
    ("deploy", "protected", "HIGH", "two release managers"): [("v1.0", "production")],
    ("deploy", "protected", "CRITICAL", "two release managers"): [("v1.3", "production")],
    ("deploy", "protected", "HIGH", "policy rejects"): [("v1.1", "production")],
    ("rollback", "free", "LOW", "policy approves"): [("staging",)],
    ("rollback", "free", "LOW", "policy rejects"): [("development",)],
    ("rollback", "protected", "HIGH", "one release manager"): [("production",)],
    ("rollback", "protected", "CRITICAL", "one release manager"): [("production",)],
    ("run_task", "free", "LOW", "policy approves"): [("migrate", "staging")],
    ("run_task", "protected", "HIGH", "two release managers"): [("migrate", "production")],
    ("run_task", "protected", "HIGH", "policy rejects"): [("clean", "production")],
    ("lift_freeze", "protected", "CRITICAL", "two release managers"): [
        ("production", 60, "the shop is down")
    ],
}


def test_the_table_names_all_there_is():
    """Every row of the table is tried below, and nothing else."""
    assert sorted(promised()) == sorted(TRIALS)


@pytest.mark.parametrize(
    ("row", "words"), [(row, words) for row, trials in TRIALS.items() for words in trials], ids=str
)
def test_the_table_tells_the_truth(project, config, clock, row, words):
    """Tool by tool: the risk on record, and whether policy, people or nobody decided."""
    tool, where, risk, who = row
    if row == ("deploy", "free", "LOW", "policy rejects"):
        project.start("staging")
    if tool == "rollback" and risk == "CRITICAL":
        clock.set(NIGHT)
    if tool == "lift_freeze":
        clock.set(FRIDAY_EVENING)
    before, store, nobody = everything_live(config), MemoryStore(), Scripted()
    tools = gated(project, nobody, store=store, now=clock)
    lift = lifting(project, nobody, store=store, requester="dee")
    with suppress(Rejected):
        (lift if tool == "lift_freeze" else getattr(tools, tool))(*words)
    requests = [stored.request for stored in store.search()]
    assert [request.risk.name for request in requests] == ([] if risk == "-" else [risk])
    assert len(nobody.requests) == who.endswith(("manager", "managers"))
    for request in nobody.requests:
        assert request.panel.members == {"ana", "bo", "chi"}
        assert request.panel.votes == {"two": 2, "one": 1}[who.split()[0]]
    if who.startswith("policy"):
        [decision] = [stored.decision for stored in store.search()]
        assert type(decision).__name__.lower() + "s" == who.removeprefix("policy ")
    if "approves" not in who:
        assert everything_live(config) == before
    assert where in {"everywhere", "protected" if words[-1:] == ("production",) else "free"} or (
        tool == "lift_freeze"
    )


def test_the_readme_shows_the_same_table():
    """The table in the README is the one in the code."""
    text = Path(approvals.__file__).with_name("README.md").read_text("utf-8")
    table = [line for line in approvals.__doc__.splitlines() if line.startswith("|")]
    assert "\n".join(table) in text


@pytest.mark.parametrize("tool", ["deploy", "rollback", "run_task"])
def test_nobody_answers_so_nothing_changes(project, config, tool):
    """Silence leaves every environment as it was, and is told as silence."""
    before = everything_live(config)
    tools = gated(project, Deadline(Silent(), seconds=0.05), now=Clock())
    words = {"deploy": ("v1.0", "production"), "run_task": ("migrate", "production")}
    with pytest.raises(NotAnswered, match="nobody answered"):
        getattr(tools, tool)(*words.get(tool, ("production",)))
    assert everything_live(config) == before


def test_one_of_two_is_not_enough(project, config):
    """After one vote nothing has moved, and the same person does not count again."""
    store, before = MemoryStore(), everything_live(config)

    def alone(request):
        for name in ("ana", "ana", "Ana "):
            with suppress(NotCounted):
                store.vote(request.id, Approve(by=name), digest=request.digest)
            stored = store.get(request.id)
            assert stored.state is State.PENDING and len(stored.votes) == 1
        store.cancel(request.id, by="test", because="nobody else came")
        return YES

    with pytest.raises(Rejected, match="nobody else came"):
        gated(project, Scripted(deploy=alone), store=store).deploy("v1.0", "production")
    assert everything_live(config) == before


def test_whoever_asks_never_decides(project, config):
    """The person the agent works for may be a release manager, and still does not vote."""
    store, before = MemoryStore(), everything_live(config)

    def ana(request):
        for person in ("ana", "agent", "dee"):
            with pytest.raises(NotCounted):
                store.vote(request.id, Approve(by=person), digest=request.digest)
        return Reject(by="bo", reason="ask somebody else")

    with pytest.raises(Rejected, match="ask somebody else"), run("r", acting_for="Ana"):
        gated(project, Scripted(deploy=ana), store=store).deploy("v1.0", "production")
    assert everything_live(config) == before


def test_two_of_two_managers_who_ask_leave_nobody(project):
    """Where too few are left to decide, the call is refused before anybody is asked."""
    project.config = replace(project.config, release_managers=("ana", "bo"))
    nobody = Scripted()
    with pytest.raises(Rejected, match="can never have 2 votes"), run("r", acting_for="ana"):
        gated(project, nobody).deploy("v1.0", "production")
    assert not nobody.requests


@pytest.mark.parametrize(
    ("variable", "asked"), [("gated", True), ("closed", False), ("free", False), ("", False)]
)
def test_a_variable_switches_staging(project, config, variable, asked):
    """`GATE_STAGING` asks people, closes the door, or leaves it open as it was."""
    nobody = Scripted()
    before = live(config, "staging")
    tools = gated(project, nobody, environ={"GATE_STAGING": variable})
    with suppress(Rejected):
        tools.deploy("v1.0", "staging")
    assert bool(nobody.requests) == asked
    is_free = variable in {"free", ""}
    assert live(config, "staging") == (commit(project, "v1.0") if is_free else before)


def test_no_variable_frees_what_is_protected(project, config):
    """`GATE_PRODUCTION=free` changes nothing, and says so."""
    nobody, before = Scripted(), live(config, "production")
    environ = {"GATE_PRODUCTION": "free"}
    with pytest.raises(Rejected):
        gated(project, nobody, environ=environ).deploy("v1.0", "production")
    assert nobody.requests and live(config, "production") == before
    assert "no variable can free production" in switch(project.config, environ).problems[0]


# What ships


def test_what_two_approve_is_what_ships(project, config):
    """The commit that people saw is live, complete, and answers; the agent is told."""
    store = MemoryStore()
    told = gated(project, both(store), store=store).deploy("v1.0", "production")
    assert live(config, "production") == commit(project, "v1.0")
    assert "is live in production and healthy" in told


def test_the_branch_may_move_and_the_approved_commit_ships(project, config):
    """While people think, main moves on; what they saw is what is live."""
    store, shown = MemoryStore(), commit(project, "main")
    yes = both(store)

    async def slow(request):
        advance(config.parent / "shop")
        return await yes(request)

    gated(project, slow, store=store).deploy("main", "production")
    assert live(config, "production") == shown != commit(project, "main")


def test_another_live_release_is_asked_about_again(project, config):
    """While people think, somebody else goes live; they are asked anew, with the new difference."""
    store, asked = MemoryStore(), []
    yes = both(store)

    async def slow(request):
        if not asked:
            project.deploy("v1.3", "production")
        asked.append(request)
        return await yes(request)

    gated(project, slow, store=store).deploy("v1.0", "production")
    first, second = asked
    assert store.get(first.id).state is State.CANCELLED
    assert "asked again" in second.remarks[0]
    assert first.preview.summary != second.preview.summary
    assert live(config, "production") == commit(project, "v1.0")


def test_under_the_lock_it_is_compared_once_more(project, config):
    """Between the last look and the start somebody deployed: nothing is done."""
    with pytest.raises(Moved, match="nothing was done"):
        project.ship(
            commit(project, "v1.0"), "production", over="20200101T000000000000-" + "0" * 40
        )
    assert live(config, "production") == commit(project, "v1.2")


def test_what_people_were_shown_is_what_it_is_compared_with(project, config):
    """Every tool hands on which release was shown as live, so that another one stops it."""
    store, handed = MemoryStore(), []
    tools = gated(project, both(store), store=store)
    shown = (config.parent / "environments/production/current").readlink().name

    def hand_on(*_, over=None):
        handed.append(over)
        raise Moved("somebody else was faster")

    project.ship = project.return_to = project.run_task = hand_on
    for call in (
        lambda: tools.deploy("v1.0", "production"),
        lambda: tools.rollback("production"),
        lambda: tools.run_task("migrate", "production"),
    ):
        with pytest.raises(Moved):
            call()
    assert handed == [shown] * 3


def test_an_edit_ships_another_commit(project, config):
    """A reviewer writes a tag; it is looked up, shown, approved by both, and the agent is told."""
    store, asked = MemoryStore(), []

    def manager(request):
        asked.append(request)
        if not request.revision:
            return Edit(by="ana", arguments={"ref": "v1.0"})
        store.vote(request.id, BO, digest=request.digest)
        return YES

    told = gated(project, Scripted(deploy=manager), store=store).deploy("main", "production")
    assert live(config, "production") == commit(project, "v1.0")
    assert "as edited by ana" in told
    assert asked[0].risk is Risk.CRITICAL and asked[1].risk is Risk.HIGH
    assert asked[1].arguments["ref"] == commit(project, "v1.0")


@pytest.mark.parametrize(
    ("ref", "why"),
    [("v1.1", "has not been healthy in staging"), ("v9", "v9"), ("--all", "--all")],
)
def test_an_edit_faces_the_same_rules(project, config, ref, why):
    """What an agent may not ask for, an edit may not make of it; its author is told why."""
    answers = [Edit(by="ana", arguments={"ref": ref}), Reject(by="ana", reason="not today")]
    asked, before = [], everything_live(config)

    def manager(request):
        asked.append(request)
        return answers.pop(0)

    with pytest.raises(Rejected, match="not today"):
        gated(project, Scripted(deploy=manager)).deploy("v1.0", "production")
    assert why in asked[1].problem and everything_live(config) == before


def test_an_edit_cannot_move_a_call_out_of_sight(project, config):
    """Somebody edits production into staging: people see the other place, and two decide anew."""
    before, store, places = live(config, "production"), MemoryStore(), []

    def manager(request):
        places.append(request.environment)
        if not request.revision:
            return Edit(by="ana", arguments={"environment": "staging"})
        store.vote(request.id, BO, digest=request.digest)
        return YES

    gated(project, Scripted(deploy=manager), store=store).deploy("v1.0", "production")
    assert places == ["production", "staging"]
    assert live(config, "staging") == commit(project, "v1.0")
    assert live(config, "production") == before


def test_a_rejection_reaches_the_agent(project, config):
    """Why not, and what instead, is in the message; nothing has moved."""
    before = everything_live(config)
    ana = Scripted(deploy=Reject(by="ana", reason="after lunch"))
    with pytest.raises(Rejected, match="after lunch"):
        gated(project, ana).deploy("v1.0", "production")
    assert everything_live(config) == before


def test_a_rollback_goes_where_the_person_was_shown(project, config):
    """One release manager is enough, and production is back at the last healthy release."""
    shown = []

    def ana(request):
        shown.append(request.preview.summary)
        return YES

    gated(project, Scripted(rollback=ana)).rollback("production")
    assert live(config, "production") == commit(project, "v1.0")
    assert commit(project, "v1.0")[:10] in shown[0]


def test_a_task_runs_in_the_live_release(project):
    """Two managers agree to the words that are shown, and those run where they were to run."""
    store, asked = MemoryStore(), []
    yes = both(store)

    async def told(request):
        asked.append(request)
        return await yes(request)

    said = gated(project, told, store=store).run_task("migrate", "production")
    assert ("words", "python3 migrate.py") in asked[0].preview.facts
    assert "0001" in said


# Freezes


def test_a_freeze_refuses_and_says_when_it_opens(project, config, clock):
    """On Friday evening nobody is asked; the agent hears until when, and why."""
    clock.set(FRIDAY_EVENING)
    nobody, before = Scripted(), everything_live(config)
    tools = gated(project, nobody, now=clock)
    for call in (
        lambda: tools.deploy("v1.0", "production"),
        lambda: tools.run_task("migrate", "production"),
    ):
        with pytest.raises(Rejected, match=r"Saturday 2026-11-28 00:00.*nobody is there"):
            call()
    assert not nobody.requests and everything_live(config) == before


def test_a_freeze_never_stops_the_way_back(project, config, clock):
    """What is bad may be taken back at any hour, by one person who sees that it is late."""
    clock.set(FRIDAY_EVENING)
    ana = Scripted(rollback=YES)
    gated(project, ana, now=clock).rollback("production")
    assert ana.requests[0].risk is Risk.CRITICAL
    assert live(config, "production") == commit(project, "v1.0")


def test_two_people_lift_a_freeze_for_a_while(project, config, clock):
    """A person asks, two others agree, it is on record, and it ends by itself."""
    clock.set(FRIDAY_EVENING)
    store = MemoryStore()
    lift = lifting(project, both(store), store=store, requester="chi")
    lift("production", 30, "the shop is down")
    gated(project, both(store), store=store, now=clock).deploy("v1.0", "production")
    assert live(config, "production") == commit(project, "v1.0")
    clock.set(FRIDAY_EVENING.replace(minute=31))
    with pytest.raises(Rejected, match="frozen"):
        gated(project, Scripted(), now=clock).deploy("v1.2", "production")
    assert any("lift_freeze" in record.body for record in store.trail())


def test_no_tool_of_the_agent_lifts_a_freeze(project):
    """What the agent may do is not its own to change."""
    names = set(approvals.Tools.__slots__)
    assert names == {"status", "changes", "logs", "deploy", "rollback", "run_task"}
    with pytest.raises(Rejected, match="not frozen"):
        lifting(project, Scripted(), store=None, requester="dee")("production", 30, "why not")


# What is shown


def preview(project, ref, environment="production"):
    """What people are shown before a deploy."""
    asked = Scripted()
    with pytest.raises(Rejected):
        gated(project, asked).deploy(ref, environment)
    return asked.requests[0].preview


def test_the_preview_is_bound_to_both_commits(project):
    """From which to which, in full, with tags; the repository, and the file with the commands."""
    facts = dict((found := preview(project, "main")).facts)
    assert facts["live now"].startswith(commit(project, "v1.2"))
    assert facts["then"].startswith(commit(project, "v1.3")) and "(v1.3)" in facts["then"]
    assert facts["repository"].endswith("shop")
    assert [Path(file.path).name for file in found.files] == ["deploy.toml"]


def test_the_preview_says_how_the_commit_has_done(project):
    """That it passed its tests and was healthy in staging, and since when."""
    facts = dict(preview(project, "main").facts)
    assert facts["tests in staging"].startswith(f"passed {NOON:%Y-%m-%d}")
    assert facts["health in staging"].startswith(f"good since {NOON:%Y-%m-%d}")


def test_a_downgrade_shows_what_goes_away(project):
    """Commits that are live now and would not be any more are counted, named and warned about."""
    found = preview(project, "v1.0")
    (gone,) = [table for table in found.tables if table.title.startswith("that go away")]
    assert len(gone.rows) == 7 and gone.rows[0][3] == "Version 1.2"
    assert "takes away 7 commits" in found.warnings[0]


def test_a_secret_in_a_message_is_masked(project, config):
    """Whoever wrote a key into a commit's first line has not written it into the record."""
    key = "AKIA" + "Z7Q2M4N6P8R3T5V9"
    git = ["git", "-C", str(config.parent / "shop"), "-c", "user.name=x", "-c", "user.email=x"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", f"use {key}"], check=True)
    project.deploy("main", "staging")
    found = preview(project, "main")
    assert key not in str(found) and "use " in str(found.facts)


def test_files_that_deserve_attention_come_first(project):
    """Migrations, dependencies and configuration stand before everything else."""
    found = preview(project, "main")
    assert [row[:2] for row in found.tables[0].rows] == [
        ("migrations/0002_ratings.sql", "migration"),
        ("pyproject.toml", "dependencies"),
        ("shop.ini", "configuration"),
    ]
    assert "CREATE TABLE ratings" in found.diff


def test_other_commands_are_not_what_was_approved(project, config):
    """Somebody changes deploy.toml while people think: nothing runs."""
    before, store = live(config, "production"), MemoryStore()
    yes = both(store)

    async def slow(request):
        config.write_text(config.read_text("utf-8") + "\n# another day\n", "utf-8")
        return await yes(request)

    with pytest.raises(Rejected, match="was changed while this runs"):
        gated(project, slow, store=store).deploy("v1.0", "production")
    assert live(config, "production") == before


# The agent


def words(steps):
    """What the agent says, and what it sees."""
    told = [*steps]
    return [s.text for s in told if isinstance(s, Says)], [s for s in told if isinstance(s, Sees)]


def test_the_agent_adapts_until_two_people_agree(project, config):
    """Told to ship a smaller step first, it proves that step in staging and ships it."""
    store = MemoryStore()

    def manager(request):
        if request.risk is Risk.CRITICAL:
            return Reject(by="ana", reason="a migration is in it: ship v1.0 first")
        store.vote(request.id, BO, digest=request.digest)
        return YES

    tools = gated(project, Scripted(deploy=manager), store=store)
    said, seen = words(bring(tools, "main"))
    assert "A smaller step, then: v1.0." in said and said[-1] == "v1.0 is in production."
    assert live(config, "production") == commit(project, "v1.0")
    assert any("ship v1.0 first" in one.text for one in seen if one.is_refusal)


def test_the_agent_proves_a_commit_where_it_is_told_to(project, config):
    """Production takes only what was healthy in staging: it goes there first, then asks again."""
    store = MemoryStore()
    advance(config.parent / "shop")
    tools = gated(project, both(store), store=store)
    said, _ = words(agent._propose(tools, "v1.1", "staging", "production"))
    assert "v1.1 has to prove itself in staging first." in said
    assert live(config, "production") == commit(project, "v1.1")


def test_the_agent_leaves_it_when_nobody_answers(project, config):
    """Silence is not consent, and it does not ask again and again."""
    before, silent = live(config, "production"), Silent()
    tools = gated(project, Deadline(silent, seconds=0.05))
    said, _ = words(bring(tools, "main"))
    assert said[-1] == "Nobody is there to decide it, so production stays as it is."
    assert live(config, "production") == before and len(silent.seen) == 1


def test_the_agent_sees_an_unhealthy_release_taken_back(project, config):
    """It starts and is not well: staging goes back by itself; nobody is asked about production."""
    advance(config.parent / "shop")
    nobody, before = Scripted(), everything_live(config)
    project.start()
    said, seen = words(bring(gated(project, nobody), "main"))
    assert any("SHOP_CURRENCY" in one.text for one in seen if one.is_refusal)
    assert said[-1].startswith("main stays away from production")
    assert not nobody.requests and everything_live(config) == before
    assert project.is_up(before["staging"], "staging")


def test_an_agent_that_is_told_no_stops(project, config):
    """A plain no is taken as one; it does not send the same call again."""
    ana = Scripted(deploy=Reject(by="ana", reason="no"))
    said, _ = words(bring(gated(project, ana), "main"))
    assert len(ana.requests) == 1 and said[-1].startswith("That is a no")


@pytest.mark.parametrize("tool", ["deploy", "rollback", "run_task"])
def test_an_unknown_environment_is_one_sentence(project, tool):
    """Nobody is asked about a place that is not there; the agent hears which there are."""
    nobody, first = Scripted(), {"deploy": ("v1.0",), "run_task": ("migrate",)}
    with pytest.raises(Rejected, match="there are development, staging, production"):
        getattr(gated(project, nobody), tool)(*first.get(tool, ()), "mars")
    assert not nobody.requests


def test_an_unknown_ref_is_one_sentence(project):
    """Nobody is asked about what does not exist."""
    nobody = Scripted()
    with pytest.raises((Rejected, DeployError), match="v9"):
        gated(project, nobody).deploy("v9", "production")
    assert not nobody.requests


# After a crash


def test_a_deploy_that_was_cut_off_is_found_on_restart(project, config, tmp_path):
    """Its process died: the next one looks at the world, and a person reads what it saw."""
    store, sha = MemoryStore(), commit(project, "v1.0")

    class Died(BaseException):
        pass

    def dies(*_, **__):
        raise Died

    ship, project.ship = project.ship, dies
    with pytest.raises(Died):
        gated(project, Scripted(), store=store).deploy("v1.0", "staging")
    project.ship = ship
    (cut_off,) = found(project, store)
    assert cut_off.state is State.OUTCOME_UNKNOWN
    assert live(config, "staging")[:10] in cut_off.outcome.finding
    assert sha[:10] in cut_off.outcome.finding
    count = len([*store.trail()])
    assert [*found(project, store)] == [cut_off] and len([*store.trail()]) == count
