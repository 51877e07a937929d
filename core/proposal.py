"""From a call to a request: bind, freeze, look, digest, and ask the policies."""

from __future__ import annotations

import hmac
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from .canonical import Secret, decode, digest, encode
from .model import (
    ApprovalRequest,
    Approve,
    Approver,
    Panel,
    Parameter,
    Policy,
    Preview,
    Reject,
    Rejected,
    Risk,
    Store,
    StoredRequest,
    Unencodable,
    same,
    utc_now,
)
from .runs import current
from .stores.rows import preview_text
from .twin import Tool
from .waiting import in_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What `gate` was given, and what it found out about the function."""

    tool: Tool
    approver: Approver
    policies: tuple[Policy, ...]
    store: Store
    preview: Callable[[Mapping[str, Any]], Any] | None
    risk: Callable[[Mapping[str, Any]], Any]
    environment: str
    panel: Callable[[Mapping[str, Any]], Panel]
    decide_within: timedelta
    run_within: timedelta
    requester: str
    reconcile: Callable[[Mapping[str, Any]], Any] | None
    secret: frozenset[str]
    parameters: tuple[Parameter, ...]


@dataclass(slots=True, kw_only=True)
class Call:
    """One call in hand.

    Attributes:
        receiver: The object a method was called on, or `None`.
        real: Arguments as given, secrets included; these never leave the process.
        secrets: Canonical bytes of the secret ones; these do not leave it either.
        types: Classes among them, by which the frozen bytes are thawed.
        request: The request as first proposed.
        earlier: The request that an earlier attempt of this run made for the same call.
        ready: Arguments to run with, thawed from what was approved.
    """

    receiver: Any
    real: Mapping[str, Any] = field(repr=False)
    secrets: dict[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    request: ApprovalRequest = field(default_factory=lambda: ApprovalRequest(action=""))
    earlier: StoredRequest | None = None
    ready: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    types: set[type[Any]] = field(default_factory=set[type[Any]])

    def hidden(self) -> list[str]:
        """Return the secret values as text; one or two letters would blot out whole words."""
        values = (decode(data, self.types) for data in self.secrets.values())
        return [text for value in values for text in texts(value) if len(text) > 2]


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value that can be frozen; keys and names of fields tell nothing."""
    match value:
        case None | bool():
            pass
        case str():
            yield value
        case bytes():
            yield from (value.decode("utf-8", "replace"), repr(value)[2:-1])
        case dict() | list() | tuple() | set() | frozenset():
            for item in _members(value):
                yield from texts(item)
        case _:
            yield str(value)
            yield from texts(getattr(value, "__dict__", None))


def _members(value: Any) -> list[Any]:
    return list(value.values() if hasattr(value, "values") else value)


def proposed(wiring: Wiring, call: Call) -> ApprovalRequest:
    """Return the request for a call; nobody has looked at what it would do yet.

    Raises:
        Unencodable: An argument cannot be frozen, so nobody is asked.
    """
    tool, work = wiring.tool, current.get()
    frozen = freeze(wiring, call)
    action = tool.action
    origin = digest("origin", action.encode(), frozen)
    now = utc_now()
    key = ""
    if work:
        key, call.earlier = work.key(wiring.store, wiring.requester, action, origin)
    arguments = decode(frozen, call.types, strict=True)
    acting_for = work.acting_for if work else ""
    risk, panel = weighed(wiring, arguments, acting_for)
    return ApprovalRequest(
        action=action,
        arguments=arguments,
        frozen=frozen,
        digest=sealed(wiring, frozen, None),
        origin=origin,
        version=tool.version,
        parameters=wiring.parameters,
        risk=risk,
        panel=panel,
        environment=wiring.environment,
        requester=wiring.requester,
        acting_for=acting_for,
        run=work.name if work else "",
        key=key,
        asked_at=now,
        expires_at=now + wiring.decide_within,
        run_within=wiring.run_within,
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


def sealed(wiring: Wiring, frozen: bytes, preview: Preview | None) -> str:
    """Return the digest of what would be done, as it is shown."""
    return digest(
        "request",
        wiring.tool.action.encode(),
        wiring.tool.version.encode(),
        wiring.environment.encode(),
        frozen,
        preview_text(preview).encode(),
    )


def freeze(wiring: Wiring, call: Call) -> bytes:
    """Return the canonical bytes of the arguments, with secrets replaced by fingerprints."""
    shown = dict(call.real)
    try:
        for name in wiring.secret:
            call.secrets[name] = data = encode(shown[name], call.types)
            shown[name] = Secret(label=name, fingerprint=fingerprint(wiring.store, data))
        frozen = encode(shown, call.types)
        changed = call.types and encode(decode(frozen, call.types, strict=True)) != frozen
    except Unencodable as problem:
        raise Unencodable(f"{wiring.tool.name} was not run: {problem}") from None
    if changed:
        raise Unencodable(f"{wiring.tool.name} was not run: an argument changes when it is copied")
    return frozen


def fingerprint(store: Store, data: bytes) -> str:
    """Return 16 hex digits that are equal for equal secrets and useless without the store's key."""
    return hmac.new(store.fingerprint_key(), data, "sha256").hexdigest()[:16]


def thaw(wiring: Wiring, call: Call, frozen: bytes) -> dict[str, Any]:
    """Return the arguments to run with: those that were shown, and the secrets behind them."""
    arguments: dict[str, Any] = decode(frozen, call.types, strict=True)
    for name in wiring.secret:
        arguments[name] = decode(call.secrets[name], call.types, strict=True)
    return arguments


def as_shown(call: Call, request: ApprovalRequest) -> dict[str, Any]:
    """Return the arguments of `request` as people see them: of their own types, secrets hidden."""
    arguments: dict[str, Any] = decode(request.frozen, call.types, strict=True)
    return arguments


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
    return replace(request, preview=preview, digest=sealed(wiring, request.frozen, preview))


def edited(
    wiring: Wiring, call: Call, request: ApprovalRequest, real: Mapping[str, Any]
) -> ApprovalRequest:
    """Return the request that an edit makes of `request`, without its preview."""
    call.real = {**real}
    frozen = freeze(wiring, call)
    arguments = decode(frozen, call.types, strict=True)
    risk, panel = weighed(wiring, arguments, request.acting_for)
    return replace(
        request,
        arguments=arguments,
        frozen=frozen,
        digest=sealed(wiring, frozen, None),
        risk=risk,
        panel=panel,
        preview=None,
        revision=request.revision + 1,
        problem="",
        version=wiring.tool.version,
    )
