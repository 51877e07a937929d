"""A host that runs scripts for us: what it answers, and in a sentence why it does not."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from ..errors import Unreachable
from ..local.printed import readable
from . import remote
from .channel import Channel, ChannelLost
from .connection import Connection
from .reaching import Address

WIDEST = 300  # characters of what a host said
REASONS = {
    "No space left on device": "the disk is full",
    "Wrote only": "the disk is full",  # so says tar
    "File too large": "a file would be larger than it may be",
    "Disk quota exceeded": "the disk quota is used up",
    "Read-only file system": "the file system can only be read",
}


class Host:
    """A folder on a host, and the connection to it.

    Attributes:
        where: Host and folder, for people.
        folder: As scripts name it.
    """

    def __init__(self, address: Address, folder: str) -> None:
        self.where = f"{address.text}:{folder}"
        self.folder = folder if folder.startswith("/") else f"./{folder.removeprefix('~/')}"
        self._seconds = address.seconds
        greeting = remote.script(remote.CHECK)
        self._connection = Connection(address, greeting=greeting, greet=self._greeted)

    def start(self, given: bytes, *, beat: float = 0.0) -> Channel:
        """Start a script; see `Connection.start`."""
        return self._connection.start(given, beat=beat)

    def ask(
        self,
        doing: str,
        given: bytes,
        *,
        read: Iterable[bytes] = (),
        seconds: float,
    ) -> tuple[int, bytes]:
        """Run a script to its end; return its status and what it printed.

        Args:
            doing: What is being done, as it follows "while".
            read: What the script finds on its standard input.

        Raises:
            Unreachable: It failed with a status that `remote` does not name, or its end is not
                known.
        """
        got = bytearray()
        try:
            with self.start(given) as channel:
                try:
                    for piece in read:
                        if not channel.send(piece):
                            break  # it has ended, and will say why
                except Exception:
                    self._settle(channel)
                    raise
                channel.end_input()
                status = channel.wait(got.extend, seconds=seconds)
        except ChannelLost:
            raise self.cut_off(doing) from None
        except TimeoutError:
            raise Unreachable(
                f"{self.where}: while {doing}, the host stopped answering, so it is not known"
                " whether that was done; nothing half-made became current: look at what is live"
                " there before you go on."
            ) from None
        self.look_at(doing, status, channel.said)
        return status, bytes(got)

    def _settle(self, channel: Channel) -> None:
        """Let a script that will not get all it reads come to its end."""
        channel.end_input()
        with suppress(ChannelLost, TimeoutError):
            channel.wait(lambda _: None, seconds=self._seconds)

    def look_at(self, doing: str, status: int, said: bytes) -> None:
        """Raise what a script's end means, unless it is for the caller to say."""
        if status in {0, remote.NOT_THERE, remote.TAKEN, remote.STILL_BUSY, remote.OWN}:
            return
        if status == remote.NOT_OURS:
            raise self.lost_lock()
        text = readable(said).strip()
        first = text.split("\n")[0][:WIDEST] or f"a script ended with {status}"
        reason = next((ours for theirs, ours in REASONS.items() if theirs in text), first)
        raise Unreachable(
            f"{self.where}: while {doing}, {reason}; nothing half-made became current."
        )

    def lost_lock(self) -> Unreachable:
        """Say that a deploy must not go on."""
        return Unreachable(
            f"{self.where}: the lock was lost, so somebody else may deploy there now; this deploy"
            " did nothing more: look at what is live before you go on."
        )

    def cut_off(self, doing: str) -> Unreachable:
        """Say that the connection ended in the middle of something."""
        return Unreachable(
            f"{self.where}: while {doing}, the connection was lost, so it is not known whether that"
            " was done; nothing half-made became current: look at what is live there before you"
            " go on."
        )

    def _greeted(self, channel: Channel) -> None:
        """Make sure that scripts can do what they need here."""
        got = bytearray()
        try:
            channel.wait(got.extend, seconds=self._seconds)
        except TimeoutError:
            raise Unreachable(
                f"{self.where}: the host let us in, but its shell does not answer; nothing was"
                " changed there."
            ) from None
        said, *missing = readable(bytes(got)).split("\n")
        if said != remote.HELLO:
            noise = (said or readable(channel.said).strip().split("\n")[0])[:WIDEST]
            raise Unreachable(
                f"{self.where}: the host's shell says {noise!r} instead of doing what it is told;"
                " nothing was changed there: see to the user's shell and its startup files."
            )
        if missing := [word for word in missing if word]:
            raise Unreachable(
                f"{self.where}: a deploy needs what this host does not have:"
                f" {', '.join(missing)}; nothing was changed there."
            )

    def close(self) -> None:
        """Hang up; it is dialled again when something is asked."""
        self._connection.close()
