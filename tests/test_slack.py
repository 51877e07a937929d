"""Approvals in Slack, over real HTTP and websockets to a workspace on this machine."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from calling import Calls
from people import YES, eventually
from slack_api import SlackApi

from core import Approve, NotAnswered, Panel, Preview, Rejected, Risk, SqliteStore, State, gate
from core.approvers.chat.people import People
from core.approvers.chat.settings import Escalation
from core.approvers.patience import Patience
from core.approvers.slack import Settings, Slack, read_settings
from core.approvers.slack.socket_mode import SocketMode
from core.display import MAX_SHOWN

ROOT = Path(__file__).parent.parent
NAMES = {"U1ANA": "ana", "U2BO": "bo", "U3CY": "cy"}
BOTH = Panel(members=frozenset({"ana", "bo", "cy"}), votes=2)


@pytest.fixture
def api():
    with SlackApi() as made:
        for user in (*NAMES, "U9EVE"):
            made.user(user)
        yield made


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


@pytest.fixture
def told():
    return []


@pytest.fixture
def slack(api, store, tmp_path, told):
    made = Slack(store, settings(api), notes=tmp_path / "approvals.db.slack", say=told.append)
    made.board._patience = Patience(first=0.05, most=0.1)
    yield made
    made.close()


def settings(api, **options):
    """Return the settings for a workspace."""
    return Settings(
        **{
            "channel": "C024BE91L",
            "people": People(team=api.team, names=NAMES),
            "bot_token": api.bot_token,
            "app_token": api.app_token,
            "api": api.url,
            **options,
        }
    )


def shown(api, *, channel="C024BE91L", number=0):
    """Return a message, once it is there and somebody hears clicks."""
    eventually(lambda: api.is_connected or api.request_url)
    return eventually(lambda: api.messages(channel)[number:])[0]


def text_of(message):
    """All words of a message."""
    return json.dumps(message["blocks"], ensure_ascii=False)


def buttons(message):
    """The names of its buttons."""
    return [
        one["action_id"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for one in block["elements"]
    ]


def now(api, message):
    """The same message as it is now."""
    return next(one for one in api.messages(message["channel"]) if one["ts"] == message["ts"])


def until_it_says(api, message, words):
    """Return the message once it says those words."""
    return eventually(lambda: (m := now(api, message)) and words in text_of(m) and m, 10)


def test_a_click_approves_and_the_message_becomes_the_record(api, store, slack):
    """It runs once, the buttons are gone, and the outcome stands under the message."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message = shown(api)
    assert buttons(message) == ["approve", "edit", "reject"] and "ch_1" in text_of(message)
    assert message["metadata"]["event_payload"] == {"request": store.pending()[0].request.id}
    api.users["U1ANA"].click(message, "approve")
    assert calls.end() == "ch_1: 4500 paid back" and calls.ran == [("ch_1", 4500, None)]
    record = until_it_says(api, message, "It ran and succeeded")
    assert buttons(record) == [] and "ana approved in Slack" in text_of(record)
    [reply] = eventually(lambda: api.replies(message))
    assert "4500 paid back" in text_of(reply)
    [vote] = store.search()[0].votes
    assert (vote.by, vote.window) == ("ana", "Slack")


def test_a_rejection_asks_why_and_the_agent_reads_it(api, store, slack):
    """Nothing runs, and the reason reaches the agent word for word."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    ana = api.users["U1ANA"]
    ana.click(shown(api), "reject")
    eventually(lambda: ana.view)
    ana.submit(reason="only the shipping, 4.90")
    assert "only the shipping, 4.90" in str(calls.end()) and not calls.ran
    assert ana.view is None
    assert buttons(until_it_says(api, shown(api), "Rejected by ana")) == []


def test_an_edit_is_made_in_a_form(api, store, slack):
    """What is wrong stands beside the field; what is right runs instead, and the agent learns."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    ana = api.users["U1ANA"]
    ana.click(shown(api), "edit")
    eventually(lambda: ana.view)
    ana.submit(value_1="a lot")
    assert ana.errors == {"value.1": "This is not a whole number."} and not calls.ran
    ana.submit(value_1="490", value_2="they keep it", none_2=False, note="half")
    assert ana.view is None and ana.errors == {}
    assert str(calls.end()).startswith("ch_1: 490 paid back")
    assert calls.ran == [("ch_1", 490, "they keep it")]
    until_it_says(api, shown(api), "It ran and succeeded")


