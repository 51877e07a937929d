"""Tell other programs what happened: signed webhooks that follow the audit trail.

Each receiver has a thread and a bookmark, kept in a file, which moves on once the receiver has said
2xx. So a message is sent at least once, whatever is killed in between, and in the order of the
trail. A receiver that fails is asked again until it answers; nothing is left out.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ...audit import details
from ...model import AuditRecord, Store, StoreError, utc_now
from ..patience import Patience
from ..posting import Address, post
from .bookmark import Bookmark
from .signatures import sign

CREATED, DECIDED = "request.created", "request.decided"
DECISIONS = frozenset({"approved", "rejected", "expired", "cancelled"})
TOLD = ("action", "risk", "environment", "requester", "acting_for", "digest")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One receiver.

    Attributes:
        name: Short and unique; its place in the trail is kept under this name.
        secret: `whsec_…`, known to the receiver; kept out of texts and logs.
        seconds: How long the receiver may take for each step of answering.
    """

    name: str
    address: Address
    secret: str = field(repr=False)
    events: frozenset[str] = frozenset({CREATED, DECIDED})
    seconds: float = 10.0

    def __post_init__(self) -> None:
        if not self.name.replace("-", "").replace("_", "").isalnum() or not self.name.isascii():
            raise ValueError("a webhook's name has letters, digits, - and _")
        if not self.events or self.events - {CREATED, DECIDED}:
            raise ValueError(f"webhooks are sent for {CREATED} and {DECIDED}")
        sign(self.secret, "", utc_now(), b"")  # a bad secret fails here, not in a thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent. Sent again, it has the same id."""

    id: str
    type: str
    body: bytes


class Courier:
    """Carries what happens in a store to one receiver, in a thread.

    Args:
        folder: Where the bookmark is kept; a new receiver begins at the end of the trail.
        looks: Seconds until it looks by itself, should the store wake nobody.
        send: Delivers bytes or raises `NotSent`.
    """

    def __init__(
        self,
        store: Store,
        hook: Hook,
        folder: Path,
        *,
        patience: Patience = Patience(most=300),
        looks: float = 5.0,
        send: Callable[[Address, dict[str, str], bytes, float], None] = post,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store, self._hook, self._patience = store, hook, patience
        self._looks, self._send, self._now = looks, send, now
        self._bookmark = Bookmark(folder / f"{hook.name}.webhook")
        self._news, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"webhook {hook.name}")

    def start(self) -> None:
        """Begin to carry. What happens from here on is sent, even if this process ends at once."""
        self._bookmark.begin(self._store)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End, soon; what has not been sent is sent after the next start."""
        self._over.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        failures = 0
        with self._store.watch("", self._news.set):
            while not self._over.is_set():
                self._news.clear()
                try:
                    self._bookmark.take()
                    self._carry_all()
                except (StoreError, OSError) as problem:
                    failures += 1
                    self._say(problem, failures)
                    self._over.wait(self._patience.wait(failures))
                else:
                    failures = 0
                    self._news.wait(self._looks)
        self._bookmark.release()

    def _carry_all(self) -> None:
        """Send what is new. The bookmark moves on when the receiver has all of a record."""
        seen = done = self._bookmark.read()
        for record in self._store.trail(after=done):
            news = [m for m in messages(record, self._store) if m.type in self._hook.events]
            for message in news:
                if self._over.is_set():
                    return
                self._carry(message)
            seen = record.seq
            if news:
                self._bookmark.write(seen)
                done = seen
        if seen > done:
            self._bookmark.write(seen)

    def _carry(self, message: Message) -> None:
        headers = sign(self._hook.secret, message.id, self._now(), message.body)
        headers["content-type"] = "application/json"
        headers["user-agent"] = "gated-agents"
        self._send(self._hook.address, headers, message.body, self._hook.seconds)

    def _say(self, problem: Exception, failures: int) -> None:
        """Tell the operator of the first failure, and whenever their number has doubled."""
        if failures & (failures - 1) == 0:
            text = "webhook %s: %s; failure %d, it is tried again"
            log.warning(text, self._hook.name, problem, failures)


def messages(record: AuditRecord, store: Store) -> Iterator[Message]:
    """Yield what a record is news of: nothing, one message, or two for a policy's decision.

    An approval that is withdrawn or runs out before the call starts is decided once more. Arguments
    are not told: whoever may see them looks the request up.
    """
    words = record.event.split(">")
    if not record.request_id:
        return
    if words[0] == "submitted":
        yield _message(CREATED, record, "submitted", store)
    if decided := next((word for word in words if word in DECISIONS), ""):
        yield _message(DECIDED, record, decided, store)


def _message(kind: str, record: AuditRecord, word: str, store: Store) -> Message:
    said = details(record)
    because = str(said.get("because") or said.get("note") or "") if kind == DECIDED else ""
    data = {
        "id": record.request_id,
        **_told(record, store),
        "decision": word if kind == DECIDED else None,
        "by": record.by if kind == DECIDED else None,
        "because": because,
        "record": record.seq,
    }
    body = json.dumps({"type": kind, "timestamp": record.at.isoformat(), "data": data})
    return Message(id=f"msg_{record.hash[:40]}_{kind[8:]}", type=kind, body=body.encode())


def _told(record: AuditRecord, store: Store) -> dict[str, Any]:
    """Return what is the same for the whole life of a request, and its digest at that moment."""
    request = store.get(record.request_id).request
    named = {name: getattr(request, name) for name in TOLD}
    digest = details(record).get("digest", request.digest)
    return {**named, "risk": request.risk.name, "digest": digest}
