"""What a person sees: nothing invisible, nothing reordered by a control, nothing left out."""

import json
import string
import time
import unicodedata
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.canonical import Secret, encode
from core.display import display, is_plain, safe, shown, unescape, unsafe
from core.model import ApprovalRequest

ANYTHING = st.text(st.characters(exclude_categories=()))
TRICKY = st.text(st.sampled_from("⟨⟩U+0123456789ABCDEF\\u \n\r\t\x7f\x85\u202e\u0301\u0323ea한ᄒ ᅡ"))
UNSEEN = {
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA1)),
    *"\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f",
    *map(chr, range(0x2000, 0x2010)),
    *map(chr, range(0x2028, 0x2030)),
    *map(chr, range(0x205F, 0x2070)),
    *"\u2800\u3000\u3164\ufe00\ufe0f\ufeff\uffa0\ufff9\ufffa\ufffb\ufffc",
    *"\U0001d159\U0001d173\U000e0001\U000e0041\U000e0100\U000e01ef\ue000\ud800\udfff",
}


def request(**arguments):
    """A request as a window gets it."""
    return ApprovalRequest(action="shop.pay", arguments=arguments, frozen=encode(arguments))


@given(ANYTHING | TRICKY)
@example("⟨U+202E⟩")
@example("\u27e8U+27E8⟩\u27e8")
@example("e\u0301")
def test_safe_text_can_be_turned_back(text):
    """Making text visible loses nothing, even when the text imitates what that looks like."""
    assert unsafe(safe(text)) == text
    assert unsafe(safe(text, newlines=True)) == text


@given(ANYTHING | TRICKY)
def test_safe_text_has_only_visible_characters(text):
    """Every character of a safe text has ink, except the space between words."""
    assert all(is_plain(c) for c in safe(text))
    assert all(is_plain(c) or c == "\n" for c in safe(text, newlines=True))


@pytest.mark.parametrize("character", sorted(UNSEEN), ids=ascii)
def test_what_has_no_ink_is_written_out(character):
    """Controls, bidirectional marks, zero widths, blanks and stray halves are shown by number."""
    assert safe(f"a{character}b") == f"a⟨U+{ord(character):04X}⟩b"
    opened = display(encode(f"a{character}b"))
    assert character not in opened and unescape(opened) == encode(f"a{character}b")


def test_every_character_is_plain_or_written_out():
    """No code point of the whole of Unicode gets through as a control, a format or a blank."""
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    through = [
        c
        for c in map(chr, range(0x110000))
        if c in safe(c) and (unicodedata.category(c) in hidden or (c.isspace() and c != " "))
    ]
    assert through == []


@pytest.mark.parametrize(
    "text", ["naïve café", "Ελληνικά", "日本語", "हिन्दी क़लम", "বাংলা কোন", "ภาษาไทย", "한국어", "🙂"]
)
def test_letters_of_every_language_stay(text):
    """People read their own language, as their keyboards write it."""
    assert safe(text) == text
    assert json.loads(display(encode(text))) == text
    assert "\\u" not in display(encode(text))


@given(ANYTHING | TRICKY)
def test_no_two_texts_are_shown_as_the_same_characters(text):
    """What Unicode calls two spellings of one text is shown as two different texts."""
    assert unicodedata.is_normalized("NFC", safe(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [("é", "e\u0301"), (";", "\u037e"), ("Å", "\u212b"), ("가", "\u1100\u1161"), ("≠", "=\u0338")],
    ids=ascii,
)
def test_look_alikes_by_definition_look_different(one, other):
    """A composed letter and its parts are told apart, in text and in JSON."""
    assert unicodedata.normalize("NFC", other) == one
    assert safe(other) != safe(one) == one
    shown_as = display(encode(other))
    assert unicodedata.normalize("NFC", shown_as) == shown_as != display(encode(one))


def test_a_flood_of_accents_is_quick():
    """A hundred thousand marks on one letter are shown within a second."""
    text = "a" + "\u0316\u0301" * 50_000
    begun = time.perf_counter()
    assert unsafe(safe(text)) == text
    assert time.perf_counter() - begun < 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))) | TRICKY | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(ANYTHING.map(ascii), inner) | st.tuples(inner),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
def test_displayed_bytes_can_be_turned_back(value):
    """The text a person sees and the bytes that run are the same thing."""
    data = encode(value)
    assert unescape(display(data)) == data


@given(VALUES)
def test_displayed_bytes_have_only_visible_characters(value):
    """Nothing in the displayed JSON is invisible, and it stays the JSON that it was."""
    text = display(encode(value))
    assert all(is_plain(c) for c in text)
    assert unicodedata.is_normalized("NFC", text)
    assert json.loads(text) == json.loads(encode(value))


@given(VALUES, VALUES)
def test_different_values_are_displayed_differently(one, other):
    """Two values that would run differently never look the same."""
    assert (display(encode(one)) == display(encode(other))) == (encode(one) == encode(other))


@given(st.text(string.printable))
def test_backslashes_stay_what_they_are(text):
    """Text that spells an escape is not taken for the character it spells."""
    assert json.loads(display(encode(f"\\u202e{text}\\u00e9"))) == f"\\u202e{text}\\u00e9"


def test_arguments_are_shown_in_order_with_their_types():
    """A person can tell 5 from "5" and sees the arguments as the function has them."""
    given = request(amount=5, text="5", rate=0.5, flag=True, none=None, many=[1, "a"])
    assert [(one.name, one.type, one.text) for one in shown(given)] == [
        ("amount", "int", "5"),
        ("text", "str", "5"),
        ("rate", "float", "0.5"),
        ("flag", "bool", "True"),
        ("none", "None", "None"),
        ("many", "list", '["list",1,"a"]'),
    ]


def test_a_long_text_is_shown_whole():
    """Nothing is trimmed or cut, whatever its length."""
    text = "x\n" * 100_000
    (only,) = shown(request(text=text))
    assert only.text == text


def test_a_secret_is_a_label_and_a_fingerprint():
    """A hidden value is recognisable and unreadable."""
    (only,) = shown(request(password=Secret(label="pass\u202eword", fingerprint="abcd")))
    assert (only.type, only.text) == ("secret", "pass⟨U+202E⟩word (hidden, abcd)")


@dataclass
class Order:
    """Something with fields."""

    name: str


def test_objects_are_shown_with_their_class_and_fields():
    """An object says what it is and what it holds."""
    (only,) = shown(request(order=Order("a\u200bb")))
    assert only.type.endswith(":Order")
    assert '["name","a\\u200bb"]' in only.text
    assert all(is_plain(c) for c in only.text)


@pytest.mark.parametrize("name", ["\u202eamount", "a\nb", "⟨U+0041⟩"], ids=ascii)
def test_names_of_arguments_are_safe_too(name):
    """Keyword arguments may have any name; none of them can forge a line."""
    (only,) = shown(ApprovalRequest(action="a", frozen=encode({name: 1})))
    assert only.name == safe(name) and "\n" not in only.name


def test_a_request_without_bytes_shows_nothing():
    """Nothing is shown that is not in the bytes."""
    assert shown(ApprovalRequest(action="a", arguments={"amount": 5})) == ()
