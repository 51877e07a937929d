"""Reviewing on the web: what people see is what is stored, and what they say is what counts."""

import json
import re
import subprocess
import sys
import threading
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from html import unescape
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from asking import EVERYTHING, NOON, Clock, asked, edit, edited, sqlite, world
from browsers import serving
from hypothesis import given, settings
from hypothesis import strategies as st
from looking_back import ADA, ANA, BEN, HERE, VERA, Visitor, ask, dashboard, unclear
from people import Background, eventually, pending

from core import Approve, Panel, Preview, Reject, Rejected, Risk, SqliteStore, State, gate
from core.approvers.dashboard import changing, colours, events, totals
from core.approvers.dashboard.events import Listener
from core.approvers.dashboard.tray import Sieve, Tray, last_seq
from core.approvers.forms import fields, typed
from core.approvers.forms.spelled import spelled
from core.approvers.inbox import Inbox
from core.canonical import encode
from core.display import MAX_SHOWN
from core.model import Parameter, Quote, StoreError, Table
from core.stores.memory import MemoryStore

HOSTILE = [
    '<script>alert("x")</script>',
    "</pre></textarea><img src=x onerror=alert(1)>",
    "pay\u202e001\u200b to\u2066me",
    "one\ntwo\r\nthree\r\x00\x1b[31m",
    "{{ 7 * 7 }} {% raw %}",
    "\ud83d half",
    "e\u0301 é ⟨U+202E⟩",
    "  blanks  \n at both ends ",
]


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


@pytest.fixture
def app(store):
    return dashboard(store)


def visit(app, person=ANA):
    """Return a browser in which that person is logged in."""
    return Visitor(app, person)


def refund(charge: str, amount: int, note: str | None = None) -> str:
    """Pay back."""
    return f"{charge}: {amount} paid back{f' ({note})' if note else ''}"


def gated(store, fn=refund, **options):
    """Return `fn` behind people who vote in the store."""
    return gate(fn, approver=Inbox(store), store=store, requester="agent", **options)


def page_of(visitor, request):
    """The page of a request."""
    return visitor.get(f"/requests/{request.id}")


def hidden(page, name):
    """A value that a form of the page would send along."""
    return unescape(re.search(rf'name="{re.escape(name)}" value="([^"]*)"', page.text)[1])


def approve(visitor, request, **fields):
    """Press approve on the page of a request as it is now."""
    page = page_of(visitor, request)
    sent = {"digest": hidden(page, "digest"), **fields}
    return visitor.fill(f"/requests/{request.id}/approve", **sent)


def reject(visitor, request, reason):
    """Press reject on the page of a request as it is now."""
    sent = {"digest": hidden(page_of(visitor, request), "digest"), "reason": reason}
    return visitor.fill(f"/requests/{request.id}/reject", **sent)


def change(visitor, request, *, do="propose", **values):
    """Fill in the edit form of a request, the rest of it as it stands, and send it."""
    form = visitor.get(f"/requests/{request.id}/edit")
    filled = form_values(form) | {f"value.{name}": text for name, text in values.items()}
    return visitor.fill(f"/requests/{request.id}/edit", **filled, do=do)


def form_values(page):
    """What the edit form on a page would send if nobody touched it."""
    text = page.text
    found = dict(re.findall(r'name="(digest|note)" value="([^"]*)"', text))
    typed_in = r'<input type="[a-z-]+"(?: step="1")? value="([^"]*)"[^>]*? name="(value\.[^"]+)"'
    found |= {name: value for value, name in re.findall(typed_in, text)}
    for name, value in re.findall(
        r'<textarea name="(value\.[^"]+)"[^>]*>\n(.*?)</textarea>', text, re.S
    ):
        found[name] = value.replace("\n", "\r\n")
    for name, options in re.findall(
        r'<select name="(value\.[^"]+)"[^>]*>(.*?)</select>', text, re.S
    ):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    for name in re.findall(r'name="(none\.[^"]+)" value="nothing" checked', text):
        found[name] = "nothing"
    return {name: unescape(value) for name, value in found.items()}


# An agent waits, and a person answers


def test_an_approval_lets_the_waiting_agent_go_on(store, app):
    """The agent that waits gets its result as soon as a person has approved on the page."""
    with Background(gated(store), "ch_1", 5) as agent:
        request = pending(store).request
        answer = approve(visit(app), request, note="seen the ticket")
        assert answer.status_code == 303 and answer.headers["location"] == f"/requests/{request.id}"
    assert agent.result == "ch_1: 5 paid back"
    (vote,) = store.get(request.id).votes
    assert (vote.by, vote.choice, vote.window, vote.note, vote.digest) == (
        "ana", "approve", "dashboard", "seen the ticket", request.digest,
    )  # fmt: skip


def test_the_reason_of_a_rejection_arrives_in_the_agent(store, app):
    """What the person writes is what the agent reads, and the function has not run."""
    ran = []
    with Background(gated(store, lambda: ran.append(1))) as agent:
        request = pending(store).request
        assert reject(visit(app), request, "ask Marta\r\nfirst").status_code == 303
    assert isinstance(agent.error, Rejected) and "ask Marta\nfirst" in str(agent.error)
    assert ran == [] and store.get(request.id).state is State.REJECTED


