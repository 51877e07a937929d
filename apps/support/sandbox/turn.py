"""One request's turn with the state: what it may change, and what becomes known of it."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import Json
from .state import Rows

KEY = "sk_test_sandbox"
SECRET = "whsec_sandbox"  # noqa: S105 - everybody knows it: there is no money here
VERSION = "2026-10-28.endive"

EventType = Literal[
    "customer.created",
    "charge.succeeded",
    "charge.captured",
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.closed",
    "payment_intent.succeeded",
    "refund.created",
    "refund.updated",
    "refund.failed",
]


def random_id(prefix: str, source: random.Random | None = None) -> str:
    """Return an id such as `"ch_"` and 24 letters and digits."""
    letters = string.ascii_letters + string.digits
    drawn = (source or random.SystemRandom()).choices(letters, k=24)
    return f"{prefix}_{''.join(drawn)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How one process of the sandbox behaves.

    Attributes:
        webhooks: Addresses that are told of events.
        settles: Seconds until a refund that is not done at once becomes what it will be.
        now: Seconds since 1970.
    """

    key: str = KEY
    secret: str = SECRET
    webhooks: tuple[str, ...] = ()
    settles: float = 2.0
    now: Callable[[], float] = time.time
    new: Callable[[str], str] = random_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A transaction, and who asked for it.

    Attributes:
        at: Seconds since 1970; what is made now carries it.
        request: The request's id.
        key: The request's idempotency key, or empty.
        quiet: Whether no event is written: the past was told of in the past.
    """

    rows: Rows
    setup: Setup
    at: int
    request: str = ""
    key: str = ""
    quiet: bool = False

    def new(self, prefix: str) -> str:
        """Return an id that nothing has."""
        return self.setup.new(prefix)

    def emit(self, kind: EventType, about: Json, before: Json | None = None) -> None:
        """Write down that something happened, and that the webhooks are to be told.

        Args:
            before: What has changed, as it was.
        """
        if self.quiet:
            return
        data: Json = {"object": about}
        if before is not None:
            data["previous_attributes"] = before
        event: Json = {
            "id": self.new("evt"),
            "object": "event",
            "api_version": VERSION,
            "created": self.at,
            "data": data,
            "livemode": False,
            "pending_webhooks": len(self.setup.webhooks),
            "request": {"id": self.request or None, "idempotency_key": self.key or None},
            "type": kind,
        }
        self.rows.add(event)
        for url in self.setup.webhooks:
            self.rows.run(
                "INSERT INTO deliveries (event, url, at, state) VALUES (?, ?, ?, 'due')",
                event["id"],
                url,
                self.setup.now(),
            )
