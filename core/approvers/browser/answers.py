"""What a page may say: one answer, read from bytes that could be anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

Say: TypeAlias = Literal["approve", "reject", "edit"]


class Misread(ValueError):
    """These bytes are no answer; the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a person.

    Attributes:
        id: Of the request.
        digest: Of what they were shown.
        say: What they said.
        typed: The digest's first characters, where a request asks for them.
        reason: Why not, and what instead.
        arguments: Name to text, as typed, of what is to be changed.
        sure: Whether they have seen the change.
    """

    id: str
    digest: str
    say: Say
    typed: str = ""
    reason: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    sure: bool = False


def read(data: bytes) -> Answer:
    """Return the answer that `data` is.

    Raises:
        Misread: It is none.
    """
    try:
        said: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise Misread("an answer is JSON") from None
    if not isinstance(said, dict):
        raise Misread("an answer is an object")
    known = cast("dict[str, Any]", said)
    answer = Answer(
        id=_text(known, "id"),
        digest=_text(known, "digest"),
        say=_say(known),
        typed=_text(known, "typed"),
        reason=_text(known, "reason").strip(),
        arguments=_texts(known),
        sure=known.get("sure") is True,
    )
    if answer.say == "reject" and not answer.reason:
        raise Misread("the agent needs a reason, best with what to do instead")
    if answer.say == "edit" and not answer.arguments:
        raise Misread("an edit has arguments")
    return answer


def _say(said: Mapping[str, Any]) -> Say:
    match said.get("say"):
        case "approve" | "reject" | "edit" as say:
            return cast("Say", say)
        case _:
            raise Misread("an answer says approve, reject or edit")


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name, "")
    if type(value) is not str:
        raise Misread(f"{name} is a text")
    return _whole(value)


def _texts(said: Mapping[str, Any]) -> dict[str, str]:
    found = said.get("arguments", {})
    if not isinstance(found, dict):
        raise Misread("the arguments of an edit are an object")
    pairs = cast("dict[str, Any]", found).items()
    if any(type(text) is not str for _, text in pairs):
        raise Misread("the arguments of an edit are texts, as typed")
    return {_whole(name): _whole(text) for name, text in pairs}


def _whole(text: str) -> str:
    """Refuse half a character: no store could keep it."""
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise Misread("a text holds half a character")
    return text
