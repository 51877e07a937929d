"""A repository and the environments that it is deployed to: all that can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from . import reports
from .config import Config
from .config.freezes import Frozen
from .config.lifted import MINUTES, Freezes, Lifting
from .errors import Busy, ConfigError, DeployError, Moved
from .known import Known
from .looking import Looks
from .model import Target, release_name, sha_of
from .pipeline import Pipeline, Shipped
from .pipeline.finding import finding
from .pipeline.journal import Proof, trusted
from .pipeline.place import Live, Place
from .pipeline.plain import printable
from .pipeline.stages import Tell, durations, silent
from .repository import Repository
from .repository.names import whole


def utc_now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


class Project:
    """What an agent or a person can look at and do; nobody is asked here.

    Every method may raise `DeployError`: `ConfigError` for an environment that there is not,
    `Unreachable` for one that cannot be used now.

    Attributes:
        config: What `deploy.toml` says.
        looks: What moves between two commits would do, kept as long as the project is.
    """

    def __init__(
        self,
        config: Config,
        repository: Repository,
        targets: Mapping[str, Target],
        *,
        by: str = "somebody",
        progress: Tell = silent,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Look at nothing yet.

        Args:
            targets: One for each environment of the configuration.
            by: Who deploys, for the journal and for those who find an environment held.
            progress: Told about each stage of a deploy.
        """
        self.config, self.repository = config, repository
        self.looks = Looks(repository, config.attention)
        self._targets, self._by, self._progress, self._now = targets, by, progress, now
        self._known = Known(repository)
        self._freezes = Freezes(config.freezes, config.state / "lifted")

    def status(self) -> str:
        """Say for each environment which release is live, whether it is well, and what is newer."""
        news, names = self._known.fetched(), self.config.environments
        text = reports.status([*map(self._place, names)], self.repository, self._known)
        frozen = [f"{name} is {ice.sentence}." for name in names if (ice := self.frozen(name))]
        return "\n\n".join([text, *frozen, *news])

    def changes(self, ref: str, environment: str) -> str:
        """Say what a commit would bring to an environment, and what it would take away.

        Args:
            ref: A branch, a tag, or a commit.
            environment: Its name, as in `status()`.
        """
        place, news = self._place(environment), self._known.fetched()
        sha = self.repository.resolve(ref)
        look = self.looks.between(sha_of(place.target.current()), sha)
        return "\n".join([reports.changes(look, environment), *news])

    def logs(self, environment: str) -> str:
        """Return the ends of what the last deploy and the service have printed.

        Args:
            environment: Its name, as in `status()`.
        """
        place = self._place(environment)
        return reports.logs(place, called=self._known.called)

    def deploy(self, ref: str, environment: str) -> str:
        """Bring a commit to an environment: build, test, release, switch, restart, check.

        Args:
            ref: A branch, a tag, or a commit.
            environment: Its name, as in `status()`.
        """
        self._place(environment)
        return self.ship(self.resolve(ref), environment)

    def rollback(self, environment: str) -> str:
        """Go back to the last release that was healthy.

        Args:
            environment: Its name, as in `status()`.
        """
        return self.return_to(self.way_back(environment), environment)

    def run_task(self, name: str, environment: str, *, over: str | None = None) -> str:
        """Run a task that deploy.toml names, in the live release.

        Args:
            name: For example migrate.
            environment: Its name, as in `status()`.
            over: As for `ship`.
        """
        place, task = self._place(environment), self.config.tasks.get(name)
        if task is None:
            raise _unknown("task", name, self.config.tasks)
        with self._held(place, over) as pipeline:
            release = place.target.current()
            if not release:
                raise DeployError(f"Nothing is live in {environment} that {name} could run in.")
            stage, printed = pipeline.run_task(release, name, task.run, task.seconds)
        ran = f"{name} ran in {self._known.called(release)} in {environment}"
        return f"{ran} and ended well after {stage.seconds:.1f} s.{printed}"

    def resolve(self, ref: str) -> str:
        """Return the whole id of the commit that a ref means now, also at a repository's URL."""
        self._known.fetched()  # what was fetched before may have it, so it may fail
        return self.repository.resolve(ref)

    def ship(self, sha: str, environment: str, *, over: str | None = None) -> str:
        """Bring one very commit to an environment.

        Args:
            sha: All its digits.
            over: The release that has to be live still, empty for none; `None` takes what is.

        Raises:
            Moved: Another release is live.
            Busy: Somebody else is at work there.
        """
        place = self._place(environment)
        self.repository.commit(whole(sha))
        with self._held(place, over) as pipeline:
            if place.is_up(sha):
                name = self._known.called(place.target.current())
                return f"{name} is live in {environment} already, and healthy: nothing was done."
            release = release_name(sha, self._now())
            shipped = pipeline.ship(release, self.repository.files(sha))
        return self._told(shipped, environment)

    def return_to(self, release: str, environment: str, *, over: str | None = None) -> str:
        """Make an earlier release current again, which has to be complete and was healthy.

        Args:
            release: As `way_back` returns it.
            over: As for `ship`.

        Raises:
            Moved: Another release is live.
            Busy: Somebody else is at work there.
        """
        place = self._place(environment)
        with self._held(place, over) as pipeline:
            current = place.target.current()
            if release == current or release not in trusted(place.journal()):
                live = (
                    f"{self._known.called(current)} stays" if current else "nothing is live there"
                )
                what = f"{printable(release)} is none" if release else "there is none"
                raise DeployError(
                    f"{environment} goes back only to what was healthy, and {what}: {live}."
                )
            shipped = pipeline.go_back(release)
        return self._told(shipped, environment)

    def start(self, environment: str = "") -> str:
        """Start the services of the current releases again; of all environments if none is named.

        Raises:
            DeployError: One of them could not be started, or is not healthy.
        """
        return self._each(environment, Place.start)

    def stop(self, environment: str = "") -> str:
        """Stop the services; of all environments if none is named.

        Raises:
            DeployError: One of them could not be stopped.
        """
        return self._each(environment, Place.stop)

    def live(self, environment: str) -> Live | None:
        """Return what is current in an environment; `None` when nothing is."""
        return self._place(environment).live()

    def is_up(self, sha: str, environment: str) -> bool:
        """Tell whether a commit is live there, was found healthy, and answers so right now."""
        return self._place(environment).is_up(sha)

    def proof(self, sha: str, environment: str) -> Proof | None:
        """Return how a commit has done in an environment; `None` when it was not healthy there."""
        return self._place(environment).proof(sha)

    def way_back(self, environment: str) -> str:
        """Return the last release that was healthy, other than the current one; or nothing.

        One that has failed, or that somebody has gone back from, is never the way back.
        """
        return self._place(environment).way_back()

    def frozen(self, environment: str) -> Frozen | None:
        """Say whether nothing goes to an environment now; a lifting counts."""
        return self._freezes.now(self._place(environment).name, self._now())

    def lift_freeze(self, environment: str, minutes: int, because: str) -> str:
        """Let a frozen environment move for a while; it freezes again by itself.

        Raises:
            DeployError: That is too long, or has no reason.
        """
        name, now = self._place(environment).name, self._now()
        until = now + timedelta(minutes=max(0, min(minutes, MINUTES + 1)))
        return self._freezes.lift(
            Lifting(environment=name, at=now, until=until, because=because, by=self._by)
        )

    def finding(self, sha: str, environment: str) -> str:
        """Say what became of the last deploy of a commit, from looking at the world."""
        place = self._place(environment)
        try:
            with place.target.locked(f"{self._by}, only looking,"):
                return finding(place, sha, called=self._known.called)
        except Busy as busy:
            found = finding(place, sha, called=self._known.called)
            return f"Somebody is at work there, so this may not be the end of it. {found} {busy}"

    def _place(self, environment: str) -> Place:
        """Return an environment by its name.

        Raises:
            ConfigError: There is none of that name.
        """
        config = self.config
        if environment not in config.environments:
            raise _unknown("environment", environment, config.environments)
        return Place(
            name=environment,
            target=self._targets[environment],
            settings=config.environments[environment],
            commands=config.commands,
            keep=config.keep,
            logs=config.state / "logs" / environment,
        )

    @contextmanager
    def _held(self, place: Place, over: str | None = None) -> Generator[Pipeline]:
        """Hold an environment, if the release that was looked at is live still."""
        with place.target.locked(self._by):
            current = place.target.current()
            if over is not None and current != over:
                was, now = (
                    self._known.called(name) if name else "nothing" for name in (over, current)
                )
                raise Moved(
                    f"{place.name} has moved on: {now} is live there ({current or '-'}), and no"
                    f" longer {was}; nothing was done."
                )
            yield Pipeline(
                place=place,
                by=self._by,
                called=self._known.called,
                now=self._now,
                tell=self._progress,
            )

    def _told(self, shipped: Shipped, environment: str) -> str:
        """Say what is live now, what was, and how long each stage has taken."""
        before = f", in place of {self._known.called(shipped.before)}" if shipped.before else ""
        total = sum(stage.seconds for stage in shipped.stages)
        took = f"It took {total:.1f} s: {durations(shipped.stages)}."
        live = (
            f"{self._known.called(shipped.release)} is live in {environment} and healthy{before}."
        )
        return " ".join([live, took, *shipped.remarks])

    def _each(self, environment: str, work: Callable[[Place], str]) -> str:
        """Do something in one environment, or in all of them; what fails stops no other."""
        said: list[str] = []
        failed: list[str] = []
        for name in [environment] if environment else self.config.environments:
            place = self._place(name)
            try:
                with place.target.locked(self._by):
                    said.append(work(place))
            except DeployError as error:
                failed.append(str(error))
        if failed:
            raise DeployError("\n".join([*said, *failed]))
        return "\n".join(said)


def _unknown(kind: str, name: str, known: Collection[str]) -> ConfigError:
    given = printable(repr(name), most=60)
    return ConfigError(f"There is no {kind} {given}; there is: {', '.join(known) or 'none'}.")
