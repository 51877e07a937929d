"""Keep a bare clone of a repository that lies elsewhere; a clone is whole or not there at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

from ..errors import RepositoryError
from .addresses import Address
from .names import is_fine
from .plumbing import Git, GitFailed
from .refs import Ref, commits_of, listed, short

SECONDS = 900.0
_SHORT = 10
_ALL = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
# What ssh and curl need of this machine; nothing of it is a word to git.
_PASSED = (
    *("SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
)
_SSH = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15 -o LogLevel=ERROR"


class Clone:
    """A bare clone in a folder of ours. One process at a time fetches into it.

    What was fetched once stays, so a commit that was live can be looked at after it was
    force-pushed away.
    """

    def __init__(self, address: Address, cache: Path) -> None:
        self.address = address
        digest = sha256(address.url.encode()).hexdigest()[:24]
        self.folder = cache.absolute() / f"{digest}.git"

    def open(self) -> None:
        """Clone, unless that was done before.

        Raises:
            RepositoryError: The other side cannot be reached or read; nothing is left behind.
        """
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                if not self.folder.is_dir():
                    self._clone()
        except OSError as error:
            raise RepositoryError(
                f"{self.address.url} cannot be kept in {self.folder.parent}: {error.strerror}."
            ) from error

    def refresh(self) -> tuple[str, ...]:
        """Fetch all branches and tags as they are there now.

        Returns:
            One sentence for each branch that lost commits, tag that moved, and name that is gone.
        """
        git = self._git(self.folder)
        with self._alone():
            before = listed(git, "refs/heads/", "refs/tags/")
            self._fetch(git)
            after = {ref.name: ref.oid for ref in listed(git, "refs/heads/", "refs/tags/")}
        return tuple(_news(git, before, after))

    def _clone(self) -> None:
        """Clone under another name first: a clone that was interrupted is never taken for one."""
        part = self.folder.with_suffix(".unfinished")
        rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            git = self._git(part)
            git.read("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
            self._fetch(git)
            part.rename(self.folder)
        finally:
            rmtree(part, ignore_errors=True)

    def _fetch(self, git: Git) -> None:
        words = "--quiet --prune --force --update-shallow --no-tags".split()
        words += [
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--no-write-fetch-head",
            "--",
            self.address.url,
            *_ALL,
        ]
        try:
            git.read("fetch", *words, seconds=SECONDS)
            told = git.read(
                "ls-remote", "--symref", "--", self.address.url, "HEAD", seconds=SECONDS
            )
        except GitFailed as error:
            raise RepositoryError(
                f"{self.address.url} could not be fetched: {error.said}; what was fetched before"
                " stays as it was."
            ) from error
        first = told.decode("utf-8", "replace").partition("\t")[0]
        branch = first.removeprefix("ref: ")
        if branch.startswith("refs/heads/") and is_fine(branch):
            git.read("symbolic-ref", "HEAD", branch)

    def _git(self, folder: Path) -> Git:
        passed = {key: os.environ[key] for key in _PASSED if key in os.environ}
        passed |= {"HOME": os.environ.get("HOME", str(folder)), "GIT_SSH_COMMAND": _SSH}
        # A server that says nothing for a minute is given up.
        passed |= _settings({"http.lowSpeedLimit": "1", "http.lowSpeedTime": "60"})
        return Git(folder, protocols=self.address.scheme, passed=passed)

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Wait for whoever fetches now; the system lets go of the lock when a process ends."""
        with self.folder.with_suffix(".lock").open("w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings as git reads them from its environment."""
    words = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        words |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return words


def _news(git: Git, before: list[Ref], after: Mapping[str, str]) -> Iterator[str]:
    """Say what is no longer what it was, beyond having grown."""
    for name, old in before:
        new = after.get(name)
        called = f"tag {short(name)}" if name.startswith("refs/tags/") else f"branch {short(name)}"
        if new is None:
            yield f"The {called} is gone; it was {old[:_SHORT]}."
        elif new != old and name.startswith("refs/tags/"):
            yield f"The {called} was moved from {old[:_SHORT]} to {new[:_SHORT]}."
        elif new != old and (lost := _lost(git, old, new)):
            yield (
                f"The {called} was force-pushed from {old[:_SHORT]} to {new[:_SHORT]}:"
                f" {lost:,} commit{'' if lost == 1 else 's'} went away."
            )


def _lost(git: Git, old: str, new: str) -> int:
    """Count the commits that `old` reaches and `new` does not."""
    if len(commits_of(git, [Ref(old, old), Ref(new, new)])) < 2:
        return 0
    return int(git.read("rev-list", "--count", f"{new}..{old}", "--"))
