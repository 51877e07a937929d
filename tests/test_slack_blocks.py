"""A message in Slack shows all of a request, letter by letter, or nobody can approve it there."""

import json
import re
from dataclasses import replace

import pytest
from asking import NOON, asked
from hypothesis import given
from hypothesis import strategies as st
from slack_rules import buttons_of, check_blocks, parts_of, said_by, text_of

from core import Preview, Risk, State
from core.approvers.chat.card import card
from core.approvers.chat.grid import drawn
from core.approvers.slack.blocks import fits, message, note, outline
from core.approvers.slack.marks import EMPTY, said
from core.canonical import encode
from core.display import MAX_SHOWN, unsafe
from core.model import Outcome, Panel, Quote, Reject, StoredRequest, Table, Vote

LINK = "https://approvals.example.org"
HOSTILE = [
    "<!channel> <!here> <@U1ANA> <#C1|general> @channel @here #general",
    "<https://evil.example|the dashboard> https://evil.example ana@example.org evil.example",
    "*bold* _italic_ ~gone~ `code` ```\nbox\n``` :tada: &lt;!channel&gt; &amp;",
    "> a quote\n• a list\n1. and more",
    "\n\n  It waits for nobody.\n*Approved by ana*",
    "```\n```",
]
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.text(alphabet="<>@#!&*_~`:|. \nab", max_size=60),
    st.integers(0, 4_000).map(lambda length: "long " * (length // 5)),
)
votes = st.builds(
    lambda by, note: Vote(by=by, choice="approve", digest="", at=NOON, window="Slack", note=note),
    texts,
    texts,
)
previews = st.builds(
    Preview,
    summary=texts,
    facts=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    tables=st.lists(
        st.builds(
            Table,
            title=texts,
            columns=st.just(("a", "b")),
            rows=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    diff=texts,
    warnings=st.lists(texts, max_size=2).map(tuple),
    quotes=st.lists(st.builds(Quote, who=texts, text=texts), max_size=2).map(tuple),
)


@st.composite
def requests(draw):
    """A request about anything, in any state, with texts that nobody should trust."""
    names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
    values = st.one_of(texts, st.integers(), st.none(), st.lists(texts, max_size=3))
    arguments = draw(st.dictionaries(names, values, max_size=4))
    request = asked(
        action=draw(st.one_of(st.just("shop.refund"), texts)),
        arguments=arguments,
        frozen=encode(arguments),
        preview=draw(st.none() | previews),
        risk=draw(st.sampled_from(Risk)),
        environment=draw(texts),
        requester=draw(texts),
        acting_for=draw(texts),
        problem=draw(texts),
        remarks=draw(st.lists(texts, max_size=2).map(tuple)),
        panel=Panel(members=frozenset({"ana", "bo"}), votes=2),
    )
    state = draw(st.sampled_from(State))
    outcome = Outcome(error="Boom", message=draw(texts)) if state is State.FAILED else None
    spoken = tuple(draw(st.lists(votes, max_size=2)))
    return StoredRequest(request=request, state=state, votes=spoken, outcome=outcome)


def shown(stored, dashboard=LINK):
    """The card of a request, and the message about it."""
    made = card(stored, dashboard=dashboard)
    return made, message(made)


def waiting(**fields):
    """A request that people are asked about."""
    return StoredRequest(request=asked(**fields), state=State.PENDING)


def with_arguments(**arguments):
    """A request that waits, about these arguments."""
    return waiting(arguments=arguments, frozen=encode(arguments))


def values_in(blocks):
    """The values of the arguments as they can be read: by name, whole, in order."""
    [parts] = [
        block["elements"][1:]
        for block in blocks
        if block["type"] == "rich_text" and text_of(block["elements"][0]) == "Arguments"
    ]
    found = []
    for part in parts:
        if part["type"] == "rich_text_preformatted":
            found[-1] = (found[-1][0], text_of(part))
            continue
        name, *rest = part["elements"]
        assert name["style"] == {"bold": True}
        codes = [one["text"] for one in rest if one.get("style") == {"code": True}]
        found.append((name["text"], "".join(codes)))
    return found


@given(requests())
def test_slack_takes_every_message(stored):
    """Whatever is asked, its message keeps every limit, and all markup in it is ours."""
    made, sent = shown(stored)
    check_blocks(sent.blocks)
    assert fits(sent.blocks) and len(json.dumps(sent.blocks)) < 13_000
    links = [one for part in parts_of(sent.blocks) for one in part["elements"] if "url" in one]
    assert {one["url"] for one in links} <= {made.link}


@given(requests())
def test_every_argument_is_there_once_and_whole(stored):
    """Each character of each argument can be read, in order; or nobody can approve it here."""
    made, sent = shown(stored)
    if sent.is_whole and made.arguments:
        assert values_in(sent.blocks) == [(one.name, one.value) for one in made.arguments]
    if not sent.is_whole:
        assert not {"approve", "edit"} & set(buttons_of(sent.blocks))


@given(requests())
def test_all_the_rest_is_there_too(stored):
    """Facts, preview, votes and what is missing stand in a whole message as the card has them."""
    made, sent = shown(stored)
    if not sent.is_whole:
        return
    text = said_by(sent.blocks)
    facts = [one for one in made.facts if one.name != "environment"]
    wanted = [
        *(made.action, made.environment, made.standing, made.summary, made.diff, made.missing),
        *(made.problem, made.outcome, *made.remarks, *made.warnings, *made.votes),
        *(text for one in (*facts, *made.found) for text in (one.name, one.value)),
        *(text for one in made.quotes for text in (one.who, one.text)),
        *(text for one in made.tables for text in (one.title, drawn(one))),
    ]
    assert [one for one in wanted if one not in text] == []


@given(texts)
def test_a_notification_has_no_markup(text):
    """No text makes a notification mention, link or format anything."""
    found = said(text)
    assert not set(found) & set("<>&*~`@#")
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])|:\S|\w\.\w", found)
    assert len(found) == len(text)


@given(texts)
def test_words_under_a_message_are_only_words(text):
    """What is written in a thread or to one person is shown letter by letter."""
    sent = note(f"So it is: {text}")
    check_blocks(sent.blocks)
    assert said_by(sent.blocks) == f"So it is: {text}"


@pytest.mark.parametrize("value", [*HOSTILE, "", " ", "\n", " a ", "x" * 80, "x" * 81, "x" * 8_000])
def test_a_value_stays_where_it_is(value):
    """A value leaves neither its line nor its box, and an empty one is not one that says so."""
    _, sent = shown(with_arguments(text=value))
    assert sent.is_whole
    [(_, read)] = values_in(sent.blocks)
    assert unsafe(read) == value
    assert (EMPTY in said_by(sent.blocks)) is (value == "")


def test_line_ends_at_the_end_of_a_value_are_told():
    """Two values that differ in empty lines at the end look different."""
    one, other = (said_by(shown(with_arguments(text=text))[1].blocks) for text in ("a\n", "a\n\n"))
    assert "2 lines" in one and "3 lines" in other


def test_buttons_name_the_request_and_what_was_shown():
    """A click carries the id and the digest, and nothing of the arguments."""
    made, sent = shown(waiting())
    buttons = buttons_of(sent.blocks)
    assert list(buttons) == ["approve", "edit", "reject", "dashboard"]
    values = {buttons[name]["value"] for name in ("approve", "edit", "reject")}
    assert values == {f"{made.id}.{made.digest}"}
    assert buttons["dashboard"]["url"] == f"{LINK}/requests/{made.id}"


def test_without_a_dashboard_there_is_no_link():
    """No button leads nowhere."""
    _, sent = shown(waiting(), dashboard="")
    assert list(buttons_of(sent.blocks)) == ["approve", "edit", "reject"]


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_a_record_has_no_buttons(state):
    """Once nobody is asked any more there is nothing to click, and the message says why."""
    made, sent = shown(StoredRequest(request=asked(), state=state))
    assert buttons_of(sent.blocks) == {}
    assert made.standing in said_by(sent.blocks) and made.standing[:8] in sent.text


def test_a_record_says_who_when_and_why():
    """The message of a rejected request is its record."""
    vote = Vote(by="ana", choice="reject", digest="", at=NOON, window="Slack", note="not <today>")
    no = Reject(by="ana", reason="not <today>")
    ended = StoredRequest(request=asked(), state=State.REJECTED, decision=no, votes=(vote,))
    _, sent = shown(ended)
    assert "ana rejected in Slack, 2026-03-02 12:00 UTC: not <today>" in said_by(sent.blocks)
    assert "Rejected by ana. It was not run." in said_by(sent.blocks)


@pytest.mark.parametrize(
    "fields",
    [
        {"frozen": encode({"text": "x" * 12_000})},
        {"frozen": encode({"text": "ü" * 2_100})},
        {"frozen": encode({"text": "x" * (MAX_SHOWN + 1)})},
        {"preview": Preview(diff="+ line\n" * 2_000)},
        {"preview": Preview(warnings=("careful",) * 200)},
        {"environment": "e" * 20_000},
        {"requester": "\U0001f600" * 5_000, "acting_for": "\U0001f600" * 5_000},
    ],
)
def test_what_is_too_large_cannot_be_approved_here(fields):
    """A request that Slack cannot show whole has no yes, but a no and a link to where it is."""
    made, sent = shown(waiting(**fields))
    assert not sent.is_whole and fits(sent.blocks)
    check_blocks(sent.blocks)
    assert list(buttons_of(sent.blocks)) == ["reject", "dashboard"]
    assert "too large" in said_by(sent.blocks)
    assert list(buttons_of(outline(replace(made, link="")).blocks)) == ["reject"]


@given(requests())
def test_an_outline_always_fits(stored):
    """When Slack refuses a message, a short one about the same request is at hand."""
    made, _ = shown(stored)
    sent = outline(made)
    check_blocks(sent.blocks)
    assert fits(sent.blocks) and not {"approve", "edit"} & set(buttons_of(sent.blocks))


def test_risk_and_place_come_first():
    """Whoever reads only the beginning knows what, how risky and where."""
    _, sent = shown(waiting(risk=Risk.CRITICAL, environment="production"))
    head, first = said_by(sent.blocks).splitlines()[:2]
    assert head == "refund" and first == " CRITICAL risk in production"
    assert sent.text == "refund waits for approval: CRITICAL risk, production"


def test_words_of_others_are_apart():
    """What the agent says stands beside a bar, under words that nobody has checked it."""
    quotes = (Quote(who="agent", text="it is safe"),)
    _, sent = shown(waiting(preview=Preview(summary="pays", quotes=quotes)))
    [title, quoted] = [part for part in parts_of(sent.blocks) if "safe" in text_of(part)] and [
        part
        for block in sent.blocks
        if block["type"] == "rich_text" and "checked" in text_of(block["elements"][0])
        for part in block["elements"]
    ]
    assert text_of(title) == "agent says, and nobody has checked it:"
    assert quoted["type"] == "rich_text_quote" and text_of(quoted) == "it is safe"


def test_what_is_too_large_everywhere_is_too_large_here():
    """What no window can show whole has no yes here, however short its card has become."""
    made, _ = shown(waiting())
    sent = message(replace(made, too_large=True))
    assert not sent.is_whole and "approve" not in buttons_of(sent.blocks)


def test_no_line_of_others_looks_like_ours():
    """A text of several lines stands beside a bar, so that none of them passes for a fact."""
    fake = "fine\nIt waits for nobody."
    preview = Preview(summary=fake, warnings=(fake,), quotes=(Quote(who="x", text=fake),))
    vote = Vote(by="ana", choice="approve", digest="", at=NOON, note=fake)
    stored = StoredRequest(
        request=asked(preview=preview, remarks=(fake,)), state=State.PENDING, votes=(vote,)
    )
    _, sent = shown(stored)
    kinds = [part["type"] for part in parts_of(sent.blocks) if "nobody." in text_of(part)]
    assert kinds == ["rich_text_quote"] * 5


def test_no_table_is_titled_as_ours():
    """A table that calls itself the arguments is told apart from them."""
    fake = Table(title="Arguments", columns=("amount (int)",), rows=(("1",),))
    _, sent = shown(waiting(preview=Preview(tables=(fake,))))
    assert values_in(sent.blocks) == [("amount (int)", "1")]


def test_no_cell_looks_like_two():
    """A bar inside a cell is written out, and rows keep their columns."""
    table = Table(title="", columns=("id", "to"), rows=(("1", "a │ b"), ("日", "c")))
    assert drawn(table).splitlines()[2:] == ["1  │ a ⟨U+2502⟩ b", "日 │ c"]
