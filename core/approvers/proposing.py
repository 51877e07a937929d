"""What becomes of an edit: wait until the gate that asked has checked it, and tell what it said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..model import ApprovalRequest, Edit, State, Store, StoredRequest, same
from ..stores.rules import standing

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_FOR_A_VOTE = 1.0
RUNS = {State.APPROVED, State.EXECUTING, State.SUCCEEDED, State.FAILED, State.OUTCOME_UNKNOWN}


def checked(store: Store, before: ApprovalRequest, edit: Edit, *, seconds: float) -> StoredRequest:
    """Return the request once the gate has taken the edit or sent it back, or time is up."""
    changed = threading.Event()
    with store.watch(before.id, changed.set):

        def until(ready: Callable[[StoredRequest], bool], seconds: float) -> StoredRequest:
            end = time.monotonic() + seconds
            while True:
                changed.clear()
                now, left = store.get(before.id), end - time.monotonic()
                if ready(now) or left <= 0:
                    return now
                changed.wait(min(left, SECONDS_BETWEEN_LOOKS))

        now = until(lambda stored: not waits(stored, edit), seconds)
        if now.state is State.PENDING and now.request.digest != before.digest:
            # The author's vote for what the edit made of the call is a commit of its own.
            now = until(lambda stored: heard(stored, edit), SECONDS_FOR_A_VOTE)
    return now


def waits(stored: StoredRequest, edit: Edit) -> bool:
    """Whether the edit lies there unchecked."""
    return (
        stored.state is State.PENDING
        and stored.proposal is not None
        and same(stored.proposal.by) == same(edit.by)
    )


def heard(stored: StoredRequest, edit: Edit) -> bool:
    """Whether there is nothing more to come by itself: it is decided, or its author has voted."""
    return stored.state is not State.PENDING or voted(stored, edit)


def voted(stored: StoredRequest, edit: Edit) -> bool:
    """Whether the author of the edit counts as having approved what now waits."""
    return any(same(vote.by) == same(edit.by) for vote in stored.votes)


def why_not(before: StoredRequest, after: StoredRequest, edit: Edit) -> str:
    """Say why the edit was not taken; empty when it was, or when nobody has looked yet."""
    if waits(after, edit):
        return ""
    taken = after.request.digest != before.request.digest or voted(after, edit)
    if taken and (after.state is State.PENDING or after.state in RUNS):
        return ""
    if after.state is not State.PENDING:
        return f"your edit was not taken: {standing(after)}"
    if after.votes != before.votes:
        return "your edit was dropped, because somebody else has voted meanwhile; look again"
    return f"your edit was refused: {after.request.problem}"
