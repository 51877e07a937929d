"""Whole stories in Teams: an agent asks, people press buttons, and the card tells the truth."""

from datetime import timedelta

import pytest
from calling import Calls
from people import eventually
from teams_api import TeamsApi
from teams_people import NotThere, verbs
from teams_rules import texts

from core import Approve, NotAnswered, Panel, Rejected, Risk, SqliteStore, State
from core.approvers.chat.listening import Address
from core.approvers.chat.people import People
from core.approvers.patience import Patience
from core.approvers.teams import Settings, Teams

IDS = {
    name: f"8f0ee1f0-0000-4000-8000-00000000000{n}" for n, name in enumerate(["ana", "bo", "mia"])
}
BOTH = Panel(members=frozenset(IDS), votes=2)


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
    calls, ana, bo = Calls(store, teams), api.user(IDS["ana"]), api.user(IDS["bo"])
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
    calls = Calls(store, teams, panel=BOTH, risk=Risk.CRITICAL)
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
    calls = Calls(store, teams, decide_within=timedelta(seconds=3))
    calls.start("ch_1", 4500)
    message = asked(api)
    assert isinstance(calls.end(), NotAnswered) and store.search()[0].state is State.EXPIRED
    eventually(lambda: verbs(api.message(message)["card"]) == [], 10)
    api.user(IDS["ana"]).execute(message, "approve")
    assert not calls.ran and verbs(api.user(IDS["ana"]).see(message)) == []


def test_an_answer_elsewhere_ends_it_here(api, store, teams):
    """Somebody decides in another window; the card says so, and its old button does nothing."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message, waiting = asked(api), store.pending()[0].request
    store.vote(waiting.id, Approve(by="mia"), digest=waiting.digest, window="dashboard")
    assert calls.end() == "ch_1: 4500 paid back"
    until_it_says(api, message, "mia approved in dashboard")
    api.user(IDS["ana"]).execute(message, "reject", reason="no")
    assert len(calls.ran) == 1 and [vote.by for vote in store.search()[0].votes] == ["mia"]
