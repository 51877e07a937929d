"""What a commit says about itself, read from its own bytes, whatever they are."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ..model import Commit

_PERSON = re.compile(rb"(?P<name>.*?) ?<[^\n]*> (?P<seconds>-?[0-9]+)(?: [+-][0-9]+)?\Z", re.S)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Python knows many more, some of which run a little language over what they read.
_ENCODINGS = re.compile(
    r"(iso-?8859-\d{1,2}|latin-?1|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]|euc-(jp|kr)|shift[_-]jis"
    r"|gbk|gb18030|gb2312|big5)",
    re.I,
)


def read_commit(sha: str, raw: bytes) -> Commit:
    """Read a commit's bytes.

    What cannot be read is left empty, and a time outside the years 1 to 9999 is the nearest inside.
    """
    head, _, message = raw.partition(b"\n\n")
    said = dict[bytes, bytes]()
    for line in head.split(b"\n"):
        word, _, rest = line.partition(b" ")
        said.setdefault(word, rest)
    encoding = said.get(b"encoding", b"").decode("ascii", "replace")
    author = _PERSON.match(said.get(b"author", b""))
    committer = _PERSON.match(said.get(b"committer", b""))
    first = message.lstrip(b"\n").partition(b"\n")[0]
    return Commit(
        sha=sha,
        author=_text(author["name"], encoding) if author else "",
        at=_time(int(committer["seconds"][:20])) if committer else _EPOCH,
        subject=_text(first, encoding).strip(),
    )


def _text(raw: bytes, encoding: str) -> str:
    if _ENCODINGS.fullmatch(encoding):
        try:
            return raw.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            pass
    return raw.decode("utf-8", "replace")


def _time(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if seconds > 0 else datetime.min.replace(tzinfo=UTC)
