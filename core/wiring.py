"""What a gate is given, looked at before the first call: what could never work is told at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from .call import Wiring
from .model import ApprovalRequest, Approver, Charge, Panel, Parameter, Policy, Risk, Store
from .proposal import reachable
from .stores.memory import MemoryStore
from .twin import Tool, by_name, owned, tool

AN_HOUR = timedelta(hours=1)
A_QUARTER = timedelta(minutes=15)


def wired(
    fn: Callable[..., Any],
    *,
    approver: Approver,
    policies: Iterable[Policy] = (),
    budgets: Iterable[Callable[[ApprovalRequest], Charge]] = (),
    store: Store | None = None,
    preview: Callable[..., Any] | None = None,
    risk: Risk | Callable[..., Risk] = Risk.HIGH,
    environment: str | Callable[..., str] = "production",
    panel: Panel | Callable[..., Panel] = Panel(),
    decide_within: timedelta = AN_HOUR,
    run_within: timedelta = A_QUARTER,
    requester: str = "agent",
    reconcile: Callable[..., str] | None = None,
    secret: Iterable[str] = (),
    pin: Mapping[str, Callable[[Any], Any]] | None = None,
    ask_again: int = 0,
) -> Wiring:
    """Return what `gate` and a batch need to know of `fn`; they say what each option means.

    Raises:
        TypeError: `fn` cannot be gated, or a named parameter is not one of its own.
        ValueError: The panel has too few members who are not the requester.
    """
    known = tool(fn)
    hidden = owned(known, secret, "secret")
    named = pin or {}
    if shared := sorted(owned(known, named, "pin") & hidden):
        raise TypeError(
            f"a hidden value stands for nothing that could be shown: {', '.join(shared)}"
        )
    return Wiring(
        tool=known,
        approver=approver,
        policies=tuple(policies),
        budgets=tuple(budgets),
        store=MemoryStore() if store is None else store,
        preview=by_name(preview, known, "preview") if preview else None,
        risk=by_name(risk, known, "risk") if not isinstance(risk, Risk) else lambda _: risk,
        environment=_environment(environment, known),
        panel=_panel(panel, known, requester),
        decide_within=decide_within,
        run_within=run_within,
        requester=requester,
        reconcile=by_name(reconcile, known, "reconcile") if reconcile else None,
        pin=dict(named),
        ask_again=ask_again,
        secret=hidden,
        parameters=tuple(_parameter(known, name, name in hidden) for name in known.parameters),
    )


def _environment(
    environment: str | Callable[..., str], known: Tool
) -> Callable[[Mapping[str, Any]], str]:
    if isinstance(environment, str):
        return lambda _: environment
    return by_name(environment, known, "environment")


def _panel(
    panel: Panel | Callable[..., Panel], known: Tool, requester: str
) -> Callable[[Mapping[str, Any]], Panel]:
    """Check that somebody can be reached before the first call is made."""
    if not isinstance(panel, Panel):
        return by_name(panel, known, "panel")
    reachable(panel, (requester,))
    return lambda _: panel


def _parameter(known: Tool, name: str, secret: bool) -> Parameter:
    annotation = known.annotations.get(name, "")
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return Parameter(name=name, annotation=text, secret=secret)
