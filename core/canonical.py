"""What was shown is what runs: one value, one text of bytes, one digest.

The bytes are JSON in ASCII. What JSON has no word for is a tagged list, so 1, 1.0, `True` and "1"
all differ, and so do a list and a tuple:

>>> encode({"amount": 5, "rate": 1.0, "tags": ("a", None)})
b'["dict",["amount",5],["rate",["float","1.0"]],["tags",["tuple","a",null]]]'

Only plain values, dataclasses, enums and pydantic models can be written. A subclass of `str`, NaN,
a cycle or a megabyte is refused before anybody is asked about it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from json.encoder import encode_basestring_ascii
from types import MemberDescriptorType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from .model import Unencodable

MAX_BYTES = 1_000_000
MAX_DEPTH = 60
MAX_INT_BITS = 10_000
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Stands for a value that is not written down: what it is called, and a keyed fingerprint."""

    label: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """Stands for an object whose class this process does not have."""

    type: str
    fields: Mapping[str, object]


def encode(value: object, types: set[type[Any]] | None = None) -> bytes:
    """Return the canonical bytes of `value`.

    Args:
        types: Takes the classes that were met, for `decode`.

    Raises:
        Unencodable: A type that is not known exactly, NaN or infinity, more than 60 levels
            (a cycle, for example), or more than a megabyte. The sentence says where.
    """
    return _Encoder(types).run(value)


def digest(domain: str, *parts: bytes) -> str:
    """Return the hex SHA-256 of `parts`, each preceded by its length, under a name of its own."""
    digest = hashlib.sha256(b"gated-agents/%b/1\n" % domain.encode())
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


