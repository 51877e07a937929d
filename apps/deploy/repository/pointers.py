"""Files that are only pointers to somewhere else: Git LFS, and submodules."""

from __future__ import annotations

from collections.abc import Sequence

from .objects import kinds, objects
from .plumbing import Git
from .trees import Leaf
from .wording import some

_LONGEST = 1024  # a pointer is shorter, by the specification of Git LFS
_BEGINNINGS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/")


def pointer_problems(git: Git, leaves: Sequence[Leaf]) -> list[str]:
    """Say which files do not hold what they stand for."""
    problems: list[str] = []
    if elsewhere := [leaf.path for leaf in leaves if leaf.mode == "160000"]:
        problems.append(
            f"{some(elsewhere)}: a submodule, whose files are in another repository; a commit with"
            " one cannot be shipped."
        )
    if pointers := lfs_pointers(git, leaves):
        problems.append(
            f"{some(pointers)}: only a pointer to Git LFS; the pointer is what would be shipped."
        )
    return problems


def lfs_pointers(git: Git, leaves: Sequence[Leaf]) -> list[bytes]:
    """Return the paths of files that are pointers to Git LFS."""
    files = [leaf for leaf in leaves if leaf.mode in {"100644", "100755"}]
    found = kinds(git, list(dict.fromkeys(leaf.oid for leaf in files))) if files else []
    shortest = len(_BEGINNINGS[0])
    small = [kind.oid for kind in found if kind and shortest < kind.size < _LONGEST]
    with objects(git) as source:
        pointers = {kind.oid for kind, raw in source.read(small) if raw.startswith(_BEGINNINGS)}
    return [leaf.path for leaf in files if leaf.oid in pointers]
