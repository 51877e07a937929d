"""What the agent reads: what runs where, what would change, what was printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from .describing import SHORT, stat, summary, tables, warnings
from .errors import DeployError
from .known import Known
from .looking import Look
from .pipeline.place import Place
from .pipeline.plain import last_lines, lines_of, table
from .repository import Repository

NEWEST = 5  # commits that have a name
LINES_OF_A_STAGE = 15
LINES_OF_THE_SERVICE = 40
COLUMNS = ("environment", "live", "since (UTC)", "service", "health", "newer")


def status(places: Sequence[Place], repository: Repository, known: Known) -> str:
    """Return what runs where, and what is new."""
    rows: list[tuple[str, ...]] = []
    problems: list[str] = []
    for place in places:
        try:
            rows.append(_row(place, known))
        except DeployError as error:
            rows.append((place.name, "?", "", "cannot be looked at", "", ""))
            problems.append(f"{place.name}: {error}")
    named: dict[str, list[str]] = {}
    for name, sha in repository.refs():
        named.setdefault(sha, []).append(name)
    newest = [_named(repository, sha, names) for sha, names in list(named.items())[:NEWEST]]
    columns = ("newest", "commit", "when (UTC)", "author", "subject")
    return "\n\n".join([table(COLUMNS, rows), *problems, table(columns, newest)])


def _row(place: Place, known: Known) -> tuple[str, ...]:
    service = place.target.service()
    now = place.live()
    if now is None:
        return (place.name, "nothing", "", service, "", "")
    health = place.why_not_healthy() or "healthy"
    if now.verdict != "healthy":
        health += f" ({now.verdict} when it was deployed)"
    since = when(now.since) if now.since else "?"
    return (place.name, known.called(now.release), since, service, health, known.newer(now.sha))


def _named(repository: Repository, sha: str, names: Sequence[str]) -> tuple[str, ...]:
    commit = repository.commit(sha)
    subject = commit.subject if len(commit.subject) <= 60 else f"{commit.subject[:57]}..."
    return (", ".join(names[:3]), sha[:SHORT], when(commit.at), commit.author, subject)


def when(instant: datetime) -> str:
    """Write an instant in UTC, to the minute."""
    return f"{instant:%Y-%m-%d %H:%M}"


def changes(look: Look, environment: str) -> str:
    """Return what a move would bring and take away, without its lines."""
    move = look.move
    said = f"This {summary(move, environment)}; {stat(move.files)}."
    shown = [
        f"\n{rows.title}:\n{table(rows.columns, rows.rows)}"
        for rows in tables(move, look.attention)
    ]
    return "\n".join([said, *warnings(move, look.diff, look.attention), *shown])


def logs(place: Place, *, called: Callable[[str], str]) -> str:
    """Return the ends of what the last deploy and the service have printed."""
    begun = [event for event in place.journal() if event.kind == "began"]
    parts: list[str] = []
    if begun:
        last = begun[-1]
        parts.append(f"Last in {place.name}: {called(last.release)}, begun {when(last.at)} UTC.")
        parts += _stages(place.logs / last.release)
    text = place.target.service_log(LINES_OF_THE_SERVICE)
    lines = lines_of(text.encode("utf-8", "replace"), LINES_OF_THE_SERVICE)
    service = place.target.service()
    parts.append(f"service ({service}):" if lines else f"service ({service}): it printed nothing.")
    parts += [f"  {line}" for line in lines]
    return "\n".join(parts)


def _stages(folder: Path) -> Iterator[str]:
    """Yield the end of each log below a folder, in the order in which they were begun."""
    found = sorted(folder.glob("**/*.log"), key=lambda path: path.stat().st_mtime_ns)
    for path in found:
        if lines := last_lines(path, LINES_OF_A_STAGE):
            yield f"{path.relative_to(folder).with_suffix('')}:"
            yield from (f"  {line}" for line in lines)