def test_what_the_gate_refuses_stands_beside_the_field(api, store, slack):
    """An edit that the function's own annotations forbid comes back with the reason."""
    calls = Calls(store, slack)

    def plan(days: int, where: str) -> str:
        """Plan."""
        return f"{days} in {where}"

    def one_week(days: int) -> bool:
        """A week at most."""
        return days > 7

    from core.policies.conditional import RejectIf

    calls.fn = gate(
        plan,
        approver=slack,
        store=store,
        policies=[RejectIf(one_week, because="a week at most")],
    )
    calls.start(3, "Bonn")
    bo = api.users["U2BO"]
    bo.click(shown(api), "edit")
    eventually(lambda: bo.view)
    bo.submit(value_0="30")
    assert "a week at most" in " ".join([*bo.errors.values(), *bo.heard])
    assert store.pending()[0].request.arguments["days"] == 3
    api.users["U1ANA"].click(shown(api), "approve")
    assert calls.end() == "3 in Bonn"


def test_two_of_a_panel(api, store, slack):
    """The message names who has voted and who is missing; the second vote decides."""
    calls = Calls(store, slack, panel=BOTH)
    calls.start("ch_1", 4500)
    message = shown(api)
    assert "2 more votes of ana, bo, cy" in text_of(message)
    api.users["U1ANA"].click(message, "approve")
    half = until_it_says(api, message, "1 more vote of bo, cy")
    assert "ana approved in Slack" in text_of(half) and not calls.ran
    api.users["U1ANA"].click(half, "approve")  # a second click of the same person
    eventually(lambda: len(api.users["U1ANA"].heard) == 2)
    assert len(store.pending()[0].votes) == 1
    api.users["U2BO"].click(half, "approve")
    assert calls.end() == "ch_1: 4500 paid back"


def test_a_stranger_is_told_so(api, store, slack):
    """Somebody whom the map does not know has no vote, and neither has their form."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, eve = shown(api), api.users["U9EVE"]
    for action in ("approve", "edit", "reject"):
        eve.click(message, action)
    eventually(lambda: len(eve.heard) == 3)
    assert eve.view is None and "not among the people" in eve.heard[0]
    assert not store.pending()[0].votes
    api.users["U1ANA"].click(message, "approve")
    calls.end()


def test_another_workspace_changes_nothing(api, store, slack):
    """Buttons of another team, or a guest in a shared channel, count for nobody, who hears it."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users["U1ANA"]
    payload = ana.clicked(message, "approve")
    ana.send({**payload, "team": {"id": "T0OTHER", "domain": "other"}})
    eventually(lambda: ana.heard)
    assert "nothing for your workspace" in ana.heard[0]
    guest = {**payload, "user": {**payload["user"], "team_id": "T0OTHER"}}
    ana.send(guest)
    eventually(lambda: len(ana.heard) == 2)
    assert not store.pending()[0].votes and "not among the people" in ana.heard[1]
    ana.click(message, "approve")
    calls.end()


def test_nobody_makes_us_call_another_address(api, store, slack):
    """What a click names as its address is used only where Slack is."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users["U1ANA"]
    click = {**ana.clicked(message, "approve"), "team": {"id": "T0OTHER", "domain": "other"}}
    with SlackApi() as elsewhere:
        there = elsewhere.response_url(elsewhere.user("U1ANA"), message["channel"])
        for url in (there, "ftp://x/y", "http://[", "", "//"):
            ana.send({**click, "response_url": url})
        ana.send(click)
        eventually(lambda: ana.heard)
        assert len(ana.heard) == 1 and not elsewhere.ephemerals
    ana.click(message, "approve")
    calls.end()


@pytest.mark.parametrize(
    "change",
    [
        {"actions": []},
        {"actions": [{"action_id": "approve", "value": "nonsense"}]},
        {"actions": [{"action_id": "approve", "value": "0" * 32 + "." + "0" * 64}]},
        {"actions": [{"action_id": "approve", "value": "'; DROP TABLE requests"}]},
        {"actions": [{"action_id": "steal"}]},
        {"container": None},
        {"user": "U1ANA"},
        {"type": "shortcut"},
        {"team": None},
        {"actions": "approve"},
    ],
)
def test_what_makes_no_sense_decides_nothing(api, store, slack, change):
    """Whatever arrives is acknowledged, and changes nothing."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users["U1ANA"]
    assert ana.send({**ana.clicked(message, "approve"), **change}) == {}
    assert not store.pending()[0].votes
    ana.click(message, "approve")
    assert calls.end() == "ch_1: 4500 paid back"


