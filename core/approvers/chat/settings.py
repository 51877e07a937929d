"""Read the settings of a chat window: a TOML file for what may be seen, secrets from elsewhere."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast


class SettingsError(RuntimeError):
    """The settings cannot be used; one sentence, which repeats no secret."""


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


def secret(name: str, environ: Mapping[str, str]) -> str:
    """Return a secret from `NAME`, or from the file that `NAME_FILE` names; empty without either.

    Raises:
        SettingsError: The file cannot be read, or is open to others on this machine.
    """
    if file := environ.get(f"{name}_FILE", ""):
        path = Path(file)
        try:
            if path.stat().st_mode & 0o077:
                raise SettingsError(f"{path} is open to others on this machine: chmod 600 {path}")
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = type(error).__name__
            raise SettingsError(f"{name}_FILE: {path} cannot be read ({why})") from None
    return environ.get(name, "").strip()