@pytest.mark.parametrize("reason", ["", "   \r\n ", "x" * 2_001])
def test_a_rejection_needs_a_reason(store, app, reason):
    """Without a reason, or with a book for one, nothing is rejected and the page says why."""
    request = ask(store)
    before = world(store)
    answer = reject(visit(app), request, reason)
    assert answer.status_code == 400
    assert 'id="reason-wrong"' in answer.text
    assert world(store) == before


def test_an_edit_changes_what_runs_and_the_agent_is_told(store, app):
    """The function runs with the amount that the person typed, and the agent hears of it."""
    ran = []

    def pay(amount: int) -> str:
        ran.append(amount)
        return f"paid {amount}"

    with Background(gated(store, pay), 500) as agent:
        request = pending(store).request
        visitor = visit(app)
        shown = change(visitor, request, do="look", amount="50")
        assert shown.status_code == 200 and store.get(request.id).proposal is None
        difference = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", shown.text))
        assert "was 500 will be 50" in difference
        taken = change(visitor, request, amount="50")
        assert taken.headers["location"] == f"/requests/{request.id}?edited"
    assert ran == [50]
    assert "paid 50" in str(agent.result) and "500 -> 50" in str(agent.result)
    assert "500 -&gt; 50" in page_of(visitor, request).text


def test_an_edit_that_the_gate_refuses_is_told_beside_the_field(store, app):
    """Nothing changes, the sentence stands at its field, and what was typed is still there."""

    def pay(amount: Literal[5, 10] | int, to: Literal["ana", "bob"]) -> str:
        return f"{amount} to {to}"

    with Background(gated(store, pay), 5, "ana") as agent:
        request = pending(store).request
        visitor = visit(app)
        answer = change(visitor, request, amount='"lots"')
        assert answer.status_code in {400, 422}
        assert 'aria-invalid="true"' in answer.text and "lots" in answer.text
        assert store.get(request.id).request.digest == request.digest
        approve(visitor, request)
    assert agent.result == "5 to ana"


def test_a_policy_that_rejects_an_edit_is_told_with_the_form(store, app):
    """An edit goes through the rejecting rules again, and the person reads what they say."""

    def never_a_thousand(request):
        too_much = request.arguments["amount"] >= 1000
        return Reject(by="policy", reason="at most 999") if too_much else None

    with Background(gated(store, refund, policies=[never_a_thousand]), "ch_1", 5) as agent:
        request = pending(store).request
        visitor = visit(app)
        answer = change(visitor, request, amount="5000")
        assert answer.status_code == 422
        assert "at most 999" in answer.text and 'value="5000"' in answer.text
        assert "at most 999" in page_of(visitor, request).text
        change(visitor, request, amount="50")
    assert "50 paid back" in str(agent.result)


def test_an_edit_that_nobody_checks_is_told_truthfully(store, app, monkeypatch):
    """With the agent's process gone the edit lies there, and the page shows it unchecked."""
    monkeypatch.setattr(changing, "SECONDS_TO_CHECK", 0.05)
    request = ask(store)
    visitor = visit(app)
    assert change(visitor, request, amount="7").status_code == 303
    stored = store.get(request.id)
    assert stored.state is State.PENDING and stored.proposal.arguments == {"amount": 7}
    assert "is being checked" in page_of(visitor, request).text
    assert change(visit(app, BEN), request, amount="8").status_code == 409


def test_an_edit_that_changes_nothing_is_no_edit(store, app):
    """Sending the form untouched, or the same value in other characters, proposes nothing."""
    request = ask(store)
    before = world(store)
    for amount in ("1", " 1 ", "+1"):
        assert change(visit(app), request, amount=amount).status_code == 400
    assert world(store) == before


def test_two_people_make_a_quorum(store, app):
    """One of two votes changes nothing but the count; the second lets the call run."""
    panel = Panel(members=frozenset({"ana", "ben"}), votes=2)
    with Background(gated(store, panel=panel), "ch_1", 5) as agent:
        request = pending(store).request
        approve(visit(app), request)
        assert store.get(request.id).state is State.PENDING
        first = page_of(visit(app), request)
        assert "1 of 2" in first.text and "1 more is needed" in first.text
        assert "/approve" not in first.text
        approve(visit(app, BEN), request)
    assert agent.result == "ch_1: 5 paid back"
    assert [vote.by for vote in store.get(request.id).votes] == ["ana", "ben"]


def test_an_edit_that_changes_the_preview_is_looked_at_again(store, app):
    """Its author sees what it would do by now, and only then approves it."""
    with Background(gated(store, preview=lambda amount: f"pays {amount}"), "ch_1", 5) as agent:
        request = pending(store).request
        visitor = visit(app)
        page = visitor.get(change(visitor, request, amount="3").headers["location"])
        assert "pays 3" in page.text and "look again" in page.text
        assert store.get(request.id).state is State.PENDING
        approve(visitor, request)
    assert "3 paid back" in str(agent.result)


# Who may not


def test_nobody_approves_what_was_asked_for_them(store, app):
    """The person an agent acts for sees the request without a button, and their vote is refused."""
    request = ask(store, acting_for="Ana ")
    assert "/approve" not in page_of(visit(app), request).text
    before = world(store)
    for way, more in [
        ("approve", {}),
        ("reject", {"reason": "no"}),
        ("edit", {"value.amount": "2"}),
    ]:
        sent = {"digest": request.digest, "do": "propose", **more}
        answer = visit(app).fill(f"/requests/{request.id}/{way}", **sent)
        assert answer.status_code == 409
    assert world(store) == before


