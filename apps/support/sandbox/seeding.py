"""A past for the sandbox: customers, payments, refunds and disputes that happened before."""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from ..money import Money
from . import creating, disputing, objects, refunds
from .errors import Json, missing
from .params import Params
from .state import Rows, State
from .turn import Setup, Turn, random_id


@contextmanager
def seeding(path: Path, *, seed: int | None = None) -> Generator[Seeding]:
    """Yield what writes a past into a state's file, all of it or nothing.

    Args:
        path: The file; it is made when it is missing, and may be in use.
        seed: With one, the ids are the same each time.
    """
    state = State(path)
    try:
        with state.writing() as rows:
            yield Seeding(rows, random.Random(seed) if seed is not None else None)  # noqa: S311 - names, no secrets
    finally:
        state.close()


class Seeding:
    """Writes objects with dates of their own; no webhook is told, nothing settles later."""

    def __init__(self, rows: Rows, source: random.Random | None) -> None:
        self._rows, self._setup = rows, Setup(new=partial(random_id, source=source))

    def customer(self, email: str, name: str = "", *, created: datetime) -> str:
        """Add a customer and return the id."""
        turn = self._turn(created)
        made = objects.customer(turn.new("cus"), turn.at, email=email, name=name or None)
        self._rows.add(made)
        return str(made["id"])

    def charge(
        self,
        customer: str,
        money: Money,
        *,
        created: datetime,
        description: str = "",
        method: str = "pm_card_visa",
        captured: bool = True,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Add a payment with its intent and return the charge's id.

        Args:
            customer: An id, or empty when nobody knows who paid.
            method: A token of `cards.py`; it decides what becomes of refunds made from now on.
        """
        turn = self._turn(created)
        payer = self._found("customer", customer) if customer else None
        said = {"description": description, "metadata": dict(metadata or {})}
        intent = turn.new("pi")
        made = creating.paid(
            turn,
            Params(said, (*said, "receipt_email")),
            money.amount,
            money.currency,
            method,
            captured=captured,
            customer=payer,
            payment_intent=intent,
        )
        self._rows.add(objects.payment_intent(intent, turn.at, made))
        return str(made["id"])

    def refund(
        self,
        charge: str,
        amount: int,
        *,
        created: datetime,
        reason: str = "requested_by_customer",
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Add a refund that was made elsewhere and return its id; the rules are the same."""
        said = {"charge": charge, "amount": str(amount), "reason": reason}
        params = Params({**said, "metadata": dict(metadata or {})}, refunds.NEW)
        return str(refunds.refund(self._turn(created), "", params)["id"])

    def dispute(
        self, charge: str, *, created: datetime, reason: str = "fraudulent", inquiry: bool = False
    ) -> str:
        """Add a dispute and return its id."""
        paid = self._found("charge", charge)
        made = disputing.opened(self._turn(created), paid, reason=reason, inquiry=inquiry)
        return str(made["id"])

    def _turn(self, created: datetime) -> Turn:
        at = int(created.timestamp())
        return Turn(rows=self._rows, setup=self._setup, at=at, quiet=True)

    def _found(self, kind: str, ident: str) -> Json:
        found = self._rows.find(kind, ident)
        if found is None:
            raise missing(kind, ident)
        return found
