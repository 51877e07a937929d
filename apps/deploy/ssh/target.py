"""An environment in a folder of another machine, reached over SSH; nothing of ours runs there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from ..errors import CommandFailed, DeployError, Unreachable, Unshippable
from ..local.durable import shown
from ..local.layout import UNFINISHED, is_release
from ..local.printed import readable
from ..local.sharing import shared_names
from ..model import Command, Entry
from . import remote, remote_command
from .host import Host
from .packing import packed
from .reaching import Address
from .shell import Shell

SILENCE = 30.0
LONG = 1800.0  # seconds for a step that writes or removes whole releases
MOST_OF_LOG = 1 << 20  # bytes of a service's log that are kept while it comes


class SshTarget:
    """A folder with releases on a host, of which one is current, and a service that it restarts.

    Args:
        host: Whom to log in as, and where: `deploy@web1.example`.
        folder: The environment's; made when it is first held. A relative one lies in the user's
            home.
        known_hosts: The host's key has to be in this file.
        key: A private key; without one, those of the agent and the usual files are tried.
        shared: Folders that all releases have in common, such as `data`.
        restart: Run on the host, where `current` leads, to start the service anew.
        stop: Run there to stop it.
        logs: Run there to print what the service has printed.
        connect_seconds: For logging in.
        silence: After so many seconds without a word of us the host ends what we have started, and
            lets go of the lock.
    """

    def __init__(
        self,
        host: str,
        port: int,
        folder: str,
        *,
        known_hosts: Path,
        key: Path | None = None,
        shared: Sequence[str] = (),
        restart: Command,
        stop: Command | None = None,
        logs: Command | None = None,
        connect_seconds: float = 10.0,
        silence: float = SILENCE,
    ) -> None:
        user, _, name = host.rpartition("@")
        address = Address(
            user=user,
            host=name.removeprefix("[").removesuffix("]"),
            port=port,
            known_hosts=known_hosts,
            key=key,
            seconds=connect_seconds,
        )
        self._host = Host(address, folder)
        self._shell = Shell(self._host, silence=silence)
        self._shared = [os.fsdecode(name) for name in shared_names(shared)]
        self._restart, self._stop, self._logs = restart, stop, logs

    @property
    def where(self) -> str:
        """Host and folder."""
        return self._host.where

    def locked(self, who: str) -> AbstractContextManager[None]:
        """Hold the environment; see `Target.locked`.

        The host holds it for us: until we are done, the connection ends, or we fall silent.
        """
        return self._shell.locked(who)

    def begin(self, release: str, files: Iterable[tuple[Entry, bytes]]) -> None:
        """Write a release that is not complete yet; see `Target.begin`."""
        doing, name = "a release was written", self._named(release)
        archive = packed(files, shared=[os.fsencode(path) for path in self._shared])
        try:
            status, _ = self._shell.step(
                doing, remote.UNPACK, read=archive, seconds=LONG, release=name
            )
        except Exception:
            with suppress(DeployError):
                self._shell.step(doing, remote.DISCARD, seconds=LONG, release=name)
            raise
        if status == remote.OWN:
            raise Unreachable(f"{self.where}: the release {release} is there already.")

    def run(self, release: str, command: Command, log: Callable[[bytes], object]) -> None:
        """Run a command in the folder of a release; see `Target.run`.

        What it leaves running in its own process group is killed when it ends. A daemon, which
        leaves that group, is not found: a shell can do no more.
        """
        place = remote_command.IN_RELEASE + remote_command.OF_US
        self._shell.run(place, command, log, release=self._named(release), leftovers="end")

    def complete(self, release: str) -> None:
        """Link what is shared, and move a release to the complete ones; see `Target.complete`."""
        words = [word for name in self._shared for word in (name, _way_to_shared(name))]
        status, name = self._shell.step(
            "a release was completed",
            remote.COMPLETE,
            words=words,
            seconds=LONG,
            release=self._named(release),
        )
        if status == remote.OWN:
            raise Unshippable(
                f"{shown(name)} is shared by all releases, but this one has its own;"
                " nothing became current: take it out of the commit, or out of `shared`."
            )

    def switch(self, release: str) -> None:
        """Make a complete release current; see `Target.switch`."""
        self.current()  # what no deploy has made is not replaced
        self._shell.step("`current` was switched", remote.SWITCH, release=self._named(release))

    def restart(self) -> None:
        """Let the host start the service from `current`; what that command leaves running stays."""
        place = remote_command.IN_CURRENT + remote_command.OF_THE_HOST
        self._shell.run(place, self._restart, _ignore, leftovers="stay")

    def stop(self) -> None:
        """Let the host stop the service.

        Raises:
            CommandFailed: No command to stop it is known, or it failed.
        """
        if self._stop is None:
            raise CommandFailed(
                f"{self.where}: no command to stop the service is known, so it was left running:"
                " write `stop` in deploy.toml."
            )
        place = remote_command.IN_CURRENT_IF_ANY + remote_command.OF_THE_HOST
        self._shell.run(place, self._stop, _ignore, leftovers="stay")

    def sweep(self, *, keep: int, protect: Collection[str] = ()) -> Sequence[str]:
        """Remove what is unfinished and the oldest releases; return their names."""
        complete = self.releases()
        stay = {self.current(), *protect, *complete[max(0, len(complete) - keep) :]}
        old = [name for name in complete if name not in stay]
        _, found = self._shell.step(
            "old releases were removed", remote.SWEEP, words=old, seconds=LONG
        )
        names = sorted(os.fsdecode(found).split("\0"))
        unfinished = [name for name in names if name.startswith(UNFINISHED)]
        return [*(name.removeprefix(UNFINISHED) for name in unfinished), *old]

    def append(self, line: str) -> None:
        """Add one line to the journal; see `Target.append`."""
        if "\n" in line:
            raise ValueError("one line has no line break in it")
        self._shell.step("the journal was written", remote.APPEND, line=line)

    def history(self) -> Sequence[str]:
        """Return the lines of the journal; see `Target.history`."""
        content = self._shell.look("the journal was read", remote.HISTORY)
        return [line.decode("utf-8", "replace") for line in content.split(b"\n")[:-1]]

    def current(self) -> str:
        """Return the name of the current release; see `Target.current`."""
        found = self._shell.look("`current` was looked at", remote.CURRENT)
        if not found:
            return ""
        kind, _, target = found.partition(b" ")
        above, _, name = os.fsdecode(target).rpartition("/")
        match kind:
            case b"link" if above == "releases" and is_release(name):
                return name
            case b"link":
                what = f"leads to {shown(target)}, which is none of its releases"
            case b"nowhere":
                what = f"leads to {shown(target)}, which is not there"
            case _:
                what = "is no link"
        raise Unreachable(
            f"{self.where}: `current` {what}, so no deploy has made it; nothing was touched:"
            " move it away, then deploy again."
        )

    def releases(self) -> Sequence[str]:
        """Return the names of the complete releases; see `Target.releases`."""
        found = self._shell.look("its releases were looked at", remote.RELEASES)
        return sorted(name for name in os.fsdecode(found).split("\0") if is_release(name))

    def service(self) -> str:
        """Say what can be known from here: the host starts and stops the service, not we."""
        return "is run by the host; its health and its log say how it does"

    def service_log(self, lines: int) -> str:
        """Return the last lines that the service has printed, as the host's command shows them."""
        if self._logs is None:
            return "No command shows the service's log: write `logs` in deploy.toml."
        kept = bytearray()

        def keep(piece: bytes) -> None:
            kept.extend(piece)
            del kept[:-MOST_OF_LOG]

        self._shell.peek(
            remote_command.IN_CURRENT_IF_ANY + remote_command.OF_THE_HOST, self._logs, keep
        )
        return "\n".join(readable(bytes(kept)).rstrip("\n").split("\n")[-lines:])

    def _named(self, release: str) -> str:
        if not is_release(release):
            raise Unreachable(f"{self.where}: {shown(release)} is no name of a release.")
        return release

    def close(self) -> None:
        """Hang up; it is dialled again when something is asked."""
        self._host.close()


def _way_to_shared(name: str) -> str:
    """Return where a shared path's link leads, from where it lies in a release.

    >>> _way_to_shared("var/data")
    '../../../shared/var/data'
    """
    return "../" * (name.count("/") + 2) + f"shared/{name}"


def _ignore(_: bytes) -> None:
    """Nobody asked what a restart prints; when it fails, the error quotes the end of it."""
