"""So much goes through without a person; then people are asked, until the budget has room again.

>>> day = Budget("refunds a day", 500_00, of="amount", places=2, unit="EUR")
>>> day(ApprovalRequest(action="shop.refund", arguments={"amount": 60_00})).amount
6000
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from ..model import ApprovalRequest, Charge


@dataclass(frozen=True, slots=True)
class Budget:
    """What policies may approve within a rolling window; handed to `gate(budgets=[...])`.

    The store does the counting, in the very transaction in which a call is let through, so many
    processes at once never spend more than there is. What waits for people is reserved; what
    they reject, or nobody answers, is free again; an edit reserves the other amount.

    Attributes:
        name: As people read it; one name is one budget, whichever functions are gated with it.
        limit: How much there is within `within`.
        of: The parameter that is added up, or a function of the request; without it, calls are
            counted.
        per: The parameter, or the function of the request, that says whose budget it is: a
            customer's, an agent's. Without it there is one for all.
        within: For how long a call counts after it has ended.
        places: Decimals with which people read the numbers: 2 where 1999 means 19.99.
        unit: What they count, such as "EUR".
        elsewhere: How much was spent outside the store, as far as the world knows.

    Raises:
        TypeError: When asked: the call has no such parameter, or it is no whole number.
    """

    name: str
    limit: int
    _: KW_ONLY
    of: str | Callable[[ApprovalRequest], int] = ""
    per: str | Callable[[ApprovalRequest], str] = ""
    within: timedelta = timedelta(days=1)
    places: int = 0
    unit: str = ""
    elsewhere: Callable[[ApprovalRequest], int] | None = None

    def __post_init__(self) -> None:
        if self.limit < 0 or self.within <= timedelta(0):
            raise ValueError(f"{self.name} needs a limit of at least 0 and a while to count in")

    def __call__(self, request: ApprovalRequest, /) -> Charge:
        return Charge(
            budget=self.name,
            key=self._key(request),
            amount=self._amount(request),
            limit=self.limit,
            within=self.within,
            places=self.places,
            unit=self.unit,
            elsewhere=self.elsewhere(request) if self.elsewhere else 0,
        )

    def _amount(self, request: ApprovalRequest) -> int:
        if not self.of:
            return 1
        amount = self.of(request) if callable(self.of) else _named(request, self.of)
        if type(amount) is not int:
            raise TypeError(f"{self.name} adds up whole numbers, not a {type(amount).__name__}")
        return amount

    def _key(self, request: ApprovalRequest) -> str:
        if not self.per:
            return ""
        return str(self.per(request) if callable(self.per) else _named(request, self.per))


def _named(request: ApprovalRequest, name: str) -> object:
    if name in {parameter.name for parameter in request.parameters if parameter.secret}:
        raise TypeError(f"a budget cannot read {name}: its value is hidden")
    if name not in request.arguments:
        has = ", ".join(request.arguments) or "none"
        raise TypeError(f"{request.name} has no parameter {name} (it has {has})")
    return request.arguments[name]