def test_a_viewer_looks_and_decides_nothing(store, app):
    """Every way to decide is closed to the role of viewer, and the page offers none."""
    request = ask(store)
    viewer = visit(app, VERA)
    page = page_of(viewer, request)
    assert page.status_code == 200 and f"/requests/{request.id}/" not in page.text
    before = world(store)
    sent = {"digest": request.digest, "reason": "no", "do": "approve", "id": request.id}
    sent |= {f"digest.{request.id}": request.digest, "value.amount": "2"}
    for path in ("approve", "reject", "edit"):
        assert viewer.fill(f"/requests/{request.id}/{path}", **sent).status_code == 403
    assert viewer.fill("/batch", **sent).status_code == 403
    assert world(store) == before


def test_who_is_not_on_the_panel_does_not_vote(store, app):
    """The panel decides who may vote, whatever the role on the dashboard."""
    request = ask(store, panel=Panel(members=frozenset({"cleo"})))
    admin = visit(app, ADA)
    assert "You are not on its panel" in page_of(admin, request).text
    sent = {"digest": request.digest}
    assert admin.fill(f"/requests/{request.id}/approve", **sent).status_code == 409
    assert store.get(request.id).votes == ()


# Too late, twice, or something else


def test_a_page_that_is_out_of_date_decides_nothing(store, app):
    """What was edited meanwhile is not approved, rejected or edited from the older page."""
    request = ask(store)
    visitor = visit(app)
    form = visitor.get(f"/requests/{request.id}/edit")
    store.revise(edited(request, 2), edit(2, by="ben"), changed="by ben: amount: 1 -> 2")
    before = world(store)
    sent = {**form_values(form), "digest": request.digest, "reason": "no", "do": "propose"}
    sent["value.amount"] = "3"
    for path in ("approve", "reject", "edit"):
        answer = visitor.fill(f"/requests/{request.id}/{path}", **sent)
        assert answer.status_code == 409
        assert "is not what waits now" in answer.text and "amount: 1 -&gt; 2" in answer.text
    assert world(store) == before


def test_a_second_click_is_harmless(store, app):
    """The same vote sent twice is one vote, and both clicks lead to the true state."""
    request = ask(store)
    visitor = visit(app)
    sent = {"digest": request.digest}
    for _ in range(2):
        assert visitor.fill(f"/requests/{request.id}/approve", **sent).status_code == 303
    assert len(store.get(request.id).votes) == 1


@pytest.mark.parametrize("choice", ["approve", "reject"])
def test_what_is_decided_stays_so(store, app, choice):
    """Whoever comes second is shown who decided, with 409, and nothing changes."""
    request = ask(store)
    store.vote(request.id, Reject(by="ben", reason="not today"), digest=request.digest)
    before = world(store)
    sent = {"digest": request.digest, "reason": "no"}
    answer = visit(app).fill(f"/requests/{request.id}/{choice}", **sent)
    assert answer.status_code == 409
    assert "Rejected by ben" in answer.text and "not today" in answer.text
    assert "<textarea" not in answer.text
    assert world(store) == before


def test_what_has_expired_is_not_approved(tmp_path):
    """At the boundary instant a click comes too late; the page says that nothing ran."""
    clock = Clock()
    store = sqlite(tmp_path, clock=clock)
    request = ask(store)
    visitor = visit(dashboard(store, now=clock))
    page = page_of(visitor, request)
    clock.now = request.expires_at
    sent = {"digest": hidden(page, "digest")}
    answer = visitor.fill(f"/requests/{request.id}/approve", **sent)
    assert answer.status_code == 409 and "It was not run" in answer.text
    assert store.get(request.id).state is State.EXPIRED
    store.close()


@pytest.mark.parametrize("state", ["unclear", "succeeded"])
def test_a_request_that_is_over_shows_what_became_of_it(store, app, state):
    """The page of a decided request has the outcome and no way to decide."""
    if state == "unclear":
        request = unclear(store)
        wanted = "nobody knows how it ended"
    else:
        with Background(gated(store), "ch_9", 3):
            request = pending(store).request
            approve(visit(app), request)
        wanted = "ch_9: 3 paid back"
    page = page_of(visit(app), request)
    assert wanted in unescape(page.text) and "<textarea" not in page.text


def test_a_critical_call_asks_for_the_start_of_its_digest(store, app):
    """Without the right six characters nothing is approved; with them it is."""
    request = ask(store, risk=Risk.CRITICAL)
    visitor = visit(app)
    before = world(store)
    for typed_in in ("", request.digest[1:7], request.digest[:5], "\u202e" + request.digest[:6]):
        answer = approve(visitor, request, confirm=typed_in)
        assert answer.status_code == 400 and 'id="confirm-wrong"' in answer.text
    assert world(store) == before
    assert approve(visitor, request, confirm=f" {request.digest[:6].upper()} ").status_code == 303
    assert store.get(request.id).state is State.APPROVED


@pytest.mark.parametrize("path", ["/requests/none", "/requests/a.b", f"/requests/{'a' * 99}"])
def test_what_is_not_there_is_not_found(app, path):
    """An id that no request has is a 404, on every way to decide too."""
    visitor = visit(app)
    assert visitor.get(path).status_code == 404
    for way in ("approve", "reject", "edit"):
        sent = {"digest": "0" * 64, "reason": "no"}
        assert visitor.fill(f"{path}/{way}", **sent).status_code == 404


