"""What may happen to a request, and when: pure functions that every store applies.

Each takes a request as it stands and returns it as it will stand, or raises and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from ..model import (
    EDGES,
    ActionChanged,
    ApprovalRequest,
    Approve,
    Edit,
    NotCounted,
    Outcome,
    Panel,
    Reject,
    State,
    StoredRequest,
    StoreError,
    Vote,
    same,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change about to be committed, and what the audit trail says of it.

    Attributes:
        event: Past tense; several in one commit are joined with `>`.
        details: What the record says beyond who, when and which request.
    """

    after: StoredRequest
    event: str
    by: str
    details: dict[str, str]


def move(stored: StoredRequest, to: State, **changes: Any) -> StoredRequest:
    """Return `stored` in state `to`, with those fields changed.

    Raises:
        StoreError: There is no such edge.
    """
    if to not in EDGES.get(stored.state, frozenset()):
        raise StoreError(f"{standing(stored)}; it cannot become {to.value}")
    return replace(stored, state=to, **changes)


def standing(stored: StoredRequest) -> str:
    """Say in one clause where a request stands and who brought it there."""
    name = f"request {stored.request.id[:8]} ({stored.request.name})"
    voters = ", ".join(vote.by for vote in stored.votes)
    by = stored.decision.by if isinstance(stored.decision, Reject) else voters
    match stored.state:
        case State.PENDING:
            return f"{name} is pending"
        case State.OUTCOME_UNKNOWN:
            return f"{name} was started, and nobody knows yet how it ended"
        case _:
            return f"{name} is {stored.state.value.lower()}{f' by {by}' if by else ''}"


def submitted(request: ApprovalRequest) -> Step:
    """A new request waits."""
    details = {"action": request.action, "digest": request.digest}
    after = StoredRequest(request=request, state=State.PENDING)
    return Step(after=after, event="submitted", by=request.requester, details=details)


def recorded(
    request: ApprovalRequest, decision: Approve | Reject, executor: str, now: datetime
) -> Step:
    """A policy has decided at once: the request is claimed in the same commit, or rejected."""
    details = {"action": request.action, "digest": request.digest, "for": request.requester}
    match decision:
        case Approve(by=by, note=note):
            after = StoredRequest(
                request=request,
                state=State.EXECUTING,
                decision=decision,
                run_by=now + request.run_within,
                executor=executor,
            )
            event, why = "submitted>approved>executing", note
        case Reject(by=by, reason=reason):
            after = StoredRequest(request=request, state=State.REJECTED, decision=decision)
            event, why = "submitted>rejected", reason
        case _:
            assert_never(decision)
    return Step(after=after, event=event, by=by, details={**details, "because": why})


def voted(
    stored: StoredRequest, decision: Approve | Reject, *, digest: str, window: str, now: datetime
) -> Step | None:
    """One person's word is counted; `None` when the very same word is there already."""
    if repeated(stored, decision, digest):
        return None
    may_speak(stored, decision.by, digest)
    choice = "approve" if isinstance(decision, Approve) else "reject"
    note = decision.note if isinstance(decision, Approve) else decision.reason
    vote = Vote(by=decision.by, choice=choice, digest=digest, at=now, window=window, note=note)
    mine = stored.proposal is not None and same(stored.proposal.by) == same(decision.by)
    proposal = None if mine else stored.proposal
    after = replace(stored, votes=(*stored.votes, vote), proposal=proposal)
    details = {"digest": digest, "window": window, "note": note}
    if isinstance(decision, Reject):
        after = move(after, State.REJECTED, decision=decision)
        return Step(after=after, event="rejected", by=decision.by, details=details)
    if len(after.votes) < stored.request.panel.votes:
        return Step(after=after, event="voted", by=decision.by, details=details)
    run_by = now + stored.request.run_within
    after = move(after, State.APPROVED, decision=decision, run_by=run_by)
    return Step(after=after, event="approved", by=decision.by, details=details)


def repeated(stored: StoredRequest, decision: Approve | Reject, digest: str) -> bool:
    """Whether this is a vote that has been counted already, sent a second time."""
    choice = "approve" if isinstance(decision, Approve) else "reject"
    return any(
        (same(vote.by), vote.choice, vote.digest) == (same(decision.by), choice, digest)
        for vote in stored.votes
    )


def may_speak(stored: StoredRequest, person: str, digest: str) -> None:
    """Refuse a vote or an edit that comes too late, twice, for another version, or from a stranger.

    Raises:
        NotCounted: With the true state.
    """
    request = stored.request
    if stored.state is not State.PENDING:
        raise NotCounted(f"{standing(stored)}, so this answer changes nothing")
    if digest != request.digest:
        raise NotCounted(f"what you were shown is not what waits now: look at {request.id} again")
    if not request.panel.admits(person, request.requesters):
        raise NotCounted(f"{person or 'nobody'} may not decide this: {_who_may(request)}")
    if any(same(vote.by) == same(person) for vote in stored.votes):
        raise NotCounted(f"{person} has voted on this already; one person, one vote")


def _who_may(request: ApprovalRequest) -> str:
    if request.panel.members:
        return f"the panel is {', '.join(sorted(request.panel.members))}"
    return f"{' and '.join(request.requesters)} asked for it, and nobody approves their own request"


