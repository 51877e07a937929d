"""The nouns of a release pipeline, and what a place to deploy to can do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

SHA = 40  # hexadecimal digits of a commit
STAMP = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit, as git's object has it.

    Attributes:
        sha: All 40 hexadecimal digits, in lower case.
        author: Name of the author; bytes that are no UTF-8 are replaced.
        at: When it was committed, UTC.
        subject: First line of its message.
    """

    sha: str
    author: str
    at: datetime
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    r"""What happens to one path between two commits.

    Attributes:
        path: As text; bytes that are no UTF-8 are written as `\xNN`.
        kind: What happens to it; a changed mode is `"modified"`, a file that becomes a link
            `"retyped"`.
        added: Lines that come; `None` where git sees no text.
        removed: Lines that go; `None` where git sees no text.
    """

    path: str
    kind: Literal["added", "deleted", "modified", "retyped"]
    added: int | None = None
    removed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a move from one commit to another brings, and what it takes away.

    Attributes:
        live: The commit that is live now; empty when there is none.
        target: The commit that would be.
        added: Commits that come, newest first.
        removed: Commits that go away, newest first: a downgrade has them.
        files: Every path that changes, in the order of git's tree.
        problems: What cannot be known or deserves a word, one sentence each: a history that is
            cut off, files that are only pointers to Git LFS, a submodule.
    """

    live: str
    target: str
    added: tuple[Commit, ...] = ()
    removed: tuple[Commit, ...] = ()
    files: tuple[FileChange, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """A difference as text.

    Attributes:
        text: Unified diff, cut at a whole line when it is longer than was asked for.
        size: Bytes of the whole.
        is_whole: Whether `text` is all of it.
    """

    text: str
    size: int
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a commit's tree.

    Attributes:
        path: Relative, with `/` between parts, never `..`, `.` or `.git` among them.
        mode: `"100644"`, `"100755"`, or `"120000"` for a symbolic link.
        oid: The object that holds its bytes; of a link, where it points.
    """

    path: bytes
    mode: Literal["100644", "100755", "120000"]
    oid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Words to run without a shell, in a release's folder.

    Attributes:
        env: All it finds in its environment beside `PATH`, `HOME` and `LANG`.
        seconds: After that it is killed, with everything it has started.
    """

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 600.0


def release_name(sha: str, now: datetime) -> str:
    """Return the name of a release: when it was made, and of which commit.

    >>> release_name("a" * 40, datetime(2026, 11, 23, 9, 30, tzinfo=UTC))[:30]
    '20261123T093000000000-aaaaaaaa'
    """
    return f"{now.astimezone(UTC).strftime(STAMP)}-{sha}"


def sha_of(release: str) -> str:
    """Return the commit of a release."""
    return release.rpartition("-")[2]


class Target(Protocol):
    """The place of one environment: where its releases lie and its service runs.

    It has Capistrano's layout: `releases/NAME/`, `shared/`, and `current`, a symbolic link to one
    of the releases. A release is complete or it is not in `releases/` at all.

    Everything but `locked` and the looks (`current`, `releases`, `history`, `service`,
    `service_log`) is called while the lock is held. All of it may raise `Unreachable`.
    """

    @property
    def where(self) -> str:
        """Where it is, for people: a folder, or a host and a folder."""
        ...

    def locked(self, who: str) -> AbstractContextManager[None]:
        """Hold the environment; ends with the process, however that ends.

        Raises:
            Busy: Somebody holds it; the sentence says who and since when.
        """
        ...

    def begin(self, release: str, files: Iterable[tuple[Entry, bytes]]) -> None:
        """Write a release that is not complete yet, byte for byte.

        Raises:
            Unshippable: A link would lead out of the release.
        """
        ...

    def run(self, release: str, command: Command, log: Callable[[bytes], object]) -> None:
        """Run a command in the folder of a release, complete or not, and hand on what it prints.

        Raises:
            CommandFailed: It did not end with 0 in time.
        """
        ...

    def complete(self, release: str) -> None:
        """Link what is shared into a release, and move it to the complete ones in one step."""
        ...

    def switch(self, release: str) -> None:
        """Make a complete release current, in one step that nobody can see half of."""
        ...

    def restart(self) -> None:
        """Start the service from `current`, in place of what runs."""
        ...

    def stop(self) -> None:
        """Stop the service."""
        ...

    def sweep(self, *, keep: int, protect: Collection[str] = ()) -> Sequence[str]:
        """Remove unfinished releases and all but the newest `keep`; return their names.

        `current` and what is protected always stay.
        """
        ...

    def append(self, line: str) -> None:
        """Add one line to the journal; it is on disk when this returns."""
        ...

    def history(self) -> Sequence[str]:
        """Return the lines of the journal, oldest first; a torn last line is left out."""
        ...

    def current(self) -> str:
        """Return the name of the current release; empty when there is none."""
        ...

    def releases(self) -> Sequence[str]:
        """Return the names of the complete releases, oldest first."""
        ...

    def service(self) -> str:
        """Say whether the service runs, in a few words."""
        ...

    def service_log(self, lines: int) -> str:
        """Return the last lines that the service has printed."""
        ...
