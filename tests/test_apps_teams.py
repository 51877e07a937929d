"""The whole story of each app in Teams: what people press there is what happens."""

import asyncio
import json
import re
import socket

import pytest
from chat_story import PATIENCE, play, words_of
from deploy_program import begun, sat_at
from people import eventually
from teams_api import TeamsApi
from test_apps_slack import ANALYSIS, SHOP, ended, managers, orders, started
from test_teams import ANA, BO, TOML

from apps.analysis.__main__ import person
from apps.analysis.ana import Ana
from apps.deploy.__main__ import BEFORE
from apps.support.__main__ import word_on_refund, word_on_reply
from core import Approve, Edit, Reject, Risk, State
from core.stores.open import open_store

pytestmark = pytest.mark.slow  # every test starts programs

MIA = "44444444-4444-4444-8444-444444444444"
IDS = {"ana": ANA, "bo": BO, "mia": MIA}


@pytest.fixture
def api():
    with TeamsApi() as made:
        for user in IDS.values():
            made.user(user)
        yield made


class Team:
    """People in Teams who do with a message what a decision says."""

    def __init__(self, api):
        self.api = api

    def message(self, request):
        """Wait for the message about what waits now, and return it."""

        def found():
            for one in self.api.messages():
                if (
                    f'"{request.id}"' in (card := json.dumps(one["card"]))
                    and request.digest in card
                ):
                    return one
            return None

        return eventually(found, PATIENCE)

    def say(self, decision, request):
        """Press a button, with the form filled in."""
        user, message = self.api.users[IDS[decision.by]], self.message(request)
        match decision:
            case Approve():
                digits = {"confirm": request.digest[:6]} if request.risk is Risk.CRITICAL else {}
                user.execute(message, "approve", digits)
            case Reject(reason=reason):
                user.execute(message, "reject", {"reason": reason})
            case Edit(arguments=arguments, note=note):
                names = [one.name for one in request.parameters]
                typed = {f"value.{names.index(n)}": str(v) for n, v in arguments.items()}
                user.execute(message, "edit", {**typed, "note": note})


def settings(folder, api):
    """Write the settings with a port that is free; return the variables that go with them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = TOML.format(
        tenant=api.tenant,
        app=api.app,
        conversation=api.conversation,
        service=api.service,
        port=port,
        ana=ANA,
        bo=BO,
    )
    (folder / "teams.toml").write_text(f'{text}{MIA} = "mia"\n')
    api.bot_url = f"http://127.0.0.1:{port}/api/messages"
    return {**api.environ, "TEAMS_CLIENT_SECRET": api.secret, "COLUMNS": "200"}


def have_buttons(api):
    """The messages with which something can still be decided."""
    return [one for one in api.messages() if re.search(r'"verb": "(approve|reject)"', str(one))]


def test_analysis(api, tmp_path):
    """The data is tidied up as Ana wants, by what she presses and fills in."""
    env = settings(tmp_path, api)
    ended("analysis", *SHOP, folder=tmp_path)
    ana, team = person(Ana()), Team(api)

    def decide(request):
        return [asyncio.run(ana(request))]

    words = [
        word.replace("slack.toml", "teams.toml") for word in (*ANALYSIS, "--approver", "teams")
    ]
    with started("analysis", *words, folder=tmp_path, **env) as process:
        asked, out = play(process, tmp_path / "approvals.db", decide, team.say)
    assert asked >= 4 and words_of(out)
    count, tables = orders(tmp_path)
    assert count == 0 and any(name.startswith("archived_") for name in tables)
    assert not have_buttons(api)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """v1.0 is in production; v1.2 and v1.3 were healthy in staging too."""
    earlier = [("v1.0", "staging"), ("v1.0", "production"), ("v1.2", "staging")]
    return begun(tmp_path_factory.mktemp("begun"), *earlier, ("v1.3", "staging"))


def test_deploy(api, shop, tmp_path):
    """Two release managers decide in Teams; the agent ships first what they want first."""
    with sat_at(shop, tmp_path) as desk:
        env = settings(desk.folder, api)
        with desk.started("--approver", "teams", "--as", "dee", **env) as process:
            asked, out = play(process, desk.store, managers, Team(api).say)
        assert asked >= 2 and words_of(out)
        assert desk.live("production") == desk.commit(BEFORE)
        voted = {(vote.by, vote.window) for one in desk.stored() for vote in one.votes}
        assert voted == {("ana", "Teams"), ("bo", "Teams")}


def test_support(api, tmp_path):
    """Leads and managers decide about refunds in Teams, with edits, as in the app's own story."""
    ended("support", "init", "desk", folder=tmp_path)
    env, team = settings(tmp_path / "desk", api), Team(api)

    def decide(request):
        return [{"refund": word_on_refund, "reply": word_on_reply}[request.name](request)]

    words = ("--config", "desk/support.toml", "--approver", "teams", "--as", "dee")
    with started("support", *words, folder=tmp_path, **env) as process:
        asked, out = play(process, tmp_path / "desk" / "approvals.db", decide, team.say)
    assert asked >= 5 and words_of(out)
    with open_store(str(tmp_path / "desk" / "approvals.db")) as store:
        found = [*store.search(limit=1000)]
    assert {one.state for one in found} <= {State.SUCCEEDED, State.REJECTED}
    assert {vote.window for one in found for vote in one.votes} == {"Teams"}
    assert not have_buttons(api)
