"""Bring a release to an environment, stage by stage, and go back when it is not healthy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import DeployError, Unhealthy
from ..model import Command, Entry, sha_of
from .health import wait_until_healthy
from .journal import Event, Kind, written
from .place import Place
from .stages import Stage, Stages, Tell, forget, silent
from .trouble import Trouble

LOGS_KEPT = 30  # releases of an environment whose logs stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """A release is live and healthy.

    Attributes:
        before: The release that was current; empty when there was none.
        remarks: What did not go as well, one sentence each.
    """

    release: str
    before: str
    stages: tuple[Stage, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The way into one environment. Everything here is done while its lock is held.

    Until the switch, a journal that cannot be written stops it; after the switch that is only a
    remark, as nothing may keep it from a release that is healthy.

    Attributes:
        by: Who deploys, for the journal.
        called: Says a release as people know it.
    """

    place: Place
    by: str
    called: Callable[[str], str]
    now: Callable[[], datetime]
    tell: Tell = silent

    def ship(self, release: str, files: Iterable[tuple[Entry, bytes]]) -> Shipped:
        """Make a release, let it take the place of the current one, and see that it is healthy.

        Raises:
            DeployError: It came to nothing; the message says what is live now.
            KeyboardInterrupt: The same, because somebody pressed Ctrl-C.
        """
        before = self.place.target.current()
        stages = self._stages(release, self.place.logs / release)
        try:
            forget(self.place.logs, keep=LOGS_KEPT)
            self._sweep()
            self._note("began", release, "deploy")
            self._make(release, files, stages)
            with stages.stage("switch"):
                self.place.target.switch(release)
            self._try_to_note("switched", release, stages=stages)
            self._start(release, stages)
        except BaseException as error:
            trouble = Trouble.of(error, stages)
            if stages.has("switch") and self._is_current(release):
                raise self._taken_back(release, trouble, stages) from error
            raise self._untouched(release, before, trouble) from error
        self._tidy(stages)
        return _shipped(release, before, stages)

    def go_back(self, release: str) -> Shipped:
        """Make a release current that is complete and was healthy, in place of the current one.

        Raises:
            DeployError: It is not healthy any more, or cannot be reached; the message says what is
                current now.
            KeyboardInterrupt: The same, because somebody pressed Ctrl-C.
        """
        before = self.place.target.current()
        stages = self._stages(release, self.place.logs / before / "return")
        try:
            self._note("began", release, f"back from {before}")
            self._return(release, before, stages)
        except BaseException as error:
            what = f"Going back to {self.called(release)} in {self.place.name} failed"
            raise Trouble.of(error, stages).told(what, self._now_current()) from error
        return _shipped(release, before, stages)

    def run_task(
        self, release: str, name: str, words: tuple[str, ...], seconds: float
    ) -> tuple[Stage, str]:
        """Run a command in a complete release, with a line in the journal before and after it.

        Returns:
            How long it took, and the last lines that it has printed, as the end of a message.

        Raises:
            CommandFailed: It did not end well.
            KeyboardInterrupt: The same, because somebody pressed Ctrl-C.
        """
        stages = self._stages(release, self.place.logs / release)
        self._note("task", release, f"{name} began")
        try:
            self._command(f"task-{name}", words, seconds, release, stages)
            self._note("task", release, f"{name} done")
        except BaseException as error:
            trouble = Trouble.of(error, stages)
            self._try_to_note("task", release, f"{name} failed: {trouble.sentence}")
            what = f"The task {name} failed in {self.called(release)} in {self.place.name}"
            raise trouble.told(what, "") from error
        return stages.done[-1], stages.last_words()

    def _make(self, release: str, files: Iterable[tuple[Entry, bytes]], stages: Stages) -> None:
        """Make a release that is complete, built and tested as far as there are commands."""
        with stages.stage("checkout"):
            self.place.target.begin(release, files)
        commands = self.place.commands
        for name, words in (("build", commands.build), ("test", commands.test)):
            if words is None:
                stages.leave_out(name, f"deploy.toml has no commands.{name}")
            else:
                self._command(name, words, commands.seconds, release, stages)
        if commands.test is not None:
            self._note("tested", release)
        with stages.stage("release"):
            self.place.target.complete(release)
        self._note("completed", release)

    def _command(
        self, name: str, words: tuple[str, ...], seconds: float, release: str, stages: Stages
    ) -> None:
        env = {**self.place.settings.env, "RELEASE": release, "COMMIT": sha_of(release)}
        env["ENVIRONMENT"] = self.place.name
        with stages.stage(name) as log:
            self.place.target.run(release, Command(words=words, env=env, seconds=seconds), log)

    def _start(self, release: str, stages: Stages) -> None:
        """Start the service from the release that is current, and see that it is healthy."""
        with stages.stage("restart"):
            self.place.target.restart()
        with stages.stage("health") as log:
            settings = self.place.settings
            tries = wait_until_healthy(settings.health, release, seconds=settings.health_seconds)
            log(f"{settings.health} is healthy; times asked: {tries}\n".encode())
        self._try_to_note("healthy", release, stages=stages)

    def _return(self, release: str, before: str, stages: Stages) -> None:
        with stages.stage("switch"):
            self.place.target.switch(release)
        self._try_to_note("switched", release, f"back from {before}", stages=stages)
        try:
            self._start(release, stages)
        except Unhealthy as error:
            self._try_to_note("unhealthy", release, str(error))
            raise
        self._try_to_note("returned", release, before, stages=stages)

    def _untouched(self, release: str, before: str, trouble: Trouble) -> BaseException:
        """Clear away what never became current, and say so."""
        self._try_to_note("failed", release, trouble.sentence)
        with suppress(DeployError):
            self._sweep()
        what = f"{self.called(release)} did not come to {self.place.name}"
        live = (
            f"{self.called(before)} is live there as before" if before else "nothing is live there"
        )
        return trouble.told(what, f"It was never current: {live}.")

    def _taken_back(self, release: str, trouble: Trouble, stages: Stages) -> BaseException:
        """Go back to the last release that was healthy, and say what is live now."""
        self._try_to_note("unhealthy", release, trouble.sentence)
        what = f"{self.called(release)} was live in {self.place.name} for a moment only"
        is_stopped, second = False, self._stages("", stages.folder / "return")
        try:
            back = self.place.way_back()
            second = self._stages(back, stages.folder / "return")
            if back:
                self._return(back, release, second)
                ending = f"{self.place.name} is back at {self.called(back)}, which is healthy."
            else:
                what = f"{self.called(release)} is live in {self.place.name} and not healthy"
                ending = "No other release there was healthy, so there is nothing to go back to."
        except BaseException as error:
            also, is_stopped = Trouble.of(error, second), isinstance(error, KeyboardInterrupt)
            what = f"{self.called(release)} is not healthy in {self.place.name}"
            ending = f"Going back failed as well: {also.sentence}. {self._now_current()}"
        return trouble.told(what, ending, is_stopped=is_stopped)

    def _is_current(self, release: str) -> bool:
        """Tell whether a release has become current; what cannot be read has to be presumed so."""
        try:
            return self.place.target.current() == release
        except DeployError:
            return True

    def _now_current(self) -> str:
        """Say what is current, after all."""
        try:
            current = self.place.target.current()
        except DeployError as error:
            return f"What is current there cannot be found out: {error}"
        return f"Current there is {self.called(current) if current else 'nothing'}."

    def _tidy(self, stages: Stages) -> None:
        try:
            self._sweep()
        except DeployError as error:
            stages.remarks.append(f"Old releases could not be removed: {error}")

    def _sweep(self) -> None:
        back = self.place.way_back()
        self.place.target.sweep(keep=self.place.keep, protect=[back] if back else [])

    def _note(self, kind: Kind, release: str, note: str = "") -> None:
        event = Event(kind=kind, at=self.now(), release=release, by=self.by, note=note)
        self.place.target.append(written(event))

    def _try_to_note(
        self, kind: Kind, release: str, note: str = "", *, stages: Stages | None = None
    ) -> None:
        try:
            self._note(kind, release, note)
        except DeployError as error:
            if stages is not None:
                stages.remarks.append(f"The journal does not say {kind!r}: {error}")

    def _stages(self, release: str, folder: Path) -> Stages:
        return Stages(self.place.name, release, folder, tell=self.tell)


def _shipped(release: str, before: str, stages: Stages) -> Shipped:
    return Shipped(
        release=release,
        before=before,
        stages=tuple(stages.done),
        remarks=tuple(stages.remarks),
    )