def test_a_stale_message_decides_nothing(api, store, slack):
    """After an edit the old buttons are about another call, and whoever clicks them is told."""
    calls = Calls(store, slack, panel=BOTH)
    calls.start("ch_1", 4500)
    old, bo = shown(api), api.users["U2BO"]
    bo.click(old, "edit")
    eventually(lambda: bo.view)
    bo.submit(value_1="490")
    fresh = until_it_says(api, old, "490")
    ana = api.users["U1ANA"]
    ana.click(old, "approve")
    eventually(lambda: ana.heard)
    assert "not what waits now" in ana.heard[0]
    assert [vote.by for vote in store.pending()[0].votes] == ["bo"]
    ana.click(fresh, "approve")
    assert str(calls.end()).startswith("ch_1: 490 paid back")


def test_clicks_after_the_end_are_told_the_truth(api, store, slack):
    """Whoever clicks late, or twice, hears what is true, and nothing happens again."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, ana, bo = shown(api), api.users["U1ANA"], api.users["U2BO"]
    ana.click(message, "approve")
    calls.end()
    for who in (ana, bo):
        for action in ("approve", "reject", "edit"):
            who.click(message, action)
    eventually(lambda: len(bo.heard) == 3 and len(ana.heard) == 4)
    assert "It ran and succeeded" in bo.heard[0] and len(calls.ran) == 1


def test_a_form_that_comes_too_late_is_told_the_truth(api, store, slack):
    """Between opening a form and sending it somebody else may decide."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users["U1ANA"]
    ana.click(message, "reject")
    eventually(lambda: ana.view)
    api.users["U2BO"].click(message, "approve")
    calls.end()
    ana.submit(reason="too late")
    eventually(lambda: ana.heard)
    assert "changes nothing" in ana.heard[-1] and store.search()[0].state is State.SUCCEEDED


def test_what_is_critical_takes_the_digest(api, store, slack):
    """One click opens a form; only the beginning of the digest approves."""
    calls = Calls(store, slack, risk=Risk.CRITICAL)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users["U1ANA"]
    ana.click(message, "approve")
    eventually(lambda: ana.view)
    ana.submit(confirm="000000")
    assert set(ana.errors) == {"confirm"} and not calls.ran
    ana.submit(confirm=store.pending()[0].request.digest[:6], note="read it")
    assert calls.end() == "ch_1: 4500 paid back"


