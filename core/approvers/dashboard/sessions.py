"""Who is in: sessions live on the server, and leaving ends them."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ...model import same, utc_now

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
MOST_SESSIONS = 10_000
BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser that somebody has logged in with.

    Attributes:
        name: Of the person; what they may do is looked up at every request.
        csrf: Secret that every form of this session carries.
        key: Hex SHA-256 of the random id, which only the browser knows.
        opened: When the person logged in.
        used: When the person last did something.
    """

    name: str
    csrf: str
    key: str
    opened: datetime
    used: datetime


class Sessions:
    """All sessions, by the hash of their random id.

    Args:
        idle: A session that is not used for that long is over.
        longest: And so is one that is older than this, however busy.
        most: How many there may be; then the one that was opened first ends.
        now: A clock. Setting it back revives nothing.
        token: Makes an id that nobody can guess.
    """

    def __init__(
        self,
        *,
        idle: timedelta = IDLE,
        longest: timedelta = LONGEST,
        most: int = MOST_SESSIONS,
        now: Callable[[], datetime] = utc_now,
        token: Callable[[], str] = lambda: secrets.token_urlsafe(BYTES),
    ) -> None:
        self._idle, self._longest, self._most = idle, longest, most
        self._clock, self._token = now, token
        self._latest = now()
        self._open = OrderedDict[str, Session]()
        self._lock = threading.Lock()

    def open(self, name: str) -> tuple[str, Session]:
        """Return a new random id, for the cookie and nothing else, and its session."""
        token = self._token()
        with self._lock:
            now = self._now()
            made = Session(name=name, csrf=self._token(), key=hashed(token), opened=now, used=now)
            for old in [s for s in self._open.values() if self._is_over(s, now)]:
                del self._open[old.key]
            while len(self._open) >= self._most:
                self._open.popitem(last=False)
            self._open[made.key] = made
        return token, made

    def find(self, token: str, *, busy: bool = True) -> Session | None:
        """Return the session of an id, if it still is one.

        Args:
            busy: Whether a person did this, and not a page by itself.
        """
        with self._lock:
            found = self._held(hashed(token))
            if found is not None and busy:
                found = self._open[found.key] = replace(found, used=self._now())
        return found

    def holds(self, session: Session) -> bool:
        """Whether the session has neither ended nor been left; asking does not prolong it."""
        with self._lock:
            return self._held(session.key) is not None

    def close(self, session: Session) -> None:
        """End a session: its id is worth nothing from now on."""
        with self._lock:
            self._open.pop(session.key, None)

    def close_all(self, name: str = "") -> None:
        """End every session of one person, or of everybody."""
        with self._lock:
            gone = [s for s in self._open.values() if not name or same(s.name) == same(name)]
            for session in gone:
                del self._open[session.key]

    def _held(self, key: str) -> Session | None:
        found, now = self._open.get(key), self._now()
        if found is not None and self._is_over(found, now):
            del self._open[key]
            return None
        return found

    def _is_over(self, session: Session, now: datetime) -> bool:
        return now >= min(session.used + self._idle, session.opened + self._longest)

    def _now(self) -> datetime:
        self._latest = max(self._latest, self._clock())
        return self._latest


class Links:
    """Links that let one person in, once each and for a short while.

    Args:
        name: Whom they let in.
        seconds: How long a link is good.
    """

    def __init__(
        self,
        name: str,
        *,
        seconds: float = 600,
        now: Callable[[], datetime] = utc_now,
        token: Callable[[], str] = lambda: secrets.token_urlsafe(BYTES),
    ) -> None:
        self._name, self._for = name, timedelta(seconds=seconds)
        self._clock, self._token = now, token
        self._good: tuple[str, datetime] | None = None
        self._lock = threading.Lock()

    def new(self) -> str:
        """Return the token of a new link; the one before is no longer good."""
        token = self._token()
        with self._lock:
            self._good = (hashed(token), self._clock() + self._for)
        return token

    def use(self, token: str) -> str:
        """Use up a link and return the name of the person, or an empty text."""
        with self._lock:
            if self._good is None or not secrets.compare_digest(self._good[0], hashed(token)):
                return ""
            until, self._good = self._good[1], None
            return self._name if self._clock() < until else ""


def hashed(token: str) -> str:
    """Return what is kept of a secret: enough to know it again, too little to use it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
