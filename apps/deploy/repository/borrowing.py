"""Read somebody's repository from a git directory of our own, so that none of its words count.

Ours borrows objects and refs by symbolic links and has its own config. Config, hooks, attributes,
index and grafts of the other are never read by git, whoever wrote them; nothing of it is written.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import NamedTuple

from ..errors import RepositoryError
from .plumbing import Git, GitFailed
from .wording import shown

_BORROWED = ("objects", "refs", "packed-refs", "shallow")
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_NOWHERE = "ref: refs/deploy/nowhere\n"


class Source(NamedTuple):
    """Where a repository lies.

    Attributes:
        top: What people call it: the folder that has a `.git`, or the bare repository.
        own: Where its HEAD is.
        common: Where its objects and refs are; another place only for a linked working tree.
    """

    top: Path
    own: Path
    common: Path


def found(where: Path) -> Source:
    """Return the repository at a path, or around it.

    Raises:
        RepositoryError: There is none.
    """
    try:
        place = where.resolve(strict=True)
        for top in (place, *place.parents):
            for own in (top / ".git", top):
                if source := _source(top, own):
                    return source
    except (OSError, ValueError, RuntimeError) as error:
        said = error.strerror if isinstance(error, OSError) else "its .git makes no sense"
        raise RepositoryError(f"{shown(str(where))} cannot be opened: {said}.") from error
    raise RepositoryError(f"{shown(str(where))} is no git repository, nor a folder in one.")


def _source(top: Path, own: Path) -> Source | None:
    if own.is_file():
        said = own.read_bytes()[:4096].decode("utf-8", "surrogateescape").strip()
        if not said.startswith("gitdir: "):
            return None
        own = (top / said.removeprefix("gitdir: ")).resolve()
    common = own
    if (own / "commondir").is_file():
        common = (own / (own / "commondir").read_text("utf-8").strip()).resolve()
    has_head = os.path.lexists(own / "HEAD")
    if has_head and (common / "objects").is_dir() and (common / "refs").is_dir():
        return Source(top, own, common)
    return None


def borrowed(source: Source, cache: Path) -> Git:
    """Return git on a directory of our own in `cache` that borrows from a repository.

    Raises:
        RepositoryError: Its format is one that cannot be read here, or `cache` cannot be written.
    """
    digest = sha256(os.fsencode(source.common)).hexdigest()[:24]
    folder = cache.absolute() / f"{digest}.view"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            _make(folder, source.common)
    except OSError as error:
        raise RepositoryError(
            f"What is needed to read {shown(str(source.top))} cannot be written to"
            f" {shown(str(cache))}: {error.strerror}."
        ) from error
    git = Git(folder)
    _check_format(git, source)
    return git


def _make(folder: Path, common: Path) -> None:
    """Make the directory out of sight; who comes second throws the own one away."""
    part = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        (part / "config").write_text(_CONFIG, "utf-8")
        (part / "HEAD").write_text(_NOWHERE, "utf-8")
        for name in _BORROWED:
            (part / name).symlink_to(common / name)
        part.rename(folder)
    except OSError:
        rmtree(part, ignore_errors=True)
        if not folder.is_dir():
            raise


def _check_format(git: Git, source: Source) -> None:
    """Look for extensions in the other's config: that is read as data, and nothing else of it."""
    words = ["--file", str(source.common / "config"), "--no-includes", "--null"]
    try:
        printed = git.read("config", *words, "--get-regexp", r"^extensions\.")
    except GitFailed as error:
        if error.status == 1:  # there are none
            return
        raise RepositoryError(
            f"The config of {shown(str(source.top))} cannot be read: {error.said}."
        ) from error
    pairs = [item.partition("\n") for item in printed.decode("utf-8", "replace").split("\0")]
    extensions = {key.lower(): value.lower() for key, _, value in pairs}
    if extensions.get("extensions.objectformat", "sha1") != "sha1":
        raise RepositoryError(
            f"{shown(str(source.top))} names its commits by SHA-256; only SHA-1 can be read."
        )
    if extensions.get("extensions.refstorage", "files") != "files":
        raise RepositoryError(
            f"{shown(str(source.top))} does not keep its refs in files, and can not be read."
        )
