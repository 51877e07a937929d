"""Look whether Slack can be used as the settings say, and tell what is wrong in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ...model import utc_now
from ..chat.channel import Later, Refused
from ..chat.looking import Finding, free, how_wrong
from ..secret import SettingsError
from .settings import Settings, read_settings
from .wire import client, problem

SCOPES = {
    "chat:write": "write messages, keep them true, answer whoever clicked",
    "channels:read": "look whether the channel is there",
    "channels:history": "look for a message that may be there, instead of writing it twice",
    "users:read": "look whether the people are there",
}


def findings(
    path: Path, environ: Mapping[str, str], now: Callable[[], datetime] = utc_now
) -> Iterator[Finding]:
    """Yield what was looked at, up to what makes further looks useless."""
    try:
        settings = read_settings(path, environ)
    except SettingsError as error:
        yield Finding(what=f"settings and secrets ({path})", problem=str(error))
        return
    yield Finding(what=f"settings and secrets ({path})")
    asked = _Asked(settings)
    about = asked("auth.test")
    yield Finding(what="the bot's token", problem=asked.problem)
    if about is None:
        return
    yield _workspace(settings, about)
    yield _clock(about, now())
    yield from _scopes(about)
    yield _channel(settings, asked)
    for user, name in settings.people.names.items():
        yield _person(user, name, asked)
    yield _listener(settings)
    if settings.dashboard.startswith("http://"):
        yield Finding(what="the dashboard's address", problem="it is not https")


class _Asked:
    """Calls methods of Slack, and keeps why the last one gave nothing."""

    def __init__(self, settings: Settings) -> None:
        self._client: Any = client(settings.bot_token, settings.api)
        self.problem = ""

    def __call__(self, method: str, **fields: Any) -> Any:
        from slack_sdk.errors import SlackApiError

        self.problem = ""
        try:
            return self._client.api_call(method, params=fields)
        except SlackApiError as error:
            self.problem = str(problem(error))
        except OSError as error:
            self.problem = f"Slack cannot be reached ({type(error).__name__})"
        return None


def _workspace(settings: Settings, about: Any) -> Finding:
    there, ours = str(about.get("team_id")), settings.people.team
    what = f"the workspace {ours}"
    if there == ours:
        return Finding(what=what)
    return Finding(what=what, problem=f'the token is for {there}: write team = "{there}"')


def _clock(about: Any, now: datetime) -> Finding:
    given = {name.lower(): value for name, value in about.headers.items()}.get("date", "")
    off = how_wrong(str(given), now)
    why = f"it is {off}, so Slack's signatures look old: set it" if off else ""
    return Finding(what="the clock", problem=why)


def _scopes(about: Any) -> Iterator[Finding]:
    given = {name.lower(): value for name, value in about.headers.items()}
    held = {scope.strip() for scope in str(given.get("x-oauth-scopes", "")).split(",")}
    for scope, purpose in SCOPES.items():
        missing = f"add it ({purpose}), and install the app again" if scope not in held else ""
        yield Finding(what=f"the scope {scope}", problem=missing)


def _channel(settings: Settings, asked: _Asked) -> Finding:
    place = settings.channel
    what = f"the channel {place}"
    if place.startswith(("U", "W")):
        return Finding(what=f"{what}, a person")
    about = asked("conversations.info", channel=place)
    found: Any = about.get("channel") if about is not None else None
    match found:
        case None:
            why = asked.problem
        case {"is_archived": True}:
            why = "it is archived"
        case {"is_member": False}:
            why = "the app is not in it: write /invite @ and its name there"
        case _:
            why = ""
    return Finding(what=what, problem=why)


def _person(user: str, name: str, asked: _Asked) -> Finding:
    what = f"{name} ({user})"
    about = asked("users.info", user=user)
    found: Any = about.get("user") if about is not None else None
    match found:
        case None:
            why = "Slack knows nobody by that id" if "user_not" in asked.problem else asked.problem
        case {"deleted": True}:
            why = "the account was deactivated"
        case {"is_bot": True}:
            why = "that is an app, not a person"
        case _:
            why = ""
    return Finding(what=what, problem=why)


def _listener(settings: Settings) -> Finding:
    """Look whether clicks could be heard: a socket opens, or the port is free."""
    if settings.http is not None:
        return free(settings.http)
    from slack_sdk.errors import SlackApiError

    socket: Any = client(settings.app_token, settings.api)
    try:
        socket.api_call("apps.connections.open")
    except SlackApiError as error:
        why: Later | Refused = problem(error)
        return Finding(
            what="Socket Mode", problem=f"{why}; does the app's token have connections:write?"
        )
    except OSError as error:
        return Finding(what="Socket Mode", problem=f"no socket opens ({type(error).__name__})")
    return Finding(what="Socket Mode")