class _Encoder:
    """Write one value, counting down what is left of the permitted size."""

    def __init__(self, types: set[type[Any]] | None = None) -> None:
        self.left = MAX_BYTES
        self.types = set[type[Any]]() if types is None else types

    def run(self, value: object) -> bytes:
        return self.write(value, 0).encode("ascii")

    def write(self, value: Any, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise Unencodable(f"a value nests deeper than {MAX_DEPTH} levels, or contains itself")
        writer = _WRITERS.get(kind_of(value)) or self.writer(value)
        text = writer(self, value, depth)
        self.left -= len(text) if type(value) in _ATOMS else 8
        if self.left < 0:
            raise Unencodable(f"a value is larger than {MAX_BYTES:,} bytes")
        return text

    def writer(self, value: Any) -> Callable[[_Encoder, Any, int], str]:
        kind = kind_of(value)
        if issubclass(kind, ZoneInfo):
            return _write_zone
        writers = ((_is_enum, _write_enum), (is_dataclass, _write_dataclass))
        for fits, writer in (*writers, (_is_pydantic, _write_pydantic)):
            if fits(kind) and (writer is _write_enum or not issubclass(kind, _PLAIN)):
                self.types.add(kind)
                return writer
        raise Unencodable(f"a value of type {type_name(kind)} cannot be shown and frozen")

    def many(self, values: Iterable[Any], depth: int) -> list[str]:
        return [self.write(value, depth + 1) for value in values]

    def pairs(self, items: Iterable[tuple[Any, Any]], depth: int) -> list[str]:
        write, deeper = self.write, depth + 1
        return [f"[{write(key, deeper)},{write(value, deeper)}]" for key, value in items]


def quote(text: str) -> str:
    """Return `text` as JSON. Two halves of a character would become one, which is another text."""
    if not text.isascii() and _HALVES.search(text):
        raise Unencodable("a text holds the two halves of a character apart")
    return encode_basestring_ascii(text)


def tag(kind: str, text: str) -> str:
    """Return a tagged text, the form of every value that JSON has no word for."""
    return f"[{quote(kind)},{quote(text)}]"


def listed(kind: str, items: list[str]) -> str:
    """Return a tagged list of texts that are already canonical."""
    return f"[{','.join([quote(kind), *items])}]"


def kind_of(value: object) -> type[Any]:
    """Return the class of `value` itself, whatever the value says of itself."""
    return type(value)


def type_name(kind: type[Any]) -> str:
    """Return `module:qualified.name`, the name a class goes by in the bytes."""
    return f"{kind.__module__}:{kind.__qualname__}"


def _is_enum(kind: type[Any]) -> bool:
    return issubclass(kind, Enum)


def _is_pydantic(kind: type[Any]) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def _write_str(_: _Encoder, value: str, __: int) -> str:
    if len(value) > MAX_BYTES:
        raise Unencodable(f"a text is longer than {MAX_BYTES:,} characters")
    return quote(value)


def _write_int(_: _Encoder, value: int, __: int) -> str:
    if value.bit_length() > MAX_INT_BITS:
        raise Unencodable(f"a number has more than {MAX_INT_BITS:,} bits")
    return int.__repr__(value)


def _write_float(_: _Encoder, value: float, __: int) -> str:
    if not math.isfinite(value):
        raise Unencodable(f"{value} is not a number a person could approve")
    return tag("float", float.__repr__(value))


def _write_decimal(_: _Encoder, value: Decimal, __: int) -> str:
    if not value.is_finite():
        raise Unencodable(f"{value} is not a number a person could approve")
    return tag("Decimal", str(value))


def _write_bytes(_: _Encoder, value: bytes, __: int) -> str:
    if len(value) > MAX_BYTES:
        raise Unencodable(f"bytes are longer than {MAX_BYTES:,}")
    return tag("bytes", base64.b64encode(value).decode("ascii"))


def _write_datetime(_: _Encoder, value: datetime, __: int) -> str:
    zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else ""
    return listed(
        "datetime", [quote(_iso(value, zone)), quote(zone or _offset(value)), str(value.fold)]
    )


def _iso(value: datetime, zone: str) -> str:
    return value.replace(tzinfo=None).isoformat() if zone else value.isoformat()


def _offset(value: datetime) -> str:
    if value.tzinfo is not None and type(value.tzinfo).__module__ != "datetime":
        raise Unencodable(
            f"a time zone of type {type_name(kind_of(value.tzinfo))} cannot be frozen"
        )
    return ""


def _write_zone(_: _Encoder, value: ZoneInfo, __: int) -> str:
    if value.key is None:  # pyright: ignore[reportUnnecessaryComparison] - from_file leaves it out
        raise Unencodable("a time zone without a name cannot be frozen")
    return tag("ZoneInfo", value.key)


def _write_time(_: _Encoder, value: time, __: int) -> str:
    if value.tzinfo is not None:
        raise Unencodable("a time of day with a time zone cannot be frozen; use a datetime")
    return listed("time", [quote(value.isoformat()), str(value.fold)])


def _write_set(encoder: _Encoder, value: Iterable[Any], depth: int) -> str:
    return listed(type(value).__name__, sorted(encoder.many(value, depth)))


def _write_sequence(encoder: _Encoder, value: Iterable[Any], depth: int) -> str:
    return listed(type(value).__name__, encoder.many(value, depth))


def _write_dict(encoder: _Encoder, value: dict[Any, Any], depth: int) -> str:
    return listed("dict", encoder.pairs(value.items(), depth))


def _write_enum(encoder: _Encoder, value: Enum, depth: int) -> str:
    by_value = isinstance(value, Flag)
    name = encoder.write(value.value, depth + 1) if by_value else quote(value.name)
    return listed("enum", [quote(type_name(kind_of(value))), name])


def _write_object(encoder: _Encoder, value: Any, named: Mapping[Any, Any], depth: int) -> str:
    pairs = encoder.pairs(named.items(), depth)
    return listed("object", [quote(type_name(kind_of(value))), *pairs])


def _write_dataclass(encoder: _Encoder, value: Any, depth: int) -> str:
    names = [field.name for field in fields(value)]
    if any(not field.init for field in fields(value)):
        raise Unencodable(f"{type_name(kind_of(value))} has a field that is not an argument")
    if (_slots(kind_of(value)) | set(getattr(value, "__dict__", ()))) - set(names):
        raise Unencodable(f"{type_name(kind_of(value))} carries more than its fields")
    return _write_object(encoder, value, {n: getattr(value, n) for n in names}, depth)


def _slots(kind: type[Any]) -> set[str]:
    """Names that a class keeps values under besides `__dict__`."""
    found = ((name, what) for base in kind.__mro__ for name, what in vars(base).items())
    return {name for name, what in found if isinstance(what, MemberDescriptorType)}


def _write_pydantic(encoder: _Encoder, value: Any, depth: int) -> str:
    if value.__pydantic_private__:
        raise Unencodable(f"{type_name(kind_of(value))} has private attributes")
    everything: dict[str, Any] = {**value.__dict__, **(value.__pydantic_extra__ or {})}
    given = value.model_fields_set
    named = {n if n in given else (_UNSET, n): item for n, item in everything.items()}
    return _write_object(encoder, value, named, depth)


_WRITERS: dict[type[Any], Callable[[_Encoder, Any, int], str]] = {
    str: _write_str,
    int: _write_int,
    bool: lambda _, value, __: "true" if value else "false",
    type(None): lambda _, __, ___: "null",
    float: _write_float,
    dict: _write_dict,
    list: _write_sequence,
    tuple: _write_sequence,
    set: _write_set,
    frozenset: _write_set,
    bytes: _write_bytes,
    Decimal: _write_decimal,
    datetime: _write_datetime,
    date: lambda _, value, __: tag("date", value.isoformat()),
    time: _write_time,
    timedelta: lambda _, v, __: listed(
        "timedelta", [str(v.days), str(v.seconds), str(v.microseconds)]
    ),
    UUID: lambda _, value, __: tag("UUID", str(value)),
    pathlib.PosixPath: lambda _, value, __: tag("PosixPath", str(value)),
    pathlib.WindowsPath: lambda _, value, __: tag("WindowsPath", str(value)),
    pathlib.PurePosixPath: lambda _, value, __: tag("PurePosixPath", str(value)),
    pathlib.PureWindowsPath: lambda _, value, __: tag("PureWindowsPath", str(value)),
    Secret: lambda _, value, __: listed("secret", [quote(value.label), quote(value.fingerprint)]),
    Opaque: lambda e, v, depth: listed(
        "object", [quote(v.type), *e.pairs(v.fields.items(), depth)]
    ),
}
_NESTING: set[type[Any]] = {dict, list, tuple, set, frozenset, Opaque}
_ATOMS = frozenset(_WRITERS.keys() - _NESTING)
_PLAIN = tuple(_WRITERS)
_UNSET = "unset"
"""Goes before a model's field that has its default: leaving it out is not the same as giving it."""


def decode(data: bytes, types: Iterable[type[Any]] = (), *, strict: bool = False) -> Any:
    """Return the value that `data` was made from, of the same types all the way down.

    Classes are looked for in `types`, then among the modules that are already imported; nothing
    is imported, and only dataclasses, enums and pydantic models are built. A class that is not
    there comes back as `Opaque`, or with `strict` is an error.

    Raises:
        Unencodable: `data` is not canonical.
    """
    known = {type_name(kind): kind for kind in types}
    try:
        return _read(json.loads(data), known if not strict else _Strict(known))
    except (*_MALFORMED, RecursionError) as error:
        raise Unencodable(f"these are not canonical bytes: {error}") from None


_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError)


