"""From a decision to the start: look once more, claim it, and be the only one who does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from . import messages
from .call import Call, Wiring
from .deciding import decided
from .ending import written_late
from .freezing import CALLED_ON, as_shown, called_on, thaw
from .model import ActionChanged, ApprovalRequest, Reject, State, StoredRequest, StoreError
from .proposal import THE_GATE, again, looked, objection, seen, weighed
from .stores.rows import preview_text
from .waiting import is_over, until

SECONDS_BETWEEN_SWEEPS = 1.0


class PreviewChanged(ActionChanged):
    """The world has changed since the approval, and the code has not: it can be asked again."""


async def settled(wiring: Wiring, call: Call, stored: StoredRequest) -> tuple[StoredRequest, bool]:
    """Bring a request to its start or its end; the flag says whether this call has to run it."""
    for _ in range(wiring.ask_again):
        try:
            return await _settled(wiring, call, stored)
        except PreviewChanged as changed:
            stored = await asked_again(wiring, call, wiring.store.get(changed.request_id))
    return await _settled(wiring, call, stored)


async def asked_again(wiring: Wiring, call: Call, withdrawn: StoredRequest) -> StoredRequest:
    """Bring the call before people once more, with what is different now."""
    voters = " and ".join(vote.by for vote in withdrawn.votes) or "people"
    because = withdrawn.decision.reason if isinstance(withdrawn.decision, Reject) else ""
    remark = f"asked again: {because} since {voters} approved it"
    request = again(wiring, call, withdrawn.request, remark)
    if call.earlier is not None:
        return wiring.store.get(call.earlier.request.id)
    if no := objection(wiring, request):
        return wiring.store.record(request, no)
    return wiring.store.submit(await seen(wiring, call, request))


async def _settled(wiring: Wiring, call: Call, stored: StoredRequest) -> tuple[StoredRequest, bool]:
    try:
        while True:
            match stored.state:
                case State.PENDING:
                    stored = await decided(wiring, call, stored)
                case State.APPROVED:
                    stored, mine = await claimed(wiring, call, stored)
                    if mine:
                        return stored, True
                case State.EXECUTING:
                    stored = await over(wiring, stored)
                case _:
                    return stored, False
    except asyncio.CancelledError:
        if not stored.request.run:  # nobody would ever come back for it
            with suppress(StoreError):
                because = "the agent stopped waiting"
                wiring.store.cancel(stored.request.id, by=wiring.requester, because=because)
        raise


async def claimed(wiring: Wiring, call: Call, stored: StoredRequest) -> tuple[StoredRequest, bool]:
    """Start it, unless another process was faster."""
    request = stored.request
    await unchanged(wiring, call, stored)
    call.ready = {**thaw(wiring, call, request.frozen), **call.bound}
    now_shown = {**as_shown(call, request), **call.bound}
    _, panel = weighed(wiring, now_shown, request.acting_for)
    claim = partial(wiring.store.claim, request.id, digest=request.digest, panel=panel)
    try:
        return claim(bound=call.bound_digest) if call.bound else claim(), True
    except StoreError:
        now = wiring.store.get(request.id)
        if now.state is State.APPROVED:
            raise
        return now, False


async def unchanged(wiring: Wiring, call: Call, stored: StoredRequest) -> None:
    """Look once more, right before the start.

    Raises:
        ActionChanged: The code or the world is not what was approved; the request is withdrawn.
    """
    request, kind = stored.request, ActionChanged
    because = _other_code(wiring, call, request)
    if not because:
        because, kind = await _other_world(wiring, call, request), PreviewChanged
    if because:
        wiring.store.cancel(request.id, by=THE_GATE, because=because)
        text = f"{request.name} was not run: {because} since it was approved. Ask again."
        raise kind(text, request_id=request.id)


def _other_code(wiring: Wiring, call: Call, request: ApprovalRequest) -> str:
    if request.version != wiring.tool.version:
        return "the code of the function has changed"
    if called_on(wiring, call) != as_shown(call, request).get(CALLED_ON):
        return "what it is called on has changed"
    return ""


async def _other_world(wiring: Wiring, call: Call, request: ApprovalRequest) -> str:
    if request.preview is None:
        return ""
    try:
        now = (await looked(wiring, call, request)).preview
    except Exception as error:
        return f"a look at it fails now ({type(error).__name__}: {error}), other than before, or"
    if preview_text(now) == preview_text(request.preview):
        return ""
    return f"what it would do has changed ({messages.difference(request.preview, now)})"


async def over(wiring: Wiring, stored: StoredRequest) -> StoredRequest:
    """Wait for the process that claimed it, or find that the process is gone.

    Raises:
        OutcomeUnknown: Its end is not on record, or cannot be read there.
    """
    while True:
        if why := written_late(wiring.store, stored.request.id):
            raise messages.unwritten(stored, why)
        try:
            wiring.store.sweep()
            async with asyncio.timeout(SECONDS_BETWEEN_SWEEPS):
                return await until(wiring.store, stored.request.id, is_over)
        except TimeoutError:
            continue
        except StoreError:
            raise messages.unknown(stored) from None
