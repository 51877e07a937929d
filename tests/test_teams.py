"""Approvals in Teams, over real HTTPS to a tenant on this machine, with Microsoft's own library."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import teams_rules
from calling import Calls
from people import YES, eventually
from teams_api import TeamsApi
from teams_people import verbs
from test_slack import BOTH, lambda_of

from core import Approve, NotAnswered, Preview, Rejected, Risk, SqliteStore, State, gate
from core.approvers.chat.listening import Address
from core.approvers.chat.people import People
from core.approvers.patience import Patience
from core.approvers.teams import Settings, Teams, read_settings
from core.display import MAX_SHOWN

ROOT = Path(__file__).parent.parent
ANA = "11111111-1111-4111-8111-111111111111"
BO = "22222222-2222-4222-8222-222222222222"
CY = "33333333-3333-4333-8333-333333333333"
EVE = "99999999-9999-4999-8999-999999999999"
NAMES = {ANA: "ana", BO: "bo", CY: "cy"}


@pytest.fixture
def api():
    with TeamsApi() as made:
        for user in (*NAMES, EVE):
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


def settings(api, **options):
    """Return the settings for a tenant."""
    return Settings(
        **{
            "app": api.app,
            "conversation": api.conversation,
            "people": People(team=api.tenant, names=NAMES),
            "client_secret": api.secret,
            "service": api.service,
            "http": Address(port=0),
            **options,
        }
    )


def opened(api, store, tmp_path, say, **options):
    """Return a window, to which the tenant posts."""
    heard = []
    made = Teams(
        store,
        settings(api, **options),
        notes=tmp_path / "approvals.db.teams",
        say=lambda text: (heard.append(text), say(text)),
    )
    made.board._patience = Patience(first=0.05, most=0.1)
    api.bot_url = heard[0].rpartition(" ")[2]
    return made


@pytest.fixture
def teams(api, store, tmp_path, told):
    made = opened(api, store, tmp_path, told.append)
    yield made
    made.close()


def shown(api, *, conversation="", number=0):
    """Return a message, once it is there."""
    return eventually(lambda: api.messages(conversation)[number:], 10)[0]


def text_of(card):
    """All words of a card."""
    return json.dumps(card, ensure_ascii=False)


def until_it_says(api, message, words):
    """Return the message once it says those words to everybody."""
    return eventually(lambda: (m := api.message(message)) and words in text_of(m["card"]) and m, 10)


def test_a_press_approves_and_the_message_becomes_the_record(api, store, teams):
    """It runs once, the buttons are gone for all, and the outcome stands under the message."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message = shown(api)
    assert verbs(message["card"]) == ["approve", "edit", "reject"]
    assert "ch_1" in text_of(message["card"])
    api.users[ANA].execute(message, "approve")
    assert calls.end() == "ch_1: 4500 paid back" and calls.ran == [("ch_1", 4500, None)]
    record = until_it_says(api, message, "It ran and succeeded")
    assert verbs(record["card"]) == [] and "ana approved in Teams" in text_of(record["card"])
    [reply] = eventually(lambda: api.replies(message))
    assert "4500 paid back" in text_of(reply["card"])
    [vote] = store.search()[0].votes
    assert (vote.by, vote.window) == ("ana", "Teams")
    assert not api.strangers