class _Strict(dict[str, type[Any]]):
    """Classes by name, for a reader that must not make do with a stand-in."""


def _read(node: Any, types: Mapping[str, type[Any]]) -> Any:
    return _READERS[node[0]](node[1:], types) if kind_of(node) is list else node


def _read_datetime(items: list[Any], _: Mapping[str, type[Any]]) -> datetime:
    text, zone, fold = items
    value = datetime.fromisoformat(text).replace(fold=fold)
    return value.replace(tzinfo=ZoneInfo(zone)) if zone else value


def _find(name: str, types: Mapping[str, type[Any]]) -> type[Any] | None:
    if name in types:
        return types[name]
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        names: Mapping[str, Any] = getattr(found, "__dict__", {})
        found = names.get(part)  # asking the module itself could make it import more
    if isinstance(found, type) and type_name(found) == name:
        return found
    if isinstance(types, _Strict):
        raise KeyError(f"the class {name} is not here")
    return None


def _read_enum(items: list[Any], types: Mapping[str, type[Any]]) -> Any:
    kind = _find(items[0], types)
    if kind is None or not issubclass(kind, Enum):
        return Opaque(type=items[0], fields={"value": _read(items[1], types)})
    return kind(_read(items[1], types)) if issubclass(kind, Flag) else kind[items[1]]


