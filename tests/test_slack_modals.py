"""A modal in Slack asks for what the function takes, and reads what somebody sent as it stands."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from asking import NOON, asked
from hypothesis import given
from hypothesis import strategies as st
from slack_rules import check_view, said_by, units

from core import Risk, State
from core.approvers.chat.card import card
from core.approvers.chat.voting import form
from core.approvers.forms.fields import Field
from core.approvers.forms.typed import NONE_PREFIX, NOTHING, PREFIX, changed, filled_in
from core.approvers.slack.modals import (
    Origin,
    approve_view,
    edit_view,
    errors,
    filled,
    origin,
    reject_view,
)
from core.canonical import encode
from core.model import Parameter, StoredRequest

HERE = Origin(request_id="r" * 32, digest="d" * 64, place="C1", message="1.2")
MORNING = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {
    "text": ("str", "in words", "other words"),
    "lines": ("str", "one\ntwo", "one\nthree"),
    "empty": ("str", "", "something"),
    "whole": ("int", 10**30, 7),
    "part": ("float", 1.5, -2.0),
    "exact": ("decimal.Decimal", Decimal("10.50"), Decimal("3.20")),
    "flag": ("bool", True, False),
    "kind": ("Literal['a', '', 3]", "a", 3),
    "day": ("datetime.date", date(2026, 3, 2), date(2027, 1, 1)),
    "long_ago": ("datetime.date", date(79, 8, 24), date(79, 8, 25)),
    "minute": ("datetime.time", time(9, 30), time(10, 45)),
    "second": ("datetime.time", time(9, 30, 15), time(9, 30, 16)),
    "local": ("datetime.datetime", MORNING.replace(tzinfo=None), NOON.replace(tzinfo=None)),
    "moment": ("datetime.datetime", MORNING, NOON),
    "wait": ("datetime.timedelta", timedelta(minutes=90), "PT2H"),
    "items": ("list[int]", [1, 2], [1, 2, 3]),
    "maybe": ("str | None", None, "a name"),
    "count": ("int | None", 3, 4),
}


def request_with(values, secret=()):
    """A request that waits, about a function with such parameters."""
    arguments = {name: value for name, (_, value, *_) in values.items()}
    parameters = tuple(
        Parameter(name=name, annotation=annotation, secret=name in secret)
        for name, (annotation, *_) in values.items()
    )
    return StoredRequest(
        request=asked(arguments=arguments, frozen=encode(arguments), parameters=parameters),
        state=State.PENDING,
    )


def opened(stored):
    """The form of a request and its modal."""
    fields = form(stored)
    return fields, edit_view(card(stored), fields, HERE)


def element_now(element):
    """What Slack sends of a field that nobody has touched."""
    kind = element["type"]
    starts = {
        "plain_text_input": ("value", "initial_value", None),
        "static_select": ("selected_option", "initial_option", None),
        "datepicker": ("selected_date", "initial_date", None),
        "timepicker": ("selected_time", "initial_time", None),
        "checkboxes": ("selected_options", "initial_options", []),
    }
    name, start, otherwise = starts[kind]
    return {"type": kind, name: element.get(start, otherwise)}


def sent(view, **typed):
    """A modal as Slack sends it; `typed` puts other things into blocks, by their ids."""
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    values = {one["block_id"]: {"typed": element_now(one["element"])} for one in inputs}
    for block, entry in typed.items():
        values[block]["typed"].update(entry)
    return {**view, "state": {"values": values}}


def proposed(fields, got):
    """The values that somebody wants instead, as the store is told of them."""
    given = {PREFIX + name: text for name, text in got.typed.items()}
    given |= {NONE_PREFIX + name: NOTHING for name in got.nothing}
    return changed(fields, filled_in(fields, given))


def entry_for(element, value):
    """What Slack sends when a person puts `value` into a field."""
    match element["type"]:
        case "static_select":
            [option] = [one for one in element["options"] if one["text"]["text"] == str(value)]
            return {"selected_option": option}
        case "datepicker":
            return {"selected_date": value.isoformat()}
        case "timepicker":
            return {"selected_time": value.isoformat("minutes")}
        case _:
            plain = str(value) if isinstance(value, str | Decimal) else json.dumps(value, default=_)
            return {"value": plain}


def _(value):
    return value.isoformat()


def test_slack_opens_every_modal():
    """Each modal keeps every limit of Slack and has its name and origin."""
    stored = request_with(VALUES)
    made = card(stored)
    views = [approve_view(made, HERE), reject_view(made, HERE), opened(stored)[1]]
    for view, name in zip(views, ["approve", "reject", "edit"], strict=True):
        check_view(view)
        assert view["callback_id"] == name and origin(view["private_metadata"]) == HERE


def test_a_form_that_nobody_touched_changes_nothing():
    """To open an edit and to send it as it is proposes nothing, whatever the values are."""
    fields, view = opened(request_with(VALUES))
    assert proposed(fields, filled(sent(view), fields)) == {}


@pytest.mark.parametrize("name", VALUES)
def test_each_kind_of_value_can_be_changed(name):
    """What a person puts into the field of a parameter is what is proposed for it, and only it."""
    fields, view = opened(request_with(VALUES))
    n = [one.name for one in fields].index(name)
    [block] = [one for one in view["blocks"] if one.get("block_id") == f"value.{n}"]
    _, _, other = VALUES[name]
    entry = entry_for(block["element"], other)
    typed = {
        f"value.{n}": {key: text.strip('"') if key == "value" else text}
        for key, text in entry.items()
    }
    if name == "maybe":
        typed[f"none.{n}"] = {"selected_options": []}
    assert proposed(fields, filled(sent(view, **typed), fields)) == {name: other}


def test_a_picker_is_offered_only_where_it_can_say_it_all():
    """Days of long ago, seconds and offsets are typed: no calendar or clock of Slack has them."""
    fields, view = opened(request_with(VALUES))
    asked_for = {one["block_id"]: one["element"]["type"] for one in view["blocks"][1:]}
    kinds = {one.name: asked_for[f"value.{n}"] for n, one in enumerate(fields)}
    picked = {name: kind for name, kind in kinds.items() if kind != "plain_text_input"}
    assert picked == {
        "flag": "static_select",
        "kind": "static_select",
        "day": "datepicker",
        "minute": "timepicker",
    }


def test_nothing_can_be_chosen_where_it_is_allowed():
    """A box beside a field stands for None, and is there only where the function takes None."""
    fields, view = opened(request_with(VALUES))
    boxes = {one["block_id"] for one in view["blocks"] if one.get("block_id", "")[:4] == "none"}
    numbers = {fields[int(block.removeprefix("none."))].name: block for block in boxes}
    assert set(numbers) == {"maybe", "count"}
    tick = {numbers["count"]: {"selected_options": [{"value": "none"}]}}
    got = filled(sent(view, **tick), fields)
    assert got.nothing == {"maybe", "count"}
    assert proposed(fields, got) == {"count": None}


def test_only_what_may_be_empty_can_be_left_empty():
    """Slack itself asks for a number or a choice; a text may be empty, and so may what is None."""
    fields, view = opened(request_with(VALUES))
    asked_for = {one["block_id"]: one for one in view["blocks"] if one["type"] == "input"}
    may = {one.name for n, one in enumerate(fields) if asked_for[f"value.{n}"]["optional"]}
    assert may == {"text", "lines", "empty", "maybe", "count"}


def test_a_hidden_value_is_not_asked_for():
    """A secret parameter is named as one that cannot be edited, and nothing of it is shown."""
    values = {"token": ("str", "sesame"), "amount": ("int", 1)}
    _, view = opened(request_with(values, secret={"token"}))
    assert "hidden" in said_by(view["blocks"]) and "sesame" not in json.dumps(view)
    assert [one["block_id"] for one in view["blocks"] if one["type"] == "input"] == [
        "value.1",
        "note",
    ]
    check_view(view)


@pytest.mark.parametrize(
    "values",
    [
        {"text": ("str", "x" * 3_001)},
        {"text": ("str", "\U0001f600" * 1_501)},
        {"kind": (f"Literal['{'x' * 76}', 'y']", "y")},
        {"kind": (f"Literal[{', '.join(map(str, range(101)))}]", 5)},
        {f"p{n}": ("int | None", n) for n in range(50)},
        {},
    ],
)
def test_what_does_not_fit_is_not_cut(values):
    """A form that Slack cannot hold whole is not opened there."""
    assert opened(request_with(values))[1] is None


@pytest.mark.parametrize(
    "values",
    [
        {"text": ("str", "x" * 3_000)},
        {"text": ("str", "\U0001f600" * 1_500)},
        {"kind": (f"Literal['{'x' * 75}', 'y']", "y")},
        {"kind": (f"Literal[{', '.join(map(str, range(100)))}]", 5)},
        {f"p{n}": ("int | None", n) for n in range(49)},
        {"x" * 3_000: ("int", 1)},
    ],
)
def test_what_just_fits_is_opened(values):
    """A form at its limits is opened, and holds every value."""
    fields, view = opened(request_with(values))
    check_view(view)
    assert proposed(fields, filled(sent(view), fields)) == {}


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(), max_size=5))
def test_any_text_comes_back_as_it_went(texts):
    """Whatever a text holds, a form that nobody touched proposes nothing."""
    stored = request_with({name: ("str", text) for name, text in texts.items()})
    fields, view = opened(stored)
    if not texts:
        assert view is None
        return
    check_view(view)
    assert proposed(fields, filled(sent(view), fields)) == {}
    assert all(units(one.text) <= 3_000 for one in fields)


def test_what_is_critical_asks_for_the_digest():
    """The digits to type stand in the modal; below that risk there is nothing to type."""
    stored = StoredRequest(request=asked(risk=Risk.CRITICAL), state=State.PENDING)
    made = card(stored)
    view = approve_view(made, HERE)
    check_view(view)
    assert made.digest[:6] in said_by(view["blocks"])
    got = filled(sent(view, confirm={"value": "abc123"}, note={"value": "fine"}), [])
    assert (got.confirm, got.note) == ("abc123", "fine")
    plain = approve_view(replace(made, confirm=0), HERE)
    assert "confirm" not in [one.get("block_id") for one in plain["blocks"]]


def test_a_reason_is_needed():
    """Slack itself sends no rejection without a word, and takes no more than the store does."""
    view = reject_view(card(request_with({})), HERE)
    [why] = [one for one in view["blocks"] if one.get("block_id") == "reason"]
    assert not why["optional"] and why["element"]["max_length"] == 2_000
    assert filled(sent(view, reason={"value": "one\ntwo"}), []).reason == "one\ntwo"


def test_errors_stand_beside_their_fields():
    """What is wrong is said at the field of that parameter, the rest at the note."""
    fields = [
        Field(name="token", label="token", type="secret", kind="fixed"),
        Field(name="reason", label="reason", type="str", kind="text"),
    ]
    answer = errors({"reason": "Too long.", "token": "Hidden.", "confirm": "Type it."}, fields)
    assert answer == {
        "response_action": "errors",
        "errors": {"value.1": "Too long.", "note": "token: Hidden.", "confirm": "Type it."},
    }
    hidden = [replace(fields[0], name=name) for name in ("one", "two")]
    assert errors({"one": "No.", "two": "Nor."}, hidden)["errors"] == {"note": "one: No. two: Nor."}
    assert errors({"reason": "Say why."}, [])["errors"] == {"reason": "Say why."}


def test_every_error_names_a_field_that_is_there():
    """Slack closes a modal whose error names no field of it, so each error names one."""
    fields, view = opened(request_with(VALUES, secret={"text"}))
    there = {one["block_id"] for one in view["blocks"] if one["type"] == "input"}
    wrong = {**dict.fromkeys(VALUES, "no"), "who knows": "x" * 9_000}
    found = errors(wrong, fields)["errors"]
    assert set(found) <= there and len(found) == len(VALUES)
    assert all(len(text) <= 501 for text in found.values())


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"state": None},
        {"state": {"values": [1]}},
        {"state": {"values": {"value.0": None, "none.0": {"typed": []}, "reason": {"typed": 1}}}},
        {"state": {"values": {"value.0": {"typed": {"type": "plain_text_input", "value": 5}}}}},
        {"state": {"values": {"none.0": {"typed": {"type": "checkboxes"}}}}},
    ],
)
def test_what_no_modal_of_ours_sends_is_nothing(view):
    """Odd content is read as empty, never as an error of the program."""
    got = filled(view, [Field(name="a", label="a", type="int", kind="int", optional=True)])
    assert (got.reason, got.note, got.confirm, got.nothing) == ("", "", "", frozenset())
    assert set(got.typed.values()) <= {""}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"request": 1}', '{"request": "a"}'])
def test_an_origin_that_is_none_is_refused(text):
    """Text that no modal of ours carried is a ValueError, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        origin(text)
