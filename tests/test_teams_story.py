"""Whole stories in Teams: agents and apps ask, people press buttons, and cards tell the truth."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta

import duckdb
import pytest
from chat_story import PATIENCE, play, words_of
from deploy_program import begun, sat_at
from people import eventually
from support_program import environment
from teams_api import TeamsApi
from teams_people import NotThere, verbs
from teams_rules import texts

from apps.analysis.__main__ import person
from apps.analysis.ana import Ana
from apps.deploy.__main__ import BEFORE
from apps.support.__main__ import word_on_refund, word_on_reply
from core import (
    Approve,
    Edit,
    NotAnswered,
    Panel,
    Reject,
    Rejected,
    Risk,
    SqliteStore,
    State,
    gate,
)
from core.approvers.chat.board import Patience
from core.approvers.chat.listening import Address
from core.approvers.chat.people import People
from core.approvers.teams import Settings, Teams
from core.stores.open import open_store

IDS = {
    name: f"8f0ee1f0-0000-4000-8000-00000000000{n}" for n, name in enumerate(["ana", "bo", "mia"])
}
BOTH = Panel(members=frozenset(IDS), votes=2)
TOML = """
tenant = "{tenant}"
app = "{app}"
conversation = "{conversation}"
[http]
port = {port}
[people]
"""


@pytest.fixture
def api():
    with TeamsApi() as made:
        for name, oid in IDS.items():
            made.user(oid, name.title())
        yield made


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


@pytest.fixture
def teams(api, store, tmp_path):
    told = []
    settings = Settings(
        app=api.app,
        conversation=api.conversation,
        people=People(team=api.tenant, names={oid: name for name, oid in IDS.items()}),
        client_secret=api.secret,
        http=Address(port=0),
    )
    made = Teams(store, settings, notes=tmp_path / "approvals.db.teams", say=told.append)
    made.board._patience = Patience(first=0.05, most=0.1)
    api.bot_url = told[0].split()[-1]
    yield made
    made.close()


class Refunds:
    """A gated function that is called in threads, and what became of each call."""

    def __init__(self, store, approver, **options):
        self.ran, self.ended = [], []
        self.fn = gate(self.refund, approver=approver, store=store, **options)

    def refund(self, charge: str, amount: int, note: str | None = None) -> str:
        """Pay back."""
        self.ran.append((charge, amount, note))
        return f"{charge}: {amount} paid back"

    def start(self, *args):
        """Call it in a thread."""

        def work():
            try:
                self.ended.append(self.fn(*args))
            except Exception as error:
                self.ended.append(error)

        threading.Thread(target=work, daemon=True).start()

    def end(self, number=1):
        """Return how the call ended that was the n-th to end."""
        return eventually(lambda: self.ended[number - 1 :], 20)[0]


def asked(api, number=0):
    """Return a message of the channel, once it is there."""
    return eventually(lambda: api.messages()[number:], 10)[0]


def until_it_says(api, message, words):
    """Return the card for all once it says those words."""

    def now():
        card = api.message(message)["card"]
        return words in texts(card) and card

    return eventually(now, 10)


def test_an_agent_adapts_to_what_people_say(api, store, teams):
    """Rejected, it asks for less; edited, less than that runs; each card becomes its record."""
    calls, ana, bo = Refunds(store, teams), api.user(IDS["ana"]), api.user(IDS["bo"])
    calls.start("ch_1", 4500)
    first = asked(api)
    ana.execute(first, "reject", reason="only the shipping, 4.90")
    why = calls.end()
    assert isinstance(why, Rejected) and "only the shipping, 4.90" in str(why) and not calls.ran
    assert verbs(until_it_says(api, first, "Rejected by ana")) == []
    calls.start("ch_1", 500)
    second = asked(api, 1)
    bo.execute(second, "edit", {"value.1": "four ninety"})
    assert "This is not a whole number." in texts(bo.see(second)) and not calls.ran
    bo.execute(second, "edit", {"value.1": "490", "value.2": "they keep it", "none.2": False})
    assert "490 paid back" in str(calls.end(2)) and calls.ran == [("ch_1", 490, "they keep it")]
    assert verbs(until_it_says(api, second, "It ran and succeeded")) == []
    [reply] = eventually(lambda: api.replies(second), 10)
    assert "490 paid back" in texts(reply["card"]) and api.strangers == []


def test_two_people_decide_about_what_is_critical(api, store, teams):
    """Each types what they saw of the digest; who has voted has no button left; it runs once."""
    calls = Refunds(store, teams, panel=BOTH, risk=Risk.CRITICAL)
    calls.start("ch_1", 4500)
    message, digest = asked(api), store.pending()[0].request.digest
    ana, mia = api.user(IDS["ana"]), api.user(IDS["mia"])
    ana.execute(message, "approve", confirm="0" * 6)
    assert store.pending()[0].votes == ()
    ana.execute(message, "approve", confirm=digest[:6])
    until_it_says(api, message, "ana approved in Teams")
    with pytest.raises(NotThere):
        ana.execute(api.message(message), "approve", confirm=digest[:6])
    ana.execute(message, "approve", confirm=digest[:6])
    assert len(store.pending()[0].votes) == 1 and not calls.ran
    mia.execute(api.message(message), "approve", confirm=digest[:6])
    assert calls.end() == "ch_1: 4500 paid back" and len(calls.ran) == 1
    assert [(one.by, one.window) for one in store.search()[0].votes] == [
        ("ana", "Teams"),
        ("mia", "Teams"),
    ]


@pytest.mark.slow
def test_silence_changes_nothing(api, store, teams):
    """Nobody answers: it does not run, the agent hears of silence, and a late press is too late."""
    calls = Refunds(store, teams, decide_within=timedelta(seconds=1))
    calls.start("ch_1", 4500)
    message = asked(api)
    assert isinstance(calls.end(), NotAnswered) and store.search()[0].state is State.EXPIRED
    eventually(lambda: verbs(api.message(message)["card"]) == [], 10)
    api.user(IDS["ana"]).execute(message, "approve")
    assert not calls.ran and verbs(api.user(IDS["ana"]).see(message)) == []


def test_an_answer_elsewhere_ends_it_here(api, store, teams):
    """Somebody decides in another window; the card says so, and its old button does nothing."""
    calls = Refunds(store, teams)
    calls.start("ch_1", 4500)
    message, waiting = asked(api), store.pending()[0].request
    store.vote(waiting.id, Approve(by="mia"), digest=waiting.digest, window="dashboard")
    assert calls.end() == "ch_1: 4500 paid back"
    until_it_says(api, message, "mia approved in dashboard")
    api.user(IDS["ana"]).execute(message, "reject", reason="no")
    assert len(calls.ran) == 1 and [vote.by for vote in store.search()[0].votes] == ["mia"]


class Team:
    """People in Teams who do with a card what a decision says."""

    def __init__(self, api):
        self.api = api

    def message(self, request):
        """Wait for the message about what waits now, and return it."""

        def found():
            about = json.dumps({"request": request.id, "digest": request.digest})
            return [one for one in self.api.messages() if about in json.dumps(one["card"])]

        return eventually(found, PATIENCE)[0]

    def say(self, decision, request):
        """Press a button, with what belongs into its fields."""
        user, message = self.api.user(IDS[decision.by]), self.message(request)
        match decision:
            case Approve():
                critical = {"confirm": request.digest[:6]}
                inputs = critical if request.risk is Risk.CRITICAL else {}
                user.execute(message, "approve", inputs)
            case Reject(reason=reason):
                user.execute(message, "reject", reason=reason)
            case Edit(arguments=arguments, note=note):
                names = [one.name for one in request.parameters]
                typed = {f"value.{names.index(n)}": str(v) for n, v in arguments.items()}
                user.execute(message, "edit", typed, note=note)
        assert user.toasts == []


def settings(folder, api):
    """Write the settings; return the variables that go with them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    named = "".join(f'"{oid}" = "{name}"\n' for name, oid in IDS.items())
    about = {"tenant": api.tenant, "app": api.app, "conversation": api.conversation}
    (folder / "teams.toml").write_text(TOML.format(**about, port=port) + named)
    api.bot_url = f"http://127.0.0.1:{port}/api/messages"
    return {**api.environ, "TEAMS_CLIENT_SECRET": api.secret, "COLUMNS": "200"}


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


