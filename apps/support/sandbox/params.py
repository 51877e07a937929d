"""The parameters of one request, each read once and by its kind; what nobody reads is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from .errors import Refusal, malformed

LARGEST = 99_999_999
LONGEST = 5_000  # characters of a text
METADATA_KEYS, METADATA_KEY, METADATA_VALUE = 50, 40, 500
WHOLE = re.compile(r"[+-]?\d{1,18}")


class Params:
    """What a request says.

    Args:
        given: Names to values, as `form.parsed` returns them.
        known: The names that mean something here.

    Raises:
        Refusal: A name means nothing here.
    """

    def __init__(self, given: Mapping[str, Any], known: Iterable[str]) -> None:
        self.given = given
        if unknown := sorted(set(given) - set(known)):
            names = ", ".join(name[:80] for name in unknown)
            raise malformed(
                f"Received unknown parameter: {names}", unknown[0][:80], "parameter_unknown"
            )

    def text(self, name: str, default: str = "") -> str:
        """Return a text; an empty one counts as not given."""
        value = self.given.get(name, default)
        if not isinstance(value, str):
            raise malformed(f"{name} is to be a single text.", name)
        if len(value) > LONGEST:
            raise malformed(f"{name} has more than {LONGEST} characters.", name)
        return value or default

    def needed(self, name: str) -> str:
        """Return a text that has to be there."""
        value = self.text(name)
        if not value:
            raise malformed(f"Missing required param: {name}.", name, "parameter_missing")
        return value

    def one_of(self, name: str, choices: Iterable[str], default: str = "") -> str:
        """Return a text that is one of a few."""
        value, known = self.text(name, default), list(choices)
        if value and value not in known:
            raise malformed(f"Invalid {name}: it is one of {', '.join(known)}.", name)
        return value

    def flag(self, name: str, default: str = "false") -> bool:
        """Return whether it says true."""
        return self.one_of(name, ("true", "false"), default) == "true"

    def whole(self, name: str, *, least: int = 0, most: int | None = None) -> int | None:
        """Return a whole number, or `None` where none is given."""
        text = self.text(name)
        if not text:
            if name in self.given:
                raise malformed(f"{name} is empty.", name, "parameter_invalid_empty")
            return None
        return integer(text, name, least=least, most=most)

    def amount(self) -> int | None:
        """Return an amount of money in the smallest unit, or `None` where none is given."""
        value = self.whole("amount", least=1)
        if value is not None and value > LARGEST:
            raise malformed(
                f"An amount has at most {len(str(LARGEST))} digits.", "amount", "amount_too_large"
            )
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; one text alone is a list of one."""
        value: Any = self.given.get(name, [])
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        texts = [one for one in values if isinstance(one, str)]
        if len(texts) != len(values):
            raise malformed(f"{name} is to be a list of texts.", name)
        return texts

    def metadata(self, before: Mapping[str, str]) -> dict[str, str]:
        """Return metadata after this request: an empty value takes a key away, "" takes all."""
        value: Any = self.given.get("metadata", {})
        if value == "":
            return {}
        if isinstance(value, list):  # keys 0, 1, 2 … look like a list on the wire
            value = {str(number): one for number, one in enumerate(cast("list[object]", value))}
        if not isinstance(value, dict):
            raise malformed("metadata is to be key-value pairs.", "metadata")
        after = dict(before)
        for key, one in cast("dict[str, Any]", value).items():
            after[key] = _metadata(key, one)
        after = {key: one for key, one in after.items() if one}
        if len(after) > METADATA_KEYS:
            raise malformed(f"metadata has at most {METADATA_KEYS} keys.", "metadata")
        return after


def integer(text: str, name: str, *, least: int = 0, most: int | None = None) -> int:
    """Return the whole number that a text says."""
    code = "parameter_invalid_integer"
    if not WHOLE.fullmatch(text) or not text.isascii():
        raise malformed(f"Invalid integer: {text[:40]}", name, code)
    if int(text) < least or (most is not None and int(text) > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise malformed(f"Invalid integer: {name} is {bounds}.", name, code)
    return int(text)


def _metadata(key: str, value: Any) -> str:
    name = f"metadata[{key[:METADATA_KEY]}]"
    problem: Refusal | None = None
    if not isinstance(value, str):
        problem = malformed("Values in metadata are texts.", name)
    elif len(key) > METADATA_KEY:
        problem = malformed(f"A key has at most {METADATA_KEY} characters.", name)
    elif len(value) > METADATA_VALUE:
        problem = malformed(f"A value has at most {METADATA_VALUE} characters.", name)
    if problem:
        raise problem
    return str(value)
