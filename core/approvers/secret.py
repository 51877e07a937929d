"""Take a secret of a window's settings from a variable, or from a file that only we can read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class SettingsError(RuntimeError):
    """The settings cannot be used; one sentence, which repeats no secret."""


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


def needed(name: str, environ: Mapping[str, str]) -> str:
    """Return a secret that has to be there; see `secret`.

    Raises:
        SettingsError: It is not, or cannot be read.
    """
    if found := secret(name, environ):
        return found
    raise SettingsError(f"{name} is not set, and neither is {name}_FILE")