# What is shown


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_shows_as_text(store, app, text):
    """Wherever a value stands it is written out: never markup, and nothing in it is unseen."""
    preview = Preview(
        summary=text, facts=((text, text),), warnings=(text,), quotes=(Quote(who=text, text=text),),
        tables=(Table(title=text, columns=(text,), rows=((text,),)),), diff=f"+{text}",
    )  # fmt: skip
    sayable = text.encode("utf-8", "replace").decode()
    frozen = encode({"amount": 1, "note": text, "keys": {text: [text]}})
    request = ask(
        store,
        frozen=frozen,
        preview=preview,
        requester=f"agent {sayable}",
        acting_for=sayable,
        environment=sayable,
        parameters=(Parameter(name="note", annotation="str"),),
    )
    visitor = visit(app)
    pages = [page_of(visitor, request), visitor.get("/"), visitor.get(f"/batch?id={request.id}")]
    pages.append(visitor.get(f"/requests/{request.id}/edit"))
    for page in pages:
        assert page.status_code == 200
        assert "<img" not in page.text and "alert(1)>" not in page.text
        assert re.findall(r"<script[^>]*>", page.text) == [
            tag for tag in re.findall(r"<script[^>]*>", page.text) if 'src="/static/' in tag
        ]
        for unseen in "\u202e\u200b\u2066\x00\x1b\r":
            assert unseen not in page.text
    whole = unescape(re.sub(r"<[^>]+>", "", pages[0].text))
    from core.display import safe

    for line in safe(text, newlines=True).split("\n"):
        assert colours.ended(line) in whole


@given(st.text(max_size=200))
@settings(max_examples=80)
def test_colour_changes_no_character(text):
    """Put together again, the pieces of SQL and of a diff are the text itself."""
    assert "".join(piece.text for piece in colours.sql(text)) == colours.ended(text)
    assert "\n".join(piece.text for piece in colours.diff(text)) == colours.ended(text)


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.decimals(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=5)
    | st.datetimes() | st.times() | st.dates() | st.timedeltas() | st.uuids()
)  # fmt: skip
NESTED = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
        st.sets(st.integers() | st.text(max_size=3), max_size=3),
        st.frozensets(st.integers(), max_size=3),
    ),
    max_leaves=12,
)


def told(value):
    """A value as the page spells it, layout aside."""
    return spelled(json.loads(encode(value)))


@given(NESTED, NESTED)
@settings(max_examples=150)
def test_different_values_are_spelled_differently(one, other):
    """Two values look the same only if their bytes are the same, and nothing in them is unseen."""
    assert (told(one) == told(other)) == (encode(one) == encode(other))
    assert told(one).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"), (set(), "set()"), (frozenset(), "frozenset()"), ((1,), "(1,)"), ((), "()"),
        ([1, 1.0, True, "1", None], '[1, 1.0, True, "1", None]'),
        ({"a": Decimal("1.50")}, '{"a": Decimal("1.50")}'),
        ([{1}, frozenset({1})], "[{1}, frozenset({1})]"),
        ([NOON], '[datetime("2026-03-02T12:00:00+00:00")]'), (["\u202e"], '["\\u202e"]'),
    ],
)  # fmt: skip
def test_a_value_is_spelled_as_people_write_it(value, text):
    """Nested values are shown as one would type them, types told apart."""
    assert told(value) == text


def test_a_line_of_a_diff_is_no_head():
    """A line that goes and begins like the head of a diff is shown as one that goes."""
    pieces = colours.diff("--- a\n+++ b\n@@ -1 +1 @@\n--- drop it\n+++ add it")
    assert [piece.kind for piece in pieces] == ["place", "place", "place", "removed", "added"]


def test_the_page_tells_all_that_is_known(store, app):
    """Who asks for what, why, how bad it could be and who may decide: all of it is there."""
    preview = Preview(
        summary="pays 5 back", facts=(("customer", "Marta"),), warnings=("charged twice",),
        quotes=(Quote(who="the agent", text="she is angry"),),
        tables=(
            Table(title="before", columns=("id", "total"), rows=(("1", "5"),)),
            Table(title="after", columns=("id", "total"), rows=(("1", "0"),)),
        ),
    )  # fmt: skip
    panel = Panel(members=frozenset({"ana", "cleo", "dora"}), votes=2)
    request = ask(store, 5, preview=preview, panel=panel, acting_for="Marta", run="night 7")
    text = unescape(page_of(visit(app), request).text)
    for known in (request.action, "agent", "Marta", "night 7", "HIGH", "production", "int", "5",
                  "pays 5 back", "charged twice", "ana, cleo, dora", "0 of 2", request.digest[6:],
                  "Words of the agent, not checked by anybody", "she is angry"):  # fmt: skip
        assert known in text
    assert re.findall("<mark>(.*?)</mark>", text) == ["5", "0"]


