"""How names that may be any bytes, and lists of them, are written in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 3


def text_of(name: bytes | bytearray) -> str:
    r"""Return a name as text; bytes that are no UTF-8 are written as `\xNN`.

    >>> print(text_of(b"caf\xe9"))
    caf\xe9
    """
    return name.decode("utf-8", "backslashreplace")


def some(names: Sequence[bytes]) -> str:
    """Name the first few, and count the others.

    >>> some([b"a", b"b"]), some([b"a", b"b", b"c", b"d", b"e"])
    ('a, b', 'a, b, c and 2 more')
    """
    first = ", ".join(text_of(name) for name in names[:_NAMED])
    return f"{first} and {len(names) - _NAMED:,} more" if len(names) > _NAMED else first


def shown(text: str) -> str:
    r"""Return anything that was given as a short, quoted text without surprises.

    >>> shown("main\n--all")
    "'main\\n--all'"
    """
    return ascii(text if len(text) <= 60 else f"{text[:28]}...{text[-28:]}")  # both ends tell
