"""What `deploy.toml` can say, table by table; each model is one table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, time
from pathlib import PurePosixPath
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    InstanceOf,
    Strict,
    Tag,
    model_validator,
)

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
A_DAY = 86_400.0  # seconds
GIVEN = frozenset({"RELEASE", "COMMIT", "ENVIRONMENT"})  # what every command finds anyway

_HOST = re.compile(r"(?:[A-Za-z0-9_][\w.-]*@)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("has to be one line of plain text")
    return text


def _word(text: str) -> str:
    if "\0" in text:
        raise ValueError("has to be a word without the character 0, which no program can be given")
    return text


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0].strip():
        raise ValueError('has to name a program first, as in ["python3", "service.py"]')
    return words


def named(name: str) -> str:
    """Let through what can be part of a path, a variable and a sentence."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            "is no name that can be used: take a small letter, then small letters, digits, - and _"
        )
    return name


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("is no name of a variable: take letters, digits and _")
    if name in GIVEN:
        raise ValueError("is set for every command anyway: take another name")
    return name


def _clock(value: object) -> object:
    """Read "16:00"; "24:00" is midnight at the end of the day."""
    if isinstance(value, str) and (found := _CLOCK.fullmatch(value)):
        return time(int(found[1]), int(found[2]))
    if isinstance(value, time) and (value.second, value.microsecond) == (0, 0):
        return value
    raise ValueError(f'has to be a time from "00:00" to "23:59", not {value!r}')


def _clock_until(value: object) -> object:
    if value == "24:00":
        return time(0)
    try:
        return _clock(value)
    except ValueError:
        raise ValueError(f'has to be a time from "00:00" to "24:00", not {value!r}') from None


def _zone(value: object) -> object:
    try:
        return ZoneInfo(value) if isinstance(value, str) else value
    except (
        KeyError,
        ValueError,
        OSError,
    ):  # a name that is none can be a folder of the time zones' files
        raise ValueError(
            f'has to be a time zone such as "Europe/Berlin" or "UTC", not {value!r}'
        ) from None


def _weekday(value: object) -> object:
    if value not in DAYS:
        raise ValueError(f'has to be a day such as "friday", in small letters, not {value!r}')
    return DAYS.index(str(value))


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or not (url.isascii() and url.isprintable()) or " " in url or "#" in url:
        raise ValueError(
            f'has to be an address such as "http://127.0.0.1:8001/health", not {url!r}'
        )
    if "@" in urlsplit(url).netloc:
        raise ValueError("has to be an address without a name or a password in it")
    return url


def _shared(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or not path.isprintable():
        raise ValueError(
            f'has to be a folder inside the release, such as "data" or "var/uploads", not {path!r}'
        )
    return str(PurePosixPath(path))


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise ValueError(f'has to be a host such as "deploy@web1.example", not {host!r}')
    return host


def _far_folder(folder: str) -> str:
    if not folder.startswith("/") or folder.strip("/") == "" or not folder.isprintable():
        raise ValueError(
            f'has to begin with / on a host, as in folder = "/srv/shop", not {folder!r}'
        )
    return str(PurePosixPath(folder))


# A list of TOML becomes a tuple; what is in it stays strict.
_Tuple = Strict(strict=False)
Line: TypeAlias = Annotated[str, AfterValidator(_one_line)]
Word: TypeAlias = Annotated[str, AfterValidator(_word)]
Words: TypeAlias = Annotated[tuple[Word, ...], _Tuple, AfterValidator(_words)]
Globs: TypeAlias = Annotated[tuple[Line, ...], _Tuple]
Name: TypeAlias = Annotated[str, AfterValidator(named)]
Variable: TypeAlias = Annotated[str, AfterValidator(_variable)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=A_DAY, allow_inf_nan=False)]
Clock: TypeAlias = Annotated[time, BeforeValidator(_clock)]
ClockUntil: TypeAlias = Annotated[time, BeforeValidator(_clock_until)]
Zone: TypeAlias = Annotated[InstanceOf[ZoneInfo], BeforeValidator(_zone)]
Weekday: TypeAlias = Annotated[int, BeforeValidator(_weekday)]
Weekdays: TypeAlias = Annotated[tuple[Weekday, ...], _Tuple, Field(min_length=1)]
Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Shared: TypeAlias = Annotated[tuple[Annotated[str, AfterValidator(_shared)], ...], _Tuple]


