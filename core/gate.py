"""Put a person in front of a function: `gate(fn, approver=...)`.

An agent calls the gated function as it would the plain one. Every call becomes a request in a
store; policies decide it, or people do; then it runs once, as approved, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast, overload

from .call import Call, Wiring
from .ending import ending, never_began
from .model import ApprovalRequest, Approver, Charge, Panel, Policy, Risk, Store
from .opening import asked, opened
from .telling import recorded, told
from .twin import twin
from .waiting import wait_for
from .wiring import A_QUARTER, AN_HOUR, wired

P = ParamSpec("P")
T = TypeVar("T")


@overload
def gate(
    fn: Callable[P, T],
    /,
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
) -> Callable[P, T]: ...


@overload
def gate(
    fn: None = None,
    /,
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
) -> Callable[[Callable[P, T]], Callable[P, T]]: ...


def gate(
    fn: Callable[P, T] | None = None,
    /,
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
        budgets: What bounds that: beyond any of them people are asked, whatever policies say.
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
            budgets=tuple(budgets),
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
    wiring = wired(
        fn,
        approver=approver,
        policies=policies,
        budgets=budgets,
        store=store,
        preview=preview,
        risk=risk,
        environment=environment,
        panel=panel,
        decide_within=decide_within,
        run_within=run_within,
        requester=requester,
        reconcile=reconcile,
        secret=secret,
        pin=pin,
        ask_again=ask_again,
    )
    made = twin(fn, wiring.tool, _async(wiring) if wiring.tool.is_async else _sync(wiring))
    return cast("Callable[P, T]", made)


def _sync(wiring: Wiring) -> Callable[[Any, Mapping[str, Any]], Any]:
    def ask(receiver: Any, arguments: Mapping[str, Any]) -> Any:
        call = Call(receiver=receiver, real=arguments)
        dropped = partial(never_began, wiring)
        stored, mine = opened(wiring, call) or wait_for(asked(wiring, call), dropped)
        if not mine:
            return recorded(wiring, call, stored)
        with ending(wiring, call, stored) as end:
            end.result = wiring.tool.call(receiver, call.ready)
        return told(stored, end.result)

    return ask


def _async(wiring: Wiring) -> Callable[[Any, Mapping[str, Any]], Any]:
    async def ask(receiver: Any, arguments: Mapping[str, Any]) -> Any:
        call = Call(receiver=receiver, real=arguments)
        stored, mine = opened(wiring, call) or await asked(wiring, call)
        if not mine:
            return recorded(wiring, call, stored)
        with ending(wiring, call, stored) as end:
            end.result = await wiring.tool.call(receiver, call.ready)
        return told(stored, end.result)

    return ask
