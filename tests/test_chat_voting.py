"""A word said in a chat: it counts once, for what was shown, from whoever may say it."""

import threading
from dataclasses import replace

import pytest
from asking import YES, Clock, asked, edit, edited, opened
from hypothesis import given
from hypothesis import strategies as st
from people import Breaking, eventually

from core import Approve, Edit, Panel, Preview, Risk, State, gate
from core.approvers.chat import voting
from core.approvers.chat.card import MOST_OF_OUTCOME, card
from core.approvers.chat.people import People
from core.approvers.chat.settings import Escalation, escalation, read
from core.approvers.chat.voting import Ballot
from core.approvers.inbox import Inbox
from core.approvers.secret import SettingsError, secret
from core.canonical import encode
from core.display import MAX_SHOWN, unsafe
from core.model import Outcome, Parameter, Quote, StoredRequest, StoreError, Table
from core.stores.sqlite import SqliteStore

WAITS = StoredRequest(request=asked(), state=State.PENDING)


@pytest.fixture
def store(tmp_path):
    made = opened(tmp_path / "store.db", clock=Clock())
    yield made
    made.close()


def ask(store, **fields):
    """Leave a request that waits."""
    return store.submit(asked(**fields)).request


def ballot(request, by="ana", **fields):
    """Return whose word it is, about the request as it is."""
    given = {"request_id": request.id, "digest": request.digest, "by": by, "window": "Slack"}
    return Ballot(**{**given, **fields})


def test_a_yes_counts_with_its_window(store):
    """The vote stands in the store, with who said it and where."""
    request = ask(store)
    answer = voting.approve(store, ballot(request), note="fine")
    stored = store.get(request.id)
    assert stored.state is State.APPROVED and answer.text.startswith("Approved by ana.")
    [vote] = stored.votes
    assert (vote.by, vote.window, vote.note) == ("ana", "Slack", "fine")


def test_a_no_needs_a_reason(store):
    """Without words for the agent nothing is rejected; with them it is."""
    request = ask(store)
    for nothing in ("", "  \r\n ", "x" * 2_001):
        assert set(voting.reject(store, ballot(request), reason=nothing).wrong) == {"reason"}
    assert store.get(request.id).state is State.PENDING
    assert not voting.reject(store, ballot(request), reason="one\r\ntwo").wrong
    assert store.get(request.id).decision.reason == "one\ntwo"


def test_what_is_critical_takes_more_than_a_click(store):
    """Only who types the beginning of the digest approves it."""
    request = ask(store, risk=Risk.CRITICAL)
    for typed in ("", "000000", request.digest[:5], request.digest[:7]):
        answer = voting.approve(store, ballot(request), confirm=typed)
        assert set(answer.wrong) == {"confirm"}
    assert store.get(request.id).state is State.PENDING
    voting.approve(store, ballot(request), confirm=f" {request.digest[:6].upper()} ")
    assert store.get(request.id).state is State.APPROVED


def test_what_is_too_large_is_not_approved(store):
    """Nobody approves or edits what no window can show whole; to reject it is fine."""
    request = ask(store, frozen=encode({"text": "x" * (MAX_SHOWN + 1)}))
    assert "too large" in voting.approve(store, ballot(request)).text
    assert "too large" in voting.edit(store, ballot(request), {}, seconds=0).text
    assert store.get(request.id).state is State.PENDING
    voting.reject(store, ballot(request), reason="shorter")
    assert store.get(request.id).state is State.REJECTED


@pytest.mark.parametrize("by", ["agent", "Agent ", "zoe"])
def test_strangers_and_requesters_do_not_count(store, by):
    """Who asked, or is not on the panel, changes nothing by any word."""
    request = ask(store, panel=Panel(members=frozenset({"ana", "bo"})))
    mine = ballot(request, by=by)
    said = [
        voting.approve(store, mine),
        voting.reject(store, mine, reason="no"),
        voting.edit(store, mine, {"amount": "3"}, seconds=0),
    ]
    stored = store.get(request.id)
    assert (stored.state, stored.votes, stored.proposal) == (State.PENDING, (), None)
    assert all(answer.text for answer in said) and voting.obstacle(stored, by, request.digest)


