"""What becomes of refunds later: pending ones arrive, and some that had succeeded come back."""

from __future__ import annotations

from .errors import Json
from .refunds import FAILURE, changed, counted
from .state import State
from .turn import Setup, Turn


def settle(state: State, setup: Setup, *, everything: bool = False) -> int:
    """Let refunds become what they become, and return how many did.

    Args:
        everything: Also those whose time has not come.
    """
    until = float("inf") if everything else setup.now()
    with state.reading() as rows:
        if not rows.run("SELECT 1 FROM later WHERE at <= ? LIMIT 1", until):
            return 0
    with state.writing() as rows:
        due = rows.run("SELECT refund, becomes FROM later WHERE at <= ? ORDER BY at", until)
        turn = Turn(rows=rows, setup=setup, at=int(setup.now()))
        for refund, becomes in due:
            _becomes(turn, refund, becomes)
            rows.run("DELETE FROM later WHERE refund = ?", refund)
    return len(due)


def _becomes(turn: Turn, ident: str, status: str) -> None:
    found = turn.rows.find("refund", ident)
    if found is None or found["status"] == status:
        return
    before: Json = {"status": found["status"]}
    found["status"] = status
    if found.pop("pending_reason", None):
        before["pending_reason"] = "processing"
    if status == "failed":
        before["failure_reason"] = None
        found |= {"failure_reason": FAILURE, "failure_balance_transaction": None}
        paid = turn.rows.find("charge", found["charge"])
        assert paid is not None
        counted(paid, -found["amount"])
        turn.rows.change(paid)
    turn.rows.change(found)
    changed(turn, found, before)
    if status == "failed":
        turn.emit("refund.failed", found, before)
