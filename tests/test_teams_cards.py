"""A card in Teams shows all of a request, letter by letter, or nobody can approve it there."""

import json
from dataclasses import replace

import pytest
import teams_rules
from asking import asked
from hypothesis import given
from hypothesis import strategies as st
from teams_people import verbs

from core import Preview, Risk, State
from core.approvers.chat.card import Card, card
from core.approvers.forms.fields import Field
from core.approvers.teams.cards import MOST_UNITS, adaptive, is_whole, note, outline, units
from core.approvers.teams.inputs import NO, YES, filled
from core.approvers.teams.words import MARGIN
from core.canonical import encode
from core.display import unsafe
from core.model import Quote, StoredRequest, Table

TEXTS = st.text(max_size=300) | st.sampled_from(
    ["", " ", "\n", "a\n\nb\n", "**b** [l](x)", "<at>Bo</at>", "{{DATE(2020-01-01)}}", "a\u202eb"]
)
FIELDS = [
    Field(name="amount", label="amount", type="int", kind="int", text="45"),
    Field(name="note", label="note", type="str", kind="lines", text="a\nb", optional=True),
    Field(
        name="why",
        label="why",
        type="Literal",
        kind="choice",
        text="1",
        choices=(("x", "x"), ("y", "y")),
    ),
    Field(name="key", label="key", type="secret", kind="fixed", hint="It is hidden."),
]


def waiting(arguments=None, **fields):
    """Return the card of a request that waits."""
    request = asked(frozen=encode(arguments or {"amount": 1}), **fields)
    return card(StoredRequest(request=request, state=State.PENDING))


def runs(made):
    """The lines of a card: the texts of the runs in each paragraph."""
    return [
        [one["text"] for one in part["inlines"]]
        for part in made["body"]
        if part["type"] == "RichTextBlock"
    ]


def value_in(made, name):
    """Read the value of an argument back from a card."""
    lines = runs(made)
    start = next(n for n, line in enumerate(lines) if line[0].startswith(f"{name} (str): "))
    if len(lines[start]) == 2:
        return "" if lines[start][1] == "(empty)" else lines[start][1]
    count = int(lines[start][0].split(": ")[1].split()[0])
    found = lines[start + 1 : start + 1 + count]
    assert all(len(line) == 1 and line[0].startswith(MARGIN) for line in found)
    return "\n".join(line[0].removeprefix(MARGIN) for line in found)


@given(TEXTS)
def test_every_letter_of_an_argument_is_there(text):
    """What would run can be read back from the card, to the last blank."""
    shown = waiting({"text": text})
    made = adaptive(shown, FIELDS)
    teams_rules.check_card(made)
    assert unsafe(value_in(made, "text")) == text or text == "(empty)"


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_is_markup(argument, words, cell):
    """All that is not ours stands in runs of rich text, in which nothing is read."""
    preview = Preview(
        summary=words,
        facts=((words or "x", cell),),
        tables=(Table(title=words, columns=(words,), rows=((cell,),)),),
        diff=words,
        warnings=(words,),
        quotes=(Quote(who=words, text=cell),),
    )
    made = adaptive(waiting({"a": argument}, preview=preview, remarks=(words,)), FIELDS)
    teams_rules.check_card(made)
    assert {part["type"] for part in made["body"]} == {"RichTextBlock"}
    assert "entities" not in made["msteams"]


@given(st.integers(0, 120_000))
def test_a_card_fits_or_cannot_be_approved(length):
    """However large a request is, Teams takes the card; a part of it cannot be approved."""
    made = adaptive(waiting({"text": "x" * length}), FIELDS)
    teams_rules.check_card(made)
    assert units(made) <= MOST_UNITS
    assert ("approve" in verbs(made)) == is_whole(made) == ("x" * length in json.dumps(made))


def test_a_large_form_costs_only_the_edit():
    """When the form does not fit beside the request, there is no edit, and the rest stays."""
    huge = [replace(FIELDS[1], text="y" * 50_000)]
    assert verbs(adaptive(waiting(), huge)) == ["approve", "reject"]


def test_critical_takes_a_form_and_a_record_takes_nothing():
    """What is critical is not approved by one press; what is decided by none."""
    made = adaptive(waiting(risk=Risk.CRITICAL), FIELDS)
    approve = made["actions"][0]
    assert approve["type"] == "Action.ShowCard" and approve["card"]["body"][0]["id"] == "confirm"
    assert verbs(adaptive(replace(waiting(), state=State.REJECTED), FIELDS)) == []
    assert verbs(adaptive(waiting(), FIELDS, buttons=False)) == []
    assert verbs(outline(waiting())) == ["reject"]


@pytest.mark.parametrize("leaves_out_empty", [True, False])
def test_what_was_typed_comes_back(leaves_out_empty):
    """Exactly as it was typed; a field that is left out is an empty one."""
    sent = {"value.0": " 9007199254740993 ", "value.1": "", "none.1": YES, "value.2": "0"}
    if leaves_out_empty:
        sent = {name: text for name, text in sent.items() if text}
    got = filled({**sent, "value.3": "forged", "reason": 7}, FIELDS)
    assert got.typed == {"amount": " 9007199254740993 ", "note": "", "why": "0"}
    assert (
        got.nothing == {"note"} and got.reason == "" and not filled({"none.1": NO}, FIELDS).nothing
    )


def test_what_is_wrong_stands_below_its_field():
    """The form keeps the values, and says beside each field what is wrong with it."""
    made = adaptive(waiting(), FIELDS, notice="Nothing was changed.", wrong={"amount": "too much"})
    teams_rules.check_card(made)
    body = next(one for one in made["actions"] if one["title"] == "Edit")["card"]["body"]
    at = next(n for n, part in enumerate(body) if part.get("id") == "value.0")
    assert body[at + 1]["inlines"][0]["text"] == "too much"
    assert runs(made)[0] == ["Nothing was changed."]


def test_people_are_called_by_their_ids_and_not_by_words():
    """A name cannot bring markup along, and a text calls nobody."""
    made = note("<at>Eve</at> look", {"8:orgid:1": "Ana <b>*Wu*</b>"})
    teams_rules.check_card(made)
    [entity] = made["msteams"]["entities"]
    assert entity["text"] == "<at>Ana bWub</at>" and entity["mentioned"]["id"] == "8:orgid:1"


def test_a_card_says_what_it_is_where_cards_are_not_shown():
    """An old client shows one line instead."""
    assert adaptive(waiting(), FIELDS)["fallbackText"].startswith("refund: It waits")
    assert isinstance(waiting(), Card)
