"""Say in an Adaptive Card what waits, and later what became of it: whole, or without a yes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...model import Risk
from ..chat.card import Card, Fact
from ..chat.grid import drawn
from ..forms.fields import Field
from .inputs import asked, typing
from .words import Part, line, lines, named, title, words

VERSION = "1.5"
MOST_UNITS = 40_000
"""A bot's message may have 100 KB in UTF-16, and is asked to stay below 80.

What Teams refuses all the same is sent again as an outline.
"""
MOST_TO_REFRESH = 60
LONGEST = 300
COLOURS = {
    Risk.LOW: "good",
    Risk.MEDIUM: "warning",
    Risk.HIGH: "attention",
    Risk.CRITICAL: "attention",
}


def adaptive(
    card: Card,
    fields: Sequence[Field] = (),
    *,
    users: Sequence[str] = (),
    notice: str = "",
    wrong: Mapping[str, str] | None = None,
    buttons: bool = True,
) -> Part:
    """Return the card about a request; what does not fit into one is only outlined.

    Args:
        fields: Of the form for an edit; without any there is none.
        users: Teams' ids of those whose card is made anew when they look at it.
        notice: What is said to one person, above everything else.
        wrong: What is wrong with a field that this person has filled in, by its name.
        buttons: Whether this person may decide.
    """
    known = dict(wrong or {})
    for offered in (fields, ()):
        whole = _card(card, _whole(card), _actions(card, offered, known), users, notice, buttons)
        if not card.too_large and units(whole) <= MOST_UNITS:
            return whole
    return outline(card, users=users, notice=notice, buttons=buttons)


def outline(
    card: Card, *, users: Sequence[str] = (), notice: str = "", buttons: bool = True
) -> Part:
    """Return a card that fits whatever the request is, and with which nobody can approve it."""
    where = "Open the dashboard to see all of it." if card.link else "Use another window."
    text = "This is too large to be shown whole in Teams"
    text += f", so it cannot be approved here. {where}" if card.waits else "."
    short = replace(
        card,
        facts=tuple(Fact(name=one.name, value=_cut(one.value)) for one in card.facts),
        votes=tuple(_cut(vote) for vote in card.votes[-6:]),
        environment=_cut(card.environment),
        standing=_cut(card.standing),
        missing=_cut(card.missing),
        outcome=_cut(card.outcome),
    )
    told = line(words(text, bold=True, colour="attention"), apart=True)
    body = [*_opening(short), told, *_spoken(short)]
    return _card(card, body, [_reject(card), *_link(card)], users, notice, buttons)


def is_whole(made: Part) -> bool:
    """Whether all of a request that waits is on a card, so that it can be approved there."""
    return "approve" in json.dumps(made.get("actions", []))


def units(made: Part) -> int:
    """Return how long a card is, as Teams counts: in units of UTF-16."""
    return len(json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le")) // 2


def note(text: str, called: Mapping[str, str] | None = None) -> Part:
    """Return a card that is only words, written under a message.

    Args:
        called: Teams' ids of people to call, and their names.
    """
    body = lines(text) if "\n" in text else [line(words(text))]
    entities: list[Part] = []
    for user, name in (called or {}).items():
        spelled = "".join(c for c in name if c.isalnum() or c in " -'.")
        at = f"<at>{spelled}</at>"
        body.append({"type": "TextBlock", "text": at, "wrap": True})
        entities.append({"type": "mention", "text": at, "mentioned": {"id": user, "name": spelled}})
    made: Part = {"type": "AdaptiveCard", "version": VERSION, "body": body}
    return {**made, "msteams": {"entities": entities}} if entities else made


def _card(
    card: Card,
    body: list[Part],
    actions: list[Part],
    users: Sequence[str],
    notice: str,
    buttons: bool,
) -> Part:
    told = [line(words(notice, bold=True, colour="accent"))] if notice else []
    offered = actions if card.waits and buttons else _link(card)
    made: Part = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": f"{card.action}: {card.standing}",
        "body": [*told, *body],
        "msteams": {"width": "Full"},
    }
    if offered:
        made["actions"] = offered
    if users:
        anew = {
            "type": "Action.Execute",
            "title": "Refresh",
            "verb": "refresh",
            "data": _data(card),
        }
        made["refresh"] = {"action": anew, "userIds": [*users[:MOST_TO_REFRESH]]}
    return made


def _whole(card: Card) -> list[Part]:
    body = _opening(card)
    body += [title("Arguments"), *_facts(card.arguments)] if card.arguments else []
    for remark in card.remarks:
        body += lines(remark, "warning")
    if card.summary or card.found:
        body += [title("What it would do")]
        body += lines(card.summary) if card.summary else []
        body += _facts(card.found)
    body += [title("Changes"), *lines(card.diff)] if card.diff else []
    for table in card.tables:
        body += [line(words("Table: ", bold=True), words(table.title), apart=True)]
        body += lines(drawn(table))
    body += [title("Warnings")] if card.warnings else []
    for warning in card.warnings:
        body += lines(warning, "warning")
    for quote in card.quotes:
        told = line(words(quote.who), words(" says, and nobody has checked it:"), apart=True)
        body += [told, *lines(quote.text)]
    for name, text in {
        "The last edit was not taken": card.problem,
        "An edit waits to be checked, by": card.proposal,
        "Changed by edits": card.changed,
    }.items():
        body += named(name, text) if text else []
    return [*body, *_spoken(card)]


def _opening(card: Card) -> list[Part]:
    risk = words(f"{card.risk.name} risk", bold=True, colour=COLOURS[card.risk])
    where = [words(f" in {card.environment}")] if card.environment else []
    digest = [line(words("digest: "), words(f"{card.digest[:12]}…", mono=True))]
    return [
        line(words(card.action, bold=True, large=True)),
        line(risk, *where),
        line(words(card.standing, bold=True)),
        *_facts(card.facts),
        *(digest if card.digest else []),
    ]


def _facts(facts: Sequence[Fact]) -> list[Part]:
    return [part for one in facts for part in named(one.name, one.value)]


def _spoken(card: Card) -> list[Part]:
    parts = [title("Votes")] if card.votes else []
    for vote in card.votes:
        parts += lines(vote) if "\n" in vote else [line(words(vote))]
    if card.missing:
        parts.append(line(words(f"It waits for {card.missing}."), apart=True))
    if card.outcome:
        parts += [title("How it ended"), *lines(card.outcome)]
    return parts


def _actions(card: Card, fields: Sequence[Field], wrong: Mapping[str, str]) -> list[Part]:
    offered = [_approve(card)]
    if any(one.kind != "fixed" for one in fields):
        offered.append(_edit(card, fields, wrong))
    return [*offered, _reject(card), *_link(card)]


def _approve(card: Card) -> Part:
    if not card.confirm:
        return _execute("approve", "Approve", card, "positive")
    first = f"The first {card.confirm} characters of the digest"
    return _form("Approve", [*typing("confirm", first, needed=True)], "approve", card)


def _edit(card: Card, fields: Sequence[Field], wrong: Mapping[str, str]) -> Part:
    asks: list[Part] = []
    for n, one in enumerate(fields):
        asks += asked(n, one, wrong.get(one.name, ""))
    note = typing("note", "A note for the record", lines=True)
    return _form("Edit", [*asks, *note], "edit", card)


def _reject(card: Card) -> Part:
    why = "Why not? The agent reads this, so say what to do instead."
    return _form("Reject", typing("reason", why, lines=True, needed=True), "reject", card)


def _form(name: str, body: list[Part], verb: str, card: Card) -> Part:
    send = _execute(verb, name, card)
    inner = {"type": "AdaptiveCard", "version": VERSION, "body": body, "actions": [send]}
    return {"type": "Action.ShowCard", "title": name, "card": inner}


def _execute(verb: str, name: str, card: Card, style: str = "default") -> Part:
    made: Part = {"type": "Action.Execute", "title": name, "verb": verb, "data": _data(card)}
    return {**made, "style": style}


def _data(card: Card) -> dict[str, Any]:
    return {"request": card.id, "digest": card.digest}


def _link(card: Card) -> list[Part]:
    if not card.link:
        return []
    return [{"type": "Action.OpenUrl", "title": "Open the dashboard", "url": card.link}]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
