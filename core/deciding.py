"""Hear people until a request is decided: the approver, and every other window on the store."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from .call import Call, Wiring
from .edits import InvalidEdit, difference, validated
from .freezing import thaw
from .model import (
    Approve,
    Decision,
    Edit,
    NotCounted,
    Reject,
    Rejected,
    State,
    StoredRequest,
    StoreError,
    Unencodable,
    same,
)
from .proposal import charged, edited, looked, objection
from .stores.rows import preview_text
from .waiting import answer, is_decided, until

MOST_PROBLEMS = 5
A_MOMENT = 0.005


async def decided(wiring: Wiring, call: Call, stored: StoredRequest) -> StoredRequest:
    """Return the request once it is no longer pending; every word is in the store by then."""
    problems, heard = 0, ""
    while stored.state is State.PENDING:
        shown = stored.request.digest
        decision = await _heard(wiring, stored, ask=shown != heard)
        if decision is None:
            stored = wiring.store.get(stored.request.id)
            continue
        try:
            stored = await _taken(wiring, call, stored, decision, shown)
            counted = any(same(vote.by) == same(decision.by) for vote in stored.votes)
            heard = stored.request.digest if counted else ""
        except (InvalidEdit, NotCounted) as problem:
            if decision is not stored.proposal:  # other windows cannot wear the request out
                problems += 1
            heard = ""
            stored = _sent_back(wiring, stored, decision, str(problem), problems)
    return stored


async def _heard(wiring: Wiring, stored: StoredRequest, *, ask: bool) -> Decision | None:
    """Return the next word, from wherever it comes; `None` when the store has news instead.

    The approver is asked for one vote. What a panel needs beyond it comes through the store.
    """
    if stored.proposal is not None:
        return stored.proposal
    here = asyncio.ensure_future(_asked(wiring, stored)) if ask else None
    waiting: list[asyncio.Future[Any]] = [here] if here else []
    try:
        if here is not None:  # one that need not think has answered before anybody else could
            await asyncio.wait(waiting, timeout=A_MOMENT)
        if here is None or not here.done():
            news = until(wiring.store, stored.request.id, lambda now: _has_news(now, stored))
            waiting.append(elsewhere := asyncio.ensure_future(news))
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if elsewhere.done():
                elsewhere.result()  # a store that cannot be watched could never tell the end
        if here is None or not here.done():
            return None
        return _unanswered("it was cancelled") if here.cancelled() else here.result()
    finally:
        await _withdraw(waiting)


def _has_news(now: StoredRequest, before: StoredRequest) -> bool:
    return (
        is_decided(now) or now.proposal is not None or now.request.digest != before.request.digest
    )


async def _asked(wiring: Wiring, stored: StoredRequest) -> Decision:
    """Ask the wired approver. One that fails, or says something else, has not approved."""
    try:
        return await answer(wiring.approver, stored.request)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        return _unanswered(f"{type(error).__name__}: {error}")


def _unanswered(why: str) -> Reject:
    return Reject(by="gate", reason=f"nobody could be asked ({why})")


async def _withdraw(waiting: list[asyncio.Future[Any]]) -> None:
    for task in waiting:
        task.cancel()
    for task in waiting:
        with suppress(asyncio.CancelledError, Exception):
            await task


async def _taken(
    wiring: Wiring, call: Call, stored: StoredRequest, decision: Decision, shown: str
) -> StoredRequest:
    """Count a word that was said about what has the digest `shown`.

    Raises:
        InvalidEdit: The edit does not fit, or a policy rejects what it would make of the call.
        NotCounted: The person may not say it, or not any more.
    """
    request = stored.request
    here = "another window" if decision is stored.proposal else "approver"
    window = decision.window or here
    match decision:
        case Edit():
            return await _revised(wiring, call, stored, decision, shown, window)
        case Reject(by=by) if not request.panel.admits(by, request.requesters):
            return _cancelled(wiring, stored, by, decision.reason)
        case _:
            return wiring.store.vote(request.id, decision, digest=shown, window=window)


async def _revised(
    wiring: Wiring, call: Call, stored: StoredRequest, edit: Edit, shown: str, window: str
) -> StoredRequest:
    """Make the edit the request. Its author's vote counts unless there is something new to see."""
    store = wiring.store
    stored = store.get(stored.request.id)
    request = stored.request
    if stored.state is not State.PENDING:
        return stored
    if not request.panel.admits(edit.by, request.requesters):
        raise NotCounted(f"{edit.by or 'nobody'} may not edit this request")
    if shown != request.digest:
        raise NotCounted("somebody else has edited this request meanwhile; look at it again")
    try:
        real = validated(wiring.tool, request, edit, thaw(wiring, call, request.frozen))
        proposal = edited(wiring, call, request, real)
    except (Unencodable, Rejected) as problem:
        raise InvalidEdit(str(problem)) from None
    vote = Approve(by=edit.by, note=edit.note)
    if proposal.frozen == request.frozen:
        return store.vote(request.id, vote, digest=request.digest, window=window)
    if no := objection(wiring, proposal):
        raise InvalidEdit(f"{no.by} rejects it: {no.reason}")
    try:
        proposal = await looked(wiring, call, charged(wiring, proposal))
    except Exception as error:
        text = f"what it would do could not be found out ({type(error).__name__}: {error})"
        raise InvalidEdit(text) from None
    changed = f"by {edit.by}: {difference(request, proposal)}"
    so_far = f"{stored.changed}; {changed}" if stored.changed else changed
    stored = store.revise(proposal, edit, changed=so_far)
    if preview_text(proposal.preview) == preview_text(request.preview):
        return store.vote(request.id, vote, digest=proposal.digest, window=window)
    return stored


def _cancelled(wiring: Wiring, stored: StoredRequest, by: str, because: str) -> StoredRequest:
    """Withdraw it, unless it has been decided in the meantime."""
    try:
        return wiring.store.cancel(stored.request.id, by=by, because=because)
    except StoreError:
        now = wiring.store.get(stored.request.id)
        if now.state is State.PENDING:
            raise
        return now


def _sent_back(
    wiring: Wiring, stored: StoredRequest, decision: Decision, problem: str, problems: int
) -> StoredRequest:
    """Tell the person, not the agent; after a few times give up, for a script would never stop."""
    stored = wiring.store.get(stored.request.id)
    if stored.state is not State.PENDING:
        return stored
    if problems >= MOST_PROBLEMS:
        because = f"no answer of {decision.by} could be taken ({problem})"
        return _cancelled(wiring, stored, "gate", because)
    try:
        return wiring.store.refuse(stored.request.id, problem=problem)
    except NotCounted:  # decided meanwhile
        return wiring.store.get(stored.request.id)
