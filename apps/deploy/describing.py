"""A move from one commit to another in words, facts and tables, for whoever has to decide it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .attention import Attention
from .attention.secret_search import masked_text
from .model import Commit, Diff, FileChange, Range

MOST_COMMITS = 50
MOST_FILES = 50
SHORT = 10  # hexadecimal digits by which people know a commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table as text; `title` says which rows it has."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def summary(move: Range, environment: str) -> str:
    """Say in one line what would happen."""
    to = move.target[:SHORT]
    if not move.live:
        return f"brings {to} to {environment}, the first release there"
    if not move.added and move.removed:
        away = counted(len(move.removed), "commit")
        return f"takes {environment} back from {move.live[:SHORT]} to {to}: {away} go away"
    news = counted(len(move.added), "commit")
    gone = f", and {counted(len(move.removed), 'commit')} go away" if move.removed else ""
    return f"brings {environment} from {move.live[:SHORT]} to {to}: {news} more{gone}"


def counted(number: int, thing: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "commit"), counted(2_000, "file")
    ('1 commit', '2,000 files')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def stat(files: Sequence[FileChange]) -> str:
    """Return how much changes, in one line."""
    added = sum(file.added or 0 for file in files)
    removed = sum(file.removed or 0 for file in files)
    return f"{counted(len(files), 'file')}, {added:,} lines come, {removed:,} go"


def tables(move: Range, attention: Attention) -> Iterator[Rows]:
    """Yield what deserves attention first, then commits that come and go, then files."""
    if attention.files:
        noticed = tuple((one.path, one.kind, one.why) for one in attention.files)
        yield Rows(title="look at these", columns=("file", "kind", "why"), rows=noticed)
    for title, commits in (("commits that come", move.added), ("that go away", move.removed)):
        if commits:
            yield _commits(title, commits)
    if move.files:
        yield _files(move.files)


def warnings(move: Range, diff: Diff, attention: Attention) -> Iterator[str]:
    """Yield what a careful colleague would point out."""
    if move.removed:
        away = counted(len(move.removed), "commit")
        yield f"This takes away {away} that {'is' if len(move.removed) == 1 else 'are'} live now."
    yield from attention.problems
    yield from move.problems
    if not diff.is_whole:
        range_ = f"{move.live[:SHORT]} {move.target[:SHORT]}" if move.live else move.target[:SHORT]
        yield (
            f"The diff has {diff.size:,} bytes, and only the beginning is shown here."
            f" All of it: python -m apps.deploy diff {range_}"
        )


def subject(commit: Commit) -> str:
    """Return the first line of a commit's message; what looks like a secret is masked."""
    return masked_text(commit.subject)


def _commits(title: str, commits: Sequence[Commit]) -> Rows:
    shown = commits[:MOST_COMMITS]
    more = f"the newest {len(shown)} of {len(commits):,}" if len(shown) < len(commits) else ""
    rows = tuple((c.sha[:SHORT], f"{c.at:%Y-%m-%d %H:%M}", c.author, subject(c)) for c in shown)
    name = f"{title} ({more or len(commits)})"
    return Rows(title=name, columns=("commit", "when (UTC)", "author", "subject"), rows=rows)


def _files(files: Sequence[FileChange]) -> Rows:
    shown = files[:MOST_FILES]
    more = f"the first {len(shown)} of {len(files):,}" if len(shown) < len(files) else ""
    rows = tuple((f.path, f.kind, _lines(f.added), _lines(f.removed)) for f in shown)
    name = f"files that change ({more or len(files)})"
    return Rows(title=name, columns=("file", "what", "lines come", "lines go"), rows=rows)


def _lines(number: int | None) -> str:
    return "no text" if number is None else str(number)