class Table(BaseModel):
    """One table: exactly the keys that are known, each of exactly its kind."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Commands(Table):
    """`[commands]`: what makes a release, and what it is started with.

    Attributes:
        seconds: How long each may take.
    """

    build: Words | None = None
    test: Words | None = None
    start: Words | None = None
    seconds: Seconds = 600.0


class Task(Table):
    """`[tasks.NAME]`: something to run by name in the live release."""

    run: Words
    seconds: Seconds = 600.0


class People(Table):
    """`[people]`: who may decide."""

    release_managers: Annotated[tuple[Line, ...], _Tuple, Field(min_length=1)]


class WorkingHours(Table):
    """`[working_hours]`: when people are there.

    Attributes:
        days: Monday is 0.
    """

    opens: Clock
    closes: ClockUntil
    timezone: Zone
    days: Weekdays = (0, 1, 2, 3, 4)
    holidays: Annotated[tuple[date, ...], _Tuple] = ()


class _Freeze(Table):
    environments: Annotated[tuple[str, ...], _Tuple, Field(min_length=1)]
    timezone: Zone | None = None
    because: Line


class Weekly(_Freeze):
    """`[[freeze]]` with `days`: the same hours each week.

    Attributes:
        days: On which it begins; Monday is 0.
        until: At or before `from_` it is on the next day.
    """

    days: Weekdays
    from_: Clock = Field(alias="from")
    until: ClockUntil


class Dated(_Freeze):
    """`[[freeze]]` with `first` and `last`: whole days, both included."""

    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Dated:
        if self.last < self.first:
            raise ValueError(f"has last = {self.last} before first = {self.first}: swap them")
        return self


class _Environment(Table):
    protected: bool = False
    needs: str | None = None
    health: Url
    health_seconds: Seconds = 10.0
    shared: Shared = ()
    env: Mapping[Variable, Word] = Field(default_factory=dict[str, str])


class Here(_Environment):
    """`[environments.NAME]` without a host: a folder of this machine, and a supervised service."""

    folder: Line


class There(_Environment):
    """`[environments.NAME]` with a host: a folder there, reached over SSH."""

    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 22
    folder: Annotated[str, AfterValidator(_far_folder)]
    known_hosts: Line
    key: Line | None = None
    restart: Words
    stop: Words | None = None
    logs: Words | None = None


def _place(value: object) -> str:
    return "there" if _has(value, {"host", "known_hosts", "restart"}) else "here"


def _window(value: object) -> str:
    return "dated" if _has(value, {"first", "last"}) else "weekly"


def _has(table: object, keys: Collection[str]) -> bool:
    return isinstance(table, dict) and any(key in table for key in keys)


Freeze: TypeAlias = Annotated[
    Annotated[Weekly, Tag("weekly")] | Annotated[Dated, Tag("dated")], Discriminator(_window)
]
Environment: TypeAlias = Annotated[
    Annotated[Here, Tag("here")] | Annotated[There, Tag("there")], Discriminator(_place)
]
TAGS = frozenset({"weekly", "dated", "here", "there"})


class Settings(Table):
    """The whole file."""

    repository: Line
    keep: Annotated[int, Field(ge=1, le=1_000)] = 5
    commands: Commands = Commands()
    tasks: Mapping[Name, Task] = Field(default_factory=dict[str, Task])
    attention: Mapping[str, Globs] = Field(default_factory=dict[str, tuple[str, ...]])
    people: People | None = None
    working_hours: WorkingHours | None = None
    freeze: Annotated[tuple[Freeze, ...], _Tuple] = ()
    environments: Annotated[Mapping[Name, Environment], Field(min_length=1)]
