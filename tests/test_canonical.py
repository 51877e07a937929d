"""Canonical bytes: different values differ, equal bytes are the same value, types and all."""

import json
import pathlib
import sys
import time as clock
import types
from collections import namedtuple
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import UUID
from zoneinfo import ZoneInfo

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.canonical import MAX_BYTES, Opaque, Secret, decode, digest, encode
from core.model import Unencodable

BERLIN = ZoneInfo("Europe/Berlin")


class Colour(Enum):
    """An enum whose values JSON could not tell apart from text."""

    RED = "red"
    BLUE = "blue"


class Word(StrEnum):
    """An enum that is also text."""

    RED = "red"


class Size(IntEnum):
    """An enum that is also a number."""

    ONE = 1


class Right(IntFlag):
    """Flags that are combined."""

    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Point:
    """Two coordinates."""

    x: object
    y: object = 0


@dataclass(slots=True)
class Order:
    """A dataclass with slots and a mutable field."""

    id: str
    lines: list[object] = field(default_factory=list)


class Patch(pydantic.BaseModel):
    """A model in which leaving a field out says something."""

    name: object = None
    email: object = None


class Swapped(pydantic.BaseModel):
    """A model whose aliases are each other's names."""

    x: int = pydantic.Field(alias="y")
    y: int = pydantic.Field(alias="x")


class Open(pydantic.BaseModel):
    """A model that takes fields it does not know."""

    model_config = pydantic.ConfigDict(extra="allow")
    name: str


ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30)), BERLIN])
TEXT = st.text(st.characters(exclude_categories=("Cs",)))
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0])
    | TEXT
    | st.sampled_from(["1", "1.0", "True", "null", "tuple", "dict"])
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([Decimal("1"), Decimal("1.0"), Decimal("-0"), Decimal("1E+2")])
    | st.dates()
    | st.times()
    | st.datetimes(timezones=ZONES, allow_imaginary=False)
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([*Colour, *Word, *Size, *Right, Right(3), Right(0)])
    | st.sampled_from([Path("a/b"), PurePosixPath("a/b"), PureWindowsPath("a/b"), BERLIN])
    | st.just(Secret(label="key", fingerprint="ab"))
)
KEYS = TEXT | st.integers() | st.booleans() | st.dates() | st.sampled_from([*Colour])
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
        | st.builds(Point, inner, inner)
        | st.builds(Order, TEXT, st.lists(inner, max_size=3))
        | st.builds(Patch, name=inner)
        | st.builds(Patch, name=inner, email=inner)
    ),
    max_leaves=12,
)
SAMPLES = [
    *[1, 1.0, True, "1", b"1", Decimal("1"), Decimal("1.0"), Decimal("1.00"), Size.ONE, Right.READ],
    *[0, 0.0, -0.0, False, None, "", b"", [], (), {}, set(), frozenset(), [None], [[]], [()]],
    *["red", Word.RED, Colour.RED, Colour.BLUE, Path("red"), PurePosixPath("red")],
    *[PureWindowsPath("red"), [1, 2], (1, 2), [2, 1], {1, 2}, frozenset({1, 2}), {1: 2}],
    *[{"a": 1, "b": 2}, {"b": 2, "a": 1}, ["a", 1], {"a": 1}, ("a", 1), [["a", 1]]],
    *["\u00e9", "e\u0301", "\\u00e9", "\ud800", "\U0001f600", '"', "\n", "\\n"],
    *[date(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)],  # noqa: DTZ001 - a time without a zone is one of the values
    *[datetime(2026, 1, 1, 1, tzinfo=zone) for zone in (BERLIN, timezone(timedelta(hours=1)))],
    *[datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)],
    *[time(1), time(1, fold=1), timedelta(1), timedelta(0, 1), timedelta(-1), BERLIN],
    *["Europe/Berlin", UUID(int=1), str(UUID(int=1)), "2026-01-01", ["float", "1.0"]],
    *[Point(1), Point(1.0), Point(1, y=False), Order("1"), Patch(), Patch(name=None)],
    *[Patch(name=None, email=None), Patch(email=None), Open(name="a"), Open(name="a", b=1)],
    *[Secret(label="a", fingerprint="b"), ["secret", "a", "b"], Opaque(type="m:C", fields={})],
]  # fmt: skip


def shape(value):
    """A value with its types, all the way down, as something that can be compared."""
    match value:
        case dict():
            inner = tuple((shape(key), shape(item)) for key, item in value.items())
        case list() | tuple():
            inner = tuple(map(shape, value))
        case set() | frozenset():
            inner = frozenset(map(shape, value))
        case pydantic.BaseModel():
            inner = (frozenset(value.model_fields_set), shape(vars(value)))
        case _ if is_dataclass(value):
            inner = shape({field.name: getattr(value, field.name) for field in fields(value)})
        case float() | Decimal() | datetime() | time():
            inner = repr(value)
        case _:
            inner = value
    return type(value), inner


