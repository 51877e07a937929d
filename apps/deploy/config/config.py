"""Read `deploy.toml`: what is deployed where, with which commands, and who is asked.

It is the operator's file. It is read once, at the start, and never from a commit that is deployed.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from ..errors import ConfigError
from .contradictions import contradictions
from .freezes import Dates, EachWeek, Window
from .problems import sentences
from .settings import Commands, Dated, Here, Settings, Task, There, Weekly, WorkingHours

_LOOKS_FAR = re.compile(r"[A-Za-z][\w+.-]*:|[^/]+@[^/]+:")  # an address, not a path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What `deploy.toml` says, with every path made absolute.

    Attributes:
        path: The file itself.
        sha256: Of its bytes, in hexadecimal digits.
        repository: A path or an address.
        keep: So many complete releases stay in each environment.
        attention: The operator's globs by kind.
    """

    path: Path
    sha256: str
    repository: str
    keep: int
    commands: Commands
    tasks: Mapping[str, Task]
    attention: Mapping[str, tuple[str, ...]]
    release_managers: tuple[str, ...]
    working_hours: WorkingHours | None
    freezes: tuple[Window, ...]
    environments: Mapping[str, Here | There]

    @property
    def state(self) -> Path:
        """The folder for what a project keeps for itself: logs, clones, liftings."""
        return self.path.parent / ".deploy"


def read(path: Path, *, repository: str = "") -> Config:
    """Read the file.

    Args:
        repository: Taken instead of what the file names; as a path, relative to where the program
            was started.

    Raises:
        ConfigError: It is missing, no TOML, or does not say what it has to; one line per problem.
    """
    path = path.absolute()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"There is no {path}: name one with --config, or make a sample with `init`."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    said = _parsed(data, path.name)
    config = _resolved(said, path, hashlib.sha256(data).hexdigest(), repository)
    if problems := list(contradictions(config.environments, said)):
        raise ConfigError("\n".join(f"{path.name}: {text}" for text in problems))
    return config


def _parsed(data: bytes, name: str) -> Settings:
    try:
        return Settings.model_validate(tomllib.loads(data.decode("utf-8")))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}: line {line} is not UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not TOML: {error}.") from error
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ConfigError("\n".join(f"{name}: {text}" for text in sentences(found))) from None


def _resolved(said: Settings, path: Path, sha256: str, repository: str) -> Config:
    here = path.parent
    zone = said.working_hours.timezone if said.working_hours else ZoneInfo("UTC")
    return Config(
        path=path,
        sha256=sha256,
        repository=_located(repository or said.repository, Path.cwd() if repository else here),
        keep=said.keep,
        commands=said.commands,
        tasks=said.tasks,
        attention=said.attention,
        release_managers=said.people.release_managers if said.people else (),
        working_hours=said.working_hours,
        freezes=tuple(_window(window, zone) for window in said.freeze),
        environments={name: _placed(one, here) for name, one in said.environments.items()},
    )


def _located(repository: str, here: Path) -> str:
    return repository if _LOOKS_FAR.match(repository) else str(_absolute(repository, here))


def _absolute(path: str, here: Path) -> Path:
    """Return a path from the root on, without `..`; links stay links."""
    return Path(os.path.normpath(here / path))


def _placed(one: Here | There, here: Path) -> Here | There:
    match one:
        case Here():
            return one.model_copy(update={"folder": str(_absolute(one.folder, here))})
        case There():
            files = {"known_hosts": one.known_hosts, "key": one.key}
            found = {name: str(_absolute(file, here)) for name, file in files.items() if file}
            return one.model_copy(update=found)
        case _:
            assert_never(one)


def _window(said: Weekly | Dated, zone: ZoneInfo) -> Window:
    environments, zone = frozenset(said.environments), said.timezone or zone
    match said:
        case Weekly():
            return EachWeek(
                environments=environments,
                days=frozenset(said.days),
                begins=said.from_,
                until=said.until,
                timezone=zone,
                because=said.because,
            )
        case Dated():
            return Dates(
                environments=environments,
                first=said.first,
                last=said.last,
                timezone=zone,
                because=said.because,
            )
        case _:
            assert_never(said)
