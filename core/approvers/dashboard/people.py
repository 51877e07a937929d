"""Who may come in, and what for: one person at a machine, or whoever some place knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Protocol

from ...model import same

LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Role(IntEnum):
    """What somebody may do here; each may do all that stands before it."""

    VIEWER = 1
    REVIEWER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has said who they are, and proven it.

    Attributes:
        name: As it goes into votes and the audit trail; panels name people the same way.
        role: VIEWER looks, REVIEWER votes where the panel admits them, ADMIN stops and resumes.
        since: Sessions that were opened before, for example with an older password, are over.
    """

    name: str
    role: Role
    since: datetime = LONG_AGO


class People(Protocol):
    """Where people are known."""

    def by_password(self, name: str, password: str, /) -> Person | None: ...
    def by_token(self, token: str, /) -> Person | None: ...
    def by_name(self, name: str, /) -> Person | None: ...


class PeopleError(RuntimeError):
    """People cannot be looked up; the message is one sentence, and nobody comes in."""


@dataclass(frozen=True, slots=True)
class OnePerson:
    """Whoever sits at this machine. They come in by a link, so there is no password to guess."""

    name: str

    def by_password(self, _name: str, _password: str, /) -> None:
        return None

    def by_token(self, _token: str, /) -> None:
        return None

    def by_name(self, name: str, /) -> Person | None:
        return Person(name=self.name, role=Role.ADMIN) if same(name) == same(self.name) else None


@dataclass(frozen=True, slots=True)
class FirstOf:
    """Several places that know people; the first one that knows somebody has the say."""

    places: tuple[People, ...]

    def by_password(self, name: str, password: str, /) -> Person | None:
        return self._first(lambda place: place.by_password(name, password))

    def by_token(self, token: str, /) -> Person | None:
        return self._first(lambda place: place.by_token(token))

    def by_name(self, name: str, /) -> Person | None:
        return self._first(lambda place: place.by_name(name))

    def _first(self, ask: Callable[[People], Person | None]) -> Person | None:
        return next((found for place in self.places if (found := ask(place)) is not None), None)
