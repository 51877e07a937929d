"""What nobody need be asked about: calls that make no sense, or not now, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from .describing import SHORT
from .project import Project


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Conditions on the tools' own parameters; the refs are commits by the time they are asked."""

    project: Project

    def is_unknown(self, environment: str) -> bool:
        """Whether there is no such environment."""
        return environment not in self.project.config.environments

    def why_unknown(self) -> str:
        """Name those that there are."""
        return (
            f"there is no such environment; there are {', '.join(self.project.config.environments)}"
        )

    def is_live(self, ref: str, environment: str) -> bool:
        """Whether this very commit is live there, and answers as healthy right now."""
        return self.project.is_up(ref, environment)

    def is_unproven(self, ref: str, environment: str) -> bool:
        """Whether it has never been healthy where it has to be first."""
        needs = self.project.config.environments[environment].needs
        return needs is not None and self.project.proof(ref, needs) is None

    def why_unproven(self, ref: str, environment: str) -> str:
        """Say what to do instead."""
        needs = self.project.config.environments[environment].needs
        return (
            f"{ref[:SHORT]} has not been healthy in {needs}, and {environment} takes nothing else;"
            f" deploy it to {needs} first"
        )

    def is_frozen(self, environment: str) -> bool:
        """Whether nothing goes there now."""
        return self.project.frozen(environment) is not None

    def why_frozen(self, environment: str) -> str:
        """Say until when, and what to do if it cannot wait."""
        frozen = self.project.frozen(environment)
        if frozen is None:
            return f"{environment} was frozen a moment ago; ask again"
        return (
            f"{environment} is {frozen.sentence}. Wait until then; if it cannot wait, a person can"
            f" ask two release managers to lift the freeze"
        )

    def is_stuck(self, environment: str) -> bool:
        """Whether there is nothing healthy to go back to."""
        return not self.project.way_back(environment)

    def is_no_task(self, name: str) -> bool:
        """Whether deploy.toml names no such task."""
        return name not in self.project.config.tasks

    def why_no_task(self) -> str:
        """Name those that there are."""
        return f"there is no such task; there are {', '.join(self.project.config.tasks) or 'none'}"
