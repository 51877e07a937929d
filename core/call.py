"""One call in hand, and what `gate` knows about its function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .canonical import decode
from .model import (
    ApprovalRequest,
    Approver,
    Charge,
    Panel,
    Parameter,
    Place,
    Policy,
    Store,
    StoredRequest,
)
from .twin import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What `gate` was given, and what it found out about the function."""

    tool: Tool
    approver: Approver
    policies: tuple[Policy, ...]
    budgets: tuple[Callable[[ApprovalRequest], Charge], ...]
    store: Store
    preview: Callable[[Mapping[str, Any]], Any] | None
    risk: Callable[[Mapping[str, Any]], Any]
    environment: Callable[[Mapping[str, Any]], str]
    panel: Callable[[Mapping[str, Any]], Panel]
    decide_within: timedelta
    run_within: timedelta
    requester: str
    reconcile: Callable[[Mapping[str, Any]], Any] | None
    pin: Mapping[str, Callable[[Any], Any]]
    ask_again: int
    secret: frozenset[str]
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What is known beforehand of a call in a batch, in whatever order people answer.

    Attributes:
        key: Of its place in the run; empty outside runs.
        origin: Digest of what the agent asked for, placeholders and all.
        place: Its place in the batch.
        remarks: What the batch has to say to whoever decides.
    """

    key: str
    origin: str
    place: Place
    remarks: tuple[str, ...] = ()


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
        slot: Its place in a batch, if it has one.
        bound: Results that take the place of what stands for them in the arguments.
        bound_digest: Of the arguments with those results in place; empty without any.
    """

    receiver: Any
    real: Mapping[str, Any] = field(repr=False)
    secrets: dict[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    request: ApprovalRequest = field(default_factory=lambda: ApprovalRequest(action=""))
    earlier: StoredRequest | None = None
    ready: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    types: set[type[Any]] = field(default_factory=set[type[Any]])
    slot: Slot | None = None
    bound: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    bound_digest: str = ""

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
