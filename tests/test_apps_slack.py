"""The whole story of each app in Slack: what people click there is what happens."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import duckdb
import pytest
from chat_story import PATIENCE, play, waiting, words_of
from deploy_program import begun, sat_at
from people import eventually
from slack_api import SlackApi
from support_program import environment

from apps.analysis.__main__ import person
from apps.analysis.ana import Ana
from apps.deploy.__main__ import BEFORE
from apps.support.__main__ import word_on_refund, word_on_reply
from core import Approve, Edit, Reject, Risk, State
from core.stores.open import open_store

pytestmark = pytest.mark.slow  # every test starts programs

TOML = """
team = "{team}"
channel = "C024BE91L"
api = "{api}"
[people]
U1ANA = "ana"
U2BO = "bo"
U3MIA = "mia"
"""
IDS = {"ana": "U1ANA", "bo": "U2BO", "mia": "U3MIA"}


@pytest.fixture
def api():
    with SlackApi() as made:
        for user in IDS.values():
            made.user(user)
        yield made


class Team:
    """People in Slack who do with a message what a decision says."""

    def __init__(self, api):
        self.api = api

    def message(self, request):
        """Wait for the message about what waits now, and return it."""

        def found():
            for one in self.api.messages():
                about = one["metadata"]["event_payload"]["request"] == request.id
                if about and request.digest in json.dumps(one["blocks"]):
                    return one
            return None

        return eventually(found, PATIENCE)

    def say(self, decision, request):
        """Click, and fill in the form that opens."""
        user, message = self.api.users[IDS[decision.by]], self.message(request)
        match decision:
            case Approve(note=note):
                user.click(message, "approve")
                if request.risk is Risk.CRITICAL:
                    eventually(lambda: user.view)
                    user.submit(confirm=request.digest[:6], note=note)
            case Reject(reason=reason):
                user.click(message, "reject")
                eventually(lambda: user.view)
                user.submit(reason=reason)
            case Edit(arguments=arguments, note=note):
                user.click(message, "edit")
                eventually(lambda: user.view)
                names = [one.name for one in request.parameters]
                typed = {f"value_{names.index(n)}": str(v) for n, v in arguments.items()}
                user.submit(**typed, note=note)
                assert user.errors == {}


def settings(folder, api):
    """Write the settings; return the variables that go with them."""
    (folder / "slack.toml").write_text(TOML.format(team=api.team, api=api.url))
    return {"SLACK_BOT_TOKEN": api.bot_token, "SLACK_APP_TOKEN": api.app_token, "COLUMNS": "200"}


@contextmanager
def started(app, *words, folder, **more):
    """Start an app and leave it running for the time of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", f"apps.{app}", *words],
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(app, *words, folder, **more):
    """Run an app to its end, and return what it has printed."""
    with started(app, *words, folder=folder, **more) as process:
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        return out


def records(api):
    """The messages that have no buttons any more."""
    return [
        one
        for one in api.messages()
        if not any(block["type"] == "actions" for block in one["blocks"])
    ]


SHOP = ("init", "shop.duckdb", "--rows", "2000")
ANALYSIS = ("--database", "shop.duckdb", "--store", "approvals.db", "--chat", "slack.toml")


def orders(folder):
    """How many test orders there are, and which tables."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as db:
        [(count,)] = db.sql("SELECT count(*) FROM orders WHERE note = 'TEST'").fetchall()
        return count, {name for (name,) in db.sql("SHOW TABLES").fetchall()}


def test_analysis(api, tmp_path):
    """The data is tidied up as Ana wants, and the agent says what it says when she is a script."""
    env = settings(tmp_path, api)
    for name in ("shop.duckdb", "again.duckdb"):
        ended("analysis", "init", name, "--rows", "2000", folder=tmp_path)
    ana, team = person(Ana()), Team(api)

    def decide(request):
        import asyncio

        return [asyncio.run(ana(request))]

    words = (*ANALYSIS, "--approver", "slack")
    with started("analysis", *words, folder=tmp_path, **env) as process:
        asked, out = play(process, tmp_path / "approvals.db", decide, team.say)
    words = ("--database", "again.duckdb", "--approver", "scripted")
    scripted = ended("analysis", *words, folder=tmp_path, COLUMNS="200")
    assert words_of(out) == words_of(scripted) and asked >= 4
    count, tables = orders(tmp_path)
    assert count == 0 and any(name.startswith("archived_") for name in tables)
    assert len(records(api)) == len(api.messages()) >= 3


def test_analysis_killed_between_message_and_click(api, tmp_path):
    """A click on a message whose program is gone changes no data; a new start asks anew."""
    env = settings(tmp_path, api)
    ended("analysis", *SHOP, folder=tmp_path)
    before, ana = orders(tmp_path), api.users["U1ANA"]
    words = (*ANALYSIS, "--approver", "slack", "sql", "DELETE FROM orders WHERE note = 'TEST'")
    with started("analysis", *words, folder=tmp_path, **env):
        old = eventually(lambda: api.is_connected and api.messages(), PATIENCE)[0]
    eventually(lambda: not api.is_connected)
    assert ana.click(old, "approve") is None and orders(tmp_path) == before
    with started("analysis", *words, folder=tmp_path, **env) as process:
        new = eventually(lambda: api.is_connected and api.messages()[1:], PATIENCE)[0]
        ana.click(old, "approve")
        eventually(lambda: len(waiting(tmp_path / "approvals.db")) == 1)
        assert orders_unchanged(process, tmp_path, before)
        ana.click(new, "approve")
        assert process.wait(PATIENCE) == 0
    assert orders(tmp_path)[0] == 0
    with open_store(str(tmp_path / "approvals.db")) as store:
        assert {one.state for one in store.search()} == {State.APPROVED, State.SUCCEEDED}


def orders_unchanged(process, folder, before):
    """Whether the data is as it was, as far as another process can look."""
    try:
        return orders(folder) == before
    except duckdb.Error:  # the program has the file open, and has not changed it
        return process.poll() is None


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """v1.0 is in production; v1.2 and v1.3 were healthy in staging too."""
    earlier = [("v1.0", "staging"), ("v1.0", "production"), ("v1.2", "staging")]
    return begun(tmp_path_factory.mktemp("begun"), *earlier, ("v1.3", "staging"))


def managers(request):
    """What Ana and Bo say in the app's own story."""
    if request.risk is Risk.CRITICAL:
        return [Reject(by="ana", reason=f"a migration is in it: ship {BEFORE} first, on its own")]
    return [Approve(by="bo"), Approve(by="ana", note="a small step, and proven in staging")]


