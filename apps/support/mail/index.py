"""What was read of every mail, so that it is read once; it can be thrown away at any time.

It holds a line of JSON per mail, in the order in which the mails were first seen.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..model import Attachment, Message
from .durable import append_lines, read_lines
from .folders import OURS, Spot, arrived_at, order
from .reading import MOST_READ, Letter, read, unreadable

VERSION = 1
AT_ONCE = 500  # mails, after which what was read is written down


class Index:
    """The letters of a Maildir by the names of their files, oldest arrival first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = 0
        self.letters: dict[str, Letter] = {}

    def follow(self, spots: dict[str, Spot]) -> list[str]:
        """Learn of mails that are not known yet; return their names in order."""
        known = len(self.letters)
        self._read_on()
        unknown = sorted(spots.keys() - self.letters.keys(), key=order)
        for start in range(0, len(unknown), AT_ONCE):
            self._learn(unknown[start : start + AT_ONCE], spots)
        return [*self.letters][known:]

    def _read_on(self) -> None:
        """Read what other processes have learned; a line that makes no sense is passed over."""
        try:
            if self._path.stat().st_size < self._end:  # somebody has thrown it away
                self._end = 0
        except FileNotFoundError:
            self._end = 0
        lines, self._end = read_lines(self._path, self._end)
        for line in lines:
            with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                name, letter = _unpacked(line)
                self.letters.setdefault(name, letter)

    def _learn(self, names: list[str], spots: dict[str, Spot]) -> None:
        lines = list[bytes]()
        for name in names:
            letter = _opened(name, spots[name])
            if letter is None:
                continue
            self.letters[name] = letter
            if letter.digest:  # one that could not be read is tried again by the next process
                lines.append(_packed(name, letter))
        if lines:
            append_lines(self._path, b"".join(lines), sync=False)


def _opened(name: str, spot: Spot) -> Letter | None:
    """Read a mail from its file; `None` when it has just been moved away."""
    ours = spot.place in OURS
    try:
        arrived = arrived_at(name, spot.path)
        with spot.path.open("rb") as file:
            raw = file.read(MOST_READ)
            size = max(len(raw), spot.path.stat().st_size)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return unreadable(name, reason, arrived_at(name, spot.path), ours)
    return read(raw, size=size, arrived=arrived, ours=ours)


def _packed(name: str, letter: Letter) -> bytes:
    said = asdict(letter)
    said["message"]["at"] = letter.message.at.isoformat()
    line = json.dumps([VERSION, name, said], separators=(",", ":"))
    return line.encode("utf-8", "surrogatepass") + b"\n"


def _unpacked(line: bytes) -> tuple[str, Letter]:
    version, name, said = json.loads(line)
    if version != VERSION or not isinstance(name, str):
        raise ValueError
    message: dict[str, Any] = said["message"]
    message |= {
        "at": datetime.fromisoformat(message["at"]).astimezone(UTC),
        "attachments": tuple(Attachment(**one) for one in message["attachments"]),
        "problems": tuple(message["problems"]),
    }
    said |= {"message": Message(**message), "references": tuple(said["references"])}
    return name, Letter(**said)
