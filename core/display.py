r"""The person sees all of it: canonical bytes as text in which nothing is invisible.

Letters of every language stay as they are. What has no ink, changes the direction of writing or
joins the character before it is written out, so that two different values never look the same:

>>> safe("pay\u202e 100")
'pay⟨U+202E⟩ 100'
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .model import ApprovalRequest, Place, State, Store, StoredRequest

_BLANKS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc"
    "\U00016fe4\U0001d159"
)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_PAIR = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\u([0-9a-f]{4})|\\.")
_MARK = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")
_MOST_MARKS = 30

MAX_SHOWN = 200_000
SQL_NAMES = frozenset({"sql", "query", "statement"})
"""Names of parameters whose text is shown as SQL."""


def is_plain(character: str) -> bool:
    """Return whether `character` shows as itself and as nothing else."""
    if " " <= character <= "~":
        return True
    if character in _BLANKS or 0xFE00 <= ord(character) <= 0xFE0F or ord(character) >= 0xE0000:
        return False
    return unicodedata.category(character) not in _HIDDEN


def safe(text: str, *, newlines: bool = False) -> str:
    """Return `text` with every character visible; `unsafe` turns it back.

    Args:
        newlines: Keep line feeds, for a window that shows lines with a margin of their own.
    """
    if text.isascii() and text.isprintable():
        return text
    keep = "\n" if newlines else ""
    plain = [c if c in keep or (c not in "⟨" and is_plain(c)) else _mark(c) for c in text]
    return _apart("".join(plain), _mark)


def _mark(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _apart(text: str, written: Callable[[str], str]) -> str:
    """Write out what would make another character of the one before it, or look like another.

    An e with an accent after it is, to Unicode, the same text as é; to a database it is not.
    """
    if unicodedata.is_normalized("NFC", text):
        return text
    parts, cluster = list[str](), ""
    for c in text:
        if len(cluster) < _MOST_MARKS and unicodedata.is_normalized("NFC", cluster + c):
            parts.append(c)
            cluster = cluster + c if unicodedata.combining(c) else c
        else:
            parts.append(written(c))
            cluster = parts[-1][-1]
    return "".join(parts)


def unsafe(text: str) -> str:
    """Return what `safe` was given."""
    return _MARK.sub(lambda found: chr(int(found[1], 16)), text)


def display(data: bytes) -> str:
    """Return canonical bytes as JSON text that a person can read; `unescape` turns it back."""
    return _apart(_PAIR.sub(_open, data.decode("ascii")), _escaped)


def _open(found: re.Match[str]) -> str:
    high, low, single = found.groups()
    if high:
        character = bytes.fromhex(high + low).decode("utf-16-be")
    elif single:
        character = chr(int(single, 16))
    else:
        return found[0]
    return character if not character.isascii() and is_plain(character) else found[0]


def unescape(text: str) -> bytes:
    """Return the canonical bytes that `display` was given."""
    return "".join(c if c.isascii() else _escaped(c) for c in text).encode("ascii")


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def place_text(place: Place) -> str:
    """Say where a request stands in its batch.

    >>> place_text(Place(id="b1", number=3, of=5, needs=(1, 2)))
    'call 3 of 5, needs 1 and 2'
    """
    needs = " and ".join(map(str, place.needs))
    return f"call {place.number} of {place.of}{f', needs {needs}' if needs else ''}"


def by_now(store: Store, stored: StoredRequest) -> list[str]:
    """Say how much of each budget is gone by now, for a request that may still run.

    Its remarks hold the figures of the moment in which it was asked.
    """
    if stored.state not in {State.PENDING, State.APPROVED}:
        return []
    said: list[str] = []
    for charge in stored.request.charges:
        gone = store.usage(charge)
        others = max(gone.reserved - charge.amount, 0)  # it has reserved its own
        said.append(charge.sentence(replace(gone, reserved=others)))
    return said


CONTAINERS = frozenset({"list", "tuple", "set", "frozenset", "dict"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One argument as a person sees it.

    Attributes:
        type: What kind of value it is: `"str"`, `"int"`, `"Decimal"`, `"shop:Item"`.
        text: The value, safe to print; a text keeps its line feeds and has no quotes.
    """

    name: str
    type: str
    text: str


def shown(request: ApprovalRequest) -> tuple[Shown, ...]:
    """Return the arguments of `request` from its canonical bytes, whole and in order."""
    return tuple(
        _shown(safe(name), node) for name, node in json.loads(request.frozen or b'["dict"]')[1:]
    )


def is_too_large(request: ApprovalRequest) -> bool:
    """Whether nobody would read all of it here, so that nobody may approve it here."""
    return len(request.frozen) + len(repr(request.preview)) > MAX_SHOWN


def _shown(name: str, node: Any) -> Shown:
    kind, text = _told(node)
    return Shown(name=name, type=safe(kind), text=text)


def _told(node: Any) -> tuple[str, str]:
    """Return type and text. What is a text by itself is shown as one, the rest as JSON."""
    match node:
        case str():
            return "str", safe(node, newlines=True)
        case None:
            return "None", "None"
        case bool() | int():
            return type(node).__name__, str(node)
        case ["secret", label, fingerprint]:
            return "secret", f"{safe(label)} (hidden, {fingerprint})"
        case [kind, str(text)] if kind not in CONTAINERS:
            return kind, safe(text)
        case _:
            return node[1] if node[0] in {"object", "enum"} else node[0], _text(node)


def _text(node: Any) -> str:
    return display(json.dumps(node, separators=(",", ":")).encode("ascii"))
