"""Put a person in front of a function: `gate(fn, approver=...)`.

An agent calls the gated function as it would the plain one. Every call becomes a request in a
store; policies decide it, or people do; then it runs once, as approved, or not at all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast, overload

from .call import Call, Wiring
from .ending import catch_up, ending, never_began
from .executing import settled
from .freezing import thaw
from .model import (
    Approver,
    Panel,
    Parameter,
    Policy,
    Risk,
    State,
    Store,
    StoredRequest,
)
from .proposal import opinion, proposed, reachable, seen
from .stores.memory import MemoryStore
from .telling import recorded, told
from .twin import Tool, by_name, owned, tool, twin
from .waiting import is_over, wait_for

P = ParamSpec("P")
T = TypeVar("T")

AN_HOUR = timedelta(hours=1)
A_QUARTER = timedelta(minutes=15)


@overload
def gate(
    fn: Callable[P, T],
    /,
    *,
    approver: Approver,
    policies: Iterable[Policy] = (),
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
) -> Callable[P, T]: ...


@overload
def gate(
    fn: None = None,
    /,
    *,
    approver: Approver,
    policies: Iterable[Policy] = (),
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
) -> Callable[[Callable[P, T]], Callable[P, T]]: ...


def gate(
    fn: Callable[P, T] | None = None,
    /,
    *,
    approver: Approver,
    policies: Iterable[Policy] = (),
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
) -> Callable[P, T] | Callable[[Callable[P, T]], Callable[P, T]]:
    """Return `fn`, asking first.

    Works as a decorator too, sync or async. Functions given as `preview`, `risk`, `panel` and
    `reconcile` take those of the tool's own parameters that they name.

    The object of a method belongs to the call. If it hashes by its value, as a frozen dataclass
    does, people see a fingerprint of it, and a call on another value is another call; the value
    itself, which may hold keys, is not written down. Other objects cannot be told apart: within
    one run only one of them may have its method called. To show a person which one it is, say so
    in the preview; to use several in a run, gate a function for each.

    Args:
        fn: A function or coroutine function. Not called until approved.
        approver: Asked when no policy decides; votes in the store from any other window count too.
        policies: Rules in order; the first with an opinion decides.
        store: Where requests live. Without one they live in memory and end with the process.
        preview: Returns a `Preview` or one line of text: what the call would do. It is looked at
            again right before the call starts, and any difference stops it.
        risk: How bad the worst outcome is, or a function that tells.
        environment: Where the call takes effect, or a function that tells.
        panel: Who may vote and how many votes it takes, or a function that tells.
        decide_within: After that nobody can decide it any more.
        run_within: How long an approval stays good.
        requester: Name of the agent; it never votes.
        reconcile: Looks for signs of a call whose outcome is unknown, and says what it saw.
        secret: Parameters whose values are never written down or shown.
        pin: Parameter to a function that returns what its value stands for right now, such as the
            commit of a branch. That takes the value's place before anybody is asked, in edits
            too, so it has to return the same for its own answer.
        ask_again: How often to bring a call before people anew, with what is different, when the
            preview has changed between approval and start. Then it is refused.

    Raises:
        TypeError: `fn` cannot be gated, or a named parameter is not one of its own.
        ValueError: The panel has too few members who are not the requester.
        Rejected: From the gated function: it was not run, and the message says why.
        OutcomeUnknown: From the gated function: it was started, and may or may not have happened.
        StoreError: From the gated function: the store cannot be used, so it was not run.
        Unencodable: From the gated function: an argument cannot be shown and frozen.
    """
    if fn is None:
        return partial(
            gate,
            approver=approver,
            policies=tuple(policies),  # an iterator would gate only the first function
            store=store,
            preview=preview,
            risk=risk,
            environment=environment,
            panel=panel,
            decide_within=decide_within,
            run_within=run_within,
            requester=requester,
            reconcile=reconcile,
            secret=frozenset(secret),
            pin=pin,
            ask_again=ask_again,
        )
    known = tool(fn)
    hidden = owned(known, secret, "secret")
    named = pin or {}
    if shared := sorted(owned(known, named, "pin") & hidden):
        raise TypeError(
            f"a hidden value stands for nothing that could be shown: {', '.join(shared)}"
        )
    wiring = Wiring(
        tool=known,
        approver=approver,
        policies=tuple(policies),
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
    made = twin(fn, known, _async(wiring) if known.is_async else _sync(wiring))
    return cast("Callable[P, T]", made)


def _sync(wiring: Wiring) -> Callable[[Any, Mapping[str, Any]], Any]:
    def ask(receiver: Any, arguments: Mapping[str, Any]) -> Any:
        call = Call(receiver=receiver, real=arguments)
        dropped = partial(never_began, wiring)
        stored, mine = _opened(wiring, call) or wait_for(_asked(wiring, call), dropped)
        if not mine:
            return recorded(wiring, call, stored)
        with ending(wiring, call, stored) as end:
            end.result = wiring.tool.call(receiver, call.ready)
        return told(stored, end.result)

    return ask


def _async(wiring: Wiring) -> Callable[[Any, Mapping[str, Any]], Any]:
    async def ask(receiver: Any, arguments: Mapping[str, Any]) -> Any:
        call = Call(receiver=receiver, real=arguments)
        stored, mine = _opened(wiring, call) or await _asked(wiring, call)
        if not mine:
            return recorded(wiring, call, stored)
        with ending(wiring, call, stored) as end:
            end.result = await wiring.tool.call(receiver, call.ready)
        return told(stored, end.result)

    return ask


def _opened(wiring: Wiring, call: Call) -> tuple[StoredRequest, bool] | None:
    """Let the policies speak. Returns `None` when people have to."""
    catch_up(wiring.store)
    call.request = request = proposed(wiring, call)
    if call.earlier is not None:
        return None
    decision = opinion(wiring, request)
    if decision is None:
        return None
    call.ready = thaw(wiring, call, request.frozen)
    stored = wiring.store.record(request, decision)
    mine = stored.request.id == request.id and stored.state is State.EXECUTING
    return (stored, mine) if mine or is_over(stored) else None


async def _asked(wiring: Wiring, call: Call) -> tuple[StoredRequest, bool]:
    """Bring the call before people, or go on with what an earlier attempt has begun."""
    if call.earlier is None:
        stored = wiring.store.submit(await seen(wiring, call, call.request))
    else:
        stored = wiring.store.get(call.earlier.request.id)
    return await settled(wiring, call, stored)


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
