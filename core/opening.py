"""From a call to its request: policies decide it at once, or it goes before people."""

from __future__ import annotations

from .call import Call, Wiring
from .ending import catch_up
from .executing import settled
from .freezing import thaw
from .model import Approve, OverBudget, State, StoredRequest
from .proposal import charged, opinion, proposed, seen
from .waiting import is_over


def opened(wiring: Wiring, call: Call) -> tuple[StoredRequest, bool] | None:
    """Let the policies speak. Returns `None` when people have to."""
    catch_up(wiring.store)
    call.request = request = proposed(wiring, call)
    if call.earlier is not None:
        return None
    decision = opinion(wiring, request)
    if decision is None:
        return None
    if isinstance(decision, Approve):
        call.request = request = charged(wiring, request)
    call.ready = thaw(wiring, call, request.frozen)
    try:
        stored = wiring.store.record(request, decision)
    except OverBudget:
        return None
    mine = stored.request.id == request.id and stored.state is State.EXECUTING
    return (stored, mine) if mine or is_over(stored) else None


async def submitted(wiring: Wiring, call: Call) -> StoredRequest:
    """Bring the call before people, or find what an earlier attempt has brought there."""
    if call.earlier is None:
        return wiring.store.submit(await seen(wiring, call, call.request))
    return wiring.store.get(call.earlier.request.id)


async def asked(wiring: Wiring, call: Call) -> tuple[StoredRequest, bool]:
    """Bring the call before people and wait for its start or its end."""
    return await settled(wiring, call, await submitted(wiring, call))