def test_what_is_too_large_is_decided_elsewhere(api, store, tmp_path):
    """There is no button that approves, only one that rejects, and a link to the dashboard."""
    window = Slack(
        store,
        settings(api, dashboard="https://approvals.example.org"),
        notes=tmp_path / "notes",
        say=print,
    )
    calls = Calls(store, window)
    calls.start("x" * (MAX_SHOWN // 10), 1)
    message = shown(api)
    assert buttons(message) == ["reject", "dashboard"]
    ana, request = api.users["U1ANA"], store.pending()[0].request
    link = message["blocks"][-1]["elements"][-1]["url"]
    assert link == f"https://approvals.example.org/requests/{request.id}"
    ana.click(message, "reject")
    eventually(lambda: ana.view)
    ana.submit(reason="shorter, please")
    assert isinstance(calls.end(), Rejected)
    window.close()


MARKUP = (
    "<!channel> <@U2BO> *bold* _i_ `c` ~s~ <https://evil.example|here> :tada: & https://x.example"
)


def test_markup_in_an_argument_is_only_text(api, store, slack):
    """Nobody is called, linked or fooled by what an agent writes."""
    calls = Calls(store, slack, preview=lambda charge: Preview(summary=MARKUP))
    calls.start(MARKUP, 1)
    message = shown(api)
    parts = [
        one
        for block in message["blocks"]
        if block["type"] == "rich_text"
        for part in block["elements"]
        for one in part["elements"]
    ]
    assert {one["type"] for one in parts} <= {"text", "emoji"}
    assert any(MARKUP in one.get("text", "") for one in parts)
    assert not any(block["type"] == "section" for block in message["blocks"])
    posted = next(fields for method, fields in api.calls if method == "chat.postMessage")
    assert "<" not in posted["text"] and "@" not in posted["text"]
    assert posted["unfurl_links"] is False and posted["parse"] == "none"
    api.users["U1ANA"].click(message, "approve")
    calls.end()


def test_silence_is_told(api, store, slack):
    """When nobody clicks in time, the agent hears that, and the message says so too."""
    calls = Calls(store, slack, decide_within=timedelta(seconds=3))
    calls.start("ch_1", 4500)
    message = shown(api)
    assert isinstance(calls.end(), NotAnswered) and not calls.ran
    record = until_it_says(api, message, "Time ran out")
    assert buttons(record) == []


def test_rate_limits_are_kept(api, store, slack, told):
    """Slack says how long to wait, and the message is written once that time is over."""
    api.fail("chat.postMessage", status=429, retry_after=1)
    calls, begun = Calls(store, slack), time.monotonic()
    calls.start("ch_1", 4500)
    message = shown(api)
    assert time.monotonic() - begun >= 1 and len(api.messages()) == 1
    assert told == ["Slack wants fewer messages; it is tried again"]
    api.users["U1ANA"].click(message, "approve")
    calls.end()


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 503},
        {"status": 500, "taken": True},
        {"error": "internal_error", "taken": True},
        {"error": "service_unavailable"},
    ],
)
def test_an_outage_is_waited_out(api, store, slack, trouble):
    """However Slack fails, there is one message in the end, also when it had taken the first."""
    api.fail("chat.postMessage", times=1, **trouble)
    api.fail("chat.update", times=1, **trouble)
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message = shown(api)
    api.users["U1ANA"].click(message, "approve")
    calls.end()
    until_it_says(api, message, "It ran and succeeded")
    assert len(api.messages()) == 1


def test_others_are_answered_while_slack_is_away(api, store, slack):
    """A question that cannot be asked in Slack holds up no other."""
    api.fail("chat.postMessage", times=10**6, status=503)
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    eventually(lambda: any(method == "chat.postMessage" for method, _ in api.calls))
    quick = gate(lambda_of(3), approver=lambda _: YES, store=store)
    begun = time.monotonic()
    assert quick() == 3 and time.monotonic() - begun < 2
    [waiting] = store.pending()
    store.vote(waiting.request.id, Approve(by="bo"), digest=waiting.request.digest, window="other")
    assert calls.end() == "ch_1: 4500 paid back"


def lambda_of(value):
    """Return a function that returns it."""

    def constant() -> int:
        """Return a number."""
        return value

    return constant


@pytest.mark.parametrize("error", ["channel_not_found", "invalid_auth", "is_archived"])
def test_a_channel_that_nobody_can_write_to_fails_closed(api, store, slack, error, told):
    """The call is rejected at once with what is wrong, and the token is in no text."""
    api.fail("chat.postMessage", times=10**6, error=error)
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    assert isinstance(calls.end(), Rejected) and not calls.ran
    assert told and "xoxb" not in f"{told} {calls.ended}"


def test_a_missing_scope_is_named(api, store, slack, told):
    """The sentence says which scope to add."""
    api.scopes.discard("chat:write")
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    assert "chat:write" in str(calls.end())


