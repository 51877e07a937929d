"""What a move from one commit to another brings and takes away: commits, files and lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import RepositoryError
from ..model import Diff, FileChange, Range
from .commits import read_commit
from .names import whole
from .objects import kinds, objects
from .plumbing import EMPTY_TREE, Git
from .pointers import pointer_problems
from .trees import Leaf, leaves, plain_mode
from .wording import text_of

MOST_COMMITS = 100_000
_SHORT = 10
_CUT_OFF = (
    "The history is cut off here (a shallow clone): commits before its end are not listed, and some"
    " that are listed may be live already."
)
_PIECE = 64 * 1024
# Each of these has a setting or an attribute that could make git show less than there is.
_PLAIN = (
    "-r --no-renames --no-ext-diff --no-textconv --no-color --no-relative --submodule=short"
    " --ignore-submodules=none --diff-algorithm=myers --indent-heuristic"
).split()
_PATCH = "--full-index --src-prefix=a/ --dst-prefix=b/ --unified=3 --inter-hunk-context=0".split()
_KINDS: dict[str, Literal["added", "deleted", "modified", "retyped"]] = {
    "A": "added",
    "D": "deleted",
    "M": "modified",
    "T": "retyped",
}


class Change(NamedTuple):
    """One line of git's raw difference; mode and object are those that come."""

    path: bytes
    kind: Literal["added", "deleted", "modified", "retyped"]
    mode: str
    oid: str

    def leaf(self) -> Leaf:
        """Return what stands there afterwards."""
        return Leaf(self.path, plain_mode(int(self.mode, 8), self.path), self.oid)


def between(git: Git, live: str, target: str) -> Range:
    """Return what moving from `live` to `target` does; from nothing when `live` is empty.

    A live commit that the repository no longer has is a problem, and then all of the target is
    shown as new: more than what changes, never less.
    """
    base, problems = _base(git, live, target)
    with objects(git) as source:
        leaves(source, target)  # before git counts the lines of a tree that nobody could write
    added, removed = _commits(git, base, target)
    if _is_cut_off(git, [*added, *removed]):
        problems.append(_CUT_OFF)
    changes, files = _files(git, base or EMPTY_TREE, target)
    coming = [one.leaf() for one in changes if one.kind != "deleted"]
    problems += pointer_problems(git, coming)
    for commits, word in ((added, "come"), (removed, "go away")):
        if len(commits) > MOST_COMMITS:
            problems.append(f"Of {len(commits):,} commits that {word} the newest are listed.")
    with objects(git) as source:
        listed = [
            tuple(read_commit(kind.oid, raw) for kind, raw in source.read(some[:MOST_COMMITS]))
            for some in (added, removed)
        ]
    return Range(
        live=live,
        target=target,
        added=listed[0],
        removed=listed[1],
        files=files,
        problems=tuple(problems),
    )


def diff(git: Git, live: str, target: str, *, most: int) -> Diff:
    r"""Return the unified diff, cut at a line when it has more than `most` bytes.

    Bytes that are no UTF-8 are written as `\xNN`. The part behind the cut is counted, not kept.
    """
    base, _ = _base(git, live, target)
    words = ["diff-tree", *_PLAIN, *_PATCH, base or EMPTY_TREE, target]
    kept, size = bytearray(), 0
    with git.started(*words) as output:
        while piece := output.read(_PIECE):
            kept += piece[: max(0, most - size)]
            size += len(piece)
    if size > most:
        del kept[kept.rfind(b"\n") + 1 :]
    return Diff(text=text_of(kept), size=size, is_whole=size <= most)


def _base(git: Git, live: str, target: str) -> tuple[str, list[str]]:
    """Return the commit to compare with, empty for none, and what is to be said about that."""
    whole(target)
    names = [target, whole(live)] if live else [target]
    found = [kind is not None and kind.what == "commit" for kind in kinds(git, names)]
    if not found[0]:
        raise RepositoryError(f"Commit {target} is not in the repository.")
    if all(found):
        return live, []
    gone = (
        f"What is live now, {live[:_SHORT]}, is no longer in the repository: what goes away cannot"
        f" be known, and all of {target[:_SHORT]} is shown as new."
    )
    return "", [gone]


def _commits(git: Git, base: str, target: str) -> tuple[list[str], list[str]]:
    """Return the commits that come and those that go, newest first."""
    what = ["--left-right", f"{base}...{target}"] if base else [target]
    printed = git.read("rev-list", "--date-order", *what, "--").decode("ascii").split()
    added = [line.lstrip(">") for line in printed if not line.startswith("<")]
    return added, [line[1:] for line in printed if line.startswith("<")]


def _is_cut_off(git: Git, commits: Sequence[str]) -> bool:
    """Whether the history ends where this repository ends, not where it began."""
    return not shallow_ends(git.folder).isdisjoint(commits)


def shallow_ends(folder: Path) -> frozenset[str]:
    """Return the commits whose parents were left behind when the repository was cloned."""
    file = folder / "shallow"
    return frozenset(file.read_text("ascii").split()) if file.is_file() else frozenset()


def _files(git: Git, base: str, target: str) -> tuple[list[Change], tuple[FileChange, ...]]:
    """Return the changes as git stores them, and with their lines counted."""
    words = ["diff-tree", "-z", "--raw", "--numstat", *_PLAIN, base, target]
    fields = git.read(*words).split(b"\0")
    changes: list[Change] = []
    at = 0
    while fields[at].startswith(b":"):
        _, mode, _, oid, letter = fields[at].decode("ascii").split(" ")
        changes.append(Change(fields[at + 1], _KINDS[letter], mode, oid))
        at += 2
    counted = tuple(_counted(changes, fields[at:-1]))
    return changes, counted


def _counted(changes: Sequence[Change], numbers: Sequence[bytes]) -> Iterator[FileChange]:
    # Git has been seen to leave names out without a word; a name without its count is no answer.
    if len(changes) != len(numbers):
        raise RepositoryError("git lists other files than it counts lines of; try again.")
    for change, line in zip(changes, numbers, strict=True):
        added, removed, path = line.split(b"\t", 2)
        if path != change.path:
            raise RepositoryError("git lists other files than it counts lines of; try again.")
        yield FileChange(
            path=text_of(path),
            kind=change.kind,
            added=None if added == b"-" else int(added),
            removed=None if removed == b"-" else int(removed),
        )
