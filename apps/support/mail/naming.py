"""What an attachment calls itself, as a name that is harmless everywhere."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.message import Message as Part

from .headers import decoded_words, first

LONGEST = 120  # characters


def file_name(part: Part) -> str:
    """Return the name of an attachment, never a path; empty when it has none."""
    for header in ("content-disposition", "content-type"):
        raw = first(part, header)
        if not raw.isascii():  # many programs write names as they are
            part.replace_header(header, raw)
    try:
        said = part.get_filename() or ""
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):
        return "unnamed"
    text = said.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return harmless(decoded_words(text, 10 * LONGEST))


def harmless(name: str) -> str:
    r"""Return the last part of what may be a path, without what no file should be called.

    >>> harmless("../../etc/passwd"), harmless("C:\\Users\\x\\photo 1.jpg"), harmless(".bashrc")
    ('passwd', 'photo 1.jpg', 'bashrc')
    """
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    plain = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in last)
    plain = plain.strip().lstrip(".").strip()
    if len(plain) > LONGEST:
        stem, dot, kind = plain.rpartition(".")
        plain = f"{stem[: LONGEST - 11]}{dot}{kind[:10]}" if dot else plain[:LONGEST]
    return plain or ("unnamed" if name.strip() else "")
