"""Say in a Slack message what waits, and later what became of it: whole, or without a yes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from ...model import Risk, State
from ..chat.card import Card, Fact
from ..chat.grid import drawn
from .marks import Block, box, emoji, line, link, named, plain, quote, rich, said, words

MOST = 13_000
"""Characters of JSON that all blocks of a message may have together.

Slack documents no such limit and has one: it refuses somewhat above 13,000. One that it refuses all
the same is sent again as an outline.
"""
EACH = 100
"""What a block counts for beside its own characters."""
MOST_BLOCKS = 50
LONGEST_HEADER = 150
LONGEST_LINK = 3_000
LONGEST_NOTICE = 300
MOST_VOTES = 6
LIGHTS = {
    Risk.LOW: "white_circle",
    Risk.MEDIUM: "large_yellow_circle",
    Risk.HIGH: "large_orange_circle",
    Risk.CRITICAL: "red_circle",
}
SIGNS = {
    State.PENDING: "hourglass_flowing_sand",
    State.APPROVED: "white_check_mark",
    State.EXECUTING: "arrow_forward",
    State.OUTCOME_UNKNOWN: "grey_question",
    State.SUCCEEDED: "white_check_mark",
    State.FAILED: "x",
    State.REJECTED: "no_entry",
    State.EXPIRED: "hourglass",
    State.CANCELLED: "leftwards_arrow_with_hook",
    State.RESOLVED_HAPPENED: "white_check_mark",
    State.RESOLVED_NOT_HAPPENED: "no_entry",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What Slack is sent.

    Attributes:
        text: For the notification, and for those who see no blocks.
        is_whole: Whether all of the request is in it. Otherwise it has no button that approves.
    """

    text: str
    blocks: list[Block]
    is_whole: bool = True


def message(card: Card) -> Message:
    """Return the message about a request; what does not fit into one is only outlined."""
    blocks = [*_opening(card), *_what(card), *_since(card), *_buttons(card, is_whole=True)]
    if card.too_large or not fits(blocks):
        return outline(card)
    return Message(text=notice(card), blocks=blocks)


def outline(card: Card) -> Message:
    """Return a message that fits whatever the request is, and that nobody can approve.

    It is for a request too large for Slack, or one that Slack has refused to show.
    """
    tried = (_outlined(card, most) for most in (LONGEST_NOTICE, 60, 15))
    blocks = next(filter(fits, tried), list[Block]())
    return Message(text=notice(card), blocks=blocks, is_whole=False)


def _outlined(card: Card, most: int) -> list[Block]:
    about = "This is too large to be shown whole in Slack"
    where = "Open the dashboard to see all of it." if _has_link(card) else "Use another window."
    sentence = f"{about}, so it cannot be approved here. {where}" if card.waits else f"{about}."
    short = replace(
        card,
        environment=_cut(card.environment, most),
        standing=_cut(card.standing, most),
        facts=tuple(Fact(name=one.name, value=_cut(one.value, most)) for one in card.facts),
        votes=tuple(_cut(vote, most) for vote in card.votes[-MOST_VOTES:]),
        missing=_cut(card.missing, most),
        outcome=_cut(card.outcome, most),
    )
    return [
        *_title(_cut(card.action, most)),
        rich([*_standing(short), *_lines(short), *_digest(card)]),
        rich([line(emoji("warning"), words(f" {sentence}", "bold"))]),
        *_spoken(short),
        *_buttons(card, is_whole=False),
    ]


def notice(card: Card) -> str:
    """Say it in a line, for a notification."""
    risk = f"{card.risk.name} risk"
    if card.waits:
        return said(_cut(f"{card.action} waits for approval: {risk}, {card.environment}"))
    return said(_cut(f"{card.action}: {card.standing}"))


def fits(blocks: list[Block]) -> bool:
    """Whether Slack takes so many blocks, and so much in them."""
    size = len(json.dumps(blocks, separators=(",", ":"))) + EACH * len(blocks)
    return len(blocks) <= MOST_BLOCKS and size <= MOST


def note(text: str) -> Message:
    """Return a message that is only words: what is written under a request, or to one person."""
    return Message(text=said(_cut(text)), blocks=[rich([line(words(text))])])


def _opening(card: Card) -> list[Block]:
    """Say what it is, where, how risky, where it stands, and who asks."""
    about = rich([*_standing(card), *_lines(card), *_digest(card)])
    return [*_title(card.action), about]


