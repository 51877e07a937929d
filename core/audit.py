"""A record that shows when somebody has changed it: each line holds the hash of the one before.

A chain cannot see that its end was cut off. A checkpoint that is kept elsewhere can: three lines
with a name, a count and the hash at that count.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from .model import AuditRecord

dumps = json.JSONEncoder(separators=(",", ":")).encode

DOMAIN = b"gated-agents/audit/1\n"
START = "0" * 64
ORIGIN = "gated-agents audit trail"


def seal(previous: str, body: str) -> str:
    """Return the hash of a record: hex SHA-256 over the one before it and its own text."""
    return hashlib.sha256(DOMAIN + previous.encode() + b"\n" + body.encode()).hexdigest()


def record(
    *,
    seq: int,
    at: datetime,
    event: str,
    request_id: str,
    by: str,
    details: Mapping[str, str],
    previous: str,
) -> AuditRecord:
    """Return the next record. `details` is what it says beyond its heading."""
    heading = [seq, at.isoformat(), event, request_id, by]
    body = dumps({"record": heading, "details": dict(details)})
    return AuditRecord(
        seq=seq,
        at=at,
        event=event,
        request_id=request_id,
        by=by,
        body=body,
        previous=previous,
        hash=seal(previous, body),
    )


def details(record: AuditRecord) -> dict[str, Any]:
    """Return what the record says beyond its heading."""
    found: dict[str, Any] = json.loads(record.body)["details"]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How long the trail was, and the hash it had there. Keep it where the store is not."""

    count: int
    root: str

    def __str__(self) -> str:
        return f"{ORIGIN}\n{self.count}\n{self.root}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """Read the three lines of a checkpoint.

    Raises:
        ValueError: It is not one.
    """
    found = re.fullmatch(rf"\s*{ORIGIN}\s+([0-9]{{1,18}})\s+([0-9a-f]{{64}})\s*", text)
    if found is None:
        raise ValueError(f"a checkpoint has three lines: {ORIGIN!r}, a count, and a hash")
    return Checkpoint(count=int(found[1]), root=found[2])


def checkpoint(records: Iterable[AuditRecord]) -> Checkpoint:
    """Return the checkpoint for a trail that ends where `records` ends."""
    count, root = 0, START
    for found in records:
        count, root = found.seq, found.hash
    return Checkpoint(count=count, root=root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What `verify` found.

    Attributes:
        count: How many records, from the first, hold together.
        proven: Up to which record that is proven by a checkpoint; the rest could have been
            written anew, all of it, by whoever can write to the store.
        problem: The first thing that is wrong, one sentence; empty when nothing is.
        first_bad: Number of the first bad record, or 0.
    """

    count: int
    proven: int = 0
    problem: str = ""
    first_bad: int = 0

    def __bool__(self) -> bool:
        return not self.problem

    def __str__(self) -> str:
        if self.problem:
            return f"record {self.first_bad} is bad: {self.problem}; {self.count} before it hold"
        proof = (
            f"proven by a checkpoint up to record {self.proven}"
            if self.proven
            else ("no checkpoint was given, so a trail rewritten as a whole would look the same")
        )
        return f"{self.count} records hold together; {proof}"


def verify(records: Iterable[AuditRecord], *checkpoints: Checkpoint) -> Verified:
    """Walk the chain from its first record and name the first that does not fit."""
    count, root, proven = 0, START, 0
    marks = {count: root}
    for mark in checkpoints:
        if marks.setdefault(mark.count, mark.root) != mark.root:
            text = f"two checkpoints at {mark.count} are of different trails"
            return Verified(count=0, problem=text, first_bad=1)
    for found in records:
        if problem := _problem(found, count, root):
            return Verified(count=count, proven=proven, problem=problem, first_bad=count + 1)
        count, root = found.seq, found.hash
        if count in marks:
            if marks[count] != root:
                text = f"the checkpoint at {count} has another hash"
                return Verified(count=proven, proven=proven, problem=text, first_bad=proven + 1)
            proven = count
    if max(marks) > count:
        text = f"the trail ends at {count}, but a checkpoint has seen {max(marks)} records"
        return Verified(count=count, proven=proven, problem=text, first_bad=count + 1)
    return Verified(count=count, proven=proven)


def _problem(found: AuditRecord, count: int, root: str) -> str:
    if found.seq != count + 1:
        return f"its number is {found.seq}, and {count + 1} was expected"
    if found.previous != root:
        return "it does not follow from the record before it"
    if seal(found.previous, found.body) != found.hash:
        return "its text was changed"
    heading = [found.seq, found.at.isoformat(), found.event, found.request_id, found.by]
    if _heading(found.body) != heading:
        return "its columns differ from its text"
    return ""


def _heading(body: str) -> Any:
    try:
        return json.loads(body)["record"]
    except (ValueError, KeyError, TypeError):
        return None


FORMULA_STARTS = frozenset("=+-@\t\r\n")
COLUMNS = ("seq", "at", "event", "request_id", "by", "details", "previous", "hash")


def export(records: Iterable[AuditRecord], to: IO[str], kind: str = "jsonl") -> int:
    """Write the trail as `"jsonl"` or `"csv"`; return how many records were written.

    A line of JSON has the record's own text in `body`, so the hashes can be checked by others.

    Raises:
        ValueError: Another format.
    """
    match kind:
        case "jsonl":
            lines = _json_lines(records)
        case "csv":
            return _write_csv(records, to)
        case _:
            raise ValueError(f"export knows jsonl and csv, not {kind!r}")
    return sum(1 for line in lines if to.write(line))


def _json_lines(records: Iterable[AuditRecord]) -> Iterator[str]:
    for found in records:
        named = {name: getattr(found, name) for name in ("event", "request_id", "by", "body")}
        ends = {"previous": found.previous, "hash": found.hash}
        yield json.dumps({"seq": found.seq, "at": found.at.isoformat(), **named, **ends}) + "\n"


def _write_csv(records: Iterable[AuditRecord], to: IO[str]) -> int:
    writer, count = csv.writer(to), 0
    writer.writerow(COLUMNS)
    for found in records:
        count += 1
        text = json.dumps(details(found), separators=(",", ":"))
        cells = (found.event, found.request_id, found.by, text)
        row = (found.seq, found.at.isoformat(), *map(_cell, cells), found.previous, found.hash)
        writer.writerow(row)
    return count


def _cell(text: str) -> str:
    """Keep a spreadsheet from reading a name as a formula."""
    first = unicodedata.normalize("NFKC", text.lstrip(" ")[:1])
    return f"'{text}" if first in FORMULA_STARTS else text
