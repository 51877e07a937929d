"""A name that may move, such as a branch, is looked up once: what it stood for is what is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .call import Call, Wiring
from .canonical import decode, encode
from .display import display
from .freezing import freeze
from .model import Rejected

LONGEST_NAME = 200


def pinned(wiring: Wiring, call: Call, frozen: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Put what a name stands for right now in its place, and say so to whoever decides.

    Raises:
        Rejected: It stands for nothing.
    """
    named: dict[str, Any] = decode(frozen, call.types, strict=True)
    meant = {name: _meant(wiring, look, named[name]) for name, look in wiring.pin.items()}
    call.real = {**call.real, **meant}
    kept = freeze(wiring, call)
    shown = {name: (_brief(named[name]), _brief(value)) for name, value in meant.items()}
    remarks = (
        f"{name}: {was} stands for {now}" for name, (was, now) in shown.items() if was != now
    )
    return kept, tuple(remarks)


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if type(value) is str else display(encode(value))
    more = len(text) - LONGEST_NAME
    return f"{text[:LONGEST_NAME]}… ({more:,} more characters)" if more > 0 else text


def _meant(wiring: Wiring, look: Callable[[Any], Any], value: Any) -> Any:
    try:
        return look(value)
    except Exception as error:
        raise Rejected(f"{wiring.tool.name} was not run: {error}") from None
