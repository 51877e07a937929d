"""A request as a program reads it: the keys are a promise, and instants are ISO 8601 in UTC."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, assert_never

from .audit import details
from .display import shown
from .model import (
    END_OF_TIME,
    Approve,
    AuditRecord,
    Decision,
    Edit,
    Outcome,
    Reject,
    StoredRequest,
)


def request(stored: StoredRequest) -> dict[str, Any]:
    """Return everything about a request; what is not there is `null` or empty, never left out."""
    asked = stored.request
    return {
        "id": asked.id,
        "state": stored.state.value,
        "action": asked.action,
        "arguments": [asdict(argument) for argument in shown(asked)],
        "canonical": json.loads(asked.frozen) if asked.frozen else None,
        "preview": None if asked.preview is None else asdict(asked.preview),
        "digest": asked.digest,
        "risk": asked.risk.name,
        "environment": asked.environment,
        "requester": asked.requester,
        "acting_for": asked.acting_for,
        "run": asked.run,
        "panel": {"members": sorted(asked.panel.members), "votes": asked.panel.votes},
        "votes": [{**asdict(vote), "at": vote.at.isoformat()} for vote in stored.votes],
        "decision": None if stored.decision is None else decision(stored.decision),
        "proposal": None if stored.proposal is None else decision(stored.proposal),
        "revision": asked.revision,
        "changed": stored.changed,
        "problem": asked.problem,
        "remarks": list(asked.remarks),
        "batch": None if asked.batch is None else asdict(asked.batch),
        "charges": [
            {**asdict(charge), "within": charge.within.total_seconds()} for charge in asked.charges
        ],
        "asked_at": asked.asked_at.isoformat(),
        "expires_at": instant(asked.expires_at),
        "run_by": instant(stored.run_by),
        "executor": stored.executor,
        "outcome": None if stored.outcome is None else outcome(stored.outcome),
    }


def decision(said: Decision) -> dict[str, Any]:
    """Return what somebody said; the arguments of an edit as text."""
    match said:
        case Approve(by=by, note=note):
            return {"choice": "approve", "by": by, "note": note}
        case Edit(by=by, note=note, arguments=arguments):
            named = {name: repr(value) for name, value in arguments.items()}
            return {"choice": "edit", "by": by, "note": note, "arguments": named}
        case Reject(by=by, reason=reason):
            return {"choice": "reject", "by": by, "note": reason}
        case _:
            assert_never(said)


def outcome(ended: Outcome) -> dict[str, Any]:
    """Return how a call ended; its result in canonical form."""
    result = None if ended.result is None else json.loads(ended.result)
    return {**asdict(ended), "result": result}


def story(records: Iterable[AuditRecord]) -> list[dict[str, Any]]:
    """Return what the audit trail says of one request, in order: `store.trail(request_id=...)`."""
    return [
        {"seq": r.seq, "at": r.at.isoformat(), "event": r.event, "by": r.by, "details": details(r)}
        for r in records
    ]


def instant(at: datetime | None) -> str | None:
    """Return an instant as text, and `None` for one that never comes."""
    return None if at is None or at == END_OF_TIME else at.astimezone(UTC).isoformat()