def _read_object(items: list[Any], types: Mapping[str, type[Any]]) -> Any:
    kind = _find(items[0], types)
    named = {_read(key, types): _read(value, types) for key, value in items[1:]}
    if kind is not None and is_dataclass(kind):
        return kind(**named)
    if kind is not None and _is_pydantic(kind):
        return _model(kind, named)
    return Opaque(type=items[0], fields=named)


def _model(kind: Any, named: Mapping[Any, Any]) -> Any:
    """Return a model with exactly these values: no alias, default or validator changes them."""
    given = {key for key in named if isinstance(key, str)}
    values = {key if key in given else key[1]: value for key, value in named.items()}
    allows_extra = kind.model_config.get("extra") == "allow"
    beyond = values.keys() - kind.model_fields.keys() if allows_extra else ()
    extra = {name: values.pop(name) for name in [*values] if name in beyond}
    model = kind.__new__(kind)
    object.__setattr__(model, "__dict__", values)
    object.__setattr__(model, "__pydantic_fields_set__", given)
    object.__setattr__(model, "__pydantic_extra__", extra if allows_extra else None)
    object.__setattr__(model, "__pydantic_private__", None)
    return model


def _each(items: list[Any], types: Mapping[str, type[Any]]) -> list[Any]:
    return [_read(item, types) for item in items]


_READERS: dict[str, Callable[[list[Any], Mapping[str, type[Any]]], Any]] = {
    "float": lambda items, _: float(items[0]),
    "dict": lambda items, types: {_read(k, types): _read(v, types) for k, v in items},
    "list": _each,
    "tuple": lambda items, types: tuple(_each(items, types)),
    "set": lambda items, types: set(_each(items, types)),
    "frozenset": lambda items, types: frozenset(_each(items, types)),
    "bytes": lambda items, _: base64.b64decode(items[0], validate=True),
    "Decimal": lambda items, _: Decimal(items[0]),
    "datetime": _read_datetime,
    "date": lambda items, _: date.fromisoformat(items[0]),
    "time": lambda items, _: time.fromisoformat(items[0]).replace(fold=items[1]),
    "timedelta": lambda items, _: timedelta(items[0], items[1], items[2]),
    "UUID": lambda items, _: UUID(items[0]),
    "PosixPath": lambda items, _: pathlib.Path(items[0]),
    "WindowsPath": lambda items, _: pathlib.Path(items[0]),
    "PurePosixPath": lambda items, _: pathlib.PurePosixPath(items[0]),
    "PureWindowsPath": lambda items, _: pathlib.PureWindowsPath(items[0]),
    "ZoneInfo": lambda items, _: ZoneInfo(items[0]),
    "secret": lambda items, _: Secret(label=items[0], fingerprint=items[1]),
    "enum": _read_enum,
    "object": _read_object,
}