def test_the_socket_is_opened_again(api, store, slack):
    """Slack closes sockets now and then; clicks are heard after that as before."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message = shown(api)
    api.disconnect()
    eventually(lambda: not api.is_connected)
    eventually(lambda: api.is_connected, 30)
    api.users["U1ANA"].click(message, "approve")
    assert calls.end() == "ch_1: 4500 paid back"


def test_a_reader_that_misses_the_end_does_not_keep_the_window_open(api, store, tmp_path):
    """The library's reader may hold on to an earlier session for ever; the window goes."""
    with Slack(store, settings(api), notes=tmp_path / "approvals.db.slack", say=print) as slack:
        [socket] = [part for part in slack._parts if isinstance(part, SocketMode)]
        eventually(lambda: api.is_connected and socket._client.is_connected())
        reader = socket._client.current_session_runner
        eventually(lambda: inside(reader.thread, "run_until_completion"))
        missed = socket._client.current_session_state
        socket._client.current_session_state = type(missed)()  # as it is after a reconnection
    eventually(lambda: not api.is_connected)
    assert not missed.terminated
    missed.terminated = True  # the library's thread ends with this test


def inside(thread, function):
    """Whether a thread is somewhere below a function of that name."""
    frame = sys._current_frames().get(thread.ident)
    while frame is not None and frame.f_code.co_name != function:
        frame = frame.f_back
    return frame is not None


