"""What a Slack window has to be told: a file for what may be seen, variables for the secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..chat.listening import Address, address
from ..chat.people import People
from ..chat.settings import Escalation, Table, escalation, read
from ..secret import SettingsError, needed

BOT, APP, SIGNING = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"
API = "https://slack.com/api/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one workspace.

    Attributes:
        channel: Id of the channel in which people are asked.
        bot_token: `xoxb-…`.
        app_token: `xapp-…`, for Socket Mode.
        signing_secret: What requests over HTTP are signed with.
        http: Where to listen instead of Socket Mode; `None` for Socket Mode.
        dashboard: Where the dashboard is; messages link to it. May be empty.
        api: Where Slack's methods are; another one for GovSlack.
    """

    channel: str
    people: People
    bot_token: str = field(repr=False)
    app_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    http: Address | None = None
    dashboard: str = ""
    api: str = API
    escalate: Escalation = field(default_factory=Escalation)


def read_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read `slack.toml`, and the secrets from variables or from the files that they name.

    Raises:
        SettingsError: Something is missing or cannot be meant; the sentence repeats no secret.
    """
    table = read(path)
    table.only("team", "channel", "dashboard", "api", "people", "http", "escalate")
    return Settings(
        channel=table.text("channel"),
        people=people(table),
        bot_token=_token(BOT, "xoxb-", environ),
        http=address(table.table("http")) if "http" in table.values else None,
        app_token="" if "http" in table.values else _token(APP, "xapp-", environ),
        signing_secret=_token(SIGNING, "", environ) if "http" in table.values else "",
        dashboard=table.url("dashboard", ""),
        api=table.url("api", API).rstrip("/") + "/",
        escalate=escalation(table.table("escalate")),
    )


def people(table: Table) -> People:
    """Read `team` and `[people]`: ids of members to the names that panels have."""
    try:
        return People(team=table.text("team"), names=table.table("people").texts())
    except ValueError as error:
        raise SettingsError(f"{table.where} [people]: {error}") from None


def _token(name: str, begins: str, environ: Mapping[str, str]) -> str:
    found = needed(name, environ)
    if not found.startswith(begins):
        raise SettingsError(f"{name} is no token of that kind: it begins with {begins}")
    return found
