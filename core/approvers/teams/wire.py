"""Teams' side of the wire: messages written and changed through the Bot Connector."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from ...model import Store, StoreError
from ..chat.card import Card
from ..chat.channel import Later, Refused
from ..chat.voting import form
from .cards import adaptive, note, outline
from .settings import Settings
from .words import Part

NEEDS = "Teams needs more packages: pip install 'gated-agents[teams]'"
CARD = "application/vnd.microsoft.card.adaptive"
SECONDS = 10.0
MOST_CALLED = 20
TOO_LARGE = "413"
SENTENCES = {
    401: "the Bot Connector does not take the bot's token: look at the id, the secret, the tenant",
    403: "the bot may not write there: add it to the team or chat",
    404: "there is no such conversation or message, or the bot is not in it",
    413: "the message is too large",
}
Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Takes an activity that is known to come from Teams, and returns the body of the answer."""


class Adapter:
    """Where the library registers its endpoint: it hands a request to the library's own checks.

    Attributes:
        handle: Takes body and headers, once the bot is ready.
    """

    def __init__(self) -> None:
        self.handle: Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]] | None = None

    def register_route(self, method: str, path: str, handler: Any) -> None:  # noqa: ARG002 - the library names them
        """Keep the handler of the endpoint."""
        self.handle = handler

    def serve_static(self, path: str, directory: str) -> None:
        """Serve nothing."""

    async def start(self, port: int) -> None:
        """Start nothing: the window has a door of its own."""

    async def stop(self) -> None:
        """Stop nothing."""


def bot(settings: Settings, adapter: Adapter) -> Any:
    """Return the library's bot; no variable of the environment decides for it.

    Raises:
        RuntimeError: microsoft-teams-apps is not installed.
    """
    for name in ("microsoft_teams", "msal"):  # they say at length what is told in a sentence
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of parts of its own
        try:
            from microsoft_teams.api.auth.cloud_environment import PUBLIC
            from microsoft_teams.apps import App
            from microsoft_teams.common import ClientOptions
        except ModuleNotFoundError:
            raise RuntimeError(NEEDS) from None
        return App(
            client_id=settings.app,
            client_secret=settings.client_secret,
            tenant_id=settings.people.team,
            service_url=settings.service,
            cloud=PUBLIC,
            client=ClientOptions(timeout=SECONDS),
            http_server_adapter=adapter,
            dangerously_allow_unauthenticated_requests=False,
            messaging_endpoint="/api/messages",
            state=False,
            fetch_user_token=False,
        )


class Wire:
    """One tenant, as `chat.channel.Channel` wants it. It is used by one thread at a time."""

    def __init__(self, settings: Settings, store: Store | None, app: Any) -> None:
        self._settings, self._store, self._app = settings, store, app
        self._loop = asyncio.Runner()

    @classmethod
    def alone(cls, settings: Settings, app: Any) -> Wire:
        """Return one that writes nothing, and so needs no store."""
        return cls(settings, None, app)

    def members(self, place: str) -> Coroutine[Any, Any, Any]:
        """Return a call for the people in a conversation."""
        call: Coroutine[Any, Any, Any] = self._app.api.conversations.get_members(place)
        return call

    def post(self, place: str, card: Card, /) -> str:
        write = self._app.api.conversations.create_activity
        return self._fitting(card, lambda shown: write(place, _message(shown)))

    def update(self, place: str, message: str, card: Card, /) -> None:
        change = self._app.api.conversations.update_activity
        self._fitting(card, lambda shown: change(place, message, _message(shown)))

    def reply(self, place: str, message: str, text: str, /, people: tuple[str, ...] = ()) -> None:
        users = {mri(user): name for name in people if (user := self._settings.people.user(name))}
        called = dict([*users.items()][:MOST_CALLED])
        thread = f"{place};messageid={message}" if "@thread.tacv2" in place else place
        made = _message(note(text, called))
        self._id(self._app.api.conversations.create_activity(thread, made))

    def find(self, _place: str, _request_id: str, _since: float, /) -> None:
        """A bot in Teams cannot look for its own messages."""

    def _fitting(self, card: Card, write: Callable[[Part], Coroutine[Any, Any, Any]]) -> str:
        """Write a card; when Teams finds it too large after all, its outline."""
        users = [mri(user) for user in self._settings.people.names]
        try:
            return self._id(write(self._shown(card, users)))
        except Refused as refused:
            if refused.code != TOO_LARGE:
                raise
        return self._id(write(outline(card, users=users)))

    def _shown(self, card: Card, users: list[str]) -> Part:
        try:
            fields = form(self._store.get(card.id)) if self._store and card.waits else []
        except StoreError as error:
            raise Later(str(error)) from None
        return adaptive(card, fields, users=users)

    def _id(self, call: Coroutine[Any, Any, Any]) -> str:
        """Wait for a call and return the id of the message.

        Raises:
            Later: Teams takes nothing at the moment.
            Refused: It will never take this.
        """
        return str(self.done(call).id)

    def done(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Wait for a call; see `_id` for what it raises."""
        import httpx
        import requests

        try:
            return self._loop.run(call)
        except httpx.HTTPStatusError as error:
            raise problem(error.response.status_code, error.response.headers) from None
        except (httpx.TransportError, requests.RequestException, OSError) as error:
            why = type(error).__name__
            raise Later(f"Teams cannot be reached ({why})", unknown=True) from None
        except ValueError as error:
            raise Refused(f"there is no token for the bot: {_line(error)}") from None
        except RuntimeError as error:  # asyncio starts no threads any more
            raise Later(f"the program ends ({_line(error)})") from None
        except Exception as error:  # what MSAL raises has no name that a type checker knows
            if not type(error).__module__.startswith("msal"):
                raise
            raise Later(f"Entra has trouble itself ({_line(error)})") from None

    def close(self) -> None:
        """Let go of connections and of the event loop."""
        with suppress(Exception):  # it is the end of them either way
            self._loop.run(self._closed())
        self._loop.close()

    async def _closed(self) -> None:
        for each in (self._app.api.http, self._app.http_client):
            await each.http.aclose()


def problem(status: int, headers: Mapping[str, str]) -> Later | Refused:
    """Return what an answer that is no yes means."""
    if status == 429:
        given = headers.get("retry-after", "")
        seconds = float(given) if given.isascii() and given.isdecimal() else 1.0
        return Later("Teams wants fewer messages", seconds=seconds)
    if status >= 500 or status in {408, 412}:
        return Later(f"Teams has trouble itself ({status})", unknown=True)
    return Refused(SENTENCES.get(status, f"Teams answers {status}"), str(status))


def mri(user: str) -> str:
    """Return Teams' own id of somebody with that object id at Entra."""
    return f"8:orgid:{user}"


def _message(card: Part) -> Any:
    from microsoft_teams.api.activities.message.message import MessageActivityInput
    from microsoft_teams.api.models.attachment.attachment import Attachment

    return MessageActivityInput(attachments=[Attachment(content_type=CARD, content=card)])


def _line(error: Exception) -> str:
    """Return the first line of what Entra says; it repeats no secret."""
    return (str(error).splitlines() or ["it does not say why"])[0][:300]
