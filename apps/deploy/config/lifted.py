"""A frozen environment may move for a while when people say so; it freezes again by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..errors import DeployError
from ..local.durable import write_whole
from .freezes import Frozen, Window, frozen, spoken

LONGEST = timedelta(hours=4)
MINUTES = int(LONGEST.total_seconds() // 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifting:
    """What people have said about a freeze.

    Attributes:
        at: From when it holds, UTC.
        until: It ends right before this instant, and never later than `LONGEST` after `at`.
        by: Who asked for it; who agreed is on record where they were asked.
    """

    environment: str
    at: datetime
    until: datetime
    because: str
    by: str

    def holds(self, now: datetime) -> bool:
        """Tell whether it holds at an instant; a clock that was set back ends it."""
        return self.at <= now < min(self.until, self.at + LONGEST)


class Freezes:
    """When nothing goes where, with what people have lifted: one file per environment."""

    def __init__(self, windows: Sequence[Window], folder: Path) -> None:
        """Keep liftings in a folder that is made when it is first needed."""
        self._windows, self._folder = windows, folder

    def now(self, environment: str, now: datetime) -> Frozen | None:
        """Say why nothing goes to an environment at an instant; `None` when it may."""
        return None if self.lifting(environment, now) else self._frozen(environment, now)

    def lifting(self, environment: str, now: datetime) -> Lifting | None:
        """Return the lifting that holds for an environment; a damaged one does not hold."""
        try:
            said = json.loads(self._path(environment).read_bytes())
            lifting = Lifting(
                environment=said["environment"],
                at=datetime.fromisoformat(said["at"]),
                until=datetime.fromisoformat(said["until"]),
                because=said["because"],
                by=said["by"],
            )
            holds = lifting.environment == environment and lifting.holds(now)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None
        return lifting if holds else None

    def lift(self, lifting: Lifting) -> str:
        """Write a lifting, and say until when it holds; it is on disk when this returns.

        Raises:
            DeployError: It has no reason, would hold for no time or too long, or cannot be written.
        """
        if not timedelta() < lifting.until - lifting.at <= LONGEST:
            raise DeployError(f"A freeze can be lifted for 1 to {MINUTES} minutes, no longer.")
        if not lifting.because.strip():
            raise DeployError("Say why the freeze cannot wait for its end.")
        said = asdict(lifting) | {"at": _utc(lifting.at), "until": _utc(lifting.until)}
        environment = lifting.environment
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(environment), json.dumps(said, indent=1).encode())
        except OSError as error:
            raise DeployError(
                f"The freeze of {environment} stays, as its lifting cannot be written to"
                f" {self._folder}: {error.strerror}."
            ) from error
        ice = self._frozen(environment, lifting.at)
        zone = ice.opens_at.tzinfo if ice and ice.opens_at else UTC
        beside = "" if ice else "; it is not frozen right now"
        return f"{environment} may move until {spoken(lifting.until.astimezone(zone))}{beside}."

    def _frozen(self, environment: str, now: datetime) -> Frozen | None:
        return frozen(self._windows, environment, now)

    def _path(self, environment: str) -> Path:
        return self._folder / f"{environment}.json"


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
