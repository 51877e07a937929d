"""A Maildir and its folders, as any mail program knows them; a mail is never half there."""

from __future__ import annotations

import mailbox
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from .durable import sync_folder, write_new


class Place(StrEnum):
    """Where a mail lies; each is a folder beside `new`, `cur` and `tmp`, which are the inbox."""

    INBOX = ""
    ANSWERED = ".answered"
    CLOSED = ".closed"
    REOPENED = ".reopened"
    OUTBOX = ".outbox"
    SENT = ".sent"
    REFUSED = ".refused"  # no server will take it
    UNSURE = ".unsure"  # nobody knows whether a server has taken it


OURS = frozenset({Place.OUTBOX, Place.SENT, Place.REFUSED, Place.UNSURE})
STAMP = re.compile(r"(\d{1,15})\.(?:M(\d{1,9}))?(?:P\d+)?(?:Q(\d{1,15}))?")


@dataclass(frozen=True, slots=True)
class Spot:
    """The place of a mail and its file there."""

    place: Place
    file: str  # a text: ten thousand paths would take a tenth of a second to make

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)


@dataclass(frozen=True, slots=True)
class Maildir:
    """The folders of a Maildir. A mail keeps its name, whichever folder it lies in."""

    folder: Path

    def make(self) -> None:
        """Make what is missing, and take away what was being delivered days ago."""
        for place in Place:
            for part in ("tmp", "new", "cur"):
                (self.folder / place / part).mkdir(parents=True, exist_ok=True, mode=0o700)
            if place:
                (self.folder / place / "maildirfolder").touch(mode=0o600)
        with suppress(FileNotFoundError):  # somebody else is doing the same
            mailbox.Maildir(self.folder, create=False).clean()

    def scan(self) -> dict[str, Spot]:
        """Return where every mail lies, by its name.

        `new` is read before `cur`: a mail program that moves one meanwhile cannot hide it.
        """
        found: dict[str, Spot] = {}
        for place in Place:
            for part in ("new", "cur"):
                with os.scandir(self.folder / place / part) as entries:
                    for entry in entries:
                        if entry.name[0] != "." and entry.is_file(follow_symlinks=False):
                            found[name_of(entry.name)] = Spot(place, entry.path)
        return found

    def stage(self, place: Place, name: str, content: bytes) -> None:
        """Write a mail where nobody looks for one yet."""
        path = self.folder / place / "tmp" / name
        path.unlink(missing_ok=True)
        write_new(path, content)
        sync_folder(path.parent)

    def release(self, place: Place, name: str) -> bool:
        """Make a staged mail one that is there; tell whether there was one."""
        staged = self.folder / place / "tmp" / name
        try:
            staged.rename(self.folder / place / "new" / name)
        except FileNotFoundError:
            return False
        sync_folder(staged.parent.parent / "new")
        return True

    def move(self, name: str, spot: Spot, to: Place) -> Spot:
        """Move a mail to another folder, as one that was seen."""
        path = self.folder / to / "cur" / f"{name}:2,S"
        spot.path.rename(path)
        return Spot(to, str(path))

    def sync(self, *places: Place) -> None:
        """Wait until what was moved is on the disk."""
        for place in places:
            for part in ("new", "cur"):
                sync_folder(self.folder / place / part)

    def forget_staged(self, place: Place) -> None:
        """Take away what was staged by processes that are gone."""
        for path in (self.folder / place / "tmp").iterdir():
            path.unlink(missing_ok=True)


def name_of(file: str) -> str:
    """Return the name of a mail without its flags, which change."""
    return file.partition(":")[0]


def new_name(at: datetime, number: int) -> str:
    """Return a name for a mail that arrives as the `number`th."""
    seconds, micros = int(at.timestamp()), at.microsecond
    host = re.sub(r"[^\w.-]", "_", socket.gethostname(), flags=re.ASCII) or "localhost"
    return f"{seconds}.M{micros:06}P{os.getpid()}Q{number}.{host}"


def order(name: str) -> tuple[int, int, int, str]:
    """Return by what mails are put into the order of their arrival."""
    found = STAMP.match(name)
    if not found:
        return 0, 0, 0, name
    seconds, micros, number = (int(part or 0) for part in found.groups())
    return seconds, micros, number, name


def arrived_at(name: str, path: Path) -> datetime:
    """Return when a mail arrived: as its name says, else the time of its file."""
    seconds = order(name)[0]
    try:
        return datetime.fromtimestamp(seconds or path.stat().st_mtime, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
