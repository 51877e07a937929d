"""What a Teams window has to be told: a file for what may be seen, a variable for the secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..chat.listening import Address, address
from ..chat.people import People
from ..chat.settings import Escalation, escalation, read
from ..secret import SettingsError, needed

SECRET = "TEAMS_CLIENT_SECRET"  # noqa: S105 - the name of a variable
SERVICE = "https://smba.trafficmanager.net/teams/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one tenant.

    Attributes:
        app: Client id of the bot's registration.
        conversation: Id of the channel or chat in which people are asked.
        people: Entra object ids to names on panels; its team is the tenant.
        http: Where to listen; put https in front.
        dashboard: Where the dashboard is; cards link to it. May be empty.
        service: Where the Bot Connector is.
    """

    app: str
    conversation: str
    people: People
    client_secret: str = field(repr=False)
    http: Address = field(default_factory=Address)
    dashboard: str = ""
    service: str = SERVICE
    escalate: Escalation = field(default_factory=Escalation)


def read_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read `teams.toml`, and the secret from `TEAMS_CLIENT_SECRET` or the file it names.

    Raises:
        SettingsError: Something is missing or cannot be meant; the sentence repeats no secret.
    """
    table = read(path)
    known = ("tenant", "app", "conversation", "service", "dashboard", "people", "http", "escalate")
    table.only(*known)
    try:
        people = People(team=table.text("tenant"), names=table.table("people").texts())
    except ValueError as error:
        raise SettingsError(f"{table.where} [people]: {error}") from None
    return Settings(
        app=table.text("app"),
        conversation=table.text("conversation"),
        people=people,
        client_secret=needed(SECRET, environ),
        http=address(table.table("http")),
        dashboard=table.url("dashboard", ""),
        service=table.url("service", SERVICE),
        escalate=escalation(table.table("escalate")),
    )