def all_are_records(api):
    """Whether no card has a button any more."""
    return [verbs(one["card"]) for one in api.messages()] == [[]] * len(api.messages())


@pytest.mark.slow
def test_analysis(api, tmp_path):
    """The data is tidied up as Ana wants, and the agent says what it says when she is a script."""
    env, ana = settings(tmp_path, api), person(Ana())
    for name in ("shop.duckdb", "again.duckdb"):
        ended("analysis", "init", name, "--rows", "2000", folder=tmp_path)
    words = ("--database", "shop.duckdb", "--store", "approvals.db", "--chat", "teams.toml")
    with started("analysis", *words, "--approver", "teams", folder=tmp_path, **env) as process:
        questions, out = play(
            process,
            tmp_path / "approvals.db",
            lambda request: [asyncio.run(ana(request))],
            Team(api).say,
        )
    words = ("--database", "again.duckdb", "--approver", "scripted")
    scripted = ended("analysis", *words, folder=tmp_path, COLUMNS="200")
    assert words_of(out) == words_of(scripted) and questions >= 4
    with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as db:
        assert db.sql("SELECT count(*) FROM orders WHERE note = 'TEST'").fetchall() == [(0,)]
    assert all_are_records(api) and len(api.messages()) >= 3 and api.strangers == []