def _title(action: str) -> list[Block]:
    """Return the function's name in large letters; one that is no name is never markup either."""
    if action.isascii() and action.isidentifier() and len(action) <= LONGEST_HEADER:
        return [{"type": "header", "text": plain(action)}]
    return [rich([line(words(action or "(no name)", "bold"))])]


def _standing(card: Card) -> list[Block]:
    risk = [emoji(LIGHTS[card.risk]), *words(f" {card.risk.name} risk", "bold")]
    where = words(f" in {card.environment}") if card.environment else []
    return [
        line(risk, where),
        line(emoji(SIGNS[card.state]), words(f" {card.standing}", "bold")),
    ]


def _lines(card: Card) -> list[Block]:
    others = [one for one in card.facts if one.name != "environment"]
    return [line(words(f"{one.name}: "), words(one.value, "bold")) for one in others]


def _digest(card: Card) -> list[Block]:
    return [line(words("digest: "), words(f"{card.digest[:12]}…", "code"))] if card.digest else []


def _what(card: Card) -> list[Block]:
    """Show what would run and what it would do, one block for each kind."""
    found = [
        _part("Arguments", [part for one in card.arguments for part in named(one.name, one.value)]),
        _part("Remarks", [part for remark in card.remarks for part in _told(remark)]),
        _part("What it would do", _preview(card)),
        _part("Changes", [box(card.diff)] if card.diff else []),
        *(_part(f"Table: {table.title}", [box(drawn(table))]) for table in card.tables),
        _part("", [part for one in card.warnings for part in _told(one, "warning", "bold")]),
        *(
            _part(f"{one.who or 'somebody'} says, and nobody has checked it:", [quote(one.text)])
            for one in card.quotes
        ),
    ]
    return [one for parts in found for one in parts]


def _preview(card: Card) -> list[Block]:
    summary = _told(card.summary) if card.summary else []
    return [*summary, *(part for one in card.found for part in named(one.name, one.value))]


def _told(text: str, sign: str = "", *styles: str) -> list[Block]:
    """Return a text on a line of its own; several lines get a bar, so that none looks like ours."""
    first = [emoji(sign), *words(" ")] if sign else []
    if "\n" not in text:
        return [line(first, words(text, *styles))]
    return [*([line(first)] if first else []), quote(text)]


def _part(title: str, parts: list[Block]) -> list[Block]:
    if not parts:
        return []
    return [rich([*([line(words(title, "bold"))] if title else []), *parts])]


def _since(card: Card) -> list[Block]:
    """Show what has happened since it was asked."""
    edits = {
        "The last edit was not taken": card.problem,
        "An edit waits to be checked, by": card.proposal,
        "Changed by edits": card.changed,
    }
    said_so = [part for name, text in edits.items() if text for part in named(name, text)]
    return [*([rich(said_so)] if said_so else []), *_spoken(card)]


def _spoken(card: Card) -> list[Block]:
    parts = [part for vote in card.votes for part in _told(vote, "bust_in_silhouette")]
    if card.missing:
        parts.append(line(emoji(SIGNS[State.PENDING]), words(f" It waits for {card.missing}.")))
    if card.outcome:
        parts += named("How it ended", card.outcome)
    return [rich(parts)] if parts else []


def _buttons(card: Card, *, is_whole: bool) -> list[Block]:
    """Return the buttons of what waits; a record has a link at most."""
    if not card.waits:
        last = line(link(card.link, "Open it on the dashboard"))
        return [rich([last])] if _has_link(card) else []
    button = f"{card.id}.{card.digest}"
    buttons = [
        _button("approve", "Approve", button, "primary"),
        _button("edit", "Edit", button),
        _button("reject", "Reject", button, "danger"),
    ]
    shown = buttons if is_whole else buttons[2:]
    if _has_link(card):
        there = {"type": "button", "action_id": "dashboard", "text": plain("Open the dashboard")}
        shown.append({**there, "url": card.link})
    return [{"type": "actions", "elements": shown}]


def _button(name: str, text: str, value: str, style: str = "") -> Block:
    made = {"type": "button", "action_id": name, "text": plain(text), "value": value}
    return {**made, "style": style} if style else made


def _has_link(card: Card) -> bool:
    return bool(card.link) and len(json.dumps(card.link)) <= LONGEST_LINK


def _cut(text: str, most: int = LONGEST_NOTICE) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