def test_a_rejection_says_why_and_the_agent_reads_it(api, store, teams):
    """Nothing runs, and the reason reaches the agent word for word."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message = shown(api)
    api.users[ANA].execute(message, "reject", {"reason": "only the shipping, 4.90"})
    assert "only the shipping, 4.90" in str(calls.end()) and not calls.ran
    assert verbs(until_it_says(api, message, "Rejected by ana")["card"]) == []


@pytest.mark.parametrize("sends_empty", [True, False])
def test_an_edit_is_made_in_the_card(api, store, teams, sends_empty):
    """What is wrong stands beside the field; what is right runs instead."""
    calls, bo = Calls(store, teams), api.users[BO]
    bo.sends_empty = sends_empty
    calls.start("ch_1", 4500)
    message = shown(api)
    bo.execute(message, "edit", {"value.1": "a lot"})
    assert "This is not a whole number." in text_of(bo.see(message)) and not calls.ran
    bo.execute(
        message, "edit", {"value.1": "490", "value.2": "they keep it", "none.2": False, "note": "x"}
    )
    assert str(calls.end()).startswith("ch_1: 490 paid back")
    assert calls.ran == [("ch_1", 490, "they keep it")]


def test_two_of_a_panel(api, store, teams):
    """The card names who has voted and who is missing; who has voted sees no buttons any more."""
    calls = Calls(store, teams, panel=BOTH)
    calls.start("ch_1", 4500)
    message, ana, bo = shown(api), api.users[ANA], api.users[BO]
    assert "2 more votes of ana, bo, cy" in text_of(message["card"])
    pressed = ana.executed(message, "approve")
    ana.execute(message, "approve")
    half = until_it_says(api, message, "1 more vote of bo, cy")
    assert verbs(ana.see(half)) == [] and "You have approved this" in text_of(ana.see(half))
    assert verbs(bo.see(half)) == ["approve", "edit", "reject"]
    api.deliver(pressed)  # the same press, delivered once more
    assert len(store.pending()[0].votes) == 1
    bo.execute(half, "approve")
    assert calls.end() == "ch_1: 4500 paid back"


def test_a_stranger_is_told_so(api, store, teams):
    """Somebody whom the map does not know has no vote; somebody of another tenant neither."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message, eve = shown(api), api.users[EVE]
    for verb, inputs in [("approve", {}), ("reject", {"reason": "x"}), ("edit", {"value.1": "1"})]:
        eve.execute(message, verb, inputs)
    assert len(eve.toasts) == 3 and "not among the people" in eve.toasts[0]
    guest = api.user("55555555-5555-4555-8555-555555555555", tenant="another tenant")
    pressed = guest.executed(message, "approve")
    pressed["from"]["aadObjectId"] = ANA
    api.deliver(pressed)
    assert not store.pending()[0].votes
    api.users[ANA].execute(message, "approve")
    calls.end()