def test_a_stale_card_decides_nothing(store):
    """After an edit the old message is about another call: its buttons are told so."""
    request = ask(store, panel=Panel(votes=2))
    store.propose(request.id, edit(9, by="bo"), digest=request.digest)
    store.revise(edited(request, 9), edit(9, by="bo"), changed="amount: 1 -> 9")
    for answer in (
        voting.approve(store, ballot(request)),
        voting.reject(store, ballot(request), reason="no"),
        voting.edit(store, ballot(request), {}, seconds=0),
    ):
        assert "Nothing was changed" in answer.text
    stored = store.get(request.id)
    assert stored.state is State.PENDING and not stored.votes


def test_the_second_click_changes_nothing(store):
    """A word that comes twice counts once; one that comes too late is told what is true."""
    request = ask(store, panel=Panel(votes=2))
    voting.approve(store, ballot(request))
    again = voting.approve(store, ballot(request))
    assert len(store.get(request.id).votes) == 1 and again.text
    voting.approve(store, ballot(request, by="bo"))
    late = voting.reject(store, ballot(request, by="cy"), reason="no")
    assert store.get(request.id).state is State.APPROVED and "approved by ana, bo" in late.text


def test_a_store_that_fails_counts_nothing(store):
    """A window hears of it, and must not say that anything was decided."""
    request = ask(store)
    with pytest.raises(StoreError):
        voting.approve(Breaking(store, "vote"), ballot(request))
    assert store.get(request.id).state is State.PENDING


def pay(amount: int, note: str | None = "thanks") -> str:
    """Pay."""
    return f"paid {amount}, {note}"


@pytest.fixture
def waiting(tmp_path):
    """A gated call that waits in another thread, for an edit and a yes."""
    store, ended = SqliteStore(tmp_path / "real.db"), []
    paying = gate(pay, approver=Inbox(store, 0.05), store=store)
    thread = threading.Thread(target=lambda: ended.append(paying(1)))
    thread.start()
    [stored] = eventually(store.pending)
    yield store, stored.request, ended
    if store.get(stored.request.id).state is State.PENDING:
        now = store.get(stored.request.id).request
        store.vote(now.id, Approve(by="zed"), digest=now.digest)
    thread.join(5)
    store.close()


def test_an_edit_is_checked_by_the_gate(waiting):
    """What fits runs instead; the author's own vote goes with it."""
    store, request, ended = waiting
    typed = {"amount": "7", "note": "thanks"}
    answer = voting.edit(store, ballot(request), typed, nothing=frozenset({"note"}), seconds=5)
    assert not answer.wrong and answer.text.startswith("Your edit was taken.")
    assert str(eventually(lambda: ended)[0]).startswith("paid 7, None")


def test_an_edit_that_does_not_fit_is_told_beside_the_field(waiting):
    """What cannot be read, and what changes nothing, leaves the request as it was."""
    store, request, _ = waiting
    for typed in ("7.5", "1"):
        answer = voting.edit(store, ballot(request), {"amount": typed}, seconds=5)
        assert set(answer.wrong) == {"amount"}
    assert store.get(request.id).request.digest == request.digest


def test_an_edit_that_nobody_checks_says_so(store):
    """When the gate is away the edit lies there, and nobody is told that it counts."""
    request = ask(store, parameters=(Parameter(name="amount", annotation="int"),))
    answer = voting.edit(store, ballot(request), {"amount": "3"}, seconds=0)
    assert "waits for the gate" in answer.text
    stored = store.get(request.id)
    assert stored.proposal == Edit(by="ana", arguments={"amount": 3}) and not stored.votes


HOSTILE = "a\u202eb\u200b<!channel>\x00"


def test_a_card_shows_nothing_unseen(store):
    """Whatever an agent or a customer writes, each character of it can be seen."""
    preview = Preview(
        summary=HOSTILE,
        facts=((HOSTILE, HOSTILE),),
        tables=(Table(title=HOSTILE, columns=(HOSTILE,), rows=((HOSTILE,),)),),
        diff=HOSTILE,
        warnings=(HOSTILE,),
        quotes=(Quote(who=HOSTILE, text=HOSTILE),),
    )
    fields = {"run": HOSTILE, "environment": HOSTILE, "requester": HOSTILE, "problem": HOSTILE}
    request = ask(store, preview=preview, remarks=(HOSTILE,), panel=Panel(votes=2), **fields)
    store.vote(request.id, Approve(by=f"z{HOSTILE}", note=HOSTILE), digest=request.digest)
    text = repr(card(store.get(request.id)))
    assert not set("\u202e\u200b\x00") & set(text) and "\\u202e" not in text
    assert text.count("⟨U+202E⟩") >= 14