def test_deploy(api, shop, tmp_path):
    """Two release managers decide in Slack; the agent ships first what they want first."""
    with sat_at(shop, tmp_path) as desk:
        env = settings(desk.folder, api)
        words = ("--approver", "slack", "--as", "dee")
        with desk.started(*words, **env) as process:
            asked, out = play(process, desk.store, managers, Team(api).say)
        assert asked >= 2 and words_of(out)
        assert desk.live("production") == desk.commit(BEFORE)
        [stored, *_] = [one for one in desk.stored() if one.state is State.SUCCEEDED]
        assert {(vote.by, vote.window) for vote in stored.votes if stored.votes} <= {
            ("ana", "Slack"),
            ("bo", "Slack"),
        }


def test_deploy_asks_on_the_web_as_well(api, shop, tmp_path):
    """Slack and the dashboard stand side by side: the page is there, and votes add up."""
    with sat_at(shop, tmp_path) as desk:
        env = settings(desk.folder, api)
        words = ("--approver", "slack", "--as", "dee", "deploy", "v1.2", "production")
        with desk.started(*words, **env) as process:
            request = desk.asked()
            assert "The dashboard is at" in process.stderr.readline() + process.stderr.readline()
            Team(api).say(Approve(by="bo"), request)
            eventually(lambda: desk.get(request).votes, PATIENCE)
            assert desk.says("approve", request, "ana").returncode == 0
            assert process.wait(PATIENCE) == 0
        assert desk.live("production") == desk.commit("v1.2")
        votes = {vote.by: vote.window.split()[0] for vote in desk.get(request).votes}
        assert votes == {"bo": "Slack", "ana": "command"}


def test_support(api, tmp_path):
    """Leads and managers decide about refunds in Slack, with edits, as in the app's own story."""
    ended("support", "init", "desk", folder=tmp_path)
    env, team = settings(tmp_path / "desk", api), Team(api)

    def decide(request):
        return [{"refund": word_on_refund, "reply": word_on_reply}[request.name](request)]

    words = ("--config", "desk/support.toml", "--approver", "slack", "--as", "dee")
    with started("support", *words, folder=tmp_path, **env) as process:
        asked, out = play(process, tmp_path / "desk" / "approvals.db", decide, team.say)
    assert asked >= 5 and words_of(out)
    with open_store(str(tmp_path / "desk" / "approvals.db")) as store:
        ended_as = {one.state for one in store.search(limit=1000)}
        voted = [vote for one in store.search(limit=1000) for vote in one.votes]
    assert ended_as <= {State.SUCCEEDED, State.REJECTED} and {v.window for v in voted} == {"Slack"}
    assert len(records(api)) == len(api.messages())


@pytest.mark.parametrize("app", ["analysis", "deploy", "support"])
def test_without_settings_it_is_one_sentence(app, tmp_path):
    """Who asks for Slack and has no slack.toml is told, and nothing starts."""
    words = {
        "analysis": ["--database", "shop.duckdb", "--store", "a.db", "sql", "SELECT 1"],
        "deploy": ["--config", "house/deploy.toml", "status"],
        "support": ["--config", "house/support.toml", "close", "t-0"],
    }[app]
    made = ["init", "shop.duckdb", "--rows", "50"] if app == "analysis" else ["init", "house"]
    ended(app, *made, folder=tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", f"apps.{app}", "--approver", "slack", *words],
        cwd=tmp_path,
        env=environment(PATH=os.environ["PATH"]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "slack.toml cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