def same(one, other):
    """Whether two values are equal and of one type, all the way down."""
    return shape(one) == shape(other)


def test_each_of_these_values_has_bytes_of_its_own():
    """What Python calls equal, or prints alike, is still told apart, as 1 and True are."""
    assert len({encode(value) for value in SAMPLES}) == len(SAMPLES)
    assert len({encode([{"a": value}]) for value in SAMPLES}) == len(SAMPLES)


@given(VALUES, VALUES)
def test_different_values_have_different_digests(one, other):
    """Two values share their digest only when they are the same value of the same types."""
    assert (digest("t", encode(one)) == digest("t", encode(other))) == same(one, other)


@given(VALUES)
@example(Swapped(y=1, x=2))
@example(Open(name="a", more=[1, (2,)]))
def test_a_value_comes_back_with_the_same_types(value):
    """What runs is what was given, of the same types all the way down."""
    assert same(decode(encode(value), strict=True), value)


@given(VALUES)
def test_bytes_are_canonical(value):
    """A value that came back has the same bytes again, with or without its classes at hand."""
    data = encode(value)
    assert encode(decode(data)) == data
    assert data.isascii()


def test_a_field_left_out_stays_left_out():
    """A model that was given one field does not come back claiming to have been given all."""
    sent = Patch(name="a")
    back = decode(encode(sent), {Patch})
    assert back.model_dump(exclude_unset=True) == {"name": "a"}
    assert encode(Patch(name="a", email=None)) != encode(sent)


def test_parts_cannot_move_between_each_other():
    """A digest over several parts says where each of them ends, and what it is for."""
    seen = [
        digest("a", b"bc"),
        digest("ab", b"c"),
        digest("a", b"b", b"c"),
        digest("a", b"bc", b""),
    ]
    assert len({*seen, digest("a", b"", b"bc"), digest("a", b"1:b")}) == 6


class Text(str):
    """Text with something up its sleeve."""


class Number(int):
    """A number with something up its sleeve."""


class Liar:
    """Claims to be whatever one likes to see."""

    __class__ = str  # type: ignore[assignment] # the lie

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("harmless")

    def __repr__(self):
        return "'harmless'"

    __str__ = __repr__


@dataclass
class Bag(dict):
    """A dataclass that carries a dictionary besides its fields."""

    name: str = ""


class Hiding:
    """A base that keeps a value where no field shows it."""

    __slots__ = ("hidden",)


@dataclass(slots=True)
class Showing(Hiding):
    """A dataclass that looks complete."""

    name: str = ""


@dataclass
class Derived:
    """A dataclass with a field that its maker cannot be given."""

    name: str
    size: int = field(init=False, default=0)


class Private(pydantic.BaseModel):
    """A model with a value that no field shows."""

    _secret: int = pydantic.PrivateAttr(default=1)


Pair = namedtuple("Pair", "left right")


def hiding():
    """A value whose base class holds another."""
    value = Showing("a")
    value.hidden = "DROP TABLE"
    return value


def carrying():
    """A dataclass with an attribute that is not a field."""
    value = Point(1)
    object.__setattr__(value, "more", 2)
    return value


def cycle():
    """A list that contains itself."""
    loop = []
    loop.append({"again": loop})
    return loop


def laughs():
    """A billion leaves out of thirty lists."""
    value = ["lol"] * 2
    for _ in range(30):
        value = [value, value]
    return value


def deep():
    """A hundred thousand brackets."""
    value = ()
    for _ in range(100_000):
        value = (value,)
    return value


