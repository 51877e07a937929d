"""What has happened in an environment, and what follows from it.

The journal lies in the environment itself, one line of JSON per event. A line is written when its
step is done, so a deploy that is cut off between two steps leaves a journal that claims too little
and never too much.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from ..model import SHA, sha_of

Kind: TypeAlias = Literal[
    "began",  # somebody holds the environment and makes a release, or goes back to one
    "tested",  # the test command ended with 0 in this very release
    "completed",  # it lies among the complete ones
    "switched",  # it is current
    "healthy",  # and its service answers
    "unhealthy",  # and its service does not
    "returned",  # it is current again, in place of the one that the note names
    "failed",  # it did not come to a switch; the note says at which stage
    "task",  # the note says which, and how it went
]
KINDS: frozenset[str] = frozenset(get_args(Kind))
MOST_NOTED = 500  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the journal.

    Attributes:
        at: UTC.
        release: Name of the release that it happened to.
        by: Who deploys.
        note: A few words, whatever they say.
    """

    kind: Kind
    at: datetime
    release: str
    by: str
    note: str = ""

    @property
    def commit(self) -> str:
        """All hexadecimal digits of the commit."""
        return sha_of(self.release)


def written(event: Event) -> str:
    """Return an event as a line, without its end."""
    said = asdict(event) | {"at": event.at.astimezone(UTC).isoformat(), "commit": event.commit}
    said["note"] = event.note[:MOST_NOTED]
    return json.dumps(said, separators=(",", ":"))


def events(lines: Iterable[str]) -> tuple[Event, ...]:
    """Read a journal, oldest first; a line that nobody wrote so is passed over."""
    return tuple(event for line in lines if (event := _read(line)) is not None)


def _read(line: str) -> Event | None:
    try:
        said = json.loads(line)
        release, commit = str(said["release"]), str(said["commit"])
        at = datetime.fromisoformat(said["at"])
        kind = said["kind"]
        if kind not in KINDS or commit != sha_of(release) or len(commit) != SHA or not at.tzinfo:
            return None
        by, note = str(said["by"]), str(said.get("note", ""))
        return Event(kind=kind, at=at.astimezone(UTC), release=release, by=by, note=note)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def verdicts(journal: Sequence[Event]) -> dict[str, Event]:
    """Return what was last found out about each release: the event, oldest first.

    It is `healthy`, `unhealthy`, or the `returned` by which somebody left it for another.
    """
    found: dict[str, Event] = {}
    for event in journal:
        if event.kind == "returned":
            found.pop(event.note, None)
            found[event.note] = event
        elif event.kind in {"healthy", "unhealthy"}:
            found.pop(event.release, None)
            found[event.release] = event
    return found


def trusted(journal: Sequence[Event]) -> tuple[str, ...]:
    """Return the releases that were healthy when last looked at, the newest look last.

    One that somebody has gone back from is not among them: two bad releases are never each
    other's way back.
    """
    return tuple(name for name, event in verdicts(journal).items() if event.kind == "healthy")


def way_back(journal: Sequence[Event], *, current: str, complete: Collection[str]) -> str:
    """Return the last trusted release that is still there, other than the current one; or none."""
    names = [name for name in trusted(journal) if name != current and name in complete]
    return names[-1] if names else ""


def is_healthy(journal: Sequence[Event], release: str) -> bool:
    """Tell whether the last word on a release is a good one."""
    return release in trusted(journal)


def live_since(journal: Sequence[Event], release: str) -> datetime | None:
    """Return when a release became current the last time."""
    return next((e.at for e in reversed(journal) if _became(e, release)), None)


def _became(event: Event, release: str) -> bool:
    return event.kind == "switched" and event.release == release


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A commit has been healthy in an environment.

    Attributes:
        release: The one that was, last.
        tested_at: When its tests passed there; `None` when there is no test command.
        healthy_from: When its service answered first.
        healthy_until: When it made room for another; `None` while it is current.
    """

    environment: str
    release: str
    tested_at: datetime | None
    healthy_from: datetime
    healthy_until: datetime | None

    @property
    def is_live(self) -> bool:
        """Whether it is current there."""
        return self.healthy_until is None


def proof(journal: Sequence[Event], sha: str, environment: str, current: str) -> Proof | None:
    """Return how a commit has done; `None` unless the last word on it is that it was healthy.

    Somebody who has gone back from it has had the last word; it may be deployed there again.

    Args:
        current: Name of the release that is current there.
    """
    words = [(name, event) for name, event in verdicts(journal).items() if sha_of(name) == sha]
    if not words or words[-1][1].kind != "healthy":
        return None
    release = words[-1][0]
    stint = journal[_last_switch(journal, release) :]
    since = next(e.at for e in stint if e.kind == "healthy" and e.release == release)
    tested = [e.at for e in journal if e.kind == "tested" and e.release == release]
    left = (e.at for e in stint if e.kind == "switched" and e.release != release)
    return Proof(
        environment=environment,
        release=release,
        tested_at=tested[-1] if tested else None,
        healthy_from=since,
        healthy_until=None if release == current else next(left, journal[-1].at),
    )


def _last_switch(journal: Sequence[Event], release: str) -> int:
    """Return where a release became current for the last time that it was found healthy."""
    healthy = max(n for n, e in enumerate(journal) if e.kind == "healthy" and e.release == release)
    return max((n for n in range(healthy) if _became(journal[n], release)), default=0)
