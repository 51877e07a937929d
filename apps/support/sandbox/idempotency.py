"""One key, one effect: the answer to a request is kept, and given again to the same request."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .errors import KEY_MISUSED, Json, Refusal, malformed
from .faults import in_use
from .turn import Turn

KEPT = 24 * 3600  # seconds
LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An answer, and the request that it was first given to.

    Attributes:
        replayed: Whether this request has done nothing, because an earlier one had.
    """

    status: int
    body: Json
    request: str
    replayed: bool = False


class InProgress:
    """The keys whose requests this process works on right now."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, key: str) -> Generator[None]:
        """Hold a key; an empty one is everybody's.

        Raises:
            Refusal: Another request holds it.
        """
        with self._lock:
            if key in self._keys:
                raise in_use()
            if key:
                self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def checked(key: str) -> str:
    """Return a key that can be one.

    Raises:
        Refusal: It is too long.
    """
    if len(key) > LONGEST:
        raise malformed(f"An idempotency key has at most {LONGEST} characters.")
    return key


def once(turn: Turn, endpoint: str, given: Any, run: Callable[[], Json]) -> Result:
    """Run a request, or return what it was answered before.

    What it changes and what is kept of it are committed together, so no crash comes between.

    Args:
        endpoint: Method and path.
        given: The parameters, compared with those of the first request.
        run: Does it; a `Refusal` that is to be kept must leave nothing half done.

    Raises:
        Refusal: The key belongs to another request, or the parameters make no sense.
    """
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
    if kept := _kept(turn, endpoint, digest):
        return kept
    try:
        result = Result(status=200, body=run(), request=turn.request)
    except Refusal as refusal:
        if not refusal.kept:
            raise
        result = Result(status=refusal.status, body=refusal.body, request=turn.request)
    if turn.key:
        turn.rows.run(
            "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(turn.key, turn.request, endpoint, digest),
            *(result.status, json.dumps(result.body), turn.at),
        )
    return result


def _kept(turn: Turn, endpoint: str, digest: str) -> Result | None:
    query = "SELECT request, endpoint, digest, status, body FROM keys WHERE key = ? AND at > ?"
    for request, first, shown, status, body in turn.rows.run(query, turn.key, turn.at - KEPT):
        if (first, shown) != (endpoint, digest):
            other = "parameters" if first == endpoint else f"endpoint ({first})"
            raise Refusal(
                400,
                f"The idempotency key {turn.key!r} was first used with another {other}.",
                kind=KEY_MISUSED,
                kept=False,
            )
        return Result(status=status, body=json.loads(body), request=request, replayed=True)
    return None
