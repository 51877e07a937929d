"""People in a file: their names, what they may do, and argon2 hashes instead of passwords."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
import unicodedata
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ...display import safe
from ...model import NOBODY, same, utc_now
from .people import LONG_AGO, PeopleError, Person, Role
from .sessions import hashed

SHORTEST, LONGEST = 12, 1_000
LONGEST_NAME = 100
MOST_AT_ONCE = 2
"""Each check of a password takes 64 MB of memory for a moment."""
TOKEN = "gate_"  # noqa: S105 - not a secret: how every token begins, so that one is known when seen


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One line of the file.

    Attributes:
        password: An argon2 hash; empty for somebody who comes in another way.
        tokens: Hex SHA-256 of the API tokens.
        since: When the password was set.
    """

    name: str
    role: Role
    password: str = ""
    tokens: tuple[str, ...] = ()
    since: datetime = LONG_AGO

    @property
    def person(self) -> Person:
        """The same one, without what proves it."""
        return Person(name=self.name, role=self.role, since=self.since)


class Users:
    """A file of people, one JSON object a line, that only its owner can read.

    It is read again whenever it has changed, so a person who is removed is out at once. All
    methods raise `PeopleError` when the file cannot be used.

    Args:
        path: The file; the methods that change it make it.
        hasher: How passwords are hashed; a hash made otherwise is renewed at the next login.
    """

    def __init__(
        self,
        path: Path,
        *,
        hasher: PasswordHasher | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.path = path
        self._hasher = hasher or PasswordHasher()
        self._now = now
        self._seen: tuple[int, ...] = ()
        self._known: Mapping[str, User] = {}
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)

    def by_password(self, name: str, password: str, /) -> Person | None:
        """Return who has that name and password; an unknown name takes as long as a known one."""
        user = self.everybody().get(same(name))
        right = self._fits(user.password if user else "", password)
        if user is None or not right:
            return None
        if self._hasher.check_needs_rehash(user.password):
            with suppress(PeopleError):  # a file that is only to be read does for coming in
                self._renew(user, password)
        return user.person

    def by_token(self, token: str, /) -> Person | None:
        """Return whose API token this is."""
        key = hashed(token)
        found = [user for user in self.everybody().values() if key in user.tokens]
        return found[0].person if found else None

    def by_name(self, name: str, /) -> Person | None:
        """Return who has that name; two spellings of one name are one person."""
        user = self.everybody().get(same(name))
        return user.person if user else None

    def everybody(self) -> Mapping[str, User]:
        """Return all users by the form of their name that `same` gives."""
        try:
            about = self.path.stat()
            mark = (about.st_mtime_ns, about.st_size, about.st_ino, about.st_mode)
            if mark != self._seen:
                _is_private(self.path, about.st_mode)
                self._known, self._seen = _read(self.path.read_text("utf-8")), mark
        except FileNotFoundError:
            raise PeopleError(
                f"there is no users file at {self.path}; `user add` makes one"
            ) from None
        except OSError as error:
            raise PeopleError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise PeopleError(f"{self.path} is damaged: it does not read as a users file") from None
        return self._known

    def add(self, name: str, role: Role, password: str = "") -> User:
        """Add somebody.

        Raises:
            PeopleError: The name is taken or no name, or the password is too short.
        """
        _is_name(name)
        user = User(name=name, role=role, password=self._hash(password), since=self._now())
        with self._changing() as users:
            if found := users.get(same(name)):
                raise PeopleError(f"{found.name} is there already")
            users[same(name)] = user
        return user

    def remove(self, name: str) -> None:
        """Take somebody out, with all tokens."""
        with self._changing() as users:
            del users[_there(users, name)]

    def set_role(self, name: str, role: Role) -> None:
        """Say what somebody may do from now on."""
        self._change(name, lambda user: replace(user, role=role))

    def set_password(self, name: str, password: str) -> None:
        """Give somebody a new password; whoever is in with the old one is out."""
        made, now = self._hash(password), self._now()
        self._change(name, lambda user: replace(user, password=made, since=now))

    def new_token(self, name: str) -> str:
        """Return a new API token; only its hash is kept, so it cannot be shown again."""
        token = TOKEN + secrets.token_urlsafe(32)
        self._change(name, lambda user: replace(user, tokens=(*user.tokens, hashed(token))))
        return token

    def revoke_tokens(self, name: str) -> None:
        """Make all API tokens of somebody worthless."""
        self._change(name, lambda user: replace(user, tokens=()))

    def _change(self, name: str, change: Callable[[User], User]) -> None:
        with self._changing() as users:
            key = _there(users, name)
            users[key] = change(users[key])

    def _fits(self, known: str, password: str) -> bool:
        with self._turns:
            try:
                self._hasher.verify(known or self._nobodys, unicodedata.normalize("NFKC", password))
            except (VerificationError, InvalidHashError):
                return False
        return bool(known)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(32))

    def _hash(self, password: str) -> str:
        if not password:
            return ""
        if not SHORTEST <= len(password) <= LONGEST:
            raise PeopleError(f"a password has {SHORTEST} to {LONGEST:,} characters")
        return self._hasher.hash(unicodedata.normalize("NFKC", password))

    def _renew(self, user: User, password: str) -> None:
        made = self._hasher.hash(unicodedata.normalize("NFKC", password))
        with self._changing() as users:
            now = users.get(same(user.name))
            if now is not None and now.password == user.password:
                users[same(user.name)] = replace(now, password=made)

    @contextmanager
    def _changing(self) -> Generator[dict[str, User]]:
        """Lend all users; what the block leaves is written whole or not at all."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise PeopleError(f"{self.path.parent} cannot be opened: {error.strerror}") from None
        try:
            # Two programs that change the file at once would lose what one of them did.
            fcntl.flock(folder, fcntl.LOCK_EX)
            users = dict(self.everybody()) if self.path.exists() else {}
            yield users
            _write(self.path, users)
            os.fsync(folder)
        except OSError as error:
            raise PeopleError(f"{self.path} cannot be written: {error.strerror}") from None
        finally:
            os.close(folder)


def _is_private(path: Path, mode: int) -> None:
    if mode & 0o077:
        raise PeopleError(f"{path} is open to others on this machine: chmod 600 {path}")


def _is_name(name: str) -> None:
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME or safe(name) != name:
        raise PeopleError(f"a name has 1 to {LONGEST_NAME} characters that everybody can see")
    if same(name) == NOBODY:
        raise PeopleError(f"{name} is the name of silence, so nobody can have it")


def _there(users: Mapping[str, User], name: str) -> str:
    if same(name) not in users:
        raise PeopleError(f"nobody here goes by {safe(name)}")
    return same(name)


def _read(text: str) -> Mapping[str, User]:
    found: dict[str, User] = {}
    for line in text.splitlines():
        entry = json.loads(line)
        user = User(
            name=str(entry["name"]),
            role=Role[entry["role"].upper()],
            password=str(entry["password"]),
            tokens=tuple(str(token) for token in entry["tokens"]),
            since=datetime.fromisoformat(entry["since"]).astimezone(LONG_AGO.tzinfo),
        )
        if same(user.name) in found:
            raise ValueError("two lines are about one person")
        found[same(user.name)] = user
    return found


def _write(path: Path, users: Mapping[str, User]) -> None:
    lines = [
        json.dumps(
            asdict(user) | {"role": user.role.name.lower(), "since": user.since.isoformat()},
            ensure_ascii=False,
        )
        for user in users.values()
    ]
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
