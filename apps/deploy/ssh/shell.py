"""Do the steps of a deploy on a host, each only while the lock is ours."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager

from ..errors import CommandFailed
from ..local.minded import GRACE, in_words
from ..local.printed import Printed
from ..model import Command
from . import remote, remote_command
from .channel import Channel, ChannelLost
from .far_lock import BEATS, PATIENCE, SECONDS, Holder, held
from .host import Host


class Shell:
    """The shell of a host, in the folder of one environment."""

    def __init__(self, host: Host, *, silence: float) -> None:
        """Name the host; nothing is opened yet.

        Args:
            silence: Seconds without a word of us after which the host ends our commands and lets
                go of the lock.
        """
        self._host = host
        self._silence = silence
        self._holder: Holder | None = None

    @contextmanager
    def locked(self, who: str) -> Generator[None]:
        """Hold the folder's lock; see `Target.locked`."""
        with held(self._host, who, silence=self._silence) as holder:
            self._holder = holder
            try:
                yield
            finally:
                self._holder = None

    def look(self, doing: str, part: str) -> bytes:
        """Return what a script prints that changes nothing; nothing where there is no folder yet.

        Args:
            doing: What is being done, as it follows "while".
        """
        given = remote.script(remote.LOOK, part, folder=self._host.folder)
        return self._host.ask(doing, given, seconds=SECONDS)[1]

    def step(
        self,
        doing: str,
        part: str,
        *,
        words: Sequence[str] = (),
        read: Iterable[bytes] = (),
        seconds: float = SECONDS,
        **named: str,
    ) -> tuple[int, bytes]:
        """Do one step of a deploy; return its status, if `part` has one of its own, and its words.

        Args:
            doing: What is being done, as it follows "while".
            read: What the script finds on its standard input.
            named: Variables that it finds.

        Raises:
            Unreachable: It could not be done; the sentence says what is known.
        """
        given = self._fenced(part, words=words, **named)
        return self._host.ask(doing, given, read=read, seconds=seconds)

    def _fenced(self, *parts: str, words: Sequence[str] = (), **named: str) -> bytes:
        """Return a script that does nothing unless the lock is ours when it runs."""
        holder = self._holder
        if holder is None:
            raise RuntimeError("a step of a deploy needs the lock: hold `locked` around it")
        if holder.channel.is_over:
            raise self._host.lost_lock()
        named |= {"folder": self._host.folder, "token": holder.token, "patience": f"{PATIENCE:g}"}
        return remote.script(remote.STEP, *parts, words=words, **named)

    def run(
        self, place: str, command: Command, log: Callable[[bytes], object], **named: str
    ) -> None:
        """Run a command as a step of a deploy; when this returns or raises, it has ended.

        Args:
            place: The script that goes where it runs.
            log: Gets what it prints, as it comes; an error of it ends the command.

        Raises:
            CommandFailed: It did not end with 0 in time.
        """
        named |= self._about(command)
        self._run(self._fenced(place, _put(command), remote_command.RUN, **named), command, log)

    def peek(self, place: str, command: Command, log: Callable[[bytes], object]) -> None:
        """Run a command that only looks; no lock is needed."""
        named = self._about(command) | {"folder": self._host.folder, "leftovers": "end"}
        given = remote.script(remote.LOOK, place, _put(command), remote_command.RUN, **named)
        self._run(given, command, log)

    def _about(self, command: Command) -> dict[str, str]:
        if not command.words or any("\0" in word for word in command.words):
            raise CommandFailed("There is no command to run; nothing was started.")
        return {
            "first": command.words[0],
            "path": command.env.get("PATH", ""),
            "silence": f"{self._silence:g}",
            "grace": f"{GRACE:g}",
        }

    def _run(self, given: bytes, command: Command, log: Callable[[bytes], object]) -> None:
        printed, doing = Printed(log), "a command ran"
        with self._host.start(given, beat=self._silence / BEATS) as channel:
            is_late, status = False, 0
            try:
                status = channel.wait(printed.take, seconds=command.seconds)
            except TimeoutError:
                is_late = True
                self._end(channel, command, printed)
            except ChannelLost:
                raise self._host.cut_off(doing) from None
        printed.close()
        how = "late" if is_late else remote_command.how(channel.said)
        if not how:
            self._host.look_at(doing, status, channel.said)
            raise CommandFailed(f"There is nothing on {self._host.where} to run a command in.")
        if how != "exit 0":
            raise CommandFailed(f"{in_words(command, how)}{printed.quoted()}")

    def _end(self, channel: Channel, command: Command, printed: Printed) -> None:
        """Let the host end a command, and wait until it has."""
        channel.end_input()
        try:
            channel.wait(printed.take, seconds=GRACE + PATIENCE)
        except TimeoutError:
            raise CommandFailed(f"{in_words(command, 'stuck')}{printed.quoted()}") from None
        except ChannelLost:
            raise self._host.cut_off("a command was ended") from None


def _put(command: Command) -> str:
    return remote_command.environment(command.env, command.words)
