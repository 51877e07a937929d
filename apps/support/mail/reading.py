"""Read any bytes as a mail: plain text, safe to show, and a sentence for what could not be read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from email import policy
from email.message import Message as Part
from email.parser import BytesHeaderParser, BytesParser
from typing import cast

from ..model import Attachment, Message
from . import headers
from .charsets import cleaned, decoded
from .markup import seen
from .naming import file_name

MOST_READ = 8 << 20  # bytes of one mail
LONGEST_HEAD = 256 << 10  # bytes
LONGEST_TEXT = 50_000  # characters
MOST_PARTS = 200
DEEPEST = 20
LONGEST_SUBJECT = 300  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail as it was read, and what threads need to know of it.

    Attributes:
        references: Message-IDs of what it answers, the nearest first.
        is_certain: Whether it names one sender, so that it may join a ticket of theirs.
        is_automatic: Whether a machine has sent it on its own.
        digest: Of what its sender wrote; two deliveries of one mail have the same.
        ticket: The ticket that one of our own replies belongs to.
    """

    message: Message
    references: tuple[str, ...] = ()
    is_certain: bool = True
    is_automatic: bool = False
    digest: str = ""
    ticket: str = ""


@dataclass(slots=True)
class _Found:
    """What is found while a mail is read from part to part."""

    texts: list[str] = field(default_factory=list[str])
    attachments: list[Attachment] = field(default_factory=list[Attachment])
    problems: list[str] = field(default_factory=list[str])
    parts: int = 0


def read(raw: bytes, *, size: int, arrived: datetime, ours: bool = False) -> Letter:
    """Read a mail. Whatever the bytes are, this returns a letter: no mail is lost.

    Args:
        raw: Its bytes, or the first `MOST_READ` of them.
        size: How many bytes it has.
        arrived: UTC.
        ours: Whether the help desk has written it.
    """
    try:
        return _read(raw, size, arrived, ours)
    except Exception as error:  # nobody knows all that the parsers may stumble over
        name = hashlib.sha256(raw).hexdigest()
        letter = unreadable(name, f"reading it ended with {type(error).__name__}", arrived, ours)
        return replace(letter, digest=name[:32])


def unreadable(name: str, why: str, arrived: datetime, ours: bool) -> Letter:
    """Return what stands for a mail that cannot be read."""
    message = Message(
        id=f"<{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}@unreadable>",
        sender="",
        name="",
        subject="(a mail that cannot be read)",
        ours=ours,
        at=arrived,
        text="",
        problems=(f"This mail cannot be read: {why}.",),
    )
    return Letter(message=message, is_certain=False)


def _read(raw: bytes, size: int, arrived: datetime, ours: bool) -> Letter:
    found = _Found()
    if size > len(raw):
        found.problems.append(f"It has {size:,} bytes; only the first {len(raw):,} were read.")
    raw = _with_short_head(raw, found)
    body = raw.partition(b"\r\n\r\n" if b"\r\n\r\n" in raw[:LONGEST_HEAD] else b"\n\n")[2]
    try:
        head: Part = BytesParser(policy=policy.compat32).parsebytes(raw)
        _read_part(head, found, depth=0)
    except Exception as error:  # whatever the parser stumbles over, the mail is not lost
        head = BytesHeaderParser(policy=policy.compat32).parsebytes(raw[:LONGEST_HEAD])
        found.problems.append(f"It could not be read to its end ({type(error).__name__}).")
    return _letter(head, found, body, arrived, ours)


def _with_short_head(raw: bytes, found: _Found) -> bytes:
    """Return a mail whose head is short enough to be read in no time."""
    end = re.search(rb"\r?\n\r?\n", raw)
    start = end.start() if end else len(raw)
    if start <= LONGEST_HEAD:
        return raw
    found.problems.append(f"Only the first {LONGEST_HEAD:,} bytes of its head were read.")
    kept = raw[: raw.rfind(b"\n", 0, LONGEST_HEAD) + 1]
    return kept + b"\n" + (raw[end.end() :] if end else b"")


