"""Where a request stands, in one sentence for people."""

from __future__ import annotations

from ..model import Reject, State, StoredRequest

STANDS = {
    State.PENDING: "It waits for people, and has not run.",
    State.APPROVED: "Approved{by}. It has not started yet.",
    State.EXECUTING: "Approved{by}. It has started and not ended yet.",
    State.OUTCOME_UNKNOWN: "Approved{by}. It was started, and nobody knows how it ended.",
    State.SUCCEEDED: "Approved{by}. It ran and succeeded.",
    State.FAILED: "Approved{by}. It ran and failed.",
    State.REJECTED: "Rejected{by}. It was not run.",
    State.EXPIRED: "Time ran out before it started. It was not run.",
    State.CANCELLED: "Withdrawn{by}. It was not run.",
    State.RESOLVED_HAPPENED: "It was cut off, and a person has found that it happened.",
    State.RESOLVED_NOT_HAPPENED: "It was cut off, and a person has found that it did not happen.",
}
"""Where a request stands, in every state there is."""


def told(stored: StoredRequest) -> str:
    """Say where a request stands, in one sentence, not yet safe to show."""
    return STANDS[stored.state].format(by=_by(stored))


def _by(stored: StoredRequest) -> str:
    if isinstance(stored.decision, Reject):
        return f" by {stored.decision.by}"
    names = [vote.by for vote in stored.votes if vote.choice == "approve"]
    names = names or ([stored.decision.by] if stored.decision else [])
    return f" by {' and '.join(names)}" if names else ""