@given(st.text())
def test_a_card_has_every_character(text):
    """An argument is on the card as it would run, whole."""
    frozen = encode({"note": text})
    stored = replace(WAITS, request=replace(WAITS.request, frozen=frozen, arguments={"note": text}))
    [fact] = card(stored).arguments
    assert unsafe(fact.value) == text


def test_another_card_has_another_fingerprint(store):
    """Whatever changes on it, the message is out of date."""
    request = ask(store, panel=Panel(votes=2))
    first = card(store.get(request.id))
    store.vote(request.id, YES, digest=request.digest)
    second = card(store.get(request.id))
    assert first.fingerprint != second.fingerprint == card(store.get(request.id)).fingerprint


def test_a_long_result_says_how_much_more_there_is(store):
    """A message shows the beginning of what a call returned, and says so."""
    request = ask(store)
    store.vote(request.id, YES, digest=request.digest)
    store.claim(request.id, digest=request.digest, panel=request.panel)
    result = encode("y" * 10_000)
    stored = store.finish(request.id, Outcome(result=result), State.SUCCEEDED)
    assert card(stored).outcome.endswith(f"… {10_002 - MOST_OF_OUTCOME:,} more characters")


def test_ids_of_another_workspace_are_nobody():
    """A user of another team has no name here, whatever their id."""
    people = People(team="T1", names={"U1": "ana"})
    assert people.name("T1", "U1") == "ana" and people.user("ANA") == "U1"
    assert (people.name("T2", "U1"), people.name("T1", "U2"), people.user("bo")) == ("", "", "")


@pytest.mark.parametrize(
    ("team", "names"),
    [("", {"U1": "ana"}), ("T1", {"U1": " "}), ("T1", {"U1": "ana", "U2": "Ana "})],
)
def test_a_map_that_would_lend_votes_is_refused(team, names):
    """One person, one vote: two accounts of the same name are a mistake."""
    with pytest.raises(ValueError, match=r"name|workspace"):
        People(team=team, names=names)


def settings(tmp_path, text):
    """Return the settings in a file."""
    file = tmp_path / "slack.toml"
    file.write_text(text)
    return read(file)


def test_settings_say_what_is_wrong(tmp_path):
    """A misspelled, missing or odd setting is named; nothing is guessed."""
    table = settings(tmp_path, 'channel = "C1"\nteam = 3\nport = true\n[people]\nU1 = "ana"\n')
    assert table.text("channel") == "C1" and table.table("people").texts() == {"U1": "ana"}
    for wrong, told in [
        (lambda: table.text("token"), "slack.toml has no token"),
        (lambda: table.text("team"), "slack.toml: team is a text in quotes"),
        (lambda: table.number("port", 1), "slack.toml: port is a number, at least 0"),
        (lambda: table.table("channel"), r"slack.toml: \[channel\] is a table"),
        (lambda: table.only("channel"), "slack.toml has people, which means nothing here"),
    ]:
        with pytest.raises(SettingsError, match=told):
            wrong()
    with pytest.raises(SettingsError, match="is no TOML"):
        settings(tmp_path, "channel = ")
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path / "none.toml")


def test_escalation_is_whole_or_not_there(tmp_path):
    """Whom to ask and when belong together."""
    said = 'remind = 60\nafter = 600\nto = "C2"\n'
    assert escalation(settings(tmp_path, said)) == Escalation(remind=60, after=600, to="C2")
    assert escalation(settings(tmp_path, "")) == Escalation()
    for half in ("after = 600", 'to = "C2"'):
        with pytest.raises(SettingsError, match="both"):
            escalation(settings(tmp_path, half))


def test_secrets_come_from_elsewhere(tmp_path):
    """From a variable or from a file that nobody else can read; never told."""
    file = tmp_path / "token"
    file.write_text("xoxb-1\n")
    file.chmod(0o600)
    assert secret("TOKEN", {"TOKEN": " a "}) == "a" and secret("TOKEN", {}) == ""
    assert secret("TOKEN", {"TOKEN_FILE": str(file)}) == "xoxb-1"
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600") as problem:
        secret("TOKEN", {"TOKEN_FILE": str(file)})
    assert "xoxb" not in str(problem.value)
    with pytest.raises(SettingsError, match="cannot be read"):
        secret("TOKEN", {"TOKEN_FILE": str(tmp_path / "none")})
