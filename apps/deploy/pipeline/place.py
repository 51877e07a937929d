"""One environment: what is live there, whether it is well, and what its journal proves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from ..config.settings import Commands, Here, There
from ..errors import Unhealthy
from ..model import Target, sha_of
from . import journal
from .health import ask, wait_until_healthy
from .journal import Event, Proof, events

LOOKING = 2.0  # seconds that a service gets to say how it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What is current in an environment.

    Attributes:
        since: When it became so; `None` when the journal does not say.
        verdict: What the journal says last about it; `"unknown"` when the deploy was cut off
            before anybody had looked.
    """

    environment: str
    release: str
    sha: str
    since: datetime | None
    verdict: Literal["healthy", "unhealthy", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment with all that `deploy.toml` says about it. Looking changes nothing.

    Attributes:
        keep: So many complete releases stay.
        logs: A folder in which each release gets one for its logs.
    """

    name: str
    target: Target
    settings: Here | There
    commands: Commands
    keep: int
    logs: Path

    def journal(self) -> tuple[Event, ...]:
        """Return what has happened there, oldest first."""
        return events(self.target.history())

    def live(self) -> Live | None:
        """Return what is current; `None` when nothing is."""
        release = self.target.current()
        if not release:
            return None
        happened = self.journal()
        verdict: Literal["healthy", "unhealthy", "unknown"] = "unknown"
        if journal.is_healthy(happened, release):
            verdict = "healthy"
        elif release in journal.verdicts(happened):
            verdict = "unhealthy"
        return Live(
            environment=self.name,
            release=release,
            sha=sha_of(release),
            since=journal.live_since(happened, release),
            verdict=verdict,
        )

    def is_up(self, sha: str) -> bool:
        """Tell whether a commit is live, was found healthy, and answers so right now."""
        now = self.live()
        is_good = now is not None and now.sha == sha and now.verdict == "healthy"
        return is_good and not self.why_not_healthy()

    def why_not_healthy(self) -> str:
        """Ask the service once; return why it is not well, and nothing when it is."""
        return ask(self.settings.health, self.target.current(), seconds=LOOKING)

    def proof(self, sha: str) -> Proof | None:
        """Return how a commit has done; `None` unless it was healthy when last looked at."""
        current = self.target.current()
        return journal.proof(self.journal(), sha, self.name, current)

    def way_back(self) -> str:
        """Return the last release that was healthy, other than the current one; or nothing."""
        current, complete = self.target.current(), self.target.releases()
        return journal.way_back(self.journal(), current=current, complete=complete)

    def start(self) -> str:
        """Start the service of the current release, if it does not answer; say how it is.

        Raises:
            Unhealthy: It is not well in time.
        """
        release = self.target.current()
        if not release:
            return f"Nothing is live in {self.name}."
        if not self.why_not_healthy():
            return f"{self.name} runs, and is healthy."
        self.target.restart()
        try:
            wait_until_healthy(self.settings.health, release, seconds=self.settings.health_seconds)
        except Unhealthy as error:
            raise Unhealthy(f"{self.name} was started: {error}") from error
        return f"{self.name} was started, and is healthy."

    def stop(self) -> str:
        """Stop the service."""
        self.target.stop()
        return f"{self.name} is stopped."
