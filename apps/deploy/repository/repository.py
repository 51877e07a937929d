"""Any git repository, read without a chance for it to run anything or to show what it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import RepositoryError
from ..model import Commit, Diff, Entry, Range
from .addresses import address
from .borrowing import borrowed, found
from .commits import read_commit
from .fetching import Clone
from .names import whole
from .objects import objects
from .plumbing import Git
from .pointers import pointer_problems
from .ranges import between, diff, shallow_ends
from .refs import branches_and_tags, is_reachable, resolved, tags_of
from .trees import entries, leaves


class Repository:
    """A repository by path, read where it is, or by URL, read from a clone in a cache.

    It keeps nothing between calls and may be used from several threads. Every method may raise
    `RepositoryError`; every `sha` is a commit's whole id, as `resolve` returns it.

    Attributes:
        name: Where it is: a path or a URL.
    """

    def __init__(self, git: Git, *, name: str, head: Path, clone: Clone | None) -> None:
        self.name = name
        self._git, self._head, self._clone = git, head, clone

    @classmethod
    def open(cls, where: str | Path, *, cache: Path) -> Repository:
        """Open a repository.

        Args:
            where: A folder with a repository, or in its working tree; or an https, ssh, git or
                file URL, or `user@host:path`.
            cache: A folder of our own; the repository itself is never written to.

        Raises:
            RepositoryError: There is none, it cannot be read or reached, or its address is refused.
        """
        elsewhere = address(str(where))
        if elsewhere is None or (isinstance(where, Path) and where.exists()):
            source = found(Path(where))
            git = borrowed(source, cache)
            return cls(git, name=str(source.top), head=source.own / "HEAD", clone=None)
        clone = Clone(elsewhere, cache)
        clone.open()
        git = borrowed(found(clone.folder), cache)
        return cls(git, name=elsewhere.url, head=clone.folder / "HEAD", clone=clone)

    def refresh(self) -> tuple[str, ...]:
        """Fetch what is new at a URL; a path is always up to date.

        Returns:
            One sentence for each branch that was force-pushed, tag that moved, and name that is
            gone. What these pointed to is kept.
        """
        return self._clone.refresh() if self._clone else ()

    def resolve(self, ref: str) -> str:
        """Return the whole id of the commit that a ref means right now.

        Taken are branches, tags, `origin/main`, `HEAD`, full names (`refs/tags/v1`), ids of 7 to
        40 digits, and any of them with `~N`, `^` or `^N` behind it.

        Raises:
            UnknownRef: It means no commit, more than one, or is more than a name.
        """
        return resolved(self._git, self._head, ref)

    def commit(self, sha: str) -> Commit:
        """Return what a commit says about itself."""
        with objects(self._git) as source:
            [(kind, raw)] = source.read([whole(sha)])
        if kind.what != "commit":
            raise RepositoryError(f"{sha} is a {kind.what}, not a commit.")
        return read_commit(sha, raw)

    def refs(self) -> tuple[tuple[str, str], ...]:
        """Return branches and tags with their commits, newest commit first.

        Each name is one that `resolve` takes; names that cannot be seen or said are left out.
        """
        named = branches_and_tags(self._git)
        with objects(self._git) as source:
            read = source.read(dict.fromkeys(sha for _, sha in named))
            at = {kind.oid: read_commit(kind.oid, raw).at for kind, raw in read}
        return tuple(sorted(((n, sha) for n, sha in named), key=lambda n: at[n[1]], reverse=True))

    def tags(self, sha: str) -> tuple[str, ...]:
        """Return the tags of a commit, by their short names."""
        return tags_of(self._git, whole(sha))

    def is_reachable(self, sha: str) -> bool:
        """Whether a branch, a tag or HEAD leads to a commit; not after it was force-pushed away."""
        return is_reachable(self._git, self._head, whole(sha))

    def between(self, live: str, target: str) -> Range:
        """Return what moving from one commit to another brings and takes away.

        Args:
            live: Empty when nothing is live: then all of the target is new.
        """
        return between(self._git, live, target)

    def diff(self, live: str, target: str, *, most: int) -> Diff:
        """Return the difference between two commits as text of at most `most` bytes of git's."""
        return diff(self._git, live, target, most=most)

    def files(self, sha: str) -> Iterator[tuple[Entry, bytes]]:
        """Yield every file of a commit with its bytes as they are stored, sorted by path.

        Nothing is yielded before all names are known to be harmless. The bytes of a link say
        where it points.

        Raises:
            Unshippable: A submodule, a path that leads out of a release, an impossible mode.
        """
        with objects(self._git) as source:
            every = entries(leaves(source, whole(sha)))
            read = source.read(entry.oid for entry in every)
            for entry, (kind, data) in zip(every, read, strict=True):
                if kind.what != "blob":
                    raise RepositoryError(f"{kind.oid} is a {kind.what} where a file should be.")
                yield entry, data

    def problems(self, sha: str) -> tuple[str, ...]:
        """Say what of a commit is not as it looks: submodules, Git LFS, a history cut off."""
        with objects(self._git) as source:
            every = leaves(source, whole(sha))
        said = pointer_problems(self._git, every)
        if shallow_ends(self._git.folder):
            said.append("The repository is a shallow clone: what came before is not known here.")
        return tuple(said)
