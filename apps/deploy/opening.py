"""Open what `deploy.toml` names: a repository, and the environments to deploy it to."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from .config import Config, read
from .config.settings import Here, There
from .local.target import LocalTarget
from .model import Command, Target
from .pipeline.stages import Tell, silent
from .project import Project, utc_now
from .repository import Repository

if TYPE_CHECKING:
    from .ssh.target import SshTarget


@contextmanager
def opened(
    path: Path,
    *,
    repository: str = "",
    by: str = "",
    progress: Tell = silent,
    now: Callable[[], datetime] = utc_now,
) -> Generator[Project]:
    """Yield the project that a `deploy.toml` describes.

    Args:
        repository: Taken instead of the one that the file names.
        by: Who deploys; by default the name of the account.
        progress: Told about each stage of a deploy.

    Raises:
        ConfigError: The file does not say what it has to.
        RepositoryError: The repository cannot be opened.
    """
    config = read(path, repository=repository)
    found = Repository.open(config.repository, cache=config.state / "repositories")
    with ExitStack() as stack:
        targets = {name: _target(config, name, stack, now) for name in config.environments}
        yield Project(config, found, targets, by=by or _account(), progress=progress, now=now)


def _target(config: Config, name: str, stack: ExitStack, now: Callable[[], datetime]) -> Target:
    match settings := config.environments[name]:
        case Here():
            assert config.commands.start is not None
            env = {**settings.env, "ENVIRONMENT": name}
            start = Command(words=config.commands.start, env=env)
            folder = Path(settings.folder)
            target = LocalTarget(folder, shared=settings.shared, start=start, now=now)
            return stack.enter_context(closing(target))
        case There():
            return stack.enter_context(closing(_far(config.commands.seconds, settings)))
        case _:
            assert_never(settings)


def _far(seconds: float, settings: There) -> SshTarget:
    from .ssh.target import SshTarget  # asyncssh is needed only there

    def command(words: tuple[str, ...]) -> Command:
        return Command(words=words, env=settings.env, seconds=seconds)

    return SshTarget(
        settings.host,
        settings.port,
        settings.folder,
        known_hosts=Path(settings.known_hosts),
        key=Path(settings.key) if settings.key else None,
        shared=settings.shared,
        restart=command(settings.restart),
        stop=command(settings.stop) if settings.stop else None,
        logs=command(settings.logs) if settings.logs else None,
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
