"""Which changed files deserve a careful look, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..model import Diff, FileChange, Range
from .diff_lines import Place, places
from .file_kinds import kinds_of
from .secret_search import Search, search

CRITICAL = frozenset({"migration", "dependencies", "deploy"})
_NAMED = 10  # so many are named in a sentence, the others are counted
_BECOMES = {"added": "comes", "deleted": "goes away", "modified": "changes", "retyped": "changes"}
_ORDER = ("secret", "migration", "deploy", "dependencies", "configuration")
_HEADINGS = {
    "secret": "Looks like a secret",
    "migration": "Database migrations",
    "deploy": "The pipeline's own file",
    "dependencies": "Dependencies",
    "configuration": "Configuration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """One reason to look at one file.

    Attributes:
        path: As text, as in `FileChange`.
        kind: "secret", "migration", "deploy", "dependencies", "configuration", or a word of the
            operator's own.
        why: A few words; never a secret.
        line: In the new file, from 1; 0 when it is about the whole file.
    """

    path: str
    kind: str
    why: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What in a range deserves a careful look.

    Attributes:
        files: Secrets first, then by how much they can break, then as in the range.
        problems: What could not be looked at, one sentence each.
    """

    files: tuple[Noticed, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that there are at least once."""
        return frozenset(noticed.kind for noticed in self.files)

    @property
    def is_critical(self) -> bool:
        """Whether migrations, dependencies or the pipeline's own file are among them."""
        return not self.kinds.isdisjoint(CRITICAL)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence for each kind, then what could not be looked at."""
        return (*_sentences(self.files), *self.problems)


def attention(
    range_: Range, diff: Diff, rules: Mapping[str, Sequence[str]] | None = None
) -> Attention:
    """Look through a range for what can break more than code.

    Args:
        range_: Its paths are looked at.
        diff: Its added lines are searched for secrets; best the whole of it.
        rules: The operator's globs by kind, on top of those that are known.
    """
    lines = diff.text.split("\n")
    home = list(places(lines))
    found = search(diff.text, home)
    noticed = [*_secrets(found, home), *_by_name(range_.files, rules or {})]
    noticed.sort(key=lambda one: _ORDER.index(one.kind) if one.kind in _ORDER else len(_ORDER))
    problems = (*_cut(diff), *_not_text(range_.files), *_not_searched(found, home))
    return Attention(files=tuple(noticed), problems=problems)


def _secrets(found: Search, home: Sequence[Place]) -> Iterator[Noticed]:
    """Yield each added line with what it seems to hold, each kind once."""
    by_line: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for suspect in found.suspects:
        if home[suspect.index].number:
            by_line[suspect.index][suspect.kind] = None
    for index, kinds in by_line.items():
        path, number, _ = home[index]
        yield Noticed(
            path=path, kind="secret", why=f"line {number}: {', '.join(kinds)}", line=number
        )


def _by_name(files: Sequence[FileChange], rules: Mapping[str, Sequence[str]]) -> Iterator[Noticed]:
    for index, kind in kinds_of([file.path for file in files], rules):
        yield Noticed(path=files[index].path, kind=kind, why=_BECOMES[files[index].kind])


def _cut(diff: Diff) -> Iterator[str]:
    if not diff.is_whole:
        size = len(diff.text.encode(errors="surrogateescape"))
        yield f"Only {size:,} of the diff's {diff.size:,} bytes were searched for secrets."


def _not_text(files: Iterable[FileChange]) -> Iterator[str]:
    paths = [file.path for file in files if file.added is None and file.kind != "deleted"]
    if paths:
        yield f"Not searched for secrets, as git sees no text in it: {_listed(paths)}."


def _not_searched(found: Search, home: Sequence[Place]) -> Iterator[str]:
    left = [_spot(home[index]) for index in found.unsearched if home[index].number]
    if left:
        yield f"Not searched for secrets, as it is too long or too much: {_listed(left)}."
    failed = [f"{_spot(home[at])} ({kind})" for at, kind in found.failed if home[at].number]
    if failed:
        yield f"The search for secrets failed: {_listed(failed)}."


def _sentences(files: Iterable[Noticed]) -> Iterator[str]:
    by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for one in files:
        by_kind[one.kind].append(f"{one.path} ({one.why})")
    for kind, found in by_kind.items():
        yield f"{_HEADINGS.get(kind, kind)}: {_listed(found)}."


def _spot(home: Place) -> str:
    return f"{home.path} line {home.number}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
