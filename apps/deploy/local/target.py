"""An environment in a folder of this machine, with a process that is kept running."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ..errors import Unreachable
from ..model import Command, Entry
from . import layout, serving
from .durable import reaching, shown, sync_all, sync_folder
from .layout import UNFINISHED
from .lines import append_line, whole_lines
from .locking import locked
from .removing import GOING, remove
from .running import run
from .service_log import last_lines
from .sharing import link_shared, shared_names
from .writing import write_tree


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LocalTarget:
    """A folder with releases, of which one is current, and the service that runs from it.

    Args:
        folder: The environment's; made when it is first held.
        shared: Folders that all releases have in common, such as `data`.
        start: What to run as the service; its `seconds` do not count.

    Raises:
        ConfigError: A shared folder does not lie in the release.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shared: Sequence[str] = (),
        start: Command,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._folder = folder.absolute()
        self._shared = shared_names(shared)
        self._start, self._now = start, now
        self._held: tuple[int, ...] = ()

    @property
    def where(self) -> str:
        """The folder, as text."""
        return shown(self._folder)

    @contextmanager
    def locked(self, who: str) -> Generator[None]:
        """Hold the environment, which is made if it is missing."""
        with ExitStack() as stack:
            with reaching(self._folder, "its lock was taken", still="nothing was done"):
                (self._folder / "releases").mkdir(parents=True, exist_ok=True)
                commands = stack.enter_context(locked(self._folder, who, self._now))
            self._held = (commands,)
            stack.callback(self._let_go)
            yield

    def _let_go(self) -> None:
        self._held = ()

    def begin(self, release: str, files: Iterable[tuple[Entry, bytes]]) -> None:
        """Write a release to where unfinished ones lie."""
        place = self._unfinished(release)
        if place.exists() or layout.is_complete(self._folder, release):
            raise Unreachable(f"{self.where}: the release {release} is there already.")
        with reaching(self._folder, "a release was written"):
            try:
                write_tree(place, files, shared=self._shared)
            except BaseException:
                # What was written may be what fills the disk.
                with suppress(OSError):
                    remove(place.parent, place.name)
                raise

    def run(self, release: str, command: Command, log: Callable[[bytes], object]) -> None:
        """Run a command in a release; when this process dies the environment is held on."""
        run(command, self._place(release), log, kept=self._held)

    def complete(self, release: str) -> None:
        """Link what is shared, bring all of it to the disk, and only then give it its name."""
        place = self._unfinished(release)
        with reaching(self._folder, "a release was completed"):
            link_shared(self._folder, place, self._shared)
            sync_all(place)
            if layout.is_complete(self._folder, release):
                raise Unreachable(f"{self.where}: the release {release} is there already.")
            place.rename(place.with_name(release))
            sync_folder(place.parent)

    def switch(self, release: str) -> None:
        """Put a new link in the place of `current`."""
        if not layout.is_complete(self._folder, release):
            raise Unreachable(
                f"{self.where}: {shown(release)} is no complete release; `current` is as it was."
            )
        layout.current(self._folder)  # what no deploy has made is not replaced
        beside = self._folder / ".current.new"
        with reaching(self._folder, "`current` was switched", still="`current` is as it was"):
            with suppress(FileNotFoundError):
                beside.unlink()
            beside.symlink_to(f"releases/{release}")
            beside.replace(self._folder / "current")
            sync_folder(self._folder)

    def restart(self) -> None:
        """Start the service from `current`; it goes on when this process ends."""
        with reaching(self._folder, "the service was restarted", still="`current` is as it was"):
            serving.restart(self._folder, self._start, kept=self._held)

    def stop(self) -> None:
        """Stop the service."""
        with reaching(self._folder, "the service was stopped", still="`current` is as it was"):
            serving.stop(self._folder)

    def sweep(self, *, keep: int, protect: Collection[str] = ()) -> Sequence[str]:
        """Remove what is unfinished and the oldest releases; return their names."""
        stay = {layout.current(self._folder), serving.release_in_use(self._folder), *protect}
        complete = layout.releases(self._folder)
        stay.update(complete[max(0, len(complete) - keep) :])
        place = self._folder / "releases"
        with reaching(place, "old releases were removed", still="`current` is as it was"):
            found = sorted(path.name for path in place.iterdir()) if place.exists() else []
            leftovers = [name for name in found if name.startswith((UNFINISHED, GOING))]
            old = [name for name in complete if name not in stay]
            for name in (*leftovers, *old):
                remove(place, name)
        unfinished = [name for name in leftovers if name.startswith(UNFINISHED)]
        return [*(name.removeprefix(UNFINISHED) for name in unfinished), *old]

    def append(self, line: str) -> None:
        """Add one line to the journal."""
        with reaching(self._folder, "the journal was written", still="no line of it was lost"):
            append_line(self._folder / "journal.jsonl", line)

    def history(self) -> Sequence[str]:
        """Return the whole lines of the journal."""
        with reaching(self._folder, "the journal was read"):
            return whole_lines(self._folder / "journal.jsonl")

    def current(self) -> str:
        """Return the name of the current release; empty when there is none."""
        return layout.current(self._folder)

    def releases(self) -> Sequence[str]:
        """Return the names of the complete releases, oldest first."""
        return layout.releases(self._folder)

    def service(self) -> str:
        """Say whether the service runs."""
        with reaching(self._folder, "the service was looked at"):
            return serving.about(self._folder, self._now())

    def service_log(self, lines: int) -> str:
        """Return the last lines that the service has printed."""
        with reaching(self._folder, "the log of the service was read"):
            return last_lines(self._folder / "service.log", lines)

    def close(self) -> None:
        """Nothing is held open between two calls; the service goes on."""

    def _unfinished(self, release: str) -> Path:
        """Return where a release is made.

        Raises:
            Unreachable: Nothing can be named like that.
        """
        if not layout.is_release(release):
            raise Unreachable(f"{self.where}: {shown(release)} is no name of a release.")
        return self._folder / "releases" / f"{UNFINISHED}{release}"

    def _place(self, release: str) -> Path:
        """Return the folder of a release, complete or not.

        Raises:
            Unreachable: It is not there.
        """
        for place in (self._unfinished(release), self._folder / "releases" / release):
            if place.is_dir() and not place.is_symlink():
                return place
        raise Unreachable(f"{self.where}: there is no release {release}.")
