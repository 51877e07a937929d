"""What calls take out of budgets: reserved while they may happen, used once they have."""

from __future__ import annotations

from dataclasses import replace

from ..model import ApprovalRequest, Charge, OverBudget, State, StoredRequest, Usage
from .transaction import Entry, Transaction

USED = frozenset({State.SUCCEEDED, State.RESOLVED_HAPPENED})
RESERVED = frozenset({State.PENDING, State.APPROVED, State.EXECUTING, State.OUTCOME_UNKNOWN})
_MICROSECONDS = 1_000_000


def entries(stored: StoredRequest, at: int) -> list[Entry]:
    """Return what a request stands for in budgets; nothing once it cannot happen any more.

    Args:
        at: When it came to stand as it does; microseconds since 1970.
    """
    if stored.state not in USED | RESERVED:
        return []
    since = at if stored.state in USED else None
    return [
        Entry(charge.budget, charge.key, charge.amount, since) for charge in stored.request.charges
    ]


def usage(tx: Transaction, charge: Charge, now: int, *, but: str = "") -> Usage:
    """Return how much of a budget is gone, without what is elsewhere.

    Args:
        but: A request that is not counted, for it is the one in question.
    """
    since = max(now - micros_of(charge), 0)  # nothing was used before 1970
    used, reserved = tx.usage(charge.budget, charge.key, since, but)
    return Usage(used, reserved)


def micros_of(charge: Charge) -> int:
    """Return for how long a budget counts what was used; microseconds."""
    within = charge.within
    return (within.days * 86_400 + within.seconds) * _MICROSECONDS + within.microseconds


def afford(tx: Transaction, request: ApprovalRequest, now: int) -> None:
    """Let a call through that policies approve, if every budget has as much left.

    Raises:
        OverBudget: One has not.
    """
    for charge in request.charges:
        gone = usage(tx, charge, now)
        if gone.used + gone.reserved + charge.elsewhere + charge.amount > charge.limit:
            raise OverBudget(f"{request.name} is beyond its budget: {charge.sentence(gone)}")


def told(tx: Transaction, request: ApprovalRequest, now: int) -> ApprovalRequest:
    """Return the request with a remark on each of its budgets, for whoever decides."""
    if not request.charges:
        return request
    said = [charge.sentence(usage(tx, charge, now, but=request.id)) for charge in request.charges]
    return replace(request, remarks=(*request.remarks, *said))
