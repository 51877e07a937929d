"""Read `support.toml`: where the mails lie, what goes back without asking, and who is asked.

It is the operator's file. Every amount in it is a decimal number in quotes, so that it is exact.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from .errors import ConfigError, SupportError
from .money import Money, parse, places

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _decimal(text: str) -> str:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        raise ValueError('has to be a decimal number in quotes, such as "50.00"')
    return text


def _rate(text: str) -> str:
    if not Decimal(_decimal(text)):
        raise ValueError("has to be more than nothing")
    return text


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("has to be one line of plain text")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)*", text, re.ASCII):
        raise ValueError('has to be a mail address, such as "help@shop.example"')
    return text.lower()


Amount = Annotated[str, AfterValidator(_decimal)]
Rate = Annotated[str, AfterValidator(_rate)]
Line = Annotated[str, AfterValidator(_one_line)]
Address = Annotated[str, AfterValidator(_address)]
Currency = Annotated[str, StringConstraints(pattern="^[a-z]{3}$")]
Days = Annotated[int, Field(ge=1, le=3660)]


class Table(BaseModel):
    """One table of the file; whatever it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Smtp(Table):
    """How replies are sent; the password comes from `SUPPORT_SMTP_PASSWORD`."""

    host: Line
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    user: str = ""
    tls: Literal["starttls", "tls", "none"] = "starttls"


class Refunds(Table):
    """What goes back without asking, and up to where a support lead decides."""

    currency: Currency
    free_up_to: Amount
    day_budget: Amount
    lead_up_to: Amount
    split_days: Days = 30
    customer_refunds: Annotated[int, Field(ge=0)] = 3
    customer_days: Days = 90


class People(Table):
    """Who decides."""

    leads: Annotated[list[Line], Field(min_length=1)]
    managers: Annotated[list[Line], Field(min_length=1)]


class Settings(Table):
    """The whole file."""

    mail: Line
    address: Address
    name: Line
    state: Line = "state"
    smtp: Smtp | None = None
    refunds: Refunds
    rates: dict[Currency, Rate] = Field(default_factory=dict[str, str])
    people: People


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What `support.toml` says, with every path made absolute.

    Attributes:
        path: The file itself.
        mail: The Maildir.
        state: The folder for what a help desk keeps for itself.
        address: Who we are; mails from it are ours.
        free_up_to: Of one refund, and of all for one customer or charge within `split_days`.
        day_budget: Of everything that goes back within a day.
        customer_refunds: So many for one customer within `customer_days`.
        rates: What one unit of a currency is worth in that of the limits.
    """

    path: Path
    mail: Path
    state: Path
    address: str
    name: str
    smtp: Smtp | None
    free_up_to: Money
    day_budget: Money
    lead_up_to: Money
    split_days: int
    customer_refunds: int
    customer_days: int
    rates: Mapping[str, Decimal]
    leads: tuple[str, ...]
    managers: tuple[str, ...]

    @property
    def currency(self) -> str:
        """That of all limits."""
        return self.free_up_to.currency

    def worth(self, money: Money) -> int | None:
        """Return an amount in the smallest unit of the limits' currency, rounded up.

        `None` when there is no rate: nobody knows, so a manager is asked.
        """
        if money.currency == self.currency:
            return money.amount
        rate = self.rates.get(money.currency)
        if rate is None:
            return None
        units = Decimal(money.amount).scaleb(-places(money.currency)) * rate
        return int(units.scaleb(places(self.currency)).to_integral_value(ROUND_CEILING))


def read(path: Path) -> Config:
    """Read the file.

    Raises:
        ConfigError: It is missing, no TOML, or does not say what it has to; one line per problem.
    """
    path = path.absolute()
    try:
        settings = Settings.model_validate(tomllib.loads(path.read_text("utf-8")))
        return _resolved(settings, path)
    except FileNotFoundError:
        raise ConfigError(
            f"There is no {path}: name one with --config, or make a sample with `init`."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name} is no TOML: {error}.") from None
    except ValidationError as error:
        said = "\n".join(f"{path.name}: {_sentence(one)}" for one in error.errors())
        raise ConfigError(said) from None


def _resolved(said: Settings, path: Path) -> Config:
    limits = {
        name: _limit(path, name, getattr(said.refunds, name), said.refunds.currency)
        for name in ("free_up_to", "day_budget", "lead_up_to")
    }
    if limits["lead_up_to"].amount < limits["free_up_to"].amount:
        raise ConfigError(
            f"{path.name}: refunds.lead_up_to is less than refunds.free_up_to, so nobody decides"
            " what lies between them."
        )
    if said.smtp and said.smtp.tls == "none" and said.smtp.host not in LOOPBACK:
        raise ConfigError(
            f'{path.name}: smtp.tls = "none" is only for this machine itself; a password and'
            " customers' mails would cross the network in the open."
        )
    return Config(
        path=path,
        mail=path.parent / said.mail,
        state=path.parent / said.state,
        address=said.address,
        name=said.name,
        smtp=said.smtp,
        **limits,
        split_days=said.refunds.split_days,
        customer_refunds=said.refunds.customer_refunds,
        customer_days=said.refunds.customer_days,
        rates={currency: Decimal(rate) for currency, rate in said.rates.items()},
        leads=tuple(said.people.leads),
        managers=tuple(said.people.managers),
    )


def _limit(path: Path, name: str, text: str, currency: str) -> Money:
    try:
        return parse(text, currency)
    except (SupportError, InvalidOperation) as problem:
        raise ConfigError(f"{path.name}: refunds.{name}: {problem}.") from None


def _sentence(error: ErrorDetails) -> str:
    """Write one problem as a sentence that names its place."""
    parts = error["loc"]
    where = ".".join(f"#{part + 1}" if isinstance(part, int) else part for part in parts)
    match error["type"]:
        case "missing":
            said = "is missing"
        case "extra_forbidden":
            said = "is not known"
        case _:
            said = error["msg"].removeprefix("Value error, ")
            said = f"{said[:1].lower()}{said[1:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in f"{where} {said}.")