CHANGES = [
    {"value": None},
    {"value": {"action": "approve"}},
    {"value": {"action": {"verb": "approve", "data": {}}}},
    {"value": {"action": {"verb": "approve", "data": {"request": 1, "digest": 2}}}},
    {"value": {"action": {"verb": "approve", "data": {"request": "x", "digest": "y"}}}},
    {"value": {"action": {"verb": "steal", "data": {"request": "x", "digest": "y"}}}},
    {"from": {"id": "29:x"}},
    {"from": None},
    {"conversation": {"id": "19:x"}},
    {"conversation": None},
    {"channelData": {"tenant": {"id": "another"}}},
    {"name": "task/fetch"},
    {"type": "message"},
    {"replyToId": 7},
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_makes_no_sense_decides_nothing(api, store, teams, change):
    """Whatever arrives with a good token gets an answer that is no 5xx, and changes nothing."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users[ANA]
    status, _ = api.deliver({**ana.executed(message, "approve"), **change})
    assert status in {200, 400}
    if change != {"replyToId": 7}:
        assert not store.pending()[0].votes
        ana.execute(message, "approve")
    assert calls.end() == "ch_1: 4500 paid back"


def test_a_stale_card_decides_nothing(api, store, teams):
    """After an edit an old card is about another call, and whoever presses it is told."""
    calls = Calls(store, teams, panel=BOTH)
    calls.start("ch_1", 4500)
    message, ana, bo = shown(api), api.users[ANA], api.users[BO]
    old = ana.executed(message, "approve")
    bo.execute(message, "edit", {"value.1": "490"})
    until_it_says(api, message, "490")
    _, answer = api.deliver(old)
    assert "not what waits now" in text_of(answer)
    assert [vote.by for vote in store.pending()[0].votes] == ["bo"]
    ana.execute(api.message(message), "approve")
    assert str(calls.end()).startswith("ch_1: 490 paid back")


def test_what_is_critical_takes_the_digest(api, store, teams):
    """There is no button that approves by itself; only the beginning of the digest does."""
    calls = Calls(store, teams, risk=Risk.CRITICAL)
    calls.start("ch_1", 4500)
    message, ana = shown(api), api.users[ANA]
    ana.execute(message, "approve", {"confirm": "000000"})
    assert "Type the first 6 characters" in text_of(ana.see(message)) and not calls.ran
    digest = store.pending()[0].request.digest
    ana.execute(api.message(message), "approve", {"confirm": digest[:6]})
    assert calls.end() == "ch_1: 4500 paid back"


def test_what_is_too_large_is_decided_elsewhere(api, store, tmp_path):
    """There is no button that approves, only one that rejects, and a link to the dashboard."""
    window = opened(api, store, tmp_path, print, dashboard="https://approvals.example.org")
    calls = Calls(store, window)
    calls.start("x" * (MAX_SHOWN // 4), 1)
    message = shown(api)
    request = store.pending()[0].request
    assert verbs(message["card"]) == ["reject"]
    assert f"https://approvals.example.org/requests/{request.id}" in text_of(message["card"])
    api.users[ANA].execute(message, "reject", {"reason": "shorter, please"})
    assert isinstance(calls.end(), Rejected)
    window.close()


def test_what_teams_finds_too_large_is_outlined(api, store, teams):
    """When Teams takes less than we believed, the card comes without a yes."""
    api.fail("post", status=413, code="MessageSizeTooBig")
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message = shown(api)
    assert verbs(message["card"]) == ["reject"]
    api.users[ANA].execute(message, "reject", {"reason": "elsewhere"})
    assert isinstance(calls.end(), Rejected)


MARKUP = "**b** [l](https://evil.example) <at>Bo</at> {{DATE(2020-01-01)}} &lt; # h\n- x\n\n1. y"


def test_markup_in_an_argument_is_only_text(api, store, teams):
    """What an agent writes stands in runs of text, which read no markup, and calls nobody."""
    calls = Calls(store, teams, preview=lambda charge: Preview(summary=MARKUP))
    calls.start(MARKUP, 1)
    message = shown(api)
    body = [*teams_rules.parts({"type": "AdaptiveCard", "body": message["card"]["body"]})]
    assert not any(part["type"] == "TextBlock" for part in body)
    runs = [part["text"] for part in body if part["type"] == "TextRun"]
    for line in MARKUP.split("\n"):
        assert runs.count(f"│ {line}") == 2
    assert "entities" not in message["card"].get("msteams", {})
    api.users[ANA].execute(message, "approve")
    calls.end()


def test_silence_is_told(api, store, teams):
    """When nobody presses in time, the agent hears that, and the message says so too."""
    calls = Calls(store, teams, decide_within=timedelta(seconds=4))
    calls.start("ch_1", 4500)
    message = shown(api)
    assert isinstance(calls.end(), NotAnswered) and not calls.ran
    assert verbs(until_it_says(api, message, "Time ran out")["card"]) == []


def test_rate_limits_are_kept(api, store, teams, told):
    """Teams says how long to wait, and the message is written once that time is over."""
    api.fail("post", status=429, retry_after=1)
    calls, begun = Calls(store, teams), time.monotonic()
    calls.start("ch_1", 4500)
    message = shown(api)
    assert time.monotonic() - begun >= 1 and len(api.messages()) == 1
    assert told[-1] == "Teams wants fewer messages; it is tried again"
    api.users[ANA].execute(message, "approve")
    calls.end()


@pytest.mark.parametrize("trouble", [{"status": 503}, {"status": 0}, {"status": 502}])
def test_an_outage_is_waited_out(api, store, teams, trouble):
    """However Teams fails, the message is there in the end, and tells the truth."""
    api.fail("token", times=1, **trouble)
    api.fail("post", times=1, **trouble)
    api.fail("put", times=1, **trouble)
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message = shown(api)
    api.users[ANA].execute(message, "approve")
    calls.end()
    until_it_says(api, message, "It ran and succeeded")


def test_a_message_whose_answer_was_lost_comes_again(api, store, teams):
    """A bot cannot look for its messages: it is announced at least once, and all end true."""
    api.fail("post", status=504, taken=True)
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    eventually(lambda: len(api.messages()) == 2, 10)
    first, second = api.messages()
    api.users[ANA].execute(first, "approve")
    assert calls.end() == "ch_1: 4500 paid back"
    for message in (first, second):
        until_it_says(api, message, "It ran and succeeded")


def test_others_are_answered_while_teams_is_away(api, store, teams):
    """A question that cannot be asked in Teams holds up no other."""
    api.fail("post", times=10**6, status=503)
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    eventually(lambda: any(kind == "post" for kind, *_ in api.calls), 10)
    quick = gate(lambda_of(3), approver=lambda _: YES, store=store)
    begun = time.monotonic()
    assert quick() == 3 and time.monotonic() - begun < 2
    [waiting] = store.pending()
    store.vote(waiting.request.id, Approve(by="bo"), digest=waiting.request.digest, window="other")
    assert calls.end() == "ch_1: 4500 paid back"


def stranger(api):
    api.conversations[api.conversation].has_bot = False


def other_secret(api):
    api.secret = "another one"


@pytest.mark.parametrize(
    ("change", "said"), [(stranger, "may not write there"), (other_secret, "no token for the bot")]
)
def test_a_place_that_nobody_can_write_to_fails_closed(api, store, teams, change, said, told):
    """The call is rejected at once with what is wrong, and the secret is in no text."""
    change(api)
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    assert said in str(calls.end()) and not calls.ran
    assert "Xy~8Q" not in f"{told} {calls.ended}"


def test_another_conversation_and_a_reminder(api, store, teams):
    """Who has not voted is called under the message, once; another place is asked as well."""
    api.channel("19:leads@thread.tacv2")
    calls = Calls(store, teams, panel=BOTH)
    calls.start("ch_1", 4500)
    message = shown(api)
    [waiting] = store.pending()
    teams.remind(waiting.request)
    teams.remind(waiting.request)
    [reminder] = eventually(lambda: api.replies(message), 10)
    called = [one["mentioned"]["id"] for one in reminder["card"]["msteams"]["entities"]]
    assert called == [f"8:orgid:{user}" for user in (ANA, BO, CY)]
    threading.Thread(
        target=lambda: teams.board.show(waiting.request.id, "19:leads@thread.tacv2")
    ).start()
    second = shown(api, conversation="19:leads@thread.tacv2")
    api.users[ANA].execute(message, "approve")
    api.users[BO].execute(second, "approve")
    assert calls.end() == "ch_1: 4500 paid back"
    until_it_says(api, message, "It ran and succeeded")
    until_it_says(api, second, "It ran and succeeded")
    assert len([one for one in api.replies(message) if "entities" in text_of(one["card"])]) == 1


# Tokens


def test_only_the_channel_is_believed(api, store, teams):
    """No token but Teams' own, for this bot, for now, counts: 401 each, and no vote."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message = shown(api)
    pressed = api.users[ANA].executed(message, "approve")
    for fault, bearer in api.bad_tokens().items():
        assert api.deliver(pressed, bearer)[0] == 401, fault
    assert api.deliver(pressed, "")[0] == 401
    assert not store.pending()[0].votes
    other = {**pressed, "serviceUrl": "https://smba.example.org/"}
    assert api.deliver(other)[0] == 401
    api.users[ANA].execute(message, "approve")
    calls.end()


def test_every_byte_of_a_token_counts(api, store, teams):
    """Whatever part of the token is another one, nobody is believed."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message = shown(api)
    pressed, good = api.users[ANA].executed(message, "approve"), api.token()
    head, claims, signature = good.split(".")
    for at in range(0, len(good), 11):
        if good[at] == "." or at == len(good) - 1 or at in (len(head) - 1, len(head + claims)):
            continue
        bad = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
        assert api.deliver(pressed, f"Bearer {bad}")[0] == 401, at
    assert api.deliver(pressed, f"Bearer {head}.{claims}.")[0] == 401 and signature
    assert not store.pending()[0].votes
    api.users[ANA].execute(message, "approve")
    calls.end()


def raw(api, headers, body):
    """Post something to the bot's endpoint; the headers are pairs."""
    from http.client import HTTPConnection
    from urllib.parse import urlsplit

    where = urlsplit(api.bot_url)
    connection = HTTPConnection(where.hostname, where.port, timeout=10)
    connection.putrequest("POST", where.path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_odd_requests_are_a_4xx(api, store, teams):
    """Missing, double and unreadable headers are 401, bodies that are no activity 400."""
    calls = Calls(store, teams)
    calls.start("ch_1", 4500)
    message = shown(api)
    body = json.dumps(api.users[ANA].executed(message, "approve")).encode()
    good = ("Authorization", f"Bearer {api.token()}")
    for headers in ([], [good, good], [("Authorization", "Bearer é".encode())]):
        assert raw(api, headers, body) == 401
    for odd in (b"", b"[]", b"{", b"\xff", b"[" * 10_000, b'{"type": 1}', b'{"type": "invoke"}'):
        assert raw(api, [good], odd) == 400
    assert raw(api, [good], b"x" * 1_000_001) == 413
    assert not store.pending()[0].votes
    api.users[ANA].execute(message, "approve")
    calls.end()


def test_no_variable_lets_strangers_in(api, store, tmp_path, monkeypatch):
    """The library has a variable that switches its checks off; it changes nothing here."""
    monkeypatch.setenv("DANGEROUSLY_ALLOW_UNAUTHENTICATED_REQUESTS", "true")
    window = opened(api, store, tmp_path, print)
    calls = Calls(store, window)
    calls.start("ch_1", 4500)
    message = shown(api)
    assert api.deliver(api.users[ANA].executed(message, "approve"), "")[0] == 401
    assert not store.pending()[0].votes
    api.users[ANA].execute(message, "approve")
    calls.end()
    window.close()


PROGRAM = '''
import os, sys
from pathlib import Path
from core import SqliteStore, gate, run
from core.approvers.teams import Teams, read_settings

folder = Path(sys.argv[1])
store = SqliteStore(folder / "approvals.db")
settings = read_settings(folder / "teams.toml", os.environ)
notes = folder / "approvals.db.teams"
teams = Teams(store, settings, notes=notes, say=lambda text: print(text, flush=True))

def refund(charge: str, amount: int) -> str:
    """Pay back."""
    with (folder / "paid").open("a") as paid:
        paid.write(f"{charge} {amount}\\n")
    return "paid back"

refunding = gate(refund, approver=teams, store=store)
with teams, run("ticket-7"):
    print(refunding("ch_1", 4500), flush=True)
'''
TOML = """
tenant = "{tenant}"
app = "{app}"
conversation = "{conversation}"
service = "{service}"
[http]
port = {port}
[people]
{ana} = "ana"
{bo} = "bo"
"""


def written(folder, api, port=0):
    """Write the settings."""
    (folder / "teams.toml").write_text(
        TOML.format(
            tenant=api.tenant,
            app=api.app,
            conversation=api.conversation,
            service=api.service,
            port=port,
            ana=ANA,
            bo=BO,
        )
    )


@contextmanager
def program(folder, api):
    """Start the program above."""
    written(folder, api)
    env = {**os.environ, **api.environ, "TEAMS_CLIENT_SECRET": api.secret}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        api.bot_url = child.stdout.readline().strip().rpartition(" ")[2]
        yield child
    finally:
        child.kill()
        child.communicate()


def is_noted(folder):
    """Whether it is written down that the message is there."""
    with closing(sqlite3.connect(folder / "approvals.db.teams")) as notes:
        return notes.execute("SELECT 1 FROM notes WHERE message <> ''").fetchone()


@pytest.mark.slow
def test_killed_between_message_and_press(api, tmp_path):
    """A new start finds its question and its message again; the press runs it, once."""
    ana = api.users[ANA]
    with program(tmp_path, api) as child:
        message = eventually(api.messages, 30)[0]
        eventually(lambda: is_noted(tmp_path))
        child.kill()
        child.wait()
        ana.execute(message, "approve")
        assert {*ana.toasts} == {"Something went wrong. Please try again."}
    assert not (tmp_path / "paid").exists()
    with program(tmp_path, api) as child:
        ana.execute(message, "approve")
        assert child.stdout.readline() == "paid back\n" and child.wait(20) == 0
    assert (tmp_path / "paid").read_text() == "ch_1 4500\n" and len(api.messages()) == 1
    assert verbs(until_it_says(api, message, "It ran and succeeded")["card"]) == []


def test_settings_are_read(tmp_path, api):
    """File and variable give the settings, and their repr tells no secret."""
    written(tmp_path, api)
    found = read_settings(tmp_path / "teams.toml", {"TEAMS_CLIENT_SECRET": "s3cret"})
    assert found.people.names == {ANA: "ana", BO: "bo"} and "s3cret" not in repr(found)
    with pytest.raises(RuntimeError, match="TEAMS_CLIENT_SECRET is not set"):
        read_settings(tmp_path / "teams.toml", {})
    (tmp_path / "teams.toml").write_text('tenant = "t"\napp = "a"\nchannel = "c"\n')
    with pytest.raises(RuntimeError, match="channel, which means nothing here"):
        read_settings(tmp_path / "teams.toml", {"TEAMS_CLIENT_SECRET": "s"})


def test_states_of_calls(api, store, teams):
    """What was decided in Teams is what the store knows."""
    calls = Calls(store, teams)
    calls.start("ch_1", 1)
    api.users[ANA].execute(shown(api), "reject", {"reason": "no"})
    calls.end()
    assert [one.state for one in store.search()] == [State.REJECTED]
