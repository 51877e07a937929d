"""Ask in a Slack modal: why not, what else, or for the digits that a yes to much risk takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..chat.card import Card
from ..forms.fields import Field
from ..forms.typed import LONGEST_NOTE
from .inputs import asked, fixed, read, tickbox, ticked, typing
from .marks import Block, line, named, plain, rich, words

MOST_BLOCKS = 100
LONGEST_ERROR = 500
LONGEST_SUMMARY = 300
LONGEST_LABEL = 200
FOR_THE_AGENT = "The agent reads this, so say what to do instead."


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a modal is about, and which message it was opened from.

    Attributes:
        digest: Of what the person was shown there.
        place: Id of the channel.
        message: Its id in the channel.
    """

    request_id: str
    digest: str
    place: str
    message: str

    def text(self) -> str:
        """Return it as a modal carries it until it is sent."""
        return json.dumps(
            {
                "request": self.request_id,
                "digest": self.digest,
                "place": self.place,
                "message": self.message,
            }
        )


def origin(text: str) -> Origin:
    """Read what a modal carried.

    Raises:
        ValueError: It is none of ours.
    """
    found: object = json.loads(text)
    match found:
        case {
            "request": str(request_id),
            "digest": str(digest),
            "place": str(place),
            "message": str(message),
        }:
            return Origin(request_id=request_id, digest=digest, place=place, message=message)
        case _:
            raise ValueError("this modal is none of ours")


def approve_view(card: Card, origin: Origin) -> Block:
    """Ask for the beginning of the digest where the card wants it, and offer a note."""
    asks = _digits(card) if card.confirm else []
    return _view("approve", "Approve", [_about(card), *asks, _note()], origin)


def reject_view(card: Card, origin: Origin) -> Block:
    """Ask why."""
    why = _input("reason", "Why not?", typing(lines=True, most=LONGEST_NOTE), hint=FOR_THE_AGENT)
    return _view("reject", "Reject", [_about(card), why], origin)


def edit_view(card: Card, fields: list[Field], origin: Origin) -> Block | None:
    """Return a form with the values as they are; `None` when a modal cannot hold it.

    The parameter at position n of the form is asked for in the block `value.<n>`, counted from 0;
    where it may be `None`, there is a box to tick in `none.<n>`.
    """
    asks = [_question(n, one) for n, one in enumerate(fields)]
    blocks = [_about(card), *(block for ask in asks for block in ask), _note()]
    is_useful = any(one.kind != "fixed" for one in fields)
    if not is_useful or not all(asks) or len(blocks) > MOST_BLOCKS:
        return None
    return _view("edit", "Edit", blocks, origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What somebody sent with a modal.

    Attributes:
        typed: Text by parameter; for a choice its number, empty when nothing is chosen.
        nothing: Parameters for which they ticked `None`.
    """

    typed: Mapping[str, str]
    nothing: frozenset[str]
    reason: str
    note: str
    confirm: str


def filled(view: Mapping[str, Any], fields: list[Field]) -> Filled:
    """Read a modal that was sent; what is not in it counts as empty."""
    values = _values(view)
    changeable = [(n, one) for n, one in enumerate(fields) if one.kind != "fixed"]
    return Filled(
        typed={
            one.name: read(values[block])
            for n, one in changeable
            if (block := f"value.{n}") in values
        },
        nothing=frozenset(one.name for n, one in changeable if ticked(values.get(f"none.{n}"))),
        reason=read(values.get("reason")),
        note=read(values.get("note")),
        confirm=read(values.get("confirm")),
    )


def errors(wrong: Mapping[str, str], fields: list[Field]) -> dict[str, Any]:
    """Return the answer that leaves the modal open, with what is wrong beside each field.

    Slack knows only fields that can be filled in; what is wrong elsewhere stands beside the note.

    Args:
        wrong: A sentence by parameter, or by `"reason"`, `"note"` and `"confirm"`.
        fields: Those that the modal asked for; none unless it was an edit.
    """
    blocks = {one.name: f"value.{n}" for n, one in enumerate(fields) if one.kind != "fixed"}
    said = dict[str, str]()
    for name, why in wrong.items():
        is_own = name in {"reason", "confirm"} and name not in blocks
        block = name if is_own else blocks.get(name, "note")
        text = why if block != "note" or name == "note" else f"{name}: {why}"
        said[block] = f"{said[block]} {text}" if block in said else text
    cut = {block: _cut(text, LONGEST_ERROR) for block, text in said.items()}
    return {"response_action": "errors", "errors": cut}


def _view(name: str, title: str, blocks: list[Block], origin: Origin) -> Block:
    return {
        "type": "modal",
        "callback_id": name,
        "private_metadata": origin.text(),
        "title": plain(title),
        "submit": plain(title),
        "close": plain("Cancel"),
        "blocks": blocks,
    }


def _about(card: Card) -> Block:
    """Say what the modal is about; the whole of it is in the message."""
    what = f"{_cut(card.action, LONGEST_SUMMARY)}: {card.risk.name} risk"
    parts = [line(words(what, "bold"), words(f" in {_cut(card.environment, LONGEST_SUMMARY)}"))]
    if card.summary:
        parts.append(line(words(_cut(card.summary, LONGEST_SUMMARY))))
    if card.problem:
        parts += named("The last edit was not taken", card.problem)
    return rich(parts)


def _digits(card: Card) -> list[Block]:
    """Ask for digits that stand above: whoever types them has looked at what they approve."""
    first, rest = card.digest[: card.confirm], card.digest[card.confirm : card.confirm + 6]
    there = line(words("digest: "), words(first, "bold", "code"), words(f"{rest}…", "code"))
    return [rich([there]), _input("confirm", f"Its first {card.confirm} characters", typing())]


def _question(n: int, one: Field) -> list[Block]:
    """Return the blocks that ask for a value; none when Slack cannot."""
    if one.kind == "fixed":
        return [fixed(one)]
    element = asked(one)
    if element is None:
        return []
    may_be_empty = one.optional or one.kind in {"text", "lines"}
    name, kind = _cut(one.label, LONGEST_LABEL), _cut(one.type, LONGEST_LABEL)
    value = _input(f"value.{n}", f"{name} ({kind})", element, one.hint, optional=may_be_empty)
    if not one.optional:
        return [value]
    box = tickbox(is_ticked=one.none)
    return [value, _input(f"none.{n}", f"{name}, or nothing", box, optional=True)]


def _note() -> Block:
    label = "A note for the record"
    return _input("note", label, typing(lines=True, most=LONGEST_NOTE), optional=True)


def _input(
    block: str, label: str, element: Block, hint: str = "", *, optional: bool = False
) -> Block:
    made = {"type": "input", "block_id": block, "label": plain(label), "element": element}
    if hint:
        made["hint"] = plain(hint)
    return {**made, "optional": optional}


def _values(view: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what stands in each block; a modal is made by us, but sent by somebody else."""
    match view:
        case {"state": {"values": dict()}}:
            blocks = cast("dict[str, Any]", view["state"]["values"])
            return {name: one["typed"] for name, one in blocks.items() if _is_typed(one)}
        case _:
            return {}


def _is_typed(block: object) -> bool:
    match block:
        case {"typed": dict()}:
            return True
        case _:
            return False


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
