"""Make a sample to practise on: a small web service with a history, and three environments."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType

from ..errors import DeployError, RepositoryError
from .history import CHANGES, Change
from .toml_file import CONFIG

Ports = tuple[int, int, int]
Progress = Callable[[int, int], None]

NEXT = "next"
TAG_OF_NEXT = "v1.4"
_FIRST_COMMIT = datetime(2026, 9, 7, 8, 30, tzinfo=UTC)
_BETWEEN = timedelta(days=3, minutes=29)


def make_sample(
    folder: Path, *, ports: Ports | None = None, progress: Progress | None = None
) -> Path:
    """Write the repository `shop` and `deploy.toml` into a folder; return the path of the latter.

    The commits are the same each time, down to their ids. Nothing is deployed yet, and no service
    runs.

    Args:
        folder: Has to be empty, or not to be there.
        ports: Where the services of development, staging and production will listen; free ones
            are chosen when left out, and stay in the file.
        progress: Called with the commits made so far and all commits, the last time at the end.

    Raises:
        DeployError: The folder is not empty or cannot be written, or GitPython is not installed.
            Nothing is left behind.
    """
    was_there, git = _checked(folder), _git()
    ports = ports or _free_ports()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_repository(folder / "shop", progress or _silent)
        config = folder / "deploy.toml"
        config.write_text(CONFIG.format(*ports), "utf-8")
    except BaseException as error:
        _empty(folder)
        if not was_there and folder.is_dir():
            folder.rmdir()
        if isinstance(error, OSError | git.GitError):
            raise DeployError(f"{folder} cannot be used for a sample: {_why(error)}.") from error
        raise
    return config


def advance(repository: Path) -> str:
    """Let v1.4 arrive: `main` of a sample moves forward and is tagged; return the commit's id.

    Raises:
        RepositoryError: This is no sample's repository, or its `main` has gone elsewhere.
    """
    git = _git()
    try:
        with git.Repo(repository) as repo:
            if repo.head.is_detached or repo.active_branch.name != "main":
                raise RepositoryError(f"{repository} has another branch checked out than main.")
            # Fails, and leaves all as it was, unless main can simply move forward.
            repo.git.merge("--quiet", "--ff-only", NEXT)
            sha = str(repo.commit(NEXT).hexsha)
            repo.git.update_ref(f"refs/tags/{TAG_OF_NEXT}", sha)
            return sha
    except (git.GitError, OSError) as error:
        raise RepositoryError(
            f"{repository} is no sample whose main can move forward to {NEXT}; it is as it was."
        ) from error


def _checked(folder: Path) -> bool:
    """Return whether the folder is there, and refuse one that holds anything."""
    try:
        if not folder.exists() and not folder.is_symlink():
            return False
        is_empty = next(folder.iterdir(), None) is None
    except OSError as error:
        raise DeployError(
            f"{folder} cannot be used for a sample: {error.strerror}. Nothing was written."
        ) from error
    if not is_empty:
        raise DeployError(f"{folder} is not empty; name a new folder. Nothing was written.")
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _why(error: BaseException) -> str:
    said = str(getattr(error, "strerror", "") or getattr(error, "stderr", "") or error)
    return " ".join(said.split()).rstrip(".")


def _free_ports() -> Ports:
    """Return three ports that nobody listens on right now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        first, second, third = (int(one.getsockname()[1]) for one in sockets)
        return first, second, third


def _silent(_done: int, _all: int) -> None:
    """Nobody watches."""


def _write_repository(folder: Path, progress: Progress) -> None:
    git = _git()
    # Whatever git itself is set up to do with new repositories, this one has no hooks.
    with git.Repo.init(
        folder, initial_branch="main", object_format="sha1", template="", allow_unsafe_options=True
    ) as repo:
        with TemporaryFile() as stream:
            stream.writelines(_stream(progress))
            stream.seek(0)
            repo.git.fast_import("--quiet", istream=stream)
        repo.head.reset(index=True, working_tree=True)


def _stream(progress: Progress) -> Iterator[bytes]:
    """Yield the history as `git fast-import` reads it: the same bytes give the same commits."""
    states: dict[str, dict[str, str]] = {}
    marks: dict[str, int] = {}
    for number, change in enumerate(CHANGES, 1):
        progress(number - 1, len(CHANGES))
        base = change.onto if change.onto in states else "main"
        before = states.get(base, {})
        files = _edited(before, change)
        at = int((_FIRST_COMMIT + number * _BETWEEN).timestamp())
        who = f"{change.author} <{change.author.split()[0].lower()}@tea.example> {at} +0000\n"
        yield f"commit refs/heads/{change.onto}\nmark :{number}\n".encode()
        yield f"author {who}committer {who}".encode()
        yield _data(change.subject + "\n")
        if base in marks:
            yield f"from :{marks[base]}\n".encode()
        if change.merges:
            yield f"merge :{marks[change.merges]}\n".encode()
        for path, text in files.items():
            if before.get(path) != text:
                yield f"M 100644 inline {path}\n".encode() + _data(text)
        if change.tag:
            yield f"reset refs/tags/{change.tag}\nfrom :{number}\n".encode()
        states[change.onto], marks[change.onto] = files, number
    progress(len(CHANGES), len(CHANGES))


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%s\n" % (len(content), content)


def _edited(files: Mapping[str, str], change: Change) -> dict[str, str]:
    after = {**files, **change.files}
    for path, edits in change.edits.items():
        for old, new in edits:
            assert after[path].count(old) == 1, (change.subject, path, old)
            after[path] = after[path].replace(old, new)
    return after


def _git() -> ModuleType:
    try:
        import git
    except ImportError as error:
        raise DeployError(
            "A sample needs GitPython and git: pip install 'gated-agents[deploy]'. "
            "Nothing was written."
        ) from error
    return git
