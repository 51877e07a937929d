"""From a call to a request: bind, freeze, look, digest, and ask the policies."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from .batches.placeholders import still_said
from .call import Call, Slot, Wiring
from .canonical import decode, digest
from .freezing import as_shown, freeze, nameless, sealed
from .model import (
    ActionChanged,
    ApprovalRequest,
    Approve,
    Charge,
    Panel,
    Policy,
    Preview,
    Reject,
    Rejected,
    Risk,
    State,
    StoredRequest,
    new_id,
    same,
    utc_now,
)
from .pinning import pinned
from .runs import Run, current
from .waiting import in_thread

THE_GATE = "gate"
"""Who withdraws a call that is no longer what was approved."""

THE_BATCH = "batch"
"""Who withdraws a call to ask about it anew, because a result is not what was shown for it."""


def proposed(wiring: Wiring, call: Call) -> ApprovalRequest:
    """Return the request for a call; nobody has looked at what it would do yet.

    Raises:
        Unencodable: An argument cannot be frozen, so nobody is asked.
    """
    tool, work = wiring.tool, current.get()
    frozen = freeze(wiring, call)
    action, now = tool.action, utc_now()
    arguments = decode(frozen, call.types, strict=True)
    environment = placed(wiring, arguments)
    slot = call.slot
    asked_for = digest("origin", action.encode(), environment.encode(), frozen)
    origin = slot.origin if slot else asked_for
    key = _key(wiring, call, origin)
    remarks = slot.remarks if slot else ()
    if wiring.pin and call.earlier is None:
        frozen, meant = pinned(wiring, call, frozen)
        remarks = (*meant, *remarks)
        arguments = decode(frozen, call.types, strict=True)
    acting_for = work.acting_for if work else ""
    risk, panel = weighed(wiring, arguments, acting_for)
    return ApprovalRequest(
        action=action,
        arguments=arguments,
        frozen=frozen,
        digest=sealed(wiring, environment, frozen, None),
        origin=origin,
        version=tool.version,
        parameters=wiring.parameters,
        risk=risk,
        panel=panel,
        environment=environment,
        requester=wiring.requester,
        acting_for=acting_for,
        run=work.name if work else "",
        key=key,
        remarks=remarks,
        batch=slot.place if slot else None,
        asked_at=now,
        expires_at=now + wiring.decide_within,
        run_within=wiring.run_within,
    )


def _key(wiring: Wiring, call: Call, origin: str) -> str:
    """Return the key of the call in its run, and find what an earlier attempt has asked.

    What the gate itself withdrew was asked again under the next key, or is to be now.
    """
    call.earlier, work = None, current.get()
    if work is None:
        return ""
    if call.slot is not None:
        key, call.earlier = _slot_key(wiring, call.slot, work)
        return key
    objects = nameless(wiring, call)
    while True:
        action = wiring.tool.action
        key, call.earlier = work.key(wiring.store, wiring.requester, action, origin, objects)
        if not (wiring.ask_again and call.earlier and _is_withdrawn(call.earlier)):
            return key


def _slot_key(wiring: Wiring, slot: Slot, work: Run) -> tuple[str, StoredRequest | None]:
    """Return the same for a place in a batch, whose number is the key.

    Raises:
        ActionChanged: The run had asked for something else there.
    """
    for attempt in count(1):
        key = slot.key if attempt == 1 else f"{slot.key}.{attempt}"
        earlier = work.placed(wiring.store, wiring.requester, key)
        if earlier is not None and earlier.request.origin != slot.origin:
            raise ActionChanged(work.differs(wiring.tool.name, earlier))
        if earlier is None or not is_to_be_asked_again(wiring, earlier):
            return key, earlier
    raise AssertionError("numbers do not end")


def is_to_be_asked_again(wiring: Wiring, stored: StoredRequest) -> bool:
    """Whether a request of a batch was withdrawn only to be brought before people anew."""
    is_batch = isinstance(stored.decision, Reject) and stored.decision.by == THE_BATCH
    by_batch = stored.state is State.CANCELLED and is_batch
    return by_batch or bool(wiring.ask_again and _is_withdrawn(stored))


def _is_withdrawn(stored: StoredRequest) -> bool:
    by_gate = isinstance(stored.decision, Reject) and stored.decision.by == THE_GATE
    return stored.state is State.CANCELLED and by_gate


def placed(wiring: Wiring, arguments: Mapping[str, Any]) -> str:
    """Return the environment in which the call takes effect.

    Raises:
        Rejected: It cannot be told.
    """
    try:
        environment: object = wiring.environment(arguments)
        if type(environment) is not str:
            raise TypeError(f"{type(environment).__name__} is no name of an environment")
        return environment
    except Exception as error:
        why = f"where it takes effect is unknown ({type(error).__name__}: {error})"
        raise Rejected(f"{wiring.tool.name} was not run: {why}") from None


def again(wiring: Wiring, call: Call, request: ApprovalRequest, because: str) -> ApprovalRequest:
    """Return a new request for a call that was approved, and is not the same any more."""
    now = utc_now()
    risk, panel = weighed(wiring, as_shown(call, request), request.acting_for)
    return replace(
        request,
        id=new_id(),
        key=_key(wiring, call, request.origin),
        digest=sealed(wiring, request.environment, request.frozen, None),
        risk=risk,
        panel=panel,
        preview=None,
        problem="",
        charges=(),
        remarks=(because,),
        asked_at=now,
        expires_at=now + wiring.decide_within,
    )


def weighed(wiring: Wiring, arguments: Mapping[str, Any], acting_for: str) -> tuple[Risk, Panel]:
    """Return what depends on the arguments: how bad it could be, and who decides.

    Raises:
        Rejected: The functions for risk or panel fail, or nobody on the panel may vote.
    """
    try:
        risk, panel = Risk.of(wiring.risk(arguments)), wiring.panel(arguments)
        reachable(panel, (wiring.requester, acting_for))
        return risk, panel
    except Exception as error:
        why = f"who decides is unknown ({type(error).__name__}: {error})"
        raise Rejected(f"{wiring.tool.name} was not run: {why}") from None


def reachable(panel: Any, requesters: tuple[str, ...]) -> None:
    """Check that enough people can vote.

    Raises:
        ValueError: The panel can never have its votes.
        TypeError: It is no panel.
    """
    if not isinstance(panel, Panel):
        raise TypeError(f"{type(panel).__name__} is no Panel")
    able = {same(member) for member in panel.members if panel.admits(member, requesters)}
    if panel.members and len(able) < panel.votes:
        asks = " for ".join(filter(None, requesters))
        raise ValueError(f"{asks} asks, so this panel can never have {panel.votes} votes")


def opinion(wiring: Wiring, request: ApprovalRequest) -> Approve | Reject | None:
    """Return what the first policy with an opinion says. One that fails has said no."""
    for policy in wiring.policies:
        match _asked(policy, request):
            case None:
                continue
            case Approve() | Reject() as decision:
                return decision
            case other:
                kind = type(other).__name__
                return Reject(by="gate", reason=f"the policy {_name(policy)} answered with {kind}")
    return None


def objection(wiring: Wiring, request: ApprovalRequest) -> Reject | None:
    """Return the first policy's no; approvals do not count, for an edit is a person's proposal."""
    said = (_asked(policy, request) for policy in wiring.policies)
    return next((decision for decision in said if isinstance(decision, Reject)), None)


def _asked(policy: Policy, request: ApprovalRequest) -> Any:
    try:
        return policy(request)
    except Exception as error:
        text = f"the policy {_name(policy)} failed ({type(error).__name__}: {error})"
        return Reject(by="gate", reason=text)


def _name(policy: Any) -> str:
    return str(getattr(policy, "__name__", type(policy).__name__))


async def looked(wiring: Wiring, call: Call, request: ApprovalRequest) -> ApprovalRequest:
    """Return the request with its preview, and the digest over both.

    Raises:
        Exception: Whatever the preview function raises; then nobody is asked and nothing runs.
    """
    if wiring.preview is None:
        return request
    found = await in_thread(wiring.preview, as_shown(call, request))
    if inspect.isawaitable(found):
        found = await found
    preview = found if isinstance(found, Preview) else Preview(summary=str(found))
    sealed_with = sealed(wiring, request.environment, request.frozen, preview)
    return replace(request, preview=preview, digest=sealed_with)


def charged(wiring: Wiring, request: ApprovalRequest) -> ApprovalRequest:
    """Return the request with what it takes out of each budget.

    Raises:
        Rejected: That cannot be told.
    """
    if not wiring.budgets or request.charges:
        return request
    try:
        charges = tuple(_checked(budget(request)) for budget in wiring.budgets)
        if len({(charge.budget, charge.key) for charge in charges}) < len(charges):
            raise ValueError("two budgets of one name")
    except Exception as error:
        why = f"what it takes out of a budget is unknown ({type(error).__name__}: {error})"
        text = f"{request.name} was not run: {why}"
        raise Rejected(text, request_id=request.id) from None
    return replace(request, charges=charges)


def _checked(charge: object) -> Charge:
    if not isinstance(charge, Charge):
        raise TypeError(f"{type(charge).__name__} is no charge")
    return charge


async def seen(wiring: Wiring, call: Call, request: ApprovalRequest) -> ApprovalRequest:
    """Return the request with its preview, for the people who will be asked.

    Raises:
        Rejected: What it would do could not be found out.
    """
    request = charged(wiring, request)
    try:
        return await looked(wiring, call, request)
    except Exception as error:
        text = f"{request.name} was not run: what it would do could not be found out"
        why = f"{text} ({type(error).__name__}: {error})"
        raise Rejected(why, request_id=request.id) from None


def edited(
    wiring: Wiring, call: Call, request: ApprovalRequest, real: Mapping[str, Any]
) -> ApprovalRequest:
    """Return the request that an edit makes of `request`, without its preview."""
    call.real = {**real}
    frozen, remarks = pinned(wiring, call, freeze(wiring, call))
    arguments = decode(frozen, call.types, strict=True)
    environment = placed(wiring, arguments)
    risk, panel = weighed(wiring, arguments, request.acting_for)
    place, said = still_said(request, arguments)
    return replace(
        request,
        arguments=arguments,
        frozen=frozen,
        digest=sealed(wiring, environment, frozen, None),
        risk=risk,
        panel=panel,
        environment=environment,
        remarks=(*remarks, *said),
        batch=place,
        charges=(),
        preview=None,
        revision=request.revision + 1,
        problem="",
        version=wiring.tool.version,
    )