@pytest.mark.slow
def test_deploy(api, tmp_path_factory):
    """Two release managers decide in Teams; the agent ships first what they want first."""

    def managers(request):
        if request.risk is Risk.CRITICAL:
            return [Reject(by="ana", reason=f"a migration is in it: ship {BEFORE} first, alone")]
        return [Approve(by="bo"), Approve(by="ana")]

    earlier = [("v1.0", "staging"), ("v1.0", "production"), ("v1.2", "staging")]
    shop = begun(tmp_path_factory.mktemp("begun"), *earlier, ("v1.3", "staging"))
    with sat_at(shop, tmp_path_factory.mktemp("desk")) as desk:
        env = settings(desk.folder, api)
        with desk.started("--approver", "teams", "--as", "dee", **env) as process:
            questions, out = play(process, desk.store, managers, Team(api).say)
        assert questions >= 2 and words_of(out)
        assert desk.live("production") == desk.commit(BEFORE)
        voted = {(vote.by, vote.window) for one in desk.stored() for vote in one.votes}
        assert {("ana", "Teams"), ("bo", "Teams")} <= voted and all_are_records(api)


@pytest.mark.slow
def test_support(api, tmp_path):
    """Leads and managers decide about refunds in Teams, with edits, as in the app's own story."""
    ended("support", "init", "desk", folder=tmp_path)
    env, says = settings(tmp_path / "desk", api), {"refund": word_on_refund, "reply": word_on_reply}
    words = ("--config", "desk/support.toml", "--approver", "teams", "--as", "dee")
    place = tmp_path / "desk" / "approvals.db"
    with started("support", *words, folder=tmp_path, **env) as process:
        questions, out = play(
            process, place, lambda request: [says[request.name](request)], Team(api).say
        )
    assert questions >= 5 and words_of(out)
    with open_store(str(place)) as store:
        stored = store.search(limit=1000)
    assert {one.state for one in stored} <= {State.SUCCEEDED, State.REJECTED}
    assert {vote.window for one in stored for vote in one.votes} == {"Teams"}
    assert all_are_records(api)
