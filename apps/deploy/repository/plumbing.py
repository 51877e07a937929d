"""Run git's plumbing in a sealed room: whatever a repository says, nothing but git itself runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from threading import Event, Thread, Timer
from typing import IO, Any

from ..errors import RepositoryError

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git knows it without having it
SECONDS = 120.0
MOST_OUTPUT = 256 * 1024**2
_MOST_SAID = 64 * 1024
_PIECE = 256 * 1024

# Said once more on the command line, where nothing that a repository contains can take it back.
_SETTINGS = {
    "core.commitGraph": "false",  # a second account of who descends from whom, by anybody
    "core.useReplaceRefs": "false",
    "core.quotePath": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "credential.helper": "",
}


class GitFailed(RepositoryError):
    """Git ended with an error.

    Attributes:
        status: What it ended with.
        said: The first line it printed about that; empty when there is none.
    """

    def __init__(self, word: str, status: int, said: str) -> None:
        super().__init__(f"git {word} failed: {said or f'it ended with {status}'}.")
        self.status, self.said = status, said


class Git:
    """Git's commands on one git directory, which has to be our own: its config is obeyed.

    The environment is made from nothing, so no `GIT_…` of ours gets in. Each command is a process
    of its own: threads do not meet.

    Args:
        folder: The git directory.
        protocols: By what a repository elsewhere may be reached.
        passed: What else the commands find in their environment.
    """

    def __init__(
        self, folder: Path, *, protocols: str = "none", passed: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self._git = _gitpython(folder)
        sealed = _sealed(folder, protocols) | dict(passed or {})
        settings = [word for pair in _SETTINGS.items() for word in ("-c", "=".join(pair))]
        # GitPython adds to the environment that there is and cannot take from it; `env -i` can.
        self._start = ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in sealed.items())]
        self._start += [self._git.GIT_PYTHON_GIT_EXECUTABLE or "git", "--no-pager", *settings]

    def read(
        self, *words: str, given: bytes = b"", seconds: float = SECONDS, most: int = MOST_OUTPUT
    ) -> bytes:
        """Run a command to its end and return what it printed.

        Raises:
            GitFailed: It ended with an error.
            RepositoryError: It took too long, or printed more than `most` bytes.
        """
        with _file(given) as file, self.started(*words, stdin=file, seconds=seconds) as output:
            printed = output.read(most + 1)
            if len(printed) > most:
                raise RepositoryError(f"git {words[0]} prints more than {most:,} bytes.")
        return printed

    @contextmanager
    def started(
        self, *words: str, stdin: IO[bytes] | int | None = None, seconds: float = SECONDS
    ) -> Generator[IO[bytes]]:
        """Start a command and hand out what it prints; it has to end well when the block does.

        When the block is left by an exception the command is killed.
        """
        with self.talking(*words, stdin=stdin, seconds=seconds) as process:
            assert process.stdout is not None
            yield process.stdout

    @contextmanager
    def talking(
        self, *words: str, stdin: IO[bytes] | int | None = PIPE, seconds: float | None = None
    ) -> Generator[Popen[bytes]]:
        """Start a command that is asked and answers; it is gone when the block ends."""
        process = self._spawned(words, stdin)
        assert process.stdout is not None
        assert process.stderr is not None
        said, late = bytearray(), Event()

        def too_late() -> None:
            late.set()
            _kill(process)

        listener = Thread(target=_keep, args=(process.stderr, said), daemon=True)
        timer = Timer(seconds or 0, too_late)
        listener.start()
        if seconds is not None:
            timer.start()
        try:
            yield process
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            status = process.wait()
        except BrokenPipeError:
            status = process.wait()
            if not status:
                raise
        finally:
            _ended(process, timer, listener)
        if late.is_set():
            raise RepositoryError(f"git {words[0]} took longer than {seconds:g} seconds.")
        if status:
            raise GitFailed(words[0], status, _reason(bytes(said)))

    def _spawned(self, words: tuple[str, ...], stdin: IO[bytes] | int | None) -> Popen[bytes]:
        started: Any = self._git.execute(
            [*self._start, *words],
            istream=stdin,
            as_process=True,
            start_new_session=True,
        )
        process: Popen[bytes] = started.proc
        started.proc = None  # it would end the process as soon as nobody holds it
        return process


def _gitpython(folder: Path) -> Any:
    """Return GitPython's command interface for a folder."""
    try:
        import git
    except ImportError as error:
        raise RepositoryError(
            "Reading repositories takes git and GitPython; install git, and the extra:"
            " pip install 'gated-agents[deploy]'."
        ) from error
    return git.Git(str(folder))


def _sealed(folder: Path, protocols: str) -> dict[str, str]:
    """Return all that git finds in its environment."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_DIR": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ATTR_SOURCE": EMPTY_TREE,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DEFAULT_REF_FORMAT": "files",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": ":",
    }


def _file(given: bytes) -> IO[bytes]:
    """Return a nameless file with what a command is to read: unlike a pipe, it is never full."""
    try:
        file = TemporaryFile()  # noqa: SIM115 - the one who asked closes it
        file.write(given)
        file.seek(0)
    except OSError as error:
        raise RepositoryError(f"Nothing can be handed to git: {error.strerror}.") from error
    return file


def _keep(stream: IO[bytes], said: bytearray) -> None:
    """Read a stream to its end, so that nobody waits for it, and keep the beginning."""
    with suppress(ValueError):  # it was closed at the other end of the block
        while piece := stream.read(_PIECE):
            said.extend(piece[: _MOST_SAID - len(said)])


def _kill(process: Popen[bytes]) -> None:
    """End a process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _ended(process: Popen[bytes], timer: Timer, listener: Thread) -> None:
    """Leave nothing of a process behind, however its block ended."""
    timer.cancel()
    if process.poll() is None:
        _kill(process)
        process.wait()
    listener.join()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()


def _reason(said: bytes) -> str:
    """Return what an error came to, in characters that cannot harm whoever reads it."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    grave = [line for line in lines if not line.startswith(("hint:", "warning:", "Warning:"))]
    first = (grave or [""])[0].removeprefix("fatal: ").removeprefix("error: ")
    text = "".join(letter if letter.isprintable() else "?" for letter in first)
    return text.strip().rstrip(".")[:300]
