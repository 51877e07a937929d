"""Look whether Teams can be used as the settings say, and tell what is wrong in plain words."""

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
from .wire import Adapter, Wire, bot

KEYS = "https://login.botframework.com/v1/.well-known/openidconfiguration"
SECONDS = 10.0


def findings(
    path: Path, environ: Mapping[str, str], now: Callable[[], datetime] = utc_now
) -> Iterator[Finding]:
    """Yield what was looked at, up to what makes further looks useless."""
    try:
        settings = read_settings(path, environ)
    except SettingsError as error:
        yield Finding(what=f"settings and secret ({path})", problem=str(error))
        return
    yield Finding(what=f"settings and secret ({path})")
    yield _service(now())
    yield from _people(settings)
    yield free(settings.http)
    if settings.dashboard.startswith("http://"):
        yield Finding(what="the dashboard's address", problem="it is not https")


def _service(now: datetime) -> Finding:
    """Look whether the keys can be had that activities are checked with, and at the clock."""
    import httpx

    try:
        answer = httpx.get(KEYS, timeout=SECONDS)
    except httpx.TransportError as error:
        why = f"the keys that activities are checked with cannot be had ({type(error).__name__})"
        return Finding(what="Bot Framework and the clock", problem=why)
    off = how_wrong(answer.headers.get("date", ""), now)
    why = f"the clock is {off}, so tokens look old: set it" if off else ""
    return Finding(what="Bot Framework and the clock", problem=why)


def _people(settings: Settings) -> Iterator[Finding]:
    """Look whether the bot gets a token, is in the conversation, and whom it meets there."""
    what, found = f"the conversation {settings.conversation}", list[Any]()
    wire = Wire.alone(settings, bot(settings, Adapter()))
    try:
        found = wire.done(wire.members(settings.conversation))
        yield Finding(what="the bot's token")
        yield Finding(what=what)
    except Refused as error:
        is_token = error.code in {"", "401"}
        yield Finding(what="the bot's token" if is_token else what, problem=str(error))
        return
    except Later as error:
        yield Finding(what=what, problem=str(error))
        return
    finally:
        wire.close()
    there = {str(getattr(one, "aad_object_id", "") or "").lower() for one in found}
    for user, name in settings.people.names.items():
        is_there = user.lower() in there
        why = "" if is_there else "nobody with that object id is in the conversation"
        yield Finding(what=f"{name} ({user})", problem=why)
