"""What the help desk has done, each under a key: asked for again, it is found and not repeated.

A deed is written down before it is done, with all it takes to finish it, and marked when it is.
So a process that was killed in between leaves a deed that the next one finishes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..errors import MailError
from .durable import append_lines, read_lines
from .folders import Place

Kind: TypeAlias = Literal["reply", "close", "reopen", "note", "sending"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that is done to a ticket once.

    Attributes:
        at: When, UTC, in ISO format.
        digest: Of all that the caller has said; the same key with another is a mistake.
        note: A sentence that the ticket keeps; may be empty.
        file: Name of the mail that a reply lies in.
        moves: Names of the mails that go `to` another folder.
    """

    key: str
    kind: Kind
    ticket: str
    at: str
    digest: str
    note: str = ""
    file: str = ""
    moves: tuple[str, ...] = ()
    to: Place | None = None


class Journal:
    """All deeds by their keys, oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = 0
        self.deeds: dict[str, Deed] = {}
        self.notes: dict[str, dict[str, str]] = {}  # of a ticket, by the key of the deed
        self.unfinished: dict[str, Deed] = {}

    def follow(self) -> None:
        """Read what other processes have written.

        Raises:
            MailError: A line is damaged; nothing is done before somebody has looked at it.
        """
        lines, end = read_lines(self._path, self._end)
        for line in lines:
            self._take(line)
        self._end = end

    def find(self, key: str, digest: str) -> Deed | None:
        """Return what was done under a key.

        Raises:
            MailError: It was something else.
        """
        deed = self.deeds.get(key)
        if deed is not None and deed.digest != digest:
            raise MailError(
                f"The key {key!r} was used for something else: a {deed.kind} of {deed.ticket};"
                " nothing was done."
            )
        return deed

    def begin(self, deed: Deed) -> None:
        """Write a deed down; from now on it will be done, whatever happens."""
        append_lines(self._path, _line("begin", asdict(deed)))
        self.follow()

    def finish(self, key: str) -> None:
        """Mark a deed as done. It is not waited for: to do a deed again changes nothing."""
        append_lines(self._path, _line("done", key), sync=False)
        self.follow()

    def _take(self, line: bytes) -> None:
        try:
            word, said = json.loads(line)
            if word == "done":
                self.unfinished.pop(str(said), None)
                return
            self._begun(_deed(said))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise MailError(
                f"{self._path} has a line that is damaged, so nobody knows what was done;"
                " nothing was done: repair or remove the line."
            ) from None

    def _begun(self, deed: Deed) -> None:
        self.deeds[deed.key] = deed
        self.unfinished[deed.key] = deed
        if deed.note:
            self.notes.setdefault(deed.ticket, {})[deed.key] = deed.note


def _line(word: str, said: object) -> bytes:
    return json.dumps([word, said], separators=(",", ":")).encode() + b"\n"


def _deed(said: dict[str, Any]) -> Deed:
    to = said["to"]
    said |= {"moves": tuple(said["moves"]), "to": None if to is None else Place(to)}
    return Deed(**said)


def digest_of(*words: str) -> str:
    """Return what tells apart two things that might be asked for under one key."""
    said = json.dumps(words).encode()
    return hashlib.sha256(said).hexdigest()
