"""Commits and releases as people know them: first digits, tags, and what is newer."""

from __future__ import annotations

from contextlib import suppress

from .describing import SHORT
from .errors import RepositoryError
from .model import sha_of
from .repository import Repository

MOST_TAGS = 3


class Known:
    """A repository's commits in a few words; one that is gone from it is named all the same."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def called(self, release: str) -> str:
        """Return a release, or a commit, by its first digits and its tags."""
        sha = sha_of(release)
        tags: tuple[str, ...] = ()
        with suppress(RepositoryError):
            tags = self._repository.tags(sha)[:MOST_TAGS]
        return f"{sha[:SHORT]} ({', '.join(tags)})" if tags else sha[:SHORT]

    def newest(self) -> str:
        """Return what is checked out, else the newest commit with a name; empty without any."""
        with suppress(RepositoryError):
            return self._repository.resolve("HEAD")
        refs = self._repository.refs()
        return refs[0][1] if refs else ""

    def newer(self, release: str) -> str:
        """Say what the newest commit has that this one lacks, and the reverse, in a few words."""
        sha, newest = sha_of(release), self.newest()
        if newest in {"", sha}:
            return ""
        try:
            move = self._repository.between(sha, newest)
        except RepositoryError:
            return "?"
        less = f", -{len(move.removed):,}" if move.removed else ""
        return f"+{len(move.added):,}{less} to {self.called(newest)}"

    def fetched(self) -> tuple[str, ...]:
        """Fetch what is new; return what deserves a word, also that it could not be fetched."""
        try:
            return self._repository.refresh()
        except RepositoryError as error:
            return (str(error),)
