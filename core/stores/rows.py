"""A stored request as text: what every store keeps, and what the audit trail has the hash of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..canonical import decode, encode
from ..model import (
    ApprovalRequest,
    Approve,
    BoundFile,
    Charge,
    Decision,
    Edit,
    Outcome,
    Panel,
    Parameter,
    Place,
    Preview,
    Quote,
    Reject,
    Risk,
    State,
    StoredRequest,
    StoreError,
    Table,
    Vote,
)

dumps = json.JSONEncoder(separators=(",", ":")).encode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """Return microseconds since 1970, the form in which stores keep instants."""
    return (instant - EPOCH) // MICROSECOND


def instant(micros: int) -> datetime:
    """Return the instant that `micros` was made from."""
    return EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True)
class Row:
    """What a store keeps of a request.

    Attributes:
        request: JSON text; changes only when a person's edit replaces the arguments.
        progress: JSON text: votes, decision, proposal, outcome.
    """

    id: str
    state: str
    request: str
    progress: str

    def fingerprint(self) -> str:
        """Return the hash by which the audit trail knows this row."""
        text = f"{self.id}\n{self.state}\n{self.request}\n{self.progress}"
        return hashlib.sha256(text.encode()).hexdigest()


def to_row(stored: StoredRequest, text: str = "") -> Row:
    """Return `stored` as text. `text` is that of the request, where it is known already."""
    request = stored.request
    written = text or request_text(request)
    return Row(request.id, stored.state.value, written, progress_text(stored))


def request_text(request: ApprovalRequest) -> str:
    """Return a request as JSON; arguments and preview stay in their canonical bytes."""
    fields = (
        request.id,
        request.action,
        request.digest,
        request.origin,
        request.version,
        int(request.risk),
        request.environment,
        [sorted(request.panel.members), request.panel.votes],
        request.requester,
        request.acting_for,
        request.run,
        request.key,
        request.revision,
        request.problem,
        micros(request.asked_at),
        micros(request.expires_at),
        request.run_within // MICROSECOND,
        [[p.name, p.annotation, p.secret] for p in request.parameters],
        *([request.remarks] if request.remarks else []),
    )
    frozen, preview = request.frozen.decode(), preview_text(request.preview)
    more = ""
    if request.batch is not None or request.charges:
        place = None if request.batch is None else _place(request.batch)
        more = f",{dumps(place)},{dumps([*map(_charge, request.charges)])}"
    return f"[{dumps(fields)},{frozen or 'null'},{preview}{more}]"


def _place(place: Place) -> list[Any]:
    return [place.id, place.number, place.of, place.needs, place.beside]


def _charge(charge: Charge) -> list[Any]:
    numbers = [charge.amount, charge.limit, charge.within // MICROSECOND, charge.places]
    return [charge.budget, charge.key, *numbers, charge.unit, charge.elsewhere]


def preview_text(preview: Preview | None) -> str:
    """Return a preview as JSON, `null` for none; these bytes are part of the digest."""
    return "null" if preview is None else dumps(asdict(preview))


def progress_text(stored: StoredRequest) -> str:
    """Return everything that happened to a request as JSON."""
    found: dict[str, Any] = {"votes": [_vote(vote) for vote in stored.votes]}
    if stored.decision is not None:
        found["decision"] = _decision(stored.decision)
    if stored.proposal is not None:
        found["proposal"] = _decision(stored.proposal)
    if stored.changed:
        found["changed"] = stored.changed
    if stored.run_by is not None:
        found["run_by"] = micros(stored.run_by)
    if stored.executor:
        found["executor"] = stored.executor
    if stored.outcome is not None:
        found["outcome"] = _outcome(stored.outcome)
    return dumps(found)


def _vote(vote: Vote) -> list[Any]:
    return [vote.by, vote.choice, vote.digest, micros(vote.at), vote.window, vote.note]


def _decision(decision: Decision) -> list[Any]:
    match decision:
        case Approve(by=by, note=note):
            return ["approve", by, note]
        case Edit(by=by, note=note, arguments=arguments):
            return ["edit", by, note, encode(dict(arguments)).decode()]
        case Reject(by=by, reason=reason):
            return ["reject", by, reason]


def _outcome(outcome: Outcome) -> list[Any]:
    result = outcome.result.decode() if outcome.result is not None else None
    return [result, outcome.error, outcome.message, outcome.finding]


def from_row(row: Row) -> StoredRequest:
    """Return what the row holds. Classes that this process does not have come back as `Opaque`.

    Raises:
        StoreError: The row is damaged.
    """
    try:
        return _read_row(row)
    except Exception as error:
        text = f"request {row.id} cannot be read, so the store is damaged"
        raise StoreError(f"{text} ({type(error).__name__})") from None


def _read_row(row: Row) -> StoredRequest:
    progress: Mapping[str, Any] = json.loads(row.progress)
    return StoredRequest(
        request=read_request(row.request),
        state=State(row.state),
        decision=_read_decision(progress["decision"]) if "decision" in progress else None,
        votes=tuple(_read_vote(vote) for vote in progress["votes"]),
        proposal=_read_edit(progress["proposal"]) if "proposal" in progress else None,
        changed=progress.get("changed", ""),
        run_by=instant(progress["run_by"]) if "run_by" in progress else None,
        executor=progress.get("executor", ""),
        outcome=_read_outcome(progress["outcome"]) if "outcome" in progress else None,
    )


def read_request(text: str) -> ApprovalRequest:
    """Return the request that `request_text` was given."""
    found: list[Any] = [*json.loads(text), None, ()]
    fields, arguments, preview, place, charges = found[:5]
    frozen = b"" if arguments is None else _compact(arguments)
    (id_, action, digest, origin, version, risk, environment, panel, requester, acting_for) = (
        fields[:10]
    )
    run, key, revision, problem, asked_at, expires_at, run_within, parameters = fields[10:18]
    return ApprovalRequest(
        id=id_,
        action=action,
        arguments=decode(frozen) if frozen else {},
        frozen=frozen,
        digest=digest,
        origin=origin,
        version=version,
        parameters=tuple(Parameter(name=n, annotation=a, secret=s) for n, a, s in parameters),
        preview=None if preview is None else _read_preview(preview),
        risk=Risk(risk),
        environment=environment,
        panel=Panel(members=frozenset(panel[0]), votes=panel[1]),
        requester=requester,
        acting_for=acting_for,
        run=run,
        key=key,
        revision=revision,
        problem=problem,
        remarks=tuple(*fields[18:]),
        batch=_read_place(place) if place else None,
        charges=tuple(_read_charge(charge) for charge in charges),
        asked_at=instant(asked_at),
        expires_at=instant(expires_at),
        run_within=timedelta(microseconds=run_within),
    )


def _read_place(found: list[Any]) -> Place:
    id_, number, of, needs, beside = found
    return Place(id=id_, number=number, of=of, needs=tuple(needs), beside=tuple(beside))


def _read_charge(found: list[Any]) -> Charge:
    budget, key, amount, limit, within, places, unit, elsewhere = found
    return Charge(
        budget=budget,
        key=key,
        amount=amount,
        limit=limit,
        within=timedelta(microseconds=within),
        places=places,
        unit=unit,
        elsewhere=elsewhere,
    )


def _compact(node: Any) -> bytes:
    return dumps(node).encode("ascii")


def _read_preview(found: dict[str, Any]) -> Preview:
    return Preview(
        summary=found["summary"],
        facts=tuple((name, value) for name, value in found["facts"]),
        tables=tuple(_read_table(table) for table in found["tables"]),
        diff=found["diff"],
        warnings=tuple(found["warnings"]),
        quotes=tuple(Quote(**quoted) for quoted in found["quotes"]),
        files=tuple(BoundFile(**file) for file in found["files"]),
    )


def _read_table(found: dict[str, Any]) -> Table:
    rows = tuple(tuple(row) for row in found["rows"])
    return Table(title=found["title"], columns=tuple(found["columns"]), rows=rows)


def _read_vote(found: list[Any]) -> Vote:
    by, choice, digest, at, window, note = found
    return Vote(by=by, choice=choice, digest=digest, at=instant(at), window=window, note=note)


def _read_decision(found: list[Any]) -> Decision:
    match found:
        case ["approve", by, note]:
            return Approve(by=by, note=note)
        case ["reject", by, reason]:
            return Reject(by=by, reason=reason)
        case _:
            return _read_edit(found)


def _read_edit(found: list[Any]) -> Edit:
    _, by, note, arguments = found
    return Edit(by=by, note=note, arguments=decode(arguments.encode()))


def _read_outcome(found: list[Any]) -> Outcome:
    result, error, message, finding = found
    kept = result.encode() if result is not None else None
    return Outcome(result=kept, error=error, message=message, finding=finding)