def test_a_slow_store_does_not_make_slack_wait(api, store, slack):
    """A click is acknowledged at once, whatever the store is doing."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users["U1ANA"]
    vote = store.vote

    def slowly(*args, **named):
        time.sleep(4)
        return vote(*args, **named)

    store.vote = slowly
    begun = time.monotonic()
    assert ana.click(message, "approve") == {} and time.monotonic() - begun < 2
    ana.click(message, "reject")
    eventually(lambda: ana.view)
    assert ana.submit(reason="too slow") == {} and not api.late and not ana.toasts
    assert calls.end() == "ch_1: 4500 paid back"
    eventually(lambda: len(ana.heard) == 2, 15)


def test_nobody_hears_a_click_while_the_window_is_closed(api, store, slack):
    """The person sees that it did not work; nothing was counted."""
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users["U1ANA"]
    slack.close()
    eventually(lambda: not api.is_connected)
    assert ana.click(message, "approve") is None and ana.toasts
    [waiting] = store.pending()
    assert not waiting.votes
    store.vote(waiting.request.id, Approve(by="bo"), digest=waiting.request.digest)
    calls.end()


PROGRAM = '''
import os, sys
from pathlib import Path
from core import SqliteStore, gate, run
from core.approvers.slack import Slack, read_settings

folder = Path(sys.argv[1])
store = SqliteStore(folder / "approvals.db")
settings = read_settings(folder / "slack.toml", os.environ)
slack = Slack(store, settings, notes=folder / "approvals.db.slack")
slack.start()

def refund(charge: str, amount: int) -> str:
    """Pay back."""
    with (folder / "paid").open("a") as paid:
        paid.write(f"{charge} {amount}\\n")
    return "paid back"

refunding = gate(refund, approver=slack, store=store)
with run("ticket-7"):
    print(refunding("ch_1", 4500), flush=True)
'''
TOML = """
team = "{team}"
channel = "C024BE91L"
api = "{api}"
[people]
U1ANA = "ana"
U2BO = "bo"
"""


@contextmanager
def program(folder, api):
    """Start the program above."""
    (folder / "slack.toml").write_text(TOML.format(team=api.team, api=api.url))
    env = {"SLACK_BOT_TOKEN": api.bot_token, "SLACK_APP_TOKEN": api.app_token}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.mark.slow
def test_killed_between_message_and_click(api, tmp_path):
    """A new start finds its question and its message again; the click runs it, once."""
    ana = api.users["U1ANA"]
    with program(tmp_path, api) as child:
        message = eventually(lambda: api.is_connected and shown(api), 30)
        child.kill()
        child.wait()
        eventually(lambda: not api.is_connected)
        assert ana.click(message, "approve") is None
    assert not (tmp_path / "paid").exists()
    with program(tmp_path, api) as child:
        eventually(lambda: api.is_connected, 30)
        ana.click(message, "approve")
        assert child.stdout.readline() == "paid back\n"
        assert child.wait(20) == 0
    assert (tmp_path / "paid").read_text() == "ch_1 4500\n" and len(api.messages()) == 1
    assert buttons(until_it_says(api, message, "It ran and succeeded")) == []


@pytest.mark.slow
def test_decided_elsewhere_while_the_window_was_gone(api, tmp_path):
    """After a kill the message catches up with what was decided in the meantime."""
    with program(tmp_path, api) as child:
        message = eventually(lambda: api.is_connected and shown(api), 30)
        child.kill()
    store = SqliteStore(tmp_path / "approvals.db")
    [waiting] = store.pending()
    digest = waiting.request.digest
    store.vote(waiting.request.id, Approve(by="bo"), digest=digest, window="dashboard")
    store.close()
    assert buttons(now(api, message)) == ["approve", "edit", "reject"]
    with program(tmp_path, api) as child:
        assert child.stdout.readline() == "paid back\n" and child.wait(20) == 0
    until_it_says(api, message, "bo approved in dashboard")
    assert len(api.messages()) == 1


def test_two_windows_on_one_store(api, store, slack, tmp_path):
    """Two processes with one file of notes write one message, and both hear clicks."""
    other = Slack(store, settings(api), notes=tmp_path / "approvals.db.slack", say=print)
    other.start()
    calls = Calls(store, slack)
    calls.start("ch_1", 4500)
    message = shown(api)
    eventually(lambda: len(api._sockets) == 2)
    api.users["U1ANA"].click(message, "approve")
    assert calls.end() == "ch_1: 4500 paid back"
    until_it_says(api, message, "It ran and succeeded")
    assert len(api.messages()) == 1
    other.close()


def test_another_channel_and_a_reminder(api, store, slack):
    """Who has not voted is called under the message, once; another channel is asked as well."""
    api.channel("C0LEADS")
    calls = Calls(store, slack, panel=BOTH)
    calls.start("ch_1", 4500)
    message = shown(api)
    [waiting] = store.pending()
    slack.remind(waiting.request)
    slack.remind(waiting.request)
    api.users["U1ANA"].click(message, "approve")
    [reminder] = eventually(lambda: api.replies(message))
    users = [one.get("user_id") for one in reminder["blocks"][-1]["elements"][0]["elements"]]
    assert {*users} - {None} in ({"U1ANA", "U2BO", "U3CY"}, {"U2BO", "U3CY"})

    async def there():
        return await slack.elsewhere("C0LEADS")(waiting.request)

    asked = threading.Thread(target=lambda: asyncio.run(there()))
    asked.start()
    second = shown(api, channel="C0LEADS")
    api.users["U2BO"].click(second, "approve")
    assert calls.end() == "ch_1: 4500 paid back"
    asked.join(5)
    until_it_says(api, message, "It ran and succeeded")
    until_it_says(api, second, "It ran and succeeded")


def test_a_person_can_be_asked_directly(api, store, slack):
    """A place may be a member: they are written to, and their click counts."""
    calls = Calls(store, slack.elsewhere("U2BO"))
    calls.start("ch_1", 4500)
    eventually(lambda: "DU2BO" in api.channels)
    message = shown(api, channel="DU2BO")
    api.users["U2BO"].click(message, "approve")
    assert calls.end() == "ch_1: 4500 paid back"
    until_it_says(api, message, "It ran and succeeded")
    assert len(eventually(lambda: api.replies(message))) == 1


def test_settings_are_read(tmp_path, api):
    """File and variables give the settings, and their repr tells no secret."""
    (tmp_path / "slack.toml").write_text(
        TOML.format(team=api.team, api=api.url) + '[escalate]\nremind = 5\nafter = 9\nto = "C2"\n'
    )
    environ = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    found = read_settings(tmp_path / "slack.toml", environ)
    assert found.escalate == Escalation(remind=5, after=9, to="C2")
    assert "xoxb" not in repr(found) and "xapp" not in repr(found)
    for missing in environ:
        with pytest.raises(RuntimeError, match=missing):
            read_settings(tmp_path / "slack.toml", {**environ, missing: ""})
    with pytest.raises(RuntimeError, match="begins with xoxb-") as wrong:
        read_settings(tmp_path / "slack.toml", {**environ, "SLACK_BOT_TOKEN": "xapp-secret"})
    assert "secret" not in str(wrong.value)
