"""Read the settings of a chat window: a TOML file for all that may be seen."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..secret import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """What happens while nobody answers. Seconds count from the moment the agent asked.

    Attributes:
        remind: Seconds until a reminder; 0 for none.
        after: Seconds until `to` is asked too; 0 for never.
        to: Another channel, conversation or person of the same chat.
    """

    remind: float = 0.0
    after: float = 0.0
    to: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a settings file, which tells what is wrong with it by name."""

    values: Mapping[str, Any]
    where: str

    def only(self, *known: str) -> None:
        """Refuse what nobody reads: a misspelled setting must not be a silent one."""
        if strange := sorted(set(self.values) - set(known)):
            raise SettingsError(f"{self.where} has {strange[0]}, which means nothing here")

    def text(self, name: str, otherwise: str | None = None) -> str:
        """Return a text; one that has to be there may not be empty."""
        value = self.values.get(name, otherwise)
        if value is None or (otherwise is None and value == ""):
            raise SettingsError(f"{self.where} has no {name}")
        if not isinstance(value, str):
            raise SettingsError(f"{self.where}: {name} is a text in quotes")
        return value

    def number(self, name: str, otherwise: float) -> float:
        """Return a number, at least 0."""
        value = self.values.get(name, otherwise)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise SettingsError(f"{self.where}: {name} is a number, at least 0")
        return float(value)

    def url(self, name: str, otherwise: str) -> str:
        """Return an address of the web; an empty one only where that is the default."""
        found = self.text(name, otherwise)
        if found and not found.startswith(("https://", "http://")):
            raise SettingsError(f"{self.where}: {name} is an address such as https://example.org")
        return found

    def table(self, name: str) -> Table:
        """Return a table in it; one that is left out is empty."""
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            raise SettingsError(f"{self.where}: [{name}] is a table")
        return Table(cast("dict[str, Any]", value), f"{self.where} [{name}]")

    def texts(self) -> dict[str, str]:
        """Return all of it, where every value is a text."""
        return {name: self.text(name) for name in self.values}


def read(path: Path) -> Table:
    """Read a settings file.

    Raises:
        SettingsError: It is not there, or no TOML.
    """
    try:
        return Table(tomllib.loads(path.read_text("utf-8")), path.name)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{path} is no TOML") from None


def escalation(table: Table) -> Escalation:
    """Read `[escalate]`: `remind` and `after` in seconds, and `to`."""
    table.only("remind", "after", "to")
    found = Escalation(
        remind=table.number("remind", 0), after=table.number("after", 0), to=table.text("to", "")
    )
    if bool(found.after) != bool(found.to):
        raise SettingsError(f"{table.where} needs both `after` and `to`, or neither")
    return found
