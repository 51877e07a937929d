"""The request whose tool is running: its id is the idempotency key to hand to a provider."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from .model import ApprovalRequest

_running: ContextVar[ApprovalRequest | None] = ContextVar("request whose tool runs", default=None)


def current_request() -> ApprovalRequest:
    """Return the request that this call runs for, or, in `reconcile`, that is looked for.

    The same call has the same id at every attempt, so a payment made under it is made once.

    Raises:
        LookupError: No gated call is running here.
    """
    request = _running.get()
    if request is None:
        raise LookupError("no gated call is running here, so there is no request")
    return request


@contextmanager
def running(request: ApprovalRequest) -> Generator[None]:
    """Name the request that the block runs for."""
    token = _running.set(request)
    try:
        yield
    finally:
        _running.reset(token)