def test_what_can_be_approved_is_there_to_its_last_character(store, app):
    """Up to the size at which the button goes, nothing is left out, alone or in a batch."""
    long = "".join(f"{number:06}" for number in range((MAX_SHOWN - 2_000) // 6))
    request = ask(store, frozen=encode({"text": long, "list": [long[-900:]]}))
    visitor = visit(app)
    for page in (page_of(visitor, request), visitor.get(f"/batch?id={request.id}")):
        assert long in page.text and f"[\n  &#34;{long[-900:]}&#34;\n]" in page.text
        assert 'class="approve' in page.text


def test_what_is_too_large_cannot_be_approved(store, app):
    """A page that cannot show everything has no approve button, says why, and takes no approval."""
    request = ask(store, frozen=encode({"amount": 1, "text": "x" * (MAX_SHOWN + 1)}))
    visitor = visit(app)
    page = page_of(visitor, request)
    assert "Too large to be shown whole" in page.text and "python -m core show" in page.text
    assert "/approve" not in page.text and len(page.text) < MAX_SHOWN
    before = world(store)
    sent = {"digest": request.digest, "value.amount": "2", "do": "propose"}
    assert visitor.fill(f"/requests/{request.id}/approve", **sent).status_code == 409
    assert visitor.fill(f"/requests/{request.id}/edit", **sent).status_code == 409
    assert world(store) == before
    assert reject(visitor, request, "send it in parts").status_code == 303


def test_a_megabyte_is_a_page_and_not_a_failure(store, app):
    """The largest text that a gate takes is listed and opened, cut where nobody could approve."""
    request = ask(store, frozen=encode({"text": "<b>" * 300_000}))
    visitor = visit(app)
    assert page_of(visitor, request).status_code == 200
    assert len(visitor.get("/").text) < 50_000
    assert "too large" in visitor.get(f"/batch?id={request.id}").text


# The form of an edit


class Colour(StrEnum):
    """What a thing looks like."""

    RED = "red"
    BLUE = "blue"


VALUES = [
    ("int", 5, "int", "5"),
    ("int | None", None, "int", ""),
    ("float", 1.5, "float", "1.5"),
    ("decimal.Decimal", Decimal("1.50"), "Decimal", "1.50"),
    ("bool", True, "choice", "0"),
    ("typing.Literal['a', 'b'] | None", "b", "choice", "1"),
    ("tests.Colour", Colour.BLUE, "choice", "1"),
    ("str", "one line", "text", "one line"),
    ("str", "two\nlines", "lines", "two\nlines"),
    ("str", "a\u202eb", "text", "a⟨U+202E⟩b"),
    ("datetime.date", date(2026, 6, 4), "date", "2026-06-04"),
    ("datetime.datetime", datetime(2026, 6, 4, 12, 30), "datetime", "2026-06-04T12:30:00"),  # noqa: DTZ001 - one without a zone is what is asked about
    ("datetime.datetime", NOON, "aware", "2026-03-02T12:00:00+00:00"),
    ("datetime.timedelta", timedelta(hours=1), "timedelta", "PT1H"),
    ("list[int]", [1, 2], "json", "[\n  1,\n  2\n]"),
    ("", {"a": None}, "json", '{\n  "a": null\n}'),
]


@pytest.mark.parametrize(("annotation", "value", "kind", "text"), VALUES)
def test_a_field_fits_its_parameter(annotation, value, kind, text):
    """Each kind of parameter is asked for in its own way, as it stands now."""
    request = asked(
        arguments={"x": value}, parameters=(Parameter(name="x", annotation=annotation),)
    )
    (one,) = fields.fields(request)
    assert (one.kind, one.text, one.none) == (kind, text, value is None)
    untouched = typed.filled_in(
        [one],
        {"value.x": text.replace("\n", "\r\n")} | ({"none.x": "nothing"} if value is None else {}),
    )
    assert typed.changed([one], untouched) == {}


@given(st.text(max_size=50))
@settings(max_examples=150)
def test_a_text_survives_its_form(text):
    """A text that stands in a field and is sent back as it stands is the same text."""
    (one,) = fields.fields(
        asked(arguments={"x": text}, parameters=(Parameter(name="x", annotation="str"),))
    )
    sent = one.text.replace("\n", "\r\n")
    one.text.encode("utf-8")  # a page could not be sent otherwise
    assert typed.value_of(typed.filled_in([one], {"value.x": sent})[0]) == text


@pytest.mark.parametrize(
    ("annotation", "value", "typed_in"),
    [
        ("int", 5, "five"), ("int", 5, ""), ("int", 5, "9" * 5000), ("int", 5, "٣"),
        ("float", 1.0, "nan"), ("float", 1.0, "1e999"), ("decimal.Decimal", Decimal(1), "NaN"),
        ("decimal.Decimal", Decimal(1), "1,5"), ("bool", True, "7"), ("bool", True, "x"),
        ("datetime.date", date(2026, 1, 1), "2026-02-30"), ("list[int]", [1], "[1,"),
        ("list[int]", [1], "NaN"), ("list[int]", [1], "[" * 100_000),
        ("str", "a", "⟨U+D83D⟩⟨U+DE00⟩"), ("str", "a", "x" * 1_000_001),
        ("datetime.datetime", NOON, "0001-01-01T00:00:00+23:59"),
        ("datetime.datetime", datetime(2026, 6, 4), "2026-06-04T12:30:00Z"),  # noqa: DTZ001 - one without a zone is what is asked about
    ],
)  # fmt: skip
def test_what_is_no_such_value_is_told_at_its_field(annotation, value, typed_in):
    """Whatever somebody types, the form answers with a sentence and never fails."""
    (one,) = fields.fields(
        asked(arguments={"x": value}, parameters=(Parameter(name="x", annotation=annotation),))
    )
    with pytest.raises(typed.Misfits) as caught:
        typed.changed([one], typed.filled_in([one], {"value.x": typed_in}))
    assert caught.value.by_name["x"].endswith(".")


def test_a_secret_has_no_field(store, app):
    """What is hidden is not in the form, and a value sent for it anyway is not taken."""
    with Background(gated(store, lambda amount, key: f"{amount}", secret=["key"]), 5, "s3cret-key"):
        request = pending(store).request
        visitor = visit(app)
        form = visitor.get(f"/requests/{request.id}/edit")
        assert "value.key" not in form.text and "hidden" in form.text
        answer = change(visitor, request, key="another")
        assert answer.status_code == 400 and store.get(request.id).proposal is None
        reject(visitor, request, "no")


def test_none_is_told_apart_from_an_empty_text(store, app):
    """Unticking "nothing" makes an empty text of it, and ticking makes nothing of a text."""
    seen = []

    def note(text: str | None = None, other: str | None = "x") -> str:
        seen.append((text, other))
        return "ok"

    with Background(gated(store, note)):
        request = pending(store).request
        visitor = visit(app)
        sent = form_values(visitor.get(f"/requests/{request.id}/edit"))
        del sent["none.text"]
        sent |= {"none.other": "nothing", "do": "propose"}
        assert visitor.fill(f"/requests/{request.id}/edit", **sent).status_code == 303
    assert seen == [("", None)]


def test_what_was_pasted_unseen_is_seen_before_it_is_proposed(store, app):
    """Hidden characters in what was typed are written out in the difference and in the form."""
    frozen = encode({"amount": 1, "note": "a", "tags": ["a"]})
    names = {"amount": "int", "note": "str", "tags": "list[str]"}
    known = tuple(Parameter(name=name, annotation=text) for name, text in names.items())
    request = ask(
        store, arguments={"amount": 1, "note": "a", "tags": ["a"]}, frozen=frozen, parameters=known
    )
    visitor = visit(app)
    pasted = {"note": "pay\u202e1", "tags": '["b\u200b"]'}
    for do, mark in (("look", "\\u200b"), ("back", "\\u200b")):
        page = change(visitor, request, do=do, **pasted)
        assert page.status_code == 200
        assert "pay⟨U+202E⟩1" in page.text and mark in page.text
        assert "\u202e" not in page.text and "\u200b" not in page.text


def test_a_value_beside_a_tick_for_nothing_is_asked_about(store, app):
    """Whoever types a value and leaves "nothing" ticked is told, rather than not heard."""
    request = asked(
        arguments={"x": None}, parameters=(Parameter(name="x", annotation="int | None"),)
    )
    form = fields.fields(request)
    given = {"value.x": "5", "none.x": "nothing"}
    with pytest.raises(typed.Misfits, match="Untick nothing"):
        typed.changed(form, typed.filled_in(form, given))
    assert typed.changed(form, typed.filled_in(form, {"value.x": "5"})) == {"x": 5}


# Many at once


def several(store, count=3, **options):
    """Leave some requests that wait."""
    return [ask(store, 10 * n, **options) for n in range(1, count + 1)]


def batch(visitor, requests, do, **fields):
    """Decide on the batch page as it shows these requests now."""
    query = "&".join(f"id={one.id}" for one in requests)
    page = visitor.get(f"/batch?{query}")
    sent = dict(re.findall(r'name="(digest\.\w+)" value="(\w+)"', page.text))
    sent |= {"shown": re.findall(r'name="shown" value="(\w+)"', page.text)}
    sent |= {"id": re.findall(r'name="id" value="(\w+)" checked', page.text), "do": do, **fields}
    return page, visitor.fill("/batch", **sent)


def states(store, requests):
    """Where requests stand."""
    return [store.get(one.id).state for one in requests]


def test_a_batch_is_approved_together(store, app):
    """Each ticked request gets a vote of its own, on the digest that was shown."""
    requests = several(store)
    _, answer = batch(visit(app), requests, "approve")
    assert "3 of 3 counted" in answer.text
    assert states(store, requests) == [State.APPROVED] * 3
    assert [[v.digest for v in store.get(r.id).votes] for r in requests] == [
        [r.digest] for r in requests
    ]


def test_a_batch_is_rejected_with_one_reason(store, app):
    """All that is ticked is rejected with the same words; without words nothing is."""
    requests = several(store)
    _, answer = batch(visit(app), requests, "reject", reason="  ")
    assert answer.status_code == 400 and states(store, requests) == [State.PENDING] * 3
    batch(visit(app), requests, "reject", reason="not on a Sunday", id=[r.id for r in requests[:2]])
    assert states(store, requests) == [State.REJECTED, State.REJECTED, State.PENDING]
    assert {store.get(r.id).decision.reason for r in requests[:2]} == {"not on a Sunday"}


def test_one_of_a_batch_is_decided_alone(store, app):
    """The button of one request decides that one, whatever is ticked."""
    requests = several(store)
    batch(visit(app), requests, f"approve:{requests[1].id}")
    assert states(store, requests) == [State.PENDING, State.APPROVED, State.PENDING]
    batch(visit(app), requests, f"reject:{requests[0].id}", reason="no")
    assert states(store, requests)[0] is State.REJECTED


def test_nothing_critical_or_too_large_is_approved_in_a_batch(store, app):
    """Those have no tick, and naming them anyway approves them neither."""
    alone = [ask(store, risk=Risk.CRITICAL), ask(store, frozen=encode({"text": "x" * MAX_SHOWN}))]
    requests = [*alone, *several(store, 1)]
    page, _ = batch(visit(app), requests, "look")
    assert re.findall(r'name="id" value="(\w+)"', page.text) == [requests[-1].id]
    _, answer = batch(visit(app), requests, "approve", id=[r.id for r in requests])
    assert "1 of 3 counted" in answer.text
    assert states(store, requests) == [State.PENDING, State.PENDING, State.APPROVED]


def test_a_batch_counts_only_what_was_shown(store, app):
    """What was edited, decided or never asked meanwhile is told as such; the rest counts."""
    requests = several(store, 4)
    visitor = visit(app)
    query = "&".join(f"id={one.id}" for one in requests)
    assert visitor.get(f"/batch?{query}").status_code == 200
    store.revise(edited(requests[0], 9), edit(9, by="ben"), changed="by ben: amount: 10 -> 9")
    store.vote(requests[1].id, Reject(by="ben", reason="no"), digest=requests[1].digest)
    store.vote(requests[2].id, Approve(by="ben"), digest=requests[2].digest)
    sent = {f"digest.{one.id}": one.digest for one in requests}
    sent |= {"id": [one.id for one in requests], "shown": [one.id for one in requests]}
    answer = visitor.fill("/batch", **sent, do="approve")
    assert "1 of 4 counted" in answer.text
    assert states(store, requests) == [
        State.PENDING,
        State.REJECTED,
        State.APPROVED,
        State.APPROVED,
    ]
    assert [v.by for v in store.get(requests[2].id).votes] == ["ben"]
    assert store.get(requests[0].id).votes == ()


def test_a_batch_sums_what_can_be_summed():
    """Numbers of one name add up exactly, apart by currency; ids, flags and texts do not."""
    made = [
        asked(arguments={"amount": Decimal("0.10"), "currency": "EUR", "order_id": 7, "ok": True}),
        asked(arguments={"amount": Decimal("0.20"), "currency": "EUR", "order_id": 8, "ok": True}),
        asked(arguments={"amount": 5, "currency": "USD", "order_id": 9, "ok": False}),
        asked(arguments={"amount": 7, "currency": "USD"}),
        asked(arguments={"rows": 3}),
        asked(arguments={"rows": 4}, preview=Preview(facts=(("orders", "1,204 of 9,000 rows"),))),
        asked(
            preview=Preview(facts=(("orders", "6 of 9,000 rows"), ("to", "Marta"))), arguments={}
        ),
    ]
    assert dict(totals.totals(made)) == {
        "amount, EUR": "0.30", "amount, USD": "12", "rows": "7", "orders, rows": "1,210",
    }  # fmt: skip


@pytest.mark.parametrize(
    "query", ["id=../x", "risk=AWFUL", "&".join(f"id={n}" for n in range(101))]
)
def test_a_batch_that_cannot_be_is_told_so(app, query):
    """A bad question is a page with a sentence."""
    assert visit(app).get(f"/batch?{query}").status_code == 400


def test_enter_in_a_field_decides_nothing(store, app):
    """Enter in a field or a tick box presses a form's first button, and that decides nothing."""
    request = ask(store)
    visitor = visit(app)
    before = world(store)
    for page in (page_of(visitor, request), visitor.get(f"/batch?id={request.id}")):
        forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", page.text, re.S)
        deciding = [form for form in forms if 'class="approve' in form]
        assert deciding
        for form in deciding:
            first = re.search(r"<button[^>]*>", form)[0]
            assert "disabled" in first or 'value="look"' in first
    _, answer = batch(visitor, [request], "look")
    assert answer.headers["location"] == f"/batch?id={request.id}"
    assert world(store) == before


# The inbox


def listed(page):
    """The ids on a page of the inbox, in its order."""
    return re.findall(r'<li class="entry[^"]*" data-id="(\w+)"', page.text)


def test_the_inbox_has_every_request_once(store, app):
    """Turning all pages shows each pending request once, the newest first."""
    everything = [ask(store, n).id for n in range(120)]
    visitor = visit(app)
    pages = [listed(visitor.get(f"/?page={number}")) for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [50, 50, 20, 0]
    assert [one for page in pages for one in page] == everything[::-1]


def test_the_most_urgent_comes_first(store, app):
    """What has to be decided first stands at the top; of two at once, the riskier."""
    now = store._clock()
    soon, late, worse = (
        ask(store, expires_at=now + timedelta(minutes=minutes), risk=risk)
        for minutes, risk in ((9, Risk.LOW), (50, Risk.LOW), (9, Risk.HIGH))
    )
    assert listed(visit(app).get("/?sort=urgent")) == [worse.id, soon.id, late.id]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("app=shop", "ab"), ("app=shop.tools", "a"), ("app=sho", ""), ("action=refund", "a"),
        ("risk=LOW", "b"), ("environment=staging", "bc"), ("environment=staging&app=ops", "c"),
        ("person=Marta", "c"), ("person=NIGHT", "b"), ("person=nobody", ""),
    ],
)  # fmt: skip
def test_a_filter_keeps_exactly_what_fits(store, app, query, wanted):
    """Each filter narrows the list to what it says, several at once to what fits all of them."""
    known = {
        "a": ask(store),
        "b": ask(
            store,
            action="shop.orders.cancel",
            risk=Risk.LOW,
            environment="staging",
            requester="night agent",
        ),
        "c": ask(store, action="ops.deploy", environment="staging", acting_for="Marta"),
    }  # fmt: skip
    found = listed(visit(app).get(f"/?{query}"))
    assert sorted(found) == sorted(known[letter].id for letter in wanted)


@pytest.mark.parametrize("query", ["sort=alphabet", "page=0", "page=x", f"page={'9' * 50}",
                                   "risk=none", f"action={'a' * 501}"])  # fmt: skip
def test_a_question_that_means_nothing_is_told_so(app, query):
    """A bad address of the inbox is a page with a sentence and never a failure."""
    assert visit(app).get(f"/?{query}").status_code == 400


def test_an_empty_inbox_says_what_it_is_for(app):
    """Whoever comes first is told what will appear here."""
    text = visit(app).get("/").text
    assert "Nothing waits for you" in text and "approver=Inbox(store)" in text


ACTS = ["ask", "approve", "reject", "revise", "cancel", "wait", "look", "sweep"]


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 9)), max_size=30))
@settings(max_examples=60)
def test_the_tray_always_holds_what_waits(acts):
    """Whatever happens and however often somebody looks, the list is that of the store."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    tray, requests = Tray(store), []
    for act, number in acts:
        one = requests[number % len(requests)] if requests else None
        if act == "ask":
            requests.append(ask(store, number, expires_at=clock() + timedelta(seconds=90)))
        elif act == "wait":
            clock.now += timedelta(seconds=30)
        elif act == "look":
            tray.refresh()
        elif act == "sweep":
            store.sweep()
        elif one:
            step(store, act, store.get(one.id))
    found = tray.sift(Sieve(), clock(), urgent=False, start=0, count=100).entries
    waits = store.pending(limit=EVERYTHING)
    assert [each.id for each in found][::-1] == [each.request.id for each in waits]
    assert {e.id: e.brief for e in found} == {
        s.request.id: f"amount={s.request.arguments['amount']}" for s in waits
    }


def step(store, act, stored):
    """Do one thing to a request, or try to."""
    request = stored.request
    try:
        if act == "approve":
            store.vote(request.id, Approve(by="ana"), digest=request.digest)
        elif act == "reject":
            store.vote(request.id, Reject(by="ana", reason="no"), digest=request.digest)
        elif act == "cancel":
            store.cancel(request.id, by="ana", because="a mistake")
        else:
            store.revise(edited(request, 77), edit(77), changed="amount")
    except StoreError:
        pass


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 64, 100])
def test_the_end_of_the_trail_is_found(count):
    """The number of the last record is found without reading those before it."""
    store = MemoryStore()
    for number in range(count):
        store.submit(asked(number))
    assert last_seq(store) == count


# News


def heard(base, token, *, until, seconds=10):
    """Yield the news of one open stream until `until` says that it is enough."""
    name = f"gate-{base.rpartition(':')[2]}"
    with (
        httpx2.Client(base_url=base, cookies={name: token}, timeout=seconds) as client,
        client.stream("GET", "/events") as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            until(line)
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


CHILD = """
import sys
from core import Approve, SqliteStore
store = SqliteStore(sys.argv[1])
(one,) = store.pending()
store.vote(one.request.id, Approve(by="ben"), digest=one.request.digest)
store.close()
"""


def test_a_vote_in_another_process_is_news(store, app, tmp_path):
    """An open page hears of a vote that another process has counted, by id and state only."""
    request = ask(store)
    token, _ = app.state.context.sessions.open("ana")

    def vote(line):
        if line == ": here":
            command = [sys.executable, "-c", CHILD, str(tmp_path / "approvals.db")]
            threading.Timer(0.3, subprocess.run, [command], {"check": True, "cwd": ROOT}).start()

    with serving(app) as base:
        news = next(heard(base, token, until=vote))
    assert news == {"changes": {request.id: "approved"}, "more": False, "waits": 0}


ROOT = Path(__file__).parent.parent


def test_a_stream_ends_with_its_session(store, app):
    """Logging out closes what the page listened to."""
    token, session = app.state.context.sessions.open("ana")

    def leave(line):
        if line == ": here":
            app.state.context.sessions.close(session)

    with serving(app) as base:
        start = time.monotonic()
        assert [*heard(base, token, until=leave)] == []
        assert time.monotonic() - start < 5
        eventually(lambda: not app.state.news._listeners)


def test_who_is_not_logged_in_hears_nothing(app):
    """Without a session there is no stream."""
    from starlette.testclient import TestClient

    assert TestClient(app, base_url=HERE).get("/events").status_code == 401


def test_a_slow_listener_is_told_less_and_nothing_wrong():
    """Beyond a number of changes a page is only told that there were many."""
    listener = Listener()
    for number in range(events.MOST_HINTS + 1):
        listener.tell({str(number): "approved"})
    assert listener.take() == ({}, True)
    listener.tell({"a": "voted"})
    listener.tell({"a": "approved"})
    assert listener.take() == ({"a": "approved"}, False)
    assert not listener.news.is_set()
