"""What people are shown before they decide: found out by looking, never taken from the agent."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from . import describing
from .careful import Careful
from .describing import Rows
from .errors import ConfigError, DeployError, RepositoryError
from .model import sha_of
from .pipeline.place import Live
from .project import Project

MINUTE = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a call would do.

    Attributes:
        summary: One line.
        facts: Name and value, in the order to show them.
        diff: Unified diff, or nothing.
        warnings: What a careful colleague would point out.
        words: Of whoever asks, which are no facts; or nothing.
        config: The file with the commands, which has to stay as it is.
        sha256: Of that file.
    """

    summary: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Rows, ...] = ()
    diff: str = ""
    warnings: tuple[str, ...] = ()
    words: str = ""
    config: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Showing:
    """Looks at the world, and remembers which release was shown as the live one."""

    project: Project
    careful: Careful

    def deploy(self, ref: str, environment: str) -> Shown:
        """Show the move to a commit, and how that commit has done where it was before."""
        return self._move(environment, ref, self._proof(ref, environment))

    def rollback(self, environment: str) -> Shown:
        """Show the move back, also to a commit that only the release has still got."""
        sha = sha_of(self.project.way_back(environment))
        try:
            return self._move(environment, sha)
        except RepositoryError as error:
            return self._unseen(environment, sha, error)

    def run_task(self, name: str, environment: str) -> Shown:
        """Show the words that would run, and in which release."""
        task, live = self.project.config.tasks[name], self.project.live(environment)
        self.careful.saw(environment, live.release if live else "")
        return Shown(
            summary=f"runs {name} in {environment}",
            facts=(
                ("words", shlex.join(task.run)),
                ("in", self._now(live) if live else "nothing: there is no release yet"),
                ("at most", f"{task.seconds:g} seconds"),
            ),
            config=self._bound(),
            sha256=self.project.config.sha256,
        )

    def lift_freeze(self, environment: str, minutes: int, because: str) -> Shown:
        """Show what would be allowed, and why it is forbidden now."""
        frozen = self.project.frozen(environment)
        if frozen is None:
            raise DeployError(f"{environment} is not frozen, so there is nothing to lift.")
        return Shown(
            summary=f"lets {environment} move for {minutes} minutes",
            facts=(("now", frozen.sentence),),
            warnings=("Every deploy still asks whoever it asks otherwise.",),
            words=because,
            config=self._bound(),
            sha256=self.project.config.sha256,
        )

    def _move(self, environment: str, sha: str, more: tuple[tuple[str, str], ...] = ()) -> Shown:
        live = self.project.live(environment)
        self.careful.saw(environment, live.release if live else "")
        look = self.project.looks.between(live.sha if live else "", sha)
        return Shown(
            summary=describing.summary(look.move, environment),
            facts=(
                ("repository", self.project.repository.name),
                ("live now", self._now(live)),
                ("then", self._called(sha)),
                *more,
                ("changes", describing.stat(look.move.files)),
            ),
            tables=tuple(describing.tables(look.move, look.attention)),
            diff=look.diff.text,
            warnings=tuple(describing.warnings(look.move, look.diff, look.attention)),
            config=self._bound(),
            sha256=self.project.config.sha256,
        )

    def _unseen(self, environment: str, sha: str, why: RepositoryError) -> Shown:
        """Show a move back to what the repository does not know: it is on disk, and was well."""
        live = self.project.live(environment)
        self.careful.saw(environment, live.release if live else "")
        return Shown(
            summary=f"takes {environment} back to {sha[: describing.SHORT]}",
            facts=(
                ("repository", self.project.repository.name),
                ("live now", self._now(live)),
                ("then", sha),
            ),
            warnings=(f"{why} So nobody can show what changes; the release itself was healthy.",),
            config=self._bound(),
            sha256=self.project.config.sha256,
        )

    def _now(self, live: Live | None) -> str:
        """Say what is live, which the repository need not know any more."""
        if live is None:
            return "nothing"
        try:
            return self._called(live.sha)
        except RepositoryError:
            return f"{live.sha}: no longer in the repository"

    def _called(self, sha: str) -> str:
        commit, tags = self.project.repository.commit(sha), self.project.repository.tags(sha)
        names = f" ({', '.join(tags)})" if tags else ""
        return f"{sha}{names}: {describing.subject(commit)}"

    def _proof(self, sha: str, environment: str) -> tuple[tuple[str, str], ...]:
        """Say how a commit has done where it has to be first; only what does not change again."""
        needs = self.project.config.environments[environment].needs
        proof = self.project.proof(sha, needs) if needs else None
        if proof is None:
            return ()
        tested = f"passed {proof.tested_at:{MINUTE}}" if proof.tested_at else "there are none"
        return (
            (f"tests in {needs}", tested),
            (f"health in {needs}", f"good since {proof.healthy_from:{MINUTE}}"),
        )

    def _bound(self) -> Path:
        """Bind the commands: they are in deploy.toml, as it was when this program read it."""
        config = self.project.config
        if hashlib.sha256(config.path.read_bytes()).hexdigest() != config.sha256:
            raise ConfigError(f"{config.path.name} was changed while this runs; start it again.")
        return config.path
