"""Read what Stripe says into the desk's own nouns; what is of another kind is no answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..model import Charge, Refund
from ..money import Money
from .refusals import Unreadable

if TYPE_CHECKING:
    from stripe import StripeObject

Model = TypeVar("Model", bound="Said")
Instant = Annotated[int, Field(ge=0, lt=253_402_300_800)]
Whole = Annotated[int, Field(ge=0, lt=10**15)]
Currency = Annotated[str, Field(pattern="^[a-z]{3}$")]
Text = str | None


class Said(BaseModel):
    """A part of an answer; what else the answer says does not matter here."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Named(Said):
    """Whatever has an id."""

    id: str


class SaidPayer(Named):
    """A customer; one that was deleted has no address any more."""

    email: Text = None


class SaidContact(Said):
    """What the customer filled in when paying."""

    email: Text = None


class SaidRefund(Named):
    """A refund, as Stripe writes it."""

    amount: Whole
    currency: Currency
    created: Instant
    charge: Text
    status: Text = None
    reason: Text = None
    failure_reason: Text = None
    metadata: dict[str, str] | None = None

    def noun(self) -> Refund:
        """Return it in the desk's words."""
        known = self.metadata or {}
        return Refund(
            id=self.id,
            charge=self.charge or "",
            money=Money(amount=self.amount, currency=self.currency),
            status=self.status or "pending",
            created=datetime.fromtimestamp(self.created, UTC),
            reason=self.reason or "",
            ticket=known.get("ticket", ""),
            key=known.get("request", ""),
        )


class SaidRefunds(Said):
    """The newest refunds of a charge; whether there are more stands beside them."""

    data: list[SaidRefund]
    has_more: bool


class SaidCharge(Named):
    """A charge, as Stripe writes it."""

    amount_captured: Whole
    amount_refunded: Whole
    currency: Currency
    captured: bool
    disputed: bool
    created: Instant
    customer: str | SaidPayer | None = None
    billing_details: SaidContact | None = None
    receipt_email: Text = None
    description: Text = None
    payment_intent: Text = None
    refunds: SaidRefunds | None = None

    def noun(self, payer: str, *, disputed: bool) -> Charge:
        """Return it in the desk's words.

        Args:
            payer: Whose it is, where the charge names its customer by id only.
            disputed: Whether a dispute forbids to refund it.
        """
        return Charge(
            id=self.id,
            customer=(payer or self._payer()).lower(),
            paid=Money(amount=self.amount_captured, currency=self.currency),
            refunded=Money(amount=self.amount_refunded, currency=self.currency),
            captured=self.captured,
            disputed=disputed,
            created=datetime.fromtimestamp(self.created, UTC),
            description=self.description or "",
            payment_intent=self.payment_intent or "",
        )

    def _payer(self) -> str:
        known = self.customer.email if isinstance(self.customer, SaidPayer) else None
        filled_in = self.billing_details.email if self.billing_details else None
        return known or filled_in or self.receipt_email or ""


class SaidIntent(Named):
    """A payment that may have taken several attempts, with the last of them."""

    latest_charge: SaidCharge | None = None


class SaidDispute(Named):
    """A payment that the customer's bank has taken up."""

    is_charge_refundable: bool


def read(kind: type[Model], answer: StripeObject) -> Model:
    """Return an answer as what it has to be.

    Raises:
        Unreadable: It is something else.
    """
    try:
        return kind.model_validate(answer.to_dict())
    except (ValidationError, AttributeError):
        pass
    raise Unreadable
