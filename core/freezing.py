"""What is shown is what runs: arguments to canonical bytes, and back right before the start."""

from __future__ import annotations

import hmac
from typing import Any

from .call import Call, Wiring
from .canonical import Secret, decode, digest, encode, type_name
from .model import ApprovalRequest, Preview, Store, Unencodable
from .stores.rows import preview_text

CALLED_ON = "called on"
"""Stands among the arguments for the object of a method; no parameter can have this name."""


def freeze(wiring: Wiring, call: Call) -> bytes:
    """Return the canonical bytes of the arguments, with secrets replaced by fingerprints."""
    shown = dict(call.real)
    if belongs_to := called_on(wiring, call):
        shown = {CALLED_ON: belongs_to, **shown}
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


def called_on(wiring: Wiring, call: Call) -> Secret | None:
    """Return what stands for the object of a method; `None` when its value cannot be told.

    Only a fingerprint, for nobody has said which of the object's fields are safe to show.
    """
    if not (wiring.tool.bound or wiring.tool.receiver):
        return None
    known = [(one, data) for one in _objects(wiring, call) if (data := _value(one)) is not None]
    if not known:
        return None
    label = ", ".join((one if isinstance(one, type) else type(one)).__name__ for one, _ in known)
    values = digest("called on", *(data for _, data in known))
    return Secret(label=label, fingerprint=fingerprint(wiring.store, values.encode()))


def nameless(wiring: Wiring, call: Call) -> list[Any]:
    """Return what the call is made on and no value tells from another of its kind."""
    return [one for one in _objects(wiring, call) if _value(one) is None]


def _objects(wiring: Wiring, call: Call) -> tuple[Any, ...]:
    return (*wiring.tool.bound, call.receiver) if wiring.tool.receiver else wiring.tool.bound


def _value(one: Any) -> bytes | None:
    """Return the canonical bytes of what hashes by its value, and `None` for any other object."""
    try:
        if isinstance(one, type):
            return encode(type_name(one))
        hashes: object = type(one).__hash__
        return None if hashes is None or hashes is object.__hash__ else encode(one)
    except Unencodable:
        return None


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


def sealed(wiring: Wiring, environment: str, frozen: bytes, preview: Preview | None) -> str:
    """Return the digest of what would be done, as it is shown."""
    return digest(
        "request",
        wiring.tool.action.encode(),
        wiring.tool.version.encode(),
        environment.encode(),
        frozen,
        preview_text(preview).encode(),
    )
