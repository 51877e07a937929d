"""Hear what people do in Teams: a button, or a form. Each becomes one vote, or a sentence.

The library has checked by then that the activity comes from Teams; the token says nothing about its
content, so what is in it is read with care. The answer is the card as it is now, for this person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...model import NoSuchRequest, State, Store, StoredRequest, StoreError
from ..chat import voting
from ..chat.board import Board
from ..chat.card import card
from ..chat.voting import NO_STORE, STRANGER, Answer, Ballot
from .cards import adaptive
from .inputs import filled
from .settings import Settings
from .wire import CARD, mri

WINDOW = "Teams"
SECONDS_FOR_AN_EDIT = 3.0
TEXT = "application/vnd.microsoft.activity.message"
NOT_OURS = "This card is none of ours, or too old. Nothing was decided."


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """Somebody pressed a button.

    Attributes:
        name: Of the person on panels; empty for a stranger.
        place: Id of the conversation, without its thread.
        message: Id of the message with the card.
    """

    name: str
    verb: str
    request_id: str
    digest: str
    place: str
    message: str
    data: Mapping[str, Any]


class Hearing:
    """Takes activities that come from Teams."""

    def __init__(self, store: Store, board: Board, settings: Settings) -> None:
        self._store, self._board, self._settings = store, board, settings

    async def hear(self, activity: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of the answer; an activity that is no press gets an empty one."""
        if (activity.get("type"), activity.get("name")) != ("invoke", "adaptiveCard/action"):
            return {}
        press = self._press(activity)
        if press is None:
            return _said(NOT_OURS)
        if not press.name:
            return _said(STRANGER)
        return await asyncio.to_thread(self._answered, press)

    def _press(self, activity: Mapping[str, Any]) -> Press | None:
        tenant = self._settings.people.team
        match activity:
            case {
                "from": {"aadObjectId": str(user)},
                "conversation": {"id": str(place), "tenantId": str(there)},
                "value": {
                    "action": {
                        "verb": str(verb),
                        "data": {"request": str(request_id), "digest": str(digest)} as data,
                    }
                },
            } if there == tenant and _home(activity) in {"", tenant}:
                message = activity.get("replyToId")
                return Press(
                    name=self._settings.people.name(there, user),
                    verb=verb,
                    request_id=request_id,
                    digest=digest,
                    place=place.partition(";")[0],
                    message=message if isinstance(message, str) else "",
                    data=data,
                )
            case _:
                return None

    def _answered(self, press: Press) -> dict[str, Any]:
        try:
            stored = self._store.get(press.request_id)
            if press.message:
                with suppress(OSError):
                    self._board.adopt(press.request_id, press.place, press.message)
            answer = self._done(press, stored)
            return self._card(press, self._store.get(press.request_id), answer)
        except NoSuchRequest:
            return _said(NOT_OURS)
        except StoreError:
            return _said(NO_STORE)

    def _done(self, press: Press, stored: StoredRequest) -> Answer:
        if press.verb == "refresh":
            return Answer(text="")
        if why := voting.obstacle(stored, press.name, press.digest):
            return Answer(text=why)
        ballot = Ballot(
            request_id=press.request_id, digest=press.digest, by=press.name, window=WINDOW
        )
        fields = voting.form(stored)
        given = filled(press.data, fields)
        match press.verb:
            case "approve":
                return voting.approve(self._store, ballot, confirm=given.confirm)
            case "reject":
                return voting.reject(self._store, ballot, reason=given.reason)
            case "edit":
                return voting.edit(
                    self._store,
                    ballot,
                    given.typed,
                    nothing=given.nothing,
                    note=given.note,
                    seconds=SECONDS_FOR_AN_EDIT,
                )
            case _:
                return Answer(text=NOT_OURS)

    def _card(self, press: Press, stored: StoredRequest, answer: Answer) -> dict[str, Any]:
        """Return the card as it is now, with what there is to say to this person."""
        told = " ".join(
            [answer.text, *(f"{name}: {why}" for name, why in answer.wrong.items())]
        ).strip()
        waits = stored.state is State.PENDING
        mine = voting.obstacle(stored, press.name, stored.request.digest) if waits else ""
        shown = adaptive(
            card(stored, dashboard=self._settings.dashboard),
            voting.form(stored) if waits else [],
            users=[mri(user) for user in self._settings.people.names],
            notice=told or mine,
            wrong=answer.wrong,
            buttons=not mine,
        )
        return {"statusCode": 200, "type": CARD, "value": shown}


def _home(activity: Mapping[str, Any]) -> str:
    """Return the tenant that the channel's own data names, if it does."""
    match activity:
        case {"channelData": {"tenant": {"id": str(tenant)}}}:
            return tenant
        case _:
            return ""


def _said(text: str) -> dict[str, Any]:
    return {"statusCode": 200, "type": TEXT, "value": text}
