"""Sign what is sent, and check what is received, in the way of standardwebhooks.com.

Whoever receives webhooks needs this file only, and only `verify`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

PREFIX = "whsec_"
FEWEST_BYTES, MOST_BYTES = 24, 64
TOLERANCE = timedelta(minutes=5)
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)


class NotGenuine(ValueError):
    """What was received is not what was sent: forged, changed, or of another time."""


def new_secret() -> str:
    """Return a secret that nobody else has, as both sides write it down."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers that go with `body`.

    Raises:
        ValueError: The secret is none; the sentence does not repeat it.
    """
    seconds = str(int(at.timestamp()))
    mark = base64.b64encode(_mac(_key(secret), message_id, seconds, body)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{mark}",
    }


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret: str,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """Return the id of a message that is genuine; one that has this id again is a repetition.

    Args:
        headers: As received; their names in any case.
        body: The bytes as received, before anything has parsed them.
        tolerance: How far the time of sending may lie from `now`, before it or after it.

    Raises:
        NotGenuine: It is not; do nothing with it, and answer 400.
        ValueError: The secret is none.
    """
    key = _key(secret)
    given = {name.lower(): value for name, value in headers.items()}
    message_id, seconds = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not message_id or not _DIGITS.fullmatch(seconds):
        raise NotGenuine("a webhook has an id and a time of sending")
    if abs(now.astimezone(UTC).timestamp() - int(seconds)) > tolerance.total_seconds():
        raise NotGenuine("it was sent at another time, so it may be a repetition")
    wanted = _mac(key, message_id, seconds, body)
    marks = given.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(_mark(mark), wanted) for mark in marks):
        raise NotGenuine("no signature on it is of this secret")
    return message_id


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(
            f"a webhook's secret is {PREFIX} and {FEWEST_BYTES} to {MOST_BYTES} bytes in base64"
        )
    return key


def _mac(key: bytes, message_id: str, seconds: str, body: bytes) -> bytes:
    heading = f"{message_id}.{seconds}.".encode("utf-8", "backslashreplace")
    return hmac.new(key, heading + body, hashlib.sha256).digest()


def _mark(text: str) -> bytes:
    """Return the bytes of one signature; none for another version, or for what is no base64."""
    version, _, mark = text.partition(",")
    try:
        return base64.b64decode(mark, validate=True) if version == "v1" else b""
    except (binascii.Error, ValueError):
        return b""
