"""Slack's side of the wire: messages written, changed and found through the Web API."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ..chat.card import Card
from ..chat.channel import Later, Refused
from ..chat.people import People
from .blocks import Message, message, note, outline
from .marks import Block
from .settings import Settings

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

NEEDS = "Slack needs more packages: pip install 'gated-agents[slack]'"
SECONDS = 10
KIND = "approval_request"
PASSING = frozenset(
    "ratelimited rate_limited internal_error fatal_error service_unavailable request_timeout"
    " team_added_to_org org_login_required".split()
)
"""Errors that pass by themselves."""
TOO_LARGE = frozenset(
    "msg_too_long msg_blocks_too_long invalid_blocks invalid_blocks_format".split()
)
SILENT = logging.getLogger(f"{__name__}.sdk")
"""For the library, which says at length and more than once what is told in a sentence."""
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False
SENTENCES = {
    "channel_not_found": "Slack knows no such channel, or the app is not in it: /invite it there",
    "not_in_channel": "the app is not in that channel: /invite it there",
    "is_archived": "that channel is archived",
    "invalid_auth": "Slack does not take the bot's token",
    "not_authed": "Slack does not take the bot's token",
    "token_revoked": "the bot's token was revoked",
    "token_expired": "the bot's token has expired",
    "account_inactive": "the app was removed from the workspace",
    "message_not_found": "somebody has deleted the message",
}


def client(token: str, api: str) -> WebClient:
    """Return a client that tries once; whoever calls knows better when to try again.

    Raises:
        RuntimeError: slack-sdk is not installed.
    """
    try:
        from slack_sdk import WebClient
    except ModuleNotFoundError:
        raise RuntimeError(NEEDS) from None
    return WebClient(token=token, base_url=api, timeout=SECONDS, retry_handlers=[], logger=SILENT)


class Wire:
    """One workspace, as `chat.channel.Channel` wants it.

    The id of a message is that of its channel and its time: `C024BE91L:1503435956.000247`.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = client(settings.bot_token, settings.api)
        self._people: People = settings.people

    def post(self, place: str, card: Card, /) -> str:
        kind = {"event_type": KIND, "event_payload": {"request": card.id}}
        said = self._shown("chat.postMessage", card, channel=place, metadata=kind)
        return f"{said['channel']}:{said['ts']}"

    def update(self, _place: str, message: str, card: Card, /) -> None:
        channel, ts = apart(message)
        self._shown("chat.update", card, channel=channel, ts=ts)

    def reply(self, _place: str, message: str, text: str, /, people: tuple[str, ...] = ()) -> None:
        channel, ts = apart(message)
        said = note(text)
        called = [user for name in people if (user := self._people.user(name))]
        blocks = [*said.blocks, *([calling(called)] if called else [])]
        self.call("chat.postMessage", channel=channel, thread_ts=ts, text=said.text, blocks=blocks)

    def find(self, place: str, request_id: str, since: float, /) -> str | None:
        if not place.startswith(("C", "G", "D")):
            return None  # a person: only writing to them tells the channel
        try:
            found = self._asked(
                "conversations.history",
                channel=place,
                oldest=f"{since:.6f}",
                include_all_metadata=True,
                limit=200,
            )
        except Refused:
            return None
        for one in found["messages"]:
            if _is_about(one, request_id):
                return f"{place}:{one['ts']}"
        return ""

    def close(self) -> None:
        """Nothing stays open between two calls."""

    def whisper(self, place: str, user: str, text: str) -> None:
        """Say something to one person only, in a channel."""
        said = note(text)
        self.call(
            "chat.postEphemeral", channel=place, user=user, text=said.text, blocks=said.blocks
        )

    def respond(self, url: str, text: str) -> None:
        """Say something to whoever has just clicked, at the address that came with the click.

        Raises:
            Later: Slack takes nothing at the moment.
            Refused: It is no address of Slack's, or Slack does not take it any more.
        """
        from slack_sdk.webhook import WebhookClient

        if not _is_slacks(url, self._client.base_url):
            raise Refused("a click came with an address that is none of Slack's")
        said = note(text)
        hook = WebhookClient(url, timeout=SECONDS, retry_handlers=[], logger=SILENT)
        with _reached():
            answer = hook.send(
                text=said.text,
                blocks=said.blocks,
                response_type="ephemeral",
                replace_original=False,
            )
        if answer.status_code != 200:
            raise Refused(f"Slack answers {answer.status_code}")

    def open(self, trigger: str, view: Block) -> None:
        """Open a modal for whoever has just clicked."""
        self.call("views.open", trigger_id=trigger, view=view)

    def _shown(self, method: str, card: Card, **fields: Any) -> Mapping[str, Any]:
        """Write a card; when Slack finds it too large after all, its outline."""
        try:
            return self._written(method, message(card), fields)
        except Refused as refused:
            if refused.code not in TOO_LARGE:
                raise
        return self._written(method, outline(card), fields)

    def _written(self, method: str, said: Message, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        still = {"unfurl_links": False, "unfurl_media": False} if "ts" not in fields else {}
        shown = {"text": said.text, "blocks": said.blocks, "link_names": False, "parse": "none"}
        return self.call(method, **fields, **shown, **still)

    def call(self, method: str, **fields: Any) -> Mapping[str, Any]:
        """Call a method that does something.

        Raises:
            Later: Slack takes nothing at the moment.
            Refused: It will never take this.
        """
        return self._answer(method, json=fields)

    def _asked(self, method: str, **fields: Any) -> Mapping[str, Any]:
        """Call a method that only reads; Slack takes no JSON there. Raises what `call` raises."""
        return self._answer(method, params=fields)

    def _answer(self, method: str, **given: Mapping[str, Any]) -> Mapping[str, Any]:
        from slack_sdk.errors import SlackApiError

        try:
            with _reached():
                answer: Any = self._client.api_call(method, **given)  # type: ignore[arg-type]  # json or params
                return cast("Mapping[str, Any]", answer.data)
        except SlackApiError as error:
            raise problem(error) from None


@contextmanager
def _reached() -> Generator[None]:
    """Raise `Later` where Slack cannot be reached."""
    try:
        yield
    except (OSError, HTTPException, TimeoutError) as error:
        why = type(error).__name__
        raise Later(f"Slack cannot be reached ({why})", unknown=True) from None


def _is_slacks(url: str, api: str) -> bool:
    """Whether the address is where Slack's methods are, or at `hooks.` of that host."""
    ours = urlsplit(api)
    homes = (f"{ours.scheme}://{ours.netloc}/", f"{ours.scheme}://hooks.{ours.netloc}/")
    return url.startswith(homes)


def problem(error: SlackApiError) -> Later | Refused:
    """Return what an error of Slack's means; nothing that was sent is repeated."""
    response: Any = error.response
    status, code = response.status_code, str(response.get("error") or "")
    if status == 429 or code in {"ratelimited", "rate_limited"}:
        return Later("Slack wants fewer messages", seconds=_seconds(response.headers))
    if status >= 500 or code in PASSING:
        return Later(
            f"Slack has trouble itself ({status if status >= 500 else code})", unknown=True
        )
    if code == "missing_scope":
        needed = str(response.get("needed") or "a scope")
        return Refused(f"the app lacks {needed}; add it, and install the app again", code)
    known = code if code.replace("_", "").isalnum() else f"an answer with status {status}"
    return Refused(SENTENCES.get(code, f"Slack says {known}"), code)


def _seconds(headers: Mapping[str, str]) -> float:
    given = next((v for name, v in headers.items() if name.lower() == "retry-after"), "")
    return float(given) if given.isascii() and given.isdecimal() else 1.0


def apart(message: str) -> tuple[str, str]:
    """Return channel and time of a message."""
    channel, _, ts = message.partition(":")
    return channel, ts


def calling(users: list[str]) -> Block:
    """Return a line that calls people."""
    parts: list[Block] = []
    for user in users:
        parts += [{"type": "user", "user_id": user}, {"type": "text", "text": " "}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": parts}]}


def _is_about(one: Any, request_id: str) -> bool:
    match one:
        case {"metadata": {"event_type": str(kind), "event_payload": {"request": str(found)}}}:
            return kind == KIND and found == request_id
        case _:
            return False