def proposed(stored: StoredRequest, edit: Edit, *, digest: str, window: str) -> Step:
    """An edit from another window waits for the gate to check it."""
    may_speak(stored, edit.by, digest)
    if stored.proposal is not None:
        raise NotCounted(f"an edit by {stored.proposal.by} is being checked; try again")
    after = replace(stored, proposal=edit)
    details = {"digest": digest, "window": window, "parameters": ", ".join(edit.arguments)}
    return Step(after=after, event="edit proposed", by=edit.by, details=details)


def refused(stored: StoredRequest, problem: str) -> Step:
    """The proposed edit cannot be taken; the person who made it is told why."""
    if stored.state is not State.PENDING:
        raise NotCounted(f"{standing(stored)}, so this answer changes nothing")
    by = stored.proposal.by if stored.proposal else ""
    after = replace(stored, proposal=None, request=replace(stored.request, problem=problem))
    return Step(after=after, event="edit refused", by=by, details={"problem": problem})


def revised(stored: StoredRequest, request: ApprovalRequest, edit: Edit, changed: str) -> Step:
    """A checked edit takes the place of the arguments; what was voted before no longer counts."""
    if stored.state is not State.PENDING:
        raise NotCounted(f"{standing(stored)}, so this answer changes nothing")
    if request.revision != stored.request.revision + 1:
        raise NotCounted(f"somebody else has edited {request.id} meanwhile: look at it again")
    after = replace(stored, request=request, votes=(), proposal=None, changed=changed)
    details = {"digest": request.digest, "changed": changed, "was": stored.request.digest}
    return Step(after=after, event="edited", by=edit.by, details=details)


def expired(stored: StoredRequest, now: datetime) -> Step | None:
    """The boundary instant is expired, to decide and to start alike."""
    limit = {State.PENDING: stored.request.expires_at, State.APPROVED: stored.run_by}
    due = limit.get(stored.state)
    if due is None or now < due:
        return None
    details = {"was": stored.state.value, "since": due.isoformat()}
    return Step(after=move(stored, State.EXPIRED), event="expired", by="clock", details=details)


def cancelled(stored: StoredRequest, *, by: str, because: str) -> Step:
    """A request that has not started is withdrawn."""
    after = move(stored, State.CANCELLED, decision=Reject(by=by, reason=because))
    return Step(after=after, event="cancelled", by=by, details={"because": because})


def claimed(
    stored: StoredRequest, *, digest: str, panel: Panel, executor: str, bound: str = ""
) -> Step:
    """An approved request starts; whoever gets here first is the only one.

    Raises:
        StoreError: It is not approved (any more).
        ActionChanged: Another digest, or the voters would no longer be enough.
    """
    request = stored.request
    after = move(stored, State.EXECUTING, executor=executor)
    if digest != request.digest:
        raise ActionChanged(
            f"{request.name} was not run: it differs from what was approved", request_id=request.id
        )
    voters = {same(v.by) for v in stored.votes if panel.admits(v.by, request.requesters)}
    if stored.votes and len(voters) < panel.votes:
        raise ActionChanged(
            f"{request.name} was not run: those who approved it are no longer enough",
            request_id=request.id,
        )
    details = {"digest": digest, **({"bound": bound} if bound else {})}
    return Step(after=after, event="executing", by=request.requester, details=details)


def finished(stored: StoredRequest, outcome: Outcome, state: State, executor: str) -> Step:
    """A claimed request ended, as told by the process that claimed it."""
    if stored.executor != executor:
        raise StoreError(f"{standing(stored)}; another process started it")
    after = move(stored, state, outcome=outcome)
    details = {"error": outcome.error, "message": outcome.message, "finding": outcome.finding}
    return Step(
        after=after, event=state.value.lower(), by=stored.request.requester, details=details
    )


def abandoned(stored: StoredRequest) -> Step:
    """The process that ran it is gone, and nobody knows how far it came."""
    why = f"the process that started it ({stored.executor}) ended before it said how it went"
    after = move(stored, State.OUTCOME_UNKNOWN, outcome=Outcome(message=why))
    return Step(after=after, event="outcome_unknown", by="sweep", details={"message": why})


def reported(stored: StoredRequest, finding: str) -> Step:
    """Somebody looked at the world for signs of an unknown outcome."""
    if stored.state is not State.OUTCOME_UNKNOWN:
        raise StoreError(f"{standing(stored)}; there is nothing to look for")
    outcome = replace(stored.outcome or Outcome(), finding=finding)
    return Step(
        after=replace(stored, outcome=outcome),
        event="looked",
        by="reconcile",
        details={"finding": finding},
    )


def resolved(stored: StoredRequest, *, by: str, happened: bool, note: str) -> Step:
    """A person says what became of it. Only a person who did not ask may."""
    if not Panel().admits(by, stored.request.requesters):
        raise NotCounted(f"{by or 'nobody'} may not resolve this: {_who_may(stored.request)}")
    to = State.RESOLVED_HAPPENED if happened else State.RESOLVED_NOT_HAPPENED
    return Step(after=move(stored, to), event=to.value.lower(), by=by, details={"note": note})
