"""What the head of a mail says: who, when, about what, in answer to which; never an exception."""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from .charsets import decoded, one_line

Head = Message
"""The head of a mail as the standard library reads it, without policies that may fail on it."""

ADDRESS = re.compile(
    r"[^\s<>\"(),:;@\[\\\]\x00-\x1f\x7f]{1,128}@[^\s<>:;=?@\[\\\]\x00-\x2c]{1,255}"
)
MESSAGE_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f]{1,500}>")
MOST_REFERENCES = 100
MOST_SENDERS = 20
LONGEST = 10_000  # characters of one header
EARLY = timedelta(days=1)
MOST_HOPS = 50


def words(head: Head, name: str, most: int) -> str:
    """Return a header as one line of text, with its encoded words decoded."""
    return decoded_words(first(head, name), most)


def first(head: Head, name: str) -> str:
    """Return a header as it stands there, the first of several; empty when it is missing."""
    return next(iter(every(head, name)), "")


def every(head: Head, name: str) -> list[str]:
    """Return all headers of a name as they stand there, with odd bytes as they are."""
    return [_plain(str(value))[:LONGEST] for key, value in head.raw_items() if key.lower() == name]


def _plain(value: str) -> str:
    """Return a header whose bytes were no ASCII as what they most probably are."""
    return decoded(value.encode("utf-8", "surrogateescape"), "utf-8")[0]


def decoded_words(text: str, most: int) -> str:
    """Decode the encoded words of RFC 2047; what cannot be decoded stays as it is."""
    try:
        parts = [
            part if isinstance(part, str) else decoded(part, charset or "")[0]
            for part, charset in decode_header(text)
        ]
    except (MessageError, NotBase64, ValueError, LookupError):
        return one_line(text, most)
    return one_line("".join(parts), most)


def senders(head: Head) -> list[tuple[str, str]]:
    """Return the names and addresses, in lower case, that a mail says it comes from."""
    return _addresses(every(head, "from"))


def answers_to(head: Head) -> list[str]:
    """Return where a mail wants to be answered."""
    return [address for _, address in _addresses(every(head, "reply-to"))]


def _addresses(values: list[str]) -> list[tuple[str, str]]:
    try:
        found = getaddresses(values[:MOST_SENDERS])[:MOST_SENDERS]
    except (RecursionError, ValueError, IndexError):  # such as comments, ten thousand deep
        return []
    names: dict[str, str] = {}
    for name, address in found:
        if ADDRESS.fullmatch(address.strip()):
            names.setdefault(address.strip().lower(), decoded_words(name, 200))
    return [(name, address) for address, name in names.items()]


def message_id(head: Head) -> str:
    """Return the Message-ID with its brackets; empty when there is none that could be one."""
    found = MESSAGE_ID.search(first(head, "message-id"))
    return found[0] if found else ""


def references(head: Head) -> tuple[str, ...]:
    """Return the Message-IDs of what a mail answers, the nearest first, each once."""
    near = MESSAGE_ID.findall(first(head, "in-reply-to"))
    far = MESSAGE_ID.findall(" ".join(every(head, "references")))
    kept = far[:1] + far[1:][-MOST_REFERENCES:]  # the first says which thread it is
    return tuple(dict.fromkeys([*near[:10], *reversed(kept)]))


def written_at(head: Head, arrived: datetime) -> tuple[datetime, str]:
    """Return when a mail was sent, in UTC, and a sentence when that is not what it says."""
    said = first(head, "date")
    try:
        at = parsedate_to_datetime(said)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        what = "its date cannot be read" if said else "it has no date"
        return arrived, f"Its time is that of its arrival, for {what}."
    if at > arrived + EARLY:
        return arrived, f"It is dated {at:%Y-%m-%d}, after it arrived; its time is that of arrival."
    return at, ""


def is_automatic(head: Head) -> bool:
    """Tell whether a machine has sent it on its own; answering one may never end."""
    auto = first(head, "auto-submitted").strip().lower()
    bulk = first(head, "precedence").strip().lower() in {"bulk", "junk", "auto_reply"}
    return bool(
        (auto and not auto.startswith("no"))
        or bulk
        or first(head, "return-path").strip() == "<>"
        or first(head, "x-autoreply")
        or len(every(head, "received")) > MOST_HOPS
    )