def _read_part(part: Part, found: _Found, *, depth: int) -> None:
    """Add what one part holds: its text, or that it is attached."""
    found.parts += 1
    if found.parts > MOST_PARTS or depth > DEEPEST:
        if found.parts == MOST_PARTS + 1 or depth == DEEPEST + 1:
            found.problems.append("It has too many parts; some were left out.")
        return
    kind = part.get_content_type()
    if kind.startswith("message/") or not part.is_multipart():
        _read_leaf(part, kind, found)
    elif kind == "multipart/alternative":
        _read_part(_best(part), found, depth=depth + 1)
    else:
        for one in _parts(part):
            _read_part(one, found, depth=depth + 1)


def _parts(part: Part) -> Iterator[Part]:
    inside = part.get_payload()
    if isinstance(inside, list):
        yield from (one for one in cast("list[object]", inside) if isinstance(one, Part))


def _best(part: Part) -> Part:
    """Return the plain one of several forms of the same, else the last, which is the richest."""
    forms = [*_parts(part)] or [Part()]
    for form in forms:
        if form.get_content_type() == "text/plain" and _content(form).strip():
            return form
    return forms[-1]


def _read_leaf(part: Part, kind: str, found: _Found) -> None:
    name = file_name(part)
    is_attached = str(part.get("content-disposition", "")).strip().lower().startswith("attachment")
    if is_attached or name or kind not in {"text/plain", "text/html"}:
        shown = re.sub(r"[^\w./+-]", "?", kind[:100], flags=re.ASCII)
        size = len(part.as_bytes()) if part.is_multipart() else len(_content(part))
        found.attachments.append(Attachment(name=name or "unnamed", kind=shown, size=size))
        return
    text, problem = decoded(_content(part), _charset(part))
    problems = [problem]
    if kind == "text/html":
        text, more = seen(text)
        problems.extend(more)
    found.texts.append(text)
    found.problems.extend(one for one in problems if one)


def _content(part: Part) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _charset(part: Part) -> str:
    try:
        return str(part.get_content_charset() or "")
    except (ValueError, LookupError, TypeError):
        return "?"


def _letter(head: Part, found: _Found, body: bytes, arrived: datetime, ours: bool) -> Letter:
    senders = headers.senders(head)
    name, sender = senders[0] if senders else ("", "")
    at, late = headers.written_at(head, arrived)
    text, unseen = cleaned("\n\n".join(one for one in found.texts if one.strip()))
    problems = [*found.problems, late, unseen]
    if not ours:
        problems.extend(_doubts(head, senders))
    if len(text) > LONGEST_TEXT:
        problems.append(f"Only the first {LONGEST_TEXT:,} of {len(text):,} characters are shown.")
    subject = headers.words(head, "subject", LONGEST_SUBJECT)
    words = [sender, subject, headers.first(head, "date")]
    if not (any(words) or body.strip()):  # then the other headers are all that tells it apart
        words = [f"{header}: {value}" for header, value in head.raw_items()]
    said = "\0".join(words).encode("utf-8", "replace")
    digest = hashlib.sha256(said + b"\0" + body.replace(b"\r\n", b"\n").strip()).hexdigest()[:32]
    message = Message(
        id=headers.message_id(head) or f"<{digest}@no-message-id>",
        sender=sender,
        name=name,
        subject=subject,
        ours=ours,
        at=at,
        text=text[:LONGEST_TEXT].strip("\n"),
        attachments=tuple(found.attachments),
        problems=tuple(dict.fromkeys(one for one in problems if one)),
    )
    return Letter(
        message=message,
        references=headers.references(head),
        is_certain=len(senders) == 1,
        is_automatic=headers.is_automatic(head),
        digest=digest,
        ticket=headers.first(head, "x-ticket").strip() if ours else "",
    )


def _doubts(head: Part, senders: list[tuple[str, str]]) -> Iterator[str]:
    """Yield what a person should know before trusting the head of a mail."""
    if not senders:
        yield "It does not say who sent it, so it cannot be answered."
    if len(senders) > 1:
        others = ", ".join(address for _, address in senders[1:])
        yield f"It names several senders; besides the first: {others[:300]}."
    if len(headers.every(head, "subject")) > 1:
        yield "It has several subjects; the first is shown."
    elsewhere = set(headers.answers_to(head)) - {address for _, address in senders}
    if elsewhere:
        yield f"It asks for answers to {min(elsewhere)[:200]}; they go to its sender all the same."
    if headers.is_automatic(head):
        yield "A machine has sent it on its own."
