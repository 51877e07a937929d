"""Approve the calls you already trust, reject those you never want, leave the rest to people.

>>> def is_small(amount: int) -> bool:
...     return amount <= 50_00
>>> trusted = ApproveIf(is_small, because="at most 50.00")
>>> trusted(ApprovalRequest(action="shop.refund", arguments={"charge": "ch_1", "amount": 20_00}))
Approve(by='policy', note='at most 50.00')
>>> trusted(ApprovalRequest(action="shop.refund", arguments={"charge": "ch_1", "amount": 90_00}))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from inspect import Parameter

from ..model import ApprovalRequest, Approve, Reject


@dataclass(frozen=True, slots=True)
class ApproveIf:
    """Approve when `condition` holds, otherwise have no opinion.

    Attributes:
        condition: Takes those of the tool's own parameters that it names, or all of them with
            `**arguments`, and returns a `bool`. What the tool calls `*items` is a tuple here.
        because: The rule in a few words, for the audit trail.

    Raises:
        TypeError: `condition` cannot be called by parameter names; or, when asked, it names what
            the tool does not have or hides, or answers with anything but `True` or `False`.
    """

    condition: Callable[..., bool]
    because: str
    _asked: ByName = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_asked", by_name(self.condition))

    def __call__(self, request: ApprovalRequest, /) -> Approve | None:
        return Approve(by="policy", note=self.because) if self._asked.holds(request) else None


@dataclass(frozen=True, slots=True)
class RejectIf:
    """Reject when `condition` holds, otherwise have no opinion.

    Attributes:
        condition: As for `ApproveIf`; a person's edit has to pass it too.
        because: For the agent, so say what to do instead; or a function of the tool's own
            parameters that says it, where only the call tells the reason.

    Raises:
        TypeError: As for `ApproveIf`.
    """

    condition: Callable[..., bool]
    because: str | Callable[..., str]
    _asked: ByName = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_asked", by_name(self.condition))
        if not isinstance(self.because, str):
            by_name(self.because)

    def __call__(self, request: ApprovalRequest, /) -> Reject | None:
        if not self._asked.holds(request):
            return None
        given = self.because
        reason = given if isinstance(given, str) else str(by_name(given).answer(request))
        return Reject(by="policy", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByName:
    """A function that is called with those of a tool's arguments that it names.

    Attributes:
        takes: The names it takes. What a `partial` has fixed is not among them: no argument of
            an agent's call may replace it.
        fixed: What a `partial` has fixed.
        takes_all: Whether it takes every other argument too.
    """

    rule: Callable[..., object]
    takes: frozenset[str]
    fixed: frozenset[str]
    takes_all: bool

    def holds(self, request: ApprovalRequest) -> bool:
        """Return what a condition says of `request`.

        Raises:
            TypeError: As for `answer`, or it answers with anything but `True` or `False`.
        """
        answer = self.answer(request)
        if isinstance(answer, bool):
            return answer
        kind = type(answer).__name__
        raise TypeError(f"{_name(self.rule)} has to answer True or False, not with a {kind}")

    def answer(self, request: ApprovalRequest) -> object:
        """Call the function.

        Raises:
            TypeError: It names a parameter that the tool does not have, or hides.
        """
        arguments = request.arguments
        if strange := sorted(self.takes - arguments.keys()):
            lacks = f"{request.name} has no parameter {', '.join(strange)}"
            has = ", ".join(arguments) or "none"
            raise TypeError(f"{_name(self.rule)} does not fit: {lacks} (it has {has})")
        hidden = {parameter.name for parameter in request.parameters if parameter.secret}
        if secret := sorted(hidden & self.takes):
            names = ", ".join(secret)
            raise TypeError(f"{_name(self.rule)} cannot read {names}: its value is hidden")
        taken = arguments.keys() - self.fixed if self.takes_all else self.takes
        return self.rule(**{name: arguments[name] for name in taken})


def by_name(rule: Callable[..., object]) -> ByName:
    """Look at a function once, and find what could never work before the first call comes.

    Raises:
        TypeError: It is async, does not tell its parameters, or cannot be called by their names.
    """
    if inspect.iscoroutinefunction(rule):
        raise TypeError(f"{_name(rule)} is async, but a policy has to answer at once")
    try:
        parameters = inspect.signature(rule).parameters.values()
    except (TypeError, ValueError):
        raise TypeError(f"{_name(rule)} does not tell its parameters; use a lambda") from None
    for parameter in parameters:
        if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL):
            plain = f"write {parameter.name} without / or *"
            raise TypeError(f"{_name(rule)} is called by parameter names, so {plain}")
    named = {p.name for p in parameters if p.kind is not Parameter.VAR_KEYWORD}
    fixed = _fixed(rule)
    takes_all = len(named) < len(parameters)
    return ByName(rule=rule, takes=frozenset(named - fixed), fixed=fixed, takes_all=takes_all)


def _fixed(rule: object) -> frozenset[str]:
    return frozenset(rule.keywords) if isinstance(rule, partial) else frozenset()


def _name(rule: object) -> str:
    return str(getattr(rule, "__qualname__", "") or f"the condition {rule!r}")