REFUSED = {
    "NaN": lambda: float("nan"),
    "infinity": lambda: -float("inf"),
    "a decimal NaN": lambda: Decimal("sNaN"),
    "a decimal infinity": lambda: Decimal("-Infinity"),
    "a cycle": cycle,
    "a billion laughs": laughs,
    "empty laughs": lambda: [[()] * 1000] * 1000,
    "a long path many times": lambda: [PurePosixPath("a" * 900_000)] * 1000,
    "great depth": deep,
    "a megabyte of text": lambda: "a" * (MAX_BYTES + 1),
    "a megabyte of bytes": lambda: b"a" * (MAX_BYTES + 1),
    "a megabyte in pieces": lambda: ["a" * 1000] * 1001,
    "a huge number": lambda: 1 << 10_001,
    "a kind of str": lambda: Text("a"),
    "a kind of int": lambda: Number(1),
    "a kind of str as a key": lambda: {Text("a"): 1},
    "a liar": Liar,
    "a liar in a list": lambda: [1, (Liar(),)],
    "a function": lambda: len,
    "a class": lambda: int,
    "an iterator": lambda: iter([1]),
    "a bytearray": lambda: bytearray(b"a"),
    "a complex number": lambda: 1j,
    "halves of a character": lambda: "\ud83d\ude00",
    "halves of a character in a path": lambda: PurePosixPath("\ud83d\ude00"),
    "a dictionary in a dataclass": lambda: Bag("a"),
    "a hidden slot": hiding,
    "an attribute that is no field": carrying,
    "a field that cannot be given": lambda: Derived("a"),
    "a private attribute": Private,
    "a time with a zone": lambda: time(1, tzinfo=UTC),
    "a named tuple": lambda: Pair(1, 2),
    "a path of another kind": lambda: type("Odd", (type(Path()),), {})("a"),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_frozen_is_refused_at_once(make):
    """Nobody is asked about a value that cannot be written down whole, and nobody waits for it."""
    value = make()
    begun = clock.perf_counter()
    with pytest.raises(Unencodable):
        encode(value)
    assert clock.perf_counter() - begun < 10


def test_a_nameless_zone_is_refused(tmp_path):
    """A time zone read from a file has rules that nobody can see."""
    name = "zoneinfo/UTC"
    data = next((p for p in map(Path, ("/usr/share/" + name,)) if p.exists()), None)
    file = tmp_path / "zone"
    file.write_bytes(data.read_bytes() if data else b"TZif" + bytes(40))
    with file.open("rb") as opened:
        zone = ZoneInfo.from_file(opened)
    for value in (zone, datetime(2026, 1, 1, tzinfo=zone)):
        with pytest.raises(Unencodable):
            encode(value)


def test_an_unknown_class_comes_back_as_a_stand_in():
    """Bytes can be read, shown and hashed where the classes are not, but not run."""
    data = b'["object","nowhere:Thing",["a",["tuple",1]]]'
    assert decode(data) == Opaque(type="nowhere:Thing", fields={"a": (1,)})
    assert encode(decode(data)) == data
    with pytest.raises(Unencodable):
        decode(data, strict=True)


def test_reading_imports_nothing():
    """Bytes that name a module do not make Python load it."""
    assert "antigravity" not in sys.modules
    before = {*sys.modules}
    for data in (b'["object","antigravity:fly"]', b'["enum","this.that:Other","X"]'):
        assert isinstance(decode(data), Opaque)
    assert {*sys.modules} == before


def test_reading_asks_no_module_to_load_more(monkeypatch):
    """A module that loads its parts on demand is not asked for any."""
    lazy, asked = types.ModuleType("lazy"), []
    lazy.__getattr__ = asked.append
    monkeypatch.setitem(sys.modules, "lazy", lazy)
    assert isinstance(decode(b'["object","lazy:Thing"]'), Opaque)
    assert asked == []


@pytest.mark.parametrize("name", ["os:system", "builtins:eval", "pathlib:Path", "subprocess:Popen"])
def test_reading_makes_only_plain_objects(name):
    """Bytes cannot name a function or a class that would do something."""
    assert isinstance(decode(f'["object","{name}",["args","true"]]'.encode()), Opaque)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TAGS = st.sampled_from(
    "float dict list tuple set frozenset bytes Decimal datetime date time timedelta UUID PosixPath"
    " WindowsPath PurePosixPath PureWindowsPath ZoneInfo secret enum object unset".split()
)
FORGED = st.recursive(
    JSON | st.sampled_from(["test_canonical:Point", "decimal:Decimal", "x"]),
    lambda inner: st.builds(lambda tag, rest: [tag, *rest], TAGS, st.lists(inner, max_size=4)),
    max_leaves=8,
)


@given(FORGED)
@example(["ZoneInfo", "Europe"])
@example(["Decimal", "x"])
@example(["UUID", 5])
@example(["enum", 5, 5])
@example(["timedelta", 10**400, 0, 0])
@example(["object", "test_canonical:Patch", [["list", 1], 2]])
def test_forged_bytes_are_read_or_refused(node):
    """Whatever stands in a damaged store, reading it ends with a value or one kind of error."""
    with suppress(Unencodable):
        decode(json.dumps(node).encode())


@given(st.binary())
def test_random_bytes_are_refused_politely(data):
    """What is not JSON at all is refused with the same kind of error."""
    with suppress(Unencodable):
        decode(data)


@pytest.mark.parametrize("value", SAMPLES, ids=repr)
def test_bytes_do_not_depend_on_this_process(value):
    """The same value has the same bytes everywhere: nothing of this process is in them."""
    text = encode(value).decode()
    assert str(pathlib.Path.cwd()) not in text and hex(id(value)) not in text


def test_sets_have_one_order():
    """The order in which a set happens to iterate is not part of it."""
    assert encode({"a", "b", "c", 1, 2}) == encode({2, "c", 1, "b", "a"})
