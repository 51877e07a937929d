"""Find the one commit that a ref means, or say why there is none or more than one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import UnknownRef
from ..model import SHA
from .names import is_digits, is_fine, parsed
from .objects import kinds
from .plumbing import Git
from .wording import shown

_SHORT = 10
_HEADS, _TAGS, _REMOTES = "refs/heads/", "refs/tags/", "refs/remotes/"
_BRANCH = "ref: "


class Ref(NamedTuple):
    """A full name and what it points to, which may be missing."""

    name: str
    oid: str


def listed(git: Git, *patterns: str) -> list[Ref]:
    """Return refs below or equal to the patterns; no object is touched for that.

    Names that are no UTF-8 are left out: nobody can say them.
    """
    words = ["--format=%(refname) %(objectname)", *patterns]
    found: list[Ref] = []
    for line in git.read("for-each-ref", *words).splitlines():
        name, _, oid = line.rpartition(b" ")
        try:
            found.append(Ref(name.decode("utf-8"), oid.decode("ascii")))
        except UnicodeDecodeError:
            continue
    return found


def branches_and_tags(git: Git) -> list[Ref]:
    """Return what people name: each with its commit, those without a commit left out.

    A short name is kept where it means one commit, else the full name.
    """
    full = [ref for ref in commits_of(git, listed(git, _HEADS, _TAGS)) if is_fine(ref.name)]
    meant: dict[str, set[str]] = {}
    for name, sha in full:
        meant.setdefault(short(name), set()).add(sha)
    said = [short(name) for name, _ in full]
    plain = [len(meant[one]) == 1 and is_fine(one) for one in said]
    return list(
        dict.fromkeys(
            Ref(one if is_plain else ref.name, ref.oid)
            for ref, one, is_plain in zip(full, said, plain, strict=True)
        )
    )


def tags_of(git: Git, sha: str) -> tuple[str, ...]:
    """Return the short names of the tags that lead to a commit."""
    tags = commits_of(git, listed(git, _TAGS))
    return tuple(short(ref.name) for ref in tags if ref.oid == sha and is_fine(ref.name))


def short(name: str) -> str:
    """Return a name as people say it."""
    return name.removeprefix(_HEADS).removeprefix(_TAGS).removeprefix(_REMOTES)


def commits_of(git: Git, refs: Sequence[Ref]) -> list[Ref]:
    """Return refs with the commits that they lead to; those that lead to none are left out."""
    ends = kinds(git, [f"{ref.oid}^{{}}" for ref in refs])
    return [
        Ref(ref.name, end.oid)
        for ref, end in zip(refs, ends, strict=True)
        if end is not None and end.what == "commit"
    ]


def resolved(git: Git, head: Path, ref: str) -> str:
    """Return the whole id of the one commit that a ref means.

    Args:
        head: The file that says where HEAD is.

    Raises:
        UnknownRef: It means no commit, or more than one.
    """
    name = parsed(ref)
    begin = _start(git, head, name.start)
    if not name.steps:
        return begin
    [end] = kinds(git, [begin + name.steps])
    if end is None or end.what != "commit":
        raise UnknownRef(f"{ref} is not in the repository: its history does not go back so far.")
    return end.oid


def _start(git: Git, head: Path, name: str) -> str:
    if name == "HEAD":
        return _at_head(git, head)
    if len(name) == SHA and is_digits(name):
        if None in kinds(git, [name]):
            raise UnknownRef(f"The repository has no commit {name}.")
        return _commit(git, name.lower(), name)
    found = [_pointed(git, ref) for ref in _named(git, name)]
    if is_digits(name):
        found += [Ref(sha, sha) for sha in _beginning_with(git, name.lower())]
    return _only(name, found)


def _at_head(git: Git, head: Path) -> str:
    """Return the commit that is checked out."""
    if not head.is_file():
        raise UnknownRef("HEAD cannot be read; name a branch.")
    text = head.read_bytes()[:4096].decode("utf-8", "replace").strip()
    if len(text) == SHA and is_digits(text):
        return _commit(git, text.lower(), "HEAD")
    branch = parsed(text.removeprefix(_BRANCH).strip()).start
    for ref in listed(git, branch):
        if ref.name == branch:
            return _pointed(git, ref).oid
    raise UnknownRef(f"HEAD is at {branch}, which has no commit yet.")


def _named(git: Git, name: str) -> list[Ref]:
    """Return the refs that a name may mean."""
    if name.startswith("refs/"):
        full = [name]
    else:
        full = [f"{prefix}{name}" for prefix in ("refs/", _TAGS, _HEADS, _REMOTES)]
    return [ref for ref in listed(git, *full) if ref.name in full]


def _beginning_with(git: Git, digits: str) -> list[str]:
    """Return the commits whose ids begin like that."""
    oids = git.read("rev-parse", f"--disambiguate={digits}").decode("ascii").split()
    return [kind.oid for kind in kinds(git, oids) if kind is not None and kind.what == "commit"]


def _pointed(git: Git, ref: Ref) -> Ref:
    return Ref(ref.name, _commit(git, ref.oid, ref.name))


def _commit(git: Git, oid: str, name: str) -> str:
    """Return the commit that an object is or, as a tag, points to."""
    [end] = kinds(git, [f"{oid}^{{}}"])
    if end is None:
        raise UnknownRef(
            f"{name} points to {oid[:_SHORT]}, which is not in the repository: it was thrown away,"
            " or never fetched."
        )
    if end.what != "commit":
        raise UnknownRef(f"{name} is a {end.what}, not a commit.")
    return end.oid


def is_reachable(git: Git, head: Path, sha: str) -> bool:
    """Whether a branch, a tag or HEAD leads to a commit."""
    ends = {ref.oid for ref in commits_of(git, listed(git, _HEADS, _TAGS, _REMOTES))}
    with suppress(UnknownRef):
        ends.add(_at_head(git, head))
    given = "\n".join([sha, *(f"^{end}" for end in sorted(ends)), ""]).encode()
    is_there = bool(commits_of(git, [Ref(sha, sha)]))
    return is_there and not git.read("rev-list", "-n1", "--stdin", given=given)


def _only(name: str, found: Sequence[Ref]) -> str:
    """Return the commit on which all agree."""
    match sorted({ref.oid for ref in found}):
        case []:
            raise UnknownRef(f"The repository has no branch, tag or commit {shown(name)}.")
        case [sha]:
            return sha
        case _:
            every = " and ".join(
                f"{ref.name} ({ref.oid[:_SHORT]})" if ref.name != ref.oid else ref.oid
                for ref in found[:5]
            )
            raise UnknownRef(f"{name} means more than one commit: {every}. Say one of these names.")
