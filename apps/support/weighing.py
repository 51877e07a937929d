"""What a refund weighs: how much of a budget it takes, whose it is, and what is gone of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from .model import Refund
from .rules import Rules


class Asked(Protocol):
    """A call of `refund` that was asked for."""

    @property
    def id(self) -> str: ...
    @property
    def arguments(self) -> Mapping[str, object]: ...


@dataclass(slots=True, eq=False)
class Weights:
    """Weighs calls of `refund`, in the smallest unit of the limits' currency.

    Attributes:
        last: The call that was looked at last, and what had gone back: several budgets ask.
    """

    rules: Rules
    last: tuple[str, list[Refund]] = ("", [])

    def worth(self, asked: Asked) -> int:
        """Return what it is worth; what has no rate is never free, and takes nothing."""
        return self.rules.worth(_charge(asked), int(str(asked.arguments["amount"]))) or 0

    def payer(self, asked: Asked) -> str:
        """Return who has paid."""
        return self.rules.payer(_charge(asked))

    def worth_elsewhere(self, asked: Asked, days: int) -> int:
        """Return what went back by other hands, in Stripe's own pages for example."""
        worth = self.rules.desk.config.worth
        return sum(worth(one.money) or 0 for one in self._elsewhere(asked, days))

    def times_elsewhere(self, asked: Asked, days: int) -> int:
        """Return how often something went back by other hands."""
        return len(self._elsewhere(asked, days))

    def _elsewhere(self, asked: Asked, days: int) -> list[Refund]:
        seen, made = self.last
        if seen != asked.id:
            customer = self.payer(asked)
            made = self.rules.made_elsewhere(customer) if customer else []
            self.last = asked.id, made
        since = datetime.now(UTC) - timedelta(days=days)
        return [one for one in made if one.created >= since]


def _charge(asked: Asked) -> str:
    return str(asked.arguments["charge"])
