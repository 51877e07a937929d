"""Change something only on top of the release that was looked at."""

from __future__ import annotations

from .project import Project


class Careful:
    """The tools that change something, as the agent gets them.

    Between the last look and the start, somebody else may have deployed. Whoever holds the lock of
    the environment compares once more; if another release is live, nothing is done.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._live: dict[str, str] = {}

    def saw(self, environment: str, release: str) -> None:
        """Remember which release was shown as the live one."""
        self._live[environment] = release

    def deploy(self, ref: str, environment: str) -> str:
        """Bring a commit to an environment: build, test, release, switch, restart, check.

        Args:
            ref: A branch, a tag, or a commit.
            environment: Its name, as in `status()`.
        """
        sha = self._project.resolve(ref)
        return self._project.ship(sha, environment, over=self._live.pop(environment, None))

    def rollback(self, environment: str) -> str:
        """Go back to the last release that was healthy."""
        back = self._project.way_back(environment)
        return self._project.return_to(back, environment, over=self._live.pop(environment, None))

    def run_task(self, name: str, environment: str) -> str:
        """Run a task that deploy.toml names, in the live release."""
        return self._project.run_task(name, environment, over=self._live.pop(environment, None))

    def finding(self, ref: str, environment: str) -> str:
        """Say what became of a deploy that was cut off, from looking at the world."""
        return self._project.finding(ref, environment)

    def standing(self, environment: str) -> str:
        """Say what is live, for a rollback or a task that was cut off."""
        live = self._project.live(environment)
        if live is None:
            return f"Nothing is live in {environment}."
        since = f" since {live.since:%Y-%m-%d %H:%M:%S} UTC" if live.since else ""
        return f"{live.sha} is live in {environment}{since}, and was {live.verdict} at last."
