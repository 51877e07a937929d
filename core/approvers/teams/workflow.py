"""Announce a request in Teams without a bot: a card whose button opens the dashboard.

A Workflow in Teams gives an address that posts whatever card it is sent. Nobody can answer there:
people decide on the page that the card opens. The address is a secret, as everybody who knows it
can post.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from ...model import ApprovalRequest, State, StoredRequest
from ..chat.card import Card, card
from ..patience import Patience
from ..posting import Address, NotSent, post
from .wire import CARD
from .words import Part, line, named, title, words

SECONDS = 10.0
TRIES = 8
MOST_BYTES = 26_000
"""A Workflow takes 28 KB, and what is around the card counts too."""
MOST_SHOWN = 20
LONGEST = 500
VERSION = "1.4"


class Workflow:
    """Post a card about a request, and go on at once; it never decides.

    It is an announcer: give it to `Announced`, or as a reminder to `Escalate`.

    Args:
        url: Of the workflow, as Teams shows it once; kept out of texts and logs.
        dashboard: Where the dashboard is, such as `https://approvals.example.org`.
        say: Told when a card could not be posted.

    Raises:
        ValueError: One of the addresses is none.
    """

    def __init__(
        self,
        url: str,
        dashboard: str,
        *,
        say: Callable[[str], object] = print,
        patience: Patience = Patience(),
    ) -> None:
        if not dashboard.startswith(("https://", "http://")):
            raise ValueError("a card needs a dashboard to open, such as https://example.org")
        self._address, self._dashboard = Address(url=url), dashboard
        self._say, self._patience = say, patience

    def __call__(self, request: ApprovalRequest, /) -> None:
        threading.Thread(target=self._posted, args=(request,), daemon=True, name="workflow").start()

    def _posted(self, request: ApprovalRequest) -> None:
        body = json.dumps(envelope(request, self._dashboard)).encode()
        headers = {"content-type": "application/json"}
        problem = ""
        for failures in range(1, TRIES + 1):
            try:
                post(self._address, headers, body, SECONDS)
            except NotSent as error:
                problem = str(error)
                threading.Event().wait(self._patience.wait(failures))
            else:
                return
        self._say(f"{request.name} could not be announced in Teams: {problem}")


def envelope(request: ApprovalRequest, dashboard: str) -> dict[str, Any]:
    """Return what a Workflow takes: a message with one card."""
    stored = StoredRequest(request=request, state=State.PENDING)
    made = announcement(card(stored, dashboard=dashboard))
    attachment = {"contentType": CARD, "contentUrl": None, "content": made}
    return {"type": "message", "attachments": [attachment]}


def announcement(shown: Card) -> Part:
    """Return a card that says what waits; of long values the beginning: nobody decides on it."""
    for most in (LONGEST, 100, 20):
        made = _card(shown, most)
        if len(json.dumps(made).encode()) <= MOST_BYTES:
            break
    return made


def _card(shown: Card, most: int) -> Part:
    body = [
        line(words(f"{_cut(shown.action, most)} waits for approval", bold=True, large=True)),
        line(words(f"{shown.risk.name} risk in {_cut(shown.environment, most)}", bold=True)),
    ]
    for one in shown.facts:
        body += named(one.name, _cut(one.value, most))
    body += [title("Arguments")] if shown.arguments else []
    for one in shown.arguments[:MOST_SHOWN]:
        body += named(_cut(one.name, most), _cut(one.value, most))
    if more := len(shown.arguments) - MOST_SHOWN:
        body += [line(words(f"… and {more} more"))] if more > 0 else []
    if shown.summary:
        body += [title("What it would do"), line(words(_cut(shown.summary, most)))]
    body.append(line(words("It is decided on the dashboard, which shows all of it."), apart=True))
    there = {"type": "Action.OpenUrl", "title": "Open the request", "url": shown.link}
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "body": body,
        "actions": [there],
    }


def _cut(text: str, most: int) -> str:
    more = len(text) - most
    return f"{text[:most]}… ({more:,} more characters)" if more > 0 else text
