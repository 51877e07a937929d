"""Hear what people do in Slack: a click, or a form they send. Each becomes one vote, or a sentence.

Slack wants an answer within three seconds, whatever a store is doing. A click is answered at once,
and what comes of it is told to the person alone; a form is answered with what is wrong in it, or
closed when that is not known in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...model import NoSuchRequest, Store, StoredRequest, StoreError
from ..chat import voting
from ..chat.board import Board
from ..chat.card import card
from ..chat.channel import Later, Refused
from ..chat.voting import NO_STORE, STRANGER, Answer, Ballot
from .modals import Origin, approve_view, edit_view, errors, filled, origin, reject_view
from .settings import Settings
from .wire import Wire

WINDOW = "Slack"
SECONDS_FOR_A_FORM = 2.0
SECONDS_FOR_AN_EDIT = 1.5
MOST_AT_ONCE = 16
ELSEWHERE = "This app decides nothing for your workspace, so nothing was decided."
NOT_OURS = "This button is none of ours, or too old. Nothing was decided."
NO_FORM = "The form could not be opened. Click again, or use the dashboard."
TOO_LARGE_TO_EDIT = "This cannot be edited in a Slack form. Use the dashboard."


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who did something, and where.

    Attributes:
        user: Their id in Slack.
        name: Their name on panels.
        place: Id of the channel, to answer them in.
    """

    user: str
    name: str
    place: str


class Hearing:
    """Takes what Slack has sent, once it is known that Slack has sent it."""

    def __init__(self, store: Store, board: Board, wire: Wire, settings: Settings) -> None:
        self._store, self._board, self._wire, self._settings = store, board, wire, settings
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="slack")

    def hear(self, payload: Any) -> dict[str, Any]:
        """Return what to answer Slack, in time; an empty answer closes a form.

        A payload of another workspace, or one that makes no sense, changes nothing. Whoever clicked
        there is told so at the address that came with the click: no token of ours is good there.
        """
        work = self._threads.submit(self._answered, payload)
        match payload:
            case {"type": "view_submission"}:
                try:
                    return work.result(SECONDS_FOR_A_FORM)
                except NotYet:
                    work.add_done_callback(partial(self._late, payload))
            case _:
                pass
        return {}

    def start(self) -> None:
        """Nothing to begin: it answers when it is called."""

    def close(self) -> None:
        """Finish what was begun."""
        self._threads.shutdown()

    def _answered(self, payload: Any) -> dict[str, Any]:
        team = self._settings.people.team
        match payload:
            case {
                "type": "block_actions",
                "team": {"id": str(there)},
                "user": {"id": str(user)},
                "trigger_id": str(trigger),
                "container": {"channel_id": str(place), "message_ts": str(ts)},
                "actions": [{"action_id": str(action), "value": str(value)}, *_],
            } if there == team:
                person = self._person(payload, user, place)
                self._told(person, self._clicked(person, trigger, f"{place}:{ts}", action, value))
            case {
                "type": "view_submission",
                "team": {"id": str(there)},
                "user": {"id": str(user)},
                "view": {"callback_id": str(kind), "private_metadata": str(about)},
            } if there == team:
                return self._sent(payload, user, kind, about)
            case {
                "type": "block_actions",
                "team": {"id": str(there)},
                "response_url": str(url),
            } if there != team:
                with suppress(Later, Refused):
                    self._wire.respond(url, ELSEWHERE)
            case _:
                pass
        return {}

    def _person(self, payload: Mapping[str, Any], user: str, place: str) -> Person:
        """Say who it is; somebody of another workspace may be in a shared channel."""
        home = str(payload["user"].get("team_id") or payload["team"]["id"])
        return Person(user=user, name=self._settings.people.name(home, user), place=place)

    def _clicked(
        self, person: Person, trigger: str, message: str, action: str, value: str
    ) -> Answer:
        request_id, _, digest = value.partition(".")
        if not person.name:
            return Answer(text=STRANGER)
        try:
            stored = self._store.get(request_id)
            self._board.adopt(request_id, person.place, message)
            if why := voting.obstacle(stored, person.name, digest):
                return Answer(text=why)
            about = Origin(
                request_id=request_id, digest=digest, place=person.place, message=message
            )
            return self._done(person, trigger, action, stored, about)
        except NoSuchRequest:
            return Answer(text=NOT_OURS)
        except (StoreError, OSError):
            return Answer(text=NO_STORE)

    def _done(
        self, person: Person, trigger: str, action: str, stored: StoredRequest, about: Origin
    ) -> Answer:
        shown = card(stored, dashboard=self._settings.dashboard)
        match action:
            case "approve" if not voting.needs_confirming(stored):
                return voting.approve(self._store, _ballot(person.name, about))
            case "approve":
                view: dict[str, Any] | None = approve_view(shown, about)
            case "reject":
                view = reject_view(shown, about)
            case "edit":
                view = edit_view(shown, voting.form(stored), about)
            case _:
                return Answer(text=NOT_OURS)
        if view is None:
            return Answer(text=TOO_LARGE_TO_EDIT)
        try:
            self._wire.open(trigger, view)
        except (Later, Refused):
            return Answer(text=NO_FORM)
        return Answer(text="")

    def _sent(self, payload: Mapping[str, Any], user: str, kind: str, about: str) -> dict[str, Any]:
        try:
            source = origin(about)
        except ValueError:
            return {}
        person = self._person(payload, user, source.place)
        answer, fields = self._filled(person, kind, source, payload["view"])
        if answer.wrong:
            return errors(answer.wrong, fields)
        with suppress(OSError):
            self._board.adopt(source.request_id, source.place, source.message)
        self._told(person, answer)
        return {}

    def _filled(
        self, person: Person, kind: str, source: Origin, view: Mapping[str, Any]
    ) -> tuple[Answer, list[Any]]:
        if not person.name:
            return Answer(text=STRANGER), []
        ballot = _ballot(person.name, source)
        try:
            stored = self._store.get(source.request_id)
            fields = voting.form(stored) if kind == "edit" else []
            given = filled(view, fields)
            match kind:
                case "approve":
                    yes = voting.approve(
                        self._store, ballot, confirm=given.confirm, note=given.note
                    )
                    return yes, []
                case "reject":
                    return voting.reject(self._store, ballot, reason=given.reason), []
                case "edit":
                    edited = voting.edit(
                        self._store,
                        ballot,
                        given.typed,
                        nothing=given.nothing,
                        note=given.note,
                        seconds=SECONDS_FOR_AN_EDIT,
                    )
                    return edited, fields
                case _:
                    return Answer(text=NOT_OURS), []
        except StoreError:
            return Answer(text=NO_STORE), []

    def _told(self, person: Person, answer: Answer) -> None:
        """Tell the person alone. That Slack does not take it changes nothing."""
        if answer.text:
            with suppress(Later, Refused):
                self._wire.whisper(person.place, person.user, answer.text)

    def _late(self, payload: Any, done: Future[dict[str, Any]]) -> None:
        """Say what was wrong with a form that is closed by now."""
        wrong = done.result().get("errors", {}) if not done.exception() else {"": NO_STORE}
        if wrong:
            source = origin(payload["view"]["private_metadata"])
            person = self._person(payload, payload["user"]["id"], source.place)
            self._told(person, Answer(text=" ".join(map(str, wrong.values()))))


def _ballot(name: str, about: Origin) -> Ballot:
    return Ballot(request_id=about.request_id, digest=about.digest, by=name, window=WINDOW)
